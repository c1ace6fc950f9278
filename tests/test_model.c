/* SPDX-License-Identifier: MIT */
/* Random operations against a shadow model: every live block's address, size and contents are kept
 * beside the heap, and after each operation the heap is checked and compared with them.  Also
 * through two mappings of one segment at two addresses.  ACRE_SEED repeats a run. */
#include "tests/support_heap.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { MODEL_BLOCKS = 200, MODEL_SLOTS = 16, MODEL_SIZE = 128 << 10, MODEL_CAPACITY = 512 << 10 };

typedef struct model_block {
    acre_off at; /* 0: none */
    size_t size; /* bytes that hold the pattern */
    uint64_t key;
} model_block;

/* The heap under test, through `views` mappings. */
typedef struct model {
    const acre_algorithm *algorithm;
    acre_segment *view[2];
    unsigned views;
    acre_segment *s; /* this operation's */
    acre_heap *h;
    uint64_t seed, keys, region;
    model_block block[MODEL_BLOCKS];
    acre_off slots; /* a block of MODEL_SLOTS offsets, for publishing */
    size_t slot_size[MODEL_SLOTS];
} model;

static void *model_address(const model *m, const model_block *b)
{
    return acre_segment_address(m->s, b->at);
}

static acre_off *model_slot(const model *m, size_t i)
{
    return (acre_off *)acre_segment_address(m->s, m->slots) + i;
}

static void model_born(model *m, model_block *b, void *p, size_t size)
{
    if (!p)
        return;
    ACRE_CHECK(acre_usable_size(m->h, p) >= size);
    *b = (model_block){acre_segment_offset(m->s, p), size, ++m->keys};
    test_fill(p, size, b->key);
}

static bool model_intact(const model *m, const model_block *b, size_t size)
{
    return test_filled(model_address(m, b), size, b->key);
}

/* ---- operations ---- */

static size_t random_size(model *m)
{
    static const size_t most[] = {32, 100, 700, 3000, 20000};
    return acre_test_below(&m->seed, most[acre_test_below(&m->seed, 5)]);
}

static void op_alloc(model *m, model_block *b)
{
    size_t size = random_size(m);
    switch (b->at ? 9 : acre_test_below(&m->seed, 3)) {
    case 0:
        model_born(m, b, acre_alloc(m->h, size), size);
        break;
    case 1:
        model_born(m, b, acre_calloc(m->h, 1, size), size);
        break;
    case 2:
        model_born(m, b, acre_alloc_aligned(m->h, size, (size_t)16 << acre_test_below(&m->seed, 7)),
                   size);
    }
}

static void op_free(model *m, model_block *b)
{
    if (!b->at)
        return;
    ACRE_CHECK(model_intact(m, b, b->size));
    ACRE_CHECK_EQUAL(acre_free(m->h, model_address(m, b)), 0);
    b->at = 0;
}

static void op_realloc(model *m, model_block *b)
{
    size_t size = random_size(m);
    if (!b->at)
        return;
    void *p = acre_realloc(m->h, model_address(m, b), size);
    size_t kept = size < b->size ? size : b->size;
    if (!p) {
        ACRE_CHECK(model_intact(m, b, b->size));
        return;
    }
    ACRE_CHECK(test_filled(p, kept, b->key));
    model_born(m, b, p, size);
}

/* Growing in place by any way: the data stay where they are, the start may move. */
static void op_expand(model *m, model_block *b)
{
    if (!b->at)
        return;
    char *p = model_address(m, b);
    size_t limit = acre_usable_size(m->h, p) + acre_test_below(&m->seed, 500);
    acre_resize_command c = {2 + 2 * (uint32_t)acre_test_below(&m->seed, 3), limit,
                             limit + acre_test_below(&m->seed, 500), random_size(m) % 50,
                             (size_t)1 << acre_test_below(&m->seed, 8), 0};
    char *q = acre_resize(m->h, p, &c, NULL);
    ACRE_CHECK(model_intact(m, b, b->size));
    if (!q)
        return;
    ACRE_CHECK(q <= p && acre_usable_size(m->h, q) == c.received && c.received >= limit);
    ACRE_CHECK(q + c.received >= p + b->size && (size_t)(p - q) % (c.multiple + !c.multiple) == 0);
    model_born(m, b, q, c.received);
}

