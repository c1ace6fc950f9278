/* SPDX-License-Identifier: MIT */
/* main.c: the `acre` command: one table of subcommands, one file each. */
#include "cli/cli.h"

#include <acre/base.h>
#include <stdio.h>
#include <string.h>

struct command {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *summary;
};

static const struct command commands[] = {
    {"algorithms", cmd_algorithms, "list the memory algorithms and baselines"},
    {"replay", cmd_replay, "replay traces on algorithms and measure"},
    {"tune", cmd_tune, "derive size classes and parameters from traces"},
    {"growth", cmd_growth, "measure alloc + free against the number of live blocks"},
    {"procs", cmd_procs, "let processes work on one heap together and measure"},
    {"compare", cmd_compare, "replay all traces on everything, rank, write the report"},
    {"report", cmd_report, "write the report of a result directory again"},
    {"report-sync", cmd_report_sync, "write the report of what bench-sync measured"},
    {"report-names", cmd_report_names, "draw what acre-bench measured of objects by name"},
    {"cell", cmd_cell, "run one planned measurement (what compare runs many of)"},
    {"segment", cmd_segment, "list, show, verify, mend and remove segments"},
    {"sync", cmd_sync, "list, show and remove locks and queues that have a name"},
    {"trace", cmd_trace, "record, import, export and describe traces"},
};
enum { COMMANDS = sizeof commands / sizeof *commands };

static void usage(FILE *to)
{
    fputs("Usage: acre COMMAND [OPTION…]\n\n", to);
    for (int i = 0; i < COMMANDS; i++)
        fprintf(to, "  %-12s %s\n", commands[i].name, commands[i].summary);
    fputs("\nacre COMMAND --help tells more.  Exit status: 0 done, 1 a check failed, "
          "2 bad usage or input.\n",
          to);
}

int main(int argc, char **argv)
{
    if (argc < 2) {
        usage(stderr);
        return CLI_USAGE;
    }
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "help") == 0)
        return usage(stdout), 0;
    if (strcmp(argv[1], "--version") == 0)
        return printf("acre %s\n", acre_version()), 0;
    for (int i = 0; i < COMMANDS; i++)
        if (strcmp(argv[1], commands[i].name) == 0)
            return commands[i].run(argc - 1, argv + 1);
    return cli_fail("no command '%s'; acre --help lists them", argv[1]);
}
