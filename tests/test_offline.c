/* SPDX-License-Identifier: MIT */
/* Changing the capacity of segments that nobody has open; kills at every instruction of that. */
#include "tests/support_heap.h"

#include "segment/layout.h"
#include "tests/bury.h"
#include "tests/support_traced.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { OFF_SIZE = 64 << 10, OFF_CAPACITY = 128 << 10, OFF_LATER = 1 << 20, OFF_GROWN = 512 << 10 };

static void off_make(const char *name, const acre_algorithm *a)
{
    acre_segment *s;
    acre_segment_options o = {.size = OFF_SIZE, .capacity = OFF_CAPACITY, .algorithm = a};
    acre_segment_remove(ACRE_SHM, name);
    ACRE_CHECK_EQUAL(acre_segment_create(&s, ACRE_SHM, name, &o), 0);
    ACRE_CHECK_EQUAL(acre_alloc_into(acre_segment_heap(s), acre_segment_root(s), 1000), 0);
    test_fill(acre_segment_address(s, *acre_segment_root(s)), 1000, 5);
    acre_segment_close(s);
}

/* The block is whole, the heap sound. */
static acre_segment *off_open(const char *name)
{
    acre_segment *s;
    int e = acre_segment_open(&s, ACRE_SHM, name, NULL);
    ACRE_CHECK(e == 0, "%s", acre_strerror(e));
    ACRE_CHECK(test_filled(acre_segment_address(s, *acre_segment_root(s)), 1000, 5));
    test_sound(acre_segment_heap(s));
    return s;
}

static void off_expect(const char *name, size_t size, size_t capacity)
{
    acre_segment *s = off_open(name);
    ACRE_CHECK_EQUAL(acre_segment_size(s), size);
    ACRE_CHECK_EQUAL(acre_segment_capacity(s), capacity);
    acre_segment_close(s);
}

static void grows_beyond_its_capacity(const acre_algorithm *a)
{
    test_skip_flags(a, ACRE_REFERENCE);
    TEST_NEEDS(a, grow);
    const char *name = test_name();
    off_make(name, a);
    ACRE_CHECK_EQUAL(acre_segment_grow_offline(ACRE_SHM, name, 0, OFF_LATER), 0);
    off_expect(name, OFF_SIZE, OFF_LATER);
    ACRE_CHECK_EQUAL(acre_segment_grow_offline(ACRE_SHM, name, OFF_GROWN, 0), 0);
    off_expect(name, OFF_GROWN, OFF_LATER);
    ACRE_CHECK_EQUAL(acre_segment_grow_offline(ACRE_SHM, name, 2 * OFF_LATER, 2 * OFF_LATER), 0);
    acre_segment *s = off_open(name);
    size_t got = 0;
    while (acre_alloc(acre_segment_heap(s), 1000))
        got += 1000;
    ACRE_CHECK(got > OFF_LATER, "%zu", got);
    acre_segment_close(s);
    acre_segment_remove(ACRE_SHM, name);
}

static void shrinks_to_what_lives(const acre_algorithm *a)
{
    test_skip_flags(a, ACRE_REFERENCE);
    TEST_NEEDS(a, shrink);
    const char *name = test_name();
    off_make(name, a);
    ACRE_CHECK_EQUAL(acre_segment_shrink_offline(ACRE_SHM, name, false), 0);
    acre_segment *s = off_open(name);
    size_t size = acre_segment_size(s);
    ACRE_CHECK_EQUAL(acre_segment_capacity(s), OFF_CAPACITY);
    ACRE_CHECK(size < OFF_SIZE || (a->flags & ACRE_CONCURRENT), "%zu", size);
    acre_segment_close(s);
    ACRE_CHECK_EQUAL(acre_segment_shrink_offline(ACRE_SHM, name, true), 0);
    off_expect(name, size, size);
    ACRE_CHECK_EQUAL(acre_segment_grow_offline(ACRE_SHM, name, OFF_GROWN, OFF_LATER), 0);
    off_expect(name, OFF_GROWN, OFF_LATER);
    s = off_open(name);
    ACRE_CHECK_EQUAL(acre_segment_shrink_to_fit(s), 0);
    ACRE_CHECK(acre_segment_size(s) < OFF_SIZE || (a->flags & ACRE_CONCURRENT), "%zu", acre_segment_size(s));
    acre_segment_close(s);
    off_open(name);
    acre_segment_remove(ACRE_SHM, name);
}

#define CASES(X, a)                 \
    X(a, grows_beyond_its_capacity) \
    X(a, shrinks_to_what_lives)
