/* SPDX-License-Identifier: MIT */
/* segment_open.c: which segment is meant, and opening it so that nobody notices. */
#include "cli/cli.h"
#include "cli/segment_tools.h"

#include "sync/file.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

enum acre_source segment_source(const char *name)
{
    char shared[300];
    snprintf(shared, sizeof shared, ACRE__SHM_DIR "/" ACRE__SHM_PREFIX "%.200s", name);
    bool file = strchr(name, '/') || (access(shared, F_OK) != 0 && access(name, F_OK) == 0);
    return file ? ACRE_FILE : ACRE_SHM;
}

void segment_path(const char *name, char path[4096])
{
    bool file = segment_source(name) == ACRE_FILE;
    snprintf(path, 4096, "%s%.4000s", file ? "" : ACRE__SHM_DIR "/" ACRE__SHM_PREFIX, name);
}

int segment_open_to_look(acre_segment **s, const char *name)
{
    static const acre_segment_options look = {.read_only = true, .any_owner = true};
    return acre_segment_open(s, segment_source(name), name, &look);
}

int segment_refuse(const char *name, int error)
{
    return cli_fail("%s: %s", name, acre_strerror(error));
}
