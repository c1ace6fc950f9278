/* SPDX-License-Identifier: MIT */
/* The sharable and upgradable mutex: sync/rw.h, rw.c, rw_owner.c, rw_reader.c, rw_change.c.
 *
 * The owner is one word: who, W, D, and the mode.  Each reader has a cell, here its process's.  How
 * a cell gets into the robust list and out again is in cell.pml; here the kernel simply knows what
 * a process holds, and what it names.  Each process does one thing, once: read, write, try to write,
 * or be upgradable, perhaps promote itself, perhaps demote itself.
 *
 * Shown: a writer is alone; OWNER_DEAD is said exactly if an owner died that could have written; a
 * promotion that fails leaves the lock upgradable; a try waits for nobody; nobody sleeps for ever,
 * and without a death no nap is needed.
 *
 * BUG_1  a reader looks at the owner before it has taken its cell, and not after
 * BUG_2  a writer looks at the readers before it is the owner, and not after
 * BUG_3  a promotion that fails wakes nobody
 * BUG_4  a writer becomes a reader by giving up the owner's word first
 * BUG_5  who inherits from a dead writer does not look for readers
 * BUG_6  a try that has found no reader becomes exclusive whatever a reader did meanwhile
 *
 * RUN -DREADERS=1 -DOWNERS=1
 * RUN -DREADERS=2 -DOWNERS=1 -DNO_DEATH
 * RUN -DREADERS=1 -DOWNERS=2 -DWRITE_ONLY
 * BUG -DREADERS=1 -DOWNERS=1 -DNO_DEATH -DBUG_1
 * BUG -DREADERS=1 -DOWNERS=1 -DNO_DEATH -DBUG_2
 * BUG -DREADERS=2 -DOWNERS=1 -DNO_DEATH -DBUG_3
 * BUG -DREADERS=1 -DOWNERS=2 -DNO_DEATH -DBUG_4
 * BUG -DREADERS=1 -DOWNERS=2 -DWRITE_ONLY -DBUG_5
 * BUG -DREADERS=1 -DOWNERS=1 -DNO_DEATH -DBUG_6
 */
#define N (READERS + OWNERS)
#include "kernel.pml"

#define TID	7
#define W	8
#define D	16
#define tid(me)	((me) + 1)
#define OWNERLESS(w) (((w) & TID) == 0)

#define NONE		0
#define UPGRADABLE	1
#define TRY		2
#define WANT		3
#define EXCLUSIVE	4

/* The owner's word and mode change together.  Word 0 is the owner's, 1 + i the cell of process i. */
byte word, mode;
byte cell[N];
byte named[N];		/* 0: nothing, else which word + 1 */

#define DEAD(w, m)	(((w) & D) && OWNERLESS(w) && (m) == EXCLUSIVE)
#define CLOSED(w, m)	((m) >= WANT && (!OWNERLESS(w) || DEAD(w, m)))
#define TRYING(w, m)	((m) == TRY && !OWNERLESS(w))

/* Of the proof. */
byte writer = NOBODY;	/* who is in the section */
bool reading[N], orphaned;
byte upgradable = NOBODY;
byte gone;		/* readers that have ended or died */

#define READS(i)	(reading[i] && !dead[i])
#if READERS + OWNERS > 2
#define READ_BY_ANY	(READS(0) || READS(1) || READS(2))
#define IN(i)		(i != me && !OWNERLESS(cell[i]))
#define ANY_IN		(IN(0) || IN(1) || IN(2))
#else
#define READ_BY_ANY	(READS(0) || READS(1))
#define IN(i)		(i != me && !OWNERLESS(cell[i]))
#define ANY_IN		(IN(0) || IN(1))
#endif

/* ---- death ---- */

inline die(me)
{
	dead[me] = true;
	asleep[me] = 0;
	atomic {
		if
		:: (word & TID) == tid(me) ->
			orphaned = orphaned || mode == EXCLUSIVE;
			if
			:: word & W -> word = W | D; wake_one(0)
			:: else -> word = D
			fi
		:: else
		fi
	}
	atomic {
		if
		:: (cell[me] & TID) == tid(me) ->
			if
			:: cell[me] & W -> cell[me] = W | D; wake_one(1 + me)
			:: else -> cell[me] = D
			fi
		:: else
		fi
	}
	atomic {
		if
		:: named[me] == 1 && word == 0 -> wake_one(0)
		:: named[me] > 1 && cell[me] == 0 -> wake_one(1 + me)
		:: else
		fi;
		ended++
	}
}

