/* SPDX-License-Identifier: MIT */
/* procs.c: `acre procs`: what processes, or threads, get done together on one heap. */
#include "cli/procs_tools.h"

#include "bench/contender.h"
#include "bench/procs.h"
#include "bench/worker.h"

#include <acre/algorithm.h>
#include <argp.h>
#include <errno.h>
#include <jansson.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char procs_doc[] =
    "Let processes work on one heap together, and say what they get done, how evenly, and whether "
    "the heap is sound afterwards: start at once, work for a while, stop, free everything, check."
    "\vacre's algorithms and Boost's have one segment that all processes share.  A malloc has a "
    "heap "
    "in each process; where a pattern hands blocks from worker to worker its workers are threads "
    "of "
    "one process instead.  OPS/S counts allocations and frees; FAIR is Jain's index, 1 if all did "
    "the "
    "same; USED is the segment's high water, of a malloc the growth of its processes' memory, over "
    "what was live at most.  Exit status 1: a heap was not sound.  -o draws pictures: scaling, "
    "fairness, memory held over memory asked for, false sharing (which needs one worker and "
    "more).\n\nPatterns:\n";

enum { PROCS_SECONDS = 1000, PROCS_THREADS, PROCS_SEGMENT, PROCS_JSON, PROCS_PNG };

static const struct argp_option procs_options[] = {
    {NULL, 'a', "NAME[,NAME]", 0, "Contenders, options and sweeps as in replay; `all` that are installed", 0},
    {NULL, 'o', "DIR", 0, "Keep the results in DIR/procs.jsonl, draw them, and write DIR/procs.html", 0},
    {"png", PROCS_PNG, NULL, 0, "With -o: draw the pictures as DIR/data/NAME.png, too", 0},
    {"procs", 'p', "N[,N]", 0, "Processes (default 1,2)", 0},
    {"threads", PROCS_THREADS, "N", 0, "Threads of each process (default 1)", 0},
    {"pattern", 'P', "NAME[,NAME]", 0, "What they do; `all` (default random)", 0},
    {"seconds", PROCS_SECONDS, "S", 0, "How long (default 1)", 0},
    {"segment", PROCS_SEGMENT, "MIB", 0, "Size of the segment (default 256)", 0},
    {"json", PROCS_JSON, NULL, 0, "One JSON object a run", 0},
    {0}};

typedef struct procs_args {
    const char *algorithms, *patterns, *procs, *dir;
    double threads, seconds, segment;
    bool json, png;
    bool failed;
    procs_keep *keep;
} procs_args;

static double procs_number(const char *arg, double least, double most, struct argp_state *state)
{
    char *end;
    double x = strtod(arg, &end);
    if (!*arg || *end || !(x >= least && x <= most))
        argp_error(state, "'%s' is not a number from %g to %g", arg, least, most);
    return x;
}

