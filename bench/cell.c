/* SPDX-License-Identifier: MIT */
/* cell.c: one planned measurement. */
#include "bench/cell.h"

#include "bench/cell_internal.h"
#include "bench/procs.h"
#include "traces/trace.h"

#include <acre/base.h>

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef int cell_engine(cell *c, const acre_image *m, json_t *result);

int cell_fail(cell *c, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(c->error, c->error_size, format, args);
    va_end(args);
    return EINVAL;
}

const char *cell_text(const cell *c, const char *key)
{
    return json_string_value(json_object_get(c->plan, key));
}

uint64_t cell_number(const cell *c, const char *key)
{
    json_int_t n = json_integer_value(json_object_get(c->plan, key));
    return n > 0 ? (uint64_t)n : 0;
}

uint64_t cell_budget_ns(const cell *c)
{
    return cell_number(c, "budget_ms") * 1000000;
}

/* Results ------------------------------------------------------------------------------------ */

void cell_set_integer(json_t *o, const char *key, uint64_t n)
{
    json_object_set_new(o, key, json_integer((json_int_t)n));
}

void cell_set_text(json_t *o, const char *key, const char *text)
{
    json_object_set_new(o, key, json_string(text));
}

/* What is not known is left out. */
void cell_set_real(json_t *o, const char *key, double x)
{
    if (x > 0)
        json_object_set_new(o, key, json_real(x));
}

void cell_set_status(json_t *o, enum acre_replay_status s)
{
    cell_set_text(o, "status", acre_replay_status_name(s));
}

void cell_copy(const cell *c, json_t *o, const char *key)
{
    json_t *value = json_object_get(c->plan, key);
    if (value)
        json_object_set(o, key, value);
}

int cell_cannot(cell *c, int e)
{
    if (e == ENOSYS && !acre_contender_missing(&c->contender, c->error, c->error_size))
        return cell_fail(c, "%s has to be preloaded", c->contender.library);
    return e == ENOSYS
               ? EINVAL
               : cell_fail(c, "%s: no heap can be made: %s", c->contender.spec, acre_strerror(e));
}

/* Engines ------------------------------------------------------------------------------------ */

static int cell_replay(cell *c, const acre_image *m, json_t *o)
{
    const char *touch = cell_text(c, "touch");
    acre_timing_plan plan = {touch ? acre_touch_parse(touch) : ACRE_TOUCH_LINE,
                             (unsigned)cell_number(c, "warm"), cell_budget_ns(c),
                             cell_number(c, "enough_ms") * 1000000, cell_number(c, "block") == 0};
    acre_timing t;
    if (plan.touch < 0)
        return cell_fail(c, "touch is none, line, page or full, not '%s'", touch);
    int e = acre_replay_time(m, &c->contender, &plan, &t);
    if (e)
        return cell_cannot(c, e);
    cell_set_integer(o, "ops", m->h->n_ops);
    cell_set_real(o, "ns_per_op_cold", t.cold);
    cell_set_real(o, "ns_per_op_warm", t.warm);
    cell_set_real(o, "ns_per_op_warm_min", t.warm_min);
    cell_set_integer(o, "warm_passes", t.passes);
    cell_set_integer(o, "peak_live", m->h->peak_live);
    if (t.peak_used)
        cell_set_integer(o, "peak_used", t.peak_used);
    cell_set_integer(o, "peak_rss", t.peak_resident);
    cell_set_integer(o, "minor_faults", t.minor_faults);
    cell_set_status(o, t.status);
    json_object_set_new(o, "share", json_real(t.share));
    cell_set_text(o, "touch", acre_touch_name(plan.touch));
    return 0;
}

static int cell_fit(cell *c, const acre_image *m, json_t *o)
{
    acre_fit f;
    int e = acre_replay_fit(m, &c->contender, cell_budget_ns(c), &f);
    if (e)
        return cell_cannot(c, e);
    cell_set_integer(o, "ops", m->h->n_ops);
    if (f.status == ACRE_REPLAY_OK)
        cell_set_integer(o, "s_min", f.s_min);
    if (f.enough)
        cell_set_integer(o, "enough", f.enough);
    cell_set_integer(o, "peak_live", m->h->peak_live);
    cell_set_integer(o, "tries", f.tries);
    json_object_set_new(o, "share", json_real(f.share));
    cell_set_status(o, f.status);
    cell_set_text(o, "measure", f.resident ? "resident" : "segment");
    return 0;
}

