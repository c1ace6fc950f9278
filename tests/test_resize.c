/* SPDX-License-Identifier: MIT */
/* Conformance: changing blocks in place (A-02 … ), realloc, growing and shrinking the
 * heap. */
#include "tests/support_heap.h"

#include <errno.h>
#include <string.h>

enum { SMALL = 16 << 10, MEDIUM = 64 << 10, MANY = 1024 };

static void *blocks[MANY];

static size_t fill_equal(acre_heap *h, size_t size)
{
    size_t n = 0;
    while (n < MANY && (blocks[n] = acre_alloc(h, size)))
        test_fill(blocks[n], size, n), n++;
    return n;
}

static void free_all(acre_heap *h, size_t n)
{
    for (size_t i = 0; i < n; i++)
        ACRE_CHECK_EQUAL(acre_free(h, blocks[i]), 0);
    ACRE_CHECK(acre_heap_all_free(h));
    acre_heap_free_empty(h);
    test_sound(h);
}

static void *command(acre_heap *h, void *p, uint32_t flags, size_t limit, size_t preferred,
                     size_t *received)
{
    acre_resize_command c = {.flags = flags, .limit = limit, .preferred = preferred};
    void *q = acre_resize(h, p, &c, NULL);
    *received = c.received;
    return q;
}

/* ---- in place ---- */

static void shrink_every_block_to_half_A02(const acre_algorithm *a)
{
    test_skip_flags(a, ACRE_NO_FREE | ACRE_REFERENCE);
    TEST_NEEDS(a, resize);
    acre_heap *h = test_heap_unpooled(a, MEDIUM);
    size_t initial = acre_heap_free_memory(h), n = fill_equal(h, 200), received;
    for (size_t i = 0; i < n; i++) {
        size_t had = acre_usable_size(h, blocks[i]), half = had / 2;
        ACRE_CHECK(command(h, blocks[i], ACRE_SHRINK, had, half, &received) == blocks[i]);
        ACRE_CHECK(received >= half && received < had);
        ACRE_CHECK_EQUAL(acre_usable_size(h, blocks[i]), received);
        ACRE_CHECK(test_filled(blocks[i], half, i));
        test_sound(h);
    }
    free_all(h, n);
    ACRE_CHECK_EQUAL(acre_heap_free_memory(h), initial);
}

static void try_shrink_only_tells_A02(const acre_algorithm *a)
{
    test_skip_flags(a, ACRE_NO_FREE | ACRE_REFERENCE);
    TEST_NEEDS(a, resize);
    acre_heap *h = test_heap_unpooled(a, SMALL);
    void *p = acre_alloc(h, 400);
    size_t had = acre_usable_size(h, p), left = acre_heap_free_memory(h), told, received;
    ACRE_CHECK(command(h, p, ACRE_TRY_SHRINK, had, 100, &told) == p);
    ACRE_CHECK_EQUAL(acre_usable_size(h, p), had);
    ACRE_CHECK_EQUAL(acre_heap_free_memory(h), left);
    ACRE_CHECK(command(h, p, ACRE_SHRINK, had, 100, &received) == p);
    ACRE_CHECK_EQUAL(received, told);
}

static int count_used(void *arg, const acre_block *b)
{
    *(size_t *)arg += b->used;
    return 0;
}

static size_t used_blocks(acre_heap *h)
{
    size_t n = 0;
    ACRE_CHECK_EQUAL(acre_heap_walk(h, count_used, &n), 0);
    return n;
}

static void expand_within_the_waste_A03(const acre_algorithm *a)
{
    test_skip_flags(a, ACRE_NO_FREE | ACRE_REFERENCE);
    TEST_NEEDS(a, resize);
    acre_heap *h = test_heap_unpooled(a, MEDIUM);
    size_t n = fill_equal(h, 25), used = used_blocks(h), received;
    for (size_t i = 0; i < n; i++) {
        size_t usable = acre_usable_size(h, blocks[i]), wish = usable > 26 ? usable : 26;
        ACRE_CHECK(command(h, blocks[i], ACRE_FORWARDS, 26, wish, &received) == blocks[i]);
        ACRE_CHECK(received >= wish);
        ACRE_CHECK_EQUAL(acre_usable_size(h, blocks[i]), received);
    }
    ACRE_CHECK_EQUAL(used_blocks(h), used);
    free_all(h, n);
}

