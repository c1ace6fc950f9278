/* SPDX-License-Identifier: MIT */
/* References with counts: what the calls do, in every kind of place, with threads and processes. */
#include "tests/support_heap.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { SIZE = 256 << 10, COUNTED = 77, CHAINED, ROUNDS = 20000, CROWD = 4 };

/* What the deleters have seen. */
static unsigned deleted;

static void count_deleted(void *arg, acre_segment *s, void *object)
{
    ACRE_CHECK(arg == &deleted && acre_segment_contains(s, object));
    __atomic_fetch_add(&deleted, 1, __ATOMIC_RELAXED);
}

/* The object is a reference to the next one. */
static void delete_chained(void *arg, acre_segment *s, void *object)
{
    count_deleted(arg, s, object);
    ACRE_CHECK_EQUAL(acre_shared_release(s, object), 0);
}

typedef struct room {
    acre_segment *s;
    acre_heap *h;
    acre_shared *shared; /* 8 of each, in the segment or not */
    acre_weak *weak;
    acre_off *block; /* what they lie in; NULL: in private memory */
} room;

static room room_with(const acre_segment_options *o, enum acre_source source, bool inside)
{
    room r = {.s = test_segment_in(source, *o)};
    r.h = acre_segment_heap(r.s);
    void *memory = inside ? acre_calloc(r.h, 16, sizeof(acre_shared)) : calloc(16, sizeof(acre_shared));
    ACRE_CHECK(memory);
    r.shared = memory;
    r.weak = (acre_weak *)memory + 8;
    r.block = inside ? memory : NULL;
    deleted = 0;
    ACRE_CHECK_EQUAL(acre_deleter_register(COUNTED, count_deleted, &deleted), 0);
    ACRE_CHECK_EQUAL(acre_deleter_register(CHAINED, delete_chained, &deleted), 0);
    return r;
}

/* Nothing is left. */
static void room_end(room *r)
{
    for (int i = 0; i < 16; i++)
        ACRE_CHECK_EQUAL(r->shared[i].r.control | r->shared[i].r.object, 0);
    if (r->block)
        ACRE_CHECK_EQUAL(acre_free(r->h, r->block), 0);
    else
        free(r->shared);
    test_sound(r->h);
    test_settle(r->h);
    ACRE_CHECK(acre_heap_all_free(r->h));
    ACRE_CHECK_EQUAL(acre_segment_close(r->s), 0);
}

/* A test of one algorithm, with references inside and outside of the segment. */
static void in_rooms(const acre_algorithm *a, void (*test)(room *))
{
    test_skip_flags(a, ACRE_NO_FREE);
    for (int inside = 0; inside < 2; inside++) {
        room r = room_with(&(acre_segment_options){.size = SIZE, .algorithm = a, .heap = test_options},
                           ACRE_HEAP, inside);
        test(&r);
        room_end(&r);
    }
}

static uint32_t uses(const room *r, int i)
{
    return acre_shared_use_count(r->s, &r->shared[i]);
}

/* ---- counts (A-63) ---- */

