/* SPDX-License-Identifier: MIT */
/* tags.h: blocks with boundary tags: what lies in the region of an algorithm that keeps its free blocks
 * in an index by size.  The method is Knuth's (The Art of Computer Programming 1, 2.5, exercise 18); the
 * ways are dlmalloc's (D. Lea, A Memory Allocator, 2000): sizes below 64 units have a list each («bin»)
 * and a bit that says whether it is empty.  The block at the end of the heap («top») stands outside the
 * index and is cut last; the rest of the last split («dv», designated victim) stands outside it too, so
 * that runs of small requests cut one block without touching the index.  How free blocks from 64 units
 * up («large») are found is the algorithm's own:
 *
 *              tags.h      layout, bins              rb_index.h     a red-black tree of sizes
 *                 ▲                                  tlsf_index.h   two levels of lists
 *   tags_fit.h ───┤  take, give back, cut                  │  the functions tag_large_… and tag_first…
 *   tags_resize.h │  in place; the heap as a whole         ▼
 *   tags_many.h   │  many blocks            rbtree_best_fit.c, tlsf.c: include an index and these
 *   tags_check.h ─┘  walk, check, recover
 *
 *   base                                                                    size
 *   +------+--------+---------+--------+---------+--------+-------+-----+---+
 *   | heap | header | payload | header | payload | header | top   ...   |end|
 *   +------+--------+---------+--------+---------+--------+-------+-----+---+
 *
 *   header (8 bytes, in front of a 16-aligned payload):
 *   +---------------------------------+----------------------------------+
 *   | prev: units of the block before | head: units of this block | used |
 *   |       if that is free, else 0   |                                  |
 *   +---------------------------------+----------------------------------+
 *   payload of a free block: next, back; what the index of large ones needs more
 *
 * One unit is 16 bytes; block u's payload starts at unit u + 1.  31 bits of units reach 32 GiB.
 * Overhead: 8 bytes a block; smallest block 16 bytes (8 usable).
 *
 * R1  blocks tile the units from first to end; each has at least 1; at end stands a used header
 * R2  no two free blocks are neighbours
 * R3  a block's prev is the units of the block before if that is free and not top, else 0
 * R4  the last block is free exactly if it is top
 * R5  every free block but top and dv is in exactly one place: its size's bin, or the index of large ones
 * R6  a bin's bit is set exactly if the bin is not empty; its list goes round both ways
 * R7  free_units is the sum over free blocks
 *
 * Killed in the middle.  The truth is the heads, which tile the region, and end: they are noted.
 * Everything else (prev, bins, large ones, dv, top, free_units) is derived from them, and recover()
 * builds it anew.  Of the heads not noted: that of a rest, which lies inside a block that was free
 * before.
 */
#ifndef ACRE_ALLOC_TAGS_H
#define ACRE_ALLOC_TAGS_H

#include <acre/algorithm.h>

#include "sync/bug.h"

/* A free block as the index sees it.  A block's header stands in front of its payload. */
typedef struct tag_block {
    uint32_t prev;         /* units of the block in front if that is free and not top, else 0 */
    uint32_t head;         /* units of this block; TAG_USED */
    uint32_t next, back;   /* payload from here: its list */
    uint32_t child[2], up; /* size_tree.h's */
} tag_block;

enum { TAG_UNIT = 16, TAG_HEADER = 8 };
#define TAG_USED 0x80000000u
#define TAG_UNITS 0x7fffffffu
_Static_assert(sizeof(tag_block) == 28 && offsetof(tag_block, next) == TAG_HEADER, "layout");

/* Unit u's block: its header ends where unit u + 1, its payload, begins. */
static inline tag_block *tag_at(const acre_region *r, uint32_t u)
{
    return (tag_block *)(r->base + (uint64_t)u * TAG_UNIT + TAG_HEADER);
}

static inline uint32_t tag_units(const acre_region *r, uint32_t u)
{
    return tag_at(r, u)->head & TAG_UNITS;
}

/* TAG_LEAST: the smallest block.  TAG_REST: the smallest rest that is cut off: crumbs of one unit only
 * come from requests of that size. */
enum { TAG_LEAST = 1, TAG_REST = 2, TAG_BINS = 64 };

/* A free block kept outside the index: its unit and its size in one word, to change as one. */
typedef union tag_spare {
    struct {
        uint32_t unit, units; /* units 0: none */
    };
    uint64_t word;
} tag_spare;

/* A bin looks like a block to its list, which goes round through it: so taking a block out of its
 * list, wherever it stands, is two stores and no question. */
typedef struct tag_bin {
    uint32_t next, back; /* first and last block; the bin itself if there is none */
    uint32_t unused[2];
} tag_bin;

typedef struct tag_heap {
    uint64_t bins_used; /* bit i: bin i is not empty */
    tag_spare dv, top;
    uint64_t free_units; /* in all free blocks; not noted in the journal */
    uint32_t first, end; /* units of the first block and of the end header */
    uint32_t large;      /* the index of sizes from TAG_BINS up; 0 if there is none */
    uint32_t high;       /* highest unit ever in use; a statistic */
    uint32_t stain; /* nothing was ever written behind it and `high`, but the headers of … */
    uint32_t edge;  /* … this unit, the end of now or of a growth that was rolled back, and of `end` */
    uint64_t reserved;
    tag_bin bin[TAG_BINS - TAG_LEAST]; /* of TAG_LEAST units, … */
} tag_heap;

