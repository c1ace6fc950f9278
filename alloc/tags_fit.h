/* SPDX-License-Identifier: MIT */
/* tags_fit.h: taking blocks with boundary tags from a heap and giving them back (tags.h).  Included
 * behind the header of an index. */
#ifndef ACRE_ALLOC_TAGS_FIT_H
#define ACRE_ALLOC_TAGS_FIT_H

#include "alloc/tags.h"

#include <string.h>

/* ---- the index: bins and large ones, derived ---- */

static inline void tag_clear_index(const acre_region *r)
{
    tag_heap *h = tag_of(r);
    for (uint32_t units = TAG_LEAST; units < TAG_BINS; units++)
        h->bin[units - TAG_LEAST] = (tag_bin){.next = tag_bin_of(units), .back = tag_bin_of(units)};
    h->bins_used = h->free_units = 0;
    tag_large_clear(r);
    tag_set_spare(&h->dv, 0, 0);
    tag_set_spare(&h->top, 0, 0);
}

/* Put a free block that has its head into the index. */
ACRE_INLINE void tag_insert(const acre_region *r, uint32_t u, uint32_t units)
{
    if (units < TAG_BINS)
        tag_bin_insert(r, u, units);
    else
        tag_large_insert(r, u, units);
}

/* Take a free block that is not top out of wherever it is; true: it was dv. */
ACRE_INLINE bool tag_detach(const acre_region *r, uint32_t u, uint32_t units)
{
    tag_heap *h = tag_of(r);
    if (u == h->dv.unit)
        return true;
    if (units < TAG_BINS)
        tag_bin_erase(r, u, units);
    else
        tag_large_erase(r, u, units);
    return false;
}

/* ---- cutting ---- */

/* Hand out all of a block that is out of the index. */
ACRE_INLINE uint32_t tag_take_whole(const acre_region *r, uint32_t u, uint32_t units)
{
    tag_set_head(r, u, units | TAG_USED);
    tag_set_prev(r, u + units, 0);
    tag_of(r)->free_units -= units;
    return u;
}

/* Hand out the first n units of a block that is out of the index; at least TAG_REST remain, and
 * are a free block in no index yet. */
ACRE_INLINE uint32_t tag_take_front(const acre_region *r, uint32_t u, uint32_t units, uint32_t n)
{
    tag_set_head(r, u, n | TAG_USED);
    tag_set_prev(r, u + n, 0);
    tag_at(r, u + n)->head = units - n;
    tag_set_prev(r, u + units, units - n);
    tag_of(r)->free_units -= n;
    return u;
}

/* The rest of a split becomes dv; the old dv goes into the index. */
ACRE_INLINE void tag_new_dv(const acre_region *r, uint32_t u, uint32_t units)
{
    tag_heap *h = tag_of(r);
    tag_spare old = h->dv;
    tag_set_spare(&h->dv, u, units);
    if (old.units && !ACRE_BUG_IS(42))
        tag_insert(r, old.unit, old.units);
}

static uint32_t tag_cut_dv(const acre_region *r, uint32_t n)
{
    tag_heap *h = tag_of(r);
    tag_spare dv = h->dv;
    bool whole = dv.units - n < TAG_REST;
    uint32_t u =
        whole ? tag_take_whole(r, dv.unit, dv.units) : tag_take_front(r, dv.unit, dv.units, n);
    tag_set_spare(&h->dv, whole ? 0 : dv.unit + n, whole ? 0 : dv.units - n);
    return u;
}

/* Cut a block that was just taken out of the index; small: its rest becomes dv. */
static uint32_t tag_cut(const acre_region *r, uint32_t u, uint32_t units, uint32_t n, bool small)
{
    if (units - n < TAG_REST)
        return tag_take_whole(r, u, units);
    tag_take_front(r, u, units, n);
    if (small)
        tag_new_dv(r, u + n, units - n);
    else
        tag_insert(r, u + n, units - n);
    return u;
}

