/* SPDX-License-Identifier: MIT */
/* tune.c: `acre tune`: size classes and parameters for what was recorded. */
#include "cli/cli.h"
#include "cli/tune_tools.h"

#include <acre/alloc.h>

#include "bench/report.h"
#include "traces/trace.h"

#include <argp.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Unless told otherwise. */
#define TUNE_SERVE_MOST 0.99

static const char tune_doc[] =
    "Derive from traces the size classes that waste least, or with --params the parameters of an "
    "algorithm.  Traces are .acr archives or any format that can be imported; each weighs the same."
    "\vThe last line is a contender for `acre replay -a`, and what acre_spec_parse() takes.  "
    "Wasted is what blocks take beyond what was asked for, headers of "
    "blocks that stand "
    "alone included; percentages are of the peak of live bytes.  `left out` is how a trace does "
    "with the "
    "table made for all the others: what a program gets that was not recorded.\n\n"
    "--params needs no classes: it replays the algorithm with each parameter at its standard, half "
    "and "
    "double of it (all values if there are at most five), or at the alternatives that are named as "
    "in `replay` (-a 'adaptive_pools:nodes=4|8|16'; what is named with one value stays), and "
    "prints those that are not beaten in both time and smallest segment.";

enum {
    TUNE_LARGEST = 1000,
    TUNE_SERVE,
    TUNE_SMOOTH,
    TUNE_WEIGHT,
    TUNE_SWEEP,
    TUNE_CHECK,
    TUNE_PARAMS,
    TUNE_JSON,
    TUNE_SPEC,
    TUNE_PNG
};

static const struct argp_option tune_options[] = {
    {NULL, 'a', "ALGORITHM", 0, "What is tuned, options as in replay (default: sharded)", 0},
    {"classes", 'n', "N", 0, "Size classes, at most (default: as many as the algorithm has)", 0},
    {"largest", TUNE_LARGEST, "BYTES", 0,
     "No class is larger (default: what the algorithm takes), nor counts what is", 0},
    {"serve", TUNE_SERVE, "PERCENT", 0,
     "Of the objects born up to that size so many have a class (default: as many as the "
     "algorithm's own "
     "serve, at most 99): others stand alone, which may need less memory but takes longer",
     0},
    {"smooth", TUNE_SMOOTH, "PERCENT", 0,
     "What no trace has counts so much: the same live bytes of every size (default: what is best "
     "for traces that "
     "are left out; 0 if there is one trace)",
     0},
    {"weight", TUNE_WEIGHT, "held|peak|mean", 0,
     "Objects count that are live when their class has most (default: what the smallest segment "
     "depends "
     "on); when most bytes are live; or all, by the time they live",
     0},
    {"sweep", TUNE_SWEEP, NULL, 0, "Print the waste of each number of classes, 4 to 40", 0},
    {"check", TUNE_CHECK, NULL, 0,
     "Replay the algorithm with its own and with the tuned classes: time and smallest segment", 0},
    {"fit", TUNE_CHECK, NULL, OPTION_ALIAS, NULL, 0},
    {"params", TUNE_PARAMS, NULL, 0, "Tune parameters instead, by replays", 0},
    {"repeat", 'r', "N", 0, "With --check and --params: the least time of so many runs (default 1)",
     0},
    {"spec", TUNE_SPEC, NULL, 0, "Print the last line alone", 0},
    {"json", TUNE_JSON, NULL, 0, "One JSON object", 0},
    {NULL, 'o', "DIR", 0, "Draw DIR/data/tune-waste.svg and tune-sizes.svg", 0},
    {"png", TUNE_PNG, NULL, 0, "And the same as PNG", 0},
    {0}};

static unsigned long tune_number(const char *arg, unsigned long least, unsigned long most,
                                 struct argp_state *state)
{
    char *end;
    unsigned long n = strtoul(arg, &end, 10);
    if (*arg < '0' || *arg > '9' || *end || n < least || n > most)
        argp_error(state, "'%s' is not a number from %lu to %lu", arg, least, most);
    return n;
}

