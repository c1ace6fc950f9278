/* SPDX-License-Identifier: MIT */
/* acre/ring.h: four rings through which threads of any processes pass messages.
 *
 *                      from           to              messages
 *     acre_spsc        one producer   one consumer    of one size
 *     acre_bytes       one producer   one consumer    of any length
 *     acre_mpmc        any number     any number      of one size; each to one consumer
 *     acre_broadcast   one producer   some consumers  of one size; each to all consumers
 *
 * A ring lies in memory that its users share, 8-aligned (64-aligned is faster), of the size that
 * …_size() tells.  One process calls …_init(); whoever uses the ring attaches to it and gets a
 * handle, which lies in its own memory.  Attaching checks the ring and remembers what was checked:
 * nothing that is written into the shared memory later leads a process outside of the ring.  The
 * messages themselves, and the links of the robust list (sync.h), are trusted as far as the other
 * users are.
 *
 *     acre_spsc *ring = memory;                            // in one process
 *     acre_spsc_init(ring, size, 1024, sizeof(struct quote));
 *
 *     acre_spsc_producer p;                                // in the producer's
 *     acre_spsc_producer_attach(&p, ring, size, sizeof(struct quote));
 *     acre_spsc_push(&p, &quote);
 *
 *     acre_spsc_consumer c;                                // in the consumer's
 *     acre_spsc_consumer_attach(&c, ring, size, sizeof(struct quote));
 *     acre_spsc_pop(&c, &quote);
 *
 * Forms.  What may have to wait comes four times:
 *
 *     acre_x_op(…)                   waits as long as it takes
 *     acre_x_try_op(…)               EAGAIN instead of waiting
 *     acre_x_op_until(…, deadline)   ETIMEDOUT; a deadline that is past still does what can be done
 *     acre_x_op_for(…, ns)           the same, from now
 *
 * A side that waits spins for a while and then sleeps.  A side that runs pays for the other one's
 * sleep a look at a word of its own cache line: no atomic operation, no fence.  The one who goes to
 * sleep pays instead (membarrier(2); where the kernel has none or forbids it, sleepers look each
 * millisecond).  Only a push that finds a consumer asleep makes a system call, to wake it.
 *
 * What dies does not stop the others.  A message is in the ring from one store on, and out of it
 * from one store on, so a death between leaves nothing to be repaired:
 *
 *     who                 died                     the others see
 *     producer            in a push                its message in the ring, or not
 *     consumer            in a pop                 its message in the ring, or not
 *     spsc, bytes: a side at any time              who waits for it gets ACRE_EPEER; the next one who
 *                                                  attaches to the side goes on where it was
 *     mpmc producer       having reserved a cell   the cell is skipped
 *     mpmc consumer       having a cell            its message counts as received
 *     broadcast consumer  at any time              it holds the producer up no longer
 *
 * They see it at once when they look, and within 50 ms when they sleep.  A live but stopped one is
 * not robbed: who needs its very cell waits.
 *
 * Threads.  Handles of spsc, bytes and broadcast belong to the thread that attached (EPERM for others
 * and for a forked child): the end of that thread is the death of the side.  A handle of mpmc may
 * be used by all threads of the process at once.  Not async-signal-safe.  Detach before unmapping.
 *
 * Errors of attaching: EINVAL (not 8-aligned), ACRE_EUNINITIALISED (all zero), ACRE_EOBJECT (something
 * else, or damaged), ACRE_ELAYOUT (another build's), ACRE_ETRUNCATED (`size` bytes do not hold it),
 * ACRE_ECORRUPT (indexes that cannot be).  Operations: ACRE_ECORRUPT, too.
 */
#ifndef ACRE_RING_H
#define ACRE_RING_H

#include <acre/sync.h>

#include <sys/uio.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    ACRE_RING_CAPACITY_MAX = 1 << 30, /* cells, or bytes */
    ACRE_RING_MESSAGE_MAX = 1 << 30,  /* bytes */
    ACRE_RING_CONSUMERS_MAX = 64      /* of a broadcast */
};

/* ---- the private parts ---- */

