/* SPDX-License-Identifier: MIT */
/* report_names_model.h: what report_names*.c share: one row a table, and what was measured of it. */
#ifndef ACRE_BENCH_REPORT_NAMES_MODEL_H
#define ACRE_BENCH_REPORT_NAMES_MODEL_H

#include "bench/report_page.h"

enum { NAMES_TABLES = 16, NAMES_WHATS = 4, NAMES_COUNTS = 8, NAMES_REPETITIONS = 64 };

/* names 0: nothing. */
typedef struct names_cell {
    double names, rate[NAMES_REPETITIONS]; /* items a second */
    size_t n;
} names_cell;

typedef struct names_row {
    char table[48];
    names_cell cell[NAMES_WHATS][NAMES_COUNTS]; /* in the order of the file */
} names_row;

typedef struct names_model {
    const char *file;
    names_row row[NAMES_TABLES];
    size_t n;
} names_model;

enum { NAMES_FIND, NAMES_COME_AND_GO, NAMES_BY_1, NAMES_BY_2 };
extern const char *const acre__names_what[NAMES_WHATS];

/* The median of its repetitions; NaN: there are none. */
double acre__names_rate(const names_cell *c);

void acre__names_table(FILE *out, const names_model *m);

#endif
