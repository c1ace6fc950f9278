/* SPDX-License-Identifier: MIT */
/* double.c: the survivor dies as well, at every instruction of its recovery.
 *
 *   victim     ▏ ▏ ▏ ▏▏ ▏ ▏▏ ▏     the last image in which something is to be rolled back
 *                         │
 *                         ▼
 *   rescuer              ▏ ▏▏ ▏ ▏▏ ▏   enters the heap, instruction by instruction
 *                           │ each
 *                           ▼
 *   the next one      recovers, and is judged: the heap as before the victim's call
 *
 * A recovery goes over all blocks, so it is long: one stage an operation, in one of the states and of one
 * of the sizes in turn.  With --state all operations are tried in that one. */
#include "tests/crash/judge.h"
#include "tests/crash/victim.h"

#include <string.h>
#include <unistd.h>

enum {
    DOUBLE_SECONDS = 20, /* for one death */
    DOUBLE_QUIET = 1024, /* instructions between two looks at the watch */
    DOUBLE_USED_ON = 8,  /* of so many images one is used on */
    DOUBLE_STATES = 16
};

static const size_t double_sizes[] = {32, 400};
enum { DOUBLE_SIZES = sizeof double_sizes / sizeof *double_sizes };

static bool double_worthwhile(size_t o, const char *state)
{
    static const char *const in_turn[] = {"fragmented", "coalesce", "empty"};
    if (crash_chosen.state)
        return true;
    if (crash_chosen.quick)
        return (operations[o].flags & OPERATION_TYPICAL) && !strcmp(state, in_turn[0]);
    return !strcmp(state, in_turn[o % (sizeof in_turn / sizeof *in_turn)]);
}

static void double_plan_one(const crash_part *self, const acre_algorithm *a, size_t o)
{
    if ((operations[o].possible && !operations[o].possible(a)) ||
        operations[o].flags & OPERATION_LONG)
        return;
    for (size_t i = 0; stage_states[i].name; i++)
        if (double_worthwhile(o, stage_states[i].name))
            crash_plan(self, a, operations[o].name, stage_states[i].name, o * DOUBLE_STATES + i,
                       DOUBLE_SECONDS);
}

static void double_plan(const crash_part *self)
{
    const acre_algorithm *a;
    for (size_t i = 0; (a = crash_algorithm(i)); i++)
        for (size_t o = 0; operations[o].name; o++)
            double_plan_one(self, a, o);
}

/* ---- the victim's image ---- */

typedef struct double_victim {
    const operation *o;
    stage *t;
    bool unfinished;
    char image[STAGE_SIZE]; /* the last unfinished one */
} double_victim;

static void double_operate(void *arg)
{
    double_victim *v = arg;
    v->o->run(v->t);
}

static bool double_keep(void *arg, bool changed, uint64_t address)
{
    double_victim *v = arg;
    const char *now = acre_segment_base(v->t->s);
    (void)address;
    if (changed && corpse_unfinished(now)) {
        memcpy(v->image, now, STAGE_SIZE);
        v->unfinished = true;
    }
    return true;
}

/* ---- one rescuer ---- */

typedef struct double_watch {
    judge *j;
    acre_segment *s; /* the rescuer's */
    bool good;
} double_watch;

static void double_rescuer(void *arg)
{
    const double_watch *w = arg;
    (void)acre_heap_free_memory(acre_segment_heap(w->s));
}

static bool double_wanted(const crash_board *b)
{
    return crash_chosen.at == CRASH_EVERYWHERE || crash_chosen.at == b->at;
}

static bool double_seen(void *arg, bool changed, uint64_t address)
{
    double_watch *w = arg;
    crash_board *b = w->j->b;
    b->at++;
    if (changed || b->at % DOUBLE_QUIET == 0)
        alarm(DOUBLE_SECONDS);
    if (!double_wanted(b))
        return true;
    if (changed || b->at == crash_chosen.at) {
        b->address = address;
        w->good = judge_image(w->j, acre_segment_base(w->s), b->n.images++ % DOUBLE_USED_ON == 0);
    }
    b->n.injected++;
    b->n.recovered += w->good;
    return true;
}

static void double_rescue(judge *j, const char *image)
{
    double_watch w = {.j = j, .good = true};
    corpse k = corpse_new(STAGE_SIZE);
    if (corpse_open(&k, image, &w.s) != 0) {
        crash_wrong(j->c, j->b, CRASH_UNSOUND, "the segment cannot be opened");
        return;
    }
    victim_script script = {
        double_rescuer, &w, acre_segment_base(w.s), STAGE_SIZE, double_seen, &w, NULL};
    if (!victim_step_through(&script))
        crash_wrong(j->c, j->b, CRASH_HANG, "the recovery does not come to its end");
    acre_segment_close(w.s);
    corpse_free(&k);
}

static void double_stage(const crash_case *c, crash_board *b, stage *t, uint64_t seed)
{
    static double_victim v;
    const operation *o = &operations[c->index / DOUBLE_STATES];
    judge j = judge_open(c, b, t, o, seed);
    v = (double_victim){.o = o, .t = t};
    victim_script script = {
        double_operate, &v, acre_segment_base(t->s), STAGE_SIZE, double_keep, &v, NULL};
    if (!victim_step_through(&script))
        crash_wrong(c, b, CRASH_HANG, "the operation does not come to its end");
    double_rescue(&j, v.unfinished ? v.image : acre_segment_base(t->s));
    judge_close(&j);
}

static void double_run(const crash_case *c, crash_board *b)
{
    const operation *o = &operations[c->index / DOUBLE_STATES];
    unsigned flags = o->flags & OPERATION_BACKWARDS ? STATE_HOLE_IN_FRONT : 0;
    uint64_t seed = crash_seed(c);
    size_t size = double_sizes[(c->index + c->index / DOUBLE_STATES) % DOUBLE_SIZES];
    stage t = stage_make(c->algorithm, &stage_states[c->index % DOUBLE_STATES], size, flags, &seed);
    if (o->prepare)
        o->prepare(&t);
    acre_heap_detach(t.h); /* the victim takes over what was kept for this thread */
    double_stage(c, b, &t, seed);
    stage_close(&t);
}

const crash_part crash_part_double = {
    .name = "double",
    .summary = "a second death, at every instruction of the recovery",
    .plan = double_plan,
    .run = double_run,
};
