/* SPDX-License-Identifier: MIT */
/* park.c: spinning, sleeping, waking.  Source: U. Drepper, «Futexes Are Tricky», 2011; the event is
 * an event count (D. P. Reed, R. K. Kanodia, «Synchronization with eventcounts and sequencers»,
 * 1979) with a bit for sleepers. */
#include "sync/park.h"

#include <sys/syscall.h>
#include <unistd.h>

enum { PARK_PATIENCE_MAX = 256, PARK_PATIENCE_LEAST = 4, PARK_PROBE = 16 };

#ifndef ACRE_EXPLORE

static struct timespec park_in(long ns)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    t.tv_nsec += ns;
    t.tv_sec += t.tv_nsec / 1000000000;
    t.tv_nsec %= 1000000000;
    return t;
}

static bool park_before(const struct timespec *a, const struct timespec *b)
{
    return a->tv_sec < b->tv_sec || (a->tv_sec == b->tv_sec && a->tv_nsec < b->tv_nsec);
}

void acre__park(const uint32_t *word, uint32_t seen, const struct timespec *deadline)
{
    static const struct timespec nap = {.tv_nsec = ACRE__NAP_NS};
    if (!deadline) {
        syscall(SYS_futex, word, FUTEX_WAIT, seen, &nap, NULL, 0);
        return;
    }
    struct timespec end = park_in(ACRE__NAP_NS);
    if (park_before(deadline, &end))
        end = *deadline;
    syscall(SYS_futex, word, FUTEX_WAIT_BITSET, seen, &end, NULL, FUTEX_BITSET_MATCH_ANY);
}

uint32_t acre__wake(const uint32_t *word, uint32_t n)
{
    long woken = syscall(SYS_futex, word, FUTEX_WAKE, n, NULL, NULL, 0);
    return woken > 0 ? (uint32_t)woken : 0;
}

bool acre__expired(const struct timespec *deadline)
{
    if (!deadline)
        return false;
    struct timespec now = park_in(0);
    return !park_before(&now, deadline);
}

#endif

/* ---- spinning ---- */

bool acre__spin(acre__spinner *spin)
{
    if (spin->used >= spin->self->patience)
        return false;
    uint32_t n = spin->used < spin->longest ? spin->used / 2 + 1 : spin->longest;
    spin->used += n;
    while (n--)
        acre__pause();
    return true;
}

/* Patience that has gone is tried again now and then. */
static uint32_t park_less(uint32_t patience)
{
    if (patience >= 2 * PARK_PATIENCE_LEAST)
        return patience / 2;
    return patience ? patience - 1 : 0;
}

void acre__spun(acre__spinner *spin, bool paid)
{
    acre__self *s = spin->self;
    if (paid)
        s->patience = s->patience < PARK_PATIENCE_MAX / 2 ? s->patience * 2 + PARK_PATIENCE_LEAST
                                                          : PARK_PATIENCE_MAX;
    else if (s->patience)
        s->patience = park_less(s->patience);
    else if (++s->probe % PARK_PROBE == 0)
        s->patience = PARK_PATIENCE_MAX / 2;
}

/* ---- events ---- */

uint32_t acre__event_look(acre__event *e)
{
    return acre__or(&e->word, 1) | 1;
}

void acre__event_sleep(acre__event *e, uint32_t seen, const struct timespec *deadline)
{
    acre__park(&e->word, seen, deadline);
}

void acre__event_wake(acre__event *e, uint32_t n)
{
    uint32_t seen = acre__load(&e->word);
    while (seen & 1)
        if (acre__cas(&e->word, &seen, seen + 1)) {
            if (acre__wake(&e->word, n) == n && n != ACRE__WAKE_ALL)
                acre__or(&e->word, 1);
            return;
        }
}
