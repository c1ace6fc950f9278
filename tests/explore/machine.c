/* SPDX-License-Identifier: MIT */
/* machine.c: one schedule: coroutines, the points where they change, and the kernel they see. */
#include "tests/explore/machine.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>
#include <ucontext.h>

enum {
    MACHINE_STACK = 1 << 16,
    MACHINE_LAST = EXPLORE_THREADS, /* the thread that sets up and finishes */
    MACHINE_ALL = EXPLORE_THREADS + 1,
    MACHINE_TID = 100,
    MACHINE_NAPS = 40,
    MACHINE_ENTRIES = 100,
    MACHINE_WORDS = 4,
    MACHINE_DIE = 99
};

typedef enum machine_state { MACHINE_READY, MACHINE_ASLEEP, MACHINE_ENDED } machine_state;

typedef struct machine_thread {
    acre__self self;
    struct robust_list_head head;
    machine_state state;
    bool started, dying, spared, late;   /* late: its deadline has passed */
    const uint32_t *word[MACHINE_WORDS]; /* asleep on */
    size_t words;
    unsigned since;
    bool timed;
    void (*body)(void);
    jmp_buf where;
    ucontext_t context;
} machine_thread;

static machine_thread machine_threads[MACHINE_ALL];
static unsigned char machine_stacks[MACHINE_ALL][MACHINE_STACK];
static jmp_buf machine_home;
static const explore_scenario *machine_scenario;
static explore_result *machine_result;
static unsigned machine_current, machine_preemptions, machine_deaths, machine_naps;
static unsigned machine_victims; /* a bit each */
static bool machine_going, machine_trace;

_Alignas(64) unsigned char explore_memory[EXPLORE_MEMORY];
const struct timespec explore_past = {0, 0}, explore_soon = {1, 0};

/* ---- what scenarios ask ---- */

unsigned explore_me(void)
{
    return machine_current;
}

bool explore_has_died(void)
{
    return machine_result->died;
}

bool explore_dead(unsigned thread)
{
    return machine_victims >> thread & 1;
}

void explore_spare(bool spare)
{
    machine_threads[machine_current].spared = spare;
}

void explore_fail(const char *what, const char *file, int line)
{
    machine_result->error = what;
    machine_result->file = file;
    machine_result->line = line;
    _longjmp(machine_home, 1);
}

static __attribute__((noreturn)) void machine_fail(const char *what)
{
    explore_fail(what, "", 0);
}

static void machine_say(const char *what)
{
    if (machine_trace)
        printf("      %u  %s\n", machine_current, what);
}

/* ---- which thread runs ---- */

static void machine_resume(machine_thread *t)
{
    if (t->started)
        _longjmp(t->where, 1);
    t->started = true;
    setcontext(&t->context);
}

static void machine_switch(unsigned to)
{
    machine_thread *from = &machine_threads[machine_current];
    if (to == machine_current)
        return;
    machine_current = to;
    if (_setjmp(from->where) == 0)
        machine_resume(&machine_threads[to]);
}

/* The others that can run.  A sleeper with a deadline can: it passes. */
static unsigned machine_others(unsigned *list, bool timed)
{
    unsigned n = 0;
    for (unsigned i = 0; i < MACHINE_LAST; i++) {
        const machine_thread *t = &machine_threads[i];
        if (i != machine_current &&
            (t->state == MACHINE_READY || (timed && t->state == MACHINE_ASLEEP && t->timed)))
            list[n++] = i;
    }
    return n;
}

static void machine_awake(machine_thread *t, bool late)
{
    t->state = MACHINE_READY;
    t->late |= late;
}

/* Everybody sleeps: time passes.  Deadlines come first. */
static bool machine_time_passes(void)
{
    bool timed = false, any = false;
    for (unsigned i = 0; i < MACHINE_ALL; i++)
        timed |= machine_threads[i].state == MACHINE_ASLEEP && machine_threads[i].timed;
    for (unsigned i = 0; i < MACHINE_ALL; i++) {
        machine_thread *t = &machine_threads[i];
        if (t->state != MACHINE_ASLEEP)
            continue;
        any = true;
        if (!timed || t->timed)
            machine_awake(t, t->timed);
    }
    if (any && !timed) {
        machine_say("---- a nap ends");
        machine_result->napped = true;
        if (!machine_result->died || machine_scenario->flags & EXPLORE_STRICT)
            machine_fail("lost wake-up: all sleep");
        if (++machine_naps > MACHINE_NAPS)
            machine_fail("deadlock: all sleep again after each nap");
    }
    return any;
}

/* All have ended: the last thread looks at what is left, without choices. */
static void machine_finish(void)
{
    if (machine_threads[MACHINE_LAST].state == MACHINE_ENDED)
        _longjmp(machine_home, 1);
    machine_going = false;
    machine_switch(MACHINE_LAST);
}

static bool machine_ready(void)
{
    return machine_threads[machine_current].state == MACHINE_READY;
}

