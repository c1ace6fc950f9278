/* SPDX-License-Identifier: MIT */
/* Pointers for shared segments: null, self, conversion, arithmetic, difference, comparison, copies
 * at other addresses, tag bits, every address near the pointer, 32 and 64 bits; what the compiler refuses. */
#include "tests/support_heap.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

typedef acre_ptr(int) int_ptr;

_Static_assert(sizeof(acre_ptr(void)) == 8, "one word");
_Static_assert(sizeof(acre_tagged(int)) == 8, "one word");
_Static_assert(sizeof(acre_rel(char)) == 8, "an acre_off");
_Static_assert(sizeof(acre_rel32(double)) == 4 && _Alignof(acre_rel32(double)) == 4, "half a word");

/* ---- one pointer ---- */

ACRE_TEST(pointer, zero_is_null_A62)
{
    struct {
        acre_ptr(int) self;
        acre_tagged(int) tagged;
        acre_rel(int) rel;
        acre_rel32(int) rel32;
    } p;
    memset(&p, 0, sizeof p);
    ACRE_CHECK(acre_is_null(p.self) && acre_get(p.self) == NULL && acre_load(p.self) == NULL);
    ACRE_CHECK(acre_tagged_is_null(p.tagged) && acre_tagged_get(p.tagged) == NULL);
    ACRE_CHECK(acre_rel_is_null(p.rel) && acre_rel_get(p.rel, &p) == NULL);
    ACRE_CHECK(acre_rel32_is_null(p.rel32) && acre_rel32_get(p.rel32, &p) == NULL);
}

ACRE_TEST(pointer, null_again_A62)
{
    int i = 0;
    int_ptr p;
    acre_set(p, &i);
    ACRE_CHECK(!acre_is_null(p) && acre_get(p) == &i && acre_at(p) == &i);
    acre_set(p, NULL);
    ACRE_CHECK(acre_is_null(p) && acre_get(p) == NULL);
    acre_store(p, &i);
    ACRE_CHECK(acre_load(p) == &i);
    acre_store(p, NULL);
    ACRE_CHECK(acre_is_null(p));
}

/* Boost's cannot point to its own address + 1. */
ACRE_TEST(pointer, no_address_is_lost_A62)
{
    char region[256] __attribute__((aligned(8))) = {0};
    acre_ptr(char) *p = (void *)(region + 128);
    for (int i = 0; i < 256; i++) {
        acre_set(*p, region + i);
        ACRE_CHECK(!acre_is_null(*p), "%d bytes from itself", i - 128);
        ACRE_CHECK(acre_get(*p) == region + i && acre_at(*p) == region + i);
    }
}

/* The head of an empty ring points to itself. */
ACRE_TEST(pointer, self_A62)
{
    struct ring {
        acre_ptr(struct ring) next;
    } a, b;
    acre_set(a.next, &a);
    ACRE_CHECK(!acre_is_null(a.next) && acre_get(a.next) == &a);
    acre_copy(b.next, a.next);
    ACRE_CHECK(acre_get(b.next) == &a);
    acre_copy(a.next, a.next);
    ACRE_CHECK(acre_get(a.next) == &a);
}

ACRE_TEST(pointer, the_ends_of_the_address_space_A62)
{
    acre_ptr(char) p;
    char *far[] = {(char *)(uintptr_t)1, (char *)((UINT64_C(1) << 56) - 1)};
    for (int i = 0; i < 2; i++) {
        acre_set(p, far[i]);
        ACRE_CHECK(!acre_is_null(p) && acre_get(p) == far[i]);
    }
}

ACRE_TEST(pointer, conversions_A62)
{
    int i = 0;
    int_ptr p;
    acre_ptr(const int) constant;
    acre_ptr(void) any;
    acre_set(p, &i);
    acre_copy(constant, p);
    acre_copy(any, p);
    ACRE_CHECK(acre_get(constant) == &i && acre_get(any) == &i);
    acre_set(any, &any);
    acre_copy(p, any); /* from void, as in C */
    ACRE_CHECK((void *)acre_get(p) == &any);
}

