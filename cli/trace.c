/* SPDX-License-Identifier: MIT */
/* acre trace: record what programs allocate, look at it, convert it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/trace_tools.h"

static const struct {
    const char *name;
    int (*run)(int argc, char **argv);
    const char *summary;
} trace_tools[] = {
    {"record", cmd_trace_record, "run a program and record what it allocates"},
    {"info", cmd_trace_info, "show what is in traces"},
    {"import", cmd_trace_import, "convert a trace of another format to an archive"},
    {"export", cmd_trace_export, "convert a trace to another format"},
    {"cut", cmd_trace_cut, "take a range of operations out of a trace"},
};

enum { TRACE_TOOLS = sizeof trace_tools / sizeof *trace_tools };

static int trace_usage(FILE *out)
{
    fputs("Usage: acre trace COMMAND …\n\n", out);
    for (size_t i = 0; i < TRACE_TOOLS; i++)
        fprintf(out, "  %-8s %s\n", trace_tools[i].name, trace_tools[i].summary);
    fputs("\n\"acre trace COMMAND --help\" tells more.\n", out);
    return out == stdout ? 0 : CLI_USAGE;
}

int cmd_trace(int argc, char **argv)
{
    if (argc < 2)
        return trace_usage(stderr);
    if (strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-?") == 0)
        return trace_usage(stdout);
    for (size_t i = 0; i < TRACE_TOOLS; i++)
        if (strcmp(argv[1], trace_tools[i].name) == 0) {
            char name[64];
            snprintf(name, sizeof name, "acre trace %s", trace_tools[i].name);
            argv[1] = name; /* what --help and errors call the program */
            return trace_tools[i].run(argc - 1, argv + 1);
        }
    return cli_fail("trace: unknown command \"%s\" (record, info, import, export, cut)", argv[1]);
}

bool trace_parse_number(const char *text, uint64_t *value)
{
    char *end;
    if (*text < '0' || *text > '9')
        return false;
    *value = strtoull(text, &end, 10);
    uint64_t unit = *end == 'k' ? 1000 : *end == 'M' ? 1000000 : *end == 'G' ? 1000000000 : 1;
    end += unit > 1;
    return *end == '\0' && !__builtin_mul_overflow(*value, unit, value);
}

const char *trace_parse_writing(int key, const char *arg, trace_writing *how)
{
    if (key == 't' && (!trace_parse_number(arg, &how->tick_ns) || how->tick_ns > 1000000000))
        return "--tick: not nanoseconds up to 1G";
    if (key == 'l' && (!trace_parse_number(arg, &how->level) || how->level < 1 || how->level > 19))
        return "--level: not 1 to 19";
    return NULL;
}
