/* SPDX-License-Identifier: MIT */
/* Giving free memory back to the system: for every algorithm and source of memory what is said is what goes,
 * and nothing that lives does; beside other processes, and killed in the middle. */
#include "tests/support_crash.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#ifndef F_SEAL_FUTURE_WRITE
#define F_SEAL_FUTURE_WRITE 0x10
#endif

enum {
    PURGE_SIZE = 8 << 20,
    PURGE_PART = 2 << 20,
    PURGE_BLOCK = 20000,
    PURGE_SMALL = 100,
    PURGE_MOST = 512,
    PURGE_MODEL = 150,
    PURGE_WORKERS = 2
};

/* ---- segments ---- */

static acre_segment *purge_segment(const acre_algorithm *a, enum acre_source source, size_t size)
{
    return test_segment_in(
        source, (acre_segment_options){.size = size, .algorithm = a, .heap = test_options});
}

/* Bytes that the system has spent on it. */
static size_t purge_held(const acre_segment *s)
{
    static unsigned char there[PURGE_SIZE / 4096];
    size_t n = 0, pages = acre_segment_size(s) / 4096;
    struct stat st;
    if (acre_segment_fd(s) >= 0) {
        ACRE_CHECK_EQUAL(fstat(acre_segment_fd(s), &st), 0);
        return (size_t)st.st_blocks * 512;
    }
    ACRE_CHECK(pages <= sizeof there);
    ACRE_CHECK_EQUAL(mincore(acre_segment_base(s), pages * 4096, there), 0);
    for (size_t i = 0; i < pages; i++)
        n += there[i] & 1;
    return n * 4096;
}

/* What the call says is what the system has got. */
static size_t purge_exactly(acre_segment *s, size_t least)
{
    size_t before = purge_held(s), given = 77;
    ACRE_CHECK_EQUAL(acre_heap_purge(acre_segment_heap(s), least, &given), 0);
    ACRE_CHECK_EQUAL(before - purge_held(s), given);
    test_sound(acre_segment_heap(s));
    return given;
}

/* ---- filling ---- */

typedef struct purge_blocks {
    void *large[PURGE_MOST], *small[PURGE_MOST];
    size_t n;
} purge_blocks;

static size_t purge_fill(acre_heap *h, purge_blocks *b)
{
    b->n = 0;
    for (size_t i = 0; i < PURGE_MOST; i++, b->n++) {
        b->small[i] = acre_alloc(h, PURGE_SMALL);
        b->large[i] = b->small[i] ? acre_alloc(h, PURGE_BLOCK) : NULL;
        if (!b->large[i])
            break;
        test_fill(b->small[i], PURGE_SMALL, i);
        test_fill(b->large[i], PURGE_BLOCK, i);
    }
    if (b->n < PURGE_MOST)
        ACRE_CHECK_EQUAL(acre_free(h, b->small[b->n]), 0);
    ACRE_CHECK(b->n > PURGE_SIZE / PURGE_BLOCK / 3, "%zu blocks", b->n);
    return b->n * PURGE_BLOCK;
}

static void purge_free(acre_heap *h, const purge_blocks *b, size_t step)
{
    for (size_t i = 0; i < b->n; i += step) {
        ACRE_CHECK(test_filled(b->large[i], PURGE_BLOCK, i));
        ACRE_CHECK_EQUAL(acre_free(h, b->large[i]), 0);
    }
}

static void purge_small_live(acre_heap *h, const purge_blocks *b)
{
    for (size_t i = 0; i < b->n; i++) {
        ACRE_CHECK(test_filled(b->small[i], PURGE_SMALL, i), "block %zu", i);
        ACRE_CHECK_EQUAL(acre_free(h, b->small[i]), 0);
    }
}

