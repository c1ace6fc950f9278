/* SPDX-License-Identifier: MIT */
/* rb_heap.h: what lies in an rbtree_best_fit region, and the index of its free blocks.  The picture
 * and the invariants are rbtree_best_fit.c's. */
#ifndef ACRE_ALLOC_RB_HEAP_H
#define ACRE_ALLOC_RB_HEAP_H

#include "alloc/size_tree.h"

/* RB_LEAST: the smallest block.  RB_REST: the smallest rest that is cut off: crumbs of one unit only
 * come from requests of that size. */
enum { RB_LEAST = 1, RB_REST = 2, RB_BINS = 64 };

/* A free block kept outside the index: its unit and its size in one word, to change as one. */
typedef union rb_spare {
    struct {
        uint32_t unit, units; /* units 0: none */
    };
    uint64_t word;
} rb_spare;

/* A bin looks like a block to its list, which goes round through it: so taking a block out of its
 * list, wherever it stands, is two stores and no question. */
typedef struct rb_bin {
    uint32_t next, back; /* first and last block; the bin itself if there is none */
    uint32_t unused[2];
} rb_bin;

typedef struct rb_heap {
    uint64_t bins_used;  /* bit i: bin i is not empty */
    rb_spare dv, top;
    uint64_t free_units; /* in all free blocks; not noted in the journal */
    uint32_t first, end; /* units of the first block and of the end header */
    uint32_t root;       /* of the tree of sizes from RB_BINS up */
    uint32_t high;       /* highest unit ever in use; a statistic */
    uint64_t reserved[2];
    rb_bin bin[RB_BINS - RB_LEAST]; /* of RB_LEAST units, … */
} rb_heap;

enum { RB_FIRST = (sizeof(rb_heap) + TREE_UNIT - 1 - TREE_HEADER) / TREE_UNIT };
_Static_assert(sizeof(rb_heap) == 64 + 16 * (RB_BINS - RB_LEAST), "part of the segment format");

/* The unit at which the bin of `units` would be a block: its list fields are the bin's. */
enum { RB_BIN_UNIT = (offsetof(rb_heap, bin) / TREE_UNIT) - 1 - RB_LEAST };
_Static_assert(offsetof(rb_heap, bin) % TREE_UNIT == 0 && offsetof(tree_block, next) == TREE_HEADER,
               "a bin's first word is a block's next");

ACRE_INLINE uint32_t rb_bin_of(uint32_t units)
{
    return RB_BIN_UNIT + units;
}

static inline rb_heap *rb_of(const acre_region *r)
{
    return (rb_heap *)r->base;
}

static inline uint64_t rb_units_for(size_t size)
{
    return (size + TREE_HEADER + TREE_UNIT - 1) / TREE_UNIT;
}

static inline size_t rb_bytes(uint32_t units)
{
    return (size_t)units * TREE_UNIT - TREE_HEADER;
}

static inline void *rb_payload(const acre_region *r, uint32_t u)
{
    return r->base + ((uint64_t)u + 1) * TREE_UNIT;
}

/* The truth: noted. */
ACRE_INLINE void rb_set_head(const acre_region *r, uint32_t u, uint32_t head)
{
    acre_set32(r, &tree_at(r, u)->head, head);
}

/* Before the index is touched for u's sake: what is noted first says that something was begun. */
ACRE_INLINE void rb_begin(const acre_region *r, uint32_t u)
{
    rb_set_head(r, u, tree_at(r, u)->head);
}

ACRE_INLINE void rb_tag(const acre_region *r, uint32_t u, uint32_t prev)
{
    tree_at(r, u)->prev = prev;
}

ACRE_INLINE void rb_set_spare(rb_spare *s, uint32_t unit, uint32_t units)
{
    s->word = ((rb_spare){.unit = unit, .units = units}).word;
}

/* ---- the index: bins and tree, derived ---- */

/* Questions are dear here: which block merges with which cannot be guessed, so the bit is stored
 * whether it changes or not. */
ACRE_INLINE void rb_bin_insert(const acre_region *r, uint32_t u, uint32_t units)
{
    rb_heap *h = rb_of(r);
    tree_block *b = tree_at(r, u), *bin = tree_at(r, rb_bin_of(units));
    uint32_t first = bin->next;
    b->next = first;
    b->back = rb_bin_of(units);
    tree_at(r, first)->back = u;
    bin->next = u;
    h->bins_used |= (uint64_t)1 << units;
}

/* The bin is empty if the neighbours on both sides are the same: the bin itself. */
ACRE_INLINE void rb_bin_erase(const acre_region *r, uint32_t u, uint32_t units)
{
    uint32_t next = tree_at(r, u)->next, back = tree_at(r, u)->back;
    tree_at(r, back)->next = next;
    tree_at(r, next)->back = back;
    rb_of(r)->bins_used &= ~((uint64_t)(next == back) << units);
}

/* Put a free block that has its head into the index. */
ACRE_INLINE void rb_insert(const acre_region *r, uint32_t u, uint32_t units)
{
    if (units < RB_BINS)
        rb_bin_insert(r, u, units);
    else
        tree_insert(r, &rb_of(r)->root, u);
}

/* Take a free block that is not top out of wherever it is; true: it was dv. */
ACRE_INLINE bool rb_detach(const acre_region *r, uint32_t u, uint32_t units)
{
    rb_heap *h = rb_of(r);
    if (u == h->dv.unit)
        return true;
    if (units < RB_BINS)
        rb_bin_erase(r, u, units);
    else
        tree_erase(r, &h->root, u);
    return false;
}

static inline void rb_clear_index(const acre_region *r)
{
    rb_heap *h = rb_of(r);
    for (uint32_t units = RB_LEAST; units < RB_BINS; units++)
        h->bin[units - RB_LEAST] = (rb_bin){.next = rb_bin_of(units), .back = rb_bin_of(units)};
    h->bins_used = h->free_units = h->root = 0;
    rb_set_spare(&h->dv, 0, 0);
    rb_set_spare(&h->top, 0, 0);
}

#endif
