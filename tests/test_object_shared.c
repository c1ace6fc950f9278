/* SPDX-License-Identifier: MIT */
/* Objects by name among threads and processes: at once, stopped, killed at random; and damaged. */
#include "tests/support_object.h"

#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <acre/sync.h>

typedef struct pair {
    volatile uint64_t a, b;
} pair;

static int pair_init(acre_segment *s, void *element, size_t i, void *arg)
{
    pair *p = element;
    (void)s, (void)i;
    p->a = (uintptr_t)arg;
    p->b = ~(uint64_t)(uintptr_t)arg;
    return 0;
}

static const acre_type pair_type = ACRE_TYPE_INIT(pair, pair_init, NULL);

/* ================================ two on one name ================================ */

static void contend(void *arg)
{
    acre_segment *s = arg;
    for (size_t i = 0, n = acre_test_rounds(10000); i < n; i++) {
        int e = acre_construct(s, &pair_type, "the name", 1, (void *)i, NULL);
        ACRE_CHECK(e == 0 || e == EEXIST, "%s", acre_strerror(e));
        e = acre_find(s, &pair_type, "the name", NULL, NULL);
        ACRE_CHECK(e == 0 || e == ENOENT, "%s", acre_strerror(e));
        e = acre_destroy(s, &pair_type, "the name");
        ACRE_CHECK(e == 0 || e == ENOENT, "%s", acre_strerror(e));
    }
}

static void two_processes_on_one_name_A31(acre_segment *s)
{
    pid_t one = acre_test_spawn(contend, s), two = acre_test_spawn(contend, s);
    acre_test_expect_exit(one, 0);
    acre_test_expect_exit(two, 0);
    object_expect_empty(s);
}

/* Exactly one makes it; all see it made. */
static void *come_first(void *arg)
{
    acre_segment *s = arg;
    size_t made = 0;
    for (int i = 0; i < 200; i++) {
        char name[32];
        bool mine;
        pair *p;
        snprintf(name, sizeof name, "first %d", i);
        ACRE_CHECK_EQUAL(acre_find_or_construct(s, &pair_type, name, 1, (void *)7, (void **)&p, &mine), 0);
        ACRE_CHECK(p->a == 7 && p->b == ~(uint64_t)7);
        made += mine;
    }
    return (void *)made;
}

static void one_of_many_makes_it(acre_segment *s)
{
    pthread_t t[4];
    size_t made = 0;
    for (int i = 0; i < 4; i++)
        ACRE_CHECK(!pthread_create(&t[i], NULL, come_first, s));
    for (int i = 0; i < 4; i++) {
        void *n;
        pthread_join(t[i], &n);
        made += (size_t)n;
    }
    ACRE_CHECK_EQUAL(made, 200);
    ACRE_CHECK_EQUAL(acre_named_count(s), 200);
}

/* ================================ finding beside changes ================================ */

typedef struct beside {
    acre_segment *s;
    volatile int over;
} beside;

enum { BESIDE_STAY = 50 };

static void *keep_changing(void *arg)
{
    beside *b = arg;
    uint64_t seed = (uintptr_t)&seed;
    char name[32];
    for (size_t i = 0, n = acre_test_rounds(20000); i < n; i++) {
        snprintf(name, sizeof name, "comes %d", (int)acre_test_below(&seed, 300));
        if (acre_destroy(b->s, &pair_type, name) == ENOENT) {
            int e = acre_construct(b->s, &pair_type, name, 1 + i % 3, (void *)5, NULL);
            ACRE_CHECK(e == 0 || e == EEXIST, "%s", acre_strerror(e));
        }
        if (i % 1000 == 0)
            ACRE_CHECK_EQUAL(acre_shrink_indexes(b->s), 0);
    }
    __atomic_store_n(&b->over, 1, __ATOMIC_RELEASE);
    return NULL;
}

/* What stays is found every time, with its contents; visits see each of it once. */
static void find_all(acre_segment *s)
{
    char name[32];
    acre_cursor c = {0};
    acre_object o;
    pair *p;
    size_t n = 0;
    for (int i = 0; i < BESIDE_STAY; i++) {
        snprintf(name, sizeof name, "stays %d", i);
        int e = acre_find(s, &pair_type, name, (void **)&p, NULL);
        ACRE_CHECK(e == 0, "%s: %s", name, acre_strerror(e));
        ACRE_CHECK(p->a == (uint64_t)i && p->b == ~(uint64_t)i);
        ACRE_CHECK_EQUAL(acre_find(s, &pair_type, "never", NULL, NULL), ENOENT);
    }
    for (int e; (e = acre_object_next(s, &c, &o)) != ENOENT;) {
        ACRE_CHECK(e == 0, "%s", acre_strerror(e));
        n += !strncmp(o.name, "stays ", 6);
    }
    ACRE_CHECK_EQUAL(n, BESIDE_STAY);
}

