/* SPDX-License-Identifier: MIT */
/* shard_stats.c: what each shard and each class of a sharded heap has.  With the heap's lock held, so that no
 * slab comes or goes; nodes move meanwhile and are seen one after the other.
 *
 *   slabs, by the map      free, pending; the rest is used …
 *   magazines, entry by entry                              … but for what is cached
 *
 * An entry whose bit is set is at home: its bit dominates (shard_slab.c).  A node that moves between the two
 * looks may be counted twice or not at all; so nothing is counted below 0.  A damaged image may say
 * anything: nothing outside the region is read. */
#include "alloc/shard_heap.h"

typedef struct shard_tally {
    const acre_region *r;
    acre_part *part;   /* NULL: only the classes are asked for */
    acre_class *class; /* NULL: only the parts are */
    uint32_t parts;
} shard_tally;

/* ---- what can be read ---- */

static const shard *tally_shard(const acre_region *r, uint32_t number)
{
    const shard_root *o = shard_root_of(r);
    uint64_t bytes = SHARD_BYTES(o->classes, o->bins);
    uint64_t at =
        number < SHARD_SHARDS ? (uint64_t)acre__load(&o->shard_at[number]) * SHARD_UNIT : 0;
    return at && at <= r->size && bytes <= r->size - at ? shard_numbered(r, number) : NULL;
}

static bool tally_kind_sane(const shard_kind *k)
{
    return k->bytes >= SHARD_UNIT && k->bytes % SHARD_UNIT == 0 && k->frames &&
           k->words <= SHARD_WORDS && k->nodes <= k->words * 64 &&
           k->first >= sizeof(slab) + k->words * sizeof(slab_word) &&
           k->first + (uint64_t)k->nodes * k->bytes <= (uint64_t)k->frames * SHARD_FRAME;
}

static bool tally_sane(const acre_region *r)
{
    const shard_root *o = shard_root_of(r);
    bool sane = acre__shard_sound(r);
    for (uint32_t i = 0; sane && i < o->classes; i++)
        sane = tally_kind_sane(&o->kind[i]);
    return sane;
}

/* The class of the slab that starts in that frame; SHARD_CLASSES or more: none does. */
static uint32_t tally_class_at(const acre_region *r, uint64_t frame)
{
    const shard_root *o = shard_root_of(r);
    uint32_t entry = acre__shard_map_entry(r, frame), class = map_class(entry);
    if (!map_is_start(entry) || class >= o->classes || entry != SHARD_CLASS_AT(class))
        return SHARD_CLASSES;
    uint64_t bytes = (uint64_t)o->kind[class].frames * SHARD_FRAME - RB_HEADER;
    uint64_t at = frame * SHARD_FRAME;
    return at <= r->size && bytes <= r->size - at ? class : SHARD_CLASSES;
}

/* The node at that unit, if it is one; as shard_find(). */
static shard_place tally_find(const acre_region *r, uint32_t unit)
{
    uint64_t at = (uint64_t)unit * SHARD_UNIT, frame = at / SHARD_FRAME;
    uint32_t distance = at < r->size ? map_distance(acre__shard_map_entry(r, frame)) : 0;
    uint64_t start = frame - (distance < frame ? distance : 0);
    uint32_t class = at < r->size ? tally_class_at(r, start) : SHARD_CLASSES;
    if (class >= SHARD_CLASSES)
        return (shard_place){.slab = NULL};
    const shard_kind *k = &shard_root_of(r)->kind[class];
    uint64_t d = at - start * SHARD_FRAME - k->first; /* wraps in front of the nodes */
    bool node = d % k->bytes == 0 && d / k->bytes < k->nodes;
    slab *s = node ? slab_at(r, (uint32_t)start) : NULL;
    return (shard_place){s, k, class, (uint32_t)(d / k->bytes), node};
}

/* ---- slabs ---- */

static void tally_part(acre_part *p, const shard_kind *k, uint64_t free, uint64_t pending)
{
    p->slabs++;
    p->slab_bytes += (uint64_t)k->frames * SHARD_FRAME;
    p->free_blocks += free;
    p->free_bytes += free * k->bytes;
    p->pending_blocks += pending;
    p->pending_bytes += pending * k->bytes;
    p->used_blocks += k->nodes - free - pending;
    p->used_bytes += (k->nodes - free - pending) * k->bytes;
}

static void tally_class(acre_class *c, const shard_kind *k, uint64_t free)
{
    c->slabs++;
    c->slab_bytes += (uint64_t)k->frames * SHARD_FRAME;
    c->lost_bytes += (uint64_t)k->frames * SHARD_FRAME - (uint64_t)k->nodes * k->bytes;
    c->free_blocks += free;
    c->live_blocks += k->nodes - free;
}

