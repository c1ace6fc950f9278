/* SPDX-License-Identifier: MIT */
/* hold_acre.c: acre's locks, each mode a row.  All zero is a free lock. */
#include "bench/sync/hold.h"

#include <acre/sync.h>

HOLD_ROUNDS(hold_acre_mutex, acre_mutex, acre_mutex_lock, HOLD_ADD, acre_mutex_unlock)
HOLD_ROUNDS(hold_acre_recursive, acre_recursive, acre_recursive_lock, HOLD_ADD,
            acre_recursive_unlock)
HOLD_ROUNDS(hold_acre_exclusive, acre_sharable, acre_sharable_lock, HOLD_ADD, acre_sharable_unlock)
HOLD_ROUNDS(hold_acre_shared, acre_sharable, acre_sharable_lock_sharable, HOLD_READ,
            acre_sharable_unlock_sharable)
HOLD_ROUNDS(hold_acre_up_exclusive, acre_upgradable, acre_upgradable_lock, HOLD_ADD,
            acre_upgradable_unlock)
HOLD_ROUNDS(hold_acre_up_shared, acre_upgradable, acre_upgradable_lock_sharable, HOLD_READ,
            acre_upgradable_unlock_sharable)
HOLD_ROUNDS(hold_acre_upgradable, acre_upgradable, acre_upgradable_lock_upgradable, HOLD_READ,
            acre_upgradable_unlock_upgradable)

#define HOLD_ACRE(primitive_, type, shared_, rounds_)                                              \
    {                                                                                              \
        .primitive = primitive_, .implementation = "acre", .size = sizeof(type),                   \
        .shared = shared_, .rounds = rounds_                                                       \
    }

/* ---- semaphore ---- */

static inline int hold_acre_post(acre_semaphore *s)
{
    return acre_semaphore_post(s, 1);
}

HOLD_ROUNDS(hold_acre_semaphore, acre_semaphore, acre_semaphore_wait, HOLD_ADD, hold_acre_post)

static const char *hold_acre_init_semaphore(const hold_kind *k, void *object)
{
    (void)k;
    return acre_semaphore_init(object, 1) ? "acre_semaphore_init failed" : NULL;
}

/* ---- file lock: process local, so each has its own ---- */

static acre_file_lock *hold_acre_own;

static bool hold_acre_open_file(void *object)
{
    (void)object;
    return acre_file_lock_open(&hold_acre_own, hold_file(), 0, 0) == 0;
}

static void hold_acre_close_file(void *object)
{
    (void)object;
    acre_file_lock_close(hold_acre_own);
}

static inline int hold_acre_lock_file(const void *object)
{
    (void)object;
    return acre_file_lock_lock(hold_acre_own);
}

static inline int hold_acre_unlock_file(const void *object)
{
    (void)object;
    return acre_file_lock_unlock(hold_acre_own);
}

HOLD_ROUNDS(hold_acre_file, void, hold_acre_lock_file, HOLD_ADD, hold_acre_unlock_file)

void hold_acre(void)
{
    static const hold_kind kind[] = {
        HOLD_ACRE("mutex", acre_mutex, false, hold_acre_mutex),
        HOLD_ACRE("recursive", acre_recursive, false, hold_acre_recursive),
        HOLD_ACRE("sharable_exclusive", acre_sharable, false, hold_acre_exclusive),
        HOLD_ACRE("sharable_shared", acre_sharable, true, hold_acre_shared),
        HOLD_ACRE("upgradable_exclusive", acre_upgradable, false, hold_acre_up_exclusive),
        HOLD_ACRE("upgradable_shared", acre_upgradable, true, hold_acre_up_shared),
        HOLD_ACRE("upgradable_upgradable", acre_upgradable, true, hold_acre_upgradable),
        {.primitive = "semaphore",
         .implementation = "acre",
         .size = sizeof(acre_semaphore),
         .init = hold_acre_init_semaphore,
         .rounds = hold_acre_semaphore},
        {.primitive = "file_lock",
         .implementation = "acre",
         .size = 64,
         .init = hold_init_file,
         .attach = hold_acre_open_file,
         .detach = hold_acre_close_file,
         .rounds = hold_acre_file},
    };
    for (size_t i = 0; i < sizeof kind / sizeof *kind; i++)
        hold_add(&kind[i]);
}