static int cell_verify(cell *c, const acre_image *m, json_t *o)
{
    acre_verify v;
    int e = acre_replay_verify(m, &c->contender, &v);
    if (e)
        return cell_cannot(c, e);
    cell_set_integer(o, "ops", m->h->n_ops);
    cell_set_status(o, v.status);
    if (*v.what) {
        cell_set_integer(o, "op", v.op);
        cell_set_text(o, "what", v.what);
    }
    return 0;
}

json_t *cell_array(const uint64_t *x, size_t n)
{
    json_t *a = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(a, json_integer((json_int_t)x[i]));
    return a;
}

static int cell_timeline(cell *c, const acre_image *m, json_t *o)
{
    static acre_timeline t;
    int e = acre_replay_timeline(m, &c->contender, cell_budget_ns(c), &t);
    if (e)
        return cell_cannot(c, e);
    json_object_set_new(o, "op", cell_array(t.op, t.points));
    json_object_set_new(o, "live", cell_array(t.live, t.points));
    json_object_set_new(o, "used", cell_array(t.used, t.points));
    cell_set_status(o, t.status);
    return 0;
}

static int cell_live_cost(cell *c, const acre_image *m, json_t *o)
{
    acre_live_cost l;
    (void)m;
    if (!cell_number(c, "live"))
        return cell_fail(c, "live_cost needs \"live\", a number of blocks");
    int e = acre_replay_live_cost(&c->contender, cell_number(c, "live"), cell_budget_ns(c), &l);
    if (e)
        return cell_cannot(c, e);
    cell_copy(c, o, "live");
    cell_set_real(o, "ns_per_op", l.ns_per_op);
    if (acre_growth_name(c->contender.growth))
        cell_set_text(o, "growth", acre_growth_name(c->contender.growth));
    cell_set_status(o, l.status);
    return 0;
}

/* What is handed on needs a common heap: a malloc's workers are threads then. */
static int cell_procs_run(const acre_contender *c, acre_procs_plan *p, acre_procs_result *r)
{
    int e = acre_procs_run(c, p, r);
    if (e != ENOTSUP)
        return e;
    p->threads *= p->processes;
    p->processes = 1;
    return acre_procs_run(c, p, r);
}

static void cell_procs_tell(json_t *o, const acre_procs_plan *p, const acre_procs_result *r)
{
    uint32_t workers = p->processes * p->threads;
    cell_set_text(o, "pattern", acre_procs_pattern_name(p->pattern));
    cell_set_integer(o, "processes", p->processes);
    cell_set_integer(o, "threads", p->threads);
    cell_set_integer(o, "ops", r->ops);
    cell_set_real(o, "ops_per_s", r->ops_per_s);
    if (r->ops_per_s > 0)
        cell_set_real(o, "ns_per_op", workers * 1e9 / r->ops_per_s);
    cell_set_real(o, "fairness", r->fairness);
    cell_set_real(o, "least_share", r->least_share);
    cell_set_integer(o, "failed", r->failed);
    cell_set_integer(o, "peak_live", r->peak_live);
    if (r->peak_used) {
        cell_set_integer(o, "peak_used", r->peak_used);
        cell_set_text(o, "measure", r->resident ? "resident" : "segment");
    }
    if (r->cpus)
        cell_set_integer(o, "cpus", r->cpus);
    json_object_set_new(o, "worker_ops", cell_array(r->worker_ops, workers));
    if (r->checked)
        cell_set_text(o, "check", r->sound ? "ok" : "failed");
    cell_set_status(o, ACRE_REPLAY_OK);
}

static int cell_procs_fail(cell *c, const acre_procs_plan *p, int e)
{
    if (e == EINVAL)
        return cell_fail(c, "%s: needs 1 to %d workers, an even number where they work in pairs",
                         acre_procs_pattern_name(p->pattern), ACRE_PROCS_MOST);
    if (e == ENOSPC)
        return cell_fail(c, "%s measures the harness: there is no heap", c->contender.spec);
    if (e == ECHILD)
        return cell_fail(c, "%s: a worker died or did not end", c->contender.spec);
    return cell_cannot(c, e);
}

static int cell_procs_with(cell *c, json_t *o, acre_procs_plan *p)
{
    static acre_procs_result r;
    p->processes = (uint32_t)cell_number(c, "processes");
    p->threads = (uint32_t)cell_number(c, "threads");
    p->duration_ns = cell_number(c, "duration_ms") * 1000000;
    p->seed = 1;
    int e = cell_procs_run(&c->contender, p, &r);
    if (e)
        return cell_procs_fail(c, p, e);
    cell_procs_tell(o, p, &r);
    return 0;
}

