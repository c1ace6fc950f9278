/* SPDX-License-Identifier: MIT */
/* acre report-sync FILE: the page and the pictures of what bench-sync measured. */
#include "bench/report_sync.h"
#include "bench/report.h"
#include "cli/cli.h"

#include <argp.h>
#include <stdbool.h>
#include <stdio.h>

typedef struct report_sync_arguments {
    const char *json, *kills, *dir;
    bool quiet, png;
} report_sync_arguments;

static error_t report_sync_parse(int key, char *arg, struct argp_state *state)
{
    report_sync_arguments *a = state->input;

    switch (key) {
    case 'o':
        a->dir = arg;
        return 0;
    case 'k':
        a->kills = arg;
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

int cmd_report_sync(int argc, char **argv)
{
    static const struct argp_option options[] = {
        {"output", 'o', "DIR", 0, "where the page goes (build/report)", 0},
        {"kills", 'k', "FILE", 0, "results of the tests that kill (build/release/sync-kills.json)",
         0},
        {"png", 'p', NULL, 0, "draw the pictures as DIR/data/sync-NAME.png, too", 0},
        {"quiet", 'q', NULL, 0, "do not print the aims", 0},
        {0},
    };
    static const struct argp argp = {
        .options = options,
        .parser = report_sync_parse,
        .args_doc = "FILE",
        .doc =
            "Read what bench-sync wrote with --benchmark_out=FILE; write DIR/sync.html, the data "
            "and the pictures; print what was aimed at and what was reached.",
    };
    report_sync_arguments a = {.kills = "build/release/sync-kills.json", .dir = "build/report"};

    argp_err_exit_status = CLI_USAGE;
    argp_parse(&argp, argc, argv, 0, NULL, &a);
    if (acre_report_sync_write(a.json, a.kills, a.dir, a.quiet ? NULL : stdout))
        return cli_fail("%s", acre_report_message());
    if (*acre_report_message())
        fprintf(stderr, "acre: %s\n", acre_report_message());
    if (a.png && acre_report_sync_draw_png(a.dir))
        return cli_fail("%s", acre_report_message());
    return 0;
}
