/* SPDX-License-Identifier: MIT */
/* bulk.c: many blocks in one entry of the lock.  Each single step is committed for itself, so that
 * the journal's bound holds; a caller that dies in the middle leaks what it had not yet seen.
 *
 * Blocks are freed in the order of their addresses, so that neighbours meet at once; they are put into
 * that order before the lock is taken, in the caller's own list. */
#include "alloc/heap.h"

#include <errno.h>
#include <stdlib.h>

/* ---- allocating ---- */

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
    void *p = acre__heap_take(h, size + !size, ACRE_ALIGN_MIN);
    acre__heap_commit(h);
    return p;
}

static int bulk_alloc(acre_heap *h, size_t n, const size_t *sizes, size_t size, void **out)
{
    size_t i = 0;
    if (n && h->algorithm->alloc_many)
        i = h->algorithm->alloc_many(&h->region, n, sizes, size + !size, out);
    for (; i < n; i++) {
        out[i] = bulk_next(h, sizes ? sizes[i] : size);
        if (!out[i]) {
            bulk_undo(h, i - ACRE_BUG_IS(13), out);
            return ENOMEM;
        }
    }
    return 0;
}

static bool bulk_too_large(size_t n, const size_t *sizes, size_t size)
{
    if (!sizes)
        return n && size > ACRE_SIZE_MAX;
    while (n--)
        if (sizes[n] > ACRE_SIZE_MAX)
            return true;
    return false;
}

/* An algorithm that needs no lock is as quick one by one. */
static int bulk_alloc_own(acre_heap *h, size_t n, const size_t *sizes, size_t size, void **out)
{
    for (size_t i = 0; i < n; i++) {
        out[i] = h->take(&h->region, sizes ? sizes[i] : size);
        if (out[i])
            continue;
        for (; i--; out[i] = NULL)
            h->give(&h->region, out[i]);
        return ENOMEM;
    }
    return 0;
}

int acre_alloc_many(acre_heap *h, size_t n, const size_t *sizes, size_t size, void **out)
{
    if (bulk_too_large(n, sizes, size))
        return ENOMEM;
    if (acre__heap_own(h))
        return bulk_alloc_own(h, n, sizes, size, out);
    int e = acre__heap_enter(h);
    if (e)
        return e;
    e = bulk_alloc(h, n, sizes, size, out);
    acre__heap_leave(h);
    for (size_t i = 0; h->control->zeroed && !e && i < n; i++)
        acre__heap_hide_links(h, out[i]);
    return e;
}

/* ---- freeing ---- */

static int bulk_compare(const void *a, const void *b)
{
    uintptr_t x = (uintptr_t) * (void *const *)a, y = (uintptr_t) * (void *const *)b;
    return (x > y) - (x < y);
}

/* What acre_alloc_many() gave is mostly in order already. */
static void bulk_sort(size_t n, void **blocks)
{
    for (size_t i = 1; i < n; i++)
        if (bulk_compare(&blocks[i - 1], &blocks[i]) > 0) {
            qsort(blocks, n, sizeof *blocks, bulk_compare);
            return;
        }
}

/* Keep what can be a block; NULLs are no error. */
static size_t bulk_filter(acre_heap *h, size_t n, void **blocks, int *error)
{
    size_t kept = 0;
    for (size_t i = 0; i < n; i++)
        if (!acre__heap_foreign(h, blocks[i]))
            blocks[kept++] = blocks[i];
        else if (blocks[i])
            *error = acre__heap_misuse(h, ACRE_EINVALID, blocks[i]);
    return kept;
}

/* Each goes on behind one that is not a live block. */
static int bulk_free_singly(acre_heap *h, size_t n, void *const *blocks)
{
    int error = 0;
    for (size_t i = 0; i < n; i++) {
        int e = h->free(&h->region, blocks[i]);
        acre__heap_commit(h);
        if (e)
            error = acre__heap_misuse(h, e, blocks[i]);
    }
    return error;
}

static int bulk_free(acre_heap *h, size_t n, void *const *blocks)
{
    int error = 0;
    if (!h->algorithm->free_many)
        return bulk_free_singly(h, n, blocks);
    for (size_t i = 0; i < n; i++) {
        i += h->algorithm->free_many(&h->region, n - i, blocks + i);
        if (i < n)
            error = acre__heap_misuse(h, ACRE_EINVALID, blocks[i]);
    }
    return error;
}

static int bulk_free_own(acre_heap *h, size_t n, void *const *blocks)
{
    int error = 0;
    for (size_t i = 0; i < n; i++) {
        int e = h->give(&h->region, blocks[i]);
        error = e ? e : error;
    }
    return error;
}

int acre_free_many(acre_heap *h, size_t n, void **blocks)
{
    int error = 0;
    if (acre__heap_own(h))
        return bulk_free_own(h, n, blocks);
    n = bulk_filter(h, n, blocks, &error);
    if (n == 0)
        return error;
    bulk_sort(n, blocks);
    int e = acre__heap_enter(h);
    if (e)
        return e;
    e = bulk_free(h, n, blocks);
    acre__heap_leave(h);
    return e ? e : error;
}
