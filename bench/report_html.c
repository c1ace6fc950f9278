/* SPDX-License-Identifier: MIT */
/* The page: one file without any reference to outside, so that it can be mailed, archived and
 * opened without a network.  Style and script come from plots/report.css and plots/report.js. */
#include "bench/report_model.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* Pieces ---------------------------------------------------------------------------------- */

/* *bold* becomes <strong>. */
static void html_sentence(FILE *out, const report_model *m,
                          void (*write)(FILE *, const report_model *))
{
    char *text = NULL;
    size_t n = 0;
    FILE *memory = open_memstream(&text, &n);
    bool bold = false;

    if (!memory)
        return;
    write(memory, m);
    fclose(memory);
    for (const char *at = text; *at; at++) {
        char one[2] = {*at, 0};

        if (*at == '*') {
            fputs(bold ? "</strong>" : "<strong>", out);
            bold = !bold;
        } else {
            acre__report_escape(out, one);
        }
    }
    free(text);
}

static const char *html_run_text(const report_model *m, const char *key, const char *otherwise)
{
    const char *text = json_string_value(json_object_get(m->run, key));

    return text ? text : otherwise;
}

static void html_table(FILE *out, const report_model *m, const char *label,
                       void (*write)(FILE *, const report_model *))
{
    fprintf(out, "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"%s\">\n",
            label);
    write(out, m);
    fputs("</div>\n", out);
}

/* Sections -------------------------------------------------------------------------------- */

static void html_fact(FILE *out, double number, const char *one, const char *many)
{
    fprintf(out, "<li><b>%.0f</b> %s</li>", number, number == 1 ? one : many);
}

static void html_header(FILE *out, const report_model *m)
{
    bool quick = json_is_true(json_object_get(m->run, "quick"));

    fputs("<header>\n<p class=\"eyebrow\">acre · allocators compared", out);
    acre__report_page_link(out, m->dir, "sync.html", "locks, queues and rings");
    acre__report_page_link(out, m->dir, "procs.html", "many at work on one heap");
    fputs("</p>\n<h1>", out);
    html_sentence(out, m, acre__report_headline);
    fputs("</h1>\n<p class=\"lede\">", out);
    html_sentence(out, m, acre__report_details);
    fputs(" ", out);
    html_sentence(out, m, acre__report_noise_sentence);
    fputs("</p>\n<ul class=\"facts\">", out);
    html_fact(out, (double)m->n_traces, "trace", "traces");
    html_fact(out, (double)m->n_ranked, "contender", "contenders");
    html_fact(out, (double)m->n_blocks, "block", "blocks");
    if (quick)
        fputs("<li class=\"quick\">quick run</li>", out);
    fputs("<li>", out);
    acre__report_escape(out, html_run_text(m, "date", "date not recorded"));
    fputs("</li><li>commit <code>", out);
    acre__report_escape(out, html_run_text(m, "commit", "not recorded"));
    fputs("</code></li></ul>\n", out);
    if (m->n_blocks < 5)
        fputs("<p class=\"note\">Fewer than five blocks: intervals are rough, and a single block "
              "has none.</p>\n", out);
    fputs("</header>\n", out);
}

static void html_ranking(FILE *out, const report_model *m)
{
    fputs("<section id=\"ranking\">\n<h2>Ranking</h2>\n<div class=\"scroll\" tabindex=\"0\" "
          "role=\"region\" aria-label=\"Ranking table\">\n", out);
    acre__report_table_ranking(out, m);
    fputs("</div>\n<p class=\"small\">Times are ratios to the reference, paired inside each block; "
          "memory is the smallest segment that holds the whole trace over the peak of live bytes "
          "(<b>r</b>: a malloc has no segment; its growth of resident memory stands in). "
          "<i>Faster</i> and <i>slower</i> need p &lt; 0.01 after Holm's correction and a "
          "difference beyond 2 %, three median deviations and the noise floor. "
          "<i>name:option</i> is an algorithm with options; the headline speaks of defaults. The "
          "last rows are no allocators but show what replaying costs.</p>\n</section>\n", out);
}

static void html_original(FILE *out, const report_model *m)
{
    char path[4096], text[1024];

    fputs("<section id=\"original\">\n<h2>Against the original</h2>\n", out);
    if (m->n_originals == 0) {
        acre__report_no_original(m, text, sizeof text);
        fputs("<p class=\"note\">", out);
        acre__report_escape(out, text);
        fputs("</p>\n</section>\n", out);
        return;
    }
    html_table(out, m, "Table against the original", acre__report_table_original);
    snprintf(path, sizeof path, "%s/data/original.dat", m->dir);
    acre__report_page_folded(out, "Data", "original.dat", path);
    fputs("</section>\n", out);
}

static void html_pictures(FILE *out, const report_model *m)
{
    fputs("<section id=\"pictures\">\n<h2>Pictures</h2>\n", out);
    for (size_t i = 0; i < acre__report_n_pictures; i++)
        acre__report_page_picture(out, m->dir, m->pictures ? &m->colours : NULL,
                                  &acre__report_pictures[i]);
    fputs("</section>\n", out);
}

