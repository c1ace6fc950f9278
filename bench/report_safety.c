/* SPDX-License-Identifier: MIT */
/* What safety costs: data and table of the steps from no lock and no journal to both.  Each number is
 * the geometric mean over traces on which all steps were done. */
#include "bench/report_data.h"

#include "bench/replay.h"

#include <math.h>
#include <string.h>

typedef struct safety_mean {
    double ns[ACRE_SAFETY_STEPS];
    size_t traces;
} safety_mean;

static safety_mean safety_mean_of(const report_model *m, size_t algorithm)
{
    safety_mean mean = {{0}, 0};

    for (size_t i = 0; i < m->n_safeties; i++) {
        const report_safety *s = &m->safety[i];

        if (s->algorithm != algorithm || s->status != REPORT_OK)
            continue;
        for (size_t k = 0; k < ACRE_SAFETY_STEPS; k++)
            mean.ns[k] += log(s->ns[k]);
        mean.traces++;
    }
    for (size_t k = 0; k < ACRE_SAFETY_STEPS; k++)
        mean.ns[k] = mean.traces ? exp(mean.ns[k] / (double)mean.traces) : NAN;
    return mean;
}

static bool safety_has(const report_model *m, size_t algorithm)
{
    for (size_t i = 0; i < m->n_safeties; i++)
        if (m->safety[i].algorithm == algorithm)
            return true;
    return false;
}

int acre__report_write_safety(const report_model *m)
{
    data_file f;
    int error = acre__data_open(m, &f, "safety",
                                "algorithm bare journal spin robust robust_only (ns_per_op: no lock "
                                "no journal, journal, and spin lock, and robust lock, robust lock "
                                "without journal) traces");

    if (error)
        return error;
    for (size_t a = 0; a < m->n_algorithms; a++) {
        safety_mean mean = safety_mean_of(m, a);

        if (!mean.traces)
            continue;
        acre__data_word(f.out, m->algorithm[a].name);
        for (size_t k = 0; k < ACRE_SAFETY_STEPS; k++)
            acre__data_number(f.out, mean.ns[k]);
        fprintf(f.out, " %zu\n", mean.traces);
        f.rows++;
    }
    return acre__data_close(&f);
}

/* A step: what it adds, and the ratio to what was before. */
static void safety_step(FILE *out, double before, double after)
{
    if (!isfinite(before) || !isfinite(after)) {
        acre__table_missing(out, "–");
        return;
    }
    fprintf(out, "<td class=\"n\" data-v=\"%.6g\">%+.1f <small>%.2f×</small></td>", after - before,
            after - before, after / before);
}

static void safety_row(FILE *out, const report_model *m, size_t a)
{
    safety_mean s = safety_mean_of(m, a);

    fputs("<tr><th scope=\"row\"><span class=\"name\">", out);
    acre__table_algorithm_name(out, &m->algorithm[a]);
    fputs("</span></th>", out);
    acre__table_number(out, "n", s.ns[ACRE_SAFETY_BARE], "");
    safety_step(out, s.ns[ACRE_SAFETY_BARE], s.ns[ACRE_SAFETY_JOURNAL]);
    safety_step(out, s.ns[ACRE_SAFETY_JOURNAL], s.ns[ACRE_SAFETY_SPIN]);
    safety_step(out, s.ns[ACRE_SAFETY_JOURNAL], s.ns[ACRE_SAFETY_ROBUST]);
    safety_step(out, s.ns[ACRE_SAFETY_ROBUST_ONLY], s.ns[ACRE_SAFETY_ROBUST]);
    safety_step(out, s.ns[ACRE_SAFETY_BARE], s.ns[ACRE_SAFETY_SPIN]);
    safety_step(out, s.ns[ACRE_SAFETY_BARE], s.ns[ACRE_SAFETY_ROBUST]);
    fprintf(out, "<td class=\"n\">%zu</td></tr>\n", s.traces);
}

void acre__report_table_safety(FILE *out, const report_model *m)
{
    fputs("<table class=\"sortable\"><caption><span>What safety costs: ns per operation, warm, with "
          "the harness, and what each step adds; all steps take turns in one process, the least of "
          "the rounds, geometric means over traces</span></caption>\n<thead><tr>"
          "<th scope=\"col\">Algorithm</th><th scope=\"col\">Bare <small>no lock, no journal</small>"
          "</th><th scope=\"col\">Journal <small>without lock</small></th>"
          "<th scope=\"col\">Spin lock <small>with journal</small></th>"
          "<th scope=\"col\">Robust lock <small>with journal</small></th>"
          "<th scope=\"col\">Journal <small>under robust lock</small></th>"
          "<th scope=\"col\">All <small>spin</small></th>"
          "<th scope=\"col\">All <small>robust</small></th>"
          "<th scope=\"col\">Traces</th></tr></thead>\n<tbody>\n", out);
    for (size_t a = 0; a < m->n_algorithms; a++)
        if (safety_has(m, a))
            safety_row(out, m, a);
    fputs("</tbody></table>\n", out);
}
