/* SPDX-License-Identifier: MIT */
/* acre_mpmc: each message once and in its producer's order, whoever is killed.  Also runs under the
 * plain runner. */
#include "tests/acre_test.h"

#include <acre/ring.h>

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { PRODUCERS = 4, CONSUMERS = 4, SECOND = 1000000000 };

typedef struct message {
    uint32_t from, n;
    uint64_t check;
} message;

typedef struct arena {
    acre_mpmc *ring;
    size_t size;
    uint32_t message;
    size_t rounds; /* messages of each producer */
    size_t batch;
    bool slots; /* without a copy */
    uint32_t producers;
    uint64_t sum, received, stop, ready;
} arena;

static void *share(size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ACRE_CHECK(p != MAP_FAILED);
    return p;
}

static arena *arena_make(uint32_t capacity, uint32_t size, size_t rounds)
{
    arena *a = share(sizeof *a);
    *a = (arena){.size = acre_mpmc_size(capacity, size), .message = size, .rounds = rounds};
    a->ring = share(a->size);
    ACRE_CHECK_EQUAL(acre_mpmc_init(a->ring, a->size, capacity, size), 0);
    return a;
}

static acre_mpmc_handle attach(const arena *a)
{
    acre_mpmc_handle h;
    ACRE_CHECK_EQUAL(acre_mpmc_attach(&h, a->ring, a->size, a->message), 0);
    return h;
}

static uint64_t mix(uint32_t from, uint32_t n)
{
    uint64_t state = (uint64_t)from << 32 | n;
    return acre_test_random(&state);
}

/* ---- order and sum ---- */

enum { BATCH = 16, SIZE_MAX_ = 128 };

static void put(void *at, uint32_t size, uint32_t from, uint32_t n)
{
    message m = {from, n, mix(from, n)};
    memset(at, (int)(n & 0xff), size);
    memcpy(at, &m, sizeof m);
}

static message get(const void *at, uint32_t size)
{
    message m;
    memcpy(&m, at, sizeof m);
    ACRE_CHECK_EQUAL(m.check, mix(m.from, m.n));
    for (size_t i = sizeof m; i < size; i++)
        ACRE_CHECK_EQUAL(((const unsigned char *)at)[i], m.n & 0xff);
    return m;
}

static size_t send_some(acre_mpmc_handle *h, const arena *a, uint32_t from, uint32_t n)
{
    unsigned char some[BATCH * SIZE_MAX_];
    size_t done = 1, left = a->rounds - n, most = left < a->batch ? left : a->batch;
    if (a->slots) {
        acre_mpmc_slot slot;
        ACRE_CHECK_EQUAL(acre_mpmc_reserve(h, &slot), 0);
        put(slot.message, a->message, from, n);
        ACRE_CHECK_EQUAL(acre_mpmc_commit(h, &slot), 0);
        return 1;
    }
    for (size_t i = 0; i < (most ? most : 1); i++)
        put(some + i * a->message, a->message, from, n + (uint32_t)i);
    int e = most ? acre_mpmc_push_many(h, some, most, &done) : acre_mpmc_push(h, some);
    ACRE_CHECK_EQUAL(e, 0);
    return done;
}

static void produce(void *arg)
{
    arena *a = arg;
    acre_mpmc_handle h = attach(a);
    uint32_t from = __atomic_fetch_add(&a->producers, 1, __ATOMIC_RELAXED);
    for (uint32_t n = 0; n < a->rounds;)
        n += (uint32_t)send_some(&h, a, from, n);
}

/* Numbers of each producer must grow. */
static void account(arena *a, uint32_t next[], message m)
{
    ACRE_CHECK(m.n >= next[m.from], "%u of %u after %u", m.n, m.from, next[m.from] - 1);
    next[m.from] = m.n + 1;
    __atomic_fetch_add(&a->sum, m.check, __ATOMIC_RELAXED);
    __atomic_fetch_add(&a->received, 1, __ATOMIC_RELEASE);
}

