/* SPDX-License-Identifier: MIT */
/* The exclusive locks: mutex, recursive, spin (each case runs on all three), and null.  Exclusion,
 * time, the owner's death in every form, fork, exec, cancellation, pid namespaces, foreign objects.
 * Also runs under the plain runner. */
#include "tests/acre_test.h"

#include "sync/robust.h"

#include <acre/sync.h>

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { KINDS = 3, THREADS = 4, PROCESSES = 4, MANY = 100 };
enum { MILLISECOND = 1000 * 1000 };

/* Any of the three: acre_lock() and its like find out which. */
typedef union any {
    acre_cell cell;
    acre_mutex mutex;
    acre_recursive recursive;
    acre_spin spin;
} any;

/* Shared between processes. */
typedef struct arena {
    any lock, other, many[MANY];
    pthread_mutex_t theirs[MANY];
    uint64_t count, deaths, stop, ready;
    size_t rounds;
} arena;

static const char *const kind_name[KINDS] = {"mutex", "recursive", "spin"};

static void init(any *m, int kind)
{
    memset(m, 0xa5, sizeof *m);
    kind == 0   ? acre_mutex_init(&m->mutex)
    : kind == 1 ? acre_recursive_init(&m->recursive)
                : acre_spin_init(&m->spin);
}

static int consistent(any *m, int kind)
{
    return kind == 0   ? acre_mutex_consistent(&m->mutex)
           : kind == 1 ? acre_recursive_consistent(&m->recursive)
                       : acre_spin_consistent(&m->spin);
}

static int destroy(any *m, int kind)
{
    return kind == 0   ? acre_mutex_destroy(&m->mutex)
           : kind == 1 ? acre_recursive_destroy(&m->recursive)
                       : acre_spin_destroy(&m->spin);
}

static int lock(any *m)
{
    return acre_lock(m, ACRE_EXCLUSIVE);
}

static int trylock(any *m)
{
    return acre_trylock(m, ACRE_EXCLUSIVE);
}

static int lock_until(any *m, const struct timespec *deadline)
{
    return acre_lock_until(m, ACRE_EXCLUSIVE, deadline);
}

static int lock_for(any *m, uint64_t ns)
{
    struct timespec deadline = acre_deadline(ns);
    return lock_until(m, &deadline);
}

static int unlock(any *m)
{
    return acre_unlock(m, ACRE_EXCLUSIVE);
}

