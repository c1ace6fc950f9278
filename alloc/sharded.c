/* SPDX-License-Identifier: MIT */
/* sharded.c: a shared heap in which each thread of each process has a part to itself.
 *
 * After Hoard (E. Berger et al., ASPLOS 2000) in that threads have heaps and blocks return to where they
 * came from; magazines are J. Bonwick's and J. Adams's (USENIX 2001); bitmaps beside the nodes as in many.
 * What is different is that any process may be killed at any instruction: no node is ever in two places.
 * The picture and the invariants are in shard_heap.h.
 *
 * Costs: O(1) for sizes that have a class, without a lock or an atomic operation but for a node of another
 * thread's slab that finds the magazine full, and for large blocks that stand on the shelf; else as
 * rbtree_best_fit with its lock.  Overhead: 3 % of a
 * slab; 8 bytes a block of the house; 5 KiB a thread.
 */
#include "alloc/shard_magazine.h"

#include <errno.h>

/* ---- taking ---- */

/* Of the word that serves; NULL: it has none.  The next one will be asked for soon. */
ACRE_INLINE void *shard_from_word(const acre_region *r, shard_class *c)
{
    slab_word *w = (slab_word *)(r->base + c->word);
    uint64_t free = w->free, rest = free & (free - 1);
    if (__builtin_expect(!free, 0))
        return NULL;
    acre__put(&w->free, rest);
    char *first = r->base + c->node;
    uint32_t bytes = c->bytes, next = (uint32_t)__builtin_ctzll(rest | (uint64_t)1 << 63);
    __builtin_prefetch(first + next * bytes, 1);
    return first + (uint32_t)__builtin_ctzll(free) * bytes;
}

/* A node of a larger class, where nothing else is left. */
static void *shard_borrow(acre_heap *h, shard *t, const shard_class *c)
{
    shard_class *end = &t->class[shard_root_of(&h->region)->classes];
    void *p = NULL;
    for (shard_class *larger = &t->class[c - t->class]; !p && ++larger < end;)
        p = larger->count ? shard_pop(&h->region, larger) : shard_from_word(&h->region, larger);
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
    void *p = acre__heap_alloc_now(&h->region, size);
    if (!p && h->lock && size <= h->reach && shard_relieve(h, t))
        p = acre__heap_alloc_now(&h->region, size);
    return p;
}

static __attribute__((noinline)) void *shard_take_next(acre_heap *h, shard *t, const shard_class *c,
                                                       size_t size)
{
    uint32_t class = (uint32_t)(c - t->class);
    void *p = acre__shard_refill(h, t, class);
    if (!p)
        p = shard_take_house(h, t, size);
    if (!p) /* in vain it has looked for room everywhere, also among its own slabs */
        p = acre__shard_refill(h, t, class);
    if (!p)
        p = acre__heap_alloc_growing(h, size + !size, ACRE_ALIGN_MIN);
    return p ? p : shard_borrow(h, t, c);
}

static void *shard_take(acre_region *r, size_t size);

/* This thread has no shard at hand, or no class has that size. */
static __attribute__((noinline)) void *shard_take_other(acre_heap *h, size_t size)
{
    shard *t = shard_at_hand(h) ? shard_here() : acre__shard_lease(h);
    if (t && size <= SHARD_MOST)
        return shard_take(&h->region, size);
    void *p = t ? acre__shelf_take(h, t, size) : NULL;
    if (!p)
        p = shard_take_house(h, t, size);
    return p ? p : acre__heap_alloc_growing(h, size + !size, ACRE_ALIGN_MIN);
}

ACRE_INLINE shard_class *shard_class_for(const acre_region *r, shard *t, size_t size)
{
    uint32_t at = shard_root_of(r)->class_of[(size + SHARD_UNIT - 1) / SHARD_UNIT];
    return (shard_class *)(void *)((char *)t + at);
}

