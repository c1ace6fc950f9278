/* SPDX-License-Identifier: MIT */
/* tune_classes.c: from needs to costs, and from costs to the best table.
 *
 * A table c1 < c2 < … < cn holds the sum of held(0, c1), held(c1, c2), … and alone(cn): a path from 0
 * through the sizes.  least[j], the least that a path of k classes that ends at j holds, is the least of
 * least'[i] + held(i, j) over i < j, where least' is that of k - 1 classes. */
#include "bench/tune.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { TUNE_SIDE = ACRE_TUNE_UNITS + 1 };

/* Costs ------------------------------------------------------------------------------------ */

int acre_tune_costs_init(acre_tune_costs *c)
{
    memset(c, 0, sizeof *c);
    c->held = calloc((size_t)TUNE_SIDE * TUNE_SIDE, sizeof *c->held);
    return c->held ? 0 : ENOMEM;
}

void acre_tune_costs_release(acre_tune_costs *c)
{
    free(c->held);
    memset(c, 0, sizeof *c);
}

static size_t tune_units(uint32_t bytes)
{
    size_t units = (bytes + ACRE_TUNE_UNIT - 1) / ACRE_TUNE_UNIT;
    return units < ACRE_TUNE_UNITS ? units : ACRE_TUNE_UNITS;
}

static double tune_max(double a, double b)
{
    return a > b ? a : b;
}

/* What every class would hold if this were the only moment; keeps what is more already. */
static void tune_hold(acre_tune_costs *c, const acre_tune_moment *m, double scale)
{
    double alone = 0;
    for (size_t from = 0; from < TUNE_SIDE; from++) {
        double objects = 0;
        for (size_t to = from + 1; to < TUNE_SIDE; to++) {
            objects += m->objects[to];
            double *held = &c->held[from * TUNE_SIDE + to];
            *held = tune_max(*held, objects * (double)(to * ACRE_TUNE_UNIT) * scale);
        }
    }
    for (size_t above = TUNE_SIDE; above-- > 0;) {
        c->alone[above] = tune_max(c->alone[above], alone * scale);
        alone += m->alone[above];
    }
}

static void tune_clear(acre_tune_costs *c)
{
    double *held = c->held;
    memset(held, 0, sizeof *held * TUNE_SIDE * TUNE_SIDE);
    *c = (acre_tune_costs){.held = held, .traces = 1};
}

/* A trace in which nothing lives weighs nothing. */
void acre_tune_costs_of(acre_tune_costs *c, const acre_tune_need *n)
{
    double scale = n->peak_live > 0 ? 1 / n->peak_live : 0, born = n->born > 0 ? 1 / n->born : 0;
    tune_clear(c);
    for (size_t i = 0; i < n->moments; i++)
        tune_hold(c, &n->moment[i], scale);
    for (size_t u = 1; u < TUNE_SIDE; u++) {
        c->asked[u] = c->asked[u - 1] + n->moment[0].asked[u] * scale;
        c->born[u] = c->born[u - 1] + n->born_of[u] * born;
    }
}

void acre_tune_costs_add(acre_tune_costs *sum, const acre_tune_costs *c, double times)
{
    sum->traces = (size_t)((double)sum->traces + times * (double)c->traces);
    for (size_t i = 0; i < (size_t)TUNE_SIDE * TUNE_SIDE; i++)
        sum->held[i] += times * c->held[i];
    for (size_t u = 0; u < TUNE_SIDE; u++) {
        sum->alone[u] += times * c->alone[u];
        sum->asked[u] += times * c->asked[u];
        sum->born[u] += times * c->born[u];
    }
}

/* Sizes of a unit are equally frequent: 16 u - 7.5 bytes in the mean, of which every other one that stands
 * alone takes a unit more. */
void acre_tune_costs_unknown(acre_tune_costs *c, uint32_t largest)
{
    static const double less = (ACRE_TUNE_UNIT - 1) / 2.0, more = ACRE_TUNE_UNIT / 2.0;
    acre_tune_moment m = {0};
    size_t end = tune_units(largest);
    for (size_t u = 1; u <= end; u++) {
        double bytes = (double)(u * ACRE_TUNE_UNIT);
        m.asked[u] = 1 / (double)end;
        m.objects[u] = m.asked[u] / (bytes - less);
        m.alone[u] = m.objects[u] * (bytes + more);
    }
    acre_tune_costs_of(c, &(acre_tune_need){.peak_live = 1, .moments = 1, .moment = &m});
    c->traces = 0;
}

