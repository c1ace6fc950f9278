/* SPDX-License-Identifier: MIT */
/* queue.h: a message queue as it lies in shared memory, and what its files share.
 *
 * The lock (robust.h) protects the index: free places, those in somebody's hands, the lanes, the
 * heap, the units.  None of it is the truth: whoever gets the lock from a dead owner makes the
 * index anew (queue_recover.c).  So stores to it need no order, and no answer to «killed here?».
 * The truth is in each place:
 *
 *                 hold                  commit               hold                  put back
 *      FREE ───────────────▶ FILLING ───────────▶ FULL ───────────────▶ READING ───────────▶ FREE
 *       │   owner = sender              owner = 0   ▲  owner = receiver                        ▲
 *       └────────── small message: one step ────────┘────────── small message: one step ───────┘
 *
 * All arrows are one store under the lock; before each stands what must be true after it.  `word`
 * is the place's owner, a robust cell:
 *
 *      killed                                         found                 becomes
 *      holding, before the owner is stored            FREE or FULL, 0       the same
 *      before the state is stored                     FREE or FULL, died    the same, no owner
 *      while FILLING or READING                       …, died               FREE
 *      committing, before the state is stored         FILLING, died         FREE
 *      after it                                       FULL, died            FULL, no owner
 *      putting back, after the state is stored        FREE, died            FREE, no owner
 *
 * A place is claimed under the lock only, so storing the owner needs no atomic operation; it goes
 * into the thread's robust list *before* that (a free cell in a dead one's list is nothing to the
 * kernel), and out of it after the word is 0 again.
 */
#ifndef ACRE_SYNC_QUEUE_H
#define ACRE_SYNC_QUEUE_H

#include "sync/kinds.h"
#include "sync/robust.h"
#include <acre/queue.h>

enum {
    ACRE__QUEUE_KIND = 32, /* of a file */
    ACRE__QUEUE_UNIT = 64, /* bytes */
    ACRE__QUEUE_LANES = 64,
    ACRE__QUEUE_EXPECT = 32,       /* places; a processor has about as many lines on their way */
    ACRE__QUEUE_NONE = 0xffffffff, /* no place */
};

/* Of the path that every message takes: also where the compiler would make it a call. */
#define ACRE__HOT static inline __attribute__((always_inline))

/* ---- the shared part ---- */

enum { ACRE__PLACE_FREE, ACRE__PLACE_FILLING, ACRE__PLACE_FULL, ACRE__PLACE_READING };

typedef struct acre__place {
    union {
        acre_cell cell;
        struct {
            uint32_t word;  /* owner */
            uint32_t state; /* the truth; the rest is valid if it says so */
            uint64_t order; /* FULL: unique, rising */
            uint32_t priority, size;
            uint32_t previous, reserved; /* in the list of those in hands */
            uint64_t robust;
        };
    };
    uint32_t unit, units; /* byte mode, not FREE: its part of the area */
} acre__place;
_Static_assert(sizeof(acre__place) == 48, "queue format");
_Static_assert(offsetof(acre__place, robust) == offsetof(acre_cell, next), "queue format");

/* Those who wait on one side.  Sleepers ask and are given wake-ups; both numbers change under the
 * lock, so a signal needs no fence: who finds nothing asks in the same hold.  asked - given may be
 * too high (the dead, those who left), never too low; one wake-up that finds nobody sets it right.
 */
typedef struct acre__queue_side {
    uint32_t event; /* futex word: changes with each wake-up */
    uint32_t asked, given;
    uint32_t watched; /* somebody sleeps who will take nothing: wake all */
} acre__queue_side;

typedef struct acre__lane {
    uint32_t head, tail;
} acre__lane;

typedef struct acre__queue_constants {
    uint32_t tag, capacity, max_size, reserved0;
    uint64_t bytes, size;
    uint64_t reserved[4];
} acre__queue_constants;

