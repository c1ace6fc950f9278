/* SPDX-License-Identifier: MIT */
/* states.c: the heaps that operations are done to.  That each of them is what its name says is looked up
 * in the heap's walk, for any algorithm, before it is used:
 *
 *   empty      nothing is live but the slots and the targets
 *   fragmented at least 8 free blocks, none of them half of the free memory: every second block of a
 *              full heap of mixed sizes was freed, also those beside the first target
 *   full       "nearly full": at most a sixteenth of the segment is free, and that in small pieces
 *   exact      one free block, next to the target, is exactly as large as what is asked for, and no
 *              other one is as large
 *   coalesce   the blocks in front of and behind the target are free
 *
 *   exact      │ held │ target │ hole │ held │ …     coalesce   │ held │ hole │ target │ hole │ held │
 */
#include "tests/crash/stage.h"

#include <string.h>

enum { STATE_CRUMB = 8 };

static picture state_picture;

static const picture *state_look(const stage *t)
{
    if (picture_take(&state_picture, t->s) != 0)
        crash_give_up("%s: a heap cannot be walked before anything has happened",
                      t->algorithm->name);
    return &state_picture;
}

#define STATE_IS(t, cond)                                                                          \
    ((cond) ? (void)0                                                                              \
            : crash_give_up("%s, size %zu: the state is not what it is called: %s",                \
                            (t)->algorithm->name, (t)->size, #cond))

/* ---- filling and freeing ---- */

/* Not zero: what is free later was in use. */
static void *state_alloc(stage *t, size_t size)
{
    void *p = acre_alloc(t->h, size);
    return p ? memset(p, 0xa5, size) : NULL;
}

static void state_fill(stage *t, size_t size)
{
    while (state_alloc(t, size))
        ;
}

/* Until nothing is free that could hold a block: large pieces first, so that it takes few. */
static void state_fill_up(stage *t)
{
    for (size_t size = 1024; size >= STATE_CRUMB; size /= 2)
        state_fill(t, size);
}

static void state_free(stage *t, acre_off at)
{
    if (acre_free(t->h, acre_segment_address(t->s, at)) != 0)
        crash_give_up("%s: a live block cannot be freed", t->algorithm->name);
}

/* A full heap: more than half of it blocks of the size asked for, so many that pools come into being,
 * the rest mixed. */
static void state_crowd(stage *t, uint64_t *seed, size_t most)
{
    for (size_t left = STAGE_SIZE / 2; left >= t->size + STATE_CRUMB; left -= t->size + STATE_CRUMB)
        if (!state_alloc(t, t->size))
            break;
    while (state_alloc(t, crash_below(seed, 2) ? t->size : 1 + crash_below(seed, most)))
        ;
    state_fill_up(t);
}

/* ---- targets ---- */

static bool state_is_target(const stage *t, acre_off at)
{
    for (size_t i = 0; i < t->targets; i++)
        if (t->target[i] == at)
            return true;
    return false;
}

static bool state_like(const stage *t, const acre_block *b, size_t usable)
{
    return b->used && b->size == usable && b->offset != t->slots;
}

static size_t state_count(const stage *t, const picture *p, size_t usable)
{
    size_t n = 0;
    for (size_t i = 0; i < p->n; i++)
        n += state_like(t, &p->block[i], usable);
    return n;
}

/* What most blocks of the size asked for have: an algorithm may have several ways to serve it. */
static size_t state_usable(const stage *t)
{
    const picture *p = state_look(t);
    size_t best = 0;
    for (size_t i = 0; i < p->n; i++) {
        size_t size = p->block[i].size;
        if (size >= t->size && size < 2 * t->size && size != best &&
            state_count(t, p, size) > state_count(t, p, best))
            best = size;
    }
    STATE_IS(t, best != 0);
    return best;
}

/* One of that size, anywhere, that is no target. */
static acre_off state_pick(const stage *t, size_t usable, uint64_t *seed)
{
    const picture *p = state_look(t);
    for (int tries = 0; tries < 100000; tries++) {
        const acre_block *b = &p->block[crash_below(seed, p->n)];
        if (state_like(t, b, usable) && !state_is_target(t, b->offset))
            return b->offset;
    }
    crash_give_up("%s, size %zu: no block is like the target", t->algorithm->name, t->size);
}

/* Neighbours behind the first target become targets, then others. */
static void state_target_neighbours(stage *t, size_t usable, uint64_t *seed)
{
    const picture *p = state_look(t);
    for (const acre_block *b = picture_find(p, t->target[0]); b < p->block + p->n; b++)
        if (t->targets < STAGE_TARGETS - 1 && state_like(t, b, usable) &&
            !state_is_target(t, b->offset))
            t->target[t->targets++] = b->offset;
    while (t->targets < STAGE_TARGETS)
        t->target[t->targets++] = state_pick(t, usable, seed);
}

static void state_target_any(stage *t, size_t usable, uint64_t *seed)
{
    while (t->targets < STAGE_TARGETS)
        t->target[t->targets++] = state_pick(t, usable, seed);
}

/* Bytes of the block next to it, if that is free and they touch. */
static size_t state_free_beside(const picture *p, size_t i, int way)
{
    if ((way < 0 && i == 0) || (way > 0 && i + 1 == p->n))
        return 0;
    const acre_block *low = &p->block[way < 0 ? i - 1 : i], *high = low + 1;
    const acre_block *other = way < 0 ? low : high;
    return !other->used && low->offset + low->total == high->offset ? other->total : 0;
}

static void state_measure(stage *t)
{
    const picture *p = state_look(t);
    size_t i = (size_t)(picture_find(p, t->target[0]) - p->block);
    t->front = state_free_beside(p, i, -1);
    t->behind = state_free_beside(p, i, 1);
}

/* ---- states ---- */

/* The first target is the last block: there is room behind it. */
static void state_empty(stage *t, unsigned flags, uint64_t *seed)
{
    size_t used = 0;
    (void)flags;
    (void)seed;
    for (t->targets = STAGE_TARGETS; used < STAGE_TARGETS; used++)
        t->target[STAGE_TARGETS - 1 - used] = acre_segment_offset(t->s, state_alloc(t, t->size));
    const picture *p = state_look(t);
    for (size_t i = used = 0; i < p->n; i++)
        used += p->block[i].used;
    STATE_IS(t, used == 1 + STAGE_TARGETS);
}

/* The targets stay, and the slots; what is beside the first target goes. */
static void state_free_every_second(stage *t)
{
    static picture p;
    p = *state_look(t);
    size_t first = (size_t)(picture_find(&p, t->target[0]) - p.block);
    for (size_t i = (first + 1) % 2; i < p.n; i += 2)
        if (p.block[i].used && p.block[i].offset != t->slots &&
            !state_is_target(t, p.block[i].offset))
            state_free(t, p.block[i].offset);
}

static void state_fragmented(stage *t, unsigned flags, uint64_t *seed)
{
    acre_stats s;
    (void)flags;
    state_crowd(t, seed, 600);
    state_target_any(t, state_usable(t), seed);
    state_free_every_second(t);
    STATE_IS(t, acre_heap_stats(t->h, &s) == 0);
    STATE_IS(t, s.free_blocks >= 8 && s.largest_free * 2 <= s.free_usable);
}

static void state_full(stage *t, unsigned flags, uint64_t *seed)
{
    acre_stats s;
    (void)flags;
    state_crowd(t, seed, 200);
    size_t usable = state_usable(t);
    t->target[t->targets++] = state_pick(t, usable, seed);
    state_target_neighbours(t, usable, seed);
    state_free(t, state_pick(t, usable, seed));
    state_free(t, state_pick(t, usable, seed));
    STATE_IS(t, acre_heap_stats(t->h, &s) == 0 && s.free_bytes * 16 <= STAGE_SIZE);
}

/* Three neighbours of the size asked for: the one in the middle. */
static const acre_block *state_row(const stage *t, size_t usable, uint64_t *seed)
{
    const picture *p = state_look(t);
    for (int tries = 0; tries < 100000; tries++) {
        const acre_block *b = &p->block[1 + crash_below(seed, p->n - 2)];
        if (state_like(t, b - 1, usable) && state_like(t, b, usable) &&
            state_like(t, b + 1, usable) && b[-1].offset + b->total == b->offset &&
            b->offset + b->total == b[1].offset)
            return b;
    }
    crash_give_up("%s, size %zu: there are no three neighbours", t->algorithm->name, t->size);
}

/* Nothing but blocks of the size, and crumbs; what is in front of and behind the first target. */
static size_t state_alike(stage *t, acre_off beside[2], uint64_t *seed)
{
    state_fill(t, t->size);
    state_fill_up(t);
    size_t usable = state_usable(t);
    const acre_block *b = state_row(t, usable, seed);
    beside[0] = b[-1].offset;
    beside[1] = b[1].offset;
    t->target[t->targets++] = b->offset;
    return usable;
}

static void state_exact_is(stage *t, acre_off hole, size_t usable)
{
    const picture *p = state_look(t);
    for (size_t i = 0; i < p->n; i++)
        if (p->block[i].offset == hole)
            STATE_IS(t, !p->block[i].used && p->block[i].size == usable);
        else
            STATE_IS(t, p->block[i].used || p->block[i].size < usable);
    STATE_IS(t, picture_find(p, hole) != NULL);
}

static void state_exact(stage *t, unsigned flags, uint64_t *seed)
{
    acre_off beside[2];
    size_t usable = state_alike(t, beside, seed);
    acre_off hole = beside[flags & STATE_HOLE_IN_FRONT ? 0 : 1];
    state_free(t, hole);
    state_target_neighbours(t, usable, seed);
    state_exact_is(t, hole, usable);
    state_measure(t);
    STATE_IS(t, t->front || t->behind);
}

static void state_coalesce(stage *t, unsigned flags, uint64_t *seed)
{
    acre_off beside[2];
    (void)flags;
    size_t usable = state_alike(t, beside, seed);
    state_free(t, beside[0]);
    state_free(t, beside[1]);
    state_target_neighbours(t, usable, seed);
    state_measure(t);
    STATE_IS(t, t->front && t->behind);
}

const stage_state stage_states[] = {
    {"empty", state_empty}, {"fragmented", state_fragmented}, {"full", state_full},
    {"exact", state_exact}, {"coalesce", state_coalesce},     {NULL, NULL},
};

/* ---- making one ---- */

static void state_scribble(const stage *t, uint64_t *seed)
{
    const picture *p = state_look(t);
    for (size_t i = 0; i < p->n; i++) {
        unsigned char *at = acre_segment_address(t->s, p->block[i].offset);
        if (p->block[i].used && p->block[i].offset != t->slots)
            for (size_t k = 0; k < p->block[i].size; k++)
                at[k] = (unsigned char)crash_random(seed);
    }
}

stage stage_make(const acre_algorithm *a, const stage_state *state, size_t size, unsigned flags,
                 uint64_t *seed)
{
    stage t = stage_open(a);
    t.size = size;
    state->make(&t, flags, seed);
    state_measure(&t);
    state_scribble(&t, seed);
    return t;
}
