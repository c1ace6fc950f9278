/* SPDX-License-Identifier: MIT */
/* rw_reader.c: the readers' places.
 *
 * A thread looks first where it found room last, and keeps to places that it has used (id) or that
 * nobody has, so that each line stays with its reader's processor; others' places only when all are
 * in use.  `places` tells a writer where to look; its bits are never cleared. */
#include "sync/rw.h"

static void reader_mark(acre__rw *m, uint32_t place)
{
    uint64_t bit = (uint64_t)1 << place;
    if (!(acre__load(&m->places) & bit))
        acre__or(&m->places, bit);
}

static bool reader_take(acre__self *s, acre__rw *m, uint32_t place, bool foreign)
{
    acre_cell *c = &m->reader[place].cell;
    uint64_t first = s->anchor.next, seen = acre__peek(&c->both);
    uint32_t id = rw_mode(seen), mine = (uint32_t)s->id;
    if ((id && id != mine && !foreign) || !acre__ownerless(rw_word(seen)))
        return false;
    acre__announce(s, &c->word);
    if (!acre__cas(&c->both, &seen, rw_both(s->tid, mine))) {
        acre__announce_none(s);
        return false;
    }
    acre__list_add(s, c, first);
    reader_mark(m, place);
    s->place = place;
    return true;
}

uint32_t acre__rw_enter(acre__self *s, acre__rw *m)
{
    uint32_t first = s->place;
    for (int foreign = 0; foreign < 2; foreign++)
        for (uint32_t i = 0, at = first; i < ACRE_READERS; i++, at = (at + 1) % ACRE_READERS)
            if (reader_take(s, m, at, foreign))
                return at;
    return RW_NOBODY;
}

void acre__rw_leave(acre__self *s, acre__rw *m, uint32_t place)
{
    acre__cell_release_as(s, &m->reader[place].cell, 0, ACRE__WAKE_ALL);
}

uint32_t acre__rw_place(const acre__self *s, acre__rw *m)
{
    for (uint32_t i = 0, at = s->place; i < ACRE_READERS; i++, at = (at + 1) % ACRE_READERS) {
        const acre_cell *c = &m->reader[at].cell;
        if ((acre__peek(&c->word) & ACRE__TID) == s->tid && acre__self_holds(s, c))
            return at;
    }
    return RW_NOBODY;
}

/* ---- as a writer sees them ---- */

/* The first place from `from` on where a reader is; RW_NOBODY: there is none. */
static uint32_t reader_find(acre__rw *m, uint32_t but)
{
    for (uint64_t places = acre__load_full(&m->places); places; places &= places - 1) {
        uint32_t place = (uint32_t)__builtin_ctzll(places);
        if (place != but && !acre__ownerless(acre__load_full(&m->reader[place].cell.word)))
            return place;
    }
    return RW_NOBODY;
}

bool acre__rw_read(acre__rw *m, uint32_t but)
{
    return reader_find(m, but) != RW_NOBODY;
}

bool acre__rw_read_on(acre__rw *m, uint32_t but)
{
    for (int look = 0; look < 8 && acre__rw_read(m, but); look++)
        acre__pause();
    return acre__rw_read(m, but);
}

/* Until the cell is ownerless, woken, or a nap is over. */
static void reader_await(acre_cell *c, const struct timespec *deadline)
{
    uint32_t seen = acre__peek(&c->word);
    acre__spinner spin = acre__spin_begin(ACRE__SPIN_SOON);
    while (!acre__ownerless(seen) && acre__spin(&spin))
        seen = acre__peek(&c->word);
    acre__spun(&spin, acre__ownerless(seen));
    if (!acre__ownerless(seen) && (seen & ACRE__W || acre__cas(&c->word, &seen, seen | ACRE__W)))
        acre__park(&c->word, seen | ACRE__W, deadline);
}

bool acre__rw_await_reader(acre__rw *m, const struct timespec *deadline)
{
    uint32_t place = reader_find(m, RW_NOBODY);
    if (place != RW_NOBODY && !acre__expired(deadline))
        reader_await(&m->reader[place].cell, deadline);
    return place != RW_NOBODY;
}

int acre__rw_drain(acre__rw *m, const struct timespec *deadline)
{
    while (acre__rw_await_reader(m, deadline))
        if (acre__expired(deadline))
            return acre__rw_read_on(m, RW_NOBODY) ? ETIMEDOUT : 0; /* one may be turning back */
    return 0;
}

void acre__rw_await_place(acre__self *s, acre__rw *m, const struct timespec *deadline)
{
    reader_await(&m->reader[s->place].cell, deadline);
}
