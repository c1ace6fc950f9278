/* SPDX-License-Identifier: MIT */
/* spin.c: acre_spin, a robust cell that is never slept on.
 *
 * Who waits looks at the word between pauses; when the owner does not run either, that soon becomes
 * giving up the time slice, then naps that double to 1 ms, so that waiting for a sleeping owner
 * costs next to nothing.  Nobody has to be woken, so W is never set; a death is seen as everywhere,
 * by the D that the kernel puts into the word.
 */
#include "sync/kinds.h"

void acre_spin_init(acre_spin *m)
{
    m->cell = (acre_cell){.tag = ACRE__SPIN};
}

int acre_spin_destroy(acre_spin *m)
{
    return acre__cell_destroy(&m->cell, ACRE__SPIN);
}

int acre_spin_trylock(acre_spin *m)
{
    int e = acre__cell_check(&m->cell, ACRE__SPIN);
    return e ? e : acre__cell_trylock(acre__self_get(), &m->cell);
}

static __attribute__((noinline)) int spin_lock_unusual(acre_spin *m,
                                                       const struct timespec *deadline)
{
    struct timespec storage;
    uint32_t round = 0;
    int e;
    deadline = acre__lock_deadline(deadline, &storage);
    while ((e = acre_spin_trylock(m)) == EBUSY) {
        if (acre__expired(deadline))
            return ETIMEDOUT;
        acre__doze(&round, deadline);
    }
    return e;
}

int acre_spin_lock_until(acre_spin *m, const struct timespec *deadline)
{
    return acre__cell_lock_usual(&m->cell, ACRE__SPIN) ? 0 : spin_lock_unusual(m, deadline);
}

int acre_spin_lock(acre_spin *m)
{
    return acre__cell_lock_usual(&m->cell, ACRE__SPIN) ? 0 : spin_lock_unusual(m, NULL);
}

static __attribute__((noinline)) int spin_unlock_unusual(acre_spin *m)
{
    int e = acre__cell_check(&m->cell, ACRE__SPIN);
    return e ? e : acre__cell_unlock(acre__self_get(), &m->cell);
}

int acre_spin_unlock(acre_spin *m)
{
    if (__builtin_expect(!acre__cell_unlockable(&m->cell), 0))
        return spin_unlock_unusual(m);
    acre__cell_unlock_usual(&m->cell);
    acre__announce_none(acre__self_here());
    return 0;
}

int acre_spin_consistent(acre_spin *m)
{
    int e = acre__cell_check(&m->cell, ACRE__SPIN);
    return e ? e : acre__cell_consistent(acre__self_get(), &m->cell);
}
