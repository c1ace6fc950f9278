/* SPDX-License-Identifier: MIT */
/* cell_internal.h: what the engines of cells share. */
#ifndef ACRE_BENCH_CELL_INTERNAL_H
#define ACRE_BENCH_CELL_INTERNAL_H

#include "bench/contender.h"
#include "bench/replay.h"

#include <jansson.h>

typedef struct cell {
    json_t *plan;
    acre_contender contender;
    char *error;
    size_t error_size;
} cell;

/* The error's line.  EINVAL. */
int cell_fail(cell *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* The line for an error of making a heap. */
int cell_cannot(cell *c, int e);

/* Of the plan: NULL, or 0, if it is not there. */
const char *cell_text(const cell *c, const char *key);
uint64_t cell_number(const cell *c, const char *key);
uint64_t cell_budget_ns(const cell *c);

/* To the result. */
void cell_set_integer(json_t *o, const char *key, uint64_t n);
void cell_set_text(json_t *o, const char *key, const char *text);
void cell_set_real(json_t *o, const char *key, double x); /* left out if it is 0 */
void cell_set_status(json_t *o, enum acre_replay_status s);
void cell_copy(const cell *c, json_t *o, const char *key); /* from the plan */
json_t *cell_array(const uint64_t *x, size_t n);

/* ---- cell_together.c ---- */

int cell_together(cell *c, const acre_image *m, json_t *o);

#endif
