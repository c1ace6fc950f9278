/* SPDX-License-Identifier: MIT */
/* The ranking for a terminal: aligned columns, and a bar of the time on a logarithmic scale. */
#include "bench/report_model.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TEXT_BAR = 10, TEXT_NAME = 40 };

/* Block characters only where the locale says UTF-8; else #. */
static bool text_is_utf8(void)
{
    const char *variable[] = {"LC_ALL", "LC_CTYPE", "LANG"};

    for (int i = 0; i < 3; i++) {
        const char *value = getenv(variable[i]);

        if (value && *value)
            return strcasestr(value, "utf-8") || strcasestr(value, "utf8");
    }
    return false;
}

static void text_cell(FILE *out, double value, int width, const char *suffix)
{
    char number[32];

    if (isfinite(value))
        snprintf(number, sizeof number, value < 9.995 ? "%.2f%s" : "%.1f%s", value, suffix);
    else
        snprintf(number, sizeof number, "-");
    fprintf(out, " %*s", width, number);
}

static void text_interval(FILE *out, const report_ratio *r)
{
    char text[40] = "-";

    if (isfinite(r->lo))
        snprintf(text, sizeof text, r->hi < 9.995 ? "%.2f-%.2f" : "%.1f-%.1f", r->lo, r->hi);
    fprintf(out, " %10s", text);
}

/* Eighths of a character: as long as log(ratio / least) against log(most / least). */
static void text_bar(FILE *out, double ratio, double least, double most, bool utf8)
{
    static const char *const part[] = {"", "▏", "▎", "▍", "▌", "▋", "▊", "▉"};
    double share = most > least ? log(ratio / least) / log(most / least) : 1;
    int eighths = isfinite(share) ? (int)lround((0.06 + 0.94 * share) * TEXT_BAR * 8) : 0;
    int cells = 0;

    fputs("  ", out);
    for (; eighths >= 8; eighths -= 8, cells++)
        fputs(utf8 ? "█" : "#", out);
    if (utf8 && eighths > 0) {
        fputs(part[eighths], out);
        cells++;
    }
    fprintf(out, "%*s", TEXT_BAR - cells, "");
}

static void text_notes(FILE *out, const report_model *m, const report_algorithm *a)
{
    fprintf(out, "  %s", acre__report_verdict_text(m, a));
    if (a->traces < m->algorithm[m->reference].traces)
        fprintf(out, ", %zu of %zu traces", a->traces, m->algorithm[m->reference].traces);
    fputc('\n', out);
}

static void text_row(const report_model *m, FILE *out, size_t i, int width, const double *range,
                     bool utf8)
{
    const report_algorithm *a = &m->algorithm[m->rank[i]];

    if (acre__report_is_point(a))
        fprintf(out, "    %-*.*s", width, width, a->name);
    else
        fprintf(out, "%3zu %-*.*s", i + 1, width, width, a->name);
    text_cell(out, a->warm.value, 6, "x");
    text_interval(out, &a->warm);
    text_bar(out, a->warm.value, range[0], range[1], utf8);
    text_cell(out, acre__report_is_point(a) ? NAN : a->net.value, 6, "x");
    text_cell(out, a->cold.value, 6, "x");
    text_cell(out, a->ns, 6, "");
    text_cell(out, a->memory, 6, a->resident ? "r" : "x");
    text_notes(out, m, a);
}

static void text_range(const report_model *m, double *range, int *width)
{
    range[0] = INFINITY;
    range[1] = 0;
    *width = 9;
    for (size_t i = 0; i < m->n_ranked; i++) {
        const report_algorithm *a = &m->algorithm[m->rank[i]];

        if (isfinite(a->warm.value)) {
            range[0] = fmin(range[0], a->warm.value);
            range[1] = fmax(range[1], a->warm.value);
        }
        if ((int)strlen(a->name) > *width)
            *width = (int)fmin((double)strlen(a->name), TEXT_NAME);
    }
}

