/* SPDX-License-Identifier: MIT */
/* shard_shelf.c: large blocks that a thread freed and keeps at hand.
 *
 *     bins, 4 for each doubling of the size
 *     +-----+-----+ - - +     +-------+-----------------+------------------+
 *     |     |     |     |     | count | units: its size | unit: where it is |
 *     +-----+-----+ - - +     +-------+-----------------+------------------+
 *
 * To the house each is a used block.  It goes back to it when its thread's shard is emptied because
 * there is no room left, by the thread or by another one that has claimed the shard of who is gone.
 *
 * A block that stands on a shelf says so in its first word, which only its owner may write: so that of a
 * block that is freed again, shelves need be searched only if it says so.
 *
 * Killed in the middle: putting is done with the count.  Taking moves the last entry into the place
 * that gets free: killed between, it stands there twice, or with the size of the one that went; that is
 * mended when the shard is claimed, and the one taken is the block that its killed user had in hand.  Emptying is
 * in the journal: it is undone before the shard is claimed (shard_thread.c).
 */
#include "alloc/shard_heap.h"

#include <string.h>

/* ---- what a block says ---- */

static uint64_t shelf_mark_of(const acre_region *r, const void *p)
{
    return (uint64_t)((const char *)p - r->base) * 0x9e3779b97f4a7c15u | 1;
}

static void shelf_set_mark(void *p, uint64_t mark)
{
    acre__put((uint64_t *)p, mark);
}

/* ---- one's own ---- */

static void *shelf_block(const acre_region *r, const shelf_bin *b, uint32_t n)
{
    return r->base + (uint64_t)b->unit[n] * RB_UNIT;
}

static void shelf_remove(shelf_bin *b, uint32_t n)
{
    uint32_t last = b->count - 1u;
    acre__put(&b->unit[n], b->unit[last]);
    acre__order();
    acre__put(&b->units[n], b->units[last]);
    acre__order();
    acre__put(&b->count, (uint16_t)last);
}

/* One that is not much larger than that: the last one put, if it is. */
static void *shelf_take_from(const acre_region *r, shard *t, shelf_bin *b, uint64_t units)
{
    for (uint32_t n = b->count; n--;)
        if (b->units[n] >= units && b->units[n] <= units + units / 8) {
            void *p = shelf_block(r, b, n);
            t->shelved -= b->units[n];
            shelf_remove(b, n);
            shelf_set_mark(p, 0);
            return p;
        }
    return NULL;
}

void *acre__shelf_take(const acre_heap *h, shard *t, size_t size)
{
    const acre_region *r = &h->region;
    uint64_t units = shelf_units(size), bin = shelf_bin_of(units);
    shelf_bin *b = shelf_of(r, t);
    if (bin >= shard_root_of(r)->bins)
        return NULL;
    void *p = shelf_take_from(r, t, &b[bin], units);
    if (!p && bin + 1 < shard_root_of(r)->bins)
        p = shelf_take_from(r, t, &b[bin + 1], units);
    return p;
}

/* The first shard's may hold 1 / SHELF_PART of the region, the second's half of that, the third's a third: all
 * of 16 five times as much. */
static bool shelf_affords(const acre_heap *h, const shard *t, uint32_t units)
{
    uint64_t most = acre__peek(&h->control->region_size) / (RB_UNIT * SHELF_PART);
    return (t->shelved + units) * (t->number + 1) <= most;
}

/* False: there is no place for it. */
bool acre__shelf_put(const acre_heap *h, shard *t, void *p, uint32_t units)
{
    const acre_region *r = &h->region;
    uint64_t bin = shelf_bin_of(units);
    shelf_bin *b = &shelf_of(r, t)[bin];
    if (bin >= shard_root_of(r)->bins || b->count >= SHELF_ROOM || !shelf_affords(h, t, units))
        return false;
    acre__put(&b->unit[b->count], (uint32_t)((uint64_t)((char *)p - r->base) / RB_UNIT));
    acre__put(&b->units[b->count], (uint16_t)units);
    acre__order();
    acre__put(&b->count, (uint16_t)(b->count + 1));
    t->shelved += units;
    shelf_set_mark(p, ACRE_BUG_IS(57) ? 0 : shelf_mark_of(r, p));
    return true;
}

