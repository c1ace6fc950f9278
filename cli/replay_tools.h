/* SPDX-License-Identifier: MIT */
/* What the ways of `acre replay` share. */
#ifndef ACRE_CLI_REPLAY_TOOLS_H
#define ACRE_CLI_REPLAY_TOOLS_H

#include "cli/cli.h"

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

typedef struct replay_args {
    const char *algorithms;
    unsigned repeat, warm, procs, threads;
    const char *touch;
    double budget;
    bool fit, verify, latency, json;
    bool together;     /* one trace for all workers: … */
    const char *split; /* "auto", "threads" or "objects" */
    unsigned cross;    /* percent */
    int64_t lead;      /* operations; -1: no limit */
    char **traces;
    int n_traces;
    char image[64];
    bool failed; /* some check */
} replay_args;

double replay_real(const json_t *o, const char *key);
void replay_print_number(double x, int width, int digits); /* "-" if it is 0 */
/* A line of JSON, without its kind. */
void replay_print_json(json_t *run);

/* ---- replay_together.c ---- */

void replay_together_header(void);
/* Every algorithm on the trace, whose image is made.  0, or an exit status. */
int replay_together(replay_args *a, const char *file);

#endif
