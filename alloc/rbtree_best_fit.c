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
#include "alloc/rb_check.h"
#include "alloc/rb_heap.h"
#include "alloc/rb_inner.h"

#include <string.h>

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
    uint32_t u =
        whole ? rb_take_whole(r, dv.unit, dv.units) : rb_take_front(r, dv.unit, dv.units, n);
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

static __attribute__((noinline)) void rb_place_top(const acre_region *r, uint32_t u, uint32_t units,
                                                   bool dv)
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
    uint32_t next = tree_at(r, behind)->head;
    if (next == TREE_USED) { /* the end header has no units */
        rb_place_top(r, u, units, dv);
        return;
    }
    if (!(next & TREE_USED)) {
        if (behind == h->top.unit) {
            rb_place_top(r, u, units + next, dv);
            return;
        }
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

static void rb_init(acre_region *r, size_t size, const acre_heap_options *o)
{
    (void)o;
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
_Static_assert(RB_REST *TREE_UNIT >= 4 * 8, "a rest has room for what is noted of it");

/* Bytes from u's payload to the next address that is a multiple of align from origin. */
static uintptr_t rb_skip(const acre_region *r, uint32_t u, size_t align, const char *origin)
{
    return (uintptr_t)(origin - (char *)rb_payload(r, u)) & (align - 1);
}

/* Of the used block u keep n aligned units, give back what is in front and behind. */
static void *rb_trim(acre_region *r, uint32_t u, uint64_t n, size_t align, const char *origin)
{
    uint32_t front = (uint32_t)(rb_skip(r, u, align, origin) / TREE_UNIT);
    if (front)
        u = rb_drop_front(r, u, front);
    rb_drop_back(r, u, (uint32_t)n);
    return rb_payload(r, u);
}

/* Take a block with room for any shift. */
static __attribute__((noinline)) void *rb_alloc_aligned(acre_region *r, size_t size, size_t align)
{
    uint64_t n = rb_units_for(size), step = align / TREE_UNIT;
    uint32_t u = rb_take(r, n + step - 1);
    return u ? rb_trim(r, u, n, align, NULL) : NULL;
}

_Static_assert((int)RB_START == (RB_FIRST + 1) * TREE_UNIT && (int)RB_UNIT == TREE_UNIT &&
                   (int)RB_HEADER == TREE_HEADER && (int)RB_CRUMB == (RB_REST - 1) * TREE_UNIT,
               "what rb_inner.h says");

/* Take all of the tree's smallest block of at least n units, if that has room for `aligned` ones that
 * are: nothing is cut that would be merged again. */
static uint32_t rb_take_for(const acre_region *r, uint32_t n, uint32_t aligned, size_t align)
{
    uint32_t u = tree_best(r, rb_of(r)->root, n);
    if (!u || tree_units(r, u) < aligned + rb_skip(r, u, align, r->base) / TREE_UNIT)
        return 0;
    rb_begin(r, u);
    tree_erase(r, &rb_of(r)->root, u);
    return rb_take_whole(r, u, tree_units(r, u));
}

/* The same from dv or top: exactly what is needed. */
static uint32_t rb_take_spare_for(const acre_region *r, uint32_t n, size_t align)
{
    rb_spare dv = rb_of(r)->dv, top = rb_of(r)->top;
    uint32_t from_dv = n + (uint32_t)(rb_skip(r, dv.unit, align, r->base) / TREE_UNIT);
    if (dv.units >= from_dv)
        return rb_cut_dv(r, from_dv);
    return rb_cut_top(r, n + (uint32_t)(rb_skip(r, top.unit, align, r->base) / TREE_UNIT));
}

void *acre__rb_alloc_at(acre_region *r, size_t size, size_t align)
{
    uint32_t n = (uint32_t)rb_units_for(size), room = n + (uint32_t)(align / TREE_UNIT) - 1;
    uint32_t u = rb_take_for(r, n, n, align);
    u = u ? u : rb_take_for(r, room, n, align);
    u = u ? u : rb_take_spare_for(r, n, align);
    return u ? rb_trim(r, u, n, align, r->base) : NULL;
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

/* ---- many blocks ---- */

/* Make a free block dv, in the course of a step that has noted something. */
static void rb_favour(const acre_region *r, uint32_t u)
{
    const rb_heap *h = rb_of(r);
    uint32_t units = tree_at(r, u)->head;
    if (u == h->dv.unit || u == h->top.unit)
        return;
    rb_detach(r, u, units);
    rb_new_dv(r, u, units);
}

/* A run of neighbours: what the first one became is dv, outside the index, and each next one only
 * makes it longer. */
static size_t rb_free_many(acre_region *r, size_t n, void *const *blocks)
{
    for (size_t i = 0; i < n; i++) {
        rb_live b = rb_live_at(r, blocks[i]);
        if (!b.units)
            return i;
        uint32_t start = b.unit - tree_at(r, b.unit)->prev;
        rb_release_cold(r, b.unit, b.units);
        if (i + 1 < n && blocks[i + 1] == rb_payload(r, b.unit + b.units))
            rb_favour(r, start);
        acre_commit(r);
    }
    return n;
}

static uint64_t rb_units_for_all(size_t n, const size_t *sizes, size_t size)
{
    uint64_t sum = 0;
    if (!sizes)
        return rb_units_for(size) > TREE_UNITS / n ? TREE_UNITS : n * rb_units_for(size);
    while (n-- && sum < TREE_UNITS)
        sum += rb_units_for(sizes[n]);
    return sum;
}

/* Have dv hold n units, if there is a block that does. */
static void rb_prepare(const acre_region *r, uint64_t n)
{
    const rb_heap *h = rb_of(r);
    uint32_t u = n < TREE_UNITS && h->dv.units < n ? tree_best(r, h->root, (uint32_t)n) : 0;
    if (!u)
        return;
    rb_begin(r, u);
    rb_favour(r, u);
    acre_commit(r);
}

/* Cut them off one piece, in a row, without asking the index; top if there is no such piece. */
static size_t rb_alloc_many(acre_region *r, size_t n, const size_t *sizes, size_t size, void **out)
{
    rb_heap *h = rb_of(r);
    size_t i = 0;
    rb_prepare(r, rb_units_for_all(n, sizes, size));
    for (; i < n; i++) {
        uint64_t units = rb_units_for(sizes ? sizes[i] : size);
        if (units > h->dv.units && units > h->top.units)
            break;
        uint32_t u = units <= h->dv.units ? rb_cut_dv(r, (uint32_t)units)
                                          : rb_cut_top(r, (uint32_t)units);
        out[i] = rb_payload(r, u);
        acre_commit(r);
    }
    return i;
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

/* Words noted in one call, at most: growing backwards and forwards swallows two blocks (3), drops
 * one in front (4) and one behind (8). */
enum { RB_JOURNAL = 16 };

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
    .growth = ACRE_GROWTH_LOG,
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
    .alloc_many = rb_alloc_many,
    .free_many = rb_free_many,
    .recover = rb_recover,
};
