/* SPDX-License-Identifier: MIT */
/* Segments that grow by themselves: every way to allocate, every algorithm that can grow, limits, threads. */
#include "tests/support_heap.h"

#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "tests/bury.h"
#include "tests/support_traced.h"

enum { GROW_SIZE = 256 << 10, GROW_STEP = 128 << 10, GROW_LIMIT = 2 << 20, GROW_CAPACITY = 4 << 20 };

static acre_segment_options grow_options(const acre_algorithm *a)
{
    return (acre_segment_options){.size = GROW_SIZE, .capacity = GROW_CAPACITY, .algorithm = a, .heap = test_options,
                                  .grow_step = GROW_STEP, .grow_limit = GROW_LIMIT};
}

static acre_segment *grow_segment(const acre_algorithm *a)
{
    test_skip_flags(a, ACRE_REFERENCE);
    TEST_NEEDS(a, grow);
    return test_segment_in(ACRE_MEMFD, grow_options(a));
}

/* Segments end with their tests; what is told is how far this one has come. */
static void grow_at_limit(acre_segment *s)
{
    ACRE_CHECK_EQUAL(acre_segment_size(s), GROW_LIMIT);
    test_sound(acre_segment_heap(s));
    acre_segment_close(s);
}

static void alloc_fills_it_to_the_limit(const acre_algorithm *a)
{
    acre_segment *s = grow_segment(a);
    acre_heap *h = acre_segment_heap(s);
    size_t n = 0, last = GROW_SIZE, times = 0;
    for (char *p; (p = acre_alloc(h, 1000)); n++) {
        ACRE_CHECK(acre_segment_contains(s, p + 999));
        memset(p, 7, 1000);
        size_t size = acre_segment_size(s);
        ACRE_CHECK(size == last || size >= last + GROW_STEP || size == GROW_LIMIT, "%zu after %zu", size, last);
        times += size != last;
        last = size;
    }
    ACRE_CHECK(n * 1000 > GROW_LIMIT / 3, "%zu blocks", n);
    ACRE_CHECK(times <= (GROW_LIMIT - GROW_SIZE) / GROW_STEP, "%zu steps", times);
    grow_at_limit(s);
}

static void every_call_grows_it(const acre_algorithm *a)
{
    enum { MANY = 3 };
    const size_t block = 40000, twice = 2 * block;
    acre_off *root;
    void *out[MANY];
    acre_segment *s = grow_segment(a);
    acre_heap *h = acre_segment_heap(s);
    root = acre_segment_root(s);
    for (int way = 0; way < 8; way++) {
        acre_segment *t = test_segment_in(ACRE_MEMFD, grow_options(a));
        h = acre_segment_heap(t);
        root = acre_segment_root(t);
        acre_off *table = acre_calloc(h, MANY, sizeof *table);
        acre_resize_command c = {.flags = ACRE_NEW | ACRE_FORWARDS, .limit = block, .preferred = block};
        void *p = acre_alloc(h, 500);
        for (void *more = p; more && acre_heap_free_memory(h) >= block;)
            more = acre_alloc(h, 5000);
        ACRE_CHECK(table && p && acre_segment_size(t) == GROW_SIZE);
        memset(p, 9, 500);
        if (way == 0)
            p = acre_alloc_aligned(h, block, 4096);
        else if (way == 1)
            p = acre_calloc(h, twice / 2, 2);
        else if (way == 2)
            p = acre_realloc(h, p, twice);
        else if (way == 3)
            p = acre_resize(h, p, &c, NULL);
        else if (way == 4)
            ACRE_CHECK_EQUAL(acre_alloc_many(h, MANY, NULL, block, out), 0);
        else if (way == 5)
            ACRE_CHECK_EQUAL(acre_alloc_into(h, root, twice), 0);
        else if (way == 6)
            ACRE_CHECK_EQUAL(acre_alloc_many_into(h, MANY, NULL, block, table), 0);
        else
            p = acre_alloc(h, block);
        ACRE_CHECK(p, "way %d", way);
        ACRE_CHECK(way != 2 || (((char *)p)[0] == 9 && ((char *)p)[499] == 9));
        ACRE_CHECK(acre_segment_size(t) >= GROW_SIZE + GROW_STEP && acre_segment_size(t) <= GROW_LIMIT, "way %d: %zu",
                   way, acre_segment_size(t));
        test_sound(h);
        acre_segment_close(t);
    }
    acre_segment_close(s);
}