static arena *arena_make(int kind, size_t rounds)
{
    arena *a = mmap(NULL, sizeof *a, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ACRE_CHECK(a != MAP_FAILED);
    a->rounds = rounds;
    init(&a->lock, kind);
    init(&a->other, kind);
    for (int i = 0; i < MANY; i++)
        init(&a->many[i], kind);
    return a;
}

static void arena_end(arena *a)
{
    munmap(a, sizeof *a);
}

/* A case that holds for each of the three. */
#define EACH_KIND(name, claim)                                                                     \
    static void claim(int kind);                                                                   \
    ACRE_TEST(name, claim)                                                                         \
    {                                                                                              \
        for (int kind = 0; kind < KINDS; kind++) {                                                 \
            fprintf(stderr, "%s\n", kind_name[kind]);                                              \
            claim(kind);                                                                           \
        }                                                                                          \
    }                                                                                              \
    static void claim(int kind)

static uint64_t get(uint64_t *p)
{
    return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

static void set(uint64_t *p, uint64_t v)
{
    __atomic_store_n(p, v, __ATOMIC_RELEASE);
}

static void await(uint64_t *flag)
{
    while (!get(flag))
        usleep(100);
}

/* What another thread gets; it ends, holding what it got. */
typedef struct attempt {
    any *lock;
    int (*fn)(any *m);
} attempt;

static void *attempt_run(void *arg)
{
    attempt *t = arg;
    return (void *)(intptr_t)t->fn(t->lock);
}

static int in_thread(any *m, int (*fn)(any *))
{
    attempt t = {m, fn};
    pthread_t thread;
    void *result;
    ACRE_CHECK(pthread_create(&thread, NULL, attempt_run, &t) == 0);
    pthread_join(thread, &result);
    return (int)(intptr_t)result;
}

static int try_and_unlock(any *m)
{
    int e = trylock(m);
    if (e == 0)
        ACRE_CHECK_EQUAL(unlock(m), 0);
    return e;
}

/* ---- exclusion ---- */

/* Not atomic: only the lock makes the sum right. */
static void count_up(void *arg)
{
    arena *a = arg;
    for (size_t i = 0; i < a->rounds; i++) {
        int e = i % 3 == 0 ? lock(&a->lock) : i % 3 == 1 ? lock_for(&a->lock, UINT64_MAX) : EBUSY;
        while (e == EBUSY)
            e = trylock(&a->lock);
        ACRE_CHECK_EQUAL(e, 0);
        a->count = a->count + 1;
        ACRE_CHECK_EQUAL(unlock(&a->lock), 0);
    }
}

static void *count_up_thread(void *arg)
{
    count_up(arg);
    return NULL;
}

EACH_KIND(mutex, threads_exclude_each_other_A41)
{
    arena *a = arena_make(kind, acre_test_rounds(20000));
    pthread_t t[THREADS];
    for (int i = 0; i < THREADS; i++)
        ACRE_CHECK(pthread_create(&t[i], NULL, count_up_thread, a) == 0);
    for (int i = 0; i < THREADS; i++)
        pthread_join(t[i], NULL);
    ACRE_CHECK_EQUAL(a->count, THREADS * a->rounds);
    arena_end(a);
}

EACH_KIND(mutex, processes_exclude_each_other_A41)
{
    arena *a = arena_make(kind, acre_test_rounds(20000));
    pid_t child[PROCESSES];
    for (int i = 0; i < PROCESSES; i++)
        child[i] = acre_test_spawn(count_up, a);
    for (int i = 0; i < PROCESSES; i++)
        acre_test_expect_exit(child[i], 0);
    ACRE_CHECK_EQUAL(a->count, PROCESSES * a->rounds);
    arena_end(a);
}

/* ---- time ---- */

EACH_KIND(mutex, past_deadline_takes_a_free_lock_A42)
{
    arena *a = arena_make(kind, 0);
    struct timespec past = {.tv_sec = 0}, now = acre_deadline(0);
    ACRE_CHECK_EQUAL(lock_until(&a->lock, &past), 0);
    ACRE_CHECK_EQUAL(unlock(&a->lock), 0);
    ACRE_CHECK_EQUAL(lock_until(&a->lock, &now), 0);
    ACRE_CHECK_EQUAL(unlock(&a->lock), 0);
    arena_end(a);
}

static int lock_past(any *m)
{
    struct timespec past = {.tv_sec = 0};
    return lock_until(m, &past);
}

static int lock_soon(any *m)
{
    struct timespec begin = acre_deadline(0), end;
    int e = lock_for(m, 20 * MILLISECOND);
    end = acre_deadline(0);
    int64_t ns = (end.tv_sec - begin.tv_sec) * 1000000000 + end.tv_nsec - begin.tv_nsec;
    ACRE_CHECK(ns >= 20 * MILLISECOND, "%lld ns", (long long)ns);
    return e;
}

EACH_KIND(mutex, taken_lock_times_out_and_stays_as_it_was_A41)
{
    arena *a = arena_make(kind, 0);
    ACRE_CHECK_EQUAL(lock(&a->lock), 0);
    ACRE_CHECK_EQUAL(in_thread(&a->lock, lock_past), ETIMEDOUT);
    ACRE_CHECK_EQUAL(in_thread(&a->lock, lock_soon), ETIMEDOUT);
    ACRE_CHECK_EQUAL(in_thread(&a->lock, trylock), EBUSY);
    ACRE_CHECK_EQUAL(unlock(&a->lock), 0);
    ACRE_CHECK_EQUAL(in_thread(&a->lock, try_and_unlock), 0);
    arena_end(a);
}

static void wait_and_take(void *arg)
{
    arena *a = arg;
    set(&a->ready, 1);
    ACRE_CHECK_EQUAL(lock_for(&a->lock, 100000000000), 0);
    ACRE_CHECK_EQUAL(unlock(&a->lock), 0);
}

EACH_KIND(mutex, timed_waiter_gets_what_is_given_back_A41)
{
    arena *a = arena_make(kind, 0);
    acre_test_limit(30);
    ACRE_CHECK_EQUAL(lock(&a->lock), 0);
    pid_t child = acre_test_spawn(wait_and_take, a);
    await(&a->ready);
    usleep(5000);
    ACRE_CHECK_EQUAL(unlock(&a->lock), 0);
    acre_test_expect_exit(child, 0);
    arena_end(a);
}

EACH_KIND(mutex, default_timeout_ends_waits_without_deadline_A43)
{
    arena *a = arena_make(kind, 0);
    ACRE_CHECK_EQUAL(lock(&a->lock), 0);
    acre_default_timeout(10 * MILLISECOND);
    ACRE_CHECK_EQUAL(in_thread(&a->lock, lock), ETIMEDOUT);
    acre_default_timeout(1);
    ACRE_CHECK_EQUAL(in_thread(&a->lock, lock_soon), ETIMEDOUT); /* its own deadline */
    ACRE_CHECK_EQUAL(unlock(&a->lock), 0);
    ACRE_CHECK_EQUAL(in_thread(&a->lock, try_and_unlock), 0);
    acre_default_timeout(0);
    ACRE_CHECK_EQUAL(lock(&a->lock), 0);
    pid_t child = acre_test_spawn(wait_and_take, a);
    await(&a->ready);
    ACRE_CHECK_EQUAL(unlock(&a->lock), 0);
    acre_test_expect_exit(child, 0);
    arena_end(a);
}

/* A lock that is waited for in naps costs no processor: the owner sleeps for a second. */
static void wait_cheaply(void *arg)
{
    arena *a = arg;
    struct timespec used;
    wait_and_take(a);
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &used);
    a->count = (uint64_t)used.tv_sec * 1000 + (uint64_t)used.tv_nsec / MILLISECOND;
}

EACH_KIND(mutex, waiting_for_a_sleeping_owner_burns_no_processor_A53)
{
    arena *a = arena_make(kind, 0);
    ACRE_CHECK_EQUAL(lock(&a->lock), 0);
    pid_t child = acre_test_spawn(wait_cheaply, a);
    await(&a->ready);
    usleep(600 * 1000);
    ACRE_CHECK_EQUAL(unlock(&a->lock), 0);
    acre_test_expect_exit(child, 0);
    ACRE_CHECK(a->count < 300, "%d ms of processor time", (int)a->count);
    arena_end(a);
}

/* ---- who holds it ---- */

ACRE_TEST(mutex, second_lock_by_its_owner_is_refused_A41)
{
    for (int kind = 0; kind < KINDS; kind += 2) {
        arena *a = arena_make(kind, 0);
        ACRE_CHECK_EQUAL(lock(&a->lock), 0);
        ACRE_CHECK_EQUAL(lock(&a->lock), EDEADLK);
        ACRE_CHECK_EQUAL(trylock(&a->lock), EDEADLK);
        ACRE_CHECK_EQUAL(lock_for(&a->lock, MILLISECOND), EDEADLK);
        ACRE_CHECK_EQUAL(unlock(&a->lock), 0);
        ACRE_CHECK_EQUAL(unlock(&a->lock), EPERM);
        arena_end(a);
    }
}

ACRE_TEST(recursive, as_many_unlocks_as_locks_A41)
{
    arena *a = arena_make(1, 0);
    ACRE_CHECK_EQUAL(lock(&a->lock), 0);
    ACRE_CHECK_EQUAL(trylock(&a->lock), 0);
    ACRE_CHECK_EQUAL(lock_for(&a->lock, MILLISECOND), 0);
    for (int i = 0; i < 3; i++) {
        ACRE_CHECK_EQUAL(in_thread(&a->lock, trylock), EBUSY);
        ACRE_CHECK_EQUAL(in_thread(&a->lock, unlock), EPERM);
        ACRE_CHECK_EQUAL(unlock(&a->lock), 0);
    }
    ACRE_CHECK_EQUAL(unlock(&a->lock), EPERM);
    ACRE_CHECK_EQUAL(in_thread(&a->lock, try_and_unlock), 0);
    arena_end(a);
}

ACRE_TEST(recursive, count_does_not_overflow)
{
    arena *a = arena_make(1, 0);
    ACRE_CHECK_EQUAL(lock(&a->lock), 0);
    a->lock.cell.count = UINT32_MAX;
    ACRE_CHECK_EQUAL(lock(&a->lock), EAGAIN);
    ACRE_CHECK_EQUAL(trylock(&a->lock), EAGAIN);
    ACRE_CHECK_EQUAL(a->lock.cell.count, UINT32_MAX);
    a->lock.cell.count = 1;
    ACRE_CHECK_EQUAL(unlock(&a->lock), 0);
    arena_end(a);
}

EACH_KIND(mutex, unlock_by_another_thread_is_refused)
{
    arena *a = arena_make(kind, 0);
    ACRE_CHECK_EQUAL(unlock(&a->lock), EPERM);
    ACRE_CHECK_EQUAL(in_thread(&a->lock, unlock), EPERM);
    ACRE_CHECK_EQUAL(lock(&a->lock), 0);
    ACRE_CHECK_EQUAL(in_thread(&a->lock, unlock), EPERM);
    ACRE_CHECK_EQUAL(in_thread(&a->lock, trylock), EBUSY);
    ACRE_CHECK_EQUAL(unlock(&a->lock), 0);
    arena_end(a);
}

static void shuffle(uint32_t *order, size_t n, uint64_t *seed)
{
    for (size_t i = 0; i < n; i++)
        order[i] = (uint32_t)i;
    for (size_t i = n; i > 1; i--) {
        size_t j = acre_test_below(seed, i);
        uint32_t t = order[j];
        order[j] = order[i - 1];
        order[i - 1] = t;
    }
}

static void take_all_give_back_half(void *arg)
{
    arena *a = arg;
    uint64_t seed = a->count;
    uint32_t order[MANY];
    shuffle(order, MANY, &seed);
    for (int i = 0; i < MANY; i++)
        ACRE_CHECK_EQUAL(lock(&a->many[i]), 0);
    for (int i = 0; i < MANY / 2; i++)
        ACRE_CHECK_EQUAL(unlock(&a->many[order[i]]), 0);
    kill(getpid(), SIGKILL);
}

/* Exactly those still held are told as dead. */
EACH_KIND(mutex, a_hundred_are_given_back_in_any_order)
{
    arena *a = arena_make(kind, 0);
    uint64_t seed = acre_test_seed();
    uint32_t order[MANY];
    a->count = seed;
    acre_test_expect_killed(acre_test_spawn(take_all_give_back_half, a));
    shuffle(order, MANY, &seed);
    for (int i = 0; i < MANY; i++) {
        ACRE_CHECK_EQUAL(trylock(&a->many[order[i]]), i < MANY / 2 ? 0 : EOWNERDEAD);
        if (i >= MANY / 2)
            ACRE_CHECK_EQUAL(consistent(&a->many[order[i]], kind), 0);
    }
    for (int i = 0; i < MANY; i++)
        ACRE_CHECK_EQUAL(unlock(&a->many[i]), 0);
    arena_end(a);
}

/* ---- death of the owner ---- */

static void hold_for_ever(void *arg)
{
    arena *a = arg;
    ACRE_CHECK_EQUAL(lock(&a->lock), 0);
    set(&a->ready, 1);
    for (;;)
        pause();
}

static void hold_and_leave(void *arg)
{
    ACRE_CHECK_EQUAL(lock(&((arena *)arg)->lock), 0);
}

static void hold_and_become_another_program(void *arg)
{
    hold_and_leave(arg);
    execl("/bin/sleep", "sleep", "20", (char *)NULL);
    _exit(98);
}

static void kill_owner(arena *a)
{
    set(&a->ready, 0);
    pid_t child = acre_test_spawn(hold_for_ever, a);
    await(&a->ready);
    kill(child, SIGKILL);
    acre_test_expect_killed(child);
}

/* Told once; healed, nobody hears of it again. */
static void expect_orphaned_and_heal(arena *a, int kind, int (*take)(any *))
{
    acre_test_limit(30);
    ACRE_CHECK_EQUAL(take(&a->lock), ACRE_OWNER_DEAD);
    ACRE_CHECK_EQUAL(in_thread(&a->lock, trylock), EBUSY);
    ACRE_CHECK_EQUAL(consistent(&a->lock, kind), 0);
    ACRE_CHECK_EQUAL(consistent(&a->lock, kind), EINVAL);
    ACRE_CHECK_EQUAL(unlock(&a->lock), 0);
    ACRE_CHECK_EQUAL(take(&a->lock), 0);
    ACRE_CHECK_EQUAL(unlock(&a->lock), 0);
}

static int lock_timed(any *m)
{
    return lock_for(m, 30000000000);
}

EACH_KIND(mutex, sigkill_of_its_owner_is_told_once_by_each_form_A44)
{
    arena *a = arena_make(kind, 0);
    static int (*const form[])(any *) = {lock, trylock, lock_timed, lock_past};
    for (size_t i = 0; i < sizeof form / sizeof *form; i++) {
        kill_owner(a);
        expect_orphaned_and_heal(a, kind, form[i]);
    }
    arena_end(a);
}

EACH_KIND(mutex, waiter_is_told_when_the_owner_is_killed_A44)
{
    arena *a = arena_make(kind, 0);
    pid_t child = acre_test_spawn(hold_for_ever, a);
    acre_test_limit(30);
    await(&a->ready);
    if (fork() == 0) {
        usleep(20000);
        kill(child, SIGKILL);
        _exit(0);
    }
    expect_orphaned_and_heal(a, kind, lock);
    acre_test_expect_killed(child);
    wait(NULL);
    arena_end(a);
}

EACH_KIND(mutex, not_healed_it_is_lost_for_ever_A44_A45)
{
    arena *a = arena_make(kind, 0);
    kill_owner(a);
    ACRE_CHECK_EQUAL(lock(&a->lock), ACRE_OWNER_DEAD);
    ACRE_CHECK_EQUAL(unlock(&a->lock), 0);
    for (int i = 0; i < 3; i++) {
        ACRE_CHECK_EQUAL(lock(&a->lock), ENOTRECOVERABLE);
        ACRE_CHECK_EQUAL(trylock(&a->lock), ENOTRECOVERABLE);
        ACRE_CHECK_EQUAL(lock_timed(&a->lock), ENOTRECOVERABLE);
        ACRE_CHECK_EQUAL(in_thread(&a->lock, lock), ENOTRECOVERABLE);
        ACRE_CHECK_EQUAL(unlock(&a->lock), EPERM);
        ACRE_CHECK_EQUAL(consistent(&a->lock, kind), EINVAL);
    }
    ACRE_CHECK_EQUAL(destroy(&a->lock, kind), 0);
    arena_end(a);
}

static void wait_for_the_end(void *arg)
{
    arena *a = arg;
    __atomic_fetch_add(&a->ready, 1, __ATOMIC_SEQ_CST);
    ACRE_CHECK_EQUAL(lock(&a->lock), ENOTRECOVERABLE);
}

EACH_KIND(mutex, all_who_wait_hear_that_it_is_lost_A45)
{
    arena *a = arena_make(kind, 0);
    pid_t child[PROCESSES];
    acre_test_limit(30);
    kill_owner(a);
    ACRE_CHECK_EQUAL(lock(&a->lock), ACRE_OWNER_DEAD);
    set(&a->ready, 0);
    for (int i = 0; i < PROCESSES; i++)
        child[i] = acre_test_spawn(wait_for_the_end, a);
    while (get(&a->ready) != PROCESSES)
        usleep(100);
    usleep(5000);
    ACRE_CHECK_EQUAL(unlock(&a->lock), 0);
    for (int i = 0; i < PROCESSES; i++)
        acre_test_expect_exit(child[i], 0);
    arena_end(a);
}

EACH_KIND(mutex, exit_while_holding_is_told_A44)
{
    arena *a = arena_make(kind, 0);
    acre_test_run(hold_and_leave, a);
    expect_orphaned_and_heal(a, kind, trylock);
    arena_end(a);
}

EACH_KIND(mutex, end_of_a_thread_while_holding_is_told_A44)
{
    arena *a = arena_make(kind, 0);
    ACRE_CHECK_EQUAL(in_thread(&a->lock, lock), 0);
    expect_orphaned_and_heal(a, kind, lock);
    arena_end(a);
}

EACH_KIND(mutex, exec_while_holding_is_told)
{
    arena *a = arena_make(kind, 0);
    pid_t child = acre_test_spawn(hold_and_become_another_program, a);
    acre_test_limit(30);
    while (!__atomic_load_n(&a->lock.cell.word, __ATOMIC_ACQUIRE))
        sched_yield();
    expect_orphaned_and_heal(a, kind, lock);
    kill(child, SIGKILL);
    acre_test_expect_killed(child);
    arena_end(a);
}

static void *hold_until_cancelled(void *arg)
{
    arena *a = arg;
    ACRE_CHECK_EQUAL(lock(&a->lock), 0);
    set(&a->ready, 1);
    while (!get(&a->stop))
        pause();
    return NULL;
}

EACH_KIND(mutex, thread_cancelled_while_holding_has_died_holding)
{
    arena *a = arena_make(kind, 0);
    pthread_t t;
    ACRE_CHECK(pthread_create(&t, NULL, hold_until_cancelled, a) == 0);
    await(&a->ready);
    ACRE_CHECK(pthread_cancel(t) == 0);
    pthread_join(t, NULL);
    expect_orphaned_and_heal(a, kind, lock);
    arena_end(a);
}

static void *wait_with_a_cancel_pending(void *arg)
{
    arena *a = arg;
    set(&a->ready, 1);
    ACRE_CHECK_EQUAL(lock(&a->lock), 0);
    a->count = 1;
    ACRE_CHECK_EQUAL(unlock(&a->lock), 0);
    pthread_testcancel();
    return NULL;
}

EACH_KIND(mutex, waiting_is_no_cancellation_point)
{
    arena *a = arena_make(kind, 0);
    pthread_t t;
    void *result;
    ACRE_CHECK_EQUAL(lock(&a->lock), 0);
    ACRE_CHECK(pthread_create(&t, NULL, wait_with_a_cancel_pending, a) == 0);
    await(&a->ready);
    ACRE_CHECK(pthread_cancel(t) == 0);
    usleep(20000);
    ACRE_CHECK_EQUAL(unlock(&a->lock), 0);
    pthread_join(t, &result);
    ACRE_CHECK(result == PTHREAD_CANCELED);
    ACRE_CHECK_EQUAL(a->count, 1);
    ACRE_CHECK_EQUAL(trylock(&a->lock), 0);
    ACRE_CHECK_EQUAL(unlock(&a->lock), 0);
    arena_end(a);
}

/* Deep recursion is forgotten with its owner. */
static void hold_thrice(void *arg)
{
    for (int i = 0; i < 3; i++)
        hold_and_leave(arg);
}

ACRE_TEST(recursive, count_begins_anew_after_a_death_A45)
{
    arena *a = arena_make(1, 0);
    acre_test_run(hold_thrice, a);
    ACRE_CHECK_EQUAL(lock(&a->lock), ACRE_OWNER_DEAD);
    ACRE_CHECK_EQUAL(lock(&a->lock), 0); /* not yet healed, but owned */
    ACRE_CHECK_EQUAL(consistent(&a->lock, 1), 0);
    ACRE_CHECK_EQUAL(unlock(&a->lock), 0);
    ACRE_CHECK_EQUAL(in_thread(&a->lock, trylock), EBUSY);
    ACRE_CHECK_EQUAL(unlock(&a->lock), 0);
    ACRE_CHECK_EQUAL(in_thread(&a->lock, try_and_unlock), 0);
    arena_end(a);
}

/* A stopped owner is slow, not dead. */
EACH_KIND(mutex, stopped_owner_is_not_robbed)
{
    arena *a = arena_make(kind, 0);
    int status;
    pid_t child = acre_test_spawn(hold_for_ever, a);
    await(&a->ready);
    kill(child, SIGSTOP);
    ACRE_CHECK(waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status));
    ACRE_CHECK_EQUAL(lock_for(&a->lock, 150 * MILLISECOND), ETIMEDOUT);
    ACRE_CHECK_EQUAL(trylock(&a->lock), EBUSY);
    kill(child, SIGCONT);
    ACRE_CHECK_EQUAL(lock_for(&a->lock, 10 * MILLISECOND), ETIMEDOUT);
    kill(child, SIGKILL);
    acre_test_expect_killed(child);
    expect_orphaned_and_heal(a, kind, lock);
    arena_end(a);
}

