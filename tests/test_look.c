/* SPDX-License-Identifier: MIT */
/* Looking at a heap from a read-only segment: what is told is one moment's, nobody is waited for, nobody
 * waits; for each algorithm, while others write, are stopped or killed. */
#include "tests/support_heap.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* White box: the lock word, the journal, looking without proof. */
#include "alloc/heap.h"

enum { LOOK_SIZE = 256 << 10, LOOK_BLOCKS = 64, LOOK_WRITERS = 2, LOOK_BURST = 100 };

typedef struct look_arena {
    acre_segment *s;
    acre_heap *h, *reader; /* of the parent; opened read-only */
    acre_segment *view;
    volatile uint64_t *shared; /* 0: stop, 1…: calls that each writer has finished */
    uint64_t seed;
    bool pausing; /* writers rest between bursts, so that a reader has a chance */
    size_t who;
} look_arena;

static look_arena look_make(const acre_algorithm *a, bool pausing)
{
    look_arena t = {.pausing = pausing, .seed = acre_test_seed()};
    acre_segment_options o = {.size = LOOK_SIZE, .algorithm = a};
    test_skip_flags(a, ACRE_NO_FREE | ACRE_REFERENCE | ACRE_CONCURRENT);
    ACRE_CHECK_EQUAL(acre_segment_create(&t.s, ACRE_MEMFD, NULL, &o), 0);
    acre_segment_options look = {.fd = acre_segment_fd(t.s), .read_only = true};
    ACRE_CHECK_EQUAL(acre_segment_open(&t.view, ACRE_MEMFD, NULL, &look), 0);
    t.h = acre_segment_heap(t.s);
    t.reader = acre_segment_heap(t.view);
    t.shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ACRE_CHECK(t.shared != MAP_FAILED);
    return t;
}

static void look_close(look_arena *t)
{
    acre_segment_close(t->view);
    acre_segment_close(t->s);
    munmap((void *)t->shared, 4096);
}

/* ---- writers ---- */

static void look_write_one(look_arena *t, void **p)
{
    if (*p) {
        ACRE_CHECK_EQUAL(acre_free(t->h, *p), 0);
        *p = NULL;
    } else {
        *p = acre_alloc(t->h, 1 + acre_test_below(&t->seed, 600));
    }
    t->shared[1 + t->who]++;
}

static void look_write(void *arg)
{
    look_arena *t = arg;
    void *p[LOOK_BLOCKS] = {0};
    while (!t->shared[0]) {
        for (int i = 0; i < LOOK_BURST; i++)
            look_write_one(t, &p[acre_test_below(&t->seed, LOOK_BLOCKS)]);
        if (t->pausing)
            usleep(200);
    }
}

static void look_start(look_arena *t, pid_t *writer)
{
    for (t->who = 0; t->who < LOOK_WRITERS; t->who++, t->seed++)
        writer[t->who] = acre_test_spawn(look_write, t);
}

static void look_stop(look_arena *t, pid_t *writer)
{
    t->shared[0] = 1;
    for (int i = 0; i < LOOK_WRITERS; i++)
        acre_test_expect_exit(writer[i], 0);
}

/* ---- what must be true of one moment: every invariant that check() knows; blocks one after the other ---- */

typedef struct look_sum {
    uint64_t end, total;
    bool overlap;
} look_sum;

static int look_add(void *arg, const acre_block *b)
{
    look_sum *f = arg;
    f->overlap |= b->offset < f->end;
    f->end = b->offset + b->size;
    f->total += b->total;
    return 0;
}

static void look_at(look_arena *t, size_t *exact, size_t *late)
{
    look_sum f = {0};
    acre_stats s;
    int e = acre_heap_walk(t->reader, look_add, &f);
    ACRE_CHECK(e == 0 || (e == EAGAIN && f.total == 0), "%s", acre_strerror(e));
    ACRE_CHECK(!f.overlap && f.total < LOOK_SIZE);
    ACRE_CHECK_EQUAL(acre_heap_stats(t->reader, &s), 0);
    if (s.exact)
        ACRE_CHECK(s.used_total + s.free_bytes <= s.size - s.overhead);
    else
        ACRE_CHECK_EQUAL(s.used_blocks + s.free_blocks + s.largest_free, 0);
    e = acre_heap_check(t->reader, NULL);
    ACRE_CHECK(e == 0 || e == EAGAIN, "%s", acre_strerror(e));
    *exact += s.exact;
    *late += !s.exact;
}

