/* SPDX-License-Identifier: MIT */
/* channel_acre_queue.c: acre's message queue, one by one and in batches. */
#include "bench/sync/channel_end.h"

#include "bench/sync/channel.h"

static acre_queue_options channel_queue_options(size_t capacity)
{
    return (acre_queue_options){.capacity = (uint32_t)capacity, .max_size = CHANNEL_MESSAGE};
}

static size_t channel_queue_bytes(size_t capacity)
{
    acre_queue_options o = channel_queue_options(capacity);
    return CHANNEL_HEADER + acre_queue_size(&o);
}

static const char *channel_queue_open(void *place, size_t capacity)
{
    acre_queue_options o = channel_queue_options(capacity);
    *(size_t *)place = acre_queue_size(&o);
    return acre_queue_init(channel_end_object(place), &o) ? "acre_queue_init failed" : NULL;
}

static bool channel_queue_attach(void *place, unsigned sides)
{
    (void)sides;
    return !acre_queue_attach(&channel_end_of(place)->queue, channel_end_object(place),
                              channel_end_bytes(place));
}

static void channel_queue_detach(void *place, unsigned sides)
{
    (void)sides;
    acre_queue_close(channel_end_of(place)->queue);
    channel_end_forget(place);
}

static inline int channel_queue_receive(acre_queue *q, channel_message *m)
{
    size_t size;
    int error = acre_queue_receive(q, m, sizeof *m, &size, NULL);
    return error ? error : size != sizeof *m;
}

#define CHANNEL_STEM channel_queue
#define CHANNEL_END(place) channel_end_of(place)->queue
#define CHANNEL_SEND(end, m) acre_queue_send(end, m, sizeof *(m), 0)
#define CHANNEL_RECEIVE(end, m) channel_queue_receive(end, m)
#include "bench/sync/channel_loop.h"

/* A batch of acre_message, each with a buffer of its own. */
static void channel_queue_batch(acre_message *list, channel_message *buffer)
{
    for (size_t i = 0; i < CHANNEL_BATCH; i++)
        list[i] = (acre_message){.data = &buffer[i], .size = sizeof *buffer};
}

static bool channel_queue_produce_many(void *place, size_t n)
{
    acre_queue *q = channel_end_of(place)->queue;
    channel_message buffer[CHANNEL_BATCH] = {0};
    acre_message list[CHANNEL_BATCH];
    channel_queue_batch(list, buffer);
    for (size_t done = 0, sent = 0; done < n; done += sent) {
        size_t count = channel_batch_of(done, n);
        for (size_t i = 0; i < count; i++)
            buffer[i].number = done + i;
        if (acre_queue_send_many(q, list, count, &sent))
            return false;
    }
    return true;
}

static bool channel_queue_consume_many(void *place, size_t n)
{
    acre_queue *q = channel_end_of(place)->queue;
    channel_message buffer[CHANNEL_BATCH];
    acre_message list[CHANNEL_BATCH];
    bool right = true;
    channel_queue_batch(list, buffer);
    for (size_t done = 0, got = 0; done < n; done += got) {
        if (acre_queue_receive_many(q, list, channel_batch_of(done, n), &got))
            return false;
        for (size_t i = 0; i < got; i++)
            right &= buffer[i].number == done + i;
    }
    return right;
}

void channel_acre_queue(void)
{
    static const channel_kind kind = {.implementation = "acre",
                                      .bytes = channel_queue_bytes,
                                      .open = channel_queue_open,
                                      .close = channel_end_close,
                                      .attach = channel_queue_attach,
                                      .detach = channel_queue_detach,
                                      .produce_many = channel_queue_produce_many,
                                      .consume_many = channel_queue_consume_many,
                                      CHANNEL_LOOPS(channel_queue)};
    channel_add("queue", &kind, 0);
}
