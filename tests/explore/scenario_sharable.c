/* SPDX-License-Identifier: MIT */
/* acre_sharable: readers beside each other, a writer alone, and who dies in which mode. */
#include "tests/explore/section.h"

typedef struct state {
    acre_sharable lock;
    section section;
    uint32_t busy; /* a bit for each thread whose try failed */
} state;

static state *get(void)
{
    return EXPLORE_SHARED(state);
}

static void begin(void)
{
    acre_sharable_init(&get()->lock);
}

static void heal(int said)
{
    EXPLORE_CHECK(acre_sharable_consistent(&get()->lock) == (said ? 0 : EINVAL));
}

static void in_write(int said)
{
    section_enter(&get()->section, said);
    section_leave(&get()->section);
    heal(said);
    EXPLORE_CHECK(acre_sharable_unlock(&get()->lock) == 0);
}

static void write_once(void)
{
    section_may_write(&get()->section);
    in_write(acre_sharable_lock(&get()->lock));
}

/* After a writer's death a reader has the lock alone until it says that all is well. */
static void in_read(int said)
{
    section_said(&get()->section, said);
    if (said) {
        section_may_write(&get()->section);
        section_enter(&get()->section, said);
        section_leave(&get()->section);
        heal(said);
    }
    section_read(&get()->section);
    EXPLORE_CHECK(acre_sharable_unlock_sharable(&get()->lock) == 0);
}

static void read_once(void)
{
    in_read(acre_sharable_lock_sharable(&get()->lock));
}

static void read_twice(void)
{
    read_once();
    read_once();
}

static void read_then_write(void)
{
    read_once();
    write_once();
}

/* ---- timed ---- */

static void write_timed(void)
{
    section_may_write(&get()->section);
    int e = acre_sharable_lock_until(&get()->lock, &explore_soon);
    if (e != ETIMEDOUT)
        in_write(e);
}

static void read_timed(void)
{
    int e = acre_sharable_lock_sharable_until(&get()->lock, &explore_soon);
    if (e != ETIMEDOUT)
        in_read(e);
}

/* ---- tried ---- */

static void write_tried(void)
{
    section_may_write(&get()->section);
    int e = acre_sharable_trylock(&get()->lock);
    if (e != EBUSY)
        in_write(e);
    else
        acre__or(&get()->busy, 1u << explore_me());
}

static void read_tried(void)
{
    int e = acre_sharable_trylock_sharable(&get()->lock);
    if (e != EBUSY)
        in_read(e);
    else
        acre__or(&get()->busy, 1u << explore_me());
}

/* Readers do not keep readers out. */
static void read_tried_succeeds(void)
{
    int e = acre_sharable_trylock_sharable(&get()->lock);
    EXPLORE_CHECK(e == 0);
    in_read(e);
}

/* ---- the end ---- */

static void finish(void)
{
    read_once();
    write_once();
    EXPLORE_CHECK(acre_sharable_trylock(&get()->lock) == 0);
    EXPLORE_CHECK(acre_sharable_unlock(&get()->lock) == 0);
    EXPLORE_CHECK(acre_sharable_destroy(&get()->lock) == 0);
}

/* Of two who try, one gets it. */
static void finish_one_got_it(void)
{
    EXPLORE_CHECK(get()->busy != 3);
    finish();
}

static const explore_scenario scenarios[] = {
    EXPLORE_ALL("reader, writer", 4, 0, 0, begin, finish, read_once, write_once),
    EXPLORE_ALL("reader, writer, one dies", 3, 1, EXPLORE_SLOW, begin, finish, read_once,
                write_once),
    EXPLORE_ALL("reader, writer, one dies, shorter", 2, 1, 0, begin, finish, read_once, write_once),
    EXPLORE_ALL("two writers, one dies", 2, 1, 0, begin, finish, write_once, write_once),
    EXPLORE_ALL("two readers, one dies", 3, 1, EXPLORE_SLOW, begin, finish, read_once, read_once),
    EXPLORE_ALL("reading twice, then writing", 3, 0, 0, begin, finish, read_twice, read_then_write),
    EXPLORE_ALL("two readers, writer", 2, 0, 0, begin, finish, read_once, read_once, write_once),
    EXPLORE_ALL("two readers, writer, one dies", 1, 1, 0, begin, finish, read_once, read_once,
                write_once),
    EXPLORE_ALL("two writers, reader, one dies", 1, 1, 0, begin, finish, write_once, write_once,
                read_once),
    EXPLORE_ALL("writer gives up, reader", 3, 0, 0, begin, finish, write_timed, read_once),
    EXPLORE_ALL("writer gives up, two readers", 2, 0, 0, begin, finish, write_timed, read_once,
                read_once),
    EXPLORE_ALL("writer gives up, reader, one dies", 2, 1, 0, begin, finish, write_timed,
                read_once),
    EXPLORE_ALL("reader gives up, writer, one dies", 2, 1, 0, begin, finish, read_timed,
                write_once),
    EXPLORE_ALL("reader gives up, two writers", 2, 0, 0, begin, finish, read_timed, write_once,
                write_once),
    EXPLORE_ALL("writer gives up beside a writer, reader", 2, 0, 0, begin, finish, write_timed,
                write_once, read_once),
    EXPLORE_ALL("both try", 3, 0, 0, begin, finish_one_got_it, read_tried, write_tried),
    EXPLORE_ALL("two writers try", 3, 0, 0, begin, finish_one_got_it, write_tried, write_tried),
    EXPLORE_ALL("two readers try", 3, 0, 0, begin, finish, read_tried_succeeds,
                read_tried_succeeds),
    EXPLORE_ALL("writer tries, reader waits, one dies", 2, 1, 0, begin, finish, write_tried,
                read_once),
    EXPLORE_ALL("reader tries, writer waits, one dies", 2, 1, 0, begin, finish, read_tried,
                write_once),
    EXPLORE_RANDOM("three threads", 100000, 1, 0, begin, finish, read_twice, read_then_write,
                   write_once),
    EXPLORE_RANDOM("three threads giving up", 100000, 1, 0, begin, finish, read_timed, write_timed,
                   read_then_write),
    EXPLORE_RANDOM("three threads trying", 100000, 1, 0, begin, finish, read_then_write,
                   write_tried, write_once),
};
EXPLORE_GROUP(sharable, scenarios)
