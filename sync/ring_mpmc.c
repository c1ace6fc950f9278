/* SPDX-License-Identifier: MIT */
/* ring_mpmc.c: acre_mpmc: cells that say by themselves whose they are and what they hold.
 * Source of the turns: D. Vyukov, «Bounded MPMC queue», 2011.  His producers claim a position by
 * the tail and then fill the cell, so one that dies in between blocks it for ever.  Here the claim
 * is in the cell, with the claimer's name.
 *
 * A position p (0, 1, 2 … without end) is in cell p % capacity, in lap p / capacity.  A cell's
 * state is one 64-bit word: the owner's futex word and, above it, the turn: 2 lap (empty) or
 * 2 lap + 1 (full).
 *
 *      turn      2n                            2n + 1                          2n + 2
 *             ┌───────┐ CAS  ┌─────────┐ store ┌──────┐ CAS  ┌─────────┐ store ┌───────┐
 *             │ empty │─────▶│ filling │──────▶│ full │─────▶│ emptying│──────▶│ empty │
 *             └───────┘      └─────────┘       └──────┘      └─────────┘       └───────┘
 *      owner      0           producer            0           consumer             0
 *                                 │ dies                          │ dies           ▲
 *                                 │ (the kernel sets D)           │ (sets D)       │ CAS, by
 *                                 ▼                               ▼                │ whoever
 *                             empty, D                         full, D ────────────┤ meets it
 *                                 └────────────────────────────────────────────────┘
 *
 * The claim checks turn and owner at once; the commit changes turn and owner at once.  So a cell is
 * never claimed for the wrong lap, and nothing has to be undone: a dead producer's position is
 * skipped, and a dead consumer's message, which it may have read, counts as received.  Skipping,
 * rather than filling it again, keeps each producer's order: it may have gone on to a later cell
 * while the dead one lived.
 *
 * Tail and head are hints: all positions before the tail are at least claimed by a producer, all
 * before the head by a consumer, for ever.  They are advanced after the cell's state shows it, by
 * plain stores; one that comes late sets a hint back, which costs steps and nothing else.
 *
 * The claim is named in list_op_pending while the message is copied, not put into the list: the
 * copy takes nothing else and does not wait (robust.h).  Reserved and peeked cells are the caller's
 * for as long as it likes, so they are put into the list; their link lies 32 bytes behind the word
 * as in every cell.
 *
 * Killed where?                                   the others find
 *     named, before the CAS                       nothing
 *     after the CAS, before the store of state    D, by the name or the list; they skip
 *     after the store                             full, or empty
 *     before a hint is stored                     the hint of before
 *     in the signal                               sleepers' naps end
 *     in skipping another's cell                  it is skipped, or still to be
 */
#include "sync/ring.h"

enum { MPMC_INLINE = 24, MPMC_HEADER = 8, MPMC_FILL = 0, MPMC_EMPTY = 1 };

typedef union mpmc_cell {
    uint64_t state;
    acre_cell cell; /* word, mode and next: the state's two halves and the link */
} mpmc_cell;

_Static_assert(__BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__, "the word is the state's lower half");
_Static_assert(offsetof(acre_cell, next) == MPMC_HEADER + MPMC_INLINE, "ring format");

/* ---- making ---- */

static uint32_t mpmc_at(uint32_t message)
{
    return message <= MPMC_INLINE ? MPMC_HEADER : (uint32_t)sizeof(acre_cell);
}

static acre__ring_plan mpmc_plan(uint32_t capacity, uint32_t message)
{
    uint64_t longer = message <= MPMC_INLINE ? 0 : acre__ring_round8(message);
    return acre__ring_plan_make(sizeof(acre_mpmc), capacity, message, sizeof(acre_cell) + longer);
}

size_t acre_mpmc_size(uint32_t capacity, uint32_t message)
{
    return mpmc_plan(capacity, message).size;
}

int acre_mpmc_init(acre_mpmc *ring, size_t size, uint32_t capacity, uint32_t message)
{
    acre__ring_plan plan = mpmc_plan(capacity, message);
    int e = acre__ring_begin(ring, size, &plan);
    if (e)
        return e;
    memset((char *)ring + plan.cells, 0, plan.size - plan.cells);
    acre__ring_publish(&ring->ring, ACRE__MPMC, &plan);
    return 0;
}

