/* SPDX-License-Identifier: MIT */
/* queue_batch.c: many small messages under one lock.  Large ones, whose copying costs more than the
 * lock, go one by one.  The caller's list and buffers are not touched under the lock. */
#include "sync/queue_index.h"

#include <string.h>

static uint32_t batch_least(size_t a, size_t b)
{
    return (uint32_t)(a < b ? a : b);
}

/* ---- sending ---- */

static int batch_send_attempt(acre_queue *q, acre__queue_call *c)
{
    acre__queue_batch *b = c->batch;
    int e = 0;
    for (b->done = 0; b->done < b->n && !e; b->done += !e)
        e = acre__queue_put(q, b->aside[b->done], b->size[b->done], b->priority[b->done]);
    if (b->done)
        acre__queue_signal(&q->shared->readable, b->done, &c->wake);
    return b->done ? 0 : e;
}

/* The small ones at the list's head. */
static void batch_gather(acre__queue_batch *b, const acre_message *list, size_t n, size_t most)
{
    for (b->n = 0; b->n < n && b->n < ACRE_QUEUE_BATCH && list[b->n].size <= most; b->n++) {
        const acre_message *m = &list[b->n];
        b->size[b->n] = (uint32_t)m->size;
        b->priority[b->n] = m->priority;
        if (m->size)
            memcpy(b->aside[b->n], m->data, m->size);
    }
}

static int batch_send_some(acre_queue *q, const acre_message *list, size_t n, size_t *sent,
                           const struct timespec *deadline)
{
    acre__queue_batch b;
    acre__queue_call c = {.batch = &b};
    batch_gather(&b, list, n, batch_least(q->max_size, ACRE_QUEUE_SMALL));
    int e = b.n ? acre__queue_run(q, &q->shared->writable, batch_send_attempt, &c, deadline)
                : acre_queue_send_until(q, list->data, list->size, list->priority, deadline);
    if (!e)
        *sent += b.n ? b.done : 1;
    return e;
}

int acre_queue_send_many_until(acre_queue *q, const acre_message *list, size_t n, size_t *sent,
                               const struct timespec *deadline)
{
    int e = 0;
    size_t done = 0;
    while (done < n && !e)
        e = batch_send_some(q, list + done, n - done, &done, deadline);
    *sent = done;
    return e;
}

int acre_queue_send_many(acre_queue *q, const acre_message *list, size_t n, size_t *sent)
{
    return acre_queue_send_many_until(q, list, n, sent, NULL);
}

int acre_queue_trysend_many(acre_queue *q, const acre_message *list, size_t n, size_t *sent)
{
    return acre_queue_send_many_until(q, list, n, sent, &acre__queue_try);
}

/* ---- receiving ---- */

/* The next message into place b->done of the batch.  The first may be large: then it is in this
 * thread's hands, and the batch is complete. */
static int batch_take_one(acre_queue *q, acre__queue_call *c)
{
    acre__queue_batch *b = c->batch;
    uint32_t k = b->done, room = b->size[k];
    c->room = k ? batch_least(room, ACRE_QUEUE_SMALL) : room;
    c->aside = b->aside[k];
    int e = acre__queue_take(q, c);
    if (e)
        return e;
    b->size[k] = c->size;
    b->priority[k] = c->priority;
    b->done++;
    return 0;
}

static int batch_receive_attempt(acre_queue *q, acre__queue_call *c)
{
    acre__queue_batch *b = c->batch;
    int e = 0;
    b->done = 0;
    while (b->done < b->n && !e && !c->hold)
        e = batch_take_one(q, c);
    if (b->done && !c->hold)
        acre__queue_signal(&q->shared->writable, acre__queue_senders(q, b->done), &c->wake);
    if (!b->done && e == EMSGSIZE)
        acre__queue_signal(&q->shared->readable, 1, &c->wake); /* see queue_receive.c */
    return b->done ? 0 : e;
}

static void batch_scatter(acre_queue *q, acre__queue_call *c, acre_message *list,
                          const struct timespec *deadline)
{
    const acre__queue_batch *b = c->batch;
    for (uint32_t k = 0; k < b->done; k++) {
        list[k].size = b->size[k];
        list[k].priority = b->priority[k];
        if (!c->hold && b->size[k])
            memcpy(list[k].data, b->aside[k], b->size[k]);
    }
    if (c->hold)
        acre__queue_hand_over(q, c, list->data, deadline);
}

static int batch_receive_some(acre_queue *q, acre_message *list, size_t n, size_t *received,
                              const struct timespec *deadline)
{
    acre__queue_batch b; /* not cleared: it is large */
    acre__queue_call c = {.batch = &b};
    b.n = batch_least(n, ACRE_QUEUE_BATCH);
    for (uint32_t k = 0; k < b.n; k++)
        b.size[k] = batch_least(list[k].size, UINT32_MAX);
    int e = acre__queue_receive(q, batch_receive_attempt, &c, deadline);
    if (e == EMSGSIZE && *received == 0)
        list->size = c.size;
    if (e)
        return e;
    batch_scatter(q, &c, list, deadline);
    *received += b.done;
    return 0;
}

/* After the first, what is there: an error then belongs to the next call. */
int acre_queue_receive_many_until(acre_queue *q, acre_message *list, size_t n, size_t *received,
                                  const struct timespec *deadline)
{
    size_t done = 0;
    int e = 0;
    while (done < n && !e)
        e = batch_receive_some(q, list + done, n - done, &done, done ? &acre__queue_try : deadline);
    *received = done;
    return done ? 0 : e;
}

int acre_queue_receive_many(acre_queue *q, acre_message *list, size_t n, size_t *received)
{
    return acre_queue_receive_many_until(q, list, n, received, NULL);
}

int acre_queue_tryreceive_many(acre_queue *q, acre_message *list, size_t n, size_t *received)
{
    return acre_queue_receive_many_until(q, list, n, received, &acre__queue_try);
}
