/* SPDX-License-Identifier: MIT */
/* micro.h: a micro benchmark's heap: any contender of this process. */
#ifndef ACRE_BENCH_MICRO_H
#define ACRE_BENCH_MICRO_H

#include "bench/bench.h"
#include "bench/contender.h"

enum { MICRO_SEGMENT_MIB = 512 };

/* One registered benchmark: a contender and two parameters. */
typedef struct micro {
    acre_contender contender;
    const acre_engine *engine;
    void *heap, *memory;
    bool open;
    size_t size, count; /* bytes of a block, number of blocks */
    void **block;       /* room for `count` addresses */
    uint32_t *order;    /* a random permutation of [0, count) */
} micro;

/* Registers NAME/PARAMETER/CONTENDER for each contender that can run in this process: all of
 * acre's algorithms, this process's malloc, and Boost if its library is there. */
void micro_add(const char *name, bench_function *run, size_t size, size_t count);

/* The same with a setup of its own, which begins with micro_open(). */
void micro_add_with(const char *name, bench_function *run, size_t size, size_t count,
                    bench_hook *setup);

/* Setup and teardown that micro_add() uses: an empty heap, and its end. */
void micro_open(void *context);
void micro_close(void *context);

/* Each suite's file has one of these; main() calls them all. */
void micro_alloc_free(void);
void micro_orders(void);
void micro_live(void);
void micro_walk(void);
void micro_names(void);

#endif
