/* SPDX-License-Identifier: MIT */
/* tune.h: size classes and parameters for what programs allocate.
 *
 *     trace ──image──▶ need ──▶ costs of a trace ─┐
 *     trace ──image──▶ need ──▶ costs of a trace ─┴─ added up ──▶ the table with the least waste
 *
 * A *need* is what a trace has live of each size, at one moment or at several.  *Costs* are what every
 * possible class would hold for it, as parts of the trace's peak of live bytes, so that each trace weighs
 * the same.  From there on a table of classes is a path, and the best one is found exactly.
 *
 * The model of memory: a request takes a block of the smallest class that holds it, and nothing more; a
 * request above the largest class stands alone, with a header of 8 bytes, in units of 16.  What slabs
 * leave over at their ends, and free blocks, are not in it.  Requests that ask for an alignment above 16
 * stand alone whatever the classes are, and are left out, as is what is above the largest size.
 *
 * Nothing here runs an algorithm but acre_tune_limits_of().  Functions share no state: thread safe. */
#ifndef ACRE_BENCH_TUNE_H
#define ACRE_BENCH_TUNE_H

#include "bench/contender.h"
#include "bench/image.h"

#include <acre/algorithm.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    ACRE_TUNE_UNIT = 16,                                  /* bytes: classes are multiples of it */
    ACRE_TUNE_LARGEST = 4096,                             /* bytes: no class is larger */
    ACRE_TUNE_UNITS = ACRE_TUNE_LARGEST / ACRE_TUNE_UNIT, /* sizes are 1 … so many units */
    ACRE_TUNE_LOOKS = 256                                 /* at a trace, evenly spread */
};

/* What a trace has live --------------------------------------------------------------------- */

/* When objects count. */
enum acre_tune_weight {
    ACRE_TUNE_PEAK, /* at the moment when most bytes are live */
    ACRE_TUNE_MEAN, /* all the time: the mean over the trace's operations */
    ACRE_TUNE_HELD, /* each class when it has most objects, as if its blocks were never given back: the one
                       that tells what the smallest segment becomes (measured: bench/README.md) */
    ACRE_TUNE_WEIGHTS
};

/* "peak", "mean", "held"; NULL: past the end. */
const char *acre_tune_weight_name(size_t weight);

/* By units that the size takes, rounded up; 0 is not used. */
typedef struct acre_tune_moment {
    double objects[ACRE_TUNE_UNITS + 1]; /* live ones */
    double asked[ACRE_TUNE_UNITS + 1];   /* bytes they asked for */
    double alone[ACRE_TUNE_UNITS + 1];   /* bytes they would take standing alone */
} acre_tune_moment;

typedef struct acre_tune_need {
    double peak_live; /* bytes, of all sizes */
    double born;      /* objects of all sizes; a realloc is one that ends and one that begins */
    double born_of[ACRE_TUNE_UNITS + 1];
    size_t moments; /* the first is that of `asked` */
    acre_tune_moment *moment;
} acre_tune_need;

/* What the image has live when it counts.  0, or ENOMEM.  *n is the caller's to release. */
int acre_tune_need_of(const acre_image *m, enum acre_tune_weight weight, acre_tune_need *n);
void acre_tune_need_release(acre_tune_need *n);

/* Costs ------------------------------------------------------------------------------------- */

/* All but `traces` are sums over traces of parts of their peak_live (born: of their objects). */
typedef struct acre_tune_costs {
    size_t traces;
    double *held;                      /* (ACRE_TUNE_UNITS + 1)², see acre_tune_held() */
    double alone[ACRE_TUNE_UNITS + 1]; /* by what is above so many units */
    double asked[ACRE_TUNE_UNITS + 1]; /* by what is not above so many units */
    double born[ACRE_TUNE_UNITS + 1];  /* the same */
} acre_tune_costs;

/* Costs of no trace.  ENOMEM. */
int acre_tune_costs_init(acre_tune_costs *c);
void acre_tune_costs_release(acre_tune_costs *c);

void acre_tune_costs_of(acre_tune_costs *c, const acre_tune_need *n); /* of one trace */
void acre_tune_costs_add(acre_tune_costs *sum, const acre_tune_costs *c,
                         double times); /* may be negative */

/* What nobody recorded: the same live bytes of each size up to `largest`, together as much as a trace's peak.
 * No trace, and no objects born: it counts for no mean and serves nobody. */
void acre_tune_costs_unknown(acre_tune_costs *c, uint32_t largest);

