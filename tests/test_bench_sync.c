/* SPDX-License-Identifier: MIT */
/* bench-sync: its names are the ones that were promised, no more and no fewer; what it measures is
 * a number; and its report computes what it says (tests/data/bench-sync-sample.json, synthetic). */
#include "bench/report.h"
#include "bench/report_sync.h"
#include "tests/acre_test.h"
#include "tests/support_page.h"

#include <errno.h>
#include <jansson.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const char sample[] = "tests/data/bench-sync-sample.json";
static const char kills[] = "tests/data/sync-kills-sample.json";

/* ---- names ---- */

/* Every bench: primitive, its cases, its implementations. */
static const struct {
    const char *primitive, *cases, *implementations;
} promised[] = {
    {"mutex", "uncontended contended2", "acre pthread pthread_robust boost"},
    {"recursive", "uncontended contended2", "acre pthread pthread_robust boost"},
    {"sharable_exclusive", "uncontended contended2", "acre pthread boost"},
    {"sharable_shared", "uncontended contended2 readers1 readers2 readers4 readers8",
     "acre pthread boost"},
    {"upgradable_exclusive", "uncontended contended2", "acre boost"},
    {"upgradable_shared", "uncontended contended2", "acre boost"},
    {"upgradable_upgradable", "uncontended contended2", "acre boost"},
    {"semaphore", "uncontended contended2 roundtrip_2cpu roundtrip_1cpu", "acre posix boost"},
    {"condition", "uncontended contended2 roundtrip_2cpu roundtrip_1cpu", "acre pthread boost"},
    {"file_lock", "uncontended contended2", "acre posix boost"},
    {"queue",
     "uncontended contended2 throughput_cap10 throughput_cap1024 throughput_batch roundtrip_2cpu "
     "roundtrip_1cpu",
     "acre posix boost pipe"},
    {"spsc",
     "uncontended throughput_cap10 throughput_cap1024 throughput_batch roundtrip_2cpu "
     "roundtrip_1cpu",
     "acre posix boost pipe"},
    {"mpmc",
     "uncontended contended2 throughput_cap10 throughput_cap1024 throughput_batch roundtrip_2cpu "
     "roundtrip_1cpu",
     "acre posix boost pipe"},
    {"broadcast",
     "uncontended throughput_cap10 throughput_cap1024 throughput_batch roundtrip_2cpu "
     "roundtrip_1cpu",
     "acre pipe"},
};
enum { PROMISED = sizeof promised / sizeof *promised };

static const char *build_file(const char *name)
{
    static _Thread_local char path[512];
    const char *dir = getenv("ACRE_BUILD_DIR");

    snprintf(path, sizeof path, "%s/%s", dir ? dir : "build/release", name);
    return path;
}

static bool boost_is_built(void)
{
    return access(build_file("libacre_boost_sync.so"), R_OK) == 0;
}

static void need_bench_sync(void)
{
    if (access(build_file("bench-sync"), X_OK))
        acre_test_skip("bench-sync is not built: Google Benchmark is not installed");
}

/* The output of a command, to be freed; *status is its exit status. */
static char *output_of(const char *command, int *status)
{
    FILE *from = popen(command, "r");
    char *text = NULL;
    size_t room = 0;

    ACRE_CHECK(from != NULL, "%s: %s", command, strerror(errno));
    if (getdelim(&text, &room, '\0', from) < 0) {
        free(text);
        text = strdup("");
    }
    int ended = pclose(from);
    *status = WIFEXITED(ended) ? WEXITSTATUS(ended) : -1;
    return text;
}

static char *listed_names(void)
{
    char command[600];
    int status;

    snprintf(command, sizeof command, "%s --benchmark_list_tests", build_file("bench-sync"));
    char *list = output_of(command, &status);
    ACRE_CHECK_EQUAL(status, 0);
    return list;
}

