/* SPDX-License-Identifier: MIT */
/* Message queues: order, sizes, limits, what is refused, batches, places, byte mode; one thread,
 * or threads that wait for each other.  Deaths and strangers are in test_queue_shared.c. */
#include "tests/acre_test.h"

#include <acre/queue.h>

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { ROOM = 4096 };

static void *memory_for(const acre_queue_options *o)
{
    void *p =
        mmap(NULL, acre_queue_size(o), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ACRE_CHECK(p != MAP_FAILED);
    return p;
}

/* Handles end with the test. */
static acre_queue *made[64];
static size_t made_count;

static acre_queue *make_with(acre_queue_options o)
{
    acre_queue **q = &made[made_count++];
    void *memory = memory_for(&o);
    ACRE_CHECK_EQUAL(acre_queue_init(memory, &o), 0);
    ACRE_CHECK_EQUAL(acre_queue_attach(q, memory, acre_queue_size(&o)), 0);
    return *q;
}

static acre_queue *make(uint32_t capacity, uint32_t max_size)
{
    return make_with((acre_queue_options){.capacity = capacity, .max_size = max_size});
}

static void put(acre_queue *q, uint32_t number, uint32_t priority)
{
    ACRE_CHECK_EQUAL(acre_queue_trysend(q, &number, sizeof number, priority), 0);
}

static void expect(acre_queue *q, uint32_t number, uint32_t priority)
{
    uint32_t got = 0, p = 0;
    size_t size = 0;
    ACRE_CHECK_EQUAL(acre_queue_tryreceive(q, &got, sizeof got, &size, &p), 0);
    ACRE_CHECK_EQUAL(size, sizeof got);
    ACRE_CHECK_EQUAL(p, priority);
    ACRE_CHECK_EQUAL(got, number);
}

static void expect_empty(acre_queue *q)
{
    size_t size;
    char byte;
    ACRE_CHECK_EQUAL(acre_queue_tryreceive(q, &byte, 1, &size, NULL), EAGAIN);
    ACRE_CHECK_EQUAL(acre_queue_count(q), 0);
    ACRE_CHECK_EQUAL(acre_queue_check(q), 0);
}

/* ---- order ---- */

enum { ORDERED = 100 };

/* Priorities rise, fall, or are equal; from lanes and from the heap. */
static void check_order(uint32_t first, int step)
{
    acre_queue *q = make(ORDERED, 8);
    for (uint32_t i = 0; i < ORDERED; i++)
        put(q, i, first + i * (uint32_t)step);
    ACRE_CHECK_EQUAL(acre_queue_check(q), 0);
    for (uint32_t i = 0; i < ORDERED; i++) {
        uint32_t number = step > 0 ? ORDERED - 1 - i : i;
        expect(q, number, first + number * (uint32_t)step);
    }
    expect_empty(q);
}

ACRE_TEST(queue, rising_priorities_come_out_falling_A54)
{
    check_order(0, 1);
    check_order(1000, 1);
}

ACRE_TEST(queue, falling_priorities_come_out_as_sent_A54)
{
    check_order(ORDERED - 1, -1);
    check_order(UINT32_MAX, -1);
}

ACRE_TEST(queue, equal_priorities_come_out_as_sent_A54)
{
    check_order(0, 0);
    check_order(63, 0);
    check_order(64, 0);
    check_order(UINT32_MAX, 0);
}

/* Each priority sent several times, in turn. */
ACRE_TEST(queue, first_in_first_out_within_each_priority_A54)
{
    static const uint32_t priority[] = {7, 64, 0, 63, 4000000000u, 65};
    static const uint32_t sorted[] = {4, 5, 1, 3, 0, 2};
    acre_queue *q = make(60, 8);
    for (uint32_t i = 0; i < 60; i++)
        put(q, i, priority[i % 6]);
    for (uint32_t k = 0; k < 6; k++)
        for (uint32_t i = 0; i < 10; i++)
            expect(q, i * 6 + sorted[k], priority[sorted[k]]);
    expect_empty(q);
}

/* ---- sizes and limits ---- */

ACRE_TEST(queue, larger_than_the_maximum_is_refused_A55)
{
    static char data[300];
    acre_queue *q = make(2, 299);
    acre_message m = {.data = data, .size = 300};
    size_t sent = 7;
    ACRE_CHECK_EQUAL(acre_queue_send(q, data, 300, 0), EMSGSIZE);
    ACRE_CHECK_EQUAL(acre_queue_trysend(q, data, SIZE_MAX, 0), EMSGSIZE);
    ACRE_CHECK_EQUAL(acre_queue_reserve(q, 300, &m), EMSGSIZE);
    ACRE_CHECK_EQUAL(acre_queue_send_many(q, &m, 1, &sent), EMSGSIZE);
    ACRE_CHECK_EQUAL(sent, 0);
    expect_empty(q);
    ACRE_CHECK_EQUAL(acre_queue_send(q, data, 299, 0), 0);
}

/* Boost refuses any buffer below the queue's maximum. */
static void check_small_buffer(uint32_t bytes)
{
    static char data[ROOM], buffer[ROOM];
    acre_queue *q = make(2, ROOM);
    size_t size = 0;
    uint32_t priority = 77;
    memset(data, 'x', sizeof data);
    ACRE_CHECK_EQUAL(acre_queue_send(q, data, bytes, 5), 0);
    ACRE_CHECK_EQUAL(acre_queue_receive(q, buffer, bytes - 1, &size, &priority), EMSGSIZE);
    ACRE_CHECK_EQUAL(size, bytes);
    ACRE_CHECK_EQUAL(priority, 77);
    ACRE_CHECK_EQUAL(acre_queue_count(q), 1);
    ACRE_CHECK_EQUAL(acre_queue_receive(q, buffer, bytes, &size, &priority), 0);
    ACRE_CHECK(size == bytes && priority == 5 && !memcmp(data, buffer, bytes));
    expect_empty(q);
}

ACRE_TEST(queue, a_buffer_must_hold_the_message_and_no_more_A55)
{
    check_small_buffer(1);
    check_small_buffer(128);
    check_small_buffer(129);
    check_small_buffer(ROOM);
}

ACRE_TEST(queue, empty_messages_arrive_A55)
{
    acre_queue *q = make(3, 0), *bytes = make_with((acre_queue_options){3, 100, 100, 0, false});
    size_t size = 9;
    uint32_t priority = 0;
    ACRE_CHECK_EQUAL(acre_queue_send(q, NULL, 0, 70), 0);
    ACRE_CHECK_EQUAL(acre_queue_receive(q, NULL, 0, &size, &priority), 0);
    ACRE_CHECK(size == 0 && priority == 70);
    for (int i = 0; i < 3; i++)
        ACRE_CHECK_EQUAL(acre_queue_trysend(bytes, NULL, 0, 0), 0);
    ACRE_CHECK_EQUAL(acre_queue_trysend(bytes, NULL, 0, 0), EAGAIN);
    ACRE_CHECK_EQUAL(acre_queue_receive(bytes, NULL, 0, NULL, NULL), 0);
    ACRE_CHECK_EQUAL(acre_queue_check(bytes), 0);
}

static const struct timespec past;

ACRE_TEST(queue, try_and_timed_on_full_and_empty_A55)
{
    acre_queue *q = make(1, 8);
    size_t size;
    uint64_t x = 42;
    ACRE_CHECK_EQUAL(acre_queue_tryreceive(q, &x, 8, &size, NULL), EAGAIN);
    ACRE_CHECK_EQUAL(acre_queue_receive_until(q, &x, 8, &size, NULL, &past), ETIMEDOUT);
    ACRE_CHECK_EQUAL(acre_queue_receive_for(q, &x, 8, &size, NULL, 3000000), ETIMEDOUT);
    ACRE_CHECK_EQUAL(acre_queue_send_until(q, &x, 8, 0, &past), 0);
    ACRE_CHECK_EQUAL(acre_queue_trysend(q, &x, 8, 0), EAGAIN);
    ACRE_CHECK_EQUAL(acre_queue_send_until(q, &x, 8, 0, &past), ETIMEDOUT);
    ACRE_CHECK_EQUAL(acre_queue_send_for(q, &x, 8, 0, 3000000), ETIMEDOUT);
    x = 0;
    ACRE_CHECK_EQUAL(acre_queue_receive_until(q, &x, 8, &size, NULL, &past), 0);
    ACRE_CHECK_EQUAL(x, 42);
}

ACRE_TEST(queue, a_timed_wait_lasts_as_long_as_it_says)
{
    acre_queue *q = make(1, 8);
    struct timespec end = acre_deadline(120 * 1000 * 1000), now;
    char byte;
    ACRE_CHECK_EQUAL(acre_queue_receive_until(q, &byte, 1, NULL, NULL, &end), ETIMEDOUT);
    clock_gettime(CLOCK_MONOTONIC, &now);
    ACRE_CHECK(now.tv_sec > end.tv_sec || (now.tv_sec == end.tv_sec && now.tv_nsec >= end.tv_nsec));
}

ACRE_TEST(queue, peek_tells_and_takes_nothing)
{
    acre_queue *q = make(4, 200);
    static char data[200];
    size_t size;
    uint32_t priority;
    ACRE_CHECK_EQUAL(acre_queue_peek(q, &size, &priority), EAGAIN);
    acre_queue_send(q, data, 10, 3);
    acre_queue_send(q, data, 200, 99);
    for (int i = 0; i < 2; i++) {
        ACRE_CHECK_EQUAL(acre_queue_peek(q, &size, &priority), 0);
        ACRE_CHECK(size == 200 && priority == 99);
    }
    ACRE_CHECK_EQUAL(acre_queue_receive(q, data, 200, NULL, NULL), 0);
    ACRE_CHECK_EQUAL(acre_queue_peek(q, &size, NULL), 0);
    ACRE_CHECK_EQUAL(size, 10);
    ACRE_CHECK_EQUAL(acre_queue_peek(q, NULL, &priority), 0);
    ACRE_CHECK_EQUAL(priority, 3);
}

/* ---- making ---- */

ACRE_TEST(queue, options_out_of_range_are_refused)
{
    static _Alignas(64) char memory[4096];
    static const acre_queue_options bad[] = {
        {.capacity = 0, .max_size = 8},
        {.capacity = ACRE_QUEUE_CAPACITY_MAX + 1, .max_size = 8},
        {.capacity = 1, .max_size = ACRE_QUEUE_MESSAGE_MAX + 1u},
        {.capacity = 1, .max_size = 100, .bytes = 99},
        {.capacity = 1, .max_size = 100, .bytes = ((uint64_t)1 << 36) + 1},
        {.capacity = 1, .max_size = 100, .bytes = UINT64_MAX},
    };
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ACRE_CHECK_EQUAL(acre_queue_size(&bad[i]), 0);
        ACRE_CHECK_EQUAL(acre_queue_init(memory, &bad[i]), EINVAL);
    }
    acre_queue_options vast = {.capacity = ACRE_QUEUE_CAPACITY_MAX,
                               .max_size = ACRE_QUEUE_MESSAGE_MAX};
    acre_queue_options good = {.capacity = 1, .max_size = 1};
    ACRE_CHECK_EQUAL(acre_queue_size(&vast), 0);
    ACRE_CHECK_EQUAL(acre_queue_init(memory, &vast), EOVERFLOW);
    ACRE_CHECK_EQUAL(acre_queue_init(memory + 16, &good), EINVAL);
    ACRE_CHECK_EQUAL(acre_queue_init(memory, NULL), EINVAL);
    for (size_t i = 0; i < sizeof memory; i++)
        ACRE_CHECK_EQUAL(memory[i], 0);
}

