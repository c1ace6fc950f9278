/* SPDX-License-Identifier: MIT */
/* internal.h: what the files of traces/ share. */
#ifndef ACRE_TRACES_INTERNAL_H
#define ACRE_TRACES_INTERNAL_H

#include <stdarg.h>

#include "traces/trace.h"

/* Fills *e (if not NULL) with "FILE: what at offset N" and returns `code`. */
int acre__trace_fail(acre_trace_error *e, int code, const char *path, uint64_t offset,
                     const char *what, ...) __attribute__((format(printf, 5, 6)));

/* ---- Sources: one for each format ---------------------------------------------------------- */

/* A source delivers the operations of one file.  It checks what its format can check; that births
 * are in order and only live objects end is checked once for all formats in trace_open.c. */
typedef struct acre__trace_source acre__trace_source;
struct acre__trace_source {
    int (*next)(void *self, acre_trace_op *op, acre_trace_error *e); /* as acre_trace_next */
    int (*rewind)(void *self, acre_trace_error *e);
    int (*seek)(void *self, uint64_t op_index, acre_trace_error *e); /* NULL: cannot */
    uint64_t (*where)(const void *self); /* offset to name in errors */
    void (*close)(void *self);
};

/* Recognisers look at the first bytes of a file. */
bool acre__archive_matches(const unsigned char *head, size_t n);
bool acre__rep_matches(const unsigned char *head, size_t n);
bool acre__raw_matches(const unsigned char *head, size_t n);

/* Openers take the descriptor over when they succeed.  They fill what they know of *info;
 * *known = false asks the caller to count operations and objects by reading once. */
struct acre__meta;
typedef int acre__trace_opener(void **self, const acre__trace_source **source, int fd,
                               const char *path, acre_trace_info *info, struct acre__meta *meta,
                               bool *known, acre_trace_error *e);
acre__trace_opener acre__archive_open, acre__rep_open, acre__raw_open;

/* Reads exactly n bytes at `offset`: 0, ACRE_ETRACE_IO, or ACRE_ETRACE_CORRUPT (too short). */
int acre__trace_pread(int fd, void *buf, size_t n, uint64_t offset, const char *path,
                      acre_trace_error *e);

/* ---- META: key=value lines ----------------------------------------------------------------- */

typedef struct acre__meta {
    acre_trace_meta *items; /* both strings of an item are one allocation, key first */
    size_t n, room;
} acre__meta;

/* Adds or replaces: 0, EINVAL, ENOMEM. */
int acre__meta_set(acre__meta *m, const char *key, const char *value);
int acre__meta_set_count(acre__meta *m, const char *key, uint64_t value); /* nothing if 0 */
int acre__meta_parse(acre__meta *m, const char *text, size_t n);       /* 0, EINVAL, ENOMEM */
const char *acre__meta_get(const acre__meta *m, const char *key);
void acre__meta_clear(acre__meta *m);

/* ---- Growing byte buffer ------------------------------------------------------------------- */

typedef struct acre__bytes {
    unsigned char *data;
    size_t n, room;
} acre__bytes;

int acre__bytes_reserve(acre__bytes *b, size_t more); /* 0, ENOMEM */
int acre__bytes_add(acre__bytes *b, const void *data, size_t n);
int acre__bytes_varint(acre__bytes *b, uint64_t value);
void acre__bytes_clear(acre__bytes *b);

#endif
