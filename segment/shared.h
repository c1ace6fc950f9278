/* SPDX-License-Identifier: MIT */
/* shared.h: what references with counts keep in the segment.
 *
 *   directory            holder's block                 control block
 *   +--------------+     +------+------+-------+        +------+-------+--------+------+ - - - - +
 *   | head · fresh | ──▶ | cell | next | slots | ─────▶ | cell | state | object | step | object  |
 *   +--------------+     +------+------+-------+        +------+-------+--------+------+ - - - - +
 *                          its thread holds it            a lock, held for one step      of make()
 *
 * A reference is {control, object}; what a kill can leave of one:
 *
 *   control  object
 *   0        0        empty
 *   c        o        it counts, but if c's record says that it is being made or released
 *   c        0        the same, half filled or half emptied: c's record tells; or c's object is gone, and c goes next
 *   0        c        a block that is to be a control block: the reference is not there yet
 *   c        c        it is there, but for the object's offset, which c knows
 */
#ifndef ACRE_SEGMENT_SHARED_H
#define ACRE_SEGMENT_SHARED_H

#include "sync/kinds.h"
#include <acre/shared.h>

#define SHARED_CONTROL ACRE__TAG(64) /* tags of the cells */
#define SHARED_ENDED ACRE__TAG(65)   /* a control block that nobody refers to but who frees it */
#define SHARED_NODE ACRE__TAG(66)

/* Holders of references. */
typedef struct shared_directory {
    acre_off head;  /* the first holder's block */
    acre_off fresh; /* a block that is not in the list: not yet, or not any more; else 0 */
    uint64_t reserved[2];
} shared_directory;

/* Of a control block: what is under way, in the state's highest bits. */
enum shared_step {
    SHARED_IDLE,
    SHARED_COPY,         /* `to` is filled: undone */
    SHARED_COPY_WEAK,
    SHARED_RELEASE,      /* `to` is emptied: done */
    SHARED_RELEASE_WEAK, /* also by the last shared one, for all of them */
    SHARED_MOVE,         /* from `from` into `to`: done */
    SHARED_TAKE,         /* `to` is filled from private memory, or emptied into it: `from` is its object; its
                            control tells which */
    SHARED_ADOPT         /* the block that `from` names is `object` by now: `from` is emptied */
};

enum { SHARED_COUNT_BITS = 28 };

#define SHARED_MOST (((uint64_t)1 << SHARED_COUNT_BITS) - 1)
#define SHARED_USE ((uint64_t)1)
#define SHARED_WEAK ((uint64_t)1 << SHARED_COUNT_BITS) /* all shared ones together hold one */
#define SHARED_OWN_BLOCK ((uint64_t)1 << 56)           /* the object has a block of its own */
#define SHARED_DELETED ((uint64_t)1 << 57)             /* its deleter has returned */
#define SHARED_STEP_SHIFT 60

typedef struct shared_control {
    acre_cell cell;
    uint64_t state;  /* counts, flags, step: one store changes them together */
    acre_off object; /* 0: its block is freed */
    acre_off to, from; /* slots that the step concerns; 0: one that is no business of others */
    uint32_t deleter, reserved;
} shared_control;

typedef struct shared_node {
    acre_cell cell; /* without an owner: to be reaped */
    acre_off next;
    acre_off prey; /* a block out of the list that its owner is emptying */
    acre_off busy; /* the control block that its owner touched last */
    uint32_t shared, weak;
    uint64_t reserved;
    acre_shared spare; /* of acre_shared_assign() */
    acre_shared slot[]; /* then the weak ones */
} shared_node;

_Static_assert(sizeof(shared_directory) == 32, "segment format");
_Static_assert(sizeof(shared_control) == 80, "segment format");
_Static_assert(offsetof(shared_control, state) == 40, "segment format");
_Static_assert(sizeof(shared_node) == 96, "segment format");
_Static_assert(offsetof(shared_node, spare) == 80, "segment format");

