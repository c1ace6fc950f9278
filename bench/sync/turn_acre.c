/* SPDX-License-Identifier: MIT */
/* turn_acre.c: acre's semaphore and condition.  All zero is a semaphore of 0, a free mutex and a
 * valid condition: nothing has to be initialised. */
#include "bench/sync/turn.h"

#include <acre/sync.h>

static const char *turn_acre_init(const turn_kind *k, turn_place *p)
{
    (void)k, (void)p;
    return NULL;
}

static int turn_acre_take(void *semaphore)
{
    return acre_semaphore_wait(semaphore);
}

static int turn_acre_give(void *semaphore)
{
    return acre_semaphore_post(semaphore, 1);
}

static int turn_acre_lock(void *mutex)
{
    return acre_mutex_lock(mutex);
}

static int turn_acre_unlock(void *mutex)
{
    return acre_mutex_unlock(mutex);
}

static int turn_acre_wait(void *condition, void *mutex)
{
    return acre_condition_wait(condition, mutex, ACRE_EXCLUSIVE);
}

static int turn_acre_notify(void *condition)
{
    return acre_condition_notify_one(condition);
}

void turn_acre(void)
{
    static const turn_kind kind = {.implementation = "acre",
                                   .init = turn_acre_init,
                                   .take = turn_acre_take,
                                   .give = turn_acre_give,
                                   .lock = turn_acre_lock,
                                   .unlock = turn_acre_unlock,
                                   .wait = turn_acre_wait,
                                   .notify = turn_acre_notify};
    turn_add("semaphore", &kind);
    turn_add("condition", &kind);
}
