/* SPDX-License-Identifier: MIT */
/* Hostile surroundings of segments and memory objects: modes, links and other odd files, other users, names, full
 * file systems, limits, files cut or replaced under their users, storms of signals (A-38 … A-40). */
#include "tests/support_heap.h"

#include <acre/region.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/time.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SIZE = 64 << 10, BIG = 1 << 20, NOBODY = 65534, DENIED = 77 };

/* ---- segments and memory objects alike ---- */

typedef struct thing {
    acre_segment *s;
    acre_memory m;
} thing;

/* What is made, opened, removed: one of two. */
typedef struct kind {
    const char *name, *prefix;
    int (*create)(thing *t, enum acre_source source, const char *name, size_t size, mode_t mode);
    int (*open)(thing *t, enum acre_source source, const char *name, bool read_only,
                bool any_owner);
    int (*remove)(enum acre_source source, const char *name);
    void (*close)(thing *t);
} kind;

static int segment_create(thing *t, enum acre_source source, const char *name, size_t size,
                          mode_t mode)
{
    acre_segment_options o = {.size = size, .capacity = 64 * BIG, .mode = mode};
    return acre_segment_create(&t->s, source, name, &o);
}

static int segment_open(thing *t, enum acre_source source, const char *name, bool read_only,
                        bool any_owner)
{
    acre_segment_options o = {.read_only = read_only, .any_owner = any_owner};
    return acre_segment_open(&t->s, source, name, &o);
}

static void segment_close(thing *t)
{
    ACRE_CHECK_EQUAL(acre_segment_close(t->s), 0);
}

static int memory_create(thing *t, enum acre_source source, const char *name, size_t size,
                         mode_t mode)
{
    acre_memory_options o = {.size = size, .mode = mode};
    return acre_memory_create(&t->m, source, name, &o);
}

static int memory_open(thing *t, enum acre_source source, const char *name, bool read_only,
                       bool any_owner)
{
    acre_memory_options o = {.read_only = read_only, .any_owner = any_owner};
    return acre_memory_open(&t->m, source, name, &o);
}

static void memory_close(thing *t)
{
    acre_memory_close(&t->m);
}

static const kind kinds[] = {
    {"segment", "acre.", segment_create, segment_open, acre_segment_remove, segment_close},
    {"memory", "acre-", memory_create, memory_open, acre_memory_remove, memory_close},
};
enum { KINDS = 2 };

static void make(const kind *k, enum acre_source source, const char *name, size_t size, mode_t mode)
{
    thing t = {0};
    ACRE_CHECK_EQUAL(k->create(&t, source, name, size, mode), 0);
    k->close(&t);
}

/* ---- a folder for each test's files ---- */

static char dir[64];

static const char *in_dir(const char *name)
{
    static char path[8][600];
    static unsigned next;
    char *p = path[next++ % 8];
    if (!dir[0]) {
        strcpy(dir, "/tmp/acre-test-XXXXXX");
        ACRE_CHECK(mkdtemp(dir) && chmod(dir, 0777) == 0);
    }
    snprintf(p, sizeof path[0], "%s/%s", dir, name);
    return p;
}

static void remove_dir(void)
{
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", dir);
    ACRE_CHECK(!dir[0] || system(command) == 0);
    dir[0] = 0;
}

static int count_entries(const char *path)
{
    DIR *d = opendir(path);
    int n = -2; /* . and .. */
    ACRE_CHECK(d, "%s", path);
    while (readdir(d))
        n++;
    closedir(d);
    return n;
}

/* ---- modes ---- */

static void expect_mode(const kind *k, enum acre_source source, mode_t mask, mode_t asked)
{
    char path[600];
    struct stat st;
    const char *name = source == ACRE_SHM ? test_name() : in_dir(test_name());
    mode_t before = umask(mask);
    make(k, source, name, SIZE, asked);
    umask(before);
    snprintf(path, sizeof path, "%s%s%s", source == ACRE_SHM ? "/dev/shm/" : "",
             source == ACRE_SHM ? k->prefix : "", name);
    ACRE_CHECK(stat(path, &st) == 0, "%s", path);
    ACRE_CHECK_EQUAL(st.st_mode & 07777, asked ? asked : 0600);
    ACRE_CHECK_EQUAL(k->remove(source, name), 0);
}

