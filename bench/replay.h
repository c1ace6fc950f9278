/* SPDX-License-Identifier: MIT */
/* replay.h: running an image on a contender. */
#ifndef ACRE_BENCH_REPLAY_H
#define ACRE_BENCH_REPLAY_H

#include "bench/contender.h"
#include "bench/image.h"

#include <stdbool.h>

enum acre_replay_status {
    ACRE_REPLAY_OK,
    ACRE_REPLAY_STOPPED, /* the time allowed was over */
    ACRE_REPLAY_FAILED   /* an allocation failed, or a check */
};

const char *acre_replay_status_name(enum acre_replay_status s);

/* "none", "line", "page", "full", or -1. */
int acre_touch_parse(const char *name);
const char *acre_touch_name(int touch);

/* An image on a heap -------------------------------------------------------------------------- */

typedef struct acre_replay {
    const acre_image *image;
    const acre_contender *contender;
    const acre_engine *engine;
    acre_tape tape;
    char *memory; /* the segment; mallocs do not use it */
    size_t bytes;
    size_t at; /* entries [0, at) have been replayed on the heap */
} acre_replay;

/* A size that every sound algorithm can serve the image in. */
size_t acre_replay_room(const acre_image *m);

/* Prepares slots and a fresh heap of `bytes`.  0, errno or ACRE_E…; ENOSYS: not installed. */
int acre_replay_open(acre_replay *r, const acre_image *m, const acre_contender *c, size_t bytes);

/* A fresh heap of `bytes` (not above those of open) in the same memory.  Segments only: a malloc's
 * heap cannot be thrown away. */
int acre_replay_reopen(acre_replay *r, size_t bytes);

/* Throws a segment away; gives a malloc back what is live. */
void acre_replay_close(acre_replay *r);

/* An image on a heap that is somebody else's, and that others use as well: slots only.  ENOMEM. */
int acre_replay_borrow(acre_replay *r, const acre_image *m, const acre_contender *c, void *heap);

/* Frees what of the image is live on it. */
void acre_replay_give_back(acre_replay *r);

/* Where one pass has come. */
typedef struct acre_pass {
    enum acre_replay_status status;
    size_t entry; /* where it stands: n_entries if ok, the failed one if failed */
    uint64_t ns;
} acre_pass;

/* Replays entries [begin, end) until `deadline` (acre_lab_now_ns()'s; 0 = none). */
acre_pass acre_replay_run(acre_replay *r, size_t begin, size_t end, int touch, uint64_t deadline);

/* Frees what is live at the end of the trace. */
void acre_replay_drain(acre_replay *r);

/* Part of the operations that lie before `entry`. */
double acre_replay_share(const acre_image *m, size_t entry);

/* Measuring time ------------------------------------------------------------------------------ */

typedef struct acre_timing_plan {
    int touch;
    unsigned warm;      /* passes on the emptied heap, at most ACRE_WARM_MAX */
    uint64_t budget_ns; /* for all passes; 0 = none */
    uint64_t enough_ns; /* no further warm pass once they took so long together; 0 = none */
    bool reach;         /* spend a further pass if the heap does not tell its high water */
} acre_timing_plan;

enum { ACRE_WARM_MAX = 64 };

typedef struct acre_timing {
    enum acre_replay_status status;
    double share;                /* of the cold pass that was done */
    double cold, warm, warm_min; /* ns per operation; warm is the median; 0 = not reached */
    unsigned passes;             /* warm ones that were done */
    uint64_t peak_used;          /* high water of the segment, or growth of resident memory; 0 =
                                    not measured */
    uint64_t peak_resident;      /* growth in the cold pass */
    uint64_t minor_faults;       /* of the cold pass */
    uint64_t failed_entry;
} acre_timing;

/* One cold pass on a fresh heap, then warm passes.  0, or why the heap could not be made. */
int acre_replay_time(const acre_image *m, const acre_contender *c, const acre_timing_plan *plan,
                     acre_timing *out);

/* Measuring room ------------------------------------------------------------------------------ */

typedef struct acre_fit {
    enum acre_replay_status status;
    bool resident;   /* s_min is the growth of resident memory: the contender has no segment */
    uint64_t s_min;  /* 0 if not found */
    uint64_t enough; /* smallest size that has been seen to suffice, 0 = none */
    double share;    /* of the work done before it was stopped */
    unsigned tries;
} acre_fit;

/* The smallest segment, header and journal included, in which the whole trace succeeds, to 0.4 %:
 * the next three sizes of the grid succeed too, the one below fails. */
int acre_replay_fit(const acre_image *m, const acre_contender *c, uint64_t budget_ns,
                    acre_fit *out);

/* The i-th size of the grid for a trace with this peak: peak * 1.004^i, in steps of 64. */
uint64_t acre_fit_grid(uint64_t peak_live, unsigned i);

/* Operation by operation ---------------------------------------------------------------------- */