/* However small it was: a quarter of what it has grown to is one block, and a block of any size lets it grow. */
static void small_ones_have_large_blocks(const acre_algorithm *a)
{
    enum { MOST = 256 << 20 };
    test_skip_flags(a, ACRE_REFERENCE | ACRE_NO_FREE);
    TEST_NEEDS(a, grow);
    acre_segment_options o = grow_options(a);
    o.size = 64 << 10, o.capacity = MOST, o.grow_limit = 0;
    acre_segment *s = test_segment_in(ACRE_MEMFD, o);
    for (size_t size = 1 << 20; size <= 64 << 20; size *= 4) {
        ACRE_CHECK_EQUAL(acre_segment_grow(s, size), 0);
        void *p = acre_alloc(acre_segment_heap(s), size / 4 - size / 64);
        ACRE_CHECK(p && acre_segment_size(s) == size, "%zu", size);
        acre_free(acre_segment_heap(s), p);
    }
    ACRE_CHECK(acre_alloc(acre_segment_heap(s), 30 << 20));
    ACRE_CHECK(acre_alloc(acre_segment_heap(s), 60 << 20));
    test_sound(acre_segment_heap(s));
    acre_segment_close(s);
}

/* Nodes of slabs, by the calls that take no lock. */
ACRE_TEST(auto_grow, nodes_of_sharded_grow_it)
{
    acre_segment *s = grow_segment(acre_algorithm_find("sharded"));
    acre_heap *h = acre_segment_heap(s);
    enum { TABLE = 8000 };
    acre_off *table = acre_calloc(h, TABLE, sizeof *table);
    ACRE_CHECK(table);
    size_t n = 0;
    while (n < TABLE && acre_alloc_into(h, &table[n], 128) == 0)
        n++;
    ACRE_CHECK_EQUAL(n, TABLE);
    acre_local l;
    ACRE_CHECK_EQUAL(acre_local_open(&l, h), 0);
    while (acre_local_alloc(&l, 128))
        n++;
    ACRE_CHECK(n * 128 > GROW_LIMIT * 8 / 10, "%zu nodes", n);
    grow_at_limit(s);
}

static void what_has_no_room_at_the_limit_grows_nothing(const acre_algorithm *a)
{
    acre_segment *s = grow_segment(a);
    ACRE_CHECK(!acre_alloc(acre_segment_heap(s), GROW_LIMIT));
    ACRE_CHECK(!acre_alloc(acre_segment_heap(s), SIZE_MAX));
    ACRE_CHECK(!acre_alloc_aligned(acre_segment_heap(s), 8, GROW_CAPACITY));
    ACRE_CHECK_EQUAL(acre_segment_size(s), GROW_SIZE);
    acre_segment_close(s);
}

static void without_a_step_it_stays(const acre_algorithm *a)
{
    test_skip_flags(a, ACRE_REFERENCE);
    acre_segment_options o = {.size = GROW_SIZE, .capacity = GROW_CAPACITY, .algorithm = a};
    acre_segment *s = test_segment_in(ACRE_MEMFD, o);
    while (acre_alloc(acre_segment_heap(s), 1000))
        ;
    ACRE_CHECK_EQUAL(acre_segment_size(s), GROW_SIZE);
    acre_segment_info info;
    acre_segment_info_get(s, &info);
    ACRE_CHECK(info.grow_step == 0 && info.grow_limit == 0);
    acre_segment_close(s);
}

#define CASES(X, a)                                    \
    X(a, alloc_fills_it_to_the_limit)                  \
    X(a, every_call_grows_it)                          \
    X(a, small_ones_have_large_blocks)                 \
    X(a, what_has_no_room_at_the_limit_grows_nothing)  \
    X(a, without_a_step_it_stays)
