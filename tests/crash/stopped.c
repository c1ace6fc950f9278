/* SPDX-License-Identifier: MIT */
/* stopped.c: a process is stopped in the middle of an operation.
 *
 *     victim led to where the memory has changed ▸ SIGSTOP ▸ peer waits ▸ reader looks ▸ peer still waits
 *         ▸ SIGCONT: the operation is done to its end, then the peer's            ▸ judge: after
 *         ▸ or SIGKILL: the peer recovers                                          ▸ judge: before or after
 *
 * A stopped owner is not robbed: nobody can tell it from a slow one.  A read-only reader is held up by
 * nobody: it tells EAGAIN, or totals without a walk. */
#include "tests/crash/scene.h"

#include <errno.h>
#include <sys/wait.h>

enum { STOPPED_QUICK = 3, STOPPED_MOST = 24 };

static int stopped_visit(void *arg, const acre_block *b)
{
    (void)arg;
    (void)b;
    return 0;
}

/* All or nothing: either the heap of one moment, or EAGAIN. */
static bool stopped_reads(acre_heap *h, bool held)
{
    acre_stats stats;
    int expected = held ? EAGAIN : 0;
    return acre_heap_stats(h, &stats) == 0 && stats.exact == !held &&
           acre_heap_walk(h, stopped_visit, NULL) == expected &&
           acre_heap_check(h, NULL) == expected;
}

static void stopped_reader(void *arg)
{
    scene *s = arg;
    acre_segment *view;
    acre_segment_options o = {.fd = s->shared.fd, .read_only = true};
    if (acre_segment_open(&view, ACRE_MEMFD, NULL, &o) != 0 ||
        !stopped_reads(acre_segment_heap(view), s->held))
        _exit(1);
}

/* Or the alarm ends the case: it is held up, or looks for ever. */
static bool stopped_read(scene *s)
{
    int status;
    pid_t reader = crash_child(stopped_reader, s);
    waitpid(reader, &status, 0);
    if (status)
        crash_wrong(s->c, s->b, CRASH_UNSOUND, "a reader does not see what it should, status %x",
                    (unsigned)status);
    return status == 0;
}

static bool stopped_one(scene *s, bool dies)
{
    captive_stop(&s->victim);
    bool good = scene_peer(s, dies) && stopped_read(s) && scene_peer_waits(s);
    s->b->n.images += s->peer != 0;
    if (!good)
        return false;
    if (dies)
        captive_kill(&s->victim);
    else
        captive_go_on(&s->victim);
    return scene_peer_ends(s) && scene_judge(s, !dies);
}

static void stopped_run(const crash_case *c, crash_board *b)
{
    static scene s;
    scene_open(&s, c, b, crash_chosen.quick ? STOPPED_QUICK : STOPPED_MOST);
    for (size_t i = 0; i < s.n; i++)
        for (int dies = 0; dies < 2; dies++) {
            if (!scene_wanted(s.place[i]))
                continue;
            scene_begin(&s, s.place[i]);
            b->n.injected++;
            b->n.recovered += stopped_one(&s, dies);
            scene_end(&s);
        }
    scene_close(&s);
}

const crash_part crash_part_stopped = {
    .name = "stopped",
    .summary = "stopped in an operation: peers wait, readers do not; then it goes on, or dies",
    .plan = scene_plan,
    .run = stopped_run,
};
