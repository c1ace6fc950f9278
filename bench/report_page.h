/* SPDX-License-Identifier: MIT */
/* report_page.h: what every report needs: messages, files, pictures by gnuplot, pieces of a page.
 */
#ifndef ACRE_BENCH_REPORT_PAGE_H
#define ACRE_BENCH_REPORT_PAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

#include <jansson.h>

/* ---- report.c ---- */

/* Sets acre_report_message and answers `error`. */
int acre__report_say(int error, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The folder with the scripts, or NULL. */
const char *acre__report_datadir(void);
/* A whole file, NUL-terminated; NULL and errno. */
char *acre__report_slurp(const char *path, size_t *size);
/* One JSON text in a file, the caller's to release.  0, an errno, or EBADMSG: it is none. */
int acre__report_load_json(const char *file, json_t **root);
/* DIR/data, and DIR if its parent is there. */
int acre__report_make_folder(const char *dir);

/* ---- report_gnuplot.c ---- */

typedef struct report_picture {
    const char *name; /* stem of the .dat and the .gp */
    const char *title, *caption;
} report_picture;

/* "#rrggbb": colours in pictures that the page replaces by its own. */
typedef struct report_colours {
    char ink[8], grid[8], band[8];
} report_colours;

/* If not, the message says why. */
bool acre__report_has_scripts(void);
/* SCRIPT.gp on DIR/data/DATA.dat to DIR/data/OUT.  Answers an errno if gnuplot cannot be started; a
 * script that fails leaves nothing and a line in DIR/data/gnuplot.log. */
int acre__report_run_gnuplot(const char *dir, const char *script, const char *data,
                             const char *out);
/* What colours.gp made: the page's colours to *c, each name's colour to take(). */
typedef void report_take_colour(void *arg, const char *name, const char *colour);
void acre__report_read_colours(const char *path, report_colours *c, report_take_colour *take,
                               void *arg);
/* Every picture whose data are there. */
int acre__report_draw(const char *dir, const report_picture *list, size_t n, const char *format);
void acre__report_forget_pictures(const char *dir, const report_picture *list, size_t n);
/* The picture as inline SVG with unique ids, a title, a description and colours of the page. */
int acre__report_inline_svg(FILE *out, const char *dir, const report_colours *c,
                            const report_picture *p);

/* ---- report_page.c ---- */

void acre__report_escape(FILE *out, const char *text);
void acre__report_page_head(FILE *out, const char *title);
void acre__report_page_end(FILE *out);
/* " · TEXT", which leads to DIR/FILE; nothing if that is not there. */
void acre__report_page_link(FILE *out, const char *dir, const char *file, const char *text);
/* A file as text behind a fold, which the script gives a button to save it. */
void acre__report_page_folded(FILE *out, const char *summary, const char *file, const char *path);
/* A picture, its caption, data and script; nothing if there are no data.  colours: NULL if nothing
 * could be drawn. */
void acre__report_page_picture(FILE *out, const char *dir, const report_colours *colours,
                               const report_picture *p);
/* An object's keys and values. */
void acre__report_page_facts(FILE *out, json_t *facts);

/* Written beside and renamed, so that a reader never sees half a page. */
typedef void report_page_writer(FILE *out, const void *arg);
int acre__report_write_page(const char *path, report_page_writer *write, const void *arg);

#endif
