/* SPDX-License-Identifier: MIT */
/* acre_recursive and acre_spin: the cell with a count, and the cell that nobody sleeps on. */
#include "tests/explore/section.h"

typedef struct state {
    acre_recursive recursive;
    acre_spin spin;
    section section;
} state;

static state *get(void)
{
    return EXPLORE_SHARED(state);
}

static void begin(void)
{
    acre_recursive_init(&get()->recursive);
    acre_spin_init(&get()->spin);
}

/* ---- recursive ---- */

static void nested(int said)
{
    acre_recursive *r = &get()->recursive;
    section_enter(&get()->section, said);
    EXPLORE_CHECK(acre_recursive_lock(r) == 0);
    EXPLORE_CHECK(acre_recursive_trylock(r) == 0);
    EXPLORE_CHECK(acre_recursive_unlock(r) == 0);
    EXPLORE_CHECK(acre_recursive_unlock(r) == 0);
    section_leave(&get()->section);
    EXPLORE_CHECK(acre_recursive_consistent(r) == (said ? 0 : EINVAL));
    EXPLORE_CHECK(acre_recursive_unlock(r) == 0);
}

static void recursive_once(void)
{
    EXPLORE_CHECK(acre_recursive_unlock(&get()->recursive) == EPERM);
    section_may_write(&get()->section);
    nested(acre_recursive_lock(&get()->recursive));
    EXPLORE_CHECK(acre_recursive_unlock(&get()->recursive) == EPERM);
}

static void recursive_timed(void)
{
    section_may_write(&get()->section);
    int e = acre_recursive_lock_until(&get()->recursive, &explore_soon);
    if (e != ETIMEDOUT)
        nested(e);
}

static void finish_recursive(void)
{
    recursive_once();
    EXPLORE_CHECK(acre_recursive_destroy(&get()->recursive) == 0);
}

/* ---- spin ---- */

static void spin_in(int said)
{
    section_enter(&get()->section, said);
    section_leave(&get()->section);
    EXPLORE_CHECK(acre_spin_consistent(&get()->spin) == (said ? 0 : EINVAL));
    EXPLORE_CHECK(acre_spin_unlock(&get()->spin) == 0);
}

static void spin_once(void)
{
    section_may_write(&get()->section);
    spin_in(acre_spin_lock(&get()->spin));
}

static void spin_timed(void)
{
    section_may_write(&get()->section);
    int e = acre_spin_lock_until(&get()->spin, &explore_soon);
    if (e != ETIMEDOUT)
        spin_in(e);
}

static void finish_spin(void)
{
    spin_once();
    EXPLORE_CHECK(acre_spin_destroy(&get()->spin) == 0);
}

static const explore_scenario scenarios[] = {
    EXPLORE_ALL("recursive", 3, 0, 0, begin, finish_recursive, recursive_once, recursive_once),
    EXPLORE_ALL("recursive, one dies", 2, 1, EXPLORE_STRICT, begin, finish_recursive,
                recursive_once, recursive_once),
    EXPLORE_ALL("recursive, giving up, one dies", 2, 1, EXPLORE_SLOW | EXPLORE_STRICT, begin,
                finish_recursive, recursive_once, recursive_timed),
    EXPLORE_ALL("spin", 3, 0, 0, begin, finish_spin, spin_once, spin_once),
    EXPLORE_ALL("spin, one dies", 2, 1, EXPLORE_STRICT, begin, finish_spin, spin_once, spin_once),
    EXPLORE_ALL("spin, giving up, one dies", 2, 1, EXPLORE_STRICT, begin, finish_spin, spin_once,
                spin_timed),
    EXPLORE_RANDOM("spin, three threads", 50000, 1, EXPLORE_STRICT, begin, finish_spin, spin_once,
                   spin_once, spin_timed),
};
EXPLORE_GROUP(recursive, scenarios)
