/* SPDX-License-Identifier: MIT */
/* support_lab.h: a laboratory for deaths.  Processes share an object; one is killed, by a real
 * SIGKILL, because what the kernel does then is part of the protocols; the others must go on.
 *
 * Two ways to die:
 *
 *     lab_step()      at every instruction of one operation: the victim is single-stepped to its
 *                     k-th instruction, for every k, and killed there       (support_lab_step.c)
 *     lab_contest()   at random moments, while four contend                 (support_lab_kill.c)
 *
 * Whoever looks afterwards is a process under a watchdog: what it does not finish is a hang, what
 * it reports by LAB_EXPECT a violation.  Results go to $ACRE_BUILD_DIR/sync-kills.json
 * (support_lab_report.c). */
#ifndef ACRE_TESTS_SUPPORT_LAB_H
#define ACRE_TESTS_SUPPORT_LAB_H

#include "tests/acre_test.h"

#include <stdio.h>

enum { LAB_WORKERS = 4, LAB_SHARED = 1 << 20 };

/* What is known of the current death, and what those who look report; shared by all processes. */
typedef struct lab_board {
    volatile uint32_t ready, go, over; /* of a helper, to it, the victim's operation */
    volatile uint32_t deaths;
    volatile uint32_t state; /* what the survivor found */
    volatile uint32_t met;   /* lab_meet() */
    volatile uint64_t seed;
    volatile uint64_t violations, lost, doubled;
    char text[240]; /* the first violation */
} lab_board;

extern lab_board *lab_now;

typedef struct lab_count {
    size_t injected, recovered, hangs, violations, lost, doubled;
    char text[240];
} lab_count;

/* In any process but the laboratory's: report a violation and end. */
#define LAB_EXPECT(cond, ...)                                                                      \
    ((cond) ? (void)0 : lab_violated(__FILE__, __LINE__, #cond, " " __VA_ARGS__))
#define LAB_EQUAL(a, b)                                                                            \
    do {                                                                                           \
        long long lab__a = (a), lab__b = (b);                                                      \
        LAB_EXPECT(lab__a == lab__b, "(%lld, not %lld)", lab__a, lab__b);                          \
    } while (0)
__attribute__((noreturn, format(printf, 4, 5))) void
lab_violated(const char *file, int line, const char *cond, const char *format, ...);

/* Messages that are gone, or there twice. */
void lab_lost(uint64_t n);
void lab_doubled(uint64_t n);

/* ---- at every instruction ---- */

/* What a survivor finds: the operation has not happened, or it has, or that cannot be told. */
enum { LAB_BEFORE, LAB_AFTER, LAB_EITHER };

enum {
    LAB_COLD = 1,   /* the victim has not used the library before */
    LAB_LOOSE = 2,  /* before and after may alternate: it depends on others' timing */
    LAB_BESIDE = 8, /* the helper stays until the survivor calls lab_go() */
    LAB_SPINS = 16, /* it waits without sleeping: the helper goes on after some instructions */
    LAB_SINGLE = 4  /* no second death: too long, or without sense */
};

/* One operation.  All but `victim` and `verify` may be NULL. */
typedef struct lab_scenario {
    const char *primitive, *operation, *implementation; /* the last one: NULL is acre */
    void (*prepare)(void *shared);                      /* what is zero is made the object */
    void (*helper)(void *shared); /* a process that lives meanwhile; calls lab_ready() */
    void (*before)(void *shared); /* the victim, not yet stepped */
    void (*victim)(void *shared); /* the operation */
    void (*wake)(void *shared);   /* another, when the victim or its corpse sleeps */
    void (*peer)(void *shared);   /* what must be possible while the victim stands still */
    int (*verify)(void *shared);  /* the survivor; LAB_BEFORE … */
    unsigned flags;
    unsigned patience_ms; /* then it hangs; 0: 20 s */
    unsigned stride;      /* every so many instructions; 0: each */
    size_t size;          /* of the shared memory that is used; 0: 8 KiB */
} lab_scenario;

/* Kill at every instruction; kill the second victim (which does `before` and `victim` anew) at each
 * of its instructions, the first one at a random one; let the peer act at each. */
lab_count lab_step(const lab_scenario *s);

/* The same, fail unless all is well, and put it into the report. */
void lab_step_test(const lab_scenario *s);

/* A helper stands where it should; it waits for the victim to sleep or to be dead. */
void lab_ready(void);
void lab_await(void);
void lab_go(void); /* the survivor, to a helper that is still there */
/* The victim, before its operation: the helper is to come to its own now, and to wait for it. */
void lab_meet(void);
void lab_met(void); /* the helper: wait for that */
/* Another one for each death: 0 … n - 1. */
unsigned lab_choice(unsigned n);
/* Number of processes that have died so far (1, 2), and whether the last one had finished. */
unsigned lab_deaths(void);
bool lab_finished(void);

#define LAB_SCENARIO_IN(suite_, primitive_, operation_, ...)                                       \
    ACRE_TEST(suite_, operation_)                                                                  \
    {                                                                                              \
        static const lab_scenario s = {                                                            \
            .primitive = #primitive_, .operation = #operation_, __VA_ARGS__};                      \
        lab_step_test(&s);                                                                         \
    }
#define LAB_SCENARIO(primitive_, operation_, ...)                                                  \
    LAB_SCENARIO_IN(step_##primitive_, primitive_, operation_, __VA_ARGS__)

/* ---- at random moments ---- */

/* One of those who contend.  A place, that is: who is killed has a successor in it. */
typedef struct lab_worker {
    unsigned id;
    uint64_t seed;
    volatile uint32_t life; /* how many have been here */
    volatile uint32_t at;   /* the worker's own note of where it is, for the audit */
    volatile uint64_t turns;
    volatile uint32_t paused; /* it stands between two turns */
} lab_worker;

typedef struct lab_contest {
    const char *primitive, *implementation; /* NULL: acre */
    void (*prepare)(void *shared);
    void (*turn)(void *shared, lab_worker *w);
    /* All who live stand between two turns; `dead` was killed last, wherever it was. */
    void (*audit)(void *shared, const lab_worker *dead);
    unsigned every;                             /* so many deaths; 0: after each */
    void (*begin)(void *shared, lab_worker *w); /* a worker's first act; may be NULL */
    unsigned patience_ms;
    size_t kills; /* 0: a share of ACRE_KILLS */
} lab_contest;

lab_count lab_contend(const lab_contest *c);
void lab_contest_test(const lab_contest *c);

/* Whether the laboratory waits for all to end their turns: do not wait for others any more. */
bool lab_pausing(void);

/* Data that only one may touch at a time: a violation if somebody else is in. */
typedef struct lab_stamp {
    volatile uint64_t owner, a, b;
} lab_stamp;

/* Exclusive: enter and leave.  healed: the owner before died, its stamp is void. */
void lab_stamp_write(lab_stamp *s, const lab_worker *w, bool healed);
/* Shared with readers. */
void lab_stamp_read(const lab_stamp *s);

/* ---- the report ---- */

void lab_report_steps(const lab_scenario *s, const lab_count *n);
void lab_report_kills(const lab_contest *c, const lab_count *n);

/* ---- inside ---- */

void *lab_open(void); /* lab_now and the shared memory behind it */
pid_t lab_spawn(void (*fn)(void *), void *shared, unsigned patience_ms);
/* How a process of lab_spawn ended: counted. */
bool lab_ended(pid_t child, lab_count *n);

#endif