static int mpmc_open(acre_mpmc_handle *h, acre_mpmc *ring, size_t size)
{
    acre__ring seen;
    int e = acre__ring_read(ring, size, ACRE__MPMC, &seen);
    if (e)
        return e;
    acre__ring_plan plan = mpmc_plan((uint32_t)1 << seen.shift, seen.message);
    e = acre__ring_fits(&seen, &plan, size);
    if (!e)
        *h = (acre_mpmc_handle){.mpmc = ring,
                                .cells = (char *)ring + plan.cells,
                                .mask = ((uint64_t)1 << plan.shift) - 1,
                                .shift = plan.shift,
                                .message = plan.message,
                                .cell = plan.cell,
                                .at = mpmc_at(plan.message)};
    return e;
}

int acre_mpmc_attach(acre_mpmc_handle *h, acre_mpmc *ring, size_t size, uint32_t message)
{
    acre_mpmc_handle found;
    int e = mpmc_open(&found, ring, size);
    if (!e && found.message != message)
        e = EMSGSIZE;
    if (e)
        return e;
    acre__ring_meet(&ring->ring);
    *h = found;
    return 0;
}

int acre_mpmc_detach(acre_mpmc_handle *h)
{
    if (!h->mpmc)
        return EPERM;
    *h = (acre_mpmc_handle){0};
    return 0;
}

/* ---- states ---- */

static inline mpmc_cell *mpmc_cell_at(const acre_mpmc_handle *h, uint64_t position)
{
    return (mpmc_cell *)(void *)(h->cells + (position & h->mask) * h->cell);
}

static inline void *mpmc_message(const acre_mpmc_handle *h, mpmc_cell *c)
{
    return (char *)c + h->at;
}

static inline uint32_t mpmc_word(uint64_t state)
{
    return (uint32_t)state;
}

static inline uint64_t mpmc_state(uint32_t turn, uint32_t word)
{
    return (uint64_t)turn << 32 | word;
}

/* The turn that this way (fill or empty) waits for at the position. */
static inline uint32_t mpmc_turn(const acre_mpmc_handle *h, uint64_t position, uint32_t way)
{
    return (uint32_t)(position >> h->shift) * 2 + way;
}

static inline bool mpmc_dead(uint64_t state)
{
    return acre__ownerless(mpmc_word(state)) && state & ACRE__D;
}

/* Empty, for the next lap. */
static uint64_t mpmc_skipped(uint64_t state)
{
    return mpmc_state(((uint32_t)(state >> 32) | 1) + 1, 0);
}

static uint32_t *mpmc_filled(acre_mpmc *m)
{
    return &m->tail.event;
}

static uint32_t *mpmc_emptied(acre_mpmc *m)
{
    return &m->head.event;
}

/* Whoever does it, it is done: both kinds of sleepers may have waited for it. */
static void mpmc_skip(const acre_mpmc_handle *h, mpmc_cell *c, uint64_t seen)
{
    if (!acre__cas(&c->state, &seen, mpmc_skipped(seen)))
        return;
    acre__ring_signal(mpmc_filled(h->mpmc), ACRE__WAKE_ALL);
    acre__ring_signal(mpmc_emptied(h->mpmc), ACRE__WAKE_ALL);
}

/* ---- finding the position ---- */

static inline uint64_t *mpmc_hint(const acre_mpmc_handle *h, uint32_t way)
{
    return way == MPMC_FILL ? &h->mpmc->tail.index : &h->mpmc->head.index;
}

static inline void mpmc_advance(const acre_mpmc_handle *h, uint32_t way, uint64_t next)
{
    uint64_t *hint = mpmc_hint(h, way);
    if ((int64_t)(next - acre__peek(hint)) > 0)
        acre__store(hint, next);
}

/* The cell's turn is so much ahead.  It was filled one lap before what it waits for now, and that
 * was when all cells had been left by their consumers two laps before. */
static uint64_t mpmc_step(const acre_mpmc_handle *h, int32_t ahead)
{
    return ahead < 8 ? 1 : (uint64_t)(ahead / 2 - 2) << h->shift;
}

