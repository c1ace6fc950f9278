/* SPDX-License-Identifier: MIT */
/* published.h: a heap with a table of published blocks, whose state can be told exactly after any of
 * its users was killed at any instruction.
 *
 *   root ──▶ n │ block[0] block[1] … │ filled[0] filled[1] … │ taken[0] …    slot i: block[i], filled[i]
 *                  │                       │
 *                  ▼                       ▼
 *                  │ pattern of the slot, `filled` bytes │ anything │
 *
 * A slot's `block` is changed by acre_alloc_into(), acre_alloc_many_into() and acre_free_from() only;
 * `filled` is stored after filling and lowered before shrinking, so it is never more than what is true.
 * Each slot has one process that changes it: for good, or as long as its number is in `taken`. */
#ifndef ACRE_TESTS_CRASH_PUBLISHED_H
#define ACRE_TESTS_CRASH_PUBLISHED_H

#include "tests/crash/crash.h"

enum {
    PUBLISHED_SLOTS = 48,
    PUBLISHED_HELD = 8,         /* blocks that a plain turn has in hand at most */
    PUBLISHED_LEAST = 32 << 10, /* the segment's size moves between these */
    PUBLISHED_MOST = 64 << 10
};

typedef struct published {
    acre_segment *s;
    acre_heap *h;
    size_t n; /* slots, and where the table has them: */
    acre_off *block;
    volatile uint64_t *filled;
    volatile uint32_t *taken; /* who is at it; 0: nobody.  Only where slots go from hand to hand */
} published;

/* Other than what published_create() makes. */
typedef struct published_plan {
    size_t size, capacity, slots;
    const acre_algorithm *algorithm;
    acre_heap_options heap;
} published_plan;

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
int published_create_as(published *p, enum acre_source source, const char *name,
                        const published_plan *plan);
int published_open(published *p, enum acre_source source, const char *name);
/* The table of an open segment: 0, or ACRE_ECORRUPT. */
int published_find(published *p, acre_segment *s);
void published_close(published *p);

/* One random operation on the slots [first, first + n), or on the segment's size.  NULL, or what went
 * wrong in it. */
const char *published_turn(published *p, uint64_t *seed, enum published_mix mix, size_t first,
                           size_t n);

/* The same on slots [first, first + n) that nobody else is at just then, so that blocks go from hand to hand:
 * a row of blocks of one size comes, or goes.  who: not 0, its own for each worker. */
const char *published_turn_shared(published *p, uint64_t *seed, enum published_mix mix,
                                  size_t first, size_t n, uint32_t who);
/* In the place of one who has died with this number, before the first turn. */
void published_inherit(published *p, uint32_t who);

/* Fill a slot with a block of this size, or give its block back.  NULL, or what went wrong; that there
 * is no room is not wrong. */
const char *published_put(published *p, size_t slot, size_t size);
const char *published_drop(published *p, size_t slot);

/* Its block's first size bytes are written with the slot's pattern. */
void published_fill(published *p, size_t slot, size_t size);

/* Nobody is at work: the heap is sound, blocks do not overlap, every slot names a live block, every
 * filled byte is right.  Strangers are counted and freed. */
published_finding published_look(published *p);

/* Empty all slots: then nothing but the table may be live. */
published_finding published_clear(published *p);

#endif
