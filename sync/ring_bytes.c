/* SPDX-License-Identifier: MIT */
/* ring_bytes.c: acre_bytes: two sides (side.h) whose indexes count bytes, and records between them.
 *
 *     ┌ head                                         ┌ tail
 *     │ length │ record… │ length │ record… │ free … │
 *
 * A record never wraps: where it does not fit before the end of the memory, a length of all ones
 * says so and the record begins again at the front.  Padding and record become visible by the same
 * store of the tail.  A record of at most half the capacity always fits in the end: its padding is
 * shorter than itself.
 *
 * A reserved record may have stepped over padding already; then `mine` is ahead of the published
 * index, by padding that is written and goes with whatever is committed next.
 *
 * Killed where?  As side.h: whatever lies behind the tail is the producer's, or its successor's. */
#include "sync/side.h"

enum { BYTES_LENGTH = 8, BYTES_LEAST = 64 };
static const uint64_t bytes_padding = UINT64_MAX;

static acre__ring_plan bytes_plan(uint32_t capacity)
{
    uint32_t rounded = capacity && capacity < BYTES_LEAST ? BYTES_LEAST : capacity;
    return acre__ring_plan_make(sizeof(acre_bytes), rounded, 1, 1);
}

size_t acre_bytes_size(uint32_t capacity)
{
    return bytes_plan(capacity).size;
}

int acre_bytes_init(acre_bytes *ring, size_t size, uint32_t capacity)
{
    acre__ring_plan plan = bytes_plan(capacity);
    int e = acre__ring_begin(ring, size, &plan);
    if (!e)
        acre__ring_publish(&ring->pair.ring, ACRE__BYTES, &plan);
    return e;
}

static int bytes_open(const acre_bytes *ring, size_t size, acre__ring_plan *plan)
{
    acre__ring seen;
    int e = acre__ring_read(ring, size, ACRE__BYTES, &seen);
    if (e)
        return e;
    *plan = bytes_plan((uint32_t)1 << seen.shift);
    return acre__ring_fits(&seen, plan, size);
}

/* ---- attaching ---- */

/* Indexes are multiples of 8, so that a length fits in front of the end. */
static int bytes_begin(acre__side *out, acre__side side, const acre__ring_plan *plan)
{
    acre__side begun;
    int e = acre__load(side.other) % 8 ? ACRE_ECORRUPT : acre__side_begin(&begun, side, plan);
    if (!e && begun.mine % 8) {
        acre__side_end(&begun);
        e = ACRE_ECORRUPT;
    }
    if (!e)
        *out = begun;
    return e;
}

int acre_bytes_producer_attach(acre_bytes_producer *p, acre_bytes *ring, size_t size)
{
    acre__ring_plan plan;
    int e = bytes_open(ring, size, &plan);
    if (!e)
        e = bytes_begin(&p->side, acre__side_producer(&ring->pair, &plan), &plan);
    if (!e)
        p->held = 0;
    return e;
}

int acre_bytes_consumer_attach(acre_bytes_consumer *c, acre_bytes *ring, size_t size)
{
    acre__ring_plan plan;
    int e = bytes_open(ring, size, &plan);
    if (!e)
        e = bytes_begin(&c->side, acre__side_consumer(&ring->pair), &plan);
    if (!e)
        c->held = 0;
    return e;
}

int acre_bytes_producer_detach(acre_bytes_producer *p)
{
    return acre__side_end(&p->side);
}

int acre_bytes_consumer_detach(acre_bytes_consumer *c)
{
    return acre__side_end(&c->side);
}

/* ---- room ---- */

static uint64_t bytes_need(uint64_t length)
{
    return BYTES_LENGTH + acre__ring_round8(length);
}

static uint64_t bytes_longest(uint64_t capacity)
{
    return capacity / 2 - BYTES_LENGTH;
}

static uint64_t bytes_to_end(const acre__side *side, uint64_t index)
{
    return side->mask + 1 - (index & side->mask);
}

static uint64_t *bytes_length_at(const acre__side *side, uint64_t index)
{
    return (uint64_t *)(void *)(side->cells + (index & side->mask));
}

