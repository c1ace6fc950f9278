/* SPDX-License-Identifier: MIT */
/* The exclusive locks when their owner dies, in every form: killed, gone, another program, cancelled, in another pid
 * namespace, beside libc's robust mutexes.  Also runs under the plain runner. */
#include "tests/support_mutex.h"

/* ---- death of the owner ---- */

static void hold_for_ever(void *arg)
{
    arena *a = arg;
    ACRE_CHECK_EQUAL(lock(&a->lock), 0);
    set(&a->ready, 1);
    for (;;)
        pause();
}

static void hold_and_leave(void *arg)
{
    ACRE_CHECK_EQUAL(lock(&((arena *)arg)->lock), 0);
}

static void hold_and_become_another_program(void *arg)
{
    hold_and_leave(arg);
    execl("/bin/sleep", "sleep", "20", (char *)NULL);
    _exit(98);
}

static void kill_owner(arena *a)
{
    set(&a->ready, 0);
    pid_t child = acre_test_spawn(hold_for_ever, a);
    await(&a->ready);
    kill(child, SIGKILL);
    acre_test_expect_killed(child);
}

/* Told once; healed, nobody hears of it again. */
static void expect_orphaned_and_heal(arena *a, int kind, int (*take)(any *))
{
    acre_test_limit(30);
    ACRE_CHECK_EQUAL(take(&a->lock), ACRE_OWNER_DEAD);
    ACRE_CHECK_EQUAL(in_thread(&a->lock, trylock), EBUSY);
    ACRE_CHECK_EQUAL(consistent(&a->lock, kind), 0);
    ACRE_CHECK_EQUAL(consistent(&a->lock, kind), EINVAL);
    ACRE_CHECK_EQUAL(unlock(&a->lock), 0);
    ACRE_CHECK_EQUAL(take(&a->lock), 0);
    ACRE_CHECK_EQUAL(unlock(&a->lock), 0);
}

static int lock_timed(any *m)
{
    return lock_for(m, 30000000000);
}

EACH_KIND(mutex, sigkill_of_its_owner_is_told_once_by_each_form_A44)
{
    arena *a = arena_make(kind, 0);
    static int (*const form[])(any *) = {lock, trylock, lock_timed, lock_past};
    for (size_t i = 0; i < sizeof form / sizeof *form; i++) {
        kill_owner(a);
        expect_orphaned_and_heal(a, kind, form[i]);
    }
    arena_end(a);
}

EACH_KIND(mutex, waiter_is_told_when_the_owner_is_killed_A44)
{
    arena *a = arena_make(kind, 0);
    pid_t child = acre_test_spawn(hold_for_ever, a);
    acre_test_limit(30);
    await(&a->ready);
    if (fork() == 0) {
        usleep(20000);
        kill(child, SIGKILL);
        _exit(0);
    }
    expect_orphaned_and_heal(a, kind, lock);
    acre_test_expect_killed(child);
    wait(NULL);
    arena_end(a);
}

EACH_KIND(mutex, not_healed_it_is_lost_for_ever_A44_A45)
{
    arena *a = arena_make(kind, 0);
    kill_owner(a);
    ACRE_CHECK_EQUAL(lock(&a->lock), ACRE_OWNER_DEAD);
    ACRE_CHECK_EQUAL(unlock(&a->lock), 0);
    for (int i = 0; i < 3; i++) {
        ACRE_CHECK_EQUAL(lock(&a->lock), ENOTRECOVERABLE);
        ACRE_CHECK_EQUAL(trylock(&a->lock), ENOTRECOVERABLE);
        ACRE_CHECK_EQUAL(lock_timed(&a->lock), ENOTRECOVERABLE);
        ACRE_CHECK_EQUAL(in_thread(&a->lock, lock), ENOTRECOVERABLE);
        ACRE_CHECK_EQUAL(unlock(&a->lock), EPERM);
        ACRE_CHECK_EQUAL(consistent(&a->lock, kind), EINVAL);
    }
    ACRE_CHECK_EQUAL(destroy(&a->lock, kind), 0);
    arena_end(a);
}

static void wait_for_the_end(void *arg)
{
    arena *a = arg;
    __atomic_fetch_add(&a->ready, 1, __ATOMIC_SEQ_CST);
    ACRE_CHECK_EQUAL(lock(&a->lock), ENOTRECOVERABLE);
}