static void consistent_while_two_write(const acre_algorithm *a)
{
    look_arena t = look_make(a, true);
    pid_t writer[LOOK_WRITERS];
    size_t exact = 0, late = 0;
    look_start(&t, writer);
    for (size_t i = 0, n = acre_test_rounds(1000); i < n || !exact; i++)
        look_at(&t, &exact, &late);
    look_stop(&t, writer);
    fprintf(stderr, "%s: %zu exact, %zu not\n", a->name, exact, late);
    test_sound(t.h);
    look_close(&t);
}

/* What the sequence is for: the same reads, believed without it, are wrong sooner or later. */
static bool look_unproven(acre_heap *h)
{
    acre__heap_measure(h);
    return h->algorithm->check(&h->region, &(acre_damage){0}) == 0;
}

static void negative_control_without_proof_it_is_torn(const acre_algorithm *a)
{
    look_arena t = look_make(a, false);
    pid_t writer[LOOK_WRITERS];
    size_t looks = 0;
    acre_test_limit(120);
    look_start(&t, writer);
    do
        looks++;
    while (look_unproven(t.reader));
    look_stop(&t, writer);
    fprintf(stderr, "%s: look %zu was torn\n", a->name, looks);
    look_close(&t);
}

typedef struct look_disturbed {
    acre_heap *writer;
    int looks;
} look_disturbed;

/* The first look is disturbed by a whole call: lock and journal are as before, the version is not. */
static int look_disturb(acre_heap *h, uint64_t version, void *arg)
{
    look_disturbed *d = arg;
    (void)h;
    (void)version;
    if (d->looks++ == 0)
        ACRE_CHECK(acre_alloc(d->writer, 100));
    return 0;
}

static void a_change_during_a_look_is_seen(const acre_algorithm *a)
{
    look_arena t = look_make(a, false);
    look_disturbed d = {.writer = t.h};
    ACRE_CHECK_EQUAL(acre__look(t.reader, look_disturb, &d), 0);
    ACRE_CHECK_EQUAL(d.looks, 2);
    look_close(&t);
}

/* ---- nobody waits ---- */

static void look_for_ever(void *arg)
{
    for (size_t exact = 0, late = 0;;)
        look_at(arg, &exact, &late);
}

static void a_stopped_reader_stops_nobody(const acre_algorithm *a)
{
    look_arena t = look_make(a, true);
    pid_t writer[LOOK_WRITERS], reader = acre_test_spawn(look_for_ever, &t);
    acre_test_limit(60);
    look_start(&t, writer);
    for (int i = 0; i < 20; i++) {
        kill(reader, SIGSTOP);
        for (int w = 1; w <= LOOK_WRITERS; w++)
            for (uint64_t before = t.shared[w]; t.shared[w] < before + 10;)
                usleep(100);
        kill(reader, SIGCONT);
        usleep(300);
    }
    kill(reader, SIGKILL);
    acre_test_expect_killed(reader);
    look_stop(&t, writer);
    test_sound(t.h);
    look_close(&t);
}

/* ---- a writer that does not come to an end ---- */

/* Stop it where something is noted: inside a call. */
static void look_freeze(look_arena *t, pid_t writer)
{
    int status;
    do {
        kill(writer, SIGCONT);
        usleep(50);
        kill(writer, SIGSTOP);
        ACRE_CHECK(waitpid(writer, &status, WUNTRACED) == writer && WIFSTOPPED(status));
    } while (*t->h->pending == 0);
}

static double look_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

static void look_expect_late(look_arena *t)
{
    acre_stats s;
    look_sum f = {0};
    double begin = look_seconds();
    ACRE_CHECK_EQUAL(acre_heap_walk(t->reader, look_add, &f), EAGAIN);
    ACRE_CHECK_EQUAL(f.total, 0);
    ACRE_CHECK_EQUAL(acre_heap_check(t->reader, NULL), EAGAIN);
    ACRE_CHECK_EQUAL(acre_heap_stats(t->reader, &s), 0);
    ACRE_CHECK(!s.exact && s.size > 0 && s.used_blocks == 0);
    ACRE_CHECK(acre_heap_high_water(t->reader) > 0 && !acre_heap_all_free(t->reader));
    ACRE_CHECK(look_seconds() - begin < 5);
}

