/* SPDX-License-Identifier: MIT */
/* aftermath.h: the survivor uses the heap. */
#ifndef ACRE_TESTS_CRASH_AFTERMATH_H
#define ACRE_TESTS_CRASH_AFTERMATH_H

#include "tests/crash/judge.h"

/* With use_on 1,000 random operations; then every block is freed, and the heap must be as a new one.
 * Held blocks keep their contents up to their end.  Expects what judge_image() has found. */
bool aftermath(judge *j, acre_segment *s, bool use_on);

/* Fill j->fresh: a new heap of which nothing is in use. */
void aftermath_fresh(judge *j);

#endif
