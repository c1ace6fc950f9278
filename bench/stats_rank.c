/* SPDX-License-Identifier: MIT */
/* Tests on ranks: Wilcoxon signed-rank, Mann-Whitney U, and Holm's correction.
 *
 * Exact distributions are counted by dynamic programming over rank sums, in doubles: a count is
 * at most 2^50, which a double holds exactly.  Ranks are doubled so that the mean rank of a tie
 * is an integer; the exact Wilcoxon p is therefore right with ties, too (it is conditional on
 * them, as in Hollander and Wolfe). */
#include "bench/stats.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

enum { RANK_WILCOXON_EXACT = 50, RANK_MANN_WHITNEY_EXACT = 400 };

typedef struct rank_item {
    double key;     /* what is ranked */
    double rank2;   /* twice the rank, from 2 */
    int    group;   /* which sample, or the sign */
} rank_item;

static int rank_compare(const void *a, const void *b)
{
    const rank_item *x = a, *y = b;

    return (x->key > y->key) - (x->key < y->key);
}

/* Sorts and ranks; the answer is the sum over ties of t^3 - t, which both corrections need. */
static double rank_assign(rank_item *item, size_t n)
{
    double ties = 0;

    qsort(item, n, sizeof *item, rank_compare);
    for (size_t i = 0, j; i < n; i = j) {
        double t;

        for (j = i + 1; j < n && item[j].key == item[i].key; j++)
            ;
        t = (double)(j - i);
        ties += t * t * t - t;
        for (size_t k = i; k < j; k++)
            item[k].rank2 = (double)(i + 1 + j);
    }
    return ties;
}

static double rank_normal_two_sided(double z)
{
    return fmin(1, erfc(fabs(z) / sqrt(2)));
}

/* Wilcoxon -------------------------------------------------------------------------------- */

/* P(W <= w) * 2 over all 2^n signs of the given ranks. */
static double rank_wilcoxon_exact(const rank_item *item, size_t n, double w2)
{
    size_t top = n * (n + 1);                   /* twice the sum of all ranks */
    double *ways = calloc(top + 1, sizeof *ways);
    double below = 0;

    if (!ways)
        return NAN;
    ways[0] = 1;
    for (size_t i = 0; i < n; i++)
        for (size_t s = top, r = (size_t)item[i].rank2; s >= r; s--)
            ways[s] += ways[s - r];
    for (size_t s = 0; s <= (size_t)w2; s++)
        below += ways[s];
    free(ways);
    return fmin(1, 2 * ldexp(below, -(int)n));
}

static double rank_wilcoxon_normal(double n, double w, double ties)
{
    double mean = n * (n + 1) / 4;
    double variance = n * (n + 1) * (2 * n + 1) / 24 - ties / 48;

    return variance > 0 ? rank_normal_two_sided((w - mean) / sqrt(variance)) : 1;
}

static size_t rank_of_differences(rank_item *item, const double *x, size_t n)
{
    size_t kept = 0;

    for (size_t i = 0; i < n; i++)
        if (x[i] != 0)
            item[kept++] = (rank_item){fabs(x[i]), 0, x[i] > 0};
    return kept;
}

double acre_stats_wilcoxon(const double *x, size_t n, double *w)
{
    rank_item *item = malloc((n + 1) * sizeof *item);
    double plus = 0, all, smaller, ties, p = 1;

    if (!item)
        return NAN;
    n = rank_of_differences(item, x, n);
    ties = rank_assign(item, n);
    for (size_t i = 0; i < n; i++)
        plus += item[i].group ? item[i].rank2 : 0;
    all = (double)(n * (n + 1));
    smaller = fmin(plus, all - plus);
    if (n > RANK_WILCOXON_EXACT)
        p = rank_wilcoxon_normal((double)n, smaller / 2, ties);
    else if (n > 0)
        p = rank_wilcoxon_exact(item, n, smaller);
    if (w)
        *w = smaller / 2;
    free(item);
    return p;
}

/* Mann-Whitney ---------------------------------------------------------------------------- */

/* ways[i][u]: choices of i of the values seen so far whose U is u.  Adding the j-th value to x
 * raises U by the number of y below it, j - i. */
static double rank_mann_whitney_exact(size_t nx, size_t ny, double u)
{
    size_t top = nx * ny, width = top + 1;
    double *ways = calloc((nx + 1) * width, sizeof *ways);
    double below = 0, total = 0;

    if (!ways)
        return NAN;
    ways[0] = 1;
    for (size_t j = 0; j < nx + ny; j++)
        for (size_t i = j < nx ? j + 1 : nx; i >= 1; i--)
            for (size_t s = j + 1 - i; j + 1 - i <= ny && s <= top; s++)
                ways[i * width + s] += ways[(i - 1) * width + s - (j + 1 - i)];
    for (size_t s = 0; s <= top; s++) {
        total += ways[nx * width + s];
        below += (double)s <= u ? ways[nx * width + s] : 0;
    }
    free(ways);
    return fmin(1, 2 * below / total);
}

static double rank_mann_whitney_normal(double nx, double ny, double u, double ties)
{
    double n = nx + ny, mean = nx * ny / 2;
    double variance = nx * ny / 12 * (n + 1 - ties / (n * (n - 1)));

    if (!(variance > 0))
        return 1;
    return rank_normal_two_sided(fmax(0, fabs(u - mean) - 0.5) / sqrt(variance));
}

double acre_stats_mann_whitney(const double *x, size_t nx, const double *y, size_t ny, double *u)
{
    size_t n = nx + ny;
    rank_item *item = nx && ny ? malloc(n * sizeof *item) : NULL;
    double rank2 = 0, ux, smaller, ties;

    if (!item)
        return NAN;
    for (size_t i = 0; i < n; i++)
        item[i] = (rank_item){i < nx ? x[i] : y[i - nx], 0, i < nx};
    ties = rank_assign(item, n);
    for (size_t i = 0; i < n; i++)
        rank2 += item[i].group ? item[i].rank2 : 0;
    free(item);
    ux = rank2 / 2 - (double)(nx * (nx + 1)) / 2;
    smaller = fmin(ux, (double)(nx * ny) - ux);
    if (u)
        *u = ux;
    if (ties == 0 && nx * ny <= RANK_MANN_WHITNEY_EXACT)
        return rank_mann_whitney_exact(nx, ny, smaller);
    return rank_mann_whitney_normal((double)nx, (double)ny, ux, ties);
}

/* Holm ------------------------------------------------------------------------------------ */

int acre_stats_holm(double *p, size_t n)
{
    rank_item *item = malloc((n + 1) * sizeof *item);
    size_t family = 0;
    double floor_p = 0;

    if (!item)
        return ENOMEM;
    for (size_t i = 0; i < n; i++)
        if (!isnan(p[i]))
            item[family++] = (rank_item){p[i], 0, (int)i};
    qsort(item, family, sizeof *item, rank_compare);
    for (size_t i = 0; i < family; i++) {
        floor_p = fmax(floor_p, fmin(1, item[i].key * (double)(family - i)));
        p[item[i].group] = floor_p;
    }
    free(item);
    return 0;
}
