/* SPDX-License-Identifier: MIT */
/* procs_keep.c: results of `acre procs` in a directory, with pictures.  Lines go to a file with another name as
 * they come, so that an interrupted command leaves what it has measured and spoils nothing older. */
#include "cli/procs_tools.h"

#include "bench/fingerprint.h"
#include "bench/report.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

enum { KEEP_PATH = 4096 };

struct procs_keep {
    const char *dir;
    FILE *out;
    char part[KEEP_PATH], path[KEEP_PATH];
};

static json_t *keep_run_line(int argc, char **argv)
{
    char date[64], *command = cli_command(argc, argv);
    time_t now = time(NULL);
    struct tm t;
    strftime(date, sizeof date, "%Y-%m-%dT%H:%M:%S%z", localtime_r(&now, &t));
    json_t *line = json_pack("{s:s, s:s, s:s, s:s, s:o}", "kind", "run", "command",
                             command ? command : "acre procs", "date", date, "commit",
                             acre_fingerprint_commit(), "fingerprint", acre_fingerprint());
    free(command);
    return line;
}

static int keep_fail(procs_keep *k, const char *path)
{
    int status = cli_fail("%s: %s", path, strerror(errno));
    if (k->out)
        fclose(k->out);
    free(k);
    return status;
}

int procs_keep_begin(procs_keep **keep, const char *dir, int argc, char **argv)
{
    procs_keep *k = calloc(1, sizeof *k);
    if (!k)
        return cli_fail("out of memory");
    k->dir = dir;
    snprintf(k->path, sizeof k->path, "%s/procs.jsonl", dir);
    snprintf(k->part, sizeof k->part, "%s/procs.jsonl.part", dir);
    if (mkdir(dir, 0777) && errno != EEXIST)
        return keep_fail(k, dir);
    if (!(k->out = fopen(k->part, "we")))
        return keep_fail(k, k->part);
    json_t *line = keep_run_line(argc, argv);
    procs_keep_add(k, line);
    json_decref(line);
    *keep = k;
    return 0;
}

void procs_keep_add(procs_keep *k, json_t *result)
{
    if (!k)
        return;
    json_dumpf(result, k->out, JSON_COMPACT);
    fputc('\n', k->out);
    fflush(k->out);
}

static int keep_report(const procs_keep *k, bool png)
{
    if (acre_report_procs_write(k->dir))
        return cli_fail("%s", acre_report_message());
    if (*acre_report_message())
        cli_fail("%s", acre_report_message());
    if (png && acre_report_procs_draw_png(k->dir))
        return cli_fail("%s", acre_report_message());
    fprintf(stderr, "acre: see %s/procs.html\n", k->dir);
    return 0;
}

int procs_keep_end(procs_keep *k, int error, bool png)
{
    if (!k)
        return error;
    bool bad = ferror(k->out) != 0;
    bad |= fclose(k->out) != 0;
    k->out = NULL;
    if (error) {
        cli_fail("what was measured is in %s", k->part);
    } else if (bad || rename(k->part, k->path) != 0) {
        return keep_fail(k, k->path);
    } else {
        error = keep_report(k, png);
    }
    free(k);
    return error;
}
