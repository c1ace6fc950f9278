/* SPDX-License-Identifier: MIT */
/* report_names.c: loading, data file and picture of report_names.h; the table is report_names_table.c's. */
#include "bench/report_names.h"

#include "bench/report.h"
#include "bench/report_names_model.h"
#include "bench/stats.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const report_picture names_picture[] = {
    {"names", "Objects by name",
     "Finding one of so many names, and constructing and destroying one beside them, log-log: "
     "acre's indexes, "
     "Boost.Interprocess's, and std::unordered_map in private memory, which has no lock, no types, "
     "and nobody else."}};

const char *const acre__names_what[NAMES_WHATS] = {"find", "construct_destroy", "find_by_1",
                                                   "find_by_2"};

/* ---- loading ---- */

/* "10", "1k", "1M"; 0: something else. */
static double names_number(const char *text)
{
    char unit = 0, more;
    double n = 0;
    int got = sscanf(text, "%lf%c%c", &n, &unit, &more);
    double times = got == 1 ? 1 : got == 2 && unit == 'k' ? 1e3 : got == 2 && unit == 'M' ? 1e6 : 0;
    return n * times;
}

static int names_place(const char *what)
{
    int i = 0;
    while (i < NAMES_WHATS && strcmp(acre__names_what[i], what) != 0)
        i++;
    return i;
}

static names_row *names_row_of(names_model *m, const char *table)
{
    for (size_t i = 0; i < m->n; i++)
        if (strcmp(m->row[i].table, table) == 0)
            return &m->row[i];
    if (m->n == NAMES_TABLES)
        return NULL;
    snprintf(m->row[m->n].table, sizeof m->row->table, "%s", table);
    return &m->row[m->n++];
}

static names_cell *names_cell_of(names_row *r, int what, double names)
{
    names_cell *c = r->cell[what];
    for (size_t i = 0; i < NAMES_COUNTS; i++)
        if (c[i].names == 0 || c[i].names == names) {
            c[i].names = names;
            return &c[i];
        }
    return NULL;
}

static int names_take(names_model *m, const char *name, double rate)
{
    char what[32], count[32], table[48];
    if (sscanf(name, "names/%31[^/]/%31[^/]/%47[^/]", what, count, table) != 3)
        return 0; /* another bench */
    int place = names_place(what);
    double names = names_number(count);
    names_row *r = place < NAMES_WHATS && names ? names_row_of(m, table) : NULL;
    names_cell *c = r ? names_cell_of(r, place, names) : NULL;
    if (!c || !isfinite(rate) || rate <= 0)
        return acre__report_say(
            EBADMSG, "%s: '%s' is no names/WHAT/COUNT/TABLE with items_per_second", m->file, name);
    if (c->n < NAMES_REPETITIONS)
        c->rate[c->n++] = rate;
    return 0;
}

static bool names_counts(json_t *bench)
{
    const char *type = json_string_value(json_object_get(bench, "run_type"));
    return !(type && strcmp(type, "aggregate") == 0) &&
           !json_is_true(json_object_get(bench, "error_occurred"));
}

static int names_load(names_model *m, json_t *root)
{
    json_t *bench;
    size_t at;
    int error = 0;
    json_array_foreach(json_object_get(root, "benchmarks"), at, bench)
    {
        const char *name = json_string_value(json_object_get(bench, "name"));
        if (!error && name && names_counts(bench))
            error =
                names_take(m, name, json_number_value(json_object_get(bench, "items_per_second")));
    }
    if (!error && m->n == 0)
        return acre__report_say(EBADMSG, "%s: no benchmark of names in it", m->file);
    return error;
}

double acre__names_rate(const names_cell *c)
{
    return c->n ? acre_stats_median(c->rate, c->n) : NAN;
}

/* ---- data and picture ---- */

static void names_write_rows(FILE *out, const names_row *r)
{
    for (int what = 0; what < 2; what++)
        for (size_t i = 0; i < NAMES_COUNTS && r->cell[what][i].names; i++)
            fprintf(out, "%s %s %.0f %.6g -\n", r->table, what ? "construct_and_destroy" : "find",
                    r->cell[what][i].names, 1e9 / acre__names_rate(&r->cell[what][i]));
}

static int names_write_data(const names_model *m, const char *dir)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/data/names.dat", dir);
    FILE *out = fopen(path, "w");
    if (!out)
        return acre__report_say(errno, "%s: %s", path, strerror(errno));
    fprintf(out, "# objects by name, median of repetitions, commit %s\n# table what names ns\n",
            ACRE_COMMIT);
    for (size_t i = 0; i < m->n; i++)
        names_write_rows(out, &m->row[i]);
    bool bad = ferror(out);
    if (fclose(out) || bad)
        return acre__report_say(EIO, "%s: could not be written", path);
    return 0;
}

static void names_draw(const char *dir, bool png)
{
    acre__report_forget_pictures(dir, names_picture, 1);
    if (!acre__report_has_scripts())
        return;
    int error = acre__report_draw(dir, names_picture, 1, "svg");
    if (!error && png)
        error = acre__report_draw(dir, names_picture, 1, "png");
    if (error)
        acre__report_say(0, "no picture: gnuplot cannot be started: %s (Debian: gnuplot-nox)",
                         strerror(error));
}

int acre_report_names_write(const char *json, const char *dir, FILE *out, bool png)
{
    names_model *m = calloc(1, sizeof *m);
    json_t *root = NULL;
    acre__report_say(0, "%s", "");
    int error = m ? acre__report_load_json(json, &root) : ENOMEM;
    if (!error) {
        m->file = json;
        error = names_load(m, root);
    }
    if (!error)
        error = acre__report_make_folder(dir);
    if (!error)
        error = names_write_data(m, dir);
    if (!error)
        names_draw(dir, png);
    if (!error && out)
        acre__names_table(out, m);
    json_decref(root);
    free(m);
    return error;
}
