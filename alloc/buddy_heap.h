/* SPDX-License-Identifier: MIT */
/* buddy_heap.h: what lies in the region of a buddy heap: units, zones and their maps, free lists. */
#ifndef ACRE_ALLOC_BUDDY_HEAP_H
#define ACRE_ALLOC_BUDDY_HEAP_H

#include "sync/bug.h"
#include <acre/algorithm.h>

#include <string.h>

/* BUD_PAGE: the grid of units starts at a multiple of this, so that blocks are aligned by address up
 * to it in every mapping of whole pages.  Ends are multiples of BUD_STEP units: 64 bytes. */
enum { BUD_UNIT = 16, BUD_ORDERS = 31, BUD_PAGE = 4096, BUD_STEP = 4 };
#define BUD_REACH 0x80000000u /* units */

/* A map byte: USED | order; USED | SMALL | units (below 32, no power of two); USED | RUN, the units
 * follow in six digits of six bits; FREE | order; else 0. */
enum { BUD_USED = 0x80, BUD_FREE = 0x40, BUD_SMALL = 0x20, BUD_RUN = 0x1f, BUD_DIGITS = 6 };

typedef struct bud_heap {
    uint64_t free_units;
    uint64_t units;  /* that blocks may take */
    uint32_t orders; /* bit k: list[k] is not empty */
    uint32_t end;    /* units are below it */
    uint32_t flat;   /* units of the first zone; constant, as all up to seal */
    uint32_t first;  /* the first zone's first unit behind its map */
    uint32_t skew;   /* bytes of the grid in front of base */
    uint32_t trim;   /* 1: what a request does not need of its block is given back at once */
    uint32_t seal;   /* of the constants: damage shows */
    uint32_t high;   /* units ever in use */
    uint32_t reserved;
    uint32_t list[BUD_ORDERS]; /* first free block, 0 = none */
} bud_heap;

enum { BUD_MAP = 192 }; /* bytes from base to the first zone's map */
_Static_assert(sizeof(bud_heap) == 176, "part of the segment format");

/* In the first bytes of a free block. */
typedef struct bud_links {
    uint32_t next, prev;
} bud_links;

ACRE_INLINE bud_heap *bud_of(const acre_region *r)
{
    return (bud_heap *)r->base;
}

ACRE_INLINE void *bud_address(const acre_region *r, uint32_t u)
{
    return r->base + ((int64_t)u * BUD_UNIT - bud_of(r)->skew);
}

ACRE_INLINE bud_links *bud_links_of(const acre_region *r, uint32_t u)
{
    return (bud_links *)bud_address(r, u);
}

/* ---- zones ----
 *
 * The first is the region as created; what growth adds is parted at the powers of two, so that zones grow with
 * the heap, and with them the largest block. */

static inline uint32_t bud_log(uint32_t units)
{
    return 31 - (uint32_t)__builtin_clz(units);
}

/* The zone that u lies in: its first unit, 0 for the first zone. */
static inline uint32_t bud_zone_of(const bud_heap *h, uint32_t u)
{
    if (u < h->flat)
        return 0;
    uint32_t start = (uint32_t)1 << bud_log(u);
    return start > h->flat ? start : h->flat;
}

static inline uint32_t bud_zone_end(const bud_heap *h, uint32_t zone)
{
    return zone ? (uint32_t)2 << bud_log(zone) : h->flat;
}

/* The first unit behind the zone's map. */
static inline uint32_t bud_zone_body(const bud_heap *h, uint32_t zone)
{
    if (!zone)
        return h->first;
    return zone + (bud_zone_end(h, zone) - zone + BUD_UNIT - 1) / BUD_UNIT;
}

/* Where the zone's units end now. */
static inline uint32_t bud_zone_limit(const bud_heap *h, uint32_t zone)
{
    uint32_t end = bud_zone_end(h, zone);
    return end < h->end ? end : h->end;
}

static inline uint8_t *bud_zone_map(const acre_region *r, uint32_t zone)
{
    return zone ? bud_address(r, zone) : (uint8_t *)r->base + BUD_MAP;
}

static __attribute__((noinline)) uint8_t *bud_map_grown(const acre_region *r, uint32_t u)
{
    uint32_t zone = bud_zone_of(bud_of(r), u);
    return bud_zone_map(r, zone) + (u - zone);
}

ACRE_INLINE uint8_t *bud_map(const acre_region *r, uint32_t u)
{
    if (__builtin_expect(u >= bud_of(r)->flat, 0))
        return bud_map_grown(r, u);
    return (uint8_t *)r->base + BUD_MAP + u;
}

/* ---- live blocks in the map ---- */

/* The map's word that a byte lies in is the truth that a roll back restores. */
ACRE_INLINE void bud_note(const acre_region *r, const uint8_t *m)
{
    uint64_t old;
    const void *word = (const void *)((uintptr_t)m & ~(uintptr_t)7);
    if (!r->journal)
        return;
    memcpy(&old, word, sizeof old);
    acre_note(r, word, old, 0);
}

static inline uint32_t bud_digits(const uint8_t *m)
{
    uint64_t units = 0;
    for (int i = BUD_DIGITS; i; i--)
        units = units << 6 | (m[i] & 0x3f);
    return units < BUD_REACH ? (uint32_t)units : 0;
}

/* The units of the live block whose map byte is at m; 0: there is none. */
ACRE_INLINE uint32_t bud_units(const uint8_t *m)
{
    uint32_t kind = *m;
    if (kind - BUD_USED < BUD_RUN)
        return (uint32_t)1 << (kind - BUD_USED);
    if (kind == (BUD_USED | BUD_RUN))
        return bud_digits(m);
    return (kind & 0xe0) == (BUD_USED | BUD_SMALL) ? kind & 0x1f : 0;
}

