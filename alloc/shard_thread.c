/* SPDX-License-Identifier: MIT */
/* shard_thread.c: who has which shard.
 *
 *            claim               the thread ends, or is killed: the kernel marks the cell
 *     free ─────────▶ held ────────────────────────────────────────▶ orphaned
 *       ◀──────────────┘ detach                                        │ claim, finish, begin
 *                                             held ◀──────────────────┘
 *
 * A thread claims a shard when it first needs one and holds it as long as it lives.  Nobody waits for one:
 * a thread that finds none that is free or orphaned makes one; where there are SHARD_SHARDS already, it
 * does without, and its blocks come from the house.  A stopped thread keeps its shard.  Only who looks at the
 * heap, or publishes at a slot of which a dead one's record speaks, waits for whoever is taking that over.
 *
 * A heap without a lock has one shard, of whoever calls.
 */
#include "alloc/shard_heap.h"

#include <errno.h>
#include <signal.h>
#include <time.h>

/* Naps until somebody who takes over the dead is taken for stopped: by who looks at the heap, and by who would use a
 * slot of which the record speaks. */
enum { SHARD_NAP_NS = 20000, SHARD_NAPS_TO_LOOK = 1000, SHARD_NAPS_TO_USE = 100000 };

/* ---- claiming ---- */

/* What its owner will rely on without looking. */
void acre__shard_set_constants(shard *t, const shard_root *o)
{
    for (uint32_t i = 0; i <= o->classes; i++) {
        const shard_kind *k = &o->kind[i]; /* of what is larger: 0 */
        shard_class *c = &t->class[i];
        c->reciprocal = k->reciprocal;
        c->bytes = k->bytes;
        c->nodes = k->nodes;
        c->first = k->first;
    }
}

/* What its last owner left, dead or not: the segment may have been a damaged file meanwhile.  However many
 * slabs there are, it takes the time of the magazines. */
static void shard_adopt(acre_heap *h, shard *t)
{
    acre__shard_set_constants(t, shard_root_of(&h->region));
    if (!ACRE_BUG_IS(85))
        acre__shard_begin(&h->region, t);
    acre__shard_finish(h, t);
    acre__shelf_settle(&h->region, t);
    t->adopted++;
    acre__order();
}

/* Who died in the house may have noted words of this shard (shard_shelf.c): they are as they were before it
 * changes hands.  Waits for whoever is in the house. */
static void shard_undo(acre_heap *h)
{
    if (*h->pending != 0 && !ACRE_BUG_IS(64) && acre__heap_enter(h) == 0)
        acre__heap_leave(h);
}

/* Killed in adopting: the cell is orphaned again, and all of it is done once more. */
shard *acre__shard_claim(acre_heap *h, uint32_t number)
{
    shard *t = shard_numbered(&h->region, number);
    if (!t || !acre__ownerless(acre__peek(&t->cell.word)))
        return NULL;
    acre__self *s = acre__self_get();
    int e = acre__cell_trylock(s, &t->cell);
    if (e && e != EOWNERDEAD)
        return NULL;
    if (e)
        shard_undo(h);
    shard_adopt(h, t);
    if (e)
        acre__cell_consistent(s, &t->cell);
    return t;
}

void acre__shard_release(acre_heap *h, shard *t)
{
    if (h->lock)
        acre__cell_unlock(acre__self_get(), &t->cell);
}

/* ---- making ---- */

static uint32_t shard_count(const acre_region *r)
{
    uint32_t n = 0;
    while (shard_numbered(r, n))
        n++;
    return n;
}

static void shard_lay_out(shard *t, uint32_t number, const shard_root *o)
{
    __builtin_memset(t, 0, SHARD_CLASS_AT(o->classes + 1) + o->bins * sizeof(shelf_bin));
    t->cell.tag = ACRE__MUTEX;
    t->number = number;
    acre__shard_set_constants(t, o);
    for (uint32_t i = 0; i <= o->classes; i++)
        t->class[i].word = SHARD_NONE;
}

/* In the house. */
shard *acre__shard_new(acre_heap *h)
{
    acre_region *r = &h->region;
    shard_root *o = shard_root_of(r);
    uint32_t number = shard_count(r);
    if (number == SHARD_SHARDS)
        return NULL;
    char *block = acre__rbtree_best_fit.alloc(r, SHARD_BYTES(o->classes, o->bins), ACRE_ALIGN_MIN);
    if (!block)
        return NULL;
    uint64_t at = shard_in_block((uint64_t)(block - r->base));
    shard *t = (shard *)(r->base + at);
    shard_lay_out(t, number, o);
    o->taken += (rb_usable(block) + RB_HEADER) / RB_UNIT;
    if (r->journal)
        acre_note(r, &o->shard_at[number], 0, 1);
    acre__store(&o->shard_at[number], (uint32_t)(at / SHARD_UNIT));
    return t;
}

