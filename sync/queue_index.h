/* SPDX-License-Identifier: MIT */
/* queue_index.h: which places are free, in hands, or hold a message that goes next.  All of it
 * under the lock, and all of it made anew from the places if the lock's owner dies.
 *
 * Priorities below 64 have a lane each, a list in the order of sending, and a bit that says whether
 * it is empty: O(1).  Those above share a binary heap: O(log n).  The links are apart from the
 * places, so walking a list does not wait for one cache miss after another.
 *
 * Numbers read from shared memory are checked before they are used.  What every message goes
 * through is here, to be compiled into its callers: as functions it was two thirds of their
 * instructions.
 */
#ifndef ACRE_SYNC_QUEUE_INDEX_H
#define ACRE_SYNC_QUEUE_INDEX_H

#include "sync/queue.h"

#include <string.h>

/* The place exists and is in this state. */
static inline bool acre__place_is(const acre_queue *q, uint32_t i, uint32_t state)
{
    return acre__place_exists(q, i) &&
           __builtin_expect(acre__peek(&acre__place_at(q, i)->state) == state, 1);
}

/* ---- free places ---- */

/* At the end: places are used in turns, so the two sides are at work in different lines. */
static inline void acre__queue_free_push(acre_queue *q, uint32_t i)
{
    acre__queue *s = q->shared;
    uint32_t last = acre__peek(&s->last);
    acre__put(&q->link[i], (uint32_t)ACRE__QUEUE_NONE);
    if (acre__peek(&s->free) == ACRE__QUEUE_NONE)
        acre__put(&s->free, i);
    else if (acre__place_exists(q, last))
        acre__put(&q->link[last], i);
    acre__put(&s->last, i);
}

int acre__queue_place_unusual(acre_queue *q, uint32_t size, uint32_t *place);

/* Take a free place with room for `size` bytes.  EAGAIN: there is none, not even left by the dead.
 */
ACRE__HOT int acre__queue_place(acre_queue *q, uint32_t size, uint32_t *place)
{
    uint32_t i = acre__peek(&q->shared->free);
    if (__builtin_expect(q->units || !acre__place_is(q, i, ACRE__PLACE_FREE), 0))
        return acre__queue_place_unusual(q, size, place);
    acre__put(&q->shared->free, acre__peek(&q->link[i]));
    *place = i;
    return 0;
}

/* The place, and its units, are free again.  The state is not FULL, or was taken; nobody holds it.
 */
static inline void acre__queue_put_back(acre_queue *q, uint32_t i)
{
    acre__place *p = acre__place_at(q, i);
    acre__place_set(p, ACRE__PLACE_FREE);
    if (q->units)
        acre__units_give(q, acre__peek(&p->unit), acre__peek(&p->units));
    acre__queue_free_push(q, i);
}

/* ---- messages ---- */

int acre__queue_enter_heap(acre_queue *q, uint32_t i);

ACRE__HOT int acre__queue_append(acre_queue *q, uint32_t i, uint32_t priority)
{
    acre__queue *s = q->shared;
    acre__lane *lane = &s->lane[priority];
    uint64_t lanes = acre__peek(&s->lanes), bit = (uint64_t)1 << priority;
    uint32_t tail = acre__peek(&lane->tail);
    if (!(lanes & bit)) {
        acre__put(&lane->head, i);
        acre__put(&s->lanes, lanes | bit);
    } else if (acre__place_exists(q, tail))
        acre__put(&q->link[tail], i);
    else
        return ACRE_ECORRUPT;
    acre__put(&lane->tail, i);
    return 0;
}

/* Make the message in the place one of the queue, the last of its priority.  Its order is the
 * queue's before it is the place's: a recoverer never gives it out again. */
ACRE__HOT int acre__queue_commit(acre_queue *q, uint32_t i, uint32_t size, uint32_t priority)
{
    acre__place *p = acre__place_at(q, i);
    uint64_t order = acre__peek(&q->shared->order) + 1;
    acre__put(&q->shared->order, order);
    acre__put(&p->order, order);
    acre__put(&p->priority, priority);
    acre__put(&p->size, size);
    int e = __builtin_expect(priority < ACRE__QUEUE_LANES, 1) ? acre__queue_append(q, i, priority)
                                                              : acre__queue_enter_heap(q, i);
    if (__builtin_expect(e, 0))
        return e;
    acre__place_set(p, ACRE__PLACE_FULL);
    acre__put(&q->shared->count, acre__peek(&q->shared->count) + 1);
    return 0;
}