typedef struct acre__queue {
    acre__queue_constants constants;
    /* What every call needs, in one line with the lock: it comes with the lock. */
    union {
        acre__robust lock;
        struct {
            uint32_t lock_word;
            uint32_t free;  /* first free place */
            uint64_t order; /* the last one given */
            uint64_t lanes; /* bit p: lane[p] is not empty */
            uint32_t count; /* FULL places */
            uint32_t last;  /* of the free places, if there are any */
            acre__queue_side readable, writable;
        };
    };
    uint32_t hands; /* first place in somebody's hands */
    uint32_t rover; /* unit from which to look for free ones */
    uint32_t high;  /* FULL places in the heap */
    uint32_t reserved[13];
    acre__lane lane[ACRE__QUEUE_LANES];
} acre__queue;
_Static_assert(offsetof(acre__queue, lock_word) == 64, "queue format");
_Static_assert(offsetof(acre__queue, hands) == 128, "queue format");
_Static_assert(sizeof(acre__queue) == 704, "queue format");

/* ---- this process's part ---- */

typedef struct acre__queue_poll acre__queue_poll;

/* Whether it pays to let messages, or room, gather before they are taken (queue_wait.c). */
typedef struct acre__queue_gather {
    uint32_t waits, pays;
} acre__queue_gather;

/* Copies of the constants, checked once, and where things are. */
struct acre_queue {
    acre__queue *shared;
    uint32_t *link;  /* next place in a lane, among the free, or in hands */
    uint32_t *heap;  /* places with priorities above the lanes' */
    uint64_t *used;  /* byte mode: bit u: unit u belongs to a place */
    uint8_t *places; /* capacity × stride bytes */
    uint8_t *area;   /* byte mode: the units */
    uint32_t capacity, max_size, units, stride;
    uint64_t size;
    void *mapping; /* header of the file, if opened by name */
    acre__queue_poll *poll;
    acre__queue_gather gather[2]; /* by side; hints */
};

/* ---- places ---- */

static inline acre__place *acre__place_at(const acre_queue *q, uint32_t i)
{
    return (acre__place *)(q->places + (size_t)i * q->stride);
}

/* Number read from shared memory: may be anything. */
static inline bool acre__place_exists(const acre_queue *q, uint32_t i)
{
    return __builtin_expect(i < q->capacity, 1);
}

/* Where its message lies; NULL: not `size` bytes inside the queue. */
static inline uint8_t *acre__place_data(const acre_queue *q, uint32_t i, uint32_t size)
{
    acre__place *p = acre__place_at(q, i);
    if (__builtin_expect(size > q->max_size, 0))
        return NULL;
    if (!q->units)
        return (uint8_t *)(p + 1);
    uint32_t unit = acre__peek(&p->unit);
    uint64_t needed = ((uint64_t)size + ACRE__QUEUE_UNIT - 1) / ACRE__QUEUE_UNIT;
    return unit + needed <= q->units ? q->area + (uint64_t)unit * ACRE__QUEUE_UNIT : NULL;
}

/* The stores of the truth: after what they say, before what relies on it. */
static inline void acre__place_set(acre__place *p, uint32_t state)
{
    acre__order();
    acre__put(&p->state, state);
    acre__order();
}

/* ---- the lock, and waiting: queue_wait.c ---- */

/* As a deadline: do not wait for messages or room. */
extern const struct timespec acre__queue_try;

/* Somebody has the lock, or died with it. */
int acre__queue_lock_taken(acre_queue *q, const struct timespec *deadline);

/* 0: held, and the index is right.  ETIMEDOUT, EBUSY (for a second: its owner is stopped), EDEADLK,
 * ACRE_ECORRUPT. */
ACRE__HOT int acre__queue_lock(acre_queue *q, const struct timespec *deadline)
{
    acre__self *s = acre__self_get();
    uint32_t free = 0;
    if (__builtin_expect(acre__self_busy(s), 0))
        return EDEADLK;
    acre__announce(s, &q->shared->lock.word);
    if (__builtin_expect(acre__cas(&q->shared->lock.word, &free, s->tid), 1))
        return 0;
    return acre__queue_lock_taken(q, deadline);
}

