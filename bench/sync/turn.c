/* SPDX-License-Identifier: MIT */
/* turn.c: what processes wake each other with: two take turns; and a condition that nobody waits
 * for is notified, alone and by two at once.
 *
 *     asks                                  serves
 *     semaphores  give first, take second   take first, give second
 *     condition   turn = 1, notify,         wait for turn 1,
 *                 wait for turn 0           turn = 0, notify
 */
#include "bench/sync/turn.h"

#include "bench/sync/suites.h"
#include "bench/sync/team.h"

#include <string.h>

static const turn_kind *turn_of(const team_case *c)
{
    return c->kind;
}

static turn_place *turn_at(team_arena *a)
{
    return (turn_place *)a->object;
}

static const char *turn_init(const team_case *c, team_arena *a)
{
    return turn_of(c)->init(c->kind, turn_at(a));
}

/* ---- two semaphores ---- */

static bool turn_pass(const turn_kind *k, void *give, void *take, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (k->give(give) || k->take(take))
            return false;
    return true;
}

static bool turn_answer(const turn_kind *k, void *take, void *give, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (k->take(take) || k->give(give))
            return false;
    return true;
}

static bool turn_semaphores(const team_case *c, team_arena *a, unsigned who, size_t n)
{
    turn_place *p = turn_at(a);
    return who == 0 ? turn_pass(turn_of(c), p->first, p->second, n)
                    : turn_answer(turn_of(c), p->first, p->second, n);
}

/* ---- a mutex and a condition ---- */

static bool turn_await(const turn_kind *k, turn_place *p, uint32_t turn)
{
    int error = 0;
    while (p->turn != turn && !error)
        error = k->wait(p->second, p->first);
    return error == 0;
}

static void turn_set(const turn_kind *k, turn_place *p, uint32_t turn)
{
    p->turn = turn;
    k->notify(p->second);
}

static bool turn_ask(const turn_kind *k, turn_place *p)
{
    if (k->lock(p->first))
        return false;
    turn_set(k, p, 1);
    bool answered = turn_await(k, p, 0);
    k->unlock(p->first);
    return answered;
}

static bool turn_serve(const turn_kind *k, turn_place *p)
{
    if (k->lock(p->first))
        return false;
    bool asked = turn_await(k, p, 1);
    turn_set(k, p, 0);
    k->unlock(p->first);
    return asked;
}

static bool turn_condition(const team_case *c, team_arena *a, unsigned who, size_t n)
{
    bool (*half)(const turn_kind *, turn_place *) = who == 0 ? turn_ask : turn_serve;
    bool ok = true;
    for (size_t i = 0; i < n && ok; i++)
        ok = half(c->kind, turn_at(a));
    return ok;
}

/* ---- nobody waits ---- */

static bool turn_notify(const team_case *c, team_arena *a, unsigned who, size_t n)
{
    (void)who;
    bool ok = true;
    for (size_t i = 0; i < n && ok; i++)
        ok = turn_of(c)->notify(turn_at(a)->second) == 0;
    return ok;
}

static bool turn_notify_held(const team_case *c, team_arena *a, unsigned who, size_t n)
{
    const turn_kind *k = c->kind;
    turn_place *p = turn_at(a);
    (void)who;
    for (size_t i = 0; i < n; i++) {
        if (k->lock(p->first))
            return false;
        a->cell = a->cell + 1;
        k->notify(p->second);
        k->unlock(p->first);
    }
    return true;
}

static bool turn_right(const team_case *c, const team_arena *a)
{
    return a->cell == (uint64_t)a->n * c->processes;
}

/* ---- registering ---- */

static team_case turn_case(const char *primitive, const turn_kind *k, const char *kase)
{
    return (team_case){.primitive = primitive,
                       .kase = kase,
                       .implementation = k->implementation,
                       .processes = 2,
                       .items = 1,
                       .bytes = sizeof(turn_place),
                       .kind = k,
                       .init = turn_init};
}

static void turn_add_round_trips(const char *primitive, const turn_kind *k)
{
    team_case c = turn_case(primitive, k, "roundtrip_2cpu");
    c.role = strcmp(primitive, "semaphore") == 0 ? turn_semaphores : turn_condition;
    team_add(&c);
    c.kase = "roundtrip_1cpu";
    c.one_cpu = true;
    team_add(&c);
}

static void turn_add_notifications(const turn_kind *k)
{
    team_case alone = turn_case("condition", k, "uncontended");
    alone.processes = 1;
    alone.role = turn_notify;
    team_add(&alone);
    team_case two = turn_case("condition", k, "contended2");
    two.items = 2;
    two.role = turn_notify_held;
    two.right = turn_right;
    team_add(&two);
}

void turn_add(const char *primitive, const turn_kind *k)
{
    turn_add_round_trips(primitive, k);
    if (strcmp(primitive, "condition") == 0)
        turn_add_notifications(k);
}

void turn_suite(void)
{
    turn_acre();
    turn_peers();
}
