/* SPDX-License-Identifier: MIT */
/* victim.c: single steps.
 *
 *   victim    … mark ▏i ▏i ▏i ▏ … ▏over = 1
 *   laboratory       step, compare, step, compare, …        then SIGKILL
 *
 * A system call is one step. */
#include "tests/crash/victim.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

enum { VICTIM_LONGEST = 1000000, VICTIM_FORBIDDEN = 77 };

static volatile uint32_t *victim_over; /* shared with it */

static void victim_main(void *arg)
{
    const victim_script *s = arg;
    if (s->before)
        s->before(s->arg);
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
        _exit(VICTIM_FORBIDDEN);
#if defined __x86_64__
    __asm__ volatile("int3" ::: "memory"); /* no function's return to be stepped through */
#else
    raise(SIGTRAP);
#endif
    s->run(s->arg);
    *victim_over = 1;
    for (;;)
        pause();
}

/* It stands still. */
static bool victim_wait(pid_t victim)
{
    int status;
    if (waitpid(victim, &status, 0) != victim)
        crash_give_up("waitpid: %s", strerror(errno));
    if (WIFEXITED(status) && WEXITSTATUS(status) == VICTIM_FORBIDDEN)
        crash_give_up("no permission to trace a child");
    return WIFSTOPPED(status) && WSTOPSIG(status) == SIGTRAP;
}

static bool victim_one_step(pid_t victim)
{
    if (ptrace(PTRACE_SINGLESTEP, victim, NULL, NULL) != 0)
        crash_give_up("ptrace: %s", strerror(errno));
    return victim_wait(victim);
}

static uint64_t victim_address(pid_t victim)
{
#if defined __x86_64__
    return (uint64_t)ptrace(PTRACE_PEEKUSER, victim, offsetof(struct user_regs_struct, rip), NULL);
#else
    (void)victim;
    return 0;
#endif
}

static bool victim_steps(pid_t victim, const victim_script *s, char *last)
{
    for (long n = 0; n < VICTIM_LONGEST; n++) {
        if (!victim_one_step(victim))
            return false;
        bool changed = memcmp(last, s->memory, s->size) != 0;
        if (changed)
            memcpy(last, s->memory, s->size);
        if (!s->seen(s->seen_arg, changed, changed ? victim_address(victim) : 0) || *victim_over)
            return true;
    }
    return false;
}

static void victim_bury(pid_t victim)
{
    int status;
    kill(victim, SIGKILL);
    while (waitpid(victim, &status, 0) == victim && WIFSTOPPED(status))
        ;
}

static void victim_prepare(void)
{
    if (!victim_over)
        victim_over = mmap(NULL, sizeof *victim_over, PROT_READ | PROT_WRITE,
                           MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (victim_over == MAP_FAILED)
        crash_give_up("mmap: %s", strerror(errno));
    *victim_over = 0;
}

bool victim_step_through(const victim_script *s)
{
    char *last = malloc(s->size);
    victim_prepare();
    memcpy(last, s->memory, s->size);
    pid_t victim = crash_child(victim_main, (void *)(uintptr_t)s);
    bool ended = victim_wait(victim);
    if (ended && ptrace(PTRACE_SETOPTIONS, victim, NULL, PTRACE_O_EXITKILL) != 0)
        crash_give_up("ptrace: %s", strerror(errno));
    ended = ended && victim_steps(victim, s, last);
    victim_bury(victim);
    free(last);
    return ended;
}
