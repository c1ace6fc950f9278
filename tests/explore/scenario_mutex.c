/* SPDX-License-Identifier: MIT */
/* The cell by way of acre_mutex: exclusion, owner death, waiting, giving up. */
#include "tests/explore/section.h"

typedef struct state {
    acre_mutex mutex, second;
    section section;
} state;

static state *get(void)
{
    return EXPLORE_SHARED(state);
}

static void begin(void)
{
    acre_mutex_init(&get()->mutex);
    acre_mutex_init(&get()->second);
}

/* Whoever survives can lock, and is told of a death in the section. */
static void finish(void)
{
    int e = acre_mutex_lock(&get()->mutex);
    section_enter(&get()->section, e);
    section_leave(&get()->section);
    EXPLORE_CHECK(acre_mutex_consistent(&get()->mutex) == (e ? 0 : EINVAL));
    EXPLORE_CHECK(acre_mutex_unlock(&get()->mutex) == 0);
    EXPLORE_CHECK(acre_mutex_trylock(&get()->mutex) == 0);
    EXPLORE_CHECK(acre_mutex_unlock(&get()->mutex) == 0);
    EXPLORE_CHECK(get()->mutex.cell.word == 0);
}

static void in_section(acre_mutex *m, int e)
{
    section_enter(&get()->section, e);
    section_leave(&get()->section);
    if (e)
        EXPLORE_CHECK(acre_mutex_consistent(m) == 0);
    EXPLORE_CHECK(acre_mutex_unlock(m) == 0);
}

static void lock_once(void)
{
    section_may_write(&get()->section);
    in_section(&get()->mutex, acre_mutex_lock(&get()->mutex));
}

static void lock_twice(void)
{
    lock_once();
    lock_once();
}

static void lock_timed(void)
{
    section_may_write(&get()->section);
    int e = acre_mutex_lock_until(&get()->mutex, &explore_soon);
    if (e == ETIMEDOUT)
        return;
    in_section(&get()->mutex, e);
}

static void try_once(void)
{
    section_may_write(&get()->section);
    int e = acre_mutex_trylock(&get()->mutex);
    if (e != EBUSY)
        in_section(&get()->mutex, e);
}

/* Holding a second one: the robust list has two entries. */
static void lock_nested(void)
{
    int second = acre_mutex_lock(&get()->second);
    EXPLORE_CHECK(second == 0 || explore_has_died());
    lock_once();
    if (second)
        EXPLORE_CHECK(acre_mutex_consistent(&get()->second) == 0);
    EXPLORE_CHECK(acre_mutex_unlock(&get()->second) == 0);
}

/* Given back in the order of taking, not as a stack. */
static void lock_crosswise(void)
{
    section_may_write(&get()->section);
    int second = acre_mutex_lock(&get()->second), e = acre_mutex_lock(&get()->mutex);
    section_enter(&get()->section, e);
    section_leave(&get()->section);
    if (second)
        EXPLORE_CHECK(acre_mutex_consistent(&get()->second) == 0);
    EXPLORE_CHECK(acre_mutex_unlock(&get()->second) == 0);
    if (e)
        EXPLORE_CHECK(acre_mutex_consistent(&get()->mutex) == 0);
    EXPLORE_CHECK(acre_mutex_unlock(&get()->mutex) == 0);
}

/* A free lock is never said to be busy: nobody else comes to it here. */
static void try_free(void)
{
    EXPLORE_CHECK(acre_mutex_trylock(&get()->second) == 0);
    EXPLORE_CHECK(acre_mutex_unlock(&get()->second) == 0);
}

static void finish_with_second(void)
{
    finish();
    int e = acre_mutex_lock(&get()->second);
    EXPLORE_CHECK(e == 0 || (e == ACRE_OWNER_DEAD && explore_has_died()));
    EXPLORE_CHECK(acre_mutex_unlock(&get()->second) == 0);
}

/* ---- nobody heals it ---- */

static void lock_without_healing(void)
{
    section_may_write(&get()->section);
    int e = acre_mutex_lock(&get()->mutex);
    if (e == ENOTRECOVERABLE) {
        EXPLORE_CHECK(explore_has_died());
        return;
    }
    section_enter(&get()->section, e);
    section_leave(&get()->section);
    EXPLORE_CHECK(acre_mutex_unlock(&get()->mutex) == 0);
}

static void finish_without_healing(void)
{
    lock_without_healing();
    int e = acre_mutex_trylock(&get()->mutex);
    EXPLORE_CHECK(e == 0 || (explore_has_died() && e == ENOTRECOVERABLE));
}

static const explore_scenario scenarios[] = {
    EXPLORE_ALL("lock, unlock against the same", 4, 0, 0, begin, finish, lock_once, lock_once),
    EXPLORE_ALL("the same, one dies", 3, 1, EXPLORE_STRICT, begin, finish, lock_once, lock_once),
    EXPLORE_ALL("twice each", 3, 0, 0, begin, finish, lock_twice, lock_twice),
    EXPLORE_ALL("twice each, one dies", 2, 1, EXPLORE_STRICT, begin, finish, lock_twice,
                lock_twice),
    EXPLORE_ALL("three threads", 2, 0, 0, begin, finish, lock_once, lock_once, lock_once),
    EXPLORE_ALL("three threads, one dies", 1, 1, 0, begin, finish, lock_once, lock_once, lock_once),
    EXPLORE_ALL("three threads, two die", 1, 2, EXPLORE_SLOW, begin, finish, lock_once, lock_once,
                lock_once),
    EXPLORE_RANDOM("three threads twice", 200000, 1, 0, begin, finish, lock_twice, lock_twice,
                   lock_twice),
    EXPLORE_ALL("giving up against unlock", 4, 0, 0, begin, finish, lock_once, lock_timed),
    EXPLORE_ALL("giving up against unlock, one dies", 3, 1, EXPLORE_STRICT, begin, finish,
                lock_once, lock_timed),
    EXPLORE_ALL("giving up beside a sleeper", 2, 0, 0, begin, finish, lock_once, lock_once,
                lock_timed),
    EXPLORE_ALL("giving up beside a sleeper, third one barges", 3, 0, EXPLORE_SLOW, begin, finish,
                lock_twice, lock_once, lock_timed),
    EXPLORE_ALL("giving up beside a sleeper, one dies", 2, 1, EXPLORE_SLOW, begin, finish,
                lock_once, lock_once, lock_timed),
    EXPLORE_RANDOM("giving up at random", 200000, 1, 0, begin, finish, lock_twice, lock_once,
                   lock_timed),
    EXPLORE_ALL("trylock against lock, one dies", 3, 1, EXPLORE_STRICT, begin, finish, lock_once,
                try_once),
    EXPLORE_ALL("two locks held, one dies", 2, 1, EXPLORE_STRICT, begin, finish_with_second,
                lock_nested, lock_nested),
    EXPLORE_ALL("given back crosswise, one dies", 3, 1, EXPLORE_SLOW | EXPLORE_STRICT, begin,
                finish_with_second, lock_crosswise, lock_once),
    EXPLORE_ALL("trylock of a free one succeeds", 3, 0, 0, begin, finish, try_free, lock_twice),
    EXPLORE_ALL("nobody heals, one dies", 3, 1, EXPLORE_STRICT, begin, finish_without_healing,
                lock_without_healing, lock_without_healing),
    EXPLORE_RANDOM("nobody heals, three threads", 100000, 1, 0, begin, finish_without_healing,
                   lock_without_healing, lock_without_healing, lock_without_healing),
};
EXPLORE_GROUP(mutex, scenarios)
