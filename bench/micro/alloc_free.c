/* SPDX-License-Identifier: MIT */
/* alloc_free.c: one block at a time: by size, aligned, resized. */
#include "bench/micro/micro.h"

#include <stdio.h>

static void alloc_free_plain(void *context, size_t n)
{
    micro *m = context;
    for (size_t i = 0; i < n; i++) {
        void *p = m->engine->alloc(m->heap, m->size);
        *(volatile char *)p = 1;
        m->engine->free(m->heap, p);
    }
    bench_items(n);
}

/* The size is the alignment, too. */
static void alloc_free_aligned(void *context, size_t n)
{
    micro *m = context;
    for (size_t i = 0; i < n; i++) {
        void *p = m->engine->aligned(m->heap, m->size, m->size);
        *(volatile char *)p = 1;
        m->engine->free(m->heap, p);
    }
    bench_items(n);
}

/* A block between half its size and all of it: n changes. */
static void alloc_free_resize(void *context, size_t n)
{
    micro *m = context;
    void *p = m->engine->alloc(m->heap, m->size);
    for (size_t i = 0; i < n; i++) {
        p = m->engine->realloc(m->heap, p, i & 1 ? m->size : m->size / 2);
        *(volatile char *)p = 1;
    }
    m->engine->free(m->heap, p);
    bench_items(n);
}

/* A block that grows by 64 bytes up to its size, like an array that is appended to. */
static void alloc_free_grow(void *context, size_t n)
{
    micro *m = context;
    void *p = NULL;
    size_t size = 0;
    for (size_t i = 0; i < n; i++) {
        size += 64;
        p = p ? m->engine->realloc(m->heap, p, size) : m->engine->alloc(m->heap, size);
        *(volatile char *)p = 1;
        if (size == m->size) {
            m->engine->free(m->heap, p);
            p = NULL;
            size = 0;
        }
    }
    if (p)
        m->engine->free(m->heap, p);
    bench_items(n);
}

static void alloc_free_sizes(const char *name, bench_function *run, size_t from, size_t to,
                             size_t factor)
{
    char full[64];
    for (size_t size = from; size <= to; size *= factor) {
        snprintf(full, sizeof full, "%s/%zu", name, size);
        micro_add(full, run, size, 1);
    }
}

void micro_alloc_free(void)
{
    alloc_free_sizes("alloc_free", alloc_free_plain, 8, 65536, 2);
    alloc_free_sizes("aligned", alloc_free_aligned, 64, 65536, 8);
    alloc_free_sizes("resize", alloc_free_resize, 64, 65536, 8);
    alloc_free_sizes("grow", alloc_free_grow, 4096, 65536, 4);
}
