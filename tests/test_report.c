/* SPDX-License-Identifier: MIT */
/* The report on synthetic results (tests/data/results-sample.jsonl, made by the script beside it):
 * what must be on the page, what must never be, and that rankings are the right numbers. */
#include "bench/report.h"
#include "tests/acre_test.h"
#include "tests/support_page.h"

#include <ctype.h>
#include <errno.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

static const char sample_path[] = "tests/data/results-sample.jsonl";

/* Files ----------------------------------------------------------------------------------- */

static char *slurp_in(const char *dir, const char *name)
{
    char path[512];

    snprintf(path, sizeof path, "%s/%s", dir, name);
    return acre_test_slurp(path);
}

static void make_dir(char *dir)
{
    strcpy(dir, "/tmp/acre-report-XXXXXX");
    if (!mkdtemp(dir))
        abort();
}

static void remove_dir(const char *dir)
{
    char command[600];

    snprintf(command, sizeof command, "rm -rf '%s'", dir);
    if (system(command) != 0)
        fprintf(stderr, "%s stays behind\n", dir);
}

static FILE *open_results(const char *dir)
{
    char path[512];
    FILE *out;

    snprintf(path, sizeof path, "%s/results.jsonl", dir);
    out = fopen(path, "w");
    if (!out)
        abort();
    return out;
}

/* The lines of the sample that `keep` wants. */
static void write_sample(const char *dir, bool (*keep)(const char *line))
{
    FILE *in = fopen(sample_path, "r"), *out = open_results(dir);
    char *line = NULL;
    size_t room = 0;

    if (!in)
        abort();
    while (getline(&line, &room, in) >= 0)
        if (!keep || keep(line))
            fputs(line, out);
    free(line);
    fclose(in);
    fclose(out);
}

/* Tests on the sample ----------------------------------------------------------------------- */

static char *page_of_sample(char *dir, bool (*keep)(const char *line))
{
    make_dir(dir);
    write_sample(dir, keep);
    if (acre_report_write(dir, NULL) != 0) {
        fprintf(stderr, "%s\n", acre_report_message());
        return NULL;
    }
    return slurp_in(dir, "index.html");
}

ACRE_TEST(report, page_names_every_algorithm_and_trace)
{
    static const char *const name[] = {
        ">sharded<", ">tlsf<", "segregated_", "adaptive_", "buddy", "simple_", "toy", "mimalloc",
        "jemalloc", "libc", "boost_", "lock=none", "bump", "null", "tcmalloc",
        "libtcmalloc_minimal.so.4 is not installed", "sqlite3", "python3", "cc1", "lua",
        "Sample CPU", "acre compare (SYNTHETIC sample for tests)", "stopped", "failed", "43",
    };
    char dir[64], *page = page_of_sample(dir, NULL);

    ACRE_CHECK(page != NULL);
    for (size_t i = 0; i < sizeof name / sizeof *name; i++) {
        const char *bare = name[i][0] == '>' ? name[i] + 1 : name[i];
        char word[100];

        snprintf(word, sizeof word, "%s", bare);
        word[strcspn(word, "<")] = '\0';
        ACRE_CHECK(acre_test_page_has(page, word), "%s is not on the page", word);
    }
    free(page);
    remove_dir(dir);
}

ACRE_TEST(report, page_is_well_formed_and_self_contained)
{
    static const char *const outside[] = {"http:", "https:", " src=", "@import", "xlink:"};
    char dir[64], *page = page_of_sample(dir, NULL);
    const char *wrong;

    ACRE_CHECK(page != NULL);
    wrong = acre_test_page_first_unbalanced(page);
    ACRE_CHECK(wrong == NULL, "does not fit: %.60s", wrong);
    ACRE_CHECK(acre_test_page_ids_are_unique(page));
    for (size_t i = 0; i < sizeof outside / sizeof *outside; i++)
        ACRE_CHECK(!acre_test_page_has(page, outside[i]), "the page refers to outside by %s", outside[i]);
    ACRE_CHECK(acre_test_page_has(page, "prefers-color-scheme: dark"));
    free(page);
    remove_dir(dir);
}

