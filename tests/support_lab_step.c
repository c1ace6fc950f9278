/* SPDX-License-Identifier: MIT */
/* support_lab_step.c: a real SIGKILL at every instruction.
 *
 *     prepare ── helper ── victim: before ▸ k instructions of the operation ▸ SIGKILL ── survivor
 *                                                      │
 *                                         or stands still here while a peer acts
 *
 * for k = 0, 1, 2 …, each time from the beginning, until the operation is over.  That is n²/2 steps
 * for n instructions; operations are short.  A system call is one instruction; a victim that sleeps
 * in one is woken by the scenario's `wake` and `helper`, or killed asleep. */
#include "sync/self.h"
#include "tests/support_lab.h"

#include "tests/process_state.h"

#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <acre/sync.h>

enum {
    STEP_FORBIDDEN = 77,
    STEP_LIMIT_SECONDS = 120, /* for one death */
    STEP_LONGEST = 100000,
    STEP_SIZE = 8192,
    /* How many deaths, if there are more instructions: at each, with a peer, in pairs. */
    STEP_MOST = 250,
    STEP_MOST_FROZEN = 60,
    STEP_PAIRS = 30,
    STEP_CHANGES = 256,
    STEP_SPIN = 500,
    STEP_NAPS = 30000, /* so far, and never found asleep: its naps are shorter than our turns */
    STEP_ALL = 50      /* times as many, with ACRE_ALL_STEPS */
};

/* Where a victim is killed: after so many instructions; or after so many that changed the shared
 * memory, and some more. */
typedef struct step_aim {
    size_t instructions, changes, more;
} step_aim;

/* What the laboratory does in one go. */
typedef struct step_run {
    const lab_scenario *s;
    char *shared, *image; /* and as it was before the last instruction */
    size_t size;
    lab_count n;
    uint64_t seed;
    uint32_t reached; /* the latest state found so far */
    size_t found[3];
    bool whole; /* the victim is stepped from `before` on */
    pid_t helper;
    size_t change[STEP_CHANGES], changes; /* the instructions that changed the shared memory */
} step_run;

/* ---- the victim ---- */

/* Stop here, without a function's return to be stepped through. */
static inline __attribute__((always_inline)) void step_mark(void)
{
#if defined __x86_64__ || defined __i386__
    __asm__ volatile("int3" ::: "memory");
#else
    raise(SIGTRAP);
#endif
}

/* The thread's first meeting with the kernel.  It has learned that spinning does not pay: else most
 * instructions of an operation that waits would be the same pause. */
static void step_warm_up(void)
{
    static acre_mutex mine;
    acre_mutex_lock(&mine);
    acre_mutex_unlock(&mine);
    acre__this_thread.patience = 0;
    acre__this_thread.doubt = UINT32_MAX;
}

static void step_victim(void *arg)
{
    const step_run *r = arg;
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
        _exit(STEP_FORBIDDEN);
    if (!(r->s->flags & LAB_COLD))
        step_warm_up();
    if (r->whole)
        step_mark();
    if (r->s->before)
        r->s->before(r->shared);
    if (!r->whole)
        step_mark();
    r->s->victim(r->shared);
    lab_now->over = 1;
    for (;;)
        pause();
}

/* The vDSO's clock begins again if the kernel has moved it on meanwhile, which happens every few
 * milliseconds: who is led through it step by step, on a busy machine, never comes out.  A system call is
 * one step. */
int clock_gettime(clockid_t clock, struct timespec *t)
{
    return (int)syscall(SYS_clock_gettime, clock, t);
}

static bool step_ended_badly(int status, step_run *r)
{
    if (WIFEXITED(status) && WEXITSTATUS(status) == STEP_FORBIDDEN)
        acre_test_skip("no permission to trace a child");
    if (WIFSTOPPED(status))
        return false;
    ACRE_CHECK(lab_now->violations, "%s/%s: the victim ended, status %x", r->s->primitive,
               r->s->operation, status);
    return true;
}

/* Let it go on; it has stopped again: true.  False: it sleeps in a system call. */
static bool step_stopped(pid_t victim, step_run *r)
{
    int status;
    for (unsigned i = 0;; i++) {
        pid_t got = waitpid(victim, &status, WNOHANG);
        ACRE_CHECK(got >= 0, "%s", strerror(errno));
        if (got == victim)
            break;
        if (i > 20 && process_state(victim) == 'S')
            return false;
        sched_yield();
    }
    ACRE_CHECK(!step_ended_badly(status, r), "%s", lab_now->text);
    ACRE_CHECK(WSTOPSIG(status) == SIGTRAP || WSTOPSIG(status) == SIGSTOP, "%s/%s: signal %d",
               r->s->primitive, r->s->operation, WSTOPSIG(status));
    return true;
}

/* ---- the others ---- */

static bool step_act(void (*fn)(void *), step_run *r)
{
    return !fn || lab_ended(lab_spawn(fn, r->shared, r->s->patience_ms), &r->n);
}