/* Every large block is free, a small one lives behind most of them. */
static void purge_one_source(const acre_algorithm *a, enum acre_source source)
{
    purge_blocks b;
    acre_segment *s = purge_segment(a, source, PURGE_SIZE);
    acre_heap *h = acre_segment_heap(s);
    for (int round = 0; round < 2; round++) {
        size_t filled = purge_fill(h, &b);
        purge_free(h, &b, 1);
        size_t given = purge_exactly(s, 0);
        ACRE_CHECK(given >= filled / 2, "%s: %zu of %zu", a->name, given, filled);
        ACRE_CHECK(purge_exactly(s, 0) <= 4096); /* a tidied front may free one more */
        purge_small_live(h, &b);
    }
    purge_exactly(s, 0);
    ACRE_CHECK(purge_held(s) < PURGE_SIZE / 4, "%zu", purge_held(s));
    acre_segment_close(s);
}

static void what_is_said_goes(const acre_algorithm *a)
{
    static const enum acre_source source[] = {ACRE_SHM, ACRE_FILE, ACRE_MEMFD, ACRE_ANON,
                                              ACRE_HEAP};
    test_skip_flags(a, ACRE_NO_FREE | ACRE_REFERENCE);
    for (size_t i = 0; i < sizeof source / sizeof *source; i++)
        purge_one_source(a, source[i]);
}

/* What never was in use is reserved, and can go, too. */
static void the_never_used_goes(const acre_algorithm *a)
{
    test_skip_flags(a, ACRE_REFERENCE);
    acre_segment *s = purge_segment(a, ACRE_MEMFD, PURGE_SIZE);
    acre_heap *h = acre_segment_heap(s);
    char *p = acre_alloc(h, PURGE_BLOCK);
    test_fill(p, PURGE_BLOCK, 1);
    ACRE_CHECK(purge_exactly(s, 0) > PURGE_SIZE * 3 / 4);
    ACRE_CHECK(test_filled(p, PURGE_BLOCK, 1));
    char *q = acre_alloc(h, PURGE_SIZE / 4);
    ACRE_CHECK(q);
    test_fill(q, PURGE_SIZE / 4, 2);
    ACRE_CHECK(test_filled(q, PURGE_SIZE / 4, 2) && test_filled(p, PURGE_BLOCK, 1));
    test_sound(h);
    acre_segment_close(s);
}

/* ---- which blocks ---- */

static void blocks_below_the_least_stay(const acre_algorithm *a)
{
    enum { SHORT = 16 << 10, LONG = 256 << 10 };
    test_skip_flags(a, ACRE_NO_FREE | ACRE_REFERENCE);
    acre_segment *s = purge_segment(a, ACRE_HEAP, PURGE_PART);
    acre_heap *h = acre_segment_heap(s);
    void *few = acre_alloc(h, SHORT), *wall = acre_alloc(h, SHORT);
    void *many = acre_alloc(h, LONG), *end = acre_alloc(h, SHORT);
    ACRE_CHECK(few && wall && many && end);
    test_fill(few, SHORT, 1);
    test_fill(wall, SHORT, 2);
    test_fill(many, LONG, 3);
    test_fill(end, SHORT, 4);
    ACRE_CHECK_EQUAL(acre_free(h, few) | acre_free(h, many), 0);
    ACRE_CHECK_EQUAL(purge_exactly(s, PURGE_PART), 0);
    size_t large = purge_exactly(s, LONG / 2);
    ACRE_CHECK(large >= LONG - 8192 && large <= LONG, "%zu", large);
    size_t small = purge_exactly(s, 0);
    ACRE_CHECK(small >= SHORT - 8192 && small < LONG / 2, "%zu", small);
    ACRE_CHECK(test_filled(wall, SHORT, 2) && test_filled(end, SHORT, 4));
    acre_segment_close(s);
}

/* Blocks in front are made larger until this one begins with a page; then it is free, and so is another, so
 * that its links are not 0. */
static bool links_begin_a_page(const acre_algorithm *a, size_t front)
{
    acre_segment *s = purge_segment(a, ACRE_HEAP, 1 << 20);
    acre_heap *h = acre_segment_heap(s);
    void *first = acre_alloc(h, front), *p = acre_alloc(h, 64 << 10), *wall = acre_alloc(h, 2048);
    void *other = acre_alloc(h, 65 << 10), *end = acre_alloc(h, 2048);
    ACRE_CHECK(first && p && wall && other && end);
    bool begins = (uintptr_t)p % 4096 == 0;
    if (begins) {
        ACRE_CHECK_EQUAL(acre_free(h, other) | acre_free(h, p), 0);
        ACRE_CHECK_EQUAL(acre_heap_purge(h, 0, NULL), 0);
        test_sound(h);
        ACRE_CHECK((p = acre_alloc(h, 64 << 10)) && (other = acre_alloc(h, 65 << 10)));
        ACRE_CHECK_EQUAL(acre_free(h, p) | acre_free(h, other), 0);
        test_sound(h);
    }
    acre_segment_close(s);
    return begins;
}

