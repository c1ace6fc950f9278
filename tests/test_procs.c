/* SPDX-License-Identifier: MIT */
/* `acre procs`: workers start together, work, stop, and leave a heap that is sound and empty. */
#include "tests/acre_test.h"
#include "tests/support_page.h"
#include "tests/support_tool.h"

#include "bench/procs.h"
#include "bench/report.h"

#include <acre/algorithm.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static double procs_real(json_t *o, const char *key)
{
    json_t *x = json_object_get(o, key);
    ACRE_CHECK(json_is_number(x), "%s is missing in %s", key, tool_text);
    return json_number_value(x);
}

static json_t *procs_run(const char *algorithm, const char *pattern, const char *more)
{
    char command[256];
    snprintf(command, sizeof command, "procs --json --seconds 0.05 -a '%s' -P %s %s", algorithm,
             pattern, more);
    return tool_json(command);
}

/* What was counted is what the workers did, and each did something. */
static void procs_adds_up(json_t *o, size_t workers)
{
    json_t *each = json_object_get(o, "worker_ops"), *x;
    double sum = 0;
    size_t i;
    ACRE_CHECK_EQUAL(json_array_size(each), workers);
    json_array_foreach(each, i, x)
    {
        ACRE_CHECK(json_integer_value(x) > 0, "worker %zu: %s", i, tool_text);
        sum += json_number_value(x);
    }
    ACRE_CHECK(sum == procs_real(o, "ops"), "%s", tool_text);
    double fairness = procs_real(o, "fairness");
    ACRE_CHECK(fairness >= 1.0 / (double)workers && fairness <= 1.0001, "%s", tool_text);
    ACRE_CHECK(procs_real(o, "ops_per_s") > 0);
}

static void procs_sound(json_t *o)
{
    const char *check = json_string_value(json_object_get(o, "check"));
    ACRE_CHECK(check && !strcmp(check, "ok"), "%s", tool_text);
}

ACRE_TEST(procs, every_pattern_leaves_an_empty_sound_heap)
{
    const acre_procs_pattern *p;
    for (size_t i = 0; (p = acre_procs_pattern_at(i)); i++) {
        json_t *o = procs_run("rbtree_best_fit", acre_procs_pattern_name(p), "-p 2");
        procs_adds_up(o, 2);
        procs_sound(o);
        ACRE_CHECK_EQUAL(procs_real(o, "failed"), 0);
        json_decref(o);
    }
}

/* Parallel parts, and a private heap; what they did is pairs of an allocation that found room and a free. */
ACRE_TEST(procs, every_pattern_runs_on_sharded_and_on_a_malloc)
{
    static const char *const contender[] = {"sharded", "libc"};
    const acre_procs_pattern *p;
    for (size_t i = 0; (p = acre_procs_pattern_at(i)); i++)
        for (int k = 0; k < 2; k++) {
            json_t *o = procs_run(contender[k], acre_procs_pattern_name(p), "--seconds 0.01 -p 2");
            procs_adds_up(o, 2);
            json_int_t calls = (json_int_t)(procs_real(o, "ops") + procs_real(o, "failed"));
            ACRE_CHECK(calls % 2 == 0, "%s", tool_text);
            ACRE_CHECK_EQUAL(procs_real(o, "failed"), 0);
            if (k == 0)
                procs_sound(o);
            json_decref(o);
        }
}

/* One worker, who is its own neighbour. */
ACRE_TEST(procs, every_pattern_can_be_done_alone)
{
    const acre_procs_pattern *p;
    for (size_t i = 0; (p = acre_procs_pattern_at(i)); i++) {
        if (!acre_procs_pattern_suits(p, 1))
            continue;
        json_t *o = procs_run("sharded", acre_procs_pattern_name(p), "--seconds 0.01 -p 1");
        procs_adds_up(o, 1);
        procs_sound(o);
        json_decref(o);
    }
}

