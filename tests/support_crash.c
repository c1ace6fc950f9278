/* SPDX-License-Identifier: MIT */
#include "tests/support_crash.h"

#include <errno.h>
#include <stdlib.h>

crash_heap crash_heap_make(const acre_algorithm *a)
{
    crash_heap c = {.least = 32 << 10, .most = 64 << 10};
    acre_segment_options o = {.size = c.least, .capacity = c.most, .algorithm = a};
    int e = acre_segment_create(&c.s, ACRE_MEMFD, NULL, &o);
    ACRE_CHECK(e == 0, "%s", acre_strerror(e));
    c.h = acre_segment_heap(c.s);
    c.table = acre_calloc(c.h, 1, sizeof *c.table);
    *acre_segment_root(c.s) = acre_segment_offset(c.s, c.table);
    return c;
}

void crash_heap_close(crash_heap *c)
{
    acre_segment_close(c->s);
}

/* ---- what victims do ---- */

static size_t crash_size(uint64_t *seed)
{
    return 1 + acre_test_below(seed, acre_test_below(seed, 16) ? 300 : 3000);
}

static uint64_t crash_key(const crash_heap *c, const crash_slot *slot)
{
    return (uint64_t)(slot - c->table->slot);
}

static void crash_publish(crash_heap *c, uint64_t *seed, crash_slot *slot)
{
    size_t size = crash_size(seed);
    slot->filled = 0;
    if (acre_alloc_into(c->h, &slot->block, size) != 0)
        return;
    test_fill(acre_segment_address(c->s, slot->block), size, crash_key(c, slot));
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    slot->filled = size;
}

static void crash_retract(crash_heap *c, crash_slot *slot)
{
    ACRE_CHECK_EQUAL(acre_free_from(c->h, &slot->block), 0);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    slot->filled = 0;
}

/* The start stays, so the slot does. */
static void crash_resize(crash_heap *c, uint64_t *seed, crash_slot *slot)
{
    void *p = acre_segment_address(c->s, slot->block);
    size_t had = acre_usable_size(c->h, p), wish = 1 + acre_test_below(seed, had * 2);
    acre_resize_command r = {.flags = ACRE_FORWARDS, .limit = wish, .preferred = wish};
    if (wish <= had) {
        r = (acre_resize_command){.flags = ACRE_SHRINK, .limit = had, .preferred = wish};
        slot->filled = slot->filled < wish ? slot->filled : wish;
        __atomic_signal_fence(__ATOMIC_SEQ_CST);
    }
    (void)acre_resize(c->h, p, &r, NULL);
}

static void crash_segment(crash_heap *c, uint64_t *seed)
{
    size_t size = c->least + acre_test_below(seed, c->most - c->least + 1);
    int e = acre_test_below(seed, 2) ? acre_segment_grow(c->s, size)
                                     : acre_segment_shrink(c->s, size);
    ACRE_CHECK(e == 0 || e == ENOTSUP, "%s", acre_strerror(e));
}

/* Blocks in hand for a moment: what a kill may lose. */
static void crash_hold(crash_heap *c, uint64_t *seed)
{
    void *p[CRASH_HELD] = {0};
    for (int i = 0; i < CRASH_HELD - 3; i++)
        p[i] = acre_test_below(seed, 2)
                   ? acre_alloc(c->h, crash_size(seed))
                   : acre_alloc_aligned(c->h, crash_size(seed), (size_t)16 << acre_test_below(seed, 6));
    void *q = acre_realloc(c->h, p[0], crash_size(seed));
    p[0] = q ? q : p[0];
    acre_resize_command r = {.flags = ACRE_BACKWARDS, .limit = 100, .preferred = 400};
    q = p[1] ? acre_resize(c->h, p[1], &r, NULL) : NULL;
    p[1] = q ? q : p[1];
    if (acre_alloc_many(c->h, 2, NULL, crash_size(seed), p + CRASH_HELD - 3) != 0)
        p[CRASH_HELD - 3] = p[CRASH_HELD - 2] = NULL;
    ACRE_CHECK_EQUAL(acre_free_many(c->h, CRASH_HELD, p), 0);
}

void crash_step(crash_heap *c, uint64_t *seed, enum crash_mix mix, size_t first, size_t n)
{
    crash_slot *slot = &c->table->slot[first + acre_test_below(seed, n)];
    unsigned what = (unsigned)acre_test_below(seed, 100);
    if (what >= 97)
        crash_segment(c, seed);
    else if (mix == CRASH_PLAIN && what >= 60)
        crash_hold(c, seed);
    else if (!slot->block)
        crash_publish(c, seed, slot);
    else if (what < 20)
        crash_resize(c, seed, slot);
    else
        crash_retract(c, slot);
    c->table->steps++;
}

/* ---- what the survivor sees ---- */

typedef struct crash_census {
    uint64_t region, end;
    acre_off used[1024];
    size_t n;
} crash_census;

static int crash_visit(void *arg, const acre_block *b)
{
    crash_census *seen = arg;
    ACRE_CHECK(b->offset >= seen->end, "blocks overlap");
    ACRE_CHECK(seen->n < sizeof seen->used / sizeof *seen->used);
    seen->end = b->offset + b->size;
    if (b->used)
        seen->used[seen->n++] = seen->region + b->offset;
    return 0;
}

/* Strike the block at `at` off the list; it must be there once. */
static void crash_strike(crash_census *seen, acre_off at, size_t slot)
{
    for (size_t i = 0; i < seen->n; i++)
        if (seen->used[i] == at) {
            seen->used[i] = seen->used[--seen->n];
            return;
        }
    acre_test_fail(__FILE__, __LINE__, "a slot's block is live", " slot %zu, offset %llu", slot,
                   (unsigned long long)at);
}

static void crash_verify_slot(crash_heap *c, crash_census *seen, size_t i)
{
    crash_slot *slot = &c->table->slot[i];
    if (!slot->block)
        return;
    void *p = acre_segment_address(c->s, slot->block);
    crash_strike(seen, slot->block, i);
    ACRE_CHECK(acre_usable_size(c->h, p) >= slot->filled, "slot %zu", i);
    ACRE_CHECK(test_filled(p, slot->filled, crash_key(c, slot)), "contents of slot %zu", i);
}

size_t crash_verify(crash_heap *c)
{
    acre_segment_info info;
    acre_segment_info_get(c->s, &info);
    crash_census seen = {.region = info.region};
    test_sound(c->h);
    ACRE_CHECK_EQUAL(acre_heap_walk(c->h, crash_visit, &seen), 0);
    crash_strike(&seen, *acre_segment_root(c->s), CRASH_SLOTS);
    for (size_t i = 0; i < CRASH_SLOTS; i++)
        crash_verify_slot(c, &seen, i);
    for (size_t i = 0; i < seen.n; i++)
        ACRE_CHECK_EQUAL(acre_free(c->h, acre_segment_address(c->s, seen.used[i])), 0);
    return seen.n;
}
