/* SPDX-License-Identifier: MIT */
/* Runs gnuplot, and turns what it draws into SVG that may stand in a page: without a prolog, with
 * ids that are unique in the page, with a title and a description for those who cannot see it,
 * and with ink and grid in the page's colours, so that it follows light and dark. */
#include "bench/report.h"
#include "bench/report_model.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

const report_picture acre__report_pictures[] = {
    {"time-forest", "Time against the reference",
     "Each row is one algorithm: the filled mark is its warm time per operation as a ratio to the "
     "reference, with its 95 % interval where that is wider than the mark; the ring is the same "
     "net of the harness. Left of the line at 1 is faster. A mark inside the grey band around 1 "
     "cannot be told from noise. * marks a mean over fewer traces."},
    {"pareto", "Time against memory",
     "Down and left is better on both counts. The stairs are the front: an algorithm above them "
     "is beaten on time and memory by another at once. Hollow marks are options of an algorithm; "
     "* marks means over fewer traces, which take no part in the front."},
    {"time-by-trace", "Time, program by program",
     "One row a program. See whether an algorithm is ahead everywhere or owes its mean to a few "
     "programs. The grey bar is what the empty replay costs: nothing can lie left of its end."},
    {"memory-by-trace", "Memory, program by program",
     "The smallest segment in which the whole trace succeeds, over the peak of live bytes; for "
     "mallocs, which have no segment, the growth of resident memory. 1× would be no overhead at "
     "all."},
    {"memory-over-time", "Memory over time",
     "The grey hill is what the program holds; each line is what one heap holds for it. The gap "
     "is overhead and fragmentation; a line that stays up when the hill falls keeps memory."},
    {"live-cost", "Cost as the heap fills",
     "One allocation and one free while so many blocks are live. A flat line does not care how "
     "full the heap is; a rising one searches, or misses caches. A line that ends early was "
     "stopped."},
    {"cold-warm", "First pass and later passes",
     "The filled mark is a warm pass, the ring the first one, when pages are fresh and caches are "
     "empty. A long line means that short-lived processes pay much more than the warm ranking "
     "says."},
    {"noise", "What this run cannot see",
     "The reference, run twice in each block, against itself: every point should be at 0. The band "
     "is the noise floor: a difference in the ranking smaller than it is called no difference. "
     "The dashed line is the mean."},
};
const size_t acre__report_n_pictures = sizeof acre__report_pictures / sizeof *acre__report_pictures;

/* Running gnuplot ------------------------------------------------------------------------- */

/* In gnuplot's single quotes only the quote itself is special: it is doubled. */
static void plot_quote(char *out, size_t room, const char *text)
{
    size_t n = 0;

    for (; *text && n + 3 < room; text++) {
        if (*text == '\'')
            out[n++] = '\'';
        out[n++] = *text;
    }
    out[n] = '\0';
}

static int plot_spawn(const char *log, char *const argv[], int *status)
{
    posix_spawn_file_actions_t actions;
    pid_t pid;
    int error = posix_spawn_file_actions_init(&actions);

    if (error)
        return error;
    error = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    if (!error)
        error = posix_spawn_file_actions_addopen(&actions, 1, log, O_WRONLY | O_CREAT | O_APPEND,
                                                 0666);
    if (!error)
        error = posix_spawn_file_actions_adddup2(&actions, 1, 2);
    if (!error)
        error = posix_spawnp(&pid, "gnuplot", &actions, NULL, argv, environ);
    posix_spawn_file_actions_destroy(&actions);
    while (!error && waitpid(pid, status, 0) < 0)
        if (errno != EINTR)
            error = errno;
    return error;
}

/* The script NAME.gp on DIR/data/DATA.dat to DIR/data/NAME.FORMAT.  Answers an errno if gnuplot
 * cannot be started; a script that fails leaves no picture and a line in DIR/data/gnuplot.log. */
