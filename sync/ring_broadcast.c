/* SPDX-License-Identifier: MIT */
/* ring_broadcast.c: acre_broadcast: one producer's side (side.h) against many consumers' sides.
 *
 *     consumer 2      consumer 0                   consumer 1   tail
 *     ▼               ▼                            ▼            ▼
 *     │ held for 2    │ held for 2 and 0           │            │ free …
 *     └── the slowest: the producer may go to here + capacity
 *
 * Each consumer's index stands beside its cell.  The producer looks at all of them when its limit
 * is used up, about once a lap; one whose owner has died is freed then.
 *
 * Joining.  A consumer claims a place, then reads the tail, then makes that its index.  Until then
 * the place holds the index of an earlier owner, which is smaller, and so holds the producer up
 * rather than letting it go on.  A producer that has looked before the claim goes on by at most a
 * lap from the tail of that time; it has made its tail seen before it looked (a fence), so the tail
 * that the consumer reads is not older, and nothing from there on is overwritten.
 *
 * Killed where?
 *     producer    as side.h; while it frees a dead one's place: it is freed, or still to be
 *     consumer    claimed, index not written: the place is a dead one's, freed by whoever meets it
 *     consumer    anywhere later: the same
 */
#include "sync/side.h"

static acre__ring_plan broadcast_plan(uint32_t capacity, uint32_t message, uint32_t consumers)
{
    size_t header = sizeof(acre_broadcast) + consumers * sizeof(acre__ring_role);
    acre__ring_plan plan =
        acre__ring_plan_make(header, capacity, message, acre__ring_round8(message));
    plan.places = consumers;
    if (consumers == 0 || consumers > ACRE_RING_CONSUMERS_MAX)
        plan.size = 0;
    return plan;
}

size_t acre_broadcast_size(uint32_t capacity, uint32_t message, uint32_t consumers)
{
    return broadcast_plan(capacity, message, consumers).size;
}

int acre_broadcast_init(acre_broadcast *ring, size_t size, uint32_t capacity, uint32_t message,
                        uint32_t consumers)
{
    acre__ring_plan plan = broadcast_plan(capacity, message, consumers);
    int e = acre__ring_begin(ring, size, &plan);
    if (!e)
        acre__ring_publish(&ring->ring, ACRE__BROADCAST, &plan);
    return e;
}

static int broadcast_open(const acre_broadcast *ring, size_t size, acre__ring_plan *plan)
{
    acre__ring seen;
    int e = acre__ring_read(ring, size, ACRE__BROADCAST, &seen);
    if (e)
        return e;
    *plan = broadcast_plan((uint32_t)1 << seen.shift, seen.message, seen.places);
    return acre__ring_fits(&seen, plan, size);
}

static acre__ring_role *broadcast_place(const acre_broadcast *ring, uint32_t i)
{
    return (acre__ring_role *)(uintptr_t)(ring + 1) + i;
}

/* ---- the producer's limit ---- */

/* How many messages are held for this consumer; 0 if there is none. */
static uint64_t broadcast_held(acre__ring_role *place, uint64_t tail)
{
    uint32_t word = acre__load(&place->cell.word);
    if (!acre__ownerless(word))
        return tail - acre__load(&place->index);
    if (word & ACRE__D)
        acre__cas(&place->cell.word, &word, 0u);
    return 0;
}

/* As acre__side_look().  An index of before joining may be further back than a lap. */
static int broadcast_look(void *arg)
{
    acre__side *side = arg;
    acre_broadcast *ring = (acre_broadcast *)(void *)side->ring;
    uint64_t most = 0, capacity = side->mask + 1;
    acre__fence();
    for (uint32_t i = 0; i < side->places; i++) {
        uint64_t held = broadcast_held(broadcast_place(ring, i), side->mine);
        if ((int64_t)held < 0)
            return ACRE_ECORRUPT;
        most = held > most ? held : most;
    }
    if (most <= capacity && side->mine + (capacity - most) > side->limit)
        side->limit = side->mine + (capacity - most);
    return side->limit - side->mine < side->want ? EAGAIN : 0;
}

