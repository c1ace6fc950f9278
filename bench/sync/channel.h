/* SPDX-License-Identifier: MIT */
/* channel.h: whatever carries messages, of one implementation. */
#ifndef ACRE_BENCH_SYNC_CHANNEL_H
#define ACRE_BENCH_SYNC_CHANNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { CHANNEL_MESSAGE = 64, CHANNEL_BATCH = 32 };

typedef struct channel_message {
    uint64_t number; /* counts from 0: what is lost, doubled or out of order is noticed */
    char rest[CHANNEL_MESSAGE - 8];
} channel_message;

enum channel_side { CHANNEL_SENDS = 1, CHANNEL_RECEIVES = 2 };

/* A loop over n messages.  false: an operation failed, or a message was not the one expected. */
typedef bool channel_loop(void *place, size_t n);
typedef bool channel_trip(void *to, void *from, size_t n);

/* `place` is memory that all share, of bytes(capacity).  Opened by one process before the others
 * are forked, attached by each. */
typedef struct channel_kind {
    const char *implementation;
    size_t (*bytes)(size_t capacity);
    const char *(*open)(void *place, size_t capacity); /* NULL, or why not */
    void (*close)(void *place);
    bool (*attach)(void *place, unsigned sides); /* may be absent, as detach */
    void (*detach)(void *place, unsigned sides);
    channel_loop *produce, *consume;
    channel_loop *produce_many, *consume_many; /* in batches, or the same */
    channel_loop *both;                        /* sends one, receives one, not always the same */
    channel_trip *ask, *serve;
} channel_kind;

/* How many of the n are in the next batch, when `done` have been. */
static inline size_t channel_batch_of(size_t done, size_t n)
{
    return n - done < CHANNEL_BATCH ? n - done : CHANNEL_BATCH;
}

/* Flags of what a primitive is not measured for. */
enum channel_limits { CHANNEL_ONE_TO_ONE = 1 };

void channel_add(const char *primitive, const channel_kind *k, unsigned limits);

/* One for each implementation; they call channel_add(). */
void channel_acre_queue(void);
void channel_acre_rings(void);
void channel_posix(void);
void channel_pipe(void);
void channel_boost(void);

#endif