/* ---- inside another call ---- */

/* As a signal handler that interrupted a heap call finds it: this thread can name no second cell.
 */
EACH_KIND(mutex, inside_a_heap_call_it_is_refused)
{
    arena *a = arena_make(kind, 0);
    acre__robust heap = {0};
    ACRE_CHECK_EQUAL(lock(&a->other), 0);
    ACRE_CHECK_EQUAL(acre__robust_lock(&heap), 0);
    ACRE_CHECK_EQUAL(lock(&a->lock), EDEADLK);
    ACRE_CHECK_EQUAL(trylock(&a->lock), EDEADLK);
    ACRE_CHECK_EQUAL(lock_for(&a->lock, MILLISECOND), EDEADLK);
    acre__robust_unlock(&heap);
    ACRE_CHECK_EQUAL(lock(&a->lock), 0);
    ACRE_CHECK_EQUAL(unlock(&a->other), 0);
    ACRE_CHECK_EQUAL(unlock(&a->lock), 0);
    arena_end(a);
}

/* ---- fork ---- */

static void child_of_owner(void *arg)
{
    arena *a = arg;
    ACRE_CHECK_EQUAL(unlock(&a->lock), EPERM);
    ACRE_CHECK_EQUAL(trylock(&a->lock), EBUSY); /* its parent's */
    ACRE_CHECK_EQUAL(lock(&a->other), 0);
    ACRE_CHECK_EQUAL(unlock(&a->lock), EPERM);
    ACRE_CHECK_EQUAL(unlock(&a->other), 0);
}

