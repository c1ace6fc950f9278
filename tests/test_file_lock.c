/* SPDX-License-Identifier: MIT */
/* File locks: between processes, handles and threads, ranges, deadlines, deaths, forks. */
#include "tests/acre_test.h"

#include <acre/sync.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { USERS = 4, NOBODY = 65534, MS = 1000 * 1000 };

/* Shared between processes. */
typedef struct arena {
    char path[64];
    acre_file_lock *lock; /* of the process */
    bool sharable;
    uint64_t start, length;
    size_t rounds;
    uint64_t ready, stop, taken;
    uint64_t count; /* no atomic addition: only the lock makes it right */
} arena;

static uint64_t get(const uint64_t *p)
{
    return __atomic_load_n(p, __ATOMIC_SEQ_CST);
}

static void set(uint64_t *p, uint64_t value)
{
    __atomic_store_n(p, value, __ATOMIC_SEQ_CST);
}

static bool under_valgrind(void)
{
    const char *preload = getenv("LD_PRELOAD");
    return preload && strstr(preload, "vgpreload");
}

/* Valgrind 3.19 lets no other thread of the process run while one waits in F_OFD_SETLKW. */
static void skip_under_valgrind(void)
{
    if (under_valgrind())
        acre_test_skip("valgrind does not know that F_OFD_SETLKW waits");
}