/* Padding in front of a record that would begin at the index. */
static uint64_t bytes_skip(const acre__side *side, uint64_t index, uint64_t need)
{
    uint64_t to_end = bytes_to_end(side, index);
    return need > to_end ? to_end : 0;
}

/* Wait for `want` bytes to use. */
static int bytes_ready(acre__side *side, uint64_t want, const struct timespec *deadline)
{
    if (__builtin_expect(side->limit - side->mine >= want && side->thread == acre__this_thread.id,
                         1))
        return 0;
    side->want = want;
    return acre__side_wait(side, deadline);
}

/* ---- writing ---- */

/* Step over padding from `at`, for a record that needs so many bytes. */
static uint64_t bytes_pad(const acre__side *side, uint64_t at, uint64_t need)
{
    uint64_t skip = bytes_skip(side, at, need);
    if (skip)
        acre__put(bytes_length_at(side, at), bytes_padding);
    return at + skip;
}

static uint64_t bytes_write(const acre__side *side, uint64_t at, const void *record, size_t length)
{
    uint64_t *to = bytes_length_at(side, at);
    acre__put(to, (uint64_t)length);
    if (length)
        memcpy(to + 1, record, length);
    return at + bytes_need(length);
}

/* Room for a record that is not too long: *at behind its padding. */
static int bytes_room(acre__side *side, size_t length, uint64_t *at,
                      const struct timespec *deadline)
{
    if (length > bytes_longest(side->mask + 1))
        return EMSGSIZE;
    uint64_t need = bytes_need(length);
    int e = bytes_ready(side, need + bytes_skip(side, side->mine, need), deadline);
    if (!e)
        *at = bytes_pad(side, side->mine, need);
    return e;
}

int acre_bytes_push_until(acre_bytes_producer *p, const void *record, size_t length,
                          const struct timespec *deadline)
{
    uint64_t at;
    int e = bytes_room(&p->side, length, &at, deadline);
    if (e)
        return e;
    p->held = 0;
    acre__side_publish(&p->side, bytes_write(&p->side, at, record, length));
    return 0;
}

int acre_bytes_push(acre_bytes_producer *p, const void *record, size_t length)
{
    return acre_bytes_push_until(p, record, length, NULL);
}

int acre_bytes_try_push(acre_bytes_producer *p, const void *record, size_t length)
{
    return acre_bytes_push_until(p, record, length, &acre__ring_at_once);
}

/* The next record of a batch, if there is room without waiting. */
static bool bytes_append(acre__side *side, uint64_t *at, const struct iovec *record)
{
    if (record->iov_len > bytes_longest(side->mask + 1))
        return false;
    uint64_t need = bytes_need(record->iov_len), all = need + bytes_skip(side, *at, need);
    if (side->limit - *at < all && ((void)side->look(side), side->limit - *at < all))
        return false;
    *at = bytes_write(side, bytes_pad(side, *at, need), record->iov_base, record->iov_len);
    return true;
}

int acre_bytes_push_many_until(acre_bytes_producer *p, const struct iovec *records, size_t n,
                               size_t *done, const struct timespec *deadline)
{
    uint64_t at;
    if (n == 0)
        return EINVAL;
    int e = bytes_room(&p->side, records[0].iov_len, &at, deadline);
    if (e)
        return e;
    p->held = 0;
    at = bytes_write(&p->side, at, records[0].iov_base, records[0].iov_len);
    size_t i = 1;
    while (i < n && bytes_append(&p->side, &at, &records[i]))
        i++;
    acre__side_publish(&p->side, at);
    *done = i;
    return 0;
}

int acre_bytes_push_many(acre_bytes_producer *p, const struct iovec *records, size_t n,
                         size_t *done)
{
    return acre_bytes_push_many_until(p, records, n, done, NULL);
}

int acre_bytes_try_push_many(acre_bytes_producer *p, const struct iovec *records, size_t n,
                             size_t *done)
{
    return acre_bytes_push_many_until(p, records, n, done, &acre__ring_at_once);
}

