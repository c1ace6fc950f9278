/* SPDX-License-Identifier: MIT */
/* parts.c: a heap's parts and size classes: collected under the lock, or read-only with look.c's proof, and
 * shown when the lock is free again. */
#include "alloc/heap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

typedef struct parts_list {
    int n;
    acre_part part[ACRE_PARTS];
} parts_list;

static int parts_collect(acre_heap *h, uint64_t version, void *arg)
{
    parts_list *l = arg;
    (void)version;
    memset(l, 0, sizeof *l);
    l->n = h->inner->parts(&h->region, l->part);
    return l->n < 0 ? l->n : 0;
}

int acre_heap_parts(acre_heap *h, acre_visit_part *visit, void *arg)
{
    parts_list *l = h->inner->parts ? malloc(sizeof *l) : NULL;
    if (!l)
        return h->inner->parts ? ENOMEM : ENOTSUP;
    int e = acre__inspect(h, parts_collect, l);
    for (int i = 0; !e && i < l->n; i++)
        e = visit(arg, &l->part[i]);
    free(l);
    return e;
}

typedef struct classes_list {
    int n;
    acre_class class[ACRE_CLASSES];
} classes_list;

static int classes_collect(acre_heap *h, uint64_t version, void *arg)
{
    classes_list *l = arg;
    (void)version;
    memset(l, 0, sizeof *l);
    l->n = h->inner->class_stats(&h->region, l->class);
    return l->n < 0 ? l->n : 0;
}

int acre_heap_classes(acre_heap *h, acre_visit_class *visit, void *arg)
{
    classes_list l;
    if (!h->inner->class_stats)
        return ENOTSUP;
    int e = acre__inspect(h, classes_collect, &l);
    for (int i = 0; !e && i < l.n; i++)
        e = visit(arg, &l.class[i]);
    return e;
}
