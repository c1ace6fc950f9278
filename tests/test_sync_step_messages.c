/* SPDX-License-Identifier: MIT */
/* Killed at every instruction of every operation of the queue and the rings: a message is in
 * exactly before or exactly after, all others are as they were, and everything works on. */
#include "tests/support_lab.h"

#include <acre/queue.h>
#include <acre/ring.h>
#include <errno.h>
#include <string.h>

enum { FIRST = 2, CAPACITY = 4, LARGE = 200, RING_BYTES = 48 << 10, RANDOM = 200 };

/* Any message: its number in every word. */
typedef struct letter {
    uint32_t word[6];
} letter;

static letter letter_make(uint32_t number)
{
    letter l;
    for (int i = 0; i < 6; i++)
        l.word[i] = number;
    return l;
}

static uint32_t letter_read(const letter *l)
{
    for (int i = 1; i < 6; i++)
        LAB_EXPECT(l->word[i] == l->word[0], "half a message: %u, %u", l->word[0], l->word[i]);
    return l->word[0];
}

/* What came out: numbers that count up from `from`, none missing, up to `most`. */
typedef struct letters {
    uint32_t n, number[2 * CAPACITY + 2];
} letters;

static void letters_add(letters *l, uint32_t number)
{
    LAB_EXPECT(l->n < 2 * CAPACITY + 2, "more than there can be");
    l->number[l->n++] = number;
}

/* Sending: 1, 2 are there, then perhaps the victims' 3s.  At most one of each death. */
static int letters_sent(const letters *l)
{
    LAB_EXPECT(l->n >= FIRST && l->n <= FIRST + lab_deaths(), "%u there", l->n);
    for (uint32_t i = 0; i < l->n; i++)
        LAB_EXPECT(l->number[i] == (i < FIRST ? i + 1 : 3), "number %u is %u", i, l->number[i]);
    return l->n > FIRST ? LAB_AFTER : LAB_BEFORE;
}

/* Receiving: 1 … 2, or without those that victims took from the front. */
static int letters_received(const letters *l)
{
    LAB_EXPECT(l->n <= FIRST && l->n + lab_deaths() >= FIRST, "%u there", l->n);
    for (uint32_t i = 0; i < l->n; i++)
        LAB_EXPECT(l->number[i] == FIRST - l->n + i + 1, "number %u is %u", i, l->number[i]);
    return l->n < FIRST ? LAB_AFTER : LAB_BEFORE;
}

static int letters_untouched(const letters *l)
{
    LAB_EXPECT(l->n == FIRST && l->number[0] == 1 && l->number[1] == 2, "%u there", l->n);
    return LAB_EITHER;
}

/* ================================ the queue ================================ */

static acre_queue *queue_here;
static acre_message queue_place;

static const acre_queue_options queue_plain = {.capacity = CAPACITY, .max_size = LARGE};
static const acre_queue_options queue_units = {
    .capacity = CAPACITY, .max_size = LARGE, .bytes = 4096};

static void queue_attach(void *shared)
{
    if (!queue_here)
        LAB_EQUAL(acre_queue_attach(&queue_here, shared, RING_BYTES), 0);
}

/* All messages are LARGE or small; the letter is at the front. */
static int queue_try(uint32_t number, size_t size)
{
    char buffer[LARGE] = {0};
    letter l = letter_make(number);
    memcpy(buffer, &l, sizeof l);
    return acre_queue_trysend(queue_here, buffer, size, 1);
}

static void queue_fill(void *shared, const acre_queue_options *o)
{
    LAB_EQUAL(acre_queue_init(shared, o), 0);
    queue_here = NULL;
    queue_attach(shared);
    for (uint32_t i = 1; i <= FIRST; i++)
        LAB_EQUAL(queue_try(i, i % 2 ? sizeof(letter) : LARGE), 0);
    LAB_EQUAL(acre_queue_close(queue_here), 0);
    queue_here = NULL;
}

static void queue_2(void *shared)
{
    queue_fill(shared, &queue_plain);
}

static void queue_2_units(void *shared)
{
    queue_fill(shared, &queue_units);
}

