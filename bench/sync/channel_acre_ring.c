/* SPDX-License-Identifier: MIT */
/* channel_acre_ring.c: acre's rings for messages of one size.  They round 10 up to 16. */
#include "bench/sync/channel_end.h"

#include "bench/sync/channel.h"

/* What is the same for all: batches, by the names that a ring's functions have in common. */
#define CHANNEL_RING_MANY(stem, push_many, pop_many, producer, consumer)                           \
    static bool stem##_produce_many(void *place, size_t n)                                         \
    {                                                                                              \
        channel_message batch[CHANNEL_BATCH] = {0};                                                \
        channel_end *end = channel_end_of(place);                                                  \
        for (size_t done = 0, sent = 0; done < n; done += sent) {                                  \
            size_t count = channel_batch_of(done, n);                                              \
            for (size_t i = 0; i < count; i++)                                                     \
                batch[i].number = done + i;                                                        \
            if (push_many(&end->producer, batch, count, &sent))                                    \
                return false;                                                                      \
        }                                                                                          \
        return true;                                                                               \
    }                                                                                              \
    static bool stem##_consume_many(void *place, size_t n)                                         \
    {                                                                                              \
        channel_message batch[CHANNEL_BATCH];                                                      \
        channel_end *end = channel_end_of(place);                                                  \
        bool right = true;                                                                         \
        for (size_t done = 0, got = 0; done < n; done += got) {                                    \
            if (pop_many(&end->consumer, batch, channel_batch_of(done, n), &got))                  \
                return false;                                                                      \
            for (size_t i = 0; i < got; i++)                                                       \
                right &= batch[i].number == done + i;                                              \
        }                                                                                          \
        return right;                                                                              \
    }

#define CHANNEL_RING(stem)                                                                         \
    {                                                                                              \
        .implementation = "acre", .bytes = stem##_bytes, .open = stem##_open,                      \
        .close = channel_end_close, .attach = stem##_attach, .detach = stem##_detach,              \
        .produce_many = stem##_produce_many, .consume_many = stem##_consume_many,                  \
        CHANNEL_LOOPS(stem)                                                                        \
    }

/* ---- spsc ---- */

static size_t channel_spsc_bytes(size_t capacity)
{
    return CHANNEL_HEADER + acre_spsc_size((uint32_t)capacity, CHANNEL_MESSAGE);
}

static const char *channel_spsc_open(void *place, size_t capacity)
{
    size_t size = *(size_t *)place = acre_spsc_size((uint32_t)capacity, CHANNEL_MESSAGE);
    int error =
        acre_spsc_init(channel_end_object(place), size, (uint32_t)capacity, CHANNEL_MESSAGE);
    return error ? "acre_spsc_init failed" : NULL;
}

static bool channel_spsc_attach(void *place, unsigned sides)
{
    channel_end *e = channel_end_of(place);
    acre_spsc *ring = channel_end_object(place);
    size_t size = channel_end_bytes(place);
    return (!(sides & CHANNEL_SENDS) ||
            !acre_spsc_producer_attach(&e->spsc.producer, ring, size, CHANNEL_MESSAGE)) &&
           (!(sides & CHANNEL_RECEIVES) ||
            !acre_spsc_consumer_attach(&e->spsc.consumer, ring, size, CHANNEL_MESSAGE));
}

static void channel_spsc_detach(void *place, unsigned sides)
{
    channel_end *e = channel_end_of(place);
    if (sides & CHANNEL_SENDS)
        acre_spsc_producer_detach(&e->spsc.producer);
    if (sides & CHANNEL_RECEIVES)
        acre_spsc_consumer_detach(&e->spsc.consumer);
    channel_end_forget(place);
}

#define CHANNEL_STEM channel_spsc
#define CHANNEL_END(place) channel_end_of(place)
#define CHANNEL_SEND(end, m) acre_spsc_push(&end->spsc.producer, m)
#define CHANNEL_RECEIVE(end, m) acre_spsc_pop(&end->spsc.consumer, m)
#include "bench/sync/channel_loop.h"
CHANNEL_RING_MANY(channel_spsc, acre_spsc_push_many, acre_spsc_pop_many, spsc.producer,
                  spsc.consumer)

/* ---- mpmc ---- */

