/* SPDX-License-Identifier: MIT */
/* The page's section on crash safety: what the crash laboratory (`make crash`) has counted in crash.json,
 * added up over starting states and variants. */
#include "bench/report_model.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

static const char *const crash_field[] = {"injected", "recovered", "in_hand", "lost",
                                          "doubled",  "unsound",   "hangs"};
enum { CRASH_FIELDS = sizeof crash_field / sizeof *crash_field, CRASH_HARM = 3 };

/* ---- loading ---- */

static int crash_load(report_model *m, const char *path)
{
    json_error_t wrong;

    m->crash = json_load_file(path, 0, &wrong);
    if (!m->crash)
        return acre__report_say(EBADMSG, "%s:%d: %s", path, wrong.line, wrong.text);
    if (!json_is_array(json_object_get(m->crash, "rows")))
        return acre__report_say(EBADMSG, "%s: there are no rows in it", path);
    return 0;
}

int acre__report_load_crash(report_model *m, const char *file)
{
    char path[4096];

    if (file)
        return crash_load(m, file);
    snprintf(path, sizeof path, "%s/../crash.json", m->dir);
    return access(path, R_OK) == 0 ? crash_load(m, path) : 0;
}

/* ---- sums over rows that agree in the first keys ---- */

static const char *const crash_key[] = {"part", "algorithm", "operation"};

static const char *crash_text(json_t *row, const char *key)
{
    const char *text = json_string_value(json_object_get(row, key));

    return text ? text : "?";
}

static bool crash_alike(json_t *a, json_t *b, size_t keys)
{
    for (size_t i = 0; i < keys; i++)
        if (strcmp(crash_text(a, crash_key[i]), crash_text(b, crash_key[i])))
            return false;
    return true;
}

static bool crash_is_first(json_t *rows, size_t at, size_t keys)
{
    for (size_t i = 0; i < at; i++)
        if (crash_alike(json_array_get(rows, i), json_array_get(rows, at), keys))
            return false;
    return true;
}

static double crash_sum(json_t *rows, json_t *like, size_t keys, const char *field)
{
    json_t *row;
    size_t i;
    double sum = 0;

    json_array_foreach(rows, i, row) if (crash_alike(row, like, keys)) sum +=
        json_number_value(json_object_get(row, field));
    return sum;
}

/* ---- tables ---- */

static void crash_number(FILE *out, double n, bool harm)
{
    fprintf(out, "<td%s>%.0f</td>", harm && n > 0 ? " class=\"warn\"" : "", n);
}

static void crash_row(FILE *out, json_t *rows, json_t *like, size_t keys)
{
    fputs("<tr>", out);
    for (size_t i = 0; i < keys; i++) {
        fputs(i ? "<td class=\"aim\">" : "<th scope=\"row\">", out);
        acre__report_escape(out, crash_text(like, crash_key[i]));
        fputs(i ? "</td>" : "</th>", out);
    }
    for (size_t i = 0; i < CRASH_FIELDS; i++)
        crash_number(out, crash_sum(rows, like, keys, crash_field[i]), i >= CRASH_HARM);
    fputs("</tr>\n", out);
}

static void crash_heading(FILE *out, size_t keys)
{
    for (size_t i = 0; i < keys; i++)
        fprintf(out, "<th scope=\"col\" class=\"aim\">%s</th>", crash_key[i]);
    for (size_t i = 0; i < CRASH_FIELDS; i++)
        fprintf(out, "<th scope=\"col\">%s</th>",
                strcmp(crash_field[i], "in_hand") ? crash_field[i] : "in hand");
}

static void crash_table(FILE *out, json_t *rows, size_t keys, const char *caption)
{
    json_t *row;
    size_t i;

    fprintf(out,
            "<div class=\"scroll\" tabindex=\"0\" role=\"region\" aria-label=\"%s\">\n"
            "<table class=\"sync\"><caption><span>%s</span></caption>\n<thead><tr>",
            caption, caption);
    crash_heading(out, keys);
    fputs("</tr></thead>\n<tbody>\n", out);
    json_array_foreach(rows, i, row) if (crash_is_first(rows, i, keys))
        crash_row(out, rows, row, keys);
    fputs("</tbody></table>\n</div>\n", out);
}

static double crash_total(json_t *rows, const char *field)
{
    return crash_sum(rows, NULL, 0, field);
}

void acre__report_crash(FILE *out, const report_model *m)
{
    json_t *rows = json_object_get(m->crash, "rows");

    if (!rows)
        return;
    fprintf(out,
            "<section id=\"crash\">\n<h2>Crash safety</h2>\n<p>%.0f deaths injected, "
            "<strong>%.0f survived</strong>, %.0f blocks lost, %.0f doubled.</p>\n",
            crash_total(rows, "injected"), crash_total(rows, "recovered"),
            crash_total(rows, "lost"), crash_total(rows, "doubled"));
    crash_table(out, rows, 1, "Deaths by part of the laboratory");
    fputs("<details><summary>By algorithm and operation</summary>\n", out);
    crash_table(out, rows, sizeof crash_key / sizeof *crash_key,
                "Deaths by algorithm and operation");
    fputs("</details>\n<p class=\"small\"><i>step</i>: a victim is killed between any two instructions "
          "of an operation; <i>double</i>: its survivor too, inside the recovery. After each death "
          "the heap is verified, every block that was held is there with its contents, it is used on "
          "and freed whole. <i>in hand</i>: blocks of plain allocations that only the victim knew "
          "of. Instructions that changed nothing share the verdict of the image before them. "
          "<code>make crash</code> repeats it (tests/crash/README.md).</p>\n</section>\n", out);
}
