/* SPDX-License-Identifier: MIT */
/* Conformance of every memory algorithm: allocating, freeing, alignment, bulk calls, misuse.
 * A-nn are the acceptance lines taken over from Boost.Interprocess's own tests. */
#include "tests/support_heap.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

enum { SMALL = 16 << 10, MEDIUM = 64 << 10, LARGE = 1 << 20, MANY = 4096 };

static void *blocks[MANY];

/* Allocate sizes 0, step, 2 step … until there is no room. */
static size_t fill_rising(acre_heap *h, size_t step)
{
    size_t n = 0;
    while (n < MANY && (blocks[n] = acre_alloc(h, n * step)))
        n++;
    return n;
}

static void free_in_order(acre_heap *h, enum test_order order, size_t n)
{
    for (size_t i = 0; i < n; i++)
        ACRE_CHECK_EQUAL(acre_free(h, blocks[test_pick(order, i, n)]), 0);
}

static void expect_empty(acre_heap *h, size_t free_memory)
{
    acre_stats s;
    test_sound(h);
    ACRE_CHECK(acre_heap_all_free(h));
    acre_heap_free_empty(h);
    ACRE_CHECK_EQUAL(acre_heap_free_memory(h), free_memory);
    ACRE_CHECK_EQUAL(acre_heap_stats(h, &s), 0);
    if (acre_heap_algorithm(h)->flags & ACRE_ROUNDS) /* check() has seen that no two could join */
        ACRE_CHECK(s.free_blocks < 64);
    else
        ACRE_CHECK_EQUAL(s.free_blocks, 1);
}

/* ---- A-01 ---- */

static void fill_free_all_is_one_block_A01(const acre_algorithm *a)
{
    test_skip_flags(a, ACRE_NO_FREE | ACRE_REFERENCE);
    acre_heap *h = test_heap(a, MEDIUM);
    size_t initial = acre_heap_free_memory(h);
    for (size_t step = 1; step <= 64; step *= 8)
        for (int order = 0; order < TEST_ORDERS; order++) {
            size_t n = fill_rising(h, step);
            ACRE_CHECK(n > 10 && n < MANY);
            test_sound(h);
            free_in_order(h, (enum test_order)order, n);
            expect_empty(h, initial);
        }
}

static void freeing_keeps_the_heap_sound_at_each_step_A01(const acre_algorithm *a)
{
    test_skip_flags(a, ACRE_NO_FREE | ACRE_REFERENCE);
    for (int order = 0; order < TEST_ORDERS; order++) {
        acre_heap *h = test_heap(a, SMALL);
        size_t n = fill_rising(h, 3);
        for (size_t i = 0; i < n; i++) {
            ACRE_CHECK_EQUAL(acre_free(h, blocks[test_pick((enum test_order)order, i, n)]), 0);
            test_sound(h);
        }
        ACRE_CHECK(acre_heap_all_free(h));
    }
}

/* ---- what every block promises ---- */

static void blocks_are_aligned_large_enough_and_apart(const acre_algorithm *a)
{
    test_skip_flags(a, ACRE_REFERENCE);
    acre_heap *h = test_heap(a, LARGE);
    for (size_t i = 0; i < 600; i++) {
        blocks[i] = acre_alloc(h, i);
        ACRE_CHECK(blocks[i] && (uintptr_t)blocks[i] % ACRE_ALIGN_MIN == 0);
        ACRE_CHECK(acre_usable_size(h, blocks[i]) >= i, "size %zu", i);
        test_fill(blocks[i], acre_usable_size(h, blocks[i]), i);
    }
    test_sound(h);
    for (size_t i = 0; i < 600; i++)
        ACRE_CHECK(test_filled(blocks[i], acre_usable_size(h, blocks[i]), i), "block %zu", i);
}

