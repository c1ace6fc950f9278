/* SPDX-License-Identifier: MIT */
/* rbtree_best_fit.c: best fit by size, free blocks coalesced at once.
 *
 * After Boost.Interprocess's rbtree_best_fit (I. Gaztañaga) in what it does, and after dlmalloc
 * (D. Lea, A Memory Allocator, 2000) in how: sizes below 64 units have a list each («bin») and a
 * bit that says whether it is empty; larger ones are in a red-black tree with one node a size
 * (size_tree.h).  The block at the end of the heap («top») stands outside the index and is cut
 * last; the rest of the last split («dv», designated victim) stands outside it too, so that runs
 * of small requests cut one block without touching the index.
 *
 * Costs: O(1) for requests below 1 KiB whose size or a larger bin is at hand, else O(log n) in the
 * number of different free sizes.  Overhead: 8 bytes a block; smallest block 16 bytes (8 usable).
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
 *   payload of a free block: next, back, child[2], up (size_tree.h)
 *
 * One unit is 16 bytes; block u's payload starts at unit u + 1.  31 bits of units reach 32 GiB.
 *
 * R1  blocks tile the units from first to end; each has at least 1; at end stands a used header
 * R2  no two free blocks are neighbours
 * R3  a block's prev is the units of the block before if that is free and not top, else 0
 * R4  the last block is free exactly if it is top
 * R5  every free block but top and dv is in exactly one place: its size's bin, or the tree
 * R6  a bin's bit is set exactly if the bin is not empty; its list goes round both ways
 * R7  free_units is the sum over free blocks
 * T1…T5 of the tree
 *
 * Killed in the middle.  The truth is the heads, which tile the region, and end: they are noted.
 * Everything else (prev, bins, tree, dv, top, free_units) is derived from them, and recover() builds
 * it anew.  Of the heads not noted: that of a rest, which lies inside a block that was free before.
 */
#include "alloc/size_tree.h"

#include <string.h>

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

/* ---- cutting ---- */

/* Hand out all of a block that is out of the index. */
ACRE_INLINE uint32_t rb_take_whole(const acre_region *r, uint32_t u, uint32_t units)
{
    rb_set_head(r, u, units | TREE_USED);
    rb_tag(r, u + units, 0);
    rb_of(r)->free_units -= units;
    return u;
}

/* Hand out the first n units of a block that is out of the index; at least RB_REST remain, and
 * are a free block in no index yet. */
ACRE_INLINE uint32_t rb_take_front(const acre_region *r, uint32_t u, uint32_t units, uint32_t n)
{
    rb_set_head(r, u, n | TREE_USED);
    rb_tag(r, u + n, 0);
    tree_at(r, u + n)->head = units - n;
    rb_tag(r, u + units, units - n);
    rb_of(r)->free_units -= n;
    return u;
}

/* The rest of a split becomes dv; the old dv goes into the index. */
ACRE_INLINE void rb_new_dv(const acre_region *r, uint32_t u, uint32_t units)
{
    rb_heap *h = rb_of(r);
    rb_spare old = h->dv;
    rb_set_spare(&h->dv, u, units);
    if (old.units)
        rb_insert(r, old.unit, old.units);
}

static uint32_t rb_cut_dv(const acre_region *r, uint32_t n)
{
    rb_heap *h = rb_of(r);
    rb_spare dv = h->dv;
    bool whole = dv.units - n < RB_REST;
    uint32_t u = whole ? rb_take_whole(r, dv.unit, dv.units)
                       : rb_take_front(r, dv.unit, dv.units, n);
    rb_set_spare(&h->dv, whole ? 0 : dv.unit + n, whole ? 0 : dv.units - n);
    return u;
}

/* Cut a block that was just taken out of the index; small: its rest becomes dv. */
static uint32_t rb_cut(const acre_region *r, uint32_t u, uint32_t units, uint32_t n, bool small)
{
    if (units - n < RB_REST)
        return rb_take_whole(r, u, units);
    rb_take_front(r, u, units, n);
    if (small)
        rb_new_dv(r, u + n, units - n);
    else
        rb_insert(r, u + n, units - n);
    return u;
}

