/* SPDX-License-Identifier: MIT */
/* tune_show.c: the tuned table beside the algorithm's, as text and as JSON. */
#include "cli/tune_tools.h"

#include "bench/worker.h"

#include <stdio.h>

enum { SHOW_SWEEP_FROM = 4 };

/* Of what a class serves; parts, means over the traces. */
typedef struct show_share {
    uint32_t size;        /* the class; 0: what stands alone */
    double objects, live; /* of the objects born; of peak live */
    double waste;         /* of peak live */
} show_share;

static double show_span(const double *sum, size_t from, size_t to)
{
    return sum[to] - sum[from];
}

static show_share show_share_of(const acre_tune_costs *c, size_t from, size_t to, uint32_t size,
                                double held)
{
    double n = (double)c->traces, asked = show_span(c->asked, from, to);
    return (show_share){size, show_span(c->born, from, to) / n, asked / n, (held - asked) / n};
}

/* A row a class, then one of what stands alone.  How many. */
static size_t show_shares(const tune_found *f, const acre_tune_table *t,
                          show_share row[ACRE_CLASSES + 1])
{
    size_t from = 0, n = 0, end = f->question.largest / ACRE_TUNE_UNIT;
    for (size_t i = 0; i < t->n && t->size[i] <= f->question.largest; i++) {
        size_t to = t->size[i] / ACRE_TUNE_UNIT;
        row[n++] = show_share_of(&f->all, from, to, t->size[i], acre_tune_held(&f->all, from, to));
        from = to;
    }
    row[n++] = show_share_of(&f->all, from, end, 0, f->all.alone[from] - f->all.alone[end]);
    return n;
}

static const acre_tune_table *show_tuned(const tune_found *f)
{
    return &f->solved[f->classes];
}

/* ---- text ---- */

static void show_row(const show_share *row, size_t n, size_t i)
{
    if (i >= n)
        printf("  %6s %8s %8s %8s  ", "", "", "", "");
    else if (!row[i].size)
        printf("  %6s %8.2f %8.2f %8.2f  ", "alone", 100 * row[i].objects, 100 * row[i].live,
               100 * row[i].waste);
    else
        printf("  %6u %8.2f %8.2f %8.2f  ", row[i].size, 100 * row[i].objects, 100 * row[i].live,
               100 * row[i].waste);
}

static void show_sum(const show_share *row, size_t n)
{
    show_share sum = {0};
    for (size_t i = 0; i < n; i++) {
        sum.objects += row[i].objects;
        sum.live += row[i].live;
        sum.waste += row[i].waste;
    }
    printf("  %6s %8.2f %8.2f %8.2f  ", "all", 100 * sum.objects, 100 * sum.live, 100 * sum.waste);
}

static void show_classes(const tune_found *f)
{
    show_share own[ACRE_CLASSES + 1], tuned[ACRE_CLASSES + 1];
    size_t n = show_shares(f, &f->limits.standard, own), m = show_shares(f, show_tuned(f), tuned);
    printf("  %-33s    %s\n", "as it is", "tuned");
    for (int i = 0; i < 2; i++)
        printf("  %6s %8s %8s %8s  ", "class", "born %", "live %", "waste %");
    putchar('\n');
    for (size_t i = 0; i < n || i < m; i++) {
        show_row(own, n, i);
        show_row(tuned, m, i);
        putchar('\n');
    }
    show_sum(own, n);
    show_sum(tuned, m);
    printf("\n\n");
}

static double show_left_out(const tune_found *f, size_t trace, size_t classes)
{
    return f->left_out[trace * (f->question.most + 1) + classes];
}

static void show_traces(const tune_args *a, const tune_found *f)
{
    printf("  %-24s %10s %10s %10s\n", "waste %", "as it is", "tuned", "left out");
    for (size_t i = 0; i < a->n_traces; i++) {
        char name[256];
        acre_trace_name(a->traces[i], name, sizeof name);
        printf("  %-24s %10.2f %10.2f", name,
               100 * acre_tune_waste(&f->each[i], &f->limits.standard, f->question.largest),
               100 * acre_tune_waste(&f->each[i], show_tuned(f), f->question.largest));
        if (f->left_out)
            printf(" %10.2f\n", 100 * show_left_out(f, i, f->classes));
        else
            puts("          -");
    }
    putchar('\n');
}