static arena *arena_make(void)
{
    arena *a = mmap(NULL, sizeof *a, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ACRE_CHECK(a != MAP_FAILED);
    strcpy(a->path, "/tmp/acre-test-XXXXXX");
    int fd = mkstemp(a->path);
    ACRE_CHECK(fd >= 0);
    close(fd);
    return a;
}

static void arena_end(arena *a)
{
    ACRE_CHECK(unlink(a->path) == 0);
    munmap(a, sizeof *a);
}

static acre_file_lock *open_range(const arena *a, uint64_t start, uint64_t length)
{
    acre_file_lock *l = NULL;
    int e = acre_file_lock_open(&l, a->path, start, length);
    ACRE_CHECK(e == 0 && l, "%s", acre_strerror(e));
    return l;
}

static acre_file_lock *open_whole(const arena *a)
{
    return open_range(a, 0, 0);
}

static int try_and_give_back(acre_file_lock *l)
{
    int e = acre_file_lock_trylock(l);
    if (!e)
        ACRE_CHECK_EQUAL(acre_file_lock_unlock(l), 0);
    return e;
}

static int try_sharable_and_give_back(acre_file_lock *l)
{
    int e = acre_file_lock_trylock_sharable(l);
    if (!e)
        ACRE_CHECK_EQUAL(acre_file_lock_unlock_sharable(l), 0);
    return e;
}

/* ---- another process that holds ---- */

static void take(arena *a, acre_file_lock *l)
{
    int e = a->sharable ? acre_file_lock_lock_sharable(l) : acre_file_lock_lock(l);
    ACRE_CHECK_EQUAL(e, 0);
}

static void hold_until_told(void *arg)
{
    arena *a = arg;
    acre_file_lock *l = open_range(a, a->start, a->length);
    take(a, l);
    set(&a->ready, 1);
    while (!get(&a->stop))
        usleep(200);
    ACRE_CHECK_EQUAL(acre_file_lock_close(l), 0);
}

static pid_t spawn_ready(acre_test_function *fn, arena *a)
{
    set(&a->ready, 0);
    set(&a->stop, 0);
    pid_t child = acre_test_spawn(fn, a);
    while (!get(&a->ready))
        sched_yield();
    return child;
}

static pid_t spawn_holder(arena *a)
{
    return spawn_ready(hold_until_told, a);
}

static void end_holder(arena *a, pid_t child)
{
    set(&a->stop, 1);
    acre_test_expect_exit(child, 0);
}

static void kill_holder(pid_t child)
{
    kill(child, SIGKILL);
    acre_test_expect_killed(child);
}

/* ---- exclusion ---- */

static void count_up(arena *a, acre_file_lock *l)
{
    for (size_t i = 0; i < a->rounds; i++) {
        ACRE_CHECK_EQUAL(acre_file_lock_lock(l), 0);
        set(&a->count, get(&a->count) + 1);
        ACRE_CHECK_EQUAL(acre_file_lock_unlock(l), 0);
    }
}

static void count_with_own_handle(void *arg)
{
    acre_file_lock *l = open_whole(arg);
    count_up(arg, l);
    ACRE_CHECK_EQUAL(acre_file_lock_close(l), 0);
}

static void *thread_with_own_handle(void *arg)
{
    count_with_own_handle(arg);
    return NULL;
}

static void *thread_with_common_handle(void *arg)
{
    arena *a = arg;
    count_up(a, a->lock);
    return NULL;
}

static void run_threads(void *(*body)(void *), arena *a)
{
    pthread_t t[USERS];
    for (int i = 0; i < USERS; i++)
        ACRE_CHECK(pthread_create(&t[i], NULL, body, a) == 0);
    for (int i = 0; i < USERS; i++)
        pthread_join(t[i], NULL);
    ACRE_CHECK_EQUAL(a->count, USERS * a->rounds);
}

ACRE_TEST(file_lock, processes_exclude_each_other_A52)
{
    arena *a = arena_make();
    pid_t child[USERS];
    a->rounds = acre_test_rounds(5000);
    for (int i = 0; i < USERS; i++)
        child[i] = acre_test_spawn(count_with_own_handle, a);
    for (int i = 0; i < USERS; i++)
        acre_test_expect_exit(child[i], 0);
    ACRE_CHECK_EQUAL(a->count, USERS * a->rounds);
    arena_end(a);
}

ACRE_TEST(file_lock, handles_of_one_process_exclude_each_other_A52)
{
    skip_under_valgrind();
    arena *a = arena_make();
    a->rounds = acre_test_rounds(5000);
    run_threads(thread_with_own_handle, a);
    arena_end(a);
}

ACRE_TEST(file_lock, threads_with_one_handle_exclude_each_other_A52)
{
    arena *a = arena_make();
    a->rounds = acre_test_rounds(20000);
    a->lock = open_whole(a);
    run_threads(thread_with_common_handle, a);
    ACRE_CHECK_EQUAL(acre_file_lock_close(a->lock), 0);
    arena_end(a);
}

ACRE_TEST(file_lock, sharable_with_sharable_and_not_with_exclusive_A52)
{
    arena *a = arena_make();
    acre_file_lock *l = open_whole(a);
    a->sharable = true;
    pid_t child = spawn_holder(a);
    ACRE_CHECK_EQUAL(try_sharable_and_give_back(l), 0);
    ACRE_CHECK_EQUAL(acre_file_lock_trylock(l), EBUSY);
    end_holder(a, child);
    ACRE_CHECK_EQUAL(try_and_give_back(l), 0);
    a->sharable = false;
    child = spawn_holder(a);
    ACRE_CHECK_EQUAL(acre_file_lock_trylock_sharable(l), EBUSY);
    ACRE_CHECK_EQUAL(acre_file_lock_trylock(l), EBUSY);
    end_holder(a, child);
    ACRE_CHECK_EQUAL(acre_file_lock_close(l), 0);
    arena_end(a);
}

/* ---- threads that share a handle ---- */

static int in_thread(void *(*body)(void *), void *arg)
{
    pthread_t t;
    void *result;
    ACRE_CHECK(pthread_create(&t, NULL, body, arg) == 0);
    pthread_join(t, &result);
    return (int)(intptr_t)result;
}

static void *thread_tries(void *l)
{
    return (void *)(intptr_t)try_and_give_back(l);
}

static void *thread_tries_sharable(void *l)
{
    return (void *)(intptr_t)try_sharable_and_give_back(l);
}

static void *thread_unlocks(void *l)
{
    return (void *)(intptr_t)acre_file_lock_unlock(l);
}

ACRE_TEST(file_lock, readers_of_one_handle_share_the_kernels_lock)
{
    arena *a = arena_make();
    acre_file_lock *l = open_whole(a), *other = open_whole(a);
    ACRE_CHECK_EQUAL(acre_file_lock_lock_sharable(l), 0);
    ACRE_CHECK_EQUAL(in_thread(thread_tries_sharable, l), 0); /* takes and gives back */
    ACRE_CHECK_EQUAL(in_thread(thread_tries, l), EBUSY);
    ACRE_CHECK_EQUAL(acre_file_lock_trylock(other), EBUSY); /* still ours */
    ACRE_CHECK_EQUAL(try_sharable_and_give_back(other), 0);
    ACRE_CHECK_EQUAL(acre_file_lock_unlock_sharable(l), 0);
    ACRE_CHECK_EQUAL(try_and_give_back(other), 0);
    ACRE_CHECK_EQUAL(acre_file_lock_close(l) | acre_file_lock_close(other), 0);
    arena_end(a);
}

ACRE_TEST(file_lock, only_its_thread_gives_it_back_and_none_takes_it_twice)
{
    arena *a = arena_make();
    acre_file_lock *l = open_whole(a);
    ACRE_CHECK_EQUAL(acre_file_lock_unlock(l), EPERM);
    ACRE_CHECK_EQUAL(acre_file_lock_unlock_sharable(l), EPERM);
    ACRE_CHECK_EQUAL(acre_file_lock_lock(l), 0);
    ACRE_CHECK_EQUAL(acre_file_lock_lock(l), EDEADLK);
    ACRE_CHECK_EQUAL(acre_file_lock_trylock(l), EDEADLK);
    ACRE_CHECK_EQUAL(acre_file_lock_lock_sharable(l), EDEADLK);
    ACRE_CHECK_EQUAL(acre_file_lock_lock_for(l, MS), EDEADLK);
    ACRE_CHECK_EQUAL(in_thread(thread_unlocks, l), EPERM);
    ACRE_CHECK_EQUAL(in_thread(thread_tries, l), EBUSY);
    ACRE_CHECK_EQUAL(acre_file_lock_unlock_sharable(l), EPERM);
    ACRE_CHECK_EQUAL(acre_file_lock_unlock(l), 0);
    ACRE_CHECK_EQUAL(acre_file_lock_lock_sharable(l), 0);
    ACRE_CHECK_EQUAL(acre_file_lock_lock(l), EDEADLK);
    ACRE_CHECK_EQUAL(acre_file_lock_unlock(l), EPERM);
    ACRE_CHECK_EQUAL(acre_file_lock_unlock_sharable(l), 0);
    ACRE_CHECK_EQUAL(acre_file_lock_close(l), 0);
    arena_end(a);
}

static void *thread_waits_for_both(void *arg)
{
    arena *a = arg;
    ACRE_CHECK_EQUAL(acre_file_lock_lock_for(a->lock, MS), ETIMEDOUT);
    set(&a->ready, 1);
    ACRE_CHECK_EQUAL(acre_file_lock_lock(a->lock), 0);
    ACRE_CHECK_EQUAL(acre_file_lock_unlock(a->lock), 0);
    return NULL;
}

ACRE_TEST(file_lock, threads_wait_for_each_other_with_and_without_deadline)
{
    arena *a = arena_make();
    pthread_t t;
    a->lock = open_whole(a);
    ACRE_CHECK_EQUAL(acre_file_lock_lock(a->lock), 0);
    ACRE_CHECK(pthread_create(&t, NULL, thread_waits_for_both, a) == 0);
    while (!get(&a->ready))
        sched_yield();
    usleep(2000); /* asleep, mostly; right in any case */
    ACRE_CHECK_EQUAL(acre_file_lock_unlock(a->lock), 0);
    pthread_join(t, NULL);
    ACRE_CHECK_EQUAL(acre_file_lock_close(a->lock), 0);
    arena_end(a);
}

/* ---- other descriptors, ranges ---- */

ACRE_TEST(file_lock, closing_other_descriptors_loses_nothing)
{
    arena *a = arena_make();
    acre_file_lock *l = open_whole(a), *other = open_whole(a), *third = open_whole(a);
    ACRE_CHECK_EQUAL(acre_file_lock_lock(l), 0);
    int fd = open(a->path, O_RDWR);
    ACRE_CHECK(fd >= 0 && close(fd) == 0);
    ACRE_CHECK_EQUAL(acre_file_lock_close(other), 0);
    ACRE_CHECK_EQUAL(acre_file_lock_trylock(third), EBUSY);
    ACRE_CHECK_EQUAL(acre_file_lock_close(l), 0); /* gives up what it holds */
    ACRE_CHECK_EQUAL(try_and_give_back(third), 0);
    ACRE_CHECK_EQUAL(acre_file_lock_close(third), 0);
    ACRE_CHECK_EQUAL(acre_file_lock_close(NULL), 0);
    arena_end(a);
}

static void expect_range(const arena *a, uint64_t start, uint64_t length, int error)
{
    acre_file_lock *l = open_range(a, start, length);
    ACRE_CHECK_EQUAL(try_and_give_back(l), error);
    ACRE_CHECK_EQUAL(acre_file_lock_close(l), 0);
}

ACRE_TEST(file_lock, ranges_exclude_where_they_overlap)
{
    arena *a = arena_make();
    a->start = 100;
    a->length = 50;
    pid_t child = spawn_holder(a);
    expect_range(a, 0, 100, 0);
    expect_range(a, 0, 101, EBUSY);
    expect_range(a, 120, 1, EBUSY);
    expect_range(a, 149, 1, EBUSY);
    expect_range(a, 150, 0, 0);
    expect_range(a, 0, 0, EBUSY);
    expect_range(a, (uint64_t)1 << 40, 10, 0); /* beyond the end */
    end_holder(a, child);
    expect_range(a, 0, 0, 0);
    arena_end(a);
}

/* ---- deadlines ---- */

static uint64_t now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (uint64_t)t.tv_sec * 1000000000 + (uint64_t)t.tv_nsec;
}