/* One table -------------------------------------------------------------------------------- */

/* By what is above so many units and not above `end`. */
static double tune_alone(const acre_tune_costs *c, size_t units, size_t end)
{
    return c->alone[units] - c->alone[end];
}

double acre_tune_waste(const acre_tune_costs *c, const acre_tune_table *t, uint32_t largest)
{
    size_t from = 0, end = tune_units(largest);
    double held = 0;
    for (size_t i = 0; i < t->n && tune_units(t->size[i]) <= end; i++) {
        size_t to = tune_units(t->size[i]);
        held += acre_tune_held(c, from, to);
        from = to;
    }
    held += tune_alone(c, from, end);
    return c->traces ? (held - c->asked[end]) / (double)c->traces : 0;
}

/* The best ones ---------------------------------------------------------------------------- */

/* Of the paths with k classes. */
typedef struct tune_layer {
    double least[TUNE_SIDE];    /* to this end; INFINITY: there is none */
    uint16_t before[TUNE_SIDE]; /* the class before it */
} tune_layer;

static void tune_first_layer(tune_layer *l)
{
    for (size_t j = 0; j < TUNE_SIDE; j++)
        l->least[j] = INFINITY;
    l->least[0] = 0;
}

static void tune_next_layer(const acre_tune_costs *c, const tune_layer *l, size_t end,
                            tune_layer *next)
{
    next->least[0] = INFINITY;
    for (size_t j = 1; j <= end; j++) {
        next->least[j] = INFINITY;
        for (size_t i = 0; i < j; i++) {
            double held = l->least[i] + acre_tune_held(c, i, j);
            if (held < next->least[j]) {
                next->least[j] = held;
                next->before[j] = (uint16_t)i;
            }
        }
    }
}

/* The least end that serves enough of the objects. */
static size_t tune_least_end(const acre_tune_costs *c, size_t end, double serve)
{
    size_t least = 1;
    while (least < end && c->born[least] < serve * c->born[end] * (1 - 1e-9))
        least++;
    return least;
}

/* Where the best of a layer's paths ends; *held: what it holds, the sizes that stand alone included. */
static size_t tune_best_end(const acre_tune_costs *c, const tune_layer *l, size_t least, size_t end,
                            double *held)
{
    size_t best = 0;
    *held = INFINITY;
    for (size_t j = least; j <= end; j++) {
        double all = l->least[j] + tune_alone(c, j, end);
        if (all < *held) {
            *held = all;
            best = j;
        }
    }
    return best;
}

static void tune_write_table(const tune_layer *layers, size_t k, size_t end, acre_tune_table *t)
{
    memset(t, 0, sizeof *t);
    t->n = k;
    for (; k > 0; k--) {
        t->size[k - 1] = (uint32_t)end * ACRE_TUNE_UNIT;
        end = layers[k].before[end];
    }
}

/* Less by more than what rounding of sums makes of equal ones. */
static bool tune_less(double a, double b)
{
    return a < b - 1e-12 * (1 + fabs(b));
}

static int tune_solve_costs(const acre_tune_costs *c, const acre_tune_question *q,
                            acre_tune_table *table)
{
    tune_layer *layers = calloc(q->most + 1, sizeof *layers);
    size_t end = tune_units(q->largest), least = tune_least_end(c, end, q->serve);
    double best = INFINITY;
    if (!layers)
        return ENOMEM;
    tune_first_layer(&layers[0]);
    for (size_t k = 1; k <= q->most; k++) {
        double held;
        tune_next_layer(c, &layers[k - 1], end, &layers[k]);
        size_t at = tune_best_end(c, &layers[k], least, end, &held);
        if (k == 1 || tune_less(held, best)) {
            tune_write_table(layers, k, at, &table[k]);
            best = held;
        } else
            table[k] = table[k - 1];
    }
    free(layers);
    return 0;
}

int acre_tune_solve(const acre_tune_costs *c, const acre_tune_question *q, acre_tune_table *table)
{
    acre_tune_costs smooth;
    if (q->smooth <= 0)
        return tune_solve_costs(c, q, table);
    if (acre_tune_costs_init(&smooth))
        return ENOMEM;
    acre_tune_costs_unknown(&smooth, q->largest);
    acre_tune_costs_add(&smooth, &smooth, q->smooth * (double)c->traces - 1);
    acre_tune_costs_add(&smooth, c, 1);
    int e = tune_solve_costs(&smooth, q, table);
    acre_tune_costs_release(&smooth);
    return e;
}