ACRE_TEST(queue, attach_refuses_what_is_no_queue_A58)
{
    acre_queue_options o = {.capacity = 4, .max_size = 50};
    size_t size = acre_queue_size(&o);
    uint32_t *memory = memory_for(&o);
    acre_queue *q = NULL;
    ACRE_CHECK_EQUAL(acre_queue_attach(&q, memory, size), ACRE_EUNINITIALISED);
    memory[0] = 12345;
    ACRE_CHECK_EQUAL(acre_queue_attach(&q, memory, size), ACRE_EOBJECT);
    acre_mutex_init((acre_mutex *)memory);
    ACRE_CHECK(acre_queue_attach(&q, memory, size) != 0);
    ACRE_CHECK_EQUAL(acre_queue_init(memory, &o), 0);
    ACRE_CHECK_EQUAL(acre_queue_attach(&q, memory, size - 1), ACRE_ETRUNCATED);
    ACRE_CHECK_EQUAL(acre_queue_attach(&q, memory, 0), ACRE_ETRUNCATED);
    ACRE_CHECK_EQUAL(acre_queue_attach(&q, memory + 4, size), EINVAL);
    memory[0]++;
    ACRE_CHECK_EQUAL(acre_queue_attach(&q, memory, size), ACRE_ELAYOUT);
    memory[0]--;
    memory[1] = 5;
    ACRE_CHECK_EQUAL(acre_queue_attach(&q, memory, size), ACRE_ECORRUPT);
    ACRE_CHECK(q == NULL);
    memory[1] = 4;
    ACRE_CHECK_EQUAL(acre_queue_attach(&q, memory, size), 0);
    ACRE_CHECK_EQUAL(acre_queue_close(q), 0);
    ACRE_CHECK_EQUAL(acre_queue_close(NULL), 0);
}

