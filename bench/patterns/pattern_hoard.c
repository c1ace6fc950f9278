/* SPDX-License-Identifier: MIT */
/* pattern_hoard.c: the small programs that allocators for many processors were first judged by.
 *
 *     linux-scalability   C. Lever, D. Boreham: malloc() Performance in a Multithreaded Linux Environment
 *                         (USENIX 2000)
 *     threadtest, cache-thrash, cache-scratch   E. Berger et al.: Hoard: A Scalable Memory Allocator for
 *                         Multithreaded Applications (ASPLOS 2000), and the programs that came with it
 *
 * The last two ask whether a block is alone on its line of the cache: many writes, few calls. */
#include "bench/patterns/pattern.h"

#include <sched.h>

/* One block of 512 bytes, made and freed, over and over. */
void pattern_scalability_work(procs_worker *w)
{
    enum { SIZE = 512 };
    do
        for (int i = 0; i < PATTERN_CHUNK; i++)
            procs_free(w, procs_alloc(w, SIZE), SIZE);
    while (procs_on(w));
}

/* 30,000 blocks of 8 bytes over all workers are made, then freed. */
enum { THREADTEST_TOGETHER = 30000 };

size_t pattern_threadtest_room(const procs_worker *w)
{
    return THREADTEST_TOGETHER / w->n * sizeof(void *);
}

void pattern_threadtest_work(procs_worker *w)
{
    enum { SIZE = 8 };
    void **block = w->own;
    uint32_t n = THREADTEST_TOGETHER / w->n;
    do {
        for (uint32_t i = 0; i < n; i++)
            block[i] = procs_alloc(w, SIZE);
        for (uint32_t i = 0; i < n; i++)
            procs_free(w, block[i], SIZE);
    } while (procs_on(w));
}

void pattern_thrash_work(procs_worker *w)
{
    enum { SIZE = 8, WRITES = 1000 };
    do {
        volatile char *p = procs_alloc(w, SIZE);
        for (int i = 0; p && i < WRITES; i++)
            ++*p;
        procs_free(w, (void *)p, SIZE);
    } while (procs_on(w));
}

/* The first block comes from the neighbour: who gives it back may get that line again. */
void pattern_scratch_work(procs_worker *w)
{
    enum { SIZE = 8 };
    uint32_t in = 0, out = 0;
    pattern_slot first = {procs_alloc(w, SIZE), SIZE};
    pattern_give_slot(w, &first, &out);
    while (procs_on(w) && !(first = pattern_get(w, &in)).p)
        sched_yield();
    pattern_empty(w, &first);
    pattern_thrash_work(w);
    pattern_drain(w, &in);
}
