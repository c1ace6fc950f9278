/* SPDX-License-Identifier: MIT */
/* The tables of the page.  A cell that holds no number says why: stopped, failed, or a dash for
 * what was not measured. */
#include "bench/report_model.h"

#include <math.h>
#include <string.h>

/* Cells ----------------------------------------------------------------------------------- */

void acre__table_missing(FILE *out, const char *why)
{
    fprintf(out, "<td class=\"none\">%s</td>", why);
}

/* data-v is what the column is sorted by. */
void acre__table_number(FILE *out, const char *class_name, double value, const char *suffix)
{
    if (!isfinite(value)) {
        acre__table_missing(out, "–");
        return;
    }
    fprintf(out, "<td class=\"%s\" data-v=\"%.6g\">", class_name, value);
    fprintf(out, value < 9.995 ? "%.2f%s" : value < 999.5 ? "%.1f%s" : "%.0f%s", value, suffix);
    fputs("</td>", out);
}

void acre__table_algorithm_name(FILE *out, const report_algorithm *a)
{
    fputs("<span class=\"swatch\"", out);
    if (a->colour[0])
        fprintf(out, " style=\"background:%.7s\"", a->colour);
    fputs("></span>", out);
    for (const char *at = a->name; *at; at++) {         /* long names may break at their options */
        char one[2] = {*at, 0};

        acre__report_escape(out, one);
        if (strchr(":,_", *at))
            fputs("<wbr>", out);
    }
}

/* Ranking --------------------------------------------------------------------------------- */

typedef struct table_scale {
    double lo, hi;          /* logarithms */
} table_scale;

static double table_at(const table_scale *s, double ratio)
{
    return fmin(100, fmax(0, 100 * (log(ratio) - s->lo) / (s->hi - s->lo)));
}

static table_scale table_find_scale(const report_model *m)
{
    table_scale s = {log(0.5), log(2)};

    for (size_t i = 0; i < m->n_ranked; i++) {
        const report_algorithm *a = &m->algorithm[m->rank[i]];

        if (isfinite(a->warm.value)) {
            s.lo = fmin(s.lo, log(a->warm.value));
            s.hi = fmax(s.hi, log(a->warm.value));
        }
    }
    s.lo -= 0.1;
    s.hi += 0.1;
    return s;
}

static void table_strip(FILE *out, const report_model *m, const report_algorithm *a,
                        const table_scale *s)
{
    const report_ratio *r = &a->warm;

    fprintf(out, "<span class=\"strip\" aria-hidden=\"true\">"
            "<i class=\"one\" style=\"left:%.1f%%\"></i>", table_at(s, 1));
    if (isfinite(m->noise_floor))
        fprintf(out, "<i class=\"floor\" style=\"left:%.1f%%;right:%.1f%%\"></i>",
                table_at(s, 1 / m->noise_floor), 100 - table_at(s, m->noise_floor));
    if (isfinite(r->lo))
        fprintf(out, "<i class=\"ci\" style=\"left:%.1f%%;right:%.1f%%;background:%.7s\"></i>",
                table_at(s, r->lo), 100 - table_at(s, r->hi), a->colour);
    fprintf(out, "<i class=\"dot\" style=\"left:%.1f%%;background:%.7s\"></i></span>",
            table_at(s, r->value), a->colour);
}

static void table_time(FILE *out, const report_model *m, const report_algorithm *a,
                       const table_scale *s)
{
    if (!isfinite(a->warm.value)) {
        acre__table_missing(out, "–");
        return;
    }
    fprintf(out, "<td class=\"time\" data-v=\"%.6g\"><b>", a->warm.value);
    fprintf(out, a->warm.value < 9.995 ? "%.2f×" : "%.1f×", a->warm.value);
    fputs("</b>", out);
    if (isfinite(a->warm.lo) && a->warm.hi > a->warm.lo)
        fprintf(out, a->warm.value < 9.995 ? "<small>%.2f–%.2f</small>"
                                           : "<small>%.1f–%.1f</small>", a->warm.lo, a->warm.hi);
    table_strip(out, m, a, s);
    fputs("</td>", out);
}

static void table_verdict(FILE *out, const report_model *m, const report_algorithm *a)
{
    static const char *const style[] = {"", "ref", "faster", "slower", "same", "few"};
    size_t all = m->algorithm[m->reference].traces;

    fprintf(out, "<td class=\"verdict %s\" data-v=\"%.6g\">", style[a->verdict],
            isfinite(a->p) ? a->p : 2);
    fputs(acre__report_verdict_text(m, a), out);
    if (isfinite(a->p) && a->verdict != REPORT_FEW)
        fprintf(out, a->p < 0.001 ? "<small>p &lt; 0.001</small>" : "<small>p = %.3f</small>",
                a->p);
    if (a->traces < all)
        fprintf(out, "<small class=\"warn\">%zu of %zu traces</small>", a->traces, all);
    fputs("</td>", out);
}

