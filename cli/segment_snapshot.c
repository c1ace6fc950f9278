/* SPDX-License-Identifier: MIT */
/* segment_snapshot.c: `acre segment snapshot`: copy a segment that is in use into a file. */
#include "cli/cli.h"
#include "cli/segment_tools.h"

#include <acre/snapshot.h>
#include <acre/sync.h>
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <sys/stat.h>

/* What a library's error means to whoever typed the command. */
static const char *snapshot_text(int error)
{
    if (error == EBUSY)
        return "a thread uses `sharded` and takes no part (acre_hold_join()); --quiesced if it "
               "does nothing meanwhile";
    if (error == ETIMEDOUT)
        return "somebody who takes part did not come to a hold point in time (--timeout)";
    return acre_strerror(error);
}

static uint64_t snapshot_held(const char *path)
{
    struct stat st;
    return stat(path, &st) == 0 ? (uint64_t)st.st_blocks * 512 : 0;
}

static void snapshot_say_json(const char *name, const char *path, int error, size_t size,
                              uint64_t held)
{
    json_t *o = json_pack("{s:s, s:s, s:b}", "name", name, "file", path, "ok", !error);
    if (error)
        json_object_set_new(o, "error", json_string(snapshot_text(error)));
    else
        json_object_update_new(
            o, json_pack("{s:I, s:I}", "size", (json_int_t)size, "held", (json_int_t)held));
    json_dumpf(o, stdout, JSON_COMPACT);
    putchar('\n');
    json_decref(o);
}

static void snapshot_say(const char *name, const char *path, int error, size_t size, uint64_t held)
{
    if (error)
        printf("%s: %s: %s\n", name, path, snapshot_text(error));
    else
        printf("%s: %zu bytes copied to %s, which holds %" PRIu64 "\n", name, size, path, held);
}

/* What is wrong with the name of the file is a matter of what was typed. */
static bool snapshot_is_misnamed(int error)
{
    return error == EEXIST || error == ENOENT || error == ENOTDIR || error == ENAMETOOLONG ||
           error == ACRE_ENAME;
}

int segment_snapshot_one(const char *name, acre_segment *s, const char *path, double seconds,
                         bool quiesced, bool json)
{
    struct timespec until = acre_deadline((uint64_t)(seconds * 1e9));
    acre_snapshot_options o = {.deadline = seconds > 0 ? &until : NULL,
                               .flags =
                                   ACRE_SNAPSHOT_CHECK | (quiesced ? ACRE_SNAPSHOT_QUIESCED : 0)};
    int e = acre_segment_snapshot(s, path, &o);
    if (snapshot_is_misnamed(e))
        return cli_fail("%s: %s", path, acre_strerror(e));
    (json ? snapshot_say_json : snapshot_say)(name, path, e, acre_segment_size(s),
                                              snapshot_held(path));
    return e ? CLI_FAILED : 0;
}
