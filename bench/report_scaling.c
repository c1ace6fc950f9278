/* SPDX-License-Identifier: MIT */
/* Many at work on one heap: the data of four pictures, each of which leaves out what says nothing in it. */
#include "bench/procs.h"
#include "bench/report_data.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

double acre__scaling_blow_up(const report_scaling *s)
{
    return s->peak_live >= ACRE_PROCS_TELLING && s->peak_used > 0 ? s->peak_used / s->peak_live
                                                                  : NAN;
}

/* What one of so many workers does, of what it does alone; NAN: nobody was alone. */
static double scaling_of_one(const report_model *m, const report_scaling *s)
{
    for (size_t i = 0; i < m->n_scalings; i++) {
        const report_scaling *one = &m->scaling[i];

        if (one->algorithm == s->algorithm && one->workers == 1 && one->status == REPORT_OK &&
            strcmp(one->pattern, s->pattern) == 0)
            return s->ops_per_s / s->workers / one->ops_per_s;
    }
    return NAN;
}

/* One picture's columns; false: this run is not in it. */
typedef bool scaling_writer(FILE *out, const report_model *m, const report_scaling *s);

static bool scaling_speed(FILE *out, const report_model *m, const report_scaling *s)
{
    (void)m;
    acre__data_number(out, s->ops_per_s);
    acre__data_number(out, s->fairness);
    acre__data_number(out, acre__scaling_blow_up(s));
    return true;
}

static bool scaling_fairness(FILE *out, const report_model *m, const report_scaling *s)
{
    (void)m;
    if (s->workers < 2)
        return false;
    acre__data_number(out, s->fairness);
    acre__data_number(out, s->least_share);
    return true;
}

static bool scaling_memory(FILE *out, const report_model *m, const report_scaling *s)
{
    (void)m;
    if (!isfinite(acre__scaling_blow_up(s)))
        return false;
    acre__data_number(out, acre__scaling_blow_up(s));
    fputs(s->resident ? " resident" : " segment", out);
    return true;
}

static bool scaling_sharing(FILE *out, const report_model *m, const report_scaling *s)
{
    double of_one = scaling_of_one(m, s);

    if (strncmp(s->pattern, "cache-", 6) != 0 || !isfinite(of_one))
        return false;
    acre__data_number(out, of_one);
    acre__data_number(out, s->cpus);
    return true;
}

static void scaling_write_row(data_file *f, const report_model *m, const report_scaling *s,
                              scaling_writer *write)
{
    char *columns = NULL;
    size_t n = 0;
    FILE *memory = open_memstream(&columns, &n);
    bool wanted = memory && write(memory, m, s);

    if (memory)
        fclose(memory);
    if (wanted) {
        acre__data_word(f->out, m->algorithm[s->algorithm].name);
        fputc(' ', f->out);
        acre__data_word(f->out, s->pattern);
        fprintf(f->out, " %.0f%s\n", s->workers, columns);
        f->rows++;
    }
    free(columns);
}

/* A line of the picture is a run of rows: one algorithm, one pattern. */
static void scaling_write_algorithm(data_file *f, const report_model *m, size_t a,
                                    scaling_writer *write)
{
    const char *last = NULL;
    size_t before = f->rows;

    for (size_t i = 0; i < m->n_scalings; i++) {
        const report_scaling *s = &m->scaling[i];

        if (s->algorithm != a || s->status != REPORT_OK)
            continue;
        if (last && strcmp(last, s->pattern) && f->rows > before) {
            fputs("\n\n", f->out);
            before = f->rows;
        }
        last = s->pattern;
        scaling_write_row(f, m, s, write);
    }
    if (f->rows > before)
        fputs("\n\n", f->out);
}

int acre__report_write_scaling(const report_model *m)
{
    static const struct {
        const char *name, *columns;
        scaling_writer *write;
    } picture[] = {
        {"scaling", "algorithm pattern workers ops_per_s fairness used_per_live", scaling_speed},
        {"fairness", "algorithm pattern workers fairness least_share", scaling_fairness},
        {"blow-up", "algorithm pattern workers used_per_live measure", scaling_memory},
        {"false-sharing", "algorithm pattern workers of_one cpus", scaling_sharing},
    };
    data_file f;
    int error = 0;

    for (size_t k = 0; k < sizeof picture / sizeof *picture && !error; k++) {
        error = acre__data_open(m, &f, picture[k].name, picture[k].columns);
        for (size_t a = 0; a < m->n_algorithms && !error; a++)
            scaling_write_algorithm(&f, m, a, picture[k].write);
        if (!error)
            error = acre__data_close(&f);
    }
    return error;
}