typedef struct acre__ring { /* the first cache line of every ring: constants */
    uint32_t tag, shift;    /* capacity: 1 << shift */
    uint32_t message, cell; /* bytes of a message, of a cell */
    uint32_t places;        /* for consumers of a broadcast */
    uint32_t unreached;     /* membarrier does not reach all users: sleep shortly */
    uint64_t reserved[5];
} acre__ring;

typedef struct acre__ring_end { /* written by one side, read by the other */
    uint64_t index;             /* messages, or bytes, since init */
    uint32_t event, reserved1;  /* the other side sleeps on it */
    uint64_t reserved2[6];
} acre__ring_end;

typedef struct acre__ring_role {
    acre_cell cell;
    uint64_t index; /* of a consumer of a broadcast */
    uint64_t reserved[2];
} acre__ring_role;

typedef struct acre__pair { /* one producer, one consumer */
    acre__ring ring;
    acre__ring_end tail, head;
    acre__ring_role producer, consumer;
} acre__pair;

typedef struct acre__side { /* a handle's: one of the two ends, as its thread knows it */
    uint64_t mine, limit;   /* the next index, and the first that this side must not touch */
    uint64_t thread;        /* its id */
    char *cells;
    uint64_t mask;
    uint32_t message, cell;
    uint64_t *index;        /* mine, as published */
    uint32_t *event;        /* signalled after publishing */
    const uint64_t *other;  /* the other side's */
    uint32_t *sleep;        /* the event it signals */
    uint64_t ahead;         /* limit - *other */
    uint64_t want;          /* how far apart mine and limit must be to be of use */
    uint64_t places;        /* of consumers to look at */
    int (*look)(void *side);
    acre_cell *role, *peer; /* peer: NULL if its death matters to nobody */
    acre__ring *ring;
} acre__side;

/* ================================ spsc ================================
 *
 *   0           64     128    192        256        320
 *   +-----------+------+------+----------+----------+------+------+- - -+------+
 *   | constants | tail | head | producer | consumer | cell | cell |     | cell |
 *   +-----------+------+------+----------+----------+------+------+- - -+------+
 *                next   next        who they are     messages, 8-aligned
 *                to be  to be
 *                filled emptied
 */
typedef struct acre_spsc {
    acre__pair pair;
} acre_spsc;

typedef struct acre_spsc_producer {
    acre__side side;
} acre_spsc_producer;

typedef struct acre_spsc_consumer {
    acre__side side;
} acre_spsc_consumer;

/* Bytes for `capacity` messages of `message` bytes.  The capacity is rounded up to a power of two,
 * cells to multiples of 8 bytes.  0: one of them is 0 or above its maximum, or both together do
 * not fit into a size_t. */
ACRE_API size_t acre_spsc_size(uint32_t capacity, uint32_t message);
/* An empty ring in memory that may hold anything but a ring in use.  EINVAL: as above, or not
 * 8-aligned; ACRE_ETOOSMALL: size is less than acre_spsc_size(). */
ACRE_API int acre_spsc_init(acre_spsc *ring, size_t size, uint32_t capacity, uint32_t message);

/* Take a side.  `size`: bytes that are mapped there.  EMSGSIZE: its messages are not of `message`
 * bytes.  EBUSY: the side has an owner, who lives. */
ACRE_API int acre_spsc_producer_attach(acre_spsc_producer *p, acre_spsc *ring, size_t size,
                                       uint32_t message);
ACRE_API int acre_spsc_consumer_attach(acre_spsc_consumer *c, acre_spsc *ring, size_t size,
                                       uint32_t message);
/* Give it back; what was reserved and not committed, or peeked at and not released, is as if it had
 * not been.  EPERM: not this thread's. */
ACRE_API int acre_spsc_producer_detach(acre_spsc_producer *p);
ACRE_API int acre_spsc_consumer_detach(acre_spsc_consumer *c);

/* One message in, one out.  ACRE_EPEER: the ring is full, or empty, and the other side has died;
 * it goes on when another has taken its place.  EPERM. */
ACRE_API int acre_spsc_push(acre_spsc_producer *p, const void *message);
ACRE_API int acre_spsc_try_push(acre_spsc_producer *p, const void *message);
ACRE_API int acre_spsc_push_until(acre_spsc_producer *p, const void *message,
                                  const struct timespec *deadline);
