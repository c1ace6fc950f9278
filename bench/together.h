/* SPDX-License-Identifier: MIT */
/* together.h: one trace, replayed by several workers between them: processes on one segment, threads
 * on one heap.  What one allocates another frees, in the trace's order (shares.h). */
#ifndef ACRE_BENCH_TOGETHER_H
#define ACRE_BENCH_TOGETHER_H

#include "bench/shares.h"
#include "bench/procs.h"
#include "bench/replay.h"

#define ACRE_TOGETHER_APART UINT64_MAX /* no limit but the dependencies */

typedef struct acre_together_plan {
    const acre_shares *parts;
    uint32_t processes, threads; /* threads of each process; their product is parts->workers */
    int touch;
    unsigned warm;      /* passes on the emptied heap, at most ACRE_WARM_MAX */
    uint64_t lead;      /* operations of the trace that a worker may be ahead of the slowest; 0: one
                           operation at a time, in the trace's order; or ACRE_TOGETHER_APART */
    bool verify;        /* fill all blocks, look at them when they end */
    uint64_t budget_ns; /* for all passes; 0 = none */
} acre_together_plan;

typedef struct acre_together {
    enum acre_replay_status status;
    double cold, warm, warm_min; /* wall ns per operation of all together; warm is the median */
    unsigned passes;             /* warm ones that were done */
    double ops_per_s;            /* in the median warm pass, or the cold one if there is none */
    uint64_t waits;              /* for blocks of others or a slower worker, in all passes … */
    double waited_share;         /* … and the part of the workers' time that they took */
    double fairness;             /* Jain's index of how fast each worked when it did not wait */
    double least_share;          /* operations of who has the least to do, of the mean */
    uint64_t worker_ops[ACRE_PROCS_MOST]; /* of one pass; the trace's, without the drain */
    uint64_t worker_ns[ACRE_PROCS_MOST], worker_waited_ns[ACRE_PROCS_MOST]; /* in all passes */
    uint64_t peak_used;  /* high water of the segment, growth of a malloc's resident memory, in the
                           cold pass; 0: not known */
    bool checked, sound; /* as in procs.h */
    uint64_t op;         /* if failed: where, in the trace … */
    char what[160];      /* … and what was wrong; "" = nothing */
} acre_together;

/* A size that every sound algorithm can serve all workers in, however far they run apart. */
size_t acre_together_room(const acre_shares *p);

/* 0, also if the status is not ok; else as acre_procs_run(): ENOTSUP: a malloc's processes have nothing in
 * common; ECHILD: a worker died or did not end; ENOSPC: a reference point that cannot be shared, or is to be
 * verified. */
int acre_together_run(const acre_contender *c, const acre_together_plan *plan, acre_together *out);

#endif