/* A sanitizer's malloc keeps what was freed, up to 256 MiB in each process. */
#ifdef __SANITIZE_ADDRESS__
enum { LIBC_MOST = 1000 };
#else
enum { LIBC_MOST = 100 };
#endif

/* What blow-up is made of: a segment's high water, and what a malloc's process has grown by. */
ACRE_TEST(procs, memory_is_told_of_segments_and_of_mallocs)
{
    static const struct {
        const char *contender, *measure;
        double most; /* times what is live */
    } row[] = {{"sharded", "segment", 10}, {"libc", "resident", LIBC_MOST}};
    for (int k = 0; k < 2; k++) {
        json_t *o = procs_run(row[k].contender, "pmdk-w0", "--seconds 0.5 -p 2");
        const char *measure = json_string_value(json_object_get(o, "measure"));
        ACRE_CHECK(measure && !strcmp(measure, row[k].measure), "%s", tool_text);
        double used = procs_real(o, "peak_used"), live = procs_real(o, "peak_live");
        ACRE_CHECK(live > 1e6 && used > live && used < row[k].most * live, "%s", tool_text);
        ACRE_CHECK(procs_real(o, "cpus") >= 1, "%s", tool_text);
        json_decref(o);
    }
}

ACRE_TEST(procs, every_algorithm_serves_processes_with_threads)
{
    const acre_algorithm *a;
    for (size_t i = 0; (a = acre_algorithm_at(i)); i++) {
        if (a->flags & (ACRE_REFERENCE | ACRE_NO_FREE))
            continue;
        json_t *o = procs_run(a->name, "larson", "-p 2 --threads 2");
        procs_adds_up(o, 4);
        procs_sound(o);
        json_decref(o);
    }
}

/* What finds no room is counted, and nothing else is wrong. */
ACRE_TEST(procs, a_small_segment_is_told)
{
    json_t *o = procs_run("rbtree_best_fit", "larson", "-p 2 --segment 1");
    ACRE_CHECK(procs_real(o, "failed") > 0, "%s", tool_text);
    procs_sound(o);
    json_decref(o);
}

/* Heaps of their own: nothing can be handed on but among threads. */
ACRE_TEST(procs, a_malloc_has_threads_where_blocks_are_handed_on)
{
    json_t *o = procs_run("libc", "xmalloc", "-p 2");
    ACRE_CHECK(procs_real(o, "processes") == 1 && procs_real(o, "threads") == 2, "%s", tool_text);
    procs_adds_up(o, 2);
    json_decref(o);
    o = procs_run("libc", "random", "-p 2");
    ACRE_CHECK(procs_real(o, "processes") == 2 && procs_real(o, "threads") == 1, "%s", tool_text);
    json_decref(o);
}

/* Each has objects of its own, and replays whole passes: what was done is a multiple of the trace. */
ACRE_TEST(procs, a_trace_is_replayed_by_processes_and_by_threads)
{
    static const char *const way[] = {"--procs 2", "--threads 2"};
    for (int i = 0; i < 2; i++) {
        char command[256];
        snprintf(command, sizeof command, "replay --json -a tlsf %s tests/data/golden.acr", way[i]);
        json_t *o = tool_json(command), *each = json_object_get(o, "worker_ops"), *x;
        size_t k;
        procs_adds_up(o, 2);
        procs_sound(o);
        json_t *one = tool_json("replay --json --warm 1 -a tlsf tests/data/golden.acr");
        json_int_t ops = (json_int_t)procs_real(one, "ops");
        json_array_foreach(each, k, x)
            ACRE_CHECK(json_integer_value(x) >= ops, "worker %zu: %s", k, tool_text);
        json_decref(one);
        json_decref(o);
    }
}