ACRE_TEST(surroundings, modes_are_exact_whatever_the_umask_A38)
{
    static const mode_t masks[] = {077, 000, 0777}, modes[] = {0, 0600, 0640, 0666, 0444, 0777};
    for (int i = 0; i < KINDS * 3 * 6; i++) {
        expect_mode(&kinds[i / 18], ACRE_SHM, masks[i / 6 % 3], modes[i % 6]);
        expect_mode(&kinds[i / 18], ACRE_FILE, masks[i / 6 % 3], modes[i % 6]);
    }
    remove_dir();
}

/* ---- odd files ---- */

/* What stands at the name must be neither followed, nor opened, nor replaced, nor removed. */
static void expect_refused(const kind *k, const char *path, int error)
{
    thing t = {0};
    struct stat before, after;
    ACRE_CHECK(lstat(path, &before) == 0, "%s", path);
    ACRE_CHECK(k->create(&t, ACRE_FILE, path, SIZE, 0) == EEXIST, "%s %s", k->name, path);
    for (int read_only = 0; read_only < 2; read_only++)
        for (int any = 0; any < 2; any++) {
            int e = k->open(&t, ACRE_FILE, path, read_only, any);
            ACRE_CHECK(e == error, "%s %s: %s", k->name, path, acre_strerror(e));
        }
    int e = k->remove(ACRE_FILE, path);
    ACRE_CHECK(e == error, "%s %s: %s", k->name, path, acre_strerror(e));
    ACRE_CHECK(lstat(path, &after) == 0 && before.st_ino == after.st_ino, "%s", path);
}

static void make_socket(const char *path)
{
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    snprintf(at.sun_path, sizeof at.sun_path, "%s", path);
    int fd = socket(AF_UNIX, SOCK_STREAM, 0);
    ACRE_CHECK(fd >= 0 && bind(fd, (struct sockaddr *)&at, sizeof at) == 0);
    close(fd);
}

static void meet_odd_files(const kind *k)
{
    make(k, ACRE_FILE, in_dir("target"), SIZE, 0);
    ACRE_CHECK(symlink(in_dir("target"), in_dir("link")) == 0);
    ACRE_CHECK(symlink(in_dir("nowhere"), in_dir("dangling")) == 0);
    ACRE_CHECK(mkfifo(in_dir("fifo"), 0666) == 0 && mkdir(in_dir("folder"), 0777) == 0);
    make_socket(in_dir("socket"));
    expect_refused(k, in_dir("link"), ELOOP);
    expect_refused(k, in_dir("dangling"), ELOOP);
    expect_refused(k, in_dir("fifo"), ACRE_ETYPE);
    expect_refused(k, in_dir("folder"), ACRE_ETYPE);
    expect_refused(k, in_dir("socket"), ACRE_ETYPE);
    ACRE_CHECK(access(in_dir("nowhere"), F_OK) != 0);
    if (mknod(in_dir("device"), S_IFCHR | 0666, makedev(1, 3)) == 0)
        expect_refused(k, in_dir("device"), ACRE_ETYPE);
    thing t = {0};
    ACRE_CHECK_EQUAL(k->open(&t, ACRE_FILE, in_dir("target"), false, false), 0);
    k->close(&t);
    remove_dir();
}

ACRE_TEST(surroundings, what_is_no_regular_file_is_refused_and_left_alone)
{
    for (int i = 0; i < KINDS; i++)
        meet_odd_files(&kinds[i]);
}

/* ---- other users ---- */

static void become_nobody(void)
{
    ACRE_CHECK(setgid(NOBODY) == 0 && setuid(NOBODY) == 0);
}