static int take_slot(acre_mpmc_handle *h, arena *a, uint32_t next[])
{
    acre_mpmc_slot slot;
    int e = acre_mpmc_peek_for(h, &slot, SECOND / 100);
    if (e)
        return e;
    message m = get(slot.message, a->message);
    ACRE_CHECK_EQUAL(acre_mpmc_release(h, &slot), 0);
    account(a, next, m);
    return 0;
}

static int take_some(acre_mpmc_handle *h, arena *a, uint32_t next[])
{
    unsigned char some[BATCH * SIZE_MAX_];
    size_t done = 1;
    int e;
    if (a->slots)
        return take_slot(h, a, next);
    if (a->batch)
        e = acre_mpmc_pop_many_for(h, some, a->batch, &done, SECOND / 100);
    else
        e = acre_mpmc_pop_for(h, some, SECOND / 100);
    for (size_t i = 0; !e && i < done; i++)
        account(a, next, get(some + i * a->message, a->message));
    return e;
}

static void consume(void *arg)
{
    arena *a = arg;
    acre_mpmc_handle h = attach(a);
    uint32_t next[PRODUCERS] = {0};
    while (__atomic_load_n(&a->received, __ATOMIC_ACQUIRE) < PRODUCERS * a->rounds) {
        int e = take_some(&h, a, next);
        ACRE_CHECK(e == 0 || e == ETIMEDOUT, "%s", acre_strerror(e));
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

static void expect_all(arena *a)
{
    uint64_t sum = 0;
    for (uint32_t from = 0; from < PRODUCERS; from++)
        for (uint32_t n = 0; n < a->rounds; n++)
            sum += mix(from, n);
    ACRE_CHECK_EQUAL(a->received, PRODUCERS * a->rounds);
    ACRE_CHECK_EQUAL(a->sum, sum);
    ACRE_CHECK_EQUAL(acre_mpmc_check(a->ring, a->size), 0);
    acre_mpmc_handle h = attach(a);
    ACRE_CHECK_EQUAL(acre_mpmc_count(&h), 0);
    a->sum = a->received = a->producers = 0;
}

static void in_threads(arena *a)
{
    pthread_t t[PRODUCERS + CONSUMERS];
    for (int i = 0; i < PRODUCERS + CONSUMERS; i++)
        ACRE_CHECK(
            pthread_create(&t[i], NULL, i < PRODUCERS ? produce_thread : consume_thread, a) == 0);
    for (int i = 0; i < PRODUCERS + CONSUMERS; i++)
        pthread_join(t[i], NULL);
    expect_all(a);
}

static void in_processes(arena *a)
{
    pid_t child[PRODUCERS + CONSUMERS];
    for (int i = 0; i < PRODUCERS + CONSUMERS; i++)
        child[i] = acre_test_spawn(i < PRODUCERS ? produce : consume, a);
    for (int i = 0; i < PRODUCERS + CONSUMERS; i++)
        acre_test_expect_exit(child[i], 0);
    expect_all(a);
}

ACRE_TEST(mpmc, each_message_once_in_its_producers_order)
{
    arena *a = arena_make(1024, sizeof(message), acre_test_rounds(100000));
    in_threads(a);
    in_processes(a);
}

ACRE_TEST(mpmc, tiny_capacities)
{
    for (uint32_t capacity = 1; capacity <= 4; capacity *= 2) {
        arena *a = arena_make(capacity, sizeof(message), acre_test_rounds(2000));
        in_threads(a);
        in_processes(a);
    }
}

ACRE_TEST(mpmc, messages_of_any_size)
{
    static const uint32_t size[] = {16, 24, 25, SIZE_MAX_};
    for (int i = 0; i < 4; i++)
        in_processes(arena_make(16, size[i], acre_test_rounds(4000)));
}

ACRE_TEST(mpmc, batches)
{
    arena *a = arena_make(64, sizeof(message), acre_test_rounds(20000));
    a->batch = BATCH;
    in_threads(a);
    in_processes(a);
}

ACRE_TEST(mpmc, slots_without_a_copy)
{
    arena *a = arena_make(64, sizeof(message), acre_test_rounds(10000));
    a->slots = true;
    in_threads(a);
    in_processes(a);
}

/* ---- one at a time ---- */

static const struct timespec long_past = {.tv_sec = 1};

ACRE_TEST(mpmc, full_and_empty)
{
    arena *a = arena_make(4, 8, 0);
    acre_mpmc_handle h = attach(a), none = {0};
    uint64_t m = 0;
    ACRE_CHECK_EQUAL(acre_mpmc_try_push(&none, &m), EPERM);
    ACRE_CHECK_EQUAL(acre_mpmc_try_pop(&h, &m), EAGAIN);
    ACRE_CHECK_EQUAL(acre_mpmc_pop_for(&h, &m, SECOND / 100), ETIMEDOUT);
    for (uint64_t i = 0; i < 1000; i++) {
        for (uint64_t k = 0; k < 4; k++)
            ACRE_CHECK_EQUAL(acre_mpmc_push_until(&h, &k, &long_past), 0);
        ACRE_CHECK_EQUAL(acre_mpmc_try_push(&h, &m), EAGAIN);
        ACRE_CHECK_EQUAL(acre_mpmc_push_until(&h, &m, &long_past), ETIMEDOUT);
        ACRE_CHECK_EQUAL(acre_mpmc_count(&h), 4);
        ACRE_CHECK_EQUAL(acre_mpmc_check(a->ring, a->size), 0);
        for (uint64_t k = 0; k < 4; k++) {
            ACRE_CHECK_EQUAL(acre_mpmc_try_pop(&h, &m), 0);
            ACRE_CHECK_EQUAL(m, k);
        }
    }
}

ACRE_TEST(mpmc, bad_input_is_told_apart)
{
    arena *a = arena_make(4, 8, 0);
    acre_mpmc_handle h;
    ACRE_CHECK_EQUAL(acre_mpmc_size(0, 8), 0);
    ACRE_CHECK_EQUAL(acre_mpmc_attach(&h, a->ring, a->size, 9), EMSGSIZE);
    ACRE_CHECK_EQUAL(acre_mpmc_attach(&h, a->ring, a->size - 1, 8), ACRE_ETRUNCATED);
    ACRE_CHECK_EQUAL(acre_mpmc_attach(&h, a->ring, 5, 8), ACRE_ETRUNCATED);
    ACRE_CHECK_EQUAL(acre_mpmc_attach(&h, (void *)((char *)a->ring + 4), a->size, 8), EINVAL);
    ACRE_CHECK_EQUAL(acre_mpmc_init(a->ring, a->size - 1, 4, 8), ACRE_ETOOSMALL);
    ACRE_CHECK_EQUAL(acre_mpmc_attach(&h, a->ring, a->size, 8), 0);
    memset(a->ring, 0, sizeof *a->ring);
    ACRE_CHECK_EQUAL(acre_mpmc_attach(&h, a->ring, a->size, 8), ACRE_EUNINITIALISED);
}

/* Pushed one after the other: 1 reserved, 2, 3 reserved, 4. */
ACRE_TEST(mpmc, a_reserved_cell_is_waited_for_and_a_cancelled_one_skipped)
{
    arena *a = arena_make(4, 8, 0);
    acre_mpmc_handle h = attach(a);
    acre_mpmc_slot first, third;
    uint64_t m = 2, n = 4;
    ACRE_CHECK_EQUAL(acre_mpmc_reserve(&h, &first), 0);
    ACRE_CHECK_EQUAL(acre_mpmc_push(&h, &m), 0);
    ACRE_CHECK_EQUAL(acre_mpmc_reserve(&h, &third), 0);
    ACRE_CHECK_EQUAL(acre_mpmc_push(&h, &n), 0);
    ACRE_CHECK_EQUAL(acre_mpmc_try_push(&h, &n), EAGAIN);
    ACRE_CHECK_EQUAL(acre_mpmc_try_pop(&h, &m), EAGAIN);
    ACRE_CHECK_EQUAL(acre_mpmc_pop_for(&h, &m, SECOND / 100), ETIMEDOUT);
    *(uint64_t *)first.message = 1;
    ACRE_CHECK_EQUAL(acre_mpmc_commit(&h, &first), 0);
    ACRE_CHECK_EQUAL(acre_mpmc_commit(&h, &first), EPERM);
    ACRE_CHECK_EQUAL(acre_mpmc_pop(&h, &m), 0);
    ACRE_CHECK_EQUAL(m, 1);
    ACRE_CHECK_EQUAL(acre_mpmc_pop(&h, &m), 0);
    ACRE_CHECK_EQUAL(m, 2);
    ACRE_CHECK_EQUAL(acre_mpmc_try_pop(&h, &m), EAGAIN);
    ACRE_CHECK_EQUAL(acre_mpmc_cancel(&h, &third), 0);
    ACRE_CHECK_EQUAL(acre_mpmc_pop(&h, &m), 0);
    ACRE_CHECK_EQUAL(m, 4);
    ACRE_CHECK_EQUAL(acre_mpmc_try_pop(&h, &m), EAGAIN);
    ACRE_CHECK_EQUAL(acre_mpmc_check(a->ring, a->size), 0);
}

static void *commit_foreign_slot(void *arg)
{
    acre_mpmc_slot slot = {.position = 0};
    ACRE_CHECK_EQUAL(acre_mpmc_commit(arg, &slot), EPERM);
    ACRE_CHECK_EQUAL(acre_mpmc_release(arg, &slot), EPERM);
    return NULL;
}

ACRE_TEST(mpmc, a_slot_belongs_to_its_thread)
{
    arena *a = arena_make(4, 8, 0);
    acre_mpmc_handle h = attach(a);
    acre_mpmc_slot slot;
    pthread_t t;
    ACRE_CHECK_EQUAL(acre_mpmc_reserve(&h, &slot), 0);
    ACRE_CHECK_EQUAL(slot.position, 0);
    ACRE_CHECK(pthread_create(&t, NULL, commit_foreign_slot, &h) == 0);
    pthread_join(t, NULL);
    ACRE_CHECK_EQUAL(acre_mpmc_release(&h, &slot), EPERM); /* reserved, not peeked at */
    ACRE_CHECK_EQUAL(acre_mpmc_commit(&h, &slot), 0);
    ACRE_CHECK_EQUAL(acre_mpmc_peek(&h, &slot), 0);
    ACRE_CHECK_EQUAL(acre_mpmc_cancel(&h, &slot), EPERM);
    ACRE_CHECK_EQUAL(acre_mpmc_release(&h, &slot), 0);
}

/* ---- deaths ---- */

static void reserve_and_die(void *arg)
{
    arena *a = arg;
    acre_mpmc_handle h = attach(a);
    acre_mpmc_slot slot;
    ACRE_CHECK_EQUAL(acre_mpmc_reserve(&h, &slot), 0);
    memset(slot.message, 0xff, 8);
    kill(getpid(), SIGKILL);
}

static void peek_and_die(void *arg)
{
    arena *a = arg;
    acre_mpmc_handle h = attach(a);
    acre_mpmc_slot slot;
    ACRE_CHECK_EQUAL(acre_mpmc_peek(&h, &slot), 0);
    kill(getpid(), SIGKILL);
}

ACRE_TEST(mpmc, a_dead_producers_cell_is_skipped)
{
    for (uint32_t capacity = 1; capacity <= 4; capacity *= 2) {
        arena *a = arena_make(capacity, 8, 0);
        acre_mpmc_handle h = attach(a);
        uint64_t m;
        for (uint64_t i = 0; i < 10; i++) {
            acre_test_expect_killed(acre_test_spawn(reserve_and_die, a));
            ACRE_CHECK_EQUAL(acre_mpmc_check(a->ring, a->size), 0);
            if (i % 2) /* met by a consumer, or by a producer */
                ACRE_CHECK_EQUAL(acre_mpmc_try_pop(&h, &m), EAGAIN);
            ACRE_CHECK_EQUAL(acre_mpmc_push(&h, &i), 0);
            ACRE_CHECK_EQUAL(acre_mpmc_pop(&h, &m), 0);
            ACRE_CHECK_EQUAL(m, i);
            ACRE_CHECK_EQUAL(acre_mpmc_try_pop(&h, &m), EAGAIN);
        }
    }
}

ACRE_TEST(mpmc, a_dead_consumers_message_counts_as_received)
{
    arena *a = arena_make(4, 8, 0);
    acre_mpmc_handle h = attach(a);
    uint64_t m;
    for (uint64_t i = 0; i < 4; i++)
        ACRE_CHECK_EQUAL(acre_mpmc_push(&h, &i), 0);
    for (uint64_t i = 4; i < 12; i++) {
        ACRE_CHECK_EQUAL(acre_mpmc_try_push(&h, &i), EAGAIN);
        acre_test_expect_killed(acre_test_spawn(peek_and_die, a));
        ACRE_CHECK_EQUAL(acre_mpmc_check(a->ring, a->size), 0);
        ACRE_CHECK_EQUAL(acre_mpmc_try_push(&h, &i), 0);
    }
    for (uint64_t i = 8; i < 12; i++) {
        ACRE_CHECK_EQUAL(acre_mpmc_pop(&h, &m), 0);
        ACRE_CHECK_EQUAL(m, i);
    }
}

static void reserve_and_wait(void *arg)
{
    arena *a = arg;
    acre_mpmc_handle h = attach(a);
    acre_mpmc_slot slot;
    ACRE_CHECK_EQUAL(acre_mpmc_reserve(&h, &slot), 0);
    __atomic_store_n(&a->ready, 1, __ATOMIC_RELEASE);
    for (;;)
        pause();
}

static void *kill_soon(void *arg)
{
    usleep(20000);
    kill(*(pid_t *)arg, SIGKILL);
    return NULL;
}

/* The message behind the stopped producer's cell is there; it comes when that one is dead. */
ACRE_TEST(mpmc, a_stopped_producer_is_waited_for_until_it_is_dead)
{
    arena *a = arena_make(4, 8, 0);
    acre_mpmc_handle h = attach(a);
    uint64_t m = 5, got = 0;
    pthread_t t;
    acre_test_limit(30);
    pid_t child = acre_test_spawn(reserve_and_wait, a);
    while (!__atomic_load_n(&a->ready, __ATOMIC_ACQUIRE))
        sched_yield();
    kill(child, SIGSTOP);
    ACRE_CHECK_EQUAL(acre_mpmc_push(&h, &m), 0);
    ACRE_CHECK_EQUAL(acre_mpmc_pop_for(&h, &got, SECOND / 50), ETIMEDOUT);
    ACRE_CHECK(pthread_create(&t, NULL, kill_soon, &child) == 0);
    ACRE_CHECK_EQUAL(acre_mpmc_pop(&h, &got), 0); /* asleep meanwhile */
    ACRE_CHECK_EQUAL(got, 5);
    pthread_join(t, NULL);
    acre_test_expect_killed(child);
}

/* ---- random kills, with a ledger ---- */

enum { LIVES = 512, NUMBERS = 1 << 14 };

typedef struct ledger {
    arena a;
    uint32_t lives;
    uint32_t sent[LIVES];               /* by each life; one more may have been */
    unsigned char seen[LIVES][NUMBERS]; /* how often each message was received */
} ledger;

static void send_for_life(void *arg)
{
    ledger *l = arg;
    acre_mpmc_handle h = attach(&l->a);
    uint32_t life = __atomic_fetch_add(&l->lives, 1, __ATOMIC_RELAXED);
    ACRE_CHECK(life < LIVES);
    for (uint32_t n = 0; n < NUMBERS && !__atomic_load_n(&l->a.stop, __ATOMIC_ACQUIRE); n++) {
        acre_mpmc_slot slot;
        message m = {life, n, mix(life, n)};
        int e = n % 4 ? acre_mpmc_push_for(&h, &m, SECOND / 100)
                      : acre_mpmc_reserve_for(&h, &slot, SECOND / 100);
        if (e == 0 && n % 4 == 0) {
            memcpy(slot.message, &m, sizeof m);
            e = acre_mpmc_commit(&h, &slot);
        }
        ACRE_CHECK(e == 0 || e == ETIMEDOUT);
        if (e)
            n--;
        else
            __atomic_store_n(&l->sent[life], n + 1, __ATOMIC_RELEASE);
    }
}

/* 1: got one. */
static int receive_one(ledger *l, acre_mpmc_handle *h, uint32_t next[], bool slots)
{
    acre_mpmc_slot slot;
    message m;
    int e =
        slots ? acre_mpmc_peek_for(h, &slot, SECOND / 100) : acre_mpmc_pop_for(h, &m, SECOND / 100);
    if (e)
        return e;
    if (slots) {
        memcpy(&m, slot.message, sizeof m);
        ACRE_CHECK_EQUAL(acre_mpmc_release(h, &slot), 0);
    }
    ACRE_CHECK(m.from < LIVES && m.n < NUMBERS);
    ACRE_CHECK_EQUAL(m.check, mix(m.from, m.n));
    ACRE_CHECK(m.n >= next[m.from], "%u after %u", m.n, next[m.from]);
    next[m.from] = m.n + 1;
    ACRE_CHECK_EQUAL(__atomic_fetch_add(&l->seen[m.from][m.n], 1, __ATOMIC_ACQ_REL), 0);
    return 0;
}

static void receive_for_life(void *arg)
{
    ledger *l = arg;
    acre_mpmc_handle h = attach(&l->a);
    uint32_t next[LIVES] = {0};
    int e = 0;
    for (uint32_t i = 0; !e || __atomic_load_n(&l->a.stop, __ATOMIC_ACQUIRE) < 2; i++) {
        e = receive_one(l, &h, next, i % 4 == 0);
        ACRE_CHECK(e == 0 || e == ETIMEDOUT, "%s", acre_strerror(e));
    }
}

/* Messages that were sent and are nowhere. */
static size_t missing(const ledger *l)
{
    size_t n = 0;
    for (uint32_t life = 0; life < l->lives; life++)
        for (uint32_t i = 0; i < NUMBERS; i++) {
            n += i < l->sent[life] && !l->seen[life][i];
            ACRE_CHECK(i <= l->sent[life] || !l->seen[life][i]);
        }
    return n;
}

static void wait_a_little(uint64_t *seed)
{
    for (uint64_t i = acre_test_below(seed, 20000); i; i--)
        __asm__ volatile("");
    if (acre_test_below(seed, 4) == 0)
        usleep(500);
}

ACRE_TEST(mpmc, random_kills_lose_no_more_than_what_is_in_hand)
{
    ledger *l = share(sizeof *l);
    arena *a = arena_make(16, sizeof(message), 0);
    uint64_t seed = acre_test_seed();
    size_t killed[2] = {0}, rounds = acre_test_rounds(400);
    pid_t child[4];
    l->a = *a;
    for (int i = 0; i < 4; i++)
        child[i] = acre_test_spawn(i % 2 ? receive_for_life : send_for_life, l);
    for (size_t i = 0; i < rounds; i++) {
        uint64_t k = acre_test_below(&seed, 4);
        acre_test_limit(30);
        wait_a_little(&seed);
        kill(child[k], SIGKILL);
        int status;
        ACRE_CHECK_EQUAL(waitpid(child[k], &status, 0), child[k]);
        ACRE_CHECK(WIFSIGNALED(status) || (k % 2 == 0 && WEXITSTATUS(status) == 0));
        killed[k % 2] += WIFSIGNALED(status) != 0;
        child[k] = acre_test_spawn(k % 2 ? receive_for_life : send_for_life, l);
    }
    __atomic_store_n(&l->a.stop, 1, __ATOMIC_RELEASE);
    for (int i = 0; i < 4; i += 2)
        acre_test_expect_exit(child[i], 0);
    __atomic_store_n(&l->a.stop, 2, __ATOMIC_RELEASE);
    for (int i = 1; i < 4; i += 2)
        acre_test_expect_exit(child[i], 0);
    size_t lost = missing(l);
    fprintf(stderr, "%zu producers and %zu consumers killed, %zu messages lost\n", killed[0],
            killed[1], lost);
    ACRE_CHECK(lost <= killed[1]); /* a producer's message in hand was not sent */
    ACRE_CHECK_EQUAL(acre_mpmc_check(a->ring, a->size), 0);
}

/* ---- sleepers ---- */

static void consume_slowly(void *arg)
{
    arena *a = arg;
    acre_mpmc_handle h = attach(a);
    uint64_t m;
    for (size_t i = 0; i < a->rounds; i++) {
        usleep(200);
        ACRE_CHECK_EQUAL(acre_mpmc_pop(&h, &m), 0);
    }
}

static double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* Were wake-ups lost, messages would take naps of 50 ms. */
#define NEARLY_A_NAP 0.04 /* seconds */

ACRE_TEST(mpmc, sleeping_producers_are_woken)
{
    arena *a = arena_make(1, 8, acre_test_rounds(400));
    acre_mpmc_handle h = attach(a);
    pid_t child = acre_test_spawn(consume_slowly, a);
    size_t slow = 0;
    for (uint64_t i = 0; i < a->rounds; i++) {
        double begin = seconds();
        ACRE_CHECK_EQUAL(acre_mpmc_push(&h, &i), 0);
        slow += seconds() - begin > NEARLY_A_NAP;
    }
    acre_test_expect_exit(child, 0);
    ACRE_CHECK(slow <= a->rounds / 2, "%zu of %zu slow", slow, a->rounds);
}

static void consume_to_the_end(void *arg)
{
    arena *a = arg;
    acre_mpmc_handle h = attach(a);
    uint64_t m;
    do {
        ACRE_CHECK_EQUAL(acre_mpmc_pop(&h, &m), 0);
        __atomic_fetch_add(&a->received, 1, __ATOMIC_ACQ_REL);
    } while (m != UINT64_MAX);
}

ACRE_TEST(mpmc, sleeping_consumers_are_woken)
{
    arena *a = arena_make(64, 8, acre_test_rounds(100));
    acre_mpmc_handle h = attach(a);
    pid_t child[CONSUMERS];
    size_t slow = 0;
    for (int i = 0; i < CONSUMERS; i++)
        child[i] = acre_test_spawn(consume_to_the_end, a);
    for (uint64_t i = 0; i < a->rounds; i++) {
        usleep(200); /* all asleep by now */
        double begin = seconds();
        for (uint64_t k = 0; k < CONSUMERS; k++)
            ACRE_CHECK_EQUAL(acre_mpmc_push(&h, &k), 0);
        while (__atomic_load_n(&a->received, __ATOMIC_ACQUIRE) < (i + 1) * CONSUMERS)
            sched_yield();
        slow += seconds() - begin > NEARLY_A_NAP;
    }
    for (uint64_t i = 0, end = UINT64_MAX; i < CONSUMERS; i++)
        ACRE_CHECK_EQUAL(acre_mpmc_push(&h, &end), 0);
    for (int i = 0; i < CONSUMERS; i++)
        acre_test_expect_exit(child[i], 0);
    ACRE_CHECK(slow <= a->rounds / 2, "%zu of %zu slow", slow, a->rounds);
}