/* Whether to go on at *position (EINTR), *state can be claimed there (0), or why not. */
static int mpmc_judge(const acre_mpmc_handle *h, uint64_t *position, uint32_t way, mpmc_cell *c,
                      uint64_t *state)
{
    *state = acre__load(&c->state);
    int32_t ahead = (int32_t)((uint32_t)(*state >> 32) - mpmc_turn(h, *position, way));
    if (__builtin_expect(ahead == 0 && !mpmc_word(*state), 1))
        return 0;
    if (mpmc_dead(*state) && ahead <= 0 && ahead >= -2)
        mpmc_skip(h, c, *state);
    else if (ahead >= 0)
        *position += mpmc_step(h, ahead);
    else
        return ahead == -1 || (ahead == -2 && mpmc_word(*state)) ? EAGAIN : ACRE_ECORRUPT;
    return EINTR;
}

/* Claim the next position; the cell is named. */
static int mpmc_claim(const acre_mpmc_handle *h, acre__self *s, uint32_t way, uint64_t *position)
{
    uint64_t state;
    *position = acre__load(mpmc_hint(h, way));
    for (;;) {
        mpmc_cell *c = mpmc_cell_at(h, *position);
        int e = mpmc_judge(h, position, way, c, &state);
        if (e == EINTR)
            continue;
        if (e)
            return e;
        acre__announce(s, &c->cell.word);
        if (acre__cas(&c->state, &state, state | s->tid))
            return 0;
        acre__announce_none(s);
    }
}

/* One store: the turn and nobody's. */
static inline void mpmc_finish(const acre_mpmc_handle *h, acre__self *s, uint32_t way,
                               uint64_t position, uint64_t state)
{
    acre__store(&mpmc_cell_at(h, position)->state, state);
    acre__announce_none(s);
    mpmc_advance(h, way, position + 1);
}

/* ---- one copy ---- */

typedef struct mpmc_call {
    const acre_mpmc_handle *h;
    acre__self *self;
    void *message;       /* to be copied; NULL: the cell is kept */
    acre_mpmc_slot slot; /* kept */
    uint32_t way;
} mpmc_call;

static inline void mpmc_copy(const mpmc_call *call, uint64_t position)
{
    const acre_mpmc_handle *h = call->h;
    void *there = mpmc_message(h, mpmc_cell_at(h, position));
    if (call->way == MPMC_FILL)
        acre__ring_copy(there, call->message, h->message);
    else
        acre__ring_copy(call->message, there, h->message);
}

static int mpmc_try_copy(void *arg)
{
    mpmc_call *call = arg;
    uint64_t position;
    int e = mpmc_claim(call->h, call->self, call->way, &position);
    if (e)
        return e;
    mpmc_copy(call, position);
    uint32_t next = mpmc_turn(call->h, position, call->way) + 1;
    mpmc_finish(call->h, call->self, call->way, position, mpmc_state(next, 0));
    return 0;
}

/* The cell stays named, too, as the one taken last may. */
static int mpmc_try_keep(void *arg)
{
    mpmc_call *call = arg;
    uint64_t position, first = call->self->anchor.next;
    int e = mpmc_claim(call->h, call->self, call->way, &position);
    if (e)
        return e;
    mpmc_cell *c = mpmc_cell_at(call->h, position);
    acre__list_add(call->self, &c->cell, first);
    mpmc_advance(call->h, call->way, position + 1);
    call->slot = (acre_mpmc_slot){mpmc_message(call->h, c), position};
    return 0;
}

/* ---- waiting ---- */

/* The other side's sleepers wait for what this way does. */
static uint32_t *mpmc_done_event(const acre_mpmc_handle *h, uint32_t way)
{
    return way == MPMC_FILL ? mpmc_filled(h->mpmc) : mpmc_emptied(h->mpmc);
}

static uint32_t *mpmc_sleep_event(const acre_mpmc_handle *h, uint32_t way)
{
    return mpmc_done_event(h, !way);
}

/* Whether this way has something to do now. */
static bool mpmc_ready(const acre_mpmc_handle *h, uint32_t way)
{
    uint64_t state, position = acre__load(mpmc_hint(h, way));
    int e;
    do
        e = mpmc_judge(h, &position, way, mpmc_cell_at(h, position), &state);
    while (e == EINTR);
    return e != EAGAIN;
}

