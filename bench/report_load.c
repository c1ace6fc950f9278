/* SPDX-License-Identifier: MIT */
/* results.jsonl into memory.  A line that cannot be understood stops the report with its number:
 * a ranking from half of the results would look like one from all of them.  Kinds of lines that
 * this version does not know are left alone. */
#include "bench/report_model.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

typedef struct load_line {
    const char *path;
    size_t      number;
    json_t     *object;
} load_line;

/* Growing arrays: room for one more element, zeroed. */
static void *load_append(void *array_ptr, size_t *n, size_t size)
{
    void **array = array_ptr;
    void *grown = realloc(*array, (*n + 1) * size);

    if (!grown)
        return NULL;
    *array = grown;
    return memset((char *)grown + (*n)++ * size, 0, size);
}

/* Fields ---------------------------------------------------------------------------------- */

static int load_bad(const load_line *line, const char *what, const char *key)
{
    return acre__report_say(EBADMSG, "%s:%zu: %s \"%s\"", line->path, line->number, what, key);
}

static int load_string(const load_line *line, const char *key, const char **out)
{
    *out = json_string_value(json_object_get(line->object, key));
    if (!*out || !**out)
        return load_bad(line, "no text in field", key);
    return 0;
}

/* A number >= 0.  Absent or null: NAN if `optional`. */
static int load_number(const load_line *line, const char *key, bool optional, double *out)
{
    json_t *value = json_object_get(line->object, key);
    double number = json_number_value(value);

    *out = NAN;
    if (optional && (!value || json_is_null(value)))
        return 0;
    if (!json_is_number(value))
        return load_bad(line, "no number in field", key);
    if (!isfinite(number) || number < 0)
        return load_bad(line, "impossible number in field", key);
    *out = number;
    return 0;
}

static int load_status(const load_line *line, enum report_status *out)
{
    static const char *const name[] = {"", "ok", "stopped", "failed"};
    const char *text;
    int error = load_string(line, "status", &text);

    for (int i = REPORT_OK; !error && i <= REPORT_FAILED; i++)
        if (strcmp(text, name[i]) == 0) {
            *out = (enum report_status)i;
            return 0;
        }
    return error ? error : load_bad(line, "status is not ok, stopped or failed but", text);
}

/* Names ----------------------------------------------------------------------------------- */

static bool load_ends_with(const char *text, const char *end)
{
    size_t n = strlen(text), k = strlen(end);

    return n >= k && strcmp(text + n - k, end) == 0;
}

static size_t load_algorithm(report_model *m, const char *name)
{
    report_algorithm *a;

    for (size_t i = 0; i < m->n_algorithms; i++)
        if (strcmp(m->algorithm[i].name, name) == 0)
            return i;
    if (!(a = load_append(&m->algorithm, &m->n_algorithms, sizeof *a)))
        return SIZE_MAX;
    a->name = strdup(name);
    a->order = (int)m->n_algorithms + 1000;     /* contender lines say the real one */
    a->again = load_ends_with(name, "(A/A)");
    return a->name ? m->n_algorithms - 1 : SIZE_MAX;
}

static size_t load_trace(report_model *m, const char *name)
{
    report_trace *t;

    for (size_t i = 0; i < m->n_traces; i++)
        if (strcmp(m->trace[i].name, name) == 0)
            return i;
    if (!(t = load_append(&m->trace, &m->n_traces, sizeof *t)))
        return SIZE_MAX;
    *t = (report_trace){.ops = NAN, .objects = NAN, .peak_live = NAN};
    t->name = strdup(name);
    return t->name ? m->n_traces - 1 : SIZE_MAX;
}

static int load_algorithm_of(report_model *m, const load_line *line, size_t *a)
{
    const char *name;
    int error = load_string(line, "algorithm", &name);

    if (error)
        return error;
    *a = load_algorithm(m, name);
    return *a == SIZE_MAX ? ENOMEM : 0;
}

static int load_names(report_model *m, const load_line *line, size_t *a, size_t *t)
{
    const char *name;
    int error = load_algorithm_of(m, line, a);

    if (!error)
        error = load_string(line, "trace", &name);
    if (error)
        return error;
    *t = load_trace(m, name);
    return *t == SIZE_MAX ? ENOMEM : 0;
}

