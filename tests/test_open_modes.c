/* SPDX-License-Identifier: MIT */
/* Open modes: private copies beside a user that lives, sleeps or has died; private
 * read-only mappings; addresses that are asked for. */
#include "tests/support_heap.h"

/* White box: the lock word. */
#include "alloc/heap.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { SIZE = 256 << 10, BLOCK = 1000, NOBODY = 65534 };

static const acre_segment_options create = {.size = SIZE, .capacity = 2 * SIZE};
static const acre_segment_options copy_options = {.access = ACRE_ACCESS_COPY};
static const acre_segment_options read_private = {.access = ACRE_ACCESS_READ_PRIVATE};

/* A segment with a block that the root names, filled with the key. */
static acre_segment *made(const char *name, uint64_t key)
{
    acre_segment *s;
    ACRE_CHECK_EQUAL(acre_segment_create(&s, ACRE_SHM, name, &create), 0);
    ACRE_CHECK_EQUAL(acre_alloc_into(acre_segment_heap(s), acre_segment_root(s), BLOCK), 0);
    test_fill(acre_segment_address(s, *acre_segment_root(s)), BLOCK, key);
    return s;
}

static bool holds(acre_segment *s, uint64_t key)
{
    const void *p = acre_segment_address(s, *acre_segment_root(s));
    return p && test_filled(p, BLOCK, key);
}

/* ---- private copies ---- */

ACRE_TEST(open_modes, a_copy_is_altered_and_destroyed_alone_A27)
{
    const char *name = test_name();
    acre_segment *s = made(name, 1), *copy;
    ACRE_CHECK_EQUAL(acre_segment_open(&copy, ACRE_SHM, name, &copy_options), 0);
    ACRE_CHECK(holds(copy, 1));
    test_fill(acre_segment_address(copy, *acre_segment_root(copy)), BLOCK, 2);
    ACRE_CHECK(holds(s, 1) && holds(copy, 2));
    ACRE_CHECK_EQUAL(acre_free_from(acre_segment_heap(copy), acre_segment_root(copy)), 0);
    ACRE_CHECK(acre_heap_all_free(acre_segment_heap(copy)));
    while (acre_alloc(acre_segment_heap(copy), BLOCK))
        ;
    test_sound(acre_segment_heap(copy));
    test_sound(acre_segment_heap(s));
    ACRE_CHECK(holds(s, 1) && !acre_heap_all_free(acre_segment_heap(s)));
    ACRE_CHECK_EQUAL(acre_segment_close(copy), 0);
    ACRE_CHECK_EQUAL(acre_segment_open(&copy, ACRE_SHM, name, &copy_options), 0);
    ACRE_CHECK(holds(copy, 1));
    acre_segment_close(copy);
    acre_segment_remove(ACRE_SHM, name);
    acre_segment_close(s);
}

static void hold_objects(void *arg)
{
    acre_segment *s;
    ACRE_CHECK_EQUAL(acre_segment_open(&s, ACRE_SHM, arg, NULL), 0);
    ACRE_CHECK_EQUAL(acre_atomic_begin(s), 0);
    *acre_segment_root(s) = 1;
    pause();
}

/* While another process has the objects' lock in the original. */
ACRE_TEST(open_modes, an_object_is_destroyed_in_a_copy_and_stays_elsewhere_A27)
{
    const char *name = test_name();
    acre_segment *s, *copy;
    acre_test_limit(60);
    ACRE_CHECK_EQUAL(acre_segment_create(&s, ACRE_SHM, name, &create), 0);
    ACRE_CHECK_EQUAL(acre_construct(s, ACRE_TYPE(int), "x", 1, NULL, NULL), 0);
    pid_t child = acre_test_spawn(hold_objects, (void *)name);
    while (__atomic_load_n(acre_segment_root(s), __ATOMIC_ACQUIRE) == 0)
        usleep(100);
    ACRE_CHECK_EQUAL(acre_segment_open(&copy, ACRE_SHM, name, &copy_options), 0);
    ACRE_CHECK_EQUAL(acre_destroy(copy, ACRE_TYPE(int), "x"), 0);
    ACRE_CHECK_EQUAL(acre_find(copy, ACRE_TYPE(int), "x", NULL, NULL), ENOENT);
    ACRE_CHECK_EQUAL(acre_find(s, ACRE_TYPE(int), "x", NULL, NULL), 0);
    ACRE_CHECK_EQUAL(acre_atomic_try(s), EBUSY);
    ACRE_CHECK(kill(child, SIGKILL) == 0);
    acre_test_expect_killed(child);
    acre_segment_close(copy);
    acre_segment_remove(ACRE_SHM, name);
    acre_segment_close(s);
}

