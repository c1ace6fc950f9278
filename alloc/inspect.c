/* SPDX-License-Identifier: MIT */
/* inspect.c: looking at a heap: check, walk, statistics.  A read-only handle cannot take the lock;
 * it looks without it (look.c). */
#include "alloc/heap.h"

#include <errno.h>
#include <string.h>

int acre__inspect(acre_heap *h, acre__look_collect *collect, void *arg)
{
    if (h->read_only)
        return acre__look(h, collect, arg);
    int e = acre__heap_enter(h);
    if (e)
        return e;
    acre__heap_measure(h);
    e = collect(h, h->control->version, arg);
    acre__heap_leave(h);
    return e;
}

/* What the dead have left is finished first. */
static int inspect(acre_heap *h, acre__look_collect *collect, void *arg)
{
    if (h->inner->settle && h->lock)
        h->inner->settle(&h->region);
    return acre__inspect(h, collect, arg);
}

/* ---- check ---- */

static bool inspect_inside(const acre_heap *h)
{
    uint64_t start = (uint64_t)(h->region.base - h->segment), size = acre__peek(h->size);
    return start <= size && acre__peek(&h->control->region_size) <= size - start;
}

static int inspect_damage(acre_heap *h, uint64_t version, void *arg)
{
    (void)version;
    if (inspect_inside(h) || ACRE_BUG_IS(147))
        return h->algorithm->check(&h->region, arg);
    *(acre_damage *)arg = (acre_damage){0, "H1 the region ends inside the segment"};
    return ACRE_ECORRUPT;
}

int acre_heap_check(acre_heap *h, acre_damage *d)
{
    acre_damage found = {0};
    int e = inspect(h, inspect_damage, &found);
    if (e < 0 && e != ACRE_EPOISONED && d)
        *d = found;
    return e;
}

/* ---- walk ---- */

typedef struct inspect_visitor {
    acre_visit *visit;
    void *arg;
} inspect_visitor;

static int inspect_show(acre_heap *h, uint64_t version, void *arg)
{
    const inspect_visitor *v = arg;
    (void)version;
    return h->algorithm->walk(&h->region, v->visit, v->arg);
}

int acre_heap_walk(acre_heap *h, acre_visit *visit, void *arg)
{
    if (h->read_only)
        return acre__look_walk(h, visit, arg);
    return inspect(h, inspect_show, &(inspect_visitor){visit, arg});
}

/* ---- statistics ---- */

typedef struct inspect_count {
    acre_stats s;
    acre_heap *heap;
    uint64_t version;
} inspect_count;

static void inspect_count_free(acre_stats *s, uint64_t size)
{
    unsigned log = size ? 63 - (unsigned)__builtin_clzll(size) : 0;
    s->histogram[log < 48 ? log : 47]++;
    s->free_blocks++;
    s->free_usable += size;
    if (size > s->largest_free)
        s->largest_free = size;
}

static int inspect_count_block(void *arg, const acre_block *b)
{
    inspect_count *c = arg;
    if (acre__look_late(c->heap, c->version))
        return EAGAIN;
    if (!b->used) {
        inspect_count_free(&c->s, b->size);
        return 0;
    }
    c->s.used_blocks++;
    c->s.used_bytes += b->size;
    c->s.used_total += b->total;
    return 0;
}

static double inspect_missing(uint64_t part, uint64_t whole)
{
    return whole ? 1 - (double)part / (double)whole : 0;
}

/* What costs O(1). */
static int inspect_sizes(acre_heap *h, uint64_t version, void *arg)
{
    acre_stats *s = arg;
    (void)version;
    *s = (acre_stats){0};
    acre__heap_measure(h);
    h->algorithm->stats(&h->region, s);
    s->recoveries = h->control->recoveries;
    return 0;
}

static int inspect_all(acre_heap *h, uint64_t version, void *arg)
{
    inspect_count *c = arg;
    *c = (inspect_count){.heap = h, .version = version};
    inspect_sizes(h, version, &c->s);
    int e = h->algorithm->walk(&h->region, inspect_count_block, c);
    c->s.external_fragmentation = inspect_missing(c->s.largest_free, c->s.free_usable);
    c->s.internal_fragmentation = inspect_missing(c->s.used_bytes, c->s.used_total);
    c->s.exact = true;
    return e;
}

int acre_heap_stats(acre_heap *h, acre_stats *s)
{
    inspect_count c;
    int e = inspect(h, inspect_all, &c);
    if (e == EAGAIN)
        return inspect_sizes(h, 0, s);
    if (!e)
        *s = c.s;
    return e;
}

static acre_stats inspect_totals(acre_heap *h)
{
    acre_stats s = {0};
    if (inspect(h, inspect_sizes, &s) == EAGAIN)
        inspect_sizes(h, 0, &s);
    return s;
}

size_t acre_heap_free_memory(acre_heap *h)
{
    return inspect_totals(h).free_bytes;
}

size_t acre_heap_high_water(acre_heap *h)
{
    return (size_t)(h->region.base - h->segment) + inspect_totals(h).high_water;
}

bool acre_heap_all_free(acre_heap *h)
{
    acre_stats s;
    return acre_heap_stats(h, &s) == 0 && s.exact && s.used_blocks == 0;
}

int acre_heap_zero_free(acre_heap *h)
{
    if (!h->algorithm->zero_free)
        return ENOTSUP;
    int e = acre__heap_enter(h);
    if (e)
        return e;
    acre__heap_measure(h);
    h->control->zeroed = 1;
    h->algorithm->zero_free(&h->region);
    acre__heap_leave(h);
    return 0;
}

size_t acre_heap_free_empty(acre_heap *h)
{
    if (!h->algorithm->free_empty)
        return 0;
    size_t bytes = h->inner->relieve && !h->read_only ? h->inner->relieve(&h->region) : 0;
    if (acre__heap_enter(h) != 0)
        return bytes;
    bytes += h->algorithm->free_empty(&h->region);
    acre__heap_leave(h);
    return bytes;
}

const acre_algorithm *acre_heap_algorithm(const acre_heap *h)
{
    return h->inner;
}

acre_heap_options acre_heap_options_of(const acre_heap *h)
{
    const acre__heap_control *c = h->control;
    acre_heap_options o = {
        .lock = c->lock_kind, .journal = c->journal_mode, .checks = c->checks, .given = ~0u};
    memcpy(o.param, c->param, sizeof o.param);
    if (h->algorithm->classes)
        h->algorithm->classes(&h->region, &o);
    return o;
}
