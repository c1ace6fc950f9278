/* SPDX-License-Identifier: MIT */
/* compare_plan.c: what to measure, in which order.
 *
 * Time: blocks.  A block holds every contender once on every trace, the traces in random order,
 * the contenders of each in random order, each with an environment of random length: what drifts
 * or depends on the place hits all alike, and pairs of one block can be compared.
 * Then the cost of many live blocks, then what is not time. */
#include "bench/compare_internal.h"

#include "bench/contender.h"
#include "bench/fingerprint.h"
#include "bench/image.h"
#include "bench/lab.h"
#include "bench/procs.h"
#include "bench/worker.h"
#include "traces/trace.h"

#include <dirent.h>
#include <acre/algorithm.h>

#include <errno.h>
#include <sched.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum {
    PLAN_CONTENDERS = 64,
    PLAN_PAD = 4096, /* environment grows by less than this */
    PLAN_LIVE_FROM = 100,
    PLAN_PROCS_SEGMENT = 256 << 20,
    PLAN_QUICK_OPS = 100000, /* traces are cut after so many */
};

typedef struct plan {
    const acre_compare_options *o;
    acre_contender contender[PLAN_CONTENDERS];
    size_t n_contenders;
    json_t *head, *cells;
    json_t *traces; /* the head's trace lines */
    uint64_t random;
    int cpu; /* that times are measured on, -1 = any */
    char *error;
    size_t error_size;
} plan;

/* How much of everything. */
typedef struct plan_amount {
    unsigned blocks, warm;
    json_int_t replay_ms, enough_ms, fit_ms, live_ms, timeline_ms, most_live, safety_ms, procs_ms, most_procs;
    size_t safety_traces;
} plan_amount;

static const plan_amount plan_full = {4,    3,     1500,    200,  8000, 2500,
                                      10000, 1000000, 2000, 300, 4,    4};
static const plan_amount plan_quick = {3, 3, 250, 50, 1500, 300, 2000, 10000, 400, 100, 2, 2};

static const plan_amount *plan_amount_of(const plan *p)
{
    return p->o->quick ? &plan_quick : &plan_full;
}

__attribute__((format(printf, 3, 4))) static int plan_fail(plan *p, int code, const char *format,
                                                           ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(p->error, p->error_size, format, args);
    va_end(args);
    return code;
}

/* Contenders --------------------------------------------------------------------------------- */

static int plan_skip(plan *p, const acre_contender *c, const char *reason)
{
    json_array_append_new(p->head, json_pack("{s:s, s:s, s:s}", "kind", "skipped", "algorithm",
                                             c->spec, "reason", reason));
    return 0;
}

static int plan_add_contender(plan *p, const char *spec)
{
    char reason[512];
    acre_contender *c = &p->contender[p->n_contenders];
    if (p->n_contenders == PLAN_CONTENDERS)
        return plan_fail(p, E2BIG, "more than %d contenders", PLAN_CONTENDERS);
    if (acre_contender_explain(c, spec, reason, sizeof reason))
        return plan_fail(p, EINVAL, "%s", reason);
    if (acre_contender_missing(c, reason, sizeof reason))
        return plan_skip(p, c, reason);
    p->n_contenders++;
    return 0;
}

/* A second series of the baseline that ratios refer to. */
static int plan_add_again(plan *p)
{
    for (size_t i = 0; i < p->n_contenders; i++)
        if (strcmp(p->contender[i].spec, "jemalloc") == 0)
            return plan_add_contender(p, "jemalloc(A/A)");
    return 0;
}

static int plan_default_contenders(plan *p)
{
    acre_contender c;
    const char *variant;
    int e = 0;
    for (size_t i = 0; !e && acre_contender_at(&c, i); i++)
        if (strcmp(c.name, "null_call"))
            e = plan_add_contender(p, c.spec);
    for (size_t i = 0; !e && (variant = acre_contender_variant(i)); i++)
        e = acre_contender_find(&c, variant) ? 0 : plan_add_contender(p, variant);
    return e;
}

