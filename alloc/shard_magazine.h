/* SPDX-License-Identifier: MIT */
/* shard_magazine.h: the entries that a thread has at hand of one class. */
#ifndef ACRE_ALLOC_SHARD_MAGAZINE_H
#define ACRE_ALLOC_SHARD_MAGAZINE_H

#include "alloc/shard_heap.h"

ACRE_INLINE void *shard_pop(const acre_region *r, shard_class *c)
{
    uint32_t n = c->count;
    acre__put(&c->count, n - 1);
    return shard_node(r, c->entry[n]);
}

/* Killed behind the first store: the entry is above the count, and means nothing. */
ACRE_INLINE void shard_push_unit(shard_class *c, uint32_t count, uint32_t unit)
{
    c->entry[count + 1] = unit;
    acre__order();
    acre__put(&c->count, count + 1);
}


/* Is it among the entries? */
bool acre__shard_has(const shard_class *c, uint32_t unit);

/* May it be among the last four?  What stands in front of the first entry may look like it.  (All entries at
 * once, by vector instructions, cost 8 to 12 % of the time of a replay: they have to wait for the entries that
 * were just stored.  A word in the freed block costs 10 %: it is seldom in the cache.) */
ACRE_INLINE bool shard_had_lately(const shard_class *c, uint32_t count, uint32_t unit)
{
    const uint32_t *e = (const uint32_t *)((const char *)c + offsetof(shard_class, entry)) + count;
    return e[0] == unit || e[-1] == unit || e[-2] == unit || e[-3] == unit;
}

#endif
