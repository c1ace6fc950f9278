/* SPDX-License-Identifier: MIT */
/* What `acre procs` and `acre replay --procs` share. */
#ifndef ACRE_CLI_PROCS_TOOLS_H
#define ACRE_CLI_PROCS_TOOLS_H

#include "cli/cli.h"

#include <jansson.h>
#include <stdbool.h>

void procs_show_header(const char *what);

/* One result as a line of the table, or as JSON.  False: the heap was not sound. */
bool procs_show(json_t *result, const char *what, bool json);

/* ---- procs_keep.c: what `acre procs -o DIR` leaves in DIR ---- */

typedef struct procs_keep procs_keep;

/* Begins DIR/procs.jsonl.part; DIR is made if its parent is there.  0 with *k, or CLI_USAGE after a message. */
int procs_keep_begin(procs_keep **k, const char *dir, int argc, char **argv);
/* One more line.  k may be NULL: nothing is kept. */
void procs_keep_add(procs_keep *k, json_t *result);
/* The file gets its name, and the pictures and the page are made of it; `png`: pictures as PNG, too.  An earlier
 * error leaves the file as it is.  Answers an exit status. */
int procs_keep_end(procs_keep *k, int error, bool png);

#endif
