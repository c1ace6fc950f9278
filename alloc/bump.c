/* SPDX-License-Identifier: MIT */
/* bump.c: a reference point: an allocator that only advances.  Nothing is ever given back, so it
 * shows what the least possible work costs when memory is touched once, and how much a trace
 * allocates in all.
 *
 *   base                                     next                    size
 *   +--------+-----+---------+-----+---------+-----------------------+
 *   | header | len | payload | len | payload | never used            |
 *   +--------+-----+---------+-----+---------+-----------------------+
 *
 * B1  next and end are multiples of 16, header <= next <= end = region's size
 * B2  blocks tile the bytes from the header to next
 */
#include <acre/algorithm.h>
#include <string.h>

struct bump_heap {
    uint64_t next, end;
};

struct bump_block {
    uint64_t pad, units; /* whole block, in 16 bytes; the payload follows */
};

enum { BUMP_HEADER = sizeof(struct bump_block) };
_Static_assert(sizeof(struct bump_heap) == 16 && BUMP_HEADER == 16, "keep payloads aligned");

static struct bump_heap *bump_of(const acre_region *r)
{
    return (struct bump_heap *)r->base;
}

static void bump_init(acre_region *r, size_t size, const acre_heap_options *o)
{
    (void)o;
    *bump_of(r) = (struct bump_heap){sizeof(struct bump_heap), size};
}

/* For a large alignment the gap in front becomes part of the block before it: it is skipped by
 * starting the block early, its header standing directly in front of the payload. */
static void *bump_alloc(acre_region *r, size_t size, size_t align)
{
    struct bump_heap *b = bump_of(r);
    uint64_t address = (uint64_t)(uintptr_t)r->base + b->next + BUMP_HEADER;
    uint64_t gap = -address & (align - 1), start = b->next + gap;
    uint64_t total = (BUMP_HEADER + size + 15) & ~(uint64_t)15;
    if (gap > b->end - b->next || total > b->end - start)
        return NULL;
    struct bump_block *block = (struct bump_block *)(r->base + start);
    block->pad = gap;
    block->units = total / 16;
    if (gap)
        *(struct bump_block *)(r->base + b->next) = (struct bump_block){gap, 0};
    acre_set64(r, &b->next, start + total);
    return block + 1;
}

static int bump_free(acre_region *r, void *p)
{
    (void)r;
    (void)p;
    return 0;
}

/* What no header of a block can say is none's. */
static size_t bump_usable(const acre_region *r, const void *p)
{
    uint64_t at = (uint64_t)((const char *)p - r->base), next = bump_of(r)->next;
    if (at < sizeof(struct bump_heap) + BUMP_HEADER || at > next)
        return 0;
    uint64_t units = ((const struct bump_block *)p)[-1].units;
    return units && units <= (next - at + BUMP_HEADER) / 16 ? units * 16 - BUMP_HEADER : 0;
}

/* The block whose region starts at `at`: a gap says where its header is. */
static const struct bump_block *bump_block_at(const acre_region *r, uint64_t at, uint64_t end)
{
    const struct bump_block *block = (const void *)(r->base + at);
    if (block->units == 0) {
        if (block->pad % 16 || block->pad == 0 || block->pad > end - at - BUMP_HEADER)
            return NULL;
        block = (const void *)(r->base + at + block->pad);
    }
    uint64_t start = (uint64_t)((const char *)block - r->base);
    return block->units >= 1 && block->units <= (end - start) / 16 ? block : NULL;
}

static bool bump_sane(const acre_region *r)
{
    const struct bump_heap *b = bump_of(r);
    return b->end == r->size && b->next <= b->end && b->next >= sizeof *b && b->next % 16 == 0;
}

static int bump_walk(const acre_region *r, acre_visit *visit, void *arg)
{
    uint64_t at = sizeof(struct bump_heap), next = bump_of(r)->next;
    if (!bump_sane(r))
        return ACRE_ECORRUPT;
    while (at < next) {
        const struct bump_block *block = bump_block_at(r, at, next);
        if (!block)
            return ACRE_ECORRUPT;
        uint64_t payload = (uint64_t)((const char *)(block + 1) - r->base);
        uint64_t usable = block->units * 16 - BUMP_HEADER;
        acre_block seen = {payload, usable, payload + usable - at, true};
        at = payload + usable;
        int e = visit(arg, &seen);
        if (e)
            return e;
    }
    acre_block rest = {at, bump_of(r)->end - at, bump_of(r)->end - at, false};
    return rest.size ? visit(arg, &rest) : 0;
}

static int bump_ignore(void *arg, const acre_block *block)
{
    (void)arg;
    (void)block;
    return 0;
}

static int bump_check(const acre_region *r, acre_damage *d)
{
    if (!bump_sane(r))
        *d = (acre_damage){0, "B1"};
    else if (bump_walk(r, bump_ignore, NULL) != 0)
        *d = (acre_damage){sizeof(struct bump_heap), "B2"};
    else
        return 0;
    return ACRE_ECORRUPT;
}

static void bump_stats(const acre_region *r, acre_stats *s)
{
    const struct bump_heap *b = bump_of(r);
    s->size = b->end;
    s->overhead = sizeof *b;
    s->free_bytes = b->end - b->next;
    s->high_water = b->next;
}

static int bump_grow(acre_region *r, size_t size)
{
    acre_set64(r, &bump_of(r)->end, size);
    return 0;
}

static void bump_zero_free(acre_region *r)
{
    memset(r->base + bump_of(r)->next, 0, bump_of(r)->end - bump_of(r)->next);
}

const acre_algorithm acre__bump;
const acre_algorithm acre__bump = {
    .name = "bump",
    .summary = "only advances, never gives back: a reference point",
    .flags = ACRE_ROBUST | ACRE_NO_FREE,
    .layout_version = 1,
    .min_size = 64,
    .journal_words = 2,
    .growth = ACRE_GROWTH_CONSTANT,
    .init = bump_init,
    .alloc = bump_alloc,
    .free = bump_free,
    .usable = bump_usable,
    .check = bump_check,
    .walk = bump_walk,
    .stats = bump_stats,
    .grow = bump_grow,
    .zero_free = bump_zero_free,
};
