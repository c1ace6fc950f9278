/* SPDX-License-Identifier: MIT */
/* park.h: waiting: first spin, then sleep.
 *
 * Sleeping is on a futex word.  A sleeper looks again by itself every 50 ms: whoever should have
 * woken it may have been killed between its store and its wake-up, and a woken thread that is
 * killed before it acts takes the wake-up with it.  So a death costs a waiter 50 ms at most, never
 * more.
 *
 * Spinning is worth while only when the other side runs on another processor, and then for about as
 * long as falling asleep and being woken would take.  Each thread learns whether it pays: each time
 * that it slept after all halves its patience; when that has gone, it tries again after 16 sleeps,
 * then 32, 64 … 1024.  One success brings all of it back.  Before sleeping, the rest of the time
 * slice is given away once: on one processor that often lets the other side answer without a
 * system call to wake anybody.
 *
 * Deadlines are points of CLOCK_MONOTONIC; NULL is never.
 */
#ifndef ACRE_SYNC_PARK_H
#define ACRE_SYNC_PARK_H

#include "sync/self.h"

#include <errno.h>
#include <time.h>

enum { ACRE__NAP_NS = 50 * 1000 * 1000, ACRE__WAKE_ALL = 0x7fffffff };

/* Sleep while *word is `seen`: until woken, for a nap, or to the deadline. */
void acre__park(const uint32_t *word, uint32_t seen, const struct timespec *deadline);

/* Sleep while *pair, both halves, is `seen`; woken by acre__wake() of the lower half.  For a word
 * that may be the same again while what it belongs to has changed. */
void acre__park_both(const uint64_t *pair, uint64_t seen, const struct timespec *deadline);

/* Wake up to n sleepers of the word; how many. */
uint32_t acre__wake(const uint32_t *word, uint32_t n);

/* Whether the deadline is past. */
bool acre__expired(const struct timespec *deadline);

/* A deadline that never comes, for waits to which acre_default_timeout() does not apply. */
extern const struct timespec acre__for_ever;

/* What a lock waits for: the deadline if there is one, else the process's default time-out. */
const struct timespec *acre__lock_deadline(const struct timespec *deadline,
                                           struct timespec *storage);

/* Waiting without a word to sleep on.  Begins with `round` 0 and counts it: short pauses, then the
 * rest of the time slice, then naps that grow to 1 ms, none beyond the deadline. */
void acre__doze(uint32_t *round, const struct timespec *deadline);

/* Sleep on n words (at most 64) at once, each while it is as expected: until one is woken, for a
 * nap, or to the deadline. */
typedef struct acre__sleep {
    const uint32_t *word;
    uint32_t expected;
} acre__sleep;
void acre__park_any(const acre__sleep *list, size_t n, const struct timespec *deadline);

/* Spinning: `while (!done() && acre__spin(&spin)) ;`, then acre__spun(&spin, done()).  Looks come at a
 * distance of so many pauses: short for an answer that is wanted soon; long for a lock, as each look
 * takes the lock's line away from the owner, who would rather finish. */
enum { ACRE__SPIN_SOON = 1, ACRE__SPIN_LOCK = 32 };

typedef struct acre__spinner {
    acre__self *self;
    uint32_t distance;
    uint32_t used; /* pauses so far */
    bool yielded;
} acre__spinner;

static inline acre__spinner acre__spin_begin(uint32_t distance)
{
    return (acre__spinner){acre__self_get(), distance, 0, false};
}

/* Pause; false: patience is at its end. */
bool acre__spin(acre__spinner *spin);

/* Remember whether it paid. */
void acre__spun(acre__spinner *spin, bool paid);

/* ---- events: something has changed, look again ----
 *
 * Bit 0: somebody sleeps.  The rest counts.  The one who changes the state calls signal afterwards:
 * while nobody sleeps that costs a fence and a load.  The one who waits:
 *
 *     uint32_t seen = acre__event_look(e);
 *     if (!ready())
 *         acre__event_sleep(e, seen, deadline);
 */
typedef struct acre__event {
    uint32_t word;
} acre__event;

/* Announce that this thread is going to sleep unless the state is right; look at the state after.
 */
uint32_t acre__event_look(acre__event *e);
void acre__event_sleep(acre__event *e, uint32_t seen, const struct timespec *deadline);

/* Wake up to n sleepers.  The bit stays until it is known that there are no more. */
void acre__event_wake(acre__event *e, uint32_t n);

static inline void acre__event_signal(acre__event *e, uint32_t n)
{
    acre__fence();
    if (__builtin_expect(acre__peek(&e->word) & 1, 0))
        acre__event_wake(e, n);
}

#endif
