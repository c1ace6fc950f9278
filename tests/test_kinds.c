/* SPDX-License-Identifier: MIT */
/* Kinds of segments: System V shared memory, heaps that move, buffers that were copied into larger ones,
 * memfds over sockets, flushing and advice, guards. */
#include "tests/support_heap.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/shm.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

enum { SIZE = 64 << 10, BIG = 1 << 20, RACERS = 6 };

static const acre_segment_options defaults = {.size = SIZE};

/* A key that no other test has. */
static const char *test_key(void)
{
    static char key[4][32];
    static unsigned next;
    char *k = key[next++ % 4];
    snprintf(k, sizeof key[0], "0x%08x", 0x40000000u + (unsigned)getpid() * 16 + next);
    return k;
}

static key_t key_number(const char *key)
{
    return (key_t)strtoul(key, NULL, 0);
}

static double seconds_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

static int count_descriptors(void)
{
    DIR *d = opendir("/proc/self/fd");
    int n = 0;
    ACRE_CHECK(d);
    while (readdir(d))
        n++;
    closedir(d);
    return n;
}

/* ---- System V ---- */

ACRE_TEST(kinds, xsi_is_created_opened_removed_A26_A39)
{
    const char *key = test_key();
    acre_segment *s, *again;
    ACRE_CHECK_EQUAL(acre_segment_open(&s, ACRE_XSI, key, NULL), ENOENT);
    ACRE_CHECK_EQUAL(acre_segment_create(&s, ACRE_XSI, key, &defaults), 0);
    ACRE_CHECK_EQUAL(acre_segment_create(&again, ACRE_XSI, key, &defaults), EEXIST);
    ACRE_CHECK_EQUAL(acre_alloc_into(acre_segment_heap(s), acre_segment_root(s), 100), 0);
    test_fill(acre_segment_address(s, *acre_segment_root(s)), 100, 3);
    ACRE_CHECK_EQUAL(acre_segment_open(&again, ACRE_XSI, key, NULL), 0);
    ACRE_CHECK(acre_segment_base(again) != acre_segment_base(s));
    ACRE_CHECK_EQUAL(acre_segment_xsi_id(again), acre_segment_xsi_id(s));
    acre_segment_close(s);
    ACRE_CHECK(test_filled(acre_segment_address(again, *acre_segment_root(again)), 100, 3));
    acre_segment_close(again);
    ACRE_CHECK_EQUAL(acre_segment_open(&s, ACRE_XSI, key, NULL), 0);
    ACRE_CHECK(test_filled(acre_segment_address(s, *acre_segment_root(s)), 100, 3));
    ACRE_CHECK_EQUAL(acre_segment_remove(ACRE_XSI, key), 0);
    ACRE_CHECK_EQUAL(acre_segment_remove(ACRE_XSI, key), ENOENT);
    ACRE_CHECK_EQUAL(acre_segment_open(&again, ACRE_XSI, key, NULL), ENOENT);
    ACRE_CHECK_EQUAL(acre_free_from(acre_segment_heap(s), acre_segment_root(s)), 0);
    ACRE_CHECK_EQUAL(acre_segment_create(&again, ACRE_XSI, key, &defaults), 0);
    ACRE_CHECK(acre_segment_xsi_id(again) != acre_segment_xsi_id(s) &&
               acre_heap_all_free(acre_segment_heap(again)));
    ACRE_CHECK_EQUAL(acre_segment_remove(ACRE_XSI, key), 0);
    acre_segment_close(s);
    acre_segment_close(again);
}

ACRE_TEST(kinds, xsi_is_whole_and_does_not_grow)
{
    const char *key = test_key();
    acre_segment_options o = {.size = SIZE - 100}, odd = {.size = SIZE, .capacity = BIG};
    acre_segment *s, *view;
    ACRE_CHECK_EQUAL(acre_segment_create(&s, ACRE_XSI, key, &odd), EINVAL);
    odd = (acre_segment_options){.size = SIZE, .mode = 04600};
    ACRE_CHECK_EQUAL(acre_segment_create(&s, ACRE_XSI, key, &odd), EINVAL);
    ACRE_CHECK_EQUAL(acre_segment_create(&s, ACRE_XSI, key, &o), 0);
    ACRE_CHECK(acre_segment_size(s) == SIZE && acre_segment_capacity(s) == SIZE);
    ACRE_CHECK_EQUAL(acre_segment_grow(s, BIG), ENOTSUP);
    ACRE_CHECK_EQUAL(acre_segment_shrink(s, 1), ENOTSUP);
    o = (acre_segment_options){.access = ACRE_ACCESS_COPY};
    ACRE_CHECK_EQUAL(acre_segment_open(&view, ACRE_XSI, key, &o), ENOTSUP);
    o = (acre_segment_options){.address = acre_segment_base(s)};
    ACRE_CHECK_EQUAL(acre_segment_open(&view, ACRE_XSI, key, &o), EBUSY);
    o = (acre_segment_options){.read_only = true};
    ACRE_CHECK_EQUAL(acre_segment_open(&view, ACRE_XSI, key, &o), 0);
    ACRE_CHECK(!acre_alloc(acre_segment_heap(view), 10));
    acre_segment_close(view);
    ACRE_CHECK(acre_alloc(acre_segment_heap(s), 10));
    ACRE_CHECK_EQUAL(acre_segment_remove(ACRE_XSI, key), 0);
    acre_segment_close(s);
}

