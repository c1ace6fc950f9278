/* SPDX-License-Identifier: MIT */
/* together.c: workers, processes and threads of them, replay one trace between them. */
#include "bench/together.h"

#include "bench/stats.h"
#include "bench/together_internal.h"

#include <errno.h>
#include <string.h>

enum { TOGETHER_FOR_EVER_S = 1000000 };

size_t acre_together_room(const acre_shares *p)
{
    uint64_t live = p->most_live > p->peak_live ? p->most_live : p->peak_live;
    size_t need = 4 * live + 2 * p->largest + ((size_t)64 << 20);
    return (need + 4095) & ~(size_t)4095;
}

/* ---- from the stage to the result ---- */

/* Wall time of a pass: from who was first to begin to who was last to end.  0: not all ended. */
static uint64_t together_wall(const together_stage *s, unsigned pass, uint32_t n)
{
    uint64_t start = UINT64_MAX, end = 0;
    for (uint32_t w = 0; w < n; w++) {
        const together_time *t = &s->time[pass][w];
        if (!t->end)
            return 0;
        start = t->start < start ? t->start : start;
        end = t->end > end ? t->end : end;
    }
    return end - start;
}

static void together_speeds(const together_stage *s, acre_together *out)
{
    uint32_t n = s->plan->parts->workers;
    double all_ns = 0, all_waited = 0, speed[ACRE_PROCS_MOST], ops[ACRE_PROCS_MOST], ignored;
    unsigned working = 0;
    for (uint32_t w = 0; w < n; w++) {
        for (unsigned pass = 0; pass <= s->plan->warm; pass++) {
            const together_time *t = &s->time[pass][w];
            out->worker_ns[w] += t->end - t->start;
            out->worker_waited_ns[w] += t->waited;
        }
        double busy = (double)(out->worker_ns[w] - out->worker_waited_ns[w]);
        all_ns += (double)out->worker_ns[w];
        all_waited += (double)out->worker_waited_ns[w];
        ops[w] = (double)(out->worker_ops[w] = s->plan->parts->part[w].ops);
        out->waits += s->waits[w];
        if (ops[w] > 0 && busy > 0)
            speed[working++] = ops[w] / busy;
    }
    out->waited_share = all_ns > 0 ? all_waited / all_ns : 0;
    out->fairness = procs_fairness(speed, working, &ignored);
    procs_fairness(ops, n, &out->least_share);
}

static void together_times(const together_stage *s, acre_together *out)
{
    const acre_shares *p = s->plan->parts;
    double ns[TOGETHER_PASSES], ops = p->n_ops ? (double)p->n_ops : 1;
    uint64_t wall;
    out->cold = (double)together_wall(s, 0, p->workers) / ops;
    while (out->passes < s->plan->warm && (wall = together_wall(s, out->passes + 1, p->workers)))
        ns[out->passes++] = (double)wall / ops;
    if (out->passes) {
        out->warm = acre_stats_median(ns, out->passes);
        out->warm_min = acre_stats_quantile(ns, out->passes, 0);
    }
    double each = out->passes ? out->warm : out->cold;
    out->ops_per_s = each > 0 ? 1e9 / each : 0;
}

static void together_tell(const together_stage *s, const acre_procs_result *r, acre_together *out)
{
    together_times(s, out);
    together_speeds(s, out);
    out->peak_used = s->peak_used;
    out->status = s->trouble                                  ? ACRE_REPLAY_FAILED
                  : out->passes < s->plan->warm || !out->cold ? ACRE_REPLAY_STOPPED
                                                              : ACRE_REPLAY_OK;
    /* What did not come to its end is not empty. */
    out->checked = r->checked && out->status == ACRE_REPLAY_OK;
    out->sound = out->checked && r->sound;
    out->op = s->op;
    memcpy(out->what, s->what, sizeof out->what);
}

/* ---- the run ---- */

/* A reference point's blocks are all the same, and bump's are not for several. */
static bool together_can(const acre_contender *c, const acre_together_plan *plan)
{
    return c->family != ACRE_FAMILY_REFERENCE || (!plan->verify && c->engine != &acre__engine_bump);
}

int acre_together_run(const acre_contender *c, const acre_together_plan *plan, acre_together *out)
{
    static acre_procs_result r;
    const acre_shares *p = plan->parts;
    size_t bytes = sizeof(together_stage) + p->handed * sizeof(uint64_t);
    memset(out, 0, sizeof *out);
    if ((uint64_t)plan->processes * plan->threads != p->workers || plan->warm > ACRE_WARM_MAX)
        return EINVAL;
    if (!together_can(c, plan))
        return ENOSPC;
    together_stage *s = acre_lab_map_segment(bytes);
    if (!s)
        return ENOMEM;
    acre_lab_populate(s->handed, bytes - sizeof *s);
    s->plan = plan;
    acre_procs_plan run = {.pattern = &together_pattern,
                           .stage = s,
                           .processes = plan->processes,
                           .threads = plan->threads,
                           .duration_ns = plan->budget_ns ? plan->budget_ns
                                                          : TOGETHER_FOR_EVER_S * 1000000000ull,
                           .segment = acre_together_room(p)};
    int e = acre_procs_run(c, &run, &r);
    if (!e)
        together_tell(s, &r, out);
    acre_lab_unmap(s, bytes);
    return e;
}
