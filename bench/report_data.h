/* SPDX-License-Identifier: MIT */
/* Writing one data file of the report. */
#ifndef ACRE_BENCH_REPORT_DATA_H
#define ACRE_BENCH_REPORT_DATA_H

#include "bench/report_model.h"

typedef struct data_file {
    FILE  *out;
    size_t rows;            /* counted by the writer; a file without rows is removed */
    char   path[4096];
} data_file;

/* DIR/data/NAME.dat with its header lines.  0 or errno, told by acre__report_say. */
int  acre__data_open(const report_model *m, data_file *f, const char *name, const char *columns);
int  acre__data_close(data_file *f);
/* A name as one word for gnuplot. */
void acre__data_word(FILE *out, const char *name);
/* " 1.5", or " ?" if it is not finite. */
void acre__data_number(FILE *out, double value);

#endif