/* null is always there: it is what the harness costs. */
static int plan_named_contenders(plan *p, const char *list)
{
    char spec[ACRE_SPEC_MAX];
    int e = plan_add_contender(p, "null");
    while (!e && *list) {
        if (!acre_contender_next(&list, spec))
            return plan_fail(p, EINVAL, "option -a: '%s…' is too long", spec);
        if (strcmp(spec, "null"))
            e = plan_add_contender(p, spec);
    }
    return e;
}

/* Sweeps written out. */
static int plan_swept_contenders(plan *p, const char *list)
{
    char *all;
    int e = acre_contender_expand(list, &all);
    if (e)
        return plan_fail(p, e, "option -a: %s", strerror(e));
    e = plan_named_contenders(p, all);
    free(all);
    return e;
}

static int plan_contenders(plan *p)
{
    int e =
        p->o->algorithms ? plan_swept_contenders(p, p->o->algorithms) : plan_default_contenders(p);
    if (!e)
        e = plan_add_again(p);
    for (size_t i = 0; i < p->n_contenders && !e; i++) {
        const acre_contender *c = &p->contender[i];
        json_array_append_new(p->head,
                              json_pack("{s:s, s:s, s:s, s:s, s:i}", "kind", "contender",
                                        "algorithm", c->spec, "summary", c->summary, "family",
                                        acre_family_name(c->family), "order", (int)i));
    }
    return e;
}

/* Traces ------------------------------------------------------------------------------------- */

static const char *plan_program(const char *file, char text[256])
{
    acre_trace *t;
    snprintf(text, 256, "%s", "unknown");
    if (acre_trace_open(&t, file, NULL))
        return text;
    const char *program = acre_trace_meta_get(acre_trace_info_of(t), "program");
    if (program)
        snprintf(text, 256, "%s", program);
    acre_trace_close(t);
    return text;
}

static int plan_trace(plan *p, const char *file)
{
    char name[256], path[COMPARE_PATH], program[256];
    acre_trace_error te;
    acre_image m;
    acre_trace_name(file, name, sizeof name);
    acre__compare_path(path, p->o->dir, "images/%s.img", name);
    if (acre_image_compile_file(path, file, p->o->quick ? PLAN_QUICK_OPS : 0, &te))
        return plan_fail(p, EINVAL, "%s", te.text);
    int e = acre_image_load(&m, path);
    if (e)
        return plan_fail(p, e, "%s: %s", path, strerror(e));
    json_t *line =
        json_pack("{s:s, s:s, s:s, s:s, s:I, s:I, s:b, s:I, s:I, s:s}", "kind", "trace", "trace",
                  name, "file", file, "image", path, "ops", (json_int_t)m.h->n_ops, "trace_ops",
                  (json_int_t)m.h->trace_ops, "cut", m.h->trace_ops > m.h->n_ops, "objects",
                  (json_int_t)m.h->n_objects, "peak_live", (json_int_t)m.h->peak_live, "program",
                  plan_program(file, program));
    acre_image_unmap(&m);
    if (!line)
        return plan_fail(p, EINVAL, "%s: not a name in UTF-8", file);
    json_array_append(p->traces, line);
    json_array_append_new(p->head, line);
    return 0;
}

static int plan_traces(plan *p)
{
    int e = 0;
    for (size_t i = 0; i < p->o->n_traces && !e; i++) {
        p->o->progress("images", i, p->o->n_traces);
        e = plan_trace(p, p->o->traces[i]);
    }
    if (!e)
        p->o->progress("images", p->o->n_traces, p->o->n_traces);
    return e;
}

/* Cells -------------------------------------------------------------------------------------- */

static void plan_shuffle(plan *p, size_t *order, size_t n)
{
    for (size_t i = 0; i < n; i++)
        order[i] = i;
    for (size_t i = n; i > 1; i--) {
        size_t j = acre_lab_random(&p->random) % i, x = order[i - 1];
        order[i - 1] = order[j];
        order[j] = x;
    }
}

