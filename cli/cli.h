/* SPDX-License-Identifier: MIT */
/* What the subcommands share. */
#ifndef ACRE_CLI_H
#define ACRE_CLI_H

#include <stdint.h>

/* Exit status: a check failed; bad usage or input. */
enum { CLI_FAILED = 1, CLI_USAGE = 2 };

/* Print "acre: …" on stderr and return CLI_USAGE. */
int cli_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* What option -a names, comma after comma, can be run here: 0, or CLI_USAGE after a message. */
int cli_check_algorithms(const char *list);

/* The command as it was typed, for the record: the caller's to free; NULL: no memory. */
char *cli_command(int argc, char **argv);

/* Show progress of long work on stderr: a bar with time left on a terminal, a plain line every
 * tenth otherwise.  done == total ends it. */
void cli_progress(const char *label, uint64_t done, uint64_t total);

/* An empty file for an image, in /tmp, that also goes when we are interrupted; else the caller removes it.
 * One at a time.  0, or CLI_USAGE after a message. */
int cli_image_file(char path[64]);

int cmd_algorithms(int argc, char **argv);
int cmd_cell(int argc, char **argv);
int cmd_compare(int argc, char **argv);
int cmd_growth(int argc, char **argv);
int cmd_procs(int argc, char **argv);
int cmd_replay(int argc, char **argv);
int cmd_report(int argc, char **argv);
int cmd_segment(int argc, char **argv);
int cmd_sync(int argc, char **argv);
int cmd_report_sync(int argc, char **argv);
int cmd_report_names(int argc, char **argv);
int cmd_trace(int argc, char **argv);
int cmd_tune(int argc, char **argv);

#endif
