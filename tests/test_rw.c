/* SPDX-License-Identifier: MIT */
/* Sharable and upgradable mutexes, and guards: who excludes whom, every promotion and demotion,
 * deaths in every mode.  Also runs under the plain runner. */
#include "tests/acre_test.h"

#include <acre/sync.h>

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { SECOND = 1000000000, SOON = 20000000, WORKERS = 4 };

/* Shared between processes. */
typedef struct arena {
    acre_upgradable m;
    acre_sharable s;
    volatile uint64_t ready, stop;
    uint64_t a, b; /* equal whenever nobody writes */
    size_t rounds;
} arena;

static arena *arena_make(size_t rounds)
{
    arena *a = mmap(NULL, sizeof *a, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ACRE_CHECK(a != MAP_FAILED);
    a->rounds = rounds;
    return a;
}

/* ---- another thread's view ---- */

typedef struct probe {
    int (*call)(acre_upgradable *);
    acre_upgradable *m;
    int result;
} probe;

static void *probe_run(void *arg)
{
    probe *p = arg;
    p->result = p->call(p->m);
    return NULL;
}

static int elsewhere(int (*call)(acre_upgradable *), acre_upgradable *m)
{
    probe p = {call, m, -1};
    pthread_t t;
    ACRE_CHECK(pthread_create(&t, NULL, probe_run, &p) == 0);
    pthread_join(t, NULL);
    return p.result;
}

static int try_exclusive(acre_upgradable *m)
{
    int e = acre_upgradable_trylock(m);
    return e ? e : acre_upgradable_unlock(m);
}

static int try_sharable(acre_upgradable *m)
{
    int e = acre_upgradable_trylock_sharable(m);
    return e ? e : acre_upgradable_unlock_sharable(m);
}

static int try_upgradable(acre_upgradable *m)
{
    int e = acre_upgradable_trylock_upgradable(m);
    return e ? e : acre_upgradable_unlock_upgradable(m);
}

/* What others can get now. */
static void expect_others(acre_upgradable *m, int exclusive, int sharable, int upgradable)
{
    ACRE_CHECK_EQUAL(elsewhere(try_exclusive, m), exclusive);
    ACRE_CHECK_EQUAL(elsewhere(try_sharable, m), sharable);
    ACRE_CHECK_EQUAL(elsewhere(try_upgradable, m), upgradable);
}

static void expect_free(acre_upgradable *m)
{
    expect_others(m, 0, 0, 0);
}

static void expect_read(acre_upgradable *m)
{
    expect_others(m, EBUSY, 0, 0);
}

static void expect_upgradable(acre_upgradable *m)
{
    expect_others(m, EBUSY, 0, EBUSY);
}

static void expect_written(acre_upgradable *m)
{
    expect_others(m, EBUSY, EBUSY, EBUSY);
}

ACRE_TEST(upgradable, each_mode_excludes_what_it_should_A49)
{
    acre_upgradable *m = &arena_make(0)->m;
    acre_upgradable_init(m);
    expect_free(m);
    ACRE_CHECK_EQUAL(acre_upgradable_lock(m), 0);
    expect_written(m);
    ACRE_CHECK_EQUAL(acre_upgradable_unlock(m), 0);
    ACRE_CHECK_EQUAL(acre_upgradable_lock_upgradable(m), 0);
    expect_upgradable(m);
    ACRE_CHECK_EQUAL(acre_upgradable_unlock_upgradable(m), 0);
    ACRE_CHECK_EQUAL(acre_upgradable_lock_sharable(m), 0);
    expect_read(m);
    ACRE_CHECK_EQUAL(acre_upgradable_lock_sharable(m), 0); /* again */
    ACRE_CHECK_EQUAL(acre_upgradable_unlock_sharable(m), 0);
    expect_read(m);
    ACRE_CHECK_EQUAL(acre_upgradable_unlock_sharable(m), 0);
    expect_free(m);
}

ACRE_TEST(upgradable, a_past_deadline_takes_what_is_free_A42)
{
    acre_upgradable *m = &arena_make(0)->m;
    struct timespec past = {0};
    ACRE_CHECK_EQUAL(acre_upgradable_lock_until(m, &past), 0);
    ACRE_CHECK_EQUAL(acre_upgradable_unlock(m), 0);
    ACRE_CHECK_EQUAL(acre_upgradable_lock_sharable_until(m, &past), 0);
    ACRE_CHECK_EQUAL(acre_upgradable_unlock_sharable(m), 0);
    ACRE_CHECK_EQUAL(acre_upgradable_lock_upgradable_until(m, &past), 0);
    ACRE_CHECK_EQUAL(acre_upgradable_unlock_upgradable_and_lock_until(m, &past), 0);
    ACRE_CHECK_EQUAL(acre_upgradable_unlock(m), 0);
}

static int timed_exclusive(acre_upgradable *m)
{
    return acre_upgradable_lock_for(m, SOON);
}

static int timed_sharable(acre_upgradable *m)
{
    return acre_upgradable_lock_sharable_for(m, SOON);
}

static int timed_upgradable(acre_upgradable *m)
{
    return acre_upgradable_lock_upgradable_for(m, SOON);
}

ACRE_TEST(upgradable, timed_forms_give_up_and_leave_no_trace_A49)
{
    acre_upgradable *m = &arena_make(0)->m;
    ACRE_CHECK_EQUAL(acre_upgradable_lock_sharable(m), 0);
    ACRE_CHECK_EQUAL(elsewhere(timed_exclusive, m), ETIMEDOUT);
    expect_read(m);
    ACRE_CHECK_EQUAL(acre_upgradable_unlock_sharable(m), 0);
    ACRE_CHECK_EQUAL(acre_upgradable_lock(m), 0);
    ACRE_CHECK_EQUAL(elsewhere(timed_exclusive, m), ETIMEDOUT);
    ACRE_CHECK_EQUAL(elsewhere(timed_sharable, m), ETIMEDOUT);
    ACRE_CHECK_EQUAL(elsewhere(timed_upgradable, m), ETIMEDOUT);
    ACRE_CHECK_EQUAL(acre_upgradable_unlock(m), 0);
    expect_free(m);
}

ACRE_TEST(upgradable, the_default_timeout_ends_waits_A43)
{
    acre_upgradable *m = &arena_make(0)->m;
    acre_default_timeout(SOON);
    ACRE_CHECK_EQUAL(acre_upgradable_lock(m), 0);
    ACRE_CHECK_EQUAL(elsewhere(acre_upgradable_lock, m), ETIMEDOUT);
    ACRE_CHECK_EQUAL(elsewhere(acre_upgradable_lock_sharable, m), ETIMEDOUT);
    ACRE_CHECK_EQUAL(acre_upgradable_unlock_and_lock_sharable(m), 0);
    ACRE_CHECK_EQUAL(elsewhere(acre_upgradable_lock, m), ETIMEDOUT);
    ACRE_CHECK_EQUAL(acre_upgradable_unlock_sharable(m), 0);
    acre_default_timeout(0);
    expect_free(m);
}

/* A writer that dies before it has looked for readers leaves EXCLUSIVE beside them. */
static void die_claiming(void *arg)
{
    acre_upgradable *m = arg;
    ACRE_CHECK_EQUAL(acre_upgradable_lock_upgradable(m), 0);
    m->rw.owner.mode = 4;
    kill(getpid(), SIGKILL);
}

ACRE_TEST(upgradable, a_reader_that_was_in_when_a_writer_died_can_go_on)
{
    acre_upgradable *m = &arena_make(0)->m;
    ACRE_CHECK_EQUAL(acre_upgradable_lock_sharable(m), 0);
    acre_test_expect_killed(acre_test_spawn(die_claiming, m));
    ACRE_CHECK_EQUAL(elsewhere(try_exclusive, m), EBUSY);
    ACRE_CHECK_EQUAL(acre_upgradable_trylock_sharable(m), 0); /* once more: nothing was written */
    expect_read(m);
    acre_test_expect_killed(acre_test_spawn(die_claiming, m));
    ACRE_CHECK_EQUAL(elsewhere(try_sharable, m), EBUSY);
    ACRE_CHECK_EQUAL(acre_upgradable_unlock_sharable(m), 0);
    ACRE_CHECK_EQUAL(acre_upgradable_try_unlock_sharable_and_lock(m), 0);
    ACRE_CHECK_EQUAL(acre_upgradable_unlock(m), 0);
    expect_free(m);
}

ACRE_TEST(upgradable, misuse_is_refused)
{
    acre_upgradable *m = &arena_make(0)->m;
    ACRE_CHECK_EQUAL(acre_upgradable_unlock(m), EPERM);
    ACRE_CHECK_EQUAL(acre_upgradable_unlock_sharable(m), EPERM);
    ACRE_CHECK_EQUAL(acre_upgradable_unlock_upgradable(m), EPERM);
    ACRE_CHECK_EQUAL(acre_upgradable_lock(m), 0);
    ACRE_CHECK_EQUAL(acre_upgradable_lock(m), EDEADLK);
    ACRE_CHECK_EQUAL(acre_upgradable_lock_sharable(m), EDEADLK);
    ACRE_CHECK_EQUAL(acre_upgradable_trylock_upgradable(m), EDEADLK);
    ACRE_CHECK_EQUAL(acre_upgradable_unlock_upgradable(m), EPERM);
    ACRE_CHECK_EQUAL(acre_upgradable_unlock_sharable(m), EPERM);
    ACRE_CHECK_EQUAL(acre_upgradable_unlock_upgradable_and_lock(m), EPERM);
    ACRE_CHECK_EQUAL(acre_upgradable_consistent(m), EINVAL);
    ACRE_CHECK_EQUAL(elsewhere(acre_upgradable_unlock, m), EPERM);
    ACRE_CHECK_EQUAL(elsewhere(acre_upgradable_destroy, m), EBUSY);
    ACRE_CHECK_EQUAL(acre_upgradable_unlock(m), 0);
    ACRE_CHECK_EQUAL(acre_sharable_lock((acre_sharable *)m), ACRE_EOBJECT);
    ACRE_CHECK_EQUAL(acre_upgradable_destroy(m), 0);
    ACRE_CHECK_EQUAL(acre_upgradable_lock(m), ACRE_EOBJECT);
}

ACRE_TEST(upgradable, more_readers_than_places_wait)
{
    acre_upgradable *m = &arena_make(0)->m;
    for (int i = 0; i < ACRE_READERS; i++)
        ACRE_CHECK_EQUAL(acre_upgradable_lock_sharable(m), 0);
    ACRE_CHECK_EQUAL(acre_upgradable_trylock_sharable(m), EBUSY);
    ACRE_CHECK_EQUAL(acre_upgradable_lock_sharable_for(m, SOON), ETIMEDOUT);
    ACRE_CHECK_EQUAL(acre_upgradable_unlock_sharable(m), 0);
    ACRE_CHECK_EQUAL(acre_upgradable_trylock_sharable(m), 0);
    for (int i = 0; i < ACRE_READERS; i++)
        ACRE_CHECK_EQUAL(acre_upgradable_unlock_sharable(m), 0);
    expect_free(m);
}

/* ---- from one mode to another ---- */

ACRE_TEST(upgradable, demotions_A50)
{
    acre_upgradable *m = &arena_make(0)->m;
    ACRE_CHECK_EQUAL(acre_upgradable_lock(m), 0);
    ACRE_CHECK_EQUAL(acre_upgradable_unlock_and_lock_upgradable(m), 0);
    expect_upgradable(m);
    ACRE_CHECK_EQUAL(acre_upgradable_unlock_upgradable_and_lock_sharable(m), 0);
    expect_read(m);
    ACRE_CHECK_EQUAL(acre_upgradable_unlock_sharable(m), 0);
    ACRE_CHECK_EQUAL(acre_upgradable_lock(m), 0);
    ACRE_CHECK_EQUAL(acre_upgradable_unlock_and_lock_sharable(m), 0);
    expect_read(m);
    ACRE_CHECK_EQUAL(acre_upgradable_unlock_sharable(m), 0);
    ACRE_CHECK_EQUAL(acre_upgradable_unlock_and_lock_sharable(m), EPERM);
    expect_free(m);
}

ACRE_TEST(upgradable, promotions_A50)
{
    acre_upgradable *m = &arena_make(0)->m;
    ACRE_CHECK_EQUAL(acre_upgradable_lock_upgradable(m), 0);
    ACRE_CHECK_EQUAL(acre_upgradable_unlock_upgradable_and_lock(m), 0);
    expect_written(m);
    ACRE_CHECK_EQUAL(acre_upgradable_unlock_and_lock_upgradable(m), 0);
    ACRE_CHECK_EQUAL(acre_upgradable_try_unlock_upgradable_and_lock(m), 0);
    expect_written(m);
    ACRE_CHECK_EQUAL(acre_upgradable_unlock_and_lock_sharable(m), 0);
    ACRE_CHECK_EQUAL(acre_upgradable_try_unlock_sharable_and_lock_upgradable(m), 0);
    expect_upgradable(m);
    ACRE_CHECK_EQUAL(acre_upgradable_unlock_upgradable_and_lock_sharable(m), 0);
    ACRE_CHECK_EQUAL(acre_upgradable_try_unlock_sharable_and_lock(m), 0);
    expect_written(m);
    ACRE_CHECK_EQUAL(acre_upgradable_unlock(m), 0);
    expect_free(m);
}

/* A reader in another thread for as long as the test wants it. */
typedef struct reader {
    acre_upgradable *m;
    volatile int state; /* 1: reading, 2: told to stop */
    pthread_t thread;
} reader;

static void *reader_run(void *arg)
{
    reader *r = arg;
    ACRE_CHECK_EQUAL(acre_upgradable_lock_sharable(r->m), 0);
    __atomic_store_n(&r->state, 1, __ATOMIC_RELEASE);
    while (__atomic_load_n(&r->state, __ATOMIC_ACQUIRE) != 2)
        sched_yield();
    ACRE_CHECK_EQUAL(acre_upgradable_unlock_sharable(r->m), 0);
    return NULL;
}

static void reader_start(reader *r, acre_upgradable *m, bool wait)
{
    *r = (reader){.m = m};
    ACRE_CHECK(pthread_create(&r->thread, NULL, reader_run, r) == 0);
    while (wait && __atomic_load_n(&r->state, __ATOMIC_ACQUIRE) != 1)
        sched_yield();
}

static void reader_stop(reader *r)
{
    __atomic_store_n(&r->state, 2, __ATOMIC_RELEASE);
    pthread_join(r->thread, NULL);
}

ACRE_TEST(upgradable, a_failed_promotion_keeps_the_old_lock_A50)
{
    acre_upgradable *m = &arena_make(0)->m;
    reader r;
    reader_start(&r, m, true);
    ACRE_CHECK_EQUAL(acre_upgradable_lock_upgradable(m), 0);
    ACRE_CHECK_EQUAL(acre_upgradable_try_unlock_upgradable_and_lock(m), EBUSY);
    expect_upgradable(m);
    ACRE_CHECK_EQUAL(acre_upgradable_unlock_upgradable_and_lock_for(m, SOON), ETIMEDOUT);
    expect_upgradable(m);
    ACRE_CHECK_EQUAL(acre_upgradable_unlock_upgradable_and_lock_sharable(m), 0);
    ACRE_CHECK_EQUAL(acre_upgradable_try_unlock_sharable_and_lock(m), EBUSY);
    expect_read(m);
    reader_stop(&r);
    ACRE_CHECK_EQUAL(acre_upgradable_try_unlock_sharable_and_lock(m), 0);
    ACRE_CHECK_EQUAL(acre_upgradable_unlock(m), 0);
    ACRE_CHECK_EQUAL(acre_upgradable_try_unlock_sharable_and_lock(m), EPERM);
    expect_free(m);
}

static void hold_upgradable(void *arg)
{
    arena *a = arg;
    ACRE_CHECK_EQUAL(acre_upgradable_lock_upgradable(&a->m), 0);
    a->ready = 1;
    for (;;)
        pause();
}

ACRE_TEST(upgradable, a_reader_is_not_promoted_beside_an_upgradable_holder_A50)
{
    arena *a = arena_make(0);
    pid_t child = acre_test_spawn(hold_upgradable, a);
    while (!a->ready)
        sched_yield();
    ACRE_CHECK_EQUAL(acre_upgradable_lock_sharable(&a->m), 0);
    ACRE_CHECK_EQUAL(acre_upgradable_try_unlock_sharable_and_lock(&a->m), EBUSY);
    ACRE_CHECK_EQUAL(acre_upgradable_try_unlock_sharable_and_lock_upgradable(&a->m), EBUSY);
    kill(child, SIGKILL);
    acre_test_expect_killed(child);
    ACRE_CHECK_EQUAL(acre_upgradable_try_unlock_sharable_and_lock_upgradable(&a->m), 0);
    ACRE_CHECK_EQUAL(acre_upgradable_unlock_upgradable(&a->m), 0);
}

static void *promote_and_give_up(void *arg)
{
    acre_upgradable *m = arg;
    ACRE_CHECK_EQUAL(acre_upgradable_lock_upgradable(m), 0);
    ACRE_CHECK_EQUAL(acre_upgradable_unlock_upgradable_and_lock_for(m, 5 * SOON), ETIMEDOUT);
    while (acre_upgradable_unlock_upgradable(m) != 0)
        ;
    return NULL;
}

/* Boost leaves it asleep.  The reader that keeps the promotion from succeeding stays for good. */
ACRE_TEST(upgradable, a_promotion_that_times_out_wakes_the_readers_it_kept_out_A50)
{
    acre_upgradable *m = &arena_make(0)->m;
    reader first, queued;
    pthread_t t;
    reader_start(&first, m, true);
    ACRE_CHECK(pthread_create(&t, NULL, promote_and_give_up, m) == 0);
    while (elsewhere(try_sharable, m) == 0) /* until the promotion waits */
        sched_yield();
    reader_start(&queued, m, true); /* comes in, or the watchdog ends this */
    reader_stop(&queued);
    pthread_join(t, NULL);
    reader_stop(&first);
    expect_free(m);
}

static void *write_once(void *arg)
{
    acre_upgradable *m = arg;
    ACRE_CHECK_EQUAL(acre_upgradable_lock(m), 0);
    ACRE_CHECK_EQUAL(acre_upgradable_unlock(m), 0);
    return NULL;
}

ACRE_TEST(upgradable, a_waiting_writer_keeps_new_readers_out_A49)
{
    acre_upgradable *m = &arena_make(0)->m;
    reader first;
    pthread_t t;
    reader_start(&first, m, true);
    ACRE_CHECK(pthread_create(&t, NULL, write_once, m) == 0);
    while (elsewhere(try_sharable, m) == 0)
        sched_yield();
    ACRE_CHECK_EQUAL(elsewhere(timed_sharable, m), ETIMEDOUT);
    reader_stop(&first);
    pthread_join(t, NULL);
    expect_free(m);
}

/* ---- many at once ---- */

static void check_equal(arena *a)
{
    ACRE_CHECK_EQUAL(a->a, a->b);
}

static void write_both(arena *a)
{
    a->a++;
    a->b++;
}

static void upgrade_and_write(arena *a)
{
    ACRE_CHECK_EQUAL(acre_upgradable_lock_upgradable(&a->m), 0);
    check_equal(a);
    ACRE_CHECK_EQUAL(acre_upgradable_unlock_upgradable_and_lock(&a->m), 0);
    write_both(a);
    ACRE_CHECK_EQUAL(acre_upgradable_unlock_and_lock_sharable(&a->m), 0);
    check_equal(a);
    ACRE_CHECK_EQUAL(acre_upgradable_unlock_sharable(&a->m), 0);
}

static void mix(void *arg)
{
    arena *a = arg;
    uint64_t seed = (uint64_t)getpid() ^ (uintptr_t)&seed, written = 0;
    for (size_t i = 0; i < a->rounds; i++)
        if (acre_test_below(&seed, 4)) {
            ACRE_CHECK_EQUAL(acre_upgradable_lock_sharable(&a->m), 0);
            check_equal(a);
            ACRE_CHECK_EQUAL(acre_upgradable_unlock_sharable(&a->m), 0);
        } else if (acre_test_below(&seed, 2)) {
            ACRE_CHECK_EQUAL(acre_upgradable_lock(&a->m), 0);
            write_both(a);
            ACRE_CHECK_EQUAL(acre_upgradable_unlock(&a->m), 0);
            written++;
        } else {
            upgrade_and_write(a);
            written++;
        }
    __atomic_fetch_add(&a->ready, written, __ATOMIC_SEQ_CST);
}

static void *mix_thread(void *arg)
{
    mix(arg);
    return NULL;
}

ACRE_TEST(upgradable, threads_in_all_modes_see_whole_states_A49)
{
    arena *a = arena_make(acre_test_rounds(20000));
    pthread_t t[WORKERS];
    for (int i = 0; i < WORKERS; i++)
        ACRE_CHECK(pthread_create(&t[i], NULL, mix_thread, a) == 0);
    for (int i = 0; i < WORKERS; i++)
        pthread_join(t[i], NULL);
    ACRE_CHECK_EQUAL(a->a, a->ready);
    expect_free(&a->m);
}

ACRE_TEST(upgradable, processes_in_all_modes_see_whole_states_A49)
{
    arena *a = arena_make(acre_test_rounds(20000));
    pid_t child[WORKERS];
    for (int i = 0; i < WORKERS; i++)
        child[i] = acre_test_spawn(mix, a);
    for (int i = 0; i < WORKERS; i++)
        acre_test_expect_exit(child[i], 0);
    ACRE_CHECK_EQUAL(a->a, a->ready);
    expect_free(&a->m);
}

/* ---- deaths ---- */

static void die_reading(void *arg)
{
    ACRE_CHECK_EQUAL(acre_upgradable_lock_sharable(arg), 0);
    kill(getpid(), SIGKILL);
}

static void die_upgradable(void *arg)
{
    ACRE_CHECK_EQUAL(acre_upgradable_lock_upgradable(arg), 0);
    kill(getpid(), SIGKILL);
}

static void die_writing(void *arg)
{
    int e = acre_upgradable_lock(arg);
    ACRE_CHECK(e == 0 || e == ACRE_OWNER_DEAD);
    kill(getpid(), SIGKILL);
}

ACRE_TEST(upgradable, the_death_of_one_who_read_is_not_noticed)
{
    acre_upgradable *m = &arena_make(0)->m;
    acre_test_expect_killed(acre_test_spawn(die_reading, m));
    expect_free(m);
    acre_test_expect_killed(acre_test_spawn(die_upgradable, m));
    expect_free(m);
}

ACRE_TEST(upgradable, the_death_of_a_writer_is_told_once_and_healed_A44)
{
    acre_upgradable *m = &arena_make(0)->m;
    acre_test_expect_killed(acre_test_spawn(die_writing, m));
    acre_test_expect_killed(acre_test_spawn(die_writing, m)); /* it inherited, and died too */
    ACRE_CHECK_EQUAL(acre_upgradable_trylock(m), ACRE_OWNER_DEAD);
    ACRE_CHECK_EQUAL(acre_upgradable_consistent(m), 0);
    ACRE_CHECK_EQUAL(acre_upgradable_unlock(m), 0);
    expect_free(m);
}

ACRE_TEST(upgradable, a_reader_that_inherits_is_alone_until_it_has_healed)
{
    acre_upgradable *m = &arena_make(0)->m;
    acre_test_expect_killed(acre_test_spawn(die_writing, m));
    ACRE_CHECK_EQUAL(acre_upgradable_lock_sharable(m), ACRE_OWNER_DEAD);
    expect_written(m);
    ACRE_CHECK_EQUAL(acre_upgradable_consistent(m), 0);
    expect_read(m);
    ACRE_CHECK_EQUAL(acre_upgradable_unlock_sharable(m), 0);
    expect_free(m);
    acre_test_expect_killed(acre_test_spawn(die_writing, m));
    ACRE_CHECK_EQUAL(acre_upgradable_trylock_upgradable(m), ACRE_OWNER_DEAD);
    expect_written(m);
    ACRE_CHECK_EQUAL(acre_upgradable_consistent(m), 0);
    expect_upgradable(m);
    ACRE_CHECK_EQUAL(acre_upgradable_unlock_upgradable(m), 0);
    expect_free(m);
}

static void expect_lost(acre_upgradable *m)
{
    struct timespec past = {0};
    ACRE_CHECK_EQUAL(acre_upgradable_lock(m), ENOTRECOVERABLE);
    ACRE_CHECK_EQUAL(acre_upgradable_trylock(m), ENOTRECOVERABLE);
    ACRE_CHECK_EQUAL(acre_upgradable_lock_sharable(m), ENOTRECOVERABLE);
    ACRE_CHECK_EQUAL(acre_upgradable_lock_upgradable_until(m, &past), ENOTRECOVERABLE);
    ACRE_CHECK_EQUAL(elsewhere(try_sharable, m), ENOTRECOVERABLE);
}

ACRE_TEST(upgradable, unlocked_without_healing_it_is_lost_for_ever_A44)
{
    acre_upgradable *m = &arena_make(0)->m;
    acre_test_expect_killed(acre_test_spawn(die_writing, m));
    ACRE_CHECK_EQUAL(acre_upgradable_lock(m), ACRE_OWNER_DEAD);
    ACRE_CHECK_EQUAL(acre_upgradable_unlock(m), 0);
    expect_lost(m);
    acre_upgradable_init(m);
    acre_test_expect_killed(acre_test_spawn(die_writing, m));
    ACRE_CHECK_EQUAL(acre_upgradable_lock_sharable(m), ACRE_OWNER_DEAD);
    ACRE_CHECK_EQUAL(acre_upgradable_unlock(m), EPERM); /* that is not what it asked for */
    ACRE_CHECK_EQUAL(acre_upgradable_unlock_sharable(m), 0);
    expect_lost(m);
}

static void wait_for_ever(void *arg)
{
    arena *a = arg;
    a->ready = 1;
    acre_upgradable_lock(&a->m);
    ACRE_CHECK(false, "it got the lock");
}

ACRE_TEST(upgradable, the_death_of_a_waiting_writer_lets_readers_in_A48)
{
    arena *a = arena_make(0);
    ACRE_CHECK_EQUAL(acre_upgradable_lock_sharable(&a->m), 0);
    pid_t child = acre_test_spawn(wait_for_ever, a);
    while (elsewhere(try_sharable, &a->m) == 0)
        sched_yield();
    kill(child, SIGKILL);
    acre_test_expect_killed(child);
    expect_read(&a->m);
    ACRE_CHECK_EQUAL(acre_upgradable_unlock_sharable(&a->m), 0);
    expect_free(&a->m);
}

static void read_for_ever(void *arg)
{
    arena *a = arg;
    ACRE_CHECK_EQUAL(acre_upgradable_lock_sharable(&a->m), 0);
    a->ready = 1;
    for (;;)
        pause();
}

ACRE_TEST(upgradable, the_death_of_a_reader_lets_the_waiting_writer_in_A48)
{
    arena *a = arena_make(0);
    pthread_t t;
    pid_t child = acre_test_spawn(read_for_ever, a);
    while (!a->ready)
        sched_yield();
    ACRE_CHECK(pthread_create(&t, NULL, write_once, &a->m) == 0);
    while (elsewhere(try_sharable, &a->m) == 0)
        sched_yield();
    kill(child, SIGKILL);
    acre_test_expect_killed(child);
    pthread_join(t, NULL);
    expect_free(&a->m);
}

ACRE_TEST(upgradable, a_stopped_reader_is_not_robbed)
{
    arena *a = arena_make(0);
    pid_t child = acre_test_spawn(read_for_ever, a);
    while (!a->ready)
        sched_yield();
    kill(child, SIGSTOP);
    ACRE_CHECK_EQUAL(acre_upgradable_lock_for(&a->m, 5 * SOON), ETIMEDOUT);
    expect_read(&a->m);
    kill(child, SIGKILL);
    acre_test_expect_killed(child);
    expect_free(&a->m);
}

/* ---- sharable ---- */

ACRE_TEST(sharable, readers_together_and_a_writer_alone_A49)
{
    acre_sharable *m = &arena_make(0)->s;
    struct timespec past = {0};
    acre_sharable_init(m);
    ACRE_CHECK_EQUAL(acre_sharable_lock_sharable(m), 0);
    ACRE_CHECK_EQUAL(acre_sharable_trylock_sharable(m), 0);
    ACRE_CHECK_EQUAL(acre_sharable_trylock(m), EBUSY);
    ACRE_CHECK_EQUAL(acre_sharable_lock_until(m, &past), ETIMEDOUT);
    ACRE_CHECK_EQUAL(acre_sharable_lock_sharable_for(m, SOON), 0);
    for (int i = 0; i < 3; i++)
        ACRE_CHECK_EQUAL(acre_sharable_unlock_sharable(m), 0);
    ACRE_CHECK_EQUAL(acre_sharable_unlock_sharable(m), EPERM);
    ACRE_CHECK_EQUAL(acre_sharable_lock(m), 0);
    ACRE_CHECK_EQUAL(acre_sharable_trylock_sharable(m), EDEADLK);
    ACRE_CHECK_EQUAL(acre_sharable_unlock(m), 0);
    ACRE_CHECK_EQUAL(acre_sharable_destroy(m), 0);
}

/* ---- guards ---- */

ACRE_TEST(guard, forms_of_locking_A41)
{
    acre_mutex *m =
        mmap(NULL, sizeof *m, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    struct timespec past = {0};
    {
        ACRE_GUARD(g, m, ACRE_EXCLUSIVE);
        ACRE_CHECK(g.owns && g.error == 0);
        ACRE_CHECK_EQUAL(acre_guard_lock(&g), EDEADLK);
        acre_guard other = acre_guard_tried(m, ACRE_EXCLUSIVE);
        ACRE_CHECK(!other.owns && other.error == EDEADLK);
    }
    acre_guard g = acre_guard_defer(m, ACRE_EXCLUSIVE);
    ACRE_CHECK_EQUAL(acre_guard_unlock(&g), EPERM);
    ACRE_CHECK_EQUAL(acre_guard_trylock(&g), 0);
    ACRE_CHECK_EQUAL(acre_guard_unlock(&g), 0);
    g = acre_guard_timed(m, ACRE_EXCLUSIVE, &past);
    ACRE_CHECK(g.owns);
    ACRE_CHECK(acre_guard_release(&g) == m && !g.mutex && !g.owns);
    ACRE_CHECK_EQUAL(acre_guard_lock(&g), EPERM);
    g = acre_guard_adopt(m, ACRE_EXCLUSIVE);
    acre_guard h = acre_guard_defer(m, ACRE_EXCLUSIVE);
    acre_guard_swap(&g, &h);
    ACRE_CHECK(h.owns && !g.owns);
    acre_guard_end(&h);
    ACRE_CHECK_EQUAL(acre_mutex_trylock(m), 0);
    ACRE_CHECK_EQUAL(acre_mutex_unlock(m), 0);
    ACRE_CHECK_EQUAL(acre_lock(m, ACRE_SHARABLE), ENOTSUP);
    ACRE_CHECK_EQUAL(acre_lock(m, ACRE_UNLOCKED), EINVAL);
}

static acre_guard moved(acre_guard *from, enum acre_mode mode, enum acre_how how, int expected)
{
    acre_guard to = acre_guard_defer(NULL, mode);
    ACRE_CHECK_EQUAL(acre_guard_transfer(&to, mode, from, how, NULL), expected);
    ACRE_CHECK(expected ? !to.owns && !to.mutex : to.owns && !from->owns && !from->mutex);
    return to;
}

ACRE_TEST(guard, transfers_A50)
{
    acre_upgradable *m = &arena_make(0)->m;
    acre_upgradable_init(m);
    acre_guard g = acre_guard_locked(m, ACRE_EXCLUSIVE);
    g = moved(&g, ACRE_UPGRADABLE, ACRE_WAIT, 0);
    expect_upgradable(m);
    g = moved(&g, ACRE_EXCLUSIVE, ACRE_TRY, 0);
    expect_written(m);
    g = moved(&g, ACRE_SHARABLE, ACRE_WAIT, 0);
    expect_read(m);
    moved(&g, ACRE_EXCLUSIVE, ACRE_WAIT, ENOTSUP); /* readers cannot wait for that */
    ACRE_CHECK(g.owns);
    g = moved(&g, ACRE_UPGRADABLE, ACRE_TRY, 0);
    reader r;
    reader_start(&r, m, true);
    moved(&g, ACRE_EXCLUSIVE, ACRE_TRY, EBUSY);
    ACRE_CHECK(g.owns && g.mode == ACRE_UPGRADABLE);
    reader_stop(&r);
    g = moved(&g, ACRE_SHARABLE, ACRE_WAIT, 0);
    g = moved(&g, ACRE_EXCLUSIVE, ACRE_TRY, 0);
    acre_guard_end(&g);
    expect_free(m);
}

ACRE_TEST(guard, a_transfer_to_itself_changes_the_mode_A50)
{
    acre_upgradable *m = &arena_make(0)->m;
    acre_upgradable_init(m);
    acre_guard g = acre_guard_locked(m, ACRE_UPGRADABLE);
    ACRE_CHECK_EQUAL(acre_guard_transfer(&g, ACRE_EXCLUSIVE, &g, ACRE_WAIT, NULL), 0);
    expect_written(m);
    ACRE_CHECK_EQUAL(acre_guard_transfer(&g, ACRE_SHARABLE, &g, ACRE_WAIT, NULL), 0);
    expect_read(m);
    ACRE_CHECK_EQUAL(acre_guard_transfer(&g, ACRE_EXCLUSIVE, &g, ACRE_WAIT, NULL), ENOTSUP);
    ACRE_CHECK(g.owns && g.mode == ACRE_SHARABLE);
    acre_guard_end(&g);
    expect_free(m);
}

ACRE_TEST(guard, a_source_that_owns_nothing_passes_its_mutex_on_A50)
{
    acre_upgradable *m = &arena_make(0)->m;
    acre_guard from = acre_guard_defer(m, ACRE_SHARABLE),
               to = acre_guard_defer(NULL, ACRE_EXCLUSIVE);
    ACRE_CHECK_EQUAL(acre_guard_transfer(&to, ACRE_EXCLUSIVE, &from, ACRE_WAIT, NULL), 0);
    ACRE_CHECK(to.mutex == m && !to.owns && !from.mutex);
    expect_free(m);
}