static void size_zero_gives_distinct_blocks(const acre_algorithm *a)
{
    test_skip_flags(a, ACRE_REFERENCE);
    acre_heap *h = test_heap(a, SMALL);
    void *p = acre_alloc(h, 0), *q = acre_alloc(h, 0);
    ACRE_CHECK(p && q && p != q);
    ACRE_CHECK_EQUAL(acre_free(h, p), 0);
    ACRE_CHECK_EQUAL(acre_free(h, q), 0);
    ACRE_CHECK_EQUAL(acre_free(h, NULL), 0);
}

static void calloc_zeroes_used_memory(const acre_algorithm *a)
{
    test_skip_flags(a, ACRE_REFERENCE);
    acre_heap *h = test_heap(a, SMALL);
    void *dirty = acre_alloc(h, 1000);
    memset(dirty, 0xff, 1000);
    acre_free(h, dirty);
    unsigned char *p = acre_calloc(h, 10, 100);
    ACRE_CHECK(p);
    for (int i = 0; i < 1000; i++)
        ACRE_CHECK(p[i] == 0, "byte %d", i);
}

/* ---- alignment ---- */

static void aligned_blocks_are_aligned_A07(const acre_algorithm *a)
{
    test_skip_flags(a, ACRE_NO_FREE | ACRE_REFERENCE);
    acre_heap *h = test_heap(a, LARGE);
    size_t initial = acre_heap_free_memory(h), n = 0;
    uint64_t seed = acre_test_seed();
    for (size_t align = 1; align <= 1024; align *= 2)
        for (int i = 0; i < 20; i++, n++) {
            size_t size = acre_test_below(&seed, 2000);
            blocks[n] = acre_alloc_aligned(h, size, align);
            ACRE_CHECK(blocks[n] && (uintptr_t)blocks[n] % align == 0, "align %zu", align);
            ACRE_CHECK(acre_usable_size(h, blocks[n]) >= size);
            test_sound(h);
        }
    free_in_order(h, TEST_MIXED, n);
    expect_empty(h, initial);
}

/* What a block takes beyond its usable bytes. */
static size_t header_of(const acre_algorithm *a)
{
    acre_heap *h = test_heap(a, SMALL);
    char *p = acre_alloc(h, 1), *q = acre_alloc(h, 1);
    return (size_t)(q - p) - acre_usable_size(h, p);
}

/* Whatever order they come in, blocks of align bytes (with their guards) take just that. */
static void rounded_aligned_blocks_waste_nothing(const acre_algorithm *a, size_t align)
{
    acre_heap *h = test_heap(a, LARGE);
    size_t before = acre_heap_free_memory(h);
    size_t guard = test_options.checks >= ACRE_CHECKS_CANARY ? 8 : 0;
    for (size_t i = 1; i <= 100; i++) {
        void *p = acre_alloc_aligned(h, align - guard, align);
        ACRE_CHECK(p && (uintptr_t)p % align == 0);
        ACRE_CHECK_EQUAL(acre_heap_free_memory(h), before - i * align);
    }
}

/* Blocks of align less a header, one behind the other, leave no gap. */
static void continuous_aligned_blocks_waste_nothing_A07(const acre_algorithm *a)
{
    test_skip_flags(a, ACRE_NO_FREE | ACRE_REFERENCE);
    for (size_t align = 64; align <= 1024; align *= 4) {
        if (a->flags & ACRE_ROUNDS) {
            rounded_aligned_blocks_waste_nothing(a, align);
            continue;
        }
        acre_heap *h = test_heap(a, LARGE);
        size_t size = align - header_of(a);
        char *last = acre_alloc_aligned(h, size, align);
        for (int i = 1; i < 100; i++) {
            char *p = acre_alloc_aligned(h, size, align);
            ACRE_CHECK(p == last + align, "align %zu, block %d", align, i);
            last = p;
        }
    }
}

