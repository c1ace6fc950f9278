/* SPDX-License-Identifier: MIT */
/* more.c: an allocation that finds no room lets the segment grow, if it may, and tries again.
 *
 * All of it is under one hold of the lock: who has waited for it looks first, and finds the room that another
 * thread has made; and what was made for a block is not taken by another one before.  Growing is a step of its
 * own, committed like any other: who dies in it leaves the old size, who dies behind it the new one. */
#include "alloc/heap.h"

/* A block's header, and what it loses to alignment. */
enum { MORE_HEAD = 128 };

/* Where many slots are being filled, the journal's first entry says so until all are. */
static bool more_in_batch(const acre_heap *h)
{
    const acre_journal *j = h->region.journal;
    return j && j->count && (j->entry[0].where & ACRE__BATCH);
}

static void more_commit(acre_heap *h, bool batch)
{
    acre__order();
    if (h->region.journal)
        acre__put(&h->region.journal->count, (uint64_t)(batch && !ACRE_BUG_IS(128)));
    acre__order();
}

bool acre__heap_grow(acre_heap *h, size_t size, size_t align)
{
    bool batch = more_in_batch(h);
    if (!h->more || size > ACRE_SIZE_MAX || align > ACRE_SIZE_MAX)
        return false;
    more_commit(h, batch);
    int e = h->more(h, size + (align > ACRE_ALIGN_MIN ? align : 0) + MORE_HEAD);
    more_commit(h, batch);
    return e == 0;
}

void *acre__heap_alloc_more(acre_heap *h, size_t size, size_t align)
{
    void *p = NULL;
    while (!p && acre__heap_grow(h, size, align))
        p = h->alloc(&h->region, size, align);
    return p;
}

void *acre__heap_alloc_growing(acre_heap *h, size_t size, size_t align)
{
    if (!h->more || size > ACRE_SIZE_MAX || acre__heap_enter(h) != 0)
        return NULL;
    void *p = acre__heap_take(h, size, align);
    acre__heap_leave(h);
    if (h->control->zeroed && p)
        acre__heap_hide_links(h, p);
    return p;
}
