/* SPDX-License-Identifier: MIT */
/* support_object.h: what tests of objects by name share: each case once for each index on several
 * algorithms. */
#ifndef ACRE_TESTS_SUPPORT_OBJECT_H
#define ACRE_TESTS_SUPPORT_OBJECT_H

#include "segment/names_layout.h"
#include "tests/support_heap.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Suites NAME_INDEX_ALGORITHM. */
#define OBJECT_CASES(CASES, suite)                                                                                     \
    OBJECT_CASES_OF(CASES, suite, hash, ACRE_INDEX_HASH)                                                               \
    OBJECT_CASES_OF(CASES, suite, ordered, ACRE_INDEX_ORDERED)                                                         \
    OBJECT_CASES_OF(CASES, suite, flat, ACRE_INDEX_FLAT)
#define OBJECT_CASES_OF(CASES, suite, index, kind)                                                                     \
    CASES(OBJECT_CASE, suite##_##index##_rbtree, kind, rbtree_best_fit)                                                \
    CASES(OBJECT_CASE, suite##_##index##_sharded, kind, sharded)                                                       \
    CASES(OBJECT_CASE, suite##_##index##_seq, kind, simple_seq_fit)
#define OBJECT_CASE(suite, kind, algorithm, name)                                                                      \
    ACRE_TEST(suite, name)                                                                                             \
    {                                                                                                                  \
        acre_segment *s_ = object_segment(kind, #algorithm, 4 << 20);                                                  \
        name(s_);                                                                                                      \
        acre_segment_close(s_);                                                                                        \
    }

/* Memory that forked children share. */
static inline acre_segment *object_segment(uint32_t index, const char *algorithm, size_t size)
{
    acre_segment *s = NULL;
    acre_segment_options o = {.size = size, .index = index, .algorithm = acre_algorithm_find(algorithm)};
    int e = acre_segment_create(&s, ACRE_ANON, NULL, &o);
    ACRE_CHECK(e == 0, "%s", acre_strerror(e));
    return s;
}

/* White box: the directory's part. */
static inline segment_names *object_names_of(acre_segment *s)
{
    return (segment_names *)(void *)((char *)acre_segment_base(s) + 256);
}

static inline uint32_t object_index_of(acre_segment *s)
{
    return object_names_of(s)->index;
}

typedef struct object_walk {
    size_t blocks, bytes;
} object_walk;

static inline int object_see_block(void *arg, const acre_block *b)
{
    object_walk *w = arg;
    w->blocks += b->used;
    w->bytes += b->used ? b->size : 0;
    return 0;
}

/* Live blocks of the heap. */
static inline object_walk object_blocks(acre_segment *s)
{
    object_walk w = {0};
    ACRE_CHECK_EQUAL(acre_heap_walk(acre_segment_heap(s), object_see_block, &w), 0);
    return w;
}

/* Sound, and with nothing in it: no object, no block, no index. */
static inline void object_expect_empty(acre_segment *s)
{
    ACRE_CHECK_EQUAL(acre_named_count(s), 0);
    ACRE_CHECK_EQUAL(acre_unique_count(s), 0);
    ACRE_CHECK_EQUAL(acre_shrink_indexes(s), 0);
    test_sound(acre_segment_heap(s));
    acre_heap_free_empty(acre_segment_heap(s));
    ACRE_CHECK(acre_heap_all_free(acre_segment_heap(s)), "%zu blocks", object_blocks(s).blocks);
}

#endif