static inline void rb_raise_high(rb_heap *h, uint32_t unit)
{
    if (unit > h->high)
        h->high = unit;
}

/* top has no block behind it that would tell its size. */
static uint32_t rb_cut_top(const acre_region *r, uint32_t n)
{
    rb_heap *h = rb_of(r);
    rb_spare top = h->top;
    uint32_t rest = top.units - n;
    if (top.units < n)
        return 0;
    if (rest < RB_REST)
        n += rest, rest = 0;
    rb_set_head(r, top.unit, n | TREE_USED);
    if (rest) {
        rb_tag(r, top.unit + n, 0);
        tree_at(r, top.unit + n)->head = rest;
    }
    rb_set_spare(&h->top, rest ? top.unit + n : 0, rest);
    h->free_units -= n;
    rb_raise_high(h, top.unit + n);
    return top.unit;
}

/* ---- finding ---- */

static uint32_t rb_from_tree(const acre_region *r, uint32_t n, bool small)
{
    rb_heap *h = rb_of(r);
    uint32_t u = tree_best(r, h->root, n);
    if (!u)
        return 0;
    uint32_t units = tree_units(r, u);
    if (!small && h->dv.units >= n && h->dv.units <= units)
        return 0; /* dv fits better */
    rb_begin(r, u);
    tree_erase(r, &h->root, u);
    return rb_cut(r, u, units, n, small);
}

static __attribute__((noinline)) uint32_t rb_take_large(const acre_region *r, uint32_t n)
{
    uint32_t u = rb_from_tree(r, n, false);
    if (u)
        return u;
    return rb_of(r)->dv.units >= n ? rb_cut_dv(r, n) : rb_cut_top(r, n);
}

static uint32_t rb_from_bin(const acre_region *r, uint32_t units, uint32_t n)
{
    uint32_t u = tree_at(r, rb_bin_of(units))->next;
    rb_begin(r, u);
    rb_bin_erase(r, u, units);
    return rb_cut(r, u, units, n, true);
}

/* A bin of n units, or of n + 1, whose rest could not stand alone; then dv, the next larger bin,
 * the tree, top. */
static __attribute__((noinline)) uint32_t rb_take_small(const acre_region *r, uint32_t n)
{
    rb_heap *h = rb_of(r);
    uint64_t larger = h->bins_used >> n; /* bit 0: exactly n */
    if (!(larger & 3) && h->dv.units >= n)
        return rb_cut_dv(r, n);
    if (larger)
        return rb_from_bin(r, n + (uint32_t)__builtin_ctzll(larger), n);
    uint32_t u = h->root ? rb_from_tree(r, n, true) : 0;
    return u ? u : rb_cut_top(r, n);
}

static uint32_t rb_take(const acre_region *r, uint64_t n)
{
    if (n < RB_BINS)
        return rb_take_small(r, (uint32_t)n);
    return n < TREE_UNITS ? rb_take_large(r, (uint32_t)n) : 0;
}

static __attribute__((noinline)) void *rb_alloc_search(const acre_region *r, uint64_t n)
{
    uint32_t u = rb_take(r, n);
    return u ? rb_payload(r, u) : NULL;
}

/* The two ways that nearly all small requests go, a bin of exactly this size and the front of dv,
 * kept free of calls. */
ACRE_INLINE void *rb_alloc_units(const acre_region *r, uint64_t units)
{
    rb_heap *h = rb_of(r);
    if (units >= RB_BINS)
        return rb_alloc_search(r, units);
    uint32_t n = (uint32_t)units, u = tree_at(r, rb_bin_of(n))->next;
    if (u != rb_bin_of(n)) {
        rb_take_whole(r, u, n);
        rb_bin_erase(r, u, n);
        return rb_payload(r, u);
    }
    rb_spare dv = h->dv;
    if ((h->bins_used >> n & 2) || dv.units < n + RB_REST)
        return rb_alloc_search(r, units);
    rb_take_front(r, dv.unit, dv.units, n);
    rb_set_spare(&h->dv, dv.unit + n, dv.units - n);
    return rb_payload(r, dv.unit);
}

