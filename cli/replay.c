/* SPDX-License-Identifier: MIT */
/* replay.c: `acre replay`: run traces on contenders, each run in a fresh process. */
#include "cli/procs_tools.h"
#include "cli/replay_tools.h"

#include "bench/contender.h"
#include "bench/image.h"
#include "bench/procs.h"
#include "bench/replay.h"
#include "bench/worker.h"
#include "traces/trace.h"

#include <argp.h>
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char replay_doc[] =
    "Replay traces on memory algorithms and say how long an operation takes and how much memory is "
    "needed.  Traces are .acr archives or any format that can be imported."
    "\vNAME is one of `acre algorithms`, with options after a colon: "
    "rbtree_best_fit:lock=none,journal=off.  Alternatives are parted by |: "
    "'adaptive_pools:nodes=16|32,overhead=2|5' is four contenders.  Times are nanoseconds an "
    "operation, the harness "
    "(the replay of nothing) included; cold is the first pass on a fresh heap, warm the median of "
    "further passes on the emptied heap.\n\nWith --together one trace is shared out, each operation "
    "done once: ns and ops/s are of all workers by the wall clock, harness the same of nothing; "
    "crossed: frees that another worker did than allocated; waited: part of the workers' time, for "
    "blocks of others; fair: Jain's index of how fast each worked when it did not wait.";

enum {
    REPLAY_WARM = 1000,
    REPLAY_BUDGET,
    REPLAY_FIT,
    REPLAY_VERIFY,
    REPLAY_LATENCY,
    REPLAY_JSON,
    REPLAY_THREADS,
    REPLAY_PROCS,
    REPLAY_TOGETHER,
    REPLAY_LEAD
};

enum { REPLAY_CROSS = 25 /* percent */ };

static const struct argp_option replay_options[] = {
    {NULL, 'a', "NAME[,NAME]", 0, "Algorithms and baselines, sweeps (default: rbtree_best_fit)", 0},
    {"repeat", 'r', "N", 0, "Runs of each, in fresh processes (default 1)", 0},
    {"warm", REPLAY_WARM, "N", 0, "Warm passes of each run, 1 to 64 (default 3)", 0},
    {"touch", 't', "none|line|page|full", 0,
     "What is written to each new block (default line: its first word)", 0},
    {"threads", REPLAY_THREADS, "N", 0,
     "Threads that replay the trace on one heap, each with objects of its own (default 1)", 0},
    {"procs", REPLAY_PROCS, "N", 0, "The same with processes (default 1)", 0},
    {"together", REPLAY_TOGETHER, "threads|PERCENT", OPTION_ARG_OPTIONAL,
     "Workers (threads times procs) replay the trace once, between them, as its threads did; or "
     "objects are dealt out, and PERCENT of frees and reallocs done by another worker.  A free "
     "waits for its allocation.  "
     "Default: threads if the trace has one for each worker, else 25",
     0},
    {"lead", REPLAY_LEAD, "OPS", 0,
     "With --together: operations of the trace that a worker may be ahead of the slowest; 0: one "
     "operation after the other (default: no limit)",
     0},
    {"fit", REPLAY_FIT, NULL, 0,
     "Search the smallest segment in which the trace succeeds (s_min); for mallocs the growth of "
     "resident memory",
     0},
    {"verify", REPLAY_VERIFY, NULL, 0,
     "Fill every block and check contents, alignment and overlap; exit status 1 if it fails", 0},
    {"latency", REPLAY_LATENCY, NULL, 0,
     "Time single operations (to the JSON): p50, p99, p99.9, p99.99, max in ns of a warm pass, and "
     "of each "
     "operation's least over 7 passes, which other processes do not disturb",
     0},
    {"budget", REPLAY_BUDGET, "SECONDS", 0, "Stop each measurement after this time (default 60)",
     0},
    {"json", REPLAY_JSON, NULL, 0, "One JSON object a run", 0},
    {0}};

