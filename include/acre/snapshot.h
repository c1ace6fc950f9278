/* SPDX-License-Identifier: MIT */
/* acre/snapshot.h: a copy of a segment that is in use, of one moment, in a file.
 *
 *     threads that work:                               who wants a copy:
 *         acre_hold_join(&hold, s);                        acre_segment_snapshot(s, path, NULL);
 *         for (;;) {
 *             acre_hold_point(&hold);  ◀── they stand here while it copies
 *             …change data in the segment…
 *         }
 *         acre_hold_leave(&hold);
 *
 * A heap under its lock is copied sound whoever works in it.  What is in the blocks, and all of a heap of
 * `sharded`, whose threads work without a lock, is of one moment only if the threads that change it take part:
 * each calls acre_hold_point() between its operations, where its data are as somebody else may find them.
 *
 * In the copy everybody is dead: locks of the heap, of objects, of transactions and of this barrier are free,
 * and what threads had to themselves is taken over by the next ones, as after a power cut.  The caller's own
 * locks are data: who holds one at a hold point holds it in the copy, for ever.  It is another segment, that
 * nobody has open, though with the same uuid.
 *
 * Killed in the middle: of the taker nothing is left, and nobody waits for it any longer; a thread that takes
 * part is not waited for. */
#ifndef ACRE_SNAPSHOT_H
#define ACRE_SNAPSHOT_H

#include <acre/segment.h>
#include <time.h>

#ifdef __cplusplus
extern "C" {
#endif

/* ---- taking part ---- */

/* One thread's part in one segment; the caller's memory.  Nothing in it is the caller's business. */
typedef struct acre_hold {
    const uint32_t *turn;
    acre_segment *segment;
    void *member;
} acre_hold;

/* From now on snapshots wait for this thread, as long as it lives.  Waits while one is taken.  The heap has a block of
 * 56 bytes more until the thread has left.  0; EALREADY: it takes part already; ENOMEM; EROFS; ENOTSUP: the
 * segment has ACRE_INDEX_NONE; EDEADLK: it has a transaction under way; ACRE_EPOISONED. */
ACRE_API int acre_hold_join(acre_hold *h, acre_segment *s);

/* No longer: before it sleeps for long, and before it closes the segment.  Waits while a snapshot is taken.
 * 0; EINVAL: *h takes no part; EPERM: another thread does, by it; EDEADLK: it has a transaction under way. */
ACRE_API int acre_hold_leave(acre_hold *h);

/* acre_hold_point() when somebody wants a snapshot.  Also EINVAL, EPERM, as acre_hold_leave(). */
ACRE_API int acre_hold_wait(acre_hold *h);

/* Between two operations: stand still if a snapshot is wanted, until it is done or given up.  While none is, it
 * costs one load.  Hold no lock here that another taking part may wait for, nor stand
 * inside of acre_atomic_begin() or an object's constructor (acre/object.h).  0; EDEADLK: the thread has a
 * transaction under way, and goes on without waiting. */
ACRE_SHORT int acre_hold_point(acre_hold *h)
{
    if (__builtin_expect(__atomic_load_n(h->turn, __ATOMIC_ACQUIRE) & 1, 0))
        return acre_hold_wait(h);
    return 0;
}

/* ---- taking a snapshot ---- */

enum {
    /* The caller vouches for threads that use the heap without its lock (`sharded`) and take no part: they
     * do nothing meanwhile. */
    ACRE_SNAPSHOT_QUIESCED = 1,
    /* Verify the copy's heap before it has its name. */
    ACRE_SNAPSHOT_CHECK = 2
};

/* Called now and then while it is copied, `done` of `total` bytes looked at; all wait meanwhile, so it must not
 * use the segment.  Anything but 0: the snapshot is given up, and that is its result. */
typedef int acre_snapshot_progress(void *arg, size_t done, size_t total);

/* All zero = the defaults. */
typedef struct acre_snapshot_options {
    const struct timespec
        *deadline; /* CLOCK_MONOTONIC, see acre_deadline(): until all stand; NULL: none */
    acre_snapshot_progress *progress;
    void *arg;
    mode_t mode;    /* of the file: exact permission bits; 0 = 0600 */
    uint32_t flags; /* ACRE_SNAPSHOT_… */
} acre_snapshot_options;

/* Copy the segment into a new file, to be opened as ACRE_FILE; options may be NULL.  It is on the disk (fsync)
 * before it has its name.  Where the file system can, it shares the segment's blocks (reflink); else what is
 * zero takes no room, but that means that, as after acre_heap_purge(), room is not reserved: see
 * acre_segment_populate().
 *
 * 0.  EEXIST: the file is there already, and stays.  ETIMEDOUT: somebody did not come to a hold point in time.
 * EBUSY: a thread that lives has a part of `sharded` to itself and does not take part.  EDEADLK: the calling
 * thread has a transaction under way.  EROFS: the handle is read-only.  ENOSPC, EFBIG, EACCES, ENOENT,
 * ENAMETOOLONG, ACRE_ENAME, EIO … of the file. EINVAL: unknown flags.  ACRE_EPOISONED.  With
 * ACRE_SNAPSHOT_CHECK what acre_heap_check() tells.  After any error there is no file. A segment with
 * ACRE_INDEX_NONE has no barrier: only the heap's lock is taken. */
ACRE_API int acre_segment_snapshot(acre_segment *s, const char *path,
                                   const acre_snapshot_options *options);

#ifdef __cplusplus
}
#endif
#endif
