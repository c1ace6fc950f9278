/* SPDX-License-Identifier: MIT */
/* acre/shared.h: who owns what lies in a segment, across processes: counts to embed, shared and weak references,
 * single owners, guards; what std::shared_ptr and its relatives are for, for C and for shared memory.
 *
 * A reference is two offsets: {control block, object}.  It lies in the segment (as a member of other objects, or in
 * a holder's slot) or in memory of the process.  The control block lies in the segment, counts, and knows how the
 * object is destroyed.  Any thread of any process may copy, lock and release references to one object at once; one
 * reference is as a plain variable: whoever changes it must be alone with it.  References never lead from one
 * segment into another.
 *
 * What dies.  Each change of a count and of the reference in the segment that it stands for is one step, wherever
 * its process is killed: the control block has a robust lock and a record of the step under way; the next one who
 * takes the lock finishes the step or undoes it.  What a dead process held:
 *
 *     references in the segment       are still there and still count; somebody must release them, as they would
 *                                     a block that acre_alloc_into() stored.  Before anything else is done with one
 *                                     that the dead was changing, call acre_shared_settle() or release it.
 *     slots of its acre_holder        released by whoever calls acre_shared_reap()
 *     references in its own memory    count for ever: use a holder's slots where that matters
 *     the last release, half way      goes on when the reference is released once more, or reaped
 *
 * A step holds the lock for some ten stores; nobody waits for what is stopped elsewhere.  Who is stopped just there is
 * waited for a second, then calls return ETIMEDOUT with nothing changed.  A deleter runs with no lock held.
 *
 * All functions that change something: EROFS; ACRE_ECORRUPT: not a reference, or its control block is damaged;
 * EDEADLK in a signal handler that interrupted a heap call or one of these; what acre_free() and acre_alloc_into()
 * may be refused with.  Not async-signal-safe.
 *
 * Method: a lock and a redo/undo record for each control block (not a tagged word as in H. Attiya, O. Ben-Baruch,
 * D. Hendler, PODC 2018, nor an era for each client as in CXL-SHM, SOSP 2023: segment/README.md tells why); slots
 * that belong to a client and are swept after its death: CXL-SHM's RootRefs. */
#ifndef ACRE_SHARED_H
#define ACRE_SHARED_H

#include <acre/segment.h>
#include <errno.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ================================ a count to embed ================================
 *
 * A word in the object itself, in shared memory or not; 0 means that the object is gone, or not yet there.  One
 * atomic operation each.  Between two instructions of a killed process a count may be too high, never too low. */
typedef struct acre_refs {
    uint32_t count;
} acre_refs;

/* The first reference is the caller's. */
ACRE_SHORT void acre_refs_init(acre_refs *r)
{
    __atomic_store_n(&r->count, 1, __ATOMIC_RELEASE);
}

/* Change the count from what is there, but neither from 0 nor beyond 2^32 - 1. */
ACRE_SHORT uint32_t acre__refs_change(acre_refs *r, uint32_t by, uint32_t never)
{
    uint32_t old = __atomic_load_n(&r->count, __ATOMIC_RELAXED);
    while (old != 0 && old != never &&
           !__atomic_compare_exchange_n(&r->count, &old, old + by, true, __ATOMIC_ACQ_REL,
                                        __ATOMIC_RELAXED)) {
    }
    return old;
}

/* By who has a reference: one more.  0; ACRE_EINVALID: the count is 0, nobody can have one; EOVERFLOW: it is
 * 2^32 - 1. */
ACRE_SHORT int acre_ref(acre_refs *r)
{
    uint32_t old = acre__refs_change(r, 1, UINT32_MAX);
    return old == 0 ? (int)ACRE_EINVALID : old == UINT32_MAX ? EOVERFLOW : 0;
}

/* By who has none, but knows that the memory is still a count (a lookup table's lock, say): one more if the object
 * is alive. */
ACRE_SHORT bool acre_ref_if_live(acre_refs *r)
{
    return acre_ref(r) == 0;
}

/* Give a reference back.  true: it was the last one, the object is the caller's to destroy.  Of a count that is 0
 * already: false, and it stays 0. */
ACRE_SHORT bool acre_unref(acre_refs *r)
{
    return acre__refs_change(r, (uint32_t)-1, 0) == 1;
}

ACRE_SHORT uint32_t acre_refs_count(const acre_refs *r)
{
    return __atomic_load_n(&r->count, __ATOMIC_RELAXED);
}

/* ================================ deleters ================================
 *
 * An address of a function means nothing to another process, so control blocks store a number, and each process
 * registers what it stands for.  0 stands for nothing to do: just free the block. */

