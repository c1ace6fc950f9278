/* SPDX-License-Identifier: MIT */
/* engine_acre.c: acre's algorithms through the public calls, in a segment in the harness's
 * memory. */
#include "bench/contender.h"

#include <acre/alloc.h>
#include <acre/segment.h>

#include <errno.h>
#include <stdio.h>

/* Next to each other, so that closing finds the segment. */
static struct {
    acre_segment *segment;
    acre_heap *heap;
} house_one;

static int house_open(void **heap, const char *name, const char *options, void *memory,
                      size_t bytes)
{
    char spec[2 * ACRE_SPEC_MAX];
    acre_segment_options o = {.size = bytes, .buffer = memory, .index = ACRE_INDEX_NONE};
    if ((size_t)snprintf(spec, sizeof spec, "%s%s%s", name, *options ? ":" : "", options) >=
        sizeof spec)
        return EINVAL;
    int e = acre_spec_parse(spec, &o.algorithm, &o.heap);
    if (!e)
        e = acre_segment_create(&house_one.segment, ACRE_BUFFER, NULL, &o);
    if (e)
        return e;
    *heap = house_one.heap = acre_segment_heap(house_one.segment);
    return 0;
}

static void house_close(void *heap)
{
    if (heap == house_one.heap)
        acre_segment_close(house_one.segment);
}

static size_t house_high_water(void *heap)
{
    return acre_heap_high_water((acre_heap *)heap);
}

#define REPLAY_STEM house
#define REPLAY_ALLOC(heap, size) acre_alloc((acre_heap *)(heap), size)
#define REPLAY_CALLOC(heap, size) acre_calloc((acre_heap *)(heap), 1, size)
#define REPLAY_REALLOC(heap, p, size) acre_realloc((acre_heap *)(heap), p, size)
#define REPLAY_ALIGNED(heap, size, align) acre_alloc_aligned((acre_heap *)(heap), size, align)
#define REPLAY_FREE(heap, p) ((void)acre_free((acre_heap *)(heap), p))
#include "bench/replay_loop.h"

const acre_engine acre__engine_acre = {
    ACRE_ENGINE_SEGMENT, 16, house_open, house_close, house_high_water, REPLAY_CALLS(house)};
