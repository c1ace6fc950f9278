/* SPDX-License-Identifier: MIT */
/* turn.h: semaphores and conditions of one implementation, called through pointers: one indirect
 * call an operation, the same for all. */
#ifndef ACRE_BENCH_SYNC_TURN_H
#define ACRE_BENCH_SYNC_TURN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

enum { TURN_ROOM = 128 };

/* What two processes take turns with: two semaphores, or a mutex and a condition. */
typedef struct turn_place {
    char first[TURN_ROOM], second[TURN_ROOM]; /* semaphores, or the mutex and the condition */
    volatile uint32_t turn;                   /* whose it is; what the mutex protects */
} turn_place;

typedef struct turn_kind turn_kind;

struct turn_kind {
    const char *implementation;
    const char *(*init)(const turn_kind *k, turn_place *p); /* NULL, or why not */
    int (*take)(void *semaphore), (*give)(void *semaphore);
    int (*lock)(void *mutex), (*unlock)(void *mutex);
    int (*wait)(void *condition, void *mutex), (*notify)(void *condition);
    const void *table; /* Boost's */
};

/* "semaphore" or "condition". */
void turn_add(const char *primitive, const turn_kind *k);

/* One for each implementation; they call turn_add(). */
void turn_acre(void);
void turn_peers(void);

#endif
