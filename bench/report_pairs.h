/* SPDX-License-Identifier: MIT */
/* Two algorithms compared run by run.
 *
 * One block holds every algorithm once, so two algorithms are compared inside a block: the ratio
 * of their times is free of what drifts from block to block.  Per trace the median over blocks,
 * over traces the geometric mean; the interval resamples whole blocks. */
#ifndef ACRE_BENCH_REPORT_PAIRS_H
#define ACRE_BENCH_REPORT_PAIRS_H

#include "bench/report_model.h"

enum report_metric { REPORT_WARM, REPORT_COLD, REPORT_NET };

/* Log ratios, one row a trace, one column a block, NAN where there is no pair. */
typedef struct report_pairs {
    double *log_ratio;
    double *row;            /* scratch: one row */
    long   *block;          /* the numbers of the blocks */
    size_t *all_blocks;     /* 0, 1, 2 …: the resample that is the data */
    size_t  traces, blocks;
} report_pairs;

/* Room for the blocks that `base` has on any trace.  0 or ENOMEM; destroy it in either case. */
int  acre__pairs_init(report_pairs *p, const report_model *m, size_t base);
void acre__pairs_destroy(report_pairs *p);
/* Times of `a` over those of `base`, on the traces that both finished. */
void acre__pairs_fill(report_pairs *p, const report_model *m, size_t a, size_t base,
                      enum report_metric metric);
/* Mean over traces of the median over the drawn blocks, of log ratios: an acre_stats_statistic. */
double acre__pairs_statistic(const size_t *block, size_t n, void *pairs);
/* The same over all blocks. */
double acre__pairs_centre(report_pairs *p);
/* exp() of it, with its interval. */
report_ratio acre__pairs_ratio(report_pairs *p);

#endif