static int plot_run(const report_model *m, const char *name, const char *data, const char *format)
{
    char dir[4096], from[4096], script[8192], variables[16384], log[4096], path[4096];
    char *const argv[] = {"gnuplot", "--default-settings", "-e", variables, script, NULL};
    int status = 0, error;

    snprintf(path, sizeof path, "%s/data/%s.%s", m->dir, name, format);
    snprintf(log, sizeof log, "%s/data/gnuplot.log", m->dir);
    plot_quote(dir, sizeof dir, m->dir);
    plot_quote(from, sizeof from, acre__report_datadir());
    snprintf(variables, sizeof variables,
             "DATA='%s/data/%s.dat'; OUT='%s/data/%s.%s'; FORMAT='%s'; STYLE_DIR='%s'", dir, data,
             dir, name, format, format, from);
    snprintf(script, sizeof script, "%s/%s.gp", acre__report_datadir(), name);
    error = plot_spawn(log, argv, &status);
    if (!error && status != 0) {
        remove(path);
        acre__report_say(0, "%s: gnuplot failed, see %s", script, log);
    }
    return error;
}

/* Colours --------------------------------------------------------------------------------- */

static void plot_take_colour(report_model *m, const char *name, const char *colour)
{
    char *special = strcmp(name, "@ink") == 0    ? m->ink
                    : strcmp(name, "@grid") == 0 ? m->grid
                    : strcmp(name, "@band") == 0 ? m->band
                                                 : NULL;

    if (special)
        memcpy(special, colour, 8);
    for (size_t i = 0; i < m->n_algorithms; i++)
        if (strcmp(m->algorithm[i].name, name) == 0)
            memcpy(m->algorithm[i].colour, colour, 8);
}

static void plot_read_colours(report_model *m)
{
    char path[4096], name[256], colour[8];
    FILE *in;

    snprintf(path, sizeof path, "%s/data/colours.dat", m->dir);
    if (!(in = fopen(path, "r")))
        return;
    while (fscanf(in, "%255s %7s %*d", name, colour) == 2)
        plot_take_colour(m, name, colour);
    fclose(in);
}

/* All ------------------------------------------------------------------------------------- */

static bool plot_has_scripts(void)
{
    const char *dir = acre__report_datadir();
    char path[4096];

    if (!dir) {
        acre__report_say(0, "no pictures: ACRE_DATADIR does not name the folder of the plots");
        return false;
    }
    snprintf(path, sizeof path, "%s/style.gp", dir);
    if (access(path, R_OK) == 0)
        return true;
    acre__report_say(0, "no pictures: %s: %s", path, strerror(errno));
    return false;
}

static void plot_clean(const report_model *m)
{
    char path[4096];

    for (size_t i = 0; i < acre__report_n_pictures; i++) {
        snprintf(path, sizeof path, "%s/data/%s.svg", m->dir, acre__report_pictures[i].name);
        remove(path);
    }
    snprintf(path, sizeof path, "%s/data/gnuplot.log", m->dir);
    remove(path);
}

static void plot_drop_empty_log(const report_model *m)
{
    char path[4096];
    struct stat st;

    snprintf(path, sizeof path, "%s/data/gnuplot.log", m->dir);
    if (stat(path, &st) == 0 && st.st_size == 0)
        remove(path);
}

/* Every picture whose data are there. */
static int plot_pictures(const report_model *m, const char *format)
{
    char path[4096];
    int error = 0;

    for (size_t i = 0; i < acre__report_n_pictures && !error; i++) {
        const char *name = acre__report_pictures[i].name;

        snprintf(path, sizeof path, "%s/data/%s.dat", m->dir, name);
        if (access(path, R_OK) == 0)
            error = plot_run(m, name, name, format);
    }
    return error;
}

int acre__report_plot(report_model *m)
{
    int error;

    plot_clean(m);
    if (!plot_has_scripts())
        return 0;
    error = plot_run(m, "colours", "algorithms", "dat");
    if (error) {
        acre__report_say(0, "no pictures: gnuplot cannot be started: %s (Debian: gnuplot-nox)",
                         strerror(error));
        return 0;
    }
    m->pictures = true;
    plot_read_colours(m);
    plot_pictures(m, "svg");
    plot_drop_empty_log(m);
    return 0;
}

int acre_report_draw_png(const char *dir)
{
    report_model m = {.dir = dir};
    int error;

    acre__report_say(0, "%s", "");
    if (!plot_has_scripts())
        return ENOENT;
    error = plot_pictures(&m, "png");
    plot_drop_empty_log(&m);
    return error ? acre__report_say(error, "gnuplot cannot be started: %s", strerror(error)) : 0;
}