/* Held by a class of `to` units that serves what is above `from` units. */
static inline double acre_tune_held(const acre_tune_costs *c, size_t from, size_t to)
{
    return c->held[from * (ACRE_TUNE_UNITS + 1) + to];
}

/* Tables ------------------------------------------------------------------------------------ */

/* A table of classes: bytes, ascending. */
typedef struct acre_tune_table {
    size_t n;
    uint32_t size[ACRE_CLASSES];
} acre_tune_table;

/* Bytes held beyond what was asked for, as a part of peak live, mean over the traces: of everything that
 * has at most `largest` bytes.  Sizes are rounded up to units; those above `largest` are ignored. */
double acre_tune_waste(const acre_tune_costs *c, const acre_tune_table *t, uint32_t largest);

/* Which tables are asked for.
 *   most      classes at most, 1 … ACRE_CLASSES - 1
 *   largest   bytes: no class is larger; a multiple of ACRE_TUNE_UNIT up to ACRE_TUNE_LARGEST
 *   serve     of the objects born up to that size so large a part has a class, 0 … 1
 *   smooth    what nobody recorded counts so many times as much as what was, from 0: without it a table has
 *             no class near a size that just these traces do not use */
typedef struct acre_tune_question {
    size_t most;
    uint32_t largest;
    double serve, smooth;
} acre_tune_question;

/* For each n of 1 … most: the table with the least waste (of what was smoothed) of all that have at most n
 * classes, to table[n].  Dynamic programming over (classes, largest so far): exact, O(most × units²).  A
 * table has fewer classes than it may have if more would not help.  0, or ENOMEM. */
int acre_tune_solve(const acre_tune_costs *c, const acre_tune_question *q, acre_tune_table *table);

/* How a table does on a trace that had no part in it: waste[t * (q->most + 1) + k], for trace t and k of 1 …
 * q->most, is trace t's under the best table of at most k classes for the other n - 1 traces.  n >= 2.
 * 0, or ENOMEM. */
int acre_tune_left_out(const acre_tune_costs *each, size_t n, const acre_tune_question *q,
                       double *waste);

/* What an algorithm takes ------------------------------------------------------------------- */

typedef struct acre_tune_limits {
    acre_tune_table standard; /* the classes that it has with these options */
    uint32_t largest;         /* bytes of the largest class that it takes */
    size_t most;              /* classes that it takes */
} acre_tune_limits;

/* Found out by asking heaps made for it.  0; ENOTSUP: it has no classes; ENOMEM; or an error of
 * acre_segment_create(). */
int acre_tune_limits_of(const acre_algorithm *a, const acre_heap_options *o, acre_tune_limits *l);

/* The spec, its classes (if it names some) replaced by the table: "sharded:lock=spin,classes=16:32".
 * False: it would be too long. */
bool acre_tune_spec(const char *spec, const acre_tune_table *t, char out[ACRE_SPEC_MAX]);

/* Choosing of many -------------------------------------------------------------------------- */

/* A contender's costs; less is better. */
typedef struct acre_tune_point {
    double time, memory;
    bool front; /* out: no other one is better in one and not worse in the other */
} acre_tune_point;

/* Points with a cost that is not finite are never of the front. */
void acre_tune_front(acre_tune_point *p, size_t n);

/* Values to try for a parameter: its standard, then half and double of it, or all if there are at most
 * five.  How many were written. */
enum { ACRE_TUNE_VALUES = 5 };
size_t acre_tune_values(const acre_param *p, uint32_t value[ACRE_TUNE_VALUES]);

/* Pictures ---------------------------------------------------------------------------------- */

typedef struct acre_tune_picture {
    const char *algorithm, *weight, *command;
    const acre_tune_costs *costs;
    const acre_tune_limits *limits;
    const acre_tune_table *solved; /* [1 … most] */
    const double *left_out; /* [1 … most]: waste, mean over the traces; NULL: there is one trace */
    const acre_tune_question *question;
    const acre_tune_table *tuned; /* the one that was chosen */
} acre_tune_picture;

/* Writes DIR/data/tune-waste.dat and tune-sizes.dat and has gnuplot draw them beside, as SVG and, if
 * `png`, as PNG.  0 or errno; what was wrong is in acre_report_message() (bench/report.h), also if only
 * the pictures could not be drawn, which is 0. */
int acre_tune_draw(const char *dir, const acre_tune_picture *p, bool png);

#endif
