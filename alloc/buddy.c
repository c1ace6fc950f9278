/* SPDX-License-Identifier: MIT */
/* buddy.c: the binary buddy system.
 *
 * After K. Knowlton (A Fast Storage Allocator, CACM 8, 1965), D. Knuth (The Art of Computer
 * Programming 1, §2.5) and J. Peterson and T. Norman (Buddy Systems, CACM 20, 1977).  Blocks are
 * 2^order units of 16 bytes, aligned to their size on a grid; a request takes the smallest free
 * block that is large enough and halves it; a freed block joins with its buddy, the other half of
 * the block that both came from, as long as that is free.  A map beside the blocks holds a byte a
 * unit: what starts there.  Nothing stands in front of a user's block.
 *
 *   base                              flat          2^k                         2^(k+1)
 *   +------+-----------+-------------+-----+--------+-----+---------------------+-----+------- -
 *   | heap | map       | blocks      | map | blocks | map | blocks              | map | blocks
 *   +------+-----------+-------------+-----+--------+-----+---------------------+-----+------- -
 *    first zone: the region as created     zones that growth added, up to the next power of two each
 *
 *   map   84 00 00 … | 42 00 00 00 | 41 00 | 80 | a3 00 00 | 9f d1 … d6 00 …
 *         used 2^4     free 2^2      free 2  used 1  used 3   used, units in six digits
 *
 * A live block may be a run of blocks, one behind the other: what resize() and alignments above
 * the grid's leave, and what trim=1 makes of each request, by giving the rest of its block back at
 * once (as Linux's alloc_pages_exact does).  Freeing a run frees each of its blocks.
 *
 * Costs: O(log n) in the largest block's units; a run O(log² n).  Overhead: a byte a unit (6 %), and what
 * rounding up to a power of two leaves unused: a quarter of the bytes for sizes without a pattern
 * (trim=0).  A zone's blocks do not join with another zone's: the largest in what growth added is half of
 * its zone, a quarter of the size then; growth by less than a new zone's map, a sixteenth of it, waits for more.
 *
 * B1  the constants fit each other; end lies in the region and not in a zone's map
 * B2  blocks tile each zone from behind its map to its end, free ones aligned to their size
 * B3  the map's other bytes below end are 0; behind it they are anything
 * B4  no two buddies of one order are free
 * B5  a free block is in its order's list exactly once, the list's links go both ways, and the
 *     order's bit is set exactly if the list is not empty
 * B6  free_units and units are sums over the blocks
 *
 * Killed in the middle.  The truth is the map's entries of live blocks, and end: they are noted, as
 * words of the map, before anything else is changed.  All else is derived from them.  Of a payload
 * are noted the links that a freed rest overwrites.
 */
#include "alloc/buddy_check.h"
#include "alloc/buddy_heap.h"

/* ---- finding and cutting ---- */

/* The order of the smallest list that has a block of at least `order`; BUD_ORDERS: none. */
ACRE_INLINE uint32_t bud_find(const bud_heap *h, uint32_t order)
{
    uint32_t larger = order < BUD_ORDERS ? h->orders >> order : 0;
    return larger ? order + (uint32_t)__builtin_ctz(larger) : BUD_ORDERS;
}

/* The order of a block of at least that many units. */
ACRE_INLINE uint32_t bud_order(uint64_t units)
{
    return units > 1 ? 64 - (uint32_t)__builtin_clzll(units - 1) : 0;
}

ACRE_INLINE uint64_t bud_units_for(const bud_heap *h, size_t size)
{
    uint64_t units = ((uint64_t)size + BUD_UNIT - 1) / BUD_UNIT;
    units += !units;
    return h->trim ? units : (uint64_t)1 << bud_order(units);
}

static inline void bud_raise_high(bud_heap *h, uint32_t unit)
{
    if (unit > h->high)
        h->high = unit;
}

/* Take the first block out of list[order]; its links are its user's now. */
ACRE_INLINE void bud_pop(const acre_region *r, uint32_t u, uint32_t order)
{
    bud_heap *h = bud_of(r);
    uint32_t next = bud_links_of(r, u)->next;
    h->list[order] = next;
    if (next)
        bud_links_of(r, next)->prev = 0;
    else if (!ACRE_BUG_IS(33))
        h->orders &= ~((uint32_t)1 << order);
}

