/* SPDX-License-Identifier: MIT */
/* rawfile.h: the file that the recorder fills and raw_import.c reads.  One file for each process
 * image; native byte order, read on the machine that wrote it.
 *
 *     0                      64 KiB
 *     +--------+-------------+---------+------------------+---------+--+ - - -
 *     | header | (empty)     | buffer  | full             | buffer  |  | full ...
 *     +--------+-------------+---------+------------------+---------+--+ - - -
 *                            | head | record | record | record | 0 ...
 *
 * Blocks have 64 KiB and belong to a lane.  A lane is written by one thread at a time, which says
 * so with THREAD_START, and its records are in the order in which they happened.  Each lane has one
 * BUFFER, a shared mapping of the file: what a program stored before it was killed is in it.  A
 * buffer that is full is appended to the file as a FULL block with the same `seq` (body first, head
 * last), then cleared, then gets the next seq.  So a BUFFER whose seq a FULL block has is a copy.
 *
 * A record is two words, and the first, which has the op, is stored last; a zero op is a record
 * that was never completed.
 *
 *     word 0   op:5 | flags:5 | log2 alignment:6 | address:48
 *     word 1   ticks since the record before (first: since the head's start_tick):32 | size:32
 *
 * A tick difference or a size that does not fit is all ones, and a WIDE record follows with the
 * 64-bit tick since the start of the file (address field 0) or size (address field 1).  REALLOC is
 * followed by CONT: old address, and in the place of the ticks the duration.
 *
 * Births are stamped after the allocator returned, ends before it is called.  So for one address
 * the end is stamped before the next birth, and merging lanes by time gives a possible history
 * without any counter shared by threads.  A REALLOC is both: it ends the old object at its tick and
 * gives birth to the new one a duration later. */
#ifndef ACRE_TRACES_RAWFILE_H
#define ACRE_TRACES_RAWFILE_H

#include <stdint.h>

#define ACRE__RAW_MAGIC "ACRERAW1"

enum {
    ACRE__RAW_VERSION = 1,
    ACRE__RAW_BLOCK = 65536,              /* bytes of a block; offsets are multiples */
    ACRE__RAW_BUFFER_MAGIC = 0x46554252,  /* "RBUF" */
    ACRE__RAW_FULL_MAGIC = 0x4c4c4652,    /* "RFLL" */
    ACRE__RAW_WORDS = 2,
    ACRE__RAW_ADDRESS_BITS = 48,
    ACRE__RAW_ALIGN_BITS = 6,
    ACRE__RAW_FLAG_BITS = 5,
    ACRE__RAW_OP_SHIFT = ACRE__RAW_ADDRESS_BITS + ACRE__RAW_ALIGN_BITS + ACRE__RAW_FLAG_BITS
};

#define ACRE__RAW_ESCAPE UINT32_MAX

enum acre__raw_op {
    ACRE__RAW_NONE = 0,
    ACRE__RAW_MALLOC = 1,
    ACRE__RAW_CALLOC = 2,
    ACRE__RAW_REALLOC = 3,
    ACRE__RAW_FREE = 4,
    ACRE__RAW_ALIGNED = 5,
    ACRE__RAW_USABLE = 6,       /* malloc_usable_size: address, result */
    ACRE__RAW_THREAD_START = 7, /* size: the kernel's thread id */
    ACRE__RAW_THREAD_EXIT = 8,
    ACRE__RAW_CONT = 9,
    ACRE__RAW_WIDE = 10
};

enum acre__raw_flag {
    ACRE__RAW_CXX = 1,
    ACRE__RAW_ARRAY = 2,
    ACRE__RAW_SIZED = 4,
    ACRE__RAW_NOTHROW = 8,
    ACRE__RAW_FAILED = 16
};

typedef struct acre__raw_header {
    char magic[8];
    uint32_t version, pid, parent, forked; /* forked: the image came from fork, not from exec */
    uint64_t page_size, wall_start_ns;
    uint64_t hz;                           /* of ticks; 0 = unknown, take the two pairs below */
    uint64_t start_ticks, start_ns;        /* one moment in both clocks */
    uint64_t end_ticks, end_ns;            /* the latest such moment */
    uint64_t next_block;                   /* first offset that is not claimed */
    uint64_t lost;                         /* events that could not be stored */
    char exe[1024];
    char command[2048];                    /* arguments, separated by spaces */
} acre__raw_header;

typedef struct acre__raw_block {
    uint32_t magic, lane;
    uint64_t seq; /* from 1 */
    uint64_t start_tick;
    uint64_t reserved[5];
} acre__raw_block;

_Static_assert(sizeof(acre__raw_header) <= 4096, "the header is one page");
_Static_assert(sizeof(acre__raw_block) == 64, "records follow the 64 bytes of a block's head");

#endif
