/* SPDX-License-Identifier: MIT */
/* worker.h: running cells in fresh processes of this executable. */
#ifndef ACRE_BENCH_WORKER_H
#define ACRE_BENCH_WORKER_H

#include <jansson.h>
#include <stddef.h>
#include <sys/types.h>

/* Starts "/proc/self/exe cell PLAN"; it dies with this process.  Its standard output goes to
 * descriptor `out` and its messages to `messages`, each unless -1.  The process, or -1. */
pid_t acre_worker_start(const json_t *plan, int out, int messages);

/* Runs the cell and waits for it.  0 with *result (a new reference); EINVAL: it said on standard
 * error why it cannot be run; EIO: it died, *error tells how. */
int acre_worker_run(const json_t *plan, json_t **result, char *error, size_t size);

/* "killed by signal 11 (Segmentation fault)", or "exit status 3". */
void acre_worker_describe(int status, char *text, size_t size);

/* "sqlite3" of "traces/sqlite3.acr". */
void acre_trace_name(const char *file, char *name, size_t size);

#endif
