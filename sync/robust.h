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

#include <errno.h>
#include <linux/futex.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct acre__robust {
    uint32_t word;
    uint32_t reserved[15]; /* a cache line of its own */
} acre__robust;
_Static_assert(sizeof(acre__robust) == 64, "part of the segment format");

/* This thread, as the kernel sees it: its robust list's head, NULL before the first lock. */
typedef struct acre__robust_self {
    struct robust_list_head *head;
    uint32_t tid;
} acre__robust_self;
extern __thread acre__robust_self acre__robust_thread
    __attribute__((tls_model("initial-exec"), visibility("hidden")));

int acre__robust_lock_first(acre__robust *l); /* this thread's first lock */
int acre__robust_lock_taken(acre__robust *l); /* somebody has it */
void acre__robust_wake(acre__robust *l);

/* Tell the kernel which lock this thread is about.  The pending entry is the only part of the list
 * that is used; for it the kernel adds futex_offset and looks at the word, nothing else is read or
 * written there.  Volatile, and the fence, keep it before and after the accesses to the word. */
static inline void acre__robust_announce(struct robust_list_head *head, acre__robust *l)
{
    char *entry = l ? (char *)&l->word - head->futex_offset : NULL;
    *(struct robust_list *volatile *)&head->list_op_pending = (struct robust_list *)entry;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

/* 0: taken.  EOWNERDEAD: taken, and the owner before died holding it.  EDEADLK: this thread
 * holds it, or another one, already. */
static inline int acre__robust_lock(acre__robust *l)
{
    struct robust_list_head *head = acre__robust_thread.head;
    uint32_t free = 0;
    if (__builtin_expect(!head, 0))
        return acre__robust_lock_first(l);
    if (__builtin_expect(head->list_op_pending != NULL, 0))
        return EDEADLK;
    acre__robust_announce(head, l);
    if (__builtin_expect(__atomic_compare_exchange_n(&l->word, &free, acre__robust_thread.tid, false,
                                                     __ATOMIC_ACQUIRE, __ATOMIC_RELAXED),
                         1))
        return 0;
    return acre__robust_lock_taken(l);
}

/* The same without waiting: EBUSY. */
int acre__robust_trylock(acre__robust *l);

/* Only by the thread that holds it. */
static inline void acre__robust_unlock(acre__robust *l)
{
    uint32_t old = __atomic_exchange_n(&l->word, 0, __ATOMIC_RELEASE);
    if (__builtin_expect(old & FUTEX_WAITERS, 0))
        acre__robust_wake(l);
    acre__robust_announce(acre__robust_thread.head, NULL);
}

/* For a lock word that was left in a file by another boot of the machine: no owner can be alive.
 * Marks it orphaned if it still holds `seen`. */
void acre__robust_orphan(acre__robust *l, uint32_t seen);

#endif
