/* SPDX-License-Identifier: MIT */
/* Runs gnuplot, and turns what it draws into SVG that may stand in a page: without a prolog, with
 * ids that are unique in the page, with a title and a description for those who cannot see it,
 * and with ink and grid in the page's colours, so that it follows light and dark. */
#include "bench/report_page.h"

#include <errno.h>
#include <fcntl.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

extern char **environ;

/* Running gnuplot ------------------------------------------------------------------------- */

/* In gnuplot's single quotes only the quote itself is special: it is doubled. */
static void gnuplot_quote(char *out, size_t room, const char *text)
{
    size_t n = 0;

    for (; *text && n + 3 < room; text++) {
        if (*text == '\'')
            out[n++] = '\'';
        out[n++] = *text;
    }
    out[n] = '\0';
}

static int gnuplot_spawn(const char *log, char *const argv[], int *status)
{
    posix_spawn_file_actions_t actions;
    pid_t pid;
    int error = posix_spawn_file_actions_init(&actions);

    if (error)
        return error;
    error = posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
    if (!error)
        error =
            posix_spawn_file_actions_addopen(&actions, 1, log, O_WRONLY | O_CREAT | O_APPEND, 0666);
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

int acre__report_run_gnuplot(const char *dir, const char *script, const char *data, const char *out)
{
    char to[4096], from[4096], path[8192], variables[16384], log[4096], made[4096];
    char *const argv[] = {"gnuplot", "--default-settings", "-e", variables, path, NULL};
    int status = 0, error;

    snprintf(made, sizeof made, "%s/data/%s", dir, out);
    snprintf(log, sizeof log, "%s/data/gnuplot.log", dir);
    gnuplot_quote(to, sizeof to, dir);
    gnuplot_quote(from, sizeof from, acre__report_datadir());
    snprintf(variables, sizeof variables,
             "DATA='%s/data/%s.dat'; OUT='%s/data/%s'; FORMAT='%s'; STYLE_DIR='%s'", to, data, to,
             out, strrchr(out, '.') + 1, from);
    snprintf(path, sizeof path, "%s/%s.gp", acre__report_datadir(), script);
    error = gnuplot_spawn(log, argv, &status);
    if (!error && status != 0) {
        remove(made);
        acre__report_say(0, "%s: gnuplot failed, see %s", path, log);
    }
    return error;
}

/* Colours --------------------------------------------------------------------------------- */

static char *gnuplot_page_colour(report_colours *c, const char *name)
{
    return strcmp(name, "@ink") == 0    ? c->ink
           : strcmp(name, "@grid") == 0 ? c->grid
           : strcmp(name, "@band") == 0 ? c->band
                                        : NULL;
}

void acre__report_read_colours(const char *path, report_colours *c, report_take_colour *take,
                               void *arg)
{
    char name[256], colour[8];
    FILE *in = fopen(path, "r");

    if (!in)
        return;
    while (fscanf(in, "%255s %7s %*d", name, colour) == 2) {
        char *of_page = gnuplot_page_colour(c, name);

        if (of_page)
            memcpy(of_page, colour, 8);
        else
            take(arg, name, colour);
    }
    fclose(in);
}

/* All ------------------------------------------------------------------------------------- */

bool acre__report_has_scripts(void)
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

void acre__report_forget_pictures(const char *dir, const report_picture *list, size_t n)
{
    char path[4096];

    for (size_t i = 0; i < n; i++) {
        snprintf(path, sizeof path, "%s/data/%s.svg", dir, list[i].name);
        remove(path);
    }
    snprintf(path, sizeof path, "%s/data/gnuplot.log", dir);
    remove(path);
}

static void gnuplot_drop_empty_log(const char *dir)
{
    char path[4096];
    struct stat st;

    snprintf(path, sizeof path, "%s/data/gnuplot.log", dir);
    if (stat(path, &st) == 0 && st.st_size == 0)
        remove(path);
}

int acre__report_draw(const char *dir, const report_picture *list, size_t n, const char *format)
{
    char path[4096], out[256];
    int error = 0;

    for (size_t i = 0; i < n && !error; i++) {
        snprintf(path, sizeof path, "%s/data/%s.dat", dir, list[i].name);
        snprintf(out, sizeof out, "%s.%s", list[i].name, format);
        if (access(path, R_OK) == 0)
            error = acre__report_run_gnuplot(dir, list[i].name, list[i].name, out);
    }
    gnuplot_drop_empty_log(dir);
    return error;
}

/* Inline SVG ------------------------------------------------------------------------------ */

typedef struct gnuplot_edit {
    char from[32], to[64];
} gnuplot_edit;

enum { PLOT_EDITS = 16 };

static size_t gnuplot_colour_edits(gnuplot_edit *edit, const char *colour, const char *variable)
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

static size_t gnuplot_id_edits(gnuplot_edit *edit, const char *name)
{
    static const char *const from[] = {" id=\"", " id='", "xlink:href='#", "url(#"};
    static const char *const to[] = {" id=\"", " id='", "href='#", "url(#"};

    for (size_t i = 0; i < 4; i++) {
        snprintf(edit[i].from, sizeof edit[i].from, "%s", from[i]);
        snprintf(edit[i].to, sizeof edit[i].to, "%s%.40s-", to[i], name);
    }
    return 4;
}

static size_t gnuplot_edits(gnuplot_edit *edit, const report_colours *c, const char *name)
{
    size_t n = gnuplot_id_edits(edit, name);

    n += gnuplot_colour_edits(edit + n, c->ink, "ink");
    n += gnuplot_colour_edits(edit + n, c->grid, "grid");
    n += gnuplot_colour_edits(edit + n, c->band, "band");
    edit[n++] = (gnuplot_edit){" font-family=\"sans-serif\"", ""};
    edit[n++] = (gnuplot_edit){"color=\"black\"", "color=\"var(--ink)\""};
    edit[n++] = (gnuplot_edit){"stroke-width='0.190'", "stroke-width='0.32'"}; /* hollow marks */
    return n;
}

/* gnuplot names each series for the mouse; its own names for series without one say nothing. */
static const char *gnuplot_skip_title(const char *at)
{
    static const char title[] = "<title>gnugnuplot_plot";
    const char *end;

    if (strncmp(at, title, sizeof title - 1) != 0 || !(end = strstr(at, "</title>")))
        return at;
    return end + strlen("</title>");
}

static void gnuplot_copy_edited(FILE *out, const char *at, const gnuplot_edit *edit, size_t n)
{
    while (*at) {
        const char *next = gnuplot_skip_title(at);
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

int acre__report_inline_svg(FILE *out, const char *dir, const report_colours *c,
                            const report_picture *p)
{
    char path[4096];
    char *text, *box, *body;
    gnuplot_edit edit[PLOT_EDITS];
    unsigned w = 0, h = 0;

    snprintf(path, sizeof path, "%s/data/%s.svg", dir, p->name);
    if (!(text = acre__report_slurp(path, NULL)))
        return errno;
    box = strstr(text, "viewBox=\"0 0 ");
    body = strstr(text, "</desc>");
    if (box && body && sscanf(box, "viewBox=\"0 0 %u %u\"", &w, &h) == 2) {
        fprintf(out,
                "<svg class=\"plot\" viewBox=\"0 0 %u %u\" role=\"img\" "
                "aria-labelledby=\"%s-title %s-desc\">\n<title id=\"%s-title\">%s</title>"
                "<desc id=\"%s-desc\">%s</desc>",
                w, h, p->name, p->name, p->name, p->title, p->name, p->caption);
        gnuplot_copy_edited(out, body + strlen("</desc>"), edit, gnuplot_edits(edit, c, p->name));
    }
    free(text);
    return w && h ? 0 : EBADMSG;
}
