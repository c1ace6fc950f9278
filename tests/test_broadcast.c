/* SPDX-License-Identifier: MIT */
/* acre_broadcast: all get all, from their join on; the dead hold nobody up.  Also runs under the
 * plain runner. */
#include "tests/ring_arena.h"

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
    ACRE_CHECK(pthread_create(&t, NULL, kill_soon, &child) == 0);
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
