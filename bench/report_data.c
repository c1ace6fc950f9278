/* SPDX-License-Identifier: MIT */
/* The numbers behind each picture, one file each: header lines with #, columns parted by spaces,
 * "?" where a number is not known, two empty lines between series (gnuplot's index).  The files
 * hold everything; what a picture leaves out it leaves out itself. */
#include "bench/report_data.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

static const char *data_run_text(const report_model *m, const char *key)
{
    const char *text = json_string_value(json_object_get(m->run, key));

    return text ? text : "not recorded";
}

/* Text from outside must stay on its comment line. */
static void data_comment(FILE *out, const char *label, const char *text)
{
    fprintf(out, "# %s: ", label);
    for (; *text; text++)
        fputc((unsigned char)*text < ' ' ? ' ' : *text, out);
    fputc('\n', out);
}

int acre__data_open(const report_model *m, data_file *f, const char *name, const char *columns)
{
    f->rows = 0;
    snprintf(f->path, sizeof f->path, "%s/data/%s.dat", m->dir, name);
    if (!(f->out = fopen(f->path, "w")))
        return acre__report_say(errno, "%s: %s", f->path, strerror(errno));
    data_comment(f->out, "command", data_run_text(m, "command"));
    data_comment(f->out, "commit", data_run_text(m, "commit"));
    fprintf(f->out, "# columns: %s\n", columns);
    return 0;
}

/* A file without rows is removed: there is nothing to draw. */
int acre__data_close(data_file *f)
{
    int error = ferror(f->out) ? EIO : 0;

    if (fclose(f->out))
        error = errno;
    if (!error && f->rows == 0)
        remove(f->path);
    return error ? acre__report_say(error, "%s: %s", f->path, strerror(error)) : 0;
}

/* A name is one word for gnuplot. */
void acre__data_word(FILE *out, const char *name)
{
    for (; *name; name++)
        fputc((unsigned char)*name <= ' ' || strchr("\"'#\\", *name) ? '_' : *name, out);
}

void acre__data_number(FILE *out, double value)
{
    if (isfinite(value))
        fprintf(out, fabs(value) >= 1e5 ? " %.0f" : " %.6g", value);
    else
        fputs(" ?", out);
}

static void data_ratio(FILE *out, const report_ratio *r)
{
    acre__data_number(out, r->value);
    acre__data_number(out, r->lo);
    acre__data_number(out, r->hi);
}

/* Pictures by algorithm -------------------------------------------------------------------- */

static int data_algorithms(const report_model *m)
{
    data_file f;
    int error = acre__data_open(m, &f, "algorithms", "algorithm family order");

    if (error)
        return error;
    for (size_t i = 0; i < m->n_algorithms; i++, f.rows++) {
        acre__data_word(f.out, m->algorithm[i].name);
        fputc(' ', f.out);
        acre__data_word(f.out, m->algorithm[i].family ? m->algorithm[i].family : "other");
        fprintf(f.out, " %d\n", m->algorithm[i].order);
    }
    return acre__data_close(&f);
}

static void data_forest_row(data_file *f, const report_model *m, const report_algorithm *a)
{
    acre__data_word(f->out, a->name);
    data_ratio(f->out, &a->warm);
    data_ratio(f->out, &a->net);
    data_ratio(f->out, &a->cold);
    acre__data_number(f->out, m->noise_floor);
    fprintf(f->out, " %zu %zu ", a->traces, m->algorithm[m->reference].traces);
    acre__data_word(f->out, m->algorithm[m->reference].name);
    fputc('\n', f->out);
    f->rows++;
}

static int data_forest(const report_model *m)
{
    data_file f;
    int error = acre__data_open(m, &f, "time-forest",
                                "algorithm warm lo hi net net_lo net_hi cold cold_lo cold_hi "
                                "noise_floor traces of reference "
                                "(ratios to the reference, 95 % intervals)");

    if (error)
        return error;
    for (size_t i = 0; i < m->n_ranked; i++) {
        const report_algorithm *a = &m->algorithm[m->rank[i]];

        if (isfinite(a->warm.value))
            data_forest_row(&f, m, a);
    }
    return acre__data_close(&f);
}

static int data_cold_warm(const report_model *m)
{
    data_file f;
    int error = acre__data_open(m, &f, "cold-warm",
                                "algorithm warm_ns cold_ns net_ns (geometric means over traces)");

    if (error)
        return error;
    for (size_t i = 0; i < m->n_ranked; i++) {
        const report_algorithm *a = &m->algorithm[m->rank[i]];

        if (!isfinite(a->ns) || !isfinite(a->ns_cold))
            continue;
        acre__data_word(f.out, a->name);
        acre__data_number(f.out, a->ns);
        acre__data_number(f.out, a->ns_cold);
        acre__data_number(f.out, a->ns_net);
        fputc('\n', f.out);
        f.rows++;
    }
    return acre__data_close(&f);
}

/* Pictures by trace ------------------------------------------------------------------------ */

