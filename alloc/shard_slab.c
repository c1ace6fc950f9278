/* SPDX-License-Identifier: MIT */
/* shard_slab.c: slabs: rings, lists, the word that serves, birth and end.  All is done by who holds the slab's
 * shard. */
#include "alloc/shard_slab.h"

#include <string.h>

/* ---- the list of slabs with free nodes: derived ---- */

static void slab_list(const acre_region *r, const shard *t, shard_class *c, slab *s)
{
    s->back = 0;
    s->next = c->list;
    if (s->next)
        slab_at(r, s->next)->back = slab_frame(r, s);
    c->list = slab_frame(r, s);
    s->listed = (uint16_t)t->epoch;
}

static void slab_unlist(const acre_region *r, const shard *t, shard_class *c, slab *s)
{
    if (!slab_is_listed(t, s))
        return;
    if (s->next)
        slab_at(r, s->next)->back = s->back;
    if (s->back)
        slab_at(r, s->back)->next = s->next;
    else
        c->list = s->next;
    s->listed = 0;
}

/* Is there a slab of this shard?  What a damaged image says is looked at before it is followed. */
bool acre__slab_sane(const acre_region *r, uint32_t frame, uint32_t owner)
{
    const shard_root *o = shard_root_of(r);
    uint64_t reach = shard_reach(r), at = (uint64_t)frame * SHARD_FRAME;
    if (!frame || at >= reach || reach - at < SHARD_FRAME)
        return false;
    const slab *s = slab_at(r, frame);
    const uint16_t *map = shard_map(r, frame);
    if (s->class >= o->classes || !map || acre__peek(map) != SHARD_CLASS_AT(s->class))
        return false;
    return s->owner == owner && (uint64_t)o->kind[s->class].frames * SHARD_FRAME <= reach - at;
}

/* The next slab of a ring, or the first. */
slab *acre__slab_next(const acre_region *r, const shard *t, const slab *s, uint32_t ring)
{
    uint32_t frame = s ? s->ring_next : t->ring[ring];
    uint32_t back = s ? slab_frame(r, s) : 0;
    if (frame % SHARD_RINGS != ring || !acre__slab_sane(r, frame, t->number))
        return NULL;
    return slab_at(r, frame)->ring_back == back ? slab_at(r, frame) : NULL;
}

/* A slab that does not serve has got free nodes. */
void acre__slab_offer(const acre_region *r, shard *t, slab *s)
{
    shard_class *c = &t->class[s->class];
    if (!slab_is_listed(t, s) && slab_serving(c) != slab_frame(r, s))
        slab_list(r, t, c, s);
}

/* ---- the word that serves ---- */

void acre__slab_stop(const acre_region *r, const shard *t, shard_class *c)
{
    uint32_t frame = slab_serving(c);
    acre__put(&c->word, SHARD_NONE);
    if (frame && slab_any_free(r, slab_at(r, frame)))
        slab_list(r, t, c, slab_at(r, frame));
}

/* In a damaged image bits may be set behind the last node. */
static bool slab_word_serves(slab *s, const shard_kind *k, uint32_t i)
{
    if (s->word[i].free & ~slab_mask(k, i))
        acre__put(&s->word[i].free, s->word[i].free & slab_mask(k, i));
    return s->word[i].free;
}

/* A word of s with free nodes serves. */
bool acre__slab_serve(const acre_region *r, const shard *t, shard_class *c, slab *s)
{
    slab_unlist(r, t, c, s);
    const shard_kind *k = slab_kind(r, s);
    for (uint32_t i = 0; i < k->words; i++)
        if (slab_word_serves(s, k, i)) {
            acre__put(&c->word, SHARD_NONE); /* word and node do not change as one */
            acre__order();
            c->node = (uint64_t)((char *)s - r->base) + k->first + (uint64_t)i * 64 * k->bytes;
            acre__order();
            acre__put(&c->word, (uint64_t)((char *)&s->word[i] - r->base));
            return true;
        }
    return false;
}

/* ---- birth and end, in the house ---- */

static void ring_insert(const acre_region *r, shard *t, slab *s)
{
    uint32_t frame = slab_frame(r, s), *head = &t->ring[frame % SHARD_RINGS];
    s->ring_back = 0;
    s->ring_next = *head;
    if (*head)
        acre_set32(r, &slab_at(r, *head)->ring_back, frame);
    if (ACRE_BUG_IS(88))
        *head = frame;
    acre_set32(r, head, frame);
}