/* A cell with what all have; the caller adds the rest. */
static json_t *plan_cell(plan *p, const char *engine, const char *algorithm, const json_t *trace,
                         json_int_t budget_ms)
{
    char out[COMPARE_PATH];
    acre__compare_path(out, p->o->dir, "cells/%05zu.json", json_array_size(p->cells));
    json_t *cell = json_pack("{s:s, s:s, s:I, s:s}", "engine", engine, "algorithm", algorithm,
                             "budget_ms", budget_ms, "out", out);
    if (trace) {
        json_object_set(cell, "trace", json_object_get(trace, "trace"));
        json_object_set(cell, "file", json_object_get(trace, "file"));
        json_object_set(cell, "image", json_object_get(trace, "image"));
        json_object_set_new(cell, "max_ops", json_integer(p->o->quick ? PLAN_QUICK_OPS : 0));
    }
    json_array_append_new(p->cells, cell);
    return cell;
}

/* What measures time has a CPU to itself. */
static void plan_alone(plan *p, json_t *cell)
{
    json_object_set_new(cell, "alone", json_true());
    json_object_set_new(cell, "pad",
                        json_integer((json_int_t)(acre_lab_random(&p->random) % PLAN_PAD)));
    if (p->cpu >= 0)
        json_object_set_new(cell, "cpu", json_integer(p->cpu));
}

static void plan_block_trace(plan *p, unsigned block, const json_t *trace)
{
    size_t order[PLAN_CONTENDERS];
    const plan_amount *amount = plan_amount_of(p);
    plan_shuffle(p, order, p->n_contenders);
    for (size_t i = 0; i < p->n_contenders; i++) {
        json_t *cell =
            plan_cell(p, "replay", p->contender[order[i]].spec, trace, amount->replay_ms);
        json_object_set_new(cell, "block", json_integer(block));
        json_object_set_new(cell, "position", json_integer((json_int_t)i));
        json_object_set_new(cell, "touch", json_string("line"));
        json_object_set_new(cell, "warm", json_integer(amount->warm));
        json_object_set_new(cell, "enough_ms", json_integer(amount->enough_ms));
        plan_alone(p, cell);
    }
}

static int plan_blocks(plan *p)
{
    size_t n = json_array_size(p->traces);
    size_t *order = calloc(n + 1, sizeof *order);
    unsigned blocks = p->o->blocks ? p->o->blocks : plan_amount_of(p)->blocks;
    if (!order)
        return plan_fail(p, ENOMEM, "out of memory");
    for (unsigned block = 0; block < blocks; block++) {
        plan_shuffle(p, order, n);
        for (size_t i = 0; i < n; i++)
            plan_block_trace(p, block, json_array_get(p->traces, order[i]));
    }
    free(order);
    return 0;
}

static bool plan_is_plain(const acre_contender *c)
{
    return !*c->options && !strstr(c->spec, "(A/A)");
}

/* An algorithm is in the list several times, with other options. */
static bool plan_is_first_of_name(const plan *p, size_t i)
{
    for (size_t k = 0; k < i; k++)
        if (strcmp(p->contender[k].name, p->contender[i].name) == 0)
            return false;
    return true;
}

/* What is measured of each algorithm itself: acre's, Boost's, and two mallocs beside them. */
static bool plan_bare(const plan *p, size_t i, char spec[ACRE_SPEC_MAX])
{
    const acre_contender *c = &p->contender[i];
    bool other = c->family == ACRE_FAMILY_MALLOC && strcmp(c->name, "jemalloc") &&
                 strcmp(c->name, "mimalloc");
    return !other && plan_is_first_of_name(p, i) && acre_contender_bare(c, spec);
}

static void plan_live_cost(plan *p)
{
    char spec[ACRE_SPEC_MAX];
    for (json_int_t live = PLAN_LIVE_FROM; live <= plan_amount_of(p)->most_live; live *= 10)
        for (size_t i = 0; i < p->n_contenders; i++) {
            if (!plan_bare(p, i, spec))
                continue;
            json_t *cell = plan_cell(p, "live_cost", spec, NULL, plan_amount_of(p)->live_ms);
            json_object_set_new(cell, "live", json_integer(live));
            plan_alone(p, cell);
        }
}

