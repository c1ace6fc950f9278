/* SPDX-License-Identifier: MIT */
/* The page of `acre procs -o`: four pictures and a table of what workers did together. */
#include "bench/report.h"
#include "bench/report_model.h"

#include <errno.h>
#include <string.h>

enum { PROCS_PICTURES = 4 };

static size_t procs_pictures(report_picture list[PROCS_PICTURES])
{
    static const char *const name[PROCS_PICTURES] = {"scaling", "fairness", "blow-up",
                                                     "false-sharing"};
    size_t n = 0;

    for (size_t i = 0; i < PROCS_PICTURES; i++) {
        const report_picture *p = acre__report_picture_of(name[i]);

        if (p)
            list[n++] = *p;
    }
    return n;
}

static const char *procs_run_text(const report_model *m, const char *key)
{
    const char *text = json_string_value(json_object_get(m->run, key));

    return text ? text : "not recorded";
}

static void procs_machine(FILE *out, const report_model *m)
{
    char path[4096];

    fputs("<section id=\"machine\">\n<h2>How it was measured</h2>\n", out);
    acre__report_page_facts(out, json_object_get(m->run, "fingerprint"));
    fputs("<p class=\"small\">Each run is a fresh process that starts the workers; they begin "
          "together, work for "
          "the same time, stop, and free everything. Patterns and their sources: "
          "<code>acre procs --help</code>. One run each: differences of a few percent are "
          "noise.</p>\n"
          "<p>The command that made these results:</p>\n<pre class=\"command\">",
          out);
    acre__report_escape(out, procs_run_text(m, "command"));
    fputs("</pre>\n", out);
    for (int i = 0; i < 2 && acre__report_datadir(); i++) {
        const char *script = i ? "style.gp" : "panels.gp";

        snprintf(path, sizeof path, "%s/%s", acre__report_datadir(), script);
        acre__report_page_folded(out, i ? "Style of all pictures:" : "Panels of pictures:", script,
                                 path);
    }
    fputs("</section>\n", out);
}

static void procs_header(FILE *out, const report_model *m)
{
    size_t unsound = 0;

    for (size_t i = 0; i < m->n_scalings; i++)
        unsound += m->scaling[i].checked && !m->scaling[i].sound;
    fputs("<header>\n<p class=\"eyebrow\">acre · many at work on one heap", out);
    acre__report_page_link(out, m->dir, "index.html", "allocators compared");
    fputs("</p>\n<h1>Many at work on one heap</h1>\n", out);
    if (unsound)
        fprintf(out, "<p class=\"note\">%zu runs left a heap that is not sound.</p>\n", unsound);
    fprintf(out, "<ul class=\"facts\"><li><b>%zu</b> runs</li><li>", m->n_scalings);
    acre__report_escape(out, procs_run_text(m, "date"));
    fputs("</li><li>commit <code>", out);
    acre__report_escape(out, procs_run_text(m, "commit"));
    fputs("</code></li></ul>\n</header>\n", out);
}

static void procs_write_page(FILE *out, const void *arg)
{
    const report_model *m = arg;
    report_picture list[PROCS_PICTURES];
    size_t n = procs_pictures(list);

    acre__report_page_head(out, "acre: many at work on one heap");
    procs_header(out, m);
    fputs("<section id=\"pictures\">\n<h2>Pictures</h2>\n", out);
    for (size_t i = 0; i < n; i++)
        acre__report_page_picture(out, m->dir, m->pictures ? &m->colours : NULL, &list[i]);
    fputs("</section>\n<section id=\"runs\">\n<h2>Every run</h2>\n<div class=\"scroll\" "
          "tabindex=\"0\" role=\"region\" aria-label=\"Many at work\">\n",
          out);
    acre__report_table_scaling(out, m);
    fputs("</div>\n</section>\n", out);
    procs_machine(out, m);
    acre__report_page_end(out);
}

static int procs_steps(report_model *m)
{
    report_picture list[PROCS_PICTURES];
    size_t n = procs_pictures(list);
    char path[4096];
    int error = acre__report_load_procs(m);

    if (!error)
        error = acre__report_make_folder(m->dir);
    if (!error)
        error = acre__report_write_scaling(m);
    if (!error)
        error = acre__report_plot_list(m, "scaling", list, n);
    snprintf(path, sizeof path, "%s/procs.html", m->dir);
    return error ? error : acre__report_write_page(path, procs_write_page, m);
}

int acre_report_procs_write(const char *dir)
{
    report_model m = {.dir = dir, .reference = SIZE_MAX};

    acre__report_say(0, "%s", "");
    int error = procs_steps(&m);
    if (error && !*acre_report_message())
        acre__report_say(error, "%s: %s", dir, strerror(error));
    acre__report_release(&m);
    return error;
}

int acre_report_procs_draw_png(const char *dir)
{
    report_picture list[PROCS_PICTURES];
    size_t n = procs_pictures(list);

    acre__report_say(0, "%s", "");
    if (!acre__report_has_scripts())
        return ENOENT;
    int error = acre__report_draw(dir, list, n, "png");
    return error ? acre__report_say(error, "gnuplot cannot be started: %s", strerror(error)) : 0;
}
