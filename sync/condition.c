/* SPDX-License-Identifier: MIT */
/* condition.c: acre_condition, an event count (park.h) and nothing more.
 *
 *     wait                                     notify
 *     look: note the count, set the bit        count + 1, if the bit is set; wake
 *     unlock the mutex
 *     sleep until the count has moved
 *     lock the mutex
 *
 * The count is noted before the mutex is given up, so a notification by whoever takes it next is
 * seen. No waiter is written down anywhere, so none can be missed when it dies:
 *
 *     killed                          then
 *     waiter, anywhere                the bit may be set for nobody: one wake-up in vain
 *     … woken, before it acts         the count has moved: every other waiter returns within 50 ms
 *     … holding the mutex             that mutex is orphaned, whatever it is
 *     notifier, before its wake-up    the same as a woken waiter
 */
#include "sync/kinds.h"

static acre__event *condition_event(acre_condition *c)
{
    return (acre__event *)&c->event;
}

static int condition_check(acre_condition *c)
{
    return acre__tag_check(&c->tag, ACRE__CONDITION);
}

void acre_condition_init(acre_condition *c)
{
    *c = (acre_condition){.tag = ACRE__CONDITION};
}

/* Whoever waits returns, as without a notification. */
int acre_condition_destroy(acre_condition *c)
{
    int e = condition_check(c);
    if (e)
        return e;
    acre__store(&c->tag, (uint32_t)ACRE__DESTROYED);
    acre__event_signal(condition_event(c), ACRE__WAKE_ALL);
    return 0;
}

/* What is waited for was changed under the mutex: either before the waiter looked at it, or after
 * the waiter, having set the bit, gave the mutex up, so that the bit is seen here without a fence.
 */
static int condition_notify(acre_condition *c, uint32_t n)
{
    int e = condition_check(c);
    if (!e && __builtin_expect(acre__peek(&c->event) & 1, 0))
        acre__event_wake(condition_event(c), n);
    return e;
}

int acre_condition_notify_one(acre_condition *c)
{
    return condition_notify(c, 1);
}

int acre_condition_notify_all(acre_condition *c)
{
    return condition_notify(c, ACRE__WAKE_ALL);
}

/* ---- waiting ---- */

/* Watch for a notification that comes soon. */
static void condition_spin(acre_condition *c, uint32_t seen)
{
    acre__spinner spin = acre__spin_begin(ACRE__SPIN_SOON);
    while (acre__peek(&c->event) == seen && acre__spin(&spin))
        ;
    acre__spun(&spin, acre__peek(&c->event) != seen);
}

static int condition_sleep(acre_condition *c, uint32_t seen, const struct timespec *deadline)
{
    condition_spin(c, seen);
    while (acre__load(&c->event) == seen) {
        if (acre__expired(deadline))
            return ETIMEDOUT;
        acre__event_sleep(condition_event(c), seen, deadline);
    }
    return 0;
}

/* A recursive mutex that its owner has locked several times is given up altogether: how often it
 * was, or 0. */
static uint32_t condition_depth(const acre_cell *mutex, enum acre_mode mode)
{
    bool deep = mode == ACRE_EXCLUSIVE && acre__peek(&mutex->tag) == ACRE__RECURSIVE &&
                acre__cell_mine(acre__self_here(), mutex);
    return deep ? acre__peek(&mutex->count) : 0;
}

static int condition_unlock(acre_cell *mutex, enum acre_mode mode, uint32_t depth)
{
    if (depth)
        acre__put(&mutex->count, 1u);
    return acre_unlock(mutex, mode);
}

/* The process's default time-out is not for this lock: it has to be held in the end. */
static int condition_relock(acre_cell *mutex, enum acre_mode mode, uint32_t depth)
{
    int e = acre_lock_until(mutex, mode, &acre__for_ever);
    if (depth && (e == 0 || e == ACRE_OWNER_DEAD))
        acre__put(&mutex->count, depth);
    return e;
}

int acre_condition_wait_until(acre_condition *c, void *mutex, enum acre_mode mode,
                              const struct timespec *deadline)
{
    int e = condition_check(c);
    if (e)
        return e;
    uint32_t depth = condition_depth(mutex, mode);
    uint32_t seen = acre__event_look(condition_event(c));
    e = condition_unlock(mutex, mode, depth);
    if (e)
        return e;
    int slept = condition_sleep(c, seen, deadline);
    e = condition_relock(mutex, mode, depth);
    return e ? e : slept;
}

int acre_condition_wait(acre_condition *c, void *mutex, enum acre_mode mode)
{
    return acre_condition_wait_until(c, mutex, mode, NULL);
}

int acre_condition_wait_for_predicate(acre_condition *c, void *mutex, enum acre_mode mode,
                                      bool (*predicate)(void *arg), void *arg,
                                      const struct timespec *deadline)
{
    int e = 0;
    while (!predicate(arg)) {
        if (e)
            return e;
        e = acre_condition_wait_until(c, mutex, mode, deadline);
        if (e && e != ETIMEDOUT)
            return e;
    }
    return 0;
}
