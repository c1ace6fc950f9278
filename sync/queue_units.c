/* SPDX-License-Identifier: MIT */
/* queue_units.c: byte mode: which units of the area belong to a place: a bit each.
 *
 * A message lies in one piece, so that it can be written and read in place.  The search begins
 * where the last one ended: as long as messages leave in the order in which they came, the area is
 * a ring and the first look finds room.  The bits are part of the index: after a death they are set
 * again from the places, each of which says which units are its own. */
#include "sync/queue.h"

/* 64 units' bits from the one at `unit` on, turned round if the free ones are asked for. */
static uint64_t units_bits(const acre_queue *q, uint32_t unit, bool used)
{
    uint64_t bits = acre__peek(&q->used[unit / 64]);
    return (used ? bits : ~bits) >> unit % 64;
}

/* The first unit in [from, to) that is used, or that is free; `to`: there is none. */
static uint32_t units_next(const acre_queue *q, uint32_t from, uint32_t to, bool used)
{
    while (from < to) {
        uint64_t bits = units_bits(q, from, used);
        if (bits) {
            uint32_t found = from + (uint32_t)__builtin_ctzll(bits);
            return found < to ? found : to;
        }
        from = from - from % 64 + 64;
    }
    return to;
}

/* n free units in [from, to); `to`: there are not. */
static uint32_t units_search(const acre_queue *q, uint32_t n, uint32_t from, uint32_t to)
{
    uint32_t start = units_next(q, from, to, false);
    while (to - start >= n) {
        uint32_t end = units_next(q, start, start + n, true);
        if (end == start + n)
            return start;
        start = units_next(q, end + 1, to, false);
    }
    return to;
}

/* The bits of units [unit, unit + n) that are in one word. */
static uint64_t units_mask(uint32_t unit, uint32_t n)
{
    uint64_t ones = n >= 64 ? ~(uint64_t)0 : ((uint64_t)1 << n) - 1;
    return ones << unit % 64;
}

bool acre__units_mark(acre_queue *q, uint32_t unit, uint32_t n)
{
    bool free = true;
    if (unit > q->units || n > q->units - unit)
        return false;
    for (uint32_t step; n; unit += step, n -= step) {
        uint64_t *word = &q->used[unit / 64], mask = units_mask(unit, n), old = acre__peek(word);
        step = n < 64 - unit % 64 ? n : 64 - unit % 64;
        free &= !(old & mask);
        acre__put(word, old | mask);
    }
    return free;
}

void acre__units_give(acre_queue *q, uint32_t unit, uint32_t n)
{
    if (unit > q->units || n > q->units - unit)
        return;
    for (uint32_t step; n; unit += step, n -= step) {
        uint64_t *word = &q->used[unit / 64];
        step = n < 64 - unit % 64 ? n : 64 - unit % 64;
        acre__put(word, acre__peek(word) & ~units_mask(unit, n));
    }
}

uint32_t acre__units_take(acre_queue *q, uint32_t n)
{
    uint32_t rover = acre__peek(&q->shared->rover);
    if (rover > q->units)
        rover = 0;
    uint32_t unit = units_search(q, n, rover, q->units);
    if (unit == q->units)
        unit = units_search(q, n, 0, q->units);
    if (unit == q->units)
        return ACRE__QUEUE_NONE;
    acre__units_mark(q, unit, n);
    acre__put(&q->shared->rover, unit + n);
    return unit;
}
