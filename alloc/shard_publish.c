/* SPDX-License-Identifier: MIT */
/* shard_publish.c: what takes more than one store: a node and the user's slot that names it; a node that
 * leaves a magazine for another thread's slab; nodes that others freed.  The record says what is under
 * way, and where a thread was killed follows from what is there:
 *
 *   INTO  record · out of magazine or `free` · slot = node · record away
 *         slot names it: done.  Else it is where it was, or in no place: then into the magazine.
 *   FROM  record · slot = 0 · into the magazine · record away
 *         begun is done: slot = 0, into the magazine if it is not there.
 *   SEND  record · (slot = 0) · out of the magazine · bit in `remote` · hint · record away
 *         Its bit is there, or the record was changed to SENT by an owner that took it (slab_help): it has
 *         arrived.  Else slot = 0, and its bit is set now.
 *   COLLECT  record · bits of one's slab, from `remote` into `free` · record away
 *         The slab's are collected before anything else is done with it.
 *
 * A slot is its caller's alone until the call returns, and then, if the caller is dead, whose who publishes
 * there next: that one first sees to it that the record is finished (acre__shard_inherit).
 */
#include "alloc/shard_magazine.h"

#include <errno.h>

static void record_begin(shard *t, enum shard_op kind, uint32_t unit, uint64_t slot)
{
    acre__put(&t->slot, slot);
    acre__order();
    acre__put(&t->op, (uint64_t)unit << 4 | kind);
    acre__order();
}

static void record_end(shard *t)
{
    acre__order();
    acre__put(&t->op, (uint64_t)SHARD_IDLE);
}

static uint32_t unit_of(const acre_region *r, const void *p)
{
    return (uint32_t)((uint64_t)((const char *)p - r->base) / SHARD_UNIT);
}

static acre_off offset_of(const acre_heap *h, uint32_t unit)
{
    return (acre_off)((char *)shard_node(&h->region, unit) - h->segment);
}

static acre_off *slot_at(const acre_heap *h, uint64_t slot)
{
    return (acre_off *)(void *)(h->segment + slot);
}

static void slot_put(const acre_heap *h, uint64_t slot, acre_off value)
{
    if (slot)
        acre__put(slot_at(h, slot), value);
    acre__order();
}

/* ---- into a slot ---- */

static void publish_from_magazine(acre_heap *h, shard *t, shard_class *c, uint64_t slot)
{
    uint32_t unit = c->entry[c->count];
    record_begin(t, SHARD_INTO, unit, slot);
    acre__put(&c->count, c->count - 1);
    acre__order();
    slot_put(h, slot, offset_of(h, unit));
    record_end(t);
}

static void publish_from_word(acre_heap *h, shard *t, const shard_class *c, uint32_t bytes,
                              uint64_t slot)
{
    slab_word *w = (slab_word *)(h->region.base + c->word);
    uint64_t free = w->free, index = (uint32_t)__builtin_ctzll(free);
    uint32_t unit = (uint32_t)((c->node + index * bytes) / SHARD_UNIT);
    record_begin(t, SHARD_INTO, unit, slot);
    acre__put(&w->free, free & (free - 1));
    acre__order();
    if (ACRE_BUG_IS(83))
        record_end(t);
    slot_put(h, slot, offset_of(h, unit));
    record_end(t);
}

/* EAGAIN: it is to be a block of the house. */
int acre__shard_into(acre_region *r, acre_off *slot, size_t size)
{
    acre_heap *h = (acre_heap *)r;
    const shard_root *o = shard_root_of(&h->region);
    uint64_t at = (uint64_t)((char *)slot - h->segment);
    acre__shard_inherit(h, at);
    shard *t = acre__shard_lease(h);
    if (!t || size > o->largest)
        return EAGAIN;
    uint32_t class = map_class(o->class_of[(size + SHARD_UNIT - 1) / SHARD_UNIT]);
    if (!acre__shard_ready(h, t, class))
        return EAGAIN;
    if (t->class[class].count)
        publish_from_magazine(h, t, &t->class[class], at);
    else
        publish_from_word(h, t, &t->class[class], o -> kind[class].bytes, at);
    return 0;
}

/* ---- out of a slot ---- */

