/* SPDX-License-Identifier: MIT */
/* The event of park.h: no signal is lost, with and without others that sleep; and the heap's lock
 * (robust.h), which is held by being named only. */
#include "tests/explore/section.h"

#include "sync/robust.h"

typedef struct state {
    acre__event event;
    uint32_t items, taken;
    acre__robust lock;
    section section;
} state;

static state *get(void)
{
    return EXPLORE_SHARED(state);
}

/* ---- items are put, then signalled; one signal is for one taker ---- */

static void put_one(void)
{
    acre__add(&get()->items, 1);
    acre__event_signal(&get()->event, 1);
}

static void put_two(void)
{
    put_one();
    put_one();
}

static void put_two_at_once(void)
{
    acre__add(&get()->items, 2);
    acre__event_signal(&get()->event, ACRE__WAKE_ALL);
}

static bool try_take(void)
{
    uint32_t seen = acre__load(&get()->items);
    while (seen)
        if (acre__cas(&get()->items, &seen, seen - 1)) {
            acre__add(&get()->taken, 1);
            return true;
        }
    return false;
}

static void take_one(void)
{
    while (!try_take()) {
        uint32_t seen = acre__event_look(&get()->event);
        if (try_take())
            return;
        acre__event_sleep(&get()->event, seen, NULL);
    }
}

static void take_two(void)
{
    take_one();
    take_one();
}

static void take_three(void)
{
    take_two();
    take_one();
}

static void finish_empty(void)
{
    EXPLORE_CHECK(explore_has_died() || get()->items == 0);
}

/* ---- the heap's lock ---- */

static void lock_robust(void)
{
    section_may_write(&get()->section);
    int e = acre__robust_lock(&get()->lock);
    section_enter(&get()->section, e);
    section_leave(&get()->section);
    acre__robust_unlock(&get()->lock);
}

static void lock_robust_twice(void)
{
    lock_robust();
    lock_robust();
}

static void finish_robust(void)
{
    lock_robust();
    EXPLORE_CHECK(get()->lock.word == 0);
}

/* ---- the same, polled ---- */

static void lock_polled(void)
{
    section_may_write(&get()->section);
    int e = acre__robust_lock_polled(&get()->lock);
    section_enter(&get()->section, e);
    section_leave(&get()->section);
    acre__robust_unlock_polled(&get()->lock);
}

static void lock_polled_twice(void)
{
    lock_polled();
    lock_polled();
}

static void finish_polled(void)
{
    lock_polled();
    EXPLORE_CHECK(get()->lock.word == 0);
}

static const explore_scenario scenarios[] = {
    EXPLORE_ALL("one item", 4, 0, 0, NULL, finish_empty, put_one, take_one),
    EXPLORE_ALL("two items", 4, 0, 0, NULL, finish_empty, put_two, take_two),
    EXPLORE_ALL("two items, two takers", 3, 0, 0, NULL, finish_empty, put_two, take_one, take_one),
    EXPLORE_ALL("two at once, two takers", 3, 0, 0, NULL, finish_empty, put_two_at_once, take_one,
                take_one),
    EXPLORE_ALL("two putters", 3, 0, 0, NULL, finish_empty, put_one, put_one, take_two),
    EXPLORE_ALL("two putters, two takers", 2, 0, 0, NULL, finish_empty, put_one, put_one, take_one,
                take_one),
    EXPLORE_RANDOM("two putters, at random", 100000, 0, 0, NULL, finish_empty, put_one, put_two,
                   take_three),
    EXPLORE_ALL("heap's lock", 4, 0, 0, NULL, finish_robust, lock_robust, lock_robust),
    EXPLORE_ALL("heap's lock, one dies", 3, 1, EXPLORE_STRICT, NULL, finish_robust, lock_robust,
                lock_robust),
    EXPLORE_ALL("heap's lock, three threads", 3, 0, 0, NULL, finish_robust, lock_robust,
                lock_robust, lock_robust),
    EXPLORE_RANDOM("heap's lock, three threads twice", 100000, 1, 0, NULL, finish_robust,
                   lock_robust_twice, lock_robust_twice, lock_robust_twice),
    EXPLORE_ALL("heap's lock, polled", 4, 0, 0, NULL, finish_polled, lock_polled, lock_polled),
    EXPLORE_ALL("heap's lock, polled, one dies", 3, 1, 0, NULL, finish_polled, lock_polled,
                lock_polled),
    EXPLORE_RANDOM("heap's lock, polled, three threads twice", 100000, 1, 0, NULL, finish_polled,
                   lock_polled_twice, lock_polled_twice, lock_polled_twice),
};
EXPLORE_GROUP(event, scenarios)