static void ring_remove(const acre_region *r, shard *t, const slab *s)
{
    uint32_t *from = s->ring_back ? &slab_at(r, s->ring_back)->ring_next
                                  : &t->ring[slab_frame(r, s) % SHARD_RINGS];
    acre_set32(r, from, s->ring_next);
    if (s->ring_next)
        acre_set32(r, &slab_at(r, s->ring_next)->ring_back, s->ring_back);
    if (t->scan_at == slab_frame(r, s))
        t->scan_at = s->ring_back;
}

static void slab_lay_out(slab *s, const shard *t, uint32_t class, const shard_kind *k)
{
    memset(s, 0, k->first);
    s->owner = t->number;
    s->class = (uint16_t) class;
    for (uint32_t i = 0; i < k->words; i++)
        s->word[i].free = slab_mask(k, i);
}

static slab *slab_make(acre_region *r, shard *t, uint32_t class)
{
    const shard_kind *k = &shard_root_of(r)->kind[class];
    slab *s = acre__rb_alloc_at(r, (size_t)k->frames * SHARD_FRAME - RB_HEADER, SHARD_FRAME);
    if (!s)
        return NULL;
    uint32_t frame = slab_frame(r, s);
    if (!acre__shard_map_cover(r, frame, frame + k->frames - 1)) {
        acre__rbtree_best_fit.free(r, s);
        return NULL;
    }
    slab_lay_out(s, t, class, k);
    acre__shard_map_set(r, frame, k, (uint16_t)SHARD_CLASS_AT(class));
    ring_insert(r, t, s);
    shard_root_of(r)->taken += (rb_usable(s) + RB_HEADER) / RB_UNIT;
    return s;
}

/* It is wholly free: nobody but its owner can have to do with it. */
size_t acre__slab_end(acre_region *r, shard *t, slab *s)
{
    shard_class *c = &t->class[s->class];
    uint64_t *header = (uint64_t *)(void *)s;
    uint32_t units = acre__rb_live(r, s);
    if (units < slab_kind(r, s)->frames * (uint32_t)(SHARD_FRAME / RB_UNIT) - 1)
        return 0; /* the house does not know it */
    if (slab_serving(c) == slab_frame(r, s))
        acre__put(&c->word, SHARD_NONE);
    slab_unlist(r, t, c, s);
    c->slabs -= c->slabs != 0;
    for (int i = 0; i < SHARD_LINKS / 8 && !ACRE_BUG_IS(96); i++)
        acre_set64(r, &header[i], header[i]); /* links will lie over it */
    ring_remove(r, t, s);
    acre__shard_map_set(r, slab_frame(r, s), slab_kind(r, s), 0);
    shard_root_of(r)->taken -= units;
    acre__rbtree_best_fit.free(r, s);
    return (size_t)units * RB_UNIT;
}

/* A slab is a small part of the heap. */
static bool slab_affordable(const acre_heap *h, uint32_t class)
{
    uint64_t bytes = (uint64_t)shard_root_of(&h->region)->kind[class].frames * SHARD_FRAME;
    return bytes * SHARD_PART <= acre__peek(&h->control->region_size);
}

/* The shard has slabs of this class already; or nodes of it that would fill some stand alone; or it has
 * asked for them often.  Until then they cost 8 bytes each, and not a slab. */
static bool slab_earned(const acre_heap *h, shard_class *c, uint32_t class)
{
    const shard_root *o = shard_root_of(&h->region);
    const shard_kind *k = &o->kind[class];
    uint32_t alone =
        acre__peek(&o->direct[class]) + (class ? acre__peek(&o->direct[class - 1]) : 0);
    if (c->slabs || (alone >= 4u * k->nodes && k->frames <= SHARD_MODEST))
        return true;
    if (alone < 4u * k->nodes && c->asked < SHARD_OFTEN)
        return c->asked++, false;
    return slab_affordable(h, class);
}

bool acre__slab_new(acre_heap *h, shard *t, uint32_t class)
{
    shard_class *c = &t->class[class];
    if (!slab_earned(h, c, class) || acre__heap_enter(h) != 0)
        return false;
    slab *s = slab_make(&h->region, t, class);
    acre__heap_leave(h);
    if (!s)
        return false;
    c->slabs++;
    slab_list(&h->region, t, c, s);
    return true;
}
