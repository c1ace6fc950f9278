/* SPDX-License-Identifier: MIT */
/* rw.h: the lock of acre_sharable and acre_upgradable.
 *
 * The owner is a writer or an upgradable holder: one cell, in whose upper half stands the mode.
 *
 *                        lock, promote                 all readers are out
 *             ┌──────▶ WANT ─────────────────────────────────────────────▶ EXCLUSIVE
 *    free ────┼──────▶ TRY ──(no reader is in, else back)────────────────▶   │
 *             └──────▶ UPGRADABLE ◀──────────────── demote ──────────────────┘
 *
 * Each reader has a cell of its own.  Dekker's protocol decides between readers and a writer, each
 * announces itself and then looks at the other:
 *
 *    reader: take my cell; look at the owner       writer: owner = WANT; look at all readers' cells
 *            free, UPGRADABLE: I read                      wait until each is free or its
 *            WANT, EXCLUSIVE: give it back, wait           owner has died; then EXCLUSIVE
 *            TRY: make it UPGRADABLE: I read       TRY:    a reader is in, or it is TRY no more: back
 *                                                          to what was before; else EXCLUSIVE
 *
 * so a writer that only tries never turns a reader away, of a reader and a writer who try at the
 * same time one gets it, and neither waits for the other, which may have been stopped.
 *
 * Killed where?  The kernel marks the owner's word, or the reader's.
 *    reader, anywhere               its cell counts as free
 *    WANT, TRY, UPGRADABLE          nothing was written: the owner counts as free
 *    EXCLUSIVE                      the next in any mode takes the owner's word with D, and holds
 *                                   exclusively until it says that all is consistent
 *    promotion, demotion            two cells may be held for a moment, each is marked
 * Sleepers: on the owner's word who waits for it, on a reader's word the writer that waits for it.
 *
 * Who finds the lock free is EXCLUSIVE at once, and turns to WANT only if it finds readers: that
 * spares a store.  So EXCLUSIVE may stand beside readers for a few instructions, and whoever takes
 * over from a dead one waits for them first.
 *
 * A reader's cell keeps in its upper half who read there last, so that the compare-and-swap that
 * takes it also tells that the place is still this thread's.
 *
 * Source: the two-flag entry is Dekker's (E. W. Dijkstra, «Cooperating sequential processes»,
 * 1965); readers' flags of their own are those of «big reader» locks (W. C. Hsieh, W. E. Weihl,
 * «Scalable reader-writer locks for parallel systems», 1992).
 */
#ifndef ACRE_SYNC_RW_H
#define ACRE_SYNC_RW_H

#include "sync/kinds.h"

enum rw_mode { RW_NONE = 0, RW_UPGRADABLE, RW_TRY, RW_WANT, RW_EXCLUSIVE };

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the word is the lower half of both");
_Static_assert(sizeof(acre__rw) == 4096, "one page");
_Static_assert(offsetof(acre__rw, reader) == 128, "lines of their own");

static inline uint64_t rw_both(uint32_t word, uint32_t mode)
{
    return word | (uint64_t)mode << 32;
}

static inline uint32_t rw_word(uint64_t both)
{
    return (uint32_t)both;
}

static inline uint32_t rw_mode(uint64_t both)
{
    return (uint32_t)(both >> 32);
}

/* The owner died while it could have written. */
static inline bool rw_dead(uint64_t both)
{
    return both & ACRE__D && acre__ownerless(rw_word(both)) && rw_mode(both) == RW_EXCLUSIVE;
}

/* A reader must keep out: somebody alive writes or waits to, or one who wrote has died. */
static inline bool rw_closed(uint64_t both)
{
    return rw_mode(both) >= RW_WANT && (!acre__ownerless(rw_word(both)) || rw_dead(both));
}

static inline bool rw_trying(uint64_t both)
{
    return rw_mode(both) == RW_TRY && !acre__ownerless(rw_word(both));
}

/* ---- the owner: rw_owner.c ---- */

/* Take the owner's cell if it is *seen, which must be ownerless. */
static inline bool rw_owner_claim(acre__self *s, acre__rw *m, uint64_t *seen, uint64_t value)
{
    uint64_t first = s->anchor.next;
    acre__announce(s, &m->owner.word);
    if (acre__cas(&m->owner.both, seen, value)) {
        acre__list_add(s, &m->owner, first);
        return true;
    }
    acre__announce_none(s);
    return false;
}

/* Become the owner in this mode: 0; EOWNERDEAD (exclusively, whatever was asked); EBUSY (try),
 * ETIMEDOUT, EDEADLK, ENOTRECOVERABLE. */
int acre__rw_own(acre__self *s, acre__rw *m, enum rw_mode mode, const struct timespec *deadline);
int acre__rw_try_own(acre__self *s, acre__rw *m, enum rw_mode mode);

/* Take over from a dead writer, if all is still as it was seen. */
bool acre__rw_inherit(acre__self *s, acre__rw *m, uint64_t dead);

/* Give it up, leaving `both`. */
void acre__rw_disown(acre__self *s, acre__rw *m, uint64_t both);

/* By the owner: go over to another mode, healed; who sleeps is woken to look.  (intend: nothing has
 * become free, so sleepers sleep on.) */
void acre__rw_turn(acre__self *s, acre__rw *m, enum rw_mode mode);
void acre__rw_intend(acre__self *s, acre__rw *m, enum rw_mode mode);

/* From TRY to EXCLUSIVE; false: a reader was faster. */
bool acre__rw_won(acre__rw *m);

/* By a reader that is in: the owner that was seen to try has failed. */
void acre__rw_outrun(acre__rw *m, uint64_t both);