static inline bool bud_is_run(uint32_t units)
{
    return units > 0x1f && (units & (units - 1));
}

/* Before anything of a block of that many units is changed in the map. */
ACRE_INLINE void bud_note_block(const acre_region *r, const uint8_t *m, uint32_t units)
{
    bud_note(r, m);
    if (__builtin_expect(bud_is_run(units), 0) && !ACRE_BUG_IS(39))
        bud_note(r, m + BUD_DIGITS);
}

static inline void bud_mark(uint8_t *m, uint32_t units)
{
    if (!(units & (units - 1)))
        *m = (uint8_t)(BUD_USED | bud_log(units));
    else if (!bud_is_run(units))
        *m = (uint8_t)(BUD_USED | BUD_SMALL | units);
    else
        *m = BUD_USED | BUD_RUN;
    for (int i = 1; bud_is_run(units) && i <= BUD_DIGITS; i++)
        m[i] = (uint8_t)((uint64_t)units >> 6 * (i - 1) & 0x3f);
}

static inline void bud_unmark(uint8_t *m, uint32_t units)
{
    memset(m, 0, bud_is_run(units) ? BUD_DIGITS + 1 : 1);
}

/* ---- free blocks ---- */

ACRE_INLINE void bud_push(const acre_region *r, uint32_t u, uint32_t order)
{
    bud_heap *h = bud_of(r);
    uint32_t next = h->list[order];
    *bud_links_of(r, u) = (bud_links){.next = next};
    if (next)
        bud_links_of(r, next)->prev = u;
    h->list[order] = u;
    h->orders |= (uint32_t)1 << order;
    *bud_map(r, u) = (uint8_t)(BUD_FREE | order);
}

/* Its links go to 0, so that zeroed memory stays zero. */
ACRE_INLINE void bud_remove(const acre_region *r, uint32_t u, uint32_t order)
{
    bud_heap *h = bud_of(r);
    bud_links l = *bud_links_of(r, u);
    if (l.next && !ACRE_BUG_IS(30))
        bud_links_of(r, l.next)->prev = l.prev;
    if (l.prev)
        bud_links_of(r, l.prev)->next = l.next;
    else if (!(h->list[order] = l.next))
        h->orders &= ~((uint32_t)1 << order);
    *bud_links_of(r, u) = (bud_links){0, 0};
    *bud_map(r, u) = 0;
}

/* Make a block free and merge it with its buddy as long as that is free.  What it overwrites of a
 * payload is noted if `noted`. */
ACRE_INLINE void bud_insert(const acre_region *r, uint32_t u, uint32_t order, bool noted)
{
    const bud_heap *h = bud_of(r);
    for (; order < BUD_ORDERS - 1; order++) {
        uint32_t buddy = ACRE_BUG_IS(31) ? u + ((uint32_t)1 << order) : u ^ (uint32_t)1 << order;
        if (buddy >= h->end || *bud_map(r, buddy) != (BUD_FREE | (order + ACRE_BUG_IS(32))))
            break;
        bud_remove(r, buddy, order);
        u &= buddy;
    }
    if (noted && r->journal) {
        uint64_t old;
        memcpy(&old, bud_links_of(r, u), sizeof old);
        acre_note(r, bud_links_of(r, u), old, 0);
    }
    bud_push(r, u, order);
}

/* The order of the largest block that starts at u and does not pass end. */
static inline uint32_t bud_fitting(uint32_t u, uint32_t end)
{
    uint32_t by_place = (uint32_t)__builtin_ctz(u), by_size = bud_log(end - u);
    uint32_t order = by_place < by_size ? by_place : by_size;
    return order < BUD_ORDERS - 1 ? order : BUD_ORDERS - 1;
}

/* Make [u, end) free: a run of blocks.  All but what starts at `bare` note what they overwrite. */
static void bud_give(const acre_region *r, uint32_t u, uint32_t end, uint32_t bare)
{
    for (uint32_t order; u < end; u += (uint32_t)1 << order) {
        order = bud_fitting(u, end);
        bud_insert(r, u, order, u != bare);
    }
}

/* Units of the free block that starts at u, or ends there; 0: there is none. */
static inline uint32_t bud_free_at(const acre_region *r, uint32_t u)
{
    uint32_t kind = u < bud_of(r)->end ? *bud_map(r, u) : 0;
    return kind & BUD_FREE && !(kind & BUD_USED) ? (uint32_t)1 << (kind & 0x1f) : 0;
}

static inline uint32_t bud_free_up_to(const acre_region *r, uint32_t u)
{
    for (uint32_t units = 1; units <= (u & -u) && units < u; units *= 2)
        if (bud_free_at(r, u - units) == units)
            return units;
    return 0;
}

/* Where the free units that start at u end, and where those that end at u start: both pass O(log n)
 * blocks, for such a run is a rising and a falling sequence of orders. */
static inline uint32_t bud_free_end(const acre_region *r, uint32_t u)
{
    for (uint32_t n; (n = bud_free_at(r, u)); u += n)
        ;
    return u;
}

static inline uint32_t bud_free_start(const acre_region *r, uint32_t u)
{
    for (uint32_t n; (n = bud_free_up_to(r, u)); u -= n)
        ;
    return u;
}

/* Take the free blocks that tile [u, end) out of their lists. */
static inline void bud_absorb(const acre_region *r, uint32_t u, uint32_t end)
{
    for (uint32_t n; u < end; u += n) {
        n = bud_free_at(r, u);
        bud_remove(r, u, bud_log(n));
    }
}

#endif
