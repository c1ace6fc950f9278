/* SPDX-License-Identifier: MIT */
/* Segments: sources, names, permissions, races, growth, full and limited systems, death of their
 * creators (A-26 … … … A-40). */
#include "tests/support_heap.h"

#include <acre/sync.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SIZE = 64 << 10, BIG = 1 << 20, RACERS = 8, NOBODY = 65534 };

static const acre_segment_options defaults = {.size = SIZE};

/* ---- a directory for each test's files ---- */

static char dir[64];

static const char *in_dir(const char *name)
{
    static char path[4][512];
    static unsigned next;
    char *p = path[next++ % 4];
    if (!dir[0]) {
        strcpy(dir, "/tmp/acre-test-XXXXXX");
        ACRE_CHECK(mkdtemp(dir) && chmod(dir, 0777) == 0);
    }
    snprintf(p, sizeof path[0], "%s/%s", dir, name);
    return p;
}

static int count_entries(const char *path)
{
    DIR *d = opendir(path);
    int n = 0;
    ACRE_CHECK(d, "%s", path);
    for (struct dirent *e; (e = readdir(d));)
        n += strcmp(e->d_name, ".") && strcmp(e->d_name, "..");
    closedir(d);
    return n;
}

/* Shared memory objects of acre, temporary ones included, that carry this text. */
static int count_shm(const char *text)
{
    DIR *d = opendir("/dev/shm");
    int n = 0;
    ACRE_CHECK(d);
    for (struct dirent *e; (e = readdir(d));)
        n += strstr(e->d_name, text) != NULL;
    closedir(d);
    return n;
}

static void remove_dir(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", dir);
    ACRE_CHECK(!dir[0] || system(command) == 0);
    dir[0] = 0;
}

/* The name of a segment of this source. */
static const char *name_for(enum acre_source source)
{
    return source == ACRE_SHM ? test_name() : in_dir(test_name());
}

static struct stat status_of(enum acre_source source, const char *name)
{
    char path[600];
    struct stat st;
    snprintf(path, sizeof path, "%s%s", source == ACRE_SHM ? "/dev/shm/acre." : "", name);
    ACRE_CHECK(stat(path, &st) == 0, "%s", path);
    return st;
}

/* ---- creating, opening, removing ---- */

static void create_open_remove(enum acre_source source)
{
    const char *name = name_for(source);
    acre_segment *s, *again;
    ACRE_CHECK_EQUAL(acre_segment_open(&s, source, name, NULL), ENOENT);
    ACRE_CHECK_EQUAL(acre_segment_create(&s, source, name, &defaults), 0);
    ACRE_CHECK_EQUAL(acre_segment_create(&again, source, name, &defaults), EEXIST);
    ACRE_CHECK_EQUAL(acre_alloc_into(acre_segment_heap(s), acre_segment_root(s), 100), 0);
    test_fill(acre_segment_address(s, *acre_segment_root(s)), 100, 3);
    ACRE_CHECK_EQUAL(acre_segment_open(&again, source, name, NULL), 0);
    ACRE_CHECK(acre_segment_base(again) != acre_segment_base(s));
    acre_segment_close(s);
    ACRE_CHECK(test_filled(acre_segment_address(again, *acre_segment_root(again)), 100, 3));
    acre_segment_close(again); /* nobody has it open now */
    ACRE_CHECK_EQUAL(acre_segment_open(&s, source, name, NULL), 0);
    ACRE_CHECK(test_filled(acre_segment_address(s, *acre_segment_root(s)), 100, 3));
    ACRE_CHECK_EQUAL(acre_segment_remove(source, name), 0);
    ACRE_CHECK_EQUAL(acre_segment_remove(source, name), ENOENT);
    ACRE_CHECK_EQUAL(acre_segment_open(&again, source, name, NULL), ENOENT);
    ACRE_CHECK_EQUAL(acre_free_from(acre_segment_heap(s), acre_segment_root(s)), 0);
    ACRE_CHECK_EQUAL(acre_segment_create(&again, source, name, &defaults), 0);
    ACRE_CHECK(acre_heap_all_free(acre_segment_heap(again)));
    ACRE_CHECK_EQUAL(acre_segment_remove(source, name), 0);
    acre_segment_close(s);
    acre_segment_close(again);
}

ACRE_TEST(segment, shm_is_created_opened_removed_A26_A39)
{
    create_open_remove(ACRE_SHM);
}

ACRE_TEST(segment, file_is_created_opened_removed_A26_A39)
{
    create_open_remove(ACRE_FILE);
    ACRE_CHECK_EQUAL(count_entries(dir), 0);
    remove_dir();
}

static void open_or_create(enum acre_source source)
{
    const char *name = name_for(source);
    acre_segment *first, *second;
    bool created = false;
    ACRE_CHECK_EQUAL(acre_segment_open_or_create(&first, source, name, &defaults, &created), 0);
    ACRE_CHECK(created);
    ACRE_CHECK_EQUAL(acre_segment_open_or_create(&second, source, name, &defaults, &created), 0);
    ACRE_CHECK(!created);
    *acre_segment_root(first) = 77;
    ACRE_CHECK_EQUAL(*acre_segment_root(second), 77);
    ACRE_CHECK_EQUAL(acre_segment_remove(source, name), 0);
    acre_segment_close(first);
    acre_segment_close(second);
}

ACRE_TEST(segment, open_or_create_does_both_A26)
{
    open_or_create(ACRE_SHM);
    open_or_create(ACRE_FILE);
    remove_dir();
}