static int queue_take(uint32_t *number)
{
    char buffer[LARGE];
    letter l;
    size_t size;
    int e = acre_queue_tryreceive(queue_here, buffer, sizeof buffer, &size, NULL);
    if (e)
        return e;
    memcpy(&l, buffer, sizeof l);
    *number = letter_read(&l);
    return 0;
}

/* It takes and gives what it should, whatever the dead left. */
static void queue_works(void)
{
    uint64_t seed = lab_choice(1000);
    uint32_t in = 0, out = 0, number;
    for (int i = 0; i < RANDOM; i++)
        if (acre_test_below(&seed, 2)) {
            int e = queue_try(in + 1, acre_test_below(&seed, 2) ? sizeof(letter) : LARGE);
            LAB_EQUAL(e, in - out < CAPACITY ? 0 : EAGAIN);
            in += e == 0;
        } else {
            int e = queue_take(&number);
            LAB_EQUAL(e, in > out ? 0 : EAGAIN);
            LAB_EXPECT(e || number == ++out, "%u, not %u", number, out);
        }
    LAB_EQUAL(acre_queue_check(queue_here), 0);
}

static letters queue_drain(void *shared)
{
    letters l = {0};
    uint32_t number;
    queue_here = NULL;
    queue_attach(shared);
    LAB_EQUAL(acre_queue_check(queue_here), 0);
    while (queue_take(&number) == 0)
        letters_add(&l, number);
    queue_works();
    return l;
}

static int queue_sent(void *shared)
{
    letters l = queue_drain(shared);
    return letters_sent(&l);
}

static int queue_received(void *shared)
{
    letters l = queue_drain(shared);
    return letters_received(&l);
}

static int queue_untouched(void *shared)
{
    letters l = queue_drain(shared);
    return letters_untouched(&l);
}

static void queue_send(void *shared)
{
    (void)shared;
    LAB_EQUAL(queue_try(3, sizeof(letter)), 0);
}

static void queue_send_large(void *shared)
{
    (void)shared;
    LAB_EQUAL(queue_try(3, LARGE), 0);
}

static void queue_receive(void *shared)
{
    uint32_t number;
    (void)shared;
    int e = queue_take(&number);
    LAB_EXPECT(e == 0 || lab_deaths(), "%d", e);
}

static void queue_reserve(void *shared)
{
    (void)shared;
    LAB_EQUAL(acre_queue_tryreserve(queue_here, LARGE, &queue_place), 0);
}

static void queue_attach_and_reserve(void *shared)
{
    letter l = letter_make(3);
    queue_attach(shared);
    queue_reserve(shared);
    memcpy(queue_place.data, &l, sizeof l);
    queue_place.size = sizeof l;
    queue_place.priority = 1;
}

static void queue_commit(void *shared)
{
    (void)shared;
    LAB_EQUAL(acre_queue_commit(queue_here, &queue_place), 0);
}

static void queue_abandon(void *shared)
{
    (void)shared;
    LAB_EQUAL(acre_queue_abandon(queue_here, &queue_place), 0);
}

static void queue_acquire(void *shared)
{
    (void)shared;
    int e = acre_queue_tryacquire(queue_here, &queue_place);
    LAB_EXPECT(e == 0 || lab_deaths(), "%d", e);
}

static void queue_attach_and_acquire(void *shared)
{
    queue_attach(shared);
    queue_acquire(shared);
}

static void queue_release(void *shared)
{
    (void)shared;
    LAB_EQUAL(acre_queue_release(queue_here, &queue_place), 0);
}

static void queue_peek(void *shared)
{
    size_t size;
    (void)shared;
    LAB_EQUAL(acre_queue_peek(queue_here, &size, NULL), 0);
}

static void queue_stand(void *shared)
{
    (void)shared;
    ((volatile char *)queue_place.data)[0] = 3;
}

static int queue_gone(void *shared)
{
    letters l = queue_drain(shared);
    LAB_EXPECT(l.n <= FIRST);
    return LAB_EITHER;
}

#define QUEUE(operation, ...)                                                                      \
    LAB_SCENARIO_IN(step_queue_A59, queue, operation, .prepare = queue_2, .size = RING_BYTES,      \
                    __VA_ARGS__)
