/* SPDX-License-Identifier: MIT */
/* `acre segment` and `acre algorithms` as a user meets them: what a segment is, read from outside while
 * others use it, also when it is damaged, foreign, cut off, or its writer stands still. */
#include "tests/support_heap.h"
#include "tests/support_hostile.h"
#include "tests/support_tool.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static acre_segment *tool_make(const char *spec, enum acre_source source, const char *name)
{
    acre_segment_options o = {.size = 1 << 20, .capacity = 4 << 20};
    acre_segment *s;
    ACRE_CHECK_EQUAL(acre_spec_parse(spec, &o.algorithm, &o.heap), 0);
    ACRE_CHECK_EQUAL(acre_segment_create(&s, source, name, &o), 0);
    return s;
}

static void tool_end(acre_segment *s, const char *name)
{
    ACRE_CHECK_EQUAL(acre_segment_close(s), 0);
    ACRE_CHECK_EQUAL(acre_segment_remove(ACRE_SHM, name), 0);
}

static json_int_t tool_number(const json_t *o, const char *key)
{
    json_t *value = json_object_get(o, key);
    ACRE_CHECK(json_is_integer(value), "%s: %s", key, tool_text);
    return json_integer_value(value);
}

static json_t *tool_info(const char *name)
{
    char line[600];
    snprintf(line, sizeof line, "segment info --json %s", name);
    return tool_json(line);
}

/* A path that no other test uses. */
static const char *tool_path(void)
{
    static char path[300];
    snprintf(path, sizeof path, "/tmp/acre-%s", test_name());
    return path;
}

/* ---- usage ---- */

ACRE_TEST(segment_tool, bad_usage_ends_with_2)
{
    tool_expect("segment", "", 2, "Usage");
    tool_expect("segment nosuch", "", 2, "unknown command");
    tool_expect("segment info", "", 2, "which NAME or FILE");
    tool_expect("segment rm", "", 2, "which NAME or FILE");
    tool_expect("segment purge", "", 2, "which NAME or FILE");
    tool_expect("segment purge", "there-is-no-such-segment", 2, "No such file");
    tool_expect("segment ls", "/nonexistent", 2, "No such file");
    tool_expect("segment info --nosuch", "x", 2, "nosuch");
    tool_expect("segment info", "there-is-no-such-segment", 2, "No such file");
    tool_expect("segment check", "/nonexistent/file", 2, "No such file");
    tool_expect("segment --help", "", 0, "Usage");
}

/* ---- info ---- */

static bool tool_param_is(const json_t *o, const char *name, json_int_t value, bool standard)
{
    json_t *p = json_object_get(json_object_get(o, "params"), name);
    return tool_number(p, "value") == value &&
           json_boolean_value(json_object_get(p, "is_standard")) == standard;
}

ACRE_TEST(segment_tool, parameters_chosen_at_creation_are_shown)
{
    const char *name = test_name();
    acre_segment *s =
        tool_make("adaptive_pools:nodes=17,lock=spin,journal=off,classes=32:64", ACRE_SHM, name);
    json_t *o = tool_info(name);
    ACRE_CHECK(tool_param_is(o, "nodes", 17, false), "%s", tool_text);
    ACRE_CHECK(tool_param_is(o, "max_free", 2, true), "%s", tool_text);
    ACRE_CHECK(!strcmp(json_string_value(json_object_get(o, "algorithm")), "adaptive_pools"));
    ACRE_CHECK(!strcmp(json_string_value(json_object_get(o, "lock")), "spin"));
    ACRE_CHECK(!strcmp(json_string_value(json_object_get(o, "journal")), "off"));
    json_t *classes = json_object_get(o, "classes");
    ACRE_CHECK(json_array_size(classes) >= 2 &&
                   json_integer_value(json_array_get(classes, 0)) == 32,
               "%s", tool_text);
    json_decref(o);
    tool_expect("segment info", name, 0, "lock=spin,journal=off,checks=1");
    tool_expect("segment info", name, 0, "nodes=17 (1 to 252, default 8)");
    tool_end(s, name);
}