ACRE_API int acre_spsc_pop(acre_spsc_consumer *c, void *message);
ACRE_API int acre_spsc_try_pop(acre_spsc_consumer *c, void *message);
ACRE_API int acre_spsc_pop_until(acre_spsc_consumer *c, void *message,
                                 const struct timespec *deadline);

/* Up to n messages, one behind the other in the caller's array: as many as there is room for, or as
 * there are.  Waits for the first only; *done is 1 … n.  All become visible by one store. */
ACRE_API int acre_spsc_push_many(acre_spsc_producer *p, const void *messages, size_t n,
                                 size_t *done);
ACRE_API int acre_spsc_try_push_many(acre_spsc_producer *p, const void *messages, size_t n,
                                     size_t *done);
ACRE_API int acre_spsc_push_many_until(acre_spsc_producer *p, const void *messages, size_t n,
                                       size_t *done, const struct timespec *deadline);
ACRE_API int acre_spsc_pop_many(acre_spsc_consumer *c, void *messages, size_t n, size_t *done);
ACRE_API int acre_spsc_try_pop_many(acre_spsc_consumer *c, void *messages, size_t n, size_t *done);
ACRE_API int acre_spsc_pop_many_until(acre_spsc_consumer *c, void *messages, size_t n, size_t *done,
                                      const struct timespec *deadline);

/* Without a copy: *cells is the first of *n cells that lie one behind the other, acre_spsc_cell()
 * bytes apart; in: how many are wanted, out: 1 … that, less at the end of the memory or when there
 * are less.  The producer writes messages into them and commits the first n; the consumer reads
 * them and releases the first n.  EINVAL: n is more than reserve or peek have given. */
ACRE_API int acre_spsc_reserve(acre_spsc_producer *p, void **cells, size_t *n);
ACRE_API int acre_spsc_try_reserve(acre_spsc_producer *p, void **cells, size_t *n);
ACRE_API int acre_spsc_reserve_until(acre_spsc_producer *p, void **cells, size_t *n,
                                     const struct timespec *deadline);
ACRE_API int acre_spsc_commit(acre_spsc_producer *p, size_t n);
ACRE_API int acre_spsc_peek(acre_spsc_consumer *c, void **cells, size_t *n);
ACRE_API int acre_spsc_try_peek(acre_spsc_consumer *c, void **cells, size_t *n);
ACRE_API int acre_spsc_peek_until(acre_spsc_consumer *c, void **cells, size_t *n,
                                  const struct timespec *deadline);
ACRE_API int acre_spsc_release(acre_spsc_consumer *c, size_t n);

/* Of an attached ring: as init rounded them. */
ACRE_API size_t acre_spsc_capacity(const acre_spsc *ring);
ACRE_API size_t acre_spsc_message(const acre_spsc *ring);
ACRE_API size_t acre_spsc_cell(const acre_spsc *ring);
/* Messages in it, at some moment of the call. */
ACRE_API size_t acre_spsc_count(const acre_spsc *ring);
/* 0, an error of attaching, or ACRE_ECORRUPT: the ring breaks a rule.  While others use it, too. */
ACRE_API int acre_spsc_check(const acre_spsc *ring, size_t size);

/* For acre_wait_any(): there is room for a message; there is a message. */
ACRE_API acre_waitable acre_spsc_producer_waitable(acre_spsc_producer *p);
ACRE_API acre_waitable acre_spsc_consumer_waitable(acre_spsc_consumer *c);

/* ================================ bytes ================================
 *
 * The same for records of any length from 0 to acre_bytes_max(), half the capacity less 8.
 *
 *   0                      320                       position & (capacity - 1)
 *   +- - - - - - - - - - -+--------+--------------+--------+-----------+- - -+---------+
 *   | as acre_spsc        | length | record, to a | length | record    |     | padding |
 *   +- - - - - - - - - - -+--------+ multiple of 8+--------+-----------+- - -+---------+
 *                           8 bytes                                            a length of all
 *                                                                              ones: go on at
 *                                                                              the beginning
 */
typedef struct acre_bytes {
    acre__pair pair;
} acre_bytes;

typedef struct acre_bytes_producer {
    acre__side side;
    uint64_t held; /* bytes of the reserved record with its length; 0: none */
} acre_bytes_producer;

typedef struct acre_bytes_consumer {
    acre__side side;
    uint64_t held; /* … of the record peeked at */
} acre_bytes_consumer;

