/* SPDX-License-Identifier: MIT */
#include "tests/crash/captive.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { CAPTIVE_FORBIDDEN = 77 };

static volatile uint32_t *captive_over; /* shared with it */

typedef struct captive_work {
    void (*before)(void *), (*work)(void *);
    void *arg;
} captive_work;

/* It stops without a function's return to be stepped through. */
static void captive_main(void *arg)
{
    const captive_work *w = arg;
    if (w->before)
        w->before(w->arg);
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
        _exit(CAPTIVE_FORBIDDEN);
#if defined __x86_64__
    __asm__ volatile("int3" ::: "memory");
#else
    raise(SIGTRAP);
#endif
    w->work(w->arg);
    *captive_over = 1;
    for (;;)
        pause();
}

/* It stands still, by this signal. */
static void captive_stands(const captive *v, int signal)
{
    int status;
    if (waitpid(v->process, &status, WUNTRACED) != v->process)
        crash_give_up("waitpid: %s", strerror(errno));
    if (WIFEXITED(status) && WEXITSTATUS(status) == CAPTIVE_FORBIDDEN)
        crash_give_up("no permission to trace a child");
    if (!WIFSTOPPED(status) || WSTOPSIG(status) != signal)
        crash_give_up("the victim ended by itself after %zu instructions, status %x", v->done,
                      (unsigned)status);
}

captive captive_begin(void (*work)(void *), void *arg)
{
    return captive_begin_behind(NULL, work, arg);
}

captive captive_begin_behind(void (*before)(void *), void (*work)(void *), void *arg)
{
    captive_work w = {before, work, arg};
    if (!captive_over)
        captive_over = mmap(NULL, sizeof *captive_over, PROT_READ | PROT_WRITE,
                            MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (captive_over == MAP_FAILED)
        crash_give_up("mmap: %s", strerror(errno));
    *captive_over = 0;
    captive v = {.process = crash_child(captive_main, &w)};
    captive_stands(&v, SIGTRAP);
    if (ptrace(PTRACE_SETOPTIONS, v.process, NULL, PTRACE_O_EXITKILL) != 0)
        crash_give_up("ptrace: %s", strerror(errno));
    return v;
}

bool captive_step(captive *v)
{
    if (v->over)
        return false;
    if (ptrace(PTRACE_SINGLESTEP, v->process, NULL, NULL) != 0)
        crash_give_up("ptrace: %s", strerror(errno));
    captive_stands(v, SIGTRAP);
    v->done++;
    v->over = *captive_over;
    return !v->over;
}

uint64_t captive_address(const captive *v)
{
#if defined __x86_64__
    return (uint64_t)ptrace(PTRACE_PEEKUSER, v->process, offsetof(struct user_regs_struct, rip),
                            NULL);
#else
    (void)v;
    return 0;
#endif
}

bool captive_calls_system(const captive *v)
{
    long code = ptrace(PTRACE_PEEKTEXT, v->process, captive_address(v), NULL);
    return (code & 0xffff) == 0x050f; /* syscall */
}

void captive_kill(captive *v)
{
    int status;
    if (!v->process)
        return;
    kill(v->process, SIGKILL);
    while (waitpid(v->process, &status, 0) == v->process && WIFSTOPPED(status))
        ;
    v->process = 0;
}

void captive_stop(captive *v)
{
    if (ptrace(PTRACE_DETACH, v->process, NULL, SIGSTOP) != 0)
        crash_give_up("ptrace: %s", strerror(errno));
    captive_stands(v, SIGSTOP);
}

void captive_go_on(captive *v)
{
    kill(v->process, SIGCONT);
    while (!*captive_over)
        nanosleep(&(struct timespec){.tv_nsec = 20000}, NULL);
    v->over = true;
}
