/* SPDX-License-Identifier: MIT */
/* compare_files.c: files of one JSON object a line. */
#include "bench/compare_internal.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

void acre__compare_path(char path[COMPARE_PATH], const char *dir, const char *format, ...)
{
    va_list args;
    int n = snprintf(path, COMPARE_PATH, "%s/", dir);
    va_start(args, format);
    if (n > 0 && n < COMPARE_PATH)
        vsnprintf(path + n, (size_t)(COMPARE_PATH - n), format, args);
    va_end(args);
}

const char *acre__compare_text(const json_t *o, const char *key)
{
    const char *text = json_string_value(json_object_get(o, key));
    return text ? text : "";
}

static json_t *compare_read(FILE *f, const char *path, char *error, size_t size)
{
    json_t *lines = json_array();
    char *text = NULL;
    size_t room = 0, number = 0;
    while (lines && getline(&text, &room, f) > 0) {
        json_error_t e;
        json_t *line = json_loads(text, 0, &e);
        number++;
        if (!json_is_object(line)) {
            snprintf(error, size, "%s:%zu: damaged: %s", path, number, line ? "no object" : e.text);
            json_decref(line);
            json_decref(lines);
            lines = NULL;
            break;
        }
        json_array_append_new(lines, line);
    }
    free(text);
    return lines;
}

json_t *acre__compare_read_lines(const char *path, char *error, size_t size)
{
    FILE *f = fopen(path, "r");
    if (!f) {
        snprintf(error, size, "%s: %s", path, strerror(errno));
        return NULL;
    }
    json_t *lines = compare_read(f, path, error, size);
    fclose(f);
    return lines;
}

static bool compare_write(FILE *f, const json_t *lines)
{
    bool ok = true;
    for (size_t i = 0; i < json_array_size(lines); i++)
        ok &= json_dumpf(json_array_get(lines, i), f, JSON_COMPACT) == 0 && fputc('\n', f) != EOF;
    return ok;
}

int acre__compare_write_lines(const char *path, const json_t *lines, char *error, size_t size)
{
    char part[COMPARE_PATH + 8];
    snprintf(part, sizeof part, "%s.part", path);
    FILE *f = fopen(part, "w");
    bool ok = f && compare_write(f, lines);
    if (f && fclose(f))
        ok = false;
    if (ok && rename(part, path) == 0)
        return 0;
    snprintf(error, size, "%s: %s", path, strerror(errno));
    return EIO;
}

json_t *acre__compare_result(const json_t *cell)
{
    json_error_t e;
    json_t *result = json_load_file(acre__compare_text(cell, "out"), 0, &e);
    if (json_is_object(result))
        return result;
    json_decref(result);
    return NULL;
}
