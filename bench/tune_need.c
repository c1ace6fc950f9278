/* SPDX-License-Identifier: MIT */
/* tune_need.c: what a trace has live of each size, when it counts.
 *
 * One walk over the image keeps the numbers of now; a look copies them.  For the mean, a size's numbers
 * are added up whenever they change, times the operations for which they stood. */
#include "bench/tune.h"

#include "bench/lab.h"

#include <errno.h>
#include <string.h>

/* A block that stands alone: 8 bytes of header, units of 16. */
enum { NEED_HEADER = 8 };

typedef struct need_walk {
    const acre_image *m;
    acre_tune_need *n;
    enum acre_tune_weight weight;
    acre_tune_moment now;
    uint64_t since[ACRE_TUNE_UNITS + 1]; /* mean: operation since which `now` stands */
    uint64_t op;                         /* operations done */
    uint64_t *size;                      /* of each slot's object; 0: none, or none that counts */
} need_walk;

const char *acre_tune_weight_name(size_t weight)
{
    static const char *const name[ACRE_TUNE_WEIGHTS] = {"peak", "mean", "held"};
    return weight < ACRE_TUNE_WEIGHTS ? name[weight] : NULL;
}

static size_t need_units(uint64_t size)
{
    return (size_t)((size + ACRE_TUNE_UNIT - 1) / ACRE_TUNE_UNIT);
}

static double need_alone(uint64_t size)
{
    return (double)(need_units(size + NEED_HEADER) * ACRE_TUNE_UNIT);
}

/* Add what stood since the last change. */
static void need_settle(need_walk *w, size_t units)
{
    acre_tune_moment *sum = &w->n->moment[0];
    double ops = (double)(w->op - w->since[units]);
    sum->objects[units] += ops * w->now.objects[units];
    sum->asked[units] += ops * w->now.asked[units];
    sum->alone[units] += ops * w->now.alone[units];
    w->since[units] = w->op;
}

/* An object of this size begins (sign 1) or ends (-1). */
static void need_change(need_walk *w, uint64_t size, double sign)
{
    size_t units = need_units(size);
    if (w->weight == ACRE_TUNE_MEAN)
        need_settle(w, units);
    w->now.objects[units] += sign;
    w->now.asked[units] += sign * (double)size;
    w->now.alone[units] += sign * need_alone(size);
}

static void need_begin(need_walk *w, const acre_image_op *o, uint64_t size)
{
    bool over_aligned = o->op == ACRE_OP_ALIGNED && (1u << o->align_log2) > ACRE_TUNE_UNIT;
    w->n->born++;
    if (size > ACRE_TUNE_LARGEST || over_aligned)
        return;
    w->size[o->slot] = size;
    w->n->born_of[need_units(size)]++;
    need_change(w, size, 1);
}

static void need_one(need_walk *w, size_t entry)
{
    const acre_image_op *o = &w->m->ops[entry];
    uint64_t *old = &w->size[o->slot];
    if (*old)
        need_change(w, *old, -1);
    *old = 0;
    if (o->op > ACRE_OP_FREE_NULL)
        need_begin(w, o, acre_image_size_at(w->m, entry));
}

static void need_look(need_walk *w, size_t moment)
{
    w->n->moment[moment] = w->now;
}

/* Moment 0 is the peak, or the mean; others only if asked for. */
static void need_walk_all(need_walk *w)
{
    size_t looks = w->weight == ACRE_TUNE_HELD ? ACRE_TUNE_LOOKS : 0, taken = 0;
    size_t end = w->m->h->n_entries;
    for (size_t i = 0; i < end;) {
        need_one(w, i);
        w->op++;
        i += acre_image_width(w->m, i);
        if (i == w->m->h->peak_entry && w->weight != ACRE_TUNE_MEAN)
            need_look(w, 0);
        if (taken < looks && i * looks >= (taken + 1) * end)
            need_look(w, 1 + taken++);
    }
}

static void need_finish_mean(need_walk *w)
{
    acre_tune_moment *sum = &w->n->moment[0];
    for (size_t u = 0; u <= ACRE_TUNE_UNITS; u++) {
        need_settle(w, u);
        if (!w->op)
            continue;
        sum->objects[u] /= (double)w->op;
        sum->asked[u] /= (double)w->op;
        sum->alone[u] /= (double)w->op;
    }
}

static size_t need_slot_bytes(const acre_image *m)
{
    return (m->h->n_slots + 1) * sizeof(uint64_t);
}

int acre_tune_need_of(const acre_image *m, enum acre_tune_weight weight, acre_tune_need *n)
{
    *n = (acre_tune_need){.peak_live = (double)m->h->peak_live,
                          .moments = weight == ACRE_TUNE_HELD ? 1 + ACRE_TUNE_LOOKS : 1};
    n->moment = acre_lab_map(n->moments * sizeof *n->moment);
    need_walk w = {.m = m, .n = n, .weight = weight, .size = acre_lab_map(need_slot_bytes(m))};
    if (n->moment && w.size) {
        need_walk_all(&w);
        if (weight == ACRE_TUNE_MEAN)
            need_finish_mean(&w);
    }
    bool ok = n->moment && w.size;
    if (w.size)
        acre_lab_unmap(w.size, need_slot_bytes(m));
    if (!ok)
        acre_tune_need_release(n);
    return ok ? 0 : ENOMEM;
}

void acre_tune_need_release(acre_tune_need *n)
{
    if (n->moment)
        acre_lab_unmap(n->moment, n->moments * sizeof *n->moment);
    memset(n, 0, sizeof *n);
}