ACRE_TEST(queue, numbers_are_those_of_its_making_A58)
{
    acre_queue_options o = {.capacity = 100, .max_size = 100};
    acre_queue *q = make_with(o);
    ACRE_CHECK_EQUAL(acre_queue_capacity(q), 100);
    ACRE_CHECK_EQUAL(acre_queue_max_size(q), 100);
    ACRE_CHECK_EQUAL(acre_queue_count(q), 0);
    for (uint32_t i = 0; i < 100; i++) {
        put(q, i, 0);
        ACRE_CHECK_EQUAL(acre_queue_count(q), i + 1);
    }
    ACRE_CHECK_EQUAL(acre_queue_trysend(q, &o, 4, 0), EAGAIN);
    ACRE_CHECK(acre_queue_size(&o) > 100 * 100 && acre_queue_size(&o) < 100 * 100 + 11000);
}

/* ---- a database in pieces ---- */

enum { RECORDS = 100, PIECE = 100 };

typedef struct record {
    uint32_t key;
    char name[57];
    uint64_t value;
} record;

static void fill_records(record *r, uint64_t seed)
{
    for (uint32_t i = 0; i < RECORDS; i++) {
        r[i] = (record){.key = i, .value = acre_test_random(&seed)};
        snprintf(r[i].name, sizeof r[i].name, "record %u of %d", i, RECORDS);
    }
}

typedef struct transfer {
    acre_queue *q;
    const char *from;
    char *to;
    size_t size;
} transfer;

static void *send_pieces(void *arg)
{
    transfer *t = arg;
    for (size_t at = 0; at < t->size; at += PIECE) {
        size_t n = t->size - at < PIECE ? t->size - at : PIECE;
        ACRE_CHECK_EQUAL(acre_queue_send(t->q, t->from + at, n, 0), 0);
    }
    return NULL;
}

static void receive_pieces(transfer *t)
{
    for (size_t at = 0, n; at < t->size; at += n)
        ACRE_CHECK_EQUAL(acre_queue_receive(t->q, t->to + at, PIECE, &n, NULL), 0);
}

static void check_transfer(uint32_t capacity)
{
    static record from[RECORDS], to[RECORDS];
    transfer t = {make(capacity, PIECE), (char *)from, (char *)to, sizeof from};
    pthread_t sender;
    fill_records(from, acre_test_seed());
    memset(to, 0, sizeof to);
    ACRE_CHECK(pthread_create(&sender, NULL, send_pieces, &t) == 0);
    receive_pieces(&t);
    pthread_join(sender, NULL);
    ACRE_CHECK(!memcmp(from, to, sizeof from));
    expect_empty(t.q);
}

ACRE_TEST(queue, a_database_goes_through_in_pieces_A56)
{
    check_transfer(1);
    check_transfer(100);
}

