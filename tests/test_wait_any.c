/* SPDX-License-Identifier: MIT */
/* Waiting for any of several objects: which is ready, wake-ups, those passed on, deaths, kernels
 * without futex_waitv(2).  Also runs under the plain runner. */
#include "tests/acre_test.h"

#include <acre/sync.h>

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum { MILLISECOND = 1000 * 1000, MOST = 64, PERMITS = 2 };

/* Shared between processes. */
typedef struct arena {
    acre_mutex mutex;
    acre_semaphore semaphore[MOST];
    acre_semaphore back;
    uint64_t ready, stop, taken, rounds;
    uint64_t memory[64]; /* of the permits */
} arena;

static acre_permits *permits(arena *a)
{
    return (acre_permits *)a->memory;
}

static arena *arena_make(void)
{
    arena *a = mmap(NULL, sizeof *a, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ACRE_CHECK(a != MAP_FAILED);
    ACRE_CHECK_EQUAL(acre_permits_init(permits(a), PERMITS), 0);
    acre_test_limit(60);
    return a;
}

static uint64_t get(uint64_t *p)
{
    return __atomic_load_n(p, __ATOMIC_ACQUIRE);
}

static void add(uint64_t *p, uint64_t n)
{
    __atomic_fetch_add(p, n, __ATOMIC_ACQ_REL);
}

static void await(uint64_t *p, uint64_t n)
{
    while (get(p) < n)
        usleep(100);
}

/* All of the arena: mutex, permits, semaphores. */
static size_t list_all(arena *a, acre_waitable *list)
{
    size_t n = 0;
    list[n++] = acre_mutex_waitable(&a->mutex);
    list[n++] = acre_permits_waitable(permits(a));
    while (n < MOST) {
        list[n] = acre_semaphore_waitable(&a->semaphore[n]);
        n++;
    }
    return n;
}

/* Which of them; 99: time-out. */
static size_t wait_all(arena *a, uint64_t ns)
{
    acre_waitable list[MOST];
    size_t n = list_all(a, list), which = 99;
    struct timespec deadline = acre_deadline(ns);
    int e = acre_wait_any(list, n, &deadline, &which);
    ACRE_CHECK(e == 0 || (e == ETIMEDOUT && which == 99), "%d", e);
    return which;
}

/* Mutex and permits are taken for good by this thread. */
static void take_first_two(arena *a)
{
    uint32_t permit;
    ACRE_CHECK_EQUAL(acre_mutex_lock(&a->mutex), 0);
    for (int i = 0; i < PERMITS; i++)
        ACRE_CHECK_EQUAL(acre_permits_acquire(permits(a), &permit), 0);
}

/* ---- which ---- */

ACRE_TEST(wait_any, tells_the_first_that_is_ready_and_takes_nothing)
{
    arena *a = arena_make();
    uint32_t permit[PERMITS];
    ACRE_CHECK_EQUAL(wait_all(a, 0), 0);
    ACRE_CHECK_EQUAL(wait_all(a, 0), 0);
    ACRE_CHECK_EQUAL(acre_mutex_lock(&a->mutex), 0);
    ACRE_CHECK_EQUAL(wait_all(a, 0), 1);
    for (int i = 0; i < PERMITS; i++)
        ACRE_CHECK_EQUAL(acre_permits_acquire(permits(a), &permit[i]), 0);
    ACRE_CHECK_EQUAL(wait_all(a, 0), 99);
    ACRE_CHECK_EQUAL(wait_all(a, 5 * MILLISECOND), 99);
    ACRE_CHECK_EQUAL(acre_semaphore_post(&a->semaphore[MOST - 1], 1), 0);
    ACRE_CHECK_EQUAL(wait_all(a, 0), MOST - 1);
    ACRE_CHECK_EQUAL(acre_semaphore_post(&a->semaphore[7], 1), 0);
    ACRE_CHECK_EQUAL(wait_all(a, UINT64_MAX), 7);
    ACRE_CHECK_EQUAL(acre_semaphore_count(&a->semaphore[7]), 1);
    ACRE_CHECK_EQUAL(acre_permits_release(permits(a), permit[0]), 0);
    ACRE_CHECK_EQUAL(wait_all(a, UINT64_MAX), 1);
    ACRE_CHECK_EQUAL(acre_mutex_unlock(&a->mutex), 0);
    ACRE_CHECK_EQUAL(wait_all(a, UINT64_MAX), 0);
}

ACRE_TEST(wait_any, bad_input_is_refused)
{
    arena *a = arena_make();
    acre_waitable list[MOST + 1];
    acre_semaphore foreign;
    acre_mutex other;
    acre_permits zero;
    size_t which = 77;
    list_all(a, list);
    list[MOST] = list[0];
    memset(&foreign, 0x5a, sizeof foreign);
    memset(&other, 0x5a, sizeof other);
    memset(&zero, 0, sizeof zero);
    ACRE_CHECK_EQUAL(acre_wait_any(list, 0, NULL, &which), EINVAL);
    ACRE_CHECK_EQUAL(acre_wait_any(list, MOST + 1, NULL, &which), EINVAL);
    list[1] = acre_semaphore_waitable(&foreign);
    ACRE_CHECK_EQUAL(acre_wait_any(list, 2, NULL, &which), EINVAL);
    list[1] = acre_permits_waitable(&zero);
    ACRE_CHECK_EQUAL(acre_wait_any(list, 2, NULL, &which), EINVAL);
    list[1] = acre_mutex_waitable(&other);
    ACRE_CHECK_EQUAL(acre_wait_any(list, 2, NULL, &which), EINVAL);
    ACRE_CHECK_EQUAL(which, 77);
}

/* ---- wake-ups ---- */

/* Waits for each round's semaphore, takes it, answers. */
static void serve(void *arg)
{
    arena *a = arg;
    for (uint64_t i = 0; i < a->rounds; i++) {
        size_t which = wait_all(a, 60000000000);
        ACRE_CHECK_EQUAL(which, 2 + i % (MOST - 2));
        ACRE_CHECK_EQUAL(acre_semaphore_trywait(&a->semaphore[which]), 0);
        ACRE_CHECK_EQUAL(acre_semaphore_post(&a->back, 1), 0);
    }
}

/* Were the server woken by naps only, this would take 25 ms a round. */
static void ask(arena *a)
{
    for (uint64_t i = 0; i < a->rounds; i++) {
        if (i % 16 == 0)
            usleep(200); /* let it fall asleep */
        ACRE_CHECK_EQUAL(acre_semaphore_post(&a->semaphore[2 + i % (MOST - 2)], 1), 0);
        ACRE_CHECK_EQUAL(acre_semaphore_wait(&a->back), 0);
    }
}

ACRE_TEST(wait_any, wakes_for_any_of_them)
{
    arena *a = arena_make();
    take_first_two(a);
    a->rounds = acre_test_rounds(4000);
    pid_t child = acre_test_spawn(serve, a);
    ask(a);
    acre_test_expect_exit(child, 0);
}

/* A kernel before 5.16, or a filter that does not know the call. */
static void forbid_waitv(void)
{
    struct sock_filter code[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_futex_waitv, 0, 1),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | ENOSYS),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    struct sock_fprog program = {sizeof code / sizeof *code, code};
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 ||
        prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program) != 0)
        _exit(77);
    errno = 0;
    syscall(SYS_futex_waitv, NULL, 0, 0, NULL, 0);
    ACRE_CHECK_EQUAL(errno, ENOSYS);
}