static void *keep_finding(void *arg)
{
    beside *b = arg;
    while (!__atomic_load_n(&b->over, __ATOMIC_ACQUIRE))
        find_all(b->s);
    return NULL;
}

static void finders_beside_changers(acre_segment *s)
{
    beside b = {.s = s};
    pthread_t t[4];
    char name[32];
    for (int i = 0; i < BESIDE_STAY; i++) {
        snprintf(name, sizeof name, "stays %d", i);
        ACRE_CHECK_EQUAL(acre_construct(s, &pair_type, name, 1, (void *)(uintptr_t)i, NULL), 0);
    }
    for (int i = 0; i < 4; i++)
        ACRE_CHECK(!pthread_create(&t[i], NULL, i % 2 ? keep_finding : keep_changing, &b));
    for (int i = 0; i < 4; i++)
        pthread_join(t[i], NULL);
    find_all(s);
    test_sound(acre_segment_heap(s));
}

/* ================================ a writer that is stopped ================================ */

static int stop_init(acre_segment *s, void *element, size_t i, void *arg)
{
    (void)s, (void)element, (void)i, (void)arg;
    raise(SIGSTOP);
    return 0;
}

static void stop_fini(acre_segment *s, void *element)
{
    (void)s, (void)element;
    raise(SIGSTOP);
}

static const acre_type stop_type = {.name = "pair", .size = sizeof(pair), .align = __alignof__(pair), .init = stop_init, .fini = NULL};
static const acre_type stop_late_type = {.name = "pair", .size = sizeof(pair), .align = __alignof__(pair), .init = NULL, .fini = stop_fini};

static void stop_in_construct(void *arg)
{
    ACRE_CHECK_EQUAL(acre_construct(arg, &stop_type, "half", 1, NULL, NULL), 0);
}

static void stop_in_destroy(void *arg)
{
    ACRE_CHECK_EQUAL(acre_destroy(arg, &stop_late_type, "whole"), 0);
}

static void expect_stopped(pid_t child)
{
    int status;
    ACRE_CHECK(waitpid(child, &status, WUNTRACED) == child && WIFSTOPPED(status), "status %x", status);
}

/* Constructors and destructors run while the lock is held: finders do not care, changers wait. */
static void nobody_waits_to_find(acre_segment *s)
{
    static const char *const gone[] = {"half", "whole"};
    for (int destroying = 0; destroying < 2; destroying++) {
        acre_object o;
        acre_cursor c = {0};
        size_t n = 0;
        ACRE_CHECK_EQUAL(acre_construct(s, &pair_type, "other", 1, NULL, NULL), 0);
        ACRE_CHECK_EQUAL(acre_construct(s, &pair_type, "whole", 1, NULL, NULL), 0);
        pid_t child = acre_test_spawn(destroying ? stop_in_destroy : stop_in_construct, s);
        expect_stopped(child);
        ACRE_CHECK_EQUAL(acre_find(s, &pair_type, "other", NULL, NULL), 0);
        ACRE_CHECK_EQUAL(acre_find(s, &pair_type, gone[destroying], NULL, NULL), ENOENT);
        ACRE_CHECK_EQUAL(acre_find(s, &pair_type, "nothing", NULL, NULL), ENOENT);
        while (acre_object_next(s, &c, &o) == 0)
            n++;
        ACRE_CHECK_EQUAL(n, destroying ? 1 : 2);
        ACRE_CHECK_EQUAL(acre_atomic_try(s), EBUSY);
        kill(child, SIGKILL);
        acre_test_expect_killed(child);
        ACRE_CHECK_EQUAL(acre_destroy(s, &pair_type, "other"), 0);
        ACRE_CHECK_EQUAL(acre_destroy(s, &pair_type, "whole"), destroying ? ENOENT : 0);
        object_expect_empty(s);
    }
}

/* ================================ atomic sections ================================ */

static void *try_elsewhere(void *arg)
{
    int e = acre_atomic_try(arg);
    if (e == 0)
        acre_atomic_end(arg);
    return (void *)(intptr_t)e;
}

static int elsewhere(acre_segment *s)
{
    pthread_t t;
    void *e;
    ACRE_CHECK(!pthread_create(&t, NULL, try_elsewhere, s));
    pthread_join(t, &e);
    return (int)(intptr_t)e;
}

