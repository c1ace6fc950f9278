/* SPDX-License-Identifier: MIT */
/* SIGKILL at random moments: the next user of the heap repairs it, and nothing is lost.
 *
 * ACRE_KILLS sets the number over all suites (default 10400).  What was counted goes to
 * $ACRE_BUILD_DIR/kills.json. */
#include "tests/support_crash.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { KILL_DEFAULT = 10400, KILL_SUITES = 2, KILL_WORKERS = 4, KILL_HANG_SECONDS = 30 };

typedef struct kill_count {
    const char *algorithm, *mode;
    uint64_t seed;
    size_t kills, in_operation, lost, lost_in_hand;
} kill_count;

/* Shares of the total: of 20 kills 15 alone, 2 with plain operations, 3 among others. */
static size_t kill_rounds(unsigned share)
{
    const char *text = getenv("ACRE_KILLS");
    size_t total = text ? strtoull(text, NULL, 10) : acre_test_rounds(KILL_DEFAULT);
    return total * share / 20 / KILL_SUITES + 1;
}

/* ---- the report ---- */

static void kill_path(char *path, const char *name)
{
    const char *dir = getenv("ACRE_BUILD_DIR");
    snprintf(path, PATH_MAX, "%s/%s", dir ? dir : ".", name);
}

static void kill_write_part(const kill_count *k, FILE *f)
{
    fprintf(f, "{\"algorithm\": \"%s\", \"mode\": \"%s\", \"seed\": %llu, \"kills\": %zu, "
               "\"in_operation\": %zu, \"hangs\": 0, \"overlaps\": 0, \"lost_blocks\": %zu, "
               "\"lost_in_hand\": %zu}",
            k->algorithm, k->mode, (unsigned long long)k->seed, k->kills, k->in_operation, k->lost,
            k->lost_in_hand);
}

/* The suites run in processes of their own: each replaces its line in the common file.  Hangs and
 * overlaps are 0 because one of them would have ended the test before this. */
static void kill_report(const kill_count *k)
{
    char path[PATH_MAX], mine[128], line[512], old[64][512];
    size_t n = 0;
    kill_path(path, "kills.json");
    snprintf(mine, sizeof mine, "{\"algorithm\": \"%s\", \"mode\": \"%s\",", k->algorithm, k->mode);
    FILE *f = fopen(path, "a+e");
    ACRE_CHECK(f && flock(fileno(f), LOCK_EX) == 0, "%s: %s", path, strerror(errno));
    rewind(f);
    while (n < 64 && fgets(line, sizeof line, f)) {
        line[strcspn(line, "\n")] = 0;
        if (line[0] == '{' && strncmp(line, mine, strlen(mine)) != 0)
            snprintf(old[n++], sizeof *old, "%.*s", (int)(strrchr(line, '}') - line + 1), line);
    }
    ACRE_CHECK_EQUAL(ftruncate(fileno(f), 0), 0);
    fputs("[\n", f);
    for (size_t i = 0; i < n; i++)
        fprintf(f, "%s,\n", old[i]);
    kill_write_part(k, f);
    fputs("\n]\n", f);
    fclose(f);
    fprintf(stderr, "%s/%s: %zu kills, %zu inside an operation, %zu lost, %zu lost in hand\n",
            k->algorithm, k->mode, k->kills, k->in_operation, k->lost, k->lost_in_hand);
}

/* ---- victims ---- */

typedef struct victim {
    crash_heap *heap;
    enum crash_mix mix;
    uint64_t seed;
    size_t first, n; /* its slots */
} victim;

static void victim_run(void *arg)
{
    victim *v = arg;
    while (!v->heap->table->stop)
        crash_step(v->heap, &v->seed, v->mix, v->first, v->n);
}

