/* SPDX-License-Identifier: MIT */
/* channel_posix.c: POSIX message queues.  The kernel's limit of 10 messages is raised for the
 * moment of mq_open() where that is allowed; the queue keeps what it got.  The name is gone at
 * once, descriptors go through fork(). */
#include "bench/sync/channel.h"

#include <fcntl.h>
#include <mqueue.h>
#include <stdio.h>
#include <unistd.h>

static const char channel_limit[] = "/proc/sys/fs/mqueue/msg_max";

static size_t channel_mq_bytes(size_t capacity)
{
    (void)capacity;
    return sizeof(mqd_t);
}

static long channel_mq_limit(void)
{
    long limit = 10;
    FILE *f = fopen(channel_limit, "r");
    if (f && fscanf(f, "%ld", &limit) != 1)
        limit = 10;
    if (f)
        fclose(f);
    return limit;
}

static bool channel_mq_set_limit(long limit)
{
    FILE *f = fopen(channel_limit, "w");
    if (!f)
        return false;
    fprintf(f, "%ld\n", limit);
    return fclose(f) == 0;
}

static mqd_t channel_mq_create(size_t capacity)
{
    struct mq_attr how = {.mq_maxmsg = (long)capacity, .mq_msgsize = CHANNEL_MESSAGE};
    char name[64];
    snprintf(name, sizeof name, "/acre-bench-%d", getpid());
    mqd_t q = mq_open(name, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC, 0600, &how);
    mq_unlink(name);
    return q;
}

static const char *channel_mq_open(void *place, size_t capacity)
{
    long limit = channel_mq_limit();
    bool raised = limit < (long)capacity;
    if (raised && !channel_mq_set_limit((long)capacity))
        return "fs.mqueue.msg_max is too low, and only root may raise it";
    mqd_t q = channel_mq_create(capacity);
    if (raised)
        channel_mq_set_limit(limit);
    *(mqd_t *)place = q;
    return q < 0 ? "mq_open failed" : NULL;
}

static void channel_mq_close(void *place)
{
    mq_close(*(mqd_t *)place);
}

static inline int channel_mq_send_one(const mqd_t *q, const channel_message *m)
{
    return mq_send(*q, (const char *)m, sizeof *m, 0);
}

static inline int channel_mq_receive_one(const mqd_t *q, channel_message *m)
{
    return mq_receive(*q, (char *)m, sizeof *m, NULL) != sizeof *m;
}

#define CHANNEL_STEM channel_mq
#define CHANNEL_END(place) ((const mqd_t *)(place))
#define CHANNEL_SEND(end, m) channel_mq_send_one(end, m)
#define CHANNEL_RECEIVE(end, m) channel_mq_receive_one(end, m)
#include "bench/sync/channel_loop.h"

void channel_posix(void)
{
    static const channel_kind kind = {.implementation = "posix",
                                      .bytes = channel_mq_bytes,
                                      .open = channel_mq_open,
                                      .close = channel_mq_close,
                                      CHANNEL_LOOPS(channel_mq)};
    channel_add("queue", &kind, 0);
    channel_add("spsc", &kind, CHANNEL_ONE_TO_ONE);
    channel_add("mpmc", &kind, 0);
}