static int count_threads(void)
{
    DIR *d = opendir("/proc/self/task");
    int n = 0;
    ACRE_CHECK(d);
    for (struct dirent *e; (e = readdir(d));)
        n += e->d_name[0] != '.';
    closedir(d);
    return n;
}

ACRE_TEST(file_lock, deadlines_past_near_and_never_A52)
{
    skip_under_valgrind();
    static const struct timespec past = {0};
    arena *a = arena_make();
    acre_file_lock *l = open_whole(a);
    ACRE_CHECK_EQUAL(acre_file_lock_lock_until(l, &past), 0); /* it is free */
    ACRE_CHECK_EQUAL(acre_file_lock_unlock(l), 0);
    ACRE_CHECK_EQUAL(acre_file_lock_lock_sharable_until(l, &past), 0);
    ACRE_CHECK_EQUAL(acre_file_lock_unlock_sharable(l), 0);
    pid_t child = spawn_holder(a);
    ACRE_CHECK_EQUAL(acre_file_lock_lock_until(l, &past), ETIMEDOUT);
    uint64_t begin = now();
    ACRE_CHECK_EQUAL(acre_file_lock_lock_for(l, 20 * MS), ETIMEDOUT);
    ACRE_CHECK_EQUAL(acre_file_lock_lock_sharable_for(l, 20 * MS), ETIMEDOUT);
    ACRE_CHECK(now() - begin >= 40 * MS);
    set(&a->stop, 1);
    ACRE_CHECK_EQUAL(acre_file_lock_lock_until(l, NULL), 0);
    ACRE_CHECK_EQUAL(acre_file_lock_unlock(l), 0);
    acre_test_expect_exit(child, 0);
    ACRE_CHECK_EQUAL(acre_file_lock_close(l), 0);
    arena_end(a);
}

