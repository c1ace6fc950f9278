/* SPDX-License-Identifier: MIT */
/* tx.h: what lies in shared memory of a transaction (acre/tx.h).
 *
 *    directory: tx                     block of the heap
 *    +------+----------------+         +---+---------------------------------+--- 16 entries
 *    | cell | record | state | ──────▶ | n | slot │ value │ fresh │ doomed   | …
 *    +------+----------------+         +---+---------------------------------+---
 *
 * The record is a block like any other, whose offset has four bits to spare: the state.  So where it is and
 * what holds of it change by one store.
 *
 *    none ──alloc_into──▶ raw ──cleared──▶ open ──commit──▶ committed ──slots──▶ applied ──blocks──▶ raw
 *     ▲                                     │ abort: fresh blocks                                     │
 *     └──────────────free_from──────────────┴─────────────────────────────────────────────────────────┘
 *
 * Killed where?  Who takes the cell next finds the state:
 *    raw        what is in the record means nothing: it is freed
 *    open       blocks in `fresh` are freed, whatever n says
 *    committed  all slots are stored, again if need be: nobody else changes them
 *    applied    what is in `doomed` is freed
 * Each block is freed out of its word (acre_free_from), so that doing it again finds 0 there.
 */
#ifndef ACRE_SEGMENT_TX_H
#define ACRE_SEGMENT_TX_H

#include <acre/sync.h>
#include <acre/tx.h>

enum tx_state { TX_RAW, TX_OPEN, TX_COMMITTED, TX_APPLIED, TX_STATE = ACRE_ALIGN_MIN - 1 };

typedef struct tx_part {
    acre_cell cell;
    acre_off record; /* 0: none; plus its enum tx_state */
} tx_part;

typedef struct tx_entry {
    acre_off slot;   /* 0: none, or none any more */
    acre_off value;  /* what it becomes */
    acre_off fresh;  /* allocated for it */
    acre_off doomed; /* to be freed */
} tx_entry;

typedef struct tx_record {
    uint64_t n;
    tx_entry entry[ACRE_TX_MOST];
} tx_record;

_Static_assert(sizeof(tx_part) == 48, "segment format");
_Static_assert(sizeof(tx_record) == 520, "segment format");

/* tx_lock.c: take the cell, with nothing under way in the part afterwards; deadline NULL: as acre_mutex_lock();
 * &acre__tx_at_once: EBUSY.  Errors are acre_tx_begin()'s. */
extern const struct timespec acre__tx_at_once;
int acre__tx_lock(acre_segment *s, const struct timespec *deadline);
void acre__tx_unlock(acre_segment *s);
bool acre__tx_mine(const acre_segment *s);

/* With the cell: make a record and open it; do, or undo, what it plans, and away with it.  ENOMEM; … */
int acre__tx_open(acre_segment *s);
int acre__tx_settle(acre_segment *s);

/* The record that is open.  NULL: none, or there cannot be one. */
tx_record *acre__tx_record(const acre_segment *s);
void acre__tx_commit(acre_segment *s);

/* Whether a transaction may change 8 bytes there. */
bool acre__tx_slot(const acre_segment *s, acre_off slot);

#endif
