/* SPDX-License-Identifier: MIT */
/* procs_run.c: processes and threads that start together, work for a while, stop, free everything.
 *
 *     parent   heap, board ─ fork … ─ all ready? ─ go ────── sleep ────── stop ─ wait ─ add up, check
 *     child            join heap ─ threads ─ ready ─ (go) work work work (stop) free all ─ tally
 *
 * The board is shared memory that no heap is in.  A child that dies ends the run: the others see `stop`. */
#include "bench/procs_internal.h"

#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { RUN_HEAP_FAILED = 3, RUN_PATIENCE_MS = 20000 };

typedef struct procs_run {
    const acre_contender *contender;
    const acre_procs_plan *plan;
    procs_heap heap;
    procs_board *board;
    pid_t child[ACRE_PROCS_MOST];
    uint32_t children;
    /* At most, as seen while they work: bytes live; anonymous memory (mallocs), and that before. */
    uint64_t live, grown, empty;
} procs_run;

static uint32_t run_workers(const acre_procs_plan *p)
{
    return p->processes * p->threads;
}

/* ---- in a child ---- */

typedef struct run_seat {
    const procs_run *run;
    uint32_t me;
} run_seat;

static void run_wait_for_go(procs_board *b)
{
    atomic_fetch_add(&b->ready, 1);
    while (!atomic_load_explicit(&b->go, memory_order_acquire))
        sched_yield();
}

/* The pattern's own memory.  A worker that has none does not get ready, and the run ends. */
static bool run_prepare(procs_worker *w, size_t room)
{
    const acre_procs_pattern *p = w->plan->pattern;
    w->own = room ? acre_lab_map(room) : NULL;
    if (room && !w->own)
        return false;
    acre_lab_populate(w->own, room);
    if (p->prepare)
        p->prepare(w);
    return true;
}

static void run_work(procs_worker *w)
{
    uint64_t start = acre_lab_now_ns();
    w->plan->pattern->work(w);
    w->board->tally[w->me] = (procs_tally){.ops = w->ops,
                                           .failed = w->failed,
                                           .peak_live = w->peak_live,
                                           .ns = acre_lab_now_ns() - start,
                                           .done = true};
}

/* Who has done its work stays until it may leave: a child that has gone is one that died. */
static void run_wait_for_leave(procs_board *b)
{
    atomic_fetch_add(&b->over, 1);
    while (!atomic_load(&b->leave))
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
}

/* NULL: all went well. */
static void *run_worker(void *arg)
{
    const run_seat *seat = arg;
    const procs_run *r = seat->run;
    procs_worker w = {.heap = &r->heap,
                      .board = r->board,
                      .plan = r->plan,
                      .contender = r->contender,
                      .me = seat->me,
                      .n = run_workers(r->plan),
                      .random = r->plan->seed + seat->me * 0x9e3779b97f4a7c15u};
    size_t room = r->plan->pattern->room ? r->plan->pattern->room(&w) : 0;
    if (!run_prepare(&w, room))
        return arg;
    run_wait_for_go(r->board);
    run_work(&w);
    run_wait_for_leave(r->board);
    acre_lab_unmap(w.own, room);
    return NULL;
}

static int run_threads(const procs_run *r, uint32_t process)
{
    uint32_t n = r->plan->threads;
    run_seat seat[ACRE_PROCS_MOST];
    pthread_t thread[ACRE_PROCS_MOST];
    for (uint32_t i = 0; i < n; i++)
        seat[i] = (run_seat){r, process * n + i};
    for (uint32_t i = 1; i < n; i++)
        if (pthread_create(&thread[i], NULL, run_worker, &seat[i]) != 0)
            return RUN_HEAP_FAILED;
    bool bad = run_worker(&seat[0]) != NULL;
    for (uint32_t i = 1; i < n; i++) {
        void *lost = NULL;
        pthread_join(thread[i], &lost);
        bad |= lost != NULL;
    }
    return bad ? RUN_HEAP_FAILED : 0;
}

static _Noreturn void run_child(procs_run *r, uint32_t process, pid_t parent)
{
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent || procs_heap_join(&r->heap, process) != 0)
        _exit(RUN_HEAP_FAILED);
    int e = run_threads(r, process);
    if (r->heap.house)
        procs_heap_leave(&r->heap);
    _exit(e);
}

/* ---- in the parent ---- */

static int run_start(procs_run *r)
{
    pid_t parent = getpid();
    for (uint32_t i = 0; i < r->plan->processes; i++) {
        pid_t child = fork();
        if (child < 0)
            return errno;
        if (child == 0)
            run_child(r, i, parent);
        r->child[r->children++] = child;
    }
    return 0;
}

/* A child has ended already: something is wrong. */
static bool run_lost_one(const procs_run *r)
{
    siginfo_t info = {0};
    (void)r;
    return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != 0;
}

