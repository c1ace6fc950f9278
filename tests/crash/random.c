/* SPDX-License-Identifier: MIT */
/* random.c: four processes use one heap, or eight, and one after the other is killed at a random moment.
 *
 *     all at work ▸ one is stopped, sometimes ▸ random time ▸ one is killed ▸ another takes its place
 *                 ▸ the stopped one goes on ▸ …                                a few times
 *                 ▸ all end their turns and stand ▸ look ▸ all go on
 *
 * Four have slots of their own.  Eight («shared») use a larger heap, in which threads have slabs, and free
 * each other's blocks, in rows, so that magazines overflow.
 *
 * That all come to a stand is the proof that nobody hangs: each must end its turn by itself, and for
 * that the dead one's lock and what it left.  Then the heap is at rest, and everything can be counted. */
#include "tests/crash/published.h"
#include "tests/crash/shards.h"

#include <errno.h>
#include <linux/futex.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    RANDOM_WORKERS = 8,   /* at most */
    RANDOM_KILLS = 56000, /* over all algorithms, in each of the laboratory's four variants */
    RANDOM_QUICK = 6000,
    RANDOM_SECONDS = 30, /* for one kill */
    RANDOM_UNSEEN = 8,   /* so many kills at most before all stand */
    RANDOM_WAIT_NS = 100000,
    RANDOM_NAP_NS = 10000,
    RANDOM_LONGEST_NS = 2000000,
    RANDOM_RESTS =
        128, /* turns of one of eight, and then a nap: else the dead wait long for a processor */
    RANDOM_STOPS = 4, /* with one of so many kills somebody is stopped meanwhile */
    RANDOM_SHARED_SIZE = 1 << 20,
    RANDOM_SHARED = 256 /* slots of all; behind them: */
};

/* So many blocks that stand alone that threads get slabs for their size. */
static const struct random_alone {
    size_t size, n;
} random_alone[] = {{24, 260}, {64, 130}, {120, 130}};
enum {
    RANDOM_ALONE = sizeof random_alone / sizeof *random_alone,
    RANDOM_SLOTS = RANDOM_SHARED + 520
};

static const struct random_kind {
    const char *operation, *state;
    enum published_mix mix;
    uint32_t lock;
    unsigned workers;
    bool shared;
} random_kinds[] = {
    {"published", "lock=robust", PUBLISHED_ONLY, ACRE_LOCK_ROBUST, 4, false},
    {"published", "lock=spin", PUBLISHED_ONLY, ACRE_LOCK_SPIN, 4, false},
    {"plain", "lock=robust", PUBLISHED_PLAIN, ACRE_LOCK_ROBUST, 4, false},
    {"plain", "lock=spin", PUBLISHED_PLAIN, ACRE_LOCK_SPIN, 4, false},
    {"shared", "lock=robust", PUBLISHED_ONLY, ACRE_LOCK_ROBUST, 8, true},
    {"shared", "lock=spin", PUBLISHED_ONLY, ACRE_LOCK_SPIN, 8, true},
    {"shared_plain", "lock=robust", PUBLISHED_PLAIN, ACRE_LOCK_ROBUST, 8, true},
    {"shared_plain", "lock=spin", PUBLISHED_PLAIN, ACRE_LOCK_SPIN, 8, true},
};
enum { RANDOM_KINDS = sizeof random_kinds / sizeof *random_kinds };

typedef struct random_worker {
    uint64_t seed;
    volatile uint64_t turns;
    volatile uint32_t stands;
} random_worker;

/* Shared by all of a case. */
typedef struct random_ground {
    volatile uint32_t pause, failed;
    random_worker worker[RANDOM_WORKERS];
} random_ground;

typedef struct random_run {
    const crash_case *c;
    crash_board *b;
    const struct random_kind *kind;
    published p;
    random_ground *ground;
    pid_t process[RANDOM_WORKERS];
    uint64_t seed, unseen, recoveries;
} random_run;

static void random_plan(const crash_part *self)
{
    const acre_algorithm *a;
    for (size_t i = 0; (a = crash_algorithm(i)); i++)
        for (size_t k = 0; k < RANDOM_KINDS; k++)
            crash_plan(self, a, random_kinds[k].operation, random_kinds[k].state, k,
                       RANDOM_SECONDS);
}

/* ---- time ---- */

static uint64_t random_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* A sleeper gets the processor when its time has come; one that looks all the time does not. */
static void random_nap(uint64_t ns)
{
    nanosleep(&(struct timespec){.tv_nsec = (long)ns}, NULL);
}

