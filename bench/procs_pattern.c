/* SPDX-License-Identifier: MIT */
/* procs_pattern.c: what workers do: the classical patterns, with their original parameters, on any heap.
 *
 * Each works in chunks, one at least, between two looks at the board, and frees everything at the end.  What a worker
 * keeps its own blocks in lies in its own memory; what it hands on goes through a lane to its neighbour,
 * as a distance from the heap's base, which each process has elsewhere. */
#include "bench/procs_internal.h"

#include <sched.h>
#include <string.h>

enum { PATTERN_CHUNK = 256 };

/* ---- random ---- */

/* A thousand live blocks of 16 to 512 bytes, any of which may be next. */
enum { RANDOM_SLOTS = 1000, RANDOM_LEAST = 16, RANDOM_MOST = 512 };

typedef struct pattern_slot {
    void *p;
    size_t size;
} pattern_slot;

static void pattern_replace(procs_worker *w, pattern_slot *s, size_t size)
{
    procs_free(w, s->p, s->size);
    *s = (pattern_slot){procs_alloc(w, size), size};
}

static void pattern_clear(procs_worker *w, pattern_slot *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        procs_free(w, s[i].p, s[i].size);
}

static void random_work(procs_worker *w)
{
    pattern_slot slot[RANDOM_SLOTS] = {{0}};
    do
        for (int i = 0; i < PATTERN_CHUNK; i++)
            pattern_replace(w, &slot[procs_below(w, RANDOM_SLOTS)],
                            RANDOM_LEAST + procs_below(w, RANDOM_MOST - RANDOM_LEAST + 1));
    while (procs_on(w));
    pattern_clear(w, slot, RANDOM_SLOTS);
}

/* ---- linux-scalability ---- */

/* C. Lever, D. Boreham: malloc() Performance in a Multithreaded Linux Environment (USENIX 2000): one block
 * of 512 bytes, made and freed, over and over. */
static void scalability_work(procs_worker *w)
{
    enum { SIZE = 512 };
    do
        for (int i = 0; i < PATTERN_CHUNK; i++)
            procs_free(w, procs_alloc(w, SIZE), SIZE);
    while (procs_on(w));
}

/* ---- threadtest ---- */

/* E. Berger et al.: Hoard (ASPLOS 2000): 30,000 blocks of 8 bytes over all workers are made, then freed. */
static void threadtest_work(procs_worker *w)
{
    enum { TOGETHER = 30000, SIZE = 8 };
    static _Thread_local void *block[TOGETHER];
    uint32_t n = TOGETHER / w->n;
    do {
        for (uint32_t i = 0; i < n; i++)
            block[i] = procs_alloc(w, SIZE);
        for (uint32_t i = 0; i < n; i++)
            procs_free(w, block[i], SIZE);
    } while (procs_on(w));
}

/* ---- handing on ---- */

/* The lane that the neighbour on the left fills. */
static procs_lane *pattern_in(const procs_worker *w)
{
    return &w->board->lane[w->me];
}

static procs_lane *pattern_out(const procs_worker *w)
{
    return &w->board->lane[(w->me + 1) % w->n];
}

static bool pattern_give(procs_worker *w, uint32_t *at, void *p)
{
    _Atomic uint64_t *place = &pattern_out(w)->place[*at % PROCS_LANE];
    if (atomic_load_explicit(place, memory_order_acquire))
        return false;
    atomic_store_explicit(place, procs_distance(w->heap, p) + 1, memory_order_release);
    ++*at;
    return true;
}

static void *pattern_get(procs_worker *w, uint32_t *at)
{
    _Atomic uint64_t *place = &pattern_in(w)->place[*at % PROCS_LANE];
    uint64_t told = atomic_load_explicit(place, memory_order_acquire);
    if (!told)
        return NULL;
    atomic_store_explicit(place, 0, memory_order_release);
    ++*at;
    return procs_at(w->heap, told - 1);
}

/* Somebody else's bytes: its own count of live ones goes down when it hands them on. */
static void pattern_free_foreign(procs_worker *w, void *p)
{
    w->heap->engine->free(w->heap->heap, p);
    w->ops++;
}

/* Until no neighbour can hand anything on any more. */
static void pattern_drain(procs_worker *w, uint32_t *in)
{
    atomic_fetch_add(&w->board->finished, 1);
    for (void *p;;) {
        bool last = atomic_load(&w->board->finished) == w->n;
        while ((p = pattern_get(w, in)))
            pattern_free_foreign(w, p);
        if (last)
            return;
        sched_yield();
    }
}

/* ---- larson ---- */

/* P. Larson, M. Krishnan: Memory Allocation for Long-Running Server Applications (ISMM 1998), with
 * mimalloc-bench's parameters: 5,000 live blocks of 8 to 1,000 bytes a worker.  There a thread ends after a
 * while and leaves its blocks to the next one; here one in 64 of the blocks that go is the neighbour's to
 * free. */
