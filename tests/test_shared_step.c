/* SPDX-License-Identifier: MIT */
/* Killed at every instruction of what changes references with counts.  Whoever comes after finds each count to be just
 * the references that there are, destroys what is left, and the heap is empty: nothing leaks, nothing is freed
 * twice. */
#include "tests/support_lab.h"

#include <acre.h>
#include <errno.h>
#include <string.h>

enum { SLOTS = 8, SMALL = 20 << 10, LARGE = 256 << 10, COUNTED = 5, NESTED, UNKNOWN, ALIVE = 0x600d };

/* In the shared memory; the segment behind it. */
typedef struct step_room {
    volatile uint32_t deleted; /* deleters that have run to their end */
    volatile uint32_t kept;    /* references that dead processes may have kept in their memory */
    uint32_t size, inner;      /* of the segment; table's offset */
    char algorithm[40];
} step_room;

enum { STEP_SEGMENT = 128 };

typedef struct step_table {
    acre_shared shared[SLOTS];
    acre_weak weak[SLOTS];
    acre_unique unique[2];
    acre_off block;
} step_table;

/* Of this process. */
static acre_segment *step_segment;
static step_room *step_here;
static step_table *step_slots;
static acre_holder step_holder;

/* ---- rooms ---- */

static void step_delete(void *arg, acre_segment *s, void *object)
{
    (void)arg;
    (void)s;
    LAB_EXPECT(*(volatile uint64_t *)object == ALIVE, "an object that is not alive is deleted");
    step_here->deleted++;
}

/* The object is a reference. */
static void step_delete_nested(void *arg, acre_segment *s, void *object)
{
    (void)arg;
    LAB_EQUAL(acre_shared_release(s, object), 0);
    step_here->deleted++;
}

static acre_segment_options step_options(step_room *r)
{
    return (acre_segment_options){.size = r->size,
                                  .buffer = (char *)r + STEP_SEGMENT,
                                  .algorithm = acre_algorithm_find(r->algorithm)};
}

static void step_open(void *shared)
{
    step_room *r = shared;
    acre_segment_options o = step_options(r);
    step_here = r;
    LAB_EQUAL(acre_segment_open(&step_segment, ACRE_BUFFER, NULL, &o), 0);
    step_slots = acre_segment_address(step_segment, r->inner);
    acre_deleter_register(COUNTED, step_delete, NULL);
    acre_deleter_register(NESTED, step_delete_nested, NULL);
}

static void step_make(acre_shared *to, uint32_t deleter)
{
    LAB_EQUAL(acre_shared_make(step_segment, to, 40, deleter), 0);
    *(uint64_t *)acre_shared_get(step_segment, to) = ALIVE;
}

/* An empty table. */
static void step_empty_of(void *shared, const char *algorithm, uint32_t size)
{
    step_room *r = shared;
    strcpy(r->algorithm, algorithm);
    r->size = size;
    acre_segment_options o = step_options(r);
    LAB_EQUAL(acre_segment_create(&step_segment, ACRE_BUFFER, NULL, &o), 0);
    step_slots = acre_calloc(acre_segment_heap(step_segment), 1, sizeof *step_slots);
    r->inner = (uint32_t)acre_segment_offset(step_segment, step_slots);
    step_here = r;
    acre_deleter_register(COUNTED, step_delete, NULL);
    acre_deleter_register(NESTED, step_delete_nested, NULL);
}

static void step_close(void)
{
    LAB_EQUAL(acre_segment_close(step_segment), 0);
}

static void step_empty(void *shared)
{
    step_empty_of(shared, "rbtree_best_fit", SMALL);
    step_close();
}

static void step_empty_sharded(void *shared)
{
    step_empty_of(shared, "sharded", LARGE);
    step_close();
}

/* shared[0] refers to an object. */
static void step_one(void *shared)
{
    step_empty_of(shared, "rbtree_best_fit", SMALL);
    step_make(&step_slots->shared[0], COUNTED);
    step_close();
}

static void step_one_sharded(void *shared)
{
    step_empty_of(shared, "sharded", LARGE);
    step_make(&step_slots->shared[0], COUNTED);
    step_close();
}

static void step_one_of(void *shared, int shares, int weaks)
{
    step_empty_of(shared, "rbtree_best_fit", SMALL);
    step_make(&step_slots->shared[0], COUNTED);
    for (int i = 1; i < shares; i++)
        LAB_EQUAL(acre_shared_copy(step_segment, &step_slots->shared[i], &step_slots->shared[0]), 0);
    for (int i = 0; i < weaks; i++)
        LAB_EQUAL(acre_weak_from(step_segment, &step_slots->weak[i], &step_slots->shared[0]), 0);
}

