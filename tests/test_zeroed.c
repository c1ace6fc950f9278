/* SPDX-License-Identifier: MIT */
/* Zeroed allocation: zero wherever the memory comes from and whoever was there, and what nobody ever had is
 * not touched. */
#include "tests/support_crash.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    ZEROED_SIZE = 2 << 20,
    ZEROED_CAPACITY = 16 << 20,
    ZEROED_LARGE = 1 << 20,
    ZEROED_BLOCKS = 24,
    ZEROED_STEPS = 400,
    ZEROED_PAGE = 4096
};

static bool zeroed(const unsigned char *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (p[i])
            return false;
    return true;
}

static acre_segment *zeroed_segment(const acre_algorithm *a, enum acre_source source)
{
    return test_segment_in(source, (acre_segment_options){.size = ZEROED_SIZE,
                                                          .capacity = ZEROED_CAPACITY,
                                                          .algorithm = a,
                                                          .heap = test_options});
}

/* ---- whoever was there ---- */

typedef struct zeroed_run {
    acre_segment *s;
    acre_heap *h;
    uint64_t seed;
    void *block[ZEROED_BLOCKS];
} zeroed_run;

/* Of any size, mostly of those that are looked at. */
static size_t zeroed_some_size(uint64_t *seed)
{
    uint64_t kind = acre_test_below(seed, 4);
    return kind == 0 ? acre_test_below(seed, 3000) : 50000 + acre_test_below(seed, 300000);
}

/* Allocate, zeroed or not, and leave it dirty. */
static void zeroed_fill(zeroed_run *z, size_t i)
{
    size_t size = zeroed_some_size(&z->seed);
    bool clean = acre_test_below(&z->seed, 2);
    z->block[i] = clean ? acre_calloc(z->h, 1, size) : acre_alloc(z->h, size);
    if (!z->block[i])
        return;
    if (clean)
        ACRE_CHECK(zeroed(z->block[i], size), "%zu bytes", size);
    memset(z->block[i], 0xff, acre_usable_size(z->h, z->block[i]));
}

static void zeroed_resize(zeroed_run *z)
{
    size_t size = acre_segment_size(z->s);
    if (acre_test_below(&z->seed, 2))
        acre_segment_grow(z->s, size + acre_test_below(&z->seed, 300000));
    else
        acre_segment_shrink(z->s, acre_test_below(&z->seed, size));
}

static void zeroed_step(zeroed_run *z)
{
    size_t i = acre_test_below(&z->seed, ZEROED_BLOCKS);
    if (z->block[i]) {
        ACRE_CHECK_EQUAL(acre_free(z->h, z->block[i]), 0);
        z->block[i] = NULL;
    } else
        zeroed_fill(z, i);
    if (acre_test_below(&z->seed, 8) == 0)
        zeroed_resize(z);
}

static void zeroed_in(const acre_algorithm *a, enum acre_source source)
{
    zeroed_run z = {.s = zeroed_segment(a, source), .seed = acre_test_seed()};
    z.h = acre_segment_heap(z.s);
    for (size_t n = acre_test_rounds(ZEROED_STEPS); n--;)
        zeroed_step(&z);
    test_sound(z.h);
    acre_segment_close(z.s);
}

static void zero_whoever_was_there(const acre_algorithm *a)
{
    test_skip_flags(a, ACRE_NO_FREE | ACRE_REFERENCE);
    zeroed_in(a, ACRE_MEMFD);
    zeroed_in(a, ACRE_HEAP);
    zeroed_in(a, ACRE_ANON);
}

static void zero_in_a_callers_buffer(const acre_algorithm *a)
{
    test_skip_flags(a, ACRE_REFERENCE);
    void *memory = aligned_alloc(ZEROED_PAGE, ZEROED_SIZE);
    ACRE_CHECK(memory);
    memset(memory, 0xff, ZEROED_SIZE);
    acre_segment *s;
    acre_segment_options o = {
        .size = ZEROED_SIZE, .algorithm = a, .heap = test_options, .buffer = memory};
    ACRE_CHECK_EQUAL(acre_segment_create(&s, ACRE_BUFFER, NULL, &o), 0);
    void *p = acre_calloc(acre_segment_heap(s), 3, ZEROED_LARGE / 8);
    ACRE_CHECK(p && zeroed(p, 3 * (ZEROED_LARGE / 8)));
    acre_segment_close(s);
    free(memory);
}

