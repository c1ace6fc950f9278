/* SPDX-License-Identifier: MIT */
/* acre report-names: medians of repetitions, ratios to the best of the others, and what is no result of names. */
#include "tests/acre_test.h"
#include "tests/support_page.h"
#include "tests/support_tool.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char dir[] = "/tmp/acre-names-XXXXXX", json[64];

static void names_dir(void)
{
    ACRE_CHECK(mkdtemp(dir));
    snprintf(json, sizeof json, "%s/in.json", dir);
}

static void names_dir_gone(void)
{
    char command[64];
    snprintf(command, sizeof command, "rm -r %s", dir);
    ACRE_CHECK(system(command) == 0);
}

static void names_write(const char *benches)
{
    FILE *f = fopen(json, "w");
    ACRE_CHECK(f && fprintf(f, "{\"benchmarks\": [%s]}", benches) > 0 && fclose(f) == 0);
}

#define BENCH(name, rate) "{\"name\": \"names/" name "\", \"run_type\": \"iteration\", \"items_per_second\": " rate "}"

/* acre: 20, 50 and 40 ns; Boost: 100 and 80 ns; std: 10 ns. */
static const char some[] = BENCH("find/10/acre_hash", "5e7") "," BENCH("find/10/acre_hash", "2e7") ","
    BENCH("find/10/acre_hash", "2.5e7") "," BENCH("find/10/boost_map", "1e7") "," BENCH("find/10/boost_iset", "12.5e6") ","
    BENCH("find/10/std_unordered_map", "1e8") "," BENCH("find/1k/boost_map", "4e6") ","
    BENCH("construct_destroy/1M/acre_hash", "1e6") ","
    BENCH("find_by_1/1k/acre_hash/manual_time", "3e7") "," BENCH("find_by_2/1k/acre_hash/manual_time", "6e7") ","
    "{\"name\": \"walk/raw\", \"items_per_second\": 1},"
    "{\"name\": \"names/find/10/acre_hash_mean\", \"run_type\": \"aggregate\", \"items_per_second\": 1},"
    "{\"name\": \"names/find/1M/acre_flat\", \"error_occurred\": true, \"error_message\": \"no room\"}";

static bool names_say(const char *line)
{
    return strstr(tool_text, line);
}

ACRE_TEST(report_names, medians_and_ratios_are_shown)
{
    char command[160], path[96];
    names_dir();
    names_write(some);
    snprintf(command, sizeof command, "report-names -o %s/out %s", dir, json);
    ACRE_CHECK_EQUAL(tool_run(command), 0);
    ACRE_CHECK(names_say("  acre_hash                         40.0        -\n"), "%s", tool_text);
    ACRE_CHECK(names_say("  boost_map                          100      250\n"), "%s", tool_text);
    ACRE_CHECK(names_say("  acre's best beside boost         0.50×        -\n"), "%s", tool_text);
    ACRE_CHECK(names_say("  acre's best beside std           4.00×        -\n"), "%s", tool_text);
    ACRE_CHECK(names_say("  acre_hash                         30.0     60.0    2.00×\n"), "%s", tool_text);
    ACRE_CHECK(!names_say("acre_flat"));
    snprintf(path, sizeof path, "%s/out/data/names.dat", dir);
    char *data = acre_test_slurp(path);
    ACRE_CHECK(strstr(data, "\nacre_hash find 10 40 -\n") && strstr(data, "\nacre_hash construct_and_destroy 1000000 1000 -\n"),
               "%s", data);
    free(data);
    snprintf(path, sizeof path, "%s/out/data/names.svg", dir);
    ACRE_CHECK(access(path, R_OK) == 0);
    names_dir_gone();
}

static void names_refused(const char *benches, const char *why)
{
    char name[160];
    names_write(benches);
    snprintf(name, sizeof name, "-o %s/none %s", dir, json);
    tool_expect("report-names", name, 2, why);
    snprintf(name, sizeof name, "%s/none", dir);
    ACRE_CHECK(access(name, F_OK) != 0);
}

ACRE_TEST(report_names, what_is_none_is_refused)
{
    char name[160];
    names_dir();
    names_refused("", "no benchmark of names");
    names_refused("{\"name\": \"walk/raw\", \"items_per_second\": 1}", "no benchmark of names");
    names_refused(BENCH("find/ten/acre_hash", "1"), "is no names/WHAT/COUNT/TABLE");
    names_refused(BENCH("lose/10/acre_hash", "1"), "is no names/WHAT/COUNT/TABLE");
    names_refused(BENCH("find/10/acre_hash", "0"), "is no names/WHAT/COUNT/TABLE");
    names_refused("{\"name\": ", "in.json:1");
    snprintf(name, sizeof name, "%s/absent", dir);
    tool_expect("report-names", name, 2, "No such file");
    tool_expect("report-names", "", 2, "which file?");
    names_dir_gone();
}
