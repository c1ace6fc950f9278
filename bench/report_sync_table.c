/* SPDX-License-Identifier: MIT */
/* The tables of the synchronisation page: aims, one table for each group of cases, kills. */
#include "bench/report_sync_model.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

static void table_open(FILE *out, const char *label, const char *caption)
{
    fprintf(out,
            "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"%s\">\n"
            "<table class=\"sync\"><caption><span>%s</span></caption>\n<thead><tr>",
            label, caption);
}

static void table_close(FILE *out)
{
    fputs("</tbody></table>\n</div>\n", out);
}

static void table_heading(FILE *out, const char *text)
{
    fprintf(out, "<th scope=\"col\">%s</th>", text);
}

/* Of a column of words. */
static void table_heading_words(FILE *out, const char *text)
{
    fprintf(out, "<th scope=\"col\" class=\"aim\">%s</th>", text);
}

/* mutex <small>contended2</small> */
static void table_row_head(FILE *out, int primitive, int kase)
{
    fprintf(out, "<tr><th scope=\"row\">%s <small>%s</small></th>",
            acre__sync_primitives[primitive], acre__sync_cases[kase]);
}

/* ---- aims ---- */

static const char *table_verdict_class(const sync_judgement *j)
{
    return j->verdict == SYNC_UNKNOWN ? "none" : j->verdict == SYNC_REACHED ? "good" : "warn";
}

static void table_verdict(FILE *out, const sync_judgement *j)
{
    fprintf(out, "<td class=\"verdict %s\">%s</td>", table_verdict_class(j),
            acre__sync_verdict_text(j));
}

/* 2.31× <small>2.20× to 2.40×</small> */
static void table_judged(FILE *out, const sync_aim *a, const sync_judgement *j)
{
    char value[32], least[32], most[32];
    acre__sync_value_text(a, j->value, value, sizeof value);
    acre__sync_value_text(a, j->least, least, sizeof least);
    acre__sync_value_text(a, j->most, most, sizeof most);
    if (isfinite(j->value))
        fprintf(out, "<td>%s <small>%s to %s</small></td>", value, least, most);
    else
        fputs("<td class=\"none\">–</td>", out);
}

static void table_aim_row(FILE *out, const sync_model *m, const sync_aim *a)
{
    char text[64];
    sync_judgement j = acre__sync_judge(m, a);
    table_row_head(out, a->primitive, a->kase);
    acre__sync_aim_text(a, text, sizeof text);
    fprintf(out, "<td class=\"aim\">%s</td>", text);
    table_judged(out, a, &j);
    table_verdict(out, &j);
    fputs("</tr>\n", out);
}

void acre__sync_table_aims(FILE *out, const sync_model *m)
{
    sync_aim a;
    table_open(
        out, "Aims",
        "How many times the peer's rate acre has, or what a round trip takes: by the medians "
        "of the repetitions; small, what their extremes allow. <i>Within the spread</i>: with "
        "the extremes it could be judged either way.");
    table_heading_words(out, "Bench");
    table_heading_words(out, "Aim");
    table_heading(out, "Measured");
    table_heading_words(out, "Verdict");
    fputs("</tr></thead>\n<tbody>\n", out);
    for (size_t i = 0; acre__sync_aim(i, &a); i++)
        table_aim_row(out, m, &a);
    table_close(out);
}

/* ---- a group ---- */

static void table_number(FILE *out, double v)
{
    fprintf(out, v < 0.9995 ? "%.3f" : v < 9.995 ? "%.2f" : v < 99.95 ? "%.1f" : "%.0f", v);
}

/* 8.1 <small>8.0–8.4</small> */
static void table_cell(FILE *out, const sync_group *g, const sync_cell *c, bool best)
{
    if (c->n == 0) {
        fprintf(out, "<td class=\"none\">%s</td>", c->skipped ? "skipped" : "–");
        return;
    }
    fputs(best ? "<td><b>" : "<td>", out);
    table_number(out, acre__sync_shown(g, c->median));
    fputs(best ? "</b> <small>" : " <small>", out);
    table_number(out, acre__sync_shown(g, g->duration ? c->most : c->least));
    fputs("–", out);
    table_number(out, acre__sync_shown(g, g->duration ? c->least : c->most));
    fputs("</small></td>", out);
}

static int table_best(const sync_model *m, int p, int k)
{
    int peer = acre__sync_best_peer(m, p, k);
    double own = m->cell[p][k][0].median;
    return isfinite(own) && (peer < 0 || own >= m->cell[p][k][peer].median) ? 0 : peer;
}

static void table_ratio(FILE *out, const sync_model *m, int p, int k)
{
    char text[32];
    int peer = acre__sync_best_peer(m, p, k);
    sync_judgement j = {.value = NAN};
    if (peer >= 0)
        j = acre__sync_ratio(m, p, k, peer);
    acre__sync_value_text(NULL, j.value, text, sizeof text);
    if (isfinite(j.value))
        fprintf(out, "<td>%s <small>%s</small></td>", text, acre__sync_implementations[peer]);
    else
        fputs("<td class=\"none\">–</td>", out);
}

static void table_aims_of(FILE *out, const sync_model *m, int p, int k)
{
    sync_aim a;
    fputs("<td class=\"aim\">", out);
    for (size_t i = 0; acre__sync_aim(i, &a); i++)
        if (a.primitive == p && a.kase == k) {
            char text[64];
            sync_judgement j = acre__sync_judge(m, &a);
            acre__sync_aim_text(&a, text, sizeof text);
            fprintf(out, "%s <small class=\"%s\">%s</small>", text, table_verdict_class(&j),
                    acre__sync_verdict_text(&j));
        }
    fputs("</td>", out);
}