ACRE_TEST(segment, nameless_sources_make_heaps)
{
    static char buffer[SIZE] __attribute__((aligned(64)));
    static const enum acre_source sources[] = {ACRE_MEMFD, ACRE_ANON, ACRE_HEAP, ACRE_BUFFER};
    for (int i = 0; i < 4; i++) {
        acre_segment_options o = {.size = SIZE, .buffer = buffer};
        acre_segment *s;
        ACRE_CHECK_EQUAL(acre_segment_create(&s, sources[i], NULL, &o), 0);
        ACRE_CHECK(acre_alloc(acre_segment_heap(s), SIZE / 2));
        ACRE_CHECK((acre_segment_fd(s) >= 0) == (sources[i] == ACRE_MEMFD));
        test_sound(acre_segment_heap(s));
        acre_segment_close(s);
        ACRE_CHECK_EQUAL(acre_segment_remove(sources[i], "x"), ENOTSUP);
    }
    acre_segment *s;
    ACRE_CHECK_EQUAL(acre_segment_open(&s, ACRE_ANON, NULL, NULL), ENOTSUP);
    ACRE_CHECK_EQUAL(acre_segment_open(&s, ACRE_HEAP, NULL, NULL), ENOTSUP);
}

ACRE_TEST(segment, facts_are_told)
{
    acre_segment_info i;
    acre_segment *s, *other;
    acre_segment_options o = {.size = SIZE - 100,
                              .capacity = BIG,
                              .algorithm = acre_algorithm_find("simple_seq_fit"),
                              .heap = {.lock = ACRE_LOCK_NONE, .journal = ACRE_JOURNAL_OFF}};
    ACRE_CHECK_EQUAL(acre_segment_create(&s, ACRE_MEMFD, NULL, &o), 0);
    ACRE_CHECK_EQUAL(acre_segment_create(&other, ACRE_MEMFD, NULL, &o), 0);
    acre_segment_info_get(s, &i);
    ACRE_CHECK(!strcmp(i.algorithm, "simple_seq_fit") && i.format_version == 2);
    ACRE_CHECK(i.size == SIZE && i.capacity == BIG && i.region % 64 == 0 && i.region < 4096);
    ACRE_CHECK(i.heap.lock == ACRE_LOCK_NONE && i.heap.journal == ACRE_JOURNAL_OFF);
    uint8_t uuid[16];
    memcpy(uuid, i.uuid, 16);
    acre_segment_info_get(other, &i);
    ACRE_CHECK(memcmp(uuid, i.uuid, 16) != 0 && uuid[6] >> 4 == 4);
    acre_segment_close(s);
    acre_segment_close(other);
}

ACRE_TEST(segment, sizes_that_cannot_be_are_refused)
{
    acre_segment *s;
    for (size_t i = 0; acre_algorithm_at(i); i++) {
        const acre_algorithm *a = acre_algorithm_at(i);
        acre_segment_options o = {.algorithm = a};
        o.size = acre_segment_min_size(a, NULL);
        ACRE_CHECK(acre_segment_create(&s, ACRE_HEAP, NULL, &o) == 0, "%s", a->name);
        if (!(a->flags & ACRE_REFERENCE))
            ACRE_CHECK(acre_alloc(acre_segment_heap(s), 1), "%s", a->name);
        acre_segment_close(s);
        while (o.size--)
            ACRE_CHECK(acre_segment_create(&s, ACRE_HEAP, NULL, &o) == ACRE_ETOOSMALL, "%zu",
                       o.size);
    }
    acre_segment_options o = {.size = SIZE, .capacity = SIZE - 1};
    ACRE_CHECK_EQUAL(acre_segment_create(&s, ACRE_HEAP, NULL, &o), EINVAL);
    o = (acre_segment_options){.size = SIZE_MAX - 5};
    ACRE_CHECK_EQUAL(acre_segment_create(&s, ACRE_SHM, test_name(), &o), ACRE_ETOOBIG);
    o = (acre_segment_options){.size = SIZE, .capacity = (size_t)1 << 40};
    ACRE_CHECK_EQUAL(acre_segment_create(&s, ACRE_MEMFD, NULL, &o), ACRE_ETOOBIG);
    o = (acre_segment_options){.size = SIZE, .heap = {.lock = 9}};
    ACRE_CHECK_EQUAL(acre_segment_create(&s, ACRE_HEAP, NULL, &o), EINVAL);
    ACRE_CHECK_EQUAL(acre_segment_create(&s, ACRE_BUFFER, NULL, &defaults), EINVAL);
    ACRE_CHECK_EQUAL(acre_segment_create(&s, (enum acre_source)17, NULL, &defaults), EINVAL);
}

/* ---- names ---- */

