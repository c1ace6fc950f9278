/* SPDX-License-Identifier: MIT */
/* image.c: image files. */
#include "bench/image.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

static int image_write(int fd, const char *data, size_t left)
{
    while (left) {
        ssize_t n = write(fd, data, left);
        if (n < 0 && errno != EINTR)
            return errno;
        if (n > 0) {
            data += n;
            left -= (size_t)n;
        }
    }
    return 0;
}

int acre_image_save(const acre_image *m, const char *path)
{
    char part[4096];
    if ((size_t)snprintf(part, sizeof part, "%s.%ld", path, (long)getpid()) >= sizeof part)
        return ENAMETOOLONG;
    int fd = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return errno;
    int e = image_write(fd, (const char *)m->h, m->h->bytes);
    if (close(fd) && !e)
        e = errno;
    if (!e && rename(part, path))
        e = errno;
    if (e)
        unlink(part);
    return e;
}

static int image_header_ok(const acre_image_header *h, uint64_t bytes)
{
    if (bytes < sizeof *h || memcmp(h->magic, ACRE_IMAGE_MAGIC, 8) || h->bytes != bytes)
        return 0;
    uint64_t most = bytes / sizeof(acre_image_op);
    if (h->n_entries > most || h->n_drain > most || h->n_slots > UINT32_MAX ||
        h->n_sizes > ACRE_IMAGE_LITERAL || h->ops_at % 8 || h->sizes_at % 8)
        return 0;
    return h->ops_at >= sizeof *h && h->ops_at <= h->sizes_at &&
           (h->sizes_at - h->ops_at) / 8 > h->n_entries + h->n_drain + 1 && h->sizes_at <= bytes &&
           (bytes - h->sizes_at) / 8 >= ACRE_IMAGE_LITERAL + 1;
}

static int image_threads_ok(const acre_image_header *h)
{
    uint64_t sizes_end = h->sizes_at + (ACRE_IMAGE_LITERAL + 1) * sizeof(uint64_t);
    if (!h->threads_at)
        return h->n_threads <= 1;
    return h->threads_at % 8 == 0 && h->threads_at >= sizes_end && h->threads_at <= h->bytes &&
           (h->bytes - h->threads_at) / sizeof(uint16_t) >= h->n_ops;
}

/* The loop trusts every entry, so each is looked at once. */
static int image_entries_ok(const acre_image *m)
{
    uint64_t end = m->h->n_entries + m->h->n_drain;
    size_t i = 0;
    while (i < end) {
        const acre_image_op *o = &m->ops[i];
        if (o->slot >= m->h->n_slots || o->op >= ACRE_OP_KINDS || o->align_log2 > 47)
            return 0;
        i += acre_image_width(m, i);
    }
    return i == end;
}

acre_image acre__image_at(const char *p)
{
    const acre_image_header *h = (const acre_image_header *)p;
    return (acre_image){h, (const acre_image_op *)(p + h->ops_at),
                        (const uint64_t *)(p + h->sizes_at),
                        h->threads_at ? (const uint16_t *)(p + h->threads_at) : NULL};
}

static int image_map(acre_image *m, int fd)
{
    struct stat st;
    if (fstat(fd, &st))
        return errno;
    size_t bytes = (size_t)st.st_size;
    if (bytes < sizeof(acre_image_header))
        return EBADMSG;
    char *p = mmap(NULL, bytes, PROT_READ, MAP_PRIVATE | MAP_POPULATE, fd, 0);
    if (p == MAP_FAILED)
        return errno;
    const acre_image_header *h = (const acre_image_header *)p;
    acre_image image = {0};
    int ok = image_header_ok(h, bytes) && image_threads_ok(h);
    if (ok) {
        image = acre__image_at(p);
        ok = image_entries_ok(&image);
    }
    if (!ok) {
        munmap(p, bytes);
        return EBADMSG;
    }
    *m = image;
    return 0;
}

int acre_image_load(acre_image *m, const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return errno;
    int e = image_map(m, fd);
    close(fd);
    return e;
}

void acre_image_unmap(acre_image *m)
{
    if (m->h)
        munmap((void *)m->h, m->h->bytes);
    *m = (acre_image){0};
}