#define ACRE_ALGORITHM(a) TEST_CASES_AND_PLAIN(CASES, a)
#include "alloc/algorithms.def"
#undef ACRE_ALGORITHM

/* ---- all agree ---- */

ACRE_TEST(auto_grow, who_opens_it_has_the_same_step_and_limit)
{
    acre_segment_options o = grow_options(NULL);
    acre_segment *s = test_segment_in(ACRE_MEMFD, o), *t;
    ACRE_CHECK_EQUAL(acre_segment_open(&t, ACRE_MEMFD, NULL, &(acre_segment_options){.fd = acre_segment_fd(s)}), 0);
    acre_segment_info info;
    acre_segment_info_get(t, &info);
    ACRE_CHECK_EQUAL(info.grow_step, GROW_STEP);
    ACRE_CHECK_EQUAL(info.grow_limit, GROW_LIMIT);
    ACRE_CHECK(acre_alloc(acre_segment_heap(t), 3 * GROW_SIZE));
    ACRE_CHECK(acre_segment_size(s) > 3 * GROW_SIZE);
    ACRE_CHECK(acre_alloc(acre_segment_heap(s), 1000));
    ACRE_CHECK_EQUAL(acre_segment_close(t), 0);
    acre_segment_close(s);
}

ACRE_TEST(auto_grow, bad_options_are_refused)
{
    static char buffer[1 << 16] __attribute__((aligned(16)));
    acre_segment *s;
    acre_segment_options o = grow_options(NULL);
    o.grow_limit = GROW_SIZE - 4096;
    ACRE_CHECK_EQUAL(acre_segment_create(&s, ACRE_MEMFD, NULL, &o), EINVAL);
    o.grow_limit = GROW_LIMIT, o.grow_step = 0;
    ACRE_CHECK_EQUAL(acre_segment_create(&s, ACRE_MEMFD, NULL, &o), EINVAL);
    o.grow_step = SIZE_MAX;
    ACRE_CHECK_EQUAL(acre_segment_create(&s, ACRE_MEMFD, NULL, &o), ACRE_ETOOBIG);
    o = (acre_segment_options){.size = sizeof buffer, .buffer = buffer, .grow_step = 4096};
    ACRE_CHECK_EQUAL(acre_segment_create(&s, ACRE_BUFFER, NULL, &o), ENOTSUP);
}

/* ---- no room ---- */

static void grow_in_small_window(void *arg)
{
    acre_segment *s;
    struct rlimit limit = {(rlim_t)acre_segment_fd(arg), RLIM_INFINITY};
    acre_segment_options o = {.fd = acre_segment_fd(arg)};
    FILE *f = fopen("/proc/self/statm", "r");
    size_t pages = 0;
    ACRE_CHECK(f && fscanf(f, "%zu", &pages) == 1 && fclose(f) == 0);
    limit.rlim_cur = pages * 4096 + (GROW_CAPACITY << 4) / 2 + (1 << 20);
    ACRE_CHECK_EQUAL(setrlimit(RLIMIT_AS, &limit), 0);
    ACRE_CHECK_EQUAL(acre_segment_open(&s, ACRE_MEMFD, NULL, &o), 0);
    size_t n = 0;
    while (acre_alloc(acre_segment_heap(s), 100000)) {
        n++;
        ACRE_CHECK(n <= (GROW_CAPACITY << 4) / 2 / 100000, "beyond the window");
    }
    ACRE_CHECK(n > 10 && acre_segment_size(s) <= (GROW_CAPACITY << 4) / 2);
    test_sound(acre_segment_heap(s));
}

/* Its window is the limit of who has a small one; others go on. */
ACRE_TEST(auto_grow, a_small_window_is_no_crash)
{
#ifdef __SANITIZE_ADDRESS__
    acre_test_skip("address space is the sanitizer's");
#endif
    acre_segment_options o = {.size = GROW_SIZE, .capacity = (size_t)GROW_CAPACITY << 4, .grow_step = GROW_STEP};
    acre_segment *s = test_segment_in(ACRE_MEMFD, o);
    acre_test_run(grow_in_small_window, s);
    ACRE_CHECK(acre_alloc(acre_segment_heap(s), GROW_CAPACITY * 8));
    acre_segment_close(s);
}

