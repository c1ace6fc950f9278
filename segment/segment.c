/* SPDX-License-Identifier: MIT */
/* segment.c: handles: making, filling, closing them. */
#include "segment/internal.h"
#include "sync/self.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

const acre_segment_options acre__segment_defaults;

static bool segment_address_fits(enum acre_source source, const acre_segment_options *o)
{
    bool aligned = (uintptr_t)o->address % (size_t)sysconf(_SC_PAGESIZE) == 0;
    return !o->address || (source != ACRE_BUFFER && aligned);
}

int acre__segment_new(acre_segment **out, enum acre_source source, const acre_segment_options *o, uint32_t access)
{
    if (!segment_address_fits(source, o))
        return EINVAL;
    acre_segment *s = calloc(1, sizeof *s);
    if (!s)
        return ENOMEM;
    s->source = source;
    s->access = access;
    s->read_only = access == ACRE_ACCESS_READ || access == ACRE_ACCESS_READ_PRIVATE;
    s->address = o->address;
    s->huge_pages = o->huge_pages;
    s->grow_limit = o->grow_limit;
    s->fd = s->xsi = -1;
    *out = s;
    return 0;
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

/* Of a caller's buffer nothing is known, and behind a page of a private copy stands what the file has: no page
 * of them is given back. */
static int segment_give_back(const acre_segment *s)
{
    if (s->source == ACRE_BUFFER || s->access != ACRE_ACCESS_WRITE)
        return 0;
    return s->source == ACRE_HEAP ? MADV_DONTNEED : MADV_REMOVE;
}

/* The cells of the directory: who waits for one must not find it changed by an undone call. */
static void segment_keep_locks(acre_segment *s)
{
    static const uint32_t at[] = {offsetof(segment_directory, names.lock), offsetof(segment_directory, tx.cell),
                                  offsetof(segment_directory, hold.cell)};
    for (int i = 0; i < 3; i++) {
        s->heap.kept[i][0] = SEGMENT_HEADER + at[i];
        s->heap.kept[i][1] = SEGMENT_HEADER + at[i] + (uint32_t)sizeof(acre_cell);
    }
}

void acre__segment_attach(acre_segment *s, const acre_algorithm *a, uint64_t heap, uint64_t capacity)
{
    segment_header *h = segment_header_of(s);
    s->capacity = capacity;
    s->heap.segment = s->base;
    s->heap.size = &h->size;
    s->heap.window = s->window;
    s->heap.guarded = s->window < capacity;
    s->heap.give_back = segment_give_back(s);
    s->heap.fd = s->access == ACRE_ACCESS_COPY ? -1 : s->fd;
    s->heap.page = s->page;
    s->heap.more = acre__grow_hook_of(s);
    if (heap > SEGMENT_HEADER)
        segment_keep_locks(s);
    acre__heap_attach(&s->heap, s->base + heap, a, s->read_only);
}
