/* SPDX-License-Identifier: MIT */
/* rw_change.c: promotions and demotions.  The new lock is taken before the old one is given up, so
 * there is no moment without, and a death in between leaves both marked. */
#include "sync/rw.h"

/* The owner becomes a reader.  There is a place, unless ACRE_READERS read already. */
int acre__rw_share(acre__self *s, acre__rw *m)
{
    while (acre__rw_enter(s, m) == RW_NOBODY)
        acre__rw_await_place(s, m, NULL);
    acre__rw_disown(s, m, 0);
    return 0;
}

/* The object is of the right kind, and this thread holds it healed in this mode. */
static int change_check(acre__self *s, acre__rw *m, uint32_t tag, enum acre_mode mode)
{
    int e = acre__cell_check(&m->owner, tag);
    if (e)
        return e;
    if (acre__self_busy(s))
        return EDEADLK;
    return acre__rw_holds(s, m, mode) && !(acre__peek(&m->owner.word) & ACRE__D) ? 0 : EPERM;
}

int acre__rw_demote(acre__rw *m, uint32_t tag, enum acre_mode from, enum acre_mode to)
{
    acre__self *s = acre__self_get();
    int e = change_check(s, m, tag, from);
    if (e)
        return e;
    if (to == ACRE_SHARABLE)
        return acre__rw_share(s, m);
    acre__rw_turn(s, m, RW_UPGRADABLE);
    return 0;
}

/* ---- from upgradable to exclusive ---- */

int acre__rw_promote(acre__rw *m, uint32_t tag, const struct timespec *deadline)
{
    acre__self *s = acre__self_get();
    struct timespec storage;
    int e = change_check(s, m, tag, ACRE_UPGRADABLE);
    if (e)
        return e;
    acre__rw_intend(s, m, RW_WANT);
    e = acre__rw_drain(m, acre__lock_deadline(deadline, &storage));
    if (e)
        acre__rw_turn(s, m, RW_UPGRADABLE); /* wakes the readers that were kept out */
    else
        acre__rw_intend(s, m, RW_EXCLUSIVE);
    return e;
}

static int change_try_upgradable(acre__self *s, acre__rw *m)
{
    acre__rw_intend(s, m, RW_TRY);
    if (!acre__rw_read_on(m, RW_NOBODY) && acre__rw_won(m))
        return 0;
    acre__rw_intend(s, m, RW_UPGRADABLE);
    return EBUSY;
}

/* ---- from sharable ---- */

static int change_try_own(acre__self *s, acre__rw *m, enum rw_mode mode)
{
    int e = acre__rw_try_own(s, m, mode);
    return e == EDEADLK ? EBUSY : e; /* it is an upgradable holder as well */
}

static int change_try_exclusive(acre__self *s, acre__rw *m, uint32_t place)
{
    int e = change_try_own(s, m, RW_TRY);
    if (e)
        return e;
    if (acre__rw_read_on(m, place) || !acre__rw_won(m)) {
        acre__rw_disown(s, m, 0);
        return EBUSY;
    }
    acre__rw_leave(s, m, place);
    return 0;
}

static int change_try_sharable(acre__self *s, acre__rw *m, enum acre_mode to)
{
    uint32_t place = acre__rw_place(s, m);
    if (acre__self_busy(s) || place == RW_NOBODY)
        return place == RW_NOBODY ? EPERM : EDEADLK;
    if (to == ACRE_EXCLUSIVE)
        return change_try_exclusive(s, m, place);
    int e = change_try_own(s, m, RW_UPGRADABLE);
    if (!e)
        acre__rw_leave(s, m, place);
    return e;
}

int acre__rw_try_promote(acre__rw *m, uint32_t tag, enum acre_mode from, enum acre_mode to)
{
    acre__self *s = acre__self_get();
    int e =
        from == ACRE_UPGRADABLE ? change_check(s, m, tag, from) : acre__cell_check(&m->owner, tag);
    if (e)
        return e;
    return from == ACRE_UPGRADABLE ? change_try_upgradable(s, m) : change_try_sharable(s, m, to);
}
