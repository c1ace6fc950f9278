/* SPDX-License-Identifier: MIT */
#include "tests/crash/scene.h"

#include "tests/process_state.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { SCENE_SIZE = 400, SCENE_STATES = 16, SCENE_LOCKS = 2, SCENE_NAP_NS = 20000 };

/* ---- the plan ---- */

static const struct scene_lock {
    const char *name;
    uint32_t kind;
} scene_locks[SCENE_LOCKS] = {{"robust", ACRE_LOCK_ROBUST}, {"spin", ACRE_LOCK_SPIN}};

/* An index: operation, state, lock. */
static void scene_plan_state(const crash_part *self, const acre_algorithm *a, size_t o, size_t i)
{
    static char names[SCENE_STATES][SCENE_LOCKS][40];
    for (size_t k = 0; k < SCENE_LOCKS; k++) {
        snprintf(names[i][k], sizeof names[i][k], "%s/%s", stage_states[i].name,
                 scene_locks[k].name);
        crash_plan(self, a, operations[o].name, names[i][k],
                   (o * SCENE_STATES + i) * SCENE_LOCKS + k, SCENE_SECONDS);
    }
}

static bool scene_chosen(size_t state)
{
    return !crash_chosen.quick || !strcmp(stage_states[state].name, "coalesce");
}

void scene_plan(const crash_part *self)
{
    const acre_algorithm *a;
    for (size_t i = 0; (a = crash_algorithm(i)); i++)
        for (size_t o = 0; operations[o].name; o++)
            for (size_t k = 0; stage_states[k].name; k++)
                if (scene_chosen(k) && (!operations[o].possible || operations[o].possible(a)))
                    scene_plan_state(self, a, o, k);
}

/* ---- the segment ---- */

static const operation *scene_operation(const crash_case *c)
{
    return &operations[c->index / SCENE_LOCKS / SCENE_STATES];
}

static void scene_reset(scene *s)
{
    int e = corpse_open(&s->shared, s->image, &s->t.s);
    if (e)
        crash_give_up("%s: %s", s->c->algorithm->name, acre_strerror(e));
    s->t.h = acre_segment_heap(s->t.s);
}

static void scene_make(scene *s)
{
    const operation *o = scene_operation(s->c);
    uint64_t seed = crash_seed(s->c);
    unsigned flags = o->flags & OPERATION_BACKWARDS ? STATE_HOLE_IN_FRONT : 0;
    const stage_state *state = &stage_states[s->c->index / SCENE_LOCKS % SCENE_STATES];
    s->origin = stage_make(s->c->algorithm, state, SCENE_SIZE, flags, &seed);
    if (o->prepare)
        o->prepare(&s->origin);
    acre_heap_detach(s->origin.h); /* the victim takes over what was kept for this thread */
    s->t = s->origin;
    s->shared = corpse_new(STAGE_SIZE);
    s->image = malloc(STAGE_SIZE);
    if (!s->image)
        crash_give_up("no memory");
    memcpy(s->image, acre_segment_base(s->origin.s), STAGE_SIZE);
    corpse_choose_lock(s->image, s->lock);
    s->j = judge_open(s->c, s->b, &s->origin, o, seed);
}

/* ---- places ---- */

static void scene_work(void *arg)
{
    scene *s = arg;
    scene_operation(s->c)->run(&s->t);
}

static void scene_dry_run(scene *s)
{
    static char last[STAGE_SIZE];
    scene_reset(s);
    memcpy(last, s->shared.bytes, STAGE_SIZE);
    captive v = captive_begin(scene_work, s);
    for (bool on = true; on;) {
        on = captive_step(&v);
        if (!memcmp(last, s->shared.bytes, STAGE_SIZE))
            continue;
        memcpy(last, s->shared.bytes, STAGE_SIZE);
        if (s->n == SCENE_PLACES)
            break;
        s->place[s->n++] = v.done;
    }
    captive_kill(&v);
    acre_segment_close(s->t.s);
}

static void scene_thin(scene *s, size_t most)
{
    if (s->n <= most)
        return;
    for (size_t i = 0; i < most; i++)
        s->place[i] = s->place[i * (s->n - 1) / (most - 1)];
    s->n = most;
}

void scene_open(scene *s, const crash_case *c, crash_board *b, size_t most)
{
    *s = (scene){.c = c, .b = b, .lock = scene_locks[c->index % SCENE_LOCKS].kind};
    alarm(SCENE_SECONDS);
    scene_make(s);
    scene_dry_run(s);
    scene_thin(s, most);
}

void scene_close(scene *s)
{
    judge_close(&s->j);
    corpse_free(&s->shared);
    stage_close(&s->origin);
    free(s->image);
}

bool scene_wanted(size_t place)
{
    return crash_chosen.at == CRASH_EVERYWHERE || crash_chosen.at == place;
}

/* ---- the captive ---- */

void scene_begin(scene *s, size_t place)
{
    alarm(SCENE_SECONDS);
    s->b->at = place;
    scene_reset(s);
    s->victim = captive_begin(scene_work, s);
    while (s->victim.done < place && captive_step(&s->victim))
        ;
    s->b->address = captive_address(&s->victim);
    s->held = corpse_locked(s->shared.bytes);
}

/* ---- the peer ---- */

typedef struct scene_order {
    scene *s;
    bool use;
} scene_order;

static void scene_peer_work(void *arg)
{
    const scene_order *order = arg;
    acre_heap *h = order->s->t.h;
    int e = acre_heap_check(h, NULL);
    void *p = order->use ? acre_alloc(h, SCENE_SIZE) : NULL;
    _exit(e || acre_free(h, p) != 0);
}

/* Asleep on the word, which then says so; or in one of the naps of those who poll. */
static bool scene_asleep(const scene *s)
{
    return s->lock == ACRE_LOCK_SPIN ? process_state(s->peer) == 'S'
                                     : corpse_awaited(s->shared.bytes);
}

static void scene_ended(scene *s, int status)
{
    s->peer = 0;
    s->peer_good = WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

bool scene_peer_waits(scene *s)
{
    int status;
    if (s->peer && waitpid(s->peer, &status, WNOHANG) == s->peer)
        scene_ended(s, status);
    if (s->peer || !s->held)
        return true;
    crash_wrong(s->c, s->b, CRASH_DOUBLED, "a peer came in while the lock was held");
    return false;
}

bool scene_peer(scene *s, bool use)
{
    scene_order order = {s, use};
    s->peer = crash_child(scene_peer_work, &order);
    while (s->peer && scene_peer_waits(s) && !(s->held && scene_asleep(s)))
        nanosleep(&(struct timespec){.tv_nsec = SCENE_NAP_NS}, NULL);
    return s->peer || !s->held;
}

bool scene_peer_ends(scene *s)
{
    int status;
    if (s->peer && waitpid(s->peer, &status, 0) == s->peer)
        scene_ended(s, status);
    if (!s->peer_good)
        crash_wrong(s->c, s->b, CRASH_UNSOUND, "a peer cannot use the heap");
    return s->peer_good;
}

/* ---- the verdict ---- */

bool scene_judge(scene *s, bool over)
{
    bool before = s->j.over;
    s->j.over |= over;
    bool good = judge_image(&s->j, s->shared.bytes, false);
    s->j.over = over ? before : s->j.over;
    if (good)
        s->b->n.in_hand += s->j.strangers;
    return good;
}

void scene_end(scene *s)
{
    int status;
    captive_kill(&s->victim);
    if (s->peer) {
        kill(s->peer, SIGKILL);
        waitpid(s->peer, &status, 0);
    }
    s->peer = 0;
    acre_segment_close(s->t.s);
}
