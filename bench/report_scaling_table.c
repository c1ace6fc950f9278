/* SPDX-License-Identifier: MIT */
/* Many at work on one heap: the table. */
#include "bench/report_model.h"

#include <math.h>

static void scaling_numbers(FILE *out, const report_scaling *s)
{
    acre__table_number(out, "n", s->ops_per_s / 1e6, "");
    acre__table_number(out, "n", s->fairness, "");
    if (isfinite(acre__scaling_blow_up(s)))
        acre__table_number(out, "n", acre__scaling_blow_up(s), "×");
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