ACRE_TEST(segment, bad_names_are_refused)
{
    char longest[301];
    static const char *const bad[] = {"",   ".",    "..",   ".hidden", "a/b",  "/a",
                                      "a/", "a\nb", "a\tb", "\x7f",    "a\x01"};
    acre_segment *s;
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        ACRE_CHECK(acre_segment_create(&s, ACRE_SHM, bad[i], &defaults) == ACRE_ENAME, "%zu", i);
        ACRE_CHECK(acre_segment_open(&s, ACRE_SHM, bad[i], NULL) == ACRE_ENAME, "%zu", i);
        ACRE_CHECK(acre_segment_remove(ACRE_SHM, bad[i]) == ACRE_ENAME, "%zu", i);
    }
    ACRE_CHECK_EQUAL(acre_segment_create(&s, ACRE_SHM, NULL, &defaults), ACRE_ENAME);
    memset(longest, 'n', 300);
    longest[300] = 0;
    ACRE_CHECK_EQUAL(acre_segment_create(&s, ACRE_SHM, longest, &defaults), ENAMETOOLONG);
    ACRE_CHECK_EQUAL(acre_segment_create(&s, ACRE_FILE, in_dir(longest), &defaults), ENAMETOOLONG);
    ACRE_CHECK_EQUAL(acre_segment_create(&s, ACRE_FILE, in_dir("no/such"), &defaults), ENOENT);
    ACRE_CHECK_EQUAL(acre_segment_create(&s, ACRE_FILE, in_dir(""), &defaults), ACRE_ENAME);
    ACRE_CHECK_EQUAL(acre_segment_create(&s, ACRE_FILE, in_dir(".."), &defaults), ACRE_ENAME);
    ACRE_CHECK_EQUAL(count_entries(dir), 0);
    remove_dir();
}

/* ---- modes, owners, types ---- */

static void expect_mode(enum acre_source source, mode_t mask, mode_t asked)
{
    const char *name = name_for(source);
    acre_segment *s;
    acre_segment_options o = {.size = SIZE, .mode = asked};
    mode_t before = umask(mask);
    int e = acre_segment_create(&s, source, name, &o);
    umask(before);
    ACRE_CHECK_EQUAL(e, 0);
    ACRE_CHECK_EQUAL(status_of(source, name).st_mode & 07777, asked ? asked : 0600);
    acre_segment_close(s);
    ACRE_CHECK_EQUAL(acre_segment_remove(source, name), 0);
}

ACRE_TEST(segment, modes_are_exact_whatever_the_umask_A38)
{
    static const mode_t masks[] = {077, 000, 022, 0777},
                        modes[] = {0, 0600, 0640, 0666, 0444, 0660};
    for (size_t m = 0; m < 4; m++)
        for (size_t i = 0; i < 6; i++) {
            expect_mode(ACRE_SHM, masks[m], modes[i]);
            expect_mode(ACRE_FILE, masks[m], modes[i]);
        }
    remove_dir();
}

static void become_nobody(void)
{
    ACRE_CHECK(setgid(NOBODY) == 0 && setuid(NOBODY) == 0);
}

typedef struct visit {
    const char *name;
    mode_t mode;
} visit;

static void visit_as_nobody(void *arg)
{
    const visit *v = arg;
    acre_segment *s = NULL;
    acre_segment_options any = {.any_owner = true}, look = {.any_owner = true, .read_only = true};
    become_nobody();
    int denied = v->mode & 0006 ? 0 : EACCES;
    ACRE_CHECK_EQUAL(acre_segment_open(&s, ACRE_SHM, v->name, NULL), denied ? denied : ACRE_EOWNER);
    ACRE_CHECK_EQUAL(acre_segment_open(&s, ACRE_SHM, v->name, &any),
                     v->mode == 0604 ? EACCES : denied);
    ACRE_CHECK_EQUAL(acre_segment_open(&s, ACRE_SHM, v->name, &look), denied);
    ACRE_CHECK(denied || *acre_segment_root(s) == 5);
    ACRE_CHECK_EQUAL(acre_segment_create(&s, ACRE_SHM, v->name, &defaults), EEXIST);
}

static void visit_others_604(void *arg)
{
    const visit *v = arg;
    acre_segment *s = NULL;
    become_nobody();
    ACRE_CHECK_EQUAL(acre_segment_open(&s, ACRE_SHM, v->name, NULL), EACCES);
    ACRE_CHECK_EQUAL(
        acre_segment_open(&s, ACRE_SHM, v->name, &(acre_segment_options){.read_only = true}),
        ACRE_EOWNER);
    ACRE_CHECK_EQUAL(
        acre_segment_open(&s, ACRE_SHM, v->name,
                          &(acre_segment_options){.read_only = true, .any_owner = true}),
        0);
}

ACRE_TEST(segment, another_users_segment_needs_permission_and_consent)
{
    if (geteuid() != 0)
        acre_test_skip("not root: cannot become another user");
    static const mode_t modes[] = {0600, 0666, 0604};
    for (int i = 0; i < 3; i++) {
        visit v = {test_name(), modes[i]};
        acre_segment *s;
        acre_segment_options o = {.size = SIZE, .mode = modes[i]};
        ACRE_CHECK_EQUAL(acre_segment_create(&s, ACRE_SHM, v.name, &o), 0);
        *acre_segment_root(s) = 5;
        acre_test_run(modes[i] == 0604 ? visit_others_604 : visit_as_nobody, &v);
        ACRE_CHECK_EQUAL(acre_segment_remove(ACRE_SHM, v.name), 0);
        acre_segment_close(s);
    }
}

static void create_where_forbidden(void *arg)
{
    acre_segment *s;
    become_nobody();
    ACRE_CHECK_EQUAL(acre_segment_create(&s, ACRE_FILE, arg, &defaults), EACCES);
    ACRE_CHECK_EQUAL(acre_segment_open(&s, ACRE_FILE, arg, NULL), ENOENT);
}

