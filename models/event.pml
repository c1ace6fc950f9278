/* SPDX-License-Identifier: MIT */
/* The event of sync/park.h, park.c (acre__event_look, sleep, signal, wake with n = 1): putters add an
 * item and signal one sleeper, takers look, announce themselves, look again, sleep.
 *
 * Shown: no signal is lost beside another one: as long as nobody dies, all takers get their item
 * without a nap; after a death the others come on, by a nap at most.  The word counts modulo 8: a
 * sleeper that looks at an old word falls asleep only if it came round in between.
 *
 * BUG_1  the sleepers' bit is cleared in front of the wake-up and set again behind it
 * BUG_2  the taker does not look again after it has announced itself
 * BUG_3  the bit is cleared when nobody was found, and nobody is woken to set it again
 * BUG_4  the signal looks at the bit before the item is there
 *
 * RUN -DN=2 -DNO_DEATH
 * RUN -DN=3 -DNO_DEATH
 * RUN -DN=4 -DNO_DEATH
 * RUN -DN=4
 * BUG -DN=4 -DNO_DEATH -DBUG_1
 * BUG -DN=2 -DNO_DEATH -DBUG_2
 * BUG -DN=4 -DNO_DEATH -DBUG_3
 * BUG -DN=2 -DNO_DEATH -DBUG_4
 * NAP -DN=4 -DSTRICT	a putter dies between its item and its signal, or a woken taker
 */
#include "kernel.pml"

#ifdef BUG_2
#define BLIND	true
#else
#define BLIND	false
#endif

#define MASK	7	/* of the word */

byte word;		/* bit 0: somebody sleeps; the rest counts */
byte items, putting;	/* putting: putters that have not ended */

inline cas(from, to)
{
	atomic {
		if
		:: word == from -> word = (to) & MASK; same = true
		:: else -> from = word; same = false
		fi
	}
}

/* acre__wake(n = 1): found = whether one slept. */
inline wake()
{
	atomic {
		found = asleep[0] || asleep[1];
#if N > 2
		found = found || asleep[2];
#endif
#if N > 3
		found = found || asleep[3];
#endif
		wake_one(0)
	}
}

inline signal()
{
	seen = word;
	do
	:: !(seen & 1) -> break
	:: else ->
#ifdef BUG_1
		cas(seen, seen + 1);
#else
		cas(seen, seen + 2);
#endif
		if
		:: same ->
			wake();
#ifdef BUG_1
			if
			:: found -> atomic { word = word | 1 }
			:: else
			fi;
#else
			if
			:: !found ->
				seen = (seen + 2) & MASK;
				cas(seen, seen + 1);
#ifndef BUG_3
				if
				:: same -> atomic { wake_all(0) }
				:: else
				fi
#endif
			:: else
			fi;
#endif
			break
		:: else
		fi
	od
}

proctype putter(byte me)
{
	byte seen;
	bool same, found;
	{
#ifdef BUG_4
		if
		:: word & 1 -> items++; signal()
		:: else -> items++
		fi;
#else
		items++;
		signal();
#endif
		atomic { putting--; ended++ }
	} unless { CHOSEN(me); atomic { dead[me] = true; putting--; ended++ } }
}

proctype taker(byte me)
{
	byte seen;
	bool same;
	{
		do
		:: atomic { items > 0 -> items--; break }
		:: putting == 0 && items == 0 -> break	/* after a death */
		:: else ->
			atomic { word = word | 1; seen = word }
			if
			:: items > 0 && !BLIND
			:: items == 0 || BLIND ->
				atomic {
					if
					:: word == seen -> asleep[me] = 1
					:: else
					fi
				}
				sleep(me)
			fi
		od;
		ended++
	} unless { CHOSEN(me); dead[me] = true; asleep[me] = 0; ended++ }
}

/* Half of the processes take, the rest puts. */
init {
	atomic {
		putting = N - N / 2;
		run putter(0);
#if N == 2
		run taker(1);
#else
		run putter(1);
		run taker(2);
#if N == 4
		run taker(3);
#endif
#endif
	}
	ended == N
}

REAPER
