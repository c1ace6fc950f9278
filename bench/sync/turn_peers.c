/* SPDX-License-Identifier: MIT */
/* turn_peers.c: the semaphores and conditions of POSIX and of Boost. */
#include "bench/library.h"
#include "bench/sync/turn.h"

#include <pthread.h>
#include <semaphore.h>

_Static_assert(sizeof(pthread_mutex_t) <= TURN_ROOM && sizeof(pthread_cond_t) <= TURN_ROOM &&
                   sizeof(sem_t) <= TURN_ROOM,
               "a turn_place has room for each");

/* ---- POSIX ---- */

static const char *turn_posix_init(const turn_kind *k, turn_place *p)
{
    (void)k;
    bool made = !sem_init((sem_t *)p->first, 1, 0) && !sem_init((sem_t *)p->second, 1, 0);
    return made ? NULL : "sem_init failed";
}

static int turn_posix_take(void *semaphore)
{
    return sem_wait(semaphore);
}

static int turn_posix_give(void *semaphore)
{
    return sem_post(semaphore);
}

static int turn_pthread_mutex(void *where)
{
    pthread_mutexattr_t how;
    pthread_mutexattr_init(&how);
    pthread_mutexattr_setpshared(&how, PTHREAD_PROCESS_SHARED);
    int error = pthread_mutex_init(where, &how);
    pthread_mutexattr_destroy(&how);
    return error;
}

static int turn_pthread_condition(void *where)
{
    pthread_condattr_t how;
    pthread_condattr_init(&how);
    pthread_condattr_setpshared(&how, PTHREAD_PROCESS_SHARED);
    int error = pthread_cond_init(where, &how);
    pthread_condattr_destroy(&how);
    return error;
}

static const char *turn_pthread_init(const turn_kind *k, turn_place *p)
{
    (void)k;
    bool made = !turn_pthread_mutex(p->first) && !turn_pthread_condition(p->second);
    return made ? NULL : "pthread refuses";
}

static int turn_pthread_lock(void *mutex)
{
    return pthread_mutex_lock(mutex);
}

static int turn_pthread_unlock(void *mutex)
{
    return pthread_mutex_unlock(mutex);
}

static int turn_pthread_wait(void *condition, void *mutex)
{
    return pthread_cond_wait(condition, mutex);
}

static int turn_pthread_notify(void *condition)
{
    return pthread_cond_signal(condition);
}

/* ---- Boost ---- */

static const char *turn_boost_init_semaphores(const turn_kind *k, turn_place *p)
{
    const boost_semaphore *s = k->table;
    if (s->size > TURN_ROOM)
        return "larger than its place";
    return s->init(p->first, 0) || s->init(p->second, 0) ? "Boost threw" : NULL;
}

static const char *turn_boost_init(const turn_kind *k, turn_place *p)
{
    const boost_sync *b = k->table;
    if (b->lock[0].size > TURN_ROOM || b->condition.size > TURN_ROOM)
        return "larger than its place";
    return b->lock[0].init(p->first, NULL) || b->condition.init(p->second) ? "Boost threw" : NULL;
}

static void turn_boost(const boost_sync *b)
{
    static turn_kind semaphore = {.implementation = "boost", .init = turn_boost_init_semaphores};
    static turn_kind condition = {.implementation = "boost", .init = turn_boost_init};
    semaphore.table = &b->semaphore;
    semaphore.take = b->semaphore.wait;
    semaphore.give = b->semaphore.post;
    condition.table = b;
    condition.lock = b->lock[0].lock;
    condition.unlock = b->lock[0].unlock;
    condition.wait = b->condition.wait;
    condition.notify = b->condition.notify_one;
    turn_add("semaphore", &semaphore);
    turn_add("condition", &condition);
}

void turn_peers(void)
{
    static const turn_kind posix = {.implementation = "posix",
                                    .init = turn_posix_init,
                                    .take = turn_posix_take,
                                    .give = turn_posix_give};
    static const turn_kind pthread = {.implementation = "pthread",
                                      .init = turn_pthread_init,
                                      .lock = turn_pthread_lock,
                                      .unlock = turn_pthread_unlock,
                                      .wait = turn_pthread_wait,
                                      .notify = turn_pthread_notify};
    turn_add("semaphore", &posix);
    turn_add("condition", &pthread);
    const boost_sync *boost = acre_library_boost_sync();
    if (boost)
        turn_boost(boost);
}
