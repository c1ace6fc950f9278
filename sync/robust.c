/* SPDX-License-Identifier: MIT */
/* robust.c: the protocol of robust.h.  Sources: Documentation/locking/robust-futex-ABI.rst of the
 * Linux kernel; the three-state futex mutex of U. Drepper, «Futexes Are Tricky», 2011.
 *
 * The robust list's entries are addresses from which the kernel finds the futex word by adding
 * `futex_offset`, which libc chose for its own mutexes.
 */
#include "sync/robust.h"

#include <pthread.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { ROBUST_SPINS = 64, ROBUST_NAP_NS = 50 * 1000 * 1000 };

__thread acre__robust_self acre__robust_thread;
static __thread struct robust_list_head robust_own_head;

static void robust_forget(void) /* in a forked child: another thread id, and it owns nothing */
{
    if (acre__robust_thread.head)
        acre__robust_announce(acre__robust_thread.head, NULL);
    acre__robust_thread.head = NULL;
}

/* A library's constructor, so that it is there before the first fork. */
__attribute__((constructor)) static void robust_at_fork(void)
{
    pthread_atfork(NULL, NULL, robust_forget);
}

/* A thread that libc did not make (raw clone) has no list: give it one. */
static struct robust_list_head *robust_register(void)
{
    robust_own_head.list.next = &robust_own_head.list;
    syscall(SYS_set_robust_list, &robust_own_head, sizeof robust_own_head);
    return &robust_own_head;
}

static void robust_meet(void)
{
    struct robust_list_head *head = NULL;
    size_t size = 0;
    syscall(SYS_get_robust_list, 0, &head, &size);
    acre__robust_thread.tid = (uint32_t)syscall(SYS_gettid);
    acre__robust_thread.head = head ? head : robust_register();
}

int acre__robust_lock_first(acre__robust *l)
{
    robust_meet();
    return acre__robust_lock(l);
}

static inline bool robust_take(acre__robust *l, uint32_t *seen, uint32_t value)
{
    return __atomic_compare_exchange_n(&l->word, seen, value, false, __ATOMIC_ACQUIRE,
                                       __ATOMIC_RELAXED);
}

static void robust_sleep(acre__robust *l, uint32_t seen)
{
    struct timespec nap = {.tv_nsec = ROBUST_NAP_NS};
    syscall(SYS_futex, &l->word, FUTEX_WAIT, seen, &nap, NULL, 0);
}

void acre__robust_wake(acre__robust *l)
{
    syscall(SYS_futex, &l->word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static inline void robust_pause(unsigned n)
{
    while (n--)
#if defined __x86_64__ || defined __i386__
        __builtin_ia32_pause();
#else
        __asm__ volatile("" ::: "memory");
#endif
}

static bool robust_ownerless(uint32_t word)
{
    return !(word & FUTEX_TID_MASK);
}

/* Wait with growing pauses for the owner to finish.  What was seen last. */
static uint32_t robust_spin(acre__robust *l)
{
    uint32_t seen = __atomic_load_n(&l->word, __ATOMIC_RELAXED);
    for (unsigned wait = 4; wait <= ROBUST_SPINS && !robust_ownerless(seen); wait *= 2) {
        robust_pause(wait);
        seen = __atomic_load_n(&l->word, __ATOMIC_RELAXED);
    }
    return seen;
}

/* Take an ownerless word.  Once we have slept there may be other sleepers, whom a plain word would
 * make our unlock forget: then keep the waiters bit. */
static int robust_claim(acre__robust *l, uint32_t seen, uint32_t mine)
{
    uint32_t waiters = seen & FUTEX_WAITERS;
    if (!robust_take(l, &seen, mine | waiters))
        return EAGAIN;
    return seen & FUTEX_OWNER_DIED ? EOWNERDEAD : 0;
}

int acre__robust_lock_taken(acre__robust *l)
{
    uint32_t tid = acre__robust_thread.tid, mine = tid;
    for (;;) {
        uint32_t seen = robust_spin(l);
        if (robust_ownerless(seen)) {
            int e = robust_claim(l, seen, mine);
            if (e != EAGAIN)
                return e;
            continue;
        }
        if (!(seen & FUTEX_WAITERS) && !robust_take(l, &seen, seen | FUTEX_WAITERS))
            continue;
        robust_sleep(l, seen | FUTEX_WAITERS);
        mine = tid | FUTEX_WAITERS;
    }
}

int acre__robust_trylock(acre__robust *l)
{
    uint32_t seen = __atomic_load_n(&l->word, __ATOMIC_RELAXED);
    if (!acre__robust_thread.head)
        robust_meet();
    struct robust_list_head *head = acre__robust_thread.head;
    if (head->list_op_pending)
        return EDEADLK;
    acre__robust_announce(head, l);
    int e = robust_ownerless(seen) ? robust_claim(l, seen, acre__robust_thread.tid) : EBUSY;
    if (e == 0 || e == EOWNERDEAD)
        return e;
    acre__robust_announce(head, NULL);
    return EBUSY;
}

void acre__robust_orphan(acre__robust *l, uint32_t seen)
{
    if (!robust_ownerless(seen))
        robust_take(l, &seen, FUTEX_OWNER_DIED | (seen & FUTEX_WAITERS));
}
