/* SPDX-License-Identifier: MIT */
/* shard_map.c: the map of a sharded heap: two bytes a KiB: where the slab's class is in a shard, and the
 * distance to the slab's start; 0 where no slab is.  For the frames of the region as it was created, SHARD_FLAT of
 * them at most, it lies behind root; for those behind in chunks, which are made when a slab first lies in their
 * frames.  None ever moves, so that it can be read without the lock.  It changes in the house. */
#include "alloc/shard_heap.h"

#include <string.h>

uint16_t acre__shard_map_entry(const acre_region *r, uint64_t frame)
{
    const uint16_t *at = shard_map(r, frame);
    return at && (uint64_t)((const char *)at - r->base) < r->size ? acre__peek(at) : 0;
}

/* A start is the truth: noted, with its neighbour. */
static void map_set_start(const acre_region *r, uint32_t frame, uint16_t entry)
{
    uint16_t *at = shard_map(r, frame);
    uint32_t *word = (uint32_t *)((uintptr_t)at & ~(uintptr_t)3);
    if (r->journal && !ACRE_BUG_IS(87))
        acre_note(r, word, *word, 1);
    acre__put(at, entry);
}

void acre__shard_map_set(const acre_region *r, uint32_t frame, const shard_kind *k, uint16_t start)
{
    map_set_start(r, frame, start);
    for (uint32_t i = 1; i < k->frames; i++)
        acre__put(shard_map(r, frame + i), (uint16_t)(start ? start + i : 0));
}

static bool map_chunk_new(acre_region *r, uint64_t k)
{
    shard_root *o = shard_root_of(r);
    size_t bytes = SHARD_CHUNK_BYTES(k);
    if (o->chunk[k])
        return true;
    char *at = acre__rbtree_best_fit.alloc(r, bytes, ACRE_ALIGN_MIN);
    if (!at)
        return false;
    memset(at, 0, bytes);
    if (r->journal)
        acre_note(r, &o->chunk[k], 0, 0);
    acre__store(&o->chunk[k], (uint64_t)(at - r->base));
    o->taken += (rb_usable(at) + RB_HEADER) / RB_UNIT;
    return true;
}

/* See to it that the map has the entries of these frames. */
bool acre__shard_map_cover(acre_region *r, uint32_t first, uint32_t last)
{
    uint32_t flat = shard_root_of(r)->flat;
    if (last < flat)
        return true;
    for (uint64_t k = shard_chunk_of(first < flat ? 0 : first - flat);
         k <= shard_chunk_of(last - flat); k++)
        if (!map_chunk_new(r, k))
            return false;
    return true;
}