static void step_two(void *shared)
{
    step_one_of(shared, 2, 0);
    step_close();
}

static void step_weak(void *shared)
{
    step_one_of(shared, 1, 1);
    step_close();
}

static void step_two_weak(void *shared)
{
    step_one_of(shared, 1, 2);
    step_close();
}

/* Only weak ones are left. */
static void step_weak_only(void *shared)
{
    step_one_of(shared, 1, 1);
    LAB_EQUAL(acre_shared_release(step_segment, &step_slots->shared[0]), 0);
    step_close();
}

static void step_block(void)
{
    LAB_EQUAL(acre_alloc_into(acre_segment_heap(step_segment), &step_slots->block, 100), 0);
    *(uint64_t *)acre_segment_address(step_segment, step_slots->block) = ALIVE;
}

static void step_with_block(void *shared)
{
    step_empty_of(shared, "rbtree_best_fit", SMALL);
    step_block();
    step_close();
}

static void step_adopted(void *shared)
{
    step_empty_of(shared, "rbtree_best_fit", SMALL);
    step_block();
    LAB_EQUAL(acre_shared_adopt(step_segment, &step_slots->shared[0], &step_slots->block, COUNTED), 0);
    LAB_EQUAL(acre_weak_from(step_segment, &step_slots->weak[0], &step_slots->shared[0]), 0);
    step_close();
}

/* An object that is a reference to another. */
static void step_nested(void *shared)
{
    step_empty_of(shared, "rbtree_best_fit", SMALL);
    LAB_EQUAL(acre_shared_make(step_segment, &step_slots->shared[0], sizeof(acre_shared), NESTED), 0);
    step_make(acre_shared_get(step_segment, &step_slots->shared[0]), COUNTED);
    step_close();
}

/* Two objects. */
static void step_pair(void *shared)
{
    step_one_of(shared, 1, 0);
    step_make(&step_slots->shared[1], COUNTED);
    step_close();
}

static void step_unknown(void *shared)
{
    step_empty_of(shared, "rbtree_best_fit", SMALL);
    LAB_EQUAL(acre_shared_make(step_segment, &step_slots->shared[0], 40, UNKNOWN), 0);
    step_close();
}

static void step_unique(void *shared)
{
    step_empty_of(shared, "rbtree_best_fit", SMALL);
    LAB_EQUAL(acre_unique_make(step_segment, &step_slots->unique[0], 40, COUNTED), 0);
    *(uint64_t *)acre_segment_address(step_segment, step_slots->unique[0].object) = ALIVE;
    step_close();
}

/* ---- what a survivor finds ---- */

static bool step_there(const acre_reference *r)
{
    return r->control != 0;
}

static void step_settle(void)
{
    for (int i = 0; i < SLOTS; i++) {
        int e = acre_shared_settle(step_segment, &step_slots->shared[i]);
        LAB_EXPECT(e == 0 || e == ACRE_EDELETER, "%d", e);
        LAB_EQUAL(acre_weak_settle(step_segment, &step_slots->weak[i]), 0);
    }
}

static unsigned step_references(const acre_reference *r, acre_off control)
{
    unsigned n = 0;
    for (int i = 0; i < SLOTS; i++)
        n += r[i].control == control;
    return n;
}

/* A count is the number of references, also of those that lie in objects. */
static void step_counts_right(bool nested)
{
    for (int i = 0; i < SLOTS; i++) {
        acre_off control = step_slots->shared[i].r.control;
        unsigned n = step_references(&step_slots->shared[0].r, control);
        uint32_t uses = control ? acre_shared_use_count(step_segment, &step_slots->shared[i]) : 0;
        if (control && uses && !nested)
            LAB_EXPECT(uses >= n && uses <= n + step_here->kept, "%u references, %u counted", n, uses);
        LAB_EXPECT(!control || uses || n == 1, "%u references to what has ended", n);
    }
}