ACRE_TEST(kinds, xsi_without_a_key_is_opened_by_its_id)
{
    acre_segment *s, *other;
    ACRE_CHECK_EQUAL(acre_segment_create(&s, ACRE_XSI, NULL, &defaults), 0);
    acre_segment_options o = {.xsi_id = acre_segment_xsi_id(s)};
    *acre_segment_root(s) = 9;
    ACRE_CHECK_EQUAL(acre_segment_open(&other, ACRE_XSI, NULL, &o), 0);
    ACRE_CHECK_EQUAL(*acre_segment_root(other), 9);
    ACRE_CHECK(shmctl(o.xsi_id, IPC_RMID, NULL) == 0);
    acre_segment_close(other);
    acre_segment_close(s);
    ACRE_CHECK_EQUAL(acre_segment_open(&other, ACRE_XSI, NULL, &o), ENOENT);
    o.xsi_id = -5;
    ACRE_CHECK_EQUAL(acre_segment_open(&other, ACRE_XSI, NULL, &o), ENOENT);
}

ACRE_TEST(kinds, bad_keys_are_refused)
{
    static const char *const bad[] = {"",
                                      "0",
                                      "0x",
                                      "0x0",
                                      "abc",
                                      "-1",
                                      "+1",
                                      " 1",
                                      "1 ",
                                      "0x1g",
                                      "4294967296",
                                      "0x100000000",
                                      "99999999999999999999999"};
    acre_segment *s;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ACRE_CHECK(acre_segment_create(&s, ACRE_XSI, bad[i], &defaults) == ACRE_ENAME, "%s",
                   bad[i]);
        ACRE_CHECK(acre_segment_open(&s, ACRE_XSI, bad[i], NULL) == ACRE_ENAME, "%s", bad[i]);
        ACRE_CHECK(acre_segment_remove(ACRE_XSI, bad[i]) == ACRE_ENAME, "%s", bad[i]);
    }
    ACRE_CHECK_EQUAL(acre_segment_remove(ACRE_XSI, NULL), ACRE_ENAME);
}

/* What a creator leaves that dies before the magic, and what was never acre's. */
ACRE_TEST(kinds, xsi_that_is_not_whole_is_no_segment_and_can_be_removed)
{
    const char *key = test_key();
    acre_segment *s = NULL;
    int id = shmget(key_number(key), SIZE, IPC_CREAT | IPC_EXCL | 0600);
    char *p = shmat(id, NULL, 0);
    ACRE_CHECK(id >= 0 && p != (void *)-1);
    double start = seconds_now();
    ACRE_CHECK_EQUAL(acre_segment_open(&s, ACRE_XSI, key, NULL), EAGAIN); /* its creator may live */
    ACRE_CHECK_EQUAL(acre_segment_remove(ACRE_XSI, key), EBUSY);
    ACRE_CHECK(shmdt(p) == 0);
    ACRE_CHECK_EQUAL(acre_segment_open(&s, ACRE_XSI, key, NULL), ACRE_EFORMAT);
    ACRE_CHECK(seconds_now() - start > 1.9);
    ACRE_CHECK_EQUAL(acre_segment_remove(ACRE_XSI, key), 0);
    ACRE_CHECK_EQUAL(acre_segment_open(&s, ACRE_XSI, key, NULL), ENOENT);
    id = shmget(key_number(key), SIZE, IPC_CREAT | IPC_EXCL | 0600);
    p = shmat(id, NULL, 0);
    ACRE_CHECK(id >= 0 && p != (void *)-1);
    strcpy(p, "Dear Sir");
    ACRE_CHECK(shmdt(p) == 0);
    start = seconds_now();
    ACRE_CHECK_EQUAL(acre_segment_open(&s, ACRE_XSI, key, NULL), ACRE_EFORMAT);
    ACRE_CHECK(seconds_now() - start < 0.9);
    ACRE_CHECK_EQUAL(acre_segment_remove(ACRE_XSI, key), ACRE_EFORMAT);
    ACRE_CHECK(shmctl(id, IPC_RMID, NULL) == 0 && !s);
}

static void race(void *arg)
{
    acre_segment *s;
    acre_segment_options o = {.size = 8 * BIG};
    for (int i = 0; i < 20; i++) {
        bool created;
        int e = acre_segment_open_or_create(&s, ACRE_XSI, arg, &o, &created);
        ACRE_CHECK(e == 0, "%s", acre_strerror(e));
        ACRE_CHECK(acre_heap_free_memory(acre_segment_heap(s)) > 4 * BIG);
        if (created)
            ACRE_CHECK_EQUAL(__atomic_add_fetch(acre_segment_root(s), 1, __ATOMIC_SEQ_CST), 1);
        acre_segment_close(s);
    }
}

