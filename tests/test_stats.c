/* SPDX-License-Identifier: MIT */
/* Statistics against published values, and against scipy 1.10.1 where a comment says so.
 * The exact tests are also compared with counting every outcome. */
#include "bench/stats.h"
#include "tests/acre_test.h"

#include <math.h>
#include <string.h>

/* Heights of crossed minus self-fertilised maize, eighths of an inch: Darwin 1876, analysed in
 * Fisher, "The Design of Experiments" (1935), chapter 3. */
static const double darwin[15] = {49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48};

static const double seven[7] = {3.1, 1.2, 5.7, 2.2, 9.4, 4.4, 0.3};

static bool near(double a, double b, double tolerance)
{
    return fabs(a - b) <= tolerance * fmax(1, fabs(b));
}

ACRE_TEST(stats, median_of_odd_even_one_and_none)
{
    const double four[] = {4, 1, 3, 2};

    ACRE_CHECK(acre_stats_median(seven, 7) == 3.1);
    ACRE_CHECK(acre_stats_median(four, 4) == 2.5);
    ACRE_CHECK(acre_stats_median(four, 1) == 4);
    ACRE_CHECK(isnan(acre_stats_median(four, 0)));
}

ACRE_TEST(stats, quantile_agrees_with_numpy)
{
    const double q[] = {0, 0.1, 0.25, 0.5, 0.9, 1};
    const double expected[] = {0.3, 0.84, 1.7, 3.1, 7.18, 9.4};

    for (int i = 0; i < 6; i++)
        ACRE_CHECK(near(acre_stats_quantile(seven, 7, q[i]), expected[i], 1e-12));
    ACRE_CHECK(isnan(acre_stats_quantile(seven, 7, 1.5)));
    ACRE_CHECK(isnan(acre_stats_quantile(seven, 7, NAN)));
}

ACRE_TEST(stats, long_samples_are_sorted_on_the_heap)
{
    double x[1001];

    for (int i = 0; i <= 1000; i++)
        x[i] = (i * 389) % 1001;        /* a permutation of 0..1000 */
    ACRE_CHECK(acre_stats_median(x, 1001) == 500);
    ACRE_CHECK(near(acre_stats_quantile(x, 1001, 0.975), 975, 1e-12));
    ACRE_CHECK(x[1] == 389);
}

ACRE_TEST(stats, spread_agrees_with_scipy)
{
    ACRE_CHECK(near(acre_stats_mad(seven, 7), 1.9, 1e-12));
    ACRE_CHECK(near(acre_stats_relative_iqr(seven, 7), 1.0806451612903227, 1e-12));
    ACRE_CHECK(near(acre_stats_geomean(seven, 7), 2.481126426615327, 1e-12));
}

ACRE_TEST(stats, geomean_of_a_ratio_and_its_inverse_is_one)
{
    const double x[] = {4, 0.25, 10, 0.1};
    const double zero[] = {1, 0};

    ACRE_CHECK(near(acre_stats_geomean(x, 4), 1, 1e-12));
    ACRE_CHECK(isnan(acre_stats_geomean(zero, 2)));
    ACRE_CHECK(isnan(acre_stats_geomean(x, 0)));
}

/* Hollander and Wolfe, "Nonparametric Statistical Methods", table 3.1 (depression scale factor
 * after minus before tranquilliser): T+ = 5, two-sided p = 0.039, estimate -0.46. */
ACRE_TEST(stats, hollander_wolfe_depression)
{
    const double before[] = {1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30};
    const double after[] = {0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29};
    double d[9], w;

    for (int i = 0; i < 9; i++)
        d[i] = after[i] - before[i];
    ACRE_CHECK(near(acre_stats_wilcoxon(d, 9, &w), 0.0390625, 1e-12));
    ACRE_CHECK(w == 5);
    ACRE_CHECK(near(acre_stats_hodges_lehmann(d, 9), -0.46, 1e-9));
}

/* scipy: statistic 24, p 0.041259765625; the estimate is the median of 120 Walsh averages. */
ACRE_TEST(stats, darwins_maize)
{
    double w;

    ACRE_CHECK(near(acre_stats_wilcoxon(darwin, 15, &w), 0.041259765625, 1e-12));
    ACRE_CHECK(w == 24);
    ACRE_CHECK(acre_stats_hodges_lehmann(darwin, 15) == 25);
}