/* ---- giving back ---- */

static __attribute__((noinline)) void rb_place_top(const acre_region *r, uint32_t u,
                                                   uint32_t units, bool dv)
{
    rb_heap *h = rb_of(r);
    rb_set_head(r, u, units);
    if (dv)
        rb_set_spare(&h->dv, 0, 0);
    rb_set_spare(&h->top, u, units);
}

/* Make [u, u + units) a free block: its head is noted already if `noted`.  What is behind it is
 * used. */
ACRE_INLINE void rb_place(const acre_region *r, uint32_t u, uint32_t units, bool dv, bool noted)
{
    if (noted)
        tree_at(r, u)->head = units;
    else
        rb_set_head(r, u, units);
    rb_tag(r, u + units, units);
    if (dv)
        rb_set_spare(&rb_of(r)->dv, u, units);
    else
        rb_insert(r, u, units);
}

/* The free block behind a block of one unit: the tree fields of the two together would lie over
 * its head. */
static __attribute__((noinline)) void rb_begin_behind(const acre_region *r, uint32_t behind)
{
    rb_begin(r, behind);
}

/* Free the used block u. */
ACRE_INLINE void rb_release(const acre_region *r, uint32_t u, uint32_t units)
{
    rb_heap *h = rb_of(r);
    uint32_t before = tree_at(r, u)->prev, behind = u + units, freed = units;
    bool dv = false;
    rb_set_head(r, u, before ? 0 : units); /* 0: a second free of it is seen */
    if (before) {
        u -= before;
        units += before;
        dv = rb_detach(r, u, before);
    }
    h->free_units += freed;
    if (behind == h->end || behind == h->top.unit) {
        rb_place_top(r, u, units + (behind == h->end ? 0 : h->top.units), dv);
        return;
    }
    uint32_t next = tree_at(r, behind)->head;
    if (!(next & TREE_USED)) {
        if (units == 1)
            rb_begin_behind(r, behind);
        dv |= rb_detach(r, behind, next);
        units += next;
    }
    rb_place(r, u, units, dv, !before);
}

static __attribute__((noinline)) void rb_release_cold(const acre_region *r, uint32_t u,
                                                      uint32_t units)
{
    rb_release(r, u, units);
}

/* The block whose payload is at p, and its units; 0 units: there is none.  Turning the distance
 * moves its low bits, which are 0 for a block, to the top: one comparison finds what is in front of
 * the heap, behind it, or not aligned. */
typedef struct rb_live {
    uint32_t unit, units;
} rb_live;

ACRE_INLINE rb_live rb_live_at(const acre_region *r, const void *p)
{
    uint64_t distance = (uint64_t)((const char *)p - r->base), end = rb_of(r)->end;
    uint64_t u = (distance / TREE_UNIT | distance << 60) - 1;
    if (__builtin_expect(u - RB_FIRST >= end - RB_FIRST, 0))
        return (rb_live){0, 0};
    uint32_t units = tree_at(r, (uint32_t)u)->head - TREE_USED; /* too large if it is not used */
    if (__builtin_expect(units > end - u, 0))
        return (rb_live){0, 0};
    return (rb_live){(uint32_t)u, units};
}

/* ---- methods ---- */

static void rb_clear_index(const acre_region *r);

static void rb_init(acre_region *r, size_t size)
{
    rb_heap *h = rb_of(r);
    memset(h, 0, sizeof *h);
    rb_clear_index(r);
    h->first = h->high = RB_FIRST;
    h->end = (uint32_t)(size / TREE_UNIT - 1);
    h->free_units = h->end - h->first;
    h->top.unit = h->first;
    h->top.units = h->end - h->first;
    *tree_at(r, h->first) = (tree_block){.head = h->top.units};
    tree_at(r, h->end)->prev = 0;
    tree_at(r, h->end)->head = TREE_USED;
}

