/* SPDX-License-Identifier: MIT */
/* What pools promise beyond a heap: A-60 (free counts, free_empty, over-alignment, max_free), the share
 * of metadata, blocks that return, which node is taken first. */
#include "tests/support_heap.h"

#include <stdlib.h>
#include <string.h>

enum { POOLS_HEAP = 4 << 20, POOLS_MANY = 30000 };

static void *node[POOLS_MANY];
static bool kept[POOLS_MANY];

static acre_segment *pools_segment(const char *spec)
{
    acre_segment_options o = {.size = POOLS_HEAP};
    acre_segment *s;
    ACRE_CHECK_EQUAL(acre_spec_parse(spec, &o.algorithm, &o.heap), 0);
    ACRE_CHECK_EQUAL(acre_segment_create(&s, ACRE_HEAP, NULL, &o), 0);
    return s;
}

static void alloc_nodes(acre_heap *h, size_t n, size_t size)
{
    for (size_t i = 0; i < n; i++) {
        node[i] = acre_alloc(h, size);
        ACRE_CHECK(node[i]);
        test_fill(node[i], size, i);
    }
}

/* The nodes of one size, and the runs of neighbours that they stand in: blocks of a pool. */
typedef struct census {
    uint64_t size, end;
    size_t used, free, runs, live_runs; /* live: with a used node */
    bool live;
} census;

static int count_node(void *arg, const acre_block *b)
{
    census *c = arg;
    if (b->size != c->size || b->total != b->size) /* what stands alone has a header */
        return 0;
    if (b->offset != c->end)
        c->runs++, c->live = false;
    c->live_runs += b->used && !c->live;
    c->live |= b->used;
    c->used += b->used;
    c->free += !b->used;
    c->end = b->offset + b->size;
    return 0;
}

static census census_of(acre_heap *h, uint64_t size)
{
    census c = {.size = size};
    ACRE_CHECK_EQUAL(acre_heap_walk(h, count_node, &c), 0);
    return c;
}

static void shuffle(uint64_t *seed, size_t n)
{
    for (size_t i = n; i > 1; i--) {
        size_t k = acre_test_below(seed, i);
        void *p = node[i - 1];
        node[i - 1] = node[k];
        node[k] = p;
    }
}

static void free_nodes(acre_heap *h, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!kept[i])
            ACRE_CHECK_EQUAL(acre_free(h, node[i]), 0);
}

/* ---- A-60 ---- */

ACRE_TEST(pools, free_count_after_n_allocated_and_freed_A60)
{
    acre_segment *s = pools_segment("segregated_pools");
    acre_heap *h = acre_segment_heap(s);
    alloc_nodes(h, 5000, 64);
    census full = census_of(h, 64);
    size_t high = acre_heap_high_water(h);
    ACRE_CHECK(full.used > 4700 && full.free < 64);
    free_nodes(h, 5000);
    census none = census_of(h, 64);
    ACRE_CHECK(none.used == 0 && none.free == full.used + full.free && none.runs == full.runs);
    alloc_nodes(h, full.used, 64);
    ACRE_CHECK_EQUAL(census_of(h, 64).used, full.used);
    ACRE_CHECK_EQUAL(acre_heap_high_water(h), high);
    acre_segment_close(s);
}

static void free_empty_takes_only_what_is_wholly_free(const char *spec)
{
    acre_segment *s = pools_segment(spec);
    acre_heap *h = acre_segment_heap(s);
    size_t initial = acre_heap_free_memory(h), back = 0;
    alloc_nodes(h, 6000, 48);
    for (size_t i = 0; i < 6000; i++)
        kept[i] = i > 3000 && i % 200 == 0;
    free_nodes(h, 6000);
    size_t live = census_of(h, 48).live_runs;
    back = acre_heap_free_empty(h);
    census c = census_of(h, 48);
    ACRE_CHECK(back > 0 && c.runs == live && c.live_runs == live && acre_heap_free_empty(h) == 0);
    test_sound(h);
    for (size_t i = 0; i < 6000; i++)
        ACRE_CHECK(!kept[i] || test_filled(node[i], 48, i));
    for (size_t i = 0; i < 6000; i++)
        ACRE_CHECK(!kept[i] || acre_free(h, node[i]) == 0);
    acre_heap_free_empty(h);
    ACRE_CHECK_EQUAL(acre_heap_free_memory(h), initial);
    acre_segment_close(s);
}

ACRE_TEST(pools, free_empty_releases_a_block_only_if_all_its_nodes_are_free_A60)
{
    free_empty_takes_only_what_is_wholly_free("segregated_pools");
    free_empty_takes_only_what_is_wholly_free("adaptive_pools");
}