/* A whole number of [1, most]. */
static unsigned replay_count(const char *arg, unsigned most, struct argp_state *state)
{
    char *end;
    unsigned long n = strtoul(arg, &end, 10);
    if (!*arg || *end || n < 1 || n > most)
        argp_error(state, "'%s' is not a number from 1 to %u", arg, most);
    return (unsigned)n;
}

static double replay_seconds(const char *arg, struct argp_state *state)
{
    char *end;
    double s = strtod(arg, &end);
    if (!*arg || *end || !(s > 0 && s < 1e6))
        argp_error(state, "'%s' is not a time in seconds", arg);
    return s;
}

static int64_t replay_whole(const char *arg, int64_t most, struct argp_state *state)
{
    char *end;
    errno = 0;
    long long n = strtoll(arg, &end, 10);
    if (!*arg || *end || errno || n < 0 || n > most)
        argp_error(state, "'%s' is not a number from 0 to %lld", arg, (long long)most);
    return n;
}

/* How the trace is shared out. */
static void replay_split(replay_args *a, const char *arg, struct argp_state *state)
{
    a->together = true;
    a->split = !arg ? "auto" : strcmp(arg, "threads") ? "objects" : "threads";
    if (arg && strcmp(arg, "threads"))
        a->cross = (unsigned)replay_whole(arg, 100, state);
}

static error_t replay_option(int key, char *arg, struct argp_state *state)
{
    replay_args *a = state->input;
    switch (key) {
    case 'a':
        a->algorithms = arg;
        break;
    case 'r':
        a->repeat = replay_count(arg, 100000, state);
        break;
    case 't':
        a->touch = arg;
        if (acre_touch_parse(arg) < 0)
            argp_error(state, "touch is none, line, page or full, not '%s'", arg);
        break;
    case REPLAY_WARM:
        a->warm = replay_count(arg, ACRE_WARM_MAX, state);
        break;
    case REPLAY_BUDGET:
        a->budget = replay_seconds(arg, state);
        break;
    case REPLAY_THREADS:
        a->threads = replay_count(arg, ACRE_PROCS_MOST, state);
        break;
    case REPLAY_PROCS:
        a->procs = replay_count(arg, ACRE_PROCS_MOST, state);
        break;
    case REPLAY_TOGETHER:
        replay_split(a, arg, state);
        break;
    case REPLAY_LEAD:
        a->lead = replay_whole(arg, INT64_MAX, state);
        break;
    case REPLAY_FIT:
        a->fit = true;
        break;
    case REPLAY_VERIFY:
        a->verify = true;
        break;
    case REPLAY_LATENCY:
        a->latency = true;
        break;
    case REPLAY_JSON:
        a->json = true;
        break;
    case ARGP_KEY_ARGS:
        a->traces = state->argv + state->next;
        a->n_traces = state->argc - state->next;
        break;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "no trace is named");
    /* fall through */
    default:
        return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

/* One cell, its result's fields added to *run.  0, or an exit status. */
static int replay_cell(replay_args *a, json_t *run, const char *engine, const char *algorithm,
                       const char *file)
{
    char name[256], error[256];
    json_t *result;
    acre_trace_name(file, name, sizeof name);
    json_t *plan =
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:I}", "engine", engine, "algorithm",
                  algorithm, "trace", name, "file", file, "image", a->image, "touch", a->touch,
                  "warm", (int)a->warm, "budget_ms", (json_int_t)(a->budget * 1000));
    if (!plan)
        return cli_fail("%s: not a name in UTF-8", file);
    int e = acre_worker_run(plan, &result, error, sizeof error);
    json_decref(plan);
    if (e == EINVAL)
        return CLI_USAGE;
    if (e) {
        cli_fail("%s: %s: %s: %s", file, algorithm, engine, error);
        return CLI_FAILED;
    }
    json_object_update_missing(run, result);
    if (strcmp(engine, "replay"))
        json_object_set_new(run, engine, json_incref(json_object_get(result, "status")));
    if (strcmp(json_string_value(json_object_get(result, "status")), "failed") == 0)
        a->failed = true;
    json_decref(result);
    return 0;
}

