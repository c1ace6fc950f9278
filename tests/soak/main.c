/* SPDX-License-Identifier: MIT */
/* soak: one heap that lives long while its users come and go: threads and processes that end in order, end
 * without a word, or are killed, by the thousand.  Is it sound at the end, does it stay as large as it was? */
#include "tests/soak/soak.h"

#include <argp.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <math.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum {
    SOAK_CENSUSES = 200, /* of a run, about */
    SOAK_HANG = 120,     /* seconds without any operation */
    SOAK_SPARE = 2,      /* parts above one a thread */
    SOAK_ROOM = 3        /* the segment's size, in all lanes' budgets */
};

soak_options soak_chosen = {.spec = "sharded", .ops = 1000000000, .workers = 4, .seed = 1};
soak_board *soak_shared;
acre_segment *soak_segment;

typedef struct soak_worker {
    pid_t process;   /* 0: none */
    uint64_t begun;  /* ops of its seat then */
    uint64_t doomed; /* it is killed when it has done so many; 0: it is not */
} soak_worker;

static soak_worker soak_workers[SOAK_SEATS];
static soak_result soak_found;

/* ---- what all use ---- */

uint64_t soak_random(uint64_t *state)
{
    uint64_t x = *state += 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

uint64_t soak_below(uint64_t *state, uint64_t n)
{
    return (uint64_t)((unsigned __int128)soak_random(state) * n >> 64);
}

double soak_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

void soak_wrong(const char *format, ...)
{
    char text[300];
    va_list args;
    va_start(args, format);
    int n = vsnprintf(text, sizeof text, format, args);
    va_end(args);
    if (__atomic_add_fetch(&soak_shared->wrong, 1, __ATOMIC_SEQ_CST) <= 20 && n > 0)
        dprintf(STDERR_FILENO, "\nsoak: %s\n", text);
}

static __attribute__((noreturn, format(printf, 1, 2))) void soak_give_up(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("soak: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    exit(2);
}

uint64_t soak_live(const soak_lane *l)
{
    uint64_t live = 0;
    for (int i = 0; i < SOAK_BLOCKS; i++)
        live += l->block[i].at ? l->block[i].size : 0;
    return live;
}

static uint64_t soak_seat_ops(unsigned seat)
{
    uint64_t ops = 0;
    for (unsigned k = 0; k < SOAK_LANES; k++)
        ops += __atomic_load_n(&soak_shared->seat[seat].lane[k].ops, __ATOMIC_RELAXED);
    return ops;
}

static uint64_t soak_ops(void)
{
    uint64_t ops = 0;
    for (unsigned i = 0; i < soak_chosen.workers; i++)
        ops += soak_seat_ops(i);
    return ops;
}

/* ---- workers come ---- */

/* Log-uniform: many live shortly. */
static uint64_t soak_life(uint64_t *seed)
{
    double least = 5000, most = fmin(2e6, (double)soak_chosen.ops / 20);
    double share = (double)(soak_random(seed) >> 11) * 0x1p-53;
    return (uint64_t)(least * exp(share * log(fmax(most / least, 1))));
}

static void soak_hire(unsigned seat, uint64_t *seed)
{
    soak_worker *w = &soak_workers[seat];
    uint64_t ops = soak_life(seed), own = soak_random(seed);
    bool killed = soak_below(seed, 3) == 0;
    *w = (soak_worker){.begun = soak_seat_ops(seat),
                       .doomed = killed ? 1 + soak_below(seed, ops) : 0};
    fflush(NULL);
    pid_t parent = getpid();
    w->process = fork();
    if (w->process < 0)
        soak_give_up("fork: %s", strerror(errno));
    soak_found.born += w->process > 0;
    setpgid(w->process, w->process); /* with what it forks */
    if (w->process)
        return;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(2);
    soak_work(seat, ops, own);
}

/* ---- and go ---- */

/* Its children end with it: only then are its lanes nobody's.  What it was doing with a slot is finished by who
 * uses the slot next. */
static void soak_bury(unsigned seat)
{
    soak_worker *w = &soak_workers[seat];
    uint64_t threads = 0;
    kill(-w->process, SIGKILL);
    while (waitpid(-w->process, NULL, 0) > 0 || errno == EINTR)
        ;
    for (unsigned k = 0; k < SOAK_LANES; k++) {
        soak_lane *l = &soak_shared->seat[seat].lane[k];
        threads += l->state != SOAK_AWAY;
        l->state = SOAK_AWAY;
        l->live = soak_live(l);
        for (int i = 0; i < SOAK_SLOTS; i++)
            if (soak_shared->claim[i] == l->id)
                __atomic_store_n(&soak_shared->claim[i], 0, __ATOMIC_SEQ_CST);
    }
    soak_found.killed_threads += threads;
    w->process = 0;
}

static void soak_reap(unsigned seat)
{
    soak_worker *w = &soak_workers[seat];
    int status;
    if (waitpid(w->process, &status, WNOHANG) != w->process)
        return;
    bool killed = WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL;
    if (!killed && status != 0)
        soak_wrong("a worker ended with status %#x", (unsigned)status);
    soak_found.killed += killed;
    soak_found.left += !killed;
    soak_bury(seat);
}

static void soak_tend(unsigned seat, uint64_t *seed)
{
    soak_worker *w = &soak_workers[seat];
    if (w->process)
        soak_reap(seat);
    if (!w->process && !soak_shared->stop)
        soak_hire(seat, seed);
    else if (w->process && w->doomed && soak_seat_ops(seat) - w->begun >= w->doomed)
        kill(w->process, SIGKILL);
}

static bool soak_all_gone(void)
{
    for (unsigned i = 0; i < soak_chosen.workers; i++)
        if (soak_workers[i].process)
            return false;
    return true;
}

/* ---- the census ---- */

void soak_reap_all(void)
{
    for (unsigned i = 0; i < soak_chosen.workers; i++)
        if (soak_workers[i].process)
            soak_reap(i);
}

static void soak_look(void)
{
    if (soak_pause() != 0) {
        soak_wrong("somebody does not come out of a call");
        soak_shared->stop = 1;
    } else
        soak_census(&soak_found);
    if (soak_chosen.spoil == SOAK_OPEN && soak_found.censuses == 3)
        open("/dev/null", O_RDONLY | O_CLOEXEC);
    soak_resume();
}

/* ---- telling ---- */

static void soak_progress(double begun)
{
    static double told;
    double now = soak_now(), share = (double)soak_ops() / (double)soak_chosen.ops;
    bool terminal = isatty(STDERR_FILENO);
    if (now - told < (terminal ? 0.5 : 10) || share <= 0)
        return;
    told = now;
    fprintf(stderr,
            "%s%5.1f %%, %" PRIu64 " M operations, %" PRIu64 " workers, %" PRIu64
            " killed, about %.0f s left%s",
            terminal ? "\r\033[K" : "", 100 * share, soak_ops() / 1000000, soak_found.born,
            soak_found.killed, (now - begun) * (1 / share - 1), terminal ? "" : "\n");
}

static void soak_summary(void)
{
    const soak_result *r = &soak_found;
    double ops = (double)r->ops;
    printf("%s: %.0f M operations in %.0f s (%.1f M/s); %" PRIu64 " workers, %" PRIu64
           " killed with %" PRIu64 " threads; %" PRIu64 " threads, %" PRIu64 " cancelled, %" PRIu64
           " forks; %" PRIu64 " blocks in hand; %d parts; high water %+.2f %%, used %+.2f %%, "
           "nobody's %+.2f %%; %" PRIu64 " wrong\n",
           soak_chosen.spec, ops / 1e6, r->seconds, ops / r->seconds / 1e6, r->born, r->killed,
           r->killed_threads, soak_shared->threads, soak_shared->cancelled, soak_shared->forked,
           r->in_hand, r->parts, 100 * r->growth[0], 100 * r->growth[1], 100 * r->growth[2],
           r->wrong);
}

/* ---- the run ---- */

static void soak_begin(void)
{
    acre_segment_options o = {.size = (size_t)soak_chosen.workers * SOAK_LANES * SOAK_BUDGET *
                                          SOAK_ROOM +
                                      ((size_t)SOAK_SLOTS * SOAK_MOST)};
    int e = acre_spec_parse(soak_chosen.spec, &o.algorithm, &o.heap);
    if (!e)
        e = acre_segment_create(&soak_segment, ACRE_MEMFD, NULL, &o);
    if (e)
        soak_give_up("%s: %s", soak_chosen.spec, acre_strerror(e));
    acre_heap *h = acre_segment_heap(soak_segment);
    if (acre_alloc_into(h, acre_segment_root(soak_segment), SOAK_SLOTS * sizeof(acre_off)) != 0)
        soak_give_up("no room for the slots");
    memset(acre_segment_address(soak_segment, *acre_segment_root(soak_segment)), 0,
           SOAK_SLOTS * sizeof(acre_off));
    for (unsigned i = 0; i < soak_chosen.workers; i++)
        for (unsigned k = 0; k < SOAK_LANES; k++)
            soak_shared->seat[i].lane[k].id = i * SOAK_LANES + k + 1;
    soak_found.parts_limit = (int)(soak_chosen.workers * SOAK_LANES + 1 + SOAK_SPARE);
}

static void soak_run(void)
{
    uint64_t seed = soak_chosen.seed, next = 0, last = 0;
    double begun = soak_now(), moved = begun;
    while (!soak_shared->stop || !soak_all_gone()) {
        for (unsigned i = 0; i < soak_chosen.workers; i++)
            soak_tend(i, &seed);
        uint64_t ops = soak_ops();
        moved = ops != last ? soak_now() : moved;
        last = ops;
        if (ops >= next && !soak_shared->stop) {
            soak_look();
            next = soak_ops() + soak_chosen.ops / SOAK_CENSUSES;
        }
        if (ops >= soak_chosen.ops && !soak_shared->stop)
            soak_shared->stop = 1;
        if (soak_now() - moved > SOAK_HANG) {
            soak_wrong("nothing has moved for %d s", SOAK_HANG);
            break;
        }
        soak_progress(begun);
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    soak_found.seconds = soak_now() - begun;
}

static int soak_count_live(void *arg, const acre_block *b)
{
    *(uint64_t *)arg += b->used;
    return 0;
}

/* Whoever is left is killed; then all that is named is freed, and nothing is live. */
static void soak_end(void)
{
    acre_heap *h = acre_segment_heap(soak_segment);
    for (unsigned i = 0; i < soak_chosen.workers; i++)
        if (soak_workers[i].process)
            soak_bury(i);
    soak_census(&soak_found);
    acre_off *slot = acre_segment_address(soak_segment, *acre_segment_root(soak_segment));
    for (int i = 0; i < SOAK_SLOTS; i++)
        acre_free_from(h, &slot[i]);
    for (unsigned i = 0; i < soak_chosen.workers * SOAK_LANES; i++) {
        soak_lane *l = &soak_shared->seat[i / SOAK_LANES].lane[i % SOAK_LANES];
        for (int k = 0; k < SOAK_BLOCKS; k++)
            if (l->block[k].at &&
                acre_free(h, acre_segment_address(soak_segment, l->block[k].at)) != 0)
                soak_wrong("a dead worker's block cannot be freed");
    }
    acre_free_from(h, acre_segment_root(soak_segment));
    acre_heap_free_empty(h);
    if (acre_heap_walk(h, soak_count_live, &soak_found.live_at_end) != 0 || soak_found.live_at_end)
        soak_wrong("%" PRIu64 " blocks are live when all is freed", soak_found.live_at_end);
    soak_check(h);
}

/* ---- options ---- */

enum { SOAK_OPTION_SPOIL = 256 };

static uint64_t soak_number(const char *text, struct argp_state *state)
{
    char *end;
    double value = strtod(text, &end);
    if (*end || !(value >= 1) || value > 1e18)
        argp_error(state, "\"%s\" is not a number from 1 to 1e18", text);
    return (uint64_t)value;
}

static enum soak_spoil soak_spoil_named(const char *name, struct argp_state *state)
{
    static const char *const all[] = {"nothing", "leak", "smash", "hoard", "open"};
    for (int i = 0; i < (int)(sizeof all / sizeof *all); i++)
        if (!strcmp(name, all[i]))
            return (enum soak_spoil)i;
    argp_error(state, "\"%s\" is none of leak, smash, hoard, open", name);
    return SOAK_HONEST;
}

static error_t soak_parse(int key, char *arg, struct argp_state *state)
{
    soak_options *o = &soak_chosen;
    switch (key) {
    case 'a':
        o->spec = arg;
        return 0;
    case 'n':
        o->ops = soak_number(arg, state);
        return 0;
    case 'p':
        o->workers = (unsigned)soak_number(arg, state);
        if (o->workers > SOAK_SEATS)
            argp_error(state, "at most %d workers", SOAK_SEATS);
        return 0;
    case 's':
        o->seed = soak_number(arg, state);
        return 0;
    case 'j':
        o->json = arg;
        return 0;
    case SOAK_OPTION_SPOIL:
        o->spoil = soak_spoil_named(arg, state);
        return 0;
    }
    return ARGP_ERR_UNKNOWN;
}

static const struct argp_option soak_argp_options[] = {
    {"algorithm", 'a', "SPEC", 0, "the heap's algorithm and options (sharded)", 0},
    {"ops", 'n', "N", 0, "operations, all together (1e9)", 0},
    {"procs", 'p', "N", 0, "workers alive at once, 1 to 16 (4)", 0},
    {"seed", 's', "N", 0, "of what is random (1)", 0},
    {"json", 'j', "FILE", 0, "the result", 0},
    {"spoil", SOAK_OPTION_SPOIL, "WHAT", 0,
     "make a mistake that must be found: leak (a block is forgotten), smash (a block is written "
     "to), hoard (ever "
     "more is live), open (a descriptor)",
     0},
    {0},
};

int main(int argc, char **argv)
{
    static const struct argp argp = {
        .options = soak_argp_options,
        .parser = soak_parse,
        .doc = "Let processes and threads come, work on one heap, and go or be killed, by the "
               "thousand; is the heap sound, and as large as before?\v"
               "Exit status 1: it is not; 2: wrong usage.",
    };
    argp_err_exit_status = 2;
    argp_parse(&argp, argc, argv, 0, NULL, NULL);
    soak_shared =
        mmap(NULL, sizeof *soak_shared, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (soak_shared == MAP_FAILED)
        soak_give_up("%s", strerror(errno));
    prctl(PR_SET_CHILD_SUBREAPER, 1); /* what a killed worker has forked is ours to wait for */
    soak_begin();
    soak_run();
    soak_end();
    soak_judge(&soak_found);
    if (soak_shared->refused)
        soak_wrong("%" PRIu64 " times there was no room", soak_shared->refused);
    soak_found.wrong = soak_shared->wrong;
    soak_found.abrupt = soak_shared->abrupt;
    soak_found.ops = soak_ops();
    if (isatty(STDERR_FILENO))
        fputs("\r\033[K", stderr);
    soak_summary();
    int e = soak_chosen.json ? soak_write_json(soak_chosen.json, &soak_found) : 0;
    if (e)
        soak_give_up("%s: %s", soak_chosen.json, strerror(e));
    return soak_found.wrong != 0;
}