static void *shard_take(acre_region *r, size_t size)
{
    acre_heap *h = (acre_heap *)r;
    if (__builtin_expect(!shard_at_hand(h) || size > SHARD_MOST, 0))
        return shard_take_other(h, size);
    shard *t = shard_here();
    shard_class *c = shard_class_for(r, t, size);
    if (__builtin_expect(c->count != 0, 1))
        return shard_pop(r, c);
    void *p = shard_from_word(r, c);
    return __builtin_expect(p != NULL, 1) ? p : shard_take_next(h, t, c, size);
}

/* ---- giving ---- */

/* No shard is to be had. */
static int shard_give_none(acre_heap *h, void *p)
{
    shard_place at = shard_find(&h->region, p);
    if (!at.slab)
        return acre__heap_free(&h->region, p);
    bool live = at.start && !shard_free_at(at);
    return live ? acre__shard_home(h, NULL, at.slab, at.index) : ACRE_EINVALID;
}

/* A block of the house, with a shard at hand.  That it is one can be seen without the lock: what a live
 * block's header says does not change. */
static __attribute__((noinline)) int shard_give_house(acre_heap *h, void *p)
{
    if (acre__heap_foreign(h, p))
        return p ? ACRE_EINVALID : 0;
    uint32_t units = acre__rb_live(&h->region, p);
    if (shelf_bin_of(units) >= shard_root_of(&h->region)->bins)
        return acre__heap_free(&h->region, p);
    if (acre__shard_taken(&h->region, p, units))
        return ACRE_EINVALID;
    return acre__shelf_put(h, shard_here(), p, units) ? 0 : acre__heap_free(&h->region, p);
}

static int shard_give(acre_region *r, void *p);

/* Wherever it is, and with every look at it. */
static __attribute__((noinline)) int shard_give_node(acre_heap *h, void *p)
{
    shard_place at = shard_find(&h->region, p);
    if (!at.slab)
        return shard_give_house(h, p);
    bool live = at.start && !shard_free_at(at);
    return live ? acre__shard_put(h, shard_here(), at, p) : ACRE_EINVALID;
}

/* No shard at hand, or behind the flat map. */
static __attribute__((noinline)) int shard_give_other(acre_heap *h, void *p)
{
    if (!p)
        return 0;
    if (!shard_at_hand(h))
        return acre__shard_lease(h) ? shard_give(&h->region, p) : shard_give_none(h, p);
    return shard_give_node(h, p);
}

/* The magazine is full.  Not inline: shard_give() gets by without saving registers. */
static __attribute__((noinline)) int shard_give_home(acre_heap *h, slab *s, uint32_t index)
{
    shard *t = shard_here();
    uint64_t *free = &s->word[index / 64].free, old = *free;
    if (__builtin_expect(s->owner != t->number, 0))
        return acre__shard_home(h, t, s, index);
    acre__put(free, old | (uint64_t)1 << index % 64);
    return __builtin_expect(slab_turns(old, index), 0) ? acre__shard_came_home(h, t, s) : 0;
}

/* As shard_find(), by the constants that lie beside the count.  It is a live node if it is the start of one,
 * in no bitmap and not at hand. */
static int shard_give(acre_region *r, void *p)
{
    acre_heap *h = (acre_heap *)r;
    if (__builtin_expect(!shard_at_hand(h), 0))
        return shard_give_other(h, p);
    shard_class *c = (shard_class *)shard_here();
    const shard_root *o = shard_root_of(r);
    uint64_t at = (uint64_t)((char *)p - r->base), frame = at / SHARD_FRAME;
    if (__builtin_expect(frame >= o->flat, 0))
        return shard_give_other(h, p);
    uint32_t entry = shard_flat_entry(r, frame);
    if (__builtin_expect(!entry, 0))
        return shard_give_house(h, p);
    c = (shard_class *)(void *)((char *)c + map_class_at(entry));
    uint64_t start = (frame - map_distance(entry)) * SHARD_FRAME;
    uint64_t product = (uint64_t)((uint32_t)(at - start) - c->first) * c->reciprocal;
    uint32_t index = (uint32_t)(product >> 32);
    if (__builtin_expect((uint32_t)product >= c->reciprocal || index >= c->nodes, 0))
        return ACRE_EINVALID;
    slab *s = (slab *)(r->base + start);
    const slab_word *w = &s->word[index / 64];
    if (__builtin_expect((acre__peek(&w->free) | acre__peek(&w->remote)) >> index % 64 & 1, 0))
        return ACRE_EINVALID;
    uint32_t count = c->count, unit = (uint32_t)(at / SHARD_UNIT);
    if (__builtin_expect(shard_had_lately(c, count, unit), 0))
        return shard_give_node(h, p);
    if (count >= SHARD_ENTRIES)
        return shard_give_home(h, s, index);
    if (ACRE_BUG_IS(80))
        acre__put(&c->count, count + 1);
    shard_push_unit(c, count, unit);
    return 0;
}