static inline uint64_t shared_uses(uint64_t state)
{
    return state & SHARED_MOST;
}

static inline uint64_t shared_weaks(uint64_t state)
{
    return state >> SHARED_COUNT_BITS & SHARED_MOST;
}

static inline enum shared_step shared_step_of(uint64_t state)
{
    return (enum shared_step)(state >> SHARED_STEP_SHIFT);
}

/* ---- shared_control.c: a control block's lock and its steps ---- */

/* Bytes of the segment that may be looked at. */
uint64_t acre__shared_room(const acre_segment *s);

/* NULL: none can be there. */
shared_control *acre__shared_at(const acre_segment *s, acre_off at);
/* NULL, or it says that it is one. */
shared_control *acre__shared_known(const acre_segment *s, acre_off at);

/* Lock it and finish what a dead one was about; 0, EROFS, ACRE_ECORRUPT, EDEADLK, ETIMEDOUT. */
int acre__shared_lock(const acre_segment *s, acre_off at, shared_control **c);
void acre__shared_unlock(shared_control *c);
/* The same if its owner has died with it, else nothing.  It need not be one (any more). */
void acre__shared_heal(const acre_segment *s, acre_off at);

/* With the lock; each is one step.  One more of `more` (SHARED_USE or SHARED_WEAK) in *to, which is empty. */
void acre__shared_add(const acre_segment *s, shared_control *c, acre_reference *to, acre_off object,
                      uint64_t more);
/* One less, and it was not the last. */
void acre__shared_subtract(const acre_segment *s, shared_control *c, acre_reference *r, uint64_t less);
void acre__shared_move(const acre_segment *s, shared_control *c, acre_reference *to,
                       acre_reference *from);
void acre__shared_flag(shared_control *c, uint64_t flag);

/* *r names c: empty it. */
void acre__reference_clear(acre_reference *r);
void acre__reference_fill(acre_reference *r, acre_off control, acre_off object);

/* ---- shared_release.c: what ends ---- */

/* Have the heap undo what a dead one has not finished, if there is anything. */
void acre__reference_undo(const acre_segment *s);

/* Unfinished by who made it: finish or undo that.  Another's steps are not touched. */
int acre__reference_mend(const acre_segment *s, acre_reference *r);

/* Release it; ACRE_EDELETER: it is there still, and the last one, of an object that must not be used any more. */
int acre__shared_let_go(acre_segment *s, acre_reference *r);
int acre__weak_let_go(acre_segment *s, acre_reference *r);

/* ---- shared_node.c: the list of holders; each call is one step under the heap's lock ---- */

/* NULL: none can be there. */
shared_node *acre__node_at(const acre_segment *s, acre_off at);
int acre__node_new(acre_segment *s, uint32_t shared, uint32_t weak, shared_node **node);
/* Its owner's thread: out of the list and freed; or left for who reaps. */
int acre__node_drop(acre_segment *s, shared_node *n);
int acre__node_leave(acre_segment *s, shared_node *n);
/* The first one without an owner becomes mine->prey; ENOENT: there is none. */
int acre__node_catch(acre_segment *s, shared_node *mine);
/* n->prey goes to the list's end. */
int acre__node_return(acre_segment *s, shared_node *n);
/* How many have no owner. */
int acre__node_orphans(acre_segment *s, uint64_t *n);

/* ---- shared_holder.c ---- */

/* This thread is about to lock the control block at `at`. */
void acre__holder_note(const acre_segment *s, acre_off at);
/* The first holder's block of this thread in the segment; NULL: it has none. */
shared_node *acre__holder_mine(const acre_segment *s);
/* The last reference to what cannot be destroyed here: into a block of nobody's. */
int acre__holder_condemn(acre_segment *s, acre_reference *r);

/* ---- deleter.c ---- */

/* 0: it has run, or there is nothing to run. */
int acre__deleter_run(acre_segment *s, uint32_t id, void *object);
bool acre__deleter_known(uint32_t id);

#endif
