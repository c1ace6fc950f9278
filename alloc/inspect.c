/* SPDX-License-Identifier: MIT */
/* inspect.c: looking at a heap: check, walk, statistics.  A read-only handle cannot take the lock;
 * it looks without it, and may see a moment in between. */
#include "alloc/heap.h"

#include <errno.h>
#include <string.h>

static int inspect_enter(acre_heap *h)
{
    int e = h->read_only ? 0 : acre__heap_enter(h);
    if (!e)
        acre__heap_measure(h);
    return e;
}

static void inspect_leave(acre_heap *h)
{
    if (!h->read_only)
        acre__heap_leave(h);
}

int acre_heap_check(acre_heap *h, acre_damage *d)
{
    acre_damage found = {0};
    int e = inspect_enter(h);
    if (e)
        return e;
    e = h->algorithm->check(&h->region, &found);
    inspect_leave(h);
    if (e && d)
        *d = found;
    return e;
}

int acre_heap_walk(acre_heap *h, acre_visit *visit, void *arg)
{
    int e = inspect_enter(h);
    if (e)
        return e;
    e = h->algorithm->walk(&h->region, visit, arg);
    inspect_leave(h);
    return e;
}

static int inspect_count(void *arg, const acre_block *b)
{
    acre_stats *s = arg;
    if (b->used) {
        s->used_blocks++;
        s->used_bytes += b->size;
        return 0;
    }
    unsigned log = b->size ? 63 - (unsigned)__builtin_clzll(b->size) : 0;
    s->histogram[log < 48 ? log : 47]++;
    s->free_blocks++;
    if (b->size > s->largest_free)
        s->largest_free = b->size;
    return 0;
}

int acre_heap_stats(acre_heap *h, acre_stats *s)
{
    acre_stats found = {0};
    int e = inspect_enter(h);
    if (e)
        return e;
    h->algorithm->stats(&h->region, &found);
    e = h->algorithm->walk(&h->region, inspect_count, &found);
    found.recoveries = h->control->recoveries;
    inspect_leave(h);
    if (!e)
        *s = found;
    return e;
}

static acre_stats inspect_totals(acre_heap *h)
{
    acre_stats s = {0};
    if (inspect_enter(h) != 0)
        return s;
    h->algorithm->stats(&h->region, &s);
    inspect_leave(h);
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
    return acre_heap_stats(h, &s) == 0 && s.used_blocks == 0;
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
    if (!h->algorithm->free_empty || acre__heap_enter(h) != 0)
        return 0;
    size_t bytes = h->algorithm->free_empty(&h->region);
    acre__heap_leave(h);
    return bytes;
}

const acre_algorithm *acre_heap_algorithm(const acre_heap *h)
{
    return h->algorithm;
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
