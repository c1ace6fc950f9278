/* SPDX-License-Identifier: MIT */
/* The rings of acre/ring.h: nothing lost but what was in a dead one's hands, nothing twice, each
 * producer's order, no sleeper forgotten.  (Processors that reorder are membarrier's business.) */
#include "tests/explore/explore.h"

#include <acre/ring.h>

enum { RING = 2048, EACH = 8, ALL = EACH * EXPLORE_THREADS };

/* A message is its producer * EACH + its number, from 0. */
typedef struct state {
    uint64_t seen;                  /* bit per message */
    uint32_t sent[EXPLORE_THREADS]; /* pushes that have returned */
    _Alignas(64) char ring[RING];
} state;

static state *get(void)
{
    return EXPLORE_SHARED(state);
}

static void *ring(void)
{
    return get()->ring;
}

static void count_sent(void)
{
    acre__add(&get()->sent[explore_me()], 1u);
}

/* last: number + 1 of what this consumer got last, by producer. */
static void account(uint64_t message, uint32_t last[EXPLORE_THREADS])
{
    uint32_t from = (uint32_t)message / EACH, n = (uint32_t)message % EACH;
    EXPLORE_CHECK(message < ALL);
    EXPLORE_CHECK(n >= last[from]);
    last[from] = n + 1;
    EXPLORE_CHECK(!(acre__or(&get()->seen, (uint64_t)1 << message) >> message & 1));
}

/* What was pushed and is neither received nor in the ring any more. */
static uint32_t missing(uint32_t in_ring)
{
    uint32_t sent = 0;
    for (uint32_t i = 0; i < EXPLORE_THREADS; i++)
        sent += get()->sent[i];
    uint32_t known = (uint32_t)__builtin_popcountll(get()->seen) + in_ring;
    return sent > known ? sent - known : 0;
}

/* ---- mpmc ---- */

static void mpmc_begin(uint32_t capacity)
{
    EXPLORE_CHECK(acre_mpmc_init(ring(), RING, capacity, 8) == 0);
}

static void mpmc_begin_1(void)
{
    mpmc_begin(1);
}

static void mpmc_begin_2(void)
{
    mpmc_begin(2);
}

static acre_mpmc_handle mpmc_attach(void)
{
    acre_mpmc_handle h;
    EXPLORE_CHECK(acre_mpmc_attach(&h, ring(), RING, 8) == 0);
    return h;
}

static void mpmc_push(uint32_t n)
{
    acre_mpmc_handle h = mpmc_attach();
    for (uint64_t i = 0, m = explore_me() * EACH; i < n; i++, m++) {
        EXPLORE_CHECK(acre_mpmc_push(&h, &m) == 0);
        count_sent();
    }
}

static void mpmc_push_1(void)
{
    mpmc_push(1);
}

static void mpmc_push_2(void)
{
    mpmc_push(2);
}

static void mpmc_push_2_alive(void)
{
    explore_spare(true);
    mpmc_push(2);
}

static void mpmc_reserve(void)
{
    acre_mpmc_handle h = mpmc_attach();
    acre_mpmc_slot slot;
    EXPLORE_CHECK(acre_mpmc_reserve(&h, &slot) == 0);
    *(uint64_t *)slot.message = explore_me() * EACH;
    EXPLORE_CHECK(acre_mpmc_commit(&h, &slot) == 0);
    count_sent();
}

static void mpmc_cancel(void)
{
    acre_mpmc_handle h = mpmc_attach();
    acre_mpmc_slot slot;
    EXPLORE_CHECK(acre_mpmc_reserve(&h, &slot) == 0);
    EXPLORE_CHECK(acre_mpmc_cancel(&h, &slot) == 0);
}

static void mpmc_pop(uint32_t n)
{
    acre_mpmc_handle h = mpmc_attach();
    uint32_t last[EXPLORE_THREADS] = {0};
    uint64_t m;
    for (uint32_t i = 0; i < n; i++) {
        EXPLORE_CHECK(acre_mpmc_pop(&h, &m) == 0);
        account(m, last);
    }
}

static void mpmc_pop_1(void)
{
    mpmc_pop(1);
}

static void mpmc_pop_2(void)
{
    mpmc_pop(2);
}

