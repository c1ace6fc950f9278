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

/* Two arrays, of which element i takes an element each: what Boost's construct_it is for. */
typedef struct axes {
    const int64_t *x, *y;
} axes;

static int point_from(acre_segment *s, void *element, size_t i, void *arg)
{
    const axes *a = arg;
    (void)s;
    *(point *)element = (point){a->x[i], a->y[i]};
    return 0;
}

static void expect_from(const point *p, const axes *a, size_t n)
{
    for (size_t i = 0; i < n; i++)
        ACRE_CHECK(p[i].x == a->x[i] && p[i].y == a->y[i], "element %zu of %zu", i, n);
}

static void each_element_takes_its_own_A24(acre_segment *s)
{
    static const int64_t x[10] = {3, 1, 4, 1, 5, 9, 2, 6, 5, 3}, y[10] = {2, 7, 1, 8, 2, 8, 1, 8, 2, 8};
    const acre_type t = ACRE_TYPE_INIT(point, point_from, NULL);
    axes a = {x, y};
    for (size_t n = 1; n <= 10; n += 9) {
        void *named, *unique, *anonymous;
        ACRE_CHECK_EQUAL(acre_construct(s, &t, "points", n, &a, &named), 0);
        ACRE_CHECK_EQUAL(acre_construct_unique(s, &t, n, &a, &unique), 0);
        ACRE_CHECK_EQUAL(acre_construct_anonymous(s, &t, n, &a, &anonymous), 0);
        expect_from(named, &a, n);
        expect_from(unique, &a, n);
        expect_from(anonymous, &a, n);
        ACRE_CHECK_EQUAL(acre_destroy(s, &t, "points"), 0);
        ACRE_CHECK_EQUAL(acre_destroy_unique(s, &t), 0);
        ACRE_CHECK_EQUAL(acre_destroy_ptr(s, &t, anonymous), 0);
        object_expect_empty(s);
    }
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

/* ================================ alignment, kinds, information ================================ */

static void check_info(acre_segment *s, const void *p, const acre_type *t, enum acre_object_kind kind, const char *name)
{
    acre_object o;
    ACRE_CHECK_EQUAL(acre_object_info(s, p, &o), 0);
    ACRE_CHECK(o.kind == kind && o.address == p && o.count == 3 && o.size == t->size && o.align == t->align);
    ACRE_CHECK(!strcmp(o.name, name) && o.name_length == strlen(name) && !strcmp(o.type, t->name), "%s %s", o.name,
               o.type);
}

static void every_alignment_A17(acre_segment *s)
{
    for (size_t align = 1; align <= ACRE_TYPE_ALIGN_MAX; align *= 2) {
        acre_type t = {.name = "aligned", .size = align, .align = align};
        void *named, *unique, *anonymous, *found;
        size_t count = 0;
        ACRE_CHECK_EQUAL(acre_construct(s, &t, "named", 3, NULL, &named), 0);
        ACRE_CHECK_EQUAL(acre_construct_unique(s, &t, 3, NULL, &unique), 0);
        ACRE_CHECK_EQUAL(acre_construct_anonymous(s, &t, 3, NULL, &anonymous), 0);
        ACRE_CHECK(!((uintptr_t)named % align) && !((uintptr_t)unique % align) && !((uintptr_t)anonymous % align));
        ACRE_CHECK(acre_find(s, &t, "named", &found, &count) == 0 && found == named && count == 3);
        ACRE_CHECK(acre_find_unique(s, &t, &found, &count) == 0 && found == unique && count == 3);
        check_info(s, named, &t, ACRE_OBJECT_NAMED, "named");
        check_info(s, unique, &t, ACRE_OBJECT_UNIQUE, "aligned");
        check_info(s, anonymous, &t, ACRE_OBJECT_ANONYMOUS, "");
        memset(named, 0xff, 3 * align);
        ACRE_CHECK_EQUAL(acre_destroy(s, &t, "named"), 0);
        ACRE_CHECK_EQUAL(acre_destroy_ptr(s, &t, unique), 0);
        ACRE_CHECK_EQUAL(acre_destroy_ptr(s, &t, anonymous), 0);
        ACRE_CHECK_EQUAL(acre_destroy_ptr(s, &t, anonymous), ACRE_EINVALID);
    }
    object_expect_empty(s);
}

static void another_type_is_told(acre_segment *s)
{
    acre_type t = {.name = "thing", .size = 24, .align = 8}, name = t, size = t, align = t;
    void *p = s, *q;
    name.name = "thong";
    size.size = 25;
    align.align = 16;
    const acre_type *wrong[] = {&name, &size, &align};
    ACRE_CHECK_EQUAL(acre_construct(s, &t, "it", 1, NULL, &q), 0);
    for (int i = 0; i < 3; i++) {
        ACRE_CHECK_EQUAL(acre_find(s, wrong[i], "it", &p, NULL), ACRE_EOTHERTYPE);
        ACRE_CHECK_EQUAL(acre_find_or_construct(s, wrong[i], "it", 1, NULL, &p, NULL), ACRE_EOTHERTYPE);
        ACRE_CHECK_EQUAL(acre_destroy(s, wrong[i], "it"), ACRE_EOTHERTYPE);
        ACRE_CHECK_EQUAL(acre_destroy_ptr(s, wrong[i], q), ACRE_EOTHERTYPE);
        ACRE_CHECK(p == s);
    }
    ACRE_CHECK_EQUAL(acre_construct_unique(s, &t, 1, NULL, NULL), 0);
    ACRE_CHECK_EQUAL(acre_find_unique(s, &size, NULL, NULL), ACRE_EOTHERTYPE);
    ACRE_CHECK_EQUAL(acre_find_unique(s, &name, NULL, NULL), ENOENT);
    ACRE_CHECK_EQUAL(acre_find(s, &t, "thing", NULL, NULL), ENOENT); /* unique ones have no name */
    ACRE_CHECK_EQUAL(acre_find(s, NULL, "it", &p, NULL), 0);
    ACRE_CHECK(p == q);
    ACRE_CHECK_EQUAL(acre_destroy_unique(s, &t), 0);
    ACRE_CHECK_EQUAL(acre_destroy(s, NULL, "it"), 0);
    object_expect_empty(s);
}

static void what_is_no_object_is_refused(acre_segment *s)
{
    acre_object o;
    char *p, *block = acre_alloc(acre_segment_heap(s), 1000);
    memset(block, 0x5a, 1000);
    ACRE_CHECK_EQUAL(acre_construct(s, ACRE_TYPE(char), "it", 100, NULL, (void **)&p), 0);
    ACRE_CHECK_EQUAL(acre_destroy_ptr(s, NULL, block + 504), ACRE_EINVALID);
    ACRE_CHECK_EQUAL(acre_destroy_ptr(s, NULL, p + 8), ACRE_EINVALID);
    ACRE_CHECK_EQUAL(acre_destroy_ptr(s, NULL, p + 1), ACRE_EINVALID);
    ACRE_CHECK_EQUAL(acre_destroy_ptr(s, NULL, &o), ACRE_EINVALID);
    ACRE_CHECK_EQUAL(acre_destroy_ptr(s, NULL, NULL), ACRE_EINVALID);
    ACRE_CHECK_EQUAL(acre_object_info(s, acre_segment_base(s), &o), ACRE_EINVALID);
    ACRE_CHECK_EQUAL(acre_object_info(s, (char *)acre_segment_base(s) + acre_segment_size(s), &o), ACRE_EINVALID);
    acre_type none = {.name = "t", .size = 0}, odd = {.name = "t", .size = 1, .align = 3}, far = {.name = "t", .size = 1, .align = 8192};
    const acre_type *wrong[] = {NULL, &none, &odd, &far, &(acre_type){.name = "", .size = 1}};
    for (int i = 0; i < 5; i++)
        ACRE_CHECK_EQUAL(acre_construct(s, wrong[i], "x", 1, NULL, NULL), EINVAL);
    ACRE_CHECK_EQUAL(acre_construct(s, &point_type, "x", 0, NULL, NULL), EINVAL);
    ACRE_CHECK_EQUAL(acre_construct(s, &point_type, "x", SIZE_MAX / 4, NULL, NULL), ENOMEM);
    ACRE_CHECK_EQUAL(acre_construct(s, &point_type, "x", 1 << 20, NULL, NULL), ENOMEM);
    ACRE_CHECK_EQUAL(acre_destroy(s, NULL, "it"), 0);
    ACRE_CHECK_EQUAL(acre_free(acre_segment_heap(s), block), 0);
    object_expect_empty(s);
}

/* ================================ constructors ================================ */

typedef struct log_entry {
    int made[16], ended[16];
    int makes, ends, fail;
} log_entry;

static log_entry logged;

static int noisy_init(acre_segment *s, void *element, size_t i, void *arg)
{
    (void)s;
    if ((int)i == *(int *)arg)
        return EDOM;
    ACRE_CHECK_EQUAL(*(int *)element, 0);
    *(int *)element = 100 + (int)i;
    logged.made[logged.makes++] = (int)i;
    return 0;
}

static void noisy_fini(acre_segment *s, void *element)
{
    (void)s;
    logged.ended[logged.ends++] = *(int *)element - 100;
}

static const acre_type noisy_type = {
    .name = "noisy", .size = sizeof(int), .align = sizeof(int), .init = noisy_init, .fini = noisy_fini};

static void what_was_built_is_undone_in_reverse_A19(acre_segment *s)
{
    for (int fail = 0; fail <= 10; fail++) {
        logged = (log_entry){0};
        void *p = s;
        int e = acre_construct(s, &noisy_type, "array", 10, &fail, &p);
        ACRE_CHECK_EQUAL(e, fail < 10 ? EDOM : 0);
        ACRE_CHECK((p == s) == (e != 0));
        if (e == 0)
            ACRE_CHECK_EQUAL(acre_destroy(s, &noisy_type, "array"), 0);
        ACRE_CHECK(logged.makes == fail && logged.ends == fail);
        for (int i = 0; i < fail; i++)
            ACRE_CHECK(logged.made[i] == i && logged.ended[i] == fail - 1 - i);
        ACRE_CHECK_EQUAL(acre_find(s, NULL, "array", NULL, NULL), ENOENT);
        object_expect_empty(s);
    }
}

/* Each makes the one below, some find the same one again, the last one may fail. */
static int nest_init(acre_segment *s, void *element, size_t i, void *arg);
static const acre_type nest_type = {.name = "nest", .size = sizeof(int), .align = sizeof(int), .init = nest_init, .fini = NULL};

static int nest_init(acre_segment *s, void *element, size_t i, void *arg)
{
    int depth = *(int *)arg - 1, e;
    char name[32];
    (void)i;
    *(int *)element = *(int *)arg;
    if (depth == 0)
        return logged.fail;
    snprintf(name, sizeof name, "nest %d", depth);
    e = acre_construct(s, &nest_type, name, 1, &depth, NULL);
    ACRE_CHECK_EQUAL(acre_find(s, &nest_type, "nest 6", NULL, NULL), ENOENT); /* not complete yet */
    ACRE_CHECK_EQUAL(acre_construct(s, &nest_type, "nest 6", 1, arg, NULL), EEXIST);
    ACRE_CHECK_EQUAL(acre_find_or_construct(s, &nest_type, "nest 6", 1, arg, NULL, NULL), EDEADLK);
    return e;
}

static void constructors_construct_A19(acre_segment *s)
{
    int six = 6;
    char name[32];
    logged.fail = 0;
    ACRE_CHECK_EQUAL(acre_construct(s, &nest_type, "nest 6", 1, &six, NULL), 0);
    ACRE_CHECK_EQUAL(acre_named_count(s), 6);
    for (int i = 1; i <= 6; i++) {
        snprintf(name, sizeof name, "nest %d", i);
        ACRE_CHECK_EQUAL(acre_destroy(s, &nest_type, name), 0);
    }
    logged.fail = ERANGE;
    ACRE_CHECK_EQUAL(acre_construct(s, &nest_type, "nest 6", 1, &six, NULL), ERANGE);
    object_expect_empty(s);
}

static void chain_fini(acre_segment *s, void *element)
{
    char name[32];
    snprintf(name, sizeof name, "chain %d", *(int *)element - 1);
    ACRE_CHECK_EQUAL(acre_destroy_ptr(s, NULL, element), EBUSY);
    acre_type t = {.name = "chain", .size = sizeof(int), .align = sizeof(int), .fini = chain_fini};
    int e = acre_destroy(s, &t, name);
    ACRE_CHECK_EQUAL(e, *(int *)element == 1 ? ENOENT : 0);
}

static void destructors_destroy(acre_segment *s)
{
    acre_type t = {.name = "chain", .size = sizeof(int), .align = sizeof(int), .fini = chain_fini};
    char name[32];
    for (int i = 1; i <= 8; i++) {
        int *p;
        snprintf(name, sizeof name, "chain %d", i);
        ACRE_CHECK_EQUAL(acre_construct(s, &t, name, 1, NULL, (void **)&p), 0);
        *p = i;
    }
    ACRE_CHECK_EQUAL(acre_destroy(s, &t, "chain 8"), 0);
    object_expect_empty(s);
}

static void who_comes_first_makes_it(acre_segment *s)
{
    point *p = NULL, *q = NULL;
    bool made = false;
    ACRE_CHECK_EQUAL(acre_find_or_construct(s, &point_type, "it", 1, NULL, (void **)&p, &made), 0);
    ACRE_CHECK(made && p);
    ACRE_CHECK_EQUAL(acre_find_or_construct(s, &point_type, "it", 1, NULL, (void **)&q, &made), 0);
    ACRE_CHECK(!made && q == p);
    ACRE_CHECK_EQUAL(acre_find_or_construct_unique(s, &point_type, 2, NULL, (void **)&q, &made), 0);
    ACRE_CHECK(made && q != p);
    ACRE_CHECK_EQUAL(ACRE_FIND_OR_CONSTRUCT(s, point, "it", &q), 0);
    ACRE_CHECK(q == p);
    ACRE_CHECK_EQUAL(acre_destroy_ptr(s, NULL, p), 0);
    ACRE_CHECK_EQUAL(acre_destroy_unique(s, &point_type), 0);
    object_expect_empty(s);
}

static void slots_own_anonymous_ones(acre_segment *s)
{
    acre_off *root = acre_segment_root(s), wild = 0;
    point *p;
    ACRE_CHECK_EQUAL(acre_construct_into(s, &point_type, 2, NULL, root), 0);
    ACRE_CHECK_EQUAL(acre_construct_into(s, &point_type, 2, NULL, root), EINVAL);
    ACRE_CHECK_EQUAL(acre_construct_into(s, &point_type, 2, NULL, &wild), ACRE_EINVALID);
    p = acre_segment_address(s, *root);
    p[1].y = 3;
    ACRE_CHECK_EQUAL(acre_destroy_from(s, ACRE_TYPE(char), root), ACRE_EOTHERTYPE);
    ACRE_CHECK_EQUAL(acre_destroy_from(s, &point_type, root), 0);
    ACRE_CHECK_EQUAL(*root, 0);
    ACRE_CHECK_EQUAL(acre_destroy_from(s, &point_type, root), ENOENT);
    ACRE_CHECK_EQUAL(ACRE_CONSTRUCT(s, point, "named", &p), 0);
    *root = acre_segment_offset(s, p);
    ACRE_CHECK_EQUAL(acre_destroy_from(s, &point_type, root), EINVAL);
    *root = 0;
    ACRE_CHECK_EQUAL(ACRE_DESTROY(s, point, "named"), 0);
    object_expect_empty(s);
}

#define CASES(X, ...)                                               \
    X(__VA_ARGS__, one_is_found_A24)                                \
    X(__VA_ARGS__, arrays_are_found_A24)                            \
    X(__VA_ARGS__, each_element_takes_its_own_A24)                  \
    X(__VA_ARGS__, a_taken_name_changes_nothing_A18)                \
    X(__VA_ARGS__, many_are_found)                                  \
    X(__VA_ARGS__, every_alignment_A17)                             \
    X(__VA_ARGS__, another_type_is_told)                            \
    X(__VA_ARGS__, what_is_no_object_is_refused)                    \
    X(__VA_ARGS__, what_was_built_is_undone_in_reverse_A19)         \
    X(__VA_ARGS__, constructors_construct_A19)                      \
    X(__VA_ARGS__, destructors_destroy)                             \
    X(__VA_ARGS__, who_comes_first_makes_it)                        \
    X(__VA_ARGS__, slots_own_anonymous_ones)
OBJECT_CASES(CASES, object)

/* ================================ segments ================================ */

ACRE_TEST(object, a_segment_without_index_refuses_A23)
{
    acre_segment *s = object_segment(ACRE_INDEX_NONE, "rbtree_best_fit", 64 << 10);
    acre_cursor c = {0};
    acre_object o;
    void *p = acre_alloc(acre_segment_heap(s), 100);
    ACRE_CHECK(p);
    ACRE_CHECK_EQUAL(acre_construct(s, &point_type, "it", 1, NULL, NULL), ENOTSUP);
    ACRE_CHECK_EQUAL(acre_construct_unique(s, &point_type, 1, NULL, NULL), ENOTSUP);
    ACRE_CHECK_EQUAL(acre_construct_anonymous(s, &point_type, 1, NULL, NULL), ENOTSUP);
    ACRE_CHECK_EQUAL(acre_find(s, &point_type, "it", NULL, NULL), ENOTSUP);
    ACRE_CHECK_EQUAL(acre_find_or_construct(s, &point_type, "it", 1, NULL, NULL, NULL), ENOTSUP);
    ACRE_CHECK_EQUAL(acre_destroy(s, &point_type, "it"), ENOTSUP);
    ACRE_CHECK_EQUAL(acre_destroy_ptr(s, NULL, p), ENOTSUP);
    ACRE_CHECK_EQUAL(acre_object_info(s, p, &o), ENOTSUP);
    ACRE_CHECK_EQUAL(acre_object_next(s, &c, &o), ENOTSUP);
    ACRE_CHECK_EQUAL(acre_atomic_begin(s), ENOTSUP);
    ACRE_CHECK_EQUAL(acre_atomic_end(s), ENOTSUP);
    ACRE_CHECK_EQUAL(acre_shrink_indexes(s), ENOTSUP);
    ACRE_CHECK_EQUAL(acre_named_count(s), 0);
    ACRE_CHECK_EQUAL(acre_free(acre_segment_heap(s), p), 0);
    acre_segment_close(s);
}

static void read_only(uint32_t index)
{
    acre_segment_options o = {.size = 64 << 10, .index = index};
    acre_segment *s, *r;
    point *p, *q;
    ACRE_CHECK_EQUAL(acre_segment_create(&s, ACRE_MEMFD, NULL, &o), 0);
    ACRE_CHECK_EQUAL(ACRE_CONSTRUCT(s, point, "it", &p), 0);
    p->x = 42;
    acre_segment_options ro = {.fd = acre_segment_fd(s), .read_only = true};
    ACRE_CHECK_EQUAL(acre_segment_open(&r, ACRE_MEMFD, NULL, &ro), 0);
    q = ACRE_FIND(r, point, "it");
    ACRE_CHECK(q && q != p && q->x == 42 && acre_segment_offset(r, q) == acre_segment_offset(s, p));
    ACRE_CHECK_EQUAL(acre_find(r, NULL, "nothing", NULL, NULL), ENOENT);
    acre_cursor c = {0};
    acre_object info;
    ACRE_CHECK(acre_object_next(r, &c, &info) == 0 && info.address == q && !strcmp(info.name, "it"));
    ACRE_CHECK_EQUAL(acre_object_next(r, &c, &info), ENOENT);
    ACRE_CHECK_EQUAL(acre_construct(r, &point_type, "new", 1, NULL, NULL), EROFS);
    ACRE_CHECK_EQUAL(acre_find_or_construct(r, &point_type, "new", 1, NULL, NULL, NULL), EROFS);
    ACRE_CHECK_EQUAL(acre_find_or_construct(r, &point_type, "it", 1, NULL, NULL, NULL), 0);
    ACRE_CHECK_EQUAL(acre_destroy(r, &point_type, "it"), EROFS);
    ACRE_CHECK_EQUAL(acre_atomic_begin(r), EROFS);
    acre_segment_close(r);
    ACRE_CHECK_EQUAL(acre_atomic_begin(s), 0);
    ACRE_CHECK_EQUAL(acre_segment_close(s), EBUSY);
    ACRE_CHECK_EQUAL(acre_atomic_end(s), 0);
    acre_segment_close(s);
}

ACRE_TEST(object, read_only_hash)
{
    read_only(ACRE_INDEX_HASH);
}
ACRE_TEST(object, read_only_ordered)
{
    read_only(ACRE_INDEX_ORDERED);
}
ACRE_TEST(object, read_only_flat)
{
    read_only(ACRE_INDEX_FLAT);
}

ACRE_TEST(object, an_unknown_index_is_refused)
{
    acre_segment_options o = {.size = 64 << 10};
    acre_segment *s, *t;
    ACRE_CHECK_EQUAL(acre_segment_create(&s, ACRE_MEMFD, NULL, &o), 0);
    object_names_of(s)->index = 7;
    acre_segment_options again = {.fd = acre_segment_fd(s)};
    ACRE_CHECK_EQUAL(acre_segment_open(&t, ACRE_MEMFD, NULL, &again), ACRE_EFEATURE);
    acre_segment_close(s);
}
