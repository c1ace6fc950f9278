/* SPDX-License-Identifier: MIT */
/* The same random scripts on Boost.Interprocess's algorithms (through libacre_boost.so, which the
 * benches use) and on acre's of the same name, with the same room, in heaps kept nearly full.  What
 * must agree: how often a request fails (acre's at most a tenth more often), alignment, usable sizes
 * at least as large as asked, contents, and that all memory comes back: after freeing all, both
 * serve the same largest block again. */
#include "bench/engine.h"
#include "tests/support_heap.h"

#include <dlfcn.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { PAIR_BLOCKS = 128, PAIR_SIZE = 64 << 10 };

typedef struct side {
    const acre_engine *boost; /* NULL: acre */
    void *heap;
    unsigned char *block[PAIR_BLOCKS];
    size_t failures;
} side;

typedef struct pair {
    side acre, boost;
    size_t size[PAIR_BLOCKS];
    uint64_t seed;
} pair;

static const acre_engine *load_boost(const char *name)
{
    char path[PATH_MAX], full[64];
    const char *dir = getenv("ACRE_BUILD_DIR");
    acre_boost_engine_function *find = NULL;
    snprintf(path, sizeof path, "%s/libacre_boost.so", dir ? dir : "build/release");
    snprintf(full, sizeof full, "boost_%s", name);
    void *library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
    if (!library)
        acre_test_skip("%s", dlerror());
    *(void **)&find = dlsym(library, "acre_boost_engine");
    ACRE_CHECK(find, "%s has no acre_boost_engine", path);
    const acre_engine *e = find(full, "");
    if (!e)
        acre_test_skip("Boost has no %s", name);
    return e;
}

static void *side_alloc(const side *s, size_t size, size_t align)
{
    if (s->boost)
        return align > 16 ? s->boost->aligned(s->heap, size, align) : s->boost->alloc(s->heap, size);
    return align > 16 ? acre_alloc_aligned(s->heap, size, align) : acre_alloc(s->heap, size);
}

static void *side_realloc(const side *s, void *p, size_t size)
{
    return s->boost ? s->boost->realloc(s->heap, p, size) : acre_realloc(s->heap, p, size);
}

static void side_free(side *s, size_t i)
{
    if (s->boost)
        s->boost->free(s->heap, s->block[i]);
    else
        ACRE_CHECK_EQUAL(acre_free(s->heap, s->block[i]), 0);
    s->block[i] = NULL;
}

/* ---- one script on both ---- */

static void both_alloc(pair *p, size_t i, size_t size, size_t align)
{
    void *mine = side_alloc(&p->acre, size, align), *theirs = side_alloc(&p->boost, size, align);
    ACRE_CHECK((uintptr_t)mine % align == 0 && (uintptr_t)theirs % align == 0);
    p->acre.failures += !mine;
    p->boost.failures += !theirs;
    p->acre.block[i] = mine;
    p->boost.block[i] = theirs;
    if (!mine && theirs) /* keep the two alike */
        side_free(&p->boost, i);
    if (mine && !theirs)
        side_free(&p->acre, i);
    if (!p->acre.block[i])
        return;
    ACRE_CHECK(acre_usable_size(p->acre.heap, mine) >= size);
    p->size[i] = size;
    test_fill(mine, size, i);
    test_fill(theirs, size, i);
}

static void both_free(pair *p, size_t i)
{
    ACRE_CHECK(test_filled(p->acre.block[i], p->size[i], i));
    ACRE_CHECK(test_filled(p->boost.block[i], p->size[i], i));
    side_free(&p->acre, i);
    side_free(&p->boost, i);
}

static void both_realloc(pair *p, size_t i, size_t size)
{
    size_t kept = size < p->size[i] ? size : p->size[i];
    void *mine = side_realloc(&p->acre, p->acre.block[i], size);
    void *theirs = side_realloc(&p->boost, p->boost.block[i], size);
    p->acre.failures += !mine;
    p->boost.failures += !theirs;
    p->acre.block[i] = mine ? mine : p->acre.block[i];
    p->boost.block[i] = theirs ? theirs : p->boost.block[i];
    p->size[i] = mine && theirs ? size : kept;
    ACRE_CHECK(test_filled(p->acre.block[i], kept, i) && test_filled(p->boost.block[i], kept, i));
    test_fill(p->acre.block[i], p->size[i], i);
    test_fill(p->boost.block[i], p->size[i], i);
}

static void both_step(pair *p)
{
    static const size_t most[] = {64, 300, 2000, 9000};
    size_t i = acre_test_below(&p->seed, PAIR_BLOCKS);
    size_t size = 1 + acre_test_below(&p->seed, most[acre_test_below(&p->seed, 4)]);
    uint64_t what = acre_test_below(&p->seed, 10);
    if (!p->acre.block[i])
        both_alloc(p, i, size, what ? 16 : (size_t)32 << acre_test_below(&p->seed, 4));
    else if (what < 3)
        both_realloc(p, i, size);
    else
        both_free(p, i);
}

/* The largest block that an empty heap serves. */
static size_t largest(side *s)
{
    size_t low = 0, high = PAIR_SIZE;
    while (low < high) {
        size_t middle = (low + high + 1) / 2;
        s->block[0] = side_alloc(s, middle, 16);
        if (s->block[0])
            side_free(s, 0), low = middle;
        else
            high = middle - 1;
    }
    return low;
}

/* A heap with the same room: acre's journal and lock stand in front of it. */
static size_t heap_of_room(side *s, const acre_algorithm *a, size_t room)
{
    size_t front = acre_segment_min_size(a, NULL);
    s->heap = test_heap(a, room + front);
    size_t more = largest(s) - room;
    s->heap = test_heap(a, room + front - more / 64 * 64);
    ACRE_CHECK(largest(s) >= room && largest(s) < room + 128, "%zu for %zu", largest(s), room);
    return largest(s);
}

static void same_script_on_boost(const acre_algorithm *a)
{
    test_skip_flags(a, ACRE_NO_FREE | ACRE_REFERENCE);
    pair p = {.boost.boost = load_boost(a->name), .seed = acre_test_seed()};
    void *memory = mmap(NULL, PAIR_SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ACRE_CHECK_EQUAL(p.boost.boost->open(&p.boost.heap, a->name, "", memory, PAIR_SIZE), 0);
    size_t theirs = largest(&p.boost), mine = heap_of_room(&p.acre, a, theirs);
    for (size_t i = 0; i < acre_test_rounds(100000); i++) {
        both_step(&p);
        if (i % 64 == 0)
            test_sound(p.acre.heap);
    }
    for (size_t i = 0; i < PAIR_BLOCKS; i++)
        if (p.acre.block[i])
            both_free(&p, i);
    fprintf(stderr, "%s: %zu requests failed, %zu on Boost's\n", a->name, p.acre.failures,
            p.boost.failures);
    ACRE_CHECK(p.acre.failures <= p.boost.failures + p.boost.failures / 10);
    ACRE_CHECK_EQUAL(largest(&p.acre), mine);
    ACRE_CHECK_EQUAL(largest(&p.boost), theirs);
    ACRE_CHECK(acre_heap_all_free(p.acre.heap));
    p.boost.boost->close(p.boost.heap);
}

#define CASES(X, a) X(a, same_script_on_boost)

#define ACRE_ALGORITHM(a) CASES(TEST_CASE, a)
#include "alloc/algorithms.def"
#undef ACRE_ALGORITHM
