/* SPDX-License-Identifier: MIT */
/* grow.c: a segment that grows by itself.  Step and limit are in the header, so that all processes agree; what
 * calls this is the heap (alloc/more.c), under its lock. */
#include "segment/internal.h"
#include "sync/bug.h"

#include <errno.h>
#include <stddef.h>

static acre_segment *grow_segment_of(acre_heap *h)
{
    return (acre_segment *)(void *)((char *)h - offsetof(acre_segment, heap));
}

static uint64_t grow_least(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

static uint64_t grow_most(uint64_t a, uint64_t b)
{
    return a > b ? a : b;
}

uint64_t acre__grow_limit(const acre_segment *s)
{
    const segment_header *h = segment_header_of(s);
    uint64_t limit = acre__peek(&h->grow_limit);
    if (!acre__peek(&h->grow_step))
        return 0;
    return limit ? grow_least(limit, s->capacity) : s->capacity;
}

/* The limit of this process, in whole pages where the memory is a file. */
static uint64_t grow_reach(const acre_segment *s)
{
    uint64_t reach = grow_least(acre__grow_limit(s), s->window);
    if (s->grow_limit && !ACRE_BUG_IS(152))
        reach = grow_least(reach, s->grow_limit);
    return s->fd < 0 ? reach : reach & ~(uint64_t)(s->page - 1);
}

/* Under the lock.  What is noted is the caller's to commit. */
static int grow_by(acre_segment *s, uint64_t bytes, uint64_t reach)
{
    uint64_t size = segment_header_of(s)->size, page = s->page;
    uint64_t wish = size + grow_least(bytes, reach - size);
    return acre__manager_grow(s, grow_least((wish + page - 1) & ~(page - 1), reach));
}

/* A large step may fail where what is needed has room.  What cannot be had at the limit either is not grown for. */
static int grow_more(acre_heap *h, uint64_t bytes)
{
    acre_segment *s = grow_segment_of(h);
    uint64_t reach = grow_reach(s), step = acre__peek(&segment_header_of(s)->grow_step);
    if (bytes > reach || segment_header_of(s)->size >= reach)
        return ENOMEM;
    int e = grow_by(s, grow_most(step, bytes), reach);
    return e == ENOSPC && bytes < step ? grow_by(s, bytes, reach) : e;
}

acre__grow_hook *acre__grow_hook_of(const acre_segment *s)
{
    if (s->read_only || s->source == ACRE_BUFFER || !acre__grow_limit(s))
        return NULL;
    return grow_more;
}

int acre__grow_check(enum acre_source source, const acre_segment_options *o)
{
    if (o->grow_step > ACRE_SIZE_MAX || o->grow_limit > ACRE_SIZE_MAX)
        return ACRE_ETOOBIG;
    if (o->grow_limit && (!o->grow_step || o->grow_limit < o->size))
        return EINVAL;
    return o->grow_step && (source == ACRE_BUFFER || !o->algorithm->grow) ? ENOTSUP : 0;
}

int acre_segment_shrink_to_fit(acre_segment *s)
{
    return acre_segment_shrink(s, 0);
}