ACRE_TEST(open_modes, a_copy_keeps_its_size_and_gives_nothing_back_A27)
{
    const char *name = test_name();
    acre_segment *s = made(name, 1), *copy;
    ACRE_CHECK_EQUAL(acre_segment_open(&copy, ACRE_SHM, name, &copy_options), 0);
    acre_heap *h = acre_segment_heap(copy);
    ACRE_CHECK_EQUAL(acre_segment_grow(copy, SIZE + 4096), ENOTSUP);
    ACRE_CHECK_EQUAL(acre_segment_shrink(copy, 4096), ENOTSUP);
    ACRE_CHECK_EQUAL(acre_heap_purge_after(h, 4096), ENOTSUP);
    ACRE_CHECK_EQUAL(acre_segment_populate(copy, 0, SIZE), 0);
    test_fill(acre_segment_address(s, *acre_segment_root(s)), BLOCK, 3);
    ACRE_CHECK(holds(copy, 1)); /* each page is its own now */
    acre_segment_close(copy);
    acre_segment_remove(ACRE_SHM, name);
    acre_segment_close(s);
}

static void copy_as_nobody(void *arg)
{
    acre_segment_options o = {.access = ACRE_ACCESS_COPY, .any_owner = true};
    acre_segment *s;
    ACRE_CHECK(setgid(NOBODY) == 0 && setuid(NOBODY) == 0);
    ACRE_CHECK_EQUAL(acre_segment_open(&s, ACRE_SHM, arg, &copy_options), ACRE_EOWNER);
    ACRE_CHECK_EQUAL(acre_segment_open(&s, ACRE_SHM, arg, &o), 0);
    ACRE_CHECK(acre_alloc(acre_segment_heap(s), BLOCK));
    o.access = ACRE_ACCESS_WRITE;
    ACRE_CHECK_EQUAL(acre_segment_open(&s, ACRE_SHM, arg, &o), EACCES);
}

ACRE_TEST(open_modes, who_may_only_read_may_copy_A27)
{
    if (geteuid() != 0)
        acre_test_skip("not root: cannot become another user");
    const char *name = test_name();
    acre_segment_options o = {.size = SIZE, .mode = 0644};
    acre_segment *s;
    ACRE_CHECK_EQUAL(acre_segment_create(&s, ACRE_SHM, name, &o), 0);
    acre_test_run(copy_as_nobody, (void *)name);
    acre_segment_remove(ACRE_SHM, name);
    acre_segment_close(s);
}

/* ---- beside somebody at work ---- */

static void work_for_ever(void *arg)
{
    acre_segment *s;
    ACRE_CHECK_EQUAL(acre_segment_open(&s, ACRE_SHM, arg, NULL), 0);
    acre_heap *h = acre_segment_heap(s);
    for (void *kept[8] = {0};; memmove(kept, kept + 1, sizeof kept - sizeof *kept)) {
        if (kept[0])
            acre_free(h, kept[0]);
        kept[7] = acre_alloc(h, BLOCK);
    }
}

static void stop(pid_t child, int how)
{
    int status;
    ACRE_CHECK(kill(child, how) == 0);
    ACRE_CHECK(waitpid(child, &status, how == SIGSTOP ? WUNTRACED : 0) == child);
}

