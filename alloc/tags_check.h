/* SPDX-License-Identifier: MIT */
/* tags_check.h: looking at a heap of blocks with boundary tags: walk, check of R1…R7, and what a recovery
 * derives anew from the heads.  Reads nothing outside the region, whatever it holds. */
#ifndef ACRE_ALLOC_TAGS_CHECK_H
#define ACRE_ALLOC_TAGS_CHECK_H

#include "alloc/tags_fit.h"

static void tag_stats(const acre_region *r, acre_stats *s)
{
    const tag_heap *h = tag_of(r);
    s->size = ((uint64_t)h->end + 1) * TAG_UNIT;
    s->overhead = ((uint64_t)h->first + 1) * TAG_UNIT;
    s->free_bytes = h->free_units * TAG_UNIT;
    s->high_water = ((uint64_t)h->high + 1) * TAG_UNIT;
}

/* Only ever later than the truth: raised before what it tells of, and not rolled back. */
static uint64_t tag_untouched(const acre_region *r)
{
    const tag_heap *h = tag_of(r);
    return ((uint64_t)(h->high > h->stain ? h->high : h->stain) + 1) * TAG_UNIT;
}

/* The heap's own fields are such that blocks can be walked without leaving the region. */
static bool tag_bounds(const acre_region *r)
{
    const tag_heap *h = tag_of(r);
    uint64_t first = tag_first_due(r), end = r->size / TAG_UNIT;
    return first && end > first + TAG_LEAST && h->first == first && h->end >= first + TAG_LEAST &&
           h->end <= end - 1;
}

static bool tag_block_sane(const tag_heap *h, uint32_t u, uint32_t head)
{
    uint32_t units = head & TAG_UNITS;
    return units >= TAG_LEAST && units <= h->end - u;
}

static int tag_walk(const acre_region *r, acre_visit *visit, void *arg)
{
    const tag_heap *h = tag_of(r);
    if (!tag_bounds(r))
        return ACRE_ECORRUPT;
    for (uint32_t u = h->first; u < h->end; u += tag_units(r, u)) {
        uint32_t head = tag_at(r, u)->head;
        if (!tag_block_sane(h, u, head))
            return ACRE_ECORRUPT;
        uint32_t units = head & TAG_UNITS;
        acre_block b = {((uint64_t)u + 1) * TAG_UNIT, tag_bytes(units), (uint64_t)units * TAG_UNIT,
                        head & TAG_USED};
        int e = visit(arg, &b);
        if (e)
            return e;
    }
    return 0;
}

/* What the walk over the blocks found out for the comparison with the index. */
typedef struct tag_found {
    uint64_t blocks, sum, free_units; /* blocks and sum: free ones that must be indexed */
    bool dv, top;
} tag_found;

static const char *tag_check_free(const acre_region *r, tag_found *f, uint32_t u, uint32_t units)
{
    const tag_heap *h = tag_of(r);
    bool is_dv = h->dv.units && u == h->dv.unit, is_top = h->top.units && u == h->top.unit;
    f->free_units += units;
    f->dv |= is_dv && units == h->dv.units;
    f->top |= is_top && units == h->top.units;
    if ((u + units == h->end) != is_top)
        return "R4";
    if (!is_dv && !is_top) {
        f->blocks++;
        f->sum += tag_mark(u);
    }
    return NULL;
}

static const char *tag_check_blocks(const acre_region *r, tag_found *f, uint32_t *at)
{
    const tag_heap *h = tag_of(r);
    uint32_t prev = 0;
    for (uint32_t u = h->first, units; u < h->end; u += units) {
        const tag_block *b = tag_at(r, u);
        bool used = b->head & TAG_USED;
        *at = u;
        units = b->head & TAG_UNITS;
        if (!tag_block_sane(h, u, b->head))
            return "R1";
        if (prev && !used)
            return "R2";
        if (b->prev != prev)
            return "R3";
        const char *e = used ? NULL : tag_check_free(r, f, u, units);
        if (e)
            return e;
        prev = used ? 0 : units;
    }
    *at = h->end;
    if (tag_at(r, h->end)->head != TAG_USED)
        return "R1";
    return tag_at(r, h->end)->prev != 0 ? "R3" : NULL;
}

