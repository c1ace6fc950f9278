/* SPDX-License-Identifier: MIT */
/* table.c: build/crash.json, one object a line:
 *
 *     {"rows": [
 *      {"part": "step", "algorithm": …, "operation": …, "state": …, "variant": "gcc -O2",
 *       "injected": …, "images": …, "recovered": …, "in_hand": …, "lost": …, "doubled": …, … },
 *      {"part": "haste", …, "typical_us": …, "worst_us": …},
 *      …],
 *      "total": {"injected": …, "recovered": …, "lost": …, "doubled": …, …}}
 *
 * Runs add to it: a row replaces the one of an earlier run that has the same first five keys.  The
 * file is replaced as a whole, so that it is always complete. */
#include "tests/crash/crash.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

static const struct table_field {
    const char *name;
    size_t offset;
} table_fields[] = {
#define FIELD(x)                                                                                   \
    {                                                                                              \
#x, offsetof(crash_count, x)                                                               \
    }
    FIELD(injected), FIELD(images),  FIELD(recovered), FIELD(in_hand),
    FIELD(lost),     FIELD(doubled), FIELD(unsound),   FIELD(hangs),
    FIELD(waited),
#undef FIELD
};
enum { TABLE_FIELDS = sizeof table_fields / sizeof *table_fields };

static uint64_t *table_at(const crash_count *n, size_t field)
{
    return (uint64_t *)((char *)(uintptr_t)n + table_fields[field].offset);
}

void crash_count_add(crash_count *sum, const crash_count *n)
{
    for (size_t i = 0; i < TABLE_FIELDS; i++)
        *table_at(sum, i) += *table_at(n, i);
}

bool crash_count_good(const crash_count *n)
{
    return n->injected && n->recovered == n->injected &&
           !(n->lost | n->doubled | n->unsound | n->hangs);
}

/* ---- rows ---- */

static json_t *table_row(const crash_case *c, const crash_board *b)
{
    const crash_count *n = &b->n;
    json_t *row = json_pack("{s:s, s:s, s:s, s:s, s:s}", "part", c->part->name, "algorithm",
                            c->algorithm->name, "operation", c->operation, "state", c->state,
                            "variant", CRASH_VARIANT);
    for (size_t i = 0; i < TABLE_FIELDS; i++)
        json_object_set_new(row, table_fields[i].name, json_integer((json_int_t)*table_at(n, i)));
    if (b->worst_us > 0) {
        json_object_set_new(row, "typical_us", json_real(b->typical_us));
        json_object_set_new(row, "worst_us", json_real(b->worst_us));
    }
    return row;
}

static bool table_same(json_t *a, json_t *b)
{
    static const char *const key[] = {"part", "algorithm", "operation", "state", "variant"};
    for (size_t i = 0; i < sizeof key / sizeof *key; i++)
        if (!json_equal(json_object_get(a, key[i]), json_object_get(b, key[i])))
            return false;
    return true;
}

/* In its old place, or at the end. */
static void table_put(json_t *rows, json_t *row)
{
    json_t *old;
    size_t i;
    json_array_foreach(rows, i, old) if (table_same(old, row))
    {
        json_array_set_new(rows, i, row);
        return;
    }
    json_array_append_new(rows, row);
}

static json_t *table_old_rows(const char *path)
{
    json_t *file = json_load_file(path, 0, NULL);
    json_t *rows = json_incref(json_object_get(file, "rows"));
    json_decref(file);
    return json_is_array(rows) ? rows : json_array();
}

/* ---- the file ---- */

static json_t *table_total(json_t *rows)
{
    json_t *total = json_object(), *row;
    size_t k;
    for (size_t i = 0; i < TABLE_FIELDS; i++) {
        json_int_t sum = 0;
        json_array_foreach(rows, k, row) sum +=
            json_integer_value(json_object_get(row, table_fields[i].name));
        json_object_set_new(total, table_fields[i].name, json_integer(sum));
    }
    return total;
}

static void table_print(FILE *out, json_t *rows)
{
    json_t *row, *total = table_total(rows);
    size_t i;
    fputs("{\"rows\": [", out);
    json_array_foreach(rows, i, row)
    {
        fputs(i ? ",\n " : "\n ", out);
        json_dumpf(row, out, 0);
    }
    fputs("\n],\n\"total\": ", out);
    json_dumpf(total, out, 0);
    fputs("}\n", out);
    json_decref(total);
}

static int table_save(const char *path, json_t *rows)
{
    char fresh[4096];
    snprintf(fresh, sizeof fresh, "%s.new", path);
    FILE *out = fopen(fresh, "we");
    if (!out)
        return errno;
    table_print(out, rows);
    return fclose(out) == 0 && rename(fresh, path) == 0 ? 0 : errno;
}

int crash_table_write(const char *path, const crash_case *cases, const crash_board *boards,
                      size_t n)
{
    json_t *rows = table_old_rows(path);
    for (size_t i = 0; i < n; i++)
        table_put(rows, table_row(&cases[i], &boards[i]));
    int e = table_save(path, rows);
    json_decref(rows);
    return e;
}
