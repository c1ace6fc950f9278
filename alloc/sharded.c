/* SPDX-License-Identifier: MIT */
/* sharded.c: a shared heap in which each thread of each process has a part to itself.
 *
 * After Hoard (E. Berger et al., ASPLOS 2000) in that threads have heaps and blocks return to where they
 * came from; magazines are J. Bonwick's and J. Adams's (USENIX 2001); bitmaps beside the nodes as in many.
 * What is different is that any process may be killed at any instruction: no node is ever in two places.
 * The picture and the invariants are in shard_heap.h.
 *
 * Costs: O(1) for sizes that have a class, without a lock or an atomic operation but for a node of another
 * thread's slab that finds the magazine full; else as rbtree_best_fit with its lock.  Overhead: 3 % of a
 * slab; 8 bytes a block of the house; 4 KiB a thread.
 */
#include "alloc/shard_heap.h"

/* ---- taking ---- */

/* Of the word that serves; NULL: it has none. */
ACRE_INLINE void *shard_from_word(const acre_region *r, shard_class *c, uint32_t class)
{
    slab_word *w = (slab_word *)(r->base + c->word);
    uint64_t free = w->free;
    if (__builtin_expect(!free, 0))
        return NULL;
    acre__put(&w->free, free & (free - 1));
    uint64_t index = (uint32_t)__builtin_ctzll(free);
    return r->base + c->node + index * shard_root_of(r)->kind[class].bytes;
}

ACRE_INLINE void *shard_at_hand(const acre_region *r, shard *t, uint32_t class)
{
    shard_class *c = &t->class[class];
    uint32_t n = c->count;
    if (__builtin_expect(!n, 0))
        return shard_from_word(r, c, class);
    acre__put(&c->count, n - 1);
    return shard_node(r, c->entry[n - 1]);
}

/* A node of a larger class, where nothing else is left. */
static void *shard_borrow(acre_heap *h, shard *t, uint32_t class)
{
    const acre_region *r = &h->region;
    void *p = NULL;
    while (!p && ++class < shard_root_of(r)->classes)
        p = shard_at_hand(r, t, class);
    return p;
}

/* Threads that are gone may have left nodes whose slabs are wholly free. */
static size_t shard_relieve(acre_heap *h, const shard *t)
{
    size_t bytes = 0;
    for (uint32_t i = 0; shard_numbered(&h->region, i); i++) {
        shard *u = t && t->number == i ? NULL : acre__shard_claim(h, i);
        if (!u)
            continue;
        if (acre__heap_enter(h) == 0) {
            bytes += acre__shard_drain(h, u);
            acre__heap_leave(h);
        }
        acre__shard_release(h, u);
    }
    return bytes;
}

static void *shard_take_house(acre_heap *h, const shard *t, size_t size)
{
    void *p = acre__heap_alloc(&h->region, size);
    if (!p && h->lock && size <= h->reach && shard_relieve(h, t))
        p = acre__heap_alloc(&h->region, size);
    return p;
}

static __attribute__((noinline)) void *shard_take_next(acre_heap *h, shard *t, uint32_t class,
                                                       size_t size)
{
    void *p = acre__shard_refill(h, t, class);
    if (!p)
        p = shard_take_house(h, t, size);
    return p ? p : shard_borrow(h, t, class);
}

static void *shard_take(acre_region *r, size_t size);

/* This thread has no shard at hand, or no class has that size. */
static __attribute__((noinline)) void *shard_take_other(acre_heap *h, size_t size)
{
    shard *t = acre__shard_lease(h);
    if (t && size <= SHARD_MOST)
        return shard_take(&h->region, size);
    return shard_take_house(h, t, size);
}

