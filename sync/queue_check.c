/* SPDX-License-Identifier: MIT */
/* queue_check.c: whether the index says the same as the places.
 *
 *  I1  the free list, the list of those in hands, the lanes and the heap hold each place once
 *  I2  what is in the free list is FREE, without owner; `last` is its end
 *  I3  what is in hands is FILLING or READING, with an owner or a dead one's mark
 *  I4  what is in a lane or in the heap is FULL, without owner, of the lane's priority or of one
 *      above all lanes; its size is within bounds
 *  I5  a lane is in the order of sending, ends at its tail, and its bit says whether it is empty
 *  I6  no node of the heap goes before its parent
 *  I7  no two messages have the same order; none is above the queue's
 *  I8  count is the number of messages
 *  I9  byte mode: the used units are those of the places, each of one place
 */
#include "sync/queue.h"

#include <stdlib.h>

typedef struct check_state {
    acre_queue *q;
    uint64_t *units;   /* I9: bits set so far */
    uint8_t *seen;     /* I1: a byte for each place */
    uint64_t *orders;  /* I7 */
    uint32_t messages; /* I8 */
    uint32_t places;
} check_state;

static uint32_t check_word(const acre__place *p)
{
    return acre__load(&p->word);
}

static bool check_units(check_state *s, const acre__place *p)
{
    acre_queue view = *s->q;
    view.used = s->units;
    return !view.units || acre__units_mark(&view, acre__peek(&p->unit), acre__peek(&p->units));
}

/* I1 */
static bool check_once(check_state *s, uint32_t i)
{
    if (!acre__place_exists(s->q, i) || s->seen[i])
        return false;
    s->seen[i] = 1;
    s->places++;
    return true;
}

/* I2 */
static bool check_free(check_state *s)
{
    acre_queue *q = s->q;
    uint32_t last = ACRE__QUEUE_NONE;
    for (uint32_t i = acre__peek(&q->shared->free); i != ACRE__QUEUE_NONE;
         last = i, i = acre__peek(&q->link[i])) {
        if (!check_once(s, i))
            return false;
        const acre__place *p = acre__place_at(q, i);
        if (p->state != ACRE__PLACE_FREE || check_word(p))
            return false;
    }
    return last == ACRE__QUEUE_NONE || last == acre__peek(&q->shared->last);
}

/* I3 */
static bool check_hands(check_state *s)
{
    acre_queue *q = s->q;
    uint32_t previous = ACRE__QUEUE_NONE;
    for (uint32_t i = acre__peek(&q->shared->hands); i != ACRE__QUEUE_NONE;
         previous = i, i = acre__peek(&q->link[i])) {
        if (!check_once(s, i))
            return false;
        const acre__place *p = acre__place_at(q, i);
        if ((p->state != ACRE__PLACE_FILLING && p->state != ACRE__PLACE_READING) ||
            !check_word(p) || p->previous != previous || !check_units(s, p))
            return false;
    }
    return true;
}

/* I4 */
static bool check_message(check_state *s, uint32_t i)
{
    if (!check_once(s, i))
        return false;
    const acre__place *p = acre__place_at(s->q, i);
    s->orders[s->messages++] = p->order;
    return p->state == ACRE__PLACE_FULL && !check_word(p) &&
           acre__place_data(s->q, i, p->size) != NULL &&
           (!s->q->units || acre__units_for(s->q, p->size) <= p->units) && check_units(s, p);
}

/* I5 */
static bool check_lane(check_state *s, uint32_t number)
{
    const acre__lane *lane = &s->q->shared->lane[number];
    uint64_t before = 0;
    if (!(s->q->shared->lanes >> number & 1))
        return true;
    for (uint32_t i = acre__peek(&lane->head);; i = acre__peek(&s->q->link[i])) {
        if (!check_message(s, i))
            return false;
        const acre__place *p = acre__place_at(s->q, i);
        if (p->priority != number || p->order <= before)
            return false;
        before = p->order;
        if (i == acre__peek(&lane->tail))
            return true;
    }
}

static bool check_lanes(check_state *s)
{
    for (uint32_t number = 0; number < ACRE__QUEUE_LANES; number++)
        if (!check_lane(s, number))
            return false;
    return true;
}

/* I6.  Each number is read once: what is checked is what is used. */
static bool check_heap_node(check_state *s, uint32_t k)
{
    acre_queue *q = s->q;
    uint32_t i = acre__peek(&q->heap[k]);
    return check_message(s, i) && acre__place_at(q, i)->priority >= ACRE__QUEUE_LANES &&
           (k == 0 || !acre__queue_before(q, i, acre__peek(&q->heap[(k - 1) / 2])));
}

static bool check_heap(check_state *s)
{
    uint32_t n = acre__peek(&s->q->shared->high);
    for (uint32_t k = 0; k < n; k++)
        if (k == s->q->capacity || !check_heap_node(s, k))
            return false;
    return true;
}

static int check_compare(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* I7 */
static bool check_orders(check_state *s)
{
    qsort(s->orders, s->messages, sizeof *s->orders, check_compare);
    for (uint32_t k = 1; k < s->messages; k++)
        if (s->orders[k] == s->orders[k - 1])
            return false;
    return !s->messages || s->orders[s->messages - 1] <= s->q->shared->order;
}

/* I9 */
static bool check_used(const check_state *s)
{
    for (uint32_t w = 0; w < (s->q->units + 63) / 64; w++)
        if (s->units[w] != s->q->used[w])
            return false;
    return true;
}

static bool check_all(check_state *s)
{
    return check_free(s) && check_hands(s) && check_lanes(s) && check_heap(s) && check_orders(s) &&
           s->messages == s->q->shared->count && s->places == s->q->capacity && check_used(s);
}

static int check_locked(check_state *s)
{
    int e = acre__queue_lock(s->q, &acre__queue_try);
    if (e)
        return e;
    e = check_all(s) ? 0 : ACRE_ECORRUPT;
    acre__queue_unlock(s->q);
    return e;
}

int acre_queue_check(acre_queue *q)
{
    check_state s = {.q = q,
                     .units = calloc(q->units / 64 + 1, sizeof(uint64_t)),
                     .seen = calloc(q->capacity, 1),
                     .orders = calloc(q->capacity, sizeof(uint64_t))};
    int e = s.units && s.seen && s.orders ? check_locked(&s) : ENOMEM;
    free(s.units);
    free(s.seen);
    free(s.orders);
    return e;
}