QUEUE(send, .before = queue_attach, .victim = queue_send, .verify = queue_sent)
QUEUE(send_large, .before = queue_attach, .victim = queue_send_large, .verify = queue_sent)
QUEUE(receive, .before = queue_attach, .victim = queue_receive, .verify = queue_received)
QUEUE(reserve, .before = queue_attach, .victim = queue_reserve, .verify = queue_untouched)
QUEUE(commit, .before = queue_attach_and_reserve, .victim = queue_commit, .verify = queue_sent)
QUEUE(abandon, .before = queue_attach_and_reserve, .victim = queue_abandon,
      .verify = queue_untouched)
QUEUE(acquire, .before = queue_attach, .victim = queue_acquire, .verify = queue_received)
QUEUE(release, .before = queue_attach_and_acquire, .victim = queue_release,
      .verify = queue_received, .flags = LAB_SINGLE | LAB_LOOSE)
QUEUE(peek, .before = queue_attach, .victim = queue_peek, .verify = queue_untouched)
LAB_SCENARIO_IN(step_queue_A59, queue, send_units, .prepare = queue_2_units, .size = RING_BYTES,
                .before = queue_attach, .victim = queue_send_large, .verify = queue_sent)
LAB_SCENARIO_IN(step_queue_A59, queue, receive_units, .prepare = queue_2_units, .size = RING_BYTES,
                .before = queue_attach, .victim = queue_receive, .verify = queue_received)

static void queue_reserve_for_peers(void *shared)
{
    queue_attach_and_reserve(shared);
    for (uint32_t number; queue_take(&number) == 0;)
        ;
}

/* queue_works() counts on all places, so it is not asked while one is held. */
static void queue_pass(void *shared)
{
    uint32_t number;
    queue_attach(shared);
    for (uint32_t i = 1; i <= RANDOM; i++) {
        LAB_EQUAL(queue_try(i, sizeof(letter)), 0);
        LAB_EQUAL(queue_take(&number), 0);
        LAB_EQUAL(number, i);
    }
}

QUEUE(stopped_with_a_place, .before = queue_reserve_for_peers, .victim = queue_stand,
      .peer = queue_pass, .verify = queue_gone, .flags = LAB_SINGLE)

/* ---- waiting ---- */

static void queue_empty(void *shared)
{
    LAB_EQUAL(acre_queue_init(shared, &queue_plain), 0);
    queue_here = NULL;
}

static void queue_wait(void *shared)
{
    letter l;
    queue_attach(shared);
    LAB_EQUAL(acre_queue_receive(queue_here, &l, sizeof l, NULL, NULL), 0);
}

static void queue_waiter(void *shared)
{
    queue_attach(shared);
    lab_ready();
    queue_wait(shared);
}

static void queue_wake(void *shared)
{
    queue_attach(shared);
    LAB_EQUAL(queue_try(1, sizeof(letter)), 0);
}

static void queue_wake_2(void *shared)
{
    queue_wake(shared);
    queue_wake(shared);
}

static int queue_at_most_1(void *shared)
{
    letters l = queue_drain(shared);
    LAB_EXPECT(l.n <= 1, "%u there", l.n);
    return l.n ? LAB_BEFORE : LAB_AFTER;
}

static int queue_1_or_not(void *shared)
{
    letters l = queue_drain(shared);
    LAB_EXPECT(l.n <= 1, "%u there", l.n);
    return LAB_EITHER;
}

LAB_SCENARIO_IN(step_queue_A59, queue, receive_that_waits, .prepare = queue_empty,
                .size = RING_BYTES, .before = queue_attach, .victim = queue_wait,
                .wake = queue_wake, .verify = queue_at_most_1, .flags = LAB_LOOSE | LAB_SINGLE)
LAB_SCENARIO_IN(step_queue_A59, queue, receive_beside_another, .prepare = queue_empty,
                .size = RING_BYTES, .helper = queue_waiter, .before = queue_attach,
                .victim = queue_wait, .wake = queue_wake_2, .verify = queue_1_or_not,
                .flags = LAB_LOOSE | LAB_SINGLE)
LAB_SCENARIO_IN(step_queue_A59, queue, send_to_a_waiter, .prepare = queue_empty, .size = RING_BYTES,
                .helper = queue_waiter, .before = queue_attach, .victim = queue_send,
                .wake = queue_wake, .verify = queue_1_or_not, .flags = LAB_LOOSE | LAB_SINGLE)