static void show_sweep(const tune_found *f)
{
    printf("  %-24s %10s %10s\n", "classes", "tuned", "left out");
    for (size_t k = SHOW_SWEEP_FROM; k <= f->question.most; k++) {
        printf("  %-24zu %10.2f", k,
               100 * acre_tune_waste(&f->all, &f->solved[k], f->question.largest));
        if (f->left_out)
            printf(" %10.2f\n", 100 * f->left_out_mean[k]);
        else
            puts("          -");
    }
    printf("  %-24s %10.2f\n\n", "as it is",
           100 * acre_tune_waste(&f->all, &f->limits.standard, f->question.largest));
}

void tune_show(const tune_args *a, const tune_found *f)
{
    printf("%s: %zu classes up to %u bytes, from %zu trace%s, weight %s, smooth %g %%, serve %.1f "
           "%%\n\n",
           a->algorithm, show_tuned(f)->n, f->question.largest, a->n_traces,
           a->n_traces == 1 ? "" : "s", acre_tune_weight_name(a->weight), 100 * f->question.smooth,
           100 * f->question.serve);
    show_classes(f);
    show_traces(a, f);
    if (a->sweep)
        show_sweep(f);
    fflush(stdout);
}

/* ---- JSON ---- */

static json_t *show_json_sizes(const acre_tune_table *t)
{
    json_t *sizes = json_array();
    for (size_t i = 0; i < t->n; i++)
        json_array_append_new(sizes, json_integer(t->size[i]));
    return sizes;
}

static json_t *show_json_rows(const tune_found *f, const acre_tune_table *t)
{
    show_share row[ACRE_CLASSES + 1];
    json_t *rows = json_array();
    size_t n = show_shares(f, t, row);
    for (size_t i = 0; i < n; i++)
        json_array_append_new(rows, json_pack("{s:o, s:f, s:f, s:f}", "size",
                                              row[i].size ? json_integer(row[i].size) : json_null(),
                                              "born", row[i].objects, "live", row[i].live, "waste",
                                              row[i].waste));
    return rows;
}

static json_t *show_json_table(const tune_found *f, const acre_tune_table *t)
{
    return json_pack("{s:o, s:f, s:o}", "classes", show_json_sizes(t), "waste",
                     acre_tune_waste(&f->all, t, f->question.largest), "rows",
                     show_json_rows(f, t));
}

static json_t *show_json_traces(const tune_args *a, const tune_found *f)
{
    json_t *all = json_array();
    for (size_t i = 0; i < a->n_traces; i++) {
        char name[256];
        acre_trace_name(a->traces[i], name, sizeof name);
        json_t *o =
            json_pack("{s:s, s:f, s:f}", "trace", name, "standard",
                      acre_tune_waste(&f->each[i], &f->limits.standard, f->question.largest),
                      "tuned", acre_tune_waste(&f->each[i], show_tuned(f), f->question.largest));
        if (f->left_out)
            json_object_set_new(o, "left_out", json_real(show_left_out(f, i, f->classes)));
        json_array_append_new(all, o);
    }
    return all;
}

static json_t *show_json_sweep(const tune_found *f)
{
    json_t *all = json_array();
    for (size_t k = 1; k <= f->question.most; k++) {
        json_t *o = json_pack("{s:I, s:f, s:o}", "most", (json_int_t)k, "waste",
                              acre_tune_waste(&f->all, &f->solved[k], f->question.largest),
                              "classes", show_json_sizes(&f->solved[k]));
        if (f->left_out)
            json_object_set_new(o, "left_out", json_real(f->left_out_mean[k]));
        json_array_append_new(all, o);
    }
    return all;
}

json_t *tune_json(const tune_args *a, const tune_found *f)
{
    json_t *o = json_pack("{s:s, s:s, s:s, s:f, s:f, s:I, s:o, s:o, s:o}", "algorithm",
                          a->algorithm, "spec", f->tuned, "weight",
                          acre_tune_weight_name(a->weight), "smooth", f->question.smooth, "serve",
                          f->question.serve, "largest", (json_int_t)f->question.largest, "standard",
                          show_json_table(f, &f->limits.standard), "tuned",
                          show_json_table(f, show_tuned(f)), "traces", show_json_traces(a, f));
    if (a->sweep)
        json_object_set_new(o, "sweep", show_json_sweep(f));
    return o;
}
