/* SPDX-License-Identifier: MIT */
#include "tests/crash/shards.h"

/* White box: shards, slabs, records. */
#include "alloc/shard_heap.h"

#include <string.h>

_Static_assert((int)SHARDS_NOTICE == (int)SHARD_NOTICE && (int)SHARDS_FROM == (int)SHARD_FROM,
               "a record's kinds");

bool shards_are(const acre_heap *h)
{
    return !strcmp(h->inner->name, "sharded");
}

uint32_t shards_mine(const acre_heap *h)
{
    const shard *t = acre__shard_mine(h);
    return t ? t->number : (uint32_t)SHARDS_NONE;
}

uint32_t shards_owner(const acre_heap *h, const void *p)
{
    shard_place at = shard_find(&h->region, p);
    return at.slab && at.start ? at.slab->owner : (uint32_t)SHARDS_NONE;
}

bool shards_held(const acre_heap *h, uint32_t shard_number)
{
    const shard *t = shard_numbered(&h->region, shard_number);
    return t && !acre__ownerless(acre__load(&t->cell.word));
}

bool shards_adopts(const acre_heap *h, uint32_t thread)
{
    const shard *t;
    bool any = false;
    for (uint32_t i = 0; (t = shard_numbered(&h->region, i)); i++) {
        uint32_t word = acre__load(&t->cell.word);
        any |= (word & ACRE__D) && (word & ACRE__TID) == thread;
    }
    return any;
}

static const shard_class *shards_class(const acre_heap *h, uint32_t number, const void *p)
{
    shard_place at = shard_find(&h->region, p);
    const shard *t = shard_numbered(&h->region, number);
    return at.slab && t ? &t->class[at.slab->class] : NULL;
}

bool shards_full(const acre_heap *h, uint32_t number, const void *p)
{
    const shard_class *c = shards_class(h, number, p);
    return c && c->count == SHARD_ENTRIES;
}

static size_t shards_free_in(const acre_heap *h, const slab *s)
{
    const shard_kind *k = &shard_root_of(&h->region)->kind[s->class];
    size_t n = 0;
    for (uint32_t i = 0; i < k->words; i++)
        n += (size_t)__builtin_popcountll(s->word[i].free);
    return n;
}

size_t shards_at_hand(const acre_heap *h, uint32_t number, const void *p)
{
    const acre_region *r = &h->region;
    const shard_class *c = shards_class(h, number, p);
    const shard *t = shard_numbered(r, number);
    size_t n = c ? c->count : 0;
    for (uint32_t i = 0; c && i < SHARD_RINGS; i++)
        for (uint32_t f = t->ring[i]; f; f = slab_at(r, f)->ring_next)
            if (&t->class[slab_at(r, f)->class] == c)
                n += shards_free_in(h, slab_at(r, f));
    return n;
}

bool shards_waiting_beside(const acre_heap *h, const void *p)
{
    shard_place at = shard_find(&h->region, p);
    return at.slab && acre__load(&at.slab->word[at.index / 64].remote) != 0;
}

enum shards_record shards_under_way(const acre_heap *h, uint32_t number)
{
    const shard *t = shard_numbered(&h->region, number);
    return t ? (enum shards_record)(acre__load(&t->op) & 15) : SHARDS_IDLE;
}

size_t shards_unfinished(const acre_heap *h)
{
    const shard *t;
    size_t n = 0;
    for (uint32_t i = 0; (t = shard_numbered(&h->region, i)); i++)
        n += acre__load(&t->cell.word) == ACRE__D && acre__load(&t->op) != SHARD_IDLE;
    return n;
}

bool shards_arrived(const acre_heap *h, uint32_t number)
{
    const shard *t = shard_numbered(&h->region, number);
    shard_place at = shard_find(&h->region, shard_node(&h->region, (uint32_t)(t->op >> 4)));
    return at.slab && acre__load(&at.slab->word[at.index / 64].remote) >> at.index % 64 & 1;
}

bool shards_hinted(const acre_heap *h, uint32_t number)
{
    const shard *t = shard_numbered(&h->region, number);
    return t && acre__load(&t->hint) != 0;
}

bool shards_together(const acre_heap *h, const void *a, const void *b)
{
    return shard_find(&h->region, a).slab == shard_find(&h->region, b).slab;
}

size_t shards_slabs(const acre_heap *h)
{
    const shard *t;
    size_t n = 0;
    for (uint32_t k = 0; (t = shard_numbered(&h->region, k)); k++)
        for (uint32_t i = 0; i < SHARD_RINGS; i++)
            for (uint32_t f = t->ring[i]; f; f = slab_at(&h->region, f)->ring_next)
                n++;
    return n;
}

size_t shards_chunks(const acre_heap *h)
{
    const shard_root *o = shard_root_of(&h->region);
    size_t n = 0;
    for (uint32_t k = 0; k < SHARD_CHUNKS; k++)
        n += o->chunk[k] != 0;
    return n;
}