/* ---- with checks=0, and for who has the shard at hand himself ---- */

/* Into the magazine, without a look at what p is.  False: it is no node, or there is no place. */
ACRE_INLINE bool shard_push(const acre_region *r, shard *t, const void *p)
{
    const shard_root *o = shard_root_of(r);
    uint64_t at = (uint64_t)((const char *)p - r->base), frame = at / SHARD_FRAME;
    if (__builtin_expect(frame >= o->flat, 0))
        return false;
    uint32_t entry = shard_flat_entry(r, frame);
    shard_class *c = (shard_class *)(void *)((char *)t + map_class_at(entry));
    uint32_t count = c->count; /* of what is no node: the tag of the shard's cell, a large number */
    if (__builtin_expect(count >= SHARD_ENTRIES, 0))
        return false;
    shard_push_unit(c, count, (uint32_t)(at / SHARD_UNIT));
    return true;
}

/* A block that is freed twice is seen if it went home the first time and the magazine is full now. */
static int shard_give_unjudged(acre_region *r, void *p)
{
    bool pushed = shard_at_hand((acre_heap *)r) && shard_push(r, shard_here(), p);
    return __builtin_expect(pushed, 1) ? 0 : shard_give(r, p);
}

static __attribute__((noinline)) void *shard_local_take_next(acre_local *l, size_t size)
{
    return shard_take(&l->heap->region, size);
}

static void *shard_local_take(acre_local *l, size_t size)
{
    const acre_region *r = &l->heap->region;
    if (__builtin_expect(size > SHARD_MOST, 0))
        return shard_local_take_next(l, size);
    shard_class *c = shard_class_for(r, l->place, size);
    if (__builtin_expect(c->count != 0, 1))
        return shard_pop(r, c);
    void *p = shard_from_word(r, c);
    return __builtin_expect(p != NULL, 1) ? p : shard_local_take_next(l, size);
}

static int shard_local_give(acre_local *l, void *p)
{
    return shard_give(&l->heap->region, p);
}

static int shard_local_give_unjudged(acre_local *l, void *p)
{
    acre_region *r = &l->heap->region;
    return __builtin_expect(shard_push(r, l->place, p), 1) ? 0 : shard_give(r, p);
}

static bool shard_local(acre_local *l)
{
    l->place = acre__shard_lease(l->heap);
    l->take = shard_local_take;
    bool judged = l->heap->give_unwatched == shard_give;
    l->give = judged ? shard_local_give : shard_local_give_unjudged;
    return l->place;
}

/* ---- blocks of the house ---- */

