/* SPDX-License-Identifier: MIT */
/* acre_upgradable: promotions and demotions against readers and other upgradables, and deaths in
 * between. */
#include "tests/explore/section.h"

typedef struct state {
    acre_upgradable lock;
    section section;
    uint32_t upgradable; /* who holds it upgradably + 1 */
    uint32_t has_read;   /* futex */
} state;

static state *get(void)
{
    return EXPLORE_SHARED(state);
}

static acre_upgradable *lock(void)
{
    return &get()->lock;
}

static void begin(void)
{
    acre_upgradable_init(lock());
}

/* ---- what each mode permits ---- */

static void in_write(int said)
{
    section_enter(&get()->section, said);
    section_leave(&get()->section);
    EXPLORE_CHECK(acre_upgradable_consistent(lock()) == (said ? 0 : EINVAL));
}

/* Who comes after a dead writer holds exclusively until it has healed. */
static void heal_first(int said)
{
    section_said(&get()->section, said);
    if (said) {
        section_may_write(&get()->section);
        in_write(said);
    }
}

/* Alone among upgradables, beside readers. */
static void in_upgradable(void)
{
    uint32_t other = acre__peek(&get()->upgradable);
    EXPLORE_CHECK(get()->section.inside == 0);
    EXPLORE_CHECK(other == 0 || explore_dead(other - 1));
    acre__put(&get()->upgradable, explore_me() + 1);
    EXPLORE_CHECK(get()->section.inside == 0);
    acre__put(&get()->upgradable, 0);
}

static void take_upgradable(void)
{
    heal_first(acre_upgradable_lock_upgradable(lock()));
    in_upgradable();
}

static void take_sharable(void)
{
    heal_first(acre_upgradable_lock_sharable(lock()));
    section_read(&get()->section);
}

static void leave_exclusive(void)
{
    EXPLORE_CHECK(acre_upgradable_unlock(lock()) == 0);
}

static void leave_upgradable(void)
{
    EXPLORE_CHECK(acre_upgradable_unlock_upgradable(lock()) == 0);
}

static void leave_sharable(void)
{
    EXPLORE_CHECK(acre_upgradable_unlock_sharable(lock()) == 0);
}

/* ---- plain ---- */

static void write_once(void)
{
    section_may_write(&get()->section);
    in_write(acre_upgradable_lock(lock()));
    leave_exclusive();
}

static void read_once(void)
{
    take_sharable();
    leave_sharable();
}

static void upgradable_once(void)
{
    take_upgradable();
    leave_upgradable();
}

/* An upgradable holder keeps no reader out. */
static void read_tried_beside_upgradable(void)
{
    EXPLORE_CHECK(acre_upgradable_trylock_sharable(lock()) == 0);
    section_read(&get()->section);
    leave_sharable();
}

/* ---- promotions ---- */

static void promote(void)
{
    take_upgradable();
    section_may_write(&get()->section);
    EXPLORE_CHECK(acre_upgradable_unlock_upgradable_and_lock(lock()) == 0);
    in_write(0);
    leave_exclusive();
}

/* What was held before is held still if it fails. */
static void after_promotion(int e, int refused)
{
    EXPLORE_CHECK(e == 0 || e == refused);
    if (e == 0) {
        in_write(0);
        leave_exclusive();
    } else {
        in_upgradable();
        leave_upgradable();
    }
}

static void promote_timed(void)
{
    take_upgradable();
    section_may_write(&get()->section);
    after_promotion(acre_upgradable_unlock_upgradable_and_lock_until(lock(), &explore_soon),
                    ETIMEDOUT);
}

/* A reader that was kept out meanwhile is let in at once: this thread waits for it. */
static void promote_timed_then_wait(void)
{
    take_upgradable();
    section_may_write(&get()->section);
    int e = acre_upgradable_unlock_upgradable_and_lock_until(lock(), &explore_soon);
    while (e && acre__load(&get()->has_read) == 0)
        acre__park(&get()->has_read, 0, NULL);
    after_promotion(e, ETIMEDOUT);
}

static void read_twice(void)
{
    read_once();
    read_once();
    acre__store(&get()->has_read, 1);
    acre__wake(&get()->has_read, ACRE__WAKE_ALL);
}

static void promote_tried(void)
{
    take_upgradable();
    section_may_write(&get()->section);
    after_promotion(acre_upgradable_try_unlock_upgradable_and_lock(lock()), EBUSY);
}

static void promote_reader_tried(void)
{
    take_sharable();
    section_may_write(&get()->section);
    int e = acre_upgradable_try_unlock_sharable_and_lock(lock());
    if (e == ACRE_OWNER_DEAD || e == 0) {
        in_write(e);
        leave_exclusive();
        return;
    }
    EXPLORE_CHECK(e == EBUSY);
    section_read(&get()->section);
    leave_sharable();
}

static void promote_reader_to_upgradable(void)
{
    take_sharable();
    int e = acre_upgradable_try_unlock_sharable_and_lock_upgradable(lock());
    if (e == ACRE_OWNER_DEAD || e == 0) {
        heal_first(e);
        in_upgradable();
        leave_upgradable();
        return;
    }
    EXPLORE_CHECK(e == EBUSY);
    section_read(&get()->section);
    leave_sharable();
}

/* ---- demotions ---- */

