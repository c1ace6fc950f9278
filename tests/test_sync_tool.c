/* SPDX-License-Identifier: MIT */
/* `acre sync` as a user meets it: what is left behind is found and removable, what is in use or not
 * acre's stays (A-67). */
#include "tests/support_heap.h"
#include "tests/support_tool.h"

#include <acre/queue.h>
#include <acre/sync.h>

#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static void sync_expect(const char *command, const char *name, int status, const char *text)
{
    char line[64];
    snprintf(line, sizeof line, "sync %s", command);
    tool_expect(line, name, status, text);
}

static acre_named *tool_make(enum acre_kind kind, uint32_t count, const char *name)
{
    acre_named_options o = {.count = count, .mode = 0640};
    acre_named *n;
    ACRE_CHECK_EQUAL(acre_named_create(&n, kind, name, &o), 0);
    return n;
}

static bool tool_there(const char *name)
{
    char path[300];
    snprintf(path, sizeof path, "/dev/shm/acre.%s", name);
    return access(path, F_OK) == 0;
}

static void tool_write(const char *name, const char *text, bool whole)
{
    char path[300];
    snprintf(path, sizeof path, "/dev/shm/acre.%s", name);
    FILE *f = fopen(path, whole ? "w" : "r+");
    ACRE_CHECK(f && (whole || fseek(f, 30, SEEK_SET) == 0));
    ACRE_CHECK(fputs(text, f) >= 0 && fclose(f) == 0);
}

/* ---- usage ---- */

ACRE_TEST(sync_tool, bad_usage_ends_with_2)
{
    sync_expect("", "", 2, "Usage");
    sync_expect("nosuch", "", 2, "unknown command");
    sync_expect("info", "", 2, "which NAME");
    sync_expect("rm", "", 2, "which NAME");
    sync_expect("ls", "x", 2, "takes no NAME");
    sync_expect("rm --nosuch", "x", 2, "nosuch");
    sync_expect("info", "there-is-no-such-object", 2, "No such file");
    sync_expect("rm", "../../etc/passwd", 2, "not a valid");
    sync_expect("--help", "", 0, "Usage");
}

/* ---- states ---- */

static void expect_state(acre_named *n, const char *name, const char *state)
{
    sync_expect("info", name, 0, state);
    ACRE_CHECK_EQUAL(acre_named_close(n), 0);
    ACRE_CHECK_EQUAL(acre_named_remove(name), 0);
}

static int done_at_once(void *arg)
{
    (void)arg;
    return 0;
}

ACRE_TEST(sync_tool, every_kind_shows_what_it_is_doing)
{
    static const char *const names[] = {"?",        "mutex",      "recursive", "spin",
                                        "sharable", "upgradable", "condition", "semaphore",
                                        "permits",  "barrier",    "once",      "null"};
    for (uint32_t kind = ACRE_KIND_MUTEX; kind <= ACRE_KIND_NULL; kind++) {
        const char *name = test_name();
        bool counts = kind == ACRE_KIND_PERMITS || kind == ACRE_KIND_BARRIER;
        acre_named *n = tool_make(kind, counts ? 3 : 0, name);
        sync_expect("info", name, 0, names[kind]);
        expect_state(n, name, "0640");
    }
}

ACRE_TEST(sync_tool, states_of_counts)
{
    const char *name = test_name();
    uint32_t which;
    expect_state(tool_make(ACRE_KIND_SEMAPHORE, 7, name), name, "-, 7");
    acre_named *n = tool_make(ACRE_KIND_PERMITS, 3, name);
    ACRE_CHECK_EQUAL(acre_permits_try(acre_named_object(n), &which), 0);
    sync_expect("info", name, 0, "held, 2 of 3");
    ACRE_CHECK_EQUAL(acre_permits_release(acre_named_object(n), which), 0);
    expect_state(n, name, "free, 3 of 3");
    n = tool_make(ACRE_KIND_BARRIER, 2, name);
    ACRE_CHECK_EQUAL(acre_barrier_join(acre_named_object(n), &which), 0);
    sync_expect("info", name, 0, "joined, 1 of 2");
    ACRE_CHECK_EQUAL(acre_barrier_leave(acre_named_object(n), which), 0);
    expect_state(n, name, "free, 0 of 2");
    n = tool_make(ACRE_KIND_ONCE, 0, name);
    sync_expect("info", name, 0, "not yet");
    ACRE_CHECK_EQUAL(acre_once_run(acre_named_object(n), done_at_once, NULL), 0);
    expect_state(n, name, "done");
}

ACRE_TEST(sync_tool, states_of_an_upgradable_mutex)
{
    const char *name = test_name();
    acre_named *n = tool_make(ACRE_KIND_UPGRADABLE, 0, name);
    acre_upgradable *m = acre_named_object(n);
    sync_expect("info", name, 0, "free");
    ACRE_CHECK_EQUAL(acre_upgradable_lock_sharable(m), 0);
    sync_expect("info", name, 0, "held sharable, 1 reading");
    sync_expect("rm", name, 1, "is held");
    ACRE_CHECK_EQUAL(acre_upgradable_unlock_sharable(m), 0);
    ACRE_CHECK_EQUAL(acre_upgradable_lock_upgradable(m), 0);
    sync_expect("info", name, 0, "held upgradable by");
    ACRE_CHECK_EQUAL(acre_upgradable_unlock_upgradable_and_lock(m), 0);
    sync_expect("info", name, 0, "held by");
    ACRE_CHECK_EQUAL(acre_upgradable_unlock(m), 0);
    expect_state(n, name, "free");
}

