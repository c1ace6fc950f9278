/* SPDX-License-Identifier: MIT */
/* pass.c: a segment's descriptor through a socket (unix(7), SCM_RIGHTS), with 8 bytes that say what it is. */
#include "segment/internal.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define PASS_MAGIC 0x5353415045524341u /* "ACREPASS" in little-endian memory */

enum { PASS_MOST = 8 }; /* descriptors in one message, all of which are closed */

typedef union pass_room {
    struct cmsghdr align;
    char bytes[CMSG_SPACE(PASS_MOST * sizeof(int))];
} pass_room;

int acre_segment_send(const acre_segment *s, int socket)
{
    uint64_t magic = PASS_MAGIC;
    pass_room room = {.bytes = {0}};
    struct iovec text = {&magic, sizeof magic};
    struct msghdr m = {.msg_iov = &text,
                       .msg_iovlen = 1,
                       .msg_control = &room,
                       .msg_controllen = CMSG_SPACE(sizeof(int))};
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);
    ssize_t n;
    if (s->fd < 0)
        return ENOTSUP;
    *c = (struct cmsghdr){
        .cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS};
    memcpy(CMSG_DATA(c), &s->fd, sizeof s->fd);
    do
        n = sendmsg(socket, &m, MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    return n == sizeof magic ? 0 : n < 0 ? errno : EIO;
}

/* The message's descriptors: the first one, if there is only one; the others, or all, are closed. */
static int pass_descriptor(struct msghdr *m)
{
    int fd, kept = -1, count = 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        for (size_t i = 0; i < (c->cmsg_len - CMSG_LEN(0)) / sizeof fd; i++) {
            memcpy(&fd, CMSG_DATA(c) + i * sizeof fd, sizeof fd);
            if (count++)
                close(fd);
            else
                kept = fd;
        }
    }
    if (count < 2)
        return kept;
    close(kept);
    return -2;
}

static int pass_receive(int socket, int *fd)
{
    uint64_t magic = 0;
    pass_room room;
    struct iovec text = {&magic, sizeof magic};
    struct msghdr m = {
        .msg_iov = &text, .msg_iovlen = 1, .msg_control = &room, .msg_controllen = sizeof room};
    ssize_t n;
    do
        n = recvmsg(socket, &m, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return errno;
    *fd = pass_descriptor(&m);
    if (n == 0 && *fd == -1)
        return EPIPE;
    if (n != sizeof magic || magic != PASS_MAGIC || *fd == -2 ||
        (m.msg_flags & (MSG_TRUNC | MSG_CTRUNC)))
        return EBADMSG;
    return *fd < 0 ? EBADF : 0;
}

int acre_segment_receive(acre_segment **out, int socket, const acre_segment_options *options)
{
    acre_segment_options o = options ? *options : acre__segment_defaults;
    int fd = -1, e = pass_receive(socket, &fd);
    o.fd = fd;
    if (!e)
        e = acre_segment_open(out, ACRE_MEMFD, NULL, &o);
    if (fd >= 0 && !ACRE_BUG_IS(125))
        close(fd);
    return e;
}