/* Inline SVG ------------------------------------------------------------------------------ */

typedef struct plot_edit {
    char from[32], to[64];
} plot_edit;

enum { PLOT_EDITS = 16 };

static size_t plot_colour_edits(plot_edit *edit, const char *colour, const char *variable)
{
    unsigned r, g, b;

    if (sscanf(colour, "#%2x%2x%2x", &r, &g, &b) != 3)
        return 0;
    snprintf(edit[0].from, sizeof edit[0].from, "rgb(%u,%u,%u)", r, g, b);
    snprintf(edit[1].from, sizeof edit[1].from, "rgb(%3u, %3u, %3u)", r, g, b);
    snprintf(edit[0].to, sizeof edit[0].to, "var(--%s)", variable);
    memcpy(edit[1].to, edit[0].to, sizeof edit[1].to);
    return 2;
}

static size_t plot_id_edits(plot_edit *edit, const char *name)
{
    static const char *const from[] = {" id=\"", " id='", "xlink:href='#", "url(#"};
    static const char *const to[] = {" id=\"", " id='", "href='#", "url(#"};

    for (size_t i = 0; i < 4; i++) {
        snprintf(edit[i].from, sizeof edit[i].from, "%s", from[i]);
        snprintf(edit[i].to, sizeof edit[i].to, "%s%.40s-", to[i], name);
    }
    return 4;
}

static size_t plot_edits(plot_edit *edit, const report_model *m, const char *name)
{
    size_t n = plot_id_edits(edit, name);

    n += plot_colour_edits(edit + n, m->ink, "ink");
    n += plot_colour_edits(edit + n, m->grid, "grid");
    n += plot_colour_edits(edit + n, m->band, "band");
    edit[n++] = (plot_edit){" font-family=\"sans-serif\"", ""};
    edit[n++] = (plot_edit){"color=\"black\"", "color=\"var(--ink)\""};
    edit[n++] = (plot_edit){"stroke-width='0.190'", "stroke-width='0.32'"};  /* hollow marks */
    return n;
}

/* gnuplot names each series for the mouse; its own names for series without one say nothing. */
static const char *plot_skip_title(const char *at)
{
    static const char title[] = "<title>gnuplot_plot";
    const char *end;

    if (strncmp(at, title, sizeof title - 1) != 0 || !(end = strstr(at, "</title>")))
        return at;
    return end + strlen("</title>");
}

static void plot_copy_edited(FILE *out, const char *at, const plot_edit *edit, size_t n)
{
    while (*at) {
        const char *next = plot_skip_title(at);
        size_t i = 0;

        if (next != at) {
            at = next;
            continue;
        }
        while (i < n && strncmp(at, edit[i].from, strlen(edit[i].from)) != 0)
            i++;
        if (i < n) {
            fputs(edit[i].to, out);
            at += strlen(edit[i].from);
        } else {
            fputc(*at++, out);
        }
    }
}

int acre__report_inline_svg(FILE *out, const report_model *m, const report_picture *p)
{
    char path[4096];
    char *text, *box, *body;
    plot_edit edit[PLOT_EDITS];
    unsigned w = 0, h = 0;

    snprintf(path, sizeof path, "%s/data/%s.svg", m->dir, p->name);
    if (!(text = acre__report_slurp(path, NULL)))
        return errno;
    box = strstr(text, "viewBox=\"0 0 ");
    body = strstr(text, "</desc>");
    if (box && body && sscanf(box, "viewBox=\"0 0 %u %u\"", &w, &h) == 2) {
        fprintf(out, "<svg class=\"plot\" viewBox=\"0 0 %u %u\" role=\"img\" "
                "aria-labelledby=\"%s-title %s-desc\">\n<title id=\"%s-title\">%s</title>"
                "<desc id=\"%s-desc\">%s</desc>", w, h, p->name, p->name, p->name, p->title,
                p->name, p->caption);
        plot_copy_edited(out, body + strlen("</desc>"), edit, plot_edits(edit, m, p->name));
    }
    free(text);
    return w && h ? 0 : EBADMSG;
}