static void step_helper_begin(step_run *r)
{
    r->helper = r->s->helper ? lab_spawn(r->s->helper, r->shared, r->s->patience_ms) : 0;
    while (r->helper && (!lab_now->ready || process_state(r->helper) == 'R'))
        sched_yield();
}

/* What the sleeping victim, or the helper, waits for. */
static bool step_go(step_run *r)
{
    if (lab_now->go)
        return true;
    lab_now->go = 1;
    return step_act(r->s->wake, r);
}

static bool step_helper_end(step_run *r)
{
    bool ok = step_go(r);
    if (r->helper)
        ok &= lab_ended(r->helper, &r->n);
    r->helper = 0;
    return ok;
}

/* ---- one death ---- */

static void step_prepare(step_run *r)
{
    acre_test_limit(STEP_LIMIT_SECONDS);
    memset(lab_now, 0, sizeof *lab_now);
    memset(r->shared, 0, r->size);
    lab_now->seed = acre_test_random(&r->seed);
    if (r->s->prepare)
        r->s->prepare(r->shared);
}

static void step_kill(pid_t victim)
{
    int status;
    kill(victim, SIGKILL);
    do
        ACRE_CHECK(waitpid(victim, &status, 0) == victim);
    while (WIFSTOPPED(status));
    lab_now->deaths++;
}

/* How far the victim has come. */
typedef struct step_way {
    size_t done, changes, since;
} step_way;

static void step_count(step_run *r, step_way *w)
{
    w->done++;
    w->since++;
    if (!memcmp(r->image, r->shared, r->size))
        return;
    memcpy(r->image, r->shared, r->size);
    if (w->changes < STEP_CHANGES)
        r->change[w->changes++] = w->done;
    w->since = 0;
}

static bool step_there(const step_way *w, const step_aim *aim)
{
    return w->done >= aim->instructions && w->changes >= aim->changes && w->since >= aim->more;
}

static pid_t step_begin(step_run *r)
{
    pid_t victim = acre_test_spawn(step_victim, r);
    while (!step_stopped(victim, r))
        sched_yield(); /* `before` may sleep */
    memcpy(r->image, r->shared, r->size);
    return victim;
}

/* One instruction.  False: it sleeps in it, and is to die so. */
static bool step_one(step_run *r, pid_t victim, bool last)
{
    ACRE_CHECK(ptrace(PTRACE_SINGLESTEP, victim, NULL, NULL) == 0, "%s", strerror(errno));
    while (!step_stopped(victim, r)) {
        if (last && !lab_now->go)
            return false;
        step_go(r);
    }
    return true;
}

/* A victim that has come to its aim, or has done all. */
static pid_t step_to(step_run *r, const step_aim *aim, size_t *done)
{
    step_way w = {0};
    pid_t victim = step_begin(r);
    while (!step_there(&w, aim) && !lab_now->over &&
           step_one(r, victim, w.done + 1 == aim->instructions)) {
        step_count(r, &w);
        if ((r->s->flags & LAB_SPINS && w.done == STEP_SPIN) ||
            (r->s->flags & LAB_LOOSE && w.done == STEP_NAPS))
            step_go(r);
    }
    ACRE_CHECK(w.done < STEP_LONGEST);
    r->changes = w.changes;
    *done = w.done;
    return victim;
}

/* What the survivor finds counts from before to after, never back. */
static void step_judge(step_run *r, bool finished)
{
    uint32_t state = lab_now->state;
    r->found[state]++;
    if (state == LAB_EITHER || r->s->flags & LAB_LOOSE || lab_now->deaths > 1)
        return;
    bool ok = state >= r->reached && (!finished || state == LAB_AFTER);
    r->reached = state;
    if (ok || lab_now->violations++)
        return;
    snprintf(lab_now->text, sizeof lab_now->text, "%s/%s: %s", r->s->primitive, r->s->operation,
             finished ? "done, yet it has not happened" : "undone after it had happened");
}

static void step_survivor(void *arg)
{
    const step_run *r = arg;
    lab_now->state = (uint32_t)r->s->verify(r->shared);
}

static bool step_survives(step_run *r)
{
    return lab_ended(lab_spawn(step_survivor, r, r->s->patience_ms), &r->n);
}

static void step_collect(step_run *r, bool survived, size_t k)
{
    r->n.injected++;
    r->n.violations += lab_now->violations;
    r->n.lost += lab_now->lost;
    r->n.doubled += lab_now->doubled;
    r->n.recovered += survived && !lab_now->violations;
    if ((survived && !lab_now->violations) || r->n.text[0])
        return;
    snprintf(r->n.text, sizeof r->n.text, "death %u at instruction %zu%s: %.180s", lab_now->deaths,
             k, lab_now->over ? " (the last)" : "", lab_now->text[0] ? lab_now->text : "it hangs");
}

static void step_conclude(step_run *r, bool ok, size_t k)
{
    bool finished = lab_now->over;
    bool beside = r->s->flags & LAB_BESIDE;
    if (!beside)
        ok &= step_helper_end(r);
    ok = ok && step_survives(r);
    if (beside)
        ok &= step_helper_end(r);
    if (ok)
        step_judge(r, finished);
    step_collect(r, ok, k);
}