ACRE_TEST(kinds, one_of_several_creates_xsi_and_all_find_it_whole_A26)
{
    const char *key = test_key();
    pid_t child[RACERS];
    acre_segment *s;
    for (int i = 0; i < RACERS; i++)
        child[i] = acre_test_spawn(race, (void *)key);
    for (int i = 0; i < RACERS; i++)
        acre_test_expect_exit(child[i], 0);
    ACRE_CHECK_EQUAL(acre_segment_open(&s, ACRE_XSI, key, NULL), 0);
    ACRE_CHECK_EQUAL(*acre_segment_root(s), 1);
    ACRE_CHECK_EQUAL(acre_segment_remove(ACRE_XSI, key), 0);
    acre_segment_close(s);
}

static void create_for_ever(void *arg)
{
    acre_segment_options o = {.size = 4 * BIG};
    acre_segment *s;
    for (;;)
        if (acre_segment_create(&s, ACRE_XSI, arg, &o) == 0) {
            acre_segment_close(s);
            acre_segment_remove(ACRE_XSI, arg);
        }
}

/* Whatever it had come to: a segment, none, or one that is not whole; removed, it is gone. */
ACRE_TEST(kinds, a_creator_of_xsi_is_killed)
{
    const char *key = test_key();
    int unfinished = 0;
    for (unsigned i = 0; i < 40 && unfinished < 3; i++) {
        acre_segment *s = NULL;
        pid_t child = acre_test_spawn(create_for_ever, (void *)key);
        usleep(3000 + i * 531 % 3000);
        ACRE_CHECK(kill(child, SIGKILL) == 0);
        acre_test_expect_killed(child);
        int e = acre_segment_open(&s, ACRE_XSI, key, NULL);
        ACRE_CHECK(e == 0 || e == ENOENT || e == ACRE_EFORMAT, "%s", acre_strerror(e));
        unfinished += e == ACRE_EFORMAT;
        if (!e)
            test_sound(acre_segment_heap(s));
        acre_segment_close(s);
        ACRE_CHECK_EQUAL(acre_segment_remove(ACRE_XSI, key), e == ENOENT ? ENOENT : 0);
    }
    ACRE_CHECK(unfinished > 0);
}

/* ---- modes ---- */

static mode_t mode_of(acre_segment *s)
{
    struct shmid_ds d;
    struct stat st;
    if (acre_segment_fd(s) >= 0) {
        ACRE_CHECK(fstat(acre_segment_fd(s), &st) == 0);
        return st.st_mode & 07777;
    }
    ACRE_CHECK(shmctl(acre_segment_xsi_id(s), IPC_STAT, &d) == 0);
    return d.shm_perm.mode & 0777;
}

static void expect_mode(enum acre_source source, mode_t mask, mode_t asked)
{
    char path[64];
    snprintf(path, sizeof path, "/tmp/acre-test-mode-%d", (int)getpid());
    const char *name = source == ACRE_XSI ? test_key() : source == ACRE_FILE ? path : test_name();
    acre_segment_options o = {.size = SIZE, .mode = asked};
    acre_segment *s;
    mode_t before = umask(mask);
    int e = acre_segment_create(&s, source, name, &o);
    umask(before);
    ACRE_CHECK_EQUAL(e, 0);
    ACRE_CHECK_EQUAL(mode_of(s), asked ? asked : 0600);
    ACRE_CHECK_EQUAL(acre_segment_remove(source, name), source == ACRE_MEMFD ? ENOTSUP : 0);
    acre_segment_close(s);
}

ACRE_TEST(kinds, modes_are_exact_in_every_source_A38)
{
    static const enum acre_source sources[] = {ACRE_SHM, ACRE_FILE, ACRE_MEMFD, ACRE_XSI};
    static const mode_t masks[] = {077, 000}, modes[] = {0, 0600, 0640, 0666, 0604, 0777};
    for (size_t i = 0; i < 4; i++)
        for (size_t m = 0; m < 2; m++)
            for (size_t k = 0; k < 6; k++)
                expect_mode(sources[i], masks[m], modes[k]);
}

/* ---- flushing and advice ---- */

static acre_segment *temporary_file(char *path)
{
    acre_segment *s;
    snprintf(path, 64, "/tmp/acre-test-flush-%d", (int)getpid());
    ACRE_CHECK_EQUAL(acre_segment_create(&s, ACRE_FILE, path,
                                         &(acre_segment_options){.size = SIZE, .capacity = BIG}),
                     0);
    return s;
}

