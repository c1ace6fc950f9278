/* SPDX-License-Identifier: MIT */
/* support_lab_kill.c: SIGKILL at random moments, while four contend.
 *
 *     all contend ▸ random time ▸ one is killed ▸ all end their turns and stand ▸ audit ▸ a
 * successor
 *
 * That all come to a stand is the watchdog: each must end its turn by itself, without help from the
 * others' going on, which would hide a lost wake-up.  Then the audit finds a state of rest, in
 * which everything can be counted exactly. */
#include "tests/support_lab.h"

#include <errno.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    KILLS_DEFAULT = 20000,
    KILLS_PRIMITIVES = 17,
    KILLS_PATIENCE_MS = 5000,
    KILLS_NAP_NS = 10000,
    KILLS_LONGEST_NS = 2000000,
    KILLS_RANDOM_NS = 100000
};

typedef struct kills_ground {
    volatile uint32_t pause, stop;
    volatile uint32_t generation;
    lab_worker worker[LAB_WORKERS];
} kills_ground;

typedef struct kills_run {
    const lab_contest *c;
    void *shared;
    kills_ground *ground;
    lab_count n;
    uint64_t seed;
    pid_t child[LAB_WORKERS];
} kills_run;

static kills_ground *kills_here;

bool lab_pausing(void)
{
    return kills_here->pause;
}

/* ---- workers ---- */

static void kills_stand(lab_worker *w)
{
    w->paused = 1;
    while (kills_here->pause)
        syscall(SYS_futex, &kills_here->pause, FUTEX_WAIT, 1, NULL, NULL, 0);
    w->paused = 0;
}

typedef struct kills_place {
    const kills_run *run;
    unsigned id;
} kills_place;

static void kills_worker(void *arg)
{
    const kills_place *p = arg;
    const kills_run *r = p->run;
    lab_worker *w = &r->ground->worker[p->id];
    if (r->c->begin)
        r->c->begin(r->shared, w);
    for (;;) {
        if (r->ground->pause)
            kills_stand(w);
        r->c->turn(r->shared, w);
        w->turns++;
    }
}

static void kills_replace(kills_run *r, unsigned i)
{
    lab_worker *w = &r->ground->worker[i];
    kills_place p = {r, i};
    w->life++;
    w->paused = 0;
    w->at = 0;
    w->seed = acre_test_random(&r->seed);
    r->child[i] = acre_test_spawn(kills_worker, &p);
}

/* ---- the laboratory ---- */

static uint64_t kills_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static void kills_go_on(kills_run *r)
{
    r->ground->pause = 0;
    syscall(SYS_futex, &r->ground->pause, FUTEX_WAKE, LAB_WORKERS, NULL, NULL, 0);
}

static uint64_t kills_turns(const kills_run *r)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < LAB_WORKERS; i++)
        sum += r->ground->worker[i].turns;
    return sum;
}

/* A sleeper gets the processor when its time has come; one that looks all the time does not. */
static void kills_nap(uint64_t ns)
{
    struct timespec t = {.tv_nsec = (long)ns};
    nanosleep(&t, NULL);
}

/* A random time, and then until they are at it. */
static void kills_wait_a_moment(kills_run *r)
{
    uint64_t turns = kills_turns(r), end = kills_now() + KILLS_LONGEST_NS;
    do
        kills_nap(acre_test_below(&r->seed, KILLS_RANDOM_NS));
    while (kills_turns(r) == turns && kills_now() < end);
}

static void kills_bury(pid_t child)
{
    int status;
    ACRE_CHECK(waitpid(child, &status, 0) == child);
}

static bool kills_all_stand(const kills_run *r)
{
    for (unsigned i = 0; i < LAB_WORKERS; i++)
        if (r->child[i] && !r->ground->worker[i].paused)
            return false;
    return true;
}

static uint64_t kills_patience(const kills_run *r)
{
    uint64_t ms = r->c->patience_ms ? r->c->patience_ms : KILLS_PATIENCE_MS;
    return ms * 1000000 * (acre_test_rounds(20) < 20 ? 4 : 1);
}

/* False: somebody does not come to the end of its turn. */
static bool kills_come_to_rest(kills_run *r)
{
    uint64_t end = kills_now() + kills_patience(r);
    while (!kills_all_stand(r) && !lab_now->violations && kills_now() < end)
        kills_nap(KILLS_NAP_NS);
    return kills_all_stand(r);
}

static void kills_start(kills_run *r)
{
    memset(r->shared, 0, LAB_SHARED);
    r->c->prepare(r->shared);
    r->ground->pause = 0;
    for (unsigned i = 0; i < LAB_WORKERS; i++)
        kills_replace(r, i);
}

static void kills_end(kills_run *r)
{
    for (unsigned i = 0; i < LAB_WORKERS; i++)
        if (r->child[i]) {
            kill(r->child[i], SIGKILL);
            kills_bury(r->child[i]);
        }
    memset(r->child, 0, sizeof r->child);
}

