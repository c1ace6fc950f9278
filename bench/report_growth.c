/* SPDX-License-Identifier: MIT */
/* Cost against live blocks: data and table, and beside what was measured what theory says.
 *
 * Theory is a shape, O(f(n)), without a constant: the constant is what makes it pass between the first
 * two points that were measured (their geometric mean), so that what departs from it is seen further
 * right. */
#include "bench/report_data.h"

#include <math.h>
#include <string.h>

static double growth_constant(double n)
{
    (void)n;
    return 1;
}

static double growth_linear(double n)
{
    return n;
}

static const struct {
    const char *name, *word;
    double (*at)(double n);
} growth_shapes[] = {{"O(1)", "O(1)", growth_constant},
                     {"O(log n)", "O(log_n)", log},
                     {"O(n)", "O(n)", growth_linear}};
enum { GROWTH_SHAPES = sizeof growth_shapes / sizeof *growth_shapes };

/* GROWTH_SHAPES: none that is known. */
static size_t growth_shape(const report_live_cost *c)
{
    size_t i = 0;

    while (i < GROWTH_SHAPES && (!c->growth || strcmp(growth_shapes[i].name, c->growth)))
        i++;
    return i;
}

/* NAN without two points, or without a theory. */
static double growth_factor(const report_model *m, size_t algorithm)
{
    double sum = 0;
    int n = 0;

    for (size_t i = 0; i < m->n_live_costs && n < 2; i++) {
        const report_live_cost *c = &m->live_cost[i];
        size_t shape = growth_shape(c);

        if (c->algorithm != algorithm || c->status != REPORT_OK || shape == GROWTH_SHAPES)
            continue;
        sum += log(c->ns / growth_shapes[shape].at(c->live));
        n++;
    }
    return n == 2 ? exp(sum / 2) : NAN;
}

static void growth_write_row(data_file *f, const report_model *m, const report_live_cost *c,
                             double factor)
{
    size_t shape = growth_shape(c);

    acre__data_word(f->out, m->algorithm[c->algorithm].name);
    fprintf(f->out, " %.0f", c->live);
    acre__data_number(f->out, c->status == REPORT_OK ? c->ns : NAN);
    fprintf(f->out, " %s %s", c->status == REPORT_OK ? "ok" : "stopped",
            shape < GROWTH_SHAPES ? growth_shapes[shape].word : "-");
    acre__data_number(f->out,
                      shape < GROWTH_SHAPES ? factor * growth_shapes[shape].at(c->live) : NAN);
    fputc('\n', f->out);
    f->rows++;
}

int acre__report_write_growth(const report_model *m)
{
    data_file f;
    int error = acre__data_open(m, &f, "live-cost",
                                "algorithm live_blocks ns_per_op status growth theory_ns");

    for (size_t a = 0; a < m->n_algorithms && !error; a++) {
        size_t before = f.rows;

        for (size_t i = 0; i < m->n_live_costs; i++)
            if (m->live_cost[i].algorithm == a)
                growth_write_row(&f, m, &m->live_cost[i], growth_factor(m, a));
        if (f.rows > before)
            fputs("\n\n", f.out);
    }
    return error ? error : acre__data_close(&f);
}

/* The table -------------------------------------------------------------------------------- */

enum { GROWTH_COLUMNS = 16 };

typedef struct growth_columns {
    double live[GROWTH_COLUMNS];
    size_t n;
} growth_columns;

static void growth_add_column(growth_columns *k, double live)
{
    size_t at = 0;

    while (at < k->n && k->live[at] < live)
        at++;
    if (k->n == GROWTH_COLUMNS || (at < k->n && k->live[at] == live))
        return;
    memmove(&k->live[at + 1], &k->live[at], (k->n++ - at) * sizeof *k->live);
    k->live[at] = live;
}

static const report_live_cost *growth_find(const report_model *m, size_t algorithm, double live)
{
    for (size_t i = 0; i < m->n_live_costs; i++)
        if (m->live_cost[i].algorithm == algorithm && (live < 0 || m->live_cost[i].live == live))
            return &m->live_cost[i];
    return NULL;
}

/* What was stopped once is not tried with more blocks. */
static void growth_cell(FILE *out, const report_live_cost *c, bool stopped)
{
    if (c && c->status == REPORT_OK)
        acre__table_number(out, "n", c->ns, "");
    else
        acre__table_missing(out, c         ? c->status == REPORT_FAILED ? "failed" : "stopped"
                                 : stopped ? "not tried"
                                           : "–");
}

static void growth_row(FILE *out, const report_model *m, size_t a, const growth_columns *k)
{
    const report_live_cost *any = growth_find(m, a, -1);
    bool stopped = false;

    fputs("<tr><th scope=\"row\"><span class=\"name\">", out);
    acre__table_algorithm_name(out, &m->algorithm[a]);
    fprintf(out, "</span></th><td>%s</td>",
            growth_shape(any) < GROWTH_SHAPES ? growth_shapes[growth_shape(any)].name : "–");
    for (size_t i = 0; i < k->n; i++) {
        const report_live_cost *c = growth_find(m, a, k->live[i]);

        growth_cell(out, c, stopped);
        stopped |= c && c->status != REPORT_OK;
    }
    fputs("</tr>\n", out);
}

void acre__report_table_growth(FILE *out, const report_model *m)
{
    growth_columns k = {.n = 0};

    for (size_t i = 0; i < m->n_live_costs; i++)
        growth_add_column(&k, m->live_cost[i].live);
    fputs(
        "<table class=\"sortable\"><caption><span>ns for one allocation and one free while so many "
        "blocks of mixed sizes are live, without lock and journal</span></caption>\n<thead><tr>"
        "<th scope=\"col\">Algorithm</th><th scope=\"col\">Theory</th>",
        out);
    for (size_t i = 0; i < k.n; i++)
        fprintf(out, "<th scope=\"col\">%.0f</th>", k.live[i]);
    fputs("</tr></thead>\n<tbody>\n", out);
    for (size_t a = 0; a < m->n_algorithms; a++)
        if (growth_find(m, a, -1))
            growth_row(out, m, a, &k);
    fputs("</tbody>\n</table>\n", out);
}
