/* SPDX-License-Identifier: MIT */
/* Message queues: messages in and out, room waited for, places of the dead. */
#include "tests/explore/explore.h"

#include "sync/queue.h"

#include <string.h>

enum { LARGE = 150, NUMBERS = 4, MEMORY = 1 << 13 };

typedef struct state {
    uint32_t sent[NUMBERS], got[NUMBERS]; /* of each message: before sending, after receiving */
    _Alignas(64) uint8_t memory[MEMORY];
} state;

static state *get(void)
{
    return EXPLORE_SHARED(state);
}

static acre_queue *queue(void)
{
    static acre_queue *q; /* the memory is always the same, and so are its constants */
    static uint32_t capacity;
    const acre__queue_constants *c = (const void *)get()->memory;
    if (!q || capacity != c->capacity) {
        acre_queue_close(q);
        capacity = c->capacity;
        EXPLORE_CHECK(acre_queue_attach(&q, get()->memory, MEMORY) == 0);
    }
    return q;
}

static void begin(uint32_t capacity)
{
    acre_queue_options o = {.capacity = capacity, .max_size = 200};
    EXPLORE_CHECK(acre_queue_init(get()->memory, &o) == 0);
    memset(queue()->gather, 0, sizeof queue()->gather); /* what the handle has learned */
}

static void begin_1(void)
{
    begin(1);
}

static void begin_2(void)
{
    begin(2);
}

static void send_number(uint32_t number, size_t size)
{
    uint32_t data[LARGE / 4 + 1] = {number};
    acre__add(&get()->sent[number], 1u);
    EXPLORE_CHECK(acre_queue_send(queue(), data, size, number % 2 * 70) == 0);
}

static void send_small(void)
{
    send_number(0, 4);
}

static void send_two(void)
{
    send_number(0, 4);
    send_number(1, 4);
}

static void send_other(void)
{
    send_number(2, 4);
}

static void send_large(void)
{
    send_number(3, LARGE);
}

static void receive(void)
{
    uint32_t data[LARGE / 4 + 1] = {0};
    size_t size = 0;
    EXPLORE_CHECK(acre_queue_receive(queue(), data, sizeof data, &size, NULL) == 0);
    EXPLORE_CHECK(data[0] < NUMBERS && size == (data[0] == 3 ? LARGE : 4));
    acre__add(&get()->got[data[0]], 1u);
}

static void receive_two(void)
{
    receive();
    receive();
}

static void receive_alive(void)
{
    explore_spare(true);
    uint32_t data[LARGE / 4 + 1];
    int e = acre_queue_receive_until(queue(), data, sizeof data, NULL, NULL, &explore_soon);
    EXPLORE_CHECK(e == 0 || e == ETIMEDOUT);
    if (!e)
        acre__add(&get()->got[data[0]], 1u);
}

/* Nothing doubled, nothing lost but in a dead one's hands; all places can be used. */
static void finish(void)
{
    uint32_t data[LARGE / 4 + 1], missing = 0;
    acre_queue *q = queue();
    EXPLORE_CHECK(acre_queue_check(q) == 0);
    while (acre_queue_tryreceive(q, data, sizeof data, NULL, NULL) == 0)
        acre__add(&get()->got[data[0]], 1u);
    for (uint32_t n = 0; n < NUMBERS; n++) {
        EXPLORE_CHECK(get()->got[n] <= get()->sent[n]);
        missing += get()->sent[n] - get()->got[n];
    }
    EXPLORE_CHECK(missing == 0 || (explore_has_died() && missing == 1));
    for (uint32_t n = 0; n < acre_queue_capacity(q); n++)
        EXPLORE_CHECK(acre_queue_trysend(q, data, 4, 0) == 0);
    EXPLORE_CHECK(acre_queue_trysend(q, data, 4, 0) == EAGAIN);
    EXPLORE_CHECK(acre_queue_check(q) == 0);
}

static const explore_scenario scenarios[] = {
    EXPLORE_ALL("a message", 3, 0, 0, begin_2, finish, send_small, receive),
    EXPLORE_ALL("a large message", 2, 0, 0, begin_2, finish, send_large, receive),
    EXPLORE_ALL("two through one place", 2, 0, 0, begin_1, finish, send_two, receive_two),
    EXPLORE_ALL("two receivers", 2, 0, 0, begin_2, finish, send_two, receive, receive),
    EXPLORE_ALL("two senders through one place", 1, 0, 0, begin_1, finish, send_small, send_large,
                receive_two),
    EXPLORE_ALL("giving up", 2, 0, 0, begin_2, finish, send_small, receive_alive),
    EXPLORE_ALL("the sender dies", 1, 1, 0, begin_2, finish, send_small, receive_alive),
    EXPLORE_ALL("the sender of a large message dies", 1, 1, 0, begin_1, finish, send_large,
                receive_alive),
    EXPLORE_RANDOM("two senders, two receivers", 50000, 0, 0, begin_1, finish, send_small,
                   send_other, receive, receive),
    EXPLORE_RANDOM("one of three dies", 50000, 1, 0, begin_2, finish, send_small, send_large,
                   receive_alive),
};
EXPLORE_GROUP(queue, scenarios)
