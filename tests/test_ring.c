/* SPDX-License-Identifier: MIT */
/* The rings with one producer: order and content between threads and processes, batches, cells
 * without a copy, full and empty, sides taken over from the dead, sleepers, damaged headers.  Also
 * runs under the plain runner. */
#include "tests/acre_test.h"

#include <acre/ring.h>

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { SECOND = 1000000000 };
#define NEARLY_A_NAP 0.04 /* seconds */

static void *share(size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ACRE_CHECK(p != MAP_FAILED);
    return p;
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* What both ends of a test know. */
typedef struct arena {
    void *ring;
    size_t size, rounds;
    uint32_t message;
    size_t batch; /* messages at once; 0: push and pop */
    bool cells;   /* without a copy */
    volatile uint64_t stop, ready;
    uint64_t done[64];
} arena;

static arena *arena_make(size_t size, size_t rounds)
{
    arena *a = share(sizeof *a);
    *a = (arena){.ring = share(size), .size = size, .rounds = rounds, .message = 8};
    return a;
}

static arena *spsc_make(uint32_t capacity, uint32_t message, size_t rounds)
{
    size_t size = acre_spsc_size(capacity, message);
    arena *a = arena_make(size, rounds);
    a->message = message;
    ACRE_CHECK_EQUAL(acre_spsc_init(a->ring, size, capacity, message), 0);
    return a;
}

static void in_threads(void *(*one)(void *), void *(*other)(void *), void *arg)
{
    pthread_t t[2];
    ACRE_CHECK(pthread_create(&t[0], NULL, one, arg) == 0);
    ACRE_CHECK(pthread_create(&t[1], NULL, other, arg) == 0);
    pthread_join(t[0], NULL);
    pthread_join(t[1], NULL);
}

static void in_processes(acre_test_function *one, acre_test_function *other, void *arg)
{
    pid_t child[2] = {acre_test_spawn(one, arg), acre_test_spawn(other, arg)};
    acre_test_expect_exit(child[0], 0);
    acre_test_expect_exit(child[1], 0);
}

/* The n-th message: n, then a pattern. */
static void fill(unsigned char *message, size_t size, uint64_t n)
{
    for (size_t i = 0; i < size; i++)
        message[i] = (unsigned char)(i < 8 ? n >> 8 * i : n * 31 + i);
}

static void expect(const unsigned char *message, size_t size, uint64_t n)
{
    for (size_t i = 0; i < size; i++)
        ACRE_CHECK_EQUAL(message[i], (unsigned char)(i < 8 ? n >> 8 * i : n * 31 + i));
}

/* ================================ spsc ================================ */

enum { BATCH = 100, MESSAGE = 1024 };

static size_t spsc_send_some(acre_spsc_producer *p, const arena *a, uint64_t n, size_t most)
{
    static __thread unsigned char messages[BATCH * MESSAGE];
    size_t done = 1;
    for (size_t i = 0; i < most; i++)
        fill(messages + i * a->message, a->message, n + i);
    if (a->batch)
        ACRE_CHECK_EQUAL(acre_spsc_push_many(p, messages, most, &done), 0);
    else
        ACRE_CHECK_EQUAL(acre_spsc_push(p, messages), 0);
    return done;
}

static size_t spsc_fill_some(acre_spsc_producer *p, const arena *a, uint64_t n, size_t most)
{
    void *cells;
    ACRE_CHECK_EQUAL(acre_spsc_reserve(p, &cells, &most), 0);
    for (size_t i = 0; i < most; i++)
        fill((unsigned char *)cells + i * acre_spsc_cell(a->ring), a->message, n + i);
    ACRE_CHECK_EQUAL(acre_spsc_commit(p, most), 0);
    return most;
}

static size_t spsc_most(const arena *a, uint64_t n)
{
    size_t left = a->rounds - n, most = a->batch ? a->batch : 1;
    return left < most ? left : most;
}

static void spsc_send(void *arg)
{
    arena *a = arg;
    acre_spsc_producer p;
    ACRE_CHECK_EQUAL(acre_spsc_producer_attach(&p, a->ring, a->size, a->message), 0);
    for (uint64_t n = 0; n < a->rounds;)
        n += (a->cells ? spsc_fill_some : spsc_send_some)(&p, a, n, spsc_most(a, n));
    ACRE_CHECK_EQUAL(acre_spsc_producer_detach(&p), 0);
}

static size_t spsc_take_some(acre_spsc_consumer *c, const arena *a, uint64_t n, size_t most)
{
    static __thread unsigned char messages[BATCH * MESSAGE];
    size_t done = 1;
    if (a->batch)
        ACRE_CHECK_EQUAL(acre_spsc_pop_many(c, messages, most, &done), 0);
    else
        ACRE_CHECK_EQUAL(acre_spsc_pop(c, messages), 0);
    for (size_t i = 0; i < done; i++)
        expect(messages + i * a->message, a->message, n + i);
    return done;
}

static size_t spsc_read_some(acre_spsc_consumer *c, const arena *a, uint64_t n, size_t most)
{
    void *cells;
    ACRE_CHECK_EQUAL(acre_spsc_peek(c, &cells, &most), 0);
    for (size_t i = 0; i < most; i++)
        expect((unsigned char *)cells + i * acre_spsc_cell(a->ring), a->message, n + i);
    ACRE_CHECK_EQUAL(acre_spsc_release(c, most), 0);
    return most;
}

static void spsc_receive(void *arg)
{
    arena *a = arg;
    acre_spsc_consumer c;
    ACRE_CHECK_EQUAL(acre_spsc_consumer_attach(&c, a->ring, a->size, a->message), 0);
    for (uint64_t n = 0; n < a->rounds;)
        n += (a->cells ? spsc_read_some : spsc_take_some)(&c, a, n, spsc_most(a, n));
    ACRE_CHECK_EQUAL(acre_spsc_consumer_detach(&c), 0);
}

static void *spsc_send_thread(void *arg)
{
    spsc_send(arg);
    return NULL;
}

static void *spsc_receive_thread(void *arg)
{
    spsc_receive(arg);
    return NULL;
}

static void spsc_both_ways(arena *a)
{
    in_threads(spsc_send_thread, spsc_receive_thread, a);
    in_processes(spsc_send, spsc_receive, a);
    ACRE_CHECK_EQUAL(acre_spsc_count(a->ring), 0);
    ACRE_CHECK_EQUAL(acre_spsc_check(a->ring, a->size), 0);
}

ACRE_TEST(spsc, order_and_content)
{
    spsc_both_ways(spsc_make(1000, 8, acre_test_rounds(1000000)));
}

ACRE_TEST(spsc, tiny_capacities_wrap)
{
    for (uint32_t capacity = 1; capacity <= 4; capacity++)
        spsc_both_ways(spsc_make(capacity, 8, acre_test_rounds(20000)));
}

ACRE_TEST(spsc, messages_of_any_size)
{
    static const uint32_t size[] = {8, 9, 12, 16, 100, MESSAGE};
    for (size_t i = 0; i < sizeof size / sizeof *size; i++)
        spsc_both_ways(spsc_make(16, size[i], acre_test_rounds(10000)));
}

ACRE_TEST(spsc, batches)
{
    static const uint32_t size[] = {8, 13};
    for (int i = 0; i < 4; i++) {
        arena *a = spsc_make(i < 2 ? 4 : 256, size[i % 2], acre_test_rounds(200000));
        a->batch = i == 3 ? 7 : BATCH;
        spsc_both_ways(a);
    }
}

ACRE_TEST(spsc, cells_without_a_copy)
{
    for (int i = 0; i < 2; i++) {
        arena *a = spsc_make(i ? 64 : 4, 24, acre_test_rounds(i ? 200000 : 20000));
        a->batch = i ? BATCH : 1;
        a->cells = true;
        spsc_both_ways(a);
    }
}

typedef struct spsc_ends {
    acre_spsc_producer p;
    acre_spsc_consumer c;
} spsc_ends;

static spsc_ends spsc_attach(const arena *a)
{
    spsc_ends e;
    ACRE_CHECK_EQUAL(acre_spsc_producer_attach(&e.p, a->ring, a->size, a->message), 0);
    ACRE_CHECK_EQUAL(acre_spsc_consumer_attach(&e.c, a->ring, a->size, a->message), 0);
    return e;
}

static const struct timespec long_past = {.tv_sec = 1};

ACRE_TEST(spsc, full_and_empty)
{
    arena *a = spsc_make(4, 8, 0);
    spsc_ends e = spsc_attach(a);
    uint64_t m = 0;
    ACRE_CHECK_EQUAL(acre_spsc_try_pop(&e.c, &m), EAGAIN);
    ACRE_CHECK_EQUAL(acre_spsc_pop_until(&e.c, &m, &long_past), ETIMEDOUT);
    ACRE_CHECK_EQUAL(acre_spsc_pop_for(&e.c, &m, SECOND / 100), ETIMEDOUT);
    for (uint64_t i = 0; i < 3; i++)
        ACRE_CHECK_EQUAL(acre_spsc_try_push(&e.p, &i), 0);
    ACRE_CHECK_EQUAL(acre_spsc_push_until(&e.p, &m, &long_past), 0); /* there is room */
    ACRE_CHECK_EQUAL(acre_spsc_count(a->ring), 4);
    ACRE_CHECK_EQUAL(acre_spsc_try_push(&e.p, &m), EAGAIN);
    ACRE_CHECK_EQUAL(acre_spsc_push_for(&e.p, &m, SECOND / 100), ETIMEDOUT);
    ACRE_CHECK_EQUAL(acre_spsc_pop_until(&e.c, &m, &long_past), 0);
    ACRE_CHECK_EQUAL(m, 0);
    ACRE_CHECK_EQUAL(acre_spsc_try_push(&e.p, &m), 0);
}

ACRE_TEST(spsc, no_more_is_given_than_there_is)
{
    arena *a = spsc_make(4, 8, 0);
    spsc_ends e = spsc_attach(a);
    void *cells;
    size_t n = 0;
    ACRE_CHECK_EQUAL(acre_spsc_try_reserve(&e.p, &cells, &n), EINVAL);
    n = 9;
    ACRE_CHECK_EQUAL(acre_spsc_try_reserve(&e.p, &cells, &n), 0);
    ACRE_CHECK_EQUAL(n, 4);
    ACRE_CHECK_EQUAL(acre_spsc_commit(&e.p, 5), EINVAL);
    ACRE_CHECK_EQUAL(acre_spsc_count(a->ring), 0);
    ACRE_CHECK_EQUAL(acre_spsc_commit(&e.p, 2), 0);
    ACRE_CHECK_EQUAL(acre_spsc_try_peek(&e.c, &cells, &n), 0);
    ACRE_CHECK_EQUAL(n, 2);
    ACRE_CHECK_EQUAL(acre_spsc_release(&e.c, 3), EINVAL);
    ACRE_CHECK_EQUAL(acre_spsc_release(&e.c, 1), 0);
    ACRE_CHECK_EQUAL(acre_spsc_count(a->ring), 1);
}

/* ---- sides ---- */

static void *spsc_use_foreign_handles(void *arg)
{
    spsc_ends *e = arg;
    uint64_t m = 1;
    ACRE_CHECK_EQUAL(acre_spsc_try_push(&e->p, &m), EPERM);
    ACRE_CHECK_EQUAL(acre_spsc_pop(&e->c, &m), EPERM);
    ACRE_CHECK_EQUAL(acre_spsc_commit(&e->p, 1), EPERM);
    ACRE_CHECK_EQUAL(acre_spsc_producer_detach(&e->p), EPERM);
    return NULL;
}

static void spsc_use_parents_handles(void *arg)
{
    spsc_use_foreign_handles(arg);
}

ACRE_TEST(spsc, a_side_belongs_to_one_thread)
{
    arena *a = spsc_make(4, 8, 0);
    spsc_ends e = spsc_attach(a), other = {0};
    uint64_t m = 0;
    pthread_t t;
    ACRE_CHECK_EQUAL(acre_spsc_producer_attach(&other.p, a->ring, a->size, a->message), EBUSY);
    ACRE_CHECK_EQUAL(acre_spsc_consumer_attach(&other.c, a->ring, a->size, a->message), EBUSY);
    ACRE_CHECK_EQUAL(acre_spsc_try_push(&e.p, &m), 0); /* so that both could do something */
    ACRE_CHECK(pthread_create(&t, NULL, spsc_use_foreign_handles, &e) == 0);
    pthread_join(t, NULL);
    acre_test_run(spsc_use_parents_handles, &e);
    ACRE_CHECK_EQUAL(acre_spsc_producer_detach(&e.p), 0);
    ACRE_CHECK_EQUAL(acre_spsc_try_push(&e.p, &m), EPERM);
    ACRE_CHECK_EQUAL(acre_spsc_producer_detach(&e.p), EPERM);
    ACRE_CHECK_EQUAL(acre_spsc_producer_attach(&other.p, a->ring, a->size, a->message), 0);
    ACRE_CHECK_EQUAL(acre_spsc_try_push(&other.p, &m), 0);
    ACRE_CHECK_EQUAL(acre_spsc_count(a->ring), 2);
}

static void spsc_push_three_and_die(void *arg)
{
    arena *a = arg;
    acre_spsc_producer p;
    void *cells;
    size_t n = 1;
    ACRE_CHECK_EQUAL(acre_spsc_producer_attach(&p, a->ring, a->size, a->message), 0);
    for (uint64_t i = 1; i <= 3; i++)
        ACRE_CHECK_EQUAL(acre_spsc_push(&p, &i), 0);
    ACRE_CHECK_EQUAL(acre_spsc_reserve(&p, &cells, &n), 0);
    memset(cells, 0xff, 8); /* in its hands: lost */
    kill(getpid(), SIGKILL);
}

ACRE_TEST(spsc, a_dead_producer_is_told_and_replaced)
{
    arena *a = spsc_make(8, 8, 0);
    acre_spsc_consumer c;
    acre_spsc_producer p;
    uint64_t m;
    ACRE_CHECK_EQUAL(acre_spsc_consumer_attach(&c, a->ring, a->size, a->message), 0);
    acre_test_expect_killed(acre_test_spawn(spsc_push_three_and_die, a));
    for (uint64_t i = 1; i <= 3; i++) {
        ACRE_CHECK_EQUAL(acre_spsc_pop(&c, &m), 0);
        ACRE_CHECK_EQUAL(m, i);
    }
    ACRE_CHECK_EQUAL(acre_spsc_pop(&c, &m), ACRE_EPEER);
    ACRE_CHECK_EQUAL(acre_spsc_producer_attach(&p, a->ring, a->size, a->message), 0);
    ACRE_CHECK_EQUAL(acre_spsc_try_pop(&c, &m), EAGAIN);
    m = 4;
    ACRE_CHECK_EQUAL(acre_spsc_push(&p, &m), 0);
    ACRE_CHECK_EQUAL(acre_spsc_pop(&c, &m), 0);
    ACRE_CHECK_EQUAL(m, 4);
}

static void spsc_pop_one_and_wait(void *arg)
{
    arena *a = arg;
    acre_spsc_consumer c;
    uint64_t m;
    ACRE_CHECK_EQUAL(acre_spsc_consumer_attach(&c, a->ring, a->size, a->message), 0);
    ACRE_CHECK_EQUAL(acre_spsc_pop(&c, &m), 0);
    a->ready = 1;
    for (;;)
        pause();
}

/* The producer is asleep at the full ring when the consumer is killed. */
static void *spsc_kill_soon(void *arg)
{
    usleep(20000);
    kill(*(pid_t *)arg, SIGKILL);
    return NULL;
}

ACRE_TEST(spsc, who_sleeps_is_told_of_the_other_sides_death)
{
    arena *a = spsc_make(2, 8, 0);
    acre_spsc_producer p;
    uint64_t m = 1;
    pthread_t t;
    acre_test_limit(30);
    ACRE_CHECK_EQUAL(acre_spsc_producer_attach(&p, a->ring, a->size, a->message), 0);
    pid_t child = acre_test_spawn(spsc_pop_one_and_wait, a);
    ACRE_CHECK_EQUAL(acre_spsc_push(&p, &m), 0);
    while (!a->ready)
        sched_yield();
    ACRE_CHECK_EQUAL(acre_spsc_push(&p, &m), 0);
    ACRE_CHECK_EQUAL(acre_spsc_push(&p, &m), 0);
    ACRE_CHECK(pthread_create(&t, NULL, spsc_kill_soon, &child) == 0);
    ACRE_CHECK_EQUAL(acre_spsc_push(&p, &m), ACRE_EPEER);
    pthread_join(t, NULL);
    acre_test_expect_killed(child);
}

/* ---- random kills ---- */

typedef struct numbered {
    uint32_t life, n;
} numbered;

/* Numbers its messages within its life, and says how many it has sent. */
static void spsc_send_until_killed(void *arg)
{
    arena *a = arg;
    acre_spsc_producer p;
    numbered m = {.life = (uint32_t)a->ready};
    ACRE_CHECK_EQUAL(acre_spsc_producer_attach(&p, a->ring, a->size, a->message), 0);
    __atomic_store_n(&a->done[2], a->ready, __ATOMIC_RELEASE);
    for (;;) {
        ACRE_CHECK_EQUAL(acre_spsc_push(&p, &m), 0);
        m.n++;
        __atomic_store_n(&a->done[0], m.n, __ATOMIC_RELEASE);
    }
}

/* Everything of this life: no gap, nothing twice, at most the message in hand is missing. */
static void spsc_expect_life(arena *a, acre_spsc_consumer *c, pid_t child)
{
    uint64_t got = 0, some = a->done[1];
    numbered m;
    int e;
    while (__atomic_load_n(&a->done[2], __ATOMIC_ACQUIRE) != a->ready)
        sched_yield(); /* until then its predecessor is the dead producer */
    while ((e = acre_spsc_pop(c, &m)) == 0) {
        ACRE_CHECK_EQUAL(m.life, a->ready);
        ACRE_CHECK_EQUAL(m.n, got);
        if (++got == some)
            kill(child, SIGKILL);
    }
    ACRE_CHECK_EQUAL(e, ACRE_EPEER);
    ACRE_CHECK(got == a->done[0] || got == a->done[0] + 1);
}

ACRE_TEST(spsc, killed_producers_lose_nothing)
{
    arena *a = spsc_make(64, sizeof(numbered), 0);
    acre_spsc_consumer c;
    uint64_t seed = acre_test_seed();
    size_t rounds = acre_test_rounds(60); /* each ends with a nap */
    ACRE_CHECK_EQUAL(acre_spsc_consumer_attach(&c, a->ring, a->size, a->message), 0);
    for (a->ready = 1; a->ready <= rounds; a->ready++) {
        acre_test_limit(30);
        a->done[0] = 0;
        a->done[1] = 1 + acre_test_below(&seed, 300);
        pid_t child = acre_test_spawn(spsc_send_until_killed, a);
        spsc_expect_life(a, &c, child);
        acre_test_expect_killed(child);
        ACRE_CHECK_EQUAL(acre_spsc_check(a->ring, a->size), 0);
    }
}

static void spsc_receive_until_killed(void *arg)
{
    arena *a = arg;
    acre_spsc_consumer c;
    uint64_t m, last = a->done[0];
    ACRE_CHECK_EQUAL(acre_spsc_consumer_attach(&c, a->ring, a->size, a->message), 0);
    for (bool first = true;; first = false) {
        ACRE_CHECK_EQUAL(acre_spsc_pop(&c, &m), 0);
        ACRE_CHECK(m == last + 1 || (first && m == last + 2), "%llu after %llu",
                   (unsigned long long)m, (unsigned long long)last);
        last = m;
        __atomic_store_n(&a->done[0], m, __ATOMIC_RELEASE);
    }
}

/* Pushes until the consumer has got somewhere, or has died. */
static uint64_t spsc_feed(arena *a, acre_spsc_producer *p, uint64_t n, uint64_t goal)
{
    while (__atomic_load_n(&a->done[0], __ATOMIC_ACQUIRE) < goal) {
        uint64_t m = n + 1;
        int e = acre_spsc_push_for(p, &m, SECOND / 1000);
        ACRE_CHECK(e == 0 || e == ETIMEDOUT || e == ACRE_EPEER);
        n += e == 0;
    }
    return n;
}

ACRE_TEST(spsc, killed_consumers_lose_one_message_at_most)
{
    arena *a = spsc_make(64, 8, 0);
    acre_spsc_producer p;
    uint64_t seed = acre_test_seed(), n = 0;
    ACRE_CHECK_EQUAL(acre_spsc_producer_attach(&p, a->ring, a->size, a->message), 0);
    for (size_t i = acre_test_rounds(200); i; i--) {
        acre_test_limit(30);
        pid_t child = acre_test_spawn(spsc_receive_until_killed, a);
        n = spsc_feed(a, &p, n, a->done[0] + 1 + acre_test_below(&seed, 300));
        kill(child, SIGKILL);
        acre_test_expect_killed(child);
        ACRE_CHECK_EQUAL(acre_spsc_check(a->ring, a->size), 0);
    }
}

/* ---- sleeping ---- */

static void spsc_answer(void *arg)
{
    arena *a = arg;
    acre_spsc_consumer c;
    acre_spsc_producer p;
    uint64_t m;
    ACRE_CHECK_EQUAL(acre_spsc_consumer_attach(&c, a->ring, a->size, a->message), 0);
    ACRE_CHECK_EQUAL(
        acre_spsc_producer_attach(&p, (void *)((char *)a->ring + a->done[0]), a->size, a->message),
        0);
    for (size_t i = 0; i < a->rounds; i++) {
        ACRE_CHECK_EQUAL(acre_spsc_pop(&c, &m), 0);
        ACRE_CHECK_EQUAL(acre_spsc_push(&p, &m), 0);
    }
}

/* Two rings, there and back.  Were the wake-ups lost, messages would take naps of 50 ms. */
ACRE_TEST(spsc, sleepers_are_woken)
{
    size_t size = acre_spsc_size(4, 8), rounds = acre_test_rounds(400);
    arena *a = arena_make(2 * size, rounds);
    acre_spsc_consumer c;
    acre_spsc_producer p;
    a->size = a->done[0] = size;
    ACRE_CHECK_EQUAL(acre_spsc_init(a->ring, size, 4, 8), 0);
    ACRE_CHECK_EQUAL(acre_spsc_init((acre_spsc *)(void *)((char *)a->ring + size), size, 4, 8), 0);
    pid_t child = acre_test_spawn(spsc_answer, a);
    ACRE_CHECK_EQUAL(acre_spsc_producer_attach(&p, a->ring, size, a->message), 0);
    ACRE_CHECK_EQUAL(
        acre_spsc_consumer_attach(&c, (void *)((char *)a->ring + size), size, a->message), 0);
    size_t slow = 0;
    for (uint64_t i = 0, m; i < rounds; i++) {
        usleep(200); /* asleep by now */
        double begin = seconds();
        ACRE_CHECK_EQUAL(acre_spsc_push(&p, &i), 0);
        ACRE_CHECK_EQUAL(acre_spsc_pop(&c, &m), 0);
        ACRE_CHECK_EQUAL(m, i);
        slow += seconds() - begin > NEARLY_A_NAP;
    }
    ACRE_CHECK(slow <= rounds / 2, "%zu of %zu slow", slow, rounds);
    acre_test_expect_exit(child, 0);
}

static void spsc_drain_slowly(void *arg)
{
    arena *a = arg;
    acre_spsc_consumer c;
    uint64_t m;
    ACRE_CHECK_EQUAL(acre_spsc_consumer_attach(&c, a->ring, a->size, a->message), 0);
    for (size_t i = 0; i < a->rounds; i++) {
        usleep(200);
        ACRE_CHECK_EQUAL(acre_spsc_pop(&c, &m), 0);
        ACRE_CHECK_EQUAL(m, i);
    }
}

ACRE_TEST(spsc, a_sleeping_producer_is_woken)
{
    arena *a = spsc_make(1, 8, acre_test_rounds(400));
    acre_spsc_producer p;
    pid_t child = acre_test_spawn(spsc_drain_slowly, a);
    ACRE_CHECK_EQUAL(acre_spsc_producer_attach(&p, a->ring, a->size, a->message), 0);
    size_t slow = 0;
    for (uint64_t i = 0; i < a->rounds; i++) {
        double begin = seconds();
        ACRE_CHECK_EQUAL(acre_spsc_push(&p, &i), 0);
        slow += seconds() - begin > NEARLY_A_NAP;
    }
    acre_test_expect_exit(child, 0);
    ACRE_CHECK(slow <= a->rounds / 2, "%zu of %zu slow", slow, a->rounds);
}

/* ---- bad input ---- */

ACRE_TEST(spsc, bad_input_is_told_apart)
{
    size_t size = acre_spsc_size(4, 8);
    _Alignas(64) static char memory[4096];
    acre_spsc *ring = (acre_spsc *)(void *)memory;
    acre_spsc_producer p;
    ACRE_CHECK_EQUAL(acre_spsc_size(0, 8), 0);
    ACRE_CHECK_EQUAL(acre_spsc_size(8, 0), 0);
    ACRE_CHECK_EQUAL(acre_spsc_size(ACRE_RING_CAPACITY_MAX + 1u, 8), 0);
    ACRE_CHECK_EQUAL(acre_spsc_size(8, ACRE_RING_MESSAGE_MAX + 1u), 0);
    ACRE_CHECK_EQUAL(acre_spsc_producer_attach(&p, ring, size, 8), ACRE_EUNINITIALISED);
    ACRE_CHECK_EQUAL(acre_spsc_init(ring, size, 0, 8), EINVAL);
    ACRE_CHECK_EQUAL(acre_spsc_init(ring, size - 1, 4, 8), ACRE_ETOOSMALL);
    ACRE_CHECK_EQUAL(acre_spsc_init((void *)(memory + 4), size, 4, 8), EINVAL);
    ACRE_CHECK_EQUAL(acre_spsc_producer_attach(&p, ring, size, 8), ACRE_EUNINITIALISED);
    ACRE_CHECK_EQUAL(acre_spsc_init(ring, size, 3, 8), 0);
    ACRE_CHECK_EQUAL(acre_spsc_capacity(ring), 4);
    ACRE_CHECK_EQUAL(acre_spsc_producer_attach(&p, (void *)(memory + 4), size, 8), EINVAL);
    ACRE_CHECK_EQUAL(acre_spsc_producer_attach(&p, ring, size, 7), EMSGSIZE);
    ACRE_CHECK_EQUAL(acre_spsc_message(ring), 8);
    ACRE_CHECK_EQUAL(acre_spsc_producer_attach(&p, ring, 10, 8), ACRE_ETRUNCATED);
    ACRE_CHECK_EQUAL(acre_spsc_producer_attach(&p, ring, size - 1, 8), ACRE_ETRUNCATED);
    acre_bytes_producer b;
    ACRE_CHECK_EQUAL(acre_bytes_producer_attach(&b, (void *)memory, size), ACRE_EOBJECT);
    ring->pair.ring.tag++;
    ACRE_CHECK_EQUAL(acre_spsc_producer_attach(&p, ring, size, 8), ACRE_ELAYOUT);
    memset(memory, 0x5a, sizeof memory);
    ACRE_CHECK_EQUAL(acre_spsc_producer_attach(&p, ring, size, 8), ACRE_EOBJECT);
}

/* ================================ bytes ================================ */

static arena *bytes_make(uint32_t capacity, size_t rounds)
{
    size_t size = acre_bytes_size(capacity);
    arena *a = arena_make(size, rounds);
    ACRE_CHECK_EQUAL(acre_bytes_init(a->ring, size, capacity), 0);
    return a;
}

static size_t bytes_length(const arena *a, uint64_t n)
{
    uint64_t state = n;
    return acre_test_below(&state, acre_bytes_max(a->ring) + 1);
}

enum { RECORD_MAX = 4096, RECORDS = 8 };
static __thread unsigned char bytes_buffer[RECORDS][RECORD_MAX];

static size_t bytes_send_some(acre_bytes_producer *p, const arena *a, uint64_t n, size_t most)
{
    struct iovec v[RECORDS];
    size_t done = 1;
    for (size_t i = 0; i < most; i++) {
        v[i] = (struct iovec){bytes_buffer[i], bytes_length(a, n + i)};
        fill(bytes_buffer[i], v[i].iov_len, n + i);
    }
    if (a->batch)
        ACRE_CHECK_EQUAL(acre_bytes_push_many(p, v, most, &done), 0);
    else
        ACRE_CHECK_EQUAL(acre_bytes_push(p, v[0].iov_base, v[0].iov_len), 0);
    return done;
}

/* More is reserved than is used. */
static size_t bytes_fill_some(acre_bytes_producer *p, const arena *a, uint64_t n, size_t most)
{
    size_t length = bytes_length(a, n), max = acre_bytes_max(a->ring);
    void *record;
    ACRE_CHECK_EQUAL(acre_bytes_reserve(p, n % 2 ? max : length, &record), 0);
    fill(record, length, n);
    ACRE_CHECK_EQUAL(acre_bytes_commit(p, length), 0);
    return most ? 1 : 0;
}

static void bytes_send(void *arg)
{
    arena *a = arg;
    acre_bytes_producer p;
    ACRE_CHECK_EQUAL(acre_bytes_producer_attach(&p, a->ring, a->size), 0);
    for (uint64_t n = 0; n < a->rounds;)
        n += (a->cells ? bytes_fill_some : bytes_send_some)(&p, a, n, spsc_most(a, n));
    ACRE_CHECK_EQUAL(acre_bytes_producer_detach(&p), 0);
}

static size_t bytes_take_some(acre_bytes_consumer *c, const arena *a, uint64_t n, size_t most)
{
    struct iovec v[RECORDS];
    size_t done = 1;
    for (size_t i = 0; i < most; i++)
        v[i] = (struct iovec){bytes_buffer[i], RECORD_MAX};
    if (a->batch)
        ACRE_CHECK_EQUAL(acre_bytes_pop_many(c, v, most, &done), 0);
    else
        ACRE_CHECK_EQUAL(acre_bytes_pop(c, v[0].iov_base, RECORD_MAX, &v[0].iov_len), 0);
    for (size_t i = 0; i < done; i++) {
        ACRE_CHECK_EQUAL(v[i].iov_len, bytes_length(a, n + i));
        expect(bytes_buffer[i], v[i].iov_len, n + i);
    }
    return done;
}

static size_t bytes_read_some(acre_bytes_consumer *c, const arena *a, uint64_t n, size_t most)
{
    void *record, *again;
    size_t length;
    ACRE_CHECK_EQUAL(acre_bytes_peek(c, &record, &length), 0);
    ACRE_CHECK_EQUAL(acre_bytes_peek(c, &again, &length), 0);
    ACRE_CHECK(record == again);
    ACRE_CHECK_EQUAL(length, bytes_length(a, n));
    expect(record, length, n);
    ACRE_CHECK_EQUAL(acre_bytes_release(c), 0);
    ACRE_CHECK_EQUAL(acre_bytes_release(c), EINVAL);
    return most ? 1 : 0;
}

static void bytes_receive(void *arg)
{
    arena *a = arg;
    acre_bytes_consumer c;
    ACRE_CHECK_EQUAL(acre_bytes_consumer_attach(&c, a->ring, a->size), 0);
    for (uint64_t n = 0; n < a->rounds;)
        n += (a->cells ? bytes_read_some : bytes_take_some)(&c, a, n, spsc_most(a, n));
    ACRE_CHECK_EQUAL(acre_bytes_consumer_detach(&c), 0);
}

static void *bytes_send_thread(void *arg)
{
    bytes_send(arg);
    return NULL;
}

static void *bytes_receive_thread(void *arg)
{
    bytes_receive(arg);
    return NULL;
}

static void bytes_both_ways(arena *a)
{
    in_threads(bytes_send_thread, bytes_receive_thread, a);
    in_processes(bytes_send, bytes_receive, a);
    ACRE_CHECK_EQUAL(acre_bytes_count(a->ring), 0);
    ACRE_CHECK_EQUAL(acre_bytes_check(a->ring, a->size), 0);
}

ACRE_TEST(bytes, records_of_all_lengths)
{
    for (uint32_t capacity = 1; capacity <= 4096; capacity *= 8)
        bytes_both_ways(bytes_make(capacity, acre_test_rounds(20000)));
}

ACRE_TEST(bytes, batches)
{
    for (uint32_t capacity = 64; capacity <= 4096; capacity *= 8) {
        arena *a = bytes_make(capacity, acre_test_rounds(20000));
        a->batch = RECORDS;
        bytes_both_ways(a);
    }
}

ACRE_TEST(bytes, records_without_a_copy)
{
    for (uint32_t capacity = 64; capacity <= 4096; capacity *= 8) {
        arena *a = bytes_make(capacity, acre_test_rounds(20000));
        a->cells = true;
        bytes_both_ways(a);
    }
}

ACRE_TEST(bytes, too_long_is_refused)
{
    arena *a = bytes_make(64, 0);
    acre_bytes_producer p;
    acre_bytes_consumer c;
    char record[32] = "0123456789", buffer[32];
    size_t length = 99;
    ACRE_CHECK_EQUAL(acre_bytes_max(a->ring), 24);
    ACRE_CHECK_EQUAL(acre_bytes_producer_attach(&p, a->ring, a->size), 0);
    ACRE_CHECK_EQUAL(acre_bytes_consumer_attach(&c, a->ring, a->size), 0);
    ACRE_CHECK_EQUAL(acre_bytes_push(&p, record, 25), EMSGSIZE);
    ACRE_CHECK_EQUAL(acre_bytes_push(&p, record, SIZE_MAX), EMSGSIZE);
    ACRE_CHECK_EQUAL(acre_bytes_commit(&p, 0), EINVAL);
    ACRE_CHECK_EQUAL(acre_bytes_push(&p, record, 10), 0);
    ACRE_CHECK_EQUAL(acre_bytes_pop(&c, buffer, 9, &length), EMSGSIZE);
    ACRE_CHECK_EQUAL(length, 99);
    ACRE_CHECK_EQUAL(acre_bytes_pop(&c, buffer, 10, &length), 0);
    ACRE_CHECK_EQUAL(length, 10);
    ACRE_CHECK_EQUAL(memcmp(buffer, record, 10), 0);
    ACRE_CHECK_EQUAL(acre_bytes_try_pop(&c, buffer, 10, &length), EAGAIN);
    ACRE_CHECK_EQUAL(acre_bytes_push(&p, NULL, 0), 0);
    ACRE_CHECK_EQUAL(acre_bytes_pop(&c, NULL, 0, &length), 0);
    ACRE_CHECK_EQUAL(length, 0);
}

static void bytes_die_in_a_reserved_record(void *arg)
{
    arena *a = arg;
    acre_bytes_producer p;
    void *record;
    ACRE_CHECK_EQUAL(acre_bytes_producer_attach(&p, a->ring, a->size), 0);
    ACRE_CHECK_EQUAL(acre_bytes_push(&p, "first", 5), 0);
    ACRE_CHECK_EQUAL(acre_bytes_reserve(&p, 24, &record), 0);
    memset(record, 0xff, 24);
    kill(getpid(), SIGKILL);
}

ACRE_TEST(bytes, a_dead_producers_reserved_record_is_its_successors)
{
    arena *a = bytes_make(64, 0);
    acre_bytes_producer p;
    acre_bytes_consumer c;
    char buffer[24];
    size_t length;
    acre_test_expect_killed(acre_test_spawn(bytes_die_in_a_reserved_record, a));
    ACRE_CHECK_EQUAL(acre_bytes_check(a->ring, a->size), 0);
    ACRE_CHECK_EQUAL(acre_bytes_producer_attach(&p, a->ring, a->size), 0);
    ACRE_CHECK_EQUAL(acre_bytes_push(&p, "second", 6), 0);
    ACRE_CHECK_EQUAL(acre_bytes_consumer_attach(&c, a->ring, a->size), 0);
    ACRE_CHECK_EQUAL(acre_bytes_pop(&c, buffer, sizeof buffer, &length), 0);
    ACRE_CHECK_EQUAL(memcmp(buffer, "first", 5), 0);
    ACRE_CHECK_EQUAL(acre_bytes_pop(&c, buffer, sizeof buffer, &length), 0);
    ACRE_CHECK_EQUAL(memcmp(buffer, "second", 6), 0);
}

/* ================================ broadcast ================================ */

static arena *broadcast_make(uint32_t capacity, uint32_t consumers, size_t rounds)
{
    size_t size = acre_broadcast_size(capacity, 8, consumers);
    arena *a = arena_make(size, rounds);
    ACRE_CHECK_EQUAL(acre_broadcast_init(a->ring, size, capacity, 8, consumers), 0);
    return a;
}

enum { LISTENERS = 3 };

static void broadcast_send(void *arg)
{
    arena *a = arg;
    acre_broadcast_producer p;
    ACRE_CHECK_EQUAL(acre_broadcast_producer_attach(&p, a->ring, a->size, 8), 0);
    while (__atomic_load_n(&a->done[0], __ATOMIC_ACQUIRE) < LISTENERS)
        sched_yield();
    for (uint64_t n = 0; n < a->rounds; n++)
        ACRE_CHECK_EQUAL(acre_broadcast_push(&p, &n), 0);
    ACRE_CHECK_EQUAL(acre_broadcast_producer_detach(&p), 0);
}

static void broadcast_listen(void *arg)
{
    arena *a = arg;
    acre_broadcast_consumer c;
    uint64_t n, m;
    ACRE_CHECK_EQUAL(acre_broadcast_consumer_attach(&c, a->ring, a->size, 8), 0);
    __atomic_fetch_add(&a->done[0], 1, __ATOMIC_ACQ_REL);
    for (n = 0; n < a->rounds; n++) {
        ACRE_CHECK_EQUAL(acre_broadcast_pop(&c, &m), 0);
        ACRE_CHECK_EQUAL(m, n);
    }
    ACRE_CHECK_EQUAL(acre_broadcast_consumer_detach(&c), 0);
}

static void *broadcast_listen_thread(void *arg)
{
    broadcast_listen(arg);
    return NULL;
}

ACRE_TEST(broadcast, all_threads_get_all)
{
    for (uint32_t capacity = 1; capacity <= 64; capacity *= 8) {
        arena *a = broadcast_make(capacity, LISTENERS, acre_test_rounds(capacity * 2000));
        pthread_t t[LISTENERS];
        for (int i = 0; i < LISTENERS; i++)
            ACRE_CHECK(pthread_create(&t[i], NULL, broadcast_listen_thread, a) == 0);
        broadcast_send(a);
        for (int i = 0; i < LISTENERS; i++)
            pthread_join(t[i], NULL);
        ACRE_CHECK_EQUAL(acre_broadcast_check(a->ring, a->size), 0);
    }
}

ACRE_TEST(broadcast, all_processes_get_all)
{
    arena *a = broadcast_make(64, LISTENERS, acre_test_rounds(200000));
    pid_t child[LISTENERS];
    for (int i = 0; i < LISTENERS; i++)
        child[i] = acre_test_spawn(broadcast_listen, a);
    broadcast_send(a);
    for (int i = 0; i < LISTENERS; i++)
        acre_test_expect_exit(child[i], 0);
}

/* Comes and goes while messages pass: what it gets has no gap. */
static void broadcast_come_and_go(void *arg)
{
    arena *a = arg;
    while (!a->stop) {
        acre_broadcast_consumer c;
        uint64_t m, first;
        ACRE_CHECK_EQUAL(acre_broadcast_consumer_attach(&c, a->ring, a->size, 8), 0);
        a->ready = 1;
        int e = acre_broadcast_pop_for(&c, &first, SECOND / 100);
        for (uint64_t n = 1; !e && n < 50; n++) {
            e = acre_broadcast_pop_for(&c, &m, SECOND / 100);
            ACRE_CHECK(e || m == first + n, "%llu after %llu", (unsigned long long)m,
                       (unsigned long long)(first + n - 1));
        }
        ACRE_CHECK(e == 0 || e == ETIMEDOUT);
        ACRE_CHECK_EQUAL(acre_broadcast_consumer_detach(&c), 0);
    }
}

ACRE_TEST(broadcast, consumers_come_and_go)
{
    arena *a = broadcast_make(4, LISTENERS, acre_test_rounds(20000));
    acre_broadcast_producer p;
    pid_t child[LISTENERS];
    ACRE_CHECK_EQUAL(acre_broadcast_producer_attach(&p, a->ring, a->size, 8), 0);
    for (int i = 0; i < LISTENERS; i++)
        child[i] = acre_test_spawn(broadcast_come_and_go, a);
    while (!a->ready)
        sched_yield();
    for (uint64_t n = 0; n < a->rounds; n++)
        ACRE_CHECK_EQUAL(acre_broadcast_push(&p, &n), 0);
    a->stop = 1;
    for (int i = 0; i < LISTENERS; i++)
        acre_test_expect_exit(child[i], 0);
}

ACRE_TEST(broadcast, begins_at_the_join_and_waits_for_the_slowest)
{
    arena *a = broadcast_make(4, 2, 0);
    acre_broadcast_producer p;
    acre_broadcast_consumer c, d, e;
    uint64_t m = 0, n = 0;
    ACRE_CHECK_EQUAL(acre_broadcast_producer_attach(&p, a->ring, a->size, 8), 0);
    for (; n < 10; n++) /* nobody listens: nobody is waited for */
        ACRE_CHECK_EQUAL(acre_broadcast_try_push(&p, &n), 0);
    ACRE_CHECK_EQUAL(acre_broadcast_consumer_attach(&c, a->ring, a->size, 8), 0);
    ACRE_CHECK_EQUAL(acre_broadcast_try_pop(&c, &m), EAGAIN);
    ACRE_CHECK_EQUAL(acre_broadcast_consumer_attach(&d, a->ring, a->size, 8), 0);
    ACRE_CHECK_EQUAL(acre_broadcast_consumer_attach(&e, a->ring, a->size, 8), EAGAIN);
    for (; n < 14; n++)
        ACRE_CHECK_EQUAL(acre_broadcast_try_push(&p, &n), 0);
    ACRE_CHECK_EQUAL(acre_broadcast_try_push(&p, &n), EAGAIN);
    for (uint64_t i = 10; i < 14; i++) {
        ACRE_CHECK_EQUAL(acre_broadcast_try_pop(&c, &m), 0);
        ACRE_CHECK_EQUAL(m, i);
    }
    ACRE_CHECK_EQUAL(acre_broadcast_try_push(&p, &n), EAGAIN); /* d has them still */
    ACRE_CHECK_EQUAL(acre_broadcast_push_for(&p, &n, SECOND / 100), ETIMEDOUT);
    ACRE_CHECK_EQUAL(acre_broadcast_count(&d), 4);
    ACRE_CHECK_EQUAL(acre_broadcast_consumer_detach(&d), 0);
    ACRE_CHECK_EQUAL(acre_broadcast_try_push(&p, &n), 0);
    ACRE_CHECK_EQUAL(acre_broadcast_check(a->ring, a->size), 0);
}

static void broadcast_join_and_sleep(void *arg)
{
    arena *a = arg;
    acre_broadcast_consumer c;
    ACRE_CHECK_EQUAL(acre_broadcast_consumer_attach(&c, a->ring, a->size, 8), 0);
    a->ready = 1;
    for (;;)
        pause();
}

ACRE_TEST(broadcast, a_dead_consumer_holds_nobody_up)
{
    arena *a = broadcast_make(4, 1, 0);
    acre_broadcast_producer p;
    acre_broadcast_consumer c;
    uint64_t n = 0;
    pthread_t t;
    acre_test_limit(30);
    ACRE_CHECK_EQUAL(acre_broadcast_producer_attach(&p, a->ring, a->size, 8), 0);
    pid_t child = acre_test_spawn(broadcast_join_and_sleep, a);
    while (!a->ready)
        sched_yield();
    for (; n < 4; n++)
        ACRE_CHECK_EQUAL(acre_broadcast_try_push(&p, &n), 0);
    ACRE_CHECK_EQUAL(acre_broadcast_try_push(&p, &n), EAGAIN);
    ACRE_CHECK(pthread_create(&t, NULL, spsc_kill_soon, &child) == 0);
    ACRE_CHECK_EQUAL(acre_broadcast_push(&p, &n), 0); /* sleeps meanwhile */
    pthread_join(t, NULL);
    acre_test_expect_killed(child);
    for (; n < 20; n++)
        ACRE_CHECK_EQUAL(acre_broadcast_try_push(&p, &n), 0);
    ACRE_CHECK_EQUAL(acre_broadcast_consumer_attach(&c, a->ring, a->size, 8), 0);
    ACRE_CHECK_EQUAL(acre_broadcast_consumers(a->ring), 1);
}

ACRE_TEST(broadcast, places_of_killed_consumers_are_used_again)
{
    arena *a = broadcast_make(4, 2, 0);
    acre_broadcast_producer p;
    uint64_t seed = acre_test_seed(), n = 0;
    ACRE_CHECK_EQUAL(acre_broadcast_producer_attach(&p, a->ring, a->size, 8), 0);
    for (size_t i = acre_test_rounds(200); i; i--) {
        acre_test_limit(30);
        a->ready = 0;
        pid_t child = acre_test_spawn(broadcast_come_and_go, a);
        while (!a->ready)
            sched_yield();
        for (uint64_t more = acre_test_below(&seed, 300); more; more--, n++)
            ACRE_CHECK_EQUAL(acre_broadcast_push(&p, &n), 0);
        kill(child, SIGKILL);
        acre_test_expect_killed(child);
        ACRE_CHECK_EQUAL(acre_broadcast_check(a->ring, a->size), 0);
    }
}

static void broadcast_push_one_and_die(void *arg)
{
    arena *a = arg;
    acre_broadcast_producer p;
    uint64_t n = 7;
    ACRE_CHECK_EQUAL(acre_broadcast_producer_attach(&p, a->ring, a->size, 8), 0);
    ACRE_CHECK_EQUAL(acre_broadcast_push(&p, &n), 0);
    kill(getpid(), SIGKILL);
}

ACRE_TEST(broadcast, a_dead_producer_is_told_and_replaced)
{
    arena *a = broadcast_make(4, 1, 0);
    acre_broadcast_consumer c;
    acre_broadcast_producer p;
    uint64_t m = 0;
    ACRE_CHECK_EQUAL(acre_broadcast_consumer_attach(&c, a->ring, a->size, 8), 0);
    acre_test_expect_killed(acre_test_spawn(broadcast_push_one_and_die, a));
    ACRE_CHECK_EQUAL(acre_broadcast_pop(&c, &m), 0);
    ACRE_CHECK_EQUAL(m, 7);
    ACRE_CHECK_EQUAL(acre_broadcast_pop(&c, &m), ACRE_EPEER);
    ACRE_CHECK_EQUAL(acre_broadcast_producer_attach(&p, a->ring, a->size, 8), 0);
    ACRE_CHECK_EQUAL(acre_broadcast_push(&p, &m), 0);
    ACRE_CHECK_EQUAL(acre_broadcast_pop(&c, &m), 0);
}

ACRE_TEST(broadcast, batches_and_cells)
{
    arena *a = broadcast_make(8, 1, 0);
    acre_broadcast_producer p;
    acre_broadcast_consumer c;
    uint64_t in[6] = {1, 2, 3, 4, 5, 6}, out[6];
    void *cells;
    size_t n;
    ACRE_CHECK_EQUAL(acre_broadcast_producer_attach(&p, a->ring, a->size, 8), 0);
    ACRE_CHECK_EQUAL(acre_broadcast_consumer_attach(&c, a->ring, a->size, 8), 0);
    for (int i = 0; i < 20; i++) {
        ACRE_CHECK_EQUAL(acre_broadcast_push_many(&p, in, 6, &n), 0);
        ACRE_CHECK_EQUAL(n, 6);
        ACRE_CHECK_EQUAL(acre_broadcast_pop_many(&c, out, 6, &n), 0);
        ACRE_CHECK_EQUAL(n, 6);
        ACRE_CHECK_EQUAL(memcmp(in, out, sizeof in), 0);
        n = 1;
        ACRE_CHECK_EQUAL(acre_broadcast_reserve(&p, &cells, &n), 0);
        *(uint64_t *)cells = 77;
        ACRE_CHECK_EQUAL(acre_broadcast_commit(&p, 1), 0);
        ACRE_CHECK_EQUAL(acre_broadcast_peek(&c, &cells, &n), 0);
        ACRE_CHECK_EQUAL(*(uint64_t *)cells, 77);
        ACRE_CHECK_EQUAL(acre_broadcast_release(&c, 1), 0);
    }
}

/* ================================ damaged ================================ */

enum { FLIPPED_CAPACITY = 16, FLIPPED_BYTES = 64 };

/* Whatever the calls say: they end, and stay inside.  (The address sanitizer looks.) */
static void use_spsc(char *ring, size_t size)
{
    acre_spsc_producer p;
    acre_spsc_consumer c;
    uint64_t m = 1, many[200] = {0};
    size_t n;
    int e = acre_spsc_producer_attach(&p, (acre_spsc *)(void *)ring, size, 8);
    for (int i = 0; !e && i < 2 * FLIPPED_CAPACITY; i++)
        acre_spsc_try_push(&p, &m);
    if (!e) {
        acre_spsc_try_push_many(&p, many, 200, &n);
        acre_spsc_producer_detach(&p);
    }
    e = acre_spsc_consumer_attach(&c, (acre_spsc *)(void *)ring, size, 8);
    if (!e) {
        acre_spsc_try_pop(&c, &m);
        acre_spsc_try_pop_many(&c, many, 200, &n);
        acre_spsc_consumer_detach(&c);
    }
    acre_spsc_check((acre_spsc *)(void *)ring, size);
}

static void use_bytes(char *ring, size_t size)
{
    acre_bytes_producer p;
    acre_bytes_consumer c;
    char buffer[FLIPPED_BYTES] = {0};
    size_t n;
    int e = acre_bytes_consumer_attach(&c, (acre_bytes *)(void *)ring, size);
    for (int i = 0; !e && i < 20; i++)
        if (acre_bytes_try_pop(&c, buffer, sizeof buffer, &n))
            break;
    if (!e)
        acre_bytes_consumer_detach(&c);
    e = acre_bytes_producer_attach(&p, (acre_bytes *)(void *)ring, size);
    for (int i = 0; !e && i < 20; i++)
        acre_bytes_try_push(&p, buffer, (size_t)i);
    if (!e)
        acre_bytes_producer_detach(&p);
    acre_bytes_check((acre_bytes *)(void *)ring, size);
}

static void use_broadcast(char *ring, size_t size)
{
    acre_broadcast_producer p;
    acre_broadcast_consumer c;
    uint64_t m = 1;
    int e = acre_broadcast_consumer_attach(&c, (acre_broadcast *)(void *)ring, size, 8);
    int f = acre_broadcast_producer_attach(&p, (acre_broadcast *)(void *)ring, size, 8);
    for (int i = 0; i < 2 * FLIPPED_CAPACITY; i++) {
        if (!f)
            acre_broadcast_try_push(&p, &m);
        if (!e)
            acre_broadcast_try_pop(&c, &m);
    }
    if (!e)
        acre_broadcast_consumer_detach(&c);
    if (!f)
        acre_broadcast_producer_detach(&p);
    acre_broadcast_check((acre_broadcast *)(void *)ring, size);
}

static void use_mpmc(char *ring, size_t size)
{
    acre_mpmc_handle h;
    uint64_t m = 1;
    if (acre_mpmc_attach(&h, (acre_mpmc *)(void *)ring, size, 8))
        return;
    for (int i = 0; i < FLIPPED_CAPACITY + 9; i++)
        acre_mpmc_try_push(&h, &m);
    for (int i = 0; i < FLIPPED_CAPACITY + 9; i++)
        acre_mpmc_try_pop(&h, &m);
    acre_mpmc_check((acre_mpmc *)(void *)ring, size);
}

/* Each bit of the first `bytes`, in a copy of exactly the ring's size. */
static void flip_all(const void *ring, size_t size, size_t bytes, void (*use)(char *, size_t))
{
    char *copy = aligned_alloc(64, size);
    ACRE_CHECK(copy != NULL && size % 64 == 0);
    for (size_t bit = 0; bit < bytes * 8; bit++) {
        memcpy(copy, ring, size);
        copy[bit / 8] = (char)(copy[bit / 8] ^ 1 << bit % 8);
        use(copy, size);
    }
    free(copy);
}

ACRE_TEST(ring, a_damaged_spsc_is_harmless)
{
    arena *a = spsc_make(FLIPPED_CAPACITY, 8, 0);
    spsc_ends e = spsc_attach(a);
    uint64_t m = 0;
    for (int i = 0; i < 10; i++)
        ACRE_CHECK_EQUAL(acre_spsc_push(&e.p, &m), 0);
    ACRE_CHECK_EQUAL(acre_spsc_producer_detach(&e.p), 0);
    ACRE_CHECK_EQUAL(acre_spsc_consumer_detach(&e.c), 0);
    flip_all(a->ring, a->size, sizeof(acre_spsc), use_spsc);
}

ACRE_TEST(ring, a_damaged_bytes_is_harmless)
{
    arena *a = bytes_make(FLIPPED_BYTES, 0);
    acre_bytes_producer p;
    ACRE_CHECK_EQUAL(acre_bytes_producer_attach(&p, a->ring, a->size), 0);
    ACRE_CHECK_EQUAL(acre_bytes_push(&p, "abc", 3), 0);
    ACRE_CHECK_EQUAL(acre_bytes_push(&p, "defghijklmnop", 13), 0);
    ACRE_CHECK_EQUAL(acre_bytes_producer_detach(&p), 0);
    flip_all(a->ring, a->size, a->size, use_bytes);
}

ACRE_TEST(ring, a_damaged_broadcast_is_harmless)
{
    arena *a = broadcast_make(FLIPPED_CAPACITY, 2, 0);
    flip_all(a->ring, a->size, sizeof(acre_broadcast) + 2 * 64, use_broadcast);
}

ACRE_TEST(ring, a_damaged_mpmc_is_harmless)
{
    size_t size = acre_mpmc_size(FLIPPED_CAPACITY, 8);
    arena *a = arena_make(size, 0);
    acre_mpmc_handle h;
    uint64_t m = 5;
    ACRE_CHECK_EQUAL(acre_mpmc_init(a->ring, size, FLIPPED_CAPACITY, 8), 0);
    ACRE_CHECK_EQUAL(acre_mpmc_attach(&h, a->ring, size, 8), 0);
    for (int i = 0; i < FLIPPED_CAPACITY; i++)
        ACRE_CHECK_EQUAL(acre_mpmc_push(&h, &m), 0);
    for (int i = 0; i < FLIPPED_CAPACITY / 2; i++)
        ACRE_CHECK_EQUAL(acre_mpmc_pop(&h, &m), 0);
    flip_all(a->ring, size, size, use_mpmc);
}

/* ================================ by name, and any of several ================================ */

static const acre_ring_options named_options = {
    .capacity = 8, .message = 8, .consumers = 2, .mode = 0640};

static void named_push(void *arg)
{
    acre_ring_file *f;
    acre_spsc_producer p;
    uint64_t m = 42;
    ACRE_CHECK_EQUAL(acre_ring_open(&f, ACRE_RING_SPSC, arg, NULL), 0);
    ACRE_CHECK_EQUAL(acre_spsc_producer_attach(&p, acre_ring_object(f), acre_ring_size(f), 8), 0);
    ACRE_CHECK_EQUAL(acre_spsc_push(&p, &m), 0);
    ACRE_CHECK_EQUAL(acre_ring_close(f), EBUSY);
    ACRE_CHECK_EQUAL(acre_spsc_producer_detach(&p), 0);
    ACRE_CHECK_EQUAL(acre_ring_close(f), 0);
}

ACRE_TEST(ring, by_name)
{
    char name[64];
    acre_ring_file *f, *g = NULL;
    acre_spsc_consumer c;
    uint64_t m;
    bool created = false;
    snprintf(name, sizeof name, "test-ring-%d", (int)getpid());
    ACRE_CHECK_EQUAL(acre_ring_create(&f, ACRE_RING_SPSC, name, &named_options), 0);
    ACRE_CHECK_EQUAL(acre_ring_create(&g, ACRE_RING_SPSC, name, &named_options), EEXIST);
    ACRE_CHECK_EQUAL(acre_ring_open(&g, ACRE_RING_MPMC, name, NULL), ACRE_EOBJECT);
    acre_test_run(named_push, name);
    ACRE_CHECK_EQUAL(acre_spsc_consumer_attach(&c, acre_ring_object(f), acre_ring_size(f), 8), 0);
    ACRE_CHECK_EQUAL(acre_spsc_pop(&c, &m), 0);
    ACRE_CHECK_EQUAL(m, 42);
    ACRE_CHECK_EQUAL(acre_spsc_consumer_detach(&c), 0);
    ACRE_CHECK_EQUAL(acre_ring_close(f), 0);
    ACRE_CHECK_EQUAL(acre_ring_open_or_create(&f, ACRE_RING_SPSC, name, &named_options, &created),
                     0);
    ACRE_CHECK(!created);
    ACRE_CHECK_EQUAL(acre_ring_close(f), 0);
    ACRE_CHECK_EQUAL(acre_ring_remove(name), 0);
    ACRE_CHECK_EQUAL(acre_ring_open(&f, ACRE_RING_SPSC, name, NULL), ENOENT);
}

ACRE_TEST(ring, each_kind_by_name)
{
    char name[64];
    for (enum acre_ring_kind k = ACRE_RING_SPSC; k <= ACRE_RING_BROADCAST; k++) {
        acre_ring_file *f;
        bool created = false;
        snprintf(name, sizeof name, "test-ring-%d-%d", (int)k, (int)getpid());
        ACRE_CHECK_EQUAL(acre_ring_open_or_create(&f, k, name, &named_options, &created), 0);
        ACRE_CHECK(created);
        void *ring = acre_ring_object(f);
        size_t size = acre_ring_size(f);
        ACRE_CHECK_EQUAL(acre_spsc_check(ring, size), k == ACRE_RING_SPSC ? 0 : ACRE_EOBJECT);
        ACRE_CHECK_EQUAL(acre_bytes_check(ring, size), k == ACRE_RING_BYTES ? 0 : ACRE_EOBJECT);
        ACRE_CHECK_EQUAL(acre_mpmc_check(ring, size), k == ACRE_RING_MPMC ? 0 : ACRE_EOBJECT);
        ACRE_CHECK_EQUAL(acre_broadcast_check(ring, size),
                         k == ACRE_RING_BROADCAST ? 0 : ACRE_EOBJECT);
        ACRE_CHECK_EQUAL(acre_ring_close(f), 0);
        ACRE_CHECK_EQUAL(acre_ring_remove(name), 0);
    }
}

ACRE_TEST(ring, bad_names_and_options)
{
    static const acre_ring_options none = {0};
    acre_ring_file *f;
    ACRE_CHECK_EQUAL(acre_ring_create(&f, ACRE_RING_SPSC, "test-ring-x", &none), EINVAL);
    ACRE_CHECK_EQUAL(acre_ring_create(&f, ACRE_RING_SPSC, "test-ring-x", NULL), EINVAL);
    ACRE_CHECK_EQUAL(acre_ring_create(&f, (enum acre_ring_kind)32, "test-ring-x", &named_options),
                     EINVAL);
    ACRE_CHECK_EQUAL(acre_ring_open(&f, (enum acre_ring_kind)37, "test-ring-x", NULL), EINVAL);
    ACRE_CHECK_EQUAL(acre_ring_create(&f, ACRE_RING_SPSC, "a/b", &named_options), ACRE_ENAME);
    ACRE_CHECK_EQUAL(acre_ring_remove("test-ring-no-such"), ENOENT);
}

/* ---- acre_wait_any ---- */

typedef struct any {
    arena *spsc, *bytes, *mpmc, *broadcast;
    volatile uint64_t turn; /* which one the other process feeds, from 1; 5: end */
} any;

static any *any_make(void)
{
    any *a = share(sizeof *a);
    size_t size = acre_mpmc_size(4, 8);
    a->spsc = spsc_make(4, 8, 0);
    a->bytes = bytes_make(64, 0);
    a->mpmc = arena_make(size, 0);
    a->broadcast = broadcast_make(4, 2, 0);
    ACRE_CHECK_EQUAL(acre_mpmc_init(a->mpmc->ring, size, 4, 8), 0);
    return a;
}

static void any_feed(void *arg)
{
    any *a = arg;
    acre_spsc_producer s;
    acre_bytes_producer b;
    acre_mpmc_handle m;
    acre_broadcast_producer r;
    uint64_t v = 9;
    ACRE_CHECK_EQUAL(acre_spsc_producer_attach(&s, a->spsc->ring, a->spsc->size, 8), 0);
    ACRE_CHECK_EQUAL(acre_bytes_producer_attach(&b, a->bytes->ring, a->bytes->size), 0);
    ACRE_CHECK_EQUAL(acre_mpmc_attach(&m, a->mpmc->ring, a->mpmc->size, 8), 0);
    ACRE_CHECK_EQUAL(acre_broadcast_producer_attach(&r, a->broadcast->ring, a->broadcast->size, 8),
                     0);
    for (uint64_t fed = 0; a->turn != 5; sched_yield()) {
        if (a->turn == fed)
            continue;
        fed = a->turn;
        usleep(2000); /* the other one sleeps by now */
        int e = fed == 1   ? acre_spsc_push(&s, &v)
                : fed == 2 ? acre_bytes_push(&b, &v, 8)
                : fed == 3 ? acre_mpmc_push(&m, &v)
                : fed == 4 ? acre_broadcast_push(&r, &v)
                           : 0;
        ACRE_CHECK_EQUAL(e, 0);
    }
}

ACRE_TEST(ring, any_of_several_is_waited_for)
{
    any *a = any_make();
    acre_spsc_consumer s;
    acre_bytes_consumer b;
    acre_mpmc_handle m;
    acre_broadcast_consumer r;
    uint64_t v;
    size_t which = 99;
    ACRE_CHECK_EQUAL(acre_spsc_consumer_attach(&s, a->spsc->ring, a->spsc->size, 8), 0);
    ACRE_CHECK_EQUAL(acre_bytes_consumer_attach(&b, a->bytes->ring, a->bytes->size), 0);
    ACRE_CHECK_EQUAL(acre_mpmc_attach(&m, a->mpmc->ring, a->mpmc->size, 8), 0);
    ACRE_CHECK_EQUAL(acre_broadcast_consumer_attach(&r, a->broadcast->ring, a->broadcast->size, 8),
                     0);
    acre_waitable list[] = {acre_spsc_consumer_waitable(&s), acre_bytes_consumer_waitable(&b),
                            acre_mpmc_pop_waitable(&m), acre_broadcast_consumer_waitable(&r)};
    struct timespec soon = acre_deadline(SECOND / 100);
    ACRE_CHECK_EQUAL(acre_wait_any(list, 4, &soon, &which), ETIMEDOUT);
    pid_t child = acre_test_spawn(any_feed, a);
    for (a->turn = 1; a->turn < 5; a->turn++) {
        ACRE_CHECK_EQUAL(acre_wait_any(list, 4, NULL, &which), 0);
        ACRE_CHECK_EQUAL(which + 1, a->turn);
        int e = which == 0   ? acre_spsc_try_pop(&s, &v)
                : which == 1 ? acre_bytes_try_pop(&b, &v, 8, &(size_t){0})
                : which == 2 ? acre_mpmc_try_pop(&m, &v)
                             : acre_broadcast_try_pop(&r, &v);
        ACRE_CHECK_EQUAL(e, 0);
        ACRE_CHECK_EQUAL(v, 9);
    }
    acre_test_expect_exit(child, 0);
}

ACRE_TEST(ring, room_is_waited_for)
{
    any *a = any_make();
    acre_spsc_producer s;
    acre_bytes_producer b;
    acre_mpmc_handle m;
    acre_broadcast_producer r;
    acre_broadcast_consumer slow;
    uint64_t v = 0;
    size_t which = 99;
    ACRE_CHECK_EQUAL(acre_spsc_producer_attach(&s, a->spsc->ring, a->spsc->size, 8), 0);
    ACRE_CHECK_EQUAL(acre_bytes_producer_attach(&b, a->bytes->ring, a->bytes->size), 0);
    ACRE_CHECK_EQUAL(acre_mpmc_attach(&m, a->mpmc->ring, a->mpmc->size, 8), 0);
    ACRE_CHECK_EQUAL(acre_broadcast_producer_attach(&r, a->broadcast->ring, a->broadcast->size, 8),
                     0);
    ACRE_CHECK_EQUAL(
        acre_broadcast_consumer_attach(&slow, a->broadcast->ring, a->broadcast->size, 8), 0);
    acre_waitable list[] = {acre_spsc_producer_waitable(&s), acre_bytes_producer_waitable(&b),
                            acre_mpmc_push_waitable(&m), acre_broadcast_producer_waitable(&r)};
    for (size_t i = 0; i < 4; i++) {
        ACRE_CHECK_EQUAL(acre_wait_any(list, 4, NULL, &which), 0);
        ACRE_CHECK_EQUAL(which, i);
        while ((which == 0   ? acre_spsc_try_push(&s, &v)
                : which == 1 ? acre_bytes_try_push(&b, &v, 8)
                : which == 2 ? acre_mpmc_try_push(&m, &v)
                             : acre_broadcast_try_push(&r, &v)) == 0)
            ;
    }
    struct timespec soon = acre_deadline(SECOND / 100);
    ACRE_CHECK_EQUAL(acre_wait_any(list, 4, &soon, &which), ETIMEDOUT);
    ACRE_CHECK_EQUAL(acre_mpmc_try_pop(&m, &v), 0);
    ACRE_CHECK_EQUAL(acre_wait_any(list, 4, NULL, &which), 0);
    ACRE_CHECK_EQUAL(which, 2);
}
