/* SPDX-License-Identifier: MIT */
/* Names of objects, visiting them, and the index's memory, one suite for each index and some algorithms. */
#include "tests/support_object.h"

typedef struct point {
    int64_t x, y;
} point;

static const acre_type point_type = ACRE_TYPE_INIT(point, NULL, NULL);

/* ================================ names ================================ */

static void every_length_of_name_A34(acre_segment *s)
{
    static char name[ACRE_NAME_MAX + 2];
    static const size_t lengths[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 15, 16, 17, 255, 4096, 65535, ACRE_NAME_MAX};
    enum { N = sizeof lengths / sizeof *lengths };
    memset(name, 'n', sizeof name);
    for (size_t i = 0; i < N; i++)
        ACRE_CHECK_EQUAL(acre_construct_n(s, &point_type, name, lengths[i], 1, NULL, NULL), 0);
    for (size_t i = 0; i < N; i++) {
        acre_object o;
        void *p;
        ACRE_CHECK_EQUAL(acre_construct_n(s, &point_type, name, lengths[i], 1, NULL, NULL), EEXIST);
        ACRE_CHECK_EQUAL(acre_find_n(s, &point_type, name, lengths[i], &p, NULL), 0);
        ACRE_CHECK_EQUAL(acre_object_info(s, p, &o), 0);
        ACRE_CHECK(o.name_length == lengths[i] && !memcmp(o.name, name, lengths[i]) && !o.name[lengths[i]]);
    }
    void *out = s;
    ACRE_CHECK_EQUAL(acre_construct(s, &point_type, "", 1, NULL, &out), ACRE_ENAME);
    ACRE_CHECK_EQUAL(acre_construct(s, &point_type, NULL, 1, NULL, &out), ACRE_ENAME);
    ACRE_CHECK_EQUAL(acre_find(s, &point_type, "", &out, NULL), ACRE_ENAME);
    ACRE_CHECK_EQUAL(acre_destroy(s, &point_type, ""), ACRE_ENAME);
    ACRE_CHECK_EQUAL(acre_construct_n(s, &point_type, name, ACRE_NAME_MAX + 1, 1, NULL, &out), ACRE_ENAME);
    ACRE_CHECK(out == s);
    for (size_t i = 0; i < N; i++)
        ACRE_CHECK_EQUAL(acre_destroy_n(s, &point_type, name, lengths[i]), 0);
    object_expect_empty(s);
}

/* All of up to two bytes over an alphabet with zeros and high bits. */
static void names_of_any_bytes_A34(acre_segment *s)
{
    static const char bytes[] = {0, 1, 'a', 'b', 0x7f, (char)0x80, (char)0xff};
    enum { B = sizeof bytes };
    char name[8] = "1234567", last[8] = "";
    size_t n = 0, length = 0;
    for (int i = 0; i < B * (B + 1); i++, n++) {
        char word[2] = {bytes[i % B], i < B ? 0 : bytes[i / B - 1]};
        ACRE_CHECK_EQUAL(acre_construct_n(s, &point_type, word, i < B ? 1 : 2, 1, NULL, NULL), 0);
    }
    ACRE_CHECK_EQUAL(acre_construct_n(s, &point_type, name, 8, 1, NULL, NULL), 0); /* a zero at the end, */
    ACRE_CHECK_EQUAL(acre_construct_n(s, &point_type, name, 7, 1, NULL, NULL), 0); /* and none */
    ACRE_CHECK_EQUAL(acre_named_count(s), n + 2);
    acre_cursor c = {0};
    acre_object o;
    bool sorted = true;
    for (size_t i = 0; i < n + 2; i++) {
        ACRE_CHECK_EQUAL(acre_object_next(s, &c, &o), 0);
        int order = memcmp(last, o.name, length < o.name_length ? length : o.name_length);
        sorted &= order < 0 || (order == 0 && length < o.name_length);
        memcpy(last, o.name, length = o.name_length);
        ACRE_CHECK_EQUAL(acre_destroy_n(s, &point_type, o.name, o.name_length), 0);
    }
    ACRE_CHECK_EQUAL(acre_object_next(s, &c, &o), ENOENT);
    ACRE_CHECK(sorted == (object_index_of(s) != ACRE_INDEX_HASH));
    object_expect_empty(s);
}