static void load_text(const load_line *line, const char *key, char **out)
{
    const char *text = json_string_value(json_object_get(line->object, key));

    if (text) {
        free(*out);
        *out = strdup(text);
    }
}

/* Kinds ----------------------------------------------------------------------------------- */

static int load_run(report_model *m, const load_line *line)
{
    json_decref(m->run);
    m->run = json_incref(line->object);
    return 0;
}

static int load_contender(report_model *m, const load_line *line)
{
    size_t i;
    double order;
    int error = load_algorithm_of(m, line, &i);

    if (error || (error = load_number(line, "order", true, &order)))
        return error;
    load_text(line, "summary", &m->algorithm[i].summary);
    load_text(line, "family", &m->algorithm[i].family);
    if (isfinite(order))
        m->algorithm[i].order = (int)fmin(order, 1e6);
    return 0;
}

static int load_skipped(report_model *m, const load_line *line)
{
    size_t i;
    const char *reason;
    int error = load_algorithm_of(m, line, &i);

    if (error || (error = load_string(line, "reason", &reason)))
        return error;
    load_text(line, "reason", &m->algorithm[i].skipped);
    return 0;
}

static int load_trace_line(report_model *m, const load_line *line)
{
    const char *name;
    double ops, objects, peak;
    int error = load_string(line, "trace", &name);
    size_t i;

    if (error || (error = load_number(line, "ops", true, &ops)) ||
        (error = load_number(line, "objects", true, &objects)) ||
        (error = load_number(line, "peak_live", true, &peak)))
        return error;
    if ((i = load_trace(m, name)) == SIZE_MAX)
        return ENOMEM;
    m->trace[i].ops = ops;
    m->trace[i].objects = objects;
    m->trace[i].peak_live = peak;
    load_text(line, "program", &m->trace[i].program);
    return 0;
}

/* Cells are found by name while names still appear, so they wait in a list until all are known. */
typedef struct load_replay {
    size_t algorithm, trace;
    report_sample sample;
    enum report_status status;
    double share;
} load_replay;

typedef struct load_fit {
    size_t algorithm, trace;
    enum report_status status;
    double s_min, peak_live;
    bool   resident;
} load_fit;

typedef struct load_pending {
    load_replay *replay;
    load_fit    *fit;
    size_t n_replays, n_fits;
} load_pending;

static int load_times(const load_line *line, bool finished, report_sample *s)
{
    int error = load_number(line, "ns_per_op_warm", !finished, &s->warm);

    if (!error)
        error = load_number(line, "ns_per_op_cold", true, &s->cold);
    if (!error)
        error = load_number(line, "harness_ns_per_op", true, &s->harness);
    if (!error)
        error = load_number(line, "harness_ns_per_op_cold", true, &s->harness_cold);
    return error;
}

static int load_replay_line(report_model *m, load_pending *pending, const load_line *line)
{
    load_replay r = {0}, *slot;
    double block;
    int error = load_names(m, line, &r.algorithm, &r.trace);

    if (error || (error = load_status(line, &r.status)) ||
        (error = load_number(line, "block", false, &block)) ||
        (error = load_number(line, "share", true, &r.share)) ||
        (error = load_times(line, r.status == REPORT_OK, &r.sample)))
        return error;
    r.sample.block = (long)fmin(block, 1e9);
    if (!(slot = load_append(&pending->replay, &pending->n_replays, sizeof *slot)))
        return ENOMEM;
    *slot = r;
    return 0;
}

/* Growth of resident memory, not the bytes of a segment. */
static bool load_measures_resident(const load_line *line)
{
    const char *measure = json_string_value(json_object_get(line->object, "measure"));

    return measure && strcmp(measure, "resident") == 0;
}

static int load_fit_line(report_model *m, load_pending *pending, const load_line *line)
{
    load_fit f = {0}, *slot;
    int error = load_names(m, line, &f.algorithm, &f.trace);

    if (error || (error = load_status(line, &f.status)) ||
        (error = load_number(line, "s_min", f.status != REPORT_OK, &f.s_min)) ||
        (error = load_number(line, "peak_live", f.status != REPORT_OK, &f.peak_live)))
        return error;
    f.resident = load_measures_resident(line);
    if (!(slot = load_append(&pending->fit, &pending->n_fits, sizeof *slot)))
        return ENOMEM;
    *slot = f;
    return 0;
}

