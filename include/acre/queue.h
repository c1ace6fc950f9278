/* SPDX-License-Identifier: MIT */
/* acre/queue.h: message queues between threads of any processes.
 *
 * Messages of 0 … max_size bytes with a priority: the highest goes first, equal ones in the order in
 * which they were sent.  A queue lies in memory that the caller places (init, attach), or in shared
 * memory of its own under a name (create, open).  It holds no addresses: each process may map it
 * elsewhere.
 *
 *   0           64          128    192     704                       64-aligned
 *   +-----------+-----------+------+-------+--------+--------+- - - -+--------+--------+- - - -+
 *   | constants | lock,     | rare | lanes | links  | heap   | units | place 0| place 1|       |
 *   |           | counts    |      | 64    |        |        |       |        |        |       |
 *   +-----------+-----------+------+-------+--------+--------+- - - -+--------+--------+- - - -+
 *               |<------------ the index: can be made again -------->|  the truth
 *
 *   place:  0              48                                      in byte mode:
 *           +--------------+-------------------- - - -+            48
 *           | owner, state | the message              |            +-------------+
 *           | seq, prio, … |                          |            | first unit, |──▶ area of 64-byte
 *           +--------------+-------------------- - - -+            | how many    |    units
 *
 * What dies does not stop the others.  A message is in the queue from one store to another, both in
 * its place; all else is made anew from the places by whoever comes after a death.  Killed at any
 * instruction,
 *
 *     a sender                  its message was sent, or was not; its place is free again
 *     a receiver                its message was taken, or is still there; its place is free again
 *     in a batch                so for each message; up to ACRE_QUEUE_BATCH may have been taken
 *     with a place reserved     the place is free again
 *     with a message acquired   the message is gone, its place is free again
 *     asleep                    nobody notices
 *
 * Nobody waits for the dead: a place left by one is found at the latest when the queue is full, by
 * those who sleep within 50 ms.  Messages of more than ACRE_QUEUE_SMALL bytes are copied without the
 * queue's lock; smaller ones are copied from and to the caller's memory without it.  So who is
 * stopped, or waits for its memory to be paged in, keeps its one place from the others and no more.
 * Who is stopped in the few nanoseconds while it has the lock is waited for.
 *
 * Time: as in acre/sync.h.  …_until() takes a point of CLOCK_MONOTONIC, NULL is never, a deadline
 * that is past still takes what is there; …_for() takes nanoseconds from now.  The try forms do not
 * wait for messages or room.  If the owner of the lock was stopped they wait a second for it (EBUSY),
 * the timed forms until 10 ms after the call at least (ETIMEDOUT).
 *
 * Threads: all functions may be called by any thread at any time; only close must be the last.
 * After fork() the child may use the queue; places that its parent reserved are not its own.
 *
 * Trust.  A damaged queue, or a hostile process that writes into it, makes calls fail with
 * ACRE_ECORRUPT or yields nonsense messages, but never makes this process touch memory outside the
 * queue: what is read from it is checked before it is used.  One exception: while this thread holds
 * a place (reserve, acquire, or copying a large message) the place is linked into its list of owned
 * objects, as all owned objects are (acre/sync.h).
 *
 * Errors of all functions: ACRE_ECORRUPT; EDEADLK: called by a signal handler that interrupted
 * another function of acre.  A queue in a file outlives a power cut, its users do not: init it again.
 */
#ifndef ACRE_QUEUE_H
#define ACRE_QUEUE_H

#include <acre/sync.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    ACRE_QUEUE_CAPACITY_MAX = 1 << 24, /* messages */
    ACRE_QUEUE_MESSAGE_MAX = 1 << 30,  /* bytes */
    ACRE_QUEUE_SMALL = 128,            /* bytes; larger messages are copied without the lock */
    ACRE_QUEUE_BATCH = 64              /* messages for which the lock is held once */
};

typedef struct acre_queue acre_queue; /* process local */

typedef struct acre_queue_options {
    uint32_t capacity; /* messages, 1 … ACRE_QUEUE_CAPACITY_MAX */
    uint32_t max_size; /* bytes of the largest one, 0 … ACRE_QUEUE_MESSAGE_MAX */
    /* 0: each of `capacity` messages may be of max_size bytes.  Else byte mode: that many bytes
     * (max_size … 2^36, rounded up to 64) for all of them together, of which a message takes its
     * size rounded up to 64; it lies in one piece, so a large one may have to wait although the sum
     * of what is free would do. */
    uint64_t bytes;
    mode_t mode;    /* create: exact permission bits whatever the umask; 0 = 0600 */
    bool any_owner; /* open: accept another user's */
} acre_queue_options;

