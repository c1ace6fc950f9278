/* SPDX-License-Identifier: MIT */
/* side.c: taking a side, looking how far it may go, more than one message at a time.
 * Source of the remembered limit: J. Giacomoni, T. Moseley, M. Vachharajani, «FastForward for
 * Efficient Pipeline Parallelism», 2008; its form here is the usual one of single-producer rings.
 */
#include "sync/side.h"

enum { SIDE_WATCH = 64 }; /* looks */

/* ---- taking and giving back ---- */

acre__side acre__side_producer(acre__pair *pair, const acre__ring_plan *plan)
{
    return (acre__side){.ring = &pair->ring,
                        .index = &pair->tail.index,
                        .event = &pair->tail.event,
                        .other = &pair->head.index,
                        .sleep = &pair->head.event,
                        .ahead = (uint64_t)1 << plan->shift,
                        .look = acre__side_look,
                        .role = &pair->producer.cell,
                        .peer = &pair->consumer.cell};
}

acre__side acre__side_consumer(acre__pair *pair)
{
    return (acre__side){.ring = &pair->ring,
                        .index = &pair->head.index,
                        .event = &pair->head.event,
                        .other = &pair->tail.index,
                        .sleep = &pair->tail.event,
                        .look = acre__side_look,
                        .role = &pair->consumer.cell,
                        .peer = &pair->producer.cell};
}

static void side_fill(acre__side *side, const acre__ring_plan *plan, uint64_t index)
{
    side->cells = (char *)side->ring + plan->cells;
    side->mask = ((uint64_t)1 << plan->shift) - 1;
    side->message = plan->message;
    side->cell = plan->cell;
    side->want = 1;
    side->thread = acre__this_thread.id;
    side->mine = side->limit = index;
}

int acre__side_begin(acre__side *out, acre__side side, const acre__ring_plan *plan)
{
    int e = acre__role_take(side.role);
    if (e)
        return e;
    acre__ring_meet(side.ring);
    side_fill(&side, plan, acre__load(side.index));
    if (side.look(&side) != ACRE_ECORRUPT) {
        *out = side;
        return 0;
    }
    acre__cell_release(acre__self_here(), side.role);
    return ACRE_ECORRUPT;
}

int acre__side_join(acre__side *out, acre__side side, const acre__ring_plan *plan)
{
    int e = acre__role_take(side.role);
    if (e)
        return e;
    acre__ring_meet(side.ring);
    side_fill(&side, plan, acre__load_full(side.other));
    acre__store(side.index, side.mine);
    acre__ring_signal(side.event, ACRE__WAKE_ALL);
    *out = side;
    return 0;
}

/* The handle is empty afterwards: of no thread, with nothing between mine and limit. */
int acre__side_end(acre__side *side)
{
    if (!side->ring || side->thread != acre__this_thread.id)
        return EPERM;
    acre__cell_release(acre__self_here(), side->role);
    acre__ring_signal(side->event, ACRE__WAKE_ALL);
    *side = (acre__side){0};
    return 0;
}

/* ---- how far ---- */

static int side_look(acre__side *side)
{
    uint64_t limit = acre__load(side->other) + side->ahead;
    if (limit - side->mine > side->mask + 1)
        return ACRE_ECORRUPT;
    side->limit = limit;
    return limit - side->mine < side->want ? EAGAIN : 0;
}

/* What the dead one did before is there to be seen after its death. */
int acre__side_look(void *arg)
{
    acre__side *side = arg;
    int e = side_look(side);
    if (e != EAGAIN || !side->peer || !acre__role_dead(side->peer))
        return e;
    e = side_look(side);
    return e == EAGAIN ? ACRE_EPEER : e;
}

/* The first microsecond, for a peer that answers at once: only the index is looked at, and the line of
 * the message that it will tell of may come along with it. */
static int side_watch(acre__side *side)
{
    int e = EAGAIN;
    for (int i = 0; i < SIDE_WATCH && (e = side_look(side)) == EAGAIN; i++) {
        __builtin_prefetch(acre__side_at(side, side->mine));
        acre__pause();
    }
    if (e != EAGAIN)
        acre__self_here()->patience = ACRE__PATIENCE; /* see park.h */
    return e;
}

static bool side_watches(const acre__side *side, const struct timespec *deadline)
{
    return deadline != &acre__ring_at_once && side->look == acre__side_look &&
           acre__this_thread.patience > SIDE_WATCH;
}

