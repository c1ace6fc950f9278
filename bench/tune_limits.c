/* SPDX-License-Identifier: MIT */
/* tune_limits.c: which classes an algorithm has, and which it would take: heaps are made and asked. */
#include "bench/tune.h"

#include "bench/lab.h"

#include <acre/alloc.h>
#include <acre/segment.h>
#include <errno.h>

/* Large enough that no algorithm saves on classes; no page of it is touched but the first few. */
enum { LIMITS_SEGMENT = 1 << 26 };

typedef struct limits_probe {
    const acre_algorithm *algorithm;
    acre_heap_options options;
    void *memory;
} limits_probe;

/* The classes of a heap with the probe's options. */
static int limits_ask(const limits_probe *p, acre_tune_table *t)
{
    acre_segment *s;
    acre_segment_options o = {
        .size = LIMITS_SEGMENT, .algorithm = p->algorithm, .heap = p->options, .buffer = p->memory};
    int e = acre_segment_create(&s, ACRE_BUFFER, NULL, &o);
    if (e)
        return e;
    acre_heap_options has = acre_heap_options_of(acre_segment_heap(s));
    for (t->n = 0; t->n < ACRE_CLASSES && has.class_size[t->n]; t->n++)
        t->size[t->n] = has.class_size[t->n];
    acre_segment_close(s);
    return 0;
}

/* The largest multiple of the unit that a heap with this class alone has as a class. */
static int limits_largest(limits_probe *p, uint32_t *largest)
{
    uint32_t lo = 0, hi = ACRE_TUNE_UNITS + 1; /* units: taken, refused */
    int e = 0;
    while (!e && hi - lo > 1) {
        uint32_t middle = lo + (hi - lo) / 2;
        acre_tune_table t;
        p->options.class_size[0] = middle * ACRE_TUNE_UNIT;
        p->options.class_size[1] = 0;
        e = limits_ask(p, &t);
        if (!e)
            *(t.n == 1 && t.size[0] == middle * ACRE_TUNE_UNIT ? &lo : &hi) = middle;
    }
    *largest = lo * ACRE_TUNE_UNIT;
    return e;
}

/* How many are left of as many as can be asked for. */
static int limits_most(limits_probe *p, uint32_t largest, size_t *most)
{
    acre_tune_table t;
    uint32_t i = 0;
    while (i < ACRE_CLASSES - 1 && (i + 1) * ACRE_TUNE_UNIT <= largest) {
        p->options.class_size[i] = (i + 1) * ACRE_TUNE_UNIT;
        i++;
    }
    p->options.class_size[i] = 0;
    int e = limits_ask(p, &t);
    *most = e ? 0 : t.n;
    return e;
}

int acre_tune_limits_of(const acre_algorithm *a, const acre_heap_options *o, acre_tune_limits *l)
{
    limits_probe p = {a, *o, NULL};
    if (!a->classes)
        return ENOTSUP;
    p.memory = acre_lab_map_segment(LIMITS_SEGMENT);
    if (!p.memory)
        return ENOMEM;
    int e = limits_ask(&p, &l->standard);
    if (!e)
        e = limits_largest(&p, &l->largest);
    if (!e)
        e = limits_most(&p, l->largest, &l->most);
    acre_lab_unmap(p.memory, LIMITS_SEGMENT);
    return e;
}