static void shrink_then_expand_gives_the_old_size_A04(const acre_algorithm *a)
{
    test_skip_flags(a, ACRE_NO_FREE | ACRE_REFERENCE);
    TEST_NEEDS(a, resize);
    acre_heap *h = test_heap_unpooled(a, MEDIUM);
    size_t n = fill_equal(h, 300), received;
    for (size_t i = 0; i < n; i++) {
        size_t had = acre_usable_size(h, blocks[i]);
        ACRE_CHECK(command(h, blocks[i], ACRE_SHRINK, had, 60 + i, &received));
        ACRE_CHECK(command(h, blocks[i], ACRE_FORWARDS, had, had, &received) == blocks[i]);
        ACRE_CHECK_EQUAL(received, had);
        ACRE_CHECK(test_filled(blocks[i], 60, i));
        test_sound(h);
    }
    free_all(h, n);
}

static void expand_into_the_holes_A05(const acre_algorithm *a)
{
    test_skip_flags(a, ACRE_NO_FREE | ACRE_REFERENCE);
    TEST_NEEDS(a, resize);
    acre_heap *h = test_heap_unpooled(a, MEDIUM);
    size_t n = fill_equal(h, 120), received, kept = 0;
    if (n % 2)
        ACRE_CHECK_EQUAL(acre_free(h, blocks[--n]), 0);
    for (size_t i = 1; i < n; i += 2)
        ACRE_CHECK_EQUAL(acre_free(h, blocks[i]), 0);
    for (size_t i = 0; i < n; i += 2) {
        size_t had = acre_usable_size(h, blocks[i]);
        ACRE_CHECK(command(h, blocks[i], ACRE_FORWARDS, had * 2, had * 3, &received) == blocks[i]);
        ACRE_CHECK(received >= had * 2 && acre_usable_size(h, blocks[i]) == received);
        ACRE_CHECK(test_filled(blocks[i], 120, i));
        memset((char *)blocks[i] + 120, 0xff, received - 120);
        test_sound(h);
        blocks[kept++] = blocks[i];
    }
    free_all(h, kept);
}

static void failed_expansion_tells_what_might_do_and_changes_nothing(const acre_algorithm *a)
{
    test_skip_flags(a, ACRE_NO_FREE | ACRE_REFERENCE);
    TEST_NEEDS(a, resize);
    acre_heap *h = test_heap_unpooled(a, SMALL);
    size_t n = fill_equal(h, 120), received = 0, more;
    acre_free(h, blocks[3]);
    test_settle(h);
    size_t had = acre_usable_size(h, blocks[2]), left = acre_heap_free_memory(h);
    ACRE_CHECK(n > 5 && !command(h, blocks[2], ACRE_FORWARDS, 4000, 5000, &received));
    ACRE_CHECK(received > had && received < 4000);
    ACRE_CHECK(acre_usable_size(h, blocks[2]) == had && acre_heap_free_memory(h) == left);
    ACRE_CHECK(command(h, blocks[2], ACRE_FORWARDS, received, received, &more) == blocks[2]);
    ACRE_CHECK_EQUAL(more, received);
    test_sound(h);
}

/* ---- backwards ---- */

static bool must_grow_backwards(const acre_algorithm *a)
{
    return !strcmp(a->name, "rbtree_best_fit") || !strcmp(a->name, "segregated_pools") ||
           !strcmp(a->name, "adaptive_pools") || !strcmp(a->name, "buddy") ||
           !strcmp(a->name, "tlsf") || !strcmp(a->name, "sharded");
}

/* The block takes everything in front of it, step by step; what it may leave is less than a step
 * and a smallest block. */
static void grow_backwards_to_the_start(acre_heap *h, char *p, size_t multiple, size_t align)
{
    size_t unit = align > ACRE_ALIGN_MIN ? align : ACRE_ALIGN_MIN;
    for (int step = 1;; step++) {
        size_t had = acre_usable_size(h, p);
        acre_resize_command c = {ACRE_BACKWARDS, had + multiple, had + (size_t)step * 97 + multiple,
                                 multiple, align, 0};
        char *q = acre_resize(h, p, &c, NULL);
        if (!q)
            break;
        ACRE_CHECK(q < p && (size_t)(p - q) % multiple == 0 && (uintptr_t)q % unit == 0);
        ACRE_CHECK_EQUAL(acre_usable_size(h, q), c.received);
        ACRE_CHECK(c.received >= had + multiple);
        test_sound(h);
        p = q;
    }
    ACRE_CHECK(acre_heap_free_memory(h) < multiple * unit + 32, "%zu left, multiple %zu align %zu",
               acre_heap_free_memory(h), multiple, align);
    ACRE_CHECK_EQUAL(used_blocks(h), 1);
}

