/* SPDX-License-Identifier: MIT */
/* The recorder against programs that count their own calls in memory shared with the test.
 *
 * The programs are this binary itself, started again with the recorder preloaded: a constructor
 * sees ACRE_SUBJECT and runs the subject in place of the tests.  A subject's own allocations have
 * sizes that nobody else asks for, from MARK on, so they are told from libraries' by size. */
#include "tests/acre_test.h"
#include "traces/trace.h"

#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <spawn.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#if defined __SANITIZE_ADDRESS__ || defined __SANITIZE_THREAD__
#define UNDER_SANITIZER 1
#elif defined __has_feature
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define UNDER_SANITIZER 1
#endif
#endif
#ifndef UNDER_SANITIZER
#define UNDER_SANITIZER 0
#endif

enum { MARK = 50021, THREADS = 4, ROUNDS = 60000 };

/* What a subject has done: counted after each call returned. */
typedef struct tally {
    _Atomic uint64_t births, deaths, started;
} tally;

static tally *tallies; /* one for each thread, then one for the forked child */
extern char **environ;

/* ---- Subjects: run with the recorder ------------------------------------------------------ */

static void *born(tally *t, void *p)
{
    atomic_fetch_add_explicit(&t->births, p != NULL, memory_order_relaxed);
    return p;
}

static void bury(tally *t, void *p)
{
    free(p);
    atomic_fetch_add_explicit(&t->deaths, p != NULL, memory_order_relaxed);
}

static void churn(tally *t, unsigned rounds)
{
    void *live[16] = {0};
    for (unsigned i = 0; i < rounds; i++) {
        bury(t, live[i % 16]);
        live[i % 16] = born(t, malloc(MARK + i % 7));
    }
    for (int i = 0; i < 16; i++)
        bury(t, live[i]);
}

static void subject_kinds(void)
{
    void *volatile p = malloc(MARK);
    p = realloc(p, MARK + 1);
    p = reallocarray(p, 2, MARK);
    if (realloc(p, 0) != NULL)
        _exit(3);
    p = NULL;
    free(p);
    p = calloc(3, MARK);
    free(p);
    p = NULL;
    if (posix_memalign((void **)&p, 256, MARK + 2) != 0)
        _exit(3);
    free(p);
    p = aligned_alloc(4096, MARK + 3);
    free(p);
    p = memalign(64, MARK + 4);
    free(p);
    p = NULL;
    p = realloc(p, MARK + 5);
    free(p);
    volatile size_t absurd = PTRDIFF_MAX - MARK;
    p = malloc(absurd);
    if (p)
        _exit(3);
    volatile size_t gigantic = (size_t)5 << 30;
    p = malloc(gigantic);
    free(p);
}

static _Atomic(void *) hand_over[THREADS][256];

/* Each thread frees what the next one allocated. */
static void *subject_thread(void *number)
{
    size_t me = (size_t)number, from = (me + 1) % THREADS;
    for (unsigned i = 0; i < ROUNDS; i++) {
        void *mine = born(&tallies[me], malloc(MARK + i % 100));
        mine = atomic_exchange(&hand_over[me][i % 256], mine);
        if (mine)
            bury(&tallies[me], mine);
        void *other = atomic_exchange(&hand_over[from][i * 7 % 256], NULL);
        if (other)
            bury(&tallies[me], other);
        if (i % 16 == 0)
            bury(&tallies[me], born(&tallies[me], malloc(MARK)));
    }
    return NULL;
}

