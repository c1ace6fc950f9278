/* SPDX-License-Identifier: MIT */
/* The same deaths with Boost.Interprocess's primitives, for comparison: what is counted goes to the
 * report, nothing is asked of it.  After a hang the object is made anew. */
#include "tests/support_lab.h"

#include "bench/library.h"
#include <errno.h>
#include <string.h>
#include <unistd.h>

enum { BOOST_PATIENCE_MS = 200, BOOST_STEP_MS = 60, BOOST_KILLS = 100, BOOST_STRIDE = 8 };

static const boost_sync *boost;

static void boost_open(void)
{
    boost = acre_library_boost_sync();
    if (!boost)
        acre_test_skip("libacre_boost_sync.so is not built");
}

/* ---- locks ---- */

typedef struct boost_room {
    lab_stamp stamp;
    uint32_t items, inside;
    _Alignas(64) char lock[1024];
    _Alignas(64) char other[1024]; /* a condition */
} boost_room;

static const boost_lock *boost_mode[3]; /* exclusive, shared, upgradable */
static unsigned boost_modes;

static void boost_choose(const char *const names[], unsigned n)
{
    boost_modes = 0;
    for (unsigned i = 0; i < n; i++)
        for (const boost_lock *l = boost->lock; l->name; l++)
            if (!strcmp(l->name, names[i]))
                boost_mode[boost_modes++] = l;
    ACRE_CHECK_EQUAL(boost_modes, n);
}

static void locks_prepare(void *shared)
{
    LAB_EQUAL(boost_mode[0]->init(((boost_room *)shared)->lock, NULL), 0);
}

/* Nobody is told of a death, so a dead one's stamp is void. */
static void locks_turn(void *shared, lab_worker *w)
{
    boost_room *x = shared;
    unsigned i = (unsigned)acre_test_below(&w->seed, boost_modes);
    LAB_EQUAL(boost_mode[i]->lock(x->lock), 0);
    if (i == 0)
        lab_stamp_write(&x->stamp, w, true);
    LAB_EQUAL(boost_mode[i]->unlock(x->lock), 0);
}

/* All stand, so every mode is to be had. */
static void locks_audit(void *shared, const lab_worker *dead)
{
    boost_room *x = shared;
    (void)dead;
    for (unsigned i = 0; i < boost_modes; i++) {
        LAB_EQUAL(boost_mode[i]->lock(x->lock), 0);
        LAB_EQUAL(boost_mode[i]->unlock(x->lock), 0);
    }
}

static void boost_contest(lab_contest c)
{
    c.implementation = "boost";
    c.patience_ms = BOOST_PATIENCE_MS;
    c.kills = BOOST_KILLS;
    lab_count n = lab_contend(&c);
    ACRE_CHECK(n.injected > 0);
    lab_report_kills(&c, &n);
    fprintf(stderr, "boost %s: %s\n", c.primitive, n.text);
}

/* ---- at every so many instructions ---- */

static unsigned step_mode;

static void step_take(void *shared)
{
    LAB_EQUAL(boost_mode[step_mode]->lock(((boost_room *)shared)->lock), 0);
}

static void step_give(void *shared)
{
    LAB_EQUAL(boost_mode[step_mode]->unlock(((boost_room *)shared)->lock), 0);
}

static int step_verify(void *shared)
{
    locks_audit(shared, NULL);
    return LAB_EITHER;
}

static void boost_step(const char *primitive, const char *operation, lab_scenario s)
{
    s.primitive = primitive;
    s.operation = operation;
    s.implementation = "boost";
    s.patience_ms = BOOST_STEP_MS;
    s.stride = BOOST_STRIDE;
    s.flags |= LAB_LOOSE | LAB_SINGLE;
    lab_count n = lab_step(&s);
    ACRE_CHECK(n.injected > 0);
    lab_report_steps(&s, &n);
    fprintf(stderr, "boost %s/%s: %s\n", primitive, operation, n.text);
}

static const char *const step_taking[] = {"lock", "lock_sharable", "lock_upgradable"};
static const char *const step_giving[] = {"unlock", "unlock_sharable", "unlock_upgradable"};

static void boost_locks(const char *primitive, const char *const names[], unsigned n)
{
    boost_open();
    boost_choose(names, n);
    boost_contest((lab_contest){.primitive = primitive,
                                .prepare = locks_prepare,
                                .turn = locks_turn,
                                .audit = locks_audit});
    for (step_mode = 0; step_mode < n; step_mode++) {
        boost_step(
            primitive, step_taking[step_mode],
            (lab_scenario){.prepare = locks_prepare, .victim = step_take, .verify = step_verify});
        boost_step(primitive, step_giving[step_mode],
                   (lab_scenario){.prepare = locks_prepare,
                                  .before = step_take,
                                  .victim = step_give,
                                  .verify = step_verify});
    }
}

