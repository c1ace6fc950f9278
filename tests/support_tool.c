/* SPDX-License-Identifier: MIT */
/* support_tool.c: running the command that was built beside this test. */
#include "tests/support_tool.h"

#include "tests/acre_test.h"

#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

char tool_text[65536];

static int tool_run_into(const char *arguments, const char *streams)
{
    char line[8192], exe[4096];
    ssize_t length = readlink("/proc/self/exe", exe, sizeof exe - 1);
    exe[length > 0 ? length : 0] = '\0';
    *strrchr(exe, '/') = '\0';
    snprintf(line, sizeof line, "%s/../acre %s %s", exe, arguments, streams);
    FILE *f = popen(line, "r");
    ACRE_CHECK(f != NULL);
    size_t n = fread(tool_text, 1, sizeof tool_text - 1, f);
    tool_text[n] = '\0';
    int status = pclose(f);
    return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int tool_run(const char *arguments)
{
    return tool_run_into(arguments, "2>&1");
}

void tool_expect(const char *command, const char *name, int status, const char *text)
{
    char arguments[4096];
    snprintf(arguments, sizeof arguments, "%s %s", command, name);
    int got = tool_run(arguments);
    ACRE_CHECK(got == status && strstr(tool_text, text), "%s: %d, %s", arguments, got, tool_text);
}

json_t *tool_json(const char *arguments)
{
    int status = tool_run_into(arguments, "");
    json_t *j = json_loads(tool_text, 0, NULL);
    ACRE_CHECK(status == 0 && j, "%s: %d, %s", arguments, status, tool_text);
    return j;
}
