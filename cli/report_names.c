/* SPDX-License-Identifier: MIT */
/* acre report-names FILE: a table and a picture of what acre-bench measured of objects by name. */
#include "bench/report_names.h"
#include "bench/report.h"
#include "cli/cli.h"

#include <argp.h>

typedef struct report_names_arguments {
    const char *json, *dir;
    bool quiet, png;
} report_names_arguments;

static error_t report_names_parse(int key, char *arg, struct argp_state *state)
{
    report_names_arguments *a = state->input;
    switch (key) {
    case 'o':
        a->dir = arg;
        return 0;
    case 'q':
        a->quiet = true;
        return 0;
    case 'p':
        a->png = true;
        return 0;
    case ARGP_KEY_ARG:
        if (a->json)
            argp_error(state, "one file at a time: %s", arg);
        a->json = arg;
        return 0;
    case ARGP_KEY_NO_ARGS:
        argp_error(state, "which file?");
        return 0;
    }
    return ARGP_ERR_UNKNOWN;
}

int cmd_report_names(int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"output", 'o', "DIR", 0, "where data and picture go, into DIR/data (build/report)", 0},
        {"png", 'p', NULL, 0, "draw DIR/data/names.png, too", 0},
        {"quiet", 'q', NULL, 0, "do not print the table", 0},
        {0},
    };
    static const struct argp argp = {
        .options = options,
        .parser = report_names_parse,
        .args_doc = "FILE",
        .doc =
            "Read what acre-bench --benchmark_filter=names wrote with --benchmark_out=FILE; draw "
            "DIR/data/names.svg; print the times beside Boost's and std::unordered_map's.  `make "
            "names` does all "
            "of it.",
    };
    report_names_arguments a = {.dir = "build/report"};

    argp_err_exit_status = CLI_USAGE;
    argp_parse(&argp, argc, argv, 0, NULL, &a);
    if (acre_report_names_write(a.json, a.dir, a.quiet ? NULL : stdout, a.png))
        return cli_fail("%s", acre_report_message());
    if (*acre_report_message())
        fprintf(stderr, "acre: %s\n", acre_report_message());
    return 0;
}
