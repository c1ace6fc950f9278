/* SPDX-License-Identifier: MIT */
/* rw.c: locking and unlocking in each mode; the protocol is in rw.h. */
#include "sync/rw.h"

/* Who takes over from a dead writer holds exclusively; `count` remembers what was asked. */
static int rw_inherit(acre__rw *m, enum acre_mode mode)
{
    acre__put(&m->owner.count, (uint32_t)mode);
    return EOWNERDEAD;
}

/* ---- sharable ---- */

enum { RW_AGAIN = -1 };

/* In: look at the owner.  RW_AGAIN: out again, as `both` tells. */
static int rw_settle(acre__self *s, acre__rw *m, uint32_t place, uint64_t *both)
{
    while (rw_trying(*both = acre__load_full(&m->owner.both)))
        acre__rw_outrun(m, *both);
    if (!rw_closed(*both) && (rw_word(*both) & ACRE__TID) != ACRE__NEVER)
        return 0;
    acre__rw_leave(s, m, place);
    return RW_AGAIN;
}

static int rw_try_sharable(acre__self *s, acre__rw *m, uint64_t *both)
{
    *both = acre__load(&m->owner.both);
    if (rw_closed(*both))
        return RW_AGAIN;
    uint32_t place = acre__rw_enter(s, m);
    return place == RW_NOBODY ? EBUSY : rw_settle(s, m, place, both);
}

/* Why a reader may not come in, if it is for more than a while. */
static int rw_refuse(acre__self *s, acre__rw *m, uint64_t both)
{
    uint32_t tid = rw_word(both) & ACRE__TID;
    if (tid == ACRE__NEVER)
        return ENOTRECOVERABLE;
    return tid == s->tid && acre__self_holds(s, &m->owner) ? EDEADLK : 0;
}

/* One turn without waiting; RW_AGAIN: closed, EBUSY: full. */
static int rw_attempt(acre__self *s, acre__rw *m, uint64_t *both)
{
    int e = acre__self_busy(s) ? EDEADLK : rw_try_sharable(s, m, both);
    if (e != RW_AGAIN)
        return e;
    e = rw_refuse(s, m, *both);
    if (e)
        return e;
    return rw_dead(*both) && acre__rw_inherit(s, m, *both) ? rw_inherit(m, ACRE_SHARABLE)
                                                           : RW_AGAIN;
}

/* For what rw_attempt() told.  A dead writer leaves nobody who would wake us but its readers. */
static void rw_await(acre__self *s, acre__rw *m, int told, uint64_t both,
                     const struct timespec *deadline)
{
    if (told == EBUSY)
        acre__rw_await_place(s, m, deadline);
    else if (rw_dead(acre__load(&m->owner.both)))
        acre__rw_await_reader(m, deadline);
    else
        acre__rw_await_owner(m, both, deadline);
}

static int rw_lock_sharable(acre__self *s, acre__rw *m, const struct timespec *deadline)
{
    uint64_t both;
    int e;
    while ((e = rw_attempt(s, m, &both)) == RW_AGAIN || e == EBUSY) {
        if (acre__expired(deadline))
            return ETIMEDOUT;
        rw_await(s, m, e, both, deadline);
    }
    return e;
}

/* Once more if it was this thread that found the lock of a dead writer open. */
static int rw_trylock_sharable(acre__self *s, acre__rw *m)
{
    uint64_t both;
    int e = rw_attempt(s, m, &both);
    if (e == RW_AGAIN && rw_dead(both) && acre__load(&m->owner.both) == 0)
        e = rw_attempt(s, m, &both);
    return e == RW_AGAIN ? EBUSY : e;
}

/* ---- exclusive ---- */

int acre__rw_wait_exclusive(acre__rw *m, const struct timespec *deadline)
{
    acre__self *s = acre__self_get();
    struct timespec storage;
    acre__rw_intend(s, m, RW_WANT);
    int e = acre__rw_drain(m, acre__lock_deadline(deadline, &storage));
    if (e)
        acre__rw_disown(s, m, 0);
    else
        acre__rw_intend(s, m, RW_EXCLUSIVE);
    return e;
}

static int rw_lock_exclusive(acre__self *s, acre__rw *m, const struct timespec *deadline)
{
    int e = acre__rw_own(s, m, RW_WANT, deadline);
    return e ? e : acre__rw_wait_exclusive(m, deadline);
}