/* A block of the order `from` becomes one of `to`: each halving puts the upper half into a list that
 * is empty, for else it would have been taken. */
ACRE_INLINE void bud_split(const acre_region *r, uint32_t u, uint32_t from, uint32_t to)
{
    bud_heap *h = bud_of(r);
    while (from > to + ACRE_BUG_IS(34)) {
        uint32_t upper = u + ((uint32_t)1 << --from);
        *bud_links_of(r, upper) = (bud_links){0, 0};
        *bud_map(r, upper) = (uint8_t)(BUD_FREE | from);
        h->list[from] = upper;
        h->orders |= (uint32_t)1 << from;
    }
}

/* The way of nearly all requests: a whole block. */
ACRE_INLINE void *bud_alloc_order(const acre_region *r, uint32_t order)
{
    bud_heap *h = bud_of(r);
    uint32_t found = bud_find(h, order);
    if (found == BUD_ORDERS)
        return NULL;
    uint32_t u = h->list[found];
    uint8_t *m = bud_map(r, u);
    if (ACRE_BUG_IS(35))
        *m = (uint8_t)(BUD_USED | order);
    bud_note(r, m);
    bud_pop(r, u, found);
    *m = (uint8_t)(BUD_USED | order);
    bud_split(r, u, found, order);
    h->free_units -= (uint64_t)1 << order;
    bud_raise_high(h, u + ((uint32_t)1 << order));
    return bud_address(r, u);
}

/* Of the free block u of that order, hand out [at, at + units) and give the rest back. */
static void *bud_carve(const acre_region *r, uint32_t u, uint32_t order, uint32_t at,
                       uint32_t units)
{
    bud_heap *h = bud_of(r);
    acre_region free_memory = {.base = r->base}; /* the rests were free before: no notes */
    bud_note_block(r, bud_map(r, at), units);
    bud_remove(r, u, order);
    bud_mark(bud_map(r, at), units);
    bud_give(&free_memory, u, at, 0);
    bud_give(&free_memory, at + units, u + ((uint32_t)1 << order), 0);
    h->free_units -= units;
    bud_raise_high(h, at + units);
    return bud_address(r, at);
}

static __attribute__((noinline)) void *bud_alloc_trimmed(const acre_region *r, uint64_t units)
{
    uint32_t order = bud_find(bud_of(r), bud_order(units));
    if (order == BUD_ORDERS)
        return NULL;
    uint32_t u = bud_of(r)->list[order];
    return bud_carve(r, u, order, u, (uint32_t)units);
}

/* Where the grid is aligned, so is a block of at least that size; else there must be room for any
 * shift. */
static __attribute__((noinline)) void *bud_alloc_aligned(const acre_region *r, uint64_t units,
                                                         size_t align)
{
    uint64_t step = align / BUD_UNIT;
    bool natural = ((uintptr_t)bud_address(r, 0) & (align - 1)) == 0;
    uint64_t room = natural ? (units > step ? units : step) : units + step - 1;
    uint32_t order = bud_find(bud_of(r), bud_order(room));
    if (order == BUD_ORDERS)
        return NULL;
    uint32_t u = bud_of(r)->list[order];
    uint64_t skip = -(uintptr_t)bud_address(r, u) & (align - 1);
    return bud_carve(r, u, order, u + (uint32_t)(skip / BUD_UNIT), (uint32_t)units);
}

ACRE_INLINE void *bud_alloc_any(const acre_region *r, size_t size, size_t align)
{
    uint64_t units = ((uint64_t)size + BUD_UNIT - 1) / BUD_UNIT;
    if (__builtin_expect(align > ACRE_ALIGN_MIN, 0))
        return bud_alloc_aligned(r, bud_units_for(bud_of(r), size), align);
    if (__builtin_expect(bud_of(r)->trim && (units & (units - 1)), 0))
        return bud_alloc_trimmed(r, units);
    return bud_alloc_order(r, bud_order(units));
}