static int run_gather(const procs_run *r)
{
    for (int ms = 0; atomic_load(&r->board->ready) < run_workers(r->plan); ms++) {
        if (run_lost_one(r) || ms > RUN_PATIENCE_MS)
            return ECHILD;
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    return 0;
}

/* A malloc has no high water: its children's memory is looked at.  That costs them time, so it is seldom. */
static uint64_t run_grown(const procs_run *r)
{
    uint64_t sum = 0;
    for (uint32_t i = 0; !r->heap.common && i < r->children; i++)
        sum += acre_lab_anonymous(r->child[i]);
    return sum;
}

static uint64_t run_live(const procs_run *r)
{
    int64_t sum = 0;
    for (uint32_t i = 0; i < run_workers(r->plan); i++)
        sum += atomic_load_explicit(&r->board->live[i].most, memory_order_relaxed);
    return sum > 0 ? (uint64_t)sum : 0;
}

static void run_look_at_live(procs_run *r)
{
    uint64_t live = run_live(r);
    r->live = live > r->live ? live : r->live;
}

static void run_look_at_memory(procs_run *r)
{
    uint64_t grown = run_grown(r);
    r->grown = grown > r->grown ? grown : r->grown;
}

static int run_wait_until(procs_run *r, uint64_t end)
{
    for (uint64_t now; (now = acre_lab_now_ns()) < end;) {
        uint64_t nap = end - now < 10000000 ? end - now : 10000000;
        nanosleep(&(struct timespec){.tv_nsec = (long)nap}, NULL);
        run_look_at_live(r);
        if (run_lost_one(r))
            return ECHILD;
        if (atomic_load(&r->board->over) == run_workers(r->plan))
            return 0;
    }
    return 0;
}

static int run_let_work(procs_run *r)
{
    enum { LOOKS = 4 };
    int e = 0;
    r->empty = run_grown(r);
    uint64_t start = acre_lab_now_ns();
    atomic_store_explicit(&r->board->go, 1, memory_order_release);
    for (uint64_t i = 1; i <= LOOKS && !e; i++) {
        e = run_wait_until(r, start + r->plan->duration_ns * i / LOOKS);
        run_look_at_memory(r);
    }
    return e;
}

/* Each ended well.  One that died may have left others waiting for what it held: they have some time. */
static int run_end(procs_run *r, int error)
{
    atomic_store(&r->board->go, 1);
    atomic_store(&r->board->stop, 1);
    atomic_store(&r->board->leave, 1);
    uint64_t end = acre_lab_now_ns() + (uint64_t)RUN_PATIENCE_MS * 1000000;
    for (uint32_t left = r->children; left;) {
        int status;
        pid_t child = waitpid(-1, &status, WNOHANG);
        if (child > 0) {
            left--;
            error = error || status == 0 ? error : ECHILD;
        } else if (acre_lab_now_ns() > end || error)
            for (uint32_t i = 0; i < r->children; i++)
                kill(r->child[i], SIGKILL), error = ECHILD;
        else
            nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    return error;
}

/* R. Jain et al.: A Quantitative Measure of Fairness (DEC-TR-301, 1984). */
double procs_fairness(const double *x, uint32_t n, double *least_share)
{
    double sum = 0, squares = 0, least = 1e300;
    for (uint32_t i = 0; i < n; i++) {
        sum += x[i];
        squares += x[i] * x[i];
        least = x[i] < least ? x[i] : least;
    }
    *least_share = sum > 0 ? least * n / sum : 0;
    return squares > 0 ? sum * sum / (n * squares) : 0;
}

static uint32_t run_cpus(void)
{
    cpu_set_t set;
    return sched_getaffinity(0, sizeof set, &set) == 0 ? (uint32_t)CPU_COUNT(&set) : 0;
}

static void run_used(const procs_run *r, acre_procs_result *out)
{
    out->resident = !r->heap.common;
    if (r->heap.common)
        out->peak_used = procs_heap_used(&r->heap);
    else if (r->grown > r->empty)
        out->peak_used = r->grown - r->empty;
}

static void run_add_up(const procs_run *r, acre_procs_result *out)
{
    uint32_t n = run_workers(r->plan);
    double did[ACRE_PROCS_MOST];
    for (uint32_t i = 0; i < n; i++) {
        const procs_tally *t = &r->board->tally[i];
        out->ops += t->ops;
        out->failed += t->failed;
        out->peak_live += (uint64_t)t->peak_live;
        out->worker_ops[i] = t->ops;
        did[i] = (double)t->ops;
        out->ops_per_s += t->ns ? (double)t->ops * 1e9 / (double)t->ns : 0;
    }
    out->fairness = procs_fairness(did, n, &out->least_share);
    if (r->plan->pattern->flags & PROCS_HANDS_ON)
        out->peak_live = r->live; /* no worker knows its own */
    out->cpus = run_cpus();
    run_used(r, out);
    out->checked = procs_heap_tells(&r->heap);
    out->sound = out->checked && procs_heap_sound(&r->heap);
}

static int run_all(procs_run *r, acre_procs_result *out)
{
    int e = run_start(r);
    if (!e)
        e = run_gather(r);
    if (!e)
        e = run_let_work(r);
    e = run_end(r, e);
    if (!e)
        run_add_up(r, out);
    return e;
}

static int run_sensible(const acre_contender *c, const acre_procs_plan *p)
{
    uint64_t n = (uint64_t)p->processes * p->threads;
    if (!acre_procs_pattern_suits(p->pattern, n))
        return EINVAL;
    if (c->family == ACRE_FAMILY_REFERENCE && !(p->pattern->flags & PROCS_HARNESS))
        return ENOSPC;
    bool apart = c->family == ACRE_FAMILY_MALLOC && p->processes > 1;
    return apart && p->pattern->flags & PROCS_HANDS_ON && n > 1 ? ENOTSUP : 0;
}

int acre_procs_run(const acre_contender *c, const acre_procs_plan *plan, acre_procs_result *out)
{
    procs_run r = {.contender = c, .plan = plan};
    memset(out, 0, sizeof *out);
    int e = run_sensible(c, plan);
    if (e)
        return e;
    r.board =
        mmap(NULL, sizeof *r.board, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (r.board == MAP_FAILED)
        return ENOMEM;
    e = procs_heap_make(&r.heap, c, plan->segment);
    if (!e) {
        e = run_all(&r, out);
        procs_heap_leave(&r.heap);
    }
    munmap(r.board, sizeof *r.board);
    return e;
}