static void subject_threads(void)
{
    pthread_t threads[THREADS];
    for (size_t i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, subject_thread, (void *)i);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

/* All threads take the same few blocks from each other, so that one that is interrupted between a
 * call and its stamp would be seen to act out of order. */
static void *subject_rival(void *number)
{
    tally *t = &tallies[(size_t)number];
    for (unsigned i = 0; i < 8 * ROUNDS; i++) {
        void *p = born(t, malloc(MARK));
        if (i % 4 == 0) {
            p = born(t, realloc(p, MARK + 190)); /* grows in place or moves, as rivals leave room */
            atomic_fetch_add_explicit(&t->deaths, 1, memory_order_relaxed);
        }
        bury(t, p);
    }
    return NULL;
}

static void subject_rivals(void)
{
    pthread_t threads[THREADS];
    mallopt(M_ARENA_MAX, 1);
    for (size_t i = 0; i < THREADS; i++)
        pthread_create(&threads[i], NULL, subject_rival, (void *)i);
    for (size_t i = 0; i < THREADS; i++)
        pthread_join(threads[i], NULL);
}

static void *subject_short_thread(void *unused)
{
    churn(&tallies[0], 20);
    return unused;
}

static void subject_many_threads(void)
{
    for (int i = 0; i < 300; i++) {
        pthread_t thread;
        pthread_create(&thread, NULL, subject_short_thread, NULL);
        pthread_join(thread, NULL);
    }
}

static void subject_fork(void)
{
    churn(&tallies[0], ROUNDS);
    pid_t child = fork();
    if (child == 0) {
        churn(&tallies[THREADS], 1000);
        _exit(0);
    }
    churn(&tallies[0], 1000);
    waitpid(child, NULL, 0);
}

/* Forks while other threads allocate: their lanes must not be touched by the child. */
static void subject_fork_threads(void)
{
    pthread_t thread;
    pthread_create(&thread, NULL, subject_thread, (void *)1);
    for (int i = 0; i < 20; i++) {
        pid_t child = fork();
        if (child == 0) {
            churn(&tallies[THREADS], 100);
            _exit(0);
        }
        churn(&tallies[0], 500);
        waitpid(child, NULL, 0);
    }
    pthread_join(thread, NULL);
}

static void subject_vfork(void)
{
    churn(&tallies[0], 1000);
    pid_t child = vfork();
    if (child == 0) {
        execl("/bin/true", "true", (char *)NULL);
        _exit(1);
    }
    waitpid(child, NULL, 0);
    churn(&tallies[0], 1000);
}

static void subject_spawn(void)
{
    char *argv[] = {"/proc/self/exe", NULL};
    pid_t child;
    churn(&tallies[0], 1000);
    setenv("ACRE_SUBJECT", "early_exit", 1);
    if (posix_spawn(&child, argv[0], NULL, NULL, argv, environ) == 0)
        waitpid(child, NULL, 0);
}

static void subject_early_exit(void)
{
    churn(&tallies[THREADS], 5000);
    _exit(0);
}

static void subject_abort(void)
{
    churn(&tallies[0], 5000);
    abort();
}

static void *subject_forever(void *number)
{
    for (;;)
        churn(&tallies[(size_t)number], 1000);
    return NULL;
}

static void subject_killed(void)
{
    pthread_t thread;
    for (size_t i = 1; i < THREADS; i++)
        pthread_create(&thread, NULL, subject_forever, (void *)i);
    atomic_store(&tallies[0].started, 1);
    subject_forever(NULL);
}

/* Daemons close every descriptor and change their directory. */
static void subject_daemon(void)
{
    for (int fd = 3; fd < 1024; fd++)
        close(fd);
    if (chdir("/") == 0)
        churn(&tallies[0], ROUNDS);
}

void *_Znwm(size_t) __attribute__((weak));
void *_Znam(size_t) __attribute__((weak));
void _ZdlPvm(void *, size_t) __attribute__((weak));
void _ZdaPv(void *) __attribute__((weak));

static void subject_cxx(void)
{
    dlopen("libstdc++.so.6", RTLD_NOW | RTLD_LOCAL); /* as a plug-in would bring it */
    void *volatile p = _Znwm(MARK);
    _ZdlPvm(p, MARK);
    p = _Znam(MARK + 1);
    _ZdaPv(p);
    p = malloc(MARK + 2);
    free(p);
}

static const struct {
    const char *name;
    void (*run)(void);
} subjects[] = {
    {"kinds", subject_kinds}, {"threads", subject_threads}, {"rivals", subject_rivals},
    {"many_threads", subject_many_threads},
    {"fork", subject_fork}, {"fork_threads", subject_fork_threads}, {"vfork", subject_vfork},
    {"spawn", subject_spawn}, {"early_exit", subject_early_exit}, {"abort", subject_abort},
    {"killed", subject_killed}, {"daemon", subject_daemon}, {"cxx", subject_cxx},
};

static tally *map_tallies(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    size_t bytes = (THREADS + 1) * sizeof(tally);
    void *p = MAP_FAILED;
    if (fd >= 0 && ftruncate(fd, (off_t)bytes) == 0)
        p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    close(fd);
    return p == MAP_FAILED ? NULL : p;
}

__attribute__((constructor)) static void run_subject(void)
{
    const char *name = getenv("ACRE_SUBJECT"), *path = getenv("ACRE_SUBJECT_TALLY");
    if (!name || !path || !(tallies = map_tallies(path)))
        return;
    for (size_t i = 0; i < sizeof subjects / sizeof *subjects; i++)
        if (strcmp(name, subjects[i].name) == 0) {
            subjects[i].run();
            _exit(0);
        }
    _exit(2);
}

/* ---- The test's side -------------------------------------------------------------------- */

static char record_dir[64];

static void find_recorder(char path[4200])
{
    const char *given = getenv("ACRE_RECORDER");
    char exe[4096];
    ssize_t n = readlink("/proc/self/exe", exe, sizeof exe - 1);
    exe[n > 0 ? n : 0] = '\0';
    *strrchr(exe, '/') = '\0';
    snprintf(path, 4200, "%s", given ? given : "");
    if (!given)
        snprintf(path, 4200, "%s/../libacre_record.so", exe);
    ACRE_CHECK(access(path, R_OK) == 0, "%s", path);
}

static pid_t start_subject(const char *name)
{
    char library[4200], tally_path[96];
    if (UNDER_SANITIZER)
        acre_test_skip("a sanitizer's runtime must be the first library");
    find_recorder(library);
    snprintf(record_dir, sizeof record_dir, "/tmp/acre-test-record-XXXXXX");
    ACRE_CHECK(mkdtemp(record_dir) != NULL);
    snprintf(tally_path, sizeof tally_path, "%s/tally", record_dir);
    tallies = map_tallies(tally_path);
    ACRE_CHECK(tallies != NULL);

    pid_t child = fork();
    if (child == 0) {
        setenv("LD_PRELOAD", library, 1);
        setenv("ACRE_RECORD_DIR", record_dir, 1);
        setenv("ACRE_SUBJECT", name, 1);
        setenv("ACRE_SUBJECT_TALLY", tally_path, 1);
        execl("/proc/self/exe", "subject", (char *)NULL);
        _exit(127);
    }
    return child;
}

static void run_to_end(const char *name)
{
    int status;
    pid_t child = start_subject(name);
    ACRE_CHECK(waitpid(child, &status, 0) == child);
    ACRE_CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %x", (unsigned)status);
}

/* What a recording says of the subject's own objects. */
typedef struct account {
    uint64_t births, deaths, threads;
    uint64_t unknown_frees, implied_frees, lost, torn;
    bool forked;
} account;

static uint64_t meta_number(acre_trace *t, const char *key)
{
    const char *text = acre_trace_meta_get(acre_trace_info_of(t), key);
    return text ? strtoull(text, NULL, 10) : 0;
}

static bool is_mark(uint64_t size)
{
    return size >= MARK && size < MARK + 200;
}

static void account_add(account *a, acre_trace *t)
{
    const acre_trace_info *info = acre_trace_info_of(t);
    unsigned char *marked = calloc(info->n_objects + 1, 1);
    acre_trace_op op;
    acre_trace_error e;
    int got;
    while ((got = acre_trace_next(t, &op, &e)) == 1) {
        if (op.kind == ACRE_TRACE_EXT)
            continue;
        a->deaths += marked[op.kind == ACRE_TRACE_FREE ? op.serial : op.old];
        if (op.kind != ACRE_TRACE_FREE)
            a->births += marked[op.serial] = is_mark(op.size);
    }
    ACRE_CHECK(got == 0, "%s", e.text);
    free(marked);
    a->threads += info->n_threads;
    a->unknown_frees += meta_number(t, "import.unknown_frees");
    a->implied_frees += meta_number(t, "import.implied_frees");
    a->lost += meta_number(t, "import.lost_events");
    a->torn += meta_number(t, "import.torn_records");
    const char *began = acre_trace_meta_get(info, "began");
    a->forked = began && strcmp(began, "fork") == 0;
}

/* Reads all recordings of the folder; forked ones are added up in *children. */
static size_t read_recordings(account *a, account *children)
{
    DIR *d = opendir(record_dir);
    size_t n = 0;
    *a = *children = (account){0};
    for (struct dirent *entry; (entry = readdir(d));) {
        char path[400];
        acre_trace *t = NULL;
        acre_trace_error e;
        snprintf(path, sizeof path, "%s/%s", record_dir, entry->d_name);
        if (!strstr(entry->d_name, ".raw"))
            continue;
        ACRE_CHECK(acre_trace_open(&t, path, &e) == 0, "%s", e.text);
        const char *began = acre_trace_meta_get(acre_trace_info_of(t), "began");
        account_add(strcmp(began, "fork") == 0 ? children : a, t);
        acre_trace_close(t);
        n++;
    }
    closedir(d);
    char command[128];
    snprintf(command, sizeof command, "rm -rf %s", record_dir);
    ACRE_CHECK(system(command) == 0);
    return n;
}

static tally sum_of_threads(void)
{
    tally sum = {0};
    for (int i = 0; i < THREADS; i++) {
        sum.births += tallies[i].births;
        sum.deaths += tallies[i].deaths;
    }
    return sum;
}

/* Everything the subject did is there, and in a possible order: no address was given out before it
 * was given back (implied free), none was given back before it was given out (unknown free). */
static void expect_exact(const account *a, uint64_t births, uint64_t deaths)
{
    ACRE_CHECK_EQUAL(a->births, births);
    ACRE_CHECK_EQUAL(a->deaths, deaths);
    ACRE_CHECK(births > 0);
    ACRE_CHECK_EQUAL(a->lost, 0);
    ACRE_CHECK_EQUAL(a->torn, 0);
    ACRE_CHECK_EQUAL(a->implied_frees, 0);
    ACRE_CHECK_EQUAL(a->unknown_frees, 0);
}

ACRE_TEST(record, threads_that_free_each_others_memory)
{
    account a, children;
    run_to_end("threads");
    tally sum = sum_of_threads();
    ACRE_CHECK(read_recordings(&a, &children) == 1);
    ACRE_CHECK_EQUAL(a.threads, THREADS + 1);
    expect_exact(&a, sum.births, sum.deaths);
}

/* Fails with a recorder that stamps frees after the call. */
ACRE_TEST(record, order_of_threads_that_share_addresses)
{
    account a, children;
    run_to_end("rivals");
    tally sum = sum_of_threads();
    read_recordings(&a, &children);
    expect_exact(&a, sum.births, sum.deaths);
}

ACRE_TEST(record, threads_that_come_and_go)
{
    account a, children;
    run_to_end("many_threads");
    read_recordings(&a, &children);
    ACRE_CHECK_EQUAL(a.threads, 301);
    expect_exact(&a, tallies[0].births, tallies[0].deaths);
}

ACRE_TEST(record, a_forked_child_has_its_own_recording)
{
    account a, children;
    run_to_end("fork");
    ACRE_CHECK(read_recordings(&a, &children) == 2);
    expect_exact(&a, tallies[0].births, tallies[0].deaths);
    expect_exact(&children, tallies[THREADS].births, tallies[THREADS].deaths);
}

ACRE_TEST(record, fork_while_threads_allocate)
{
    account a, children;
    run_to_end("fork_threads");
    tally sum = sum_of_threads();
    ACRE_CHECK(read_recordings(&a, &children) == 21);
    expect_exact(&a, sum.births, sum.deaths);
    ACRE_CHECK_EQUAL(children.births, tallies[THREADS].births);
    ACRE_CHECK_EQUAL(children.deaths, tallies[THREADS].deaths);
}

ACRE_TEST(record, vfork_and_exec)
{
    account a, children;
    run_to_end("vfork");
    read_recordings(&a, &children);
    expect_exact(&a, tallies[0].births, tallies[0].deaths);
}

ACRE_TEST(record, posix_spawn_is_followed)
{
    account a, children;
    run_to_end("spawn");
    ACRE_CHECK(read_recordings(&a, &children) == 2);
    expect_exact(&a, tallies[0].births + tallies[THREADS].births,
                 tallies[0].deaths + tallies[THREADS].deaths);
    ACRE_CHECK(tallies[THREADS].births == 5000);
}

ACRE_TEST(record, closed_descriptors_do_not_matter)
{
    account a, children;
    run_to_end("daemon");
    read_recordings(&a, &children);
    expect_exact(&a, tallies[0].births, tallies[0].deaths);
}

ACRE_TEST(record, nothing_is_lost_by_abort)
{
    int status;
    account a, children;
    pid_t child = start_subject("abort");
    ACRE_CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status));
    read_recordings(&a, &children);
    expect_exact(&a, tallies[0].births, tallies[0].deaths);
}

