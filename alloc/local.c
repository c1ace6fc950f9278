/* SPDX-License-Identifier: MIT */
/* local.c: a thread's own access to a heap. */
#include "alloc/heap.h"

#include <errno.h>

static void *local_take(acre_local *l, size_t size)
{
    return acre_alloc(l->heap, size);
}

static int local_give(acre_local *l, void *p)
{
    return acre_free(l->heap, p);
}

int acre_local_open(acre_local *l, acre_heap *h)
{
    *l = (acre_local){h, NULL, local_take, local_give};
    if (!h->inner->local || !acre__heap_own(h) || h->inner->local(l))
        return 0;
    *l = (acre_local){h, NULL, local_take, local_give};
    return EAGAIN;
}