ACRE_TEST(report, page_has_every_picture_with_title_and_caption)
{
    static const char *const name[] = {"time-forest", "pareto", "time-by-trace", "memory-by-trace",
                                       "memory-over-time", "live-cost", "cold-warm", "noise"};
    char dir[64], *page = page_of_sample(dir, NULL);

    ACRE_CHECK(page != NULL);
    ACRE_CHECK(*acre_report_message() == '\0', "%s", acre_report_message());
    for (size_t i = 0; i < sizeof name / sizeof *name; i++) {
        char id[100];

        snprintf(id, sizeof id, "<title id=\"%s-title\">", name[i]);
        ACRE_CHECK(acre_test_page_has(page, id), "no picture %s", name[i]);
        snprintf(id, sizeof id, "data-file=\"%s.gp\"", name[i]);
        ACRE_CHECK(acre_test_page_has(page, id), "no script beside %s", name[i]);
        snprintf(id, sizeof id, "data-file=\"%s.dat\"", name[i]);
        ACRE_CHECK(acre_test_page_has(page, id), "no data beside %s", name[i]);
    }
    free(page);
    remove_dir(dir);
}

static bool first_block_only(const char *line)
{
    return !acre_test_page_has(line, "\"replay\"") || acre_test_page_has(line, "\"block\":1,");
}

static bool one_trace_one_block(const char *line)
{
    return !acre_test_page_has(line, "\"trace\"") ||
           (acre_test_page_has(line, "\"trace\":\"sqlite3\"") && first_block_only(line));
}

static bool no_reference(const char *line)
{
    return !acre_test_page_has(line, "jemalloc");
}

static bool everything(const char *line)
{
    return line != NULL;
}

ACRE_TEST(report, numbers_that_are_not_known_are_never_printed)
{
    static bool (*const keep[])(const char *) = {everything, first_block_only,
                                                 one_trace_one_block, no_reference};

    for (size_t i = 0; i < sizeof keep / sizeof *keep; i++) {
        char dir[64], *page = page_of_sample(dir, keep[i]);

        ACRE_CHECK(page != NULL, "case %zu", i);
        ACRE_CHECK(!acre_test_page_has_word(page, "nan") && !acre_test_page_has_word(page, "inf"), "case %zu", i);
        ACRE_CHECK(acre_test_page_first_unbalanced(page) == NULL, "case %zu", i);
        free(page);
        remove_dir(dir);
    }
}

ACRE_TEST(report, one_block_proves_nothing)
{
    char dir[64], *page = page_of_sample(dir, first_block_only);

    ACRE_CHECK(acre_test_page_has(page, "too few runs"));
    ACRE_CHECK(!acre_test_page_has(page, "verdict faster") && !acre_test_page_has(page, "verdict slower"));
    free(page);
    remove_dir(dir);
}

ACRE_TEST(report, another_malloc_is_the_reference_without_jemalloc)
{
    char dir[64], *page = page_of_sample(dir, no_reference);

    ACRE_CHECK(acre_test_page_has(page, "against mimalloc"));
    free(page);
    remove_dir(dir);
}

static void write_renamed_sample(const char *dir, const char *from, const char *to)
{
    char *text = acre_test_slurp(sample_path);
    FILE *out = open_results(dir);

    for (const char *at = text; at && *at;) {
        if (strncmp(at, from, strlen(from)) == 0) {
            fputs(to, out);
            at += strlen(from);
        } else {
            fputc(*at++, out);
        }
    }
    fclose(out);
    free(text);
}

ACRE_TEST(report, an_algorithm_nobody_knows_is_ranked_and_drawn)
{
    static const char *const file[] = {"data/time-forest.dat", "data/time-by-trace.dat",
                                       "data/memory-by-trace.dat", "data/pareto.dat",
                                       "data/live-cost.dat", "data/cold-warm.dat",
                                       "data/memory-over-time.dat"};
    char dir[64], *summary = NULL;
    size_t n;
    FILE *out = open_memstream(&summary, &n);

    make_dir(dir);
    write_renamed_sample(dir, "\"toy\"", "\"newcomer<&>\"");
    ACRE_CHECK(acre_report_write(dir, out) == 0, "%s", acre_report_message());
    fclose(out);
    ACRE_CHECK(acre_test_page_has(summary, " newcomer<&> "));
    for (size_t i = 0; i < sizeof file / sizeof *file; i++) {
        char *text = slurp_in(dir, file[i]);

        ACRE_CHECK(acre_test_page_has(text, "newcomer<&> "), "not in %s", file[i]);
        free(text);
    }
    free(summary);
    summary = slurp_in(dir, "index.html");
    ACRE_CHECK(acre_test_page_has(summary, "newcomer&lt;&amp;&gt;") && !acre_test_page_has(summary, "newcomer<&>"));
    free(summary);
    remove_dir(dir);
}

