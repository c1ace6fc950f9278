/* SPDX-License-Identifier: MIT */
/* Creating and opening while others create, open, remove and die; what opening costs. */
#include "tests/support_heap.h"
#include "tests/support_traced.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { FIRE_PROCESSES = 8, FIRE_ROUNDS = 1000, FIRE_SIZE = 16384 };

static const acre_segment_options fire_options = {.size = FIRE_SIZE};

/* ---- a race for each name ---- */

typedef struct fire_board {
    const char *name;
    uint32_t rounds, arrived, left, removed;
    uint32_t made[FIRE_ROUNDS], opened[FIRE_ROUNDS];
} fire_board;

static fire_board *fire_shared(void)
{
    void *p = mmap(NULL, sizeof(fire_board), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ACRE_CHECK(p != MAP_FAILED);
    return p;
}

static uint32_t fire_add(uint32_t *n)
{
    return __atomic_add_fetch(n, 1, __ATOMIC_SEQ_CST);
}

static void fire_wait(const uint32_t *n, uint32_t until)
{
    while (__atomic_load_n(n, __ATOMIC_SEQ_CST) < until)
        nanosleep(&(struct timespec){.tv_nsec = 1000}, NULL);
}

/* All at once; who is last takes the name away. */
static void fire_round(fire_board *b, uint32_t round)
{
    acre_segment *s;
    bool made = false;
    fire_wait(&b->removed, round);
    fire_add(&b->arrived);
    fire_wait(&b->arrived, (round + 1) * FIRE_PROCESSES);
    int e = acre_segment_open_or_create(&s, ACRE_SHM, b->name, &fire_options, &made);
    ACRE_CHECK(e == 0, "round %u: %s", round, acre_strerror(e));
    fire_add(made ? &b->made[round] : &b->opened[round]);
    /* the same memory for all, or their counts would not meet */
    __atomic_fetch_add(acre_segment_root(s), 1, __ATOMIC_SEQ_CST);
    while (__atomic_load_n(acre_segment_root(s), __ATOMIC_SEQ_CST) % FIRE_PROCESSES != 0)
        nanosleep(&(struct timespec){.tv_nsec = 1000}, NULL);
    ACRE_CHECK_EQUAL(acre_segment_close(s), 0);
    if (fire_add(&b->left) == (round + 1) * FIRE_PROCESSES) {
        ACRE_CHECK_EQUAL(acre_segment_remove(ACRE_SHM, b->name), 0);
        fire_add(&b->removed);
    }
}

static void fire_run(void *arg)
{
    fire_board *b = arg;
    for (uint32_t round = 0; round < b->rounds; round++)
        fire_round(b, round);
}

ACRE_TEST(create, exactly_one_of_eight_creates_A32)
{
    fire_board *b = fire_shared();
    pid_t child[FIRE_PROCESSES];
    b->name = test_name();
    b->rounds = (uint32_t)acre_test_rounds(FIRE_ROUNDS);
    acre_segment_remove(ACRE_SHM, b->name);
    for (int i = 0; i < FIRE_PROCESSES; i++)
        child[i] = acre_test_spawn(fire_run, b);
    for (int i = 0; i < FIRE_PROCESSES; i++)
        acre_test_expect_exit(child[i], 0);
    for (uint32_t i = 0; i < b->rounds; i++)
        ACRE_CHECK(b->made[i] == 1 && b->opened[i] == FIRE_PROCESSES - 1, "round %u: %u made, %u opened it", i,
                   b->made[i], b->opened[i]);
    munmap(b, sizeof *b);
}

/* ---- dead creators ---- */

static void create_traced(void *arg)
{
    acre_segment *s;
    traced_begin();
    (void)acre_segment_create(&s, ACRE_SHM, arg, &fire_options);
    traced_end();
}

static double create_us(const struct timespec *from)
{
    struct timespec now;
    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)(now.tv_sec - from->tv_sec) * 1e6 + (double)(now.tv_nsec - from->tv_nsec) / 1e3;
}

static bool create_there(const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "/dev/shm/acre.%s", name);
    return access(path, F_OK) == 0;
}

/* Another process, while the victim stands where it is: nothing under the name, or all of it. */
static void create_look(const char *name, bool there, size_t step)
{
    acre_segment *s;
    int e = acre_segment_open(&s, ACRE_SHM, name, NULL);
    ACRE_CHECK(e == (there ? 0 : ENOENT), "instruction %zu: %s", step, acre_strerror(e));
    if (e)
        return;
    ACRE_CHECK_EQUAL(acre_segment_size(s), FIRE_SIZE);
    test_sound(acre_segment_heap(s));
    acre_segment_close(s);
}

/* With the creator stopped at each instruction in turn: the name is not there, or it opens.  Looked at closely where
 * something can have changed: every instruction asks for the name; every 97th, and those around the link, open. */
