/* SPDX-License-Identifier: MIT */
/* From runs to a ranking.
 *
 * Each algorithm is compared with the reference as bench/report_pairs.h says.
 *
 * An algorithm is called different only if all of this holds:
 *   - Wilcoxon's signed-rank p, after Holm, is below 0.01.  The null hypothesis is that the mean
 *     over these traces is 1; it says nothing about other programs.  That an algorithm is faster
 *     on one trace and slower on another is no noise, so the log ratios are aligned first: each
 *     trace's median is moved to the mean of all (aligned ranks: Hodges and Lehmann 1962).  The
 *     run that is its trace's median has become exact by that and is left out.  Of 3000 simulated
 *     comparisons without a difference (3 to 10 blocks, heavy tails) 0.2 to 0.5 % had p below 0.01;
 *   - the difference is more than 2 %, more than 3 MADs of the blocks, and more than the A/A
 *     noise floor: how far the reference seems to be from itself. */
#include "bench/report_pairs.h"
#include "bench/stats.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const double rank_alpha = 0.01, rank_least_difference = 0.02, rank_noisy = 0.10;

enum { RANK_LEAST_BLOCKS = 3 };

/* Medians of each cell ------------------------------------------------------------------- */

static double rank_median_of(const report_cell *c, double (*value)(const report_sample *),
                             double *scratch)
{
    size_t n = 0;

    for (size_t i = 0; i < c->n_samples; i++)
        if (isfinite(value(&c->sample[i])))
            scratch[n++] = value(&c->sample[i]);
    return acre_stats_median(scratch, n);
}

static double rank_warm(const report_sample *s) { return s->warm; }
static double rank_cold(const report_sample *s) { return s->cold; }
static double rank_net(const report_sample *s) { return s->warm - s->harness; }
static double rank_harness(const report_sample *s) { return s->harness; }
static double rank_harness_cold(const report_sample *s) { return s->harness_cold; }

static void rank_cell(report_cell *c, double *scratch)
{
    c->warm = rank_median_of(c, rank_warm, scratch);
    c->cold = rank_median_of(c, rank_cold, scratch);
    c->net = rank_median_of(c, rank_net, scratch);
    for (size_t i = 0; i < c->n_samples; i++)
        scratch[i] = c->sample[i].warm;
    c->iqr = c->n_samples > 2 ? acre_stats_relative_iqr(scratch, c->n_samples) : NAN;
}

/* The empty replay of a trace is told with every run on it; any algorithm's will do. */
static void rank_trace_harness(report_model *m, size_t t, double *scratch)
{
    report_trace *trace = &m->trace[t];

    trace->harness = trace->harness_cold = NAN;
    for (size_t a = 0; a < m->n_algorithms; a++) {
        const report_cell *c = acre__report_cell(m, a, t);

        if (!isfinite(trace->harness))
            trace->harness = rank_median_of(c, rank_harness, scratch);
        if (!isfinite(trace->harness_cold))
            trace->harness_cold = rank_median_of(c, rank_harness_cold, scratch);
    }
}

static int rank_cells(report_model *m)
{
    double *scratch;

    for (size_t i = 0; i < m->n_algorithms * m->n_traces; i++)
        if (m->cell[i].n_samples > m->n_blocks)
            m->n_blocks = m->cell[i].n_samples;
    if (!(scratch = malloc((m->n_blocks + 1) * sizeof *scratch)))
        return ENOMEM;
    for (size_t i = 0; i < m->n_algorithms * m->n_traces; i++) {
        rank_cell(&m->cell[i], scratch);
        m->n_noisy += m->cell[i].iqr > rank_noisy;
    }
    for (size_t t = 0; t < m->n_traces; t++)
        rank_trace_harness(m, t, scratch);
    free(scratch);
    return 0;
}

/* The reference --------------------------------------------------------------------------- */

static bool rank_has_runs(const report_model *m, size_t a)
{
    for (size_t t = 0; t < m->n_traces; t++)
        if (acre__report_cell(m, a, t)->status == REPORT_OK)
            return true;
    return false;
}