/* Give all back: then the heap is empty, and each object was deleted. */
static void step_end(unsigned objects)
{
    acre_heap *h = acre_segment_heap(step_segment);
    for (int i = 0; i < SLOTS; i++) {
        LAB_EQUAL(acre_shared_release(step_segment, &step_slots->shared[i]), 0);
        LAB_EQUAL(acre_weak_release(step_segment, &step_slots->weak[i]), 0);
        LAB_EQUAL(step_slots->shared[i].r.control | step_slots->weak[i].r.control, 0);
    }
    for (int i = 0; i < 2; i++)
        LAB_EQUAL(acre_unique_reset(step_segment, &step_slots->unique[i]), 0);
    LAB_EQUAL(acre_free_from(h, &step_slots->block), 0);
    LAB_EQUAL(acre_heap_check(h, NULL), 0);
    LAB_EXPECT(step_here->deleted >= objects && step_here->deleted <= objects + lab_deaths(),
               "%u deleted of %u", step_here->deleted, objects);
    if (step_here->kept)
        return;
    LAB_EQUAL(acre_free(h, step_slots), 0);
    LAB_EXPECT(acre_heap_all_free(h), "something has leaked");
}

/* Slot 1 is filled: it has happened. */
static int step_verify(void *shared)
{
    step_open(shared);
    step_settle();
    int state = step_there(&step_slots->shared[1].r) ? LAB_AFTER : LAB_BEFORE;
    LAB_EXPECT(state == LAB_BEFORE || acre_shared_get(step_segment, &step_slots->shared[1]));
    step_counts_right(false);
    step_end(1);
    return state;
}

static int step_verify_weak(void *shared)
{
    step_open(shared);
    step_settle();
    int state = step_there(&step_slots->weak[1].r) ? LAB_AFTER : LAB_BEFORE;
    step_counts_right(false);
    step_end(1);
    return state;
}

/* Slot 0 is empty: it has happened. */
static int step_verify_gone(void *shared)
{
    step_open(shared);
    step_settle();
    int state = step_there(&step_slots->shared[0].r) ? LAB_BEFORE : LAB_AFTER;
    step_counts_right(false);
    step_end(1);
    return state;
}

static int step_verify_weak_gone(void *shared)
{
    step_open(shared);
    step_settle();
    int state = step_there(&step_slots->weak[0].r) ? LAB_BEFORE : LAB_AFTER;
    step_counts_right(false);
    step_end(1);
    return state;
}

/* ---- in the segment ---- */

/* The second victim finds what the first one left. */
static void step_first(void)
{
    if (lab_deaths())
        step_settle();
}

static void step_copy(void *shared)
{
    (void)shared;
    step_first();
    int e = acre_shared_copy(step_segment, &step_slots->shared[1], &step_slots->shared[0]);
    LAB_EXPECT(e == 0 || (e == EEXIST && lab_deaths()), "%d", e);
}

LAB_SCENARIO(shared, copy, .prepare = step_one, .before = step_open, .victim = step_copy,
             .verify = step_verify, .size = SMALL + STEP_SEGMENT)

static void step_weak_from(void *shared)
{
    (void)shared;
    step_first();
    int e = acre_weak_from(step_segment, &step_slots->weak[1], &step_slots->shared[0]);
    LAB_EXPECT(e == 0 || (e == EEXIST && lab_deaths()), "%d", e);
}

LAB_SCENARIO(shared, weak_from, .prepare = step_one, .before = step_open, .victim = step_weak_from,
             .verify = step_verify_weak, .size = SMALL + STEP_SEGMENT)

static void step_weak_copy(void *shared)
{
    (void)shared;
    step_first();
    int e = acre_weak_copy(step_segment, &step_slots->weak[1], &step_slots->weak[0]);
    LAB_EXPECT(e == 0 || (e == EEXIST && lab_deaths()), "%d", e);
}

LAB_SCENARIO(shared, weak_copy, .prepare = step_weak_only, .before = step_open,
             .victim = step_weak_copy, .verify = step_verify_weak, .size = SMALL + STEP_SEGMENT)

static void step_lock(void *shared)
{
    (void)shared;
    step_first();
    int e = acre_weak_lock(step_segment, &step_slots->shared[1], &step_slots->weak[0]);
    LAB_EXPECT(e == 0 || (e == EEXIST && lab_deaths()), "%d", e);
}

LAB_SCENARIO(shared, weak_lock, .prepare = step_weak, .before = step_open, .victim = step_lock,
             .verify = step_verify, .size = SMALL + STEP_SEGMENT)

static void step_move(void *shared)
{
    (void)shared;
    step_first();
    int e = acre_shared_move(step_segment, &step_slots->shared[1], &step_slots->shared[0]);
    LAB_EXPECT(e == 0 || (e == EEXIST && lab_deaths()), "%d", e);
}