/* ================================ rings ================================ */

/* The four as one: a side attached, a letter in, a letter out.  No receiver is a victim before it
 * has joined a broadcast, so the prepared ones are the victim's own. */
static acre_spsc_producer spsc_p;
static acre_spsc_consumer spsc_c;
static acre_bytes_producer bytes_p;
static acre_bytes_consumer bytes_c;
static acre_mpmc_handle mpmc_p, mpmc_c;

static void spsc_make(void *r)
{
    LAB_EQUAL(acre_spsc_init(r, RING_BYTES, CAPACITY, sizeof(letter)), 0);
}

static void spsc_join_p(void *r)
{
    LAB_EQUAL(acre_spsc_producer_attach(&spsc_p, r, RING_BYTES, sizeof(letter)), 0);
}

static void spsc_join_c(void *r)
{
    LAB_EQUAL(acre_spsc_consumer_attach(&spsc_c, r, RING_BYTES, sizeof(letter)), 0);
}

static int spsc_put(const letter *l)
{
    return acre_spsc_try_push(&spsc_p, l);
}

static int spsc_get(letter *l)
{
    return acre_spsc_try_pop(&spsc_c, l);
}

static void spsc_part(void)
{
    acre_spsc_producer_detach(&spsc_p);
    acre_spsc_consumer_detach(&spsc_c);
}

static int spsc_sound(const void *r)
{
    return acre_spsc_check(r, RING_BYTES);
}

static void bytes_make(void *r)
{
    LAB_EQUAL(acre_bytes_init(r, RING_BYTES, 128), 0);
}

static void bytes_join_p(void *r)
{
    LAB_EQUAL(acre_bytes_producer_attach(&bytes_p, r, RING_BYTES), 0);
}

static void bytes_join_c(void *r)
{
    LAB_EQUAL(acre_bytes_consumer_attach(&bytes_c, r, RING_BYTES), 0);
}

static int bytes_put(const letter *l)
{
    return acre_bytes_try_push(&bytes_p, l, sizeof *l);
}

static int bytes_get(letter *l)
{
    size_t n;
    int e = acre_bytes_try_pop(&bytes_c, l, sizeof *l, &n);
    LAB_EXPECT(e || n == sizeof *l, "%zu bytes", n);
    return e;
}

static void bytes_part(void)
{
    acre_bytes_producer_detach(&bytes_p);
    acre_bytes_consumer_detach(&bytes_c);
}

static int bytes_sound(const void *r)
{
    return acre_bytes_check(r, RING_BYTES);
}

static void mpmc_make(void *r)
{
    LAB_EQUAL(acre_mpmc_init(r, RING_BYTES, CAPACITY, sizeof(letter)), 0);
}

static void mpmc_join_p(void *r)
{
    LAB_EQUAL(acre_mpmc_attach(&mpmc_p, r, RING_BYTES, sizeof(letter)), 0);
}

static void mpmc_join_c(void *r)
{
    LAB_EQUAL(acre_mpmc_attach(&mpmc_c, r, RING_BYTES, sizeof(letter)), 0);
}

static int mpmc_put(const letter *l)
{
    return acre_mpmc_try_push(&mpmc_p, l);
}

static int mpmc_get(letter *l)
{
    return acre_mpmc_try_pop(&mpmc_c, l);
}

static void mpmc_part(void)
{
    acre_mpmc_detach(&mpmc_p);
    acre_mpmc_detach(&mpmc_c);
}

static int mpmc_sound(const void *r)
{
    return acre_mpmc_check(r, RING_BYTES);
}

static bool ring_moved(int e)
{
    LAB_EXPECT(e == 0 || e == EAGAIN || e == ACRE_EPEER, "%d", e);
    return e == 0;
}

