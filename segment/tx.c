/* SPDX-License-Identifier: MIT */
/* tx.c: planning a transaction: acre/tx.h.  What is planned is the record's entries; an entry counts when n
 * does, but for its fresh block, which is allocated into it before. */
#include "segment/internal.h"
#include "sync/cell.h"

#include <errno.h>

static acre_off tx_offset(const acre_segment *s, const acre_off *slot)
{
    return (acre_off)((const char *)slot - s->base);
}

/* 0: *r is its record. */
static int tx_check(const acre_tx *tx, tx_record **r)
{
    if (!tx || !tx->segment)
        return EINVAL;
    if (!acre__tx_mine(tx->segment))
        return EPERM;
    *r = acre__tx_record(tx->segment);
    return *r ? 0 : ACRE_ECORRUPT;
}

static int tx_check_slot(const acre_tx *tx, const acre_off *slot, tx_record **r)
{
    int e = tx_check(tx, r);
    if (e)
        return e;
    return acre__tx_slot(tx->segment, tx_offset(tx->segment, slot)) ? 0 : ACRE_EINVALID;
}

/* ---- entries ---- */

static uint64_t tx_count(const tx_record *r)
{
    return r->n < ACRE_TX_MOST ? r->n : ACRE_TX_MOST;
}

/* There is at most one. */
static tx_entry *tx_find(tx_record *r, acre_off slot)
{
    for (uint64_t i = 0; i < tx_count(r); i++)
        if (r->entry[i].slot == slot)
            return &r->entry[i];
    return NULL;
}

/* NULL: all are taken. */
static tx_entry *tx_next(tx_record *r)
{
    return tx_count(r) < ACRE_TX_MOST ? &r->entry[tx_count(r)] : NULL;
}

static void tx_add(tx_record *r, tx_entry *e, acre_off slot, acre_off value, acre_off doomed)
{
    acre__put(&e->slot, slot);
    acre__put(&e->value, value);
    acre__put(&e->doomed, doomed);
    acre__order();
    acre__put(&r->n, tx_count(r) + 1);
}

/* The entry for which the block was allocated.  NULL: it is an old one. */
static tx_entry *tx_find_fresh(tx_record *r, acre_off block)
{
    for (uint64_t i = 0; i < tx_count(r); i++)
        if (r->entry[i].fresh == block)
            return &r->entry[i];
    return NULL;
}

static bool tx_wanted(const tx_record *r, acre_off block)
{
    for (uint64_t i = 0; i < tx_count(r); i++)
        if (r->entry[i].slot && r->entry[i].value == block)
            return true;
    return false;
}

/* Nobody has seen these. */
static void tx_drop_unwanted(acre_segment *s, tx_record *r)
{
    for (uint64_t i = 0; i < tx_count(r); i++)
        if (r->entry[i].fresh && !tx_wanted(r, r->entry[i].fresh))
            acre_free_from(&s->heap, &r->entry[i].fresh);
}

/* ---- beginning ---- */

static int tx_begin(acre_tx *tx, acre_segment *s, const struct timespec *deadline)
{
    int e = acre__tx_lock(s, deadline);
    if (e)
        return e;
    e = acre__tx_open(s);
    if (e)
        acre__tx_unlock(s);
    else
        tx->segment = s;
    return e;
}

int acre_tx_begin(acre_tx *tx, acre_segment *s)
{
    return tx_begin(tx, s, NULL);
}

int acre_tx_begin_try(acre_tx *tx, acre_segment *s)
{
    return tx_begin(tx, s, &acre__tx_at_once);
}

/* ---- plans ---- */

acre_off acre_tx_read(const acre_tx *tx, const acre_off *slot)
{
    tx_record *r;
    if (tx_check_slot(tx, slot, &r) != 0)
        return 0;
    const tx_entry *e = tx_find(r, tx_offset(tx->segment, slot));
    return e ? e->value : acre__load(slot);
}

