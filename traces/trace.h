/* SPDX-License-Identifier: MIT */
/* trace.h: reading and writing what programs allocated.
 *
 * A trace is a sequence of operations on numbered objects: no address, no content.  An object's
 * number ("serial") is its place in the order of birth, from 1; 0 stands for NULL.  A realloc
 * consumes one object and gives birth to another, also when the block did not move.
 *
 *     op       1          2          3                  4          5
 *              malloc 24  malloc 64  realloc #1 -> 100  free #2    free #3
 *     object   #1         #2         #3 (was #1)
 *
 * acre_trace_open() recognises the format by content: archives (.acr, byte by byte in README.md),
 * malloclab's .rep, and the raw files of the recorder.  What comes out has been checked: births are
 * in order, only live objects are freed, and the totals are those that acre_trace_info_of() gave.
 *
 * Memory: bounded by one chunk of 65,536 operations and the number of *live* objects.
 * Threads: a trace or a writer belongs to one thread at a time.
 * Errors: 0 or 1 as documented, positive errno, or a negative ACRE_ETRACE_*; if `e` is not NULL it
 * gets the same code, the byte offset, and one ready line "FILE: what at offset N" (without
 * the offset for errno values). */
#ifndef ACRE_TRACES_TRACE_H
#define ACRE_TRACES_TRACE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

enum acre_trace_kind {
    ACRE_TRACE_MALLOC = 0,
    ACRE_TRACE_CALLOC = 1,
    ACRE_TRACE_REALLOC = 2,
    ACRE_TRACE_FREE = 3,
    ACRE_TRACE_ALIGNED = 5,
    ACRE_TRACE_EXT = 7       /* not an operation of the heap: see enum acre_trace_ext */
};

/* acre_trace_op.flags of every kind but EXT. */
enum { ACRE_TRACE_CXX = 1 }; /* came from operator new or operator delete */

/* acre_trace_op.flags of kind EXT; the value is in acre_trace_op.size. */
enum acre_trace_ext {
    ACRE_TRACE_EXT_THREAD_START = 1, /* thread index */
    ACRE_TRACE_EXT_THREAD_EXIT = 2,  /* thread index */
    ACRE_TRACE_EXT_FAILED = 3,       /* bytes that the program asked for and did not get */
    ACRE_TRACE_EXT_UNKNOWN_FREE = 4  /* 0: an address was freed whose birth was not seen */
};

enum {
    ACRE_ETRACE_FORMAT = -201,  /* no trace that acre knows */
    ACRE_ETRACE_VERSION = -202, /* written by a version that this one cannot read */
    ACRE_ETRACE_CORRUPT = -203, /* damaged, truncated or contradicting itself */
    ACRE_ETRACE_IO = -204,      /* reading failed; errno is in the text */
    ACRE_ETRACE_NOMEM = -205,
    ACRE_ETRACE_INVALID = -206  /* the caller offers an impossible operation to a writer */
};

typedef struct acre_trace_op {
    uint64_t serial; /* object born (malloc, calloc, aligned, realloc) or freed; 0 = NULL */
    uint64_t old;    /* realloc: the object it consumes, 0 = NULL */
    uint64_t size;   /* bytes asked (calloc: the product) */
    uint64_t time;   /* ns since the start of the recording, 0 if the trace has none */
    uint32_t tid;    /* small thread index, 0 = first */
    uint8_t kind;    /* enum acre_trace_kind */
    uint8_t align_log2; /* aligned: log2 of the alignment */
    uint16_t flags;  /* ACRE_TRACE_CXX; kind EXT: enum acre_trace_ext */
} acre_trace_op;

typedef struct acre_trace_error {
    int code;
    uint64_t offset; /* bytes from the start of the file */
    char text[256];
} acre_trace_error;

typedef struct acre_trace_meta {
    const char *key, *value;
} acre_trace_meta;