/* This thread cannot go on: another one must, or time must pass. */
static void machine_leave(void)
{
    unsigned list[MACHINE_ALL], n = machine_others(list, false);
    if (n == 0 && !machine_ready() && machine_time_passes()) {
        n = machine_others(list, false);
        if (machine_ready())
            list[n++] = machine_current;
    }
    if (n)
        machine_switch(list[n > 1 ? explore_choose(n, true) : 0]);
    else if (!machine_ready())
        machine_finish();
}

static void machine_end(void)
{
    machine_threads[machine_current].state = MACHINE_ENDED;
    machine_leave();
}

static void machine_body(void)
{
    if (machine_threads[machine_current].body)
        machine_threads[machine_current].body();
    machine_end();
}

/* ---- death: what kernel/futex does for a thread that ends ---- */

static void machine_wake_one(const uint32_t *word);

static void machine_death_of(uint64_t entry, bool pending)
{
    uint32_t *word = (uint32_t *)(uintptr_t)(entry - ACRE__ENTRY);
    acre__explore_point(word, true, "kernel: looks at the word of a dead one");
    uint32_t seen = *word;
    bool mine = (seen & FUTEX_TID_MASK) == machine_threads[machine_current].self.tid;
    if (mine)
        *word = (seen & FUTEX_WAITERS) | FUTEX_OWNER_DIED;
    if ((pending && seen == 0) || (mine && seen & FUTEX_WAITERS)) {
        acre__explore_point(word, true, "kernel: wakes one");
        machine_wake_one(word);
    }
}

static void machine_walk(void)
{
    struct robust_list_head *head = &machine_threads[machine_current].head;
    uint64_t pending = (uint64_t)(uintptr_t)head->list_op_pending, end = (uintptr_t)&head->list;
    uint64_t at = (uint64_t)(uintptr_t)head->list.next, next;
    for (int n = 0; at != end; at = next, n++) {
        if (n == MACHINE_ENTRIES)
            machine_fail("the robust list does not end");
        next = *(const uint64_t *)(uintptr_t)at;
        if (at != pending)
            machine_death_of(at, false);
    }
    if (pending)
        machine_death_of(pending, true);
}

static __attribute__((noreturn)) void machine_die(void)
{
    machine_thread *t = &machine_threads[machine_current];
    machine_say("---- dies");
    machine_deaths++;
    machine_result->died = true;
    machine_victims |= 1u << machine_current;
    t->dying = true;
    if (t->self.tid)
        machine_walk();
    machine_end();
    __builtin_unreachable();
}

/* ---- points ---- */

/* A place for others to run.  The links of the robust list are private, but copied from cells by
 * reads that are no points. */
static bool machine_shared(const volatile void *p)
{
    return (uintptr_t)p - (uintptr_t)explore_memory < sizeof explore_memory ||
           p == &machine_threads[machine_current].self.anchor.next;
}

static void machine_preempt(unsigned to)
{
    machine_thread *t = &machine_threads[to];
    machine_preemptions++;
    if (t->state == MACHINE_ASLEEP)
        machine_awake(t, true);
    machine_switch(to);
}

static void machine_choose(bool preemptible, bool mortal)
{
    unsigned list[MACHINE_ALL + 1], n = 0;
    if (preemptible && machine_preemptions < machine_scenario->preemptions)
        n = machine_others(list, true);
    if (mortal && machine_deaths < machine_scenario->deaths &&
        !machine_threads[machine_current].dying && !machine_threads[machine_current].spared)
        list[n++] = MACHINE_DIE;
    unsigned c = n ? explore_choose(n + 1, false) : 0;
    if (c && list[c - 1] == MACHINE_DIE)
        machine_die();
    if (c)
        machine_preempt(list[c - 1]);
}

/* Dying in front of a read is dying in front of the next write. */
void acre__explore_point(const volatile void *address, bool writes, const char *where)
{
    if (++machine_result->steps > EXPLORE_STEPS)
        machine_fail("livelock: no end");
    if (machine_going)
        machine_choose(machine_shared(address), writes);
    if (machine_trace && (machine_going || machine_current == MACHINE_LAST))
        printf("      %u  %s\n", machine_current, where);
}

/* A waiting loop: the others come first. */
void acre__explore_pause(void)
{
    acre__explore_point(NULL, false, "pause");
    if (machine_going)
        machine_leave();
}

/* ---- futexes and time ---- */

static void machine_sleep(const acre__sleep *list, size_t n, const struct timespec *deadline)
{
    machine_thread *t = &machine_threads[machine_current];
    bool same = true;
    acre__explore_point(list[0].word, true, "park");
    for (size_t i = 0; i < n; i++)
        same &= *list[i].word == list[i].expected;
    if (!same || (deadline && (t->late || deadline->tv_sec == 0)))
        return;
    for (t->words = 0; t->words < n; t->words++)
        t->word[t->words] = list[t->words].word;
    t->state = MACHINE_ASLEEP;
    t->since = machine_result->steps;
    t->timed = deadline && deadline->tv_sec == explore_soon.tv_sec;
    machine_leave();
    acre__explore_point(list[0].word, true, "returns from park");
}