/* Free the first `front` units of the used block u and keep the rest. */
static uint32_t rb_drop_front(const acre_region *r, uint32_t u, uint32_t front)
{
    uint32_t units = tree_units(r, u), kept = u + front;
    rb_set_head(r, kept, (units - front) | TREE_USED);
    rb_tag(r, kept, 0);
    rb_set_head(r, u, front | TREE_USED);
    rb_release_cold(r, u, front);
    return kept;
}

/* What a rest will overwrite in the payload that it is cut off from: its header and links. */
static void rb_note_payload(const acre_region *r, uint32_t u)
{
    uint64_t *word = (uint64_t *)tree_at(r, u);
    for (int i = 0; r->journal && i < 4; i++)
        acre_note(r, &word[i], word[i], 0);
}

/* Keep the first n units of the used block u, free the rest if it can stand alone. */
static void rb_drop_back(const acre_region *r, uint32_t u, uint32_t n)
{
    uint32_t rest = tree_units(r, u) - n;
    if (rest < RB_REST)
        return;
    rb_set_head(r, u, n | TREE_USED);
    rb_note_payload(r, u + n);
    rb_tag(r, u + n, 0);
    tree_at(r, u + n)->head = rest | TREE_USED;
    rb_release_cold(r, u + n, rest);
}
_Static_assert(RB_REST * TREE_UNIT >= 4 * 8, "a rest has room for what is noted of it");

/* Take a block with room for any shift, then give back what is in front and behind. */
static __attribute__((noinline)) void *rb_alloc_aligned(acre_region *r, size_t size, size_t align)
{
    uint64_t n = rb_units_for(size), step = align / TREE_UNIT;
    uint32_t u = rb_take(r, n + step - 1);
    if (!u)
        return NULL;
    uintptr_t p = (uintptr_t)rb_payload(r, u), skip = -p & (align - 1);
    uint32_t front = (uint32_t)(skip / TREE_UNIT);
    if (front)
        u = rb_drop_front(r, u, front);
    rb_drop_back(r, u, (uint32_t)n);
    return rb_payload(r, u);
}

ACRE_INLINE int rb_free_any(const acre_region *r, void *p)
{
    rb_live b = rb_live_at(r, p);
    if (__builtin_expect(!b.units, 0))
        return ACRE_EINVALID;
    rb_release(r, b.unit, b.units);
    return 0;
}

/* Compiled once with and once without a journal, so that it is asked for once a call and not once
 * a word: a region that is seen to have none here needs no further look. */
static void *rb_alloc(acre_region *r, size_t size, size_t align)
{
    if (__builtin_expect(align > ACRE_ALIGN_MIN, 0))
        return rb_alloc_aligned(r, size, align);
    if (r->journal)
        return rb_alloc_units(r, rb_units_for(size));
    return rb_alloc_units(&(acre_region){.base = r->base}, rb_units_for(size));
}

static int rb_free(acre_region *r, void *p)
{
    if (r->journal)
        return rb_free_any(r, p);
    return rb_free_any(&(acre_region){.base = r->base}, p);
}

static size_t rb_usable(const acre_region *r, const void *p)
{
    uint32_t units = rb_live_at(r, p).units;
    return units ? rb_bytes(units) : 0;
}

/* ---- resizing in place ---- */

static uint32_t rb_free_behind(const acre_region *r, uint32_t behind)
{
    const rb_heap *h = rb_of(r);
    uint32_t head = behind == h->end ? TREE_USED : tree_at(r, behind)->head;
    return head & TREE_USED ? 0 : head;
}

/* Make the free block behind u part of it. */
static void rb_swallow(const acre_region *r, uint32_t u, uint32_t units, uint32_t more)
{
    rb_heap *h = rb_of(r);
    uint32_t behind = u + units;
    rb_set_head(r, u, (units + more) | TREE_USED);
    h->free_units -= more;
    if (behind == h->top.unit) {
        rb_set_spare(&h->top, 0, 0);
        return;
    }
    if (rb_detach(r, behind, more))
        rb_set_spare(&h->dv, 0, 0);
    rb_tag(r, behind + more, 0);
}

