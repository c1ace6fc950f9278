/* SPDX-License-Identifier: MIT */
/* queue_wait.c: what is rare when the lock is asked for, sleeping for messages or room, and waking.
 *
 *     sleeper                                  the other side
 *     lock                                     lock
 *       nothing there: asked++, note event       put a message there
 *     unlock                                     asked != given: given++, event++
 *     sleep on event while it is as noted      unlock
 *     begin again                              wake one
 *
 * Whoever sleeps without having been counted in asked - given has noted an event that is past, and
 * does not sleep.  Killed between event++ and the wake-up, or woken and killed: sleepers look again
 * after a nap (park.h). */
#include "sync/queue.h"
#include "sync/wait.h"

enum { WAIT_TRIAL = 16, WAIT_GATHER = 128 }; /* waits; pauses */
enum { WAIT_TRY_NS = 1000 * 1000 * 1000, WAIT_LATE_NS = 10 * 1000 * 1000 };

const struct timespec acre__queue_try = {0};

/* ---- the lock ---- */

/* How long to wait for the lock.  A deadline that is near or past is for messages; the lock is free
 * in a moment, unless its owner is stopped. */
static const struct timespec *wait_lock_end(const struct timespec *deadline, struct timespec *end)
{
    if (!deadline)
        return NULL;
    bool try = deadline == &acre__queue_try;
    *end = acre_deadline(try ? WAIT_TRY_NS : WAIT_LATE_NS);
    if (deadline->tv_sec > end->tv_sec ||
        (deadline->tv_sec == end->tv_sec && deadline->tv_nsec > end->tv_nsec))
        return deadline;
    return end;
}

static int wait_recover(acre_queue *q)
{
    int e = acre__queue_recover(q);
    if (e)
        acre__robust_unlock_orphaned(&q->shared->lock);
    return e;
}

int acre__queue_lock_taken(acre_queue *q, const struct timespec *deadline)
{
    struct timespec end;
    int e = acre__robust_lock_taken(&q->shared->lock, wait_lock_end(deadline, &end));
    if (e == EOWNERDEAD)
        return wait_recover(q);
    return e == ETIMEDOUT && deadline == &acre__queue_try ? EBUSY : e;
}

/* ---- waking ---- */

void acre__queue_signal_sleepers(acre__queue_side *side, uint32_t n, acre__queue_wake *wake)
{
    uint32_t asked = acre__peek(&side->asked), given = acre__peek(&side->given);
    if (acre__peek(&side->watched))
        n = ACRE__WAKE_ALL;
    acre__put(&side->given, n < asked - given ? given + n : asked);
    acre__put(&side->watched, (uint32_t)0);
    acre__put(&side->event, acre__peek(&side->event) + 1);
    *wake = (acre__queue_wake){side, n, asked};
}

/* None was there: those counted when this was decided have gone.  Those who came later are counted
 * beyond the mark, so the store may go without the lock, and may be lost. */
static void wait_wake(const acre__queue_wake *wake)
{
    if (wake->n && acre__wake(&wake->side->event, wake->n) == 0)
        acre__put(&wake->side->given, wake->mark);
}

void acre__queue_wake_all(const acre__queue_call *c)
{
    wait_wake(&c->wake);
    wait_wake(&c->trimmed);
}

/* ---- sleeping ---- */

/* Worth taking the lock for. */
static bool wait_over(const acre_queue *q, const acre__queue_side *side)
{
    return acre__queue_maybe(q, side) && acre__ownerless(acre__peek(&q->shared->lock_word));
}

static uint32_t wait_available(const acre_queue *q, const acre__queue_side *side)
{
    uint32_t count = acre__peek(&q->shared->count);
    return side == &q->shared->readable ? count : q->capacity - count;
}

/* How long, in pauses: for a small queue to change from full to empty, for a large one to send or
 * receive some dozens. */
