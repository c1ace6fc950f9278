/* SPDX-License-Identifier: MIT */
/* flush.c: writing what was stored to where it lasts, and telling the system what will be read. */
#include "segment/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

/* MS_ASYNC does nothing on Linux. */
static int flush_start(const acre_segment *s, uint64_t at, uint64_t n)
{
    if (s->source != ACRE_FILE)
        return 0;
    return sync_file_range(s->fd, (off_t)at, (off_t)n, SYNC_FILE_RANGE_WRITE) ? errno : 0;
}

static int flush_wait(const acre_segment *s, uint64_t at, uint64_t n)
{
    while (msync(s->base + at, n, MS_SYNC) != 0)
        if (errno != EINTR)
            return errno;
    return 0;
}

int acre_segment_flush(acre_segment *s, size_t offset, size_t bytes, enum acre_flush how)
{
    uint64_t at = offset, n = bytes;
    if (s->source == ACRE_BUFFER || s->access == ACRE_ACCESS_COPY)
        return ENOTSUP;
    if (how > ACRE_FLUSH_START)
        return EINVAL;
    int e = acre__pages_range(s, &at, &n);
    if (e || !n)
        return e;
    return how == ACRE_FLUSH_START ? flush_start(s, at, n) : flush_wait(s, at, n);
}

/* MADV_DONTNEED forgets what private memory holds; shared memory's contents are kept elsewhere. */
static bool flush_advisable(const acre_segment *s, enum acre_advice advice)
{
    bool private = s->source == ACRE_HEAP || s->access == ACRE_ACCESS_COPY;
    return s->source != ACRE_BUFFER && !(advice == ACRE_ADVICE_DONTNEED && private);
}

int acre_segment_advise(acre_segment *s, size_t offset, size_t bytes, enum acre_advice advice)
{
    static const int advices[] = {MADV_NORMAL, MADV_SEQUENTIAL, MADV_RANDOM, MADV_WILLNEED,
                                  MADV_DONTNEED};
    uint64_t at = offset, n = bytes;
    if (advice >= sizeof advices / sizeof *advices)
        return EINVAL;
    if (!flush_advisable(s, advice))
        return ENOTSUP;
    int e = acre__pages_range(s, &at, &n);
    if (e || !n || madvise(s->base + at, n, advices[advice]) == 0)
        return e;
    return errno == EINVAL || errno == EBADF ? ENOTSUP : errno;
}