/* Headers that once marked the heap's end are in the middle of what nobody ever had. */
static void zeroed_ends(const acre_algorithm *a, size_t back)
{
    acre_segment *s = zeroed_segment(a, ACRE_MEMFD);
    for (size_t size = ZEROED_SIZE; size <= ZEROED_CAPACITY; size += ZEROED_CAPACITY / 8 + 4096) {
        ACRE_CHECK_EQUAL(acre_segment_grow(s, size), 0);
        if (back)
            acre_segment_shrink(s, size - back);
    }
    size_t bytes = acre_segment_size(s) - ZEROED_SIZE / 2;
    void *p = acre_calloc(acre_segment_heap(s), 1, bytes);
    ACRE_CHECK(!p || zeroed(p, bytes));
    ACRE_CHECK(p || (a->flags & ACRE_ROUNDS));
    acre_segment_close(s);
}

static void zero_where_the_end_was(const acre_algorithm *a)
{
    TEST_NEEDS(a, grow);
    test_skip_flags(a, ACRE_REFERENCE);
    zeroed_ends(a, 0);
    zeroed_ends(a, 10000);
}

/* ---- what nobody had ---- */

static size_t zeroed_resident(void *p, size_t n)
{
    unsigned char there[ZEROED_SIZE / ZEROED_PAGE];
    char *first = (char *)(((uintptr_t)p + ZEROED_PAGE - 1) & ~(uintptr_t)(ZEROED_PAGE - 1));
    size_t pages = (n - (size_t)(first - (char *)p)) / ZEROED_PAGE, resident = 0;
    ACRE_CHECK_EQUAL(mincore(first, pages * ZEROED_PAGE, there), 0);
    for (size_t i = 0; i < pages; i++)
        resident += there[i] & 1;
    return resident;
}

/* Private memory, so that there is nothing that the system has reserved before. */
static void new_memory_is_not_touched(const acre_algorithm *a)
{
    TEST_NEEDS(a, untouched);
    acre_segment *s = zeroed_segment(a, ACRE_HEAP);
    acre_heap *h = acre_segment_heap(s);
    void *dirty = acre_alloc(h, ZEROED_LARGE / 4);
    memset(dirty, 0xff, ZEROED_LARGE / 4);
    acre_free(h, dirty);
    void *p = acre_calloc(h, 1, ZEROED_LARGE);
    ACRE_CHECK(p);
    size_t resident = zeroed_resident(p, ZEROED_LARGE);
    ACRE_CHECK(resident <= ZEROED_LARGE / 4 / ZEROED_PAGE + 2, "%zu pages", resident);
    ACRE_CHECK(zeroed(p, ZEROED_LARGE));
    acre_segment_close(s);
}

/* ---- after a death ---- */

typedef struct zeroed_victim {
    acre_segment *s;
    uint64_t seed;
} zeroed_victim;

/* Grows, shrinks, allocates; the sizes are such that headers fall where others will have blocks. */
static void zeroed_die(void *arg)
{
    zeroed_victim *v = arg;
    zeroed_run z = {.s = v->s, .h = acre_segment_heap(v->s), .seed = v->seed};
    for (;;)
        zeroed_step(&z);
}

/* Whatever the dead one's call had written before it was undone is not in a zeroed block. */
static void zero_after_a_death(const acre_algorithm *a)
{
    test_skip_flags(a, ACRE_NO_FREE | ACRE_REFERENCE);
    uint64_t seed = acre_test_seed();
    for (size_t n = acre_test_rounds(60); n--;) {
        zeroed_victim v = {zeroed_segment(a, ACRE_MEMFD), acre_test_random(&seed)};
        pid_t child = acre_test_spawn(zeroed_die, &v);
        usleep((useconds_t)(500 + acre_test_below(&seed, 3000)));
        kill(child, SIGKILL);
        acre_test_expect_killed(child);
        acre_heap *h = acre_segment_heap(v.s);
        acre_segment_grow(v.s, ZEROED_CAPACITY);
        for (size_t size = ZEROED_CAPACITY / 2; size > 70000; size /= 2) {
            void *p = acre_calloc(h, 1, size);
            ACRE_CHECK(!p || zeroed(p, size), "%zu bytes", size);
        }
        acre_segment_close(v.s);
    }
}

#define CASES(X, a)                  \
    X(a, zero_whoever_was_there)     \
    X(a, zero_where_the_end_was)     \
    X(a, zero_in_a_callers_buffer)   \
    X(a, new_memory_is_not_touched)

#define ACRE_ALGORITHM(a)              \
    CASES(TEST_CASE, a)                \
    TEST_CASE(a, zero_after_a_death)   \
    CASES(TEST_CASE_CHECKS2, a)        \
    CASES(TEST_CASE_PLAIN, a)
#include "alloc/algorithms.def"
#undef ACRE_ALGORITHM
