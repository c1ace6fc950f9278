/* SPDX-License-Identifier: MIT */
/* simple_seq_fit.c: first fit over one address-ordered list of free blocks, coalesced at once.
 *
 * After Boost.Interprocess's simple_seq_fit (I. Gaztañaga); the method is Knuth's algorithms A and
 * B (The Art of Computer Programming, vol. 1, 2.5).  The smallest of all: for heaps of few blocks,
 * and as the textbook's line in comparisons.  Allocation, free and resize are O(free blocks).
 * Overhead: 8 bytes a block; smallest block 16 bytes (8 usable).
 *
 *   base                                                   size
 *   +------+--------+---------+--------+---------+---------+
 *   | heap | header | payload | header | payload | ...     |
 *   +------+--------+---------+--------+---------+---------+
 *
 *   header (8 bytes, in front of a 16-aligned payload):
 *   +---------------------------------------+----------------------------+
 *   | next: next free block, 0 = last; USED | units of this block        |
 *   +---------------------------------------+----------------------------+
 *
 * One unit is 16 bytes; block u's payload starts at unit u + 1.  32 bits of units reach 64 GiB.
 *
 * S1  blocks tile the units from first to end; each has at least 1
 * S2  no two free blocks are neighbours
 * S3  the list holds exactly the free blocks, in address order
 * S4  free_units is the sum over free blocks
 * S5  hint is 0 or a free block
 *
 * Not noted in the journal: headers written inside a block that is free before the call,
 * free_units and hint (recover()), high (monotone).
 *
 * The list is searched from the front, but for a freed block's place, which is searched from the
 * hint if that lies in front of it: programs free near where they have just freed.  So many blocks that
 * are freed in the order of their addresses cost one pass over the list, and need no method of their own.
 */
#include "sync/bug.h"
#include <acre/algorithm.h>

#include <string.h>

/* SEQ_REST: the smallest rest that is cut off a block, as in the original: crumbs at the front of
 * the list would be passed by every search. */
enum { SEQ_UNIT = 16, SEQ_HEADER = 8, SEQ_REST = 2 };
#define SEQ_USED 0xffffffffu

typedef union seq_block {
    struct {
        uint32_t next, units;
    };
    uint64_t word; /* changed as one */
} seq_block;

typedef struct seq_heap {
    uint64_t free_units;
    uint32_t root, first; /* root: first free block, 0 = none */
    uint32_t end, high;
    uint32_t hint; /* a free block, 0 = none: where the last free was; not noted in the journal */
    uint32_t reserved;
} seq_heap;

enum { SEQ_FIRST = (sizeof(seq_heap) + SEQ_UNIT - 1 - SEQ_HEADER) / SEQ_UNIT };
_Static_assert(sizeof(seq_heap) == 32, "part of the segment format");

static inline seq_heap *seq_of(const acre_region *r)
{
    return (seq_heap *)r->base;
}

static inline seq_block *seq_at(const acre_region *r, uint32_t u)
{
    return (seq_block *)(r->base + (uint64_t)u * SEQ_UNIT + SEQ_HEADER);
}

static inline uint64_t seq_units_for(size_t size)
{
    return (size + SEQ_HEADER + SEQ_UNIT - 1 - ACRE_BUG_IS(20)) / SEQ_UNIT;
}

static inline size_t seq_bytes(uint32_t units)
{
    return (size_t)units * SEQ_UNIT - SEQ_HEADER;
}

static inline void *seq_payload(const acre_region *r, uint32_t u)
{
    return r->base + ((uint64_t)u + 1) * SEQ_UNIT;
}

static inline uint32_t seq_unit_of(const acre_region *r, const void *p)
{
    return (uint32_t)((uint64_t)((const char *)p - r->base) / SEQ_UNIT) - 1;
}

/* Inside a block that is free before the call. */
static inline void seq_put(const acre_region *r, uint32_t u, uint32_t next, uint32_t units)
{
    ACRE_PUT(seq_at(r, u)->word, ((seq_block){.next = next, .units = units}).word);
}

