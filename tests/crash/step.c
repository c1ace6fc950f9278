/* SPDX-License-Identifier: MIT */
/* step.c: a death at every instruction of every operation, in every state.
 *
 * A killed process's retired stores are all visible to the others, so what a survivor can find is
 * exactly what the shared memory holds between two instructions.  An instruction that changed nothing
 * leaves the image of the one before: it is a death as well, with the same verdict. */
#include "tests/crash/judge.h"
#include "tests/crash/victim.h"

#include <unistd.h>

enum {
    STEP_SECONDS = 20, /* for one death */
    STEP_ROUNDS = 2,   /* stages a size, with other random numbers */
    STEP_USED_ON = 8,  /* --quick: of so many images one is used on */
    STEP_QUIET = 1024  /* instructions between two looks at the watch */
};

static const size_t step_sizes[] = {32, 400};
enum { STEP_SIZES = sizeof step_sizes / sizeof *step_sizes };

/* A case's index: its operation and state. */
enum { STEP_STATES = 16 };

static void step_plan_one(const crash_part *self, const acre_algorithm *a, size_t o)
{
    if (operations[o].possible && !operations[o].possible(a))
        return;
    for (size_t i = 0; stage_states[i].name; i++)
        crash_plan(self, a, operations[o].name, stage_states[i].name, o * STEP_STATES + i,
                   STEP_SECONDS);
}

static void step_plan(const crash_part *self)
{
    const acre_algorithm *a;
    for (size_t i = 0; (a = crash_algorithm(i)); i++)
        for (size_t o = 0; operations[o].name; o++)
            step_plan_one(self, a, o);
}

/* ---- one stage ---- */

typedef struct step_watch {
    judge *j;
    stage *t;
    bool good; /* the last image's verdict */
} step_watch;

static bool step_use_on(const crash_board *b)
{
    return !crash_chosen.quick || b->n.images % STEP_USED_ON == 0;
}

static bool step_wanted(const crash_board *b)
{
    return crash_chosen.at == CRASH_EVERYWHERE || crash_chosen.at == b->at;
}

static void step_judge(step_watch *w, uint64_t address)
{
    crash_board *b = w->j->b;
    b->address = address;
    b->n.images++;
    w->good = judge_image(w->j, acre_segment_base(w->t->s), step_use_on(b));
    if (w->good)
        b->n.in_hand += w->j->strangers;
}

static bool step_seen(void *arg, bool changed, uint64_t address)
{
    step_watch *w = arg;
    crash_board *b = w->j->b;
    b->at++;
    if (changed || b->at % STEP_QUIET == 0)
        alarm(STEP_SECONDS);
    b->n.injected += step_wanted(b);
    if (step_wanted(b) && (changed || b->at == crash_chosen.at))
        step_judge(w, address);
    b->n.recovered += w->good && step_wanted(b);
    return true;
}

static void step_victim(void *arg)
{
    step_watch *w = arg;
    w->j->o->run(w->t);
}

static void step_stage(const crash_case *c, crash_board *b, stage *t, uint64_t seed)
{
    judge j = judge_open(c, b, t, &operations[c->index / STEP_STATES], seed);
    step_watch w = {&j, t, true};
    victim_script script = {step_victim, &w,  acre_segment_base(t->s), STAGE_SIZE, step_seen,
                            &w,          NULL};
    if (step_wanted(b))
        step_judge(&w, 0); /* as it is found before the first change */
    if (!victim_step_through(&script))
        crash_wrong(c, b, CRASH_HANG, "the operation does not come to its end");
    judge_close(&j);
}

static size_t step_stages(const operation *o)
{
    if (o->flags & OPERATION_LONG)
        return crash_chosen.quick ? 1 : STEP_SIZES;
    return STEP_SIZES * (crash_chosen.quick ? 1 : STEP_ROUNDS);
}

static void step_run(const crash_case *c, crash_board *b)
{
    const operation *o = &operations[c->index / STEP_STATES];
    unsigned flags = o->flags & OPERATION_BACKWARDS ? STATE_HOLE_IN_FRONT : 0;
    uint64_t seed = crash_seed(c);
    for (size_t i = 0; i < step_stages(o); i++) {
        stage t = stage_make(c->algorithm, &stage_states[c->index % STEP_STATES],
                             step_sizes[i % STEP_SIZES], flags, &seed);
        if (o->prepare)
            o->prepare(&t);
        acre_heap_detach(t.h); /* the victim takes over what was kept for this thread */
        step_stage(c, b, &t, seed);
        stage_close(&t);
    }
}

const crash_part crash_part_step = {
    .name = "step",
    .summary = "a death at every instruction of every operation, in every state",
    .plan = step_plan,
    .run = step_run,
};
