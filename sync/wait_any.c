/* SPDX-License-Identifier: MIT */
/* wait_any.c: acre_wait_any(), see wait.h.
 *
 * Killed anywhere: like any sleeper of each of the objects.  Who is woken and dies, or leaves
 * without using the wake-up, costs the other sleepers 50 ms, or nothing: leave() passes it on.
 */
#include "sync/wait.h"

static bool wait_any_ready(const acre_waitable *list, size_t n, size_t *which)
{
    for (size_t i = 0; i < n; i++)
        if (list[i].methods->ready(list[i].object)) {
            *which = i;
            return true;
        }
    return false;
}

static bool wait_any_spin(const acre_waitable *list, size_t n, size_t *which)
{
    bool ready = wait_any_ready(list, n, which);
    if (ready)
        return true;
    acre__spinner spin = acre__spin_begin(ACRE__SPIN_SOON);
    while (!ready && acre__spin(&spin))
        ready = wait_any_ready(list, n, which);
    acre__spun(&spin, ready);
    return ready;
}

static void wait_any_prepare(const acre_waitable *list, size_t n, acre__sleep *sleep)
{
    for (size_t i = 0; i < n; i++)
        sleep[i].word = list[i].methods->prepare(list[i].object, &sleep[i].expected);
}

static void wait_any_leave(const acre_waitable *list, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (list[i].methods->leave)
            list[i].methods->leave(list[i].object);
}

static int wait_any_sleep(const acre_waitable *list, size_t n, const struct timespec *deadline,
                          size_t *which)
{
    acre__sleep sleep[ACRE__WAIT_ANY_MAX];
    for (;;) {
        wait_any_prepare(list, n, sleep);
        if (wait_any_ready(list, n, which))
            return 0;
        if (acre__expired(deadline))
            return ETIMEDOUT;
        acre__park_any(sleep, n, deadline);
    }
}

static bool wait_any_valid(const acre_waitable *list, size_t n)
{
    for (size_t i = 0; i < n && n <= ACRE__WAIT_ANY_MAX; i++)
        if (!list[i].methods)
            return false;
    return n > 0 && n <= ACRE__WAIT_ANY_MAX;
}

int acre_wait_any(const acre_waitable *list, size_t n, const struct timespec *deadline,
                  size_t *which)
{
    if (!wait_any_valid(list, n))
        return EINVAL;
    if (wait_any_spin(list, n, which))
        return 0;
    int e = wait_any_sleep(list, n, deadline, which);
    wait_any_leave(list, n);
    return e;
}