static inline void seq_set(const acre_region *r, uint32_t u, uint32_t next, uint32_t units)
{
    if (ACRE_BUG_IS(21))
        seq_put(r, u, next, units);
    acre_set64(r, &seq_at(r, u)->word, ((seq_block){.next = next, .units = units}).word);
}

/* Let the free block `before`, or the root if that is 0, be followed by u. */
static inline void seq_link(const acre_region *r, uint32_t before, uint32_t u)
{
    acre_set32(r, before ? &seq_at(r, before)->next : &seq_of(r)->root, u);
}

static inline void seq_raise_high(const acre_region *r, uint32_t unit)
{
    if (unit > seq_of(r)->high)
        seq_of(r)->high = unit;
}

/* Block u leaves the list: no hint to it. */
static inline void seq_forget(const acre_region *r, uint32_t u, uint32_t before)
{
    if (seq_of(r)->hint == u && !ACRE_BUG_IS(22))
        seq_of(r)->hint = before;
}

/* ---- allocating ---- */

/* Units to skip in block u so that the payload is aligned. */
static inline uint64_t seq_skip(const acre_region *r, uint32_t u, size_t align)
{
    return (-(uintptr_t)seq_payload(r, u) & (align - 1)) / SEQ_UNIT;
}

/* Cut n units, `front` units behind its start, out of the free block u that follows `before`. */
static uint32_t seq_cut(const acre_region *r, uint32_t before, uint32_t u, uint32_t front,
                        uint32_t n)
{
    seq_block b = *seq_at(r, u);
    uint32_t taken = u + front, rest = b.units - front - n;
    if (rest < SEQ_REST)
        n += rest, rest = 0;
    uint32_t next = rest ? taken + n : b.next;
    if (rest)
        seq_put(r, taken + n, b.next, rest);
    if (front) {
        seq_put(r, taken, SEQ_USED, n);
        seq_set(r, u, next, front);
    } else {
        seq_set(r, u, SEQ_USED, n);
        seq_link(r, before, next);
        seq_forget(r, u, before);
    }
    seq_of(r)->free_units -= n;
    seq_raise_high(r, taken + n);
    return taken;
}

/* Of the first free block that is large enough, behind the free block *before or from the front if that
 * is 0; *before: the free block in front of what was cut. */
static uint32_t seq_take(const acre_region *r, uint32_t *before, uint64_t n, size_t align)
{
    for (uint32_t u = *before ? seq_at(r, *before)->next : seq_of(r)->root; u;) {
        seq_block b = *seq_at(r, u);
        uint64_t front = align > ACRE_ALIGN_MIN ? seq_skip(r, u, align) : 0;
        if (b.units >= n + (ACRE_BUG_IS(23) ? 0 : front))
            return seq_cut(r, *before, u, (uint32_t)front, (uint32_t)n);
        *before = u;
        u = b.next;
    }
    return 0;
}

static void *seq_alloc(acre_region *r, size_t size, size_t align)
{
    uint32_t before = 0, u = seq_take(r, &before, seq_units_for(size), align);
    return u ? seq_payload(r, u) : NULL;
}

/* In one pass over the list, or one for each size that is smaller than the one before: what was too small
 * for a block is too small for the next one.  They lie where they would if they came one by one. */
static size_t seq_alloc_many(acre_region *r, size_t n, const size_t *sizes, size_t size, void **out)
{
    uint32_t before = 0;
    uint64_t last = 0;
    for (size_t i = 0; i < n; i++) {
        uint64_t units = seq_units_for(sizes ? sizes[i] : size);
        before = units < last && !ACRE_BUG_IS(29) ? 0 : before;
        last = units;
        uint32_t u = seq_take(r, &before, units, ACRE_ALIGN_MIN);
        if (!u)
            return i;
        out[i] = seq_payload(r, u);
        acre_commit(r);
    }
    return n;
}

