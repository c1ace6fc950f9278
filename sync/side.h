/* SPDX-License-Identifier: MIT */
/* side.h: one end of a ring between one producer and one consumer: of acre_spsc, acre_bytes, and
 * acre_broadcast, whose producer looks at all consumers.
 *
 *     shared:            head                 tail
 *     ───────────────────┬────────────────────┬──────────────────▶ index
 *                        │ full cells         │ free cells
 *     consumer:          mine ─────── limit ─▶│
 *     producer:                               mine ─── limit ─▶│ head + capacity
 *
 * Both sides are the same machine: from `mine` to `limit` all is this side's own, nobody else
 * touches it.  It uses some, and gives them to the other side by one store of its index.  `limit`
 * is what it knew at its last look; it looks again when that is used up, so the other side's cache
 * line moves once per lap rather than once per message.
 *
 * Killed where?
 *     before the store of the index    what it used is still its own: its successor's
 *     after                            the other side's
 *     in attach, in detach             the role cell tells (cell.h); the index is not touched
 */
#ifndef ACRE_SYNC_SIDE_H
#define ACRE_SYNC_SIDE_H

#include "sync/ring.h"

/* The two sides of a pair: where in it they look and write. */
acre__side acre__side_producer(acre__pair *pair, const acre__ring_plan *plan);
acre__side acre__side_consumer(acre__pair *pair);

/* Take the role and go on where its index stands: 0 and *out; EBUSY, EDEADLK, ACRE_ECORRUPT. */
int acre__side_begin(acre__side *out, acre__side side, const acre__ring_plan *plan);
/* Take the role and begin where the other side stands. */
int acre__side_join(acre__side *out, acre__side side, const acre__ring_plan *plan);
/* EPERM. */
int acre__side_end(acre__side *side);

/* How far it may go: 0, EAGAIN (nowhere), ACRE_ECORRUPT; ACRE_EPEER: nowhere, and the peer is dead.
 */
int acre__side_look(void *side);

/* Make sure of `want`: EPERM, ACRE_ECORRUPT, ACRE_EPEER, and EAGAIN or ETIMEDOUT. */
int acre__side_wait(acre__side *side, const struct timespec *deadline);

static inline int acre__side_ready(acre__side *side, const struct timespec *deadline)
{
    if (__builtin_expect(side->mine != side->limit && side->thread == acre__this_thread.id, 1))
        return 0;
    return acre__side_wait(side, deadline);
}

/* The cell of an index. */
static inline char *acre__side_at(const acre__side *side, uint64_t index)
{
    return side->cells + (index & side->mask) * side->cell;
}

/* All before `next` is the other side's. */
static inline void acre__side_publish(acre__side *side, uint64_t next)
{
    side->mine = next;
    acre__store(side->index, next);
    acre__ring_signal(side->event, ACRE__WAKE_ALL);
}

static inline int acre__side_put(acre__side *side, const void *message,
                                 const struct timespec *deadline)
{
    int e = acre__side_ready(side, deadline);
    if (__builtin_expect(e, 0))
        return e;
    acre__ring_copy(acre__side_at(side, side->mine), message, side->message);
    acre__side_publish(side, side->mine + 1);
    return 0;
}

static inline int acre__side_get(acre__side *side, void *message, const struct timespec *deadline)
{
    int e = acre__side_ready(side, deadline);
    if (__builtin_expect(e, 0))
        return e;
    acre__ring_copy(message, acre__side_at(side, side->mine), side->message);
    acre__side_publish(side, side->mine + 1);
    return 0;
}

int acre__side_put_many(acre__side *side, const void *messages, size_t n, size_t *done,
                        const struct timespec *deadline);
int acre__side_get_many(acre__side *side, void *messages, size_t n, size_t *done,
                        const struct timespec *deadline);

/* Up to *n cells in a row; use them, then give the first so many to the other side (EINVAL: more
 * than there are; EPERM). */
int acre__side_cells(acre__side *side, void **cells, size_t *n, const struct timespec *deadline);
int acre__side_give(acre__side *side, size_t n);

/* For acre_wait_any(). */
bool acre__side_is_ready(void *side);
const uint32_t *acre__side_prepare(void *side, uint32_t *expected);
acre_waitable acre__side_waitable(acre__side *side);

/* ---- a pair, looked at from outside ---- */

/* What lies between the indexes; 0 … capacity. */
uint64_t acre__pair_count(const acre__pair *pair);
/* 0, ACRE_ECORRUPT: the indexes cannot be.  While both sides run, too. */
int acre__pair_check(const acre__pair *pair, const acre__ring_plan *plan);

#endif
