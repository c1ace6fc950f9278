/* SPDX-License-Identifier: MIT */
/* Sweeps over parameters: what is written out, what is run, and what is said about slips. */
#include "tests/acre_test.h"
#include "tests/support_tool.h"

#include "bench/contender.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void expect_expanded(const char *list, const char *want)
{
    char *got = NULL;
    ACRE_CHECK_EQUAL(acre_contender_expand(list, &got), 0);
    ACRE_CHECK(strcmp(got, want) == 0, "%s became %s", list, got);
    free(got);
}

ACRE_TEST(sweep, a_list_without_alternatives_stays_as_it_is)
{
    expect_expanded("a", "a");
    expect_expanded("a,b:x=1,y=2,c(A/A)", "a,b:x=1,y=2,c(A/A)");
    expect_expanded("", "");
}

ACRE_TEST(sweep, alternatives_become_their_cross_product_last_one_fastest)
{
    expect_expanded("b:x=1|2", "b:x=1,b:x=2");
    expect_expanded("b:x=1|2,y=3|4|5",
                    "b:x=1,y=3,b:x=1,y=4,b:x=1,y=5,b:x=2,y=3,b:x=2,y=4,b:x=2,y=5");
    expect_expanded("a,b:x=1|2,y=7,c", "a,b:x=1,y=7,b:x=2,y=7,c");
    expect_expanded("p:classes=16:32|16:64:128", "p:classes=16:32,p:classes=16:64:128");
}

ACRE_TEST(sweep, names_have_alternatives_too)
{
    expect_expanded("a|b:x=1", "a:x=1,b:x=1");
    expect_expanded("a|b,c:lock=none|spin", "a,b,c:lock=none,c:lock=spin");
}

/* Six times four alternatives are 4,096 contenders; four times more are too many. */
ACRE_TEST(sweep, too_many_are_refused)
{
    char *all;
    ACRE_CHECK_EQUAL(acre_contender_expand("a:a=1|2|3|4,b=1|2|3|4,c=1|2|3|4,d=1|2|3|4,e=1|2|3|4,"
                                           "f=1|2|3|4",
                                           &all),
                     0);
    free(all);
    ACRE_CHECK_EQUAL(acre_contender_expand("a:a=1|2|3|4,b=1|2|3|4,c=1|2|3|4,d=1|2|3|4,e=1|2|3|4,"
                                           "f=1|2|3|4,g=1|2",
                                           &all),
                     E2BIG);
}

static void expect_slip(const char *spec, int error, const char *text)
{
    acre_contender c;
    char said[512] = "";
    ACRE_CHECK_EQUAL(acre_contender_explain(&c, spec, said, sizeof said), error);
    ACRE_CHECK(strstr(said, text), "%s: %s", spec, said);
}

ACRE_TEST(sweep, a_slip_is_told_with_what_would_be_right)
{
    expect_slip("nobody", ENOENT, "unknown algorithm 'nobody'");
    expect_slip("adaptive_pools:nods=3", EINVAL, "unknown parameter 'nods'");
    expect_slip("adaptive_pools:nods=3", EINVAL, "overhead, max_free, classes)");
    expect_slip("adaptive_pools:overhead=5,overhead=51", EINVAL, "'overhead=51'");
    expect_slip("adaptive_pools:overhead=51", EINVAL, "from 1 to 50");
    expect_slip("adaptive_pools:overhead=0", EINVAL, "from 1 to 50");
    expect_slip("adaptive_pools:overhead", EINVAL, "from 1 to 50");
    expect_slip("adaptive_pools:overhead=", EINVAL, "from 1 to 50");
    expect_slip("adaptive_pools:classes=64:32", EINVAL, "ascending");
    expect_slip("buddy:lock=wood", EINVAL, "robust, spin or none");
    expect_slip("buddy:journal=maybe", EINVAL, "on or off");
    expect_slip("rbtree_best_fit:classes=16", EINVAL, "unknown parameter 'classes'");
    expect_slip("null:x=1", EINVAL, "unknown option");
    expect_slip("boost_rbtree_best_fit:journal=off", EINVAL, "lock=none");
    expect_slip("adaptive_pools:overhead=5", 0, "");
}

/* ---- through the command ---- */

/* The shortest of the traces that tests have. */
#define SWEEP_TRACE "tests/data/golden.acr"

ACRE_TEST(sweep, each_result_carries_its_spec)
{
    ACRE_CHECK_EQUAL(
        tool_run("replay --json --warm 1 -a 'adaptive_pools:nodes=8|16,max_free=0|1' " SWEEP_TRACE),
        0);
    static const char *const want[] = {"nodes=8,max_free=0", "nodes=8,max_free=1",
                                       "nodes=16,max_free=0", "nodes=16,max_free=1"};
    const char *at = tool_text;
    for (int i = 0; i < 4; i++) {
        char text[80];
        snprintf(text, sizeof text, "\"algorithm\":\"adaptive_pools:%s\"", want[i]);
        at = strstr(at, text);
        ACRE_CHECK(at, "%s is missing in %s", text, tool_text);
    }
}

ACRE_TEST(sweep, no_run_begins_if_one_of_them_is_wrong)
{
    tool_expect("replay -a 'buddy,adaptive_pools:overhead=5|51'", SWEEP_TRACE, 2,
                "'overhead=51': has to be a number from 1 to 50");
    ACRE_CHECK(!strstr(tool_text, "golden"), "%s", tool_text);
}
