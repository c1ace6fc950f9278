/* SPDX-License-Identifier: MIT */
/* hold_pthread.c: process-shared pthread mutexes, plain and robust, and the rwlock. */
#include "bench/sync/hold.h"

#include <pthread.h>

static const char *hold_init_mutex(const hold_kind *k, void *object)
{
    pthread_mutexattr_t how;
    pthread_mutexattr_init(&how);
    pthread_mutexattr_setpshared(&how, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_settype(&how, k->type);
    pthread_mutexattr_setrobust(&how, k->robust);
    int error = pthread_mutex_init(object, &how);
    pthread_mutexattr_destroy(&how);
    return error ? "pthread_mutex_init failed" : NULL;
}

static const char *hold_init_rwlock(const hold_kind *k, void *object)
{
    (void)k;
    pthread_rwlockattr_t how;
    pthread_rwlockattr_init(&how);
    pthread_rwlockattr_setpshared(&how, PTHREAD_PROCESS_SHARED);
    int error = pthread_rwlock_init(object, &how);
    pthread_rwlockattr_destroy(&how);
    return error ? "pthread_rwlock_init failed" : NULL;
}

HOLD_ROUNDS(hold_pthread_mutex, pthread_mutex_t, pthread_mutex_lock, HOLD_ADD, pthread_mutex_unlock)
HOLD_ROUNDS(hold_pthread_write, pthread_rwlock_t, pthread_rwlock_wrlock, HOLD_ADD,
            pthread_rwlock_unlock)
HOLD_ROUNDS(hold_pthread_read, pthread_rwlock_t, pthread_rwlock_rdlock, HOLD_READ,
            pthread_rwlock_unlock)

#define HOLD_PTHREAD_MUTEX(primitive_, implementation_, type_, robust_)                            \
    {                                                                                              \
        .primitive = primitive_, .implementation = implementation_,                                \
        .size = sizeof(pthread_mutex_t), .type = type_, .robust = robust_,                         \
        .init = hold_init_mutex, .rounds = hold_pthread_mutex                                      \
    }

void hold_pthread(void)
{
    static const hold_kind kind[] = {
        HOLD_PTHREAD_MUTEX("mutex", "pthread", PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_STALLED),
        HOLD_PTHREAD_MUTEX("mutex", "pthread_robust", PTHREAD_MUTEX_NORMAL, PTHREAD_MUTEX_ROBUST),
        HOLD_PTHREAD_MUTEX("recursive", "pthread", PTHREAD_MUTEX_RECURSIVE, PTHREAD_MUTEX_STALLED),
        HOLD_PTHREAD_MUTEX("recursive", "pthread_robust", PTHREAD_MUTEX_RECURSIVE,
                           PTHREAD_MUTEX_ROBUST),
        {.primitive = "sharable_exclusive",
         .implementation = "pthread",
         .size = sizeof(pthread_rwlock_t),
         .init = hold_init_rwlock,
         .rounds = hold_pthread_write},
        {.primitive = "sharable_shared",
         .implementation = "pthread",
         .size = sizeof(pthread_rwlock_t),
         .shared = true,
         .init = hold_init_rwlock,
         .rounds = hold_pthread_read},
    };
    for (size_t i = 0; i < sizeof kind / sizeof *kind; i++)
        hold_add(&kind[i]);
}
