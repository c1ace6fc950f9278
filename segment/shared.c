/* SPDX-License-Identifier: MIT */
/* shared.c: shared and weak references: making, copying, locking, moving, looking.
 *
 * Making needs no lock, as nobody else knows the block: the slot itself is the record.  It is allocated into the slot's
 * second word, {0, c}; filled; the first word is the commit, {c, c}; then the second says where the object is.
 */
#include "segment/internal.h"

#include <string.h>

static bool reference_empty(const acre_reference *r)
{
    return acre__peek(&r->control) == 0 && acre__peek(&r->object) == 0;
}

/* ---- copying ---- */

/* Why no reference of this kind can be added: `from` counts itself, so what it counts for is not 0. */
static int shared_refusal(uint64_t state, uint64_t from, uint64_t more)
{
    if (!shared_uses(state) && (from == SHARED_USE || more == SHARED_USE))
        return from == SHARED_WEAK ? ENOENT : (int)ACRE_EINVALID;
    if (!shared_weaks(state))
        return ACRE_ECORRUPT;
    uint64_t count = more == SHARED_USE ? shared_uses(state) : shared_weaks(state);
    return count == SHARED_MOST ? EOVERFLOW : 0;
}

/* One more, of the kind `more`, in *to, for what *from, of the kind `kind`, refers to. */
static int shared_copy(const acre_segment *s, acre_reference *to, const acre_reference *from,
                       acre_off object, uint64_t kind, uint64_t more)
{
    shared_control *c;
    acre_off at = acre__peek(&from->control);
    if (s->read_only)
        return EROFS;
    if (!reference_empty(to))
        return EEXIST;
    if (!at)
        return kind == SHARED_WEAK && more == SHARED_USE ? ENOENT : 0;
    if (!object || object == at)
        return ACRE_EINVALID;
    int e = acre__shared_lock(s, at, &c);
    if (e)
        return e;
    e = acre__peek(&from->control) == at ? shared_refusal(acre__peek(&c->state), kind, more)
                                         : (int)ACRE_EINVALID;
    if (!e)
        acre__shared_add(s, c, to, object, more);
    acre__shared_unlock(c);
    return e;
}

int acre_shared_copy(acre_segment *s, acre_shared *to, const acre_shared *from)
{
    return shared_copy(s, &to->r, &from->r, acre__peek(&from->r.object), SHARED_USE, SHARED_USE);
}

int acre_shared_alias(acre_segment *s, acre_shared *to, const acre_shared *from, acre_off object)
{
    if (!acre_segment_address(s, object))
        return ACRE_EINVALID;
    return shared_copy(s, &to->r, &from->r, object, SHARED_USE, SHARED_USE);
}

int acre_weak_from(acre_segment *s, acre_weak *to, const acre_shared *from)
{
    return shared_copy(s, &to->r, &from->r, acre__peek(&from->r.object), SHARED_USE, SHARED_WEAK);
}

int acre_weak_copy(acre_segment *s, acre_weak *to, const acre_weak *from)
{
    return shared_copy(s, &to->r, &from->r, acre__peek(&from->r.object), SHARED_WEAK, SHARED_WEAK);
}

int acre_weak_lock(acre_segment *s, acre_shared *to, const acre_weak *from)
{
    return shared_copy(s, &to->r, &from->r, acre__peek(&from->r.object), SHARED_WEAK, SHARED_USE);
}

int acre_shared_from_this(acre_segment *s, acre_shared *to, const void *object)
{
    acre_off at = acre_segment_offset(s, object);
    shared_control *c = at > sizeof *c ? acre__shared_known(s, at - sizeof *c) : NULL;
    if (!c || acre__peek(&c->object) != at || (acre__peek(&c->state) & SHARED_OWN_BLOCK))
        return ACRE_EOBJECT;
    const acre_reference self = {at - sizeof *c, at};
    return shared_copy(s, &to->r, &self, at, SHARED_WEAK, SHARED_USE);
}

/* ---- moving ---- */

static int shared_move(const acre_segment *s, acre_reference *to, acre_reference *from)
{
    shared_control *c;
    acre_off at = acre__peek(&from->control);
    if (s->read_only)
        return EROFS;
    if (!reference_empty(to))
        return EEXIST;
    if (!at)
        return 0;
    int e = acre__shared_lock(s, at, &c);
    if (e)
        return e;
    if (acre__peek(&from->control) == at)
        acre__shared_move(s, c, to, from);
    acre__shared_unlock(c);
    return 0;
}

int acre_shared_move(acre_segment *s, acre_shared *to, acre_shared *from)
{
    return shared_move(s, &to->r, &from->r);
}

