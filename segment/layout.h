/* SPDX-License-Identifier: MIT */
/* layout.h: the segment's header, as every process sees it.  The document is README.md. */
#ifndef ACRE_SEGMENT_LAYOUT_H
#define ACRE_SEGMENT_LAYOUT_H

#include "segment/hold.h"
#include "segment/names_layout.h"
#include "segment/shared.h"
#include "segment/tx.h"

#include <stddef.h>
#include <stdint.h>

#define SEGMENT_MAGIC 0x3147455345524341u /* "ACRESEG1" in little-endian memory */

enum { SEGMENT_HUGE = 2 << 20 }; /* bytes of a huge page */

enum { SEGMENT_FORMAT = 2, SEGMENT_HEADER = 256, SEGMENT_DIRECTORY = 512, SEGMENT_CONSTANT = 104 };

/* Other values than READY are never seen by others: a segment appears when it is whole. */
enum segment_state { SEGMENT_INITIALISING = 0, SEGMENT_READY = 1 };

/* What offline growth is about (offline.c); check 0: nothing. */
typedef struct segment_redo {
    uint64_t capacity, size; /* as they will be */
    uint64_t check;          /* of both and of the header's constant part */
} segment_redo;

typedef struct segment_header {
    /* constant from creation on */
    uint64_t magic;             /* its bytes' order is the machine's */
    uint32_t format;            /* SEGMENT_FORMAT */
    uint32_t header_size;       /* SEGMENT_HEADER */
    uint64_t layout_hash;       /* sizes that both sides must agree on */
    uint32_t compatible;        /* features: unknown bits may be ignored, */
    uint32_t read_compatible;   /* … forbid writing, */
    uint32_t incompatible;      /* … forbid opening */
    uint32_t algorithm_version; /* of its layout */
    char algorithm[32];         /* name, zero padded */
    uint64_t capacity;          /* bytes it may grow to; changed while nobody has it (offline.c) */
    uint64_t heap;              /* offset of the heap's control: SEGMENT_HEADER, or behind a directory */
    uint8_t uuid[16];           /* random, version 4 */
    uint64_t checksum;          /* of the bytes before it */
    uint64_t next_checksum;     /* not 0: the capacity is being changed, and this one may be right already */
    uint64_t reserved1;
    /* changing */
    uint64_t size;              /* bytes now; changed under the heap's lock */
    uint32_t state;             /* enum segment_state */
    uint32_t reserved2;
    uint64_t boot;              /* hash of the boot id of the machine's last run that wrote it */
    uint64_t root;              /* the application's */
    uint64_t grow_step;         /* 0: it does not grow by itself; else by so many bytes at least, */
    uint64_t grow_limit;        /* … up to so many; 0: capacity */
    segment_redo redo;
    uint64_t reserved3[7];
} segment_header;

/* Behind the header, unless the segment was made with ACRE_INDEX_NONE: what is known by name, and what
 * other services keep one of.  All zero is an empty one. */
typedef struct segment_directory {
    segment_names names;     /* lock, index, work in progress */
    shared_directory shared; /* holders of shared objects */
    tx_part tx;              /* transactions */
    hold_part hold;          /* the barrier of snapshots */
} segment_directory;

_Static_assert(sizeof(segment_directory) == SEGMENT_DIRECTORY, "segment format");
_Static_assert(offsetof(segment_directory, tx) == 416, "segment format");
_Static_assert(offsetof(segment_directory, hold) == 464, "segment format");
_Static_assert(sizeof(segment_header) == SEGMENT_HEADER, "segment format");
_Static_assert(offsetof(segment_header, algorithm) == 40, "segment format");
_Static_assert(offsetof(segment_header, capacity) == 72, "segment format");
_Static_assert(offsetof(segment_header, uuid) == 88, "segment format");
_Static_assert(offsetof(segment_header, checksum) == SEGMENT_CONSTANT, "segment format");
_Static_assert(offsetof(segment_header, size) == 128, "segment format");
_Static_assert(offsetof(segment_header, root) == 152, "segment format");
_Static_assert(offsetof(segment_header, redo) == 176, "segment format");

#endif
