/* SPDX-License-Identifier: MIT */
/* pool_stats.c: what each size class of a heap with pools has; the classes count themselves (P7). */
#include "alloc/pool_heap.h"

static void pool_class_sum(const pool_class *c, acre_class *sum)
{
    uint64_t slices = (uint64_t)c->blocks * c->slices, nodes = slices * c->nodes;
    uint64_t free = c->free < nodes ? c->free : nodes;
    *sum = (acre_class){.size = c->bytes,
                        .slabs = c->blocks,
                        .slab_bytes = slices * c->frames * POOL_FRAME,
                        .live_blocks = nodes - free,
                        .free_blocks = free,
                        .direct_blocks = c->direct};
    uint64_t bytes = nodes * c->bytes;
    sum->lost_bytes = bytes < sum->slab_bytes ? sum->slab_bytes - bytes : 0;
}

int acre__pool_class_stats(const acre_region *r, acre_class *class)
{
    const pools *p = pool_of(r);
    if (r->size < POOL_MIN_SIZE || p->classes > ACRE_CLASSES)
        return ACRE_ECORRUPT;
    for (uint32_t i = 0; i < p->classes; i++)
        pool_class_sum(&p->class[i], &class[i]);
    return (int)p->classes;
}