/* A thread that was joined may be seen for a moment yet. */
ACRE_TEST(file_lock, time_outs_leave_no_threads)
{
    skip_under_valgrind();
    arena *a = arena_make();
    acre_file_lock *l = open_whole(a);
    pid_t child = spawn_holder(a);
    acre_test_limit(60);
    for (int i = 0; i < 20; i++)
        ACRE_CHECK_EQUAL(acre_file_lock_lock_for(l, MS), ETIMEDOUT);
    while (count_threads() > 10)
        sched_yield();
    end_holder(a, child);
    ACRE_CHECK_EQUAL(acre_file_lock_close(l), 0);
    arena_end(a);
}

ACRE_TEST(file_lock, the_default_timeout_ends_a_wait_without_deadline_A43)
{
    skip_under_valgrind();
    arena *a = arena_make();
    acre_file_lock *l = open_whole(a);
    pid_t child = spawn_holder(a);
    acre_default_timeout(2 * MS);
    ACRE_CHECK_EQUAL(acre_file_lock_lock(l), ETIMEDOUT);
    acre_default_timeout(0);
    end_holder(a, child);
    ACRE_CHECK_EQUAL(acre_file_lock_lock(l), 0);
    ACRE_CHECK_EQUAL(acre_file_lock_close(l), 0);
    arena_end(a);
}

