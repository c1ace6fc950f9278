/* SPDX-License-Identifier: MIT */
/* pattern_mstress.c: short and long lives side by side, and blocks that wander among all workers.
 *
 * D. Leijen's mstress, from mimalloc-bench, at its scale of 50: in a round worker k makes 5,000 × (k mod 8 + 1)
 * blocks, half of which come and go while half as many again stay to the round's end.  Sizes are powers of two
 * words, to 16 or (those that stay) 64; one in 100 is 100 times as large, one in 1,000 1,000 times, one in
 * 10,000 10,000 times.  A quarter of the steps swap a block for one of 1,000 that lie where all can reach
 * them; half of those outlive the round.
 *
 * There a round's threads end and new ones start, and each word of a block is written and checked; here workers
 * go on, each empties its share of the common places, and one byte a page is. */
#include "bench/patterns/pattern.h"

enum { MSTRESS_SCALE = 50, MSTRESS_COME = 5, MSTRESS_STAY = 7 /* kinds of sizes */ };

static size_t mstress_blocks(const procs_worker *w)
{
    return 100 * MSTRESS_SCALE * (size_t)(w->me % 8 + 1);
}

/* All that are made in a round, and behind them those that stay. */
size_t pattern_mstress_room(const procs_worker *w)
{
    return mstress_blocks(w) * 3 / 2 * sizeof(pattern_slot);
}

static size_t mstress_size(procs_worker *w, int kinds)
{
    size_t words = (size_t)1 << procs_below(w, (uint64_t)kinds);
    uint64_t rare = procs_below(w, 10000);
    words *= rare < 1 ? 10000 : rare < 11 ? 1000 : rare < 111 ? 100 : 1;
    return words * sizeof(uintptr_t);
}

/* Who meets a block there learns its size from its first word, as there. */
static uint64_t mstress_put(procs_worker *w, const pattern_slot *s)
{
    if (!s->p)
        return 0;
    *(uint64_t *)s->p = s->size;
    return procs_distance(w->heap, s->p) + 1;
}

static pattern_slot mstress_swap_place(procs_worker *w, size_t i, uint64_t mine)
{
    uint64_t told = atomic_exchange_explicit(&w->board->transfer[i], mine, memory_order_acq_rel);
    void *p = told ? procs_at(w->heap, told - 1) : NULL;
    return (pattern_slot){p, p ? *(uint64_t *)p : 0};
}

static void mstress_swap(procs_worker *w, pattern_slot *s)
{
    *s = mstress_swap_place(w, procs_below(w, PROCS_TRANSFERS), mstress_put(w, s));
}

/* Of the places that are this worker's to empty. */
static void mstress_empty_places(procs_worker *w, uint64_t of_thousand)
{
    for (uint32_t i = w->me; i < PROCS_TRANSFERS; i += w->n)
        if (pattern_chance(w, of_thousand)) {
            pattern_slot s = mstress_swap_place(w, i, 0);
            pattern_empty(w, &s);
        }
}

typedef struct mstress_round {
    pattern_slot *come, *stay;
    size_t made, stayed, to_come, to_stay;
} mstress_round;

static void mstress_make(procs_worker *w, mstress_round *r)
{
    if (r->to_stay == 0 || (r->to_come && pattern_chance(w, 500))) {
        r->to_come--;
        pattern_replace(w, &r->come[r->made++], mstress_size(w, MSTRESS_COME));
    } else {
        r->to_stay--;
        pattern_replace(w, &r->stay[r->stayed++], mstress_size(w, MSTRESS_STAY));
    }
}

static void mstress_step(procs_worker *w, mstress_round *r)
{
    mstress_make(w, r);
    if (r->made && pattern_chance(w, 660))
        pattern_empty(w, &r->come[procs_below(w, r->made)]);
    if (r->made && pattern_chance(w, 250))
        mstress_swap(w, &r->come[procs_below(w, r->made)]);
}

static void mstress_do_round(procs_worker *w)
{
    size_t n = mstress_blocks(w);
    mstress_round r = {
        .come = w->own, .stay = (pattern_slot *)w->own + n, .to_come = n, .to_stay = n / 2};
    do
        for (int i = 0; i < PATTERN_CHUNK && r.to_come + r.to_stay; i++)
            mstress_step(w, &r);
    while (r.to_come + r.to_stay && procs_on(w));
    pattern_clear(w, r.stay, r.stayed);
    pattern_clear(w, r.come, r.made);
}

void pattern_mstress_work(procs_worker *w)
{
    uint32_t in = 0;
    do {
        mstress_do_round(w);
        mstress_empty_places(w, 500);
    } while (procs_on(w));
    pattern_drain(w, &in); /* nobody puts anything there any more */
    mstress_empty_places(w, 1000);
}
