/* SPDX-License-Identifier: MIT */
/* pattern_lane.c: blocks that one worker hands to its neighbour.
 *
 * A lane is a ring of places, written by the neighbour on the left and emptied by its owner, in the board's
 * memory: an occupied place is not written again, so that a slow reader stops its writer and loses nothing. */
#include "bench/patterns/pattern.h"

#include <sched.h>

bool pattern_give(procs_worker *w, uint32_t *at, pattern_slot s)
{
    procs_lane *out = &w->board->lane[(w->me + 1) % w->n];
    _Atomic uint64_t *place = &out->place[*at % PROCS_LANE];
    if (atomic_load_explicit(place, memory_order_acquire))
        return false;
    out->size[*at % PROCS_LANE] = (uint32_t)s.size;
    atomic_store_explicit(place, procs_distance(w->heap, s.p) + 1, memory_order_release);
    ++*at;
    return true;
}

pattern_slot pattern_get(procs_worker *w, uint32_t *at)
{
    procs_lane *in = &w->board->lane[w->me];
    _Atomic uint64_t *place = &in->place[*at % PROCS_LANE];
    uint64_t told = atomic_load_explicit(place, memory_order_acquire);
    if (!told)
        return (pattern_slot){0};
    pattern_slot s = {procs_at(w->heap, told - 1), in->size[*at % PROCS_LANE]};
    atomic_store_explicit(place, 0, memory_order_release);
    ++*at;
    return s;
}

void pattern_give_slot(procs_worker *w, pattern_slot *s, uint32_t *at)
{
    if (s->p && pattern_give(w, at, *s))
        s->p = NULL;
    pattern_empty(w, s);
}

void pattern_take(procs_worker *w, uint32_t *at, size_t n)
{
    for (pattern_slot s; n-- && (s = pattern_get(w, at)).p;)
        pattern_empty(w, &s);
}

/* Who has seen that all are done has seen all that they gave. */
void pattern_drain(procs_worker *w, uint32_t *in)
{
    atomic_fetch_add(&w->board->finished, 1);
    for (bool last = false; !last;) {
        last = atomic_load(&w->board->finished) == w->n;
        pattern_take(w, in, SIZE_MAX);
        if (!last)
            sched_yield();
    }
}
