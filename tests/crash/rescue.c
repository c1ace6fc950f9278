/* SPDX-License-Identifier: MIT */
/* rescue.c: the victim of remote.c's scenes has died in the middle of its call, and so does the one that comes
 * next, at every instruction of taking over.
 *
 *   victim     ▏ ▏ ▏ ▏▏ ▏ ▏▏ ▏     images in which a record says that something is under way, or the journal
 *                  │                does; some of them
 *                  ▼
 *   rescuer       ▏ ▏▏ ▏ ▏▏ ▏      takes over the parts of all that have gone, instruction by instruction
 *                    │ each changed image
 *                    ▼
 *   the next one     the same, and is judged */
#include "tests/crash/party.h"
#include "tests/crash/shards.h"
#include "tests/crash/victim.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    RESCUE_SECONDS = 20, /* for one death */
    RESCUE_QUIET = 1024, /* instructions between two looks at the watch */
    RESCUE_USED_ON = 8,  /* of so many images one is used on */
    RESCUE_IMAGES = 512,
    RESCUE_MOST =
        6, /* deaths of the victim, one at random of each part of its way; --quick: one, */
    RESCUE_SCENES = 5 /* in every so many-th scene */
};

static bool rescue_worthwhile(size_t scene)
{
    return !crash_chosen.quick || crash_chosen.operation ||
           (scene + crash_chosen.seed) % RESCUE_SCENES == 0;
}

static void rescue_plan(const crash_part *self)
{
    party_plan(self, RESCUE_SECONDS, rescue_worthwhile);
}

/* ---- the victim's images ---- */

typedef struct rescue_images {
    party *p;
    size_t n;
    char *image[RESCUE_IMAGES];
} rescue_images;

static bool rescue_unfinished(const party *p)
{
    bool any = corpse_unfinished(p->room.bytes);
    for (uint32_t i = 0; i < PARTY_GUESTS; i++)
        any |= shards_under_way(p->p.h, i) != SHARDS_IDLE;
    return any;
}

static bool rescue_keep(void *arg, bool changed, uint64_t address)
{
    rescue_images *k = arg;
    (void)address;
    if (!changed || k->n == RESCUE_IMAGES || (k->n && !rescue_unfinished(k->p)))
        return true;
    char *image = malloc(PARTY_SIZE);
    if (!image)
        crash_give_up("no memory");
    k->image[k->n++] = memcpy(image, k->p->room.bytes, PARTY_SIZE);
    return true;
}

static void rescue_collect(rescue_images *k)
{
    victim_script script = {party_run,   k->p, k->p->room.bytes, PARTY_SIZE,
                            rescue_keep, k,    party_before};
    party_begin(k->p);
    if (!victim_step_through(&script))
        crash_wrong(k->p->c, k->p->b, CRASH_HANG, "the operation does not come to its end");
    party_end(k->p);
}

/* ---- one rescuer ---- */

typedef struct rescue_watch {
    party *p;
    published q; /* the rescuer's */
    const char *bytes;
    bool good;
} rescue_watch;

static void rescue_work(void *arg)
{
    const rescue_watch *w = arg;
    (void)acre_heap_free_memory(w->q.h);
}

static bool rescue_wanted(const crash_board *b)
{
    return crash_chosen.at == CRASH_EVERYWHERE || crash_chosen.at == b->at;
}

static bool rescue_seen(void *arg, bool changed, uint64_t address)
{
    rescue_watch *w = arg;
    crash_board *b = w->p->b;
    b->at++;
    if (changed || b->at % RESCUE_QUIET == 0)
        alarm(RESCUE_SECONDS);
    if (!rescue_wanted(b))
        return true;
    if (changed || b->at == crash_chosen.at) {
        b->address = address;
        w->good = party_judge(w->p, w->bytes, false, b->n.images++ % RESCUE_USED_ON == 0);
    }
    b->n.injected++;
    b->n.recovered += w->good;
    return true;
}

static void rescue_one(party *p, const char *image)
{
    acre_segment *s;
    corpse k = corpse_new(PARTY_SIZE);
    rescue_watch w = {.p = p, .bytes = k.bytes, .good = true};
    if (corpse_open(&k, image, &s) != 0 || published_find(&w.q, s) != 0) {
        crash_wrong(p->c, p->b, CRASH_UNSOUND, "the segment cannot be opened");
        return;
    }
    victim_script script = {rescue_work, &w, k.bytes, PARTY_SIZE, rescue_seen, &w, NULL};
    if (!victim_step_through(&script))
        crash_wrong(p->c, p->b, CRASH_HANG, "taking over does not come to its end");
    acre_segment_close(s);
    corpse_free(&k);
}

static void rescue_run(const crash_case *c, crash_board *b)
{
    static rescue_images k;
    party p;
    party_open(&p, c, b);
    k = (rescue_images){.p = &p};
    rescue_collect(&k);
    size_t most = crash_chosen.quick ? 1 : RESCUE_MOST, parts = k.n < most ? k.n : most;
    for (size_t i = 0; i < parts; i++) {
        size_t from = i * k.n / parts, to = (i + 1) * k.n / parts;
        rescue_one(&p, k.image[from + crash_below(&p.seed, to - from)]);
    }
    while (k.n)
        free(k.image[--k.n]);
    party_close(&p);
}

const crash_part crash_part_rescue = {
    .name = "rescue",
    .summary = "a second death among the nodes of others, at every instruction of taking over",
    .plan = rescue_plan,
    .run = rescue_run,
};