EACH_KIND(mutex, forked_child_owns_nothing)
{
    arena *a = arena_make(kind, 0);
    ACRE_CHECK_EQUAL(lock(&a->lock), 0);
    acre_test_run(child_of_owner, a);
    ACRE_CHECK_EQUAL(in_thread(&a->lock, trylock), EBUSY); /* its exit freed nothing */
    ACRE_CHECK_EQUAL(unlock(&a->lock), 0);
    ACRE_CHECK_EQUAL(in_thread(&a->lock, try_and_unlock), 0);
    arena_end(a);
}

/* ---- random kills ---- */

static void contend(void *arg)
{
    arena *a = arg;
    while (!get(&a->stop)) {
        int e = lock(&a->lock);
        ACRE_CHECK(e == 0 || e == EOWNERDEAD);
        if (e) {
            a->deaths = a->deaths + 1;
            ACRE_CHECK_EQUAL(consistent(&a->lock, (int)a->rounds), 0);
        }
        set(&a->count, a->count + 1);
        ACRE_CHECK_EQUAL(unlock(&a->lock), 0);
    }
}

static void await_progress(arena *a)
{
    for (uint64_t before = get(&a->count); get(&a->count) == before;)
        sched_yield();
}

/* Owners and waiters are killed; the rest must always come on (the watchdog sees to that). */
EACH_KIND(mutex, nobody_waits_for_the_killed)
{
    arena *a = arena_make(kind, (size_t)kind);
    pid_t child[PROCESSES];
    uint64_t seed = acre_test_seed();
    size_t rounds = acre_test_rounds(400);
    for (int i = 0; i < PROCESSES; i++)
        child[i] = acre_test_spawn(contend, a);
    for (size_t i = 0; i < rounds; i++) {
        pid_t *victim = &child[acre_test_below(&seed, PROCESSES)];
        acre_test_limit(30);
        for (uint64_t spin = acre_test_below(&seed, 8000); spin--;)
            __asm__ volatile("");
        kill(*victim, SIGKILL);
        acre_test_expect_killed(*victim);
        await_progress(a);
        *victim = acre_test_spawn(contend, a);
    }
    set(&a->stop, 1);
    for (int i = 0; i < PROCESSES; i++)
        acre_test_expect_exit(child[i], 0);
    fprintf(stderr, "%zu killed, %d of them while holding\n", rounds, (int)a->deaths);
    arena_end(a);
}