/* What the tool tells is what the heap's own statistics tell. */
ACRE_TEST(segment_tool, statistics_of_a_segment_in_use)
{
    const char *name = test_name();
    acre_segment *s = tool_make("rbtree_best_fit", ACRE_SHM, name);
    acre_heap *h = acre_segment_heap(s);
    acre_stats st;
    void *p[100];
    for (int i = 0; i < 100; i++)
        p[i] = acre_alloc(h, 100);
    for (int i = 0; i < 100; i += 2)
        ACRE_CHECK_EQUAL(acre_free(h, p[i]), 0);
    json_t *o = tool_info(name);
    ACRE_CHECK_EQUAL(acre_heap_stats(h, &st), 0);
    ACRE_CHECK(json_is_true(json_object_get(o, "exact")));
    ACRE_CHECK_EQUAL(tool_number(o, "used_blocks"), 50);
    ACRE_CHECK_EQUAL((uint64_t)tool_number(o, "used_bytes"), st.used_bytes);
    ACRE_CHECK_EQUAL((uint64_t)tool_number(o, "free_bytes"), st.free_bytes);
    ACRE_CHECK_EQUAL((uint64_t)tool_number(o, "largest_free"), st.largest_free);
    ACRE_CHECK_EQUAL((uint64_t)tool_number(o, "high_water"), st.high_water);
    ACRE_CHECK_EQUAL(tool_number(o, "size"), 1 << 20);
    ACRE_CHECK_EQUAL(tool_number(o, "capacity"), 4 << 20);
    ACRE_CHECK_EQUAL((uint64_t)tool_number(json_object_get(o, "histogram"), "64"), st.histogram[6]);
    json_decref(o);
    tool_end(s, name);
}

typedef struct standing {
    acre_segment *segment;
    int ready[2];
} standing;

static int stand_in_walk(void *arg, const acre_block *b)
{
    const standing *w = arg;
    (void)b;
    ACRE_CHECK(write(w->ready[1], "x", 1) == 1);
    for (;;)
        pause();
}

static void stand_in_heap(void *arg)
{
    standing *w = arg;
    acre_heap_walk(acre_segment_heap(w->segment), stand_in_walk, w);
}

/* A child that holds the heap's lock for ever. */
static pid_t start_standing(acre_segment *s)
{
    standing w = {.segment = s};
    char x;
    ACRE_CHECK(pipe(w.ready) == 0);
    pid_t child = acre_test_spawn(stand_in_heap, &w);
    ACRE_CHECK(read(w.ready[0], &x, 1) == 1);
    return child;
}

static void end_standing(pid_t child)
{
    kill(child, SIGKILL);
    acre_test_expect_killed(child);
}

ACRE_TEST(segment_tool, a_writer_that_stands_still_hides_the_blocks_only)
{
    const char *name = test_name();
    acre_segment *s = tool_make("rbtree_best_fit", ACRE_SHM, name);
    pid_t child = start_standing(s);
    json_t *o = tool_info(name);
    ACRE_CHECK(json_is_false(json_object_get(o, "exact")));
    ACRE_CHECK(json_is_null(json_object_get(o, "used_blocks")));
    ACRE_CHECK(tool_number(o, "free_bytes") > 0);
    json_decref(o);
    tool_expect("segment check", name, 1, "somebody is at work");
    tool_expect("segment ls", "", 0, "busy");
    end_standing(child);
    tool_expect("segment check", name, 0, "sound");
    tool_end(s, name);
}

/* ---- what is no segment, or not a whole one ---- */

static void tool_write_file(const char *path, const char *text)
{
    FILE *f = fopen(path, "w");
    ACRE_CHECK(f && fputs(text, f) >= 0 && fclose(f) == 0);
}

ACRE_TEST(segment_tool, foreign_files_end_with_2_and_stay)
{
    const char *path = tool_path();
    tool_write_file(path, "another program's\n");
    tool_expect("segment info", path, 2, "not an acre segment");
    tool_expect("segment check", path, 2, "not an acre segment");
    tool_expect("segment rm", path, 2, "not an acre segment");
    ACRE_CHECK(access(path, F_OK) == 0);
    tool_write_file(path, "");
    tool_expect("segment info", path, 2, "not an acre segment");
    ACRE_CHECK(unlink(path) == 0 && mkdir(path, 0700) == 0);
    tool_expect("segment info", path, 2, "not a regular file");
    ACRE_CHECK(rmdir(path) == 0);
}

