/* SPDX-License-Identifier: MIT */
/* acre/sync.h: locks, conditions, semaphores, barriers for threads of any processes.
 *
 * An object lies wherever its users share memory: in a segment's block, in a mapped file, in a
 * static variable for the threads of one process, or in memory of its own under a name
 * (acre_named_…).  It holds no address that means anything to a second process, so each may map it
 * elsewhere.  Objects must not be moved or copied while in use.
 *
 * What dies does not stop the others.  Owners are told to the kernel (the robust list), which says
 * within a tenth of a millisecond when one is gone, however it went: SIGKILL, exit, end of its
 * thread, exec.  There are no time-outs by which a stopped or slow owner could be robbed, and process
 * numbers are never looked up.  Who comes next:
 *
 *     owner of              died                         the next one gets
 *     exclusive lock        while it had it, or within   ACRE_OWNER_DEAD, and the lock
 *                           the instructions of getting
 *                           or giving it
 *     any lock              while it waited              0
 *     sharable, upgradable  (it only read)               0
 *     permit                                             the permit
 *     barrier membership                                 ACRE_EPEER from that round's wait
 *     once                  while initialising           the turn to initialise
 *
 * After ACRE_OWNER_DEAD the caller has the lock: it repairs what the lock protects, calls
 * …_consistent() and goes on.  If it unlocks without that, the object is ENOTRECOVERABLE for all,
 * for ever, as POSIX has it.
 *
 * Time.  Deadlines are points of CLOCK_MONOTONIC, so setting the clock moves none; NULL is never.
 * A deadline that is past still takes what is free.  …_for() takes nanoseconds from now.
 *
 * Threads and processes.  All functions may be called by any thread at any time unless they say
 * otherwise.  After fork() the child owns nothing that its parent held.  exec and the end of a thread
 * give everything up as dead.  No function here is a cancellation point (but those that create, open
 * and remove what has a name); a thread that is cancelled elsewhere while holding a lock has died
 * holding it.  Not async-signal-safe: a handler that interrupted a lock or a heap call gets EDEADLK
 * from locking; one that interrupted an unlock, or unlocks itself, is not noticed, and must not be.
 * Unlocking trusts the type of what this thread holds.  Memory that holds an object must
 * not be unmapped while this thread holds it (acre_segment_close() and acre_named_close() refuse).
 * A thread may hold up to 2,000 objects at once: the kernel looks no further.  A process that maps the
 * memory twice unlocks through the mapping by which it has locked (EPERM).
 *
 * pid namespaces may differ between the users of an object.
 * An object that lies in a file outlives a power cut, its owners do not: init it again.
 *
 * Errors of all functions: ACRE_EUNINITIALISED (all zero where that is not a valid object),
 * ACRE_EOBJECT (something else, or damaged), ACRE_ELAYOUT (made by a build with another layout).
 */
#ifndef ACRE_SYNC_H
#define ACRE_SYNC_H

#include <acre/base.h>
#include <errno.h>
#include <sys/types.h>
#include <time.h>

