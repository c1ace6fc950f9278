/* SPDX-License-Identifier: MIT */
/* replay_time.c: ns per operation, cold and warm. */
#include "bench/replay.h"

#include "bench/lab.h"
#include "bench/stats.h"

static double time_per_op(const acre_image *m, const acre_pass *p)
{
    double ops = acre_replay_share(m, p->entry) * (double)m->h->n_ops;
    return ops > 0 ? (double)p->ns / ops : 0;
}

static uint64_t time_growth(uint64_t before, uint64_t now)
{
    return now > before ? now - before : 0;
}

static acre_pass time_cold(acre_replay *r, const acre_timing_plan *plan, uint64_t deadline,
                           acre_timing *t)
{
    uint64_t before = acre_lab_resident(), faults = acre_lab_minor_faults();
    acre_lab_reset_peak();
    acre_pass pass = acre_replay_run(r, 0, r->image->h->n_entries, plan->touch, deadline);
    t->minor_faults = acre_lab_minor_faults() - faults;
    uint64_t peak = acre_lab_resident_peak(), now = acre_lab_resident();
    t->peak_resident = time_growth(before, peak > now ? peak : now);
    t->status = pass.status;
    t->share = acre_replay_share(r->image, pass.entry);
    t->cold = time_per_op(r->image, &pass);
    t->failed_entry = pass.status == ACRE_REPLAY_FAILED ? pass.entry : 0;
    return pass;
}

static bool time_has_enough(const acre_timing_plan *plan, unsigned passes, uint64_t start,
                            uint64_t deadline)
{
    uint64_t now = acre_lab_now_ns();
    return (deadline && now > deadline) ||
           (passes && plan->enough_ns && now - start > plan->enough_ns);
}

/* Warm passes until they are enough or the time is over; a pass that was cut does not count. */
static void time_warm(acre_replay *r, const acre_timing_plan *plan, uint64_t deadline,
                      acre_timing *t)
{
    double ns[ACRE_WARM_MAX];
    unsigned want = plan->warm < ACRE_WARM_MAX ? plan->warm : ACRE_WARM_MAX;
    uint64_t start = acre_lab_now_ns();
    while (t->passes < want && !time_has_enough(plan, t->passes, start, deadline)) {
        acre_replay_drain(r);
        acre_pass pass = acre_replay_run(r, 0, r->image->h->n_entries, plan->touch, deadline);
        if (pass.status != ACRE_REPLAY_OK)
            break;
        ns[t->passes++] = time_per_op(r->image, &pass);
    }
    if (want && !t->passes)
        t->status = ACRE_REPLAY_STOPPED;
    if (!t->passes)
        return;
    t->warm = acre_stats_median(ns, t->passes);
    t->warm_min = acre_stats_quantile(ns, t->passes, 0);
}

/* What a heap that does not tell its high water had in use: asked for in a further pass. */
static void time_reach(acre_replay *r, uint64_t deadline, acre_timing *t)
{
    uint64_t end;
    if (t->share >= 1 && acre_replay_reopen(r, r->bytes) == 0 &&
        acre_replay_reach(r, deadline, &end).status == ACRE_REPLAY_OK)
        t->peak_used = end;
}

int acre_replay_time(const acre_image *m, const acre_contender *c, const acre_timing_plan *plan,
                     acre_timing *out)
{
    acre_replay r;
    acre_timing t = {0};
    int e = acre_replay_open(&r, m, c, acre_replay_room(m));
    if (e)
        return e;
    uint64_t deadline = plan->budget_ns ? acre_lab_now_ns() + plan->budget_ns : 0;
    time_cold(&r, plan, deadline, &t);
    if (r.engine->high_water)
        t.peak_used = r.engine->high_water(r.tape.heap);
    if (t.status == ACRE_REPLAY_OK)
        time_warm(&r, plan, deadline, &t);
    if (!r.engine->high_water && !(r.engine->flags & ACRE_ENGINE_SEGMENT))
        t.peak_used = t.peak_resident;
    else if (!r.engine->high_water && plan->reach)
        time_reach(&r, deadline ? deadline + plan->budget_ns : 0, &t);
    acre_replay_close(&r);
    *out = t;
    return 0;
}
