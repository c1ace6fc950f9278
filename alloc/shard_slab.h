/* SPDX-License-Identifier: MIT */
/* shard_slab.h: what the files about slabs (shard_slab.c, shard_collect.c, shard_node.c) share. */
#ifndef ACRE_ALLOC_SHARD_SLAB_H
#define ACRE_ALLOC_SHARD_SLAB_H

#include "alloc/shard_heap.h"

static inline bool slab_is_listed(const shard *t, const slab *s)
{
    return s->listed == t->epoch;
}

static inline uint32_t slab_serving(const shard_class *c)
{
    return c->word == SHARD_NONE ? 0 : (uint32_t)(c->word / SHARD_FRAME);
}

static inline const shard_kind *slab_kind(const acre_region *r, const slab *s)
{
    return &shard_root_of(r)->kind[s->class];
}

static inline bool slab_any_free(const acre_region *r, const slab *s)
{
    uint64_t any = 0;
    for (uint32_t i = 0; i < slab_kind(r, s)->words; i++)
        any |= s->word[i].free;
    return any != 0;
}

static inline bool slab_whole(const acre_region *r, const slab *s)
{
    const shard_kind *k = slab_kind(r, s);
    for (uint32_t i = 0; i < k->words; i++)
        if (s->word[i].free != slab_mask(k, i))
            return false;
    return true;
}

/* The next slab of a ring, or (s NULL) the first. */
slab *acre__slab_next(const acre_region *r, const shard *t, const slab *s, uint32_t ring);
/* It has got free nodes: into the list, unless it serves. */
void acre__slab_offer(const acre_region *r, shard *t, slab *s);
bool acre__slab_serve(const acre_region *r, const shard *t, shard_class *c, slab *s);
void acre__slab_stop(const acre_region *r, const shard *t, shard_class *c);
bool acre__slab_new(acre_heap *h, shard *t, uint32_t class); /* listed */
size_t acre__slab_end(acre_region *r, shard *t, slab *s);    /* in the house; the bytes */

bool acre__shard_collect_hinted(const acre_region *r, shard *t);
/* Visit so many slabs that were not visited yet, until one has nodes of this class. */
void acre__shard_scan(const acre_region *r, shard *t, const shard_class *c, uint32_t most);

#endif