/* Steps of all of acre's algorithms that have a journal, on traces from all over the list. */
static void plan_safety(plan *p)
{
    size_t n = json_array_size(p->traces), wanted = plan_amount_of(p)->safety_traces;
    for (size_t t = 0; t < n && t < wanted; t++)
        for (size_t i = 0; i < p->n_contenders; i++) {
            const acre_contender *c = &p->contender[i];
            if (c->family != ACRE_FAMILY_ACRE || c->flags & ACRE_CONCURRENT ||
                !plan_is_first_of_name(p, i))
                continue;
            const json_t *trace = json_array_get(p->traces, n > wanted ? t * n / wanted : t);
            plan_alone(p, plan_cell(p, "safety", c->name, trace, plan_amount_of(p)->safety_ms));
        }
}

/* As it is by default, with lock and journal, where many use it: acre's that give back, Boost's best fit,
 * two mallocs. */
static bool plan_is_shared(const acre_contender *c)
{
    static const char *const others[] = {"boost_rbtree_best_fit", "jemalloc", "mimalloc"};
    if (!plan_is_plain(c))
        return false;
    if (c->family == ACRE_FAMILY_ACRE)
        return !(c->flags & (ACRE_NO_FREE | ACRE_REFERENCE));
    for (size_t i = 0; i < sizeof others / sizeof *others; i++)
        if (!strcmp(c->name, others[i]))
            return true;
    return false;
}

static void plan_procs_cell(plan *p, const char *spec, const char *pattern, json_int_t workers)
{
    json_int_t ms = plan_amount_of(p)->procs_ms;
    json_t *cell = plan_cell(p, "procs", spec, NULL, ms);
    json_object_set_new(cell, "pattern", json_string(pattern));
    json_object_set_new(cell, "processes", json_integer(workers));
    json_object_set_new(cell, "threads", json_integer(1));
    json_object_set_new(cell, "duration_ms", json_integer(ms));
    json_object_set_new(cell, "segment", json_integer(PLAN_PROCS_SEGMENT));
    json_object_set_new(cell, "alone", json_true());
}

static void plan_procs(plan *p)
{
    static const char *const pattern[] = {"random",       "larson",        "xmalloc",
                                          "pmdk-w4", "cache-thrash", "cache-scratch"};
    enum { PATTERNS = sizeof pattern / sizeof *pattern };
    for (size_t i = 0; i < p->n_contenders; i++)
        for (int k = 0; k < PATTERNS && plan_is_shared(&p->contender[i]); k++)
            for (json_int_t n = 1; n <= plan_amount_of(p)->most_procs; n *= 2)
                if (acre_procs_pattern_suits(acre_procs_pattern_find(pattern[k]), (uint64_t)n))
                    plan_procs_cell(p, p->contender[i].spec, pattern[k], n);
}

/* On the timeline's trace, of each algorithm itself. */
static void plan_latency(plan *p, const json_t *trace)
{
    char spec[ACRE_SPEC_MAX];
    for (size_t i = 0; i < p->n_contenders && trace; i++)
        if (plan_bare(p, i, spec))
            plan_alone(p, plan_cell(p, "latency", spec, trace, plan_amount_of(p)->timeline_ms));
}

/* References need no room, and a second series shows the same. */
static void plan_fit(plan *p)
{
    for (size_t t = 0; t < json_array_size(p->traces); t++)
        for (size_t i = 0; i < p->n_contenders; i++) {
            const acre_contender *c = &p->contender[i];
            if (c->family != ACRE_FAMILY_REFERENCE && !strstr(c->spec, "(A/A)"))
                plan_cell(p, "fit", c->spec, json_array_get(p->traces, t),
                          plan_amount_of(p)->fit_ms);
        }
}

/* Drawn for one trace: sqlite3's if it is there, else the first. */
static void plan_timeline(plan *p)
{
    json_t *trace = json_array_get(p->traces, 0);
    for (size_t t = 0; t < json_array_size(p->traces); t++)
        if (strstr(acre__compare_text(json_array_get(p->traces, t), "trace"), "sqlite"))
            trace = json_array_get(p->traces, t);
    for (size_t i = 0; i < p->n_contenders && trace; i++)
        if (plan_is_plain(&p->contender[i]) && p->contender[i].family != ACRE_FAMILY_REFERENCE)
            plan_cell(p, "timeline", p->contender[i].spec, trace, plan_amount_of(p)->timeline_ms);
    plan_latency(p, trace);
}

