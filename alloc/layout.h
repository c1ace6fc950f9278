/* SPDX-License-Identifier: MIT */
/* layout.h: what stands in shared memory in front of every heap's region.
 *
 *   control                                                 region (64-aligned)
 *   +------+-------------------------+--------+------------+---------------------- - -
 *   | lock | facts, counters         | journal| quarantine | the algorithm's memory
 *   +------+-------------------------+--------+------------+---------------------- - -
 *   0      64                        192                   checks=2 and 3
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
    uint32_t checks;       /* enum acre_checks */
    uint32_t param[ACRE_PARAMS];
    uint32_t unused;
    uint64_t key; /* checks=2 and 3: of the guards (guard.h); else 0 */
    uint32_t reserved[12];
    uint64_t
        version; /* calls that have changed something; who reads without the lock compares it */
    acre_journal journal;
} acre__heap_control;

_Static_assert(sizeof(acre_journal_entry) == 16, "part of the segment format");
_Static_assert(offsetof(acre__heap_control, region_size) == 64, "part of the segment format");
_Static_assert(offsetof(acre__heap_control, key) == 136, "part of the segment format");
_Static_assert(offsetof(acre__heap_control, version) == 192, "part of the segment format");
_Static_assert(sizeof(acre__heap_control) == 216, "part of the segment format");

enum { ACRE__QUARANTINE = 64 };

/* Freed blocks that are not the algorithm's yet, oldest first (quarantine.c). */
typedef struct acre__quarantine {
    uint64_t word;  /* low half: the oldest one's entry; high half: how many */
    uint64_t bytes; /* usable ones, of all */
    uint64_t reserved[6];
    uint64_t entry[ACRE__QUARANTINE]; /* offsets from the region's base */
} acre__quarantine;
_Static_assert(sizeof(acre__quarantine) == 576, "part of the segment format");

#endif
