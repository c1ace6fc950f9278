/* SPDX-License-Identifier: MIT */
/* worker.c: one process of the soak: threads that come and go, a fork that does not exec, and the operations.
 *
 * Killed where?  An allocated block is stamped and then named by its table; a block that is freed is first
 * not named any more.  So of plain calls one block is nobody's; of the slots none. */
#include "tests/soak/soak.h"

#include <math.h>
#include <pthread.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { WORKER_SIZES = 4096, WORKER_FAILED = 3 };

/* This process's. */
static acre_segment *worker_segment;
static acre_heap *worker_heap;
static acre_off *worker_slots;
static soak_seat *worker_seat;
static uint32_t worker_sizes[WORKER_SIZES];

/* A thread's. */
typedef struct worker_lane {
    soak_lane *lane;
    uint64_t live, budget; /* bytes in its table, and how many there may be */
    uint64_t seed, ops;
    pthread_t thread;
    bool started;
} worker_lane;

/* Log-uniform, 1 byte to SOAK_MOST. */
static void worker_make_sizes(void)
{
    for (int i = 0; i < WORKER_SIZES; i++)
        worker_sizes[i] = (uint32_t)exp(log(SOAK_MOST) * i / (WORKER_SIZES - 1));
}

/* ---- one's own blocks ---- */

static uint64_t worker_stamp(const soak_lane *l, acre_off at)
{
    return at * 0x9e3779b97f4a7c15u ^ l->id;
}

static void worker_alloc(worker_lane *w, soak_block *b)
{
    uint64_t size = worker_sizes[soak_random(&w->seed) % WORKER_SIZES];
    uint64_t *p = acre_alloc(worker_heap, size);
    if (!p) {
        __atomic_add_fetch(&soak_shared->refused, 1, __ATOMIC_RELAXED);
        return;
    }
    acre_off at = (acre_off)((char *)p - (char *)acre_segment_base(worker_segment));
    if (size >= sizeof *p)
        *p = worker_stamp(w->lane, at);
    b->size = size;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    ACRE_PUT(b->at, at);
    w->live += size;
}

static void worker_free(worker_lane *w, soak_block *b)
{
    acre_off at = b->at;
    uint64_t *p = (uint64_t *)(void *)((char *)acre_segment_base(worker_segment) + at);
    if (b->size >= sizeof *p && *p != worker_stamp(w->lane, at))
        soak_wrong("a block of %llu bytes at %llu was overwritten", (unsigned long long)b->size,
                   (unsigned long long)at);
    w->live -= b->size;
    ACRE_PUT(b->at, 0);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    int e = soak_chosen.spoil == SOAK_LEAK && at % 1024 == 0 ? 0 : acre_free(worker_heap, p);
    if (e)
        soak_wrong("acre_free: %s", acre_strerror(e));
}

/* The first that is used, or is not, from there on; NULL: none is. */
static soak_block *worker_find(worker_lane *w, uint64_t from, bool used)
{
    for (uint64_t i = from; i < from + SOAK_BLOCKS; i++)
        if ((w->lane->block[i % SOAK_BLOCKS].at != 0) == used)
            return &w->lane->block[i % SOAK_BLOCKS];
    return NULL;
}

/* Mostly towards the budget. */
static void worker_plain(worker_lane *w, uint64_t random)
{
    bool room = w->live < w->budget, more = (random >> 32 & 3) ? room : !room;
    soak_block *b = worker_find(w, random % SOAK_BLOCKS, !more);
    if (b && more)
        worker_alloc(w, b);
    else if (b)
        worker_free(w, b);
}

/* ---- blocks that anybody frees ---- */

static void worker_fill(worker_lane *w, acre_off *slot)
{
    uint64_t size = worker_sizes[soak_random(&w->seed) % WORKER_SIZES];
    if (acre_alloc_into(worker_heap, slot, size) != 0)
        __atomic_add_fetch(&soak_shared->refused, 1, __ATOMIC_RELAXED);
    else if (size >= sizeof(uint64_t)) /* if it is somebody's, his stamp goes */
        *(uint64_t *)(void *)((char *)acre_segment_base(worker_segment) + *slot) = 0;
}

