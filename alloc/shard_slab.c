/* SPDX-License-Identifier: MIT */
/* shard_slab.c: slabs: which one serves, nodes that come home, birth and end.  Everything but
 * acre__shard_home() is done by who holds the slab's shard. */
#include "alloc/shard_heap.h"

#include <errno.h>
#include <string.h>

/* ---- the list of slabs with free nodes: derived ---- */

static bool slab_is_listed(const shard *t, const slab *s)
{
    return s->listed == t->epoch;
}

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

static uint32_t slab_serving(const shard_class *c)
{
    return c->word == SHARD_NONE ? 0 : (uint32_t)(c->word / SHARD_FRAME);
}

static const shard_kind *slab_kind(const acre_region *r, const slab *s)
{
    return &shard_root_of(r)->kind[s->class];
}

static bool slab_any_free(const acre_region *r, const slab *s)
{
    uint64_t any = 0;
    for (uint32_t i = 0; i < slab_kind(r, s)->words; i++)
        any |= s->word[i].free;
    return any != 0;
}

static bool slab_whole(const acre_region *r, const slab *s)
{
    const shard_kind *k = slab_kind(r, s);
    for (uint32_t i = 0; i < k->words; i++)
        if (s->word[i].free != slab_mask(k, i))
            return false;
    return true;
}

/* Is there a slab of this shard?  What a damaged image says is looked at before it is followed. */
bool acre__slab_sane(const acre_region *r, uint32_t frame, uint32_t owner)
{
    const shard_root *o = shard_root_of(r);
    uint64_t reach = ((const acre_heap *)r)->reach, at = (uint64_t)frame * SHARD_FRAME;
    if (!frame || at >= reach || reach - at < SHARD_FRAME)
        return false;
    const slab *s = slab_at(r, frame);
    const uint16_t *map = shard_map(r, frame);
    if (s->class >= o->classes || !map || acre__peek(map) != SHARD_CLASS_AT(s->class))
        return false;
    return s->owner == owner && (uint64_t)o->kind[s->class].frames * SHARD_FRAME <= reach - at;
}

/* The next slab of a ring, or the first. */
static slab *ring_next(const acre_region *r, const shard *t, const slab *s, uint32_t ring)
{
    uint32_t frame = s ? s->ring_next : t->ring[ring];
    uint32_t back = s ? slab_frame(r, s) : 0;
    if (frame % SHARD_RINGS != ring || !acre__slab_sane(r, frame, t->number))
        return NULL;
    return slab_at(r, frame)->ring_back == back ? slab_at(r, frame) : NULL;
}

/* ---- the word that serves ---- */

static void slab_stop(const acre_region *r, const shard *t, shard_class *c)
{
    uint32_t frame = slab_serving(c);
    acre__put(&c->word, SHARD_NONE);
    if (frame && slab_any_free(r, slab_at(r, frame)))
        slab_list(r, t, c, slab_at(r, frame));
}

/* A word of s with free nodes serves. */
static bool slab_serve(const acre_region *r, const shard *t, shard_class *c, slab *s)
{
    slab_unlist(r, t, c, s);
    const shard_kind *k = slab_kind(r, s);
    for (uint32_t i = 0; i < k->words; i++)
        if (s->word[i].free) {
            acre__put(&c->word, SHARD_NONE); /* word and node do not change as one */
            acre__order();
            c->node = (uint64_t)((char *)s - r->base) + k->first + (uint64_t)i * 64 * k->bytes;
            acre__order();
            acre__put(&c->word, (uint64_t)((char *)&s->word[i] - r->base));
            return true;
        }
    return false;
}

/* ---- what others freed ---- */

/* Records that say that a node is being sent here are told that it has arrived, before its bit goes:
 * who recovers one whose bit is not there knows then that it need not be sent again. */
static void slab_help(const acre_region *r, const slab *s, uint32_t word, uint64_t bits)
{
    const shard_kind *k = slab_kind(r, s);
    shard *u;
    for (uint32_t i = 0; (u = shard_numbered(r, i)); i++) {
        uint64_t op = acre__load(&u->op);
        shard_place at = shard_find(r, shard_node(r, (uint32_t)(op >> 4)));
        if ((op & 15) == SHARD_SEND && at.slab == s && at.kind == k && at.index / 64 == word &&
            bits >> at.index % 64 & 1)
            acre__cas(&u->op, &op, (op & ~(uint64_t)15) | SHARD_SENT);
    }
}

