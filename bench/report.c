/* SPDX-License-Identifier: MIT */
/* The report, step by step: load, rank, compare with the original, data files, pictures, page,
 * summary. */
#include "bench/report.h"
#include "bench/report_model.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static _Thread_local char report_message[1024];

const char *acre_report_message(void)
{
    return report_message;
}

int acre__report_say(int error, const char *format, ...)
{
    va_list args;

    va_start(args, format);
    vsnprintf(report_message, sizeof report_message, format, args);
    va_end(args);
    return error;
}

/* Where `make install` puts the scripts: beside the folder of the program. */
static const char *report_installed_datadir(void)
{
    static _Thread_local char dir[4096];
    ssize_t n = readlink("/proc/self/exe", dir, sizeof dir - 1);

    dir[n > 0 ? n : 0] = '\0';
    if (!strrchr(dir, '/'))
        return NULL;
    *strrchr(dir, '/') = '\0';
    n = (ssize_t)strlen(dir);
    snprintf(dir + n, sizeof dir - (size_t)n, "/../lib/acre/plots");
    return dir;
}

/* ACRE_DATADIR at run time wins over the one built in, so that a report can be made with changed
 * scripts; an installed program may have lost the tree that it was built in. */
const char *acre__report_datadir(void)
{
    const char *dir = getenv("ACRE_DATADIR");

    if (dir && *dir)
        return dir;
#ifdef ACRE_DATADIR
    if (access(ACRE_DATADIR "/style.gp", R_OK) == 0)
        return ACRE_DATADIR;
#endif
    return report_installed_datadir();
}

char *acre__report_slurp(const char *path, size_t *size)
{
    FILE *in = fopen(path, "r");
    char *text = NULL;
    size_t room = 0;
    ssize_t n;

    if (!in)
        return NULL;
    n = getdelim(&text, &room, '\0', in);
    fclose(in);
    if (n < 0) {
        free(text);
        return calloc(1, 1);
    }
    if (size)
        *size = (size_t)n;
    return text;
}

int acre__report_load_json(const char *file, json_t **root)
{
    json_error_t wrong;
    FILE *in = fopen(file, "r");
    if (!in)
        return acre__report_say(errno, "%s: %s", file, strerror(errno));
    *root = json_loadf(in, 0, &wrong);
    fclose(in);
    if (!*root)
        return acre__report_say(EBADMSG, "%s:%d: %s", file, wrong.line, wrong.text);
    return 0;
}

static int report_make_one(const char *path)
{
    if (mkdir(path, 0777) && errno != EEXIST)
        return acre__report_say(errno, "%s: %s", path, strerror(errno));
    return 0;
}

int acre__report_make_folder(const char *dir)
{
    char path[4096];
    int error = report_make_one(dir);

    snprintf(path, sizeof path, "%s/data", dir);
    return error ? error : report_make_one(path);
}

static int report_steps(report_model *m, const char *crash, FILE *summary)
{
    int error = acre__report_load(m);

    if (!error)
        error = acre__report_load_crash(m, crash);
    if (!error)
        error = acre__report_rank(m);
    if (!error)
        error = acre__report_compare_original(m);
    if (!error)
        error = acre__report_make_folder(m->dir);
    if (!error)
        error = acre__report_write_data(m);
    if (!error)
        error = acre__report_plot(m);
    if (!error)
        error = acre__report_write_html(m);
    if (!error && summary)
        acre__report_write_text(m, summary);
    return error;
}

int acre_report_write(const char *dir, FILE *summary)
{
    return acre_report_write_crash(dir, NULL, summary);
}

int acre_report_write_crash(const char *dir, const char *crash, FILE *summary)
{
    report_model m = {.dir = dir, .reference = SIZE_MAX};
    int error;

    report_message[0] = '\0';
    error = report_steps(&m, crash, summary);
    if (error && !report_message[0])
        acre__report_say(error, "%s: %s", dir, strerror(error));
    acre__report_release(&m);
    return error;
}