static void larson_hand_on(procs_worker *w, pattern_slot *s, uint32_t *in, uint32_t *out)
{
    if (!s->p || !pattern_give(w, out, s->p))
        return;
    w->live -= s->size;
    s->p = pattern_get(w, in);
    if (s->p)
        pattern_free_foreign(w, s->p);
    s->p = NULL;
}

static void larson_work(procs_worker *w)
{
    enum { SLOTS = 5000, LEAST = 8, MOST = 1000, HANDED = 64 };
    static _Thread_local pattern_slot slot[SLOTS];
    uint32_t in = 0, out = 0;
    uint64_t k = 1;
    do
        for (int i = 0; i < PATTERN_CHUNK; i++, k++) {
            pattern_slot *s = &slot[procs_below(w, SLOTS)];
            if (k % HANDED == 0)
                larson_hand_on(w, s, &in, &out);
            pattern_replace(w, s, LEAST + procs_below(w, MOST - LEAST + 1));
        }
    while (procs_on(w));
    pattern_clear(w, slot, SLOTS);
    pattern_drain(w, &in);
}

/* ---- xmalloc ---- */

/* D. Lea's xmalloc-test, as in mimalloc-bench: those who allocate are never those who free. */
static void xmalloc_produce(procs_worker *w)
{
    static const uint16_t size[] = {8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512};
    uint32_t in = 0, out = 0;
    do {
        size_t bytes = size[procs_below(w, sizeof size / sizeof *size)];
        void *p = procs_alloc(w, bytes);
        bool gone = !p;
        while (!gone && !(gone = pattern_give(w, &out, p)) && procs_on(w))
            sched_yield();
        w->live -= p ? bytes : 0;
        if (!gone)
            pattern_free_foreign(w, p);
    } while (procs_on(w));
    pattern_drain(w, &in);
}

static void xmalloc_consume(procs_worker *w)
{
    uint32_t in = 0;
    while (procs_on(w)) {
        void *p = pattern_get(w, &in);
        if (p)
            pattern_free_foreign(w, p);
        else
            sched_yield();
    }
    pattern_drain(w, &in);
}

static void xmalloc_work(procs_worker *w)
{
    if (w->me % 2)
        xmalloc_consume(w);
    else
        xmalloc_produce(w);
}

/* ---- cache-thrash, cache-scratch ---- */

/* Both from Hoard: is a block alone on its line of the cache?  Many writes, few calls. */
static void thrash_work(procs_worker *w)
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
static void scratch_work(procs_worker *w)
{
    enum { SIZE = 8 };
    uint32_t in = 0, out = 0;
    void *p = procs_alloc(w, SIZE);
    if (p && pattern_give(w, &out, p))
        w->live -= SIZE;
    while (procs_on(w) && !(p = pattern_get(w, &in)))
        sched_yield();
    if (p)
        pattern_free_foreign(w, p);
    thrash_work(w);
    pattern_drain(w, &in);
}

/* ---- all ---- */

static const acre_procs_pattern patterns[] = {
    {"random", "1,000 live blocks of 16 to 512 bytes, any is replaced next", 0, random_work},
    {"linux-scalability", "a block of 512 bytes, made and freed", 0, scalability_work},
    {"threadtest", "30,000 blocks of 8 bytes made, then freed", 0, threadtest_work},
    {"larson", "a server: 5,000 live blocks of 8 to 1,000 bytes, some freed by the neighbour",
     PROCS_HANDS_ON, larson_work},
    {"xmalloc", "half of the workers allocate, the others free", PROCS_HANDS_ON | PROCS_PAIRS,
     xmalloc_work},
    {"cache-thrash", "a block of 8 bytes, written 1,000 times: active false sharing", 0,
     thrash_work},
    {"cache-scratch", "the same, the first block a neighbour's: passive false sharing",
     PROCS_HANDS_ON, scratch_work},
};

const acre_procs_pattern *acre_procs_pattern_at(size_t i)
{
    return i < sizeof patterns / sizeof *patterns ? &patterns[i] : NULL;
}

const acre_procs_pattern *acre_procs_pattern_find(const char *name)
{
    const acre_procs_pattern *p;
    for (size_t i = 0; (p = acre_procs_pattern_at(i)); i++)
        if (!strcmp(p->name, name))
            return p;
    return NULL;
}

bool acre_procs_pattern_suits(const acre_procs_pattern *p, uint64_t workers)
{
    return workers >= 1 && workers <= ACRE_PROCS_MOST && !(p->flags & PROCS_PAIRS && workers % 2);
}

const char *acre_procs_pattern_name(const acre_procs_pattern *p)
{
    return p->name;
}

const char *acre_procs_pattern_summary(const acre_procs_pattern *p)
{
    return p->summary;
}