static int cell_procs(cell *c, const acre_image *m, json_t *o)
{
    const char *name = cell_text(c, "pattern");
    acre_procs_plan p = {.pattern = acre_procs_pattern_find(name ? name : "random"),
                         .segment = cell_number(c, "segment")};
    (void)m;
    return p.pattern ? cell_procs_with(c, o, &p) : cell_fail(c, "unknown pattern '%s'", name);
}

/* Room for all of them at their peaks. */
static int cell_procs_replay(cell *c, const acre_image *m, json_t *o)
{
    uint64_t workers = cell_number(c, "processes") * cell_number(c, "threads");
    acre_procs_plan p = {.pattern = acre_procs_pattern_trace(),
                         .image = m,
                         .segment = acre_replay_room(m) * (workers ? workers : 1)};
    return cell_procs_with(c, o, &p);
}

static json_t *cell_reals(const double *x, size_t n)
{
    json_t *a = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(a, json_real(x[i]));
    return a;
}

static int cell_latency(cell *c, const acre_image *m, json_t *o)
{
    static const char *const point[ACRE_LATENCY_POINTS] = {"p50", "p99", "p99_9", "p99_99", "max"};
    acre_latency l;
    char key[40];
    int e = acre_replay_latency(m, &c->contender, cell_budget_ns(c), &l);
    if (e)
        return cell_cannot(c, e);
    cell_set_status(o, l.status);
    for (int i = 0; i < ACRE_LATENCY_POINTS && l.status == ACRE_REPLAY_OK; i++) {
        snprintf(key, sizeof key, "latency_%s", point[i]);
        json_object_set_new(o, key, json_real(l.measured[i]));
        snprintf(key, sizeof key, "latency_least_%s", point[i]);
        json_object_set_new(o, key, json_real(l.least[i]));
    }
    json_object_set_new(o, "tail", cell_reals(l.tail, l.points));
    json_object_set_new(o, "measured", cell_reals(l.curve_measured, l.points));
    json_object_set_new(o, "least", cell_reals(l.curve_least, l.points));
    cell_set_real(o, "latency_clock_ns", l.clock_ns);
    cell_set_integer(o, "latency_passes", l.passes);
    return 0;
}

static int cell_safety(cell *c, const acre_image *m, json_t *o)
{
    acre_safety s;
    int e = acre_replay_safety(m, &c->contender, cell_budget_ns(c), &s);
    if (e == ENOTSUP)
        return cell_fail(c, "%s has no journal", c->contender.spec);
    if (e)
        return cell_cannot(c, e);
    cell_set_integer(o, "ops", m->h->n_ops);
    cell_set_integer(o, "rounds", s.rounds);
    for (size_t i = 0; i < ACRE_SAFETY_STEPS; i++)
        cell_set_real(o, acre_safety_step_name(i), s.ns[i]);
    cell_set_status(o, s.status);
    return 0;
}

static const struct {
    const char *name;
    cell_engine *run;
    int needs_trace;
} cell_engines[] = {
    {"replay", cell_replay, 1},
    {"fit", cell_fit, 1},
    {"verify", cell_verify, 1},
    {"timeline", cell_timeline, 1},
    {"live_cost", cell_live_cost, 0},
    {"safety", cell_safety, 1},
    {"latency", cell_latency, 1},
    {"procs", cell_procs, 0},
    {"procs_replay", cell_procs_replay, 1},
    {"together", cell_together, 1},
};
enum { CELL_ENGINES = sizeof cell_engines / sizeof *cell_engines };

/* The image ---------------------------------------------------------------------------------- */

/* Made by a child into a file that nobody sees: the trace's reader shall leave nothing behind in
 * this process's malloc. */
static int cell_make_image(cell *c, acre_image *m)
{
    char path[] = "/tmp/acre-image-XXXXXX";
    acre_trace_error e;
    const char *file = cell_text(c, "file");
    int fd = file ? mkstemp(path) : -1;
    if (fd < 0)
        return cell_fail(c,
                         file ? "no temporary file can be made" : "the plan names no trace file");
    close(fd);
    int code = acre_image_compile_file(path, file, cell_number(c, "max_ops"), &e);
    if (code)
        cell_fail(c, "%s", e.text);
    else if ((code = acre_image_load(m, path)))
        cell_fail(c, "%s: %s", path, strerror(code));
    unlink(path);
    return code ? EINVAL : 0;
}

static int cell_load_image(cell *c, acre_image *m)
{
    const char *path = cell_text(c, "image");
    int e = path ? acre_image_load(m, path) : ENOENT;
    if (e == ENOENT)
        return cell_make_image(c, m);
    return e ? cell_fail(c, "%s: %s", path, e == EBADMSG ? "damaged image" : strerror(e)) : 0;
}

