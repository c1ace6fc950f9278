/* SPDX-License-Identifier: MIT */
/* The exclusive locks: mutex, recursive, spin (each case runs on all three), and null.  Exclusion, time, forks,
 * foreign objects; their owner's death: test_mutex_death.c.  Also runs under the plain runner. */
#include "tests/support_mutex.h"

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
