/* SPDX-License-Identifier: MIT */
/* queue_send.c: sending.
 *
 *     small    copy aside │ lock · place · copy · commit · unlock
 *     large                 lock · place · hold · unlock │ copy │ lock · commit · let go · unlock
 *
 * Small messages are copied twice, so that the caller's memory is never touched under the lock; it
 * costs less than the second lock.  A batch is small messages, up to 64 under one lock. */
#include "sync/queue_index.h"

#include <string.h>

/* ---- under the lock ---- */

ACRE__HOT int send_small_attempt(acre_queue *q, acre__queue_call *c)
{
    int e = acre__queue_put(q, c->data, c->size, c->priority);
    if (!e)
        acre__queue_signal(&q->shared->readable, 1, &c->wake);
    return e;
}

static int send_reserve_attempt(acre_queue *q, acre__queue_call *c)
{
    int e = acre__queue_place(q, c->size, &c->place);
    if (e)
        return e;
    c->data = acre__place_data(q, c->place, c->size);
    if (!c->data)
        return ACRE_ECORRUPT;
    acre__queue_hold(q, c->place, ACRE__PLACE_FILLING);
    return 0;
}

/* Units beyond the message's are free again. */
static void send_trim(acre_queue *q, acre__queue_call *c)
{
    acre__place *p = acre__place_at(q, c->place);
    uint32_t units = acre__peek(&p->units), needed = acre__units_for(q, c->size);
    if (needed >= units)
        return;
    acre__put(&p->units, needed);
    acre__units_give(q, acre__peek(&p->unit) + needed, units - needed);
    acre__queue_signal(&q->shared->writable, ACRE__WAKE_ALL, &c->trimmed);
}

static int send_commit_attempt(acre_queue *q, acre__queue_call *c)
{
    if (q->units)
        send_trim(q, c);
    int e = acre__queue_commit(q, c->place, c->size, c->priority);
    if (e)
        return e;
    acre__queue_let_go(q, c->place);
    acre__queue_signal(&q->shared->readable, 1, &c->wake);
    return 0;
}

static int send_finish_attempt(acre_queue *q, acre__queue_call *c)
{
    acre__queue_let_go(q, c->place);
    acre__queue_put_back(q, c->place);
    acre__queue_signal(&q->shared->writable, acre__queue_senders(q, 1), &c->wake);
    return 0;
}

void acre__queue_finish(acre_queue *q, uint32_t i, const struct timespec *deadline)
{
    acre__queue_call c = {.place = i};
    if (acre__queue_once(q, send_finish_attempt, &c, deadline) != 0)
        acre__queue_drop(q, i);
}

/* ---- one message ---- */

static int send_small(acre_queue *q, const void *data, uint32_t size, uint32_t priority,
                      const struct timespec *deadline)
{
    uint8_t aside[ACRE_QUEUE_SMALL];
    acre__queue_call c = {.data = aside, .size = size, .priority = priority};
    if (size)
        memcpy(aside, data, size);
    return acre__queue_run(q, &q->shared->writable, send_small_attempt, &c, deadline);
}

static int send_large(acre_queue *q, const void *data, uint32_t size, uint32_t priority,
                      const struct timespec *deadline)
{
    acre__queue_call c = {.size = size, .priority = priority};
    int e = acre__queue_run(q, &q->shared->writable, send_reserve_attempt, &c, deadline);
    if (e)
        return e;
    memcpy(c.data, data, size);
    e = acre__queue_once(q, send_commit_attempt, &c, deadline);
    if (e)
        acre__queue_drop(q, c.place);
    return e;
}

int acre_queue_send_until(acre_queue *q, const void *data, size_t size, uint32_t priority,
                          const struct timespec *deadline)
{
    if (size > q->max_size)
        return EMSGSIZE;
    if (size <= ACRE_QUEUE_SMALL)
        return send_small(q, data, (uint32_t)size, priority, deadline);
    return send_large(q, data, (uint32_t)size, priority, deadline);
}

int acre_queue_send(acre_queue *q, const void *data, size_t size, uint32_t priority)
{
    return acre_queue_send_until(q, data, size, priority, NULL);
}

int acre_queue_trysend(acre_queue *q, const void *data, size_t size, uint32_t priority)
{
    return acre_queue_send_until(q, data, size, priority, &acre__queue_try);
}

/* ---- without a copy ---- */

int acre_queue_reserve_until(acre_queue *q, size_t size, acre_message *m,
                             const struct timespec *deadline)
{
    if (size > q->max_size)
        return EMSGSIZE;
    acre__queue_call c = {.size = (uint32_t)size};
    int e = acre__queue_run(q, &q->shared->writable, send_reserve_attempt, &c, deadline);
    if (!e)
        *m = (acre_message){c.data, size, 0, c.place};
    return e;
}

int acre_queue_reserve(acre_queue *q, size_t size, acre_message *m)
{
    return acre_queue_reserve_until(q, size, m, NULL);
}

int acre_queue_tryreserve(acre_queue *q, size_t size, acre_message *m)
{
    return acre_queue_reserve_until(q, size, m, &acre__queue_try);
}

/* Bytes that the place has room for. */
static size_t send_reserved(const acre_queue *q, uint32_t i)
{
    size_t bytes = (size_t)acre__peek(&acre__place_at(q, i)->units) * ACRE__QUEUE_UNIT;
    return q->units && bytes < q->max_size ? bytes : q->max_size;
}

int acre_queue_commit(acre_queue *q, const acre_message *m)
{
    if (!acre__queue_mine(q, m->place, ACRE__PLACE_FILLING))
        return EPERM;
    if (m->size > send_reserved(q, m->place))
        return EMSGSIZE;
    acre__queue_call c = {.size = (uint32_t)m->size, .priority = m->priority, .place = m->place};
    return acre__queue_once(q, send_commit_attempt, &c, NULL);
}

int acre_queue_abandon(acre_queue *q, const acre_message *m)
{
    if (!acre__queue_mine(q, m->place, ACRE__PLACE_FILLING))
        return EPERM;
    if (acre__self_busy(acre__self_here()))
        return EDEADLK;
    acre__queue_finish(q, m->place, NULL);
    return 0;
}