/* A thread may have been killed between a call and the counter's increment: each may be one ahead
 * in births and deaths, but never behind. */
ACRE_TEST(record, nothing_is_lost_by_sigkill)
{
    for (unsigned round = 0; round < 8; round++) {
        account a, children;
        pid_t child = start_subject("killed");
        while (!atomic_load(&tallies[0].started))
            usleep(1000);
        usleep(1000 + round * 9000);
        kill(child, SIGKILL);
        ACRE_CHECK(waitpid(child, NULL, 0) == child);
        tally sum = sum_of_threads();
        ACRE_CHECK(read_recordings(&a, &children) == 1);
        ACRE_CHECK(a.births >= sum.births && a.births <= sum.births + THREADS, "%ld of %ld",
                   (long)a.births, (long)sum.births);
        ACRE_CHECK(a.deaths >= sum.deaths && a.deaths <= sum.deaths + THREADS, "%ld of %ld",
                   (long)a.deaths, (long)sum.deaths);
        ACRE_CHECK(a.lost == 0 && a.unknown_frees == 0 && a.implied_frees == 0);
    }
}

/* ---- Exact sequences ------------------------------------------------------------------ */

typedef struct expected {
    unsigned kind, align_log2;
    uint64_t size; /* 0: of an end */
    unsigned flags;
} expected;

