/* SPDX-License-Identifier: MIT */
/* micro.c: registering micro benchmarks for every contender.
 *
 * Blocks are reached through the engine's single calls, one indirect call each, the same for
 * all: what is compared is allocators, not ways of calling. */
#include "bench/micro/micro.h"

#include "bench/fingerprint.h"
#include "bench/lab.h"

#include <acre/base.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const size_t micro_bytes = (size_t)MICRO_SEGMENT_MIB << 20;

static bool micro_arrays(micro *m)
{
    m->block = acre_lab_map(m->count * sizeof *m->block);
    m->order = acre_lab_map(m->count * sizeof *m->order);
    return m->block && m->order;
}

/* Fisher and Yates. */
static void micro_shuffle(micro *m)
{
    uint64_t random = m->count;
    for (size_t i = 0; i < m->count; i++) {
        size_t j = acre_lab_random(&random) % (i + 1);
        m->order[i] = m->order[j];
        m->order[j] = (uint32_t)i;
    }
}

void micro_open(void *context)
{
    micro *m = context;
    m->memory = acre_lab_map_segment(micro_bytes);
    if (!m->memory || !micro_arrays(m)) {
        bench_skip("no memory");
        return;
    }
    micro_shuffle(m);
    int e =
        m->engine->open(&m->heap, m->contender.name, m->contender.options, m->memory, micro_bytes);
    if (e)
        bench_skip(acre_strerror(e));
    m->open = e == 0;
}

/* A segment is thrown away as a whole; a malloc gets its blocks back. */
static void micro_free_all(micro *m)
{
    for (size_t i = 0; i < m->count; i++)
        if (m->block[i])
            m->engine->free(m->heap, m->block[i]);
}

void micro_close(void *context)
{
    micro *m = context;
    if (m->open && !(m->engine->flags & ACRE_ENGINE_SEGMENT))
        micro_free_all(m);
    if (m->open)
        m->engine->close(m->heap);
    m->open = false;
    acre_lab_unmap(m->memory, micro_bytes);
    acre_lab_unmap(m->block, m->count * sizeof *m->block);
    acre_lab_unmap(m->order, m->count * sizeof *m->order);
}

static void micro_add_one(const char *name, bench_function *run, const micro *pattern,
                          bench_hook *setup)
{
    micro *m = malloc(sizeof *m);
    char full[128];
    if (!m)
        return;
    *m = *pattern;
    snprintf(full, sizeof full, "%.40s/%.80s", name, m->contender.spec);
    bench_setup(bench_add(full, run, m), setup, micro_close);
}

/* Mallocs that must be preloaded are measured by running acre-bench under LD_PRELOAD. */
static bool micro_can_run(const acre_contender *c)
{
    char reason[256];
    return c->family != ACRE_FAMILY_REFERENCE && !c->library &&
           !acre_contender_missing(c, reason, sizeof reason);
}

void micro_add_with(const char *name, bench_function *run, size_t size, size_t count,
                    bench_hook *setup)
{
    micro m = {.size = size, .count = count};
    for (size_t i = 0; acre_contender_at(&m.contender, i); i++)
        if (micro_can_run(&m.contender)) {
            m.engine = acre_contender_engine(&m.contender);
            micro_add_one(name, run, &m, setup);
        }
}

void micro_add(const char *name, bench_function *run, size_t size, size_t count)
{
    micro_add_with(name, run, size, count, micro_open);
}

int main(int argc, char **argv)
{
    bench_context("commit", acre_fingerprint_commit());
    micro_alloc_free();
    micro_orders();
    micro_live();
    micro_walk();
    micro_names();
    return bench_main(argc, argv);
}