/* Twice the share of the 2^n signs whose smaller rank sum is at most as small. */
static double wilcoxon_by_counting(const double *rank, int n, double w)
{
    int hits = 0;

    for (int signs = 0; signs < 1 << n; signs++) {
        double sum = 0;

        for (int i = 0; i < n; i++)
            sum += signs >> i & 1 ? rank[i] : 0;
        hits += sum <= w;
    }
    return fmin(1, 2.0 * hits / (1 << n));
}

ACRE_TEST(stats, wilcoxon_with_ties_equals_counting_all_signs)
{
    const double x[] = {1, 1, 2, -2, 3, 3, 3, -4, 5, 5};
    const double rank[] = {1.5, 1.5, 3.5, 3.5, 6, 6, 6, 8, 9.5, 9.5};
    double w, p = acre_stats_wilcoxon(x, 10, &w);

    ACRE_CHECK(w == 11.5);
    ACRE_CHECK(near(p, wilcoxon_by_counting(rank, 10, w), 1e-12));
    ACRE_CHECK(near(p, 0.11328125, 1e-12));
}

/* scipy, method "approx" without correction: 559.5, 0.01400832217202669 (one zero dropped). */
ACRE_TEST(stats, wilcoxon_of_many_differences_is_the_tie_corrected_normal)
{
    double x[60], w;

    for (int i = 1; i <= 60; i++)
        x[i - 1] = (i * 7919) % 101 - 40;
    ACRE_CHECK(near(acre_stats_wilcoxon(x, 60, &w), 0.01400832217202669, 1e-9));
    ACRE_CHECK(w == 559.5);
}

ACRE_TEST(stats, wilcoxon_of_nothing_sees_nothing)
{
    const double zeros[3] = {0, 0, 0};
    const double one[1] = {5};

    ACRE_CHECK(acre_stats_wilcoxon(zeros, 3, NULL) == 1);
    ACRE_CHECK(acre_stats_wilcoxon(NULL, 0, NULL) == 1);
    ACRE_CHECK(acre_stats_wilcoxon(one, 1, NULL) == 1);
}

/* The smallest p that n pairs can give is 2 / 2^n. */
ACRE_TEST(stats, wilcoxon_of_all_positive_differences_is_the_smallest_p)
{
    double x[40];

    for (int n = 2; n <= 40; n++) {
        x[n - 2] = n;
        x[n - 1] = n + 1;
        ACRE_CHECK(near(acre_stats_wilcoxon(x, (size_t)n, NULL) * ldexp(1, n - 1), 1, 1e-12));
    }
}

/* Hollander and Wolfe, table 4.1 (permeability of human chorioamnion): W = 35 of the longer
 * sample's pairs, one-sided p 0.1272; scipy exact two-sided 0.2544122544122544. */
ACRE_TEST(stats, mann_whitney_hollander_wolfe_permeability)
{
    const double term[] = {0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46};
    const double early[] = {1.15, 0.88, 0.90, 0.74, 1.21};
    double u;

    ACRE_CHECK(near(acre_stats_mann_whitney(term, 10, early, 5, &u), 0.2544122544122544, 1e-12));
    ACRE_CHECK(u == 35);
    ACRE_CHECK(near(acre_stats_mann_whitney(early, 5, term, 10, &u), 0.2544122544122544, 1e-12));
    ACRE_CHECK(u == 15);
}

/* scipy, method "asymptotic": 0.015984685125196244 with ties, 0.07875558171725998 for 25 x 30. */
ACRE_TEST(stats, mann_whitney_normal_approximation_agrees_with_scipy)
{
    const double a[] = {1, 2, 2, 3, 3, 3, 4, 5}, b[] = {3, 4, 4, 5, 6, 7, 7};
    double x[25], y[30], u;

    for (int i = 0; i < 30; i++) {
        y[i] = i * 1.37 + 4.1;
        if (i < 25)
            x[i] = i * 1.5;
    }
    ACRE_CHECK(near(acre_stats_mann_whitney(a, 8, b, 7, &u), 0.015984685125196244, 1e-9));
    ACRE_CHECK(u == 7);
    ACRE_CHECK(near(acre_stats_mann_whitney(x, 25, y, 30, &u), 0.07875558171725998, 1e-9));
    ACRE_CHECK(u == 270.5);
    ACRE_CHECK(isnan(acre_stats_mann_whitney(a, 0, b, 7, NULL)));
}

