/* SPDX-License-Identifier: MIT */
/* cell_together.c: the cell in which workers replay one trace between them. */
#include "bench/cell_internal.h"
#include "bench/together.h"

#include <errno.h>
#include <string.h>

static int cell_together_parts(cell *c, const acre_image *m, uint32_t workers, acre_shares *parts)
{
    const char *split = cell_text(c, "split");
    enum acre_shares_rule rule = ACRE_SHARES_AUTO;
    while (split && rule <= ACRE_SHARES_OBJECTS && strcmp(split, acre_shares_rule_name(rule)))
        rule++;
    if (rule > ACRE_SHARES_OBJECTS)
        return cell_fail(c, "split is auto, threads or objects, not '%s'", split);
    int e = acre_shares_make(parts, m, workers, rule, (uint32_t)cell_number(c, "cross"));
    if (e == EINVAL)
        return cell_fail(c, "together needs 2 to %d workers, and a cross of at most 100",
                         ACRE_SHARES_MOST);
    unsigned threads = m->h->n_threads > 1 ? (unsigned)m->h->n_threads : 1;
    if (e == ERANGE)
        return cell_fail(c, "the trace has %u thread%s, not one for each of %u workers", threads,
                         threads > 1 ? "s" : "", workers);
    return e ? cell_fail(c, "the trace cannot be shared out: %s", strerror(e)) : 0;
}

static void cell_together_parts_tell(json_t *o, const acre_shares *p)
{
    cell_set_text(o, "split", acre_shares_rule_name(p->rule));
    if (p->rule == ACRE_SHARES_OBJECTS)
        cell_set_integer(o, "cross", p->cross);
    cell_set_integer(o, "ops", p->n_ops);
    cell_set_integer(o, "frees", p->frees);
    cell_set_integer(o, "crossed_frees", p->crossed_frees);
    cell_set_integer(o, "ends", p->ends);
    cell_set_integer(o, "crossed", p->crossed);
    cell_set_integer(o, "peak_live", p->peak_live);
    cell_set_integer(o, "most_live", p->most_live);
}

static void cell_together_tell(json_t *o, const acre_together_plan *p, const acre_together *t)
{
    uint32_t n = p->parts->workers;
    cell_set_real(o, "ns_per_op_cold", t->cold);
    cell_set_real(o, "ns_per_op_warm", t->warm);
    cell_set_real(o, "ns_per_op_warm_min", t->warm_min);
    cell_set_integer(o, "warm_passes", t->passes);
    cell_set_real(o, "ops_per_s", t->ops_per_s);
    cell_set_integer(o, "waits", t->waits);
    json_object_set_new(o, "waited_share", json_real(t->waited_share));
    json_object_set_new(o, "fairness", json_real(t->fairness));
    json_object_set_new(o, "least_share", json_real(t->least_share));
    if (t->peak_used)
        cell_set_integer(o, "peak_used", t->peak_used);
    json_object_set_new(o, "worker_ops", cell_array(t->worker_ops, n));
    json_object_set_new(o, "worker_ns", cell_array(t->worker_ns, n));
    json_object_set_new(o, "worker_waited_ns", cell_array(t->worker_waited_ns, n));
    if (t->checked)
        cell_set_text(o, "check", t->sound ? "ok" : "failed");
    cell_set_status(o, t->status);
    if (*t->what) {
        cell_set_integer(o, "op", t->op);
        cell_set_text(o, "what", t->what);
    }
}

static int cell_together_fail(cell *c, int e)
{
    const char *spec = c->contender.spec;
    if (e == ENOTSUP)
        return cell_fail(c, "%s: each process has a heap of its own: only threads share one", spec);
    if (e == ENOSPC)
        return cell_fail(c, "%s measures the harness: there is no heap", spec);
    if (e == ECHILD)
        return cell_fail(c, "%s: a worker died or did not end", spec);
    return cell_cannot(c, e);
}

static int cell_together_with(cell *c, json_t *o, acre_together_plan *p)
{
    static acre_together t;
    const char *touch = cell_text(c, "touch");
    p->touch = touch ? acre_touch_parse(touch) : ACRE_TOUCH_LINE;
    if (p->touch < 0)
        return cell_fail(c, "touch is none, line, page or full, not '%s'", touch);
    p->warm = (unsigned)cell_number(c, "warm");
    p->lead = json_object_get(c->plan, "lead") ? cell_number(c, "lead") : ACRE_TOGETHER_APART;
    p->verify = json_is_true(json_object_get(c->plan, "verify"));
    p->budget_ns = cell_budget_ns(c);
    int e = acre_together_run(&c->contender, p, &t);
    if (e)
        return cell_together_fail(c, e);
    cell_set_integer(o, "processes", p->processes);
    cell_set_integer(o, "threads", p->threads);
    cell_copy(c, o, "lead");
    cell_set_text(o, "touch", acre_touch_name(p->touch));
    cell_together_parts_tell(o, p->parts);
    cell_together_tell(o, p, &t);
    return 0;
}

int cell_together(cell *c, const acre_image *m, json_t *o)
{
    static acre_shares parts;
    uint64_t processes = cell_number(c, "processes"), threads = cell_number(c, "threads");
    bool many = processes > ACRE_SHARES_MOST || threads > ACRE_SHARES_MOST;
    acre_together_plan p = {
        .parts = &parts, .processes = (uint32_t)processes, .threads = (uint32_t)threads};
    int e = cell_together_parts(c, m, many ? 0 : (uint32_t)(processes * threads), &parts);
    if (e)
        return e;
    e = cell_together_with(c, o, &p);
    acre_shares_free(&parts);
    return e;
}
