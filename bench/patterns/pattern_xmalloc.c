/* SPDX-License-Identifier: MIT */
/* pattern_xmalloc.c: those who allocate are never those who free.
 *
 * D. Lea's xmalloc-test, as in mimalloc-bench; the sizes are ours, a third of an octave to an octave apart.
 * There batches of 4,096 go through one list that all share; here each pair has a lane of 1,024 places. */
#include "bench/patterns/pattern.h"

#include <sched.h>

static void xmalloc_produce(procs_worker *w)
{
    static const uint16_t size[] = {8, 12, 16, 24, 32, 48, 64, 96, 128, 192, 256, 384, 512};
    uint32_t in = 0, out = 0;
    do {
        size_t bytes = size[procs_below(w, sizeof size / sizeof *size)];
        pattern_slot s = {procs_alloc(w, bytes), bytes};
        bool gone = !s.p;
        while (!gone && !(gone = pattern_give(w, &out, s)) && procs_on(w))
            sched_yield();
        if (!gone)
            pattern_empty(w, &s);
    } while (procs_on(w));
    pattern_drain(w, &in);
}

static void xmalloc_consume(procs_worker *w)
{
    uint32_t in = 0;
    while (procs_on(w)) {
        pattern_slot s = pattern_get(w, &in);
        if (s.p)
            pattern_empty(w, &s);
        else
            sched_yield();
    }
    pattern_drain(w, &in);
}

void pattern_xmalloc_work(procs_worker *w)
{
    if (w->me % 2)
        xmalloc_consume(w);
    else
        xmalloc_produce(w);
}
