/* SPDX-License-Identifier: MIT */
/* segment_purge.c: `acre segment purge`: give what is free in a segment back to the system. */
#include "cli/cli.h"
#include "cli/segment_tools.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <sys/stat.h>

/* Bytes of memory, or of the disk, that the segment has; its length says nothing of that. */
static uint64_t purge_held(const acre_segment *s)
{
    struct stat st;
    return fstat(acre_segment_fd(s), &st) == 0 ? (uint64_t)st.st_blocks * 512 : 0;
}

static void purge_say_json(const char *name, int error, size_t given, uint64_t before,
                           uint64_t after)
{
    json_t *o = json_pack("{s:o, s:b}", "name", segment_json_text(name), "ok", !error);
    if (error)
        json_object_set_new(o, "error", json_string(acre_strerror(error)));
    else
        json_object_update_new(o, json_pack("{s:I, s:I, s:I}", "given_back", (json_int_t)given,
                                            "held_before", (json_int_t)before, "held_after",
                                            (json_int_t)after));
    segment_print_object(o);
}

static void purge_say(const char *name, int error, size_t given, uint64_t before, uint64_t after)
{
    if (error)
        printf("%s: %s\n", name, acre_strerror(error));
    else
        printf("%s: %zu bytes given back; held %" PRIu64 ", now %" PRIu64 "\n", name, given, before,
               after);
}

/* Of a damaged heap nobody knows what is free. */
static int purge_one(const char *name, acre_segment *s, bool json)
{
    acre_heap *h = acre_segment_heap(s);
    uint64_t before = purge_held(s);
    size_t given = 0;
    int e = acre_heap_check(h, NULL);
    if (!e)
        e = acre_heap_purge(h, 0, &given);
    (json ? purge_say_json : purge_say)(name, e, given, before, purge_held(s));
    return e ? CLI_FAILED : 0;
}

int segment_purge(const segment_args *a, const char *name)
{
    acre_segment *s;
    int e = acre_segment_open(&s, segment_source(name), name, NULL);
    if (e)
        return segment_refuse(name, e);
    e = purge_one(name, s, a->json);
    acre_segment_close(s);
    return e;
}