int acre_weak_move(acre_segment *s, acre_weak *to, acre_weak *from)
{
    return shared_move(s, &to->r, &from->r);
}

/* By way of a place of its own, as the release of what *to held may destroy what *from lies in. */
int acre_shared_assign(acre_segment *s, acre_shared *to, const acre_shared *from)
{
    acre_shared mine = {{0, 0}};
    shared_node *n = acre__holder_mine(s);
    acre_shared *place = n && reference_empty(&n->spare.r) ? &n->spare : &mine;
    int e = acre_shared_copy(s, place, from);
    if (e)
        return e;
    e = acre_shared_release(s, to);
    if (e && e != ACRE_EDELETER) {
        acre_shared_release(s, place);
        return e;
    }
    int moved = acre_shared_move(s, to, place);
    return moved ? moved : e;
}

/* ---- making ---- */

static void shared_lay_out(shared_control *c, acre_off object, uint64_t state, uint32_t deleter)
{
    memset(c, 0, sizeof *c);
    acre__put(&c->cell.tag, SHARED_CONTROL);
    acre__put(&c->object, object);
    acre__put(&c->deleter, deleter);
    acre__store(&c->state, state | SHARED_USE | SHARED_WEAK);
}

/* A block whose offset is in to->object: where others find it after a kill, if *to lies in the segment. */
static int shared_block(acre_segment *s, acre_reference *to, size_t size)
{
    if (s->read_only)
        return EROFS;
    if (!reference_empty(to))
        return EEXIST;
    if (size > ACRE_SIZE_MAX - sizeof(shared_control))
        return ENOMEM;
    size += sizeof(shared_control);
    if (acre_segment_offset(s, to))
        return acre_alloc_into(&s->heap, &to->object, size);
    to->object = acre_segment_offset(s, acre_alloc(&s->heap, size));
    return to->object ? 0 : ENOMEM;
}

static void shared_commit(acre_reference *to)
{
    acre__order();
    acre__store(&to->control, acre__peek(&to->object));
    acre__order();
}

int acre_shared_make(acre_segment *s, acre_shared *to, size_t size, uint32_t deleter)
{
    int e = shared_block(s, &to->r, size);
    if (e)
        return e;
    acre_off at = to->r.object;
    char *block = s->base + at;
    if (ACRE_BUG_IS(132))
        shared_commit(&to->r);
    memset(block + sizeof(shared_control), 0, size);
    shared_lay_out((shared_control *)(void *)block, at + sizeof(shared_control), 0, deleter);
    shared_commit(&to->r);
    acre__put(&to->r.object, at + sizeof(shared_control));
    return 0;
}

/* The block is the control block's from the commit on. */
static void shared_take_block(acre_segment *s, acre_reference *to, acre_off *block, uint32_t deleter)
{
    acre_off object = *block;
    shared_control *c = (shared_control *)(void *)(s->base + to->object);
    uint64_t step = (uint64_t)SHARED_ADOPT << SHARED_STEP_SHIFT;
    shared_lay_out(c, object, SHARED_OWN_BLOCK, deleter);
    acre__put(&c->from, acre_segment_offset(s, block));
    acre__put(&c->state, acre__peek(&c->state) | (acre__peek(&c->from) ? step : 0));
    shared_commit(to);
    acre__put(block, (acre_off)0);
    acre__order();
    acre__shared_flag(c, 0);
    acre__put(&to->object, object);
}

int acre_shared_adopt(acre_segment *s, acre_shared *to, acre_off *block, uint32_t deleter)
{
    void *p = acre_segment_address(s, *block);
    if (!p || acre_usable_size(&s->heap, p) == 0)
        return ACRE_EINVALID;
    int e = shared_block(s, &to->r, 0);
    if (!e)
        shared_take_block(s, &to->r, block, deleter);
    return e;
}

/* ---- looking ---- */

static uint32_t shared_count(const acre_segment *s, const acre_reference *r)
{
    const shared_control *c = acre__shared_known(s, acre__peek(&r->control));
    return c ? (uint32_t)shared_uses(acre__load(&c->state)) : 0;
}

uint32_t acre_shared_use_count(const acre_segment *s, const acre_shared *r)
{
    return shared_count(s, &r->r);
}

uint32_t acre_weak_use_count(const acre_segment *s, const acre_weak *r)
{
    return shared_count(s, &r->r);
}

bool acre_weak_expired(const acre_segment *s, const acre_weak *r)
{
    return shared_count(s, &r->r) == 0;
}

void *acre_shared_get(const acre_segment *s, const acre_shared *r)
{
    acre_off control = acre__peek(&r->r.control), object = acre__peek(&r->r.object);
    return control && object != control ? acre_segment_address(s, object) : NULL;
}