static acre_trace *open_only_recording(void)
{
    char command[256], path[128];
    acre_trace *t = NULL;
    acre_trace_error e;
    snprintf(path, sizeof path, "%s/only.raw", record_dir);
    snprintf(command, sizeof command, "mv %s/*-0.raw %s", record_dir, path);
    ACRE_CHECK(system(command) == 0);
    ACRE_CHECK(acre_trace_open(&t, path, &e) == 0, "%s", e.text);
    snprintf(command, sizeof command, "rm -rf %s", record_dir);
    ACRE_CHECK(system(command) == 0);
    return t;
}

/* The operations from the first of size MARK on. */
static void expect_sequence(const expected *want, size_t n)
{
    acre_trace *t = open_only_recording();
    acre_trace_op op = {0};
    while (op.size != MARK)
        ACRE_CHECK(acre_trace_next(t, &op, NULL) == 1);
    for (size_t i = 0; i < n; i++) {
        ACRE_CHECK(op.kind == want[i].kind && op.size == want[i].size &&
                       op.align_log2 == want[i].align_log2 && op.flags == want[i].flags,
                   "%zu: kind %u size %ld align %u flags %u", i, op.kind, (long)op.size,
                   op.align_log2, op.flags);
        ACRE_CHECK(acre_trace_next(t, &op, NULL) >= 0);
    }
    acre_trace_close(t);
}