/* ---- workers ---- */

static void random_stand(random_ground *g, random_worker *w)
{
    w->stands = 1;
    while (g->pause)
        syscall(SYS_futex, &g->pause, FUTEX_WAIT, 1, NULL, NULL, 0);
    w->stands = 0;
}

static void random_fail(random_run *r, enum crash_wrong what, const char *text)
{
    if (__atomic_exchange_n(&r->ground->failed, 1, __ATOMIC_SEQ_CST) == 0)
        crash_wrong(r->c, r->b, what, "%s", text);
}

typedef struct random_place {
    random_run *run;
    unsigned i;
} random_place;

static const char *random_turn(random_run *r, unsigned i)
{
    uint64_t *seed = &r->ground->worker[i].seed;
    size_t n = PUBLISHED_SLOTS / r->kind->workers;
    return r->kind->shared
               ? published_turn_shared(&r->p, seed, r->kind->mix, 0, RANDOM_SHARED, i + 1)
               : published_turn(&r->p, seed, r->kind->mix, i * n, n);
}

/* Its slots may be as somebody left them who has died: whoever enters the heap repairs that. */
static void random_work(void *arg)
{
    const random_place *at = arg;
    random_run *r = at->run;
    random_worker *w = &r->ground->worker[at->i];
    const char *wrong = NULL;
    published_inherit(&r->p, at->i + 1);
    while (!wrong) {
        if (r->ground->pause)
            random_stand(r->ground, w);
        if (r->kind->shared && w->turns % RANDOM_RESTS == RANDOM_RESTS - 1)
            random_nap(crash_below(&w->seed, RANDOM_WAIT_NS));
        wrong = random_turn(r, at->i);
        w->turns++;
    }
    random_fail(r, CRASH_UNSOUND, wrong);
}

static void random_replace(random_run *r, unsigned i)
{
    random_place at = {r, i};
    r->ground->worker[i].stands = 0;
    r->ground->worker[i].seed = crash_random(&r->seed);
    r->process[i] = crash_child(random_work, &at);
}

/* ---- moments ---- */

static uint64_t random_turns(const random_run *r)
{
    uint64_t sum = 0;
    for (unsigned i = 0; i < r->kind->workers; i++)
        sum += r->ground->worker[i].turns;
    return sum;
}

/* A random time, and then until they are at it. */
static void random_wait_a_moment(random_run *r)
{
    uint64_t turns = random_turns(r), end = random_now() + RANDOM_LONGEST_NS;
    do
        random_nap(crash_below(&r->seed, RANDOM_WAIT_NS));
    while (random_turns(r) == turns && random_now() < end);
}

/* ---- the laboratory ---- */

static bool random_all_stand(const random_run *r)
{
    for (unsigned i = 0; i < r->kind->workers; i++)
        if (r->process[i] && !r->ground->worker[i].stands)
            return false;
    return true;
}

/* Or the alarm ends the case: somebody hangs. */
static void random_come_to_rest(random_run *r)
{
    r->ground->pause = 1;
    while (!random_all_stand(r) && !r->ground->failed)
        random_nap(RANDOM_NAP_NS);
}

static void random_go_on(random_run *r)
{
    r->ground->pause = 0;
    syscall(SYS_futex, &r->ground->pause, FUTEX_WAKE, RANDOM_WORKERS, NULL, NULL, 0);
}

static size_t random_unfinished(const random_run *r)
{
    return shards_are(r->p.h) ? shards_unfinished(r->p.h) : 0;
}

/* Counted are those who died inside a call: between the stores of one to a thread's own part, */
static void random_kill(random_run *r, unsigned i)
{
    int status;
    size_t before = random_unfinished(r);
    kill(r->process[i], SIGKILL);
    waitpid(r->process[i], &status, 0);
    r->process[i] = 0;
    r->b->n.images += random_unfinished(r) > before;
}

/* and in the house: somebody had to roll back. */
static void random_count_recoveries(random_run *r)
{
    acre_stats s;
    if (acre_heap_stats(r->p.h, &s) != 0)
        return;
    r->b->n.images += s.recoveries - r->recoveries;
    r->recoveries = s.recoveries;
}

static void random_judge(random_run *r, const published_finding *f)
{
    bool plain = r->kind->mix == PUBLISHED_PLAIN;
    if (r->ground->failed)
        return;
    if (f->wrong)
        random_fail(r, f->what, f->text);
    else if (f->strangers > (plain ? r->unseen * PUBLISHED_HELD : 0))
        random_fail(r, CRASH_LOST, "more blocks are nobody's than were in hand");
    else {
        r->b->n.in_hand += f->strangers;
        r->b->n.recovered += r->unseen;
    }
}