/* ---- the owner's word ---- */

inline look() { atomic { w = word; m = mode } }

inline cas(to_word, to_mode)
{
	atomic {
		same = word == w && mode == m;
		if
		:: same -> word = to_word; mode = to_mode
		:: else -> w = word; m = mode
		fi
	}
}

/* owner_change(): w and m are what was before. */
inline change(bits, to_mode)
{
	look();
	do
	:: cas(w & ~(bits), to_mode);
		if
		:: same -> break
		:: else
		fi
	od
}

inline turn(to_mode)
{
	change(W | D, to_mode);
	if
	:: w & W -> atomic { wake_all(0) }
	:: else
	fi
}

inline disown(to_word, to_mode)
{
	named[me] = 1;
	atomic { w = word; word = to_word; mode = to_mode }
	if
	:: w & W -> atomic { wake_all(0) }
	:: else
	fi;
	named[me] = 0
}

/* owner_sleep() */
inline sleep_on_owner()
{
	same = true;
	if
	:: !(w & W) -> cas(w | W, m); w = w | W
	:: else
	fi;
	if
	:: same ->
		atomic {
			if
			:: word == w && mode == m -> asleep[me] = 1
			:: else
			fi
		}
		sleep(me)
	:: else
	fi
}

/* owner_take(), owner_succeed(): taken, or there are still readers of a dead writer's time. */
inline take(wanted)
{
	atomic {
		taken = word == w && mode == m;
		said = taken && DEAD(w, m);
		if
		:: said -> word = tid(me) | (w & W) | waiters | D; mode = EXCLUSIVE
		:: taken && !said -> word = tid(me) | (w & W) | waiters; mode = wanted
		:: else
		fi
	}
#ifndef BUG_5
	if
	:: said && ANY_IN ->
		disown(D, EXCLUSIVE);
		atomic { taken = false; said = false }
	:: else
	fi
#endif
}

inline own(wanted)
{
	taken = false;
	do
	:: taken -> break
	:: else ->
		look();
		if
		:: OWNERLESS(w) ->
			take(wanted);
			if
			:: !taken && DEAD(w, m) -> drain()
			:: else
			fi
		:: else -> sleep_on_owner(); waiters = W
		fi
	od
}

/* ---- readers' cells ---- */

/* enter(): in the process's own cell, whatever a death has left there. */
inline enter() { named[me] = 2 + me; cell[me] = tid(me); named[me] = 0 }

inline leave()
{
	named[me] = 2 + me;
	atomic { seen = cell[me]; cell[me] = 0 }
	if
	:: seen & W -> atomic { wake_all(1 + me) }
	:: else
	fi;
	named[me] = 0
}

/* Until no reader is in; out: gave up (only if it may). */
inline await_cell(i)
{
	seen = cell[i];
	if
	:: !OWNERLESS(seen) ->
		atomic {
			same = cell[i] == seen;
			if
			:: same -> cell[i] = seen | W
			:: else
			fi
		}
		if
		:: same ->
			atomic {
				if
				:: cell[i] == (seen | W) -> asleep[me] = 2 + i
				:: else
				fi
			}
			sleep(me)
		:: else
		fi
	:: else
	fi
}

inline drain()
{
	do
	:: IN(0) -> await_cell(0)
	:: !IN(0) && IN(1) -> await_cell(1)
#if READERS + OWNERS > 2
	:: !IN(0) && !IN(1) && IN(2) -> await_cell(2)
#endif
	:: else -> break
	od
}

/* ---- what a lock permits ---- */

inline read()
{
	atomic { assert(writer == NOBODY); reading[me] = true }
	atomic { assert(writer == NOBODY); reading[me] = false }
}

inline write()
{
	atomic {
		assert(said == orphaned);
		assert(writer == NOBODY || (said && dead[writer]));
		assert(!READ_BY_ANY);
		writer = me
	}
	atomic { assert(!READ_BY_ANY); writer = NOBODY }
}

/* After a dead writer: repaired, consistent(). */
inline heal(to_mode)
{
	if
	:: said ->
		write();
		atomic { orphaned = false; said = false };
		turn(to_mode)
	:: else
	fi
}

