/* SPDX-License-Identifier: MIT */
/* support_mutex.h: any of the exclusive locks in memory that processes share, for tests that hold for each of them. */
#ifndef ACRE_TESTS_SUPPORT_MUTEX_H
#define ACRE_TESTS_SUPPORT_MUTEX_H

#include "tests/acre_test.h"

#include "sync/robust.h"

#include <acre/sync.h>

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { KINDS = 3, THREADS = 4, PROCESSES = 4, MANY = 100 };
enum { MILLISECOND = 1000 * 1000 };

/* Any of the three: acre_lock() and its like find out which. */
typedef union any {
    acre_cell cell;
    acre_mutex mutex;
    acre_recursive recursive;
    acre_spin spin;
} any;

/* Shared between processes. */
typedef struct arena {
    any lock, other, many[MANY];
    pthread_mutex_t theirs[MANY];
    uint64_t count, deaths, stop, ready;
    size_t rounds;
} arena;

static const char *const kind_name[KINDS] = {"mutex", "recursive", "spin"};

static inline void init(any *m, int kind)
{
    memset(m, 0xa5, sizeof *m);
    kind == 0   ? acre_mutex_init(&m->mutex)
    : kind == 1 ? acre_recursive_init(&m->recursive)
                : acre_spin_init(&m->spin);
}

static inline int consistent(any *m, int kind)
{
    return kind == 0   ? acre_mutex_consistent(&m->mutex)
           : kind == 1 ? acre_recursive_consistent(&m->recursive)
                       : acre_spin_consistent(&m->spin);
}

static inline int destroy(any *m, int kind)
{
    return kind == 0   ? acre_mutex_destroy(&m->mutex)
           : kind == 1 ? acre_recursive_destroy(&m->recursive)
                       : acre_spin_destroy(&m->spin);
}

static inline int lock(any *m)
{
    return acre_lock(m, ACRE_EXCLUSIVE);
}

static inline int trylock(any *m)
{
    return acre_trylock(m, ACRE_EXCLUSIVE);
}

static inline int lock_until(any *m, const struct timespec *deadline)
{
    return acre_lock_until(m, ACRE_EXCLUSIVE, deadline);
}

static inline int lock_for(any *m, uint64_t ns)
{
    struct timespec deadline = acre_deadline(ns);
    return lock_until(m, &deadline);
}

static inline int lock_past(any *m)
{
    struct timespec past = {.tv_sec = 0};
    return lock_until(m, &past);
}

static inline int unlock(any *m)
{
    return acre_unlock(m, ACRE_EXCLUSIVE);
}

static inline arena *arena_make(int kind, size_t rounds)
{
    arena *a = mmap(NULL, sizeof *a, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ACRE_CHECK(a != MAP_FAILED);
    a->rounds = rounds;
    init(&a->lock, kind);
    init(&a->other, kind);
    for (int i = 0; i < MANY; i++)
        init(&a->many[i], kind);
    return a;
}

static inline void arena_end(arena *a)
{
    munmap(a, sizeof *a);
}

/* A case that holds for each of the three. */
#define EACH_KIND(name, claim)                                                                     \
    static void claim(int kind);                                                                   \
    ACRE_TEST(name, claim)                                                                         \
    {                                                                                              \
        for (int kind = 0; kind < KINDS; kind++) {                                                 \
            fprintf(stderr, "%s\n", kind_name[kind]);                                              \
            claim(kind);                                                                           \
        }                                                                                          \
    }                                                                                              \
    static void claim(int kind)

static inline uint64_t get(uint64_t *p)
{
    return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

static inline void set(uint64_t *p, uint64_t v)
{
    __atomic_store_n(p, v, __ATOMIC_RELEASE);
}

static inline void await(uint64_t *flag)
{
    while (!get(flag))
        usleep(100);
}

/* What another thread gets; it ends, holding what it got. */
typedef struct attempt {
    any *lock;
    int (*fn)(any *m);
} attempt;

static inline void *attempt_run(void *arg)
{
    attempt *t = arg;
    return (void *)(intptr_t)t->fn(t->lock);
}

static inline int in_thread(any *m, int (*fn)(any *))
{
    attempt t = {m, fn};
    pthread_t thread;
    void *result;
    ACRE_CHECK(pthread_create(&thread, NULL, attempt_run, &t) == 0);
    pthread_join(thread, &result);
    return (int)(intptr_t)result;
}

static inline int try_and_unlock(any *m)
{
    int e = trylock(m);
    if (e == 0)
        ACRE_CHECK_EQUAL(unlock(m), 0);
    return e;
}

#endif
