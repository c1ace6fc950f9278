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

#endif
