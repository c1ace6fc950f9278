/* SPDX-License-Identifier: MIT */
/* shared_control.c: a control block's lock, and its steps.
 *
 * A step is a count and a slot that change together.  With the lock:
 *
 *     copy      to, step = COPY │ fill the slot          │ count + 1, no step
 *     release   to, step = RELEASE │ empty the slot      │ count - 1, no step
 *     move      to, from, step = MOVE │ fill, empty      │ no step
 *
 * Count and step are one word, so the last store is the commit of both.  Killed before the step is there: nothing has
 * happened.  Killed with it: a copy is undone (the slot is emptied if it names this block), a release and a move
 * are done again from the slots as they are; each looks what is there, so dying in it and doing it again is harmless.
 * Killed after: all has happened.  Who has the lock next finds a step, and only a dead one can have left it.
 *
 * A slot in private memory is not recorded: with its process it is gone, too.
 */
#include "segment/internal.h"

#include <time.h>

enum { CONTROL_PATIENCE_S = 1 };

/* ---- finding ---- */

/* Written out: it is looked at more than once in each call. */
static inline uint64_t control_room(const acre_segment *s)
{
    uint64_t size = acre__peek(&segment_header_of(s)->size);
    return size < s->window ? size : s->window;
}

uint64_t acre__shared_room(const acre_segment *s)
{
    return control_room(s);
}

/* 0: in private memory. */
static inline acre_off control_slot_offset(const acre_segment *s, const acre_reference *r)
{
    uint64_t at = (uint64_t)((const char *)r - s->base);
    return at < control_room(s) ? at : 0;
}

static inline bool control_fits(const acre_segment *s, acre_off at, uint64_t bytes, uint64_t align)
{
    uint64_t room = control_room(s);
    return at % align == 0 && at >= SEGMENT_HEADER && room >= bytes && at <= room - bytes;
}

shared_control *acre__shared_at(const acre_segment *s, acre_off at)
{
    bool fits = control_fits(s, at, sizeof(shared_control), ACRE_ALIGN_MIN);
    return fits ? (shared_control *)(void *)(s->base + at) : NULL;
}

shared_control *acre__shared_known(const acre_segment *s, acre_off at)
{
    shared_control *c = acre__shared_at(s, at);
    return c && acre__peek(&c->cell.tag) == SHARED_CONTROL ? c : NULL;
}

static acre_reference *control_slot(const acre_segment *s, acre_off at)
{
    bool fits = control_fits(s, at, sizeof(acre_reference), sizeof(acre_off));
    return fits ? (acre_reference *)(void *)(s->base + at) : NULL;
}

static acre_off control_offset(const acre_segment *s, const shared_control *c)
{
    return (acre_off)((const char *)c - s->base);
}

/* ---- references ---- */

void acre__reference_clear(acre_reference *r)
{
    acre__put(&r->object, (acre_off)0);
    acre__order();
    acre__put(&r->control, (acre_off)0);
    acre__order();
}

void acre__reference_fill(acre_reference *r, acre_off control, acre_off object)
{
    acre__put(&r->control, control);
    acre__order();
    acre__put(&r->object, object);
    acre__order();
}

/* From any state that a kill can leave of it. */
static void reference_transfer(acre_reference *to, acre_reference *from, acre_off control)
{
    acre_off object = acre__peek(&from->object);
    if (acre__peek(&from->control) != control)
        return;
    acre__put(&to->control, control);
    acre__order();
    if (object)
        acre__put(&to->object, object);
    acre__order();
    acre__reference_clear(from);
}

/* ---- steps ---- */

static void control_begin(shared_control *c, enum shared_step step, acre_off to, acre_off from)
{
    acre__put(&c->to, to);
    acre__put(&c->from, from);
    acre__order();
    if (!ACRE_BUG_IS(130))
        acre__put(&c->state, acre__peek(&c->state) | (uint64_t)step << SHARED_STEP_SHIFT);
    acre__order();
}

static void control_commit(shared_control *c, uint64_t state)
{
    acre__order();
    acre__put(&c->state, state & (((uint64_t)1 << SHARED_STEP_SHIFT) - 1));
    acre__order();
}

void acre__shared_add(const acre_segment *s, shared_control *c, acre_reference *to, acre_off object,
                      uint64_t more)
{
    acre_off slot = control_slot_offset(s, to);
    uint64_t state = acre__peek(&c->state);
    if (slot)
        control_begin(c, more == SHARED_USE ? SHARED_COPY : SHARED_COPY_WEAK, slot, 0);
    else
        control_commit(c, state + more);
    acre__reference_fill(to, control_offset(s, c), object);
    if (slot)
        control_commit(c, state + more);
}

void acre__shared_subtract(const acre_segment *s, shared_control *c, acre_reference *r, uint64_t less)
{
    acre_off slot = control_slot_offset(s, r);
    uint64_t state = acre__peek(&c->state);
    if (slot)
        control_begin(c, less == SHARED_USE ? SHARED_RELEASE : SHARED_RELEASE_WEAK, slot, 0);
    acre__reference_clear(r);
    control_commit(c, state - less);
}

/* Into private memory: killed before the slot is empty, it has the reference still. */
static void control_move_out(shared_control *c, acre_reference *to, acre_reference *from, acre_off slot)
{
    acre_off object = acre__peek(&from->object);
    acre__reference_fill(to, acre__peek(&from->control), object);
    control_begin(c, SHARED_TAKE, slot, object);
    acre__reference_clear(from);
    control_commit(c, acre__peek(&c->state));
}