static uint64_t now_ns(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* Let the victims get going, then wait for a random moment. */
static void wait_for_the_moment(const crash_table *table, uint64_t steps, uint64_t *seed)
{
    while (table->steps == steps)
        sched_yield();
    for (uint64_t until = now_ns() + acre_test_below(seed, 120000); now_ns() < until; )
        ;
}

static uint64_t recoveries(acre_heap *h)
{
    acre_stats s;
    ACRE_CHECK_EQUAL(acre_heap_stats(h, &s), 0);
    return s.recoveries;
}

/* The survivor: verifies, then uses the heap.  A hang would be ended by the watchdog. */
static void survive(crash_heap *c, kill_count *k, enum crash_mix mix, uint64_t *seed)
{
    size_t lost = crash_verify(c);
    ACRE_CHECK(mix == CRASH_PLAIN ? lost <= CRASH_HELD : lost == 0, "%zu blocks lost", lost);
    *(mix == CRASH_PLAIN ? &k->lost_in_hand : &k->lost) += lost;
    for (int i = 0; i < 5; i++)
        crash_step(c, seed, CRASH_PUBLISHING, 0, CRASH_SLOTS);
    test_sound(c->h);
}

static void kill_one(crash_heap *c, kill_count *k, enum crash_mix mix, uint64_t *seed)
{
    victim v = {c, mix, acre_test_random(seed), 0, CRASH_SLOTS};
    uint64_t steps = c->table->steps, before = recoveries(c->h);
    acre_test_limit(KILL_HANG_SECONDS);
    pid_t child = acre_test_spawn(victim_run, &v);
    wait_for_the_moment(c->table, steps, seed);
    kill(child, SIGKILL);
    acre_test_expect_killed(child);
    survive(c, k, mix, seed);
    k->kills++;
    k->in_operation += recoveries(c->h) != before;
}

static kill_count kill_alone(const acre_algorithm *a, const char *mode, enum crash_mix mix,
                             size_t rounds)
{
    uint64_t seed = acre_test_seed();
    kill_count k = {.algorithm = a->name, .mode = mode, .seed = seed};
    crash_heap c = crash_heap_make(a);
    for (size_t i = 0; i < rounds; i++)
        kill_one(&c, &k, mix, &seed);
    crash_heap_close(&c);
    return k;
}

/* Several processes at once; one of them is killed, the others go on and then stop by themselves:
 * they have met the dead one's lock. */
static void kill_one_of(crash_heap *c, kill_count *k, unsigned workers, uint64_t *seed)
{
    victim v[KILL_WORKERS];
    pid_t child[KILL_WORKERS] = {0};
    uint64_t steps = c->table->steps, before = recoveries(c->h);
    unsigned dead = (unsigned)acre_test_below(seed, workers);
    acre_test_limit(KILL_HANG_SECONDS);
    c->table->stop = 0;
    for (unsigned i = 0; i < workers; i++) {
        size_t n = CRASH_SLOTS / workers;
        v[i] = (victim){c, CRASH_PUBLISHING, acre_test_random(seed), i * n, n};
        child[i] = acre_test_spawn(victim_run, &v[i]);
    }
    wait_for_the_moment(c->table, steps, seed);
    kill(child[dead], SIGKILL);
    acre_test_expect_killed(child[dead]);
    steps = c->table->steps;
    while (workers > 1 && c->table->steps == steps)
        sched_yield(); /* the others make progress */
    c->table->stop = 1;
    for (unsigned i = 0; i < workers; i++)
        if (i != dead)
            acre_test_expect_exit(child[i], 0);
    survive(c, k, CRASH_PUBLISHING, seed);
    k->kills++;
    k->in_operation += recoveries(c->h) != before;
}

/* ---- tests ---- */

static void skip_unless_robust(const acre_algorithm *a)
{
    test_skip_flags(a, ACRE_NO_FREE | ACRE_REFERENCE);
    if (!(a->flags & ACRE_ROBUST))
        acre_test_skip("%s does not promise to survive a kill", a->name);
}

/* The test has teeth only if kills do hit operations. */
static void finish(const kill_count *k)
{
    ACRE_CHECK(k->kills < 200 || k->in_operation * 50 > k->kills, "%zu of %zu", k->in_operation,
               k->kills);
    ACRE_CHECK_EQUAL(k->lost, 0);
    kill_report(k);
}

static void killed_alone_loses_nothing(const acre_algorithm *a)
{
    skip_unless_robust(a);
    kill_count k = kill_alone(a, "publishing", CRASH_PUBLISHING, kill_rounds(15));
    finish(&k);
}

static void killed_with_blocks_in_hand_loses_only_these(const acre_algorithm *a)
{
    skip_unless_robust(a);
    kill_count k = kill_alone(a, "plain", CRASH_PLAIN, kill_rounds(2));
    finish(&k);
}

static void killed_among_others_loses_nothing(const acre_algorithm *a)
{
    skip_unless_robust(a);
    uint64_t seed = acre_test_seed();
    kill_count k = {.algorithm = a->name, .mode = "contended", .seed = seed};
    crash_heap c = crash_heap_make(a);
    for (size_t i = 0, n = kill_rounds(3); i < n; i++)
        kill_one_of(&c, &k, 2 + (unsigned)acre_test_below(&seed, 3), &seed);
    crash_heap_close(&c);
    finish(&k);
}

/* ---- negative control: this harness finds a missing journal ---- */

static const acre_algorithm *careless_of;

static int careless_free(acre_region *r, void *p)
{
    acre_region unnoted = *r;
    unnoted.journal = NULL;
    return careless_of->free(&unnoted, p);
}

static void kill_the_careless(void *arg)
{
    (void)arg;
    (void)!freopen("/dev/null", "w", stderr);
    kill_alone(acre_algorithm_find("careless"), "control", CRASH_PUBLISHING, 3000);
}

static void free_without_journal_is_caught(const acre_algorithm *a)
{
    static acre_algorithm careless;
    skip_unless_robust(a);
    careless_of = a;
    careless = *a;
    careless.name = "careless";
    careless.free = careless_free;
    ACRE_CHECK_EQUAL(acre_algorithm_register(&careless), 0);
    pid_t child = acre_test_spawn(kill_the_careless, NULL);
    int status;
    ACRE_CHECK(waitpid(child, &status, 0) == child);
    ACRE_CHECK(!WIFEXITED(status) || WEXITSTATUS(status) != 0, "3000 kills found nothing");
}

#define CASES(X, a)                                   \
    X(a, killed_alone_loses_nothing)                  \
    X(a, killed_with_blocks_in_hand_loses_only_these) \
    X(a, killed_among_others_loses_nothing)           \
    X(a, free_without_journal_is_caught)

#define ACRE_ALGORITHM(a) CASES(TEST_CASE, a)
#include "alloc/algorithms.def"
#undef ACRE_ALGORITHM
