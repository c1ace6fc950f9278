/* SPDX-License-Identifier: MIT */
/* pattern_pmdk.c: what a long-lived file suffers when the sizes in it change.
 *
 * PMDK's fragmentation workloads W0 to W9 (src/test/obj_fragmentation2), after S. Rumble, A. Kejriwal,
 * J. Ousterhout: Log-structured Memory for DRAM-based Storage (FAST 2014).
 *
 *     W0 … W7   blocks of one range of sizes are made, 5,000 MB in all; when 1,000 MB are live, 200 random ones
 *               go.  Then a share of all goes, and the same follows with another range of sizes: none of the
 *               holes fits, or only several together.
 *     W8        blocks of 2 MB
 *     W9        1 byte to 5 MB, exponential; where there is no room in the file of 3 GB, 10 to 90 % go
 *
 * Here amounts are a 32nd of that, at most 16,384 blocks of the first range are live, and all of it is over all
 * workers: a run of a second has several rounds, also of an algorithm whose cost grows with the blocks.  Of
 * fewer than 500 blocks two fifths go at once, as of W8's 500 there.  W9's file is a budget of bytes, because
 * a malloc has no file.  There the answer is how much still fits in the end; here it is the high water. */
#include "bench/patterns/pattern.h"

#include <math.h>

#define PMDK_MB (1048576.0 / 32)

enum {
    PMDK_TOTAL = 5000,
    PMDK_LIVE = 1000,
    PMDK_FILE = 3072,
    PMDK_FREES = 200,
    PMDK_BLOCKS = 16384
};

typedef struct pmdk_range {
    uint32_t least, most; /* bytes; most is not reached, unless it is the least */
} pmdk_range;

static const struct pmdk_workload {
    pmdk_range first;
    double die; /* of all, before the second */
    pmdk_range second;
} pmdk_workloads[] = {
    {{100, 100}, 0, {0, 0}},          {{100, 100}, 0, {130, 130}},
    {{100, 100}, .9, {130, 130}},     {{100, 150}, 0, {200, 250}},
    {{100, 150}, .9, {200, 250}},     {{100, 200}, .5, {1000, 2000}},
    {{1000, 2000}, .9, {1500, 2500}}, {{50, 150}, .9, {5000, 15000}},
    {{2 << 20, 2 << 20}, 0, {0, 0}},
};

enum { PMDK_W9 = sizeof pmdk_workloads / sizeof *pmdk_workloads, PMDK_W9_MOST = 5 << 20 };

typedef struct pmdk_heap {
    pattern_slot *block;
    size_t n, bytes;
} pmdk_heap;

static uint32_t pmdk_variant(const procs_worker *w)
{
    return w->plan->pattern->variant;
}

/* Bytes that this worker may have live. */
static size_t pmdk_most_live(const procs_worker *w)
{
    if (pmdk_variant(w) == PMDK_W9)
        return (size_t)(PMDK_FILE * PMDK_MB) / w->n;
    pmdk_range r = pmdk_workloads[pmdk_variant(w)].first;
    double blocks = (r.least + r.most) / 2.0 * PMDK_BLOCKS;
    return (size_t)fmin(PMDK_LIVE * PMDK_MB, blocks) / w->n;
}

static size_t pmdk_total(const procs_worker *w)
{
    size_t live =
        pmdk_variant(w) == PMDK_W9 ? (size_t)(PMDK_LIVE * PMDK_MB) / w->n : pmdk_most_live(w);
    return live * (PMDK_TOTAL / PMDK_LIVE);
}

static size_t pmdk_exponential(double random)
{
    return 1 + (size_t)((PMDK_W9_MOST - 1) * exp(-4 * random));
}

/* One more than the limit is live for a moment. */
size_t pattern_pmdk_room(const procs_worker *w)
{
    bool w9 = pmdk_variant(w) == PMDK_W9;
    size_t least = w9 ? pmdk_exponential(1) : pmdk_workloads[pmdk_variant(w)].first.least;
    return (pmdk_most_live(w) / least + 2) * sizeof(pattern_slot);
}

static size_t pmdk_size(procs_worker *w, pmdk_range r)
{
    return r.least + procs_below(w, r.most > r.least ? r.most - r.least : 1);
}

/* Random ones; the last takes the place. */
static void pmdk_kill(procs_worker *w, pmdk_heap *h, size_t n)
{
    while (n-- && h->n) {
        pattern_slot *s = &h->block[procs_below(w, h->n)];
        h->bytes -= s->size;
        pattern_empty(w, s);
        *s = h->block[--h->n];
    }
}

static bool pmdk_make(procs_worker *w, pmdk_heap *h, size_t size)
{
    void *p = procs_alloc(w, size);
    if (!p)
        return false;
    h->block[h->n++] = (pattern_slot){p, size};
    h->bytes += size;
    return true;
}

static void pmdk_phase(procs_worker *w, pmdk_heap *h, pmdk_range r)
{
    size_t made = 0, total = pmdk_total(w), most = pmdk_most_live(w);
    for (uint32_t i = 0; made < total && (!i || i % PATTERN_CHUNK || procs_on(w)); i++) {
        size_t size = pmdk_size(w, r);
        made += size;
        if (!pmdk_make(w, h, size) || h->bytes > most)
            pmdk_kill(w, h, h->n < 500 ? (h->n * 2 + 4) / 5 : PMDK_FREES);
    }
}

static void pmdk_two_phases(procs_worker *w, pmdk_heap *h)
{
    const struct pmdk_workload *k = &pmdk_workloads[pmdk_variant(w)];
    pmdk_phase(w, h, k->first);
    pmdk_kill(w, h, (size_t)((double)h->n * k->die));
    if (k->second.least)
        pmdk_phase(w, h, k->second);
}

/* What there is no room for waits until there is. */
static void pmdk_until_full(procs_worker *w, pmdk_heap *h)
{
    size_t made = 0, total = pmdk_total(w), most = pmdk_most_live(w);
    do {
        size_t size = pmdk_exponential(pattern_unit(w));
        if (h->bytes + size <= most && pmdk_make(w, h, size))
            made += size;
        else
            pmdk_kill(w, h, h->n * pattern_between(w, 10, 90) / 100 + 1);
    } while (made < total && procs_on(w));
}

void pattern_pmdk_work(procs_worker *w)
{
    pmdk_heap h = {.block = w->own};
    do {
        if (pmdk_variant(w) == PMDK_W9)
            pmdk_until_full(w, &h);
        else
            pmdk_two_phases(w, &h);
        pmdk_kill(w, &h, h.n);
    } while (procs_on(w));
}
