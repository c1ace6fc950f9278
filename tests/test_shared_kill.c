/* SPDX-License-Identifier: MIT */
/* Four that copy, move, make and release references with counts; one is killed at a random moment.  What it held is
 * reaped: then each count is the number of references, every object is whole, and the heap has no other block. */
#include "tests/support_lab.h"

#include "segment/shared.h"
#include <acre.h>
#include <errno.h>
#include <string.h>

enum { COMMON = 3, OWN = 5, HELD = 3, SEGMENT_AT = 256, SEGMENT_BYTES = 400 << 10, DELETER = 9 };

/* Everybody copies what is common; own slots are their place's, whoever is in it. */
typedef struct kill_table {
    acre_shared common[COMMON];
    acre_shared own[LAB_WORKERS][OWN];
    acre_weak weak[LAB_WORKERS][2];
    acre_off holder[LAB_WORKERS];
} kill_table;

static acre_segment *kill_segment; /* inherited */
static kill_table *kill_slots;
static acre_holder kill_holder; /* of this process */

/* An object says where it is; or 0, if its maker was killed. */
static bool kill_whole(const void *object)
{
    const acre_off *says = object;
    acre_off at = acre_segment_offset(kill_segment, object);
    return *says == at || *says == 0;
}

static void kill_delete(void *arg, acre_segment *s, void *object)
{
    (void)arg;
    (void)s;
    LAB_EXPECT(kill_whole(object), "what is deleted is no object any more");
}

static void kill_make(acre_shared *to)
{
    LAB_EQUAL(acre_shared_make(kill_segment, to, 100, DELETER), 0);
    acre_off *object = acre_shared_get(kill_segment, to);
    __atomic_store_n(object, acre_segment_offset(kill_segment, object), __ATOMIC_RELAXED);
}

static void kill_prepare_with(void *shared, const char *algorithm)
{
    acre_segment_options o = {.size = SEGMENT_BYTES,
                              .buffer = (char *)shared + SEGMENT_AT,
                              .algorithm = acre_algorithm_find(algorithm)};
    LAB_EQUAL(acre_segment_create(&kill_segment, ACRE_BUFFER, NULL, &o), 0);
    kill_slots = acre_calloc(acre_segment_heap(kill_segment), 1, sizeof *kill_slots);
    acre_deleter_register(DELETER, kill_delete, NULL);
    for (int i = 0; i < COMMON; i++)
        kill_make(&kill_slots->common[i]);
    acre_heap_detach(acre_segment_heap(kill_segment));
}

static void kill_prepare(void *shared)
{
    kill_prepare_with(shared, "rbtree_best_fit");
}

static void kill_prepare_sharded(void *shared)
{
    kill_prepare_with(shared, "sharded");
}

/* ---- at work ---- */

static void kill_settle_place(unsigned id)
{
    for (int i = 0; i < OWN; i++)
        LAB_EQUAL(acre_shared_settle(kill_segment, &kill_slots->own[id][i]), 0);
    for (int i = 0; i < 2; i++)
        LAB_EQUAL(acre_weak_settle(kill_segment, &kill_slots->weak[id][i]), 0);
}

static void kill_begin(void *shared, lab_worker *w)
{
    (void)shared;
    kill_settle_place(w->id);
    LAB_EQUAL(acre_holder_open(&kill_holder, kill_segment, HELD, 0), 0);
    kill_slots->holder[w->id] = kill_holder.block;
}

static bool kill_empty(const acre_reference *r)
{
    return r->control == 0;
}

static acre_shared *kill_slot(lab_worker *w)
{
    uint64_t i = acre_test_below(&w->seed, OWN + HELD);
    return i < OWN ? &kill_slots->own[w->id][i] : acre_holder_shared(&kill_holder, (uint32_t)(i - OWN));
}

/* From what is common, or from another of one's own. */
static void kill_fill(lab_worker *w, acre_shared *to)
{
    acre_shared *from = acre_test_below(&w->seed, 2) ? kill_slot(w)
                                                     : &kill_slots->common[acre_test_below(&w->seed, COMMON)];
    switch (acre_test_below(&w->seed, 4)) {
    case 0:
        kill_make(to);
        break;
    case 1:
        if (from < kill_slots->common || from >= kill_slots->common + COMMON)
            LAB_EQUAL(acre_shared_move(kill_segment, to, from), 0);
        break;
    default:
        LAB_EQUAL(acre_shared_copy(kill_segment, to, from), 0);
    }
}

