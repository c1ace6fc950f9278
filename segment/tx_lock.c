/* SPDX-License-Identifier: MIT */
/* tx_lock.c: who may have a transaction, and what becomes of its record (tx.h). */
#include "segment/internal.h"
#include "sync/cell.h"

#include <errno.h>
#include <string.h>

const struct timespec acre__tx_at_once;

static tx_part *tx_part_of(const acre_segment *s)
{
    return &segment_directory_of(s)->tx;
}

/* ---- what is believed of what lies there ---- */

/* In the region, or one of the two words in front of it that are offsets of blocks. */
bool acre__tx_slot(const acre_segment *s, acre_off slot)
{
    const segment_directory *d = segment_directory_of(s);
    bool ours = slot == offsetof(segment_header, root) ||
                slot == (uint64_t)((const char *)&d->hold.first - s->base);
    bool inside = segment_block(s, slot & ~(acre_off)(ACRE_ALIGN_MIN - 1), ACRE_ALIGN_MIN);
    return slot % sizeof(acre_off) == 0 && (ours || inside);
}

tx_record *acre__tx_record(const acre_segment *s)
{
    acre_off at = acre__peek(&tx_part_of(s)->record) & ~(acre_off)TX_STATE;
    return segment_block(s, at, sizeof(tx_record));
}

static void tx_state_put(tx_part *part, enum tx_state state)
{
    acre__order();
    acre__put(&part->record, (part->record & ~(acre_off)TX_STATE) | state);
    acre__order();
}

/* ---- the end of a record ---- */

/* A thread that cannot have a part of `sharded` cannot free out of a slot: a block is lost if it is killed
 * between the two. */
static void tx_release(acre_segment *s, acre_off *word)
{
    acre_off block = *word;
    int e = acre_free_from(&s->heap, word);
    if (!e)
        return;
    acre__put(word, (acre_off)0);
    acre__order();
    if (e == ENOMEM)
        acre_free(&s->heap, acre_segment_address(s, block));
}

static void tx_apply(acre_segment *s, const tx_record *r)
{
    uint64_t n = r->n;
    for (uint64_t i = 0; i < n && i < ACRE_TX_MOST; i++) {
        acre_off slot = r->entry[i].slot;
        if (slot && acre__tx_slot(s, slot))
            acre__store((acre_off *)(void *)(s->base + slot), r->entry[i].value);
    }
}

static void tx_release_all(acre_segment *s, tx_record *r, bool doomed)
{
    for (uint64_t i = 0; i < ACRE_TX_MOST; i++) {
        acre_off *word = doomed ? &r->entry[i].doomed : &r->entry[i].fresh;
        if (*word)
            tx_release(s, word);
    }
}

/* From wherever it is to the end; the heap is at rest. */
static void tx_finish(acre_segment *s)
{
    tx_part *part = tx_part_of(s);
    tx_record *r = acre__tx_record(s);
    enum tx_state state = (enum tx_state)(part->record & TX_STATE);
    if (r && state == TX_OPEN && !ACRE_BUG_IS(139))
        tx_release_all(s, r, false);
    if (r && state == TX_COMMITTED) {
        if (!ACRE_BUG_IS(141))
            tx_apply(s, r);
        tx_state_put(part, state = TX_APPLIED);
    }
    if (r && state == TX_APPLIED)
        tx_release_all(s, r, true);
    tx_state_put(part, TX_RAW);
    if (part->record)
        tx_release(s, &part->record);
}

/* What a dead one was doing in the heap may still be undone, and with it what its words say. */
static int tx_calm(acre_segment *s)
{
    if (s->heap.inner->settle && s->heap.lock)
        s->heap.inner->settle(&s->heap.region);
    int e = acre__heap_enter(&s->heap);
    if (!e)
        acre__heap_leave(&s->heap);
    return e;
}

int acre__tx_settle(acre_segment *s)
{
    int e = ACRE_BUG_IS(140) ? 0 : tx_calm(s);
    if (!e && tx_part_of(s)->record)
        tx_finish(s);
    return e;
}

/* ---- the cell ---- */

bool acre__tx_mine(const acre_segment *s)
{
    return acre__cell_mine(acre__self_get(), &tx_part_of(s)->cell);
}

void acre__tx_unlock(acre_segment *s)
{
    acre__cell_unlock(acre__self_get(), &tx_part_of(s)->cell);
}

static int tx_take(tx_part *part, const struct timespec *deadline)
{
    acre__self *self = acre__self_get();
    return deadline == &acre__tx_at_once ? acre__cell_trylock(self, &part->cell)
                                         : acre__cell_lock(self, &part->cell, deadline);
}

/* Of a dead one: even if there is no record, the heap's journal may bring it back.  What cannot be settled
 * now is left to the next one, who is told of the death as well. */
static int tx_inherit(acre_segment *s)
{
    acre__self *self = acre__self_get();
    acre_cell *cell = &tx_part_of(s)->cell;
    int e = acre__tx_settle(s);
    if (e)
        acre__cell_release_as(self, cell, ACRE__D, 1);
    else
        acre__cell_consistent(self, cell);
    return e;
}

int acre__tx_lock(acre_segment *s, const struct timespec *deadline)
{
    if (s->read_only)
        return EROFS;
    if (!segment_directory_of(s))
        return ENOTSUP;
    int e = tx_take(tx_part_of(s), deadline);
    return e == EOWNERDEAD ? tx_inherit(s) : e;
}

/* ---- a new record ---- */

int acre__tx_open(acre_segment *s)
{
    tx_part *part = tx_part_of(s);
    int e = acre_alloc_into(&s->heap, &part->record, sizeof(tx_record));
    if (e)
        return e;
    memset(acre__tx_record(s), 0, sizeof(tx_record));
    tx_state_put(part, TX_OPEN);
    return 0;
}

void acre__tx_commit(acre_segment *s)
{
    if (ACRE_BUG_IS(138))
        tx_apply(s, acre__tx_record(s));
    tx_state_put(tx_part_of(s), TX_COMMITTED);
    tx_finish(s);
}