static void links_at_the_start_of_a_page_stay(const acre_algorithm *a)
{
    test_skip_flags(a, ACRE_NO_FREE | ACRE_REFERENCE);
    for (size_t front = 2048; front < 2048 + 4096; front += 16)
        if (links_begin_a_page(a, front))
            return;
    acre_test_skip("no block of %s begins with a page", a->name);
}

/* ---- against a model ---- */

typedef struct purge_model {
    acre_segment *s;
    uint64_t seed, purges;
    struct {
        char *p;
        size_t size;
        uint64_t key;
    } block[PURGE_MODEL];
} purge_model;

static void model_step(purge_model *m)
{
    acre_heap *h = acre_segment_heap(m->s);
    size_t i = acre_test_below(&m->seed, PURGE_MODEL);
    if (m->block[i].p) {
        ACRE_CHECK(test_filled(m->block[i].p, m->block[i].size, m->block[i].key));
        ACRE_CHECK_EQUAL(acre_free(h, m->block[i].p), 0);
        m->block[i].p = NULL;
        return;
    }
    m->block[i].size = acre_test_below(&m->seed, acre_test_below(&m->seed, 3) ? 600 : 40000);
    m->block[i].p = acre_alloc(h, m->block[i].size);
    m->block[i].key = acre_test_random(&m->seed);
    if (m->block[i].p)
        test_fill(m->block[i].p, m->block[i].size, m->block[i].key);
}

static void model_purge(purge_model *m)
{
    size_t least = acre_test_below(&m->seed, 3) ? 0 : acre_test_below(&m->seed, 100000);
    ACRE_CHECK_EQUAL(acre_heap_purge(acre_segment_heap(m->s), least, NULL), 0);
    m->purges++;
    if (acre_test_below(&m->seed, 8) == 0)
        test_sound(acre_segment_heap(m->s));
}

static void model_end(purge_model *m)
{
    for (size_t i = 0; i < PURGE_MODEL; i++)
        if (m->block[i].p) {
            ACRE_CHECK(test_filled(m->block[i].p, m->block[i].size, m->block[i].key));
            ACRE_CHECK_EQUAL(acre_free(acre_segment_heap(m->s), m->block[i].p), 0);
        }
    test_sound(acre_segment_heap(m->s));
}

static void operations_between_purges_agree_with_the_model(const acre_algorithm *a)
{
    static const enum acre_source source[] = {ACRE_MEMFD, ACRE_HEAP};
    test_skip_flags(a, ACRE_REFERENCE);
    for (int i = 0; i < 2; i++) {
        purge_model m = {.s = purge_segment(a, source[i], PURGE_PART), .seed = acre_test_seed()};
        for (size_t n = acre_test_rounds(6000); n--;) {
            model_step(&m);
            if (acre_test_below(&m.seed, 20) == 0)
                model_purge(&m);
        }
        ACRE_CHECK(m.purges > 10);
        model_end(&m);
        acre_segment_close(m.s);
    }
}

/* ---- zeroed heaps ---- */

static void zeroed_heaps_stay_zero(const acre_algorithm *a)
{
    TEST_NEEDS(a, zero_free);
    test_skip_flags(a, ACRE_REFERENCE);
    static const enum acre_source source[] = {ACRE_MEMFD, ACRE_HEAP};
    for (int i = 0; i < 2; i++) {
        acre_segment *s = purge_segment(a, source[i], PURGE_PART);
        acre_heap *h = acre_segment_heap(s);
        memset(acre_alloc(h, 3 * PURGE_BLOCK), 0xee, 3 * PURGE_BLOCK);
        ACRE_CHECK_EQUAL(acre_heap_zero_free(h), 0);
        purge_exactly(s, 0);
        for (char *p; (p = acre_alloc(h, PURGE_BLOCK));)
            for (size_t k = 0; k < PURGE_BLOCK; k++)
                ACRE_CHECK(p[k] == 0, "byte %zu", k);
        acre_segment_close(s);
    }
}

