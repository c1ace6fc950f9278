/* SPDX-License-Identifier: MIT */
/* segment.c: creating, opening, closing, removing segments. */
#include "segment/internal.h"
#include "segment/names.h"
#include "sync/self.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

static const acre_segment_options segment_defaults;

static size_t segment_page_round(const acre_segment_options *o, size_t n)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    if (o->huge_pages == ACRE_HUGE_RESERVED)
        page = SEGMENT_HUGE;
    return (n + page - 1) & ~(page - 1);
}

/* ---- handles ---- */

static acre_segment *segment_new(enum acre_source source, const acre_segment_options *o,
                                 bool read_only)
{
    acre_segment *s = calloc(1, sizeof *s);
    if (s) {
        s->source = source;
        s->read_only = read_only;
        s->huge_pages = o->huge_pages;
        s->fd = -1;
    }
    return s;
}

int acre_segment_close(acre_segment *s)
{
    if (!s)
        return 0;
    acre__heap_detach(&s->heap);
    if (acre__self_holds_in(s->base, s->window))
        return EBUSY;
    if (s->base && s->source != ACRE_BUFFER)
        munmap(s->base, s->window);
    if (s->fd >= 0)
        close(s->fd);
    free(s);
    return 0;
}

/* Of a caller's buffer nothing is known: no page of it is given back. */
static int segment_give_back(enum acre_source source)
{
    if (source == ACRE_BUFFER)
        return 0;
    return source == ACRE_HEAP ? MADV_DONTNEED : MADV_REMOVE;
}

static void segment_attach(acre_segment *s, const acre_algorithm *a, uint64_t heap,
                           uint64_t capacity)
{
    segment_header *h = segment_header_of(s);
    s->capacity = capacity;
    s->heap.segment = s->base;
    s->heap.size = &h->size;
    s->heap.window = s->window;
    s->heap.guarded = s->window < capacity;
    s->heap.give_back = segment_give_back(s->source);
    s->heap.fd = s->fd;
    s->heap.page = s->page;
    s->heap.more = acre__grow_hook_of(s);
    acre__heap_attach(&s->heap, s->base + heap, a, s->read_only);
}

/* ---- creating ---- */

static int segment_sizes(enum acre_source source, const acre_segment_options *o, size_t *size,
                         size_t *capacity)
{
    if (o->size > ACRE_SIZE_MAX || o->capacity > ACRE_SIZE_MAX)
        return ACRE_ETOOBIG;
    if (o->capacity && o->capacity < o->size)
        return EINVAL;
    *size = acre__source_has_file(source) ? segment_page_round(o, o->size) : o->size;
    *capacity = source == ACRE_BUFFER || o->capacity < *size
                    ? *size
                    : segment_page_round(o, o->capacity);
    return *size < segment_front(o->index) ? ACRE_ETOOSMALL : 0;
}

/* Found out before anything is reserved or mapped. */
static int segment_check_reach(const acre_segment_options *o, size_t capacity)
{
    size_t front = segment_front(o->index) + acre__heap_overhead(o->algorithm, &o->heap);
    uint64_t reach = o->algorithm->reach;
    return reach && capacity > front && capacity - front > reach ? ACRE_ETOOBIG : 0;
}

static int segment_fill(acre_segment *s, const acre_segment_options *o, size_t size,
                        size_t capacity)
{
    const acre_algorithm *a = o->algorithm;
    size_t heap = segment_front(o->index), front = heap + acre__heap_overhead(a, &o->heap);
    memset(s->base, 0, size < front ? size : front); /* a caller's buffer may hold anything */
    int e = acre__heap_format(s->base + heap, size - heap, capacity - heap, a, &o->heap);
    if (!e)
        e = acre__format_write(segment_header_of(s), a, heap, size, capacity);
    if (e)
        return e;
    segment_header_of(s)->grow_step = o->grow_step;
    segment_header_of(s)->grow_limit = o->grow_limit;
    segment_attach(s, a, heap, capacity);
    acre__names_create(s, o->index);
    return acre__names_attach(s);
}

static int segment_create_memory(acre_segment *s, const acre_segment_options *o, size_t size,
                                 size_t capacity)
{
    if (s->source == ACRE_BUFFER) {
        if (!o->buffer || (uintptr_t)o->buffer % ACRE_ALIGN_MIN)
            return EINVAL;
        s->base = o->buffer;
        s->window = size;
        return segment_fill(s, o, size, capacity);
    }
    int e = acre__source_map(s, size, capacity);
    return e ? e : segment_fill(s, o, size, capacity);
}

static int segment_build_file(acre_segment *s, acre__file *f, const acre_segment_options *o,
                              size_t size, size_t capacity)
{
    int e = acre__source_create(f, s->source, o);
    if (!e && f->dir >= 0)
        e = acre__offline_attach(f->fd);
    if (!e)
        e = acre__file_reserve(f->fd, size);
    if (e)
        return e;
    s->fd = f->fd;
    e = acre__source_map(s, size, capacity);
    if (!e)
        e = segment_fill(s, o, size, capacity);
    return e ? e : acre__source_publish(f);
}

static int segment_create_file(acre_segment *s, const char *name, const acre_segment_options *o,
                               size_t size, size_t capacity)
{
    acre__file f;
    int e = acre__source_locate(&f, s->source, name);
    if (!e)
        e = segment_build_file(s, &f, o, size, capacity);
    if (s->fd >= 0)
        f.fd = -1; /* the handle's now */
    acre__file_close(&f);
    return e;
}

