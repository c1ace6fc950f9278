/* SPDX-License-Identifier: MIT */
/* robust.h: a process-shared lock whose owner may be killed at any instruction.
 *
 *    free ──lock──▶ owned ──unlock──▶ free
 *                     │
 *                 owner dies (the kernel sets OWNER_DIED and wakes one waiter)
 *                     ▼
 *                 orphaned ──lock: EOWNERDEAD──▶ owned
 *
 * One futex word: 0, or the owner's thread id, with the kernel's bits for «somebody waits» and
 * «owner died».  The kernel learns which lock to look at when a thread dies from the thread's
 * robust list head (set_robust_list(2)), which libc has registered for each thread: the lock's
 * address is put into its `list_op_pending` before the word is taken, and taken out after it is
 * given back.  For that entry the kernel acts in every state: owned (marks it orphaned), free
 * (passes on a wake-up that the dead one took with it), owned by another (nothing).  So there is
 * no instruction at which a kill leaves the lock held.  The price is that of a plain mutex.
 *
 * That place holds one lock, hence a thread holds at most one acre__robust at a time (a second
 * one is refused with EDEADLK), and must not lock a robust pthread mutex while holding it (a
 * signal handler could; then a death before the unlock goes unnoticed).
 *
 * A sleeper looks again by itself every 50 ms: a waiter that is killed between being woken and
 * taking the lock, while a third thread slips in, would otherwise take the wake-up with it.
 *
 * Thread ids are those of the caller's pid namespace: processes of different namespaces must not
 * share one (the kernel could take one's thread for the other's).  All zero is a free lock.
 */
#ifndef ACRE_SYNC_ROBUST_H
#define ACRE_SYNC_ROBUST_H

#include <stdint.h>

typedef struct acre__robust {
    uint32_t word;
    uint32_t reserved[15]; /* a cache line of its own */
} acre__robust;
_Static_assert(sizeof(acre__robust) == 64, "part of the segment format");

/* 0: taken.  EOWNERDEAD: taken, and the owner before died holding it.  EDEADLK: this thread
 * holds it, or another one, already. */
int acre__robust_lock(acre__robust *l);

/* The same without waiting: EBUSY. */
int acre__robust_trylock(acre__robust *l);

/* Only by the thread that holds it. */
void acre__robust_unlock(acre__robust *l);

/* For a lock word that was left in a file by another boot of the machine: no owner can be alive.
 * Marks it orphaned if it still holds `seen`. */
void acre__robust_orphan(acre__robust *l, uint32_t seen);

#endif
