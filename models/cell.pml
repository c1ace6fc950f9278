/* SPDX-License-Identifier: MIT */
/* The robust cell: sync/cell.h, cell.c, self.h; and with it acre_mutex.
 *
 * Each step is one access of the C code to shared memory, to the thread's robust list, or one system
 * call.  Shown: exclusion; OWNER_DEAD is said exactly if an owner died; who unlocks without healing
 * makes it not recoverable for all; who holds the cell or is about to stands where the kernel looks;
 * nobody sleeps for ever, and no nap is needed unless somebody has died.
 *
 * BUG_1  named after the word is taken
 * BUG_2  unlinked after the word is free (the next owner has changed the link)
 * BUG_3  one who has slept takes the word without W, forgetting other sleepers
 * BUG_4  a sleeper gives up although the owner has just unlocked
 * BUG_5  unnamed before the wake-up is given: then naps are the net
 *
 * RUN -DSTRICT
 * RUN -DSTRICT -DROUNDS=2
 * RUN -DN=3
 * RUN -DN=3 -DROUNDS=3 -DNO_DEATH
 * BUG -DN=2 -DBUG_1
 * BUG -DN=2 -DBUG_2
 * BUG -DN=3 -DNO_DEATH -DBUG_3
 * BUG -DN=3 -DROUNDS=2 -DNO_DEATH -DBUG_4
 * BUG -DSTRICT -DBUG_5
 * NAP -DN=3 -DSTRICT	a woken sleeper dies and takes the wake-up with it
 */
#include "kernel.pml"

#ifndef ROUNDS
#define ROUNDS 1 /* of process 0: more than one, and it may take the lock from those it has woken */
#endif
#define TID	7
#define W	8
#define D	16
#define NEVER	6
#define tid(me)	((me) + 1)
#define OWNERLESS(w) (((w) & TID) == 0)

/* Links: the cell, or the end of process i's list. */
#define CELL	0
#define END(i)	(10 + (i))

byte word, next;
byte anchor[N];
bool pending[N];

/* Of the proof, not of the code. */
byte inside = NOBODY;	/* who is in the section */
bool orphaned;		/* an owner died, and that has not been healed */

/* The kernel, for one entry of the list (named: of list_op_pending). */
inline kernel_death(me, named)
{
	atomic {
		if
		:: named && word == 0 -> wake_one(0)
		:: (word & TID) == tid(me) ->
			orphaned = true;
			if
			:: word & W -> word = W | D; wake_one(0)
			:: else -> word = D
			fi
		:: else
		fi
	}
}

inline die(me)
{
	dead[me] = true;
	asleep[me] = 0;
	if
	:: anchor[me] == CELL ->
		assert(next == END(me));	/* the walk ends */
		if
		:: !pending[me] -> kernel_death(me, false)
		:: else
		fi
	:: else -> assert(anchor[me] == END(me))
	fi;
	if
	:: pending[me] -> kernel_death(me, true)
	:: else
	fi;
	ended++
}

inline claim(me)
{
#ifndef BUG_1
	pending[me] = true;
#endif
	atomic {
		if
		:: word == seen ->
#ifdef BUG_3
			word = tid(me) | (seen & (W | D));
#else
			word = tid(me) | (seen & (W | D)) | waiters;
#endif
			taken = true
		:: else -> taken = false
		fi
	}
#ifdef BUG_1
	pending[me] = true;
#endif
	if
	:: taken ->
		next = END(me);
		anchor[me] = CELL	/* still named */
	:: else -> pending[me] = false
	fi
}

inline set_waiters()
{
	atomic {
		if
		:: word == seen -> word = seen | W; same = true
		:: else -> seen = word; same = false
		fi
	}
}

/* cell_give_up(): same = whether this process may leave. */
inline give_up(me)
{
	seen = word;
	same = false;
	do
	:: waiters && !OWNERLESS(seen) && !(seen & W) ->
		set_waiters();
		if
		:: same -> break
		:: else
		fi
	:: else -> break
	od;
#ifndef BUG_4
	same = same || !OWNERLESS(seen)
#else
	same = true
#endif
}

inline release(me, value)
{
	pending[me] = true;
#ifndef BUG_2
	anchor[me] = next;
#endif
	atomic { seen = word; word = value }
#ifdef BUG_2
	anchor[me] = next;
	assert(anchor[me] == END(me));
#endif
#ifdef BUG_5
	pending[me] = false;
#endif
	if
	:: (seen & W) && value == 0 -> atomic { wake_one(0) }
	:: (seen & W) && value != 0 -> atomic { wake_all(0) }
	:: else
	fi;
	pending[me] = false
}

/* The section, and what the lock says on the way in. */
inline section(me)
{
	assert(orphaned == ((seen & D) != 0));
	assert(inside == NOBODY || (orphaned && dead[inside]));
	inside = me;
	inside = NOBODY;
	if
	:: seen & D ->
		if
		:: orphaned = false; word = word & (TID | W); release(me, 0)
		:: release(me, NEVER)
		fi
	:: else -> release(me, 0)
	fi
}

proctype locker(byte me, rounds; bool timed)
{
	byte seen, waiters;
	bool taken, same;
	{
		skip;
again:		seen = word;
		if
		:: (seen & TID) == NEVER ->
			assert(orphaned);
			goto done
		:: OWNERLESS(seen) ->
			claim(me);
			if
			:: taken ->
				section(me);
				rounds--;
				waiters = 0;
				if
				:: rounds -> goto again
				:: else -> goto done
				fi
			:: else -> goto again
			fi
		:: else
		fi;
		if
		:: timed ->
			give_up(me);
			if
			:: same -> goto done
			:: else -> goto again
			fi
		:: true
		fi;
		same = true;
		if
		:: !(seen & W) -> set_waiters()
		:: else
		fi;
		waiters = W;
		if
		:: same ->
			atomic {
				if
				:: word == (seen | W) -> asleep[me] = 1
				:: else
				fi
			}
			sleep(me)
		:: else
		fi;
		goto again;
done:		ended++
	} unless { CHOSEN(me); die(me) }
}

init {
	byte i = 0;
	atomic {
		do
		:: i < N -> anchor[i] = END(i); i++
		:: else -> break
		od;
		run locker(0, ROUNDS, false);
		run locker(1, 1, N == 2);
#if N > 2
		run locker(2, 1, true);
#endif
	}
	ended == N;
	assert(OWNERLESS(word) || (word & TID) == NEVER);
	assert((word & D) == 0 || orphaned)
}

REAPER
