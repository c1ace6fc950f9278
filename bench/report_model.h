/* SPDX-License-Identifier: MIT */
/* What the files of the report share: the results in memory, and their aggregates.
 *
 * Every number that is not known (not measured, stopped, failed, too few runs) is NAN here and a
 * "?" or a dash in what is written. */
#ifndef ACRE_BENCH_REPORT_MODEL_H
#define ACRE_BENCH_REPORT_MODEL_H

#include "bench/replay.h"
#include "bench/report_page.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#include <jansson.h>

enum report_status { REPORT_ABSENT, REPORT_OK, REPORT_STOPPED, REPORT_FAILED };

enum report_verdict {
    REPORT_NONE,            /* nothing to compare */
    REPORT_REFERENCE,       /* the algorithm that the others are compared with */
    REPORT_FASTER, REPORT_SLOWER,
    REPORT_SAME,            /* no difference beyond noise */
    REPORT_FEW,             /* so few runs that no difference could be proved */
};

/* A ratio to the reference: geometric mean over traces of the median over blocks. */
typedef struct report_ratio {
    double value, lo, hi;   /* lo, hi: 95 % interval, NAN with one block */
    size_t traces;          /* how many traces are in it */
} report_ratio;

typedef struct report_algorithm {
    char  *name, *summary, *family;
    char  *skipped;         /* reason, or NULL */
    int    order;
    char   colour[8];       /* "#rrggbb" from plots/style.gp, "" without gnuplot */
    bool   again;           /* an A/A series: the reference once more */
    /* Aggregates: */
    report_ratio warm, net, cold;
    double ns, ns_net, ns_cold;         /* geometric means over traces, ns per operation */
    double memory, worst_memory;        /* S_min / peak live: geometric mean, and the worst trace */
    size_t memory_traces, worst_trace;
    bool   resident;        /* memory is growth of resident memory, not a segment's size */
    double p, spread;       /* Holm-adjusted; MAD of the blocks' log ratios */
    double harness_share;   /* harness / gross, warm */
    size_t traces;          /* finished */
    enum report_verdict verdict;
} report_algorithm;

typedef struct report_trace {
    char    *name, *program;
    double   ops, objects, peak_live;   /* NAN if not told */
    double   harness, harness_cold;     /* median ns per operation of the empty replay */
} report_trace;

typedef struct report_sample {
    long   block;
    double warm, cold, harness, harness_cold;   /* ns per operation, gross */
} report_sample;

/* One algorithm on one trace. */
typedef struct report_cell {
    report_sample     *sample;          /* runs that finished, by block */
    size_t             n_samples;
    enum report_status status, fit;
    double share;                       /* part of the operations done, the least over runs */
    double warm, cold, net, iqr;        /* medians; relative interquartile range of warm */
    double s_min, peak_live;            /* bytes */
    bool   resident;
} report_cell;

typedef struct report_timeline {
    size_t  trace, algorithm, n;
    double *op, *live, *used;
} report_timeline;

typedef struct report_live_cost {
    size_t algorithm;
    double live, ns;
    char  *growth;          /* "O(log n)"; NULL: nobody told */
    enum report_status status;
} report_live_cost;

/* How many operations of a trace take longer than so many ns; the last point is the worst. */
typedef struct report_latency {
    size_t algorithm, trace, n;
    double *tail, *measured, *least;
} report_latency;

/* One algorithm's steps from bare to safe on one trace (bench/replay.h). */
typedef struct report_safety {
    size_t algorithm, trace;
    double ns[ACRE_SAFETY_STEPS];
    enum report_status status;
} report_safety;

/* What so many workers got done together. */
typedef struct report_scaling {
    size_t algorithm;
    char  *pattern;
    double workers, ops_per_s, fairness, least_share, peak_used, peak_live, cpus;
    bool   checked, sound, resident;
    enum report_status status;
} report_scaling;

/* An algorithm of acre beside Boost's of the same name, on the traces that both finished. */
typedef struct report_original {
    size_t algorithm, boost;
    report_ratio warm, cold;            /* Boost's time / acre's */
    double memory, boost_memory;        /* S_min / peak live, geometric means over traces */
    double most;                        /* the largest S_min / Boost's S_min, and its trace */
    size_t most_trace, memory_traces;
} report_original;

