/* SPDX-License-Identifier: MIT */
/* victim.h: a process that is led through a function instruction by instruction. */
#ifndef ACRE_TESTS_CRASH_VICTIM_H
#define ACRE_TESTS_CRASH_VICTIM_H

#include "tests/crash/crash.h"

/* Called while the victim stands still, after each instruction.  changed: the memory is not what it
 * was before it; address: of the next instruction, told only then (else 0).  False: enough. */
typedef bool victim_seen(void *arg, bool changed, uint64_t address);

typedef struct victim_script {
    void (*run)(void *arg); /* in the victim */
    void *arg;              /* its, and before()'s */
    const void *memory; /* shared; what is looked at */
    size_t size;
    victim_seen *seen; /* in the laboratory */
    void *seen_arg;
    void (*before)(void *arg); /* in the victim, and not stepped through; may be NULL */
} victim_script;

/* True: it has come to the end of run(), or seen() has had enough.  False: it has not within a million
 * instructions, or was ended by a signal. */
bool victim_step_through(const victim_script *s);

#endif