/* Rows of one operation are added up over states; names are text. */
static const char crash_sample[] =
    "{\"rows\": [\n"
    "{\"part\": \"step\", \"algorithm\": \"a<b\", \"operation\": \"free\", \"state\": \"empty\", "
    "\"injected\": 1200, \"recovered\": 1199, \"lost\": 1},\n"
    "{\"part\": \"step\", \"algorithm\": \"a<b\", \"operation\": \"free\", \"state\": \"full\", "
    "\"injected\": 34, \"recovered\": 34, \"lost\": 0},\n"
    "{\"part\": \"double\", \"algorithm\": \"a<b\", \"operation\": \"free\", \"state\": \"full\", "
    "\"injected\": 5, \"recovered\": 5, \"lost\": 0}]}\n";

static int write_with_crash(const char *dir, const char *text)
{
    char path[128];
    snprintf(path, sizeof path, "%s/crash.json", dir);
    FILE *out = fopen(path, "w");
    ACRE_CHECK(out != NULL);
    fputs(text, out);
    fclose(out);
    int e = acre_report_write_crash(dir, path, NULL);
    unlink(path);
    return e;
}

ACRE_TEST(report, what_the_crash_laboratory_counted_is_told)
{
    char dir[64];
    make_dir(dir);
    write_sample(dir, NULL);
    ACRE_CHECK(write_with_crash(dir, crash_sample) == 0, "%s", acre_report_message());
    char *page = slurp_in(dir, "index.html");
    ACRE_CHECK(strstr(page, "1239 deaths injected, <strong>1238 survived</strong>, 1 blocks lost"));
    ACRE_CHECK(strstr(page, "<th scope=\"row\">step</th><td>1234</td><td>1233</td><td>0</td>"
                            "<td class=\"warn\">1</td>"));
    ACRE_CHECK(strstr(page, "<td class=\"aim\">a&lt;b</td><td class=\"aim\">free</td>"
                            "<td>1234</td>"));
    ACRE_CHECK_EQUAL(write_with_crash(dir, "{\"rows\": 1}"), EBADMSG);
    ACRE_CHECK_EQUAL(write_with_crash(dir, "{"), EBADMSG);
    free(page);
    remove_dir(dir);
}

/* The row of `name` in the plain ranking, up to its end; "" if there is none. */
static void find_row(const char *summary, const char *name, char *row, size_t room)
{
    const char *at = strstr(summary, name);

    row[0] = '\0';
    if (at)
        snprintf(row, room, "%.*s", (int)strcspn(at, "\n"), at);
}

ACRE_TEST(report, a_second_run_of_the_reference_is_no_different)
{
    char dir[64], row[400], *summary = NULL;
    size_t n;
    FILE *out = open_memstream(&summary, &n);

    make_dir(dir);
    write_renamed_sample(dir, "jemalloc(A/A)", "twin");
    ACRE_CHECK(acre_report_write(dir, out) == 0, "%s", acre_report_message());
    fclose(out);
    find_row(summary, " twin ", row, sizeof row);
    ACRE_CHECK(acre_test_page_has(row, "no difference"), "%s", row);
    find_row(summary, " sharded ", row, sizeof row);
    ACRE_CHECK(acre_test_page_has(row, "faster"), "%s", row);
    find_row(summary, " rbtree_best_fit ", row, sizeof row);
    ACRE_CHECK(acre_test_page_has(row, "slower"), "%s", row);
    free(summary);
    remove_dir(dir);
}

/* Tests on numbers that can be checked by hand ------------------------------------------------ */

static void write_times(FILE *out, const char *trace, const char *algorithm, int block, double warm,
                        double cold)
{
    fprintf(out, "{\"kind\":\"replay\",\"trace\":\"%s\",\"algorithm\":\"%s\",\"block\":%d,"
            "\"ns_per_op_cold\":%g,\"ns_per_op_warm\":%g,\"harness_ns_per_op\":2,"
            "\"status\":\"ok\",\"share\":1.0}\n", trace, algorithm, block, cold, warm);
}

