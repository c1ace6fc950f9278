/* SPDX-License-Identifier: MIT */
/* crash: kill users of heaps in every way, and look whether the survivors can go on.
 *
 * Each case runs in a process of its own, which is the leader of a group: what it leaves behind is
 * ended with it.  Its board is shared memory, so a case that dies or hangs has still told how far it
 * had come. */
#include "tests/crash/crash.h"

#include <argp.h>
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { CRASH_CASES = 8192, CRASH_JOBS = 64, CRASH_TOLD = 3 };

#define CRASH_PART(x) extern const crash_part crash_part_##x;
#include "tests/crash/parts.def"
#undef CRASH_PART

static const crash_part *const crash_parts[] = {
#define CRASH_PART(x) &crash_part_##x,
#include "tests/crash/parts.def"
#undef CRASH_PART
    NULL,
};

crash_options crash_chosen = {.at = CRASH_EVERYWHERE, .seed = 1};

/* ---- the plan ---- */

static crash_case crash_cases[CRASH_CASES];
static size_t crash_planned;

/* Is the name one of the list's?  NULL lists all. */
static bool crash_listed(const char *list, const char *name)
{
    size_t n = strlen(name);
    for (const char *at = list; at; at = strchr(at, ',')) {
        at += *at == ',';
        if (!strncmp(at, name, n) && (at[n] == ',' || !at[n]))
            return true;
    }
    return !list;
}

static bool crash_examined(const acre_algorithm *a)
{
    return (a->flags & ACRE_ROBUST) && !(a->flags & (ACRE_NO_FREE | ACRE_REFERENCE)) &&
           crash_listed(crash_chosen.algorithms, a->name);
}

const acre_algorithm *crash_algorithm(size_t i)
{
    const acre_algorithm *a;
    for (size_t k = 0; (a = acre_algorithm_at(k)); k++)
        if (crash_examined(a) && i-- == 0)
            return a;
    return NULL;
}

void crash_plan(const crash_part *part, const acre_algorithm *a, const char *operation,
                const char *state, size_t index, unsigned seconds)
{
    if (!crash_listed(crash_chosen.operation, operation) ||
        !crash_listed(crash_chosen.state, state))
        return;
    if (crash_planned == CRASH_CASES)
        crash_give_up("more than %d cases", CRASH_CASES);
    crash_cases[crash_planned++] = (crash_case){part, a, operation, state, index, seconds};
}

static void crash_plan_all(void)
{
    for (size_t i = 0; crash_parts[i]; i++)
        if (crash_listed(crash_chosen.part, crash_parts[i]->name))
            crash_parts[i]->plan(crash_parts[i]);
}

/* ---- what cases use ---- */

uint64_t crash_random(uint64_t *state)
{
    uint64_t x = *state += 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

uint64_t crash_below(uint64_t *state, uint64_t n)
{
    return (uint64_t)((unsigned __int128)crash_random(state) * n >> 64);
}

static uint64_t crash_mix(uint64_t seed, const char *text)
{
    while (*text)
        seed = (seed ^ (unsigned char)*text++) * 0x100000001b3u;
    return seed;
}

uint64_t crash_seed(const crash_case *c)
{
    uint64_t seed = crash_mix(crash_chosen.seed, c->part->name);
    return crash_mix(crash_mix(crash_mix(seed, c->algorithm->name), c->operation), c->state);
}

void crash_give_up(const char *format, ...)
{
    va_list args;
    va_start(args, format);
    fputs("crash: ", stderr);
    vfprintf(stderr, format, args);
    fputc('\n', stderr);
    va_end(args);
    _exit(2);
}

int crash_child(void (*fn)(void *), void *arg)
{
    fflush(NULL);
    pid_t parent = getpid(), child = fork();
    if (child < 0)
        crash_give_up("fork: %s", strerror(errno));
    if (child > 0)
        return child;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(2);
    fn(arg);
    _exit(0);
}

/* ---- what is wrong ---- */

static uint64_t *crash_wrong_count(crash_board *b, enum crash_wrong what)
{
    uint64_t *const count[] = {&b->n.lost, &b->n.doubled, &b->n.unsound, &b->n.hangs};
    return count[what];
}

static void crash_tell(const crash_case *c, const crash_board *b, const char *what)
{
    char where[256] = "";
    if (b->address)
        crash_symbol(b->address, where, sizeof where);
    fprintf(stderr, "\n%s: %s, %s, %s: instruction %llu%s%s: %s\n", c->part->name,
            c->algorithm->name, c->operation, c->state, (unsigned long long)b->at,
            *where ? " at " : "", where, what);
    fprintf(stderr,
            "  repeat: %s --only %s -a %s --operation %s --state %s --at %llu --seed %llu%s\n",
            program_invocation_name, c->part->name, c->algorithm->name, c->operation, c->state,
            (unsigned long long)b->at, (unsigned long long)crash_chosen.seed,
            crash_chosen.quick ? " --quick" : "");
}

void crash_wrong(const crash_case *c, crash_board *b, enum crash_wrong what, const char *format,
                 ...)
{
    char text[512];
    va_list args;
    ++*crash_wrong_count(b, what);
    if (b->told++ >= CRASH_TOLD)
        return;
    va_start(args, format);
    vsnprintf(text, sizeof text, format, args);
    va_end(args);
    crash_tell(c, b, text);
}

/* ---- running ---- */

typedef struct crash_job {
    pid_t process; /* 0: none */
    size_t i;
} crash_job;

static crash_board *crash_boards;
static crash_job crash_jobs[CRASH_JOBS];
static size_t crash_done;
static double crash_begun;

static double crash_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static pid_t crash_start(size_t i)
{
    const crash_case *c = &crash_cases[i];
    fflush(NULL);
    pid_t parent = getpid(), process = fork();
    if (process < 0)
        crash_give_up("fork: %s", strerror(errno));
    if (process > 0)
        return process;
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent)
        _exit(2);
    alarm(c->seconds);
    c->part->run(c, &crash_boards[i]);
    _exit(0);
}