/* Reading and writing ------------------------------------------------------------------------ */

static int cell_parse(cell *c, const char *line)
{
    json_error_t e;
    c->plan = json_loads(line, 0, &e);
    if (!c->plan)
        return cell_fail(c, "plan: %s", *line ? e.text : "empty");
    if (!json_is_object(c->plan))
        return cell_fail(c, "plan: not an object");
    const char *spec = cell_text(c, "algorithm");
    if (!spec)
        return cell_fail(c, "plan: no \"algorithm\"");
    return acre_contender_explain(&c->contender, spec, c->error, c->error_size) ? EINVAL : 0;
}

static int cell_write(cell *c, const json_t *result)
{
    const char *path = cell_text(c, "out");
    char part[4096];
    if (!path) {
        json_dumpf(result, stdout, JSON_COMPACT);
        putchar('\n');
        return fflush(stdout) ? cell_fail(c, "standard output: %s", strerror(errno)) : 0;
    }
    snprintf(part, sizeof part, "%s.%ld", path, (long)getpid());
    FILE *f = fopen(part, "w");
    int bad = !f || json_dumpf(result, f, JSON_COMPACT) || fputc('\n', f) == EOF;
    if ((f && fclose(f)) || bad || rename(part, path)) {
        cell_fail(c, "%s: %s", path, strerror(errno));
        unlink(part);
        return EIO;
    }
    return 0;
}

static json_t *cell_result(const cell *c, const char *engine)
{
    static const char *const copied[] = {"trace", "algorithm", "block", "position"};
    json_t *o = json_object();
    cell_set_text(o, "kind", engine);
    for (size_t i = 0; i < sizeof copied / sizeof *copied; i++)
        cell_copy(c, o, copied[i]);
    return o;
}

static int cell_measure(cell *c, size_t engine)
{
    acre_image m = {0};
    int e = cell_engines[engine].needs_trace ? cell_load_image(c, &m) : 0;
    if (e)
        return e;
    json_t *result = cell_result(c, cell_engines[engine].name);
    e = cell_engines[engine].run(c, &m, result);
    if (!e)
        e = cell_write(c, result);
    json_decref(result);
    acre_image_unmap(&m);
    return e;
}

static int cell_run(cell *c, const char *line)
{
    int e = cell_parse(c, line);
    const char *engine = e ? NULL : cell_text(c, "engine");
    if (e)
        return e;
    for (size_t i = 0; i < CELL_ENGINES; i++)
        if (engine && strcmp(engine, cell_engines[i].name) == 0)
            return cell_measure(c, i);
    return cell_fail(c, "unknown engine '%s'", engine ? engine : "");
}

int acre_cell_run(const char *line, char *error, size_t size)
{
    cell c = {.error = error, .error_size = size};
    int e = cell_run(&c, line);
    json_decref(c.plan);
    return e;
}

/* The right process -------------------------------------------------------------------------- */

static void cell_pin(const cell *c)
{
    cpu_set_t set;
    if (!json_is_integer(json_object_get(c->plan, "cpu")))
        return;
    CPU_ZERO(&set);
    CPU_SET(cell_number(c, "cpu") % CPU_SETSIZE, &set);
    sched_setaffinity(0, sizeof set, &set); /* refused: measured all the same */
}

static void cell_lengthen_environment(const cell *c)
{
    size_t n = cell_number(c, "pad");
    char *pad = n < 1 << 16 ? malloc(n + 1) : NULL;
    if (!pad)
        return;
    memset(pad, '.', n);
    pad[n] = '\0';
    setenv("ACRE_PAD", pad, 1);
    free(pad);
}

static int cell_prepare(cell *c, const char *line)
{
    int e = cell_parse(c, line);
    if (e || getenv(ACRE_CELL_VARIABLE))
        return e;
    if (acre_contender_missing(&c->contender, c->error, c->error_size))
        return EINVAL;
    setenv(ACRE_CELL_VARIABLE, "1", 1);
    if (c->contender.library)
        setenv("LD_PRELOAD", c->contender.library, 1);
    cell_lengthen_environment(c);
    cell_pin(c);
    execl("/proc/self/exe", "acre", "cell", line, (char *)NULL);
    return cell_fail(c, "no worker can be started: %s", strerror(errno));
}

int acre_cell_prepare(const char *line, char *error, size_t size)
{
    cell c = {.error = error, .error_size = size};
    int e = cell_prepare(&c, line);
    json_decref(c.plan);
    return e;
}
