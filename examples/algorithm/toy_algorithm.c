/* SPDX-License-Identifier: MIT */
/* toy_algorithm.c: a whole memory algorithm in 100 lines: first fit over all blocks, used and free
 * (Knuth, The Art of Computer Programming, vol. 1, 2.5).  As alloc/toy.c with a line in
 * alloc/algorithms.def it is in all tests and benches; own_algorithm.c registers it instead.
 *   | heap | header | payload ... | header | payload ... |   header: units of 16 bytes | used << 32
 * Y1  blocks tile the units from 1 to end; each has at least 2
 * Y2  no two free blocks are neighbours */
#include <acre/algorithm.h>

typedef struct toy_block { uint64_t word, high; } toy_block; /* block 0 is the heap: end, high */
enum { TOY_UNIT = 16, TOY_LEAST = 2 };

static toy_block *toy_at(const acre_region *r, uint64_t u) { return (toy_block *)r->base + u; }
static uint64_t toy_end(const acre_region *r) { return toy_at(r, 0)->word; }
static uint64_t toy_units(const acre_region *r, uint64_t u) { return (uint32_t)toy_at(r, u)->word; }
static bool toy_used(const acre_region *r, uint64_t u) { return toy_at(r, u)->word >> 32 == 1; }
static void toy_set(acre_region *r, uint64_t u, uint64_t units, uint64_t used) /* and note it */
{
    acre_set64(r, &toy_at(r, u)->word, units | used << 32);
}
static void toy_init(acre_region *r, size_t size, const acre_heap_options *o)
{
    (void)o;
    *toy_at(r, 0) = (toy_block){size / TOY_UNIT, 1};
    toy_at(r, 1)->word = size / TOY_UNIT - 1;
}
/* Units to leave in front of the block at u, so that its payload is aligned. */
static uint64_t toy_front(const acre_region *r, uint64_t u, size_t align)
{
    uint64_t front = (-(uintptr_t)toy_at(r, u + 1) & (align - 1)) / TOY_UNIT;
    return front && front < TOY_LEAST ? front + align / TOY_UNIT : front;
}
static void *toy_cut(acre_region *r, uint64_t u, uint64_t front, uint64_t n)
{
    uint64_t rest = toy_units(r, u) - front - n, end = u + front + n;
    if (rest < TOY_LEAST)
        end += rest, n += rest;
    else
        toy_set(r, end, rest, 0);
    toy_set(r, u + front, n, 1);
    if (front)
        toy_set(r, u, front, 0);
    if (end > toy_at(r, 0)->high) /* only rises, need not be noted */
        toy_at(r, 0)->high = end;
    return toy_at(r, u + front + 1);
}
static void *toy_alloc(acre_region *r, size_t size, size_t align)
{
    uint64_t n = 1 + (size + TOY_UNIT - 1) / TOY_UNIT;
    for (uint64_t u = 1; u < toy_end(r); u += toy_units(r, u)) {
        uint64_t front = toy_used(r, u) ? 0 : toy_front(r, u, align);
        if (!toy_used(r, u) && toy_units(r, u) >= front + n)
            return toy_cut(r, u, front, n);
    }
    return NULL;
}
static size_t toy_usable(const acre_region *r, const void *p)
{
    uint64_t u = (uint64_t)((const toy_block *)p - toy_at(r, 0)) - 1, end = toy_end(r);
    bool sane = u >= 1 && u < end && toy_used(r, u) && toy_units(r, u) <= end - u;
    return sane && toy_units(r, u) >= TOY_LEAST ? (toy_units(r, u) - 1) * TOY_UNIT : 0;
}
static int toy_free(acre_region *r, void *p)
{
    uint64_t u = (uint64_t)((toy_block *)p - toy_at(r, 0)) - 1, before = 0, at = 1, units;
    for (; at < toy_end(r) && at < u; at += toy_units(r, at))
        before = toy_used(r, at) ? 0 : at;
    if (at != u || at >= toy_end(r) || !toy_used(r, u))
        return ACRE_EINVALID;
    units = toy_units(r, u);
    if (u + units < toy_end(r) && !toy_used(r, u + units))
        units += toy_units(r, u + units);
    toy_set(r, u, before ? 0 : units, 0);
    if (before)
        toy_set(r, before, toy_units(r, before) + units, 0);
    return 0;
}
static int toy_walk(const acre_region *r, acre_visit *visit, void *arg)
{
    uint64_t end = toy_end(r), units, free_before = 0;
    int e = end == r->size / TOY_UNIT ? 0 : ACRE_ECORRUPT;
    for (uint64_t u = 1; !e && u < end; free_before = !toy_used(r, u), u += units) {
        units = toy_units(r, u);
        if (units < TOY_LEAST || units > end - u || (free_before && !toy_used(r, u)) ||
            toy_at(r, u)->word >> 32 > 1)
            return ACRE_ECORRUPT;
        acre_block b = {(u + 1) * TOY_UNIT, (units - 1) * TOY_UNIT, units * TOY_UNIT, toy_used(r, u)};
        e = visit ? visit(arg, &b) : 0;
    }
    return e;
}
static int toy_check(const acre_region *r, acre_damage *d)
{
    *d = (acre_damage){0, "Y1 or Y2"};
    return toy_walk(r, NULL, NULL);
}
static void toy_stats(const acre_region *r, acre_stats *s)
{
    *s = (acre_stats){.size = toy_end(r) * TOY_UNIT, .overhead = TOY_UNIT,
                      .high_water = toy_at(r, 0)->high * TOY_UNIT};
    for (uint64_t u = 1; u < r->size / TOY_UNIT; u += toy_units(r, u) + !toy_units(r, u))
        s->free_bytes += toy_used(r, u) ? 0 : toy_units(r, u) * TOY_UNIT;
}
extern const acre_algorithm acre__toy;
const acre_algorithm acre__toy = {
    .name = "toy", .summary = "an example: first fit over all blocks", .flags = ACRE_ROBUST,
    .layout_version = 1, .reach = (uint64_t)TOY_UNIT << 32, .min_size = 64, .journal_words = 3,
    .init = toy_init, .alloc = toy_alloc, .free = toy_free, .usable = toy_usable,
    .check = toy_check, .walk = toy_walk, .stats = toy_stats};
