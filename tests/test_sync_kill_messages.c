/* SPDX-License-Identifier: MIT */
/* SIGKILL at random moments among those who send and receive: every message that was sent arrives
 * once, in order, but for the one in the hands of a receiver that is killed.
 *
 * All keep a ledger in shared memory.  A sender notes the number of a message before it sends it,
 * and after; a receiver counts it.  When all stand, what is on its way is looked at, in the channel
 * or in a copy of it, and each number must be in the ledger or on its way exactly once. */
#include "tests/support_lab.h"

#include <acre/queue.h>
#include <acre/ring.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

enum { LEDGER = 4096, CHANNELS = 2, CHANNEL = 64 << 10, PRIORITIES = 3 };

typedef struct message {
    uint32_t sender, number, priority, check;
} message;

typedef struct ledger {
    volatile uint32_t begun, sent; /* last number of which sending began, and ended well */
    uint32_t base;                 /* up to here all is settled */
    uint8_t got[LEDGER];           /* how often it arrived */
    uint8_t gap[LEDGER];           /* it may be missing */
} ledger;

typedef struct exchange {
    ledger of[LAB_WORKERS];
    _Alignas(64) char channel[CHANNELS][CHANNEL];
} exchange;
_Static_assert(sizeof(exchange) <= LAB_SHARED, "it fits");

enum { AT_REST, AT_RECEIVING };

static const struct timespec past = {0};

static message message_make(uint32_t sender, uint32_t number, uint32_t priority)
{
    return (message){sender, number, priority, sender * 31 + number * 17 + priority};
}

static void message_whole(const message *m)
{
    LAB_EXPECT(m->sender < LAB_WORKERS && m->priority < PRIORITIES &&
                   m->check == m->sender * 31 + m->number * 17 + m->priority,
               "half a message");
}

static bool channel_passed(int e)
{
    LAB_EXPECT(e == 0 || e == EAGAIN || e == ETIMEDOUT || e == ACRE_EPEER, "%d", e);
    return e == 0;
}

/* ---- a turn ---- */

typedef int channel_function(message *m, unsigned way);

static uint32_t turn_last[LAB_WORKERS][PRIORITIES]; /* of this receiver */

static void turn_send(exchange *x, lab_worker *w, channel_function *send)
{
    ledger *l = &x->of[w->id];
    if (l->begun - l->base >= LEDGER - 1)
        return;
    message m = message_make(w->id, l->begun + 1, (uint32_t)acre_test_below(&w->seed, PRIORITIES));
    l->begun = m.number;
    if (channel_passed(send(&m, (unsigned)acre_test_below(&w->seed, 4))))
        l->sent = m.number;
    else
        l->begun = m.number - 1;
}

static bool turn_receive(exchange *x, lab_worker *w, channel_function *receive, message *m)
{
    w->at = AT_RECEIVING;
    bool got = channel_passed(receive(m, (unsigned)acre_test_below(&w->seed, 4)));
    if (got) {
        message_whole(m);
        __atomic_add_fetch(&x->of[m->sender].got[m->number % LEDGER], 1, __ATOMIC_SEQ_CST);
    }
    w->at = AT_REST;
    return got;
}

/* Of one sender and priority, each receiver sees them in order. */
static void turn_in_order(const message *m, uint32_t priority)
{
    uint32_t *last = &turn_last[m->sender][priority];
    LAB_EXPECT(m->number > *last, "%u after %u", m->number, *last);
    *last = m->number;
}

/* ---- the audit ---- */

static uint8_t audit_seen[LAB_WORKERS][LEDGER];
static uint32_t audit_first[LAB_WORKERS]; /* of those on their way */

static void audit_see(const message *m)
{
    message_whole(m);
    audit_seen[m->sender][m->number % LEDGER]++;
    if (!audit_first[m->sender] || m->number < audit_first[m->sender])
        audit_first[m->sender] = m->number;
}

/* Missing ones, and those that are there twice. */
static uint32_t audit_ledger(ledger *l, unsigned sender)
{
    uint32_t missing = 0;
    for (uint32_t i = l->base + 1; i <= l->begun; i++) {
        uint32_t n = (uint32_t)l->got[i % LEDGER] + audit_seen[sender][i % LEDGER];
        if (n > 1)
            lab_doubled(1);
        if (n == 0 && i <= l->sent)
            missing++;
    }
    return missing;
}