/* ---- many senders, many receivers ---- */

enum { CROWD = 10 };

typedef struct crowd {
    acre_queue *q;
    size_t each, size;
    uint64_t sum;
} crowd;

static void *crowd_send(void *arg)
{
    crowd *c = arg;
    uint64_t data[64] = {0};
    for (size_t i = 1; i <= c->each; i++) {
        data[0] = i;
        ACRE_CHECK_EQUAL(acre_queue_send(c->q, data, c->size, (uint32_t)(i % 3) * 40), 0);
    }
    return NULL;
}

static void *crowd_receive(void *arg)
{
    crowd *c = arg;
    uint64_t data[64], sum = 0;
    size_t size = 1;
    while (size) {
        ACRE_CHECK_EQUAL(acre_queue_receive(c->q, data, sizeof data, &size, NULL), 0);
        sum += size ? data[0] : 0;
    }
    __atomic_fetch_add(&c->sum, sum, __ATOMIC_SEQ_CST);
    return NULL;
}

static void check_crowd(uint32_t capacity, size_t senders, size_t size, size_t each)
{
    crowd c = {.q = make(capacity, 512), .each = each, .size = size};
    pthread_t s[CROWD], r[CROWD];
    for (size_t i = 0; i < senders; i++) {
        ACRE_CHECK(pthread_create(&s[i], NULL, crowd_send, &c) == 0);
        ACRE_CHECK(pthread_create(&r[i], NULL, crowd_receive, &c) == 0);
    }
    for (size_t i = 0; i < senders; i++)
        pthread_join(s[i], NULL);
    for (size_t i = 0; i < senders; i++)
        ACRE_CHECK_EQUAL(acre_queue_send(c.q, NULL, 0, 0), 0);
    for (size_t i = 0; i < senders; i++)
        pthread_join(r[i], NULL);
    ACRE_CHECK_EQUAL(c.sum, senders * each * (each + 1) / 2);
    expect_empty(c.q);
}

ACRE_TEST(queue, a_thousand_go_through_ten_places_A57)
{
    check_crowd(10, 1, 8, 1000);
    check_crowd(10, 1, 512, 1000);
}

ACRE_TEST(queue, ten_senders_and_ten_receivers_share_one_place_A57)
{
    check_crowd(1, CROWD, 8, acre_test_rounds(2000));
    check_crowd(1, CROWD, 300, acre_test_rounds(1000));
}

ACRE_TEST(queue, ten_senders_and_ten_receivers_share_twenty_places_A57)
{
    check_crowd(20, CROWD, 8, acre_test_rounds(10000));
    check_crowd(20, CROWD, 300, acre_test_rounds(5000));
}

/* ---- places ---- */

ACRE_TEST(queue, a_reserved_message_is_sent_when_committed)
{
    acre_queue *q = make(3, 1000);
    acre_message m, got;
    ACRE_CHECK_EQUAL(acre_queue_reserve(q, 1000, &m), 0);
    ACRE_CHECK((uintptr_t)m.data % 16 == 0 && m.size == 1000);
    memset(m.data, 'r', 1000);
    put(q, 1, 5);
    ACRE_CHECK_EQUAL(acre_queue_count(q), 1);
    ACRE_CHECK_EQUAL(acre_queue_check(q), 0);
    m.priority = 5;
    m.size = 600;
    ACRE_CHECK_EQUAL(acre_queue_commit(q, &m), 0);
    ACRE_CHECK_EQUAL(acre_queue_commit(q, &m), EPERM);
    expect(q, 1, 5);
    ACRE_CHECK_EQUAL(acre_queue_acquire(q, &got), 0);
    ACRE_CHECK(got.size == 600 && got.priority == 5 && ((char *)got.data)[599] == 'r');
    ACRE_CHECK_EQUAL(acre_queue_count(q), 0);
    ACRE_CHECK_EQUAL(acre_queue_check(q), 0);
    ACRE_CHECK_EQUAL(acre_queue_commit(q, &got), EPERM);
    ACRE_CHECK_EQUAL(acre_queue_release(q, &got), 0);
    ACRE_CHECK_EQUAL(acre_queue_release(q, &got), EPERM);
    expect_empty(q);
}

ACRE_TEST(queue, an_abandoned_place_is_free_again)
{
    acre_queue *q = make(1, 1000);
    acre_message m;
    for (int i = 0; i < 5; i++) {
        ACRE_CHECK_EQUAL(acre_queue_tryreserve(q, 10, &m), 0);
        ACRE_CHECK_EQUAL(acre_queue_tryreserve(q, 10, &m), EAGAIN);
        ACRE_CHECK_EQUAL(acre_queue_trysend(q, "x", 1, 0), EAGAIN);
        ACRE_CHECK_EQUAL(acre_queue_reserve_for(q, 1, &m, 2000000), ETIMEDOUT);
        ACRE_CHECK_EQUAL(acre_queue_abandon(q, &m), 0);
        ACRE_CHECK_EQUAL(acre_queue_abandon(q, &m), EPERM);
    }
    expect_empty(q);
}