/* ---- killed ---- */

typedef struct purge_victim {
    acre_segment *s;
    volatile uint64_t *inside; /* shared: it is in acre_heap_purge() */
} purge_victim;

static void victim_purges(void *arg)
{
    purge_victim *v = arg;
    acre_heap *h = acre_segment_heap(v->s);
    void *p[16];
    for (;;) {
        for (size_t i = 0; i < 16; i++)
            if ((p[i] = acre_alloc(h, PURGE_BLOCK)))
                memset(p[i], 0xaa, PURGE_BLOCK);
        for (size_t i = 0; i < 16; i++)
            ACRE_CHECK_EQUAL(acre_free(h, p[i]), 0);
        *v->inside = 1;
        ACRE_CHECK_EQUAL(acre_heap_purge(h, 0, NULL), 0);
        *v->inside = 0;
    }
}

static void wait_ns(uint64_t n)
{
    nanosleep(&(struct timespec){.tv_nsec = (long)n}, NULL);
}

/* What the dead one had in hand is lost, at most 16 blocks a time; so each time has a heap of its own. */
static bool kill_a_purge(const acre_algorithm *a, uint64_t *seed, volatile uint64_t *inside)
{
    purge_victim v = {purge_segment(a, ACRE_MEMFD, PURGE_PART), inside};
    acre_heap *h = acre_segment_heap(v.s);
    void *live[8];
    for (size_t i = 0; i < 8; i++)
        test_fill(live[i] = acre_alloc(h, 5000), 5000, i);
    *inside = 0;
    pid_t child = acre_test_spawn(victim_purges, &v);
    while (!*inside)
        sched_yield();
    for (uint64_t turns = acre_test_below(seed, 20000); turns--;)
        (void)*inside; /* shorter than any sleep */
    kill(child, SIGKILL);
    acre_test_expect_killed(child);
    bool died_inside = *inside;
    test_sound(h);
    for (size_t i = 0; i < 8; i++)
        ACRE_CHECK(test_filled(live[i], 5000, i));
    purge_exactly(v.s, 0);
    void *p = acre_alloc(h, PURGE_PART / 4);
    ACRE_CHECK(p);
    test_fill(p, PURGE_PART / 4, 9);
    for (size_t i = 0; i < 8; i++)
        ACRE_CHECK(test_filled(live[i], 5000, i) && acre_free(h, live[i]) == 0);
    acre_segment_close(v.s);
    return died_inside;
}

static void killed_in_a_purge(const acre_algorithm *a)
{
    test_skip_flags(a, ACRE_NO_FREE | ACRE_REFERENCE);
    uint64_t seed = acre_test_seed();
    volatile uint64_t *inside =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ACRE_CHECK(inside != MAP_FAILED);
    size_t rounds = acre_test_rounds(60), met = 0, i = 0;
    for (; i < rounds || (!met && i < 20 * rounds); i++)
        met += kill_a_purge(a, &seed, inside);
    ACRE_CHECK(met > 0, "none of %zu kills was inside", i);
}

/* Victims that do all that is done to heaps, and purge; what they published is exact afterwards. */
typedef struct purge_crash {
    crash_heap *c;
    uint64_t seed;
} purge_crash;

static void victim_does_everything(void *arg)
{
    purge_crash *v = arg;
    for (;;) {
        crash_step(v->c, &v->seed, CRASH_PUBLISHING, 0, CRASH_SLOTS);
        ACRE_CHECK_EQUAL(acre_heap_purge(v->c->h, 0, NULL), 0);
    }
}