ACRE_TEST(kinds, any_part_is_flushed_A37)
{
    char path[64];
    acre_segment *s = temporary_file(path);
    ACRE_CHECK(acre_alloc(acre_segment_heap(s), SIZE / 2));
    for (int how = ACRE_FLUSH_WAIT; how <= ACRE_FLUSH_START; how++) {
        static const size_t at[] = {0, 1, 4095, 4096, 4097, SIZE - 1, SIZE},
                            length[] = {0, 1, 17, 4096, 10000, SIZE};
        for (size_t i = 0; i < 7; i++)
            for (size_t k = 0; k < 6; k++)
                ACRE_CHECK_EQUAL(acre_segment_flush(s, at[i], length[k], (enum acre_flush)how),
                                 at[i] + length[k] <= SIZE ? 0 : EINVAL);
    }
    ACRE_CHECK_EQUAL(acre_segment_flush(s, 1, SIZE_MAX, ACRE_FLUSH_WAIT), EINVAL);
    ACRE_CHECK_EQUAL(acre_segment_flush(s, SIZE_MAX, 1, ACRE_FLUSH_WAIT), EINVAL);
    ACRE_CHECK_EQUAL(acre_segment_flush(s, 0, 1, (enum acre_flush)2), EINVAL);
    acre_segment_close(s);
    ACRE_CHECK_EQUAL(
        acre_segment_open(&s, ACRE_FILE, path, &(acre_segment_options){.access = ACRE_ACCESS_COPY}),
        0);
    ACRE_CHECK_EQUAL(acre_segment_flush(s, 0, SIZE, ACRE_FLUSH_WAIT), ENOTSUP);
    acre_segment_close(s);
    ACRE_CHECK_EQUAL(acre_segment_remove(ACRE_FILE, path), 0);
}

/* Whatever the advice, everything is still there. */
static void advise(acre_segment *s, bool forgets)
{
    ACRE_CHECK_EQUAL(acre_alloc_into(acre_segment_heap(s), acre_segment_root(s), SIZE / 2), 0);
    test_fill(acre_segment_address(s, *acre_segment_root(s)), SIZE / 2, 5);
    for (int a = ACRE_ADVICE_NORMAL; a <= ACRE_ADVICE_DONTNEED; a++)
        for (size_t at = 0; at <= SIZE; at += 4097) {
            int e = acre_segment_advise(s, at, SIZE - at, (enum acre_advice)a);
            if (a == ACRE_ADVICE_DONTNEED && forgets)
                ACRE_CHECK_EQUAL(e, ENOTSUP);
            else
                ACRE_CHECK(e == 0 || (e == ENOTSUP && a == ACRE_ADVICE_WILLNEED), "%d: %s", a,
                           acre_strerror(e));
            ACRE_CHECK(test_filled(acre_segment_address(s, *acre_segment_root(s)), SIZE / 2, 5));
        }
    ACRE_CHECK_EQUAL(acre_segment_advise(s, 0, 1, (enum acre_advice)5), EINVAL);
    ACRE_CHECK_EQUAL(acre_segment_advise(s, 1, SIZE, ACRE_ADVICE_NORMAL), EINVAL);
    test_sound(acre_segment_heap(s));
    acre_segment_close(s);
}

ACRE_TEST(kinds, advice_loses_nothing_A37)
{
    static char buffer[SIZE] __attribute__((aligned(64)));
    static const enum acre_source sources[] = {ACRE_MEMFD, ACRE_ANON, ACRE_XSI, ACRE_HEAP};
    char path[64];
    acre_segment *s = temporary_file(path);
    ACRE_CHECK_EQUAL(acre_segment_remove(ACRE_FILE, path), 0);
    advise(s, false);
    for (size_t i = 0; i < 4; i++) {
        ACRE_CHECK_EQUAL(acre_segment_create(&s, sources[i], NULL, &defaults), 0);
        if (sources[i] == ACRE_XSI)
            ACRE_CHECK(shmctl(acre_segment_xsi_id(s), IPC_RMID, NULL) == 0);
        advise(s, sources[i] == ACRE_HEAP);
    }
    ACRE_CHECK_EQUAL(acre_segment_create(&s, ACRE_BUFFER, NULL,
                                         &(acre_segment_options){.size = SIZE, .buffer = buffer}),
                     0);
    ACRE_CHECK_EQUAL(acre_segment_advise(s, 0, SIZE, ACRE_ADVICE_NORMAL), ENOTSUP);
    acre_segment_close(s);
}

/* ---- heaps that move, buffers that were moved ---- */

/* A list of numbered blocks in the root; fill until there is no memory. */
typedef struct node {
    acre_off next;
    uint64_t number;
} node;

static uint64_t fill_list(acre_segment *s, uint64_t from)
{
    node *n;
    while ((n = acre_alloc(acre_segment_heap(s), sizeof *n + from % 50))) {
        *n = (node){*acre_segment_root(s), from++};
        *acre_segment_root(s) = acre_segment_offset(s, n);
    }
    return from;
}

static void expect_list(acre_segment *s, uint64_t count)
{
    acre_off at = *acre_segment_root(s);
    for (; count--; at = ((node *)acre_segment_address(s, at))->next)
        ACRE_CHECK(at && ((node *)acre_segment_address(s, at))->number == count);
    ACRE_CHECK(at == 0);
    test_sound(acre_segment_heap(s));
}