/* What is still on its way stays open if it was looked at in a copy. */
static void audit_settle(ledger *l, unsigned sender, bool copy)
{
    uint32_t last = l->begun % LEDGER;
    if (l->begun != l->sent && !audit_seen[sender][last])
        l->got[last] = 1; /* it died before it was sent */
    l->base = copy && audit_first[sender] ? audit_first[sender] - 1 : l->begun;
    for (uint32_t i = l->base + 1; i <= l->base + LEDGER; i++)
        if (i > l->begun)
            l->got[i % LEDGER] = 0;
    l->sent = l->begun;
}

static void audit_all(exchange *x, const lab_worker *dead, bool copy)
{
    uint32_t missing = 0, in_hand = dead->at == AT_RECEIVING;
    for (unsigned i = 0; i < LAB_WORKERS; i++)
        missing += audit_ledger(&x->of[i], i);
    if (missing > in_hand)
        lab_lost(missing - in_hand);
    for (unsigned i = 0; i < LAB_WORKERS; i++)
        audit_settle(&x->of[i], i, copy);
}

/* ================================ the queue ================================ */

static acre_queue *queue_mine;
static const acre_queue_options queue_options = {.capacity = 8, .max_size = sizeof(message)};

static void queue_prepare(void *shared)
{
    exchange *x = shared;
    LAB_EXPECT(acre_queue_size(&queue_options) <= CHANNEL);
    LAB_EQUAL(acre_queue_init(x->channel[0], &queue_options), 0);
}

static void queue_begin(void *shared, lab_worker *w)
{
    (void)w;
    LAB_EQUAL(acre_queue_attach(&queue_mine, ((exchange *)shared)->channel[0], CHANNEL), 0);
}

static int queue_reserve_and_commit(const message *m)
{
    acre_message place;
    int e = acre_queue_tryreserve(queue_mine, sizeof *m, &place);
    if (e)
        return e;
    memcpy(place.data, m, sizeof *m);
    place.size = sizeof *m;
    place.priority = m->priority;
    LAB_EQUAL(acre_queue_commit(queue_mine, &place), 0);
    return 0;
}

static int queue_send(message *m, unsigned way)
{
    struct timespec soon = acre_deadline(2000000);
    if (way == 0)
        return acre_queue_trysend(queue_mine, m, sizeof *m, m->priority);
    if (way == 1)
        return queue_reserve_and_commit(m);
    return acre_queue_send_until(queue_mine, m, sizeof *m, m->priority, way == 2 ? &past : &soon);
}

static int queue_acquire_and_release(message *m)
{
    acre_message place;
    int e = acre_queue_tryacquire(queue_mine, &place);
    if (e)
        return e;
    LAB_EQUAL(place.size, sizeof *m);
    memcpy(m, place.data, sizeof *m);
    LAB_EQUAL(acre_queue_release(queue_mine, &place), 0);
    return 0;
}

static int queue_receive(message *m, unsigned way)
{
    size_t size;
    struct timespec soon = acre_deadline(2000000);
    if (way == 0)
        return acre_queue_tryreceive(queue_mine, m, sizeof *m, &size, NULL);
    if (way == 1)
        return queue_acquire_and_release(m);
    return acre_queue_receive_until(queue_mine, m, sizeof *m, &size, NULL,
                                    way == 2 ? &past : &soon);
}

static void queue_turn(void *shared, lab_worker *w)
{
    message m;
    if (acre_test_below(&w->seed, 2))
        turn_send(shared, w, queue_send);
    else if (turn_receive(shared, w, queue_receive, &m))
        turn_in_order(&m, m.priority);
}

