/* SPDX-License-Identifier: MIT */
/* Robust statistics for repeated timings.
 *
 * Timings of programs are skewed, have outliers and drift, so everything here works on ranks,
 * medians and resampling; nothing assumes a normal distribution.
 *
 * Units: a function answers in the unit of its input unless it says otherwise; probabilities and
 * fractions lie in [0, 1].  Input arrays are never changed.  A statistic that is not defined for
 * its input (no samples, out of memory) is NAN, so callers test isfinite().
 * All functions are thread-safe: they share no state. */
#ifndef ACRE_BENCH_STATS_H
#define ACRE_BENCH_STATS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Describing one sample ------------------------------------------------------------------- */

/* The middle value; the mean of the two middle values if n is even.  NAN if n is 0. */
double acre_stats_median(const double *x, size_t n);

/* The value below which a fraction q of the samples lies, q in [0, 1], linear between order
 * statistics: definition 7 of Hyndman and Fan (1996), "Sample quantiles in statistical packages"
 * (the default of R and NumPy). */
double acre_stats_quantile(const double *x, size_t n, double q);

/* Median absolute deviation from the median, not scaled (multiply by 1.4826 to compare it with a
 * standard deviation).  Hampel (1974). */
double acre_stats_mad(const double *x, size_t n);

/* (75 % quantile - 25 % quantile) / median: a pure number.  A series above 0.10 is noisy. */
double acre_stats_relative_iqr(const double *x, size_t n);

/* exp(mean(log x)); every x must be > 0, else NAN.  The mean of ratios: Fleming and Wallace (1986),
 * "How not to lie with statistics". */
double acre_stats_geomean(const double *x, size_t n);

/* Hodges-Lehmann estimate of the centre: the median of all n(n+1)/2 means of two samples (each
 * sample with itself included).  For paired log ratios, exp() of it estimates the ratio.
 * Hodges and Lehmann (1963).  O(n^2 log n). */
double acre_stats_hodges_lehmann(const double *x, size_t n);

/* Comparing ------------------------------------------------------------------------------- */

/* Two-sided p of the Wilcoxon signed-rank test that paired differences x are symmetric about 0.
 * Zeros are dropped, ties share their mean rank.  Exact (ties included) up to 50 differences,
 * beyond that the normal approximation with tie correction, without continuity correction.
 * `w`, unless NULL, receives the smaller of the two rank sums.  p is 1 if no difference is left.
 * Wilcoxon (1945); Hollander and Wolfe, "Nonparametric Statistical Methods", 3.1. */
double acre_stats_wilcoxon(const double *x, size_t n, double *w);

/* Two-sided p of the Mann-Whitney U test that x and y come from one distribution (not paired).
 * Exact if there are no ties and nx * ny <= 400, else the normal approximation with tie and
 * continuity correction.  `u`, unless NULL, receives U of x: the number of pairs with x > y, ties
 * counting one half.  NAN if a sample is empty.  Mann and Whitney (1947). */
double acre_stats_mann_whitney(const double *x, size_t nx, const double *y, size_t ny, double *u);

/* Adjusts n p-values in place so that the chance of one false alarm in the whole family stays
 * below the level that each is compared with.  Holm (1979).  NANs are left out of the family.
 * 0, or ENOMEM with p unchanged. */
int acre_stats_holm(double *p, size_t n);

/* Resampling ------------------------------------------------------------------------------ */

/* xoshiro256** of Blackman and Vigna (2018), seeded through splitmix64: the same seed gives the
 * same numbers on every machine. */
typedef struct acre_stats_rng {
    uint64_t s[4];
} acre_stats_rng;

void     acre_stats_rng_init(acre_stats_rng *r, uint64_t seed);
uint64_t acre_stats_rng_next(acre_stats_rng *r);
/* Uniform in [0, n), n > 0, without bias (Lemire 2019). */
uint64_t acre_stats_rng_below(acre_stats_rng *r, uint64_t n);

/* A confidence interval: lo <= hi, in the unit of the statistic.  Both NAN: not defined. */
typedef struct acre_stats_interval {
    double lo, hi;
} acre_stats_interval;

/* The statistic of one resample: `block[0..n)` are the blocks drawn, with repetition.
 * May answer NAN, which drops this resample. */
typedef double acre_stats_statistic(const size_t *block, size_t n, void *arg);

enum { ACRE_STATS_RESAMPLES = 10000 };

/* Percentile bootstrap (Efron 1979) over blocks: a block is the unit of repetition, in which each
 * contender ran once, so that what drifts together stays together.  `level` in (0, 1), e.g. 0.95.
 * With fewer than two blocks there is nothing to resample: both ends are NAN.  With fewer than
 * about ten blocks the interval is too narrow. */
acre_stats_interval acre_stats_bootstrap(acre_stats_statistic *f, void *arg, size_t blocks,
                                         size_t resamples, double level, uint64_t seed);

#endif