/* Killed between the two stores: the bits are in both words, and the next owner collects before it
 * allocates.  Bits that come meanwhile have no hint of their own: look again. */
static void slab_collect_word(const acre_region *r, slab *s, uint32_t word)
{
    slab_word *w = &s->word[word];
    uint64_t bits;
    while ((bits = acre__load(&w->remote)) != 0) {
        if (!ACRE_BUG_IS(86))
            slab_help(r, s, word, bits);
        if (ACRE_BUG_IS(81))
            acre__and(&w->remote, ~bits);
        acre__put(&w->free, w->free | bits);
        acre__order();
        acre__and(&w->remote, ~bits);
    }
}

/* A slab that does not serve has got free nodes. */
static void slab_offer(const acre_region *r, shard *t, slab *s)
{
    shard_class *c = &t->class[s->class];
    if (!slab_is_listed(t, s) && slab_serving(c) != slab_frame(r, s))
        slab_list(r, t, c, s);
}

static bool slab_any_remote(const acre_region *r, const slab *s)
{
    uint64_t any = 0;
    for (uint32_t i = 0; i < slab_kind(r, s)->words; i++)
        any |= acre__peek(&s->word[i].remote);
    return any != 0;
}

/* The record is for who takes over: until it is done, bits may be in both words. */
bool acre__shard_collect(const acre_region *r, shard *t, slab *s)
{
    if (!slab_any_remote(r, s))
        return false;
    acre__put(&t->op, (uint64_t)slab_frame(r, s) * (SHARD_FRAME / SHARD_UNIT) << 4 | SHARD_COLLECT);
    acre__order();
    for (uint32_t i = 0; i < slab_kind(r, s)->words; i++)
        slab_collect_word(r, s, i);
    acre__order();
    acre__put(&t->op, (uint64_t)SHARD_IDLE);
    slab_offer(r, t, s);
    return true;
}

static bool slab_collect_rings(const acre_region *r, shard *t, uint64_t rings)
{
    bool any = false;
    for (; rings; rings &= rings - 1)
        for (slab *s = NULL; (s = ring_next(r, t, s, (uint32_t)__builtin_ctzll(rings)));)
            any |= acre__shard_collect(r, t, s);
    return any;
}

static bool slab_collect_hinted(const acre_region *r, shard *t)
{
    return acre__peek(&t->hint) && slab_collect_rings(r, t, acre__swap(&t->hint, 0));
}

void acre__shard_offer(const acre_region *r, shard *t, slab *s)
{
    slab_offer(r, t, s);
}

/* ---- what a new owner finds ---- */

/* No bit is set behind the last node. */
static void slab_trim(const acre_region *r, slab *s)
{
    const shard_kind *k = slab_kind(r, s);
    for (uint32_t i = 0; i < k->words; i++) {
        acre__put(&s->word[i].free, s->word[i].free & slab_mask(k, i));
        if (acre__peek(&s->word[i].remote) & ~slab_mask(k, i))
            acre__and(&s->word[i].remote, slab_mask(k, i));
    }
}

static void slab_visit(const acre_region *r, shard *t, slab *s)
{
    slab_trim(r, s);
    acre__shard_collect(r, t, s);
    if (slab_any_free(r, s))
        slab_offer(r, t, s);
}

/* The next one that was not visited yet; NULL: all were. */
static slab *scan_next(const acre_region *r, shard *t)
{
    for (; t->scan < SHARD_RINGS; t->scan++, t->scan_at = 0) {
        slab *s = ring_next(r, t, t->scan_at ? slab_at(r, t->scan_at) : NULL, t->scan);
        if (!s)
            continue;
        t->scan_at = slab_frame(r, s);
        return s;
    }
    return NULL;
}

/* Some, until one has nodes of this class. */
static void slab_scan(const acre_region *r, shard *t, const shard_class *c, uint32_t most)
{
    slab *s;
    for (; most && !c->list && (s = scan_next(r, t)); most--)
        slab_visit(r, t, s);
}