int acre_bytes_reserve_until(acre_bytes_producer *p, size_t length, void **record,
                             const struct timespec *deadline)
{
    uint64_t at;
    int e = bytes_room(&p->side, length, &at, deadline);
    if (e)
        return e;
    p->side.mine = at;
    p->held = bytes_need(length);
    *record = bytes_length_at(&p->side, at) + 1;
    return 0;
}

int acre_bytes_reserve(acre_bytes_producer *p, size_t length, void **record)
{
    return acre_bytes_reserve_until(p, length, record, NULL);
}

int acre_bytes_try_reserve(acre_bytes_producer *p, size_t length, void **record)
{
    return acre_bytes_reserve_until(p, length, record, &acre__ring_at_once);
}

int acre_bytes_commit(acre_bytes_producer *p, size_t length)
{
    if (!p->side.ring || p->side.thread != acre__this_thread.id)
        return EPERM;
    if (length > p->held || bytes_need(length) > p->held)
        return EINVAL;
    acre__put(bytes_length_at(&p->side, p->side.mine), (uint64_t)length);
    p->held = 0;
    acre__side_publish(&p->side, p->side.mine + bytes_need(length));
    return 0;
}

/* ---- reading ---- */

/* What stands at *at, behind padding, within the limit: its length, read once. */
static int bytes_parse(const acre__side *side, uint64_t *at, uint64_t *length)
{
    uint64_t there = side->limit - *at, n = acre__peek(bytes_length_at(side, *at));
    if (n == bytes_padding) {
        if (bytes_to_end(side, *at) >= there)
            return ACRE_ECORRUPT;
        there -= bytes_to_end(side, *at);
        *at += bytes_to_end(side, *at);
        n = acre__peek(bytes_length_at(side, *at));
    }
    if (n > bytes_longest(side->mask + 1) || bytes_need(n) > there ||
        bytes_need(n) > bytes_to_end(side, *at))
        return ACRE_ECORRUPT;
    *length = n;
    return 0;
}

static int bytes_first(acre__side *side, uint64_t *at, uint64_t *length,
                       const struct timespec *deadline)
{
    int e = bytes_ready(side, BYTES_LENGTH, deadline);
    *at = side->mine;
    return e ? e : bytes_parse(side, at, length);
}

static uint64_t bytes_fetch(const acre__side *side, uint64_t at, void *buffer, uint64_t length)
{
    if (length)
        memcpy(buffer, bytes_length_at(side, at) + 1, length);
    return at + bytes_need(length);
}

int acre_bytes_pop_until(acre_bytes_consumer *c, void *buffer, size_t size, size_t *length,
                         const struct timespec *deadline)
{
    uint64_t at, n;
    int e = bytes_first(&c->side, &at, &n, deadline);
    if (e)
        return e;
    if (n > size)
        return EMSGSIZE;
    c->held = 0;
    acre__side_publish(&c->side, bytes_fetch(&c->side, at, buffer, n));
    *length = n;
    return 0;
}

int acre_bytes_pop(acre_bytes_consumer *c, void *buffer, size_t size, size_t *length)
{
    return acre_bytes_pop_until(c, buffer, size, length, NULL);
}

int acre_bytes_try_pop(acre_bytes_consumer *c, void *buffer, size_t size, size_t *length)
{
    return acre_bytes_pop_until(c, buffer, size, length, &acre__ring_at_once);
}

/* The next record of a batch into its buffer, if it is there and fits. */
static bool bytes_take(acre__side *side, uint64_t *at, struct iovec *buffer)
{
    uint64_t next = *at, n;
    if (side->limit == next || bytes_parse(side, &next, &n) || n > buffer->iov_len)
        return false;
    *at = bytes_fetch(side, next, buffer->iov_base, n);
    buffer->iov_len = n;
    return true;
}

int acre_bytes_pop_many_until(acre_bytes_consumer *c, struct iovec *buffers, size_t n, size_t *done,
                              const struct timespec *deadline)
{
    uint64_t at, length;
    if (n == 0)
        return EINVAL;
    int e = bytes_first(&c->side, &at, &length, deadline);
    if (e)
        return e;
    size_t i = 0;
    for (at = c->side.mine; i < n && bytes_take(&c->side, &at, &buffers[i]);)
        i++;
    if (i == 0)
        return EMSGSIZE;
    c->held = 0;
    acre__side_publish(&c->side, at);
    *done = i;
    return 0;
}