static bool table_has(const sync_model *m, int p, int k, int i)
{
    return m->cell[p][k][i].n || m->cell[p][k][i].skipped;
}

static bool table_has_row(const sync_model *m, int p, int k)
{
    bool has = false;
    for (int i = 0; i < SYNC_IMPLEMENTATIONS; i++)
        has |= table_has(m, p, k, i);
    return has;
}

static bool table_has_column(const sync_model *m, const sync_group *g, int i)
{
    bool has = false;
    for (int p = 0; p < SYNC_PRIMITIVES; p++)
        for (int k = g->first; k <= g->last; k++)
            has |= table_has(m, p, k, i);
    return has;
}

static void table_row(FILE *out, const sync_model *m, const sync_group *g, int p, int k)
{
    int best = table_best(m, p, k);
    table_row_head(out, p, k);
    for (int i = 0; i < SYNC_IMPLEMENTATIONS; i++)
        if (table_has_column(m, g, i))
            table_cell(out, g, &m->cell[p][k][i], i == best);
    table_ratio(out, m, p, k);
    table_aims_of(out, m, p, k);
    fputs("</tr>\n", out);
}

static void table_group_head(FILE *out, const sync_model *m, const sync_group *g)
{
    char caption[1024];
    snprintf(
        caption, sizeof caption,
        "%s In %s: medians of the repetitions; small, the least and the most. The best is bold; "
        "the ratio is acre's rate over that of the fastest other one.",
        g->text, g->duration ? g->unit : "millions a second");
    table_open(out, g->title, caption);
    table_heading_words(out, "Primitive");
    for (int i = 0; i < SYNC_IMPLEMENTATIONS; i++)
        if (table_has_column(m, g, i))
            table_heading(out, acre__sync_implementations[i]);
    table_heading(out, "acre : best");
    table_heading_words(out, "Aim");
    fputs("</tr></thead>\n<tbody>\n", out);
}

void acre__sync_table_group(FILE *out, const sync_model *m, const sync_group *g)
{
    table_group_head(out, m, g);
    for (int p = 0; p < SYNC_PRIMITIVES; p++)
        for (int k = g->first; k <= g->last; k++)
            if (table_has_row(m, p, k))
                table_row(out, m, g, p, k);
    table_close(out);
}

/* ---- kills: rows of one primitive and implementation are added up ---- */

static const char *const table_harm[] = {"hangs", "violations", "lost", "doubled"};
enum { TABLE_HARMS = sizeof table_harm / sizeof *table_harm };

static const char *table_text(json_t *row, const char *key)
{
    const char *text = json_string_value(json_object_get(row, key));
    return text ? text : "?";
}

static bool table_same(json_t *a, json_t *b)
{
    return strcmp(table_text(a, "primitive"), table_text(b, "primitive")) == 0 &&
           strcmp(table_text(a, "implementation"), table_text(b, "implementation")) == 0;
}

static double table_sum(json_t *rows, json_t *like, const char *key)
{
    json_t *row;
    size_t at;
    double sum = 0;
    json_array_foreach(rows, at, row) if (table_same(row, like)) sum +=
        json_number_value(json_object_get(row, key));
    return sum;
}

static bool table_is_first(json_t *rows, size_t at)
{
    for (size_t i = 0; i < at; i++)
        if (table_same(json_array_get(rows, i), json_array_get(rows, at)))
            return false;
    return true;
}

static void table_kill_row(FILE *out, json_t *rows, json_t *like, const char *deaths)
{
    fputs("<tr><th scope=\"row\">", out);
    acre__report_escape(out, table_text(like, "primitive"));
    fputs("</th><td class=\"aim\">", out);
    acre__report_escape(out, table_text(like, "implementation"));
    fprintf(out, "</td><td>%.0f</td>", table_sum(rows, like, deaths));
    for (int i = 0; i < TABLE_HARMS; i++) {
        double n = table_sum(rows, like, table_harm[i]);
        fprintf(out, "<td%s>%.0f</td>", n > 0 ? " class=\"warn\"" : "", n);
    }
    fputs("</tr>\n", out);
}

static void table_kills(FILE *out, json_t *rows, const char *deaths, const char *label,
                        const char *caption)
{
    json_t *row;
    size_t at;
    if (json_array_size(rows) == 0)
        return;
    table_open(out, label, caption);
    table_heading_words(out, "Primitive");
    table_heading_words(out, "Implementation");
    table_heading(out, deaths);
    for (int i = 0; i < TABLE_HARMS; i++)
        table_heading(out, table_harm[i]);
    fputs("</tr></thead>\n<tbody>\n", out);
    json_array_foreach(rows, at, row) if (table_is_first(rows, at))
        table_kill_row(out, rows, row, deaths);
    table_close(out);
}

void acre__sync_table_kills(FILE *out, const sync_model *m)
{
    table_kills(
        out, json_object_get(m->kills, "results"), "kills", "Random kills",
        "Processes of a contest killed at random moments: how many kills, how often the "
        "others hung (a watchdog), exclusion was violated, messages were lost beyond the one "
        "in hand, or came twice.");
    table_kills(out, json_object_get(m->kills, "steps"), "injected", "A kill at every instruction",
                "Each operation single-stepped and ended before every instruction; another process "
                "goes on with what was left.");
}
