/* SPDX-License-Identifier: MIT */
/* replay_verify.c: does the contender keep what it was given? */
#include "bench/replay.h"

#include "bench/filling.h"
#include "bench/lab.h"
#include "bench/page_map.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

typedef struct verify_watch {
    const acre_replay *r;
    acre_verify *out;
    acre_page_map map;
    uint64_t *serial; /* by slot: number of the block in it */
    uint64_t born;
} verify_watch;

__attribute__((format(printf, 3, 4))) static int verify_fail(verify_watch *w, uint64_t op,
                                                             const char *format, ...)
{
    va_list args;
    va_start(args, format);
    vsnprintf(w->out->what, sizeof w->out->what, format, args);
    va_end(args);
    w->out->op = op;
    return 1;
}

/* A block ends: it must be as it was left. */
static int verify_before(void *arg, const acre_walk_event *e)
{
    verify_watch *w = arg;
    uint64_t at = filling_differs(e->old, e->old_size, w->serial[e->slot]);
    if (at < e->old_size)
        return verify_fail(w, e->op, "block of %llu bytes was overwritten at byte %llu",
                           (unsigned long long)e->old_size, (unsigned long long)at);
    acre_page_map_remove(&w->map, e->old, e->old_size);
    return 0;
}

static uint64_t verify_alignment(const verify_watch *w, const acre_walk_event *e)
{
    return filling_alignment(w->r->engine, e->size, e->align);
}

static bool verify_outside(const verify_watch *w, const acre_walk_event *e)
{
    const acre_replay *r = w->r;
    return r->engine->flags & (ACRE_ENGINE_SEGMENT | ACRE_ENGINE_REFERENCE) &&
           (e->fresh < r->memory || e->fresh + e->size > r->memory + r->bytes);
}

static int verify_place(verify_watch *w, const acre_walk_event *e)
{
    if ((uintptr_t)e->fresh % verify_alignment(w, e))
        return verify_fail(w, e->op, "block %p is not aligned to %llu", (void *)e->fresh,
                           (unsigned long long)verify_alignment(w, e));
    if (verify_outside(w, e))
        return verify_fail(w, e->op, "block %p lies outside the segment", (void *)e->fresh);
    if (!acre_page_map_add(&w->map, e->fresh, e->size))
        return verify_fail(w, e->op, "block %p overlaps a live one", (void *)e->fresh);
    return 0;
}

static int verify_contents(verify_watch *w, const acre_walk_event *e)
{
    uint64_t kept = e->old_size < e->size ? e->old_size : e->size;
    if (e->kind == ACRE_OP_REALLOC && filling_differs(e->fresh, kept, w->serial[e->slot]) < kept)
        return verify_fail(w, e->op, "realloc lost the contents of %p", (void *)e->old);
    if (e->kind == ACRE_OP_CALLOC && filling_not_zero(e->fresh, e->size) < e->size)
        return verify_fail(w, e->op, "calloc gave memory that is not zero");
    return 0;
}

static int verify_after(void *arg, const acre_walk_event *e)
{
    verify_watch *w = arg;
    if (!e->fresh)
        return 0;
    if (verify_place(w, e) || verify_contents(w, e))
        return 1;
    w->serial[e->slot] = ++w->born;
    filling_put(e->fresh, e->size, w->born);
    return 0;
}

static void verify_pass(verify_watch *w, acre_replay *r)
{
    acre_pass p = acre_replay_walk(r, verify_before, verify_after, w, 0);
    w->out->status = p.status;
    if (p.status == ACRE_REPLAY_FAILED && !*w->out->what)
        verify_fail(w, p.entry, "allocation failed");
}

int acre_replay_verify(const acre_image *m, const acre_contender *c, acre_verify *out)
{
    acre_replay r;
    verify_watch w = {.r = &r, .out = out};
    size_t bytes = m->h->n_slots * sizeof *w.serial;
    int e = acre_replay_open(&r, m, c, acre_replay_room(m));
    if (e)
        return e;
    memset(out, 0, sizeof *out);
    w.serial = acre_lab_map(bytes);
    if (w.serial) {
        verify_pass(&w, &r);
        if (out->status == ACRE_REPLAY_OK)
            verify_pass(&w, &r);
    }
    acre_page_map_free(&w.map);
    acre_lab_unmap(w.serial, bytes);
    acre_replay_close(&r);
    return w.serial ? 0 : ENOMEM;
}
