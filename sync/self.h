/* SPDX-License-Identifier: MIT */
/* self.h: this thread as the kernel sees it, and how the kernel learns what it holds.
 *
 * The kernel walks a thread's robust list (set_robust_list(2)) when the thread ends in any way:
 * killed, exited, or by exec.  In each entry whose futex word holds the thread's id it sets
 * OWNER_DIED and wakes one waiter.  libc registered a list head for each thread and puts its own
 * robust mutexes in front; acre's part begins at an anchor at the list's end:
 *
 *     libc's struct pthread                         this thread's    cell taken   cell taken
 *     +------+---------+   libc's mutexes, if any   anchor           last         first
 *     | head | pending |                            +------+         +------+     +------+
 *     +--|---+----|----+                            | next | ──────▶ | next | ──▶ | next | ──▶ head
 *        +--------|-------------▶ … ──────────────▶ +------+         +------+     +------+
 *                 +──▶ the one cell that is being taken or given back
 *
 * libc inserts at the head and takes out by its own double links, so it never writes behind the
 * anchor; acre's cells need one link each.  Locks are mostly given back in the order that makes
 * this a stack; else the list is searched.
 *
 * `list_op_pending` names the cell that this thread is about to take or give back, so that no
 * instruction is uncovered.  For that entry the kernel acts in every state: owned (marks it), free
 * (passes on a wake-up that the dead one took with it), owned by another (nothing).
 *
 * Thread ids are of the caller's pid namespace, and so is the kernel's comparison: cells may be
 * shared between namespaces.  One hole remains, two instructions wide: a thread killed between
 * naming a free cell and trying it, while a thread with the same number in another namespace
 * takes it, makes that one look dead.
 */
#ifndef ACRE_SYNC_SELF_H
#define ACRE_SYNC_SELF_H

#include "sync/atomic.h"
#include <acre/sync.h>

#include <linux/futex.h>
#include <stddef.h>

#ifdef ACRE_EXPLORE
enum { ACRE__PATIENCE = 2 }; /* each pause is a point */
#else
enum { ACRE__PATIENCE = 1024 }; /* pauses: 15 to 50 us */
#endif

/* What one of this thread's heaps has leased to it; key 0: none has. */
typedef struct acre__lease {
    uint64_t key;
    void *place;
} acre__lease;

enum { ACRE__LEASES = 4 };

typedef struct acre__self {
    struct robust_list_head *head; /* before the thread's first lock one that looks busy */
    uint32_t tid;                  /* 0 before it */
    uint32_t patience; /* how long it pays to spin before sleeping, in pauses; see park.c */
    uint32_t doubt;    /* 0, or after how many sleeps it tries to spin again */
    uint32_t slept;    /* how many of them there were */
    uint32_t unhealed; /* cells it holds whose owner before had died */
    uint32_t place;    /* as a reader: where it found room last */
    uintptr_t owned;   /* address of the rw owner's cell that was taken last, plus its mode; or 0 */
    uint64_t id;       /* random, never 0: unique over processes, namespaces and time */
    acre_cell anchor;  /* word 0: nobody's */
    acre__lease lease[ACRE__LEASES]; /* the last one used first; gone in a forked child, as all of this is */
} acre__self;

#ifdef ACRE_EXPLORE
acre__self *acre__explore_self(void);
#define acre__this_thread (*acre__explore_self())
#else
extern __thread acre__self acre__this_thread
    __attribute__((tls_model("initial-exec"), visibility("hidden")));
#endif

/* (Where null pointers are looked for, gcc 12 takes the answer from the flags of an addition that the
 * linker replaces by an instruction which sets none.) */
static inline acre__self *acre__self_here(void)
{
    acre__self *s = &acre__this_thread;
#ifdef __SANITIZE_ADDRESS__
    __asm__("" : "+r"(s));
#endif
    return s;
}

/* Fill it: the first lock of this thread, or of a forked child. */
acre__self *acre__self_meet(void);

static inline acre__self *acre__self_get(void)
{
    acre__self *s = acre__self_here();
    return __builtin_expect(s->tid != 0, 1) ? s : acre__self_meet();
}

/* The entry that belongs to a futex word: libc's and acre's cells are laid out alike. */
enum { ACRE__ENTRY = offsetof(acre_cell, next) - offsetof(acre_cell, word) };

/* Name the futex word that this thread is about to change. */
static inline void acre__announce(acre__self *s, uint32_t *word)
{
    acre__order();
    acre__put((uintptr_t *)&s->head->list_op_pending, (uintptr_t)word + ACRE__ENTRY);
    acre__order();
}

/* The same for a cell that this thread holds: mostly it is still named. */
static inline void acre__announce_again(acre__self *s, uint32_t *word)
{
    if (__builtin_expect((uintptr_t)s->head->list_op_pending != (uintptr_t)word + ACRE__ENTRY, 0))
        acre__announce(s, word);
    acre__order();
}

static inline void acre__announce_none(acre__self *s)
{
    acre__order();
    acre__put((uintptr_t *)&s->head->list_op_pending, (uintptr_t)0);
    acre__order();
}

/* This thread is inside a heap call, or in a signal handler that interrupted one of sync/'s: it can
 * name no second cell, and taking one is refused with EDEADLK.  The cell that was taken last may
 * stay named, as it stands in the list anyway. */
static inline bool acre__self_busy(const acre__self *s)
{
    uintptr_t named = (uintptr_t)s->head->list_op_pending;
    return named && named != s->anchor.next;
}

/* ---- the list: only this thread and, after its death, the kernel look at it ---- */

static inline void acre__list_add(acre__self *s, acre_cell *c, uint64_t first)
{
    acre__put(&c->next, first);
    acre__order();
    acre__put(&s->anchor.next, (uint64_t)(uintptr_t)&c->next);
}

static inline bool acre__list_last(const acre__self *s, const acre_cell *c)
{
    return s->anchor.next == (uint64_t)(uintptr_t)&c->next;
}

static inline void acre__list_remove_last(acre__self *s, acre_cell *c)
{
    acre__put(&s->anchor.next, c->next);
}

/* Not the last one taken: search. */
void acre__list_remove_inner(acre__self *s, acre_cell *c);

static inline void acre__list_remove(acre__self *s, acre_cell *c)
{
    if (__builtin_expect(acre__list_last(s, c), 1))
        acre__list_remove_last(s, c);
    else
        acre__list_remove_inner(s, c);
}

/* Whether this thread holds the cell: it stands in its list. */
bool acre__self_holds(const acre__self *s, const acre_cell *c);

/* Whether this thread holds any cell in [start, start + size). */
bool acre__self_holds_in(const void *start, size_t size);

#endif
