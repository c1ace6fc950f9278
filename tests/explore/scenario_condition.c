/* SPDX-License-Identifier: MIT */
/* acre_condition: a place that is filled and emptied, whose users wait for each other. */
#include "tests/explore/explore.h"

typedef struct state {
    acre_condition condition;
    acre_mutex mutex;
    acre_sharable sharable;
    uint32_t items, open;
} state;

static state *get(void)
{
    return EXPLORE_SHARED(state);
}

static void begin(void)
{
    acre_condition_init(&get()->condition);
    acre_mutex_init(&get()->mutex);
    acre_sharable_init(&get()->sharable);
}

static void heal(int said)
{
    EXPLORE_CHECK(said == 0 || (said == ACRE_OWNER_DEAD && explore_has_died()));
    if (said)
        EXPLORE_CHECK(acre_mutex_consistent(&get()->mutex) == 0);
}

static void lock(void)
{
    heal(acre_mutex_lock(&get()->mutex));
}

static void unlock(void)
{
    EXPLORE_CHECK(acre_mutex_unlock(&get()->mutex) == 0);
}

/* ---- one item, one notification ---- */

static void put(void)
{
    lock();
    get()->items++;
    unlock();
    EXPLORE_CHECK(acre_condition_notify_one(&get()->condition) == 0);
}

static void put_twice(void)
{
    put();
    put();
}

/* Who dies before it notifies has not notified, and nobody can know: here it lives. */
static void put_alive(void)
{
    explore_spare(true);
    put();
}

static void put_twice_alive(void)
{
    explore_spare(true);
    put_twice();
}

static void put_under_lock(void)
{
    lock();
    get()->items++;
    EXPLORE_CHECK(acre_condition_notify_one(&get()->condition) == 0);
    unlock();
}

static void take(void)
{
    lock();
    while (get()->items == 0)
        heal(acre_condition_wait(&get()->condition, &get()->mutex, ACRE_EXCLUSIVE));
    if (get()->items)
        get()->items--;
    unlock();
}

static void take_timed(void)
{
    int e = 0;
    lock();
    while (get()->items == 0 && e != ETIMEDOUT) {
        e = acre_condition_wait_until(&get()->condition, &get()->mutex, ACRE_EXCLUSIVE,
                                      &explore_soon);
        heal(e == ETIMEDOUT ? 0 : e);
    }
    if (get()->items)
        get()->items--;
    unlock();
}

static void finish(void)
{
    lock();
    EXPLORE_CHECK(get()->items <= (explore_has_died() ? 2 : 1));
    unlock();
    EXPLORE_CHECK(acre_condition_destroy(&get()->condition) == 0);
}

/* ---- all at once, readers of a sharable mutex ---- */

static void open_for_all(void)
{
    EXPLORE_CHECK(acre_sharable_lock(&get()->sharable) == 0);
    get()->open = 1;
    EXPLORE_CHECK(acre_sharable_unlock(&get()->sharable) == 0);
    EXPLORE_CHECK(acre_condition_notify_all(&get()->condition) == 0);
}

static void await_open(void)
{
    EXPLORE_CHECK(acre_sharable_lock_sharable(&get()->sharable) == 0);
    while (!get()->open)
        EXPLORE_CHECK(acre_condition_wait(&get()->condition, &get()->sharable, ACRE_SHARABLE) == 0);
    EXPLORE_CHECK(acre_sharable_unlock_sharable(&get()->sharable) == 0);
}

static const explore_scenario scenarios[] = {
    EXPLORE_ALL("one waits", 3, 0, 0, begin, finish, put, take),
    EXPLORE_ALL("one waits, one dies", 2, 1, 0, begin, finish, put_alive, take),
    EXPLORE_ALL("notified under the lock", 3, 0, 0, begin, finish, put_under_lock, take),
    EXPLORE_ALL("two wait, two notifications", 2, 0, 0, begin, finish, put_twice, take, take),
    EXPLORE_ALL("two wait, one dies", 1, 1, 0, begin, finish, put_twice_alive, take, take),
    EXPLORE_ALL("one waits, one gives up", 2, 0, 0, begin, finish, put_twice, take, take_timed),
    EXPLORE_ALL("giving up, one dies", 2, 1, 0, begin, finish, put_alive, take_timed),
    EXPLORE_ALL("two readers wait, all notified", 2, 0, 0, begin, NULL, open_for_all, await_open,
                await_open),
    EXPLORE_ALL("two notifiers, two wait", 1, 0, 0, begin, finish, put, put, take, take),
    EXPLORE_RANDOM("two notifiers, two wait, one dies", 100000, 1, 0, begin, finish, put_alive,
                   put_alive, take, take_timed),
};
EXPLORE_GROUP(condition, scenarios)
