/* SPDX-License-Identifier: MIT */
/* Adding a memory algorithm is one file plus one line: newcomer.sh tries it in a copy. */
#include "tests/acre_test.h"

#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

ACRE_TEST(newcomer, one_file_and_one_line_add_an_algorithm)
{
    if (access("tests/newcomer.sh", X_OK) != 0 || access(".git", F_OK) != 0)
        acre_test_skip("not in the project's own tree");
    int status = system("tests/newcomer.sh >&2");
    ACRE_CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %#x", status);
}
