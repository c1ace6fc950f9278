/* SPDX-License-Identifier: MIT */
#include "bench/report_pairs.h"
#include "bench/stats.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

static const uint64_t pairs_seed = 20240601;

static bool pairs_know_block(const report_pairs *p, long block)
{
    for (size_t i = 0; i < p->blocks; i++)
        if (p->block[i] == block)
            return true;
    return false;
}

static int pairs_collect_blocks(report_pairs *p, const report_model *m, size_t base)
{
    size_t room = 0;

    for (size_t t = 0; t < m->n_traces; t++)
        room += acre__report_cell(m, base, t)->n_samples;
    if (!(p->block = malloc((room + 1) * sizeof *p->block)))
        return ENOMEM;
    for (size_t t = 0; t < m->n_traces; t++) {
        const report_cell *c = acre__report_cell(m, base, t);

        for (size_t i = 0; i < c->n_samples; i++)
            if (!pairs_know_block(p, c->sample[i].block))
                p->block[p->blocks++] = c->sample[i].block;
    }
    return 0;
}

int acre__pairs_init(report_pairs *p, const report_model *m, size_t base)
{
    *p = (report_pairs){.traces = m->n_traces};
    if (pairs_collect_blocks(p, m, base))
        return ENOMEM;
    p->log_ratio = calloc(p->traces * p->blocks + 1, sizeof *p->log_ratio);
    p->row = calloc(p->blocks + 1, sizeof *p->row);
    p->all_blocks = calloc(p->blocks + 1, sizeof *p->all_blocks);
    if (!p->log_ratio || !p->row || !p->all_blocks)
        return ENOMEM;
    for (size_t i = 0; i < p->blocks; i++)
        p->all_blocks[i] = i;
    return 0;
}

void acre__pairs_destroy(report_pairs *p)
{
    free(p->log_ratio);
    free(p->row);
    free(p->block);
    free(p->all_blocks);
}

static double pairs_value(const report_sample *s, enum report_metric metric)
{
    switch (metric) {
    case REPORT_WARM: return s->warm;
    case REPORT_COLD: return s->cold;
    case REPORT_NET:  return s->warm - s->harness;
    }
    return NAN;
}

static const report_sample *pairs_sample(const report_cell *c, long block)
{
    for (size_t i = 0; i < c->n_samples; i++)
        if (c->sample[i].block == block)
            return &c->sample[i];
    return NULL;
}

static double pairs_log_ratio(const report_cell *c, const report_cell *base, long block,
                              enum report_metric metric)
{
    const report_sample *s = pairs_sample(c, block), *r = pairs_sample(base, block);
    double a, b;

    if (!s || !r || c->status != REPORT_OK || base->status != REPORT_OK)
        return NAN;
    a = pairs_value(s, metric);
    b = pairs_value(r, metric);
    return a > 0 && b > 0 ? log(a / b) : NAN;
}

void acre__pairs_fill(report_pairs *p, const report_model *m, size_t a, size_t base,
                      enum report_metric metric)
{
    for (size_t t = 0; t < p->traces; t++)
        for (size_t b = 0; b < p->blocks; b++)
            p->log_ratio[t * p->blocks + b] =
                pairs_log_ratio(acre__report_cell(m, a, t), acre__report_cell(m, base, t),
                                p->block[b], metric);
}

double acre__pairs_statistic(const size_t *block, size_t n, void *pairs)
{
    report_pairs *p = pairs;
    double sum = 0;
    size_t traces = 0;

    for (size_t t = 0; t < p->traces; t++) {
        const double *of_trace = &p->log_ratio[t * p->blocks];
        size_t k = 0;

        for (size_t i = 0; i < n; i++)
            if (isfinite(of_trace[block[i]]))
                p->row[k++] = of_trace[block[i]];
        if (k > 0) {
            sum += acre_stats_median(p->row, k);
            traces++;
        }
    }
    return traces ? sum / (double)traces : NAN;
}

double acre__pairs_centre(report_pairs *p)
{
    return acre__pairs_statistic(p->all_blocks, p->blocks, p);
}

static size_t pairs_count_traces(const report_pairs *p)
{
    size_t traces = 0;

    for (size_t t = 0; t < p->traces; t++) {
        bool any = false;

        for (size_t b = 0; b < p->blocks; b++)
            any |= isfinite(p->log_ratio[t * p->blocks + b]) != 0;
        traces += any;
    }
    return traces;
}

static size_t pairs_count_blocks(report_pairs *p)
{
    size_t blocks = 0;

    for (size_t b = 0; b < p->blocks; b++)
        blocks += isfinite(acre__pairs_statistic(&b, 1, p)) != 0;
    return blocks;
}

/* A single block with pairs is drawn again and again: no interval, though there are more blocks. */
report_ratio acre__pairs_ratio(report_pairs *p)
{
    report_ratio r = {exp(acre__pairs_centre(p)), NAN, NAN, pairs_count_traces(p)};
    acre_stats_interval ci;

    if (pairs_count_blocks(p) < 2)
        return r;
    ci = acre_stats_bootstrap(acre__pairs_statistic, p, p->blocks, ACRE_STATS_RESAMPLES, 0.95,
                              pairs_seed);
    r.lo = exp(ci.lo);
    r.hi = exp(ci.hi);
    return r;
}