ACRE_TEST(pointer, arithmetic_and_difference_A62)
{
    int array[100];
    int_ptr p, q;
    acre_set(p, array);
    acre_set(q, array + 60);
    ACRE_CHECK_EQUAL(acre_difference(q, p), 60);
    ACRE_CHECK_EQUAL(acre_difference(p, q), -60);
    acre_advance(p, 99);
    acre_advance(q, -60);
    ACRE_CHECK(acre_get(p) == array + 99 && acre_get(q) == array);
    acre_advance(p, (size_t)1); /* one behind the last is an address, too */
    ACRE_CHECK(acre_get(p) == array + 100);
}

ACRE_TEST(pointer, comparison_A62)
{
    int array[2];
    int_ptr p = {0}, q = {0};
    ACRE_CHECK(acre_equal(p, q) && acre_compare(p, q) == 0);
    acre_set(q, array);
    ACRE_CHECK(!acre_equal(p, q));
    ACRE_CHECK(acre_compare(p, q) == -1 && acre_compare(q, p) == 1);
    acre_set(p, array + 1);
    ACRE_CHECK(acre_compare(p, q) == 1 && acre_compare(q, p) == -1);
    acre_advance(q, 1);
    ACRE_CHECK(acre_equal(p, q) && acre_compare(p, q) == 0);
}

ACRE_TEST(pointer, copies_and_swaps_A62)
{
    int a = 1, b = 2;
    int_ptr p[3] = {0};
    acre_set(p[0], &a);
    acre_set(p[1], &b);
    acre_swap(p[0], p[1]);
    ACRE_CHECK(acre_get(p[0]) == &b && acre_get(p[1]) == &a);
    acre_swap(p[1], p[2]);
    ACRE_CHECK(acre_is_null(p[1]) && acre_get(p[2]) == &a);
    acre_swap(p[2], p[2]);
    ACRE_CHECK(acre_get(p[2]) == &a);
    acre_copy(p[2], p[1]);
    ACRE_CHECK(acre_is_null(p[2]));
}

/* What the header says about bytes that are copied. */
ACRE_TEST(pointer, bytes_of_a_lone_one_point_elsewhere_A62)
{
    int i[4] = {0};
    int_ptr p[2];
    acre_set(p[0], i);
    memcpy(&p[1], &p[0], sizeof p[0]);
    ACRE_CHECK(acre_get(p[1]) == i + sizeof p[0] / sizeof *i);
    acre_rel(int) r[2];
    acre_rel_set(r[0], p, i);
    memcpy(&r[1], &r[0], sizeof r[0]);
    ACRE_CHECK(acre_rel_get(r[1], p) == i);
}

ACRE_TEST(pointer, arguments_are_evaluated_once)
{
    int array[8], n = 0, m = 0;
    int_ptr p[8] = {0};
    acre_set(p[n++], array + m++);
    acre_copy(p[n++], p[m++ - 1]);
    ACRE_CHECK(n == 2 && m == 2 && acre_get(p[1]) == array);
    acre_swap(p[n++], p[m++ - 1]);
    ACRE_CHECK(n == 3 && m == 3 && acre_get(p[2]) == array && acre_is_null(p[1]));
    acre_advance(p[n++ - 1], m++);
    ACRE_CHECK(n == 4 && m == 4 && acre_get(p[2]) == array + 3);
    ACRE_CHECK(acre_compare(p[n++ - 2], p[m++ - 4]) == 1 && n == 5 && m == 5);
    int *expected = array + 3;
    ACRE_CHECK(acre_cas(p[n++ - 3], (m++, &expected), array + 6));
    ACRE_CHECK(n == 6 && m == 6 && acre_get(p[2]) == array + 6);
    acre_tagged(int) t = {0};
    acre_tagged_set(t, array + n++, (unsigned)m++);
    ACRE_CHECK(n == 7 && m == 7 && acre_tagged_get(t) == array + 6 && acre_tag(t) == (6 & 3));
}

/* ---- tag bits ---- */

struct sized {
    uint16_t two;
};
struct wide {
    char bytes[32] __attribute__((aligned(32)));
};

