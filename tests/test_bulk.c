/* SPDX-License-Identifier: MIT */
/* Bulk calls: any order, NULLs, what is no block; neighbours merge outside the index, and are cut from
 * one piece.  (Their kills: test_kill.c.) */
#include "tests/support_heap.h"

#include <errno.h>
#include <string.h>

/* White box: best fit's dv and its index. */
#include "alloc/heap.h"
#include "alloc/tags.h"

enum { BULK_SIZE = 1 << 20, BULK_N = 300 };

static void *bulk_blocks[BULK_N + 8];

static acre_heap *bulk_heap(const acre_algorithm *a)
{
    test_skip_flags(a, ACRE_REFERENCE | ACRE_NO_FREE);
    return test_heap(a, BULK_SIZE);
}

static void bulk_shuffle(void **p, size_t n, uint64_t *seed)
{
    for (size_t i = n; i > 1; i--) {
        size_t j = acre_test_below(seed, i);
        void *q = p[i - 1];
        p[i - 1] = p[j];
        p[j] = q;
    }
}

/* ---- each algorithm ---- */

static void any_order_in_any_state(const acre_algorithm *a)
{
    acre_heap *h = bulk_heap(a);
    uint64_t seed = acre_test_seed();
    size_t sizes[BULK_N];
    for (int round = 0; round < 40; round++) {
        size_t n = 1 + acre_test_below(&seed, BULK_N), kept = acre_test_below(&seed, n);
        for (size_t i = 0; i < n; i++)
            sizes[i] = acre_test_below(&seed, i % 4 ? 100 : 2000);
        ACRE_CHECK_EQUAL(acre_alloc_many(h, n, round % 3 ? sizes : NULL, 70, bulk_blocks), 0);
        test_sound(h);
        for (size_t i = 0; i < n; i++)
            test_fill(bulk_blocks[i], round % 3 ? sizes[i] : 70, i);
        for (size_t i = 0; i < n; i++)
            ACRE_CHECK(test_filled(bulk_blocks[i], round % 3 ? sizes[i] : 70, i), "block %zu", i);
        bulk_shuffle(bulk_blocks, n, &seed);
        ACRE_CHECK_EQUAL(acre_free_many(h, kept, bulk_blocks), 0);
        test_sound(h);
        ACRE_CHECK_EQUAL(acre_free_many(h, n - kept, bulk_blocks + kept), 0);
        test_sound(h);
        ACRE_CHECK(acre_heap_all_free(h));
    }
}

/* Foreign, misaligned and NULL ones between live ones; with an algorithm that knows a freed block also
 * one that is there twice. */
static void what_is_no_block_is_told_after_the_others(const acre_algorithm *a)
{
    acre_heap *h = bulk_heap(a);
    int local[8];
    ACRE_CHECK_EQUAL(acre_alloc_many(h, 10, NULL, 100, bulk_blocks), 0);
    bulk_blocks[10] = local, bulk_blocks[11] = NULL, bulk_blocks[12] = (char *)bulk_blocks[3] + 1;
    bulk_blocks[13] = bulk_blocks[4];
    ACRE_CHECK_EQUAL(acre_free_many(h, 14, bulk_blocks), ACRE_EINVALID);
    test_sound(h);
    ACRE_CHECK(acre_heap_all_free(h));
    memset(bulk_blocks, 0, sizeof bulk_blocks);
    ACRE_CHECK_EQUAL(acre_free_many(h, 10, bulk_blocks), 0);
    ACRE_CHECK_EQUAL(acre_alloc_many(h, 0, NULL, 100, bulk_blocks), 0);
}

static void too_large_or_too_many_make_none(const acre_algorithm *a)
{
    acre_heap *h = bulk_heap(a);
    size_t sizes[3] = {16, SIZE_MAX, 16};
    ACRE_CHECK_EQUAL(acre_alloc_many(h, 3, sizes, 0, bulk_blocks), ENOMEM);
    ACRE_CHECK_EQUAL(acre_alloc_many(h, 3, NULL, ACRE_SIZE_MAX, bulk_blocks), ENOMEM);
    ACRE_CHECK_EQUAL(acre_alloc_many(h, 200, NULL, BULK_SIZE / 100, bulk_blocks), ENOMEM);
    test_sound(h);
    ACRE_CHECK(acre_heap_all_free(h));
}

