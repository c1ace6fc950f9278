/* SPDX-License-Identifier: MIT */
/* SIGKILL at random moments while four contend: nobody hangs, nobody comes in beside another, and
 * what was the dead one's is told or free.  ACRE_KILLS sets the number over all (20000). */
#include "tests/support_lab.h"

#include <acre/sync.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

static const struct timespec kill_past = {0};

static bool kill_healed(int e)
{
    LAB_EXPECT(e == 0 || e == ACRE_OWNER_DEAD, "%d", e);
    return e != 0;
}

static bool kill_one_in(lab_worker *w, unsigned n)
{
    return acre_test_below(&w->seed, n) == 0;
}

/* ================================ mutex, recursive, spin ================================ */

/* Not always by waiting; but who only tries takes its time from the owner. */
#define KILL_LOCK(kind)                                                                            \
    typedef struct kill_##kind {                                                                   \
        acre_##kind lock;                                                                          \
        lab_stamp stamp;                                                                           \
    } kill_##kind;                                                                                 \
    static void kind##_prepare(void *shared)                                                       \
    {                                                                                              \
        acre_##kind##_init(&((kill_##kind *)shared)->lock);                                        \
    }                                                                                              \
    static int kind##_take(acre_##kind *m, lab_worker *w)                                          \
    {                                                                                              \
        int e = kill_one_in(w, 8)   ? acre_##kind##_trylock(m)                                     \
                : kill_one_in(w, 8) ? acre_##kind##_lock_until(m, &kill_past)                      \
                                    : EBUSY;                                                       \
        return e == EBUSY || e == ETIMEDOUT ? acre_##kind##_lock(m) : e;                           \
    }                                                                                              \
    static void kind##_turn(void *shared, lab_worker *w)                                           \
    {                                                                                              \
        kill_##kind *x = shared;                                                                   \
        bool healed = kill_healed(kind##_take(&x->lock, w));                                       \
        lab_stamp_write(&x->stamp, w, healed);                                                     \
        if (healed)                                                                                \
            LAB_EQUAL(acre_##kind##_consistent(&x->lock), 0);                                      \
        LAB_EQUAL(acre_##kind##_unlock(&x->lock), 0);                                              \
    }                                                                                              \
    /* All stand: it is free, or the dead one had it. */                                           \
    static void kind##_audit(void *shared, const lab_worker *dead)                                 \
    {                                                                                              \
        kill_##kind *x = shared;                                                                   \
        bool healed = kill_healed(acre_##kind##_trylock(&x->lock));                                \
        lab_stamp_write(&x->stamp, dead, healed);                                                  \
        if (healed)                                                                                \
            LAB_EQUAL(acre_##kind##_consistent(&x->lock), 0);                                      \
        LAB_EQUAL(acre_##kind##_unlock(&x->lock), 0);                                              \
    }                                                                                              \
    ACRE_TEST(kill_sync, kind)                                                                     \
    {                                                                                              \
        static const lab_contest c = {.primitive = #kind,                                          \
                                      .prepare = kind##_prepare,                                   \
                                      .turn = kind##_turn,                                         \
                                      .audit = kind##_audit,                                       \
                                      .every = 8};                                                 \
        lab_contest_test(&c);                                                                      \
    }

KILL_LOCK(mutex)
KILL_LOCK(recursive)
KILL_LOCK(spin)

/* ================================ sharable, upgradable ================================ */

typedef struct kill_rw {
    acre_upgradable lock; /* or an acre_sharable, which is laid out alike */
    lab_stamp stamp;
} kill_rw;

/* Nobody who only reads is told of a death but as a writer. */
static void rw_write(kill_rw *x, lab_worker *w, int e, int (*heal)(void *))
{
    bool healed = kill_healed(e);
    lab_stamp_write(&x->stamp, w, healed);
    if (healed)
        LAB_EQUAL(heal(&x->lock), 0);
}

/* Told while asking for less than the exclusive lock: it is exclusive until healed. */
static void rw_read(kill_rw *x, lab_worker *w, int e, int (*heal)(void *))
{
    if (e)
        rw_write(x, w, e, heal);
    lab_stamp_read(&x->stamp);
}

static int sharable_heal(void *m)
{
    return acre_sharable_consistent(m);
}

static int upgradable_heal(void *m)
{
    return acre_upgradable_consistent(m);
}

static void sharable_prepare(void *shared)
{
    acre_sharable_init((acre_sharable *)&((kill_rw *)shared)->lock);
}

static void upgradable_prepare(void *shared)
{
    acre_upgradable_init(&((kill_rw *)shared)->lock);
}

#define KILL_READ_WRITE(kind)                                                                      \
    static void kind##_writes(kill_rw *x, lab_worker *w)                                           \
    {                                                                                              \
        acre_##kind *m = (acre_##kind *)&x->lock;                                                  \
        int e = kill_one_in(w, 4) ? acre_##kind##_trylock(m) : acre_##kind##_lock(m);              \
        if (e == EBUSY)                                                                            \
            return;                                                                                \
        rw_write(x, w, e, kind##_heal);                                                            \
        LAB_EQUAL(acre_##kind##_unlock(m), 0);                                                     \
    }                                                                                              \
    static void kind##_reads(kill_rw *x, lab_worker *w)                                            \
    {                                                                                              \
        acre_##kind *m = (acre_##kind *)&x->lock;                                                  \
        int e = kill_one_in(w, 4) ? acre_##kind##_trylock_sharable(m)                              \
                                  : acre_##kind##_lock_sharable(m);                                \
        if (e == EBUSY)                                                                            \
            return;                                                                                \
        rw_read(x, w, e, kind##_heal);                                                             \
        LAB_EQUAL(acre_##kind##_unlock_sharable(m), 0);                                            \
    }
KILL_READ_WRITE(sharable)
KILL_READ_WRITE(upgradable)

static void upgradable_promotes(kill_rw *x, lab_worker *w)
{
    rw_read(x, w, acre_upgradable_lock_upgradable(&x->lock), upgradable_heal);
    if (kill_one_in(w, 3)) {
        LAB_EQUAL(acre_upgradable_unlock_upgradable(&x->lock), 0);
        return;
    }
    LAB_EQUAL(acre_upgradable_unlock_upgradable_and_lock(&x->lock), 0);
    lab_stamp_write(&x->stamp, w, false);
    if (kill_one_in(w, 2)) {
        LAB_EQUAL(acre_upgradable_unlock_and_lock_sharable(&x->lock), 0);
        lab_stamp_read(&x->stamp);
        LAB_EQUAL(acre_upgradable_unlock_sharable(&x->lock), 0);
    } else {
        LAB_EQUAL(acre_upgradable_unlock_and_lock_upgradable(&x->lock), 0);
        lab_stamp_read(&x->stamp);
        LAB_EQUAL(acre_upgradable_unlock_upgradable(&x->lock), 0);
    }
}

static void upgradable_tries(kill_rw *x, lab_worker *w)
{
    rw_read(x, w, acre_upgradable_lock_sharable(&x->lock), upgradable_heal);
    int e = acre_upgradable_try_unlock_sharable_and_lock(&x->lock);
    if (e == EBUSY) {
        LAB_EQUAL(acre_upgradable_unlock_sharable(&x->lock), 0);
        return;
    }
    rw_write(x, w, e, upgradable_heal);
    LAB_EQUAL(acre_upgradable_unlock(&x->lock), 0);
}

static void sharable_turn(void *shared, lab_worker *w)
{
    (kill_one_in(w, 3) ? sharable_writes : sharable_reads)(shared, w);
}

static void upgradable_turn(void *shared, lab_worker *w)
{
    static void (*const way[])(kill_rw *, lab_worker *) = {upgradable_writes, upgradable_reads,
                                                           upgradable_promotes, upgradable_tries};
    way[acre_test_below(&w->seed, 4)](shared, w);
}

/* All stand: every mode at once. */
static void sharable_audit(void *shared, const lab_worker *dead)
{
    kill_rw *x = shared;
    acre_sharable *m = (acre_sharable *)&x->lock;
    lab_worker w = *dead;
    rw_write(x, &w, acre_sharable_trylock(m), sharable_heal);
    LAB_EQUAL(acre_sharable_unlock(m), 0);
    LAB_EQUAL(acre_sharable_trylock_sharable(m), 0);
    LAB_EQUAL(acre_sharable_unlock_sharable(m), 0);
}

static void upgradable_audit(void *shared, const lab_worker *dead)
{
    kill_rw *x = shared;
    lab_worker w = *dead;
    rw_read(x, &w, acre_upgradable_trylock_upgradable(&x->lock), upgradable_heal);
    LAB_EQUAL(acre_upgradable_unlock_upgradable(&x->lock), 0);
    LAB_EQUAL(acre_upgradable_trylock(&x->lock), 0);
    LAB_EQUAL(acre_upgradable_unlock(&x->lock), 0);
    LAB_EQUAL(acre_upgradable_trylock_sharable(&x->lock), 0);
    LAB_EQUAL(acre_upgradable_unlock_sharable(&x->lock), 0);
}

#define KILL_TEST(name, ...)                                                                       \
    ACRE_TEST(kill_sync, name)                                                                     \
    {                                                                                              \
        static const lab_contest c = {.primitive = #name,                                          \
                                      .prepare = name##_prepare,                                   \
                                      .turn = name##_turn,                                         \
                                      .audit = name##_audit,                                       \
                                      __VA_ARGS__};                                                \
        lab_contest_test(&c);                                                                      \
    }
KILL_TEST(sharable, .every = 8)
KILL_TEST(upgradable, .every = 8)

/* ================================ condition ================================ */

typedef struct kill_condition {
    acre_mutex mutex;
    acre_condition condition;
    volatile uint32_t items;
    lab_stamp stamp;
} kill_condition;

static void condition_prepare(void *shared)
{
    kill_condition *x = shared;
    acre_mutex_init(&x->mutex);
    acre_condition_init(&x->condition);
}

static void condition_in(kill_condition *x, lab_worker *w, int e)
{
    bool healed = kill_healed(e);
    lab_stamp_write(&x->stamp, w, healed);
    if (healed)
        LAB_EQUAL(acre_mutex_consistent(&x->mutex), 0);
}

/* Who waits is woken at the end by lab_pausing(), which it looks at each nap. */
static void condition_consume(kill_condition *x, lab_worker *w)
{
    while (!x->items && !lab_pausing()) {
        struct timespec soon = acre_deadline(5000000);
        int e = acre_condition_wait_until(&x->condition, &x->mutex, ACRE_EXCLUSIVE, &soon);
        condition_in(x, w, e == ETIMEDOUT ? 0 : e);
    }
    if (x->items)
        x->items--;
}

static void condition_turn(void *shared, lab_worker *w)
{
    kill_condition *x = shared;
    condition_in(x, w, acre_mutex_lock(&x->mutex));
    bool produce = kill_one_in(w, 2);
    if (produce)
        x->items++;
    else
        condition_consume(x, w);
    LAB_EQUAL(acre_mutex_unlock(&x->mutex), 0);
    if (produce)
        LAB_EQUAL(kill_one_in(w, 4) ? acre_condition_notify_all(&x->condition)
                                    : acre_condition_notify_one(&x->condition),
                  0);
}

static void condition_audit(void *shared, const lab_worker *dead)
{
    kill_condition *x = shared;
    lab_worker w = *dead;
    condition_in(x, &w, acre_mutex_trylock(&x->mutex));
    LAB_EQUAL(acre_condition_wait_until(&x->condition, &x->mutex, ACRE_EXCLUSIVE, &kill_past),
              ETIMEDOUT);
    LAB_EQUAL(acre_mutex_unlock(&x->mutex), 0);
}

KILL_TEST(condition, .every = 8)

/* ================================ semaphore ================================ */

enum { PERMITS = 2 };
enum { AT_REST, AT_TAKING, AT_HOLDING, AT_GIVING };

typedef struct kill_semaphore {
    acre_semaphore semaphore;
    uint32_t inside;
} kill_semaphore;

static void semaphore_prepare(void *shared)
{
    LAB_EQUAL(acre_semaphore_init(&((kill_semaphore *)shared)->semaphore, PERMITS), 0);
}

static void semaphore_turn(void *shared, lab_worker *w)
{
    kill_semaphore *x = shared;
    w->at = AT_TAKING;
    LAB_EQUAL(acre_semaphore_wait(&x->semaphore), 0);
    w->at = AT_HOLDING;
    uint32_t n = __atomic_add_fetch(&x->inside, 1, __ATOMIC_SEQ_CST);
    LAB_EXPECT(n <= PERMITS, "%u inside", n);
    __atomic_sub_fetch(&x->inside, 1, __ATOMIC_SEQ_CST);
    w->at = AT_GIVING;
    LAB_EQUAL(acre_semaphore_post(&x->semaphore, 1), 0);
    w->at = AT_REST;
}

/* The count is whole but for what the dead one had in its hand. */
static void semaphore_audit(void *shared, const lab_worker *dead)
{
    kill_semaphore *x = shared;
    uint32_t n = acre_semaphore_count(&x->semaphore);
    uint32_t least = dead->at == AT_REST ? PERMITS : PERMITS - 1;
    uint32_t most = dead->at == AT_HOLDING ? PERMITS - 1 : PERMITS;
    LAB_EXPECT(n >= least && n <= most, "%u left by one who was at %u", n, dead->at);
    x->inside = 0;
    if (n < PERMITS)
        LAB_EQUAL(acre_semaphore_post(&x->semaphore, PERMITS - n), 0);
}

KILL_TEST(semaphore)

/* ================================ permits ================================ */

typedef struct kill_permits {
    lab_stamp stamp[PERMITS];
    acre_permits permits; /* the last member, of variable length */
} kill_permits;

static void permits_prepare(void *shared)
{
    LAB_EQUAL(acre_permits_init(&((kill_permits *)shared)->permits, PERMITS), 0);
}

static void permits_turn(void *shared, lab_worker *w)
{
    kill_permits *x = shared;
    uint32_t mine = PERMITS;
    LAB_EQUAL(acre_permits_acquire(&x->permits, &mine), 0);
    LAB_EXPECT(mine < PERMITS);
    lab_stamp_write(&x->stamp[mine], w, true);
    LAB_EQUAL(acre_permits_release(&x->permits, mine), 0);
}

static void permits_audit(void *shared, const lab_worker *dead)
{
    (void)dead;
    LAB_EQUAL(acre_permits_free(&((kill_permits *)shared)->permits), PERMITS);
}

KILL_TEST(permits)

/* ================================ barrier ================================ */

/* It is complete once all have joined. */
static void barrier_prepare(void *shared)
{
    uint32_t member[LAB_WORKERS];
    LAB_EQUAL(acre_barrier_init(shared, LAB_WORKERS), 0);
    for (int i = 0; i < LAB_WORKERS; i++)
        LAB_EQUAL(acre_barrier_join(shared, &member[i]), 0);
    for (int i = 0; i < LAB_WORKERS; i++)
        LAB_EQUAL(acre_barrier_leave(shared, member[i]), 0);
}

/* Rounds without deadline: that each comes out of each is what the laboratory looks at. */
static void barrier_turn(void *shared, lab_worker *w)
{
    uint32_t mine;
    LAB_EQUAL(acre_barrier_join(shared, &mine), 0);
    do {
        int e = acre_barrier_wait(shared, mine);
        LAB_EXPECT(e == 0 || e == ACRE_EPEER, "%d", e);
    } while (!lab_pausing() && !kill_one_in(w, 50));
    LAB_EQUAL(acre_barrier_leave(shared, mine), 0);
}

static void barrier_audit(void *shared, const lab_worker *dead)
{
    (void)dead;
    uint32_t mine;
    LAB_EQUAL(acre_barrier_join(shared, &mine), 0);
    int e = acre_barrier_wait(shared, mine);
    LAB_EXPECT(e == 0 || e == ACRE_EPEER, "%d", e);
    LAB_EQUAL(acre_barrier_leave(shared, mine), 0);
}

KILL_TEST(barrier)

/* ================================ once ================================ */

enum { ONCES = 4096 };

typedef struct kill_once {
    uint32_t next;
    struct kill_initialised {
        acre_once once;
        lab_stamp stamp;
    } object[ONCES];
} kill_once;

static __thread lab_worker *once_worker;

static int once_initialise(void *arg)
{
    struct kill_initialised *o = arg;
    o->stamp.a = 0;
    lab_stamp_write(&o->stamp, once_worker, true);
    return 0;
}

static void once_prepare(void *shared)
{
    (void)shared;
}

static void once_turn(void *shared, lab_worker *w)
{
    kill_once *x = shared;
    once_worker = w;
    uint32_t i = __atomic_load_n(&x->next, __ATOMIC_RELAXED);
    struct kill_initialised *o = &x->object[i % ONCES];
    LAB_EQUAL(acre_once_run(&o->once, once_initialise, o), 0);
    LAB_EXPECT(!o->stamp.owner && o->stamp.a == o->stamp.b && o->stamp.a, "not whole");
    __atomic_compare_exchange_n(&x->next, &i, i + 1, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);
}

static void once_audit(void *shared, const lab_worker *dead)
{
    kill_once *x = shared;
    lab_worker w = *dead;
    once_turn(x, &w);
    *x = (kill_once){0};
}

KILL_TEST(once)

/* ================================ by name, and file locks ================================ */

typedef struct kill_names {
    char name[64];
    lab_stamp stamp;
} kill_names;

static void named_prepare(void *shared)
{
    snprintf(((kill_names *)shared)->name, 64, "lab.%d", getpid());
    acre_named_remove(((kill_names *)shared)->name);
}

/* Whoever opens it finds a whole object; its owner may have died. */
static void named_use(acre_named *n)
{
    acre_mutex *m = acre_named_object(n);
    if (kill_healed(acre_mutex_lock(m)))
        LAB_EQUAL(acre_mutex_consistent(m), 0);
    LAB_EQUAL(acre_mutex_unlock(m), 0);
    LAB_EQUAL(acre_named_close(n), 0);
}

static void named_turn(void *shared, lab_worker *w)
{
    kill_names *x = shared;
    acre_named *n = NULL;
    int e = 0;
    if (kill_one_in(w, 4))
        e = acre_named_remove(x->name);
    else if (kill_one_in(w, 3))
        e = acre_named_open(&n, ACRE_KIND_MUTEX, x->name, NULL);
    else if (kill_one_in(w, 3))
        e = acre_named_create(&n, ACRE_KIND_MUTEX, x->name, NULL);
    else
        LAB_EQUAL(acre_named_open_or_create(&n, ACRE_KIND_MUTEX, x->name, NULL, NULL), 0);
    LAB_EXPECT(e == 0 || e == ENOENT || e == EEXIST, "%d", e);
    if (n)
        named_use(n);
}

static void named_audit(void *shared, const lab_worker *dead)
{
    kill_names *x = shared;
    acre_named *n;
    (void)dead;
    LAB_EQUAL(acre_named_open_or_create(&n, ACRE_KIND_MUTEX, x->name, NULL, NULL), 0);
    named_use(n);
    LAB_EQUAL(acre_named_remove(x->name), 0);
}

KILL_TEST(named, .every = 4)

static acre_file_lock *file_lock_mine;

static void file_lock_prepare(void *shared)
{
    kill_names *x = shared;
    snprintf(x->name, sizeof x->name, "/tmp/acre.lab.%d", getpid());
    int fd = open(x->name, O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    LAB_EXPECT(fd >= 0 && close(fd) == 0);
}

static void file_lock_begin(void *shared, lab_worker *w)
{
    (void)w;
    LAB_EQUAL(acre_file_lock_open(&file_lock_mine, ((kill_names *)shared)->name, 0, 0), 0);
}

/* The kernel says nothing of a dead owner, so the stamp tells of the living only. */
static void file_lock_turn(void *shared, lab_worker *w)
{
    kill_names *x = shared;
    if (kill_one_in(w, 2)) {
        LAB_EQUAL(acre_file_lock_lock(file_lock_mine), 0);
        lab_stamp_write(&x->stamp, w, true);
        LAB_EQUAL(acre_file_lock_unlock(file_lock_mine), 0);
        return;
    }
    LAB_EQUAL(acre_file_lock_lock_sharable(file_lock_mine), 0);
    uint64_t a = x->stamp.a;
    for (int i = 0; i < 20; i++)
        __asm__ volatile("" ::: "memory");
    LAB_EXPECT(x->stamp.a == a, "a writer came in");
    LAB_EQUAL(acre_file_lock_unlock_sharable(file_lock_mine), 0);
}

static void file_lock_audit(void *shared, const lab_worker *dead)
{
    acre_file_lock *l;
    (void)dead;
    LAB_EQUAL(acre_file_lock_open(&l, ((kill_names *)shared)->name, 0, 0), 0);
    LAB_EQUAL(acre_file_lock_trylock(l), 0);
    LAB_EQUAL(acre_file_lock_close(l), 0);
}

ACRE_TEST(kill_sync, file_lock)
{
    static const lab_contest c = {.primitive = "file_lock",
                                  .prepare = file_lock_prepare,
                                  .begin = file_lock_begin,
                                  .turn = file_lock_turn,
                                  .audit = file_lock_audit,
                                  .every = 8};
    char name[64];
    snprintf(name, sizeof name, "/tmp/acre.lab.%d", getpid());
    lab_contest_test(&c);
    unlink(name);
}