/* One operation of a walk, seen when it is done; `before` sees it with fresh = NULL. */
typedef struct acre_walk_event {
    size_t entry;
    uint64_t op; /* its number in the trace, from 0 */
    uint32_t slot;
    uint8_t kind;            /* enum acre_image_kind */
    uint64_t align;          /* asked for, 1 if none */
    char *old, *fresh;       /* block that ends, block that begins; NULL: none */
    uint64_t old_size, size; /* bytes asked for */
    uint64_t live;           /* bytes asked for and live, after it */
} acre_walk_event;

/* Anything but 0 ends the walk. */
typedef int acre_walk_visit(void *arg, const acre_walk_event *e);

/* Replays through single calls.  `before` (may be NULL) is called ahead of each operation that
 * ends a block, `after` behind each.  The drain is part of it. */
acre_pass acre_replay_walk(acre_replay *r, acre_walk_visit *before, acre_walk_visit *after,
                           void *arg, uint64_t deadline);

/* *end: bytes up to the end of the furthest block that the trace gets: the high water of heaps that
 * do not tell it. */
acre_pass acre_replay_reach(acre_replay *r, uint64_t deadline, uint64_t *end);

typedef struct acre_verify {
    enum acre_replay_status status;
    uint64_t op;    /* where it went wrong */
    char what[160]; /* and how; "" = nothing */
} acre_verify;

/* Every block is filled by its serial over all of its size, and looked at when it ends or moves;
 * alignment, overlap and bounds are checked.  One cold and one warm pass. */
int acre_replay_verify(const acre_image *m, const acre_contender *c, acre_verify *out);

enum { ACRE_TIMELINE_POINTS = 400 };

typedef struct acre_timeline {
    enum acre_replay_status status;
    size_t points;
    uint64_t op[ACRE_TIMELINE_POINTS + 2], live[ACRE_TIMELINE_POINTS + 2],
        used[ACRE_TIMELINE_POINTS + 2];
} acre_timeline;

/* Live bytes and bytes held, over the trace. */
int acre_replay_timeline(const acre_image *m, const acre_contender *c, uint64_t budget_ns,
                         acre_timeline *out);

/* Measuring single operations ------------------------------------------------------------------ */

enum { ACRE_LATENCY_POINTS = 5, ACRE_LATENCY_PASSES = 7, ACRE_LATENCY_CURVE = 23 };

typedef struct acre_latency {
    enum acre_replay_status status;
    double measured[ACRE_LATENCY_POINTS]; /* ns: p50, p99, p99.9, p99.99, max; of one warm pass */
    double least[ACRE_LATENCY_POINTS];    /* of each operation's least over all warm passes */
    /* The part of operations that takes longer than curve_…: 1, 0.5, 0.2, 0.1, 0.05, …; the worst last. */
    double tail[ACRE_LATENCY_CURVE], curve_measured[ACRE_LATENCY_CURVE],
        curve_least[ACRE_LATENCY_CURVE];
    size_t points;
    double clock_ns; /* what reading the clock cost; taken off already */
    unsigned passes;
} acre_latency;

/* 0, or why the heap could not be made.  All numbers are 0 unless status is ok. */
int acre_replay_latency(const acre_image *m, const acre_contender *c, uint64_t budget_ns,
                        acre_latency *out);

/* Measuring what lock and journal cost --------------------------------------------------------- */

enum {
    ACRE_SAFETY_BARE,        /* no lock, no journal */
    ACRE_SAFETY_JOURNAL,     /* the journal alone */
    ACRE_SAFETY_SPIN,        /* spin lock and journal */
    ACRE_SAFETY_ROBUST,      /* robust lock and journal */
    ACRE_SAFETY_ROBUST_ONLY, /* robust lock without journal */
    ACRE_SAFETY_STEPS
};
enum { ACRE_SAFETY_ROUNDS = 12 };

typedef struct acre_safety {
    enum acre_replay_status status;
    double ns[ACRE_SAFETY_STEPS]; /* per operation, warm, the least of the rounds */
    unsigned rounds;              /* whole ones that were done */
} acre_safety;

/* "bare", "journal", …: names in results; NULL: past the end. */
const char *acre_safety_step_name(size_t step);

/* All steps of one of acre's algorithms (its other options are kept), taking turns.  0; ENOTSUP: no
 * algorithm of acre's; or why a heap could not be made. */
int acre_replay_safety(const acre_image *m, const acre_contender *c, uint64_t budget_ns,
                       acre_safety *out);

/* Measuring the cost of having many blocks ----------------------------------------------------- */

typedef struct acre_live_cost {
    enum acre_replay_status status;
    double ns_per_op; /* of one free and one allocation together */
} acre_live_cost;

/* `live` blocks of mixed sizes; again and again a random one is freed and another allocated. */
int acre_replay_live_cost(const acre_contender *c, uint64_t live, uint64_t budget_ns,
                          acre_live_cost *out);

#endif