/* `capacity`: bytes for records, their lengths and padding; rounded up to a power of two, at least
 * 64. */
ACRE_API size_t acre_bytes_size(uint32_t capacity);
ACRE_API int acre_bytes_init(acre_bytes *ring, size_t size, uint32_t capacity);

ACRE_API int acre_bytes_producer_attach(acre_bytes_producer *p, acre_bytes *ring, size_t size);
ACRE_API int acre_bytes_consumer_attach(acre_bytes_consumer *c, acre_bytes *ring, size_t size);
ACRE_API int acre_bytes_producer_detach(acre_bytes_producer *p);
ACRE_API int acre_bytes_consumer_detach(acre_bytes_consumer *c);

/* EMSGSIZE: longer than acre_bytes_max(); longer than the buffer's `size` bytes: the record stays.
 * Others as of acre_spsc. */
ACRE_API int acre_bytes_push(acre_bytes_producer *p, const void *record, size_t length);
ACRE_API int acre_bytes_try_push(acre_bytes_producer *p, const void *record, size_t length);
ACRE_API int acre_bytes_push_until(acre_bytes_producer *p, const void *record, size_t length,
                                   const struct timespec *deadline);
ACRE_API int acre_bytes_pop(acre_bytes_consumer *c, void *buffer, size_t size, size_t *length);
ACRE_API int acre_bytes_try_pop(acre_bytes_consumer *c, void *buffer, size_t size, size_t *length);
ACRE_API int acre_bytes_pop_until(acre_bytes_consumer *c, void *buffer, size_t size, size_t *length,
                                  const struct timespec *deadline);

/* Up to n records, as acre_spsc_push_many().  Pop: each iov_len is the buffer's size before and the
 * record's length after; it stops at a record that is longer than its buffer (EMSGSIZE: the first). */
ACRE_API int acre_bytes_push_many(acre_bytes_producer *p, const struct iovec *records, size_t n,
                                  size_t *done);
ACRE_API int acre_bytes_try_push_many(acre_bytes_producer *p, const struct iovec *records, size_t n,
                                      size_t *done);
ACRE_API int acre_bytes_push_many_until(acre_bytes_producer *p, const struct iovec *records, size_t n,
                                        size_t *done, const struct timespec *deadline);
ACRE_API int acre_bytes_pop_many(acre_bytes_consumer *c, struct iovec *buffers, size_t n,
                                 size_t *done);
ACRE_API int acre_bytes_try_pop_many(acre_bytes_consumer *c, struct iovec *buffers, size_t n,
                                     size_t *done);
ACRE_API int acre_bytes_pop_many_until(acre_bytes_consumer *c, struct iovec *buffers, size_t n,
                                       size_t *done, const struct timespec *deadline);

/* Without a copy.  Reserve room for `length` bytes, write them, commit them or fewer.  Peek at the
 * first record, release it.  EINVAL: nothing is reserved, or less; nothing was peeked at. */
ACRE_API int acre_bytes_reserve(acre_bytes_producer *p, size_t length, void **record);
ACRE_API int acre_bytes_try_reserve(acre_bytes_producer *p, size_t length, void **record);
ACRE_API int acre_bytes_reserve_until(acre_bytes_producer *p, size_t length, void **record,
                                      const struct timespec *deadline);
ACRE_API int acre_bytes_commit(acre_bytes_producer *p, size_t length);
ACRE_API int acre_bytes_peek(acre_bytes_consumer *c, void **record, size_t *length);
ACRE_API int acre_bytes_try_peek(acre_bytes_consumer *c, void **record, size_t *length);
ACRE_API int acre_bytes_peek_until(acre_bytes_consumer *c, void **record, size_t *length,
                                   const struct timespec *deadline);
ACRE_API int acre_bytes_release(acre_bytes_consumer *c);

ACRE_API size_t acre_bytes_capacity(const acre_bytes *ring);
ACRE_API size_t acre_bytes_max(const acre_bytes *ring);
/* Bytes in use, lengths and padding included. */
ACRE_API size_t acre_bytes_count(const acre_bytes *ring);
/* While nobody uses it; the dead do not count. */
ACRE_API int acre_bytes_check(const acre_bytes *ring, size_t size);

