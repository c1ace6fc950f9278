/* SPDX-License-Identifier: MIT */
/* tune_measure.c: replays of contenders that are to be compared, each run in a fresh process. */
#include "cli/cli.h"
#include "cli/tune_tools.h"

#include "bench/image.h"
#include "bench/stats.h"
#include "bench/worker.h"
#include "traces/trace.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Passes on the emptied heap, and time for each measurement. */
enum { MEASURE_WARM = 3, MEASURE_BUDGET_MS = 60000 };

typedef struct measure {
    const tune_args *a;
    char image[64];
    const char *file;
    size_t done, total;
} measure;

/* One cell.  0 with the result, the caller's; or an exit status. */
static int measure_cell(measure *m, const char *engine, const char *spec, json_t **result)
{
    char name[256], error[256];
    acre_trace_name(m->file, name, sizeof name);
    cli_progress("replays", m->done++, m->total);
    json_t *plan = json_pack("{s:s, s:s, s:s, s:s, s:s, s:i, s:i}", "engine", engine, "algorithm",
                             spec, "trace", name, "file", m->file, "image", m->image, "warm",
                             MEASURE_WARM, "budget_ms", MEASURE_BUDGET_MS);
    if (!plan)
        return cli_fail("%s: not a name in UTF-8", m->file);
    int e = acre_worker_run(plan, result, error, sizeof error);
    json_decref(plan);
    if (e == EINVAL)
        return CLI_USAGE;
    if (e) {
        cli_fail("%s: %s: %s: %s", m->file, spec, engine, error);
        return CLI_FAILED;
    }
    return 0;
}

/* A number of a result; NAN if it did not come to its end. */
static double measure_number(const json_t *result, const char *key)
{
    const char *status = json_string_value(json_object_get(result, "status"));
    double x = json_number_value(json_object_get(result, key));
    return status && strcmp(status, "ok") == 0 && x > 0 ? x : NAN;
}

static int measure_time(measure *m, const char *spec, tune_measured *out)
{
    json_t *result;
    int e = measure_cell(m, "replay", spec, &result);
    if (e)
        return e;
    double ns = measure_number(result, "ns_per_op_warm");
    if (isnan(out->ns) || ns < out->ns)
        out->ns = ns;
    json_decref(result);
    return 0;
}

static int measure_fit(measure *m, const char *spec, tune_measured *out)
{
    json_t *result;
    int e = measure_cell(m, "fit", spec, &result);
    if (e)
        return e;
    out->s_min = measure_number(result, "s_min") / measure_number(result, "peak_live");
    json_decref(result);
    return 0;
}

static int measure_trace(measure *m, const char *const *specs, size_t n, tune_measured *out)
{
    acre_trace_error error;
    int e = 0;
    if (acre_image_compile_file(m->image, m->file, 0, &error))
        return cli_fail("%s", error.text);
    for (size_t i = 0; i < n; i++)
        out[i] = (tune_measured){NAN, NAN};
    for (unsigned r = 0; r < m->a->repeat && !e; r++)
        for (size_t i = 0; i < n && !e; i++)
            e = measure_time(m, specs[i], &out[i]);
    for (size_t i = 0; i < n && !e; i++)
        e = measure_fit(m, specs[i], &out[i]);
    return e;
}

int tune_measure(const tune_args *a, const char *const *specs, size_t n, tune_measured *out)
{
    measure m = {.a = a, .total = a->n_traces * n * (a->repeat + 1)};
    int e = cli_image_file(m.image);
    if (e)
        return e;
    for (size_t t = 0; t < a->n_traces && !e; t++) {
        m.file = a->traces[t];
        e = measure_trace(&m, specs, n, out + t * n);
    }
    if (!e)
        cli_progress("replays", m.total, m.total);
    unlink(m.image);
    return e;
}

acre_tune_point tune_mean(const tune_measured *m, size_t traces, size_t n, size_t i)
{
    acre_tune_point p = {NAN, NAN, false};
    double *x = calloc(traces, sizeof *x);
    if (!x)
        return p;
    for (size_t t = 0; t < traces; t++)
        x[t] = m[t * n + i].ns / m[t * n].ns;
    p.time = acre_stats_geomean(x, traces);
    for (size_t t = 0; t < traces; t++)
        x[t] = m[t * n + i].s_min;
    p.memory = acre_stats_geomean(x, traces);
    free(x);
    return p;
}