static void *shard_take(acre_region *r, size_t size)
{
    acre_heap *h = (acre_heap *)r;
    shard *t = shard_leased(h);
    if (__builtin_expect(!t || size > SHARD_MOST, 0))
        return shard_take_other(h, size);
    uint32_t class = shard_root_of(r)->class_of[(size + SHARD_UNIT - 1) / SHARD_UNIT];
    void *p = shard_at_hand(r, t, class);
    return __builtin_expect(p != NULL, 1) ? p : shard_take_next(h, t, class, size);
}

/* ---- giving ---- */

static int shard_give(acre_region *r, void *p);

/* This thread has no shard at hand. */
static __attribute__((noinline)) int shard_give_other(acre_heap *h, void *p)
{
    if (acre__shard_lease(h))
        return shard_give(&h->region, p);
    shard_place at = shard_find(&h->region, p);
    return acre__shard_home(h, NULL, at.slab, at.index);
}

static __attribute__((noinline)) int shard_give_house(acre_region *r, void *p)
{
    return p ? acre__heap_free(r, p) : 0;
}

static int shard_give(acre_region *r, void *p)
{
    acre_heap *h = (acre_heap *)r;
    shard_place at = shard_find(r, p);
    if (__builtin_expect(!at.slab, 0))
        return shard_give_house(r, p);
    if (__builtin_expect(!at.start || shard_free_at(at), 0))
        return ACRE_EINVALID;
    shard *t = shard_leased(h);
    if (__builtin_expect(!t, 0))
        return shard_give_other(h, p);
    shard_class *c = &t->class[at.slab->class];
    uint32_t n = c->count, unit = (uint32_t)((uint64_t)((char *)p - r->base) / SHARD_UNIT);
    if (__builtin_expect(n == SHARD_ENTRIES, 0))
        return acre__shard_home(h, t, at.slab, at.index);
    if (__builtin_expect(n && c->entry[n - 1] == unit, 0))
        return ACRE_EINVALID; /* the last one freed, again */
    c->entry[n] = unit;
    acre__order();
    acre__put(&c->count, n + 1);
    return 0;
}

/* ---- blocks of the house ---- */

/* A block whose size is 8 more than a multiple of 16: a node of this class could have been it. */
static void shard_count_direct(const acre_region *r, size_t usable, uint32_t more)
{
    shard_root *o = shard_root_of(r);
    if (usable < o->largest + SHARD_UNIT)
        acre__put(&o->direct[o->class_of[usable / SHARD_UNIT]],
                  o->direct[o->class_of[usable / SHARD_UNIT]] + more);
}

void *acre__shard_direct(acre_region *r, size_t size, size_t align)
{
    acre_heap *h = (acre_heap *)r;
    void *p = acre__rbtree_best_fit.alloc(r, size, align);
    shard *t = p ? NULL : acre__shard_mine(h);
    if (t && acre__shard_drain(h, t))
        p = acre__rbtree_best_fit.alloc(r, size, align);
    if (p)
        shard_count_direct(r, rb_usable(p), 1);
    return p;
}

/* root, a shard, or a chunk of the map. */
bool acre__shard_reserved(const acre_region *r, const void *p, size_t usable)
{
    const shard_root *o = shard_root_of(r);
    uint64_t at = (uint64_t)((const char *)p - r->base);
    bool found = at == SHARD_AT;
    for (uint32_t i = 0; usable >= sizeof(shard) && i < SHARD_SHARDS && o->shard_at[i]; i++)
        found |= shard_in_block(at) == (uint64_t)o->shard_at[i] * SHARD_UNIT;
    for (uint32_t k = 0; usable >= SHARD_CHUNK && k < SHARD_CHUNKS; k++)
        found |= at == o->chunk[k];
    return found;
}

int acre__shard_free_direct(acre_region *r, void *p)
{
    uint32_t units = acre__rb_live(r, p);
    size_t usable = (size_t)units * RB_UNIT - RB_HEADER;
    if (!units || acre__shard_reserved(r, p, usable))
        return ACRE_EINVALID;
    acre__rb_release(r, p, units);
    shard_count_direct(r, usable, (uint32_t)-1);
    return 0;
}

