/* SPDX-License-Identifier: MIT */
/* operations.h: what victims do, and what may be found after their deaths. */
#ifndef ACRE_TESTS_CRASH_OPERATIONS_H
#define ACRE_TESTS_CRASH_OPERATIONS_H

#include "tests/crash/stage.h"

enum operation_flags {
    /* One step: all live blocks and slots are as before, or all as after; first the one, then the
     * other.  Else each of its blocks for itself. */
    OPERATION_ATOMIC = 1,
    /* A target that is still live has lost its contents: it was given up. */
    OPERATION_GIVES_UP = 2,
    /* A target's contents may be in a new block instead, or on their way down in a larger one. */
    OPERATION_MOVES = 4,
    OPERATION_BACKWARDS = 8, /* an exact hole lies in front of the target */
    OPERATION_LONG = 16,     /* tens of thousands of instructions: fewer stages */
    OPERATION_TYPICAL = 32   /* if there is time for a few operations only: one of these */
};

typedef struct operation {
    const char *name;
    void (*run)(stage *t); /* the victim's */
    unsigned flags;
    size_t hand;                               /* blocks that only the victim knows of, at most */
    size_t targets;                            /* how many of the stage's it is done to */
    void (*prepare)(stage *t);                 /* before the death's before; may be NULL */
    bool (*possible)(const acre_algorithm *a); /* NULL: with any */
} operation;

extern const operation operations[]; /* ended by a name of NULL */

#endif