ACRE_TEST(create, a_creator_at_every_instruction_shows_nothing_or_all_A32)
{
    const char *name = test_name();
    acre_segment_remove(ACRE_SHM, name);
    pid_t child = acre_test_spawn(create_traced, (void *)name);
    bool was = false;
    size_t steps = 0, appeared = 0;
    for (int signal = traced_wait(child);; steps++) {
        ACRE_CHECK(ptrace(PTRACE_SINGLESTEP, child, NULL, NULL) == 0);
        if ((signal = traced_wait(child)) == SIGSTOP)
            break;
        bool there = create_there(name);
        ACRE_CHECK(!was || there);
        if (there != was || there || steps % 97 == 0)
            create_look(name, there, steps);
        if (there != was)
            appeared = steps;
        was = there;
    }
    fprintf(stderr, "%zu instructions, the name appears at %zu\n", steps, appeared);
    ACRE_CHECK(appeared > 0 && appeared < steps);
    kill(child, SIGKILL);
    acre_test_expect_killed(child);
    create_look(name, true, steps);
    acre_segment_remove(ACRE_SHM, name);
}

/* Killed for good at that instruction; the next one waits for nobody. */
static double create_after_death(const char *name, size_t at)
{
    acre_segment *s;
    struct timespec from;
    bool made;
    pid_t child = acre_test_spawn(create_traced, (void *)name);
    traced_wait(child);
    for (size_t i = 0; i < at; i++) {
        ACRE_CHECK(ptrace(PTRACE_SINGLESTEP, child, NULL, NULL) == 0);
        if (traced_wait(child) == SIGSTOP)
            break;
    }
    kill(child, SIGKILL);
    acre_test_expect_killed(child);
    bool there = create_there(name);
    clock_gettime(CLOCK_MONOTONIC, &from);
    ACRE_CHECK_EQUAL(acre_segment_open_or_create(&s, ACRE_SHM, name, &fire_options, &made), 0);
    double us = create_us(&from);
    ACRE_CHECK(made == !there);
    test_sound(acre_segment_heap(s));
    acre_segment_close(s);
    ACRE_CHECK_EQUAL(acre_segment_remove(ACRE_SHM, name), 0);
    return us;
}

ACRE_TEST(create, nobody_waits_for_a_dead_creator_A32)
{
    const char *name = test_name();
    uint64_t seed = acre_test_seed();
    double worst = 0;
    acre_segment_remove(ACRE_SHM, name);
    for (size_t i = 0; i < acre_test_rounds(100); i++) {
        double us = create_after_death(name, acre_test_below(&seed, 12000));
        worst = us > worst ? us : worst;
    }
    fprintf(stderr, "open_or_create after a death: %.0f us at most\n", worst);
    ACRE_CHECK(worst < 1e6);
}

/* ---- what opening costs ---- */

static int create_compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;
    return (x > y) - (x < y);
}

/* The largest capacity that the algorithm reaches, 1 MiB of it used. */
static void create_open_large(const char *algorithm, size_t capacity)
{
    enum { TIMES = 101 };
    double us[TIMES];
    const char *name = test_name();
    acre_segment *s;
    acre_segment_options o = {.size = 2 << 20, .capacity = capacity, .algorithm = acre_algorithm_find(algorithm)};
    acre_segment_remove(ACRE_SHM, name);
    int e = acre_segment_create(&s, ACRE_SHM, name, &o);
    ACRE_CHECK(e == 0, "%s", acre_strerror(e));
    for (size_t used = 0; used < 1 << 20; used += 1000)
        ACRE_CHECK(acre_alloc(acre_segment_heap(s), 1000));
    acre_segment_close(s);
    for (int i = 0; i < TIMES; i++) {
        struct timespec from;
        clock_gettime(CLOCK_MONOTONIC, &from);
        ACRE_CHECK_EQUAL(acre_segment_open(&s, ACRE_SHM, name, NULL), 0);
        us[i] = create_us(&from);
        acre_segment_close(s);
    }
    qsort(us, TIMES, sizeof *us, create_compare);
    fprintf(stderr, "opening %s of %zu MiB: %.0f us at best, %.0f us in the middle, %.0f us at worst\n", algorithm,
            capacity >> 20, us[0], us[TIMES / 2], us[TIMES - 1]);
    acre_segment_remove(ACRE_SHM, name);
}

/* Told, not judged: times are not what a test can hold anybody to. */
ACRE_TEST(create, what_opening_the_largest_costs)
{
#if defined __SANITIZE_THREAD__
    acre_test_skip("address space is the sanitizer's");
#endif
    create_open_large("sharded", ((size_t)32 << 30) - (1 << 20));
    create_open_large("simple_seq_fit", ((size_t)64 << 30) - (1 << 20));
    create_open_large("sharded", 4 << 20);
}