/* ---- pid namespaces ---- */

/* A process in a namespace of its own has thread id 1 there, so any two of them have equal ids. */
typedef struct inner {
    acre_test_function *fn;
    arena *a;
} inner;

/* Killed by its parent's death, too.  Exits with 99 if fn fails. */
static pid_t inner_spawn(acre_test_function *fn, arena *a)
{
    pid_t child = fork();
    ACRE_CHECK(child >= 0);
    if (child)
        return child;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    fn(a);
    _exit(0);
}

/* In between: the namespace is for the children of who asks for it. */
static void inner_keep(void *arg)
{
    inner *in = arg;
    int status;
    if (unshare(CLONE_NEWPID) != 0)
        _exit(77);
    pid_t child = inner_spawn(in->fn, in->a);
    ACRE_CHECK(waitpid(child, &status, 0) == child);
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 9);
}

static void namespaces_needed(void *arg)
{
    (void)arg;
    _exit(unshare(CLONE_NEWPID) == 0 ? 0 : 77);
}

static void need_namespaces(void)
{
    int status;
    pid_t child = acre_test_spawn(namespaces_needed, NULL);
    ACRE_CHECK(waitpid(child, &status, 0) == child);
    if (status != 0)
        acre_test_skip("no permission to make a pid namespace");
}

