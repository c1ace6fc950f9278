/* SPDX-License-Identifier: MIT */
/* queue_index.c: which places are free, in hands, or hold a message that goes next.  All of it
 * under the lock, and all of it made anew from the places if the lock's owner dies.
 *
 * Priorities below 64 have a lane each, a list in the order of sending, and a bit that says whether
 * it is empty: O(1).  Those above share a binary heap: O(log n).  The links are apart from the
 * places, so walking a list does not wait for one cache miss after another.
 *
 * Numbers read from shared memory are checked before they are used. */
#include "sync/queue.h"

/* ---- free places ---- */

void acre__queue_free_push(acre_queue *q, uint32_t i)
{
    acre__put(&q->link[i], acre__peek(&q->shared->free));
    acre__put(&q->shared->free, i);
}

static bool index_units(acre_queue *q, uint32_t i, uint32_t size)
{
    uint32_t n = acre__units_for(q, size), unit = n ? acre__units_take(q, n) : 0;
    if (unit == ACRE__QUEUE_NONE)
        return false;
    acre__put(&acre__place_at(q, i)->unit, unit);
    acre__put(&acre__place_at(q, i)->units, n);
    return true;
}

static int index_free_pop(acre_queue *q, uint32_t size, uint32_t *place)
{
    uint32_t i = acre__peek(&q->shared->free);
    if (i == ACRE__QUEUE_NONE)
        return EAGAIN;
    if (!acre__place_exists(q, i))
        return ACRE_ECORRUPT;
    if (q->units && !index_units(q, i, size))
        return EAGAIN;
    acre__put(&q->shared->free, acre__peek(&q->link[i]));
    *place = i;
    return 0;
}

int acre__queue_place(acre_queue *q, uint32_t size, uint32_t *place)
{
    int e = index_free_pop(q, size, place);
    if (__builtin_expect(e == EAGAIN, 0) && acre__queue_reclaim(q))
        e = index_free_pop(q, size, place);
    if (!e && acre__peek(&acre__place_at(q, *place)->state) != ACRE__PLACE_FREE)
        return ACRE_ECORRUPT;
    return e;
}

void acre__queue_put_back(acre_queue *q, uint32_t i)
{
    acre__place *p = acre__place_at(q, i);
    acre__place_set(p, ACRE__PLACE_FREE);
    if (q->units)
        acre__units_give(q, acre__peek(&p->unit), acre__peek(&p->units));
    acre__queue_free_push(q, i);
}

/* ---- messages ---- */

static int index_append(acre_queue *q, uint32_t i, uint32_t priority)
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

int acre__queue_enter(acre_queue *q, uint32_t i)
{
    uint32_t priority = acre__peek(&acre__place_at(q, i)->priority);
    if (priority < ACRE__QUEUE_LANES)
        return index_append(q, i, priority);
    return acre__queue_heap_push(q, i) ? 0 : ACRE_ECORRUPT;
}

/* The order is the queue's before it is the place's: a recoverer never gives it out again. */
int acre__queue_commit(acre_queue *q, uint32_t i, uint32_t size, uint32_t priority)
{
    acre__place *p = acre__place_at(q, i);
    uint64_t order = acre__peek(&q->shared->order) + 1;
    acre__put(&q->shared->order, order);
    acre__put(&p->order, order);
    acre__put(&p->priority, priority);
    acre__put(&p->size, size);
    int e = acre__queue_enter(q, i);
    if (__builtin_expect(e, 0))
        return e;
    acre__place_set(p, ACRE__PLACE_FULL);
    acre__put(&q->shared->count, acre__peek(&q->shared->count) + 1);
    return 0;
}

int acre__queue_best(const acre_queue *q, uint32_t *place)
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
    if (!acre__place_exists(q, i) || acre__peek(&acre__place_at(q, i)->state) != ACRE__PLACE_FULL)
        return ACRE_ECORRUPT;
    *place = i;
    return 0;
}

static void index_shift(acre_queue *q, uint32_t i)
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

void acre__queue_leave(acre_queue *q, uint32_t i)
{
    if (__builtin_expect(acre__peek(&q->shared->high) != 0, 0))
        acre__queue_heap_pop(q);
    else
        index_shift(q, i);
    acre__put(&q->shared->count, acre__peek(&q->shared->count) - 1);
}

/* ---- places in somebody's hands: a list with links both ways ---- */

void acre__queue_hands_push(acre_queue *q, uint32_t i)
{
    uint32_t next = acre__peek(&q->shared->hands);
    acre__put(&q->link[i], next);
    acre__put(&acre__place_at(q, i)->previous, (uint32_t)ACRE__QUEUE_NONE);
    if (acre__place_exists(q, next))
        acre__put(&acre__place_at(q, next)->previous, i);
    acre__put(&q->shared->hands, i);
}

void acre__queue_hands_remove(acre_queue *q, uint32_t i)
{
    uint32_t next = acre__peek(&q->link[i]), previous = acre__peek(&acre__place_at(q, i)->previous);
    if (acre__place_exists(q, next))
        acre__put(&acre__place_at(q, next)->previous, previous);
    if (acre__place_exists(q, previous))
        acre__put(&q->link[previous], next);
    else
        acre__put(&q->shared->hands, next);
}

/* See queue.h: in the thread's list, then the owner, then the state. */
void acre__queue_hold(acre_queue *q, uint32_t i, uint32_t state)
{
    acre__self *s = &acre__this_thread;
    acre__place *p = acre__place_at(q, i);
    acre__list_add(s, &p->cell, s->anchor.next);
    acre__order();
    acre__put(&p->word, s->tid);
    acre__place_set(p, state);
    acre__queue_hands_push(q, i);
}

void acre__queue_let_go(acre_queue *q, uint32_t i)
{
    acre__place *p = acre__place_at(q, i);
    acre__queue_hands_remove(q, i);
    acre__order();
    acre__put(&p->word, (uint32_t)0);
    acre__order();
    acre__list_remove(&acre__this_thread, &p->cell);
}

bool acre__queue_mine(const acre_queue *q, uint32_t i, uint32_t state)
{
    const acre__self *s = acre__self_get();
    if (!acre__place_exists(q, i))
        return false;
    const acre__place *p = acre__place_at(q, i);
    return acre__peek(&p->word) == s->tid && acre__peek(&p->state) == state &&
           acre__self_holds(s, &p->cell);
}