/* Whether the lock was held, or its owner dead, when it was opened. */
static bool copy_beside(const char *name, acre_segment *s, int how)
{
    acre_segment *copy;
    pid_t child = acre_test_spawn(work_for_ever, (void *)name);
    usleep(5000 + (unsigned)(getpid() ^ child) % 977);
    stop(child, how);
    bool held = acre_segment_heap(s)->control->lock.word != 0;
    ACRE_CHECK_EQUAL(acre_segment_open(&copy, ACRE_SHM, name, &copy_options), 0);
    ACRE_CHECK(acre_segment_heap(copy)->control->lock.word == 0);
    test_sound(acre_segment_heap(copy));
    while (acre_alloc(acre_segment_heap(copy), BLOCK))
        ;
    test_sound(acre_segment_heap(copy));
    acre_segment_close(copy);
    if (how == SIGSTOP)
        stop(child, SIGKILL);
    test_sound(acre_segment_heap(s)); /* recovers what it had begun */
    ACRE_CHECK(holds(s, 1));
    return held;
}

static void copies_beside(int how)
{
    const char *name = test_name();
    acre_segment *s = made(name, 1);
    int held = 0;
    for (int i = 0; i < 200 && held < 5; i++)
        held += copy_beside(name, s, how);
    ACRE_CHECK(held > 0);
    acre_segment_remove(ACRE_SHM, name);
    acre_segment_close(s);
}

ACRE_TEST(open_modes, the_lock_of_one_who_sleeps_is_free_in_a_copy_A27)
{
    acre_test_limit(120);
    copies_beside(SIGSTOP);
}

ACRE_TEST(open_modes, what_the_dead_have_begun_is_undone_in_a_copy_A27)
{
    acre_test_limit(120);
    copies_beside(SIGKILL);
}

/* ---- private, read-only ---- */

ACRE_TEST(open_modes, a_private_view_finds_and_refuses_changes_A27)
{
    const char *name = test_name();
    acre_segment *s = made(name, 1), *view;
    ACRE_CHECK_EQUAL(acre_segment_open(&view, ACRE_SHM, name, &read_private), 0);
    ACRE_CHECK(holds(view, 1));
    test_sound(acre_segment_heap(view));
    ACRE_CHECK(!acre_alloc(acre_segment_heap(view), BLOCK));
    ACRE_CHECK_EQUAL(acre_segment_grow(view, 2 * SIZE), EROFS);
    ACRE_CHECK_EQUAL(acre_segment_shrink(view, 4096), EROFS);
    ACRE_CHECK_EQUAL(acre_segment_populate(view, 0, 4096), EROFS);
    acre_segment_close(view);
    acre_segment_remove(ACRE_SHM, name);
    acre_segment_close(s);
}

ACRE_TEST(open_modes, modes_that_cannot_be_are_refused)
{
    static char buffer[SIZE] __attribute__((aligned(64)));
    const char *name = test_name();
    acre_segment *s = made(name, 1), *other = NULL;
    acre_segment_options o = {.access = ACRE_ACCESS_READ_PRIVATE + 1};
    ACRE_CHECK_EQUAL(acre_segment_open(&other, ACRE_SHM, name, &o), EINVAL);
    o = (acre_segment_options){.access = ACRE_ACCESS_COPY, .read_only = true};
    ACRE_CHECK_EQUAL(acre_segment_open(&other, ACRE_SHM, name, &o), EINVAL);
    o = (acre_segment_options){.access = ACRE_ACCESS_COPY, .size = SIZE};
    ACRE_CHECK_EQUAL(acre_segment_create(&other, ACRE_MEMFD, NULL, &o), EINVAL);
    o = (acre_segment_options){.size = SIZE, .buffer = buffer};
    ACRE_CHECK_EQUAL(acre_segment_create(&other, ACRE_BUFFER, NULL, &o), 0);
    acre_segment_close(other);
    o.access = ACRE_ACCESS_COPY;
    ACRE_CHECK_EQUAL(acre_segment_open(&other, ACRE_BUFFER, NULL, &o), ENOTSUP);
    acre_segment_remove(ACRE_SHM, name);
    acre_segment_close(s);
}

/* ---- addresses ---- */