static void counts(room *r)
{
    acre_shared *p = r->shared;
    acre_weak *w = r->weak;
    ACRE_CHECK_EQUAL(acre_shared_make(r->s, &p[0], 100, COUNTED), 0);
    char *object = acre_shared_get(r->s, &p[0]);
    ACRE_CHECK(object && (uintptr_t)object % ACRE_ALIGN_MIN == 0);
    for (int i = 0; i < 100; i++)
        ACRE_CHECK_EQUAL(object[i], 0);
    test_fill(object, 100, 5);
    ACRE_CHECK_EQUAL(uses(r, 0), 1);
    ACRE_CHECK_EQUAL(acre_shared_copy(r->s, &p[1], &p[0]), 0);
    ACRE_CHECK_EQUAL(uses(r, 0), 2);
    ACRE_CHECK_EQUAL(acre_shared_copy(r->s, &p[1], &p[0]), EEXIST);
    ACRE_CHECK_EQUAL(uses(r, 1), 2);
    ACRE_CHECK_EQUAL(acre_shared_move(r->s, &p[1], &p[0]), EEXIST);
    ACRE_CHECK_EQUAL(acre_shared_move(r->s, &p[2], &p[1]), 0);
    ACRE_CHECK(!acre_shared_get(r->s, &p[1]) && acre_shared_get(r->s, &p[2]) == object);
    ACRE_CHECK_EQUAL(uses(r, 0), 2);
    ACRE_CHECK_EQUAL(acre_weak_from(r->s, &w[0], &p[0]), 0);
    ACRE_CHECK_EQUAL(acre_weak_copy(r->s, &w[1], &w[0]), 0);
    ACRE_CHECK_EQUAL(acre_weak_move(r->s, &w[2], &w[1]), 0);
    ACRE_CHECK_EQUAL(acre_weak_use_count(r->s, &w[2]), 2);
    ACRE_CHECK(!acre_weak_expired(r->s, &w[0]));
    ACRE_CHECK_EQUAL(acre_weak_lock(r->s, &p[3], &w[2]), 0);
    ACRE_CHECK_EQUAL(uses(r, 3), 3);
    for (int i = 0; i < 4; i++) {
        ACRE_CHECK(test_filled(object, 100, 5));
        ACRE_CHECK_EQUAL(deleted, 0);
        ACRE_CHECK_EQUAL(acre_shared_release(r->s, &p[i]), 0);
    }
    ACRE_CHECK_EQUAL(deleted, 1);
    ACRE_CHECK(acre_weak_expired(r->s, &w[0]) && acre_weak_expired(r->s, &w[1]));
    ACRE_CHECK_EQUAL(acre_weak_lock(r->s, &p[0], &w[0]), ENOENT);
    ACRE_CHECK_EQUAL(acre_weak_lock(r->s, &p[0], &w[1]), ENOENT); /* it refers to nothing */
    ACRE_CHECK_EQUAL(acre_weak_copy(r->s, &w[3], &w[0]), 0);
    ACRE_CHECK_EQUAL(acre_weak_release(r->s, &w[3]), 0);
    ACRE_CHECK_EQUAL(acre_weak_release(r->s, &w[0]), 0);
    ACRE_CHECK_EQUAL(acre_weak_release(r->s, &w[2]), 0);
    ACRE_CHECK_EQUAL(acre_weak_release(r->s, &w[2]), 0); /* nothing */
    ACRE_CHECK_EQUAL(deleted, 1);
}

static void counts_A63(const acre_algorithm *a)
{
    in_rooms(a, counts);
}

/* What stays until the last weak reference is gone is the control block; of an adopted object not more. */
static void weak_keeps_the_control_block(room *r)
{
    acre_off block;
    ACRE_CHECK_EQUAL(acre_alloc_into(r->h, acre_segment_root(r->s), 4000), 0);
    block = *acre_segment_root(r->s);
    ACRE_CHECK_EQUAL(acre_shared_adopt(r->s, r->shared, acre_segment_root(r->s), COUNTED), 0);
    ACRE_CHECK_EQUAL(*acre_segment_root(r->s), 0);
    ACRE_CHECK(acre_shared_get(r->s, r->shared) == acre_segment_address(r->s, block));
    ACRE_CHECK_EQUAL(acre_weak_from(r->s, r->weak, r->shared), 0);
    size_t before = acre_heap_free_memory(r->h);
    ACRE_CHECK_EQUAL(acre_shared_release(r->s, r->shared), 0);
    ACRE_CHECK_EQUAL(deleted, 1);
    test_settle(r->h);
    ACRE_CHECK(acre_heap_free_memory(r->h) >= before + 4000);
    ACRE_CHECK(acre_weak_expired(r->s, r->weak));
    ACRE_CHECK_EQUAL(acre_weak_release(r->s, r->weak), 0);
}

static void weak_keeps_A63(const acre_algorithm *a)
{
    in_rooms(a, weak_keeps_the_control_block);
}