static int step_verify_move(void *shared)
{
    step_open(shared);
    step_settle();
    LAB_EXPECT(step_there(&step_slots->shared[0].r) != step_there(&step_slots->shared[1].r));
    return step_verify(shared);
}

LAB_SCENARIO(shared, move, .prepare = step_one, .before = step_open, .victim = step_move,
             .verify = step_verify_move, .size = SMALL + STEP_SEGMENT)

static void step_release(void *shared)
{
    (void)shared;
    LAB_EQUAL(acre_shared_release(step_segment, &step_slots->shared[0]), 0);
}

LAB_SCENARIO(shared, release, .prepare = step_two, .before = step_open, .victim = step_release,
             .verify = step_verify_gone, .size = SMALL + STEP_SEGMENT)
LAB_SCENARIO(shared, release_last, .prepare = step_one, .before = step_open, .victim = step_release,
             .verify = step_verify_gone, .size = SMALL + STEP_SEGMENT, .stride = 7)
LAB_SCENARIO(shared, release_last_sharded, .prepare = step_one_sharded, .before = step_open,
             .victim = step_release, .verify = step_verify_gone, .size = SMALL, .stride = 24)
LAB_SCENARIO(shared, release_last_weak_stays, .prepare = step_weak, .before = step_open,
             .victim = step_release, .verify = step_verify_gone, .size = SMALL + STEP_SEGMENT, .stride = 7)
LAB_SCENARIO(shared, release_adopted, .prepare = step_adopted, .before = step_open,
             .victim = step_release, .verify = step_verify_gone, .size = SMALL + STEP_SEGMENT, .stride = 16)

static int step_verify_nested(void *shared)
{
    step_open(shared);
    step_settle();
    int state = step_there(&step_slots->shared[0].r) ? LAB_BEFORE : LAB_AFTER;
    step_end(2);
    return state;
}

LAB_SCENARIO(shared, release_nested, .prepare = step_nested, .before = step_open,
             .victim = step_release, .verify = step_verify_nested, .size = SMALL + STEP_SEGMENT, .stride = 16)

static void step_weak_release(void *shared)
{
    (void)shared;
    LAB_EQUAL(acre_weak_release(step_segment, &step_slots->weak[0]), 0);
}

LAB_SCENARIO(shared, weak_release, .prepare = step_two_weak, .before = step_open,
             .victim = step_weak_release, .verify = step_verify_weak_gone, .size = SMALL + STEP_SEGMENT)
LAB_SCENARIO(shared, weak_release_last, .prepare = step_weak_only, .before = step_open,
             .victim = step_weak_release, .verify = step_verify_weak_gone, .size = SMALL + STEP_SEGMENT, .stride = 7)

/* ---- making ---- */

static void step_make_it(void *shared)
{
    (void)shared;
    step_first();
    int e = acre_shared_make(step_segment, &step_slots->shared[1], 40, 0);
    LAB_EXPECT(e == 0 || (e == EEXIST && lab_deaths()), "%d", e);
}

static int step_verify_made(void *shared)
{
    step_open(shared);
    step_settle();
    const uint64_t *object = acre_shared_get(step_segment, &step_slots->shared[1]);
    int state = object ? LAB_AFTER : LAB_BEFORE;
    LAB_EXPECT(!object || acre_shared_use_count(step_segment, &step_slots->shared[1]) == 1);
    for (int i = 0; object && i < 5; i++)
        LAB_EQUAL(object[i], 0);
    step_end(0);
    return state;
}

LAB_SCENARIO(shared, make, .prepare = step_empty, .before = step_open, .victim = step_make_it,
             .verify = step_verify_made, .size = SMALL + STEP_SEGMENT, .stride = 7)
LAB_SCENARIO(shared, make_sharded, .prepare = step_empty_sharded, .before = step_open,
             .victim = step_make_it, .verify = step_verify_made, .size = SMALL, .stride = 24)

static void step_adopt(void *shared)
{
    (void)shared;
    step_first();
    int e = acre_shared_adopt(step_segment, &step_slots->shared[1], &step_slots->block, COUNTED);
    LAB_EXPECT(e == 0 || (e == ACRE_EINVALID && lab_deaths()), "%d", e);
}

/* The block has one owner. */
static int step_verify_adopted(void *shared)
{
    step_open(shared);
    step_settle();
    bool there = step_there(&step_slots->shared[1].r);
    LAB_EXPECT(there == !step_slots->block, "the block has %d owners", there + !!step_slots->block);
    LAB_EXPECT(!there || acre_shared_get(step_segment, &step_slots->shared[1]));
    step_end(there);
    return there ? LAB_AFTER : LAB_BEFORE;
}

