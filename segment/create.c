/* SPDX-License-Identifier: MIT */
/* create.c: creating segments: whole, then under their name. */
#include "segment/internal.h"
#include "segment/names.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static size_t create_page_round(const acre_segment_options *o, size_t n)
{
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    if (o->huge_pages == ACRE_HUGE_RESERVED)
        page = SEGMENT_HUGE;
    return (n + page - 1) & ~(page - 1);
}

static int create_sizes(enum acre_source source, const acre_segment_options *o, size_t *size,
                        size_t *capacity)
{
    if (o->size > ACRE_SIZE_MAX || o->capacity > ACRE_SIZE_MAX)
        return ACRE_ETOOBIG;
    if (o->capacity && o->capacity < o->size)
        return EINVAL;
    *size = acre__source_has_file(source) || source == ACRE_XSI ? create_page_round(o, o->size)
                                                                : o->size;
    *capacity =
        source == ACRE_BUFFER || o->capacity < *size ? *size : create_page_round(o, o->capacity);
    return *size < segment_front(o->index) ? ACRE_ETOOSMALL : 0;
}

/* Found out before anything is reserved or mapped. */
static int create_check_reach(const acre_segment_options *o, size_t capacity)
{
    size_t front = segment_front(o->index) + acre__heap_overhead(o->algorithm, &o->heap);
    uint64_t reach = o->algorithm->reach;
    return reach && capacity > front && capacity - front > reach ? ACRE_ETOOBIG : 0;
}

static int create_fill(acre_segment *s, const acre_segment_options *o, size_t size, size_t capacity)
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
    acre__segment_attach(s, a, heap, capacity);
    acre__names_create(s, o->index);
    e = acre__names_attach(s);
    if (!e)
        acre__format_finish(segment_header_of(s));
    return e;
}

static int create_memory(acre_segment *s, const acre_segment_options *o, size_t size,
                         size_t capacity)
{
    if (s->source == ACRE_BUFFER) {
        if (!o->buffer || (uintptr_t)o->buffer % ACRE_ALIGN_MIN)
            return EINVAL;
        s->base = o->buffer;
        s->window = s->room = size;
        return create_fill(s, o, size, capacity);
    }
    int e = acre__source_map(s, size, capacity);
    return e ? e : create_fill(s, o, size, capacity);
}

static int create_build_file(acre_segment *s, acre__file *f, const acre_segment_options *o,
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
        e = create_fill(s, o, size, capacity);
    return e ? e : acre__source_publish(f);
}

static int create_file(acre_segment *s, const char *name, const acre_segment_options *o,
                       size_t size, size_t capacity)
{
    acre__file f;
    int e = acre__source_locate(&f, s->source, name);
    if (!e)
        e = create_build_file(s, &f, o, size, capacity);
    if (s->fd >= 0)
        f.fd = -1; /* the handle's now */
    acre__file_close(&f);
    return e;
}

/* Found by others already, opened once it has its magic: the last store of filling it. */
static int create_xsi(acre_segment *s, const char *name, const acre_segment_options *o, size_t size)
{
    int e = o->capacity > size ? EINVAL : acre__xsi_create(s, name, o->mode, size);
    if (!e)
        e = create_fill(s, o, size, size);
    if (e)
        acre__xsi_undo(s);
    return e;
}

static int create_into(acre_segment *s, const char *name, const acre_segment_options *o)
{
    size_t size, capacity;
    int e = create_sizes(s->source, o, &size, &capacity);
    if (!e)
        e = create_check_reach(o, capacity);
    if (!e)
        e = acre__grow_check(s->source, o);
    if (e)
        return e;
    if (s->source == ACRE_XSI)
        return create_xsi(s, name, o, size);
    return acre__source_has_file(s->source) ? create_file(s, name, o, size, capacity)
                                            : create_memory(s, o, size, capacity);
}

int acre_segment_create(acre_segment **out, enum acre_source source, const char *name,
                        const acre_segment_options *options)
{
    acre_segment_options o = options ? *options : acre__segment_defaults;
    if (!o.algorithm)
        o.algorithm = acre_algorithm_find("rbtree_best_fit");
    if (source > ACRE_XSI || o.access != ACRE_ACCESS_WRITE || o.index > ACRE_INDEX_NONE ||
        acre_heap_options_check(o.algorithm, &o.heap) != 0)
        return EINVAL;
    if (o.huge_pages > ACRE_HUGE_RESERVED ||
        (o.huge_pages == ACRE_HUGE_RESERVED && source != ACRE_MEMFD))
        return EINVAL;
    acre_segment *s;
    int e = acre__segment_new(&s, source, &o, ACRE_ACCESS_WRITE);
    if (e)
        return e;
    e = create_into(s, name, &o);
    if (e)
        acre_segment_close(s);
    else
        *out = s;
    return e;
}
