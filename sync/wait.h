/* SPDX-License-Identifier: MIT */
/* wait.h: what an object offers to acre_wait_any() (wait_any.c).
 *
 * For each object: ready?  If none is, prepare all; ready now?  If still none is, sleep on all the
 * words at once, for 50 ms at most (a death may have cost the wake-up), and begin again.
 *
 * An object that sleeps on an event (park.h) needs one line each:
 *
 *     ready     whether there is something to take
 *     prepare   *expected = acre__event_look(e); return &e->word;
 *     leave     if there is something to take: acre__event_wake(e, 1)
 */
#ifndef ACRE_SYNC_WAIT_H
#define ACRE_SYNC_WAIT_H

#include "sync/park.h"

enum { ACRE__WAIT_ANY_MAX = 64 };

struct acre__wait_methods {
    /* Whether the operation waited for would not wait now (it may fail at once, too). */
    bool (*ready)(void *object);
    /* Announce a sleeper, so that whoever makes the object ready changes and wakes the futex word
     * returned; *expected is the value to sleep on.  The word lies in the object. */
    const uint32_t *(*prepare)(void *object, uint32_t *expected);
    /* After preparing: this thread sleeps no longer.  It may have got a wake-up that it does not
     * use: pass it on.  NULL: nobody else can be asleep. */
    void (*leave)(void *object);
};

#endif