/* How many lines of `list` are exactly this name. */
static size_t count_line(const char *list, const char *name)
{
    size_t n = 0, length = strlen(name);

    for (const char *at = list; (at = strstr(at, name)); at += length)
        n += (at == list || at[-1] == '\n') && at[length] == '\n';
    return n;
}

static size_t count_lines(const char *text)
{
    size_t n = 0;

    for (; *text; text++)
        n += *text == '\n';
    return n;
}

/* The next word of a list, or NULL; *list moves on. */
static const char *next_word(const char **list, char *word, size_t room)
{
    size_t n = strcspn(*list, " ");

    if (n == 0)
        return NULL;
    snprintf(word, room, "%.*s", (int)n, *list);
    *list += n + ((*list)[n] == ' ');
    return word;
}

static size_t check_case(const char *list, const char *primitive, const char *kase,
                         const char *implementations)
{
    char word[32], name[128];
    size_t n = 0;

    while (next_word(&implementations, word, sizeof word)) {
        if (strcmp(word, "boost") == 0 && !boost_is_built())
            continue;
        snprintf(name, sizeof name, "%s/%s/%s", primitive, kase, word);
        ACRE_CHECK_EQUAL(count_line(list, name), 1);
        n++;
    }
    return n;
}

ACRE_TEST(bench_sync, names_are_those_that_were_promised)
{
    need_bench_sync();
    char *list = listed_names(), kase[32];
    size_t n = 0;

    for (size_t i = 0; i < PROMISED; i++) {
        const char *cases = promised[i].cases;

        while (next_word(&cases, kase, sizeof kase))
            n += check_case(list, promised[i].primitive, kase, promised[i].implementations);
    }
    ACRE_CHECK_EQUAL(count_lines(list), n);
    free(list);
}

/* ---- measuring ---- */

static void make_dir(char *dir)
{
    strcpy(dir, "/tmp/acre-bench-sync-XXXXXX");
    ACRE_CHECK(mkdtemp(dir) != NULL);
}

static void remove_dir(const char *dir)
{
    char command[600];

    snprintf(command, sizeof command, "rm -rf '%s'", dir);
    ACRE_CHECK(system(command) == 0);
}

static void run_benches(const char *filter, const char *json)
{
    char command[1200];

    snprintf(command, sizeof command,
             "%s '--benchmark_filter=%s' --benchmark_min_time=0.001 --benchmark_repetitions=2 "
             "--benchmark_enable_random_interleaving=true --benchmark_out='%s' "
             "--benchmark_out_format=json >/dev/null 2>&1",
             build_file("bench-sync"), filter, json);
    ACRE_CHECK_EQUAL(system(command), 0);
}

/* What a run of benches said about one of them: all its repetitions must agree. */
typedef struct said {
    size_t repetitions;
    double rate;     /* the last one's; 0: none */
    char error[128]; /* "": none */
} said;

static said bench_said(const char *json, const char *name)
{
    json_t *root = json_load_file(json, 0, NULL), *bench;
    said s = {0};
    size_t at;

    json_array_foreach(json_object_get(root, "benchmarks"), at, bench)
    {
        const char *why = json_string_value(json_object_get(bench, "error_message"));

        if (strcmp(json_string_value(json_object_get(bench, "name")), name) != 0)
            continue;
        s.repetitions++;
        s.rate = json_number_value(json_object_get(bench, "items_per_second"));
        snprintf(s.error, sizeof s.error, "%s", why ? why : "");
    }
    json_decref(root);
    return s;
}

static const char some[] = "^(mutex/(uncontended|contended2)/acre|semaphore/roundtrip_1cpu/posix|"
                           "condition/uncontended/pthread|queue/throughput_cap10/pipe)$";

static int cpus(void)
{
    cpu_set_t set;

    ACRE_CHECK_EQUAL(sched_getaffinity(0, sizeof set, &set), 0);
    return CPU_COUNT(&set);
}

static void check_number(const char *json, const char *name)
{
    said s = bench_said(json, name);

    ACRE_CHECK(s.repetitions == 2 && s.rate > 0, "%s: %zu, %f %s", name, s.repetitions, s.rate,
               s.error);
}