/* ---- passes ---- */

static void step_once(step_run *r, size_t k, void (*meanwhile)(void *))
{
    size_t done;
    step_prepare(r);
    step_helper_begin(r);
    pid_t victim = step_to(r, &(step_aim){.instructions = k}, &done);
    bool ok = step_act(meanwhile, r);
    step_kill(victim);
    step_conclude(r, ok, k);
}

/* The second one dies, too. */
static void step_twice(step_run *r, size_t k, const step_aim *second)
{
    size_t done;
    step_prepare(r);
    step_helper_begin(r);
    step_kill(step_to(r, &(step_aim){.instructions = k}, &done));
    r->whole = true;
    lab_now->over = 0;
    step_kill(step_to(r, second, &done));
    r->whole = false;
    step_conclude(r, true, done);
}

static size_t step_scale(void)
{
    return getenv("ACRE_ALL_STEPS") ? STEP_ALL : 1;
}

/* A random instruction of every `stride`, and the last one. */
static void step_each(step_run *r, void (*meanwhile)(void *), size_t n, size_t most)
{
    size_t stride = r->s->stride && step_scale() == 1 ? r->s->stride : 1;
    most = acre_test_rounds(most * step_scale());
    if (stride < n / most + 1)
        stride = n / most + 1;
    r->reached = LAB_BEFORE;
    for (size_t k = 0; k < n; k += stride)
        step_once(r, k + acre_test_below(&r->seed, stride), meanwhile);
    step_once(r, n, meanwhile);
}

/* Instructions of the operation, and where they change something. */
static size_t step_measure(step_run *r, bool whole)
{
    size_t n;
    step_prepare(r);
    step_helper_begin(r);
    r->whole = whole;
    step_kill(step_to(r, &(step_aim){.instructions = STEP_LONGEST}, &n));
    r->whole = false;
    step_helper_end(r);
    return n;
}

/* First deaths between any two changes, as likely between each; second deaths soon after any. */
static void step_pairs(step_run *r)
{
    size_t whole = step_measure(r, true), later = r->changes, n = step_measure(r, false);
    size_t first[STEP_CHANGES + 2] = {0}, firsts = r->changes + 1;
    memcpy(first + 1, r->change, r->changes * sizeof *first);
    first[firsts] = n + 1;
    for (size_t i = 0, end = acre_test_rounds(STEP_PAIRS * step_scale()); i < end; i++) {
        size_t at = acre_test_below(&r->seed, firsts);
        step_aim second = {.instructions = later ? 0 : acre_test_below(&r->seed, whole),
                           .changes = acre_test_below(&r->seed, later + 1),
                           .more = acre_test_below(&r->seed, i % 8 ? 4 : 64)};
        step_twice(r, first[at] + acre_test_below(&r->seed, first[at + 1] - first[at]), &second);
    }
}

/* Stepping is a conversation: three times faster on one processor. */
static void step_stay(void)
{
    cpu_set_t here;
    CPU_ZERO(&here);
    CPU_SET((unsigned)sched_getcpu(), &here);
    sched_setaffinity(0, sizeof here, &here);
}

static void step_say(const step_run *r, size_t n)
{
    const lab_scenario *s = r->s;
    fprintf(stderr, "%s/%s: %zu instructions, %zu deaths: %zu before, %zu after, %zu either\n",
            s->primitive, s->operation, n, r->n.injected, r->found[0], r->found[1], r->found[2]);
    bool both = r->found[LAB_BEFORE] && r->found[LAB_AFTER];
    ACRE_CHECK(s->flags & LAB_LOOSE || r->n.hangs + r->n.violations || both || r->found[LAB_EITHER],
               "%s/%s: not both states seen", s->primitive, s->operation);
}

lab_count lab_step(const lab_scenario *s)
{
    step_run r = {.s = s, .shared = lab_open(), .seed = acre_test_seed()};
    step_stay();
    r.size = s->size ? s->size : STEP_SIZE;
    r.image = malloc(r.size);
    ACRE_CHECK(r.image);
    size_t n = step_measure(&r, false);
    step_each(&r, NULL, n, STEP_MOST);
    if (s->peer)
        step_each(&r, s->peer, n, STEP_MOST_FROZEN);
    if (!(s->flags & LAB_SINGLE))
        step_pairs(&r);
    step_say(&r, n);
    free(r.image);
    return r.n;
}

void lab_step_test(const lab_scenario *s)
{
    const char *preload = getenv("LD_PRELOAD");
    if (preload && strstr(preload, "vgpreload"))
        acre_test_skip("valgrind does not let a child be traced");
    lab_count n = lab_step(s);
    lab_report_steps(s, &n);
    ACRE_CHECK(n.hangs + n.violations == 0, "%zu hangs, %zu violations: %s", n.hangs, n.violations,
               n.text);
    ACRE_CHECK(n.lost == 0 && n.doubled == 0, "%zu lost, %zu doubled", n.lost, n.doubled);
}
