/* SPDX-License-Identifier: MIT */
/* bug_switch.c: which seeded bug is on, in VARIANT=bugs: the environment's ACRE_BUG, read once, before
 * any test, so that children have the same. */
#include "sync/bug.h"

#include <stdlib.h>

int acre__bug;

__attribute__((constructor)) static void bug_switch(void)
{
    const char *n = getenv("ACRE_BUG");
    acre__bug = n ? atoi(n) : 0;
}