static void killed_between_calls_and_purges(const acre_algorithm *a)
{
    test_skip_flags(a, ACRE_NO_FREE | ACRE_REFERENCE);
    crash_heap c = crash_heap_make(a);
    purge_crash v = {&c, acre_test_seed()};
    for (size_t i = acre_test_rounds(60); i--;) {
        pid_t child = acre_test_spawn(victim_does_everything, &v);
        wait_ns(500000 + acre_test_below(&v.seed, 1000000));
        kill(child, SIGKILL);
        acre_test_expect_killed(child);
        ACRE_CHECK_EQUAL(crash_verify(&c), 0);
        acre_test_random(&v.seed);
    }
    crash_heap_close(&c);
}

/* ---- beside others ---- */

typedef struct purge_peer {
    int fd;
    volatile uint64_t *stop;
    bool reads;
} purge_peer;

/* Through a mapping of its own, with sizes that come from everywhere. */
static void peer_works(void *arg)
{
    const purge_peer *peer = arg;
    purge_model m = {.seed = (uint64_t)getpid()};
    acre_segment_options o = {.fd = peer->fd};
    ACRE_CHECK_EQUAL(acre_segment_open(&m.s, ACRE_MEMFD, NULL, &o), 0);
    for (size_t n = acre_test_rounds(20000); n--;)
        model_step(&m);
    model_end(&m);
}

/* Without the lock. */
static void peer_looks(void *arg)
{
    const purge_peer *peer = arg;
    acre_segment_options o = {.fd = peer->fd, .read_only = true};
    acre_segment *s;
    ACRE_CHECK_EQUAL(acre_segment_open(&s, ACRE_MEMFD, NULL, &o), 0);
    while (!*peer->stop) {
        int e = acre_heap_check(acre_segment_heap(s), NULL);
        ACRE_CHECK(e == 0 || e == EAGAIN, "%s", acre_strerror(e));
    }
}

static bool ended(pid_t child)
{
    siginfo_t info = {0};
    ACRE_CHECK_EQUAL(waitid(P_PID, (id_t)child, &info, WEXITED | WNOHANG | WNOWAIT), 0);
    return info.si_pid == child;
}

static void others_allocate_meanwhile(const acre_algorithm *a)
{
    test_skip_flags(a, ACRE_NO_FREE | ACRE_REFERENCE);
    acre_segment *s = purge_segment(a, ACRE_MEMFD, PURGE_SIZE);
    volatile uint64_t *stop =
        mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    purge_peer peer = {acre_segment_fd(s), stop, false};
    pid_t child[PURGE_WORKERS], reader = 0;
    bool look = !(a->flags & ACRE_CONCURRENT);
    for (int i = 0; i < PURGE_WORKERS; i++)
        child[i] = acre_test_spawn(peer_works, &peer);
    reader = look ? acre_test_spawn(peer_looks, &peer) : 0;
    while (!ended(child[0]) || !ended(child[1]))
        ACRE_CHECK_EQUAL(acre_heap_purge(acre_segment_heap(s), 0, NULL), 0);
    *stop = 1;
    for (int i = 0; i < PURGE_WORKERS; i++)
        acre_test_expect_exit(child[i], 0);
    if (look)
        acre_test_expect_exit(reader, 0);
    test_sound(acre_segment_heap(s));
    ACRE_CHECK(acre_heap_all_free(acre_segment_heap(s)));
    acre_segment_close(s);
}

static void *thread_works(void *arg)
{
    purge_model *m = arg;
    for (size_t n = acre_test_rounds(20000); n--;)
        model_step(m);
    model_end(m);
    return NULL;
}

/* Of one handle: what threads have at hand is not free. */
static void threads_allocate_meanwhile(const acre_algorithm *a)
{
    test_skip_flags(a, ACRE_NO_FREE | ACRE_REFERENCE);
    acre_segment *s = purge_segment(a, ACRE_HEAP, PURGE_SIZE);
    pthread_t thread[PURGE_WORKERS];
    purge_model *m = calloc(PURGE_WORKERS, sizeof *m);
    for (int i = 0; i < PURGE_WORKERS; i++) {
        m[i] = (purge_model){.s = s, .seed = (uint64_t)i};
        ACRE_CHECK_EQUAL(pthread_create(&thread[i], NULL, thread_works, &m[i]), 0);
    }
    for (int i = 0; i < PURGE_WORKERS; i++)
        while (pthread_tryjoin_np(thread[i], NULL) != 0)
            ACRE_CHECK_EQUAL(acre_heap_purge(acre_segment_heap(s), 0, NULL), 0);
    test_sound(acre_segment_heap(s));
    acre_segment_close(s);
    free(m);
}