static void bad_alignments_fail_A08(const acre_algorithm *a)
{
    test_skip_flags(a, ACRE_REFERENCE);
    static const size_t bad[] = {0, 3, 6, 24, 100, 48, SIZE_MAX, (SIZE_MAX >> 1) + 2};
    acre_heap *h = test_heap(a, SMALL);
    size_t initial = acre_heap_free_memory(h);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ACRE_CHECK(!acre_alloc_aligned(h, 16, bad[i]), "align %zu", bad[i]);
    for (size_t align = (size_t)1 << 32; align; align *= 2)
        ACRE_CHECK(!acre_alloc_aligned(h, 16, align), "align %zu", align);
    ACRE_CHECK_EQUAL(acre_heap_free_memory(h), initial);
}

/* simple_seq_fit once cut the distance to the next multiple to 32 bits of units, so that a block
 * shortly before a multiple of 64 GiB passed for aligned. */
static void huge_alignments_fail_below_64_GiB(const acre_algorithm *a)
{
    test_skip_flags(a, ACRE_REFERENCE);
    char *at = (char *)(uintptr_t)(0x612000000000 - MEDIUM);
    void *memory = mmap(at, MEDIUM * 2, PROT_READ | PROT_WRITE,
                        MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
    acre_segment *s;
    if (memory != at)
        acre_test_skip("the address is taken");
    acre_segment_options o = {.size = MEDIUM * 2, .algorithm = a, .buffer = memory,
                              .heap = test_options};
    ACRE_CHECK_EQUAL(acre_segment_create(&s, ACRE_BUFFER, NULL, &o), 0);
    void *p = acre_alloc_aligned(acre_segment_heap(s), 16, (size_t)1 << 47);
    ACRE_CHECK(!p, "%p", p);
    munmap(memory, MEDIUM * 2);
}

static size_t largest_aligned(acre_heap *h, size_t align)
{
    size_t low = 0, high = acre_heap_free_memory(h);
    while (low < high) {
        size_t middle = (low + high + 1) / 2;
        void *p = acre_alloc_aligned(h, middle, align);
        if (p)
            low = middle;
        else
            high = middle - 1;
        acre_free(h, p);
    }
    return low;
}

static void largest_aligned_block_is_nearly_everything_A15(const acre_algorithm *a)
{
    test_skip_flags(a, ACRE_NO_FREE | ACRE_REFERENCE);
    acre_heap *h = test_heap(a, MEDIUM);
    size_t all = acre_heap_free_memory(h), percent = a->flags & ACRE_ROUNDS ? 25 : 99;
    ACRE_CHECK(largest_aligned(h, 64) * 100 >= all * percent, "%zu of %zu", largest_aligned(h, 64),
               all);
    test_sound(h);
}

/* ---- A-09 ---- */

static void zero_free_makes_new_blocks_zero_A09(const acre_algorithm *a)
{
    test_skip_flags(a, ACRE_NO_FREE | ACRE_REFERENCE);
    TEST_NEEDS(a, zero_free);
    acre_heap *h = test_heap(a, MEDIUM);
    size_t n = fill_rising(h, 1);
    for (size_t i = 0; i < n; i++)
        memset(blocks[i], 0xee, acre_usable_size(h, blocks[i]));
    free_in_order(h, TEST_MIXED, n);
    acre_heap_free_empty(h); /* what is given back later is not fresh */
    ACRE_CHECK_EQUAL(acre_heap_zero_free(h), 0);
    test_sound(h);
    n = fill_rising(h, 7);
    for (size_t i = 0; i < n; i++)
        for (size_t k = 0; k < acre_usable_size(h, blocks[i]); k++)
            ACRE_CHECK(((char *)blocks[i])[k] == 0, "block %zu, byte %zu", i, k);
}

static void expect_zeros(acre_heap *h, const void *p)
{
    for (size_t k = 0; k < acre_usable_size(h, p); k++)
        ACRE_CHECK(((const char *)p)[k] == 0, "byte %zu", k);
}

/* These once showed the links of the free lists. */
static void zero_free_is_true_of_many_and_published_blocks_A09(const acre_algorithm *a)
{
    test_skip_flags(a, ACRE_NO_FREE | ACRE_REFERENCE);
    TEST_NEEDS(a, zero_free);
    acre_segment *s = test_segment(a, MEDIUM, 0);
    acre_heap *h = acre_segment_heap(s);
    acre_off *slots = acre_calloc(h, 20, sizeof *slots);
    size_t n = fill_rising(h, 1);
    free_in_order(h, TEST_MIXED, n);
    acre_heap_free_empty(h);
    for (size_t i = 0; i < 40; i++) /* free blocks of their own, on lists */
        blocks[i] = acre_alloc(h, 40 + 24 * (i % 3));
    for (size_t i = 0; i < 40; i += 2)
        acre_free(h, blocks[i]);
    ACRE_CHECK_EQUAL(acre_heap_zero_free(h), 0);
    ACRE_CHECK_EQUAL(acre_alloc_into(h, &slots[0], 40), 0);
    ACRE_CHECK_EQUAL(acre_alloc_into(h, &slots[1], 61), 0);
    ACRE_CHECK_EQUAL(acre_alloc_many_into(h, 8, NULL, 64, slots + 2), 0);
    ACRE_CHECK_EQUAL(acre_alloc_many(h, 10, NULL, 88, blocks), 0);
    for (size_t i = 0; i < 10; i++) {
        expect_zeros(h, acre_segment_address(s, slots[i]));
        expect_zeros(h, blocks[i]);
    }
    test_sound(h);
}

/* ---- bulk calls ---- */

static void many_equal_blocks_A11(const acre_algorithm *a)
{
    test_skip_flags(a, ACRE_NO_FREE | ACRE_REFERENCE);
    acre_heap *h = test_heap(a, LARGE);
    size_t initial = acre_heap_free_memory(h);
    for (size_t size = 0; size <= 40; size += 4) {
        ACRE_CHECK_EQUAL(acre_alloc_many(h, 1000, NULL, size, blocks), 0);
        test_sound(h);
        for (size_t i = 0; i < 1000; i++) {
            ACRE_CHECK(acre_usable_size(h, blocks[i]) >= size);
            test_fill(blocks[i], size, i);
        }
        for (size_t i = 0; i < 1000; i++)
            ACRE_CHECK(test_filled(blocks[i], size, i));
        if (size % 8)
            free_in_order(h, TEST_MIXED, 1000);
        else
            ACRE_CHECK_EQUAL(acre_free_many(h, 1000, blocks), 0);
        expect_empty(h, initial);
    }
}

static void many_is_all_or_none_A11(const acre_algorithm *a)
{
    test_skip_flags(a, ACRE_NO_FREE | ACRE_REFERENCE);
    acre_heap *h = test_heap(a, MEDIUM);
    void *before = acre_alloc(h, 100);
    size_t left = acre_heap_free_memory(h);
    test_fill(before, 100, 1);
    ACRE_CHECK_EQUAL(acre_alloc_many(h, 3000, NULL, 100, blocks), ENOMEM);
    acre_heap_free_empty(h);
    ACRE_CHECK_EQUAL(acre_heap_free_memory(h), left);
    ACRE_CHECK(test_filled(before, 100, 1));
    test_sound(h);
}

static void many_different_sizes_A12(const acre_algorithm *a)
{
    test_skip_flags(a, ACRE_NO_FREE | ACRE_REFERENCE);
    acre_heap *h = test_heap(a, LARGE);
    size_t sizes[300], initial = acre_heap_free_memory(h);
    for (size_t i = 0; i < 300; i++)
        sizes[i] = i % 3 == 0 ? 1 : i % 3 == 1 ? 10 : i * 4;
    ACRE_CHECK_EQUAL(acre_alloc_many(h, 300, sizes, 0, blocks), 0);
    for (size_t i = 0; i < 300; i++)
        ACRE_CHECK(acre_usable_size(h, blocks[i]) >= sizes[i], "element %zu", i);
    ACRE_CHECK_EQUAL(acre_free_many(h, 300, blocks), 0);
    expect_empty(h, initial);
}

/* ---- A-13 ---- */

static void impossible_sizes_fail_A13(const acre_algorithm *a)
{
    test_skip_flags(a, ACRE_REFERENCE);
    acre_heap *h = test_heap(a, SMALL);
    size_t initial = acre_heap_free_memory(h);
    void *p = acre_alloc(h, 100), *many[2] = {0};
    for (int shift = 15; shift < 64; shift++)
        for (int d = -40; d <= 40; d++)
            ACRE_CHECK(!acre_alloc(h, ((size_t)1 << shift) + (size_t)d), "2^%d%+d", shift, d);
    for (size_t i = 0; i < 100; i++)
        ACRE_CHECK(!acre_alloc(h, SIZE_MAX - i) && !acre_realloc(h, p, SIZE_MAX - i) &&
                   !acre_alloc_aligned(h, SIZE_MAX - i, 4096));
    ACRE_CHECK(!acre_calloc(h, SIZE_MAX / 2, 3) && !acre_calloc(h, (size_t)1 << 32, (size_t)1 << 32));
    ACRE_CHECK_EQUAL(acre_alloc_many(h, 2, (size_t[]){16, SIZE_MAX}, 0, many), ENOMEM);
    ACRE_CHECK_EQUAL(acre_alloc_into(h, p, SIZE_MAX), ENOMEM);
    acre_free(h, p);
    if (!(a->flags & ACRE_NO_FREE))
        expect_empty(h, initial);
}

/* ---- exhaustion ---- */

static void exhausted_heap_still_serves_what_was_freed(const acre_algorithm *a)
{
    test_skip_flags(a, ACRE_NO_FREE | ACRE_REFERENCE);
    acre_heap *h = test_heap(a, MEDIUM);
    size_t initial = acre_heap_free_memory(h), n = 0;
    while ((blocks[n] = acre_alloc(h, 100)))
        n++;
    ACRE_CHECK(!acre_alloc(h, 100) && !acre_calloc(h, 1, 100) && !acre_realloc(h, blocks[0], 5000));
    test_sound(h);
    for (size_t i = 0; i < n; i += 3) {
        ACRE_CHECK_EQUAL(acre_free(h, blocks[i]), 0);
        blocks[i] = acre_alloc(h, 100);
        ACRE_CHECK(blocks[i], "block %zu of %zu", i, n);
    }
    free_in_order(h, TEST_MIXED, n);
    expect_empty(h, initial);
}

/* The n-th allocation is the first that fails, for every n: heaps of every size. */
static void nth_allocation_fails_cleanly(const acre_algorithm *a)
{
    test_skip_flags(a, ACRE_NO_FREE | ACRE_REFERENCE);
    size_t least = acre_segment_min_size(a, &test_options);
    for (size_t size = least; size < least + 3000; size += 64) {
        acre_segment *s = test_segment(a, size, 0);
        acre_heap *h = acre_segment_heap(s);
        size_t initial = acre_heap_free_memory(h), n = 0;
        while ((blocks[n] = acre_alloc(h, 24 + n % 5 * 40)))
            test_fill(blocks[n], 24, n), n++;
        test_sound(h);
        for (size_t i = 0; i < n; i++)
            ACRE_CHECK(test_filled(blocks[i], 24, i));
        free_in_order(h, TEST_MIXED, n);
        expect_empty(h, initial);
        acre_segment_close(s);
    }
}

/* ---- misuse ---- */

static void double_free_is_refused(const acre_algorithm *a)
{
    test_skip_flags(a, ACRE_NO_FREE | ACRE_REFERENCE);
    for (int order = 0; order < TEST_ORDERS; order++) {
        acre_heap *h = test_heap(a, SMALL);
        for (int i = 0; i < 8; i++)
            blocks[i] = acre_alloc(h, 100);
        for (size_t i = 0; i < 8; i++) {
            void *p = blocks[test_pick((enum test_order)order, i, 8)];
            ACRE_CHECK_EQUAL(acre_free(h, p), 0);
            size_t left = acre_heap_free_memory(h);
            ACRE_CHECK_EQUAL(acre_free(h, p), ACRE_EINVALID);
            ACRE_CHECK_EQUAL(acre_usable_size(h, p), 0);
            ACRE_CHECK(!acre_realloc(h, p, 50));
            ACRE_CHECK_EQUAL(acre_heap_free_memory(h), left);
            test_sound(h);
        }
    }
}

static void foreign_addresses_are_refused(const acre_algorithm *a)
{
    test_skip_flags(a, ACRE_NO_FREE | ACRE_REFERENCE);
    acre_segment *s = test_segment(a, SMALL, 0);
    acre_heap *h = acre_segment_heap(s);
    char *p = acre_calloc(h, 1, 200), outside[64], *base = acre_segment_base(s);
    char *wrong[] = {outside, base, base + 256, base + SMALL, base + SMALL - 16, p + 1, p + 8,
                     p + 16, p + 32, p + 64, base - 16, (char *)16, base + SMALL + 4096};
    size_t left = acre_heap_free_memory(h);
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        ACRE_CHECK(acre_free(h, wrong[i]) == ACRE_EINVALID, "address %zu", i);
        ACRE_CHECK(acre_usable_size(h, wrong[i]) == 0, "address %zu", i);
        ACRE_CHECK(!acre_realloc(h, wrong[i], 10), "address %zu", i);
    }
    ACRE_CHECK_EQUAL(acre_heap_free_memory(h), left);
    test_sound(h);
    ACRE_CHECK_EQUAL(acre_free(h, p), 0);
}

