/* SPDX-License-Identifier: MIT */
/* The message queue: sync/queue.h, queue_send.c, queue_receive.c, queue_recover.c; the long way (hold,
 * copy without the lock, commit).  Process 0 receives, the others send two messages each; waiting
 * is looking again (sleeping is in event.pml), the index is a FIFO of places and a mark for the free.
 *
 * Shown, with one death at any step, also of the one who rebuilds the index: each message that was
 * committed is received once or still there, whole, in the order of commits; no place is lost.
 *
 * BUG_1  the state says FULL before the message is there
 * BUG_2  a receiver gives the place back before it has read it
 * BUG_3  the next one to lock after a death trusts the index
 * BUG_4  a place whose holder has died is freed although its message was committed
 * BUG_5  the order is stored after the state
 *
 * RUN -DN=2
 * RUN -DN=3
 * BUG -DN=2 -DBUG_1
 * BUG -DN=3 -DNO_DEATH -DBUG_2
 * BUG -DN=2 -DBUG_3
 * BUG -DN=2 -DBUG_4
 * BUG -DN=3 -DBUG_5
 */
#include "kernel.pml"

#define PLACES	2
#define FREE	0
#define FILLING	1
#define FULL	2
#define READING	3
#define tid(me)	((me) + 1)
#define DIED_	15

byte state[PLACES], owner[PLACES], order[PLACES], value[PLACES];	/* the truth */
byte lock;
bool free[PLACES];				/* the index */
byte fifo[PLACES], count, last;
/* Of the proof.  Message v is sent by process v / 2. */
bool committed[2 * N], received[2 * N];
byte newest;

inline forget(p)
{
	if
	:: owner[p] == tid(me) -> owner[p] = DIED_
	:: else
	fi
}

inline die(me)
{
	atomic {
		dead[me] = true;
		if
		:: lock == tid(me) -> lock = DIED_
		:: else
		fi;
		forget(0);
		forget(1);
		ended++
	}
}

#define HELD(p)	(owner[p] != 0 && owner[p] != DIED_)

/* recover_place() */
inline recover_place(p)
{
	free[p] = false;
	if
	:: state[p] != FULL && !HELD(p) -> state[p] = FREE; owner[p] = 0; free[p] = true
#ifdef BUG_4
	:: state[p] == FULL && owner[p] == DIED_ -> state[p] = FREE; owner[p] = 0; free[p] = true
	:: state[p] == FULL && owner[p] != DIED_ ->
#else
	:: state[p] == FULL ->
#endif
		owner[p] = 0;
		if
		:: count == 1 && order[fifo[0]] > order[p] -> fifo[1] = fifo[0]; fifo[0] = p
		:: else -> fifo[count] = p
		fi;
		count++;
		if
		:: order[p] > last -> last = order[p]
		:: else
		fi
	:: else
	fi
}

inline take_lock()
{
	atomic { lock == 0 || lock == DIED_ -> orphan = lock == DIED_; lock = tid(me) }
#ifndef BUG_3
	if
	:: orphan -> count = 0; recover_place(0); recover_place(1)
	:: else
	fi
#endif
}

inline give_lock() { lock = 0 }

/* reclaim(): places whose holder has died without the lock. */
inline reclaim(p)
{
	if
	:: state[p] != FULL && state[p] != FREE && !HELD(p) ->
		owner[p] = 0;
		state[p] = FREE;
		free[p] = true
	:: else
	fi
}

inline commit(v)
{
	last++;
#ifndef BUG_5
	order[p] = last;
#endif
	atomic { state[p] = FULL; committed[v] = true }
#ifdef BUG_5
	order[p] = last;
#endif
	fifo[count] = p;
	count++
}

proctype sender(byte me)
{
	byte p, v;
	bool orphan;
	{
		v = 2 * me;
		do
		:: v == 2 * me + 2 -> break
		:: else ->
			take_lock();
			reclaim(0);
			reclaim(1);
			if
			:: free[0] -> p = 0
			:: !free[0] && free[1] -> p = 1
			:: else -> p = PLACES
			fi;
			if
			:: p == PLACES ->
				give_lock();
end_full:			(free[0] || free[1] || lock == DIED_ || owner[0] == DIED_ || owner[1] == DIED_)
			:: else ->
				free[p] = false;
				owner[p] = tid(me);
				state[p] = FILLING;
				give_lock();
#ifndef BUG_1
				value[p] = v;
#endif
				take_lock();
				commit(v);
				owner[p] = 0;
				give_lock();
#ifdef BUG_1
				value[p] = v;
#endif
				v++
			fi
		od;
		ended++
	} unless { CHOSEN(me); die(me) }
}

/* One message is taken: the store of the state. */
inline taken(p)
{
	atomic {
		state[p] = READING;
		assert(order[p] > newest);
		newest = order[p]
	}
}

inline read(p)
{
	atomic {
		assert(committed[value[p]] && !received[value[p]]);
		received[value[p]] = true
	}
}

proctype receiver(byte me)
{
	byte p;
	bool orphan;
	{
		do
		:: count == 0 && ended == N - 1 && lock != DIED_ -> break
		:: count > 0 || lock == DIED_ ->
			take_lock();
			if
			:: count == 0 -> give_lock()
			:: else ->
				p = fifo[0];
				fifo[0] = fifo[1];
				count--;
				owner[p] = tid(me);
				taken(p);
#ifdef BUG_2
				owner[p] = 0;
				state[p] = FREE;
				free[p] = true;
				give_lock();
				read(p)
#else
				give_lock();
				read(p);
				take_lock();
				owner[p] = 0;
				state[p] = FREE;
				free[p] = true;
				give_lock()
#endif
			fi
		od;
		ended++
	} unless { CHOSEN(me); die(me) }
}

/* Of message v: it is in the place. */
#define LIES(v, p)	(state[p] == FULL && value[p] == (v))
#define SAFE(v)		(!committed[v] || received[v] || LIES(v, 0) || LIES(v, 1))

init {
	byte me = N, v = 2;
	bool orphan;
	atomic {
		free[0] = true;
		free[1] = true;
		run receiver(0);
		run sender(1);
#if N > 2
		run sender(2);
#endif
	}
	/* A sender that waits for a dead receiver is no concern of this model. */
	(ended == N || dead[0]);
	if
	:: dead[0]
	:: else ->
		take_lock();
		reclaim(0);
		reclaim(1);
		atomic {
			assert((free[0] || state[0] == FULL) && (free[1] || state[1] == FULL));
			do
			:: v < 2 * N -> assert(SAFE(v)); v++
			:: else -> break
			od
		}
	fi
}

REAPER