/* There is room for the longest record; there is a record. */
ACRE_API acre_waitable acre_bytes_producer_waitable(acre_bytes_producer *p);
ACRE_API acre_waitable acre_bytes_consumer_waitable(acre_bytes_consumer *c);

/* ================================ mpmc ================================
 *
 *   0           64     128    192
 *   +-----------+------+------+------------+------------+- - -+------------+
 *   | constants | tail | head | cell       | cell       |     | cell       |
 *   +-----------+------+------+------------+------------+- - -+------------+
 *                 hints        |
 *                              |  0       4      8                      32     40
 *                              |  +-------+------+----------------------+------+- - - - - -+
 *                              +- | owner | turn | message, up to 24 B  | link | message,  |
 *                                 +-------+------+----------------------+------+ if longer |
 *                                  futex                                       +- - - - - -+
 *
 * In the order in which they were pushed; those of one producer never change places.  That needs
 * no lock: a producer that is filling a cell holds up who wants to empty that very cell, and one
 * that empties it who wants to fill it again.  Try says EAGAIN to both. */
typedef struct acre_mpmc {
    acre__ring ring;
    acre__ring_end tail, head;
} acre_mpmc;

/* Written by attach and detach only. */
typedef struct acre_mpmc_handle {
    acre_mpmc *mpmc;
    char *cells;
    uint64_t mask;
    uint32_t shift, message, cell, at; /* at: of the message in its cell */
} acre_mpmc_handle;

/* A cell that this thread has reserved or peeked at. */
typedef struct acre_mpmc_slot {
    void *message;
    uint64_t position;
} acre_mpmc_slot;

ACRE_API size_t acre_mpmc_size(uint32_t capacity, uint32_t message);
ACRE_API int acre_mpmc_init(acre_mpmc *ring, size_t size, uint32_t capacity, uint32_t message);
/* No place is taken: any number may attach. */
ACRE_API int acre_mpmc_attach(acre_mpmc_handle *h, acre_mpmc *ring, size_t size, uint32_t message);
ACRE_API int acre_mpmc_detach(acre_mpmc_handle *h);

/* EDEADLK: a signal handler that has interrupted a call of this library.  EPERM: not attached. */
ACRE_API int acre_mpmc_push(acre_mpmc_handle *h, const void *message);
ACRE_API int acre_mpmc_try_push(acre_mpmc_handle *h, const void *message);
ACRE_API int acre_mpmc_push_until(acre_mpmc_handle *h, const void *message,
                                  const struct timespec *deadline);
ACRE_API int acre_mpmc_pop(acre_mpmc_handle *h, void *message);
ACRE_API int acre_mpmc_try_pop(acre_mpmc_handle *h, void *message);
ACRE_API int acre_mpmc_pop_until(acre_mpmc_handle *h, void *message,
                                 const struct timespec *deadline);

/* As acre_spsc_push_many(); each message becomes visible by itself, others' may come between. */
ACRE_API int acre_mpmc_push_many(acre_mpmc_handle *h, const void *messages, size_t n, size_t *done);
ACRE_API int acre_mpmc_try_push_many(acre_mpmc_handle *h, const void *messages, size_t n,
                                     size_t *done);
ACRE_API int acre_mpmc_push_many_until(acre_mpmc_handle *h, const void *messages, size_t n,
                                       size_t *done, const struct timespec *deadline);
ACRE_API int acre_mpmc_pop_many(acre_mpmc_handle *h, void *messages, size_t n, size_t *done);
ACRE_API int acre_mpmc_try_pop_many(acre_mpmc_handle *h, void *messages, size_t n, size_t *done);
ACRE_API int acre_mpmc_pop_many_until(acre_mpmc_handle *h, void *messages, size_t n, size_t *done,
                                      const struct timespec *deadline);

/* Without a copy: a cell is this thread's until it commits or cancels it; a message, until it
 * releases it.  A thread may have several (2,000 at most, with its locks).  A cancelled cell is
 * skipped.  EPERM: not this thread's, or not any more. */
ACRE_API int acre_mpmc_reserve(acre_mpmc_handle *h, acre_mpmc_slot *slot);
ACRE_API int acre_mpmc_try_reserve(acre_mpmc_handle *h, acre_mpmc_slot *slot);
ACRE_API int acre_mpmc_reserve_until(acre_mpmc_handle *h, acre_mpmc_slot *slot,
                                     const struct timespec *deadline);