/* ---- attaching ---- */

static int broadcast_expect(const acre_broadcast *ring, size_t size, uint32_t message,
                            acre__ring_plan *plan)
{
    int e = broadcast_open(ring, size, plan);
    return e ? e : plan->message == message ? 0 : EMSGSIZE;
}

int acre_broadcast_producer_attach(acre_broadcast_producer *p, acre_broadcast *ring, size_t size,
                                   uint32_t message)
{
    acre__ring_plan plan;
    int e = broadcast_expect(ring, size, message, &plan);
    if (e)
        return e;
    acre__side side = {.ring = &ring->ring,
                       .index = &ring->tail.index,
                       .event = &ring->tail.event,
                       .sleep = &ring->emptied.event,
                       .places = plan.places,
                       .look = broadcast_look,
                       .role = &ring->producer.cell};
    return acre__side_begin(&p->side, side, &plan);
}

static acre__side broadcast_consumer(acre_broadcast *ring, acre__ring_role *place)
{
    return (acre__side){.ring = &ring->ring,
                        .index = &place->index,
                        .event = &ring->emptied.event,
                        .other = &ring->tail.index,
                        .sleep = &ring->tail.event,
                        .look = acre__side_look,
                        .role = &place->cell,
                        .peer = &ring->producer.cell};
}

int acre_broadcast_consumer_attach(acre_broadcast_consumer *c, acre_broadcast *ring, size_t size,
                                   uint32_t message)
{
    acre__ring_plan plan;
    int e = broadcast_expect(ring, size, message, &plan);
    if (e)
        return e;
    e = EBUSY;
    for (uint32_t i = 0; i < plan.places && e == EBUSY; i++)
        e = acre__side_join(&c->side, broadcast_consumer(ring, broadcast_place(ring, i)), &plan);
    return e == EBUSY ? EAGAIN : e;
}

int acre_broadcast_producer_detach(acre_broadcast_producer *p)
{
    return acre__side_end(&p->side);
}

int acre_broadcast_consumer_detach(acre_broadcast_consumer *c)
{
    return acre__side_end(&c->side);
}

/* ---- one message ---- */

int acre_broadcast_push_until(acre_broadcast_producer *p, const void *message,
                              const struct timespec *deadline)
{
    return acre__side_put(&p->side, message, deadline);
}

int acre_broadcast_push(acre_broadcast_producer *p, const void *message)
{
    return acre__side_put(&p->side, message, NULL);
}

int acre_broadcast_try_push(acre_broadcast_producer *p, const void *message)
{
    return acre__side_put(&p->side, message, &acre__ring_at_once);
}

int acre_broadcast_pop_until(acre_broadcast_consumer *c, void *message,
                             const struct timespec *deadline)
{
    return acre__side_get(&c->side, message, deadline);
}

int acre_broadcast_pop(acre_broadcast_consumer *c, void *message)
{
    return acre__side_get(&c->side, message, NULL);
}

int acre_broadcast_try_pop(acre_broadcast_consumer *c, void *message)
{
    return acre__side_get(&c->side, message, &acre__ring_at_once);
}

/* ---- several ---- */

int acre_broadcast_push_many_until(acre_broadcast_producer *p, const void *messages, size_t n,
                                   size_t *done, const struct timespec *deadline)
{
    return acre__side_put_many(&p->side, messages, n, done, deadline);
}

int acre_broadcast_push_many(acre_broadcast_producer *p, const void *messages, size_t n,
                             size_t *done)
{
    return acre_broadcast_push_many_until(p, messages, n, done, NULL);
}

int acre_broadcast_try_push_many(acre_broadcast_producer *p, const void *messages, size_t n,
                                 size_t *done)
{
    return acre_broadcast_push_many_until(p, messages, n, done, &acre__ring_at_once);
}

int acre_broadcast_pop_many_until(acre_broadcast_consumer *c, void *messages, size_t n,
                                  size_t *done, const struct timespec *deadline)
{
    return acre__side_get_many(&c->side, messages, n, done, deadline);
}