static error_t procs_option(int key, char *arg, struct argp_state *state)
{
    procs_args *a = state->input;
    switch (key) {
    case 'a':
        a->algorithms = arg;
        return 0;
    case 'o':
        a->dir = arg;
        return 0;
    case 'p':
        a->procs = arg;
        return 0;
    case 'P':
        a->patterns = arg;
        return 0;
    case PROCS_THREADS:
        a->threads = procs_number(arg, 1, ACRE_PROCS_MOST, state);
        return 0;
    case PROCS_SECONDS:
        a->seconds = procs_number(arg, 0.001, 1e6, state);
        return 0;
    case PROCS_SEGMENT:
        a->segment = procs_number(arg, 1, 1 << 20, state);
        return 0;
    case PROCS_JSON:
        a->json = true;
        return 0;
    case PROCS_PNG:
        a->png = true;
        return 0;
    case ARGP_KEY_END:
        if (a->png && !a->dir)
            argp_error(state, "--png needs -o");
        return 0;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

/* The patterns go behind the text. */
static char *procs_help(int key, const char *text, void *input)
{
    char *whole = NULL;
    size_t n = 0;
    const acre_procs_pattern *p;
    (void)input;
    if (key != ARGP_KEY_HELP_POST_DOC)
        return (char *)(uintptr_t)text;
    FILE *out = open_memstream(&whole, &n);
    fputs(text, out);
    for (size_t i = 0; (p = acre_procs_pattern_at(i)); i++)
        fprintf(out, "  %-18s %s\n", acre_procs_pattern_name(p), acre_procs_pattern_summary(p));
    fclose(out);
    return whole;
}

/* ---- running ---- */

static int procs_one(procs_args *a, const char *spec, const char *pattern, uint32_t processes)
{
    char error[256];
    json_t *result;
    json_t *plan =
        json_pack("{s:s, s:s, s:s, s:I, s:I, s:I, s:I}", "engine", "procs", "algorithm", spec,
                  "pattern", pattern, "processes", (json_int_t)processes, "threads",
                  (json_int_t)a->threads, "duration_ms", (json_int_t)ceil(a->seconds * 1000),
                  "segment", (json_int_t)(a->segment * 1048576));
    int e = acre_worker_run(plan, &result, error, sizeof error);
    json_decref(plan);
    if (e)
        return e == EINVAL ? CLI_USAGE : cli_fail("%s: %s", spec, error);
    a->failed |= !procs_show(result, pattern, a->json);
    procs_keep_add(a->keep, result);
    json_decref(result);
    return 0;
}

/* Of all patterns those are left out, with a word, that so many workers cannot work in. */
static bool procs_skips(const procs_args *a, const char *pattern, unsigned long processes)
{
    unsigned long workers = processes * (unsigned long)a->threads;
    if (strcmp(a->patterns, "all") || workers > ACRE_PROCS_MOST ||
        acre_procs_pattern_suits(acre_procs_pattern_find(pattern), workers))
        return false;
    fprintf(stderr, "acre: %s: left out with %lu: its workers work in pairs\n", pattern, workers);
    return true;
}

/* "1,2,4" */
static int procs_counts(procs_args *a, const char *spec, const char *pattern)
{
    const char *at = a->procs;
    for (int e; *at;) {
        char *end;
        unsigned long n = strtoul(at, &end, 10);
        if (end == at || (*end && *end != ',') || n < 1 || n > ACRE_PROCS_MOST)
            return cli_fail("option --procs: '%s' is not a list of numbers from 1 to %d", a->procs,
                            ACRE_PROCS_MOST);
        e = procs_skips(a, pattern, n) ? 0 : procs_one(a, spec, pattern, (uint32_t)n);
        if (e)
            return e;
        at = *end ? end + 1 : end;
    }
    return 0;
}

static int procs_contenders(procs_args *a, const char *list, const char *pattern)
{
    char spec[ACRE_SPEC_MAX];
    int e = 0;
    while (!e && acre_contender_next(&list, spec))
        e = procs_counts(a, spec, pattern);
    return e;
}

/* The next of "a,b"; false: there is none. */
static bool procs_next_pattern(const char **at, char name[64])
{
    size_t n = strcspn(*at, ",");
    snprintf(name, 64, "%.*s", (int)n, *at);
    *at += n + ((*at)[n] == ',');
    return n > 0;
}

/* All names before the first run. */
static int procs_check_patterns(const char *at)
{
    char name[64];
    if (!strcmp(at, "all"))
        return 0;
    while (procs_next_pattern(&at, name))
        if (!acre_procs_pattern_find(name))
            return cli_fail("option --pattern: unknown pattern '%s'", name);
    return 0;
}

static int procs_patterns(procs_args *a, const char *list)
{
    const acre_procs_pattern *p;
    const char *at = a->patterns;
    char name[64];
    int e = 0;
    bool all = !strcmp(a->patterns, "all");
    if (!a->json)
        procs_show_header("PATTERN");
    for (size_t i = 0; all && !e && (p = acre_procs_pattern_at(i)); i++)
        e = procs_contenders(a, list, acre_procs_pattern_name(p));
    while (!all && !e && procs_next_pattern(&at, name))
        e = procs_contenders(a, list, name);
    return e;
}

/* ---- who ---- */

/* A heap that gives back, and is installed. */
static bool procs_is_wanted(const acre_contender *c)
{
    char reason[256];
    return c->family != ACRE_FAMILY_REFERENCE && !(c->flags & (ACRE_REFERENCE | ACRE_NO_FREE)) &&
           !acre_contender_missing(c, reason, sizeof reason);
}

static char *procs_everybody(void)
{
    char *list = NULL;
    size_t size;
    acre_contender c;
    FILE *out = open_memstream(&list, &size);
    for (size_t i = 0; out && acre_contender_at(&c, i); i++)
        if (procs_is_wanted(&c))
            fprintf(out, "%s%s", ftell(out) > 0 ? "," : "", c.spec);
    if (out)
        fclose(out);
    return list;
}

static int procs_list(const procs_args *a, char **list)
{
    int e = 0;
    if (strcmp(a->algorithms, "all"))
        e = acre_contender_expand(a->algorithms, list);
    else
        *list = procs_everybody();
    return e || *list ? e : ENOMEM;
}

static int procs_kept(procs_args *a, const char *list, int argc, char **argv)
{
    int e = cli_check_algorithms(list);
    if (!e)
        e = procs_check_patterns(a->patterns);
    if (!e && a->dir)
        e = procs_keep_begin(&a->keep, a->dir, argc, argv);
    return e ? e : procs_keep_end(a->keep, procs_patterns(a, list), a->png);
}

int cmd_procs(int argc, char **argv)
{
    static const struct argp argp = {procs_options, procs_option, "",  procs_doc,
                                     NULL,          procs_help,   NULL};
    procs_args a = {.algorithms = "rbtree_best_fit,mimalloc",
                    .patterns = "random",
                    .procs = "1,2",
                    .threads = 1,
                    .seconds = 1,
                    .segment = 256};
    char *list = NULL;
    argp_err_exit_status = CLI_USAGE;
    if (argp_parse(&argp, argc, argv, 0, NULL, &a))
        return CLI_USAGE;
    int e = procs_list(&a, &list);
    if (e)
        return cli_fail("option -a: %s", strerror(e));
    e = procs_kept(&a, list, argc, argv);
    free(list);
    return e ? e : a.failed ? CLI_FAILED : 0;
}