ACRE_TEST(file_lock, a_time_that_is_none_is_refused)
{
    skip_under_valgrind();
    static const struct timespec none = {.tv_sec = INT32_MAX, .tv_nsec = 2000000000};
    arena *a = arena_make();
    acre_file_lock *l = open_whole(a);
    pid_t child = spawn_holder(a);
    ACRE_CHECK_EQUAL(acre_file_lock_lock_until(l, &none), EINVAL);
    end_holder(a, child);
    ACRE_CHECK_EQUAL(acre_file_lock_close(l), 0);
    arena_end(a);
}

ACRE_TEST(file_lock, a_timed_wait_ends_when_the_lock_comes_free)
{
    skip_under_valgrind();
    arena *a = arena_make();
    acre_file_lock *l = open_whole(a);
    pid_t child = spawn_holder(a);
    set(&a->stop, 1);
    acre_test_limit(60);
    ACRE_CHECK_EQUAL(acre_file_lock_lock_for(l, 50000ull * MS), 0);
    acre_test_expect_exit(child, 0);
    ACRE_CHECK_EQUAL(acre_file_lock_unlock(l), 0);
    ACRE_CHECK_EQUAL(acre_file_lock_close(l), 0);
    arena_end(a);
}

/* Deadlines that fall together with unlocks: whoever reports success has it, and nobody else. */
static void contend_with_deadlines(void *arg)
{
    arena *a = arg;
    acre_file_lock *l = open_whole(a);
    uint64_t random = (uint64_t)getpid();
    for (size_t i = 0; i < a->rounds; i++) {
        int e = acre_file_lock_lock_for(l, acre_test_below(&random, 300000));
        ACRE_CHECK(e == 0 || e == ETIMEDOUT, "%s", acre_strerror(e));
        if (e)
            continue;
        uint64_t before = a->count;
        for (uint64_t spin = acre_test_below(&random, 20000); spin--;)
            __asm__ volatile("");
        a->count = before + 1;
        ACRE_CHECK_EQUAL(acre_file_lock_unlock(l), 0);
        __atomic_add_fetch(&a->taken, 1, __ATOMIC_SEQ_CST);
    }
}

ACRE_TEST(file_lock, success_and_deadline_at_once_are_one_of_the_two)
{
    skip_under_valgrind();
    arena *a = arena_make();
    pid_t child[USERS];
    a->rounds = acre_test_rounds(1000);
    for (int i = 0; i < USERS; i++)
        child[i] = acre_test_spawn(contend_with_deadlines, a);
    for (int i = 0; i < USERS; i++)
        acre_test_expect_exit(child[i], 0);
    fprintf(stderr, "%llu of %zu taken\n", (unsigned long long)a->taken, USERS * a->rounds);
    ACRE_CHECK_EQUAL(a->count, a->taken);
    acre_file_lock *l = open_whole(a);
    ACRE_CHECK_EQUAL(try_and_give_back(l), 0); /* nothing stayed behind */
    ACRE_CHECK_EQUAL(acre_file_lock_close(l), 0);
    arena_end(a);
}

/* ---- deaths ---- */

ACRE_TEST(file_lock, killed_owner_frees)
{
    skip_under_valgrind();
    arena *a = arena_make();
    acre_file_lock *l = open_whole(a);
    acre_test_limit(60);
    for (size_t i = acre_test_rounds(40); i--;) {
        a->sharable = i & 1;
        pid_t child = spawn_holder(a);
        ACRE_CHECK_EQUAL(acre_file_lock_trylock(l), EBUSY);
        kill(child, SIGKILL);
        ACRE_CHECK_EQUAL(i & 2 ? acre_file_lock_lock(l) : acre_file_lock_lock_for(l, 50000ull * MS),
                         0);
        acre_test_expect_killed(child);
        ACRE_CHECK_EQUAL(acre_file_lock_unlock(l), 0);
    }
    ACRE_CHECK_EQUAL(acre_file_lock_close(l), 0);
    arena_end(a);
}

