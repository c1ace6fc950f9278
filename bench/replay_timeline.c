/* SPDX-License-Identifier: MIT */
/* replay_timeline.c: live bytes and bytes held, over the trace. */
#include "bench/replay.h"

#include "bench/lab.h"

#include <string.h>

typedef struct timeline_watch {
    acre_replay *r;
    acre_timeline *out;
    uint64_t step;     /* operations between two points */
    uint64_t resident; /* at the start */
    uint64_t reach;    /* end of the furthest block */
} timeline_watch;

/* Pages become resident by being written to. */
static void timeline_touch(const acre_walk_event *e)
{
    for (uint64_t i = 0; i < e->size; i += 4096)
        *(volatile char *)(e->fresh + i) = 1;
    *(volatile char *)(e->fresh + e->size - 1) = 1;
}

static uint64_t timeline_used(const timeline_watch *w)
{
    const acre_engine *x = w->r->engine;
    if (x->high_water)
        return x->high_water(w->r->tape.heap);
    if (x->flags & ACRE_ENGINE_SEGMENT)
        return w->reach;
    uint64_t now = acre_lab_resident();
    return now > w->resident ? now - w->resident : 0;
}

static int timeline_visit(void *arg, const acre_walk_event *e)
{
    timeline_watch *w = arg;
    acre_timeline *t = w->out;
    if (e->fresh) {
        uint64_t end = (uint64_t)(e->fresh - w->r->memory) + e->size;
        timeline_touch(e);
        w->reach = end > w->reach ? end : w->reach;
    }
    if (e->entry >= w->r->image->h->n_entries || e->op % w->step ||
        t->points == ACRE_TIMELINE_POINTS + 2)
        return 0;
    t->op[t->points] = e->op + 1;
    t->live[t->points] = e->live;
    t->used[t->points++] = timeline_used(w);
    return 0;
}

int acre_replay_timeline(const acre_image *m, const acre_contender *c, uint64_t budget_ns,
                         acre_timeline *out)
{
    acre_replay r;
    int e = acre_replay_open(&r, m, c, acre_replay_room(m));
    if (e)
        return e;
    memset(out, 0, sizeof *out);
    timeline_watch w = {&r, out, m->h->n_ops / ACRE_TIMELINE_POINTS + 1, acre_lab_resident(), 0};
    uint64_t deadline = budget_ns ? acre_lab_now_ns() + budget_ns : 0;
    out->status = acre_replay_walk(&r, NULL, timeline_visit, &w, deadline).status;
    acre_replay_close(&r);
    return 0;
}
