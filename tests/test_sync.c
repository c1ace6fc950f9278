/* SPDX-License-Identifier: MIT */
/* The robust lock: exclusion, the owner's death in every form, refused recursion, no lost wake-up
 * under random kills, peace with libc's own robust mutexes.  Also runs under the plain runner. */
#include "tests/acre_test.h"

#include "sync/robust.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { THREADS = 4, PROCESSES = 4 };

/* Shared between processes. */
typedef struct arena {
    acre__robust lock, other;
    pthread_mutex_t mutex;
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
        ACRE_CHECK_EQUAL(acre__robust_lock(&a->lock), 0);
        a->count = a->count + 1;
        acre__robust_unlock(&a->lock);
    }
}

static void *count_up_thread(void *arg)
{
    count_up(arg);
    return NULL;
}

ACRE_TEST(robust, threads_exclude_each_other)
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

ACRE_TEST(robust, processes_exclude_each_other)
{
    arena *a = arena_make(acre_test_rounds(200000));
    pid_t child[PROCESSES];
    for (int i = 0; i < PROCESSES; i++)
        child[i] = acre_test_spawn(count_up, a);
    for (int i = 0; i < PROCESSES; i++)
        acre_test_expect_exit(child[i], 0);
    ACRE_CHECK_EQUAL(a->count, PROCESSES * a->rounds);
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

ACRE_TEST(robust, trylock_does_not_wait)
{
    arena *a = arena_make(0);
    ACRE_CHECK_EQUAL(acre__robust_trylock(&a->lock), 0);
    ACRE_CHECK_EQUAL(try_in_thread(&a->lock), EBUSY);
    acre__robust_unlock(&a->lock);
    ACRE_CHECK_EQUAL(acre__robust_trylock(&a->lock), 0);
    acre__robust_unlock(&a->lock);
    ACRE_CHECK_EQUAL(a->lock.word, 0);
}

ACRE_TEST(robust, a_second_lock_is_refused)
{
    arena *a = arena_make(0);
    ACRE_CHECK_EQUAL(acre__robust_lock(&a->lock), 0);
    ACRE_CHECK_EQUAL(acre__robust_lock(&a->lock), EDEADLK);
    ACRE_CHECK_EQUAL(acre__robust_trylock(&a->lock), EDEADLK);
    ACRE_CHECK_EQUAL(acre__robust_lock(&a->other), EDEADLK);
    ACRE_CHECK_EQUAL(acre__robust_trylock(&a->other), EDEADLK);
    acre__robust_unlock(&a->lock);
    ACRE_CHECK_EQUAL(acre__robust_lock(&a->other), 0);
    acre__robust_unlock(&a->other);
}

/* ---- death of the owner ---- */

static void hold_for_ever(void *arg)
{
    arena *a = arg;
    ACRE_CHECK_EQUAL(acre__robust_lock(&a->lock), 0);
    a->ready = 1;
    for (;;)
        pause();
}

static void hold_and_leave(void *arg)
{
    ACRE_CHECK_EQUAL(acre__robust_lock(&((arena *)arg)->lock), 0);
}

static void hold_and_become_another_program(void *arg)
{
    hold_and_leave(arg);
    execl("/bin/sleep", "sleep", "20", (char *)NULL);
    _exit(98);
}

static void *hold_in_thread(void *arg)
{
    hold_and_leave(arg);
    return NULL;
}

/* The next owner is told once, the one after that not. */
static void expect_orphaned(arena *a)
{
    acre_test_limit(20);
    ACRE_CHECK_EQUAL(acre__robust_lock(&a->lock), EOWNERDEAD);
    acre__robust_unlock(&a->lock);
    ACRE_CHECK_EQUAL(acre__robust_lock(&a->lock), 0);
    acre__robust_unlock(&a->lock);
}

ACRE_TEST(robust, sigkill_while_holding_is_told)
{
    arena *a = arena_make(0);
    pid_t child = acre_test_spawn(hold_for_ever, a);
    while (!a->ready)
        sched_yield();
    ACRE_CHECK_EQUAL(acre__robust_trylock(&a->lock), EBUSY);
    kill(child, SIGKILL);
    expect_orphaned(a);
    acre_test_expect_killed(child);
}

ACRE_TEST(robust, exit_while_holding_is_told)
{
    arena *a = arena_make(0);
    acre_test_run(hold_and_leave, a);
    ACRE_CHECK_EQUAL(acre__robust_trylock(&a->lock), EOWNERDEAD);
    acre__robust_unlock(&a->lock);
}

ACRE_TEST(robust, end_of_a_thread_while_holding_is_told)
{
    arena *a = arena_make(0);
    pthread_t t;
    ACRE_CHECK(pthread_create(&t, NULL, hold_in_thread, a) == 0);
    pthread_join(t, NULL);
    expect_orphaned(a);
}

ACRE_TEST(robust, exec_while_holding_is_told)
{
    arena *a = arena_make(0);
    pid_t child = acre_test_spawn(hold_and_become_another_program, a);
    while (!a->lock.word)
        sched_yield();
    expect_orphaned(a);
    kill(child, SIGKILL);
    acre_test_expect_killed(child);
}

/* The recoverer dies too. */
static void recover_and_die(void *arg)
{
    ACRE_CHECK_EQUAL(acre__robust_lock(&((arena *)arg)->lock), EOWNERDEAD);
    kill(getpid(), SIGKILL);
}

ACRE_TEST(robust, death_of_each_recoverer_is_told)
{
    arena *a = arena_make(0);
    acre_test_run(hold_and_leave, a);
    for (int i = 0; i < 5; i++)
        acre_test_expect_killed(acre_test_spawn(recover_and_die, a));
    expect_orphaned(a);
}

ACRE_TEST(robust, orphan_frees_only_what_was_seen)
{
    arena *a = arena_make(0);
    a->lock.word = 12345;
    acre__robust_orphan(&a->lock.word, 54321);
    ACRE_CHECK_EQUAL(a->lock.word, 12345);
    acre__robust_orphan(&a->lock.word, 12345);
    expect_orphaned(a);
    acre__robust_orphan(&a->lock.word, 0);
    ACRE_CHECK_EQUAL(a->lock.word, 0);
}

/* ---- fork ---- */

static void child_of_owner(void *arg)
{
    arena *a = arg;
    ACRE_CHECK_EQUAL(acre__robust_trylock(&a->lock), EBUSY); /* its parent's */
    ACRE_CHECK_EQUAL(acre__robust_lock(&a->other), 0);
    acre__robust_unlock(&a->other);
}

/* Once, a child forked by an owner was refused every lock for ever. */
ACRE_TEST(robust, child_of_an_owner_owns_nothing)
{
    arena *a = arena_make(0);
    ACRE_CHECK_EQUAL(acre__robust_lock(&a->lock), 0);
    acre_test_run(child_of_owner, a);
    ACRE_CHECK_EQUAL(try_in_thread(&a->lock), EBUSY); /* its exit freed nothing */
    acre__robust_unlock(&a->lock);
    ACRE_CHECK_EQUAL(try_in_thread(&a->lock), 0);
    ACRE_CHECK_EQUAL(acre__robust_trylock(&a->lock), EOWNERDEAD); /* that thread ended */
    acre__robust_unlock(&a->lock);
}

/* ---- random kills ---- */

static void contend(void *arg)
{
    arena *a = arg;
    while (!a->stop) {
        int e = acre__robust_lock(&a->lock);
        ACRE_CHECK(e == 0 || e == EOWNERDEAD);
        if (e)
            a->deaths = a->deaths + 1;
        a->count = a->count + 1;
        acre__robust_unlock(&a->lock);
    }
}

static void await_progress(const arena *a)
{
    for (uint64_t before = a->count; a->count == before; )
        sched_yield();
}

/* Owners and waiters are killed; the rest must always come on (the watchdog sees to that). */
ACRE_TEST(robust, no_wakeup_is_lost_when_waiters_are_killed)
{
    arena *a = arena_make(0);
    pid_t child[PROCESSES];
    uint64_t seed = acre_test_seed();
    size_t rounds = acre_test_rounds(3000);
    for (int i = 0; i < PROCESSES; i++)
        child[i] = acre_test_spawn(contend, a);
    for (size_t i = 0; i < rounds; i++) {
        pid_t *victim = &child[acre_test_below(&seed, PROCESSES)];
        acre_test_limit(30);
        for (uint64_t spin = acre_test_below(&seed, 8000); spin--; )
            __asm__ volatile("");
        kill(*victim, SIGKILL);
        acre_test_expect_killed(*victim);
        await_progress(a);
        *victim = acre_test_spawn(contend, a);
    }
    a->stop = 1;
    for (int i = 0; i < PROCESSES; i++)
        acre_test_expect_exit(child[i], 0);
    fprintf(stderr, "%zu killed, %llu of them while holding\n", rounds,
            (unsigned long long)a->deaths);
    ACRE_CHECK(a->deaths > 0);
}

/* Two only: the one killed may be the only one that the other's unlock would have woken. */
ACRE_TEST(robust, the_last_waiter_comes_on_when_the_owner_is_killed)
{
    size_t rounds = acre_test_rounds(300);
    for (size_t i = 0; i < rounds; i++) {
        arena *a = arena_make(0);
        acre_test_limit(20);
        pid_t owner = acre_test_spawn(hold_for_ever, a);
        while (!a->ready)
            sched_yield();
        pid_t waiter = acre_test_spawn(contend, a);
        if (i % 2)
            usleep(500); /* asleep by now */
        kill(owner, SIGKILL);
        acre_test_expect_killed(owner);
        await_progress(a);
        a->stop = 1;
        acre_test_expect_exit(waiter, 0);
        ACRE_CHECK_EQUAL(a->deaths, 1);
        munmap(a, sizeof *a);
    }
}

/* ---- with libc's own robust mutexes ---- */

static void make_mutex(arena *a)
{
    pthread_mutexattr_t attr;
    pthread_mutexattr_init(&attr);
    pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
    ACRE_CHECK(pthread_mutex_init(&a->mutex, &attr) == 0);
}

/* Takes both, libc's first, and dies. */
static void hold_both(void *arg)
{
    arena *a = arg;
    ACRE_CHECK_EQUAL(pthread_mutex_lock(&a->mutex), 0);
    ACRE_CHECK_EQUAL(acre__robust_lock(&a->lock), 0);
    kill(getpid(), SIGKILL);
}

static void use_in_turn(void *arg)
{
    arena *a = arg;
    for (int i = 0; i < 1000; i++) {
        ACRE_CHECK_EQUAL(pthread_mutex_lock(&a->mutex), 0);
        ACRE_CHECK_EQUAL(acre__robust_lock(&a->lock), 0);
        acre__robust_unlock(&a->lock);
        ACRE_CHECK_EQUAL(pthread_mutex_unlock(&a->mutex), 0);
        ACRE_CHECK_EQUAL(acre__robust_lock(&a->lock), 0);
        acre__robust_unlock(&a->lock);
    }
    hold_both(a);
}

ACRE_TEST(robust, gets_along_with_pthread_robust_mutexes)
{
    arena *a = arena_make(0);
    make_mutex(a);
    acre_test_expect_killed(acre_test_spawn(use_in_turn, a));
    ACRE_CHECK_EQUAL(pthread_mutex_lock(&a->mutex), EOWNERDEAD);
    ACRE_CHECK_EQUAL(pthread_mutex_consistent(&a->mutex), 0);
    ACRE_CHECK_EQUAL(acre__robust_lock(&a->lock), EOWNERDEAD);
    acre__robust_unlock(&a->lock);
    ACRE_CHECK_EQUAL(pthread_mutex_unlock(&a->mutex), 0);
}

/* ---- speed, coarsely ---- */

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Far from a measurement: it would notice a lock that sleeps at each turn. */
ACRE_TEST(robust, contention_does_not_sleep_through)
{
    arena *a = arena_make(acre_test_rounds(100000));
    double begin = seconds();
    pid_t child[PROCESSES];
    for (int i = 0; i < PROCESSES; i++)
        child[i] = acre_test_spawn(count_up, a);
    for (int i = 0; i < PROCESSES; i++)
        acre_test_expect_exit(child[i], 0);
    double each = (seconds() - begin) / (double)(PROCESSES * a->rounds);
    fprintf(stderr, "%.0f ns a turn with %d processes\n", each * 1e9, PROCESSES);
    ACRE_CHECK(each < 1e-3);
}