int acre_broadcast_pop_many(acre_broadcast_consumer *c, void *messages, size_t n, size_t *done)
{
    return acre_broadcast_pop_many_until(c, messages, n, done, NULL);
}

int acre_broadcast_try_pop_many(acre_broadcast_consumer *c, void *messages, size_t n, size_t *done)
{
    return acre_broadcast_pop_many_until(c, messages, n, done, &acre__ring_at_once);
}

/* ---- without a copy ---- */

int acre_broadcast_reserve_until(acre_broadcast_producer *p, void **cells, size_t *n,
                                 const struct timespec *deadline)
{
    return acre__side_cells(&p->side, cells, n, deadline);
}

int acre_broadcast_reserve(acre_broadcast_producer *p, void **cells, size_t *n)
{
    return acre_broadcast_reserve_until(p, cells, n, NULL);
}

int acre_broadcast_try_reserve(acre_broadcast_producer *p, void **cells, size_t *n)
{
    return acre_broadcast_reserve_until(p, cells, n, &acre__ring_at_once);
}

int acre_broadcast_commit(acre_broadcast_producer *p, size_t n)
{
    return acre__side_give(&p->side, n);
}

int acre_broadcast_peek_until(acre_broadcast_consumer *c, void **cells, size_t *n,
                              const struct timespec *deadline)
{
    return acre__side_cells(&c->side, cells, n, deadline);
}

int acre_broadcast_peek(acre_broadcast_consumer *c, void **cells, size_t *n)
{
    return acre_broadcast_peek_until(c, cells, n, NULL);
}

int acre_broadcast_try_peek(acre_broadcast_consumer *c, void **cells, size_t *n)
{
    return acre_broadcast_peek_until(c, cells, n, &acre__ring_at_once);
}

int acre_broadcast_release(acre_broadcast_consumer *c, size_t n)
{
    return acre__side_give(&c->side, n);
}

/* ---- looking ---- */

size_t acre_broadcast_capacity(const acre_broadcast *ring)
{
    return acre__ring_capacity(&ring->ring);
}

size_t acre_broadcast_message(const acre_broadcast *ring)
{
    return acre__peek(&ring->ring.message);
}

size_t acre_broadcast_cell(const acre_broadcast *ring)
{
    return acre__peek(&ring->ring.cell);
}

static uint32_t broadcast_places(const acre_broadcast *ring)
{
    uint32_t n = acre__peek(&ring->ring.places);
    return n < ACRE_RING_CONSUMERS_MAX ? n : ACRE_RING_CONSUMERS_MAX;
}

size_t acre_broadcast_consumers(const acre_broadcast *ring)
{
    size_t n = 0;
    for (uint32_t i = 0; i < broadcast_places(ring); i++)
        n += !acre__ownerless(acre__load(&broadcast_place(ring, i)->cell.word));
    return n;
}

size_t acre_broadcast_count(const acre_broadcast_consumer *c)
{
    uint64_t n = c->side.ring ? acre__load(c->side.other) - c->side.mine : 0;
    return n <= c->side.mask + 1 ? n : 0;
}

/* No consumer is ahead of the producer: its index is read first. */
int acre_broadcast_check(const acre_broadcast *ring, size_t size)
{
    acre__ring_plan plan;
    int e = broadcast_open(ring, size, &plan);
    for (uint32_t i = 0; !e && i < plan.places; i++) {
        uint64_t index = acre__load(&broadcast_place(ring, i)->index);
        if ((int64_t)(acre__load(&ring->tail.index) - index) < 0)
            e = ACRE_ECORRUPT;
    }
    return e;
}

acre_waitable acre_broadcast_producer_waitable(acre_broadcast_producer *p)
{
    return acre__side_waitable(&p->side);
}

acre_waitable acre_broadcast_consumer_waitable(acre_broadcast_consumer *c)
{
    return acre__side_waitable(&c->side);
}
