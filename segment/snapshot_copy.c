/* SPDX-License-Identifier: MIT */
/* snapshot_copy.c: a segment's bytes into a file: by sharing its blocks, where the file system can (reflink);
 * else what is not zero is written, and the rest are holes. */
#include "segment/internal.h"
#include "segment/snapshot.h"
#include "sync/bug.h"

#include <errno.h>
#include <linux/fs.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

enum { COPY_PAGE = 4096, COPY_PART = 64 * COPY_PAGE };

int acre__snapshot_put(int fd, const void *data, size_t n, uint64_t at)
{
    const char *p = data;
    while (n) {
        ssize_t done = pwrite(fd, p, n, (off_t)at);
        if (done < 0 && errno != EINTR)
            return errno;
        if (done > 0)
            p += done, at += (uint64_t)done, n -= (size_t)done;
    }
    return 0;
}

static bool copy_is_zero(const char *p, size_t n)
{
    return !ACRE_BUG_IS(144) && *p == 0 && memcmp(p, p + 1, n - 1) == 0;
}

/* From `at` on: how many pages' bytes of `n` are alike in being zero or not. */
static size_t copy_run(const char *p, size_t n, bool *zero)
{
    size_t run = n < COPY_PAGE ? n : COPY_PAGE;
    *zero = copy_is_zero(p, run);
    while (run < n) {
        size_t more = n - run < COPY_PAGE ? n - run : COPY_PAGE;
        if (copy_is_zero(p + run, more) != *zero)
            break;
        run += more;
    }
    return run;
}

static int copy_part(int to, const char *base, uint64_t at, uint64_t end)
{
    int e = 0;
    while (!e && at < end) {
        bool zero;
        size_t run = copy_run(base + at, end - at, &zero);
        e = zero ? 0 : acre__snapshot_put(to, base + at, run, at);
        at += run;
    }
    return e;
}

/* The next bytes from `at` on that are in the file at all; reading others through the mapping would put
 * pages there.  Where the kernel cannot tell, all are. */
static void copy_next(const acre_segment *s, uint64_t size, uint64_t *at, uint64_t *end)
{
    off_t data = s->fd < 0 ? (off_t)*at : lseek(s->fd, (off_t)*at, SEEK_DATA);
    off_t hole = data < 0 || s->fd < 0 ? -1 : lseek(s->fd, data, SEEK_HOLE);
    if (data < 0)
        data = errno == ENXIO ? (off_t)size : (off_t)*at;
    uint64_t page = (uint64_t)data & ~(uint64_t)(COPY_PAGE - 1);
    *at = page > *at ? page : *at;
    *end = hole > data && (uint64_t)hole < size ? (uint64_t)hole : size;
}

static int copy_tell(const acre_snapshot_options *o, uint64_t done, uint64_t size)
{
    return o->progress ? o->progress(o->arg, done, size) : 0;
}

static int copy_range(int to, const acre_segment *s, uint64_t at, uint64_t end, uint64_t size,
                      const acre_snapshot_options *o)
{
    int e = 0;
    while (!e && at < end) {
        uint64_t part = end - at < COPY_PART ? end - at : COPY_PART;
        e = copy_part(to, s->base, at, at + part);
        at += part;
        if (!e)
            e = copy_tell(o, at, size);
    }
    return e;
}

static int copy_bytes(int to, const acre_segment *s, uint64_t size, const acre_snapshot_options *o)
{
    uint64_t at = 0, end;
    int e = acre__file_lengthen(to, size);
    while (!e && at < size) {
        copy_next(s, size, &at, &end);
        e = copy_range(to, s, at, end, size, o);
        at = end;
    }
    return e;
}

/* The file may be longer than the segment is: somebody has died while it grew. */
static int copy_cut(int to, uint64_t size)
{
    return ftruncate(to, (off_t)size) ? errno : 0;
}

int acre__snapshot_copy(int to, const acre_segment *s, const acre_snapshot_options *o)
{
    uint64_t size = acre_segment_size(s);
    int e = acre__file_within_limit(size);
    if (e)
        return e;
    bool shared = s->fd >= 0 && ioctl(to, FICLONE, s->fd) == 0;
    e = shared ? copy_cut(to, size) : copy_bytes(to, s, size, o);
    return e || !shared ? e : copy_tell(o, size, size);
}