int acre_tx_set(acre_tx *tx, acre_off *slot, acre_off value)
{
    tx_record *r;
    int error = tx_check_slot(tx, slot, &r);
    if (error)
        return error;
    acre_off at = tx_offset(tx->segment, slot);
    tx_entry *e = tx_find(r, at);
    if (e) {
        acre__put(&e->value, value);
        return 0;
    }
    e = tx_next(r);
    if (!e)
        return E2BIG;
    tx_add(r, e, at, value, 0);
    return 0;
}

/* Into the slot's entry; into one without a slot, if that has a fresh block already, which another slot may
 * be going to hold. */
static int tx_alloc(acre_segment *s, tx_record *r, acre_off slot, size_t size, tx_entry **e)
{
    tx_entry *old = tx_find(r, slot), *use = old && !old->fresh ? old : tx_next(r);
    if (!use)
        return E2BIG;
    int error = acre_alloc_into(&s->heap, &use->fresh, size);
    if (error)
        return error;
    if (use != old)
        tx_add(r, use, old ? 0 : slot, use->fresh, 0);
    if (old)
        acre__put(&old->value, use->fresh);
    *e = use;
    return 0;
}

int acre_tx_alloc(acre_tx *tx, acre_off *slot, size_t size, void **address)
{
    tx_record *r;
    tx_entry *e;
    int error = tx_check_slot(tx, slot, &r);
    if (!error)
        error = tx_alloc(tx->segment, r, tx_offset(tx->segment, slot), size, &e);
    if (!error)
        *address = acre_segment_address(tx->segment, e->fresh);
    return error;
}

/* Told now, while it can still be told. */
static int tx_doomable(acre_segment *s, const tx_record *r, acre_off block)
{
    const void *p = acre_segment_address(s, block);
    if (!p || block % ACRE_ALIGN_MIN || acre_usable_size(&s->heap, p) == 0)
        return ACRE_EINVALID;
    for (uint64_t i = 0; i < tx_count(r); i++)
        if (r->entry[i].doomed == block)
            return ACRE_EINVALID;
    return 0;
}

static int tx_doom(tx_record *r, tx_entry *e, acre_off slot, acre_off block)
{
    tx_entry *use = e && !e->doomed ? e : tx_next(r);
    if (!use)
        return E2BIG;
    if (use == e)
        acre__put(&e->doomed, block);
    else
        tx_add(r, use, e ? 0 : slot, 0, block);
    if (e)
        acre__put(&e->value, (acre_off)0);
    return 0;
}

int acre_tx_free(acre_tx *tx, acre_off *slot)
{
    tx_record *r;
    int error = tx_check_slot(tx, slot, &r);
    if (error)
        return error;
    acre_off at = tx_offset(tx->segment, slot);
    tx_entry *e = tx_find(r, at);
    acre_off block = e ? e->value : acre__load(slot);
    if (!block)
        return 0;
    tx_entry *fresh = e ? tx_find_fresh(r, block) : NULL;
    if (fresh) {
        acre__put(&e->value, (acre_off)0);
        return acre_free_from(&tx->segment->heap, &fresh->fresh);
    }
    error = tx_doomable(tx->segment, r, block);
    return error ? error : tx_doom(r, e, at, block);
}

/* ---- the end ---- */

int acre_tx_commit(acre_tx *tx)
{
    tx_record *r;
    int e = tx_check(tx, &r);
    if (e)
        return e;
    tx_drop_unwanted(tx->segment, r);
    acre__tx_commit(tx->segment);
    acre__tx_unlock(tx->segment);
    tx->segment = NULL;
    return 0;
}

int acre_tx_abort(acre_tx *tx)
{
    tx_record *r;
    int e = tx_check(tx, &r);
    if (e && e != ACRE_ECORRUPT)
        return e;
    acre__tx_settle(tx->segment);
    acre__tx_unlock(tx->segment);
    tx->segment = NULL;
    return 0;
}
