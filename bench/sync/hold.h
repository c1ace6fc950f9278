/* SPDX-License-Identifier: MIT */
/* hold.h: a lock in one mode, of one implementation: what is held and given back in a loop. */
#ifndef ACRE_BENCH_SYNC_HOLD_H
#define ACRE_BENCH_SYNC_HOLD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef int hold_loop(void *object, volatile uint64_t *cell, size_t n);

typedef struct hold_kind hold_kind;

struct hold_kind {
    const char *primitive, *implementation;
    size_t size;
    bool shared;       /* several may hold it: the cell is only read */
    int type, robust;  /* of a pthread mutex */
    const void *table; /* Boost's */
    /* NULL, or why not.  May be absent (all zero is a free lock), as may be the three below. */
    const char *(*init)(const hold_kind *k, void *object);
    void (*destroy)(const hold_kind *k, void *object);
    bool (*attach)(void *object); /* in each process */
    void (*detach)(void *object);
    hold_loop *rounds; /* n times: lock, touch the cell, unlock; 0 or an error */
};

/* The loop, with the calls that a user would write in it. */
#define HOLD_ROUNDS(name, type, lock, touch, unlock)                                               \
    static int name(void *object, volatile uint64_t *cell, size_t n)                               \
    {                                                                                              \
        type *held = object;                                                                       \
        for (size_t i = 0; i < n; i++) {                                                           \
            int error = lock(held);                                                                \
            if (error)                                                                             \
                return error;                                                                      \
            touch(*cell);                                                                          \
            unlock(held);                                                                          \
        }                                                                                          \
        return 0;                                                                                  \
    }
#define HOLD_ADD(cell) ((cell) = (cell) + 1)
#define HOLD_READ(cell) ((void)(cell))

void hold_add(const hold_kind *k);

/* The file that file locks lock: made by the first call, gone at the end of the process that made
 * it. */
const char *hold_file(void);

/* For hold_kind.init: makes it before there are helpers, so that all lock the same one. */
const char *hold_init_file(const hold_kind *k, void *object);

/* One for each implementation; they call hold_add(). */
void hold_acre(void);
void hold_pthread(void);
void hold_posix(void);
void hold_boost(void);

#endif