#define RING(kind)                                                                                 \
    static void kind##_2(void *r)                                                                  \
    {                                                                                              \
        kind##_make(r);                                                                            \
        kind##_join_p(r);                                                                          \
        for (uint32_t i = 1; i <= FIRST; i++) {                                                    \
            letter l = letter_make(i);                                                             \
            LAB_EQUAL(kind##_put(&l), 0);                                                          \
        }                                                                                          \
        kind##_part();                                                                             \
    }                                                                                              \
    static void kind##_push(void *r)                                                               \
    {                                                                                              \
        letter l = letter_make(3);                                                                 \
        (void)r;                                                                                   \
        LAB_EQUAL(kind##_put(&l), 0);                                                              \
    }                                                                                              \
    static void kind##_pop(void *r)                                                                \
    {                                                                                              \
        letter l;                                                                                  \
        (void)r;                                                                                   \
        if (ring_moved(kind##_get(&l)))                                                            \
            letter_read(&l);                                                                       \
    }                                                                                              \
    /* Each side has a successor at once; then it goes on with random operations. */               \
    static void kind##_works(void)                                                                 \
    {                                                                                              \
        uint64_t seed = lab_choice(1000);                                                          \
        uint32_t in = 0, out = 0;                                                                  \
        letter l;                                                                                  \
        for (int i = 0; i < RANDOM; i++)                                                           \
            if (in - out < CAPACITY - 1 && acre_test_below(&seed, 2)) {                            \
                l = letter_make(in + 1);                                                           \
                in += ring_moved(kind##_put(&l));                                                  \
            } else {                                                                               \
                bool got = ring_moved(kind##_get(&l));                                             \
                LAB_EXPECT(got == (in > out));                                                     \
                LAB_EXPECT(!got || letter_read(&l) == ++out, "%u, not %u", l.word[0], out);        \
            }                                                                                      \
        LAB_EXPECT(in > 0);                                                                        \
    }                                                                                              \
    static letters kind##_drain(void *r)                                                           \
    {                                                                                              \
        letters all = {0};                                                                         \
        letter l;                                                                                  \
        LAB_EQUAL(kind##_sound(r), 0);                                                             \
        kind##_join_p(r);                                                                          \
        kind##_join_c(r);                                                                          \
        while (ring_moved(kind##_get(&l)))                                                         \
            letters_add(&all, letter_read(&l));                                                    \
        kind##_works();                                                                            \
        return all;                                                                                \
    }                                                                                              \
    static int kind##_pushed(void *r)                                                              \
    {                                                                                              \
        letters l = kind##_drain(r);                                                               \
        return letters_sent(&l);                                                                   \
    }                                                                                              \
    static int kind##_popped(void *r)                                                              \
    {                                                                                              \
        letters l = kind##_drain(r);                                                               \
        return letters_received(&l);                                                               \
    }                                                                                              \
    static int kind##_untouched(void *r)                                                           \
    {                                                                                              \
        letters l = kind##_drain(r);                                                               \
        return letters_untouched(&l);                                                              \
    }                                                                                              \
    /* The other side is not held up: an answer at once. */                                        \
    static void kind##_peer_pops(void *r)                                                          \
    {                                                                                              \
        letter l;                                                                                  \
        kind##_join_c(r);                                                                          \
        for (uint32_t i = 1; i <= FIRST; i++) {                                                    \
            LAB_EQUAL(kind##_get(&l), 0);                                                          \
            LAB_EQUAL(letter_read(&l), i);                                                         \
        }                                                                                          \
    }                                                                                              \
    static void kind##_peer_pushes(void *r)                                                        \
    {                                                                                              \
        letter l = letter_make(3);                                                                 \
        kind##_join_p(r);                                                                          \
        LAB_EQUAL(kind##_put(&l), 0);                                                              \
    }                                                                                              \
    static int kind##_whole(void *r)                                                               \
    {                                                                                              \
        letters l = kind##_drain(r);                                                               \
        LAB_EXPECT(l.n <= FIRST + 2);                                                              \
        return LAB_EITHER;                                                                         \
    }                                                                                              \
    LAB_SCENARIO(kind, attach_producer, .prepare = kind##_2, .victim = kind##_join_p,              \
                 .verify = kind##_untouched)                                                       \
    LAB_SCENARIO(kind, attach_consumer, .prepare = kind##_2, .victim = kind##_join_c,              \
                 .verify = kind##_untouched)                                                       \
    LAB_SCENARIO(kind, push, .prepare = kind##_2, .before = kind##_join_p, .victim = kind##_push,  \
                 .verify = kind##_pushed)                                                          \
    LAB_SCENARIO(kind, pop, .prepare = kind##_2, .before = kind##_join_c, .victim = kind##_pop,    \
                 .verify = kind##_popped)                                                          \
    LAB_SCENARIO(kind, push_beside_a_consumer, .prepare = kind##_2, .before = kind##_join_p,       \
                 .victim = kind##_push, .peer = kind##_peer_pops, .verify = kind##_whole,          \
                 .flags = LAB_SINGLE)                                                              \
    LAB_SCENARIO(kind, pop_beside_a_producer, .prepare = kind##_2, .before = kind##_join_c,        \
                 .victim = kind##_pop, .peer = kind##_peer_pushes, .verify = kind##_whole,         \
                 .flags = LAB_SINGLE)

RING(spsc)
RING(bytes)
RING(mpmc)

/* ---- broadcast: its consumers see what is pushed while they are there ---- */

static acre_broadcast_producer broadcast_p;
static acre_broadcast_consumer broadcast_c;

static void broadcast_make(void *r)
{
    LAB_EQUAL(acre_broadcast_init(r, RING_BYTES, CAPACITY, sizeof(letter), 3), 0);
}

static void broadcast_join_p(void *r)
{
    LAB_EQUAL(acre_broadcast_producer_attach(&broadcast_p, r, RING_BYTES, sizeof(letter)), 0);
}

static void broadcast_join_c(void *r)
{
    LAB_EQUAL(acre_broadcast_consumer_attach(&broadcast_c, r, RING_BYTES, sizeof(letter)), 0);
}

static void broadcast_push(void *r)
{
    letter l = letter_make(3);
    (void)r;
    LAB_EQUAL(acre_broadcast_try_push(&broadcast_p, &l), 0);
}

static void broadcast_join_both(void *r)
{
    broadcast_join_c(r);
    broadcast_join_p(r);
    broadcast_push(r);
}

static void broadcast_pop(void *r)
{
    letter l;
    (void)r;
    LAB_EQUAL(acre_broadcast_try_pop(&broadcast_c, &l), 0);
    LAB_EQUAL(letter_read(&l), 3);
}

static void broadcast_leave_c(void *r)
{
    (void)r;
    LAB_EQUAL(acre_broadcast_consumer_detach(&broadcast_c), 0);
}

/* The helper is a consumer from before: it sees the victim's message once, or not at all. */
static void broadcast_listen(void *r)
{
    letter l;
    uint32_t n = 0;
    broadcast_join_c(r);
    lab_ready();
    lab_await();
    while (acre_broadcast_try_pop(&broadcast_c, &l) == 0 && letter_read(&l) == 3)
        n++;
    LAB_EXPECT(n <= lab_deaths(), "%u there", n);
    broadcast_leave_c(r);
}

/* The dead hold nobody up: a whole ring and more passes. */
static int broadcast_goes_on(void *r)
{
    letter l;
    LAB_EQUAL(acre_broadcast_check(r, RING_BYTES), 0);
    broadcast_join_p(r);
    broadcast_join_c(r);
    LAB_EQUAL(acre_broadcast_consumers(r), 1);
    for (uint32_t i = 1; i <= RANDOM; i++) {
        letter out = letter_make(i);
        LAB_EQUAL(acre_broadcast_try_push(&broadcast_p, &out), 0);
        LAB_EQUAL(acre_broadcast_try_pop(&broadcast_c, &l), 0);
        LAB_EQUAL(letter_read(&l), i);
    }
    return LAB_EITHER;
}

#define BROADCAST(operation, ...)                                                                  \
    LAB_SCENARIO(broadcast, operation, .prepare = broadcast_make, __VA_ARGS__,                     \
                 .verify = broadcast_goes_on)
BROADCAST(attach_producer, .victim = broadcast_join_p)
BROADCAST(attach_consumer, .victim = broadcast_join_c)
BROADCAST(push, .helper = broadcast_listen, .before = broadcast_join_p, .victim = broadcast_push)
BROADCAST(pop, .before = broadcast_join_both, .victim = broadcast_pop)
BROADCAST(detach_consumer, .before = broadcast_join_c, .victim = broadcast_leave_c)
