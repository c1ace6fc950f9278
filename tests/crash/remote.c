/* SPDX-License-Identifier: MIT */
/* remote.c: a death at every instruction of what concerns the nodes of others: they are freed, collected,
 * sent; parts of dead threads are taken over, emptied; slabs and the map grow.
 *
 *     owner lives, holds its nodes        victim  ▏i ▏i ▏i ▏ …     other: has died, or stands in a call
 *                                            │ each changed image
 *                                            ▼
 *                          all are gone: recovered, judged, used on, emptied */
#include "tests/crash/party.h"
#include "tests/crash/victim.h"

#include <unistd.h>

enum {
    REMOTE_SECONDS = 20, /* for one death */
    REMOTE_USED_ON = 8,  /* --quick: of so many images one is used on */
    REMOTE_QUIET = 1024  /* instructions between two looks at the watch */
};

static void remote_plan(const crash_part *self)
{
    party_plan(self, REMOTE_SECONDS, NULL);
}

static bool remote_wanted(const crash_board *b)
{
    return crash_chosen.at == CRASH_EVERYWHERE || crash_chosen.at == b->at;
}

typedef struct remote_watch {
    party *p;
    bool good; /* the last image's verdict */
} remote_watch;

static void remote_judge(remote_watch *w, uint64_t address)
{
    crash_board *b = w->p->b;
    b->address = address;
    bool use_on = !crash_chosen.quick || b->n.images % REMOTE_USED_ON == 0;
    b->n.images++;
    w->good = party_judge(w->p, w->p->room.bytes, false, use_on);
}

static bool remote_seen(void *arg, bool changed, uint64_t address)
{
    remote_watch *w = arg;
    crash_board *b = w->p->b;
    if (b->at++ == 0)
        party_note(w->p);
    if (changed || b->at % REMOTE_QUIET == 0)
        alarm(REMOTE_SECONDS);
    b->n.injected += remote_wanted(b);
    if (remote_wanted(b) && (changed || b->at == crash_chosen.at))
        remote_judge(w, address);
    b->n.recovered += w->good && remote_wanted(b);
    return true;
}

static void remote_run(const crash_case *c, crash_board *b)
{
    party p;
    party_open(&p, c, b);
    party_begin(&p);
    p.ordered = true;
    remote_watch w = {&p, true};
    victim_script script = {.run = party_run,
                            .arg = &p,
                            .memory = p.room.bytes,
                            .size = PARTY_SIZE,
                            .seen = remote_seen,
                            .seen_arg = &w,
                            .before = party_before};
    if (!victim_step_through(&script))
        crash_wrong(c, b, CRASH_HANG, "the operation does not come to its end");
    else
        party_expect(&p);
    party_end(&p);
    party_close(&p);
}

const crash_part crash_part_remote = {
    .name = "remote",
    .summary = "a death at every instruction of what concerns the nodes of others",
    .plan = remote_plan,
    .run = remote_run,
};