/* Files are root's, their folder everybody's, but sticky. */
static void visit(void *arg)
{
    const kind *k = arg;
    thing t = {0};
    become_nobody();
    ACRE_CHECK_EQUAL(k->open(&t, ACRE_FILE, in_dir("private"), false, true), EACCES);
    ACRE_CHECK_EQUAL(k->open(&t, ACRE_FILE, in_dir("look"), false, true), EACCES);
    ACRE_CHECK_EQUAL(k->open(&t, ACRE_FILE, in_dir("look"), true, false), ACRE_EOWNER);
    ACRE_CHECK_EQUAL(k->open(&t, ACRE_FILE, in_dir("public"), false, false), ACRE_EOWNER);
    ACRE_CHECK_EQUAL(k->open(&t, ACRE_FILE, in_dir("hard"), false, false), ACRE_EOWNER);
    ACRE_CHECK_EQUAL(k->create(&t, ACRE_FILE, in_dir("public"), SIZE, 0), EEXIST);
    ACRE_CHECK_EQUAL(k->remove(ACRE_FILE, in_dir("public")), EACCES);
    ACRE_CHECK_EQUAL(k->create(&t, ACRE_FILE, in_dir("closed/x"), SIZE, 0), EACCES);
    ACRE_CHECK_EQUAL(k->open(&t, ACRE_FILE, in_dir("look"), true, true), 0);
    k->close(&t);
    ACRE_CHECK_EQUAL(k->open(&t, ACRE_FILE, in_dir("public"), false, true), 0);
    k->close(&t);
}

ACRE_TEST(surroundings, another_users_files_need_permission_and_consent)
{
    if (geteuid() != 0)
        acre_test_skip("not root: cannot become another user");
    for (int i = 0; i < KINDS; i++) {
        make(&kinds[i], ACRE_FILE, in_dir("private"), SIZE, 0600);
        make(&kinds[i], ACRE_FILE, in_dir("look"), SIZE, 0604);
        make(&kinds[i], ACRE_FILE, in_dir("public"), SIZE, 0666);
        ACRE_CHECK(link(in_dir("public"), in_dir("hard")) == 0 &&
                   mkdir(in_dir("closed"), 0755) == 0);
        ACRE_CHECK(chmod(dir, 01777) == 0);
        acre_test_run(visit, (void *)&kinds[i]);
        ACRE_CHECK_EQUAL(count_entries(in_dir("closed")), 0);
        ACRE_CHECK_EQUAL(count_entries(dir), 5);
        remove_dir();
    }
}

/* ---- names ---- */

static void expect_name(const kind *k, const char *name, int error)
{
    thing t = {0};
    int e = k->create(&t, ACRE_SHM, name, SIZE, 0);
    ACRE_CHECK(e == error, "%s: %s", k->name, acre_strerror(e));
    if (!e)
        k->close(&t);
    ACRE_CHECK_EQUAL(k->open(&t, ACRE_SHM, name, false, false), error);
    if (!e)
        k->close(&t);
    ACRE_CHECK_EQUAL(k->remove(ACRE_SHM, name), error);
}

ACRE_TEST(surroundings, names_are_1_to_200_plain_bytes)
{
    static const char *const bad[] = {"",   ".",   "..",   ".x",  "/",    "/x",
                                      "x/", "x/y", "../x", "x\n", "\x1f", "\x7f"};
    char longest[202] = "", one[2] = {(char)(128 + getpid() % 128)}; /* any byte that is no control character */
    memset(longest, '0', 201);
    longest[snprintf(longest, 100, "test-%d-", (int)getpid())] = '0';
    for (int k = 0; k < KINDS; k++) {
        longest[200] = '0';
        expect_name(&kinds[k], longest, ENAMETOOLONG);
        longest[200] = 0;
        expect_name(&kinds[k], longest, 0);
        expect_name(&kinds[k], one, 0);
        expect_name(&kinds[k], NULL, ACRE_ENAME);
        for (size_t i = 0; i < sizeof bad / sizeof *bad; i++)
            expect_name(&kinds[k], bad[i], ACRE_ENAME);
    }
}

/* ---- full file systems ---- */

static void mount_small(const char *path)
{
    if (unshare(geteuid() ? CLONE_NEWUSER | CLONE_NEWNS : CLONE_NEWNS) != 0 ||
        mount("none", "/", "none", MS_REC | MS_PRIVATE, "") != 0 ||
        mount("tmpfs", path, "tmpfs", 0, "size=1m") != 0)
        _exit(DENIED);
}

