/* SPDX-License-Identifier: MIT */
/* compare_run.c: running the cells of a plan that have no result yet. */
#include "bench/compare_internal.h"

#include "bench/worker.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { RUN_WIDTH = 16, RUN_LABEL = 64 };

typedef struct run_job {
    pid_t process; /* 0: free */
    json_t *cell;
} run_job;

typedef struct run {
    const acre_compare_options *o;
    const volatile int *interrupted;
    json_t *cells;
    json_t *slow; /* "trace\talgorithm" of those that were stopped once */
    run_job job[RUN_WIDTH];
    unsigned running;
    size_t done;
    int messages; /* descriptor of the workers' messages */
} run;

static bool run_is_alone(const json_t *cell)
{
    return json_is_true(json_object_get(cell, "alone"));
}

static const char *run_engine(const json_t *cell)
{
    return acre__compare_text(cell, "engine");
}

/* What could not finish once is not tried again, or it would take all the time: a replay in each
 * further block, a fit with other options (they change no block's place), more live blocks. */
static bool run_slow_key(const json_t *cell, char key[512])
{
    const char *algorithm = acre__compare_text(cell, "algorithm");
    bool fit = strcmp(run_engine(cell), "fit") == 0;
    int length = (int)(fit ? strcspn(algorithm, ":") : strlen(algorithm));
    snprintf(key, 512, "%s\t%.200s\t%.*s", run_engine(cell), acre__compare_text(cell, "trace"),
             length < 200 ? length : 200, algorithm);
    return fit || strcmp(run_engine(cell), "replay") == 0 ||
           strcmp(run_engine(cell), "live_cost") == 0;
}

static bool run_is_slow(const run *r, const json_t *cell)
{
    char key[512];
    return run_slow_key(cell, key) && json_object_get(r->slow, key);
}

static void run_learn(run *r, const json_t *cell, const json_t *result)
{
    char key[512];
    if (run_slow_key(cell, key) && strcmp(acre__compare_text(result, "status"), "ok"))
        json_object_set_new(r->slow, key, json_true());
}

/* A worker that died is a result, too. */
static void run_write_death(const json_t *cell, int status)
{
    char how[256], error[512];
    acre_worker_describe(status, how, sizeof how);
    json_t *line = json_pack("{s:s, s:s, s:s, s:f, s:o, s:o, s:o}", "kind", run_engine(cell),
                             "status", "failed", "error", how, "share", 0.0, "op", json_array(),
                             "live", json_array(), "used", json_array());
    static const char *const copied[] = {"trace", "algorithm", "block",     "position",
                                         "live",  "pattern",   "processes", "threads"};
    for (size_t i = 0; i < sizeof copied / sizeof *copied; i++)
        if (json_object_get(cell, copied[i]))
            json_object_set(line, copied[i], json_object_get(cell, copied[i]));
    json_t *lines = json_array();
    json_array_append_new(lines, line);
    acre__compare_write_lines(acre__compare_text(cell, "out"), lines, error, sizeof error);
    json_decref(lines);
}

static void run_finish(run *r, run_job *job, int status)
{
    json_t *result = acre__compare_result(job->cell);
    bool by_us = *r->interrupted || (WIFSIGNALED(status) && WTERMSIG(status) == SIGINT);
    if (!result && !by_us)
        run_write_death(job->cell, status);
    if (!result)
        result = acre__compare_result(job->cell);
    if (result)
        run_learn(r, job->cell, result);
    json_decref(result);
    job->process = 0;
    r->running--;
    r->done++;
}

static int run_wait(run *r)
{
    int status;
    pid_t p = waitpid(-1, &status, 0);
    if (p < 0)
        return errno == EINTR ? 0 : errno;
    for (unsigned i = 0; i < RUN_WIDTH; i++)
        if (r->job[i].process == p)
            run_finish(r, &r->job[i], status);
    return 0;
}

static int run_start(run *r, json_t *cell)
{
    run_job *job = r->job;
    while (job->process)
        job++;
    pid_t p = acre_worker_start(cell, -1, r->messages);
    if (p < 0)
        return errno;
    *job = (run_job){p, cell};
    r->running++;
    return 0;
}

static void run_show(const run *r, const json_t *cell)
{
    char label[RUN_LABEL];
    snprintf(label, sizeof label, "%.12s", run_engine(cell));
    r->o->progress(label, r->done, json_array_size(r->cells));
}

/* `width` cells at a time. */
static int run_phase(run *r, bool alone, unsigned width)
{
    int e = 0;
    for (size_t i = 0; i < json_array_size(r->cells) && !*r->interrupted && !e; i++) {
        json_t *cell = json_array_get(r->cells, i), *result;
        if (run_is_alone(cell) != alone)
            continue;
        run_show(r, cell);
        if ((result = acre__compare_result(cell))) {
            run_learn(r, cell, result);
            json_decref(result);
            r->done++;
        } else if (run_is_slow(r, cell)) {
            r->done++;
        } else {
            e = run_start(r, cell);
        }
        while (r->running >= width && !e && !*r->interrupted)
            e = run_wait(r);
    }
    while (r->running && !e && !*r->interrupted)
        e = run_wait(r);
    return e;
}

static void run_kill(run *r)
{
    for (unsigned i = 0; i < RUN_WIDTH; i++)
        if (r->job[i].process) {
            kill(r->job[i].process, SIGKILL);
            waitpid(r->job[i].process, NULL, 0);
        }
}

static unsigned run_cpus(void)
{
    long n = sysconf(_SC_NPROCESSORS_ONLN);
    return n < 1 ? 1 : n > RUN_WIDTH ? RUN_WIDTH : (unsigned)n;
}

static int run_all(run *r)
{
    int e = run_phase(r, true, 1);
    if (!e && !*r->interrupted)
        e = run_phase(r, false, run_cpus());
    if (e || *r->interrupted)
        run_kill(r);
    else
        r->o->progress("cells", json_array_size(r->cells), json_array_size(r->cells));
    return *r->interrupted ? EINTR : e;
}

int acre_compare_run(const acre_compare_options *o, const volatile int *interrupted, char *error,
                     size_t size)
{
    char path[COMPARE_PATH];
    run r = {.o = o, .interrupted = interrupted};
    acre__compare_path(path, o->dir, "plan.jsonl");
    r.cells = acre__compare_read_lines(path, error, size);
    if (!r.cells)
        return EIO;
    acre__compare_path(path, o->dir, "messages.log");
    r.messages = open(path, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
    r.slow = json_object();
    int e = run_all(&r);
    if (e)
        snprintf(error, size, "%s: %s", o->dir, e == EINTR ? "interrupted" : strerror(e));
    if (r.messages >= 0)
        close(r.messages);
    json_decref(r.slow);
    json_decref(r.cells);
    return e;
}
