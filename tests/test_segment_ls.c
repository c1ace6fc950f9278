/* SPDX-License-Identifier: MIT */
/* `acre segment ls` and `rm`: who has a segment mapped, what has no name, and that nothing goes that lives. */
#include "tests/support_heap.h"
#include "tests/support_tool.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static acre_segment *ls_make(enum acre_source source, const char *name)
{
    acre_segment_options o = {.size = 1 << 20, .capacity = 4 << 20};
    acre_segment *s;
    ACRE_CHECK_EQUAL(acre_segment_create(&s, source, name, &o), 0);
    ACRE_CHECK(acre_alloc(acre_segment_heap(s), 300000));
    return s;
}

/* The line of `ls --json` that has this text; the caller's. */
static json_t *ls_find(const char *arguments, const char *text)
{
    char line[600];
    snprintf(line, sizeof line, "segment ls --json %s | grep -F '%s'", arguments, text);
    return tool_json(line);
}

static const char *ls_text(const json_t *o, const char *key)
{
    const char *text = json_string_value(json_object_get(o, key));
    return text ? text : "";
}

static bool ls_is_attached(const json_t *o, pid_t pid)
{
    size_t i;
    json_t *value, *all = json_object_get(o, "attached");
    json_array_foreach(all, i, value) if (json_integer_value(value) == pid) return true;
    return false;
}

ACRE_TEST(segment_ls, who_has_it_mapped)
{
    const char *name = test_name();
    acre_segment *s = ls_make(ACRE_SHM, name);
    json_t *o = ls_find("", name);
    ACRE_CHECK(ls_is_attached(o, getpid()), "%s", tool_text);
    ACRE_CHECK(!strcmp(ls_text(o, "state"), "live"));
    ACRE_CHECK_EQUAL(json_integer_value(json_object_get(o, "size")), 1 << 20);
    json_int_t used = json_integer_value(json_object_get(o, "used"));
    ACRE_CHECK(used >= 300000 && used < 301000, "%s", tool_text);
    json_decref(o);
    ACRE_CHECK_EQUAL(acre_segment_close(s), 0);
    o = ls_find("", name);
    ACRE_CHECK(!strcmp(ls_text(o, "state"), "stale"), "%s", tool_text);
    ACRE_CHECK_EQUAL(json_array_size(json_object_get(o, "attached")), 0);
    json_decref(o);
    tool_expect("segment info", name, 0, "stale, 0 s old");
    ACRE_CHECK_EQUAL(acre_segment_remove(ACRE_SHM, name), 0);
}

/* A memfd, and a file whose name is gone, are found through the process that has them. */
ACRE_TEST(segment_ls, what_has_no_name)
{
    char memfd[64];
    struct stat st;
    const char *name = test_name();
    acre_segment *m = ls_make(ACRE_MEMFD, NULL), *s = ls_make(ACRE_SHM, name);
    ACRE_CHECK_EQUAL(acre_segment_remove(ACRE_SHM, name), 0);
    ACRE_CHECK_EQUAL(fstat(acre_segment_fd(m), &st), 0);
    snprintf(memfd, sizeof memfd, "(memfd %lu)", (unsigned long)st.st_ino);
    json_t *o = ls_find("", memfd);
    ACRE_CHECK(ls_is_attached(o, getpid()) && !strcmp(ls_text(o, "source"), "memfd"), "%s",
               tool_text);
    json_decref(o);
    char pid[40];
    snprintf(pid, sizeof pid, "[%d]", (int)getpid());
    ACRE_CHECK_EQUAL(tool_run("segment ls --json | grep '\"deleted\"'"), 0);
    ACRE_CHECK(strstr(tool_text, pid), "%s", tool_text);
    ACRE_CHECK_EQUAL(acre_segment_close(m), 0);
    ACRE_CHECK_EQUAL(acre_segment_close(s), 0);
}

/* What was made without a name and got one is there once. */
ACRE_TEST(segment_ls, each_is_there_once)
{
    const char *name = test_name();
    char line[400];
    acre_segment *s = ls_make(ACRE_SHM, name);
    snprintf(line, sizeof line, "segment ls --json | grep -c '\\[%d\\]'", (int)getpid());
    ACRE_CHECK_EQUAL(tool_run(line), 0);
    ACRE_CHECK_EQUAL(atoi(tool_text), 1);
    ACRE_CHECK_EQUAL(acre_segment_close(s), 0);
    ACRE_CHECK_EQUAL(acre_segment_remove(ACRE_SHM, name), 0);
}