static void write_replay(FILE *out, const char *trace, const char *algorithm, int block, double ns)
{
    write_times(out, trace, algorithm, block, ns, 2 * ns);
}

static void write_fit(FILE *out, const char *trace, const char *algorithm, int s_min)
{
    fprintf(out, "{\"kind\":\"fit\",\"trace\":\"%s\",\"algorithm\":\"%s\",\"s_min\":%d,"
            "\"peak_live\":1000,\"status\":\"ok\",\"measure\":\"segment\"}\n", trace, algorithm,
            s_min);
}

/* On trace a: 5, 0.5, 0.5 (median 0.5); on b: 2, 2, 2.  The geometric mean is 1.  Net of 2 ns:
 * (5 - 2) / (10 - 2) = 0.375 on a, (20 - 2) / (10 - 2) = 2.25 on b. */
ACRE_TEST(report, ratios_are_the_geometric_mean_of_paired_medians)
{
    char dir[64], *text, *row;
    double warm, lo, hi, net;
    FILE *out;

    make_dir(dir);
    out = open_results(dir);
    for (int block = 1; block <= 3; block++) {
        write_replay(out, "a", "jemalloc", block, 10);
        write_replay(out, "b", "jemalloc", block, 10);
        write_replay(out, "a", "x", block, block == 1 ? 50 : 5);
        write_replay(out, "b", "x", block, 20);
    }
    write_fit(out, "a", "x", 1100);
    write_fit(out, "b", "x", 4400);
    fclose(out);
    ACRE_CHECK(acre_report_write(dir, NULL) == 0, "%s", acre_report_message());
    text = slurp_in(dir, "data/time-forest.dat");
    row = text ? strstr(text, "\nx ") : NULL;
    ACRE_CHECK(row && sscanf(row, " x %lf %lf %lf %lf", &warm, &lo, &hi, &net) == 4);
    ACRE_CHECK(fabs(warm - 1) < 1e-6, "warm %g", warm);
    ACRE_CHECK(fabs(net - sqrt(0.375 * 2.25)) < 1e-6, "net %g", net);
    ACRE_CHECK(lo <= warm && hi >= warm && hi > lo);
    free(text);
    text = slurp_in(dir, "index.html");
    ACRE_CHECK(acre_test_page_has(text, "data-v=\"2.2\""), "sqrt(1.1 * 4.4) is not on the page");
    ACRE_CHECK(acre_test_page_has(text, "4.40× <small>b"), "the worst trace is not on the page");
    free(text);
    remove_dir(dir);
}

ACRE_TEST(report, a_block_that_was_run_again_replaces_its_first_run)
{
    char dir[64], *text;
    FILE *out;

    make_dir(dir);
    out = open_results(dir);
    write_replay(out, "a", "jemalloc", 1, 10);
    write_replay(out, "a", "x", 1, 999);
    write_replay(out, "a", "x", 1, 30);
    fclose(out);
    ACRE_CHECK(acre_report_write(dir, NULL) == 0, "%s", acre_report_message());
    text = slurp_in(dir, "data/time-forest.dat");
    ACRE_CHECK(acre_test_page_has(text, "\nx 3 ? ? "), "%s", text);
    free(text);
    remove_dir(dir);
}

/* Against the original ---------------------------------------------------------------------- */

static void write_contender(FILE *out, const char *algorithm, const char *family)
{
    fprintf(out, "{\"kind\":\"contender\",\"algorithm\":\"%s\",\"summary\":\"\","
            "\"family\":\"%s\",\"order\":1}\n", algorithm, family);
}

static void write_stopped(FILE *out, const char *trace, const char *algorithm, int block)
{
    fprintf(out, "{\"kind\":\"replay\",\"trace\":\"%s\",\"algorithm\":\"%s\",\"block\":%d,"
            "\"status\":\"stopped\",\"share\":0.5}\n", trace, algorithm, block);
    fprintf(out, "{\"kind\":\"fit\",\"trace\":\"%s\",\"algorithm\":\"%s\",\"s_min\":null,"
            "\"status\":\"stopped\"}\n", trace, algorithm);
}