static inline void acre__queue_unlock(acre_queue *q)
{
    acre__robust_unlock(&q->shared->lock);
}

/* Wake-ups decided on under the lock, given after it. */
typedef struct acre__queue_wake {
    acre__queue_side *side;
    uint32_t n, mark;
} acre__queue_wake;

void acre__queue_signal_sleepers(acre__queue_side *side, uint32_t n, acre__queue_wake *wake);

/* By the owner of the lock, once for each wake: n more may come. */
static inline void acre__queue_signal(acre__queue_side *side, uint32_t n, acre__queue_wake *wake)
{
    bool nobody = acre__peek(&side->asked) == acre__peek(&side->given);
    if (__builtin_expect(!nobody || acre__peek(&side->watched), 0))
        acre__queue_signal_sleepers(side, n, wake);
}

/* One call on a queue, tried again and again under the lock: 0, EAGAIN (wait), or an error. */
typedef struct acre__queue_call acre__queue_call;
typedef int acre__queue_attempt(acre_queue *q, acre__queue_call *c);

void acre__queue_wake_all(const acre__queue_call *c);
int acre__queue_run_waiting(acre_queue *q, acre__queue_side *side, acre__queue_attempt *attempt,
                            acre__queue_call *c, const struct timespec *deadline);

typedef struct acre__queue_batch acre__queue_batch;

struct acre__queue_call {
    acre__queue_wake wake, trimmed;
    uint8_t *data;  /* in the queue; of a small one to send: aside */
    uint8_t *aside; /* ACRE_QUEUE_SMALL bytes; NULL: receive in place */
    size_t room;    /* of the receiver */
    uint32_t size, priority, place;
    bool hold; /* it was received in place: in this thread's hands */
    acre__queue_batch *batch;
};

static inline bool acre__queue_maybe(const acre_queue *q, const acre__queue_side *side)
{
    const acre__queue *s = q->shared;
    return side == &s->readable ? acre__peek(&s->count) != 0
                                : acre__peek(&s->free) != ACRE__QUEUE_NONE;
}

/* Before the lock is taken: the lines that will be used come meanwhile.  The links may be changing: no
 * more than a hint. */
ACRE__HOT void acre__queue_expect(const acre_queue *q, const acre__queue_side *side,
                                  const acre__queue_call *c)
{
    const acre__queue *s = q->shared;
    bool sends = side == &s->writable;
    uint32_t n = c->batch ? ACRE__QUEUE_EXPECT : 1;
    uint32_t best = 63 - (uint32_t)__builtin_clzll(acre__peek(&s->lanes) | 1);
    const acre__lane *lane = &s->lane[sends ? c->priority & (ACRE__QUEUE_LANES - 1) : best];
    acre__expect(lane);
    uint32_t i = sends ? acre__peek(&s->free) : acre__peek(&lane->head);
    if (i < q->capacity)
        acre__expect(&q->link[i]);
    for (; n && i < q->capacity; n--, i = acre__peek(&q->link[i])) {
        acre__expect(acre__place_at(q, i));
        acre__expect(q->places + (size_t)i * q->stride + 64);
    }
}

/* The attempt once; its wake-ups are given.  EAGAIN: not possible now. */
ACRE__HOT int acre__queue_once(acre_queue *q, acre__queue_attempt *attempt, acre__queue_call *c,
                               const struct timespec *deadline)
{
    int e = acre__queue_lock(q, deadline);
    if (e)
        return e;
    e = attempt(q, c);
    acre__queue_unlock(q);
    if (__builtin_expect(c->wake.n | c->trimmed.n, 0))
        acre__queue_wake_all(c);
    return e;
}

