/* SPDX-License-Identifier: MIT */
/* quarantine.c: freed blocks wait before the algorithm has them back, first in, first out.  With checks=2
 * only until they are overwritten, which has to come behind the commit of the free.  With checks=3 longer:
 * who still writes to one is seen when the block leaves, and who frees it again is told.
 *
 *   control │ journal │ quarantine: first, count │ bytes │ entry[64] │ region …
 *                                     │                     ▲
 *                                     └── oldest ───────────┘
 *
 *   freed ──push──▶ retired ──settle──▶ filled with the pattern ──pop: looked at──▶ the algorithm's
 *
 * Bounds: 63 blocks, an eighth of the region's bytes (checks=2: none).  When a request finds no room, blocks
 * leave one by one until it does: what is kept is never missing.  A ring that is full, because of many
 * deaths or an alloc_many_into that was undone, takes nothing: the block goes back as it is.
 *
 * Q1  a filled block holds the pattern in all bytes in front of its tail
 * Q2  the blocks that are retired or filled are exactly those that the ring names, each once
 * Q3  bytes is the sum of their usable bytes
 *
 * Killed in the middle.  The ring's word and bytes are noted; the entry behind the last one is not read by
 * the state that comes back.  Pushing is part of the step that frees; filling comes behind its commit, and
 * the mark «filled» behind the filling.  Popping takes the mark away first, unnoted: «retired» is true of
 * any block that is kept, and one that comes back has lost the bytes that the algorithm wrote into it.
 */
#include "alloc/checked.h"

#include <string.h>

/* ---- the ring ---- */

static uint32_t quarantine_first(const acre__quarantine *q)
{
    return (uint32_t)q->word % ACRE__QUARANTINE;
}

static uint32_t quarantine_count(const acre__quarantine *q)
{
    uint32_t n = (uint32_t)(q->word >> 32);
    return n < ACRE__QUARANTINE ? n : ACRE__QUARANTINE;
}

static uint64_t quarantine_word(uint32_t first, uint32_t count)
{
    return (uint64_t)count << 32 | first % ACRE__QUARANTINE;
}

static uint64_t *quarantine_entry(acre__quarantine *q, uint32_t i)
{
    return &q->entry[(quarantine_first(q) + i) % ACRE__QUARANTINE];
}

static uint64_t quarantine_limit(const acre_heap *h)
{
    return h->control->checks == ACRE_CHECKS_QUARANTINE ? h->control->region_size / 8 : 0;
}

/* What an entry names.  In a damaged segment that need not be a block. */
static guard quarantine_block(const acre_heap *h, uint64_t offset, size_t *usable)
{
    const char *p = h->region.base + (offset < acre__heap_bytes(h) ? offset : 0); /* 0: no block's */
    *usable = offset && !acre__heap_foreign(h, p) ? h->inner->usable(&h->region, p) : 0;
    return guard_of(h, p, *usable);
}

static void quarantine_mark(const acre_heap *h, const guard *g, enum guard_state state)
{
    uint64_t slack = (uint64_t)((char *)g->tail - g->p) - g->size;
    acre_set64(&h->region, g->tail, guard_tail(h, g->p, slack, state));
}

bool acre__quarantine_push(acre_heap *h, const guard *g, size_t usable)
{
    acre__quarantine *q = h->quarantine;
    uint32_t first = quarantine_first(q), count = quarantine_count(q);
    if (count == ACRE__QUARANTINE)
        return false;
    ACRE_PUT(*quarantine_entry(q, count), (uint64_t)(g->p - h->region.base));
    quarantine_mark(h, g, GUARD_RETIRED);
    acre_set64(&h->region, &q->bytes, q->bytes + usable);
    if (ACRE_BUG_IS(72))
        q->word = quarantine_word(first, count + 1);
    acre_set64(&h->region, &q->word, quarantine_word(first, count + 1));
    return true;
}

/* ---- leaving ---- */

