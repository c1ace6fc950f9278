/* SPDX-License-Identifier: MIT */
/* The patterns of `acre procs`, one worker at a time on a heap that writes down what it is asked for: sizes
 * are drawn from the distribution that the source tells, and everything is given back. */
#include "tests/acre_test.h"

#include "bench/patterns/pattern.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

/* ---- a heap that keeps a record ---- */

typedef struct record {
    procs_board *board;
    uint32_t *size;
    size_t n, room; /* the board says stop when it is full; what comes behind is not written down */
    size_t live;
    double live_sum; /* of live blocks at each allocation that is written down */
} record;

static void *record_alloc(void *heap, size_t size)
{
    record *r = heap;
    if (r->n < r->room) {
        r->size[r->n++] = (uint32_t)size;
        r->live_sum += (double)r->live;
    }
    if (r->n == r->room)
        atomic_store(&r->board->stop, 1);
    r->live++;
    return malloc(size);
}

static void record_free(void *heap, void *p)
{
    ((record *)heap)->live--;
    free(p);
}

static const acre_engine record_engine = {.alloc = record_alloc, .free = record_free};

/* Worker 0 of so many; the others have nothing to hand on. */
static record record_run(const char *name, uint32_t workers, size_t room)
{
    const acre_procs_plan plan = {.pattern = acre_procs_pattern_find(name)};
    record r = {
        .board = aligned_alloc(64, sizeof(procs_board)), .size = calloc(room, 4), .room = room};
    memset(r.board, 0, sizeof *r.board);
    atomic_store(&r.board->finished, workers - 1);
    const procs_heap heap = {.engine = &record_engine, .heap = &r};
    procs_worker w = {
        .heap = &heap, .board = r.board, .plan = &plan, .n = workers, .random = acre_test_seed()};
    ACRE_CHECK(plan.pattern != NULL, "%s", name);
    size_t own = plan.pattern->room ? plan.pattern->room(&w) : 0;
    w.own = own ? calloc(1, own) : NULL;
    if (plan.pattern->prepare)
        plan.pattern->prepare(&w);
    plan.pattern->work(&w);
    ACRE_CHECK_EQUAL(r.n, room);
    ACRE_CHECK(workers > 1 || (r.live == 0 && w.live == 0), "%s: %zu", name, r.live);
    ACRE_CHECK_EQUAL(w.failed, 0);
    free(w.own);
    free(r.board);
    return r;
}

/* ---- shares ---- */

static double share_up_to(const record *r, uint32_t least, uint32_t most, uint32_t size)
{
    size_t n = 0, all = 0;
    for (size_t i = 0; i < r->n; i++) {
        all += r->size[i] >= least && r->size[i] <= most;
        n += r->size[i] >= least && r->size[i] <= size;
    }
    return all ? (double)n / (double)all : NAN;
}

/* Five standard deviations of so many draws. */
static bool share_is(double seen, double expected, double draws)
{
    return fabs(seen - expected) < 5 * sqrt(expected * (1 - expected) / draws) + 1e-3;
}

typedef struct expected {
    const char *pattern;
    size_t draws;
    uint32_t workers, least, most;
    struct {
        uint32_t size;
        double share; /* of sizes up to that */
    } at[4];
} expected;

/* From the sources' parameters: uniform is (size - least + 1) / (most - least + 1); in rptest, with x the part
 * of the range, x² - 2x ln x; in mstress two thirds have 5 kinds of sizes, one third 7, and 111 of 10,000 are
 * larger; in alloc-test half of the rest lies in each octave. */
static const expected single[] = {
    {"random", 50000, 1, 16, 512, {{140, 125.0 / 497}, {264, 249.0 / 497}}},
    {"linux-scalability", 1000, 1, 512, 512, {{0}}},
    {"threadtest", 60000, 1, 8, 8, {{0}}},
    {"larson", 50000, 1, 8, 1000, {{255, 248.0 / 993}, {504, 497.0 / 993}}},
    {"xmalloc", 1000, 2, 8, 512, {{8, 1.0 / 13}, {64, 7.0 / 13}}},
    {"cache-thrash", 100, 1, 8, 8, {{0}}},
    {"cache-scratch", 100, 1, 8, 8, {{0}}},
    {"mstress",
     75000,
     1,
     8,
     5120000,
     {{8, (2.0 / 15 + 1.0 / 21) * .9889}, {64, (8.0 / 15 + 4.0 / 21) * .9889}, {512, .9889}}},
    {"rptest", 50000, 1, 8, 16000, {{8 + 3998, .7556}, {8 + 7996, .9431}}},
    {"sh6bench", 50000, 1, 1, 1000, {{1, .1}, {31, .5}, {511, .9}, {755, .9 + .1 * 244 / 489}}},
    {"sh8bench", 50000, 1, 1, 1000, {{1, .1}, {31, .5}, {511, .9}, {755, .9 + .1 * 244 / 489}}},
    {"alloc-test", 50000, 1, 5, 1024, {{6, .25}, {8, .5}, {16, .75}, {512, 127.0 / 128}}},
    {"pmdk-w0", 50000, 1, 100, 100, {{0}}},
    {"pmdk-w8", 100, 1, 2 << 20, 2 << 20, {{0}}},
    {"pmdk-w9", 2000, 1, 96027, 5 << 20, {{709547, .5}, {1928750, .75}}},
};

