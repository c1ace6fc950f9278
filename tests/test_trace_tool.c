/* SPDX-License-Identifier: MIT */
/* `acre trace` as a user meets it: exit status, messages, files. */
#include "tests/acre_test.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
#define UNDER_SANITIZER 1
#elif defined __has_feature
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define UNDER_SANITIZER 1
#endif
#endif
#ifndef UNDER_SANITIZER
#define UNDER_SANITIZER 0
#endif

static char tool_dir[64], tool_text[65536];

/* The folder of the built program. */
static void tool_begin(void)
{
    char exe[4096];
    ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
    exe[n > 0 ? n : 0] = '\0';
    *strrchr(exe, '/') = '\0';
    strcat(exe, "/../acre");
    ACRE_CHECK(access(exe, X_OK) == 0, "%s", exe);
    setenv("ACRE", exe, 1);
    snprintf(tool_dir, sizeof tool_dir, "/tmp/acre-test-tool-XXXXXX");
    ACRE_CHECK(mkdtemp(tool_dir) != NULL);
    setenv("D", tool_dir, 1);
}

static void tool_end(void)
{
    ACRE_CHECK(system("rm -rf \"$D\"") == 0);
}

/* Runs a shell command; its output, both streams, goes to tool_text.  Returns the exit status. */
static int tool_run(const char *command)
{
    char line[1024];
    snprintf(line, sizeof line, "{ %s; } 2>&1", command);
    FILE *f = popen(line, "r");
    ACRE_CHECK(f != NULL);
    size_t n = fread(tool_text, 1, sizeof tool_text - 1, f);
    tool_text[n] = '\0';
    int status = pclose(f);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static void tool_expect(const char *command, int status, const char *text)
{
    int got = tool_run(command);
    ACRE_CHECK(got == status && strstr(tool_text, text), "%s: %d, %s", command, got, tool_text);
}

ACRE_TEST(trace_tool, bad_usage_and_bad_files_end_with_2)
{
    tool_begin();
    tool_expect("$ACRE trace", 2, "Usage");
    tool_expect("$ACRE trace nosuch", 2, "unknown command");
    tool_expect("$ACRE trace info", 2, "which FILE");
    tool_expect("$ACRE trace info --nosuch x", 2, "nosuch");
    tool_expect("$ACRE trace info /etc/passwd", 2, "/etc/passwd: not a trace");
    tool_expect("$ACRE trace info /nonexistent", 2, "No such file");
    tool_expect("$ACRE trace import tests/data/golden.rep", 2, "where to?");
    tool_expect("$ACRE trace import tests/data/golden.rep -o /nonexistent/a.acr", 2, "No such");
    tool_expect("$ACRE trace import --tick x tests/data/golden.rep -o $D/a", 2, "--tick");
    tool_expect("$ACRE trace export -f nosuch tests/data/golden.acr", 2, "unknown format");
    tool_expect("$ACRE trace cut --from 8 tests/data/golden.acr -o $D/a", 2, "no operations");
    tool_expect("$ACRE trace record", 2, "which command");
    tool_expect("$ACRE trace record -- /nonexistent/program", 2, "no such program");
    tool_expect("head -c 200 tests/data/golden.acr > $D/t.acr; $ACRE trace info $D/t.acr", 2,
                "t.acr: INDEX lies outside the file (truncated?) at offset 56");
    tool_expect("cp $D/t.acr $D/u.acr; $ACRE trace import $D/u.acr -o $D/u.acr", 2, "input itself");
    tool_end();
}

ACRE_TEST(trace_tool, import_and_export_are_inverse)
{
    tool_begin();
    tool_expect("$ACRE trace import tests/data/golden.rep -o $D/a.acr", 0, "8 operations");
    tool_expect("$ACRE trace export $D/a.acr -o $D/a.rep", 0, "");
    tool_expect("$ACRE trace import $D/a.rep -o $D/b.acr", 0,
                "8 operations, 5 objects, peak 100072 bytes in 3 objects");
    tool_expect("$ACRE trace export $D/b.acr | cmp - $D/a.rep && echo same", 0, "same");
    tool_expect("$ACRE trace info --json $D/a.acr", 0, "\"ops\":8");
    tool_end();
}

ACRE_TEST(trace_tool, cut_begins_with_what_was_live)
{
    tool_begin();
    /* Operations 4..8 of golden.rep; objects 2, 3 and 4 live before them. */
    tool_expect("$ACRE trace cut --from 4 tests/data/golden.acr -o $D/c.acr", 0, "7 operations");
    tool_expect("$ACRE trace info $D/c.acr", 0, "cut.live_before = 3");
    tool_expect("$ACRE trace export $D/c.acr", 0,
                "a 0 100000\na 1 48\na 2 24\nf 0\nf -1\nf 1\nr 2 30\n");
    tool_end();
}

ACRE_TEST(trace_tool, record_follows_children_and_survives_kills)
{
    tool_begin();
    if (UNDER_SANITIZER)
        acre_test_skip("a sanitizer's runtime must be the first library");
    tool_expect("$ACRE trace record -o $D/out -- sh -c '/bin/ls / >/dev/null; exit 3'", 0,
                "exit status 3");
    ACRE_CHECK(strstr(tool_text, "/ls."), "%s", tool_text);
    tool_expect("ls $D/out | grep -c 'recording'", 1, "0"); /* raw files are gone */
    tool_expect("$ACRE trace info $D/out/ls.*.acr", 0, "command = /bin/ls /");
    tool_expect("$ACRE trace record -o $D/out -- sh -c 'kill -9 $$'", 0, "signal 9");
    tool_end();
}

ACRE_TEST(trace_tool, every_bundled_trace_is_sound)
{
    tool_begin();
    tool_expect("n=0; for f in traces/*.acr; do $ACRE trace info $f >/dev/null || exit 1; "
                "n=$((n + 1)); done; [ $n -ge 11 ] && echo all sound", 0, "all sound");
    tool_end();
}

/* A program that is also among the bundled ones would have been tuned on. */
ACRE_TEST(trace_tool, held_out_traces_are_sound_long_and_of_other_programs)
{
    tool_begin();
    tool_expect("n=0; for f in traces/held-out/*.acr; do b=traces/${f##*/}; [ ! -e $b ] || exit 1; "
                "$ACRE trace info --json $f | grep -qE '\"ops\":([2-9][0-9]{5}|[0-9]{7,}),' || exit 1; "
                "n=$((n + 1)); done; [ $n -ge 3 ] && echo held out", 0, "held out");
    tool_end();
}
