/* SPDX-License-Identifier: MIT */
/* pattern.h: what the patterns of `acre procs` share, and each of them.
 *
 * A pattern works in chunks, one at least, between two looks at the board, and frees everything at the end.
 * What a worker keeps its own blocks in lies in its own memory (w->own, present before the clock starts); what
 * it hands on goes through a lane to its neighbour, as a distance from the heap's base, which each process
 * has elsewhere.
 *
 * Every pattern is written anew, after the paper or the program that its comment names, with the parameters
 * that are in use there; where it is another here, the comment says how and why.  What is common to all: time
 * ends a run, not a count; a worker is a process or a thread; of a new block one byte in each of its pages is
 * written. */
#ifndef ACRE_BENCH_PATTERNS_PATTERN_H
#define ACRE_BENCH_PATTERNS_PATTERN_H

#include "bench/procs_internal.h"

enum { PATTERN_CHUNK = 256 /* operations between two looks at the board */ };

/* ---- slots: a place for a block of one's own ---- */

typedef struct pattern_slot {
    void *p;
    size_t size;
} pattern_slot;

static inline void pattern_replace(procs_worker *w, pattern_slot *s, size_t size)
{
    procs_free(w, s->p, s->size);
    *s = (pattern_slot){procs_alloc(w, size), size};
}

static inline void pattern_empty(procs_worker *w, pattern_slot *s)
{
    procs_free(w, s->p, s->size);
    s->p = NULL;
}

static inline void pattern_clear(procs_worker *w, pattern_slot *s, size_t n)
{
    for (size_t i = 0; i < n; i++)
        pattern_empty(w, &s[i]);
}

/* ---- numbers ---- */

static inline size_t pattern_between(procs_worker *w, size_t least, size_t most)
{
    return least + procs_below(w, most - least + 1);
}

/* From 0 up to, not including, 1. */
static inline double pattern_unit(procs_worker *w)
{
    return (double)(acre_lab_random(&w->random) >> 11) * 0x1p-53;
}

static inline bool pattern_chance(procs_worker *w, uint64_t of_thousand)
{
    return procs_below(w, 1000) < of_thousand;
}

/* ---- handing on (pattern_lane.c) ---- */

/* To the neighbour; *at counts what was given, from 0.  False: its lane is full. */
bool pattern_give(procs_worker *w, uint32_t *at, pattern_slot s);
/* What a neighbour gave; p is NULL: nothing.  Whoever frees it counts it off. */
pattern_slot pattern_get(procs_worker *w, uint32_t *at);
/* The slot's block to the neighbour; if its lane is full it is freed here.  The slot is empty then. */
void pattern_give_slot(procs_worker *w, pattern_slot *s, uint32_t *at);
/* Frees up to n blocks that neighbours gave. */
void pattern_take(procs_worker *w, uint32_t *at, size_t n);
/* This worker hands nothing on any more; waits until that is so for all, and frees what it is given. */
void pattern_drain(procs_worker *w, uint32_t *in);

/* ---- the patterns, each in its file ---- */

size_t pattern_random_room(const procs_worker *w);
void pattern_random_work(procs_worker *w);

void pattern_scalability_work(procs_worker *w);

size_t pattern_threadtest_room(const procs_worker *w);
void pattern_threadtest_work(procs_worker *w);

size_t pattern_larson_room(const procs_worker *w);
void pattern_larson_work(procs_worker *w);

void pattern_xmalloc_work(procs_worker *w);

void pattern_thrash_work(procs_worker *w);
void pattern_scratch_work(procs_worker *w);

size_t pattern_mstress_room(const procs_worker *w);
void pattern_mstress_work(procs_worker *w);

size_t pattern_rptest_room(const procs_worker *w);
void pattern_rptest_work(procs_worker *w);

size_t pattern_shbench_room(const procs_worker *w);
void pattern_sh6_work(procs_worker *w);
void pattern_sh8_work(procs_worker *w);

size_t pattern_alloc_test_room(const procs_worker *w);
void pattern_alloc_test_work(procs_worker *w);

size_t pattern_pmdk_room(const procs_worker *w);
void pattern_pmdk_work(procs_worker *w);

size_t pattern_fleet_room(const procs_worker *w);
void pattern_fleet_prepare(procs_worker *w);
void pattern_fleet_work(procs_worker *w);

/* What lives in the fleet: sizes, how often one is allocated, how many live on average. */
typedef struct pattern_fleet_class {
    uint32_t size; /* bytes */
    double births; /* of a million allocations */
    double live;   /* in the whole heap */
} pattern_fleet_class;

extern const pattern_fleet_class pattern_fleet_classes[];
extern const size_t pattern_fleet_n_classes;

#endif
