/* SPDX-License-Identifier: MIT */
/* captive.h: a process that is led to a point of its work, and killed or stopped there for real.
 *
 *     begin ──▶ ▏i ▏i ▏i ▏ ──▶ kill                       SIGKILL, which it cannot see coming
 *                         └──▶ stop ──▶ kill or go on     SIGSTOP and SIGCONT, no longer traced
 */
#ifndef ACRE_TESTS_CRASH_CAPTIVE_H
#define ACRE_TESTS_CRASH_CAPTIVE_H

#include "tests/crash/crash.h"

#include <sys/types.h>

typedef struct captive {
    pid_t process; /* 0: it was killed */
    size_t done;   /* instructions of its work */
    bool over;     /* it has come to the end */
} captive;

/* A process that stands in front of the first instruction of work(arg). */
captive captive_begin(void (*work)(void *), void *arg);
/* The same; before(arg), not led, comes first. */
captive captive_begin_behind(void (*before)(void *), void (*work)(void *), void *arg);

/* One instruction, or one system call.  False: it is over.  An end by a signal ends the case. */
bool captive_step(captive *v);

/* The address of the next instruction; whether that is a system call. */
uint64_t captive_address(const captive *v);
bool captive_calls_system(const captive *v);

void captive_kill(captive *v);
void captive_stop(captive *v);
/* After a stop: the work is done to its end. */
void captive_go_on(captive *v);

#endif