/* ---- anybody's ---- */

static bool shelf_bin_has(const acre_region *r, const shelf_bin *b, const void *p)
{
    uint32_t n = acre__peek(&b->count);
    for (uint32_t i = 0; i < n && i < SHELF_ROOM; i++)
        if (r->base + (uint64_t)acre__peek(&b->unit[i]) * RB_UNIT == (const char *)p)
            return true;
    return false;
}

bool acre__shelf_has(const acre_region *r, const void *p, uint64_t units)
{
    uint64_t bin = shelf_bin_of(units);
    const shard *t;
    for (uint32_t i = 0; bin < shard_root_of(r)->bins && (t = shard_numbered(r, i)); i++)
        if (shelf_bin_has(r, &shelf_of(r, t)[bin], p))
            return true;
    return false;
}

bool acre__shelf_knows(const acre_region *r, const void *p, uint64_t units)
{
    return units >= SHELF_LEAST && acre__peek((const uint64_t *)p) == shelf_mark_of(r, p) &&
           acre__shelf_has(r, p, units);
}

/* ---- after a death, and emptying ---- */

/* A block of this bin that is on no shelf so far; b's first `kept` entries are. */
static bool shelf_entry_sane(const acre_region *r, const shelf_bin *b, uint32_t bin, uint32_t kept,
                             uint32_t unit)
{
    const char *p = r->base + (uint64_t)unit * RB_UNIT;
    for (uint32_t i = 0; i < kept; i++)
        if (b->unit[i] == unit && !ACRE_BUG_IS(54))
            return false;
    return (uint64_t)unit * RB_UNIT < shard_reach(r) && shelf_bin_of(acre__rb_live(r, p)) == bin;
}

static void shelf_settle_bin(const acre_region *r, shard *t, shelf_bin *b, uint32_t bin)
{
    uint32_t n = b->count < SHELF_ROOM ? b->count : SHELF_ROOM, kept = 0;
    for (uint32_t i = 0; i < n; i++) {
        uint32_t unit = b->unit[i];
        if (!shelf_entry_sane(r, b, bin, kept, unit))
            continue;
        acre__put(&b->unit[kept], unit);
        acre__put(&b->units[kept], (uint16_t)acre__rb_live(r, shelf_block(r, b, kept)));
        t->shelved += b->units[kept];
        shelf_set_mark(shelf_block(r, b, kept), shelf_mark_of(r, shelf_block(r, b, kept)));
        kept++;
    }
    acre__order();
    acre__put(&b->count, (uint16_t)kept);
}

void acre__shelf_settle(const acre_region *r, shard *t)
{
    shelf_bin *b = shelf_of(r, t);
    t->shelved = 0;
    for (uint32_t i = 0; i < shard_root_of(r)->bins; i++)
        shelf_settle_bin(r, t, &b[i], i);
}

/* The count is noted in its word, with the first size. */
static size_t shelf_empty_bin(acre_region *r, shelf_bin *b)
{
    size_t bytes = 0;
    while (b->count) {
        void *p = shelf_block(r, b, b->count - 1u);
        uint32_t units = acre__rb_live(r, p);
        if (r->journal)
            acre_note(r, b, *(uint32_t *)(void *)b, 1);
        acre__put(&b->count, (uint16_t)(b->count - 1));
        if (units && ACRE_BUG_IS(58))
            acre__rb_release(r, p, units);
        else if (units)
            acre__shard_release_direct(r, p, units);
        bytes += (size_t)units * RB_UNIT;
        acre_commit(r);
    }
    return bytes;
}

size_t acre__shelf_empty(acre_region *r, shard *t)
{
    shelf_bin *b = shelf_of(r, t);
    size_t bytes = 0;
    for (uint32_t i = 0; i < shard_root_of(r)->bins; i++)
        bytes += shelf_empty_bin(r, &b[i]);
    t->shelved = 0;
    return bytes;
}
