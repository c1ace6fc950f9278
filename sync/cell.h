/* SPDX-License-Identifier: MIT */
/* cell.h: the one thing that a thread can hold: a robust cell.  Everything in sync/ that has an
 * owner is made of cells: a mutex is one, a sharable mutex one and one for each reader, a queue's
 * slot one.
 *
 *           claim                   release
 *    free ─────────▶ owned ──────────────────▶ free
 *     0              tid │ W?                    0
 *                        │ owner dies: the kernel sets D, wakes one
 *                        ▼
 *                    orphaned ──claim──▶ owned, not yet consistent ──consistent──▶ owned
 *                     D │ W?               tid │ D │ W?        │ release, or «never»
 *                                                              ▼
 *                                                      not recoverable (for ever)
 *
 *    word: 31 = W, somebody sleeps   30 = D, owner died   29…0 = owner's thread id
 *
 * Killed where?  Claim: named, word changed, put in the list (and named until another is): at each
 * point the kernel finds the cell by the name or by the list.  Release: named if it is not any more,
 * taken out of the list, word changed, sleepers woken, unnamed; a wake-up that was not given is given
 * by the kernel, as the word is free and the cell still named.
 */
#ifndef ACRE_SYNC_CELL_H
#define ACRE_SYNC_CELL_H

#include "sync/park.h"

#define ACRE__W FUTEX_WAITERS
#define ACRE__D FUTEX_OWNER_DIED
#define ACRE__TID FUTEX_TID_MASK
#define ACRE__NEVER (FUTEX_TID_MASK - 1) /* as owner: not recoverable; no thread has this id */

static inline bool acre__ownerless(uint32_t word)
{
    return !(word & ACRE__TID);
}

/* Take the cell if its word is *seen, which must be ownerless; `value` holds this thread's id. */
static inline bool acre__cell_claim(acre__self *s, acre_cell *c, uint32_t *seen, uint32_t value)
{
    uint64_t first = s->anchor.next; /* read before the barrier that the CAS is */
    acre__announce(s, &c->word);
    if (acre__cas(&c->word, seen, value)) {
        acre__list_add(s, c, first);
        return true; /* still named: spares two stores */
    }
    acre__announce_none(s);
    return false;
}

/* Give it back, leaving `value` (0: free), and wake n sleepers if there are any. */
static inline void acre__cell_release_as(acre__self *s, acre_cell *c, uint32_t value, uint32_t n)
{
    acre__announce(s, &c->word);
    acre__list_remove(s, c);
    uint32_t old = acre__swap(&c->word, value);
    if (__builtin_expect(old & ACRE__D, 0))
        s->unhealed--;
    if (__builtin_expect(old & ACRE__W, 0))
        acre__wake(&c->word, n);
    acre__announce_none(s);
}

static inline void acre__cell_release(acre__self *s, acre_cell *c)
{
    acre__cell_release_as(s, c, 0, 1);
}

/* Whether this thread holds it.  Threads of other pid namespaces may have the same id; then the
 * list decides. */
static inline bool acre__cell_mine(const acre__self *s, const acre_cell *c)
{
    return (acre__peek(&c->word) & ACRE__TID) == s->tid && s->tid &&
           (acre__list_last(s, c) || acre__self_holds(s, c));
}

/* What a lock returns that was not there for the taking at once.  0; EOWNERDEAD (taken; D stays in
 * the word until acre__cell_consistent()); EBUSY, ETIMEDOUT, EDEADLK, ENOTRECOVERABLE (not taken).
 */
int acre__cell_trylock(acre__self *s, acre_cell *c);
int acre__cell_lock(acre__self *s, acre_cell *c, const struct timespec *deadline);

/* If it is owned set W, so that its release wakes somebody.  false: it is ownerless. */
bool acre__cell_announce_sleeper(acre_cell *c);

/* By its owner: 0, or EINVAL if nothing is to be healed. */
int acre__cell_consistent(acre__self *s, acre_cell *c);

/* 0; EPERM: not this thread's.  Not consistent: ENOTRECOVERABLE for all from now on. */
int acre__cell_unlock(acre__self *s, acre_cell *c);

/* The end of a cell with this tag: EBUSY if it is owned. */
int acre__cell_destroy(acre_cell *c, uint32_t tag);

/* ---- what kind of object this is ---- */

/* A tag says kind and layout; 0 is a cell that nobody has used yet. */
#define ACRE__TAG(kind) (0xac3e0000u | (uint32_t)(kind) << 8 | 1u)

/* 0, or what is wrong with a tag that is not the wanted one. */
int acre__tag_error(uint32_t found, uint32_t wanted);

/* For objects whose all-zero state is valid: the first user stamps them. */
int acre__tag_stamp(uint32_t *tag, uint32_t wanted);

static inline int acre__tag_check(uint32_t *tag, uint32_t wanted)
{
    return __builtin_expect(acre__peek(tag) == wanted, 1) ? 0 : acre__tag_stamp(tag, wanted);
}

static inline int acre__cell_check(acre_cell *c, uint32_t tag)
{
    return acre__tag_check(&c->tag, tag);
}

/* ---- the usual case ----
 *
 * The usual lock and unlock are one atomic operation each, and what they cost above it is what
 * stands between these two: stores must drain before an atomic operation, and a load of the word
 * that the last one changed must wait for it.  So unlock knows from this thread's own memory that
 * it is the owner, neither spills a register, and both take all of the word's 8 bytes (mode is 0).
 */

static inline bool acre__cell_lock_usual(acre_cell *c, uint32_t tag)
{
    acre__self *s = acre__self_here();
    uint64_t first = s->anchor.next, free = 0;
    if (acre__peek(&c->tag) != tag || acre__self_busy(s))
        return false;
    acre__announce(s, &c->word);
    if (acre__cas(&c->both, &free, (uint64_t)s->tid)) {
        acre__list_add(s, c, first);
        return true;
    }
    acre__announce_none(s);
    return false;
}

/* The cell that this thread took last, and it holds none that needs healing. */
static inline bool acre__cell_unlockable(const acre_cell *c)
{
    const acre__self *s = acre__self_here();
    return acre__list_last(s, c) && !s->unhealed;
}

/* Returns the word that was; then wake whoever sleeps, and acre__announce_none(). */
static inline uint32_t acre__cell_unlock_usual(acre_cell *c)
{
    acre__self *s = acre__self_here();
    acre__announce_again(s, &c->word);
    acre__list_remove_last(s, c);
    return (uint32_t)acre__swap(&c->both, (uint64_t)0);
}

#endif