/* Boost over x, warm, on trace a: 40/10, 80/20, 40/40, median 4 (that of the medians would be 2);
 * on b 9: together 6.  Cold 2 and 8: together 4.  On c Boost was stopped, though two of its runs
 * were not: nothing of c counts. */
static void write_pair(FILE *out)
{
    static const double x[] = {10, 20, 40}, boost[] = {40, 80, 40};

    write_contender(out, "x", "acre");
    write_contender(out, "boost_x", "boost");
    for (int i = 0; i < 3; i++) {
        write_times(out, "a", "x", i + 1, x[i], 20);
        write_times(out, "a", "boost_x", i + 1, boost[i], 40);
        write_times(out, "b", "x", i + 1, 10, 20);
        write_times(out, "b", "boost_x", i + 1, 90, 160);
        write_times(out, "c", "x", i + 1, 1, 1);
        if (i < 2)
            write_times(out, "c", "boost_x", i + 1, 1000, 1000);
    }
    write_stopped(out, "c", "boost_x", 3);
    write_fit(out, "a", "x", 1100);
    write_fit(out, "a", "boost_x", 2200);
    write_fit(out, "b", "x", 4400);
    write_fit(out, "b", "boost_x", 3520);
    write_fit(out, "c", "x", 99000);
}

/* One run, no sizes; and who is compared with whom. */
static void write_options(FILE *out)
{
    static const char *const acre[] = {"x:journal=off,lock=none", "x:lock=nonesuch", "y"};

    write_contender(out, "boost_x:lock=none", "boost");
    write_replay(out, "a", "boost_x:lock=none", 1, 35);
    for (int i = 0; i < 3; i++) {
        write_contender(out, acre[i], "acre");
        write_replay(out, "a", acre[i], 1, 5);
    }
}

static void report_pair(char *dir, char **data, char **page, char **summary)
{
    size_t n;
    FILE *out, *text = open_memstream(summary, &n);

    make_dir(dir);
    out = open_results(dir);
    write_pair(out);
    write_options(out);
    fclose(out);
    ACRE_CHECK(acre_report_write(dir, text) == 0, "%s", acre_report_message());
    fclose(text);
    *data = slurp_in(dir, "data/original.dat");
    *page = slurp_in(dir, "index.html");
}

static bool near(double a, double b)
{
    return fabs(a / b - 1) < 1e-5;
}

static void check_pair(const char *data)
{
    const char *row = data ? strstr(data, "\nx boost_x ") : NULL;
    double warm, lo, hi, cold, cold_lo, cold_hi, memory, boost_memory, most;
    int traces, memory_traces;
    char trace[32];

    ACRE_CHECK(row && sscanf(row, " x boost_x %lf %lf %lf %lf %lf %lf %d %lf %lf %lf %31s %d",
                             &warm, &lo, &hi, &cold, &cold_lo, &cold_hi, &traces, &memory,
                             &boost_memory, &most, trace, &memory_traces) == 12, "%s", data);
    ACRE_CHECK(near(warm, 6) && near(cold, 4), "warm %g, cold %g", warm, cold);
    /* Block 3 alone: 1 and 9. */
    ACRE_CHECK(near(lo, 3) && near(hi, 6) && near(cold_lo, 4) && near(cold_hi, 4));
    ACRE_CHECK(near(memory, sqrt(1.1 * 4.4)) && near(boost_memory, sqrt(2.2 * 3.52)));
    ACRE_CHECK(near(most, 1.25) && strcmp(trace, "b") == 0, "most %g on %s", most, trace);
    ACRE_CHECK(traces == 2 && memory_traces == 2, "traces %d, %d", traces, memory_traces);
}

ACRE_TEST(report, the_original_is_compared_run_by_run_on_what_both_finished)
{
    char dir[64], row[400], *data, *page, *summary;

    report_pair(dir, &data, &page, &summary);
    check_pair(data);
    ACRE_CHECK(acre_test_page_has(page, "<h2>Against the original</h2>"));
    ACRE_CHECK(acre_test_page_has(page, "data-file=\"original.dat\""));
    ACRE_CHECK(acre_test_page_has(page, "<b>6.00×</b><small>3.00–6.00</small>"));
    ACRE_CHECK(acre_test_page_has(page, "1.250× <small>b</small>"));
    find_row(strstr(summary, "\nagainst the original\n"), " x ", row, sizeof row);
    ACRE_CHECK(acre_test_page_has(row, " 6.00x  3.00-6.00  4.00x  4.00-4.00  2.20x  2.78x    2/2  1.250x b"), "%s",
               row);
    free(data);
    free(page);
    free(summary);
    remove_dir(dir);
}