ACRE_TEST(queue, no_more_than_reserved_can_be_committed)
{
    acre_queue *q = make(1, 1000);
    acre_queue *b = make_with((acre_queue_options){4, 1000, 1000, 0, false});
    acre_message m;
    ACRE_CHECK_EQUAL(acre_queue_reserve(q, 10, &m), 0);
    m.size = 1001;
    ACRE_CHECK_EQUAL(acre_queue_commit(q, &m), EMSGSIZE);
    m.size = 10;
    ACRE_CHECK_EQUAL(acre_queue_commit(q, &m), 0);
    ACRE_CHECK_EQUAL(acre_queue_reserve(b, 100, &m), 0);
    m.size = 129;
    ACRE_CHECK_EQUAL(acre_queue_commit(b, &m), EMSGSIZE);
    m.size = 1;
    ACRE_CHECK_EQUAL(acre_queue_commit(b, &m), 0);
    ACRE_CHECK_EQUAL(acre_queue_check(b), 0);
    ACRE_CHECK_EQUAL(acre_queue_tryacquire(b, &m), 0);
    ACRE_CHECK_EQUAL(m.size, 1);
    ACRE_CHECK_EQUAL(acre_queue_tryacquire(b, &m), EAGAIN);
}

ACRE_TEST(queue, a_handle_stays_while_its_places_are_held)
{
    acre_queue *q = make(2, 8);
    acre_message a, b;
    ACRE_CHECK_EQUAL(acre_queue_reserve(q, 8, &a), 0);
    ACRE_CHECK_EQUAL(acre_queue_reserve(q, 8, &b), 0);
    ACRE_CHECK_EQUAL(acre_queue_close(q), EBUSY);
    ACRE_CHECK_EQUAL(acre_queue_abandon(q, &a), 0);
    ACRE_CHECK_EQUAL(acre_queue_close(q), EBUSY);
    ACRE_CHECK_EQUAL(acre_queue_abandon(q, &b), 0);
    ACRE_CHECK_EQUAL(acre_queue_close(q), 0);
}

static void *commit_foreign(void *arg)
{
    acre_message *m = ((void **)arg)[1];
    ACRE_CHECK_EQUAL(acre_queue_commit(((void **)arg)[0], m), EPERM);
    ACRE_CHECK_EQUAL(acre_queue_abandon(((void **)arg)[0], m), EPERM);
    m->place = 12345;
    ACRE_CHECK_EQUAL(acre_queue_release(((void **)arg)[0], m), EPERM);
    return NULL;
}

ACRE_TEST(queue, a_place_is_its_threads_own)
{
    acre_queue *q = make(2, 8);
    acre_message m, copy;
    void *both[] = {q, &copy};
    pthread_t t;
    ACRE_CHECK_EQUAL(acre_queue_reserve(q, 8, &m), 0);
    copy = m;
    ACRE_CHECK(pthread_create(&t, NULL, commit_foreign, both) == 0);
    pthread_join(t, NULL);
    ACRE_CHECK_EQUAL(acre_queue_commit(q, &m), 0);
}

/* Held beside locks, and given back in another order. */
ACRE_TEST(queue, places_and_locks_are_held_in_any_order)
{
    acre_queue *q = make(4, 8);
    static acre_mutex mutex;
    acre_message a, b;
    ACRE_CHECK_EQUAL(acre_queue_reserve(q, 8, &a), 0);
    ACRE_CHECK_EQUAL(acre_mutex_lock(&mutex), 0);
    ACRE_CHECK_EQUAL(acre_queue_reserve(q, 8, &b), 0);
    put(q, 1, 0);
    ACRE_CHECK_EQUAL(acre_queue_commit(q, &a), 0);
    ACRE_CHECK_EQUAL(acre_mutex_unlock(&mutex), 0);
    ACRE_CHECK_EQUAL(acre_queue_abandon(q, &b), 0);
    expect(q, 1, 0);
    ACRE_CHECK_EQUAL(acre_queue_count(q), 1);
    ACRE_CHECK_EQUAL(acre_queue_check(q), 0);
}

/* ---- batches ---- */

enum { MANY = 200 };

typedef struct batch {
    acre_message list[MANY];
    char bytes[MANY][ROOM];
} batch;

static batch *batch_make(size_t size)
{
    batch *b = malloc(sizeof *b);
    ACRE_CHECK(b != NULL);
    for (size_t i = 0; i < MANY; i++)
        b->list[i] = (acre_message){.data = b->bytes[i], .size = size};
    return b;
}

static void batch_number(batch *b, size_t large_each)
{
    for (size_t i = 0; i < MANY; i++) {
        memset(b->bytes[i], (int)i, ROOM);
        b->list[i].size = i % large_each == large_each - 1 ? 1000 : 1 + i % 128;
        b->list[i].priority = 7;
    }
}

static void batch_expect(const batch *got, const batch *sent, size_t first, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        ACRE_CHECK_EQUAL(got->list[i].size, sent->list[first + i].size);
        ACRE_CHECK_EQUAL(got->list[i].priority, 7);
        ACRE_CHECK(!memcmp(got->bytes[i], sent->bytes[first + i], got->list[i].size));
    }
}

