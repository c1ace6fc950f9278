/* SPDX-License-Identifier: MIT */
/* choice.c: the choices of a schedule: depth first through all of them, or at random. */
#include "tests/explore/machine.h"

#include <stdio.h>
#include <stdlib.h>

enum { CHOICE_LIMIT = 4 * EXPLORE_STEPS, CHOICE_RARELY = 12 };

typedef struct choice {
    uint16_t taken, of;
} choice;

static choice choice_path[CHOICE_LIMIT];
static unsigned choice_at, choice_known; /* known: made by an earlier schedule, to be repeated */
static bool choice_random;
static uint64_t choice_state;

void explore_choice_first(bool random, uint64_t seed)
{
    choice_at = choice_known = 0;
    choice_random = random;
    choice_state = seed;
}

void explore_choice_again(void)
{
    choice_known = choice_at;
    choice_at = 0;
}

/* The last choice that has an alternative takes it; what came after is forgotten. */
static bool choice_advance(void)
{
    unsigned n = choice_at;
    while (n && choice_path[n - 1].taken + 1 == choice_path[n - 1].of)
        n--;
    if (n)
        choice_path[n - 1].taken++;
    choice_known = n;
    return n > 0;
}

bool explore_choice_next(void)
{
    bool more = choice_random || choice_advance();
    if (choice_random)
        choice_known = 0;
    choice_at = 0;
    return more;
}

/* Steele, Lea, Flood: splitmix64. */
static uint64_t choice_number(void)
{
    uint64_t z = choice_state += 0x9e3779b97f4a7c15u;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9u;
    z = (z ^ z >> 27) * 0x94d049bb133111ebu;
    return z ^ z >> 31;
}

static unsigned choice_invent(unsigned n, bool free)
{
    if (!choice_random || (!free && choice_number() % CHOICE_RARELY))
        return 0;
    return (unsigned)(choice_number() % n);
}

unsigned explore_choose(unsigned n, bool free)
{
    if (choice_at == CHOICE_LIMIT) {
        fprintf(stderr, "explore: too many choices in one schedule\n");
        exit(2);
    }
    choice *c = &choice_path[choice_at];
    if (choice_at++ >= choice_known)
        *c = (choice){(uint16_t)choice_invent(n, free), (uint16_t)n};
    else if (c->of != n) {
        fprintf(stderr, "explore: the program depends on something besides its choices\n");
        exit(2);
    }
    return c->taken;
}
