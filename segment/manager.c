/* SPDX-License-Identifier: MIT */
/* manager.c: what one does with an open segment: its heap, offsets, growth, facts. */
#include "segment/internal.h"

#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

acre_heap *acre_segment_heap(acre_segment *s)
{
    return &s->heap;
}

void *acre_segment_base(const acre_segment *s)
{
    return s->base;
}

size_t acre_segment_size(const acre_segment *s)
{
    return __atomic_load_n(&segment_header_of(s)->size, __ATOMIC_RELAXED);
}

size_t acre_segment_capacity(const acre_segment *s)
{
    return s->room > s->capacity ? s->room : s->capacity;
}

int acre_segment_fd(const acre_segment *s)
{
    return s->fd;
}

acre_off *acre_segment_root(acre_segment *s)
{
    return &segment_header_of(s)->root;
}

/* ---- offsets ---- */

static size_t manager_reach(const acre_segment *s)
{
    size_t size = acre_segment_size(s);
    return size < s->window ? size : s->window;
}

bool acre_segment_contains(const acre_segment *s, const void *address)
{
    return (uint64_t)((const char *)address - s->base) < manager_reach(s);
}

acre_off acre_segment_offset(const acre_segment *s, const void *address)
{
    return acre_segment_contains(s, address) ? (acre_off)((const char *)address - s->base) : 0;
}

void *acre_segment_address(const acre_segment *s, acre_off offset)
{
    return offset && offset < manager_reach(s) ? s->base + offset : NULL;
}

/* ---- growing and shrinking ---- */

static uint64_t manager_page_round(const acre_segment *s, uint64_t n)
{
    if (s->source == ACRE_BUFFER)
        return n;
    return (n + s->page - 1) & ~(uint64_t)(s->page - 1);
}

static uint64_t manager_region_of(const acre_segment *s, uint64_t size)
{
    return size - (uint64_t)(s->heap.region.base - s->base);
}

/* Other memory is zero where nobody was yet; a buffer holds anything. */
static void manager_clear(acre_segment *s, uint64_t size)
{
    char *end = s->heap.region.base + s->heap.control->region_size;
    memset(end, 0, (size_t)(s->base + size - end));
}

/* Under the lock.  Killed after the reservation: the file is longer than the header says, which
 * the next growth uses.  Killed after any store: the journal undoes them all. */
int acre__manager_grow(acre_segment *s, uint64_t size)
{
    segment_header *h = segment_header_of(s);
    if (size <= h->size)
        return 0;
    int e = s->fd >= 0 ? acre__file_reserve(s->fd, size) : 0;
    if (e)
        return e;
    if (s->source == ACRE_BUFFER && s->heap.control->zeroed)
        manager_clear(s, size);
    if (ACRE_BUG_IS(15))
        h->size = size;
    acre_set64(&s->heap.region, &h->size, size);
    return acre__heap_extend(&s->heap, manager_region_of(s, size));
}

/* Where nobody else is, the capacity can still be changed. */
static int manager_make_room(acre_segment *s, size_t size)
{
    if (s->source != ACRE_HEAP && s->source != ACRE_BUFFER)
        return size > s->capacity ? E2BIG : size > s->window ? ENOMEM : 0;
    if (size > ACRE_SIZE_MAX)
        return E2BIG;
    bool enough = size <= s->capacity && size <= s->window;
    return enough ? 0 : acre__move_capacity(s, manager_page_round(s, size));
}

int acre_segment_grow(acre_segment *s, size_t size)
{
    if (!s->heap.algorithm->grow || s->source == ACRE_XSI || s->access == ACRE_ACCESS_COPY)
        return ENOTSUP;
    if (s->read_only)
        return EROFS;
    int e = manager_make_room(s, size);
    if (e)
        return e;
    uint64_t rounded = manager_page_round(s, size);
    rounded = rounded < s->capacity ? rounded : s->capacity;
    if (rounded > s->window)
        return ENOMEM;
    e = acre__heap_enter(&s->heap);
    if (e)
        return e;
    e = acre__manager_grow(s, rounded);
    acre__heap_leave(&s->heap);
    return e;
}

/* The pages go only after the commit, under the lock still: nobody can be using them, nor grow. */
static void manager_give_back(acre_segment *s, uint64_t old)
{
    uint64_t size = manager_page_round(s, segment_header_of(s)->size);
    if (size >= old)
        return;
    if (s->fd < 0)
        madvise(s->base + size, old - size, s->source == ACRE_HEAP ? MADV_DONTNEED : MADV_REMOVE);
    else if (ftruncate(s->fd, (off_t)size) != 0)
        return; /* sealed against shrinking: it stays reserved */
}

static int manager_shrink(acre_segment *s, uint64_t size)
{
    segment_header *h = segment_header_of(s);
    uint64_t start = (uint64_t)(s->heap.region.base - s->base), now, old = h->size;
    int e = acre__heap_contract(&s->heap, size > start ? size - start : 0, &now);
    if (e)
        return e;
    now = s->fd >= 0 ? manager_page_round(s, now + start) : now + start;
    if (now < old)
        acre_set64(&s->heap.region, &h->size, now);
    acre__heap_commit(&s->heap);
    manager_give_back(s, old);
    return 0;
}

int acre_segment_shrink(acre_segment *s, size_t size)
{
    if (s->source == ACRE_BUFFER || s->source == ACRE_XSI || s->access == ACRE_ACCESS_COPY)
        return ENOTSUP;
    int e = acre__heap_enter(&s->heap);
    if (e)
        return e;
    e = manager_shrink(s, size);
    acre__heap_leave(&s->heap);
    return e;
}

/* ---- facts ---- */

void acre_segment_info_get(const acre_segment *s, acre_segment_info *info)
{
    const segment_header *h = segment_header_of(s);
    *info = (acre_segment_info){
        .format_version = h->format,
        .algorithm_version = h->algorithm_version,
        .size = acre_segment_size(s),
        .capacity = s->capacity,
        .region = (uint64_t)(s->heap.region.base - s->base),
        .heap = acre_heap_options_of(&s->heap),
        .grow_step = acre__peek(&h->grow_step),
        .grow_limit = acre__grow_limit(s),
    };
    strcpy(info->algorithm, s->heap.algorithm->name);
    memcpy(info->uuid, h->uuid, sizeof info->uuid);
}

size_t acre_segment_min_size(const acre_algorithm *a, const acre_heap_options *o)
{
    static const acre_heap_options defaults;
    return segment_front(ACRE_INDEX_HASH) + acre__heap_overhead(a, o ? o : &defaults) +
           ((a->min_size + 63) & ~(uint64_t)63);
}