/* Ends with a child that lives on and has inherited what its parent had open. */
static void hold_and_fork(void *arg)
{
    arena *a = arg;
    acre_file_lock *l = open_whole(a);
    ACRE_CHECK_EQUAL(acre_file_lock_lock(l), 0);
    if (fork() == 0) {
        set(&a->ready, 1);
        while (!get(&a->stop))
            usleep(1000);
        _exit(0);
    }
    for (;;)
        pause();
}

ACRE_TEST(file_lock, killed_owner_frees_though_its_child_lives)
{
    arena *a = arena_make();
    acre_file_lock *l = open_whole(a);
    pid_t owner = spawn_ready(hold_and_fork, a);
    ACRE_CHECK_EQUAL(acre_file_lock_trylock(l), EBUSY);
    kill_holder(owner);
    ACRE_CHECK_EQUAL(try_and_give_back(l), 0);
    set(&a->stop, 1);
    ACRE_CHECK_EQUAL(acre_file_lock_close(l), 0);
    ACRE_CHECK(unlink(a->path) == 0);
}

static void wait_for_ever(void *arg)
{
    arena *a = arg;
    acre_file_lock *l = open_whole(a);
    set(&a->ready, 1);
    take(a, l);
}

ACRE_TEST(file_lock, killed_waiters_harm_nobody)
{
    arena *a = arena_make();
    acre_file_lock *l = open_whole(a);
    ACRE_CHECK_EQUAL(acre_file_lock_lock(l), 0);
    for (int i = 0; i < 8; i++) {
        pid_t waiter = spawn_ready(wait_for_ever, a);
        usleep(1000 * (unsigned)(i % 2));
        kill_holder(waiter);
    }
    ACRE_CHECK_EQUAL(acre_file_lock_unlock(l), 0);
    ACRE_CHECK_EQUAL(try_and_give_back(l), 0);
    ACRE_CHECK_EQUAL(acre_file_lock_close(l), 0);
    arena_end(a);
}

ACRE_TEST(file_lock, stopped_owner_is_not_robbed)
{
    skip_under_valgrind();
    arena *a = arena_make();
    acre_file_lock *l = open_whole(a);
    int status;
    pid_t child = spawn_holder(a);
    kill(child, SIGSTOP);
    ACRE_CHECK(waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status));
    ACRE_CHECK_EQUAL(acre_file_lock_lock_for(l, 50 * MS), ETIMEDOUT);
    kill(child, SIGCONT);
    end_holder(a, child);
    ACRE_CHECK_EQUAL(try_and_give_back(l), 0);
    ACRE_CHECK_EQUAL(acre_file_lock_close(l), 0);
    arena_end(a);
}

static void hold_and_become_another_program(void *arg)
{
    arena *a = arg;
    ACRE_CHECK_EQUAL(acre_file_lock_lock(open_whole(a)), 0);
    set(&a->ready, 1);
    execl("/bin/sleep", "sleep", "20", (char *)NULL);
    _exit(98);
}

ACRE_TEST(file_lock, exec_frees)
{
    arena *a = arena_make();
    acre_file_lock *l = open_whole(a);
    pid_t child = spawn_ready(hold_and_become_another_program, a);
    acre_test_limit(20);
    ACRE_CHECK_EQUAL(acre_file_lock_lock(l), 0);
    kill_holder(child);
    ACRE_CHECK_EQUAL(acre_file_lock_close(l), 0);
    arena_end(a);
}

/* Two who are inside at once would see each other's mark. */
static void contend(void *arg)
{
    arena *a = arg;
    acre_file_lock *l = open_whole(a);
    uint64_t me = (uint64_t)getpid();
    for (uint64_t i = 0; !get(&a->stop); i++) {
        int e = i % 2 ? acre_file_lock_lock(l) : acre_file_lock_lock_for(l, MS);
        ACRE_CHECK(e == 0 || (e == ETIMEDOUT && i % 2 == 0), "%s", acre_strerror(e));
        if (e)
            continue;
        set(&a->taken, me);
        set(&a->count, get(&a->count) + 1);
        ACRE_CHECK_EQUAL(get(&a->taken), me);
        ACRE_CHECK_EQUAL(acre_file_lock_unlock(l), 0);
    }
}

static void await_progress(const arena *a)
{
    for (uint64_t before = get(&a->count); get(&a->count) == before;)
        sched_yield();
}