/* A stranger's file may say that it grows by all that the disk has. */
ACRE_TEST(auto_grow, who_opens_sets_a_limit)
{
    acre_segment_options o = {.size = GROW_SIZE, .capacity = GROW_CAPACITY, .grow_step = GROW_CAPACITY};
    acre_segment *s = test_segment_in(ACRE_MEMFD, o), *mine;
    acre_segment_options limited = {.fd = acre_segment_fd(s), .grow_limit = GROW_SIZE + GROW_STEP};
    ACRE_CHECK_EQUAL(acre_segment_open(&mine, ACRE_MEMFD, NULL, &limited), 0);
    while (acre_alloc(acre_segment_heap(mine), 1000))
        ;
    ACRE_CHECK_EQUAL(acre_segment_size(mine), GROW_SIZE + GROW_STEP);
    ACRE_CHECK(acre_alloc(acre_segment_heap(s), 1000));
    ACRE_CHECK_EQUAL(acre_segment_size(mine), GROW_CAPACITY);
    ACRE_CHECK(acre_alloc(acre_segment_heap(mine), 1000)); /* there is room */
    test_sound(acre_segment_heap(s));
    acre_segment_close(mine);
    acre_segment_close(s);
}

static void grow_in_small_files(void *arg)
{
    acre_segment *s = arg;
    struct rlimit limit = {GROW_SIZE + 2 * GROW_STEP - 8192, RLIM_INFINITY};
    ACRE_CHECK_EQUAL(setrlimit(RLIMIT_FSIZE, &limit), 0);
    while (acre_alloc(acre_segment_heap(s), 1000))
        ;
    ACRE_CHECK_EQUAL(acre_segment_size(s), GROW_SIZE + GROW_STEP);
    test_sound(acre_segment_heap(s));
}

ACRE_TEST(auto_grow, a_file_that_may_not_grow_is_a_null)
{
    acre_segment *s = test_segment_in(ACRE_MEMFD, grow_options(NULL));
    acre_test_run(grow_in_small_files, s);
    acre_segment_close(s);
}

/* ---- many at once ---- */

enum { GROW_THREADS = 8 };

typedef struct grow_thread {
    acre_heap *h;
    pthread_barrier_t *start;
    size_t bytes;
    void *got;
} grow_thread;

static void *grow_run(void *arg)
{
    grow_thread *t = arg;
    pthread_barrier_wait(t->start);
    t->got = acre_alloc(t->h, t->bytes);
    acre_heap_detach(t->h);
    return NULL;
}

/* Each needs more than there is, all together less than one step. */
static void grow_together(const acre_algorithm *a, size_t bytes)
{
    acre_segment_options o = grow_options(a);
    o.grow_step = 16 * bytes, o.grow_limit = 0, o.capacity = 64 * bytes + GROW_SIZE;
    acre_segment *s = test_segment_in(ACRE_MEMFD, o);
    acre_heap *h = acre_segment_heap(s);
    pthread_t id[GROW_THREADS];
    pthread_barrier_t start;
    grow_thread t[GROW_THREADS];
    pthread_barrier_init(&start, NULL, GROW_THREADS);
    for (int i = 0; i < GROW_THREADS; i++) {
        t[i] = (grow_thread){h, &start, bytes, NULL};
        ACRE_CHECK_EQUAL(pthread_create(&id[i], NULL, grow_run, &t[i]), 0);
    }
    for (int i = 0; i < GROW_THREADS; i++)
        ACRE_CHECK_EQUAL(pthread_join(id[i], NULL), 0);
    for (int i = 0; i < GROW_THREADS; i++)
        ACRE_CHECK(t[i].got);
    ACRE_CHECK_EQUAL(acre_segment_size(s), GROW_SIZE + o.grow_step);
    test_sound(h);
    acre_segment_close(s);
}

