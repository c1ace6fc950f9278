/* SPDX-License-Identifier: MIT */
/* checked.c: checking levels 2 and 3, for every algorithm: methods that stand between the layer above and
 * the algorithm's, and put a guard (guard.h) behind each block.
 *
 *   acre_alloc ─▶ h->algorithm ─▶ checked_alloc ─▶ h->inner ─▶ alloc      checks=2, checks=3
 *   acre_alloc ─▶ h->algorithm = h->inner ─────────────────▶ alloc        checks=0, checks=1
 *
 * Which of the two is decided when the heap is attached, so that heaps without guards pay nothing.
 *
 * A block is freed in three steps, under one hold of the lock: it goes into the quarantine, is
 * overwritten, and goes back to the algorithm, at once (checks=2) or later (checks=3).
 *
 * Killed in the middle.  The guard's words are noted as the algorithm's own are: a roll back brings back
 * guard and block together.  What was in a freed block is overwritten after the first step: a block that
 * comes back with its contents (acre_free_from) has them.
 *
 * Costs: 8 to 15 bytes a block, two hashes a call, and writing over what is freed.
 */
#include "alloc/checked.h"

#include <errno.h>
#include <string.h>

/* The handle that a region is part of: every method is called with the handle's own. */
static acre_heap *checked_heap(const acre_region *r)
{
    return (acre_heap *)((char *)(uintptr_t)r - offsetof(acre_heap, region));
}

/* ---- allocating and freeing ---- */

static void *checked_take(acre_heap *h, size_t size, size_t align)
{
    void *p = h->inner->alloc(&h->region, guard_room_for(size), align);
    while (!p && acre__quarantine_pop(h, NULL))
        p = h->inner->alloc(&h->region, guard_room_for(size), align);
    return p;
}

static void *checked_alloc(acre_region *r, size_t size, size_t align)
{
    acre_heap *h = checked_heap(r);
    size += !size;
    void *p = checked_take(h, size, align);
    if (p)
        guard_write(h, p, h->inner->usable(r, p), size);
    return p;
}

static size_t checked_usable(const acre_region *r, const void *p)
{
    guard g = guard_at(checked_heap(r), p);
    return g.state == GUARD_LIVE ? g.size : 0;
}

/* What the algorithm may overwrite unnoted when it frees: of that, a roll back needs the canary. */
static void checked_note_canary(const acre_heap *h, const guard *g)
{
    uint64_t *word = (uint64_t *)g->p + g->size / GUARD_WORD;
    uint64_t *end = (uint64_t *)(g->p + h->inner->free_clobbers);
    for (; h->region.journal && word < end && word < g->tail; word++)
        acre_note(&h->region, word, *word, 0);
}

int acre__checked_release(acre_heap *h, const guard *g)
{
    checked_note_canary(h, g);
    acre_set64(&h->region, g->tail, GUARD_DEAD);
    return h->inner->free(&h->region, g->p);
}

/* Why a block cannot be used.  What is kept was freed, whatever became of its guard. */
static int checked_error(const acre_heap *h, const guard *g)
{
    if (g->state == GUARD_LIVE)
        return 0;
    return g->state == GUARD_BROKEN && !acre__quarantine_holds(h, g) ? ACRE_EOVERRUN
                                                                     : ACRE_EINVALID;
}

int acre__checked_judge(const acre_heap *h, const void *p)
{
    guard g = guard_at(h, p);
    return checked_error(h, &g);
}

/* Part of a step: a roll back gives the block back as it was, so nothing of the user's is touched. */
static int checked_free(acre_region *r, void *p)
{
    acre_heap *h = checked_heap(r);
    size_t usable = h->inner->usable(r, p);
    guard g = guard_of(h, p, usable);
    int e = checked_error(h, &g);
    if (e || !h->quarantine)
        return e;
    return acre__quarantine_push(h, &g, usable) ? 0 : acre__checked_release(h, &g);
}

/* Behind the commit of the step that freed p: its contents are nobody's. */
int acre__checked_settle(acre_heap *h, void *p)
{
    guard g = guard_at(h, p);
    return g.state == GUARD_RETIRED ? acre__quarantine_settle(h, &g) : 0;
}

/* A step of its own. */
static int checked_free_now(acre_region *r, void *p)
{
    int e = checked_free(r, p);
    if (e)
        return e;
    acre_commit(r);
    return acre__checked_settle(checked_heap(r), p);
}

/* ---- resizing ---- */

static void *checked_resize_inner(acre_heap *h, void *p, acre_resize_command *c)
{
    return h->inner->resize ? h->inner->resize(&h->region, p, c) : NULL;
}

/* The end that is given up goes back as far as the algorithm can use it; the rest becomes slack. */
static void *checked_shrink(acre_heap *h, const guard *g, acre_resize_command *c)
{
    size_t wish = c->preferred + !c->preferred, usable = h->inner->usable(&h->region, g->p);
    acre_resize_command one = {
        .flags = ACRE_SHRINK, .limit = usable, .preferred = guard_room_for(wish)};
    c->received = wish < g->size ? wish : g->size;
    if (wish > g->size || wish > c->limit)
        return NULL;
    if (c->flags & ACRE_TRY_SHRINK)
        return g->p;
    checked_resize_inner(h, g->p, &one);
    c->received = guard_write(h, g->p, h->inner->usable(&h->region, g->p), wish);
    return g->p;
}

/* The block's start may have moved down; its data end where they ended. */
static void *checked_enlarged(acre_heap *h, const guard *g, char *q, acre_resize_command *c)
{
    size_t usable = h->inner->usable(&h->region, q), most = guard_most(usable);
    size_t data = (size_t)(g->p - q) + g->size, wish = c->preferred > data ? c->preferred : data;
    c->received = guard_write(h, q, usable, wish < most ? wish : most);
    return q;
}

