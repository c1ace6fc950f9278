/* SPDX-License-Identifier: MIT */
/* queue_receive.c: receiving.
 *
 *     small    lock · best · copy aside · free · unlock │ copy
 *     large    lock · best · hold · unlock │ copy │ lock · let go · put back · unlock
 *
 * A message is taken by one store, to its place's state: not before it is known to fit. */
#include "sync/queue.h"

#include <string.h>

/* ---- under the lock ---- */

/* What goes next, and where it lies. */
static int receive_look(acre_queue *q, acre__queue_call *c)
{
    int e = acre__queue_best(q, &c->place);
    if (__builtin_expect(e, 0))
        return e;
    const acre__place *p = acre__place_at(q, c->place);
    c->size = acre__peek(&p->size);
    c->priority = acre__peek(&p->priority);
    c->data = acre__place_data(q, c->place, c->size);
    return c->data ? 0 : ACRE_ECORRUPT;
}

static void receive_in_place(acre_queue *q, acre__queue_call *c)
{
    acre__queue_leave(q, c->place);
    acre__queue_hold(q, c->place, ACRE__PLACE_READING);
}

static void receive_aside(acre_queue *q, acre__queue_call *c)
{
    if (c->size)
        memcpy(c->aside, c->data, c->size);
    acre__queue_leave(q, c->place);
    acre__queue_put_back(q, c->place);
}

int acre__queue_take(acre_queue *q, acre__queue_call *c)
{
    int e = receive_look(q, c);
    if (__builtin_expect(e, 0))
        return e;
    if (c->size > c->room)
        return EMSGSIZE;
    c->hold = c->size > ACRE_QUEUE_SMALL || !c->aside;
    if (c->hold)
        receive_in_place(q, c);
    else
        receive_aside(q, c);
    return 0;
}

static int receive_attempt(acre_queue *q, acre__queue_call *c)
{
    int e = acre__queue_take(q, c);
    if (!e && !c->hold)
        acre__queue_signal(&q->shared->writable, acre__queue_senders(q, 1), &c->wake);
    return e;
}

/* ---- one message ---- */

int acre__queue_receive(acre_queue *q, acre__queue_attempt *attempt, acre__queue_call *c,
                        const struct timespec *deadline)
{
    int e = acre__queue_run(q, &q->shared->readable, attempt, c, deadline);
    if (__builtin_expect((e == EAGAIN || e == ETIMEDOUT) && acre__load(&q->poll), 0))
        acre__queue_poll_empty(q);
    return e;
}

void acre__queue_hand_over(acre_queue *q, const acre__queue_call *c, void *buffer,
                           const struct timespec *deadline)
{
    if (c->size)
        memcpy(buffer, c->hold ? c->data : c->aside, c->size);
    if (c->hold)
        acre__queue_finish(q, c->place, deadline);
}

int acre_queue_receive_until(acre_queue *q, void *buffer, size_t room, size_t *size,
                             uint32_t *priority, const struct timespec *deadline)
{
    uint8_t aside[ACRE_QUEUE_SMALL];
    acre__queue_call c = {.aside = aside, .room = room};
    int e = acre__queue_receive(q, receive_attempt, &c, deadline);
    if (size && (e == 0 || e == EMSGSIZE))
        *size = c.size;
    if (e)
        return e;
    if (priority)
        *priority = c.priority;
    acre__queue_hand_over(q, &c, buffer, deadline);
    return 0;
}

int acre_queue_receive(acre_queue *q, void *buffer, size_t room, size_t *size, uint32_t *priority)
{
    return acre_queue_receive_until(q, buffer, room, size, priority, NULL);
}

int acre_queue_tryreceive(acre_queue *q, void *buffer, size_t room, size_t *size,
                          uint32_t *priority)
{
    return acre_queue_receive_until(q, buffer, room, size, priority, &acre__queue_try);
}

int acre_queue_peek(acre_queue *q, size_t *size, uint32_t *priority)
{
    acre__queue_call c = {0};
    int e = acre__queue_once(q, receive_look, &c, &acre__queue_try);
    if (e)
        return e;
    if (size)
        *size = c.size;
    if (priority)
        *priority = c.priority;
    return 0;
}

/* ---- without a copy ---- */

int acre_queue_acquire_until(acre_queue *q, acre_message *m, const struct timespec *deadline)
{
    acre__queue_call c = {.room = SIZE_MAX};
    int e = acre__queue_receive(q, receive_attempt, &c, deadline);
    if (!e)
        *m = (acre_message){c.data, c.size, c.priority, c.place};
    return e;
}

int acre_queue_acquire(acre_queue *q, acre_message *m)
{
    return acre_queue_acquire_until(q, m, NULL);
}

int acre_queue_tryacquire(acre_queue *q, acre_message *m)
{
    return acre_queue_acquire_until(q, m, &acre__queue_try);
}

int acre_queue_release(acre_queue *q, const acre_message *m)
{
    if (!acre__queue_mine(q, m->place, ACRE__PLACE_READING))
        return EPERM;
    acre__queue_finish(q, m->place, NULL);
    return 0;
}