/* Who slept may have got the wake-up for two: a message, and one that was held up before it. */
static void mpmc_pass_on(const acre_mpmc_handle *h, uint32_t way)
{
    if (mpmc_ready(h, way))
        acre__ring_signal(mpmc_sleep_event(h, way), 1);
}

static int mpmc_wait(mpmc_call *call, int (*look)(void *), const struct timespec *deadline)
{
    bool slept;
    uint32_t *event = mpmc_sleep_event(call->h, call->way);
    int e = acre__ring_wait(&call->h->mpmc->ring, event, look, call, deadline, &slept);
    if (slept && !e)
        mpmc_pass_on(call->h, call->way);
    return e;
}

static int mpmc_begin(const acre_mpmc_handle *h, mpmc_call *call, uint32_t way)
{
    if (!h->mpmc)
        return EPERM;
    *call = (mpmc_call){.h = h, .self = acre__self_get(), .way = way};
    return acre__self_busy(call->self) ? EDEADLK : 0;
}

static int mpmc_one(const acre_mpmc_handle *h, uint32_t way, void *message,
                    const struct timespec *deadline)
{
    mpmc_call call;
    int e = mpmc_begin(h, &call, way);
    if (e)
        return e;
    call.message = message;
    e = mpmc_try_copy(&call);
    if (__builtin_expect(e == EAGAIN, 0))
        e = mpmc_wait(&call, mpmc_try_copy, deadline);
    if (!e)
        acre__ring_signal(mpmc_done_event(h, way), 1);
    return e;
}

/* ---- one message ---- */

int acre_mpmc_push_until(acre_mpmc_handle *h, const void *message, const struct timespec *deadline)
{
    return mpmc_one(h, MPMC_FILL, (void *)(uintptr_t)message, deadline);
}

int acre_mpmc_push(acre_mpmc_handle *h, const void *message)
{
    return acre_mpmc_push_until(h, message, NULL);
}

int acre_mpmc_try_push(acre_mpmc_handle *h, const void *message)
{
    return acre_mpmc_push_until(h, message, &acre__ring_at_once);
}

int acre_mpmc_pop_until(acre_mpmc_handle *h, void *message, const struct timespec *deadline)
{
    return mpmc_one(h, MPMC_EMPTY, message, deadline);
}

int acre_mpmc_pop(acre_mpmc_handle *h, void *message)
{
    return acre_mpmc_pop_until(h, message, NULL);
}

int acre_mpmc_try_pop(acre_mpmc_handle *h, void *message)
{
    return acre_mpmc_pop_until(h, message, &acre__ring_at_once);
}

/* ---- several ---- */

/* After the first: as many as go without waiting. */
static size_t mpmc_more(mpmc_call *call, size_t n)
{
    size_t i = 0;
    for (; i < n; i++) {
        call->message = (char *)call->message + call->h->message;
        if (mpmc_try_copy(call))
            break;
    }
    return i;
}

static int mpmc_many(const acre_mpmc_handle *h, uint32_t way, void *messages, size_t n,
                     size_t *done, const struct timespec *deadline)
{
    mpmc_call call;
    int e = n == 0 ? EINVAL : mpmc_begin(h, &call, way);
    if (e)
        return e;
    call.message = messages;
    e = mpmc_wait(&call, mpmc_try_copy, deadline);
    if (e)
        return e;
    *done = 1 + mpmc_more(&call, n - 1);
    acre__ring_signal(mpmc_done_event(h, way), *done < INT32_MAX ? (uint32_t)*done : INT32_MAX);
    return 0;
}

int acre_mpmc_push_many_until(acre_mpmc_handle *h, const void *messages, size_t n, size_t *done,
                              const struct timespec *deadline)
{
    return mpmc_many(h, MPMC_FILL, (void *)(uintptr_t)messages, n, done, deadline);
}

int acre_mpmc_push_many(acre_mpmc_handle *h, const void *messages, size_t n, size_t *done)
{
    return acre_mpmc_push_many_until(h, messages, n, done, NULL);
}

int acre_mpmc_try_push_many(acre_mpmc_handle *h, const void *messages, size_t n, size_t *done)
{
    return acre_mpmc_push_many_until(h, messages, n, done, &acre__ring_at_once);
}

