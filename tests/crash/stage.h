/* SPDX-License-Identifier: MIT */
/* stage.h: heaps in a known state, and what a heap is as far as its users can tell.
 *
 *   segment (memfd)                                                     private to the laboratory
 *   +--------+------+-------+------+--------+------+------+             +----------------------+
 *   | header | lock | slots | held | target | hole | held | …           | picture: every block |
 *   +--------+------+-------+------+--------+------+------+             | in address order     |
 *        root ────────▲                                                 +----------------------+
 *
 * Every live block of a stage is held by the victim: it must be there, whole, after its death. */
#ifndef ACRE_TESTS_CRASH_STAGE_H
#define ACRE_TESTS_CRASH_STAGE_H

#include "tests/crash/crash.h"

enum { STAGE_SIZE = 32 << 10, STAGE_SLOTS = 8, STAGE_TARGETS = 4, PICTURE_BLOCKS = 4096 };

/* The blocks of a heap, in address order; offsets from the segment's start. */
typedef struct picture {
    size_t n;
    acre_block block[PICTURE_BLOCKS];
} picture;

typedef struct stage {
    const acre_algorithm *algorithm;
    acre_segment *s;
    acre_heap *h;
    acre_off slots; /* STAGE_SLOTS offsets, named by the segment's root */
    size_t size;    /* what operations ask for */
    size_t targets;
    acre_off target[STAGE_TARGETS]; /* live blocks of the size that operations are done to */
    size_t front, behind; /* bytes of the free blocks next to target[0]; 0: it is not free */
} stage;

/* Take a picture.  0, or what acre_heap_walk() says; EOVERFLOW: blocks overlap or are too many. */
int picture_take(picture *p, acre_segment *s);

/* The block that starts there, or NULL. */
const acre_block *picture_find(const picture *p, acre_off at);

/* A new heap with a table of slots. */
stage stage_open(const acre_algorithm *a);
void stage_close(stage *t);

static inline acre_off *stage_slot(const stage *t, size_t i)
{
    return (acre_off *)acre_segment_address(t->s, t->slots) + i;
}

static inline void *stage_block(const stage *t, size_t i)
{
    return acre_segment_address(t->s, t->target[i]);
}

/* ---- states.c ---- */

enum state_flags {
    STATE_HOLE_IN_FRONT =
        1 /* the operation grows backwards: that is where an exact hole has to be */
};

typedef struct stage_state {
    const char *name;
    /* Bring a new heap into the state, with targets of t->size bytes; ends the case if it is not what
     * its name says. */
    void (*make)(stage *t, unsigned flags, uint64_t *seed);
} stage_state;

extern const stage_state stage_states[]; /* ended by a name of NULL */

/* A stage in this state, every live block filled with random bytes. */
stage stage_make(const acre_algorithm *a, const stage_state *state, size_t size, unsigned flags,
                 uint64_t *seed);

#endif