LAB_SCENARIO(shared, adopt, .prepare = step_with_block, .before = step_open, .victim = step_adopt,
             .verify = step_verify_adopted, .size = SMALL + STEP_SEGMENT, .stride = 7)

/* ---- to and from private memory ---- */

static acre_shared step_mine;

static void step_keep(void *shared)
{
    step_open(shared);
    step_settle();
    step_here->kept++;
    LAB_EQUAL(acre_shared_copy(step_segment, &step_mine, &step_slots->shared[0]), 0);
}

static void step_move_in(void *shared)
{
    (void)shared;
    int e = acre_shared_move(step_segment, &step_slots->shared[1], &step_mine);
    LAB_EXPECT(e == 0 || (e == EEXIST && lab_deaths()), "%d", e);
}

static int step_verify_kept(void *shared)
{
    step_open(shared);
    step_settle();
    int state = step_there(&step_slots->shared[1].r) ? LAB_AFTER : LAB_BEFORE;
    step_counts_right(false);
    step_end(0);
    return state;
}

LAB_SCENARIO(shared, move_in, .prepare = step_one, .before = step_keep, .victim = step_move_in,
             .verify = step_verify_kept, .size = SMALL + STEP_SEGMENT)

static void step_move_out(void *shared)
{
    (void)shared;
    step_first();
    step_here->kept++;
    LAB_EQUAL(acre_shared_move(step_segment, &step_mine, &step_slots->shared[0]), 0);
}

static int step_verify_moved_out(void *shared)
{
    step_open(shared);
    step_settle();
    int state = step_there(&step_slots->shared[0].r) ? LAB_BEFORE : LAB_AFTER;
    LAB_EXPECT(state == LAB_AFTER || acre_shared_get(step_segment, &step_slots->shared[0]));
    step_counts_right(false);
    step_end(0);
    return state;
}

LAB_SCENARIO(shared, move_out, .prepare = step_two, .before = step_open, .victim = step_move_out,
             .verify = step_verify_moved_out, .size = SMALL + STEP_SEGMENT)

/* ---- with a holder ---- */

static void step_reap(void)
{
    LAB_EQUAL(acre_shared_reap(step_segment, NULL), 0);
}

static void step_hold(void *shared)
{
    step_open(shared);
    LAB_EQUAL(acre_holder_open(&step_holder, step_segment, 3, 2), 0);
}

/* The copy and what it replaces: nothing leaks between the two either. */
static void step_assign(void *shared)
{
    (void)shared;
    step_first();
    LAB_EQUAL(acre_shared_assign(step_segment, &step_slots->shared[1], &step_slots->shared[0]), 0);
}

static int step_verify_assigned(void *shared)
{
    step_open(shared);
    step_reap();
    step_settle();
    acre_off first = step_slots->shared[0].r.control;
    int state = step_slots->shared[1].r.control == first ? LAB_AFTER : LAB_BEFORE;
    step_counts_right(false);
    step_end(2);
    return state;
}

LAB_SCENARIO(shared, assign, .prepare = step_pair, .before = step_hold, .victim = step_assign,
             .verify = step_verify_assigned, .size = SMALL + STEP_SEGMENT, .stride = 16)

/* A slot of the holder's that the survivors never look at. */
static void step_take(void *shared)
{
    (void)shared;
    LAB_EQUAL(acre_shared_copy(step_segment, acre_holder_shared(&step_holder, 1), &step_slots->shared[0]), 0);
    LAB_EQUAL(acre_weak_from(step_segment, acre_holder_weak(&step_holder, 1), &step_slots->shared[0]), 0);
    LAB_EQUAL(acre_shared_release(step_segment, acre_holder_shared(&step_holder, 1)), 0);
}

static int step_verify_reaped(void *shared)
{
    step_open(shared);
    step_reap();
    LAB_EQUAL(acre_shared_use_count(step_segment, &step_slots->shared[0]), 1);
    step_end(1);
    return LAB_EITHER;
}

LAB_SCENARIO(shared, hold, .prepare = step_one, .before = step_hold, .victim = step_take,
             .verify = step_verify_reaped, .size = SMALL + STEP_SEGMENT, .stride = 16)
LAB_SCENARIO(shared, holder_open, .prepare = step_one, .before = step_open, .victim = step_hold,
             .verify = step_verify_reaped, .size = SMALL + STEP_SEGMENT, .stride = 16)