static void check_shares(const record *r, const expected *e)
{
    for (size_t i = 0; i < r->n; i++)
        ACRE_CHECK(r->size[i] >= e->least && r->size[i] <= e->most, "%s: %u", e->pattern,
                   r->size[i]);
    for (int k = 0; k < 4 && e->at[k].size; k++) {
        double seen = share_up_to(r, e->least, e->most, e->at[k].size);
        ACRE_CHECK(share_is(seen, e->at[k].share, (double)r->n), "%s: %g up to %u, not %g",
                   e->pattern, seen, e->at[k].size, e->at[k].share);
    }
}

ACRE_TEST(patterns, sizes_are_drawn_as_the_source_tells)
{
    for (size_t i = 0; i < sizeof single / sizeof *single; i++) {
        record r = record_run(single[i].pattern, single[i].workers, single[i].draws);
        check_shares(&r, &single[i]);
        free(r.size);
    }
}

/* ---- PMDK's two ranges ---- */

static const struct two_ranges {
    const char *pattern;
    uint32_t first[2], second[2];
} pmdk[] = {
    {"pmdk-w1", {100, 100}, {130, 130}},   {"pmdk-w2", {100, 100}, {130, 130}},
    {"pmdk-w3", {100, 149}, {200, 249}},   {"pmdk-w4", {100, 149}, {200, 249}},
    {"pmdk-w5", {100, 199}, {1000, 1999}}, {"pmdk-w6", {1000, 1999}, {1500, 2499}},
    {"pmdk-w7", {50, 149}, {5000, 14999}},
};

static bool range_has(const uint32_t range[2], uint32_t size)
{
    return size >= range[0] && size <= range[1];
}

/* The first allocations are of the first range, the last of a round of the second; both are uniform. */
static void check_ranges(const record *r, const struct two_ranges *k)
{
    size_t first = 0;
    while (first < r->n && range_has(k->first, r->size[first]))
        first++;
    ACRE_CHECK(first >= 5 * 15000 && first < r->n, "%s: %zu", k->pattern, first);
    record head = *r, tail = {.size = r->size + first};
    head.n = first - 100; /* of overlapping ranges some of the second are in both */
    while (first + tail.n < r->n && range_has(k->second, tail.size[tail.n]))
        tail.n++;
    ACRE_CHECK(tail.n > 500, "%s: %zu", k->pattern, tail.n);
    const uint32_t *a = k->first, *b = k->second;
    uint32_t middle[2] = {(a[0] + a[1]) / 2, (b[0] + b[1]) / 2};
    double part[2] = {(middle[0] - a[0] + 1.0) / (a[1] - a[0] + 1.0),
                      (middle[1] - b[0] + 1.0) / (b[1] - b[0] + 1.0)};
    ACRE_CHECK(share_is(share_up_to(&head, a[0], a[1], middle[0]), part[0], (double)head.n), "%s",
               k->pattern);
    ACRE_CHECK(share_is(share_up_to(&tail, b[0], b[1], middle[1]), part[1], (double)tail.n), "%s",
               k->pattern);
}

ACRE_TEST(patterns, pmdk_goes_from_one_range_to_the_other)
{
    for (size_t i = 0; i < sizeof pmdk / sizeof *pmdk; i++) {
        record r = record_run(pmdk[i].pattern, 1, 200000);
        check_ranges(&r, &pmdk[i]);
        free(r.size);
    }
}

/* ---- the fleet ---- */

static double fleet_total(bool live)
{
    double sum = 0;
    for (size_t i = 0; i < pattern_fleet_n_classes; i++)
        sum += live ? pattern_fleet_classes[i].live : pattern_fleet_classes[i].births;
    return sum;
}

static double fleet_seen(const record *r, size_t from, size_t to, uint32_t size)
{
    size_t n = 0;
    for (size_t i = from; i < to; i++)
        n += r->size[i] == size;
    return (double)n / (double)(to - from);
}

/* First what is live in the profile, a 32nd of it; then sizes by their rates, as in the record, which has some
 * 32,000 births, and deaths that are births on the way back. */
ACRE_TEST(patterns, fleet_has_the_profiles_blocks_and_rates)
{
    enum { LATER = 65000 };
    size_t first = (size_t)(fleet_total(true) / 32);
    record r = record_run("fleetbench", 1, first + LATER);
    for (size_t i = 0; i < pattern_fleet_n_classes; i++) {
        const pattern_fleet_class *c = &pattern_fleet_classes[i];
        double live = fleet_seen(&r, 0, first, c->size), rate = fleet_seen(&r, first, r.n, c->size);
        ACRE_CHECK(fabs(live - c->live / fleet_total(true)) < 2e-3, "%u: %g", c->size, live);
        ACRE_CHECK(share_is(rate, c->births / fleet_total(false), 32000), "%u: %g", c->size, rate);
    }
    free(r.size);
}

/* Little's law: whoever dies at the right rate leaves as many alive as the profile has. */
ACRE_TEST(patterns, fleet_stays_as_large_as_it_is)
{
    size_t first = (size_t)(fleet_total(true) / 32);
    record start = record_run("fleetbench", 1, first),
           r = record_run("fleetbench", 1, first + 200000);
    double mean = (r.live_sum - start.live_sum) / (double)(r.n - first);
    ACRE_CHECK(fabs(mean / (double)first - 1) < 0.05, "%g live, not %zu", mean, first);
    free(start.size);
    free(r.size);
}