static void op_shrink_block(model *m, model_block *b)
{
    if (!b->at)
        return;
    void *p = model_address(m, b);
    size_t had = acre_usable_size(m->h, p), wish = acre_test_below(&m->seed, had + 1);
    acre_resize_command c = {.flags = ACRE_SHRINK, .limit = had, .preferred = wish};
    ACRE_CHECK(!m->algorithm->resize || acre_resize(m->h, p, &c, NULL) == p);
    size_t now = acre_usable_size(m->h, p);
    ACRE_CHECK(now >= wish && now <= had);
    b->size = b->size < now ? b->size : now;
    ACRE_CHECK(model_intact(m, b, b->size));
}

static void op_many(model *m)
{
    void *p[8];
    size_t sizes[8], n = 0;
    for (int i = 0; i < 8; i++)
        sizes[i] = random_size(m) % 600;
    for (size_t i = 0; i < MODEL_BLOCKS; i++)
        n += !m->block[i].at;
    if (n < 8 || acre_alloc_many(m->h, 8, sizes, 0, p) != 0)
        return;
    for (size_t i = 0, k = 0; k < 8; i++)
        if (!m->block[i].at) {
            model_born(m, &m->block[i], p[k], sizes[k]);
            k++;
        }
}

static void op_publish(model *m)
{
    size_t i = acre_test_below(&m->seed, MODEL_SLOTS), size = random_size(m);
    acre_off *slot = model_slot(m, i), had = *slot;
    if (had) {
        ACRE_CHECK(test_filled(acre_segment_address(m->s, had), m->slot_size[i], i));
        ACRE_CHECK_EQUAL(acre_free_from(m->h, slot), 0);
        ACRE_CHECK_EQUAL(*slot, 0);
    } else if (acre_alloc_into(m->h, slot, size) == 0) {
        m->slot_size[i] = size;
        test_fill(acre_segment_address(m->s, *slot), size, i);
    }
}

static void op_heap_size(model *m)
{
    size_t size = acre_segment_size(m->s);
    if (acre_test_below(&m->seed, 2) && m->algorithm->shrink)
        ACRE_CHECK_EQUAL(acre_segment_shrink(m->s, size / 2), 0);
    else if (m->algorithm->grow && size + 8192 <= MODEL_CAPACITY)
        ACRE_CHECK_EQUAL(acre_segment_grow(m->s, size + 8192), 0);
}

static void model_step(model *m)
{
    model_block *b = &m->block[acre_test_below(&m->seed, MODEL_BLOCKS)];
    unsigned what = (unsigned)acre_test_below(&m->seed, 100);
    m->s = m->view[acre_test_below(&m->seed, m->views)];
    m->h = acre_segment_heap(m->s);
    if (what < 40)
        op_alloc(m, b);
    else if (what < 66)
        op_free(m, b);
    else if (what < 74)
        op_realloc(m, b);
    else if (what < 80)
        op_expand(m, b);
    else if (what < 86)
        op_shrink_block(m, b);
    else if (what < 89)
        op_many(m);
    else if (what < 98)
        op_publish(m);
    else
        op_heap_size(m);
}

/* ---- comparing ---- */

typedef struct census {
    acre_off at[MODEL_BLOCKS + MODEL_SLOTS + 1];
    size_t n;
    uint64_t region;
} census;

static int census_visit(void *arg, const acre_block *b)
{
    census *c = arg;
    if (b->used) {
        ACRE_CHECK(c->n < sizeof c->at / sizeof *c->at, "more blocks than are live");
        c->at[c->n++] = c->region + b->offset;
    }
    return 0;
}

static int census_compare(const void *a, const void *b)
{
    acre_off x = *(const acre_off *)a, y = *(const acre_off *)b;
    return (x > y) - (x < y);
}

/* The walk shows exactly the live blocks, and each has its contents. */
static void model_compare(const model *m)
{
    census seen = {.region = m->region}, live = {.n = 1, .at = {m->slots}};
    for (size_t i = 0; i < MODEL_BLOCKS; i++)
        if (m->block[i].at) {
            live.at[live.n++] = m->block[i].at;
            ACRE_CHECK(model_intact(m, &m->block[i], m->block[i].size), "block %zu", i);
        }
    for (size_t i = 0; i < MODEL_SLOTS; i++)
        if (*model_slot(m, i))
            live.at[live.n++] = *model_slot(m, i);
    qsort(live.at, live.n, sizeof *live.at, census_compare);
    ACRE_CHECK_EQUAL(acre_heap_walk(m->h, census_visit, &seen), 0);
    ACRE_CHECK_EQUAL(seen.n, live.n);
    ACRE_CHECK(!memcmp(seen.at, live.at, live.n * sizeof *live.at));
}

