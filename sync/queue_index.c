/* SPDX-License-Identifier: MIT */
/* queue_index.c: the rare half of queue_index.h: no room, units, places in somebody's hands. */
#include "sync/queue_index.h"

/* ---- no free place, or one with units ---- */

static bool index_units(acre_queue *q, uint32_t i, uint32_t size)
{
    uint32_t n = acre__units_for(q, size), unit = n ? acre__units_take(q, n) : 0;
    if (unit == ACRE__QUEUE_NONE)
        return false;
    acre__put(&acre__place_at(q, i)->unit, unit);
    acre__put(&acre__place_at(q, i)->units, n);
    return true;
}

static int index_try(acre_queue *q, uint32_t size, uint32_t *place)
{
    uint32_t i = acre__peek(&q->shared->free);
    if (i == ACRE__QUEUE_NONE)
        return EAGAIN;
    if (!acre__place_is(q, i, ACRE__PLACE_FREE))
        return ACRE_ECORRUPT;
    if (q->units && !index_units(q, i, size))
        return EAGAIN;
    *place = i;
    return 0;
}

int acre__queue_place_unusual(acre_queue *q, uint32_t size, uint32_t *place)
{
    int e = index_try(q, size, place);
    if (e == EAGAIN && acre__queue_reclaim(q))
        e = index_try(q, size, place);
    if (!e)
        acre__put(&q->shared->free, acre__peek(&q->link[*place]));
    return e;
}

int acre__queue_enter_heap(acre_queue *q, uint32_t i)
{
    return acre__queue_heap_push(q, i) ? 0 : ACRE_ECORRUPT;
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
    acre__self *s = acre__self_here();
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
    acre__list_remove(acre__self_here(), &p->cell);
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