/* A heap whose only block stands aligned at its end. */
static char *only_last_block(acre_heap *h, size_t align)
{
    size_t n = 0;
    char *p = NULL;
    while (n < MANY && (blocks[n] = acre_alloc_aligned(h, 24, align)))
        n++;
    for (size_t i = 0; i < n; i++)
        if ((char *)blocks[i] > p)
            p = blocks[i];
    while (acre_alloc(h, 0) != NULL) /* so that all that is behind p goes to p */
        ;
    return p;
}

typedef struct listed {
    char *region;
    size_t n;
    void *block[MANY];
} listed;

static int list_used(void *arg, const acre_block *b)
{
    listed *l = arg;
    if (b->used && l->n < MANY)
        l->block[l->n++] = l->region + b->offset;
    return 0;
}

static void free_others(acre_segment *s, const void *kept)
{
    acre_segment_info info;
    acre_heap *h = acre_segment_heap(s);
    size_t received;
    acre_segment_info_get(s, &info);
    listed l = {.region = (char *)acre_segment_base(s) + info.region};
    ACRE_CHECK_EQUAL(acre_heap_walk(h, list_used, &l), 0);
    for (size_t i = 0; i < l.n; i++)
        if (l.block[i] != kept)
            ACRE_CHECK_EQUAL(acre_free(h, l.block[i]), 0);
    acre_heap_free_empty(h);
    command(h, (void *)kept, ACRE_FORWARDS, 1, SMALL, &received); /* what is behind it */
}

static void last_block_grows_backwards_over_the_heap_A06(const acre_algorithm *a)
{
    test_skip_flags(a, ACRE_NO_FREE | ACRE_REFERENCE);
    if (!must_grow_backwards(a))
        acre_test_skip("%s does not grow backwards, as its original", a->name);
    size_t coarse = acre_test_rounds(20) == 20 ? 1 : 5;
    for (size_t multiple = 1; multiple < 20; multiple += coarse)
        for (size_t align = 1; align <= 32 * ACRE_ALIGN_MIN; align *= 2) {
            acre_segment *s = test_segment_unpooled(a, SMALL, 0);
            acre_heap *h = acre_segment_heap(s);
            char *p = only_last_block(h, align);
            free_others(s, p);
            grow_backwards_to_the_start(h, p, multiple, align);
            acre_segment_close(s);
        }
}

/* rbtree_best_fit once cut the end off: the start moves by whole steps, so that the block may
 * become larger than preferred, but the data end where they ended. */
static void growing_backwards_keeps_the_end(const acre_algorithm *a)
{
    test_skip_flags(a, ACRE_NO_FREE | ACRE_REFERENCE);
    TEST_NEEDS(a, resize);
    for (size_t align = 16; align <= 512; align *= 2)
        for (size_t more = 1; more < 200; more += 13) {
            acre_segment *s = test_segment_unpooled(a, SMALL, 0);
            acre_heap *h = acre_segment_heap(s);
            void *front = acre_alloc(h, 1500), *p = acre_alloc_aligned(h, 100, align), *rest;
            size_t had = acre_usable_size(h, p);
            test_fill(p, had, align);
            acre_free(h, front);
            acre_resize_command c = {ACRE_BACKWARDS, had + more, had + more, 1, align, 0};
            void *q = acre_resize(h, p, &c, NULL);
            if (!(a->flags & ACRE_ROUNDS)) /* else p need not stand behind front */
                ACRE_CHECK(!q == !must_grow_backwards(a));
            while ((rest = acre_alloc(h, 0)))
                memset(rest, 0xff, acre_usable_size(h, rest));
            ACRE_CHECK(test_filled(p, had, align), "align %zu, %zu more", align, more);
            acre_segment_close(s);
        }
}

static void never_backwards_without_the_flag(const acre_algorithm *a)
{
    test_skip_flags(a, ACRE_NO_FREE | ACRE_REFERENCE);
    TEST_NEEDS(a, resize);
    acre_heap *h = test_heap_unpooled(a, SMALL);
    size_t n = fill_equal(h, 100), received;
    ACRE_CHECK(n > 6);
    acre_free(h, blocks[4]);
    ACRE_CHECK(!command(h, blocks[5], ACRE_FORWARDS, 150, 150, &received));
    void *q = command(h, blocks[5], ACRE_BACKWARDS, 150, 150, &received);
    ACRE_CHECK(must_grow_backwards(a) ? q != NULL && q < blocks[5] : q == NULL);
    test_sound(h);
}

