/* SPDX-License-Identifier: MIT */
/* resize.c: the resize command (Boost.Interprocess's allocation_command): which ways are tried in
 * which order.  The ways themselves are the algorithm's. */
#include "alloc/heap.h"

#include <errno.h>

enum { RESIZE_SMALLER = ACRE_SHRINK | ACRE_TRY_SHRINK, RESIZE_LARGER = ACRE_FORWARDS | ACRE_BACKWARDS };

static bool resize_sensible(const acre_resize_command *c, const void *p)
{
    bool smaller = c->flags & RESIZE_SMALLER, larger = c->flags & (RESIZE_LARGER | ACRE_NEW);
    if (smaller == larger || c->limit > ACRE_SIZE_MAX || c->preferred > ACRE_SIZE_MAX)
        return false;
    if (c->align & (c->align - 1))
        return false;
    if (!p && c->flags != ACRE_NEW)
        return false;
    return smaller ? c->preferred <= c->limit : c->limit <= c->preferred;
}

/* One way, for sizes limit..preferred.  A new block is tried at exactly `preferred`. */
static void *resize_try(acre_heap *h, void *p, const acre_resize_command *c, uint32_t way,
                        size_t limit, size_t preferred, size_t *received)
{
    acre_resize_command one = *c;
    one.flags = way;
    one.limit = limit;
    one.preferred = preferred;
    if (!h->algorithm->resize)
        return NULL;
    void *q = h->algorithm->resize(&h->region, p, &one);
    *received = one.received;
    return q;
}

static void *resize_new(acre_heap *h, size_t size, const acre_resize_command *c, size_t *received)
{
    size_t align = c->align > ACRE_ALIGN_MIN ? c->align : ACRE_ALIGN_MIN;
    void *q = h->algorithm->alloc(&h->region, size + !size, align);
    if (q)
        *received = h->algorithm->usable(&h->region, q);
    return q;
}

/* Everything the command allows, to reach `limit`: forwards, backwards with both, new. */
static void *resize_all(acre_heap *h, void *p, const acre_resize_command *c, size_t limit,
                        size_t *received, bool *reused)
{
    void *q = NULL;
    *reused = true;
    if (c->flags & ACRE_FORWARDS)
        q = resize_try(h, p, c, ACRE_FORWARDS, limit, c->preferred, received);
    if (!q && (c->flags & ACRE_BACKWARDS))
        q = resize_try(h, p, c, c->flags & RESIZE_LARGER, limit, c->preferred, received);
    if (!q && (c->flags & ACRE_NEW)) {
        q = resize_new(h, limit, c, received);
        *reused = false;
    }
    return q;
}

static void *resize_run(acre_heap *h, void *p, acre_resize_command *c, bool *reused)
{
    *reused = true;
    if (c->flags & RESIZE_SMALLER)
        return h->algorithm->resize ? h->algorithm->resize(&h->region, p, c) : NULL;
    void *q = resize_all(h, p, c, c->preferred, &c->received, reused);
    if (!q && c->limit < c->preferred)
        q = resize_all(h, p, c, c->limit, &c->received, reused);
    return q;
}

/* Where no way is left and a new block is allowed, the segment grows. */
static void *resize_run_growing(acre_heap *h, void *p, acre_resize_command *c, bool *reused)
{
    void *q = resize_run(h, p, c, reused);
    while (!q && (c->flags & ACRE_NEW) && acre__heap_grow(h, c->limit, c->align))
        q = resize_run(h, p, c, reused);
    return q;
}

void *acre_resize(acre_heap *h, void *p, acre_resize_command *c, bool *reused)
{
    bool same;
    if (!resize_sensible(c, p) || (p && acre_usable_size(h, p) == 0))
        return NULL;
    if (acre__heap_enter(h) != 0)
        return NULL;
    void *q = resize_run_growing(h, p, c, &same);
    acre__heap_leave(h);
    if (q && reused)
        *reused = same;
    return q;
}
