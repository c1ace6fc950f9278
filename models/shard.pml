/* SPDX-License-Identifier: MIT */
/* Nodes of one thread's slab that others send home: shard_collect.c (collecting, helping), shard_publish.c
 * (SEND and what follows from it after a death).
 *
 * Each step is one access of the C code to shared memory.  N senders, each of which has one node of the
 * slab in its magazine and sends it home; the slab's owner, which collects, allocates and frees again; the
 * next owner, which finishes what was being collected, and visits the slab when it pleases; a survivor who
 * finishes the records of dead senders; any of them may die, and whoever comes next goes on.
 * Shown: no node is ever in two places, none is in none, and what came home has a hint or will be visited.
 *
 * BUG_1  bits are cleared before the records are told
 * BUG_2  who recovers reads the record before the bit
 * BUG_3  bits that came meanwhile are cleared with those that were taken
 * BUG_4  bits that came meanwhile are not looked for again
 * BUG_5  the owner looks before it takes the hint away
 * BUG_6  who recovers gives no hint
 * BUG_7  bits are cleared before they are free: the next owner finds them nowhere
 * BUG_8  what is being collected is not in the record
 * BUG_9  the next owner does not visit
 *
 * RUN -DN=2 -DTURNS=3
 * RUN -DN=3 -DTURNS=2 -DNO_DEATH
 * BUG -DBUG_1
 * BUG -DBUG_2
 * BUG -DBUG_3 -DNO_DEATH
 * BUG -DBUG_4 -DNO_DEATH
 * BUG -DBUG_5 -DNO_DEATH
 * BUG -DBUG_6
 * BUG -DBUG_7
 * BUG -DBUG_8
 * BUG -DBUG_9
 */
#ifndef N
#define N 2
#endif
#ifndef TURNS
#define TURNS 2 /* of the owner */
#endif

#define IDLE	0
#define SEND	1
#define SENT	2
#define BIT(i)	(1 << (i))
#define ALL	(BIT(N) - 1)

byte free, remote, used;	/* bits: node i is there; used: in its user's hands */
bool hint;
bool collecting;	/* the owner's record */
bool unvisited;		/* by the present owner */
bool magazine[N];	/* node i is in sender i's */
byte op[N];		/* of sender i, about node i */
byte dead;		/* senders that died */
byte gone;		/* senders that have ended, or whose record was finished */

inline may_die_sender(i)
{
#ifndef NO_DEATH
	if
	:: dead = dead | BIT(i); goto died
	:: skip
	fi
#else
	skip
#endif
}

proctype sender(byte i)
{
	byte old;
	op[i] = SEND;
	may_die_sender(i);
	magazine[i] = false;
	may_die_sender(i);
	atomic { old = remote; remote = remote | BIT(i) }
	may_die_sender(i);
	if
	:: old == 0 ->
		if
		:: !hint -> may_die_sender(i); hint = true
		:: else
		fi
	:: else
	fi;
	may_die_sender(i);
	op[i] = IDLE;
	gone = gone | BIT(i);
died:	skip
}

/* Tell the records whose bits are about to go. */
inline help(bits)
{
	j = 0;
	do
	:: j < N ->
		atomic {
			if
			:: (bits & BIT(j)) && op[j] == SEND -> op[j] = SENT
			:: else
			fi
		}
		j++
	:: else -> break
	od
}

#ifndef NO_DEATH
#define MAY_DIE	if :: dies && restarts < 1 -> restarts++; goto again :: skip fi
#else
#define MAY_DIE	skip
#endif

inline collect()
{
#ifndef BUG_8
	collecting = true;
	MAY_DIE;
#endif
	do
	:: bits = remote;
		if
		:: bits == 0 -> break
		:: else
		fi;
#ifdef BUG_1
		free = free | bits;
		remote = remote & ~bits;
		MAY_DIE;
		help(bits);
#else
		help(bits);
		MAY_DIE;
#ifdef BUG_7
		atomic { remote = remote & ~bits };
		MAY_DIE;
		free = free | bits;
#else
		free = free | bits;
		MAY_DIE;
#ifdef BUG_3
		remote = 0;
#else
		atomic { remote = remote & ~bits };
#endif
#endif
#endif
#ifdef BUG_4
		break
#endif
	od;
	collecting = false
}

/* dies: one owner may die; the next one goes on. */
proctype owner(bool dies)
{
	byte bits, j, turn, restarts;
	turn = 0;
	do
	:: turn < TURNS ->
#ifdef BUG_5
		if
		:: hint -> collect(); hint = false
		:: else
		fi;
#else
		if
		:: hint -> hint = false; MAY_DIE; collect()
		:: else
		fi;
#endif
		/* Allocate what is free, or free what was allocated. */
		if
		:: free -> j = 0;
			do
			:: !(free & BIT(j)) -> j++
			:: else -> break
			od;
			atomic {
				assert(!(used & BIT(j)) && !magazine[j]);
				free = free & ~BIT(j);
				used = used | BIT(j)
			}
		:: used -> atomic {
				bits = used;
				used = 0;
				assert(!(free & bits));
				free = free | bits
			}
		:: skip
		fi;
		turn++
	:: else -> break
	od;
	goto over;
again:	if
	:: collecting -> collect()
	:: else
	fi;
#ifndef BUG_9
	unvisited = true;
#endif
	turn = 0;
	do
	:: turn < 2 ->
		if
		:: unvisited -> unvisited = false; collect()
		:: true
		fi;
		if
		:: free -> j = 0;
			do
			:: !(free & BIT(j)) -> j++
			:: else -> break
			od;
			atomic {
				assert(!(used & BIT(j)) && !magazine[j]);
				free = free & ~BIT(j);
				used = used | BIT(j)
			}
		:: skip
		fi;
		turn++
	:: else -> break
	od;
over:	skip
}

/* Finishes one dead sender's record; may be broken off once, and the next one begins anew. */
proctype survivor()
{
	byte i, what;
	bool there, broken;
	do
	:: dead & ~gone ->
		i = 0;
		do
		:: (dead & ~gone & BIT(i)) -> break
		:: else -> i++
		od;
begin:
#ifdef BUG_2
		what = op[i];
		there = (remote & BIT(i)) != 0;
#else
		there = (remote & BIT(i)) != 0;
		what = op[i];
#endif
		if
		:: what == SEND ->
			if
			:: !there ->
				magazine[i] = false;
				if :: !broken -> broken = true; goto begin :: skip fi;
				atomic {
					assert(!(used & BIT(i)) && !(free & BIT(i)));
					remote = remote | BIT(i)
				}
			:: else
			fi;
			if :: !broken -> broken = true; goto begin :: skip fi;
#ifndef BUG_6
			hint = true;
#endif
		:: else
		fi;
		op[i] = IDLE;
		gone = gone | BIT(i)
	:: gone == ALL -> break
	od
}

#define PLACES(i) (((free >> (i)) & 1) + ((remote >> (i)) & 1) + ((used >> (i)) & 1) + magazine[i])

init {
	byte i;
	atomic {
		i = 0;
		do
		:: i < N -> magazine[i] = true; run sender(i); i++
		:: else -> break
		od;
		run survivor();
#ifdef NO_DEATH
		run owner(false)
#else
		run owner(true)
#endif
	}
	/* All have ended but this process. */
	(_nr_pr == 1);
	i = 0;
	do
	:: i < N -> assert(PLACES(i) == 1); i++
	:: else -> break
	od;
	assert(remote == 0 || hint || unvisited)
}