/* The best message.  EAGAIN: there is none; ACRE_ECORRUPT. */
ACRE__HOT int acre__queue_best(const acre_queue *q, uint32_t *place)
{
    const acre__queue *s = q->shared;
    uint64_t lanes = acre__peek(&s->lanes);
    uint32_t i;
    if (__builtin_expect(acre__peek(&s->high) != 0, 0))
        i = acre__peek(&q->heap[0]);
    else if (lanes)
        i = acre__peek(&s->lane[63 - __builtin_clzll(lanes)].head);
    else
        return EAGAIN;
    *place = i;
    return acre__place_is(q, i, ACRE__PLACE_FULL) ? 0 : ACRE_ECORRUPT;
}

static inline void acre__queue_shift(acre_queue *q, uint32_t i)
{
    acre__queue *s = q->shared;
    uint64_t lanes = acre__peek(&s->lanes);
    uint32_t number = 63 - (uint32_t)__builtin_clzll(lanes | 1);
    acre__lane *lane = &s->lane[number];
    if (acre__peek(&lane->tail) == i)
        acre__put(&s->lanes, lanes & ~((uint64_t)1 << number));
    else
        acre__put(&lane->head, acre__peek(&q->link[i]));
}

/* Take the best message, which is in place i, out of the index. */
static inline void acre__queue_leave(acre_queue *q, uint32_t i)
{
    if (__builtin_expect(acre__peek(&q->shared->high) != 0, 0))
        acre__queue_heap_pop(q);
    else
        acre__queue_shift(q, i);
    acre__put(&q->shared->count, acre__peek(&q->shared->count) - 1);
}

/* ---- a message in, a message out ---- */

/* Send what lies aside. */
ACRE__HOT int acre__queue_put(acre_queue *q, const uint8_t *aside, uint32_t size, uint32_t priority)
{
    uint32_t i;
    int e = acre__queue_place(q, size, &i);
    if (__builtin_expect(e, 0))
        return e;
    uint8_t *to = acre__place_data(q, i, size);
    if (!to)
        return ACRE_ECORRUPT;
    if (size)
        memcpy(to, aside, size);
    return acre__queue_commit(q, i, size, priority);
}

/* What goes next, and where it lies. */
ACRE__HOT int acre__queue_look(acre_queue *q, acre__queue_call *c)
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

static inline void acre__queue_take_in_place(acre_queue *q, acre__queue_call *c)
{
    acre__queue_leave(q, c->place);
    acre__queue_hold(q, c->place, ACRE__PLACE_READING);
}

static inline void acre__queue_take_aside(acre_queue *q, acre__queue_call *c)
{
    if (c->size)
        memcpy(c->aside, c->data, c->size);
    acre__queue_leave(q, c->place);
    acre__queue_put_back(q, c->place);
}

/* Take the best message, aside or into this thread's hands. */
ACRE__HOT int acre__queue_take(acre_queue *q, acre__queue_call *c)
{
    int e = acre__queue_look(q, c);
    if (__builtin_expect(e, 0))
        return e;
    if (c->size > c->room)
        return EMSGSIZE;
    c->hold = c->size > ACRE_QUEUE_SMALL || !c->aside;
    if (c->hold)
        acre__queue_take_in_place(q, c);
    else
        acre__queue_take_aside(q, c);
    return 0;
}

/* Receive by this attempt. */
ACRE__HOT int acre__queue_receive(acre_queue *q, acre__queue_attempt *attempt, acre__queue_call *c,
                                  const struct timespec *deadline)
{
    int e = acre__queue_run(q, &q->shared->readable, attempt, c, deadline);
    if (__builtin_expect((e == EAGAIN || e == ETIMEDOUT) && acre__load(&q->poll), 0))
        acre__queue_poll_empty(q);
    return e;
}

#endif