ACRE_TEST(pools, small_nodes_can_be_over_aligned_A60)
{
    acre_segment *s = pools_segment("adaptive_pools");
    acre_heap *h = acre_segment_heap(s);
    alloc_nodes(h, 1000, 32);
    for (size_t align = 32; align <= 65536; align *= 2) {
        void *p = acre_alloc_aligned(h, 24, align);
        ACRE_CHECK(p && (uintptr_t)p % align == 0 && acre_usable_size(h, p) >= 24);
        test_sound(h);
        ACRE_CHECK_EQUAL(acre_free(h, p), 0);
    }
    acre_segment_close(s);
}

static void keeps_at_most(const char *spec, size_t most)
{
    acre_segment *s = pools_segment(spec);
    acre_heap *h = acre_segment_heap(s);
    uint64_t seed = acre_test_seed();
    alloc_nodes(h, 5000, 80);
    shuffle(&seed, 5000);
    for (size_t i = 0; i < 5000; i++) {
        ACRE_CHECK_EQUAL(acre_free(h, node[i]), 0);
        if (i % 100 == 0) {
            census c = census_of(h, 80);
            ACRE_CHECK(c.runs - c.live_runs <= most, "%zu wholly free", c.runs - c.live_runs);
        }
    }
    census c = census_of(h, 80);
    ACRE_CHECK(c.used == 0 && c.runs == most, "%zu runs", c.runs);
    test_sound(h);
    acre_segment_close(s);
}

ACRE_TEST(pools, adaptive_keeps_at_most_max_free_blocks_A60)
{
    keeps_at_most("adaptive_pools:max_free=0", 0);
    keeps_at_most("adaptive_pools:max_free=1", 1);
    keeps_at_most("adaptive_pools", 2);
    keeps_at_most("adaptive_pools:max_free=7", 7);
}

/* ---- metadata ---- */

/* All of a heap in nodes of one size: everything that users do not get is below 5 %.  (8 bytes are
 * served by a node of 16: a node's size counts.) */
static void metadata_is_below_5_percent(const char *spec)
{
    for (size_t size = 8; size <= 512; size += 8) {
        acre_segment *s = pools_segment(spec);
        acre_heap *h = acre_segment_heap(s);
        acre_stats all;
        while (acre_alloc(h, size))
            ;
        ACRE_CHECK_EQUAL(acre_heap_stats(h, &all), 0);
        ACRE_CHECK(all.used_bytes * 100 > all.size * 95, "%s, nodes of %zu: %.2f %% metadata", spec,
                   size, 100 - 100.0 * (double)all.used_bytes / (double)all.size);
        acre_segment_close(s);
    }
}

ACRE_TEST(pools, metadata_is_below_5_percent_at_8_to_512)
{
    metadata_is_below_5_percent("segregated_pools");
    metadata_is_below_5_percent("adaptive_pools");
}

/* ---- memory that returns ---- */

/* After freeing all but the nodes in kept[]: of the blocks that can be empty 90 % have returned. */
static void expect_returned(acre_heap *h, size_t size, size_t before)
{
    census c = census_of(h, size);
    size_t can = before - c.live_runs, still = c.runs - c.live_runs;
    ACRE_CHECK(can > before / 4 && still * 10 <= can, "%zu of %zu have not", still, can);
    test_sound(h);
}

/* Freed newest first, the oldest 1 % stay; or in random order, a random 1 % stays. */
static void returns_blocks(bool random, size_t size)
{
    acre_segment *s = pools_segment("adaptive_pools");
    acre_heap *h = acre_segment_heap(s);
    uint64_t seed = acre_test_seed();
    alloc_nodes(h, POOLS_MANY, size);
    size_t before = census_of(h, size).runs;
    if (random)
        shuffle(&seed, POOLS_MANY);
    for (size_t i = POOLS_MANY; i-- > POOLS_MANY / 100;)
        ACRE_CHECK_EQUAL(acre_free(h, node[i]), 0);
    expect_returned(h, size, before);
    acre_segment_close(s);
}

ACRE_TEST(pools, adaptive_returns_what_can_be_empty_after_freeing_99_percent_lifo)
{
    returns_blocks(false, 32);
    returns_blocks(false, 96);
}

ACRE_TEST(pools, adaptive_returns_what_can_be_empty_after_freeing_99_percent_in_random_order)
{
    returns_blocks(true, 32);
    returns_blocks(true, 96);
}

/* A steady state with few live nodes empties blocks: allocation fills those that have few free. */
ACRE_TEST(pools, adaptive_takes_from_the_block_with_the_fewest_free_nodes)
{
    acre_segment *s = pools_segment("adaptive_pools:max_free=0");
    acre_heap *h = acre_segment_heap(s);
    alloc_nodes(h, 3000, 64);
    while (census_of(h, 64).free)
        ACRE_CHECK(acre_alloc(h, 64));
    void *one = node[1000];
    ACRE_CHECK_EQUAL(acre_free(h, one), 0);
    for (size_t i = 2000; i < 2200; i += 2)
        ACRE_CHECK_EQUAL(acre_free(h, node[i]), 0);
    ACRE_CHECK(acre_alloc(h, 64) == one);
    acre_segment_close(s);
}