static void magazine_push(shard_class *c, uint32_t unit)
{
    c->entry[c->count + 1] = unit;
    acre__order();
    acre__put(&c->count, c->count + 1);
    acre__order();
}

static void retract_into_magazine(acre_heap *h, shard *t, shard_class *c, uint32_t unit,
                                  uint64_t slot)
{
    record_begin(t, SHARD_FROM, unit, slot);
    slot_put(h, slot, 0);
    magazine_push(c, unit);
    record_end(t);
}

/* The last entry goes to its slab, which is another's.  A bit that is there already: it was freed twice. */
static void record_send(acre_heap *h, shard *t, shard_place at, uint32_t unit, uint64_t slot,
                        shard_class *c)
{
    slab_word *w = &at.slab->word[at.index / 64];
    record_begin(t, ACRE_BUG_IS(90) ? SHARD_IDLE : SHARD_SEND, unit, slot);
    slot_put(h, slot, 0);
    if (c)
        acre__put(&c->count, c->count - 1);
    acre__order();
    if (acre__or(&w->remote, (uint64_t)1 << at.index % 64) == 0)
        acre__shard_notify(&h->region, at.slab);
    record_end(t);
}

void acre__shard_send(acre_heap *h, shard *t, shard_class *c, shard_place at)
{
    record_send(h, t, at, c->entry[c->count], 0, c);
}

/* Room for an entry: the last one goes home.  Killed between the two stores of one's own: its bit
 * dominates, see magazine_settle(). */
static void magazine_make_room(acre_heap *h, shard *t, shard_class *c)
{
    shard_place at = shard_find(&h->region, shard_node(&h->region, c->entry[c->count]));
    if (at.slab->owner != t->number) {
        acre__shard_send(h, t, c, at);
        return;
    }
    slab_word *w = &at.slab->word[at.index / 64];
    if (ACRE_BUG_IS(89))
        acre__put(&c->count, c->count - 1);
    acre__put(&w->free, w->free | (uint64_t)1 << at.index % 64);
    acre__order();
    if (!ACRE_BUG_IS(89))
        acre__put(&c->count, c->count - 1);
    acre__slab_offer(&h->region, t, at.slab);
}

/* EAGAIN: what the slot names is a block of the house. */
int acre__shard_from(acre_region *r, acre_off *slot)
{
    acre_heap *h = (acre_heap *)r;
    uint64_t where = (uint64_t)((char *)slot - h->segment);
    if (!ACRE_BUG_IS(73))
        acre__shard_inherit(h, where);
    acre_off named = acre__peek(slot);
    char *p = h->segment + (named < h->window ? named : 0); /* not in the region if it is empty by now */
    shard_place at = shard_find(&h->region, p);
    if (!at.slab)
        return EAGAIN;
    if (!at.start || shard_free_at(at))
        return ACRE_EINVALID;
    shard *t = acre__shard_lease(h);
    if (!t)
        return ENOMEM;
    shard_class *c = &t->class[at.class];
    if (c->count == SHARD_ENTRIES)
        magazine_make_room(h, t, c);
    retract_into_magazine(h, t, c, unit_of(&h->region, p), where);
    return 0;
}

/* ---- after a death ---- */

/* An entry whose bit is set is at home: the last one can be, in magazine_make_room() and shard_empty().
 * In a damaged image any entry may be anything. */
static bool magazine_entry_sane(const acre_heap *h, const shard *t, uint32_t unit, uint32_t class)
{
    uint64_t at = (uint64_t)unit * SHARD_UNIT;
    uint64_t reach = shard_reach(&h->region);
    if (at >= reach || reach - at < SHARD_UNIT)
        return false;
    shard_place p = shard_find(&h->region, h->region.base + at);
    if (!p.slab || !p.start || p.class != class ||
        !acre__slab_sane(&h->region, slab_frame(&h->region, p.slab), p.slab->owner))
        return false;
    return p.slab->owner != t->number || !(p.slab->word[p.index / 64].free >> p.index % 64 & 1);
}

static void magazine_settle(acre_heap *h, shard *t, uint32_t class)
{
    shard_class *c = &t->class[class];
    uint32_t n = c->count < SHARD_ENTRIES ? c->count : SHARD_ENTRIES, kept = 0;
    c->entry[0] = 0;
    for (uint32_t i = 1; i <= n; i++)
        if (magazine_entry_sane(h, t, c->entry[i], class) || ACRE_BUG_IS(99))
            c->entry[++kept] = c->entry[i];
    if (kept != c->count) {
        acre__order();
        acre__put(&c->count, kept);
    }
}