/* Compiled once with and once without a journal, so that it is asked for once a call. */
static void *bud_alloc(acre_region *r, size_t size, size_t align)
{
    if (r->journal)
        return bud_alloc_any(r, size, align);
    return bud_alloc_any(&(acre_region){.base = r->base}, size, align);
}

/* ---- giving back ---- */

/* The live block that starts at p: its unit, and its units, 0: there is none.  Turning the distance
 * moves its low bits, which are 0 for a block, to the top: one comparison finds what is in front of
 * the heap, behind it, or not aligned. */
typedef struct bud_live {
    uint32_t unit, units;
} bud_live;

ACRE_INLINE bud_live bud_live_at(const acre_region *r, const void *p)
{
    const bud_heap *h = bud_of(r);
    uint64_t distance = (uint64_t)((const char *)p - r->base) + h->skew;
    uint64_t u = distance / BUD_UNIT | distance << 60;
    if (__builtin_expect(u - h->first >= (uint64_t)h->end - h->first, 0))
        return (bud_live){0, 0};
    uint32_t units = bud_units(bud_map(r, (uint32_t)u));
    return (bud_live){(uint32_t)u, units <= h->end - (uint32_t)u ? units : 0};
}

ACRE_INLINE int bud_free_any(const acre_region *r, void *p)
{
    bud_live b = bud_live_at(r, p);
    if (__builtin_expect(!b.units, 0))
        return ACRE_EINVALID;
    uint8_t *m = bud_map(r, b.unit);
    bud_note_block(r, m, b.units);
    bud_unmark(m, b.units);
    bud_of(r)->free_units += b.units;
    if (__builtin_expect((b.units & (b.units - 1)) == 0 && !(b.unit & (b.units - 1)), 1))
        bud_insert(r, b.unit, bud_log(b.units), false);
    else
        bud_give(r, b.unit, b.unit + b.units, b.unit);
    return 0;
}

static int bud_free(acre_region *r, void *p)
{
    if (r->journal)
        return bud_free_any(r, p);
    return bud_free_any(&(acre_region){.base = r->base}, p);
}

static size_t bud_usable(const acre_region *r, const void *p)
{
    return (size_t)bud_live_at(r, p).units * BUD_UNIT;
}

/* ---- resizing in place ---- */

/* The live block [from, from_end) becomes [to, to_end); all that it does not own yet is free, and
 * one of the two contains the other. */
static void *bud_move(const acre_region *r, bud_live from, uint32_t to, uint32_t to_end)
{
    bud_heap *h = bud_of(r);
    uint32_t from_end = from.unit + from.units, units = to_end - to;
    uint32_t low = to < from.unit ? bud_free_start(r, from.unit) : to;
    uint32_t high = to_end > from_end ? bud_free_end(r, from_end) : from_end;
    acre_region free_memory = {.base = r->base};
    bud_note_block(r, bud_map(r, from.unit), from.units);
    bud_note_block(r, bud_map(r, to), units);
    bud_absorb(r, low, from.unit);
    bud_absorb(r, from_end, high);
    bud_unmark(bud_map(r, from.unit), from.units);
    bud_mark(bud_map(r, to), units);
    h->free_units += from.units;
    h->free_units -= units;
    bud_give(&free_memory, low, to, 0);
    bud_give(high > from_end ? &free_memory : r, to_end, high, 0);
    bud_raise_high(h, to_end);
    return bud_address(r, to);
}

static void *bud_forwards(const acre_region *r, bud_live b, acre_resize_command *c)
{
    uint64_t want = bud_units_for(bud_of(r), c->preferred);
    uint64_t have = bud_free_end(r, b.unit + b.units) - b.unit;
    uint64_t units = want < have ? want : have;
    if (units < b.units)
        units = b.units;
    c->received = units * BUD_UNIT;
    if (c->received < c->limit)
        return NULL;
    return bud_move(r, b, b.unit, b.unit + (uint32_t)units);
}