static void mpmc_peek(void)
{
    acre_mpmc_handle h = mpmc_attach();
    acre_mpmc_slot slot;
    uint32_t last[EXPLORE_THREADS] = {0};
    EXPLORE_CHECK(acre_mpmc_peek(&h, &slot) == 0);
    uint64_t m = *(uint64_t *)slot.message;
    EXPLORE_CHECK(acre_mpmc_release(&h, &slot) == 0);
    account(m, last);
}

static void mpmc_pop_timed(void)
{
    acre_mpmc_handle h = mpmc_attach();
    uint32_t last[EXPLORE_THREADS] = {0};
    uint64_t m;
    int e = acre_mpmc_pop_until(&h, &m, &explore_soon);
    EXPLORE_CHECK(e == 0 || e == ETIMEDOUT);
    if (!e)
        account(m, last);
}

/* Both of thread 1, whoever of the others has died. */
static void mpmc_pop_from_1(void)
{
    acre_mpmc_handle h = mpmc_attach();
    uint32_t last[EXPLORE_THREADS] = {0};
    uint64_t m;
    explore_spare(true);
    while (last[1] < 2) {
        EXPLORE_CHECK(acre_mpmc_pop(&h, &m) == 0);
        account(m, last);
    }
}

static void mpmc_pop_1_alive(void)
{
    explore_spare(true);
    mpmc_pop(1);
}

static uint32_t mpmc_in_ring(void)
{
    acre_mpmc_handle h = mpmc_attach();
    return (uint32_t)acre_mpmc_count(&h);
}

static void mpmc_finish(void)
{
    EXPLORE_CHECK(acre_mpmc_check(ring(), RING) == 0);
    EXPLORE_CHECK(missing(mpmc_in_ring()) <= explore_has_died());
}

static void mpmc_finish_empty(void)
{
    mpmc_finish();
    EXPLORE_CHECK(mpmc_in_ring() == 0 && missing(0) == 0);
}

/* ---- spsc ---- */

static void spsc_begin_1(void)
{
    EXPLORE_CHECK(acre_spsc_init(ring(), RING, 1, 8) == 0);
}

static void spsc_begin_2(void)
{
    EXPLORE_CHECK(acre_spsc_init(ring(), RING, 2, 8) == 0);
}

/* Without a deadline if nobody dies: a side that nobody has taken yet is waited for. */
static void spsc_send_until(const struct timespec *deadline)
{
    acre_spsc_producer p;
    int e = 0;
    EXPLORE_CHECK(acre_spsc_producer_attach(&p, ring(), RING, 8) == 0);
    for (uint64_t i = 0, m = explore_me() * EACH; !e && i < 3; i++, m++)
        if ((e = acre_spsc_push_until(&p, &m, deadline)) == 0)
            count_sent();
    EXPLORE_CHECK(e == 0 || (e == ACRE_EPEER && explore_has_died()) || (e && deadline));
    EXPLORE_CHECK(acre_spsc_producer_detach(&p) == 0);
}

static void spsc_send(void)
{
    spsc_send_until(NULL);
}

static void spsc_send_timed(void)
{
    spsc_send_until(&explore_soon);
}

static void spsc_receive_until(const struct timespec *deadline)
{
    acre_spsc_consumer c;
    uint32_t last[EXPLORE_THREADS] = {0};
    uint64_t m;
    int e = 0;
    EXPLORE_CHECK(acre_spsc_consumer_attach(&c, ring(), RING, 8) == 0);
    for (uint32_t i = 0; !e && i < 3; i++)
        if ((e = acre_spsc_pop_until(&c, &m, deadline)) == 0) {
            EXPLORE_CHECK(m % EACH == i);
            account(m, last);
        }
    EXPLORE_CHECK(e == 0 || (e == ACRE_EPEER && explore_has_died()) || (e && deadline));
    EXPLORE_CHECK(acre_spsc_consumer_detach(&c) == 0);
}

static void spsc_receive(void)
{
    spsc_receive_until(NULL);
}

static void spsc_receive_timed(void)
{
    spsc_receive_until(&explore_soon);
}

static void spsc_finish(void)
{
    EXPLORE_CHECK(acre_spsc_check(ring(), RING) == 0);
    EXPLORE_CHECK(missing((uint32_t)acre_spsc_count(ring())) <= explore_has_died());
}

/* ---- broadcast ---- */