/* ---- the command's rules ---- */

static void senseless_commands_are_refused(const acre_algorithm *a)
{
    test_skip_flags(a, ACRE_REFERENCE);
    acre_heap *h = test_heap_unpooled(a, SMALL);
    void *p = acre_alloc(h, 200);
    const acre_resize_command bad[] = {
        {.flags = 0, .limit = 10, .preferred = 10},
        {.flags = ACRE_SHRINK | ACRE_FORWARDS, .limit = 100, .preferred = 100},
        {.flags = ACRE_SHRINK | ACRE_NEW, .limit = 100, .preferred = 100},
        {.flags = ACRE_SHRINK, .limit = 100, .preferred = 101},
        {.flags = ACRE_FORWARDS, .limit = 301, .preferred = 300},
        {.flags = ACRE_NEW, .limit = SIZE_MAX, .preferred = SIZE_MAX},
        {.flags = ACRE_BACKWARDS, .limit = 300, .preferred = 300, .align = 24},
    };
    size_t left = acre_heap_free_memory(h);
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        acre_resize_command c = bad[i];
        ACRE_CHECK(!acre_resize(h, p, &c, NULL), "command %zu", i);
        c = bad[i];
        ACRE_CHECK(!acre_resize(h, NULL, &c, NULL), "command %zu", i);
    }
    ACRE_CHECK_EQUAL(acre_heap_free_memory(h), left);
}

/* The result, whichever way it came about, really has what was received. */
static void received_is_what_was_given_A14(const acre_algorithm *a)
{
    test_skip_flags(a, ACRE_NO_FREE | ACRE_REFERENCE);
    acre_heap *h = test_heap_unpooled(a, MEDIUM);
    uint64_t seed = acre_test_seed();
    size_t n = fill_equal(h, 100);
    for (size_t i = 0; i < n; i += 2)
        acre_free(h, blocks[i]);
    for (size_t i = 1; i < n; i += 4) {
        size_t had = acre_usable_size(h, blocks[i]);
        size_t limit = had + acre_test_below(&seed, 300);
        acre_resize_command c = {1 + (uint32_t)acre_test_below(&seed, 7), limit,
                                 limit + acre_test_below(&seed, 600), 16,
                                 (size_t)16 << acre_test_below(&seed, 6), 0};
        bool reused = false;
        char *q = acre_resize(h, blocks[i], &c, &reused);
        test_sound(h);
        if (!q)
            continue;
        ACRE_CHECK(c.received >= limit && acre_usable_size(h, q) == c.received,
                   "flags %u, limit %zu", c.flags, limit);
        ACRE_CHECK(reused ? q <= (char *)blocks[i] : (uintptr_t)q % c.align == 0);
        ACRE_CHECK(test_filled(blocks[i], 100, i));
        memset(q, 0x11, (reused && q < (char *)blocks[i]) ? (size_t)((char *)blocks[i] - q) : 0);
    }
    test_sound(h);
}

static void new_blocks_by_command(const acre_algorithm *a)
{
    test_skip_flags(a, ACRE_NO_FREE | ACRE_REFERENCE);
    acre_heap *h = test_heap_unpooled(a, SMALL);
    bool reused = true;
    acre_resize_command c = {.flags = ACRE_NEW, .limit = 100, .preferred = SMALL, .align = 256};
    char *p = acre_resize(h, NULL, &c, &reused);
    ACRE_CHECK(p && !reused && (uintptr_t)p % 256 == 0 && c.received >= 100);
    c = (acre_resize_command){.flags = ACRE_NEW | ACRE_FORWARDS, .limit = 400, .preferred = 500};
    char *q = acre_resize(h, p, &c, &reused);
    ACRE_CHECK(q && c.received >= 400 && acre_usable_size(h, q) == c.received);
    ACRE_CHECK_EQUAL(acre_free(h, q), 0);
    if (!reused)
        ACRE_CHECK_EQUAL(acre_free(h, p), 0);
    ACRE_CHECK(acre_heap_all_free(h));
}

/* ---- realloc ---- */