/* One that died in the laboratory's own audit: with a text, too. */
typedef struct kills_auditor {
    const kills_run *run;
    const lab_worker *dead;
} kills_auditor;

static void kills_audit(void *arg)
{
    const kills_auditor *a = arg;
    a->run->c->audit(a->run->shared, a->dead);
}

static bool kills_sound(kills_run *r, const lab_worker *dead)
{
    kills_auditor a = {r, dead};
    return !r->c->audit || lab_ended(lab_spawn(kills_audit, &a, r->c->patience_ms), &r->n);
}

/* Anew, after a hang or a violation. */
static void kills_note(kills_run *r, bool rested)
{
    r->n.hangs += !rested && !lab_now->violations;
    r->n.violations += lab_now->violations;
    if (!r->n.text[0])
        snprintf(r->n.text, sizeof r->n.text, "after %zu kills: %.200s", r->n.injected,
                 lab_now->text[0] ? lab_now->text : "not all end their turns");
    kills_end(r);
    memset(lab_now, 0, sizeof *lab_now);
    kills_start(r);
}

/* False: it had to be begun anew. */
static bool kills_rest_and_audit(kills_run *r, unsigned dead)
{
    bool rested = kills_come_to_rest(r);
    bool ok = rested && !lab_now->violations && kills_sound(r, &r->ground->worker[dead]);
    r->n.lost += lab_now->lost;
    r->n.doubled += lab_now->doubled;
    lab_now->lost = lab_now->doubled = 0;
    ok = ok && !lab_now->violations;
    if (!ok)
        kills_note(r, rested);
    return ok;
}

static void kills_one(kills_run *r)
{
    unsigned i = (unsigned)acre_test_below(&r->seed, LAB_WORKERS);
    unsigned every = r->c->every ? r->c->every : 1;
    acre_test_limit(60);
    kills_wait_a_moment(r);
    kill(r->child[i], SIGKILL);
    r->ground->pause = 1; /* the others need not run while it dies */
    kills_bury(r->child[i]);
    r->child[i] = 0;
    r->n.injected++;
    if (r->n.injected % every == 0 && !kills_rest_and_audit(r, i))
        return;
    r->n.recovered++;
    kills_replace(r, i);
    kills_go_on(r);
}

static size_t kills_rounds(const lab_contest *c)
{
    const char *text = getenv("ACRE_KILLS");
    size_t total = text ? strtoull(text, NULL, 10) : acre_test_rounds(KILLS_DEFAULT);
    return c->kills ? acre_test_rounds(c->kills) : total / KILLS_PRIMITIVES + 1;
}

lab_count lab_contend(const lab_contest *c)
{
    kills_run r = {.c = c, .shared = lab_open(), .seed = acre_test_seed()};
    r.ground =
        mmap(NULL, sizeof *r.ground, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ACRE_CHECK(r.ground != MAP_FAILED);
    kills_here = r.ground;
    prctl(PR_SET_TIMERSLACK, 1);
    for (unsigned i = 0; i < LAB_WORKERS; i++)
        r.ground->worker[i].id = i;
    kills_start(&r);
    for (size_t i = 0, n = kills_rounds(c); i < n; i++)
        kills_one(&r);
    kills_end(&r);
    return r.n;
}

void lab_contest_test(const lab_contest *c)
{
    lab_count n = lab_contend(c);
    lab_report_kills(c, &n);
    ACRE_CHECK(n.hangs + n.violations == 0, "%zu hangs, %zu violations: %s", n.hangs, n.violations,
               n.text);
    ACRE_CHECK(n.lost == 0 && n.doubled == 0, "%zu lost, %zu doubled", n.lost, n.doubled);
}

/* ---- data that only one may touch ---- */

void lab_stamp_write(lab_stamp *s, const lab_worker *w, bool healed)
{
    uint64_t me = (uint64_t)w->life << 8 | (w->id + 1);
    LAB_EXPECT(healed || (!s->owner && s->a == s->b), "owner %llx, %llu, %llu",
               (unsigned long long)s->owner, (unsigned long long)s->a, (unsigned long long)s->b);
    s->owner = me;
    s->a = s->b + 1;
    for (int i = 0; i < 20; i++)
        __asm__ volatile("" ::: "memory");
    s->b = s->a;
    LAB_EXPECT(s->owner == me, "%llx came in", (unsigned long long)s->owner);
    s->owner = 0;
}

void lab_stamp_read(const lab_stamp *s)
{
    uint64_t a = s->a;
    LAB_EXPECT(!s->owner && a == s->b, "a writer is in");
    for (int i = 0; i < 20; i++)
        __asm__ volatile("" ::: "memory");
    LAB_EXPECT(!s->owner && a == s->a, "a writer came in");
}
