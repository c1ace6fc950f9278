/* SPDX-License-Identifier: MIT */
/* heap.h: what the segment manager needs of heaps: laying one out, attaching to it, growing it. */
#ifndef ACRE_ALLOC_HEAP_H
#define ACRE_ALLOC_HEAP_H

#include "alloc/layout.h"
#include "sync/bug.h"
#include <acre/alloc.h>

/* A heap's handle; lives in the segment's handle. */
struct acre_heap {
    acre_region region;         /* first: take() and give() get it for the whole */
    acre__robust *lock;         /* NULL: none is taken */
    uint32_t lock_kind;         /* enum acre_lock_kind; ACRE_LOCK_NONE exactly if lock is NULL */
    volatile uint64_t *pending; /* the journal's count: not 0 if a call was not finished */
    bool guarded;               /* look closer at each entry: read-only, or a small window */
    bool plain;                 /* no lock, no journal, not guarded; free() checks addresses */
    bool read_only;
    bool strange;               /* its journal was not empty when it was attached to: it may be a stranger's */
    void *(*take)(acre_region *r, size_t size); /* acre_alloc() and acre_free(): the algorithm's, */
    int (*give)(acre_region *r, void *p);       /* or alloc.c's */
    void *(*alloc)(acre_region *r, size_t size, size_t align); /* the algorithm's, at hand */
    int (*free)(acre_region *r, void *p);
    uint64_t serial;                 /* of this attachment, in this process; never 0 */
    uint64_t window;                 /* bytes of the segment that this process has mapped */
    uint64_t reach;                  /* of these, bytes of the region */
    const acre_algorithm *algorithm; /* whose methods are called: inner, or &checked */
    const acre_algorithm *inner;     /* the algorithm */
    acre_algorithm checked;          /* its methods with checks around them (checked.c) */
    acre__quarantine *quarantine;    /* NULL: nothing is kept */
    acre_misuse *misuse;             /* the program's; NULL: none */
    void *misuse_arg;
    acre__heap_control *control;
    char *segment;        /* the segment's first byte; offsets count from it */
    const uint64_t *size; /* the segment's size now, in its header */
    int give_back;        /* madvise()'s advice that gives the system unused pages; 0: there is none */
    int fd;               /* the file that the memory is; -1: none */
    size_t page;          /* bytes of a page of it */
    uint64_t purge_after; /* bytes freed that make acre_free() purge; 0: it never does */
    uint64_t freed;       /* bytes freed since the last time, in blocks of a page at least */
    int (*give_unwatched)(acre_region *r, void *p); /* give() of a heap that never does */
    uint32_t kept[3][2]; /* bytes of the segment, from and to: locks, which no journal restores */
    int (*more)(struct acre_heap *h, uint64_t bytes); /* more.c; NULL: the segment does not grow by itself */
};

_Static_assert(offsetof(struct acre_heap, region) == 0, "a region is its heap");

/* Bytes in front of the region, for this algorithm and these options. */
size_t acre__heap_overhead(const acre_algorithm *a, const acre_heap_options *o);

/* Lay out a heap in size bytes at `at` (64-aligned, zeroed, nobody else sees it).
 * 0, ACRE_ETOOSMALL, ACRE_ETOOBIG (also if capacity is out of the algorithm's reach). */
int acre__heap_format(void *at, size_t size, size_t capacity, const acre_algorithm *a,
                      const acre_heap_options *o);

/* Fill in the standards of the parameters that are not given. */
acre_heap_options acre__heap_options_resolve(const acre_algorithm *a, const acre_heap_options *o);

/* Check what a stranger's control says against `room`, the bytes from `at` to the segment's end.
 * 0, ACRE_ECORRUPT, ACRE_EPOISONED. */
int acre__heap_validate(const void *at, size_t room, const acre_algorithm *a);

/* The calling thread lets go of what the algorithm holds for it. */
void acre__heap_detach(acre_heap *h);

/* Fill a handle's fields that follow from the control at `at`. */
void acre__heap_attach(acre_heap *h, void *at, const acre_algorithm *a, bool read_only);

/* acre_alloc() and acre_free() of a heap where there is something to do around the algorithm. */
void *acre__heap_alloc(acre_region *r, size_t size);
int acre__heap_free(acre_region *r, void *p);

/* The first without growth. */
void *acre__heap_alloc_now(acre_region *r, size_t size);

/* Inside enter/leave, where alloc() has found no room and all that was noted may become final: let the
 * segment grow, and try again, until there is room or it may not grow on.  align: 1 or more. */
void *acre__heap_alloc_more(acre_heap *h, size_t size, size_t align);

/* The same from outside, after another try. */
void *acre__heap_alloc_growing(acre_heap *h, size_t size, size_t align);

/* Inside enter/leave: the same, once.  False: it has not grown. */
bool acre__heap_grow(acre_heap *h, size_t size, size_t align);

/* Inside enter/leave: a block; the segment grows for it. */
static inline void *acre__heap_take(acre_heap *h, size_t size, size_t align)
{
    void *p = h->alloc(&h->region, size, align);
    return __builtin_expect(p || !h->more, 1) ? p : acre__heap_alloc_more(h, size, align);
}

/* Only an address that can be read and can be a block's reaches the algorithm. */
static inline bool acre__heap_foreign(const acre_heap *h, const void *p)
{
    uint64_t at = (uint64_t)((const char *)p - h->region.base);
    return (at >= h->reach) | (((uintptr_t)p & (ACRE_BUG_IS(14) ? 0 : ACRE_ALIGN_MIN - 1)) != 0);
}

/* Bytes of the region that may be touched, whatever a damaged image says: there behind is no memory, though it
 * is mapped. */
