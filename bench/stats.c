/* SPDX-License-Identifier: MIT */
/* Describing samples, and the bootstrap.  The tests on ranks are in stats_rank.c.
 *
 * Everything sorts a copy: samples are tens to thousands, so O(n log n) is nothing beside the
 * seconds that each sample took to measure.  Small copies live on the stack, as the bootstrap
 * takes millions of medians of a handful of values. */
#include "bench/stats.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { STATS_ON_STACK = 64 };

static int stats_compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

static void stats_sort(double *x, size_t n)
{
    if (n > STATS_ON_STACK) {
        qsort(x, n, sizeof *x, stats_compare);
        return;
    }
    for (size_t i = 1; i < n; i++) {
        double v = x[i];
        size_t j = i;

        for (; j > 0 && x[j - 1] > v; j--)
            x[j] = x[j - 1];
        x[j] = v;
    }
}

/* Definition 7: position q(n-1) among the sorted samples. */
static double stats_sorted_quantile(const double *sorted, size_t n, double q)
{
    double at = q * (double)(n - 1);
    size_t below = (size_t)at;
    double rest = at - (double)below;

    if (below + 1 >= n)
        return sorted[n - 1];
    return sorted[below] + rest * (sorted[below + 1] - sorted[below]);
}

double acre_stats_quantile(const double *x, size_t n, double q)
{
    double here[STATS_ON_STACK], answer;
    double *copy = here;

    if (n == 0 || !(q >= 0 && q <= 1))
        return NAN;
    if (n > STATS_ON_STACK && !(copy = malloc(n * sizeof *copy)))
        return NAN;
    memcpy(copy, x, n * sizeof *copy);
    stats_sort(copy, n);
    answer = stats_sorted_quantile(copy, n, q);
    if (copy != here)
        free(copy);
    return answer;
}

double acre_stats_median(const double *x, size_t n)
{
    return acre_stats_quantile(x, n, 0.5);
}

double acre_stats_mad(const double *x, size_t n)
{
    double centre = acre_stats_median(x, n), answer;
    double *away = n ? malloc(n * sizeof *away) : NULL;

    if (!away)
        return NAN;
    for (size_t i = 0; i < n; i++)
        away[i] = fabs(x[i] - centre);
    answer = acre_stats_median(away, n);
    free(away);
    return answer;
}

double acre_stats_relative_iqr(const double *x, size_t n)
{
    double middle = acre_stats_median(x, n);

    if (!(middle > 0))
        return NAN;
    return (acre_stats_quantile(x, n, 0.75) - acre_stats_quantile(x, n, 0.25)) / middle;
}

double acre_stats_geomean(const double *x, size_t n)
{
    double sum = 0;

    for (size_t i = 0; i < n; i++) {
        if (!(x[i] > 0))
            return NAN;
        sum += log(x[i]);
    }
    return n ? exp(sum / (double)n) : NAN;
}

double acre_stats_hodges_lehmann(const double *x, size_t n)
{
    size_t pairs = n * (n + 1) / 2, k = 0;
    double *mean = n ? malloc(pairs * sizeof *mean) : NULL;
    double answer;

    if (!mean)
        return NAN;
    for (size_t i = 0; i < n; i++)
        for (size_t j = i; j < n; j++)
            mean[k++] = (x[i] + x[j]) / 2;
    stats_sort(mean, pairs);
    answer = stats_sorted_quantile(mean, pairs, 0.5);
    free(mean);
    return answer;
}

/* Random numbers -------------------------------------------------------------------------- */

static uint64_t stats_splitmix(uint64_t *state)
{
    uint64_t z = *state += 0x9e3779b97f4a7c15u;

    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static uint64_t stats_rotl(uint64_t x, int by)
{
    return x << by | x >> (64 - by);
}

void acre_stats_rng_init(acre_stats_rng *r, uint64_t seed)
{
    for (int i = 0; i < 4; i++)
        r->s[i] = stats_splitmix(&seed);
}

uint64_t acre_stats_rng_next(acre_stats_rng *r)
{
    uint64_t *s = r->s, answer = stats_rotl(s[1] * 5, 7) * 9, t = s[1] << 17;

    s[2] ^= s[0];
    s[3] ^= s[1];
    s[1] ^= s[2];
    s[0] ^= s[3];
    s[2] ^= t;
    s[3] = stats_rotl(s[3], 45);
    return answer;
}

uint64_t acre_stats_rng_below(acre_stats_rng *r, uint64_t n)
{
    unsigned __int128 m = (unsigned __int128)acre_stats_rng_next(r) * n;

    if ((uint64_t)m < n) {
        uint64_t reject = -n % n;       /* the first 2^64 mod n products would be drawn too often */

        while ((uint64_t)m < reject)
            m = (unsigned __int128)acre_stats_rng_next(r) * n;
    }
    return (uint64_t)(m >> 64);
}

/* Bootstrap ------------------------------------------------------------------------------- */

static size_t stats_resample(acre_stats_statistic *f, void *arg, size_t *block, size_t blocks,
                             double *value, size_t resamples, uint64_t seed)
{
    acre_stats_rng r;
    size_t kept = 0;

    acre_stats_rng_init(&r, seed);
    for (size_t i = 0; i < resamples; i++) {
        for (size_t k = 0; k < blocks; k++)
            block[k] = (size_t)acre_stats_rng_below(&r, blocks);
        value[kept] = f(block, blocks, arg);
        kept += isfinite(value[kept]) != 0;
    }
    return kept;
}

acre_stats_interval acre_stats_bootstrap(acre_stats_statistic *f, void *arg, size_t blocks,
                                         size_t resamples, double level, uint64_t seed)
{
    acre_stats_interval answer = {NAN, NAN};
    size_t *block = blocks > 1 ? malloc(blocks * sizeof *block) : NULL;
    double *value = malloc((resamples + 1) * sizeof *value);

    if (block && value) {
        size_t n = stats_resample(f, arg, block, blocks, value, resamples, seed);

        if (n > 0) {
            stats_sort(value, n);
            answer.lo = stats_sorted_quantile(value, n, (1 - level) / 2);
            answer.hi = stats_sorted_quantile(value, n, (1 + level) / 2);
        }
    }
    free(block);
    free(value);
    return answer;
}
