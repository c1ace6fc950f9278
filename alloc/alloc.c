/* SPDX-License-Identifier: MIT */
/* alloc.c: allocating and freeing one block.  What every algorithm would repeat is done here once:
 * zero and impossible sizes, alignments, the lock, the journal's commit. */
#include "alloc/heap.h"

#include <errno.h>
#include <string.h>

static inline bool alloc_impossible(size_t size, size_t align)
{
    return (size > ACRE_SIZE_MAX) | (align > ACRE_SIZE_MAX) | ((align & (align - 1)) != 0);
}

/* A plain heap has nothing to do around a call, but to hide links if it was zeroed. */
static inline bool alloc_plain(const acre_heap *h)
{
    return h->plain && !h->control->zeroed;
}

static size_t alloc_links(const acre_heap *h, const void *p)
{
    size_t usable = h->algorithm->usable(&h->region, p), links = h->inner->link_bytes;
    return usable < links ? usable : links;
}

void acre__heap_hide_links(const acre_heap *h, void *p)
{
    memset(p, 0, alloc_links(h, p));
}

void acre__heap_hide_links_noted(const acre_heap *h, void *p)
{
    size_t bytes = alloc_links(h, p), whole = bytes / sizeof(uint64_t);
    uint64_t *word = p;
    for (size_t i = 0; i < whole; i++)
        acre_set64(&h->region, &word[i], 0);
    if (bytes % sizeof *word)
        acre_set64(&h->region, &word[whole],
                   word[whole] & ~(uint64_t)0 << bytes % sizeof *word * 8);
}

/* Out of line, so that a plain heap's calls are a jump. */
static __attribute__((noinline)) void *alloc_locked_now(acre_heap *h, size_t size, size_t align)
{
    if (__builtin_expect(acre__heap_enter(h) != 0, 0))
        return NULL;
    void *p = h->alloc(&h->region, size, align);
    acre__heap_leave(h);
    if (__builtin_expect(h->control->zeroed, 0) && p)
        acre__heap_hide_links(h, p);
    return p;
}

static __attribute__((noinline)) void *alloc_locked(acre_heap *h, size_t size, size_t align)
{
    if (__builtin_expect(acre__heap_enter(h) != 0, 0))
        return NULL;
    void *p = h->alloc(&h->region, size, align);
    acre__heap_leave(h);
    if (__builtin_expect(!p, 0))
        return acre__heap_alloc_growing(h, size, align);
    if (__builtin_expect(h->control->zeroed, 0))
        acre__heap_hide_links(h, p);
    return p;
}

static inline void *alloc_one(acre_heap *h, size_t size, size_t align)
{
    if (alloc_plain(h))
        return h->alloc(&h->region, size, align);
    return alloc_locked(h, size, align);
}

void *acre__heap_alloc(acre_region *r, size_t size)
{
    if (__builtin_expect(size > ACRE_SIZE_MAX, 0))
        return NULL;
    return alloc_one((acre_heap *)r, size + !size, ACRE_ALIGN_MIN);
}

void *acre__heap_alloc_now(acre_region *r, size_t size)
{
    acre_heap *h = (acre_heap *)r;
    if (size > ACRE_SIZE_MAX)
        return NULL;
    return alloc_plain(h) ? h->alloc(r, size + !size, ACRE_ALIGN_MIN)
                          : alloc_locked_now(h, size + !size, ACRE_ALIGN_MIN);
}

void *acre_alloc(acre_heap *h, size_t size)
{
    return h->take(&h->region, size);
}

void *acre_alloc_aligned(acre_heap *h, size_t size, size_t align)
{
    if (align == 0 || alloc_impossible(size, align))
        return NULL;
    if (align <= ACRE_ALIGN_MIN)
        return acre_alloc(h, size);
    return alloc_one(h, size + !size, align);
}

/* ---- zeroed ---- */

enum { ALLOC_FRESH = 1 << 16 }; /* bytes above which it pays to take the lock for it; on no thread's shelf */

/* The system's memory is zero where nobody was yet.  A caller's buffer may hold anything. */
static bool alloc_knows_zero(const acre_heap *h, size_t bytes)
{
    return bytes > ALLOC_FRESH && bytes <= ACRE_SIZE_MAX && h->inner->untouched && h->give_back &&
           !h->control->zeroed;
}