ACRE_TEST(segment, no_permission_to_create_leaves_nothing)
{
    if (geteuid() != 0)
        acre_test_skip("not root: cannot become another user");
    const char *path = in_dir("forbidden");
    ACRE_CHECK(chmod(dir, 0755) == 0);
    acre_test_run(create_where_forbidden, (void *)path);
    ACRE_CHECK_EQUAL(count_entries(dir), 0);
    remove_dir();
}

ACRE_TEST(segment, what_is_not_a_regular_file_is_refused)
{
    const char *target = in_dir("target"), *name = in_dir("odd");
    acre_segment *s;
    ACRE_CHECK_EQUAL(acre_segment_create(&s, ACRE_FILE, target, &defaults), 0);
    acre_segment_close(s);
    ACRE_CHECK(symlink(target, name) == 0);
    ACRE_CHECK_EQUAL(acre_segment_open(&s, ACRE_FILE, name, NULL), ELOOP);
    ACRE_CHECK_EQUAL(acre_segment_create(&s, ACRE_FILE, name, &defaults), EEXIST);
    ACRE_CHECK_EQUAL(acre_segment_remove(ACRE_FILE, name), ELOOP);
    ACRE_CHECK(unlink(name) == 0 && symlink(in_dir("nowhere"), name) == 0);
    ACRE_CHECK_EQUAL(acre_segment_open(&s, ACRE_FILE, name, NULL), ELOOP);
    ACRE_CHECK_EQUAL(acre_segment_create(&s, ACRE_FILE, name, &defaults), EEXIST);
    ACRE_CHECK(access(in_dir("nowhere"), F_OK) != 0);
    ACRE_CHECK(unlink(name) == 0 && mkfifo(name, 0600) == 0);
    ACRE_CHECK_EQUAL(acre_segment_open(&s, ACRE_FILE, name, NULL), ACRE_ETYPE);
    ACRE_CHECK_EQUAL(
        acre_segment_open(&s, ACRE_FILE, name, &(acre_segment_options){.read_only = true}),
        ACRE_ETYPE);
    ACRE_CHECK(unlink(name) == 0 && mkdir(name, 0700) == 0);
    ACRE_CHECK_EQUAL(acre_segment_open(&s, ACRE_FILE, name, NULL), ACRE_ETYPE);
    ACRE_CHECK_EQUAL(
        acre_segment_open(&s, ACRE_FILE, name, &(acre_segment_options){.read_only = true}),
        ACRE_ETYPE);
    ACRE_CHECK_EQUAL(
        acre_segment_open(&s, ACRE_FILE, "/dev/null", &(acre_segment_options){.any_owner = true}),
        ACRE_ETYPE);
    remove_dir();
}

ACRE_TEST(segment, remove_spares_files_that_are_no_segments)
{
    const char *name = in_dir("letter");
    FILE *f = fopen(name, "w");
    ACRE_CHECK(f && fputs("Dear Sir or Madam, this is not a segment.", f) >= 0 && fclose(f) == 0);
    ACRE_CHECK_EQUAL(acre_segment_remove(ACRE_FILE, name), ACRE_EFORMAT);
    ACRE_CHECK(access(name, F_OK) == 0);
    remove_dir();
}

/* ---- read-only ---- */

ACRE_TEST(segment, read_only_handle_looks_and_refuses_changes_A27)
{
    const char *name = test_name();
    acre_segment *s, *view;
    acre_segment_options look = {.read_only = true};
    ACRE_CHECK_EQUAL(acre_segment_create(&s, ACRE_SHM, name, &defaults), 0);
    char *p = acre_alloc(acre_segment_heap(s), 100);
    *acre_segment_root(s) = acre_segment_offset(s, p);
    test_fill(p, 100, 4);
    ACRE_CHECK_EQUAL(acre_segment_open(&view, ACRE_SHM, name, &look), 0);
    acre_heap *h = acre_segment_heap(view);
    char *q = acre_segment_address(view, *acre_segment_root(view));
    ACRE_CHECK(test_filled(q, 100, 4) && acre_usable_size(h, q) >= 100);
    test_sound(h);
    ACRE_CHECK_EQUAL(acre_heap_free_memory(h), acre_heap_free_memory(acre_segment_heap(s)));
    ACRE_CHECK(!acre_alloc(h, 10) && !acre_realloc(h, q, 1000) && !acre_calloc(h, 1, 1));
    ACRE_CHECK_EQUAL(acre_free(h, q), EROFS);
    ACRE_CHECK_EQUAL(acre_alloc_into(h, acre_segment_root(view), 10), EROFS);
    ACRE_CHECK_EQUAL(acre_free_from(h, acre_segment_root(view)), EROFS);
    ACRE_CHECK_EQUAL(acre_heap_zero_free(h), EROFS);
    ACRE_CHECK_EQUAL(acre_segment_grow(view, SIZE), EROFS);
    ACRE_CHECK_EQUAL(acre_segment_shrink(view, 0), EROFS);
    ACRE_CHECK_EQUAL(acre_segment_remove(ACRE_SHM, name), 0);
    acre_segment_close(view);
    acre_segment_close(s);
}

/* ---- races ---- */

typedef struct race {
    const char *name;
    int *start; /* in shared memory */
    int *winners;
    bool open_too;
} race;