/* The distance by which a start may move: the least common multiple of a number and a power of two. */
static uint64_t bud_step(const acre_resize_command *c)
{
    uint64_t align = c->align > ACRE_ALIGN_MIN ? c->align : ACRE_ALIGN_MIN;
    uint64_t multiple = c->multiple ? c->multiple : 1;
    if (multiple > ACRE_SIZE_MAX || align > ACRE_SIZE_MAX)
        return ACRE_SIZE_MAX;
    uint64_t twos = multiple & -multiple, odd = multiple / twos;
    uint64_t power = twos > align || ACRE_BUG_IS(36) ? twos : align;
    return odd > ACRE_SIZE_MAX / power ? ACRE_SIZE_MAX : odd * power;
}

/* Take free units in front, and those behind too if that is allowed.  The start moves by as few
 * steps as do, or as many as there are; the data's end stays. */
static void *bud_backwards(const acre_region *r, bud_live b, acre_resize_command *c)
{
    uint32_t end = b.unit + b.units;
    uint32_t last = c->flags & ACRE_FORWARDS ? bud_free_end(r, end) : end;
    uint64_t room = (uint64_t)(b.unit - bud_free_start(r, b.unit)) * BUD_UNIT, step = bud_step(c);
    uint64_t have = (uint64_t)(last - b.unit) * BUD_UNIT;
    uint64_t missing = c->preferred > have ? c->preferred - have : 0;
    uint64_t move = (missing + step - 1) / step * step, most = room / step * step;
    if (move > most)
        move = most;
    c->received = have + move;
    if (c->received < c->limit)
        return NULL;
    uint32_t start = b.unit - (uint32_t)(move / BUD_UNIT);
    uint64_t stop = start + (c->preferred + BUD_UNIT - 1) / BUD_UNIT;
    last = stop < last ? (uint32_t)stop : last;
    last = last > end ? last : end;
    c->received = (size_t)(last - start) * BUD_UNIT;
    return bud_move(r, b, start, last);
}

static void *bud_shrink_block(const acre_region *r, bud_live b, acre_resize_command *c)
{
    uint64_t exact = (c->preferred + BUD_UNIT - 1) / BUD_UNIT;
    uint64_t units = bud_units_for(bud_of(r), c->preferred);
    if (units > b.units)
        units = b.units; /* a run that is shorter than its power of two */
    if (units * BUD_UNIT > c->limit)
        units = exact + !exact;
    c->received = units * BUD_UNIT;
    if (units > b.units || c->preferred > c->received || c->received > c->limit)
        return NULL;
    if (c->flags & ACRE_TRY_SHRINK || units == b.units)
        return bud_address(r, b.unit);
    return bud_move(r, b, b.unit, b.unit + (uint32_t)units);
}

static void *bud_resize(acre_region *r, void *p, acre_resize_command *c)
{
    bud_live b = bud_live_at(r, p);
    if (!b.units)
        return NULL;
    if (c->flags & (ACRE_SHRINK | ACRE_TRY_SHRINK))
        return bud_shrink_block(r, b, c);
    if (c->flags & ACRE_BACKWARDS)
        return bud_backwards(r, b, c);
    return bud_forwards(r, b, c);
}

/* ---- the heap as a whole ---- */

static uint32_t bud_end_of(const bud_heap *h, uint64_t size)
{
    return (uint32_t)((size + h->skew) / BUD_UNIT) & ~(uint32_t)(BUD_STEP - 1);
}

/* All units from the heap's old end on are free; their part of the map is cleared first, for joining looks into
 * any below the new end. */
static void bud_extend(const acre_region *r, uint32_t old)
{
    bud_heap *h = bud_of(r);
    uint32_t start = bud_zone_of(h, old);
    for (uint32_t zone = start; zone < h->end; zone = bud_zone_end(h, zone)) {
        uint32_t from = zone > old ? zone : old;
        if (!zone || !ACRE_BUG_IS(37))
            memset(bud_zone_map(r, zone) + (from - zone), 0, bud_zone_limit(h, zone) - from);
    }
    for (uint32_t zone = start; zone < h->end; zone = bud_zone_end(h, zone)) {
        uint32_t from = bud_zone_body(h, zone), to = bud_zone_limit(h, zone);
        from = from > old ? from : old;
        h->units += to - from;
        h->free_units += to - from;
        bud_give(&(acre_region){.base = r->base}, from, to, 0);
    }
}