ACRE_TEST(report, the_counterpart_without_a_lock_is_that_without_a_lock)
{
    char dir[64], row[400], *data, *page, *summary;

    report_pair(dir, &data, &page, &summary);
    ACRE_CHECK(acre_test_page_has(data, "\nx:journal=off,lock=none boost_x:lock=none 7 ? ? 7 ? ? 1 ? ? ? ? 0\n"),
               "%s", data);
    ACRE_CHECK(acre_test_page_has(data, "\nx:lock=nonesuch boost_x 8 ? ? 4 ? ? 1 ? ? ? ? 0\n"), "%s", data);
    ACRE_CHECK(!acre_test_page_has(data, "\ny "), "%s", data);
    find_row(strstr(summary, "\nagainst the original\n"), " x:journal", row, sizeof row);
    ACRE_CHECK(acre_test_page_has(row, " 7.00x          -  7.00x          -      -      -    1/0  -"), "%s", row);
    ACRE_CHECK(!acre_test_page_has_word(page, "nan") && !acre_test_page_has_word(summary, "nan"));
    ACRE_CHECK(acre_test_page_first_unbalanced(page) == NULL);
    free(data);
    free(page);
    free(summary);
    remove_dir(dir);
}

/* The sample's Boost is told as it is if it was not built in. */
static void write_without_boost(const char *dir)
{
    FILE *in = fopen(sample_path, "r"), *out = open_results(dir);
    char *line = NULL;
    size_t room = 0;

    while (in && getline(&line, &room, in) >= 0)
        if (!acre_test_page_has(line, "boost_"))
            fputs(line, out);
    fputs("{\"kind\":\"skipped\",\"algorithm\":\"boost_rbtree_best_fit\","
          "\"reason\":\"no *headers* <here>\"}\n", out);
    free(line);
    fclose(in);
    fclose(out);
}

ACRE_TEST(report, that_boost_was_not_there_is_told)
{
    char dir[64], *data, *page, *summary;
    size_t n;
    FILE *text = open_memstream(&summary, &n);

    make_dir(dir);
    write_sample(dir, NULL);
    ACRE_CHECK(acre_report_write(dir, NULL) == 0, "%s", acre_report_message());
    write_without_boost(dir);
    ACRE_CHECK(acre_report_write(dir, text) == 0, "%s", acre_report_message());
    fclose(text);
    page = slurp_in(dir, "index.html");
    ACRE_CHECK(acre_test_page_has(page, "<h2>Against the original</h2>\n<p class=\"note\">Boost.Interprocess was "
                   "not there, so nothing is compared with it: no *headers* &lt;here&gt;.</p>"));
    ACRE_CHECK(acre_test_page_has(summary, "\nagainst the original\n\nBoost.Interprocess was not there, so "
                   "nothing is compared with it: no *headers* <here>.\n"), "%s", summary);
    data = slurp_in(dir, "data/original.dat");
    ACRE_CHECK(data == NULL, "that of the earlier report is still there");
    free(page);
    free(summary);
    remove_dir(dir);
}

ACRE_TEST(report, boost_without_a_counterpart_is_told)
{
    char dir[64], *page;
    FILE *out;

    make_dir(dir);
    out = open_results(dir);
    write_contender(out, "y", "acre");
    write_replay(out, "a", "y", 1, 5);
    write_replay(out, "a", "boost_x", 1, 50);
    fclose(out);
    ACRE_CHECK(acre_report_write(dir, NULL) == 0, "%s", acre_report_message());
    page = slurp_in(dir, "index.html");
    ACRE_CHECK(acre_test_page_has(page, "was there with none of these algorithms"));
    free(page);
    remove_dir(dir);
}

/* Errors ------------------------------------------------------------------------------------ */