static void control_move_in(shared_control *c, acre_reference *to, acre_reference *from, acre_off slot)
{
    acre_off object = acre__peek(&from->object);
    control_begin(c, SHARED_TAKE, slot, object);
    acre__reference_fill(to, acre__peek(&from->control), object);
    control_commit(c, acre__peek(&c->state));
    acre__reference_clear(from);
}

void acre__shared_move(const acre_segment *s, shared_control *c, acre_reference *to, acre_reference *from)
{
    acre_off into = control_slot_offset(s, to), out = control_slot_offset(s, from);
    if (into && !out)
        control_move_in(c, to, from, into);
    else if (out && !into)
        control_move_out(c, to, from, out);
    else {
        control_begin(c, SHARED_MOVE, into, out);
        reference_transfer(to, from, control_offset(s, c));
        control_commit(c, acre__peek(&c->state));
    }
}

void acre__shared_flag(shared_control *c, uint64_t flag)
{
    control_commit(c, acre__peek(&c->state) | flag);
}

/* ---- after a death ---- */

static void settle_adopt(const acre_segment *s, const shared_control *c, acre_off at)
{
    bool fits = control_fits(s, at, sizeof(acre_off), sizeof(acre_off));
    acre_off *slot = fits ? (acre_off *)(void *)(s->base + at) : NULL;
    if (slot && acre__peek(slot) == acre__peek(&c->object))
        acre__put(slot, (acre_off)0);
}

static uint64_t settle_less(uint64_t state, enum shared_step step)
{
    if (step == SHARED_RELEASE && shared_uses(state))
        return state - SHARED_USE;
    return step == SHARED_RELEASE_WEAK && shared_weaks(state) ? state - SHARED_WEAK : state;
}

static void settle_slot(const acre_segment *s, const shared_control *c, enum shared_step step)
{
    acre_off control = control_offset(s, c), other = acre__peek(&c->from);
    acre_reference *to = control_slot(s, acre__peek(&c->to)), *from = control_slot(s, other);
    bool named = to && acre__peek(&to->control) == control;
    if (step == SHARED_ADOPT)
        settle_adopt(s, c, other);
    else if (step == SHARED_MOVE && to && from)
        reference_transfer(to, from, control);
    else if (step == SHARED_TAKE && named)
        acre__put(&to->object, other);
    else if (step >= SHARED_COPY && step <= SHARED_RELEASE_WEAK && named)
        acre__reference_clear(to);
}

static void control_settle(const acre_segment *s, shared_control *c)
{
    uint64_t state = acre__peek(&c->state);
    enum shared_step step = shared_step_of(state);
    if (__builtin_expect(step == SHARED_IDLE, 1))
        return;
    settle_slot(s, c, step);
    control_commit(c, ACRE_BUG_IS(131) ? state : settle_less(state, step));
}

/* ---- the lock ---- */

/* Who holds it does so for some stores.  Its word may say anything in a damaged segment: so not for ever. */
static __attribute__((noinline)) int control_wait(shared_control *c)
{
    struct timespec deadline;
    clock_gettime(CLOCK_MONOTONIC, &deadline);
    deadline.tv_sec += CONTROL_PATIENCE_S;
    int e = acre__cell_lock(acre__self_get(), &c->cell, &deadline);
    return e == ENOTRECOVERABLE ? (int)ACRE_ECORRUPT : e;
}

/* Its lock is had. */
static int control_enter(const acre_segment *s, shared_control *c, int locked)
{
    control_settle(s, c);
    if (locked == EOWNERDEAD)
        acre__cell_consistent(acre__self_here(), &c->cell);
    return 0;
}

int acre__shared_lock(const acre_segment *s, acre_off at, shared_control **out)
{
    shared_control *c = acre__shared_known(s, at);
    if (s->read_only)
        return EROFS;
    if (!c)
        return ACRE_ECORRUPT;
    acre__holder_note(s, at);
    int e = acre__cell_lock_usual(&c->cell, SHARED_CONTROL) ? 0 : control_wait(c);
    if (e && e != EOWNERDEAD)
        return e;
    *out = c;
    return control_enter(s, c, e);
}

void acre__shared_unlock(shared_control *c)
{
    if (__builtin_expect(!acre__cell_unlockable(&c->cell), 0)) {
        acre__cell_release(acre__self_here(), &c->cell);
        return;
    }
    if (__builtin_expect(acre__cell_unlock_usual(&c->cell) & ACRE__W, 0))
        acre__wake(&c->cell.word, 1);
    acre__announce_none(acre__self_here());
}

/* It is locked only from the word that a death leaves: of a block that was freed meanwhile nothing is changed. */
void acre__shared_heal(const acre_segment *s, acre_off at)
{
    shared_control *c = acre__shared_known(s, at);
    uint32_t seen = c ? acre__peek(&c->cell.word) : 0;
    acre__self *self = acre__self_get();
    if (!acre__ownerless(seen) || !(seen & ACRE__D) || acre__self_busy(self))
        return;
    if (!acre__cell_claim(self, &c->cell, &seen, self->tid | (seen & (ACRE__W | ACRE__D))))
        return;
    self->unhealed++;
    control_enter(s, c, EOWNERDEAD);
    acre__shared_unlock(c);
}