static void step_hold_some(void *shared)
{
    step_hold(shared);
    step_take(shared);
    LAB_EQUAL(acre_shared_copy(step_segment, acre_holder_shared(&step_holder, 2), &step_slots->shared[0]), 0);
    step_make(acre_holder_shared(&step_holder, 0), 0);
}

/* What it was about is finished by who reaps, not only by who uses the object next. */
static void step_hold_one(void *shared)
{
    step_hold(shared);
    LAB_EQUAL(acre_shared_copy(step_segment, acre_holder_shared(&step_holder, 0), &step_slots->shared[0]), 0);
}

static void step_release_held(void *shared)
{
    (void)shared;
    LAB_EQUAL(acre_shared_release(step_segment, acre_holder_shared(&step_holder, 0)), 0);
}

LAB_SCENARIO(shared, release_held, .prepare = step_one, .before = step_hold_one,
             .victim = step_release_held, .verify = step_verify_reaped, .size = SMALL + STEP_SEGMENT)

static void step_holder_close(void *shared)
{
    (void)shared;
    LAB_EQUAL(acre_holder_close(&step_holder), 0);
}

LAB_SCENARIO(shared, holder_close, .prepare = step_one, .before = step_hold_some,
             .victim = step_holder_close, .verify = step_verify_reaped, .size = SMALL + STEP_SEGMENT, .stride = 16)

/* Somebody has died with a holder: who reaps is killed, too. */
static void step_die(void *shared)
{
    step_hold_some(shared);
    lab_ready();
}

static void step_reap_it(void *shared)
{
    (void)shared;
    step_reap();
}

LAB_SCENARIO(shared, reap, .prepare = step_one, .helper = step_die, .before = step_open,
             .victim = step_reap_it, .verify = step_verify_reaped, .size = SMALL + STEP_SEGMENT, .stride = 16)

/* ---- a deleter that is not there ---- */

static void step_condemn(void *shared)
{
    (void)shared;
    step_first();
    int e = acre_shared_release(step_segment, &step_slots->shared[0]);
    LAB_EXPECT(e == ACRE_EDELETER || (e == 0 && lab_deaths()), "%d", e);
}

static int step_verify_condemned(void *shared)
{
    step_open(shared);
    step_settle();
    int state = step_there(&step_slots->shared[0].r) ? LAB_BEFORE : LAB_AFTER;
    int e = acre_shared_reap(step_segment, NULL);
    LAB_EXPECT(e == 0 || e == ACRE_EDELETER, "%d", e);
    LAB_EXPECT(state == LAB_BEFORE || e == ACRE_EDELETER, "the condemned is lost");
    acre_deleter_register(UNKNOWN, step_delete_nested, NULL); /* the object is an empty reference */
    step_reap();
    step_end(1);
    return state;
}

LAB_SCENARIO(shared, condemn, .prepare = step_unknown, .before = step_open, .victim = step_condemn,
             .verify = step_verify_condemned, .size = SMALL + STEP_SEGMENT, .stride = 16)

/* ---- one owner ---- */

static void step_unique_move(void *shared)
{
    (void)shared;
    int e = acre_unique_move(step_segment, &step_slots->unique[1], &step_slots->unique[0]);
    LAB_EXPECT(e == 0 || (e == EEXIST && lab_deaths()), "%d", e);
}

static int step_verify_unique(void *shared)
{
    step_open(shared);
    (void)acre_heap_free_memory(acre_segment_heap(step_segment)); /* what was begun is undone */
    bool moved = step_slots->unique[1].object;
    LAB_EXPECT(moved != !!step_slots->unique[0].object, "%d owners", moved * 2);
    step_end(1);
    return moved ? LAB_AFTER : LAB_BEFORE;
}

LAB_SCENARIO(shared, unique_move, .prepare = step_unique, .before = step_open,
             .victim = step_unique_move, .verify = step_verify_unique, .size = SMALL + STEP_SEGMENT)

static void step_unique_reset(void *shared)
{
    (void)shared;
    LAB_EQUAL(acre_unique_reset(step_segment, &step_slots->unique[0]), 0);
}

static int step_verify_reset(void *shared)
{
    step_open(shared);
    (void)acre_heap_free_memory(acre_segment_heap(step_segment));
    int state = step_slots->unique[0].object ? LAB_BEFORE : LAB_AFTER;
    step_end(1);
    return state;
}

LAB_SCENARIO(shared, unique_reset, .prepare = step_unique, .before = step_open,
             .victim = step_unique_reset, .verify = step_verify_reset, .size = SMALL + STEP_SEGMENT)
