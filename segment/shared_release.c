/* SPDX-License-Identifier: MIT */
/* shared_release.c: references that are given back, and the end of what they referred to.
 *
 * The last shared reference's slot is the record of the destruction: it names the control block until that is freed,
 * and a reference to a block whose count is 0 is the one that has to go on with it:
 *
 *     uses = 0 │ deleter │ DELETED │ the object's own block │ one weak less, and the slot is empty
 *                                                           │ the last weak: ENDED │ the control block and the slot
 *
 * Killed anywhere, whoever releases the slot next goes on where it stood; the deleter alone may run twice.
 */
#include "segment/internal.h"

/* ---- what the dead left of a reference ---- */

/* A slot that looks empty may be one that a dead one was giving back to the heap: then that is undone now. */
void acre__reference_undo(const acre_segment *s)
{
    acre_heap *h = (acre_heap *)(uintptr_t)&s->heap;
    if (acre__peek(h->pending) != 0 && !ACRE_BUG_IS(135) && acre__heap_enter(h) == 0)
        acre__heap_leave(h);
}

/* {0, c}: a block, and no reference.  {c, c}: all but the object's offset. */
int acre__reference_mend(const acre_segment *s, acre_reference *r)
{
    shared_control *c;
    bool inside = acre_segment_offset(s, r);
    if (inside && acre__peek(&r->control) == 0)
        acre__reference_undo(s);
    acre_off control = acre__peek(&r->control), object = acre__peek(&r->object);
    if (!control && object && inside)
        return acre_free_from((acre_heap *)(uintptr_t)&s->heap, &r->object);
    if (!control || control != object)
        return 0;
    int e = acre__shared_lock(s, control, &c);
    if (e)
        return e;
    acre__put(&r->object, acre__peek(&c->object));
    acre__shared_unlock(c);
    return 0;
}

/* ---- the end ---- */

/* Nobody has another reference of any kind. */
static int release_block(acre_segment *s, acre_reference *r)
{
    acre_off at = acre__peek(&r->control);
    shared_control *c = acre__shared_at(s, at);
    acre__put(&r->object, (acre_off)0);
    acre__order();
    acre__put(&c->cell.tag, SHARED_ENDED); /* by a stale word nobody takes it for one */
    acre__order();
    if (acre_segment_offset(s, r) && !ACRE_BUG_IS(136))
        return acre_free_from(&s->heap, &r->control);
    if (ACRE_BUG_IS(136))
        acre__put(&r->control, (acre_off)0);
    int e = acre_free(&s->heap, c);
    if (!e)
        r->control = 0;
    return e;
}

/* *r holds a weak count: its own, or that of all shared ones. */
static int release_weak(acre_segment *s, acre_reference *r)
{
    shared_control *c;
    acre_off at = acre__peek(&r->control);
    int e = acre__shared_lock(s, at, &c);
    if (e)
        return e;
    uint64_t state = acre__peek(&c->state), weaks = shared_weaks(state);
    bool mine = acre__peek(&r->control) == at, last = mine && weaks == 1;
    if (mine && weaks > 1)
        acre__shared_subtract(s, c, r, SHARED_WEAK);
    else if (mine && (weaks == 0 || shared_uses(state)))
        e = ACRE_ECORRUPT;
    acre__shared_unlock(c);
    return last && !e ? release_block(s, r) : e;
}

/* The object's contents, once; if the process dies in it, once more. */
static int release_contents(acre_segment *s, acre_off at)
{
    shared_control *c = acre__shared_known(s, at);
    if (!c)
        return ACRE_ECORRUPT;
    if (acre__peek(&c->state) & SHARED_DELETED)
        return 0;
    void *object = acre_segment_address(s, acre__peek(&c->object));
    int e = object ? acre__deleter_run(s, acre__peek(&c->deleter), object) : (int)ACRE_ECORRUPT;
    if (!e)
        e = acre__shared_lock(s, at, &c);
    if (e)
        return e;
    acre__shared_flag(c, SHARED_DELETED);
    acre__shared_unlock(c);
    return 0;
}

