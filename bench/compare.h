/* SPDX-License-Identifier: MIT */
/* compare.h: everything against everything: plan, run, merge.
 *
 *     DIR/head.jsonl      what was compared: run, contenders, skipped ones, traces
 *     DIR/plan.jsonl      cells, one a line, in the order in which they run
 *     DIR/images/NAME.img  the traces, ready to replay
 *     DIR/cells/N.json    one result each; those that are there are not run again
 *     DIR/messages.log    what workers said
 *     DIR/results.jsonl   head and results: what the report reads
 *
 * Time is measured one cell at a time; what is not time (fit, timeline) runs on all CPUs. */
#ifndef ACRE_BENCH_COMPARE_H
#define ACRE_BENCH_COMPARE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct acre_compare_options {
    const char *dir;
    const char *command;    /* as typed, for the record */
    const char *algorithms; /* "a,b:x=y,…"; NULL: the default list */
    const char *const *traces;
    size_t n_traces;
    bool quick;
    unsigned blocks; /* 0: default */
    void (*progress)(const char *label, uint64_t done, uint64_t total);
} acre_compare_options;

/* Each returns 0, or a code with *error one ready line. */

/* Makes images, plan and head, and forgets older results in the directory. */
int acre_compare_plan(const acre_compare_options *o, char *error, size_t size);

/* Runs what has no result yet.  EINTR: *interrupted became true; what is done is kept. */
int acre_compare_run(const acre_compare_options *o, const volatile int *interrupted, char *error,
                     size_t size);

/* Writes results.jsonl from the results that are there. */
int acre_compare_merge(const acre_compare_options *o, char *error, size_t size);

#endif
