/* SPDX-License-Identifier: MIT */
/* snapshot.h: what the files of snapshots share. */
#ifndef ACRE_SEGMENT_SNAPSHOT_H
#define ACRE_SEGMENT_SNAPSHOT_H

#include <acre/snapshot.h>

/* The segment's bytes, of which nobody changes any, into an empty file. */
int acre__snapshot_copy(int to, const acre_segment *s, const acre_snapshot_options *o);

/* n bytes at that place of a file. */
int acre__snapshot_put(int fd, const void *data, size_t n, uint64_t at);

#endif