static void crash_finish(crash_job *job, int status)
{
    const crash_case *c = &crash_cases[job->i];
    crash_board *b = &crash_boards[job->i];
    kill(-job->process, SIGKILL); /* whom it has left behind */
    if (WIFSIGNALED(status) && WTERMSIG(status) == SIGALRM)
        crash_wrong(c, b, CRASH_HANG, "no end within %u s", c->seconds);
    else if (WIFSIGNALED(status))
        crash_wrong(c, b, CRASH_HANG, "the survivor was ended by signal %d", WTERMSIG(status));
    else if (WEXITSTATUS(status))
        crash_wrong(c, b, CRASH_UNSOUND, "the laboratory gave up");
    job->process = 0;
    crash_done++;
}

static void crash_reap(void)
{
    int status;
    pid_t process = waitpid(-1, &status, 0);
    for (size_t k = 0; k < CRASH_JOBS; k++)
        if (process > 0 && crash_jobs[k].process == process)
            crash_finish(&crash_jobs[k], status);
}

static void crash_progress(void)
{
    double spent = crash_now() - crash_begun, share = (double)crash_done / (double)crash_planned;
    if (!isatty(STDERR_FILENO) || crash_done == 0)
        return;
    fprintf(stderr, "\r\033[K%zu of %zu cases, %s, about %.0f s left", crash_done, crash_planned,
            crash_cases[crash_done - 1].part->name, spent / share - spent);
}

static void crash_run_all(void)
{
    crash_begun = crash_now();
    for (size_t next = 0; crash_done < crash_planned; crash_progress()) {
        crash_job *job = crash_jobs;
        while (job < crash_jobs + crash_chosen.jobs && job->process)
            job++;
        if (next < crash_planned && job < crash_jobs + crash_chosen.jobs) {
            *job = (crash_job){crash_start(next), next};
            next++;
        } else
            crash_reap();
    }
    if (isatty(STDERR_FILENO))
        fputs("\r\033[K", stderr);
}

/* ---- the end ---- */

static void crash_sum(const crash_part *part, crash_count *sum, size_t *cases)
{
    for (size_t i = 0; i < crash_planned; i++)
        if (crash_cases[i].part == part) {
            crash_count_add(sum, &crash_boards[i].n);
            ++*cases;
        }
}

static void crash_summary(void)
{
    for (size_t k = 0; crash_parts[k]; k++) {
        crash_count n = {0};
        size_t cases = 0;
        crash_sum(crash_parts[k], &n, &cases);
        if (cases)
            printf("%-8s %5zu cases %9llu injected %8llu images %9llu recovered %7llu in hand "
                   "%llu lost %llu doubled %llu unsound %llu hangs %llu waited\n",
                   crash_parts[k]->name, cases, (unsigned long long)n.injected,
                   (unsigned long long)n.images, (unsigned long long)n.recovered,
                   (unsigned long long)n.in_hand, (unsigned long long)n.lost,
                   (unsigned long long)n.doubled, (unsigned long long)n.unsound,
                   (unsigned long long)n.hangs, (unsigned long long)n.waited);
    }
}