#define CHECK_TAGS(T, mask)                                                                        \
    do {                                                                                           \
        T target[2] = {0};                                                                         \
        acre_tagged(T) p[2] = {0};                                                                 \
        ACRE_CHECK_EQUAL(acre_tag_mask(p[0]), mask);                                               \
        for (unsigned t = 0; t <= (mask); t++)                                                     \
            for (int i = 0; i < 2; i++) {                                                          \
                acre_tagged_set(p[i], NULL, t);                                                    \
                ACRE_CHECK(acre_tagged_is_null(p[i]));                                             \
                ACRE_CHECK(acre_tagged_get(p[i]) == NULL);                                         \
                ACRE_CHECK_EQUAL(acre_tag(p[i]), t);                                               \
                acre_tagged_point(p[i], &target[i]);                                               \
                ACRE_CHECK(!acre_tagged_is_null(p[i]));                                            \
                ACRE_CHECK(acre_tagged_get(p[i]) == &target[i]);                                   \
                ACRE_CHECK_EQUAL(acre_tag(p[i]), t);                                               \
                acre_tag_set(p[i], t + 1);                                                         \
                ACRE_CHECK_EQUAL(acre_tag(p[i]), (t + 1) & (mask));                                \
                ACRE_CHECK(acre_tagged_get(p[i]) == &target[i]);                                   \
                acre_tagged_point(p[i], NULL);                                                     \
                ACRE_CHECK(acre_tagged_is_null(p[i]));                                             \
                ACRE_CHECK_EQUAL(acre_tag(p[i]), (t + 1) & (mask));                                \
            }                                                                                      \
    } while (0)

ACRE_TEST(pointer, tag_bits_A62)
{
    CHECK_TAGS(struct sized, 1);
    CHECK_TAGS(uint32_t, 3);
    CHECK_TAGS(uint64_t, 7);
    CHECK_TAGS(struct wide, 7);
}

/* A node of a red-black tree points to itself and has a colour. */
ACRE_TEST(pointer, tagged_self_A62)
{
    struct red {
        acre_tagged(struct red) parent;
    } n;
    acre_tagged_set(n.parent, &n, 1);
    ACRE_CHECK(acre_tagged_get(n.parent) == &n && acre_tag(n.parent) == 1);
}

/* ---- relative to a base ---- */

ACRE_TEST(pointer, rel_is_an_offset_A62)
{
    char region[64];
    acre_rel(char) p, q = {0};
    acre_rel_set(p, region, region + 33);
    ACRE_CHECK_EQUAL(*acre_rel_slot(p), 33);
    ACRE_CHECK(acre_rel_get(p, region) == region + 33 && acre_rel_at(p, region) == region + 33);
    ACRE_CHECK(!acre_rel_equal(p, q));
    acre_rel_copy(q, p);
    ACRE_CHECK(acre_rel_equal(p, q));
    acre_rel_set(p, region, NULL);
    ACRE_CHECK(acre_rel_is_null(p) && !acre_rel_is_null(q));
}

/* Addresses that nothing lies at: only computed with. */
ACRE_TEST(pointer, rel32_reaches_64_gib_A62)
{
    char *base = (char *)(uintptr_t)0x100000000000;
    const uint64_t reach = UINT64_C(64) << 30;
    static const struct {
        int64_t at;
        bool good;
    } cell[] = {{16, true}, {32, true},  {0, false}, {-16, false},
                {1, false}, {15, false}, {17, false}};
    acre_rel32(char) p = {0}, q = {0};
    for (size_t i = 0; i < sizeof cell / sizeof *cell; i++) {
        ACRE_CHECK(acre_rel32_set(q, base, base + 48));
        acre_rel32_copy(p, q);
        ACRE_CHECK(acre_rel32_equal(p, q));
        ACRE_CHECK_EQUAL(acre_rel32_reaches(base, base + cell[i].at), cell[i].good);
        ACRE_CHECK_EQUAL(acre_rel32_set(p, base, base + cell[i].at), cell[i].good);
        ACRE_CHECK(acre_rel32_get(p, base) == base + (cell[i].good ? cell[i].at : 48));
    }
    ACRE_CHECK(acre_rel32_set(p, base, base + reach - 16) &&
               acre_rel32_at(p, base) == base + reach - 16);
    ACRE_CHECK(!acre_rel32_set(p, base, base + reach) && !acre_rel32_store(p, base, base + reach));
    ACRE_CHECK_EQUAL(acre_rel32_get_off(p), reach - 16);
    ACRE_CHECK(!acre_rel32_set_off(p, reach) && !acre_rel32_set_off(p, 24));
    ACRE_CHECK_EQUAL(acre_rel32_get_off(p), reach - 16);
    ACRE_CHECK(acre_rel32_set_off(p, 0) && acre_rel32_is_null(p));
    ACRE_CHECK(acre_rel32_set(q, base, NULL) && acre_rel32_is_null(q));
}