static void race_run(void *arg)
{
    race *r = arg;
    acre_segment *s;
    bool created = false;
    while (!__atomic_load_n(r->start, __ATOMIC_ACQUIRE))
        ;
    int e = r->open_too ? acre_segment_open_or_create(&s, ACRE_SHM, r->name, &defaults, &created)
                        : acre_segment_create(&s, ACRE_SHM, r->name, &defaults);
    ACRE_CHECK(e == 0 || (e == EEXIST && !r->open_too), "%s", acre_strerror(e));
    if (r->open_too)
        ACRE_CHECK(acre_alloc(acre_segment_heap(s), 100));
    if (r->open_too ? created : e == 0)
        __atomic_fetch_add(r->winners, 1, __ATOMIC_SEQ_CST);
}

static void race_once(bool open_too)
{
    pid_t child[RACERS];
    int *shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    race r = {test_name(), shared, shared + 1, open_too};
    acre_segment *s;
    acre_stats found;
    for (int i = 0; i < RACERS; i++)
        child[i] = acre_test_spawn(race_run, &r);
    __atomic_store_n(r.start, 1, __ATOMIC_RELEASE);
    for (int i = 0; i < RACERS; i++)
        acre_test_expect_exit(child[i], 0);
    ACRE_CHECK_EQUAL(*r.winners, 1);
    ACRE_CHECK_EQUAL(acre_segment_open(&s, ACRE_SHM, r.name, NULL), 0);
    ACRE_CHECK_EQUAL(acre_heap_stats(acre_segment_heap(s), &found), 0);
    ACRE_CHECK_EQUAL(found.used_blocks, open_too ? RACERS : 0);
    acre_segment_close(s);
    ACRE_CHECK_EQUAL(acre_segment_remove(ACRE_SHM, r.name), 0);
    munmap(shared, 4096);
}

ACRE_TEST(segment, exactly_one_of_eight_creates)
{
    for (size_t i = 0; i < acre_test_rounds(60); i++)
        race_once(false);
    ACRE_CHECK_EQUAL(count_shm(".acre-new-"), 0);
}

ACRE_TEST(segment, eight_open_or_create_the_same_segment_A31)
{
    for (size_t i = 0; i < acre_test_rounds(60); i++)
        race_once(true);
}

/* Whoever comes makes it or finds it, uses it, and takes the name away, if nobody was quicker. */
static void come_and_remove(void *arg)
{
    for (size_t i = 0, n = acre_test_rounds(2000); i < n; i++) {
        acre_segment *s;
        int e = acre_segment_open_or_create(&s, ACRE_SHM, arg, &defaults, NULL);
        ACRE_CHECK(e == 0, "%s", acre_strerror(e));
        void *p = acre_alloc(acre_segment_heap(s), 100);
        ACRE_CHECK(p);
        ACRE_CHECK_EQUAL(acre_free(acre_segment_heap(s), p), 0);
        test_sound(acre_segment_heap(s));
        e = acre_segment_remove(ACRE_SHM, arg);
        ACRE_CHECK(e == 0 || e == ENOENT, "%s", acre_strerror(e));
        acre_segment_close(s);
    }
}

ACRE_TEST(segment, two_open_or_create_and_remove_A31)
{
    const char *name = test_name();
    acre_segment *s;
    acre_test_limit(120);
    pid_t one = acre_test_spawn(come_and_remove, (void *)name);
    pid_t two = acre_test_spawn(come_and_remove, (void *)name);
    acre_test_expect_exit(one, 0);
    acre_test_expect_exit(two, 0);
    ACRE_CHECK_EQUAL(acre_segment_open(&s, ACRE_SHM, name, NULL), ENOENT);
    ACRE_CHECK_EQUAL(count_shm(".acre-new-"), 0);
}

static void create_and_die(void *arg)
{
    acre_segment *s;
    for (;;) {
        if (acre_segment_create(&s, ACRE_SHM, arg, &(acre_segment_options){.size = BIG}) == 0)
            acre_segment_close(s);
        acre_segment_remove(ACRE_SHM, arg);
    }
}

/* Whatever the moment: the name is absent, or it is a whole segment. */
ACRE_TEST(segment, killed_creator_leaves_nothing_half_made_A32)
{
    const char *name = test_name();
    uint64_t seed = acre_test_seed();
    size_t whole = 0, rounds = acre_test_rounds(400);
    acre_test_limit(120);
    for (size_t i = 0; i < rounds; i++) {
        acre_segment *s;
        pid_t child = acre_test_spawn(create_and_die, (void *)name);
        usleep(200 + (unsigned)acre_test_below(&seed, 1500));
        kill(child, SIGKILL);
        acre_test_expect_killed(child);
        int e = acre_segment_open(&s, ACRE_SHM, name, NULL);
        ACRE_CHECK(e == 0 || e == ENOENT, "%s", acre_strerror(e));
        ACRE_CHECK_EQUAL(count_shm(".acre-new-"), 0);
        if (e)
            continue;
        whole++;
        test_sound(acre_segment_heap(s));
        ACRE_CHECK(acre_heap_all_free(acre_segment_heap(s)));
        acre_segment_close(s);
        ACRE_CHECK_EQUAL(acre_segment_remove(ACRE_SHM, name), 0);
    }
    fprintf(stderr, "%zu creators killed, %zu had just finished one\n", rounds, whole);
}

/* ---- growth ---- */

typedef struct growth {
    acre_segment *s;
    int fd;
    volatile uint64_t *phase;
} growth;