/* ---- publishing ---- */

static void alloc_into_and_free_from_a_slot(const acre_algorithm *a)
{
    test_skip_flags(a, ACRE_NO_FREE | ACRE_REFERENCE);
    acre_segment *s = test_segment(a, SMALL, 0);
    acre_heap *h = acre_segment_heap(s);
    acre_off *root = acre_segment_root(s), outside = 7, *odd = (acre_off *)((char *)root + 4);
    size_t initial = acre_heap_free_memory(h);
    ACRE_CHECK_EQUAL(acre_alloc_into(h, root, 100), 0);
    ACRE_CHECK(acre_usable_size(h, acre_segment_address(s, *root)) >= 100);
    ACRE_CHECK_EQUAL(acre_free_from(h, root), 0);
    ACRE_CHECK_EQUAL(*root, 0);
    ACRE_CHECK_EQUAL(acre_free_from(h, root), 0);
    ACRE_CHECK_EQUAL(acre_alloc_into(h, &outside, 100), ACRE_EINVALID);
    ACRE_CHECK_EQUAL(acre_free_from(h, &outside), ACRE_EINVALID);
    ACRE_CHECK_EQUAL(acre_alloc_into(h, odd, 100), ACRE_EINVALID);
    ACRE_CHECK_EQUAL(outside, 7);
    ACRE_CHECK_EQUAL(acre_alloc_into(h, root, SMALL), ENOMEM);
    ACRE_CHECK_EQUAL(*root, 0);
    *root = 12345;
    ACRE_CHECK_EQUAL(acre_free_from(h, root), ACRE_EINVALID);
    ACRE_CHECK_EQUAL(*root, 12345);
    expect_empty(h, initial);
}

