/* SPDX-License-Identifier: MIT */
/* What goes for all rings: damaged ones are harmless; by name; any of several.  Also runs under the
 * plain runner. */
#include "tests/ring_arena.h"

#include <sys/stat.h>

enum { FLIPPED_CAPACITY = 16, FLIPPED_BYTES = 64 };

/* Whatever the calls say: they end, and stay inside.  (The address sanitizer looks.) */
static void use_spsc(char *ring, size_t size)
{
    acre_spsc_producer p;
    acre_spsc_consumer c;
    uint64_t m = 1, many[200] = {0};
    size_t n;
    int e = acre_spsc_producer_attach(&p, (acre_spsc *)(void *)ring, size, 8);
    for (int i = 0; !e && i < 2 * FLIPPED_CAPACITY; i++)
        acre_spsc_try_push(&p, &m);
    if (!e) {
        acre_spsc_try_push_many(&p, many, 200, &n);
        acre_spsc_producer_detach(&p);
    }
    e = acre_spsc_consumer_attach(&c, (acre_spsc *)(void *)ring, size, 8);
    if (!e) {
        acre_spsc_try_pop(&c, &m);
        acre_spsc_try_pop_many(&c, many, 200, &n);
        acre_spsc_consumer_detach(&c);
    }
    acre_spsc_check((acre_spsc *)(void *)ring, size);
}

static void use_bytes(char *ring, size_t size)
{
    acre_bytes_producer p;
    acre_bytes_consumer c;
    char buffer[FLIPPED_BYTES] = {0};
    size_t n;
    int e = acre_bytes_consumer_attach(&c, (acre_bytes *)(void *)ring, size);
    for (int i = 0; !e && i < 20; i++)
        if (acre_bytes_try_pop(&c, buffer, sizeof buffer, &n))
            break;
    if (!e)
        acre_bytes_consumer_detach(&c);
    e = acre_bytes_producer_attach(&p, (acre_bytes *)(void *)ring, size);
    for (int i = 0; !e && i < 20; i++)
        acre_bytes_try_push(&p, buffer, (size_t)i);
    if (!e)
        acre_bytes_producer_detach(&p);
    acre_bytes_check((acre_bytes *)(void *)ring, size);
}

static void use_broadcast(char *ring, size_t size)
{
    acre_broadcast_producer p;
    acre_broadcast_consumer c;
    uint64_t m = 1;
    int e = acre_broadcast_consumer_attach(&c, (acre_broadcast *)(void *)ring, size, 8);
    int f = acre_broadcast_producer_attach(&p, (acre_broadcast *)(void *)ring, size, 8);
    for (int i = 0; i < 2 * FLIPPED_CAPACITY; i++) {
        if (!f)
            acre_broadcast_try_push(&p, &m);
        if (!e)
            acre_broadcast_try_pop(&c, &m);
    }
    if (!e)
        acre_broadcast_consumer_detach(&c);
    if (!f)
        acre_broadcast_producer_detach(&p);
    acre_broadcast_check((acre_broadcast *)(void *)ring, size);
}

static void use_mpmc(char *ring, size_t size)
{
    acre_mpmc_handle h;
    uint64_t m = 1;
    if (acre_mpmc_attach(&h, (acre_mpmc *)(void *)ring, size, 8))
        return;
    for (int i = 0; i < FLIPPED_CAPACITY + 9; i++)
        acre_mpmc_try_push(&h, &m);
    for (int i = 0; i < FLIPPED_CAPACITY + 9; i++)
        acre_mpmc_try_pop(&h, &m);
    acre_mpmc_check((acre_mpmc *)(void *)ring, size);
}

