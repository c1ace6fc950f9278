/* SPDX-License-Identifier: MIT */
/* queue_receive.c: receiving.
 *
 *     small    lock · best · copy aside · free · unlock │ copy
 *     large    lock · best · hold · unlock │ copy │ lock · let go · put back · unlock
 *
 * A message is taken by one store, to its place's state: not before it is known to fit. */
#include "sync/queue_index.h"

#include <string.h>

/* ---- under the lock ---- */

/* Whoever may have been woken for a message and leaves it passes the wake-up on. */
ACRE__HOT int receive_attempt(acre_queue *q, acre__queue_call *c)
{
    int e = acre__queue_take(q, c);
    if (!e && !c->hold)
        acre__queue_signal(&q->shared->writable, acre__queue_senders(q, 1), &c->wake);
    if (e == EMSGSIZE)
        acre__queue_signal(&q->shared->readable, 1, &c->wake);
    return e;
}

/* ---- one message ---- */

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

static int receive_peek(acre_queue *q, acre__queue_call *c)
{
    return acre__queue_look(q, c);
}

int acre_queue_peek(acre_queue *q, size_t *size, uint32_t *priority)
{
    acre__queue_call c = {0};
    int e = acre__queue_once(q, receive_peek, &c, &acre__queue_try);
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
    if (acre__self_busy(acre__self_here()))
        return EDEADLK;
    acre__queue_finish(q, m->place, NULL);
    return 0;
}