static void grow_by_moving(const acre_algorithm *a)
{
    acre_segment_options o = {.size = SIZE, .algorithm = a};
    acre_segment *s;
    ACRE_CHECK_EQUAL(acre_segment_create(&s, ACRE_HEAP, NULL, &o), 0);
    uint64_t n = fill_list(s, 0);
    if (acre_segment_grow(s, SIZE) == ENOTSUP) {
        acre_segment_close(s);
        return;
    }
    for (size_t size = 2 * SIZE; size <= 4 * BIG; size *= 4) {
        /* What lies behind it is somebody's. */
        acre_segment *wall;
        o.address =
            (char *)acre_segment_base(s) + ((acre_segment_capacity(s) + 4095) & ~(size_t)4095);
        int e = acre_segment_create(&wall, ACRE_HEAP, NULL, &o);
        ACRE_CHECK(e == 0 || e == EBUSY);
        void *before = acre_segment_base(s);
        ACRE_CHECK_EQUAL(acre_segment_advise(s, 4096, 4096, ACRE_ADVICE_RANDOM), 0);
        ACRE_CHECK(acre_segment_grow(s, size) == 0, "%s", a->name);
        ACRE_CHECK(acre_segment_base(s) != before && acre_segment_size(s) == size &&
                   acre_segment_capacity(s) == size);
        expect_list(s, n);
        uint64_t more = fill_list(s, n);
        ACRE_CHECK(more > n, "%s", a->name);
        n = more;
        expect_list(s, n);
        if (!e)
            acre_segment_close(wall);
    }
    acre_segment_close(s);
}

ACRE_TEST(kinds, private_heaps_grow_by_moving_A30)
{
    for (size_t i = 0; acre_algorithm_at(i); i++)
        if (!(acre_algorithm_at(i)->flags & ACRE_REFERENCE))
            grow_by_moving(acre_algorithm_at(i));
}

ACRE_TEST(kinds, a_heap_does_not_move_while_it_cannot)
{
    acre_segment *s;
    ACRE_CHECK_EQUAL(acre_segment_create(&s, ACRE_HEAP, NULL, &defaults), 0);
    acre_mutex *m = acre_alloc(acre_segment_heap(s), sizeof *m);
    acre_mutex_init(m);
    ACRE_CHECK_EQUAL(acre_mutex_lock(m), 0);
    void *before = acre_segment_base(s);
    ACRE_CHECK_EQUAL(acre_segment_grow(s, BIG), EBUSY);
    ACRE_CHECK(acre_segment_base(s) == before && acre_segment_size(s) == SIZE);
    ACRE_CHECK_EQUAL(acre_mutex_unlock(m), 0);
    ACRE_CHECK_EQUAL(acre_segment_grow(s, BIG), 0);
    ACRE_CHECK_EQUAL(acre_segment_grow(s, SIZE_MAX), E2BIG);
    acre_segment_close(s);
    ACRE_CHECK_EQUAL(acre_segment_create(&s, ACRE_ANON, NULL, &defaults), 0);
    ACRE_CHECK_EQUAL(acre_segment_grow(s, BIG), E2BIG);
    acre_segment_close(s);
}

static void *moved_copy(const void *from, size_t size, size_t room)
{
    char *p = aligned_alloc(64, room);
    ACRE_CHECK(p);
    memset(p, 0xa5, room);
    return memcpy(p, from, size);
}

static void grow_a_copy(const acre_algorithm *a, bool zeroed)
{
    char *first = aligned_alloc(64, SIZE);
    acre_segment_options o = {.size = SIZE, .buffer = first, .algorithm = a};
    acre_segment *s;
    ACRE_CHECK_EQUAL(acre_segment_create(&s, ACRE_BUFFER, NULL, &o), 0);
    ACRE_CHECK_EQUAL(acre_segment_grow(s, SIZE + 1), a->grow ? E2BIG : ENOTSUP);
    zeroed = zeroed && acre_heap_zero_free(acre_segment_heap(s)) == 0;
    uint64_t n = fill_list(s, 0);
    acre_segment_close(s);
    o = (acre_segment_options){.size = 3 * SIZE, .buffer = moved_copy(first, SIZE, 3 * SIZE)};
    memset(first, 0x5a, SIZE);
    free(first);
    ACRE_CHECK_EQUAL(acre_segment_open(&s, ACRE_BUFFER, NULL, &o), 0);
    expect_list(s, n);
    ACRE_CHECK_EQUAL(acre_segment_capacity(s), 3 * SIZE);
    if (a->grow) {
        ACRE_CHECK_EQUAL(acre_segment_grow(s, 3 * SIZE + 1), E2BIG);
        ACRE_CHECK(acre_segment_grow(s, 2 * SIZE + 100) == 0, "%s", a->name);
        uint64_t more = fill_list(s, n);
        ACRE_CHECK(more > n && acre_segment_size(s) == 2 * SIZE + 100, "%s", a->name);
        expect_list(s, n = more);
        acre_segment_close(s);
        ACRE_CHECK_EQUAL(acre_segment_open(&s, ACRE_BUFFER, NULL, &o), 0);
        ACRE_CHECK_EQUAL(acre_segment_grow(s, 3 * SIZE), 0);
        void *p = zeroed ? acre_alloc(acre_segment_heap(s), 20000) : NULL;
        for (size_t i = 0; p && i < 20000; i++)
            ACRE_CHECK(((unsigned char *)p)[i] != 0xa5, "%s, byte %zu", a->name, i);
        expect_list(s, n);
    }
    acre_segment_close(s);
    free(o.buffer);
}