/* A block whose size is 8 more than a multiple of 16: a node of this class could have been it. */
static void shard_count_direct(const acre_region *r, size_t usable, uint32_t more)
{
    shard_root *o = shard_root_of(r);
    if (usable >= o->largest + SHARD_UNIT)
        return;
    uint32_t *n = &o->direct[map_class(o->class_of[usable / SHARD_UNIT])];
    acre__put(n, *n + more);
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

/* A rest of a unit may stick to a block. */
static bool shard_sized(uint32_t units, uint64_t bytes)
{
    uint64_t least = shelf_units(bytes);
    return units == least || units == least + RB_CRUMB / RB_UNIT;
}

/* Of all chunks only one, if any, has n units: they are two to the power of something. */
static bool shard_chunk_at(const shard_root *o, uint64_t at, uint32_t n)
{
    uint32_t k = (uint32_t)__builtin_ctz(n | 1u << 31) - SHARD_CHUNK_LOG;
    return (n & (n - 1)) == 0 && k < SHARD_CHUNKS && o->chunk[k] == at;
}

/* Behind its header, and perhaps with a rest. */
static bool shard_is_chunk(const shard_root *o, uint64_t at, uint32_t units)
{
    return shard_chunk_at(o, at, units - 1) || shard_chunk_at(o, at, units - 2);
}

static bool shard_is_shard(const shard_root *o, uint64_t at, uint32_t units)
{
    bool found = false;
    if (!shard_sized(units, SHARD_BYTES(o->classes, o->bins)))
        return false;
    for (uint32_t i = 0; i < SHARD_SHARDS && o->shard_at[i]; i++)
        found |= shard_in_block(at) == (uint64_t)o->shard_at[i] * SHARD_UNIT;
    return found;
}

/* A used block of the house that is no user's: root, a shard, a chunk of the map; or on a shelf. */
bool acre__shard_taken(const acre_region *r, const void *p, uint32_t units)
{
    const shard_root *o = shard_root_of(r);
    uint64_t at = (uint64_t)((const char *)p - r->base);
    return at == SHARD_AT || shard_is_shard(o, at, units) || shard_is_chunk(o, at, units) ||
           acre__shelf_knows(r, p, units);
}

void acre__shard_release_direct(acre_region *r, void *p, uint32_t units)
{
    acre__rb_release(r, p, units);
    shard_count_direct(r, (size_t)units * RB_UNIT - RB_HEADER, (uint32_t)-1);
}

int acre__shard_free_direct(acre_region *r, void *p)
{
    uint32_t units = acre__rb_live(r, p);
    if (!units || acre__shard_taken(r, p, units))
        return ACRE_EINVALID;
    acre__shard_release_direct(r, p, units);
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
    return units && !acre__shard_taken(r, p, units) ? (size_t)units * RB_UNIT - RB_HEADER : 0;
}

/* A node keeps its size: what is asked must fit. */
static void *shard_resize_node(void *p, size_t size, acre_resize_command *c)
{
    bool smaller = c->flags & (ACRE_SHRINK | ACRE_TRY_SHRINK);
    c->received = size;
    return (smaller ? c->preferred <= size && size <= c->limit : c->limit <= size) ? p : NULL;
}

/* A node stays where it is exactly if it is large enough; so does a block of the house that would lose only
 * little. */
static int shard_keeps(const acre_region *r, const void *p, size_t size, size_t *usable)
{
    *usable = shard_usable(r, p);
    if (*usable <= shard_root_of(r)->largest)
        return size <= *usable ? 0 : ENOMEM;
    return size <= *usable && *usable - size < SHARD_UNIT ? 0 : EAGAIN;
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
    .layout_version = 2,
    .reach = SHARD_REACH,
    .min_size = SHARD_MIN_SIZE,
    .journal_words = SHARD_JOURNAL,
    .free_clobbers = SHARD_LINKS,
    .link_bytes = SHARD_LINKS,
    .growth = ACRE_GROWTH_CONSTANT,
    .init = acre__shard_init,
    .take = shard_take,
    .give = shard_give,
    .give_unjudged = shard_give_unjudged,
    .keeps = shard_keeps,
    .local = shard_local,
    .into = acre__shard_into,
    .from = acre__shard_from,
    .detach = acre__shard_detach,
    .settle = acre__shard_settle,
    .owner = acre__shard_owner,
    .relieve = shard_relieve_region,
    .alloc = acre__shard_direct,
    .free = shard_free,
    .sound = acre__shard_sound,
    .usable = shard_usable,
    .check = acre__shard_check,
    .walk = acre__shard_walk,
    .stats = acre__shard_stats,
    .untouched = acre__rb_untouched,
    .resize = shard_resize,
    .grow = shard_grow,
    .shrink = shard_shrink,
    .walk_free = acre__rb_walk,
    .free_empty = shard_free_empty,
    .classes = acre__shard_classes,
    .parts = acre__shard_parts,
    .class_stats = acre__shard_class_stats,
    .recover = acre__shard_recover,
};
