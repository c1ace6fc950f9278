/* SPDX-License-Identifier: MIT */
/* rb_check.h: looking at an rbtree_best_fit heap: walk, check of R1…R7, and what a recovery derives
 * anew from the heads.  Reads nothing outside the region, whatever it holds. */
#ifndef ACRE_ALLOC_RB_CHECK_H
#define ACRE_ALLOC_RB_CHECK_H

#include "alloc/rb_heap.h"

#include <string.h>

static void rb_stats(const acre_region *r, acre_stats *s)
{
    const rb_heap *h = rb_of(r);
    s->size = ((uint64_t)h->end + 1) * TREE_UNIT;
    s->overhead = ((uint64_t)h->first + 1) * TREE_UNIT;
    s->free_bytes = h->free_units * TREE_UNIT;
    s->high_water = ((uint64_t)h->high + 1) * TREE_UNIT;
}

/* The heap's own fields are such that blocks can be walked without leaving the region. */
static bool rb_bounds(const acre_region *r)
{
    const rb_heap *h = rb_of(r);
    return r->size / TREE_UNIT > RB_FIRST + RB_LEAST && h->first == RB_FIRST &&
           h->end >= RB_FIRST + RB_LEAST && h->end <= r->size / TREE_UNIT - 1;
}

static bool rb_block_sane(const rb_heap *h, uint32_t u, uint32_t head)
{
    uint32_t units = head & TREE_UNITS;
    return units >= RB_LEAST && units <= h->end - u;
}

static int rb_walk(const acre_region *r, acre_visit *visit, void *arg)
{
    const rb_heap *h = rb_of(r);
    if (!rb_bounds(r))
        return ACRE_ECORRUPT;
    for (uint32_t u = h->first; u < h->end; u += tree_units(r, u)) {
        uint32_t head = tree_at(r, u)->head;
        if (!rb_block_sane(h, u, head))
            return ACRE_ECORRUPT;
        uint32_t units = head & TREE_UNITS;
        acre_block b = {((uint64_t)u + 1) * TREE_UNIT, rb_bytes(units),
                        (uint64_t)units * TREE_UNIT, head & TREE_USED};
        int e = visit(arg, &b);
        if (e)
            return e;
    }
    return 0;
}

/* What the walk over the blocks found out for the comparison with the index. */
typedef struct rb_found {
    uint64_t blocks, sum, free_units; /* blocks and sum: free ones that must be indexed */
    bool dv, top;
} rb_found;

static const char *rb_check_free(const acre_region *r, rb_found *f, uint32_t u, uint32_t units)
{
    const rb_heap *h = rb_of(r);
    bool is_dv = h->dv.units && u == h->dv.unit, is_top = h->top.units && u == h->top.unit;
    f->free_units += units;
    f->dv |= is_dv && units == h->dv.units;
    f->top |= is_top && units == h->top.units;
    if ((u + units == h->end) != is_top)
        return "R4";
    if (!is_dv && !is_top) {
        f->blocks++;
        f->sum += tree_mark(u);
    }
    return NULL;
}

static const char *rb_check_blocks(const acre_region *r, rb_found *f, uint32_t *at)
{
    const rb_heap *h = rb_of(r);
    uint32_t prev = 0;
    for (uint32_t u = h->first, units; u < h->end; u += units) {
        const tree_block *b = tree_at(r, u);
        bool used = b->head & TREE_USED;
        *at = u;
        units = b->head & TREE_UNITS;
        if (!rb_block_sane(h, u, b->head))
            return "R1";
        if (prev && !used)
            return "R2";
        if (b->prev != prev)
            return "R3";
        const char *e = used ? NULL : rb_check_free(r, f, u, units);
        if (e)
            return e;
        prev = used ? 0 : units;
    }
    *at = h->end;
    if (tree_at(r, h->end)->head != TREE_USED)
        return "R1";
    return tree_at(r, h->end)->prev != 0 ? "R3" : NULL;
}