/* A step is over; inside of alloc_many_into its batch is not (publish.c). */
static void quarantine_commit(const acre_heap *h)
{
    acre_journal *j = h->region.journal;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    if (j)
        ACRE_PUT(j->count, j->count && (j->entry[0].where & ACRE__BATCH) ? 1 : 0);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

bool acre__quarantine_intact(const guard *g)
{
    for (const uint64_t *word = (const uint64_t *)g->p; word < g->tail; word++)
        if (*word != GUARD_DEAD && !ACRE_BUG_IS(71))
            return false;
    return true;
}

/* The mark «filled» is gone before anything else happens. */
static int quarantine_inspect(acre_heap *h, const guard *g)
{
    if (g->state != GUARD_FILLED)
        return g->state == GUARD_RETIRED ? 0 : ACRE_EUSEDFREED;
    bool intact = acre__quarantine_intact(g);
    uint64_t slack = (uint64_t)((char *)g->tail - g->p) - g->size;
    ACRE_PUT(*g->tail, guard_tail(h, g->p, slack, GUARD_RETIRED));
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    return intact ? 0 : ACRE_EUSEDFREED;
}

/* Whose guard is broken is the algorithm's again too: it was freed. */
static void quarantine_return(acre_heap *h, guard *g, size_t usable)
{
    acre__quarantine *q = h->quarantine;
    uint64_t bytes = q->bytes > usable ? q->bytes - usable : 0;
    acre_set64(&h->region, &q->bytes, bytes);
    acre_set64(&h->region, &q->word,
               quarantine_word(quarantine_first(q) + 1, quarantine_count(q) - 1));
    if (usable >= GUARD_LEAST)
        acre__checked_release(h, g);
    quarantine_commit(h);
}

bool acre__quarantine_pop(acre_heap *h, int *error)
{
    acre__quarantine *q = h->quarantine;
    size_t usable;
    if (!q || quarantine_count(q) == 0)
        return false;
    guard g = quarantine_block(h, *quarantine_entry(q, 0), &usable);
    int e = quarantine_inspect(h, &g);
    quarantine_return(h, &g, usable);
    if (e)
        acre__heap_tell(h, e, g.p);
    if (e && error)
        *error = e;
    return true;
}

bool acre__quarantine_drain(acre_heap *h)
{
    bool any = false;
    while (acre__quarantine_pop(h, NULL))
        any = true;
    return any;
}

static bool quarantine_too_much(const acre_heap *h)
{
    return quarantine_count(h->quarantine) == ACRE__QUARANTINE ||
           h->quarantine->bytes > quarantine_limit(h);
}

int acre__quarantine_settle(acre_heap *h, guard *g)
{
    int e = 0;
    memset(g->p, (int)(GUARD_DEAD & 0xff), (size_t)((char *)g->tail - g->p));
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    uint64_t slack = (uint64_t)((char *)g->tail - g->p) - g->size;
    if (quarantine_limit(h))
        ACRE_PUT(*g->tail, guard_tail(h, g->p, slack, GUARD_FILLED));
    while (quarantine_too_much(h) && acre__quarantine_pop(h, &e))
        ;
    return e;
}

/* ---- check ---- */

static bool quarantine_named_before(acre__quarantine *q, uint32_t i)
{
    for (uint32_t k = 0; k < i; k++)
        if (*quarantine_entry(q, k) == *quarantine_entry(q, i))
            return true;
    return false;
}

static bool quarantine_names(const acre_heap *h, acre__quarantine *q, uint32_t i)
{
    size_t usable;
    guard g = quarantine_block(h, *quarantine_entry(q, i), &usable);
    return (g.state == GUARD_RETIRED || g.state == GUARD_FILLED) && !quarantine_named_before(q, i);
}

bool acre__quarantine_holds(const acre_heap *h, const guard *g)
{
    acre__quarantine *q = h->quarantine;
    for (uint32_t i = 0; q && i < quarantine_count(q); i++)
        if (*quarantine_entry(q, i) == (uint64_t)(g->p - h->region.base))
            return true;
    return false;
}

static int quarantine_damaged(acre_damage *d, const char *rule)
{
    *d = (acre_damage){.rule = rule};
    return ACRE_ECORRUPT;
}

int acre__quarantine_check(const acre_heap *h, const quarantine_census *walked, acre_damage *d)
{
    acre__quarantine *q = h->quarantine, none = {0};
    q = q ? q : &none;
    bool right = walked->blocks == quarantine_count(q) && q->word >> 32 <= ACRE__QUARANTINE;
    for (uint32_t i = 0; right && i < quarantine_count(q); i++)
        right = quarantine_names(h, q, i);
    if (!right)
        return quarantine_damaged(d, "Q2 what is retired is what the ring names");
    return walked->bytes == q->bytes ? 0
                                     : quarantine_damaged(d, "Q3 bytes is the sum of what is kept");
}
