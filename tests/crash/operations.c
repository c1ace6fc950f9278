/* SPDX-License-Identifier: MIT */
#include "tests/crash/operations.h"

enum { OPERATION_MANY = 4, OPERATION_EQUAL = 6, OPERATION_ALIGN = 64 };

/* ---- allocating ---- */

static void run_alloc(stage *t)
{
    (void)!acre_alloc(t->h, t->size);
}

/* So small that it fits into an exact hole, with a rest in front of and behind it. */
static void run_alloc_aligned(stage *t)
{
    (void)!acre_alloc_aligned(t->h, t->size / 4, OPERATION_ALIGN);
}

static void run_alloc_into(stage *t)
{
    (void)acre_alloc_into(t->h, stage_slot(t, 0), t->size);
}

static void run_alloc_many(stage *t)
{
    size_t sizes[OPERATION_MANY] = {t->size, t->size / 2, 8, t->size};
    void *out[OPERATION_MANY];
    (void)acre_alloc_many(t->h, OPERATION_MANY, sizes, 0, out);
}

static void run_alloc_many_equal(stage *t)
{
    void *out[OPERATION_EQUAL];
    (void)acre_alloc_many(t->h, OPERATION_EQUAL, NULL, t->size, out);
}

static void run_alloc_many_into(stage *t)
{
    size_t sizes[OPERATION_MANY] = {t->size, t->size / 2, 8, t->size};
    (void)acre_alloc_many_into(t->h, OPERATION_MANY, sizes, 0, stage_slot(t, 0));
}

/* ---- freeing ---- */

static void run_free(stage *t)
{
    (void)acre_free(t->h, stage_block(t, 0));
}

static void prepare_published(stage *t)
{
    *stage_slot(t, 0) = t->target[0];
}

static void run_free_from(stage *t)
{
    (void)acre_free_from(t->h, stage_slot(t, 0));
}

static void run_free_many(stage *t)
{
    void *blocks[STAGE_TARGETS];
    for (size_t i = 0; i < STAGE_TARGETS; i++)
        blocks[i] = stage_block(t, i);
    (void)acre_free_many(t->h, STAGE_TARGETS, blocks);
}

/* ---- resizing ---- */

static void operation_grow(stage *t, uint32_t flags, size_t more)
{
    void *p = stage_block(t, 0);
    size_t had = acre_usable_size(t->h, p);
    acre_resize_command c = {.flags = flags, .limit = had + 1, .preferred = had + more};
    (void)acre_resize(t->h, p, &c, NULL);
}

/* Exactly the free block there, or half the size if there is none. */
static size_t operation_more(const stage *t, size_t there)
{
    return there ? there : t->size / 2 + 1;
}

static void run_forwards(stage *t)
{
    operation_grow(t, ACRE_FORWARDS, operation_more(t, t->behind));
}

static void run_backwards(stage *t)
{
    operation_grow(t, ACRE_BACKWARDS, operation_more(t, t->front));
}

/* All but a little of the front, so that a rest has to be cut off it. */
static void run_backwards_part(stage *t)
{
    operation_grow(t, ACRE_BACKWARDS, operation_more(t, t->front / 3));
}

static void run_both(stage *t)
{
    operation_grow(t, ACRE_FORWARDS | ACRE_BACKWARDS, operation_more(t, t->front + t->behind));
}

static void run_shrink(stage *t)
{
    void *p = stage_block(t, 0);
    size_t had = acre_usable_size(t->h, p);
    acre_resize_command c = {.flags = ACRE_SHRINK, .limit = had, .preferred = had / 2};
    (void)acre_resize(t->h, p, &c, NULL);
}

static void run_realloc(stage *t)
{
    void *p = stage_block(t, 0);
    (void)!acre_realloc(t->h, p, acre_usable_size(t->h, p) + t->size);
}

/* ---- all of the heap ---- */

static void run_zero_free(stage *t)
{
    (void)acre_heap_zero_free(t->h);
}

static void run_free_empty(stage *t)
{
    (void)acre_heap_free_empty(t->h);
}

static bool can_resize(const acre_algorithm *a)
{
    return a->resize != NULL;
}

static bool can_zero_free(const acre_algorithm *a)
{
    return a->zero_free != NULL;
}

static bool can_free_empty(const acre_algorithm *a)
{
    return a->free_empty != NULL;
}

/* So that there is something to give back: whole pools of blocks, all freed. */
static void prepare_free_empty(stage *t)
{
    static picture p;
    while (acre_alloc(t->h, t->size))
        ;
    if (picture_take(&p, t->s) != 0)
        crash_give_up("%s: a heap cannot be walked", t->algorithm->name);
    for (size_t i = 0; i < p.n; i++)
        if (p.block[i].used && p.block[i].size < 2 * t->size && p.block[i].offset != t->slots)
            (void)acre_free(t->h, acre_segment_address(t->s, p.block[i].offset));
}

enum { ATOMIC = OPERATION_ATOMIC, BACKWARDS = OPERATION_ATOMIC | OPERATION_BACKWARDS };

const operation operations[] = {
    {"alloc", run_alloc, ATOMIC, 1, 0, NULL, NULL},
    {"alloc_aligned", run_alloc_aligned, ATOMIC, 1, 0, NULL, NULL},
    {"alloc_into", run_alloc_into, ATOMIC | OPERATION_TYPICAL, 0, 0, NULL, NULL},
    {"alloc_many", run_alloc_many, 0, OPERATION_MANY, 0, NULL, NULL},
    {"alloc_many_equal", run_alloc_many_equal, 0, OPERATION_EQUAL, 0, NULL, NULL},
    {"alloc_many_into", run_alloc_many_into, ATOMIC | OPERATION_TYPICAL, 0, 0, NULL, NULL},
    {"free", run_free, ATOMIC | OPERATION_GIVES_UP, 0, 1, NULL, NULL},
    {"free_from", run_free_from, ATOMIC | OPERATION_TYPICAL, 0, 1, prepare_published, NULL},
    {"free_many", run_free_many, OPERATION_GIVES_UP, 0, STAGE_TARGETS, NULL, NULL},
    {"resize_forwards", run_forwards, ATOMIC, 0, 1, NULL, can_resize},
    {"resize_backwards", run_backwards, BACKWARDS, 0, 1, NULL, can_resize},
    {"resize_backwards_part", run_backwards_part, BACKWARDS, 0, 1, NULL, can_resize},
    {"resize_both", run_both, ATOMIC | OPERATION_TYPICAL, 0, 1, NULL, can_resize},
    {"resize_shrink", run_shrink, ATOMIC, 0, 1, NULL, can_resize},
    {"realloc", run_realloc, OPERATION_MOVES, 1, 1, NULL, NULL},
    {"zero_free", run_zero_free, ATOMIC | OPERATION_LONG, 0, 0, NULL, can_zero_free},
    {"free_empty", run_free_empty, ATOMIC, 0, 0, prepare_free_empty, can_free_empty},
    {.name = NULL},
};
