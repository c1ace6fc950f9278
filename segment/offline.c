/* SPDX-License-Identifier: MIT */
/* offline.c: changing the capacity of a segment that nobody has open.
 *
 * Nobody?  Everybody who opens or makes a segment with a name holds a shared lock on one byte of the file, far
 * behind all data, by its open file description (F_OFD_SETLK).  The kernel lets go of it with the last descriptor
 * of that description: a killed process has none, a forked child has one, as it has the mapping.  Who changes the
 * capacity holds the lock alone, so no mapping of the old length is left.
 *
 * In place, not as a new file under the old name: a copy of 100 GB is slow, and half of it may not fit.  The
 * header's constant part has a checksum, so two words change and have to look like one:
 *
 *     size reserved ─▶ redo record ─▶ its check ─▶ capacity ─▶ checksum ─▶ size (heap's journal) ─▶ check = 0
 *                                        │                                                            │
 *     killed:   as it was  ◀─────────────┴──── whoever opens it next does the rest, again ────────────┴─▶ done
 *
 * The record's check covers the constant part as it will be.  From the moment it is there the change has
 * happened: who opens the segment for reading sees the new capacity in a copy, who opens it for writing does the
 * rest.  Several may do that at once: all store the same, and none is told another capacity.  That is also how the
 * change itself is made: the record is written, and the segment opened. */
#include "segment/internal.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>
#include <time.h>

enum { OFFLINE_NAPS = 1000 }; /* of a millisecond */

#define OFFLINE_BYTE ((off_t)1 << 62)

/* ---- who has it ---- */

static int offline_lock(int fd, short kind)
{
    struct flock l = {.l_type = kind, .l_whence = SEEK_SET, .l_start = OFFLINE_BYTE, .l_len = 1};
    if (fcntl(fd, F_OFD_SETLK, &l) == 0)
        return 0;
    return errno == EAGAIN || errno == EACCES ? EBUSY : ENOTSUP;
}

/* Where a file system has no locks nobody can have one alone either. */
int acre__offline_attach(int fd)
{
    const struct timespec nap = {.tv_nsec = 1000000};
    int e = offline_lock(fd, F_RDLCK);
    for (int i = 0; e == EBUSY && i < OFFLINE_NAPS; i++) {
        nanosleep(&nap, NULL);
        e = offline_lock(fd, F_RDLCK);
    }
    return e == ENOTSUP ? 0 : e;
}

/* ---- the change ---- */

/* Against a power cut, where the memory is a file on a disk. */
static void offline_sync(const acre_segment *s)
{
    if (s->fd >= 0)
        msync(s->base, s->page, MS_SYNC);
}

void acre__offline_finish(acre_segment *s, const segment_header *copy)
{
    segment_header *h = segment_header_of(s);
    if (!copy->redo.check)
        return;
    offline_sync(s);
    acre__put(&h->capacity, copy->capacity);
    acre__order();
    acre__put(&h->checksum, copy->checksum);
    acre__order();
    offline_sync(s);
    if (copy->redo.size)
        acre_segment_grow(s, copy->redo.size);
    acre__order();
    acre__put(&h->redo.check, (uint64_t)0);
    offline_sync(s);
}

static void offline_record(acre_segment *s, uint64_t capacity, uint64_t size)
{
    segment_header *h = segment_header_of(s);
    segment_redo r = {capacity, size, 0};
    r.check = acre__format_redo_check(h, &r);
    if (ACRE_BUG_IS(129)) {
        h->capacity = capacity;
        acre__order();
    }
    acre__put(&h->redo.capacity, r.capacity);
    acre__put(&h->redo.size, r.size);
    acre__order();
    acre__put(&h->redo.check, r.check);
    acre__order();
}

/* ---- alone ---- */

/* Opened by a descriptor of the same description, which has the lock. */
static int offline_open(acre__file *f, acre_segment **s)
{
    return acre__segment_open_alone(s, f->fd);
}

static int offline_begin(acre__file *f, enum acre_source source, const char *name, acre_segment **s)
{
    *f = ACRE__NO_FILE;
    *s = NULL;
    if (source != ACRE_SHM && source != ACRE_FILE)
        return ENOTSUP;
    int e = acre__source_locate(f, source, name);
    if (!e)
        e = acre__source_open(f, source, false, &(acre_segment_options){0});
    if (!e)
        e = offline_lock(f->fd, F_WRLCK);
    return e ? e : offline_open(f, s);
}

static int offline_end(acre__file *f, acre_segment *s, int e)
{
    acre_segment_close(s);
    acre__file_close(f);
    return e;
}

/* Record it, and open the segment anew, which does it. */
static int offline_change(acre__file *f, acre_segment **s, uint64_t capacity, uint64_t size)
{
    offline_record(*s, capacity, size);
    acre_segment_close(*s);
    *s = NULL;
    int e = offline_open(f, s);
    return !e && acre_segment_size(*s) < size ? ENOMEM : e;
}

/* ---- growing ---- */

static uint64_t offline_round(const acre_segment *s, uint64_t n)
{
    return (n + s->page - 1) & ~(uint64_t)(s->page - 1);
}

static int offline_check(const acre_segment *s, uint64_t size, uint64_t capacity)
{
    const acre_algorithm *a = s->heap.inner;
    uint64_t front = (uint64_t)(s->heap.region.base - s->base);
    if (!a->grow)
        return ENOTSUP;
    if (capacity < s->capacity)
        return EINVAL;
    if (size > capacity)
        return E2BIG;
    return a->reach && capacity - front > a->reach ? ACRE_ETOOBIG : 0;
}

static int offline_grow(acre__file *f, acre_segment **s, size_t size, size_t capacity)
{
    if (size > ACRE_SIZE_MAX || capacity > ACRE_SIZE_MAX)
        return ACRE_ETOOBIG;
    uint64_t room = capacity ? offline_round(*s, capacity) : (*s)->capacity;
    uint64_t now = acre_segment_size(*s), next = offline_round(*s, size);
    int e = offline_check(*s, next, room);
    if (!e && next > now)
        e = acre__file_reserve(f->fd, next);
    if (e || (room == (*s)->capacity && next <= now))
        return e;
    return offline_change(f, s, room, next > now ? next : 0);
}

int acre_segment_grow_offline(enum acre_source source, const char *name, size_t size, size_t capacity)
{
    acre__file f;
    acre_segment *s;
    int e = offline_begin(&f, source, name, &s);
    if (!e)
        e = offline_grow(&f, &s, size, capacity);
    return offline_end(&f, s, e);
}

/* ---- shrinking ---- */

int acre_segment_shrink_offline(enum acre_source source, const char *name, bool capacity)
{
    acre__file f;
    acre_segment *s;
    int e = offline_begin(&f, source, name, &s);
    if (!e)
        e = acre_segment_shrink_to_fit(s);
    if (!e && capacity && acre_segment_size(s) < s->capacity)
        e = offline_change(&f, &s, acre_segment_size(s), 0);
    return offline_end(&f, s, e);
}
