/* SPDX-License-Identifier: MIT */
/* The heap's lock when it is polled: exclusion, the owner's death, a stopped owner, refused recursion,
 * random kills of the lock alone and of heaps with lock=spin.  Also runs under the plain runner. */
#include "tests/support_crash.h"

#include "sync/robust.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { THREADS = 4, PROCESSES = 3 };

/* Shared between processes. */
typedef struct arena {
    acre__robust lock, other;
    volatile uint64_t count, deaths, stop, ready;
    size_t rounds;
} arena;

static arena *arena_make(size_t rounds)
{
    arena *a = mmap(NULL, sizeof *a, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ACRE_CHECK(a != MAP_FAILED);
    a->rounds = rounds;
    return a;
}

/* ---- exclusion ---- */

/* Not atomic: only the lock makes the sum right. */
static void count_up(void *arg)
{
    arena *a = arg;
    for (size_t i = 0; i < a->rounds; i++) {
        ACRE_CHECK_EQUAL(acre__robust_lock_polled(&a->lock), 0);
        a->count = a->count + 1;
        acre__robust_unlock_polled(&a->lock);
    }
}

static void *count_up_thread(void *arg)
{
    count_up(arg);
    return NULL;
}

ACRE_TEST(polled, threads_exclude_each_other)
{
    arena *a = arena_make(acre_test_rounds(200000));
    pthread_t t[THREADS];
    for (int i = 0; i < THREADS; i++)
        ACRE_CHECK(pthread_create(&t[i], NULL, count_up_thread, a) == 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(t[i], NULL);
    ACRE_CHECK_EQUAL(a->count, THREADS * a->rounds);
    ACRE_CHECK_EQUAL(a->lock.word, 0);
}

static void count_up_by_all(arena *a, acre_test_function *fn)
{
    pid_t child[PROCESSES];
    for (int i = 0; i < PROCESSES; i++)
        child[i] = acre_test_spawn(fn, a);
    for (int i = 0; i < PROCESSES; i++)
        acre_test_expect_exit(child[i], 0);
}

ACRE_TEST(polled, processes_exclude_each_other)
{
    arena *a = arena_make(acre_test_rounds(200000));
    count_up_by_all(a, count_up);
    ACRE_CHECK_EQUAL(a->count, PROCESSES * a->rounds);
}

/* Somebody who does not own it gives it back in the middle; two are inside at once. */
static void count_up_torn(void *arg)
{
    arena *a = arg;
    for (size_t i = 0; i < a->rounds; i++) {
        ACRE_CHECK_EQUAL(acre__robust_lock_polled(&a->lock), 0);
        uint64_t before = a->count;
        if (i % 16 == 0) {
            acre__robust_unlock_polled(&a->lock);
            sched_yield();
        }
        a->count = before + 1;
        acre__robust_unlock_polled(&a->lock);
    }
}

ACRE_TEST(polled, negative_control_a_section_that_is_left_early_is_noticed)
{
    arena *a = arena_make(20000);
    count_up_by_all(a, count_up_torn);
    ACRE_CHECK(a->count < PROCESSES * a->rounds);
}

static void *try_once(void *arg)
{
    return (void *)(intptr_t)acre__robust_trylock(arg);
}

static int try_in_thread(acre__robust *l)
{
    pthread_t t;
    void *result;
    ACRE_CHECK(pthread_create(&t, NULL, try_once, l) == 0);
    pthread_join(t, &result);
    return (int)(intptr_t)result;
}

ACRE_TEST(polled, a_second_lock_is_refused)
{
    arena *a = arena_make(0);
    ACRE_CHECK_EQUAL(acre__robust_lock_polled(&a->lock), 0);
    ACRE_CHECK_EQUAL(acre__robust_lock_polled(&a->lock), EDEADLK);
    ACRE_CHECK_EQUAL(acre__robust_lock_polled(&a->other), EDEADLK);
    ACRE_CHECK_EQUAL(acre__robust_lock(&a->other), EDEADLK);
    ACRE_CHECK_EQUAL(try_in_thread(&a->lock), EBUSY);
    acre__robust_unlock_polled(&a->lock);
    ACRE_CHECK_EQUAL(acre__robust_lock_polled(&a->other), 0);
    acre__robust_unlock_polled(&a->other);
}

/* ---- the owner ---- */

static void hold_for_ever(void *arg)
{
    arena *a = arg;
    ACRE_CHECK_EQUAL(acre__robust_lock_polled(&a->lock), 0);
    a->ready = 1;
    for (;;)
        pause();
}

/* The mistake that the order in the unlock avoids: no longer named, but the word says taken. */
static void hold_unnamed(void *arg)
{
    ACRE_CHECK_EQUAL(acre__robust_lock_polled(&((arena *)arg)->lock), 0);
    acre__announce_none(acre__self_here());
}

static void hold_named(void *arg)
{
    ACRE_CHECK_EQUAL(acre__robust_lock_polled(&((arena *)arg)->lock), 0);
}

/* Half of the unlock. */
static void free_and_stay_named(void *arg)
{
    hold_named(arg);
    acre__store(&((arena *)arg)->lock.word, 0);
}

static void expect_orphaned(arena *a)
{
    acre_test_limit(20);
    ACRE_CHECK_EQUAL(acre__robust_lock_polled(&a->lock), EOWNERDEAD);
    acre__robust_unlock_polled(&a->lock);
    ACRE_CHECK_EQUAL(acre__robust_lock_polled(&a->lock), 0);
    acre__robust_unlock_polled(&a->lock);
}

ACRE_TEST(polled, the_end_of_an_owner_is_told)
{
    arena *a = arena_make(0);
    acre_test_run(hold_named, a);
    expect_orphaned(a);
    acre_test_run(free_and_stay_named, a);
    ACRE_CHECK_EQUAL(acre__robust_lock_polled(&a->lock), 0);
    acre__robust_unlock_polled(&a->lock);
}

ACRE_TEST(polled, negative_control_an_owner_without_a_name_is_not_told)
{
    arena *a = arena_make(0);
    acre_test_run(hold_unnamed, a);
    ACRE_CHECK_EQUAL(acre__robust_trylock(&a->lock), EBUSY);
}

static void wait_for_it(void *arg)
{
    arena *a = arg;
    ACRE_CHECK_EQUAL(acre__robust_lock_polled(&a->lock), EOWNERDEAD);
    a->count = 1;
    acre__robust_unlock_polled(&a->lock);
}

/* Stopped is not dead: long enough for all stages of waiting, nobody comes in. */
ACRE_TEST(polled, a_stopped_owner_is_not_robbed_and_a_killed_one_is_succeeded)
{
    arena *a = arena_make(0);
    pid_t owner = acre_test_spawn(hold_for_ever, a);
    while (!a->ready)
        sched_yield();
    kill(owner, SIGSTOP);
    uint32_t word = a->lock.word;
    pid_t waiter = acre_test_spawn(wait_for_it, a);
    usleep(300 * 1000);
    ACRE_CHECK_EQUAL(a->count, 0);
    ACRE_CHECK_EQUAL(a->lock.word, word); /* nor marked by who waits */
    acre_test_limit(20);
    kill(owner, SIGKILL);
    acre_test_expect_killed(owner);
    acre_test_expect_exit(waiter, 0);
    ACRE_CHECK_EQUAL(a->count, 1);
}

/* ---- random kills ---- */

static void contend(void *arg)
{
    arena *a = arg;
    while (!a->stop) {
        int e = acre__robust_lock_polled(&a->lock);
        ACRE_CHECK(e == 0 || e == EOWNERDEAD);
        if (e)
            a->deaths = a->deaths + 1;
        a->count = a->count + 1;
        acre__robust_unlock_polled(&a->lock);
    }
}

/* Owners and waiters are killed; the rest must always come on (the watchdog sees to that). */
ACRE_TEST(polled, the_others_come_on_whoever_is_killed)
{
    arena *a = arena_make(0);
    pid_t child[PROCESSES];
    uint64_t seed = acre_test_seed();
    size_t rounds = acre_test_rounds(1500);
    for (int i = 0; i < PROCESSES; i++)
        child[i] = acre_test_spawn(contend, a);
    for (size_t i = 0; i < rounds; i++) {
        pid_t *victim = &child[acre_test_below(&seed, PROCESSES)];
        acre_test_limit(30);
        for (uint64_t spin = acre_test_below(&seed, 8000); spin--;)
            __asm__ volatile("");
        kill(*victim, SIGKILL);
        acre_test_expect_killed(*victim);
        for (uint64_t before = a->count; a->count == before;)
            sched_yield();
        *victim = acre_test_spawn(contend, a);
    }
    a->stop = 1;
    for (int i = 0; i < PROCESSES; i++)
        acre_test_expect_exit(child[i], 0);
    fprintf(stderr, "%zu killed, %llu of them while holding\n", rounds,
            (unsigned long long)a->deaths);
    ACRE_CHECK(a->deaths > 0);
}

/* ---- heaps ---- */

static crash_heap spin_heap(const char *spec)
{
    crash_heap c = {.least = 32 << 10, .most = 64 << 10};
    acre_segment_options o = {.size = c.least, .capacity = c.most};
    ACRE_CHECK_EQUAL(acre_spec_parse(spec, &o.algorithm, &o.heap), 0);
    ACRE_CHECK_EQUAL(acre_segment_create(&c.s, ACRE_MEMFD, NULL, &o), 0);
    c.h = acre_segment_heap(c.s);
    ACRE_CHECK_EQUAL(acre_heap_options_of(c.h).lock, ACRE_LOCK_SPIN);
    c.table = acre_calloc(c.h, 1, sizeof *c.table);
    *acre_segment_root(c.s) = acre_segment_offset(c.s, c.table);
    return c;
}

typedef struct spin_victim {
    crash_heap *c;
    uint64_t seed;
    size_t first;
} spin_victim;

static void spin_work(void *arg)
{
    spin_victim *v = arg;
    while (!v->c->table->stop) {
        crash_step(v->c, &v->seed, CRASH_PUBLISHING, v->first, CRASH_SLOTS / 2);
        v->c->table->steps++;
    }
}

/* Two work, one of them is killed again and again. */
static void spin_kill(const char *spec)
{
    crash_heap c = spin_heap(spec);
    uint64_t seed = acre_test_seed();
    spin_victim other = {&c, seed ^ 1, CRASH_SLOTS / 2};
    pid_t survivor = acre_test_spawn(spin_work, &other);
    for (size_t i = 0; i < acre_test_rounds(400); i++) {
        spin_victim v = {&c, acre_test_random(&seed), 0};
        acre_test_limit(60);
        pid_t victim = acre_test_spawn(spin_work, &v);
        usleep(100 + (useconds_t)acre_test_below(&seed, 900));
        kill(victim, SIGKILL);
        acre_test_expect_killed(victim);
        test_sound(c.h);
    }
    c.table->stop = 1;
    acre_test_expect_exit(survivor, 0);
    ACRE_CHECK_EQUAL(crash_verify(&c), 0);
    acre_stats s;
    ACRE_CHECK_EQUAL(acre_heap_stats(c.h, &s), 0);
    fprintf(stderr, "%s: %llu calls of the dead were rolled back\n", spec,
            (unsigned long long)s.recoveries);
    crash_heap_close(&c);
}

ACRE_TEST(polled, a_best_fit_heap_survives_kills)
{
    spin_kill("rbtree_best_fit:lock=spin");
}

ACRE_TEST(polled, a_first_fit_heap_survives_kills)
{
    spin_kill("simple_seq_fit:lock=spin");
}