#define ACRE_ALGORITHM(a) CASES(TEST_CASE, a)
#include "alloc/algorithms.def"
#undef ACRE_ALGORITHM

/* ---- who has it ---- */

static void off_busy(const char *name, int e)
{
    ACRE_CHECK_EQUAL(acre_segment_grow_offline(ACRE_SHM, name, 0, OFF_LATER), e);
    ACRE_CHECK_EQUAL(acre_segment_shrink_offline(ACRE_SHM, name, true), e);
}

static void off_hold(void *arg)
{
    (void)arg;
    pause();
}

ACRE_TEST(offline, whoever_has_it_open_is_left_alone)
{
    const char *name = test_name();
    off_make(name, NULL);
    acre_segment *s = off_open(name), *t;
    off_busy(name, EBUSY);
    acre_segment_close(s);
    ACRE_CHECK_EQUAL(acre_segment_open(&s, ACRE_SHM, name, &(acre_segment_options){.read_only = true}), 0);
    off_busy(name, EBUSY);
    acre_segment_close(s);
    s = off_open(name);
    ACRE_CHECK_EQUAL(acre_segment_open(&t, ACRE_MEMFD, NULL, &(acre_segment_options){.fd = acre_segment_fd(s)}), 0);
    acre_segment_close(s);
    off_busy(name, EBUSY);
    acre_segment_close(t);
    off_expect(name, OFF_SIZE, OFF_CAPACITY);
    acre_segment_remove(ACRE_SHM, name);
    acre_segment_options o = {.size = OFF_SIZE};
    ACRE_CHECK_EQUAL(acre_segment_create(&s, ACRE_SHM, name, &o), 0); /* its maker, too */
    off_busy(name, EBUSY);
    acre_segment_close(s);
    acre_segment_remove(ACRE_SHM, name);
}

ACRE_TEST(offline, a_child_counts_until_it_is_killed)
{
    const char *name = test_name();
    off_make(name, NULL);
    acre_segment *s = off_open(name);
    pid_t child = acre_test_spawn(off_hold, NULL);
    acre_segment_close(s);
    off_busy(name, EBUSY);
    kill(child, SIGKILL);
    acre_test_expect_killed(child);
    ACRE_CHECK_EQUAL(acre_segment_grow_offline(ACRE_SHM, name, 0, OFF_LATER), 0);
    off_expect(name, OFF_SIZE, OFF_LATER);
    acre_segment_remove(ACRE_SHM, name);
}

ACRE_TEST(offline, bad_sizes_are_refused_and_change_nothing)
{
    const char *name = test_name();
    off_make(name, NULL);
    ACRE_CHECK_EQUAL(acre_segment_grow_offline(ACRE_SHM, name, 0, OFF_SIZE), EINVAL);
    ACRE_CHECK_EQUAL(acre_segment_grow_offline(ACRE_SHM, name, OFF_LATER, 0), E2BIG);
    ACRE_CHECK_EQUAL(acre_segment_grow_offline(ACRE_SHM, name, SIZE_MAX, SIZE_MAX), ACRE_ETOOBIG);
    ACRE_CHECK_EQUAL(acre_segment_grow_offline(ACRE_SHM, name, 0, (size_t)1 << 45), ACRE_ETOOBIG);
    ACRE_CHECK_EQUAL(acre_segment_grow_offline(ACRE_MEMFD, name, 0, OFF_LATER), ENOTSUP);
    ACRE_CHECK_EQUAL(acre_segment_grow_offline(ACRE_SHM, "acre-no-such", 0, OFF_LATER), ENOENT);
    ACRE_CHECK_EQUAL(acre_segment_shrink_offline(ACRE_BUFFER, NULL, true), ENOTSUP);
    off_expect(name, OFF_SIZE, OFF_CAPACITY);
    acre_segment_remove(ACRE_SHM, name);
}

ACRE_TEST(offline, a_file_grows_too)
{
    char path[] = "/tmp/acre-offline-XXXXXX";
    acre_segment *s;
    int fd = mkstemp(path);
    ACRE_CHECK(fd >= 0 && close(fd) == 0 && unlink(path) == 0);
    acre_segment_options o = {.size = OFF_SIZE};
    ACRE_CHECK_EQUAL(acre_segment_create(&s, ACRE_FILE, path, &o), 0);
    acre_segment_close(s);
    ACRE_CHECK_EQUAL(acre_segment_grow_offline(ACRE_FILE, path, OFF_GROWN, OFF_LATER), 0);
    ACRE_CHECK_EQUAL(acre_segment_open(&s, ACRE_FILE, path, NULL), 0);
    ACRE_CHECK(acre_segment_size(s) == OFF_GROWN && acre_segment_capacity(s) == OFF_LATER);
    acre_segment_close(s);
    acre_segment_remove(ACRE_FILE, path);
}