static void broadcast_begin_1(void)
{
    EXPLORE_CHECK(acre_broadcast_init(ring(), RING, 1, 8, 2) == 0);
}

static void broadcast_send(void)
{
    acre_broadcast_producer p;
    explore_spare(true);
    EXPLORE_CHECK(acre_broadcast_producer_attach(&p, ring(), RING, 8) == 0);
    for (uint64_t m = 0; m < 3; m++)
        EXPLORE_CHECK(acre_broadcast_push(&p, &m) == 0);
    EXPLORE_CHECK(acre_broadcast_producer_detach(&p) == 0);
}

/* From its join on, without a gap; to the last one, or as many as come. */
static void broadcast_listen(void)
{
    acre_broadcast_consumer c;
    uint64_t m, before = UINT64_MAX;
    EXPLORE_CHECK(acre_broadcast_consumer_attach(&c, ring(), RING, 8) == 0);
    while (before != 2 && acre_broadcast_pop_until(&c, &m, &explore_soon) == 0) {
        EXPLORE_CHECK(before == UINT64_MAX ? m < 3 : m == before + 1);
        before = m;
    }
    EXPLORE_CHECK(acre_broadcast_consumer_detach(&c) == 0);
}

static void broadcast_finish(void)
{
    EXPLORE_CHECK(acre_broadcast_check(ring(), RING) == 0);
    EXPLORE_CHECK(acre_broadcast_consumers(ring()) == 0);
}

static const explore_scenario scenarios[] = {
    EXPLORE_ALL("mpmc, one cell", 2, 0, 0, mpmc_begin_1, mpmc_finish_empty, mpmc_push_2,
                mpmc_pop_2),
    EXPLORE_ALL("mpmc, two consumers", 2, 0, 0, mpmc_begin_1, mpmc_finish_empty, mpmc_push_2,
                mpmc_pop_1, mpmc_pop_1),
    EXPLORE_ALL("mpmc, two producers", 2, 0, 0, mpmc_begin_2, mpmc_finish_empty, mpmc_push_1,
                mpmc_push_1, mpmc_pop_2),
    EXPLORE_ALL("mpmc, two of each", 1, 0, 0, mpmc_begin_2, mpmc_finish_empty, mpmc_push_1,
                mpmc_push_1, mpmc_pop_1, mpmc_pop_1),
    EXPLORE_ALL("mpmc, a slot cancelled", 2, 0, 0, mpmc_begin_1, mpmc_finish_empty, mpmc_cancel,
                mpmc_push_1, mpmc_pop_1),
    EXPLORE_ALL("mpmc, slots", 2, 0, EXPLORE_SLOW, mpmc_begin_1, mpmc_finish_empty, mpmc_reserve,
                mpmc_push_1, mpmc_peek, mpmc_pop_1),
    EXPLORE_ALL("mpmc, one dies", 2, 1, 0, mpmc_begin_1, mpmc_finish, mpmc_push_1, mpmc_pop_timed),
    EXPLORE_ALL("mpmc, a producer dies", 1, 1, 0, mpmc_begin_2, mpmc_finish, mpmc_push_2,
                mpmc_push_2_alive, mpmc_pop_from_1),
    EXPLORE_ALL("mpmc, one with a slot dies", 1, 1, 0, mpmc_begin_2, mpmc_finish, mpmc_reserve,
                mpmc_push_2_alive, mpmc_pop_from_1),
    EXPLORE_ALL("mpmc, a consumer dies", 1, 1, 0, mpmc_begin_1, mpmc_finish, mpmc_peek,
                mpmc_push_2_alive, mpmc_pop_1_alive),
    EXPLORE_ALL("spsc, one cell", 2, 0, 0, spsc_begin_1, spsc_finish, spsc_send, spsc_receive),
    EXPLORE_ALL("spsc, one dies", 2, 1, 0, spsc_begin_2, spsc_finish, spsc_send_timed,
                spsc_receive_timed),
    EXPLORE_ALL("broadcast", 2, 0, 0, broadcast_begin_1, broadcast_finish, broadcast_send,
                broadcast_listen),
    EXPLORE_ALL("broadcast, a consumer dies", 1, 1, EXPLORE_SLOW, broadcast_begin_1,
                broadcast_finish, broadcast_send, broadcast_listen, broadcast_listen),
};
EXPLORE_GROUP(ring, scenarios)
