/* SPDX-License-Identifier: MIT */
/* support_tool.h: the built `acre` command as a user meets it. */
#ifndef ACRE_TESTS_SUPPORT_TOOL_H
#define ACRE_TESTS_SUPPORT_TOOL_H

#include <jansson.h>

/* Both streams of the last run. */
extern char tool_text[65536];

/* Runs "acre ARGUMENTS" through the shell; its exit status, or -1. */
int tool_run(const char *arguments);

/* Fails unless "acre COMMAND NAME" ends with this status and says this text. */
void tool_expect(const char *command, const char *name, int status, const char *text);

/* The same with status 0; what it says is one JSON object, the caller's.  Standard output only. */
json_t *tool_json(const char *arguments);

#endif
