/* SPDX-License-Identifier: MIT */
/* aftermath.c: a recovered heap has to work.
 *
 *   found blocks ──adopted──▶ ledger ──▶ 1,000 operations ──▶ all freed ──▶ free_empty() ──▶ as new?
 *                               ▲  │
 *                        alloc ─┘  └─ free, after a look at the contents
 *
 * What is as new: the walk shows the free blocks of a heap that was never used.  For most that is one
 * block; buddies have a few. */
#include "tests/crash/aftermath.h"

#include <string.h>

enum { AFTER_OPERATIONS = 1000, AFTER_BLOCKS = PICTURE_BLOCKS, AFTER_WORKING = 24 };

/* A live block.  New ones hold a byte all over, adopted ones what they held when they were found. */
typedef struct after_block {
    void *p;
    size_t size;
    bool adopted;
    unsigned char byte;
} after_block;

typedef struct after_ledger {
    judge *j;
    acre_segment *s;
    acre_heap *h;
    size_t n, adopted;
    char found[STAGE_SIZE]; /* the segment when the blocks were adopted */
    after_block block[AFTER_BLOCKS];
} after_ledger;

static after_ledger after_now;

/* ---- the ledger ---- */

static bool after_wrong(const after_ledger *l, enum crash_wrong what, const char *text)
{
    crash_wrong(l->j->c, l->j->b, what, "afterwards: %s", text);
    return false;
}

static void after_adopt(after_ledger *l)
{
    const picture *p = l->j->found;
    l->n = 0;
    memcpy(l->found, acre_segment_base(l->s), sizeof l->found);
    for (size_t i = 0; i < p->n; i++)
        if (p->block[i].used)
            l->block[l->n++] = (after_block){acre_segment_address(l->s, p->block[i].offset),
                                             p->block[i].size, true, 0};
    l->adopted = l->n;
}

static bool after_intact(const after_ledger *l, const after_block *a)
{
    const unsigned char *at = a->p;
    if (a->adopted)
        return !memcmp(at, l->found + acre_segment_offset(l->s, at), a->size);
    for (size_t i = 0; i < a->size; i++)
        if (at[i] != a->byte)
            return false;
    return true;
}

static bool after_free(after_ledger *l, size_t i)
{
    after_block a = l->block[i];
    l->block[i] = l->block[--l->n];
    if (!after_intact(l, &a))
        return after_wrong(l, CRASH_DOUBLED, "a live block's contents were changed");
    if (acre_free(l->h, a.p) != 0)
        return after_wrong(l, CRASH_UNSOUND, "a live block cannot be freed");
    return true;
}

static bool after_alloc(after_ledger *l, size_t size)
{
    uint64_t *seed = &l->j->seed;
    size_t align = (size_t)ACRE_ALIGN_MIN << (crash_below(seed, 8) ? 0 : crash_below(seed, 6));
    void *p = acre_alloc_aligned(l->h, size, align);
    if (!p)
        return true;
    unsigned char byte = (unsigned char)crash_random(seed);
    if (l->n == AFTER_BLOCKS || acre_usable_size(l->h, p) < size)
        return after_wrong(l, CRASH_UNSOUND, "a new block is smaller than asked for");
    memset(p, byte, size);
    l->block[l->n++] = (after_block){p, size, false, byte};
    return true;
}

/* ---- what the survivor does ---- */

static bool after_one(after_ledger *l)
{
    uint64_t *seed = &l->j->seed;
    bool full = l->n >= l->adopted + AFTER_WORKING;
    if (!full && crash_below(seed, 2))
        return after_alloc(l, 1 + crash_below(seed, crash_below(seed, 4) ? 200 : 1500));
    return l->n == 0 || after_free(l, crash_below(seed, l->n));
}

static bool after_use(after_ledger *l)
{
    for (int i = 0; i < AFTER_OPERATIONS; i++)
        if (!after_one(l))
            return false;
    acre_damage d = {0};
    return acre_heap_check(l->h, &d) == 0 ||
           after_wrong(l, CRASH_UNSOUND, d.rule ? d.rule : "the check fails");
}

static bool after_free_all(after_ledger *l)
{
    while (l->n)
        if (!after_free(l, l->n - 1))
            return false;
    (void)acre_heap_free_empty(l->h);
    return true;
}

/* ---- as new? ---- */

static bool after_same(const picture *a, const picture *b)
{
    if (a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++)
        if (a->block[i].offset != b->block[i].offset || a->block[i].size != b->block[i].size ||
            a->block[i].used != b->block[i].used)
            return false;
    return true;
}

/* Threads leave their parts of the heap behind, for the next: then the free blocks cannot be the same,
 * but what is not free must be the algorithm's own. */
static uint64_t after_whole(const picture *p, uint64_t overhead)
{
    for (size_t i = 0; i < p->n; i++)
        overhead += p->block[i].used ? UINT32_MAX : p->block[i].total;
    return overhead;
}

static bool after_as_new(after_ledger *l)
{
    acre_stats s;
    if (!l->j->t->algorithm->detach)
        return after_same(l->j->found, l->j->fresh);
    return acre_heap_stats(l->h, &s) == 0 &&
           after_whole(l->j->found, s.overhead) == l->j->fresh_whole;
}

static bool after_is_new(after_ledger *l)
{
    if (acre_heap_check(l->h, NULL) != 0 || picture_take(l->j->found, l->s) != 0)
        return after_wrong(l, CRASH_UNSOUND, "the check of the empty heap fails");
    if (!after_as_new(l))
        return after_wrong(l, CRASH_LOST, "all is freed, but the heap is not as new");
    return true;
}

bool aftermath(judge *j, acre_segment *s, bool use_on)
{
    after_ledger *l = &after_now;
    l->j = j;
    l->s = s;
    l->h = acre_segment_heap(s);
    after_adopt(l);
    return (!use_on || after_use(l)) && after_free_all(l) && after_is_new(l);
}

void aftermath_fresh(judge *j)
{
    stage t = stage_open(j->t->algorithm);
    if (acre_free(t.h, acre_segment_address(t.s, t.slots)) != 0)
        crash_give_up("%s: a block cannot be freed", t.algorithm->name);
    (void)acre_heap_free_empty(t.h);
    if (picture_take(j->fresh, t.s) != 0)
        crash_give_up("%s: a heap cannot be walked", t.algorithm->name);
    acre_stats s;
    if (acre_heap_stats(t.h, &s) == 0)
        j->fresh_whole = after_whole(j->fresh, s.overhead);
    stage_close(&t);
}