void acre__park(const uint32_t *word, uint32_t seen, const struct timespec *deadline)
{
    acre__park_any(&(acre__sleep){word, seen}, 1, deadline);
}

void acre__park_both(const uint64_t *pair, uint64_t seen, const struct timespec *deadline)
{
    const uint32_t *half = (const uint32_t *)pair;
    acre__sleep both[2] = {{half, (uint32_t)seen}, {half + 1, (uint32_t)(seen >> 32)}};
    acre__park_any(both, 2, deadline);
}

void acre__park_any(const acre__sleep *list, size_t n, const struct timespec *deadline)
{
    if (n > MACHINE_WORDS)
        machine_fail("asleep on too many words");
    machine_sleep(list, n, deadline);
}

void acre__doze(uint32_t *round, const struct timespec *deadline)
{
    (void)deadline;
    ++*round;
    acre__explore_pause();
}

static bool machine_asleep_on(const machine_thread *t, const uint32_t *word)
{
    for (size_t i = 0; t->state == MACHINE_ASLEEP && i < t->words; i++)
        if (t->word[i] == word)
            return true;
    return false;
}

static machine_thread *machine_first_asleep(const uint32_t *word)
{
    machine_thread *first = NULL;
    for (unsigned i = 0; i < MACHINE_ALL; i++) {
        machine_thread *t = &machine_threads[i];
        if (machine_asleep_on(t, word) && (!first || t->since < first->since))
            first = t;
    }
    return first;
}

static void machine_wake_one(const uint32_t *word)
{
    machine_thread *t = machine_first_asleep(word);
    if (t)
        machine_awake(t, false);
}

uint32_t acre__wake(const uint32_t *word, uint32_t n)
{
    uint32_t woken = 0;
    acre__explore_point(word, true, "wake");
    for (; woken < n && machine_first_asleep(word); woken++)
        machine_wake_one(word);
    return woken;
}

bool acre__expired(const struct timespec *deadline)
{
    machine_thread *t = &machine_threads[machine_current];
    if (!deadline || deadline->tv_sec != explore_soon.tv_sec)
        return deadline && deadline->tv_sec == 0;
    if (!t->late && machine_going && machine_preemptions < machine_scenario->preemptions &&
        explore_choose(2, false)) {
        machine_preemptions++;
        t->late = true;
        machine_say("---- its deadline passes");
    }
    return t->late;
}

/* ---- threads ---- */

acre__self *acre__explore_self(void)
{
    return &machine_threads[machine_current].self;
}

acre__self *acre__self_meet(void)
{
    machine_thread *t = &machine_threads[machine_current];
    t->head.list.next = (struct robust_list *)&t->self.anchor.next;
    t->head.futex_offset = -(long)ACRE__ENTRY;
    t->head.list_op_pending = NULL;
    t->self.anchor.next = (uint64_t)(uintptr_t)&t->head.list;
    t->self.tid = MACHINE_TID + machine_current;
    t->self.id = t->self.tid;
    t->self.head = &t->head;
    return &t->self;
}

static void machine_prepare(unsigned i, void (*body)(void))
{
    static struct robust_list_head nobody = {.list_op_pending =
                                                 (struct robust_list *)1}; /* self.c */
    static ucontext_t fresh;
    static bool known;
    machine_thread *t = &machine_threads[i];
    if (!known)
        getcontext(&fresh);
    known = true;
    t->self = (acre__self){.head = &nobody};
    t->state = body ? MACHINE_READY : MACHINE_ENDED;
    t->started = t->dying = t->spared = t->late = t->timed = false;
    t->body = body;
    t->context = fresh;
    t->context.uc_stack.ss_sp = machine_stacks[i];
    t->context.uc_stack.ss_size = MACHINE_STACK;
    makecontext(&t->context, machine_body, 0);
}

static void machine_setup(void)
{
    memset(explore_memory, 0, sizeof explore_memory);
    for (unsigned i = 0; i < EXPLORE_THREADS; i++)
        machine_prepare(i, machine_scenario->body[i]);
    machine_prepare(MACHINE_LAST, machine_scenario->finish);
    machine_threads[MACHINE_LAST].state = MACHINE_READY;
    machine_current = MACHINE_LAST;
    machine_going = false;
    machine_preemptions = machine_deaths = machine_naps = machine_victims = 0;
    if (machine_scenario->setup)
        machine_scenario->setup();
}

/* All that is between the first thread's first step and the end happens in here. */
static void machine_go(void)
{
    unsigned list[MACHINE_ALL], n = machine_others(list, false);
    machine_going = true;
    machine_current = list[explore_choose(n, true)];
    machine_resume(&machine_threads[machine_current]);
}

void explore_run(const explore_scenario *s, bool trace, explore_result *result)
{
    *result = (explore_result){0};
    machine_scenario = s;
    machine_result = result;
    machine_trace = trace;
    if (_setjmp(machine_home) == 0) {
        machine_setup();
        machine_go();
    }
}
