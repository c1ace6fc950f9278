/* SPDX-License-Identifier: MIT */
/* support_traced.h: a child that is single-stepped through one operation.
 *
 *     child:   traced_begin();  the operation  traced_end();
 *     parent:  traced_wait(child) == SIGSTOP; then PTRACE_SINGLESTEP and traced_wait(child) == SIGTRAP for each
 *              instruction, until it is SIGSTOP again */
#ifndef ACRE_TESTS_SUPPORT_TRACED_H
#define ACRE_TESTS_SUPPORT_TRACED_H

#include "tests/acre_test.h"

#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TRACED_FORBIDDEN = 77 }; /* how a child ends that may not be traced */

static inline void traced_begin(void)
{
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
        _exit(TRACED_FORBIDDEN);
    raise(SIGSTOP);
}

static inline void traced_end(void)
{
    raise(SIGSTOP);
}

/* The signal that stopped it; where tracing is forbidden the test is skipped. */
static inline int traced_wait(pid_t child)
{
    int status;
    ACRE_CHECK(waitpid(child, &status, 0) == child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == TRACED_FORBIDDEN)
        acre_test_skip("no permission to trace a child");
    ACRE_CHECK(WIFSTOPPED(status), "status %x", status);
    return WSTOPSIG(status);
}

#endif