static uint32_t wait_gathering(const acre_queue *q)
{
    uint32_t n = 16 + q->capacity;
    return n < WAIT_GATHER ? n : WAIT_GATHER;
}

/* While both sides work without a break, each message that is taken at once costs both a journey of
 * the lock's line.  So let some gather, if they do: tried now and then, kept up while it pays. */
static void wait_gather(acre_queue *q, const acre__queue_side *side)
{
    acre__queue_gather *g = &q->gather[side == &q->shared->writable];
    uint32_t before = wait_available(q, side), tried = acre__peek(&g->waits) + 1;
    acre__put(&g->waits, tried);
    if (!acre__peek(&g->pays) && tried % WAIT_TRIAL)
        return;
    for (uint32_t i = 0; i < wait_gathering(q); i++)
        acre__pause();
    acre__put(&g->pays, (uint32_t)(wait_available(q, side) > before));
}

static void wait_spin(acre_queue *q, const acre__queue_side *side)
{
    acre__spinner spin = acre__spin_begin(ACRE__SPIN_SOON);
    while (!wait_over(q, side) && acre__spin(&spin))
        ;
    bool over = acre__queue_maybe(q, side);
    acre__spun(&spin, over);
    if (over)
        wait_gather(q, side);
}

static uint32_t wait_ask(acre__queue_side *side)
{
    acre__put(&side->asked, acre__peek(&side->asked) + 1);
    return acre__peek(&side->event);
}

int acre__queue_run_waiting(acre_queue *q, acre__queue_side *side, acre__queue_attempt *attempt,
                            acre__queue_call *c, const struct timespec *deadline)
{
    for (;;) {
        uint32_t seen = 0;
        wait_spin(q, side);
        acre__queue_expect(q, side, c);
        int e = acre__queue_lock(q, deadline);
        if (e)
            return e;
        e = attempt(q, c);
        if (e == EAGAIN)
            seen = wait_ask(side);
        acre__queue_unlock(q);
        acre__queue_wake_all(c);
        if (e != EAGAIN)
            return e;
        if (acre__expired(deadline))
            return ETIMEDOUT;
        acre__park(&side->event, seen, deadline);
    }
}

/* ---- acre_wait_any ---- */

static bool wait_readable(void *q)
{
    return acre__queue_maybe(q, &((acre_queue *)q)->shared->readable);
}

static bool wait_writable(void *q)
{
    return acre__queue_maybe(q, &((acre_queue *)q)->shared->writable);
}

/* Someone who will take nothing: told with all others, so it takes no wake-up from them.  Nobody else
 * may come to find that the dead have left room. */
static const uint32_t *wait_watch(acre_queue *q, acre__queue_side *side, uint32_t *expected)
{
    *expected = acre__peek(&side->event);
    struct timespec soon = acre_deadline(0);
    if (acre__queue_lock(q, &soon) == 0) {
        if (side == &q->shared->writable && !acre__queue_maybe(q, side))
            acre__queue_reclaim(q);
        acre__put(&side->watched, (uint32_t)1);
        *expected = acre__peek(&side->event);
        acre__queue_unlock(q);
    }
    return &side->event;
}

static const uint32_t *wait_watch_readable(void *q, uint32_t *expected)
{
    return wait_watch(q, &((acre_queue *)q)->shared->readable, expected);
}

static const uint32_t *wait_watch_writable(void *q, uint32_t *expected)
{
    return wait_watch(q, &((acre_queue *)q)->shared->writable, expected);
}

static const struct acre__wait_methods wait_readable_methods = {wait_readable, wait_watch_readable,
                                                                NULL};
static const struct acre__wait_methods wait_writable_methods = {wait_writable, wait_watch_writable,
                                                                NULL};

acre_waitable acre_queue_readable(acre_queue *q)
{
    return (acre_waitable){q, &wait_readable_methods};
}

acre_waitable acre_queue_writable(acre_queue *q)
{
    return (acre_waitable){q, &wait_writable_methods};
}
