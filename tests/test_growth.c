/* SPDX-License-Identifier: MIT */
/* Cost against live blocks: the measurement, `acre growth`, and what the report makes of it. */
#include "tests/acre_test.h"
#include <acre/algorithm.h>

#include "tests/support_page.h"
#include "tests/support_tool.h"

#include "bench/contender.h"
#include "bench/replay.h"
#include "bench/report.h"

#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static acre_contender contender_named(const char *spec)
{
    acre_contender c;
    ACRE_CHECK_EQUAL(acre_contender_find(&c, spec), 0);
    return c;
}

/* ---- measuring ---- */

/* Else its line in the picture has no theory beside it. */
ACRE_TEST(growth, every_algorithm_tells_its_theory)
{
    const acre_algorithm *a;
    for (size_t i = 0; (a = acre_algorithm_at(i)); i++)
        ACRE_CHECK(a->growth != ACRE_GROWTH_UNTOLD, "%s", a->name);
}

ACRE_TEST(growth, every_algorithm_is_measured)
{
    acre_contender c;
    char spec[ACRE_SPEC_MAX];
    int found = 0;
    for (size_t i = 0; acre_contender_at(&c, i); i++) {
        if (c.family != ACRE_FAMILY_ACRE || !acre_contender_bare(&c, spec))
            continue;
        acre_contender bare = contender_named(spec);
        acre_live_cost l = {0};
        ACRE_CHECK_EQUAL(acre_replay_live_cost(&bare, 500, 0, &l), 0);
        ACRE_CHECK_EQUAL(l.status, ACRE_REPLAY_OK);
        ACRE_CHECK(l.ns_per_op > 1 && l.ns_per_op < 1e6, "%s: %g", spec, l.ns_per_op);
        found++;
    }
    ACRE_CHECK(found >= 5, "only %d algorithms", found);
}

/* What is out of time has no number, whichever phase it was in. */
ACRE_TEST(growth, what_has_no_steady_state_in_time_is_stopped_without_a_number)
{
    acre_contender c = contender_named("simple_seq_fit:lock=none,journal=off");
    acre_live_cost l = {.ns_per_op = 1};
    ACRE_CHECK_EQUAL(acre_replay_live_cost(&c, 1000000, 1000000, &l), 0);
    ACRE_CHECK_EQUAL(l.status, ACRE_REPLAY_STOPPED);
    ACRE_CHECK(l.ns_per_op == 0, "%g", l.ns_per_op);
    l.ns_per_op = 1;
    ACRE_CHECK_EQUAL(acre_replay_live_cost(&c, 100000, 200000000, &l), 0);
    ACRE_CHECK_EQUAL(l.status, ACRE_REPLAY_STOPPED);
    ACRE_CHECK(l.ns_per_op == 0, "%g", l.ns_per_op);
}

/* A list that is searched is longer with more blocks: ten times as many, several times as long. */
ACRE_TEST(growth, first_fit_grows_with_the_number_of_blocks)
{
    acre_contender c = contender_named("simple_seq_fit:lock=none,journal=off");
    acre_live_cost few, many;
    ACRE_CHECK_EQUAL(acre_replay_live_cost(&c, 100, 0, &few), 0);
    ACRE_CHECK_EQUAL(acre_replay_live_cost(&c, 3000, 0, &many), 0);
    ACRE_CHECK(many.ns_per_op > 3 * few.ns_per_op, "%g, %g", few.ns_per_op, many.ns_per_op);
}

/* ---- the command ---- */

ACRE_TEST(growth, bad_usage_ends_with_2)
{
    tool_expect("growth --max", "many", 2, "not a number");
    tool_expect("growth --min 1000 --max", "100", 2, "above");
    tool_expect("growth -a", "nobody", 2, "unknown algorithm");
    tool_expect("growth -a", "libc,buddy:trim=7", 2, "'trim=7': has to be a number from 0 to 1");
    tool_expect("growth", "x", 2, "Too many arguments");
}

ACRE_TEST(growth, each_line_tells_blocks_time_and_theory)
{
    json_t *o = tool_json("growth --json -a simple_seq_fit:lock=none --min 200 --max 200");
    ACRE_CHECK_EQUAL(json_integer_value(json_object_get(o, "live")), 200);
    ACRE_CHECK(json_number_value(json_object_get(o, "ns_per_op")) > 1, "%s", tool_text);
    ACRE_CHECK(strcmp(json_string_value(json_object_get(o, "growth")), "O(n)") == 0);
    json_decref(o);
    ACRE_CHECK_EQUAL(tool_run("growth -a 'buddy:trim=0|1' --min 10 --max 1000"), 0);
    for (const char *at = tool_text, *end = at + 6; at < end; end--)
        ACRE_CHECK((at = strchr(at, '\n')) && *++at, "fewer than 7 lines: %s", tool_text);
}

