/* SPDX-License-Identifier: MIT */
/* Threads and processes on one heap at once: every block keeps its contents, and blocks are freed
 * by others than those who allocated them.  Also runs under the plain runner, for TSan. */
#include "tests/support_heap.h"

#include <pthread.h>
#include <string.h>
#include <unistd.h>

enum { WORKERS = 4, SLOTS = 64, SIZE = 1 << 20 };

/* A slot is taken out or put in by one exchange; what is in it belongs to nobody. */
typedef struct meeting {
    acre_segment *s;
    int fd;
    size_t rounds;
    acre_off *slot; /* in the segment */
    uint64_t seed;
} meeting;

/* The first 16 bytes of a block: its size and key. */
typedef struct stamp {
    uint64_t size, key;
} stamp;

static void put(meeting *m, uint64_t *seed, acre_off *slot)
{
    size_t size = sizeof(stamp) + acre_test_below(seed, 500);
    stamp *p = acre_test_below(seed, 8) ? acre_alloc(acre_segment_heap(m->s), size)
                                        : acre_alloc_aligned(acre_segment_heap(m->s), size, 64);
    if (!p)
        return;
    *p = (stamp){size, acre_test_random(seed)};
    test_fill(p + 1, size - sizeof *p, p->key);
    acre_off mine = acre_segment_offset(m->s, p), there = 0;
    if (!__atomic_compare_exchange_n(slot, &there, mine, false, __ATOMIC_ACQ_REL, __ATOMIC_RELAXED))
        ACRE_CHECK_EQUAL(acre_free(acre_segment_heap(m->s), p), 0);
}

static void take(meeting *m, uint64_t *seed, acre_off at)
{
    stamp *p = acre_segment_address(m->s, at);
    ACRE_CHECK(test_filled(p + 1, p->size - sizeof *p, p->key));
    if (acre_test_below(seed, 3) == 0) {
        stamp *q = acre_realloc(acre_segment_heap(m->s), p, p->size + acre_test_below(seed, 300));
        p = q ? q : p;
        ACRE_CHECK(test_filled(p + 1, p->size - sizeof *p, p->key));
    }
    ACRE_CHECK_EQUAL(acre_free(acre_segment_heap(m->s), p), 0);
}

static void work(void *arg)
{
    meeting *m = arg;
    uint64_t seed = __atomic_add_fetch(&m->seed, 1, __ATOMIC_RELAXED) + (uint64_t)getpid() * 1000;
    for (size_t i = 0; i < m->rounds; i++) {
        acre_off *slot = &m->slot[acre_test_below(&seed, SLOTS)];
        acre_off at = __atomic_exchange_n(slot, 0, __ATOMIC_ACQ_REL);
        if (at)
            take(m, &seed, at);
        else
            put(m, &seed, slot);
    }
}

static void *work_in_thread(void *arg)
{
    work(arg);
    return NULL;
}

/* A process that maps the segment anew, most likely elsewhere. */
static void work_in_process(void *arg)
{
    meeting m = *(meeting *)arg;
    acre_off slots = acre_segment_offset(m.s, m.slot);
    ACRE_CHECK_EQUAL(acre_segment_open(&m.s, ACRE_MEMFD, NULL, &(acre_segment_options){.fd = m.fd}),
                     0);
    m.slot = acre_segment_address(m.s, slots);
    work(&m);
}

static meeting meeting_make(const acre_algorithm *a, size_t rounds)
{
    meeting m = {.rounds = acre_test_rounds(rounds), .seed = acre_test_seed()};
    acre_segment_options o = {.size = SIZE, .algorithm = a};
    ACRE_CHECK_EQUAL(acre_segment_create(&m.s, ACRE_MEMFD, NULL, &o), 0);
    m.fd = acre_segment_fd(m.s);
    m.slot = acre_calloc(acre_segment_heap(m.s), SLOTS, sizeof *m.slot);
    return m;
}

static void meeting_end(meeting *m)
{
    acre_heap *h = acre_segment_heap(m->s);
    test_sound(h);
    for (size_t i = 0; i < SLOTS; i++)
        if (m->slot[i])
            take(m, &m->seed, m->slot[i]);
    ACRE_CHECK_EQUAL(acre_free(h, m->slot), 0);
    test_sound(h);
    ACRE_CHECK(acre_heap_all_free(h));
    acre_segment_close(m->s);
}

static void threads_share_a_heap(const acre_algorithm *a)
{
    pthread_t t[WORKERS];
    test_skip_flags(a, ACRE_NO_FREE | ACRE_REFERENCE);
    meeting m = meeting_make(a, 200000);
    for (int i = 0; i < WORKERS; i++)
        ACRE_CHECK(pthread_create(&t[i], NULL, work_in_thread, &m) == 0);
    for (int i = 0; i < WORKERS; i++)
        pthread_join(t[i], NULL);
    meeting_end(&m);
}

static void processes_share_a_heap(const acre_algorithm *a)
{
    pid_t child[WORKERS];
    test_skip_flags(a, ACRE_NO_FREE | ACRE_REFERENCE);
    meeting m = meeting_make(a, 200000);
    for (int i = 0; i < WORKERS; i++)
        child[i] = acre_test_spawn(work_in_process, &m);
    for (int i = 0; i < WORKERS; i++)
        acre_test_expect_exit(child[i], 0);
    meeting_end(&m);
}

/* Parent and child both go on with the handle after fork. */
static void a_forked_child_goes_on(const acre_algorithm *a)
{
    test_skip_flags(a, ACRE_NO_FREE | ACRE_REFERENCE);
    meeting m = meeting_make(a, 20000);
    work(&m);
    pid_t child = acre_test_spawn(work, &m);
    work(&m);
    acre_test_expect_exit(child, 0);
    meeting_end(&m);
}

#define CASES(X, a)              \
    X(a, threads_share_a_heap)   \
    X(a, processes_share_a_heap) \
    X(a, a_forked_child_goes_on)

#define ACRE_ALGORITHM(a) CASES(TEST_CASE, a)
#include "alloc/algorithms.def"
#undef ACRE_ALGORITHM
