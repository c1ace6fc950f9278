/* SPDX-License-Identifier: MIT */
/* rbtree_best_fit.c: best fit by size, free blocks coalesced at once.
 *
 * After Boost.Interprocess's rbtree_best_fit (I. Gaztañaga) in what it does, and after dlmalloc
 * (D. Lea, A Memory Allocator, 2000) in how.  Blocks, bins, top and dv are those of tags.h, with the
 * memory picture, the invariants R1…R7 and what a kill leaves; larger free blocks are in a red-black tree
 * with one node a size (size_tree.h, T1…T5).
 *
 * Costs: O(1) for requests below 1 KiB whose size or a larger bin is at hand, else O(log n) in the
 * number of different free sizes.  Overhead: 8 bytes a block; smallest block 16 bytes (8 usable).
 */
#include "alloc/rb_index.h"
#include "alloc/rb_inner.h"

#include "alloc/tags_check.h"
#include "alloc/tags_fit.h"
#include "alloc/tags_many.h"
#include "alloc/tags_resize.h"

static void rb_init(acre_region *r, size_t size, const acre_heap_options *o)
{
    (void)o;
    memset(tag_of(r), 0, sizeof(tag_heap));
    tag_lay_out(r, size);
}

_Static_assert((int)RB_START == (RB_FIRST + 1) * TAG_UNIT && (int)RB_UNIT == TAG_UNIT &&
                   (int)RB_HEADER == TAG_HEADER && (int)RB_CRUMB == (TAG_REST - 1) * TAG_UNIT,
               "what rb_inner.h says");

/* Take all of the tree's smallest block of at least n units, if that has room for `aligned` ones that
 * are: nothing is cut that would be merged again. */
static uint32_t rb_take_for(const acre_region *r, uint32_t n, uint32_t aligned, size_t align)
{
    uint32_t u = tag_large_best(r, n);
    if (!u || tag_units(r, u) < aligned + tag_skip(r, u, align, r->base) / TAG_UNIT)
        return 0;
    uint32_t units = tag_units(r, u);
    tag_begin(r, u);
    tag_large_erase(r, u, units);
    return tag_take_whole(r, u, units);
}

/* The same from dv or top: exactly what is needed. */
static uint32_t rb_take_spare_for(const acre_region *r, uint32_t n, size_t align)
{
    tag_spare dv = tag_of(r)->dv, top = tag_of(r)->top;
    uint32_t from_dv = n + (uint32_t)(tag_skip(r, dv.unit, align, r->base) / TAG_UNIT);
    if (dv.units >= from_dv)
        return tag_cut_dv(r, from_dv);
    return tag_cut_top(r, n + (uint32_t)(tag_skip(r, top.unit, align, r->base) / TAG_UNIT));
}

void *acre__rb_alloc_at(acre_region *r, size_t size, size_t align)
{
    uint32_t n = (uint32_t)tag_units_for(size), room = n + (uint32_t)(align / TAG_UNIT) - 1;
    uint32_t u = rb_take_for(r, n, n, align);
    u = u ? u : rb_take_for(r, room, n, align);
    u = u ? u : rb_take_spare_for(r, n, align);
    return u ? tag_trim(r, u, n, align, r->base) : NULL;
}

uint32_t acre__rb_live(const acre_region *r, const void *p)
{
    return tag_live_at(r, p).units;
}

void acre__rb_release(const acre_region *r, void *p, uint32_t units)
{
    uint32_t u = (uint32_t)((uint64_t)((char *)p - r->base) / TAG_UNIT) - 1;
    if (r->journal)
        tag_release_cold(r, u, units);
    else
        tag_release(&(acre_region){.base = r->base}, u, units);
}

int acre__rb_walk(const acre_region *r, acre_visit *visit, void *arg)
{
    return tag_walk(r, visit, arg);
}

uint64_t acre__rb_untouched(const acre_region *r)
{
    return tag_untouched(r);
}

uint64_t acre__rb_high_water(const acre_region *r)
{
    return ((uint64_t)tag_of(r)->high + 1) * TAG_UNIT;
}

_Static_assert(offsetof(tag_block, head) + sizeof(uint32_t) == TAG_HEADER,
               "where rb_usable() looks");

const acre_algorithm acre__rbtree_best_fit = {
    .name = "rbtree_best_fit",
    .summary = "best fit: exact bins and a red-black tree of sizes, coalescing at once",
    .flags = ACRE_ROBUST | ACRE_ANY_ADDRESS,
    .layout_version = 1,
    .reach = (uint64_t)TAG_UNITS * TAG_UNIT,
    .min_size = (RB_FIRST + TAG_LEAST + 1) * TAG_UNIT,
    .journal_words = TAG_JOURNAL,
    .free_clobbers = TAG_LINKS,
    .link_bytes = TAG_LINKS,
    .growth = ACRE_GROWTH_LOG,
    .init = rb_init,
    TAG_METHODS,
};
