/* SPDX-License-Identifier: MIT */
/* recursive.c: acre_recursive, a robust cell whose owner counts.
 *
 * Thread ids are of a pid namespace, so a lock word with this thread's id may be another's.  Hence
 * the owner also leaves its random id in the cell: it is this thread's if both agree.
 *
 *     store                    killed after it
 *     word = tid (claim)       orphaned; who locks next sets id and count anew
 *     id, count = 1            the same
 *     count ± 1                the same
 *     id = 0                   still owned by its word: orphaned
 *     word = 0 (release)       free
 *
 * id is 0 before the word is free: else the next owner's first instants, when its word stands there
 * with our id, could be taken for ours by equal thread ids.
 */
#include "sync/kinds.h"

void acre_recursive_init(acre_recursive *m)
{
    m->cell = (acre_cell){.tag = ACRE__RECURSIVE};
}

int acre_recursive_destroy(acre_recursive *m)
{
    return acre__cell_destroy(&m->cell, ACRE__RECURSIVE);
}

/* (A thread that has not locked yet has id 0.) */
static inline bool recursive_mine(const acre__self *s, const acre_recursive *m)
{
    return (acre__peek(&m->cell.word) & ACRE__TID) == s->tid && acre__peek(&m->cell.id) == s->id &&
           s->id;
}

static inline void recursive_own(const acre__self *s, acre_recursive *m)
{
    acre__put(&m->cell.id, s->id);
    acre__put(&m->cell.count, 1u);
}

static inline int recursive_again(acre_recursive *m)
{
    uint32_t count = acre__peek(&m->cell.count);
    if (count == UINT32_MAX)
        return EAGAIN;
    acre__put(&m->cell.count, count + 1);
    return 0;
}

/* What a cell's lock returned. */
static int recursive_taken(const acre__self *s, acre_recursive *m, int e)
{
    if (e == 0 || e == EOWNERDEAD)
        recursive_own(s, m);
    return e;
}

static __attribute__((noinline)) int recursive_lock_unusual(acre_recursive *m,
                                                            const struct timespec *deadline)
{
    acre__self *s = acre__self_get();
    int e = acre__cell_check(&m->cell, ACRE__RECURSIVE);
    if (e)
        return e;
    if (recursive_mine(s, m))
        return recursive_again(m);
    return recursive_taken(s, m, acre__cell_lock(s, &m->cell, deadline));
}

/* As a cell's usual lock it does not look at the word first: what this thread took last is its. */
static inline bool recursive_lock_usual(acre_recursive *m)
{
    acre__self *s = acre__self_here();
    if (acre__list_last(s, &m->cell) || !acre__cell_lock_usual(&m->cell, ACRE__RECURSIVE))
        return false;
    recursive_own(s, m);
    return true;
}

int acre_recursive_lock_until(acre_recursive *m, const struct timespec *deadline)
{
    return recursive_lock_usual(m) ? 0 : recursive_lock_unusual(m, deadline);
}

int acre_recursive_lock(acre_recursive *m)
{
    return recursive_lock_usual(m) ? 0 : recursive_lock_unusual(m, NULL);
}

int acre_recursive_trylock(acre_recursive *m)
{
    acre__self *s = acre__self_get();
    int e = acre__cell_check(&m->cell, ACRE__RECURSIVE);
    if (e)
        return e;
    if (recursive_mine(s, m))
        return recursive_again(m);
    return recursive_taken(s, m, acre__cell_trylock(s, &m->cell));
}

/* One less; whether it is still held. */
static inline bool recursive_still_held(acre_recursive *m)
{
    uint32_t count = acre__peek(&m->cell.count);
    if (count > 1)
        acre__put(&m->cell.count, count - 1);
    else
        acre__put(&m->cell.id, (uint64_t)0);
    acre__order();
    return count > 1;
}

static __attribute__((noinline)) int recursive_unlock_unusual(acre_recursive *m)
{
    acre__self *s = acre__self_get();
    int e = acre__cell_check(&m->cell, ACRE__RECURSIVE);
    if (e || !recursive_mine(s, m))
        return e ? e : EPERM;
    return recursive_still_held(m) ? 0 : acre__cell_unlock(s, &m->cell);
}

int acre_recursive_unlock(acre_recursive *m)
{
    if (!acre__cell_unlockable(&m->cell) || acre__peek(&m->cell.tag) != ACRE__RECURSIVE)
        return recursive_unlock_unusual(m);
    if (recursive_still_held(m))
        return 0;
    if (__builtin_expect(acre__cell_unlock_usual(&m->cell) & ACRE__W, 0))
        acre__wake(&m->cell.word, 1);
    acre__announce_none(acre__self_here());
    return 0;
}

int acre_recursive_consistent(acre_recursive *m)
{
    int e = acre__cell_check(&m->cell, ACRE__RECURSIVE);
    return e ? e : acre__cell_consistent(acre__self_get(), &m->cell);
}