ACRE_TEST(bench_sync, every_kind_of_case_yields_items_per_second)
{
    char dir[64], json[128];

    need_bench_sync();
    make_dir(dir);
    snprintf(json, sizeof json, "%s/out.json", dir);
    run_benches(some, json);
    check_number(json, "mutex/uncontended/acre");
    check_number(json, "semaphore/roundtrip_1cpu/posix");
    check_number(json, "condition/uncontended/pthread");
    if (cpus() > 1) {
        check_number(json, "mutex/contended2/acre");
        check_number(json, "queue/throughput_cap10/pipe");
    }
    remove_dir(dir);
}

static void one_cpu_only(void)
{
    cpu_set_t all, one;

    CPU_ZERO(&one);
    ACRE_CHECK_EQUAL(sched_getaffinity(0, sizeof all, &all), 0);
    for (int cpu = 0; cpu < CPU_SETSIZE && CPU_COUNT(&one) == 0; cpu++)
        if (CPU_ISSET(cpu, &all))
            CPU_SET(cpu, &one);
    ACRE_CHECK_EQUAL(sched_setaffinity(0, sizeof one, &one), 0);
}

ACRE_TEST(bench_sync, one_cpu_skips_what_needs_two)
{
    char dir[64], json[128];

    need_bench_sync();
    one_cpu_only();
    make_dir(dir);
    snprintf(json, sizeof json, "%s/out.json", dir);
    run_benches(some, json);
    check_number(json, "mutex/uncontended/acre");
    check_number(json, "semaphore/roundtrip_1cpu/posix");
    said s = bench_said(json, "queue/throughput_cap10/pipe");
    ACRE_CHECK(s.repetitions > 0 && s.rate == 0);
    ACRE_CHECK(strcmp(s.error, "needs two CPUs") == 0, "%s", s.error);
    remove_dir(dir);
}

/* ---- the page ---- */

static char *page_of(const char *dir, const char *json, const char *deaths)
{
    char path[512];
    int error = acre_report_sync_write(json, deaths, dir, NULL);

    ACRE_CHECK(error == 0, "%s", acre_report_message());
    snprintf(path, sizeof path, "%s/sync.html", dir);
    return acre_test_slurp(path);
}

/* Between the row of `bench` in the table of aims and the end of that row. */
static bool aim_says(const char *page, const char *primitive, const char *kase, const char *what)
{
    char head[128];
    const char *row = strstr(page, "<section id=\"aims\">"), *end;

    snprintf(head, sizeof head, "<th scope=\"row\">%s <small>%s</small></th>", primitive, kase);
    row = row ? strstr(row, head) : NULL;
    end = row ? strstr(row, "</tr>") : NULL;
    const char *found = row ? strstr(row, what) : NULL;
    return found && found < end;
}

ACRE_TEST(bench_sync, page_judges_by_the_numbers)
{
    static const struct {
        const char *primitive, *kase, *value, *verdict;
    } aim[] = {
        {"mutex", "uncontended", "<td>1.25×", ">reached<"},
        {"mutex", "contended2", "<td>0.75×", ">missed<"},
        {"sharable_exclusive", "uncontended", "<td>2.02×", ">reached, within the spread<"},
        {"sharable_shared", "uncontended", "<td>3.00×", ">reached<"},
        {"sharable_shared", "contended2", "<td>10.0×", ">reached<"},
        {"upgradable_shared", "contended2", ">–<", ">not measured<"},
        {"queue", "throughput_cap10", "<td>11.0×", ">reached<"},
        {"queue", "throughput_batch", "<td>4.00×", ">missed<"},
        {"queue", "roundtrip_2cpu", "<td>0.80 µs", ">reached<"},
        {"queue", "roundtrip_1cpu", "<td>1.25×", ">reached<"},
        {"spsc", "roundtrip_2cpu", "<td>0.50 µs", ">missed<"},
    };
    char dir[64];

    make_dir(dir);
    char *page = page_of(dir, sample, kills);
    for (size_t i = 0; i < sizeof aim / sizeof *aim; i++) {
        ACRE_CHECK(aim_says(page, aim[i].primitive, aim[i].kase, aim[i].value), "%s/%s: %s",
                   aim[i].primitive, aim[i].kase, aim[i].value);
        ACRE_CHECK(aim_says(page, aim[i].primitive, aim[i].kase, aim[i].verdict), "%s/%s: %s",
                   aim[i].primitive, aim[i].kase, aim[i].verdict);
    }
    ACRE_CHECK(acre_test_page_has(page, "<strong>7 of 10</strong> aims reached"));
    free(page);
    remove_dir(dir);
}

