/* SPDX-License-Identifier: MIT */
/* acre/tx.h: small transactions: up to 16 changes of offset slots and blocks that happen all or not at all,
 * whenever the process is killed.
 *
 *     acre_tx tx;
 *     int e = acre_tx_begin(&tx, s);
 *     e = e ? e : acre_tx_alloc(&tx, &list->first, sizeof *node, (void **)&node);
 *     …fill the node; acre_tx_set(), acre_tx_free() …
 *     acre_tx_commit(&tx);
 *
 * What is planned lies in the segment, in a record that nobody acts on before the commit, which is one
 * store: killed before it, blocks that were allocated are free again; killed after it, whoever begins next
 * finishes what is left.  (Redo logging: C. Mohan et al., ARIES, ACM TODS 17(1), 1992, reduced to what 16
 * entries need.)
 *
 * One transaction at a time in each segment: begin waits for the one that is under way, so transactions
 * see each other whole.  Who reads slots without one may see them change one after the other, at the
 * commit, in no particular order, and sees a dead one's commit finished only after somebody has begun:
 * slots that transactions change are for others to read, and to change by transactions only.
 *
 * A transaction belongs to the thread that began it.  Between begin and its end that thread may use the heap
 * and everything else, but not wait for other transactions (EDEADLK), nor close the segment (EBUSY).  All
 * functions: not async-signal-safe.  With ACRE_JOURNAL_OFF a kill inside of the heap's own calls may still
 * damage the heap; with ACRE_LOCK_NONE the caller keeps others out of the heap meanwhile. */
#ifndef ACRE_TX_H
#define ACRE_TX_H

#include <acre/segment.h>

#ifdef __cplusplus
extern "C" {
#endif

enum {
    ACRE_TX_MOST = 16
}; /* entries: a slot that is changed, and each further block allocated or freed in the same one */

/* The caller's, on the stack as a rule; nothing in it is the caller's business.  All zero: none is under way. */
typedef struct acre_tx {
    acre_segment *segment;
} acre_tx;

/* Begin; waits for another's (acre_default_timeout() applies: ETIMEDOUT), and finishes or undoes a dead
 * one's.  0; EDEADLK: this thread has one in this segment, or interrupts a heap call; ENOMEM: no room for the
 * record of 520 bytes, which the heap has back at the end; EROFS; ENOTSUP: the segment has ACRE_INDEX_NONE;
 * ACRE_EPOISONED.  After an error there is nothing to end. */
ACRE_API int acre_tx_begin(acre_tx *tx, acre_segment *s);
/* The same without waiting: EBUSY. */
ACRE_API int acre_tx_begin_try(acre_tx *tx, acre_segment *s);

/* ---- plans ----
 *
 * A slot is an aligned word of 8 bytes in a block of the segment, or acre_segment_root().  Of several plans
 * for one slot the last one holds.  All: 0; ACRE_EINVALID: the slot is none; E2BIG: more than ACRE_TX_MOST
 * entries; EINVAL: no transaction is under way; EPERM: it is another thread's;
 * ACRE_ECORRUPT: its record is not where it was.  After an error the plan is what it was, and may be committed
 * as well as aborted. */

/* *slot becomes value, an offset or any other number. */
ACRE_API int acre_tx_set(acre_tx *tx, acre_off *slot, acre_off value);

/* Allocate at least `size` bytes now, for *address to be filled; *slot gets the block's offset at the commit.
 * A block that was allocated in this transaction, and that no slot of the plan is going to hold when it is
 * committed, is free again then.  Also ENOMEM. */
ACRE_API int acre_tx_alloc(acre_tx *tx, acre_off *slot, size_t size, void **address);

/* The block that acre_tx_read() tells is freed at the commit, until which its contents stay; one that was
 * allocated in this transaction is freed now.  *slot becomes 0, unless set or allocated anew.  A slot that
 * holds 0 stays so.  Also ACRE_EINVALID: what it holds is not a live block, or is to be freed already. */
ACRE_API int acre_tx_free(acre_tx *tx, acre_off *slot);

/* What *slot is going to be; 0 also if it is no slot, or no transaction of this thread's is under way. */
ACRE_API acre_off acre_tx_read(const acre_tx *tx, const acre_off *slot);

/* ---- the end ---- */

/* Do it.  0; EINVAL, EPERM, ACRE_ECORRUPT: as above.  (A block that its user has freed by other ways meanwhile is told to
 * acre_heap_on_misuse().) */
ACRE_API int acre_tx_commit(acre_tx *tx);

/* Do nothing of it.  0; EINVAL, EPERM. */
ACRE_API int acre_tx_abort(acre_tx *tx);

#ifdef __cplusplus
}
#endif
#endif