/* The attempt until it succeeds: at once if it looks possible, else after waiting. */
ACRE__HOT int acre__queue_run(acre_queue *q, acre__queue_side *side, acre__queue_attempt *attempt,
                              acre__queue_call *c, const struct timespec *deadline)
{
    int e = EAGAIN;
    if (deadline == &acre__queue_try || acre__queue_maybe(q, side)) {
        acre__queue_expect(q, side, c);
        e = acre__queue_once(q, attempt, c, deadline);
    }
    if (__builtin_expect(e != EAGAIN || deadline == &acre__queue_try, 1))
        return e;
    return acre__queue_run_waiting(q, side, attempt, c, deadline);
}

/* ---- the index: queue_index.h and .c, queue_heap.c, queue_units.c ---- */

void acre__queue_hands_push(acre_queue *q, uint32_t i);
void acre__queue_hands_remove(acre_queue *q, uint32_t i);

/* Into and out of this thread's hands. */
void acre__queue_hold(acre_queue *q, uint32_t i, uint32_t state);
void acre__queue_let_go(acre_queue *q, uint32_t i);
/* Whether it is in this thread's hands, in this state. */
bool acre__queue_mine(const acre_queue *q, uint32_t i, uint32_t state);

/* Heap of places, best first. */
bool acre__queue_heap_push(acre_queue *q, uint32_t i);
uint32_t acre__queue_heap_pop(acre_queue *q); /* ACRE__QUEUE_NONE: damaged */
/* Whether the message in place a goes before the one in b. */
bool acre__queue_before(const acre_queue *q, uint32_t a, uint32_t b);

/* Byte mode: n units in one piece.  ACRE__QUEUE_NONE: there are not. */
uint32_t acre__units_take(acre_queue *q, uint32_t n);
/* Mark or free n units; false: not in the area, or marked already. */
bool acre__units_mark(acre_queue *q, uint32_t unit, uint32_t n);
void acre__units_give(acre_queue *q, uint32_t unit, uint32_t n);

static inline uint32_t acre__units_for(const acre_queue *q, uint32_t size)
{
    return q->units ? (size + ACRE__QUEUE_UNIT - 1) / ACRE__QUEUE_UNIT : 0;
}

/* ---- after deaths: queue_recover.c ---- */

/* Places that dead ones held are free again; how many. */
uint32_t acre__queue_reclaim(acre_queue *q);
/* Make the index anew from the places.  0, ACRE_ECORRUPT. */
int acre__queue_recover(acre_queue *q);
/* Give up a place without the lock: as if this thread had died with it. */
void acre__queue_drop(acre_queue *q, uint32_t i);

/* ---- making, finding, handles: queue.c ---- */

/* 0, or what is wrong with the options. */
int acre__queue_options_error(const acre_queue_options *o);
int acre__queue_attach_mapped(acre_queue **out, void *memory, size_t size, void *mapping);
void acre__queue_poll_end(acre_queue *q);
/* A receiver found nothing. */
void acre__queue_poll_empty(acre_queue *q);

/* ---- common to sending, receiving and batches ---- */

struct acre__queue_batch {
    uint32_t n, done;
    uint32_t size[ACRE_QUEUE_BATCH], priority[ACRE_QUEUE_BATCH];
    uint8_t aside[ACRE_QUEUE_BATCH][ACRE_QUEUE_SMALL];
};

/* Copy what was taken to the caller's memory; finish. */
void acre__queue_hand_over(acre_queue *q, const acre__queue_call *c, void *buffer,
                           const struct timespec *deadline);

/* Free a place in this thread's hands; if the lock is not to be had in time, drop it. */
void acre__queue_finish(acre_queue *q, uint32_t i, const struct timespec *deadline);

/* How many senders to wake when a message has left: in byte mode one may not fit, another would. */
static inline uint32_t acre__queue_senders(const acre_queue *q, uint32_t n)
{
    return q->units ? ACRE__WAKE_ALL : n;
}

#endif
