/* SPDX-License-Identifier: MIT */
/* hold.h: what lies in shared memory of the barrier at which threads stand while a snapshot is taken
 * (acre/snapshot.h).
 *
 *    directory: hold            blocks of the heap, one for each thread that takes part
 *    +-------------+-------+    +------+---------+------+    +------+---------+------+
 *    | cell │ turn | first | ─▶ | cell | arrived | next | ─▶ | cell | arrived | next | ─▶ 0
 *    +-------------+-------+    +------+---------+------+    +------+---------+------+
 *
 *    turn, in the cell's count:   even ──raise──▶ odd ──lower──▶ even …
 *
 * The cell is the snapshot's taker's.  While turn is odd, threads that come to their hold point put it into
 * `arrived` and sleep on it; once all who live have done so, nobody changes anything.  An odd turn whose
 * cell has no living owner means nothing: who sees that lowers it.
 *
 * The list changes by transactions only (tx.h), so it is whole whoever dies.  A thread that has gone, by its
 * own will or not, leaves a block whose cell has no owner: whoever comes next with a transaction of the
 * list frees it.
 */
#ifndef ACRE_SEGMENT_HOLD_H
#define ACRE_SEGMENT_HOLD_H

#include <acre/snapshot.h>
#include <acre/sync.h>

typedef struct hold_part {
    acre_cell cell; /* count: turn */
    acre_off first;
} hold_part;

typedef struct hold_member {
    acre_cell cell;   /* its tag tells that this is one */
    uint32_t arrived; /* the turn that it has seen */
    uint32_t unused;
    acre_off next;
} hold_member;

_Static_assert(sizeof(hold_part) == 48, "segment format");
_Static_assert(sizeof(hold_member) == 56, "segment format");

/* Take away the members that are gone.  Errors are acre__tx_lock()'s; ENOMEM: some stay, and are nobody's. */
int acre__hold_sweep(acre_segment *s);

/* Visit each member in the list, if that is sound so far; with the transactions' cell. */
typedef void acre__hold_visit(void *arg, hold_member *m);
void acre__hold_each(const acre_segment *s, acre__hold_visit *visit, void *arg);

/* Raise the barrier and wait until all who live have arrived.  0: nobody changes anything; the
 * hold's cell, the transactions' and the objects' lock are this thread's.  ETIMEDOUT, EDEADLK, … */
int acre__hold_all(acre_segment *s, const struct timespec *deadline);
/* Lower it, and give them back. */
void acre__hold_release(acre_segment *s);

#endif
