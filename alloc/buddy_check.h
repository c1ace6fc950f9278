/* SPDX-License-Identifier: MIT */
/* buddy_check.h: looking at a buddy heap: statistics, walk, check of B1…B6, and what a recovery
 * derives anew from the live blocks.  Reads nothing outside the region, whatever it holds. */
#ifndef ACRE_ALLOC_BUDDY_CHECK_H
#define ACRE_ALLOC_BUDDY_CHECK_H

#include "alloc/buddy_heap.h"

enum { BUD_LEAST_REGION = 512 };

/* ---- constants ---- */

static uint32_t bud_first(const bud_heap *h)
{
    return (h->skew + BUD_MAP + h->flat + BUD_UNIT - 1) / BUD_UNIT;
}

static uint32_t bud_seal(const bud_heap *h)
{
    uint32_t facts[] = {h->flat, h->first, h->skew, h->trim}, seal = 0;
    for (size_t i = 0; i < sizeof facts / sizeof *facts; i++)
        seal = (seal ^ facts[i]) * 0x9e3779b1u + 1;
    return seal;
}

/* B1: whoever looks can follow the zones and their maps without leaving the region. */
static bool bud_sane(const acre_region *r)
{
    const bud_heap *h = bud_of(r);
    uint64_t most = (r->size + BUD_PAGE) / BUD_UNIT;
    if (r->size < BUD_LEAST_REGION || h->seal != bud_seal(h) || h->trim > 1)
        return false;
    if (h->skew >= BUD_PAGE || h->skew % 64 || h->flat % BUD_STEP || h->flat >= BUD_REACH)
        return false;
    if (h->first != bud_first(h))
        return false;
    if (h->end % BUD_STEP || h->end > most || h->end > (r->size + h->skew) / BUD_UNIT)
        return false;
    return h->end > h->first && h->end > bud_zone_body(h, bud_zone_of(h, h->end - 1));
}

static void bud_stats(const acre_region *r, acre_stats *s)
{
    const bud_heap *h = bud_of(r);
    s->size = r->size;
    s->overhead = r->size - h->units * BUD_UNIT;
    s->free_bytes = h->free_units * BUD_UNIT;
    s->high_water = (uint64_t)h->high * BUD_UNIT - h->skew;
    if (s->high_water > s->size)
        s->high_water = s->size; /* was used before it shrank */
}

/* ---- walking ---- */

/* The block at u, free or live, of a zone whose units end at `end`; units 0: there is none. */
static acre_block bud_block_at(const acre_region *r, uint32_t u, uint32_t end)
{
    const bud_heap *h = bud_of(r);
    uint32_t live = bud_units(bud_map(r, u)), units = live ? live : bud_free_at(r, u);
    uint64_t bytes = units <= end - u ? (uint64_t)units * BUD_UNIT : 0;
    return (acre_block){(uint64_t)u * BUD_UNIT - h->skew, bytes, bytes, live != 0};
}

/* Visit a zone's blocks. */
static int bud_walk_zone(const acre_region *r, uint32_t zone, acre_visit *visit, void *arg)
{
    const bud_heap *h = bud_of(r);
    uint32_t end = bud_zone_limit(h, zone);
    for (uint32_t u = bud_zone_body(h, zone); u < end;) {
        acre_block b = bud_block_at(r, u, end);
        if (!b.size)
            return ACRE_ECORRUPT;
        int e = visit(arg, &b);
        if (e)
            return e;
        u += (uint32_t)(b.size / BUD_UNIT);
    }
    return 0;
}

static int bud_walk(const acre_region *r, acre_visit *visit, void *arg)
{
    const bud_heap *h = bud_of(r);
    int e = bud_sane(r) ? 0 : ACRE_ECORRUPT;
    for (uint32_t zone = 0; !e && zone < h->end; zone = bud_zone_end(h, zone))
        e = bud_walk_zone(r, zone, visit, arg);
    return e;
}

/* ---- checking ---- */

/* What the walk over the blocks found out for the comparison with the lists and the sums. */
typedef struct bud_found {
    uint64_t units, free_units;
    uint32_t blocks[BUD_ORDERS]; /* free ones */
    uint32_t at;                 /* where the walk is */
} bud_found;

static bool bud_all_zero(const uint8_t *m, uint32_t n)
{
    while (n && !*m)
        m++, n--;
    return n == 0;
}

/* A live block's entry is written as bud_mark() writes it. */
static bool bud_entry_sane(const uint8_t *m, uint32_t units)
{
    uint8_t entry[BUD_DIGITS + 1] = {0};
    uint32_t n = bud_is_run(units) ? BUD_DIGITS + 1 : 1;
    bud_mark(entry, units);
    return !memcmp(entry, m, n) && bud_all_zero(m + n, units - n);
}

static const char *bud_check_free(const acre_region *r, bud_found *f, uint32_t u, uint32_t units)
{
    uint32_t order = bud_log(units), buddy = u ^ units;
    f->blocks[order]++;
    f->free_units += units;
    if (u & (units - 1))
        return "B2";
    if (*bud_map(r, u) != (BUD_FREE | order) || !bud_all_zero(bud_map(r, u) + 1, units - 1))
        return "B3";
    return order < BUD_ORDERS - 1 && bud_free_at(r, buddy) == units ? "B4" : NULL;
}