/* ---- by itself ---- */

static size_t held_after_freeing(const acre_algorithm *a, size_t purge_after)
{
    enum { BLOCKS = 48, BLOCK = 100 << 10 };
    void *p[BLOCKS];
    acre_segment *s = purge_segment(a, ACRE_HEAP, PURGE_SIZE);
    acre_heap *h = acre_segment_heap(s);
    ACRE_CHECK_EQUAL(acre_heap_purge_after(h, purge_after), 0);
    for (size_t i = 0; i < BLOCKS; i++) {
        p[i] = acre_alloc(h, BLOCK);
        ACRE_CHECK(p[i], "%zu", i);
        test_fill(p[i], BLOCK, i);
    }
    for (size_t i = 0; i < BLOCKS; i++) {
        ACRE_CHECK(test_filled(p[i], BLOCK, i));
        ACRE_CHECK_EQUAL(acre_free(h, p[i]), 0);
    }
    ACRE_CHECK_EQUAL(acre_free(h, NULL), 0);
    ACRE_CHECK(acre_free(h, p[0]) != 0, "a second free");
    test_sound(h);
    size_t held = purge_held(s);
    acre_segment_close(s);
    return held;
}

static void purges_after_so_many_bytes(const acre_algorithm *a)
{
    test_skip_flags(a, ACRE_NO_FREE | ACRE_REFERENCE);
    size_t never = held_after_freeing(a, 0), often = held_after_freeing(a, 1 << 20);
    ACRE_CHECK(never > PURGE_SIZE / 2, "%zu", never);
    ACRE_CHECK(often < never / 2, "%zu of %zu", often, never);
}

#define CASES(X, a)                                                                                \
    X(a, what_is_said_goes)                                                                        \
    X(a, the_never_used_goes)                                                                      \
    X(a, links_at_the_start_of_a_page_stay)                                                        \
    X(a, blocks_below_the_least_stay)                                                              \
    X(a, operations_between_purges_agree_with_the_model)                                           \
    X(a, zeroed_heaps_stay_zero)                                                                   \
    X(a, others_allocate_meanwhile)                                                                \
    X(a, purges_after_so_many_bytes)
#define CASES_OF_DEATHS(X, a)                                                                      \
    X(a, killed_in_a_purge)                                                                        \
    X(a, killed_between_calls_and_purges)                                                          \
    X(a, threads_allocate_meanwhile)

#define ACRE_ALGORITHM(a)                                                                          \
    CASES(TEST_CASE, a)                                                                            \
    CASES_OF_DEATHS(TEST_CASE, a)                                                                  \
    TEST_CASE_CHECKS3(a, what_is_said_goes)                                                        \
    TEST_CASE_CHECKS3(a, operations_between_purges_agree_with_the_model)                           \
    TEST_CASE_PLAIN(a, what_is_said_goes)                                                          \
    TEST_CASE_PLAIN(a, purges_after_so_many_bytes)
#include "alloc/algorithms.def"
#undef ACRE_ALGORITHM

/* ---- what is refused ---- */

static int purge_bytes(acre_heap *h, size_t *bytes)
{
    *bytes = 77;
    return acre_heap_purge(h, 0, bytes);
}

ACRE_TEST(purge, read_only_is_refused)
{
    acre_segment *s = purge_segment(NULL, ACRE_MEMFD, PURGE_PART), *view;
    acre_segment_options look = {.fd = acre_segment_fd(s), .read_only = true};
    size_t bytes, held = purge_held(s);
    ACRE_CHECK_EQUAL(acre_segment_open(&view, ACRE_MEMFD, NULL, &look), 0);
    ACRE_CHECK_EQUAL(purge_bytes(acre_segment_heap(view), &bytes), EROFS);
    ACRE_CHECK_EQUAL(acre_heap_purge_after(acre_segment_heap(view), 1), EROFS);
    ACRE_CHECK_EQUAL(bytes, 77);
    ACRE_CHECK_EQUAL(purge_held(s), held);
    acre_segment_close(view);
    acre_segment_close(s);
}

