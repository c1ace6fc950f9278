/* SPDX-License-Identifier: MIT */
/* hold.c: the barrier of snapshots (hold.h). */
#include "segment/names.h"
#include "sync/kinds.h"

#include <string.h>

static hold_part *hold_part_of(const acre_segment *s)
{
    return &segment_directory_of(s)->hold;
}

/* ---- the list ---- */

/* A damaged list ends where the damage is; it cannot be longer than the segment. */
static hold_member *hold_at(const acre_segment *s, acre_off at)
{
    hold_member *m = segment_block(s, at, sizeof *m);
    return m && acre__peek(&m->cell.tag) == ACRE__HOLD ? m : NULL;
}

static uint64_t hold_most(const acre_segment *s)
{
    return acre_segment_size(s) / sizeof(hold_member);
}

void acre__hold_each(const acre_segment *s, acre__hold_visit *visit, void *arg)
{
    hold_member *m = hold_at(s, acre__peek(&hold_part_of(s)->first));
    for (uint64_t n = hold_most(s); m && n; n--) {
        visit(arg, m);
        m = hold_at(s, acre__peek(&m->next));
    }
}

/* The word that names a member that is gone.  NULL: there is none. */
static acre_off *hold_find_gone(const acre_segment *s)
{
    acre_off *slot = &hold_part_of(s)->first;
    hold_member *m;
    for (uint64_t n = hold_most(s); n && (m = hold_at(s, *slot)); n--) {
        if (acre__ownerless(acre__peek(&m->cell.word)))
            return slot;
        slot = &m->next;
    }
    return NULL;
}

/* ---- changing it, with the transactions' cell ---- */

static int hold_unlink(acre_segment *s, acre_off *slot)
{
    acre_tx tx = {s};
    acre_off next = hold_at(s, *slot)->next;
    int e = acre__tx_open(s);
    if (e)
        return e;
    acre_tx_free(&tx, slot); /* in a damaged list what is no block is only taken out */
    acre_tx_set(&tx, slot, next);
    acre__tx_commit(s);
    return 0;
}

static int hold_tidy(acre_segment *s)
{
    acre_off *slot;
    int e = 0;
    for (uint64_t n = hold_most(s); !e && n && (slot = hold_find_gone(s)); n--)
        e = hold_unlink(s, slot);
    return e;
}

int acre__hold_sweep(acre_segment *s)
{
    int e = acre__tx_lock(s, &acre__for_ever);
    if (e)
        return e;
    e = hold_tidy(s);
    acre__tx_unlock(s);
    return e;
}

static void hold_is_mine(void *arg, hold_member *m)
{
    bool *mine = arg;
    *mine |= acre__cell_mine(acre__self_get(), &m->cell);
}

/* The cell is this thread's before anybody sees it: there is no moment at which a member is nobody's. */
static int hold_link(acre_segment *s, hold_member **out)
{
    hold_part *part = hold_part_of(s);
    acre_tx tx = {s};
    void *p;
    int e = acre__tx_open(s);
    if (e)
        return e;
    e = acre_tx_alloc(&tx, &part->first, sizeof **out, &p);
    if (!e) {
        *out = memset(p, 0, sizeof **out);
        (*out)->cell.tag = ACRE__HOLD;
        (*out)->next = part->first;
        e = acre__cell_trylock(acre__self_get(), &(*out)->cell);
    }
    if (e)
        acre__tx_settle(s);
    else
        acre__tx_commit(s);
    return e;
}

/* ---- taking part ---- */

static const uint32_t hold_never;

int acre_hold_join(acre_hold *h, acre_segment *s)
{
    bool already = false;
    hold_member *m = NULL;
    int e = acre__tx_lock(s, &acre__for_ever);
    if (e)
        return e;
    hold_tidy(s);
    acre__hold_each(s, hold_is_mine, &already);
    e = already ? EALREADY : hold_link(s, &m);
    acre__tx_unlock(s);
    if (e)
        return e;
    *h = (acre_hold){&hold_part_of(s)->cell.count, s, m};
    acre_hold_point(h);
    return 0;
}