/* ---- data in a segment ---- */

enum { WORLD_BYTES = 1 << 20, WORLD_N = 1000 };

/* In a list forwards and backwards, and in a tree. */
typedef struct item {
    acre_ptr(struct item) next;
    acre_tagged(struct item) parent; /* tag: which child of it this is */
    acre_rel(struct item) child[2];
    acre_rel32(struct item) before;
    int value;
} item;

typedef struct world {
    acre_ptr(item) first;
    acre_rel(item) root;
    acre_rel32(item) last;
} world;

static void world_append(world *w, item *m, const void *base)
{
    item *last = acre_rel32_get(w->last, base);
    acre_rel32_copy(m->before, w->last);
    if (last)
        acre_set(last->next, m);
    else
        acre_set(w->first, m);
    ACRE_CHECK(acre_rel32_set(w->last, base, m));
}

static void world_plant(world *w, item *m, const void *base)
{
    item *parent = NULL, *n = acre_rel_get(w->root, base);
    unsigned side = 0;
    while (n) {
        parent = n;
        side = m->value > n->value;
        n = acre_rel_get(n->child[side], base);
    }
    acre_tagged_set(m->parent, parent, side);
    if (parent)
        acre_rel_set(parent->child[side], base, m);
    else
        acre_rel_set(w->root, base, m);
}

/* Values are a permutation of [0, WORLD_N). */
static world *world_make(acre_segment *s)
{
    acre_heap *h = acre_segment_heap(s);
    world *w = memset(acre_alloc(h, sizeof *w), 0, sizeof *w);
    for (int i = 0; i < WORLD_N; i++) {
        item *m = acre_alloc(h, sizeof *m);
        ACRE_CHECK(m != NULL);
        memset(m, 0, sizeof *m);
        m->value = i * 389 % WORLD_N;
        world_append(w, m, acre_segment_base(s));
        world_plant(w, m, acre_segment_base(s));
    }
    *acre_segment_root(s) = acre_segment_offset(s, w);
    return w;
}

static void list_check(const world *w, const void *base)
{
    int i = 0;
    for (const item *m = acre_get(w->first); m; m = acre_get(m->next))
        ACRE_CHECK_EQUAL(m->value, i++ * 389 % WORLD_N);
    ACRE_CHECK_EQUAL(i, WORLD_N);
    for (const item *m = acre_rel32_get(w->last, base); m; m = acre_rel32_get(m->before, base))
        ACRE_CHECK_EQUAL(m->value, --i * 389 % WORLD_N);
    ACRE_CHECK_EQUAL(i, 0);
}

/* In order; *next is the value that comes. */
static void tree_check(const item *n, const item *parent, unsigned side, const void *base,
                       int *next)
{
    if (!n)
        return;
    ACRE_CHECK(acre_tagged_get(n->parent) == parent && acre_tag(n->parent) == side);
    tree_check(acre_rel_get(n->child[0], base), n, 0, base, next);
    ACRE_CHECK_EQUAL(n->value, (*next)++);
    tree_check(acre_rel_get(n->child[1], base), n, 1, base, next);
}

static void world_check(const acre_segment *s, acre_off root)
{
    const world *w = acre_segment_address(s, root);
    const void *base = acre_segment_base(s);
    int next = 0;
    list_check(w, base);
    tree_check(acre_rel_get(w->root, base), NULL, 0, base, &next);
    ACRE_CHECK_EQUAL(next, WORLD_N);
}

