/* SPDX-License-Identifier: MIT */
/* mutex.c: acre_mutex, a robust cell and nothing more. */
#include "sync/kinds.h"
#include "sync/wait.h"

void acre_mutex_init(acre_mutex *m)
{
    m->cell = (acre_cell){.tag = ACRE__MUTEX};
}

int acre_mutex_destroy(acre_mutex *m)
{
    return acre__cell_destroy(&m->cell, ACRE__MUTEX);
}

static __attribute__((noinline)) int mutex_lock_unusual(acre_mutex *m,
                                                        const struct timespec *deadline)
{
    int e = acre__cell_check(&m->cell, ACRE__MUTEX);
    return e ? e : acre__cell_lock(acre__self_get(), &m->cell, deadline);
}

int acre_mutex_lock_until(acre_mutex *m, const struct timespec *deadline)
{
    return __builtin_expect(acre__cell_lock_usual(&m->cell, ACRE__MUTEX), 1)
               ? 0
               : mutex_lock_unusual(m, deadline);
}

int acre_mutex_lock(acre_mutex *m)
{
    return __builtin_expect(acre__cell_lock_usual(&m->cell, ACRE__MUTEX), 1)
               ? 0
               : mutex_lock_unusual(m, NULL);
}

int acre_mutex_trylock(acre_mutex *m)
{
    int e = acre__cell_check(&m->cell, ACRE__MUTEX);
    return e ? e : acre__cell_trylock(acre__self_get(), &m->cell);
}

static __attribute__((noinline)) int mutex_unlock_unusual(acre_mutex *m)
{
    int e = acre__cell_check(&m->cell, ACRE__MUTEX);
    return e ? e : acre__cell_unlock(acre__self_get(), &m->cell);
}

static __attribute__((noinline)) int mutex_unlock_wake(acre_mutex *m)
{
    acre__wake(&m->cell.word, 1);
    acre__announce_none(acre__self_here());
    return 0;
}

int acre_mutex_unlock(acre_mutex *m)
{
    if (__builtin_expect(!acre__cell_unlockable(&m->cell), 0))
        return mutex_unlock_unusual(m);
    if (__builtin_expect(acre__cell_unlock_usual(&m->cell) & ACRE__W, 0))
        return mutex_unlock_wake(m);
    acre__announce_none(acre__self_here());
    return 0;
}

int acre_mutex_consistent(acre_mutex *m)
{
    int e = acre__cell_check(&m->cell, ACRE__MUTEX);
    return e ? e : acre__cell_consistent(acre__self_get(), &m->cell);
}

/* ---- for acre_wait_any() ---- */

/* Not recoverable is ready: a lock would not wait. */
static bool mutex_ready(void *object)
{
    const acre_mutex *m = object;
    uint32_t seen = acre__load(&m->cell.word);
    return acre__ownerless(seen) || (seen & ACRE__TID) == ACRE__NEVER;
}

static const uint32_t *mutex_prepare(void *object, uint32_t *expected)
{
    acre_mutex *m = object;
    acre__cell_announce_sleeper(&m->cell);
    *expected = acre__load(&m->cell.word) | ACRE__W;
    return &m->cell.word;
}

/* The wake-up of an unlock goes to one, and it took W with it. */
static void mutex_leave(void *object)
{
    acre_mutex *m = object;
    if (!acre__cell_announce_sleeper(&m->cell))
        acre__wake(&m->cell.word, 1);
}

acre_waitable acre_mutex_waitable(acre_mutex *m)
{
    static const struct acre__wait_methods methods = {mutex_ready, mutex_prepare, mutex_leave};
    return (acre_waitable){m, acre__cell_check(&m->cell, ACRE__MUTEX) ? NULL : &methods};
}