static void check_batch(size_t large_each)
{
    acre_queue *q = make(150, 1000);
    batch *s = batch_make(0), *r = batch_make(ROOM);
    size_t n = 0;
    batch_number(s, large_each);
    ACRE_CHECK_EQUAL(acre_queue_trysend_many(q, s->list, MANY, &n), EAGAIN);
    ACRE_CHECK_EQUAL(n, 150);
    ACRE_CHECK_EQUAL(acre_queue_count(q), 150);
    ACRE_CHECK_EQUAL(acre_queue_check(q), 0);
    ACRE_CHECK_EQUAL(acre_queue_receive_many(q, r->list, 100, &n), 0);
    ACRE_CHECK_EQUAL(n, 100);
    batch_expect(r, s, 0, 100);
    for (size_t i = 0; i < MANY; i++)
        r->list[i].size = ROOM;
    ACRE_CHECK_EQUAL(acre_queue_receive_many(q, r->list, 100, &n), 0);
    ACRE_CHECK_EQUAL(n, 50);
    batch_expect(r, s, 100, 50);
    ACRE_CHECK_EQUAL(acre_queue_tryreceive_many(q, r->list, 100, &n), EAGAIN);
    ACRE_CHECK_EQUAL(n, 0);
    expect_empty(q);
    free(s);
    free(r);
}

ACRE_TEST(queue, batches_are_many_calls_in_one)
{
    check_batch(1000);
    check_batch(10);
    check_batch(1);
}

ACRE_TEST(queue, a_batch_stops_at_what_does_not_fit)
{
    acre_queue *q = make(10, 1000);
    batch *r = batch_make(16);
    size_t n = 9;
    static char data[1000];
    acre_queue_send(q, data, 16, 0);
    acre_queue_send(q, data, 17, 0);
    acre_queue_send(q, data, 1000, 0);
    ACRE_CHECK_EQUAL(acre_queue_receive_many(q, r->list, 5, &n), 0);
    ACRE_CHECK_EQUAL(n, 1);
    ACRE_CHECK_EQUAL(acre_queue_receive_many(q, r->list, 5, &n), EMSGSIZE);
    ACRE_CHECK(n == 0 && r->list[0].size == 17);
    ACRE_CHECK_EQUAL(acre_queue_receive_many(q, r->list, 5, &n), 0);
    ACRE_CHECK_EQUAL(n, 1);
    ACRE_CHECK_EQUAL(acre_queue_receive_many_until(q, r->list, 5, &n, &past), EMSGSIZE);
    ACRE_CHECK(n == 0 && r->list[0].size == 1000);
    ACRE_CHECK_EQUAL(acre_queue_count(q), 1);
    ACRE_CHECK_EQUAL(acre_queue_receive_many(q, r->list, 0, &n), 0);
    free(r);
}

static void *send_batch(void *arg)
{
    batch *s = batch_make(0);
    size_t n;
    batch_number(s, 50);
    ACRE_CHECK_EQUAL(acre_queue_send_many(arg, s->list, MANY, &n), 0);
    ACRE_CHECK_EQUAL(n, MANY);
    return s;
}

/* The batch is larger than the queue. */
ACRE_TEST(queue, batches_wait_for_room_and_for_messages)
{
    acre_queue *q = make(7, 1000);
    batch *r = batch_make(ROOM), *s;
    pthread_t t;
    size_t done = 0, n;
    ACRE_CHECK(pthread_create(&t, NULL, send_batch, q) == 0);
    for (; done < MANY; done += n)
        ACRE_CHECK_EQUAL(acre_queue_receive_many(q, r->list + done, MANY - done, &n), 0);
    pthread_join(t, (void **)&s);
    batch_expect(r, s, 0, MANY);
    expect_empty(q);
    free(r);
    free(s);
}

/* ---- who is woken ---- */

static void *receive_with_small_buffers(void *arg)
{
    size_t size = 0;
    char byte;
    int e = acre_queue_receive(arg, &byte, 1, &size, NULL);
    ACRE_CHECK(e == EMSGSIZE && size == 8);
    return NULL;
}

static void *receive_eight(void *arg)
{
    char buffer[8];
    size_t size = 0;
    ACRE_CHECK_EQUAL(acre_queue_receive(arg, buffer, sizeof buffer, &size, NULL), 0);
    ACRE_CHECK_EQUAL(size, 8);
    return NULL;
}

/* Whoever cannot take what it was woken for does not keep it from those who can.  (That it passes
 * the wake-up on at once, and not by a nap, is not seen here.) */
ACRE_TEST(queue, a_refused_message_reaches_another_sleeper)
{
    acre_queue *q = make(4, 8);
    pthread_t small, large;
    acre_test_limit(60);
    for (size_t i = acre_test_rounds(50); i > 0; i--) {
        ACRE_CHECK(pthread_create(&small, NULL, receive_with_small_buffers, q) == 0);
        sched_yield();
        ACRE_CHECK(pthread_create(&large, NULL, receive_eight, q) == 0);
        ACRE_CHECK_EQUAL(acre_queue_send(q, "1234567", 8, 0), 0);
        pthread_join(large, NULL);
        ACRE_CHECK_EQUAL(acre_queue_send(q, "1234567", 8, 0), 0); /* for the small one, if late */
        pthread_join(small, NULL);
        receive_eight(q);
    }
    expect_empty(q);
}

/* ---- byte mode ---- */

ACRE_TEST(queue, small_messages_do_not_cost_the_maximum)
{
    acre_queue_options o = {.capacity = 1000, .max_size = 64000, .bytes = 64000};
    acre_queue *q = make_with(o);
    static char data[64000];
    ACRE_CHECK(acre_queue_size(&o) < 64000 + 1000 * 64 + 10000);
    for (uint32_t i = 0; i < 1000; i++)
        put(q, i, i);
    ACRE_CHECK_EQUAL(acre_queue_trysend(q, data, 64000, 0), EAGAIN);
    ACRE_CHECK_EQUAL(acre_queue_check(q), 0);
    for (uint32_t i = 1000; i-- > 0;)
        expect(q, i, i);
    ACRE_CHECK_EQUAL(acre_queue_trysend(q, data, 64000, 0), 0);
    ACRE_CHECK_EQUAL(acre_queue_trysend(q, data, 1, 0), EAGAIN);
    ACRE_CHECK_EQUAL(acre_queue_trysend(q, data, 0, 0), 0);
    ACRE_CHECK_EQUAL(acre_queue_receive(q, data, 64000, NULL, NULL), 0);
    ACRE_CHECK_EQUAL(acre_queue_check(q), 0);
}