ACRE_TEST(record, every_function_is_seen_as_what_it_is)
{
    static const expected want[] = {
        {ACRE_TRACE_MALLOC, 0, MARK, 0},
        {ACRE_TRACE_REALLOC, 0, MARK + 1, 0},
        {ACRE_TRACE_REALLOC, 0, 2 * MARK, 0},
        {ACRE_TRACE_FREE, 0, 0, 0}, /* realloc(p, 0) */
        {ACRE_TRACE_FREE, 0, 0, 0}, /* free(NULL) */
        {ACRE_TRACE_CALLOC, 0, 3 * MARK, 0},
        {ACRE_TRACE_FREE, 0, 0, 0},
        {ACRE_TRACE_ALIGNED, 8, MARK + 2, 0},
        {ACRE_TRACE_FREE, 0, 0, 0},
        {ACRE_TRACE_ALIGNED, 12, MARK + 3, 0},
        {ACRE_TRACE_FREE, 0, 0, 0},
        {ACRE_TRACE_ALIGNED, 6, MARK + 4, 0},
        {ACRE_TRACE_FREE, 0, 0, 0},
        {ACRE_TRACE_REALLOC, 0, MARK + 5, 0},
        {ACRE_TRACE_FREE, 0, 0, 0},
        {ACRE_TRACE_EXT, 0, PTRDIFF_MAX - MARK, ACRE_TRACE_EXT_FAILED},
        {ACRE_TRACE_MALLOC, 0, UINT64_C(5) << 30, 0},
        {ACRE_TRACE_FREE, 0, 0, 0},
    };
    run_to_end("kinds");
    expect_sequence(want, sizeof want / sizeof *want);
}

