/* SPDX-License-Identifier: MIT */
/* pages.c: what pages a segment's memory is made of, and having them before they are needed.
 *
 * The system makes huge pages («transparent» ones) of memory that is aligned like its file, so mappings of
 * 2 MiB or more begin at a multiple of that.  Whether it does is decided by
 * /sys/kernel/mm/transparent_hugepage/enabled and shmem_enabled; «madvise» and «advise» leave it to
 * options.huge_pages.
 */
#include "segment/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <sys/mman.h>
#include <sys/vfs.h>
#include <unistd.h>

#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE 23 /* Linux 5.14 */
#endif

enum {
    PAGES_SMALL = 4 << 10,
    PAGES_BATCH = 16 << 20
}; /* bytes; a signal is answered and others get their turn in between */

static uint64_t pages_round(uint64_t n, uint64_t page)
{
    return (n + page - 1) & ~(page - 1);
}

/* ---- mapping ---- */

size_t acre__pages_of(int fd)
{
    struct statfs fs;
    if (fd >= 0 && fstatfs(fd, &fs) == 0 && fs.f_type == HUGETLBFS_MAGIC)
        return (size_t)fs.f_bsize;
    return (size_t)sysconf(_SC_PAGESIZE);
}

void *acre__pages_place(size_t n)
{
    if (n < SEGMENT_HUGE)
        return NULL;
    size_t whole = pages_round(n, (uint64_t)sysconf(_SC_PAGESIZE));
    char *p = mmap(NULL, whole + SEGMENT_HUGE, PROT_NONE,
                   MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (p == MAP_FAILED)
        return NULL;
    char *at = (char *)pages_round((uintptr_t)p, SEGMENT_HUGE);
    if (at > p)
        munmap(p, (size_t)(at - p));
    munmap(at + whole, (size_t)(p + SEGMENT_HUGE - at));
    return at;
}

/* A wish: a system that has none goes without. */
void acre__pages_advise(const acre_segment *s)
{
    if (s->huge_pages == ACRE_HUGE_ADVISED && s->window >= SEGMENT_HUGE)
        madvise(s->base, s->window, MADV_HUGEPAGE);
}

/* ---- populating ---- */

/* What was purged is reserved again.  The file's length stays; a file system that cannot goes without.  A signal
 * undoes what tmpfs has done in one call, so halves are tried next. */
static int pages_reserve(int fd, off_t at, off_t n)
{
    while (fallocate(fd, FALLOC_FL_KEEP_SIZE, at, n) != 0) {
        if (errno != EINTR)
            return errno == EOPNOTSUPP ? 0 : errno;
        if (n <= PAGES_SMALL)
            continue;
        int e = pages_reserve(fd, at, n / 2);
        return e ? e : pages_reserve(fd, at + n / 2, n - n / 2);
    }
    return 0;
}

/* For a kernel that cannot: write to each page what it holds, whoever writes there as well. */
static void pages_touch(char *at, size_t n)
{
    for (size_t page = (size_t)sysconf(_SC_PAGESIZE), i = 0; i < n; i += page) {
        volatile char *byte = at + i;
        char old = *byte;
        __atomic_compare_exchange_n(byte, &old, old, false, __ATOMIC_RELAXED, __ATOMIC_RELAXED);
    }
}

static int pages_populate(char *at, size_t n)
{
    while (madvise(at, n, MADV_POPULATE_WRITE) != 0) {
        if (errno == EINVAL)
            return pages_touch(at, n), 0;
        if (errno != EINTR && errno != EAGAIN)
            return errno == EFAULT ? ENOMEM : errno;
    }
    return 0;
}

static int pages_batch(const acre_segment *s, uint64_t at, uint64_t n)
{
    int e = s->fd >= 0 && s->access == ACRE_ACCESS_WRITE ? pages_reserve(s->fd, (off_t)at, (off_t)n) : 0;
    return e ? e : pages_populate(s->base + at, n);
}

int acre__pages_populate(const acre_segment *s, uint64_t at, uint64_t bytes)
{
    int e = 0;
    for (uint64_t n, end = at + bytes; !e && at < end; at += n) {
        n = end - at < PAGES_BATCH ? end - at : PAGES_BATCH;
        e = pages_batch(s, at, n);
    }
    return e;
}

int acre__pages_range(const acre_segment *s, uint64_t *offset, uint64_t *bytes)
{
    uint64_t size = acre_segment_size(s), before = *offset & (s->page - 1);
    if (size > s->window)
        return ENOMEM;
    if (*offset > size || *bytes > size - *offset)
        return EINVAL;
    *bytes = *bytes ? pages_round(*bytes + before, s->page) : 0;
    *offset -= before;
    return 0;
}

int acre_segment_populate(acre_segment *s, size_t offset, size_t bytes)
{
    uint64_t at = offset, n = bytes;
    if (s->read_only)
        return EROFS;
    if (s->source == ACRE_BUFFER)
        return ENOTSUP;
    int e = acre__pages_range(s, &at, &n);
    return e ? e : acre__pages_populate(s, at, n);
}