int acre_bytes_pop_many(acre_bytes_consumer *c, struct iovec *buffers, size_t n, size_t *done)
{
    return acre_bytes_pop_many_until(c, buffers, n, done, NULL);
}

int acre_bytes_try_pop_many(acre_bytes_consumer *c, struct iovec *buffers, size_t n, size_t *done)
{
    return acre_bytes_pop_many_until(c, buffers, n, done, &acre__ring_at_once);
}

int acre_bytes_peek_until(acre_bytes_consumer *c, void **record, size_t *length,
                          const struct timespec *deadline)
{
    uint64_t at, n;
    int e = bytes_first(&c->side, &at, &n, deadline);
    if (e)
        return e;
    c->side.mine = at;
    c->held = bytes_need(n);
    *record = bytes_length_at(&c->side, at) + 1;
    *length = n;
    return 0;
}

int acre_bytes_peek(acre_bytes_consumer *c, void **record, size_t *length)
{
    return acre_bytes_peek_until(c, record, length, NULL);
}

int acre_bytes_try_peek(acre_bytes_consumer *c, void **record, size_t *length)
{
    return acre_bytes_peek_until(c, record, length, &acre__ring_at_once);
}

int acre_bytes_release(acre_bytes_consumer *c)
{
    if (!c->side.ring || c->side.thread != acre__this_thread.id)
        return EPERM;
    if (!c->held)
        return EINVAL;
    uint64_t next = c->side.mine + c->held;
    c->held = 0;
    acre__side_publish(&c->side, next);
    return 0;
}

/* ---- looking ---- */

size_t acre_bytes_capacity(const acre_bytes *ring)
{
    return acre__ring_capacity(&ring->pair.ring);
}

size_t acre_bytes_max(const acre_bytes *ring)
{
    return bytes_longest(acre__ring_capacity(&ring->pair.ring));
}

size_t acre_bytes_count(const acre_bytes *ring)
{
    return acre__pair_count(&ring->pair);
}

/* Records from head to tail, each where the one before it ends. */
static int bytes_walk(const acre_bytes *ring, const acre__ring_plan *plan)
{
    acre__side side = {.cells = (char *)(uintptr_t)ring + plan->cells,
                       .mask = ((uint64_t)1 << plan->shift) - 1,
                       .limit = acre__load(&ring->pair.tail.index)};
    uint64_t at = acre__load(&ring->pair.head.index), length;
    if ((at | side.limit) % 8 || side.limit - at > side.mask + 1)
        return ACRE_ECORRUPT;
    while (at != side.limit) {
        int e = bytes_parse(&side, &at, &length);
        if (e)
            return e;
        at += bytes_need(length);
    }
    return 0;
}

int acre_bytes_check(const acre_bytes *ring, size_t size)
{
    acre__ring_plan plan;
    int e = bytes_open(ring, size, &plan);
    if (!e)
        e = acre__pair_check(&ring->pair, &plan);
    return e ? e : bytes_walk(ring, &plan);
}

static bool bytes_has_room(void *arg)
{
    acre__side *side = arg;
    uint64_t need = bytes_need(bytes_longest(side->mask + 1));
    side->want = need + bytes_skip(side, side->mine, need);
    return acre__side_is_ready(side);
}

static bool bytes_has_record(void *arg)
{
    ((acre__side *)arg)->want = BYTES_LENGTH;
    return acre__side_is_ready(arg);
}

static const struct acre__wait_methods bytes_room_methods = {bytes_has_room, acre__side_prepare,
                                                             NULL};
static const struct acre__wait_methods bytes_record_methods = {bytes_has_record, acre__side_prepare,
                                                               NULL};

acre_waitable acre_bytes_producer_waitable(acre_bytes_producer *p)
{
    return (acre_waitable){&p->side, &bytes_room_methods};
}

acre_waitable acre_bytes_consumer_waitable(acre_bytes_consumer *c)
{
    return (acre_waitable){&c->side, &bytes_record_methods};
}
