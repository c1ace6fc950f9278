/* SPDX-License-Identifier: MIT */
/* Message queues: order, sizes, limits, what is refused, batches, places, byte mode; one thread,
 * or threads that wait for each other.  Deaths and strangers are in
 * test_queue_shared.c, random calls in test_queue_model.c. */
#include "tests/support_queue.h"

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
