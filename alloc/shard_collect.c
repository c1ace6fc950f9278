/* SPDX-License-Identifier: MIT */
/* shard_collect.c: what others freed in a shard's slabs, and what a new owner finds in them. */
#include "alloc/shard_slab.h"

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
    if (!ACRE_BUG_IS(49))
        acre__put(&t->op,
                  (uint64_t)slab_frame(r, s) * (SHARD_FRAME / SHARD_UNIT) << 4 | SHARD_COLLECT);
    acre__order();
    for (uint32_t i = 0; i < slab_kind(r, s)->words; i++)
        slab_collect_word(r, s, i);
    acre__order();
    acre__put(&t->op, (uint64_t)SHARD_IDLE);
    acre__slab_offer(r, t, s);
    return true;
}

static bool slab_collect_rings(const acre_region *r, shard *t, uint64_t rings)
{
    bool any = false;
    for (; rings; rings &= rings - 1)
        for (slab *s = NULL; (s = acre__slab_next(r, t, s, (uint32_t)__builtin_ctzll(rings)));)
            any |= acre__shard_collect(r, t, s);
    return any;
}

bool acre__shard_collect_hinted(const acre_region *r, shard *t)
{
    return acre__peek(&t->hint) && slab_collect_rings(r, t, acre__swap(&t->hint, 0));
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
        acre__slab_offer(r, t, s);
}

/* The next one that was not visited yet; NULL: all were. */
static slab *scan_next(const acre_region *r, shard *t)
{
    for (; t->scan < SHARD_RINGS; t->scan++, t->scan_at = 0) {
        slab *s = acre__slab_next(r, t, t->scan_at ? slab_at(r, t->scan_at) : NULL, t->scan);
        if (!s)
            continue;
        t->scan_at = slab_frame(r, s);
        return s;
    }
    return NULL;
}

/* Some, until one has nodes of this class. */
void acre__shard_scan(const acre_region *r, shard *t, const shard_class *c, uint32_t most)
{
    slab *s;
    for (; most && !c->list && (s = scan_next(r, t)); most--)
        slab_visit(r, t, s);
}

void acre__shard_collect_all(const acre_region *r, shard *t)
{
    acre__swap(&t->hint, 0);
    for (uint32_t i = 0; i < SHARD_RINGS; i++)
        for (slab *s = NULL; (s = acre__slab_next(r, t, s, i));)
            slab_visit(r, t, s);
    t->scan = SHARD_RINGS;
}

/* All say 0. */
static void slab_forget(const acre_region *r, const shard *t)
{
    for (uint32_t i = 0; i < SHARD_RINGS; i++)
        for (slab *s = NULL; (s = acre__slab_next(r, t, s, i));)
            s->listed = 0;
}

/* What is derived of a shard; its slabs are not visited, however many they are. */
void acre__shard_begin(const acre_region *r, shard *t)
{
    for (uint32_t i = 0; i <= shard_root_of(r)->classes; i++) {
        acre__put(&t->class[i].word, SHARD_NONE);
        t->class[i].list = t->class[i].asked = 0;
    }
    if (t->epoch >= UINT16_MAX) {
        slab_forget(r, t);
        t->epoch = 0;
    }
    t->epoch++;
    t->scan = ACRE_BUG_IS(59) ? SHARD_RINGS : 0;
    t->scan_at = 0;
}