/* Wait until nobody with write intent or rights is there that was seen as `both`. */
void acre__rw_await_owner(acre__rw *m, uint64_t both, const struct timespec *deadline);

/* ---- the readers: rw_reader.c ---- */

enum { RW_NOBODY = ACRE_READERS };

/* Take a place: its number, or RW_NOBODY if all are taken. */
uint32_t acre__rw_enter(acre__self *s, acre__rw *m);
void acre__rw_leave(acre__self *s, acre__rw *m, uint32_t place);

/* Where this thread reads; RW_NOBODY: it does not. */
uint32_t acre__rw_place(const acre__self *s, acre__rw *m);

/* Whether a reader is in, apart from the one at `but`. */
bool acre__rw_read(acre__rw *m, uint32_t but);

/* The same for those who try: a reader that has just been turned away gets a moment to leave. */
bool acre__rw_read_on(acre__rw *m, uint32_t but);

/* If a reader is in, wait until that one may be out, woken, or for a nap. */
bool acre__rw_await_reader(acre__rw *m, const struct timespec *deadline);

/* Wait until no reader is in.  0 or ETIMEDOUT. */
int acre__rw_drain(acre__rw *m, const struct timespec *deadline);

/* Wait until a place may be free. */
void acre__rw_await_place(acre__self *s, acre__rw *m, const struct timespec *deadline);

/* ---- the operations: rw.c; `tag` is the object's ---- */

int acre__rw_lock(acre__rw *m, uint32_t tag, enum acre_mode mode, const struct timespec *deadline);
int acre__rw_trylock(acre__rw *m, uint32_t tag, enum acre_mode mode);
int acre__rw_unlock(acre__rw *m, uint32_t tag, enum acre_mode mode);
int acre__rw_consistent(acre__rw *m, uint32_t tag);
int acre__rw_destroy(acre__rw *m, uint32_t tag);

/* The owner waits, as WANT, until the readers are out, then it is EXCLUSIVE; or it gives up. */
int acre__rw_wait_exclusive(acre__rw *m, const struct timespec *deadline);

/* Whether this thread is the owner in this mode, or inherited when asking for it. */
bool acre__rw_holds(const acre__self *s, const acre__rw *m, enum acre_mode mode);

/* From one mode to another: rw_change.c. */
int acre__rw_share(acre__self *s, acre__rw *m);
int acre__rw_demote(acre__rw *m, uint32_t tag, enum acre_mode from, enum acre_mode to);
int acre__rw_promote(acre__rw *m, uint32_t tag, const struct timespec *deadline);
int acre__rw_try_promote(acre__rw *m, uint32_t tag, enum acre_mode from, enum acre_mode to);

/* ---- the usual case: see mutex.c for what it leaves out, and why ---- */

static inline void rw_remember(acre__self *s, const acre__rw *m, enum rw_mode mode)
{
    s->owned = (uintptr_t)&m->owner | mode;
}

static inline bool rw_ready(const acre__self *s, const acre__rw *m, uint32_t tag)
{
    return acre__peek(&m->owner.tag) == tag && !acre__self_busy(s);
}

static inline bool rw_own_usual(acre__rw *m, uint32_t tag, enum rw_mode mode)
{
    acre__self *s = acre__self_here();
    uint64_t free = 0;
    if (!rw_ready(s, m, tag) || !rw_owner_claim(s, m, &free, rw_both(s->tid, mode)))
        return false;
    rw_remember(s, m, mode);
    return true;
}

/* After owning it as EXCLUSIVE.  Few places are marked: as many as threads have read. */
static inline int rw_finish_usual(acre__rw *m, const struct timespec *deadline)
{
    uint64_t places = acre__load_full(&m->places);
    for (; __builtin_expect(places != 0, 0); places &= places - 1)
        if (!acre__ownerless(acre__load_full(&m->reader[__builtin_ctzll(places)].cell.word)))
            return acre__rw_wait_exclusive(m, deadline);
    return 0;
}

static inline bool rw_disown_usual(acre__rw *m, enum rw_mode mode)
{
    acre__self *s = acre__self_here();
    if (!acre__list_last(s, &m->owner) || s->owned != ((uintptr_t)&m->owner | mode))
        return false;
    acre__announce_again(s, &m->owner.word);
    acre__list_remove_last(s, &m->owner);
    if (__builtin_expect(acre__swap(&m->owner.both, (uint64_t)0) & ACRE__W, 0))
        acre__wake(&m->owner.word, ACRE__WAKE_ALL);
    acre__announce_none(s);
    return true;
}

static inline bool rw_enter_usual(acre__rw *m, uint32_t tag)
{
    acre__self *s = acre__self_here();
    acre_cell *c = &m->reader[s->place].cell;
    uint64_t first = s->anchor.next, free = rw_both(0, (uint32_t)s->id);
    if (!rw_ready(s, m, tag))
        return false;
    acre__announce(s, &c->word);
    if (!acre__cas(&c->both, &free, free | s->tid)) {
        acre__announce_none(s);
        return false;
    }
    acre__list_add(s, c, first);
    if (__builtin_expect(acre__load_full(&m->owner.both) == 0, 1))
        return true;
    acre__cell_release_as(s, c, 0, ACRE__WAKE_ALL);
    return false;
}

static inline bool rw_leave_usual(acre__rw *m)
{
    acre__self *s = acre__self_here();
    acre_cell *c = &m->reader[s->place].cell;
    if (!acre__list_last(s, c))
        return false;
    acre__announce_again(s, &c->word);
    acre__list_remove_last(s, c);
    if (__builtin_expect(acre__swap(&c->word, 0u) & ACRE__W, 0))
        acre__wake(&c->word, ACRE__WAKE_ALL);
    acre__announce_none(s);
    return true;
}

#endif
