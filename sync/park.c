/* SPDX-License-Identifier: MIT */
/* park.c: spinning, sleeping, waking.  Source: U. Drepper, «Futexes Are Tricky», 2011; the event is
 * an event count (D. P. Reed, R. K. Kanodia, «Synchronization with eventcounts and sequencers»,
 * 1979) with a bit for sleepers. */
#include "sync/park.h"

#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

enum {
    PARK_PAUSES = 16,
    PARK_YIELDS = 24,
    PARK_DOZE_LEAST = 20 * 1000,
    PARK_DOZE_MOST = 1000 * 1000
};
enum { PARK_PATIENCE_LEAST = 16, PARK_DOUBT_LEAST = 16, PARK_DOUBT_MOST = 1024 };

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

/* The end of a sleep: the deadline, or the end of a nap. */
static struct timespec park_end(const struct timespec *deadline)
{
    struct timespec end = park_in(ACRE__NAP_NS);
    return deadline && park_before(deadline, &end) ? *deadline : end;
}

void acre__park(const uint32_t *word, uint32_t seen, const struct timespec *deadline)
{
    struct timespec end = park_end(deadline);
    syscall(SYS_futex, word, FUTEX_WAIT_BITSET, seen, &end, NULL, FUTEX_BITSET_MATCH_ANY);
}

/* Refused for another reason than that there is no need to sleep: an old kernel, or a filter. */
static bool park_unavailable(long result)
{
    return result < 0 && errno != EAGAIN && errno != ETIMEDOUT && errno != EINTR;
}

/* Kernels before 5.16 cannot wait for two words: then a change of the upper half alone that comes
 * just before falling asleep is seen at the end of the nap. */
void acre__park_both(const uint64_t *pair, uint64_t seen, const struct timespec *deadline)
{
    const uint32_t *half = (const uint32_t *)pair;
    struct timespec end = park_end(deadline);
    struct futex_waitv wait[2] = {
        {.val = (uint32_t)seen, .uaddr = (uintptr_t)half, .flags = FUTEX_32},
        {.val = seen >> 32, .uaddr = (uintptr_t)(half + 1), .flags = FUTEX_32},
    };
    if (park_unavailable(syscall(SYS_futex_waitv, wait, 2, 0, &end, CLOCK_MONOTONIC)))
        acre__park(half, (uint32_t)seen, deadline);
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

static void park_nap(long ns, const struct timespec *deadline)
{
    struct timespec end = park_in(ns);
    if (deadline && park_before(deadline, &end))
        end = *deadline;
    syscall(SYS_clock_nanosleep, CLOCK_MONOTONIC, TIMER_ABSTIME, &end, NULL); /* not cancelled */
}

static long park_doze_ns(uint32_t naps)
{
    return naps < 6 ? (long)PARK_DOZE_LEAST << naps : PARK_DOZE_MOST;
}

void acre__doze(uint32_t *round, const struct timespec *deadline)
{
    uint32_t n = (*round)++;
    if (n < PARK_PAUSES)
        for (uint32_t i = 0; i <= n; i++)
            acre__pause();
    else if (n < PARK_YIELDS)
        sched_yield();
    else
        park_nap(park_doze_ns(n - PARK_YIELDS), deadline);
}

/* ---- several words at once ---- */

enum { PARK_ANY_MAX = 64, PARK_ANY_LOOK_NS = 1000 * 1000 };

static long park_waitv(struct futex_waitv *v, size_t n, const struct timespec *deadline)
{
    struct timespec end = park_in(ACRE__NAP_NS);
    if (deadline && park_before(deadline, &end))
        end = *deadline;
    return syscall(SYS_futex_waitv, v, n, 0, &end, CLOCK_MONOTONIC);
}

void acre__park_any(const acre__sleep *list, size_t n, const struct timespec *deadline)
{
    struct futex_waitv v[PARK_ANY_MAX] = {0};
    for (size_t i = 0; i < n; i++)
        v[i] = (struct futex_waitv){
            .val = list[i].expected, .uaddr = (uintptr_t)list[i].word, .flags = FUTEX_32};
    if (park_unavailable(park_waitv(v, n, deadline)))
        park_nap(PARK_ANY_LOOK_NS, deadline);
}

#endif

/* ---- spinning ---- */

static bool park_yield(acre__spinner *spin)
{
    if (spin->yielded)
        return false;
    spin->yielded = true;
#ifdef ACRE_EXPLORE
    acre__pause();
#else
    sched_yield();
#endif
    return true;
}

bool acre__spin(acre__spinner *spin)
{
    if (spin->used >= spin->self->patience)
        return park_yield(spin);
    spin->used += spin->distance;
    for (uint32_t n = spin->distance; n; n--)
        acre__pause();
    return true;
}

/* A trial, of one who doubts, has failed. */
static void park_doubt_more(acre__self *s)
{
    s->patience = 0;
    s->slept = 0;
    if (s->doubt < PARK_DOUBT_MOST)
        s->doubt *= 2;
}

static void park_trust_less(acre__self *s)
{
    s->patience /= 2;
    if (s->patience >= PARK_PATIENCE_LEAST)
        return;
    s->patience = 0;
    s->slept = 0;
    s->doubt = PARK_DOUBT_LEAST;
}

void acre__spun(acre__spinner *spin, bool paid)
{
    acre__self *s = spin->self;
    if (!spin->used && !spin->yielded)
        return; /* there was nothing to wait for */
    if (paid && !spin->yielded) {
        s->patience = ACRE__PATIENCE;
        s->doubt = 0;
    } else if (!s->doubt)
        park_trust_less(s);
    else if (s->patience)
        park_doubt_more(s);
    else if (++s->slept >= s->doubt)
        s->patience = ACRE__PATIENCE;
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

/* Fewer were found than asked for, so nobody sleeps any more; who has gone to sleep since, trusting
 * the bit, is woken to set it again. */
static void park_none_left(acre__event *e, uint32_t seen)
{
    if (acre__cas(&e->word, &seen, seen + 1))
        acre__wake(&e->word, ACRE__WAKE_ALL);
}

/* The bit goes in front of waking all, else it stays meanwhile: were it cleared first and set
 * again, a second signal in between would wake nobody. */
void acre__event_wake(acre__event *e, uint32_t n)
{
    uint32_t step = n == ACRE__WAKE_ALL ? 1 : 2, seen = acre__load(&e->word);
    do
        if (!(seen & 1))
            return;
    while (!acre__cas(&e->word, &seen, seen + step));
    if (acre__wake(&e->word, n) < n && n != ACRE__WAKE_ALL)
        park_none_left(e, seen + step);
}
