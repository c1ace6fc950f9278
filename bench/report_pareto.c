/* SPDX-License-Identifier: MIT */
/* The picture of time against memory: which algorithms are on the front, and where each label
 * goes so that none covers another.
 *
 * gnuplot places labels at a fixed offset, so they collide wherever algorithms are alike.  Here
 * each label tries places around its point, near ones first, and takes the one with the least
 * overlap with labels and points placed before; labels that end up away get a line.  The sizes
 * are those of plots/pareto.gp, in pixels. */
#include "bench/report_data.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { PARETO_WIDTH = 770, PARETO_HEIGHT = 440, PARETO_LINE = 17, PARETO_NEAR = 8 };
static const double pareto_char = 7.4;

typedef struct pareto_box {
    double x0, y0, x1, y1;
} pareto_box;

typedef struct pareto_point {
    const report_algorithm *a;
    double x, y;                    /* pixels, y upwards */
    double label_x, label_y;        /* the end of the label that is nearest, pixels */
    char   side;                    /* L: text starts there, R: it ends there, C: centred */
    bool   whole, front, away;      /* whole: on all traces, else a mean over the easy ones */
    bool   placed;                  /* its label is */
    size_t width;                   /* of the label, characters */
    pareto_box label;
} pareto_point;

typedef struct pareto_scale {
    double x0, x1, y0, y1;          /* logarithms of the picture's borders */
} pareto_scale;

static double pareto_px(double value, double lo, double hi, double size)
{
    return (log(value) - lo) / (hi - lo) * size;
}

static double pareto_value(double px, double lo, double hi, double size)
{
    return exp(lo + px / size * (hi - lo));
}

/* Points ---------------------------------------------------------------------------------- */

static bool pareto_is_whole(const report_model *m, const report_algorithm *a)
{
    const report_algorithm *r = &m->algorithm[m->reference];

    return a->traces >= r->traces && a->memory_traces >= r->memory_traces;
}

static size_t pareto_collect(const report_model *m, pareto_point *point)
{
    size_t n = 0;

    for (size_t i = 0; i < m->n_ranked; i++) {
        const report_algorithm *a = &m->algorithm[m->rank[i]];

        if (isfinite(a->warm.value) && isfinite(a->memory) && !acre__report_is_point(a))
            point[n++] = (pareto_point){
                .a = a, .whole = pareto_is_whole(m, a),
                .width = strlen(a->name) + !pareto_is_whole(m, a)};
    }
    return n;
}

/* Nobody is better in one and at least as good in the other.  Means over fewer traces neither are
 * on the front nor keep others off it. */
static void pareto_mark_front(pareto_point *point, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        const report_algorithm *a = point[i].a;

        point[i].front = point[i].whole;
        for (size_t k = 0; k < n && point[i].front; k++) {
            const report_algorithm *b = point[k].a;
            bool better = b->warm.value < a->warm.value || b->memory < a->memory;
            bool worse = b->warm.value > a->warm.value || b->memory > a->memory;

            if (point[k].whole && better && !worse)
                point[i].front = false;
        }
    }
}

static void pareto_widen(double *lo, double *hi, double value)
{
    *lo = fmin(*lo, log(value));
    *hi = fmax(*hi, log(value));
}

/* A margin on each side for labels, and never a picture of zero width. */
static void pareto_margin(double *lo, double *hi, double share, double least)
{
    double grow = fmax((*hi - *lo) * share, least);

    *lo -= grow;
    *hi += grow;
}

static pareto_scale pareto_fit(const pareto_point *point, size_t n)
{
    pareto_scale s = {0, 0, INFINITY, -INFINITY};

    for (size_t i = 0; i < n; i++) {
        pareto_widen(&s.x0, &s.x1, point[i].a->warm.value);
        pareto_widen(&s.y0, &s.y1, point[i].a->memory);
    }
    pareto_margin(&s.x0, &s.x1, 0.10, 0.15);
    pareto_margin(&s.y0, &s.y1, 0.09, 0.04);
    return s;
}

static void pareto_project(pareto_point *point, size_t n, const pareto_scale *s)
{
    for (size_t i = 0; i < n; i++) {
        point[i].x = pareto_px(point[i].a->warm.value, s->x0, s->x1, PARETO_WIDTH);
        point[i].y = pareto_px(point[i].a->memory, s->y0, s->y1, PARETO_HEIGHT);
    }
}

/* Labels ---------------------------------------------------------------------------------- */

static double pareto_overlap(const pareto_box *a, const pareto_box *b)
{
    double w = fmin(a->x1, b->x1) - fmax(a->x0, b->x0);
    double h = fmin(a->y1, b->y1) - fmax(a->y0, b->y0);

    return w > 0 && h > 0 ? w * h : 0;
}

static pareto_box pareto_label_box(double x, double y, char side, double width)
{
    double left = side == 'L' ? x : side == 'R' ? x - width : x - width / 2;

    return (pareto_box){left, y - PARETO_LINE / 2.0, left + width, y + PARETO_LINE / 2.0};
}

static double pareto_outside(const pareto_box *b)
{
    return fmax(0, -b->x0) + fmax(0, b->x1 - PARETO_WIDTH) + fmax(0, -b->y0) +
           fmax(0, b->y1 - PARETO_HEIGHT);
}

/* The stairs of the front, a corner at a time: level from one point, then down to the next.  The
 * points are sorted by time. */