static int segment_create_into(acre_segment *s, const char *name, const acre_segment_options *o)
{
    size_t size, capacity;
    int e = segment_sizes(s->source, o, &size, &capacity);
    if (!e)
        e = segment_check_reach(o, capacity);
    if (!e)
        e = acre__grow_check(s->source, o);
    if (e)
        return e;
    return acre__source_has_file(s->source) ? segment_create_file(s, name, o, size, capacity)
                                            : segment_create_memory(s, o, size, capacity);
}

int acre_segment_create(acre_segment **out, enum acre_source source, const char *name,
                        const acre_segment_options *options)
{
    acre_segment_options o = options ? *options : segment_defaults;
    if (!o.algorithm)
        o.algorithm = acre_algorithm_find("rbtree_best_fit");
    if (source > ACRE_BUFFER || o.index > ACRE_INDEX_NONE || acre_heap_options_check(o.algorithm, &o.heap) != 0)
        return EINVAL;
    if (o.huge_pages > ACRE_HUGE_RESERVED ||
        (o.huge_pages == ACRE_HUGE_RESERVED && source != ACRE_MEMFD))
        return EINVAL;
    acre_segment *s = segment_new(source, &o, false);
    if (!s)
        return ENOMEM;
    int e = segment_create_into(s, name, &o);
    if (e)
        acre_segment_close(s);
    else
        *out = s;
    return e;
}

/* ---- opening ---- */

/* Everything that is decided by the header is decided by this copy of it. */
static int segment_read_header(const acre_segment *s, segment_header *copy, uint64_t *room)
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

/* Another one may have finished an offline change since the header was read. */
static int segment_adopt(acre_segment *s, const segment_header *copy, const acre_algorithm *a)
{
    if (!copy->redo.check && acre__peek(&segment_header_of(s)->capacity) != copy->capacity)
        return ACRE_ECORRUPT;
    int e = acre__heap_validate(s->base + copy->heap, copy->size - copy->heap, a);
    if (e)
        return e;
    segment_attach(s, a, copy->heap, copy->capacity);
    e = acre__names_attach(s);
    if (e || s->read_only)
        return e;
    acre__boot_check(s);
    acre__offline_finish(s, copy);
    return 0;
}

static int segment_open_file(acre_segment *s, const char *name, const acre_segment_options *o)
{
    const acre_algorithm *a = NULL;
    segment_header copy;
    acre__file f;
    uint64_t room = 0;
    int e = acre__source_locate(&f, s->source, name);
    if (!e)
        e = acre__source_open(&f, s->source, o);
    s->fd = f.fd;
    f.fd = -1;
    acre__file_close(&f);
    if (!e && !s->alone)
        e = acre__offline_attach(s->fd);
    if (!e)
        e = segment_read_header(s, &copy, &room);
    if (!e)
        e = acre__format_check(&copy, s->read_only, &a);
    if (!e && copy.size > room)
        e = ACRE_ETRUNCATED;
    if (!e)
        e = acre__source_map(s, copy.size, copy.capacity);
    return e ? e : segment_adopt(s, &copy, a);
}

/* options.size bounds what is believed about the buffer. */
static int segment_open_buffer(acre_segment *s, const acre_segment_options *o)
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
    s->window = copy.size;
    return segment_adopt(s, &copy, a);
}

static int segment_open_into(acre_segment *s, const char *name, const acre_segment_options *o)
{
    if (s->source == ACRE_BUFFER)
        return segment_open_buffer(s, o);
    return acre__source_has_file(s->source) ? segment_open_file(s, name, o) : ENOTSUP;
}

static int segment_open_once(acre_segment **out, enum acre_source source, const char *name,
                             const acre_segment_options *o, bool alone)
{
    acre_segment *s = segment_new(source, o, o->read_only);
    if (!s)
        return ENOMEM;
    s->alone = alone;
    int e = segment_open_into(s, name, o);
    if (e)
        acre_segment_close(s);
    else
        *out = s;
    return e;
}

int acre__segment_open_alone(acre_segment **out, int fd)
{
    return segment_open_once(out, ACRE_MEMFD, NULL, &(acre_segment_options){.fd = fd}, true);
}

/* A segment that others grow or shrink while its sizes are being read looks damaged for a moment,
 * so a damaged one is looked at more than once. */
int acre_segment_open(acre_segment **out, enum acre_source source, const char *name,
                      const acre_segment_options *options)
{
    const acre_segment_options *o = options ? options : &segment_defaults;
    const struct timespec pause = {.tv_nsec = 1000000};
    int e = segment_open_once(out, source, name, o, false);
    for (int look = 1; look < 4 && (e == ACRE_ETRUNCATED || e == ACRE_ECORRUPT); look++) {
        nanosleep(&pause, NULL);
        e = segment_open_once(out, source, name, o, false);
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

/* ---- removing ---- */

static int segment_remove_file(acre__file *f)
{
    uint64_t magic = 0;
    if (pread(f->fd, &magic, sizeof magic, 0) != sizeof magic || magic != SEGMENT_MAGIC)
        return ACRE_EFORMAT;
    return acre__file_unlink(f);
}

int acre_segment_remove(enum acre_source source, const char *name)
{
    static const acre_segment_options look = {.read_only = true, .any_owner = true};
    acre__file f;
    if (source != ACRE_SHM && source != ACRE_FILE)
        return ENOTSUP;
    int e = acre__source_locate(&f, source, name);
    if (!e)
        e = acre__source_open(&f, source, &look);
    if (!e)
        e = segment_remove_file(&f);
    acre__file_close(&f);
    return e;
}