static size_t channel_mpmc_bytes(size_t capacity)
{
    return CHANNEL_HEADER + acre_mpmc_size((uint32_t)capacity, CHANNEL_MESSAGE);
}

static const char *channel_mpmc_open(void *place, size_t capacity)
{
    size_t size = *(size_t *)place = acre_mpmc_size((uint32_t)capacity, CHANNEL_MESSAGE);
    int error =
        acre_mpmc_init(channel_end_object(place), size, (uint32_t)capacity, CHANNEL_MESSAGE);
    return error ? "acre_mpmc_init failed" : NULL;
}

static bool channel_mpmc_attach(void *place, unsigned sides)
{
    (void)sides;
    return !acre_mpmc_attach(&channel_end_of(place)->mpmc, channel_end_object(place),
                             channel_end_bytes(place), CHANNEL_MESSAGE);
}

static void channel_mpmc_detach(void *place, unsigned sides)
{
    (void)sides;
    acre_mpmc_detach(&channel_end_of(place)->mpmc);
    channel_end_forget(place);
}

#define CHANNEL_STEM channel_mpmc
#define CHANNEL_END(place) channel_end_of(place)
#define CHANNEL_SEND(end, m) acre_mpmc_push(&end->mpmc, m)
#define CHANNEL_RECEIVE(end, m) acre_mpmc_pop(&end->mpmc, m)
#include "bench/sync/channel_loop.h"
CHANNEL_RING_MANY(channel_mpmc, acre_mpmc_push_many, acre_mpmc_pop_many, mpmc, mpmc)

/* ---- broadcast, to one consumer ---- */

static size_t channel_broadcast_bytes(size_t capacity)
{
    return CHANNEL_HEADER + acre_broadcast_size((uint32_t)capacity, CHANNEL_MESSAGE, 1);
}

static const char *channel_broadcast_open(void *place, size_t capacity)
{
    size_t size = *(size_t *)place = acre_broadcast_size((uint32_t)capacity, CHANNEL_MESSAGE, 1);
    int error = acre_broadcast_init(channel_end_object(place), size, (uint32_t)capacity,
                                    CHANNEL_MESSAGE, 1);
    return error ? "acre_broadcast_init failed" : NULL;
}

static bool channel_broadcast_attach(void *place, unsigned sides)
{
    channel_end *e = channel_end_of(place);
    acre_broadcast *ring = channel_end_object(place);
    size_t size = channel_end_bytes(place);
    return (!(sides & CHANNEL_SENDS) ||
            !acre_broadcast_producer_attach(&e->broadcast.producer, ring, size, CHANNEL_MESSAGE)) &&
           (!(sides & CHANNEL_RECEIVES) ||
            !acre_broadcast_consumer_attach(&e->broadcast.consumer, ring, size, CHANNEL_MESSAGE));
}

static void channel_broadcast_detach(void *place, unsigned sides)
{
    channel_end *e = channel_end_of(place);
    if (sides & CHANNEL_SENDS)
        acre_broadcast_producer_detach(&e->broadcast.producer);
    if (sides & CHANNEL_RECEIVES)
        acre_broadcast_consumer_detach(&e->broadcast.consumer);
    channel_end_forget(place);
}

#define CHANNEL_STEM channel_broadcast
#define CHANNEL_END(place) channel_end_of(place)
#define CHANNEL_SEND(end, m) acre_broadcast_push(&end->broadcast.producer, m)
#define CHANNEL_RECEIVE(end, m) acre_broadcast_pop(&end->broadcast.consumer, m)
#include "bench/sync/channel_loop.h"
CHANNEL_RING_MANY(channel_broadcast, acre_broadcast_push_many, acre_broadcast_pop_many,
                  broadcast.producer, broadcast.consumer)

void channel_acre_rings(void)
{
    static const channel_kind spsc = CHANNEL_RING(channel_spsc), mpmc = CHANNEL_RING(channel_mpmc),
                              broadcast = CHANNEL_RING(channel_broadcast);
    channel_add("spsc", &spsc, CHANNEL_ONE_TO_ONE);
    channel_add("mpmc", &mpmc, 0);
    channel_add("broadcast", &broadcast, CHANNEL_ONE_TO_ONE);
}