/* ---- walk and statistics ---- */

typedef struct seen {
    uint64_t end, total, used_blocks, used_bytes, free_blocks, free_total, largest_free;
    int stop_after, visits;
} seen;

static int see(void *arg, const acre_block *b)
{
    seen *s = arg;
    ACRE_CHECK(b->offset >= s->end && b->size <= b->total && b->size > 0);
    s->end = b->offset + b->size;
    s->total += b->total;
    s->used_blocks += b->used;
    s->used_bytes += b->used ? b->size : 0;
    s->free_blocks += !b->used;
    s->free_total += b->used ? 0 : b->total;
    if (!b->used && b->size > s->largest_free)
        s->largest_free = b->size;
    return ++s->visits == s->stop_after ? 42 : 0;
}

static void expect_consistent(acre_heap *h)
{
    seen w = {0};
    acre_stats s = {0};
    uint64_t bars = 0;
    ACRE_CHECK_EQUAL(acre_heap_walk(h, see, &w), 0);
    ACRE_CHECK_EQUAL(acre_heap_stats(h, &s), 0);
    ACRE_CHECK_EQUAL(w.total + s.overhead, s.size);
    ACRE_CHECK_EQUAL(w.free_total, s.free_bytes);
    ACRE_CHECK_EQUAL(w.used_blocks, s.used_blocks);
    ACRE_CHECK_EQUAL(w.used_bytes, s.used_bytes);
    ACRE_CHECK_EQUAL(w.free_blocks, s.free_blocks);
    ACRE_CHECK_EQUAL(w.largest_free, s.largest_free);
    ACRE_CHECK_EQUAL(acre_heap_free_memory(h), s.free_bytes);
    ACRE_CHECK(s.high_water <= s.size && acre_heap_high_water(h) >= s.high_water);
    for (int i = 0; i < 48; i++)
        bars += s.histogram[i];
    ACRE_CHECK_EQUAL(bars, s.free_blocks);
}

