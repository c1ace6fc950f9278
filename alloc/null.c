/* SPDX-License-Identifier: MIT */
/* null.c: a reference point: every request gets the same address.  Measures what a call through
 * the library costs before any algorithm does anything.  Not a heap: blocks overlap. */
#include <acre/algorithm.h>

enum { NULL_PAYLOAD = 64 };

static void null_init(acre_region *r, size_t size, const acre_heap_options *o)
{
    (void)o;
    *(uint64_t *)r->base = size;
}

static void *null_alloc(acre_region *r, size_t size, size_t align)
{
    (void)size;
    return align <= NULL_PAYLOAD ? r->base + NULL_PAYLOAD : NULL;
}

static int null_free(acre_region *r, void *p)
{
    (void)r;
    (void)p;
    return 0;
}

static size_t null_usable(const acre_region *r, const void *p)
{
    (void)p;
    return *(const uint64_t *)r->base - NULL_PAYLOAD;
}

static int null_check(const acre_region *r, acre_damage *d)
{
    if (*(const uint64_t *)r->base <= r->size)
        return 0;
    *d = (acre_damage){0, "size"};
    return ACRE_ECORRUPT;
}

static int null_walk(const acre_region *r, acre_visit *visit, void *arg)
{
    acre_block all = {NULL_PAYLOAD, r->size - NULL_PAYLOAD, r->size - NULL_PAYLOAD, false};
    return visit(arg, &all);
}

static void null_stats(const acre_region *r, acre_stats *s)
{
    s->size = *(const uint64_t *)r->base;
    s->overhead = NULL_PAYLOAD;
    s->free_bytes = s->size - NULL_PAYLOAD;
    s->high_water = NULL_PAYLOAD;
}

static void *null_resize(acre_region *r, void *p, acre_resize_command *c)
{
    c->received = null_usable(r, p);
    return p;
}

const acre_algorithm acre__null;
const acre_algorithm acre__null = {
    .name = "null",
    .summary = "answers a constant: what the call itself costs",
    .flags = ACRE_ROBUST | ACRE_NO_FREE | ACRE_REFERENCE,
    .layout_version = 1,
    .min_size = 128,
    .growth = ACRE_GROWTH_CONSTANT,
    .init = null_init,
    .alloc = null_alloc,
    .free = null_free,
    .usable = null_usable,
    .check = null_check,
    .walk = null_walk,
    .stats = null_stats,
    .resize = null_resize,
};
