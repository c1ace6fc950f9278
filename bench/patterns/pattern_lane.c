/* SPDX-License-Identifier: MIT */
/* pattern_lane.c: blocks that one worker hands to its neighbour.
 *
 * A lane is a ring of places, written by the neighbour on the left and emptied by its owner, in the board's
 * memory: an occupied place is not written again, so that a slow reader stops its writer and loses nothing. */
#include "bench/patterns/pattern.h"

#include <sched.h>

bool pattern_give(procs_worker *w, uint32_t *at, void *p)
{
    procs_lane *out = &w->board->lane[(w->me + 1) % w->n];
    _Atomic uint64_t *place = &out->place[*at % PROCS_LANE];
    if (atomic_load_explicit(place, memory_order_acquire))
        return false;
    atomic_store_explicit(place, procs_distance(w->heap, p) + 1, memory_order_release);
    ++*at;
    return true;
}

void *pattern_get(procs_worker *w, uint32_t *at)
{
    _Atomic uint64_t *place = &w->board->lane[w->me].place[*at % PROCS_LANE];
    uint64_t told = atomic_load_explicit(place, memory_order_acquire);
    if (!told)
        return NULL;
    atomic_store_explicit(place, 0, memory_order_release);
    ++*at;
    return procs_at(w->heap, told - 1);
}

/* The count of live bytes went down where it was handed on. */
void pattern_free_foreign(procs_worker *w, void *p)
{
    w->heap->engine->free(w->heap->heap, p);
    w->ops++;
}

void pattern_give_slot(procs_worker *w, pattern_slot *s, uint32_t *at)
{
    if (s->p && pattern_give(w, at, s->p)) {
        w->live -= s->size;
        s->p = NULL;
    }
    pattern_empty(w, s);
}

void pattern_take(procs_worker *w, uint32_t *at, size_t n)
{
    for (void *p; n-- && (p = pattern_get(w, at));)
        pattern_free_foreign(w, p);
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
