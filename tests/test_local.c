/* SPDX-License-Identifier: MIT */
/* A thread's own access to a heap: the same as the calls without it, whatever the algorithm. */
#include "tests/support_heap.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>

/* White box: how many parts there may be. */
#include "alloc/shard_heap.h"

enum { LOCAL_HEAP = 4 << 20, LOCAL_N = 500 };

static void *local_block[LOCAL_N];
static size_t local_size[LOCAL_N];

/* Blocks come and go by either way. */
static void local_churn(acre_heap *h, acre_local *l)
{
    uint64_t seed = acre_test_seed();
    for (int i = 0; i < 20000; i++) {
        size_t k = acre_test_below(&seed, LOCAL_N);
        bool by_local = acre_test_below(&seed, 3);
        if (local_block[k]) {
            ACRE_CHECK(test_filled(local_block[k], local_size[k], k));
            ACRE_CHECK_EQUAL(
                by_local ? acre_local_free(l, local_block[k]) : acre_free(h, local_block[k]), 0);
            local_block[k] = NULL;
            continue;
        }
        local_size[k] = acre_test_below(&seed, k % 16 ? 600 : 20000);
        local_block[k] =
            by_local ? acre_local_alloc(l, local_size[k]) : acre_alloc(h, local_size[k]);
        ACRE_CHECK(local_block[k] && (uintptr_t)local_block[k] % ACRE_ALIGN_MIN == 0);
        test_fill(local_block[k], local_size[k], k);
    }
}

static void local_clear(acre_local *l)
{
    for (size_t k = 0; k < LOCAL_N; k++)
        ACRE_CHECK_EQUAL(acre_local_free(l, local_block[k]), 0);
    memset(local_block, 0, sizeof local_block);
}

static acre_heap *local_heap(const acre_algorithm *a, uint32_t checks)
{
    acre_segment *s;
    acre_segment_options o = {.size = LOCAL_HEAP, .algorithm = a, .heap = {.checks = checks}};
    ACRE_CHECK_EQUAL(acre_segment_create(&s, ACRE_ANON, NULL, &o), 0);
    return acre_segment_heap(s);
}

static void local_run(const acre_algorithm *a, uint32_t checks)
{
    acre_local l;
    acre_heap *h = local_heap(a, checks);
    ACRE_CHECK_EQUAL(acre_local_open(&l, h), 0);
    for (int round = 0; round < 3; round++) {
        local_churn(h, &l);
        test_sound(h);
        local_clear(&l);
        test_sound(h);
        test_settle(h);
        ACRE_CHECK(acre_heap_all_free(h));
    }
}

static void same_as_without_it(const acre_algorithm *a)
{
    test_skip_flags(a, ACRE_REFERENCE | ACRE_NO_FREE);
    local_run(a, ACRE_CHECKS_STANDARD);
    local_run(a, ACRE_CHECKS_NONE);
    local_run(a, ACRE_CHECKS_CANARY);
}

#define ACRE_ALGORITHM(a)                                                                          \
    ACRE_TEST(a, local_access_is_the_same)                                                         \
    {                                                                                              \
        same_as_without_it(acre_algorithm_find(#a));                                               \
    }
#include "alloc/algorithms.def"
#undef ACRE_ALGORITHM

/* Too large, NULL, and what is no block. */
ACRE_TEST(local, edges)
{
    acre_local l;
    acre_heap *h = local_heap(acre_algorithm_find("sharded"), ACRE_CHECKS_STANDARD);
    ACRE_CHECK_EQUAL(acre_local_open(&l, h), 0);
    ACRE_CHECK(!acre_local_alloc(&l, SIZE_MAX));
    ACRE_CHECK(!acre_local_alloc(&l, LOCAL_HEAP));
    ACRE_CHECK_EQUAL(acre_local_free(&l, NULL), 0);
    char *p = acre_local_alloc(&l, 100);
    ACRE_CHECK_EQUAL(acre_local_free(&l, p + 1), ACRE_EINVALID);
    ACRE_CHECK_EQUAL(acre_local_free(&l, p), 0);
    ACRE_CHECK_EQUAL(acre_local_free(&l, p), ACRE_EINVALID);
}

/* Another heap's calls in between: the thread has a part of each. */
ACRE_TEST(local, several_heaps_at_once)
{
    enum { HEAPS = 9 };
    acre_local l[HEAPS];
    void *p[HEAPS][40];
    for (int i = 0; i < HEAPS; i++)
        ACRE_CHECK_EQUAL(acre_local_open(&l[i], local_heap(acre_algorithm_find("sharded"), i % 2)),
                         0);
    for (int k = 0; k < 40; k++)
        for (int i = 0; i < HEAPS; i++)
            ACRE_CHECK((p[i][k] = acre_local_alloc(&l[i], 8 + (size_t)k * 60)));
    for (int k = 0; k < 40; k++)
        for (int i = 0; i < HEAPS; i++)
            ACRE_CHECK_EQUAL(acre_local_free(&l[i], p[i][k]), 0);
    for (int i = 0; i < HEAPS; i++) {
        test_sound(l[i].heap);
        ACRE_CHECK(acre_heap_all_free(l[i].heap));
    }
}

/* ---- more threads than parts ---- */

static pthread_barrier_t local_barrier;
static int local_without;

static void *local_thread(void *arg)
{
    acre_local l;
    int e = acre_local_open(&l, arg);
    if (e == EAGAIN)
        __atomic_add_fetch(&local_without, 1, __ATOMIC_RELAXED);
    pthread_barrier_wait(&local_barrier);
    void *p = acre_local_alloc(&l, 64);
    bool freed = p && acre_local_free(&l, p) == 0;
    pthread_barrier_wait(&local_barrier);
    return freed && (e == 0 || e == EAGAIN) ? arg : NULL;
}

ACRE_TEST(local, who_cannot_have_one_is_told_and_served)
{
    enum { MANY = SHARD_SHARDS + 10 };
    static pthread_t t[MANY];
    acre_heap *h = local_heap(acre_algorithm_find("sharded"), ACRE_CHECKS_STANDARD);
    pthread_barrier_init(&local_barrier, NULL, MANY);
    for (int i = 0; i < MANY; i++)
        ACRE_CHECK_EQUAL(pthread_create(&t[i], NULL, local_thread, h), 0);
    for (int i = 0; i < MANY; i++) {
        void *ok;
        pthread_join(t[i], &ok);
        ACRE_CHECK(ok == h);
    }
    ACRE_CHECK_EQUAL(local_without, 10);
    ACRE_CHECK(acre_heap_all_free(h));
    test_sound(h);
}
