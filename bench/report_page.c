/* SPDX-License-Identifier: MIT */
/* Pieces of a page: one file without any reference to outside, so that it can be mailed, archived
 * and opened without a network.  Style and script come from plots/report.css and plots/report.js.
 */
#include "bench/report_page.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void acre__report_escape(FILE *out, const char *text)
{
    for (; *text; text++) {
        const char *entity = *text == '<'   ? "&lt;"
                             : *text == '>' ? "&gt;"
                             : *text == '&' ? "&amp;"
                             : *text == '"' ? "&quot;"
                                            : NULL;

        if (entity)
            fputs(entity, out);
        else
            fputc((unsigned char)*text < ' ' && *text != '\n' ? ' ' : *text, out);
    }
}

static char *page_asset(const char *name)
{
    const char *dir = acre__report_datadir();
    char path[4096];

    if (!dir)
        return NULL;
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return acre__report_slurp(path, NULL);
}

static void page_inline_asset(FILE *out, const char *tag, const char *name)
{
    char *text = page_asset(name);

    if (text)
        fprintf(out, "<%s>\n%s</%s>\n", tag, text, tag);
    free(text);
}

void acre__report_page_head(FILE *out, const char *title)
{
    fputs("<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n"
          "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n"
          "<meta name=\"color-scheme\" content=\"light dark\">\n<title>",
          out);
    acre__report_escape(out, title);
    fputs("</title>\n<link rel=\"icon\" href=\"data:,\">\n", out);
    page_inline_asset(out, "style", "report.css");
    fputs("</head>\n<body>\n<main>\n", out);
}

void acre__report_page_end(FILE *out)
{
    fputs("</main>\n", out);
    page_inline_asset(out, "script", "report.js");
    fputs("</body>\n</html>\n", out);
}

void acre__report_page_link(FILE *out, const char *dir, const char *file, const char *text)
{
    char path[4096];

    snprintf(path, sizeof path, "%s/%s", dir, file);
    if (access(path, R_OK) == 0)
        fprintf(out, " · <a href=\"%s\">%s</a>", file, text);
}

void acre__report_page_folded(FILE *out, const char *summary, const char *file, const char *path)
{
    char *text = acre__report_slurp(path, NULL);

    if (!text)
        return;
    fprintf(out,
            "<details><summary>%s <code>%s</code></summary><pre data-file=\"%s\" "
            "tabindex=\"0\">",
            summary, file, file);
    acre__report_escape(out, text);
    fputs("</pre></details>\n", out);
    free(text);
}

static void page_picture_script(FILE *out, const report_picture *p)
{
    char path[4096], file[256];
    const char *dir = acre__report_datadir();

    if (!dir)
        return;
    snprintf(path, sizeof path, "%s/%s.gp", dir, p->name);
    snprintf(file, sizeof file, "%s.gp", p->name);
    acre__report_page_folded(out, "Script", file, path);
}

void acre__report_page_picture(FILE *out, const char *dir, const report_colours *colours,
                               const report_picture *p)
{
    char path[4096], file[256];

    snprintf(path, sizeof path, "%s/data/%s.dat", dir, p->name);
    if (access(path, R_OK))
        return;
    fprintf(out, "<figure id=\"%s\">\n<h3>%s</h3>\n<div class=\"scroll picture\">\n", p->name,
            p->title);
    if (!colours || acre__report_inline_svg(out, dir, colours, p))
        fputs("<p class=\"note\">No picture: gnuplot was not there or failed. The data are "
              "below.</p>\n",
              out);
    fprintf(out, "</div>\n<figcaption>%s</figcaption>\n<div class=\"folds\">", p->caption);
    snprintf(file, sizeof file, "%s.dat", p->name);
    acre__report_page_folded(out, "Data", file, path);
    page_picture_script(out, p);
    fputs("</div>\n</figure>\n", out);
}

static void page_value(FILE *out, json_t *value)
{
    char *text = json_is_string(value) ? NULL : json_dumps(value, JSON_ENCODE_ANY);

    acre__report_escape(out, text                       ? text
                             : json_string_value(value) ? json_string_value(value)
                                                        : "");
    free(text);
}

void acre__report_page_facts(FILE *out, json_t *facts)
{
    json_t *value;
    const char *key;

    fputs("<dl class=\"machine\">\n", out);
    json_object_foreach(facts, key, value)
    {
        fputs("<div><dt>", out);
        acre__report_escape(out, key);
        fputs("</dt><dd>", out);
        page_value(out, value);
        fputs("</dd></div>\n", out);
    }
    fputs("</dl>\n", out);
}

int acre__report_write_page(const char *path, report_page_writer *write, const void *arg)
{
    char temporary[4200];
    FILE *out;
    int error = 0;

    snprintf(temporary, sizeof temporary, "%s.tmp", path);
    if (!(out = fopen(temporary, "w")))
        return acre__report_say(errno, "%s: %s", temporary, strerror(errno));
    write(out, arg);
    if (ferror(out))
        error = EIO;
    if (fclose(out) && !error)
        error = errno;
    if (!error && rename(temporary, path))
        error = errno;
    if (error)
        remove(temporary);
    return error ? acre__report_say(error, "%s: %s", path, strerror(error)) : 0;
}
