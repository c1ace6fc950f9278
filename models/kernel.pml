/* SPDX-License-Identifier: MIT */
/* What all models share: sleeping, naps, and one death anywhere.
 *
 * A process is { its steps } unless { die }: as soon as the reaper has chosen it, it takes no further
 * step, wherever it stood, and does what the kernel does for it.
 *
 * A sleeper wakes when it is woken; when nothing else in the system can move (`timeout`), a nap
 * ends.  A nap may only be needed if somebody has died (with STRICT not even then). */

#ifndef N
#define N 2 /* processes, numbered from 0 */
#endif
#define NOBODY N

byte victim = NOBODY;	/* chosen to die */
bool dead[N];
byte asleep[N];		/* 0, or which word + 1 */
byte ended;		/* processes that have ended or died */
byte naps;		/* needed; more than one each: they do not help */

#define DIED		(victim != NOBODY && dead[victim])
#define CHOSEN(me)	(victim == (me))

#ifdef NO_DEATH
#define REAPER
#else
#define REAPER							\
active proctype reaper()					\
{								\
	if							\
	:: skip							\
	:: victim = 0						\
	:: victim = 1						\
	:: N > 2 -> victim = 2					\
	:: N > 3 -> victim = 3					\
	fi							\
}
#endif

#ifdef STRICT
#define NAP_ALLOWED	false
#else
#define NAP_ALLOWED	DIED
#endif

/* Asleep already; until woken. */
inline sleep(me)
{
	if
	:: asleep[me] == 0
	:: timeout ->
		assert(NAP_ALLOWED);
		naps++;
		assert(naps <= N);
		asleep[me] = 0
	fi
}

/* Any one sleeper of the word: the kernel's order is not relied on.  Inside an atomic. */
inline wake_one(word)
{
	if
	:: asleep[0] == (word) + 1 -> asleep[0] = 0
	:: asleep[1] == (word) + 1 -> asleep[1] = 0
#if N > 2
	:: asleep[2] == (word) + 1 -> asleep[2] = 0
#endif
#if N > 3
	:: asleep[3] == (word) + 1 -> asleep[3] = 0
#endif
	:: else
	fi
}

inline wake_all(word)
{
	if :: asleep[0] == (word) + 1 -> asleep[0] = 0 :: else fi;
	if :: asleep[1] == (word) + 1 -> asleep[1] = 0 :: else fi;
#if N > 2
	if :: asleep[2] == (word) + 1 -> asleep[2] = 0 :: else fi;
#endif
#if N > 3
	if :: asleep[3] == (word) + 1 -> asleep[3] = 0 :: else fi;
#endif
}