/* ---- methods that are called with the lock held ---- */

static int shard_free(acre_region *r, void *p)
{
    shard_place at = shard_find(r, p);
    if (!at.slab)
        return acre__shard_free_direct(r, p);
    if (!at.start || shard_free_at(at))
        return ACRE_EINVALID;
    acre_heap *h = (acre_heap *)r;
    return acre__shard_home(h, h->lock ? NULL : acre__shard_lease(h), at.slab, at.index);
}

static size_t shard_usable(const acre_region *r, const void *p)
{
    shard_place at = shard_find(r, p);
    if (at.slab)
        return at.start && !shard_free_at(at) ? at.kind->bytes : 0;
    uint32_t units = acre__rb_live(r, p);
    size_t usable = (size_t)units * RB_UNIT - RB_HEADER;
    return units && !acre__shard_reserved(r, p, usable) ? usable : 0;
}

/* A node keeps its size: what is asked must fit. */
static void *shard_resize_node(void *p, size_t size, acre_resize_command *c)
{
    bool smaller = c->flags & (ACRE_SHRINK | ACRE_TRY_SHRINK);
    c->received = size;
    return (smaller ? c->preferred <= size && size <= c->limit : c->limit <= size) ? p : NULL;
}

static void *shard_resize(acre_region *r, void *p, acre_resize_command *c)
{
    size_t before = shard_usable(r, p);
    if (!before || shard_find(r, p).slab)
        return before ? shard_resize_node(p, before, c) : NULL;
    void *q = acre__rbtree_best_fit.resize(r, p, c);
    size_t after = q ? rb_usable(q) : before;
    if (after != before) {
        shard_count_direct(r, before, (uint32_t)-1);
        shard_count_direct(r, after, 1);
    }
    return q;
}

static int shard_grow(acre_region *r, size_t size)
{
    return acre__rbtree_best_fit.grow(r, size);
}

static size_t shard_shrink(acre_region *r, size_t size)
{
    return acre__rbtree_best_fit.shrink(r, size);
}

/* This thread's own. */
static size_t shard_free_empty(acre_region *r)
{
    acre_heap *h = (acre_heap *)r;
    shard *t = acre__shard_mine(h);
    return t ? acre__shard_drain(h, t) : 0;
}

/* Those of threads that are gone. */
static size_t shard_relieve_region(acre_region *r)
{
    acre_heap *h = (acre_heap *)r;
    return h->lock ? shard_relieve(h, acre__shard_mine(h)) : 0;
}

extern const acre_algorithm acre__sharded;
const acre_algorithm acre__sharded = {
    .name = "sharded",
    .summary = "a part for each thread of each process; best fit behind it",
    .flags = ACRE_ROBUST | ACRE_ANY_ADDRESS | ACRE_CONCURRENT,
    .layout_version = 1,
    .reach = SHARD_REACH,
    .min_size = SHARD_MIN_SIZE,
    .journal_words = SHARD_JOURNAL,
    .free_clobbers = SHARD_LINKS,
    .link_bytes = SHARD_LINKS,
    .growth = ACRE_GROWTH_CONSTANT,
    .init = acre__shard_init,
    .take = shard_take,
    .give = shard_give,
    .into = acre__shard_into,
    .from = acre__shard_from,
    .detach = acre__shard_detach,
    .settle = acre__shard_settle,
    .relieve = shard_relieve_region,
    .alloc = acre__shard_direct,
    .free = shard_free,
    .sound = acre__shard_sound,
    .usable = shard_usable,
    .check = acre__shard_check,
    .walk = acre__shard_walk,
    .stats = acre__shard_stats,
    .resize = shard_resize,
    .grow = shard_grow,
    .shrink = shard_shrink,
    .free_empty = shard_free_empty,
    .classes = acre__shard_classes,
    .recover = acre__shard_recover,
};
