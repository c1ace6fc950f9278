/* SPDX-License-Identifier: MIT */
/* machine.h: between the parts of the explorer: choosing, and running one schedule. */
#ifndef ACRE_EXPLORE_MACHINE_H
#define ACRE_EXPLORE_MACHINE_H

#include "tests/explore/explore.h"

/* ---- choices (choice.c) ---- */

void explore_choice_first(bool random, uint64_t seed);
/* The next schedule; false: there is none.  With `again` the same once more. */
bool explore_choice_next(void);
void explore_choice_again(void);
/* 0 … n - 1.  0 is what happens usually; with `free` each is as usual as the others. */
unsigned explore_choose(unsigned n, bool free);

/* ---- one schedule (machine.c) ---- */

typedef struct explore_result {
    const char *error; /* NULL: none */
    const char *file;
    int line;
    unsigned steps;
    bool died, napped;
} explore_result;

void explore_run(const explore_scenario *s, bool trace, explore_result *result);

#endif