ACRE_TEST(segment_ls, folders_with_files)
{
    char dir[300], one[400], two[400], other[400];
    snprintf(dir, sizeof dir, "/tmp/acre-%s", test_name());
    snprintf(one, sizeof one, "%s/one", dir);
    snprintf(two, sizeof two, "%s/two", dir);
    snprintf(other, sizeof other, "%s/other", dir);
    ACRE_CHECK_EQUAL(mkdir(dir, 0700), 0);
    FILE *f = fopen(other, "w");
    ACRE_CHECK(f && fputs("no segment", f) >= 0 && fclose(f) == 0);
    acre_segment_options o = {.size = 3 << 20};
    acre_segment *s;
    ACRE_CHECK_EQUAL(acre_segment_close(ls_make(ACRE_FILE, one)), 0);
    ACRE_CHECK_EQUAL(acre_segment_create(&s, ACRE_FILE, two, &o), 0);
    ACRE_CHECK_EQUAL(acre_segment_close(s), 0);
    tool_expect("segment ls", dir, 0, "one");
    ACRE_CHECK(!strstr(tool_text, "other") && strstr(tool_text, "/one") < strstr(tool_text, "/two"),
               "%s", tool_text);
    tool_expect("segment ls --sort size", dir, 0, "3M");
    ACRE_CHECK(strstr(tool_text, "/two") < strstr(tool_text, "/one"), "%s", tool_text);
    tool_expect("segment ls --sort nosuch", dir, 2, "no such order");
    ACRE_CHECK(truncate(one, 5000) == 0);
    tool_expect("segment ls", dir, 0, "damaged: file is shorter than its header says");
    ACRE_CHECK(unlink(one) == 0 && unlink(two) == 0 && unlink(other) == 0 && rmdir(dir) == 0);
}

/* ---- rm ---- */

ACRE_TEST(segment_rm, what_lives_stays)
{
    const char *name = test_name();
    char pid[20];
    acre_segment *s = ls_make(ACRE_SHM, name);
    snprintf(pid, sizeof pid, "%d", (int)getpid());
    tool_expect("segment rm", name, 1, pid);
    tool_expect("segment rm", name, 1, "in use by process");
    tool_expect("segment info", name, 0, pid);
    tool_expect("segment rm --force --dry-run", name, 0, "would be removed");
    tool_expect("segment rm --force", name, 0, "");
    tool_expect("segment info", name, 2, "No such file");
    ACRE_CHECK_EQUAL(acre_heap_check(acre_segment_heap(s), NULL), 0);
    ACRE_CHECK_EQUAL(acre_segment_close(s), 0);
}

ACRE_TEST(segment_rm, several_names_and_the_worst_status)
{
    char names[400], one[200];
    const char *name = test_name();
    snprintf(one, sizeof one, "%s.1", name);
    acre_segment *s = ls_make(ACRE_SHM, name);
    ACRE_CHECK_EQUAL(acre_segment_close(ls_make(ACRE_SHM, one)), 0);
    snprintf(names, sizeof names, "%s %s", name, one);
    tool_expect("segment rm", names, 1, "in use by");
    tool_expect("segment info", one, 2, "No such file");
    ACRE_CHECK_EQUAL(acre_segment_close(s), 0);
    tool_expect("segment rm", names, 2, "No such file");
    tool_expect("segment info", name, 2, "No such file");
}

/* In a /dev/shm of its own: others' tests leave things there for a moment. */
ACRE_TEST(segment_rm, all_that_is_stale_goes)
{
    char exe[4096], line[9000];
    ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
    exe[n > 0 ? n : 0] = '\0';
    *strrchr(exe, '/') = '\0';
    if (system("unshare -m mount -t tmpfs none /dev/shm 2>/dev/null") != 0)
        acre_test_skip("no file system may be mounted here");
    const char *name = test_name();
    acre_segment *s = ls_make(ACRE_SHM, name);
    snprintf(line, sizeof line,
             "segment ls >/dev/null; unshare -m sh -c '"
             "cp /dev/shm/acre.%s /tmp/%s.img && mount -t tmpfs none /dev/shm &&"
             "cp /tmp/%s.img /dev/shm/acre.a && cp /tmp/%s.img /dev/shm/acre.b && echo x "
             ">/dev/shm/acre.lock &&"
             "%s/../acre segment rm --stale --dry-run && ls /dev/shm && %s/../acre segment rm "
             "--stale; ls /dev/shm;"
             "rm /tmp/%s.img'",
             name, name, name, name, exe, exe, name);
    ACRE_CHECK(tool_run(line) == 0, "%s", tool_text);
    ACRE_CHECK(!strcmp(tool_text, "a: stale, 1M, would be removed\nb: stale, 1M, would be removed\n"
                                  "acre.a\nacre.b\nacre.lock\n"
                                  "a: stale, 1M, removed\nb: stale, 1M, removed\nacre.lock\n"),
               "%s", tool_text);
    ACRE_CHECK_EQUAL(acre_segment_close(s), 0);
    ACRE_CHECK_EQUAL(acre_segment_remove(ACRE_SHM, name), 0);
}
