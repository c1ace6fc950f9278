/* SPDX-License-Identifier: MIT */
/* replay_together.c: `acre replay --together`: workers replay one trace between them. */
#include "cli/replay_tools.h"

#include "bench/contender.h"
#include "bench/worker.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

void replay_together_header(void)
{
    printf("%-16s %-30s %5s %4s %8s %8s %8s %10s %8s %7s %7s %6s %9s %s\n", "trace", "algorithm",
           "procs", "thr", "cold ns", "warm ns", "harness", "ops/s", "crossed", "waited", "split",
           "fair", "used/live", "check");
}

static double together_percent(const json_t *run, const char *part, const char *whole)
{
    double all = replay_real(run, whole);
    return all > 0 ? 100 * replay_real(run, part) / all : 0;
}

static void together_print(const json_t *run)
{
    const char *check = json_string_value(json_object_get(run, "check"));
    const char *status = json_string_value(json_object_get(run, "status"));
    const char *what = json_string_value(json_object_get(run, "what"));
    const char *verify = json_string_value(json_object_get(run, "verify"));
    double live = replay_real(run, "peak_live");
    printf("%-16s %-30s %5.0f %4.0f", json_string_value(json_object_get(run, "trace")),
           json_string_value(json_object_get(run, "algorithm")), replay_real(run, "processes"),
           replay_real(run, "threads"));
    replay_print_number(replay_real(run, "ns_per_op_cold"), 8, 2);
    replay_print_number(replay_real(run, "ns_per_op_warm"), 8, 2);
    replay_print_number(replay_real(run, "harness_ns_per_op"), 8, 2);
    printf(" %10.4g %6.2f %% %5.1f %% %7s %6.3f", replay_real(run, "ops_per_s"),
           together_percent(run, "crossed_frees", "frees"), 100 * replay_real(run, "waited_share"),
           json_string_value(json_object_get(run, "split")), replay_real(run, "fairness"));
    replay_print_number(live > 0 ? replay_real(run, "peak_used") / live : 0, 9, 3);
    printf(" %s", check ? check : "-");
    if (strcmp(status, "ok"))
        printf("  %s", status);
    if (verify)
        printf("  verify: %s", verify);
    if (what)
        printf("%s operation %.0f: %s", verify ? "," : ":", replay_real(run, "op"), what);
    putchar('\n');
}

static json_t *together_plan(const replay_args *a, const char *algorithm, const char *file,
                             bool verify)
{
    char name[256];
    acre_trace_name(file, name, sizeof name);
    json_t *plan = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:i, s:i, s:i, s:s, s:i, s:b, s:I}",
                             "engine", "together", "algorithm", algorithm, "trace", name, "file",
                             file, "image", a->image, "touch", a->touch, "warm",
                             verify ? 1 : (int)a->warm, "processes", (int)a->procs, "threads",
                             (int)a->threads, "split", a->split, "cross", (int)a->cross, "verify",
                             (int)verify, "budget_ms", (json_int_t)(a->budget * 1000));
    if (plan && a->lead >= 0)
        json_object_set_new(plan, "lead", json_integer(a->lead));
    return plan;
}

/* 0 with *result, or an exit status. */
static int together_cell(replay_args *a, const char *algorithm, const char *file, bool verify,
                         json_t **result)
{
    char error[256];
    json_t *plan = together_plan(a, algorithm, file, verify);
    if (!plan)
        return cli_fail("%s: not a name in UTF-8", file);
    int e = acre_worker_run(plan, result, error, sizeof error);
    json_decref(plan);
    if (e)
        return e == EINVAL ? CLI_USAGE : cli_fail("%s: %s: %s", file, algorithm, error);
    const char *status = json_string_value(json_object_get(*result, "status"));
    const char *check = json_string_value(json_object_get(*result, "check"));
    a->failed |= !strcmp(status, "failed") || (check && strcmp(check, "ok"));
    return 0;
}

static int together_verify(replay_args *a, const char *algorithm, const char *file, json_t *run)
{
    json_t *result;
    int e = together_cell(a, algorithm, file, true, &result);
    if (e)
        return e;
    json_object_set(run, "verify", json_object_get(result, "status"));
    if (json_object_get(result, "what")) {
        json_object_set(run, "what", json_object_get(result, "what"));
        json_object_set(run, "op", json_object_get(result, "op"));
    }
    json_decref(result);
    return 0;
}

static int together_one(replay_args *a, const char *algorithm, const char *file,
                        const json_t *harness)
{
    json_t *run;
    int e = together_cell(a, algorithm, file, false, &run);
    if (e)
        return e;
    json_object_set(run, "harness_ns_per_op", json_object_get(harness, "ns_per_op_warm"));
    json_object_set(run, "harness_ns_per_op_cold", json_object_get(harness, "ns_per_op_cold"));
    if (a->verify)
        e = together_verify(a, algorithm, file, run);
    if (!e && a->json)
        replay_print_json(run);
    else if (!e)
        together_print(run);
    fflush(stdout);
    json_decref(run);
    return e;
}

int replay_together(replay_args *a, const char *file)
{
    json_t *harness;
    int e = together_cell(a, "null", file, false, &harness);
    if (e)
        return e;
    for (unsigned i = 0; i < a->repeat && !e; i++) {
        char spec[ACRE_SPEC_MAX];
        const char *list = a->algorithms;
        while (!e && acre_contender_next(&list, spec))
            e = together_one(a, spec, file, harness);
    }
    json_decref(harness);
    return e;
}
