/* SPDX-License-Identifier: MIT */
/* What the files of `acre segment` share: one segment as somebody sees it who takes no part. */
#ifndef ACRE_SEGMENT_TOOLS_H
#define ACRE_SEGMENT_TOOLS_H

#include <acre/segment.h>
#include <jansson.h>

#include <stdbool.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/types.h>

/* What the command line said. */
typedef struct segment_args {
    char **names;
    int n;
    bool json, all, force, stale, dry_run, quiesced;
    double seconds;    /* a snapshot waits, at most; 0: for ever */
    const char *out;   /* map: a file for the picture */
    const char *sort;  /* ls */
    const char *block; /* dump: of which block */
    int width, color;  /* map: columns, 0: the terminal's; -1 never, 0 a terminal decides, 1 always */
} segment_args;

/* ---- segment_open.c: which one ---- */

/* What has a slash is a file; so is what is no name in shared memory but a file of this folder. */
enum acre_source segment_source(const char *name);

/* Where it is in the file system. */
void segment_path(const char *name, char path[4096]);

/* Read-only, whoever's it is; no lock is taken. */
int segment_open_to_look(acre_segment **s, const char *name);

/* Tell why it cannot be opened; an exit status. */
int segment_refuse(const char *name, int error);

/* ---- segment_attached.c: who has it mapped ---- */

/* A shared mapping of a process. */
typedef struct segment_mapping {
    dev_t dev;
    ino_t ino;
    pid_t pid;
    bool nameless;  /* a memfd, anonymous memory, or a file that was deleted */
    char range[40]; /* as in /proc/PID/map_files */
    char *path;     /* as /proc/PID/maps has it */
} segment_mapping;

typedef struct segment_mappings {
    segment_mapping *all; /* by device, inode, process; each once */
    size_t n, room;
    int unread; /* processes of others that could not be asked */
} segment_mappings;

enum { SEGMENT_PIDS = 64 };

/* Who has one segment mapped, this process left out. */
typedef struct segment_attached {
    size_t n; /* of pid[] the first SEGMENT_PIDS are there */
    pid_t pid[SEGMENT_PIDS];
    int unread; /* processes that its mode lets in, and that could not be asked */
} segment_attached;

/* Ask all processes; 0 or errno.  Free in any case. */
int segment_mappings_read(segment_mappings *m);
void segment_mappings_free(segment_mappings *m);

void segment_attached_to(const segment_mappings *m, const struct stat *st, segment_attached *a);

/* "stale": nobody has it mapped; "live"; "unknown": somebody might who cannot be asked. */
const char *segment_life(const segment_attached *a);

/* "1, 2, 3", shortened to what has room; "-" if nobody has. */
void segment_pids(const segment_attached *a, char *text, size_t room);

/* A descriptor of what has no name, from a process that has it; -1: it cannot be had. */
int segment_nameless_open(const segment_mapping *m);

/* Copy it into a new file, and tell; an exit status. */
int segment_snapshot_one(const char *name, acre_segment *s, const char *path, double seconds, bool quiesced,
                         bool json);

/* ---- showing ---- */

typedef struct segment_view {
    const char *name;
    const char *source; /* "shm", "file"; ls: also "memfd", "deleted", "anon" */
    int error;          /* acre_strerror()'s; the rest is not known */
    acre_segment_info info;
    const acre_algorithm *algorithm;
    int stats_error; /* the heap cannot be walked; s is not known */
    acre_stats s;
    int parts_error, classes_error; /* ENOTSUP: the algorithm has none */
    int parts, classes;
    acre_part part[ACRE_PARTS];
    acre_class class[ACRE_CLASSES];
    int64_t created;           /* seconds since 1970; 0: not known */
    segment_attached attached; /* if created is known */
} segment_view;

/* Facts and statistics. */
void segment_look(acre_segment *s, segment_view *v);

/* When the file was made, and who has it mapped. */
void segment_look_around(const segment_mappings *m, int fd, segment_view *v);

/* "robust", "none", "spin"; "on", "off"; "?": a number that this build does not know. */
const char *segment_lock_name(uint32_t lock);
const char *segment_journal_name(uint32_t journal);

/* "512", "12.5K", "3.0M". */
typedef struct segment_text {
    char text[24];
} segment_text;
segment_text segment_human(uint64_t bytes);
segment_text segment_age(int64_t created);

/* A JSON string also of what is not UTF-8. */
json_t *segment_json_text(const char *text);
void segment_put(json_t *o, const char *key, uint64_t value);
void segment_print_object(json_t *o); /* on a line; takes it */

void segment_print(const segment_view *v);
json_t *segment_json(const segment_view *v);
void segment_print_json(const segment_view *v);

/* Bytes of the region in live blocks, headers included. */
uint64_t segment_used(const segment_view *v);

/* Tables of the parts and classes, as text and into an object; nothing where the algorithm has none. */
void segment_print_parts(const segment_view *v);
void segment_put_parts(json_t *o, const segment_view *v);

/* ---- commands, each with an exit status ---- */

int segment_ls(const segment_args *a);
int segment_info(const segment_args *a, const char *name);
int segment_check(const segment_args *a, const char *name);
int segment_recover(const segment_args *a, const char *name);
int segment_purge(const segment_args *a, const char *name);
int segment_draw(const segment_args *a, const char *name);
int segment_list_names(const segment_args *a, const char *name);
int segment_dump(const segment_args *a);
int segment_rm(const segment_args *a);

#endif
