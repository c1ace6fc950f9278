/* SPDX-License-Identifier: MIT */
/* acre report DIR: the page, the pictures and the ranking of results that lie in DIR. */
#include "bench/report.h"
#include "cli/cli.h"

#include <argp.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>

typedef struct report_arguments {
    const char *dir, *crash;
    bool quiet, png;
} report_arguments;

static error_t report_parse(int key, char *arg, struct argp_state *state)
{
    report_arguments *a = state->input;

    switch (key) {
    case 'q':
        a->quiet = true;
        return 0;
    case 'k':
        a->crash = arg;
        return 0;
    case 'p':
        a->png = true;
        return 0;
    case ARGP_KEY_ARG:
        if (a->dir)
            argp_error(state, "one directory at a time: %s", arg);
        a->dir = arg;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "which directory?");
        return 0;
    }
    return ARGP_ERR_UNKNOWN;
}

int cmd_report(int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"crash", 'k', "FILE", 0, "results of `make crash` (DIR/../crash.json if that is there)", 0},
        {"png", 'p', NULL, 0, "draw the pictures as DIR/data/NAME.png, too", 0},
        {"quiet", 'q', NULL, 0, "do not print the ranking", 0},
        {0},
    };
    static const struct argp argp = {
        .options = options,
        .parser = report_parse,
        .args_doc = "DIR",
        .doc = "Read DIR/results.jsonl; write DIR/index.html, the data and the pictures; print "
               "the ranking.\vThe page is one file without references to outside.  Scripts and "
               "style are read from $ACRE_DATADIR if it is set.",
    };
    report_arguments arguments = {0};
    int error;

    argp_err_exit_status = CLI_USAGE;
    argp_parse(&argp, argc, argv, 0, NULL, &arguments);
    error = acre_report_write_crash(arguments.dir, arguments.crash,
                                    arguments.quiet ? NULL : stdout);
    if (error)
        return cli_fail("%s", acre_report_message());
    if (*acre_report_message())
        fprintf(stderr, "acre: %s\n", acre_report_message());
    if (arguments.png && acre_report_draw_png(arguments.dir))
        return cli_fail("%s", acre_report_message());
    return 0;
}