double replay_real(const json_t *o, const char *key)
{
    return json_number_value(json_object_get(o, key));
}

static void replay_print_header(void)
{
    printf("%-16s %-38s %10s %8s %8s %8s %12s %9s %9s\n", "trace", "algorithm", "ops", "cold ns",
           "warm ns", "net ns", "peak live", "used/live", "smin/live");
}

void replay_print_number(double x, int width, int digits)
{
    if (x > 0)
        printf(" %*.*f", width, digits, x);
    else
        printf(" %*s", width, "-");
}

static void replay_print(const json_t *run)
{
    double live = replay_real(run, "peak_live"), warm = replay_real(run, "ns_per_op_warm");
    const char *what = json_string_value(json_object_get(run, "what"));
    printf("%-16s %-38s %10.0f", json_string_value(json_object_get(run, "trace")),
           json_string_value(json_object_get(run, "algorithm")), replay_real(run, "ops"));
    replay_print_number(replay_real(run, "ns_per_op_cold"), 8, 2);
    replay_print_number(warm, 8, 2);
    replay_print_number(warm - replay_real(run, "harness_ns_per_op"), 8, 2);
    printf(" %12.0f", live);
    replay_print_number(live > 0 ? replay_real(run, "peak_used") / live : 0, 9, 3);
    replay_print_number(live > 0 ? replay_real(run, "s_min") / live : 0, 9, 3);
    if (strcmp(json_string_value(json_object_get(run, "status")), "ok"))
        printf("  %s after %.0f %%", json_string_value(json_object_get(run, "status")),
               100 * replay_real(run, "share"));
    if (json_object_get(run, "verify"))
        printf("  verify: %s", what ? what : json_string_value(json_object_get(run, "verify")));
    putchar('\n');
}

void replay_print_json(json_t *run)
{
    json_object_del(run, "kind");
    json_dumpf(run, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER);
    putchar('\n');
}

static void replay_show(const replay_args *a, json_t *run)
{
    if (a->json)
        replay_print_json(run);
    else
        replay_print(run);
    fflush(stdout);
}

static bool replay_is_reference(const char *algorithm)
{
    acre_contender c;
    return acre_contender_find(&c, algorithm) == 0 && c.family == ACRE_FAMILY_REFERENCE;
}

static int replay_one(replay_args *a, const char *algorithm, const char *file, double harness,
                      double harness_cold)
{
    json_t *run = json_object();
    int e = replay_cell(a, run, "replay", algorithm, file);
    json_object_set_new(run, "harness_ns_per_op", json_real(harness));
    json_object_set_new(run, "harness_ns_per_op_cold", json_real(harness_cold));
    if (!e && a->fit && !replay_is_reference(algorithm))
        e = replay_cell(a, run, "fit", algorithm, file);
    if (!e && a->latency)
        e = replay_cell(a, run, "latency", algorithm, file);
    if (!e && a->verify)
        e = replay_cell(a, run, "verify", algorithm, file);
    if (!e)
        replay_show(a, run);
    json_decref(run);
    return e;
}

/* Several workers on one heap, each with objects of its own, whole passes for at least this time. */
enum { REPLAY_BESIDE_MS = 1000 };

static int replay_beside(replay_args *a, const char *algorithm, const char *file)
{
    char name[256], error[256];
    json_t *result;
    acre_trace_name(file, name, sizeof name);
    json_t *plan =
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:i, s:i, s:i}", "engine", "procs_replay", "algorithm",
                  algorithm, "trace", name, "file", file, "image", a->image, "processes",
                  (int)a->procs, "threads", (int)a->threads, "duration_ms", REPLAY_BESIDE_MS);
    if (!plan)
        return cli_fail("%s: not a name in UTF-8", file);
    int e = acre_worker_run(plan, &result, error, sizeof error);
    json_decref(plan);
    if (e)
        return e == EINVAL ? CLI_USAGE : cli_fail("%s: %s: %s", file, algorithm, error);
    a->failed |= !procs_show(result, name, a->json);
    json_decref(result);
    return 0;
}

