/* SPDX-License-Identifier: MIT */
/* open.c: opening what exists: nothing of it is believed before it is checked. */
#include "segment/internal.h"
#include "segment/names.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

/* Everything that is decided by the header is decided by this copy of it. */
static int open_read_header(const acre_segment *s, segment_header *copy, uint64_t *room)
{
    struct stat st;
    if (fstat(s->fd, &st) != 0)
        return errno;
    *room = (uint64_t)st.st_size;
    ssize_t n = pread(s->fd, copy, sizeof *copy, 0);
    if (n < 0)
        return errno;
    if (n < (ssize_t)sizeof copy->magic || copy->magic != SEGMENT_MAGIC)
        return ACRE_EFORMAT;
    return n < (ssize_t)sizeof *copy ? ACRE_ETRUNCATED : 0;
}

/* In a private copy nobody but this process lives: whoever holds a lock there will never give it back.  So it
 * is as after a new boot, and what they were at is undone now. */
static int open_isolate(acre_segment *s)
{
    segment_header_of(s)->boot = 0;
    acre__boot_check(s);
    int e = acre__heap_enter(&s->heap);
    if (!e)
        acre__heap_leave(&s->heap);
    return e;
}

/* Another one may have finished an offline change since the header was read. */
static int open_adopt(acre_segment *s, const segment_header *copy, const acre_algorithm *a)
{
    if (!copy->redo.check && acre__peek(&segment_header_of(s)->capacity) != copy->capacity)
        return ACRE_ECORRUPT;
    int e = acre__heap_validate(s->base + copy->heap, copy->size - copy->heap, a);
    if (e)
        return e;
    acre__segment_attach(s, a, copy->heap, copy->capacity);
    e = acre__names_attach(s);
    if (e || s->read_only)
        return e;
    if (s->access == ACRE_ACCESS_COPY)
        return open_isolate(s);
    acre__boot_check(s);
    acre__offline_finish(s, copy);
    return 0;
}

static int open_file(acre_segment *s, const char *name, const acre_segment_options *o)
{
    const acre_algorithm *a = NULL;
    segment_header copy;
    acre__file f;
    uint64_t room = 0;
    int e = acre__source_locate(&f, s->source, name);
    if (!e)
        e = acre__source_open(&f, s->source, s->access != ACRE_ACCESS_WRITE, o);
    s->fd = f.fd;
    f.fd = -1;
    acre__file_close(&f);
    if (!e && !s->alone)
        e = acre__offline_attach(s->fd);
    if (!e)
        e = open_read_header(s, &copy, &room);
    if (!e)
        e = acre__format_check(&copy, s->read_only, &a);
    if (!e && copy.size > room)
        e = ACRE_ETRUNCATED;
    if (!e)
        e = acre__source_map(s, copy.size, copy.capacity);
    return e ? e : open_adopt(s, &copy, a);
}

static int open_xsi(acre_segment *s, const char *name, const acre_segment_options *o)
{
    const acre_algorithm *a = NULL;
    segment_header copy;
    int e = acre__xsi_open(s, name, o, &copy);
    if (!e)
        e = acre__format_check(&copy, s->read_only, &a);
    if (!e && copy.size > s->window)
        e = ACRE_ETRUNCATED;
    return e ? e : open_adopt(s, &copy, a);
}

/* options.size bounds what is believed about the buffer. */
static int open_buffer(acre_segment *s, const acre_segment_options *o)
{
    const acre_algorithm *a = NULL;
    segment_header copy;
    if (!o->buffer || (uintptr_t)o->buffer % ACRE_ALIGN_MIN)
        return EINVAL;
    if (o->size < sizeof copy)
        return ACRE_EFORMAT;
    memcpy(&copy, o->buffer, sizeof copy);
    int e = acre__format_check(&copy, s->read_only, &a);
    if (!e && copy.size > o->size)
        e = ACRE_ETRUNCATED;
    if (e)
        return e;
    s->base = o->buffer;
    s->window = s->room = o->size;
    return open_adopt(s, &copy, a);
}

static int open_into(acre_segment *s, const char *name, const acre_segment_options *o)
{
    if (!acre__source_has_file(s->source) && s->access >= ACRE_ACCESS_COPY)
        return ENOTSUP;
    if (s->source == ACRE_BUFFER)
        return open_buffer(s, o);
    if (s->source == ACRE_XSI)
        return open_xsi(s, name, o);
    return acre__source_has_file(s->source) ? open_file(s, name, o) : ENOTSUP;
}

static int open_once(acre_segment **out, enum acre_source source, const char *name,
                     const acre_segment_options *o, bool alone)
{
    acre_segment *s;
    uint32_t access = o->read_only && o->access == ACRE_ACCESS_WRITE ? ACRE_ACCESS_READ : o->access;
    if (access > ACRE_ACCESS_READ_PRIVATE || (o->read_only && access == ACRE_ACCESS_COPY))
        return EINVAL;
    int e = acre__segment_new(&s, source, o, access);
    if (e)
        return e;
    s->alone = alone;
    e = open_into(s, name, o);
    if (e)
        acre_segment_close(s);
    else
        *out = s;
    return e;
}

int acre__segment_open_alone(acre_segment **out, int fd)
{
    return open_once(out, ACRE_MEMFD, NULL, &(acre_segment_options){.fd = fd}, true);
}

/* A segment that others grow or shrink while its sizes are being read looks damaged for a moment,
 * so a damaged one is looked at more than once; a buffer never changes its size. */
int acre_segment_open(acre_segment **out, enum acre_source source, const char *name,
                      const acre_segment_options *options)
{
    const acre_segment_options *o = options ? options : &acre__segment_defaults;
    const struct timespec pause = {.tv_nsec = 1000000};
    int e = open_once(out, source, name, o, false);
    int looks = source == ACRE_BUFFER ? 1 : 4;
    for (int look = 1; look < looks && (e == ACRE_ETRUNCATED || e == ACRE_ECORRUPT); look++) {
        nanosleep(&pause, NULL);
        e = open_once(out, source, name, o, false);
    }
    return e;
}

/* A name can vanish between the two steps, and so on: only who loses each race is told ENOENT or EEXIST. */
enum { SEGMENT_TURNS = 1000 };

int acre_segment_open_or_create(acre_segment **out, enum acre_source source, const char *name,
                                const acre_segment_options *options, bool *created)
{
    int e = ENOENT;
    for (int turn = 0; turn < SEGMENT_TURNS && (e == ENOENT || e == EEXIST); turn++) {
        bool make = turn & 1;
        e = make ? acre_segment_create(out, source, name, options)
                 : acre_segment_open(out, source, name, options);
        if (!e && created)
            *created = make;
    }
    return e;
}
