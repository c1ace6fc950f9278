/* SPDX-License-Identifier: MIT */
/* barrier.c: acre_barrier, a robust cell for each member and one that guards the rounds.
 *
 *     member[i].word    its thread, 0: nobody, D: died (and not yet reported)
 *              .count   1: somebody has joined in this place before; places are used in order
 *              .mode    1 + the round in which it has arrived
 *     round             bit 0: in the round before this one somebody died.  The rest: rounds done.
 *     broken            1 + the round in which a death was seen
 *     first             all places before this one have arrived, or are nobody's
 *     lock              guards all of this, for a few instructions
 *
 * A round is over when every place has been used and every living member has arrived: looked for by
 * who arrives, leaves, or wakes from its nap (for deaths).  It ends with the one store into
 * `round`, which also says how it ended; that stays readable, as the next round cannot end before
 * each of its members has come back.  Only `first` can disagree with the members, so whoever finds
 * the dead owner of `lock` begins it anew and needs nothing else.
 *
 *     killed, under the lock, after     then
 *     member.word (join)                 D and never counted: as if it had not been there
 *     member.count (join)                a member has died
 *     member.mode (arrive, time out)     a member has died
 *     member.word = 0 (leave)            it has left; sleepers see it within 50 ms
 *     broken                             the same deaths are found again, or were
 *     member.word D → 0 (reported)       `broken` says so
 *     round                              the round is over; sleepers see it within 50 ms
 */
#include "sync/kinds.h"

static acre__event *barrier_event(acre_barrier *b)
{
    return (acre__event *)&b->event;
}

static int barrier_check(const acre_barrier *b)
{
    int e = acre__tag_error(acre__peek(&b->tag), ACRE__BARRIER);
    return !e && (b->members == 0 || b->members > ACRE_BARRIER_MAX) ? ACRE_EOBJECT : e;
}

size_t acre_barrier_size(uint32_t n)
{
    return sizeof(acre_barrier) + n * sizeof(acre_cell);
}

int acre_barrier_init(acre_barrier *b, uint32_t n)
{
    if (n == 0 || n > ACRE_BARRIER_MAX)
        return EINVAL;
    *b = (acre_barrier){.members = n, .lock = {.tag = ACRE__BARRIER}};
    for (uint32_t i = 0; i < n; i++)
        b->member[i] = (acre_cell){.tag = ACRE__BARRIER};
    acre__store(&b->tag, (uint32_t)ACRE__BARRIER);
    return 0;
}

/* ---- rounds, under the lock ---- */

static uint32_t barrier_round(const acre_barrier *b)
{
    return acre__load(&b->round) >> 1;
}

static bool barrier_alive(const acre_barrier *b, uint32_t i)
{
    return !acre__ownerless(acre__peek(&b->member[i].word));
}

static bool barrier_arrived(const acre_barrier *b, uint32_t i)
{
    return acre__peek(&b->member[i].mode) == barrier_round(b) + 1;
}

static void barrier_look_from(acre_barrier *b, uint32_t i)
{
    if (i < acre__peek(&b->first))
        acre__put(&b->first, i);
}

/* The member of an ownerless place: if it died this round will say so. */
static void barrier_bury(acre_barrier *b, uint32_t i)
{
    acre_cell *c = &b->member[i];
    uint32_t seen = acre__peek(&c->word);
    if (!seen)
        return;
    if (acre__peek(&c->count))
        acre__put(&b->broken, barrier_round(b) + 1);
    acre__order();
    acre__put(&c->word, 0u);
}

static void barrier_end_round(acre_barrier *b)
{
    for (uint32_t i = 0; i < b->members; i++)
        if (!barrier_alive(b, i))
            barrier_bury(b, i);
    uint32_t next = barrier_round(b) + 1;
    bool broken = acre__peek(&b->broken) == next;
    acre__store(&b->round, next << 1 | broken);
    acre__put(&b->first, 0u);
}

/* Whether a round has ended: then all must be woken, after the lock. */
static bool barrier_look(acre_barrier *b)
{
    uint32_t n = b->members, i = acre__peek(&b->first);
    if (!acre__peek(&b->member[n - 1].count))
        return false;
    while (i < n && (!barrier_alive(b, i) || barrier_arrived(b, i)))
        i++;
    acre__put(&b->first, i);
    if (i == n)
        barrier_end_round(b);
    return i == n;
}

/* ---- the lock ---- */

static int barrier_lock(acre__self *s, acre_barrier *b)
{
    int e = barrier_check(b);
    if (!e)
        e = acre__cell_lock(s, &b->lock, &acre__for_ever);
    if (e != EOWNERDEAD)
        return e;
    acre__put(&b->first, 0u);
    return acre__cell_consistent(s, &b->lock);
}

static void barrier_unlock(acre__self *s, acre_barrier *b)
{
    bool over = barrier_look(b);
    acre__cell_release(s, &b->lock);
    if (over)
        acre__event_signal(barrier_event(b), ACRE__WAKE_ALL);
}

/* ---- membership ---- */