static acre_segment *segment_shared(void)
{
    acre_segment *s;
    acre_segment_options o = {.size = WORLD_BYTES};
    ACRE_CHECK_EQUAL(acre_segment_create(&s, ACRE_MEMFD, "pointer", &o), 0);
    return s;
}

static acre_segment *segment_again(const acre_segment *s)
{
    acre_segment *again;
    acre_segment_options o = {.fd = acre_segment_fd(s)};
    ACRE_CHECK_EQUAL(acre_segment_open(&again, ACRE_MEMFD, NULL, &o), 0);
    ACRE_CHECK(acre_segment_base(again) != acre_segment_base(s));
    return again;
}

ACRE_TEST(pointer, mapped_twice_A62)
{
    acre_segment *s = segment_shared(), *again = segment_again(s);
    world_make(s);
    world_check(s, *acre_segment_root(s));
    world_check(again, *acre_segment_root(again));
    acre_segment_close(again);
    acre_segment_close(s);
}

/* The old place is overwritten: whoever still points there is found. */
ACRE_TEST(pointer, copied_with_its_region_A62)
{
    acre_segment *s;
    char *here = aligned_alloc(4096, WORLD_BYTES), *there = aligned_alloc(4096, WORLD_BYTES);
    acre_segment_options o = {.size = WORLD_BYTES, .buffer = here};
    ACRE_CHECK_EQUAL(acre_segment_create(&s, ACRE_BUFFER, NULL, &o), 0);
    world_make(s);
    ACRE_CHECK_EQUAL(acre_segment_close(s), 0);
    memcpy(there, here, WORLD_BYTES);
    memset(here, 0xee, WORLD_BYTES);
    o.buffer = there;
    ACRE_CHECK_EQUAL(acre_segment_open(&s, ACRE_BUFFER, NULL, &o), 0);
    world_check(s, *acre_segment_root(s));
    acre_segment_close(s);
    free(here);
    free(there);
}

ACRE_TEST(pointer, handles_A62)
{
    acre_segment *s = segment_shared();
    int *block = acre_alloc(acre_segment_heap(s), sizeof *block), outside;
    int_ptr *p = acre_alloc(acre_segment_heap(s), sizeof *p);
    acre_set(*p, block);
    acre_off off = acre_get_off(*p, s);
    ACRE_CHECK_EQUAL(off, acre_segment_offset(s, block));
    acre_set(*p, &outside);
    ACRE_CHECK_EQUAL(acre_get_off(*p, s), 0);
    acre_set_off(*p, s, off);
    ACRE_CHECK(acre_get(*p) == block);
    acre_set_off(*p, s, WORLD_BYTES * (acre_off)2);
    ACRE_CHECK(acre_is_null(*p));
    acre_segment_close(s);
}

/* An acre_rel is a slot: block and pointer in one step. */
ACRE_TEST(pointer, rel_is_a_slot_of_the_heap)
{
    acre_segment *s = segment_shared();
    acre_heap *h = acre_segment_heap(s);
    acre_rel(item) *p = (void *)acre_segment_root(s);
    ACRE_CHECK_EQUAL(acre_alloc_into(h, acre_rel_slot(*p), sizeof(item)), 0);
    acre_rel_get(*p, acre_segment_base(s))->value = 7;
    ACRE_CHECK(acre_usable_size(h, acre_rel_get(*p, acre_segment_base(s))) >= sizeof(item));
    ACRE_CHECK_EQUAL(acre_free_from(h, acre_rel_slot(*p)), 0);
    ACRE_CHECK(acre_rel_is_null(*p) && acre_heap_all_free(h));
    acre_segment_close(s);
}

/* ---- several at once ---- */

enum { PUSH_N = 20000, PUSHERS = 3 };

/* A stack that everybody pushes to, three times over: one for each kind that has a compare-and-swap. */
typedef struct pushed {
    acre_ptr(struct pushed) self;
    acre_rel(struct pushed) rel;
    acre_rel32(struct pushed) rel32;
    int who;
} __attribute__((aligned(16))) pushed;