static void a_stopped_or_dead_writer_is_not_waited_for(const acre_algorithm *a)
{
    look_arena t = look_make(a, false);
    size_t exact = 0, late = 0;
    acre_test_limit(60);
    if (!(a->flags & ACRE_ROBUST))
        acre_test_skip("%s notes nothing", a->name);
    pid_t writer = acre_test_spawn(look_write, &t);
    look_freeze(&t, writer);
    look_expect_late(&t);
    kill(writer, SIGKILL);
    acre_test_expect_killed(writer);
    look_expect_late(&t);
    test_sound(t.h); /* somebody who may write repairs it */
    look_at(&t, &exact, &late);
    ACRE_CHECK_EQUAL(exact, 1);
    look_close(&t);
}

static void look_die_owning(void *arg)
{
    look_arena *t = arg;
    ACRE_CHECK_EQUAL(acre__robust_lock(t->h->lock), 0);
}

/* Who has noted nothing has done nothing; his successor counts once for him. */
static void an_owner_that_died_idle_is_no_obstacle(const acre_algorithm *a)
{
    look_arena t = look_make(a, false);
    size_t exact = 0, late = 0;
    acre_test_run(look_die_owning, &t);
    look_at(&t, &exact, &late);
    ACRE_CHECK_EQUAL(exact, 1);
    uint64_t before = t.h->control->version;
    (void)!acre_alloc(t.h, 100);
    ACRE_CHECK_EQUAL(t.h->control->version, before + 2);
    look_close(&t);
}

static void a_poisoned_heap_is_told(const acre_algorithm *a)
{
    look_arena t = look_make(a, false);
    acre_stats s;
    t.h->control->journal.count = ACRE__POISON;
    ACRE_CHECK_EQUAL(acre_heap_walk(t.reader, look_add, &(look_sum){0}), ACRE_EPOISONED);
    ACRE_CHECK_EQUAL(acre_heap_stats(t.reader, &s), ACRE_EPOISONED);
    look_close(&t);
}

/* ---- the numbers ---- */

static void fragmentation_is_what_it_is_defined_as(const acre_algorithm *a)
{
    look_arena t = look_make(a, false);
    void *p[100];
    acre_stats s;
    ACRE_CHECK_EQUAL(acre_heap_stats(t.reader, &s), 0);
    ACRE_CHECK(s.free_blocks > 1 || s.external_fragmentation == 0);
    ACRE_CHECK_EQUAL(s.used_blocks, 0);
    ACRE_CHECK(s.internal_fragmentation == 0);
    for (int i = 0; i < 100; i++)
        ACRE_CHECK(p[i] = acre_alloc(t.h, 40));
    for (int i = 0; i < 100; i += 2)
        ACRE_CHECK_EQUAL(acre_free(t.h, p[i]), 0);
    ACRE_CHECK_EQUAL(acre_heap_stats(t.reader, &s), 0);
    ACRE_CHECK(s.exact);
    double outside = 1 - (double)s.largest_free / (double)s.free_usable;
    double inside = 1 - (double)s.used_bytes / (double)s.used_total;
    ACRE_CHECK(s.external_fragmentation == outside && outside >= 0 && outside < 1);
    ACRE_CHECK(s.internal_fragmentation == inside && inside >= 0 && inside < 1);
    look_close(&t);
}

/* ---- the suites ---- */

#define CASES(X, a)                                                                                \
    X(a, consistent_while_two_write)                                                               \
    X(a, negative_control_without_proof_it_is_torn)                                                \
    X(a, a_change_during_a_look_is_seen)                                                           \
    X(a, a_stopped_reader_stops_nobody)                                                            \
    X(a, a_stopped_or_dead_writer_is_not_waited_for)                                               \
    X(a, an_owner_that_died_idle_is_no_obstacle)                                                   \
    X(a, a_poisoned_heap_is_told)                                                                  \
    X(a, fragmentation_is_what_it_is_defined_as)

#define ACRE_ALGORITHM(a) CASES(TEST_CASE, a)
#include "alloc/algorithms.def"
#undef ACRE_ALGORITHM