ACRE_TEST(growth, who_was_stopped_is_not_tried_with_more)
{
    ACRE_CHECK_EQUAL(
        tool_run("growth -a simple_seq_fit:lock=none --min 1e6 --max 1e8 --budget 0.001"), 0);
    ACRE_CHECK(strstr(tool_text, "stopped") && !strstr(strstr(tool_text, "stopped"), "10000000"),
               "%s", tool_text);
}

/* ---- the report ---- */

typedef struct growth_report {
    char dir[64];
    char *page, *data;
} growth_report;

static char *report_file(const growth_report *r, const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", r->dir, name);
    return acre_test_slurp(path);
}

/* The sample's results, and these lines as what `make growth` measured. */
static growth_report report_of(const char *lines)
{
    growth_report r = {.dir = "/tmp/acre-growth-XXXXXX"};
    char line[256], path[128];
    ACRE_CHECK(mkdtemp(r.dir) != NULL);
    snprintf(line, sizeof line, "cp tests/data/results-sample.jsonl %s/results.jsonl", r.dir);
    ACRE_CHECK(system(line) == 0);
    snprintf(path, sizeof path, "%s/growth.jsonl", r.dir);
    FILE *f = fopen(path, "w");
    ACRE_CHECK(f && fputs(lines, f) >= 0 && fclose(f) == 0);
    ACRE_CHECK(acre_report_write(r.dir, NULL) == 0, "%s", acre_report_message());
    r.page = report_file(&r, "index.html");
    r.data = report_file(&r, "data/live-cost.dat");
    ACRE_CHECK(r.page && r.data);
    return r;
}

static void report_end(growth_report *r)
{
    char line[128];
    free(r->page);
    free(r->data);
    snprintf(line, sizeof line, "rm -r %s", r->dir);
    ACRE_CHECK(system(line) == 0);
}

#define LINE(algorithm, live, rest)                                                                \
    "{\"kind\":\"live_cost\",\"algorithm\":\"" algorithm "\",\"live\":" #live "," rest "}\n"

ACRE_TEST(growth, theory_passes_between_the_first_two_points)
{
    growth_report r = report_of(
        LINE("a", 100, "\"ns_per_op\":10,\"growth\":\"O(n)\",\"status\":\"ok\"")
            LINE("a", 1000, "\"ns_per_op\":400,\"growth\":\"O(n)\",\"status\":\"ok\"")
                LINE("a", 10000, "\"growth\":\"O(n)\",\"status\":\"stopped\"") LINE(
                    "b", 100, "\"ns_per_op\":20,\"growth\":\"O(log n)\",\"status\":\"ok\"")
                    LINE("b", 10000, "\"ns_per_op\":40,\"growth\":\"O(log n)\",\"status\":\"ok\"")
                        LINE("c", 100, "\"ns_per_op\":30,\"status\":\"ok\""));
    ACRE_CHECK(strstr(r.data, "a 100 10 ok O(n) 20\n"), "%s", r.data);
    ACRE_CHECK(strstr(r.data, "a 1000 400 ok O(n) 200\n"), "%s", r.data);
    ACRE_CHECK(strstr(r.data, "a 10000 ? stopped O(n) 2000\n"), "%s", r.data);
    ACRE_CHECK(strstr(r.data, "b 10000 40 ok O(log_n) 40\n"), "%s", r.data);
    ACRE_CHECK(strstr(r.data, "c 100 30 ok - ?\n"), "%s", r.data);
    ACRE_CHECK(!strstr(r.data, "jemalloc"), "the comparison's own lines are still there");
    report_end(&r);
}

ACRE_TEST(growth, page_has_the_table_with_what_was_stopped)
{
    growth_report r = report_of(
        LINE("a", 100, "\"ns_per_op\":10,\"growth\":\"O(n)\",\"status\":\"ok\"")
            LINE("a", 1000, "\"growth\":\"O(n)\",\"status\":\"stopped\"")
                LINE("b", 10000, "\"ns_per_op\":20,\"growth\":\"O(1)\",\"status\":\"ok\""));
    const char *table = strstr(r.page, "aria-label=\"Cost by live blocks\"");
    ACRE_CHECK(table != NULL);
    const char *row = strstr(table, "O(n)");
    ACRE_CHECK(row && strstr(row, "stopped") && strstr(row, "not tried"));
    ACRE_CHECK(strstr(row, "stopped") < strstr(row, "not tried"));
    ACRE_CHECK(acre_test_page_first_unbalanced(r.page) == NULL);
    report_end(&r);
}