ACRE_TEST(procs, bad_usage_ends_with_2)
{
    tool_expect("procs -P", "nonesuch", 2, "unknown pattern 'nonesuch'");
    tool_expect("procs -P", "random,nonesuch", 2, "unknown pattern 'nonesuch'");
    ACRE_CHECK(!strstr(tool_text, "OPS/S"), "it ran before all was known: %s", tool_text);
    tool_expect("procs -p", "0", 2, "is not a list of numbers");
    tool_expect("procs -p", "1,x", 2, "is not a list of numbers");
    tool_expect("procs -P xmalloc -p", "3", 2, "in pairs");
    tool_expect("procs -a", "null", 2, "there is no heap");
    tool_expect("procs -a", "nobody", 2, "unknown algorithm");
    tool_expect("procs --seconds", "soon", 2, "not a number");
    tool_expect("procs", "--png", 2, "--png needs -o");
    tool_expect("procs -o", "/nonexistent/deep", 2, "/nonexistent/deep: No such file");
    tool_expect("replay --procs 2 --fit", "tests/data/golden.acr", 2, "of one process");
    tool_expect("replay --procs 0", "tests/data/golden.acr", 2, "not a number from 1");
}

/* ---- the report ---- */

static char *procs_file(const char *dir, const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "%s/%s", dir, name);
    return acre_test_slurp(path);
}

static void procs_has(const char *dir, const char *name, const char *what)
{
    char *text = procs_file(dir, name);
    ACRE_CHECK(text && strstr(text, what), "%s: no %s", name, what);
    free(text);
}

/* One command: results, data, four pictures, a page. */
ACRE_TEST(procs, results_are_kept_and_drawn)
{
    char dir[] = "/tmp/acre-procs-XXXXXX", command[256];
    ACRE_CHECK(mkdtemp(dir) != NULL);
    snprintf(command, sizeof command,
             "procs -a sharded,libc -P random,cache-thrash -p 1,2 --seconds 0.2 --png -o %s", dir);
    ACRE_CHECK(tool_run(command) == 0 && strstr(tool_text, "cache-thrash"), "%s", tool_text);
    procs_has(dir, "procs.jsonl", "\"kind\":\"run\"");
    procs_has(dir, "data/scaling.dat", "\n\n\nsharded cache-thrash 1 ");
    procs_has(dir, "data/fairness.dat", "libc random 2 ");
    procs_has(dir, "data/blow-up.dat", " segment\n");
    procs_has(dir, "data/blow-up.dat", " resident\n");
    procs_has(dir, "data/false-sharing.dat", "sharded cache-thrash 1 1 ");
    static const char *const picture[] = {"scaling", "fairness", "blow-up", "false-sharing"};
    for (int i = 0; i < 4; i++) {
        snprintf(command, sizeof command, "%s/data/%s.png", dir, picture[i]);
        ACRE_CHECK(access(command, R_OK) == 0, "%s", command);
        snprintf(command, sizeof command, "<figure id=\"%s\">", picture[i]);
        procs_has(dir, "procs.html", command);
    }
    char *page = procs_file(dir, "procs.html");
    ACRE_CHECK(acre_test_page_first_unbalanced(page) == NULL);
    ACRE_CHECK(!strstr(page, "No picture"), "gnuplot failed");
    free(page);
    snprintf(command, sizeof command, "rm -r %s", dir);
    ACRE_CHECK(system(command) == 0);
}

#define LINE(algorithm, pattern, processes, rest)                                                  \
    "{\"kind\":\"procs\",\"algorithm\":\"" algorithm "\",\"pattern\":\"" pattern "\","             \
    "\"processes\":" #processes ",\"threads\":1," rest "}\n"

/* A file of the report of these lines; the folder is gone then. */
static char *procs_report_in(const char *dir, const char *lines, const char *name)
{
    char path[128], command[256];
    snprintf(command, sizeof command, "cp tests/data/results-sample.jsonl %s/results.jsonl", dir);
    ACRE_CHECK(system(command) == 0);
    snprintf(path, sizeof path, "%s/results.jsonl", dir);
    FILE *f = fopen(path, "ae");
    ACRE_CHECK(f && fputs(lines, f) >= 0 && fclose(f) == 0);
    ACRE_CHECK(acre_report_write(dir, NULL) == 0, "%s", acre_report_message());
    snprintf(path, sizeof path, "%s/%s", dir, name);
    char *text = acre_test_slurp(path);
    snprintf(command, sizeof command, "rm -r %s", dir);
    ACRE_CHECK(text && system(command) == 0);
    return text;
}

