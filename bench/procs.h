/* SPDX-License-Identifier: MIT */
/* procs.h: many processes, or threads, at work on one heap: how much they get done together, how evenly,
 * and whether the heap is sound afterwards.
 *
 * acre's algorithms and Boost's have one segment, which each process maps (acre's at an address of its
 * own); a malloc has a heap in each process, and its threads share that. */
#ifndef ACRE_BENCH_PROCS_H
#define ACRE_BENCH_PROCS_H

#include "bench/contender.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum {
    ACRE_PROCS_MOST = 256, /* processes times threads */
    ACRE_PROCS_TELLING =
        65536 /* live bytes from which on use over live tells of the heap, not of its fixed parts */
};

/* What a worker does; the list is procs_pattern.c, each with its source and parameters in patterns/. */
typedef struct acre_procs_pattern acre_procs_pattern;

/* The i-th; NULL: past the end. */
const acre_procs_pattern *acre_procs_pattern_at(size_t i);
const acre_procs_pattern *acre_procs_pattern_find(const char *name); /* NULL: unknown */
/* Not among those: each worker replays the plan's image, over and over, whole passes only. */
const acre_procs_pattern *acre_procs_pattern_trace(void);
const char *acre_procs_pattern_name(const acre_procs_pattern *p);

/* 1 to ACRE_PROCS_MOST, and an even number where workers work in pairs. */
bool acre_procs_pattern_suits(const acre_procs_pattern *p, uint64_t workers);
const char *acre_procs_pattern_summary(const acre_procs_pattern *p);

typedef struct acre_procs_plan {
    const acre_procs_pattern *pattern;
    const acre_image *image;     /* of the pattern that replays one; else NULL */
    struct together_stage *stage; /* of the one that replays one together (together.h); else NULL */
    uint32_t processes, threads; /* threads of each process */
    uint64_t duration_ns;
    size_t segment; /* bytes */
    uint64_t seed;
} acre_procs_plan;

typedef struct acre_procs_result {
    uint64_t ops; /* allocations and frees */
    double ops_per_s;
    double fairness;    /* Jain's index of what each worker did: 1 all the same, 1/n one did all */
    double least_share; /* the least busy worker's ops, of the mean */
    uint64_t failed;    /* allocations that found no room */
    uint64_t
        peak_used; /* bytes of the segment ever in use; mallocs: see `resident`; 0: not known */
    bool
        resident; /* peak_used: by how much all processes' heaps had grown when they were looked at */
    /* Bytes asked for, live at once in each worker at most, summed; where blocks are handed on, of all when
     * they were looked at, at most. */
    uint64_t peak_live;
    uint32_t cpus; /* that the workers may run on */
    uint64_t worker_ops[ACRE_PROCS_MOST];
    bool checked; /* the heap can tell: … */
    bool sound;   /* its invariants hold, and after all was freed nothing is live */
} acre_procs_result;

/* 0; ENOSYS: the contender's library is not loaded; ENOTSUP: the pattern hands blocks from worker to worker,
 * and a malloc's processes have nothing in common; EINVAL: 0 or too many workers, or an odd number where they
 * work in pairs; ENOSPC: a reference point, which has no heap; ECHILD: a worker died or did not end; ENOMEM,
 * errno or ACRE_E… of the heap. */
int acre_procs_run(const acre_contender *c, const acre_procs_plan *plan, acre_procs_result *out);

#endif