static int load_numbers(const load_line *line, const char *key, double **out, size_t n)
{
    json_t *array = json_object_get(line->object, key);
    double *value = calloc(n + 1, sizeof *value);

    if (!value)
        return ENOMEM;
    *out = value;
    if (!json_is_array(array) || json_array_size(array) != n)
        return load_bad(line, "not as many values as in \"op\" in field", key);
    for (size_t i = 0; i < n; i++) {
        json_t *item = json_array_get(array, i);

        if (!json_is_number(item))
            return load_bad(line, "not only numbers in field", key);
        value[i] = json_number_value(item);
    }
    return 0;
}

static int load_timeline(report_model *m, const load_line *line)
{
    report_timeline t = {0}, *slot;
    int error = load_names(m, line, &t.algorithm, &t.trace);

    if (error)
        return error;
    t.n = json_array_size(json_object_get(line->object, "op"));
    if (!(slot = load_append(&m->timeline, &m->n_timelines, sizeof *slot)))
        return ENOMEM;
    *slot = t;
    if ((error = load_numbers(line, "op", &slot->op, t.n)) ||
        (error = load_numbers(line, "live", &slot->live, t.n)))
        return error;
    return load_numbers(line, "used", &slot->used, t.n);
}

static int load_live_cost(report_model *m, const load_line *line)
{
    report_live_cost c = {0}, *slot;
    int error = load_algorithm_of(m, line, &c.algorithm);

    if (error || (error = load_status(line, &c.status)) ||
        (error = load_number(line, "live", false, &c.live)) ||
        (error = load_number(line, "ns_per_op", c.status != REPORT_OK, &c.ns)))
        return error;
    if (!(slot = load_append(&m->live_cost, &m->n_live_costs, sizeof *slot)))
        return ENOMEM;
    *slot = c;
    load_text(line, "growth", &slot->growth);
    return 0;
}

/* What did not finish says nothing. */
static int load_latency(report_model *m, const load_line *line)
{
    report_latency l = {0}, *slot;
    enum report_status status;
    int error = load_names(m, line, &l.algorithm, &l.trace);

    if (error || (error = load_status(line, &status)) || status != REPORT_OK)
        return error;
    l.n = json_array_size(json_object_get(line->object, "tail"));
    if (!(slot = load_append(&m->latency, &m->n_latencies, sizeof *slot)))
        return ENOMEM;
    *slot = l;
    if ((error = load_numbers(line, "tail", &slot->tail, l.n)) ||
        (error = load_numbers(line, "measured", &slot->measured, l.n)))
        return error;
    return load_numbers(line, "least", &slot->least, l.n);
}

static int load_scaling_numbers(const load_line *line, report_scaling *s)
{
    const char *check = json_string_value(json_object_get(line->object, "check"));
    double processes = 0, threads = 0;
    bool bad = s->status != REPORT_OK;
    int error = 0;

    s->checked = check != NULL;
    s->sound = check && strcmp(check, "ok") == 0;
    s->peak_used = json_number_value(json_object_get(line->object, "peak_used"));
    s->peak_live = json_number_value(json_object_get(line->object, "peak_live"));
    s->resident = load_measures_resident(line);
    if ((error = load_number(line, "ops_per_s", bad, &s->ops_per_s)) ||
        (error = load_number(line, "fairness", bad, &s->fairness)) ||
        (error = load_number(line, "least_share", true, &s->least_share)) ||
        (error = load_number(line, "cpus", true, &s->cpus)) ||
        (error = load_number(line, "processes", false, &processes)) ||
        (error = load_number(line, "threads", false, &threads)))
        return error;
    s->workers = processes * threads;
    return 0;
}

static int load_scaling(report_model *m, const load_line *line)
{
    report_scaling s = {0}, *slot;
    const char *pattern;
    int error = load_algorithm_of(m, line, &s.algorithm);

    if (error || (error = load_string(line, "pattern", &pattern)) ||
        (error = load_status(line, &s.status)) || (error = load_scaling_numbers(line, &s)))
        return error;
    if (!(slot = load_append(&m->scaling, &m->n_scalings, sizeof *slot)))
        return ENOMEM;
    *slot = s;
    slot->pattern = strdup(pattern);
    return slot->pattern ? 0 : ENOMEM;
}

