/* SPDX-License-Identifier: MIT */
/* names.c: the lock of a segment's objects, the entries under work, and what is done when their
 * owner has died.
 *
 *     making      fresh = block      work = it        fresh = 0     … constructor …
 *                 LINKING            linked           count         LIVE         work = the next
 *     ending      work = it          UNLINKING        unlinked      count        ENDING
 *                 … destructor …     fresh = it       work = next   freed, and fresh = 0
 *
 * Each step is one store (or one of the heap's calls with a slot), so whoever takes the lock after a death finds
 * the steps up to some point, and what that entry's stage says decides: back, unless it is linked already;
 * or forward.  Each repair is one of these steps again, so dying in it is harmless.  Constructors and
 * destructors that make or end other objects stack their entries above.
 *
 * A death is not told by the lock alone: `busy` is set as long as somebody is inside, whatever becomes of the lock's
 * word.
 */
#include "segment/names_key.h"

acre_off *acre__names_slot(const acre_segment *s, acre_off at)
{
    bool inside = at && at % sizeof(acre_off) == 0 && at <= names_reach(s) && names_reach(s) - at >= sizeof(acre_off);
    return inside ? (acre_off *)(void *)(s->base + at) : NULL;
}

int acre__names_attach(acre_segment *s)
{
    static const names_index *const kinds[] = {&acre__index_hash, &acre__index_ordered, &acre__index_flat};
    uint64_t seed[2];
    if (!segment_directory_of(s))
        return 0;
    uint32_t index = acre__peek(&names_of(s)->index);
    if (index >= sizeof kinds / sizeof *kinds)
        return ACRE_EFEATURE;
    memcpy(seed, segment_header_of(s)->uuid, sizeof seed);
    s->names_seed = key_fold(seed[0] ^ 0x9e3779b97f4a7c15u, seed[1] | 1);
    s->index = kinds[index];
    return 0;
}

void acre__names_create(acre_segment *s, uint32_t index)
{
    if (index != ACRE_INDEX_NONE)
        names_of(s)->index = index;
}

/* ---- the work ---- */

static void names_put_off(acre_off *word, acre_off value)
{
    acre__order();
    acre__put(word, value);
    acre__order();
}

static void names_push(acre_segment *s, acre_off entry)
{
    segment_names *n = names_of(s);
    names_put_off(&names_entry_of(s, entry)->work_next, n->work);
    names_put_off(&n->work, entry);
}

void acre__names_push_fresh(acre_segment *s)
{
    segment_names *n = names_of(s);
    names_push(s, n->fresh);
    names_put_off(&n->fresh, 0);
}

static void names_pop(acre_segment *s)
{
    segment_names *n = names_of(s);
    const names_entry *e = names_entry_at(s, n->work);
    names_put_off(&n->work, e ? e->work_next : 0);
}

/* The first one, which this is. */
static void names_pop_entry(acre_segment *s, const names_entry *e)
{
    names_put_off(&names_of(s)->work, e->work_next);
}

/* What cannot be freed, because it is no block or its end was overwritten, is let go. */
static int names_free_fresh(acre_segment *s)
{
    segment_names *n = names_of(s);
    int e = n->fresh ? acre_free_from(&s->heap, &n->fresh) : 0;
    if (e == ACRE_EINVALID || e == ACRE_EOVERRUN || e == ACRE_EUSEDFREED)
        names_put_off(&n->fresh, 0);
    return e;
}

int acre__names_free_first(acre_segment *s)
{
    segment_names *n = names_of(s);
    names_put_off(&n->fresh, n->work);
    names_pop(s);
    return names_free_fresh(s);
}

static void names_set_stage(names_entry *e, enum names_stage stage)
{
    acre__order();
    acre__put(&e->stage, (uint8_t)stage);
    acre__order();
}

/* ---- into the index, and out of it ---- */

static uint64_t *names_count(const acre_segment *s, const names_entry *e)
{
    return names_count_of(names_of(s), names_kind(e->shape));
}

static void names_linked(acre_segment *s, names_entry *e)
{
    uint64_t *count = names_count(s, e);
    acre__order();
    if (count)
        acre__put(count, ACRE_BUG_IS(116) ? *count + 1 : e->after);
    names_set_stage(e, NAMES_LIVE);
    names_pop_entry(s, e);
}

static int names_insert(acre_segment *s, names_entry *e, acre_off at)
{
    if (names_count(s, e))
        return s->index->insert(s, at);
    acre_off *slot = acre__names_slot(s, e->after);
    if (slot)
        acre__store(slot, at + e->distance);
    return 0;
}

int acre__names_link(acre_segment *s, acre_off at)
{
    names_entry *e = names_entry_of(s, at);
    uint64_t *count = names_count(s, e);
    if (count)
        acre__put(&e->after, *count + 1);
    names_set_stage(e, NAMES_LINKING);
    int error = names_insert(s, e, at);
    if (error)
        return error;
    names_linked(s, e);
    if (count)
        s->index->settle(s);
    return 0;
}

/* Whoever is interrupted here begins anew. */
static void names_unlink(acre_segment *s, names_entry *e, acre_off at)
{
    uint64_t *count = names_count(s, e);
    acre_off *slot = count ? NULL : acre__names_slot(s, e->after);
    if (count)
        s->index->remove(s, at);
    else if (slot && *slot == at + e->distance)
        names_put_off(slot, 0);
    acre__order();
    if (count)
        acre__put(count, e->after);
    names_set_stage(e, NAMES_ENDING);
}