_Static_assert(sizeof(tag_heap) == 64 + 16 * (TAG_BINS - TAG_LEAST), "part of the segment format");

/* The unit at which the bin of `units` would be a block: its list fields are the bin's. */
enum { TAG_BIN_UNIT = (offsetof(tag_heap, bin) / TAG_UNIT) - 1 - TAG_LEAST };
_Static_assert(offsetof(tag_heap, bin) % TAG_UNIT == 0 && offsetof(tag_block, next) == TAG_HEADER,
               "a bin's first word is a block's next");

ACRE_INLINE uint32_t tag_bin_of(uint32_t units)
{
    return TAG_BIN_UNIT + units;
}

/* The first block behind `bytes` of tables. */
#define TAG_FIRST_BEHIND(bytes) (((uint32_t)(bytes) + TAG_UNIT - 1 - TAG_HEADER) / TAG_UNIT)

static inline tag_heap *tag_of(const acre_region *r)
{
    return (tag_heap *)r->base;
}

static inline uint64_t tag_units_for(size_t size)
{
    return (size + TAG_HEADER + TAG_UNIT - 1) / TAG_UNIT;
}

static inline size_t tag_bytes(uint32_t units)
{
    return (size_t)units * TAG_UNIT - TAG_HEADER;
}

static inline void *tag_payload(const acre_region *r, uint32_t u)
{
    return r->base + ((uint64_t)u + 1) * TAG_UNIT;
}

/* The truth: noted. */
ACRE_INLINE void tag_set_head(const acre_region *r, uint32_t u, uint32_t head)
{
    if (ACRE_BUG_IS(40))
        tag_at(r, u)->head = head;
    acre_set32(r, &tag_at(r, u)->head, head);
}

/* Before the index is touched for u's sake: what is noted first says that something was begun. */
ACRE_INLINE void tag_begin(const acre_region *r, uint32_t u)
{
    tag_set_head(r, u, tag_at(r, u)->head);
}

ACRE_INLINE void tag_set_prev(const acre_region *r, uint32_t u, uint32_t prev)
{
    tag_at(r, u)->prev = prev;
}

ACRE_INLINE void tag_set_spare(tag_spare *s, uint32_t unit, uint32_t units)
{
    s->word = ((tag_spare){.unit = unit, .units = units}).word;
}

/* ---- bins, derived ---- */

/* Questions are dear here: which block merges with which cannot be guessed, so the bit is stored
 * whether it changes or not. */
ACRE_INLINE void tag_bin_insert(const acre_region *r, uint32_t u, uint32_t units)
{
    tag_heap *h = tag_of(r);
    tag_block *b = tag_at(r, u), *bin = tag_at(r, tag_bin_of(units));
    uint32_t first = bin->next;
    b->next = first;
    b->back = tag_bin_of(units);
    tag_at(r, first)->back = u;
    bin->next = u;
    h->bins_used |= (uint64_t)1 << units;
}

/* The bin is empty if the neighbours on both sides are the same: the bin itself. */
ACRE_INLINE void tag_bin_erase(const acre_region *r, uint32_t u, uint32_t units)
{
    uint32_t next = tag_at(r, u)->next, back = tag_at(r, u)->back;
    tag_at(r, back)->next = next;
    tag_at(r, next)->back = back;
    tag_of(r)->bins_used &= ~((uint64_t)(next == back) << units);
}

/* All of an algorithm's table but init(), which lays out the index's own part. */
#define TAG_METHODS                                                                                \
    .alloc = tag_alloc, .free = tag_free, .take = tag_take_plain, .give = tag_give_plain,          \
    .usable = tag_usable, .check = tag_check, .walk = tag_walk, .stats = tag_stats,                \
    .untouched = tag_untouched,                                                                    \
    .resize = tag_resize, .grow = tag_grow, .shrink = tag_shrink, .zero_free = tag_zero_free,      \
    .alloc_many = tag_alloc_many, .free_many = tag_free_many, .recover = tag_recover

/* ---- checking ---- */

/* Everything reached is looked at before it is followed; `left` bounds the steps. */
typedef struct tag_census {
    uint32_t first, end; /* blocks lie in [first, end) */
    uint64_t left;       /* blocks that may still be met */
    uint64_t sum;        /* of tag_mark() over the blocks met */
} tag_census;

/* A sum of these over two sets is equal only if the sets are (but for one chance in 2^64). */
static inline uint64_t tag_mark(uint32_t u)
{
    uint64_t x = (uint64_t)u * 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 32) * 0xd6e8feb86659fd93u;
    return x ^ x >> 32;
}

static inline bool tag_meet(const acre_region *r, tag_census *c, uint32_t u, uint32_t units)
{
    if (u < c->first || u > c->end - 2 || c->left == 0)
        return false;
    c->left--;
    c->sum += tag_mark(u);
    return tag_at(r, u)->head == units;
}

#endif