ACRE_API int acre_mpmc_commit(acre_mpmc_handle *h, const acre_mpmc_slot *slot);
ACRE_API int acre_mpmc_cancel(acre_mpmc_handle *h, const acre_mpmc_slot *slot);
ACRE_API int acre_mpmc_peek(acre_mpmc_handle *h, acre_mpmc_slot *slot);
ACRE_API int acre_mpmc_try_peek(acre_mpmc_handle *h, acre_mpmc_slot *slot);
ACRE_API int acre_mpmc_peek_until(acre_mpmc_handle *h, acre_mpmc_slot *slot,
                                  const struct timespec *deadline);
ACRE_API int acre_mpmc_release(acre_mpmc_handle *h, const acre_mpmc_slot *slot);

ACRE_API size_t acre_mpmc_capacity(const acre_mpmc *ring);
ACRE_API size_t acre_mpmc_message(const acre_mpmc *ring);
/* Messages in it, at about the time of the call; those being filled or emptied by somebody count or
 * not, and so do cells of the dead that nobody has met yet. */
ACRE_API size_t acre_mpmc_count(const acre_mpmc_handle *h);
/* While nobody uses it; the dead do not count. */
ACRE_API int acre_mpmc_check(const acre_mpmc *ring, size_t size);

/* There is room for a message; there is a message.  The handle stays where it is meanwhile. */
ACRE_API acre_waitable acre_mpmc_push_waitable(acre_mpmc_handle *h);
ACRE_API acre_waitable acre_mpmc_pop_waitable(acre_mpmc_handle *h);

/* ================================ broadcast ================================
 *
 *   0           64     128       192        256        320              256 + 64 n
 *   +-----------+------+---------+----------+----------+----------+- - -+------+------+- - -
 *   | constants | tail | emptied | producer | consumer | consumer |     | cell | cell |
 *   +-----------+------+---------+----------+----------+----------+- - -+------+------+- - -
 *                       producer             with its index
 *                       sleeps
 *
 * A consumer gets all messages that are pushed after it has attached.  The producer waits for the
 * slowest consumer that lives; without any, it never waits. */
typedef struct acre_broadcast {
    acre__ring ring;
    acre__ring_end tail, emptied;
    acre__ring_role producer;
    /* then: acre__ring_role consumer[places], and the cells */
} acre_broadcast;

typedef struct acre_broadcast_producer {
    acre__side side;
} acre_broadcast_producer;

typedef struct acre_broadcast_consumer {
    acre__side side;
} acre_broadcast_consumer;

/* consumers: 1 … ACRE_RING_CONSUMERS_MAX. */
ACRE_API size_t acre_broadcast_size(uint32_t capacity, uint32_t message, uint32_t consumers);
ACRE_API int acre_broadcast_init(acre_broadcast *ring, size_t size, uint32_t capacity,
                                 uint32_t message, uint32_t consumers);
ACRE_API int acre_broadcast_producer_attach(acre_broadcast_producer *p, acre_broadcast *ring,
                                            size_t size, uint32_t message);
/* EAGAIN: all places are taken. */
ACRE_API int acre_broadcast_consumer_attach(acre_broadcast_consumer *c, acre_broadcast *ring,
                                            size_t size, uint32_t message);
ACRE_API int acre_broadcast_producer_detach(acre_broadcast_producer *p);
ACRE_API int acre_broadcast_consumer_detach(acre_broadcast_consumer *c);

/* As of acre_spsc.  ACRE_EPEER: only to consumers. */
ACRE_API int acre_broadcast_push(acre_broadcast_producer *p, const void *message);
ACRE_API int acre_broadcast_try_push(acre_broadcast_producer *p, const void *message);
ACRE_API int acre_broadcast_push_until(acre_broadcast_producer *p, const void *message,
                                       const struct timespec *deadline);
ACRE_API int acre_broadcast_pop(acre_broadcast_consumer *c, void *message);
ACRE_API int acre_broadcast_try_pop(acre_broadcast_consumer *c, void *message);
ACRE_API int acre_broadcast_pop_until(acre_broadcast_consumer *c, void *message,
                                      const struct timespec *deadline);

