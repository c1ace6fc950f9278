/* SPDX-License-Identifier: MIT */
/* replay_fit.c: S_min, the smallest segment in which a trace succeeds.
 *
 * Whether it succeeds does not depend on the size monotonically: a larger segment can place
 * blocks so that a later one does not fit.  So after the bisection three further sizes must
 * succeed; if one fails, the search goes on above it. */
#include "bench/replay.h"

#include "bench/lab.h"

#include <errno.h>
#include <math.h>

enum {
    FIT_CONFIRM = 3,     /* sizes above the found one that must succeed too */
    FIT_USUAL_TRIES = 6, /* for the share that is told when the search was stopped */
    FIT_HOPELESS = 6,    /* part of the budget that the first pass may take */
    FIT_SAMPLES = 256    /* looks at the resident set in one pass */
};

typedef struct fit_search {
    acre_replay r;
    uint64_t deadline;
    acre_fit *out;
    long lo, hi; /* of the grid: lo fails, hi succeeds */
} fit_search;

uint64_t acre_fit_grid(uint64_t peak_live, unsigned i)
{
    double size = (double)peak_live * pow(1.004, i);
    return ((uint64_t)size + 63) & ~(uint64_t)63;
}

static uint64_t fit_size(const fit_search *f, long i)
{
    return acre_fit_grid(f->r.image->h->peak_live, (unsigned)i);
}

/* The first size of the grid that is not below `bytes`. */
static long fit_index(const fit_search *f, uint64_t bytes)
{
    long i = 0;
    while (fit_size(f, i) < bytes)
        i++;
    return i;
}

static void fit_note(fit_search *f, uint64_t size)
{
    if (!f->out->enough || size < f->out->enough)
        f->out->enough = size;
}

/* 1: the trace succeeds at size i, 0: it does not, -1: out of time. */
static int fit_try(fit_search *f, long i)
{
    uint64_t size = fit_size(f, i);
    f->out->tries++;
    if (acre_replay_reopen(&f->r, size))
        return 0;
    acre_pass p = acre_replay_run(&f->r, 0, f->r.image->h->n_entries, ACRE_TOUCH_NONE, f->deadline);
    if (p.status == ACRE_REPLAY_STOPPED)
        return -1;
    if (p.status == ACRE_REPLAY_OK)
        fit_note(f, size);
    return p.status == ACRE_REPLAY_OK;
}

/* Sets hi to a size above lo that succeeds, in steps that double.  1, 0: there is none, -1. */
static int fit_gallop(fit_search *f, long from)
{
    for (long step = 1;; step *= 2) {
        if (fit_size(f, from) > f->r.bytes)
            return 0;
        int fits = fit_try(f, from);
        if (fits) {
            f->hi = from;
            return fits;
        }
        f->lo = from;
        from += step;
    }
}

/* Downwards from hi in steps that double, until one fails: S_min is mostly near the guess. */
static int fit_descend(fit_search *f)
{
    for (long step = 1; f->hi - step > f->lo; step *= 2) {
        int fits = fit_try(f, f->hi - step);
        if (fits < 0)
            return -1;
        if (!fits) {
            f->lo = f->hi - step;
            break;
        }
        f->hi -= step;
    }
    return 1;
}

static int fit_bisect(fit_search *f)
{
    while (f->hi - f->lo > 1) {
        long middle = f->lo + (f->hi - f->lo) / 2;
        int fits = fit_try(f, middle);
        if (fits < 0)
            return -1;
        *(fits ? &f->hi : &f->lo) = middle;
    }
    return 1;
}

/* 1: the sizes above hi succeed too; 0: one does not, and is lo now; -1. */
static int fit_confirm(fit_search *f)
{
    for (long i = f->hi + 1; i <= f->hi + FIT_CONFIRM; i++) {
        int fits = fit_try(f, i);
        if (fits == 0)
            f->lo = i;
        if (fits <= 0)
            return fits;
    }
    return 1;
}

