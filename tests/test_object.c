/* SPDX-License-Identifier: MIT */
/* Objects by name: making, finding, telling, ending, one suite for each index and some algorithms. */
#include "tests/support_object.h"

typedef struct point {
    int64_t x, y;
} point;

static const acre_type point_type = ACRE_TYPE_INIT(point, NULL, NULL);

/* ================================ making and finding ================================ */

static void one_is_found_A24(acre_segment *s)
{
    point *p = NULL, *q = NULL;
    size_t count = 0;
    ACRE_CHECK_EQUAL(ACRE_CONSTRUCT(s, point, "origin", &p), 0);
    ACRE_CHECK(p && p->x == 0 && p->y == 0);
    p->x = 7;
    ACRE_CHECK_EQUAL(acre_find(s, &point_type, "origin", (void **)&q, &count), 0);
    ACRE_CHECK(q == p && count == 1);
    ACRE_CHECK(ACRE_FIND(s, point, "origin") == p);
    ACRE_CHECK(ACRE_FIND(s, point, "orbit") == NULL);
    ACRE_CHECK_EQUAL(acre_named_count(s), 1);
    ACRE_CHECK_EQUAL(ACRE_DESTROY(s, point, "origin"), 0);
    ACRE_CHECK_EQUAL(ACRE_DESTROY(s, point, "origin"), ENOENT);
    ACRE_CHECK_EQUAL(acre_find(s, NULL, "origin", NULL, NULL), ENOENT);
    object_expect_empty(s);
}

static void arrays_are_found_A24(acre_segment *s)
{
    point *p = NULL;
    size_t count = 0;
    ACRE_CHECK_EQUAL(acre_construct(s, &point_type, "ten", 10, NULL, (void **)&p), 0);
    ACRE_CHECK_EQUAL(acre_construct_unique(s, &point_type, 10, NULL, NULL), 0);
    ACRE_CHECK_EQUAL(acre_construct_anonymous(s, &point_type, 10, NULL, (void **)&p), 0);
    for (int i = 0; i < 10; i++)
        ACRE_CHECK(p[i].x == 0 && p[i].y == 0);
    ACRE_CHECK_EQUAL(acre_find_unique(s, &point_type, NULL, &count), 0);
    ACRE_CHECK_EQUAL(count, 10);
    ACRE_CHECK_EQUAL(acre_destroy_ptr(s, &point_type, p), 0);
    ACRE_CHECK_EQUAL(acre_destroy_unique(s, &point_type), 0);
    ACRE_CHECK_EQUAL(acre_destroy(s, &point_type, "ten"), 0);
    object_expect_empty(s);
}

static void a_taken_name_changes_nothing_A18(acre_segment *s)
{
    point *p = NULL, *q = (point *)1;
    ACRE_CHECK_EQUAL(ACRE_CONSTRUCT(s, point, "one", &p), 0);
    object_walk before = object_blocks(s);
    ACRE_CHECK_EQUAL(ACRE_CONSTRUCT(s, point, "one", &q), EEXIST);
    ACRE_CHECK_EQUAL(acre_construct(s, ACRE_TYPE(char), "one", 1, NULL, NULL), EEXIST);
    ACRE_CHECK(q == (point *)1);
    ACRE_CHECK(object_blocks(s).bytes == before.bytes && object_blocks(s).blocks == before.blocks);
    ACRE_CHECK_EQUAL(acre_named_count(s), 1);
}

static void many_are_found(acre_segment *s)
{
    enum { MANY = 5000 };
    char name[32];
    for (int i = 0; i < MANY; i++) {
        int *p;
        snprintf(name, sizeof name, "object %d", i);
        ACRE_CHECK_EQUAL(ACRE_CONSTRUCT(s, int, name, &p), 0);
        *p = i;
    }
    for (int i = 0; i < MANY; i += 1 + i % 3) {
        snprintf(name, sizeof name, "object %d", i);
        ACRE_CHECK_EQUAL(ACRE_DESTROY(s, int, name), 0);
        ACRE_CHECK_EQUAL(ACRE_CONSTRUCT(s, int, name, &(int *){0}), 0);
        *ACRE_FIND(s, int, name) = i;
    }
    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "object %d", i);
        ACRE_CHECK_EQUAL(*ACRE_FIND(s, int, name), i);
        snprintf(name, sizeof name, "object -%d", i);
        ACRE_CHECK(!ACRE_FIND(s, int, name));
    }
    for (int i = 0; i < MANY; i++) {
        snprintf(name, sizeof name, "object %d", i);
        ACRE_CHECK_EQUAL(ACRE_DESTROY(s, int, name), 0);
    }
    object_expect_empty(s);
}

#define CASES(X, ...)                              \
    X(__VA_ARGS__, one_is_found_A24)               \
    X(__VA_ARGS__, arrays_are_found_A24)           \
    X(__VA_ARGS__, a_taken_name_changes_nothing_A18) \
    X(__VA_ARGS__, many_are_found)
OBJECT_CASES(CASES, object)