static pid_t spawn_as_1(inner *in)
{
    return acre_test_spawn(inner_keep, in);
}

static void check_id(void)
{
    ACRE_CHECK_EQUAL(syscall(SYS_gettid), 1);
}

static void own_until_told(void *arg)
{
    arena *a = arg;
    check_id();
    ACRE_CHECK_EQUAL(lock(&a->lock), 0);
    set(&a->ready, 1);
    await(&a->stop);
    ACRE_CHECK_EQUAL(unlock(&a->lock), 0);
}

/* Not the owner, though the word has this thread's id. */
static void wait_beside_its_like(void *arg)
{
    arena *a = arg;
    check_id();
    ACRE_CHECK_EQUAL(trylock(&a->lock), EBUSY);
    ACRE_CHECK_EQUAL(unlock(&a->lock), EPERM);
    ACRE_CHECK_EQUAL(lock_for(&a->lock, MILLISECOND), ETIMEDOUT);
    ACRE_CHECK_EQUAL(lock(&a->other), 0);
    set(&a->count, 1);
    int e = lock(&a->lock);
    ACRE_CHECK_EQUAL(e, a->deaths ? EOWNERDEAD : 0);
    ACRE_CHECK_EQUAL(unlock(&a->lock), 0);
}

EACH_KIND(mutex, killed_waiter_of_equal_id_does_not_rob_the_owner)
{
    need_namespaces();
    arena *a = arena_make(kind, 0);
    inner owner = {own_until_told, a}, waiter = {wait_beside_its_like, a};
    acre_test_limit(30);
    pid_t first = spawn_as_1(&owner);
    await(&a->ready);
    pid_t second = spawn_as_1(&waiter);
    await(&a->count);
    usleep(20000); /* asleep by now */
    kill(second, SIGKILL);
    acre_test_expect_killed(second);
    ACRE_CHECK_EQUAL(lock(&a->other), EOWNERDEAD); /* it is gone, and so is what it held */
    ACRE_CHECK_EQUAL(trylock(&a->lock), EBUSY);
    set(&a->stop, 1);
    acre_test_expect_exit(first, 0);
    ACRE_CHECK_EQUAL(trylock(&a->lock), 0);
    ACRE_CHECK_EQUAL(unlock(&a->lock), 0);
    arena_end(a);
}