EACH_KIND(mutex, all_who_wait_hear_that_it_is_lost_A45)
{
    arena *a = arena_make(kind, 0);
    pid_t child[PROCESSES];
    acre_test_limit(30);
    kill_owner(a);
    ACRE_CHECK_EQUAL(lock(&a->lock), ACRE_OWNER_DEAD);
    set(&a->ready, 0);
    for (int i = 0; i < PROCESSES; i++)
        child[i] = acre_test_spawn(wait_for_the_end, a);
    while (get(&a->ready) != PROCESSES)
        usleep(100);
    usleep(5000);
    ACRE_CHECK_EQUAL(unlock(&a->lock), 0);
    for (int i = 0; i < PROCESSES; i++)
        acre_test_expect_exit(child[i], 0);
    arena_end(a);
}

EACH_KIND(mutex, exit_while_holding_is_told_A44)
{
    arena *a = arena_make(kind, 0);
    acre_test_run(hold_and_leave, a);
    expect_orphaned_and_heal(a, kind, trylock);
    arena_end(a);
}

EACH_KIND(mutex, end_of_a_thread_while_holding_is_told_A44)
{
    arena *a = arena_make(kind, 0);
    ACRE_CHECK_EQUAL(in_thread(&a->lock, lock), 0);
    expect_orphaned_and_heal(a, kind, lock);
    arena_end(a);
}

EACH_KIND(mutex, exec_while_holding_is_told)
{
    arena *a = arena_make(kind, 0);
    pid_t child = acre_test_spawn(hold_and_become_another_program, a);
    acre_test_limit(30);
    while (!__atomic_load_n(&a->lock.cell.word, __ATOMIC_ACQUIRE))
        sched_yield();
    expect_orphaned_and_heal(a, kind, lock);
    kill(child, SIGKILL);
    acre_test_expect_killed(child);
    arena_end(a);
}

static void *hold_until_cancelled(void *arg)
{
    arena *a = arg;
    ACRE_CHECK_EQUAL(lock(&a->lock), 0);
    set(&a->ready, 1);
    while (!get(&a->stop))
        pause();
    return NULL;
}

EACH_KIND(mutex, thread_cancelled_while_holding_has_died_holding)
{
    arena *a = arena_make(kind, 0);
    pthread_t t;
    ACRE_CHECK(pthread_create(&t, NULL, hold_until_cancelled, a) == 0);
    await(&a->ready);
    ACRE_CHECK(pthread_cancel(t) == 0);
    pthread_join(t, NULL);
    expect_orphaned_and_heal(a, kind, lock);
    arena_end(a);
}

static void *wait_with_a_cancel_pending(void *arg)
{
    arena *a = arg;
    set(&a->ready, 1);
    ACRE_CHECK_EQUAL(lock(&a->lock), 0);
    a->count = 1;
    ACRE_CHECK_EQUAL(unlock(&a->lock), 0);
    pthread_testcancel();
    return NULL;
}

EACH_KIND(mutex, waiting_is_no_cancellation_point)
{
    arena *a = arena_make(kind, 0);
    pthread_t t;
    void *result;
    ACRE_CHECK_EQUAL(lock(&a->lock), 0);
    ACRE_CHECK(pthread_create(&t, NULL, wait_with_a_cancel_pending, a) == 0);
    await(&a->ready);
    ACRE_CHECK(pthread_cancel(t) == 0);
    usleep(20000);
    ACRE_CHECK_EQUAL(unlock(&a->lock), 0);
    pthread_join(t, &result);
    ACRE_CHECK(result == PTHREAD_CANCELED);
    ACRE_CHECK_EQUAL(a->count, 1);
    ACRE_CHECK_EQUAL(trylock(&a->lock), 0);
    ACRE_CHECK_EQUAL(unlock(&a->lock), 0);
    arena_end(a);
}

/* Deep recursion is forgotten with its owner. */
static void hold_thrice(void *arg)
{
    for (int i = 0; i < 3; i++)
        hold_and_leave(arg);
}

ACRE_TEST(recursive, count_begins_anew_after_a_death_A45)
{
    arena *a = arena_make(1, 0);
    acre_test_run(hold_thrice, a);
    ACRE_CHECK_EQUAL(lock(&a->lock), ACRE_OWNER_DEAD);
    ACRE_CHECK_EQUAL(lock(&a->lock), 0); /* not yet healed, but owned */
    ACRE_CHECK_EQUAL(consistent(&a->lock, 1), 0);
    ACRE_CHECK_EQUAL(unlock(&a->lock), 0);
    ACRE_CHECK_EQUAL(in_thread(&a->lock, trylock), EBUSY);
    ACRE_CHECK_EQUAL(unlock(&a->lock), 0);
    ACRE_CHECK_EQUAL(in_thread(&a->lock, try_and_unlock), 0);
    arena_end(a);
}