/* ---- leasing ---- */

/* In front; NULL: none any more. */
static shard *shard_remember(const acre_heap *h, shard *t)
{
    acre__lease *l = acre__self_here()->lease;
    uint32_t i = 0;
    while (i < ACRE__LEASES - 1 && l[i].key != h->serial)
        i++;
    for (; i; i--)
        l[i] = l[i - 1];
    l[0] = (acre__lease){t ? h->serial : 0, t};
    return t;
}

static shard *shard_remembered(const acre_heap *h)
{
    const acre__lease *l = acre__self_here()->lease;
    for (uint32_t i = 0; i < ACRE__LEASES; i++)
        if (l[i].key == h->serial)
            return shard_remember(h, l[i].place);
    return NULL;
}

shard *acre__shard_mine(const acre_heap *h)
{
    shard *t = shard_remembered(h);
    if (t || !h->lock)
        return t;
    const acre__self *s = acre__self_get();
    for (uint32_t i = 0; (t = shard_numbered(&h->region, i)); i++)
        if (acre__cell_mine(s, &t->cell))
            return shard_remember(h, t);
    return NULL;
}

/* The only one of a heap without a lock. */
static shard *shard_only(acre_heap *h)
{
    shard *t = shard_numbered(&h->region, 0);
    if (t)
        shard_adopt(h, t);
    return t;
}

static shard *shard_any(acre_heap *h)
{
    for (uint32_t i = 0; shard_numbered(&h->region, i); i++) {
        shard *t = acre__shard_claim(h, i);
        if (t)
            return t;
    }
    return NULL;
}

static bool shard_make(acre_heap *h)
{
    if (acre__heap_enter(h) != 0)
        return false;
    bool made = acre__shard_new(h);
    acre__heap_leave(h);
    return made;
}

/* What is made is anybody's: others may be faster. */
shard *acre__shard_lease(acre_heap *h)
{
    shard *t = acre__shard_mine(h);
    if (t || h->read_only)
        return t;
    if (!h->lock)
        return shard_remember(h, shard_only(h));
    if (acre__self_busy(acre__self_get()))
        return NULL;
    do
        t = shard_any(h);
    while (!t && shard_make(h));
    return shard_remember(h, t);
}

void acre__shard_detach(acre_region *r)
{
    acre_heap *h = (acre_heap *)r;
    shard *t = h->lock ? acre__shard_mine(h) : NULL;
    shard_remember(h, NULL);
    if (t)
        acre__shard_release(h, t);
}

uint32_t *acre__shard_owner(const acre_region *r, uint32_t i)
{
    shard *t = shard_numbered(r, i);
    return t ? &t->cell.word : NULL;
}

/* In a damaged image anybody may be. */
static bool shard_adopter_lives(uint32_t word)
{
    return kill((pid_t)(word & ACRE__TID), 0) == 0 || errno != ESRCH;
}

/* Until it is nobody's that has died: somebody may be about it already, and what its record says of a slot is
 * done only when that one is through.  Who is stopped at that is waited for so many naps. */
static void shard_settle_one(acre_heap *h, shard *t, uint32_t naps)
{
    uint32_t word;
    if (acre__self_busy(acre__self_get()))
        return;
    for (; naps && (word = acre__load(&t->cell.word)) & ACRE__D; naps--) {
        shard *u = acre__ownerless(word) ? acre__shard_claim(h, t->number) : NULL;
        if (u)
            acre__shard_release(h, u);
        else if (!acre__ownerless(word) && (ACRE_BUG_IS(94) || !shard_adopter_lives(word)))
            return;
        else
            nanosleep(&(struct timespec){.tv_nsec = SHARD_NAP_NS}, NULL);
    }
}

/* Of its cell alone, which is rarely written, unless somebody has died. */
void acre__shard_inherit(acre_heap *h, uint64_t slot)
{
    const acre_region *r = &h->region;
    const shard_root *o = shard_root_of(r);
    uint64_t at;
    for (uint32_t i = 0; i < SHARD_SHARDS && (at = acre__peek(&o->shard_at[i])); i++) {
        shard *t = (shard *)(r->base + at * SHARD_UNIT);
        if (at * SHARD_UNIT < shard_reach(r) && (acre__peek(&t->cell.word) & ACRE__D) &&
            shard_numbered(r, i) == t && acre__load(&t->slot) == slot)
            shard_settle_one(h, t, SHARD_NAPS_TO_USE);
    }
}

/* Nobody may have the lock: who is in the house and calls it finds all cells refused. */
void acre__shard_settle(acre_region *r)
{
    acre_heap *h = (acre_heap *)r;
    shard *t;
    for (uint32_t i = 0; (t = shard_numbered(r, i)); i++)
        shard_settle_one(h, t, SHARD_NAPS_TO_LOOK);
}
