/* SPDX-License-Identifier: MIT */
/* judge.h: what a survivor makes of a segment whose user has died, and whether that is right.
 *
 *   stage ──copy, operation done whole──▶ will                     what has to come out
 *     │
 *     └─ was: picture, slots, every byte ─┐
 *                                         ▼
 *   image of the victim's segment ──▶ copy ──▶ the dead owner's lock as the kernel leaves it
 *       ──▶ opened anew ──▶ check() ──▶ picture ──▶ was? will? contents? ──▶ used on ──▶ all freed */
#ifndef ACRE_TESTS_CRASH_JUDGE_H
#define ACRE_TESTS_CRASH_JUDGE_H

#include "tests/crash/corpse.h"
#include "tests/crash/operations.h"

typedef struct judge {
    const crash_case *c;
    crash_board *b;
    const stage *t;
    const operation *o;
    char *before; /* the segment before the death */
    picture *was, *will, *found, *fresh;
    uint64_t fresh_whole; /* bytes that are free, or the algorithm's own, in a heap that was never used */
    acre_off slots_was[STAGE_SLOTS], slots_will[STAGE_SLOTS], slots_found[STAGE_SLOTS];
    bool over;        /* the operation was found done */
    size_t strangers; /* live blocks that only the victim knew of */
    uint64_t seed;
    corpse copy; /* what the survivor opens */
} judge;

/* Look at a stage before anything happens to it. */
judge judge_open(const crash_case *c, crash_board *b, const stage *t, const operation *o,
                 uint64_t seed);
void judge_close(judge *j);

/* The victim has died and left this image (of the segment's size).  use_on: the random operations too.
 * True: recovered; else crash_wrong() was told. */
bool judge_image(judge *j, const char *image, bool use_on);

#endif
