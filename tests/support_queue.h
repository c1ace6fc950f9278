/* SPDX-License-Identifier: MIT */
/* support_queue.h: message queues in memory of their own, of numbers. */
#ifndef ACRE_TESTS_SUPPORT_QUEUE_H
#define ACRE_TESTS_SUPPORT_QUEUE_H

#include "tests/acre_test.h"

#include <acre/queue.h>

#include <pthread.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { ROOM = 4096 };

static inline void *memory_for(const acre_queue_options *o)
{
    void *p =
        mmap(NULL, acre_queue_size(o), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ACRE_CHECK(p != MAP_FAILED);
    return p;
}

/* Handles end with the test. */
static acre_queue *made[64];
static size_t made_count;

static inline acre_queue *make_with(acre_queue_options o)
{
    acre_queue **q = &made[made_count++];
    void *memory = memory_for(&o);
    ACRE_CHECK_EQUAL(acre_queue_init(memory, &o), 0);
    ACRE_CHECK_EQUAL(acre_queue_attach(q, memory, acre_queue_size(&o)), 0);
    return *q;
}

static inline acre_queue *make(uint32_t capacity, uint32_t max_size)
{
    return make_with((acre_queue_options){.capacity = capacity, .max_size = max_size});
}

static inline void put(acre_queue *q, uint32_t number, uint32_t priority)
{
    ACRE_CHECK_EQUAL(acre_queue_trysend(q, &number, sizeof number, priority), 0);
}

static inline void expect(acre_queue *q, uint32_t number, uint32_t priority)
{
    uint32_t got = 0, p = 0;
    size_t size = 0;
    ACRE_CHECK_EQUAL(acre_queue_tryreceive(q, &got, sizeof got, &size, &p), 0);
    ACRE_CHECK_EQUAL(size, sizeof got);
    ACRE_CHECK_EQUAL(p, priority);
    ACRE_CHECK_EQUAL(got, number);
}

static inline void expect_empty(acre_queue *q)
{
    size_t size;
    char byte;
    ACRE_CHECK_EQUAL(acre_queue_tryreceive(q, &byte, 1, &size, NULL), EAGAIN);
    ACRE_CHECK_EQUAL(acre_queue_count(q), 0);
    ACRE_CHECK_EQUAL(acre_queue_check(q), 0);
}

#endif