static void assign_and_alias(room *r)
{
    acre_shared *p = r->shared;
    ACRE_CHECK_EQUAL(acre_shared_make(r->s, &p[0], 64, COUNTED), 0);
    ACRE_CHECK_EQUAL(acre_shared_make(r->s, &p[1], 64, COUNTED), 0);
    acre_off part = p[0].r.object + 24;
    ACRE_CHECK_EQUAL(acre_shared_alias(r->s, &p[2], &p[0], 0), ACRE_EINVALID);
    ACRE_CHECK_EQUAL(acre_shared_alias(r->s, &p[2], &p[0], SIZE), ACRE_EINVALID);
    ACRE_CHECK_EQUAL(acre_shared_alias(r->s, &p[2], &p[0], part), 0);
    ACRE_CHECK(acre_shared_get(r->s, &p[2]) == acre_segment_address(r->s, part));
    ACRE_CHECK_EQUAL(uses(r, 0), 2);
    ACRE_CHECK_EQUAL(acre_shared_release(r->s, &p[0]), 0);
    ACRE_CHECK_EQUAL(deleted, 0); /* the part keeps the whole */
    ACRE_CHECK_EQUAL(acre_shared_assign(r->s, &p[1], &p[2]), 0);
    ACRE_CHECK_EQUAL(deleted, 1);
    ACRE_CHECK_EQUAL(uses(r, 1), 2);
    ACRE_CHECK_EQUAL(acre_shared_assign(r->s, &p[1], &p[1]), 0); /* to itself */
    ACRE_CHECK_EQUAL(uses(r, 1), 2);
    ACRE_CHECK_EQUAL(acre_shared_assign(r->s, &p[2], &p[0]), 0); /* nothing */
    ACRE_CHECK_EQUAL(uses(r, 2), 0);
    ACRE_CHECK_EQUAL(uses(r, 1), 1);
    ACRE_CHECK_EQUAL(acre_shared_release(r->s, &p[1]), 0);
    ACRE_CHECK_EQUAL(deleted, 2);
}

static void assign_and_alias_A63(const acre_algorithm *a)
{
    in_rooms(a, assign_and_alias);
}

static void from_this(room *r)
{
    acre_shared *p = r->shared;
    ACRE_CHECK_EQUAL(acre_shared_make(r->s, &p[0], 64, 0), 0);
    char *object = acre_shared_get(r->s, &p[0]);
    ACRE_CHECK_EQUAL(acre_shared_from_this(r->s, &p[1], object), 0);
    ACRE_CHECK_EQUAL(acre_shared_from_this(r->s, &p[1], object), EEXIST);
    ACRE_CHECK_EQUAL(acre_shared_from_this(r->s, &p[2], object + 16), ACRE_EOBJECT);
    ACRE_CHECK_EQUAL(acre_shared_from_this(r->s, &p[2], &p), ACRE_EOBJECT);
    ACRE_CHECK_EQUAL(uses(r, 1), 2);
    ACRE_CHECK_EQUAL(acre_shared_release(r->s, &p[0]), 0);
    ACRE_CHECK(acre_shared_get(r->s, &p[1]) == object);
    ACRE_CHECK_EQUAL(acre_shared_release(r->s, &p[1]), 0);
}

static void from_this_A63(const acre_algorithm *a)
{
    in_rooms(a, from_this);
}

/* The end of one is the end of the next. */
static void chains(room *r)
{
    acre_shared *p = r->shared;
    for (int i = 0; i < 100; i++) {
        ACRE_CHECK_EQUAL(acre_shared_make(r->s, &p[1], sizeof(acre_shared), CHAINED), 0);
        ACRE_CHECK_EQUAL(acre_shared_move(r->s, acre_shared_get(r->s, &p[1]), &p[0]), 0);
        ACRE_CHECK_EQUAL(acre_shared_move(r->s, &p[0], &p[1]), 0);
    }
    ACRE_CHECK_EQUAL(acre_shared_copy(r->s, &p[1], acre_shared_get(r->s, &p[0])), 0);
    ACRE_CHECK_EQUAL(acre_shared_assign(r->s, &p[0], acre_shared_get(r->s, &p[0])), 0);
    ACRE_CHECK_EQUAL(deleted, 1);
    ACRE_CHECK_EQUAL(uses(r, 0), 2);
    ACRE_CHECK_EQUAL(acre_shared_release(r->s, &p[1]), 0);
    ACRE_CHECK_EQUAL(acre_shared_release(r->s, &p[0]), 0);
    ACRE_CHECK_EQUAL(deleted, 100);
}

static void chains_end(const acre_algorithm *a)
{
    in_rooms(a, chains);
}

/* A full heap: nothing has changed. */
static void fullness(room *r)
{
    acre_off *root = acre_segment_root(r->s);
    while (acre_alloc_into(r->h, root, 40) == 0) { /* a list of all there is */
        acre_off *next = acre_segment_address(r->s, *root);
        *next = r->shared[7].r.object;
        r->shared[7].r.object = *root;
    }
    ACRE_CHECK_EQUAL(acre_shared_make(r->s, &r->shared[0], 1000, 0), ENOMEM);
    ACRE_CHECK_EQUAL(acre_shared_make(r->s, &r->shared[0], (size_t)-1, 0), ENOMEM);
    ACRE_CHECK_EQUAL(acre_shared_make(r->s, &r->shared[0], ACRE_SIZE_MAX, 0), ENOMEM);
    while (r->shared[7].r.object) {
        acre_off *block = acre_segment_address(r->s, r->shared[7].r.object);
        r->shared[7].r.object = *block;
        ACRE_CHECK_EQUAL(acre_free(r->h, block), 0);
    }
    *root = 0;
}