#define CASES(X, a)                                                                                \
    X(a, any_order_in_any_state)                                                                   \
    X(a, what_is_no_block_is_told_after_the_others)                                                \
    X(a, too_large_or_too_many_make_none)

#define ACRE_ALGORITHM(a) TEST_CASES_AND_PLAIN(CASES, a)
#include "alloc/algorithms.def"
#undef ACRE_ALGORITHM

/* ---- first fit: where ---- */

/* Holes of every size among blocks that stay. */
static acre_heap *bulk_holes(void)
{
    acre_heap *h = bulk_heap(acre_algorithm_find("simple_seq_fit"));
    for (size_t i = 0; i < BULK_N; i++)
        ACRE_CHECK((bulk_blocks[i] = acre_alloc(h, 24 + i * 37 % 400)));
    for (size_t i = 0; i < BULK_N; i += 2)
        ACRE_CHECK_EQUAL(acre_free(h, bulk_blocks[i]), 0);
    return h;
}

/* Rising sizes need one pass over the list, falling ones a look at its front: they lie where they do one
 * by one. */
ACRE_TEST(bulk_first_fit, many_lie_where_they_do_one_by_one)
{
    size_t sizes[100];
    void *many[100];
    acre_heap *h = bulk_holes();
    for (size_t i = 0; i < 100; i++)
        sizes[i] = i * 53 % 300;
    ACRE_CHECK_EQUAL(acre_alloc_many(h, 100, sizes, 0, many), 0);
    test_sound(h);
    acre_heap *single = bulk_holes();
    for (size_t i = 0; i < 100; i++) {
        const char *p = acre_alloc(single, sizes[i]);
        ACRE_CHECK(p - single->region.base == (char *)many[i] - h->region.base, "block %zu", i);
    }
}

/* ---- best fit: how ---- */

enum { BULK_BYTES = 1000, BULK_RUN = 20 };

/* A run of blocks between two that stay. */
static acre_heap *bulk_run(void)
{
    acre_heap *h = bulk_heap(acre_algorithm_find("rbtree_best_fit"));
    ACRE_CHECK_EQUAL(acre_alloc_many(h, BULK_RUN + 2, NULL, BULK_BYTES, bulk_blocks), 0);
    for (int i = 1; i < BULK_RUN + 2; i++)
        ACRE_CHECK((char *)bulk_blocks[i] - (char *)bulk_blocks[i - 1] == 1008);
    return h;
}

/* Bins, root and the tree's node are as they were: what neighbours became is dv.  Freed one by one the
 * same run goes into the index and out again at each step. */
ACRE_TEST(bulk_best_fit, neighbours_merge_outside_the_index)
{
    acre_heap *h = bulk_run();
    tag_heap *rb = tag_of(&h->region), before = *rb;
    ACRE_CHECK_EQUAL(acre_free_many(h, BULK_RUN, bulk_blocks + 1), 0);
    test_sound(h);
    ACRE_CHECK_EQUAL(rb->dv.units, BULK_RUN * 63);
    ACRE_CHECK(rb->bins_used == before.bins_used && rb->large == before.large);
    ACRE_CHECK_EQUAL(rb->free_units, before.free_units + BULK_RUN * 63);
}

ACRE_TEST(bulk_best_fit, negative_control_one_by_one_they_merge_in_the_index)
{
    acre_heap *h = bulk_run();
    for (int i = 1; i <= BULK_RUN; i++)
        ACRE_CHECK_EQUAL(acre_free(h, bulk_blocks[i]), 0);
    ACRE_CHECK(tag_of(&h->region)->large != 0);
}

/* The hole, in the tree by now, serves them all, in a row. */
ACRE_TEST(bulk_best_fit, many_are_cut_from_one_piece)
{
    acre_heap *h = bulk_run();
    void *hole = bulk_blocks[1], *small[BULK_RUN];
    for (int i = 1; i <= BULK_RUN; i++)
        ACRE_CHECK_EQUAL(acre_free(h, bulk_blocks[i]), 0);
    ACRE_CHECK_EQUAL(acre_alloc_many(h, BULK_RUN, NULL, 500, small), 0);
    for (int i = 0; i < BULK_RUN; i++)
        ACRE_CHECK((char *)small[i] - (char *)hole == i * 512);
    test_sound(h);
}
