/* SPDX-License-Identifier: MIT */
/* pattern_shbench.c: last in, first out; and the other way round.
 *
 * MicroQuill's sh6bench and sh8bench.  Their source may not be passed on; this is written after what is told of
 * them: blocks of 1 to 1,000 bytes, small ones more often, some freed in the reverse order of their making and
 * some in the same; in sh8bench some by another thread than their maker.  Ours are the rest:
 *
 *     1,000 slots are filled;  | freed, oldest first → | 200 stay | ← freed, newest first |
 *     the part that stays moves on by its length each turn; what has stayed goes a turn later, in sh8bench by
 *     the neighbour's hand
 *
 * A size is drawn from one of the ten octaves from 1 to 1,000, each as often as the others. */
#include "bench/patterns/pattern.h"

enum { SH_SLOTS = 1000, SH_STAY = 200, SH_OCTAVES = 10, SH_MOST = 1000 };

size_t pattern_shbench_room(const procs_worker *w)
{
    (void)w;
    return SH_SLOTS * sizeof(pattern_slot);
}

static size_t sh_size(procs_worker *w)
{
    size_t least = (size_t)1 << procs_below(w, SH_OCTAVES);
    return pattern_between(w, least, 2 * least - 1 < SH_MOST ? 2 * least - 1 : SH_MOST);
}

static void sh_fill(procs_worker *w, pattern_slot *slot)
{
    for (size_t i = 0; i < SH_SLOTS; i++)
        if (!slot[i].p)
            pattern_replace(w, &slot[i], sh_size(w));
}

static void sh_free(procs_worker *w, pattern_slot *slot, size_t stay)
{
    for (size_t i = 0; i < stay; i++)
        pattern_empty(w, &slot[i]);
    for (size_t i = SH_SLOTS; i-- > stay + SH_STAY;)
        pattern_empty(w, &slot[i]);
}

void pattern_sh6_work(procs_worker *w)
{
    pattern_slot *slot = w->own;
    size_t stay = 0;
    do {
        sh_fill(w, slot);
        sh_free(w, slot, stay);
        stay = (stay + SH_STAY) % SH_SLOTS;
    } while (procs_on(w));
    pattern_clear(w, slot, SH_SLOTS);
}

void pattern_sh8_work(procs_worker *w)
{
    pattern_slot *slot = w->own;
    uint32_t in = 0, out = 0;
    size_t stay = 0;
    do {
        sh_fill(w, slot);
        sh_free(w, slot, stay);
        pattern_take(w, &in, PROCS_LANE);
        for (size_t i = 0; i < SH_STAY; i++)
            pattern_give_slot(w, &slot[stay + i], &out);
        stay = (stay + SH_STAY) % SH_SLOTS;
    } while (procs_on(w));
    pattern_clear(w, slot, SH_SLOTS);
    pattern_drain(w, &in);
}
