/* SPDX-License-Identifier: MIT */
/* pattern_rptest.c: bursts of frees and allocations, and batches that a neighbour frees.
 *
 * M. Jansson's rpmalloc-benchmark, as mimalloc-bench runs it (0 1 2 500 1000 100 8 16000): 1,000 slots of 8 to
 * 16,000 bytes.  A loop frees 24 to 79 slots, then fills 30 to 99 (what is in the way goes), each time a fixed
 * stride on; every second loop makes a batch of as many blocks again for somebody else to free.  Sizes are
 * `linear`: the distance of the sum of two random numbers from 1, times a third.
 *
 * There sizes and counts come from fixed tables of random numbers, a batch has a list that is allocated too and
 * goes to each thread in turn, and blocks are aligned to 0, 8 or 16; here numbers are drawn, batches go to the
 * neighbour block by block, and every block is aligned to what its heap gives. */
#include "bench/patterns/pattern.h"

#include <math.h>

enum {
    RPTEST_SLOTS = 1000,
    RPTEST_LEAST = 8,
    RPTEST_MOST = 16000,
    RPTEST_FREE_STRIDE = 7,
    RPTEST_FILL_STRIDE = 3 /* both without a divisor in common with the slots */
};

size_t pattern_rptest_room(const procs_worker *w)
{
    (void)w;
    return RPTEST_SLOTS * sizeof(pattern_slot);
}

static size_t rptest_size(procs_worker *w)
{
    double far = fabs(1 - pattern_unit(w) - pattern_unit(w));
    return RPTEST_LEAST + (size_t)((RPTEST_MOST - RPTEST_LEAST) * pattern_unit(w) * far);
}

static void rptest_batch(procs_worker *w, size_t n, uint32_t *out)
{
    while (n--) {
        pattern_slot s = {0};
        pattern_replace(w, &s, rptest_size(w));
        pattern_give_slot(w, &s, out);
    }
}

void pattern_rptest_work(procs_worker *w)
{
    pattern_slot *slot = w->own;
    uint32_t in = 0, out = 0, at_free = 0, at_fill = 0;
    for (uint64_t loop = 0; loop == 0 || procs_on(w); loop++) {
        size_t frees = pattern_between(w, 30, 99) * 8 / 10, fills = pattern_between(w, 30, 99);
        for (size_t i = 0; i < frees; i++, at_free += RPTEST_FREE_STRIDE)
            pattern_empty(w, &slot[at_free % RPTEST_SLOTS]);
        pattern_take(w, &in, PROCS_LANE);
        for (size_t i = 0; i < fills; i++, at_fill += RPTEST_FILL_STRIDE)
            pattern_replace(w, &slot[at_fill % RPTEST_SLOTS], rptest_size(w));
        if (loop % 2 == 0 && w->n > 1)
            rptest_batch(w, fills, &out);
    }
    pattern_clear(w, slot, RPTEST_SLOTS);
    pattern_drain(w, &in);
}
