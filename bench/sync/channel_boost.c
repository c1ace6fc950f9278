/* SPDX-License-Identifier: MIT */
/* channel_boost.c: Boost's message_queue.  Its handle lies in the arena, so that the mapping goes
 * through fork(); the name is gone at once. */
#include "bench/library.h"
#include "bench/sync/channel.h"

#include <stdio.h>
#include <unistd.h>

static const boost_queue *channel_boost_table;

static size_t channel_boost_bytes(size_t capacity)
{
    (void)capacity;
    return channel_boost_table->size;
}

static const char *channel_boost_open(void *place, size_t capacity)
{
    char name[64];
    snprintf(name, sizeof name, "acre-bench-%d", getpid());
    channel_boost_table->remove(name);
    int error = channel_boost_table->create(place, name, capacity, CHANNEL_MESSAGE);
    channel_boost_table->remove(name);
    return error ? "Boost threw" : NULL;
}

static void channel_boost_close(void *place)
{
    channel_boost_table->close(place);
}

static inline int channel_boost_receive_one(void *place, channel_message *m)
{
    size_t size;
    unsigned priority;
    int error = channel_boost_table->receive(place, m, sizeof *m, &size, &priority);
    return error ? error : size != sizeof *m;
}

#define CHANNEL_STEM channel_boost
#define CHANNEL_END(place) (place)
#define CHANNEL_SEND(end, m) channel_boost_table->send(end, m, sizeof *(m), 0)
#define CHANNEL_RECEIVE(end, m) channel_boost_receive_one(end, m)
#include "bench/sync/channel_loop.h"

void channel_boost(void)
{
    static const channel_kind kind = {.implementation = "boost",
                                      .bytes = channel_boost_bytes,
                                      .open = channel_boost_open,
                                      .close = channel_boost_close,
                                      CHANNEL_LOOPS(channel_boost)};
    const boost_sync *boost = acre_library_boost_sync();
    if (!boost)
        return;
    channel_boost_table = &boost->queue;
    channel_add("queue", &kind, 0);
    channel_add("spsc", &kind, CHANNEL_ONE_TO_ONE);
    channel_add("mpmc", &kind, 0);
}