/* Looking where nobody was is one thing with the allocation: others could be there in between. */
static void *alloc_fresh(acre_heap *h, size_t bytes)
{
    if (acre__heap_enter(h) != 0)
        return NULL;
    const char *clean = h->region.base + h->inner->untouched(&h->region);
    char *p = h->alloc(&h->region, bytes, ACRE_ALIGN_MIN);
    acre__heap_leave(h);
    if (p && p < clean)
        memset(p, 0, bytes < (size_t)(clean - p) ? bytes : (size_t)(clean - p));
    return p;
}

void *acre_calloc(acre_heap *h, size_t n, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(n, size, &bytes))
        return NULL;
    void *p = alloc_knows_zero(h, bytes) ? alloc_fresh(h, bytes) : NULL;
    if (p)
        return p;
    p = acre_alloc(h, bytes);
    return p ? memset(p, 0, bytes) : NULL;
}

static __attribute__((noinline)) int alloc_free_locked(acre_heap *h, void *p)
{
    int e = acre__heap_enter(h);
    if (__builtin_expect(e != 0, 0))
        return e;
    e = h->free(&h->region, p);
    acre__heap_leave(h);
    return __builtin_expect(e != 0, 0) ? acre__heap_misuse(h, e, p) : 0;
}

int acre__heap_free(acre_region *r, void *p)
{
    acre_heap *h = (acre_heap *)r;
    if (!p)
        return 0;
    if (h->plain)
        return h->free(&h->region, p);
    if (__builtin_expect(acre__heap_foreign(h, p), 0))
        return acre__heap_misuse(h, ACRE_EINVALID, p);
    return alloc_free_locked(h, p);
}

int acre_free(acre_heap *h, void *p)
{
    return h->give(&h->region, p);
}

size_t acre_usable_size(acre_heap *h, const void *p)
{
    size_t usable = acre__heap_foreign(h, p) ? 0 : h->algorithm->usable(&h->region, p);
    if (__builtin_expect(usable == 0, 0))
        acre__heap_misuse(h, acre__heap_judge(h, p), p);
    return usable;
}

/* Grow in place to at least size, or shrink to it; false leaves the block as it is. */
static bool realloc_locked(acre_heap *h, void *p, size_t size, size_t usable)
{
    acre_resize_command c = {.flags = ACRE_FORWARDS, .limit = size, .preferred = size};
    if (size <= usable)
        c = (acre_resize_command){.flags = ACRE_SHRINK, .limit = usable, .preferred = size};
    if (!h->algorithm->resize || acre__heap_enter(h) != 0)
        return size <= usable;
    bool done = h->algorithm->resize(&h->region, p, &c) != NULL;
    acre__heap_leave(h);
    return done || size <= usable;
}

/* As keeps() of acre/algorithm.h. */
static int realloc_keeps(acre_heap *h, const void *p, size_t size, size_t *usable)
{
    if (acre__heap_own(h) && !acre__heap_foreign(h, p))
        return h->inner->keeps(&h->region, p, size, usable);
    *usable = acre_usable_size(h, p);
    return EAGAIN;
}

/* The copy is made outside the lock.  Killed before the free: the old block is leaked. */
static void *realloc_by_moving(acre_heap *h, void *p, size_t size, size_t usable)
{
    void *q = acre_alloc(h, size);
    if (!q)
        return NULL;
    memcpy(q, p, usable < size ? usable : size);
    acre_free(h, p);
    return q;
}

/* When there is no room for a second block: take the free blocks around this one and move the
 * contents down. */
static void *realloc_backwards(acre_heap *h, void *p, size_t size, size_t usable)
{
    acre_resize_command c = {
        .flags = ACRE_FORWARDS | ACRE_BACKWARDS, .limit = size, .preferred = size};
    void *q = acre_resize(h, p, &c, NULL);
    if (!q)
        return NULL;
    memmove(q, p, usable);
    realloc_locked(h, q, size, c.received);
    return q;
}

void *acre_realloc(acre_heap *h, void *p, size_t size)
{
    if (!p)
        return acre_alloc(h, size);
    size_t usable;
    size += !size;
    int e = realloc_keeps(h, p, size, &usable);
    if (size > ACRE_SIZE_MAX || usable == 0)
        return NULL;
    if (e == 0 || (e == EAGAIN && realloc_locked(h, p, size, usable)))
        return p;
    void *q = realloc_by_moving(h, p, size, usable);
    return q ? q : realloc_backwards(h, p, size, usable);
}
