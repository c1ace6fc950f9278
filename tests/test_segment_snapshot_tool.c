/* SPDX-License-Identifier: MIT */
/* `acre segment snapshot` as a user meets it. */
#include "tests/support_copy.h"
#include "tests/support_tool.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

/* The house's segment, under a name that a command finds. */
typedef struct tool_house {
    copy_house h;
    acre_segment *was;
    char name[64];
} tool_house;

static tool_house tool_make(const char *algorithm)
{
    tool_house t = {.h = copy_make("rbtree_best_fit", 64 << 10)};
    acre_segment_options o = {.size = 512 << 10, .algorithm = acre_algorithm_find(algorithm)};
    strcpy(t.name, test_name());
    t.was = t.h.s;
    ACRE_CHECK_EQUAL(acre_segment_create(&t.h.s, ACRE_SHM, t.name, &o), 0);
    ACRE_CHECK_EQUAL(acre_alloc_into(acre_segment_heap(t.h.s), acre_segment_root(t.h.s), 5000), 0);
    test_fill(acre_segment_address(t.h.s, *acre_segment_root(t.h.s)), 5000, 3);
    return t;
}

static void tool_end(tool_house *t)
{
    ACRE_CHECK_EQUAL(acre_segment_remove(ACRE_SHM, t->name), 0);
    ACRE_CHECK_EQUAL(acre_segment_close(t->h.s), 0);
    t->h.s = t->was;
    copy_end(&t->h);
}

static int tool_snapshot(const tool_house *t, const char *options)
{
    char command[300];
    snprintf(command, sizeof command, "segment snapshot %s %s %s", options, t->name, t->h.path);
    return tool_run(command);
}

static void tool_check_copy(const tool_house *t)
{
    acre_segment *s;
    ACRE_CHECK_EQUAL(acre_segment_open(&s, ACRE_FILE, t->h.path, NULL), 0);
    ACRE_CHECK(test_filled(acre_segment_address(s, *acre_segment_root(s)), 5000, 3));
    acre_segment_close(s);
    ACRE_CHECK_EQUAL(acre_segment_remove(ACRE_FILE, t->h.path), 0);
}

ACRE_TEST(segment_snapshot_tool, copies)
{
    tool_house t = tool_make("rbtree_best_fit");
    char command[300];
    ACRE_CHECK_EQUAL(tool_snapshot(&t, ""), 0);
    ACRE_CHECK(strstr(tool_text, "524288 bytes copied to "), "%s", tool_text);
    tool_check_copy(&t);
    snprintf(command, sizeof command, "segment snapshot --json %s %s", t.name, t.h.path);
    json_t *o = tool_json(command);
    ACRE_CHECK(json_is_true(json_object_get(o, "ok")) &&
               json_is_integer(json_object_get(o, "held")));
    ACRE_CHECK_EQUAL(json_integer_value(json_object_get(o, "size")), 512 << 10);
    ACRE_CHECK(!strcmp(json_string_value(json_object_get(o, "file")), t.h.path));
    json_decref(o);
    tool_check_copy(&t);
    tool_end(&t);
}

ACRE_TEST(segment_snapshot_tool, tells_what_is_wrong)
{
    tool_house t = tool_make("rbtree_best_fit");
    tool_expect("segment snapshot", "", 2, "takes a NAME and the FILE");
    tool_expect("segment snapshot", t.name, 2, "takes a NAME and the FILE");
    tool_expect("segment snapshot no-such-segment", t.h.path, 2, "No such file");
    ACRE_CHECK_EQUAL(tool_snapshot(&t, "--timeout x"), 2);
    ACRE_CHECK(strstr(tool_text, "is no number of seconds"), "%s", tool_text);
    close(open(t.h.path, O_CREAT | O_WRONLY, 0600));
    ACRE_CHECK_EQUAL(tool_snapshot(&t, ""), 2);
    ACRE_CHECK(strstr(tool_text, "File exists"), "%s", tool_text);
    unlink(t.h.path);
    tool_end(&t);
}

/* This thread takes part and does not come. */
ACRE_TEST(segment_snapshot_tool, waits_no_longer_than_asked)
{
    tool_house t = tool_make("rbtree_best_fit");
    acre_hold hold;
    ACRE_CHECK_EQUAL(acre_hold_join(&hold, t.h.s), 0);
    ACRE_CHECK_EQUAL(tool_snapshot(&t, "--timeout 0.05"), 1);
    ACRE_CHECK(strstr(tool_text, "did not come to a hold point"), "%s", tool_text);
    copy_expect_none(&t.h);
    ACRE_CHECK_EQUAL(acre_hold_leave(&hold), 0);
    tool_end(&t);
}

/* This thread has a part of the heap to itself. */
ACRE_TEST(segment_snapshot_tool, who_takes_no_part_is_told)
{
    tool_house t = tool_make("sharded");
    ACRE_CHECK(acre_alloc(acre_segment_heap(t.h.s), 20));
    ACRE_CHECK_EQUAL(tool_snapshot(&t, "--json"), 1);
    ACRE_CHECK(strstr(tool_text, "\"ok\":false") && strstr(tool_text, "takes no part"), "%s",
               tool_text);
    copy_expect_none(&t.h);
    ACRE_CHECK_EQUAL(tool_snapshot(&t, "--quiesced"), 0);
    tool_check_copy(&t);
    tool_end(&t);
}
