/* SPDX-License-Identifier: MIT */
/* atomic_explore.h: sync/atomic.h's words for the schedule explorer (explore.h).  In front of each
 * access the explorer may let another thread run, or let this one die. */
#ifndef ACRE_ATOMIC_EXPLORE_H
#define ACRE_ATOMIC_EXPLORE_H

#include <stdbool.h>
#include <stdint.h>

/* `where` is for the trace of a failure. */
void acre__explore_point(const volatile void *address, bool writes, const char *where);
void acre__explore_pause(void);

#define EXPLORE__TEXT(x) #x
#define EXPLORE__LINE(x) EXPLORE__TEXT(x)
#define EXPLORE__POINT(p, writes, op, args)                                                        \
    acre__explore_point(p, writes, __FILE__ ":" EXPLORE__LINE(__LINE__) " " op args)

#define acre__load(p) (EXPLORE__POINT(p, false, "load ", #p), __atomic_load_n(p, __ATOMIC_SEQ_CST))
#define acre__load_full(p) acre__load(p)
#define acre__peek(p) (EXPLORE__POINT(p, false, "peek ", #p), __atomic_load_n(p, __ATOMIC_SEQ_CST))
#define acre__store(p, v)                                                                          \
    (EXPLORE__POINT(p, true, "store ", #p), __atomic_store_n(p, v, __ATOMIC_SEQ_CST))
#define acre__put(p, v)                                                                            \
    (EXPLORE__POINT(p, true, "put ", #p), __atomic_store_n(p, v, __ATOMIC_SEQ_CST))
#define acre__swap(p, v)                                                                           \
    (EXPLORE__POINT(p, true, "swap ", #p), __atomic_exchange_n(p, v, __ATOMIC_SEQ_CST))
#define acre__add(p, v)                                                                            \
    (EXPLORE__POINT(p, true, "add ", #p), __atomic_fetch_add(p, v, __ATOMIC_SEQ_CST))
#define acre__or(p, v)                                                                             \
    (EXPLORE__POINT(p, true, "or ", #p), __atomic_fetch_or(p, v, __ATOMIC_SEQ_CST))
#define acre__and(p, v)                                                                            \
    (EXPLORE__POINT(p, true, "and ", #p), __atomic_fetch_and(p, v, __ATOMIC_SEQ_CST))
#define acre__cas(p, seen, v)                                                                      \
    (EXPLORE__POINT(p, true, "cas ", #p),                                                          \
     __atomic_compare_exchange_n(p, seen, v, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST))

/* The explorer's threads take turns: what one has stored, the next one sees. */
#define acre__fence() ((void)0)
#define acre__order() __atomic_signal_fence(__ATOMIC_SEQ_CST)

#endif
