/* SPDX-License-Identifier: MIT */
/* signal.c: real SIGKILLs, with a peer that waits for the lock.
 *
 *     victim led to where the memory has changed ▸ peer waits for the lock ▸ SIGKILL
 *         ▸ the kernel frees the lock, the peer recovers and uses the heap ▸ judge
 *
 * What a dead one leaves is the same as in step.c; here it is the kernel that finds the lock by the
 * thread's robust list and wakes the peer. */
#include "tests/crash/scene.h"

enum { SIGNAL_QUICK = 12, SIGNAL_MOST = 250 };

static bool signal_death(scene *s)
{
    bool good = scene_peer(s, true);
    s->b->n.images += s->peer != 0;
    captive_kill(&s->victim);
    return good && scene_peer_ends(s) && scene_judge(s, false);
}

static void signal_run(const crash_case *c, crash_board *b)
{
    static scene s;
    scene_open(&s, c, b, crash_chosen.quick ? SIGNAL_QUICK : SIGNAL_MOST);
    for (size_t i = 0; i < s.n; i++) {
        if (!scene_wanted(s.place[i]))
            continue;
        scene_begin(&s, s.place[i]);
        b->n.injected++;
        b->n.recovered += signal_death(&s);
        scene_end(&s);
    }
    if (!b->n.images && crash_chosen.at == CRASH_EVERYWHERE)
        crash_wrong(c, b, CRASH_UNSOUND, "no peer ever had to wait");
    scene_close(&s);
}

const crash_part crash_part_signal = {
    .name = "signal",
    .summary = "a SIGKILL while a peer waits for the lock",
    .plan = scene_plan,
    .run = signal_run,
};