static void table_worst(FILE *out, const report_model *m, const report_algorithm *a)
{
    if (!isfinite(a->worst_memory)) {
        acre__table_missing(out, "–");
        return;
    }
    fprintf(out, "<td class=\"n\" data-v=\"%.6g\">%.2f× <small>", a->worst_memory,
            a->worst_memory);
    acre__report_escape(out, m->trace[a->worst_trace].name);
    fputs("</small></td>", out);
}

static void table_rank_row(FILE *out, const report_model *m, size_t i, const table_scale *s)
{
    const report_algorithm *a = &m->algorithm[m->rank[i]];
    bool point = acre__report_is_point(a);

    fprintf(out, "<tr class=\"%s\"><td class=\"rank\" data-v=\"%zu\">", point ? "point" : "", i);
    if (!point)
        fprintf(out, "%zu", i + 1);
    fputs("</td><th scope=\"row\"><span class=\"name\">", out);
    acre__table_algorithm_name(out, a);
    fputs("</span><small>", out);
    acre__report_escape(out, a->summary ? a->summary : "");
    fputs("</small></th>", out);
    table_time(out, m, a, s);
    acre__table_number(out, "n", point ? NAN : a->net.value, "×");
    acre__table_number(out, "n", a->cold.value, "×");
    acre__table_number(out, "n", a->ns, "");
    acre__table_number(out, "n", point ? NAN : a->ns_net, "");
    acre__table_number(out, "n", a->memory, a->resident ? "× <abbr title=\"growth of resident "
                 "memory, not a segment\">r</abbr>" : "×");
    table_worst(out, m, a);
    table_verdict(out, m, a);
    fputs("</tr>\n", out);
}

void acre__report_table_ranking(FILE *out, const report_model *m)
{
    static const struct {
        const char *title, *help;
    } column[] = {
        {"#", "by time; means over fewer traces behind"},
        {"Algorithm", ""},
        {"Time", "warm, gross, ratio to the reference: geometric mean over traces of the median "
                 "over blocks; 95 % interval"},
        {"Net", "the same with the harness taken off both sides"},
        {"Cold", "first pass, ratio to the reference"},
        {"ns/op", "warm, gross: geometric mean over traces"},
        {"net ns", "warm, less the harness"},
        {"Memory", "smallest segment / peak of live bytes, geometric mean"},
        {"Worst", "memory on the worst trace"},
        {"Verdict", "against the reference: p after Holm, and beyond the noise floor"},
    };
    table_scale scale = table_find_scale(m);

    fputs("<table class=\"ranking sortable\"><caption><span>"
          "Ranking by warm time per operation, against ", out);
    acre__report_escape(out, m->algorithm[m->reference].name);
    fputs(". Smaller is better in every column.</span></caption>\n<thead><tr>", out);
    for (size_t i = 0; i < sizeof column / sizeof *column; i++)
        fprintf(out, "<th scope=\"col\" title=\"%s\">%s</th>", column[i].help, column[i].title);
    fputs("</tr></thead>\n<tbody>\n", out);
    for (size_t i = 0; i < m->n_ranked; i++)
        table_rank_row(out, m, i, &scale);
    fputs("</tbody></table>\n", out);
}

/* Against the original --------------------------------------------------------------------- */

static void table_ratio(FILE *out, const report_ratio *r)
{
    if (!isfinite(r->value)) {
        acre__table_missing(out, "–");
        return;
    }
    fprintf(out, "<td class=\"n\" data-v=\"%.6g\"><b>", r->value);
    fprintf(out, r->value < 9.995 ? "%.2f×</b>" : "%.1f×</b>", r->value);
    if (isfinite(r->lo))
        fprintf(out, r->hi < 9.995 ? "<small>%.2f–%.2f</small>" : "<small>%.1f–%.1f</small>",
                r->lo, r->hi);
    fputs("</td>", out);
}

/* Three places: a step of the sizes that are tried is 0.004. */
static void table_most(FILE *out, const report_model *m, const report_original *o)
{
    if (!isfinite(o->most)) {
        acre__table_missing(out, "–");
        return;
    }
    fprintf(out, "<td class=\"n\" data-v=\"%.6g\">%.3f× <small>", o->most, o->most);
    acre__report_escape(out, m->trace[o->most_trace].name);
    fputs("</small></td>", out);
}