void acre__shard_collect_all(const acre_region *r, shard *t)
{
    acre__swap(&t->hint, 0);
    for (uint32_t i = 0; i < SHARD_RINGS; i++)
        for (slab *s = NULL; (s = ring_next(r, t, s, i));)
            slab_visit(r, t, s);
    t->scan = SHARD_RINGS;
}

/* All say 0. */
static void slab_forget(const acre_region *r, const shard *t)
{
    for (uint32_t i = 0; i < SHARD_RINGS; i++)
        for (slab *s = NULL; (s = ring_next(r, t, s, i));)
            s->listed = 0;
}

/* What is derived of a shard; its slabs are not visited, however many they are. */
void acre__shard_begin(const acre_region *r, shard *t)
{
    for (uint32_t i = 0; i <= shard_root_of(r)->classes; i++) {
        acre__put(&t->class[i].word, SHARD_NONE);
        t->class[i].list = 0;
    }
    if (t->epoch >= UINT16_MAX) {
        slab_forget(r, t);
        t->epoch = 0;
    }
    t->epoch++;
    t->scan = t->scan_at = 0;
}

/* Tell the owner.  What it looks for is there already, so a hint that stands need not be renewed: its
 * owner takes the hint before it looks. */
void acre__shard_notify(const acre_region *r, const slab *s)
{
    shard *u = shard_numbered(r, s->owner);
    uint64_t ring = (uint64_t)1 << slab_frame(r, s) % SHARD_RINGS;
    if (u && !(acre__load_full(&u->hint) & ring) && !ACRE_BUG_IS(82))
        acre__or(&u->hint, ring);
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
static size_t slab_end(acre_region *r, shard *t, slab *s)
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

static bool slab_new(acre_heap *h, shard *t, uint32_t class)
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

/* ---- a node ---- */

/* Nothing is at hand: have a word with free nodes serve. */
static bool slab_ready(acre_heap *h, shard *t, uint32_t class)
{
    const acre_region *r = &h->region;
    shard_class *c = &t->class[class];
    if (class >= shard_root_of(r)->classes)
        return false;
    if (slab_serving(c) && slab_serve(r, t, c, slab_at(r, slab_serving(c))))
        return true;
    acre__put(&c->word, SHARD_NONE);
    if (!c->list)
        slab_collect_hinted(r, t);
    if (!c->list)
        slab_scan(r, t, c, SHARD_GLANCE);
    if (!c->list && !slab_new(h, t, class))
        return false;
    return slab_serve(r, t, c, slab_at(r, c->list));
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
    slab_offer(r, t, s);
    if (!slab_is_listed(t, s) || !(s->next || s->back) || !slab_whole(r, s))
        return 0;
    bool held = h->lock && acre__self_busy(acre__self_here());
    if (held || acre__heap_enter(h) != 0)
        return 0;
    slab_end(&h->region, t, s);
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

/* Into the magazine; it is full: home.  The last one freed, again, is refused. */
int acre__shard_put(acre_heap *h, shard *t, shard_place at, const void *p)
{
    shard_class *c = &t->class[at.class];
    uint32_t n = c->count, unit = (uint32_t)((uint64_t)((const char *)p - h->region.base) / SHARD_UNIT);
    if (n <= SHARD_ENTRIES && c->entry[n] == unit)
        return ACRE_EINVALID;
    if (n >= SHARD_ENTRIES)
        return acre__shard_home(h, t, at.slab, at.index);
    c->entry[n + 1] = unit;
    acre__order();
    acre__put(&c->count, n + 1);
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
            slab_offer(&h->region, t, at.slab);
        } else
            acre__shard_send(h, t, c, at);
    }
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
        slab_stop(r, t, &t->class[i]);
    for (uint32_t i = 0; i < SHARD_RINGS; i++)
        for (slab *s = ring_next(r, t, NULL, i), *next; s; s = next) {
            next = ring_next(r, t, s, i);
            if (slab_whole(r, s))
                bytes += slab_end(r, t, s);
            acre_commit(r);
        }
    return bytes;
}
