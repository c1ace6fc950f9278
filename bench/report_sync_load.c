/* SPDX-License-Identifier: MIT */
/* Reads Google Benchmark's JSON.  Aggregates in it are passed over: medians are made here, of the
 * repetitions.  Anything unexpected is an error that names the file and the bench. */
#include "bench/report_sync_model.h"
#include "bench/stats.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- one bench ---- */

static sync_cell *load_cell(sync_model *m, const char *name)
{
    char p[32], c[32], i[32], more;
    if (sscanf(name, "%31[^/]/%31[^/]/%31[^/]%c", p, c, i, &more) != 3)
        return NULL;
    int primitive = acre__sync_place(acre__sync_primitives, SYNC_PRIMITIVES, p);
    int kase = acre__sync_place(acre__sync_cases, SYNC_CASES, c);
    int implementation = acre__sync_place(acre__sync_implementations, SYNC_IMPLEMENTATIONS, i);
    return primitive < 0 || kase < 0 || implementation < 0
               ? NULL
               : &m->cell[primitive][kase][implementation];
}

static int load_skipped(sync_cell *cell, json_t *bench)
{
    const char *why = json_string_value(json_object_get(bench, "error_message"));
    free(cell->skipped);
    cell->skipped = strdup(why ? why : "no reason given");
    return cell->skipped ? 0 : ENOMEM;
}

static int load_rate(sync_cell *cell, double rate)
{
    double *more = realloc(cell->rate, (cell->n + 1) * sizeof *more);
    if (!more)
        return ENOMEM;
    cell->rate = more;
    cell->rate[cell->n++] = rate;
    return 0;
}

static bool load_is_aggregate(json_t *bench)
{
    const char *type = json_string_value(json_object_get(bench, "run_type"));
    return type && strcmp(type, "aggregate") == 0;
}

static int load_bench(sync_model *m, json_t *bench, size_t at)
{
    const char *name = json_string_value(json_object_get(bench, "name"));
    if (!name)
        return acre__report_say(EBADMSG, "%s: benchmark %zu has no name", m->file, at);
    if (load_is_aggregate(bench))
        return 0;
    sync_cell *cell = load_cell(m, name);
    if (!cell)
        return acre__report_say(EBADMSG, "%s: '%s' is no PRIMITIVE/CASE/IMPLEMENTATION", m->file,
                                name);
    if (json_is_true(json_object_get(bench, "error_occurred")))
        return load_skipped(cell, bench);
    double rate = json_number_value(json_object_get(bench, "items_per_second"));
    if (!isfinite(rate) || rate <= 0)
        return acre__report_say(EBADMSG, "%s: '%s' has no items_per_second", m->file, name);
    return load_rate(cell, rate);
}

/* ---- all of them ---- */

static int load_benches(sync_model *m, json_t *list)
{
    json_t *bench;
    size_t at;
    int error = 0;
    if (!json_is_array(list) || json_array_size(list) == 0)
        return acre__report_say(EBADMSG, "%s: there are no benchmarks in it", m->file);
    json_array_foreach(list, at, bench) if (!error) error = load_bench(m, bench, at);
    return error;
}

static void load_summarise(sync_model *m, sync_cell *c)
{
    c->median = acre_stats_median(c->rate, c->n);
    c->least = acre_stats_quantile(c->rate, c->n, 0);
    c->most = acre_stats_quantile(c->rate, c->n, 1);
    m->n_benches += c->n > 0;
    if (c->n > m->n_repetitions)
        m->n_repetitions = c->n;
}

static void load_each(sync_model *m, void (*f)(sync_model *, sync_cell *))
{
    sync_cell *c = &m->cell[0][0][0];
    for (size_t i = 0; i < sizeof m->cell / sizeof *c; i++)
        f(m, &c[i]);
}

int acre__sync_load(sync_model *m, const char *file)
{
    json_t *root = NULL;
    int error = acre__report_load_json(file, &root);
    if (!error)
        error = load_benches(m, json_object_get(root, "benchmarks"));
    if (!error) {
        m->context = json_incref(json_object_get(root, "context"));
        json_object_del(m->context, "caches");
        load_each(m, load_summarise);
    }
    json_decref(root);
    if (!error && m->n_benches == 0)
        return acre__report_say(EBADMSG, "%s: every benchmark was skipped", file);
    return error;
}

/* ---- kills ---- */

int acre__sync_load_kills(sync_model *m, const char *file)
{
    FILE *there = file ? fopen(file, "r") : NULL;
    if (!there)
        return 0;
    fclose(there);
    int error = acre__report_load_json(file, &m->kills);
    if (!error && !json_is_array(json_object_get(m->kills, "results")))
        error = acre__report_say(EBADMSG, "%s: there are no results in it", file);
    return error;
}

static void load_free(sync_model *m, sync_cell *c)
{
    (void)m;
    free(c->rate);
    free(c->skipped);
}

void acre__sync_release(sync_model *m)
{
    load_each(m, load_free);
    json_decref(m->context);
    json_decref(m->kills);
}