static void random_look(random_run *r)
{
    random_come_to_rest(r);
    if (r->ground->failed)
        return;
    random_count_recoveries(r);
    published_finding f = published_look(&r->p);
    random_judge(r, &f);
    r->unseen = 0;
    random_go_on(r);
}

/* Sometimes while somebody stands still for a moment: it may be the one. */
static void random_kill_somebody(random_run *r, unsigned i)
{
    unsigned still = (unsigned)crash_below(&r->seed, r->kind->workers);
    bool stops = crash_below(&r->seed, RANDOM_STOPS) == 0;
    if (stops)
        kill(r->process[still], SIGSTOP);
    random_wait_a_moment(r);
    random_kill(r, i);
    if (!stops || still == i)
        return;
    random_nap(crash_below(&r->seed, RANDOM_WAIT_NS));
    kill(r->process[still], SIGCONT);
}

/* The one who died is replaced at once, sometimes only after the others have been looked at. */
static void random_one(random_run *r)
{
    unsigned i = (unsigned)crash_below(&r->seed, r->kind->workers);
    alarm(r->c->seconds);
    r->b->at++;
    random_kill_somebody(r, i);
    r->b->n.injected++;
    r->unseen++;
    bool look = r->unseen == RANDOM_UNSEEN || crash_below(&r->seed, RANDOM_UNSEEN) == 0;
    if (look && crash_below(&r->seed, 2)) {
        random_look(r);
        look = false;
    }
    random_replace(r, i);
    if (look)
        random_look(r);
}

static void random_stand_alone(published *p)
{
    size_t slot = RANDOM_SHARED;
    for (size_t k = 0; k < RANDOM_ALONE; k++)
        for (size_t i = 0; i < random_alone[k].n; i++)
            (void)published_put(p, slot++, random_alone[k].size);
    acre_heap_detach(p->h);
}

static int random_create(random_run *r)
{
    acre_heap_options o = {.lock = r->kind->lock};
    published_plan shared = {RANDOM_SHARED_SIZE, RANDOM_SHARED_SIZE, RANDOM_SLOTS, r->c->algorithm,
                             o};
    if (!r->kind->shared)
        return published_create(&r->p, ACRE_MEMFD, NULL, r->c->algorithm, &o);
    int e = published_create_as(&r->p, ACRE_MEMFD, NULL, &shared);
    if (e == 0)
        random_stand_alone(&r->p);
    return e;
}

static void random_start(random_run *r)
{
    int e = random_create(r);
    if (e)
        crash_give_up("%s: %s", r->c->algorithm->name, acre_strerror(e));
    r->ground =
        mmap(NULL, sizeof *r->ground, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (r->ground == MAP_FAILED)
        crash_give_up("mmap: %s", strerror(errno));
    prctl(PR_SET_TIMERSLACK, 1);
    for (unsigned i = 0; i < r->kind->workers; i++)
        random_replace(r, i);
}

/* All are killed now, then all is freed. */
static void random_end(random_run *r)
{
    random_look(r);
    for (unsigned i = 0; i < r->kind->workers; i++)
        random_kill(r, i);
    if (r->ground->failed)
        return;
    r->unseen = r->kind->workers;
    published_finding f = published_look(&r->p);
    r->b->n.injected += r->kind->workers;
    random_judge(r, &f);
    f = published_clear(&r->p);
    if (f.wrong)
        random_fail(r, f.what, f.text);
    published_close(&r->p);
}

static size_t random_share(void)
{
    size_t algorithms = 0;
    while (crash_algorithm(algorithms))
        algorithms++;
    return (crash_chosen.quick ? RANDOM_QUICK : RANDOM_KILLS) / (algorithms * RANDOM_KINDS) + 1;
}

static void random_run_case(const crash_case *c, crash_board *b)
{
    random_run r = {.c = c, .b = b, .kind = &random_kinds[c->index], .seed = crash_seed(c)};
    random_start(&r);
    for (size_t n = random_share(); n && !r.ground->failed; n--)
        random_one(&r);
    random_end(&r);
}

const crash_part crash_part_random = {
    .name = "random",
    .summary = "one after the other of four or eight at work is killed at a random moment",
    .plan = random_plan,
    .run = random_run_case,
};