int acre__side_wait(acre__side *side, const struct timespec *deadline)
{
    bool slept;
    if (!side->ring || side->thread != acre__this_thread.id)
        return EPERM;
    int e = side_watches(side, deadline) ? side_watch(side) : EAGAIN;
    if (e != EAGAIN)
        return e;
    return acre__ring_wait(side->ring, side->sleep, side->look, side, deadline, &slept);
}

/* ---- several ---- */

/* How many of the n wanted there are now.  A batch that the remembered limit cannot serve is worth
 * a look. */
static int side_ready_many(acre__side *side, size_t *n, const struct timespec *deadline)
{
    if (*n == 0)
        return EINVAL;
    int e = acre__side_ready(side, deadline);
    if (!e && side->limit - side->mine < *n)
        e = side->look(side);
    if (!e && side->limit - side->mine < *n)
        *n = side->limit - side->mine;
    return e;
}

/* To the end of the memory. */
static size_t side_row(const acre__side *side, uint64_t index, size_t n)
{
    uint64_t row = side->mask + 1 - (index & side->mask);
    return n < row ? n : row;
}

/* n messages between an array and cells, at distances that may differ. */
static void side_copy(char *to, size_t to_step, const char *from, size_t from_step, size_t n,
                      size_t message)
{
    if (to_step == from_step) {
        memcpy(to, from, n * message);
        return;
    }
    for (; n; n--, to += to_step, from += from_step)
        memcpy(to, from, message);
}

static void side_put_row(const acre__side *side, uint64_t index, const char *from, size_t n)
{
    side_copy(acre__side_at(side, index), side->cell, from, side->message, n, side->message);
}

static void side_get_row(const acre__side *side, uint64_t index, char *to, size_t n)
{
    side_copy(to, side->message, acre__side_at(side, index), side->cell, n, side->message);
}

int acre__side_put_many(acre__side *side, const void *messages, size_t n, size_t *done,
                        const struct timespec *deadline)
{
    int e = side_ready_many(side, &n, deadline);
    if (e)
        return e;
    size_t row = side_row(side, side->mine, n);
    side_put_row(side, side->mine, messages, row);
    side_put_row(side, side->mine + row, (const char *)messages + row * side->message, n - row);
    acre__side_publish(side, side->mine + n);
    *done = n;
    return 0;
}

int acre__side_get_many(acre__side *side, void *messages, size_t n, size_t *done,
                        const struct timespec *deadline)
{
    int e = side_ready_many(side, &n, deadline);
    if (e)
        return e;
    size_t row = side_row(side, side->mine, n);
    side_get_row(side, side->mine, messages, row);
    side_get_row(side, side->mine + row, (char *)messages + row * side->message, n - row);
    acre__side_publish(side, side->mine + n);
    *done = n;
    return 0;
}

int acre__side_cells(acre__side *side, void **cells, size_t *n, const struct timespec *deadline)
{
    size_t wanted = *n;
    int e = side_ready_many(side, &wanted, deadline);
    if (e)
        return e;
    *n = side_row(side, side->mine, wanted);
    *cells = acre__side_at(side, side->mine);
    return 0;
}

int acre__side_give(acre__side *side, size_t n)
{
    if (!side->ring || side->thread != acre__this_thread.id)
        return EPERM;
    if (n > side->limit - side->mine)
        return EINVAL;
    acre__side_publish(side, side->mine + n);
    return 0;
}

/* ---- waiting for any ---- */

bool acre__side_is_ready(void *arg)
{
    acre__side *side = arg;
    return side->limit - side->mine >= side->want || side->look(side) != EAGAIN;
}

const uint32_t *acre__side_prepare(void *arg, uint32_t *expected)
{
    return acre__ring_prepare(((acre__side *)arg)->sleep, expected);
}

static const struct acre__wait_methods side_methods = {acre__side_is_ready, acre__side_prepare,
                                                       NULL};

acre_waitable acre__side_waitable(acre__side *side)
{
    return (acre_waitable){side, &side_methods};
}

/* ---- from outside ---- */

/* Both at one moment: the head was the same before and after the tail was read. */
static uint64_t side_between(const acre__pair *pair)
{
    uint64_t head, tail, again = acre__load(&pair->head.index);
    do {
        head = again;
        tail = acre__load(&pair->tail.index);
        again = acre__load(&pair->head.index);
    } while (again != head);
    return tail - head;
}

uint64_t acre__pair_count(const acre__pair *pair)
{
    uint64_t n = side_between(pair), capacity = acre__ring_capacity(&pair->ring);
    return n < capacity ? n : capacity;
}

int acre__pair_check(const acre__pair *pair, const acre__ring_plan *plan)
{
    return side_between(pair) > (uint64_t)1 << plan->shift ? ACRE_ECORRUPT : 0;
}
