/* SPDX-License-Identifier: MIT */
/* replay_live.c: what an allocation costs when many blocks are live.
 *
 *     | allocate `live` blocks | free one at random, allocate one, … | the same, measured |
 *
 * Sizes are mixed and victims random, so that the free list grows as long as it gets in life. */
#include "bench/replay.h"

#include "bench/lab.h"
#include "traces/trace.h"

#include <errno.h>
#include <math.h>

enum { LIVE_PAIRS = 200000, LIVE_SMALL = 16, LIVE_OCTAVES = 5, LIVE_RARE = 64 };

typedef struct live_writer {
    acre_image_builder *b;
    uint64_t *serial; /* of the live blocks */
    uint64_t live, born, random;
} live_writer;

/* 16 to 512 bytes, each octave as likely; one in 64 is up to 16 times larger. */
static uint64_t live_size(live_writer *w)
{
    uint64_t x = acre_lab_random(&w->random);
    double octave = (double)(x >> 11) / 9007199254740992.0 * LIVE_OCTAVES;
    uint64_t size = (uint64_t)(LIVE_SMALL * exp2(octave));
    return x % LIVE_RARE ? size : size * 16;
}

static int live_alloc(live_writer *w, uint64_t at)
{
    acre_trace_op op = {.kind = ACRE_TRACE_MALLOC, .size = live_size(w), .serial = ++w->born};
    w->serial[at] = op.serial;
    return acre_image_builder_add(w->b, &op);
}

static int live_replace(live_writer *w)
{
    uint64_t at = acre_lab_random(&w->random) % w->live;
    acre_trace_op op = {.kind = ACRE_TRACE_FREE, .serial = w->serial[at]};
    int e = acre_image_builder_add(w->b, &op);
    return e ? e : live_alloc(w, at);
}

static uint64_t live_warm_pairs(uint64_t live)
{
    return live > 2 * LIVE_PAIRS ? live / 4 : LIVE_PAIRS / 2;
}

static int live_write(live_writer *w, acre_image *m)
{
    int e = 0;
    for (uint64_t i = 0; i < w->live && !e; i++)
        e = live_alloc(w, i);
    for (uint64_t i = live_warm_pairs(w->live) + LIVE_PAIRS; i && !e; i--)
        e = live_replace(w);
    return e ? e : acre_image_builder_finish(w->b, 0, m);
}

static int live_image(acre_image *m, uint64_t live)
{
    live_writer w = {acre_image_builder_create(), acre_lab_map(live * sizeof(uint64_t)), live, 0,
                     live};
    int e = w.b && w.serial ? live_write(&w, m) : ENOMEM;
    acre_image_builder_destroy(w.b);
    acre_lab_unmap(w.serial, live * sizeof(uint64_t));
    return e;
}

/* All sizes are few enough for the table, so entries are operations. */
static void live_measure(acre_replay *r, uint64_t live, uint64_t budget_ns, acre_live_cost *out)
{
    size_t begin = live + 2 * live_warm_pairs(live), end = r->image->h->n_entries;
    uint64_t start = acre_lab_now_ns(), half = budget_ns ? start + budget_ns / 2 : 0;
    acre_pass p = acre_replay_run(r, 0, begin, ACRE_TOUCH_LINE, half);
    enum acre_replay_status warm = p.status;
    begin = p.entry;
    if (warm != ACRE_REPLAY_FAILED && begin >= live)
        p = acre_replay_run(r, begin, end, ACRE_TOUCH_LINE, budget_ns ? start + budget_ns : 0);
    out->status = p.status == ACRE_REPLAY_OK ? warm : p.status;
    out->ns_per_op = p.entry > begin ? 2.0 * (double)p.ns / (double)(p.entry - begin) : 0;
}

int acre_replay_live_cost(const acre_contender *c, uint64_t live, uint64_t budget_ns,
                          acre_live_cost *out)
{
    acre_image m;
    acre_replay r;
    int e = live ? live_image(&m, live) : EINVAL;
    if (e)
        return e;
    e = acre_replay_open(&r, &m, c, acre_replay_room(&m));
    if (!e) {
        live_measure(&r, live, budget_ns, out);
        acre_replay_close(&r);
    }
    acre_image_unmap(&m);
    return e;
}
