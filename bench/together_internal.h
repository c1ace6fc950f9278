/* SPDX-License-Identifier: MIT */
/* together_internal.h: what the workers of a replay together see of each other. */
#ifndef ACRE_BENCH_TOGETHER_INTERNAL_H
#define ACRE_BENCH_TOGETHER_INTERNAL_H

#include "bench/procs_internal.h"
#include "bench/together.h"

enum { TOGETHER_PASSES = ACRE_WARM_MAX + 1 };

/* One worker's pass. */
typedef struct together_time {
    uint64_t start, end, waited; /* ns */
} together_time;

typedef struct together_line {
    _Alignas(
        64) _Atomic uint64_t op; /* the first operation of the trace not yet done by this worker */
} together_line;

/* In shared memory, no heap in it. */
typedef struct together_stage {
    const acre_together_plan *plan; /* from before the processes parted: the same for all */
    size_t bytes;
    _Alignas(64) _Atomic uint32_t arrived; /* at barriers, all counted together */
    _Atomic uint32_t trouble;              /* who is first tells it: */
    uint64_t op;
    char what[160];
    uint64_t peak_used;
    uint64_t waits[ACRE_PROCS_MOST];
    together_time time[TOGETHER_PASSES][ACRE_PROCS_MOST];
    together_line progress[ACRE_PROCS_MOST];
    _Alignas(64) _Atomic uint64_t handed[]; /* places of blocks, + 1; 0: not yet there */
} together_stage;

extern const acre_procs_pattern together_pattern;

#endif