ACRE_TEST(auto_grow, threads_that_need_it_at_once_grow_it_once)
{
    for (size_t i = 0; i < acre_test_rounds(40); i++) {
        grow_together(acre_algorithm_find("rbtree_best_fit"), GROW_SIZE);
        grow_together(acre_algorithm_find("sharded"), GROW_SIZE);
    }
}

/* ---- kills ---- */

enum { GROW_MANY = 6 };

typedef struct grow_victim {
    acre_segment *s;
    acre_off *slots;
    size_t bytes;
} grow_victim;

static void grow_traced(void *arg)
{
    grow_victim *v = arg;
    traced_begin();
    (void)!acre_alloc_many_into(acre_segment_heap(v->s), GROW_MANY, NULL, v->bytes, v->slots);
    traced_end();
}

/* In a copy: all slots are filled or none; the size is what it was, or more by whole steps. */
static bool grow_survives(const grow_victim *v, char *image, int fd, size_t least)
{
    acre_segment *s;
    size_t size = acre_segment_size(v->s), filled = 0;
    ACRE_CHECK(ftruncate(fd, (off_t)size) == 0);
    memcpy(image, acre_segment_base(v->s), size);
    bury(image + 256, image + size);
    ACRE_CHECK_EQUAL(acre_segment_open(&s, ACRE_MEMFD, NULL, &(acre_segment_options){.fd = fd}), 0);
    test_sound(acre_segment_heap(s));
    const acre_off *slots = acre_segment_address(s, acre_segment_offset(v->s, v->slots));
    for (int i = 0; i < GROW_MANY; i++)
        filled += slots[i] != 0;
    ACRE_CHECK(filled == 0 || filled == GROW_MANY, "%zu slots of %d are filled", filled, GROW_MANY);
    ACRE_CHECK((acre_segment_size(s) - least) % 4096 == 0 && acre_segment_size(s) >= least);
    acre_segment_close(s);
    return filled;
}

/* Several growths in one call, whose slots are all filled or none. */
ACRE_TEST(auto_grow, many_into_slots_killed_at_every_instruction)
{
    const char *preload = getenv("LD_PRELOAD");
    if (preload && strstr(preload, "vgpreload"))
        acre_test_skip("valgrind does not let a child be traced");
    enum { SIZE = 16 << 10, MOST = 128 << 10, BYTES = 6000 };
    acre_segment_options o = {.size = SIZE, .capacity = MOST, .grow_step = 8 << 10, .index = ACRE_INDEX_NONE};
    acre_segment *s = test_segment_in(ACRE_MEMFD, o);
    grow_victim v = {s, acre_calloc(acre_segment_heap(s), GROW_MANY, sizeof(acre_off)), BYTES};
    char *seen = calloc(1, MOST);
    int fd = memfd_create("survivor", MFD_CLOEXEC);
    ACRE_CHECK(v.slots && seen && fd >= 0 && ftruncate(fd, MOST) == 0);
    char *image = mmap(NULL, MOST, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    ACRE_CHECK(image != MAP_FAILED);
    size_t before = 0, after = 0;
    pid_t child = acre_test_spawn(grow_traced, &v);
    ACRE_CHECK_EQUAL(traced_wait(child), SIGSTOP);
    for (;;) {
        ACRE_CHECK(ptrace(PTRACE_SINGLESTEP, child, NULL, NULL) == 0);
        if (traced_wait(child) == SIGSTOP)
            break;
        size_t size = acre_segment_size(s);
        if (memcmp(seen, acre_segment_base(s), size) == 0)
            continue;
        memcpy(seen, acre_segment_base(s), size);
        grow_survives(&v, image, fd, SIZE) ? after++ : before++;
    }
    ptrace(PTRACE_CONT, child, NULL, NULL);
    acre_test_expect_exit(child, 0);
    fprintf(stderr, "%zu states: %zu undone, %zu done\n", before + after, before, after);
    ACRE_CHECK(before > 20 && after > 0 && acre_segment_size(s) > SIZE + 2 * o.grow_step);
    munmap(image, MOST);
    close(fd);
    free(seen);
    acre_segment_close(s);
}