static inline void tag_raise_high(tag_heap *h, uint32_t unit)
{
    if (unit > h->high)
        ACRE_PUT(h->high, unit);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

/* An end header is about to be written at `unit`. */
static inline void tag_stain(tag_heap *h, uint32_t unit)
{
    uint32_t last = h->edge > h->end ? h->edge : h->end;
    if (last > h->stain)
        ACRE_PUT(h->stain, last);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    ACRE_PUT(h->edge, unit);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

/* top has no block behind it that would tell its size. */
static uint32_t tag_cut_top(const acre_region *r, uint32_t n)
{
    tag_heap *h = tag_of(r);
    tag_spare top = h->top;
    uint32_t rest = top.units - n;
    if (top.units < n)
        return 0;
    if (rest < TAG_REST)
        n += rest, rest = 0;
    tag_raise_high(h, top.unit + n); /* before anything is written there */
    tag_set_head(r, top.unit, n | TAG_USED);
    if (rest) {
        tag_set_prev(r, top.unit + n, 0);
        tag_at(r, top.unit + n)->head = rest;
    }
    tag_set_spare(&h->top, rest ? top.unit + n : 0, rest);
    h->free_units -= n;
    return top.unit;
}

/* ---- finding ---- */

static uint32_t tag_from_tree(const acre_region *r, uint32_t n, bool small)
{
    tag_heap *h = tag_of(r);
    uint32_t u = tag_large_best(r, n);
    if (!u)
        return 0;
    uint32_t units = tag_units(r, u);
    if (!small && h->dv.units >= n && h->dv.units <= units)
        return 0; /* dv fits better */
    tag_begin(r, u);
    tag_large_erase(r, u, units);
    return tag_cut(r, u, units, n, small);
}

static __attribute__((noinline)) uint32_t tag_take_large(const acre_region *r, uint32_t n)
{
    uint32_t u = tag_from_tree(r, n, false);
    if (u)
        return u;
    return tag_of(r)->dv.units >= n ? tag_cut_dv(r, n) : tag_cut_top(r, n);
}

static uint32_t tag_from_bin(const acre_region *r, uint32_t units, uint32_t n)
{
    uint32_t u = tag_at(r, tag_bin_of(units))->next;
    tag_begin(r, u);
    tag_bin_erase(r, u, units);
    return tag_cut(r, u, units, n, true);
}

/* A bin of n units, or of n + 1, whose rest could not stand alone; then dv, the next larger bin,
 * the tree, top. */
static __attribute__((noinline)) uint32_t tag_take_small(const acre_region *r, uint32_t n)
{
    tag_heap *h = tag_of(r);
    uint64_t larger = h->bins_used >> n; /* bit 0: exactly n */
    if (!(larger & 3) && h->dv.units >= n)
        return tag_cut_dv(r, n);
    if (larger)
        return tag_from_bin(r, n + (uint32_t)__builtin_ctzll(larger), n);
    uint32_t u = h->large ? tag_from_tree(r, n, true) : 0;
    return u ? u : tag_cut_top(r, n);
}

static uint32_t tag_take(const acre_region *r, uint64_t n)
{
    if (n < TAG_BINS)
        return tag_take_small(r, (uint32_t)n);
    return n < TAG_UNITS ? tag_take_large(r, (uint32_t)n) : 0;
}

static __attribute__((noinline)) void *tag_alloc_search(const acre_region *r, uint64_t n)
{
    uint32_t u = tag_take(r, n);
    return u ? tag_payload(r, u) : NULL;
}

/* The two ways that nearly all small requests go, a bin of exactly this size and the front of dv,
 * kept free of calls. */
ACRE_INLINE void *tag_alloc_units(const acre_region *r, uint64_t units)
{
    tag_heap *h = tag_of(r);
    if (units >= TAG_BINS)
        return tag_alloc_search(r, units);
    uint32_t n = (uint32_t)units, u = tag_at(r, tag_bin_of(n))->next;
    if (u != tag_bin_of(n)) {
        tag_take_whole(r, u, n);
        tag_bin_erase(r, u, n);
        return tag_payload(r, u);
    }
    tag_spare dv = h->dv;
    if ((h->bins_used >> n & 2) || dv.units < n + TAG_REST)
        return tag_alloc_search(r, units);
    tag_take_front(r, dv.unit, dv.units, n);
    tag_set_spare(&h->dv, dv.unit + n, dv.units - n);
    return tag_payload(r, dv.unit);
}

/* ---- giving back ---- */

static __attribute__((noinline)) void tag_place_top(const acre_region *r, uint32_t u,
                                                    uint32_t units, bool dv)
{
    tag_heap *h = tag_of(r);
    tag_set_head(r, u, units);
    if (dv)
        tag_set_spare(&h->dv, 0, 0);
    tag_set_spare(&h->top, u, units);
}

/* Make [u, u + units) a free block: its head is noted already if `noted`.  What is behind it is
 * used. */
ACRE_INLINE void tag_place(const acre_region *r, uint32_t u, uint32_t units, bool dv, bool noted)
{
    if (noted)
        tag_at(r, u)->head = units;
    else
        tag_set_head(r, u, units);
    if (!ACRE_BUG_IS(41))
        tag_set_prev(r, u + units, units);
    if (dv)
        tag_set_spare(&tag_of(r)->dv, u, units);
    else
        tag_insert(r, u, units);
}

/* The free block behind a block of one unit: the links of the two together would lie over its head. */
static __attribute__((noinline, unused)) void tag_begin_behind(const acre_region *r,
                                                               uint32_t behind)
{
    tag_begin(r, behind);
}

/* Free the used block u. */
ACRE_INLINE void tag_release(const acre_region *r, uint32_t u, uint32_t units)
{
    tag_heap *h = tag_of(r);
    uint32_t before = tag_at(r, u)->prev, behind = u + units, freed = units;
    bool dv = false;
    if (!before || !ACRE_BUG_IS(43))
        tag_set_head(r, u, before ? 0 : units); /* 0: a second free of it is seen */
    if (before) {
        u -= before;
        units += before;
        dv = tag_detach(r, u, before);
    }
    h->free_units += freed;
    uint32_t next = tag_at(r, behind)->head;
    if (next == TAG_USED) { /* the end header has no units */
        tag_place_top(r, u, units, dv);
        return;
    }
    if (!(next & TAG_USED)) {
        if (behind == h->top.unit) {
            tag_place_top(r, u, units + next, dv);
            return;
        }
        if (TAG_LINKS > TAG_UNIT - TAG_HEADER && units == 1)
            tag_begin_behind(r, behind);
        dv |= tag_detach(r, behind, next);
        units += next;
    }
    tag_place(r, u, units, dv, !before);
}

static __attribute__((noinline)) void tag_release_cold(const acre_region *r, uint32_t u,
                                                       uint32_t units)
{
    tag_release(r, u, units);
}

/* The block whose payload is at p, and its units; 0 units: there is none.  Turning the distance
 * moves its low bits, which are 0 for a block, to the top: one comparison finds what is in front of
 * the heap, behind it, or not aligned. */
typedef struct tag_live {
    uint32_t unit, units;
} tag_live;

ACRE_INLINE tag_live tag_live_at(const acre_region *r, const void *p)
{
    uint64_t distance = (uint64_t)((const char *)p - r->base), end = tag_of(r)->end;
    uint64_t first = tag_first(r);
    uint64_t u = (distance / TAG_UNIT | distance << 60) - 1;
    if (__builtin_expect(u - first >= end - first, 0))
        return (tag_live){0, 0};
    uint32_t units = tag_at(r, (uint32_t)u)->head - TAG_USED; /* too large if it is not used */
    if (__builtin_expect(units > end - u, 0))
        return (tag_live){0, 0};
    return (tag_live){(uint32_t)u, units};
}

/* ---- methods ---- */

/* An empty heap; the index's constants are there. */
static void tag_lay_out(const acre_region *r, size_t size)
{
    tag_heap *h = tag_of(r);
    tag_clear_index(r);
    h->first = h->high = tag_first_due(r);
    h->end = (uint32_t)(size / TAG_UNIT - 1);
    h->free_units = h->end - h->first;
    tag_set_spare(&h->top, h->first, h->end - h->first);
    tag_set_prev(r, h->first, 0);
    tag_at(r, h->first)->head = h->top.units;
    tag_set_prev(r, h->end, 0);
    tag_at(r, h->end)->head = TAG_USED;
}

/* Free the first `front` units of the used block u and keep the rest. */
static uint32_t tag_drop_front(const acre_region *r, uint32_t u, uint32_t front)
{
    uint32_t units = tag_units(r, u), kept = u + front;
    tag_set_head(r, kept, (units - front) | TAG_USED);
    tag_set_prev(r, kept, 0);
    tag_set_head(r, u, front | TAG_USED);
    tag_release_cold(r, u, front);
    return kept;
}

/* What a rest will overwrite in the payload that it is cut off from: its header and links. */
static void tag_note_payload(const acre_region *r, uint32_t u)
{
    uint64_t *word = (uint64_t *)tag_at(r, u);
    for (int i = 0; r->journal && i < 1 + TAG_LINKS / 8; i++)
        acre_note(r, &word[i], word[i], 0);
}

/* Keep the first n units of the used block u, free the rest if it can stand alone. */
static void tag_drop_back(const acre_region *r, uint32_t u, uint32_t n)
{
    uint32_t rest = tag_units(r, u) - n;
    if (rest < TAG_REST)
        return;
    tag_set_head(r, u, n | TAG_USED);
    if (!ACRE_BUG_IS(44))
        tag_note_payload(r, u + n);
    tag_set_prev(r, u + n, 0);
    tag_at(r, u + n)->head = rest | TAG_USED;
    tag_release_cold(r, u + n, rest);
}
_Static_assert(TAG_REST *TAG_UNIT >= TAG_HEADER + TAG_LINKS,
               "a rest has room for what is noted of it");

/* Bytes from u's payload to the next address that is a multiple of align from origin. */
static uintptr_t tag_skip(const acre_region *r, uint32_t u, size_t align, const char *origin)
{
    return (uintptr_t)(origin - (char *)tag_payload(r, u)) & (align - 1);
}

/* Of the used block u keep n aligned units, give back what is in front and behind. */
static void *tag_trim(acre_region *r, uint32_t u, uint64_t n, size_t align, const char *origin)
{
    uint32_t front = (uint32_t)(tag_skip(r, u, align, origin) / TAG_UNIT);
    if (front)
        u = tag_drop_front(r, u, front);
    tag_drop_back(r, u, (uint32_t)n);
    return tag_payload(r, u);
}

/* Take a block with room for any shift. */
static __attribute__((noinline)) void *tag_alloc_aligned(acre_region *r, size_t size, size_t align)
{
    uint64_t n = tag_units_for(size), step = align / TAG_UNIT;
    uint32_t u = tag_take(r, n + step - 1);
    return u ? tag_trim(r, u, n, align, NULL) : NULL;
}

ACRE_INLINE int tag_free_any(const acre_region *r, void *p)
{
    tag_live b = tag_live_at(r, p);
    if (__builtin_expect(!b.units, 0))
        return ACRE_EINVALID;
    tag_release(r, b.unit, b.units);
    return 0;
}

/* Compiled once with and once without a journal, so that it is asked for once a call and not once
 * a word: a region that is seen to have none here needs no further look. */
static void *tag_alloc(acre_region *r, size_t size, size_t align)
{
    if (__builtin_expect(align > ACRE_ALIGN_MIN, 0))
        return tag_alloc_aligned(r, size, align);
    if (r->journal)
        return tag_alloc_units(r, tag_units_for(size));
    return tag_alloc_units(&(acre_region){.base = r->base}, tag_units_for(size));
}

static void *tag_take_plain(acre_region *r, size_t size)
{
    if (__builtin_expect((*r->zeroed != 0) | (size - 1 >= ACRE_SIZE_MAX), 0))
        return r->whole(r, size);
    return tag_alloc_units(&(acre_region){.base = r->base}, tag_units_for(size));
}

static int tag_give_plain(acre_region *r, void *p)
{
    return p ? tag_free_any(&(acre_region){.base = r->base}, p) : 0;
}

static int tag_free(acre_region *r, void *p)
{
    if (r->journal)
        return tag_free_any(r, p);
    return tag_free_any(&(acre_region){.base = r->base}, p);
}

static size_t tag_usable(const acre_region *r, const void *p)
{
    uint32_t units = tag_live_at(r, p).units;
    return units ? tag_bytes(units) : 0;
}

#endif