static void fill_up_memory(const char *file)
{
    acre_memory m;
    acre_mapping r;
    uint64_t size;
    ACRE_CHECK_EQUAL(acre_memory_create(&m, ACRE_FILE, file, NULL), 0);
    ACRE_CHECK_EQUAL(acre_memory_set_size(&m, SIZE), 0);
    ACRE_CHECK_EQUAL(acre_memory_set_size(&m, 2 * BIG), ENOSPC);
    ACRE_CHECK(acre_memory_size(&m, &size) == 0 && size == SIZE);
    ACRE_CHECK_EQUAL(acre_memory_set_size(&m, BIG / 2), 0);
    ACRE_CHECK_EQUAL(acre_mapping_map(&r, &m, NULL), 0);
    memset(r.address, 1, r.size);
    acre_mapping_unmap(&r);
    acre_memory_close(&m);
    ACRE_CHECK_EQUAL(acre_memory_remove(ACRE_FILE, file), 0);
}

/* What was purged is gone from the file; then another fills the system. */
static void fill_up_segment(const char *file, const char *filler)
{
    acre_segment *s;
    acre_memory m;
    acre_segment_options o = {.size = BIG / 2, .capacity = 8 * BIG};
    ACRE_CHECK_EQUAL(acre_segment_create(&s, ACRE_FILE, file, &o), 0);
    ACRE_CHECK_EQUAL(acre_segment_grow(s, 4 * BIG), ENOSPC);
    ACRE_CHECK_EQUAL(acre_segment_size(s), BIG / 2);
    ACRE_CHECK(fallocate(acre_segment_fd(s), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, BIG / 4,
                         BIG / 8) == 0);
    acre_memory_options most = {.size = 5 * BIG / 8};
    ACRE_CHECK_EQUAL(acre_memory_create(&m, ACRE_FILE, filler, &most), 0);
    ACRE_CHECK_EQUAL(acre_segment_populate(s, 0, BIG / 2), ENOSPC);
    ACRE_CHECK_EQUAL(acre_memory_set_size(&m, BIG / 4), 0);
    ACRE_CHECK_EQUAL(acre_segment_populate(s, 0, BIG / 2), 0);
    test_sound(acre_segment_heap(s));
    ACRE_CHECK_EQUAL(acre_segment_grow(s, 5 * BIG / 8), 0);
    acre_memory_close(&m);
    acre_segment_close(s);
}

static void fill_up(void *arg)
{
    char file[700], filler[700];
    thing t = {0};
    mount_small(arg);
    snprintf(file, sizeof file, "%s/file", (char *)arg);
    snprintf(filler, sizeof filler, "%s/filler", (char *)arg);
    for (int i = 0; i < KINDS; i++) {
        ACRE_CHECK_EQUAL(kinds[i].create(&t, ACRE_FILE, file, 2 * BIG, 0), ENOSPC);
        ACRE_CHECK_EQUAL(count_entries(arg), 0);
        make(&kinds[i], ACRE_FILE, file, BIG / 2, 0); /* nothing was kept of the larger one */
        ACRE_CHECK_EQUAL(kinds[i].remove(ACRE_FILE, file), 0);
    }
    fill_up_memory(file);
    fill_up_segment(file, filler);
    ACRE_CHECK_EQUAL(count_entries(arg), 2);
}

ACRE_TEST(surroundings, full_file_systems_are_errors_and_nothing_stays_A40)
{
    const char *path = in_dir("small");
    int status;
    ACRE_CHECK(mkdir(path, 0700) == 0);
    pid_t child = acre_test_spawn(fill_up, (void *)path);
    ACRE_CHECK(waitpid(child, &status, 0) == child);
    remove_dir();
    if (WIFEXITED(status) && WEXITSTATUS(status) == DENIED)
        acre_test_skip("mounting a small tmpfs is not permitted here");
    ACRE_CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %#x", status);
}

/* ---- limits ---- */

static void limit(int what, rlim_t n)
{
    struct rlimit r;
    ACRE_CHECK(getrlimit(what, &r) == 0);
    r.rlim_cur = n;
    ACRE_CHECK(setrlimit(what, &r) == 0);
}

