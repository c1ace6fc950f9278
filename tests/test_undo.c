/* SPDX-License-Identifier: MIT */
/* A call as a whole is undone, in volume: after it, the journal is set back to what it was just before the
 * commit, and the roll back must give the heap of before, with every byte of every block; then something
 * else must work on what the undone call has left.  No process dies for it, so that thousands of calls can
 * be tried, also with parameters.  (Deaths at each instruction of a call are the crash laboratory's.)
 * And: the one that rolls back dies, too. */
#include "tests/support_heap.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>

/* White box: the journal is where the format puts it. */
#include "alloc/heap.h"

enum {
    UNDO_SIZE = 20000, /* no whole pages: what growth adds begins inside of one */
    UNDO_SLOTS = 64,
    UNDO_TIDE_SIZE = 128 << 10,
    UNDO_TIDE = 1500, /* slots */
    UNDO_BLOCKS = 4096
};

typedef struct undo_heap {
    acre_segment *s;
    acre_heap *h;
    size_t n;                 /* slots */
    acre_off *slots;          /* offsets */
    size_t filled[UNDO_TIDE]; /* bytes of each block that hold its pattern */
    uint64_t seed;
} undo_heap;

static undo_heap undo_make(const char *spec, size_t size, size_t slots)
{
    undo_heap t = {.seed = acre_test_seed(), .n = slots};
    acre_segment_options o = {.size = size, .capacity = 4 * size};
    ACRE_CHECK_EQUAL(acre_spec_parse(spec, &o.algorithm, &o.heap), 0);
    ACRE_CHECK_EQUAL(acre_segment_create(&t.s, ACRE_MEMFD, NULL, &o), 0);
    t.h = acre_segment_heap(t.s);
    t.slots = acre_calloc(t.h, slots, sizeof *t.slots);
    ACRE_CHECK(t.slots);
    return t;
}

static void *undo_block(const undo_heap *t, size_t i)
{
    return acre_segment_address(t->s, t->slots[i]);
}

/* ---- calls ---- */

enum undo_kind { UNDO_PUBLISH, UNDO_ALIGNED, UNDO_RESIZE, UNDO_GROW };

typedef struct undo_call {
    enum undo_kind kind;
    size_t slot, size, align, limit;
    uint32_t flags;
} undo_call;

/* Growing by `size` in the ways of the flags, or shrinking to it. */
static undo_call undo_plan_resize(undo_heap *t, undo_call c)
{
    static const uint32_t ways[] = {ACRE_FORWARDS, ACRE_BACKWARDS, ACRE_FORWARDS | ACRE_BACKWARDS,
                                    ACRE_SHRINK};
    size_t had = acre_usable_size(t->h, undo_block(t, c.slot));
    c.kind = UNDO_RESIZE;
    c.flags = ways[acre_test_below(&t->seed, 4)];
    c.limit = c.flags == ACRE_SHRINK ? had : 1;
    c.size = c.flags == ACRE_SHRINK ? c.size % (had + 1) : had + c.size;
    return c;
}

static undo_call undo_plan(undo_heap *t)
{
    undo_call c = {.slot = acre_test_below(&t->seed, t->n),
                   .size = acre_test_below(&t->seed, acre_test_below(&t->seed, 5) ? 160 : 2500),
                   .align = (size_t)16 << acre_test_below(&t->seed, 6)};
    uint64_t what = acre_test_below(&t->seed, 20);
    if (what == 0)
        c.kind = UNDO_GROW, c.size = acre_test_below(&t->seed, 4 * UNDO_SIZE);
    else if (t->slots[c.slot] && what < 12)
        return undo_plan_resize(t, c);
    else if (!t->slots[c.slot] && what < 4)
        c.kind = UNDO_ALIGNED;
    return c;
}

/* What its slot should hold after it; a publishing call has stored that itself. */
static acre_off undo_run(undo_heap *t, const undo_call *c)
{
    acre_off *slot = &t->slots[c->slot];
    acre_resize_command r = {
        .flags = c->flags, .limit = c->limit, .preferred = c->size, .align = c->align};
    void *p = undo_block(t, c->slot);
    if (c->kind == UNDO_GROW)
        (void)acre_segment_grow(t->s, c->size);
    else if (c->kind == UNDO_ALIGNED)
        p = acre_alloc_aligned(t->h, c->size, c->align);
    else if (c->kind == UNDO_RESIZE)
        p = acre_resize(t->h, p, &r, NULL) ?: p;
    else if (*slot)
        ACRE_CHECK_EQUAL(acre_free_from(t->h, slot), 0);
    else
        (void)acre_alloc_into(t->h, slot, c->size);
    return c->kind == UNDO_PUBLISH ? *slot : acre_segment_offset(t->s, p);
}

