/* SPDX-License-Identifier: MIT */
/* procs_trace.c: each worker replays the same trace, with objects of its own, on the common heap. */
#include "bench/procs_internal.h"

#include "bench/replay.h"

/* False: it did not get to the end. */
static bool trace_pass(procs_worker *w, acre_replay *r)
{
    const acre_image_header *h = r->image->h;
    acre_pass pass = acre_replay_run(r, 0, h->n_entries, ACRE_TOUCH_LINE, 0);
    if (pass.status != ACRE_REPLAY_OK) {
        w->failed++;
        return false;
    }
    w->peak_live = (int64_t)h->peak_live;
    acre_replay_drain(r);
    w->ops += h->n_ops + h->n_drain;
    return true;
}

/* At least once.  What finds no room ends its worker: a trace cannot go on without the block. */
static void trace_work(procs_worker *w)
{
    acre_replay r;
    if (acre_replay_borrow(&r, w->plan->image, w->contender, w->heap->heap) != 0) {
        w->failed++;
        return;
    }
    while (trace_pass(w, &r) && procs_on(w))
        ;
    acre_replay_give_back(&r);
}

static const acre_procs_pattern trace_pattern = {
    .name = "trace",
    .summary = "a trace, over and over",
    .work = trace_work,
};

const acre_procs_pattern *acre_procs_pattern_trace(void)
{
    return &trace_pattern;
}