/* Address space that is free now. */
static char *free_place(void)
{
    char *p = mmap(NULL, 4 * SIZE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ACRE_CHECK(p != MAP_FAILED && munmap(p, 4 * SIZE) == 0);
    return p;
}

static void at_address(enum acre_source source)
{
    const char *name = test_name();
    char *place = free_place();
    acre_segment_options o = {.size = SIZE, .capacity = 2 * SIZE, .address = place};
    acre_segment *s, *again = NULL;
    ACRE_CHECK_EQUAL(acre_segment_create(&s, source, name, &o), 0);
    ACRE_CHECK(acre_segment_base(s) == place);
    ACRE_CHECK_EQUAL(acre_segment_create(&again, source, "acre-test-second", &o), EBUSY);
    o.address = place + 2 * SIZE - 4096; /* the capacity's last page */
    ACRE_CHECK_EQUAL(acre_segment_create(&again, source, "acre-test-second", &o), EBUSY);
    o.address = place + 8;
    ACRE_CHECK_EQUAL(acre_segment_create(&again, source, "acre-test-second", &o), EINVAL);
    ACRE_CHECK(!again && acre_alloc(acre_segment_heap(s), BLOCK));
    ACRE_CHECK_EQUAL(acre_segment_remove(source, name), source == ACRE_SHM ? 0 : ENOTSUP);
    acre_segment_close(s);
}

ACRE_TEST(open_modes, a_segment_is_created_where_it_is_asked_for)
{
    at_address(ACRE_MEMFD);
    at_address(ACRE_ANON);
    at_address(ACRE_HEAP);
    at_address(ACRE_SHM);
    ACRE_CHECK_EQUAL(acre_segment_remove(ACRE_SHM, "acre-test-second"),
                     ENOENT); /* a failure leaves nothing */
}

ACRE_TEST(open_modes, a_segment_is_opened_where_it_is_asked_for_A26)
{
    const char *name = test_name();
    acre_segment *s = made(name, 1), *view;
    acre_segment_options o = {.address = acre_segment_base(s)};
    ACRE_CHECK_EQUAL(acre_segment_open(&view, ACRE_SHM, name, &o), EBUSY);
    for (uint32_t access = ACRE_ACCESS_WRITE; access <= ACRE_ACCESS_READ_PRIVATE; access++) {
        o = (acre_segment_options){.access = access, .address = free_place()};
        ACRE_CHECK_EQUAL(acre_segment_open(&view, ACRE_SHM, name, &o), 0);
        ACRE_CHECK(acre_segment_base(view) == o.address && holds(view, 1));
        acre_segment_close(view);
        o.address = (char *)o.address + 1;
        ACRE_CHECK_EQUAL(acre_segment_open(&view, ACRE_SHM, name, &o), EINVAL);
    }
    acre_segment_remove(ACRE_SHM, name);
    acre_segment_close(s);
}

/* ---- handles ---- */

ACRE_TEST(open_modes, offsets_are_the_same_in_two_mappings_A33)
{
    const char *name = test_name();
    acre_segment *s = made(name, 1), *other;
    ACRE_CHECK_EQUAL(acre_segment_open(&other, ACRE_SHM, name, NULL), 0);
    char *a = acre_segment_base(s), *b = acre_segment_base(other);
    ACRE_CHECK(a != b);
    for (acre_off at = 1; at < SIZE; at += at < 600 ? 1 : 997) {
        char *here = acre_segment_address(s, at), *there = acre_segment_address(other, at);
        ACRE_CHECK(here == a + at && there == b + at);
        ACRE_CHECK(acre_segment_offset(s, here) == at && acre_segment_offset(other, there) == at);
    }
    ACRE_CHECK(acre_segment_contains(s, a) && acre_segment_contains(s, a + SIZE - 1));
    ACRE_CHECK(!acre_segment_contains(s, a + SIZE) && !acre_segment_contains(s, a - 1));
    ACRE_CHECK(!acre_segment_contains(s, b) && acre_segment_offset(s, a + SIZE) == 0);
    ACRE_CHECK(!acre_segment_address(s, SIZE) &&
               acre_segment_address(other, SIZE - 1) == b + SIZE - 1);
    acre_segment_close(other);
    acre_segment_remove(ACRE_SHM, name);
    acre_segment_close(s);
}