typedef struct report_model {
    const char       *dir;
    json_t           *run;              /* the last "run" line, or NULL */
    json_t           *crash;            /* what the crash laboratory has counted, or NULL */
    report_algorithm *algorithm;
    report_trace     *trace;
    report_cell      *cell;             /* algorithm-major */
    report_timeline  *timeline;
    report_live_cost *live_cost;
    report_safety    *safety;
    report_latency   *latency;
    report_scaling   *scaling;
    size_t n_latencies, n_scalings;
    size_t n_algorithms, n_traces, n_timelines, n_live_costs, n_safeties;
    /* Aggregates: */
    size_t  reference;                  /* index, or SIZE_MAX */
    size_t *rank, n_ranked;             /* algorithms by warm ratio; those with all traces first */
    report_original *original;          /* in the order of `algorithm` */
    size_t  n_originals;
    report_ratio noise;                 /* A/A */
    double  noise_floor;                /* as a ratio above 1: differences below cannot be seen */
    size_t  n_blocks;                   /* most blocks any cell has */
    size_t  n_noisy;                    /* series whose relative IQR is above 10 % */
    bool    pictures;                   /* gnuplot and the scripts were there */
    report_colours colours;
} report_model;

report_cell *acre__report_cell(const report_model *m, size_t algorithm, size_t trace);

/* report_load.c */
int  acre__report_load(report_model *m);
int  acre__report_load_procs(report_model *m);      /* DIR/procs.jsonl alone */
void acre__report_release(report_model *m);

/* report_rank.c */
int acre__report_rank(report_model *m);
const char *acre__report_verdict_text(const report_model *m, const report_algorithm *a);
bool acre__report_is_point(const report_algorithm *a);  /* a reference point, not an allocator */

/* report_original.c */
int  acre__report_compare_original(report_model *m);
/* One sentence: why there is no row. */
void acre__report_no_original(const report_model *m, char *text, size_t room);
int  acre__report_write_original(const report_model *m);            /* DIR/data/original.dat */

/* report_data.c: DIR/data/NAME.dat of each picture. */
int acre__report_write_data(const report_model *m);

/* report_pareto.c: that of the time-memory picture, with a place for each label. */
int acre__report_write_pareto(const report_model *m);

/* report_plot.c */
extern const report_picture acre__report_pictures[];
extern const size_t acre__report_n_pictures;

/* NULL: there is none of this name. */
const report_picture *acre__report_picture_of(const char *name);
/* Colours from plots/style.gp, of the algorithms in DIR/data/NAMES.dat, then every picture of the list whose
 * data is there. */
int acre__report_plot_list(report_model *m, const char *names, const report_picture *list, size_t n);
int acre__report_plot(report_model *m);

/* report_words.c: sentences made of the numbers, in plain text with *bold* marks. */
void acre__report_headline(FILE *out, const report_model *m);
void acre__report_details(FILE *out, const report_model *m);
void acre__report_noise_sentence(FILE *out, const report_model *m);

/* report_tables.c: the page's tables. */
void acre__report_table_ranking(FILE *out, const report_model *m);
void acre__report_table_original(FILE *out, const report_model *m);
void acre__report_table_time(FILE *out, const report_model *m);
void acre__report_table_memory(FILE *out, const report_model *m);
void acre__report_table_traces(FILE *out, const report_model *m);
/* Pieces of any table: a cell that says why it holds no number, one with a number (sorted by it), a
 * name with its colour. */
void acre__table_missing(FILE *out, const char *why);
void acre__table_number(FILE *out, const char *class_name, double value, const char *suffix);
void acre__table_algorithm_name(FILE *out, const report_algorithm *a);

/* report_growth.c: cost against live blocks. */
int  acre__report_write_growth(const report_model *m);              /* DIR/data/live-cost.dat */
void acre__report_table_growth(FILE *out, const report_model *m);

/* report_crash.c: `file`, or (NULL) DIR/../crash.json if that is there; the page's section. */
int  acre__report_load_crash(report_model *m, const char *file);
void acre__report_crash(FILE *out, const report_model *m);

/* report_scaling.c: many at work on one heap.  What they hold over what is live; NAN: not known, or so
 * little that it tells nothing. */
double acre__scaling_blow_up(const report_scaling *s);
/* DIR/data/ scaling.dat, fairness.dat, blow-up.dat, false-sharing.dat. */
int  acre__report_write_scaling(const report_model *m);
/* report_scaling_table.c */
void acre__report_table_scaling(FILE *out, const report_model *m);

/* report_latency.c: single operations. */
int  acre__report_write_latency(const report_model *m);             /* DIR/data/latency.dat */
void acre__report_table_latency(FILE *out, const report_model *m);

/* report_safety.c: what lock and journal cost. */
int  acre__report_write_safety(const report_model *m);              /* DIR/data/safety.dat */
void acre__report_table_safety(FILE *out, const report_model *m);

/* report_html.c, report_text.c */
int  acre__report_write_html(const report_model *m);
void acre__report_write_text(const report_model *m, FILE *out);

#endif