ACRE_TEST(record, operators_of_a_private_cxx_library)
{
    static const expected want[] = {
        {ACRE_TRACE_MALLOC, 0, MARK, ACRE_TRACE_CXX},     {ACRE_TRACE_FREE, 0, 0, ACRE_TRACE_CXX},
        {ACRE_TRACE_MALLOC, 0, MARK + 1, ACRE_TRACE_CXX}, {ACRE_TRACE_FREE, 0, 0, ACRE_TRACE_CXX},
        {ACRE_TRACE_MALLOC, 0, MARK + 2, 0},              {ACRE_TRACE_FREE, 0, 0, 0},
    };
    run_to_end("cxx");
    expect_sequence(want, sizeof want / sizeof *want);
}

/* ---- Completeness (also under sanitizers) ---------------------------------------------------- */

ACRE_TEST(record, every_hook_is_there)
{
    static const char *const names[] = {
        "malloc", "calloc", "realloc", "reallocarray", "free", "free_sized", "free_aligned_sized",
        "aligned_alloc", "posix_memalign", "memalign", "valloc", "pvalloc", "malloc_usable_size",
        "_Znwm", "_Znam", "_ZnwmRKSt9nothrow_t", "_ZnamRKSt9nothrow_t", "_ZnwmSt11align_val_t",
        "_ZnamSt11align_val_t", "_ZnwmSt11align_val_tRKSt9nothrow_t",
        "_ZnamSt11align_val_tRKSt9nothrow_t", "_ZdlPv", "_ZdaPv", "_ZdlPvm", "_ZdaPvm",
        "_ZdlPvRKSt9nothrow_t", "_ZdaPvRKSt9nothrow_t", "_ZdlPvSt11align_val_t",
        "_ZdaPvSt11align_val_t", "_ZdlPvmSt11align_val_t", "_ZdaPvmSt11align_val_t",
        "_ZdlPvSt11align_val_tRKSt9nothrow_t", "_ZdaPvSt11align_val_tRKSt9nothrow_t",
    };
    char path[4200];
    find_recorder(path);
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    ACRE_CHECK(library != NULL, "%s", dlerror());
    for (size_t i = 0; i < sizeof names / sizeof *names; i++) {
        Dl_info where;
        void *hook = dlsym(library, names[i]);
        ACRE_CHECK(hook && dladdr(hook, &where) && strstr(where.dli_fname, "libacre_record"),
                   "%s", names[i]);
    }
}
