/* SPDX-License-Identifier: MIT */
/* bench.h: Google Benchmark for C.
 *
 *     static void spin(void *context, size_t n)      // n rounds, timed as a whole
 *     {
 *         for (size_t i = 0; i < n; i++) …
 *     }
 *     bench_add("spin/10", spin, &ten);
 *
 * The rounds are counted in C: no call crosses between the languages while the clock runs.
 * bench_main() takes Google Benchmark's flags (--benchmark_filter=…, --benchmark_out=FILE …). */
#ifndef ACRE_BENCH_BENCH_H
#define ACRE_BENCH_BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Does n rounds. */
typedef void bench_function(void *context, size_t n);

/* Called before and after the rounds of each run, outside the clock.  bench_skip() may be called
 * in setup. */
typedef void bench_hook(void *context);

typedef struct bench bench;

/* Registers a benchmark; `context` must stay valid until bench_main() returns.  The handle belongs
 * to the library. */
bench *bench_add(const char *name, bench_function *run, void *context);

/* Settings; each returns its argument. */
bench *bench_setup(bench *b, bench_hook *setup, bench_hook *teardown);
bench *bench_threads(bench *b, int threads);
bench *bench_iterations(bench *b, size_t n); /* exactly; 0: as many as the time needs */
bench *bench_repetitions(bench *b, int n);
bench *bench_min_time(bench *b, double seconds);
bench *bench_real_time(bench *b);   /* judge by wall time, not CPU time */
bench *bench_manual_time(bench *b); /* by what bench_round_seconds() is told */

/* Inside bench_function and hooks of the running benchmark. */
enum bench_counter_flags {
    BENCH_PLAIN = 0,
    BENCH_RATE = 1,
    BENCH_PER_THREAD = 2,
    BENCH_INVERT = 4
};
void bench_counter(const char *name, double value, int flags);
void bench_items(uint64_t n); /* done in all rounds: shown per second */
/* The same for rounds whose wall time the caller took: bench_real_time() would lengthen the name. */
void bench_items_in(uint64_t n, double seconds);
void bench_bytes(uint64_t n);
void bench_label(const char *text);
void bench_skip(const char *reason); /* this benchmark cannot be run here */
void bench_round_seconds(double s);  /* bench_manual_time: what the n rounds took */
int bench_thread_index(void);
int bench_thread_count(void);

/* A line of the report's context. */
void bench_context(const char *key, const char *value);

/* Runs what --benchmark_filter selects.  Exit status: 0, or 2 for an unknown flag. */
int bench_main(int argc, char **argv);

/* The value is used: the compiler must compute it. */
#define BENCH_KEEP(x) __asm__ volatile("" : : "r,m"(x) : "memory")

#ifdef __cplusplus
}
#endif
#endif
