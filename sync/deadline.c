/* SPDX-License-Identifier: MIT */
/* deadline.c: points of CLOCK_MONOTONIC, and the time-out of locks that were given none. */
#include "sync/park.h"

enum { DEADLINE_SECOND = 1000 * 1000 * 1000 };

const struct timespec acre__for_ever = {.tv_sec = INT64_MAX};

static uint64_t deadline_default; /* ns; 0: none.  Of this process. */

struct timespec acre_deadline(uint64_t ns)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    uint64_t sum = (uint64_t)t.tv_nsec + ns % DEADLINE_SECOND;
    t.tv_sec += (time_t)(ns / DEADLINE_SECOND + sum / DEADLINE_SECOND);
    t.tv_nsec = (long)(sum % DEADLINE_SECOND);
    return t;
}

void acre_default_timeout(uint64_t ns)
{
    acre__put(&deadline_default, ns);
}

const struct timespec *acre__lock_deadline(const struct timespec *deadline,
                                           struct timespec *storage)
{
    uint64_t ns = acre__peek(&deadline_default);
    if (deadline || !ns)
        return deadline;
    *storage = acre_deadline(ns);
    return storage;
}
