/* SPDX-License-Identifier: MIT */
/* Killed at every instruction of every operation of the sharable and the upgradable mutex.
 *
 *     a reader's, an upgradable holder's or a waiter's death    nobody is told
 *     a writer's                                                one is told, in whatever mode it
 * asks
 *
 * and afterwards every mode is to be had at once. */
#include "tests/support_lab.h"

#include <acre/sync.h>
#include <errno.h>

/* The exported functions as they are, for acre_sharable and acre_upgradable alike. */
typedef struct rw_mode {
    int (*lock)(void *), (*trylock)(void *), (*unlock)(void *);
} rw_mode;

#define CALL(name, type)                                                                           \
    static int rw_##name(void *m)                                                                  \
    {                                                                                              \
        return acre_##name((type *)m);                                                             \
    }
#define CALLS(type, mode)                                                                          \
    CALL(type##_lock##mode, acre_##type)                                                           \
    CALL(type##_trylock##mode, acre_##type)                                                        \
    CALL(type##_unlock##mode, acre_##type)
#define MODE(type, mode)                                                                           \
    {                                                                                              \
        rw_##type##_lock##mode, rw_##type##_trylock##mode, rw_##type##_unlock##mode                \
    }
CALLS(sharable, )
CALLS(sharable, _sharable)
CALLS(upgradable, )
CALLS(upgradable, _sharable)
CALLS(upgradable, _upgradable)
static const rw_mode rw_sharable[] = {MODE(sharable, ), MODE(sharable, _sharable)};
static const rw_mode rw_upgradable[] = {MODE(upgradable, ), MODE(upgradable, _sharable),
                                        MODE(upgradable, _upgradable)};

/* ---- survivors ---- */

static int rw_expect(int e)
{
    LAB_EXPECT(e == 0 || e == ACRE_OWNER_DEAD, "%d", e);
    return e;
}

/* Every mode at once, the first one that is tried may tell of a death.  Whether it did. */
static bool rw_told(void *m, const rw_mode *mode, unsigned modes, int (*heal)(void *))
{
    const rw_mode *first = &mode[lab_choice(modes)];
    int e = rw_expect(first->trylock(m));
    if (e)
        LAB_EQUAL(heal(m), 0);
    LAB_EQUAL(first->unlock(m), 0);
    for (unsigned i = 0; i < modes; i++) {
        LAB_EQUAL(mode[i].trylock(m), 0);
        LAB_EQUAL(mode[i].unlock(m), 0);
        LAB_EQUAL(mode[i].lock(m), 0);
        LAB_EQUAL(mode[i].unlock(m), 0);
    }
    return e;
}

static int sharable_heal(void *m)
{
    return acre_sharable_consistent(m);
}

static int upgradable_heal(void *m)
{
    return acre_upgradable_consistent(m);
}

#define VERIFY(type, modes)                                                                        \
    static bool type##_told(void *m)                                                               \
    {                                                                                              \
        return rw_told(m, rw_##type, modes, type##_heal);                                          \
    }                                                                                              \
    static int type##_taken(void *m)                                                               \
    {                                                                                              \
        return type##_told(m) ? LAB_AFTER : LAB_BEFORE;                                            \
    }                                                                                              \
    static int type##_given(void *m)                                                               \
    {                                                                                              \
        return type##_told(m) ? LAB_BEFORE : LAB_AFTER;                                            \
    }                                                                                              \
    static int type##_silent(void *m)                                                              \
    {                                                                                              \
        LAB_EXPECT(!type##_told(m), "told of one who only read");                                  \
        return LAB_EITHER;                                                                         \
    }
VERIFY(sharable, 2)
VERIFY(upgradable, 3)

/* ---- victims: what a lock returns is healed, so that a second one goes on ---- */

#define VICTIM(type, mode)                                                                         \
    static void type##_lock##mode(void *m)                                                         \
    {                                                                                              \
        if (rw_expect(acre_##type##_lock##mode(m)))                                                \
            LAB_EQUAL(type##_heal(m), 0);                                                          \
    }                                                                                              \
    static void type##_trylock##mode(void *m)                                                      \
    {                                                                                              \
        if (rw_expect(acre_##type##_trylock##mode(m)))                                             \
            LAB_EQUAL(type##_heal(m), 0);                                                          \
    }                                                                                              \
    static void type##_unlock##mode(void *m)                                                       \
    {                                                                                              \
        LAB_EQUAL(acre_##type##_unlock##mode(m), 0);                                               \
    }                                                                                              \
    static void type##_hold##mode(void *m)                                                         \
    {                                                                                              \
        type##_lock##mode(m);                                                                      \
        lab_ready();                                                                               \
        lab_await();                                                                               \
        type##_unlock##mode(m);                                                                    \
    }                                                                                              \
    /* The victim has it, another waits for it. */                                                 \
    static void type##_lock##mode##_and_meet(void *m)                                              \
    {                                                                                              \
        type##_lock##mode(m);                                                                      \
        lab_meet();                                                                                \
    }                                                                                              \
    static void type##_want##mode(void *m)                                                         \
    {                                                                                              \
        lab_met();                                                                                 \
        type##_lock##mode(m);                                                                      \
        type##_unlock##mode(m);                                                                    \
    }
VICTIM(sharable, )
VICTIM(sharable, _sharable)
VICTIM(upgradable, )
VICTIM(upgradable, _sharable)
VICTIM(upgradable, _upgradable)

/* ---- peers: nothing waits for one that stands still ---- */

/* An exclusive victim: there is an answer at once. */
static void rw_ask(void *m, const rw_mode *mode, unsigned modes)
{
    for (unsigned i = 0; i < modes; i++) {
        int e = mode[i].trylock(m);
        LAB_EXPECT(e == 0 || e == EBUSY, "%d", e);
        if (e == 0)
            LAB_EQUAL(mode[i].unlock(m), 0);
    }
}

static void sharable_ask(void *m)
{
    rw_ask(m, rw_sharable, 2);
}

static void upgradable_ask(void *m)
{
    rw_ask(m, rw_upgradable, 3);
}

/* A reader or upgradable victim: others read. */
#define READ(type)                                                                                 \
    static void type##_read(void *m)                                                               \
    {                                                                                              \
        LAB_EQUAL(acre_##type##_trylock_sharable(m), 0);                                           \
        LAB_EQUAL(acre_##type##_unlock_sharable(m), 0);                                            \
        LAB_EQUAL(acre_##type##_lock_sharable(m), 0);                                              \
        LAB_EQUAL(acre_##type##_unlock_sharable(m), 0);                                            \
        type##_ask(m);                                                                             \
    }
READ(sharable)
READ(upgradable)

/* ---- the operations ---- */

#define PLAIN(type, op, ...)                                                                       \
    LAB_SCENARIO(type, op, .victim = type##_##op, .verify = type##_##__VA_ARGS__)
#define HELD(type, had, op, ...)                                                                   \
    LAB_SCENARIO(type, op, .before = type##_##had, .victim = type##_##op,                          \
                 .verify = type##_##__VA_ARGS__)

#define BOTH(type)                                                                                 \
    PLAIN(type, lock, taken, .peer = type##_ask)                                                   \
    PLAIN(type, trylock, taken, .peer = type##_ask)                                                \
    HELD(type, lock, unlock, given, .peer = type##_ask)                                            \
    PLAIN(type, lock_sharable, silent, .peer = type##_read)                                        \
    PLAIN(type, trylock_sharable, silent, .peer = type##_read)                                     \
    HELD(type, lock_sharable, unlock_sharable, silent, .peer = type##_read)                        \
    LAB_SCENARIO(type, lock_beside_readers, .helper = type##_hold_sharable, .victim = type##_lock, \
                 .verify = type##_taken, .flags = LAB_LOOSE)                                       \
    LAB_SCENARIO(type, lock_beside_a_writer, .helper = type##_hold, .victim = type##_lock,         \
                 .verify = type##_taken, .flags = LAB_LOOSE)                                       \
    LAB_SCENARIO(type, lock_sharable_beside_a_writer, .helper = type##_hold,                       \
                 .victim = type##_lock_sharable, .verify = type##_silent, .flags = LAB_LOOSE)      \
    LAB_SCENARIO(type, lock_sharable_beside_readers, .helper = type##_hold_sharable,               \
                 .victim = type##_lock_sharable, .verify = type##_silent, .peer = type##_read)     \
    LAB_SCENARIO(type, unlock_to_a_writer, .helper = type##_want, .before = type##_lock_and_meet,  \
                 .victim = type##_unlock, .verify = type##_silent,                                 \
                 .flags = LAB_LOOSE | LAB_SINGLE)                                                  \
    LAB_SCENARIO(type, unlock_to_a_reader, .helper = type##_want_sharable,                         \
                 .before = type##_lock_and_meet, .victim = type##_unlock, .verify = type##_silent, \
                 .flags = LAB_LOOSE | LAB_SINGLE)                                                  \
    LAB_SCENARIO(type, unlock_sharable_to_a_writer, .helper = type##_want,                         \
                 .before = type##_lock_sharable_and_meet, .victim = type##_unlock_sharable,        \
                 .verify = type##_silent, .flags = LAB_LOOSE | LAB_SINGLE)
BOTH(sharable)
BOTH(upgradable)

PLAIN(upgradable, lock_upgradable, silent, .peer = upgradable_read)
PLAIN(upgradable, trylock_upgradable, silent, .peer = upgradable_read)
HELD(upgradable, lock_upgradable, unlock_upgradable, silent, .peer = upgradable_read)
LAB_SCENARIO(upgradable, lock_upgradable_beside_another, .helper = upgradable_hold_upgradable,
             .victim = upgradable_lock_upgradable, .verify = upgradable_silent, .flags = LAB_LOOSE)
LAB_SCENARIO(upgradable, lock_sharable_beside_upgradable, .helper = upgradable_hold_upgradable,
             .victim = upgradable_lock_sharable, .verify = upgradable_silent,
             .peer = upgradable_read)
LAB_SCENARIO(upgradable, lock_upgradable_beside_readers, .helper = upgradable_hold_sharable,
             .victim = upgradable_lock_upgradable, .verify = upgradable_silent,
             .peer = upgradable_read)
LAB_SCENARIO(upgradable, unlock_upgradable_to_another, .helper = upgradable_want_upgradable,
             .before = upgradable_lock_upgradable_and_meet, .victim = upgradable_unlock_upgradable,
             .verify = upgradable_silent, .flags = LAB_LOOSE | LAB_SINGLE)

/* ---- from mode to mode ---- */

#define CHANGE(change, had, ...)                                                                   \
    static void upgradable_##change(void *m)                                                       \
    {                                                                                              \
        LAB_EQUAL(acre_upgradable_##change(m), 0);                                                 \
    }                                                                                              \
    HELD(upgradable, had, change, __VA_ARGS__)

CHANGE(unlock_and_lock_upgradable, lock, given, .peer = upgradable_ask)
CHANGE(unlock_and_lock_sharable, lock, given, .peer = upgradable_ask)
CHANGE(unlock_upgradable_and_lock_sharable, lock_upgradable, silent, .peer = upgradable_read)
CHANGE(unlock_upgradable_and_lock, lock_upgradable, taken, .peer = upgradable_ask)
CHANGE(try_unlock_upgradable_and_lock, lock_upgradable, taken, .peer = upgradable_ask)
CHANGE(try_unlock_sharable_and_lock, lock_sharable, taken, .peer = upgradable_ask)
CHANGE(try_unlock_sharable_and_lock_upgradable, lock_sharable, silent, .peer = upgradable_read)

/* With readers in the way: the blocking one waits, the others fail and leave all as it was. */
LAB_SCENARIO(upgradable, promotion_that_waits, .helper = upgradable_hold_sharable,
             .before = upgradable_lock_upgradable, .victim = upgradable_unlock_upgradable_and_lock,
             .verify = upgradable_taken, .flags = LAB_LOOSE)

static void upgradable_promotion_fails(void *m)
{
    LAB_EQUAL(acre_upgradable_try_unlock_upgradable_and_lock(m), EBUSY);
}

static void upgradable_reader_fails(void *m)
{
    LAB_EQUAL(acre_upgradable_try_unlock_sharable_and_lock(m), EBUSY);
}

static void upgradable_promotion_times_out(void *m)
{
    static const struct timespec past = {0};
    LAB_EQUAL(acre_upgradable_unlock_upgradable_and_lock_until(m, &past), ETIMEDOUT);
}

static void upgradable_lock_times_out(void *m)
{
    static const struct timespec past = {0};
    LAB_EQUAL(acre_upgradable_lock_until(m, &past), ETIMEDOUT);
}

static void upgradable_try_fails(void *m)
{
    LAB_EQUAL(acre_upgradable_trylock(m), EBUSY);
}

#define FAILS(operation, had, victim_)                                                             \
    LAB_SCENARIO(upgradable, operation, .helper = upgradable_hold_sharable, .before = had,         \
                 .victim = victim_, .verify = upgradable_silent, .peer = upgradable_ask,           \
                 .flags = LAB_SINGLE)
FAILS(promotion_that_fails, upgradable_lock_upgradable, upgradable_promotion_fails)
FAILS(promotion_that_times_out, upgradable_lock_upgradable, upgradable_promotion_times_out)
FAILS(readers_promotion_that_fails, upgradable_lock_sharable, upgradable_reader_fails)

/* What it takes first it takes as a writer: one that dies before it has looked for readers is told
 * of as if it had written. */
static int upgradable_told_or_not(void *m)
{
    upgradable_told(m);
    return LAB_EITHER;
}

LAB_SCENARIO(upgradable, lock_that_times_out, .helper = upgradable_hold_sharable,
             .victim = upgradable_lock_times_out, .verify = upgradable_told_or_not,
             .peer = upgradable_ask, .flags = LAB_SINGLE)

/* A writer died that waited for a reader, who is still in. */
static int upgradable_beside_a_reader(void *m)
{
    int e = acre_upgradable_trylock_sharable(m);
    LAB_EXPECT(e == 0 || e == EBUSY, "%d beside a reader", e);
    if (e == 0)
        LAB_EQUAL(acre_upgradable_unlock_sharable(m), 0);
    LAB_EQUAL(acre_upgradable_trylock(m), EBUSY);
    e = acre_upgradable_trylock_upgradable(m);
    LAB_EXPECT(e == 0 || e == EBUSY, "%d beside a reader", e);
    if (e == 0)
        LAB_EQUAL(acre_upgradable_unlock_upgradable(m), 0);
    lab_go();
    upgradable_lock(m);
    upgradable_unlock(m);
    LAB_EXPECT(!upgradable_told(m), "told twice");
    return LAB_EITHER;
}

#define BESIDE(operation, had, victim_)                                                            \
    LAB_SCENARIO(upgradable, operation, .helper = upgradable_hold_sharable, .before = had,         \
                 .victim = victim_, .verify = upgradable_beside_a_reader,                          \
                 .flags = LAB_LOOSE | LAB_BESIDE)
BESIDE(lock_whose_reader_stays, NULL, upgradable_lock_times_out)
BESIDE(trylock_whose_reader_stays, NULL, upgradable_try_fails)
BESIDE(promotion_whose_reader_stays, upgradable_lock_upgradable, upgradable_promotion_times_out)

/* A writer dies before it healed what another writer left. */
static void upgradable_die_as_writer(void *m)
{
    upgradable_lock(m);
    lab_ready();
}

LAB_SCENARIO(upgradable, heal_and_unlock, .helper = upgradable_die_as_writer,
             .victim = upgradable_lock_sharable, .verify = upgradable_given, .flags = LAB_LOOSE)