/* End what *object owns; the block itself is freed afterwards by whoever called this.  May call anything, also release
 * other references (to a depth that the stack has room for).  If its process is killed in it, it is called once more
 * in another one: it must bear that (free what the object names with acre_free_from(), release references). */
typedef void acre_deleter(void *arg, acre_segment *s, void *object);

/* A number for a name that all processes write alike: FNV-1a, never 0. */
ACRE_API uint32_t acre_deleter_id(const char *name);

/* In this process, for all segments.  0; EINVAL: id 0 or no function; EEXIST: another one is registered; ENOMEM: there
 * are 256.  Thread safe. */
ACRE_API int acre_deleter_register(uint32_t id, acre_deleter *fn, void *arg);
/* Forget it; none of its calls may be in progress.  ENOENT. */
ACRE_API int acre_deleter_unregister(uint32_t id);

/* ================================ shared and weak ================================ */

/* All zero: it refers to nothing. */
typedef struct acre_reference {
    acre_off control, object;
} acre_reference;

typedef struct acre_shared {
    acre_reference r;
} acre_shared;

typedef struct acre_weak {
    acre_reference r;
} acre_weak;

/* A new object of `size` zeroed bytes, with its control block in one block of 80 bytes more, and the first
 * reference to it in *to.  The object's memory is kept until the last weak reference is gone.
 * 0; ENOMEM; EEXIST: *to is not empty. */
ACRE_API int acre_shared_make(acre_segment *s, acre_shared *to, size_t size, uint32_t deleter);

/* The same for a block that exists: it moves from *block, which becomes 0, to its control block (80 bytes).
 * It is freed at the last release.  0; ENOMEM; EEXIST; ACRE_EINVALID: *block is no block of the segment. */
ACRE_API int acre_shared_adopt(acre_segment *s, acre_shared *to, acre_off *block, uint32_t deleter);

/* One reference more.  *to must be empty: EEXIST.  A copy of nothing is nothing.  EOVERFLOW: there are 2^28 - 1;
 * ACRE_EINVALID: *from is being released. */
ACRE_API int acre_shared_copy(acre_segment *s, acre_shared *to, const acre_shared *from);

/* The same, to `object` (in the segment, not 0: else ACRE_EINVALID), a part of what *from keeps alive. */
ACRE_API int acre_shared_alias(acre_segment *s, acre_shared *to, const acre_shared *from,
                               acre_off object);

/* *to = *from, *from = nothing.  EEXIST: *to is not empty. */
ACRE_API int acre_shared_move(acre_segment *s, acre_shared *to, acre_shared *from);

/* Copy to *to, which may have held something: that is released afterwards, but before *to is filled.  Two steps: killed
 * between them, *to is empty; the new reference is then in the thread's holder, if it has opened one, else lost.
 * ACRE_EDELETER as from release, after all was done. */
ACRE_API int acre_shared_assign(acre_segment *s, acre_shared *to, const acre_shared *from);

/* Give it back; *r is empty then.  The last one: the object is destroyed and freed.
 * ACRE_EDELETER: it was the last one, but nobody in this process has registered the deleter.  The object is
 * condemned: no weak reference can be locked any more, *r is empty, and acre_shared_reap() in a process that has the
 * deleter will destroy it.  In a segment without a directory (ACRE_INDEX_NONE) nothing has changed then.
 * Another error: the reference is still there, call it again. */
ACRE_API int acre_shared_release(acre_segment *s, acre_shared *r);

/* The object that made it, from an address of its own: another reference.  ACRE_EOBJECT: it is not the start of an
 * object of acre_shared_make(); ENOENT: it is being destroyed; EEXIST. */
ACRE_API int acre_shared_from_this(acre_segment *s, acre_shared *to, const void *object);

/* In a reference that a dead process was changing: finish or undo that; then it counts, or is empty.  Needed before it
 * is used otherwise than by releasing it.  Errors as of releasing, which it does where the dead one had begun with
 * the last release. */
ACRE_API int acre_shared_settle(acre_segment *s, acre_shared *r);
ACRE_API int acre_weak_settle(acre_segment *s, acre_weak *r);

/* Shared references there are; 0: none, or *r refers to nothing.  Old when it is told. */
ACRE_API uint32_t acre_shared_use_count(const acre_segment *s, const acre_shared *r);

/* Address of the object, valid as long as the reference is there; NULL: it refers to nothing. */
ACRE_API void *acre_shared_get(const acre_segment *s, const acre_shared *r);