EACH_KIND(mutex, killed_owner_of_equal_id_is_noticed)
{
    need_namespaces();
    arena *a = arena_make(kind, 0);
    inner owner = {own_until_told, a}, waiter = {wait_beside_its_like, a};
    acre_test_limit(30);
    a->deaths = 1;
    pid_t first = spawn_as_1(&owner);
    await(&a->ready);
    pid_t second = spawn_as_1(&waiter);
    await(&a->count);
    kill(first, SIGKILL);
    acre_test_expect_killed(first);
    acre_test_expect_exit(second, 0);
    arena_end(a);
}

/* ---- beside libc's robust mutexes ---- */

static void make_theirs(arena *a)
{
    pthread_mutexattr_t attr;
    pthread_mutexattr_init(&attr);
    pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
    for (int i = 0; i < MANY; i++)
        ACRE_CHECK(pthread_mutex_init(&a->theirs[i], &attr) == 0);
}

enum { MIXED = 12 };

/* Ours and theirs, each held or not, locked and unlocked at random; then death. */
static void mix_and_die(void *arg)
{
    arena *a = arg;
    uint64_t seed = a->count, held = 0;
    for (size_t n = a->rounds; n--;) {
        uint32_t i = (uint32_t)acre_test_below(&seed, 2 * MIXED), half = i / 2;
        bool had = held >> i & 1;
        if (i % 2)
            ACRE_CHECK_EQUAL(had ? pthread_mutex_unlock(&a->theirs[half])
                                 : pthread_mutex_trylock(&a->theirs[half]),
                             0);
        else
            ACRE_CHECK_EQUAL(had ? unlock(&a->many[half]) : lock(&a->many[half]), 0);
        held ^= (uint64_t)1 << i;
        a->deaths = held;
    }
    kill(getpid(), SIGKILL);
}

EACH_KIND(mutex, mixes_with_pthread_robust_mutexes_in_any_order)
{
    arena *a = arena_make(kind, acre_test_rounds(2000));
    uint64_t seed = acre_test_seed();
    make_theirs(a);
    for (int round = 0; round < 10; round++) {
        a->count = acre_test_random(&seed);
        acre_test_expect_killed(acre_test_spawn(mix_and_die, a));
        for (int i = 0; i < MIXED; i++) {
            int ours = a->deaths >> 2 * i & 1, theirs = a->deaths >> (2 * i + 1) & 1;
            ACRE_CHECK_EQUAL(trylock(&a->many[i]), ours ? EOWNERDEAD : 0);
            ACRE_CHECK_EQUAL(pthread_mutex_trylock(&a->theirs[i]), theirs ? EOWNERDEAD : 0);
            if (ours)
                ACRE_CHECK_EQUAL(consistent(&a->many[i], kind), 0);
            if (theirs)
                ACRE_CHECK_EQUAL(pthread_mutex_consistent(&a->theirs[i]), 0);
            ACRE_CHECK_EQUAL(unlock(&a->many[i]), 0);
            ACRE_CHECK_EQUAL(pthread_mutex_unlock(&a->theirs[i]), 0);
        }
    }
    arena_end(a);
}

