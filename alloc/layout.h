/* SPDX-License-Identifier: MIT */
/* layout.h: what stands in shared memory in front of every heap's region.
 *
 *   control                                   region (64-aligned)
 *   +------+-------------------------+--------+---------------------- - -
 *   | lock | facts, counters         | journal| the algorithm's memory
 *   +------+-------------------------+--------+---------------------- - -
 *   0      64                        192      192 + journal
 */
#ifndef ACRE_ALLOC_LAYOUT_H
#define ACRE_ALLOC_LAYOUT_H

#include "sync/robust.h"
#include <acre/algorithm.h>

/* In journal.count: a recovery has failed its check, nobody may enter any more. */
#define ACRE__POISON (~(uint64_t)0)

/* In the first entry's `where`: not a word to restore but the first of `old` slots that are being
 * filled (publish.c). */
#define ACRE__BATCH ((uint64_t)2)

typedef struct acre__heap_control {
    acre__robust lock;
    uint64_t region_size;  /* bytes of the region now; grows */
    uint64_t recoveries;   /* operations of the dead that were rolled back; a statistic */
    uint32_t lock_kind;    /* enum acre_lock_kind */
    uint32_t journal_mode; /* enum acre_journal_mode */
    uint32_t region_start; /* bytes from the control's start */
    uint32_t zeroed;       /* 1: zero_free() was called, new blocks hide their old links */
    uint32_t reserved;
    uint32_t param[ACRE_PARAMS];
    uint32_t reserved2[15];
    uint64_t
        version; /* calls that have changed something; who reads without the lock compares it */
    acre_journal journal;
} acre__heap_control;

_Static_assert(sizeof(acre_journal_entry) == 16, "part of the segment format");
_Static_assert(offsetof(acre__heap_control, region_size) == 64, "part of the segment format");
_Static_assert(offsetof(acre__heap_control, version) == 192, "part of the segment format");
_Static_assert(sizeof(acre__heap_control) == 216, "part of the segment format");

#endif
