/* SPDX-License-Identifier: MIT */
/* shard_node.c: nodes at hand, nodes that come home; all that is free back to the house.  All but
 * acre__shard_home() is done by who holds the slab's shard. */
#include "alloc/shard_magazine.h"
#include "alloc/shard_slab.h"

/* ---- a node ---- */

/* Whoever makes the heap larger also sees to it that what nobody uses gets smaller. */
static bool slab_more(acre_heap *h, shard *t, uint32_t class)
{
    if (!acre__slab_new(h, t, class))
        return false;
    if (++t->made % SHARD_TIDY == 0)
        acre__shard_tidy(h, t);
    return true;
}

/* Nothing is at hand: have a word with free nodes serve. */
static bool slab_ready(acre_heap *h, shard *t, uint32_t class)
{
    const acre_region *r = &h->region;
    shard_class *c = &t->class[class];
    if (class >= shard_root_of(r)->classes)
        return false;
    if (slab_serving(c) && acre__slab_serve(r, t, c, slab_at(r, slab_serving(c))))
        return true;
    acre__put(&c->word, SHARD_NONE);
    if (!c->list)
        acre__shard_collect_hinted(r, t);
    if (!c->list)
        acre__shard_scan(r, t, c, SHARD_GLANCE);
    if (!c->list && !slab_more(h, t, class))
        return false;
    return acre__slab_serve(r, t, c, slab_at(r, c->list));
}

bool acre__shard_ready(acre_heap *h, shard *t, uint32_t class)
{
    const shard_class *c = &t->class[class];
    const slab_word *w = (const slab_word *)(h->region.base + c->word);
    return c->count || w->free || slab_ready(h, t, class);
}

void *acre__shard_refill(acre_heap *h, shard *t, uint32_t class)
{
    shard_class *c = &t->class[class];
    if (!slab_ready(h, t, class))
        return NULL;
    slab_word *w = (slab_word *)(h->region.base + c->word);
    uint64_t free = w->free, index = (uint32_t)__builtin_ctzll(free);
    acre__put(&w->free, free & (free - 1));
    return h->region.base + c->node + index * c->bytes;
}

/* A slab that is wholly free goes back if its class has another one with free nodes. */
int acre__shard_came_home(acre_heap *h, shard *t, slab *s)
{
    const acre_region *r = &h->region;
    acre__slab_offer(r, t, s);
    if (!slab_is_listed(t, s) || !(s->next || s->back) || !slab_whole(r, s))
        return 0;
    bool held = h->lock && acre__self_busy(acre__self_here());
    if (held || acre__heap_enter(h) != 0)
        return 0;
    acre__slab_end(&h->region, t, s);
    acre__heap_leave(h);
    return 0;
}

static int slab_home_own(acre_heap *h, shard *t, slab *s, uint32_t index)
{
    slab_word *w = &s->word[index / 64];
    uint64_t old = w->free;
    acre__put(&w->free, old | (uint64_t)1 << index % 64);
    return slab_turns(old, index) ? acre__shard_came_home(h, t, s) : 0;
}

/* The first bit of a word needs a hint; the record is for who has to give it in a dead thread's place. */
int acre__shard_home(acre_heap *h, shard *t, slab *s, uint32_t index)
{
    slab_word *w = &s->word[index / 64];
    uint64_t bit = (uint64_t)1 << index % 64;
    if (t && s->owner == t->number)
        return slab_home_own(h, t, s, index);
    if (t)
        acre__put(&t->op, (uint64_t)slab_frame(&h->region, s) * (SHARD_FRAME / SHARD_UNIT) << 4 |
                              SHARD_NOTICE);
    acre__order();
    uint64_t old = acre__or(&w->remote, bit);
    if (old == 0)
        acre__shard_notify(&h->region, s);
    acre__order();
    if (t)
        acre__put(&t->op, (uint64_t)SHARD_IDLE);
    return old & bit ? ACRE_EINVALID : 0;
}