/* Without the marks, and without signs that the terminal may not have. */
static void text_put(FILE *out, const char *text, bool utf8)
{
    for (const char *at = text; *at; at++) {
        bool times = strncmp(at, "×", 2) == 0, about = strncmp(at, "±", 2) == 0;

        if (!utf8 && (times || about)) {
            fputs(times ? "x" : "+-", out);
            at++;
        } else if (*at != '*') {
            fputc(*at, out);
        }
    }
    fputc('\n', out);
}

static void text_plain(FILE *out, const report_model *m,
                       void (*write)(FILE *, const report_model *), bool utf8)
{
    char *text = NULL;
    size_t n = 0;
    FILE *memory = open_memstream(&text, &n);

    if (!memory)
        return;
    write(memory, m);
    fclose(memory);
    text_put(out, text, utf8);
    free(text);
}

static void text_original_row(const report_model *m, FILE *out, const report_original *o, int width)
{
    char traces[32];

    snprintf(traces, sizeof traces, "%zu/%zu", o->warm.traces, o->memory_traces);
    fprintf(out, "    %-*.*s", width, width, m->algorithm[o->algorithm].name);
    text_cell(out, o->warm.value, 6, "x");
    text_interval(out, &o->warm);
    text_cell(out, o->cold.value, 6, "x");
    text_interval(out, &o->cold);
    text_cell(out, o->memory, 6, "x");
    text_cell(out, o->boost_memory, 6, "x");
    fprintf(out, " %6s", traces);
    if (isfinite(o->most))
        fprintf(out, "  %.3fx %s\n", o->most, m->trace[o->most_trace].name);
    else
        fputs("  -\n", out);
}

static void text_original(const report_model *m, FILE *out, int width)
{
    char text[1024];

    fputs("\nagainst the original\n\n", out);
    if (m->n_originals == 0) {
        acre__report_no_original(m, text, sizeof text);
        fprintf(out, "%s\n", text);
        return;
    }
    fprintf(out, "    %-*s %6s %10s %6s %10s %6s %6s %6s  most\n", width, "algorithm", "warm",
            "95 %", "cold", "95 %", "memory", "Boost", "traces");
    for (size_t i = 0; i < m->n_originals; i++)
        text_original_row(m, out, &m->original[i], width);
    fputs("\nwarm, cold: times as long as acre that Boost.Interprocess takes.  memory, Boost: "
          "smallest segment / peak\nof live bytes.  most: the largest of acre's segment / Boost's, "
          "and its trace.  traces: time/memory\n", out);
}

static void text_missing(const report_model *m, FILE *out)
{
    for (size_t i = 0; i < m->n_algorithms; i++)
        if (m->algorithm[i].skipped)
            fprintf(out, "skipped: %s: %s\n", m->algorithm[i].name, m->algorithm[i].skipped);
}

void acre__report_write_text(const report_model *m, FILE *out)
{
    bool utf8 = text_is_utf8();
    double range[2];
    int width;

    text_range(m, range, &width);
    fprintf(out, "\nTime against %s and memory, on %zu trace%s in %zu block%s\n\n",
            m->algorithm[m->reference].name, m->n_traces, m->n_traces == 1 ? "" : "s", m->n_blocks,
            m->n_blocks == 1 ? "" : "s");
    fprintf(out, "    %-*s %6s %10s  %-*s %6s %6s %6s %6s  verdict\n", width, "algorithm", "time",
            "95 %", TEXT_BAR, "(log)", "net", "cold", "ns/op", "memory");
    for (size_t i = 0; i < m->n_ranked; i++)
        text_row(m, out, i, width, range, utf8);
    fprintf(out, "\ntime, net of the harness, cold: ratios to %s.  memory: smallest segment / peak "
            "of live bytes\n(r: growth of resident memory)\n", m->algorithm[m->reference].name);
    text_original(m, out, width);
    text_missing(m, out);
    fputc('\n', out);
    text_plain(out, m, acre__report_headline, utf8);
    text_plain(out, m, acre__report_noise_sentence, utf8);
    fprintf(out, "page: %s/index.html\n", m->dir);
}