static void *checked_enlarge(acre_heap *h, const guard *g, acre_resize_command *c)
{
    acre_resize_command one = *c, again;
    if ((c->flags & ACRE_FORWARDS) && c->preferred <= (size_t)((char *)g->tail - g->p))
        return checked_enlarged(h, g, g->p, c);
    one.limit = guard_room_for(c->limit);
    one.preferred = guard_room_for(c->preferred);
    again = one;
    char *q = checked_resize_inner(h, g->p, &one);
    if (!q && acre__quarantine_drain(h))
        q = checked_resize_inner(h, g->p, (one = again, &one));
    if (q)
        return checked_enlarged(h, g, q, c);
    c->received = one.received >= GUARD_LEAST ? guard_most(one.received) : 0;
    return NULL;
}

static void *checked_resize(acre_region *r, void *p, acre_resize_command *c)
{
    acre_heap *h = checked_heap(r);
    guard g = guard_at(h, p);
    if (g.state != GUARD_LIVE)
        return NULL;
    return c->flags & (ACRE_SHRINK | ACRE_TRY_SHRINK) ? checked_shrink(h, &g, c)
                                                      : checked_enlarge(h, &g, c);
}

/* ---- looking ---- */

typedef struct checked_visitor {
    const acre_heap *heap;
    acre_visit *visit;
    void *arg;
} checked_visitor;

static bool checked_is_kept(const acre_heap *h, const guard *g)
{
    return g->state == GUARD_RETIRED || g->state == GUARD_FILLED ||
           (g->state == GUARD_BROKEN && acre__quarantine_holds(h, g));
}

/* Users own what they asked for; what is kept in the quarantine is not live. */
static int checked_show(void *arg, const acre_block *b)
{
    const checked_visitor *v = arg;
    acre_block shown = *b;
    if (b->used) {
        guard g = guard_of(v->heap, v->heap->region.base + b->offset, b->size);
        shown.used = !checked_is_kept(v->heap, &g);
        shown.size = shown.used && g.size ? g.size : b->size;
    }
    return v->visit(v->arg, &shown);
}

static int checked_walk(const acre_region *r, acre_visit *visit, void *arg)
{
    acre_heap *h = checked_heap(r);
    return h->inner->walk(r, checked_show, &(checked_visitor){h, visit, arg});
}

typedef struct checked_finder {
    const acre_heap *heap;
    acre_damage *damage;
    quarantine_census kept;
} checked_finder;

static int checked_found(const checked_finder *f, const acre_block *b, int error, const char *rule)
{
    *f->damage = (acre_damage){.offset = b->offset, .rule = rule};
    return error;
}

static int checked_look_at(void *arg, const acre_block *b)
{
    checked_finder *f = arg;
    if (!b->used)
        return 0;
    guard g = guard_of(f->heap, f->heap->region.base + b->offset, b->size);
    if (g.state == GUARD_LIVE)
        return 0;
    if (!checked_is_kept(f->heap, &g))
        return checked_found(f, b, ACRE_EOVERRUN, "C1 a live block's tail and canary are right");
    f->kept.blocks++;
    f->kept.bytes += b->size;
    if (g.state == GUARD_BROKEN || (g.state == GUARD_FILLED && !acre__quarantine_intact(&g)))
        return checked_found(f, b, ACRE_EUSEDFREED, "Q1 a filled block holds the pattern");
    return 0;
}

static int checked_check(const acre_region *r, acre_damage *d)
{
    acre_heap *h = checked_heap(r);
    checked_finder f = {.heap = h, .damage = d};
    int e = h->inner->check(r, d);
    if (!e)
        e = h->inner->walk(r, checked_look_at, &f);
    return e ? e : acre__quarantine_check(h, &f.kept, d);
}

/* ---- what would not reach the memory that is kept ---- */

static size_t checked_shrink_region(acre_region *r, size_t size)
{
    acre__quarantine_drain(checked_heap(r));
    return checked_heap(r)->inner->shrink(r, size);
}

static void checked_zero_free(acre_region *r)
{
    acre__quarantine_drain(checked_heap(r));
    checked_heap(r)->inner->zero_free(r);
}

static uint64_t checked_free_bytes(const acre_region *r)
{
    acre_stats s = {0};
    checked_heap(r)->inner->stats(r, &s);
    return s.free_bytes;
}

static size_t checked_free_empty(acre_region *r)
{
    uint64_t before = checked_free_bytes(r);
    acre__quarantine_drain(checked_heap(r));
    if (checked_heap(r)->inner->free_empty)
        checked_heap(r)->inner->free_empty(r);
    return checked_free_bytes(r) - before;
}

static void checked_keep_some(acre_heap *h)
{
    acre_algorithm *a = &h->checked;
    a->shrink = a->shrink ? checked_shrink_region : NULL;
    a->zero_free = a->zero_free ? checked_zero_free : NULL;
    a->free_empty = checked_free_empty;
}

/* Many blocks at once are made one by one: the guard of each belongs to its step. */
void acre__checked_attach(acre_heap *h)
{
    acre_algorithm *a = &h->checked;
    *a = *h->inner;
    a->alloc = checked_alloc;
    a->free = checked_free;
    a->usable = checked_usable;
    a->resize = checked_resize;
    a->walk = checked_walk;
    a->check = checked_check;
    a->alloc_many = NULL;
    a->free_many = NULL;
    if (h->quarantine)
        checked_keep_some(h);
    h->algorithm = a;
    h->free = checked_free_now;
}