ACRE_TEST(purge, a_callers_buffer_is_left_alone)
{
    acre_segment *s;
    size_t bytes;
    acre_segment_options o = {.size = PURGE_PART, .buffer = aligned_alloc(4096, PURGE_PART)};
    memset(o.buffer, 1, PURGE_PART);
    ACRE_CHECK_EQUAL(acre_segment_create(&s, ACRE_BUFFER, NULL, &o), 0);
    ACRE_CHECK_EQUAL(purge_bytes(acre_segment_heap(s), &bytes), ENOTSUP);
    ACRE_CHECK_EQUAL(acre_heap_purge_after(acre_segment_heap(s), 1), ENOTSUP);
    ACRE_CHECK_EQUAL(bytes, 77);
    ACRE_CHECK_EQUAL(((char *)o.buffer)[PURGE_PART - 4096], 1);
    test_sound(acre_segment_heap(s));
    acre_segment_close(s);
    free(o.buffer);
}

/* The heap goes on, with all that is in it. */
static void purge_fails(acre_segment *s, int error)
{
    acre_heap *h = acre_segment_heap(s);
    size_t bytes;
    void *p = acre_alloc(h, PURGE_BLOCK), *q = acre_alloc(h, PURGE_BLOCK);
    test_fill(q, PURGE_BLOCK, 1);
    ACRE_CHECK_EQUAL(acre_free(h, p), 0);
    ACRE_CHECK_EQUAL(purge_bytes(h, &bytes), error);
    ACRE_CHECK_EQUAL(bytes, 77);
    test_sound(h);
    ACRE_CHECK(test_filled(q, PURGE_BLOCK, 1));
    ACRE_CHECK_EQUAL(acre_free(h, q), 0);
    ACRE_CHECK(acre_heap_all_free(h));
}

ACRE_TEST(purge, a_sealed_file_is_an_error_and_loses_nothing)
{
    acre_segment *s = purge_segment(NULL, ACRE_MEMFD, PURGE_PART);
    if (fcntl(acre_segment_fd(s), F_ADD_SEALS, F_SEAL_FUTURE_WRITE) != 0)
        acre_test_skip("no such seal");
    purge_fails(s, EPERM);
    acre_segment_close(s);
}

/* Exit 77: not permitted. */
static void purge_without_holes(void *arg)
{
    const char *path = arg;
    char file[512];
    acre_segment *s;
    acre_segment_options o = {.size = PURGE_PART};
    if (unshare(geteuid() ? CLONE_NEWUSER | CLONE_NEWNS : CLONE_NEWNS) != 0 ||
        mount("none", "/", "none", MS_REC | MS_PRIVATE, "") != 0 ||
        mount("ramfs", path, "ramfs", 0, "") != 0)
        _exit(77);
    snprintf(file, sizeof file, "%s/segment", path);
    ACRE_CHECK_EQUAL(acre_segment_create(&s, ACRE_FILE, file, &o), 0);
    purge_fails(s, ENOTSUP);
}

