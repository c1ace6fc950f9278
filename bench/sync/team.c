/* SPDX-License-Identifier: MIT */
/* team.c: the processes of one benchmark: forked, pinned, started together, waited for.
 *
 * Whoever waits here gives its time slice up, so that a team on one CPU gets on.  A helper dies
 * with the caller; a team that does not end within a minute ends the program, with its name. */
#include "bench/sync/team.h"

#include "bench/lab.h"

#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

enum { TEAM_SECONDS = 60, TEAM_NAME = 96 };

/* One registered benchmark.  Lives as long as the program. */
typedef struct team {
    team_case test;
    char name[TEAM_NAME];
    team_arena *arena;
    bool attached;
    pid_t helper[TEAM_MOST];
    unsigned helpers;
} team;

static const char *team_running; /* whose name the alarm prints */

/* ---- CPUs ---- */

static cpu_set_t team_allowed;

static int team_cpu(unsigned index)
{
    for (int cpu = 0; cpu < CPU_SETSIZE; cpu++)
        if (CPU_ISSET(cpu, &team_allowed) && index-- == 0)
            return cpu;
    return -1;
}

static void team_pin(unsigned index)
{
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(team_cpu(index), &one);
    sched_setaffinity(0, sizeof one, &one);
}

static unsigned team_place(const team_case *c, unsigned who)
{
    return c->one_cpu ? 0 : who % (unsigned)CPU_COUNT(&team_allowed);
}

/* ---- waiting for each other ---- */

static void team_await(const uint32_t *word, uint32_t value)
{
    while (__atomic_load_n(word, __ATOMIC_ACQUIRE) != value)
        sched_yield();
}

static void team_count(uint32_t *word)
{
    __atomic_add_fetch(word, 1, __ATOMIC_ACQ_REL);
}

static void team_fail(team_arena *a)
{
    __atomic_store_n(&a->failed, 1, __ATOMIC_RELEASE);
}

static void team_stuck(int signal)
{
    static const char text[] = ": no end in sight, given up\n";
    (void)signal;
    if (write(STDERR_FILENO, team_running, strlen(team_running)) < 0 ||
        write(STDERR_FILENO, text, sizeof text - 1) < 0)
        _exit(2);
    _exit(1);
}

/* ---- helpers ---- */

static bool team_attach(const team *t, unsigned who)
{
    return !t->test.attach || t->test.attach(&t->test, t->arena, who);
}

static void team_detach(const team *t, unsigned who)
{
    if (t->test.detach)
        t->test.detach(&t->test, t->arena, who);
}

static void team_play(const team *t, unsigned who)
{
    if (!t->test.role(&t->test, t->arena, who, t->arena->n))
        team_fail(t->arena);
}

static void team_helper(const team *t, unsigned who)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    team_pin(team_place(&t->test, who));
    if (!team_attach(t, who))
        team_fail(t->arena);
    team_count(&t->arena->ready);
    team_await(&t->arena->go, 1);
    team_play(t, who);
    team_count(&t->arena->done);
    team_detach(t, who);
    _exit(0);
}

static bool team_fork(team *t)
{
    fflush(NULL);
    for (unsigned who = 1; who < t->test.processes; who++) {
        pid_t child = fork();
        if (child < 0)
            return false;
        if (child == 0)
            team_helper(t, who);
        t->helper[t->helpers++] = child;
    }
    return true;
}

/* ---- the hooks of a benchmark ---- */

static const char *team_prepare(team *t)
{
    const team_case *c = &t->test;
    if (c->processes > 1 && !c->one_cpu && CPU_COUNT(&team_allowed) < 2)
        return "needs two CPUs";
    t->arena = mmap(NULL, sizeof *t->arena + c->bytes, PROT_READ | PROT_WRITE,
                    MAP_SHARED | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
    if (t->arena == MAP_FAILED)
        return "no memory";
    return c->init(c, t->arena);
}

static void team_drop(team *t)
{
    munmap(t->arena, sizeof *t->arena + t->test.bytes);
    t->arena = NULL;
}

static void team_setup(void *context)
{
    team *t = context;
    t->helpers = 0;
    t->attached = false;
    team_pin(0);
    const char *reason = team_prepare(t);
    if (reason) {
        bench_skip(reason);
        if (t->arena && t->arena != MAP_FAILED)
            team_drop(t);
        t->arena = NULL;
        return;
    }
    if (!team_fork(t) || !(t->attached = team_attach(t, 0)))
        bench_skip("cannot start all of its processes");
    else
        team_await(&t->arena->ready, t->helpers);
}

static void team_end_helpers(team *t, bool played)
{
    for (unsigned i = 0; i < t->helpers; i++) {
        if (!played)
            kill(t->helper[i], SIGKILL);
        waitpid(t->helper[i], NULL, 0);
    }
}

static void team_teardown(void *context)
{
    team *t = context;
    if (t->arena) {
        team_end_helpers(t, t->arena->go);
        if (t->attached)
            team_detach(t, 0);
        if (t->test.destroy)
            t->test.destroy(&t->test, t->arena);
        team_drop(t);
    }
    sched_setaffinity(0, sizeof team_allowed, &team_allowed);
}

static double team_timed(team *t)
{
    uint64_t start = acre_lab_now_ns();
    __atomic_store_n(&t->arena->go, 1, __ATOMIC_RELEASE);
    team_play(t, 0);
    team_await(&t->arena->done, t->helpers);
    return (double)(acre_lab_now_ns() - start) * 1e-9;
}

static void team_judge(const team *t, size_t n, double seconds)
{
    if (t->arena->failed)
        bench_skip("an operation failed, or a message was wrong");
    else if (t->test.right && !t->test.right(&t->test, t->arena))
        bench_skip("exclusion was violated");
    else if (t->helpers)
        bench_items_in(n * t->test.items, seconds);
    else
        bench_items(n * t->test.items);
}

static void team_rounds(void *context, size_t n)
{
    team *t = context;
    team_running = t->name;
    t->arena->n = n;
    alarm(TEAM_SECONDS);
    double seconds = team_timed(t);
    alarm(0);
    team_judge(t, n, seconds);
}

/* ---- registering ---- */

static void team_once(void)
{
    static bool done;
    if (done)
        return;
    done = true;
    sched_getaffinity(0, sizeof team_allowed, &team_allowed);
    signal(SIGALRM, team_stuck);
}

void team_add(const team_case *c)
{
    team *t = calloc(1, sizeof *t);
    if (!t)
        return;
    team_once();
    t->test = *c;
    snprintf(t->name, sizeof t->name, "%s/%s/%s", c->primitive, c->kase, c->implementation);
    bench_setup(bench_add(t->name, team_rounds, t), team_setup, team_teardown);
}
