/* SPDX-License-Identifier: MIT */
/* source.c: where a segment's memory comes from: files (sync/file.h), descriptors, mappings. */
#include "segment/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

#ifndef MFD_HUGE_2MB
#define MFD_HUGE_2MB (21u << 26) /* log2 of the size, as in linux/memfd.h */
#endif

bool acre__source_has_file(enum acre_source source)
{
    return source == ACRE_SHM || source == ACRE_FILE || source == ACRE_MEMFD;
}

/* ---- files ---- */

int acre__source_locate(acre__file *f, enum acre_source source, const char *name)
{
    *f = ACRE__NO_FILE;
    if (source == ACRE_MEMFD)
        return 0;
    return source == ACRE_SHM ? acre__file_locate_shm(f, name) : acre__file_locate(f, name);
}

/* A kernel without huge pages does not know the flags. */
static int source_memfd(acre__file *f, const acre_segment_options *o)
{
    bool huge = o->huge_pages == ACRE_HUGE_RESERVED;
    f->fd = memfd_create("acre", MFD_CLOEXEC | MFD_ALLOW_SEALING |
                                     (huge ? MFD_HUGETLB | MFD_HUGE_2MB : 0));
    if (f->fd < 0)
        return huge && errno == EINVAL ? ENOTSUP : errno;
    return acre__file_mode(f->fd, o->mode);
}

int acre__source_create(acre__file *f, enum acre_source source, const acre_segment_options *o)
{
    return source == ACRE_MEMFD ? source_memfd(f, o) : acre__file_create(f, o->mode);
}

int acre__source_publish(acre__file *f)
{
    return f->dir < 0 ? 0 : acre__file_publish(f);
}

static int source_adopt(acre__file *f, int fd, bool any_owner)
{
    f->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
    return f->fd < 0 ? errno : acre__file_check(f->fd, any_owner);
}

int acre__source_open(acre__file *f, enum acre_source source, bool read_only, const acre_segment_options *o)
{
    return source == ACRE_MEMFD ? source_adopt(f, o->fd, o->any_owner)
                                : acre__file_open(f, read_only, o->any_owner);
}

/* ---- memory ---- */

static bool source_private(const acre_segment *s)
{
    return s->source == ACRE_HEAP || (s->access >= ACRE_ACCESS_COPY && !ACRE_BUG_IS(124));
}

static void *source_mmap_flags(const acre_segment *s, void *place, size_t n, int flags)
{
    int protection = s->read_only ? PROT_READ : PROT_READ | PROT_WRITE;
    flags |= MAP_NORESERVE | (source_private(s) ? MAP_PRIVATE : MAP_SHARED) | (s->fd < 0 ? MAP_ANONYMOUS : 0);
    return mmap(place, n, protection, flags, s->fd, 0);
}

/* A kernel that does not know MAP_FIXED_NOREPLACE takes the address for a hint. */
static void *source_mmap_at(const acre_segment *s, size_t n)
{
    void *p = source_mmap_flags(s, s->address, n, MAP_FIXED_NOREPLACE);
    if (p == MAP_FAILED || p == s->address)
        return p;
    munmap(p, n);
    errno = EEXIST;
    return MAP_FAILED;
}

static void *source_mmap(const acre_segment *s, size_t n)
{
    if (s->address)
        return source_mmap_at(s, n);
    void *place = acre__pages_place(n);
    void *p = source_mmap_flags(s, place, n, place ? MAP_FIXED : 0);
    if (p == MAP_FAILED && place) {
        int e = errno;
        munmap(place, n);
        errno = e;
    }
    return p;
}

/* RLIMIT_AS counts address space that is only kept; then take the next smaller power of two. */
int acre__source_map(acre_segment *s, size_t size, size_t capacity)
{
    size_t window = capacity;
    void *base;
    while ((base = source_mmap(s, window)) == MAP_FAILED && errno == ENOMEM && window > size) {
        size_t half = (size_t)1 << (63 - __builtin_clzll(window - 1));
        window = half > size ? half : size;
    }
    if (base == MAP_FAILED)
        return s->address && errno == EEXIST ? EBUSY : errno;
    s->base = base;
    s->window = window;
    s->page = acre__pages_of(s->fd);
    acre__pages_advise(s);
    return 0;
}
