/* SPDX-License-Identifier: MIT */
/* replay_latency.c: how long single operations take.
 *
 *   pass 0   not timed: pages become present
 *   pass 1…  each operation between two readings of the clock; the heap is emptied between passes
 *
 * `measured` is the last pass: algorithm, interrupts and other processes together.  `least` takes for
 * each operation the least of all passes: an interruption hits another operation each time, what the
 * algorithm itself has to do comes again.  What two readings cost with nothing between them is taken
 * off. */
#include "bench/replay.h"

#include "bench/lab.h"

#include <errno.h>
#include <math.h>
#include <stdlib.h>

#ifdef __x86_64__
#include <x86intrin.h>
static inline uint64_t latency_now(void)
{
    unsigned cpu;
    uint64_t t = __rdtscp(&cpu);
    _mm_lfence();
    return t;
}
#else
static inline uint64_t latency_now(void)
{
    return acre_lab_now_ns();
}
#endif

enum { LATENCY_EMPTY = 4001 };

typedef struct latency {
    acre_replay r;
    uint32_t *last, *least; /* ticks, by operation */
    size_t n;
    uint64_t deadline;
} latency;

static int latency_compare(const void *a, const void *b)
{
    uint32_t x = *(const uint32_t *)a, y = *(const uint32_t *)b;
    return (x > y) - (x < y);
}

/* Ticks of nothing: the median of many. */
static uint32_t latency_overhead(void)
{
    static uint32_t t[LATENCY_EMPTY];
    for (int i = 0; i < LATENCY_EMPTY; i++) {
        uint64_t start = latency_now();
        t[i] = (uint32_t)(latency_now() - start);
    }
    qsort(t, LATENCY_EMPTY, sizeof *t, latency_compare);
    return t[LATENCY_EMPTY / 2];
}

static double latency_ticks_per_ns(void)
{
    uint64_t ns = acre_lab_now_ns(), ticks = latency_now(), now;
    while ((now = acre_lab_now_ns()) - ns < 20000000)
        continue;
    return (double)(latency_now() - ticks) / (double)(now - ns);
}

static void *latency_call(const acre_replay *r, size_t entry, size_t size, void *old)
{
    const acre_engine *x = r->engine;
    const acre_image_op *o = &r->image->ops[entry];
    switch (o->op) {
    case ACRE_OP_MALLOC:
        return x->alloc(r->tape.heap, size);
    case ACRE_OP_CALLOC:
        return x->calloc(r->tape.heap, size);
    case ACRE_OP_REALLOC:
        return x->realloc(r->tape.heap, old, size);
    case ACRE_OP_ALIGNED:
        return x->aligned(r->tape.heap, size, (size_t)1 << o->align_log2);
    default:
        x->free(r->tape.heap, o->op == ACRE_OP_FREE ? old : NULL);
        return NULL;
    }
}

static void latency_note(latency *l, size_t op, uint64_t ticks, bool first)
{
    l->last[op] = ticks < UINT32_MAX ? (uint32_t)ticks : UINT32_MAX;
    if (first || l->last[op] < l->least[op])
        l->least[op] = l->last[op];
}

static enum acre_replay_status latency_pass(latency *l, bool first)
{
    const acre_image *m = l->r.image;
    size_t op = 0;
    for (size_t i = 0; i < m->h->n_entries; i += acre_image_width(m, i), op++) {
        bool makes = m->ops[i].op > ACRE_OP_FREE_NULL;
        size_t size = makes ? acre_image_size_at(m, i) : 0;
        void **slot = &l->r.tape.slots[m->ops[i].slot], *old = *slot;
        uint64_t start = latency_now();
        void *p = latency_call(&l->r, i, size, old);
        latency_note(l, op, latency_now() - start, first);
        if (makes && !p)
            return ACRE_REPLAY_FAILED;
        *slot = p;
        if (p)
            *(volatile char *)p = 1;
        if (op % 1024 == 0 && l->deadline && acre_lab_now_ns() > l->deadline)
            return ACRE_REPLAY_STOPPED;
    }
    l->n = op;
    l->r.at = m->h->n_entries;
    return ACRE_REPLAY_OK;
}

static double latency_at(const uint32_t *sorted, size_t n, double tail, uint32_t overhead,
                         double ticks_per_ns)
{
    size_t above = (size_t)(tail * (double)n);
    uint32_t t = sorted[n - 1 - (above < n ? above : n - 1)];
    return t > overhead ? (t - overhead) / ticks_per_ns : 0;
}

static void latency_fill(latency *l, acre_latency *out)
{
    static const double tail[ACRE_LATENCY_POINTS] = {0.5, 0.01, 0.001, 0.0001, 0};
    uint32_t overhead = latency_overhead();
    double rate = latency_ticks_per_ns();
    qsort(l->last, l->n, sizeof *l->last, latency_compare);
    qsort(l->least, l->n, sizeof *l->least, latency_compare);
    for (int i = 0; i < ACRE_LATENCY_POINTS; i++) {
        out->measured[i] = latency_at(l->last, l->n, tail[i], overhead, rate);
        out->least[i] = latency_at(l->least, l->n, tail[i], overhead, rate);
    }
    out->clock_ns = overhead / rate;
    for (int i = 0; i < ACRE_LATENCY_CURVE; i++) {
        static const double part[] = {1, 0.5, 0.2};
        double t = part[i % 3] * pow(10, -(i / 3));
        bool last = t * (double)l->n < 2 || i == ACRE_LATENCY_CURVE - 1;
        t = last ? 0 : t;
        out->tail[i] = last ? 1.0 / (double)l->n : t; /* the worst is one of n */
        out->curve_measured[i] = latency_at(l->last, l->n, t, overhead, rate);
        out->curve_least[i] = latency_at(l->least, l->n, t, overhead, rate);
        out->points = (size_t)i + 1;
        if (last)
            break;
    }
}

static void latency_run(latency *l, acre_latency *out)
{
    acre_pass cold =
        acre_replay_run(&l->r, 0, l->r.image->h->n_entries, ACRE_TOUCH_LINE, l->deadline);
    out->status = cold.status;
    while (out->status == ACRE_REPLAY_OK && out->passes < ACRE_LATENCY_PASSES) {
        acre_replay_drain(&l->r);
        out->status = latency_pass(l, out->passes == 0);
        out->passes += out->status == ACRE_REPLAY_OK;
    }
    if (out->status == ACRE_REPLAY_OK && l->n)
        latency_fill(l, out);
}

int acre_replay_latency(const acre_image *m, const acre_contender *c, uint64_t budget_ns,
                        acre_latency *out)
{
    size_t bytes = (m->h->n_entries + 1) * sizeof(uint32_t);
    latency l = {.last = acre_lab_map(bytes), .least = acre_lab_map(bytes)};
    int e = l.last && l.least ? acre_replay_open(&l.r, m, c, acre_replay_room(m)) : ENOMEM;
    if (!e) {
        *out = (acre_latency){0};
        acre_lab_populate(l.last, bytes);
        acre_lab_populate(l.least, bytes);
        l.deadline = budget_ns ? acre_lab_now_ns() + budget_ns : 0;
        latency_run(&l, out);
        if (l.r.engine->flags & ACRE_ENGINE_SEGMENT || out->status == ACRE_REPLAY_OK)
            acre_replay_close(&l.r);
    }
    acre_lab_unmap(l.last, bytes);
    acre_lab_unmap(l.least, bytes);
    return e;
}
