/* SPDX-License-Identifier: MIT */
/* party.h: several processes at one segment of `sharded`, each with its own part of the heap: one of them,
 * the victim, is in the middle of something that concerns the others' nodes.
 *
 *   slots   │ alone …        │ owner's …     │ victim's …    │ other's …     │
 *           as many blocks     its process     captive or      a child of the victim's, which has died
 *           as earn slabs      lives           victim.h's      or stands in the middle of a call
 *
 * Whoever does something says in its slots what it holds; what only the victim knows of, it has «in hand».
 * The scenes are in scenes.c. */
#ifndef ACRE_TESTS_CRASH_PARTY_H
#define ACRE_TESTS_CRASH_PARTY_H

#include "tests/crash/captive.h"
#include "tests/crash/corpse.h"
#include "tests/crash/published.h"

#include <sys/types.h>

enum {
    PARTY_LEAST = 48 << 10, /* the segment as it is created */
    PARTY_SIZE = 64 << 10,
    PARTY_NODE = 64,   /* bytes of the blocks */
    PARTY_ALONE = 140, /* that stand alone: then a thread that asks for one gets a slab */
    PARTY_HELD = 96,   /* slots of each guest */
    PARTY_HANDS = 4
};

enum party_guest { PARTY_OWNER, PARTY_VICTIM, PARTY_OTHER, PARTY_GUESTS };

typedef struct party_scene party_scene;

/* Between the laboratory and the owner. */
typedef struct party_ground {
    volatile uint32_t asked, answered;
    volatile uint32_t wrong; /* a call that must not fail did */
    volatile uint32_t none;  /* the victim came to its end, and there was no room: others took it */
} party_ground;

typedef struct party {
    const crash_case *c;
    crash_board *b;
    const party_scene *scene;
    char *image;             /* PARTY_SIZE bytes: the segment before the guests have come */
    corpse room;             /* the live segment's memory */
    published p;             /* that, open */
    pid_t owner;             /* 0: it is gone */
    captive victim;          /* of frozen.c */
    void *hand[PARTY_HANDS]; /* in the victim: blocks in no slot */
    captive stands;          /* in the victim: the other one, in the middle of a call */
    party_ground *ground;
    corpse copy;    /* what the judge opens */
    uint64_t whole; /* bytes of an empty heap that are free or the algorithm's own, less its size */
    bool ordered;   /* nobody but the victim moves, and each death is an instruction later */
    size_t strangers, named; /* then, as the judge found them last; SIZE_MAX: not yet */
    size_t slabs, chunks;    /* before the victim does it */
    uint64_t seed;
} party;

/* What the victim does.  Blocks in its hand are strangers to all others. */
struct party_scene {
    const char *name;
    void (*before)(party *p); /* the victim's, in peace */
    void (*run)(party *p);    /* the victim's, stepped through, stopped, left off */
    size_t first, last;       /* blocks in hand: when it begins, when it has ended; */
    size_t most;              /* in between at most, if that is more */
    int named;                /* slots more that name a block when it has ended */
    int slabs, chunks;        /* its slabs and the map's chunks: more then (1), fewer (-1) */
    unsigned flags;           /* enum party_flags */
};

enum party_flags {
    PARTY_GROWS = 1,   /* the segment is small when it begins */
    PARTY_INHERITS = 2 /* the owner uses a dead one's slots */
};

extern const party_scene party_scenes[]; /* ended by a name of NULL */

/* Cases of a part: each scene (chosen NULL, or chosen(its index)) with `sharded`, if that is examined. */
void party_plan(const crash_part *self, unsigned seconds, bool (*chosen)(size_t scene));

/* The case's scene, and the segment before anybody comes. */
void party_open(party *p, const crash_case *c, crash_board *b);
void party_close(party *p);

/* The segment as it was, with an owner that has come and filled its slots.  Ends. */
void party_begin(party *p);
void party_end(party *p);

/* The victim's, with the party for argument: for victim.h and captive.h. */
void party_before(void *arg);
void party_run(void *arg);

/* The victim has not begun yet; it has ended, and nobody else has moved: it did what its name says, else the
 * case ends. */
void party_note(party *p);
void party_expect(const party *p);

/* The owner acts: uses its own nodes and the victim's and the dead one's.  Whether it has done so. */
void party_ask(party *p);
bool party_answered(const party *p);

/* ---- party_judge.c ---- */

/* All processes are gone, this is what they left.  over: the victim came to its end.  use_on: random turns
 * on it too.  True: all is as it has to be; else crash_wrong() was told. */
bool party_judge(party *p, const char *image, bool over, bool use_on);

/* Bytes of the heap that are free, or the algorithm's own, less the segment's size. */
uint64_t party_whole(const published *p);

/* ---- scenes.c ---- */

/* A slot of a guest's. */
static inline size_t party_slot(enum party_guest g, size_t i)
{
    return PARTY_ALONE + (size_t)g * PARTY_HELD + i;
}

void party_fill_owner(party *p);
void party_act(party *p, uint32_t turn, uint64_t *seed);

#endif
