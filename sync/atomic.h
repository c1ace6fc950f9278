/* SPDX-License-Identifier: MIT */
/* atomic.h: the words of atomics that sync/ is written in.
 *
 * Each access to memory that several threads see goes through one of these, so that the schedule
 * explorer (tests/explore/) can put its own in their place: with -DACRE_EXPLORE='"header"' every
 * access becomes a point where another thread may run, or this one may die.
 *
 * Two kinds of order are needed.  Between processes that run: acquire, release, and the full order
 * of read-modify-writes.  For whoever looks after a kill: only the compiler's, because all stores
 * that a killed thread retired are seen by everybody; that is acre__order().
 */
#ifndef ACRE_SYNC_ATOMIC_H
#define ACRE_SYNC_ATOMIC_H

#include <stdbool.h>
#include <stdint.h>

#ifdef ACRE_EXPLORE
#include ACRE_EXPLORE
#else

#define acre__load(p) __atomic_load_n(p, __ATOMIC_ACQUIRE)
#define acre__load_full(p)                                                                         \
    __atomic_load_n(p, __ATOMIC_SEQ_CST)                   /* not before an earlier swap, cas … */
#define acre__peek(p) __atomic_load_n(p, __ATOMIC_RELAXED) /* a hint, checked later */
#define acre__store(p, v) __atomic_store_n(p, v, __ATOMIC_RELEASE)
#define acre__put(p, v)                                                                            \
    __atomic_store_n(p, v, __ATOMIC_RELAXED) /* read by the owner, or after a kill */
#define acre__swap(p, v) __atomic_exchange_n(p, v, __ATOMIC_SEQ_CST)
#define acre__add(p, v) __atomic_fetch_add(p, v, __ATOMIC_SEQ_CST)
#define acre__or(p, v) __atomic_fetch_or(p, v, __ATOMIC_SEQ_CST)
#define acre__and(p, v) __atomic_fetch_and(p, v, __ATOMIC_SEQ_CST)

/* If *p is *seen make it v, else put what it is into *seen. */
#define acre__cas(p, seen, v)                                                                      \
    __atomic_compare_exchange_n(p, seen, v, false, __ATOMIC_SEQ_CST, __ATOMIC_ACQUIRE)

/* Stores before it are seen before loads after it are done.  The thread sanitizer knows no fences;
 * to the processor the other one is as good. */
#ifdef __SANITIZE_THREAD__
#define acre__fence() ((void)acre__add(&(uint32_t){0}, 0))
#else
#define acre__fence() __atomic_thread_fence(__ATOMIC_SEQ_CST)
#endif

/* For a sequence lock.  After_mark: whoever sees a store behind it also sees, behind its own before_look,
 * the stores in front of it.  On x86 for the compiler only.  (The thread sanitizer knows no fences.) */
#ifdef __SANITIZE_THREAD__
#define acre__after_mark() __atomic_signal_fence(__ATOMIC_SEQ_CST)
#define acre__before_look() __atomic_signal_fence(__ATOMIC_SEQ_CST)
#else
#define acre__after_mark() __atomic_thread_fence(__ATOMIC_RELEASE)
#define acre__before_look() __atomic_thread_fence(__ATOMIC_ACQUIRE)
#endif

/* The order in which a survivor finds this thread's stores. */
#define acre__order() __atomic_signal_fence(__ATOMIC_SEQ_CST)

#endif

/* This line will be written soon: it may come meanwhile.  (gcc has the instruction only for newer
 * processors; on others it does nothing.) */
static inline void acre__expect(const void *line)
{
#if defined __x86_64__
    __asm__ volatile("prefetchw %0" : : "m"(*(const char *)line));
#else
    __builtin_prefetch(line, 1);
#endif
}

/* Tell the processor that this is a waiting loop. */
static inline void acre__pause(void)
{
#if defined ACRE_EXPLORE
    acre__explore_pause();
#elif defined __x86_64__ || defined __i386__
    __builtin_ia32_pause();
#elif defined __aarch64__
    __asm__ volatile("yield" ::: "memory");
#else
    __asm__ volatile("" ::: "memory");
#endif
}

#endif