static void realloc_keeps_contents(const acre_algorithm *a)
{
    test_skip_flags(a, ACRE_REFERENCE);
    acre_heap *h = test_heap_unpooled(a, 4 << 20);
    uint64_t seed = acre_test_seed();
    for (int i = 0; i < 300; i++) {
        size_t size = 1 + acre_test_below(&seed, 2000), next = 1 + acre_test_below(&seed, 3000);
        void *p = acre_realloc(h, NULL, size);
        test_fill(p, size, 5);
        char *q = acre_realloc(h, p, next);
        ACRE_CHECK(q && test_filled(q, size < next ? size : next, 5), "%zu to %zu", size, next);
        ACRE_CHECK(acre_usable_size(h, q) >= next);
        if (i % 2)
            acre_free(h, q);
        test_sound(h);
    }
}

static void realloc_that_fails_leaves_the_block(const acre_algorithm *a)
{
    test_skip_flags(a, ACRE_REFERENCE);
    acre_heap *h = test_heap_unpooled(a, SMALL);
    void *p = acre_alloc(h, 500);
    test_fill(p, 500, 9);
    ACRE_CHECK(!acre_realloc(h, p, SMALL));
    ACRE_CHECK(test_filled(p, 500, 9) && acre_usable_size(h, p) >= 500);
    ACRE_CHECK(acre_realloc(h, p, 0));
}

static void realloc_grows_in_place_when_it_can(const acre_algorithm *a)
{
    test_skip_flags(a, ACRE_NO_FREE | ACRE_REFERENCE);
    TEST_NEEDS(a, resize);
    acre_heap *h = test_heap_unpooled(a, MEDIUM);
    void *p = acre_alloc(h, 16);
    for (size_t size = 32; size < MEDIUM / 2; size += size / 2)
        ACRE_CHECK(acre_realloc(h, p, size) == p, "size %zu", size);
    size_t left = acre_heap_free_memory(h);
    ACRE_CHECK(acre_realloc(h, p, 100) == p);
    ACRE_CHECK(acre_heap_free_memory(h) > left + MEDIUM / 4);
    ACRE_CHECK_EQUAL(acre_free(h, p), 0);
    ACRE_CHECK(acre_heap_all_free(h));
}

/* ---- the heap as a whole ---- */

static void empty_heap_shrinks_to_the_least_and_back_A10(const acre_algorithm *a)
{
    test_skip_flags(a, ACRE_NO_FREE | ACRE_REFERENCE);
    TEST_NEEDS(a, shrink);
    acre_segment *s = test_segment_unpooled(a, MEDIUM, MEDIUM);
    acre_heap *h = acre_segment_heap(s);
    size_t initial = acre_heap_free_memory(h);
    size_t map = a->classes ? MEDIUM / 1024 + 64 : 0; /* that pools made at creation */
    for (int i = 0; i < 3; i++) {
        ACRE_CHECK_EQUAL(acre_segment_shrink(s, 0), 0);
        if (!(a->flags & ACRE_ROUNDS)) /* else the map for all of it stays */
            ACRE_CHECK(acre_segment_size(s) <= acre_segment_min_size(a, &test_options) + map);
        ACRE_CHECK(acre_segment_size(s) < MEDIUM / 8);
        test_sound(h);
        ACRE_CHECK(acre_heap_all_free(h));
        ACRE_CHECK_EQUAL(acre_segment_grow(s, MEDIUM), 0);
        ACRE_CHECK_EQUAL(acre_segment_size(s), MEDIUM);
        test_sound(h);
        ACRE_CHECK_EQUAL(acre_heap_free_memory(h), initial);
    }
    size_t n = fill_equal(h, 200);
    free_all(h, n);
}

static void shrink_stops_at_live_blocks_A10(const acre_algorithm *a)
{
    test_skip_flags(a, ACRE_NO_FREE | ACRE_REFERENCE);
    TEST_NEEDS(a, shrink);
    acre_segment *s = test_segment_unpooled(a, MEDIUM, MEDIUM);
    acre_heap *h = acre_segment_heap(s);
    size_t n = fill_equal(h, 500), before = acre_segment_size(s);
    ACRE_CHECK_EQUAL(acre_segment_shrink(s, 0), 0);
    ACRE_CHECK(acre_segment_size(s) + 640 > before);
    size_t least = 1 + a->min_size / 500; /* a region does not become smaller than that */
    for (size_t kept = n; kept > least; kept -= 1 + kept / 4) {
        for (size_t i = kept; i < n; i++)
            ACRE_CHECK_EQUAL(acre_free(h, blocks[i]), 0);
        n = kept;
        ACRE_CHECK_EQUAL(acre_segment_shrink(s, 0), 0);
        char *end = (char *)acre_segment_base(s) + acre_segment_size(s);
        ACRE_CHECK(end >= (char *)blocks[n - 1] + 500 && end < (char *)blocks[n - 1] + 640);
        test_sound(h);
    }
    for (size_t i = 0; i < n; i++)
        ACRE_CHECK(test_filled(blocks[i], 500, i));
    ACRE_CHECK_EQUAL(acre_segment_grow(s, before), 0);
    free_all(h, n);
}

