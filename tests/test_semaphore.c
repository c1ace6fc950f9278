/* SPDX-License-Identifier: MIT */
/* Semaphore and permits: counts, limits, time, lost wake-ups, signals, deaths.  Also runs under the
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

enum { MILLISECOND = 1000 * 1000, SIDE = 4, PERMITS = 3 };

/* Shared between processes. */
typedef struct arena {
    acre_semaphore semaphore, back;
    uint64_t ready, taken, stop, inside, most, each;
    uint64_t memory[64]; /* of the permits */
} arena;

static acre_permits *permits(arena *a)
{
    return (acre_permits *)a->memory;
}

static arena *arena_make(uint32_t count)
{
    arena *a = mmap(NULL, sizeof *a, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ACRE_CHECK(a != MAP_FAILED);
    ACRE_CHECK_EQUAL(acre_semaphore_init(&a->semaphore, count), 0);
    ACRE_CHECK(acre_permits_size(PERMITS) <= sizeof a->memory);
    ACRE_CHECK_EQUAL(acre_permits_init(permits(a), PERMITS), 0);
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

static int wait_for(arena *a, uint64_t ns)
{
    struct timespec deadline = acre_deadline(ns);
    return acre_semaphore_wait_until(&a->semaphore, &deadline);
}

/* ---- counting ---- */

ACRE_TEST(semaphore, counts_what_is_there_A46)
{
    arena *a = arena_make(2);
    struct timespec past = {.tv_sec = 0};
    ACRE_CHECK_EQUAL(acre_semaphore_count(&a->semaphore), 2);
    ACRE_CHECK_EQUAL(acre_semaphore_wait(&a->semaphore), 0);
    ACRE_CHECK_EQUAL(acre_semaphore_wait_until(&a->semaphore, &past), 0);
    ACRE_CHECK_EQUAL(acre_semaphore_trywait(&a->semaphore), EAGAIN);
    ACRE_CHECK_EQUAL(acre_semaphore_post(&a->semaphore, 3), 0);
    ACRE_CHECK_EQUAL(acre_semaphore_trywait(&a->semaphore), 0);
    ACRE_CHECK_EQUAL(acre_semaphore_count(&a->semaphore), 2);
    ACRE_CHECK_EQUAL(acre_semaphore_post(&a->semaphore, 0), 0);
    ACRE_CHECK_EQUAL(acre_semaphore_count(&a->semaphore), 2);
}

ACRE_TEST(semaphore, wait_times_out_A46)
{
    arena *a = arena_make(0);
    struct timespec past = {.tv_sec = 0}, begin = acre_deadline(20 * MILLISECOND);
    ACRE_CHECK_EQUAL(acre_semaphore_wait_until(&a->semaphore, &past), ETIMEDOUT);
    ACRE_CHECK_EQUAL(wait_for(a, 20 * MILLISECOND), ETIMEDOUT);
    struct timespec now = acre_deadline(0);
    ACRE_CHECK(now.tv_sec > begin.tv_sec ||
               (now.tv_sec == begin.tv_sec && now.tv_nsec >= begin.tv_nsec));
    ACRE_CHECK_EQUAL(acre_semaphore_count(&a->semaphore), 0);
}

ACRE_TEST(semaphore, overflow_adds_nothing)
{
    arena *a = arena_make(ACRE_SEMAPHORE_MAX - 1);
    acre_semaphore s;
    ACRE_CHECK_EQUAL(acre_semaphore_init(&s, ACRE_SEMAPHORE_MAX + 1u), EINVAL);
    ACRE_CHECK_EQUAL(acre_semaphore_post(&a->semaphore, 2), EOVERFLOW);
    ACRE_CHECK_EQUAL(acre_semaphore_post(&a->semaphore, UINT32_MAX), EOVERFLOW);
    ACRE_CHECK_EQUAL(acre_semaphore_count(&a->semaphore), ACRE_SEMAPHORE_MAX - 1);
    ACRE_CHECK_EQUAL(acre_semaphore_post(&a->semaphore, 1), 0);
    ACRE_CHECK_EQUAL(acre_semaphore_count(&a->semaphore), ACRE_SEMAPHORE_MAX);
    ACRE_CHECK_EQUAL(acre_semaphore_wait(&a->semaphore), 0);
}

ACRE_TEST(semaphore, all_zero_is_a_semaphore_of_0)
{
    acre_semaphore s = {0};
    ACRE_CHECK_EQUAL(acre_semaphore_trywait(&s), EAGAIN);
    ACRE_CHECK_EQUAL(acre_semaphore_post(&s, 1), 0);
    ACRE_CHECK_EQUAL(acre_semaphore_wait(&s), 0);
}

/* ---- waking ---- */

static void take_one(void *arg)
{
    arena *a = arg;
    add(&a->ready, 1);
    ACRE_CHECK_EQUAL(acre_semaphore_wait(&a->semaphore), 0);
    add(&a->taken, 1);
}

ACRE_TEST(semaphore, post_wakes_one_A46)
{
    arena *a = arena_make(0);
    pid_t child[SIDE];
    for (int i = 0; i < SIDE; i++)
        child[i] = acre_test_spawn(take_one, a);
    await(&a->ready, SIDE);
    for (uint64_t i = 1; i <= SIDE; i++) {
        usleep(2000);
        ACRE_CHECK_EQUAL(get(&a->taken), i - 1);
        ACRE_CHECK_EQUAL(acre_semaphore_post(&a->semaphore, 1), 0);
        await(&a->taken, i);
    }
    for (int i = 0; i < SIDE; i++)
        acre_test_expect_exit(child[i], 0);
    ACRE_CHECK_EQUAL(acre_semaphore_count(&a->semaphore), 0);
}

ACRE_TEST(semaphore, post_of_n_wakes_n_A46)
{
    arena *a = arena_make(0);
    pid_t child[2 * SIDE];
    for (int i = 0; i < 2 * SIDE; i++)
        child[i] = acre_test_spawn(take_one, a);
    await(&a->ready, 2 * SIDE);
    usleep(5000);
    ACRE_CHECK_EQUAL(acre_semaphore_post(&a->semaphore, SIDE), 0);
    await(&a->taken, SIDE);
    usleep(5000);
    ACRE_CHECK_EQUAL(get(&a->taken), SIDE);
    ACRE_CHECK_EQUAL(acre_semaphore_post(&a->semaphore, SIDE), 0);
    for (int i = 0; i < 2 * SIDE; i++)
        acre_test_expect_exit(child[i], 0);
}

static void produce(void *arg)
{
    arena *a = arg;
    for (uint64_t i = 0; i < a->each; i++) {
        ACRE_CHECK_EQUAL(acre_semaphore_wait(&a->back), 0);
        ACRE_CHECK_EQUAL(acre_semaphore_post(&a->semaphore, 1), 0);
    }
}

static void consume(void *arg)
{
    arena *a = arg;
    for (uint64_t i = 0; i < a->each; i++) {
        int e = i % 2 ? acre_semaphore_wait(&a->semaphore) : wait_for(a, 60000000000);
        ACRE_CHECK_EQUAL(e, 0);
        add(&a->taken, 1);
        ACRE_CHECK_EQUAL(acre_semaphore_post(&a->back, 1), 0);
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

/* Room for 2 between 4 and 4: all sleep most of the time.  A nap each would take minutes. */
static void expect_balance(arena *a)
{
    ACRE_CHECK_EQUAL(get(&a->taken), SIDE * a->each);
    ACRE_CHECK_EQUAL(acre_semaphore_count(&a->semaphore), 0);
    ACRE_CHECK_EQUAL(acre_semaphore_count(&a->back), 2);
}

ACRE_TEST(semaphore, threads_lose_no_wakeup_A46)
{
    arena *a = arena_make(0);
    pthread_t t[2 * SIDE];
    a->each = acre_test_rounds(5000);
    ACRE_CHECK_EQUAL(acre_semaphore_init(&a->back, 2), 0);
    for (int i = 0; i < 2 * SIDE; i++)
        ACRE_CHECK(pthread_create(&t[i], NULL, i % 2 ? consume_thread : produce_thread, a) == 0);
    for (int i = 0; i < 2 * SIDE; i++)
        pthread_join(t[i], NULL);
    expect_balance(a);
}

ACRE_TEST(semaphore, processes_lose_no_wakeup_A46)
{
    arena *a = arena_make(0);
    pid_t child[2 * SIDE];
    a->each = acre_test_rounds(5000);
    ACRE_CHECK_EQUAL(acre_semaphore_init(&a->back, 2), 0);
    for (int i = 0; i < 2 * SIDE; i++)
        child[i] = acre_test_spawn(i % 2 ? consume : produce, a);
    for (int i = 0; i < 2 * SIDE; i++)
        acre_test_expect_exit(child[i], 0);
    expect_balance(a);
}

/* ---- signals ---- */

static void on_signal(int number)
{
    (void)number;
}

static void take_one_interrupted(void *arg)
{
    struct sigaction action = {.sa_handler = on_signal}; /* without SA_RESTART */
    sigaction(SIGUSR1, &action, NULL);
    take_one(arg);
}

ACRE_TEST(semaphore, signals_do_not_end_a_wait_A46)
{
    arena *a = arena_make(0);
    pid_t child = acre_test_spawn(take_one_interrupted, a);
    await(&a->ready, 1);
    for (int i = 0; i < 30; i++) {
        usleep(1000);
        kill(child, SIGUSR1);
    }
    ACRE_CHECK_EQUAL(get(&a->taken), 0);
    ACRE_CHECK_EQUAL(acre_semaphore_post(&a->semaphore, 1), 0);
    acre_test_expect_exit(child, 0);
}

/* ---- deaths ---- */

/* The one that is woken first is stopped and never acts; the count is there for the other. */
ACRE_TEST(semaphore, killed_sleeper_costs_the_others_nothing)
{
    arena *a = arena_make(0);
    int status;
    pid_t victim = acre_test_spawn(take_one, a);
    await(&a->ready, 1);
    usleep(5000);
    kill(victim, SIGSTOP);
    ACRE_CHECK(waitpid(victim, &status, WUNTRACED) == victim && WIFSTOPPED(status));
    pid_t other = acre_test_spawn(take_one, a);
    await(&a->ready, 2);
    usleep(5000);
    ACRE_CHECK_EQUAL(acre_semaphore_post(&a->semaphore, 1), 0);
    acre_test_expect_exit(other, 0);
    kill(victim, SIGKILL);
    acre_test_expect_killed(victim);
    ACRE_CHECK_EQUAL(acre_semaphore_count(&a->semaphore), 0);
}

/* Takes and gives for ever. */
static void take_and_give(void *arg)
{
    arena *a = arg;
    while (!get(&a->stop)) {
        int e = wait_for(a, 100 * MILLISECOND); /* all may be lost with the killed */
        if (e == 0) {
            add(&a->taken, 1);
            ACRE_CHECK_EQUAL(acre_semaphore_post(&a->semaphore, 1), 0);
        }
    }
}

ACRE_TEST(semaphore, nobody_waits_for_the_killed)
{
    arena *a = arena_make(2);
    pid_t child[SIDE];
    uint64_t seed = acre_test_seed();
    size_t rounds = acre_test_rounds(300);
    uint32_t lost = 0;
    for (int i = 0; i < SIDE; i++)
        child[i] = acre_test_spawn(take_and_give, a);
    for (size_t i = 0; i < rounds; i++) {
        pid_t *victim = &child[acre_test_below(&seed, SIDE)];
        acre_test_limit(30);
        for (uint64_t spin = acre_test_below(&seed, 20000); spin--;)
            __asm__ volatile("");
        kill(*victim, SIGKILL);
        acre_test_expect_killed(*victim);
        lost += wait_for(a, 20 * MILLISECOND) != 0; /* it held the last one */
        ACRE_CHECK_EQUAL(acre_semaphore_post(&a->semaphore, 1), 0);
        await(&a->taken, get(&a->taken) + 1);
        *victim = acre_test_spawn(take_and_give, a);
    }
    add(&a->stop, 1);
    for (int i = 0; i < SIDE; i++)
        acre_test_expect_exit(child[i], 0);
    fprintf(stderr, "%zu killed, at least %u with one in hand\n", rounds, lost);
}

/* ---- objects that are none ---- */

ACRE_TEST(semaphore, foreign_objects_are_refused_and_left_alone)
{
    acre_semaphore s, before;
    struct timespec past = {.tv_sec = 0};
    for (int i = 0; i < 2; i++) {
        int e = i ? ACRE_ELAYOUT : ACRE_EOBJECT;
        memset(&s, 0x5a, sizeof s);
        if (i) {
            ACRE_CHECK_EQUAL(acre_semaphore_init(&s, 5), 0);
            s.tag ^= 2;
        }
        before = s;
        ACRE_CHECK_EQUAL(acre_semaphore_wait(&s), e);
        ACRE_CHECK_EQUAL(acre_semaphore_trywait(&s), e);
        ACRE_CHECK_EQUAL(acre_semaphore_wait_until(&s, &past), e);
        ACRE_CHECK_EQUAL(acre_semaphore_post(&s, 1), e);
        ACRE_CHECK_EQUAL(acre_semaphore_destroy(&s), e);
        ACRE_CHECK(memcmp(&s, &before, sizeof s) == 0);
    }
}

static void wait_for_destruction(void *arg)
{
    arena *a = arg;
    add(&a->ready, 1);
    ACRE_CHECK_EQUAL(acre_semaphore_wait(&a->semaphore), ACRE_EOBJECT);
}

ACRE_TEST(semaphore, destroy_sends_waiters_home)
{
    arena *a = arena_make(0);
    pid_t child = acre_test_spawn(wait_for_destruction, a);
    await(&a->ready, 1);
    usleep(2000);
    ACRE_CHECK_EQUAL(acre_semaphore_destroy(&a->semaphore), 0);
    acre_test_expect_exit(child, 0);
    ACRE_CHECK_EQUAL(acre_semaphore_post(&a->semaphore, 1), ACRE_EOBJECT);
}

/* ---- permits ---- */

static void acquire_all(arena *a, uint32_t *permit)
{
    uint32_t seen = 0;
    for (int i = 0; i < PERMITS; i++) {
        ACRE_CHECK_EQUAL(acre_permits_acquire(permits(a), &permit[i]), 0);
        ACRE_CHECK(permit[i] < PERMITS && !(seen >> permit[i] & 1));
        seen |= 1u << permit[i];
    }
}

ACRE_TEST(permits, each_is_given_out_once)
{
    arena *a = arena_make(0);
    struct timespec past = {.tv_sec = 0}, soon = acre_deadline(5 * MILLISECOND);
    uint32_t permit[PERMITS], other = 77;
    acquire_all(a, permit);
    ACRE_CHECK_EQUAL(acre_permits_free(permits(a)), 0);
    ACRE_CHECK_EQUAL(acre_permits_try(permits(a), &other), EAGAIN);
    ACRE_CHECK_EQUAL(acre_permits_acquire_until(permits(a), &other, &past), ETIMEDOUT);
    ACRE_CHECK_EQUAL(acre_permits_acquire_until(permits(a), &other, &soon), ETIMEDOUT);
    ACRE_CHECK_EQUAL(other, 77);
    ACRE_CHECK_EQUAL(acre_permits_release(permits(a), permit[1]), 0);
    ACRE_CHECK_EQUAL(acre_permits_free(permits(a)), 1);
    ACRE_CHECK_EQUAL(acre_permits_acquire_until(permits(a), &other, &past), 0);
    ACRE_CHECK_EQUAL(other, permit[1]);
}

static void release_all(void *arg)
{
    arena *a = arg;
    for (uint32_t i = 0; i < PERMITS; i++)
        ACRE_CHECK_EQUAL(acre_permits_release(permits(a), i), EPERM);
}

ACRE_TEST(permits, only_its_owner_gives_one_back)
{
    arena *a = arena_make(0);
    uint32_t permit[PERMITS];
    release_all(a);
    acquire_all(a, permit);
    acre_test_run(release_all, a);
    ACRE_CHECK_EQUAL(acre_permits_release(permits(a), PERMITS), EINVAL);
    for (int i = 0; i < PERMITS; i++)
        ACRE_CHECK_EQUAL(acre_permits_release(permits(a), permit[i]), 0);
    release_all(a);
    ACRE_CHECK_EQUAL(acre_permits_free(permits(a)), PERMITS);
}

static void acquire_and_die(void *arg)
{
    uint32_t permit[PERMITS];
    acquire_all(arg, permit);
    kill(getpid(), SIGKILL);
}

ACRE_TEST(permits, of_the_dead_are_free_at_once)
{
    arena *a = arena_make(0);
    uint32_t permit;
    for (int round = 0; round < 5; round++) {
        acre_test_expect_killed(acre_test_spawn(acquire_and_die, a));
        ACRE_CHECK_EQUAL(acre_permits_free(permits(a)), PERMITS);
        ACRE_CHECK_EQUAL(acre_permits_try(permits(a), &permit), 0);
        ACRE_CHECK_EQUAL(acre_permits_release(permits(a), permit), 0);
    }
}

static void acquire_and_stay(void *arg)
{
    arena *a = arg;
    uint32_t permit[PERMITS];
    acquire_all(a, permit);
    add(&a->ready, 1);
    for (;;)
        pause();
}

static void acquire_one(void *arg)
{
    arena *a = arg;
    uint32_t permit;
    add(&a->ready, 1);
    ACRE_CHECK_EQUAL(acre_permits_acquire(permits(a), &permit), 0);
    ACRE_CHECK_EQUAL(acre_permits_release(permits(a), permit), 0);
}

ACRE_TEST(permits, of_the_dead_reach_those_who_sleep)
{
    arena *a = arena_make(0);
    pid_t owner = acre_test_spawn(acquire_and_stay, a), sleeper[SIDE];
    await(&a->ready, 1);
    for (int i = 0; i < SIDE; i++)
        sleeper[i] = acre_test_spawn(acquire_one, a);
    await(&a->ready, 1 + SIDE);
    usleep(5000);
    kill(owner, SIGKILL);
    acre_test_expect_killed(owner);
    for (int i = 0; i < SIDE; i++)
        acre_test_expect_exit(sleeper[i], 0);
}

/* Never more inside than there are permits. */
static void acquire_in_turns(void *arg)
{
    arena *a = arg;
    for (uint64_t i = 0; i < a->each; i++) {
        uint32_t permit;
        ACRE_CHECK_EQUAL(acre_permits_acquire(permits(a), &permit), 0);
        uint64_t inside = add(&a->inside, 1);
        ACRE_CHECK(inside <= PERMITS, "%d inside", (int)inside);
        if (i % 64 == 0)
            sched_yield();
        add(&a->inside, (uint64_t)-1);
        ACRE_CHECK_EQUAL(acre_permits_release(permits(a), permit), 0);
    }
}

static void *acquire_in_turns_thread(void *arg)
{
    acquire_in_turns(arg);
    return NULL;
}

ACRE_TEST(permits, no_more_inside_than_permits)
{
    arena *a = arena_make(0);
    pid_t child[SIDE];
    pthread_t t[SIDE];
    a->each = acre_test_rounds(5000);
    for (int i = 0; i < SIDE; i++) {
        child[i] = acre_test_spawn(acquire_in_turns, a);
        ACRE_CHECK(pthread_create(&t[i], NULL, acquire_in_turns_thread, a) == 0);
    }
    for (int i = 0; i < SIDE; i++) {
        acre_test_expect_exit(child[i], 0);
        pthread_join(t[i], NULL);
    }
    ACRE_CHECK_EQUAL(acre_permits_free(permits(a)), PERMITS);
}

/* None is ever lost, whoever dies. */
static void acquire_for_ever(void *arg)
{
    arena *a = arg;
    uint32_t permit;
    while (!get(&a->stop)) {
        ACRE_CHECK_EQUAL(acre_permits_acquire(permits(a), &permit), 0);
        add(&a->taken, 1);
        ACRE_CHECK_EQUAL(acre_permits_release(permits(a), permit), 0);
    }
}

ACRE_TEST(permits, none_is_lost_when_owners_are_killed)
{
    enum { PROCESSES = PERMITS + 1 };
    arena *a = arena_make(0);
    pid_t child[PROCESSES];
    uint64_t seed = acre_test_seed();
    size_t rounds = acre_test_rounds(300);
    for (int i = 0; i < PROCESSES; i++)
        child[i] = acre_test_spawn(acquire_for_ever, a);
    for (size_t i = 0; i < rounds; i++) {
        pid_t *victim = &child[acre_test_below(&seed, PROCESSES)];
        acre_test_limit(30);
        for (uint64_t spin = acre_test_below(&seed, 20000); spin--;)
            __asm__ volatile("");
        kill(*victim, SIGKILL);
        acre_test_expect_killed(*victim);
        await(&a->taken, get(&a->taken) + 1);
        *victim = acre_test_spawn(acquire_for_ever, a);
    }
    add(&a->stop, 1);
    for (int i = 0; i < PROCESSES; i++)
        acre_test_expect_exit(child[i], 0);
    ACRE_CHECK_EQUAL(acre_permits_free(permits(a)), PERMITS);
}

ACRE_TEST(permits, bad_input_is_refused)
{
    arena *a = arena_make(0);
    acre_permits zero = {0};
    uint32_t permit;
    ACRE_CHECK_EQUAL(acre_permits_init(permits(a), 0), EINVAL);
    ACRE_CHECK_EQUAL(acre_permits_init(permits(a), ACRE_PERMITS_MAX + 1u), EINVAL);
    ACRE_CHECK_EQUAL(acre_permits_free(permits(a)), PERMITS);
    ACRE_CHECK_EQUAL(acre_permits_try(&zero, &permit), ACRE_EUNINITIALISED);
    ACRE_CHECK_EQUAL(acre_permits_free(&zero), 0);
    permits(a)->tag ^= 2;
    ACRE_CHECK_EQUAL(acre_permits_acquire(permits(a), &permit), ACRE_ELAYOUT);
    permits(a)->tag = ~permits(a)->tag;
    ACRE_CHECK_EQUAL(acre_permits_release(permits(a), 0), ACRE_EOBJECT);
    ACRE_CHECK_EQUAL(acre_permits_init(permits(a), PERMITS), 0);
    permits(a)->count = ACRE_PERMITS_MAX + 1; /* damaged */
    ACRE_CHECK_EQUAL(acre_permits_acquire(permits(a), &permit), ACRE_EOBJECT);
}

ACRE_TEST(permits, destroy_ends_them_unless_one_is_held)
{
    arena *a = arena_make(0);
    uint32_t permit;
    ACRE_CHECK_EQUAL(acre_permits_acquire(permits(a), &permit), 0);
    ACRE_CHECK_EQUAL(acre_permits_destroy(permits(a)), EBUSY);
    ACRE_CHECK_EQUAL(acre_permits_release(permits(a), permit), 0);
    ACRE_CHECK_EQUAL(acre_permits_destroy(permits(a)), 0);
    ACRE_CHECK_EQUAL(acre_permits_try(permits(a), &permit), ACRE_EOBJECT);
}