static void full_A63(const acre_algorithm *a)
{
    in_rooms(a, fullness);
}

#define CASES(X, a)            \
    X(a, counts_A63)           \
    X(a, weak_keeps_A63)       \
    X(a, assign_and_alias_A63) \
    X(a, from_this_A63)        \
    X(a, chains_end)           \
    X(a, full_A63)
#define ACRE_ALGORITHM(a) TEST_CASES(CASES, a)
#include "alloc/algorithms.def"

/* ---- deleters ---- */

static room standard_room(bool inside)
{
    return room_with(&(acre_segment_options){.size = SIZE}, ACRE_HEAP, inside);
}

ACRE_TEST(shared, deleters_are_registered_by_number)
{
    int other;
    uint32_t id = acre_deleter_id("list of orders");
    ACRE_CHECK(id != 0 && id == acre_deleter_id("list of orders") && id != acre_deleter_id(""));
    ACRE_CHECK_EQUAL(acre_deleter_register(0, count_deleted, NULL), EINVAL);
    ACRE_CHECK_EQUAL(acre_deleter_register(id, NULL, NULL), EINVAL);
    ACRE_CHECK_EQUAL(acre_deleter_register(id, count_deleted, &deleted), 0);
    ACRE_CHECK_EQUAL(acre_deleter_register(id, count_deleted, &deleted), 0);
    ACRE_CHECK_EQUAL(acre_deleter_register(id, count_deleted, &other), EEXIST);
    ACRE_CHECK_EQUAL(acre_deleter_register(id, delete_chained, &deleted), EEXIST);
    ACRE_CHECK_EQUAL(acre_deleter_register(id + 1, delete_chained, &deleted), 0);
    ACRE_CHECK_EQUAL(acre_deleter_register(id + 256, count_deleted, &deleted), 0); /* the same place */
    ACRE_CHECK_EQUAL(acre_deleter_unregister(id), 0);
    ACRE_CHECK_EQUAL(acre_deleter_unregister(id), ENOENT);
    ACRE_CHECK_EQUAL(acre_deleter_register(id, delete_chained, &deleted), 0);
    for (uint32_t i = 0; i < 253; i++)
        ACRE_CHECK_EQUAL(acre_deleter_register(1000 + i, count_deleted, &deleted), 0);
    ACRE_CHECK_EQUAL(acre_deleter_register(5000, count_deleted, &deleted), ENOMEM);
    ACRE_CHECK_EQUAL(acre_deleter_unregister(5000), ENOENT);
}

/* Who has no deleter leaves the object for who has. */
static void without_deleter(bool inside)
{
    room r = standard_room(inside);
    size_t n;
    ACRE_CHECK_EQUAL(acre_shared_make(r.s, &r.shared[0], 100, COUNTED), 0);
    ACRE_CHECK_EQUAL(acre_weak_from(r.s, &r.weak[0], &r.shared[0]), 0);
    ACRE_CHECK_EQUAL(acre_deleter_unregister(COUNTED), 0);
    ACRE_CHECK_EQUAL(acre_shared_release(r.s, &r.shared[0]), ACRE_EDELETER);
    ACRE_CHECK_EQUAL(r.shared[0].r.control, 0);
    ACRE_CHECK_EQUAL(acre_weak_lock(r.s, &r.shared[0], &r.weak[0]), ENOENT);
    ACRE_CHECK_EQUAL(acre_shared_reap(r.s, &n), ACRE_EDELETER);
    ACRE_CHECK_EQUAL(n, 0);
    ACRE_CHECK_EQUAL(deleted, 0);
    ACRE_CHECK_EQUAL(acre_deleter_register(COUNTED, count_deleted, &deleted), 0);
    ACRE_CHECK_EQUAL(acre_shared_reap(r.s, &n), 0);
    ACRE_CHECK_EQUAL(n, 1);
    ACRE_CHECK_EQUAL(deleted, 1);
    ACRE_CHECK_EQUAL(acre_shared_reap(r.s, &n), 0);
    ACRE_CHECK_EQUAL(n, 0);
    ACRE_CHECK_EQUAL(acre_weak_release(r.s, &r.weak[0]), 0);
    room_end(&r);
}

