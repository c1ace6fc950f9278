/* SPDX-License-Identifier: MIT */
/* move.c: a capacity that is changed, where nobody else can have the segment mapped: private memory, which
 * moves if there is no room behind it, and a caller's buffer, as far as it goes. */
#include "segment/internal.h"
#include "sync/self.h"

#include <errno.h>
#include <sys/mman.h>

/* Memory of one kind of advice is one mapping, which can move as one. */
static int move_memory(acre_segment *s, uint64_t window)
{
    void *place = s->address ? NULL : acre__pages_place(window);
    int flags = s->address ? 0 : place ? MREMAP_MAYMOVE | MREMAP_FIXED : MREMAP_MAYMOVE;
    madvise(s->base, s->window, MADV_NORMAL);
    void *p = mremap(s->base, s->window, window, flags, place);
    if (p == MAP_FAILED) {
        if (place)
            munmap(place, window);
        return ENOMEM;
    }
    s->base = p;
    s->window = window;
    acre__pages_advise(s);
    return 0;
}

static bool move_in_reach(const acre_segment *s, uint64_t capacity)
{
    uint64_t reach = s->heap.inner->reach;
    return !reach || capacity - (uint64_t)(s->heap.region.base - s->base) <= reach;
}

/* The handle anew, as each pointer in it counts from the base. */
static void move_attach(acre_segment *s, uint64_t heap, uint64_t capacity)
{
    acre__format_capacity(segment_header_of(s), capacity);
    acre__segment_attach(s, s->heap.inner, heap, capacity);
}

int acre__move_capacity(acre_segment *s, uint64_t capacity)
{
    uint64_t heap = (uint64_t)((char *)s->heap.control - s->base);
    if (s->source == ACRE_BUFFER && capacity > s->room)
        return E2BIG;
    if (!move_in_reach(s, capacity))
        return ACRE_ETOOBIG;
    if (s->source == ACRE_HEAP) {
        acre__heap_detach(&s->heap);
        if (acre__self_holds_in(s->base, s->window))
            return EBUSY;
        int e = move_memory(s, capacity);
        if (e)
            return e;
    }
    move_attach(s, heap, capacity > s->capacity ? capacity : s->capacity);
    return 0;
}