/* ---- giving back ---- */

/* The last free block in front of u, 0 if there is none. */
static uint32_t seq_before(const acre_region *r, uint32_t u)
{
    uint32_t before = seq_of(r)->hint < u ? seq_of(r)->hint : 0;
    for (uint32_t f = before ? seq_at(r, before)->next : seq_of(r)->root; f && f < u;
         f = seq_at(r, f)->next)
        before = f;
    return before;
}

/* Free the used block u; its header and what it merges with are noted. */
static void seq_release(const acre_region *r, uint32_t u, uint32_t units)
{
    uint32_t before = seq_before(r, u);
    uint32_t next = before ? seq_at(r, before)->next : seq_of(r)->root, freed = units;
    if (next && next == u + units && !ACRE_BUG_IS(24)) {
        units += seq_at(r, next)->units;
        next = seq_at(r, next)->next;
    }
    if (before && before + seq_at(r, before)->units == u) {
        if (!ACRE_BUG_IS(25))
            seq_set(r, u, 0, 0); /* a second free of it is seen */
        seq_set(r, before, next, seq_at(r, before)->units + units);
        seq_of(r)->hint = before;
    } else {
        seq_set(r, u, next, units);
        seq_link(r, before, u);
        seq_of(r)->hint = u;
    }
    seq_of(r)->free_units += freed;
}

/* The units of the live block u; 0: there is none. */
static inline uint32_t seq_live(const acre_region *r, uint32_t u)
{
    const seq_heap *h = seq_of(r);
    if (u < h->first || u >= h->end)
        return 0;
    seq_block b = *seq_at(r, u);
    return b.next == SEQ_USED && b.units >= 1 && b.units <= h->end - u ? b.units : 0;
}

static int seq_free(acre_region *r, void *p)
{
    uint32_t u = seq_unit_of(r, p), units = seq_live(r, u);
    if (!units)
        return ACRE_EINVALID;
    seq_release(r, u, units);
    return 0;
}

static size_t seq_usable(const acre_region *r, const void *p)
{
    uint32_t units = seq_live(r, seq_unit_of(r, p));
    return units ? seq_bytes(units) : 0;
}

/* ---- resizing in place ---- */

/* Keep the first n units of the used block u and free the rest. */
static void seq_drop_back(const acre_region *r, uint32_t u, uint32_t n)
{
    uint32_t rest = seq_at(r, u)->units - n;
    seq_set(r, u, SEQ_USED, n);
    seq_set(r, u + n, SEQ_USED, rest); /* noted: it lies in what may be a payload again */
    seq_release(r, u + n, rest);
}

static void *seq_shrink_block(acre_region *r, uint32_t u, uint32_t units, acre_resize_command *c)
{
    uint64_t n = seq_units_for(c->preferred ? c->preferred : 1);
    c->received = seq_bytes(n < units ? (uint32_t)n : units);
    if (n > units || c->received > c->limit)
        return NULL;
    if (n < units && !(c->flags & ACRE_TRY_SHRINK))
        seq_drop_back(r, u, (uint32_t)n);
    return seq_payload(r, u);
}

/* Take `more` units from the free block that follows the used block u. */
static void seq_swallow(const acre_region *r, uint32_t u, uint32_t units, uint32_t more)
{
    uint32_t behind = u + units, before = seq_before(r, u);
    seq_block b = *seq_at(r, behind);
    uint32_t rest = b.units - more;
    if (rest)
        seq_put(r, behind + more, b.next, rest);
    seq_link(r, before, rest ? behind + more : b.next);
    seq_forget(r, behind, before);
    seq_set(r, u, SEQ_USED, units + more);
    seq_of(r)->free_units -= more;
    seq_raise_high(r, behind + more);
}

