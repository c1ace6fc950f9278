/* SPDX-License-Identifier: MIT */
/* replay_safety.c: what the lock and the journal of an algorithm cost, step by step.
 *
 *   round 1   bare  journal  spin  robust  robust_only      each: a fresh heap, a cold pass, a warm
 *   round 2   bare  journal  spin  …                        pass on the clock
 *   …
 *
 * All steps take turns in one process, so that what disturbs one round disturbs all of it; the least
 * of the rounds counts, as a disturbance only ever adds. */
#include "bench/replay.h"

#include "bench/lab.h"

#include <errno.h>
#include <stdio.h>

static const struct {
    const char *name, *options;
} safety_steps[ACRE_SAFETY_STEPS] = {
    {"bare", "lock=none,journal=off"},          {"journal", "lock=none,journal=on"},
    {"spin", "lock=spin,journal=on"},           {"robust", "lock=robust,journal=on"},
    {"robust_only", "lock=robust,journal=off"},
};

const char *acre_safety_step_name(size_t step)
{
    return step < ACRE_SAFETY_STEPS ? safety_steps[step].name : NULL;
}

static int safety_contender(const acre_contender *c, size_t step, acre_contender *with)
{
    char spec[3 * ACRE_SPEC_MAX];
    snprintf(spec, sizeof spec, "%s:%s%s%s", c->name, safety_steps[step].options,
             *c->options ? "," : "", c->options);
    return acre_contender_find(with, spec);
}

/* *ns: of the warm pass. */
static int safety_pass(const acre_image *m, const acre_contender *c, uint64_t deadline, double *ns,
                       enum acre_replay_status *status)
{
    acre_replay r;
    int e = acre_replay_open(&r, m, c, acre_replay_room(m));
    if (e)
        return e;
    acre_pass p = acre_replay_run(&r, 0, m->h->n_entries, ACRE_TOUCH_LINE, deadline);
    if (p.status == ACRE_REPLAY_OK) {
        acre_replay_drain(&r);
        p = acre_replay_run(&r, 0, m->h->n_entries, ACRE_TOUCH_LINE, deadline);
    }
    acre_replay_close(&r);
    *status = p.status;
    *ns = m->h->n_ops ? (double)p.ns / (double)m->h->n_ops : 0;
    return 0;
}

static int safety_round(const acre_image *m, const acre_contender *step, uint64_t deadline,
                        double ns[ACRE_SAFETY_STEPS], enum acre_replay_status *status)
{
    int e = 0;
    *status = ACRE_REPLAY_OK;
    for (size_t i = 0; i < ACRE_SAFETY_STEPS && !e && *status == ACRE_REPLAY_OK; i++)
        e = safety_pass(m, &step[i], deadline, &ns[i], status);
    return e;
}

static void safety_take(acre_safety *s, const double ns[ACRE_SAFETY_STEPS])
{
    for (size_t i = 0; i < ACRE_SAFETY_STEPS; i++)
        if (!s->rounds || ns[i] < s->ns[i])
            s->ns[i] = ns[i];
    s->rounds++;
}

int acre_replay_safety(const acre_image *m, const acre_contender *c, uint64_t budget_ns,
                       acre_safety *out)
{
    acre_contender step[ACRE_SAFETY_STEPS];
    double ns[ACRE_SAFETY_STEPS];
    acre_safety s = {0};
    uint64_t deadline = budget_ns ? acre_lab_now_ns() + budget_ns : 0;
    if (c->family != ACRE_FAMILY_ACRE)
        return ENOTSUP;
    for (size_t i = 0; i < ACRE_SAFETY_STEPS; i++)
        if (safety_contender(c, i, &step[i]))
            return EINVAL;
    while (s.rounds < ACRE_SAFETY_ROUNDS && s.status == ACRE_REPLAY_OK) {
        int e = safety_round(m, step, deadline, ns, &s.status);
        if (e)
            return e;
        if (s.status == ACRE_REPLAY_OK)
            safety_take(&s, ns);
    }
    if (s.rounds && s.status == ACRE_REPLAY_STOPPED)
        s.status = ACRE_REPLAY_OK;
    *out = s;
    return 0;
}
