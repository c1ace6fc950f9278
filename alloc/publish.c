/* SPDX-License-Identifier: MIT */
/* publish.c: a block and the slot that names it change as one step, because the slot's old value
 * goes into the same journal as the heap's. */
#include "alloc/heap.h"

#include <errno.h>

static bool publish_in_segment(const acre_heap *h, const acre_off *slot)
{
    uint64_t at = (uint64_t)((const char *)slot - h->segment);
    return at <= *h->size - sizeof *slot && at % sizeof *slot == 0;
}

static int publish_alloc(acre_heap *h, acre_off *slot, size_t size)
{
    void *p = h->algorithm->alloc(&h->region, size + !size, ACRE_ALIGN_MIN);
    if (!p)
        return ENOMEM;
    acre_set64(&h->region, slot, (acre_off)((char *)p - h->segment));
    return 0;
}

int acre_alloc_into(acre_heap *h, acre_off *slot, size_t size)
{
    if (size > ACRE_SIZE_MAX)
        return ENOMEM;
    if (!publish_in_segment(h, slot))
        return ACRE_EINVALID;
    int e = acre__heap_enter(h);
    if (e)
        return e;
    e = publish_alloc(h, slot, size);
    acre__heap_leave(h);
    return e;
}

/* A roll back gives the block back to its slot, so what free() overwrites of it is noted too. */
static void publish_note_contents(acre_heap *h, void *p)
{
    uint64_t *word = p;
    if (!h->region.journal)
        return;
    size_t usable = h->algorithm->usable(&h->region, p), bytes = h->algorithm->free_clobbers;
    for (size_t i = 0; i < (usable < bytes ? usable : bytes) / sizeof *word; i++)
        acre_note(&h->region, &word[i], word[i], 0);
}

static int publish_free(acre_heap *h, acre_off *slot)
{
    void *p = h->segment + *slot;
    if (acre_usable_size(h, p) == 0)
        return ACRE_EINVALID;
    publish_note_contents(h, p);
    acre_set64(&h->region, slot, 0);
    return h->algorithm->free(&h->region, p);
}

int acre_free_from(acre_heap *h, acre_off *slot)
{
    if (!publish_in_segment(h, slot))
        return ACRE_EINVALID;
    int e = acre__heap_enter(h);
    if (e)
        return e;
    e = *slot ? publish_free(h, slot) : 0;
    acre__heap_leave(h);
    return e;
}
