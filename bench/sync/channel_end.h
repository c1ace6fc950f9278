/* SPDX-License-Identifier: MIT */
/* channel_end.h: handles that belong to one process, found by the place that they are for. */
#ifndef ACRE_BENCH_SYNC_CHANNEL_END_H
#define ACRE_BENCH_SYNC_CHANNEL_END_H

#include <acre/queue.h>
#include <acre/ring.h>

typedef struct channel_end {
    void *place; /* NULL: unused */
    union {
        acre_queue *queue;
        acre_mpmc_handle mpmc;
        struct {
            acre_spsc_producer producer;
            acre_spsc_consumer consumer;
        } spsc;
        struct {
            acre_broadcast_producer producer;
            acre_broadcast_consumer consumer;
        } broadcast;
    };
} channel_end;

/* This process's end of `place`; a fresh one if it has none. */
channel_end *channel_end_of(void *place);
void channel_end_forget(void *place);

/* For channel_kind.close: memory is given up as it is. */
void channel_end_close(void *place);

/* Each place begins with its size, for those who attach. */
enum { CHANNEL_HEADER = 64 };

static inline size_t channel_end_bytes(const void *place)
{
    return *(const size_t *)place;
}

static inline void *channel_end_object(void *place)
{
    return (char *)place + CHANNEL_HEADER;
}

#endif
