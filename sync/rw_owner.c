/* SPDX-License-Identifier: MIT */
/* rw_owner.c: who may write, or wants to. */
#include "sync/rw.h"

static int owner_refuse(const acre__self *s, const acre__rw *m, uint64_t both)
{
    uint32_t tid = rw_word(both) & ACRE__TID;
    if (tid == ACRE__NEVER)
        return ENOTRECOVERABLE;
    if (acre__self_busy(s) || (tid == s->tid && acre__self_holds(s, &m->owner)))
        return EDEADLK;
    return 0;
}

/* From a dead writer.  One that died before it had looked for readers may have left some in: it did
 * not write, yet whoever comes next is told, and exclusively is not before they are out.  (Only a
 * thread that reads itself can know better; it frees the lock and looks again.) */
static int owner_succeed(acre__self *s, acre__rw *m)
{
    s->unhealed++;
    if (acre__rw_place(s, m) != RW_NOBODY) {
        acre__rw_disown(s, m, 0);
        return EAGAIN;
    }
    if (acre__rw_read_on(m, RW_NOBODY)) {
        acre__rw_disown(s, m, rw_both(ACRE__D, RW_EXCLUSIVE));
        return EBUSY;
    }
    acre__put(&m->owner.count, (uint32_t)ACRE_EXCLUSIVE);
    return EOWNERDEAD;
}

/* Of one who wrote and died, D and the mode stay; all others leave nothing behind. */
static int owner_take(acre__self *s, acre__rw *m, uint64_t seen, enum rw_mode mode,
                      uint32_t waiters)
{
    bool dead = rw_dead(seen);
    uint32_t word = s->tid | (rw_word(seen) & ACRE__W) | waiters | (dead ? ACRE__D : 0);
    if (!rw_owner_claim(s, m, &seen, rw_both(word, dead ? RW_EXCLUSIVE : mode)))
        return EAGAIN;
    s->owned = 0;
    return dead ? owner_succeed(s, m) : 0;
}

bool acre__rw_inherit(acre__self *s, acre__rw *m, uint64_t dead)
{
    return owner_take(s, m, dead, RW_EXCLUSIVE, 0) == EOWNERDEAD;
}

static uint64_t owner_spin(acre__rw *m)
{
    uint64_t both = acre__peek(&m->owner.both);
    if (acre__ownerless(rw_word(both)))
        return both;
    acre__spinner spin = acre__spin_begin(ACRE__SPIN_LOCK);
    while (!acre__ownerless(rw_word(both)) && acre__spin(&spin))
        both = acre__peek(&m->owner.both);
    acre__spun(&spin, acre__ownerless(rw_word(both)));
    return both;
}

/* Sleep on the word if all is still as it was seen. */
static void owner_sleep(acre__rw *m, uint64_t both, const struct timespec *deadline)
{
    uint64_t waiting = both | ACRE__W;
    if (both == waiting || acre__cas(&m->owner.both, &both, waiting))
        acre__park_both(&m->owner.both, waiting, deadline);
}

/* Whoever has slept may have taken a wake-up that was meant for others. */
static int owner_give_up(acre__rw *m, uint32_t waiters)
{
    if (waiters)
        acre__wake(&m->owner.word, ACRE__WAKE_ALL);
    return ETIMEDOUT;
}

int acre__rw_try_own(acre__self *s, acre__rw *m, enum rw_mode mode)
{
    for (;;) {
        uint64_t both = acre__peek(&m->owner.both);
        int e = owner_refuse(s, m, both);
        if (e)
            return e;
        if (!acre__ownerless(rw_word(both)))
            return EBUSY;
        e = owner_take(s, m, both, mode, 0);
        if (e != EAGAIN)
            return e;
    }
}

/* One turn: 0, EOWNERDEAD …; EAGAIN: look again. */
static int owner_turn(acre__self *s, acre__rw *m, enum rw_mode mode, uint32_t *waiters,
                      const struct timespec *deadline)
{
    uint64_t both = owner_spin(m);
    int e = owner_refuse(s, m, both);
    if (e)
        return e;
    if (acre__ownerless(rw_word(both))) {
        e = owner_take(s, m, both, mode, *waiters);
        return e != EBUSY || acre__rw_drain(m, deadline) ? e : EAGAIN;
    }
    if (acre__expired(deadline))
        return EBUSY;
    owner_sleep(m, both, deadline);
    *waiters = ACRE__W;
    return EAGAIN;
}

int acre__rw_own(acre__self *s, acre__rw *m, enum rw_mode mode, const struct timespec *deadline)
{
    uint32_t waiters = 0;
    int e;
    while ((e = owner_turn(s, m, mode, &waiters, deadline)) == EAGAIN)
        ;
    return e == EBUSY ? owner_give_up(m, waiters) : e;
}

void acre__rw_disown(acre__self *s, acre__rw *m, uint64_t both)
{
    acre__announce(s, &m->owner.word);
    acre__list_remove(s, &m->owner);
    uint64_t old = acre__swap(&m->owner.both, both);
    if (old & ACRE__D)
        s->unhealed--;
    if (old & ACRE__W)
        acre__wake(&m->owner.word, ACRE__WAKE_ALL);
    acre__announce_none(s);
}

/* What was before. */
static uint64_t owner_change(acre__self *s, acre__rw *m, uint32_t bits, enum rw_mode mode)
{
    uint64_t both = acre__peek(&m->owner.both);
    s->owned = 0;
    while (!acre__cas(&m->owner.both, &both, rw_both(rw_word(both) & ~bits, mode)))
        ;
    return both;
}

void acre__rw_intend(acre__self *s, acre__rw *m, enum rw_mode mode)
{
    owner_change(s, m, 0, mode);
}

void acre__rw_turn(acre__self *s, acre__rw *m, enum rw_mode mode)
{
    uint64_t both = owner_change(s, m, ACRE__W | ACRE__D, mode);
    if (both & ACRE__D)
        s->unhealed--;
    if (both & ACRE__W)
        acre__wake(&m->owner.word, ACRE__WAKE_ALL);
}

/* Nobody sleeps until somebody's try is over, so nobody is woken. */
bool acre__rw_won(acre__rw *m)
{
    uint64_t both = acre__load(&m->owner.both);
    while (rw_mode(both) == RW_TRY)
        if (acre__cas(&m->owner.both, &both, rw_both(rw_word(both), RW_EXCLUSIVE)))
            return true;
    return false;
}

void acre__rw_outrun(acre__rw *m, uint64_t both)
{
    acre__cas(&m->owner.both, &both, rw_both(rw_word(both), RW_UPGRADABLE));
}

void acre__rw_await_owner(acre__rw *m, uint64_t both, const struct timespec *deadline)
{
    acre__spinner spin = acre__spin_begin(ACRE__SPIN_LOCK);
    bool same = true;
    while (same && acre__spin(&spin))
        same = acre__peek(&m->owner.both) == both;
    acre__spun(&spin, !same);
    if (same)
        owner_sleep(m, both, deadline);
}
