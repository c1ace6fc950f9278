/* SPDX-License-Identifier: MIT */
/* tune_draw.c: DIR/data/tune-waste.dat, tune-sizes.dat, and the pictures of them. */
#include "bench/tune.h"

#include "bench/report.h"
#include "bench/report_page.h"

#include <errno.h>
#include <string.h>

static const report_picture draw_pictures[] = {
    {"tune-waste", "Waste over the number of classes",
     "Bytes that blocks take beyond what was asked for, of peak live: the best table of so many "
     "classes, the same "
     "for traces that had no part in it, and the algorithm's standard classes."},
    {"tune-sizes", "Sizes and classes",
     "Live bytes by size, and where the classes are: the tuned ones through the picture, the "
     "algorithm's below."},
};
enum { DRAW_PICTURES = sizeof draw_pictures / sizeof *draw_pictures };

typedef void draw_writer(FILE *out, const acre_tune_picture *p);

static void draw_head(FILE *out, const acre_tune_picture *p, const char *what)
{
    fprintf(out, "# %s\n# %s, weight %s, traces: %zu, commit %s\n", what, p->command, p->weight,
            p->costs->traces, ACRE_COMMIT);
}

/* Gnuplot knows rows that do not belong together by two empty lines. */
static void draw_next_index(FILE *out, const char *columns)
{
    fprintf(out, "\n\n# %s\n", columns);
}

static void draw_waste(FILE *out, const acre_tune_picture *p)
{
    draw_head(out, p, "waste over the number of classes, percent of peak live");
    fputs("# algorithm classes waste traces\n", out);
    fprintf(out, "%s %zu %.6g %zu\n", p->algorithm, p->limits->standard.n,
            100 * acre_tune_waste(p->costs, &p->limits->standard, p->question->largest),
            p->costs->traces);
    draw_next_index(out, "classes waste left_out");
    for (size_t k = 1; k <= p->question->most; k++) {
        fprintf(out, "%zu %.6g", k,
                100 * acre_tune_waste(p->costs, &p->solved[k], p->question->largest));
        if (p->left_out)
            fprintf(out, " %.6g\n", 100 * p->left_out[k]);
        else
            fputs(" ?\n", out);
    }
}

static void draw_table(FILE *out, const acre_tune_table *t, uint32_t largest)
{
    for (size_t i = 0; i < t->n && t->size[i] <= largest; i++)
        fprintf(out, "%u\n", t->size[i]);
}

static void draw_sizes(FILE *out, const acre_tune_picture *p)
{
    const acre_tune_costs *c = p->costs;
    draw_head(out, p, "live bytes by size, percent of peak live; then the classes");
    fprintf(out, "# algorithm largest\n%s %u\n", p->algorithm, p->question->largest);
    draw_next_index(out, "size live  (sizes up to this, above the one before)");
    for (size_t u = 1; u <= p->question->largest / ACRE_TUNE_UNIT; u++)
        fprintf(out, "%zu %.6g\n", u * ACRE_TUNE_UNIT,
                100 * (c->asked[u] - c->asked[u - 1]) / (double)c->traces);
    draw_next_index(out, "class of the algorithm");
    draw_table(out, &p->limits->standard, p->question->largest);
    draw_next_index(out, "class that was tuned");
    draw_table(out, p->tuned, p->question->largest);
}

static int draw_write(const char *dir, const char *name, draw_writer *write,
                      const acre_tune_picture *p)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/data/%s.dat", dir, name);
    FILE *out = fopen(path, "w");
    if (!out)
        return acre__report_say(errno, "%s: %s", path, strerror(errno));
    write(out, p);
    bool bad = ferror(out);
    if (fclose(out) || bad)
        return acre__report_say(EIO, "%s: could not be written", path);
    return 0;
}

static void draw_plot(const char *dir, bool png)
{
    acre__report_forget_pictures(dir, draw_pictures, DRAW_PICTURES);
    if (!acre__report_has_scripts())
        return;
    int error = acre__report_draw(dir, draw_pictures, DRAW_PICTURES, "svg");
    if (!error && png)
        error = acre__report_draw(dir, draw_pictures, DRAW_PICTURES, "png");
    if (error)
        acre__report_say(0, "no pictures: gnuplot cannot be started: %s (Debian: gnuplot-nox)",
                         strerror(error));
}

int acre_tune_draw(const char *dir, const acre_tune_picture *p, bool png)
{
    acre__report_say(0, "%s", "");
    int error = acre__report_make_folder(dir);
    if (!error)
        error = draw_write(dir, draw_pictures[0].name, draw_waste, p);
    if (!error)
        error = draw_write(dir, draw_pictures[1].name, draw_sizes, p);
    if (!error)
        draw_plot(dir, png);
    return error;
}