/* Of a block that has swallowed its neighbours, keep the first n units. */
static void rb_keep(const acre_region *r, uint32_t u, uint64_t n)
{
    if (n < tree_units(r, u))
        rb_drop_back(r, u, (uint32_t)n);
    rb_raise_high(rb_of(r), u + tree_units(r, u));
}

static void *rb_forwards(acre_region *r, uint32_t u, uint32_t units, acre_resize_command *c)
{
    uint32_t more = rb_free_behind(r, u + units);
    uint64_t want = rb_units_for(c->preferred);
    c->received = rb_bytes(units + more);
    if (want > units && c->received < c->limit)
        return NULL;
    if (want > units && more) {
        rb_swallow(r, u, units, more);
        rb_keep(r, u, want);
    }
    c->received = rb_bytes(tree_units(r, u));
    return rb_payload(r, u);
}

static uint64_t rb_gcd(uint64_t a, uint64_t b)
{
    while (b) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* The distance by which a start may move: a multiple of both. */
static uint64_t rb_step(const acre_resize_command *c)
{
    uint64_t align = c->align > ACRE_ALIGN_MIN ? c->align : ACRE_ALIGN_MIN;
    uint64_t multiple = c->multiple ? c->multiple : 1;
    if (multiple > ACRE_SIZE_MAX || align > ACRE_SIZE_MAX)
        return ACRE_SIZE_MAX;
    return multiple / rb_gcd(multiple, align) * align;
}

/* How many bytes the start goes back so that `missing` more are owned: as few as do, or as many as
 * there are. */
static uint64_t rb_move(uint64_t missing, uint64_t room, uint64_t step)
{
    uint64_t most = room / step * step, move = (missing + step - 1) / step * step;
    return move < most ? move : most;
}

/* Make the free block in front part of u; the used block that results. */
static uint32_t rb_swallow_front(const acre_region *r, uint32_t u, uint32_t units, uint32_t before)
{
    rb_set_head(r, u, 0);
    rb_set_head(r, u - before, (units + before) | TREE_USED);
    if (rb_detach(r, u - before, before))
        rb_set_spare(&rb_of(r)->dv, 0, 0);
    rb_of(r)->free_units -= before;
    return u - before;
}

/* Take the free block in front, and the one behind too if that is allowed. */
static void *rb_backwards(acre_region *r, uint32_t u, uint32_t units, acre_resize_command *c)
{
    uint32_t before = tree_at(r, u)->prev;
    uint32_t more = c->flags & ACRE_FORWARDS ? rb_free_behind(r, u + units) : 0;
    size_t have = rb_bytes(units + more);
    uint64_t missing = c->preferred > have ? c->preferred - have : 0;
    uint64_t move = rb_move(missing, (uint64_t)before * TREE_UNIT, rb_step(c));
    c->received = have + move;
    if (!before || c->received < c->limit)
        return NULL;
    if (more)
        rb_swallow(r, u, units, more);
    uint32_t moved = (uint32_t)(move / TREE_UNIT), front = before - moved;
    uint64_t want = rb_units_for(c->preferred), data = moved + units; /* their end stays */
    u = rb_swallow_front(r, u, units + more, before);
    if (front)
        u = rb_drop_front(r, u, front);
    rb_keep(r, u, want > data ? want : data);
    c->received = rb_bytes(tree_units(r, u));
    return rb_payload(r, u);
}

static void *rb_shrink_block(acre_region *r, uint32_t u, uint32_t units, acre_resize_command *c)
{
    uint64_t n = rb_units_for(c->preferred);
    uint64_t left = n <= units && units - n < RB_REST ? units : n;
    c->received = rb_bytes((uint32_t)left);
    if (n > units || c->received > c->limit)
        return NULL;
    if (!(c->flags & ACRE_TRY_SHRINK))
        rb_drop_back(r, u, (uint32_t)n);
    return rb_payload(r, u);
}

static void *rb_resize(acre_region *r, void *p, acre_resize_command *c)
{
    rb_live b = rb_live_at(r, p);
    if (!b.units)
        return NULL;
    if (c->flags & (ACRE_SHRINK | ACRE_TRY_SHRINK))
        return rb_shrink_block(r, b.unit, b.units, c);
    if (c->flags & ACRE_BACKWARDS)
        return rb_backwards(r, b.unit, b.units, c);
    return rb_forwards(r, b.unit, b.units, c);
}

/* ---- growing and shrinking the heap ---- */

/* The old end header becomes a block over the new space, which is then freed. */
static int rb_grow(acre_region *r, size_t size)
{
    rb_heap *h = rb_of(r);
    uint32_t old = h->end, end = (uint32_t)(size / TREE_UNIT - 1);
    if (end - old < RB_LEAST)
        return 0;
    acre_set32(r, &h->end, end);
    tree_at(r, end)->prev = 0;
    tree_at(r, end)->head = TREE_USED;
    if (h->top.units) {
        rb_place_top(r, h->top.unit, h->top.units + (end - old), false);
        h->free_units += end - old;
    } else {
        rb_set_head(r, old, (end - old) | TREE_USED);
        rb_release_cold(r, old, end - old);
    }
    return 0;
}

/* Only top can go; of an empty heap one unit stays. */
static size_t rb_shrink(acre_region *r, size_t size)
{
    rb_heap *h = rb_of(r);
    rb_spare top = h->top;
    uint64_t least = top.units ? top.unit + (top.unit == h->first) : h->end;
    uint64_t wish = size / TREE_UNIT, end = wish > least ? wish - 1 : least;
    if (end < least)
        end = least;
    if (end >= h->end)
        return ((size_t)h->end + 1) * TREE_UNIT;
    uint32_t last = (uint32_t)end, rest = last - top.unit;
    rb_set_head(r, top.unit, rest ? rest : TREE_USED);
    h->free_units -= h->end - last;
    rb_tag(r, last, 0);
    tree_at(r, last)->head = TREE_USED;
    rb_set_spare(&h->top, rest ? top.unit : 0, rest);
    acre_set32(r, &h->end, last);
    return ((size_t)last + 1) * TREE_UNIT;
}

/* ---- looking ---- */

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

static void rb_clear_index(const acre_region *r)
{
    rb_heap *h = rb_of(r);
    for (uint32_t units = RB_LEAST; units < RB_BINS; units++)
        h->bin[units - RB_LEAST] = (rb_bin){.next = rb_bin_of(units), .back = rb_bin_of(units)};
    h->bins_used = h->free_units = h->root = 0;
    rb_set_spare(&h->dv, 0, 0);
    rb_set_spare(&h->top, 0, 0);
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

/* Words noted in one call, at most: growing backwards and forwards swallows two blocks (3), drops
 * one in front (4) and one behind (8). */
enum { RB_JOURNAL = 16 };

const acre_algorithm acre__rbtree_best_fit;
const acre_algorithm acre__rbtree_best_fit = {
    .name = "rbtree_best_fit",
    .summary = "best fit: exact bins and a red-black tree of sizes, coalescing at once",
    .flags = ACRE_ROBUST | ACRE_ANY_ADDRESS,
    .layout_version = 1,
    .reach = (uint64_t)TREE_UNITS * TREE_UNIT,
    .min_size = (RB_FIRST + RB_LEAST + 1) * TREE_UNIT,
    .journal_words = RB_JOURNAL,
    .free_clobbers = RB_LINKS,
    .link_bytes = RB_LINKS,
    .init = rb_init,
    .alloc = rb_alloc,
    .free = rb_free,
    .usable = rb_usable,
    .check = rb_check,
    .walk = rb_walk,
    .stats = rb_stats,
    .resize = rb_resize,
    .grow = rb_grow,
    .shrink = rb_shrink,
    .zero_free = rb_zero_free,
    .recover = rb_recover,
};