ACRE_TEST(shared, the_condemned_wait_for_who_has_the_deleter)
{
    without_deleter(false);
    without_deleter(true);
}

ACRE_TEST(shared, without_a_directory_what_cannot_be_deleted_stays)
{
    room r = room_with(&(acre_segment_options){.size = SIZE, .index = ACRE_INDEX_NONE}, ACRE_HEAP, true);
    acre_holder h;
    ACRE_CHECK_EQUAL(acre_holder_open(&h, r.s, 1, 1), ENOTSUP);
    ACRE_CHECK_EQUAL(acre_shared_reap(r.s, NULL), ENOTSUP);
    ACRE_CHECK_EQUAL(acre_shared_make(r.s, &r.shared[0], 100, COUNTED), 0);
    ACRE_CHECK_EQUAL(acre_shared_copy(r.s, &r.shared[1], &r.shared[0]), 0);
    ACRE_CHECK_EQUAL(acre_deleter_unregister(COUNTED), 0);
    ACRE_CHECK_EQUAL(acre_shared_release(r.s, &r.shared[0]), 0);
    ACRE_CHECK_EQUAL(acre_shared_release(r.s, &r.shared[1]), ACRE_EDELETER);
    ACRE_CHECK_EQUAL(uses(&r, 1), 1);
    ACRE_CHECK_EQUAL(acre_deleter_register(COUNTED, count_deleted, &deleted), 0);
    ACRE_CHECK_EQUAL(acre_shared_release(r.s, &r.shared[1]), 0);
    ACRE_CHECK_EQUAL(deleted, 1);
    room_end(&r);
}

/* ---- holders ---- */

ACRE_TEST(shared, a_holder_gives_back_what_it_has_at_its_close)
{
    room r = standard_room(true);
    acre_holder h, second;
    ACRE_CHECK_EQUAL(acre_holder_open(&h, r.s, 1 << 20, 0), EINVAL);
    ACRE_CHECK_EQUAL(acre_holder_open(&h, r.s, 3, 2), 0);
    ACRE_CHECK_EQUAL(acre_holder_open(&second, r.s, 0, 0), 0);
    ACRE_CHECK(acre_holder_shared(&h, 2) && !acre_holder_shared(&h, 3));
    ACRE_CHECK(acre_holder_weak(&h, 1) && !acre_holder_weak(&h, 2) && !acre_holder_shared(&second, 0));
    ACRE_CHECK_EQUAL(acre_shared_make(r.s, acre_holder_shared(&h, 1), 30, COUNTED), 0);
    ACRE_CHECK_EQUAL(acre_shared_copy(r.s, acre_holder_shared(&h, 2), acre_holder_shared(&h, 1)), 0);
    ACRE_CHECK_EQUAL(acre_weak_from(r.s, acre_holder_weak(&h, 1), acre_holder_shared(&h, 1)), 0);
    ACRE_CHECK_EQUAL(acre_shared_copy(r.s, &r.shared[0], acre_holder_shared(&h, 1)), 0);
    ACRE_CHECK_EQUAL(uses(&r, 0), 3);
    ACRE_CHECK_EQUAL(acre_segment_close(r.s), EBUSY);
    ACRE_CHECK_EQUAL(acre_holder_close(&h), 0);
    ACRE_CHECK_EQUAL(acre_holder_close(&h), EPERM);
    ACRE_CHECK_EQUAL(uses(&r, 0), 1);
    ACRE_CHECK_EQUAL(acre_holder_close(&second), 0);
    ACRE_CHECK_EQUAL(acre_shared_release(r.s, &r.shared[0]), 0);
    ACRE_CHECK_EQUAL(deleted, 1);
    room_end(&r);
}

static void *hold_and_end(void *arg)
{
    room *r = arg;
    acre_holder h;
    ACRE_CHECK_EQUAL(acre_holder_open(&h, r->s, 2, 1), 0);
    ACRE_CHECK_EQUAL(acre_shared_copy(r->s, acre_holder_shared(&h, 1), &r->shared[0]), 0);
    ACRE_CHECK_EQUAL(acre_weak_from(r->s, acre_holder_weak(&h, 0), &r->shared[0]), 0);
    ACRE_CHECK_EQUAL(acre_shared_make(r->s, acre_holder_shared(&h, 0), 30, COUNTED), 0);
    acre_heap_detach(r->h);
    return NULL;
}