ACRE_TEST(purge, a_file_system_without_holes_is_an_error_and_loses_nothing)
{
    char path[] = "/tmp/acre-test-XXXXXX";
    int status;
    ACRE_CHECK(mkdtemp(path));
    pid_t child = acre_test_spawn(purge_without_holes, path);
    ACRE_CHECK(waitpid(child, &status, 0) == child && rmdir(path) == 0);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
        acre_test_skip("no mount namespaces");
    ACRE_CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

ACRE_TEST(purge, locked_memory_is_an_error_and_loses_nothing)
{
    acre_segment *s = purge_segment(NULL, ACRE_HEAP, PURGE_PART);
    if (syscall(SYS_mlock, acre_segment_base(s), PURGE_PART) != 0) /* sanitizers do not lock */
        acre_test_skip("cannot lock memory");
    purge_fails(s, EINVAL);
    acre_segment_close(s);
}

typedef struct purge_shelf {
    acre_heap *h;
    char *at_hand;
    pthread_barrier_t turn;
} purge_shelf;

static void *thread_keeps_one(void *arg)
{
    purge_shelf *t = arg;
    t->at_hand = acre_alloc(t->h, PURGE_BLOCK);
    test_fill(t->at_hand, PURGE_BLOCK, 1);
    ACRE_CHECK_EQUAL(acre_free(t->h, t->at_hand), 0);
    pthread_barrier_wait(&t->turn);
    pthread_barrier_wait(&t->turn);
    return NULL;
}

/* It may be in use again at any moment, without the lock. */
ACRE_TEST(purge, what_a_thread_of_sharded_has_at_hand_stays)
{
    acre_segment *s = purge_segment(acre_algorithm_find("sharded"), ACRE_HEAP, PURGE_SIZE);
    purge_shelf t = {.h = acre_segment_heap(s)};
    pthread_t thread;
    pthread_barrier_init(&t.turn, NULL, 2);
    ACRE_CHECK_EQUAL(pthread_create(&thread, NULL, thread_keeps_one, &t), 0);
    pthread_barrier_wait(&t.turn);
    purge_exactly(s, 0);
    char copy[PURGE_BLOCK];
    test_fill(copy, PURGE_BLOCK, 1);
    ACRE_CHECK(memcmp(t.at_hand + 64, copy + 64, PURGE_BLOCK - 64) == 0);
    pthread_barrier_wait(&t.turn);
    ACRE_CHECK_EQUAL(pthread_join(thread, NULL), 0);
    ACRE_CHECK(purge_exactly(s, 0) >= PURGE_BLOCK - 8192); /* nobody's now */
    acre_segment_close(s);
}

/* A thread's own access looks at addresses as ever: the last of many is not at hand but home, and there is room
 * at hand again when it is freed once more. */
ACRE_TEST(purge, purging_by_itself_leaves_checks_on)
{
    acre_segment *s = purge_segment(acre_algorithm_find("sharded"), ACRE_HEAP, PURGE_SIZE);
    acre_heap *h = acre_segment_heap(s);
    acre_local l;
    void *p[PURGE_MOST];
    ACRE_CHECK_EQUAL(acre_heap_purge_after(h, 1 << 20), 0);
    ACRE_CHECK_EQUAL(acre_local_open(&l, h), 0);
    for (int i = 0; i < PURGE_MOST; i++)
        ACRE_CHECK((p[i] = acre_local_alloc(&l, PURGE_SMALL)) != NULL);
    for (int i = 0; i < PURGE_MOST; i++)
        ACRE_CHECK_EQUAL(acre_local_free(&l, p[i]), 0);
    for (int i = 0; i < 5; i++)
        ACRE_CHECK(acre_local_alloc(&l, PURGE_SMALL) != NULL);
    ACRE_CHECK_EQUAL(acre_local_free(&l, p[PURGE_MOST - 1]), ACRE_EINVALID);
    ACRE_CHECK_EQUAL(acre_free(h, p[PURGE_MOST - 1]), ACRE_EINVALID);
    test_sound(h);
    acre_segment_close(s);
}

/* The turns: more than what goes while the lock is held once. */
ACRE_TEST(purge, a_large_heap_goes_in_turns)
{
    enum { LARGE = 80 << 20 };
    acre_segment *s = purge_segment(NULL, ACRE_MEMFD, LARGE);
    acre_heap *h = acre_segment_heap(s);
    char *p[3];
    for (int i = 0; i < 3; i++)
        ACRE_CHECK((p[i] = acre_alloc(h, 25 << 20)) != NULL);
    test_fill(p[1], 1 << 20, 5);
    ACRE_CHECK_EQUAL(acre_free(h, p[0]) | acre_free(h, p[2]), 0);
    size_t given = purge_exactly(s, 0);
    ACRE_CHECK(given > 54 << 20 && given < 56 << 20, "%zu", given);
    ACRE_CHECK(test_filled(p[1], 1 << 20, 5));
    ACRE_CHECK_EQUAL(purge_exactly(s, 0), 0);
    acre_segment_close(s);
}
