/* SPDX-License-Identifier: MIT */
/* checked.h: what the layer above knows of checking levels 2 and 3.  checked.c stands between the layer and
 * the algorithm, with a table of its own; quarantine.c keeps freed blocks for a while. */
#ifndef ACRE_ALLOC_CHECKED_H
#define ACRE_ALLOC_CHECKED_H

#include "alloc/guard.h"

/* Put the checks' methods before the algorithm's. */
void acre__checked_attach(acre_heap *h);

/* See acre__heap_judge(). */
int acre__checked_judge(const acre_heap *h, const void *p);

/* Give the block back to the algorithm; a roll back revives it.  0. */
int acre__checked_release(acre_heap *h, const guard *g);

/* ---- the quarantine (algorithms that give nothing back have none) ---- */

/* Keep a block that is being freed, as part of this step.  false: it is full. */
bool acre__quarantine_push(acre_heap *h, const guard *g, size_t usable);

/* Give the oldest block back; a step of its own.  false: there is none.  *error, if the block was written
 * to after it was freed: ACRE_EUSEDFREED. */
bool acre__quarantine_pop(acre_heap *h, int *error);

/* Fill a block that was just kept with the pattern, give back what is too much.  0 or ACRE_EUSEDFREED. */
int acre__quarantine_settle(acre_heap *h, guard *g);

/* Give all back.  True if there was any. */
bool acre__quarantine_drain(acre_heap *h);

/* What check() finds on its walk. */
typedef struct quarantine_census {
    uint64_t blocks, bytes;
} quarantine_census;
int acre__quarantine_check(const acre_heap *h, const quarantine_census *walked, acre_damage *d);

/* A block whose guard is broken may be kept all the same. */
bool acre__quarantine_holds(const acre_heap *h, const guard *g);

/* All bytes of a filled block hold the pattern. */
bool acre__quarantine_intact(const guard *g);

#endif
