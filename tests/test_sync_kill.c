/* SPDX-License-Identifier: MIT */
/* SIGKILL at random moments while four contend: nobody hangs, nobody comes in beside another, and
 * what was the dead one's is told or free.  ACRE_KILLS sets the number over all (20000). */
#include "tests/support_lab.h"

#include <acre/sync.h>
#include <errno.h>

typedef struct kill_exclusive {
    union {
        acre_mutex mutex;
        acre_recursive recursive;
        acre_spin spin;
    };
    lab_stamp stamp;
} kill_exclusive;

static bool kill_healed(int e)
{
    LAB_EXPECT(e == 0 || e == ACRE_OWNER_DEAD, "%d", e);
    return e != 0;
}

/* ---- mutex ---- */

static void mutex_prepare(void *shared)
{
    acre_mutex_init(&((kill_exclusive *)shared)->mutex);
}

/* Not always by waiting; but who only tries takes its time from the owner. */
static int mutex_take(acre_mutex *m, uint64_t way)
{
    static const struct timespec past = {0};
    int e = way == 0 ? acre_mutex_trylock(m) : way == 1 ? acre_mutex_lock_until(m, &past) : EBUSY;
    return e == EBUSY || e == ETIMEDOUT ? acre_mutex_lock(m) : e;
}

static void mutex_turn(void *shared, lab_worker *w)
{
    kill_exclusive *x = shared;
    bool healed = kill_healed(mutex_take(&x->mutex, acre_test_below(&w->seed, 8)));
    lab_stamp_write(&x->stamp, w, healed);
    if (healed)
        LAB_EQUAL(acre_mutex_consistent(&x->mutex), 0);
    LAB_EQUAL(acre_mutex_unlock(&x->mutex), 0);
}

/* All stand: it is free, or the dead one had it. */
static void mutex_audit(void *shared, const lab_worker *dead)
{
    (void)dead;
    kill_exclusive *x = shared;
    int e = acre_mutex_trylock(&x->mutex);
    if (!kill_healed(e))
        LAB_EXPECT(!x->stamp.owner);
    x->stamp = (lab_stamp){0};
    if (e)
        LAB_EQUAL(acre_mutex_consistent(&x->mutex), 0);
    LAB_EQUAL(acre_mutex_unlock(&x->mutex), 0);
}

ACRE_TEST(kill_sync, mutex)
{
    static const lab_contest c = {.primitive = "mutex",
                                  .prepare = mutex_prepare,
                                  .turn = mutex_turn,
                                  .audit = mutex_audit,
                                  .every = 8};
    lab_contest_test(&c);
}