inline be_upgradable()
{
	atomic {
		assert(writer == NOBODY && (upgradable == NOBODY || dead[upgradable]));
		upgradable = me
	}
	atomic { assert(writer == NOBODY); upgradable = NOBODY }
}

/* A writer or upgradable holder goes on as a reader. */
inline share()
{
#ifdef BUG_4
	disown(0, NONE);
	enter();
#else
	enter();
	disown(0, NONE);
#endif
	read();
	leave()
}

/* ---- the processes ---- */

proctype reader(byte me)
{
	byte w, m, seen, waiters;
	bool same, taken, said;
	{
		skip;
again:		look();
		if
		:: !CLOSED(w, m) ->
			enter();
#ifndef BUG_1
			look();
			do
			:: TRYING(w, m) -> cas(w, UPGRADABLE); look()
			:: else -> break
			od;
#endif
			if
			:: !CLOSED(w, m) -> read(); leave(); goto done
			:: else -> leave()
			fi
		:: else
		fi;
		if
		:: DEAD(w, m) ->
			take(EXCLUSIVE);
			if
			:: taken -> heal(EXCLUSIVE); share(); goto done
			:: else -> sleep_on_owner()
			fi
		:: else -> sleep_on_owner()
		fi;
		goto again;
done:		atomic { gone++; ended++ }
	} unless { CHOSEN(me); die(me); gone++ }
}

/* By an owner in mode WANT or, found free, EXCLUSIVE. */
inline write_in()
{
#ifndef BUG_2
	if
	:: ANY_IN -> change(0, WANT); drain(); change(0, EXCLUSIVE)
	:: else ->
		if
		:: m == WANT -> change(0, EXCLUSIVE)
		:: else
		fi
	fi;
#endif
	write()
}

inline lock_exclusive()
{
#ifdef BUG_2
	drain();
#endif
	atomic { w = 0; m = NONE; said = false; cas(tid(me), EXCLUSIVE) }
	if
	:: same -> m = EXCLUSIVE
	:: else -> own(WANT); m = WANT
	fi;
	if
	:: said -> heal(EXCLUSIVE)
	:: else -> write_in()
	fi
}

/* It may give up while a reader is in; then it lets in who was kept out, and stays what it was. */
inline promote()
{
	change(0, WANT);
	do
	:: ANY_IN ->
		if
		:: IN(0) -> await_cell(0)
		:: IN(1) -> await_cell(1)
		:: true ->
#ifdef BUG_3
			change(0, UPGRADABLE);
#else
			turn(UPGRADABLE);
#endif
			be_upgradable();
			(gone == READERS);	/* they come in and go, without a nap */
			break
		fi
	:: else -> change(0, EXCLUSIVE); write(); break
	od
}

inline try_exclusive()
{
	look();
	if
	:: OWNERLESS(w) ->
		take(TRY);
		if
		:: said -> heal(EXCLUSIVE); disown(0, NONE)
		:: taken && !said ->
			if
			:: ANY_IN -> same = false
			:: else ->
#ifdef BUG_6
				change(0, EXCLUSIVE);
#else
				look();
				do
				:: m == TRY ->
					cas(w, EXCLUSIVE);
					if
					:: same -> break
					:: else
					fi
				:: else -> same = false; break
				od
#endif
			fi;
			if
			:: same -> write()
			:: else
			fi;
			disown(0, NONE)
		:: else
		fi
	:: else
	fi
}

proctype owner(byte me)
{
	byte w, m, seen, waiters;
	bool same, taken, said;
	{
		if
		:: lock_exclusive();
#ifdef WRITE_ONLY /* with all the rest there are too many states */
			disown(0, NONE)
#else
			if
			:: disown(0, NONE)
			:: turn(UPGRADABLE); be_upgradable(); disown(0, NONE)
			:: share()
			fi
		:: own(UPGRADABLE);
			heal(UPGRADABLE);
			be_upgradable();
			if
			:: share()
			:: promote(); disown(0, NONE)
			fi
		:: try_exclusive()
#endif
		fi;
		ended++
	} unless { CHOSEN(me); die(me) }
}

init {
	byte i = 0;
	atomic {
		do
		:: i < READERS -> run reader(i); i++
		:: i >= READERS && i < N -> run owner(i); i++
		:: else -> break
		od
	}
	ended == N;
	assert(OWNERLESS(word))
}

REAPER