/* A large request gets the memory of blocks that were kept. */
ACRE_TEST(pools, adaptive_gives_kept_blocks_back_when_memory_is_short)
{
    acre_segment *s = pools_segment("adaptive_pools:max_free=8");
    acre_heap *h = acre_segment_heap(s);
    size_t n = 0;
    while (n < POOLS_MANY && (node[n] = acre_alloc(h, 160)))
        n++;
    for (size_t i = 0; i < n; i++)
        ACRE_CHECK_EQUAL(acre_free(h, node[i]), 0);
    ACRE_CHECK_EQUAL(census_of(h, 160).runs, 8);
    for (size_t size = 100000; size; size /= 2)
        while (acre_alloc(h, size + 512))
            ;
    ACRE_CHECK(census_of(h, 160).runs < 8);
    test_sound(h);
    acre_segment_close(s);
}

/* ---- parameters and classes ---- */

ACRE_TEST(pools, classes_and_parameters_are_taken_from_the_options)
{
    acre_segment *s =
        pools_segment("adaptive_pools:nodes=40,overhead=3,max_free=0,classes=16:41:100");
    acre_heap *h = acre_segment_heap(s);
    acre_heap_options o = acre_heap_options_of(h);
    ACRE_CHECK(o.param[0] == 40 && o.param[1] == 3 && o.param[2] == 0);
    ACRE_CHECK(o.class_size[0] == 16 && o.class_size[1] == 48 && o.class_size[2] == 112);
    ACRE_CHECK_EQUAL(o.class_size[3], 0);
    alloc_nodes(h, 2000, 50);
    census c = census_of(h, 112);
    ACRE_CHECK(c.used > 1700 && c.runs <= (c.used + 39) / 40);
    void *large = acre_alloc(h, 113);
    ACRE_CHECK(acre_usable_size(h, large) < 160);
    acre_segment_close(s);
}

/* ---- which sizes get a pool ---- */

static size_t nodes_after(acre_heap *h, size_t calls, size_t size)
{
    for (size_t i = 0; i < calls; i++)
        ACRE_CHECK_EQUAL(acre_free(h, acre_alloc(h, size)), 0);
    census c = census_of(h, size);
    return c.used + c.free;
}

/* One node that comes and goes: worth a pool block where that is a five hundredth of the heap. */
ACRE_TEST(pools, a_size_that_is_asked_for_often_gets_a_pool_in_a_heap_that_is_large_enough)
{
    static const char *const spec[] = {"segregated_pools", "adaptive_pools",
                                       "adaptive_pools:lock=none,journal=off"};
    for (size_t i = 0; i < sizeof spec / sizeof *spec; i++) {
        acre_segment *s = pools_segment(spec[i]);
        acre_heap *h = acre_segment_heap(s);
        ACRE_CHECK_EQUAL(nodes_after(h, 3000, 48), 0);
        ACRE_CHECK(acre_alloc(h, POOLS_HEAP / 2));
        ACRE_CHECK_EQUAL(nodes_after(h, 100, 80), 0);
        ACRE_CHECK(nodes_after(h, 3000, 80) > 0);
        test_sound(h);
        acre_segment_close(s);
    }
}

/* ---- misuse ---- */

static void wrong_addresses_are_refused(const char *spec)
{
    acre_segment *s = pools_segment(spec);
    acre_heap *h = acre_segment_heap(s);
    char *base = acre_segment_base(s);
    alloc_nodes(h, 2000, 100);
    for (size_t at = 0; at < 300000; at += 8) {
        if (acre_usable_size(h, base + at) == 0)
            ACRE_CHECK(acre_free(h, base + at) == ACRE_EINVALID, "at %zu", at);
    }
    test_sound(h);
    for (size_t i = 0; i < 2000; i++)
        ACRE_CHECK(test_filled(node[i], 100, i) && acre_free(h, node[i]) == 0);
    for (size_t i = 0; i < 2000; i++)
        ACRE_CHECK_EQUAL(acre_free(h, node[i]), ACRE_EINVALID);
    acre_segment_close(s);
}

ACRE_TEST(pools, every_address_that_is_no_live_block_is_refused)
{
    wrong_addresses_are_refused("segregated_pools");
    wrong_addresses_are_refused("adaptive_pools");
    wrong_addresses_are_refused("adaptive_pools:lock=none,journal=off");
}