/* Each bit of the first `bytes`, in a copy of exactly the ring's size. */
static void flip_all(const void *ring, size_t size, size_t bytes, void (*use)(char *, size_t))
{
    char *copy = aligned_alloc(64, size);
    ACRE_CHECK(copy != NULL && size % 64 == 0);
    for (size_t bit = 0; bit < bytes * 8; bit++) {
        memcpy(copy, ring, size);
        copy[bit / 8] = (char)(copy[bit / 8] ^ 1 << bit % 8);
        use(copy, size);
    }
    free(copy);
}

ACRE_TEST(ring, a_damaged_spsc_is_harmless)
{
    arena *a = spsc_make(FLIPPED_CAPACITY, 8, 0);
    acre_spsc_producer p;
    uint64_t m = 0;
    ACRE_CHECK_EQUAL(acre_spsc_producer_attach(&p, a->ring, a->size, 8), 0);
    for (int i = 0; i < 10; i++)
        ACRE_CHECK_EQUAL(acre_spsc_push(&p, &m), 0);
    ACRE_CHECK_EQUAL(acre_spsc_producer_detach(&p), 0);
    flip_all(a->ring, a->size, sizeof(acre_spsc), use_spsc);
}

ACRE_TEST(ring, a_damaged_bytes_is_harmless)
{
    arena *a = bytes_make(FLIPPED_BYTES, 0);
    acre_bytes_producer p;
    ACRE_CHECK_EQUAL(acre_bytes_producer_attach(&p, a->ring, a->size), 0);
    ACRE_CHECK_EQUAL(acre_bytes_push(&p, "abc", 3), 0);
    ACRE_CHECK_EQUAL(acre_bytes_push(&p, "defghijklmnop", 13), 0);
    ACRE_CHECK_EQUAL(acre_bytes_producer_detach(&p), 0);
    flip_all(a->ring, a->size, a->size, use_bytes);
}

ACRE_TEST(ring, a_damaged_broadcast_is_harmless)
{
    arena *a = broadcast_make(FLIPPED_CAPACITY, 2, 0);
    flip_all(a->ring, a->size, sizeof(acre_broadcast) + 2 * 64, use_broadcast);
}

ACRE_TEST(ring, a_damaged_mpmc_is_harmless)
{
    size_t size = acre_mpmc_size(FLIPPED_CAPACITY, 8);
    arena *a = arena_make(size, 0);
    acre_mpmc_handle h;
    uint64_t m = 5;
    ACRE_CHECK_EQUAL(acre_mpmc_init(a->ring, size, FLIPPED_CAPACITY, 8), 0);
    ACRE_CHECK_EQUAL(acre_mpmc_attach(&h, a->ring, size, 8), 0);
    for (int i = 0; i < FLIPPED_CAPACITY; i++)
        ACRE_CHECK_EQUAL(acre_mpmc_push(&h, &m), 0);
    for (int i = 0; i < FLIPPED_CAPACITY / 2; i++)
        ACRE_CHECK_EQUAL(acre_mpmc_pop(&h, &m), 0);
    flip_all(a->ring, size, size, use_mpmc);
}

/* ---- by name ---- */

static const acre_ring_options named_options = {
    .capacity = 8, .message = 8, .consumers = 2, .mode = 0640};

static void named_push(void *arg)
{
    acre_ring_file *f;
    acre_spsc_producer p;
    uint64_t m = 42;
    ACRE_CHECK_EQUAL(acre_ring_open(&f, ACRE_RING_SPSC, arg, NULL), 0);
    ACRE_CHECK_EQUAL(acre_spsc_producer_attach(&p, acre_ring_object(f), acre_ring_size(f), 8), 0);
    ACRE_CHECK_EQUAL(acre_spsc_push(&p, &m), 0);
    ACRE_CHECK_EQUAL(acre_ring_close(f), EBUSY);
    ACRE_CHECK_EQUAL(acre_spsc_producer_detach(&p), 0);
    ACRE_CHECK_EQUAL(acre_ring_close(f), 0);
}

