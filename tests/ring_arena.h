/* SPDX-License-Identifier: MIT */
/* ring_arena.h: what the tests of rings have in common: a ring and its users' numbers in shared
 * memory, messages that can be recognised, two threads or processes at its ends. */
#ifndef ACRE_RING_ARENA_H
#define ACRE_RING_ARENA_H

#include "tests/acre_test.h"

#include <acre/ring.h>

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { SECOND = 1000000000 };
#define NEARLY_A_NAP 0.04 /* seconds */

static inline void *share(size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ACRE_CHECK(p != MAP_FAILED);
    return p;
}

static inline double seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* What both ends of a test know. */
typedef struct arena {
    void *ring;
    size_t size, rounds;
    uint32_t message;
    size_t batch; /* messages at once; 0: push and pop */
    bool cells;   /* without a copy */
    volatile uint64_t stop, ready;
    uint64_t done[64];
} arena;

static inline arena *arena_make(size_t size, size_t rounds)
{
    arena *a = share(sizeof *a);
    *a = (arena){.ring = share(size), .size = size, .rounds = rounds, .message = 8};
    return a;
}

static inline void in_threads(void *(*one)(void *), void *(*other)(void *), void *arg)
{
    pthread_t t[2];
    ACRE_CHECK(pthread_create(&t[0], NULL, one, arg) == 0);
    ACRE_CHECK(pthread_create(&t[1], NULL, other, arg) == 0);
    pthread_join(t[0], NULL);
    pthread_join(t[1], NULL);
}

static inline void in_processes(acre_test_function *one, acre_test_function *other, void *arg)
{
    pid_t child[2] = {acre_test_spawn(one, arg), acre_test_spawn(other, arg)};
    acre_test_expect_exit(child[0], 0);
    acre_test_expect_exit(child[1], 0);
}

/* The n-th message: n, then a pattern. */
static inline void fill(unsigned char *message, size_t size, uint64_t n)
{
    for (size_t i = 0; i < size; i++)
        message[i] = (unsigned char)(i < 8 ? n >> 8 * i : n * 31 + i);
}

static inline void expect(const unsigned char *message, size_t size, uint64_t n)
{
    for (size_t i = 0; i < size; i++)
        ACRE_CHECK_EQUAL(message[i], (unsigned char)(i < 8 ? n >> 8 * i : n * 31 + i));
}

static inline arena *spsc_make(uint32_t capacity, uint32_t message, size_t rounds)
{
    size_t size = acre_spsc_size(capacity, message);
    arena *a = arena_make(size, rounds);
    a->message = message;
    ACRE_CHECK_EQUAL(acre_spsc_init(a->ring, size, capacity, message), 0);
    return a;
}

/* ================================ bytes ================================ */

static inline arena *bytes_make(uint32_t capacity, size_t rounds)
{
    size_t size = acre_bytes_size(capacity);
    arena *a = arena_make(size, rounds);
    ACRE_CHECK_EQUAL(acre_bytes_init(a->ring, size, capacity), 0);
    return a;
}

/* ================================ broadcast ================================ */

static inline arena *broadcast_make(uint32_t capacity, uint32_t consumers, size_t rounds)
{
    size_t size = acre_broadcast_size(capacity, 8, consumers);
    arena *a = arena_make(size, rounds);
    ACRE_CHECK_EQUAL(acre_broadcast_init(a->ring, size, capacity, 8, consumers), 0);
    return a;
}

static inline size_t most_at_once(const arena *a, uint64_t n)
{
    size_t left = a->rounds - n, most = a->batch ? a->batch : 1;
    return left < most ? left : most;
}

/* For a thread: *(pid_t *)arg. */
static inline void *kill_soon(void *arg)
{
    usleep(20000);
    kill(*(pid_t *)arg, SIGKILL);
    return NULL;
}

#endif
