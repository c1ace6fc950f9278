/* SPDX-License-Identifier: MIT */
/* The crash laboratory for heaps (tests/crash/) finds what it is made to find, and its table adds up. */
#include "tests/acre_test.h"

#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

static const char *crash_build_dir(void)
{
    const char *dir = getenv("ACRE_BUILD_DIR");
    return dir ? dir : "build/release";
}

static void crash_skip(void)
{
    const char *preload = getenv("LD_PRELOAD");
    if (preload && strstr(preload, "vgpreload"))
        acre_test_skip("valgrind does not let a child be traced");
}

/* A file of this test; it is new. */
static void crash_table_path(char *path, const char *name)
{
    snprintf(path, PATH_MAX, "%s/test-crash-%s.json", crash_build_dir(), name);
    unlink(path);
}

/* Run the laboratory quickly; its exit status, and what it printed to `text`. */
static int crash_run(const char *arguments, const char *table, char *text, size_t size)
{
    char command[3 * PATH_MAX];
    snprintf(command, sizeof command, "%s/crash --quick --json %s %s 2>&1", crash_build_dir(),
             table, arguments);
    FILE *in = popen(command, "r");
    ACRE_CHECK(in, "%s", command);
    size_t n = fread(text, 1, size - 1, in);
    text[n] = 0;
    while (fgetc(in) != EOF)
        ;
    int status = pclose(in);
    ACRE_CHECK(WIFEXITED(status), "%s", command);
    return WEXITSTATUS(status);
}

static json_t *crash_read(const char *table)
{
    json_t *root = json_load_file(table, 0, NULL);
    ACRE_CHECK(root && json_array_size(json_object_get(root, "rows")) > 0, "%s", table);
    return root;
}

static json_int_t crash_get(json_t *row, const char *key)
{
    json_t *value = json_object_get(row, key);
    ACRE_CHECK(json_is_integer(value), "%s", key);
    return json_integer_value(value);
}

static json_int_t crash_sum(json_t *root, const char *key)
{
    json_int_t sum = 0;
    json_t *row;
    size_t i;
    json_array_foreach(json_object_get(root, "rows"), i, row) sum += crash_get(row, key);
    return sum;
}

/* The total is the sum of the rows. */
static void crash_adds_up(json_t *root)
{
    const char *key;
    json_t *value;
    json_object_foreach(json_object_get(root, "total"), key, value)
        ACRE_CHECK(json_integer_value(value) == crash_sum(root, key), "%s", key);
}

ACRE_TEST(crash, a_sound_algorithm_recovers_from_every_death)
{
    crash_skip();
    char table[PATH_MAX], text[8192];
    crash_table_path(table, "sound");
    int e = crash_run("--only step -a rbtree_best_fit --operation free_from,alloc_into", table,
                      text, sizeof text);
    ACRE_CHECK(e == 0, "%s", text);
    json_t *root = crash_read(table);
    crash_adds_up(root);
    ACRE_CHECK_EQUAL(json_array_size(json_object_get(root, "rows")), 10);
    ACRE_CHECK(crash_sum(root, "injected") > 1000);
    ACRE_CHECK_EQUAL(crash_sum(root, "recovered"), crash_sum(root, "injected"));
    ACRE_CHECK(crash_sum(root, "images") > 100);
    ACRE_CHECK_EQUAL(crash_sum(root, "lost") + crash_sum(root, "doubled"), 0);
    json_decref(root);
}

static json_t *crash_recovers(const char *arguments, const char *name, size_t rows)
{
    crash_skip();
    char table[PATH_MAX], text[8192];
    crash_table_path(table, name);
    ACRE_CHECK(crash_run(arguments, table, text, sizeof text) == 0, "%s", text);
    json_t *root = crash_read(table);
    crash_adds_up(root);
    ACRE_CHECK_EQUAL(json_array_size(json_object_get(root, "rows")), rows);
    ACRE_CHECK_EQUAL(crash_sum(root, "recovered"), crash_sum(root, "injected"));
    return root;
}

ACRE_TEST(crash, deaths_and_stops_among_the_nodes_of_others)
{
    json_decref(crash_recovers("--only remote,rescue -a sharded --operation free_from", "remote", 2));
    json_t *root = crash_recovers("--only frozen -a sharded --operation birth", "frozen", 1);
    ACRE_CHECK(crash_sum(root, "injected") > 20);
    ACRE_CHECK(crash_sum(root, "waited") > 0, "no owner had to wait for a slab that is being born");
    ACRE_CHECK(crash_sum(root, "waited") < crash_sum(root, "injected"));
    json_decref(root);
}

