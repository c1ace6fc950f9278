/* SPDX-License-Identifier: MIT */
/* The schedule explorer's short run: see tests/explore/explore.h.  It is a program of its own, as
 * it is made of sync/'s sources with other atomics. */
#include "tests/acre_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>

static int explore(const char *groups)
{
    const char *folder = getenv("ACRE_BUILD_DIR");
    char command[512];
    snprintf(command, sizeof command, "%s/tests/explore --short %s",
             folder ? folder : "build/release", groups);
    fflush(NULL);
    int status = system(command);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

ACRE_TEST(explore, no_schedule_and_no_death_breaks_a_primitive)
{
    ACRE_CHECK_EQUAL(explore(""), 0);
}

/* Negative control. */
ACRE_TEST(explore, finds_each_seeded_bug)
{
    ACRE_CHECK_EQUAL(explore("broken"), 0);
}

ACRE_TEST(explore, says_so_when_nothing_was_explored)
{
    ACRE_CHECK_EQUAL(explore("nosuchgroup"), 1);
}