ACRE_TEST(kinds, a_buffer_is_copied_into_a_larger_one_and_grown_A30)
{
    for (size_t i = 0; acre_algorithm_at(i); i++)
        if (!(acre_algorithm_at(i)->flags & ACRE_REFERENCE)) {
            grow_a_copy(acre_algorithm_at(i), false);
            grow_a_copy(acre_algorithm_at(i), true);
        }
}

enum { NAMES = 200 };

static void make_numbers(acre_segment *s)
{
    char name[32];
    for (int i = 0; i < NAMES; i++) {
        int *p;
        snprintf(name, sizeof name, "number %d", i);
        ACRE_CHECK_EQUAL(acre_construct(s, ACRE_TYPE(int), name, 1, NULL, (void **)&p), 0);
        *p = i;
    }
}

/* All are there, each goes by its name, and a new one comes. */
static void end_numbers(acre_segment *s)
{
    char name[32];
    ACRE_CHECK_EQUAL(acre_named_count(s), NAMES);
    for (int i = 0; i < NAMES; i++) {
        int *p;
        snprintf(name, sizeof name, "number %d", i);
        ACRE_CHECK_EQUAL(acre_find(s, ACRE_TYPE(int), name, (void **)&p, NULL), 0);
        ACRE_CHECK_EQUAL(*p, i);
        ACRE_CHECK_EQUAL(acre_destroy(s, ACRE_TYPE(int), name), 0);
    }
    ACRE_CHECK_EQUAL(acre_construct(s, ACRE_TYPE(int), "new", 1, NULL, NULL), 0);
    ACRE_CHECK_EQUAL(acre_destroy(s, ACRE_TYPE(int), "new"), 0);
    test_sound(acre_segment_heap(s));
}

static void objects_move(uint32_t index)
{
    char *first = aligned_alloc(64, SIZE);
    acre_segment_options o = {.size = SIZE, .index = index}, b = {.size = SIZE, .buffer = first, .index = index};
    acre_segment *s;
    ACRE_CHECK_EQUAL(acre_segment_create(&s, ACRE_HEAP, NULL, &o), 0);
    make_numbers(s);
    ACRE_CHECK_EQUAL(acre_segment_grow(s, BIG), 0);
    end_numbers(s);
    acre_segment_close(s);
    ACRE_CHECK_EQUAL(acre_segment_create(&s, ACRE_BUFFER, NULL, &b), 0);
    make_numbers(s);
    acre_segment_close(s);
    b = (acre_segment_options){.size = 2 * SIZE, .buffer = moved_copy(first, SIZE, 2 * SIZE)};
    memset(first, 0x5a, SIZE);
    free(first);
    ACRE_CHECK_EQUAL(acre_segment_open(&s, ACRE_BUFFER, NULL, &b), 0);
    ACRE_CHECK_EQUAL(acre_segment_grow(s, 2 * SIZE), 0);
    end_numbers(s);
    acre_segment_close(s);
    free(b.buffer);
}

ACRE_TEST(kinds, objects_are_found_in_what_has_moved_A30)
{
    objects_move(ACRE_INDEX_HASH);
    objects_move(ACRE_INDEX_ORDERED);
    objects_move(ACRE_INDEX_FLAT);
}

/* Of the stores that change a capacity, any first ones may be all there is. */
ACRE_TEST(kinds, a_header_is_valid_wherever_the_change_of_its_capacity_ends)
{
    enum { CAPACITY = 72, CHECKSUM = 104, NEXT = 112 };
    static char image[2 * SIZE] __attribute__((aligned(64))),
        after[2 * SIZE] __attribute__((aligned(64)));
    acre_segment_options o = {.size = SIZE, .buffer = image},
                         large = {.size = 2 * SIZE, .buffer = after};
    acre_segment *s;
    ACRE_CHECK_EQUAL(acre_segment_create(&s, ACRE_BUFFER, NULL, &o), 0);
    acre_segment_close(s);
    memcpy(after, image, SIZE);
    ACRE_CHECK_EQUAL(acre_segment_open(&s, ACRE_BUFFER, NULL, &large), 0);
    ACRE_CHECK_EQUAL(acre_segment_grow(s, 2 * SIZE), 0);
    acre_segment_close(s);
    o.size = 2 * SIZE;
    const int to[] = {NEXT, CAPACITY, CHECKSUM}, from[] = {CHECKSUM, CAPACITY, CHECKSUM};
    for (int done = 0; done < 3; done++) {
        memcpy(image + to[done], after + from[done], 8);
        char *copy = moved_copy(image, SIZE, 2 * SIZE);
        acre_segment_options c = {.size = 2 * SIZE, .buffer = copy};
        ACRE_CHECK(acre_segment_open(&s, ACRE_BUFFER, NULL, &c) == 0, "%d", done);
        ACRE_CHECK_EQUAL(acre_segment_grow(s, SIZE + 4096 * (size_t)(done + 1)), 0);
        acre_segment_close(s);
        ACRE_CHECK(acre_segment_open(&s, ACRE_BUFFER, NULL, &c) == 0, "%d", done);
        acre_segment_close(s);
        free(copy);
    }
    image[CAPACITY]++;
    ACRE_CHECK_EQUAL(acre_segment_open(&s, ACRE_BUFFER, NULL, &o), ACRE_ECORRUPT);
}

