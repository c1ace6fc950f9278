/* SPDX-License-Identifier: MIT */
/* robust.c: the slow half of robust.h: somebody has the lock. */
#include "sync/robust.h"

static bool robust_ownerless(uint32_t word)
{
    return !(word & FUTEX_TID_MASK);
}

/* Wait with growing pauses for the owner to finish.  What was seen last. */
static uint32_t robust_spin(acre__robust *l)
{
    uint32_t seen = acre__peek(&l->word);
    acre__spinner spin = acre__spin_begin(ACRE__SPIN_LOCK);
    if (robust_ownerless(seen))
        return seen;
    while (!robust_ownerless(seen) && acre__spin(&spin))
        seen = acre__peek(&l->word);
    acre__spun(&spin, robust_ownerless(seen));
    return seen;
}

/* Take an ownerless word.  Once we have slept there may be other sleepers, whom a plain word would
 * make our unlock forget: then keep the waiters bit. */
static int robust_claim(acre__robust *l, uint32_t seen, uint32_t mine)
{
    uint32_t waiters = seen & FUTEX_WAITERS, value = mine | waiters;
    if (!acre__cas(&l->word, &seen, value))
        return EAGAIN;
    return seen & FUTEX_OWNER_DIED ? EOWNERDEAD : 0;
}

/* A sleeper that leaves may have been given a wake-up meant for whoever still sleeps.  0: it is free by
 * now. */
static int robust_give_up(acre__robust *l, uint32_t seen)
{
    while (!robust_ownerless(seen) && !(seen & FUTEX_WAITERS))
        if (acre__cas(&l->word, &seen, seen | FUTEX_WAITERS))
            return ETIMEDOUT;
    return robust_ownerless(seen) ? 0 : ETIMEDOUT;
}

/* Sleep until there may be something new. */
static int robust_wait(acre__robust *l, uint32_t seen, const struct timespec *deadline)
{
    if (acre__expired(deadline))
        return robust_give_up(l, seen);
    if (seen & FUTEX_WAITERS || acre__cas(&l->word, &seen, seen | FUTEX_WAITERS))
        acre__park(&l->word, seen | FUTEX_WAITERS, deadline);
    return 0;
}

/* Not named while it waits: the kernel would take an owner in another pid namespace that has this
 * thread's number for this thread. */
int acre__robust_lock_taken(acre__robust *l, const struct timespec *deadline)
{
    acre__self *s = acre__self_here();
    uint32_t mine = s->tid;
    for (;;) {
        acre__announce_none(s);
        uint32_t seen = robust_spin(l);
        if (robust_ownerless(seen)) {
            acre__announce(s, &l->word);
            int e = robust_claim(l, seen, mine);
            if (e != EAGAIN)
                return e;
            continue;
        }
        if (robust_wait(l, seen, deadline) != 0)
            return ETIMEDOUT;
        mine |= FUTEX_WAITERS;
    }
}

/* The first looks come soon, as in the other way to wait; a stopped owner costs a look in 1 ms. */
int acre__robust_lock_polled_taken(acre__robust *l)
{
    acre__self *s = acre__self_here();
    uint32_t round = 0;
    for (;; acre__doze(&round, NULL)) {
        acre__announce_none(s);
        uint32_t seen = round ? acre__peek(&l->word) : robust_spin(l);
        if (!robust_ownerless(seen))
            continue;
        acre__announce(s, &l->word);
        int e = robust_claim(l, seen, s->tid);
        if (e != EAGAIN)
            return e;
    }
}

int acre__robust_trylock(acre__robust *l)
{
    acre__self *s = acre__self_get();
    uint32_t seen = acre__peek(&l->word);
    if (acre__self_busy(s))
        return EDEADLK;
    acre__announce(s, &l->word);
    int e = robust_ownerless(seen) ? robust_claim(l, seen, s->tid) : EBUSY;
    if (e == 0 || e == EOWNERDEAD)
        return e;
    acre__announce_none(s);
    return EBUSY;
}

void acre__robust_unlock_orphaned(acre__robust *l)
{
    uint32_t old = acre__swap(&l->word, FUTEX_OWNER_DIED);
    if (old & FUTEX_WAITERS)
        acre__wake(&l->word, 1);
    acre__announce_none(acre__self_here());
}

void acre__robust_orphan(uint32_t *word, uint32_t seen)
{
    if (!robust_ownerless(seen))
        acre__cas(word, &seen, FUTEX_OWNER_DIED | (seen & FUTEX_WAITERS));
}
