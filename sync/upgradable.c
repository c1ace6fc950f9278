/* SPDX-License-Identifier: MIT */
/* upgradable.c: acre_upgradable's face. */
#include "sync/rw.h"

#include <string.h>

void acre_upgradable_init(acre_upgradable *m)
{
    memset(m, 0, sizeof *m);
    m->rw.owner.tag = ACRE__UPGRADABLE;
}

int acre_upgradable_destroy(acre_upgradable *m)
{
    return acre__rw_destroy(&m->rw, ACRE__UPGRADABLE);
}

/* ---- exclusive ---- */

int acre_upgradable_lock_until(acre_upgradable *m, const struct timespec *deadline)
{
    if (__builtin_expect(rw_own_usual(&m->rw, ACRE__UPGRADABLE, RW_EXCLUSIVE), 1))
        return rw_finish_usual(&m->rw, deadline);
    return acre__rw_lock(&m->rw, ACRE__UPGRADABLE, ACRE_EXCLUSIVE, deadline);
}

int acre_upgradable_lock(acre_upgradable *m)
{
    return acre_upgradable_lock_until(m, NULL);
}

int acre_upgradable_trylock(acre_upgradable *m)
{
    return acre__rw_trylock(&m->rw, ACRE__UPGRADABLE, ACRE_EXCLUSIVE);
}

int acre_upgradable_unlock(acre_upgradable *m)
{
    if (__builtin_expect(rw_disown_usual(&m->rw, RW_EXCLUSIVE), 1))
        return 0;
    return acre__rw_unlock(&m->rw, ACRE__UPGRADABLE, ACRE_EXCLUSIVE);
}

/* ---- sharable ---- */

int acre_upgradable_lock_sharable_until(acre_upgradable *m, const struct timespec *deadline)
{
    if (__builtin_expect(rw_enter_usual(&m->rw, ACRE__UPGRADABLE), 1))
        return 0;
    return acre__rw_lock(&m->rw, ACRE__UPGRADABLE, ACRE_SHARABLE, deadline);
}

int acre_upgradable_lock_sharable(acre_upgradable *m)
{
    return acre_upgradable_lock_sharable_until(m, NULL);
}

int acre_upgradable_trylock_sharable(acre_upgradable *m)
{
    return acre__rw_trylock(&m->rw, ACRE__UPGRADABLE, ACRE_SHARABLE);
}

int acre_upgradable_unlock_sharable(acre_upgradable *m)
{
    if (__builtin_expect(rw_leave_usual(&m->rw), 1))
        return 0;
    return acre__rw_unlock(&m->rw, ACRE__UPGRADABLE, ACRE_SHARABLE);
}

/* ---- upgradable ---- */

int acre_upgradable_lock_upgradable_until(acre_upgradable *m, const struct timespec *deadline)
{
    if (__builtin_expect(rw_own_usual(&m->rw, ACRE__UPGRADABLE, RW_UPGRADABLE), 1))
        return 0;
    return acre__rw_lock(&m->rw, ACRE__UPGRADABLE, ACRE_UPGRADABLE, deadline);
}

int acre_upgradable_lock_upgradable(acre_upgradable *m)
{
    return acre_upgradable_lock_upgradable_until(m, NULL);
}

int acre_upgradable_trylock_upgradable(acre_upgradable *m)
{
    return acre__rw_trylock(&m->rw, ACRE__UPGRADABLE, ACRE_UPGRADABLE);
}

int acre_upgradable_unlock_upgradable(acre_upgradable *m)
{
    if (__builtin_expect(rw_disown_usual(&m->rw, RW_UPGRADABLE), 1))
        return 0;
    return acre__rw_unlock(&m->rw, ACRE__UPGRADABLE, ACRE_UPGRADABLE);
}

int acre_upgradable_consistent(acre_upgradable *m)
{
    return acre__rw_consistent(&m->rw, ACRE__UPGRADABLE);
}

/* ---- from one mode to another ---- */

int acre_upgradable_unlock_and_lock_upgradable(acre_upgradable *m)
{
    return acre__rw_demote(&m->rw, ACRE__UPGRADABLE, ACRE_EXCLUSIVE, ACRE_UPGRADABLE);
}

int acre_upgradable_unlock_and_lock_sharable(acre_upgradable *m)
{
    return acre__rw_demote(&m->rw, ACRE__UPGRADABLE, ACRE_EXCLUSIVE, ACRE_SHARABLE);
}

int acre_upgradable_unlock_upgradable_and_lock_sharable(acre_upgradable *m)
{
    return acre__rw_demote(&m->rw, ACRE__UPGRADABLE, ACRE_UPGRADABLE, ACRE_SHARABLE);
}

int acre_upgradable_unlock_upgradable_and_lock_until(acre_upgradable *m,
                                                     const struct timespec *deadline)
{
    return acre__rw_promote(&m->rw, ACRE__UPGRADABLE, deadline);
}

int acre_upgradable_unlock_upgradable_and_lock(acre_upgradable *m)
{
    return acre__rw_promote(&m->rw, ACRE__UPGRADABLE, NULL);
}

int acre_upgradable_try_unlock_upgradable_and_lock(acre_upgradable *m)
{
    return acre__rw_try_promote(&m->rw, ACRE__UPGRADABLE, ACRE_UPGRADABLE, ACRE_EXCLUSIVE);
}

int acre_upgradable_try_unlock_sharable_and_lock(acre_upgradable *m)
{
    return acre__rw_try_promote(&m->rw, ACRE__UPGRADABLE, ACRE_SHARABLE, ACRE_EXCLUSIVE);
}

int acre_upgradable_try_unlock_sharable_and_lock_upgradable(acre_upgradable *m)
{
    return acre__rw_try_promote(&m->rw, ACRE__UPGRADABLE, ACRE_SHARABLE, ACRE_UPGRADABLE);
}