/* A stopped owner is slow, not dead. */
EACH_KIND(mutex, stopped_owner_is_not_robbed)
{
    arena *a = arena_make(kind, 0);
    int status;
    pid_t child = acre_test_spawn(hold_for_ever, a);
    await(&a->ready);
    kill(child, SIGSTOP);
    ACRE_CHECK(waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status));
    ACRE_CHECK_EQUAL(lock_for(&a->lock, 150 * MILLISECOND), ETIMEDOUT);
    ACRE_CHECK_EQUAL(trylock(&a->lock), EBUSY);
    kill(child, SIGCONT);
    ACRE_CHECK_EQUAL(lock_for(&a->lock, 10 * MILLISECOND), ETIMEDOUT);
    kill(child, SIGKILL);
    acre_test_expect_killed(child);
    expect_orphaned_and_heal(a, kind, lock);
    arena_end(a);
}

/* ---- random kills ---- */

static void contend(void *arg)
{
    arena *a = arg;
    while (!get(&a->stop)) {
        int e = lock(&a->lock);
        ACRE_CHECK(e == 0 || e == EOWNERDEAD);
        if (e) {
            a->deaths = a->deaths + 1;
            ACRE_CHECK_EQUAL(consistent(&a->lock, (int)a->rounds), 0);
        }
        set(&a->count, a->count + 1);
        ACRE_CHECK_EQUAL(unlock(&a->lock), 0);
    }
}

static void await_progress(arena *a)
{
    for (uint64_t before = get(&a->count); get(&a->count) == before;)
        sched_yield();
}

/* Owners and waiters are killed; the rest must always come on (the watchdog sees to that). */
EACH_KIND(mutex, nobody_waits_for_the_killed)
{
    arena *a = arena_make(kind, (size_t)kind);
    pid_t child[PROCESSES];
    uint64_t seed = acre_test_seed();
    size_t rounds = acre_test_rounds(400);
    for (int i = 0; i < PROCESSES; i++)
        child[i] = acre_test_spawn(contend, a);
    for (size_t i = 0; i < rounds; i++) {
        pid_t *victim = &child[acre_test_below(&seed, PROCESSES)];
        acre_test_limit(30);
        for (uint64_t spin = acre_test_below(&seed, 8000); spin--;)
            __asm__ volatile("");
        kill(*victim, SIGKILL);
        acre_test_expect_killed(*victim);
        await_progress(a);
        *victim = acre_test_spawn(contend, a);
    }
    set(&a->stop, 1);
    for (int i = 0; i < PROCESSES; i++)
        acre_test_expect_exit(child[i], 0);
    fprintf(stderr, "%zu killed, %d of them while holding\n", rounds, (int)a->deaths);
    arena_end(a);
}

/* ---- pid namespaces ---- */

/* A process in a namespace of its own has thread id 1 there, so any two of them have equal ids. */
typedef struct inner {
    acre_test_function *fn;
    arena *a;
} inner;

/* Killed by its parent's death, too.  Exits with 99 if fn fails. */
static pid_t inner_spawn(acre_test_function *fn, arena *a)
{
    pid_t child = fork();
    ACRE_CHECK(child >= 0);
    if (child)
        return child;
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    fn(a);
    _exit(0);
}

/* In between: the namespace is for the children of who asks for it. */
static void inner_keep(void *arg)
{
    inner *in = arg;
    int status;
    if (unshare(CLONE_NEWPID) != 0)
        _exit(77);
    pid_t child = inner_spawn(in->fn, in->a);
    ACRE_CHECK(waitpid(child, &status, 0) == child);
    _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 9);
}

static void namespaces_needed(void *arg)
{
    (void)arg;
    _exit(unshare(CLONE_NEWPID) == 0 ? 0 : 77);
}

static void need_namespaces(void)
{
    int status;
    pid_t child = acre_test_spawn(namespaces_needed, NULL);
    ACRE_CHECK(waitpid(child, &status, 0) == child);
    if (status != 0)
        acre_test_skip("no permission to make a pid namespace");
}

static pid_t spawn_as_1(inner *in)
{
    return acre_test_spawn(inner_keep, in);
}

static void check_id(void)
{
    ACRE_CHECK_EQUAL(syscall(SYS_gettid), 1);
}

static void own_until_told(void *arg)
{
    arena *a = arg;
    check_id();
    ACRE_CHECK_EQUAL(lock(&a->lock), 0);
    set(&a->ready, 1);
    await(&a->stop);
    ACRE_CHECK_EQUAL(unlock(&a->lock), 0);
}

/* Not the owner, though the word has this thread's id. */
static void wait_beside_its_like(void *arg)
{
    arena *a = arg;
    check_id();
    ACRE_CHECK_EQUAL(trylock(&a->lock), EBUSY);
    ACRE_CHECK_EQUAL(unlock(&a->lock), EPERM);
    ACRE_CHECK_EQUAL(lock_for(&a->lock, MILLISECOND), ETIMEDOUT);
    ACRE_CHECK_EQUAL(lock(&a->other), 0);
    set(&a->count, 1);
    int e = lock(&a->lock);
    ACRE_CHECK_EQUAL(e, a->deaths ? EOWNERDEAD : 0);
    ACRE_CHECK_EQUAL(unlock(&a->lock), 0);
}