static void model_end(model *m)
{
    for (size_t i = 0; i < MODEL_BLOCKS; i++)
        op_free(m, &m->block[i]);
    for (size_t i = 0; i < MODEL_SLOTS; i++)
        ACRE_CHECK_EQUAL(acre_free_from(m->h, model_slot(m, i)), 0);
    ACRE_CHECK_EQUAL(acre_free(m->h, acre_segment_address(m->s, m->slots)), 0);
    test_sound(m->h);
    ACRE_CHECK(acre_heap_all_free(m->h));
}

static void model_run(model *m, size_t steps)
{
    acre_segment_info info;
    m->s = m->view[0];
    m->h = acre_segment_heap(m->s);
    acre_segment_info_get(m->s, &info);
    m->region = info.region;
    void *slots = acre_calloc(m->h, MODEL_SLOTS, sizeof(acre_off));
    m->slots = acre_segment_offset(m->s, slots);
    for (size_t i = 0; i < steps; i++) {
        model_step(m);
        test_sound(m->h);
        if (i % 16 == 0)
            model_compare(m);
    }
    model_compare(m);
    model_end(m);
}

/* ---- tests ---- */

static void random_operations_agree_with_the_model(const acre_algorithm *a)
{
    test_skip_flags(a, ACRE_NO_FREE | ACRE_REFERENCE);
    uint64_t seed = acre_test_seed();
    for (size_t i = 0; i < acre_test_rounds(8); i++) {
        model m = {.algorithm = a, .views = 1, .seed = seed + i};
        m.view[0] = test_segment(a, MODEL_SIZE, MODEL_CAPACITY);
        model_run(&m, acre_test_rounds(4000));
        acre_segment_close(m.view[0]);
    }
}

/* Both through files, so that growing and shrinking are seen by the other. */
static void two_mappings_alternate(const acre_algorithm *a)
{
    test_skip_flags(a, ACRE_NO_FREE | ACRE_REFERENCE);
    model m = {.algorithm = a, .views = 2, .seed = acre_test_seed()};
    acre_segment_options o = {.size = MODEL_SIZE, .capacity = MODEL_CAPACITY, .algorithm = a,
                              .heap = test_options};
    ACRE_CHECK_EQUAL(acre_segment_create(&m.view[0], ACRE_MEMFD, NULL, &o), 0);
    o = (acre_segment_options){.fd = acre_segment_fd(m.view[0])};
    ACRE_CHECK_EQUAL(acre_segment_open(&m.view[1], ACRE_MEMFD, NULL, &o), 0);
    ACRE_CHECK(acre_segment_base(m.view[0]) != acre_segment_base(m.view[1]));
    model_run(&m, acre_test_rounds(12000));
    acre_segment_close(m.view[0]);
    acre_segment_close(m.view[1]);
}

static char *copied_elsewhere(char *at)
{
    char *to = memcpy(aligned_alloc(4096, MODEL_SIZE), at, MODEL_SIZE);
    memset(at, 0xdb, MODEL_SIZE);
    free(at);
    return to;
}

/* A buffer that is copied elsewhere between two operations. */
static void heap_moves_by_memcpy_while_closed(const acre_algorithm *a)
{
    test_skip_flags(a, ACRE_NO_FREE | ACRE_REFERENCE);
    acre_segment *s;
    acre_segment_options o = {.size = MODEL_SIZE, .algorithm = a, .heap = test_options,
                              .buffer = aligned_alloc(4096, MODEL_SIZE)};
    ACRE_CHECK_EQUAL(acre_segment_create(&s, ACRE_BUFFER, NULL, &o), 0);
    for (uint64_t i = 0; i < 20; i++) {
        void *p = acre_alloc(acre_segment_heap(s), 300);
        acre_off kept = acre_segment_offset(s, p);
        test_fill(p, 300, i);
        acre_segment_close(s);
        o.buffer = copied_elsewhere(o.buffer);
        ACRE_CHECK_EQUAL(acre_segment_open(&s, ACRE_BUFFER, NULL, &o), 0);
        p = acre_segment_address(s, kept);
        test_sound(acre_segment_heap(s));
        ACRE_CHECK(test_filled(p, 300, i));
        ACRE_CHECK_EQUAL(acre_free(acre_segment_heap(s), p), 0);
        ACRE_CHECK(acre_heap_all_free(acre_segment_heap(s)));
    }
    acre_segment_close(s);
    free(o.buffer);
}

#define CASES(X, a)                              \
    X(a, random_operations_agree_with_the_model) \
    X(a, two_mappings_alternate)                 \
    X(a, heap_moves_by_memcpy_while_closed)

#define ACRE_ALGORITHM(a) TEST_CASES_AND_PLAIN(CASES, a)
#include "alloc/algorithms.def"
#undef ACRE_ALGORITHM
