/* SPDX-License-Identifier: MIT */
/* judge.c: comparing a dead one's segment with what has to be there.  What a survivor
 * does with the heap then is in aftermath.c. */
#include "tests/crash/aftermath.h"

#include <stdlib.h>
#include <string.h>

/* ---- what is found ---- */

static bool judge_check(judge *j, acre_segment *s)
{
    acre_damage d = {0};
    int e = acre_heap_check(acre_segment_heap(s), &d);
    if (e)
        crash_wrong(j->c, j->b, CRASH_UNSOUND, "%s: %s at %llu", acre_strerror(e),
                    d.rule ? d.rule : "-", (unsigned long long)d.offset);
    return e == 0;
}

static bool judge_picture(judge *j, acre_segment *s)
{
    int e = picture_take(j->found, s);
    memcpy(j->slots_found, acre_segment_address(s, j->t->slots), sizeof j->slots_found);
    if (e)
        crash_wrong(j->c, j->b, CRASH_DOUBLED, "blocks overlap, or the walk fails: %s",
                    acre_strerror(e));
    return e == 0;
}

static bool judge_is_target(const judge *j, acre_off at)
{
    for (size_t i = 0; i < j->o->targets; i++)
        if (j->t->target[i] == at)
            return true;
    return false;
}

/* ---- all or nothing ---- */

static const acre_block *judge_next_used(const picture *p, size_t *i)
{
    while (*i < p->n && !p->block[*i].used)
        ++*i;
    return *i < p->n ? &p->block[(*i)++] : NULL;
}

/* The same live blocks. */
static bool judge_same(const picture *a, const picture *b)
{
    for (size_t i = 0, k = 0;;) {
        const acre_block *x = judge_next_used(a, &i), *y = judge_next_used(b, &k);
        if (!x || !y)
            return x == y;
        if (x->offset != y->offset || x->size != y->size)
            return false;
    }
}

/* The live block of *p that *b has become: the same, or one that its bytes lie in. */
static const acre_block *judge_around(const picture *p, const acre_block *b)
{
    for (size_t i = 0; i < p->n; i++)
        if (p->block[i].used && p->block[i].offset < b->offset + b->size &&
            p->block[i].offset + p->block[i].size > b->offset)
            return &p->block[i];
    return NULL;
}

static bool judge_all_was(const judge *j)
{
    return judge_same(j->found, j->was) &&
           !memcmp(j->slots_found, j->slots_was, sizeof j->slots_was);
}

static bool judge_all_will(const judge *j)
{
    return judge_same(j->found, j->will) &&
           !memcmp(j->slots_found, j->slots_will, sizeof j->slots_will);
}

/* ---- which blocks ---- */

/* A block that is held but not live would be handed out again. */
static bool judge_held(judge *j)
{
    for (size_t i = 0; i < j->was->n; i++) {
        const acre_block *b = &j->was->block[i], *f = picture_find(j->found, b->offset);
        bool there = f && f->used && f->size == b->size;
        if (b->used && !there && !judge_is_target(j, b->offset)) {
            crash_wrong(j->c, j->b, CRASH_DOUBLED, "the block at %llu is held, and free or changed",
                        (unsigned long long)b->offset);
            return false;
        }
    }
    return true;
}

/* A slot that names no live block. */
static bool judge_slots(judge *j)
{
    for (size_t i = 0; i < STAGE_SLOTS; i++) {
        const acre_block *f = picture_find(j->found, j->slots_found[i]);
        if (j->slots_found[i] && !(f && f->used)) {
            crash_wrong(j->c, j->b, CRASH_DOUBLED, "slot %zu names %llu, which is free", i,
                        (unsigned long long)j->slots_found[i]);
            return false;
        }
    }
    return true;
}

static bool judge_named(const judge *j, acre_off at)
{
    for (size_t i = 0; i < STAGE_SLOTS; i++)
        if (j->slots_found[i] == at)
            return true;
    return false;
}

/* Live blocks that neither were there before, nor are named by a slot. */
static bool judge_strangers(judge *j)
{
    j->strangers = 0;
    for (size_t i = 0; i < j->found->n; i++) {
        const acre_block *f = &j->found->block[i], *b = picture_find(j->was, f->offset);
        bool mine = b && b->used, grown = judge_around(j->was, f) != NULL;
        j->strangers += f->used && !mine && !grown && !judge_named(j, f->offset);
    }
    if (j->strangers <= j->o->hand)
        return true;
    crash_wrong(j->c, j->b, CRASH_LOST, "%zu live blocks are nobody's, %zu may be", j->strangers,
                j->o->hand);
    return false;
}

/* One step: before or after, and never back. */
static bool judge_atomic(judge *j)
{
    bool was = judge_all_was(j), will = judge_all_will(j);
    if (!(j->o->flags & OPERATION_ATOMIC))
        return true;
    if (!was && !will)
        crash_wrong(j->c, j->b, CRASH_UNSOUND, "neither before nor after the operation");
    else if (j->over && !will)
        crash_wrong(j->c, j->b, CRASH_LOST, "undone after it was found done");
    else {
        j->over |= !was;
        return true;
    }
    return false;
}

