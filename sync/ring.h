/* SPDX-License-Identifier: MIT */
/* ring.h: what all rings share: constants, roles, waiting.
 *
 * Waiting.  The side that changes an index stores it and then looks whether the other side sleeps;
 * the side that goes to sleep says so and then looks at the index.  Each needs its store seen
 * before its load is done.  The sleeper makes that order for both: membarrier(2) puts a full
 * barrier into every running thread of every registered process, at a point of its program that is
 * either before its store of the index, then its look finds the sleeper's word; or after it, then
 * the sleeper's look finds the index.  So the side that runs needs neither fence nor atomic
 * operation.
 *
 *     runs:    index = n;  (compiler's order)  sleeps?
 *     sleeps:  sleeps!;    membarrier          index?  sleep
 *
 * Killed where?  Between the store and the look, or before the wake-up: the sleeper's nap ends.
 */
#ifndef ACRE_SYNC_RING_H
#define ACRE_SYNC_RING_H

#include "sync/kinds.h"
#include "sync/wait.h"
#include <acre/ring.h>

#include <string.h>

/* ---- constants ---- */

/* What a ring is made of. */
typedef struct acre__ring_plan {
    size_t size;  /* of all; 0: numbers out of range */
    size_t cells; /* where they begin */
    uint32_t shift, message, cell, places;
} acre__ring_plan;

/* 1 << shift cells of `cell` bytes behind `header` bytes; capacity is rounded up. */
acre__ring_plan acre__ring_plan_make(size_t header, uint32_t capacity, uint32_t message,
                                     uint64_t cell);

static inline uint64_t acre__ring_round8(uint64_t n)
{
    return (n + 7) & ~(uint64_t)7;
}

/* Zero the header: 0, or EINVAL, ACRE_ETOOSMALL and nothing has changed. */
int acre__ring_begin(void *at, size_t size, const acre__ring_plan *plan);
/* The constants, the tag last, when the rest is ready. */
void acre__ring_publish(acre__ring *ring, uint32_t tag, const acre__ring_plan *plan);

/* The constants of a ring that somebody else made, read once: 0, or an error of attaching. */
int acre__ring_read(const void *ring, size_t size, uint32_t tag, acre__ring *seen);
/* 0 if the plan made from what was read is what was read, and lies in `size` bytes. */
int acre__ring_fits(const acre__ring *seen, const acre__ring_plan *plan, size_t size);

/* Of a ring that is known to be one. */
static inline size_t acre__ring_capacity(const acre__ring *ring)
{
    return (size_t)1 << (acre__peek(&ring->shift) & 31);
}

/* Messages are mostly a word. */
static inline void acre__ring_copy(void *to, const void *from, size_t n)
{
    if (n == 8)
        memcpy(to, from, 8);
    else
        memcpy(to, from, n);
}

/* ---- waiting ---- */

/* As a deadline: EAGAIN instead of waiting. */
extern const struct timespec acre__ring_at_once;

/* From now on this process is reached by sleepers' barriers. */
void acre__ring_meet(acre__ring *ring);

/* Until look(arg) is not EAGAIN, then that.  *slept: whether it slept. */
int acre__ring_wait(acre__ring *ring, uint32_t *event, int (*look)(void *arg), void *arg,
                    const struct timespec *deadline, bool *slept);

/* For acre__wait_methods. */
const uint32_t *acre__ring_prepare(uint32_t *event, uint32_t *expected);

static inline acre__event *acre__ring_event(uint32_t *event)
{
    return (acre__event *)(void *)event;
}

/* After publishing. */
static inline void acre__ring_signal(uint32_t *event, uint32_t n)
{
    acre__order();
    if (__builtin_expect(acre__peek(event) & 1, 0))
        acre__event_wake(acre__ring_event(event), n);
}

/* ---- roles ---- */

/* Make the role this thread's: 0, EBUSY, EDEADLK (a handler that interrupted sync/). */
int acre__role_take(acre_cell *role);
/* 0: it is nobody's or its owner lives; else its owner has died. */
bool acre__role_dead(const acre_cell *role);

#endif