static int load_safety(report_model *m, const load_line *line)
{
    report_safety s = {0}, *slot;
    int error = load_names(m, line, &s.algorithm, &s.trace);

    if (!error)
        error = load_status(line, &s.status);
    for (size_t i = 0; i < ACRE_SAFETY_STEPS && !error; i++)
        error = load_number(line, acre_safety_step_name(i), s.status != REPORT_OK, &s.ns[i]);
    if (error)
        return error;
    if (!(slot = load_append(&m->safety, &m->n_safeties, sizeof *slot)))
        return ENOMEM;
    *slot = s;
    return 0;
}

static int load_kind(report_model *m, load_pending *pending, const load_line *line)
{
    static const struct {
        const char *kind;
        int (*load)(report_model *, const load_line *);
    } table[] = {
        {"run", load_run}, {"contender", load_contender}, {"skipped", load_skipped},
        {"trace", load_trace_line}, {"timeline", load_timeline}, {"live_cost", load_live_cost},
        {"safety", load_safety}, {"latency", load_latency}, {"procs", load_scaling},
    };
    const char *kind;
    int error = load_string(line, "kind", &kind);

    if (error)
        return error;
    if (strcmp(kind, "replay") == 0)
        return load_replay_line(m, pending, line);
    if (strcmp(kind, "fit") == 0)
        return load_fit_line(m, pending, line);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        if (strcmp(kind, table[i].kind) == 0)
            return table[i].load(m, line);
    return 0;
}

/* Cells ----------------------------------------------------------------------------------- */

report_cell *acre__report_cell(const report_model *m, size_t algorithm, size_t trace)
{
    return &m->cell[algorithm * m->n_traces + trace];
}

/* A block that was run again, after a resume, replaces its first run. */
static int load_place_sample(report_cell *c, const report_sample *s)
{
    report_sample *slot = NULL;

    for (size_t i = 0; i < c->n_samples; i++)
        if (c->sample[i].block == s->block)
            slot = &c->sample[i];
    if (!slot && !(slot = load_append(&c->sample, &c->n_samples, sizeof *slot)))
        return ENOMEM;
    *slot = *s;
    return 0;
}

static int load_place_replay(report_model *m, const load_replay *r)
{
    report_cell *c = acre__report_cell(m, r->algorithm, r->trace);

    if (r->status > c->status)
        c->status = r->status;      /* the worst: one failed run spoils a cell */
    if (r->status == REPORT_OK)
        return load_place_sample(c, &r->sample);
    if (isfinite(r->share))
        c->share = fmin(c->share, r->share);
    return 0;
}

static void load_place_fit(report_model *m, const load_fit *f)
{
    report_cell *c = acre__report_cell(m, f->algorithm, f->trace);

    c->fit = f->status;
    c->s_min = f->s_min;
    c->peak_live = f->peak_live;
    c->resident = f->resident;
}

static int load_place(report_model *m, const load_pending *pending)
{
    size_t cells = m->n_algorithms * m->n_traces;
    int error = 0;

    if (!(m->cell = calloc(cells + 1, sizeof *m->cell)))
        return ENOMEM;
    for (size_t i = 0; i < cells; i++)
        m->cell[i] = (report_cell){.share = 1, .s_min = NAN, .peak_live = NAN,
                                   .warm = NAN, .cold = NAN, .net = NAN, .iqr = NAN};
    for (size_t i = 0; i < pending->n_replays && !error; i++)
        error = load_place_replay(m, &pending->replay[i]);
    for (size_t i = 0; i < pending->n_fits; i++)
        load_place_fit(m, &pending->fit[i]);
    return error;
}

/* The file -------------------------------------------------------------------------------- */

static bool load_blank(const char *text, size_t n)
{
    return strspn(text, " \t\r\n") >= n;
}

static int load_one(report_model *m, load_pending *pending, load_line *line, const char *text,
                    size_t n)
{
    json_error_t why;
    int error;

    if (load_blank(text, n))
        return 0;
    line->object = json_loadb(text, n, 0, &why);
    if (!line->object)
        return acre__report_say(EBADMSG, "%s:%zu: damaged line: %s", line->path, line->number,
                                why.text);
    error = load_kind(m, pending, line);
    json_decref(line->object);
    return error;
}