ACRE_TEST(ring, by_name)
{
    char name[64];
    acre_ring_file *f, *g = NULL;
    acre_spsc_consumer c;
    uint64_t m;
    bool created = false;
    snprintf(name, sizeof name, "test-ring-%d", (int)getpid());
    ACRE_CHECK_EQUAL(acre_ring_create(&f, ACRE_RING_SPSC, name, &named_options), 0);
    ACRE_CHECK_EQUAL(acre_ring_create(&g, ACRE_RING_SPSC, name, &named_options), EEXIST);
    ACRE_CHECK_EQUAL(acre_ring_open(&g, ACRE_RING_MPMC, name, NULL), ACRE_EOBJECT);
    acre_test_run(named_push, name);
    ACRE_CHECK_EQUAL(acre_spsc_consumer_attach(&c, acre_ring_object(f), acre_ring_size(f), 8), 0);
    ACRE_CHECK_EQUAL(acre_spsc_pop(&c, &m), 0);
    ACRE_CHECK_EQUAL(m, 42);
    ACRE_CHECK_EQUAL(acre_spsc_consumer_detach(&c), 0);
    ACRE_CHECK_EQUAL(acre_ring_close(f), 0);
    ACRE_CHECK_EQUAL(acre_ring_open_or_create(&f, ACRE_RING_SPSC, name, &named_options, &created),
                     0);
    ACRE_CHECK(!created);
    ACRE_CHECK_EQUAL(acre_ring_close(f), 0);
    ACRE_CHECK_EQUAL(acre_ring_remove(name), 0);
    ACRE_CHECK_EQUAL(acre_ring_open(&f, ACRE_RING_SPSC, name, NULL), ENOENT);
}

ACRE_TEST(ring, each_kind_by_name)
{
    char name[64];
    for (enum acre_ring_kind k = ACRE_RING_SPSC; k <= ACRE_RING_BROADCAST; k++) {
        acre_ring_file *f;
        bool created = false;
        snprintf(name, sizeof name, "test-ring-%d-%d", (int)k, (int)getpid());
        ACRE_CHECK_EQUAL(acre_ring_open_or_create(&f, k, name, &named_options, &created), 0);
        ACRE_CHECK(created);
        void *ring = acre_ring_object(f);
        size_t size = acre_ring_size(f);
        ACRE_CHECK_EQUAL(acre_spsc_check(ring, size), k == ACRE_RING_SPSC ? 0 : ACRE_EOBJECT);
        ACRE_CHECK_EQUAL(acre_bytes_check(ring, size), k == ACRE_RING_BYTES ? 0 : ACRE_EOBJECT);
        ACRE_CHECK_EQUAL(acre_mpmc_check(ring, size), k == ACRE_RING_MPMC ? 0 : ACRE_EOBJECT);
        ACRE_CHECK_EQUAL(acre_broadcast_check(ring, size),
                         k == ACRE_RING_BROADCAST ? 0 : ACRE_EOBJECT);
        ACRE_CHECK_EQUAL(acre_ring_close(f), 0);
        ACRE_CHECK_EQUAL(acre_ring_remove(name), 0);
    }
}

static void expect_mode(enum acre_ring_kind k, mode_t mask, mode_t asked)
{
    char name[64], path[128];
    struct stat st;
    acre_ring_file *f;
    acre_ring_options o = named_options;
    o.mode = asked;
    snprintf(name, sizeof name, "test-ring-mode-%d", (int)getpid());
    snprintf(path, sizeof path, "/dev/shm/acre.%s", name);
    umask(mask);
    ACRE_CHECK_EQUAL(acre_ring_create(&f, k, name, &o), 0);
    ACRE_CHECK(stat(path, &st) == 0, "%s", path);
    ACRE_CHECK_EQUAL(st.st_mode & 07777, asked ? asked : 0600);
    ACRE_CHECK_EQUAL(acre_ring_close(f), 0);
    ACRE_CHECK_EQUAL(acre_ring_remove(name), 0);
}