/* ================================ iterating ================================ */

static void all_are_visited_A20(acre_segment *s)
{
    enum { N = 1000 };
    static unsigned char seen[N];
    char name[32];
    memset(seen, 0, sizeof seen);
    for (int i = 0; i < N; i++) {
        int *p;
        snprintf(name, sizeof name, "%d", i);
        ACRE_CHECK_EQUAL(ACRE_CONSTRUCT_ARRAY(s, int, name, 1 + i % 7, &p), 0);
        *p = i;
    }
    ACRE_CHECK_EQUAL(acre_construct_unique(s, &point_type, 4, NULL, NULL), 0);
    ACRE_CHECK(acre_named_count(s) == N && acre_unique_count(s) == 1);
    acre_cursor c = {0};
    acre_object o;
    size_t n = 0, unique = 0;
    for (; acre_object_next(s, &c, &o) == 0; n++) {
        if (o.kind == ACRE_OBJECT_UNIQUE) {
            ACRE_CHECK(!strcmp(o.name, "point") && !strcmp(o.type, "point") && o.count == 4);
            unique++;
            continue;
        }
        int i = atoi(o.name);
        ACRE_CHECK(o.kind == ACRE_OBJECT_NAMED && *(int *)o.address == i && o.count == (size_t)(1 + i % 7));
        ACRE_CHECK(o.name_length == strlen(o.name) && !strcmp(o.type, "int") && o.size == sizeof(int));
        ACRE_CHECK(!seen[i]++);
    }
    ACRE_CHECK(n == N + 1 && unique == 1, "%zu", n);
    while (acre_object_next(s, &c, &o) == 0)
        ACRE_CHECK_EQUAL(acre_destroy_ptr(s, NULL, o.address), 0);
    object_expect_empty(s);
}

/* What stays is visited once, whatever comes and goes, and however the index grows and shrinks. */
static void changes_while_visiting_A20(acre_segment *s)
{
    enum { N = 200 };
    static unsigned char seen[N];
    uint64_t seed = acre_test_seed();
    char name[32];
    memset(seen, 0, sizeof seen);
    for (int i = 0; i < N; i++) {
        snprintf(name, sizeof name, "stays %d", i);
        ACRE_CHECK_EQUAL(ACRE_CONSTRUCT(s, int, name, (int **)&(int *){0}), 0);
    }
    acre_cursor c = {0};
    acre_object o;
    for (int step = 0; acre_object_next(s, &c, &o) == 0; step++) {
        if (o.name[0] == 's')
            ACRE_CHECK(!seen[atoi(o.name + 6)]++);
        for (int i = 0; i < 20; i++) {
            snprintf(name, sizeof name, "%s %d", i % 2 ? "comes" : "zap", (int)acre_test_below(&seed, 500));
            if (ACRE_DESTROY(s, int, name) == ENOENT)
                ACRE_CHECK_EQUAL(ACRE_CONSTRUCT(s, int, name, (int **)&(int *){0}), 0);
        }
        if (step % 16 == 0)
            ACRE_CHECK_EQUAL(acre_shrink_indexes(s), 0);
        ACRE_CHECK(step < 100000);
    }
    for (int i = 0; i < N; i++)
        ACRE_CHECK_EQUAL(seen[i], 1);
    while (acre_object_next(s, &c, &o) == 0)
        ACRE_CHECK_EQUAL(acre_destroy_n(s, NULL, o.name, o.name_length), 0);
    object_expect_empty(s);
}

/* ================================ memory ================================ */

