/* SPDX-License-Identifier: MIT */
/* report_sync.h: from what build/bench-sync measured to one page.
 *
 * Reads Google Benchmark's JSON, with benches named PRIMITIVE/CASE/IMPLEMENTATION, and writes
 *     DIR/data/sync-NAME.dat   the numbers behind each picture
 *     DIR/data/sync-NAME.svg   the pictures, by gnuplot from plots/sync-NAME.gp
 *     DIR/sync.html            one self-contained page: what was aimed at, tables, pictures, kills
 * Every judgement on the page is computed from the numbers. */
#ifndef ACRE_BENCH_REPORT_SYNC_H
#define ACRE_BENCH_REPORT_SYNC_H

#include <stdio.h>

/* `kills`: what the crash tests left (sync-kills.json); need not exist.  `summary`, unless NULL,
 * gets the aims as plain text.  0; a positive errno when a file cannot be read or written; EBADMSG
 * when one is damaged or holds no benchmark.  What went wrong, or what is missing, is
 * acre_report_message().  Without gnuplot the page has no pictures and the answer is still 0. */
int acre_report_sync_write(const char *json, const char *kills, const char *dir, FILE *summary);

/* The pictures as DIR/data/sync-NAME.png as well.  0, ENOENT, or another errno. */
int acre_report_sync_draw_png(const char *dir);

#endif