/* Whoever dies in the middle: each slot is as before or as after. */
static bool judge_blocks(judge *j)
{
    return judge_held(j) && judge_slots(j) && judge_strangers(j) && judge_atomic(j);
}

/* ---- contents ---- */

static const char *judge_found_at(const judge *j, acre_off at)
{
    return j->copy.bytes + at;
}

/* A block that was moved has its contents at its new start. */
static bool judge_moved(const judge *j, const acre_block *b)
{
    for (size_t i = 0; i < j->found->n; i++) {
        const acre_block *f = &j->found->block[i];
        const acre_block *old = picture_find(j->was, f->offset);
        bool fresh = f->used && f->size >= b->size && !(old && old->used);
        if (fresh && !memcmp(judge_found_at(j, f->offset), j->before + b->offset, b->size))
            return true;
    }
    return false;
}

/* As far as both its old and its new block own them. */
static bool judge_same_bytes(const judge *j, const acre_block *b, const acre_block *f)
{
    uint64_t from = b->offset > f->offset ? b->offset : f->offset;
    uint64_t to = b->offset + b->size, end = f->offset + f->size;
    to = to < end ? to : end;
    return !memcmp(judge_found_at(j, from), j->before + from, to - from);
}

static bool judge_target_contents(const judge *j, const acre_block *b)
{
    const acre_block *f = judge_around(j->found, b);
    if (j->o->flags & OPERATION_GIVES_UP)
        return true;
    if (j->o->flags & OPERATION_MOVES) {
        bool intact = f && f->offset == b->offset && judge_same_bytes(j, b, f);
        bool moving = f && f->offset < b->offset;
        return intact || moving || judge_moved(j, b);
    }
    return !f || judge_same_bytes(j, b, f);
}

static bool judge_contents(judge *j)
{
    for (size_t i = 0; i < j->was->n; i++) {
        const acre_block *b = &j->was->block[i];
        if (!b->used || b->offset == j->t->slots)
            continue;
        bool right =
            judge_is_target(j, b->offset) ? judge_target_contents(j, b) : judge_same_bytes(j, b, b);
        if (!right) {
            crash_wrong(j->c, j->b, CRASH_LOST, "the block at %llu has lost its contents",
                        (unsigned long long)b->offset);
            return false;
        }
    }
    return true;
}

/* ---- all of it ---- */

static acre_segment *judge_survivor(judge *j, const char *image)
{
    acre_segment *s = NULL;
    int e = corpse_open(&j->copy, image, &s);
    if (e)
        crash_wrong(j->c, j->b, CRASH_UNSOUND, "the segment cannot be opened: %s",
                    acre_strerror(e));
    return s;
}

bool judge_image(judge *j, const char *image, bool use_on)
{
    acre_segment *s = judge_survivor(j, image);
    bool good = s && judge_check(j, s) && judge_picture(j, s) && judge_blocks(j) &&
                judge_contents(j) && aftermath(j, s, use_on);
    acre_segment_close(s);
    return good;
}

/* The operation done whole, on a copy: the algorithms are deterministic. */
static void judge_foresee(judge *j)
{
    stage other = *j->t;
    if (corpse_open(&j->copy, j->before, &other.s) != 0)
        crash_give_up("%s: a copy cannot be opened", j->t->algorithm->name);
    other.h = acre_segment_heap(other.s);
    j->o->run(&other);
    if (picture_take(j->will, other.s) != 0)
        crash_give_up("%s: a heap cannot be walked", j->t->algorithm->name);
    memcpy(j->slots_will, stage_slot(&other, 0), sizeof j->slots_will);
    acre_segment_close(other.s);
}

static void judge_allocate(judge *j)
{
    j->copy = corpse_new(STAGE_SIZE);
    j->before = malloc(STAGE_SIZE);
    j->was = malloc(4 * sizeof *j->was);
    if (!j->before || !j->was)
        crash_give_up("no memory");
    j->will = j->was + 1;
    j->found = j->was + 2;
    j->fresh = j->was + 3;
}

judge judge_open(const crash_case *c, crash_board *b, const stage *t, const operation *o,
                 uint64_t seed)
{
    judge j = {.c = c, .b = b, .t = t, .o = o, .seed = seed};
    judge_allocate(&j);
    memcpy(j.before, acre_segment_base(t->s), STAGE_SIZE);
    if (picture_take(j.was, t->s) != 0)
        crash_give_up("%s: a heap cannot be walked", t->algorithm->name);
    memcpy(j.slots_was, stage_slot(t, 0), sizeof j.slots_was);
    aftermath_fresh(&j);
    judge_foresee(&j);
    return j;
}

void judge_close(judge *j)
{
    corpse_free(&j->copy);
    free(j->before);
    free(j->was);
}