bool acre__shard_has(const shard_class *c, uint32_t unit)
{
    for (uint32_t i = 1; i <= c->count && i <= SHARD_ENTRIES; i++)
        if (c->entry[i] == unit)
            return true;
    return false;
}

/* Into the magazine; it is full: home.  What is in it already is refused. */
int acre__shard_put(acre_heap *h, shard *t, shard_place at, const void *p)
{
    shard_class *c = &t->class[at.class];
    uint64_t at_byte = (uint64_t)((const char *)p - h->region.base);
    uint32_t n = c->count, unit = (uint32_t)(at_byte / SHARD_UNIT);
    if (acre__shard_has(c, unit))
        return ACRE_EINVALID;
    if (n >= SHARD_ENTRIES)
        return acre__shard_home(h, t, at.slab, at.index);
    shard_push_unit(c, n, unit);
    return 0;
}

/* ---- a shard as a whole ---- */

/* The entries of a magazine go home, last first: each is in `free` before it is no entry any more, and
 * until then its bit dominates (shard_thread.c). */
static void shard_empty(acre_heap *h, shard *t, shard_class *c)
{
    while (c->count) {
        uint32_t unit = c->entry[c->count];
        shard_place at = shard_find(&h->region, shard_node(&h->region, unit));
        if (at.slab->owner == t->number) {
            slab_word *w = &at.slab->word[at.index / 64];
            if (ACRE_BUG_IS(95))
                acre__put(&c->count, c->count - 1);
            acre__put(&w->free, w->free | (uint64_t)1 << at.index % 64);
            acre__order();
            if (!ACRE_BUG_IS(95))
                acre__put(&c->count, c->count - 1);
            acre__slab_offer(&h->region, t, at.slab);
        } else
            acre__shard_send(h, t, c, at);
    }
}

static size_t shard_end_whole(acre_region *r, shard *t, uint32_t ring)
{
    size_t bytes = 0;
    for (slab *s = acre__slab_next(r, t, NULL, ring), *next; s; s = next) {
        next = acre__slab_next(r, t, s, ring);
        acre__shard_collect(r, t, s);
        if (slab_whole(r, s))
            bytes += acre__slab_end(r, t, s);
        acre_commit(r);
    }
    return bytes;
}

size_t acre__shard_drain(acre_heap *h, shard *t)
{
    acre_region *r = &h->region;
    size_t bytes = 0;
    for (uint32_t i = 0; i < shard_root_of(r)->classes; i++)
        shard_empty(h, t, &t->class[i]);
    bytes = acre__shelf_empty(r, t);
    acre__shard_collect_all(r, t);
    for (uint32_t i = 0; i < shard_root_of(r)->classes; i++)
        acre__slab_stop(r, t, &t->class[i]);
    for (uint32_t i = 0; i < SHARD_RINGS; i++)
        bytes += shard_end_whole(r, t, i);
    return bytes;
}

/* A ring of one of those that nobody holds; with the first, what it has at hand.  One after the other. */
void acre__shard_tidy(acre_heap *h, shard *t)
{
    uint32_t n = 0, ring = t->turn % SHARD_RINGS;
    while (shard_numbered(&h->region, n))
        n++;
    shard *u = h->lock && n > 1 ? acre__shard_claim(h, t->turn / SHARD_RINGS % n) : NULL;
    t->turn += u ? 1 : SHARD_RINGS - ring; /* to the next one */
    if (!u)
        return;
    if (acre__heap_enter(h) == 0) {
        for (uint32_t i = 0; ring == 0 && i < shard_root_of(&h->region)->classes; i++)
            shard_empty(h, u, &u->class[i]);
        if (ring == 0)
            acre__shelf_empty(&h->region, u);
        shard_end_whole(&h->region, u, ring);
        acre__heap_leave(h);
    }
    acre__shard_release(h, u);
}