ACRE_TEST(segment_tool, every_cut_of_a_file_is_refused)
{
    static const off_t cuts[] = {8, 100, 255, 256, 300, 4096, 65536};
    const char *path = tool_path();
    for (size_t i = 0; i < sizeof cuts / sizeof *cuts; i++) {
        ACRE_CHECK_EQUAL(acre_segment_close(tool_make("rbtree_best_fit", ACRE_FILE, path)), 0);
        ACRE_CHECK(truncate(path, cuts[i]) == 0);
        tool_expect("segment info", path, 2, "shorter than its header says");
        tool_expect("segment check", path, 2, "shorter than its header says");
        ACRE_CHECK(unlink(path) == 0);
    }
}

static void tool_poke(const char *path, off_t at, unsigned char byte)
{
    int fd = open(path, O_WRONLY);
    ACRE_CHECK(fd >= 0 && pwrite(fd, &byte, 1, at) == 1 && close(fd) == 0);
}

ACRE_TEST(segment_tool, a_damaged_header_ends_with_2)
{
    const char *path = tool_path();
    ACRE_CHECK_EQUAL(acre_segment_close(tool_make("rbtree_best_fit", ACRE_FILE, path)), 0);
    tool_poke(path, 72, 0xa5); /* the capacity: the checksum no longer fits */
    tool_expect("segment info", path, 2, "is damaged");
    ACRE_CHECK(unlink(path) == 0);
}

/* Each refusal says why, in words of its own. */
static void tool_refusal(off_t at, uint32_t word, bool sign, const char *text)
{
    const char *path = tool_path();
    unsigned char image[256];
    ACRE_CHECK_EQUAL(acre_segment_close(tool_make("rbtree_best_fit", ACRE_FILE, path)), 0);
    int fd = open(path, O_RDWR);
    ACRE_CHECK(fd >= 0 && pread(fd, image, sizeof image, 0) == sizeof image);
    if (at < 256)
        memcpy(image + at, &word, sizeof word);
    else
        ACRE_CHECK(pwrite(fd, &word, sizeof word, at) == sizeof word);
    if (sign)
        hostile_sign(image);
    ACRE_CHECK(pwrite(fd, image, sizeof image, 0) == sizeof image && close(fd) == 0);
    tool_expect("segment check", path, 2, text);
    ACRE_CHECK(unlink(path) == 0);
}

ACRE_TEST(segment_tool, each_refusal_says_why)
{
    tool_refusal(0, 1, false, "not an acre segment");
    tool_refusal(8, 1, true, "another format version: format 1, this is for 2");
    tool_refusal(16, 1, true, "made by an incompatible build");
    tool_refusal(32, 1, true, "uses a feature this build does not know");
    tool_refusal(36, 99, true, "another format version: layout 99 of rbtree_best_fit");
    tool_refusal(40, 0x7a7a7a7a, true, "unknown memory algorithm: \"zzzz");
    tool_refusal(72, 1, false, "damaged: its header's checksum is wrong");
    tool_refusal(76, 0x10000, true, "damaged: the sizes in its header are impossible");
    tool_refusal(128, 0x200000, false, "shorter than its header says: 1048576 bytes, not 2097152");
    tool_refusal(136, 0, false, "damaged: its header's state is not");
    tool_refusal(768 + 80, 77, false, "damaged: the heap's control");
    tool_refusal(768 + 204, 0xffffffff, false, "damaged: the heap's control");
}

ACRE_TEST(segment_tool, check_names_the_broken_rule)
{
    const char *path = tool_path();
    acre_segment *s = tool_make("rbtree_best_fit", ACRE_FILE, path);
    char *p = acre_alloc(acre_segment_heap(s), 100);
    ACRE_CHECK(p && acre_alloc(acre_segment_heap(s), 100));
    tool_expect("segment check", path, 0, "sound");
    memset(p - 8, 0xff, 8); /* the block's header */
    tool_expect("segment check", path, 1, "damaged: ");
    ACRE_CHECK_EQUAL(tool_run("segment check /dev/null"), 2);
    ACRE_CHECK_EQUAL(acre_segment_close(s), 0);
    ACRE_CHECK(unlink(path) == 0);
}

