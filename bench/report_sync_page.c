/* SPDX-License-Identifier: MIT */
/* DIR/sync.html. */
#include "bench/report_sync_model.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

/* ---- head ---- */

static size_t page_count(const sync_model *m, enum sync_verdict verdict)
{
    sync_aim a;
    size_t n = 0;
    for (size_t i = 0; acre__sync_aim(i, &a); i++)
        n += acre__sync_judge(m, &a).verdict == verdict;
    return n;
}

static void page_headline(FILE *out, const sync_model *m)
{
    size_t reached = page_count(m, SYNC_REACHED), missed = page_count(m, SYNC_MISSED);
    size_t unknown = page_count(m, SYNC_UNKNOWN);
    if (reached + missed == 0)
        fputs("<h1>None of what was aimed at has been measured</h1>\n", out);
    else
        fprintf(out, "<h1><strong>%zu of %zu</strong> aims reached</h1>\n", reached,
                reached + missed);
    if (reached + missed > 0 && unknown > 0)
        fprintf(out, "<p class=\"note\">%zu more were not measured.</p>\n", unknown);
}

static void page_missed(FILE *out, const sync_model *m)
{
    sync_aim a;
    const char *before = "<p class=\"lede\">Missed: ";
    for (size_t i = 0; acre__sync_aim(i, &a); i++) {
        if (acre__sync_judge(m, &a).verdict != SYNC_MISSED)
            continue;
        fprintf(out, "%s%s/%s", before, acre__sync_primitives[a.primitive],
                acre__sync_cases[a.kase]);
        before = ", ";
    }
    if (*before == ',')
        fputs(".</p>\n", out);
}

static void page_fact(FILE *out, const sync_model *m, const char *key)
{
    const char *text = json_string_value(json_object_get(m->context, key));
    if (!text)
        return;
    fprintf(out, "<li>%s ", key);
    acre__report_escape(out, text);
    fputs("</li>", out);
}

/* What else ran when the benches began. */
static void page_busy(FILE *out, const sync_model *m)
{
    double load = json_number_value(json_array_get(json_object_get(m->context, "load_avg"), 0));
    double cpus = json_number_value(json_object_get(m->context, "num_cpus"));
    if (cpus > 0 && load > cpus / 2)
        fprintf(out,
                "<p class=\"note\">The machine was busy (load %.1f on %.0f CPUs): what two "
                "processes do together says little.</p>\n",
                load, cpus);
}

static void page_header(FILE *out, const sync_model *m)
{
    fputs("<header>\n<p class=\"eyebrow\">acre · locks, queues and rings", out);
    acre__report_page_link(out, m->dir, "index.html", "allocators compared");
    fputs("</p>\n", out);
    page_headline(out, m);
    page_missed(out, m);
    fprintf(out, "<ul class=\"facts\"><li><b>%zu</b> benches</li><li><b>%zu</b> repetition%s</li>",
            m->n_benches, m->n_repetitions, m->n_repetitions == 1 ? "" : "s");
    page_fact(out, m, "date");
    page_fact(out, m, "commit");
    fputs("</ul>\n", out);
    if (m->n_repetitions < 3)
        fputs("<p class=\"note\">Fewer than three repetitions: the spread says little.</p>\n", out);
    page_busy(out, m);
    fputs("</header>\n", out);
}

/* ---- sections ---- */

static void page_group(FILE *out, const sync_model *m, const sync_group *g)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/data/%s.dat", m->dir, g->picture.name);
    if (access(path, R_OK))
        return;
    fprintf(out, "<section>\n<h2>%s</h2>\n", g->title);
    acre__sync_table_group(out, m, g);
    acre__report_page_picture(out, m->dir, m->pictures ? &m->colours : NULL, &g->picture);
    fputs("</section>\n", out);
}

static void page_kills(FILE *out, const sync_model *m)
{
    fputs("<section id=\"kills\">\n<h2>Deaths</h2>\n", out);
    if (m->kills)
        acre__sync_table_kills(out, m);
    else
        fputs("<p class=\"note\">No results: the tests that kill leave them in "
              "sync-kills.json of their build folder.</p>\n",
              out);
    fputs("</section>\n", out);
}

static void page_skipped_row(FILE *out, int p, int k, int i, const char *why)
{
    fprintf(out, "<li><b>%s/%s/%s</b>: ", acre__sync_primitives[p], acre__sync_cases[k],
            acre__sync_implementations[i]);
    acre__report_escape(out, why);
    fputs("</li>\n", out);
}

static size_t page_list_skipped(FILE *out, const sync_model *m)
{
    size_t n = 0;
    for (int p = 0; p < SYNC_PRIMITIVES; p++)
        for (int k = 0; k < SYNC_CASES; k++)
            for (int i = 0; i < SYNC_IMPLEMENTATIONS; i++)
                if (m->cell[p][k][i].skipped) {
                    page_skipped_row(out, p, k, i, m->cell[p][k][i].skipped);
                    n++;
                }
    return n;
}

static void page_skipped(FILE *out, const sync_model *m)
{
    fputs("<section id=\"missing\">\n<h2>What is not in here</h2>\n<ul class=\"missing\">\n", out);
    if (page_list_skipped(out, m) == 0)
        fputs("<li>Nothing was skipped.</li>\n", out);
    fputs("</ul>\n</section>\n", out);
}

static void page_shared_script(FILE *out, const char *what, const char *name)
{
    char path[4096];
    const char *dir = acre__report_datadir();
    if (!dir)
        return;
    snprintf(path, sizeof path, "%s/%s", dir, name);
    acre__report_page_folded(out, what, name, path);
}

static void page_machine(FILE *out, const sync_model *m)
{
    fputs("<section id=\"machine\">\n<h2>How it was measured</h2>\n", out);
    acre__report_page_facts(out, m->context);
    fputs("<p class=\"small\">Each bench runs in the calling process and its helpers, each pinned "
          "to a CPU, started together; the wall time from the start to the end of the last one "
          "counts (alone: CPU time). Repetitions of all benches are in random order. Loops hold "
          "the calls that a user would write, for Boost inlined in C++; semaphores and conditions "
          "that take turns are called through a pointer, all alike. Counts and message numbers are "
          "checked: a bench that lost one has an error instead of a number.</p>\n"
          "<p>The command that made this page:</p>\n<pre class=\"command\">acre report-sync -o ",
          out);
    acre__report_escape(out, m->dir);
    fputs(" ", out);
    acre__report_escape(out, m->file);
    fputs("</pre>\n", out);
    page_shared_script(out, "Rows of pictures:", "sync-rows.gp");
    page_shared_script(out, "Style of all pictures:", "style.gp");
    fputs("</section>\n", out);
}

static void page_write(FILE *out, const void *arg)
{
    const sync_model *m = arg;
    acre__report_page_head(out, "acre: locks, queues and rings beside their peers");
    page_header(out, m);
    fputs("<section id=\"aims\">\n<h2>Aims</h2>\n", out);
    acre__sync_table_aims(out, m);
    fputs("</section>\n", out);
    for (int i = 0; i < SYNC_GROUPS; i++)
        page_group(out, m, &acre__sync_groups[i]);
    page_kills(out, m);
    page_skipped(out, m);
    page_machine(out, m);
    acre__report_page_end(out);
}

int acre__sync_write_page(const sync_model *m)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/sync.html", m->dir);
    return acre__report_write_page(path, page_write, m);
}