/* «N passed, M failed», in cases. */
static bool crash_verdict(void)
{
    size_t failed = 0;
    for (size_t i = 0; i < crash_planned; i++)
        failed += !crash_count_good(&crash_boards[i].n);
    printf("%s: %.0f s\n%zu passed, %zu failed\n", CRASH_VARIANT, crash_now() - crash_begun,
           crash_planned - failed, failed);
    return failed == 0;
}

/* ---- options ---- */

enum { OPTION_OPERATION = 256, OPTION_STATE, OPTION_AT };

static error_t crash_parse(int key, char *arg, struct argp_state *state)
{
    crash_options *o = &crash_chosen;
    (void)state;
    switch (key) {
    case 'q':
        o->quick = true;
        return 0;
    case 'a':
        o->algorithms = arg;
        return 0;
    case 'j':
        o->json = arg;
        return 0;
    case 'o':
        o->part = arg;
        return 0;
    case 's':
        o->seed = strtoull(arg, NULL, 0);
        return 0;
    case 'J':
        o->jobs = (unsigned)strtoul(arg, NULL, 10);
        return 0;
    case OPTION_OPERATION:
        o->operation = arg;
        return 0;
    case OPTION_STATE:
        o->state = arg;
        return 0;
    case OPTION_AT:
        o->at = strtoull(arg, NULL, 0);
        return 0;
    }
    return ARGP_ERR_UNKNOWN;
}

static const struct argp_option crash_argp_options[] = {
    {"quick", 'q', NULL, 0, "the share of continuous integration", 0},
    {"algorithm", 'a', "NAME,NAME", 0, "these only; else all that promise to survive", 0},
    {"only", 'o', "PART,PART", 0, "these parts only", 0},
    {"operation", OPTION_OPERATION, "NAME,NAME", 0, "these operations only", 0},
    {"state", OPTION_STATE, "NAME,NAME", 0, "these starting states only", 0},
    {"at", OPTION_AT, "N", 0, "only the death at this instruction", 0},
    {"json", 'j', "FILE", 0, "put the results into this table", 0},
    {"seed", 's', "N", 0, "of what is random (1)", 0},
    {"jobs", 'J', "N", 0, "cases at a time (as many as there are processors)", 0},
    {0},
};

static char *crash_help(int key, const char *text, void *input)
{
    (void)input;
    if (key != ARGP_KEY_HELP_POST_DOC)
        return (char *)(uintptr_t)text;
    char *list = NULL;
    size_t n = 0;
    FILE *out = open_memstream(&list, &n);
    fputs("Parts:\n", out);
    for (size_t i = 0; crash_parts[i]; i++)
        fprintf(out, "  %-8s %s\n", crash_parts[i]->name, crash_parts[i]->summary);
    fclose(out);
    return list;
}

static void crash_options_complete(crash_options *o)
{
    long cores = sysconf(_SC_NPROCESSORS_ONLN);
    if (!o->jobs)
        o->jobs = cores > 0 ? (unsigned)cores : 1;
    if (o->jobs > CRASH_JOBS)
        o->jobs = CRASH_JOBS;
}

int main(int argc, char **argv)
{
    static const struct argp argp = {
        .options = crash_argp_options,
        .parser = crash_parse,
        .doc = "Kill users of heaps at every instruction and in other ways, and look whether the "
               "survivors can go on.\v ",
        .help_filter = crash_help,
    };
    argp_parse(&argp, argc, argv, 0, NULL, NULL);
    crash_options_complete(&crash_chosen);
    crash_add_careless(crash_chosen.algorithms);
    crash_plan_all();
    if (!crash_planned)
        crash_give_up("there is no such case");
    crash_boards = mmap(NULL, crash_planned * sizeof *crash_boards, PROT_READ | PROT_WRITE,
                        MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    if (crash_boards == MAP_FAILED)
        crash_give_up("%s", strerror(errno));
    crash_run_all();
    crash_summary();
    int e = crash_chosen.json
                ? crash_table_write(crash_chosen.json, crash_cases, crash_boards, crash_planned)
                : 0;
    if (e)
        crash_give_up("%s: %s", crash_chosen.json, strerror(e));
    return !crash_verdict();
}