void acre__names_take_out(acre_segment *s, acre_off at, acre_off slot)
{
    names_entry *e = names_entry_of(s, at);
    const uint64_t *count = names_count(s, e);
    names_push(s, at);
    acre__put(&e->after, count ? *count - 1 : slot);
    names_set_stage(e, NAMES_UNLINKING);
    names_unlink(s, e, at);
}

/* ---- recovery ---- */

static bool names_is_linked(acre_segment *s, const names_entry *e, acre_off at)
{
    const acre_off *slot = acre__names_slot(s, e->after);
    if (names_count(s, e))
        return s->index->contains(s, at) && !ACRE_BUG_IS(115);
    return slot && *slot == at + e->distance;
}

/* The first entry under work. */
static int names_mend(acre_segment *s, names_entry *e, acre_off at)
{
    switch (e->stage) {
    case NAMES_LIVE:
        names_pop(s);
        return 0;
    case NAMES_LINKING:
        if (names_is_linked(s, e, at)) {
            names_linked(s, e);
            return 0;
        }
        break;
    case NAMES_UNLINKING:
        names_unlink(s, e, at);
        break;
    }
    return acre__names_free_first(s);
}

/* Errors that say that the block is none: what there is of it to mend is mended. */
static bool names_let_go(int e)
{
    return e == 0 || e == ACRE_EINVALID || e == ACRE_EOVERRUN || e == ACRE_EUSEDFREED;
}

static int names_mend_work(acre_segment *s)
{
    segment_names *n = names_of(s);
    for (uint64_t most = names_reach(s) / sizeof(names_entry); n->work; most--) {
        names_entry *e = names_entry_at(s, n->work);
        if (!e || !most)
            names_put_off(&n->work, 0);
        int error = e && most ? names_mend(s, e, n->work) : 0;
        if (!names_let_go(error))
            return error;
    }
    return 0;
}

/* What the dead left in the heap is undone first: it may bring a slot of ours back.  What fresh names then was being
 * made (perhaps pushed already) or freed (perhaps popped already). */
static int names_recover(acre_segment *s)
{
    segment_names *n = names_of(s);
    int e = ACRE_BUG_IS(114) ? 0 : acre__heap_enter(&s->heap);
    if (e)
        return e;
    if (!ACRE_BUG_IS(114))
        acre__heap_leave(&s->heap);
    if (n->fresh && n->fresh == n->work)
        names_pop(s);
    e = names_free_fresh(s);
    if (names_let_go(e))
        e = s->index->recover(s);
    return e ? e : names_mend_work(s);
}

/* ---- the lock ---- */

static void names_unlock(acre_segment *s)
{
    acre_recursive_unlock(&names_of(s)->lock);
}

static int names_entered(acre_segment *s, int e)
{
    segment_names *n = names_of(s);
    if (e == ACRE_OWNER_DEAD)
        e = acre_recursive_consistent(&n->lock);
    if (e)
        return e == ENOTRECOVERABLE ? ACRE_EPOISONED : e;
    if (n->lock.cell.count > 1)
        return 0;
    if (n->busy | n->fresh | n->work) {
        e = names_recover(s);
        if (e) {
            names_unlock(s);
            return e;
        }
    }
    acre__put(&n->busy, 1u);
    acre__order();
    return 0;
}

static int names_enterable(const acre_segment *s)
{
    return !s->index ? ENOTSUP : s->read_only ? EROFS : 0;
}

int acre__names_enter(acre_segment *s)
{
    int e = names_enterable(s);
    return e ? e : names_entered(s, acre_recursive_lock(&names_of(s)->lock));
}

int acre__names_enter_try(acre_segment *s)
{
    int e = names_enterable(s);
    return e ? e : names_entered(s, acre_recursive_trylock(&names_of(s)->lock));
}

void acre__names_leave(acre_segment *s)
{
    segment_names *n = names_of(s);
    acre__order();
    if (n->lock.cell.count == 1)
        acre__put(&n->busy, 0u);
    acre__order();
    names_unlock(s);
}

int acre_atomic_begin(acre_segment *s)
{
    return acre__names_enter(s);
}

int acre_atomic_try(acre_segment *s)
{
    return acre__names_enter_try(s);
}

/* Whose it is tries to have it once more. */
int acre_atomic_end(acre_segment *s)
{
    int e = acre__names_enter_try(s);
    if (e)
        return e == ENOTSUP || e == EROFS ? e : EPERM;
    bool mine = names_of(s)->lock.cell.count > 1;
    acre__names_leave(s);
    if (mine)
        acre__names_leave(s);
    return mine ? 0 : EPERM;
}

int acre_objects_recover(acre_segment *s)
{
    int e = acre__names_enter(s);
    if (!e)
        acre__names_leave(s);
    return e;
}

/* ---- the index's memory ---- */

int acre_reserve_objects(acre_segment *s, size_t n)
{
    int e = acre__names_enter(s);
    if (e)
        return e;
    e = s->index->reserve(s, n);
    acre__names_leave(s);
    return e;
}

int acre_shrink_indexes(acre_segment *s)
{
    int e = acre__names_enter(s);
    if (e)
        return e;
    e = s->index->shrink(s);
    acre__names_leave(s);
    return e;
}

size_t acre_named_count(const acre_segment *s)
{
    return s->index ? acre__peek(&names_of(s)->named) : 0;
}

size_t acre_unique_count(const acre_segment *s)
{
    return s->index ? acre__peek(&names_of(s)->unique) : 0;
}