/* The directory ------------------------------------------------------------------------------ */

static int plan_mkdir(plan *p, const char *path)
{
    char part[COMPARE_PATH];
    for (size_t i = 1; path[i - 1]; i++)
        if (path[i] == '/' || path[i] == '\0') {
            snprintf(part, sizeof part, "%.*s", (int)i, path);
            if (mkdir(part, 0777) && errno != EEXIST)
                return plan_fail(p, errno, "%s: %s", part, strerror(errno));
        }
    return 0;
}

/* Makes DIR/NAME and removes files with this ending that an older run left in it. */
static int plan_empty(plan *p, const char *name, const char *ending)
{
    char path[COMPARE_PATH], file[2 * COMPARE_PATH];
    acre__compare_path(path, p->o->dir, "%s", name);
    int e = plan_mkdir(p, path);
    DIR *d = e ? NULL : opendir(path);
    for (struct dirent *x; d && (x = readdir(d));) {
        size_t n = strlen(x->d_name), k = strlen(ending);
        if (n > k && strcmp(x->d_name + n - k, ending) == 0) {
            snprintf(file, sizeof file, "%s/%s", path, x->d_name);
            unlink(file);
        }
    }
    if (d)
        closedir(d);
    return e;
}

/* The last CPU that we may use: the first is where interrupts tend to go. */
static int plan_cpu(void)
{
    cpu_set_t set;
    int last = -1;
    if (sched_getaffinity(0, sizeof set, &set))
        return -1;
    for (int i = 0; i < CPU_SETSIZE; i++)
        if (CPU_ISSET(i, &set))
            last = i;
    return last;
}

static void plan_run_line(plan *p)
{
    char date[64];
    time_t now = time(NULL);
    struct tm t;
    strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S%z", localtime_r(&now, &t));
    json_array_append_new(p->head, json_pack("{s:s, s:s, s:s, s:s, s:b, s:I, s:o}", "kind", "run",
                                             "command", p->o->command, "date", date, "commit",
                                             acre_fingerprint_commit(), "quick", p->o->quick,
                                             "seed", (json_int_t)(p->random >> 1), "fingerprint",
                                             acre_fingerprint()));
}

static int plan_write(plan *p)
{
    char path[COMPARE_PATH];
    acre__compare_path(path, p->o->dir, "head.jsonl");
    int e = acre__compare_write_lines(path, p->head, p->error, p->error_size);
    acre__compare_path(path, p->o->dir, "plan.jsonl");
    return e ? e : acre__compare_write_lines(path, p->cells, p->error, p->error_size);
}

static int plan_make(plan *p)
{
    int e = plan_empty(p, "cells", ".json");
    if (!e)
        e = plan_empty(p, "images", ".img");
    plan_run_line(p);
    if (!e)
        e = plan_contenders(p);
    if (!e)
        e = plan_traces(p);
    if (!e)
        e = plan_blocks(p);
    if (e)
        return e;
    plan_live_cost(p);
    plan_safety(p);
    plan_procs(p);
    plan_fit(p);
    plan_timeline(p);
    return plan_write(p);
}

int acre_compare_plan(const acre_compare_options *o, char *error, size_t size)
{
    plan *p = calloc(1, sizeof *p);
    if (!p)
        return snprintf(error, size, "out of memory"), ENOMEM;
    *p = (plan){.o = o,
                .head = json_array(),
                .cells = json_array(),
                .traces = json_array(),
                .random = acre_lab_now_ns() ^ (uint64_t)time(NULL) << 32,
                .cpu = plan_cpu(),
                .error = error,
                .error_size = size};
    int e = plan_make(p);
    json_decref(p->head);
    json_decref(p->cells);
    json_decref(p->traces);
    free(p);
    return e;
}
