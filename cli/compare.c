/* SPDX-License-Identifier: MIT */
/* compare.c: `acre compare`: all traces on everything, ranked. */
#include "cli/cli.h"

#include "bench/compare.h"
#include "bench/report.h"

#include <argp.h>
#include <errno.h>
#include <glob.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char compare_doc[] =
    "Replay traces on all memory algorithms and baselines, rank them, and write the report."
    "\vWithout a TRACE the bundled ones are taken; traces/held-out/*.acr are those that nothing was tuned on.  "
    "DIR gets results.jsonl and index.html.  "
    "Interrupted, or planned only, it is continued by --resume DIR; the lines of DIR/plan.jsonl "
    "may also be run by `acre cell` anywhere.";

enum { COMPARE_PLAN = 1000, COMPARE_RESUME, COMPARE_QUICK, COMPARE_BLOCKS };

static const struct argp_option compare_options[] = {
    {NULL, 'a', "NAME[,NAME]", 0, "Contenders, sweeps as in replay (default: all, see `acre algorithms`)", 0},
    {NULL, 'o', "DIR", 0, "Where results go (default build/report)", 0},
    {"quick", COMPARE_QUICK, NULL, 0, "Fewer blocks, and traces cut: for a first look", 0},
    {"blocks", COMPARE_BLOCKS, "N", 0, "Runs of each contender on each trace", 0},
    {"plan-only", COMPARE_PLAN, NULL, 0, "Write DIR/plan.jsonl and stop", 0},
    {"resume", COMPARE_RESUME, "DIR", 0, "Go on with what is there; results are kept", 0},
    {0}};

typedef struct compare_args {
    acre_compare_options o;
    bool plan_only, resume;
    glob_t found;
} compare_args;

static volatile int compare_interrupted;

static void compare_on_signal(int signal)
{
    (void)signal;
    compare_interrupted = 1;
}

static unsigned compare_blocks(const char *arg, struct argp_state *state)
{
    char *end;
    unsigned long n = strtoul(arg, &end, 10);
    if (!*arg || *end || n < 1 || n > 10000)
        argp_error(state, "'%s' is not a number from 1 to 10000", arg);
    return (unsigned)n;
}

static error_t compare_option(int key, char *arg, struct argp_state *state)
{
    compare_args *a = state->input;
    switch (key) {
    case 'a':
        a->o.algorithms = arg;
        break;
    case 'o':
        a->o.dir = arg;
        break;
    case COMPARE_QUICK:
        a->o.quick = true;
        break;
    case COMPARE_BLOCKS:
        a->o.blocks = compare_blocks(arg, state);
        break;
    case COMPARE_PLAN:
        a->plan_only = true;
        break;
    case COMPARE_RESUME:
        a->resume = true;
        a->o.dir = arg;
        break;
    case ARGP_KEY_ARGS:
        a->o.traces = (const char *const *)state->argv + state->next;
        a->o.n_traces = (size_t)(state->argc - state->next);
        break;
    case ARGP_KEY_END:
        if (a->resume && (a->o.n_traces || a->o.algorithms || a->o.quick || a->plan_only))
            argp_error(state, "--resume goes on with the plan in its directory; it takes no other");
        break;
    default:
        return ARGP_ERR_UNKNOWN;
    }
    return 0;
}

/* The bundled traces: here, or beside the build directory that the executable lies in. */
static int compare_find_traces(compare_args *a)
{
    static const char *const where[] = {"traces", "../traces", "../../traces"};
    char self[PATH_MAX] = "", pattern[PATH_MAX + 64];
    if (a->o.n_traces || a->resume)
        return 0;
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    if (n > 0)
        *strrchr(self, '/') = '\0';
    for (size_t i = 0; i < 3; i++) {
        snprintf(pattern, sizeof pattern, "%s%s%s/*.acr", i ? self : "", i ? "/" : "", where[i]);
        if (glob(pattern, 0, NULL, &a->found) == 0) {
            a->o.traces = (const char *const *)a->found.gl_pathv;
            a->o.n_traces = a->found.gl_pathc;
            return 0;
        }
    }
    return cli_fail("no bundled traces (traces/*.acr) are found; name some");
}

/* Ctrl-C ends the running cell; what is done stays. */
static void compare_catch_signals(void)
{
    struct sigaction s = {.sa_handler = compare_on_signal};
    sigaction(SIGINT, &s, NULL);
    sigaction(SIGTERM, &s, NULL);
}

static int compare_go(compare_args *a)
{
    char error[1024] = "";
    int e = a->resume ? 0 : acre_compare_plan(&a->o, error, sizeof error);
    if (!e && a->plan_only)
        return 0;
    if (!e)
        e = acre_compare_run(&a->o, &compare_interrupted, error, sizeof error);
    if (e == EINTR) {
        fputc('\n', stderr);
        cli_fail("interrupted; go on with: acre compare --resume %s", a->o.dir);
        return CLI_FAILED;
    }
    if (!e)
        e = acre_compare_merge(&a->o, error, sizeof error);
    if (e)
        return cli_fail("%s", error);
    e = acre_report_write(a->o.dir, stdout);
    if (*acre_report_message())
        cli_fail("%s", acre_report_message());
    return e ? CLI_USAGE : 0;
}

int cmd_compare(int argc, char **argv)
{
    static const struct argp argp = {
        compare_options, compare_option, "[TRACE…]", compare_doc, NULL, NULL, NULL};
    compare_args a = {.o = {.dir = "build/report", .progress = cli_progress}};
    char *command = cli_command(argc, argv);
    a.o.command = command ? command : "acre compare";
    argp_err_exit_status = CLI_USAGE;
    int e = argp_parse(&argp, argc, argv, 0, NULL, &a) ? CLI_USAGE : compare_find_traces(&a);
    if (!e) {
        compare_catch_signals();
        e = compare_go(&a);
    }
    globfree(&a.found);
    free(command);
    return e;
}