static void watch_growth(void *arg)
{
    growth *g = arg;
    acre_segment *s;
    ACRE_CHECK_EQUAL(acre_segment_open(&s, ACRE_MEMFD, NULL, &(acre_segment_options){.fd = g->fd}),
                     0);
    ACRE_CHECK_EQUAL(acre_segment_size(s), SIZE);
    *g->phase = 1;
    while (*g->phase != 2)
        sched_yield();
    ACRE_CHECK_EQUAL(acre_segment_size(s), BIG);
    char *p = acre_segment_address(s, *acre_segment_root(s));
    ACRE_CHECK(p && test_filled(p, BIG / 2, 8));
    ACRE_CHECK_EQUAL(acre_free_from(acre_segment_heap(s), acre_segment_root(s)), 0);
    ACRE_CHECK_EQUAL(acre_segment_shrink(s, SIZE), 0);
}

ACRE_TEST(segment, others_see_growth_and_shrinking_A28)
{
    acre_segment *s;
    struct stat st;
    acre_segment_options o = {.size = SIZE, .capacity = 4 * BIG};
    ACRE_CHECK_EQUAL(acre_segment_create(&s, ACRE_MEMFD, NULL, &o), 0);
    growth g = {s, acre_segment_fd(s),
                mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)};
    size_t before = acre_heap_free_memory(acre_segment_heap(s));
    pid_t child = acre_test_spawn(watch_growth, &g);
    while (*g.phase != 1)
        sched_yield();
    ACRE_CHECK(!acre_alloc(acre_segment_heap(s), BIG / 2));
    ACRE_CHECK_EQUAL(acre_segment_grow(s, BIG), 0);
    ACRE_CHECK_EQUAL(acre_heap_free_memory(acre_segment_heap(s)), before + BIG - SIZE);
    ACRE_CHECK_EQUAL(acre_alloc_into(acre_segment_heap(s), acre_segment_root(s), BIG / 2), 0);
    test_fill(acre_segment_address(s, *acre_segment_root(s)), BIG / 2, 8);
    *g.phase = 2;
    acre_test_expect_exit(child, 0);
    ACRE_CHECK_EQUAL(acre_segment_size(s), SIZE);
    ACRE_CHECK(fstat(g.fd, &st) == 0 && st.st_size == SIZE);
    ACRE_CHECK_EQUAL(acre_heap_free_memory(acre_segment_heap(s)), before);
    acre_segment_close(s);
}

/* What was freed at the end goes back; what lives in front of it stays, and it can grow again. */
static void shrink_and_grow_again(enum acre_source source)
{
    const char *name = name_for(source);
    acre_segment_options o = {.size = SIZE, .capacity = BIG};
    acre_segment *s;
    ACRE_CHECK_EQUAL(acre_segment_create(&s, source, name, &o), 0);
    acre_heap *h = acre_segment_heap(s);
    char *kept = acre_alloc(h, SIZE / 2);
    test_fill(kept, SIZE / 2, 5);
    size_t before = acre_heap_free_memory(h);
    ACRE_CHECK_EQUAL(acre_segment_grow(s, BIG), 0);
    ACRE_CHECK(acre_segment_size(s) == BIG && status_of(source, name).st_size == BIG);
    ACRE_CHECK_EQUAL(acre_heap_free_memory(h), before + BIG - SIZE);
    ACRE_CHECK_EQUAL(acre_free(h, acre_alloc(h, BIG / 2)), 0);
    ACRE_CHECK_EQUAL(acre_segment_shrink_to_fit(s), 0);
    ACRE_CHECK(acre_segment_size(s) <= SIZE);
    ACRE_CHECK_EQUAL(status_of(source, name).st_size, acre_segment_size(s));
    ACRE_CHECK(test_filled(kept, SIZE / 2, 5));
    test_sound(h);
    ACRE_CHECK(!acre_alloc(h, BIG / 2));
    ACRE_CHECK_EQUAL(acre_segment_grow(s, BIG), 0);
    char *p = acre_alloc(h, BIG / 2);
    ACRE_CHECK(p);
    test_fill(p, BIG / 2, 6);
    ACRE_CHECK(test_filled(p, BIG / 2, 6) && test_filled(kept, SIZE / 2, 5));
    acre_segment_close(s);
    ACRE_CHECK_EQUAL(acre_segment_remove(source, name), 0);
}

ACRE_TEST(segment, what_lives_stays_when_it_shrinks_A28)
{
    shrink_and_grow_again(ACRE_SHM);
    shrink_and_grow_again(ACRE_FILE);
    remove_dir();
}

ACRE_TEST(segment, growth_stops_at_the_capacity)
{
    acre_segment *s;
    acre_segment_options o = {.size = SIZE, .capacity = 2 * SIZE};
    ACRE_CHECK_EQUAL(acre_segment_create(&s, ACRE_SHM, test_name(), &o), 0);
    ACRE_CHECK_EQUAL(acre_segment_grow(s, 2 * SIZE + 1), E2BIG);
    ACRE_CHECK_EQUAL(acre_segment_grow(s, SIZE_MAX), E2BIG);
    ACRE_CHECK_EQUAL(acre_segment_size(s), SIZE);
    ACRE_CHECK_EQUAL(acre_segment_grow(s, SIZE / 2), 0);
    ACRE_CHECK_EQUAL(acre_segment_size(s), SIZE);
    ACRE_CHECK_EQUAL(acre_segment_grow(s, 2 * SIZE), 0);
    ACRE_CHECK_EQUAL(acre_segment_size(s), 2 * SIZE);
    test_sound(acre_segment_heap(s));
    char name[64];
    snprintf(name, sizeof name, "test-%d-0", (int)getpid());
    ACRE_CHECK_EQUAL(acre_segment_remove(ACRE_SHM, name), 0);
    acre_segment_close(s);
}

