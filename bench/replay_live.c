/* SPDX-License-Identifier: MIT */
/* replay_live.c: what an allocation and a free cost together when many blocks are live.
 *
 *     | allocate `live` blocks | free one at random, allocate one, … | the same, measured in slices |
 *
 * Sizes are mixed and victims random, so that the free list grows as long as it gets in life; every
 * block is replaced twice, on average, before the clock counts (what is not that far within the time
 * allowed has no steady state and no result).  The result is the median of slices: a moment in which
 * another process had the CPU is one slice.
 *
 * Victims are drawn some rounds ahead and their places prefetched: the table of blocks is the
 * harness's, and its cache misses are not the algorithm's.  What remains, some ns, is the same for all. */
#include "bench/replay.h"

#include "bench/lab.h"
#include "bench/stats.h"

#include <errno.h>
#include <math.h>

enum { LIVE_SMALL = 16, LIVE_OCTAVES = 5, LIVE_RARE = 64 };
enum { LIVE_SIZES = 4096, LIVE_AHEAD = 16, LIVE_CHUNK = 256 };
enum { LIVE_SLICES = 16, LIVE_SLICE_PAIRS = 12500, LIVE_LEAST_PAIRS = 1000 };

typedef struct live_draw {
    uint32_t at; /* the victim's place */
    uint32_t size;
} live_draw;

typedef struct live_heap {
    const acre_engine *engine;
    void *heap, **block;
    uint64_t live, filled, random, drawn;
    live_draw ahead[LIVE_AHEAD];
    uint32_t size[LIVE_SIZES];
    uint64_t deadline;
    enum acre_replay_status status;
} live_heap;

/* 16 to 512 bytes, each octave as likely; one in 64 is up to 16 times larger. */
static void live_make_sizes(live_heap *h)
{
    for (int i = 0; i < LIVE_SIZES; i++) {
        uint32_t size = (uint32_t)(LIVE_SMALL * exp2((double)i / LIVE_SIZES * LIVE_OCTAVES));
        h->size[i] = i % LIVE_RARE ? size : size * 16;
    }
}

static live_draw live_next(live_heap *h)
{
    live_draw *place = &h->ahead[h->drawn++ % LIVE_AHEAD], now = *place;
    uint64_t x = acre_lab_random(&h->random);
    place->at = (uint32_t)((x >> 32) * h->live >> 32);
    place->size = h->size[x % LIVE_SIZES];
    __builtin_prefetch(&h->block[place->at], 1);
    return now;
}

static bool live_make(live_heap *h, uint64_t at, size_t size)
{
    void *p = h->engine->alloc(h->heap, size);
    if (p)
        *(volatile uint64_t *)p = 1;
    else
        h->status = ACRE_REPLAY_FAILED;
    h->block[at] = p;
    return p != NULL;
}

static bool live_replace(live_heap *h)
{
    live_draw d = live_next(h);
    h->engine->free(h->heap, h->block[d.at]);
    return live_make(h, d.at, d.size);
}

static bool live_add(live_heap *h)
{
    return live_make(h, h->filled, live_next(h).size) && ++h->filled;
}

/* n rounds of step(), as far as the time allows: how many were done. */
static uint64_t live_run(live_heap *h, bool (*step)(live_heap *h), uint64_t n)
{
    uint64_t done = 0;
    while (done < n && h->status == ACRE_REPLAY_OK) {
        uint64_t stop = n - done < LIVE_CHUNK ? n : done + LIVE_CHUNK;
        while (done < stop && step(h))
            done++;
        if (done == stop && done < n && h->deadline && acre_lab_now_ns() > h->deadline)
            h->status = ACRE_REPLAY_STOPPED;
    }
    return done;
}

/* Few rounds say too little; but a slice that was cut short has done its work. */
static double live_slice(live_heap *h)
{
    uint64_t start = acre_lab_now_ns();
    uint64_t done = live_run(h, live_replace, LIVE_SLICE_PAIRS);
    if (h->status == ACRE_REPLAY_STOPPED && done >= LIVE_LEAST_PAIRS)
        h->status = ACRE_REPLAY_OK;
    return done ? (double)(acre_lab_now_ns() - start) / (double)done : 0;
}

static void live_measure(live_heap *h, uint64_t budget_ns, acre_live_cost *out)
{
    double slice[LIVE_SLICES];
    size_t n = 0;
    uint64_t start = acre_lab_now_ns();
    h->deadline = budget_ns ? start + budget_ns / 4 * 3 : 0;
    live_run(h, live_add, h->live);
    live_run(h, live_replace, 2 * h->live + LIVE_LEAST_PAIRS);
    h->deadline = budget_ns ? start + budget_ns : 0;
    while (h->status == ACRE_REPLAY_OK && n < LIVE_SLICES) {
        double ns = live_slice(h);
        if (h->status == ACRE_REPLAY_OK)
            slice[n++] = ns;
        if (h->deadline && acre_lab_now_ns() > h->deadline)
            break;
    }
    out->status = n ? ACRE_REPLAY_OK : h->status;
    out->ns_per_op = n ? acre_stats_median(slice, n) : 0;
}

/* A malloc's blocks are freed: only a segment can be thrown away. */
static void live_end(live_heap *h)
{
    if (!(h->engine->flags & ACRE_ENGINE_SEGMENT))
        for (uint64_t i = 0; i < h->filled; i++)
            if (h->block[i])
                h->engine->free(h->heap, h->block[i]);
    h->engine->close(h->heap);
}

/* More than any algorithm needs of such sizes; what is not used costs nothing. */
static size_t live_room(uint64_t live)
{
    return ((size_t)64 << 20) + live * 512;
}

static int live_in_memory(live_heap *h, const acre_contender *c, char *memory, uint64_t budget_ns,
                          acre_live_cost *out)
{
    int e = h->engine->open(&h->heap, c->name, c->options, memory, live_room(h->live));
    if (e)
        return e;
    live_make_sizes(h);
    for (int i = 0; i < LIVE_AHEAD; i++)
        live_next(h);
    live_measure(h, budget_ns, out);
    live_end(h);
    return 0;
}

int acre_replay_live_cost(const acre_contender *c, uint64_t live, uint64_t budget_ns,
                          acre_live_cost *out)
{
    if (live < 1 || live > UINT32_MAX)
        return EINVAL;
    size_t bytes = live * sizeof(void *);
    live_heap *h = acre_lab_map(sizeof *h);
    char *memory = acre_lab_map_segment(live_room(live));
    void **block = acre_lab_map(bytes);
    int e = h && memory && block ? 0 : ENOMEM;
    if (!e && (!acre_contender_engine(c) || acre_contender_needs_preload(c)))
        e = ENOSYS;
    if (!e) {
        acre_lab_populate(block, bytes);
        *h = (live_heap){
            .engine = acre_contender_engine(c), .block = block, .live = live, .random = live};
        e = live_in_memory(h, c, memory, budget_ns, out);
    }
    acre_lab_unmap(block, bytes);
    acre_lab_unmap(memory, live_room(live));
    acre_lab_unmap(h, sizeof *h);
    return e;
}