static inline uint64_t acre__heap_bytes(const acre_heap *h)
{
    uint64_t said = acre__peek(&h->control->region_size);
    return said < h->reach ? said : h->reach;
}

/* The algorithm synchronises itself, and nothing has to be done around it. */
static inline bool acre__heap_own(const acre_heap *h)
{
    return h->inner->into && h->take == h->inner->take;
}

/* Tell the program of a misuse. */
void acre__heap_tell(acre_heap *h, int error, const void *p);

/* The same, if the error says that p cannot be used; the error. */
int acre__heap_misuse(acre_heap *h, int error, const void *p);

/* The heap has guards behind its blocks. */
static inline bool acre__heap_guards(const acre_heap *h)
{
    return h->algorithm != h->inner;
}

/* Why p cannot be used: ACRE_EINVALID or ACRE_EOVERRUN.  0: it can. */
int acre__heap_judge(const acre_heap *h, const void *p);

/* In a zeroed heap: what a new block's first bytes may still hold of the algorithm's links.  The block is
 * the caller's already, or (noted) the journal brings the links back. */
void acre__heap_hide_links(const acre_heap *h, void *p);
void acre__heap_hide_links_noted(const acre_heap *h, void *p);

/* In heaps with guards.  Behind the commit of the step that freed p: overwrite what was in it.  0 or
 * ACRE_EUSEDFREED. */
int acre__checked_settle(acre_heap *h, void *p);

/* What is rare at an entry: an owner has died, a journal is not empty, a guarded heap. */
int acre__heap_enter_unusual(acre_heap *h, int locked);

static inline int acre__heap_lock(acre_heap *h)
{
    int e = acre__robust_lock_free(h->lock);
    if (__builtin_expect(e != EBUSY, 1))
        return e;
    return h->lock_kind == ACRE_LOCK_SPIN ? acre__robust_lock_polled_taken(h->lock)
                                          : acre__robust_lock_taken(h->lock, NULL);
}

static inline void acre__heap_unlock(acre_heap *h)
{
    if (__builtin_expect(h->lock_kind == ACRE_LOCK_ROBUST, 1))
        acre__robust_unlock(h->lock);
    else if (h->lock_kind == ACRE_LOCK_SPIN)
        acre__robust_unlock_polled(h->lock);
}

/* The lock around every call; rolls back what a dead owner left.  0, EDEADLK, EROFS,
 * ACRE_EPOISONED, ENOMEM (the segment has outgrown this process's window). */
static inline int acre__heap_enter(acre_heap *h)
{
    int locked = h->lock ? acre__heap_lock(h) : 0;
    acre__after_mark(); /* who reads without the lock (look.c) and sees our stores sees that it is taken */
    if (__builtin_expect(locked | h->guarded | (*h->pending != 0), 0))
        return acre__heap_enter_unusual(h, locked);
    return 0;
}

/* Inside enter/leave: make what was done so far final.  Emptying the journal is the commit: all
 * stores of the call come before it. */
static inline void acre__heap_commit(acre_heap *h)
{
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    if (h->region.journal && !ACRE_BUG_IS(2))
        *h->pending = 0;
}

static inline void acre__heap_leave(acre_heap *h)
{
    acre__heap_commit(h);
    h->control->version++;
    acre__heap_unlock(h);
}

/* Inside enter/leave: acre_alloc_into() and acre_free_from() for a slot that lies in the segment and, to be freed,
 * is not 0.  A block of the house, whatever its size. */
int acre__publish_alloc(acre_heap *h, acre_off *slot, size_t size);
int acre__publish_free(acre_heap *h, acre_off *slot);

/* Inside enter/leave, behind the journal's batch entry: empty n slots and free what they name. */
void acre__publish_undo(acre_heap *h, acre_off *slots, uint64_t n);

/* Can that be done, whoever wrote the entry?  The heap is sound, the slots lie where a user's can, and name
 * live blocks.  Costs a check of the heap, and a bit for 16 bytes of it.  False also if there is no memory for that. */
bool acre__publish_undoable(acre_heap *h, const acre_off *slots, uint64_t n);

/* Run collect(h, version, arg), which only reads, until it has seen the heap at one moment, without the
 * lock: its result.  It may be run several times and sees anything meanwhile; when acre__look_late(h,
 * version) its work is in vain.  EAGAIN: somebody is always at work, or has died at it; after some 10 ms
 * of waiting.  ACRE_EPOISONED. */
typedef int acre__look_collect(acre_heap *h, uint64_t version, void *arg);
int acre__look(acre_heap *h, acre__look_collect *collect, void *arg);

/* With the lock, or read-only with that proof: what collect() saw of what the lock protects is of one
 * moment.  Its result, or the lock's. */
int acre__inspect(acre_heap *h, acre__look_collect *collect, void *arg);

/* acre_heap_walk() without the lock. */
int acre__look_walk(acre_heap *h, acre_visit *visit, void *arg);

static inline bool acre__look_late(const acre_heap *h, uint64_t version)
{
    return acre__peek(&h->control->version) != version;
}

/* 0; EROFS, ENOTSUP: pages cannot be given back. */
int acre__purge_possible(const acre_heap *h);

/* give() of a heap that purges by itself. */
int acre__purge_free(acre_region *r, void *p);

/* Inside enter/leave: tell the algorithm how large its region is, from a source it can trust. */
void acre__heap_measure(acre_heap *h);

/* Inside enter/leave: the region has region_size bytes now, more than before. */
int acre__heap_extend(acre_heap *h, uint64_t region_size);

/* Inside enter/leave: give up free bytes at the end of the region, down to region_size if they are
 * free.  *now tells what remains. */
int acre__heap_contract(acre_heap *h, uint64_t region_size, uint64_t *now);

#endif