static void walk_sums_to_the_region_and_to_the_stats(const acre_algorithm *a)
{
    test_skip_flags(a, ACRE_REFERENCE);
    acre_heap *h = test_heap(a, MEDIUM);
    expect_consistent(h);
    size_t n = fill_rising(h, 3);
    expect_consistent(h);
    for (size_t i = 0; i < n; i += 2)
        acre_free(h, blocks[i]);
    test_settle(h);
    expect_consistent(h);
    seen stopped = {.stop_after = 3};
    ACRE_CHECK_EQUAL(acre_heap_walk(h, see, &stopped), 42);
    ACRE_CHECK_EQUAL(stopped.visits, 3);
}

static void high_water_never_falls_nor_exceeds_use(const acre_algorithm *a)
{
    test_skip_flags(a, ACRE_REFERENCE);
    acre_heap *h = test_heap(a, MEDIUM);
    size_t before = acre_heap_high_water(h);
    char *p = acre_alloc(h, 10000);
    size_t after = acre_heap_high_water(h);
    size_t most = before + (a->flags & ACRE_ROUNDS ? MEDIUM / 2 : 10100);
    ACRE_CHECK(after >= before + 10000 && after <= most, "%zu %zu", before, after);
    acre_free(h, p);
    ACRE_CHECK_EQUAL(acre_heap_high_water(h), after);
}