/* The first place that nobody has used, or else one that is nobody's now; members: none. */
static uint32_t barrier_find_place(const acre_barrier *b)
{
    uint32_t n = b->members, i = 0;
    if (!acre__peek(&b->member[n - 1].count))
        while (acre__peek(&b->member[i].count))
            i++;
    else
        while (i < n && barrier_alive(b, i))
            i++;
    return i;
}

static void barrier_take_place(acre__self *s, acre_barrier *b, uint32_t i)
{
    acre_cell *c = &b->member[i];
    uint32_t free = 0;
    barrier_bury(b, i);
    acre__put(&c->mode, 0u);
    acre__cell_claim(s, c, &free, s->tid); /* nobody else may while we have the lock */
    acre__put(&c->count, 1u);
    barrier_look_from(b, i);
}

int acre_barrier_join(acre_barrier *b, uint32_t *member)
{
    acre__self *s = acre__self_get();
    int e = barrier_lock(s, b);
    if (e)
        return e;
    uint32_t i = barrier_find_place(b);
    if (i < b->members)
        barrier_take_place(s, b, i);
    barrier_unlock(s, b);
    if (i == b->members)
        return EAGAIN;
    *member = i;
    return 0;
}

/* Take the lock as this member. */
static int barrier_lock_as(acre__self *s, acre_barrier *b, uint32_t i)
{
    int e = barrier_check(b);
    if (e)
        return e;
    return i < b->members && acre__cell_mine(s, &b->member[i]) ? barrier_lock(s, b) : EPERM;
}

int acre_barrier_leave(acre_barrier *b, uint32_t member)
{
    acre__self *s = acre__self_get();
    int e = barrier_lock_as(s, b, member);
    if (e)
        return e;
    acre__cell_release(s, &b->member[member]);
    barrier_unlock(s, b);
    return 0;
}

static bool barrier_in_use(const acre_barrier *b)
{
    for (uint32_t i = 0; i < b->members; i++)
        if (barrier_alive(b, i))
            return true;
    return false;
}

int acre_barrier_destroy(acre_barrier *b)
{
    acre__self *s = acre__self_get();
    int e = barrier_lock(s, b);
    if (e)
        return e;
    bool busy = barrier_in_use(b);
    if (!busy)
        acre__store(&b->tag, (uint32_t)ACRE__DESTROYED);
    acre__cell_release(s, &b->lock);
    return busy ? EBUSY : 0;
}

/* ---- waiting ---- */

/* Which round it has arrived in. */
static int barrier_arrive(acre__self *s, acre_barrier *b, uint32_t i, uint32_t *round)
{
    int e = barrier_lock_as(s, b, i);
    if (e)
        return e;
    *round = barrier_round(b);
    acre__put(&b->member[i].mode, *round + 1);
    barrier_unlock(s, b);
    return 0;
}

/* Too late: it has not arrived, unless the round is over meanwhile.  (Deaths were looked for on
 * arriving and after each nap.) */
static int barrier_withdraw(acre__self *s, acre_barrier *b, uint32_t i, uint32_t round)
{
    int e = barrier_lock(s, b);
    if (e)
        return e;
    bool over = barrier_round(b) != round;
    if (!over) {
        acre__put(&b->member[i].mode, 0u);
        barrier_look_from(b, i);
    }
    barrier_unlock(s, b);
    return over ? 0 : ETIMEDOUT;
}

static bool barrier_over(const acre_barrier *b, uint32_t round)
{
    return barrier_round(b) != round;
}

static bool barrier_spin(const acre_barrier *b, uint32_t round)
{
    acre__spinner spin = acre__spin_begin(ACRE__SPIN_SOON);
    bool over;
    while (!(over = barrier_over(b, round)) && acre__spin(&spin))
        ;
    acre__spun(&spin, over);
    return over;
}

/* Woken or not: a member may have died meanwhile. */
static int barrier_nap(acre__self *s, acre_barrier *b, uint32_t round,
                       const struct timespec *deadline)
{
    uint32_t seen = acre__event_look(barrier_event(b));
    if (barrier_over(b, round))
        return 0;
    acre__event_sleep(barrier_event(b), seen, deadline);
    if (barrier_over(b, round))
        return 0;
    int e = barrier_lock(s, b);
    if (!e)
        barrier_unlock(s, b);
    return e;
}

static int barrier_await(acre__self *s, acre_barrier *b, uint32_t i, uint32_t round,
                         const struct timespec *deadline)
{
    int e = 0;
    while (!e && !barrier_over(b, round))
        e = acre__expired(deadline) ? barrier_withdraw(s, b, i, round)
                                    : barrier_nap(s, b, round, deadline);
    return e;
}

int acre_barrier_wait_until(acre_barrier *b, uint32_t member, const struct timespec *deadline)
{
    acre__self *s = acre__self_get();
    uint32_t round;
    int e = barrier_arrive(s, b, member, &round);
    if (!e && !barrier_spin(b, round))
        e = barrier_await(s, b, member, round, deadline);
    if (e)
        return e;
    return acre__load(&b->round) & 1 ? ACRE_EPEER : 0;
}

int acre_barrier_wait(acre_barrier *b, uint32_t member)
{
    return acre_barrier_wait_until(b, member, NULL);
}
