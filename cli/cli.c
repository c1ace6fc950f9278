/* SPDX-License-Identifier: MIT */
/* cli.c: messages, progress, names of algorithms, the same for every subcommand. */
#include "cli/cli.h"

#include "bench/contender.h"

#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

int cli_fail(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("acre: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    return CLI_USAGE;
}

/* All names before the first run: a slip in the last one is not told after minutes. */
int cli_check_algorithms(const char *list)
{
    acre_contender c;
    char spec[ACRE_SPEC_MAX], reason[512];
    if (!*list)
        return cli_fail("option -a: no algorithm is named");
    while (*list) {
        if (!acre_contender_next(&list, spec))
            return cli_fail("option -a: '%s…' is too long", spec);
        if (acre_contender_explain(&c, spec, reason, sizeof reason))
            return cli_fail("%s", reason);
        if (acre_contender_missing(&c, reason, sizeof reason))
            return cli_fail("%s: %s", spec, reason);
    }
    return 0;
}

char *cli_command(int argc, char **argv)
{
    size_t room = 8;
    for (int i = 0; i < argc; i++)
        room += strlen(argv[i]) + 1;
    char *text = malloc(room), *at = text;
    if (!text)
        return NULL;
    at += sprintf(at, "acre");
    for (int i = 0; i < argc; i++)
        at += sprintf(at, " %s", argv[i]);
    return text;
}

static double cli_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static void cli_bar(const char *label, uint64_t done, uint64_t total, double left)
{
    enum { WIDTH = 32 };
    static const char full[] = "################################";
    int n = (int)(done * WIDTH / total);
    fprintf(stderr, "\r%-16s [%-*.*s] %3u%%  ", label, WIDTH, n, full,
            (unsigned)(done * 100 / total));
    if (done == total)
        fputs("done          \n", stderr);
    else if (done)
        fprintf(stderr, "%2d:%02d left    ", (int)left / 60, (int)left % 60);
    fflush(stderr);
}

static void cli_line(const char *label, uint64_t done, uint64_t total, double left)
{
    static uint64_t said;
    uint64_t tenth = done * 10 / total;
    if (done && tenth == said)
        return;
    said = tenth;
    fprintf(stderr, "%s: %u%%, %.0f s left\n", label, (unsigned)(done * 100 / total), left);
}

void cli_progress(const char *label, uint64_t done, uint64_t total)
{
    static double start;
    if (total == 0)
        return;
    if (done == 0)
        start = cli_now();
    double spent = cli_now() - start;
    double left = done ? spent * (double)(total - done) / (double)done : 0;
    if (isatty(STDERR_FILENO))
        cli_bar(label, done, total, left);
    else
        cli_line(label, done, total, left);
}