static uint32_t seq_free_behind(const acre_region *r, uint32_t behind)
{
    if (behind == seq_of(r)->end || seq_at(r, behind)->next == SEQ_USED)
        return 0;
    return seq_at(r, behind)->units;
}

static void *seq_forwards(acre_region *r, uint32_t u, uint32_t units, acre_resize_command *c)
{
    uint64_t want = seq_units_for(c->preferred);
    uint32_t room = seq_free_behind(r, u + units);
    uint64_t more = want > units ? want - units : 0;
    if (more > room)
        more = room;
    c->received = seq_bytes(units + (uint32_t)more);
    if (c->received < c->limit)
        return NULL;
    if (more)
        seq_swallow(r, u, units, (uint32_t)more);
    return seq_payload(r, u);
}

/* As in the original, a block does not grow backwards. */
static void *seq_resize(acre_region *r, void *p, acre_resize_command *c)
{
    uint32_t u = seq_unit_of(r, p), units = seq_live(r, u);
    if (!units)
        return NULL;
    if (c->flags & (ACRE_SHRINK | ACRE_TRY_SHRINK))
        return seq_shrink_block(r, u, units, c);
    if (c->flags & ACRE_FORWARDS)
        return seq_forwards(r, u, units, c);
    c->received = seq_bytes(units);
    return NULL;
}

/* ---- the heap as a whole ---- */

static void seq_init(acre_region *r, size_t size, const acre_heap_options *o)
{
    (void)o;
    seq_heap *h = seq_of(r);
    h->first = h->high = h->root = SEQ_FIRST;
    h->hint = 0;
    h->end = (uint32_t)((size - SEQ_HEADER) / SEQ_UNIT);
    h->free_units = h->end - h->first;
    seq_put(r, h->first, 0, h->end - h->first);
}

static int seq_grow(acre_region *r, size_t size)
{
    seq_heap *h = seq_of(r);
    uint32_t old = h->end, end = (uint32_t)((size - SEQ_HEADER) / SEQ_UNIT);
    if (end <= old)
        return 0;
    acre_set32(r, &h->end, end);
    seq_put(r, old, SEQ_USED, end - old);
    if (!ACRE_BUG_IS(27))
        seq_release(r, old, end - old);
    return 0;
}

static size_t seq_size(uint32_t end)
{
    return (size_t)end * SEQ_UNIT + SEQ_HEADER;
}

/* Only a free block at the end can go; of an empty heap one unit stays. */
static size_t seq_shrink(acre_region *r, size_t size)
{
    seq_heap *h = seq_of(r);
    h->hint = 0; /* both searches from the front */
    uint32_t last = seq_before(r, h->end), before = last ? seq_before(r, last) : 0;
    uint64_t end = (size - SEQ_HEADER) / SEQ_UNIT;
    if (!last || last + seq_at(r, last)->units != h->end)
        return seq_size(h->end);
    if (end < last + (last == h->first))
        end = last + (last == h->first);
    if (end >= h->end)
        return seq_size(h->end);
    uint64_t gone = h->end - end;
    if (end > last)
        seq_set(r, last, 0, (uint32_t)end - last);
    else if (!ACRE_BUG_IS(26))
        seq_link(r, before, 0);
    acre_set32(r, &h->end, (uint32_t)end);
    h->free_units -= gone;
    return seq_size((uint32_t)end);
}

/* ---- looking ---- */

static void seq_stats(const acre_region *r, acre_stats *s)
{
    const seq_heap *h = seq_of(r);
    s->size = seq_size(h->end);
    s->overhead = (uint64_t)h->first * SEQ_UNIT + SEQ_HEADER;
    s->free_bytes = h->free_units * SEQ_UNIT;
    s->high_water = seq_size(h->high);
}

static bool seq_bounds(const acre_region *r)
{
    const seq_heap *h = seq_of(r);
    return r->size > seq_size(SEQ_FIRST) && h->first == SEQ_FIRST && h->end > SEQ_FIRST &&
           h->end <= (r->size - SEQ_HEADER) / SEQ_UNIT;
}

