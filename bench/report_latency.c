/* SPDX-License-Identifier: MIT */
/* Single operations: data of the picture (how many take longer than x) and a table of percentiles. */
#include "bench/report_data.h"

#include <math.h>

int acre__report_write_latency(const report_model *m)
{
    data_file f;
    int error = acre__data_open(m, &f, "latency", "algorithm tail measured_ns least_ns trace");

    for (size_t i = 0; i < m->n_latencies && !error; i++) {
        const report_latency *l = &m->latency[i];

        for (size_t k = 0; k < l->n; k++, f.rows++) {
            acre__data_word(f.out, m->algorithm[l->algorithm].name);
            acre__data_number(f.out, l->tail[k]);
            acre__data_number(f.out, l->measured[k]);
            acre__data_number(f.out, l->least[k]);
            fputc(' ', f.out);
            acre__data_word(f.out, m->trace[l->trace].name);
            fputc('\n', f.out);
        }
        fputs("\n\n", f.out);
    }
    return error ? error : acre__data_close(&f);
}

/* The curve's value where it has this tail; the last point is the worst. */
static double latency_at(const report_latency *l, const double *ns, double tail)
{
    for (size_t k = 0; k + 1 < l->n; k++)
        if (fabs(l->tail[k] / tail - 1) < 1e-3)
            return ns[k];
    return NAN;
}

static void latency_row(FILE *out, const report_model *m, const report_latency *l)
{
    static const double tail[] = {0.5, 0.01, 0.001, 0.0001};

    fputs("<tr><th scope=\"row\"><span class=\"name\">", out);
    acre__table_algorithm_name(out, &m->algorithm[l->algorithm]);
    fputs("</span></th>", out);
    for (int i = 0; i < 4; i++)
        acre__table_number(out, "n", latency_at(l, l->least, tail[i]), "");
    acre__table_number(out, "n", l->n ? l->least[l->n - 1] : NAN, "");
    acre__table_number(out, "n", latency_at(l, l->measured, 0.0001), "");
    acre__table_number(out, "n", l->n ? l->measured[l->n - 1] : NAN, "");
    fputs("</tr>\n", out);
}

void acre__report_table_latency(FILE *out, const report_model *m)
{
    fputs("<table class=\"sortable\"><caption><span>Single operations of ", out);
    acre__report_escape(out, m->trace[m->latency[0].trace].name);
    fputs(", ns, without lock and journal, the clock's own cost taken off: of each operation's least over "
          "several passes, then as measured in one pass</span></caption>\n<thead><tr>"
          "<th scope=\"col\">Algorithm</th><th scope=\"col\">p50</th><th scope=\"col\">p99</th>"
          "<th scope=\"col\">p99.9</th><th scope=\"col\">p99.99</th><th scope=\"col\">Worst</th>"
          "<th scope=\"col\">p99.99 <small>one pass</small></th>"
          "<th scope=\"col\">Worst <small>one pass</small></th></tr></thead>\n<tbody>\n", out);
    for (size_t i = 0; i < m->n_latencies; i++)
        latency_row(out, m, &m->latency[i]);
    fputs("</tbody></table>\n", out);
}
