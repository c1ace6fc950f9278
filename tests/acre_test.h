/* SPDX-License-Identifier: MIT */
/* acre_test.h: a thin layer over Criterion, so that the same bodies also run under a plain runner
 * (-DACRE_TEST_PLAIN), which the thread sanitizer survives and Criterion does not.
 *
 *     ACRE_TEST(heap, free_coalesces_neighbours)
 *     {
 *         ACRE_CHECK(p != NULL, "size %zu", size);
 *     }
 *
 * A failed check prints its condition and place and ends the test, also from another thread and
 * from a forked child.  Each test runs in a process of its own and under a watchdog.
 */
#ifndef ACRE_TEST_H
#define ACRE_TEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Fail unless cond; an optional printf message follows. */
#define ACRE_CHECK(cond, ...) \
    ((cond) ? (void)0 : acre_test_fail(__FILE__, __LINE__, #cond, " " __VA_ARGS__))

/* Fail unless both integers are equal; prints them. */
#define ACRE_CHECK_EQUAL(a, b) \
    acre_test_equal(__FILE__, __LINE__, #a " == " #b, (long long)(a), (long long)(b))

__attribute__((noreturn, format(printf, 4, 5))) void
acre_test_fail(const char *file, int line, const char *cond, const char *format, ...);
void acre_test_equal(const char *file, int line, const char *text, long long a, long long b);

/* End this test as skipped. */
__attribute__((noreturn, format(printf, 1, 2))) void acre_test_skip(const char *format, ...);

/* Called by ACRE_TEST: remembers the test's process and starts the watchdog. */
void acre_test_begin(const char *suite, const char *name);

/* The watchdog: this process and no other is killed if it is still in this test after that many
 * seconds.  The default is 300, times ACRE_SLOW's factor. */
void acre_test_limit(unsigned seconds);

/* ---- other processes ---- */

typedef void acre_test_function(void *arg);

/* A child that runs fn(arg) and ends with _exit(0).  It dies with its parent. */
pid_t acre_test_spawn(acre_test_function *fn, void *arg);

/* Wait for it, and fail unless it ended with this status, or by SIGKILL. */
void acre_test_expect_exit(pid_t child, int status);
void acre_test_expect_killed(pid_t child);

/* Spawn, and expect 0. */
void acre_test_run(acre_test_function *fn, void *arg);

/* ---- numbers ---- */

/* A random seed; prints it.  ACRE_SEED sets it. */
uint64_t acre_test_seed(void);

/* Next random number (Steele, Lea, Flood: splitmix64), and one below n. */
uint64_t acre_test_random(uint64_t *state);
uint64_t acre_test_below(uint64_t *state, uint64_t n);

/* Repetitions: n, or n / 20 (at least 1) under valgrind or with ACRE_SLOW=1; n / 4 with a
 * sanitizer. */
size_t acre_test_rounds(size_t n);

/* ---- runners ---- */

#ifdef ACRE_TEST_PLAIN

typedef struct acre_test_entry {
    const char *suite, *name;
    void (*body)(void);
    struct acre_test_entry *next;
} acre_test_entry;
void acre_test_add(acre_test_entry *entry);

#define ACRE_TEST(suite_, name_)                                                       \
    static void suite_##__##name_(void);                                               \
    __attribute__((constructor)) static void suite_##__##name_##__add(void)            \
    {                                                                                  \
        static acre_test_entry entry = {#suite_, #name_, suite_##__##name_, NULL};     \
        acre_test_add(&entry);                                                         \
    }                                                                                  \
    static void suite_##__##name_(void)

#else

#include <criterion/criterion.h>

#define ACRE_TEST(suite_, name_)              \
    static void suite_##__##name_(void);      \
    Test(suite_, name_)                       \
    {                                         \
        acre_test_begin(#suite_, #name_);     \
        suite_##__##name_();                  \
    }                                         \
    static void suite_##__##name_(void)

#endif
#endif
