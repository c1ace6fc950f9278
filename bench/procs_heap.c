/* SPDX-License-Identifier: MIT */
/* procs_heap.c: one heap for many processes.
 *
 *     acre     a segment in a memfd; each process maps it at an address of its own
 *     Boost    a segment in memory that was mapped before the processes parted: the same address
 *     malloc   a heap in each process */
#include "bench/procs_internal.h"

#include <acre/alloc.h>
#include <acre/segment.h>

#include <errno.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

static void heap_take(procs_heap *h, acre_segment *s)
{
    h->house = s;
    h->heap = acre_segment_heap(s);
    h->base = acre_segment_base(s);
}

static int heap_make_house(procs_heap *h, const acre_contender *c)
{
    acre_segment *s;
    acre_segment_options o = {.size = h->bytes, .index = ACRE_INDEX_NONE};
    int e = acre_spec_parse(c->spec, &o.algorithm, &o.heap);
    if (!e)
        e = acre_segment_create(&s, ACRE_MEMFD, NULL, &o);
    if (!e)
        heap_take(h, s);
    return e;
}

static int heap_make_other(procs_heap *h, const acre_contender *c)
{
    bool segment = h->engine->flags & ACRE_ENGINE_SEGMENT;
    h->common = segment;
    h->memory = segment ? acre_lab_map_segment(h->bytes) : NULL;
    if (segment && !h->memory)
        return ENOMEM;
    return h->engine->open(&h->heap, c->name, c->options, h->memory, h->bytes);
}

int procs_heap_make(procs_heap *h, const acre_contender *c, size_t bytes)
{
    *h = (procs_heap){.engine = acre_contender_engine(c), .bytes = bytes, .common = true};
    if (!h->engine || acre_contender_needs_preload(c))
        return ENOSYS;
    return c->family == ACRE_FAMILY_ACRE ? heap_make_house(h, c) : heap_make_other(h, c);
}

/* All children of one parent would find the same gap.  The i-th asks for a place of its own, far below the parent's,
 * where nobody else maps anything; NULL: the system may choose, and it may be another's then. */
static void *heap_place(const procs_heap *h, uint32_t i)
{
    enum { STEP = 2 << 20 }; /* alike in a huge page */
    const uint64_t far = (uint64_t)64 << 30;
    uint64_t bytes = acre_segment_capacity(h->house), stride = (bytes + STEP - 1) / STEP * STEP + STEP;
    uint64_t at = (uintptr_t)acre_segment_base(h->house), down = far + (i + 1) * stride;
    return at > 2 * down ? (void *)(uintptr_t)(at - down) : NULL;
}

int procs_heap_join(procs_heap *h, uint32_t i)
{
    acre_segment *s;
    if (!h->house)
        return 0;
    acre_segment_options o = {.fd = acre_segment_fd(h->house), .address = heap_place(h, i)};
    int e = acre_segment_open(&s, ACRE_MEMFD, NULL, &o);
    if (e == EBUSY) {
        o.address = NULL;
        e = acre_segment_open(&s, ACRE_MEMFD, NULL, &o);
    }
    if (!e)
        heap_take(h, s);
    return e;
}

void procs_heap_leave(procs_heap *h)
{
    if (h->house)
        acre_segment_close(h->house);
    else
        h->engine->close(h->heap);
    acre_lab_unmap(h->memory, h->memory ? h->bytes : 0);
}

/* Of Boost's segment all pages that anybody ever touched are there. */
static uint64_t heap_touched(const procs_heap *h)
{
    unsigned char there[4096];
    uint64_t pages = 0;
    size_t page = (size_t)sysconf(_SC_PAGESIZE), step = sizeof there * page;
    for (size_t at = 0; h->memory && at < h->bytes; at += step) {
        size_t n = h->bytes - at < step ? h->bytes - at : step;
        if (mincore(h->memory + at, n, there) != 0)
            return 0;
        for (size_t i = 0; i < (n + page - 1) / page; i++)
            pages += there[i] & 1;
    }
    return pages * page;
}

uint64_t procs_heap_used(const procs_heap *h)
{
    uint64_t told = h->engine->high_water ? h->engine->high_water(h->heap) : 0;
    return told ? told : heap_touched(h);
}

bool procs_heap_tells(const procs_heap *h)
{
    return h->house != NULL;
}

bool procs_heap_sound(const procs_heap *h)
{
    acre_heap_free_empty(h->heap);
    return acre_heap_check(h->heap, NULL) == 0 && acre_heap_all_free(h->heap);
}