ACRE_API int acre_broadcast_push_many(acre_broadcast_producer *p, const void *messages, size_t n,
                                      size_t *done);
ACRE_API int acre_broadcast_try_push_many(acre_broadcast_producer *p, const void *messages, size_t n,
                                          size_t *done);
ACRE_API int acre_broadcast_push_many_until(acre_broadcast_producer *p, const void *messages,
                                            size_t n, size_t *done,
                                            const struct timespec *deadline);
ACRE_API int acre_broadcast_pop_many(acre_broadcast_consumer *c, void *messages, size_t n,
                                     size_t *done);
ACRE_API int acre_broadcast_try_pop_many(acre_broadcast_consumer *c, void *messages, size_t n,
                                         size_t *done);
ACRE_API int acre_broadcast_pop_many_until(acre_broadcast_consumer *c, void *messages, size_t n,
                                           size_t *done, const struct timespec *deadline);

ACRE_API int acre_broadcast_reserve(acre_broadcast_producer *p, void **cells, size_t *n);
ACRE_API int acre_broadcast_try_reserve(acre_broadcast_producer *p, void **cells, size_t *n);
ACRE_API int acre_broadcast_reserve_until(acre_broadcast_producer *p, void **cells, size_t *n,
                                          const struct timespec *deadline);
ACRE_API int acre_broadcast_commit(acre_broadcast_producer *p, size_t n);
ACRE_API int acre_broadcast_peek(acre_broadcast_consumer *c, void **cells, size_t *n);
ACRE_API int acre_broadcast_try_peek(acre_broadcast_consumer *c, void **cells, size_t *n);
ACRE_API int acre_broadcast_peek_until(acre_broadcast_consumer *c, void **cells, size_t *n,
                                       const struct timespec *deadline);
ACRE_API int acre_broadcast_release(acre_broadcast_consumer *c, size_t n);

ACRE_API size_t acre_broadcast_capacity(const acre_broadcast *ring);
ACRE_API size_t acre_broadcast_message(const acre_broadcast *ring);
ACRE_API size_t acre_broadcast_cell(const acre_broadcast *ring);
/* Consumers that live (of a ring that is trusted: its number of places is not checked again).
 * Messages that wait for this one. */
ACRE_API size_t acre_broadcast_consumers(const acre_broadcast *ring);
ACRE_API size_t acre_broadcast_count(const acre_broadcast_consumer *c);
/* While others use it, too. */
ACRE_API int acre_broadcast_check(const acre_broadcast *ring, size_t size);

ACRE_API acre_waitable acre_broadcast_producer_waitable(acre_broadcast_producer *p);
ACRE_API acre_waitable acre_broadcast_consumer_waitable(acre_broadcast_consumer *c);

/* ================================ by name ================================
 *
 * A ring in shared memory of its own, /dev/shm/acre.NAME, as the objects of sync.h: it appears under
 * its name when it is whole, and stays until it is removed or the machine reboots. */
enum acre_ring_kind {
    ACRE_RING_SPSC = 33,
    ACRE_RING_BYTES,
    ACRE_RING_MPMC,
    ACRE_RING_BROADCAST
};

typedef struct acre_ring_file acre_ring_file;

typedef struct acre_ring_options {
    uint32_t capacity;
    uint32_t message;   /* not of bytes */
    uint32_t consumers; /* of a broadcast */
    mode_t mode;        /* exact permission bits whatever the umask; 0 = 0600 */
    bool any_owner;     /* open: accept another user's */
} acre_ring_options;

/* EEXIST, EACCES, ENOSPC, EFBIG, ENFILE, EMFILE, ENOMEM, ENAMETOOLONG, ACRE_ENAME, EINVAL (kind,
 * options). */
ACRE_API int acre_ring_create(acre_ring_file **out, enum acre_ring_kind kind, const char *name,
                              const acre_ring_options *o);
/* Of the options (NULL: none) any_owner counts.  ENOENT, EACCES, ELOOP (symbolic link), ACRE_ETYPE (a
 * directory …), ACRE_EOWNER, ACRE_EOBJECT (another kind, or foreign), ACRE_ELAYOUT, ACRE_ETRUNCATED,
 * ACRE_ECORRUPT. */