/* ================================ in place ================================ */

/* Bytes of memory that a queue needs; 0: acre_queue_init() would refuse the options. */
ACRE_API size_t acre_queue_size(const acre_queue_options *o);
/* Make a queue in acre_queue_size() bytes, 64-aligned, which may hold anything (all zero is not yet
 * a queue); nobody may be using one there.  EINVAL: alignment, or an option out of range;
 * EOVERFLOW: larger than 2^46 bytes. */
ACRE_API int acre_queue_init(void *memory, const acre_queue_options *o);
/* Use the queue at `memory`, of which `size` bytes may be touched.  EINVAL (alignment),
 * ACRE_EUNINITIALISED (all zero), ACRE_EOBJECT (something else), ACRE_ELAYOUT (made by a build with
 * another layout), ACRE_ECORRUPT, ACRE_ETRUNCATED (it needs more bytes), ENOMEM.  The memory must
 * stay until acre_queue_close(). */
ACRE_API int acre_queue_attach(acre_queue **out, void *memory, size_t size);

/* ================================ by name ================================
 *
 * As acre_named_… in acre/sync.h, with the same names and errors, and those of init and attach. */
ACRE_API int acre_queue_create(acre_queue **out, const char *name, const acre_queue_options *o);
/* Capacity and size are those it was created with; of the options (NULL: none) any_owner counts. */
ACRE_API int acre_queue_open(acre_queue **out, const char *name, const acre_queue_options *o);
/* Exactly one of several callers creates; *created (may be NULL) tells. */
ACRE_API int acre_queue_open_or_create(acre_queue **out, const char *name,
                                       const acre_queue_options *o, bool *created);
ACRE_API int acre_queue_remove(const char *name);

/* Forget the handle; unmap what was opened by name.  The messages stay.  NULL is allowed.  EBUSY:
 * this thread holds a place of it. */
ACRE_API int acre_queue_close(acre_queue *q);

/* ================================ sending and receiving ================================ */

/* Copy a message in, waiting for room.  EMSGSIZE: larger than max_size.  EAGAIN (try): no room.
 * ETIMEDOUT (until).  On failure nothing was sent. */
ACRE_API int acre_queue_send(acre_queue *q, const void *data, size_t size, uint32_t priority);
ACRE_API int acre_queue_trysend(acre_queue *q, const void *data, size_t size, uint32_t priority);
ACRE_API int acre_queue_send_until(acre_queue *q, const void *data, size_t size,
                                   uint32_t priority, const struct timespec *deadline);

/* Take the best message, waiting for one, and copy it to the `room` bytes of buffer.  *size and
 * *priority (either may be NULL) are the message's.  EMSGSIZE: it is larger than the buffer; *size is what
 * it needs, and it is still in the queue.  EAGAIN (try): there is none.  ETIMEDOUT (until). */
ACRE_API int acre_queue_receive(acre_queue *q, void *buffer, size_t room, size_t *size,
                                uint32_t *priority);
ACRE_API int acre_queue_tryreceive(acre_queue *q, void *buffer, size_t room, size_t *size,
                                   uint32_t *priority);
ACRE_API int acre_queue_receive_until(acre_queue *q, void *buffer, size_t room, size_t *size,
                                      uint32_t *priority, const struct timespec *deadline);

/* Size and priority (either may be NULL) of the message that a receive would take now.  EAGAIN. */
ACRE_API int acre_queue_peek(acre_queue *q, size_t *size, uint32_t *priority);

/* Messages that wait in the queue, at some moment of the call; no lock. */
ACRE_API uint32_t acre_queue_count(const acre_queue *q);
ACRE_API uint32_t acre_queue_capacity(const acre_queue *q);
ACRE_API size_t acre_queue_max_size(const acre_queue *q);

/* ================================ without a copy ================================ */

typedef struct acre_message {
    void *data;        /* 16-aligned if it lies in the queue */
    size_t size;
    uint32_t priority;
    uint32_t place;    /* private */
} acre_message;

/* Get a place for a message of up to `size` bytes: write them to m->data, then commit or abandon.
 * The place is this thread's meanwhile.  Errors as of send. */
ACRE_API int acre_queue_reserve(acre_queue *q, size_t size, acre_message *m);
ACRE_API int acre_queue_tryreserve(acre_queue *q, size_t size, acre_message *m);
ACRE_API int acre_queue_reserve_until(acre_queue *q, size_t size, acre_message *m,
                                      const struct timespec *deadline);
/* Send it: m->size bytes (EMSGSIZE: more than its place has room for) with m->priority, both the caller's to set.
 * EPERM: it is not a place that this thread has reserved.  On failure it is reserved as before. */
