/* SPDX-License-Identifier: MIT */
/* ring_spsc.c: acre_spsc: two sides (side.h) and cells of one size between them.
 *
 * Cost of a message: the copy, a store of the index, a look at the other side's event; once a lap
 * or when the ring runs empty or full, a load of the other side's index. */
#include "sync/side.h"

static acre__ring_plan spsc_plan(uint32_t capacity, uint32_t message)
{
    return acre__ring_plan_make(sizeof(acre_spsc), capacity, message, acre__ring_round8(message));
}

size_t acre_spsc_size(uint32_t capacity, uint32_t message)
{
    return spsc_plan(capacity, message).size;
}

int acre_spsc_init(acre_spsc *ring, size_t size, uint32_t capacity, uint32_t message)
{
    acre__ring_plan plan = spsc_plan(capacity, message);
    int e = acre__ring_begin(ring, size, &plan);
    if (!e)
        acre__ring_publish(&ring->pair.ring, ACRE__SPSC, &plan);
    return e;
}

/* The plan of a ring that is there. */
static int spsc_open(const acre_spsc *ring, size_t size, acre__ring_plan *plan)
{
    acre__ring seen;
    int e = acre__ring_read(ring, size, ACRE__SPSC, &seen);
    if (e)
        return e;
    *plan = spsc_plan((uint32_t)1 << seen.shift, seen.message);
    return acre__ring_fits(&seen, plan, size);
}

static int spsc_expect(const acre_spsc *ring, size_t size, uint32_t message, acre__ring_plan *plan)
{
    int e = spsc_open(ring, size, plan);
    return e ? e : plan->message == message ? 0 : EMSGSIZE;
}

int acre_spsc_producer_attach(acre_spsc_producer *p, acre_spsc *ring, size_t size, uint32_t message)
{
    acre__ring_plan plan;
    int e = spsc_expect(ring, size, message, &plan);
    return e ? e : acre__side_begin(&p->side, acre__side_producer(&ring->pair, &plan), &plan);
}

int acre_spsc_consumer_attach(acre_spsc_consumer *c, acre_spsc *ring, size_t size, uint32_t message)
{
    acre__ring_plan plan;
    int e = spsc_expect(ring, size, message, &plan);
    return e ? e : acre__side_begin(&c->side, acre__side_consumer(&ring->pair), &plan);
}

int acre_spsc_producer_detach(acre_spsc_producer *p)
{
    return acre__side_end(&p->side);
}

int acre_spsc_consumer_detach(acre_spsc_consumer *c)
{
    return acre__side_end(&c->side);
}

/* ---- one message ---- */

int acre_spsc_push_until(acre_spsc_producer *p, const void *message,
                         const struct timespec *deadline)
{
    return acre__side_put(&p->side, message, deadline);
}

int acre_spsc_push(acre_spsc_producer *p, const void *message)
{
    return acre__side_put(&p->side, message, NULL);
}

int acre_spsc_try_push(acre_spsc_producer *p, const void *message)
{
    return acre__side_put(&p->side, message, &acre__ring_at_once);
}

int acre_spsc_pop_until(acre_spsc_consumer *c, void *message, const struct timespec *deadline)
{
    return acre__side_get(&c->side, message, deadline);
}

int acre_spsc_pop(acre_spsc_consumer *c, void *message)
{
    return acre__side_get(&c->side, message, NULL);
}

int acre_spsc_try_pop(acre_spsc_consumer *c, void *message)
{
    return acre__side_get(&c->side, message, &acre__ring_at_once);
}

/* ---- several ---- */

int acre_spsc_push_many_until(acre_spsc_producer *p, const void *messages, size_t n, size_t *done,
                              const struct timespec *deadline)
{
    return acre__side_put_many(&p->side, messages, n, done, deadline);
}

int acre_spsc_push_many(acre_spsc_producer *p, const void *messages, size_t n, size_t *done)
{
    return acre_spsc_push_many_until(p, messages, n, done, NULL);
}

int acre_spsc_try_push_many(acre_spsc_producer *p, const void *messages, size_t n, size_t *done)
{
    return acre_spsc_push_many_until(p, messages, n, done, &acre__ring_at_once);
}

int acre_spsc_pop_many_until(acre_spsc_consumer *c, void *messages, size_t n, size_t *done,
                             const struct timespec *deadline)
{
    return acre__side_get_many(&c->side, messages, n, done, deadline);
}

int acre_spsc_pop_many(acre_spsc_consumer *c, void *messages, size_t n, size_t *done)
{
    return acre_spsc_pop_many_until(c, messages, n, done, NULL);
}

int acre_spsc_try_pop_many(acre_spsc_consumer *c, void *messages, size_t n, size_t *done)
{
    return acre_spsc_pop_many_until(c, messages, n, done, &acre__ring_at_once);
}

/* ---- without a copy ---- */

int acre_spsc_reserve_until(acre_spsc_producer *p, void **cells, size_t *n,
                            const struct timespec *deadline)
{
    return acre__side_cells(&p->side, cells, n, deadline);
}

int acre_spsc_reserve(acre_spsc_producer *p, void **cells, size_t *n)
{
    return acre_spsc_reserve_until(p, cells, n, NULL);
}

int acre_spsc_try_reserve(acre_spsc_producer *p, void **cells, size_t *n)
{
    return acre_spsc_reserve_until(p, cells, n, &acre__ring_at_once);
}

int acre_spsc_commit(acre_spsc_producer *p, size_t n)
{
    return acre__side_give(&p->side, n);
}

int acre_spsc_peek_until(acre_spsc_consumer *c, void **cells, size_t *n,
                         const struct timespec *deadline)
{
    return acre__side_cells(&c->side, cells, n, deadline);
}

int acre_spsc_peek(acre_spsc_consumer *c, void **cells, size_t *n)
{
    return acre_spsc_peek_until(c, cells, n, NULL);
}

int acre_spsc_try_peek(acre_spsc_consumer *c, void **cells, size_t *n)
{
    return acre_spsc_peek_until(c, cells, n, &acre__ring_at_once);
}

int acre_spsc_release(acre_spsc_consumer *c, size_t n)
{
    return acre__side_give(&c->side, n);
}

/* ---- looking ---- */

size_t acre_spsc_capacity(const acre_spsc *ring)
{
    return acre__ring_capacity(&ring->pair.ring);
}

size_t acre_spsc_message(const acre_spsc *ring)
{
    return acre__peek(&ring->pair.ring.message);
}

size_t acre_spsc_cell(const acre_spsc *ring)
{
    return acre__peek(&ring->pair.ring.cell);
}

size_t acre_spsc_count(const acre_spsc *ring)
{
    return acre__pair_count(&ring->pair);
}

int acre_spsc_check(const acre_spsc *ring, size_t size)
{
    acre__ring_plan plan;
    int e = spsc_open(ring, size, &plan);
    return e ? e : acre__pair_check(&ring->pair, &plan);
}

acre_waitable acre_spsc_producer_waitable(acre_spsc_producer *p)
{
    return acre__side_waitable(&p->side);
}

acre_waitable acre_spsc_consumer_waitable(acre_spsc_consumer *c)
{
    return acre__side_waitable(&c->side);
}
