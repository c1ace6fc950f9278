/* SPDX-License-Identifier: MIT */
/* The condition: with each mutex and mode, between threads and processes, time-outs, lost and
 * killed waiters, notifiers and owners, a bounded queue with many threads.  Also runs under the
 * plain runner. */
#include "tests/acre_test.h"

#include <acre/sync.h>

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MILLISECOND = 1000 * 1000, WAITERS = 4, SLOTS = 20 };

/* Shared between processes.  What the mutexes protect is not atomic; what tells the test is. */
typedef struct arena {
    acre_condition condition, not_full, not_empty;
    acre_mutex mutex;
    acre_recursive recursive;
    acre_spin spin;
    acre_sharable sharable;
    acre_upgradable upgradable;
    uint64_t go, waiting, woken, tickets;
    uint64_t stop;
    uint32_t slot[SLOTS], first, used;
    uint64_t sum, taken, each, deaths;
} arena;

static arena *arena_make(void)
{
    arena *a = mmap(NULL, sizeof *a, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ACRE_CHECK(a != MAP_FAILED);
    acre_mutex_init(&a->mutex);
    acre_recursive_init(&a->recursive);
    acre_spin_init(&a->spin);
    acre_sharable_init(&a->sharable);
    acre_upgradable_init(&a->upgradable);
    acre_test_limit(60);
    return a;
}

static uint64_t get(uint64_t *p)
{
    return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

static void add(uint64_t *p, uint64_t n)
{
    __atomic_fetch_add(p, n, __ATOMIC_ACQ_REL);
}

static void await(uint64_t *p, uint64_t n)
{
    while (get(p) < n)
        usleep(100);
}

static void lock(arena *a)
{
    int e = acre_mutex_lock(&a->mutex);
    if (e == ACRE_OWNER_DEAD) {
        add(&a->deaths, 1);
        e = acre_mutex_consistent(&a->mutex);
    }
    ACRE_CHECK_EQUAL(e, 0);
}

static void unlock(arena *a)
{
    ACRE_CHECK_EQUAL(acre_mutex_unlock(&a->mutex), 0);
}

/* Wait until there is a ticket, and take it. */
static void take_ticket(void *arg)
{
    arena *a = arg;
    lock(a);
    add(&a->waiting, 1);
    while (get(&a->tickets) == 0) {
        int e = acre_condition_wait(&a->condition, &a->mutex, ACRE_EXCLUSIVE);
        if (e == ACRE_OWNER_DEAD)
            e = acre_mutex_consistent(&a->mutex);
        ACRE_CHECK_EQUAL(e, 0);
    }
    add(&a->tickets, (uint64_t)-1);
    add(&a->woken, 1);
    unlock(a);
}

static void give_tickets(arena *a, uint64_t n)
{
    lock(a);
    add(&a->tickets, n);
    unlock(a);
}

/* All of them are inside wait: the mutex is free only then. */
static void await_waiters(arena *a, uint64_t n)
{
    await(&a->waiting, n);
    lock(a);
    unlock(a);
}

static void *take_ticket_thread(void *arg)
{
    take_ticket(arg);
    return NULL;
}

/* ---- notifying ---- */

ACRE_TEST(condition, notify_one_wakes_one_A47)
{
    arena *a = arena_make();
    pid_t child[WAITERS];
    for (int i = 0; i < WAITERS; i++)
        child[i] = acre_test_spawn(take_ticket, a);
    await_waiters(a, WAITERS);
    for (uint64_t i = 1; i <= WAITERS; i++) {
        ACRE_CHECK_EQUAL(get(&a->woken), i - 1);
        give_tickets(a, 1);
        ACRE_CHECK_EQUAL(acre_condition_notify_one(&a->condition), 0);
        await(&a->woken, i);
    }
    for (int i = 0; i < WAITERS; i++)
        acre_test_expect_exit(child[i], 0);
}

ACRE_TEST(condition, notify_all_wakes_all_A47)
{
    arena *a = arena_make();
    pthread_t t[WAITERS];
    pid_t child[WAITERS];
    for (int i = 0; i < WAITERS; i++) {
        child[i] = acre_test_spawn(take_ticket, a);
        ACRE_CHECK(pthread_create(&t[i], NULL, take_ticket_thread, a) == 0);
    }
    await_waiters(a, 2 * WAITERS);
    give_tickets(a, 2 * WAITERS);
    ACRE_CHECK_EQUAL(acre_condition_notify_all(&a->condition), 0);
    for (int i = 0; i < WAITERS; i++) {
        acre_test_expect_exit(child[i], 0);
        pthread_join(t[i], NULL);
    }
    ACRE_CHECK_EQUAL(get(&a->woken), 2 * WAITERS);
}

/* Both are woken; were it only by their naps, every round would be late. */
static void *notify_once(void *arg)
{
    arena *a = arg;
    while (!get(&a->go))
        sched_yield();
    acre_condition_notify_one(&a->condition);
    return NULL;
}

ACRE_TEST(condition, notifications_at_once_wake_both_A47)
{
    size_t rounds = acre_test_rounds(100), late = 0;
    for (size_t r = 0; r < rounds; r++) {
        arena *a = arena_make();
        pthread_t waiter[2], notifier[2];
        for (int i = 0; i < 2; i++) {
            ACRE_CHECK(pthread_create(&waiter[i], NULL, take_ticket_thread, a) == 0);
            ACRE_CHECK(pthread_create(&notifier[i], NULL, notify_once, a) == 0);
        }
        await_waiters(a, 2);
        usleep(1000);
        give_tickets(a, 2);
        struct timespec begin = acre_deadline(0);
        add(&a->go, 1);
        await(&a->woken, 2);
        struct timespec end = acre_deadline(0);
        late +=
            (end.tv_sec - begin.tv_sec) * 1000 + (end.tv_nsec - begin.tv_nsec) / MILLISECOND > 40;
        for (int i = 0; i < 2; i++) {
            pthread_join(waiter[i], NULL);
            pthread_join(notifier[i], NULL);
        }
        munmap(a, sizeof *a);
    }
    fprintf(stderr, "%zu of %zu late\n", late, rounds);
    ACRE_CHECK(late < rounds);
}

ACRE_TEST(condition, notifying_nobody_does_nothing)
{
    arena *a = arena_make();
    ACRE_CHECK_EQUAL(acre_condition_notify_one(&a->condition), 0);
    ACRE_CHECK_EQUAL(acre_condition_notify_all(&a->condition), 0);
    ACRE_CHECK_EQUAL(a->condition.event, 0);
}

/* A notification between the unlock in wait and the sleep: the notifier takes the mutex as soon as
 * it is free.  With naps only, each turn would take 25 ms on average. */
static void answer(void *arg)
{
    arena *a = arg;
    for (uint64_t i = 0; i < a->each; i++) {
        lock(a);
        while (a->go % 2 == 0)
            ACRE_CHECK_EQUAL(acre_condition_wait(&a->condition, &a->mutex, ACRE_EXCLUSIVE), 0);
        a->go++;
        acre_condition_notify_one(&a->condition);
        unlock(a);
    }
}

ACRE_TEST(condition, no_notification_is_lost_between_unlock_and_sleep)
{
    arena *a = arena_make();
    a->each = acre_test_rounds(5000);
    acre_test_limit((unsigned)(20 + a->each / 100));
    pid_t child = acre_test_spawn(answer, a);
    for (uint64_t i = 0; i < a->each; i++) {
        lock(a);
        while (a->go % 2 == 1)
            ACRE_CHECK_EQUAL(acre_condition_wait(&a->condition, &a->mutex, ACRE_EXCLUSIVE), 0);
        a->go++;
        acre_condition_notify_one(&a->condition);
        unlock(a);
    }
    acre_test_expect_exit(child, 0);
    ACRE_CHECK_EQUAL(a->go, 2 * a->each);
}

/* ---- any mutex, any mode ---- */

typedef struct use {
    arena *a;
    void *mutex;
    enum acre_mode mode;
} use;

static void wait_for_go(void *arg)
{
    use *u = arg;
    ACRE_CHECK_EQUAL(acre_lock(u->mutex, u->mode), 0);
    add(&u->a->waiting, 1);
    while (!get(&u->a->go))
        ACRE_CHECK_EQUAL(acre_condition_wait(&u->a->condition, u->mutex, u->mode), 0);
    ACRE_CHECK_EQUAL(acre_unlock(u->mutex, u->mode), 0);
}

/* All wait at one condition, each with another mutex. */
ACRE_TEST(condition, works_with_every_mutex_in_every_mode_A47)
{
    arena *a = arena_make();
    use u[] = {{a, &a->mutex, ACRE_EXCLUSIVE},      {a, &a->recursive, ACRE_EXCLUSIVE},
               {a, &a->spin, ACRE_EXCLUSIVE},       {a, &a->sharable, ACRE_EXCLUSIVE},
               {a, &a->sharable, ACRE_SHARABLE},    {a, &a->sharable, ACRE_SHARABLE},
               {a, &a->upgradable, ACRE_EXCLUSIVE}, {a, &a->upgradable, ACRE_SHARABLE},
               {a, &a->upgradable, ACRE_UPGRADABLE}};
    enum { USES = sizeof u / sizeof *u };
    pid_t child[USES];
    for (int i = 0; i < USES; i++)
        child[i] = acre_test_spawn(wait_for_go, &u[i]);
    await(&a->waiting, USES);
    for (int i = 0; i < USES; i++) { /* given up while they wait */
        ACRE_CHECK_EQUAL(acre_lock(u[i].mutex, ACRE_EXCLUSIVE), 0);
        ACRE_CHECK_EQUAL(acre_unlock(u[i].mutex, ACRE_EXCLUSIVE), 0);
    }
    add(&a->go, 1);
    acre_condition_notify_all(&a->condition);
    for (int i = 0; i < USES; i++)
        acre_test_expect_exit(child[i], 0);
}

static void wait_deep(void *arg)
{
    arena *a = arg;
    for (int i = 0; i < 3; i++)
        ACRE_CHECK_EQUAL(acre_recursive_lock(&a->recursive), 0);
    add(&a->waiting, 1);
    while (!get(&a->go))
        ACRE_CHECK_EQUAL(acre_condition_wait(&a->condition, &a->recursive, ACRE_EXCLUSIVE), 0);
    for (int i = 0; i < 3; i++)
        ACRE_CHECK_EQUAL(acre_recursive_unlock(&a->recursive), 0);
    ACRE_CHECK_EQUAL(acre_recursive_unlock(&a->recursive), EPERM);
}

ACRE_TEST(condition, recursive_mutex_is_given_up_however_deep)
{
    arena *a = arena_make();
    pid_t child = acre_test_spawn(wait_deep, a);
    await(&a->waiting, 1);
    ACRE_CHECK_EQUAL(acre_recursive_lock(&a->recursive), 0);
    add(&a->go, 1);
    acre_condition_notify_all(&a->condition);
    ACRE_CHECK_EQUAL(acre_recursive_unlock(&a->recursive), 0);
    acre_test_expect_exit(child, 0);
}

ACRE_TEST(condition, mutex_that_is_not_held_is_refused)
{
    arena *a = arena_make();
    void *mutex[] = {&a->mutex, &a->recursive, &a->spin, &a->sharable, &a->upgradable};
    for (int i = 0; i < 5; i++)
        ACRE_CHECK_EQUAL(acre_condition_wait(&a->condition, mutex[i], ACRE_EXCLUSIVE), EPERM);
    lock(a);
    ACRE_CHECK_EQUAL(acre_condition_wait(&a->condition, &a->mutex, ACRE_SHARABLE), ENOTSUP);
    unlock(a); /* it was still held */
}

/* ---- time ---- */

ACRE_TEST(condition, wait_times_out_with_the_mutex_held_A47)
{
    arena *a = arena_make();
    struct timespec past = {.tv_sec = 0}, soon;
    lock(a);
    ACRE_CHECK_EQUAL(acre_condition_wait_until(&a->condition, &a->mutex, ACRE_EXCLUSIVE, &past),
                     ETIMEDOUT);
    soon = acre_deadline(20 * MILLISECOND);
    int e;
    while ((e = acre_condition_wait_until(&a->condition, &a->mutex, ACRE_EXCLUSIVE, &soon)) == 0)
        ;
    ACRE_CHECK_EQUAL(e, ETIMEDOUT);
    struct timespec now = acre_deadline(0);
    ACRE_CHECK(now.tv_sec > soon.tv_sec ||
               (now.tv_sec == soon.tv_sec && now.tv_nsec >= soon.tv_nsec));
    unlock(a);
}

static bool is_set(void *arg)
{
    return get(arg) != 0;
}

ACRE_TEST(condition, wait_for_predicate_returns_what_it_is_A47)
{
    arena *a = arena_make();
    struct timespec past = {.tv_sec = 0}, soon = acre_deadline(10 * MILLISECOND);
    lock(a);
    ACRE_CHECK_EQUAL(acre_condition_wait_for_predicate(&a->condition, &a->mutex, ACRE_EXCLUSIVE,
                                                       is_set, &a->go, &soon),
                     ETIMEDOUT);
    a->go = 1;
    ACRE_CHECK_EQUAL(acre_condition_wait_for_predicate(&a->condition, &a->mutex, ACRE_EXCLUSIVE,
                                                       is_set, &a->go, &past),
                     0);
    unlock(a);
}

/* It becomes true without a notification: found at the time-out. */
static void *set_silently(void *arg)
{
    arena *a = arg;
    lock(a);
    add(&a->go, 1);
    unlock(a);
    return NULL;
}

ACRE_TEST(condition, predicate_that_is_true_at_the_timeout_is_no_timeout_A47)
{
    arena *a = arena_make();
    struct timespec soon = acre_deadline(100 * MILLISECOND);
    pthread_t t;
    lock(a);
    ACRE_CHECK(pthread_create(&t, NULL, set_silently, a) == 0);
    ACRE_CHECK_EQUAL(acre_condition_wait_for_predicate(&a->condition, &a->mutex, ACRE_EXCLUSIVE,
                                                       is_set, &a->go, &soon),
                     0);
    unlock(a);
    pthread_join(t, NULL);
}

static void wait_with_default_timeout(void *arg)
{
    acre_default_timeout(1);
    take_ticket(arg);
}

/* The default time-out is for locks, neither for the wait nor for taking the mutex again. */
ACRE_TEST(condition, default_timeout_does_not_apply_A43)
{
    arena *a = arena_make();
    pid_t child = acre_test_spawn(wait_with_default_timeout, a);
    await_waiters(a, 1);
    lock(a);
    add(&a->tickets, 1);
    acre_condition_notify_one(&a->condition);
    usleep(20000); /* it cannot have the mutex meanwhile */
    unlock(a);
    acre_test_expect_exit(child, 0);
}

/* ---- a bounded queue ---- */

static void produce(void *arg)
{
    arena *a = arg;
    for (uint64_t i = 1; i <= a->each; i++) {
        lock(a);
        while (a->used == SLOTS)
            ACRE_CHECK_EQUAL(acre_condition_wait(&a->not_full, &a->mutex, ACRE_EXCLUSIVE), 0);
        a->slot[(a->first + a->used++) % SLOTS] = (uint32_t)i;
        unlock(a);
        acre_condition_notify_one(&a->not_empty);
    }
}

static void consume(void *arg)
{
    arena *a = arg;
    for (uint64_t i = 1; i <= a->each; i++) {
        lock(a);
        while (a->used == 0)
            ACRE_CHECK_EQUAL(acre_condition_wait(&a->not_empty, &a->mutex, ACRE_EXCLUSIVE), 0);
        a->sum += a->slot[a->first];
        a->first = (a->first + 1) % SLOTS;
        a->used--;
        unlock(a);
        acre_condition_notify_one(&a->not_full);
    }
}

static void *produce_thread(void *arg)
{
    produce(arg);
    return NULL;
}

static void *consume_thread(void *arg)
{
    consume(arg);
    return NULL;
}

enum { SIDE = 8 };

ACRE_TEST(condition, bounded_queue_of_threads_loses_nothing_A47)
{
    arena *a = arena_make();
    pthread_t t[2 * SIDE];
    a->each = acre_test_rounds(2000);
    for (int i = 0; i < 2 * SIDE; i++)
        ACRE_CHECK(pthread_create(&t[i], NULL, i % 2 ? consume_thread : produce_thread, a) == 0);
    for (int i = 0; i < 2 * SIDE; i++)
        pthread_join(t[i], NULL);
    ACRE_CHECK_EQUAL(a->sum, SIDE * a->each * (a->each + 1) / 2);
    ACRE_CHECK_EQUAL(a->used, 0);
}

ACRE_TEST(condition, bounded_queue_of_processes_loses_nothing_A47)
{
    arena *a = arena_make();
    pid_t child[2 * SIDE];
    a->each = acre_test_rounds(2000);
    for (int i = 0; i < 2 * SIDE; i++)
        child[i] = acre_test_spawn(i % 2 ? consume : produce, a);
    for (int i = 0; i < 2 * SIDE; i++)
        acre_test_expect_exit(child[i], 0);
    ACRE_CHECK_EQUAL(a->sum, SIDE * a->each * (a->each + 1) / 2);
    ACRE_CHECK_EQUAL(a->used, 0);
}

/* ---- deaths ---- */

/* A ticket that the victim has not taken is the other's, without another notification. */
static void expect_other_comes(arena *a, pid_t other)
{
    lock(a);
    bool left = get(&a->tickets) > 0;
    unlock(a);
    if (!left) {
        give_tickets(a, 1);
        acre_condition_notify_one(&a->condition);
    }
    acre_test_expect_exit(other, 0);
}

ACRE_TEST(condition, killed_waiter_harms_nobody_A48)
{
    size_t rounds = acre_test_rounds(40);
    for (size_t r = 0; r < rounds; r++) {
        arena *a = arena_make();
        pid_t victim = acre_test_spawn(take_ticket, a);
        await_waiters(a, 1);
        pid_t other = acre_test_spawn(take_ticket, a);
        await_waiters(a, 2);
        give_tickets(a, 1);
        ACRE_CHECK_EQUAL(acre_condition_notify_one(&a->condition), 0);
        kill(victim, SIGKILL);
        waitpid(victim, NULL, 0); /* killed, or done */
        expect_other_comes(a, other);
        munmap(a, sizeof *a);
    }
}

/* The chosen one, stopped in its sleep and then killed, takes the notification with it: the other
 * one hears of it by itself. */
ACRE_TEST(condition, notification_to_the_dead_reaches_another_A48)
{
    arena *a = arena_make();
    pid_t victim = acre_test_spawn(take_ticket, a), other;
    int status;
    await_waiters(a, 1);
    usleep(5000);
    kill(victim, SIGSTOP);
    ACRE_CHECK(waitpid(victim, &status, WUNTRACED) == victim && WIFSTOPPED(status));
    other = acre_test_spawn(take_ticket, a);
    await_waiters(a, 2);
    give_tickets(a, 1);
    ACRE_CHECK_EQUAL(acre_condition_notify_one(&a->condition), 0);
    acre_test_expect_exit(other, 0); /* though no other notification comes */
    kill(victim, SIGKILL);
    acre_test_expect_killed(victim);
}

static void own_and_die(void *arg)
{
    lock(arg);
    kill(getpid(), SIGKILL);
}

ACRE_TEST(condition, owner_killed_meanwhile_is_told_by_wait_A48)
{
    arena *a = arena_make();
    pid_t child = acre_test_spawn(take_ticket, a); /* heals it */
    await_waiters(a, 1);
    acre_test_expect_killed(acre_test_spawn(own_and_die, a));
    struct timespec soon = acre_deadline(0);
    int e = acre_mutex_lock_until(&a->mutex, &soon);
    ACRE_CHECK_EQUAL(e, ACRE_OWNER_DEAD);
    ACRE_CHECK_EQUAL(acre_mutex_consistent(&a->mutex), 0);
    add(&a->tickets, 1);
    unlock(a);
    acre_test_expect_killed(acre_test_spawn(own_and_die, a));
    ACRE_CHECK_EQUAL(acre_condition_notify_one(&a->condition), 0);
    acre_test_expect_exit(child, 0);
}

/* Waiters, notifiers and owners are killed at random; turns must always come on. */
static void turn(void *arg)
{
    arena *a = arg;
    while (!get(&a->stop)) {
        lock(a);
        uint64_t before = get(&a->taken);
        add(&a->taken, 1);
        acre_condition_notify_one(&a->condition);
        while (get(&a->taken) == before + 1 && !get(&a->stop)) {
            struct timespec soon = acre_deadline(200 * MILLISECOND);
            int e = acre_condition_wait_until(&a->condition, &a->mutex, ACRE_EXCLUSIVE, &soon);
            if (e == ETIMEDOUT)
                break; /* the others are all dead for now */
            if (e == ACRE_OWNER_DEAD)
                e = acre_mutex_consistent(&a->mutex);
            ACRE_CHECK_EQUAL(e, 0);
        }
        unlock(a);
    }
}

ACRE_TEST(condition, nobody_waits_for_the_killed_A48)
{
    enum { PROCESSES = 4 };
    arena *a = arena_make();
    pid_t child[PROCESSES];
    uint64_t seed = acre_test_seed();
    size_t rounds = acre_test_rounds(300);
    for (int i = 0; i < PROCESSES; i++)
        child[i] = acre_test_spawn(turn, a);
    for (size_t i = 0; i < rounds; i++) {
        pid_t *victim = &child[acre_test_below(&seed, PROCESSES)];
        acre_test_limit(30);
        for (uint64_t spin = acre_test_below(&seed, 20000); spin--;)
            __asm__ volatile("");
        kill(*victim, SIGKILL);
        acre_test_expect_killed(*victim);
        await(&a->taken, get(&a->taken) + 2);
        *victim = acre_test_spawn(turn, a);
    }
    add(&a->stop, 1);
    acre_condition_notify_all(&a->condition);
    for (int i = 0; i < PROCESSES; i++)
        acre_test_expect_exit(child[i], 0);
    fprintf(stderr, "%zu killed, %d of them while holding\n", rounds, (int)a->deaths);
}

/* ---- objects that are none ---- */

ACRE_TEST(condition, foreign_objects_are_refused_and_left_alone)
{
    arena *a = arena_make();
    acre_condition c, before;
    acre_once no_mutex;
    memset(&no_mutex, 0x5a, sizeof no_mutex);
    memset(&c, 0x5a, sizeof c);
    before = c;
    lock(a);
    ACRE_CHECK_EQUAL(acre_condition_wait(&c, &a->mutex, ACRE_EXCLUSIVE), ACRE_EOBJECT);
    ACRE_CHECK_EQUAL(acre_condition_notify_one(&c), ACRE_EOBJECT);
    ACRE_CHECK_EQUAL(acre_condition_notify_all(&c), ACRE_EOBJECT);
    ACRE_CHECK_EQUAL(acre_condition_destroy(&c), ACRE_EOBJECT);
    ACRE_CHECK(memcmp(&c, &before, sizeof c) == 0);
    acre_condition_init(&c);
    c.tag ^= 2;
    ACRE_CHECK_EQUAL(acre_condition_notify_one(&c), ACRE_ELAYOUT);
    ACRE_CHECK_EQUAL(acre_condition_wait(&a->condition, &no_mutex, ACRE_EXCLUSIVE), ACRE_EOBJECT);
    unlock(a);
}

/* Who waits comes back, and is refused when it comes again. */
static void wait_for_destruction(void *arg)
{
    arena *a = arg;
    int e;
    lock(a);
    add(&a->waiting, 1);
    while ((e = acre_condition_wait(&a->condition, &a->mutex, ACRE_EXCLUSIVE)) == 0)
        ;
    ACRE_CHECK_EQUAL(e, ACRE_EOBJECT);
    unlock(a);
}

ACRE_TEST(condition, destroy_sends_waiters_home)
{
    arena *a = arena_make();
    pid_t child = acre_test_spawn(wait_for_destruction, a);
    await_waiters(a, 1);
    ACRE_CHECK_EQUAL(acre_condition_destroy(&a->condition), 0);
    acre_test_expect_exit(child, 0);
    ACRE_CHECK_EQUAL(acre_condition_notify_one(&a->condition), ACRE_EOBJECT);
}