ACRE_TEST(segment, buffers_and_heaps_grow_as_they_can)
{
    static char buffer[SIZE] __attribute__((aligned(64)));
    acre_segment *s;
    acre_segment_options o = {.size = SIZE, .buffer = buffer};
    ACRE_CHECK_EQUAL(acre_segment_create(&s, ACRE_BUFFER, NULL, &o), 0);
    ACRE_CHECK_EQUAL(acre_segment_grow(s, 2 * SIZE), E2BIG);
    ACRE_CHECK_EQUAL(acre_segment_shrink(s, 0), ENOTSUP);
    acre_segment_close(s);
    for (int i = 0; i < 2; i++) {
        o = (acre_segment_options){.size = SIZE, .capacity = BIG};
        ACRE_CHECK_EQUAL(acre_segment_create(&s, i ? ACRE_ANON : ACRE_HEAP, NULL, &o), 0);
        ACRE_CHECK_EQUAL(acre_segment_grow(s, BIG), 0);
        memset(acre_alloc(acre_segment_heap(s), BIG / 2), 1, BIG / 2);
        test_sound(acre_segment_heap(s));
        acre_segment_close(s);
    }
}

/* ---- handles and offsets ---- */

ACRE_TEST(segment, offsets_mean_the_same_in_two_mappings_A33)
{
    acre_segment *s, *t;
    ACRE_CHECK_EQUAL(acre_segment_create(&s, ACRE_MEMFD, NULL, &defaults), 0);
    acre_segment_options o = {.fd = acre_segment_fd(s)};
    ACRE_CHECK_EQUAL(acre_segment_open(&t, ACRE_MEMFD, NULL, &o), 0);
    char *base = acre_segment_base(s), outside;
    for (acre_off at = 1; at < SIZE; at += 97) {
        char *p = acre_segment_address(s, at), *q = acre_segment_address(t, at);
        ACRE_CHECK(p && q && p != q);
        ACRE_CHECK(acre_segment_offset(s, p) == at && acre_segment_offset(t, q) == at);
    }
    ACRE_CHECK(acre_segment_contains(s, base) && acre_segment_contains(s, base + SIZE - 1));
    ACRE_CHECK(!acre_segment_contains(s, base + SIZE) && !acre_segment_contains(s, base - 1));
    ACRE_CHECK(!acre_segment_contains(s, &outside) && acre_segment_offset(s, &outside) == 0);
    ACRE_CHECK(!acre_segment_address(s, 0) && !acre_segment_address(s, SIZE));
    ACRE_CHECK(!acre_segment_address(s, SIZE_MAX) && !acre_segment_offset(s, NULL));
    acre_segment_close(t);
    acre_segment_close(s);
    ACRE_CHECK_EQUAL(acre_segment_close(NULL), 0);
}

/* A block allocated here is freed there. */
static void free_there(void *arg)
{
    acre_segment *s;
    int fd = *(int *)arg;
    ACRE_CHECK_EQUAL(acre_segment_open(&s, ACRE_MEMFD, NULL, &(acre_segment_options){.fd = fd}), 0);
    char *p = acre_segment_address(s, *acre_segment_root(s));
    ACRE_CHECK(test_filled(p, 1000, 2));
    ACRE_CHECK_EQUAL(acre_free(acre_segment_heap(s), p), 0);
}

ACRE_TEST(segment, another_process_frees_what_this_one_allocated)
{
    acre_segment *s;
    ACRE_CHECK_EQUAL(acre_segment_create(&s, ACRE_MEMFD, NULL, &defaults), 0);
    ACRE_CHECK_EQUAL(acre_alloc_into(acre_segment_heap(s), acre_segment_root(s), 1000), 0);
    test_fill(acre_segment_address(s, *acre_segment_root(s)), 1000, 2);
    acre_test_run(free_there, &(int){acre_segment_fd(s)});
    ACRE_CHECK(acre_heap_all_free(acre_segment_heap(s)));
    acre_segment_close(s);
}

/* ---- limits and full disks ---- */

static void limit(int what, size_t bytes)
{
    struct rlimit r = {bytes, bytes};
    ACRE_CHECK(setrlimit(what, &r) == 0);
}

static void exceed_the_file_size(void *arg)
{
    const char *name = arg;
    acre_segment *s;
    acre_segment_options o = {.size = SIZE, .capacity = BIG};
    limit(RLIMIT_FSIZE, 128 << 10);
    ACRE_CHECK_EQUAL(acre_segment_create(&s, ACRE_SHM, name, &(acre_segment_options){.size = BIG}),
                     EFBIG);
    ACRE_CHECK_EQUAL(acre_segment_open(&s, ACRE_SHM, name, NULL), ENOENT);
    ACRE_CHECK_EQUAL(acre_segment_create(&s, ACRE_SHM, name, &o), 0);
    ACRE_CHECK_EQUAL(acre_segment_grow(s, BIG), EFBIG);
    ACRE_CHECK_EQUAL(acre_segment_size(s), SIZE);
    test_sound(acre_segment_heap(s));
    ACRE_CHECK_EQUAL(acre_segment_remove(ACRE_SHM, name), 0);
}

ACRE_TEST(segment, file_size_limit_is_an_error_not_a_signal_A40)
{
    acre_test_run(exceed_the_file_size, (void *)test_name());
}