ACRE_TEST(shared, what_a_thread_held_that_has_ended_is_reaped)
{
    room r = standard_room(true);
    pthread_t t;
    size_t n;
    ACRE_CHECK_EQUAL(acre_shared_make(r.s, &r.shared[0], 30, COUNTED), 0);
    ACRE_CHECK(pthread_create(&t, NULL, hold_and_end, &r) == 0 && pthread_join(t, NULL) == 0);
    ACRE_CHECK_EQUAL(uses(&r, 0), 2);
    ACRE_CHECK_EQUAL(acre_shared_reap(r.s, &n), 0);
    ACRE_CHECK_EQUAL(n, 3);
    ACRE_CHECK_EQUAL(deleted, 1);
    ACRE_CHECK_EQUAL(acre_shared_release(r.s, &r.shared[0]), 0);
    room_end(&r);
}

ACRE_TEST(shared, a_holder_with_what_cannot_be_deleted_is_left)
{
    room r = standard_room(false);
    acre_holder h;
    ACRE_CHECK_EQUAL(acre_holder_open(&h, r.s, 2, 0), 0);
    ACRE_CHECK_EQUAL(acre_shared_make(r.s, acre_holder_shared(&h, 0), 30, COUNTED), 0);
    ACRE_CHECK_EQUAL(acre_shared_make(r.s, acre_holder_shared(&h, 1), 30, 0), 0);
    ACRE_CHECK_EQUAL(acre_deleter_unregister(COUNTED), 0);
    ACRE_CHECK_EQUAL(acre_holder_close(&h), ACRE_EDELETER);
    ACRE_CHECK_EQUAL(acre_holder_open(&h, r.s, 1, 0), 0); /* tries, and goes on */
    ACRE_CHECK_EQUAL(acre_holder_close(&h), 0);
    ACRE_CHECK_EQUAL(acre_deleter_register(COUNTED, count_deleted, &deleted), 0);
    ACRE_CHECK_EQUAL(acre_holder_open(&h, r.s, 1, 0), 0);
    ACRE_CHECK_EQUAL(deleted, 1);
    ACRE_CHECK_EQUAL(acre_holder_close(&h), 0);
    room_end(&r);
}

/* ---- counts to embed, single owners, guards ---- */

ACRE_TEST(shared, counts_to_embed_A63)
{
    acre_refs r;
    acre_refs_init(&r);
    ACRE_CHECK_EQUAL(acre_ref(&r), 0);
    ACRE_CHECK(acre_ref_if_live(&r));
    ACRE_CHECK_EQUAL(acre_refs_count(&r), 3);
    ACRE_CHECK(!acre_unref(&r) && !acre_unref(&r));
    ACRE_CHECK(acre_unref(&r));
    ACRE_CHECK(!acre_unref(&r)); /* once too often: not the last once more */
    ACRE_CHECK_EQUAL(acre_refs_count(&r), 0);
    ACRE_CHECK_EQUAL(acre_ref(&r), ACRE_EINVALID);
    ACRE_CHECK(!acre_ref_if_live(&r));
    r.count = UINT32_MAX;
    ACRE_CHECK_EQUAL(acre_ref(&r), EOVERFLOW);
    ACRE_CHECK(!acre_ref_if_live(&r));
    ACRE_CHECK_EQUAL(acre_refs_count(&r), UINT32_MAX);
    ACRE_CHECK(!acre_unref(&r));
    ACRE_CHECK_EQUAL(acre_refs_count(&r), UINT32_MAX - 1);
}

