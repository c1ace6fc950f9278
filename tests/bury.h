/* SPDX-License-Identifier: MIT */
/* bury.h: what the kernel does in a segment's image to what dead threads held.  White box: the lock word and
 * cells are where the format puts them. */
#ifndef ACRE_TESTS_BURY_H
#define ACRE_TESTS_BURY_H

#include "alloc/layout.h"
#include "segment/layout.h"
#include "sync/kinds.h"

/* Where the header says that the heap's control is. */
static inline acre__heap_control *bury_control(const void *segment)
{
    return (acre__heap_control *)((uintptr_t)segment + ((const segment_header *)segment)->heap);
}

static inline void bury_word(uint32_t *word)
{
    if (*word & FUTEX_TID_MASK)
        *word = FUTEX_OWNER_DIED | (*word & FUTEX_WAITERS);
}

/* The heap's control at `control`, and each cell (they stand at lines of the cache) up to `end`: all that used
 * the image are dead. */
static inline void bury(char *control, const char *end)
{
    bury_word(&((acre__heap_control *)(void *)control)->lock.word);
    for (char *at = control; at + sizeof(acre_cell) <= end; at += 64)
        if (((acre_cell *)(void *)at)->tag == ACRE__MUTEX)
            bury_word(&((acre_cell *)(void *)at)->word);
}

#endif
