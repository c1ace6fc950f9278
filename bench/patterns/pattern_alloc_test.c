/* SPDX-License-Identifier: MIT */
/* pattern_alloc_test.c: a steady state in which few objects come and go often, and most seldom.
 *
 * OLogN Technologies' alloc-test (ithare.com, 2018), as mimalloc-bench runs it: 2^18 places over all workers,
 * half of them filled at the start.  A step takes a place and frees what is there, or fills it.  Which place is
 * Pareto's 80/20 six times over: a fifth of the places has four fifths of the steps, a fifth of that fifth four
 * fifths of those, and in the other parts likewise.  Sizes are 5 to 1,024 bytes: half are up to 8, half of the
 * rest up to 16, and so on.
 *
 * There all bytes of a block are written and read; here one is written.  The places of the often used are a run here
 * too, but parts are cut where they are met instead of sorted by weight. */
#include "bench/patterns/pattern.h"

enum { TEST_PLACES = 1 << 18, TEST_CUTS = 6, TEST_CLASSES = 128 /* down to one in so many */ };

static size_t test_places(const procs_worker *w)
{
    return TEST_PLACES / w->n;
}

size_t pattern_alloc_test_room(const procs_worker *w)
{
    return test_places(w) * sizeof(pattern_slot);
}

static size_t test_size(procs_worker *w)
{
    size_t least = (size_t)4 << __builtin_ctzll(procs_below(w, TEST_CLASSES) + 1);
    return pattern_between(w, least + 1, 2 * least);
}

/* Ten bits of one random number decide each cut. */
static pattern_slot *test_place(procs_worker *w)
{
    uint64_t random = acre_lab_random(&w->random);
    size_t first = 0, n = test_places(w);
    for (int i = 0; i < TEST_CUTS; i++, random >>= 10) {
        size_t fifth = n / 5;
        bool often = random % 1024 < 819;
        first += often ? 0 : fifth;
        n = often ? fifth : n - fifth;
    }
    return (pattern_slot *)w->own + first + procs_below(w, n ? n : 1);
}

static void test_step(procs_worker *w)
{
    pattern_slot *s = test_place(w);
    if (s->p)
        pattern_empty(w, s);
    else
        pattern_replace(w, s, test_size(w));
}

void pattern_alloc_test_work(procs_worker *w)
{
    pattern_slot *slot = w->own;
    for (size_t i = 0; i < test_places(w); i++)
        if (pattern_chance(w, 500))
            pattern_replace(w, &slot[i], test_size(w));
    do
        for (int i = 0; i < PATTERN_CHUNK; i++)
            test_step(w);
    while (procs_on(w));
    pattern_clear(w, slot, test_places(w));
}
