/* SPDX-License-Identifier: MIT */
/* What lock and journal cost: the measurement, and what the report makes of it. */
#include "tests/acre_test.h"
#include "tests/support_page.h"

#include "bench/contender.h"
#include "bench/image.h"
#include "bench/replay.h"
#include "bench/report.h"
#include "traces/trace.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static acre_image image_of_golden(void)
{
    char path[] = "/tmp/acre-safety-XXXXXX";
    acre_trace_error e;
    acre_image m;
    int fd = mkstemp(path);
    ACRE_CHECK(fd >= 0 && close(fd) == 0);
    ACRE_CHECK(acre_image_compile_file(path, "tests/data/golden.acr", 0, &e) == 0, "%s", e.text);
    ACRE_CHECK_EQUAL(acre_image_load(&m, path), 0);
    unlink(path);
    return m;
}

static acre_contender contender_named(const char *spec)
{
    acre_contender c;
    ACRE_CHECK_EQUAL(acre_contender_find(&c, spec), 0);
    return c;
}

ACRE_TEST(safety, every_algorithm_has_every_step)
{
    acre_image m = image_of_golden();
    acre_contender c;
    acre_safety s;
    for (size_t i = 0; acre_contender_at(&c, i); i++) {
        if (c.family != ACRE_FAMILY_ACRE)
            continue;
        ACRE_CHECK_EQUAL(acre_replay_safety(&m, &c, 0, &s), 0);
        ACRE_CHECK_EQUAL(s.status, ACRE_REPLAY_OK);
        ACRE_CHECK_EQUAL(s.rounds, ACRE_SAFETY_ROUNDS);
        for (size_t k = 0; k < ACRE_SAFETY_STEPS; k++)
            ACRE_CHECK(s.ns[k] > 0, "%s: %s", c.spec, acre_safety_step_name(k));
    }
    acre_image_unmap(&m);
}

ACRE_TEST(safety, other_options_are_kept_and_others_are_refused)
{
    acre_image m = image_of_golden();
    acre_contender c = contender_named("adaptive_pools:nodes=16");
    acre_safety s;
    ACRE_CHECK_EQUAL(acre_replay_safety(&m, &c, 0, &s), 0);
    c = contender_named("libc");
    ACRE_CHECK_EQUAL(acre_replay_safety(&m, &c, 0, &s), ENOTSUP);
    acre_image_unmap(&m);
}

ACRE_TEST(safety, out_of_time_has_no_numbers)
{
    acre_image m = image_of_golden();
    acre_contender c = contender_named("rbtree_best_fit");
    acre_safety s;
    ACRE_CHECK_EQUAL(acre_replay_safety(&m, &c, 1, &s), 0);
    /* a trace of one chunk ends before the clock is looked at: then there are whole rounds */
    ACRE_CHECK(s.rounds ? s.status == ACRE_REPLAY_OK : s.status == ACRE_REPLAY_STOPPED);
    ACRE_CHECK((s.rounds > 0) == (s.ns[ACRE_SAFETY_ROBUST] > 0));
    acre_image_unmap(&m);
}

/* ---- the report ---- */

#define LINE(trace, algorithm, rest)                                                               \
    "{\"kind\":\"safety\",\"trace\":\"" trace "\",\"algorithm\":\"" algorithm "\"," rest "}\n"
#define STEPS(a, b, c, d, e)                                                                       \
    "\"bare\":" #a ",\"journal\":" #b ",\"spin\":" #c ",\"robust\":" #d ",\"robust_only\":" #e     \
    ",\"status\":\"ok\""

ACRE_TEST(safety, steps_are_geometric_means_over_traces)
{
    char dir[] = "/tmp/acre-safety-XXXXXX", line[256], path[128];
    ACRE_CHECK(mkdtemp(dir) != NULL);
    snprintf(line, sizeof line, "cp tests/data/results-sample.jsonl %s/results.jsonl", dir);
    ACRE_CHECK(system(line) == 0);
    snprintf(path, sizeof path, "%s/results.jsonl", dir);
    FILE *f = fopen(path, "a");
    ACRE_CHECK(f != NULL);
    fputs(LINE("sqlite3", "a", STEPS(10, 20, 40, 80, 70))
              LINE("gzip", "a", STEPS(40, 80, 160, 320, 280))
                  LINE("sqlite3", "b", "\"status\":\"stopped\""),
          f);
    ACRE_CHECK(fclose(f) == 0);
    ACRE_CHECK(acre_report_write(dir, NULL) == 0, "%s", acre_report_message());
    snprintf(path, sizeof path, "%s/data/safety.dat", dir);
    char *data = acre_test_slurp(path);
    ACRE_CHECK(acre_test_page_has(data, "\na 20 40 80 160 140 2\n"), "%s", data);
    ACRE_CHECK(!acre_test_page_has(data, "\nb "));
    snprintf(path, sizeof path, "%s/index.html", dir);
    char *page = acre_test_slurp(path);
    const char *table = strstr(page, "aria-label=\"What safety costs\"");
    ACRE_CHECK(table && strstr(table, "+140.0 <small>8.00×</small>"),
               "the robust total is missing");
    ACRE_CHECK(acre_test_page_has(page, "id=\"safety-title\"") &&
               acre_test_page_first_unbalanced(page) == NULL);
    ACRE_CHECK(!acre_test_page_has_word(page, "nan"));
    free(data);
    free(page);
    snprintf(line, sizeof line, "rm -r %s", dir);
    ACRE_CHECK(system(line) == 0);
}