bool acre__report_is_point(const report_algorithm *a)
{
    return a->family && strcmp(a->family, "reference") == 0;
}

static size_t rank_find_reference(const report_model *m)
{
    static const char *const wanted[] = {"jemalloc", "mimalloc", "tcmalloc", "libc"};
    size_t any = SIZE_MAX;

    for (size_t w = 0; w < sizeof wanted / sizeof *wanted; w++)
        for (size_t a = 0; a < m->n_algorithms; a++)
            if (strcmp(m->algorithm[a].name, wanted[w]) == 0 && rank_has_runs(m, a))
                return a;
    for (size_t a = m->n_algorithms; a-- > 0;)
        if (rank_has_runs(m, a) &&
            (any == SIZE_MAX || !acre__report_is_point(&m->algorithm[a])))
            any = a;
    return any;
}

/* The noise of the pairs -------------------------------------------------------------------- */

/* MAD over blocks of the block's mean over traces. */
static double rank_spread(report_pairs *p, double *scratch)
{
    size_t n = 0;

    for (size_t b = 0; b < p->blocks; b++) {
        double value = acre__pairs_statistic(&b, 1, p);

        if (isfinite(value))
            scratch[n++] = value;
    }
    return acre_stats_mad(scratch, n);
}

/* The finite values of one trace, moved so that their median is `centre`, without the run nearest
 * to it.  Fewer than three runs do not show their own noise: nothing. */
static size_t rank_align(report_pairs *p, size_t t, double centre, double *out)
{
    const double *of_trace = &p->log_ratio[t * p->blocks];
    size_t n = 0, nearest = 0, kept = 0;
    double median;

    for (size_t b = 0; b < p->blocks; b++)
        if (isfinite(of_trace[b]))
            p->row[n++] = of_trace[b];
    if (n < RANK_LEAST_BLOCKS)
        return 0;
    median = acre_stats_median(p->row, n);
    for (size_t i = 1; i < n; i++)
        if (fabs(p->row[i] - median) < fabs(p->row[nearest] - median))
            nearest = i;
    for (size_t i = 0; i < n; i++)
        if (i != nearest)
            out[kept++] = p->row[i] - median + centre;
    return kept;
}

static double rank_p(report_pairs *p, double *scratch, size_t *pairs)
{
    double centre = acre__pairs_centre(p);
    size_t n = 0;

    for (size_t t = 0; t < p->traces; t++)
        n += rank_align(p, t, centre, scratch + n);
    *pairs = n;
    return isfinite(centre) ? acre_stats_wilcoxon(scratch, n, NULL) : NAN;
}

/* Aggregates of one algorithm -------------------------------------------------------------- */

static void rank_memory(const report_model *m, size_t index, double *scratch)
{
    report_algorithm *a = &m->algorithm[index];
    size_t n = 0;

    a->worst_memory = NAN;
    for (size_t t = 0; t < m->n_traces; t++) {
        const report_cell *c = acre__report_cell(m, index, t);

        if (c->fit != REPORT_OK || !(c->peak_live > 0))
            continue;
        scratch[n] = c->s_min / c->peak_live;
        a->resident |= c->resident;
        if (!(a->worst_memory >= scratch[n])) {
            a->worst_memory = scratch[n];
            a->worst_trace = t;
        }
        n++;
    }
    a->memory_traces = n;
    a->memory = acre_stats_geomean(scratch, n);
}

static double rank_geomean_of(const report_model *m, size_t index,
                              double (*value)(const report_model *, const report_cell *, size_t),
                              double *scratch)
{
    size_t n = 0;

    for (size_t t = 0; t < m->n_traces; t++) {
        const report_cell *c = acre__report_cell(m, index, t);

        if (c->status == REPORT_OK)
            scratch[n++] = value(m, c, t);
    }
    return acre_stats_geomean(scratch, n);
}

static double rank_cell_warm(const report_model *m, const report_cell *c, size_t t)
{
    (void)m, (void)t;
    return c->warm;
}

static double rank_cell_net(const report_model *m, const report_cell *c, size_t t)
{
    (void)m, (void)t;
    return c->net;
}