static void until_it_is_full_A21(acre_segment *s)
{
    char name[32];
    for (int order = 0; order < TEST_ORDERS; order++) {
        size_t n = 0;
        int e;
        /* (An array of 300 bytes each, so that the flat index does not take all the time.) */
        for (;; n++) {
            snprintf(name, sizeof name, "name %zu", n);
            e = acre_construct(s, ACRE_TYPE(char), name, 300, NULL, NULL);
            if (e)
                break;
        }
        ACRE_CHECK_EQUAL(e, ENOMEM);
        ACRE_CHECK_EQUAL(acre_find(s, NULL, name, NULL, NULL), ENOENT);
        ACRE_CHECK(n > 5000 && acre_named_count(s) == n, "%zu", n);
        test_sound(acre_segment_heap(s));
        for (size_t i = 0; i < n; i++) {
            snprintf(name, sizeof name, "name %zu", test_pick(order, i, n));
            ACRE_CHECK_EQUAL(ACRE_DESTROY(s, char, name), 0);
        }
        object_expect_empty(s);
    }
}

/* Every third one is the only one of its type. */
static int make_nth(acre_segment *s, int i)
{
    char name[32];
    acre_type t = {.name = name, .size = 1, .align = 1};
    snprintf(name, sizeof name, "name %d", i);
    return i % 3 ? acre_construct(s, ACRE_TYPE(char), name, 1, NULL, NULL) : acre_construct_unique(s, &t, 1, NULL, NULL);
}

static int end_nth(acre_segment *s, int i)
{
    char name[32];
    acre_type t = {.name = name, .size = 1, .align = 1};
    snprintf(name, sizeof name, "name %d", i);
    return i % 3 ? acre_destroy(s, ACRE_TYPE(char), name) : acre_destroy_unique(s, &t);
}

static void what_is_reserved_need_not_grow_A22(acre_segment *s)
{
    ACRE_CHECK_EQUAL(acre_reserve_objects(s, 1000), 0);
    object_walk before = object_blocks(s);
    for (int i = 0; i < 1000; i++)
        ACRE_CHECK_EQUAL(make_nth(s, i), 0);
    ACRE_CHECK(acre_named_count(s) == 666 && acre_unique_count(s) == 334);
    ACRE_CHECK_EQUAL(object_blocks(s).blocks, before.blocks + 1000);
    for (int i = 0; i < 1000; i++)
        ACRE_CHECK_EQUAL(end_nth(s, i), 0);
    /* An index that has grown is one block as before, but a larger one. */
    ACRE_CHECK(object_blocks(s).blocks == before.blocks && object_blocks(s).bytes == before.bytes);
    ACRE_CHECK_EQUAL(acre_reserve_objects(s, SIZE_MAX), object_index_of(s) == ACRE_INDEX_ORDERED ? 0 : ENOMEM);
    object_expect_empty(s);
}

/* Shrinking in the middle keeps what is there. */
static void a_shrunk_index_finds(acre_segment *s)
{
    char name[32];
    for (int i = 0; i < 3000; i++) {
        snprintf(name, sizeof name, "name %d", i);
        ACRE_CHECK_EQUAL(ACRE_CONSTRUCT(s, char, name, &(char *){0}), 0);
    }
    for (int left = 3000; left; left /= 3) {
        for (int i = left / 3; i < left; i++) {
            snprintf(name, sizeof name, "name %d", i);
            ACRE_CHECK_EQUAL(ACRE_DESTROY(s, char, name), 0);
        }
        ACRE_CHECK_EQUAL(acre_shrink_indexes(s), 0);
        for (int i = 0; i < left; i++) {
            snprintf(name, sizeof name, "name %d", i);
            ACRE_CHECK_EQUAL(acre_find(s, NULL, name, NULL, NULL), i < left / 3 ? 0 : ENOENT);
        }
    }
    object_expect_empty(s);
}

