/* SPDX-License-Identifier: MIT */
/* walk.c: a list whose nodes lie in random order is walked: what each kind of pointer costs.
 *
 * One round is one step.  A node is a cache line, so that the next one is never at hand by chance, and
 * each step waits for the one before: what a pointer adds between loading a word and having an address
 * is seen in full.  Where the list does not fit into caches, memory is what is waited for. */
#include "bench/micro/micro.h"

#include "bench/boost_walk.h"
#include "bench/lab.h"
#include "bench/library.h"

#include <acre/pointer.h>

#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

/* A node has its link in each form; a walk uses one. */
typedef struct walk_node {
    boost_walk_node boost; /* first: the same address; its value is everybody's */
    struct walk_node *raw;
    acre_ptr(struct walk_node) self;
    acre_rel(struct walk_node) rel;
    acre_rel32(struct walk_node) rel32;
} __attribute__((aligned(64))) walk_node;

typedef struct walk {
    size_t count;     /* nodes in the list; node[0] is the base, not one of them */
    walk_node *node;  /* count + 1 */
    walk_node *first; /* the list ends with null */
} walk;

static const boost_walk *walk_boost; /* NULL: not built */

static size_t walk_bytes(const walk *w)
{
    return (w->count + 1) * sizeof(walk_node);
}

static void walk_link(walk_node *base, walk_node *from, walk_node *to)
{
    from->raw = to;
    acre_set(from->self, to);
    acre_rel_set(from->rel, base, to);
    if (!acre_rel32_set(from->rel32, base, to))
        bench_skip("out of reach");
    if (walk_boost)
        walk_boost->link(&from->boost, to ? &to->boost : NULL);
}

/* Fisher and Yates, on an order that is thrown away. */
static uint32_t *walk_order(size_t count)
{
    uint64_t random = count;
    uint32_t *order = acre_lab_map(count * sizeof *order);
    for (size_t i = 0; order && i < count; i++) {
        size_t j = acre_lab_random(&random) % (i + 1);
        order[i] = order[j];
        order[j] = (uint32_t)i + 1;
    }
    return order;
}

static void walk_open(void *context)
{
    walk *w = context;
    uint32_t *order = walk_order(w->count);
    w->node = acre_lab_map(walk_bytes(w));
    if (!w->node || !order) {
        bench_skip("no memory");
        return;
    }
    w->first = NULL;
    for (size_t i = 0; i < w->count; i++) {
        walk_node *n = &w->node[order[i]];
        n->boost.value = order[i];
        walk_link(w->node, n, w->first);
        w->first = n;
    }
    acre_lab_unmap(order, w->count * sizeof *order);
}

static void walk_close(void *context)
{
    walk *w = context;
    acre_lab_unmap(w->node, walk_bytes(w));
}

/* Each is the loop that one writes; n is left off in the middle of a list. */
#define WALK(name, next)                                                                           \
    static void walk_##name(void *context, size_t n)                                               \
    {                                                                                              \
        walk *w = context;                                                                         \
        const walk_node *base = w->node;                                                           \
        uint32_t sum = 0;                                                                          \
        (void)base;                                                                                \
        for (size_t left = n; left;)                                                               \
            for (const walk_node *m = w->first; m && left; m = next, left--)                       \
                sum += m->boost.value;                                                             \
        BENCH_KEEP(sum);                                                                           \
        bench_items(n);                                                                            \
    }

WALK(raw, m->raw)
WALK(ptr, acre_get(m->self))
WALK(rel, acre_rel_get(m->rel, base))
WALK(rel32, acre_rel32_get(m->rel32, base))

static void walk_offset_ptr(void *context, size_t n)
{
    walk *w = context;
    uint32_t sum = walk_boost->run(&w->first->boost, n);
    BENCH_KEEP(sum);
    bench_items(n);
}

static void walk_find_boost(void)
{
    void *library = acre_library_load("libacre_boost.so");
    acre_boost_walk_function *get;
    *(void **)&get = library ? dlsym(library, "acre_boost_walk") : NULL;
    walk_boost = get ? get() : NULL;
}

static void walk_add(const char *size, const char *kind, bench_function *run, size_t bytes)
{
    walk *w = malloc(sizeof *w);
    char full[64];
    if (!w)
        return;
    *w = (walk){.count = bytes / sizeof(walk_node)};
    snprintf(full, sizeof full, "walk/%s/%s", size, kind);
    bench_setup(bench_add(full, run, w), walk_open, walk_close);
}

void micro_walk(void)
{
    static const struct {
        const char *name;
        size_t bytes;
    } size[] = {{"16KiB", 16 << 10}, {"256KiB", 256 << 10}, {"128MiB", 128 << 20}};
    walk_find_boost();
    for (size_t s = 0; s < 3; s++) {
        walk_add(size[s].name, "raw", walk_raw, size[s].bytes);
        walk_add(size[s].name, "acre_ptr", walk_ptr, size[s].bytes);
        walk_add(size[s].name, "acre_rel", walk_rel, size[s].bytes);
        walk_add(size[s].name, "acre_rel32", walk_rel32, size[s].bytes);
        if (walk_boost)
            walk_add(size[s].name, "offset_ptr", walk_offset_ptr, size[s].bytes);
    }
}