/* Free bytes, and with ACRE_ROUNDS what an algorithm keeps for itself of what is added. */
static size_t free_or_overhead(acre_heap *h)
{
    acre_stats s;
    ACRE_CHECK_EQUAL(acre_heap_stats(h, &s), 0);
    return s.free_bytes + (acre_heap_algorithm(h)->flags & ACRE_ROUNDS ? s.overhead : 0);
}

/* All that was added is one block; with ACRE_ROUNDS three quarters of it can be had as pages. */
static void take_what_was_added(acre_heap *h, size_t pages)
{
    if (!(acre_heap_algorithm(h)->flags & ACRE_ROUNDS)) {
        ACRE_CHECK(acre_alloc(h, pages * 4096));
        return;
    }
    size_t guard = test_options.checks >= ACRE_CHECKS_CANARY ? 8 : 0;
    for (size_t i = 0; i < pages * 3 / 4; i++)
        ACRE_CHECK(acre_alloc(h, 4096 - guard), "page %zu", i);
}

static void growing_in_small_steps_makes_one_block_A10(const acre_algorithm *a)
{
    test_skip_flags(a, ACRE_REFERENCE);
    TEST_NEEDS(a, grow);
    size_t least = (acre_segment_min_size(a, &test_options) + 4095) & ~(size_t)4095;
    acre_segment *s = test_segment_unpooled(a, least, least + 40 * 4096);
    acre_heap *h = acre_segment_heap(s);
    void *p = acre_alloc(h, 16);
    for (size_t size = least; size <= least + 40 * 4096; size += 4096) {
        size_t before = free_or_overhead(h);
        ACRE_CHECK_EQUAL(acre_segment_grow(s, size), 0);
        ACRE_CHECK(size == least || free_or_overhead(h) == before + 4096);
        test_sound(h);
    }
    ACRE_CHECK(p);
    take_what_was_added(h, 39);
    test_sound(h);
}

static void full_heap_grows_behind_a_used_block(const acre_algorithm *a)
{
    test_skip_flags(a, ACRE_NO_FREE | ACRE_REFERENCE);
    TEST_NEEDS(a, grow);
    acre_segment *s = test_segment_unpooled(a, 8192, 1 << 20);
    acre_heap *h = acre_segment_heap(s);
    size_t n = 0;
    for (size_t size = 8192; size <= 65536; size += 8192) {
        while (n < MANY && (blocks[n] = acre_alloc(h, 100)))
            test_fill(blocks[n], 100, n), n++;
        ACRE_CHECK_EQUAL(acre_segment_grow(s, size + 8192), 0);
        test_sound(h);
    }
    for (size_t i = 0; i < n; i++)
        ACRE_CHECK(test_filled(blocks[i], 100, i));
    free_all(h, n);
}

#define CASES(X, a)                                                    \
    X(a, shrink_every_block_to_half_A02)                               \
    X(a, try_shrink_only_tells_A02)                                    \
    X(a, expand_within_the_waste_A03)                                  \
    X(a, shrink_then_expand_gives_the_old_size_A04)                    \
    X(a, expand_into_the_holes_A05)                                    \
    X(a, failed_expansion_tells_what_might_do_and_changes_nothing)     \
    X(a, last_block_grows_backwards_over_the_heap_A06)                 \
    X(a, growing_backwards_keeps_the_end)                              \
    X(a, never_backwards_without_the_flag)                             \
    X(a, senseless_commands_are_refused)                               \
    X(a, received_is_what_was_given_A14)                               \
    X(a, new_blocks_by_command)                                        \
    X(a, realloc_keeps_contents)                                       \
    X(a, realloc_that_fails_leaves_the_block)                          \
    X(a, realloc_grows_in_place_when_it_can)                           \
    X(a, empty_heap_shrinks_to_the_least_and_back_A10)                 \
    X(a, shrink_stops_at_live_blocks_A10)                              \
    X(a, growing_in_small_steps_makes_one_block_A10)                   \
    X(a, full_heap_grows_behind_a_used_block)

#define ACRE_ALGORITHM(a) TEST_CASES_AND_PLAIN(CASES, a)
#include "alloc/algorithms.def"
#undef ACRE_ALGORITHM