typedef struct stacks {
    pushed top;
    pushed node[];
} stacks;

typedef struct pusher {
    acre_segment *segment; /* each has it at another address */
    acre_off stacks;
    int who, n;
} pusher;

static void push_one(stacks *t, pushed *m, const void *base)
{
    pushed *top = acre_load(t->top.self);
    do
        acre_set(m->self, top);
    while (!acre_cas(t->top.self, &top, m));
    top = acre_rel_load(t->top.rel, base);
    do
        acre_rel_set(m->rel, base, top);
    while (!acre_rel_cas(t->top.rel, base, &top, m));
    top = acre_rel32_load(t->top.rel32, base);
    do
        ACRE_CHECK(acre_rel32_set(m->rel32, base, top));
    while (!acre_rel32_cas(t->top.rel32, base, &top, m));
}

static void *push_all(void *arg)
{
    pusher *p = arg;
    stacks *t = acre_segment_address(p->segment, p->stacks);
    for (int i = 0; i < p->n; i++) {
        pushed *m = &t->node[p->who * p->n + i];
        m->who = p->who;
        push_one(t, m, acre_segment_base(p->segment));
    }
    return NULL;
}

#define COUNT_STACK(first, following, n)                                                           \
    do {                                                                                           \
        int count[PUSHERS] = {0};                                                                  \
        for (pushed *m = (first); m; m = (following))                                              \
            count[m->who]++;                                                                       \
        for (int i = 0; i < PUSHERS; i++)                                                          \
            ACRE_CHECK_EQUAL(count[i], n);                                                         \
    } while (0)

ACRE_TEST(pointer, pushed_at_once_at_different_addresses)
{
    acre_segment *s;
    int n = (int)acre_test_rounds(PUSH_N);
    size_t bytes = sizeof(stacks) + (size_t)n * PUSHERS * sizeof(pushed);
    acre_segment_options o = {.size = bytes + (1 << 16)};
    ACRE_CHECK_EQUAL(acre_segment_create(&s, ACRE_MEMFD, "pushed", &o), 0);
    stacks *t = memset(acre_alloc(acre_segment_heap(s), bytes), 0, bytes);
    pusher p[PUSHERS];
    pthread_t thread[PUSHERS];
    for (int i = 0; i < PUSHERS; i++) {
        p[i] = (pusher){segment_again(s), acre_segment_offset(s, t), i, n};
        ACRE_CHECK_EQUAL(pthread_create(&thread[i], NULL, push_all, &p[i]), 0);
    }
    for (int i = 0; i < PUSHERS; i++)
        ACRE_CHECK_EQUAL(pthread_join(thread[i], NULL), 0);
    const void *base = acre_segment_base(s);
    COUNT_STACK(acre_get(t->top.self), acre_get(m->self), n);
    COUNT_STACK(acre_rel_get(t->top.rel, base), acre_rel_get(m->rel, base), n);
    COUNT_STACK(acre_rel32_get(t->top.rel32, base), acre_rel32_get(m->rel32, base), n);
    for (int i = 0; i < PUSHERS; i++)
        acre_segment_close(p[i].segment);
    acre_segment_close(s);
}

ACRE_TEST(pointer, failed_cas_tells_what_is_there)
{
    int array[64] __attribute__((aligned(16))), *expected = NULL;
    int_ptr p;
    acre_rel(int) r;
    acre_rel32(int) c;
    acre_set(p, array + 4);
    ACRE_CHECK(!acre_cas(p, &expected, array) && expected == array + 4);
    ACRE_CHECK(acre_cas(p, &expected, NULL) && acre_is_null(p) && expected == array + 4);
    acre_rel_store(r, array, array + 4);
    expected = NULL;
    ACRE_CHECK(!acre_rel_cas(r, array, &expected, array + 8) && expected == array + 4);
    ACRE_CHECK(acre_rel_cas(r, array, &expected, array + 8) && *acre_rel_slot(r) == 32);
    ACRE_CHECK(acre_rel32_store(c, array, array + 4));
    expected = array + 5; /* between two units: cannot be there */
    ACRE_CHECK(!acre_rel32_cas(c, array, &expected, array + 8) && expected == array + 4);
    ACRE_CHECK(!acre_rel32_cas(c, array, &expected, array + 5) && expected == array + 4);
    ACRE_CHECK(acre_rel32_cas(c, array, &expected, array + 8));
    ACRE_CHECK(acre_rel32_load(c, array) == array + 8);
}

