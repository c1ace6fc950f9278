/* SPDX-License-Identifier: MIT */
/* published.h: a heap with a table of published blocks, whose state can be told exactly after any of
 * its users was killed at any instruction.
 *
 *   root ──▶ block[0] block[1] … │ filled[0] filled[1] …        slot i: block[i], filled[i]
 *              │                       │
 *              ▼                       ▼
 *              │ pattern of the slot, `filled` bytes │ anything │
 *
 * A slot's `block` is changed by acre_alloc_into(), acre_alloc_many_into() and acre_free_from() only;
 * `filled` is stored after filling and lowered before shrinking, so it is never more than what is true.
 * Each slot has one process that changes it. */
#ifndef ACRE_TESTS_CRASH_PUBLISHED_H
#define ACRE_TESTS_CRASH_PUBLISHED_H

#include "tests/crash/crash.h"

enum {
    PUBLISHED_SLOTS = 48,
    PUBLISHED_HELD = 8,         /* blocks that a plain turn has in hand at most */
    PUBLISHED_LEAST = 32 << 10, /* the segment's size moves between these */
    PUBLISHED_MOST = 64 << 10
};

typedef struct published_table {
    acre_off block[PUBLISHED_SLOTS];
    volatile uint64_t filled[PUBLISHED_SLOTS];
} published_table;

typedef struct published {
    acre_segment *s;
    acre_heap *h;
    published_table *table;
} published;

/* What one finds in it. */
typedef struct published_finding {
    bool wrong;
    enum crash_wrong what;
    char text[200];
    size_t strangers; /* live blocks that no slot names */
} published_finding;

/* What a turn may do. */
enum published_mix {
    PUBLISHED_FIXED, /* nothing to the segment's size; a kill may lose nothing */
    PUBLISHED_ONLY,  /* a kill may lose nothing */
    PUBLISHED_PLAIN  /* also acre_alloc() & co.: a kill may lose what was in hand */
};

/* A segment of PUBLISHED_LEAST bytes.  0, or its error. */
int published_create(published *p, enum acre_source source, const char *name,
                     const acre_algorithm *a, const acre_heap_options *o);
int published_open(published *p, enum acre_source source, const char *name);
void published_close(published *p);

/* One random operation on the slots [first, first + n), or on the segment's size.  NULL, or what went
 * wrong in it. */
const char *published_turn(published *p, uint64_t *seed, enum published_mix mix, size_t first,
                           size_t n);

/* Nobody is at work: the heap is sound, blocks do not overlap, every slot names a live block, every
 * filled byte is right.  Strangers are counted and freed. */
published_finding published_look(published *p);

/* Empty all slots: then nothing but the table may be live. */
published_finding published_clear(published *p);

#endif