ACRE_TEST(ring, modes_are_exact_whatever_the_umask_A38)
{
    static const mode_t modes[] = {0, 0640, 0666};
    for (enum acre_ring_kind k = ACRE_RING_SPSC; k <= ACRE_RING_BROADCAST; k++)
        for (int i = 0; i < 3; i++) {
            expect_mode(k, 077, modes[i]);
            expect_mode(k, 000, modes[i]);
        }
}

ACRE_TEST(ring, bad_names_and_options)
{
    static const acre_ring_options none = {0};
    acre_ring_file *f;
    ACRE_CHECK_EQUAL(acre_ring_create(&f, ACRE_RING_SPSC, "test-ring-x", &none), EINVAL);
    ACRE_CHECK_EQUAL(acre_ring_create(&f, ACRE_RING_SPSC, "test-ring-x", NULL), EINVAL);
    ACRE_CHECK_EQUAL(acre_ring_create(&f, (enum acre_ring_kind)32, "test-ring-x", &named_options),
                     EINVAL);
    ACRE_CHECK_EQUAL(acre_ring_open(&f, (enum acre_ring_kind)37, "test-ring-x", NULL), EINVAL);
    ACRE_CHECK_EQUAL(acre_ring_create(&f, ACRE_RING_SPSC, "a/b", &named_options), ACRE_ENAME);
    ACRE_CHECK_EQUAL(acre_ring_remove("test-ring-no-such"), ENOENT);
}

/* ---- acre_wait_any ---- */

typedef struct any {
    arena *spsc, *bytes, *mpmc, *broadcast;
    volatile uint64_t turn; /* which one the other process feeds, from 1; 5: end */
} any;

static any *any_make(void)
{
    any *a = share(sizeof *a);
    size_t size = acre_mpmc_size(4, 8);
    a->spsc = spsc_make(4, 8, 0);
    a->bytes = bytes_make(64, 0);
    a->mpmc = arena_make(size, 0);
    a->broadcast = broadcast_make(4, 2, 0);
    ACRE_CHECK_EQUAL(acre_mpmc_init(a->mpmc->ring, size, 4, 8), 0);
    return a;
}

static void any_feed(void *arg)
{
    any *a = arg;
    acre_spsc_producer s;
    acre_bytes_producer b;
    acre_mpmc_handle m;
    acre_broadcast_producer r;
    uint64_t v = 9;
    ACRE_CHECK_EQUAL(acre_spsc_producer_attach(&s, a->spsc->ring, a->spsc->size, 8), 0);
    ACRE_CHECK_EQUAL(acre_bytes_producer_attach(&b, a->bytes->ring, a->bytes->size), 0);
    ACRE_CHECK_EQUAL(acre_mpmc_attach(&m, a->mpmc->ring, a->mpmc->size, 8), 0);
    ACRE_CHECK_EQUAL(acre_broadcast_producer_attach(&r, a->broadcast->ring, a->broadcast->size, 8),
                     0);
    for (uint64_t fed = 0; a->turn != 5; sched_yield()) {
        if (a->turn == fed)
            continue;
        fed = a->turn;
        usleep(2000); /* the other one sleeps by now */
        int e = fed == 1   ? acre_spsc_push(&s, &v)
                : fed == 2 ? acre_bytes_push(&b, &v, 8)
                : fed == 3 ? acre_mpmc_push(&m, &v)
                : fed == 4 ? acre_broadcast_push(&r, &v)
                           : 0;
        ACRE_CHECK_EQUAL(e, 0);
    }
}