static int load_lines(report_model *m, load_pending *pending, FILE *in, const char *path)
{
    load_line line = {path, 0, NULL};
    char *text = NULL;
    size_t room = 0;
    ssize_t n;
    int error = 0;

    while (!error && (n = getline(&text, &room, in)) >= 0) {
        line.number++;
        error = load_one(m, pending, &line, text, (size_t)n);
    }
    if (!error && ferror(in))
        error = acre__report_say(EIO, "%s: %s", path, strerror(EIO));
    free(text);
    return error;
}

/* ENOENT with a message if it is not there. */
static int load_file(report_model *m, load_pending *pending, const char *name)
{
    char path[4096];
    FILE *in;
    int error;

    snprintf(path, sizeof path, "%s/%s", m->dir, name);
    if (!(in = fopen(path, "r"))) {
        error = errno;
        return acre__report_say(error, "%s: %s", path, strerror(error));
    }
    error = load_lines(m, pending, in, path);
    fclose(in);
    return error;
}

static void load_release_live_costs(report_model *m)
{
    for (size_t i = 0; i < m->n_live_costs; i++)
        free(m->live_cost[i].growth);
    free(m->live_cost);
    m->live_cost = NULL;
    m->n_live_costs = 0;
}

/* What `make growth` measured further than the comparison did takes its place. */
static int load_growth(report_model *m, load_pending *pending)
{
    char path[4096];

    snprintf(path, sizeof path, "%s/growth.jsonl", m->dir);
    if (access(path, F_OK) != 0)
        return 0;
    load_release_live_costs(m);
    return load_file(m, pending, "growth.jsonl");
}

static void load_release_scalings(report_model *m)
{
    for (size_t i = 0; i < m->n_scalings; i++)
        free(m->scaling[i].pattern);
    free(m->scaling);
    m->scaling = NULL;
    m->n_scalings = 0;
}

/* So does what `acre procs -o` measured; how the rest was measured stays. */
static int load_procs(report_model *m, load_pending *pending)
{
    char path[4096];
    json_t *run = json_incref(m->run);
    int error = 0;

    snprintf(path, sizeof path, "%s/procs.jsonl", m->dir);
    if (access(path, F_OK) == 0) {
        load_release_scalings(m);
        error = load_file(m, pending, "procs.jsonl");
    }
    json_decref(m->run);
    m->run = run;
    return error;
}

int acre__report_load_procs(report_model *m)
{
    load_pending pending = {0};
    int error = load_file(m, &pending, "procs.jsonl");

    if (!error && m->n_scalings == 0)
        error = acre__report_say(EBADMSG, "%s/procs.jsonl: no result of processes at work", m->dir);
    free(pending.replay);
    free(pending.fit);
    return error;
}

int acre__report_load(report_model *m)
{
    load_pending pending = {0};
    int error = load_file(m, &pending, "results.jsonl");

    if (!error)
        error = load_growth(m, &pending);
    if (!error)
        error = load_procs(m, &pending);
    if (!error && pending.n_replays == 0)
        error = acre__report_say(EBADMSG, "%s/results.jsonl: no result of a replay in this file",
                                 m->dir);
    if (!error)
        error = load_place(m, &pending);
    free(pending.replay);
    free(pending.fit);
    return error;
}

static void load_release_timelines(report_model *m)
{
    for (size_t i = 0; i < m->n_timelines; i++) {
        free(m->timeline[i].op);
        free(m->timeline[i].live);
        free(m->timeline[i].used);
    }
    free(m->timeline);
}

void acre__report_release(report_model *m)
{
    for (size_t i = 0; m->cell && i < m->n_algorithms * m->n_traces; i++)
        free(m->cell[i].sample);
    for (size_t i = 0; i < m->n_algorithms; i++) {
        free(m->algorithm[i].name);
        free(m->algorithm[i].summary);
        free(m->algorithm[i].family);
        free(m->algorithm[i].skipped);
    }
    for (size_t i = 0; i < m->n_traces; i++) {
        free(m->trace[i].name);
        free(m->trace[i].program);
    }
    load_release_timelines(m);
    free(m->algorithm);
    free(m->trace);
    free(m->cell);
    load_release_live_costs(m);
    free(m->safety);
    load_release_scalings(m);
    for (size_t i = 0; i < m->n_latencies; i++) {
        free(m->latency[i].tail);
        free(m->latency[i].measured);
        free(m->latency[i].least);
    }
    free(m->latency);
    free(m->rank);
    free(m->original);
    json_decref(m->run);
    json_decref(m->crash);
}
