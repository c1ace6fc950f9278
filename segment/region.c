/* SPDX-License-Identifier: MIT */
/* region.c: mapped parts of memory objects (acre/region.h).
 *
 *        first page                                     last page
 *   |....+-------|------------------------|------------------+...|
 *        ^ address                                           ^ address + size
 *
 * What is mapped are the whole pages around [address, address + size): nothing of that is kept, it follows.
 */
#include "segment/internal.h"
#include "sync/bug.h"
#include <acre/region.h>

#include <errno.h>
#include <sys/mman.h>
#include <unistd.h>

#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE 0x100000 /* Linux 4.17; an older one takes the address for a wish */
#endif

static const acre_mapping_options region_defaults;

size_t acre_mapping_page_size(void)
{
    return (size_t)sysconf(_SC_PAGESIZE);
}

static uintptr_t region_down(const acre_mapping *r, uintptr_t at)
{
    return at & ~(uintptr_t)(r->page - 1);
}

static uintptr_t region_up(const acre_mapping *r, uintptr_t at)
{
    return region_down(r, at + r->page - 1);
}

static uintptr_t region_start(const acre_mapping *r)
{
    return (uintptr_t)r->address;
}

static uintptr_t region_end(const acre_mapping *r)
{
    return region_start(r) + r->size;
}

/* ---- mapping ---- */

/* The bytes to map, of a memory that has `room`. */
static int region_extent(const acre_mapping_options *o, uint64_t room, size_t *size)
{
    if (o->offset > room)
        return EINVAL;
    uint64_t rest = room - o->offset;
    if (o->size > rest && !o->beyond)
        return rest ? EINVAL : ENODATA;
    if (o->size == 0 && rest == 0)
        return ENODATA;
    *size = o->size ? o->size : rest;
    return *size > ACRE_SIZE_MAX ? ENOMEM : 0;
}

/* `skip`: bytes in front of the first one in its page. */
static int region_mmap(acre_mapping *r, int fd, uint64_t offset, void *address, int flags)
{
    size_t skip = offset & (r->page - 1);
    uintptr_t at = (uintptr_t)address;
    bool shared = flags & MAP_SHARED;
    bool writes = r->mode == ACRE_MAPPING_WRITE || r->mode == ACRE_MAPPING_COPY_ON_WRITE;
    if (at && (at < skip || (at - skip) & (r->page - 1)))
        return EINVAL;
    char *base = mmap((void *)(at ? at - skip : 0), skip + r->size,
                      writes ? PROT_READ | PROT_WRITE : PROT_READ,
                      flags | (at ? MAP_FIXED_NOREPLACE : 0), fd, (off_t)(offset - skip));
    if (base == MAP_FAILED)
        return errno == EEXIST ? EBUSY : errno == EPERM && shared && writes ? EACCES : errno;
    if (at && (uintptr_t)base != at - skip) {
        munmap(base, skip + r->size);
        return EBUSY;
    }
    r->address = base + skip;
    return 0;
}

int acre_mapping_map(acre_mapping *out, const acre_memory *m, const acre_mapping_options *options)
{
    const acre_mapping_options *o = options ? options : &region_defaults;
    acre_mapping r = {.mode = o->mode};
    uint64_t room;
    if (o->mode > ACRE_MAPPING_READ_PRIVATE)
        return EINVAL;
    int e = acre_memory_size(m, &room);
    if (!e && o->mode == ACRE_MAPPING_WRITE && m->read_only)
        e = EACCES;
    if (!e)
        e = region_extent(o, room, &r.size);
    if (e)
        return e;
    bool shared = o->mode == ACRE_MAPPING_WRITE || o->mode == ACRE_MAPPING_READ;
    r.page = acre__pages_of(m->fd);
    e = region_mmap(&r, m->fd, o->offset, o->address, shared ? MAP_SHARED : MAP_PRIVATE);
    if (!e)
        *out = r;
    return e;
}

int acre_mapping_anonymous(acre_mapping *out, size_t size, void *address)
{
    acre_mapping r = {.size = size, .page = acre_mapping_page_size()};
    if (size == 0)
        return EINVAL;
    int e =
        size > ACRE_SIZE_MAX ? ENOMEM : region_mmap(&r, -1, 0, address, MAP_SHARED | MAP_ANONYMOUS);
    if (!e)
        *out = r;
    return e;
}

/* ---- using ---- */

int acre_mapping_flush(const acre_mapping *r, size_t offset, size_t size, bool wait)
{
    if (!r->address || offset > r->size || size > r->size - offset)
        return EINVAL;
    uintptr_t start = region_down(r, region_start(r) + offset);
    if (ACRE_BUG_IS(126))
        start = region_start(r) + offset;
    uintptr_t end = size ? region_start(r) + offset + size : region_end(r);
    while (msync((void *)start, end - start, wait ? MS_SYNC : MS_ASYNC) != 0)
        if (errno != EINTR)
            return errno;
    return 0;
}

int acre_mapping_advise(const acre_mapping *r, enum acre_advice advice)
{
    static const int kernels[] = {MADV_NORMAL, MADV_SEQUENTIAL, MADV_RANDOM, MADV_WILLNEED,
                                  MADV_DONTNEED};
    if (!r->address || (unsigned)advice > ACRE_ADVICE_DONTNEED)
        return EINVAL;
    if (advice == ACRE_ADVICE_DONTNEED && r->mode == ACRE_MAPPING_COPY_ON_WRITE)
        return ENOTSUP;
    uintptr_t start = region_down(r, region_start(r));
    if (madvise((void *)start, region_end(r) - start, kernels[advice]) == 0)
        return 0;
    return errno == EINVAL || errno == ENOSYS || errno == EBADF ? ENOTSUP : errno;
}

/* ---- giving back ---- */

static int region_give_back(uintptr_t from, uintptr_t to)
{
    return from < to && munmap((void *)from, to - from) != 0 ? errno : 0;
}

static int region_shrink_front(acre_mapping *r, size_t bytes)
{
    uintptr_t start = region_down(r, region_start(r) + bytes);
    if (ACRE_BUG_IS(127))
        start = region_up(r, region_start(r) + bytes);
    int e = region_give_back(region_down(r, region_start(r)), start);
    if (!e)
        r->address += bytes;
    return e;
}

int acre_mapping_shrink_by(acre_mapping *r, size_t bytes, bool from_front)
{
    if (!r->address || bytes > r->size)
        return EINVAL;
    if (bytes == r->size)
        return acre_mapping_unmap(r), 0;
    int e = from_front ? region_shrink_front(r, bytes)
                       : region_give_back(region_up(r, region_end(r) - bytes),
                                          region_up(r, region_end(r)));
    if (!e)
        r->size -= bytes;
    return e;
}

void acre_mapping_unmap(acre_mapping *r)
{
    if (r->address)
        region_give_back(region_down(r, region_start(r)), region_up(r, region_end(r)));
    *r = (acre_mapping){0};
}
