/* SPDX-License-Identifier: MIT */
/* compare_internal.h: what the files of compare share. */
#ifndef ACRE_BENCH_COMPARE_INTERNAL_H
#define ACRE_BENCH_COMPARE_INTERNAL_H

#include "bench/compare.h"

#include <jansson.h>

/* Puts "DIR/NAME" into path.  Paths are at most this long. */
enum { COMPARE_PATH = 4096 };
void acre__compare_path(char path[COMPARE_PATH], const char *dir, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Reads a file of one JSON object a line into an array.  NULL: *error says why. */
json_t *acre__compare_read_lines(const char *path, char *error, size_t size);

/* Writes them, under another name first.  0, or a code with *error. */
int acre__compare_write_lines(const char *path, const json_t *lines, char *error, size_t size);

/* The result of a cell, or NULL if it has none yet. */
json_t *acre__compare_result(const json_t *cell);

const char *acre__compare_text(const json_t *o, const char *key);

#endif