/* *r is the last shared one, and its count is 0 already. */
static int release_object(acre_segment *s, acre_reference *r)
{
    acre_off at = acre__peek(&r->control);
    int e = release_contents(s, at);
    if (e)
        return e;
    shared_control *c = acre__shared_known(s, at);
    if (c && (acre__peek(&c->state) & SHARED_OWN_BLOCK))
        e = acre_free_from(&s->heap, &c->object);
    return e ? e : release_weak(s, r);
}

/* ---- one shared reference ---- */

/* With the lock.  Whether it was the last one. */
static bool shared_count_down(acre_segment *s, shared_control *c, acre_reference *r)
{
    uint64_t state = acre__peek(&c->state), uses = shared_uses(state);
    if (uses > 1)
        acre__shared_subtract(s, c, r, SHARED_USE);
    else if (uses == 1)
        acre__put(&c->state, state - SHARED_USE);
    return uses <= 1;
}

static bool release_is_possible(const acre_segment *s, const shared_control *c)
{
    bool last = shared_uses(acre__peek(&c->state)) <= 1;
    return !last || segment_directory_of(s) || acre__deleter_known(acre__peek(&c->deleter));
}

static int release_shared(acre_segment *s, acre_reference *r, acre_off at)
{
    shared_control *c;
    bool last = false;
    int e = acre__shared_lock(s, at, &c);
    if (e)
        return e;
    if (!release_is_possible(s, c))
        e = ACRE_EDELETER;
    else if (acre__peek(&r->control) == at)
        last = shared_count_down(s, c, r);
    acre__shared_unlock(c);
    return last ? release_object(s, r) : e;
}

/* Of what a dead one left, and what is there then; ENDED: only the block is left. */
static int release_begin(acre_segment *s, acre_reference *r, acre_off *at)
{
    int e = s->read_only ? EROFS : acre__reference_mend(s, r);
    *at = acre__peek(&r->control);
    if (e || !*at)
        return e;
    const shared_control *c = acre__shared_at(s, *at);
    if (!c || acre__peek(&c->cell.tag) != SHARED_ENDED)
        return c ? 0 : (int)ACRE_ECORRUPT;
    *at = 0;
    return release_block(s, r);
}

int acre__shared_let_go(acre_segment *s, acre_reference *r)
{
    acre_off at;
    int e = release_begin(s, r, &at);
    return e || !at ? e : release_shared(s, r, at);
}

int acre__weak_let_go(acre_segment *s, acre_reference *r)
{
    acre_off at;
    int e = release_begin(s, r, &at);
    return e || !at ? e : release_weak(s, r);
}

int acre_shared_release(acre_segment *s, acre_shared *r)
{
    int e = acre__shared_let_go(s, &r->r);
    if (e != ACRE_EDELETER || !segment_directory_of(s))
        return e;
    int condemned = acre__holder_condemn(s, &r->r);
    return condemned ? condemned : e;
}

int acre_weak_release(acre_segment *s, acre_weak *r)
{
    return acre__weak_let_go(s, &r->r);
}

/* ---- settling: the step of which it was part is finished by locking ---- */

/* *ending: it is only there for what is left to do of the end of it. */
static int reference_settle(const acre_segment *s, acre_reference *r, bool *ending)
{
    shared_control *c;
    int e = s->read_only ? EROFS : acre__reference_mend(s, r);
    acre_off at = acre__peek(&r->control);
    if (e || !at)
        return e;
    c = acre__shared_at(s, at);
    *ending = c && acre__peek(&c->cell.tag) == SHARED_ENDED;
    if (*ending)
        return 0;
    e = acre__shared_lock(s, at, &c);
    if (e)
        return e;
    *ending = acre__peek(&r->control) == at && shared_uses(acre__peek(&c->state)) == 0;
    acre__shared_unlock(c);
    return 0;
}

int acre_shared_settle(acre_segment *s, acre_shared *r)
{
    bool ending = false;
    int e = reference_settle(s, &r->r, &ending);
    return e || !ending ? e : acre_shared_release(s, r);
}

int acre_weak_settle(acre_segment *s, acre_weak *r)
{
    bool ending = false;
    int e = reference_settle(s, &r->r, &ending);
    return e || !ending || acre__peek(&r->r.object) ? e : acre_weak_release(s, r);
}
