/* SPDX-License-Identifier: MIT */
/* sharable.c: acre_sharable's face. */
#include "sync/rw.h"

#include <string.h>

void acre_sharable_init(acre_sharable *m)
{
    memset(m, 0, sizeof *m);
    m->rw.owner.tag = ACRE__SHARABLE;
}

int acre_sharable_destroy(acre_sharable *m)
{
    return acre__rw_destroy(&m->rw, ACRE__SHARABLE);
}

int acre_sharable_lock_until(acre_sharable *m, const struct timespec *deadline)
{
    if (__builtin_expect(rw_own_usual(&m->rw, ACRE__SHARABLE, RW_EXCLUSIVE), 1))
        return rw_finish_usual(&m->rw, deadline);
    return acre__rw_lock(&m->rw, ACRE__SHARABLE, ACRE_EXCLUSIVE, deadline);
}

int acre_sharable_lock(acre_sharable *m)
{
    return acre_sharable_lock_until(m, NULL);
}

int acre_sharable_trylock(acre_sharable *m)
{
    return acre__rw_trylock(&m->rw, ACRE__SHARABLE, ACRE_EXCLUSIVE);
}

int acre_sharable_unlock(acre_sharable *m)
{
    if (__builtin_expect(rw_disown_usual(&m->rw, RW_EXCLUSIVE), 1))
        return 0;
    return acre__rw_unlock(&m->rw, ACRE__SHARABLE, ACRE_EXCLUSIVE);
}

int acre_sharable_lock_sharable_until(acre_sharable *m, const struct timespec *deadline)
{
    if (__builtin_expect(rw_enter_usual(&m->rw, ACRE__SHARABLE), 1))
        return 0;
    return acre__rw_lock(&m->rw, ACRE__SHARABLE, ACRE_SHARABLE, deadline);
}

int acre_sharable_lock_sharable(acre_sharable *m)
{
    return acre_sharable_lock_sharable_until(m, NULL);
}

int acre_sharable_trylock_sharable(acre_sharable *m)
{
    return acre__rw_trylock(&m->rw, ACRE__SHARABLE, ACRE_SHARABLE);
}

int acre_sharable_unlock_sharable(acre_sharable *m)
{
    if (__builtin_expect(rw_leave_usual(&m->rw), 1))
        return 0;
    return acre__rw_unlock(&m->rw, ACRE__SHARABLE, ACRE_SHARABLE);
}

int acre_sharable_consistent(acre_sharable *m)
{
    return acre__rw_consistent(&m->rw, ACRE__SHARABLE);
}