static int fit_find(fit_search *f, uint64_t start)
{
    f->lo = -1; /* less than the live bytes */
    long from = fit_index(f, start);
    if (fit_size(f, from) > f->r.bytes) /* who cuts small chunks first may use the very end */
        from--;
    int ok = fit_gallop(f, from);
    if (ok > 0)
        ok = fit_descend(f);
    while (ok > 0) {
        ok = fit_bisect(f);
        if (ok < 0)
            break;
        ok = fit_confirm(f);
        if (ok)
            break;
        ok = fit_gallop(f, f->lo + 1);
    }
    return ok;
}

/* What a wide segment shows to be in use: the first guess. */
static acre_pass fit_guess(fit_search *f, uint64_t deadline, uint64_t *guess)
{
    acre_replay *r = &f->r;
    if (!r->engine->high_water)
        return acre_replay_reach(r, deadline, guess);
    acre_pass p = acre_replay_run(r, 0, r->image->h->n_entries, ACRE_TOUCH_NONE, deadline);
    *guess = r->engine->high_water(r->tape.heap);
    return p;
}

/* Who takes a large part of the time for the guess alone would not come to an end. */
static int fit_segment(fit_search *f)
{
    uint64_t now = acre_lab_now_ns(), guess;
    acre_pass p = fit_guess(f, f->deadline ? now + (f->deadline - now) / FIT_HOPELESS : 0, &guess);
    f->out->share = acre_replay_share(f->r.image, p.entry) / FIT_USUAL_TRIES;
    if (p.status != ACRE_REPLAY_OK)
        return p.status == ACRE_REPLAY_STOPPED ? -1 : 0;
    return fit_find(f, guess);
}

/* A malloc has no segment: what it makes resident is what it needs. */
static int fit_resident(fit_search *f)
{
    acre_replay *r = &f->r;
    uint64_t before = acre_lab_resident(), peak = before;
    size_t end = r->image->h->n_entries, at = 0;
    for (unsigned i = 1; at < end; i++) {
        size_t stop = end * i / FIT_SAMPLES, top = r->image->h->peak_entry;
        stop = at < top && top < stop ? top : stop;
        acre_pass p = acre_replay_run(r, at, stop, ACRE_TOUCH_PAGE, f->deadline);
        if (p.status != ACRE_REPLAY_OK)
            return p.status == ACRE_REPLAY_STOPPED ? -1 : 0;
        at = p.entry > at ? p.entry : at;
        uint64_t now = acre_lab_resident();
        peak = now > peak ? now : peak;
        f->out->share = acre_replay_share(r->image, at);
        i -= stop == top;
    }
    f->out->enough = peak - before;
    return 1;
}

int acre_replay_fit(const acre_image *m, const acre_contender *c, uint64_t budget_ns, acre_fit *out)
{
    acre_fit fit = {0};
    fit_search f = {.out = &fit};
    if (acre_contender_engine(c) && acre_contender_engine(c)->flags & ACRE_ENGINE_REFERENCE)
        return EINVAL;
    int e = acre_replay_open(&f.r, m, c, acre_replay_room(m));
    if (e)
        return e;
    f.deadline = budget_ns ? acre_lab_now_ns() + budget_ns : 0;
    fit.resident = !(f.r.engine->flags & ACRE_ENGINE_SEGMENT);
    int found = fit.resident ? fit_resident(&f) : fit_segment(&f);
    acre_replay_close(&f.r);
    fit.status = found > 0 ? ACRE_REPLAY_OK : found ? ACRE_REPLAY_STOPPED : ACRE_REPLAY_FAILED;
    if (found > 0) {
        fit.s_min = fit.resident ? fit.enough : acre_fit_grid(m->h->peak_live, (unsigned)f.hi);
        fit.share = 1;
    } else if (fit.tries) {
        fit.share = fit.tries < FIT_USUAL_TRIES ? (double)fit.tries / FIT_USUAL_TRIES : 0.99;
    }
    *out = fit;
    return 0;
}
