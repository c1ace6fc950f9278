/* SPDX-License-Identifier: MIT */
/* tune_check.c: what the tuned classes do in replays, beside the algorithm's own. */
#include "cli/cli.h"
#include "cli/tune_tools.h"

#include "bench/worker.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { CHECK_OWN, CHECK_TUNED, CHECK_BOTH };

static void check_print_number(double x, int digits)
{
    if (isfinite(x))
        printf(" %10.*f", digits, x);
    else
        printf(" %10s", "-");
}

static void check_print(const tune_args *a, const tune_measured *m)
{
    acre_tune_point own = tune_mean(m, a->n_traces, CHECK_BOTH, CHECK_OWN),
                    tuned = tune_mean(m, a->n_traces, CHECK_BOTH, CHECK_TUNED);
    printf("  %-24s %10s %10s %10s %10s\n", "replays", "ns", "ns tuned", "s_min", "tuned");
    for (size_t t = 0; t < a->n_traces; t++, m += CHECK_BOTH) {
        char name[256];
        acre_trace_name(a->traces[t], name, sizeof name);
        printf("  %-24s", name);
        check_print_number(m[CHECK_OWN].ns, 2);
        check_print_number(m[CHECK_TUNED].ns, 2);
        check_print_number(m[CHECK_OWN].s_min, 4);
        check_print_number(m[CHECK_TUNED].s_min, 4);
        putchar('\n');
    }
    printf("  %-24s", "geometric mean");
    check_print_number(own.time, 3);
    check_print_number(tuned.time, 3);
    check_print_number(own.memory, 4);
    check_print_number(tuned.memory, 4);
    printf("   (ns: as it is = 1; s_min: of peak live)\n\n");
}

static void check_set(json_t *o, const char *key, double x)
{
    json_object_set_new(o, key, isfinite(x) ? json_real(x) : json_null());
}

static json_t *check_json_trace(const char *file, const tune_measured *m)
{
    char name[256];
    acre_trace_name(file, name, sizeof name);
    json_t *o = json_pack("{s:s}", "trace", name);
    check_set(o, "ns_standard", m[CHECK_OWN].ns);
    check_set(o, "ns_tuned", m[CHECK_TUNED].ns);
    check_set(o, "s_min_standard", m[CHECK_OWN].s_min);
    check_set(o, "s_min_tuned", m[CHECK_TUNED].s_min);
    return o;
}

static json_t *check_json(const tune_args *a, const tune_measured *m)
{
    acre_tune_point own = tune_mean(m, a->n_traces, CHECK_BOTH, CHECK_OWN),
                    tuned = tune_mean(m, a->n_traces, CHECK_BOTH, CHECK_TUNED);
    json_t *o = json_object(), *traces = json_array();
    check_set(o, "time", tuned.time);
    check_set(o, "s_min_standard", own.memory);
    check_set(o, "s_min_tuned", tuned.memory);
    for (size_t t = 0; t < a->n_traces; t++)
        json_array_append_new(traces, check_json_trace(a->traces[t], m + t * CHECK_BOTH));
    json_object_set_new(o, "traces", traces);
    return o;
}

int tune_check(const tune_args *a, const tune_found *f, json_t *o)
{
    const char *const specs[CHECK_BOTH] = {a->algorithm, f->tuned};
    tune_measured *m = calloc(a->n_traces * CHECK_BOTH, sizeof *m);
    if (!m)
        return cli_fail("%s", strerror(ENOMEM));
    int e = tune_measure(a, specs, CHECK_BOTH, m);
    if (!e && o)
        json_object_set_new(o, "check", check_json(a, m));
    else if (!e)
        check_print(a, m);
    free(m);
    return e;
}
