/* SPDX-License-Identifier: MIT */
/* support_crash.h: a heap in a segment with a table of published blocks, whose state can be told
 * exactly after its user was killed at any instruction.
 *
 * The segment's root points to the table.  Each slot holds a block's offset (0: none), changed only
 * by acre_alloc_into() and acre_free_from(); beside it stands how many of the block's first bytes
 * hold the slot's pattern.  That number is stored after filling and lowered before shrinking, so
 * it is never more than what is true. */
#ifndef ACRE_TESTS_SUPPORT_CRASH_H
#define ACRE_TESTS_SUPPORT_CRASH_H

#include "tests/support_heap.h"

enum { CRASH_SLOTS = 48, CRASH_HELD = 8 };

typedef struct crash_slot {
    acre_off block;
    volatile uint64_t filled;
} crash_slot;

typedef struct crash_table {
    volatile uint64_t steps; /* operations that were finished */
    volatile uint64_t stop;
    crash_slot slot[CRASH_SLOTS];
} crash_table;

typedef struct crash_heap {
    acre_segment *s;
    acre_heap *h;
    crash_table *table;
    size_t least, most; /* the segment's size moves between these */
} crash_heap;

/* What operations a victim does. */
enum crash_mix {
    CRASH_PUBLISHING, /* a kill may lose nothing */
    CRASH_PLAIN       /* also acre_alloc & co.: a kill may lose what was in hand */
};

crash_heap crash_heap_make(const acre_algorithm *a);
void crash_heap_close(crash_heap *c);

/* One random operation on slots [first, first + n). */
void crash_step(crash_heap *c, uint64_t *seed, enum crash_mix mix, size_t first, size_t n);

/* What the survivor finds: the heap is sound, every filled byte is right, blocks do not overlap,
 * every slot names a live block.  Returns how many live blocks no slot names, and frees them. */
size_t crash_verify(crash_heap *c);

#endif
