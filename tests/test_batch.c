/* SPDX-License-Identifier: MIT */
/* acre_alloc_many_into: all slots or none; its misuse; its journal in a damaged segment.  (Kills at every
 * instruction are in test_step.c.) */
#include "tests/support_heap.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* White box: the journal's first entry. */
#include "alloc/heap.h"

enum { BATCH_SIZE = 64 << 10, BATCH_SLOTS = 40 };

typedef struct batch {
    acre_segment *s;
    acre_heap *h;
    acre_off *slots;
} batch;

static batch batch_make(const acre_algorithm *a)
{
    batch t;
    test_skip_flags(a, ACRE_REFERENCE);
    t.s = test_segment(a, BATCH_SIZE, 0);
    t.h = acre_segment_heap(t.s);
    t.slots = acre_calloc(t.h, BATCH_SLOTS, sizeof *t.slots);
    ACRE_CHECK(t.slots);
    return t;
}

static void *batch_block(const batch *t, size_t i)
{
    return acre_segment_address(t->s, t->slots[i]);
}

static void batch_expect_empty(const batch *t)
{
    test_sound(t->h); /* repairs first */
    for (size_t i = 0; i < BATCH_SLOTS; i++)
        ACRE_CHECK_EQUAL(t->slots[i], 0);
}

static size_t batch_used(const batch *t)
{
    acre_stats s;
    ACRE_CHECK_EQUAL(acre_heap_stats(t->h, &s), 0);
    return s.used_blocks;
}

static void all_slots_are_filled(const acre_algorithm *a)
{
    batch t = batch_make(a);
    size_t sizes[BATCH_SLOTS];
    for (size_t i = 0; i < BATCH_SLOTS; i++)
        sizes[i] = i * 7;
    size_t before = batch_used(&t);
    ACRE_CHECK_EQUAL(acre_alloc_many_into(t.h, BATCH_SLOTS / 2, sizes, 0, t.slots), 0);
    ACRE_CHECK_EQUAL(t.slots[BATCH_SLOTS / 2], 0);
    ACRE_CHECK_EQUAL(acre_alloc_many_into(t.h, BATCH_SLOTS / 2, NULL, 100, t.slots + 20), 0);
    ACRE_CHECK_EQUAL(batch_used(&t), before + BATCH_SLOTS);
    for (size_t i = 0; i < BATCH_SLOTS; i++)
        test_fill(batch_block(&t, i), i < 20 ? sizes[i] : 100, i);
    for (size_t i = 0; i < BATCH_SLOTS; i++) {
        ACRE_CHECK(test_filled(batch_block(&t, i), i < 20 ? sizes[i] : 100, i), "slot %zu", i);
        ACRE_CHECK_EQUAL(acre_free_from(t.h, &t.slots[i]), 0);
    }
    batch_expect_empty(&t);
}

static void misuse_changes_nothing(const acre_algorithm *a)
{
    batch t = batch_make(a);
    acre_off outside[2] = {0}, *last = (acre_off *)(acre_segment_base(t.s) + BATCH_SIZE) - 1;
    size_t sizes[3] = {16, SIZE_MAX, 16};
    ACRE_CHECK_EQUAL(acre_alloc_many_into(t.h, 0, NULL, 8, outside), 0);
    ACRE_CHECK_EQUAL(acre_alloc_many_into(t.h, 2, NULL, 8, outside), ACRE_EINVALID);
    ACRE_CHECK_EQUAL(acre_alloc_many_into(t.h, 2, NULL, 8, last), ACRE_EINVALID);
    ACRE_CHECK_EQUAL(acre_alloc_many_into(t.h, SIZE_MAX, NULL, 8, t.slots), ACRE_EINVALID);
    ACRE_CHECK_EQUAL(acre_alloc_many_into(t.h, 3, sizes, 0, t.slots), ENOMEM);
    ACRE_CHECK_EQUAL(acre_alloc_many_into(t.h, 3, NULL, SIZE_MAX, t.slots), ENOMEM);
    batch_expect_empty(&t);
    t.slots[2] = 1;
    ACRE_CHECK_EQUAL(acre_alloc_many_into(t.h, 3, NULL, 8, t.slots), EINVAL);
    ACRE_CHECK(t.slots[0] == 0 && t.slots[2] == 1);
}