static void queue_audit(void *shared, const lab_worker *dead)
{
    message m;
    queue_begin(shared, NULL);
    LAB_EQUAL(acre_queue_check(queue_mine), 0);
    while (channel_passed(queue_receive(&m, 0)))
        audit_see(&m);
    LAB_EQUAL(acre_queue_check(queue_mine), 0);
    for (uint32_t i = 0; i < queue_options.capacity; i++)
        LAB_EQUAL(queue_send(&m, 0), 0); /* the dead take no room */
    LAB_EQUAL(queue_send(&m, 0), EAGAIN);
    while (channel_passed(queue_receive(&m, 0)))
        ;
    audit_all(shared, dead, false);
}

#define KILL_CHANNEL(name)                                                                         \
    ACRE_TEST(kill_sync, name)                                                                     \
    {                                                                                              \
        static const lab_contest c = {.primitive = #name,                                          \
                                      .prepare = name##_prepare,                                   \
                                      .begin = name##_begin,                                       \
                                      .turn = name##_turn,                                         \
                                      .audit = name##_audit};                                      \
        lab_contest_test(&c);                                                                      \
    }
KILL_CHANNEL(queue)

/* ================================ mpmc ================================ */

enum { RING = 8 };

static acre_mpmc_handle mpmc_mine;

static void mpmc_prepare(void *shared)
{
    exchange *x = shared;
    LAB_EQUAL(acre_mpmc_init((acre_mpmc *)x->channel[0], CHANNEL, RING, sizeof(message)), 0);
}

static void mpmc_begin(void *shared, lab_worker *w)
{
    (void)w;
    acre_mpmc *ring = (acre_mpmc *)((exchange *)shared)->channel[0];
    LAB_EQUAL(acre_mpmc_attach(&mpmc_mine, ring, CHANNEL, sizeof(message)), 0);
}

static int mpmc_reserve_and_commit(const message *m)
{
    acre_mpmc_slot slot;
    int e = acre_mpmc_try_reserve(&mpmc_mine, &slot);
    if (e)
        return e;
    memcpy(slot.message, m, sizeof *m);
    LAB_EQUAL(acre_mpmc_commit(&mpmc_mine, &slot), 0);
    return 0;
}

static int mpmc_send(message *m, unsigned way)
{
    struct timespec soon = acre_deadline(2000000);
    if (way == 0)
        return acre_mpmc_try_push(&mpmc_mine, m);
    if (way == 1)
        return mpmc_reserve_and_commit(m);
    return acre_mpmc_push_until(&mpmc_mine, m, way == 2 ? &past : &soon);
}

static int mpmc_receive(message *m, unsigned way)
{
    struct timespec soon = acre_deadline(2000000);
    if (way == 0)
        return acre_mpmc_try_pop(&mpmc_mine, m);
    return acre_mpmc_pop_until(&mpmc_mine, m, way == 1 ? &past : &soon);
}

static void mpmc_turn(void *shared, lab_worker *w)
{
    message m;
    if (acre_test_below(&w->seed, 2))
        turn_send(shared, w, mpmc_send);
    else if (turn_receive(shared, w, mpmc_receive, &m))
        turn_in_order(&m, 0);
}

static void mpmc_audit(void *shared, const lab_worker *dead)
{
    exchange *x = shared;
    message m = message_make(0, 0, 0);
    mpmc_begin(shared, NULL);
    LAB_EQUAL(acre_mpmc_check((acre_mpmc *)x->channel[0], CHANNEL), 0);
    while (channel_passed(mpmc_receive(&m, 0)))
        audit_see(&m);
    for (int i = 0; i < RING; i++)
        LAB_EQUAL(mpmc_send(&m, 0), 0); /* the dead take no room */
    LAB_EQUAL(mpmc_send(&m, 0), EAGAIN);
    while (channel_passed(mpmc_receive(&m, 0)))
        ;
    audit_all(x, dead, false);
}

KILL_CHANNEL(mpmc)

/* ================================ spsc, bytes: two pairs ================================
 *
 * Workers 0 and 2 send to 1 and 3.  Only a side's owner may look into a ring, so the audit takes a
 * copy of it, without owners. */

static bool pair_sends(const lab_worker *w)
{
    return w->id % 2 == 0;
}

static void *pair_copy(const exchange *x, int i)
{
    void *copy = aligned_alloc(64, CHANNEL);
    acre__pair *p = copy;
    LAB_EXPECT(copy);
    memcpy(copy, x->channel[i], CHANNEL);
    p->producer.cell.word = p->consumer.cell.word = 0;
    return copy;
}

static acre_spsc_producer spsc_producer;
static acre_spsc_consumer spsc_consumer;

static void spsc_prepare(void *shared)
{
    exchange *x = shared;
    for (int i = 0; i < CHANNELS; i++)
        LAB_EQUAL(acre_spsc_init((acre_spsc *)x->channel[i], CHANNEL, RING, sizeof(message)), 0);
}

static void spsc_begin(void *shared, lab_worker *w)
{
    acre_spsc *ring = (acre_spsc *)((exchange *)shared)->channel[w->id / 2];
    if (pair_sends(w))
        LAB_EQUAL(acre_spsc_producer_attach(&spsc_producer, ring, CHANNEL, sizeof(message)), 0);
    else
        LAB_EQUAL(acre_spsc_consumer_attach(&spsc_consumer, ring, CHANNEL, sizeof(message)), 0);
}

static int spsc_send(message *m, unsigned way)
{
    struct timespec soon = acre_deadline(2000000);
    return way ? acre_spsc_push_until(&spsc_producer, m, way == 1 ? &past : &soon)
               : acre_spsc_try_push(&spsc_producer, m);
}

static int spsc_receive(message *m, unsigned way)
{
    struct timespec soon = acre_deadline(2000000);
    return way ? acre_spsc_pop_until(&spsc_consumer, m, way == 1 ? &past : &soon)
               : acre_spsc_try_pop(&spsc_consumer, m);
}

static void spsc_turn(void *shared, lab_worker *w)
{
    message m;
    if (pair_sends(w))
        turn_send(shared, w, spsc_send);
    else if (turn_receive(shared, w, spsc_receive, &m))
        turn_in_order(&m, 0);
}

static void spsc_audit(void *shared, const lab_worker *dead)
{
    exchange *x = shared;
    message m;
    for (int i = 0; i < CHANNELS; i++) {
        acre_spsc_consumer c;
        acre_spsc *copy = pair_copy(x, i);
        LAB_EQUAL(acre_spsc_check((acre_spsc *)x->channel[i], CHANNEL), 0);
        LAB_EQUAL(acre_spsc_consumer_attach(&c, copy, CHANNEL, sizeof(message)), 0);
        while (channel_passed(acre_spsc_try_pop(&c, &m)))
            audit_see(&m);
    }
    audit_all(x, dead, true);
}

KILL_CHANNEL(spsc)

static acre_bytes_producer bytes_producer;
static acre_bytes_consumer bytes_consumer;

enum { BYTES_RING = 256, BYTES_RECORD = 64 };

static void bytes_prepare(void *shared)
{
    exchange *x = shared;
    for (int i = 0; i < CHANNELS; i++)
        LAB_EQUAL(acre_bytes_init((acre_bytes *)x->channel[i], CHANNEL, BYTES_RING), 0);
}

static void bytes_begin(void *shared, lab_worker *w)
{
    acre_bytes *ring = (acre_bytes *)((exchange *)shared)->channel[w->id / 2];
    if (pair_sends(w))
        LAB_EQUAL(acre_bytes_producer_attach(&bytes_producer, ring, CHANNEL), 0);
    else
        LAB_EQUAL(acre_bytes_consumer_attach(&bytes_consumer, ring, CHANNEL), 0);
}

/* Of various lengths, filled with the number. */
static size_t bytes_length(const message *m)
{
    return sizeof *m + m->number % (BYTES_RECORD - sizeof *m);
}

static int bytes_send(message *m, unsigned way)
{
    char record[BYTES_RECORD];
    struct timespec soon = acre_deadline(2000000);
    memset(record, (int)(m->number & 0x7f), sizeof record);
    memcpy(record, m, sizeof *m);
    size_t n = bytes_length(m);
    return way ? acre_bytes_push_until(&bytes_producer, record, n, way == 1 ? &past : &soon)
               : acre_bytes_try_push(&bytes_producer, record, n);
}

static int bytes_pop(acre_bytes_consumer *c, message *m, const struct timespec *deadline)
{
    char record[BYTES_RECORD];
    size_t n;
    int e = deadline ? acre_bytes_pop_until(c, record, sizeof record, &n, deadline)
                     : acre_bytes_try_pop(c, record, sizeof record, &n);
    if (e)
        return e;
    memcpy(m, record, sizeof *m);
    LAB_EXPECT(n == bytes_length(m), "%zu bytes", n);
    for (size_t i = sizeof *m; i < n; i++)
        LAB_EXPECT(record[i] == (char)(m->number & 0x7f), "half a record");
    return 0;
}

static int bytes_receive(message *m, unsigned way)
{
    struct timespec soon = acre_deadline(2000000);
    return bytes_pop(&bytes_consumer, m, way == 0 ? NULL : way == 1 ? &past : &soon);
}

static void bytes_turn(void *shared, lab_worker *w)
{
    message m;
    if (pair_sends(w))
        turn_send(shared, w, bytes_send);
    else if (turn_receive(shared, w, bytes_receive, &m))
        turn_in_order(&m, 0);
}

static void bytes_audit(void *shared, const lab_worker *dead)
{
    exchange *x = shared;
    message m;
    for (int i = 0; i < CHANNELS; i++) {
        acre_bytes_consumer c;
        acre_bytes *copy = pair_copy(x, i);
        LAB_EQUAL(acre_bytes_check((acre_bytes *)x->channel[i], CHANNEL), 0);
        LAB_EQUAL(acre_bytes_consumer_attach(&c, copy, CHANNEL), 0);
        while (channel_passed(bytes_pop(&c, &m, NULL)))
            audit_see(&m);
    }
    audit_all(x, dead, true);
}

KILL_CHANNEL(bytes)

/* ================================ broadcast: one to three ================================ */

static acre_broadcast_producer broadcast_producer;
static acre_broadcast_consumer broadcast_consumer;
static uint32_t broadcast_last; /* 0: none yet */

static void broadcast_prepare(void *shared)
{
    acre_broadcast *ring = (acre_broadcast *)((exchange *)shared)->channel[0];
    LAB_EQUAL(acre_broadcast_init(ring, CHANNEL, RING, sizeof(message), LAB_WORKERS), 0);
}

static void broadcast_begin(void *shared, lab_worker *w)
{
    acre_broadcast *r = (acre_broadcast *)((exchange *)shared)->channel[0];
    if (w->id == 0)
        LAB_EQUAL(acre_broadcast_producer_attach(&broadcast_producer, r, CHANNEL, sizeof(message)),
                  0);
    else
        LAB_EQUAL(acre_broadcast_consumer_attach(&broadcast_consumer, r, CHANNEL, sizeof(message)),
                  0);
}

static int broadcast_send(message *m, unsigned way)
{
    struct timespec soon = acre_deadline(2000000);
    return way ? acre_broadcast_push_until(&broadcast_producer, m, way == 1 ? &past : &soon)
               : acre_broadcast_try_push(&broadcast_producer, m);
}

static int broadcast_receive(message *m, unsigned way)
{
    struct timespec soon = acre_deadline(2000000);
    return way ? acre_broadcast_pop_until(&broadcast_consumer, m, way == 1 ? &past : &soon)
               : acre_broadcast_try_pop(&broadcast_consumer, m);
}

/* Each consumer sees every number, but those whose sender died sending them. */
static void broadcast_in_order(const exchange *x, const message *m)
{
    if (broadcast_last && m->number <= broadcast_last)
        lab_doubled(1);
    for (uint32_t i = broadcast_last + 1; broadcast_last && i < m->number; i++)
        if (!x->of[0].gap[i % LEDGER])
            lab_lost(1);
    broadcast_last = m->number;
}

static void broadcast_turn(void *shared, lab_worker *w)
{
    exchange *x = shared;
    message m;
    if (w->id == 0) {
        x->of[0].base = x->of[0].begun; /* no ledger: consumers see all */
        x->of[0].gap[(x->of[0].begun + LEDGER / 2) % LEDGER] = 0;
        turn_send(x, w, broadcast_send);
    } else if (channel_passed(broadcast_receive(&m, (unsigned)acre_test_below(&w->seed, 4)))) {
        message_whole(&m);
        broadcast_in_order(x, &m);
    }
}

static void broadcast_audit(void *shared, const lab_worker *dead)
{
    exchange *x = shared;
    ledger *l = &x->of[0];
    LAB_EQUAL(acre_broadcast_check((acre_broadcast *)x->channel[0], CHANNEL), 0);
    if (dead->id == 0 && l->begun != l->sent)
        l->gap[l->begun % LEDGER] = 1;
    l->sent = l->begun;
}

KILL_CHANNEL(broadcast)

/* ================================ negative controls ================================
 *
 * Two queues under a robust mutex.  One is emptied by whoever inherits the mutex: that loses
 * messages. In the other a receiver counts a message as its own before it has taken it out: that
 * doubles. */

typedef struct naive {
    acre_mutex mutex;
    volatile uint32_t head, tail;
    message slot[RING];
} naive;

static naive *naive_here;
static bool naive_forgets;

static void naive_prepare(void *shared)
{
    naive_here = (naive *)((exchange *)shared)->channel[0];
    acre_mutex_init(&naive_here->mutex);
}

static void naive_lock(void)
{
    if (!acre_mutex_lock(&naive_here->mutex))
        return;
    if (naive_forgets)
        naive_here->head = naive_here->tail;
    LAB_EQUAL(acre_mutex_consistent(&naive_here->mutex), 0);
}

static int naive_unlock(int e)
{
    LAB_EQUAL(acre_mutex_unlock(&naive_here->mutex), 0);
    return e;
}

static int naive_send(message *m, unsigned way)
{
    (void)way;
    naive_lock();
    if (naive_here->tail - naive_here->head == RING)
        return naive_unlock(EAGAIN);
    naive_here->slot[naive_here->tail % RING] = *m;
    naive_here->tail++;
    return naive_unlock(0);
}

static int naive_receive(message *m, unsigned way)
{
    (void)way;
    naive_lock();
    if (naive_here->tail == naive_here->head)
        return naive_unlock(EAGAIN);
    *m = naive_here->slot[naive_here->head % RING];
    naive_here->head++;
    return naive_unlock(0);
}

/* Counted first, taken out after. */
static void naive_receive_early(exchange *x)
{
    naive_lock();
    if (naive_here->tail != naive_here->head) {
        message m = naive_here->slot[naive_here->head % RING];
        __atomic_add_fetch(&x->of[m.sender].got[m.number % LEDGER], 1, __ATOMIC_SEQ_CST);
        for (int i = 0; i < 200; i++)
            __asm__ volatile("" ::: "memory");
        naive_here->head++;
    }
    naive_unlock(0);
}

static void naive_turn(void *shared, lab_worker *w)
{
    message m;
    if (acre_test_below(&w->seed, 2))
        turn_send(shared, w, naive_send);
    else if (naive_forgets)
        turn_receive(shared, w, naive_receive, &m);
    else
        naive_receive_early(shared);
}

static void naive_audit(void *shared, const lab_worker *dead)
{
    message m;
    while (naive_receive(&m, 0) == 0)
        audit_see(&m);
    audit_all(shared, dead, false);
}

static lab_count naive_contest(bool forgets)
{
    static const lab_contest c = {.primitive = "control",
                                  .prepare = naive_prepare,
                                  .turn = naive_turn,
                                  .audit = naive_audit,
                                  .kills = 400};
    lab_count n = {0};
    naive_forgets = forgets;
    for (int i = 0; i < 20 && n.lost + n.doubled == 0; i++)
        n = lab_contend(&c);
    return n;
}

ACRE_TEST(sync_lab, a_queue_that_forgets_is_found)
{
    lab_count n = naive_contest(true);
    ACRE_CHECK(n.lost > 0 && n.doubled == 0 && n.hangs == 0, "%zu lost, %zu doubled: %s", n.lost,
               n.doubled, n.text);
}

ACRE_TEST(sync_lab, a_queue_that_repeats_is_found)
{
    lab_count n = naive_contest(false);
    ACRE_CHECK(n.doubled > 0 && n.hangs == 0, "%zu doubled: %s", n.doubled, n.text);
}