static void uniques(bool inside)
{
    room r = standard_room(inside);
    acre_unique *u = (acre_unique *)(void *)r.shared;
    ACRE_CHECK_EQUAL(acre_unique_make(r.s, &u[0], 50, COUNTED), 0);
    ACRE_CHECK_EQUAL(acre_unique_make(r.s, &u[0], 50, COUNTED), EEXIST);
    ACRE_CHECK_EQUAL(acre_unique_make(r.s, &u[1], 50, 0), 0);
    ACRE_CHECK_EQUAL(acre_unique_move(r.s, &u[1], &u[0]), EEXIST);
    ACRE_CHECK_EQUAL(acre_unique_reset(r.s, &u[1]), 0);
    ACRE_CHECK_EQUAL(deleted, 0);
    ACRE_CHECK_EQUAL(acre_unique_move(r.s, &u[1], &u[0]), 0);
    ACRE_CHECK_EQUAL(u[0].object, 0);
    ACRE_CHECK_EQUAL(acre_deleter_unregister(COUNTED), 0);
    acre_off object = u[1].object;
    ACRE_CHECK_EQUAL(acre_unique_reset(r.s, &u[1]), ACRE_EDELETER);
    ACRE_CHECK_EQUAL(u[1].object, object);
    ACRE_CHECK_EQUAL(acre_deleter_register(COUNTED, count_deleted, &deleted), 0);
    ACRE_CHECK_EQUAL(acre_unique_reset(r.s, &u[1]), 0);
    ACRE_CHECK_EQUAL(acre_unique_reset(r.s, &u[1]), 0);
    ACRE_CHECK_EQUAL(deleted, 1);
    ACRE_CHECK_EQUAL(acre_unique_make(r.s, &u[2], 50, COUNTED), 0);
    object = acre_unique_release(&u[2]);
    ACRE_CHECK_EQUAL(acre_free(r.h, acre_segment_address(r.s, object)), 0);
    ACRE_CHECK_EQUAL(acre_unique_make(r.s, &u[2], ACRE_SIZE_MAX, 0), ENOMEM);
    memset(r.shared, 0, 8 * sizeof *r.shared);
    room_end(&r);
}

ACRE_TEST(shared, one_owner_A63)
{
    uniques(false);
    uniques(true);
}

static acre_off guarded(acre_segment *s, bool fail)
{
    acre_off object = acre_segment_offset(s, acre_alloc(acre_segment_heap(s), 40));
    ACRE_SCOPED acre_scoped guard = {s, object, COUNTED};
    return fail ? 0 : acre_scoped_keep(&guard);
}

ACRE_TEST(shared, a_guard_ends_with_its_scope_A63)
{
    room r = standard_room(false);
    ACRE_CHECK_EQUAL(guarded(r.s, true), 0);
    ACRE_CHECK_EQUAL(deleted, 1);
    acre_off object = guarded(r.s, false);
    ACRE_CHECK_EQUAL(deleted, 1);
    ACRE_CHECK_EQUAL(acre_free(r.h, acre_segment_address(r.s, object)), 0);
    room_end(&r);
}

ACRE_TEST(shared, a_count_that_is_full_is_told)
{
    room r = standard_room(true);
    ACRE_CHECK_EQUAL(acre_shared_make(r.s, &r.shared[0], 40, 0), 0);
    ACRE_CHECK_EQUAL(acre_weak_from(r.s, &r.weak[0], &r.shared[0]), 0);
    uint64_t *state = acre_segment_address(r.s, r.shared[0].r.control + 40);
    *state |= 0xfffffff;
    ACRE_CHECK_EQUAL(acre_shared_copy(r.s, &r.shared[1], &r.shared[0]), EOVERFLOW);
    ACRE_CHECK_EQUAL(acre_weak_lock(r.s, &r.shared[1], &r.weak[0]), EOVERFLOW);
    *state |= (uint64_t)0xfffffff << 28;
    ACRE_CHECK_EQUAL(acre_weak_from(r.s, &r.weak[1], &r.shared[0]), EOVERFLOW);
    *state = 1 | (uint64_t)2 << 28;
    ACRE_CHECK_EQUAL(acre_shared_release(r.s, &r.shared[0]), 0);
    ACRE_CHECK_EQUAL(acre_weak_release(r.s, &r.weak[0]), 0);
    room_end(&r);
}

/* ---- many at once ---- */

/* Each copies, locks and gives back, by turns in the segment and in memory of its own; all let the object go at the
 * end. */
static void crowd_work(room *r, unsigned number)
{
    acre_shared mine = {{0, 0}}, *own = &r->shared[2 + number];
    acre_weak weak = {{0, 0}};
    for (size_t i = 0, n = acre_test_rounds(ROUNDS); i < n; i++) {
        acre_shared *to = i % 2 ? &mine : own;
        ACRE_CHECK_EQUAL(acre_shared_copy(r->s, to, &r->shared[0]), 0);
        if (i % 8 == 0)
            ACRE_CHECK_EQUAL(acre_weak_from(r->s, &weak, to), 0);
        ACRE_CHECK_EQUAL(acre_shared_release(r->s, to), 0);
        if (i % 8 == 0) {
            ACRE_CHECK_EQUAL(acre_weak_lock(r->s, to, &weak), 0);
            ACRE_CHECK_EQUAL(acre_weak_release(r->s, &weak), 0);
            ACRE_CHECK_EQUAL(acre_shared_release(r->s, to), 0);
        }
    }
    ACRE_CHECK_EQUAL(acre_shared_release(r->s, own), 0);
}