/* ---- objects that are none ---- */

EACH_KIND(mutex, all_zero_is_free)
{
    arena *a = arena_make(kind, 0);
    memset(&a->lock, 0, sizeof a->lock);
    ACRE_CHECK_EQUAL(kind == 0   ? acre_mutex_lock(&a->lock.mutex)
                     : kind == 1 ? acre_recursive_lock(&a->lock.recursive)
                                 : acre_spin_lock(&a->lock.spin),
                     0);
    ACRE_CHECK_EQUAL(in_thread(&a->lock, trylock), EBUSY);
    ACRE_CHECK_EQUAL(unlock(&a->lock), 0);
    arena_end(a);
}

/* Every call of every kind says e and changes nothing. */
static void expect_refused(const any *object, int kind, int e)
{
    any m = *object;
    struct timespec past = {.tv_sec = 0};
    if (kind == 0) {
        ACRE_CHECK_EQUAL(acre_mutex_lock(&m.mutex), e);
        ACRE_CHECK_EQUAL(acre_mutex_trylock(&m.mutex), e);
        ACRE_CHECK_EQUAL(acre_mutex_lock_until(&m.mutex, &past), e);
        ACRE_CHECK_EQUAL(acre_mutex_unlock(&m.mutex), e);
    } else if (kind == 1) {
        ACRE_CHECK_EQUAL(acre_recursive_lock(&m.recursive), e);
        ACRE_CHECK_EQUAL(acre_recursive_trylock(&m.recursive), e);
        ACRE_CHECK_EQUAL(acre_recursive_lock_until(&m.recursive, &past), e);
        ACRE_CHECK_EQUAL(acre_recursive_unlock(&m.recursive), e);
    } else {
        ACRE_CHECK_EQUAL(acre_spin_lock(&m.spin), e);
        ACRE_CHECK_EQUAL(acre_spin_trylock(&m.spin), e);
        ACRE_CHECK_EQUAL(acre_spin_lock_until(&m.spin, &past), e);
        ACRE_CHECK_EQUAL(acre_spin_unlock(&m.spin), e);
    }
    ACRE_CHECK_EQUAL(consistent(&m, kind), e);
    ACRE_CHECK_EQUAL(destroy(&m, kind), e);
    ACRE_CHECK(memcmp(&m, object, sizeof m) == 0);
}

EACH_KIND(mutex, foreign_objects_are_refused_and_left_alone)
{
    any m;
    for (int other = 0; other < KINDS; other++)
        if (other != kind) {
            init(&m, other);
            expect_refused(&m, kind, ACRE_EOBJECT);
        }
    memset(&m, 0x5a, sizeof m);
    expect_refused(&m, kind, ACRE_EOBJECT);
    init(&m, kind);
    m.cell.tag ^= 2; /* the layout's byte */
    expect_refused(&m, kind, ACRE_ELAYOUT);
}

EACH_KIND(mutex, destroy_ends_it_unless_it_is_held)
{
    arena *a = arena_make(kind, 0);
    ACRE_CHECK_EQUAL(lock(&a->lock), 0);
    ACRE_CHECK_EQUAL(destroy(&a->lock, kind), EBUSY);
    ACRE_CHECK_EQUAL(unlock(&a->lock), 0);
    ACRE_CHECK_EQUAL(destroy(&a->lock, kind), 0);
    expect_refused(&a->lock, kind, ACRE_EOBJECT);
    init(&a->lock, kind);
    ACRE_CHECK_EQUAL(lock(&a->lock), 0);
    ACRE_CHECK_EQUAL(unlock(&a->lock), 0);
    arena_end(a);
}

/* ---- null ---- */

ACRE_TEST(null, always_succeeds_and_keeps_nobody_out)
{
    acre_null m;
    struct timespec past = {.tv_sec = 0};
    acre_null_init(&m);
    for (int i = 0; i < 2; i++) {
        ACRE_CHECK_EQUAL(acre_null_lock(&m), 0);
        ACRE_CHECK_EQUAL(acre_null_trylock(&m), 0);
        ACRE_CHECK_EQUAL(acre_null_lock_until(&m, &past), 0);
        ACRE_CHECK_EQUAL(acre_lock(&m, ACRE_SHARABLE), 0);
        ACRE_CHECK_EQUAL(acre_null_unlock(&m), 0);
    }
}

ACRE_TEST(null, needs_init)
{
    acre_null m = {0};
    acre_mutex other;
    ACRE_CHECK_EQUAL(acre_null_lock(&m), ACRE_EUNINITIALISED);
    acre_mutex_init(&other);
    ACRE_CHECK_EQUAL(acre_null_lock((acre_null *)&other), ACRE_EOBJECT);
}