static double rank_cell_cold(const report_model *m, const report_cell *c, size_t t)
{
    (void)m, (void)t;
    return c->cold;
}

static double rank_cell_harness_share(const report_model *m, const report_cell *c, size_t t)
{
    return m->trace[t].harness / c->warm;
}

static void rank_means(const report_model *m, size_t index, double *scratch)
{
    report_algorithm *a = &m->algorithm[index];

    for (size_t t = 0; t < m->n_traces; t++)
        a->traces += acre__report_cell(m, index, t)->status == REPORT_OK;
    a->ns = rank_geomean_of(m, index, rank_cell_warm, scratch);
    a->ns_net = rank_geomean_of(m, index, rank_cell_net, scratch);
    a->ns_cold = rank_geomean_of(m, index, rank_cell_cold, scratch);
    a->harness_share = rank_geomean_of(m, index, rank_cell_harness_share, scratch);
}

typedef struct rank_scratch {
    report_pairs pairs;
    double *value;
    double *p;              /* by algorithm; NAN if it is not in the family */
    size_t *n_pairs;
} rank_scratch;

static void rank_algorithm(report_model *m, size_t index, rank_scratch *s)
{
    report_algorithm *a = &m->algorithm[index];

    rank_memory(m, index, s->value);
    rank_means(m, index, s->value);
    acre__pairs_fill(&s->pairs, m, index, m->reference, REPORT_COLD);
    a->cold = acre__pairs_ratio(&s->pairs);
    acre__pairs_fill(&s->pairs, m, index, m->reference, REPORT_NET);
    a->net = acre__pairs_ratio(&s->pairs);
    acre__pairs_fill(&s->pairs, m, index, m->reference, REPORT_WARM);
    a->warm = acre__pairs_ratio(&s->pairs);
    a->spread = rank_spread(&s->pairs, s->value);
    s->p[index] = NAN;
    if (index != m->reference && !a->again && !acre__report_is_point(a))
        s->p[index] = rank_p(&s->pairs, s->value, &s->n_pairs[index]);
}

/* Verdicts --------------------------------------------------------------------------------- */

/* How far the reference's own ratio to itself may be from 1, in logarithms. */
static void rank_noise(report_model *m)
{
    m->noise = (report_ratio){NAN, NAN, NAN, 0};
    m->noise_floor = NAN;
    for (size_t i = 0; i < m->n_algorithms; i++) {
        const report_algorithm *a = &m->algorithm[i];
        size_t base = m->reference == SIZE_MAX ? 0 : strlen(m->algorithm[m->reference].name);

        if (a->again && base && strncmp(a->name, m->algorithm[m->reference].name, base) == 0)
            m->noise = a->warm;
    }
    if (isfinite(m->noise.lo))
        m->noise_floor = exp(fmax(log(m->noise.hi / m->noise.lo),
                                  fmax(fabs(log(m->noise.lo)), fabs(log(m->noise.hi)))));
}

static enum report_verdict rank_verdict(const report_model *m, size_t index, size_t pairs,
                                        size_t family)
{
    const report_algorithm *a = &m->algorithm[index];
    double bar = fmax(log1p(rank_least_difference), 3 * a->spread), away = log(a->warm.value);

    if (isfinite(m->noise_floor))
        bar = fmax(bar, log(m->noise_floor));
    if (index == m->reference)
        return REPORT_REFERENCE;
    if (!isfinite(a->p))
        return REPORT_NONE;
    if (ldexp(2, -(int)pairs) * (double)family >= rank_alpha)
        return REPORT_FEW;
    if (!(a->p < rank_alpha) || !(fabs(away) > bar))
        return REPORT_SAME;
    return away < 0 ? REPORT_FASTER : REPORT_SLOWER;
}

static int rank_verdicts(report_model *m, rank_scratch *s)
{
    size_t family = 0;

    for (size_t i = 0; i < m->n_algorithms; i++)
        family += !isnan(s->p[i]);
    if (acre_stats_holm(s->p, m->n_algorithms))
        return ENOMEM;
    for (size_t i = 0; i < m->n_algorithms; i++)
        m->algorithm[i].p = s->p[i];
    for (size_t i = 0; i < m->n_algorithms; i++)
        m->algorithm[i].verdict = rank_verdict(m, i, s->n_pairs[i], family);
    return 0;
}

