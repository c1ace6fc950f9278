/* SPDX-License-Identifier: MIT */
/* permits.c: acre_permits, a robust cell for each permit.
 *
 * To acquire is to claim an ownerless cell, searched from where one was released last.  Who finds
 * none sleeps on the event; a release signals it.
 *
 *     killed                             then
 *     owner                              the kernel marks its cells: free for whoever comes;
 *                                        sleepers look every 50 ms
 *     while acquiring, before the claim  nothing has happened
 *     … after it                         an owner has died
 *     while releasing, before the word   an owner has died
 *     … after it, before the signal      the permit is free; sleepers look every 50 ms
 *
 * The mark D of a dead owner goes when its permit is taken again; there is nothing to repair.
 */
#include "sync/kinds.h"
#include "sync/wait.h"

static acre__event *permits_event(acre_permits *p)
{
    return (acre__event *)&p->event;
}

/* All zero is no set of permits. */
static int permits_check(const acre_permits *p)
{
    int e = acre__tag_error(acre__peek(&p->tag), ACRE__PERMITS);
    return !e && (p->count == 0 || p->count > ACRE_PERMITS_MAX) ? ACRE_EOBJECT : e;
}

size_t acre_permits_size(uint32_t n)
{
    return sizeof(acre_permits) + n * sizeof(acre_cell);
}

int acre_permits_init(acre_permits *p, uint32_t n)
{
    if (n == 0 || n > ACRE_PERMITS_MAX)
        return EINVAL;
    *p = (acre_permits){.count = n};
    for (uint32_t i = 0; i < n; i++)
        p->permit[i] = (acre_cell){.tag = ACRE__PERMITS};
    acre__store(&p->tag, (uint32_t)ACRE__PERMITS);
    return 0;
}

static bool permits_is_free(const acre_permits *p, uint32_t i)
{
    return acre__ownerless(acre__peek(&p->permit[i].word));
}

uint32_t acre_permits_free(const acre_permits *p)
{
    uint32_t n = 0;
    for (uint32_t i = 0; !permits_check(p) && i < p->count; i++)
        n += permits_is_free(p, i);
    return n;
}

int acre_permits_destroy(acre_permits *p)
{
    int e = permits_check(p);
    if (e || acre_permits_free(p) != p->count)
        return e ? e : EBUSY;
    acre__store(&p->tag, (uint32_t)ACRE__DESTROYED);
    acre__event_signal(permits_event(p), ACRE__WAKE_ALL);
    return 0;
}

/* ---- acquiring ---- */

static bool permits_claim(acre__self *s, acre_cell *c)
{
    uint32_t seen = acre__peek(&c->word);
    while (acre__ownerless(seen))
        if (acre__cell_claim(s, c, &seen, s->tid))
            return true;
    return false;
}

static uint32_t permits_hint(const acre_permits *p)
{
    uint32_t hint = acre__peek(&p->hint);
    return hint < p->count ? hint : 0;
}

/* Claim any from `first` on. */
static bool permits_claim_any(acre__self *s, acre_permits *p, uint32_t first, uint32_t *permit)
{
    for (uint32_t n = p->count, i = first; n--; i = i + 1 == p->count ? 0 : i + 1)
        if (permits_claim(s, &p->permit[i])) {
            acre__put(&p->hint, i + 1);
            *permit = i;
            return true;
        }
    return false;
}

int acre_permits_try(acre_permits *p, uint32_t *permit)
{
    acre__self *s = acre__self_get();
    int e = permits_check(p);
    if (e || acre__self_busy(s))
        return e ? e : EDEADLK;
    return permits_claim_any(s, p, permits_hint(p), permit) ? 0 : EAGAIN;
}

/* Watch the one place that a release would point to. */
static void permits_spin(const acre_permits *p)
{
    acre__spinner spin = acre__spin_begin(ACRE__SPIN_SOON);
    bool found;
    while (!(found = permits_is_free(p, permits_hint(p))) && acre__spin(&spin))
        ;
    acre__spun(&spin, found);
}

static __attribute__((noinline)) int permits_wait(acre_permits *p, uint32_t *permit,
                                                  const struct timespec *deadline)
{
    for (;;) {
        permits_spin(p);
        uint32_t seen = acre__event_look(permits_event(p));
        int e = acre_permits_try(p, permit);
        if (e != EAGAIN)
            return e;
        if (acre__expired(deadline))
            return ETIMEDOUT;
        acre__event_sleep(permits_event(p), seen, deadline);
    }
}

int acre_permits_acquire_until(acre_permits *p, uint32_t *permit, const struct timespec *deadline)
{
    int e = acre_permits_try(p, permit);
    return e == EAGAIN ? permits_wait(p, permit, deadline) : e;
}

int acre_permits_acquire(acre_permits *p, uint32_t *permit)
{
    return acre_permits_acquire_until(p, permit, NULL);
}

int acre_permits_release(acre_permits *p, uint32_t permit)
{
    acre__self *s = acre__self_here();
    int e = permits_check(p);
    if (e || permit >= p->count)
        return e ? e : EINVAL;
    if (!acre__cell_mine(s, &p->permit[permit]))
        return EPERM;
    acre__cell_release(s, &p->permit[permit]);
    acre__put(&p->hint, permit);
    acre__event_signal(permits_event(p), 1);
    return 0;
}

/* ---- for acre_wait_any() ---- */

static bool permits_ready(void *object)
{
    const acre_permits *p = object;
    if (permits_check(p))
        return true;
    for (uint32_t i = 0; i < p->count; i++)
        if (permits_is_free(p, i))
            return true;
    return false;
}

static const uint32_t *permits_prepare(void *object, uint32_t *expected)
{
    acre_permits *p = object;
    *expected = acre__event_look(permits_event(p));
    return &p->event;
}

static void permits_leave(void *object)
{
    if (permits_ready(object))
        acre__event_wake(permits_event(object), 1);
}

acre_waitable acre_permits_waitable(acre_permits *p)
{
    static const struct acre__wait_methods methods = {permits_ready, permits_prepare,
                                                      permits_leave};
    return (acre_waitable){p, permits_check(p) ? NULL : &methods};
}