static const char *bud_check_zone(const acre_region *r, bud_found *f, uint32_t zone)
{
    const bud_heap *h = bud_of(r);
    uint32_t body = bud_zone_body(h, zone), end = bud_zone_limit(h, zone);
    f->at = zone;
    if (!bud_all_zero(bud_zone_map(r, zone), body - zone))
        return "B3";
    f->units += end - body;
    for (f->at = body; f->at < end;) {
        acre_block b = bud_block_at(r, f->at, end);
        uint32_t units = (uint32_t)(b.size / BUD_UNIT);
        if (!units || units >= BUD_REACH)
            return "B2";
        if (b.used && !bud_entry_sane(bud_map(r, f->at), units))
            return "B3";
        const char *e = b.used ? NULL : bud_check_free(r, f, f->at, units);
        if (e)
            return e;
        f->at += units;
    }
    return NULL;
}

static const char *bud_check_list(const acre_region *r, bud_found *f, uint32_t order)
{
    const bud_heap *h = bud_of(r);
    uint32_t n = 0, prev = 0, u = h->list[order];
    if ((h->orders >> order & 1) != (u != 0))
        return "B5";
    for (; u; prev = u, u = bud_links_of(r, u)->next) {
        f->at = u;
        if (u < h->first || bud_free_at(r, u) != (uint32_t)1 << order || n++ == f->blocks[order])
            return "B5";
        if (bud_links_of(r, u)->prev != prev)
            return "B5";
    }
    return n == f->blocks[order] ? NULL : "B5";
}

static const char *bud_check_all(const acre_region *r, bud_found *f)
{
    const bud_heap *h = bud_of(r);
    const char *e = bud_sane(r) ? NULL : "B1";
    for (uint32_t zone = 0; !e && zone < h->end; zone = bud_zone_end(h, zone))
        e = bud_check_zone(r, f, zone);
    for (uint32_t order = 0; !e && order < BUD_ORDERS; order++)
        e = bud_check_list(r, f, order);
    if (!e && (f->units != h->units || f->free_units != h->free_units))
        e = "B6";
    return !e && h->orders >> BUD_ORDERS ? "B5" : e;
}

static int bud_check(const acre_region *r, acre_damage *d)
{
    bud_found f = {0};
    const char *rule = bud_check_all(r, &f);
    if (!rule)
        return 0;
    *d = (acre_damage){f.at ? (uint64_t)f.at * BUD_UNIT - bud_of(r)->skew : 0, rule};
    return ACRE_ECORRUPT;
}

/* ---- recovery ---- */

/* The units of the live block at u, 0 if there is none that fits. */
static uint32_t bud_live_units(const acre_region *r, uint32_t u, uint32_t end)
{
    uint32_t units = bud_units(bud_map(r, u));
    return units <= end - u ? units : 0;
}

/* Leave nothing in the zone's map up to its end but the entries of live blocks. */
static void bud_clean_zone(const acre_region *r, uint32_t zone)
{
    const bud_heap *h = bud_of(r);
    uint32_t end = bud_zone_limit(h, zone);
    for (uint32_t u = bud_zone_body(h, zone), units; u < end; u += units) {
        uint32_t live = bud_live_units(r, u, end),
                 entry = bud_is_run(live) ? BUD_DIGITS + 1 : !!live;
        units = live ? live : 1;
        memset(bud_map(r, u) + entry, 0, units - entry);
    }
}

/* What lies between the live blocks is free. */
static void bud_free_gaps(const acre_region *r, uint32_t zone)
{
    bud_heap *h = bud_of(r);
    uint32_t u = bud_zone_body(h, zone), end = bud_zone_limit(h, zone);
    h->units += end - u;
    for (uint32_t gap = u; gap < end; gap = u) {
        while (u < end && !bud_live_units(r, u, end))
            u++;
        bud_give(r, gap, u, 0);
        h->free_units += u - gap;
        if (u < end)
            u += bud_live_units(r, u, end);
    }
}

/* The live blocks' entries say everything: all else is derived from them, O(units). */
static void bud_recover(acre_region *r)
{
    bud_heap *h = bud_of(r);
    acre_region unnoted = {.base = r->base, .size = r->size};
    if (!bud_sane(r))
        return;
    memset(h->list, 0, sizeof h->list);
    h->orders = 0;
    if (!ACRE_BUG_IS(38))
        h->units = h->free_units = 0;
    for (uint32_t zone = 0; zone < h->end; zone = bud_zone_end(h, zone))
        bud_clean_zone(&unnoted, zone);
    for (uint32_t zone = 0; zone < h->end; zone = bud_zone_end(h, zone))
        bud_free_gaps(&unnoted, zone);
}

static int bud_zero_block(void *arg, const acre_block *b)
{
    const acre_region *r = arg;
    if (!b->used)
        memset(r->base + b->offset + sizeof(bud_links), 0, b->size - sizeof(bud_links));
    return 0;
}

static void bud_zero_free(acre_region *r)
{
    bud_walk(r, bud_zero_block, r);
}

#endif