static void exceed_file_size(void *arg)
{
    const kind *k = arg;
    const char *name = in_dir("x");
    thing t = {0};
    limit(RLIMIT_FSIZE, 2 * SIZE);
    ACRE_CHECK_EQUAL(k->create(&t, ACRE_FILE, name, BIG, 0), EFBIG);
    ACRE_CHECK_EQUAL(count_entries(dir), 0);
    ACRE_CHECK_EQUAL(k->create(&t, ACRE_FILE, name, SIZE, 0), 0);
    ACRE_CHECK_EQUAL(t.s ? acre_segment_grow(t.s, BIG) : acre_memory_set_size(&t.m, BIG), EFBIG);
    ACRE_CHECK_EQUAL(t.s ? acre_segment_grow(t.s, 2 * SIZE) : acre_memory_set_size(&t.m, 2 * SIZE),
                     0);
    k->close(&t);
    ACRE_CHECK_EQUAL(k->remove(ACRE_FILE, name), 0);
}

ACRE_TEST(surroundings, file_size_limit_is_an_error_not_a_signal_A40)
{
    in_dir("");
    for (int i = 0; i < KINDS; i++)
        acre_test_run(exceed_file_size, (void *)&kinds[i]);
    remove_dir();
}

/* With room for 0, 1, 2 … descriptors, until it works; none may leak. */
static void lack_descriptors(void *arg)
{
    const kind *k = arg;
    const char *name = in_dir("made"), *old = in_dir("old");
    thing t = {0};
    make(k, ACRE_FILE, old, SIZE, 0);
    int first = dup(2), failed = 0, e;
    close(first);
    for (int room = 0;; room++) {
        limit(RLIMIT_NOFILE, (rlim_t)(first + room));
        e = k->create(&t, ACRE_FILE, name, SIZE, 0);
        if (!e)
            break;
        ACRE_CHECK_EQUAL(e, EMFILE);
        e = k->open(&t, ACRE_FILE, old, false, false);
        ACRE_CHECK(e == EMFILE || e == 0);
        if (!e)
            k->close(&t);
        failed++;
        limit(RLIMIT_NOFILE, (rlim_t)(first + 20));
        int next = dup(2);
        ACRE_CHECK_EQUAL(next, first);
        close(next);
        ACRE_CHECK_EQUAL(count_entries(dir), 1);
    }
    ACRE_CHECK_EQUAL(failed, 2); /* the folder's, the file's */
    k->close(&t);
    ACRE_CHECK_EQUAL(k->remove(ACRE_FILE, name), 0);
    ACRE_CHECK_EQUAL(k->remove(ACRE_FILE, old), 0);
}

ACRE_TEST(surroundings, no_descriptors_left_is_an_error_and_none_leaks)
{
    in_dir("");
    for (int i = 0; i < KINDS; i++)
        acre_test_run(lack_descriptors, (void *)&kinds[i]);
    remove_dir();
}

#ifndef __SANITIZE_ADDRESS__
static void lack_address_space(void *arg)
{
    acre_memory m;
    acre_mapping r;
    acre_memory_options half = {.size = SIZE};
    (void)arg;
    limit(RLIMIT_AS, (rlim_t)1 << 30);
    ACRE_CHECK_EQUAL(acre_memory_create(&m, ACRE_MEMFD, NULL, &half), 0);
    acre_mapping_options o = {.size = (size_t)2 << 30, .beyond = true};
    ACRE_CHECK_EQUAL(acre_mapping_map(&r, &m, &o), ENOMEM);
    ACRE_CHECK_EQUAL(acre_mapping_anonymous(&r, (size_t)2 << 30, NULL), ENOMEM);
    ACRE_CHECK_EQUAL(acre_mapping_map(&r, &m, NULL), 0);
    acre_segment *s;
    acre_segment_options big = {.size = (size_t)2 << 30};
    ACRE_CHECK_EQUAL(acre_segment_create(&s, ACRE_ANON, NULL, &big), ENOMEM);
}

ACRE_TEST(surroundings, short_address_space_is_an_error)
{
    if (acre_test_rounds(20) == 1)
        acre_test_skip("valgrind keeps address space for itself");
    acre_test_run(lack_address_space, NULL);
}
#endif

/* ---- files that others change ---- */

