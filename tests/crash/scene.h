/* SPDX-License-Identifier: MIT */
/* scene.h: a captive in the middle of an operation, and a peer that wants to enter the same heap.
 *
 *     stage ──copy──▶ shared segment ◀── captive: the operation, led to an instruction
 *                         ▲  ▲ └──────── peer: waits for the lock, or has already been in
 *                         │  └────────── reader: read-only, waits for nobody
 *                         └───────────── judge: looks when they are through
 *
 * The captive stands where the shared memory has just changed: between two such places a death is the
 * same for everybody else. */
#ifndef ACRE_TESTS_CRASH_SCENE_H
#define ACRE_TESTS_CRASH_SCENE_H

#include "tests/crash/captive.h"
#include "tests/crash/judge.h"

enum { SCENE_SECONDS = 30, SCENE_PLACES = 4096 };

typedef struct scene {
    const crash_case *c;
    crash_board *b;
    stage origin; /* as it is before each death */
    char *image;  /* its bytes, with the case's lock */
    judge j;
    corpse shared;
    stage t; /* the same in the shared segment */
    uint32_t lock;
    captive victim;
    pid_t peer;                    /* 0: it has come to its end */
    bool peer_good;                /* and was content */
    bool held;                     /* the captive stands and has the lock */
    size_t n, place[SCENE_PLACES]; /* instructions that change the shared memory, ascending */
} scene;

/* Cases of a part: each operation, in some states, with each kind of lock. */
void scene_plan(const crash_part *self);

/* The case's stage, and a dry run that finds the places.  At most `most` of them are kept, spread
 * evenly, the first and the last among them. */
void scene_open(scene *s, const crash_case *c, crash_board *b, size_t most);
void scene_close(scene *s);
bool scene_wanted(size_t place);

/* The segment as it was, and a captive that has come to this instruction. */
void scene_begin(scene *s, size_t place);

/* A peer that enters the heap and uses it (use: and allocates and frees), and has come so far that it
 * waits for the lock, or is through.  False, and told: it is through although the captive holds the
 * lock. */
bool scene_peer(scene *s, bool use);
/* It still waits. */
bool scene_peer_waits(scene *s);
/* It comes to its end now; false, and told: it was not content. */
bool scene_peer_ends(scene *s);

/* The operation has been left off there, or (over) done to its end: judge what is found. */
bool scene_judge(scene *s, bool over);
/* The captive and the peer are gone. */
void scene_end(scene *s);

#endif