/* ---- a damaged record ---- */

/* What no check belongs to is no record: it is as it was. */
ACRE_TEST(offline, a_record_without_its_check_is_none)
{
    const char *name = test_name();
    off_make(name, NULL);
    acre_segment *s = off_open(name);
    segment_header *h = acre_segment_base(s);
    h->redo = (segment_redo){OFF_LATER, OFF_GROWN, 12345};
    acre_segment_close(s);
    off_expect(name, OFF_SIZE, OFF_CAPACITY);
    acre_segment_remove(ACRE_SHM, name);
}

/* ---- kills ---- */

typedef struct off_victim {
    const char *name;
    int way;
} off_victim;

static void off_operate(const off_victim *v)
{
    acre_segment *s;
    if (v->way == 0)
        (void)acre_segment_grow_offline(ACRE_SHM, v->name, OFF_GROWN, OFF_LATER);
    else if (v->way == 1)
        (void)acre_segment_shrink_offline(ACRE_SHM, v->name, true);
    else if (acre_segment_open(&s, ACRE_SHM, v->name, NULL) == 0)
        acre_segment_close(s);
}

static void off_traced(void *arg)
{
    traced_begin();
    off_operate(arg);
    traced_end();
}

/* The victim does so many instructions and is killed by the kernel itself, whose part in it is to let go of
 * locks.  False: it was through. */
static bool off_kill_at(off_victim *v, size_t instructions)
{
    pid_t child = acre_test_spawn(off_traced, v);
    int signal = traced_wait(child);
    for (size_t i = 0; i < instructions; i++) {
        ACRE_CHECK(ptrace(PTRACE_SINGLESTEP, child, NULL, NULL) == 0);
        if ((signal = traced_wait(child)) == SIGSTOP)
            break;
    }
    kill(child, SIGKILL);
    acre_test_expect_killed(child);
    return signal != SIGSTOP;
}

/* What a survivor may find, and does: the old segment or the new one, at once. */
typedef struct off_count {
    size_t old, changed, between;
} off_count;

static void off_survive(const off_victim *v, off_count *n)
{
    acre_segment *s = off_open(v->name);
    size_t size = acre_segment_size(s), capacity = acre_segment_capacity(s);
    bool old = size == OFF_SIZE && capacity == OFF_CAPACITY;
    bool done = v->way == 1 ? size < OFF_SIZE && capacity == size : size == OFF_GROWN && capacity == OFF_LATER;
    bool between = v->way == 1 && size < OFF_SIZE && capacity == OFF_CAPACITY; /* two steps */
    ACRE_CHECK(old || done || between, "size %zu, capacity %zu", size, capacity);
    acre_segment_close(s);
    n->old += old, n->changed += done, n->between += between;
    off_expect(v->name, size, capacity);
    s = off_open(v->name);
    ACRE_CHECK_EQUAL(((segment_header *)acre_segment_base(s))->redo.check, 0);
    acre_segment_close(s);
}

/* Copies of the segment, each when an instruction has changed it, opened as files of their own: quicker than a
 * victim for each instruction, of which nearly all change nothing. */
typedef struct off_image {
    char name[80];
    char *now, *seen;
    size_t room;
    int fd;
} off_image;

static void off_image_open(off_image *m, const char *name)
{
    char path[128];
    snprintf(path, sizeof path, "/dev/shm/acre.%s", name);
    snprintf(m->name, sizeof m->name, "%s-copy", name);
    m->fd = open(path, O_RDONLY | O_CLOEXEC);
    m->seen = calloc(1, OFF_GROWN);
    ACRE_CHECK(m->fd >= 0 && m->seen);
    m->room = 0;
}

static void off_image_close(off_image *m)
{
    close(m->fd);
    free(m->seen);
}

static void off_copy(const char *name, const void *data, size_t n)
{
    char path[128];
    snprintf(path, sizeof path, "/dev/shm/acre.%s", name);
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    ACRE_CHECK(fd >= 0 && write(fd, data, n) == (ssize_t)n && close(fd) == 0);
}