EACH_KIND(mutex, killed_waiter_of_equal_id_does_not_rob_the_owner)
{
    need_namespaces();
    arena *a = arena_make(kind, 0);
    inner owner = {own_until_told, a}, waiter = {wait_beside_its_like, a};
    acre_test_limit(30);
    pid_t first = spawn_as_1(&owner);
    await(&a->ready);
    pid_t second = spawn_as_1(&waiter);
    await(&a->count);
    usleep(20000); /* asleep by now */
    kill(second, SIGKILL);
    acre_test_expect_killed(second);
    ACRE_CHECK_EQUAL(lock(&a->other), EOWNERDEAD); /* it is gone, and so is what it held */
    ACRE_CHECK_EQUAL(trylock(&a->lock), EBUSY);
    set(&a->stop, 1);
    acre_test_expect_exit(first, 0);
    ACRE_CHECK_EQUAL(trylock(&a->lock), 0);
    ACRE_CHECK_EQUAL(unlock(&a->lock), 0);
    arena_end(a);
}

EACH_KIND(mutex, killed_owner_of_equal_id_is_noticed)
{
    need_namespaces();
    arena *a = arena_make(kind, 0);
    inner owner = {own_until_told, a}, waiter = {wait_beside_its_like, a};
    acre_test_limit(30);
    a->deaths = 1;
    pid_t first = spawn_as_1(&owner);
    await(&a->ready);
    pid_t second = spawn_as_1(&waiter);
    await(&a->count);
    kill(first, SIGKILL);
    acre_test_expect_killed(first);
    acre_test_expect_exit(second, 0);
    arena_end(a);
}

/* ---- beside libc's robust mutexes ---- */

static void make_theirs(arena *a)
{
    pthread_mutexattr_t attr;
    pthread_mutexattr_init(&attr);
    pthread_mutexattr_setpshared(&attr, PTHREAD_PROCESS_SHARED);
    pthread_mutexattr_setrobust(&attr, PTHREAD_MUTEX_ROBUST);
    for (int i = 0; i < MANY; i++)
        ACRE_CHECK(pthread_mutex_init(&a->theirs[i], &attr) == 0);
}

enum { MIXED = 12 };

/* Ours and theirs, each held or not, locked and unlocked at random; then death. */
static void mix_and_die(void *arg)
{
    arena *a = arg;
    uint64_t seed = a->count, held = 0;
    for (size_t n = a->rounds; n--;) {
        uint32_t i = (uint32_t)acre_test_below(&seed, 2 * MIXED), half = i / 2;
        bool had = held >> i & 1;
        if (i % 2)
            ACRE_CHECK_EQUAL(had ? pthread_mutex_unlock(&a->theirs[half])
                                 : pthread_mutex_trylock(&a->theirs[half]),
                             0);
        else
            ACRE_CHECK_EQUAL(had ? unlock(&a->many[half]) : lock(&a->many[half]), 0);
        held ^= (uint64_t)1 << i;
        a->deaths = held;
    }
    kill(getpid(), SIGKILL);
}

EACH_KIND(mutex, mixes_with_pthread_robust_mutexes_in_any_order)
{
    arena *a = arena_make(kind, acre_test_rounds(2000));
    uint64_t seed = acre_test_seed();
    make_theirs(a);
    for (int round = 0; round < 10; round++) {
        a->count = acre_test_random(&seed);
        acre_test_expect_killed(acre_test_spawn(mix_and_die, a));
        for (int i = 0; i < MIXED; i++) {
            int ours = a->deaths >> 2 * i & 1, theirs = a->deaths >> (2 * i + 1) & 1;
            ACRE_CHECK_EQUAL(trylock(&a->many[i]), ours ? EOWNERDEAD : 0);
            ACRE_CHECK_EQUAL(pthread_mutex_trylock(&a->theirs[i]), theirs ? EOWNERDEAD : 0);
            if (ours)
                ACRE_CHECK_EQUAL(consistent(&a->many[i], kind), 0);
            if (theirs)
                ACRE_CHECK_EQUAL(pthread_mutex_consistent(&a->theirs[i]), 0);
            ACRE_CHECK_EQUAL(unlock(&a->many[i]), 0);
            ACRE_CHECK_EQUAL(pthread_mutex_unlock(&a->theirs[i]), 0);
        }
    }
    arena_end(a);
}