static void *send_one_large(void *arg)
{
    static char data[1024];
    ACRE_CHECK_EQUAL(acre_queue_send(arg, data, 1024, 0), 0);
    return NULL;
}

static void await_count(acre_queue *q, uint32_t count)
{
    while (acre_queue_count(q) != count)
        sched_yield();
}

/* The small sender is not kept waiting by the large one that was woken first. */
ACRE_TEST(queue, byte_mode_wakes_whoever_fits)
{
    acre_queue *q =
        make_with((acre_queue_options){.capacity = 32, .max_size = 1024, .bytes = 1024});
    static char data[1024];
    pthread_t large;
    acre_test_limit(60);
    for (int i = 0; i < 16; i++)
        ACRE_CHECK_EQUAL(acre_queue_trysend(q, data, 64, 1), 0);
    ACRE_CHECK(pthread_create(&large, NULL, send_one_large, q) == 0);
    for (int i = 0; i < 100; i++) {
        ACRE_CHECK_EQUAL(acre_queue_receive(q, data, 64, NULL, NULL), 0);
        ACRE_CHECK_EQUAL(acre_queue_send(q, data, 64, 1), 0);
    }
    for (int i = 0; i < 16; i++)
        ACRE_CHECK_EQUAL(acre_queue_receive(q, data, 64, NULL, NULL), 0);
    await_count(q, 1);
    pthread_join(large, NULL);
}

/* ---- random calls against a model ---- */

enum { MODEL_CAPACITY = 12, MODEL_MAX = 700, MODEL_BYTES = 2048, MODEL_HELD = 4 };

typedef struct model_message {
    uint32_t priority, size;
    uint64_t number;
} model_message;

typedef struct model {
    acre_queue *view[2]; /* the same memory, twice; places are held by address, in the first */
    uint64_t seed, number;
    model_message list[MODEL_CAPACITY]; /* in the order of receiving */
    uint32_t n;
    acre_message filling[MODEL_HELD], reading[MODEL_HELD];
    uint32_t fillings, readings;
    bool bytes;
} model;

static acre_queue *model_queue(model *m)
{
    return m->view[acre_test_below(&m->seed, 2)];
}

static void model_make(model *m, bool bytes)
{
    acre_queue_options o = {
        .capacity = MODEL_CAPACITY, .max_size = MODEL_MAX, .bytes = bytes ? MODEL_BYTES : 0};
    size_t size = acre_queue_size(&o);
    int fd = memfd_create("queue", 0);
    ACRE_CHECK(fd >= 0 && ftruncate(fd, (off_t)size) == 0);
    *m = (model){.seed = acre_test_seed(), .bytes = bytes};
    for (int i = 0; i < 2; i++) {
        void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
        ACRE_CHECK(p != MAP_FAILED);
        if (i == 0)
            ACRE_CHECK_EQUAL(acre_queue_init(p, &o), 0);
        ACRE_CHECK_EQUAL(acre_queue_attach(&m->view[i], p, size), 0);
    }
    close(fd);
}

static uint32_t model_size(model *m)
{
    static const uint32_t most[] = {1, 20, 129, MODEL_MAX + 1};
    return (uint32_t)acre_test_below(&m->seed, most[acre_test_below(&m->seed, 4)]);
}

static uint32_t model_priority(model *m)
{
    static const uint32_t most[] = {1, 64, 70, UINT32_MAX};
    return (uint32_t)acre_test_below(&m->seed, most[acre_test_below(&m->seed, 4)]);
}

static void model_pattern(uint8_t *data, model_message x)
{
    for (uint32_t i = 0; i < x.size; i++)
        data[i] = (uint8_t)(x.number * 31 + i);
}

static void model_compare(const model *m, const void *data, size_t size, uint32_t priority)
{
    uint8_t wanted[MODEL_MAX];
    model_message x = m->list[0];
    ACRE_CHECK(m->n > 0);
    ACRE_CHECK_EQUAL(size, x.size);
    ACRE_CHECK_EQUAL(priority, x.priority);
    model_pattern(wanted, x);
    ACRE_CHECK(!memcmp(wanted, data, size));
}

static void model_insert(model *m, model_message x)
{
    uint32_t k = m->n++;
    ACRE_CHECK(m->n <= MODEL_CAPACITY);
    for (; k > 0 && m->list[k - 1].priority < x.priority; k--)
        m->list[k] = m->list[k - 1];
    m->list[k] = x;
}

static void model_remove(model *m)
{
    m->n--;
    memmove(m->list, m->list + 1, m->n * sizeof *m->list);
}

static bool model_full(const model *m)
{
    return m->n + m->fillings + m->readings == MODEL_CAPACITY;
}

/* In byte mode there may be no room although there is a place. */
static void model_expect_room(const model *m, int e)
{
    ACRE_CHECK(e == (model_full(m) ? EAGAIN : 0) || (m->bytes && e == EAGAIN), "%d", e);
}

