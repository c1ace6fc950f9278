/* SPDX-License-Identifier: MIT */
/* support_heap.h: what tests of heaps share: making one, patterns, conformance suites. */
#ifndef ACRE_TESTS_SUPPORT_HEAP_H
#define ACRE_TESTS_SUPPORT_HEAP_H

#include "tests/acre_test.h"
#include <acre.h>

/* One test of a conformance suite: a plain function of the algorithm.  A file lists its cases as
 *     #define CASES(X, a) X(a, one) X(a, two)
 *     #define ACRE_ALGORITHM(a) CASES(TEST_CASE, a)
 *     #include "alloc/algorithms.def"
 * and each algorithm gets them as a suite of its own name. */
#define TEST_CASE(a, name) \
    ACRE_TEST(a, name) { name(acre_algorithm_find(#a)); }

/* The same with guards behind the blocks, and with a quarantine: suites NAME_checks2, NAME_checks3. */
#define TEST_CASE_CHECKS2(a, name) TEST_CASE_CHECKS(a##_checks2, a, name, ACRE_CHECKS_CANARY)
#define TEST_CASE_CHECKS3(a, name) TEST_CASE_CHECKS(a##_checks3, a, name, ACRE_CHECKS_QUARANTINE)
#define TEST_CASE_CHECKS(suite, a, name, checks)  \
    ACRE_TEST(suite, name)                        \
    {                                             \
        test_checks_set(#a, checks);              \
        name(acre_algorithm_find(#a));            \
    }
#define TEST_CASES(CASES, a)    \
    CASES(TEST_CASE, a)         \
    CASES(TEST_CASE_CHECKS2, a) \
    CASES(TEST_CASE_CHECKS3, a)

/* And without lock and journal, where calls jump straight to the algorithm: NAME_plain. */
#define TEST_CASE_PLAIN(a, name)       \
    ACRE_TEST(a##_plain, name)         \
    {                                  \
        test_plain_set(#a);            \
        name(acre_algorithm_find(#a)); \
    }
#define TEST_CASES_AND_PLAIN(CASES, a) \
    TEST_CASES(CASES, a)               \
    CASES(TEST_CASE_PLAIN, a)

/* This test's heaps are made with these. */
extern acre_heap_options test_options;
void test_checks_set(const char *algorithm, uint32_t checks);
void test_plain_set(const char *algorithm);

/* Freed blocks are the algorithm's again: none is in the quarantine. */
void test_settle(acre_heap *h);

/* A segment in that source; where it has a name, the name is gone already. */
acre_segment *test_segment_in(enum acre_source source, acre_segment_options o);

/* Skip algorithms with any of these flags. */
void test_skip_flags(const acre_algorithm *a, uint32_t flags);
/* Skip algorithms without this optional method. */
#define TEST_NEEDS(a, method)     \
    do {                          \
        if (!(a)->method)         \
            acre_test_skip("%s has no " #method "()", (a)->name); \
    } while (0)

/* A heap of `size` bytes in this process's memory, that may grow to `capacity` (0: size). */
acre_segment *test_segment(const acre_algorithm *a, size_t size, size_t capacity);
acre_heap *test_heap(const acre_algorithm *a, size_t size);

/* The same where sizes above 16 come from no pool: such blocks can be resized. */
acre_segment *test_segment_unpooled(const acre_algorithm *a, size_t size, size_t capacity);
acre_heap *test_heap_unpooled(const acre_algorithm *a, size_t size);

/* Fill p with, and check for, a pattern that depends on the key and the position. */
void test_fill(void *p, size_t n, uint64_t key);
bool test_filled(const void *p, size_t n, uint64_t key);

/* Fail unless the heap's check passes. */
void test_sound(acre_heap *h);

/* A name for shared memory that no other test has. */
const char *test_name(void);

/* Blocks, in an order of freeing. */
enum test_order { TEST_DIRECT, TEST_REVERSE, TEST_MIXED, TEST_ORDERS };
size_t test_pick(enum test_order order, size_t i, size_t n);

#endif