static void kill_weak(lab_worker *w, acre_shared *to)
{
    acre_weak *weak = &kill_slots->weak[w->id][acre_test_below(&w->seed, 2)];
    int e = acre_weak_lock(kill_segment, to, weak);
    LAB_EXPECT(e == 0 || e == ENOENT, "%d", e);
    if (!kill_empty(&weak->r))
        LAB_EQUAL(acre_weak_release(kill_segment, weak), 0);
    LAB_EQUAL(acre_weak_from(kill_segment, weak, to), 0);
}

static void kill_turn(void *shared, lab_worker *w)
{
    (void)shared;
    for (int i = 0; i < 8; i++) {
        acre_shared *to = kill_slot(w);
        if (!kill_empty(&to->r) && acre_test_below(&w->seed, 8) == 0)
            LAB_EQUAL(acre_shared_assign(kill_segment, to, kill_slot(w)), 0);
        else if (!kill_empty(&to->r))
            LAB_EQUAL(acre_shared_release(kill_segment, to), 0);
        else if (acre_test_below(&w->seed, 3) == 0)
            kill_weak(w, to);
        else if (to->r.object == 0)
            kill_fill(w, to);
    }
}

/* ---- audit ---- */

typedef struct kill_count {
    acre_off control[64];
    uint32_t shared[64], weak[64];
    unsigned n;
} kill_count;

static unsigned kill_index(kill_count *c, acre_off control)
{
    unsigned i = 0;
    while (i < c->n && c->control[i] != control)
        i++;
    LAB_EXPECT(i < 64);
    c->n += i == c->n;
    c->control[i] = control;
    return i;
}

static void kill_see(kill_count *c, const acre_reference *r, bool weak)
{
    if (kill_empty(r))
        return;
    unsigned i = kill_index(c, r->control);
    ++*(weak ? &c->weak[i] : &c->shared[i]);
    if (!weak)
        LAB_EXPECT(kill_whole(acre_segment_address(kill_segment, r->object)), "an object is gone");
}

/* Who lives has a holder. */
static unsigned kill_see_holder(kill_count *c, unsigned id, const lab_worker *dead)
{
    shared_node *n = acre_segment_address(kill_segment, kill_slots->holder[id]);
    if (id == dead->id || !n)
        return 0;
    for (int i = 0; i < HELD; i++)
        kill_see(c, &n->slot[i].r, false);
    LAB_EXPECT(kill_empty(&n->spare.r));
    return 1;
}

static int kill_count_block(void *arg, const acre_block *b)
{
    *(unsigned *)arg += b->used;
    return 0;
}

/* The dead one's place is settled by the auditor as its successor would. */
static void kill_audit(void *shared, const lab_worker *dead)
{
    kill_count c = {.n = 0};
    unsigned blocks = 0, expected = 1;
    (void)shared;
    LAB_EQUAL(acre_shared_reap(kill_segment, NULL), 0);
    kill_settle_place(dead->id);
    for (int i = 0; i < COMMON; i++)
        kill_see(&c, &kill_slots->common[i].r, false);
    for (unsigned id = 0; id < LAB_WORKERS; id++) {
        for (int i = 0; i < OWN; i++)
            kill_see(&c, &kill_slots->own[id][i].r, false);
        for (int i = 0; i < 2; i++)
            kill_see(&c, &kill_slots->weak[id][i].r, true);
        expected += kill_see_holder(&c, id, dead);
    }
    for (unsigned i = 0; i < c.n; i++) {
        const shared_control *x = acre_segment_address(kill_segment, c.control[i]);
        LAB_EQUAL(shared_uses(x->state), c.shared[i]);
        LAB_EQUAL(shared_weaks(x->state), c.weak[i] + (c.shared[i] != 0));
    }
    acre_heap *h = acre_segment_heap(kill_segment);
    LAB_EQUAL(acre_heap_check(h, NULL), 0);
    LAB_EQUAL(acre_heap_walk(h, kill_count_block, &blocks), 0);
    if (blocks > expected + c.n)
        lab_lost(blocks - expected - c.n);
    LAB_EXPECT(blocks >= expected + c.n, "%u blocks, %u expected", blocks, expected + c.n);
}

#define SHARED_KILLS(name, prepare_)                             \
    ACRE_TEST(kill_shared, name)                                 \
    {                                                            \
        static const lab_contest c = {.primitive = "shared",     \
                                      .prepare = prepare_,       \
                                      .begin = kill_begin,       \
                                      .turn = kill_turn,         \
                                      .audit = kill_audit};      \
        lab_contest_test(&c);                                    \
    }
SHARED_KILLS(among_four, kill_prepare)
SHARED_KILLS(among_four_sharded, kill_prepare_sharded)