#define CASES(X, a)                                      \
    X(a, fill_free_all_is_one_block_A01)                 \
    X(a, freeing_keeps_the_heap_sound_at_each_step_A01)  \
    X(a, blocks_are_aligned_large_enough_and_apart)      \
    X(a, size_zero_gives_distinct_blocks)                \
    X(a, calloc_zeroes_used_memory)                      \
    X(a, aligned_blocks_are_aligned_A07)                 \
    X(a, continuous_aligned_blocks_waste_nothing_A07)    \
    X(a, bad_alignments_fail_A08)                        \
    X(a, huge_alignments_fail_below_64_GiB)              \
    X(a, largest_aligned_block_is_nearly_everything_A15) \
    X(a, zero_free_makes_new_blocks_zero_A09)            \
    X(a, zero_free_is_true_of_many_and_published_blocks_A09)  \
    X(a, many_equal_blocks_A11)                          \
    X(a, many_is_all_or_none_A11)                        \
    X(a, many_different_sizes_A12)                       \
    X(a, impossible_sizes_fail_A13)                      \
    X(a, exhausted_heap_still_serves_what_was_freed)     \
    X(a, nth_allocation_fails_cleanly)                   \
    X(a, double_free_is_refused)                         \
    X(a, foreign_addresses_are_refused)                  \
    X(a, alloc_into_and_free_from_a_slot)                \
    X(a, walk_sums_to_the_region_and_to_the_stats)       \
    X(a, high_water_never_falls_nor_exceeds_use)

