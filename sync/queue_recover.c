/* SPDX-License-Identifier: MIT */
/* queue_recover.c: after deaths.  Of the lock's owner: the index is made anew from the places, by
 * whoever gets the lock; killed meanwhile, the next one begins again, as it writes nothing but the
 * index, and in the places only what was decided (see queue.h).  Of one who held a place: the place
 * is free again.
 *
 * Costs: capacity × log(messages), once for each death with the lock held. */
#include "sync/queue_index.h"

/* ---- one place ---- */

static bool recover_held(const acre__place *p)
{
    uint32_t word = acre__load(&p->word);
    return !acre__ownerless(word) && !(word & ACRE__D);
}

/* Its units are its own. */
static bool recover_units(acre_queue *q, const acre__place *p)
{
    return !q->units || acre__units_mark(q, acre__peek(&p->unit), acre__peek(&p->units));
}

static bool recover_message(acre_queue *q, uint32_t i, uint32_t n)
{
    acre__place *p = acre__place_at(q, i);
    uint64_t order = acre__peek(&p->order);
    acre__put(&p->word, (uint32_t)0);
    acre__put(&q->heap[n], i);
    if (order > acre__peek(&q->shared->order))
        acre__put(&q->shared->order, order);
    return acre__place_data(q, i, acre__peek(&p->size)) != NULL;
}

/* It goes where it belongs; messages into heap[0 … *n - 1], in no order. */
static bool recover_place(acre_queue *q, uint32_t i, uint32_t *n)
{
    acre__place *p = acre__place_at(q, i);
    bool full = acre__peek(&p->state) == ACRE__PLACE_FULL;
    if (!full && !recover_held(p)) {
        acre__place_set(p, ACRE__PLACE_FREE);
        acre__put(&p->word, (uint32_t)0);
        acre__queue_free_push(q, i);
        return true;
    }
    if (!full)
        acre__queue_hands_push(q, i);
    return recover_units(q, p) && (!full || recover_message(q, i, (*n)++));
}

/* ---- the index ---- */

static void recover_clear(acre_queue *q)
{
    acre__queue *s = q->shared;
    acre__put(&s->free, (uint32_t)ACRE__QUEUE_NONE);
    acre__put(&s->hands, (uint32_t)ACRE__QUEUE_NONE);
    acre__put(&s->lanes, (uint64_t)0);
    acre__put(&s->count, (uint32_t)0);
    acre__put(&s->high, (uint32_t)0);
    acre__put(&s->rover, (uint32_t)0);
    for (uint32_t w = 0; w < (q->units + 63) / 64; w++)
        acre__put(&q->used[w], (uint64_t)0);
}

/* Heapsort: the array's head grows into a heap, then its best go to the array's end. */
static void recover_sort(acre_queue *q, uint32_t n)
{
    for (uint32_t k = 0; k < n; k++)
        acre__queue_heap_push(q, acre__peek(&q->heap[k]));
    for (uint32_t k = n; k-- > 0;)
        acre__put(&q->heap[k], acre__queue_heap_pop(q));
}

/* The array has the best last.  The lanes' messages are at its front, and leave it: the last sent
 * first, so each goes in front of its lane.  What stays is turned round: best first is a heap. */
static uint32_t recover_lanes(acre_queue *q, uint32_t n)
{
    acre__queue *s = q->shared;
    uint32_t k = 0;
    for (; k < n; k++) {
        uint32_t i = acre__peek(&q->heap[k]), priority = ACRE__QUEUE_LANES;
        if (acre__place_exists(q, i))
            priority = acre__peek(&acre__place_at(q, i)->priority);
        if (priority >= ACRE__QUEUE_LANES)
            break;
        acre__lane *lane = &s->lane[priority];
        uint64_t lanes = acre__peek(&s->lanes), bit = (uint64_t)1 << priority;
        acre__put(lanes & bit ? &q->link[i] : &lane->tail,
                  lanes & bit ? acre__peek(&lane->head) : i);
        acre__put(&lane->head, i);
        acre__put(&s->lanes, lanes | bit);
    }
    return k;
}

static void recover_heap(acre_queue *q, uint32_t first, uint32_t n)
{
    acre__put(&q->shared->high, n - first);
    for (uint32_t k = first, j = n; k < j--; k++) {
        uint32_t i = acre__peek(&q->heap[k]);
        acre__put(&q->heap[k], acre__peek(&q->heap[j]));
        acre__put(&q->heap[j], i);
    }
    for (uint32_t k = first; k < n && first; k++)
        acre__put(&q->heap[k - first], acre__peek(&q->heap[k]));
}

/* Wake-ups may have died with the owner. */
static void recover_sleepers(acre__queue_side *side)
{
    acre__put(&side->given, acre__peek(&side->asked));
    acre__put(&side->watched, (uint32_t)0);
    acre__put(&side->event, acre__peek(&side->event) + 1);
    acre__wake(&side->event, ACRE__WAKE_ALL);
}

int acre__queue_recover(acre_queue *q)
{
    uint32_t n = 0;
    recover_clear(q);
    for (uint32_t i = 0; i < q->capacity; i++)
        if (!recover_place(q, i, &n))
            return ACRE_ECORRUPT;
    recover_sort(q, n);
    recover_heap(q, recover_lanes(q, n), n);
    acre__put(&q->shared->count, n);
    recover_sleepers(&q->shared->readable);
    recover_sleepers(&q->shared->writable);
    return 0;
}

/* ---- places of the dead ---- */

uint32_t acre__queue_reclaim(acre_queue *q)
{
    uint32_t found = 0, next, i = acre__peek(&q->shared->hands);
    for (uint32_t n = 0; acre__place_exists(q, i) && n < q->capacity; i = next, n++) {
        next = acre__peek(&q->link[i]);
        if (recover_held(acre__place_at(q, i)))
            continue;
        acre__queue_hands_remove(q, i);
        acre__put(&acre__place_at(q, i)->word, (uint32_t)0);
        acre__queue_put_back(q, i);
        found++;
    }
    return found;
}

void acre__queue_drop(acre_queue *q, uint32_t i)
{
    acre__cell_release_as(acre__self_here(), &acre__place_at(q, i)->cell, ACRE__D, 0);
}