/* For good: the block is filled anew. */
static void undo_go_on(undo_heap *t, const undo_call *c)
{
    t->slots[c->slot] = undo_run(t, c);
    void *p = undo_block(t, c->slot);
    t->filled[c->slot] = p ? acre_usable_size(t->h, p) : 0;
    test_fill(p, t->filled[c->slot], c->slot);
}

/* ---- what a heap is ---- */

typedef struct undo_picture {
    uint64_t size, n, free_bytes;
    acre_block block[UNDO_BLOCKS];
    acre_off slots[UNDO_TIDE];
} undo_picture;

static int undo_see(void *arg, const acre_block *b)
{
    undo_picture *p = arg;
    ACRE_CHECK(p->n < UNDO_BLOCKS);
    p->block[p->n++] = *b;
    return 0;
}

static void undo_draw(const undo_heap *t, undo_picture *p)
{
    memset(p, 0, sizeof *p);
    test_sound(t->h); /* repairs first */
    ACRE_CHECK_EQUAL(acre_heap_walk(t->h, undo_see, p), 0);
    p->size = acre_segment_size(t->s);
    p->free_bytes = acre_heap_free_memory(t->h);
    memcpy(p->slots, t->slots, t->n * sizeof *p->slots);
}

static void undo_expect(const undo_heap *t, const undo_picture *before, const undo_call *c)
{
    static undo_picture now;
    undo_draw(t, &now);
    ACRE_CHECK(now.size == before->size && now.free_bytes == before->free_bytes, "call %d",
               c->kind);
    ACRE_CHECK(!memcmp(now.slots, before->slots, sizeof now.slots), "call %d", c->kind);
    ACRE_CHECK(now.n == before->n, "call %d: %zu blocks, not %zu", c->kind, (size_t)now.n,
               (size_t)before->n);
    for (size_t i = 0; i < now.n; i++)
        ACRE_CHECK(now.block[i].offset == before->block[i].offset &&
                       now.block[i].size == before->block[i].size &&
                       now.block[i].used == before->block[i].used,
                   "call %d, flags %u: block %zu", c->kind, c->flags, i);
    for (size_t i = 0; i < t->n; i++)
        ACRE_CHECK(test_filled(undo_block(t, i), t->filled[i], i), "call %d, flags %u: contents",
                   c->kind, c->flags);
}

/* ---- undoing ---- */

/* Do the call, and let it look as if its process had died just before the commit.  How many words it
 * has noted. */
static size_t undo_leave(undo_heap *t, const undo_call *c)
{
    acre_journal *j = &t->h->control->journal;
    size_t n = 0;
    memset(j->entry, 0xff, j->capacity * sizeof *j->entry);
    undo_run(t, c);
    while (n < j->capacity && ~j->entry[n].where)
        n++;
    j->count = n;
    return n;
}

static void undo_die(acre_region *r)
{
    (void)r;
    raise(SIGKILL);
}

/* The survivor has written the old values back, and dies before the rest is derived from them. */
static void undo_halfway(void *arg)
{
    undo_heap *t = arg;
    static acre_algorithm dying;
    dying = *t->h->algorithm;
    dying.recover = undo_die;
    t->h->algorithm = &dying;
    (void)acre_heap_free_memory(t->h);
}

/* Something always happens: else what has been done is not what was meant. */
static void undo_many(const char *spec, size_t rounds, bool twice)
{
    static undo_picture before;
    undo_heap t = undo_make(spec, UNDO_SIZE, UNDO_SLOTS);
    size_t undone[4] = {0};
    for (size_t i = 0; i < rounds; i++) {
        undo_call c = undo_plan(&t);
        undo_draw(&t, &before);
        if (undo_leave(&t, &c)) {
            undone[c.kind]++;
            if (twice)
                acre_test_expect_killed(acre_test_spawn(undo_halfway, &t));
        }
        undo_expect(&t, &before, &c);
        c = undo_plan(&t);
        undo_go_on(&t, &c);
        if (i % 100 == 0)
            ACRE_CHECK_EQUAL(acre_segment_shrink(t.s, UNDO_SIZE), 0);
    }
    fprintf(stderr, "%s: undone %zu publishing, %zu aligned, %zu resizing, %zu growing\n", spec,
            undone[UNDO_PUBLISH], undone[UNDO_ALIGNED], undone[UNDO_RESIZE], undone[UNDO_GROW]);
    ACRE_CHECK(undone[UNDO_PUBLISH] && (rounds < 100 || undone[UNDO_RESIZE]));
    acre_segment_close(t.s);
}