ACRE_TEST(bench_sync, page_has_times_ratios_and_what_was_skipped)
{
    static const char *const part[] = {
        "<b>8.00</b> <small>7.84–8.16</small>", /* 125 M/s, and its spread, as ns */
        "1.04× <small>boost</small>",           /* against the best peer, not only the aim's */
        "<b>queue/throughput_cap1024/posix</b>: fs.mqueue.msg_max is too low",
        "0123456789ab",
        "SYNTHETIC",
    };
    char dir[64];

    make_dir(dir);
    char *page = page_of(dir, sample, kills);
    for (size_t i = 0; i < sizeof part / sizeof *part; i++)
        ACRE_CHECK(acre_test_page_has(page, part[i]), "%s", part[i]);
    ACRE_CHECK(!acre_test_page_has(page, "_median"));
    free(page);
    remove_dir(dir);
}

ACRE_TEST(bench_sync, page_adds_up_kills)
{
    char dir[64];

    make_dir(dir);
    char *page = page_of(dir, sample, kills);
    ACRE_CHECK(acre_test_page_has(page, "<td>20011</td><td>0</td><td>0</td><td>0</td><td>0</td>"));
    ACRE_CHECK(acre_test_page_has(
        page, "<td>120</td><td class=\"warn\">117</td><td>0</td><td class=\"warn\">3</td>"));
    ACRE_CHECK(acre_test_page_has(page, "<td>63</td><td>0</td>")); /* 41 + 22 */
    free(page);
    page = page_of(dir, sample, "/nonexistent/sync-kills.json");
    ACRE_CHECK(acre_test_page_has(page, "No results"));
    free(page);
    remove_dir(dir);
}

ACRE_TEST(bench_sync, page_is_well_formed_and_self_contained)
{
    static const char *const outside[] = {"http:", "https:", " src=", "@import", "xlink:"};
    static const char *const picture[] = {"sync-uncontended", "sync-contended", "sync-readers",
                                          "sync-throughput", "sync-roundtrip"};
    char dir[64], id[100];

    make_dir(dir);
    char *page = page_of(dir, sample, kills);
    const char *wrong = acre_test_page_first_unbalanced(page);
    ACRE_CHECK(wrong == NULL, "does not fit: %.60s", wrong);
    ACRE_CHECK(acre_test_page_ids_are_unique(page));
    ACRE_CHECK(!acre_test_page_has_word(page, "nan") && !acre_test_page_has_word(page, "inf"));
    for (size_t i = 0; i < sizeof outside / sizeof *outside; i++)
        ACRE_CHECK(!acre_test_page_has(page, outside[i]), "%s", outside[i]);
    for (size_t i = 0; i < sizeof picture / sizeof *picture; i++) {
        snprintf(id, sizeof id, "<title id=\"%s-title\">", picture[i]);
        ACRE_CHECK(acre_test_page_has(page, id), "no picture %s", picture[i]);
    }
    free(page);
    remove_dir(dir);
}

/* ---- damage ---- */

static void write_file(const char *dir, const char *text, char *path, size_t room)
{
    snprintf(path, room, "%s/damaged.json", dir);
    FILE *out = fopen(path, "w");
    ACRE_CHECK(out != NULL);
    fputs(text, out);
    ACRE_CHECK(fclose(out) == 0);
}

