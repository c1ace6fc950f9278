/* SPDX-License-Identifier: MIT */
/* From results to an answer: ranking, data files, pictures, one page.
 *
 * Reads DIR/results.jsonl (one JSON object a line; its kinds are in plots/README.md) and writes
 *     DIR/data/NAME.dat    the numbers behind each picture
 *     DIR/data/NAME.svg    the pictures, by gnuplot from plots/NAME.gp
 *     DIR/index.html       one self-contained page with all of it
 * Not safe to call for one directory from two processes at once. */
#ifndef ACRE_BENCH_REPORT_H
#define ACRE_BENCH_REPORT_H

#include <stdio.h>

/* Writes the whole report of `dir`, and the ranking as plain text to `summary` unless NULL.
 * 0; a positive errno when a file cannot be read or written; EBADMSG when results.jsonl is
 * damaged or holds nothing to rank.  Without gnuplot, or without the plots folder, the page is
 * written without pictures and the answer is still 0.  Never prints anything else: what went
 * wrong, or what is missing, is acre_report_message(). */
int acre_report_write(const char *dir, FILE *summary);

/* The same with the crash laboratory's table in the file `crash`, which must be there.  NULL, as above:
 * with DIR/../crash.json if that is there. */
int acre_report_write_crash(const char *dir, const char *crash, FILE *summary);

/* Draws the pictures of a report that has been written as DIR/data/NAME.png as well, on white and
 * twice as large, for a README.  0; ENOENT without the plots folder or gnuplot, or another errno,
 * with acre_report_message(). */
int acre_report_draw_png(const char *dir);

/* Reads DIR/procs.jsonl, which `acre procs -o DIR` has written, and writes DIR/procs.html, the data and the
 * pictures of it.  0; a positive errno; EBADMSG when the file is damaged or empty.  Without gnuplot as above. */
int acre_report_procs_write(const char *dir);

/* The same pictures as DIR/data/NAME.png; answers as acre_report_draw_png. */
int acre_report_procs_draw_png(const char *dir);

/* One line about the last call of the above in this thread, "FILE:LINE: what" where it
 * concerns a line; "" if there is nothing to say.  Valid until the next call. */
const char *acre_report_message(void);

#endif