static void write_sample_and(const char *dir, const char *last_line)
{
    FILE *out;
    char path[512];

    write_sample(dir, NULL);
    snprintf(path, sizeof path, "%s/results.jsonl", dir);
    out = fopen(path, "a");
    fputs(last_line, out);
    fclose(out);
}

static int count_lines(const char *path)
{
    char *text = acre_test_slurp(path);
    int lines = 0;

    for (const char *at = text; at && (at = strchr(at, '\n')); at++)
        lines++;
    free(text);
    return lines;
}

ACRE_TEST(report, a_damaged_line_is_told_with_file_and_number)
{
    static const char *const line[] = {
        "{\"kind\":\"replay\",\"trace\":\"sql",
        "[1, 2]\n",
        "{}\n",
        "{\"kind\":\"replay\",\"trace\":\"a\",\"algorithm\":\"b\",\"block\":1,\"status\":\"ok\"}\n",
        "{\"kind\":\"replay\",\"trace\":\"a\",\"algorithm\":\"b\",\"block\":1,\"status\":\"so\"}\n",
        "{\"kind\":\"replay\",\"trace\":\"a\",\"algorithm\":\"b\",\"block\":1,\"status\":\"ok\","
        "\"ns_per_op_warm\":-1}\n",
        "{\"kind\":\"fit\",\"trace\":\"a\",\"algorithm\":7,\"status\":\"ok\"}\n",
        "{\"kind\":\"timeline\",\"trace\":\"a\",\"algorithm\":\"b\",\"op\":[1,2],\"live\":[1],"
        "\"used\":[1,2]}\n",
    };
    char number[64];

    snprintf(number, sizeof number, "results.jsonl:%d: ", count_lines(sample_path) + 1);
    for (size_t i = 0; i < sizeof line / sizeof *line; i++) {
        char dir[64];

        make_dir(dir);
        write_sample_and(dir, line[i]);
        ACRE_CHECK(acre_report_write(dir, NULL) == EBADMSG, "case %zu", i);
        ACRE_CHECK(acre_test_page_has(acre_report_message(), number), "case %zu: %s", i, acre_report_message());
        ACRE_CHECK(!strchr(acre_report_message(), '\n'), "case %zu", i);
        remove_dir(dir);
    }
}

ACRE_TEST(report, results_without_a_finished_replay_are_an_error)
{
    char dir[64];

    make_dir(dir);
    ACRE_CHECK(acre_report_write(dir, NULL) == ENOENT);
    ACRE_CHECK(acre_test_page_has(acre_report_message(), "results.jsonl"));
    fclose(open_results(dir));
    ACRE_CHECK(acre_report_write(dir, NULL) == EBADMSG);
    remove_dir(dir);
}

static const char *build_dir(void)
{
    const char *build = getenv("ACRE_BUILD_DIR");

    return build ? build : "build";
}

static int run_command(const char *program, const char *dir, char *output, size_t room)
{
    char command[700];
    FILE *from;
    size_t n;

    snprintf(command, sizeof command, "'%s/acre' report '%s' 2>&1", program, dir);
    from = popen(command, "r");
    if (!from)
        return -1;
    n = fread(output, 1, room - 1, from);
    output[n] = '\0';
    return WEXITSTATUS(pclose(from));
}

ACRE_TEST(report, the_command_exits_with_2_on_a_damaged_line)
{
    char dir[64], output[4096];
    int status;

    make_dir(dir);
    write_sample_and(dir, "{\"kind\":\n");
    status = run_command(build_dir(), dir, output, sizeof output);
    ACRE_CHECK(status == 2, "exit status %d: %s", status, output);
    ACRE_CHECK(strncmp(output, "acre: ", 6) == 0 && acre_test_page_has(output, "results.jsonl:"), "%s", output);
    remove_dir(dir);
}

ACRE_TEST(report, a_folder_with_blanks_and_quotes_gets_its_pictures)
{
    char dir[64], odd[100], *page;

    make_dir(dir);
    snprintf(odd, sizeof odd, "%s/it's a \"b\"", dir);
    mkdir(odd, 0700);
    write_sample(odd, one_trace_one_block);
    ACRE_CHECK(acre_report_write(odd, NULL) == 0 && acre_report_draw_png(odd) == 0);
    ACRE_CHECK(*acre_report_message() == '\0', "%s", acre_report_message());
    page = slurp_in(odd, "index.html");
    ACRE_CHECK(acre_test_page_has(page, "<svg"));
    free(page);
    page = slurp_in(odd, "data/pareto.png");
    ACRE_CHECK(acre_test_page_has(page, "PNG"));
    free(page);
    remove_dir(dir);
}