static int hold_check(const acre_hold *h)
{
    const hold_member *m = h->member;
    if (!m)
        return EINVAL;
    if (!acre__cell_mine(acre__self_get(), &m->cell))
        return EPERM;
    return acre__tx_mine(h->segment) ? EDEADLK : 0;
}

/* From the first step on nobody waits for it; the rest is anybody's to do. */
int acre_hold_leave(acre_hold *h)
{
    hold_member *m = h->member;
    int e = hold_check(h);
    if (e)
        return e;
    acre__cell_unlock(acre__self_get(), &m->cell);
    acre__hold_sweep(h->segment);
    *h = (acre_hold){.turn = &hold_never};
    return 0;
}

/* ---- the barrier ---- */

static void hold_lower(hold_part *part, uint32_t turn)
{
    if (turn & 1 && acre__cas(&part->cell.count, &turn, turn + 1))
        acre__wake(&part->cell.count, ACRE__WAKE_ALL);
}

int acre_hold_wait(acre_hold *h)
{
    int e = hold_check(h);
    if (e)
        return e;
    hold_part *part = hold_part_of(h->segment);
    hold_member *m = h->member;
    uint32_t turn;
    while ((turn = acre__load(&part->cell.count)) & 1) {
        acre__store(&m->arrived, turn);
        if (acre__ownerless(acre__load(&part->cell.word)) && !ACRE_BUG_IS(145))
            hold_lower(part, turn);
        else
            acre__park(&part->cell.count, turn, NULL);
    }
    return 0;
}

/* What one who died at it had raised is lowered first, so that each turn has one taker. */
static void hold_raise(hold_part *part)
{
    hold_lower(part, acre__load(&part->cell.count));
    acre__add(&part->cell.count, 1u);
}

typedef struct hold_look {
    uint32_t turn;
    bool missing;
} hold_look;

static void hold_look_at(void *arg, hold_member *m)
{
    hold_look *look = arg;
    bool gone = acre__ownerless(acre__load(&m->cell.word)) && !ACRE_BUG_IS(142);
    look->missing |= !gone && acre__load(&m->arrived) != look->turn &&
                     !acre__cell_mine(acre__self_get(), &m->cell);
}

static int hold_not_yet(acre_segment *s, const struct timespec *deadline)
{
    acre__tx_unlock(s);
    return acre__expired(deadline) ? ETIMEDOUT : EAGAIN;
}

/* With the transactions' cell and the objects' lock if all have arrived.  EAGAIN: not yet.  The lock is only
 * tried, as some take the two in the other order. */
static int hold_look_around(acre_segment *s, const struct timespec *deadline)
{
    hold_look look = {acre__load(&hold_part_of(s)->cell.count), false};
    int e = acre__tx_lock(s, deadline);
    if (e)
        return e;
    acre__hold_each(s, hold_look_at, &look);
    if (look.missing)
        return hold_not_yet(s, deadline);
    e = acre__names_enter_try(s);
    if (e == EBUSY)
        return hold_not_yet(s, deadline);
    if (e)
        acre__tx_unlock(s);
    return e;
}

static int hold_take(hold_part *part, const struct timespec *deadline)
{
    acre__self *self = acre__self_get();
    int e = acre__cell_lock(self, &part->cell, deadline);
    return e == EOWNERDEAD ? acre__cell_consistent(self, &part->cell) : e;
}

static void hold_give(acre_segment *s)
{
    hold_part *part = hold_part_of(s);
    hold_lower(part, acre__load(&part->cell.count));
    acre__cell_unlock(acre__self_get(), &part->cell);
}

/* These two are taken last: who waits at the barrier has neither, and who has one will come. */
int acre__hold_all(acre_segment *s, const struct timespec *deadline)
{
    uint32_t round = 0;
    int e = acre__tx_mine(s) ? EDEADLK : hold_take(hold_part_of(s), deadline);
    if (e)
        return e;
    hold_raise(hold_part_of(s));
    while ((e = hold_look_around(s, deadline)) == EAGAIN)
        acre__doze(&round, deadline);
    if (e)
        hold_give(s);
    return e;
}

void acre__hold_release(acre_segment *s)
{
    acre__names_leave(s);
    acre__tx_unlock(s);
    hold_give(s);
}