ACRE_TEST(crash, what_a_dead_thread_costs_is_told)
{
    json_t *root = crash_recovers("--only haste -a sharded --operation 64MiB --state sparse", "haste", 1);
    json_t *row = json_array_get(json_object_get(root, "rows"), 0);
    ACRE_CHECK(json_real_value(json_object_get(row, "typical_us")) > 0);
    ACRE_CHECK(json_real_value(json_object_get(row, "worst_us")) < 1e6);
    json_decref(root);
}

ACRE_TEST(crash, two_runs_share_a_table)
{
    crash_skip();
    char table[PATH_MAX], text[8192];
    crash_table_path(table, "shared");
    static const char *const run[] = {
        "--only step -a rbtree_best_fit --operation free --state empty",
        "--only step -a simple_seq_fit --operation free --state empty",
        "--only step -a rbtree_best_fit --operation free --state empty",
    };
    for (int i = 0; i < 3; i++)
        ACRE_CHECK(crash_run(run[i], table, text, sizeof text) == 0, "%s", text);
    json_t *root = crash_read(table);
    crash_adds_up(root);
    ACRE_CHECK_EQUAL(json_array_size(json_object_get(root, "rows")), 2);
    json_decref(root);
}

/* What the laboratory says must tell how to repeat it, and that must repeat it: one place, where
 * `stopped` lets one victim go on and kills another. */
static void crash_repeats(const char *part, const char *said, const char *table)
{
    const char *injected = strcmp(part, "stopped") ? " 1 injected" : " 2 injected";
    char line[1024], text[8192];
    const char *at = strstr(said, "--only");
    ACRE_CHECK(at, "%s", said);
    snprintf(line, sizeof line, "%.*s", (int)strcspn(at, "\n"), at);
    ACRE_CHECK(crash_run(line, table, text, sizeof text) == 1, "%s: %s", line, text);
    ACRE_CHECK(strstr(text, injected), "%s", text);
}

/* The part finds the mistake in this operation and state. */
static void crash_finds(const char *part, const char *algorithm, const char *operation,
                        const char *state, const char *key)
{
    crash_skip();
    char table[PATH_MAX], arguments[256], text[8192], name[64];
    snprintf(name, sizeof name, "%s-%s", part, algorithm);
    crash_table_path(table, name);
    snprintf(arguments, sizeof arguments, "--only %s -a %s --operation %s --state %s", part,
             algorithm, operation, state);
    ACRE_CHECK_EQUAL(crash_run(arguments, table, text, sizeof text), 1);
    json_t *root = crash_read(table);
    crash_adds_up(root);
    ACRE_CHECK(crash_sum(root, key) > 0, "%s", text);
    ACRE_CHECK(crash_sum(root, "recovered") < crash_sum(root, "injected"));
    ACRE_CHECK(strstr(text, algorithm) && strstr(text, operation), "%s", text);
    crash_repeats(part, text, table);
    json_decref(root);
}

ACRE_TEST(crash, a_forgotten_note_is_found)
{
    crash_finds("step", "careless_note", "free_from", "coalesce", "doubled");
}

ACRE_TEST(crash, a_free_without_notes_is_found)
{
    crash_finds("step", "careless_unnoted", "free", "coalesce", "unsound");
}

ACRE_TEST(crash, a_commit_before_the_slot_is_found)
{
    crash_finds("step", "careless_commit", "alloc_into", "coalesce", "lost");
}

ACRE_TEST(crash, a_recovery_without_end_is_found)
{
    crash_finds("step", "careless_hang", "free", "coalesce", "hangs");
}

ACRE_TEST(crash, a_peer_that_inherits_a_broken_heap_is_found)
{
    crash_finds("signal", "careless_unnoted", "free", "coalesce/robust", "unsound");
}

ACRE_TEST(crash, a_broken_heap_of_a_stopped_process_is_found)
{
    crash_finds("stopped", "careless_unnoted", "free", "coalesce/robust", "unsound");
}

ACRE_TEST(crash, a_growth_without_notes_is_found)
{
    crash_finds("life", "careless_grow", "grow", "shm,file", "unsound");
}
