/* SPDX-License-Identifier: MIT */
/* bug.h: seeded bugs, the negative control of the tests.  tests/bugs.def lists them: what is wrong, and
 * the test that must fail.  In the library as it is built, ACRE_BUG is 0 and nothing of this is left.
 *
 *     -DACRE_BUG=7            the library with bug 7
 *     -DACRE_BUG=acre__bug    any of them, chosen by the environment (VARIANT=bugs)
 */
#ifndef ACRE_SYNC_BUG_H
#define ACRE_SYNC_BUG_H

#ifndef ACRE_BUG
#define ACRE_BUG 0
#endif

extern int acre__bug; /* in VARIANT=bugs only (tests/bug_switch.c) */

/* 1: bug n is switched on. */
#define ACRE_BUG_IS(n) (ACRE_BUG == (n))

#endif
