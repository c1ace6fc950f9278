/* SPDX-License-Identifier: MIT */
/* channel_loop.h: a template: the loops of one way of calling.  Before including it, define
 *
 *     CHANNEL_STEM               what the functions' names begin with
 *     CHANNEL_END(place)         a pointer to what this process needs to send and receive
 *     CHANNEL_SEND(end, m)       0, or an error; blocks
 *     CHANNEL_RECEIVE(end, m)
 *
 * A consumer goes on after a wrong message, because its producer would wait for it. */
#include "bench/sync/channel.h"

#define CHANNEL_PASTE2(a, b) a##_##b
#define CHANNEL_PASTE(a, b) CHANNEL_PASTE2(a, b)
#define CHANNEL_NAME(what) CHANNEL_PASTE(CHANNEL_STEM, what)

static bool CHANNEL_NAME(produce)(void *place, size_t n)
{
    __auto_type end = CHANNEL_END(place);
    channel_message m = {0};
    for (m.number = 0; m.number < n; m.number++)
        if (CHANNEL_SEND(end, &m))
            return false;
    return true;
}

static bool CHANNEL_NAME(consume)(void *place, size_t n)
{
    __auto_type end = CHANNEL_END(place);
    channel_message m;
    bool right = true;
    for (size_t i = 0; i < n; i++) {
        if (CHANNEL_RECEIVE(end, &m))
            return false;
        right &= m.number == i;
    }
    return right;
}

static bool CHANNEL_NAME(both)(void *place, size_t n)
{
    __auto_type end = CHANNEL_END(place);
    channel_message m = {0};
    for (size_t i = 0; i < n; i++)
        if (CHANNEL_SEND(end, &m) || CHANNEL_RECEIVE(end, &m))
            return false;
    return true;
}

static bool CHANNEL_NAME(ask)(void *to, void *from, size_t n)
{
    __auto_type there = CHANNEL_END(to);
    __auto_type back = CHANNEL_END(from);
    channel_message m = {0};
    bool right = true;
    for (size_t i = 0; i < n; i++) {
        m.number = i;
        if (CHANNEL_SEND(there, &m) || CHANNEL_RECEIVE(back, &m))
            return false;
        right &= m.number == i;
    }
    return right;
}

static bool CHANNEL_NAME(serve)(void *to, void *from, size_t n)
{
    __auto_type there = CHANNEL_END(to);
    __auto_type back = CHANNEL_END(from);
    channel_message m;
    for (size_t i = 0; i < n; i++)
        if (CHANNEL_RECEIVE(back, &m) || CHANNEL_SEND(there, &m))
            return false;
    return true;
}

#undef CHANNEL_STEM
#undef CHANNEL_END
#undef CHANNEL_SEND
#undef CHANNEL_RECEIVE
#undef CHANNEL_NAME
#undef CHANNEL_PASTE
#undef CHANNEL_PASTE2

/* For the initialiser of a channel_kind. */
#ifndef CHANNEL_LOOPS
#define CHANNEL_LOOPS(stem)                                                                        \
    .produce = stem##_produce, .consume = stem##_consume, .both = stem##_both, .ask = stem##_ask,  \
    .serve = stem##_serve
#endif
