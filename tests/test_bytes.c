/* SPDX-License-Identifier: MIT */
/* acre_bytes: records of all lengths at all capacities, batches, without a copy.  Also runs under
 * the plain runner. */
#include "tests/ring_arena.h"

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
        n += (a->cells ? bytes_fill_some : bytes_send_some)(&p, a, n, most_at_once(a, n));
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
        n += (a->cells ? bytes_read_some : bytes_take_some)(&c, a, n, most_at_once(a, n));
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