static double tune_percent(const char *arg, double most, struct argp_state *state)
{
    char *end;
    double x = strtod(arg, &end);
    if (!*arg || *end || !(x >= 0 && x <= most))
        argp_error(state, "'%s' is not a number from 0 to %g", arg, most);
    return x / 100;
}

static enum acre_tune_weight tune_weight(const char *arg, struct argp_state *state)
{
    for (size_t i = 0; i < ACRE_TUNE_WEIGHTS; i++)
        if (strcmp(arg, acre_tune_weight_name(i)) == 0)
            return (enum acre_tune_weight)i;
    argp_error(state, "weight is held, peak or mean, not '%s'", arg);
    return ACRE_TUNE_PEAK;
}

/* What does not go together. */
static void tune_agree(const tune_args *a, struct argp_state *state)
{
    bool classes = a->classes || a->largest || a->serve >= 0 || a->smooth >= 0 || a->sweep ||
                   a->check || a->dir;
    if (a->params && classes)
        argp_error(state, "--params is about no classes");
    if (a->spec_only && (a->json || a->sweep || a->check || a->params))
        argp_error(state, "--spec prints one line alone");
    if (a->png && !a->dir)
        argp_error(state, "--png needs -o DIR");
}

static error_t tune_option(int key, char *arg, struct argp_state *state)
{
    tune_args *a = state->input;
    switch (key) {
    case 'a':
        a->algorithm = arg;
        break;
    case 'n':
        a->classes = (unsigned)tune_number(arg, 1, ACRE_CLASSES - 1, state);
        break;
    case 'r':
        a->repeat = (unsigned)tune_number(arg, 1, 1000, state);
        break;
    case 'o':
        a->dir = arg;
        break;
    case TUNE_LARGEST:
        a->largest = (uint32_t)tune_number(arg, ACRE_TUNE_UNIT, ACRE_TUNE_LARGEST, state);
        if (a->largest % ACRE_TUNE_UNIT)
            argp_error(state, "'%s' is not a multiple of %d", arg, ACRE_TUNE_UNIT);
        break;
    case TUNE_SERVE:
        a->serve = tune_percent(arg, 100, state);
        break;
    case TUNE_SMOOTH:
        a->smooth = tune_percent(arg, 10000, state);
        break;
    case TUNE_WEIGHT:
        a->weight = tune_weight(arg, state);
        break;
    case TUNE_SWEEP:
        a->sweep = true;
        break;
    case TUNE_CHECK:
        a->check = true;
        break;
    case TUNE_PARAMS:
        a->params = true;
        break;
    case TUNE_JSON:
        a->json = true;
        break;
    case TUNE_SPEC:
        a->spec_only = true;
        break;
    case TUNE_PNG:
        a->png = true;
        break;
    case ARGP_KEY_ARGS:
        a->traces = state->argv + state->next;
        a->n_traces = (size_t)(state->argc - state->next);
        break;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "no trace is named");
        break;
    case ARGP_KEY_END:
        tune_agree(a, state);
        break;
    default:
        return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

/* ---- what the traces need ---- */

static int tune_read_one(const tune_args *a, const char *file, acre_tune_costs *c)
{
    acre_image m;
    acre_tune_need need;
    acre_trace_error error;
    if (acre_image_compile(&m, file, 0, &error))
        return cli_fail("%s", error.text);
    int e = acre_tune_need_of(&m, a->weight, &need);
    acre_image_unmap(&m);
    if (!e) {
        e = acre_tune_costs_init(c);
        if (!e)
            acre_tune_costs_of(c, &need);
        acre_tune_need_release(&need);
    }
    return e ? cli_fail("%s: %s", file, strerror(e)) : 0;
}

static int tune_read(const tune_args *a, tune_found *f)
{
    f->each = calloc(a->n_traces, sizeof *f->each);
    if (!f->each || acre_tune_costs_init(&f->all))
        return cli_fail("%s", strerror(ENOMEM));
    for (size_t i = 0; i < a->n_traces; i++) {
        cli_progress("reading", i, a->n_traces);
        int e = tune_read_one(a, a->traces[i], &f->each[i]);
        if (e)
            return e;
        acre_tune_costs_add(&f->all, &f->each[i], 1);
    }
    cli_progress("reading", a->n_traces, a->n_traces);
    return 0;
}

/* ---- which table is best ---- */

/* So that tuned and own classes are as fast: who has no class takes longer. */
static double tune_serve(const tune_found *f)
{
    const acre_tune_table *own = &f->limits.standard;
    uint32_t last = own->n ? own->size[own->n - 1] : 0, largest = f->question.largest;
    size_t served = (last < largest ? last : largest) / ACRE_TUNE_UNIT;
    double born = f->all.born[largest / ACRE_TUNE_UNIT];
    double part = born > 0 ? f->all.born[served] / born : 0;
    return part < TUNE_SERVE_MOST ? part : TUNE_SERVE_MOST;
}

/* Each trace under the table of the others, and the mean. */
static int tune_leave_out(const tune_args *a, tune_found *f)
{
    int e = acre_tune_left_out(f->each, a->n_traces, &f->question, f->left_out);
    for (size_t k = 1; k <= f->question.most; k++) {
        f->left_out_mean[k] = 0;
        for (size_t i = 0; i < a->n_traces; i++)
            f->left_out_mean[k] +=
                f->left_out[i * (f->question.most + 1) + k] / (double)a->n_traces;
    }
    return e;
}

/* How much of what no trace has helps a trace that is left out: the most of those that are within a hundredth
 * of the best. */
static int tune_smooth(const tune_args *a, tune_found *f)
{
    static const double tried[] = {0, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1};
    enum { TRIED = sizeof tried / sizeof *tried };
    double waste[TRIED], least = INFINITY;
    for (size_t i = 0; i < TRIED; i++) {
        f->question.smooth = tried[i];
        int e = tune_leave_out(a, f);
        if (e)
            return e;
        waste[i] = f->left_out_mean[f->classes];
        least = waste[i] < least ? waste[i] : least;
    }
    for (size_t i = 0; i < TRIED; i++)
        if (waste[i] <= least * 1.01)
            f->question.smooth = tried[i];
    return 0;
}

static int tune_solve_left_out(const tune_args *a, tune_found *f)
{
    f->question.smooth = a->smooth > 0 ? a->smooth : 0;
    if (a->n_traces < 2)
        return 0;
    f->left_out = calloc(a->n_traces * (f->question.most + 1), sizeof *f->left_out);
    if (!f->left_out)
        return ENOMEM;
    int e = a->smooth < 0 ? tune_smooth(a, f) : 0;
    return e ? e : tune_leave_out(a, f);
}

static int tune_solve(const tune_args *a, tune_found *f)
{
    f->question.serve = a->serve < 0 ? tune_serve(f) : a->serve;
    if (f->all.asked[f->question.largest / ACRE_TUNE_UNIT] <= 0)
        return cli_fail("nothing of at most %u bytes is live when it counts", f->question.largest);
    int e = tune_solve_left_out(a, f);
    if (!e)
        e = acre_tune_solve(&f->all, &f->question, f->solved);
    if (e)
        return cli_fail("%s", strerror(e));
    if (!acre_tune_spec(a->algorithm, &f->solved[f->classes], f->tuned))
        return cli_fail("%s: with the tuned classes it is too long", a->algorithm);
    return 0;
}

/* ---- what is tuned ---- */

static int tune_limits_fail(const char *algorithm, int e)
{
    if (e == ENOTSUP)
        return cli_fail("%s has no size classes (--params tunes parameters)", algorithm);
    return cli_fail("%s: %s", algorithm, acre_strerror(e));
}

static int tune_limit(const tune_args *a, tune_found *f)
{
    acre_contender c;
    const acre_algorithm *algorithm;
    acre_heap_options o;
    char reason[512];
    if (acre_contender_explain(&c, a->algorithm, reason, sizeof reason))
        return cli_fail("%s", reason);
    if (c.family != ACRE_FAMILY_ACRE || acre_spec_parse(a->algorithm, &algorithm, &o))
        return cli_fail("%s: no algorithm of acre's", a->algorithm);
    int e = acre_tune_limits_of(algorithm, &o, &f->limits);
    if (e)
        return tune_limits_fail(c.name, e);
    f->question = (acre_tune_question){.most = f->limits.most,
                                       .largest = a->largest ? a->largest : f->limits.largest,
                                       .serve = a->serve};
    f->classes = a->classes ? a->classes : f->limits.standard.n;
    if (f->question.largest > f->limits.largest)
        return cli_fail("%s takes no class above %u bytes", c.name, f->limits.largest);
    if (f->classes > f->question.most)
        return cli_fail("%s takes no more than %zu classes", c.name, f->question.most);
    return 0;
}

/* ---- all ---- */

static int tune_draw(const tune_args *a, const tune_found *f)
{
    char name[ACRE_SPEC_MAX];
    snprintf(name, sizeof name, "%.*s", (int)strcspn(a->algorithm, ":"), a->algorithm);
    acre_tune_picture p = {.algorithm = name,
                           .weight = acre_tune_weight_name(a->weight),
                           .command = a->command,
                           .costs = &f->all,
                           .limits = &f->limits,
                           .solved = f->solved,
                           .left_out = f->left_out ? f->left_out_mean : NULL,
                           .question = &f->question,
                           .tuned = &f->solved[f->classes]};
    int e = acre_tune_draw(a->dir, &p, a->png);
    if (*acre_report_message())
        cli_fail("%s", acre_report_message());
    return e ? CLI_USAGE : 0;
}

static int tune_tell(const tune_args *a, const tune_found *f)
{
    json_t *o = a->json ? tune_json(a, f) : NULL;
    if (!a->json && !a->spec_only)
        tune_show(a, f);
    int e = a->check ? tune_check(a, f, o) : 0;
    if (o && !e) {
        json_dumpf(o, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER);
        putchar('\n');
    } else if (!e)
        puts(f->tuned);
    json_decref(o);
    return e;
}

static void tune_release(tune_found *f, size_t traces)
{
    for (size_t i = 0; i < traces && f->each; i++)
        acre_tune_costs_release(&f->each[i]);
    acre_tune_costs_release(&f->all);
    free(f->each);
    free(f->left_out);
}

static int tune_classes(const tune_args *a)
{
    tune_found f = {0};
    int e = tune_limit(a, &f);
    if (!e)
        e = tune_read(a, &f);
    if (!e)
        e = tune_solve(a, &f);
    if (!e && a->dir)
        e = tune_draw(a, &f);
    if (!e)
        e = tune_tell(a, &f);
    tune_release(&f, a->n_traces);
    return e;
}

static char *tune_command(int argc, char **argv)
{
    char *text = NULL;
    size_t size;
    FILE *out = open_memstream(&text, &size);
    if (!out)
        return NULL;
    fputs("acre", out);
    for (int i = 0; i < argc; i++)
        fprintf(out, " %s", argv[i]);
    return fclose(out) ? NULL : text;
}

int cmd_tune(int argc, char **argv)
{
    static const struct argp argp = {tune_options, tune_option, "TRACE…", tune_doc,
                                     NULL,         NULL,        NULL};
    char *command = tune_command(argc, argv);
    tune_args a = {.algorithm = "sharded",
                   .serve = -1,
                   .smooth = -1,
                   .weight = ACRE_TUNE_HELD,
                   .repeat = 1,
                   .command = command ? command : "acre tune"};
    argp_err_exit_status = CLI_USAGE;
    int e = argp_parse(&argp, argc, argv, 0, NULL, &a) ? CLI_USAGE
            : a.params                                 ? tune_params(&a)
                                                       : tune_classes(&a);
    free(command);
    return e;
}