int acre_mpmc_pop_many_until(acre_mpmc_handle *h, void *messages, size_t n, size_t *done,
                             const struct timespec *deadline)
{
    return mpmc_many(h, MPMC_EMPTY, messages, n, done, deadline);
}

int acre_mpmc_pop_many(acre_mpmc_handle *h, void *messages, size_t n, size_t *done)
{
    return acre_mpmc_pop_many_until(h, messages, n, done, NULL);
}

int acre_mpmc_try_pop_many(acre_mpmc_handle *h, void *messages, size_t n, size_t *done)
{
    return acre_mpmc_pop_many_until(h, messages, n, done, &acre__ring_at_once);
}

/* ---- without a copy ---- */

static int mpmc_keep(const acre_mpmc_handle *h, uint32_t way, acre_mpmc_slot *slot,
                     const struct timespec *deadline)
{
    mpmc_call call;
    int e = mpmc_begin(h, &call, way);
    if (!e)
        e = mpmc_wait(&call, mpmc_try_keep, deadline);
    if (!e)
        *slot = call.slot;
    return e;
}

/* Give a kept cell back, in this state. */
static int mpmc_end(const acre_mpmc_handle *h, uint32_t way, uint64_t position, bool skip)
{
    if (!h->mpmc)
        return EPERM;
    acre__self *s = acre__self_get();
    mpmc_cell *c = mpmc_cell_at(h, position);
    uint64_t mine = mpmc_state(mpmc_turn(h, position, way), s->tid);
    if (acre__load(&c->state) != mine || !acre__self_holds(s, &c->cell))
        return EPERM;
    if (acre__self_busy(s))
        return EDEADLK;
    acre__announce(s, &c->cell.word);
    acre__list_remove(s, &c->cell);
    acre__order();
    mpmc_finish(h, s, way, position, skip ? mpmc_skipped(mine) : mine - s->tid + mpmc_state(1, 0));
    acre__ring_signal(mpmc_done_event(h, way), 1);
    return 0;
}

int acre_mpmc_reserve_until(acre_mpmc_handle *h, acre_mpmc_slot *slot,
                            const struct timespec *deadline)
{
    return mpmc_keep(h, MPMC_FILL, slot, deadline);
}

int acre_mpmc_reserve(acre_mpmc_handle *h, acre_mpmc_slot *slot)
{
    return acre_mpmc_reserve_until(h, slot, NULL);
}

int acre_mpmc_try_reserve(acre_mpmc_handle *h, acre_mpmc_slot *slot)
{
    return acre_mpmc_reserve_until(h, slot, &acre__ring_at_once);
}

int acre_mpmc_commit(acre_mpmc_handle *h, const acre_mpmc_slot *slot)
{
    return mpmc_end(h, MPMC_FILL, slot->position, false);
}

/* Both sides may have waited for it: consumers to get past it, producers to fill it. */
int acre_mpmc_cancel(acre_mpmc_handle *h, const acre_mpmc_slot *slot)
{
    int e = mpmc_end(h, MPMC_FILL, slot->position, true);
    if (!e)
        acre__ring_signal(mpmc_emptied(h->mpmc), 1);
    return e;
}

int acre_mpmc_peek_until(acre_mpmc_handle *h, acre_mpmc_slot *slot, const struct timespec *deadline)
{
    return mpmc_keep(h, MPMC_EMPTY, slot, deadline);
}

int acre_mpmc_peek(acre_mpmc_handle *h, acre_mpmc_slot *slot)
{
    return acre_mpmc_peek_until(h, slot, NULL);
}

int acre_mpmc_try_peek(acre_mpmc_handle *h, acre_mpmc_slot *slot)
{
    return acre_mpmc_peek_until(h, slot, &acre__ring_at_once);
}

int acre_mpmc_release(acre_mpmc_handle *h, const acre_mpmc_slot *slot)
{
    return mpmc_end(h, MPMC_EMPTY, slot->position, false);
}

/* ---- looking ---- */

size_t acre_mpmc_capacity(const acre_mpmc *ring)
{
    return acre__ring_capacity(&ring->ring);
}

size_t acre_mpmc_message(const acre_mpmc *ring)
{
    return acre__peek(&ring->ring.message);
}

/* A position as a producer or a consumer sees it: how far its cell's turn is past what it waits
 * for.
 */