static void atomic_sections_A25(acre_segment *s)
{
    ACRE_CHECK_EQUAL(acre_atomic_end(s), EPERM);
    ACRE_CHECK_EQUAL(acre_atomic_begin(s), 0);
    ACRE_CHECK_EQUAL(acre_atomic_try(s), 0);
    ACRE_CHECK_EQUAL(elsewhere(s), EBUSY);
    ACRE_CHECK_EQUAL(acre_construct(s, &pair_type, "one", 1, NULL, NULL), 0);
    ACRE_CHECK_EQUAL(acre_find(s, &pair_type, "one", NULL, NULL), 0);
    ACRE_CHECK_EQUAL(acre_destroy(s, &pair_type, "one"), 0);
    ACRE_CHECK_EQUAL(acre_atomic_end(s), 0);
    ACRE_CHECK_EQUAL(elsewhere(s), EBUSY);
    ACRE_CHECK_EQUAL(acre_atomic_end(s), 0);
    ACRE_CHECK_EQUAL(elsewhere(s), 0);
    ACRE_CHECK_EQUAL(acre_atomic_end(s), EPERM);
    object_expect_empty(s);
}

/* Not atomic, and with others let in between: only the section makes the sum right. */
static void count_in_sections(void *arg)
{
    acre_segment *s = arg;
    volatile acre_off *count = acre_segment_root(s);
    for (size_t i = 0, n = acre_test_rounds(5000); i < n; i++) {
        ACRE_CHECK_EQUAL(acre_atomic_begin(s), 0);
        acre_off seen = *count;
        if (i % 16 == 0)
            sched_yield();
        *count = seen + 1;
        ACRE_CHECK_EQUAL(acre_atomic_end(s), 0);
    }
}

static void atomic_sections_exclude_each_other_A25(acre_segment *s)
{
    pid_t child[4];
    for (int i = 0; i < 4; i++)
        child[i] = acre_test_spawn(count_in_sections, s);
    for (int i = 0; i < 4; i++)
        acre_test_expect_exit(child[i], 0);
    ACRE_CHECK_EQUAL(*acre_segment_root(s), 4 * acre_test_rounds(5000));
    *acre_segment_root(s) = 0;
    object_expect_empty(s);
}

/* ================================ random kills ================================ */

typedef struct kill_room {
    volatile uint64_t turns;
} kill_room;

static kill_room *kill_shared;

/* The contents say which name it is. */
static void kill_work(void *arg)
{
    acre_segment *s = arg;
    uint64_t seed = (uint64_t)getpid() << 20 ^ kill_shared->turns;
    char name[32];
    for (;; kill_shared->turns++) {
        uintptr_t i = acre_test_below(&seed, 40);
        pair *p;
        size_t n;
        snprintf(name, sizeof name, "killed %d", (int)i);
        int e = acre_test_below(&seed, 2) ? acre_construct(s, &pair_type, name, 1 + i, (void *)i, NULL)
                                          : acre_destroy(s, &pair_type, name);
        ACRE_CHECK(e == 0 || e == EEXIST || e == ENOENT, "%s", acre_strerror(e));
        e = acre_atomic_begin(s);
        ACRE_CHECK(e == 0, "%s", acre_strerror(e));
        e = acre_find(s, &pair_type, name, (void **)&p, &n);
        ACRE_CHECK(e == 0 || e == ENOENT);
        ACRE_CHECK(e || (n == 1 + i && p->a == i && p->b == ~(uint64_t)i));
        ACRE_CHECK_EQUAL(acre_atomic_end(s), 0);
        if (i == 0)
            ACRE_CHECK_EQUAL(acre_shrink_indexes(s), 0);
    }
}

static void kill_audit(acre_segment *s)
{
    acre_cursor c = {0};
    acre_object o;
    size_t n = 0;
    ACRE_CHECK_EQUAL(acre_objects_recover(s), 0);
    for (; acre_object_next(s, &c, &o) == 0; n++) {
        uint64_t i = (uint64_t)atoi(o.name + 7);
        pair *p = o.address;
        ACRE_CHECK(o.count == i + 1 && p[i].a == i && p[i].b == ~i);
        ACRE_CHECK_EQUAL(acre_destroy_ptr(s, &pair_type, o.address), 0);
    }
    ACRE_CHECK_EQUAL(n + acre_named_count(s), n);
    object_expect_empty(s);
}

static void killed_at_random(acre_segment *s)
{
    uint64_t seed = acre_test_seed();
    kill_shared = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    for (size_t round = 0, n = acre_test_rounds(40); round < n; round++) {
        pid_t child[4];
        for (int i = 0; i < 4; i++)
            child[i] = acre_test_spawn(kill_work, s);
        for (int i = 0; i < 4; i++) {
            usleep((useconds_t)acre_test_below(&seed, 4000));
            kill(child[i], SIGKILL);
            acre_test_expect_killed(child[i]);
        }
        kill_audit(s);
    }
    ACRE_CHECK(kill_shared->turns > 0);
}

