/* SPDX-License-Identifier: MIT */
/* replay_walk.c: a replay through single calls, with somebody watching each. */
#include "bench/replay.h"

#include "bench/lab.h"

enum { WALK_CHUNK = 1024 };

static void *walk_call(const acre_replay *r, const acre_walk_event *e)
{
    const acre_engine *x = r->engine;
    void *heap = r->tape.heap;
    switch (e->kind) {
    case ACRE_OP_MALLOC:
        return x->alloc(heap, e->size);
    case ACRE_OP_CALLOC:
        return x->calloc(heap, e->size);
    case ACRE_OP_REALLOC:
        return x->realloc(heap, e->old, e->size);
    case ACRE_OP_ALIGNED:
        return x->aligned(heap, e->size, e->align);
    default:
        x->free(heap, e->old);
        return NULL; /* old is NULL for free(NULL) */
    }
}

static void walk_read(const acre_replay *r, const uint64_t *sizes, acre_walk_event *e)
{
    const acre_image_op *o = &r->image->ops[e->entry];
    bool ends = o->op == ACRE_OP_FREE || o->op == ACRE_OP_REALLOC;
    e->slot = o->slot;
    e->kind = o->op;
    e->align = (uint64_t)1 << (o->op == ACRE_OP_ALIGNED ? o->align_log2 : 0);
    e->old = ends ? r->tape.slots[o->slot] : NULL;
    e->old_size = ends ? sizes[o->slot] : 0;
    e->size = o->op <= ACRE_OP_FREE_NULL ? 0 : acre_image_size_at(r->image, e->entry);
    e->fresh = NULL;
}

/* 0, or what a visitor said, or -1: the allocation failed. */
static int walk_one(acre_replay *r, uint64_t *sizes, acre_walk_visit *before,
                    acre_walk_visit *after, void *arg, acre_walk_event *e)
{
    walk_read(r, sizes, e);
    int stop = before && e->old ? before(arg, e) : 0;
    if (stop)
        return stop;
    e->fresh = walk_call(r, e);
    if (!e->fresh && e->kind > ACRE_OP_FREE_NULL)
        return -1;
    e->live += e->size - e->old_size;
    sizes[e->slot] = e->size;
    r->tape.slots[e->slot] = e->fresh;
    return after ? after(arg, e) : 0;
}

static enum acre_replay_status walk_all(acre_replay *r, uint64_t *sizes, acre_walk_visit *before,
                                        acre_walk_visit *after, void *arg, uint64_t deadline,
                                        acre_walk_event *e)
{
    size_t end = r->image->h->n_entries + r->image->h->n_drain;
    while (e->entry < end) {
        if (walk_one(r, sizes, before, after, arg, e))
            return ACRE_REPLAY_FAILED;
        if (deadline && e->op % WALK_CHUNK == 0 && acre_lab_now_ns() > deadline)
            return ACRE_REPLAY_STOPPED;
        e->entry += acre_image_width(r->image, e->entry);
        e->op++;
    }
    return ACRE_REPLAY_OK;
}

acre_pass acre_replay_walk(acre_replay *r, acre_walk_visit *before, acre_walk_visit *after,
                           void *arg, uint64_t deadline)
{
    size_t bytes = r->image->h->n_slots * sizeof(uint64_t);
    uint64_t *sizes = acre_lab_map(bytes), start = acre_lab_now_ns();
    acre_walk_event e = {0};
    if (!sizes)
        return (acre_pass){ACRE_REPLAY_FAILED, 0, 0};
    acre_lab_populate(sizes, bytes);
    enum acre_replay_status s = walk_all(r, sizes, before, after, arg, deadline, &e);
    acre_lab_unmap(sizes, bytes);
    r->at = s == ACRE_REPLAY_FAILED ? 0 : e.entry; /* what failed may not be fit to be freed */
    return (acre_pass){s, e.entry, acre_lab_now_ns() - start};
}

typedef struct walk_furthest {
    const char *memory;
    uint64_t end;
} walk_furthest;

static int walk_note_end(void *arg, const acre_walk_event *e)
{
    walk_furthest *f = arg;
    uint64_t end = e->fresh ? (uint64_t)(e->fresh - f->memory) + e->size : 0;
    if (end > f->end)
        f->end = end;
    return 0;
}

acre_pass acre_replay_reach(acre_replay *r, uint64_t deadline, uint64_t *end)
{
    walk_furthest f = {r->memory, 0};
    acre_pass p = acre_replay_walk(r, NULL, walk_note_end, &f, deadline);
    *end = f.end;
    return p;
}
