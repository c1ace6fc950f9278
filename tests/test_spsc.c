/* SPDX-License-Identifier: MIT */
/* acre_spsc: order and content between threads and processes, batches, cells without a copy, full
 * and empty, sides taken over from the dead, sleepers.  Also runs under the plain runner. */
#include "tests/ring_arena.h"

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

static void spsc_send(void *arg)
{
    arena *a = arg;
    acre_spsc_producer p;
    ACRE_CHECK_EQUAL(acre_spsc_producer_attach(&p, a->ring, a->size, a->message), 0);
    for (uint64_t n = 0; n < a->rounds;)
        n += (a->cells ? spsc_fill_some : spsc_send_some)(&p, a, n, most_at_once(a, n));
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
        n += (a->cells ? spsc_read_some : spsc_take_some)(&c, a, n, most_at_once(a, n));
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
    ACRE_CHECK(pthread_create(&t, NULL, kill_soon, &child) == 0);
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