ACRE_TEST(surroundings, a_file_cut_by_others_is_told_to_the_next_one)
{
    const char *path = in_dir("cut");
    acre_segment *s, *other;
    acre_segment_options o = {.size = SIZE};
    ACRE_CHECK_EQUAL(acre_segment_create(&s, ACRE_FILE, path, &o), 0);
    for (int size = SIZE - 1; size >= 0; size -= size > 300 ? size % 4096 ? size % 4096 : 1 : 1) {
        ACRE_CHECK(truncate(path, size) == 0);
        int e = acre_segment_open(&other, ACRE_FILE, path, NULL);
        ACRE_CHECK(e == (size < 8 ? ACRE_EFORMAT : ACRE_ETRUNCATED), "%d: %s", size,
                   acre_strerror(e));
    }
    acre_segment_close(s); /* its mapping is there, its memory is not */
    remove_dir();
}

ACRE_TEST(surroundings, a_file_that_is_replaced_stays_with_its_users)
{
    const char *path = in_dir("name"), *new = in_dir("new");
    acre_segment *s, *other;
    acre_segment_options o = {.size = SIZE, .capacity = BIG};
    ACRE_CHECK_EQUAL(acre_segment_create(&s, ACRE_FILE, path, &o), 0);
    *acre_segment_root(s) = 5;
    make(&kinds[0], ACRE_FILE, new, SIZE, 0);
    ACRE_CHECK(rename(new, path) == 0);
    ACRE_CHECK_EQUAL(acre_segment_grow(s, BIG), 0);
    void *p = acre_alloc(acre_segment_heap(s), 2 * SIZE);
    ACRE_CHECK(p);
    memset(p, 1, 2 * SIZE);
    test_sound(acre_segment_heap(s));
    ACRE_CHECK_EQUAL(acre_segment_open(&other, ACRE_FILE, path, NULL), 0);
    ACRE_CHECK_EQUAL(*acre_segment_root(other), 0);
    ACRE_CHECK_EQUAL(acre_segment_size(other), SIZE);
    ACRE_CHECK_EQUAL(*acre_segment_root(s), 5);
    acre_segment_close(other);
    acre_segment_close(s);
    remove_dir();
}

/* ---- signals ---- */

static volatile uint64_t rung;

static void on_alarm(int signal)
{
    (void)signal;
    rung++;
}

static void ring_every(int us)
{
    struct sigaction a = {.sa_handler = on_alarm}; /* no SA_RESTART */
    struct itimerval every = {{0, us}, {0, us}};
    ACRE_CHECK(sigaction(SIGALRM, &a, NULL) == 0 && setitimer(ITIMER_REAL, &every, NULL) == 0);
}

static void work_in_the_storm(enum acre_source source, const char *name)
{
    acre_segment *s, *other;
    acre_memory m;
    acre_segment_options o = {.size = 4 * BIG, .capacity = 16 * BIG};
    acre_memory_options mo = {.size = 4 * BIG};
    ACRE_CHECK_EQUAL(acre_segment_create(&s, source, name, &o), 0);
    ACRE_CHECK_EQUAL(acre_segment_grow(s, 8 * BIG), 0);
    ACRE_CHECK_EQUAL(acre_segment_open(&other, source, name, NULL), 0);
    ACRE_CHECK(fallocate(acre_segment_fd(s), FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 5 * BIG,
                         2 * BIG) == 0 ||
               errno == EINTR);
    ACRE_CHECK_EQUAL(acre_segment_populate(other, 0, 8 * BIG), 0);
    ACRE_CHECK_EQUAL(acre_segment_remove(source, name), 0);
    acre_segment_close(s);
    acre_segment_close(other);
    ACRE_CHECK_EQUAL(acre_memory_create(&m, source, name, &mo), 0);
    ACRE_CHECK_EQUAL(acre_memory_set_size(&m, 8 * BIG), 0);
    ACRE_CHECK_EQUAL(acre_memory_set_size(&m, BIG), 0);
    acre_memory_close(&m);
    ACRE_CHECK_EQUAL(acre_memory_remove(source, name), 0);
}

ACRE_TEST(surroundings, signals_every_100_us_disturb_nothing)
{
    const char *path = in_dir("storm");
    acre_test_limit(60);
    ring_every(100);
    for (size_t i = 0; i < acre_test_rounds(10); i++) {
        work_in_the_storm(ACRE_SHM, test_name());
        work_in_the_storm(ACRE_FILE, path);
    }
    ring_every(0);
    ACRE_CHECK(rung > 0);
    remove_dir();
}