static void html_traces(FILE *out, const report_model *m)
{
    fputs("<section id=\"traces\">\n<h2>Every trace</h2>\n", out);
    html_table(out, m, "Time by trace", acre__report_table_time);
    html_table(out, m, "Memory by trace", acre__report_table_memory);
    if (m->n_live_costs)
        html_table(out, m, "Cost by live blocks", acre__report_table_growth);
    if (m->n_latencies)
        html_table(out, m, "Single operations", acre__report_table_latency);
    if (m->n_scalings)
        html_table(out, m, "Many at work", acre__report_table_scaling);
    if (m->n_safeties)
        html_table(out, m, "What safety costs", acre__report_table_safety);
    fputs("</section>\n<section id=\"harness\">\n<h2>What the harness costs</h2>\n"
          "<p>Every time above is gross: it includes walking the trace. <i>Net</i> columns take "
          "off the empty replay of the same trace in the same block.</p>\n", out);
    html_table(out, m, "Traces and harness", acre__report_table_traces);
    fputs("</section>\n", out);
}

static void html_unfinished_cell(FILE *out, const report_model *m, size_t a, size_t t)
{
    const report_cell *c = acre__report_cell(m, a, t);

    fputs("<li><b>", out);
    acre__report_escape(out, m->algorithm[a].name);
    fputs("</b> on ", out);
    acre__report_escape(out, m->trace[t].name);
    fprintf(out, ": %s after %.0f %% of the operations</li>\n",
            c->status == REPORT_STOPPED ? "stopped (too slow)" : "failed", 100 * c->share);
}

static size_t html_list_missing(FILE *out, const report_model *m)
{
    size_t n = 0;

    for (size_t a = 0; a < m->n_algorithms; a++) {
        if (m->algorithm[a].skipped) {
            fputs("<li><b>", out);
            acre__report_escape(out, m->algorithm[a].name);
            fputs("</b> was skipped: ", out);
            acre__report_escape(out, m->algorithm[a].skipped);
            fputs("</li>\n", out);
            n++;
        }
        for (size_t t = 0; t < m->n_traces; t++)
            if (acre__report_cell(m, a, t)->status > REPORT_OK) {
                html_unfinished_cell(out, m, a, t);
                n++;
            }
    }
    return n;
}

static void html_missing(FILE *out, const report_model *m)
{
    fputs("<section id=\"missing\">\n<h2>What is not in here</h2>\n<ul class=\"missing\">\n", out);
    if (html_list_missing(out, m) == 0)
        fputs("<li>Nothing was skipped, stopped or failed.</li>\n", out);
    fputs("</ul>\n</section>\n", out);
}

static void html_machine(FILE *out, const report_model *m)
{
    fputs("<section id=\"machine\">\n<h2>How it was measured</h2>\n", out);
    acre__report_page_facts(out, json_object_get(m->run, "fingerprint"));
    fputs("<p>The command that made these results:</p>\n<pre class=\"command\">", out);
    acre__report_escape(out, html_run_text(m, "command", "not recorded"));
    fputs("</pre>\n<p>The command that made this page from them:</p>\n<pre class=\"command\">"
          "acre report ", out);
    acre__report_escape(out, m->dir);
    fputs("</pre>\n", out);
}

static void html_method(FILE *out)
{
    char path[4096];
    const char *dir = acre__report_datadir();

    fputs("<p class=\"small\">Each block runs every contender once, in random order, each in a "
          "fresh process. Per trace and block the time is divided by the reference's; the median "
          "over blocks is taken per trace, the geometric mean over traces. Intervals are 95 % "
          "percentile bootstraps over whole blocks (10,000 resamples, fixed seed); p is Wilcoxon's "
          "signed-rank test over all pairs, aligned by trace, two-sided, Holm-adjusted over all "
          "contenders. It speaks of these traces on this machine.</p>\n", out);
    if (dir) {
        snprintf(path, sizeof path, "%s/panels.gp", dir);
        acre__report_page_folded(out, "Panels of pictures:", "panels.gp", path);
        snprintf(path, sizeof path, "%s/style.gp", dir);
        acre__report_page_folded(out, "Style of all pictures:", "style.gp", path);
    }
    fputs("</section>\n", out);
}

static void html_page(FILE *out, const void *model)
{
    const report_model *m = model;
    char title[256];

    snprintf(title, sizeof title, "acre: allocators compared against %s",
             m->algorithm[m->reference].name);
    acre__report_page_head(out, title);
    html_header(out, m);
    html_ranking(out, m);
    html_original(out, m);
    html_pictures(out, m);
    html_traces(out, m);
    acre__report_crash(out, m);
    html_missing(out, m);
    html_machine(out, m);
    html_method(out);
    acre__report_page_end(out);
}

int acre__report_write_html(const report_model *m)
{
    char path[4096];

    snprintf(path, sizeof path, "%s/index.html", m->dir);
    return acre__report_write_page(path, html_page, m);
}