static void serve_without_waitv(void *arg)
{
    forbid_waitv();
    add(&((arena *)arg)->ready, 1);
    serve(arg);
}

ACRE_TEST(wait_any, works_without_futex_waitv)
{
    arena *a = arena_make();
    int status;
    take_first_two(a);
    a->rounds = acre_test_rounds(200);
    pid_t child = acre_test_spawn(serve_without_waitv, a);
    while (!get(&a->ready)) {
        if (waitpid(child, &status, WNOHANG) == child)
            acre_test_skip("no seccomp");
        usleep(100);
    }
    ask(a);
    acre_test_expect_exit(child, 0);
}

static void wait_for_mutex(void *arg)
{
    arena *a = arg;
    acre_waitable list[] = {acre_semaphore_waitable(&a->semaphore[0]),
                            acre_mutex_waitable(&a->mutex)};
    size_t which;
    add(&a->ready, 1);
    ACRE_CHECK_EQUAL(acre_wait_any(list, 2, NULL, &which), 0);
    ACRE_CHECK_EQUAL(which, 1);
}

ACRE_TEST(wait_any, unlock_wakes)
{
    arena *a = arena_make();
    ACRE_CHECK_EQUAL(acre_mutex_lock(&a->mutex), 0);
    pid_t child = acre_test_spawn(wait_for_mutex, a);
    await(&a->ready, 1);
    usleep(5000);
    ACRE_CHECK_EQUAL(acre_mutex_unlock(&a->mutex), 0);
    acre_test_expect_exit(child, 0);
}