static void table_original_row(FILE *out, const report_model *m, const report_original *o)
{
    fputs("<tr><th scope=\"row\"><span class=\"name\">", out);
    acre__table_algorithm_name(out, &m->algorithm[o->algorithm]);
    fputs("</span><small>", out);
    acre__report_escape(out, m->algorithm[o->boost].name);
    fputs("</small></th>", out);
    table_ratio(out, &o->warm);
    table_ratio(out, &o->cold);
    acre__table_number(out, "n", o->memory, "×");
    acre__table_number(out, "n", o->boost_memory, "×");
    table_most(out, m, o);
    fprintf(out, "<td class=\"n\" data-v=\"%zu\">%zu", o->warm.traces, o->warm.traces);
    if (o->memory_traces != o->warm.traces)
        fprintf(out, "<small>segments: %zu</small>", o->memory_traces);
    fputs("</td></tr>\n", out);
}

void acre__report_table_original(FILE *out, const report_model *m)
{
    fputs("<table class=\"original sortable\"><caption><span>"
          "How many times as long Boost.Interprocess takes as acre (above 1: acre is faster; 95 % "
          "interval), then the smallest segment over the peak of live bytes, acre's and Boost's, "
          "and the largest of the ratios acre's segment / Boost's (at most 1: acre never needs "
          "more), all on the traces that both finished."
          "</span></caption>\n<thead><tr><th scope=\"col\">Algorithm <small>its original</small>"
          "</th><th scope=\"col\">Boost takes <small>warm</small></th>"
          "<th scope=\"col\">Boost takes <small>cold</small></th>"
          "<th scope=\"col\">Segment <small>acre</small></th>"
          "<th scope=\"col\">Segment <small>Boost</small></th>"
          "<th scope=\"col\">Largest ratio <small>of segments</small></th>"
          "<th scope=\"col\">Traces</th></tr></thead>\n<tbody>\n", out);
    for (size_t i = 0; i < m->n_originals; i++)
        table_original_row(out, m, &m->original[i]);
    fputs("</tbody></table>\n", out);
}

/* By trace -------------------------------------------------------------------------------- */

/* A tint by how far the value is from the best of its row, up to `most` times; none without a
 * best. */
static void table_shaded(FILE *out, double value, double best, double most)
{
    double far = fmin(1, fmax(0, log(value / best) / log(most)));

    if (isfinite(best))
        fprintf(out, "<td class=\"n shade\" style=\"--far:%.2f\">", far);
    else
        fputs("<td class=\"n quiet\">", out);
    fprintf(out, value < 9.995 ? "%.2f" : value < 99.95 ? "%.1f" : "%.0f", value);
    fputs("</td>", out);
}

static void table_unfinished(FILE *out, enum report_status status, double share)
{
    const char *word = status == REPORT_STOPPED ? "stopped" : "failed";

    if (status == REPORT_ABSENT)
        acre__table_missing(out, "–");
    else if (share < 1)
        fprintf(out, "<td class=\"none %s\">%s <small>%.0f&nbsp;%% done</small></td>", word, word,
                100 * share);
    else
        fprintf(out, "<td class=\"none %s\">%s</td>", word, word);
}

static void table_head_algorithms(FILE *out, const report_model *m, const char *before)
{
    fprintf(out, "<thead><tr><th scope=\"col\">Trace</th>%s", before);
    for (size_t i = 0; i < m->n_ranked; i++) {
        fputs("<th scope=\"col\" class=\"slant\"><span>", out);
        acre__table_algorithm_name(out, &m->algorithm[m->rank[i]]);
        fputs("</span></th>", out);
    }
    fputs("</tr></thead>\n<tbody>\n", out);
}

static void table_trace_head(FILE *out, const report_model *m, size_t t)
{
    fputs("<tr><th scope=\"row\">", out);
    acre__report_escape(out, m->trace[t].name);
    fputs("</th>", out);
}

static double table_cell_time(const report_cell *c)
{
    return c->status == REPORT_OK ? c->warm : NAN;
}

static double table_cell_memory(const report_cell *c)
{
    return c->fit == REPORT_OK && c->peak_live > 0 ? c->s_min / c->peak_live : NAN;
}

static double table_best(const report_model *m, size_t t, double (*value)(const report_cell *))
{
    double best = INFINITY;

    for (size_t i = 0; i < m->n_ranked; i++) {
        double v = value(acre__report_cell(m, m->rank[i], t));

        if (isfinite(v) && !acre__report_is_point(&m->algorithm[m->rank[i]]))
            best = fmin(best, v);
    }
    return best;
}

/* Reference points are not tinted: they are no allocators. */
static double table_row_best(const report_model *m, size_t i, double best)
{
    return acre__report_is_point(&m->algorithm[m->rank[i]]) ? NAN : best;
}