#define CASES(X, ...)                                          \
    X(__VA_ARGS__, every_length_of_name_A34)                   \
    X(__VA_ARGS__, names_of_any_bytes_A34)                     \
    X(__VA_ARGS__, all_are_visited_A20)                        \
    X(__VA_ARGS__, changes_while_visiting_A20)                 \
    X(__VA_ARGS__, until_it_is_full_A21)                       \
    X(__VA_ARGS__, what_is_reserved_need_not_grow_A22)         \
    X(__VA_ARGS__, a_shrunk_index_finds)
OBJECT_CASES(CASES, object_names)

/* ================================ hashes that are equal ================================ */

static names_entry *entry_of(void *p)
{
    return (names_entry *)(void *)((char *)p - ((names_tag *)p)[-1].distance);
}

/* A name that another one follows on its chain, and that one; both are given the same hash, by hand. */
static bool twin(acre_segment *s, int n, char first[32], char second[32])
{
    for (int i = 0; i < n; i++) {
        void *p;
        snprintf(first, 32, "twin %03d", i);
        ACRE_CHECK_EQUAL(acre_find(s, NULL, first, &p, NULL), 0);
        names_entry *next = acre_segment_address(s, entry_of(p)->next);
        if (!next)
            continue;
        snprintf(second, 32, "%s", (const char *)next->text);
        entry_of(p)->hash = next->hash;
        return true;
    }
    return false;
}

ACRE_TEST(object_names, an_equal_hash_is_not_the_name)
{
    enum { N = 400 };
    acre_segment *s;
    char name[32], second[32];
    void *p, *q;
    ACRE_CHECK_EQUAL(acre_segment_create(&s, ACRE_ANON, NULL, &(acre_segment_options){.size = 1 << 20}), 0);
    for (int i = 0; i < N; i++) {
        snprintf(name, sizeof name, "twin %03d", i);
        ACRE_CHECK_EQUAL(acre_construct(s, &point_type, name, 1, NULL, NULL), 0);
    }
    ACRE_CHECK(twin(s, N, name, second));
    ACRE_CHECK_EQUAL(acre_find(s, &point_type, second, &p, NULL), 0);
    ACRE_CHECK(!strcmp((const char *)entry_of(p)->text, second));
    ACRE_CHECK_EQUAL(acre_construct(s, &point_type, second, 1, NULL, NULL), EEXIST);
    ACRE_CHECK_EQUAL(acre_find(s, &point_type, name, &q, NULL), ENOENT);
    ACRE_CHECK_EQUAL(acre_destroy(s, &point_type, second), 0);
    ACRE_CHECK_EQUAL(acre_find(s, &point_type, second, &p, NULL), ENOENT);
    acre_segment_close(s);
}

/* ================================ links that are damaged ================================ */

/* The first array of buckets is said to be in a block that is free: nothing is made, and the heap stays sound. */
ACRE_TEST(object_names, a_link_that_leads_elsewhere_is_not_stored_to)
{
    acre_segment *s, *t;
    ACRE_CHECK_EQUAL(acre_segment_create(&s, ACRE_ANON, NULL, &(acre_segment_options){.size = 1 << 20}), 0);
    ACRE_CHECK_EQUAL(acre_construct(s, &point_type, "one", 1, NULL, NULL), 0);
    acre_heap *h = acre_segment_heap(s);
    char *p = acre_calloc(h, 1, 4096);
    void *behind = acre_alloc(h, 64);
    ACRE_CHECK(p && behind);
    acre_off away = acre_segment_offset(s, p);
    acre_free(h, p);
    acre_segment_options o = {.size = 1 << 20, .buffer = acre_segment_base(s)};
    ACRE_CHECK_EQUAL(acre_segment_open(&t, ACRE_BUFFER, NULL, &o), 0); /* who has not seen it sound */
    object_names_of(t)->link[0] = away;
    for (int i = 0; i < 100; i++) {
        char name[32];
        snprintf(name, sizeof name, "name %d", i);
        ACRE_CHECK_EQUAL(acre_construct(t, &point_type, name, 1, NULL, NULL), ACRE_ECORRUPT);
    }
    test_sound(acre_segment_heap(t));
    acre_segment_close(t);
    acre_segment_close(s);
}