/* ---- descriptors over sockets ---- */

static void send_descriptors(int socket, const void *text, size_t n, const int *fds, size_t count)
{
    char room[CMSG_SPACE(16 * sizeof(int))] __attribute__((aligned(16))) = {0};
    struct iovec part = {(void *)text, n};
    struct msghdr m = {.msg_iov = &part, .msg_iovlen = 1};
    if (count) {
        m.msg_control = room;
        m.msg_controllen = CMSG_SPACE(count * sizeof(int));
        struct cmsghdr *c = CMSG_FIRSTHDR(&m);
        *c = (struct cmsghdr){.cmsg_len = CMSG_LEN(count * sizeof(int)),
                              .cmsg_level = SOL_SOCKET,
                              .cmsg_type = SCM_RIGHTS};
        memcpy(CMSG_DATA(c), fds, count * sizeof(int));
    }
    ACRE_CHECK(sendmsg(socket, &m, MSG_NOSIGNAL) == (ssize_t)n);
}

ACRE_TEST(kinds, a_segment_is_sent_and_received)
{
    static const int types[] = {SOCK_STREAM, SOCK_DGRAM, SOCK_SEQPACKET};
    for (int i = 0; i < 3; i++) {
        int pair[2];
        acre_segment *s, *got, *view;
        acre_segment_options o = {.size = SIZE, .capacity = BIG}, look = {.read_only = true};
        ACRE_CHECK(socketpair(AF_UNIX, types[i], 0, pair) == 0);
        ACRE_CHECK_EQUAL(acre_segment_create(&s, ACRE_MEMFD, NULL, &o), 0);
        ACRE_CHECK_EQUAL(acre_segment_send(s, pair[0]), 0);
        ACRE_CHECK_EQUAL(acre_segment_send(s, pair[0]), 0);
        ACRE_CHECK_EQUAL(acre_segment_receive(&got, pair[1], NULL), 0);
        ACRE_CHECK_EQUAL(acre_segment_receive(&view, pair[1], &look), 0);
        ACRE_CHECK_EQUAL(acre_alloc_into(acre_segment_heap(got), acre_segment_root(got), 100), 0);
        ACRE_CHECK(*acre_segment_root(s) && *acre_segment_root(view) &&
                   !acre_alloc(acre_segment_heap(view), 1));
        ACRE_CHECK_EQUAL(acre_segment_grow(got, BIG), 0);
        ACRE_CHECK(acre_segment_size(s) == BIG &&
                   (fcntl(acre_segment_fd(got), F_GETFD) & FD_CLOEXEC));
        acre_segment_close(view);
        acre_segment_close(got);
        acre_segment_close(s);
        close(pair[0]);
        close(pair[1]);
    }
}

ACRE_TEST(kinds, descriptors_are_received_or_closed)
{
    int pair[2], pipes[2], n;
    acre_segment *s, *got = NULL, *heap;
    char magic[8];
    ACRE_CHECK(socketpair(AF_UNIX, SOCK_STREAM, 0, pair) == 0 && pipe(pipes) == 0);
    ACRE_CHECK_EQUAL(acre_segment_create(&s, ACRE_MEMFD, NULL, &defaults), 0);
    ACRE_CHECK_EQUAL(acre_segment_create(&heap, ACRE_HEAP, NULL, &defaults), 0);
    ACRE_CHECK_EQUAL(acre_segment_send(heap, pair[0]), ENOTSUP);
    ACRE_CHECK_EQUAL(acre_segment_send(s, pair[0]), 0);
    ACRE_CHECK(recv(pair[1], magic, 8, 0) == 8);
    int many[12], fd = acre_segment_fd(s), empty = memfd_create("empty", MFD_CLOEXEC);
    for (int i = 0; i < 12; i++)
        many[i] = fd;
    n = count_descriptors();
    const struct {
        const char *text;
        const int *fds;
        size_t count;
        int error;
    } cases[] = {{magic, NULL, 0, EBADF},          {"a letter", &fd, 1, EBADMSG},
                 {"a letter", NULL, 0, EBADMSG},   {magic, &pipes[0], 1, ACRE_ETYPE},
                 {magic, &empty, 1, ACRE_EFORMAT}, {magic, many, 2, EBADMSG},
                 {magic, many, 12, EBADMSG}};
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        send_descriptors(pair[0], cases[i].text, 8, cases[i].fds, cases[i].count);
        int e = acre_segment_receive(&got, pair[1], NULL);
        ACRE_CHECK(e == cases[i].error && !got, "case %zu: %s", i, acre_strerror(e));
        ACRE_CHECK_EQUAL(count_descriptors(), n);
    }
    send_descriptors(pair[0], "a", 1, &fd, 1);
    ACRE_CHECK_EQUAL(acre_segment_receive(&got, pair[1], NULL), EBADMSG);
    ACRE_CHECK_EQUAL(acre_segment_send(s, pair[0]), 0);
    ACRE_CHECK_EQUAL(acre_segment_receive(&got, pair[1], NULL), 0);
    acre_segment_close(got);
    ACRE_CHECK_EQUAL(count_descriptors(), n);
    ACRE_CHECK_EQUAL(acre_segment_receive(&got, pipes[0], NULL), ENOTSOCK);
    ACRE_CHECK(close(pair[0]) == 0);
    ACRE_CHECK_EQUAL(acre_segment_receive(&got, pair[1], NULL), EPIPE);
    ACRE_CHECK_EQUAL(acre_segment_send(s, pair[1]), EPIPE);
    ACRE_CHECK_EQUAL(acre_segment_send(s, -1), EBADF);
    acre_segment_close(s);
    acre_segment_close(heap);
}