#ifdef __cplusplus
extern "C" {
#endif

/* The lock is held, but its owner before died while holding it. */
#define ACRE_OWNER_DEAD EOWNERDEAD

/* The point of CLOCK_MONOTONIC that is ns nanoseconds from now. */
ACRE_API struct timespec acre_deadline(uint64_t ns);

/* Waits of this process that have no deadline end with ETIMEDOUT after ns nanoseconds; 0, as at
 * first: never.  For finding deadlocks.  Applies to locks, not to conditions, semaphores, queues. */
ACRE_API void acre_default_timeout(uint64_t ns);

/* ---- the private parts ----
 *
 *   0      4      8        16    20      24     32     40
 *   +------+------+--------+-----+-------+------+------+
 *   | word | mode | id     | tag | count | back | next |
 *   +------+------+--------+-----+-------+------+------+
 *   futex  of a   owner's  kind of       unused robust list
 *          rw lock         object               of the owner
 */
typedef struct acre_cell {
    __extension__ union {
        __extension__ struct {
            uint32_t word, mode;
        };
        uint64_t both; /* word in the lower half */
    };
    uint64_t id;
    uint32_t tag, count;
    uint64_t back, next; /* next: an address in the owner's process, nobody else's business */
} acre_cell;

/* ================================ mutex ================================
 *
 * All zero is a free mutex; init is for memory that may hold anything.  Uncontended: one atomic
 * operation to lock, one to unlock, no system call.  Whoever comes may take a mutex that is free,
 * sleepers or not: fast, not fair. */
typedef struct acre_mutex {
    acre_cell cell;
} acre_mutex;

ACRE_API void acre_mutex_init(acre_mutex *m);
/* No longer a mutex.  EBUSY: somebody holds it, nothing has changed. */
ACRE_API int acre_mutex_destroy(acre_mutex *m);

/* 0, ACRE_OWNER_DEAD: held.  EDEADLK: this thread holds it already.  ENOTRECOVERABLE. */
ACRE_API int acre_mutex_lock(acre_mutex *m);
/* Also EBUSY: another holds it.  Never EBUSY if it is free. */
ACRE_API int acre_mutex_trylock(acre_mutex *m);
/* Also ETIMEDOUT. */
ACRE_API int acre_mutex_lock_until(acre_mutex *m, const struct timespec *deadline);
/* 0, or EPERM: this thread does not hold it. */
ACRE_API int acre_mutex_unlock(acre_mutex *m);
/* After ACRE_OWNER_DEAD: what the mutex protects is right again.  EINVAL: it was not wrong. */
ACRE_API int acre_mutex_consistent(acre_mutex *m);

/* The same, and its owner may lock it again (up to 2^32 - 1 times; then EAGAIN); as many unlocks give
 * it back. */
typedef struct acre_recursive {
    acre_cell cell;
} acre_recursive;

ACRE_API void acre_recursive_init(acre_recursive *m);
ACRE_API int acre_recursive_destroy(acre_recursive *m);
ACRE_API int acre_recursive_lock(acre_recursive *m);
ACRE_API int acre_recursive_trylock(acre_recursive *m);
ACRE_API int acre_recursive_lock_until(acre_recursive *m, const struct timespec *deadline);
ACRE_API int acre_recursive_unlock(acre_recursive *m);
ACRE_API int acre_recursive_consistent(acre_recursive *m);

/* The same as acre_mutex, waiting without ever sleeping on the word: pauses, then gives up its time
 * slice, then naps of up to 1 ms.  For very short sections between threads that all run. */
typedef struct acre_spin {
    acre_cell cell;
} acre_spin;

ACRE_API void acre_spin_init(acre_spin *m);
ACRE_API int acre_spin_destroy(acre_spin *m);
ACRE_API int acre_spin_lock(acre_spin *m);
ACRE_API int acre_spin_trylock(acre_spin *m);
ACRE_API int acre_spin_lock_until(acre_spin *m, const struct timespec *deadline);
ACRE_API int acre_spin_unlock(acre_spin *m);
ACRE_API int acre_spin_consistent(acre_spin *m);

/* Always succeeds, does nothing: for code that takes any mutex.  Needs init. */
typedef struct acre_null {
    acre_cell cell;
} acre_null;

ACRE_API void acre_null_init(acre_null *m);
ACRE_API int acre_null_lock(acre_null *m);
ACRE_API int acre_null_trylock(acre_null *m);
ACRE_API int acre_null_lock_until(acre_null *m, const struct timespec *deadline);
ACRE_API int acre_null_unlock(acre_null *m);

/* ================================ sharable and upgradable ================================
 *
 * Many readers or one writer.  An upgradable holder reads beside the readers, keeps out writers and
 * other upgradables, and may become the writer without letting anybody in between.
 *
 * A writer that waits for the readers to leave keeps new ones out.  When a writer leaves, all who
 * wait compete.  Each reader has a place (a cache line) of its own, so readers do not slow each
 * other down; ACRE_READERS can read at once, more wait.  A thread may read several times at
 * once, but waits for itself if a writer has come to wait in between.
 *
 *   0       64         128                                      4096
 *   +-------+----------+---------+---------+- - - -+------------+
 *   | owner | places   | reader  | reader  |       | reader 62  |
 *   +-------+----------+---------+---------+- - - -+------------+
 *
 * A writer that dies: the next who locks in any mode gets ACRE_OWNER_DEAD and holds the lock
 * *exclusively*; …_consistent() leaves it holding the mode that it asked for.
 * All zero is a free lock. */
enum { ACRE_READERS = 62 };

typedef struct acre__reader {
    acre_cell cell;
    uint64_t reserved[3];
} acre__reader;

typedef struct acre__rw {
    acre_cell owner; /* of the writer or upgradable holder; mode says which */
    uint64_t reserved1[3];
    uint64_t places; /* bit i: reader[i] has been used */
    uint64_t reserved2[7];
    acre__reader reader[ACRE_READERS];
} acre__rw;

typedef struct acre_sharable {
    acre__rw rw;
} acre_sharable;

typedef struct acre_upgradable {
    acre__rw rw;
} acre_upgradable;

ACRE_API void acre_sharable_init(acre_sharable *m);
ACRE_API int acre_sharable_destroy(acre_sharable *m);

/* Errors as of acre_mutex.  A thread that reads and asks for the exclusive lock waits for itself;
 * EDEADLK is returned only if it holds the exclusive (or upgradable) lock already. */
ACRE_API int acre_sharable_lock(acre_sharable *m);
ACRE_API int acre_sharable_trylock(acre_sharable *m);
ACRE_API int acre_sharable_lock_until(acre_sharable *m, const struct timespec *deadline);
ACRE_API int acre_sharable_unlock(acre_sharable *m);

ACRE_API int acre_sharable_lock_sharable(acre_sharable *m);
ACRE_API int acre_sharable_trylock_sharable(acre_sharable *m);
ACRE_API int acre_sharable_lock_sharable_until(acre_sharable *m, const struct timespec *deadline);
ACRE_API int acre_sharable_unlock_sharable(acre_sharable *m);
ACRE_API int acre_sharable_consistent(acre_sharable *m);

ACRE_API void acre_upgradable_init(acre_upgradable *m);
ACRE_API int acre_upgradable_destroy(acre_upgradable *m);

ACRE_API int acre_upgradable_lock(acre_upgradable *m);
ACRE_API int acre_upgradable_trylock(acre_upgradable *m);
ACRE_API int acre_upgradable_lock_until(acre_upgradable *m, const struct timespec *deadline);
ACRE_API int acre_upgradable_unlock(acre_upgradable *m);

ACRE_API int acre_upgradable_lock_sharable(acre_upgradable *m);
ACRE_API int acre_upgradable_trylock_sharable(acre_upgradable *m);
ACRE_API int acre_upgradable_lock_sharable_until(acre_upgradable *m,
                                                 const struct timespec *deadline);
ACRE_API int acre_upgradable_unlock_sharable(acre_upgradable *m);

ACRE_API int acre_upgradable_lock_upgradable(acre_upgradable *m);
ACRE_API int acre_upgradable_trylock_upgradable(acre_upgradable *m);
ACRE_API int acre_upgradable_lock_upgradable_until(acre_upgradable *m,
                                                   const struct timespec *deadline);
ACRE_API int acre_upgradable_unlock_upgradable(acre_upgradable *m);
ACRE_API int acre_upgradable_consistent(acre_upgradable *m);

/* Demotions do not wait (to sharable: only if ACRE_READERS read already).  0, or EPERM: not held in
 * the mode that the name begins with. */
ACRE_API int acre_upgradable_unlock_and_lock_upgradable(acre_upgradable *m);
ACRE_API int acre_upgradable_unlock_and_lock_sharable(acre_upgradable *m);
ACRE_API int acre_upgradable_unlock_upgradable_and_lock_sharable(acre_upgradable *m);

/* Promotions.  On failure the old lock is held as before: EBUSY, ETIMEDOUT, EPERM.
 * From upgradable to exclusive: wait for the readers to leave; new ones are kept out meanwhile. */
ACRE_API int acre_upgradable_unlock_upgradable_and_lock(acre_upgradable *m);
ACRE_API int acre_upgradable_try_unlock_upgradable_and_lock(acre_upgradable *m);
ACRE_API int acre_upgradable_unlock_upgradable_and_lock_until(acre_upgradable *m,
                                                              const struct timespec *deadline);
/* From sharable: to exclusive only as the sole reader and without an upgradable holder, to upgradable
 * only if there is no other and no writer waits; else EBUSY.  There are no waiting forms: two readers
 * would wait for each other. */
ACRE_API int acre_upgradable_try_unlock_sharable_and_lock(acre_upgradable *m);
ACRE_API int acre_upgradable_try_unlock_sharable_and_lock_upgradable(acre_upgradable *m);

/* ================================ any mutex, and guards ================================ */

enum acre_mode { ACRE_UNLOCKED = 0, ACRE_EXCLUSIVE, ACRE_SHARABLE, ACRE_UPGRADABLE };

/* `mutex` is an acre_mutex, acre_recursive, acre_spin, acre_null, acre_sharable or acre_upgradable;
 * the object itself says which (an all-zero one, used here first, is taken for an acre_mutex).
 * ENOTSUP: it has no such mode. */
ACRE_API int acre_lock(void *mutex, enum acre_mode mode);
ACRE_API int acre_trylock(void *mutex, enum acre_mode mode);
ACRE_API int acre_lock_until(void *mutex, enum acre_mode mode, const struct timespec *deadline);
ACRE_API int acre_unlock(void *mutex, enum acre_mode mode);

/* A guard knows which lock it holds, and how.  It belongs to one thread.
 *
 *     {
 *         ACRE_GUARD(g, &shared->mutex, ACRE_EXCLUSIVE);   // locks; unlocks at the end of the block
 *         if (g.error == ACRE_OWNER_DEAD) …
 *     }
 */
typedef struct acre_guard {
    void *mutex;         /* NULL: none */
    enum acre_mode mode; /* that it holds, or that acre_guard_lock() will ask for */
    bool owns;
    int error;           /* of the last operation */
} acre_guard;

/* A guard that holds nothing yet (defer), or what this thread has locked itself (adopt). */
ACRE_API acre_guard acre_guard_defer(void *mutex, enum acre_mode mode);
ACRE_API acre_guard acre_guard_adopt(void *mutex, enum acre_mode mode);
/* A guard that has locked, or tried to; look at owns and error. */
ACRE_API acre_guard acre_guard_locked(void *mutex, enum acre_mode mode);
ACRE_API acre_guard acre_guard_tried(void *mutex, enum acre_mode mode);
ACRE_API acre_guard acre_guard_timed(void *mutex, enum acre_mode mode,
                                     const struct timespec *deadline);

/* Errors of the lock; EDEADLK: the guard owns it already; EPERM: it has no mutex, or holds nothing. */
ACRE_API int acre_guard_lock(acre_guard *g);
ACRE_API int acre_guard_trylock(acre_guard *g);
ACRE_API int acre_guard_lock_until(acre_guard *g, const struct timespec *deadline);
ACRE_API int acre_guard_unlock(acre_guard *g);
/* Forget the mutex without unlocking it; returns it. */
ACRE_API void *acre_guard_release(acre_guard *g);
ACRE_API void acre_guard_swap(acre_guard *a, acre_guard *b);

/* Move a lock from one guard to another, in the target's mode; see the promotions and demotions of
 * acre_upgradable.  What *to held before is unlocked first.  ACRE_TRY and deadlines are for
 * promotions.  0: *from is empty.  Else *from is unchanged and *to is empty.  ENOTSUP: there is no
 * such transfer.  A source that owns nothing just passes its mutex on. */
enum acre_how { ACRE_WAIT = 0, ACRE_TRY };
ACRE_API int acre_guard_transfer(acre_guard *to, enum acre_mode mode, acre_guard *from,
                                 enum acre_how how, const struct timespec *deadline);

/* End of a guard: unlocks what it owns. */
ACRE_API void acre_guard_end(acre_guard *g);
#define ACRE_GUARD(name, mutex, mode) \
    acre_guard name __attribute__((cleanup(acre_guard_end))) = acre_guard_locked(mutex, mode)

/* ================================ condition ================================
 *
 * Works with each of the mutexes above, held in any mode by the caller; waiters of one condition
 * may use different ones.  A wait may return without a notification: always test in a loop.  A waiter
 * or notifier that dies harms nobody: a notification that went to a dead waiter reaches another
 * within 50 ms.  A recursive mutex is given up however often it is locked, and is locked as often
 * when the wait returns.  All zero is a valid condition. */
typedef struct acre_condition {
    uint32_t event, tag;
    uint64_t reserved;
} acre_condition;

ACRE_API void acre_condition_init(acre_condition *c);
ACRE_API int acre_condition_destroy(acre_condition *c);
/* Give the mutex up, sleep, take it again.  0; ACRE_OWNER_DEAD or ENOTRECOVERABLE from taking it
 * again; EPERM: the mutex is not this thread's, nothing has happened. */
ACRE_API int acre_condition_wait(acre_condition *c, void *mutex, enum acre_mode mode);
/* Also ETIMEDOUT: the mutex is held again. */
ACRE_API int acre_condition_wait_until(acre_condition *c, void *mutex, enum acre_mode mode,
                                       const struct timespec *deadline);
/* Wait until predicate(arg) is true.  0: it is.  At a time-out: 0 if it is true then. */
ACRE_API int acre_condition_wait_for_predicate(acre_condition *c, void *mutex, enum acre_mode mode,
                                               bool (*predicate)(void *arg), void *arg,
                                               const struct timespec *deadline);
/* At least one of those who wait, all of them.  The mutex need not be held any more, but what is
 * waited for must have been changed under it. */
ACRE_API int acre_condition_notify_one(acre_condition *c);
ACRE_API int acre_condition_notify_all(acre_condition *c);

/* ================================ semaphore ================================
 *
 * A count without owners: what a process took and did not give back before it died is lost (use
 * acre_permits where that matters).  All zero is a semaphore of 0. */
enum { ACRE_SEMAPHORE_MAX = 0x3fffffff };

typedef struct acre_semaphore {
    uint32_t word, tag; /* word: bit 31 somebody sleeps, the rest the count */
    uint64_t reserved;
} acre_semaphore;

/* EINVAL: above ACRE_SEMAPHORE_MAX. */
ACRE_API int acre_semaphore_init(acre_semaphore *s, uint32_t count);
ACRE_API int acre_semaphore_destroy(acre_semaphore *s);
/* Add n.  EOVERFLOW: nothing was added. */
ACRE_API int acre_semaphore_post(acre_semaphore *s, uint32_t n);
/* Take one, waiting for it.  EAGAIN (try): the count is 0. */
ACRE_API int acre_semaphore_wait(acre_semaphore *s);
ACRE_API int acre_semaphore_trywait(acre_semaphore *s);
ACRE_API int acre_semaphore_wait_until(acre_semaphore *s, const struct timespec *deadline);
/* The count at some moment of the call. */
ACRE_API uint32_t acre_semaphore_count(const acre_semaphore *s);

/* A semaphore whose permits have owners (threads): a dead one's permits are free again, at once for
 * those who come, within 50 ms for those who sleep.  Lies in acre_permits_size(n) bytes, 8-aligned. */
enum { ACRE_PERMITS_MAX = 1 << 16 };

typedef struct acre_permits {
    uint32_t event, tag;
    uint32_t count, hint;
    acre_cell permit[];
} acre_permits;

ACRE_API size_t acre_permits_size(uint32_t n);
/* EINVAL: n is 0 or above ACRE_PERMITS_MAX. */
ACRE_API int acre_permits_init(acre_permits *p, uint32_t n);
ACRE_API int acre_permits_destroy(acre_permits *p);
/* *permit (0 … n - 1) is this thread's until it releases it. */
ACRE_API int acre_permits_acquire(acre_permits *p, uint32_t *permit);
ACRE_API int acre_permits_try(acre_permits *p, uint32_t *permit); /* EAGAIN */
ACRE_API int acre_permits_acquire_until(acre_permits *p, uint32_t *permit,
                                        const struct timespec *deadline);
ACRE_API int acre_permits_release(acre_permits *p, uint32_t permit); /* EPERM, EINVAL */
/* How many are free at some moment of the call. */
ACRE_API uint32_t acre_permits_free(const acre_permits *p);

/* ================================ barrier, once ================================ */

/* n members (threads) meet.  Each joins once, then waits in every round, then leaves.  The first
 * round begins when all n have joined.  If a member dies or leaves, the round goes on without it, at
 * once or within 50 ms: after a death the others' wait returns ACRE_EPEER in that round (in the first
 * one also if it died before it), and the barrier is one smaller from then on until somebody joins in
 * the dead one's place; who joins takes part in the round that is going on.
 * Lies in acre_barrier_size(n) bytes, 8-aligned. */
enum { ACRE_BARRIER_MAX = 1 << 12 };

typedef struct acre_barrier {
    uint32_t event, tag;
    uint32_t members, first; /* first: all places before it have arrived, or are nobody's */
    acre_cell lock;
    uint32_t round, broken; /* see sync/barrier.c */
    acre_cell member[];
} acre_barrier;

ACRE_API size_t acre_barrier_size(uint32_t n);
ACRE_API int acre_barrier_init(acre_barrier *b, uint32_t n); /* EINVAL */
ACRE_API int acre_barrier_destroy(acre_barrier *b);
ACRE_API int acre_barrier_join(acre_barrier *b, uint32_t *member); /* EAGAIN: n have joined */
/* 0; ACRE_EPEER; EPERM (not this thread's membership); ETIMEDOUT (then it has not arrived). */
ACRE_API int acre_barrier_wait(acre_barrier *b, uint32_t member);
ACRE_API int acre_barrier_wait_until(acre_barrier *b, uint32_t member,
                                     const struct timespec *deadline);
ACRE_API int acre_barrier_leave(acre_barrier *b, uint32_t member);

/* One thread of all processes runs an initialiser; the others wait for it.  If it dies, or returns
 * an error, the next one runs it.  All zero is «not yet». */
typedef struct acre_once {
    acre_cell cell;
} acre_once;

/* 0: done, by this call or another.  Else what initialise(arg) returned, a positive errno. */
ACRE_API int acre_once_run(acre_once *o, int (*initialise)(void *arg), void *arg);
ACRE_API bool acre_once_done(const acre_once *o);

/* ================================ waiting for any of several ================================ */

/* Something that can be waited for.  Process local. */
typedef struct acre_waitable {
    void *object;
    const struct acre__wait_methods *methods;
} acre_waitable;

ACRE_API acre_waitable acre_mutex_waitable(acre_mutex *m);         /* it is free */
ACRE_API acre_waitable acre_semaphore_waitable(acre_semaphore *s); /* its count is not 0 */
ACRE_API acre_waitable acre_permits_waitable(acre_permits *p);     /* a permit is free */
/* Queues and rings have theirs: acre/queue.h, acre/ring.h. */

/* Wait until one of the n (at most 64) is ready; *which is its place in the list, the first one if
 * several are.  It is not taken: another may be faster.  0, ETIMEDOUT, EINVAL.
 * One futex_waitv(2) call; on kernels before 5.16 it looks every millisecond. */
ACRE_API int acre_wait_any(const acre_waitable *list, size_t n, const struct timespec *deadline,
                           size_t *which);

/* ================================ by name ================================
 *
 * An object in shared memory of its own, /dev/shm/acre.NAME: kernel persistence, until removed or
 * reboot.  It appears under its name when it is whole.  A name is 1–200 bytes without '/' and
 * control characters, not beginning with '.'. */
enum acre_kind {
    ACRE_KIND_MUTEX = 1,
    ACRE_KIND_RECURSIVE,
    ACRE_KIND_SPIN,
    ACRE_KIND_SHARABLE,
    ACRE_KIND_UPGRADABLE,
    ACRE_KIND_CONDITION,
    ACRE_KIND_SEMAPHORE, /* count: its first value */
    ACRE_KIND_PERMITS,   /* count: how many */
    ACRE_KIND_BARRIER,   /* count: members */
    ACRE_KIND_ONCE,
    ACRE_KIND_NULL
};

typedef struct acre_named acre_named;

typedef struct acre_named_options {
    mode_t mode;    /* create: exact permission bits whatever the umask; 0 = 0600 */
    uint32_t count; /* create */
    bool any_owner; /* open: accept another user's */
} acre_named_options;

/* EEXIST, EACCES, ENOSPC, EFBIG, ENFILE/EMFILE, ENOMEM, ENAMETOOLONG, ACRE_ENAME, EINVAL (kind, count,
 * mode; kinds without a count want 0).  An open object takes no descriptor. */
ACRE_API int acre_named_create(acre_named **out, enum acre_kind kind, const char *name,
                               const acre_named_options *o);
/* ENOENT, EACCES, ELOOP (symbolic link), ACRE_ETYPE (a directory …), ACRE_EOWNER, ACRE_EOBJECT (of
 * another kind, or foreign), ACRE_ELAYOUT, ACRE_ETRUNCATED, ACRE_ECORRUPT (the header). */
ACRE_API int acre_named_open(acre_named **out, enum acre_kind kind, const char *name,
                             const acre_named_options *o);
/* Exactly one of several callers creates; *created (may be NULL) tells. */
ACRE_API int acre_named_open_or_create(acre_named **out, enum acre_kind kind, const char *name,
                                       const acre_named_options *o, bool *created);
/* The object: an acre_mutex * and so on, valid until close. */
ACRE_API void *acre_named_object(const acre_named *n);
/* Unmap.  NULL is allowed.  EBUSY: this thread holds it. */
ACRE_API int acre_named_close(acre_named *n);
/* The name vanishes at once; who has it open keeps it.  Any kind, damaged ones and queues too.
 * ENOENT, EACCES, ACRE_EOBJECT (a file that is no acre object is left alone). */
ACRE_API int acre_named_remove(const char *name);

/* ================================ file lock ================================
 *
 * The kernel's lock of an existing file or a range of its bytes (open file description locks):
 * advisory, between all processes that ask.  Given back by the kernel when its owner dies.  Each
 * acre_file_lock is an owner of its own, also within a process; threads that share one exclude each
 * other, too.  Closing other descriptors of the file loses nothing.  A child of fork() must open its
 * own (EPERM).  A thread that ends while holding leaves the lock to the handle, until that is closed.
 * Process local. */
typedef struct acre_file_lock acre_file_lock;

/* Bytes [start, start + length); length 0: to the end, however far.  Opened for reading and writing,
 * or, without permission to write, for reading: then only sharable locks (EBADF).
 * ENOENT, EACCES, ACRE_ETYPE (a directory …), EMFILE, ENOMEM, EINVAL (beyond 2^63). */
ACRE_API int acre_file_lock_open(acre_file_lock **out, const char *path, uint64_t start,
                                 uint64_t length);
/* Gives up what it holds.  NULL is allowed.  No call on it may be in progress. */
ACRE_API int acre_file_lock_close(acre_file_lock *l);

/* EDEADLK: this thread holds it already, in any mode.  ENOLCK: the kernel has no more.  ENOMEM.
 * Uncontended: one system call.  Not fair.  EBUSY also if another thread waits through this handle.
 * Until a deadline: a helper thread waits, so EAGAIN if none can be made; ETIMEDOUT. */
ACRE_API int acre_file_lock_lock(acre_file_lock *l);
ACRE_API int acre_file_lock_trylock(acre_file_lock *l); /* EBUSY */
ACRE_API int acre_file_lock_lock_until(acre_file_lock *l, const struct timespec *deadline);
ACRE_API int acre_file_lock_unlock(acre_file_lock *l); /* EPERM */
ACRE_API int acre_file_lock_lock_sharable(acre_file_lock *l);
ACRE_API int acre_file_lock_trylock_sharable(acre_file_lock *l);
ACRE_API int acre_file_lock_lock_sharable_until(acre_file_lock *l, const struct timespec *deadline);
ACRE_API int acre_file_lock_unlock_sharable(acre_file_lock *l);

/* ================================ …_for: nanoseconds from now ================================ */

#define ACRE__FOR(name, type)                                          \
    ACRE_SHORT int name##_for(type *object, uint64_t ns)            \
    {                                                                  \
        struct timespec deadline = acre_deadline(ns);                  \
        return name##_until(object, &deadline);                        \
    }
ACRE__FOR(acre_mutex_lock, acre_mutex)
ACRE__FOR(acre_recursive_lock, acre_recursive)
ACRE__FOR(acre_spin_lock, acre_spin)
ACRE__FOR(acre_null_lock, acre_null)
ACRE__FOR(acre_sharable_lock, acre_sharable)
ACRE__FOR(acre_sharable_lock_sharable, acre_sharable)
ACRE__FOR(acre_upgradable_lock, acre_upgradable)
ACRE__FOR(acre_upgradable_lock_sharable, acre_upgradable)
ACRE__FOR(acre_upgradable_lock_upgradable, acre_upgradable)
ACRE__FOR(acre_upgradable_unlock_upgradable_and_lock, acre_upgradable)
ACRE__FOR(acre_semaphore_wait, acre_semaphore)
ACRE__FOR(acre_file_lock_lock, acre_file_lock)
ACRE__FOR(acre_file_lock_lock_sharable, acre_file_lock)
ACRE__FOR(acre_guard_lock, acre_guard)
#undef ACRE__FOR

ACRE_SHORT int acre_lock_for(void *mutex, enum acre_mode mode, uint64_t ns)
{
    struct timespec deadline = acre_deadline(ns);
    return acre_lock_until(mutex, mode, &deadline);
}

ACRE_SHORT int acre_condition_wait_for(acre_condition *c, void *mutex, enum acre_mode mode,
                                          uint64_t ns)
{
    struct timespec deadline = acre_deadline(ns);
    return acre_condition_wait_until(c, mutex, mode, &deadline);
}

ACRE_SHORT int acre_permits_acquire_for(acre_permits *p, uint32_t *permit, uint64_t ns)
{
    struct timespec deadline = acre_deadline(ns);
    return acre_permits_acquire_until(p, permit, &deadline);
}

ACRE_SHORT int acre_barrier_wait_for(acre_barrier *b, uint32_t member, uint64_t ns)
{
    struct timespec deadline = acre_deadline(ns);
    return acre_barrier_wait_until(b, member, &deadline);
}

#ifdef __cplusplus
}
#endif
#endif
