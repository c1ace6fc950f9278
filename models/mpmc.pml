/* SPDX-License-Identifier: MIT */
/* The ring of many producers and consumers: sync/ring_mpmc.c.  A cell is one word: the turn, who
 * fills or empties it, and D if that one has died; tail and head are hints.  Two cells; the last
 * process takes, as long as there is or may come something, the others put two messages each.
 *
 * Shown, with one death at any step: no message is lost but the one in the hands of the dead, none
 * is received twice, each producer's come in its order, nobody waits for the dead.
 *
 * BUG_1  the cell is full before the message is there
 * BUG_2  the claim does not look at the turn, only that the cell is nobody's
 * BUG_3  a dead one's cell is not skipped
 *
 * RUN -DN=2
 * RUN -DN=3
 * BUG -DN=2 -DNO_DEATH -DBUG_1
 * BUG -DN=3 -DNO_DEATH -DBUG_2
 * BUG -DN=3 -DBUG_3
 */
#include "kernel.pml"

#define CELLS	2
#define TAKER	(N - 1)
#define DIED_	15
#define tid(me)	((me) + 1)
#define DEAD(w)	((w) == DIED_)

byte turn[CELLS], who[CELLS], value[CELLS];
byte tail, head;
/* Of the proof.  Message v is sent by process v / 2. */
bool put[2 * N], got[2 * N];
byte newest[N], inhand = 255;

inline forget(c)
{
	if
	:: who[c] == tid(me) -> who[c] = DIED_
	:: else
	fi
}

inline die(me) { atomic { dead[me] = true; forget(0); forget(1); ended++ } }

/* mpmc_judge() and the claim's CAS: this position, or another turn of the loop.  way 0: to fill. */
inline claim(way)
{
	c = position % CELLS;
	atomic { t = turn[c]; w = who[c] }
	want = 2 * (position / CELLS) + way;
	if
#ifdef BUG_2
	:: w == 0 && t % 2 == way ->
#else
	:: t == want && w == 0 ->
#endif
		atomic {
			if
			:: turn[c] == t && who[c] == w -> who[c] = tid(me); claimed = true
			:: else
			fi
		}
	:: DEAD(w) && t <= want ->
#ifndef BUG_3
		atomic {	/* mpmc_skip(): empty, for the next lap */
			if
			:: turn[c] == t && who[c] == w -> turn[c] = (t / 2) * 2 + 2; who[c] = 0
			:: else
			fi
		}
#else
		none = true
#endif
	:: !DEAD(w) && (t > want || (t == want && w != 0)) -> position++
	:: DEAD(w) && t > want -> position++
	:: !DEAD(w) && t < want -> none = true
	fi
}

inline advance(hint)
{
	if
	:: hint < position + 1 -> hint = position + 1
	:: else
	fi
}

proctype putter(byte me)
{
	byte v, position, c, t, w, want;
	bool claimed, none;
	{
		v = 2 * me;
		do
		:: v == 2 * me + 2 -> break
		:: else ->
			position = tail;
			claimed = false;
			none = false;
			do
			:: claimed || none -> break
			:: else -> claim(0)
			od;
			if
			:: claimed ->
#ifndef BUG_1
				value[c] = v;
#endif
				atomic { turn[c] = want + 1; who[c] = 0; put[v] = true }
#ifdef BUG_1
				value[c] = v;
#endif
				advance(tail);
				v++
			:: none
			fi
		od;
		ended++
	} unless { CHOSEN(me); die(me) }
}

proctype taker(byte me)
{
	byte v, position, c, t, w, want;
	bool claimed, none, last;
	{
		do
		:: true ->
			last = (ended == N - 1);
			position = head;
			claimed = false;
			none = false;
			do
			:: claimed || none -> break
			:: else -> claim(1)
			od;
			if
			:: claimed ->
				v = value[c];
				assert(put[v] && !got[v]);
				assert(newest[v / 2] <= v);
				newest[v / 2] = v;
				atomic { turn[c] = want + 1; who[c] = 0; got[v] = true }
				advance(head)
			:: none && last -> break
			:: none && !last
			fi
		od;
		ended++
	} unless { CHOSEN(me); die(me) }
}

init {
	byte v = 0;
	atomic {
		run taker(TAKER);
		run putter(0);
#if N > 2
		run putter(1);
#endif
	}
	(ended == N || dead[TAKER]);
	atomic {
		do
		:: v < 2 * (N - 1) -> assert(got[v] || !put[v] || dead[TAKER]); v++
		:: else -> break
		od
	}
}

REAPER