ACRE_TEST(file_lock, random_kills_stop_nobody)
{
    arena *a = arena_make();
    pid_t child[USERS];
    uint64_t seed = acre_test_seed();
    for (int i = 0; i < USERS; i++)
        child[i] = acre_test_spawn(contend, a);
    for (size_t i = acre_test_rounds(300); i--;) {
        pid_t *victim = &child[acre_test_below(&seed, USERS)];
        acre_test_limit(60);
        for (uint64_t spin = acre_test_below(&seed, 20000); spin--;)
            __asm__ volatile("");
        kill_holder(*victim);
        await_progress(a);
        *victim = acre_test_spawn(contend, a);
    }
    set(&a->stop, 1);
    for (int i = 0; i < USERS; i++)
        acre_test_expect_exit(child[i], 0);
    arena_end(a);
}

/* ---- fork, cancellation ---- */

static void child_of_owner(void *arg)
{
    arena *a = arg;
    ACRE_CHECK_EQUAL(acre_file_lock_lock(a->lock), EPERM);
    ACRE_CHECK_EQUAL(acre_file_lock_trylock(a->lock), EPERM);
    ACRE_CHECK_EQUAL(acre_file_lock_lock_sharable(a->lock), EPERM);
    ACRE_CHECK_EQUAL(acre_file_lock_lock_for(a->lock, MS), EPERM);
    ACRE_CHECK_EQUAL(acre_file_lock_unlock(a->lock), EPERM);
    acre_file_lock *own = open_whole(a);
    ACRE_CHECK_EQUAL(acre_file_lock_trylock(own), EBUSY);
    ACRE_CHECK_EQUAL(acre_file_lock_close(a->lock), 0);
    ACRE_CHECK_EQUAL(acre_file_lock_trylock(own), EBUSY);
    ACRE_CHECK_EQUAL(acre_file_lock_close(own), 0);
}

ACRE_TEST(file_lock, child_of_an_owner_owns_nothing_and_loses_nothing)
{
    arena *a = arena_make();
    acre_file_lock *other = open_whole(a);
    a->lock = open_whole(a);
    ACRE_CHECK_EQUAL(acre_file_lock_lock(a->lock), 0);
    acre_test_run(child_of_owner, a);
    ACRE_CHECK_EQUAL(acre_file_lock_trylock(other), EBUSY);
    ACRE_CHECK_EQUAL(acre_file_lock_unlock(a->lock), 0);
    ACRE_CHECK_EQUAL(try_and_give_back(other), 0);
    ACRE_CHECK_EQUAL(acre_file_lock_close(a->lock) | acre_file_lock_close(other), 0);
    arena_end(a);
}

static void *thread_waits_and_counts(void *arg)
{
    arena *a = arg;
    set(&a->ready, 1);
    ACRE_CHECK_EQUAL(acre_file_lock_lock_for(a->lock, 50000ull * MS), 0);
    set(&a->taken, 1);
    ACRE_CHECK_EQUAL(acre_file_lock_unlock(a->lock), 0);
    pthread_testcancel();
    set(&a->taken, 2);
    return NULL;
}

ACRE_TEST(file_lock, waiting_is_no_cancellation_point)
{
    skip_under_valgrind();
    arena *a = arena_make();
    pthread_t t;
    void *result;
    a->lock = open_whole(a);
    pid_t child = spawn_holder(a);
    set(&a->ready, 0);
    ACRE_CHECK(pthread_create(&t, NULL, thread_waits_and_counts, a) == 0);
    while (!get(&a->ready))
        sched_yield();
    usleep(2000);
    pthread_cancel(t);
    end_holder(a, child);
    pthread_join(t, &result);
    ACRE_CHECK(result == PTHREAD_CANCELED);
    ACRE_CHECK_EQUAL(get(&a->taken), 1);
    ACRE_CHECK_EQUAL(try_and_give_back(a->lock), 0);
    ACRE_CHECK_EQUAL(acre_file_lock_close(a->lock), 0);
    arena_end(a);
}

/* ---- bad input ---- */

static void expect_open(const char *path, uint64_t start, uint64_t length, int error)
{
    acre_file_lock *l = NULL;
    ACRE_CHECK_EQUAL(acre_file_lock_open(&l, path, start, length), error);
    ACRE_CHECK(!l);
}