static void write_then_upgradable(void)
{
    section_may_write(&get()->section);
    in_write(acre_upgradable_lock(lock()));
    EXPLORE_CHECK(acre_upgradable_unlock_and_lock_upgradable(lock()) == 0);
    in_upgradable();
    leave_upgradable();
}

static void write_then_read(void)
{
    section_may_write(&get()->section);
    in_write(acre_upgradable_lock(lock()));
    EXPLORE_CHECK(acre_upgradable_unlock_and_lock_sharable(lock()) == 0);
    section_read(&get()->section);
    leave_sharable();
}

static void upgradable_then_read(void)
{
    take_upgradable();
    EXPLORE_CHECK(acre_upgradable_unlock_upgradable_and_lock_sharable(lock()) == 0);
    section_read(&get()->section);
    leave_sharable();
}

static void finish(void)
{
    read_once();
    promote();
    write_then_upgradable();
    EXPLORE_CHECK(acre_upgradable_trylock(lock()) == 0);
    leave_exclusive();
    EXPLORE_CHECK(acre_upgradable_destroy(lock()) == 0);
}

static const explore_scenario scenarios[] = {
    EXPLORE_ALL("upgradable, reader tries", 3, 0, 0, begin, finish, upgradable_once,
                read_tried_beside_upgradable),
    EXPLORE_ALL("upgradable, writer, one dies", 2, 1, 0, begin, finish, upgradable_once,
                write_once),
    EXPLORE_ALL("two upgradables, one dies", 2, 1, 0, begin, finish, upgradable_once,
                upgradable_once),
    EXPLORE_ALL("promotion, reader", 4, 0, EXPLORE_SLOW, begin, finish, promote, read_once),
    EXPLORE_ALL("promotion, reader, one dies", 2, 1, 0, begin, finish, promote, read_once),
    EXPLORE_ALL("promotion, writer, one dies", 2, 1, 0, begin, finish, promote, write_once),
    EXPLORE_ALL("two promotions, one dies", 2, 1, 0, begin, finish, promote, promote),
    EXPLORE_ALL("promotion gives up, reader", 4, 0, EXPLORE_SLOW, begin, finish, promote_timed,
                read_once),
    EXPLORE_ALL("promotion gives up, waits for reader", 3, 0, 0, begin, finish,
                promote_timed_then_wait, read_twice),
    EXPLORE_ALL("promotion gives up, two readers", 2, 0, 0, begin, finish, promote_timed, read_once,
                read_once),
    EXPLORE_ALL("promotion gives up, reader, one dies", 2, 1, 0, begin, finish, promote_timed,
                read_once),
    EXPLORE_ALL("promotion gives up, reader, upgradable", 2, 0, 0, begin, finish, promote_timed,
                read_once, upgradable_once),
    EXPLORE_ALL("promotion gives up, reader, writer", 2, 0, 0, begin, finish, promote_timed,
                read_once, write_once),
    EXPLORE_ALL("promotion tries, reader, one dies", 2, 1, 0, begin, finish, promote_tried,
                read_once),
    EXPLORE_ALL("promotion tries, reader, writer", 2, 0, 0, begin, finish, promote_tried, read_once,
                write_once),
    EXPLORE_ALL("reader tries to write, reader", 3, 0, 0, begin, finish, promote_reader_tried,
                read_once),
    EXPLORE_ALL("two readers try to write, one dies", 2, 1, EXPLORE_SLOW, begin, finish,
                promote_reader_tried, promote_reader_tried),
    EXPLORE_ALL("reader tries to write, writer, one dies", 2, 1, 0, begin, finish,
                promote_reader_tried, write_once),
    EXPLORE_ALL("reader tries to write, promotion, one dies", 2, 1, 0, begin, finish,
                promote_reader_tried, promote),
    EXPLORE_ALL("readers become upgradable, one dies", 2, 1, 0, begin, finish,
                promote_reader_to_upgradable, promote_reader_to_upgradable),
    EXPLORE_ALL("reader becomes upgradable, writer, one dies", 2, 1, 0, begin, finish,
                promote_reader_to_upgradable, write_once),
    EXPLORE_ALL("writer to upgradable, reader, one dies", 2, 1, 0, begin, finish,
                write_then_upgradable, read_once),
    EXPLORE_ALL("writer to upgradable, reader, upgradable", 2, 0, 0, begin, finish,
                write_then_upgradable, read_once, upgradable_once),
    EXPLORE_ALL("writer to reader, reader, one dies", 2, 1, 0, begin, finish, write_then_read,
                read_once),
    EXPLORE_ALL("writer to reader, writer, one dies", 2, 1, 0, begin, finish, write_then_read,
                write_once),
    EXPLORE_ALL("upgradable to reader, promotion, one dies", 2, 1, 0, begin, finish,
                upgradable_then_read, promote),
    EXPLORE_RANDOM("three threads", 100000, 1, 0, begin, finish, promote, write_then_read,
                   promote_reader_to_upgradable),
    EXPLORE_RANDOM("three threads trying", 100000, 1, 0, begin, finish, promote_tried,
                   write_then_upgradable, promote_reader_tried),
    EXPLORE_RANDOM("three threads giving up", 100000, 1, 0, begin, finish, promote_timed, read_once,
                   upgradable_then_read),
};
EXPLORE_GROUP(upgradable, scenarios)