static void model_send(model *m)
{
    uint8_t data[MODEL_MAX];
    model_message x = {model_priority(m), model_size(m), m->number++};
    model_pattern(data, x);
    int e = acre_queue_trysend(model_queue(m), data, x.size, x.priority);
    model_expect_room(m, e);
    if (!e)
        model_insert(m, x);
}

static void model_receive(model *m)
{
    uint8_t data[MODEL_MAX];
    size_t size = 0, room = acre_test_below(&m->seed, 8) ? MODEL_MAX : 50;
    uint32_t priority = 0;
    int e = acre_queue_tryreceive(model_queue(m), data, room, &size, &priority);
    ACRE_CHECK_EQUAL(e, !m->n ? EAGAIN : m->list[0].size > room ? EMSGSIZE : 0);
    if (e == EMSGSIZE)
        ACRE_CHECK_EQUAL(size, m->list[0].size);
    if (e)
        return;
    model_compare(m, data, size, priority);
    model_remove(m);
}

static void model_reserve(model *m)
{
    acre_message *x = &m->filling[m->fillings];
    if (m->fillings == MODEL_HELD)
        return;
    int e = acre_queue_tryreserve(m->view[0], model_size(m), x);
    model_expect_room(m, e);
    m->fillings += !e;
}

static acre_message model_pick(model *m, acre_message *list, uint32_t *n)
{
    uint32_t k = (uint32_t)acre_test_below(&m->seed, *n);
    acre_message x = list[k];
    list[k] = list[--*n];
    return x;
}

static void model_commit(model *m)
{
    if (!m->fillings)
        return;
    acre_message x = model_pick(m, m->filling, &m->fillings);
    x.priority = model_priority(m);
    x.size = (size_t)acre_test_below(&m->seed, x.size + 1);
    model_message y = {x.priority, (uint32_t)x.size, m->number++};
    model_pattern(x.data, y);
    ACRE_CHECK_EQUAL(acre_queue_commit(m->view[0], &x), 0);
    model_insert(m, y);
}

static void model_abandon(model *m)
{
    if (!m->fillings)
        return;
    acre_message x = model_pick(m, m->filling, &m->fillings);
    ACRE_CHECK_EQUAL(acre_queue_abandon(m->view[0], &x), 0);
}

static void model_acquire(model *m)
{
    acre_message *x = &m->reading[m->readings];
    if (m->readings == MODEL_HELD)
        return;
    int e = acre_queue_tryacquire(m->view[0], x);
    ACRE_CHECK_EQUAL(e, m->n ? 0 : EAGAIN);
    if (e)
        return;
    model_compare(m, x->data, x->size, x->priority);
    model_remove(m);
    m->readings++;
}

static void model_release(model *m)
{
    if (!m->readings)
        return;
    acre_message x = model_pick(m, m->reading, &m->readings);
    ACRE_CHECK_EQUAL(acre_queue_release(m->view[0], &x), 0);
}

static void model_send_many(model *m)
{
    uint8_t data[3][MODEL_MAX];
    acre_message list[3];
    model_message x[3];
    size_t sent = 9;
    for (int i = 0; i < 3; i++) {
        x[i] = (model_message){model_priority(m), model_size(m), m->number++};
        model_pattern(data[i], x[i]);
        list[i] = (acre_message){.data = data[i], .size = x[i].size, .priority = x[i].priority};
    }
    int e = acre_queue_trysend_many(model_queue(m), list, 3, &sent);
    ACRE_CHECK(e == 0 ? sent == 3 : e == EAGAIN && sent < 3);
    for (size_t i = 0; i < sent; i++)
        model_insert(m, x[i]);
    if (e)
        model_expect_room(m, e);
}

static void model_receive_many(model *m)
{
    uint8_t data[3][MODEL_MAX];
    acre_message list[3];
    size_t n = 0;
    for (int i = 0; i < 3; i++)
        list[i] = (acre_message){.data = data[i], .size = MODEL_MAX};
    int e = acre_queue_tryreceive_many(model_queue(m), list, 3, &n);
    ACRE_CHECK_EQUAL(e, m->n ? 0 : EAGAIN);
    ACRE_CHECK_EQUAL(n, m->n < 3 ? m->n : 3);
    for (size_t i = 0; i < n; i++) {
        model_compare(m, list[i].data, list[i].size, list[i].priority);
        model_remove(m);
    }
}

static void model_step(model *m)
{
    static void (*const calls[])(model *) = {model_send,      model_send,        model_receive,
                                             model_receive,   model_reserve,     model_commit,
                                             model_abandon,   model_acquire,     model_release,
                                             model_send_many, model_receive_many};
    calls[acre_test_below(&m->seed, sizeof calls / sizeof *calls)](m);
    ACRE_CHECK_EQUAL(acre_queue_count(m->view[0]), m->n);
    if (m->number % 16 == 0)
        ACRE_CHECK_EQUAL(acre_queue_check(model_queue(m)), 0);
}

static void check_model(bool bytes)
{
    static model m;
    model_make(&m, bytes);
    for (size_t i = acre_test_rounds(100000); i > 0; i--)
        model_step(&m);
    ACRE_CHECK_EQUAL(acre_queue_check(m.view[1]), 0);
}

ACRE_TEST(queue, does_what_a_sorted_array_does)
{
    check_model(false);
}

ACRE_TEST(queue, does_what_a_sorted_array_does_in_byte_mode)
{
    check_model(true);
}
