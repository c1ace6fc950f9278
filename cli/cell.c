/* SPDX-License-Identifier: MIT */
/* cell.c: `acre cell`: run one planned measurement. */
#include "cli/cli.h"

#include "bench/cell.h"

#include <argp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char cell_doc[] =
    "Run one line of a plan (from the argument or standard input) in a fresh process and write "
    "its result, one line of JSON, to the file that the plan names, or to standard output."
    "\vA plan comes from `acre compare --plan-only`.  A result appears whole or not at all, so "
    "any engine may run the lines:\n"
    "  parallel -j1 --pipe -N1 acre cell < plan.jsonl";

static error_t cell_parse_option(int key, char *arg, struct argp_state *state)
{
    const char **line = state->input;
    if (key != ARGP_KEY_ARG || *line)
        return ARGP_ERR_UNKNOWN;
    *line = arg;
    return 0;
}

/* read(), not stdio: nothing more than needed shall lie in this process's heap. */
static const char *cell_read_line(char *text, size_t size)
{
    size_t n = 0;
    ssize_t got;
    while (n < size - 1 && (got = read(STDIN_FILENO, text + n, size - 1 - n)) > 0)
        n += (size_t)got;
    text[n] = '\0';
    text[strcspn(text, "\n")] = '\0';
    return text;
}

int cmd_cell(int argc, char **argv)
{
    static const struct argp argp = {NULL, cell_parse_option, "[LINE]", cell_doc, NULL, NULL, NULL};
    static char text[1 << 16], error[4096];
    const char *line = NULL;
    argp_err_exit_status = CLI_USAGE;
    if (argp_parse(&argp, argc, argv, 0, NULL, &line))
        return CLI_USAGE;
    if (!line)
        line = cell_read_line(text, sizeof text);
    if (acre_cell_prepare(line, error, sizeof error) || acre_cell_run(line, error, sizeof error))
        return cli_fail("%s", error);
    return 0;
}