/* ---- what the compiler refuses ---- */

/* Each cell: what is right, and the same with one mistake. */
static const struct {
    const char *good, *bad;
} cell[] = {
    {"acre_set(n->next, n)", "acre_set(n->next, i)"},
    {"acre_set(n->see, c)", "acre_set(n->next, c)"},
    {"n = acre_get(n->next)", "i = acre_get(n->next)"},
    {"c = acre_get(n->see)", "n = acre_get(n->see)"},
    {"n = acre_get(c->next)", "acre_set(c->next, n)"},
    {"acre_copy(n->see, n->next)", "acre_copy(n->next, n->see)"},
    {"acre_store(n->next, n)", "acre_store(n->next, i)"},
    {"acre_cas(n->next, &n, n)", "acre_cas(n->next, &i, n)"},
    {"acre_rel_set(n->rel, b, i)", "acre_rel_set(n->rel, b, n)"},
    {"acre_rel_copy(n->rel, n->rel)", "acre_rel_copy(n->rel, n->other)"},
    {"acre_rel32_reaches(b, n)", "acre_rel32_copy(n->half, n->rel)"},
    {"i = acre_rel32_get(n->half, b)", "n = acre_rel32_get(n->half, b)"},
    {"acre_rel_get(n->rel, b)", "acre_get(n->rel)"},
    {"acre_tagged_get(n->tag)", "acre_get(n->tag)"},
    {"acre_tag_set(n->tag, 1)", "acre_tag_set(n->byte, 1)"},
};

static const char snippet[] = "#include <acre/pointer.h>\n"
                              "struct node { acre_ptr(struct node) next; acre_ptr(const struct "
                              "node) see; acre_rel(int) rel;\n"
                              "    acre_rel(long) other; acre_rel32(int) half; acre_tagged(int) "
                              "tag; acre_tagged(char) byte; };\n"
                              "void f(struct node *n, const struct node *c, int *i, void *b);\n"
                              "void f(struct node *n, const struct node *c, int *i, void *b)\n"
                              "{ (void)n, (void)c, (void)i, (void)b; (void)(%s); }\n";

/* 0: the compiler takes it. */
static int compile(const char *compiler, const char *statement)
{
    char line[256];
    snprintf(line, sizeof line,
             "%s -Iinclude -Wall -Werror -Wno-unused-value -fsyntax-only - 2>/dev/null", compiler);
    FILE *f = popen(line, "w");
    ACRE_CHECK(f != NULL);
    fprintf(f, snippet, statement);
    return pclose(f);
}

static void compile_cells(const char *compiler)
{
    const char *preload = getenv("LD_PRELOAD");
    if (preload && strstr(preload, "vgpreload"))
        acre_test_skip("a compiler under valgrind takes too long");
    if (compile(compiler, "0"))
        acre_test_skip("no compiler: %s", compiler);
    for (size_t i = 0; i < sizeof cell / sizeof *cell; i++) {
        ACRE_CHECK(compile(compiler, cell[i].good) == 0, "%s", cell[i].good);
        ACRE_CHECK(compile(compiler, cell[i].bad) != 0, "%s", cell[i].bad);
    }
}

ACRE_TEST(pointer, wrong_types_are_refused_in_c)
{
    char compiler[128];
    snprintf(compiler, sizeof compiler, "%.80s -std=c11 -xc", getenv("CC") ? getenv("CC") : "cc");
    compile_cells(compiler);
}

ACRE_TEST(pointer, wrong_types_are_refused_in_cpp)
{
    char compiler[128];
    snprintf(compiler, sizeof compiler, "%.80s -std=c++11 -xc++",
             getenv("CXX") ? getenv("CXX") : "c++");
    compile_cells(compiler);
}