ACRE_API int acre_ring_open(acre_ring_file **out, enum acre_ring_kind kind, const char *name,
                            const acre_ring_options *o);
/* Exactly one of several callers creates; *created (may be NULL) tells. */
ACRE_API int acre_ring_open_or_create(acre_ring_file **out, enum acre_ring_kind kind,
                                      const char *name, const acre_ring_options *o, bool *created);
/* The ring and its bytes, to attach to: an acre_spsc * and so on, valid until close. */
ACRE_API void *acre_ring_object(const acre_ring_file *f);
ACRE_API size_t acre_ring_size(const acre_ring_file *f);
/* Unmap.  EBUSY: this thread has a side or a slot of it. */
ACRE_API int acre_ring_close(acre_ring_file *f);
/* The name vanishes at once; who has it open keeps it.  ENOENT, EACCES, ACRE_EOBJECT (no acre
 * object; it is left alone). */
ACRE_API int acre_ring_remove(const char *name);

/* ================================ …_for: nanoseconds from now ================================ */

#define ACRE__FOR(name, parameters, ...)                    \
    ACRE_SHORT int name##_for parameters                 \
    {                                                       \
        struct timespec deadline = acre_deadline(ns);       \
        return name##_until(__VA_ARGS__, &deadline);        \
    }
#define ACRE__RING_FOR(x, producer, consumer)                                                     \
    ACRE__FOR(x##_push, (producer * p, const void *message, uint64_t ns), p, message)             \
    ACRE__FOR(x##_pop, (consumer * c, void *message, uint64_t ns), c, message)                    \
    ACRE__FOR(x##_push_many,                                                                      \
              (producer * p, const void *messages, size_t n, size_t *done, uint64_t ns), p,       \
              messages, n, done)                                                                  \
    ACRE__FOR(x##_pop_many, (consumer * c, void *messages, size_t n, size_t *done, uint64_t ns),  \
              c, messages, n, done)
#define ACRE__CELLS_FOR(x, producer, consumer)                                                    \
    ACRE__FOR(x##_reserve, (producer * p, void **cells, size_t *n, uint64_t ns), p, cells, n)     \
    ACRE__FOR(x##_peek, (consumer * c, void **cells, size_t *n, uint64_t ns), c, cells, n)

ACRE__RING_FOR(acre_spsc, acre_spsc_producer, acre_spsc_consumer)
ACRE__CELLS_FOR(acre_spsc, acre_spsc_producer, acre_spsc_consumer)
ACRE__RING_FOR(acre_broadcast, acre_broadcast_producer, acre_broadcast_consumer)
ACRE__CELLS_FOR(acre_broadcast, acre_broadcast_producer, acre_broadcast_consumer)
ACRE__RING_FOR(acre_mpmc, acre_mpmc_handle, acre_mpmc_handle)
ACRE__FOR(acre_mpmc_reserve, (acre_mpmc_handle * h, acre_mpmc_slot *slot, uint64_t ns), h, slot)
ACRE__FOR(acre_mpmc_peek, (acre_mpmc_handle * h, acre_mpmc_slot *slot, uint64_t ns), h, slot)
ACRE__FOR(acre_bytes_push,
          (acre_bytes_producer * p, const void *record, size_t length, uint64_t ns), p, record,
          length)
ACRE__FOR(acre_bytes_pop,
          (acre_bytes_consumer * c, void *buffer, size_t size, size_t *length, uint64_t ns), c,
          buffer, size, length)
ACRE__FOR(acre_bytes_push_many,
          (acre_bytes_producer * p, const struct iovec *records, size_t n, size_t *done,
           uint64_t ns),
          p, records, n, done)
ACRE__FOR(acre_bytes_pop_many,
          (acre_bytes_consumer * c, struct iovec *buffers, size_t n, size_t *done, uint64_t ns), c,
          buffers, n, done)
ACRE__FOR(acre_bytes_reserve,
          (acre_bytes_producer * p, size_t length, void **record, uint64_t ns), p, length, record)
ACRE__FOR(acre_bytes_peek, (acre_bytes_consumer * c, void **record, size_t *length, uint64_t ns),
          c, record, length)
#undef ACRE__FOR
#undef ACRE__RING_FOR
#undef ACRE__CELLS_FOR

#ifdef __cplusplus
}
#endif
#endif