static int seq_walk(const acre_region *r, acre_visit *visit, void *arg)
{
    const seq_heap *h = seq_of(r);
    if (!seq_bounds(r))
        return ACRE_ECORRUPT;
    for (uint32_t u = h->first, units; u < h->end; u += units) {
        seq_block b = *seq_at(r, u);
        units = b.units;
        if (units < 1 || units > h->end - u)
            return ACRE_ECORRUPT;
        acre_block seen = {((uint64_t)u + 1) * SEQ_UNIT, seq_bytes(units),
                           (uint64_t)units * SEQ_UNIT, b.next == SEQ_USED};
        int e = visit(arg, &seen);
        if (e)
            return e;
    }
    return 0;
}

/* The walk over all blocks meets the free ones in the order in which the list must have them. */
static const char *seq_check_blocks(const acre_region *r, uint32_t *at, uint64_t *free_units)
{
    const seq_heap *h = seq_of(r);
    uint32_t expected = h->root;
    bool free_before = false, hint = h->hint == 0;
    for (uint32_t u = h->first; u < h->end; u += seq_at(r, u)->units) {
        seq_block b = *seq_at(r, u);
        bool is_free = b.next != SEQ_USED;
        *at = u;
        if (b.units < 1 || b.units > h->end - u)
            return "S1";
        if (is_free && free_before)
            return "S2";
        if (is_free != (u == expected))
            return "S3";
        if (is_free) {
            hint |= u == h->hint;
            expected = b.next;
            *free_units += b.units;
        }
        free_before = is_free;
    }
    return expected ? "S3" : hint ? NULL : "S5";
}

static int seq_check(const acre_region *r, acre_damage *d)
{
    uint32_t at = 0;
    uint64_t free_units = 0;
    const char *rule = seq_bounds(r) ? seq_check_blocks(r, &at, &free_units) : "S1";
    if (!rule && free_units != seq_of(r)->free_units)
        rule = "S4";
    if (!rule)
        return 0;
    *d = (acre_damage){(uint64_t)at * SEQ_UNIT + SEQ_HEADER, rule};
    return ACRE_ECORRUPT;
}

static int seq_add_free(void *arg, const acre_block *b)
{
    if (!b->used)
        *(uint64_t *)arg += b->total / SEQ_UNIT;
    return 0;
}

static void seq_recover(acre_region *r)
{
    uint64_t units = 0;
    seq_of(r)->hint = ACRE_BUG_IS(28) ? seq_of(r)->hint : 0;
    if (seq_walk(r, seq_add_free, &units) == 0)
        seq_of(r)->free_units = units;
}

static int seq_zero_block(void *arg, const acre_block *b)
{
    const acre_region *r = arg;
    if (!b->used)
        memset(r->base + b->offset, 0, b->size);
    return 0;
}

static void seq_zero_free(acre_region *r)
{
    seq_walk(r, seq_zero_block, r);
}

const acre_algorithm acre__simple_seq_fit;
const acre_algorithm acre__simple_seq_fit = {
    .name = "simple_seq_fit",
    .summary = "first fit over one address-ordered list of free blocks",
    .flags = ACRE_ROBUST,
    .layout_version = 1,
    .reach = (uint64_t)0xfffffff0u * SEQ_UNIT,
    .min_size = 64,
    .journal_words = 8, /* the most: a shrunk block's two headers and a release's three words */
    .growth = ACRE_GROWTH_LINEAR,
    .init = seq_init,
    .alloc = seq_alloc,
    .free = seq_free,
    .usable = seq_usable,
    .check = seq_check,
    .walk = seq_walk,
    .stats = seq_stats,
    .resize = seq_resize,
    .grow = seq_grow,
    .shrink = seq_shrink,
    .zero_free = seq_zero_free,
    .alloc_many = seq_alloc_many,
    .recover = seq_recover,
};