static void worker_slot(worker_lane *w, uint64_t random)
{
    uint32_t i = (uint32_t)(random % SOAK_SLOTS), nobody = 0;
    uint32_t *claim = &soak_shared->claim[i];
    if (!__atomic_compare_exchange_n(claim, &nobody, w->lane->id, false, __ATOMIC_SEQ_CST,
                                     __ATOMIC_SEQ_CST))
        return;
    if (!worker_slots[i])
        worker_fill(w, &worker_slots[i]);
    else if (acre_free_from(worker_heap, &worker_slots[i]) != 0)
        soak_wrong("slot %u cannot be freed", i);
    __atomic_store_n(claim, 0, __ATOMIC_SEQ_CST);
}

/* ---- a lane at work ---- */

static void worker_nap(void)
{
    nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

/* Between two operations: let the census be taken. */
static void worker_rest(soak_lane *l)
{
    while (__atomic_load_n(&soak_shared->pause, __ATOMIC_SEQ_CST)) {
        __atomic_store_n(&l->state, SOAK_PARKED, __ATOMIC_SEQ_CST);
        worker_nap();
        __atomic_store_n(&l->state, SOAK_RUNNING, __ATOMIC_SEQ_CST);
    }
}

static void worker_begin(worker_lane *w)
{
    __atomic_store_n(&w->lane->state, SOAK_RUNNING, __ATOMIC_SEQ_CST);
    worker_rest(w->lane);
    w->live = soak_live(w->lane);
}

static void worker_end(void *lane)
{
    __atomic_store_n(&((soak_lane *)lane)->state, SOAK_AWAY, __ATOMIC_SEQ_CST);
}

static uint64_t worker_most(uint64_t ops)
{
    uint64_t most = (uint64_t)SOAK_BUDGET * SOAK_LANES * soak_chosen.workers;
    double done = (double)ops / (double)soak_chosen.ops;
    return soak_chosen.spoil == SOAK_HOARD ? (uint64_t)((double)most * (0.05 + done)) : most;
}

/* All together hold always about as much, whoever is away: what the heap takes then shows how it ages, and not
 * who was there at once. */
static void worker_plan(worker_lane *w)
{
    uint64_t all = 0, ops = 0;
    ACRE_PUT(w->lane->live, w->live);
    for (unsigned i = 0; i < soak_chosen.workers; i++)
        for (unsigned k = 0; k < SOAK_LANES; k++) {
            const soak_lane *l = &soak_shared->seat[i].lane[k];
            all += __atomic_load_n(&l->live, __ATOMIC_RELAXED);
            ops += __atomic_load_n(&l->ops, __ATOMIC_RELAXED);
        }
    if (all < worker_most(ops))
        w->budget = w->live + SOAK_STEP;
    else
        w->budget = w->live > SOAK_STEP ? w->live - SOAK_STEP : 0;
}

/* A byte of a block that another one may be using. */
static void worker_smash(worker_lane *w)
{
    soak_block *b = worker_find(w, soak_random(&w->seed) % SOAK_BLOCKS, true);
    if (b && b->size >= sizeof(uint64_t))
        *((char *)acre_segment_base(worker_segment) + b->at) ^= 1;
}

/* Not inline: a cancelled thread is then in frames without variables in memory, which the address sanitizer would
 * take for poisoned for ever. */
static __attribute__((noinline)) void worker_batch(worker_lane *w)
{
    worker_plan(w);
    if (soak_chosen.spoil == SOAK_SMASH && soak_below(&w->seed, 64) == 0)
        worker_smash(w);
    for (int i = 0; i < SOAK_BATCH; i++) {
        uint64_t random = soak_random(&w->seed);
        if (random >> 61 == 0)
            worker_slot(w, random);
        else
            worker_plain(w, random);
    }
    ACRE_PUT(w->lane->ops, w->lane->ops + SOAK_BATCH);
}

static void worker_run(worker_lane *w)
{
    worker_begin(w);
    for (uint64_t n = 0; n < w->ops && !__atomic_load_n(&soak_shared->stop, __ATOMIC_RELAXED);
         n += SOAK_BATCH) {
        worker_batch(w);
        worker_rest(w->lane);
        pthread_testcancel();
    }
    worker_end(w->lane);
}

/* ---- threads ---- */

static void *worker_thread(void *arg)
{
    worker_lane *w = arg;
    __atomic_add_fetch(&soak_shared->threads, 1, __ATOMIC_RELAXED);
    pthread_cleanup_push(worker_end, w->lane);
    worker_run(w);
    pthread_cleanup_pop(0);
    if (soak_random(&w->seed) & 1)
        acre_heap_detach(worker_heap); /* else the kernel tells it */
    return NULL;
}

static void worker_start(worker_lane *w, uint64_t *seed, unsigned lane, uint64_t ops)
{
    *w = (worker_lane){.lane = &worker_seat->lane[lane], .seed = soak_random(seed), .ops = ops};
    w->started = pthread_create(&w->thread, NULL, worker_thread, w) == 0;
    if (!w->started)
        soak_wrong("no thread can be started");
}

static void worker_join(worker_lane *w, uint64_t *seed)
{
    if (!w->started)
        return;
    if (soak_below(seed, 4) == 0) {
        __atomic_add_fetch(&soak_shared->cancelled, 1, __ATOMIC_RELAXED);
        pthread_cancel(w->thread);
    }
    pthread_join(w->thread, NULL);
}

/* Of a process with several threads; it uses the handle that its parent has. */
static pid_t worker_fork(uint64_t *seed, uint64_t ops)
{
    pid_t child = fork();
    if (child)
        return child;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    __atomic_add_fetch(&soak_shared->forked, 1, __ATOMIC_RELAXED);
    worker_run(&(worker_lane){
        .lane = &worker_seat->lane[SOAK_FORKED], .seed = soak_random(seed), .ops = ops});
    _exit(0);
}

static void worker_await(pid_t child)
{
    int status;
    if (child > 0 && (waitpid(child, &status, 0) != child || status != 0))
        soak_wrong("a forked child ended with %d", status);
}

static void worker_round(uint64_t *seed, uint64_t ops)
{
    worker_lane more[SOAK_FORKED] = {0};
    pid_t child = 0;
    for (unsigned i = 1; i < SOAK_FORKED; i++)
        if (soak_below(seed, 3))
            worker_start(&more[i], seed, i, ops / 2 + soak_below(seed, ops));
    if (soak_below(seed, 4) == 0)
        child = worker_fork(seed, ops);
    worker_run(
        &(worker_lane){.lane = &worker_seat->lane[0], .seed = soak_random(seed), .ops = ops});
    for (unsigned i = 1; i < SOAK_FORKED; i++)
        worker_join(&more[i], seed);
    worker_await(child);
}

/* ---- the process ---- */

/* Half of them have a mapping of their own, at another address. */
static void worker_open(uint64_t *seed)
{
    acre_segment_options o = {.fd = acre_segment_fd(soak_segment)};
    worker_segment = soak_segment;
    if ((soak_random(seed) & 1) && acre_segment_open(&worker_segment, ACRE_MEMFD, NULL, &o) != 0)
        soak_wrong("the segment cannot be opened");
    worker_heap = acre_segment_heap(worker_segment);
    worker_slots = acre_segment_address(worker_segment, *acre_segment_root(worker_segment));
}

/* All its lanes', before it goes. */
static void worker_give_back(void)
{
    soak_lane *first = &worker_seat->lane[0];
    for (unsigned i = 0; i < SOAK_LANES; i++) {
        worker_lane w = {.lane = &worker_seat->lane[i]};
        __atomic_store_n(&first->state, SOAK_RUNNING, __ATOMIC_SEQ_CST);
        worker_rest(first);
        for (int k = 0; k < SOAK_BLOCKS; k++)
            if (w.lane->block[k].at)
                worker_free(&w, &w.lane->block[k]);
        ACRE_PUT(w.lane->live, 0);
    }
    worker_end(first);
}

void soak_work(unsigned seat, uint64_t ops, uint64_t seed)
{
    uint64_t rounds = 1 + soak_below(&seed, 4);
    worker_seat = &soak_shared->seat[seat];
    worker_make_sizes();
    worker_open(&seed);
    for (uint64_t i = 0; i < rounds && !__atomic_load_n(&soak_shared->stop, __ATOMIC_RELAXED); i++)
        worker_round(&seed, 1 + ops / rounds / 2);
    worker_give_back();
    if (soak_random(&seed) & 1) {
        __atomic_add_fetch(&soak_shared->abrupt, 1, __ATOMIC_RELAXED);
        _exit(0);
    }
    acre_heap_detach(worker_heap);
    if (worker_segment != soak_segment && acre_segment_close(worker_segment) != 0)
        soak_wrong("the segment cannot be closed");
    _exit(0);
}
