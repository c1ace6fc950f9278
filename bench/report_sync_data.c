/* SPDX-License-Identifier: MIT */
/* DIR/data/sync-NAME.dat: a row a bench, in the unit of its group. */
#include "bench/report_sync_model.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

double acre__sync_shown(const sync_group *g, double rate)
{
    return g->duration ? 1 / rate / g->scale : rate / g->scale;
}

static void data_number(FILE *out, double value)
{
    if (isfinite(value))
        fprintf(out, " %.6g", value);
    else
        fputs(" ?", out);
}

static void data_row(FILE *out, const sync_model *m, const sync_group *g, int p, int k, int i)
{
    const sync_cell *c = &m->cell[p][k][i];
    const char *kase = strchr(acre__sync_cases[k], '_');
    if (c->n == 0)
        return;
    fprintf(out, "%s %s %s", acre__sync_implementations[i], acre__sync_primitives[p],
            kase ? kase + 1 : acre__sync_cases[k]);
    data_number(out, acre__sync_shown(g, c->median));
    data_number(out, acre__sync_shown(g, g->duration ? c->most : c->least));
    data_number(out, acre__sync_shown(g, g->duration ? c->least : c->most));
    if (strncmp(acre__sync_cases[k], "readers", 7) == 0)
        fprintf(out, " %d", atoi(acre__sync_cases[k] + 7));
    fputc('\n', out);
}

static void data_head(FILE *out, const sync_model *m, const sync_group *g)
{
    const char *commit = json_string_value(json_object_get(m->context, "commit"));
    fprintf(out, "# %s\n# from %s, commit %s\n", g->title, m->file, commit ? commit : "?");
    fprintf(out, "# implementation primitive case median least most%s  (%s)\n",
            g->picture.name && strstr(g->picture.name, "readers") ? " readers" : "", g->unit);
}

/* An implementation's cases stand together, so that they can be joined by a line. */
static void data_rows(FILE *out, const sync_model *m, const sync_group *g)
{
    for (int p = 0; p < SYNC_PRIMITIVES; p++)
        for (int i = 0; i < SYNC_IMPLEMENTATIONS; i++)
            for (int k = g->first; k <= g->last; k++)
                data_row(out, m, g, p, k, i);
}

static int data_write(const sync_model *m, const sync_group *g)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/data/%s.dat", m->dir, g->picture.name);
    FILE *out = fopen(path, "w");
    if (!out)
        return acre__report_say(errno, "%s: %s", path, strerror(errno));
    data_head(out, m, g);
    data_rows(out, m, g);
    int error = ferror(out) ? EIO : 0;
    if (fclose(out) && !error)
        error = errno;
    return error ? acre__report_say(error, "%s: %s", path, strerror(error)) : 0;
}

static bool data_there(const sync_model *m, const sync_group *g)
{
    size_t n = 0;
    for (int p = 0; p < SYNC_PRIMITIVES; p++)
        for (int k = g->first; k <= g->last; k++)
            for (int i = 0; i < SYNC_IMPLEMENTATIONS; i++)
                n += m->cell[p][k][i].n;
    return n > 0;
}

/* A group without results has no file, and so no picture. */
static void data_forget(const sync_model *m, const sync_group *g)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/data/%s.dat", m->dir, g->picture.name);
    remove(path);
}

/* For colours.gp. */
static int data_write_names(const sync_model *m)
{
    char path[4096];
    snprintf(path, sizeof path, "%s/data/sync-names.dat", m->dir);
    FILE *out = fopen(path, "w");
    if (!out)
        return acre__report_say(errno, "%s: %s", path, strerror(errno));
    for (int i = 0; i < SYNC_IMPLEMENTATIONS; i++)
        fprintf(out, "%s\n", acre__sync_implementations[i]);
    return fclose(out) ? acre__report_say(errno, "%s: %s", path, strerror(errno)) : 0;
}

int acre__sync_write_data(const sync_model *m)
{
    int error = data_write_names(m);
    for (int i = 0; i < SYNC_GROUPS && !error; i++) {
        data_forget(m, &acre__sync_groups[i]);
        if (data_there(m, &acre__sync_groups[i]))
            error = data_write(m, &acre__sync_groups[i]);
    }
    return error;
}