static int rw_trylock_exclusive(acre__self *s, acre__rw *m)
{
    int e = acre__rw_try_own(s, m, RW_TRY);
    if (e)
        return e;
    if (!acre__rw_read_on(m, RW_NOBODY) && acre__rw_won(m))
        return 0;
    acre__rw_disown(s, m, 0);
    return EBUSY;
}

/* ---- in any mode ---- */

static int rw_lock_upgradable(acre__self *s, acre__rw *m, const struct timespec *deadline)
{
    int e = acre__rw_own(s, m, RW_UPGRADABLE, deadline);
    return e == EOWNERDEAD ? rw_inherit(m, ACRE_UPGRADABLE) : e;
}

static int rw_trylock_upgradable(acre__self *s, acre__rw *m)
{
    int e = acre__rw_try_own(s, m, RW_UPGRADABLE);
    return e == EOWNERDEAD ? rw_inherit(m, ACRE_UPGRADABLE) : e;
}

int acre__rw_lock(acre__rw *m, uint32_t tag, enum acre_mode mode, const struct timespec *deadline)
{
    acre__self *s = acre__self_get();
    struct timespec storage;
    int e = acre__cell_check(&m->owner, tag);
    if (e)
        return e;
    deadline = acre__lock_deadline(deadline, &storage);
    if (mode == ACRE_EXCLUSIVE)
        return rw_lock_exclusive(s, m, deadline);
    return mode == ACRE_SHARABLE ? rw_lock_sharable(s, m, deadline)
                                 : rw_lock_upgradable(s, m, deadline);
}

int acre__rw_trylock(acre__rw *m, uint32_t tag, enum acre_mode mode)
{
    acre__self *s = acre__self_get();
    int e = acre__cell_check(&m->owner, tag);
    if (e)
        return e;
    if (mode == ACRE_EXCLUSIVE)
        return rw_trylock_exclusive(s, m);
    return mode == ACRE_SHARABLE ? rw_trylock_sharable(s, m) : rw_trylock_upgradable(s, m);
}

/* ---- unlocking ---- */

bool acre__rw_holds(const acre__self *s, const acre__rw *m, enum acre_mode mode)
{
    uint64_t both = acre__peek(&m->owner.both);
    if ((rw_word(both) & ACRE__TID) != s->tid || !acre__self_holds(s, &m->owner))
        return false;
    if (both & ACRE__D)
        return acre__peek(&m->owner.count) == (uint32_t)mode;
    return rw_mode(both) == (mode == ACRE_EXCLUSIVE    ? RW_EXCLUSIVE
                             : mode == ACRE_UPGRADABLE ? RW_UPGRADABLE
                                                       : RW_NONE);
}

int acre__rw_unlock(acre__rw *m, uint32_t tag, enum acre_mode mode)
{
    acre__self *s = acre__self_get();
    int e = acre__cell_check(&m->owner, tag);
    if (e)
        return e;
    if (acre__rw_holds(s, m, mode)) {
        bool healed = !(acre__peek(&m->owner.word) & ACRE__D);
        acre__rw_disown(s, m, healed ? 0 : rw_both(ACRE__NEVER, RW_EXCLUSIVE));
        return 0;
    }
    uint32_t place = mode == ACRE_SHARABLE ? acre__rw_place(s, m) : RW_NOBODY;
    if (place == RW_NOBODY)
        return EPERM;
    acre__rw_leave(s, m, place);
    return 0;
}

/* ---- healing, ending ---- */

int acre__rw_consistent(acre__rw *m, uint32_t tag)
{
    acre__self *s = acre__self_get();
    int e = acre__cell_check(&m->owner, tag);
    if (e)
        return e;
    if (!acre__cell_mine(s, &m->owner) || !(acre__peek(&m->owner.word) & ACRE__D))
        return EINVAL;
    enum acre_mode asked = acre__peek(&m->owner.count);
    if (asked == ACRE_SHARABLE)
        return acre__rw_share(s, m);
    acre__rw_turn(s, m, asked == ACRE_UPGRADABLE ? RW_UPGRADABLE : RW_EXCLUSIVE);
    return 0;
}

int acre__rw_destroy(acre__rw *m, uint32_t tag)
{
    acre__self *s = acre__self_get();
    int e = acre__cell_check(&m->owner, tag);
    if (!e)
        e = rw_trylock_exclusive(s, m);
    if (e && e != EOWNERDEAD && e != ENOTRECOVERABLE)
        return e == EDEADLK ? EBUSY : e;
    acre__store(&m->owner.tag, ACRE__DESTROYED);
    if (e != ENOTRECOVERABLE)
        acre__rw_disown(s, m, 0);
    return 0;
}
