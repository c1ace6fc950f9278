/* SPDX-License-Identifier: MIT */
/* compare_merge.c: one file of results. */
#include "bench/compare_internal.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

static void merge_key(const json_t *line, char key[512])
{
    snprintf(key, 512, "%.400s\t%lld", acre__compare_text(line, "trace"),
             (long long)json_integer_value(json_object_get(line, "block")));
}

/* null's line of each trace and block. */
static json_t *merge_harness(const json_t *results)
{
    json_t *harness = json_object();
    for (size_t i = 0; i < json_array_size(results); i++) {
        json_t *line = json_array_get(results, i);
        char key[512];
        merge_key(line, key);
        if (strcmp(acre__compare_text(line, "kind"), "replay") == 0 &&
            strcmp(acre__compare_text(line, "algorithm"), "null") == 0)
            json_object_set(harness, key, line);
    }
    return harness;
}

static void merge_copy(json_t *line, const char *to, const json_t *from, const char *key)
{
    json_t *value = json_object_get(from, key);
    if (value)
        json_object_set(line, to, value);
}

static void merge_add_harness(const json_t *results)
{
    json_t *harness = merge_harness(results);
    for (size_t i = 0; i < json_array_size(results); i++) {
        json_t *line = json_array_get(results, i);
        char key[512];
        merge_key(line, key);
        const json_t *null = json_object_get(harness, key);
        if (!null || strcmp(acre__compare_text(line, "kind"), "replay"))
            continue;
        merge_copy(line, "harness_ns_per_op", null, "ns_per_op_warm");
        merge_copy(line, "harness_ns_per_op_cold", null, "ns_per_op_cold");
    }
    json_decref(harness);
}

static json_t *merge_results(const json_t *cells)
{
    json_t *results = json_array();
    for (size_t i = 0; i < json_array_size(cells); i++) {
        json_t *result = acre__compare_result(json_array_get(cells, i));
        if (result)
            json_array_append_new(results, result);
    }
    merge_add_harness(results);
    return results;
}

int acre_compare_merge(const acre_compare_options *o, char *error, size_t size)
{
    char path[COMPARE_PATH];
    acre__compare_path(path, o->dir, "head.jsonl");
    json_t *lines = acre__compare_read_lines(path, error, size);
    acre__compare_path(path, o->dir, "plan.jsonl");
    json_t *cells = lines ? acre__compare_read_lines(path, error, size) : NULL;
    int e = EIO;
    if (cells) {
        json_t *results = merge_results(cells);
        json_array_extend(lines, results);
        acre__compare_path(path, o->dir, "results.jsonl");
        e = acre__compare_write_lines(path, lines, error, size);
        json_decref(results);
    }
    json_decref(cells);
    json_decref(lines);
    return e;
}