typedef struct crowd_member {
    room *r;
    unsigned number;
} crowd_member;

static void *crowd_thread(void *arg)
{
    crowd_member *m = arg;
    crowd_work(m->r, m->number);
    acre_heap_detach(m->r->h);
    return NULL;
}

static void crowd_process(void *arg)
{
    crowd_thread(arg);
}

static room crowd_room(const char *algorithm)
{
    room r = room_with(&(acre_segment_options){.size = SIZE, .algorithm = acre_algorithm_find(algorithm)},
                       ACRE_ANON, true);
    ACRE_CHECK_EQUAL(acre_shared_make(r.s, &r.shared[0], 200, 0), 0);
    return r;
}

static void crowd_end(room *r)
{
    ACRE_CHECK_EQUAL(uses(r, 0), 1);
    ACRE_CHECK_EQUAL(acre_shared_release(r->s, &r->shared[0]), 0);
    room_end(r);
}

static void threads(const char *algorithm)
{
    room r = crowd_room(algorithm);
    crowd_member m[CROWD];
    pthread_t t[CROWD];
    for (unsigned i = 0; i < CROWD; i++) {
        m[i] = (crowd_member){&r, i};
        ACRE_CHECK(pthread_create(&t[i], NULL, crowd_thread, &m[i]) == 0);
    }
    for (unsigned i = 0; i < CROWD; i++)
        pthread_join(t[i], NULL);
    crowd_end(&r);
}

ACRE_TEST(shared, counts_are_right_among_threads_A63)
{
    threads("rbtree_best_fit");
    threads("sharded");
}

ACRE_TEST(shared, counts_are_right_among_processes_A63)
{
    room r = crowd_room("sharded");
    crowd_member m[CROWD];
    pid_t child[CROWD];
    for (unsigned i = 0; i < CROWD; i++) {
        m[i] = (crowd_member){&r, i};
        child[i] = acre_test_spawn(crowd_process, &m[i]);
    }
    for (unsigned i = 0; i < CROWD; i++)
        acre_test_expect_exit(child[i], 0);
    crowd_end(&r);
}

/* Whoever comes last deletes, exactly once; weak references race with that. */
static void *race_end(void *arg)
{
    crowd_member *m = arg;
    room *r = m->r;
    acre_shared got = {{0, 0}};
    ACRE_CHECK_EQUAL(acre_shared_release(r->s, &r->shared[m->number]), 0);
    int e = acre_weak_lock(r->s, &got, &r->weak[m->number]);
    ACRE_CHECK(e == 0 || e == ENOENT, "%d", e);
    ACRE_CHECK_EQUAL(acre_shared_release(r->s, &got), 0);
    ACRE_CHECK_EQUAL(acre_weak_release(r->s, &r->weak[m->number]), 0);
    return NULL;
}

ACRE_TEST(shared, the_last_of_many_deletes_once_A63)
{
    room r = standard_room(true);
    for (size_t round = 0, n = acre_test_rounds(400); round < n; round++) {
        crowd_member m[CROWD];
        pthread_t t[CROWD];
        deleted = 0;
        ACRE_CHECK_EQUAL(acre_shared_make(r.s, &r.shared[0], 200, COUNTED), 0);
        for (unsigned i = 0; i < CROWD; i++) {
            if (i)
                ACRE_CHECK_EQUAL(acre_shared_copy(r.s, &r.shared[i], &r.shared[0]), 0);
            ACRE_CHECK_EQUAL(acre_weak_from(r.s, &r.weak[i], &r.shared[i]), 0);
            m[i] = (crowd_member){&r, i};
        }
        for (unsigned i = 0; i < CROWD; i++)
            ACRE_CHECK(pthread_create(&t[i], NULL, race_end, &m[i]) == 0);
        for (unsigned i = 0; i < CROWD; i++)
            pthread_join(t[i], NULL);
        ACRE_CHECK_EQUAL(deleted, 1);
    }
    room_end(&r);
}
