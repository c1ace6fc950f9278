/* SPDX-License-Identifier: MIT */
/* boost_sync.h: Boost.Interprocess's primitives as C tables, out of libacre_boost_sync.so.
 *
 * Objects are made in place, in memory that the caller shares between processes (64-aligned).
 * Every function that can fail answers 0 or an errno: EBUSY for a lock and EAGAIN for a count or a
 * message that a try did not get, ETIMEDOUT, EIO for whatever Boost threw. */
#ifndef ACRE_BENCH_BOOST_SYNC_H
#define ACRE_BENCH_BOOST_SYNC_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* A lock in one mode.  The modes of one lock work on the same object, which any of them inits. */
typedef struct boost_lock {
    const char *name; /* mutex, recursive, sharable_exclusive, … as benches are named */
    size_t size;
    int (*init)(void *object, const char *path); /* path: of the file that file_lock locks */
    void (*destroy)(void *object);
    int (*lock)(void *object);
    int (*trylock)(void *object);
    int (*lock_for)(void *object, unsigned ms);
    int (*unlock)(void *object);
    /* n times: lock, touch *cell, unlock, inlined as in a user's loop.  An exclusive mode adds 1
     * to the cell, the others read it. */
    int (*rounds)(void *object, volatile uint64_t *cell, size_t n);
} boost_lock;

typedef struct boost_semaphore {
    size_t size;
    int (*init)(void *object, unsigned count);
    void (*destroy)(void *object);
    int (*wait)(void *object);
    int (*trywait)(void *object);
    int (*wait_for)(void *object, unsigned ms);
    int (*post)(void *object);
    int (*rounds)(void *object, volatile uint64_t *cell, size_t n); /* wait, touch, post */
} boost_semaphore;

/* `mutex` is the object of the lock "mutex", and held. */
typedef struct boost_condition {
    size_t size;
    int (*init)(void *object);
    void (*destroy)(void *object);
    int (*wait)(void *object, void *mutex);
    int (*wait_for)(void *object, void *mutex, unsigned ms);
    int (*notify_one)(void *object);
    int (*notify_all)(void *object);
} boost_condition;

/* A message queue has a name; the object is this process's handle, which fork() passes on. */
typedef struct boost_queue {
    size_t size;
    int (*create)(void *object, const char *name, size_t capacity, size_t max_size);
    int (*open)(void *object, const char *name);
    void (*close)(void *object);
    int (*remove)(const char *name);
    int (*send)(void *object, const void *message, size_t size, unsigned priority);
    int (*trysend)(void *object, const void *message, size_t size, unsigned priority);
    int (*send_for)(void *object, const void *message, size_t size, unsigned priority, unsigned ms);
    int (*receive)(void *object, void *buffer, size_t room, size_t *size, unsigned *priority);
    int (*tryreceive)(void *object, void *buffer, size_t room, size_t *size, unsigned *priority);
    int (*receive_for)(void *object, void *buffer, size_t room, size_t *size, unsigned *priority,
                       unsigned ms);
    size_t (*count)(void *object);
} boost_queue;

typedef struct boost_sync {
    const char *version;    /* 1_74 */
    const boost_lock *lock; /* ends with a name of NULL */
    boost_semaphore semaphore;
    boost_condition condition;
    boost_queue queue;
} boost_sync;

/* What libacre_boost_sync.so exports: acre_boost_sync(). */
typedef const boost_sync *acre_boost_sync_function(void);

#ifdef __cplusplus
}
#endif
#endif
