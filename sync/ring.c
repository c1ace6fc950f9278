/* SPDX-License-Identifier: MIT */
/* ring.c: making and checking the constants of rings; sleeping, which costs those who run nothing.
 * Source of the barrier that one side makes for both: M. Desnoyers, membarrier(2). */
#include "sync/ring.h"

#include <linux/membarrier.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

enum { RING_LOOK_NS = 1000 * 1000 };

const struct timespec acre__ring_at_once = {0};

_Static_assert(sizeof(acre__ring) == 64 && sizeof(acre__ring_end) == 64, "ring format");
_Static_assert(sizeof(acre__ring_role) == 64, "ring format");
_Static_assert(sizeof(acre__pair) == 320, "ring format");
_Static_assert(sizeof(acre_mpmc) == 192 && sizeof(acre_broadcast) == 256, "ring format");

/* ---- constants ---- */

static uint32_t ring_shift(uint32_t capacity)
{
    return capacity <= 1 ? 0 : 32 - (uint32_t)__builtin_clz(capacity - 1);
}

acre__ring_plan acre__ring_plan_make(size_t header, uint32_t capacity, uint32_t message,
                                     uint64_t cell)
{
    acre__ring_plan plan = {0};
    if (capacity == 0 || capacity > ACRE_RING_CAPACITY_MAX || message == 0 ||
        message > ACRE_RING_MESSAGE_MAX)
        return plan;
    plan = (acre__ring_plan){
        .cells = header, .shift = ring_shift(capacity), .message = message, .cell = (uint32_t)cell};
    if (__builtin_mul_overflow(cell, (size_t)1 << plan.shift, &plan.size) ||
        __builtin_add_overflow(plan.size, header, &plan.size))
        plan.size = 0;
    return plan;
}

int acre__ring_begin(void *at, size_t size, const acre__ring_plan *plan)
{
    if (plan->size == 0 || (uintptr_t)at % 8)
        return EINVAL;
    if (size < plan->size)
        return ACRE_ETOOSMALL;
    memset(at, 0, plan->cells);
    return 0;
}

void acre__ring_publish(acre__ring *ring, uint32_t tag, const acre__ring_plan *plan)
{
    ring->shift = plan->shift;
    ring->message = plan->message;
    ring->cell = plan->cell;
    ring->places = plan->places;
    acre__store(&ring->tag, tag);
}

int acre__ring_read(const void *at, size_t size, uint32_t tag, acre__ring *seen)
{
    const acre__ring *ring = at;
    if ((uintptr_t)at % 8)
        return EINVAL;
    if (size < sizeof *ring)
        return ACRE_ETRUNCATED;
    *seen = (acre__ring){.tag = acre__load(&ring->tag),
                         .shift = acre__peek(&ring->shift),
                         .message = acre__peek(&ring->message),
                         .cell = acre__peek(&ring->cell),
                         .places = acre__peek(&ring->places)};
    int e = acre__tag_error(seen->tag, tag);
    return e ? e : seen->shift > 30 ? ACRE_EOBJECT : 0;
}

int acre__ring_fits(const acre__ring *seen, const acre__ring_plan *plan, size_t size)
{
    if (plan->size == 0 || plan->shift != seen->shift || plan->message != seen->message ||
        plan->cell != seen->cell || plan->places != seen->places)
        return ACRE_EOBJECT;
    return plan->size > size ? ACRE_ETRUNCATED : 0;
}

/* ---- waiting ---- */

#ifdef ACRE_EXPLORE

static bool ring_barrier(int command)
{
    (void)command;
    acre__fence();
    return true;
}

#else

static bool ring_barrier(int command)
{
    return syscall(SYS_membarrier, command, 0, 0) == 0;
}

#endif

void acre__ring_meet(acre__ring *ring)
{
    if (!ring_barrier(MEMBARRIER_CMD_REGISTER_GLOBAL_EXPEDITED))
        acre__put(&ring->unreached, 1u);
}

static uint32_t ring_announce(uint32_t *event, bool *reached)
{
    uint32_t seen = acre__event_look(acre__ring_event(event));
    *reached = ring_barrier(MEMBARRIER_CMD_GLOBAL_EXPEDITED);
    return seen;
}

static bool ring_earlier(const struct timespec *a, const struct timespec *b)
{
    return a && (a->tv_sec < b->tv_sec || (a->tv_sec == b->tv_sec && a->tv_nsec < b->tv_nsec));
}

/* Somebody may have missed that this thread sleeps. */
static void ring_doze(uint32_t *event, uint32_t seen, const struct timespec *deadline)
{
    struct timespec soon = acre_deadline(RING_LOOK_NS);
    acre__event_sleep(acre__ring_event(event), seen,
                      ring_earlier(deadline, &soon) ? deadline : &soon);
}

static int ring_sleep(acre__ring *ring, uint32_t *event, int (*look)(void *), void *arg,
                      const struct timespec *deadline)
{
    for (;;) {
        bool reached;
        uint32_t seen = ring_announce(event, &reached);
        int e = look(arg);
        if (e != EAGAIN)
            return e;
        if (acre__expired(deadline))
            return ETIMEDOUT;
        if (reached && !acre__peek(&ring->unreached))
            acre__event_sleep(acre__ring_event(event), seen, deadline);
        else
            ring_doze(event, seen, deadline);
        e = look(arg);
        if (e != EAGAIN)
            return e;
    }
}

int acre__ring_wait(acre__ring *ring, uint32_t *event, int (*look)(void *), void *arg,
                    const struct timespec *deadline, bool *slept)
{
    int e = look(arg);
    *slept = false;
    if (e != EAGAIN || deadline == &acre__ring_at_once)
        return e;
    acre__spinner spin = acre__spin_begin(ACRE__SPIN_SOON);
    while (e == EAGAIN && acre__spin(&spin))
        e = look(arg);
    acre__spun(&spin, e != EAGAIN);
    if (e != EAGAIN)
        return e;
    *slept = true;
    return ring_sleep(ring, event, look, arg, deadline);
}

const uint32_t *acre__ring_prepare(uint32_t *event, uint32_t *expected)
{
    bool reached;
    *expected = ring_announce(event, &reached);
    return event;
}

/* ---- roles ---- */

int acre__role_take(acre_cell *role)
{
    acre__self *s = acre__self_get();
    uint32_t seen = acre__load(&role->word);
    if (acre__self_busy(s))
        return EDEADLK;
    do
        if (!acre__ownerless(seen))
            return EBUSY;
    while (!acre__cell_claim(s, role, &seen, s->tid));
    return 0;
}

bool acre__role_dead(const acre_cell *role)
{
    uint32_t word = acre__load(&role->word);
    return acre__ownerless(word) && word & ACRE__D;
}
