/* SPDX-License-Identifier: MIT */
/* guard.c: guards: who holds which lock how, and moving that from one to another. */
#include "sync/kinds.h"

acre_guard acre_guard_defer(void *mutex, enum acre_mode mode)
{
    return (acre_guard){.mutex = mutex, .mode = mode};
}

acre_guard acre_guard_adopt(void *mutex, enum acre_mode mode)
{
    return (acre_guard){.mutex = mutex, .mode = mode, .owns = true};
}

acre_guard acre_guard_locked(void *mutex, enum acre_mode mode)
{
    return acre_guard_timed(mutex, mode, NULL);
}

acre_guard acre_guard_tried(void *mutex, enum acre_mode mode)
{
    acre_guard g = acre_guard_defer(mutex, mode);
    acre_guard_trylock(&g);
    return g;
}

acre_guard acre_guard_timed(void *mutex, enum acre_mode mode, const struct timespec *deadline)
{
    acre_guard g = acre_guard_defer(mutex, mode);
    acre_guard_lock_until(&g, deadline);
    return g;
}

/* ---- locking ---- */

static int guard_may_lock(const acre_guard *g)
{
    return !g->mutex ? EPERM : g->owns ? EDEADLK : 0;
}

static int guard_locked(acre_guard *g, int e)
{
    if (e == 0 || e == EOWNERDEAD)
        g->owns = true;
    return g->error = e;
}

int acre_guard_lock_until(acre_guard *g, const struct timespec *deadline)
{
    int e = guard_may_lock(g);
    return e ? g->error = e : guard_locked(g, acre_lock_until(g->mutex, g->mode, deadline));
}

int acre_guard_lock(acre_guard *g)
{
    return acre_guard_lock_until(g, NULL);
}

int acre_guard_trylock(acre_guard *g)
{
    int e = guard_may_lock(g);
    return e ? g->error = e : guard_locked(g, acre_trylock(g->mutex, g->mode));
}

int acre_guard_unlock(acre_guard *g)
{
    if (!g->mutex || !g->owns)
        return g->error = EPERM;
    g->owns = false;
    return g->error = acre_unlock(g->mutex, g->mode);
}

void *acre_guard_release(acre_guard *g)
{
    void *mutex = g->mutex;
    *g = (acre_guard){.mode = g->mode};
    return mutex;
}

void acre_guard_swap(acre_guard *a, acre_guard *b)
{
    acre_guard was = *a;
    *a = *b;
    *b = was;
}

void acre_guard_end(acre_guard *g)
{
    if (g->mutex && g->owns)
        acre_guard_unlock(g);
}

/* ---- transfers ---- */

typedef int guard_change(acre_upgradable *m, enum acre_how how, const struct timespec *deadline);

static int guard_promote(acre_upgradable *m, enum acre_how how, const struct timespec *deadline)
{
    return how == ACRE_TRY ? acre_upgradable_try_unlock_upgradable_and_lock(m)
                           : acre_upgradable_unlock_upgradable_and_lock_until(m, deadline);
}

/* Readers cannot wait for a promotion. */
static int guard_promote_sharable(acre_upgradable *m, enum acre_how how,
                                  const struct timespec *deadline)
{
    (void)deadline;
    return how == ACRE_TRY ? acre_upgradable_try_unlock_sharable_and_lock(m) : ENOTSUP;
}

static int guard_promote_to_upgradable(acre_upgradable *m, enum acre_how how,
                                       const struct timespec *deadline)
{
    (void)deadline;
    return how == ACRE_TRY ? acre_upgradable_try_unlock_sharable_and_lock_upgradable(m) : ENOTSUP;
}

#define GUARD_DEMOTE(name)                                                                         \
    static int guard_##name(acre_upgradable *m, enum acre_how how,                                 \
                            const struct timespec *deadline)                                       \
    {                                                                                              \
        (void)how, (void)deadline;                                                                 \
        return acre_upgradable_##name(m);                                                          \
    }
GUARD_DEMOTE(unlock_and_lock_upgradable)
GUARD_DEMOTE(unlock_and_lock_sharable)
GUARD_DEMOTE(unlock_upgradable_and_lock_sharable)

/* [from][to] */
static guard_change *const guard_changes[4][4] = {
    [ACRE_EXCLUSIVE] = {[ACRE_UPGRADABLE] = guard_unlock_and_lock_upgradable,
                        [ACRE_SHARABLE] = guard_unlock_and_lock_sharable},
    [ACRE_UPGRADABLE] = {[ACRE_SHARABLE] = guard_unlock_upgradable_and_lock_sharable,
                         [ACRE_EXCLUSIVE] = guard_promote},
    [ACRE_SHARABLE] = {[ACRE_EXCLUSIVE] = guard_promote_sharable,
                       [ACRE_UPGRADABLE] = guard_promote_to_upgradable},
};

static int guard_apply(const acre_guard *from, enum acre_mode mode, enum acre_how how,
                       const struct timespec *deadline)
{
    uint32_t tag = acre__peek(&((const acre_cell *)from->mutex)->tag);
    if (mode < ACRE_EXCLUSIVE || mode > ACRE_UPGRADABLE || from->mode < ACRE_EXCLUSIVE ||
        from->mode > ACRE_UPGRADABLE)
        return EINVAL;
    if (mode == from->mode)
        return 0;
    guard_change *change = guard_changes[from->mode][mode];
    return change && tag == ACRE__UPGRADABLE ? change(from->mutex, how, deadline) : ENOTSUP;
}

static int guard_change_in_place(acre_guard *g, enum acre_mode mode, enum acre_how how,
                                 const struct timespec *deadline)
{
    int e = g->mutex && g->owns ? guard_apply(g, mode, how, deadline) : 0;
    if (!e)
        g->mode = mode;
    return g->error = e;
}

int acre_guard_transfer(acre_guard *to, enum acre_mode mode, acre_guard *from, enum acre_how how,
                        const struct timespec *deadline)
{
    if (to == from)
        return guard_change_in_place(to, mode, how, deadline);
    acre_guard_end(to);
    *to = (acre_guard){.mode = mode};
    int e = from->mutex && from->owns ? guard_apply(from, mode, how, deadline) : 0;
    if (e)
        return to->error = e;
    to->owns = from->owns;
    to->mutex = acre_guard_release(from);
    from->owns = false;
    return 0;
}