static void bud_init(acre_region *r, size_t size, const acre_heap_options *o)
{
    bud_heap *h = bud_of(r);
    memset(h, 0, sizeof *h);
    h->skew = (uint32_t)((uintptr_t)r->base % BUD_PAGE);
    h->end = h->flat = bud_end_of(h, size);
    h->first = h->high = bud_first(h);
    h->trim = o->param[0];
    h->seal = bud_seal(h);
    memset((char *)h + sizeof *h, 0, BUD_MAP - sizeof *h);
    bud_extend(r, 0);
}

/* A new zone of which there is only the map, or less, waits for more. */
static int bud_grow(acre_region *r, size_t size)
{
    bud_heap *h = bud_of(r);
    uint32_t old = h->end, end = bud_end_of(h, size), zone = bud_zone_of(h, end - 1);
    if (end <= bud_zone_body(h, zone))
        end = zone;
    if (end <= old)
        return 0;
    acre_set32(r, &h->end, end);
    bud_extend(r, old);
    return 0;
}

/* Where the last zone can end: what is behind `wish` and free goes, and with the zone's last unit
 * its map. */
static uint32_t bud_least_end(const acre_region *r, uint32_t wish)
{
    const bud_heap *h = bud_of(r);
    uint32_t zone = bud_zone_of(h, h->end - 1), body = bud_zone_body(h, zone);
    uint32_t end = bud_free_start(r, h->end);
    if (zone && end <= body && wish <= body)
        return zone;
    end = end > wish ? end : wish;
    end = end > body ? end : body + 1;
    return (end + BUD_STEP - 1) & ~(uint32_t)(BUD_STEP - 1);
}

/* Free units are behind `end`, and maybe a zone's map. */
static void bud_cut(const acre_region *r, uint32_t end)
{
    bud_heap *h = bud_of(r);
    uint32_t old = h->end, start = bud_free_start(r, old), from = end > start ? end : start;
    acre_region free_memory = {.base = r->base};
    bud_absorb(r, start, old);
    h->end = end;
    bud_give(&free_memory, start, from, 0);
    h->units -= old - from;
    h->free_units -= old - from;
}

/* One note is enough, for all cuts: an end that comes back has all its zones. */
static size_t bud_shrink(acre_region *r, size_t size)
{
    bud_heap *h = bud_of(r);
    uint32_t wish = bud_end_of(h, size + BUD_STEP * BUD_UNIT - 1);
    acre_set32(r, &h->end, h->end);
    for (uint32_t end; (end = bud_least_end(r, wish)) < h->end;)
        bud_cut(r, end);
    size_t left = (size_t)h->end * BUD_UNIT - h->skew;
    return left > size ? left : size;
}

/* Words noted in one call, at most: two entries of the map, of two words each, and the links of the
 * blocks of a run, which rise and fall in order. */
enum { BUD_JOURNAL = 4 + 2 * BUD_ORDERS };

static const acre_param bud_params[] = {
    {"trim", "1: give back at once what a request does not need of its block", 0, 1, 0}, {0}};

const acre_algorithm acre__buddy;
const acre_algorithm acre__buddy = {
    .name = "buddy",
    .summary = "binary buddies: powers of two, a map beside the blocks",
    .flags = ACRE_ROBUST | ACRE_ANY_ADDRESS | ACRE_ROUNDS,
    .layout_version = 2,
    .reach = (uint64_t)(BUD_REACH - BUD_PAGE) * BUD_UNIT,
    .min_size = BUD_LEAST_REGION,
    .journal_words = BUD_JOURNAL,
    .free_clobbers = sizeof(bud_links),
    .link_bytes = sizeof(bud_links),
    .growth = ACRE_GROWTH_LOG,
    .params = bud_params,
    .init = bud_init,
    .alloc = bud_alloc,
    .free = bud_free,
    .usable = bud_usable,
    .check = bud_check,
    .walk = bud_walk,
    .stats = bud_stats,
    .resize = bud_resize,
    .grow = bud_grow,
    .shrink = bud_shrink,
    .zero_free = bud_zero_free,
    .recover = bud_recover,
};