static void too_many_fill_none(const acre_algorithm *a)
{
    batch t = batch_make(a);
    test_skip_flags(a, ACRE_NO_FREE);
    size_t before = batch_used(&t);
    ACRE_CHECK_EQUAL(acre_alloc_many_into(t.h, BATCH_SLOTS, NULL, BATCH_SIZE / 20, t.slots),
                     ENOMEM);
    batch_expect_empty(&t);
    ACRE_CHECK_EQUAL(batch_used(&t), before);
    ACRE_CHECK_EQUAL(acre_alloc_many_into(t.h, 10, NULL, BATCH_SIZE / 20, t.slots), 0);
}

/* ---- the journal of one that died ---- */

static void batch_claim(batch *t, const void *first, uint64_t n)
{
    acre_journal *j = &t->h->control->journal;
    j->entry[0].where = (uint64_t)((const char *)first - t->h->region.base) | ACRE__BATCH;
    j->entry[0].old = n;
    j->count = 1;
}

static void what_a_dead_one_filled_is_freed(const acre_algorithm *a)
{
    batch t = batch_make(a);
    test_skip_flags(a, ACRE_NO_FREE);
    size_t before = batch_used(&t);
    for (size_t filled = 0; filled <= 5; filled++) {
        ACRE_CHECK_EQUAL(acre_alloc_many_into(t.h, filled, NULL, 100, t.slots), 0);
        batch_claim(&t, t.slots, 5);
        batch_expect_empty(&t);
        ACRE_CHECK_EQUAL(t.h->control->journal.count, 0);
        ACRE_CHECK_EQUAL(batch_used(&t), before);
    }
}

/* Slots that are none: outside the segment, over the lock and the journal, without end.  And slots that
 * hold what is no block. */
static void a_damaged_batch_reaches_nothing_else(const acre_algorithm *a)
{
    batch t = batch_make(a);
    char *base = acre_segment_base(t.s), *control = (char *)t.h->control;
    char *copy = malloc(BATCH_SIZE);
    const struct {
        const char *first;
        uint64_t n;
    } bad[] = {{base + BATCH_SIZE, 1},
               {base - 64, 1},
               {control, 1},
               {control - 8, 2},
               {control + 64, 2},
               {t.h->region.base - 8, 2},
               {(char *)t.slots, 1 << 20},
               {(char *)t.slots, UINT64_MAX},
               {base, UINT64_MAX / 8 + 1}};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        memcpy(copy, base, BATCH_SIZE);
        batch_claim(&t, bad[i].first, bad[i].n);
        test_sound(t.h);
        ACRE_CHECK(!memcmp(copy, base, (size_t)(control - base)), "header, %zu", i);
        ACRE_CHECK_EQUAL(t.h->control->region_size,
                         ((acre__heap_control *)(copy + (control - base)))->region_size);
        ACRE_CHECK_EQUAL(t.h->control->lock.word, 0);
    }
    t.slots[0] = BATCH_SIZE, t.slots[1] = 3, t.slots[2] = UINT64_MAX;
    batch_claim(&t, t.slots, 3);
    batch_expect_empty(&t);
    free(copy);
}

#define CASES(X, a)                                                                                \
    X(a, all_slots_are_filled)                                                                     \
    X(a, misuse_changes_nothing)                                                                   \
    X(a, too_many_fill_none)                                                                       \
    X(a, what_a_dead_one_filled_is_freed)                                                          \
    X(a, a_damaged_batch_reaches_nothing_else)

#define ACRE_ALGORITHM(a) CASES(TEST_CASE, a)
#include "alloc/algorithms.def"
#undef ACRE_ALGORITHM
