/* SPDX-License-Identifier: MIT */
/* rawfile.h: the file that the recorder fills and raw_import.c reads.  One file for each process
 * image; native byte order, read on the machine that wrote it.
 *
 *     0                      64 KiB                                    next_block
 *     +--------+-------------+---------+------------------+---------+--+ - - -
 *     | header | (empty)     | block   | block            | block   |
 *     +--------+-------------+---------+------------------+---------+--+ - - -
 *                            | head | record | record | record | 0 ...
 *
 * Blocks are multiples of 64 KiB.  Each belongs to a lane; a lane is written by one thread at a
 * time, which says so with THREAD_START, and its records are in the order in which they happened.
 * Blocks are shared mappings of the file: what a program stored before it was killed is in it.
 *
 * A record is three words, and the first, which has the op, is stored last; a zero op is a record
 * that was never completed.
 *
 *     word 0   op:8 | ticks since start:56
 *     word 1   flags:10 | log2 alignment:6 | address:48
 *     word 2   call site:24 (0) | size:40
 *
 * REALLOC, and any size that does not fit 40 bits, is followed by one CONT record: op and duration
 * in ticks, old address, size as 64 bits.
 *
 * Births are stamped after the allocator returned, ends before it is called.  So for one address
 * the end is stamped before the next birth, and merging lanes by time gives a possible history
 * without any counter shared by threads.  A REALLOC is both: it ends the old object at `ticks` and
 * gives birth to the new one at ticks + duration. */
#ifndef ACRE_TRACES_RAWFILE_H
#define ACRE_TRACES_RAWFILE_H

#include <stdint.h>

#define ACRE__RAW_MAGIC "ACRERAW1"

enum {
    ACRE__RAW_VERSION = 1,
    ACRE__RAW_GRAIN = 65536,          /* block sizes and offsets are multiples */
    ACRE__RAW_BLOCK = 1 << 20,        /* bytes of a block; the first of a lane has one grain */
    ACRE__RAW_BLOCK_MAGIC = 0x4b4c4252, /* "RBLK" */
    ACRE__RAW_WORDS = 3,
    ACRE__RAW_TICK_BITS = 56,
    ACRE__RAW_ADDRESS_BITS = 48,
    ACRE__RAW_SIZE_BITS = 40
};

#define ACRE__RAW_SIZE_ESCAPE ((UINT64_C(1) << ACRE__RAW_SIZE_BITS) - 1)

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
    ACRE__RAW_CONT = 9
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
    uint64_t hz;                           /* of ticks; 0 = unknown, to be had from the two pairs below */
    uint64_t start_ticks, start_ns;        /* one moment in both clocks */
    uint64_t end_ticks, end_ns;            /* the latest such moment */
    uint64_t next_block;                   /* first offset that is not claimed */
    uint64_t lost;                         /* events that could not be stored */
    char exe[1024];
    char command[2048];                    /* arguments, separated by spaces */
} acre__raw_header;

typedef struct acre__raw_block {
    uint32_t magic, lane, bytes, pad;
    uint64_t reserved[6];
} acre__raw_block;

_Static_assert(sizeof(acre__raw_header) <= 4096, "the header is one page");
_Static_assert(sizeof(acre__raw_block) == 64, "records follow the 64 bytes of a block's head");

#endif
