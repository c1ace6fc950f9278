/* SPDX-License-Identifier: MIT */
/* frozen.c: the victim of remote.c's scenes stands still for real, and the owner of the nodes goes on.
 *
 *     victim led to its i-th instruction ▸ SIGSTOP ▸ owner acts ▸ SIGKILL, or SIGCONT: done to its end
 *         ▸ owner acts again ▸ all are gone: judged
 *
 * At every instruction, not only where memory has changed: what one has read before it stopped it believes
 * when it goes on.  Nobody waits for one that stands but for the heap's lock, where slabs and the map change
 * and large blocks are: if the victim holds that, a peer that waits is no harm, and is counted. */
#include "tests/crash/party.h"
#include "tests/crash/shards.h"
#include "tests/process_state.h"

#include <string.h>
#include <time.h>
#include <unistd.h>

enum {
    FROZEN_SECONDS = 30, /* for one stop */
    FROZEN_QUICK = 6,    /* places a scene, and this way and that way in turn */
    FROZEN_CHOSEN = 60,  /* … if the scene is asked for */
    /* In the full run each, both ways, or so many that this is how often victims are stepped, but so many: */
    FROZEN_STEPS = 6000000,
    FROZEN_LEAST = 60,
    FROZEN_NAP_NS = 20000
};

static void frozen_plan(const crash_part *self)
{
    party_plan(self, FROZEN_SECONDS, NULL);
}

/* ---- the owner ---- */

/* It sleeps until the lock is free, which the victim has; or until a dead one's slots are settled, which the
 * victim is about. */
static bool frozen_owner_waits(const party *p)
{
    uint32_t victim = (uint32_t)p->victim.process;
    bool locked = corpse_owner(p->room.bytes) == victim && corpse_awaited(p->room.bytes);
    bool inherits = p->scene->flags & PARTY_INHERITS && shards_adopts(p->p.h, victim);
    return (locked || inherits) && process_state(p->owner) == 'S';
}

/* Or the alarm ends the case: it waits for nobody's lock. */
static void frozen_let_act(party *p)
{
    party_ask(p);
    while (!party_answered(p) && !frozen_owner_waits(p))
        nanosleep(&(struct timespec){.tv_nsec = FROZEN_NAP_NS}, NULL);
}

static void frozen_let_end(const party *p)
{
    while (!party_answered(p))
        nanosleep(&(struct timespec){.tv_nsec = FROZEN_NAP_NS}, NULL);
}

/* ---- one stop ---- */

static bool frozen_judge(party *p, bool over)
{
    static char image[PARTY_SIZE];
    if (p->ground->wrong) {
        crash_wrong(p->c, p->b, CRASH_UNSOUND, "a call of the owner's failed");
        return false;
    }
    memcpy(image, p->room.bytes, PARTY_SIZE);
    return party_judge(p, image, over, true);
}

static bool frozen_one(party *p, bool dies)
{
    captive_stop(&p->victim);
    frozen_let_act(p);
    p->b->n.waited += !party_answered(p);
    if (dies)
        captive_kill(&p->victim);
    else
        captive_go_on(&p->victim);
    frozen_let_end(p);
    party_ask(p);
    frozen_let_end(p);
    return frozen_judge(p, !dies);
}

static void frozen_stop(party *p, size_t place, bool dies)
{
    alarm(FROZEN_SECONDS);
    p->b->at = place;
    party_begin(p);
    p->victim = captive_begin_behind(party_before, party_run, p);
    while (p->victim.done < place && captive_step(&p->victim))
        ;
    p->b->address = captive_address(&p->victim);
    p->b->n.injected++;
    p->b->n.recovered += frozen_one(p, dies);
    captive_kill(&p->victim);
    party_end(p);
}

/* ---- all of a scene ---- */

static size_t frozen_measure(party *p)
{
    party_begin(p);
    captive v = captive_begin_behind(party_before, party_run, p);
    while (captive_step(&v))
        ;
    captive_kill(&v);
    party_end(p);
    return v.done;
}

static void frozen_both_ways(party *p, size_t place, size_t turn)
{
    for (size_t dies = 0; dies < 2; dies++)
        if (!crash_chosen.quick || crash_chosen.at == place || dies == turn % 2)
            frozen_stop(p, place, dies);
}

/* A victim is led to each place from its beginning. */
static size_t frozen_places(size_t n)
{
    size_t most = FROZEN_STEPS / (n + 1);
    if (crash_chosen.quick)
        most = crash_chosen.operation ? FROZEN_CHOSEN : FROZEN_QUICK;
    else
        most = most < FROZEN_LEAST ? FROZEN_LEAST : most;
    return n < most ? n : most;
}

/* Every instruction; or in as many parts of the way one at random each. */
static void frozen_run(const crash_case *c, crash_board *b)
{
    party p;
    party_open(&p, c, b);
    size_t n = frozen_measure(&p), parts = frozen_places(n);
    for (size_t i = 0; i < parts; i++) {
        size_t from = i * n / parts, to = (i + 1) * n / parts;
        size_t place = from + crash_below(&p.seed, to - from);
        if (crash_chosen.at == CRASH_EVERYWHERE)
            frozen_both_ways(&p, place, i);
    }
    if (crash_chosen.at != CRASH_EVERYWHERE)
        frozen_both_ways(&p, crash_chosen.at, 0);
    party_close(&p);
}

const crash_part crash_part_frozen = {
    .name = "frozen",
    .summary =
        "stopped among the nodes of others, whose owner goes on; then it dies, or goes on too",
    .plan = frozen_plan,
    .run = frozen_run,
};