typedef struct acre_trace_info {
    const char *format; /* "acr", "rep", "raw" */
    uint64_t n_ops;     /* what acre_trace_next() will deliver, EXT included */
    uint64_t n_objects; /* births = greatest serial */
    uint64_t peak_live_bytes;
    uint64_t peak_live_objects;
    uint64_t file_bytes;
    uint64_t ticks_per_s;   /* resolution of time stamps, 0 = the trace has no times */
    uint64_t wall_start_ns; /* since the epoch, 0 = unknown */
    uint32_t n_threads;
    bool unfinished;        /* an archive whose writer died: read as far as it goes */
    size_t n_meta;
    const acre_trace_meta *meta;
} acre_trace_info;

/* ---- Reading ------------------------------------------------------------------------------ */

typedef struct acre_trace acre_trace;

/* Opens `path`.  0, or an error; *out is unchanged then. */
int acre_trace_open(acre_trace **out, const char *path, acre_trace_error *e);

/* 1 = *op is the next operation, 0 = end, negative = ACRE_ETRACE_*.  After an error the trace can
 * only be closed or rewound. */
int acre_trace_next(acre_trace *t, acre_trace_op *op, acre_trace_error *e);

/* Valid until the trace is closed. */
const acre_trace_info *acre_trace_info_of(const acre_trace *t);

/* The value of a META key, or NULL. */
const char *acre_trace_meta_get(const acre_trace_info *info, const char *key);

/* Back to the first operation. */
int acre_trace_rewind(acre_trace *t, acre_trace_error *e);

/* The next operation delivered will be number `op_index` (from 0).  Finished archives only
 * (ACRE_ETRACE_INVALID else).  Until the next rewind the reader cannot know which objects are
 * live, so only the bounds of serials are checked. */
int acre_trace_seek(acre_trace *t, uint64_t op_index, acre_trace_error *e);

void acre_trace_close(acre_trace *t);

/* ---- Writing an archive ------------------------------------------------------------------- */

typedef struct acre_trace_writer acre_trace_writer;

typedef struct acre_trace_options {
    uint64_t ticks_per_s;   /* resolution of stored times; 0 = store none */
    uint64_t wall_start_ns; /* 0 = unknown */
    int level;              /* of zstd, 1..19; 0 = 12, five times faster than 19 and 5 % larger */
} acre_trace_options;

/* Writes to "PATH.part", which becomes PATH in acre_trace_writer_finish(): nobody meets a half
 * archive under its name, and an existing file stays until then.  `options` may be NULL. */
int acre_trace_writer_create(acre_trace_writer **out, const char *path,
                             const acre_trace_options *options, acre_trace_error *e);

/* Adds "key=value" to META.  Both are copied; a key has no '=' and neither has a newline. */
int acre_trace_writer_meta(acre_trace_writer *w, const char *key, const char *value);

/* Appends one operation.  ACRE_ETRACE_INVALID if it is impossible: a birth whose serial is not the
 * next one, the end of an object that is not live, time or kind out of range. */
int acre_trace_writer_add(acre_trace_writer *w, const acre_trace_op *op, acre_trace_error *e);

/* Completes the archive, syncs nothing, and destroys the writer, also on failure (then PATH.part
 * is left as it is: an unfinished archive that can be read). */
int acre_trace_writer_finish(acre_trace_writer *w, acre_trace_error *e);

/* Destroys the writer and removes PATH.part. */
void acre_trace_writer_abort(acre_trace_writer *w);

/* ---- Whole files -------------------------------------------------------------------------- */

/* Appends every operation and META of `t` (from where it stands) to `w`. */
int acre_trace_copy(acre_trace *t, acre_trace_writer *w, acre_trace_error *e);

typedef struct acre_trace_rep_loss {
    uint64_t calloc, aligned, cxx, ext; /* what .rep says as plain operations, or not at all */
} acre_trace_rep_loss;

/* Writes `t`, which is rewound first, to `path` as malloclab .rep ("-" = standard output).
 * `loss` (may be NULL) says what the format could not express. */
int acre_trace_export_rep(acre_trace *t, const char *path, acre_trace_rep_loss *loss,
                          acre_trace_error *e);

#ifdef __cplusplus
}
#endif
#endif