/* A weak reference to what *from refers to; a copy of a weak one; both EEXIST, EOVERFLOW, ACRE_EINVALID. */
ACRE_API int acre_weak_from(acre_segment *s, acre_weak *to, const acre_shared *from);
ACRE_API int acre_weak_copy(acre_segment *s, acre_weak *to, const acre_weak *from);
ACRE_API int acre_weak_move(acre_segment *s, acre_weak *to, acre_weak *from);
ACRE_API int acre_weak_release(acre_segment *s, acre_weak *r);

/* A shared reference if the object is alive.  ENOENT: it is not, or *from refers to nothing. */
ACRE_API int acre_weak_lock(acre_segment *s, acre_shared *to, const acre_weak *from);

/* No shared reference is left, and none can come back. */
ACRE_API bool acre_weak_expired(const acre_segment *s, const acre_weak *r);
ACRE_API uint32_t acre_weak_use_count(const acre_segment *s, const acre_weak *r);

/* ================================ holders ================================
 *
 * A thread's references that end with it: numbered slots in the segment, whose block the kernel marks when the
 * thread ends in any way.  What a thread with a holder was doing to any reference of the segment when it died is
 * finished by whoever reaps it, too.  One of several in one segment is for that, the first one opened; a thread may
 * have them in four segments.
 *
 * Belongs to the thread that opened it; a forked child has none.  A segment cannot be closed (EBUSY) by a thread
 * that has one open.  Needs a directory: ENOTSUP in segments made with ACRE_INDEX_NONE. */
typedef struct acre_holder {
    acre_segment *segment;
    acre_off block;
    uint32_t shared, weak; /* slots */
} acre_holder;

/* Slots for so many references, 96 bytes and 16 for each, all empty.  Reaps who has died.  0, ENOMEM, ENOTSUP,
 * EINVAL: more than 65536 of a kind. */
ACRE_API int acre_holder_open(acre_holder *h, acre_segment *s, uint32_t shared, uint32_t weak);

/* Release all that is in it.  0; EPERM: not this thread's; ACRE_EDELETER: what could not be destroyed is condemned;
 * another error: as the last of those releases, which acre_shared_reap() tries again. */
ACRE_API int acre_holder_close(acre_holder *h);

/* Slot i; NULL: there are not so many. */
ACRE_API acre_shared *acre_holder_shared(const acre_holder *h, uint32_t i);
ACRE_API acre_weak *acre_holder_weak(const acre_holder *h, uint32_t i);

/* Do for all who died with a holder what is left to do: finish what they had begun, release what they held; and
 * destroy what is condemned, if its deleter is registered here.  *released (may be NULL): references.  Any process
 * may call it at any time; several share the work.  0; ACRE_EDELETER: some wait for a process that has their
 * deleters; ENOMEM; ENOTSUP. */
ACRE_API int acre_shared_reap(acre_segment *s, size_t *released);

/* ================================ one owner ================================ */

/* object 0: empty.  In the segment or in memory of the process. */
typedef struct acre_unique {
    acre_off object;
    uint64_t deleter; /* an id */
} acre_unique;

/* A block of `size` zeroed bytes.  0, ENOMEM, EEXIST. */
ACRE_API int acre_unique_make(acre_segment *s, acre_unique *u, size_t size, uint32_t deleter);
/* One step if both lie in the segment, and its heap has a journal; else killed in it *from may still have it, too,
 * unless *from was the process's.  EEXIST. */
ACRE_API int acre_unique_move(acre_segment *s, acre_unique *to, acre_unique *from);
/* Destroy and free the object.  Killed in it: *u still has it, or is empty.  ACRE_EDELETER: nothing has changed. */
ACRE_API int acre_unique_reset(acre_segment *s, acre_unique *u);
/* Give it up: the caller's. */
ACRE_SHORT acre_off acre_unique_release(acre_unique *u)
{
    acre_off object = u->object;
    u->object = 0;
    return object;
}

/* ================================ a guard ================================
 *
 *     ACRE_SCOPED acre_scoped guard = {s, object, deleter};
 *     … return early: the object is destroyed and freed …
 *     return acre_scoped_keep(&guard);
 */
#define ACRE_SCOPED __attribute__((cleanup(acre_scoped_end)))

typedef struct acre_scoped {
    acre_segment *segment;
    acre_off object; /* 0: nothing to guard */
    uint32_t deleter;
} acre_scoped;

/* What leaving the scope does; a second call does nothing.  An error (no such deleter) goes untold. */
ACRE_API void acre_scoped_end(acre_scoped *g);

ACRE_SHORT acre_off acre_scoped_keep(acre_scoped *g)
{
    acre_off object = g->object;
    g->object = 0;
    return object;
}

#ifdef __cplusplus
}
#endif
#endif
