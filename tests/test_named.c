/* SPDX-License-Identifier: MIT */
/* Objects by name: creation forms, modes, removal, races, bad input, creators that die anywhere
 * (A-38, A-39, A-51). */
#include "tests/support_heap.h"
#include "tests/support_traced.h"

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
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

/* White box: damage is done where the format says. */
#include "sync/layout.h"

enum { RACERS = 8, NOBODY = 65534 };

/* ---- every kind, and something that one user does and another must see ---- */

/* The user dies with what it has taken; the next one is told. */
#define LOCK_KIND(noun)                                                                            \
    static void noun##_use(void *object)                                                           \
    {                                                                                              \
        ACRE_CHECK_EQUAL(acre_##noun##_lock(object), 0);                                           \
    }                                                                                              \
    static void noun##_see(void *object)                                                           \
    {                                                                                              \
        ACRE_CHECK_EQUAL(acre_##noun##_trylock(object), ACRE_OWNER_DEAD);                          \
    }
LOCK_KIND(mutex)
LOCK_KIND(recursive)
LOCK_KIND(spin)
LOCK_KIND(sharable)
LOCK_KIND(upgradable)

static void null_use(void *object)
{
    ACRE_CHECK_EQUAL(acre_null_lock(object), 0);
}

static void condition_use(void *object)
{
    ACRE_CHECK_EQUAL(acre_condition_notify_all(object), 0);
    ACRE_CHECK_EQUAL(acre_condition_destroy(object), 0);
}

static void condition_see(void *object)
{
    ACRE_CHECK_EQUAL(acre_condition_notify_all(object), ACRE_EOBJECT);
}

static void semaphore_use(void *object)
{
    ACRE_CHECK_EQUAL(acre_semaphore_trywait(object), 0);
}

static void semaphore_see(void *object)
{
    ACRE_CHECK_EQUAL(acre_semaphore_count(object), 4);
}

static void permits_use(void *object)
{
    uint32_t permit;
    ACRE_CHECK_EQUAL(acre_permits_try(object, &permit), 0);
    ACRE_CHECK_EQUAL(acre_permits_free(object), 2);
    ACRE_CHECK_EQUAL(acre_permits_release(object, permit), 0);
    ACRE_CHECK_EQUAL(acre_permits_destroy(object), 0);
}

static void permits_see(void *object)
{
    uint32_t permit;
    ACRE_CHECK_EQUAL(acre_permits_try(object, &permit), ACRE_EOBJECT);
}

static void barrier_use(void *object)
{
    uint32_t member;
    ACRE_CHECK_EQUAL(acre_barrier_join(object, &member), 0);
    ACRE_CHECK_EQUAL(acre_barrier_leave(object, member), 0);
    ACRE_CHECK_EQUAL(acre_barrier_destroy(object), 0);
}

static void barrier_see(void *object)
{
    uint32_t member;
    ACRE_CHECK_EQUAL(acre_barrier_join(object, &member), ACRE_EOBJECT);
}

static int done_at_once(void *arg)
{
    (void)arg;
    return 0;
}

static void once_use(void *object)
{
    ACRE_CHECK(!acre_once_done(object));
    ACRE_CHECK_EQUAL(acre_once_run(object, done_at_once, NULL), 0);
}

static void once_see(void *object)
{
    ACRE_CHECK(acre_once_done(object));
}

static const struct kind {
    enum acre_kind kind;
    uint32_t count;
    void (*use)(void *object);
    void (*see)(void *object);
} kinds[] = {
    {ACRE_KIND_MUTEX, 0, mutex_use, mutex_see},
    {ACRE_KIND_RECURSIVE, 0, recursive_use, recursive_see},
    {ACRE_KIND_SPIN, 0, spin_use, spin_see},
    {ACRE_KIND_SHARABLE, 0, sharable_use, sharable_see},
    {ACRE_KIND_UPGRADABLE, 0, upgradable_use, upgradable_see},
    {ACRE_KIND_CONDITION, 0, condition_use, condition_see},
    {ACRE_KIND_SEMAPHORE, 5, semaphore_use, semaphore_see},
    {ACRE_KIND_PERMITS, 3, permits_use, permits_see},
    {ACRE_KIND_BARRIER, 2, barrier_use, barrier_see},
    {ACRE_KIND_ONCE, 0, once_use, once_see},
    {ACRE_KIND_NULL, 0, null_use, null_use},
};
enum { KINDS = sizeof kinds / sizeof *kinds };

static acre_named_options options_for(const struct kind *k)
{
    return (acre_named_options){.count = k->count};
}

static acre_named *create(const struct kind *k, const char *name)
{
    acre_named_options o = options_for(k);
    acre_named *n = NULL;
    int e = acre_named_create(&n, k->kind, name, &o);
    ACRE_CHECK(e == 0 && n, "kind %d: %s", k->kind, acre_strerror(e));
    return n;
}

static void close_and_remove(acre_named *n, const char *name)
{
    ACRE_CHECK_EQUAL(acre_named_close(n), 0);
    ACRE_CHECK_EQUAL(acre_named_remove(name), 0);
}

static const char *path_of(const char *name)
{
    static char path[300];
    snprintf(path, sizeof path, "/dev/shm/acre.%s", name);
    return path;
}

/* Shared memory objects, temporary ones included, that carry this text. */
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

/* ---- creating, opening, removing ---- */

static void creation_forms(const struct kind *k)
{
    const char *name = test_name();
    acre_named_options o = options_for(k);
    acre_named *n = NULL, *other = NULL;
    bool created = true;
    ACRE_CHECK_EQUAL(acre_named_open(&n, k->kind, name, NULL), ENOENT);
    ACRE_CHECK_EQUAL(acre_named_remove(name), ENOENT);
    ACRE_CHECK_EQUAL(acre_named_create(&n, k->kind, name, &o), 0);
    ACRE_CHECK_EQUAL(acre_named_create(&other, k->kind, name, &o), EEXIST);
    ACRE_CHECK_EQUAL(acre_named_open_or_create(&other, k->kind, name, &o, &created), 0);
    ACRE_CHECK(!created && acre_named_object(other) != acre_named_object(n));
    ACRE_CHECK_EQUAL(acre_named_close(other), 0);
    close_and_remove(n, name);
    ACRE_CHECK_EQUAL(acre_named_open_or_create(&n, k->kind, name, &o, &created), 0);
    ACRE_CHECK(created);
    close_and_remove(n, name);
    ACRE_CHECK_EQUAL(count_shm(name), 0);
}

ACRE_TEST(named, create_open_and_open_or_create_of_every_kind_A51)
{
    for (size_t i = 0; i < KINDS; i++)
        creation_forms(&kinds[i]);
}

typedef struct visit {
    const struct kind *kind;
    const char *name;
} visit;

static void use_by_name(void *arg)
{
    const visit *v = arg;
    acre_named *n;
    ACRE_CHECK_EQUAL(acre_named_open(&n, v->kind->kind, v->name, NULL), 0);
    v->kind->use(acre_named_object(n));
}

static void see_by_name(void *arg)
{
    const visit *v = arg;
    acre_named *n;
    ACRE_CHECK_EQUAL(acre_named_open(&n, v->kind->kind, v->name, NULL), 0);
    v->kind->see(acre_named_object(n));
}

ACRE_TEST(named, two_handles_share_one_object_of_every_kind_A51)
{
    for (size_t i = 0; i < KINDS; i++) {
        visit v = {&kinds[i], test_name()};
        acre_named *n = create(v.kind, v.name);
        acre_test_run(use_by_name, &v);
        acre_test_run(see_by_name, &v);
        close_and_remove(n, v.name);
    }
}

ACRE_TEST(named, only_the_creator_sets_a_semaphores_first_value_A51)
{
    const char *name = test_name();
    acre_named_options five = {.count = 5}, nine = {.count = 9};
    acre_named *n, *other;
    bool created;
    ACRE_CHECK_EQUAL(acre_named_create(&n, ACRE_KIND_SEMAPHORE, name, &five), 0);
    ACRE_CHECK_EQUAL(acre_named_open_or_create(&other, ACRE_KIND_SEMAPHORE, name, &nine, &created),
                     0);
    ACRE_CHECK(!created);
    ACRE_CHECK_EQUAL(acre_semaphore_count(acre_named_object(other)), 5);
    ACRE_CHECK_EQUAL(acre_semaphore_post(acre_named_object(other), 1), 0);
    ACRE_CHECK_EQUAL(acre_semaphore_count(acre_named_object(n)), 6);
    ACRE_CHECK_EQUAL(acre_named_close(other), 0);
    close_and_remove(n, name);
}

/* ---- modes ---- */

static mode_t mode_of(const char *name)
{
    struct stat st;
    ACRE_CHECK(stat(path_of(name), &st) == 0);
    return st.st_mode & 07777;
}

static void expect_mode(const struct kind *k, mode_t asked, mode_t got)
{
    const char *name = test_name();
    acre_named_options o = {.count = k->count, .mode = asked};
    acre_named *n;
    ACRE_CHECK_EQUAL(acre_named_create(&n, k->kind, name, &o), 0);
    ACRE_CHECK_EQUAL(mode_of(name), got);
    close_and_remove(n, name);
}

ACRE_TEST(named, modes_are_exact_whatever_the_umask_A38)
{
    static const mode_t umasks[] = {077, 000};
    for (size_t u = 0; u < 2; u++) {
        umask(umasks[u]);
        for (size_t i = 0; i < KINDS; i++) {
            expect_mode(&kinds[i], 0, 0600);
            expect_mode(&kinds[i], 0666, 0666);
            expect_mode(&kinds[i], 0640, 0640);
        }
    }
}

/* ---- removing ---- */

/* The users in a process that ends, so that it need not give up what it holds. */
static void use_old_and_new(void *arg)
{
    const visit *v = arg;
    acre_named *old = create(v->kind, v->name), *other;
    ACRE_CHECK_EQUAL(acre_named_remove(v->name), 0);
    ACRE_CHECK_EQUAL(acre_named_remove(v->name), ENOENT);
    ACRE_CHECK_EQUAL(acre_named_open(&other, v->kind->kind, v->name, NULL), ENOENT);
    create(v->kind, v->name);
    v->kind->use(acre_named_object(old));
    ACRE_CHECK_EQUAL(acre_named_open(&other, v->kind->kind, v->name, NULL), 0);
    v->kind->use(acre_named_object(other)); /* the old one's use has not touched it */
    ACRE_CHECK_EQUAL(acre_named_remove(v->name), 0);
}

ACRE_TEST(named, remove_takes_the_name_and_leaves_the_users_A39)
{
    for (size_t i = 0; i < KINDS; i++) {
        visit v = {&kinds[i], test_name()};
        acre_test_run(use_old_and_new, &v);
        ACRE_CHECK_EQUAL(count_shm(v.name), 0);
    }
}

/* ---- closing ---- */

ACRE_TEST(named, close_is_refused_while_this_thread_holds_it)
{
    const char *name = test_name();
    acre_named *n = create(&kinds[0], name);
    acre_mutex *m = acre_named_object(n);
    ACRE_CHECK_EQUAL(acre_mutex_lock(m), 0);
    ACRE_CHECK_EQUAL(acre_named_close(n), EBUSY);
    ACRE_CHECK_EQUAL(acre_mutex_unlock(m), 0);
    close_and_remove(n, name);
    ACRE_CHECK_EQUAL(acre_named_close(NULL), 0);
}

/* ---- races ---- */

typedef struct race {
    uint32_t go, created, opened, failed, done;
    char name[64];
} race;

static race *race_make(void)
{
    race *r = mmap(NULL, sizeof *r, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ACRE_CHECK(r != MAP_FAILED);
    strcpy(r->name, test_name());
    return r;
}

static uint32_t get(const uint32_t *p)
{
    return __atomic_load_n(p, __ATOMIC_SEQ_CST);
}

static void add(uint32_t *p)
{
    __atomic_add_fetch(p, 1, __ATOMIC_SEQ_CST);
}

static void race_once(race *r)
{
    acre_named *n;
    bool created;
    ACRE_CHECK_EQUAL(acre_named_open_or_create(&n, ACRE_KIND_MUTEX, r->name, NULL, &created), 0);
    add(created ? &r->created : &r->opened);
    ACRE_CHECK_EQUAL(acre_mutex_lock(acre_named_object(n)), 0);
    ACRE_CHECK_EQUAL(acre_mutex_unlock(acre_named_object(n)), 0);
    ACRE_CHECK_EQUAL(acre_named_close(n), 0);
}

static void racer(void *arg)
{
    race *r = arg;
    size_t rounds = acre_test_rounds(200);
    for (uint32_t i = 1; i <= rounds; i++) {
        while (get(&r->go) < i)
            sched_yield();
        race_once(r);
        add(&r->done);
    }
}

ACRE_TEST(named, of_eight_that_race_exactly_one_creates)
{
    race *r = race_make();
    pid_t child[RACERS];
    uint32_t rounds = (uint32_t)acre_test_rounds(200);
    for (int i = 0; i < RACERS; i++)
        child[i] = acre_test_spawn(racer, r);
    for (uint32_t i = 1; i <= rounds; i++) {
        add(&r->go);
        while (get(&r->done) < i * RACERS)
            sched_yield();
        ACRE_CHECK_EQUAL(get(&r->created), i);
        ACRE_CHECK_EQUAL(get(&r->opened), i * (RACERS - 1));
        ACRE_CHECK_EQUAL(acre_named_remove(r->name), 0);
    }
    for (int i = 0; i < RACERS; i++)
        acre_test_expect_exit(child[i], 0);
    ACRE_CHECK_EQUAL(count_shm(r->name), 0);
}

/* ---- creators that die ---- */

static void traced_creator(void *arg)
{
    const visit *v = arg;
    acre_named_options o = options_for(v->kind);
    acre_named *n;
    traced_begin();
    ACRE_CHECK_EQUAL(acre_named_create(&n, v->kind->kind, v->name, &o), 0);
    traced_end();
}

/* What a survivor would find if the creator were killed here: no name, or a whole object. */
static bool whole_or_nothing(const visit *v)
{
    acre_named *n;
    int e = acre_named_open(&n, v->kind->kind, v->name, NULL);
    ACRE_CHECK(e == 0 || e == ENOENT, "%s", acre_strerror(e));
    if (!e)
        ACRE_CHECK_EQUAL(acre_named_close(n), 0);
    return !e;
}

static void step_creator(const visit *v, size_t *instructions, size_t *after)
{
    pid_t child = acre_test_spawn(traced_creator, (void *)v);
    ACRE_CHECK_EQUAL(traced_wait(child), SIGSTOP);
    for (int signal = SIGTRAP; signal == SIGTRAP; ++*instructions) {
        ACRE_CHECK(ptrace(PTRACE_SINGLESTEP, child, NULL, NULL) == 0, "%s", strerror(errno));
        signal = traced_wait(child);
        bool there = whole_or_nothing(v);
        ACRE_CHECK(there || !*after, "the name vanished");
        *after += there;
    }
    kill(child, SIGKILL);
    acre_test_expect_killed(child);
    ACRE_CHECK_EQUAL(acre_named_remove(v->name), 0);
}

ACRE_TEST(named, creator_killed_at_every_instruction_leaves_all_or_nothing)
{
    const char *preload = getenv("LD_PRELOAD");
    if (preload && strstr(preload, "vgpreload"))
        acre_test_skip("valgrind does not let a child be traced");
    size_t instructions = 0;
    for (size_t i = 0; i < KINDS; i++) {
        visit v = {&kinds[i], test_name()};
        size_t after = 0, before = instructions;
        step_creator(&v, &instructions, &after);
        ACRE_CHECK(after > 0 && after < instructions - before);
    }
    fprintf(stderr, "%zu instructions\n", instructions);
}

/* Creates and removes until it is killed. */
static void restless(void *arg)
{
    race *r = arg;
    acre_named *n;
    for (;;) {
        add(&r->go);
        if (acre_named_open_or_create(&n, ACRE_KIND_MUTEX, r->name, NULL, NULL) == 0)
            acre_named_close(n);
        acre_named_remove(r->name);
    }
}

ACRE_TEST(named, killed_creators_and_removers_block_nobody)
{
    race *r = race_make();
    uint64_t seed = acre_test_seed();
    for (size_t i = acre_test_rounds(200); i--;) {
        uint32_t before = get(&r->go);
        acre_named *n;
        pid_t child = acre_test_spawn(restless, r);
        while (get(&r->go) == before)
            sched_yield();
        for (uint64_t spin = acre_test_below(&seed, 40000); spin--;)
            __asm__ volatile("");
        kill(child, SIGKILL);
        acre_test_expect_killed(child);
        ACRE_CHECK_EQUAL(acre_named_open_or_create(&n, ACRE_KIND_MUTEX, r->name, NULL, NULL), 0);
        ACRE_CHECK_EQUAL(acre_mutex_lock(acre_named_object(n)), 0);
        ACRE_CHECK_EQUAL(acre_mutex_unlock(acre_named_object(n)), 0);
        close_and_remove(n, r->name);
        ACRE_CHECK_EQUAL(count_shm(r->name), 0);
    }
}

/* ---- bad names and arguments ---- */

/* Every form refuses with the same error. */
static void expect_refused(const char *name, int error)
{
    acre_named *n = NULL;
    ACRE_CHECK_EQUAL(acre_named_create(&n, ACRE_KIND_MUTEX, name, NULL), error);
    ACRE_CHECK_EQUAL(acre_named_open(&n, ACRE_KIND_MUTEX, name, NULL), error);
    ACRE_CHECK_EQUAL(acre_named_open_or_create(&n, ACRE_KIND_MUTEX, name, NULL, NULL), error);
    ACRE_CHECK_EQUAL(acre_named_remove(name), error);
    ACRE_CHECK(!n);
}

ACRE_TEST(named, bad_names_are_refused)
{
    char longest[202] = {0};
    memset(longest, 'n', 201);
    expect_refused(NULL, ACRE_ENAME);
    expect_refused("", ACRE_ENAME);
    expect_refused(".hidden", ACRE_ENAME);
    expect_refused("a/b", ACRE_ENAME);
    expect_refused("a\nb", ACRE_ENAME);
    expect_refused(longest, ENAMETOOLONG);
}

ACRE_TEST(named, bad_kinds_counts_and_modes_are_refused)
{
    const char *name = test_name();
    acre_named *n = NULL;
    acre_named_options count = {.count = 1}, mode = {.mode = 04600};
    ACRE_CHECK_EQUAL(acre_named_create(&n, 0, name, NULL), EINVAL);
    ACRE_CHECK_EQUAL(acre_named_create(&n, 32, name, NULL), EINVAL);
    ACRE_CHECK_EQUAL(acre_named_open(&n, 99, name, NULL), EINVAL);
    ACRE_CHECK_EQUAL(acre_named_create(&n, ACRE_KIND_MUTEX, name, &count), EINVAL);
    ACRE_CHECK_EQUAL(acre_named_create(&n, ACRE_KIND_MUTEX, name, &mode), EINVAL);
    ACRE_CHECK_EQUAL(acre_named_create(&n, ACRE_KIND_PERMITS, name, NULL), EINVAL);
    ACRE_CHECK_EQUAL(acre_named_create(&n, ACRE_KIND_BARRIER, name, NULL), EINVAL);
    count.count = UINT32_MAX;
    ACRE_CHECK_EQUAL(acre_named_create(&n, ACRE_KIND_SEMAPHORE, name, &count), EINVAL);
    ACRE_CHECK_EQUAL(acre_named_create(&n, ACRE_KIND_PERMITS, name, &count), EINVAL);
    ACRE_CHECK_EQUAL(acre_named_create(&n, ACRE_KIND_BARRIER, name, &count), EINVAL);
    ACRE_CHECK_EQUAL(count_shm(name), 0);
}

/* ---- what is not an object ---- */

/* It is refused by each form with its own error, and still there. */
static void expect_no_object(const char *name, int open_error, int remove_error)
{
    acre_named *n = NULL;
    struct stat before, after;
    ACRE_CHECK(lstat(path_of(name), &before) == 0);
    ACRE_CHECK_EQUAL(acre_named_open(&n, ACRE_KIND_MUTEX, name, NULL), open_error);
    ACRE_CHECK_EQUAL(acre_named_create(&n, ACRE_KIND_MUTEX, name, NULL), EEXIST);
    ACRE_CHECK_EQUAL(acre_named_open_or_create(&n, ACRE_KIND_MUTEX, name, NULL, NULL), open_error);
    ACRE_CHECK_EQUAL(acre_named_remove(name), remove_error);
    ACRE_CHECK(!n && lstat(path_of(name), &after) == 0 && before.st_ino == after.st_ino);
    ACRE_CHECK(remove(path_of(name)) == 0);
}

static void write_file(const char *name, const void *data, size_t n)
{
    int fd = open(path_of(name), O_CREAT | O_TRUNC | O_RDWR, 0600);
    ACRE_CHECK(fd >= 0 && write(fd, data, n) == (ssize_t)n);
    close(fd);
}

ACRE_TEST(named, directories_links_pipes_and_foreign_files_are_refused)
{
    const char *name = test_name();
    ACRE_CHECK(mkdir(path_of(name), 0700) == 0);
    expect_no_object(name, ACRE_ETYPE, ACRE_ETYPE);
    ACRE_CHECK(mkfifo(path_of(name), 0600) == 0);
    expect_no_object(name, ACRE_ETYPE, ACRE_ETYPE);
    ACRE_CHECK(symlink("/etc/passwd", path_of(name)) == 0);
    expect_no_object(name, ELOOP, ELOOP);
    ACRE_CHECK(symlink("/nowhere", path_of(name)) == 0);
    expect_no_object(name, ELOOP, ELOOP);
    write_file(name, "", 0);
    expect_no_object(name, ACRE_EOBJECT, ACRE_EOBJECT);
    write_file(name, "something of another program's, longer than a header of acre's would be", 71);
    expect_no_object(name, ACRE_EOBJECT, ACRE_EOBJECT);
}

ACRE_TEST(named, a_segment_is_no_object_and_an_object_no_segment)
{
    const char *name = test_name();
    acre_segment *s;
    acre_segment_options o = {.size = 1 << 16};
    ACRE_CHECK_EQUAL(acre_segment_create(&s, ACRE_SHM, name, &o), 0);
    ACRE_CHECK_EQUAL(acre_segment_close(s), 0);
    expect_no_object(name, ACRE_EOBJECT, ACRE_EOBJECT);
    acre_named *n = create(&kinds[0], name);
    ACRE_CHECK_EQUAL(acre_segment_open(&s, ACRE_SHM, name, NULL), ACRE_EFORMAT);
    ACRE_CHECK_EQUAL(acre_segment_remove(ACRE_SHM, name), ACRE_EFORMAT);
    close_and_remove(n, name);
}

ACRE_TEST(named, another_kind_is_refused)
{
    const char *name = test_name();
    for (size_t i = 0; i < KINDS; i++) {
        acre_named *n = create(&kinds[i], name), *other = NULL;
        for (size_t j = 0; j < KINDS; j++)
            if (j != i)
                ACRE_CHECK_EQUAL(acre_named_open(&other, kinds[j].kind, name, NULL), ACRE_EOBJECT);
        ACRE_CHECK(!other);
        close_and_remove(n, name);
    }
}

/* ---- damage ---- */

/* The bytes of a fresh object's file. */
static size_t bytes_of(const struct kind *k, unsigned char *bytes, size_t room)
{
    const char *name = test_name();
    acre_named *n = create(k, name);
    int fd = open(path_of(name), O_RDONLY);
    ssize_t size = read(fd, bytes, room);
    ACRE_CHECK(size > 0 && (size_t)size < room);
    close(fd);
    close_and_remove(n, name);
    return (size_t)size;
}

/* As expect_no_object(), but it is one of acre's, so that it can be removed. */
static void expect_damaged(const char *name, enum acre_kind kind, int error)
{
    acre_named *n = NULL;
    ACRE_CHECK_EQUAL(acre_named_open(&n, kind, name, NULL), error);
    ACRE_CHECK_EQUAL(acre_named_remove(name), 0);
    ACRE_CHECK(!n);
}

ACRE_TEST(named, truncated_at_every_length_is_refused)
{
    static unsigned char bytes[1 << 16];
    const char *name = test_name();
    size_t step = acre_test_rounds(20) == 20 ? 1 : 97;
    for (size_t i = 0; i < KINDS; i++) {
        size_t size = bytes_of(&kinds[i], bytes, sizeof bytes);
        for (size_t n = 0; n < size; n += n < 128 ? 1 : step) {
            write_file(name, bytes, n);
            if (n < 8)
                expect_no_object(name, ACRE_EOBJECT, ACRE_EOBJECT);
            else
                expect_damaged(name, kinds[i].kind, ACRE_ETRUNCATED);
        }
    }
}

static uint64_t fnv(const unsigned char *p, size_t n)
{
    uint64_t h = 0xcbf29ce484222325u;
    while (n--)
        h = (h ^ *p++) * 0x100000001b3u;
    return h;
}

/* An altered header whose checksum is right, in front of an unaltered object. */
static void expect_forgery(acre__object_header h, const unsigned char *bytes, size_t size,
                           int error)
{
    const char *name = test_name();
    unsigned char forged[4096];
    h.checksum = fnv((const unsigned char *)&h, offsetof(acre__object_header, checksum));
    memcpy(forged, bytes, size);
    memcpy(forged, &h, sizeof h);
    write_file(name, forged, size);
    expect_damaged(name, ACRE_KIND_MUTEX, error);
}

ACRE_TEST(named, other_layouts_and_forged_sizes_are_refused)
{
    static const uint64_t sizes[] = {0, 1, 63, 64, 65};
    unsigned char bytes[4096];
    size_t size = bytes_of(&kinds[0], bytes, sizeof bytes);
    acre__object_header was, h;
    memcpy(&was, bytes, sizeof was);
    h = was, h.layout_hash ^= 1;
    expect_forgery(h, bytes, size, ACRE_ELAYOUT);
    h = was, h.format++;
    expect_forgery(h, bytes, size, ACRE_ELAYOUT);
    h = was, h.count = 1;
    expect_forgery(h, bytes, size, ACRE_ECORRUPT);
    h = was, h.size = UINT64_MAX;
    expect_forgery(h, bytes, size, ACRE_ETRUNCATED);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        h.size = sizes[i];
        expect_forgery(h, bytes, size, ACRE_ECORRUPT);
    }
}

/* Whatever byte of the header is changed, nobody takes it for what it was. */
ACRE_TEST(named, a_flip_of_any_bit_of_the_header_is_noticed)
{
    unsigned char bytes[4096];
    const char *name = test_name();
    size_t size = bytes_of(&kinds[0], bytes, sizeof bytes);
    for (size_t bit = 0; bit < 8 * sizeof(acre__object_header); bit++) {
        bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
        write_file(name, bytes, size);
        if (bit < 64)
            expect_no_object(name, ACRE_EOBJECT, ACRE_EOBJECT);
        else
            expect_damaged(name, kinds[0].kind, bit < 128 ? ACRE_ELAYOUT : ACRE_ECORRUPT);
        bytes[bit / 8] ^= (unsigned char)(1 << bit % 8);
    }
}

/* ---- permissions ---- */

typedef struct stranger {
    const char *name;
    mode_t mode;
} stranger;

static void as_stranger(void *arg)
{
    const stranger *s = arg;
    acre_named *n = NULL;
    acre_named_options any = {.any_owner = true};
    ACRE_CHECK(setgid(NOBODY) == 0 && setuid(NOBODY) == 0);
    int denied = s->mode == 0666 ? 0 : EACCES;
    ACRE_CHECK_EQUAL(acre_named_open(&n, ACRE_KIND_MUTEX, s->name, NULL),
                     denied ? denied : ACRE_EOWNER);
    ACRE_CHECK_EQUAL(acre_named_create(&n, ACRE_KIND_MUTEX, s->name, NULL), EEXIST);
    ACRE_CHECK_EQUAL(acre_named_remove(s->name), EACCES);
    ACRE_CHECK_EQUAL(acre_named_open(&n, ACRE_KIND_MUTEX, s->name, &any), denied);
    if (n)
        ACRE_CHECK_EQUAL(acre_mutex_lock(acre_named_object(n)), 0);
}

ACRE_TEST(named, permission_and_owner_are_told_apart)
{
    static const mode_t modes[] = {0600, 0644, 0666};
    if (geteuid())
        acre_test_skip("only root can become somebody else");
    for (size_t i = 0; i < 3; i++) {
        stranger s = {test_name(), modes[i]};
        acre_named_options o = {.mode = modes[i]};
        acre_named *n;
        ACRE_CHECK_EQUAL(acre_named_create(&n, ACRE_KIND_MUTEX, s.name, &o), 0);
        acre_test_run(as_stranger, &s);
        close_and_remove(n, s.name);
    }
}

/* Its files are published another way than root's. */
static void as_plain_user(void *arg)
{
    acre_named *n, *other;
    ACRE_CHECK(setgid(NOBODY) == 0 && setuid(NOBODY) == 0);
    ACRE_CHECK_EQUAL(acre_named_create(&n, ACRE_KIND_MUTEX, arg, NULL), 0);
    ACRE_CHECK_EQUAL(acre_named_create(&other, ACRE_KIND_MUTEX, arg, NULL), EEXIST);
    ACRE_CHECK_EQUAL(acre_named_open(&other, ACRE_KIND_MUTEX, arg, NULL), 0);
    ACRE_CHECK_EQUAL(acre_named_close(other), 0);
    close_and_remove(n, arg);
}

ACRE_TEST(named, no_privilege_is_needed)
{
    if (geteuid())
        acre_test_skip("root becomes somebody else here; others are tested by all the rest");
    acre_test_run(as_plain_user, (void *)test_name());
}

/* ---- limits ---- */

static void limit_descriptors(rlim_t n)
{
    struct rlimit limit;
    ACRE_CHECK(getrlimit(RLIMIT_NOFILE, &limit) == 0);
    limit.rlim_cur = n;
    ACRE_CHECK(setrlimit(RLIMIT_NOFILE, &limit) == 0);
}

static void without_descriptors(void *arg)
{
    const char *name = arg;
    acre_named *n = NULL;
    limit_descriptors(3);
    ACRE_CHECK_EQUAL(acre_named_create(&n, ACRE_KIND_MUTEX, name, NULL), EMFILE);
    ACRE_CHECK_EQUAL(acre_named_open_or_create(&n, ACRE_KIND_MUTEX, name, NULL, NULL), EMFILE);
}

static void with_short_files(void *arg)
{
    const char *name = arg;
    acre_named *n = NULL;
    struct rlimit limit = {100, 100}; /* a mutex is 104 */
    ACRE_CHECK(setrlimit(RLIMIT_FSIZE, &limit) == 0);
    ACRE_CHECK_EQUAL(acre_named_create(&n, ACRE_KIND_MUTEX, name, NULL), EFBIG);
}

ACRE_TEST(named, lack_of_descriptors_or_file_size_is_an_error_and_leaves_nothing)
{
    const char *name = test_name();
    acre_test_run(without_descriptors, (void *)name);
    acre_test_run(with_short_files, (void *)name);
    ACRE_CHECK_EQUAL(count_shm(name), 0);
}

/* An open object needs no descriptor: there may be more of them than RLIMIT_NOFILE. */
static void many_objects(void *arg)
{
    enum { MANY = 100 };
    acre_named *n[MANY];
    char name[MANY][80];
    limit_descriptors(16);
    for (int i = 0; i < MANY; i++) {
        snprintf(name[i], sizeof name[i], "%s-%d", (const char *)arg, i);
        ACRE_CHECK_EQUAL(acre_named_create(&n[i], ACRE_KIND_MUTEX, name[i], NULL), 0);
    }
    for (int i = 0; i < MANY; i++)
        close_and_remove(n[i], name[i]);
}

ACRE_TEST(named, open_objects_take_no_descriptors)
{
    acre_test_run(many_objects, (void *)test_name());
}

/* A tiny /dev/shm in a mount namespace of its own; exit 77: not permitted. */
static void fill_shm(void *arg)
{
    const char *name = arg;
    acre_named *n = NULL;
    static const char block[64 << 10];
    if (unshare(CLONE_NEWNS) != 0 || mount("none", "/", "none", MS_REC | MS_PRIVATE, "") != 0 ||
        mount("tmpfs", "/dev/shm", "tmpfs", 0, "size=64k") != 0)
        _exit(77);
    write_file("filler", block, sizeof block);
    ACRE_CHECK_EQUAL(acre_named_create(&n, ACRE_KIND_MUTEX, name, NULL), ENOSPC);
    ACRE_CHECK_EQUAL(acre_named_open_or_create(&n, ACRE_KIND_MUTEX, name, NULL, NULL), ENOSPC);
    ACRE_CHECK_EQUAL(count_shm("acre"), 1);
    ACRE_CHECK(remove(path_of("filler")) == 0);
    ACRE_CHECK_EQUAL(acre_named_create(&n, ACRE_KIND_MUTEX, name, NULL), 0);
}

ACRE_TEST(named, a_full_dev_shm_is_an_error_and_leaves_nothing)
{
    int status;
    pid_t child = acre_test_spawn(fill_shm, (void *)test_name());
    ACRE_CHECK(waitpid(child, &status, 0) == child);
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
        acre_test_skip("mounting a small tmpfs is not permitted here");
    ACRE_CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %#x", status);
}