ACRE_TEST(ring, any_of_several_is_waited_for)
{
    any *a = any_make();
    acre_spsc_consumer s;
    acre_bytes_consumer b;
    acre_mpmc_handle m;
    acre_broadcast_consumer r;
    uint64_t v;
    size_t which = 99;
    ACRE_CHECK_EQUAL(acre_spsc_consumer_attach(&s, a->spsc->ring, a->spsc->size, 8), 0);
    ACRE_CHECK_EQUAL(acre_bytes_consumer_attach(&b, a->bytes->ring, a->bytes->size), 0);
    ACRE_CHECK_EQUAL(acre_mpmc_attach(&m, a->mpmc->ring, a->mpmc->size, 8), 0);
    ACRE_CHECK_EQUAL(acre_broadcast_consumer_attach(&r, a->broadcast->ring, a->broadcast->size, 8),
                     0);
    acre_waitable list[] = {acre_spsc_consumer_waitable(&s), acre_bytes_consumer_waitable(&b),
                            acre_mpmc_pop_waitable(&m), acre_broadcast_consumer_waitable(&r)};
    struct timespec soon = acre_deadline(SECOND / 100);
    ACRE_CHECK_EQUAL(acre_wait_any(list, 4, &soon, &which), ETIMEDOUT);
    pid_t child = acre_test_spawn(any_feed, a);
    for (a->turn = 1; a->turn < 5; a->turn++) {
        ACRE_CHECK_EQUAL(acre_wait_any(list, 4, NULL, &which), 0);
        ACRE_CHECK_EQUAL(which + 1, a->turn);
        int e = which == 0   ? acre_spsc_try_pop(&s, &v)
                : which == 1 ? acre_bytes_try_pop(&b, &v, 8, &(size_t){0})
                : which == 2 ? acre_mpmc_try_pop(&m, &v)
                             : acre_broadcast_try_pop(&r, &v);
        ACRE_CHECK_EQUAL(e, 0);
        ACRE_CHECK_EQUAL(v, 9);
    }
    acre_test_expect_exit(child, 0);
}

ACRE_TEST(ring, room_is_waited_for)
{
    any *a = any_make();
    acre_spsc_producer s;
    acre_bytes_producer b;
    acre_mpmc_handle m;
    acre_broadcast_producer r;
    acre_broadcast_consumer slow;
    uint64_t v = 0;
    size_t which = 99;
    ACRE_CHECK_EQUAL(acre_spsc_producer_attach(&s, a->spsc->ring, a->spsc->size, 8), 0);
    ACRE_CHECK_EQUAL(acre_bytes_producer_attach(&b, a->bytes->ring, a->bytes->size), 0);
    ACRE_CHECK_EQUAL(acre_mpmc_attach(&m, a->mpmc->ring, a->mpmc->size, 8), 0);
    ACRE_CHECK_EQUAL(acre_broadcast_producer_attach(&r, a->broadcast->ring, a->broadcast->size, 8),
                     0);
    ACRE_CHECK_EQUAL(
        acre_broadcast_consumer_attach(&slow, a->broadcast->ring, a->broadcast->size, 8), 0);
    acre_waitable list[] = {acre_spsc_producer_waitable(&s), acre_bytes_producer_waitable(&b),
                            acre_mpmc_push_waitable(&m), acre_broadcast_producer_waitable(&r)};
    for (size_t i = 0; i < 4; i++) {
        ACRE_CHECK_EQUAL(acre_wait_any(list, 4, NULL, &which), 0);
        ACRE_CHECK_EQUAL(which, i);
        while ((which == 0   ? acre_spsc_try_push(&s, &v)
                : which == 1 ? acre_bytes_try_push(&b, &v, 8)
                : which == 2 ? acre_mpmc_try_push(&m, &v)
                             : acre_broadcast_try_push(&r, &v)) == 0)
            ;
    }
    struct timespec soon = acre_deadline(SECOND / 100);
    ACRE_CHECK_EQUAL(acre_wait_any(list, 4, &soon, &which), ETIMEDOUT);
    ACRE_CHECK_EQUAL(acre_mpmc_try_pop(&m, &v), 0);
    ACRE_CHECK_EQUAL(acre_wait_any(list, 4, NULL, &which), 0);
    ACRE_CHECK_EQUAL(which, 2);
}