#define BOOST_LOCKS(primitive, ...)                                                                \
    ACRE_TEST(boost_sync, primitive)                                                               \
    {                                                                                              \
        static const char *const names[] = {__VA_ARGS__};                                          \
        boost_locks(#primitive, names, sizeof names / sizeof *names);                              \
    }
BOOST_LOCKS(mutex, "mutex")
BOOST_LOCKS(recursive, "recursive")
BOOST_LOCKS(sharable, "sharable_exclusive", "sharable_shared")
BOOST_LOCKS(upgradable, "upgradable_exclusive", "upgradable_shared", "upgradable_upgradable")

/* ---- semaphore: who died with it took it along, so only the rest is asked for ---- */

enum { BOOST_COUNT = 8 };

static void semaphore_prepare(void *shared)
{
    LAB_EQUAL(boost->semaphore.init(((boost_room *)shared)->lock, BOOST_COUNT), 0);
}

static void semaphore_wait(void *shared)
{
    LAB_EQUAL(boost->semaphore.wait(((boost_room *)shared)->lock), 0);
}

static void semaphore_post(void *shared)
{
    LAB_EQUAL(boost->semaphore.post(((boost_room *)shared)->lock), 0);
}

static void semaphore_turn(void *shared, lab_worker *w)
{
    w->at = 1;
    semaphore_wait(shared);
    semaphore_post(shared);
    w->at = 0;
}

/* What was there but for one in the dead one's hand, which is put back. */
static void semaphore_audit(void *shared, const lab_worker *dead)
{
    boost_room *x = shared;
    uint32_t n = 0;
    while (boost->semaphore.trywait(x->lock) == 0)
        n++;
    LAB_EXPECT(n <= BOOST_COUNT && n + dead->at >= BOOST_COUNT, "%u left", n);
    for (n = 0; n < BOOST_COUNT; n++)
        semaphore_post(shared);
}

static int semaphore_found(void *shared)
{
    semaphore_wait(shared);
    semaphore_post(shared);
    return LAB_EITHER;
}

ACRE_TEST(boost_sync, semaphore)
{
    boost_open();
    boost_contest((lab_contest){.primitive = "semaphore",
                                .prepare = semaphore_prepare,
                                .turn = semaphore_turn,
                                .audit = semaphore_audit});
    boost_step("semaphore", "wait",
               (lab_scenario){.prepare = semaphore_prepare,
                              .victim = semaphore_wait,
                              .verify = semaphore_found});
    boost_step("semaphore", "post",
               (lab_scenario){.prepare = semaphore_prepare,
                              .victim = semaphore_post,
                              .verify = semaphore_found});
}

/* ---- condition ---- */

static void condition_prepare(void *shared)
{
    boost_room *x = shared;
    locks_prepare(x);
    LAB_EQUAL(boost->condition.init(x->other), 0);
}

static void condition_turn(void *shared, lab_worker *w)
{
    boost_room *x = shared;
    bool produce = acre_test_below(&w->seed, 2);
    LAB_EQUAL(boost_mode[0]->lock(x->lock), 0);
    while (!produce && !x->items && !lab_pausing())
        (void)boost->condition.wait_for(x->other, x->lock, 5);
    lab_stamp_write(&x->stamp, w, true);
    x->items = produce ? x->items + 1 : x->items ? x->items - 1 : 0;
    LAB_EQUAL(boost_mode[0]->unlock(x->lock), 0);
    if (produce)
        LAB_EQUAL(boost->condition.notify_one(x->other), 0);
}

static void condition_notify(void *shared)
{
    LAB_EQUAL(boost->condition.notify_all(((boost_room *)shared)->other), 0);
}

ACRE_TEST(boost_sync, condition)
{
    static const char *const names[] = {"mutex"};
    boost_open();
    boost_choose(names, 1);
    boost_contest((lab_contest){.primitive = "condition",
                                .prepare = condition_prepare,
                                .turn = condition_turn,
                                .audit = locks_audit});
    boost_step("condition", "notify_all",
               (lab_scenario){.prepare = condition_prepare,
                              .victim = condition_notify,
                              .verify = step_verify});
}

/* ---- the queue ---- */

enum { BOOST_CAPACITY = 8 };

typedef struct boost_post {
    _Alignas(64) char queue[1024];
} boost_post;

static void queue_prepare(void *shared)
{
    boost_post *x = shared;
    char name[64];
    snprintf(name, sizeof name, "acre-lab-boost-%d", getpid());
    boost->queue.remove(name);
    LAB_EQUAL(boost->queue.create(x->queue, name, BOOST_CAPACITY, sizeof(uint64_t)), 0);
    boost->queue.remove(name);
}

static void queue_send(void *shared)
{
    uint64_t m = 1;
    int e = boost->queue.trysend(((boost_post *)shared)->queue, &m, sizeof m, 1);
    LAB_EXPECT(e == 0 || e == EAGAIN, "%d", e);
}

static void queue_receive(void *shared)
{
    uint64_t m;
    size_t size;
    unsigned priority;
    int e = boost->queue.tryreceive(((boost_post *)shared)->queue, &m, sizeof m, &size, &priority);
    LAB_EXPECT(e == 0 || e == EAGAIN, "%d", e);
}

static void queue_turn(void *shared, lab_worker *w)
{
    (acre_test_below(&w->seed, 2) ? queue_send : queue_receive)(shared);
}

/* Whatever is in: it can be emptied and filled. */
static int queue_found(void *shared)
{
    boost_post *x = shared;
    for (int i = 0; i < BOOST_CAPACITY; i++)
        queue_receive(shared);
    LAB_EQUAL(boost->queue.count(x->queue), 0);
    for (int i = 0; i < BOOST_CAPACITY; i++)
        queue_send(shared);
    LAB_EQUAL(boost->queue.count(x->queue), BOOST_CAPACITY);
    return LAB_EITHER;
}

static void queue_audit(void *shared, const lab_worker *dead)
{
    (void)dead;
    queue_found(shared);
    for (int i = 0; i < BOOST_CAPACITY / 2; i++)
        queue_receive(shared);
}

ACRE_TEST(boost_sync, queue)
{
    boost_open();
    boost_contest((lab_contest){
        .primitive = "queue", .prepare = queue_prepare, .turn = queue_turn, .audit = queue_audit});
    boost_step(
        "queue", "send",
        (lab_scenario){.prepare = queue_prepare, .victim = queue_send, .verify = queue_found});
    boost_step("queue", "receive",
               (lab_scenario){.prepare = queue_prepare,
                              .before = queue_send,
                              .victim = queue_receive,
                              .verify = queue_found});
}
