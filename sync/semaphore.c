/* SPDX-License-Identifier: MIT */
/* semaphore.c: acre_semaphore, one futex word: a count, and S: somebody may sleep.
 *
 *     post n      count + n, S cleared; if it was set: wake n
 *     take        count - 1; by a thread that has slept: S set, and if more is left, wake one
 *     sleep       at count 0: S set, then the futex
 *     give up     by a thread that has slept: S set, at count 0 (else it takes)
 *
 * While somebody sleeps, S is set, or a poster stands before its wake-up, or somebody who was woken
 * is on its way: it will take, sleep or give up, and each of these sets S again.  A post in
 * between, which finds no S, adds what the woken one sees when it takes, and it wakes the next one
 * for it.
 *
 *     killed                              then
 *     poster, before its wake-up          the count is there: sleepers see it within 50 ms
 *     woken, before it took               S is clear, the count there: the same
 *     woken, after it took (S is set)     what it took is lost; what it would have passed on is seen
 *                                         by sleepers within 50 ms
 *     asleep                              S may be set for nobody: one wake-up in vain
 */
#include "sync/kinds.h"
#include "sync/wait.h"

#define SEMAPHORE_S 0x80000000u
#define SEMAPHORE_COUNT 0x7fffffffu

int acre_semaphore_init(acre_semaphore *s, uint32_t count)
{
    if (count > ACRE_SEMAPHORE_MAX)
        return EINVAL;
    *s = (acre_semaphore){.word = count, .tag = ACRE__SEMAPHORE};
    return 0;
}

static int semaphore_check(acre_semaphore *s)
{
    return acre__tag_check(&s->tag, ACRE__SEMAPHORE);
}

/* Those who sleep find another tag. */
int acre_semaphore_destroy(acre_semaphore *s)
{
    int e = semaphore_check(s);
    if (e)
        return e;
    acre__store(&s->tag, (uint32_t)ACRE__DESTROYED);
    acre__and(&s->word, ~SEMAPHORE_S);
    acre__wake(&s->word, ACRE__WAKE_ALL);
    return 0;
}

uint32_t acre_semaphore_count(const acre_semaphore *s)
{
    return acre__load(&s->word) & SEMAPHORE_COUNT;
}

int acre_semaphore_post(acre_semaphore *s, uint32_t n)
{
    int e = semaphore_check(s);
    uint32_t seen = acre__peek(&s->word), count;
    if (e || n == 0)
        return e;
    do {
        count = seen & SEMAPHORE_COUNT;
        if (n > ACRE_SEMAPHORE_MAX || count > ACRE_SEMAPHORE_MAX - n)
            return EOVERFLOW;
    } while (!acre__cas(&s->word, &seen, count + n));
    if (__builtin_expect(seen & SEMAPHORE_S, 0))
        acre__wake(&s->word, n);
    return 0;
}

/* Take one if *seen, or what it becomes, has one.  `slept`: S, or 0. */
static inline bool semaphore_take(acre_semaphore *s, uint32_t *seen, uint32_t slept)
{
    while (*seen & SEMAPHORE_COUNT)
        if (acre__cas(&s->word, seen, (*seen - 1) | slept))
            return true;
    return false;
}

int acre_semaphore_trywait(acre_semaphore *s)
{
    int e = semaphore_check(s);
    uint32_t seen = acre__peek(&s->word);
    if (e)
        return e;
    return semaphore_take(s, &seen, 0) ? 0 : EAGAIN;
}

static uint32_t semaphore_spin(acre_semaphore *s)
{
    uint32_t seen = acre__peek(&s->word);
    if (seen & SEMAPHORE_COUNT)
        return seen;
    acre__spinner spin = acre__spin_begin(ACRE__SPIN_SOON);
    while (!(seen & SEMAPHORE_COUNT) && acre__spin(&spin))
        seen = acre__peek(&s->word);
    acre__spun(&spin, seen & SEMAPHORE_COUNT);
    return seen;
}

/* Say that somebody sleeps.  false: there is something to take. */
static bool semaphore_announce(acre_semaphore *s, uint32_t seen)
{
    while (!(seen & SEMAPHORE_COUNT))
        if (seen & SEMAPHORE_S || acre__cas(&s->word, &seen, SEMAPHORE_S))
            return true;
    return false;
}

/* The thread that has slept is awake: wake the next one if there is something for it. */
static int semaphore_pass_on(acre_semaphore *s, uint32_t left)
{
    if (left & SEMAPHORE_COUNT)
        acre__wake(&s->word, 1);
    return 0;
}

static __attribute__((noinline)) int semaphore_wait_long(acre_semaphore *s,
                                                         const struct timespec *deadline)
{
    uint32_t slept = 0;
    for (;;) {
        int e = semaphore_check(s);
        uint32_t seen = semaphore_spin(s);
        if (e)
            return e;
        if (semaphore_take(s, &seen, slept))
            return slept ? semaphore_pass_on(s, seen - 1) : 0;
        if (acre__expired(deadline)) {
            if (!slept || semaphore_announce(s, seen))
                return ETIMEDOUT;
        } else if (semaphore_announce(s, seen)) {
            acre__park(&s->word, SEMAPHORE_S, deadline);
            slept = SEMAPHORE_S;
        }
    }
}

int acre_semaphore_wait_until(acre_semaphore *s, const struct timespec *deadline)
{
    uint32_t seen = acre__peek(&s->word);
    if (__builtin_expect(acre__peek(&s->tag) == ACRE__SEMAPHORE && semaphore_take(s, &seen, 0), 1))
        return 0;
    return semaphore_wait_long(s, deadline);
}

int acre_semaphore_wait(acre_semaphore *s)
{
    return acre_semaphore_wait_until(s, NULL);
}

/* ---- for acre_wait_any() ---- */

static bool semaphore_ready(void *object)
{
    acre_semaphore *s = object;
    return acre_semaphore_count(s) || semaphore_check(s);
}

static const uint32_t *semaphore_prepare(void *object, uint32_t *expected)
{
    acre_semaphore *s = object;
    semaphore_announce(s, acre__peek(&s->word));
    *expected = SEMAPHORE_S;
    return &s->word;
}

static void semaphore_leave(void *object)
{
    acre_semaphore *s = object;
    if (!semaphore_announce(s, acre__peek(&s->word)))
        acre__wake(&s->word, 1);
}

acre_waitable acre_semaphore_waitable(acre_semaphore *s)
{
    static const struct acre__wait_methods methods = {semaphore_ready, semaphore_prepare,
                                                      semaphore_leave};
    return (acre_waitable){s, semaphore_check(s) ? NULL : &methods};
}
