/* SPDX-License-Identifier: MIT */
/* Many at work on one heap: data and table. */
#include "bench/report_data.h"

#include <math.h>
#include <string.h>

static double scaling_blowup(const report_scaling *s)
{
    return s->peak_live > 0 && s->peak_used > 0 ? s->peak_used / s->peak_live : NAN;
}

static void scaling_write_row(data_file *f, const report_model *m, const report_scaling *s)
{
    acre__data_word(f->out, m->algorithm[s->algorithm].name);
    fputc(' ', f->out);
    acre__data_word(f->out, s->pattern);
    fprintf(f->out, " %.0f", s->workers);
    acre__data_number(f->out, s->ops_per_s);
    acre__data_number(f->out, s->fairness);
    acre__data_number(f->out, scaling_blowup(s));
    fputc('\n', f->out);
    f->rows++;
}

/* A line of the picture is a run of rows: one algorithm, one pattern. */
int acre__report_write_scaling(const report_model *m)
{
    data_file f;
    int error = acre__data_open(m, &f, "scaling",
                                "algorithm pattern workers ops_per_s fairness used_per_live");

    for (size_t a = 0; a < m->n_algorithms && !error; a++) {
        const char *last = "";

        for (size_t i = 0; i < m->n_scalings; i++) {
            const report_scaling *s = &m->scaling[i];

            if (s->algorithm != a || s->status != REPORT_OK)
                continue;
            if (*last && strcmp(last, s->pattern))
                fputs("\n\n", f.out);
            last = s->pattern;
            scaling_write_row(&f, m, s);
        }
        if (*last)
            fputs("\n\n", f.out);
    }
    return error ? error : acre__data_close(&f);
}

/* The table -------------------------------------------------------------------------------- */

static void scaling_numbers(FILE *out, const report_scaling *s)
{
    acre__table_number(out, "n", s->ops_per_s / 1e6, "");
    acre__table_number(out, "n", s->fairness, "");
    if (isfinite(scaling_blowup(s)))
        acre__table_number(out, "n", scaling_blowup(s), "×");
    else
        acre__table_missing(out, "–");
    fprintf(out, "<td>%s</td>", !s->checked ? "–" : s->sound ? "sound" : "NOT SOUND");
}

/* A worker that died is told. */
static void scaling_row(FILE *out, const report_model *m, const report_scaling *s)
{
    fputs("<tr><th scope=\"row\"><span class=\"name\">", out);
    acre__table_algorithm_name(out, &m->algorithm[s->algorithm]);
    fprintf(out, "</span></th><td>%s</td><td>%.0f</td>", s->pattern, s->workers);
    if (s->status == REPORT_OK)
        scaling_numbers(out, s);
    for (int i = 0; i < 4 && s->status != REPORT_OK; i++)
        acre__table_missing(out, "failed");
    fputs("</tr>\n", out);
}

void acre__report_table_scaling(FILE *out, const report_model *m)
{
    fputs("<table class=\"sortable\"><caption><span>Processes at work on one heap (a malloc: on a "
          "heap each, or threads of one where blocks are handed on); what an algorithm has by "
          "default, "
          "with lock and journal</span></caption>\n<thead><tr><th scope=\"col\">Algorithm</th>"
          "<th scope=\"col\">Pattern</th><th scope=\"col\">Workers</th>"
          "<th scope=\"col\">Million op/s</th><th scope=\"col\">Fairness</th>"
          "<th scope=\"col\">Used / live</th><th "
          "scope=\"col\">Afterwards</th></tr></thead>\n<tbody>\n",
          out);
    for (size_t a = 0; a < m->n_algorithms; a++)
        for (size_t i = 0; i < m->n_scalings; i++)
            if (m->scaling[i].algorithm == a)
                scaling_row(out, m, &m->scaling[i]);
    fputs("</tbody>\n</table>\n", out);
}
