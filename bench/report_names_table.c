/* SPDX-License-Identifier: MIT */
/* report_names_table.c: the table that `acre report-names` prints. */
#include "bench/report_names_model.h"

#include <math.h>
#include <string.h>

/* The counts of names, ascending, over all rows. */
typedef struct names_columns {
    double names[NAMES_COUNTS];
    size_t n;
} names_columns;

static void table_add_column(names_columns *k, double names)
{
    size_t at = k->n;
    for (size_t i = 0; i < k->n; i++)
        if (k->names[i] == names)
            return;
    if (k->n == NAMES_COUNTS)
        return;
    for (; at && k->names[at - 1] > names; at--)
        k->names[at] = k->names[at - 1];
    k->names[at] = names;
    k->n++;
}

static names_columns table_columns(const names_model *m, int what)
{
    names_columns k = {.n = 0};
    for (size_t r = 0; r < m->n; r++)
        for (size_t i = 0; i < NAMES_COUNTS && m->row[r].cell[what][i].names; i++)
            table_add_column(&k, m->row[r].cell[what][i].names);
    return k;
}

static double table_ns(const names_row *r, int what, double names)
{
    for (size_t i = 0; i < NAMES_COUNTS; i++)
        if (r->cell[what][i].names == names)
            return 1e9 / acre__names_rate(&r->cell[what][i]);
    return NAN;
}

/* The least of the tables whose names begin like this. */
static double table_best(const names_model *m, const char *family, int what, double names)
{
    double best = NAN;
    for (size_t r = 0; r < m->n; r++)
        if (strncmp(m->row[r].table, family, strlen(family)) == 0)
            best = fmin(best, table_ns(&m->row[r], what, names));
    return best;
}

static void table_number(FILE *out, double v)
{
    if (isnan(v))
        fprintf(out, "%9s", "-");
    else
        fprintf(out, v < 99.95 ? "%9.1f" : "%9.0f", v);
}

static void table_ratio(FILE *out, const names_model *m, const char *other, int what,
                        const names_columns *k)
{
    fprintf(out, "  acre's best beside %-10s", other);
    for (size_t i = 0; i < k->n; i++) {
        double v =
            table_best(m, "acre", what, k->names[i]) / table_best(m, other, what, k->names[i]);
        isnan(v) ? fprintf(out, "%9s", "-") : fprintf(out, "%8.2f×", v);
    }
    fputc('\n', out);
}

static void table_row(FILE *out, const names_row *r, int what, const names_columns *k)
{
    if (!r->cell[what][0].names)
        return;
    fprintf(out, "  %-29s", r->table);
    for (size_t i = 0; i < k->n; i++)
        table_number(out, table_ns(r, what, k->names[i]));
    fputc('\n', out);
}

static void table_of(FILE *out, const names_model *m, int what, const char *title)
{
    names_columns k = table_columns(m, what);
    if (!k.n)
        return;
    fprintf(out, "%-31s", title);
    for (size_t i = 0; i < k.n; i++)
        fprintf(out, "%9.0f", k.names[i]);
    fputc('\n', out);
    for (size_t r = 0; r < m->n; r++)
        table_row(out, &m->row[r], what, &k);
    table_ratio(out, m, "boost", what, &k);
    table_ratio(out, m, "std", what, &k);
}

static void table_by_two(FILE *out, const names_model *m)
{
    bool any = false;
    for (size_t r = 0; r < m->n; r++) {
        const names_cell *one = &m->row[r].cell[NAMES_BY_1][0],
                         *two = &m->row[r].cell[NAMES_BY_2][0];
        double alone = acre__names_rate(one), both = acre__names_rate(two);
        if (isnan(alone) || isnan(both))
            continue;
        if (!any)
            fprintf(out, "%-31s%9s%9s\n", "million finds a second", "1 process", "      2");
        fprintf(out, "  %-29s%9.1f%9.1f%8.2f×\n", m->row[r].table, alone / 1e6, both / 1e6,
                both / alone);
        any = true;
    }
}

void acre__names_table(FILE *out, const names_model *m)
{
    table_of(out, m, NAMES_FIND, "find, ns, among");
    table_of(out, m, NAMES_COME_AND_GO, "construct and destroy, ns, among");
    table_by_two(out, m);
}
