/* SPDX-License-Identifier: MIT */
/* channel_pipe.c: a pipe.  Its capacity is in pages: 64 messages where 10 are asked for, 1024 where
 * 1024 are.  Writes up to a page are whole, so all that is read is whole messages, too. */
#include "bench/sync/channel.h"

#include <fcntl.h>
#include <unistd.h>

typedef struct channel_fds {
    int from, to;
} channel_fds;

static size_t channel_pipe_bytes(size_t capacity)
{
    (void)capacity;
    return sizeof(channel_fds);
}

static const char *channel_pipe_open(void *place, size_t capacity)
{
    int fd[2];
    if (pipe2(fd, O_CLOEXEC))
        return "pipe2 failed";
    *(channel_fds *)place = (channel_fds){.from = fd[0], .to = fd[1]};
    if (fcntl(fd[1], F_SETPIPE_SZ, (int)capacity * CHANNEL_MESSAGE) >= 0)
        return NULL;
    close(fd[0]);
    close(fd[1]);
    return "F_SETPIPE_SZ failed";
}

static void channel_pipe_close(void *place)
{
    close(((channel_fds *)place)->from);
    close(((channel_fds *)place)->to);
}

static inline int channel_pipe_send_one(const channel_fds *p, const channel_message *m)
{
    return write(p->to, m, sizeof *m) != sizeof *m;
}

static inline int channel_pipe_receive_one(const channel_fds *p, channel_message *m)
{
    return read(p->from, m, sizeof *m) != sizeof *m;
}

#define CHANNEL_STEM channel_pipe
#define CHANNEL_END(place) ((const channel_fds *)(place))
#define CHANNEL_SEND(end, m) channel_pipe_send_one(end, m)
#define CHANNEL_RECEIVE(end, m) channel_pipe_receive_one(end, m)
#include "bench/sync/channel_loop.h"

static bool channel_pipe_produce_many(void *place, size_t n)
{
    const channel_fds *p = place;
    channel_message batch[CHANNEL_BATCH] = {0};
    for (size_t sent = 0; sent < n;) {
        size_t count = channel_batch_of(sent, n);
        for (size_t i = 0; i < count; i++)
            batch[i].number = sent + i;
        if (write(p->to, batch, count * sizeof *batch) != (ssize_t)(count * sizeof *batch))
            return false;
        sent += count;
    }
    return true;
}

static bool channel_pipe_consume_many(void *place, size_t n)
{
    const channel_fds *p = place;
    channel_message batch[CHANNEL_BATCH];
    bool right = true;
    for (size_t got = 0; got < n;) {
        ssize_t bytes = read(p->from, batch, sizeof batch);
        if (bytes <= 0)
            return false;
        for (size_t i = 0; i < (size_t)bytes / sizeof *batch; i++)
            right &= batch[i].number == got++;
    }
    return right;
}

void channel_pipe(void)
{
    static const channel_kind kind = {.implementation = "pipe",
                                      .bytes = channel_pipe_bytes,
                                      .open = channel_pipe_open,
                                      .close = channel_pipe_close,
                                      .produce_many = channel_pipe_produce_many,
                                      .consume_many = channel_pipe_consume_many,
                                      CHANNEL_LOOPS(channel_pipe)};
    channel_add("queue", &kind, 0);
    channel_add("spsc", &kind, CHANNEL_ONE_TO_ONE);
    channel_add("mpmc", &kind, 0);
    channel_add("broadcast", &kind, CHANNEL_ONE_TO_ONE);
}
