/* SPDX-License-Identifier: MIT */
#include "tests/support_heap.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

void test_skip_flags(const acre_algorithm *a, uint32_t flags)
{
    if (a->flags & flags)
        acre_test_skip("%s %s", a->name,
                       a->flags & flags & ACRE_REFERENCE    ? "is a reference, not a heap"
                       : a->flags & flags & ACRE_CONCURRENT ? "has no guards, nor one moment"
                                                            : "never gives back");
}

/* Tests that end without closing are no leaks. */
static acre_segment *heap_made[1 << 13];
static unsigned heap_count;

acre_heap_options test_options;

static void heap_skip_reference(const char *algorithm)
{
    if (acre_algorithm_find(algorithm)->flags & ACRE_REFERENCE)
        acre_test_skip("%s is a reference, not a heap", algorithm);
}

void test_checks_set(const char *algorithm, uint32_t checks)
{
    heap_skip_reference(algorithm);
    test_options.checks = checks;
}

void test_plain_set(const char *algorithm)
{
    heap_skip_reference(algorithm);
    test_options.lock = ACRE_LOCK_NONE;
    test_options.journal = ACRE_JOURNAL_OFF;
}

void test_settle(acre_heap *h)
{
    if (acre_heap_options_of(h).checks == ACRE_CHECKS_QUARANTINE)
        acre_heap_free_empty(h);
}

static acre_segment *heap_create(acre_segment_options *o)
{
    acre_segment *s = NULL;
    o->heap.lock = test_options.lock;
    o->heap.journal = test_options.journal;
    o->heap.checks = test_options.checks;
    int e = acre_segment_create(&s, ACRE_HEAP, NULL, o);
    ACRE_CHECK(e == 0, "%s", acre_strerror(e));
    heap_made[heap_count++ % (sizeof heap_made / sizeof *heap_made)] = s;
    return s;
}

acre_segment *test_segment(const acre_algorithm *a, size_t size, size_t capacity)
{
    return heap_create(
        &(acre_segment_options){.size = size, .capacity = capacity, .algorithm = a});
}

acre_segment *test_segment_unpooled(const acre_algorithm *a, size_t size, size_t capacity)
{
    return heap_create(&(acre_segment_options){.size = size, .capacity = capacity, .algorithm = a,
                                               .heap.class_size[0] = a->classes ? 16 : 0});
}

acre_heap *test_heap(const acre_algorithm *a, size_t size)
{
    return acre_segment_heap(test_segment(a, size, 0));
}

acre_heap *test_heap_unpooled(const acre_algorithm *a, size_t size)
{
    return acre_segment_heap(test_segment_unpooled(a, size, 0));
}

static unsigned char pattern_byte(uint64_t key, size_t i)
{
    return (unsigned char)((key * 0x9e3779b97f4a7c15u >> 32) + i * 151 + (i >> 8));
}

void test_fill(void *p, size_t n, uint64_t key)
{
    for (size_t i = 0; i < n; i++)
        ((unsigned char *)p)[i] = pattern_byte(key, i);
}

bool test_filled(const void *p, size_t n, uint64_t key)
{
    for (size_t i = 0; i < n; i++)
        if (((const unsigned char *)p)[i] != pattern_byte(key, i))
            return false;
    return true;
}

void test_sound(acre_heap *h)
{
    acre_damage d = {0};
    int e = acre_heap_check(h, &d);
    ACRE_CHECK(e == 0, "%s: %s (%s at %llu)", acre_heap_algorithm(h)->name, acre_strerror(e),
               d.rule ? d.rule : "-", (unsigned long long)d.offset);
}

const char *test_name(void)
{
    static char name[64];
    static unsigned count;
    snprintf(name, sizeof name, "test-%d-%u", (int)getpid(), count++);
    return name;
}

size_t test_pick(enum test_order order, size_t i, size_t n)
{
    if (order == TEST_MIXED)
        return i % 2 ? n - 1 - i / 2 : i / 2;
    return order == TEST_DIRECT ? i : n - 1 - i;
}

acre_segment *test_segment_in(enum acre_source source, acre_segment_options o)
{
    acre_segment *s = NULL;
    char path[128];
    const char *name = test_name();
    snprintf(path, sizeof path, "/tmp/acre-%s", name);
    name = source == ACRE_FILE ? path : name;
    ACRE_CHECK_EQUAL(acre_segment_create(&s, source, name, &o), 0);
    if (source == ACRE_SHM || source == ACRE_FILE)
        ACRE_CHECK_EQUAL(acre_segment_remove(source, name), 0);
    return s;
}
