/* SPDX-License-Identifier: MIT */
/* tags_many.h: many blocks with boundary tags at once: cut from one piece, and merged with each other
 * before the index is touched. */
#ifndef ACRE_ALLOC_TAGS_MANY_H
#define ACRE_ALLOC_TAGS_MANY_H

#include "alloc/tags_fit.h"

/* Make a free block dv, in the course of a step that has noted something. */
static void tag_favour(const acre_region *r, uint32_t u)
{
    const tag_heap *h = tag_of(r);
    uint32_t units = tag_at(r, u)->head;
    if (u == h->dv.unit || u == h->top.unit)
        return;
    tag_detach(r, u, units);
    tag_new_dv(r, u, units);
}

/* A run of neighbours: what the first one became is dv, outside the index, and each next one only
 * makes it longer. */
static size_t tag_free_many(acre_region *r, size_t n, void *const *blocks)
{
    for (size_t i = 0; i < n; i++) {
        tag_live b = tag_live_at(r, blocks[i]);
        if (!b.units)
            return i;
        uint32_t start = b.unit - tag_at(r, b.unit)->prev;
        tag_release_cold(r, b.unit, b.units);
        if (i + 1 < n && !ACRE_BUG_IS(48) && blocks[i + 1] == tag_payload(r, b.unit + b.units))
            tag_favour(r, start);
        acre_commit(r);
    }
    return n;
}

static uint64_t tag_units_for_all(size_t n, const size_t *sizes, size_t size)
{
    uint64_t sum = 0;
    if (!sizes)
        return tag_units_for(size) > TAG_UNITS / n ? TAG_UNITS : n * tag_units_for(size);
    while (n-- && sum < TAG_UNITS)
        sum += tag_units_for(sizes[n]);
    return sum;
}

/* Have dv hold n units, if there is a block that does. */
static void tag_prepare(const acre_region *r, uint64_t n)
{
    const tag_heap *h = tag_of(r);
    uint32_t u = n < TAG_UNITS && h->dv.units < n ? tag_large_best(r, (uint32_t)n) : 0;
    if (!u)
        return;
    tag_begin(r, u);
    tag_favour(r, u);
    acre_commit(r);
}

/* Cut them off one piece, in a row, without asking the index; top if there is no such piece. */
static size_t tag_alloc_many(acre_region *r, size_t n, const size_t *sizes, size_t size, void **out)
{
    tag_heap *h = tag_of(r);
    size_t i = 0;
    tag_prepare(r, tag_units_for_all(n, sizes, size));
    for (; i < n; i++) {
        uint64_t units = tag_units_for(sizes ? sizes[i] : size);
        if (units > h->dv.units && units > h->top.units)
            break;
        uint32_t u =
            units <= h->dv.units ? tag_cut_dv(r, (uint32_t)units) : tag_cut_top(r, (uint32_t)units);
        out[i] = tag_payload(r, u);
        acre_commit(r);
    }
    return i;
}

#endif
