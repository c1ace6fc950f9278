/* SPDX-License-Identifier: MIT */
/* What the files of `acre segment` share: one segment as somebody sees it who takes no part. */
#ifndef ACRE_SEGMENT_TOOLS_H
#define ACRE_SEGMENT_TOOLS_H

#include <acre/segment.h>
#include <jansson.h>

#include <stdbool.h>

typedef struct segment_view {
    const char *name;
    const char *source; /* "shm" or "file" */
    int error;          /* acre_strerror()'s; the rest is not known */
    acre_segment_info info;
    const acre_algorithm *algorithm;
    int stats_error; /* the heap cannot be walked; s is not known */
    acre_stats s;
    int parts_error, classes_error; /* ENOTSUP: the algorithm has none */
    int parts, classes;
    acre_part part[ACRE_PARTS];
    acre_class class[ACRE_CLASSES];
} segment_view;

/* "robust", "none", "spin"; "on", "off"; "?": a number that this build does not know. */
const char *segment_lock_name(uint32_t lock);
const char *segment_journal_name(uint32_t journal);

/* Give back what is free in it, and tell; an exit status. */
int segment_purge_one(const char *name, acre_segment *s, bool json);

/* Copy it into that file while others use it, and tell; an exit status. */
int segment_snapshot_one(const char *name, acre_segment *s, const char *path, double seconds, bool quiesced,
                         bool json);

void segment_print_heading(void);
void segment_print_line(const segment_view *v);
void segment_print(const segment_view *v);
void segment_print_json(const segment_view *v);

/* Tables of the parts and classes, as text and into an object; nothing where the algorithm has none. */
void segment_print_parts(const segment_view *v);
void segment_put_parts(json_t *o, const segment_view *v);

#endif