#ifndef __SANITIZE_ADDRESS__
static void lack_address_space(void *arg)
{
    int fd = *(int *)arg;
    acre_segment *s;
    limit(RLIMIT_AS, (size_t)1 << 30);
    ACRE_CHECK_EQUAL(acre_segment_open(&s, ACRE_MEMFD, NULL, &(acre_segment_options){.fd = fd}), 0);
    ACRE_CHECK_EQUAL(acre_segment_capacity(s), (size_t)8 << 30);
    void *p = acre_alloc(acre_segment_heap(s), 1000);
    ACRE_CHECK(p);
    ACRE_CHECK_EQUAL(acre_segment_grow(s, (size_t)4 << 30), ENOMEM);
    ACRE_CHECK_EQUAL(acre_segment_grow(s, BIG), 0);
    test_sound(acre_segment_heap(s));
    ACRE_CHECK_EQUAL(acre_free(acre_segment_heap(s), p), 0);
}

ACRE_TEST(segment, short_address_space_gives_a_smaller_window)
{
    acre_segment *s;
    acre_segment_options o = {.size = SIZE, .capacity = (size_t)8 << 30};
    if (acre_test_rounds(20) == 1)
        acre_test_skip("valgrind keeps address space for itself");
    ACRE_CHECK_EQUAL(acre_segment_create(&s, ACRE_MEMFD, NULL, &o), 0);
    int fd = dup(acre_segment_fd(s));
    acre_segment_close(s); /* a child would inherit its 8 GiB */
    acre_test_run(lack_address_space, &fd);
    ACRE_CHECK_EQUAL(acre_segment_open(&s, ACRE_MEMFD, NULL, &(acre_segment_options){.fd = fd}), 0);
    ACRE_CHECK_EQUAL(acre_segment_size(s), BIG);
    test_sound(acre_segment_heap(s));
    acre_segment_close(s);
}
#endif

/* ---- closing with a lock in it ---- */

static void close_of_the_childs_mapping(void *s)
{
    ACRE_CHECK_EQUAL(acre_segment_close(s), 0); /* its parent holds, it does not */
}

ACRE_TEST(segment, close_is_refused_while_this_thread_holds_a_lock_in_it)
{
    acre_segment *s, *other;
    ACRE_CHECK_EQUAL(acre_segment_create(&s, ACRE_ANON, NULL, &defaults), 0);
    ACRE_CHECK_EQUAL(acre_segment_create(&other, ACRE_ANON, NULL, &defaults), 0);
    acre_mutex *m = acre_calloc(acre_segment_heap(s), 1, sizeof *m);
    ACRE_CHECK(m);
    ACRE_CHECK_EQUAL(acre_mutex_lock(m), 0);
    ACRE_CHECK_EQUAL(acre_segment_close(other), 0);
    ACRE_CHECK_EQUAL(acre_segment_close(s), EBUSY);
    acre_test_run(close_of_the_childs_mapping, s);
    ACRE_CHECK_EQUAL(acre_mutex_unlock(m), 0); /* all is as it was */
    ACRE_CHECK_EQUAL(acre_segment_close(s), 0);
}

/* ---- a full file system ---- */

/* A tmpfs of 1 MiB in a mount namespace of its own; exit 77: not permitted. */
static void fill_the_file_system(void *arg)
{
    const char *path = arg;
    char file[512];
    acre_segment *s;
    acre_segment_options o = {.size = SIZE, .capacity = 8 * BIG};
    if (unshare(geteuid() ? CLONE_NEWUSER | CLONE_NEWNS : CLONE_NEWNS) != 0 ||
        mount("none", "/", "none", MS_REC | MS_PRIVATE, "") != 0 ||
        mount("tmpfs", path, "tmpfs", 0, "size=1m") != 0)
        _exit(77);
    snprintf(file, sizeof file, "%s/segment", path);
    ACRE_CHECK_EQUAL(
        acre_segment_create(&s, ACRE_FILE, file, &(acre_segment_options){.size = 2 * BIG}), ENOSPC);
    ACRE_CHECK_EQUAL(count_entries(path), 0);
    ACRE_CHECK_EQUAL(acre_segment_create(&s, ACRE_FILE, file, &o), 0);
    ACRE_CHECK_EQUAL(acre_segment_grow(s, 4 * BIG), ENOSPC);
    ACRE_CHECK_EQUAL(acre_segment_size(s), SIZE);
    ACRE_CHECK(!acre_alloc(acre_segment_heap(s), SIZE));
    test_sound(acre_segment_heap(s));
    ACRE_CHECK_EQUAL(acre_segment_grow(s, BIG / 2), 0);
    char *p = acre_alloc(acre_segment_heap(s), BIG / 4);
    ACRE_CHECK(p);
    memset(p, 1, BIG / 4);
    ACRE_CHECK_EQUAL(count_entries(path), 1);
}

ACRE_TEST(segment, full_file_system_is_an_error_and_leaves_nothing_A40)
{
    const char *path = in_dir("small");
    int status;
    ACRE_CHECK(mkdir(path, 0700) == 0);
    pid_t child = acre_test_spawn(fill_the_file_system, (void *)path);
    ACRE_CHECK(waitpid(child, &status, 0) == child);
    remove_dir();
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
        acre_test_skip("mounting a small tmpfs is not permitted here");
    ACRE_CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %#x", status);
}