ACRE_TEST(file_lock, what_is_no_file_is_refused)
{
    arena *a = arena_make();
    expect_open(NULL, 0, 0, ACRE_ENAME);
    expect_open("/tmp", 0, 0, ACRE_ETYPE);
    expect_open("/dev/null", 0, 0, ACRE_ETYPE);
    expect_open("/tmp/acre-test-there-is-no-such-file", 0, 0, ENOENT);
    expect_open(a->path, (uint64_t)1 << 63, 0, EINVAL);
    expect_open(a->path, 0, UINT64_MAX, EINVAL);
    expect_open(a->path, UINT64_MAX, 2, EINVAL);
    acre_file_lock *l = open_range(a, INT64_MAX, 1);
    ACRE_CHECK_EQUAL(try_and_give_back(l), 0);
    ACRE_CHECK_EQUAL(acre_file_lock_close(l), 0);
    ACRE_CHECK(unlink(a->path) == 0 && mkfifo(a->path, 0600) == 0);
    expect_open(a->path, 0, 0, ACRE_ETYPE);
    arena_end(a);
}

/* One that has no permission to write may share, one without permission to read nothing. */
static void as_nobody(void *arg)
{
    arena *a = arg;
    ACRE_CHECK(setgid(NOBODY) == 0 && setuid(NOBODY) == 0);
    if (!a->sharable) {
        expect_open(a->path, 0, 0, EACCES);
        return;
    }
    acre_file_lock *l = open_whole(a);
    ACRE_CHECK_EQUAL(acre_file_lock_lock(l), EBADF);
    ACRE_CHECK_EQUAL(acre_file_lock_trylock(l), EBADF);
    ACRE_CHECK_EQUAL(try_sharable_and_give_back(l), 0);
}

ACRE_TEST(file_lock, permission_decides_what_can_be_had)
{
    arena *a = arena_make();
    if (geteuid())
        acre_test_skip("only root can become somebody else");
    acre_test_run(as_nobody, a);
    ACRE_CHECK(chmod(a->path, 0644) == 0);
    a->sharable = true;
    acre_test_run(as_nobody, a);
    arena_end(a);
}

/* ---- cost ---- */

static void mark(void)
{
    syscall(SYS_getppid);
}

static void traced_pair(void *arg)
{
    arena *a = arg;
    acre_file_lock *l = open_whole(a);
    ACRE_CHECK_EQUAL(try_and_give_back(l), 0); /* the thread's first */
    if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) != 0)
        _exit(77);
    raise(SIGSTOP);
    mark();
    ACRE_CHECK_EQUAL(acre_file_lock_lock(l), 0);
    ACRE_CHECK_EQUAL(acre_file_lock_unlock(l), 0);
    mark();
}

/* System calls between the two marks. */
static int count_calls(pid_t child)
{
    int calls = 0, marks = 0, status;
    while (waitpid(child, &status, 0) == child && WIFSTOPPED(status)) {
        struct __ptrace_syscall_info info = {0};
        if (WSTOPSIG(status) == (SIGTRAP | 0x80) &&
            ptrace(PTRACE_GET_SYSCALL_INFO, child, sizeof info, &info) > 0 &&
            info.op == PTRACE_SYSCALL_INFO_ENTRY) {
            marks += info.entry.nr == SYS_getppid;
            calls += marks == 1;
        }
        ptrace(PTRACE_SETOPTIONS, child, NULL, PTRACE_O_TRACESYSGOOD);
        ptrace(PTRACE_SYSCALL, child, NULL, NULL);
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 77)
        acre_test_skip("no permission to trace a child");
    ACRE_CHECK(WIFEXITED(status) && WEXITSTATUS(status) == 0, "status %#x", status);
    ACRE_CHECK_EQUAL(marks, 2);
    return calls - 1; /* the mark */
}

ACRE_TEST(file_lock, an_uncontended_pair_is_two_system_calls)
{
    if (under_valgrind())
        acre_test_skip("valgrind does not let a child be traced");
    arena *a = arena_make();
    ACRE_CHECK_EQUAL(count_calls(acre_test_spawn(traced_pair, a)), 2);
    arena_end(a);
}