/* In no place: its own word has just lost it, or the magazine, which therefore has room. */
static void magazine_restore(acre_heap *h, shard *t, uint32_t unit)
{
    shard_place at = shard_find(&h->region, shard_node(&h->region, unit));
    shard_class *c = at.slab ? &t->class[at.class] : NULL;
    if (c && at.start && !shard_free_at(at) && !acre__shard_has(c, unit) && c->count < SHARD_ENTRIES)
        magazine_push(c, unit);
}

static void finish_send(acre_heap *h, shard *t, uint32_t unit, uint64_t slot)
{
    shard_place at = shard_find(&h->region, shard_node(&h->region, unit));
    slab_word *w = at.slab ? &at.slab->word[at.index / 64] : NULL;
    uint64_t bit = (uint64_t)1 << at.index % 64;
    bool there = w && acre__load_full(&w->remote) & bit;
    if (!w || ((acre__load_full(&t->op) & 15) == SHARD_SENT && !ACRE_BUG_IS(84)))
        return; /* arrived, and its slab may be gone */
    if (!there) {
        shard_class *c = &t->class[at.class];
        if (slot && *slot_at(h, slot) == offset_of(h, unit))
            slot_put(h, slot, 0);
        if (c->count && c->entry[c->count] == unit)
            acre__put(&c->count, c->count - 1);
        acre__order();
        acre__or(&w->remote, bit);
    }
    acre__shard_notify(&h->region, at.slab);
}

static void finish_notice(acre_heap *h, uint32_t unit)
{
    shard_place at = shard_find(&h->region, shard_node(&h->region, unit));
    if (at.slab)
        acre__shard_notify(&h->region, at.slab);
}

static void finish_collect(acre_heap *h, shard *t, uint32_t unit)
{
    shard_place at = shard_find(&h->region, shard_node(&h->region, unit));
    if (at.slab && acre__slab_sane(&h->region, slab_frame(&h->region, at.slab), t->number))
        acre__shard_collect(&h->region, t, at.slab);
}

static void finish_into(acre_heap *h, shard *t, uint32_t unit, uint64_t slot)
{
    if (*slot_at(h, slot) != offset_of(h, unit) || ACRE_BUG_IS(93))
        magazine_restore(h, t, unit);
}

static void finish_from(acre_heap *h, shard *t, uint32_t unit, uint64_t slot)
{
    if (*slot_at(h, slot) == offset_of(h, unit) && !ACRE_BUG_IS(92))
        slot_put(h, slot, 0);
    magazine_restore(h, t, unit);
}

static bool record_sane(const acre_heap *h, uint32_t unit, uint64_t slot)
{
    uint64_t size = acre__peek(h->size) < h->window ? acre__peek(h->size) : h->window;
    return (uint64_t)unit * SHARD_UNIT < shard_reach(&h->region) && slot % sizeof(acre_off) == 0 &&
           slot <= size - sizeof(acre_off);
}

/* Dying in it and doing it again is harmless: each looks what is there. */
void acre__shard_finish(acre_heap *h, shard *t)
{
    uint64_t op = acre__load(&t->op), slot = t->slot;
    uint32_t unit = (uint32_t)(op >> 4);
    for (uint32_t i = 0; i <= shard_root_of(&h->region)->classes; i++)
        magazine_settle(h, t, i);
    if (!record_sane(h, unit, slot))
        op = SHARD_IDLE;
    if ((op & 15) == SHARD_NOTICE)
        finish_notice(h, unit);
    else if ((op & 15) == SHARD_COLLECT)
        finish_collect(h, t, unit);
    else if ((op & 15) == SHARD_SEND || ((op & 15) == SHARD_SENT && ACRE_BUG_IS(84)))
        finish_send(h, t, unit, slot);
    else if ((op & 15) == SHARD_INTO)
        finish_into(h, t, unit, slot);
    else if ((op & 15) == SHARD_FROM)
        finish_from(h, t, unit, slot);
    record_end(t);
}