static const char *rb_check_bin(const acre_region *r, tree_census *c, uint32_t units, uint32_t *at)
{
    const rb_heap *h = rb_of(r);
    uint32_t bin = rb_bin_of(units), back = bin, u = tree_at(r, bin)->next;
    bool bit = h->bins_used >> units & 1;
    *at = bin;
    if (bit != (u != bin))
        return "R6";
    for (; u != bin; back = u, u = tree_at(r, u)->next) {
        *at = u < h->end ? u : h->end;
        if (!tree_meet(r, c, u, units) || tree_at(r, u)->back != back)
            return "R6";
    }
    return tree_at(r, bin)->back != back ? "R6" : NULL;
}

static const char *rb_check_index(const acre_region *r, const rb_found *f, uint32_t *at)
{
    const rb_heap *h = rb_of(r);
    tree_census c = {h->first, h->end, f->blocks, 0};
    int blacks;
    if (h->bins_used & ((1 << RB_LEAST) - 1))
        return "R6";
    for (uint32_t units = RB_LEAST; units < RB_BINS; units++) {
        const char *e = rb_check_bin(r, &c, units, at);
        if (e)
            return e;
    }
    *at = h->root;
    const char *e = tree_check(r, &c, h->root, 0, RB_BINS - 1, TREE_USED, 0, &blacks);
    if (!e && (c.left != 0 || c.sum != f->sum))
        e = "R5";
    return e;
}

static const char *rb_check_all(const acre_region *r, uint32_t *at)
{
    const rb_heap *h = rb_of(r);
    rb_found f = {0};
    if (!rb_bounds(r))
        return "R1";
    const char *e = rb_check_blocks(r, &f, at);
    if (e)
        return e;
    *at = 0;
    if (f.dv != (h->dv.word != 0) || f.top != (h->top.word != 0))
        return "R5"; /* one that is not there is all zero */
    if (f.free_units != h->free_units)
        return "R7";
    return rb_check_index(r, &f, at);
}

static int rb_check(const acre_region *r, acre_damage *d)
{
    uint32_t at = 0;
    const char *rule = rb_check_all(r, &at);
    if (!rule)
        return 0;
    *d = (acre_damage){(uint64_t)at * TREE_UNIT + TREE_HEADER, rule};
    return ACRE_ECORRUPT;
}

static void rb_recover_free(const acre_region *r, uint32_t u, uint32_t units)
{
    rb_heap *h = rb_of(r);
    h->free_units += units;
    if (u + units == h->end)
        rb_set_spare(&h->top, u, units);
    else
        rb_insert(r, u, units);
}

/* The heads say everything: all else is derived from them, O(blocks).  Stops at a head that cannot
 * be one, which no kill leaves behind; check() will say so. */
static void rb_recover(acre_region *r)
{
    const rb_heap *h = rb_of(r);
    if (!rb_bounds(r))
        return;
    rb_clear_index(r);
    for (uint32_t u = h->first, prev = 0; u < h->end; u += tree_units(r, u)) {
        uint32_t head = tree_at(r, u)->head, is_used = head & TREE_USED;
        if (!rb_block_sane(h, u, head))
            return;
        rb_tag(r, u, prev);
        if (!is_used)
            rb_recover_free(r, u, head);
        prev = is_used || u + head == h->end ? 0 : head;
    }
    rb_tag(r, h->end, 0);
}

enum { RB_LINKS = 24 };
_Static_assert(sizeof(tree_block) - TREE_HEADER <= RB_LINKS, "links of a free block");

static int rb_zero_block(void *arg, const acre_block *b)
{
    const acre_region *r = arg;
    if (!b->used && b->size > RB_LINKS)
        memset(r->base + b->offset + RB_LINKS, 0, b->size - RB_LINKS);
    return 0;
}

static void rb_zero_free(acre_region *r)
{
    rb_walk(r, rb_zero_block, r);
}

#endif
