/* SPDX-License-Identifier: MIT */
/* pattern_larson.c: a server, some of whose blocks outlive who made them.
 *
 * P. Larson, M. Krishnan: Memory Allocation for Long-Running Server Applications (ISMM 1998), with
 * mimalloc-bench's parameters: 5,000 live blocks of 8 to 1,000 bytes a worker.  There a thread ends after a
 * while and leaves its blocks to the next one; here one in 64 of the blocks that go is the neighbour's to
 * free. */
#include "bench/patterns/pattern.h"

enum { LARSON_SLOTS = 5000, LARSON_LEAST = 8, LARSON_MOST = 1000, LARSON_HANDED = 64 };

size_t pattern_larson_room(const procs_worker *w)
{
    (void)w;
    return LARSON_SLOTS * sizeof(pattern_slot);
}

void pattern_larson_work(procs_worker *w)
{
    pattern_slot *slot = w->own;
    uint32_t in = 0, out = 0;
    uint64_t k = 1;
    do
        for (int i = 0; i < PATTERN_CHUNK; i++, k++) {
            pattern_slot *s = &slot[procs_below(w, LARSON_SLOTS)];
            if (k % LARSON_HANDED == 0) {
                pattern_give_slot(w, s, &out);
                pattern_take(w, &in, 1);
            }
            pattern_replace(w, s, pattern_between(w, LARSON_LEAST, LARSON_MOST));
        }
    while (procs_on(w));
    pattern_clear(w, slot, LARSON_SLOTS);
    pattern_drain(w, &in);
}