/* The example of Holm's step-down: 4 p-values times 4, 3, 2, 1, made monotone. */
ACRE_TEST(stats, holm_multiplies_and_stays_monotone)
{
    double p[] = {0.01, 0.04, NAN, 0.03, 0.005};

    ACRE_CHECK(acre_stats_holm(p, 5) == 0);
    ACRE_CHECK(near(p[0], 0.03, 1e-12));
    ACRE_CHECK(near(p[1], 0.06, 1e-12));
    ACRE_CHECK(isnan(p[2]));
    ACRE_CHECK(near(p[3], 0.06, 1e-12));
    ACRE_CHECK(near(p[4], 0.02, 1e-12));
}

ACRE_TEST(stats, holm_never_exceeds_one)
{
    double p[] = {0.9, 0.8, 0.7};

    acre_stats_holm(p, 3);
    ACRE_CHECK(p[0] == 1 && p[1] == 1 && p[2] == 1);
}

/* First outputs of the authors' xoshiro256starstar.c from the state {1, 2, 3, 4}. */
ACRE_TEST(stats, rng_gives_the_published_sequence)
{
    acre_stats_rng r = {{1, 2, 3, 4}};

    ACRE_CHECK(acre_stats_rng_next(&r) == 11520);
    ACRE_CHECK(acre_stats_rng_next(&r) == 0);
    ACRE_CHECK(acre_stats_rng_next(&r) == 1509978240);
    ACRE_CHECK(acre_stats_rng_next(&r) == 1215971899390074240u);
}

ACRE_TEST(stats, rng_below_is_even_and_in_range)
{
    acre_stats_rng r;
    int seen[7] = {0};

    acre_stats_rng_init(&r, 42);
    for (int i = 0; i < 70000; i++) {
        uint64_t v = acre_stats_rng_below(&r, 7);

        ACRE_CHECK(v < 7);
        seen[v]++;
    }
    for (int i = 0; i < 7; i++)
        ACRE_CHECK(seen[i] > 9500 && seen[i] < 10500, "%d of 70000 are %d", seen[i], i);
}

static double darwin_mean(const size_t *block, size_t n, void *arg)
{
    double sum = 0;

    (void)arg;
    for (size_t i = 0; i < n; i++)
        sum += darwin[block[i]];
    return sum / (double)n;
}

/* 200,000 resamples with NumPy put the 95 % interval of the mean at 1.40 ... 38.07; the ends of
 * 10,000 resamples scatter by about 0.3 around that. */
ACRE_TEST(stats, bootstrap_of_darwins_mean)
{
    acre_stats_interval a = acre_stats_bootstrap(darwin_mean, NULL, 15, 10000, 0.95, 1);
    acre_stats_interval b = acre_stats_bootstrap(darwin_mean, NULL, 15, 10000, 0.95, 1);

    ACRE_CHECK(fabs(a.lo - 1.40) < 1, "lower end %g", a.lo);
    ACRE_CHECK(fabs(a.hi - 38.07) < 1, "upper end %g", a.hi);
    ACRE_CHECK(a.lo == b.lo && a.hi == b.hi);
}

static double not_defined(const size_t *block, size_t n, void *arg)
{
    (void)block, (void)n, (void)arg;
    return NAN;
}

ACRE_TEST(stats, bootstrap_of_one_block_or_no_value_has_no_interval)
{
    acre_stats_interval one = acre_stats_bootstrap(darwin_mean, NULL, 1, 100, 0.95, 1);
    acre_stats_interval none = acre_stats_bootstrap(not_defined, NULL, 5, 100, 0.95, 1);

    ACRE_CHECK(isnan(one.lo) && isnan(one.hi));
    ACRE_CHECK(isnan(none.lo) && isnan(none.hi));
}