static void tally_slab(const shard_tally *t, const slab *s, uint32_t class)
{
    const shard_kind *k = &shard_root_of(t->r)->kind[class];
    uint64_t free = 0, pending = 0;
    uint32_t owner = acre__peek(&s->owner);
    for (uint32_t i = 0; i < k->words; i++) {
        uint64_t home = acre__peek(&s->word[i].free) & slab_mask(k, i);
        uint64_t sent = acre__peek(&s->word[i].remote) & slab_mask(k, i) & ~home;
        free += (uint64_t)__builtin_popcountll(home);
        pending += (uint64_t)__builtin_popcountll(sent);
    }
    if (t->part && owner < t->parts)
        tally_part(&t->part[owner], k, free, pending);
    if (t->class)
        tally_class(&t->class[class], k, free + pending);
}

static void tally_slabs(const shard_tally *t)
{
    uint64_t frames = t->r->size / SHARD_FRAME;
    for (uint64_t f = 0; f <= frames; f++) {
        uint32_t class = tally_class_at(t->r, f);
        if (class < SHARD_CLASSES)
            tally_slab(t, slab_at(t->r, (uint32_t)f), class);
    }
}

/* ---- magazines ---- */

static void tally_less(uint64_t *n, uint64_t less)
{
    *n -= *n < less ? *n : less;
}

/* It was counted as used, as its bits are not set. */
static void tally_cached(const shard_tally *t, uint32_t number, shard_place at)
{
    uint32_t owner = acre__peek(&at.slab->owner);
    if (t->part) {
        t->part[number].cached_blocks++;
        t->part[number].cached_bytes += at.kind->bytes;
    }
    if (t->part && owner < t->parts) {
        tally_less(&t->part[owner].used_blocks, 1);
        tally_less(&t->part[owner].used_bytes, at.kind->bytes);
    }
    if (t->class) {
        t->class[at.class].cached_blocks++;
        tally_less(&t->class[at.class].live_blocks, 1);
    }
}

static void tally_magazine(const shard_tally *t, uint32_t number, const shard_class *c,
                           uint32_t class)
{
    uint32_t n = acre__peek(&c->count);
    for (uint32_t e = 1; e <= n && e <= SHARD_ENTRIES; e++) {
        shard_place at = tally_find(t->r, acre__peek(&c->entry[e]));
        if (at.slab && at.class == class && !shard_free_at(at))
            tally_cached(t, number, at);
    }
}

static void tally_magazines(const shard_tally *t)
{
    for (uint32_t i = 0; i < t->parts; i++) {
        const shard *s = tally_shard(t->r, i);
        for (uint32_t c = 0; s && c < shard_root_of(t->r)->classes; c++)
            tally_magazine(t, i, &s->class[c], c);
    }
}

/* ---- a shard's other things ---- */

static void tally_shelf(const acre_region *r, const shard *t, acre_part *p)
{
    const shelf_bin *b = shelf_of(r, t);
    for (uint32_t i = 0; i < shard_root_of(r)->bins; i++)
        for (uint32_t n = 0; n < acre__peek(&b[i].count) && n < SHELF_ROOM; n++) {
            p->shelved_blocks++;
            p->shelved_bytes += (uint64_t)acre__peek(&b[i].units[n]) * RB_UNIT;
        }
}

static enum acre_part_state tally_state(uint32_t word)
{
    if (!acre__ownerless(word))
        return ACRE_PART_HELD;
    return word & ACRE__D ? ACRE_PART_ORPHANED : ACRE_PART_FREE;
}

static void tally_begin(const acre_region *r, const shard *t, uint32_t number, acre_part *p)
{
    uint32_t word = acre__load(&t->cell.word);
    p->number = number;
    p->state = tally_state(word);
    p->tid = word & ACRE__TID;
    p->adopted = acre__peek(&t->adopted);
    tally_shelf(r, t, p);
}

/* ---- methods ---- */

static void tally(shard_tally *t)
{
    const shard *s;
    for (; (s = tally_shard(t->r, t->parts)); t->parts++)
        if (t->part)
            tally_begin(t->r, s, t->parts, &t->part[t->parts]);
    tally_slabs(t);
    tally_magazines(t);
}

_Static_assert((int)SHARD_SHARDS <= (int)ACRE_PARTS && (int)SHARD_CLASSES <= (int)ACRE_CLASSES,
               "there is room");

int acre__shard_parts(const acre_region *r, acre_part *part)
{
    shard_tally t = {.r = r, .part = part};
    if (!tally_sane(r))
        return ACRE_ECORRUPT;
    tally(&t);
    return (int)t.parts;
}

int acre__shard_class_stats(const acre_region *r, acre_class *class)
{
    const shard_root *o = shard_root_of(r);
    shard_tally t = {.r = r, .class = class};
    if (!tally_sane(r))
        return ACRE_ECORRUPT;
    for (uint32_t i = 0; i < o->classes; i++) {
        class[i].size = o->kind[i].bytes;
        class[i].direct_blocks = acre__peek(&o->direct[i]);
    }
    tally(&t);
    return (int)o->classes;
}
