/* SPDX-License-Identifier: MIT */
/* team.h: one benchmark of a primitive, done by one or several processes at once.
 *
 *     caller                     helper 1 …            (forked in setup, pinned)
 *       init: the object in the arena
 *       attach                     attach
 *       wait until all are ready   ready
 *       clock                      :
 *       go ----------------------> :
 *       role(0, n)                 role(1, n)
 *       wait until all are done    done
 *       clock
 *       detach                     detach, exit
 *
 * Every process does n rounds.  The wall time from «go» to the last «done» counts, so a side that
 * falls behind is not forgiven. */
#ifndef ACRE_BENCH_SYNC_TEAM_H
#define ACRE_BENCH_SYNC_TEAM_H

#include "bench/bench.h"

enum { TEAM_LINE = 128, TEAM_MOST = 8 };

/* What the processes share. */
typedef struct team_arena {
    uint32_t ready, go, done, failed;
    size_t n;
    char apart1[TEAM_LINE - 24];
    volatile uint64_t cell; /* what a lock protects */
    char apart2[TEAM_LINE - 8];
    char object[];
} team_arena;

typedef struct team_case team_case;

struct team_case {
    const char *primitive, *kase, *implementation;
    unsigned processes; /* 1: CPU time counts, and there is no helper */
    unsigned items;     /* done by all together in one round */
    bool one_cpu;       /* all of them on the same one */
    size_t bytes;       /* of the object */
    const void *kind;   /* of what makes the object: the functions' own business */
    size_t capacity;
    /* NULL, or why this cannot be run here. */
    const char *(*init)(const team_case *c, team_arena *a);
    void (*destroy)(const team_case *c, team_arena *a);
    /* In each process: what it needs of its own.  May be NULL. */
    bool (*attach)(const team_case *c, team_arena *a, unsigned who);
    void (*detach)(const team_case *c, team_arena *a, unsigned who);
    /* n rounds; false: something went wrong. */
    bool (*role)(const team_case *c, team_arena *a, unsigned who, size_t n);
    /* After all rounds: is the outcome right?  May be NULL. */
    bool (*right)(const team_case *c, const team_arena *a);
};

/* Registers PRIMITIVE/CASE/IMPLEMENTATION; *c is copied. */
void team_add(const team_case *c);

#endif