/* ---- passing on ---- */

/* Is woken and does not take. */
static void watch(void *arg)
{
    arena *a = arg;
    acre_waitable list[] = {acre_semaphore_waitable(&a->semaphore[0]),
                            acre_semaphore_waitable(&a->semaphore[1])};
    size_t which;
    while (!get(&a->stop)) {
        struct timespec deadline = acre_deadline(10 * MILLISECOND);
        acre_wait_any(list, 2, &deadline, &which);
    }
}

static void take(void *arg)
{
    arena *a = arg;
    for (uint64_t i = 0; i < a->rounds; i++) {
        ACRE_CHECK_EQUAL(acre_semaphore_wait(&a->semaphore[0]), 0);
        ACRE_CHECK_EQUAL(acre_semaphore_post(&a->back, 1), 0);
    }
}

/* The wake-ups that the watchers get must reach the one who takes. */
ACRE_TEST(wait_any, wakeup_that_is_not_used_is_passed_on)
{
    arena *a = arena_make();
    a->rounds = acre_test_rounds(1000);
    pid_t watcher[2], taker = acre_test_spawn(take, a);
    for (int i = 0; i < 2; i++)
        watcher[i] = acre_test_spawn(watch, a);
    acre_test_limit(20);
    for (uint64_t i = 0; i < a->rounds; i++) {
        ACRE_CHECK_EQUAL(acre_semaphore_post(&a->semaphore[0], 1), 0);
        ACRE_CHECK_EQUAL(acre_semaphore_wait(&a->back), 0);
    }
    add(&a->stop, 1);
    acre_test_expect_exit(taker, 0);
    for (int i = 0; i < 2; i++)
        acre_test_expect_exit(watcher[i], 0);
}

/* ---- deaths ---- */

static void own_all(void *arg)
{
    arena *a = arg;
    take_first_two(a);
    add(&a->ready, 1);
    for (;;)
        pause();
}

ACRE_TEST(wait_any, death_of_an_owner_makes_ready)
{
    for (int first = 0; first < 2; first++) {
        arena *a = arena_make();
        acre_waitable list[MOST];
        size_t which = 99;
        pid_t owner = acre_test_spawn(own_all, a);
        await(&a->ready, 1);
        list_all(a, list);
        if (fork() == 0) {
            usleep(20000);
            kill(owner, SIGKILL);
            _exit(0);
        }
        ACRE_CHECK_EQUAL(acre_wait_any(list + first, MOST - 1, NULL, &which), 0);
        ACRE_CHECK(which <= 1, "%zu", which);
        acre_test_expect_killed(owner);
        wait(NULL);
        ACRE_CHECK_EQUAL(acre_mutex_lock(&a->mutex), ACRE_OWNER_DEAD);
        ACRE_CHECK_EQUAL(acre_mutex_unlock(&a->mutex), 0);
        ACRE_CHECK_EQUAL(wait_all(a, 0), 0); /* not recoverable: a lock would not wait */
        munmap(a, sizeof *a);
    }
}

static void on_signal(int number)
{
    (void)number;
}

static void wait_interrupted(void *arg)
{
    struct sigaction action = {.sa_handler = on_signal};
    sigaction(SIGUSR1, &action, NULL);
    wait_for_mutex(arg);
}

ACRE_TEST(wait_any, signals_do_not_end_a_wait)
{
    arena *a = arena_make();
    ACRE_CHECK_EQUAL(acre_mutex_lock(&a->mutex), 0);
    pid_t child = acre_test_spawn(wait_interrupted, a);
    await(&a->ready, 1);
    for (int i = 0; i < 20; i++) {
        usleep(1000);
        kill(child, SIGUSR1);
    }
    ACRE_CHECK_EQUAL(waitpid(child, NULL, WNOHANG), 0);
    ACRE_CHECK_EQUAL(acre_mutex_unlock(&a->mutex), 0);
    acre_test_expect_exit(child, 0);
}