ACRE_API int acre_queue_commit(acre_queue *q, const acre_message *m);
ACRE_API int acre_queue_abandon(acre_queue *q, const acre_message *m);

/* Take the best message and leave it where it is: read it at m->data, then release the place.
 * Errors as of receive (but for EMSGSIZE), and EPERM. */
ACRE_API int acre_queue_acquire(acre_queue *q, acre_message *m);
ACRE_API int acre_queue_tryacquire(acre_queue *q, acre_message *m);
ACRE_API int acre_queue_acquire_until(acre_queue *q, acre_message *m,
                                      const struct timespec *deadline);
ACRE_API int acre_queue_release(acre_queue *q, const acre_message *m);

/* ================================ batches ================================
 *
 * As many calls as there are messages, at one lock for up to ACRE_QUEUE_BATCH of them. */

/* Send list[0 … n - 1] in this order.  *sent: how many; fewer than n only with an error, which is
 * that of list[*sent]. */
ACRE_API int acre_queue_send_many(acre_queue *q, const acre_message *list, size_t n, size_t *sent);
ACRE_API int acre_queue_trysend_many(acre_queue *q, const acre_message *list, size_t n,
                                     size_t *sent);
ACRE_API int acre_queue_send_many_until(acre_queue *q, const acre_message *list, size_t n,
                                        size_t *sent, const struct timespec *deadline);

/* Wait for one message, then take what is there, up to n.  Each goes to the buffer list[i].data of
 * list[i].size bytes, and sets size and priority.  *received: how many.  If one does not fit its
 * buffer: it stays, those before it are received and 0 is returned; if it is the first, EMSGSIZE,
 * and list[0].size is what it needs. */
ACRE_API int acre_queue_receive_many(acre_queue *q, acre_message *list, size_t n,
                                     size_t *received);
ACRE_API int acre_queue_tryreceive_many(acre_queue *q, acre_message *list, size_t n,
                                        size_t *received);
ACRE_API int acre_queue_receive_many_until(acre_queue *q, acre_message *list, size_t n,
                                           size_t *received, const struct timespec *deadline);

/* ================================ waiting for several things ================================ */

/* For acre_wait_any(): there is a message; there is a place (in byte mode perhaps with less room
 * than a large message needs). */
ACRE_API acre_waitable acre_queue_readable(acre_queue *q);
ACRE_API acre_waitable acre_queue_writable(acre_queue *q);

/* *fd: a descriptor for poll(2), select(2), epoll(7); POLLIN: there are messages.  Receive until
 * EAGAIN (any form of receiving, through this handle): only then it becomes unreadable and is watched
 * again.  Do not read from it.  The same one for each call, valid until acre_queue_close().  A thread
 * of this process waits behind it, blocking all signals.  A child of fork() calls this again, for a
 * descriptor of its own.  EMFILE, ENFILE, EAGAIN (no thread), ENOMEM. */
ACRE_API int acre_queue_poll_fd(acre_queue *q, int *fd);

/* ================================ checking ================================ */

/* Compare the index with the places: each place is free, held or holds a message, exactly once, in
 * the right list and order; sums are right.  0, ACRE_ECORRUPT, EBUSY, ENOMEM.  Holds the lock; costs
 * capacity × log(capacity). */
ACRE_API int acre_queue_check(acre_queue *q);

/* ================================ …_for: nanoseconds from now ================================ */

ACRE_SHORT int acre_queue_send_for(acre_queue *q, const void *data, size_t size,
                                      uint32_t priority, uint64_t ns)
{
    struct timespec deadline = acre_deadline(ns);
    return acre_queue_send_until(q, data, size, priority, &deadline);
}

ACRE_SHORT int acre_queue_receive_for(acre_queue *q, void *buffer, size_t room, size_t *size,
                                         uint32_t *priority, uint64_t ns)
{
    struct timespec deadline = acre_deadline(ns);
    return acre_queue_receive_until(q, buffer, room, size, priority, &deadline);
}

ACRE_SHORT int acre_queue_reserve_for(acre_queue *q, size_t size, acre_message *m, uint64_t ns)
{
    struct timespec deadline = acre_deadline(ns);
    return acre_queue_reserve_until(q, size, m, &deadline);
}

ACRE_SHORT int acre_queue_acquire_for(acre_queue *q, acre_message *m, uint64_t ns)
{
    struct timespec deadline = acre_deadline(ns);
    return acre_queue_acquire_until(q, m, &deadline);
}

#ifdef __cplusplus
}
#endif
#endif
