/* SPDX-License-Identifier: MIT */
/* Killed at every instruction of every operation of the locks with one mode, conditions,
 * semaphores, permits, barriers and once: what sync.h says of deaths.  (Sharable and upgradable
 * mutexes, what has a name, queues and rings have files of their own.) */
#include "tests/support_lab.h"

#include <acre/sync.h>
#include <errno.h>
#include <pthread.h>
#include <unistd.h>

static const struct timespec step_past = {0};

/* ================================ mutex, recursive, spin ================================ */

static int lock_told(int e)
{
    LAB_EXPECT(e == 0 || e == ACRE_OWNER_DEAD, "%d", e);
    return e;
}

/* One kind's functions and scenarios. */
#define LOCK(kind)                                                                                 \
    static void kind##_init(void *m)                                                               \
    {                                                                                              \
        acre_##kind##_init(m);                                                                     \
    }                                                                                              \
    static void kind##_heal(void *m, int e)                                                        \
    {                                                                                              \
        if (lock_told(e))                                                                          \
            LAB_EQUAL(acre_##kind##_consistent(m), 0);                                             \
    }                                                                                              \
    static void kind##_lock(void *m)                                                               \
    {                                                                                              \
        kind##_heal(m, acre_##kind##_lock(m));                                                     \
    }                                                                                              \
    static void kind##_trylock(void *m)                                                            \
    {                                                                                              \
        kind##_heal(m, acre_##kind##_trylock(m));                                                  \
    }                                                                                              \
    static void kind##_unlock(void *m)                                                             \
    {                                                                                              \
        LAB_EQUAL(acre_##kind##_unlock(m), 0);                                                     \
    }                                                                                              \
    static void kind##_time_out(void *m)                                                           \
    {                                                                                              \
        LAB_EQUAL(acre_##kind##_lock_until(m, &step_past), ETIMEDOUT);                             \
    }                                                                                              \
    static void kind##_abandon(void *m)                                                            \
    {                                                                                              \
        if (acre_##kind##_lock(m) != ENOTRECOVERABLE)                                              \
            LAB_EQUAL(acre_##kind##_unlock(m), 0);                                                 \
    }                                                                                              \
    static void kind##_lock_and_unlock(void *m)                                                    \
    {                                                                                              \
        kind##_lock(m);                                                                            \
        kind##_unlock(m);                                                                          \
    }                                                                                              \
    /* Helpers: it has it until the victim sleeps; it waits for it; it has died with it. */        \
    static void kind##_hold(void *m)                                                               \
    {                                                                                              \
        kind##_lock(m);                                                                            \
        lab_ready();                                                                               \
        lab_await();                                                                               \
        kind##_unlock(m);                                                                          \
    }                                                                                              \
    static void kind##_want(void *m)                                                               \
    {                                                                                              \
        lab_met();                                                                                 \
        kind##_lock_and_unlock(m);                                                                 \
    }                                                                                              \
    static void kind##_die(void *m)                                                                \
    {                                                                                              \
        kind##_lock(m);                                                                            \
        lab_ready();                                                                               \
    }                                                                                              \
    static void kind##_lock_and_meet(void *m)                                                      \
    {                                                                                              \
        kind##_lock(m);                                                                            \
        lab_meet();                                                                                \
    }                                                                                              \
    /* Survivors: it is to be had at once, and once healed nobody is told again. */                \
    static bool kind##_told(void *m)                                                               \
    {                                                                                              \
        int e = lock_told(acre_##kind##_trylock(m));                                               \
        kind##_heal(m, e);                                                                         \
        kind##_unlock(m);                                                                          \
        LAB_EQUAL(acre_##kind##_lock(m), 0);                                                       \
        kind##_unlock(m);                                                                          \
        return e;                                                                                  \
    }                                                                                              \
    static int kind##_taken(void *m)                                                               \
    {                                                                                              \
        return kind##_told(m) ? LAB_AFTER : LAB_BEFORE;                                            \
    }                                                                                              \
    static int kind##_given(void *m)                                                               \
    {                                                                                              \
        return kind##_told(m) ? LAB_BEFORE : LAB_AFTER;                                            \
    }                                                                                              \
    static int kind##_silent(void *m)                                                              \
    {                                                                                              \
        LAB_EXPECT(!kind##_told(m), "told of one who had nothing");                                \
        return LAB_EITHER;                                                                         \
    }                                                                                              \
    static int kind##_abandoned(void *m)                                                           \
    {                                                                                              \
        int e = acre_##kind##_trylock(m);                                                          \
        LAB_EXPECT(e == ENOTRECOVERABLE || e == ACRE_OWNER_DEAD, "%d", e);                         \
        return e == ENOTRECOVERABLE ? LAB_AFTER : LAB_BEFORE;                                      \
    }                                                                                              \
    static void kind##_ask(void *m)                                                                \
    {                                                                                              \
        int e = acre_##kind##_trylock(m);                                                          \
        LAB_EXPECT(e == 0 || e == EBUSY, "%d", e);                                                 \
        if (e == 0)                                                                                \
            kind##_unlock(m);                                                                      \
    }                                                                                              \
    LAB_SCENARIO(kind, lock, .prepare = kind##_init, .victim = kind##_lock,                        \
                 .verify = kind##_taken, .peer = kind##_ask)                                       \
    LAB_SCENARIO(kind, lock_of_zeros, .victim = kind##_lock, .verify = kind##_taken)               \
    LAB_SCENARIO(kind, first_lock, .prepare = kind##_init, .victim = kind##_lock,                  \
                 .verify = kind##_taken, .flags = LAB_COLD)                                        \
    LAB_SCENARIO(kind, trylock, .prepare = kind##_init, .victim = kind##_trylock,                  \
                 .verify = kind##_taken, .peer = kind##_ask)                                       \
    LAB_SCENARIO(kind, unlock, .prepare = kind##_init, .before = kind##_lock,                      \
                 .victim = kind##_unlock, .verify = kind##_given, .peer = kind##_ask)              \
    LAB_SCENARIO(kind, lock_that_waits, .prepare = kind##_init, .helper = kind##_hold,             \
                 .victim = kind##_lock, .verify = kind##_taken, .flags = LAB_LOOSE | LAB_SPINS)    \
    LAB_SCENARIO(kind, lock_that_times_out, .prepare = kind##_init, .helper = kind##_hold,         \
                 .victim = kind##_time_out, .verify = kind##_silent, .peer = kind##_ask,           \
                 .flags = LAB_SINGLE)                                                              \
    LAB_SCENARIO(kind, unlock_to_a_waiter, .prepare = kind##_init, .helper = kind##_want,          \
                 .before = kind##_lock_and_meet, .victim = kind##_unlock, .verify = kind##_silent, \
                 .flags = LAB_SINGLE)                                                              \
    LAB_SCENARIO(kind, heal, .prepare = kind##_init, .helper = kind##_die,                         \
                 .victim = kind##_lock_and_unlock, .verify = kind##_given)                         \
    LAB_SCENARIO(kind, abandon, .prepare = kind##_init, .helper = kind##_die,                      \
                 .victim = kind##_abandon, .verify = kind##_abandoned)

LOCK(mutex)
LOCK(recursive)
LOCK(spin)

static void recursive_twice(void *m)
{
    recursive_lock(m);
    recursive_lock(m);
}

static int recursive_still(void *m)
{
    LAB_EXPECT(recursive_told(m), "it had it once more");
    return LAB_EITHER;
}

LAB_SCENARIO(recursive, lock_again, .before = recursive_lock, .victim = recursive_lock,
             .verify = recursive_still, .peer = recursive_ask)
LAB_SCENARIO(recursive, unlock_once, .before = recursive_twice, .victim = recursive_unlock,
             .verify = recursive_still, .peer = recursive_ask)

/* ================================ condition ================================ */

typedef struct condition_room {
    acre_mutex mutex;
    acre_condition condition;
    volatile uint32_t flag, out; /* out: the waiter has gone */
} condition_room;

static void condition_prepare(void *shared)
{
    condition_room *r = shared;
    acre_mutex_init(&r->mutex);
    acre_condition_init(&r->condition);
}

static void condition_enter(void *shared)
{
    mutex_lock(&((condition_room *)shared)->mutex);
}

static void condition_leave(void *shared)
{
    mutex_unlock(&((condition_room *)shared)->mutex);
}

static void condition_wait(void *shared)
{
    condition_room *r = shared;
    while (!r->flag)
        mutex_heal(&r->mutex, acre_condition_wait(&r->condition, &r->mutex, ACRE_EXCLUSIVE));
}

static void condition_waiter(void *shared)
{
    condition_enter(shared);
    lab_ready();
    condition_wait(shared);
    condition_leave(shared);
    ((condition_room *)shared)->out = 1;
}

static void condition_set(void *shared)
{
    condition_enter(shared);
    ((condition_room *)shared)->flag = 1;
    condition_leave(shared);
}

static void condition_notify_one(void *shared)
{
    LAB_EQUAL(acre_condition_notify_one(&((condition_room *)shared)->condition), 0);
}

static void condition_notify_all(void *shared)
{
    LAB_EQUAL(acre_condition_notify_all(&((condition_room *)shared)->condition), 0);
}

static void condition_wake_one(void *shared)
{
    condition_set(shared);
    condition_notify_one(shared);
}

static void *condition_thread(void *shared)
{
    condition_enter(shared);
    condition_wait(shared);
    condition_leave(shared);
    return NULL;
}

/* The mutex is to be had, and the condition works on. */
static int condition_works(void *shared)
{
    condition_room *r = shared;
    pthread_t t;
    bool told = mutex_told(&r->mutex);
    condition_enter(r);
    r->flag = 0;
    LAB_EQUAL(acre_condition_wait_until(&r->condition, &r->mutex, ACRE_EXCLUSIVE, &step_past),
              ETIMEDOUT);
    condition_leave(r);
    LAB_EXPECT(pthread_create(&t, NULL, condition_thread, r) == 0);
    condition_wake_one(r);
    pthread_join(t, NULL);
    return told ? LAB_AFTER : LAB_BEFORE;
}

static int condition_quiet(void *shared)
{
    LAB_EXPECT(condition_works(shared) == LAB_BEFORE, "told of one who had nothing");
    return LAB_EITHER;
}

/* Notified, whoever died on the way: the waiter comes out by itself, within a nap. */
static int condition_notified(void *shared)
{
    condition_room *r = shared;
    for (int i = 0; i < (lab_finished() ? 4000 : 120) && !r->out; i++)
        usleep(1000);
    bool out = r->out;
    if (!out)
        condition_notify_all(r);
    while (!r->out)
        usleep(100);
    condition_quiet(r);
    return out ? LAB_AFTER : LAB_BEFORE;
}

static void condition_peer(void *shared)
{
    mutex_ask(&((condition_room *)shared)->mutex);
    condition_notify_one(shared);
}

LAB_SCENARIO(condition, wait, .prepare = condition_prepare, .before = condition_enter,
             .victim = condition_wait, .wake = condition_wake_one, .verify = condition_works,
             .flags = LAB_LOOSE)
LAB_SCENARIO(condition, wait_beside_another, .prepare = condition_prepare,
             .helper = condition_waiter, .before = condition_enter, .victim = condition_wait,
             .wake = condition_wake_one, .verify = condition_works, .flags = LAB_LOOSE)
LAB_SCENARIO(condition, notify_one, .prepare = condition_prepare, .helper = condition_waiter,
             .before = condition_set, .victim = condition_notify_one, .verify = condition_notified,
             .flags = LAB_LOOSE | LAB_BESIDE | LAB_SINGLE)
LAB_SCENARIO(condition, notify_all, .prepare = condition_prepare, .helper = condition_waiter,
             .before = condition_set, .victim = condition_notify_all, .verify = condition_notified,
             .flags = LAB_LOOSE | LAB_BESIDE | LAB_SINGLE)
LAB_SCENARIO(condition, notify_beside_peers, .prepare = condition_prepare,
             .victim = condition_notify_one, .verify = condition_quiet, .peer = condition_peer)

/* ================================ semaphore ================================ */

static void semaphore_of_1(void *s)
{
    LAB_EQUAL(acre_semaphore_init(s, 1), 0);
}

static void semaphore_wait(void *s)
{
    LAB_EQUAL(acre_semaphore_wait(s), 0);
}

static void semaphore_trywait(void *s)
{
    int e = acre_semaphore_trywait(s);
    LAB_EXPECT(e == 0 || lab_deaths(), "%d", e);
}

static void semaphore_time_out(void *s)
{
    LAB_EQUAL(acre_semaphore_wait_until(s, &step_past), ETIMEDOUT);
}

static void semaphore_post(void *s)
{
    LAB_EQUAL(acre_semaphore_post(s, 1), 0);
}

static void semaphore_helper(void *s)
{
    lab_ready();
    semaphore_wait(s);
}

static void semaphore_post_2(void *s)
{
    LAB_EQUAL(acre_semaphore_post(s, 2), 0);
}

/* What is there; it works on. */
static uint32_t semaphore_left(void *s)
{
    uint32_t n = acre_semaphore_count(s);
    for (uint32_t i = 0; i < n; i++)
        LAB_EQUAL(acre_semaphore_trywait(s), 0);
    LAB_EQUAL(acre_semaphore_trywait(s), EAGAIN);
    semaphore_post_2(s);
    semaphore_wait(s);
    semaphore_wait(s);
    return n;
}

/* At most one for each death is gone. */
static int semaphore_taken(void *s)
{
    uint32_t n = semaphore_left(s);
    LAB_EXPECT(n <= 1, "%u", n);
    return n ? LAB_BEFORE : LAB_AFTER;
}

static int semaphore_given(void *s)
{
    uint32_t n = semaphore_left(s);
    LAB_EXPECT(n <= lab_deaths(), "%u", n);
    return n ? LAB_AFTER : LAB_BEFORE;
}

static int semaphore_untouched(void *s)
{
    LAB_EQUAL(semaphore_left(s), 0);
    return LAB_EITHER;
}

static void semaphore_peer(void *s)
{
    semaphore_post(s);
    semaphore_wait(s);
}

/* A second victim may find nothing left: then it sleeps until it is killed. */
LAB_SCENARIO(semaphore, wait, .prepare = semaphore_of_1, .victim = semaphore_wait,
             .verify = semaphore_taken, .peer = semaphore_peer, .flags = LAB_SINGLE)
LAB_SCENARIO(semaphore, trywait, .prepare = semaphore_of_1, .victim = semaphore_trywait,
             .verify = semaphore_taken)
LAB_SCENARIO(semaphore, post, .victim = semaphore_post, .verify = semaphore_given,
             .peer = semaphore_peer)
LAB_SCENARIO(semaphore, wait_that_times_out, .victim = semaphore_time_out,
             .verify = semaphore_untouched, .peer = semaphore_peer)
LAB_SCENARIO(semaphore, wait_that_sleeps, .victim = semaphore_wait, .wake = semaphore_post,
             .verify = semaphore_taken, .flags = LAB_LOOSE | LAB_SINGLE)
LAB_SCENARIO(semaphore, wait_beside_another, .helper = semaphore_helper, .victim = semaphore_wait,
             .wake = semaphore_post_2, .verify = semaphore_taken, .flags = LAB_LOOSE | LAB_SINGLE)
LAB_SCENARIO(semaphore, post_to_a_waiter, .helper = semaphore_helper, .victim = semaphore_post,
             .wake = semaphore_post, .verify = semaphore_given, .flags = LAB_LOOSE)

/* ================================ permits ================================ */

enum { PERMITS = 4 };

static void permits_init(void *p)
{
    LAB_EQUAL(acre_permits_init(p, PERMITS), 0);
}

static uint32_t permits_mine[PERMITS];

static void permits_acquire(void *p)
{
    LAB_EQUAL(acre_permits_acquire(p, permits_mine), 0);
}

static void permits_try(void *p)
{
    LAB_EQUAL(acre_permits_try(p, permits_mine), 0);
}

static void permits_all(void *p)
{
    for (int i = 0; i < PERMITS; i++)
        LAB_EQUAL(acre_permits_acquire(p, &permits_mine[i]), 0);
}

static void permits_release(void *p)
{
    LAB_EQUAL(acre_permits_release(p, permits_mine[0]), 0);
}

static void permits_time_out(void *p)
{
    LAB_EQUAL(acre_permits_acquire_until(p, permits_mine, &step_past), ETIMEDOUT);
}

static void permits_all_and_meet(void *p)
{
    permits_all(p);
    lab_meet();
}

static void permits_hold(void *p)
{
    permits_all(p);
    lab_ready();
    lab_await();
    for (int i = 0; i < PERMITS; i++)
        LAB_EQUAL(acre_permits_release(p, permits_mine[i]), 0);
}

static void permits_want(void *p)
{
    lab_met();
    permits_acquire(p);
    permits_release(p);
}

/* Whatever the dead had, all are free at once. */
static int permits_free_again(void *p)
{
    uint32_t spare;
    LAB_EQUAL(acre_permits_free(p), PERMITS);
    for (int i = 0; i < PERMITS; i++)
        LAB_EQUAL(acre_permits_try(p, &permits_mine[i]), 0);
    LAB_EQUAL(acre_permits_try(p, &spare), EAGAIN);
    for (int i = 0; i < PERMITS; i++)
        LAB_EQUAL(acre_permits_release(p, permits_mine[i]), 0);
    return LAB_EITHER;
}

/* Others have theirs, whatever becomes of the victim's. */
static void permits_peer(void *p)
{
    for (int i = 0; i < PERMITS - 1; i++)
        LAB_EQUAL(acre_permits_try(p, &permits_mine[i]), 0);
    for (int i = 0; i < PERMITS - 1; i++)
        LAB_EQUAL(acre_permits_release(p, permits_mine[i]), 0);
}

LAB_SCENARIO(permits, acquire, .prepare = permits_init, .victim = permits_acquire,
             .verify = permits_free_again, .peer = permits_peer)
LAB_SCENARIO(permits, try_, .prepare = permits_init, .victim = permits_try,
             .verify = permits_free_again, .peer = permits_peer)
LAB_SCENARIO(permits, release, .prepare = permits_init, .before = permits_acquire,
             .victim = permits_release, .verify = permits_free_again, .peer = permits_peer)
LAB_SCENARIO(permits, acquire_that_waits, .prepare = permits_init, .helper = permits_hold,
             .victim = permits_acquire, .verify = permits_free_again)
LAB_SCENARIO(permits, acquire_that_times_out, .prepare = permits_init, .helper = permits_hold,
             .victim = permits_time_out, .verify = permits_free_again, .flags = LAB_SINGLE)
LAB_SCENARIO(permits, release_to_a_waiter, .prepare = permits_init, .helper = permits_want,
             .before = permits_all_and_meet, .victim = permits_release,
             .verify = permits_free_again, .flags = LAB_SINGLE)

/* ================================ barrier ================================ */

static uint32_t barrier_mine;

static void barrier_of_2(void *b)
{
    LAB_EQUAL(acre_barrier_init(b, 2), 0);
}

static void barrier_join(void *b)
{
    LAB_EQUAL(acre_barrier_join(b, &barrier_mine), 0);
}

/* A round: nobody stays in it because of the dead. */
static void barrier_wait(void *b)
{
    int e = acre_barrier_wait(b, barrier_mine);
    LAB_EXPECT(e == 0 || e == ACRE_EPEER, "%d", e);
}

static void barrier_leave(void *b)
{
    LAB_EQUAL(acre_barrier_leave(b, barrier_mine), 0);
}

static void barrier_join_and_wait(void *b)
{
    barrier_join(b);
    barrier_wait(b);
}

/* Two rounds with whomever there is; the second form comes late, so that the victim sleeps. */
static void barrier_partner(void *b)
{
    barrier_join(b);
    lab_ready();
    barrier_wait(b);
    barrier_wait(b);
    barrier_leave(b);
}

static void barrier_late_partner(void *b)
{
    barrier_join(b);
    lab_ready();
    lab_await();
    barrier_wait(b);
    barrier_wait(b);
    barrier_leave(b);
}

/* The survivor takes the dead one's place; so the partner comes out in any case. */
static int barrier_goes_on(void *b)
{
    lab_go();
    barrier_join(b);
    barrier_wait(b);
    barrier_leave(b);
    return LAB_EITHER;
}

#define BARRIER(operation, partner, ...)                                                           \
    LAB_SCENARIO(barrier, operation, .prepare = barrier_of_2, .helper = partner, __VA_ARGS__,      \
                 .verify = barrier_goes_on, .flags = LAB_LOOSE | LAB_BESIDE)
BARRIER(join, barrier_partner, .victim = barrier_join)
BARRIER(wait, barrier_partner, .before = barrier_join, .victim = barrier_wait)
BARRIER(wait_that_sleeps, barrier_late_partner, .before = barrier_join, .victim = barrier_wait)
BARRIER(leave, barrier_partner, .before = barrier_join_and_wait, .victim = barrier_leave)

/* ================================ once ================================ */

typedef struct once_room {
    acre_once once;
    volatile uint32_t value, runs; /* 2: whole */
} once_room;

static int once_initialise(void *shared)
{
    once_room *r = shared;
    r->runs = r->runs + 1;
    r->value = 1;
    r->value = 2;
    return 0;
}

static int once_slowly(void *shared)
{
    lab_ready();
    lab_await();
    return once_initialise(shared);
}

static int once_failing(void *shared)
{
    (void)shared;
    return ENOSPC;
}

static void once_run(void *shared)
{
    LAB_EQUAL(acre_once_run(&((once_room *)shared)->once, once_initialise, shared), 0);
}

static void once_fail(void *shared)
{
    LAB_EQUAL(acre_once_run(&((once_room *)shared)->once, once_failing, shared), ENOSPC);
}

static void once_helper(void *shared)
{
    LAB_EQUAL(acre_once_run(&((once_room *)shared)->once, once_slowly, shared), 0);
}

/* Whole, or nobody's: then it is run again, once. */
static int once_done(void *shared)
{
    once_room *r = shared;
    uint32_t runs = r->runs;
    bool done = acre_once_done(&r->once);
    LAB_EXPECT(!done || r->value == 2, "done by half");
    once_run(r);
    LAB_EXPECT(r->runs == runs + !done && r->value == 2 && acre_once_done(&r->once));
    return done ? LAB_AFTER : LAB_BEFORE;
}

LAB_SCENARIO(once, run, .victim = once_run, .verify = once_done)
LAB_SCENARIO(once, run_that_fails, .victim = once_fail, .verify = once_done, .flags = LAB_LOOSE)
LAB_SCENARIO(once, run_that_waits, .helper = once_helper, .victim = once_run, .verify = once_done,
             .flags = LAB_LOOSE)