typedef struct mpmc_view {
    int32_t past;
    uint32_t word;
} mpmc_view;

static mpmc_view mpmc_look(const acre_mpmc_handle *h, uint64_t position, uint32_t way)
{
    uint64_t state = acre__load(&mpmc_cell_at(h, position)->state);
    int32_t past = (int32_t)((uint32_t)(state >> 32) - mpmc_turn(h, position, way));
    return (mpmc_view){past, mpmc_word(state)};
}

static bool mpmc_taken(mpmc_view v)
{
    return v.past > 0 || (v.past == 0 && v.word);
}

static bool mpmc_hint_is_one(const acre_mpmc_handle *h, uint32_t way)
{
    uint64_t hint = acre__load(mpmc_hint(h, way));
    for (uint64_t i = 0; i <= h->mask && i < hint; i++)
        if (!mpmc_taken(mpmc_look(h, hint - 1 - i, way)))
            return false;
    return true;
}

/* From the hint on: where the next one to come would begin. */
static uint64_t mpmc_first_free(const acre_mpmc_handle *h, uint32_t way)
{
    uint64_t position = acre__load(mpmc_hint(h, way));
    for (;;) {
        mpmc_view v = mpmc_look(h, position, way);
        if (!mpmc_taken(v))
            return position;
        position += mpmc_step(h, v.past);
    }
}

size_t acre_mpmc_count(const acre_mpmc_handle *h)
{
    if (!h->mpmc)
        return 0;
    uint64_t head = mpmc_first_free(h, MPMC_EMPTY), tail = mpmc_first_free(h, MPMC_FILL);
    return (int64_t)(tail - head) < 0 ? 0 : tail - head <= h->mask ? tail - head : h->mask + 1;
}

/* I1  the positions of the lap before a hint are claimed, at least: so the hint is one
 * I2  from the first position that no producer has claimed on, none is: messages have no gap
 * I3  and the position one lap before is */
int acre_mpmc_check(const acre_mpmc *ring, size_t size)
{
    acre_mpmc_handle h;
    int e = mpmc_open(&h, (acre_mpmc *)(uintptr_t)ring, size);
    if (e)
        return e;
    if (!mpmc_hint_is_one(&h, MPMC_FILL) || !mpmc_hint_is_one(&h, MPMC_EMPTY))
        return ACRE_ECORRUPT;
    uint64_t first = mpmc_first_free(&h, MPMC_FILL);
    for (uint64_t i = 0; i <= h.mask; i++) {
        mpmc_view v = mpmc_look(&h, first + i, MPMC_FILL);
        if (mpmc_taken(v) || v.past < -2 || (v.past == -2 && !v.word))
            return ACRE_ECORRUPT;
    }
    return 0;
}

/* ---- waiting for any ---- */

static bool mpmc_fill_ready(void *h)
{
    return mpmc_ready(h, MPMC_FILL);
}

static bool mpmc_empty_ready(void *h)
{
    return mpmc_ready(h, MPMC_EMPTY);
}

static const uint32_t *mpmc_fill_prepare(void *h, uint32_t *expected)
{
    return acre__ring_prepare(mpmc_sleep_event(h, MPMC_FILL), expected);
}

static const uint32_t *mpmc_empty_prepare(void *h, uint32_t *expected)
{
    return acre__ring_prepare(mpmc_sleep_event(h, MPMC_EMPTY), expected);
}

static void mpmc_fill_leave(void *h)
{
    mpmc_pass_on(h, MPMC_FILL);
}

static void mpmc_empty_leave(void *h)
{
    mpmc_pass_on(h, MPMC_EMPTY);
}

static const struct acre__wait_methods mpmc_fill_methods = {mpmc_fill_ready, mpmc_fill_prepare,
                                                            mpmc_fill_leave};
static const struct acre__wait_methods mpmc_empty_methods = {mpmc_empty_ready, mpmc_empty_prepare,
                                                             mpmc_empty_leave};

acre_waitable acre_mpmc_push_waitable(acre_mpmc_handle *h)
{
    return (acre_waitable){h, &mpmc_fill_methods};
}

acre_waitable acre_mpmc_pop_waitable(acre_mpmc_handle *h)
{
    return (acre_waitable){h, &mpmc_empty_methods};
}