/* ---- guards ---- */

static bool exists(const char *name)
{
    acre_segment *s = NULL;
    int e = acre_segment_open(&s, ACRE_SHM, name, NULL);
    acre_segment_close(s);
    return e == 0;
}

ACRE_TEST(kinds, guards_remove_on_exit_A39)
{
    char name[64], kept[64];
    acre_segment *s;
    strcpy(name, test_name());
    strcpy(kept, test_name());
    {
        ACRE_REMOVED(guard, acre_segment_remove, ACRE_SHM, name);
        ACRE_REMOVED(none, acre_segment_remove, ACRE_SHM, "acre-test-none");
        ACRE_REMOVED(own, acre_segment_remove, ACRE_SHM, kept);
        ACRE_CHECK_EQUAL(acre_segment_create(&s, ACRE_SHM, name, &defaults), 0);
        acre_segment_close(s);
        ACRE_CHECK_EQUAL(acre_segment_create(&s, ACRE_SHM, kept, &defaults), 0);
        ACRE_CHECK(exists(name));
        own.name = NULL;
    }
    ACRE_CHECK(!exists(name) && exists(kept));
    ACRE_CHECK_EQUAL(acre_segment_remove(ACRE_SHM, kept), 0);
    acre_segment_close(s);
}

/* A handle is a pointer: swapping two is swapping pointers, and each closes what it opened, once. */
ACRE_TEST(kinds, handles_that_change_places_close_their_own_A29)
{
    acre_segment *a, *b;
    ACRE_CHECK_EQUAL(acre_segment_create(&a, ACRE_ANON, NULL, &defaults), 0);
    ACRE_CHECK_EQUAL(acre_segment_create(&b, ACRE_ANON, NULL, &defaults), 0);
    int *x = acre_alloc(acre_segment_heap(a), sizeof *x), *y = acre_alloc(acre_segment_heap(b), sizeof *y);
    *x = 1, *y = 2;
    acre_segment *was = a;
    a = b, b = was;
    ACRE_CHECK(acre_segment_contains(a, y) && acre_segment_contains(b, x) && !acre_segment_contains(a, x));
    ACRE_CHECK_EQUAL(acre_segment_close(a), 0);
    ACRE_CHECK_EQUAL(*x, 1);
    test_sound(acre_segment_heap(b));
    ACRE_CHECK_EQUAL(acre_segment_close(b), 0);
}

ACRE_TEST(kinds, guards_remove_what_has_but_a_name_A39)
{
    const char *name = test_name();
    acre_queue *q;
    acre_queue_options o = {.capacity = 4, .max_size = 16};
    {
        ACRE_REMOVED_NAME(guard, acre_queue_remove, name);
        ACRE_CHECK_EQUAL(acre_queue_create(&q, name, &o), 0);
        acre_queue_close(q);
    }
    ACRE_CHECK_EQUAL(acre_queue_open(&q, name, NULL), ENOENT);
    acre_ring_file *f;
    acre_ring_options ring = {.capacity = 8, .message = 8};
    {
        ACRE_REMOVED_NAME(guard, acre_ring_remove, name);
        ACRE_CHECK_EQUAL(acre_ring_create(&f, ACRE_RING_SPSC, name, &ring), 0);
        acre_ring_close(f);
    }
    ACRE_CHECK_EQUAL(acre_ring_open(&f, ACRE_RING_SPSC, name, NULL), ENOENT);
    acre_named *n;
    {
        ACRE_REMOVED_NAME(guard, acre_named_remove, name);
        ACRE_CHECK_EQUAL(acre_named_create(&n, ACRE_KIND_MUTEX, name, NULL), 0);
        acre_named_close(n);
    }
    ACRE_CHECK_EQUAL(acre_named_open(&n, ACRE_KIND_MUTEX, name, NULL), ENOENT);
}
