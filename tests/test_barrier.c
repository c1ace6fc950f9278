/* SPDX-License-Identifier: MIT */
/* Barrier and once: rounds, members that die, leave, come late and time out; one initialisation
 * whoever dies.  Also runs under the plain runner. */
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

enum { MILLISECOND = 1000 * 1000, MEMBERS = 4 };

/* Shared between processes. */
typedef struct arena {
    acre_once once;
    uint64_t joined, arrived, done, broken, stop, rounds, go, runs, value;
    uint64_t round_of[MEMBERS];
    uint64_t memory[512]; /* of the barrier */
} arena;

static acre_barrier *barrier(arena *a)
{
    return (acre_barrier *)a->memory;
}

static arena *arena_make(uint32_t members)
{
    arena *a = mmap(NULL, sizeof *a, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ACRE_CHECK(a != MAP_FAILED);
    ACRE_CHECK(acre_barrier_size(members) <= sizeof a->memory);
    ACRE_CHECK_EQUAL(acre_barrier_init(barrier(a), members), 0);
    acre_test_limit(60);
    return a;
}

static uint64_t get(uint64_t *p)
{
    return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

static uint64_t add(uint64_t *p, uint64_t n)
{
    return __atomic_add_fetch(p, n, __ATOMIC_ACQ_REL);
}

static void await(uint64_t *p, uint64_t n)
{
    while (get(p) < n)
        usleep(100);
}

static uint32_t join(arena *a)
{
    uint32_t member = 99;
    ACRE_CHECK_EQUAL(acre_barrier_join(barrier(a), &member), 0);
    add(&a->joined, 1);
    return member;
}

static int wait_for(arena *a, uint32_t member, uint64_t ns)
{
    struct timespec deadline = acre_deadline(ns);
    return acre_barrier_wait_until(barrier(a), member, &deadline);
}

/* ---- rounds ---- */

/* Nobody is a round ahead of another when the wait is over. */
static void meet(void *arg)
{
    arena *a = arg;
    uint32_t me = join(a);
    for (uint64_t r = 1; r <= a->rounds; r++) {
        __atomic_store_n(&a->round_of[me], r, __ATOMIC_RELEASE);
        ACRE_CHECK_EQUAL(acre_barrier_wait(barrier(a), me), 0);
        for (int i = 0; i < MEMBERS; i++)
            ACRE_CHECK(get(&a->round_of[i]) >= r, "member %d in round %d", i, (int)r);
    }
    add(&a->done, 1);
    ACRE_CHECK_EQUAL(acre_barrier_leave(barrier(a), me), 0);
}

static void *meet_thread(void *arg)
{
    meet(arg);
    return NULL;
}

ACRE_TEST(barrier, processes_meet_in_every_round)
{
    arena *a = arena_make(MEMBERS);
    pid_t child[MEMBERS];
    a->rounds = acre_test_rounds(2000);
    for (int i = 0; i < MEMBERS; i++)
        child[i] = acre_test_spawn(meet, a);
    for (int i = 0; i < MEMBERS; i++)
        acre_test_expect_exit(child[i], 0);
    ACRE_CHECK_EQUAL(get(&a->done), MEMBERS);
    ACRE_CHECK_EQUAL(acre_barrier_destroy(barrier(a)), 0);
}

ACRE_TEST(barrier, threads_meet_in_every_round)
{
    arena *a = arena_make(MEMBERS);
    pthread_t t[MEMBERS];
    a->rounds = acre_test_rounds(2000);
    for (int i = 0; i < MEMBERS; i++)
        ACRE_CHECK(pthread_create(&t[i], NULL, meet_thread, a) == 0);
    for (int i = 0; i < MEMBERS; i++)
        pthread_join(t[i], NULL);
    ACRE_CHECK_EQUAL(get(&a->done), MEMBERS);
}

/* A member that waits `rounds` times and counts how its waits ended. */
static void attend(void *arg)
{
    arena *a = arg;
    uint32_t me = join(a);
    for (uint64_t r = 0; r < a->rounds; r++) {
        add(&a->arrived, 1);
        int e = acre_barrier_wait(barrier(a), me);
        ACRE_CHECK(e == 0 || e == ACRE_EPEER, "%d", e);
        add(e ? &a->broken : &a->done, 1);
    }
}

ACRE_TEST(barrier, first_round_begins_when_all_have_joined)
{
    arena *a = arena_make(3);
    a->rounds = 1;
    uint32_t me = join(a);
    pid_t child = acre_test_spawn(attend, a);
    await(&a->joined, 2);
    ACRE_CHECK_EQUAL(wait_for(a, me, 20 * MILLISECOND), ETIMEDOUT);
    ACRE_CHECK_EQUAL(get(&a->done), 0);
    pid_t last = acre_test_spawn(attend, a);
    ACRE_CHECK_EQUAL(acre_barrier_wait(barrier(a), me), 0);
    acre_test_expect_exit(child, 0);
    acre_test_expect_exit(last, 0);
}

ACRE_TEST(barrier, no_more_members_than_places)
{
    arena *a = arena_make(2);
    uint32_t member = 77, first = join(a), second = join(a);
    ACRE_CHECK(first != second && first < 2 && second < 2);
    ACRE_CHECK_EQUAL(acre_barrier_join(barrier(a), &member), EAGAIN);
    ACRE_CHECK_EQUAL(member, 77);
    ACRE_CHECK_EQUAL(acre_barrier_leave(barrier(a), first), 0);
    ACRE_CHECK_EQUAL(acre_barrier_join(barrier(a), &member), 0);
    ACRE_CHECK_EQUAL(member, first);
}

/* ---- time ---- */

ACRE_TEST(barrier, who_times_out_has_not_arrived)
{
    arena *a = arena_make(2);
    struct timespec past = {.tv_sec = 0};
    a->rounds = 1;
    uint32_t me = join(a);
    pid_t child;
    ACRE_CHECK_EQUAL(acre_barrier_wait_until(barrier(a), me, &past), ETIMEDOUT);
    ACRE_CHECK_EQUAL(wait_for(a, me, 10 * MILLISECOND), ETIMEDOUT);
    child = acre_test_spawn(attend, a);
    await(&a->arrived, 1);
    usleep(60 * 1000); /* also looked for deaths */
    ACRE_CHECK_EQUAL(get(&a->done), 0);
    ACRE_CHECK_EQUAL(acre_barrier_wait_until(barrier(a), me, &past), 0); /* the last one */
    acre_test_expect_exit(child, 0);
    ACRE_CHECK_EQUAL(get(&a->done), 1);
}

/* ---- leaving and dying ---- */

static void join_and_stay(void *arg)
{
    arena *a = arg;
    join(a);
    for (;;)
        pause();
}

static void join_and_leave_when_told(void *arg)
{
    arena *a = arg;
    uint32_t me = join(a);
    await(&a->go, 1);
    ACRE_CHECK_EQUAL(acre_barrier_leave(barrier(a), me), 0);
    ACRE_CHECK_EQUAL(acre_barrier_leave(barrier(a), me), EPERM);
    ACRE_CHECK_EQUAL(acre_barrier_wait(barrier(a), me), EPERM);
}

ACRE_TEST(barrier, goes_on_without_who_leaves)
{
    arena *a = arena_make(3);
    a->rounds = 2;
    pid_t leaver = acre_test_spawn(join_and_leave_when_told, a);
    await(&a->joined, 1);
    pid_t first = acre_test_spawn(attend, a), second = acre_test_spawn(attend, a);
    await(&a->arrived, 2);
    usleep(5000);
    ACRE_CHECK_EQUAL(get(&a->done), 0);
    add(&a->go, 1);
    acre_test_expect_exit(leaver, 0);
    acre_test_expect_exit(first, 0);
    acre_test_expect_exit(second, 0);
    ACRE_CHECK_EQUAL(get(&a->done), 4);
    ACRE_CHECK_EQUAL(get(&a->broken), 0);
}

/* EPEER in the round of the death, by each, and in no other. */
ACRE_TEST(barrier, death_is_told_to_all_in_that_round_only)
{
    arena *a = arena_make(3);
    a->rounds = 5;
    pid_t victim = acre_test_spawn(join_and_stay, a);
    await(&a->joined, 1);
    pid_t first = acre_test_spawn(attend, a), second = acre_test_spawn(attend, a);
    await(&a->arrived, 2);
    usleep(5000); /* asleep by now */
    kill(victim, SIGKILL);
    acre_test_expect_killed(victim);
    acre_test_expect_exit(first, 0);
    acre_test_expect_exit(second, 0);
    ACRE_CHECK_EQUAL(get(&a->broken), 2);
    ACRE_CHECK_EQUAL(get(&a->done), 8);
}

/* Killed in its wait: it has arrived, but the others are told. */
ACRE_TEST(barrier, death_of_one_who_has_arrived_is_told)
{
    arena *a = arena_make(2);
    a->rounds = 1;
    pid_t victim = acre_test_spawn(attend, a);
    await(&a->arrived, 1);
    usleep(5000);
    kill(victim, SIGKILL);
    acre_test_expect_killed(victim);
    uint32_t me = join(a);
    ACRE_CHECK_EQUAL(acre_barrier_wait(barrier(a), me), ACRE_EPEER);
    ACRE_CHECK_EQUAL(acre_barrier_wait(barrier(a), me), 0); /* one smaller */
}

ACRE_TEST(barrier, who_joins_in_the_place_of_the_dead_is_waited_for)
{
    arena *a = arena_make(2);
    a->rounds = 1;
    uint32_t me = join(a);
    pid_t victim = acre_test_spawn(join_and_stay, a);
    await(&a->joined, 2);
    kill(victim, SIGKILL);
    acre_test_expect_killed(victim);
    ACRE_CHECK_EQUAL(acre_barrier_wait(barrier(a), me), ACRE_EPEER);
    ACRE_CHECK_EQUAL(acre_barrier_wait(barrier(a), me), 0);
    a->rounds = 1;
    pid_t heir = acre_test_spawn(join_and_stay, a);
    await(&a->joined, 3);
    ACRE_CHECK_EQUAL(wait_for(a, me, 80 * MILLISECOND), ETIMEDOUT);
    kill(heir, SIGKILL);
    acre_test_expect_killed(heir);
    pid_t next = acre_test_spawn(attend, a);
    await(&a->joined, 4);
    ACRE_CHECK_EQUAL(acre_barrier_wait(barrier(a), me), ACRE_EPEER); /* the heir */
    acre_test_expect_exit(next, 0);
    ACRE_CHECK_EQUAL(get(&a->broken), 1);
}

/* The inner lock's owner may die, too. */
static void run_for_ever(void *arg)
{
    arena *a = arg;
    uint32_t me = join(a);
    while (!get(&a->stop)) {
        int e = acre_barrier_wait(barrier(a), me);
        ACRE_CHECK(e == 0 || e == ACRE_EPEER, "%d", e);
        add(e ? &a->broken : &a->done, 1);
    }
    ACRE_CHECK_EQUAL(acre_barrier_leave(barrier(a), me), 0);
}

ACRE_TEST(barrier, nobody_waits_for_the_killed)
{
    arena *a = arena_make(MEMBERS);
    pid_t child[MEMBERS];
    uint64_t seed = acre_test_seed();
    size_t rounds = acre_test_rounds(300);
    for (int i = 0; i < MEMBERS; i++)
        child[i] = acre_test_spawn(run_for_ever, a);
    for (size_t i = 0; i < rounds; i++) {
        pid_t *victim = &child[acre_test_below(&seed, MEMBERS)];
        acre_test_limit(30);
        await(&a->joined, MEMBERS + i);
        for (uint64_t spin = acre_test_below(&seed, 20000); spin--;)
            __asm__ volatile("");
        uint64_t broken = get(&a->broken);
        kill(*victim, SIGKILL);
        acre_test_expect_killed(*victim);
        await(&a->broken, broken + 1); /* its death is told */
        await(&a->done, get(&a->done) + 1);
        *victim = acre_test_spawn(run_for_ever, a);
    }
    add(&a->stop, 1);
    for (int i = 0; i < MEMBERS; i++)
        acre_test_expect_exit(child[i], 0);
    /* each of the three others heard of each, at most once */
    ACRE_CHECK(get(&a->broken) <= rounds * MEMBERS, "%d", (int)get(&a->broken));
    ACRE_CHECK_EQUAL(acre_barrier_destroy(barrier(a)), 0);
}

/* ---- whose membership ---- */

static void use_membership_of_parent(void *arg)
{
    arena *a = arg;
    ACRE_CHECK_EQUAL(acre_barrier_wait(barrier(a), 0), EPERM);
    ACRE_CHECK_EQUAL(acre_barrier_leave(barrier(a), 0), EPERM);
}

ACRE_TEST(barrier, membership_is_its_threads_own)
{
    arena *a = arena_make(2);
    struct timespec past = {.tv_sec = 0};
    ACRE_CHECK_EQUAL(acre_barrier_wait(barrier(a), 0), EPERM);
    ACRE_CHECK_EQUAL(join(a), 0);
    acre_test_run(use_membership_of_parent, a);
    ACRE_CHECK_EQUAL(acre_barrier_wait(barrier(a), 1), EPERM);
    ACRE_CHECK_EQUAL(acre_barrier_wait(barrier(a), 2), EPERM);
    ACRE_CHECK_EQUAL(acre_barrier_wait_until(barrier(a), UINT32_MAX, &past), EPERM);
    ACRE_CHECK_EQUAL(acre_barrier_leave(barrier(a), 1), EPERM);
}

ACRE_TEST(barrier, bad_input_is_refused)
{
    arena *a = arena_make(2);
    acre_barrier zero;
    uint32_t member = 0;
    memset(&zero, 0, sizeof zero);
    ACRE_CHECK_EQUAL(acre_barrier_init(barrier(a), 0), EINVAL);
    ACRE_CHECK_EQUAL(acre_barrier_init(barrier(a), ACRE_BARRIER_MAX + 1u), EINVAL);
    ACRE_CHECK_EQUAL(acre_barrier_join(&zero, &member), ACRE_EUNINITIALISED);
    ACRE_CHECK_EQUAL(acre_barrier_wait(&zero, 0), ACRE_EUNINITIALISED);
    barrier(a)->tag ^= 2;
    ACRE_CHECK_EQUAL(acre_barrier_join(barrier(a), &member), ACRE_ELAYOUT);
    barrier(a)->tag = ~barrier(a)->tag;
    ACRE_CHECK_EQUAL(acre_barrier_join(barrier(a), &member), ACRE_EOBJECT);
    ACRE_CHECK_EQUAL(acre_barrier_wait(barrier(a), 0), ACRE_EOBJECT);
    ACRE_CHECK_EQUAL(acre_barrier_leave(barrier(a), 0), ACRE_EOBJECT);
    ACRE_CHECK_EQUAL(acre_barrier_destroy(barrier(a)), ACRE_EOBJECT);
    ACRE_CHECK_EQUAL(acre_barrier_init(barrier(a), 2), 0);
    barrier(a)->members = ACRE_BARRIER_MAX + 1; /* damaged */
    ACRE_CHECK_EQUAL(acre_barrier_join(barrier(a), &member), ACRE_EOBJECT);
}

ACRE_TEST(barrier, destroy_ends_it_unless_it_has_members)
{
    arena *a = arena_make(2);
    uint32_t me = join(a);
    ACRE_CHECK_EQUAL(acre_barrier_destroy(barrier(a)), EBUSY);
    ACRE_CHECK_EQUAL(acre_barrier_leave(barrier(a), me), 0);
    ACRE_CHECK_EQUAL(acre_barrier_destroy(barrier(a)), 0);
    ACRE_CHECK_EQUAL(acre_barrier_join(barrier(a), &me), ACRE_EOBJECT);
}

/* ---- once ---- */

static int initialise(void *arg)
{
    arena *a = arg;
    add(&a->runs, 1);
    usleep(2000);
    a->value = 42; /* not atomic: seen by all who return */
    return 0;
}

static void use_once(void *arg)
{
    arena *a = arg;
    await(&a->go, 1);
    ACRE_CHECK_EQUAL(acre_once_run(&a->once, initialise, a), 0);
    ACRE_CHECK_EQUAL(a->value, 42);
    ACRE_CHECK(acre_once_done(&a->once));
}

static void *use_once_thread(void *arg)
{
    use_once(arg);
    return NULL;
}

ACRE_TEST(once, runs_once_under_concurrent_first_use_A66)
{
    size_t rounds = acre_test_rounds(20);
    for (size_t r = 0; r < rounds; r++) {
        arena *a = arena_make(1);
        pid_t child[MEMBERS];
        pthread_t t[MEMBERS];
        ACRE_CHECK(!acre_once_done(&a->once));
        for (int i = 0; i < MEMBERS; i++) {
            child[i] = acre_test_spawn(use_once, a);
            ACRE_CHECK(pthread_create(&t[i], NULL, use_once_thread, a) == 0);
        }
        add(&a->go, 1);
        for (int i = 0; i < MEMBERS; i++) {
            acre_test_expect_exit(child[i], 0);
            pthread_join(t[i], NULL);
        }
        ACRE_CHECK_EQUAL(get(&a->runs), 1);
        munmap(a, sizeof *a);
    }
}

static int fail_twice(void *arg)
{
    arena *a = arg;
    return add(&a->runs, 1) <= 2 ? ENOSPC : 0;
}

ACRE_TEST(once, error_leaves_it_to_the_next)
{
    arena *a = arena_make(1);
    ACRE_CHECK_EQUAL(acre_once_run(&a->once, fail_twice, a), ENOSPC);
    ACRE_CHECK(!acre_once_done(&a->once));
    ACRE_CHECK_EQUAL(acre_once_run(&a->once, fail_twice, a), ENOSPC);
    ACRE_CHECK_EQUAL(acre_once_run(&a->once, fail_twice, a), 0);
    ACRE_CHECK_EQUAL(acre_once_run(&a->once, fail_twice, a), 0);
    ACRE_CHECK_EQUAL(get(&a->runs), 3);
}

static int die(void *arg)
{
    arena *a = arg;
    add(&a->runs, 1);
    await(&a->go, 1);
    kill(getpid(), SIGKILL);
    return 0;
}

static void die_in_once(void *arg)
{
    arena *a = arg;
    acre_once_run(&a->once, die, a);
}

ACRE_TEST(once, death_leaves_it_to_the_next_A66)
{
    arena *a = arena_make(1);
    pid_t waiter[MEMBERS];
    pid_t victim = acre_test_spawn(die_in_once, a);
    await(&a->runs, 1);
    for (int i = 0; i < MEMBERS; i++)
        waiter[i] = acre_test_spawn(use_once, a);
    usleep(2000);
    add(&a->go, 1);
    acre_test_expect_killed(victim);
    for (int i = 0; i < MEMBERS; i++)
        acre_test_expect_exit(waiter[i], 0);
    ACRE_CHECK_EQUAL(get(&a->runs), 2);
}

static int run_itself(void *arg)
{
    arena *a = arg;
    return acre_once_run(&a->once, run_itself, a);
}

ACRE_TEST(once, initialiser_that_runs_itself_is_refused)
{
    arena *a = arena_make(1);
    ACRE_CHECK_EQUAL(acre_once_run(&a->once, run_itself, a), EDEADLK);
    ACRE_CHECK(!acre_once_done(&a->once));
}

ACRE_TEST(once, foreign_objects_are_refused)
{
    arena *a = arena_make(1);
    acre_once o;
    memset(&o, 0x5a, sizeof o);
    ACRE_CHECK_EQUAL(acre_once_run(&o, initialise, a), ACRE_EOBJECT);
    ACRE_CHECK(!acre_once_done(&o));
    ACRE_CHECK_EQUAL(get(&a->runs), 0);
}
