/* SPDX-License-Identifier: MIT */
/* acre_barrier and acre_once. */
#include "tests/explore/explore.h"

typedef struct state {
    acre_once once;
    uint32_t initialising, value, runs;
    uint32_t arrived[2]; /* in each round, a bit each */
    _Alignas(64) acre_barrier barrier;
} state;

static state *get(void)
{
    return EXPLORE_SHARED(state);
}

/* ---- barrier ---- */

static void begin_2(void)
{
    EXPLORE_CHECK(acre_barrier_init(&get()->barrier, 2) == 0);
}

static void begin_3(void)
{
    EXPLORE_CHECK(acre_barrier_init(&get()->barrier, 3) == 0);
}

/* Nobody comes out before all who live have come in. */
static void check_all_in(int e, uint32_t round)
{
    EXPLORE_CHECK(e == 0 || (e == ACRE_EPEER && explore_has_died()));
    for (uint32_t i = 0; i < get()->barrier.members; i++)
        EXPLORE_CHECK(get()->arrived[round] >> i & 1 || explore_dead(i));
}

/* Who dies before it has joined is waited for, so nobody does here. */
static uint32_t join(void)
{
    uint32_t me;
    explore_spare(true);
    EXPLORE_CHECK(acre_barrier_join(&get()->barrier, &me) == 0);
    explore_spare(false);
    return me;
}

static void meet(uint32_t member, uint32_t round)
{
    acre__or(&get()->arrived[round], 1u << explore_me());
    check_all_in(acre_barrier_wait(&get()->barrier, member), round);
}

static void meet_once(void)
{
    meet(join(), 0);
}

static void meet_twice(void)
{
    uint32_t me = join();
    meet(me, 0);
    meet(me, 1);
}

static void meet_and_leave(void)
{
    uint32_t me = join();
    meet(me, 0);
    acre__or(&get()->arrived[1], 1u << explore_me()); /* the others need not wait */
    EXPLORE_CHECK(acre_barrier_leave(&get()->barrier, me) == 0);
}

static void leave_at_once(void)
{
    uint32_t me = join();
    acre__or(&get()->arrived[0], 1u << explore_me());
    EXPLORE_CHECK(acre_barrier_leave(&get()->barrier, me) == 0);
}

/* A time-out that has been told means that it has not arrived. */
static void meet_timed(void)
{
    uint32_t me = join();
    acre__or(&get()->arrived[0], 1u << explore_me());
    int e = acre_barrier_wait_until(&get()->barrier, me, &explore_soon);
    if (e != ETIMEDOUT)
        check_all_in(e, 0);
    else
        meet(me, 0);
}

/* ---- once ---- */

static int initialise(void *failing)
{
    uint32_t before = acre__peek(&get()->initialising);
    EXPLORE_CHECK(before == 0 || explore_dead(before - 1));
    EXPLORE_CHECK(get()->value == 0 || explore_has_died());
    acre__put(&get()->initialising, explore_me() + 1);
    acre__add(&get()->runs, 1u);
    if (!failing)
        acre__put(&get()->value, 42u);
    acre__put(&get()->initialising, 0u);
    return failing ? EIO : 0;
}

static void once(void)
{
    EXPLORE_CHECK(acre_once_run(&get()->once, initialise, NULL) == 0);
    EXPLORE_CHECK(get()->value == 42 && acre_once_done(&get()->once));
}

static void once_failing(void)
{
    int e = acre_once_run(&get()->once, initialise, get());
    EXPLORE_CHECK(e == EIO || (e == 0 && get()->value == 42));
}

static void finish_once(void)
{
    once();
    EXPLORE_CHECK(get()->runs == 1 || explore_has_died());
}

static const explore_scenario scenarios[] = {
    EXPLORE_ALL("barrier", 3, 0, 0, begin_2, NULL, meet_once, meet_once),
    EXPLORE_ALL("barrier, two rounds", 2, 0, 0, begin_2, NULL, meet_twice, meet_twice),
    EXPLORE_ALL("barrier, one dies", 2, 1, 0, begin_2, NULL, meet_once, meet_once),
    EXPLORE_ALL("barrier, two rounds, one dies", 1, 1, 0, begin_2, NULL, meet_twice, meet_twice),
    EXPLORE_ALL("barrier, one leaves", 2, 0, 0, begin_2, NULL, meet_twice, meet_and_leave),
    EXPLORE_ALL("barrier, one leaves at once, one dies", 2, 1, 0, begin_2, NULL, meet_once,
                leave_at_once),
    EXPLORE_ALL("barrier, giving up", 3, 0, EXPLORE_SLOW, begin_2, NULL, meet_once, meet_timed),
    EXPLORE_ALL("barrier, giving up, one dies", 1, 1, 0, begin_2, NULL, meet_once, meet_timed),
    EXPLORE_ALL("barrier of three", 1, 0, 0, begin_3, NULL, meet_once, meet_once, meet_once),
    EXPLORE_RANDOM("barrier of three, one dies", 50000, 1, 0, begin_3, NULL, meet_twice, meet_twice,
                   meet_twice),
    EXPLORE_RANDOM("barrier of three, giving up, one dies", 50000, 1, 0, begin_3, NULL, meet_once,
                   meet_timed, meet_and_leave),
    EXPLORE_ALL("once", 3, 0, 0, NULL, finish_once, once, once),
    EXPLORE_ALL("once, one dies", 3, 1, EXPLORE_SLOW, NULL, finish_once, once, once),
    EXPLORE_ALL("once, fails first", 3, 0, 0, NULL, once, once_failing, once),
    EXPLORE_ALL("once, three threads, one dies", 1, 1, 0, NULL, finish_once, once, once, once),
};
EXPLORE_GROUP(barrier, scenarios)
