/* SPDX-License-Identifier: MIT */
/* What the parts of `acre tune` share. */
#ifndef ACRE_CLI_TUNE_TOOLS_H
#define ACRE_CLI_TUNE_TOOLS_H

#include "bench/tune.h"

#include <jansson.h>
#include <stdbool.h>

typedef struct tune_args {
    const char *algorithm; /* one spec; with params it may have alternatives */
    unsigned classes;      /* 0: as many as the algorithm has */
    uint32_t largest;      /* 0: what the algorithm takes */
    double serve;          /* negative: what the algorithm's classes do */
    double smooth;         /* negative: what is best for left out traces */
    enum acre_tune_weight weight;
    bool sweep, check, params, json, spec_only, png;
    unsigned repeat;
    const char *dir; /* NULL: no pictures */
    char *const *traces;
    size_t n_traces;
    const char *command; /* as it was given */
} tune_args;

/* What was found out about classes. */
typedef struct tune_found {
    acre_tune_limits limits;
    acre_tune_question question;          /* most: of sweep and pictures */
    size_t classes;                       /* of the answer, at most */
    acre_tune_costs *each, all;           /* of each trace; added up */
    acre_tune_table solved[ACRE_CLASSES]; /* [1 … question.most] */
    double *left_out; /* [trace * (question.most + 1) + classes]; NULL: there is one trace */
    double left_out_mean[ACRE_CLASSES]; /* [1 … question.most] */
    char tuned[ACRE_SPEC_MAX];          /* the answer */
} tune_found;

/* ---- tune_measure.c: what replays say ---- */

/* NAN: the trace did not succeed in time. */
typedef struct tune_measured {
    double ns;    /* an operation, warm, least of the repeats; the harness included */
    double s_min; /* smallest segment over peak live */
} tune_measured;

/* Each contender on each trace, to out[trace * n + contender]; turn and turn about.  0, or an exit status
 * after a message. */
int tune_measure(const tune_args *a, const char *const *specs, size_t n, tune_measured *out);

/* Geometric means over the traces of contender i of n: of ns over that of contender 0, and of s_min. */
acre_tune_point tune_mean(const tune_measured *m, size_t traces, size_t n, size_t i);

/* ---- tune_show.c: the table of classes ---- */

void tune_show(const tune_args *a, const tune_found *f);
json_t *tune_json(const tune_args *a, const tune_found *f);

/* ---- tune_check.c, tune_params.c: an exit status ---- */

/* The algorithm's and the tuned classes on the traces; text is printed, JSON added to `o`. */
int tune_check(const tune_args *a, const tune_found *f, json_t *o);
int tune_params(const tune_args *a);

#endif
