/* SPDX-License-Identifier: MIT */
/* support.c: the part of acre_test.h that is not macros. */
#include "tests/acre_test.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/random.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SUPPORT_FAILED = 99, SUPPORT_LIMIT = 300 };

static pid_t support_process; /* of the test; children are others */
static const char *support_suite = "?", *support_name = "?";

/* ---- failing ---- */

static bool support_in_test_itself(void)
{
    return getpid() == support_process && (pid_t)syscall(SYS_gettid) == support_process;
}

/* Only the test's own thread may leave through the runner. */
static __attribute__((noreturn)) void support_end(const char *text)
{
#ifndef ACRE_TEST_PLAIN
    if (support_in_test_itself())
        cr_assert_fail("%s", text);
#endif
    fprintf(stderr, "%s%s/%s: %s\n", support_in_test_itself() ? "" : "in a child or thread of ",
            support_suite, support_name, text);
    fflush(stderr);
    _exit(SUPPORT_FAILED);
}

void acre_test_fail(const char *file, int line, const char *cond, const char *format, ...)
{
    char text[1024];
    va_list args;
    int n = snprintf(text, sizeof text, "%s:%d: %s:", file, line, cond);
    va_start(args, format);
    if (n > 0 && (size_t)n < sizeof text)
        vsnprintf(text + n, sizeof text - (size_t)n, format, args);
    va_end(args);
    support_end(text);
}

void acre_test_equal(const char *file, int line, const char *text, long long a, long long b)
{
    if (a != b)
        acre_test_fail(file, line, text, " %lld and %lld", a, b);
}

void acre_test_skip(const char *format, ...)
{
    char text[512];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
#ifndef ACRE_TEST_PLAIN
    cr_skip_test("%s", text);
#endif
    fprintf(stderr, "skipped: %s\n", text);
    _exit(0);
}

/* ---- how fast this run is ---- */

static bool support_slow(void)
{
    const char *slow = getenv("ACRE_SLOW"), *preload = getenv("LD_PRELOAD");
    return (slow && strcmp(slow, "0") != 0) || (preload && strstr(preload, "vgpreload"));
}

#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
enum { SUPPORT_SANITIZED = 1 };
#else
enum { SUPPORT_SANITIZED = 0 };
#endif

size_t acre_test_rounds(size_t n)
{
    size_t rounds = support_slow() ? n / 20 : SUPPORT_SANITIZED ? n / 4 : n;
    return rounds ? rounds : 1;
}

/* ---- the test's process ---- */

void acre_test_limit(unsigned seconds)
{
    alarm(support_slow() ? seconds * 8 : seconds * (1 + SUPPORT_SANITIZED));
}

void acre_test_begin(const char *suite, const char *name)
{
    support_process = getpid();
    support_suite = suite;
    support_name = name;
    acre_test_limit(SUPPORT_LIMIT);
}

pid_t acre_test_spawn(acre_test_function *fn, void *arg)
{
    fflush(NULL);
    pid_t parent = getpid(), child = fork();
    ACRE_CHECK(child >= 0, "fork: %s", strerror(errno));
    if (child > 0)
        return child;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(SUPPORT_FAILED);
    acre_test_limit(SUPPORT_LIMIT);
    fn(arg);
    _exit(0);
}

static int support_wait(pid_t child)
{
    int status;
    pid_t got;
    do
        got = waitpid(child, &status, 0);
    while (got < 0 && errno == EINTR);
    ACRE_CHECK(got == child, "waitpid: %s", strerror(errno));
    return status;
}

void acre_test_expect_exit(pid_t child, int expected)
{
    int status = support_wait(child);
    ACRE_CHECK(WIFEXITED(status), "the child was ended by signal %d", WTERMSIG(status));
    ACRE_CHECK_EQUAL(WEXITSTATUS(status), expected);
}

void acre_test_expect_killed(pid_t child)
{
    int status = support_wait(child);
    ACRE_CHECK(WIFSIGNALED(status), "the child exited with %d", WEXITSTATUS(status));
    ACRE_CHECK_EQUAL(WTERMSIG(status), SIGKILL);
}

void acre_test_run(acre_test_function *fn, void *arg)
{
    acre_test_expect_exit(acre_test_spawn(fn, arg), 0);
}

/* ---- random numbers ---- */

uint64_t acre_test_seed(void)
{
    const char *text = getenv("ACRE_SEED");
    uint64_t seed = 0;
    if (text)
        seed = strtoull(text, NULL, 0);
    else if (getrandom(&seed, sizeof seed, 0) != sizeof seed)
        seed = (uint64_t)getpid();
    fprintf(stderr, "%s/%s: ACRE_SEED=%llu\n", support_suite, support_name,
            (unsigned long long)seed);
    return seed;
}

uint64_t acre_test_random(uint64_t *state)
{
    uint64_t x = *state += 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

uint64_t acre_test_below(uint64_t *state, uint64_t n)
{
    return (uint64_t)((unsigned __int128)acre_test_random(state) * n >> 64);
}

/* ---- the plain runner ---- */

#ifdef ACRE_TEST_PLAIN

static acre_test_entry *support_tests, **support_last = &support_tests;

void acre_test_add(acre_test_entry *entry)
{
    *support_last = entry;
    support_last = &entry->next;
}

static void support_run_one(void *arg)
{
    const acre_test_entry *t = arg;
    acre_test_begin(t->suite, t->name);
    t->body();
}

static bool support_passes(acre_test_entry *t)
{
    int status = support_wait(acre_test_spawn(support_run_one, t));
    bool ok = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    printf("%s %s/%s\n", ok ? "ok  " : "FAIL", t->suite, t->name);
    return ok;
}

/* Arguments: the tests to run, by suite or by name; none: all. */
static bool support_wanted(const acre_test_entry *t, int argc, char **argv)
{
    for (int i = 1; i < argc; i++)
        if (!strcmp(argv[i], t->suite) || !strcmp(argv[i], t->name))
            return true;
    return argc == 1;
}

int main(int argc, char **argv)
{
    int passed = 0, failed = 0;
    setvbuf(stdout, NULL, _IOLBF, 0);
    for (acre_test_entry *t = support_tests; t; t = t->next)
        if (support_wanted(t, argc, argv))
            support_passes(t) ? passed++ : failed++;
    printf("%d passed, %d failed\n", passed, failed);
    return failed || !passed;
}

#endif
