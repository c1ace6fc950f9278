/* SPDX-License-Identifier: MIT */
/* lock.c: any mutex by what it says of itself. */
#include "sync/kinds.h"

/* The functions of one kind, as of void *; NULL: it has no such mode. */
typedef int lock_simple(void *mutex);
typedef int lock_timed(void *mutex, const struct timespec *deadline);

typedef struct lock_methods {
    lock_timed *lock;
    lock_simple *trylock, *unlock;
} lock_methods;

#define LOCK_MODE(kind, suffix)                                                                    \
    static int lock_##kind##suffix(void *m, const struct timespec *deadline)                       \
    {                                                                                              \
        return acre_##kind##_lock##suffix##_until((acre_##kind *)m, deadline);                     \
    }                                                                                              \
    static int lock_try_##kind##suffix(void *m)                                                    \
    {                                                                                              \
        return acre_##kind##_trylock##suffix((acre_##kind *)m);                                    \
    }                                                                                              \
    static int lock_un_##kind##suffix(void *m)                                                     \
    {                                                                                              \
        return acre_##kind##_unlock##suffix((acre_##kind *)m);                                     \
    }
#define LOCK_METHODS(kind, suffix)                                                                 \
    {                                                                                              \
        lock_##kind##suffix, lock_try_##kind##suffix, lock_un_##kind##suffix                       \
    }

LOCK_MODE(mutex, )
LOCK_MODE(recursive, )
LOCK_MODE(spin, )
LOCK_MODE(null, )
LOCK_MODE(sharable, )
LOCK_MODE(sharable, _sharable)
LOCK_MODE(upgradable, )
LOCK_MODE(upgradable, _sharable)
LOCK_MODE(upgradable, _upgradable)

static const struct {
    uint32_t tag;
    lock_methods mode[3]; /* by enum acre_mode, from ACRE_EXCLUSIVE on */
} lock_kinds[] = {
    {0, {LOCK_METHODS(mutex, )}},
    {ACRE__MUTEX, {LOCK_METHODS(mutex, )}},
    {ACRE__RECURSIVE, {LOCK_METHODS(recursive, )}},
    {ACRE__SPIN, {LOCK_METHODS(spin, )}},
    {ACRE__NULL, {LOCK_METHODS(null, ), LOCK_METHODS(null, ), LOCK_METHODS(null, )}},
    {ACRE__SHARABLE, {LOCK_METHODS(sharable, ), LOCK_METHODS(sharable, _sharable)}},
    {ACRE__UPGRADABLE,
     {LOCK_METHODS(upgradable, ), LOCK_METHODS(upgradable, _sharable),
      LOCK_METHODS(upgradable, _upgradable)}},
};

static int lock_find(const void *mutex, enum acre_mode mode, const lock_methods **found)
{
    uint32_t tag = acre__peek(&((const acre_cell *)mutex)->tag);
    if (mode < ACRE_EXCLUSIVE || mode > ACRE_UPGRADABLE)
        return EINVAL;
    int e = ACRE_EOBJECT;
    for (size_t i = 0; i < sizeof lock_kinds / sizeof *lock_kinds; i++) {
        if (lock_kinds[i].tag == tag) {
            *found = &lock_kinds[i].mode[mode - ACRE_EXCLUSIVE];
            return (*found)->lock ? 0 : ENOTSUP;
        }
        if (tag && acre__tag_error(tag, lock_kinds[i].tag) == ACRE_ELAYOUT)
            e = ACRE_ELAYOUT;
    }
    return e;
}

int acre_lock_until(void *mutex, enum acre_mode mode, const struct timespec *deadline)
{
    const lock_methods *f;
    int e = lock_find(mutex, mode, &f);
    return e ? e : f->lock(mutex, deadline);
}

int acre_lock(void *mutex, enum acre_mode mode)
{
    return acre_lock_until(mutex, mode, NULL);
}

int acre_trylock(void *mutex, enum acre_mode mode)
{
    const lock_methods *f;
    int e = lock_find(mutex, mode, &f);
    return e ? e : f->trylock(mutex);
}

int acre_unlock(void *mutex, enum acre_mode mode)
{
    const lock_methods *f;
    int e = lock_find(mutex, mode, &f);
    return e ? e : f->unlock(mutex);
}