static void data_trace_row(data_file *f, const report_model *m, size_t a, size_t t)
{
    const report_cell *c = acre__report_cell(m, a, t);

    acre__data_word(f->out, m->algorithm[a].name);
    fprintf(f->out, " %zu ", t + 1);
    acre__data_word(f->out, m->trace[t].name);
    acre__data_number(f->out, c->status == REPORT_OK ? c->warm : NAN);
    acre__data_number(f->out, c->status == REPORT_OK ? c->net : NAN);
    acre__data_number(f->out, c->status == REPORT_OK ? c->cold : NAN);
    acre__data_number(f->out, m->trace[t].harness);
    fputc('\n', f->out);
    f->rows++;
}

static int data_time_by_trace(const report_model *m)
{
    data_file f;
    int error = acre__data_open(m, &f, "time-by-trace",
                                "algorithm row trace warm_ns net_ns cold_ns harness_ns (medians)");

    if (error)
        return error;
    for (size_t i = 0; i < m->n_ranked; i++) {
        for (size_t t = 0; t < m->n_traces; t++)
            data_trace_row(&f, m, m->rank[i], t);
        fputs("\n\n", f.out);
    }
    return acre__data_close(&f);
}

static int data_memory_by_trace(const report_model *m)
{
    data_file f;
    int error = acre__data_open(m, &f, "memory-by-trace",
                                "algorithm row trace ratio s_min peak_live measure "
                                "(bytes; ratio = s_min / peak_live)");

    if (error)
        return error;
    for (size_t i = 0; i < m->n_ranked; i++) {
        size_t a = m->rank[i];

        for (size_t t = 0; t < m->n_traces && m->algorithm[a].memory_traces; t++, f.rows++) {
            const report_cell *c = acre__report_cell(m, a, t);
            bool known = c->fit == REPORT_OK && c->peak_live > 0;

            acre__data_word(f.out, m->algorithm[a].name);
            fprintf(f.out, " %zu ", t + 1);
            acre__data_word(f.out, m->trace[t].name);
            acre__data_number(f.out, known ? c->s_min / c->peak_live : NAN);
            acre__data_number(f.out, known ? c->s_min : NAN);
            acre__data_number(f.out, known ? c->peak_live : NAN);
            fprintf(f.out, " %s\n", c->resident ? "resident" : "segment");
        }
        if (m->algorithm[a].memory_traces)
            fputs("\n\n", f.out);
    }
    return acre__data_close(&f);
}

static void data_noise_trace(const report_model *m, data_file *f, size_t again, size_t t)
{
    const report_cell *a = acre__report_cell(m, again, t);
    const report_cell *r = acre__report_cell(m, m->reference, t);

    for (size_t i = 0; i < a->n_samples; i++)
        for (size_t k = 0; k < r->n_samples; k++) {
            if (a->sample[i].block != r->sample[k].block || !(r->sample[k].warm > 0))
                continue;
            fprintf(f->out, "%zu ", t + 1);
            acre__data_word(f->out, m->trace[t].name);
            fprintf(f->out, " %ld", a->sample[i].block);
            acre__data_number(f->out, a->sample[i].warm / r->sample[k].warm);
            data_ratio(f->out, &m->noise);
            acre__data_number(f->out, m->noise_floor);
            fputc('\n', f->out);
            f->rows++;
        }
}

static int data_noise(const report_model *m)
{
    data_file f;
    int error = acre__data_open(m, &f, "noise",
                                "row trace block ratio mean lo hi noise_floor "
                                "(the reference against itself; mean, lo, hi over all)");

    if (error)
        return error;
    for (size_t a = 0; a < m->n_algorithms; a++)
        for (size_t t = 0; t < m->n_traces && m->algorithm[a].again; t++)
            data_noise_trace(m, &f, a, t);
    return acre__data_close(&f);
}

/* Other series ----------------------------------------------------------------------------- */

static int data_timeline(const report_model *m)
{
    data_file f;
    int error = acre__data_open(m, &f, "memory-over-time", "algorithm trace op live used (bytes)");

    if (error)
        return error;
    for (size_t i = 0; i < m->n_timelines; i++) {
        const report_timeline *t = &m->timeline[i];

        if (t->trace != m->timeline[0].trace)
            continue;
        for (size_t k = 0; k < t->n; k++, f.rows++) {
            acre__data_word(f.out, m->algorithm[t->algorithm].name);
            fputc(' ', f.out);
            acre__data_word(f.out, m->trace[t->trace].name);
            fprintf(f.out, " %.0f %.0f %.0f\n", t->op[k], t->live[k], t->used[k]);
        }
        fputs("\n\n", f.out);
    }
    return acre__data_close(&f);
}

/* All -------------------------------------------------------------------------------------- */

int acre__report_write_data(const report_model *m)
{
    static int (*const write[])(const report_model *) = {
        data_algorithms, data_forest, data_time_by_trace, data_memory_by_trace,
        acre__report_write_pareto, data_timeline, acre__report_write_growth,
        acre__report_write_safety, acre__report_write_latency, acre__report_write_scaling, data_noise, data_cold_warm,
        acre__report_write_original,
    };
    int error = 0;

    for (size_t i = 0; i < sizeof write / sizeof *write && !error; i++)
        error = write[i](m);
    return error;
}