static void table_time_row(FILE *out, const report_model *m, size_t t)
{
    double best = table_best(m, t, table_cell_time);

    table_trace_head(out, m, t);
    acre__table_number(out, "n quiet", m->trace[t].harness, "");
    for (size_t i = 0; i < m->n_ranked; i++) {
        const report_cell *c = acre__report_cell(m, m->rank[i], t);

        if (c->status == REPORT_OK && isfinite(c->warm))
            table_shaded(out, c->warm, table_row_best(m, i, best), 4);
        else
            table_unfinished(out, c->status, c->share);
    }
    fputs("</tr>\n", out);
}

void acre__report_table_time(FILE *out, const report_model *m)
{
    fputs("<table class=\"matrix\"><caption><span>"
          "Warm time in ns per operation, gross: median over blocks. Subtract the harness column "
          "for net.</span></caption>\n", out);
    table_head_algorithms(out, m, "<th scope=\"col\" class=\"slant\"><span>harness</span></th>");
    for (size_t t = 0; t < m->n_traces; t++)
        table_time_row(out, m, t);
    fputs("</tbody></table>\n", out);
}

static void table_memory_row(FILE *out, const report_model *m, size_t t)
{
    double best = table_best(m, t, table_cell_memory);

    table_trace_head(out, m, t);
    for (size_t i = 0; i < m->n_ranked; i++) {
        const report_cell *c = acre__report_cell(m, m->rank[i], t);

        if (isfinite(table_cell_memory(c)))
            table_shaded(out, table_cell_memory(c), table_row_best(m, i, best), 1.6);
        else
            table_unfinished(out, c->fit, 1);
    }
    fputs("</tr>\n", out);
}

void acre__report_table_memory(FILE *out, const report_model *m)
{
    fputs("<table class=\"matrix\"><caption><span>"
          "Memory needed over the peak of live bytes: smallest segment; for mallocs, growth of "
          "resident memory.</span></caption>\n", out);
    table_head_algorithms(out, m, "");
    for (size_t t = 0; t < m->n_traces; t++)
        table_memory_row(out, m, t);
    fputs("</tbody></table>\n", out);
}

/* What was replayed, and what replaying costs ---------------------------------------------- */

static size_t table_find(const report_model *m, const char *name)
{
    for (size_t i = 0; i < m->n_algorithms; i++)
        if (strcmp(m->algorithm[i].name, name) == 0)
            return i;
    return SIZE_MAX;
}

static void table_count(FILE *out, double value)
{
    char digits[32];
    int n;

    if (!isfinite(value)) {
        acre__table_missing(out, "–");
        return;
    }
    n = snprintf(digits, sizeof digits, "%.0f", fmin(value, 1e18));
    fputs("<td class=\"n\">", out);
    for (int i = 0; i < n; i++)         /* thin spaces between thousands */
        fprintf(out, "%s%c", i > 0 && (n - i) % 3 == 0 ? "&#8239;" : "", digits[i]);
    fputs("</td>", out);
}

static void table_bytes(FILE *out, double value)
{
    if (isfinite(value))
        fprintf(out, "<td class=\"n\">%.1f MiB</td>", value / (1024 * 1024));
    else
        acre__table_missing(out, "–");
}

static void table_traces_row(FILE *out, const report_model *m, size_t t, size_t bump)
{
    const report_trace *trace = &m->trace[t];
    double reference = acre__report_cell(m, m->reference, t)->warm;

    table_trace_head(out, m, t);
    fputs("<td class=\"program\">", out);
    acre__report_escape(out, trace->program ? trace->program : "");
    fputs("</td>", out);
    table_count(out, trace->ops);
    table_count(out, trace->objects);
    table_bytes(out, trace->peak_live);
    acre__table_number(out, "n", trace->harness, "");
    acre__table_number(out, "n", trace->harness_cold, "");
    acre__table_number(out, "n", bump == SIZE_MAX ? NAN : acre__report_cell(m, bump, t)->warm, "");
    acre__table_number(out, "n", 100 * trace->harness / reference, " %");
    fputs("</tr>\n", out);
}

void acre__report_table_traces(FILE *out, const report_model *m)
{
    size_t bump = table_find(m, "bump");

    fputs("<table class=\"plain\"><caption><span>"
          "What was replayed, and the cost of replaying in ns per operation: null answers a "
          "constant, bump only advances. The share is the harness's part of the reference's time."
          "</span></caption>\n<thead><tr><th scope=\"col\">Trace</th>"
          "<th scope=\"col\">Program</th><th scope=\"col\">Operations</th>"
          "<th scope=\"col\">Objects</th><th scope=\"col\">Peak live</th>"
          "<th scope=\"col\">null</th><th scope=\"col\">null, cold</th>"
          "<th scope=\"col\">bump</th><th scope=\"col\">Share</th></tr></thead>\n<tbody>\n", out);
    for (size_t t = 0; t < m->n_traces; t++)
        table_traces_row(out, m, t, bump);
    fputs("</tbody></table>\n", out);
}
