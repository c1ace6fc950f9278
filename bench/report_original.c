/* SPDX-License-Identifier: MIT */
/* Each of acre's algorithms beside Boost.Interprocess's of the same name, on the traces that both
 * finished.
 *
 * X is compared with boost_X, and X:lock=none with boost_X:lock=none: acre's robust lock with
 * Boost's interprocess_mutex, no lock with its null_mutex.  Times are Boost's over acre's, paired
 * as bench/report_pairs.h says; sizes are those of the smallest segments. */
#include "bench/report_data.h"
#include "bench/report_pairs.h"
#include "bench/stats.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char original_prefix[] = "boost_", original_unlocked[] = "lock=none";

/* Who with whom --------------------------------------------------------------------------- */

static bool original_has_option(const char *name, const char *option)
{
    size_t n = strlen(option);

    for (const char *at = strchr(name, ':'); at; at = strchr(at + 1, ','))
        if (strncmp(at + 1, option, n) == 0 && (at[n + 1] == ',' || at[n + 1] == '\0'))
            return true;
    return false;
}

static bool original_has_results(const report_model *m, size_t a)
{
    for (size_t t = 0; t < m->n_traces; t++) {
        const report_cell *c = acre__report_cell(m, a, t);

        if (c->status != REPORT_ABSENT || c->fit != REPORT_ABSENT)
            return true;
    }
    return false;
}

/* SIZE_MAX: Boost has none, or it is not in the results. */
static size_t original_counterpart(const report_model *m, const char *name)
{
    char wanted[512];

    snprintf(wanted, sizeof wanted, "%s%.*s%s%s", original_prefix, (int)strcspn(name, ":"), name,
             original_has_option(name, original_unlocked) ? ":" : "",
             original_has_option(name, original_unlocked) ? original_unlocked : "");
    for (size_t i = 0; i < m->n_algorithms; i++)
        if (strcmp(m->algorithm[i].name, wanted) == 0 && original_has_results(m, i))
            return i;
    return SIZE_MAX;
}

static bool original_is_acre(const report_model *m, size_t a)
{
    const char *family = m->algorithm[a].family;

    return family && strcmp(family, "acre") == 0 && original_has_results(m, a);
}

/* Numbers --------------------------------------------------------------------------------- */

static bool original_both_fit(const report_cell *a, const report_cell *b)
{
    return a->fit == REPORT_OK && b->fit == REPORT_OK && !a->resident && !b->resident &&
           a->s_min > 0 && b->s_min > 0 && a->peak_live > 0 && b->peak_live > 0;
}

/* `scratch` has room for two values a trace. */
static void original_memory(const report_model *m, report_original *o, double *scratch)
{
    double *ours = scratch, *boosts = scratch + m->n_traces;
    size_t n = 0;

    o->most = NAN;
    for (size_t t = 0; t < m->n_traces; t++) {
        const report_cell *a = acre__report_cell(m, o->algorithm, t);
        const report_cell *b = acre__report_cell(m, o->boost, t);

        if (!original_both_fit(a, b))
            continue;
        ours[n] = a->s_min / a->peak_live;
        boosts[n++] = b->s_min / b->peak_live;
        if (!(o->most >= a->s_min / b->s_min)) {
            o->most = a->s_min / b->s_min;
            o->most_trace = t;
        }
    }
    o->memory_traces = n;
    o->memory = acre_stats_geomean(ours, n);
    o->boost_memory = acre_stats_geomean(boosts, n);
}

static int original_time(const report_model *m, report_original *o)
{
    report_pairs p;
    int error = acre__pairs_init(&p, m, o->algorithm);

    if (!error) {
        acre__pairs_fill(&p, m, o->boost, o->algorithm, REPORT_WARM);
        o->warm = acre__pairs_ratio(&p);
        acre__pairs_fill(&p, m, o->boost, o->algorithm, REPORT_COLD);
        o->cold = acre__pairs_ratio(&p);
    }
    acre__pairs_destroy(&p);
    return error;
}

int acre__report_compare_original(report_model *m)
{
    double *scratch = calloc(2 * m->n_traces + 1, sizeof *scratch);
    int error = 0;

    m->original = calloc(m->n_algorithms + 1, sizeof *m->original);
    if (!scratch || !m->original)
        error = ENOMEM;
    for (size_t a = 0; !error && a < m->n_algorithms; a++) {
        report_original *o = &m->original[m->n_originals];

        o->algorithm = a;
        o->boost = original_counterpart(m, m->algorithm[a].name);
        if (o->boost == SIZE_MAX || !original_is_acre(m, a))
            continue;
        original_memory(m, o, scratch);
        error = original_time(m, o);
        m->n_originals++;
    }
    free(scratch);
    return error;
}

/* Without a row --------------------------------------------------------------------------- */

static bool original_is_boost(const report_model *m, size_t a)
{
    return strncmp(m->algorithm[a].name, original_prefix, sizeof original_prefix - 1) == 0;
}

/* Why Boost was skipped, if that is known. */
static const char *original_reason(const report_model *m)
{
    for (size_t a = 0; a < m->n_algorithms; a++)
        if (original_is_boost(m, a) && m->algorithm[a].skipped)
            return m->algorithm[a].skipped;
    return NULL;
}

void acre__report_no_original(const report_model *m, char *text, size_t room)
{
    const char *reason = original_reason(m);

    for (size_t a = 0; a < m->n_algorithms; a++)
        if (original_is_boost(m, a) && original_has_results(m, a)) {
            snprintf(text, room, "Boost.Interprocess was there with none of these algorithms.");
            return;
        }
    snprintf(text, room, "Boost.Interprocess was not there, so nothing is compared with it%s%s.",
             reason ? ": " : "", reason ? reason : "");
}

/* data/original.dat ------------------------------------------------------------------------ */

static void original_write_ratio(FILE *out, const report_ratio *r)
{
    acre__data_number(out, r->value);
    acre__data_number(out, r->lo);
    acre__data_number(out, r->hi);
}

static void original_write_row(data_file *f, const report_model *m, const report_original *o)
{
    acre__data_word(f->out, m->algorithm[o->algorithm].name);
    fputc(' ', f->out);
    acre__data_word(f->out, m->algorithm[o->boost].name);
    original_write_ratio(f->out, &o->warm);
    original_write_ratio(f->out, &o->cold);
    fprintf(f->out, " %zu", o->warm.traces);
    acre__data_number(f->out, o->memory);
    acre__data_number(f->out, o->boost_memory);
    acre__data_number(f->out, o->most);
    fputc(' ', f->out);
    acre__data_word(f->out, isfinite(o->most) ? m->trace[o->most_trace].name : "?");
    fprintf(f->out, " %zu\n", o->memory_traces);
    f->rows++;
}

int acre__report_write_original(const report_model *m)
{
    data_file f;
    int error = acre__data_open(m, &f, "original",
                                "algorithm original warm lo hi cold cold_lo cold_hi traces memory "
                                "original_memory most most_trace memory_traces "
                                "(times: original's / algorithm's, 95 % intervals; memory: S_min / "
                                "peak live; most: largest S_min / original's)");

    if (error)
        return error;
    for (size_t i = 0; i < m->n_originals; i++)
        original_write_row(&f, m, &m->original[i]);
    return acre__data_close(&f);
}