static int replay_all_beside(replay_args *a, const char *file)
{
    int e = 0;
    for (unsigned i = 0; i < a->repeat && !e; i++) {
        char spec[ACRE_SPEC_MAX];
        const char *list = a->algorithms;
        while (!e && acre_contender_next(&list, spec))
            e = replay_beside(a, spec, file);
    }
    return e;
}

static int replay_trace(replay_args *a, const char *file)
{
    acre_trace_error error;
    if (acre_image_compile_file(a->image, file, 0, &error))
        return cli_fail("%s", error.text);
    if (a->together)
        return replay_together(a, file);
    if (a->procs * a->threads > 1)
        return replay_all_beside(a, file);
    json_t *null = json_object();
    int e = replay_cell(a, null, "replay", "null", file);
    double warm = replay_real(null, "ns_per_op_warm"), cold = replay_real(null, "ns_per_op_cold");
    json_decref(null);
    for (unsigned i = 0; i < a->repeat && !e; i++) {
        char spec[ACRE_SPEC_MAX];
        const char *list = a->algorithms;
        while (!e && acre_contender_next(&list, spec))
            e = replay_one(a, spec, file, warm, cold);
    }
    return e;
}

/* The sweeps of option -a written out. */
static int replay_expand(replay_args *a)
{
    char *list;
    int e = acre_contender_expand(a->algorithms, &list);
    if (e)
        return cli_fail("option -a: %s", e == E2BIG ? "too many combinations" : strerror(e));
    a->algorithms = list;
    e = cli_check_algorithms(list);
    if (e)
        free(list);
    return e;
}

/* 0, or an exit status after a message. */
static int replay_check(const replay_args *a)
{
    unsigned workers = a->procs * a->threads;
    if (a->together && (workers < 2 || workers > ACRE_PROCS_MOST))
        return cli_fail("option --together: 2 to %d workers: --threads times --procs",
                        ACRE_PROCS_MOST);
    if (a->lead >= 0 && !a->together)
        return cli_fail("option --lead: only with --together");
    if (workers > 1 && (a->fit || a->latency))
        return cli_fail("options --fit, --latency are of one process with one thread");
    if (workers > 1 && a->verify && !a->together)
        return cli_fail("option --verify is of one process with one thread, or of --together");
    return 0;
}

static void replay_header(const replay_args *a)
{
    if (a->together)
        replay_together_header();
    else if (a->procs * a->threads > 1)
        procs_show_header("trace");
    else
        replay_print_header();
}

int cmd_replay(int argc, char **argv)
{
    static const struct argp argp = {replay_options, replay_option, "TRACE…", replay_doc,
                                     NULL,           NULL,          NULL};
    replay_args a = {.algorithms = "rbtree_best_fit",
                     .repeat = 1,
                     .warm = 3,
                     .procs = 1,
                     .threads = 1,
                     .touch = "line",
                     .cross = REPLAY_CROSS,
                     .lead = -1,
                     .budget = 60};
    argp_err_exit_status = CLI_USAGE;
    if (argp_parse(&argp, argc, argv, 0, NULL, &a))
        return CLI_USAGE;
    int e = replay_check(&a);
    if (!e)
        e = replay_expand(&a);
    if (e)
        return e;
    e = cli_image_file(a.image);
    if (!e && !a.json)
        replay_header(&a);
    for (int i = 0; i < a.n_traces && !e; i++)
        e = replay_trace(&a, a.traces[i]);
    unlink(a.image);
    free((char *)a.algorithms);
    return e ? e : a.failed ? CLI_FAILED : 0;
}