/* acre report-sync ends with 2, names the file, says why, and writes no page. */
static void check_refused(const char *dir, const char *json, const char *deaths, const char *why)
{
    char command[1400], page[512];
    int status;

    snprintf(command, sizeof command, "%s report-sync -k '%s' -o '%s/out' '%s' 2>&1",
             build_file("acre"), deaths, dir, json);
    char *text = output_of(command, &status);
    ACRE_CHECK(status == 2, "%s: %d: %s", why, status, text);
    ACRE_CHECK(acre_test_page_has(text, why), "%s: %s", why, text);
    ACRE_CHECK(acre_test_page_has(text, dir), "%s: %s", why, text);
    snprintf(page, sizeof page, "%s/out/sync.html", dir);
    ACRE_CHECK(access(page, F_OK) != 0);
    free(text);
}

ACRE_TEST(bench_sync, page_says_when_the_machine_was_busy)
{
    char dir[64], path[128];

    make_dir(dir);
    write_file(dir,
               "{\"context\": {\"num_cpus\": 2, \"load_avg\": [5.04, 1, 1]}, \"benchmarks\": "
               "[{\"name\": \"mutex/uncontended/acre\", \"items_per_second\": 1e8}]}",
               path, sizeof path);
    char *page = page_of(dir, path, NULL);
    ACRE_CHECK(acre_test_page_has(page, "busy (load 5.0 on 2 CPUs)"));
    ACRE_CHECK(acre_test_page_has(page, "None of what was aimed at"));
    free(page);
    page = page_of(dir, sample, NULL);
    ACRE_CHECK(!acre_test_page_has(page, "The machine was busy"));
    free(page);
    remove_dir(dir);
}

ACRE_TEST(bench_sync, damaged_results_are_refused_with_a_reason)
{
    static const struct {
        const char *text, *why;
    } damage[] = {
        {"", "expected"},
        {"{\"benchmarks\": [{\"name\":", "damaged.json:1:"},
        {"{\"context\": {}}", "there are no benchmarks"},
        {"{\"benchmarks\": []}", "there are no benchmarks"},
        {"{\"benchmarks\": [{}]}", "benchmark 0 has no name"},
        {"{\"benchmarks\": [{\"name\": \"mutex/uncontended/acre/real_time\","
         "\"items_per_second\": 1}]}",
         "'mutex/uncontended/acre/real_time' is no PRIMITIVE"},
        {"{\"benchmarks\": [{\"name\": \"mutex/uncontended/other\", \"items_per_second\": 1}]}",
         "'mutex/uncontended/other' is no PRIMITIVE"},
        {"{\"benchmarks\": [{\"name\": \"mutex/uncontended/acre\"}]}",
         "'mutex/uncontended/acre' has no items_per_second"},
        {"{\"benchmarks\": [{\"name\": \"mutex/uncontended/acre\", \"items_per_second\": -1}]}",
         "'mutex/uncontended/acre' has no items_per_second"},
        {"{\"benchmarks\": [{\"name\": \"mutex/uncontended/acre\", \"error_occurred\": true}]}",
         "every benchmark was skipped"},
    };
    char dir[64], path[128];

    make_dir(dir);
    for (size_t i = 0; i < sizeof damage / sizeof *damage; i++) {
        write_file(dir, damage[i].text, path, sizeof path);
        check_refused(dir, path, "/nonexistent", damage[i].why);
    }
    remove_dir(dir);
}

ACRE_TEST(bench_sync, absent_results_and_damaged_kills_are_refused)
{
    char dir[64], path[128];

    make_dir(dir);
    snprintf(path, sizeof path, "%s/absent.json", dir);
    check_refused(dir, path, "/nonexistent", strerror(ENOENT));
    write_file(dir, "{\"results\": 7}", path, sizeof path);
    check_refused(dir, sample, path, "there are no results");
    write_file(dir, "{\"results\": [", path, sizeof path);
    check_refused(dir, sample, path, "damaged.json:1:");
    remove_dir(dir);
}
