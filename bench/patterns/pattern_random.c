/* SPDX-License-Identifier: MIT */
/* pattern_random.c: a thousand live blocks of 16 to 512 bytes, any of which may be next.  Our own: the plainest
 * load without order in it. */
#include "bench/patterns/pattern.h"

enum { RANDOM_SLOTS = 1000, RANDOM_LEAST = 16, RANDOM_MOST = 512 };

size_t pattern_random_room(const procs_worker *w)
{
    (void)w;
    return RANDOM_SLOTS * sizeof(pattern_slot);
}

void pattern_random_work(procs_worker *w)
{
    pattern_slot *slot = w->own;
    do
        for (int i = 0; i < PATTERN_CHUNK; i++)
            pattern_replace(w, &slot[procs_below(w, RANDOM_SLOTS)],
                            pattern_between(w, RANDOM_LEAST, RANDOM_MOST));
    while (procs_on(w));
    pattern_clear(w, slot, RANDOM_SLOTS);
}
