/* SPDX-License-Identifier: MIT */
/* codec.h: operations as tag bytes, the OPS column of an archive.
 *
 *     bit  7     6 5 4 3    2 1 0
 *         +-----+----------+-------+
 *         | C++ |   arg    | code  |  arguments follow as LEB128 integers
 *         +-----+----------+-------+
 *
 *     code 0 malloc, 1 calloc, 2 realloc, 5 aligned
 *          arg 0..14 index in a move-to-front list of 15 sizes; 15: one follows, put in front.
 *          realloc: then new serial - old serial (0 = there was no old object);
 *          aligned: then one byte, log2 of the alignment
 *     code 3 free, arg 0..14 age (newest serial - serial); 15 an age follows, 0 meaning free(NULL)
 *     code 4 free, zigzag(serial - serial freed before): arg 0..14, or 15 and the excess over 15
 *     code 7 ext, arg is enum acre_trace_ext, a value follows
 *
 * A codec starts anew in each chunk, so chunks can be read alone. */
#ifndef ACRE_TRACES_CODEC_H
#define ACRE_TRACES_CODEC_H

#include "traces/trace.h"

enum {
    ACRE__VARINT_MAX = 10,            /* bytes of the longest LEB128 of 64 bits */
    ACRE__CODEC_MRU = 15,
    ACRE__CODEC_OP_MAX = 1 + 2 * ACRE__VARINT_MAX + 1 /* bytes of the longest operation */
};

typedef struct acre__codec {
    uint64_t newest;    /* serial of the last birth */
    uint64_t last_freed;
    uint64_t sizes[ACRE__CODEC_MRU]; /* most recent first */
} acre__codec;

void acre__codec_init(acre__codec *c, uint64_t newest_serial);

/* Writes op (kind, serial, old, size, align_log2, flags) to `out`, which has ACRE__CODEC_OP_MAX
 * bytes, and returns the bytes used.  The caller vouches for the serials. */
size_t acre__codec_put(acre__codec *c, const acre_trace_op *op, unsigned char *out);

/* Reads one operation from [p, end): the bytes used, 0 if they are not an operation. */
size_t acre__codec_get(acre__codec *c, acre_trace_op *op, const unsigned char *p,
                       const unsigned char *end);

size_t acre__varint_put(unsigned char *out, uint64_t value);
/* The bytes used; 0 if it does not end before `end` or does not fit 64 bits. */
size_t acre__varint_get(uint64_t *value, const unsigned char *p, const unsigned char *end);

#endif
