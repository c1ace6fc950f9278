/* SPDX-License-Identifier: MIT */
/* support_lab.c: the laboratory's processes and what they share. */
#include "tests/support_lab.h"

#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

enum { LAB_BOARD = 4096, LAB_VIOLATED = 88, LAB_PATIENCE_MS = 20000 };
_Static_assert(sizeof(lab_board) <= LAB_BOARD, "one page");

lab_board *lab_now;

void *lab_open(void)
{
    char *at = mmap(NULL, LAB_BOARD + LAB_SHARED, PROT_READ | PROT_WRITE,
                    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ACRE_CHECK(at != MAP_FAILED);
    lab_now = (lab_board *)at;
    return at + LAB_BOARD;
}

/* ---- what they report ---- */

void lab_violated(const char *file, int line, const char *cond, const char *format, ...)
{
    char text[200];
    va_list args;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (__atomic_fetch_add(&lab_now->violations, 1, __ATOMIC_SEQ_CST) == 0)
        snprintf(lab_now->text, sizeof lab_now->text, "%s:%d: %s%s", file, line, cond, text);
    _exit(LAB_VIOLATED);
}

void lab_lost(uint64_t n)
{
    __atomic_fetch_add(&lab_now->lost, n, __ATOMIC_SEQ_CST);
}

void lab_doubled(uint64_t n)
{
    __atomic_fetch_add(&lab_now->doubled, n, __ATOMIC_SEQ_CST);
}

/* ---- processes under a watchdog ---- */

typedef struct lab_call {
    void (*fn)(void *);
    void *shared;
    unsigned patience_ms;
} lab_call;

static bool lab_slow(void)
{
    return acre_test_rounds(20) < 20; /* valgrind, a sanitizer */
}

/* SIGALRM ends it; Criterion must not catch that. */
static void lab_watch(unsigned ms)
{
    ms = (ms ? ms : LAB_PATIENCE_MS) * (lab_slow() ? 4 : 1);
    struct itimerval t = {.it_value = {ms / 1000, ms % 1000 * 1000}};
    signal(SIGALRM, SIG_DFL);
    setitimer(ITIMER_REAL, &t, NULL);
}

static void lab_call_run(void *arg)
{
    const lab_call *c = arg;
    lab_watch(c->patience_ms);
    c->fn(c->shared);
}

pid_t lab_spawn(void (*fn)(void *), void *shared, unsigned patience_ms)
{
    lab_call c = {fn, shared, patience_ms};
    return acre_test_spawn(lab_call_run, &c);
}

static int lab_status(pid_t child)
{
    int status;
    while (waitpid(child, &status, 0) != child)
        ACRE_CHECK(errno == EINTR, "waitpid: %s", strerror(errno));
    return status;
}

bool lab_ended(pid_t child, lab_count *n)
{
    int status = lab_status(child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0)
        return true;
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
        n->hangs++;
    else if (!(WIFEXITED(status) && WEXITSTATUS(status) == LAB_VIOLATED))
        acre_test_fail(__FILE__, __LINE__, "it ends", " (status %x)", status);
    return false;
}

/* ---- helpers ---- */

void lab_ready(void)
{
    lab_now->ready = 1;
}

void lab_await(void)
{
    while (!lab_now->go)
        usleep(100);
}

void lab_go(void)
{
    lab_now->go = 1;
}

enum { LAB_MET = 2 };

void lab_meet(void)
{
    lab_now->met = 1;
    while (lab_now->met != LAB_MET)
        usleep(20);
    usleep(200); /* asleep by now, mostly */
}

void lab_met(void)
{
    lab_ready();
    while (!lab_now->met)
        usleep(20);
    lab_now->met = LAB_MET;
}

unsigned lab_choice(unsigned n)
{
    uint64_t seed = lab_now->seed;
    return (unsigned)acre_test_below(&seed, n);
}

unsigned lab_deaths(void)
{
    return lab_now->deaths;
}

bool lab_finished(void)
{
    return lab_now->over;
}