/* ---- the suites ---- */

/* With parameters that lead to what is rare without: runs of units; blocks of few nodes. */
static const char *undo_variant(const acre_algorithm *a)
{
    static const char *const variants[] = {
        "buddy:trim=1", "segregated_pools:nodes=1,overhead=50,classes=160",
        "adaptive_pools:nodes=1,overhead=50,classes=160,max_free=0"};
    size_t n = strlen(a->name);
    for (size_t i = 0; i < sizeof variants / sizeof *variants; i++)
        if (!strncmp(variants[i], a->name, n) && variants[i][n] == ':')
            return variants[i];
    return NULL;
}

static void undo_skip(const acre_algorithm *a)
{
    test_skip_flags(a, ACRE_NO_FREE | ACRE_REFERENCE);
    if (!(a->flags & ACRE_ROBUST))
        acre_test_skip("%s does not promise to survive a kill", a->name);
}

static void a_call_is_undone(const acre_algorithm *a)
{
    undo_skip(a);
    undo_many(a->name, acre_test_rounds(4000), false);
    if (undo_variant(a))
        undo_many(undo_variant(a), acre_test_rounds(4000), false);
}

static void a_call_is_undone_by_the_second_who_tries(const acre_algorithm *a)
{
    undo_skip(a);
    undo_many(a->name, acre_test_rounds(300), true);
    if (undo_variant(a))
        undo_many(undo_variant(a), acre_test_rounds(300), true);
}

/* ---- blocks of many nodes ---- */

/* One call: undone, then done. */
static void undo_and_do(undo_heap *t, size_t slot, size_t size)
{
    static undo_picture before;
    undo_call c = {.kind = UNDO_PUBLISH, .slot = slot, .size = size};
    undo_draw(t, &before);
    undo_leave(t, &c);
    undo_expect(t, &before, &c);
    undo_go_on(t, &c);
}

static void undo_shuffle(size_t *order, uint64_t *seed)
{
    for (size_t i = 0; i < UNDO_TIDE; i++) {
        size_t j = acre_test_below(seed, i + 1);
        order[i] = order[j];
        order[j] = i;
    }
}

/* A high tide makes blocks, a low one gives them back; each call is undone first.  Among them are those
 * that make or give back a block with all its slices, and let one serve again. */
static void undo_tides(const char *spec)
{
    undo_heap t = undo_make(spec, UNDO_TIDE_SIZE, UNDO_TIDE);
    size_t order[UNDO_TIDE];
    for (int tide = 0; tide < 2; tide++) {
        undo_shuffle(order, &t.seed);
        for (size_t i = 0; i < UNDO_TIDE; i++)
            undo_and_do(&t, i, 30);
        for (size_t i = 0; i < UNDO_TIDE - 100; i++)
            undo_and_do(&t, order[i], 30);
        for (size_t i = 0; i < UNDO_TIDE; i++)
            if (t.slots[i])
                undo_and_do(&t, i, 30);
    }
    ACRE_CHECK_EQUAL(acre_free(t.h, t.slots), 0);
    ACRE_CHECK(acre_heap_all_free(t.h));
    acre_segment_close(t.s);
}

ACRE_TEST(undo_slices, births_and_returns_of_blocks_are_undone)
{
    undo_tides("adaptive_pools:nodes=128,classes=32,max_free=0");
    undo_tides("adaptive_pools:nodes=252,overhead=5,classes=48,max_free=1");
    undo_tides("segregated_pools:nodes=70,classes=32");
}

#define CASES(X, a)                                                                                \
    X(a, a_call_is_undone)                                                                         \
    X(a, a_call_is_undone_by_the_second_who_tries)

#define ACRE_ALGORITHM(a) CASES(TEST_CASE, a)
#include "alloc/algorithms.def"
#undef ACRE_ALGORITHM