ACRE_TEST(report, without_gnuplot_the_page_has_the_data_and_says_so)
{
    char dir[64], *page, *path = strdup(getenv("PATH"));
    int error;

    make_dir(dir);
    write_sample(dir, NULL);
    setenv("PATH", "/nonexistent", 1);
    error = acre_report_write(dir, NULL);
    setenv("PATH", path, 1);
    free(path);
    ACRE_CHECK(error == 0);
    ACRE_CHECK(acre_test_page_has(acre_report_message(), "gnuplot"), "%s", acre_report_message());
    page = slurp_in(dir, "index.html");
    ACRE_CHECK(!acre_test_page_has(page, "<svg") && acre_test_page_has(page, "No picture") && acre_test_page_has(page, "time-forest.dat"));
    free(page);
    remove_dir(dir);
}

ACRE_TEST(report, without_the_plots_folder_there_is_still_a_page)
{
    char dir[64], *page;
    int error;

    make_dir(dir);
    write_sample(dir, NULL);
    setenv("ACRE_DATADIR", "/nonexistent", 1);
    error = acre_report_write(dir, NULL);
    unsetenv("ACRE_DATADIR");
    ACRE_CHECK(error == 0);
    ACRE_CHECK(acre_test_page_has(acre_report_message(), "/nonexistent"), "%s", acre_report_message());
    page = slurp_in(dir, "index.html");
    ACRE_CHECK(acre_test_page_has(page, "Ranking") && acre_test_page_first_unbalanced(page) == NULL);
    free(page);
    remove_dir(dir);
}

/* DIR/bin/acre, whose built-in folder of scripts does not exist, as on another machine. */
static void install_moved(const char *dir)
{
    char path[512], *plots = realpath("plots", NULL), *program = NULL, *at;
    size_t n, room = 0, changed = 0;
    FILE *file;

    snprintf(path, sizeof path, "%s/acre", build_dir());
    ACRE_CHECK(plots && (file = fopen(path, "r")));
    fseek(file, 0, SEEK_END);
    room = (size_t)ftell(file);
    rewind(file);
    program = malloc(room);
    n = fread(program, 1, room, file);
    fclose(file);
    at = program;
    for (; (at = memmem(at, n - (size_t)(at - program), plots, strlen(plots))); changed++)
        at[1] = '\a';
    ACRE_CHECK(changed > 0, "%s is not built into %s", plots, path);
    snprintf(path, sizeof path, "%s/bin", dir);
    mkdir(path, 0700);
    snprintf(path, sizeof path, "%s/bin/acre", dir);
    file = fopen(path, "w");
    ACRE_CHECK(file && fwrite(program, 1, n, file) == n && fclose(file) == 0);
    chmod(path, 0700);
    free(program);
    free(plots);
}

static void install_plots(const char *dir)
{
    char command[600];

    snprintf(command, sizeof command, "mkdir -p '%s/lib/acre' && cp -r plots '%s/lib/acre'", dir,
             dir);
    ACRE_CHECK(system(command) == 0);
}

ACRE_TEST(report, an_installed_program_finds_the_plots_beside_itself)
{
    char dir[64], bin[100], output[8192], *page;

    make_dir(dir);
    write_sample(dir, one_trace_one_block);
    install_moved(dir);
    snprintf(bin, sizeof bin, "%s/bin", dir);
    ACRE_CHECK(run_command(bin, dir, output, sizeof output) == 0, "%s", output);
    ACRE_CHECK(acre_test_page_has(output, "/bin/../lib/acre/plots/style.gp: No such file"), "%s", output);
    install_plots(dir);
    ACRE_CHECK(run_command(bin, dir, output, sizeof output) == 0, "%s", output);
    page = slurp_in(dir, "index.html");
    ACRE_CHECK(acre_test_page_has(page, "<svg") && acre_test_page_has(page, "prefers-color-scheme: dark"), "%s", output);
    free(page);
    remove_dir(dir);
}
