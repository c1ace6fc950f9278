/* SPDX-License-Identifier: MIT */
/* procs_internal.h: what heaps, patterns and the run of `acre procs` know of each other. */
#ifndef ACRE_BENCH_PROCS_INTERNAL_H
#define ACRE_BENCH_PROCS_INTERNAL_H

#include "bench/lab.h"
#include "bench/procs.h"

#include <stdatomic.h>

/* ---- procs_heap.c ---- */

typedef struct procs_heap {
    const acre_engine *engine;
    void *heap;  /* this process's handle */
    void *base;  /* blocks are told to others as distances from here; NULL: as addresses */
    void *house; /* acre's segment; else NULL */
    char *memory;
    size_t bytes;
    bool common; /* all processes see the same blocks */
} procs_heap;

int procs_heap_make(procs_heap *h, const acre_contender *c, size_t bytes);
/* In the i-th child of who made it: at an address of its own, if the heap can be there. */
int procs_heap_join(procs_heap *h, uint32_t i);
void procs_heap_leave(procs_heap *h);
uint64_t procs_heap_used(const procs_heap *h); /* bytes at most, of a common heap; 0: not known */
bool procs_heap_tells(const procs_heap *h);
bool procs_heap_sound(const procs_heap *h); /* and empty */

static inline uint64_t procs_distance(const procs_heap *h, const void *p)
{
    return (uintptr_t)p - (uintptr_t)h->base;
}

static inline void *procs_at(const procs_heap *h, uint64_t distance)
{
    return (void *)((uintptr_t)h->base + distance);
}

/* ---- what workers share ---- */

enum { PROCS_LANE = 1024, PROCS_TRANSFERS = 1000 };

/* From one worker to its neighbour: places of blocks, + 1; 0: empty.  The size is written before, and read
 * after, its place. */
typedef struct procs_lane {
    _Alignas(64) _Atomic uint64_t place[PROCS_LANE];
    uint32_t size[PROCS_LANE];
} procs_lane;

/* Bytes that a worker has asked for, less those that it has freed, whoever asked for them: the most between its
 * last two looks at `stop`. */
typedef struct procs_live {
    _Alignas(64) _Atomic int64_t most;
} procs_live;

typedef struct procs_tally {
    _Alignas(64) uint64_t ops, failed, ns;
    int64_t peak_live;
    bool done;
} procs_tally;

typedef struct procs_board {
    _Alignas(64) _Atomic uint32_t ready, go, stop;
    _Atomic uint32_t leave; /* by the parent only; `stop` is also a worker's that cannot go on */
    _Alignas(64) _Atomic uint32_t finished; /* workers that hand nothing on any more */
    _Alignas(64) _Atomic uint32_t over;     /* workers that have done their work */
    procs_tally tally[ACRE_PROCS_MOST];
    procs_live live[ACRE_PROCS_MOST];
    procs_lane lane[ACRE_PROCS_MOST];
    _Alignas(
        64) _Atomic uint64_t transfer[PROCS_TRANSFERS]; /* anybody swaps a block for one of these */
} procs_board;

typedef struct procs_worker {
    const procs_heap *heap;
    procs_board *board;
    const acre_procs_plan *plan;
    const acre_contender *contender;
    uint32_t me, n;
    void *own;                     /* what the pattern keeps its blocks in; no heap is in it */
    int64_t live, most, peak_live; /* most: since the last look at `stop` */
    uint64_t random, ops, failed;
} procs_worker;

/* ---- procs_pattern.c ---- */

enum procs_pattern_flags {
    PROCS_HANDS_ON = 1, /* what one allocates another frees */
    PROCS_PAIRS = 2,    /* an even number of workers */
    PROCS_HARNESS = 4   /* also on a reference point */
};

struct acre_procs_pattern {
    const char *name, *summary;
    uint32_t flags;
    uint32_t variant;                      /* which of those that one file has */
    size_t (*room)(const procs_worker *w); /* bytes of w->own; NULL: none */
    void (*prepare)(
        procs_worker *w);          /* fills w->own, before the clock starts; NULL: zero will do */
    void (*work)(procs_worker *w); /* until the board says stop; everything is freed then */
};

/* Jain's index of n numbers, and the least of them as a part of the mean. */
double procs_fairness(const double *x, uint32_t n, double *least_share);

/* ---- what every pattern does ---- */

/* The other thread of this core, or another process, may have it meanwhile. */
static inline void procs_pause(void)
{
#if defined __x86_64__ || defined __i386__
    __builtin_ia32_pause();
#else
    __asm__ volatile("" : : : "memory");
#endif
}

/* The look at `stop`. */
static inline bool procs_on(procs_worker *w)
{
    atomic_store_explicit(&w->board->live[w->me].most, w->most, memory_order_relaxed);
    w->peak_live = w->most > w->peak_live ? w->most : w->peak_live;
    w->most = w->live;
    return !atomic_load_explicit(&w->board->stop, memory_order_relaxed);
}

enum { PROCS_PAGE = 4096 };

/* A byte of each of its pages is written: what is asked for is there. */
static inline void *procs_alloc(procs_worker *w, size_t size)
{
    void *p = w->heap->engine->alloc(w->heap->heap, size);
    w->ops++;
    if (__builtin_expect(!p, 0)) {
        w->failed++;
        return NULL;
    }
    for (size_t i = 0; i < size; i += PROCS_PAGE)
        ((volatile char *)p)[i] = 1;
    w->live += (int64_t)size;
    w->most = w->live > w->most ? w->live : w->most;
    return p;
}

static inline void procs_free(procs_worker *w, void *p, size_t size)
{
    if (!p)
        return;
    w->heap->engine->free(w->heap->heap, p);
    w->live -= (int64_t)size;
    w->ops++;
}

static inline uint64_t procs_below(procs_worker *w, uint64_t n)
{
    return (acre_lab_random(&w->random) >> 32) * n >> 32;
}

#endif
