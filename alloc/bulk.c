/* SPDX-License-Identifier: MIT */
/* bulk.c: many blocks in one entry of the lock.  Each single step is committed for itself, so that
 * the journal's bound holds; a caller that dies in the middle leaks what it had not yet seen. */
#include "alloc/heap.h"

#include <errno.h>

static void bulk_undo(acre_heap *h, size_t n, void **out)
{
    while (n--) {
        h->algorithm->free(&h->region, out[n]);
        acre__heap_commit(h);
        out[n] = NULL;
    }
}

static void *bulk_next(acre_heap *h, size_t size)
{
    void *p = size > ACRE_SIZE_MAX
                  ? NULL
                  : h->algorithm->alloc(&h->region, size + !size, ACRE_ALIGN_MIN);
    acre__heap_commit(h);
    return p;
}

static int bulk_alloc(acre_heap *h, size_t n, const size_t *sizes, size_t size, void **out)
{
    for (size_t i = 0; i < n; i++) {
        out[i] = bulk_next(h, sizes ? sizes[i] : size);
        if (!out[i]) {
            bulk_undo(h, i, out);
            return ENOMEM;
        }
    }
    return 0;
}

int acre_alloc_many(acre_heap *h, size_t n, const size_t *sizes, size_t size, void **out)
{
    int e = acre__heap_enter(h);
    if (e)
        return e;
    e = bulk_alloc(h, n, sizes, size, out);
    acre__heap_leave(h);
    return e;
}

int acre_free_many(acre_heap *h, size_t n, void **blocks)
{
    int first = 0;
    for (size_t i = 0; i < n; i++) {
        int e = acre_free(h, blocks[i]);
        if (e && !first)
            first = e;
    }
    return first;
}