const char *acre__report_verdict_text(const report_model *m, const report_algorithm *a)
{
    (void)m;
    switch (a->verdict) {
    case REPORT_REFERENCE: return "reference";
    case REPORT_FASTER:    return "faster";
    case REPORT_SLOWER:    return "slower";
    case REPORT_SAME:      return "no difference";
    case REPORT_FEW:       return "too few runs";
    case REPORT_NONE:      break;
    }
    return acre__report_is_point(a) ? "no allocator" : "-";
}

/* Order ------------------------------------------------------------------------------------ */

/* Not-finished sorts behind finished, reference points behind everything. */
static int rank_class(const report_model *m, const report_algorithm *a)
{
    if (acre__report_is_point(a))
        return 3;
    return a->traces >= m->algorithm[m->reference].traces ? 0 : a->traces > 0 ? 1 : 2;
}

static bool rank_before(const report_model *m, size_t x, size_t y)
{
    const report_algorithm *a = &m->algorithm[x], *b = &m->algorithm[y];
    int class_a = rank_class(m, a), class_b = rank_class(m, b);
    double ratio_a = isfinite(a->warm.value) ? a->warm.value : INFINITY;
    double ratio_b = isfinite(b->warm.value) ? b->warm.value : INFINITY;

    if (class_a != class_b)
        return class_a < class_b;
    return ratio_a != ratio_b ? ratio_a < ratio_b : a->order < b->order;
}

static bool rank_has_results(const report_model *m, size_t a)
{
    for (size_t t = 0; t < m->n_traces; t++)
        if (acre__report_cell(m, a, t)->status != REPORT_ABSENT)
            return true;
    return false;
}

static int rank_order(report_model *m)
{
    if (!(m->rank = malloc((m->n_algorithms + 1) * sizeof *m->rank)))
        return ENOMEM;
    for (size_t a = 0; a < m->n_algorithms; a++) {
        size_t at = m->n_ranked;

        if (m->algorithm[a].again || !rank_has_results(m, a))
            continue;
        for (; at > 0 && rank_before(m, a, m->rank[at - 1]); at--)
            m->rank[at] = m->rank[at - 1];
        m->rank[at] = a;
        m->n_ranked++;
    }
    return 0;
}

/* All -------------------------------------------------------------------------------------- */

static int rank_scratch_init(const report_model *m, rank_scratch *s)
{
    size_t room;

    if (acre__pairs_init(&s->pairs, m, m->reference))
        return ENOMEM;
    room = (s->pairs.blocks + 1) * (m->n_traces + 1);
    s->value = calloc(room, sizeof *s->value);
    s->p = calloc(m->n_algorithms + 1, sizeof *s->p);
    s->n_pairs = calloc(m->n_algorithms + 1, sizeof *s->n_pairs);
    if (!s->value || !s->p || !s->n_pairs)
        return ENOMEM;
    return 0;
}

static void rank_scratch_destroy(rank_scratch *s)
{
    acre__pairs_destroy(&s->pairs);
    free(s->value);
    free(s->p);
    free(s->n_pairs);
}

static int rank_all(report_model *m)
{
    rank_scratch s = {0};
    int error = rank_scratch_init(m, &s);

    for (size_t a = 0; !error && a < m->n_algorithms; a++)
        rank_algorithm(m, a, &s);
    if (!error) {
        rank_noise(m);
        error = rank_verdicts(m, &s);
    }
    rank_scratch_destroy(&s);
    return error ? error : rank_order(m);
}

int acre__report_rank(report_model *m)
{
    int error = rank_cells(m);

    if (error)
        return error;
    m->reference = rank_find_reference(m);
    if (m->reference == SIZE_MAX)
        return acre__report_say(EBADMSG, "%s/results.jsonl: no replay finished", m->dir);
    return rank_all(m);
}