#define CASES(X, ...)                                                                                                  \
    X(__VA_ARGS__, two_processes_on_one_name_A31)                                                                      \
    X(__VA_ARGS__, one_of_many_makes_it)                                                                               \
    X(__VA_ARGS__, finders_beside_changers)                                                                            \
    X(__VA_ARGS__, nobody_waits_to_find)                                                                               \
    X(__VA_ARGS__, atomic_sections_A25)                                                                                \
    X(__VA_ARGS__, atomic_sections_exclude_each_other_A25)                                                             \
    X(__VA_ARGS__, killed_at_random)
OBJECT_CASES(CASES, object_shared)

/* ================================ damage ================================ */

enum { DAMAGE_SIZE = 64 << 10, DAMAGE_OBJECTS = 12 };

typedef struct damage {
    char *pristine, *buffer;
    acre_off from[DAMAGE_OBJECTS + 1];
    size_t bytes[DAMAGE_OBJECTS + 1];
    uint32_t index;
} damage;

static acre_segment *damage_open(damage *d)
{
    acre_segment *s = NULL;
    acre_segment_options o = {.buffer = d->buffer, .size = DAMAGE_SIZE};
    return acre_segment_open(&s, ACRE_BUFFER, NULL, &o) == 0 ? s : NULL;
}

static void damage_make(damage *d)
{
    acre_segment *s;
    acre_segment_options o = {.buffer = d->buffer, .size = DAMAGE_SIZE, .index = d->index};
    ACRE_CHECK_EQUAL(acre_segment_create(&s, ACRE_BUFFER, NULL, &o), 0);
    d->from[0] = 256;
    d->bytes[0] = sizeof(segment_names);
    for (int i = 0; i < DAMAGE_OBJECTS; i++) {
        char name[32];
        void *p;
        snprintf(name, sizeof name, "object %d", i);
        ACRE_CHECK_EQUAL(acre_construct(s, &pair_type, name, 1, NULL, &p), 0);
        acre_off at = acre_segment_offset(s, p);
        d->from[i + 1] = at - ((names_tag *)p)[-1].distance;
        d->bytes[i + 1] = at - d->from[i + 1];
    }
    acre_segment_close(s);
    memcpy(d->pristine, d->buffer, DAMAGE_SIZE);
}

/* All that one can do; results do not matter. */
static void damage_use(acre_segment *s)
{
    acre_cursor c = {0};
    acre_object o;
    char name[32];
    for (int i = 0; i < 3 * DAMAGE_OBJECTS && acre_object_next(s, &c, &o) == 0; i++)
        (void)acre_object_info(s, o.address, &o);
    acre_object_end(&c);
    for (int i = 0; i <= DAMAGE_OBJECTS; i++) {
        snprintf(name, sizeof name, "object %d", i);
        (void)acre_find(s, &pair_type, name, NULL, NULL);
        (void)acre_find_or_construct(s, &pair_type, name, 1, NULL, NULL, NULL);
    }
    for (int i = 0; i < 2; i++) {
        (void)acre_construct(s, &pair_type, "another", 1, NULL, NULL);
        (void)acre_reserve_objects(s, 40);
        (void)acre_shrink_indexes(s);
    }
    for (int i = 0; i <= DAMAGE_OBJECTS; i++) {
        snprintf(name, sizeof name, "object %d", i);
        (void)acre_destroy(s, &pair_type, name);
    }
    (void)acre_shrink_indexes(s);
}

static void damage_one(damage *d, acre_off at, unsigned bit, bool dead)
{
    memcpy(d->buffer, d->pristine, DAMAGE_SIZE);
    d->buffer[at] = (char)(d->buffer[at] ^ 1 << bit);
    ((segment_names *)(void *)(d->buffer + 256))->busy |= dead;
    acre_segment *s = damage_open(d);
    if (s)
        damage_use(s);
    acre_segment_close(s);
}

static void damage_all(uint32_t index)
{
    damage d = {
        .index = index, .pristine = aligned_alloc(4096, DAMAGE_SIZE), .buffer = aligned_alloc(4096, DAMAGE_SIZE)};
    size_t flips = 0;
    acre_default_timeout(1000000); /* a lock that says that somebody has it */
    damage_make(&d);
    for (size_t part = 0; part <= DAMAGE_OBJECTS; part++)
        for (size_t i = 0; i < d.bytes[part] * 8; i++, flips++)
            damage_one(&d, d.from[part] + i / 8, i % 8, flips % 2);
    ACRE_CHECK(flips > 8000, "%zu", flips);
    free(d.pristine);
    free(d.buffer);
}

ACRE_TEST(object_damage, hash)
{
    damage_all(ACRE_INDEX_HASH);
}
ACRE_TEST(object_damage, ordered)
{
    damage_all(ACRE_INDEX_ORDERED);
}
ACRE_TEST(object_damage, flat)
{
    damage_all(ACRE_INDEX_FLAT);
}
