/* SPDX-License-Identifier: MIT */
/* explore.h: runs small programs of 2–4 threads under every schedule, and kills one anywhere.
 *
 * sync/'s real sources are compiled with atomic_explore.h in place of the processor's atomics, and
 * its threads are coroutines of one thread.  Each access to a shared word is a point where the
 * explorer chooses: go on, let another thread run (a preemption), or die.  A schedule is the list
 * of choices; the next one is made by changing the last choice that has an alternative, and running
 * the program again from the start.  So all schedules with up to `preemptions` preemptions and
 * `deaths` deaths are seen, once each.  Programs of three and four threads are run with random
 * choices besides.
 *
 * The kernel is played: futexes with queues, the walk of the robust list by a thread that dies (as
 * kernel/futex does it, one entry after the other, others running in between).  Naps and deadlines:
 * when everybody sleeps, time passes.  A nap that was needed is an error unless somebody died.
 *
 * Errors: a check that fails, everybody asleep for ever, no end within EXPLORE_STEPS accesses, a
 * nap that was needed though nobody died.  The failing schedule is printed access by access.
 *
 * Only sequentially consistent executions are seen: what the processor or the compiler may reorder
 * is for the thread sanitizer and for readers.
 */
#ifndef ACRE_EXPLORE_H
#define ACRE_EXPLORE_H

#include "sync/kinds.h"

enum { EXPLORE_THREADS = 4, EXPLORE_STEPS = 4000, EXPLORE_MEMORY = 1 << 16 };

enum {
    EXPLORE_SLOW = 1,  /* left out of a short run */
    EXPLORE_STRICT = 2 /* no nap may be needed even after a death */
};

typedef struct explore_scenario {
    const char *name;
    unsigned preemptions, deaths; /* per schedule */
    unsigned random;              /* that many random schedules instead of all */
    unsigned flags;
    const char *bug;                     /* the failure that the explorer must find */
    void (*setup)(void);                 /* explore_memory is zero before; may be NULL */
    void (*finish)(void);                /* when all have ended or died; may be NULL */
    void (*body[EXPLORE_THREADS])(void); /* NULL: fewer threads */
} explore_scenario;

/* Rows of a scenario table; the last arguments are the threads. */
#define EXPLORE_ALL(name, preemptions, deaths, flags, setup, finish, ...)                          \
    {                                                                                              \
        name, preemptions, deaths, 0, flags, NULL, setup, finish,                                  \
        {                                                                                          \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }
#define EXPLORE_RANDOM(name, schedules, deaths, flags, setup, finish, ...)                         \
    {                                                                                              \
        name, EXPLORE_STEPS, deaths, schedules, flags, NULL, setup, finish,                        \
        {                                                                                          \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }
#define EXPLORE_BUG(name, preemptions, deaths, flags, bug, ...)                                    \
    {                                                                                              \
        name, preemptions, deaths, 0, flags, bug, NULL, NULL,                                      \
        {                                                                                          \
            __VA_ARGS__                                                                            \
        }                                                                                          \
    }

/* The shared memory of a scenario. */
extern _Alignas(64) unsigned char explore_memory[EXPLORE_MEMORY];
#define EXPLORE_SHARED(type) ((type *)(void *)explore_memory)

/* Deadlines: it may pass at any moment; it is past. */
extern const struct timespec explore_soon, explore_past;

/* What the threads of a scenario say and ask. */
#define EXPLORE_CHECK(cond) ((cond) ? (void)0 : explore_fail(#cond, __FILE__, __LINE__))
__attribute__((noreturn)) void explore_fail(const char *what, const char *file, int line);
unsigned explore_me(void);   /* 0 … */
bool explore_has_died(void); /* somebody in this schedule */
bool explore_dead(unsigned thread);
void explore_spare(bool spare); /* this thread does not die meanwhile */

/* A group of scenarios is a file with one line of this. */
typedef struct explore_group {
    const char *name;
    const explore_scenario *list;
    unsigned count;
    struct explore_group *next;
} explore_group;
void explore_add(explore_group *group);

#define EXPLORE_GROUP(name_, list_)                                                                \
    __attribute__((constructor)) static void name_##__add(void)                                    \
    {                                                                                              \
        static explore_group group = {#name_, list_, sizeof(list_) / sizeof *(list_), NULL};       \
        explore_add(&group);                                                                       \
    }

#endif
