/* SPDX-License-Identifier: MIT */
/* scenes.c: what happens between the parts of a heap.  Each scene brings it about by ordinary calls, and
 * looks (shards.h) whether it is what its name says before anything is done to it:
 *
 *   free …          a node of the owner's goes home, as the victim's magazine has no room
 *   collect …       what others freed of the victim's nodes is used again
 *   collect_help    … while one that sends stands between its bit and its end
 *   adopt …         the victim takes over a dead one's part, with what that was in the middle of
 *   drain, detach, relieve   parts are emptied, given up, emptied for the dead
 *   birth, chunk, end, grow  of a slab; of a part of the map; of a slab; of the segment */
#include "tests/crash/party.h"

#include "tests/crash/shards.h"

#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    SCENE_LARGE = 900,
    SCENE_OWN = 48,
    SCENE_FEW = 8,
    SCENE_SLABS = 64,
    SCENE_BORDER = 2048 /* the map covers some more than the segment was */
};

#define SCENE_IS(p, cond)                                                                          \
    ((cond) ? (void)0 : crash_give_up("%s is not what it is called: %s", (p)->scene->name, #cond))

/* ---- calls that must not fail ---- */

static void *scene_at(const party *p, size_t slot)
{
    return acre_segment_address(p->p.s, p->p.block[slot]);
}

static void scene_put(party *p, size_t slot)
{
    if (published_put(&p->p, slot, PARTY_NODE) || !p->p.block[slot])
        crash_give_up("%s: there is no room", p->scene->name);
}

static void scene_drop(party *p, size_t slot)
{
    if (published_drop(&p->p, slot))
        crash_give_up("%s: a block cannot be freed", p->scene->name);
}

/* Out of the slot, into the victim's hand. */
static void scene_take(party *p, size_t hand, size_t slot)
{
    p->hand[hand] = scene_at(p, slot);
    p->p.block[slot] = 0;
}

static uint32_t scene_me(const party *p)
{
    return shards_mine(p->p.h);
}

/* ---- the owner ---- */

/* Until it would have to ask for more. */
static void scene_fill(party *p, enum party_guest g, size_t least)
{
    for (size_t i = 0; i < PARTY_HELD; i++) {
        if (i >= least && shards_at_hand(p->p.h, scene_me(p), scene_at(p, party_slot(g, 0))) == 0)
            return;
        if (!p->p.block[party_slot(g, i)])
            scene_put(p, party_slot(g, i));
    }
}

void party_fill_owner(party *p)
{
    scene_fill(p, PARTY_OWNER, SCENE_OWN);
}

/* ---- the victim's beginnings ---- */

/* A part of one's own, with nodes that the owner will free. */
static void scene_arrive(party *p)
{
    for (size_t i = SCENE_OWN; i < PARTY_HELD; i++)
        scene_put(p, party_slot(PARTY_VICTIM, i));
    SCENE_IS(p, scene_me(p) != SHARDS_NONE);
}

/* Free a guest's nodes from its slots until the magazine is full; the next slot. */
static size_t scene_fill_magazine(party *p, enum party_guest g)
{
    size_t i = 0;
    const void *like = scene_at(p, party_slot(g, 0));
    while (i < PARTY_HELD && p->p.block[party_slot(g, i)] &&
           !shards_full(p->p.h, scene_me(p), like))
        scene_drop(p, party_slot(g, i++));
    SCENE_IS(p, shards_full(p->p.h, scene_me(p), like));
    SCENE_IS(p, p->p.block[party_slot(g, i)]);
    return i;
}

/* The magazine is full; four of the owner's nodes in hand, of which the first goes home first. */
static void before_free(party *p)
{
    scene_arrive(p);
    size_t i = party_slot(PARTY_OWNER, scene_fill_magazine(p, PARTY_OWNER));
    for (size_t k = 0; k < p->scene->first; k++)
        scene_take(p, k, i + k);
    SCENE_IS(p, shards_owner(p->p.h, p->hand[0]) != scene_me(p));
    SCENE_IS(p, !shards_waiting_beside(p->p.h, p->hand[0]));
}

/* Another one has gone before it. */
static void before_free_next(party *p)
{
    scene_arrive(p);
    size_t i = party_slot(PARTY_OWNER, scene_fill_magazine(p, PARTY_OWNER));
    scene_take(p, 0, i);
    scene_drop(p, i + 1);
    scene_take(p, 1, i + 2);
    SCENE_IS(p, acre_free(p->p.h, p->hand[1]) == 0);
    SCENE_IS(p, shards_waiting_beside(p->p.h, p->hand[0]));
}

static void run_free(party *p)
{
    (void)acre_free(p->p.h, p->hand[0]);
}

static void run_free_many(party *p)
{
    (void)acre_free_many(p->p.h, PARTY_HANDS, p->hand);
}

static void run_realloc(party *p)
{
    (void)!acre_realloc(p->p.h, p->hand[0], 3 * PARTY_NODE);
}

static void before_free_from(party *p)
{
    scene_arrive(p);
    (void)scene_fill_magazine(p, PARTY_OWNER);
}

static void run_free_from(party *p)
{
    size_t i = 0;
    while (!p->p.block[party_slot(PARTY_OWNER, i)])
        i++;
    (void)acre_free_from(p->p.h, &p->p.block[party_slot(PARTY_OWNER, i)]);
}

/* ---- its own nodes ---- */

/* The magazine is empty, and where its first entry will be there is one of before, in use again. */
static void before_free_cached(party *p)
{
    scene_arrive(p);
    scene_take(p, 0, party_slot(PARTY_VICTIM, PARTY_HELD - 1));
    scene_drop(p, party_slot(PARTY_VICTIM, SCENE_OWN));
    scene_put(p, party_slot(PARTY_VICTIM, SCENE_OWN));
}

static void before_free_own(party *p)
{
    scene_arrive(p);
    scene_fill(p, PARTY_VICTIM, SCENE_OWN);
    (void)scene_fill_magazine(p, PARTY_VICTIM);
}

static void run_free_own(party *p)
{
    size_t i = 0;
    while (!p->p.block[party_slot(PARTY_VICTIM, i)])
        i++;
    (void)acre_free_from(p->p.h, &p->p.block[party_slot(PARTY_VICTIM, i)]);
}

/* ---- the other one ---- */

/* Frees the victim's nodes: first what its magazine takes, then some that go home. */
static void other_frees(void *arg)
{
    party *p = arg;
    size_t i = scene_fill_magazine(p, PARTY_VICTIM);
    for (size_t k = 0; k < SCENE_FEW; k++)
        scene_drop(p, party_slot(PARTY_VICTIM, i + k));
}

static void scene_other(party *p, void (*work)(void *))
{
    int status;
    pid_t other = crash_child(work, p);
    SCENE_IS(p, waitpid(other, &status, 0) == other && status == 0);
}

static void before_collect(party *p)
{
    scene_fill(p, PARTY_VICTIM, SCENE_OWN);
    scene_other(p, other_frees);
    const void *like = scene_at(p, party_slot(PARTY_VICTIM, SCENE_OWN));
    SCENE_IS(p, shards_at_hand(p->p.h, scene_me(p), like) == 0);
}

static void run_alloc(party *p)
{
    p->ground->none = !acre_alloc(p->p.h, PARTY_NODE);
}

static void run_alloc_into(party *p)
{
    (void)acre_alloc_into(p->p.h, &p->p.block[party_slot(PARTY_VICTIM, 0)], PARTY_NODE);
}

/* ---- one that stands in the middle of a call, or has died there ---- */

static void other_fills_magazine(void *arg)
{
    party *p = arg;
    (void)scene_fill_magazine(p, PARTY_VICTIM);
}

static void other_sends(void *arg)
{
    party *p = arg;
    run_free_own(p);
}

/* Its node has arrived, the victim has a hint, and the record still stands. */
static void scene_lead_to_arrival(party *p, uint32_t other)
{
    acre_heap *h = p->p.h;
    p->stands = captive_begin_behind(other_fills_magazine, other_sends, p);
    while (!(shards_under_way(h, other) == SHARDS_SEND && shards_arrived(h, other) &&
             shards_hinted(h, scene_me(p))))
        SCENE_IS(p, captive_step(&p->stands));
}

/* The number that the next one gets: nobody has come since. */
static uint32_t scene_next(const party *p)
{
    return scene_me(p) + 1;
}

static void before_collect_help(party *p)
{
    scene_fill(p, PARTY_VICTIM, SCENE_OWN);
    scene_lead_to_arrival(p, scene_next(p));
}

static void before_settle_sent(party *p)
{
    before_collect_help(p);
    run_alloc_into(p);
    SCENE_IS(p, shards_under_way(p->p.h, scene_next(p)) == SHARDS_SENT);
    captive_kill(&p->stands);
}

static void run_settle(party *p)
{
    (void)acre_heap_free_memory(p->p.h);
}

static void other_comes(void *arg)
{
    party *p = arg;
    for (size_t i = 0; i < SCENE_OWN; i++)
        scene_put(p, party_slot(PARTY_OTHER, i));
}

static void other_publishes(void *arg)
{
    party *p = arg;
    (void)acre_alloc_into(p->p.h, &p->p.block[party_slot(PARTY_OTHER, SCENE_OWN)], PARTY_NODE);
}

static void other_retracts(void *arg)
{
    party *p = arg;
    (void)acre_free_from(p->p.h, &p->p.block[party_slot(PARTY_OTHER, 0)]);
}

/* Dies as soon as its record says this. */
static void scene_dies_in(party *p, void (*before)(void *), void (*work)(void *),
                          enum shards_record in)
{
    uint32_t other = 1; /* the owner has 0, and the victim has none yet */
    captive v = captive_begin_behind(before, work, p);
    while (shards_under_way(p->p.h, other) != in)
        SCENE_IS(p, captive_step(&v));
    captive_kill(&v);
    SCENE_IS(p, !shards_held(p->p.h, other));
}

static void before_adopt_into(party *p)
{
    scene_dies_in(p, other_comes, other_publishes, SHARDS_INTO);
}

/* Its slot names the node, and its record still stands. */
static void before_adopt_filled(party *p)
{
    const acre_off *slot = &p->p.block[party_slot(PARTY_OTHER, SCENE_OWN)];
    captive v = captive_begin_behind(other_comes, other_publishes, p);
    while (!*slot)
        SCENE_IS(p, captive_step(&v));
    captive_kill(&v);
    SCENE_IS(p, shards_under_way(p->p.h, 1) == SHARDS_INTO);
}

static void before_adopt_from(party *p)
{
    scene_dies_in(p, other_comes, other_retracts, SHARDS_FROM);
}

static void other_fills_with_owners(void *arg)
{
    party *p = arg;
    other_comes(p);
    (void)scene_fill_magazine(p, PARTY_OWNER);
}

static void other_frees_owners(void *arg)
{
    run_free_from(arg);
}

static void before_adopt_send(party *p)
{
    scene_dies_in(p, other_fills_with_owners, other_frees_owners, SHARDS_SEND);
}

static void other_dies_idle(void *arg)
{
    party *p = arg;
    other_fills_with_owners(p);
    kill(getpid(), SIGKILL);
}

static void before_adopt(party *p)
{
    int status;
    pid_t other = crash_child(other_dies_idle, p);
    SCENE_IS(p, waitpid(other, &status, 0) == other && WIFSIGNALED(status));
    SCENE_IS(p, scene_me(p) == SHARDS_NONE);
}

/* ---- parts that are emptied ---- */

static void before_drain(party *p)
{
    before_free_from(p);
    for (size_t i = SCENE_OWN; i < PARTY_HELD - SCENE_FEW; i++)
        scene_drop(p, party_slot(PARTY_VICTIM, i));
}

static void run_drain(party *p)
{
    (void)acre_heap_free_empty(p->p.h);
}

static void run_detach(party *p)
{
    acre_heap_detach(p->p.h);
}

/* Whole slabs, which only the dead one's part has. */
static void other_comes_and_stays(void *arg)
{
    party *p = arg;
    other_comes(p);
    for (size_t i = 0; i < SCENE_OWN; i++)
        scene_drop(p, party_slot(PARTY_OTHER, i));
    pause();
}

static void scene_exhaust(party *p, size_t size)
{
    for (size_t i = 0; i < SCENE_OWN; i++)
        if (!p->p.block[party_slot(PARTY_VICTIM, i)])
            (void)published_put(&p->p, party_slot(PARTY_VICTIM, i), size);
}

static void before_relieve(party *p)
{
    int status;
    scene_arrive(p);
    pid_t other = crash_child(other_comes_and_stays, p);
    while (!shards_held(p->p.h, scene_next(p)) || p->p.block[party_slot(PARTY_OTHER, 0)] ||
           p->p.block[party_slot(PARTY_OTHER, SCENE_OWN - 1)])
        usleep(100);
    scene_exhaust(p, SCENE_LARGE);
    SCENE_IS(p, !acre_alloc(p->p.h, SCENE_LARGE));
    kill(other, SIGKILL);
    waitpid(other, &status, 0);
}

static void run_alloc_large(party *p)
{
    p->ground->none = !acre_alloc(p->p.h, SCENE_LARGE);
}

/* ---- slabs, map, segment ---- */

static void before_birth(party *p)
{
    scene_fill(p, PARTY_VICTIM, SCENE_OWN);
    const void *like = scene_at(p, party_slot(PARTY_VICTIM, 0));
    SCENE_IS(p, shards_at_hand(p->p.h, scene_me(p), like) == 0);
}

/* What lies where the segment was when it was created is in use: the next slab lies behind. */
static void before_chunk(party *p)
{
    size_t chunks = shards_chunks(p->p.h);
    for (size_t i = 0; i < SCENE_OWN; i++) {
        size_t slot = party_slot(PARTY_VICTIM, i);
        if (published_put(&p->p, slot, SCENE_LARGE) || !p->p.block[slot])
            crash_give_up("chunk: there is no room");
        if (p->p.block[slot] < PARTY_LEAST + SCENE_BORDER)
            continue;
        scene_drop(p, slot);
        break;
    }
    SCENE_IS(p, shards_chunks(p->p.h) == chunks);
}

/* Two slabs and the beginning of one that serves: from the end on nodes fill the magazine; of the second slab
 * one is free, of the first all but the one in hand. */
static void before_end(party *p)
{
    size_t n = SCENE_SLABS, spared = 1;
    for (size_t i = 0; i < n; i++)
        scene_put(p, party_slot(PARTY_VICTIM, i));
    const void *last = scene_at(p, party_slot(PARTY_VICTIM, n - 1));
    scene_take(p, 0, party_slot(PARTY_VICTIM, 0));
    while (!shards_full(p->p.h, scene_me(p), p->hand[0]))
        scene_drop(p, party_slot(PARTY_VICTIM, --n));
    for (size_t i = 1; i < n; i++) {
        const void *at = scene_at(p, party_slot(PARTY_VICTIM, i));
        bool first = shards_together(p->p.h, at, p->hand[0]);
        bool second = !first && !shards_together(p->p.h, at, last);
        if (first || (second && spared)) {
            scene_drop(p, party_slot(PARTY_VICTIM, i));
            spared -= second;
        }
    }
}

static void run_grow(party *p)
{
    (void)acre_segment_grow(p->p.s, PARTY_SIZE);
}

const party_scene party_scenes[] = {
    {"free", before_free, run_free, .first = 1},
    {"free_cached", before_free_cached, run_free, .first = 1},
    {"free_next", before_free_next, run_free, .first = 1},
    {"free_many", before_free, run_free_many, .first = 4},
    {"free_from", before_free_from, run_free_from, .named = -1},
    {"free_from_own", before_free_own, run_free_own, .named = -1},
    {"realloc", before_free, run_realloc, .first = 1, .last = 1, .most = 2},
    {"collect", before_collect, run_alloc, .last = 1},
    {"collect_into", before_collect, run_alloc_into, .named = 1},
    {"collect_help", before_collect_help, run_alloc, .last = 1},
    {"settle_sent", before_settle_sent, run_settle, .last = 0},
    {"adopt", before_adopt, run_alloc, .last = 1},
    {"adopt_into", before_adopt_into, run_alloc, .last = 1, .flags = PARTY_INHERITS},
    {"adopt_filled", before_adopt_filled, run_alloc, .last = 1, .flags = PARTY_INHERITS},
    {"adopt_from", before_adopt_from, run_alloc, .last = 1, .flags = PARTY_INHERITS},
    {"adopt_send", before_adopt_send, run_alloc, .last = 1, .flags = PARTY_INHERITS},
    {"drain", before_drain, run_drain, .last = 0, .slabs = -1},
    {"detach", before_free_from, run_detach, .last = 0},
    {"relieve", before_relieve, run_alloc_large, .last = 1, .slabs = -1},
    {"birth", before_birth, run_alloc, .last = 1, .slabs = 1},
    {"chunk", before_chunk, run_alloc, .last = 1, .slabs = 1, .chunks = 1},
    {"end", before_end, run_free, .first = 1, .slabs = -1},
    {"grow", before_free_from, run_grow, .flags = PARTY_GROWS},
    {.name = NULL},
};

/* ---- the owner, meanwhile: its first slots are the others' to empty ---- */

enum { ACT_OWN = 12, ACT_PLAIN = 72 };

static void act_wrong(party *p, bool wrong)
{
    if (wrong)
        p->ground->wrong = 1;
}

static void act_drop(party *p, size_t slot)
{
    if (p->p.block[slot])
        act_wrong(p, published_drop(&p->p, slot) != NULL);
}

/* Some more of the victim's each time. */
static void act_free_victims(party *p, uint32_t turn)
{
    for (size_t i = 0; i < SCENE_FEW; i++)
        act_drop(p, party_slot(PARTY_VICTIM,
                               SCENE_OWN + turn * SCENE_FEW % (PARTY_HELD - SCENE_OWN) + i));
}

static void act_free_own(party *p, uint64_t *seed)
{
    for (int i = 0; i < ACT_OWN; i++)
        act_drop(p, party_slot(PARTY_OWNER, SCENE_OWN + crash_below(seed, PARTY_HELD - SCENE_OWN)));
}

/* More than is at hand: a slab has to come, and may go again. */
static void act_in_hand(party *p)
{
    void *held[ACT_PLAIN];
    for (int i = 0; i < ACT_PLAIN; i++)
        held[i] = acre_alloc(p->p.h, PARTY_NODE);
    for (int i = 0; i < ACT_PLAIN; i++)
        act_wrong(p, acre_free(p->p.h, held[i]) != 0);
}

/* As many as it has slots: its own nodes, what others freed of them. */
static void act_fill(party *p)
{
    for (size_t i = SCENE_OWN; i < PARTY_HELD; i++)
        if (!p->p.block[party_slot(PARTY_OWNER, i)])
            act_wrong(p, published_put(&p->p, party_slot(PARTY_OWNER, i), PARTY_NODE) != NULL);
}

/* Whoever publishes where a dead one did finishes what that one was about; or whoever has looked at the heap. */
static void act_inherit(party *p, uint64_t *seed)
{
    if (crash_below(seed, 2))
        (void)acre_heap_free_memory(p->p.h);
    for (size_t i = 0; i < SCENE_FEW; i++)
        act_drop(p, party_slot(PARTY_OTHER, i));
    act_drop(p, party_slot(PARTY_OTHER, SCENE_OWN));
}

void party_act(party *p, uint32_t turn, uint64_t *seed)
{
    if (p->scene->flags & PARTY_INHERITS)
        act_inherit(p, seed);
    act_free_victims(p, turn);
    act_in_hand(p);
    act_free_own(p, seed);
    act_fill(p);
}
