/* SPDX-License-Identifier: MIT */
/* cell.c: the parts of a cell's protocol that are not on the fast path. */
#include "sync/kinds.h"

/* Wait with growing pauses for the owner to finish.  What was seen last. */
static uint32_t cell_spin(acre_cell *c)
{
    uint32_t seen = acre__peek(&c->word);
    if (acre__ownerless(seen))
        return seen;
    acre__spinner spin = acre__spin_begin(ACRE__SPIN_LOCK);
    while (!acre__ownerless(seen) && acre__spin(&spin))
        seen = acre__peek(&c->word);
    acre__spun(&spin, acre__ownerless(seen));
    return seen;
}

/* `waiters`: W if this thread has slept; others may still sleep, whom a plain word would make the
 * unlock forget. */
static int cell_take(acre__self *s, acre_cell *c, uint32_t seen, uint32_t waiters)
{
    uint32_t value = s->tid | (seen & (ACRE__W | ACRE__D)) | waiters;
    if (!acre__cell_claim(s, c, &seen, value))
        return EAGAIN;
    if (!(seen & ACRE__D))
        return 0;
    s->unhealed++;
    return EOWNERDEAD;
}

static int cell_refuse(const acre__self *s, const acre_cell *c, uint32_t seen)
{
    if ((seen & ACRE__TID) == ACRE__NEVER)
        return ENOTRECOVERABLE;
    return acre__self_busy(s) || acre__cell_mine(s, c) ? EDEADLK : 0;
}

bool acre__cell_announce_sleeper(acre_cell *c)
{
    uint32_t seen = acre__peek(&c->word);
    while (!acre__ownerless(seen))
        if (seen & ACRE__W || acre__cas(&c->word, &seen, seen | ACRE__W))
            return true;
    return false;
}

/* Whether a sleeper may leave: it may have been given a wake-up meant for whoever still sleeps, so
 * the owner must be told that somebody does.  No: the lock is free by now, take it. */
static bool cell_give_up(acre_cell *c, uint32_t waiters)
{
    return waiters ? acre__cell_announce_sleeper(c) : !acre__ownerless(acre__peek(&c->word));
}

static void cell_sleep(acre_cell *c, uint32_t seen, const struct timespec *deadline)
{
    if (seen & ACRE__W || acre__cas(&c->word, &seen, seen | ACRE__W))
        acre__park(&c->word, seen | ACRE__W, deadline);
}

int acre__cell_trylock(acre__self *s, acre_cell *c)
{
    for (;;) {
        uint32_t seen = acre__peek(&c->word);
        int e = cell_refuse(s, c, seen);
        if (e)
            return e;
        if (!acre__ownerless(seen))
            return EBUSY;
        e = cell_take(s, c, seen, 0);
        if (e != EAGAIN)
            return e;
    }
}

int acre__cell_lock(acre__self *s, acre_cell *c, const struct timespec *deadline)
{
    struct timespec storage;
    uint32_t waiters = 0;
    for (deadline = acre__lock_deadline(deadline, &storage);;) {
        uint32_t seen = cell_spin(c);
        int e = cell_refuse(s, c, seen);
        if (e)
            return e;
        if (acre__ownerless(seen)) {
            e = cell_take(s, c, seen, waiters);
            if (e != EAGAIN)
                return e;
            continue;
        }
        if (!acre__expired(deadline)) {
            cell_sleep(c, seen, deadline);
            waiters = ACRE__W;
        } else if (cell_give_up(c, waiters))
            return ETIMEDOUT;
    }
}

int acre__cell_consistent(acre__self *s, acre_cell *c)
{
    if (!acre__cell_mine(s, c) || !(acre__peek(&c->word) & ACRE__D))
        return EINVAL;
    acre__and(&c->word, ~ACRE__D);
    s->unhealed--;
    return 0;
}

int acre__cell_unlock(acre__self *s, acre_cell *c)
{
    if (!acre__cell_mine(s, c))
        return EPERM;
    if (acre__peek(&c->word) & ACRE__D)
        acre__cell_release_as(s, c, ACRE__NEVER, ACRE__WAKE_ALL);
    else
        acre__cell_release(s, c);
    return 0;
}

/* Locked for the purpose, so that nobody can be in it. */
int acre__cell_destroy(acre_cell *c, uint32_t tag)
{
    acre__self *s = acre__self_get();
    int e = acre__cell_check(c, tag);
    if (!e)
        e = acre__cell_trylock(s, c);
    if (e && e != EOWNERDEAD && e != ENOTRECOVERABLE)
        return e == EDEADLK ? EBUSY : e;
    acre__store(&c->tag, (uint32_t)ACRE__DESTROYED);
    if (e != ENOTRECOVERABLE)
        acre__cell_release_as(s, c, 0, ACRE__WAKE_ALL);
    return 0;
}

/* ---- tags ---- */

int acre__tag_error(uint32_t found, uint32_t wanted)
{
    if (found == wanted)
        return 0;
    if (found == 0)
        return ACRE_EUNINITIALISED;
    return (found & ~0xffu) == (wanted & ~0xffu) ? ACRE_ELAYOUT : ACRE_EOBJECT;
}

int acre__tag_stamp(uint32_t *tag, uint32_t wanted)
{
    uint32_t found = 0;
    return acre__cas(tag, &found, wanted) ? 0 : acre__tag_error(found, wanted);
}
