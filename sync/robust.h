/* SPDX-License-Identifier: MIT */
/* robust.h: the lock of a heap, or of a queue: a robust futex word (self.h), held by being named.
 *
 *    free ──lock──▶ owned ──unlock──▶ free
 *                     │
 *                 owner dies (the kernel sets OWNER_DIED and wakes one waiter)
 *                     ▼
 *                 orphaned ──lock: EOWNERDEAD──▶ owned
 *
 * While it is held its address stays in the thread's `list_op_pending`; it is never put into the
 * list.  That saves the list's stores, and has its price: a thread
 * holds at most one acre__robust at a time and takes no other lock meanwhile (EDEADLK), nor may it
 * lock a robust pthread mutex while holding it (a signal handler could; then a death before the
 * unlock goes unnoticed).  All zero is a free lock.
 *
 * Two ways to wait, of which all users of one lock must take the same.  Slept on: who waits long sets
 * FUTEX_WAITERS and sleeps until the unlock, which therefore must look at the word as it changes it: a
 * second locked instruction.  Polled: nobody ever sleeps on the word, so the unlock is a plain store,
 * an uncontended pair costs one locked instruction, and who waits looks again in growing pauses, at last
 * naps of 1 ms.  A death is seen the same way: the kernel puts OWNER_DIED into the word.
 */
#ifndef ACRE_SYNC_ROBUST_H
#define ACRE_SYNC_ROBUST_H

#include "sync/bug.h"
#include "sync/park.h"

typedef struct acre__robust {
    uint32_t word;
    uint32_t reserved[15]; /* a cache line of its own */
} acre__robust;
_Static_assert(sizeof(acre__robust) == 64, "part of the segment format");

/* 0: taken.  EDEADLK: this thread holds it, or another one, already.  EBUSY: not free; it stays named,
 * for one of the two that wait. */
static inline int acre__robust_lock_free(acre__robust *l)
{
    acre__self *s = acre__self_get();
    uint32_t free = 0;
    if (__builtin_expect(acre__self_busy(s), 0))
        return EDEADLK;
    if (!ACRE_BUG_IS(1))
        acre__announce(s, &l->word);
    return __builtin_expect(acre__cas(&l->word, &free, s->tid), 1) ? 0 : EBUSY;
}

/* After EBUSY: wait asleep, or polling. */
int acre__robust_lock_taken(acre__robust *l, const struct timespec *deadline);
int acre__robust_lock_polled_taken(acre__robust *l);

/* 0: taken.  EOWNERDEAD: taken, and the owner before died holding it.  EDEADLK: this thread
 * holds it, or another one, already.  ETIMEDOUT. */
static inline int acre__robust_lock_until(acre__robust *l, const struct timespec *deadline)
{
    int e = acre__robust_lock_free(l);
    return __builtin_expect(e == EBUSY, 0) ? acre__robust_lock_taken(l, deadline) : e;
}

static inline int acre__robust_lock(acre__robust *l)
{
    return acre__robust_lock_until(l, NULL);
}

/* The same without waiting: EBUSY. */
int acre__robust_trylock(acre__robust *l);

/* Only by the thread that holds it. */
static inline void acre__robust_unlock(acre__robust *l)
{
    uint32_t old = acre__swap(&l->word, 0);
    if (__builtin_expect(old & FUTEX_WAITERS, 0))
        acre__wake(&l->word, 1);
    acre__announce_none(acre__self_here());
}

/* The lock that is polled.  0, EOWNERDEAD, EDEADLK. */
static inline int acre__robust_lock_polled(acre__robust *l)
{
    int e = acre__robust_lock_free(l);
    return __builtin_expect(e == EBUSY, 0) ? acre__robust_lock_polled_taken(l) : e;
}

/* Only by the thread that holds it.  Killed before the store it is still the owner, by name too; after
 * it, the word is free and being named means nothing. */
static inline void acre__robust_unlock_polled(acre__robust *l)
{
    acre__store(&l->word, 0);
    acre__announce_none(acre__self_here());
}

/* As acre__robust_unlock(), and the next owner is told that the one before died. */
void acre__robust_unlock_orphaned(acre__robust *l);

/* For the word of a lock or a cell that was left in a file by another boot of the machine: no owner can
 * be alive.  Marks it orphaned if it still holds `seen`. */
void acre__robust_orphan(uint32_t *word, uint32_t seen);

#endif
