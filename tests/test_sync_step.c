/* SPDX-License-Identifier: MIT */
/* Killed at every instruction of every operation of the locks: what sync.h says of deaths. */
#include "tests/support_lab.h"

#include <acre/sync.h>
#include <errno.h>

/* ================================ mutex ================================ */

static int mutex_try(void *shared)
{
    int e = acre_mutex_trylock(shared);
    LAB_EXPECT(e == 0 || e == ACRE_OWNER_DEAD, "trylock: %d", e);
    return e;
}

static void mutex_heal(void *shared, int e)
{
    LAB_EXPECT(e == 0 || e == ACRE_OWNER_DEAD, "lock: %d", e);
    if (e)
        LAB_EQUAL(acre_mutex_consistent(shared), 0);
}

static void mutex_lock(void *shared)
{
    mutex_heal(shared, acre_mutex_lock(shared));
}

static void mutex_unlock(void *shared)
{
    LAB_EQUAL(acre_mutex_unlock(shared), 0);
}

/* To be had at once; once healed nobody is told again. */
static int mutex_found(void *shared)
{
    int e = mutex_try(shared);
    mutex_heal(shared, e);
    mutex_unlock(shared);
    LAB_EQUAL(acre_mutex_lock(shared), 0);
    mutex_unlock(shared);
    return e;
}

static int mutex_taken(void *shared)
{
    return mutex_found(shared) ? LAB_AFTER : LAB_BEFORE;
}

static int mutex_given(void *shared)
{
    return mutex_found(shared) ? LAB_BEFORE : LAB_AFTER;
}

static void mutex_peer(void *shared)
{
    int e = acre_mutex_trylock(shared);
    LAB_EXPECT(e == 0 || e == EBUSY, "%d", e);
    if (e == 0)
        mutex_unlock(shared);
}

static void mutex_trylock(void *shared)
{
    mutex_try(shared);
}

static void mutex_hold(void *shared)
{
    mutex_lock(shared);
    lab_ready();
    lab_await();
    mutex_unlock(shared);
}

static void mutex_init(void *shared)
{
    acre_mutex_init(shared);
}

LAB_SCENARIO(mutex, lock, .prepare = mutex_init, .victim = mutex_lock, .verify = mutex_taken,
             .peer = mutex_peer)
LAB_SCENARIO(mutex, lock_of_zeros, .victim = mutex_lock, .verify = mutex_taken)
LAB_SCENARIO(mutex, first_lock, .victim = mutex_lock, .verify = mutex_taken, .flags = LAB_COLD)
LAB_SCENARIO(mutex, trylock, .victim = mutex_trylock, .verify = mutex_taken, .peer = mutex_peer)
LAB_SCENARIO(mutex, unlock, .before = mutex_lock, .victim = mutex_unlock, .verify = mutex_given,
             .peer = mutex_peer)
LAB_SCENARIO(mutex, lock_that_waits, .helper = mutex_hold, .victim = mutex_lock,
             .verify = mutex_taken, .flags = LAB_LOOSE)
