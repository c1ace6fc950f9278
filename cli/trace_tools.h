/* SPDX-License-Identifier: MIT */
/* trace_tools.h: the parts of `acre trace`, one file each. */
#ifndef ACRE_CLI_TRACE_TOOLS_H
#define ACRE_CLI_TRACE_TOOLS_H

#include "traces/trace.h"

int cmd_trace_record(int argc, char **argv);
int cmd_trace_import(int argc, char **argv);
int cmd_trace_export(int argc, char **argv);
int cmd_trace_info(int argc, char **argv);
int cmd_trace_cut(int argc, char **argv);

/* How an archive is written: times in units of tick_ns (0 = none), zstd level (0 = default). */
typedef struct trace_writing {
    uint64_t tick_ns, level;
} trace_writing;

/* Converts any trace to an archive.  On success *info (may be NULL) gets the totals of the
 * archive; its META is not filled. */
int trace_convert(const char *in, const char *out, const trace_writing *how, acre_trace_info *info,
                  acre_trace_error *e);

/* Parses --tick or --level into *how; NULL, or what is wrong. */
const char *trace_parse_writing(int key, const char *arg, trace_writing *how);

/* Prints "FILE: N operations, …" on one line. */
void trace_print_line(const char *path, const acre_trace_info *info);

/* Parses a number with an optional suffix k, M, G (decimal): false if it is none. */
bool trace_parse_number(const char *text, uint64_t *value);

#endif