static double pareto_on_stairs(const pareto_point *point, size_t n, const pareto_box *label)
{
    const pareto_point *last = NULL;
    double cost = 0;

    for (size_t i = 0; i < n; i++) {
        const pareto_point *p = &point[i];

        if (!p->front)
            continue;
        if (last) {
            pareto_box level = {last->x, last->y - 3, p->x, last->y + 3};
            pareto_box down = {p->x - 3, p->y, p->x + 3, last->y};

            cost += pareto_overlap(label, &level) + pareto_overlap(label, &down);
        }
        last = p;
    }
    return cost;
}

static double pareto_cost(const pareto_point *point, size_t n, size_t me, const pareto_box *label)
{
    double cost = 100 * pareto_outside(label) + pareto_on_stairs(point, n, label);

    for (size_t i = 0; i < n; i++) {
        pareto_box dot = {point[i].x - PARETO_NEAR, point[i].y - PARETO_NEAR,
                          point[i].x + PARETO_NEAR, point[i].y + PARETO_NEAR};

        cost += 3 * pareto_overlap(label, &dot);
        if (i != me && point[i].placed)
            cost += 6 * pareto_overlap(label, &point[i].label);
    }
    return cost;
}

static void pareto_try(pareto_point *point, size_t n, size_t me, double radius, double angle,
                       double *best)
{
    pareto_point *p = &point[me];
    double dx = cos(angle), dy = sin(angle);
    double x = p->x + radius * dx, y = p->y + radius * dy;
    char side = fabs(dx) < 0.3 ? 'C' : dx > 0 ? 'L' : 'R';
    pareto_box box = pareto_label_box(x, y, side, pareto_char * (double)p->width);
    double cost = pareto_cost(point, n, me, &box) + 2 * radius + (side == 'L' ? 0 : 3);

    if (cost < *best) {
        *best = cost;
        p->label = box;
        p->label_x = x;
        p->label_y = y;
        p->side = side;
        p->away = radius > 24;
    }
}

static void pareto_place_label(pareto_point *point, size_t n, size_t me)
{
    double best = INFINITY;

    for (double radius = 13; radius < 100; radius += 9)
        for (int turn = 0; turn < 16; turn++)
            pareto_try(point, n, me, radius, turn * acos(-1) / 8, &best);
    point[me].placed = true;
}

/* Algorithms as they are by default choose before their options do. */
static void pareto_place_labels(pareto_point *point, size_t n)
{
    for (int options = 0; options < 2; options++)
        for (size_t me = 0; me < n; me++)
            if ((strchr(point[me].a->name, ':') != NULL) == (options == 1))
                pareto_place_label(point, n, me);
}

/* The file -------------------------------------------------------------------------------- */

static void pareto_write_scale(data_file *f, const report_model *m, const pareto_scale *s)
{
    double harness = NAN;

    for (size_t i = 0; i < m->n_algorithms; i++)
        if (strcmp(m->algorithm[i].name, "null") == 0)
            harness = m->algorithm[i].warm.value;
    fprintf(f->out, "# index 0: range x0 x1 y0 y1 ratio_of_empty_replay reference\n");
    fprintf(f->out, "range");
    acre__data_number(f->out, exp(s->x0));
    acre__data_number(f->out, exp(s->x1));
    acre__data_number(f->out, exp(s->y0));
    acre__data_number(f->out, exp(s->y1));
    acre__data_number(f->out, harness);
    fputc(' ', f->out);
    acre__data_word(f->out, m->algorithm[m->reference].name);
    fputs("\n\n\n", f->out);
}

static void pareto_write_point(data_file *f, const pareto_point *p, const pareto_scale *s)
{
    acre__data_word(f->out, p->a->name);
    acre__data_number(f->out, p->a->warm.value);
    acre__data_number(f->out, p->a->memory);
    acre__data_number(f->out, pareto_value(p->label_x, s->x0, s->x1, PARETO_WIDTH));
    acre__data_number(f->out, pareto_value(p->label_y, s->y0, s->y1, PARETO_HEIGHT));
    fprintf(f->out, " %c %d %d %d\n", p->side, p->away, p->front, p->whole);
    f->rows++;
}

/* By time, so that the front's stairs can be drawn as they stand. */
static int pareto_by_time(const void *a, const void *b)
{
    const pareto_point *x = a, *y = b;
    double tx = x->a->warm.value, ty = y->a->warm.value;

    return (tx > ty) - (tx < ty);
}

static void pareto_write(data_file *f, const report_model *m, pareto_point *point, size_t n,
                         const pareto_scale *s)
{
    pareto_write_scale(f, m, s);
    fprintf(f->out, "# index 1: algorithm time_ratio memory_ratio label_x label_y side away front "
                    "whole\n");
    for (size_t i = 0; i < n; i++)
        pareto_write_point(f, &point[i], s);
    fprintf(f->out, "\n\n# index 2: the front\n");
    for (size_t i = 0; i < n; i++)
        if (point[i].front)
            pareto_write_point(f, &point[i], s);
}

int acre__report_write_pareto(const report_model *m)
{
    data_file f;
    pareto_point *point = calloc(m->n_ranked + 1, sizeof *point);
    int error = acre__data_open(m, &f, "pareto", "see each part");

    if (!error && point) {
        size_t n = pareto_collect(m, point);
        pareto_scale scale = pareto_fit(point, n);

        qsort(point, n, sizeof *point, pareto_by_time);
        pareto_mark_front(point, n);
        if (n > 0) {
            pareto_project(point, n, &scale);
            pareto_place_labels(point, n);
            pareto_write(&f, m, point, n, &scale);
        }
    }
    free(point);
    return error ? error : acre__data_close(&f);
}
