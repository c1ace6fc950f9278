/* SPDX-License-Identifier: MIT */
/* channel.c: messages of 64 bytes: one process that sends to itself, two that do so in the same
 * queue, a producer and a consumer, and two that send one message to and fro. */
#include "bench/sync/channel.h"

#include "bench/sync/suites.h"
#include "bench/sync/team.h"

#include <string.h>

static const channel_kind *channel_of(const team_case *c)
{
    return c->kind;
}

/* ---- places: one, or one for each direction of a round trip ---- */

static size_t channel_stride(const team_case *c)
{
    return (channel_of(c)->bytes(c->capacity) + TEAM_LINE - 1) / TEAM_LINE * TEAM_LINE;
}

static void *channel_place(const team_case *c, team_arena *a, size_t i)
{
    return a->object + i * channel_stride(c);
}

static const char *channel_open(const team_case *c, team_arena *a)
{
    return channel_of(c)->open(channel_place(c, a, 0), c->capacity);
}

static void channel_close(const team_case *c, team_arena *a)
{
    channel_of(c)->close(channel_place(c, a, 0));
}

static const char *channel_open_two(const team_case *c, team_arena *a)
{
    const char *reason = channel_open(c, a);
    if (reason)
        return reason;
    reason = channel_of(c)->open(channel_place(c, a, 1), c->capacity);
    if (reason)
        channel_close(c, a);
    return reason;
}

static void channel_close_two(const team_case *c, team_arena *a)
{
    channel_close(c, a);
    channel_of(c)->close(channel_place(c, a, 1));
}

/* ---- sides ---- */

static bool channel_take_side(const team_case *c, void *place, unsigned sides)
{
    return !channel_of(c)->attach || channel_of(c)->attach(place, sides);
}

static void channel_leave_side(const team_case *c, void *place, unsigned sides)
{
    if (channel_of(c)->detach)
        channel_of(c)->detach(place, sides);
}

static bool channel_attach_both(const team_case *c, team_arena *a, unsigned who)
{
    (void)who;
    return channel_take_side(c, channel_place(c, a, 0), CHANNEL_SENDS | CHANNEL_RECEIVES);
}

static void channel_detach_both(const team_case *c, team_arena *a, unsigned who)
{
    (void)who;
    channel_leave_side(c, channel_place(c, a, 0), CHANNEL_SENDS | CHANNEL_RECEIVES);
}

static unsigned channel_side_of(unsigned who, size_t place)
{
    return who == place ? CHANNEL_SENDS : CHANNEL_RECEIVES;
}

static bool channel_attach_one(const team_case *c, team_arena *a, unsigned who)
{
    return channel_take_side(c, channel_place(c, a, 0), channel_side_of(who, 0));
}

static void channel_detach_one(const team_case *c, team_arena *a, unsigned who)
{
    channel_leave_side(c, channel_place(c, a, 0), channel_side_of(who, 0));
}

static bool channel_attach_two(const team_case *c, team_arena *a, unsigned who)
{
    return channel_attach_one(c, a, who) &&
           channel_take_side(c, channel_place(c, a, 1), channel_side_of(who, 1));
}

static void channel_detach_two(const team_case *c, team_arena *a, unsigned who)
{
    channel_detach_one(c, a, who);
    channel_leave_side(c, channel_place(c, a, 1), channel_side_of(who, 1));
}

/* ---- roles ---- */

static bool channel_both(const team_case *c, team_arena *a, unsigned who, size_t n)
{
    (void)who;
    return channel_of(c)->both(channel_place(c, a, 0), n);
}

static bool channel_through(const team_case *c, team_arena *a, unsigned who, size_t n)
{
    const channel_kind *k = c->kind;
    return (who == 0 ? k->produce : k->consume)(channel_place(c, a, 0), n);
}

static bool channel_through_many(const team_case *c, team_arena *a, unsigned who, size_t n)
{
    const channel_kind *k = c->kind;
    if (!k->produce_many)
        return channel_through(c, a, who, n);
    return (who == 0 ? k->produce_many : k->consume_many)(channel_place(c, a, 0), n);
}

static bool channel_trip_role(const team_case *c, team_arena *a, unsigned who, size_t n)
{
    const channel_kind *k = c->kind;
    return (who == 0 ? k->ask : k->serve)(channel_place(c, a, who), channel_place(c, a, 1 - who),
                                          n);
}

/* ---- registering ---- */

static team_case channel_case(const char *primitive, const channel_kind *k, const char *kase,
                              size_t capacity)
{
    team_case c = {.primitive = primitive,
                   .kase = kase,
                   .implementation = k->implementation,
                   .processes = 2,
                   .items = 1,
                   .kind = k,
                   .capacity = capacity};
    c.bytes = 2 * channel_stride(&c);
    return c;
}

static void channel_add_both(const char *primitive, const channel_kind *k, const char *kase,
                             unsigned processes)
{
    team_case c = channel_case(primitive, k, kase, 1024);
    c.processes = c.items = processes;
    c.init = channel_open, c.destroy = channel_close;
    c.attach = channel_attach_both, c.detach = channel_detach_both;
    c.role = channel_both;
    team_add(&c);
}

static void channel_add_through(const char *primitive, const channel_kind *k, const char *kase,
                                size_t capacity)
{
    team_case c = channel_case(primitive, k, kase, capacity);
    c.init = channel_open, c.destroy = channel_close;
    c.attach = channel_attach_one, c.detach = channel_detach_one;
    c.role = strcmp(kase, "throughput_batch") == 0 ? channel_through_many : channel_through;
    team_add(&c);
}

static void channel_add_trip(const char *primitive, const channel_kind *k, const char *kase,
                             bool one_cpu)
{
    team_case c = channel_case(primitive, k, kase, 10);
    c.one_cpu = one_cpu;
    c.init = channel_open_two, c.destroy = channel_close_two;
    c.attach = channel_attach_two, c.detach = channel_detach_two;
    c.role = channel_trip_role;
    team_add(&c);
}

void channel_add(const char *primitive, const channel_kind *k, unsigned limits)
{
    channel_add_both(primitive, k, "uncontended", 1);
    if (!(limits & CHANNEL_ONE_TO_ONE))
        channel_add_both(primitive, k, "contended2", 2);
    channel_add_through(primitive, k, "throughput_cap10", 10);
    channel_add_through(primitive, k, "throughput_cap1024", 1024);
    channel_add_through(primitive, k, "throughput_batch", 1024);
    channel_add_trip(primitive, k, "roundtrip_2cpu", false);
    channel_add_trip(primitive, k, "roundtrip_1cpu", true);
}

void channel_suite(void)
{
    channel_acre_queue();
    channel_acre_rings();
    channel_posix();
    channel_pipe();
    channel_boost();
}