#define ACRE_ALGORITHM(a) TEST_CASES_AND_PLAIN(CASES, a)
#include "alloc/algorithms.def"
#undef ACRE_ALGORITHM

/* ---- the list ---- */

ACRE_TEST(registry, refuses_taken_and_impossible_names)
{
    static acre_algorithm copy;
    copy = *acre_algorithm_find("bump");
    ACRE_CHECK_EQUAL(acre_algorithm_register(&copy), EEXIST);
    copy.name = "a_name_of_more_than_thirty_one_bytes_x";
    ACRE_CHECK_EQUAL(acre_algorithm_register(&copy), EINVAL);
    copy.name = NULL;
    ACRE_CHECK_EQUAL(acre_algorithm_register(&copy), EINVAL);
    ACRE_CHECK(!acre_algorithm_find("no such algorithm"));
}

ACRE_TEST(registry, takes_32_more_and_lists_them)
{
    static acre_algorithm more[33];
    static char names[33][24];
    size_t builtin = 0;
    while (acre_algorithm_at(builtin))
        builtin++;
    for (int i = 0; i < 33; i++) {
        snprintf(names[i], sizeof names[i], "more_%d", i);
        more[i] = *acre_algorithm_find("bump");
        more[i].name = names[i];
        ACRE_CHECK_EQUAL(acre_algorithm_register(&more[i]), i < 32 ? 0 : ENOSPC);
    }
    ACRE_CHECK(acre_algorithm_at(builtin + 31) == &more[31] && !acre_algorithm_at(builtin + 32));
    ACRE_CHECK(acre_algorithm_find("more_7") == &more[7]);
}

ACRE_TEST(spec, options_are_read_and_unknown_ones_refused)
{
    const acre_algorithm *a = NULL;
    acre_heap_options o = {.lock = 7, .journal = 7};
    ACRE_CHECK_EQUAL(acre_spec_parse("simple_seq_fit:lock=none,journal=off", &a, &o), 0);
    ACRE_CHECK(a == acre_algorithm_find("simple_seq_fit"));
    ACRE_CHECK(o.lock == ACRE_LOCK_NONE && o.journal == ACRE_JOURNAL_OFF);
    ACRE_CHECK_EQUAL(acre_spec_parse("bump", &a, &o), 0);
    ACRE_CHECK(o.lock == ACRE_LOCK_ROBUST && o.journal == ACRE_JOURNAL_ON);
    static const char *const bad[] = {"bump:", "bump:lock", "bump:lock=none,", "bump:lock=nonee",
                                      "bump:,lock=none", "bump:journal=on;lock=none"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
        ACRE_CHECK(acre_spec_parse(bad[i], &a, &o) == ACRE_EOPTION, "%s", bad[i]);
    ACRE_CHECK_EQUAL(acre_spec_parse("", &a, &o), ACRE_EALGORITHM);
    ACRE_CHECK_EQUAL(acre_spec_parse("bum", &a, &o), ACRE_EALGORITHM);
    ACRE_CHECK_EQUAL(acre_spec_parse("this_name_is_longer_than_any_algorithm", &a, &o),
                     ACRE_EALGORITHM);
}

ACRE_TEST(base, every_error_has_a_text_of_its_own)
{
#define EXPECT_TEXT(name, code, text) ACRE_CHECK(!strcmp(acre_strerror(name), text));
    ACRE_ERRORS(EXPECT_TEXT)
    ACRE_CHECK(!strcmp(acre_strerror(ENOSPC), strerror(ENOSPC)));
    ACRE_CHECK(strstr(acre_strerror(-1), "unknown"));
    ACRE_CHECK(strlen(acre_version()) >= 5);
}
