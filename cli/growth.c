/* SPDX-License-Identifier: MIT */
/* growth.c: `acre growth`: what an allocation and a free cost while 10², 10³, … blocks are live. */
#include "cli/cli.h"

#include "bench/contender.h"
#include "bench/worker.h"

#include <argp.h>
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char growth_doc[] =
    "Measure one allocation and one free while 100, 1000, … blocks of random sizes are live, "
    "victims "
    "random, every block replaced twice before the clock counts; each cell in a fresh process."
    "\vWithout -a: each of acre's and Boost's algorithms without lock and journal, jemalloc and "
    "mimalloc.  A cell that does not reach its steady state within the budget is shown as stopped, "
    "and "
    "the algorithm is not tried with more blocks.  Ten million blocks take about 2.5 GB.  --json "
    "prints "
    "lines that `acre report` reads in results.jsonl.";

enum { GROWTH_LEAST = 1000, GROWTH_MOST, GROWTH_BUDGET, GROWTH_JSON };

static const struct argp_option growth_options[] = {
    {NULL, 'a', "NAME[,NAME]", 0, "Contenders, options and sweeps as in replay", 0},
    {"min", GROWTH_LEAST, "N", 0, "Fewest live blocks (default 100)", 0},
    {"max", GROWTH_MOST, "N", 0, "Most live blocks, as 1e7 (default 1e6)", 0},
    {"budget", GROWTH_BUDGET, "SECONDS", 0, "Time for each cell (default 60)", 0},
    {"json", GROWTH_JSON, NULL, 0, "One JSON object a cell", 0},
    {0}};

typedef struct growth_args {
    const char *algorithms;
    double least, most, budget;
    bool json;
    bool failed;
} growth_args;

static double growth_number(const char *arg, double least, double most, struct argp_state *state)
{
    char *end;
    double x = strtod(arg, &end);
    if (!*arg || *end || !(x >= least && x <= most))
        argp_error(state, "'%s' is not a number from %g to %g", arg, least, most);
    return x;
}

static error_t growth_option(int key, char *arg, struct argp_state *state)
{
    growth_args *a = state->input;
    switch (key) {
    case 'a':
        a->algorithms = arg;
        return 0;
    case GROWTH_LEAST:
        a->least = growth_number(arg, 1, 1e9, state);
        return 0;
    case GROWTH_MOST:
        a->most = growth_number(arg, 1, 1e9, state);
        return 0;
    case GROWTH_BUDGET:
        a->budget = growth_number(arg, 0.001, 1e6, state);
        return 0;
    case GROWTH_JSON:
        a->json = true;
        return 0;
    case ARGP_KEY_END:
        if (a->least > a->most)
            argp_error(state, "--min is above --max");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static bool growth_is_wanted(const acre_contender *c)
{
    char reason[256];
    bool other = c->family == ACRE_FAMILY_MALLOC && strcmp(c->name, "jemalloc") &&
                 strcmp(c->name, "mimalloc");
    return !other && !acre_contender_missing(c, reason, sizeof reason);
}

/* What is not installed is left out. */
static char *growth_defaults(void)
{
    char *list = NULL, spec[ACRE_SPEC_MAX];
    size_t size;
    acre_contender c;
    FILE *out = open_memstream(&list, &size);
    for (size_t i = 0; out && acre_contender_at(&c, i); i++)
        if (growth_is_wanted(&c) && acre_contender_bare(&c, spec))
            fprintf(out, "%s%s", ftell(out) > 0 ? "," : "", spec);
    if (out)
        fclose(out);
    return list;
}

static void growth_show(growth_args *a, const char *spec, json_int_t live, json_t *result)
{
    const char *status = json_string_value(json_object_get(result, "status"));
    double ns = json_number_value(json_object_get(result, "ns_per_op"));
    if (a->json) {
        json_dumpf(result, stdout, JSON_COMPACT);
        putchar('\n');
    } else if (ns > 0)
        printf("%-44s %10lld %12.1f\n", spec, (long long)live, ns);
    else
        printf("%-44s %10lld %12s\n", spec, (long long)live, status);
    fflush(stdout);
    a->failed |= strcmp(status, "failed") == 0;
}

/* 0 to go on with more blocks; -1: this contender is done; else an exit status. */
static int growth_cell(growth_args *a, const char *spec, json_int_t live)
{
    char error[256];
    json_t *result;
    json_t *plan = json_pack("{s:s, s:s, s:I, s:I}", "engine", "live_cost", "algorithm", spec,
                             "live", live, "budget_ms", (json_int_t)ceil(a->budget * 1000));
    int e = acre_worker_run(plan, &result, error, sizeof error);
    json_decref(plan);
    if (e == EINVAL)
        return CLI_USAGE;
    if (e) {
        cli_fail("%s: %s", spec, error);
        return CLI_FAILED;
    }
    growth_show(a, spec, live, result);
    e = strcmp(json_string_value(json_object_get(result, "status")), "ok") ? -1 : 0;
    json_decref(result);
    return e;
}

static int growth_contender(growth_args *a, const char *spec)
{
    int e = 0;
    for (double live = a->least; live <= a->most * 1.0001 && !e; live *= 10)
        e = growth_cell(a, spec, (json_int_t)llround(live));
    return e < 0 ? 0 : e;
}

static int growth_run(growth_args *a, const char *list)
{
    char spec[ACRE_SPEC_MAX];
    int e = cli_check_algorithms(list);
    if (!e && !a->json)
        printf("%-44s %10s %12s\n", "ALGORITHM", "LIVE", "NS/PAIR");
    while (!e && acre_contender_next(&list, spec))
        e = growth_contender(a, spec);
    return e;
}

int cmd_growth(int argc, char **argv)
{
    static const struct argp argp = {growth_options, growth_option, "",  growth_doc,
                                     NULL,           NULL,          NULL};
    growth_args a = {.least = 100, .most = 1e6, .budget = 60};
    char *list = NULL;
    argp_err_exit_status = CLI_USAGE;
    if (argp_parse(&argp, argc, argv, 0, NULL, &a))
        return CLI_USAGE;
    int e = 0;
    if (!a.algorithms)
        list = growth_defaults();
    else
        e = acre_contender_expand(a.algorithms, &list);
    if (e || !list)
        return cli_fail("option -a: %s", strerror(e ? e : ENOMEM));
    e = growth_run(&a, list);
    free(list);
    return e ? e : a.failed ? CLI_FAILED : 0;
}
