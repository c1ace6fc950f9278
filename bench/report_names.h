/* SPDX-License-Identifier: MIT */
/* report_names.h: from what build/acre-bench measured of names (micro/names.c) to two pictures and a table.
 *
 * Reads Google Benchmark's JSON, of which benches named names/WHAT/COUNT/TABLE count, and writes
 *     DIR/data/names.dat      rows: table, what, names, ns (the median of repetitions)
 *     DIR/data/names.svg      the picture, by gnuplot from plots/names.gp */
#ifndef ACRE_BENCH_REPORT_NAMES_H
#define ACRE_BENCH_REPORT_NAMES_H

#include <stdbool.h>
#include <stdio.h>

/* `out`, unless NULL, gets the table; `png`: DIR/data/names.png as well.  0; a positive errno when a file cannot be
 * read or written; EBADMSG when one is damaged or holds no such benchmark.  What went wrong, or what is missing, is
 * acre_report_message().  Without gnuplot there is no picture and the answer is still 0. */
int acre_report_names_write(const char *json, const char *dir, FILE *out, bool png);

#endif