ACRE_TEST(sync_tool, states_of_a_queue)
{
    const char *name = test_name();
    acre_queue_options o = {.capacity = 10, .max_size = 100};
    acre_queue *q;
    acre_message m;
    ACRE_CHECK_EQUAL(acre_queue_create(&q, name, &o), 0);
    ACRE_CHECK_EQUAL(acre_queue_send(q, "hello", 5, 0), 0);
    sync_expect("info", name, 0, "free, 1 of 10");
    sync_expect("ls", "", 0, "queue");
    ACRE_CHECK_EQUAL(acre_queue_reserve(q, 100, &m), 0);
    sync_expect("info", name, 0, "held by");
    sync_expect("rm", name, 1, "is held");
    ACRE_CHECK_EQUAL(acre_queue_abandon(q, &m), 0);
    ACRE_CHECK_EQUAL(acre_queue_close(q), 0);
    sync_expect("rm", name, 0, "");
    ACRE_CHECK(!tool_there(name));
}

/* ---- what is held, and what is left by the dead ---- */

static void hold_and_die(void *object)
{
    ACRE_CHECK_EQUAL(acre_mutex_lock(object), 0);
}

ACRE_TEST(sync_tool, what_is_held_stays_and_what_the_dead_left_goes_A67)
{
    const char *name = test_name();
    char text[64];
    acre_named *n = tool_make(ACRE_KIND_MUTEX, 0, name);
    acre_mutex *m = acre_named_object(n);
    ACRE_CHECK_EQUAL(acre_mutex_lock(m), 0);
    snprintf(text, sizeof text, "held by %d", (int)getpid());
    sync_expect("info", name, 0, text);
    sync_expect("rm", name, 1, "is held");
    ACRE_CHECK(tool_there(name));
    sync_expect("rm --force", name, 0, "");
    ACRE_CHECK(!tool_there(name));
    ACRE_CHECK_EQUAL(acre_mutex_unlock(m), 0); /* it was the name only */
    ACRE_CHECK_EQUAL(acre_named_close(n), 0);
    n = tool_make(ACRE_KIND_MUTEX, 0, name);
    acre_test_run(hold_and_die, acre_named_object(n));
    sync_expect("info", name, 0, "owner dead");
    ACRE_CHECK_EQUAL(acre_mutex_lock(acre_named_object(n)), ACRE_OWNER_DEAD);
    ACRE_CHECK_EQUAL(acre_mutex_unlock(acre_named_object(n)), 0);
    sync_expect("info", name, 0, "not recoverable");
    sync_expect("rm", name, 0, "");
    ACRE_CHECK(!tool_there(name));
    ACRE_CHECK_EQUAL(acre_named_close(n), 0);
}

ACRE_TEST(sync_tool, damaged_objects_are_shown_and_removable_A67)
{
    const char *name = test_name();
    ACRE_CHECK_EQUAL(acre_named_close(tool_make(ACRE_KIND_MUTEX, 0, name)), 0);
    tool_write(name, "#", false);
    sync_expect("info", name, 1, "damaged: ");
    sync_expect("ls", "", 0, name);
    sync_expect("rm", name, 0, "");
    ACRE_CHECK(!tool_there(name));
}

ACRE_TEST(sync_tool, foreign_files_and_segments_are_left_alone_A67)
{
    const char *name = test_name();
    acre_segment *s;
    acre_segment_options o = {.size = 1 << 16};
    tool_write(name, "another program's\n", true);
    sync_expect("info", name, 2, "not an object");
    sync_expect("rm --force", name, 2, "not an object");
    ACRE_CHECK(tool_there(name) && tool_run("sync ls") == 0 && !strstr(tool_text, name));
    char path[300];
    snprintf(path, sizeof path, "/dev/shm/acre.%s", name);
    ACRE_CHECK(unlink(path) == 0);
    ACRE_CHECK_EQUAL(acre_segment_create(&s, ACRE_SHM, name, &o), 0);
    sync_expect("rm --force", name, 2, "not an object");
    ACRE_CHECK_EQUAL(acre_segment_close(s), 0);
    ACRE_CHECK_EQUAL(acre_segment_remove(ACRE_SHM, name), 0);
}

/* ---- for programs ---- */

ACRE_TEST(sync_tool, json_is_one_object_a_line)
{
    const char *name = test_name();
    acre_named *n = tool_make(ACRE_KIND_SEMAPHORE, 7, name);
    sync_expect("info --json", name, 0, "\"semaphore\"");
    json_t *j = json_loads(tool_text, 0, NULL);
    ACRE_CHECK(j, "%s", tool_text);
    ACRE_CHECK_EQUAL(json_integer_value(json_object_get(j, "count")), 7);
    ACRE_CHECK_EQUAL(json_integer_value(json_object_get(j, "bytes")), 64 + sizeof(acre_semaphore));
    ACRE_CHECK(!strcmp(json_string_value(json_object_get(j, "mode")), "0640"));
    ACRE_CHECK(json_is_false(json_object_get(j, "held")));
    ACRE_CHECK(json_is_null(json_object_get(j, "owner")));
    json_decref(j);
    sync_expect("ls --json", "", 0, name);
    ACRE_CHECK_EQUAL(acre_named_close(n), 0);
    sync_expect("rm", name, 0, "");
}