static const char *tag_check_bin(const acre_region *r, tag_census *c, uint32_t units, uint32_t *at)
{
    const tag_heap *h = tag_of(r);
    uint32_t bin = tag_bin_of(units), back = bin, u = tag_at(r, bin)->next;
    bool bit = h->bins_used >> units & 1;
    *at = bin;
    if (bit != (u != bin))
        return "R6";
    for (; u != bin; back = u, u = tag_at(r, u)->next) {
        *at = u < h->end ? u : h->end;
        if (!tag_meet(r, c, u, units) || tag_at(r, u)->back != back)
            return "R6";
    }
    return tag_at(r, bin)->back != back ? "R6" : NULL;
}

static const char *tag_check_index(const acre_region *r, const tag_found *f, uint32_t *at)
{
    const tag_heap *h = tag_of(r);
    tag_census c = {h->first, h->end, f->blocks, 0};
    if (h->bins_used & ((1 << TAG_LEAST) - 1))
        return "R6";
    for (uint32_t units = TAG_LEAST; units < TAG_BINS; units++) {
        const char *e = tag_check_bin(r, &c, units, at);
        if (e)
            return e;
    }
    const char *e = tag_large_check(r, &c, at);
    if (!e && (c.left != 0 || c.sum != f->sum))
        e = "R5";
    return e;
}

static const char *tag_check_all(const acre_region *r, uint32_t *at)
{
    const tag_heap *h = tag_of(r);
    tag_found f = {0};
    if (!tag_bounds(r))
        return "R1";
    const char *e = tag_check_blocks(r, &f, at);
    if (e)
        return e;
    *at = 0;
    if (f.dv != (h->dv.word != 0) || f.top != (h->top.word != 0))
        return "R5"; /* one that is not there is all zero */
    if (f.free_units != h->free_units)
        return "R7";
    return tag_check_index(r, &f, at);
}

static int tag_check(const acre_region *r, acre_damage *d)
{
    uint32_t at = 0;
    const char *rule = tag_check_all(r, &at);
    if (!rule)
        return 0;
    *d = (acre_damage){(uint64_t)at * TAG_UNIT + TAG_HEADER, rule};
    return ACRE_ECORRUPT;
}

static void tag_recover_free(const acre_region *r, uint32_t u, uint32_t units)
{
    tag_heap *h = tag_of(r);
    h->free_units += units;
    if (u + units == h->end)
        tag_set_spare(&h->top, u, units);
    else
        tag_insert(r, u, units);
}

/* The heads say everything: all else is derived from them, O(blocks).  Stops at a head that cannot
 * be one, which no kill leaves behind; check() will say so. */
static void tag_recover(acre_region *r)
{
    const tag_heap *h = tag_of(r);
    if (!tag_bounds(r))
        return;
    tag_clear_index(r);
    for (uint32_t u = h->first, prev = 0; u < h->end; u += tag_units(r, u)) {
        uint32_t head = tag_at(r, u)->head, is_used = head & TAG_USED;
        if (!tag_block_sane(h, u, head))
            return;
        tag_set_prev(r, u, ACRE_BUG_IS(46) ? 0 : prev);
        if (!is_used)
            tag_recover_free(r, u, head);
        prev = is_used || u + head == h->end ? 0 : head;
    }
    tag_set_prev(r, h->end, 0);
}

static int tag_zero_block(void *arg, const acre_block *b)
{
    const acre_region *r = arg;
    if (!b->used && b->size > TAG_LINKS)
        memset(r->base + b->offset + TAG_LINKS, 0, b->size - TAG_LINKS);
    return 0;
}

static void tag_zero_free(acre_region *r)
{
    tag_walk(r, tag_zero_block, r);
}

#endif