/* True: it looks another way than before. */
static bool off_look(off_image *m)
{
    static char now[OFF_GROWN];
    ssize_t n = pread(m->fd, now, sizeof now, 0);
    ACRE_CHECK(n > 0);
    if ((size_t)n == m->room && memcmp(now, m->seen, m->room) == 0)
        return false;
    memcpy(m->seen, now, (size_t)n);
    m->room = (size_t)n;
    return true;
}

/* ---- each state ---- */

static void off_image_survive(off_image *m, const off_victim *v, off_count *n)
{
    off_victim w = {m->name, v->way};
    char *control = m->seen + ((segment_header *)m->seen)->heap;
    bury(control, m->seen + m->room);
    off_copy(m->name, m->seen, m->room);
    acre_segment *s;
    int e = acre_segment_open(&s, ACRE_SHM, m->name, &(acre_segment_options){.read_only = true});
    ACRE_CHECK(e == 0, "reading: %s", acre_strerror(e));
    acre_segment_close(s);
    off_survive(&w, n);
    ACRE_CHECK(acre_segment_remove(ACRE_SHM, m->name) == 0);
}

static void off_step(const char *name, int way, off_count *n)
{
    off_victim v = {name, way};
    off_image m;
    size_t steps = 0, states = 0;
    off_image_open(&m, name);
    off_look(&m);
    pid_t child = acre_test_spawn(off_traced, &v);
    for (int signal = traced_wait(child);; steps++) {
        ACRE_CHECK(ptrace(PTRACE_SINGLESTEP, child, NULL, NULL) == 0);
        if ((signal = traced_wait(child)) == SIGSTOP)
            break;
        if (off_look(&m)) {
            off_image_survive(&m, &v, n);
            states++;
        }
    }
    ptrace(PTRACE_CONT, child, NULL, NULL);
    acre_test_expect_exit(child, 0);
    off_image_close(&m);
    fprintf(stderr, "way %d: %zu instructions, %zu states: %zu old, %zu new, %zu between\n", way, steps, states,
            n->old, n->changed, n->between);
}

static void off_skip(void)
{
    const char *preload = getenv("LD_PRELOAD");
    if (preload && strstr(preload, "vgpreload"))
        acre_test_skip("valgrind does not let a child be traced");
}

ACRE_TEST(offline, growth_killed_at_every_instruction)
{
    const char *name = test_name();
    off_count n = {0};
    off_skip();
    off_make(name, NULL);
    off_step(name, 0, &n);
    off_expect(name, OFF_GROWN, OFF_LATER);
    ACRE_CHECK(n.old > 1 && n.changed > 3 && n.between == 0);
    acre_segment_remove(ACRE_SHM, name);
}

ACRE_TEST(offline, shrinking_killed_at_every_instruction)
{
    const char *name = test_name();
    off_count n = {0};
    off_skip();
    off_make(name, NULL);
    off_step(name, 1, &n);
    ACRE_CHECK(n.old > 1 && n.changed > 3 && n.between > 0);
    acre_segment_remove(ACRE_SHM, name);
}

/* Who finishes a dead one's work dies in it, too. */
ACRE_TEST(offline, finishing_killed_at_every_instruction)
{
    const char *name = test_name();
    off_count n = {0};
    off_skip();
    off_make(name, NULL);
    off_victim v = {name, 0};
    off_image m;
    off_image_open(&m, name);
    pid_t child = acre_test_spawn(off_traced, &v);
    for (bool found = false; !found;) { /* up to the record */
        traced_wait(child);
        found = off_look(&m) && ((segment_header *)m.seen)->redo.check;
        if (!found)
            ACRE_CHECK(ptrace(PTRACE_SINGLESTEP, child, NULL, NULL) == 0);
    }
    kill(child, SIGKILL);
    acre_test_expect_killed(child);
    off_image_close(&m);
    off_step(name, 2, &n);
    ACRE_CHECK(n.old == 0 && n.changed > 3);
    acre_segment_remove(ACRE_SHM, name);
}

/* Real deaths: the kernel lets go of the lock, and nobody waits. */
ACRE_TEST(offline, nobody_waits_for_who_was_killed)
{
    const char *name = test_name();
    uint64_t seed = acre_test_seed();
    off_count n = {0};
    off_skip();
    for (size_t i = 0; i < acre_test_rounds(60); i++) {
        off_victim v = {name, (int)(i % 2)};
        off_make(name, NULL);
        off_kill_at(&v, acre_test_below(&seed, 20000));
        off_survive(&v, &n);
    }
    ACRE_CHECK(n.old > 0);
    acre_segment_remove(ACRE_SHM, name);
}