/* ---- ls, rm, recover ---- */

ACRE_TEST(segment_tool, list_and_remove)
{
    const char *name = test_name();
    ACRE_CHECK_EQUAL(acre_segment_close(tool_make("buddy", ACRE_SHM, name)), 0);
    tool_expect("segment ls", "", 0, name);
    tool_expect("segment ls --json", "", 0, name);
    tool_expect("segment rm", name, 0, "");
    tool_expect("segment rm", name, 2, "No such file");
    ACRE_CHECK(tool_run("segment ls") == 0 && !strstr(tool_text, name));
}

ACRE_TEST(segment_tool, recover_frees_what_the_dead_held)
{
    const char *name = test_name();
    acre_segment *s = tool_make("rbtree_best_fit:journal=off", ACRE_SHM, name);
    pid_t child = start_standing(s);
    end_standing(child);
    tool_expect("segment check", name, 1, "somebody is at work");
    tool_expect("segment recover", name, 0, "sound");
    tool_expect("segment check", name, 0, "sound");
    tool_end(s, name);
}

/* ---- purge ---- */

/* What is said is what the files' blocks tell, and what lives stays. */
static void tool_purge(enum acre_source source, const char *name)
{
    char line[600];
    acre_segment *s = tool_make("rbtree_best_fit", source, name);
    void *p = acre_alloc(acre_segment_heap(s), 100000);
    struct stat before, after;
    test_fill(p, 100000, 1);
    ACRE_CHECK_EQUAL(fstat(acre_segment_fd(s), &before), 0);
    snprintf(line, sizeof line, "segment purge --json %s", name);
    json_t *o = tool_json(line);
    ACRE_CHECK_EQUAL(fstat(acre_segment_fd(s), &after), 0);
    ACRE_CHECK(json_is_true(json_object_get(o, "ok")), "%s", tool_text);
    ACRE_CHECK_EQUAL(tool_number(o, "held_before"), before.st_blocks * 512);
    ACRE_CHECK_EQUAL(tool_number(o, "held_after"), after.st_blocks * 512);
    ACRE_CHECK_EQUAL(tool_number(o, "given_back"), (before.st_blocks - after.st_blocks) * 512);
    ACRE_CHECK(tool_number(o, "given_back") > 800 << 10, "%s", tool_text);
    json_decref(o);
    tool_expect("segment purge", name, 0, ": 0 bytes given back; held ");
    ACRE_CHECK(test_filled(p, 100000, 1));
    tool_expect("segment check", name, 0, "sound");
    ACRE_CHECK_EQUAL(acre_segment_close(s), 0);
    ACRE_CHECK_EQUAL(acre_segment_remove(source, name), 0);
}

ACRE_TEST(segment_tool, purge_tells_what_the_system_has_back)
{
    tool_purge(ACRE_SHM, test_name());
    tool_purge(ACRE_FILE, tool_path());
}

/* Nobody knows what is free in it: nothing goes. */
ACRE_TEST(segment_tool, purge_leaves_a_damaged_heap_alone)
{
    const char *path = tool_path();
    acre_segment *s = tool_make("rbtree_best_fit", ACRE_FILE, path);
    char *p = acre_alloc(acre_segment_heap(s), 100000);
    ACRE_CHECK(p && acre_alloc(acre_segment_heap(s), 100));
    test_fill(p, 100000, 1);
    p[-1] = (char)(p[-1] & 0x7f); /* «free», says its header now */
    tool_expect("segment purge", path, 1, "damaged");
    ACRE_CHECK(test_filled(p, 100000, 1));
    ACRE_CHECK_EQUAL(acre_segment_close(s), 0);
    ACRE_CHECK(unlink(path) == 0);
}

/* ---- algorithms ---- */

ACRE_TEST(segment_tool, algorithms_are_shown_with_parameters_and_theory)
{
    tool_expect("algorithms", "", 0, "nodes=8  1 to 252:");
    json_t *o = tool_json("algorithms --json | grep '\"simple_seq_fit\"' ");
    ACRE_CHECK(!strcmp(json_string_value(json_object_get(o, "growth")), "O(n)"));
    ACRE_CHECK(json_array_size(json_object_get(o, "params")) == 0);
    json_decref(o);
}