static char *procs_report(char *dir, const char *lines, const char *name)
{
    ACRE_CHECK(mkdtemp(dir) != NULL);
    return procs_report_in(dir, lines, name);
}

static const char procs_lines[] =
    LINE("jemalloc", "larson", 1, "\"ops_per_s\":5e6,\"fairness\":1,\"status\":\"ok\"")
        LINE("jemalloc", "larson", 2, "\"ops_per_s\":9e6,\"fairness\":0.75,\"status\":\"ok\"")
            LINE("jemalloc", "larson", 4, "\"status\":\"failed\",\"error\":\"killed\"")
                LINE("tlsf", "larson", 2,
                     "\"ops_per_s\":1e6,\"fairness\":1,\"peak_used\":300000,"
                     "\"peak_live\":200000,\"check\":\"ok\",\"status\":\"ok\"")
                    LINE("tlsf", "random", 2,
                         "\"ops_per_s\":2e6,\"fairness\":1,\"check\":\"failed\","
                         "\"status\":\"ok\"");

ACRE_TEST(procs, report_has_a_line_for_each_run_that_ended)
{
    char dir[] = "/tmp/acre-procs-XXXXXX";
    char *data = procs_report(dir, procs_lines, "data/scaling.dat");
    ACRE_CHECK(strstr(data, "jemalloc larson 1 5000000 1 ?\n"), "%s", data);
    ACRE_CHECK(strstr(data, "jemalloc larson 2 9000000 0.75 ?\n"), "%s", data);
    ACRE_CHECK(!strstr(data, "jemalloc larson 4"), "%s", data);
    ACRE_CHECK(strstr(data, "tlsf larson 2 1000000 1 1.5\n\n\ntlsf random 2"), "%s", data);
    free(data);
}

/* What was measured later, and more of it, takes the place of the comparison's, and nothing else of it. */
ACRE_TEST(procs, report_prefers_what_was_kept_in_its_folder)
{
    char dir[] = "/tmp/acre-procs-XXXXXX", path[128];
    ACRE_CHECK(mkdtemp(dir) != NULL);
    snprintf(path, sizeof path, "%s/procs.jsonl", dir);
    FILE *f = fopen(path, "we");
    ACRE_CHECK(f && fputs("{\"kind\":\"run\",\"command\":\"another one\"}\n" LINE(
                              "tlsf", "rptest", 3,
                              "\"ops_per_s\":3e6,\"fairness\":0.5,\"status\":\"ok\""),
                          f) >= 0);
    ACRE_CHECK(fclose(f) == 0);
    char *data = procs_report_in(dir, procs_lines, "data/scaling.dat");
    ACRE_CHECK(strstr(data, "tlsf rptest 3 3000000 0.5 ?\n") && !strstr(data, "larson"), "%s", data);
    ACRE_CHECK(!strstr(data, "another one"), "%s", data);
    free(data);
}

ACRE_TEST(procs, page_tells_a_heap_that_was_not_sound)
{
    char dir[] = "/tmp/acre-procs-XXXXXX";
    char *page = procs_report(dir, procs_lines, "index.html");
    const char *table = strstr(page, "aria-label=\"Many at work\"");
    ACRE_CHECK(table && strstr(table, "<td>NOT SOUND</td>") && strstr(table, "<td>sound</td>"));
    const char *row = strstr(table, "<td>larson</td><td>4</td>");
    ACRE_CHECK(row && strstr(row, "failed") && strstr(row, "failed") < strstr(row, "</tr>"),
               "a worker that died is not told");
    ACRE_CHECK(acre_test_page_first_unbalanced(page) == NULL);
    free(page);
}
