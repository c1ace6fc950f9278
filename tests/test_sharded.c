/* SPDX-License-Identifier: MIT */
/* What sharded promises beyond a heap: parts of threads that come, go and die; blocks freed by others; what
 * a record says after a death. */
#include "tests/support_heap.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* White box: which shards there are, records. */
#include "alloc/shard_slab.h"

enum { SHARD_HEAP = 4 << 20, SHARD_NODES_MANY = 2000, SHARD_SIZE = 64 };

static void *node[SHARD_NODES_MANY];

static acre_heap *sharded_heap(void)
{
    acre_segment_options o = {.size = SHARD_HEAP, .algorithm = acre_algorithm_find("sharded")};
    acre_segment *s;
    ACRE_CHECK_EQUAL(acre_segment_create(&s, ACRE_ANON, NULL, &o), 0);
    return acre_segment_heap(s);
}

static uint32_t shards_of(acre_heap *h)
{
    uint32_t n = 0;
    while (shard_numbered(&h->region, n))
        n++;
    return n;
}

static void alloc_nodes(acre_heap *h, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        ACRE_CHECK((node[i] = acre_alloc(h, SHARD_SIZE)));
        test_fill(node[i], SHARD_SIZE, i);
    }
}

static void free_nodes(acre_heap *h, size_t from, size_t to)
{
    for (size_t i = from; i < to; i++) {
        ACRE_CHECK(test_filled(node[i], SHARD_SIZE, i));
        ACRE_CHECK_EQUAL(acre_free(h, node[i]), 0);
    }
}

static void in_thread(void *(*run)(void *), acre_heap *h)
{
    pthread_t t;
    ACRE_CHECK_EQUAL(pthread_create(&t, NULL, run, h), 0);
    ACRE_CHECK_EQUAL(pthread_join(t, NULL), 0);
}

/* ---- coming and going ---- */

static void *use_and_go(void *arg)
{
    alloc_nodes(arg, 1000);
    free_nodes(arg, 0, 500);
    return NULL;
}

static void *free_the_rest(void *arg)
{
    free_nodes(arg, 500, 1000);
    return NULL;
}

ACRE_TEST(sharded_threads, the_next_thread_takes_over_what_one_left)
{
    acre_heap *h = sharded_heap();
    for (int i = 0; i < 20; i++) {
        in_thread(use_and_go, h);
        in_thread(free_the_rest, h);
        ACRE_CHECK_EQUAL(shards_of(h), 1);
    }
    ACRE_CHECK(shard_numbered(&h->region, 0)->adopted >= 39);
    ACRE_CHECK(acre_heap_all_free(h));
    test_sound(h);
}

static void *detach_and_go(void *arg)
{
    ACRE_CHECK(acre_alloc(arg, SHARD_SIZE));
    acre_heap_detach(arg);
    return NULL;
}

ACRE_TEST(sharded_threads, who_detaches_leaves_a_free_shard)
{
    acre_heap *h = sharded_heap();
    in_thread(detach_and_go, h);
    ACRE_CHECK_EQUAL(shard_numbered(&h->region, 0)->cell.word, 0);
    alloc_nodes(h, 10);
    acre_heap_detach(h);
    acre_heap_detach(h);
    free_nodes(h, 0, 10);
    ACRE_CHECK_EQUAL(shards_of(h), 1);
}

static pthread_barrier_t sharded_barrier;

static void *be_there(void *arg)
{
    void *p = acre_alloc(arg, SHARD_SIZE);
    pthread_barrier_wait(&sharded_barrier);
    bool freed = p && acre_free(arg, p) == 0;
    pthread_barrier_wait(&sharded_barrier);
    return freed ? arg : NULL;
}

/* A new owner visits slabs as it needs nodes: all are found before the heap grows. */
ACRE_TEST(sharded_threads, slabs_of_who_left_are_found_one_by_one)
{
    acre_heap *h = sharded_heap();
    alloc_nodes(h, SHARD_NODES_MANY);
    for (size_t i = 0; i < SHARD_NODES_MANY; i += 2)
        ACRE_CHECK_EQUAL(acre_free(h, node[i]), 0);
    size_t high = acre_heap_high_water(h);
    for (size_t i = 0; i < SHARD_NODES_MANY; i += 2) {
        if (i % 100 == 0)
            acre_heap_detach(h);
        ACRE_CHECK((node[i] = acre_alloc(h, SHARD_SIZE)));
        test_fill(node[i], SHARD_SIZE, i);
    }
    ACRE_CHECK(acre_heap_high_water(h) < high + high / 8); /* some stood alone before */
    free_nodes(h, 0, SHARD_NODES_MANY);
    ACRE_CHECK(acre_heap_all_free(h));
    test_sound(h);
}

ACRE_TEST(sharded_threads, more_threads_than_shards_work_too)
{
    enum { MANY = SHARD_SHARDS + 20 };
    static pthread_t thread[MANY];
    acre_heap *h = sharded_heap();
    pthread_barrier_init(&sharded_barrier, NULL, MANY);
    for (int i = 0; i < MANY; i++)
        ACRE_CHECK_EQUAL(pthread_create(&thread[i], NULL, be_there, h), 0);
    for (int i = 0; i < MANY; i++) {
        void *good;
        ACRE_CHECK_EQUAL(pthread_join(thread[i], &good), 0);
        ACRE_CHECK(good != NULL);
    }
    ACRE_CHECK_EQUAL(shards_of(h), SHARD_SHARDS);
    ACRE_CHECK(acre_heap_all_free(h));
    test_sound(h);
}

static void child_uses(void *arg)
{
    acre_heap *h = arg;
    free_nodes(h, 0, 1000);
    alloc_nodes(h, 500);
    ACRE_CHECK(shard_leased(h)->number == 1);
    free_nodes(h, 0, 500);
}

ACRE_TEST(sharded_threads, a_forked_child_has_a_shard_of_its_own)
{
    acre_heap *h = sharded_heap();
    alloc_nodes(h, 1000);
    acre_test_expect_exit(acre_test_spawn(child_uses, h), 0);
    ACRE_CHECK(shard_leased(h)->number == 0);
    ACRE_CHECK(acre_heap_all_free(h));
    test_sound(h);
}

/* ---- freed by others ---- */

static void *free_all_nodes(void *arg)
{
    free_nodes(arg, 0, SHARD_NODES_MANY);
    return NULL;
}

/* What others freed is used again: the heap does not grow. */
ACRE_TEST(sharded_threads, blocks_freed_by_others_come_back)
{
    acre_heap *h = sharded_heap();
    size_t high = 0;
    for (int i = 0; i < 50; i++) {
        alloc_nodes(h, SHARD_NODES_MANY);
        in_thread(free_all_nodes, h);
        if (i == 3)
            high = acre_heap_high_water(h);
    }
    ACRE_CHECK(acre_heap_high_water(h) < high + high / 8); /* some stood alone before */
    ACRE_CHECK(acre_heap_all_free(h));
    acre_heap_free_empty(h);
    test_sound(h);
}

static void free_and_die(void *arg)
{
    free_nodes(arg, 0, SHARD_NODES_MANY);
    kill(getpid(), SIGKILL);
}

ACRE_TEST(sharded_threads, blocks_freed_by_the_dead_come_back)
{
    acre_heap *h = sharded_heap();
    for (int i = 0; i < 10; i++) {
        alloc_nodes(h, SHARD_NODES_MANY);
        pid_t child = acre_test_spawn(free_and_die, h);
        int status;
        ACRE_CHECK(waitpid(child, &status, 0) == child && WIFSIGNALED(status));
        ACRE_CHECK(acre_heap_all_free(h));
    }
    test_sound(h);
}

ACRE_TEST(sharded_threads, what_is_at_home_or_was_freed_last_is_not_freed_twice)
{
    acre_heap *h = sharded_heap();
    alloc_nodes(h, 200);
    free_nodes(h, 0, 1);
    ACRE_CHECK_EQUAL(acre_free(h, node[0]), ACRE_EINVALID);
    free_nodes(h, 1, 200);
    ACRE_CHECK_EQUAL(acre_free(h, node[150]), ACRE_EINVALID);
    test_sound(h);
}

/* A slab among others that is wholly free, and alone in the list of its class. */
static slab *free_slab(acre_heap *h)
{
    alloc_nodes(h, SHARD_NODES_MANY);
    free_nodes(h, SHARD_NODES_MANY - SHARD_ENTRIES, SHARD_NODES_MANY); /* the magazine is full */
    slab *s = shard_find(&h->region, node[1500]).slab;
    for (size_t i = 0; i < SHARD_NODES_MANY - SHARD_ENTRIES; i++)
        if (shard_find(&h->region, node[i]).slab == s)
            ACRE_CHECK_EQUAL(acre_free(h, node[i]), 0);
    ACRE_CHECK(s && slab_whole(&h->region, s));
    return s;
}

/* As if somebody had been killed in front of the commit. */
ACRE_TEST(sharded_threads, a_slab_whose_end_is_undone_is_as_it_was)
{
    acre_heap *h = sharded_heap();
    slab *s = free_slab(h), before = *s;
    acre_stats at_first, undone;
    ACRE_CHECK_EQUAL(acre_heap_stats(h, &at_first), 0);
    ACRE_CHECK_EQUAL(acre__heap_enter(h), 0);
    ACRE_CHECK(acre__slab_end(&h->region, shard_leased(h), s) > 0);
    acre__robust_unlock(h->lock);
    test_sound(h); /* rolls back */
    ACRE_CHECK(s->owner == before.owner && s->class == before.class &&
               s->ring_next == before.ring_next && s->ring_back == before.ring_back);
    ACRE_CHECK_EQUAL(acre_heap_stats(h, &undone), 0);
    ACRE_CHECK(undone.free_bytes == at_first.free_bytes && undone.recoveries == 1);
}

/* ---- the shelf ---- */

static size_t used_blocks(acre_heap *h)
{
    acre_stats s;
    ACRE_CHECK_EQUAL(acre_heap_stats(h, &s), 0);
    return s.used_blocks;
}

ACRE_TEST(sharded_shelf, a_large_block_is_found_again)
{
    acre_heap *h = sharded_heap();
    for (size_t size = 1025; size < 60000; size += size / 3) {
        char *p = acre_alloc(h, size);
        ACRE_CHECK(p);
        ACRE_CHECK_EQUAL(acre_free(h, p), 0);
        ACRE_CHECK_EQUAL(used_blocks(h), 0);
        size_t less = size - size / 20 > SHARD_MOST ? size - size / 20 : size;
        ACRE_CHECK(acre_alloc(h, less) == p, "%zu bytes", size);
        ACRE_CHECK_EQUAL(used_blocks(h), 1);
        ACRE_CHECK(acre_usable_size(h, p) >= size);
        test_sound(h);
        ACRE_CHECK_EQUAL(acre_free(h, p), 0);
        ACRE_CHECK(acre_heap_free_empty(h) >= size);
        test_sound(h);
    }
    ACRE_CHECK(acre_heap_all_free(h));
}

ACRE_TEST(sharded_shelf, what_stands_on_it_is_no_live_block)
{
    acre_heap *h = sharded_heap();
    void *p = acre_alloc(h, 5000), *q = acre_alloc(h, 5000);
    acre_off *slot = acre_alloc(h, sizeof *slot);
    *slot = (acre_off)((char *)p - h->segment);
    ACRE_CHECK_EQUAL(acre_free(h, p), 0);
    ACRE_CHECK_EQUAL(acre_free(h, p), ACRE_EINVALID);
    ACRE_CHECK_EQUAL(acre_free_from(h, slot), ACRE_EINVALID);
    ACRE_CHECK_EQUAL(acre_usable_size(h, p), 0);
    ACRE_CHECK(!acre_realloc(h, p, 9000));
    ACRE_CHECK_EQUAL(acre_free(h, q), 0);
    ACRE_CHECK_EQUAL(acre_free(h, p), ACRE_EINVALID);
    test_sound(h);
}

/* Blocks whose first word says, by chance or malice, what one on a shelf says are live all the same. */
ACRE_TEST(sharded_shelf, only_what_stands_on_it_is_refused)
{
    acre_heap *h = sharded_heap();
    uint64_t *p = acre_alloc(h, 5000);
    ACRE_CHECK_EQUAL(acre_free(h, p), 0);
    uint64_t mark = p[0];
    ACRE_CHECK(acre_alloc(h, 5000) == p);
    ACRE_CHECK(p[0] != mark);
    p[0] = mark;
    ACRE_CHECK(acre_usable_size(h, p) >= 5000);
    ACRE_CHECK_EQUAL(acre_free(h, p), 0);
}

ACRE_TEST(sharded_shelf, it_is_emptied_where_room_is_needed)
{
    acre_heap *h = sharded_heap();
    static void *block[400];
    size_t n = 0;
    while (n < 400 && (block[n] = acre_alloc(h, 20000)))
        n++;
    ACRE_CHECK(n > 100 && n < 400);
    for (size_t i = 0; i < n; i++)
        ACRE_CHECK_EQUAL(acre_free(h, block[i]), 0);
    ACRE_CHECK(shard_leased(h)->shelved > 0);
    size_t all = acre_heap_free_memory(h);
    ACRE_CHECK(!acre_alloc(h, all));
    ACRE_CHECK_EQUAL(shard_leased(h)->shelved, 0);
    void *p = acre_alloc(h, all - all / 64);
    ACRE_CHECK(p);
    ACRE_CHECK_EQUAL(acre_free(h, p), 0);
    test_sound(h);
}

/* Where who took from a bin was killed: the last entry stands twice, or with another's size; a bin that no
 * kill leaves as it is. */
static void *die_at_the_shelf(void *arg)
{
    acre_heap *h = arg;
    void *p[3];
    for (int i = 0; i < 3; i++)
        p[i] = acre_alloc(h, 5000 + 16 * (size_t)i);
    for (int i = 0; i < 3; i++)
        ACRE_CHECK_EQUAL(acre_free(h, p[i]), 0);
    shelf_bin *b = &shelf_of(&h->region, shard_leased(h))[shelf_bin_of(shelf_units(5000))];
    ACRE_CHECK_EQUAL(b->count, 3);
    b->unit[0] = b->unit[2];
    return NULL;
}

ACRE_TEST(sharded_shelf, what_the_dead_left_is_mended)
{
    acre_heap *h = sharded_heap();
    in_thread(die_at_the_shelf, h);
    test_sound(h); /* settles */
    const shard *t = shard_numbered(&h->region, 0);
    const shelf_bin *b = &shelf_of(&h->region, t)[shelf_bin_of(shelf_units(5000))];
    ACRE_CHECK_EQUAL(b->count, 2);
    ACRE_CHECK(b->unit[0] != b->unit[1] && b->units[0] != b->units[1]);
    ACRE_CHECK_EQUAL(t->shelved, (uint64_t)b->units[0] + b->units[1]);
    ACRE_CHECK_EQUAL(used_blocks(h), 1); /* what the dead one had in hand */
}

/* Where who empties a shelf is killed in front of the commit. */
static void *die_emptying(void *arg)
{
    acre_heap *h = arg;
    void *p[3];
    for (int i = 0; i < 3; i++)
        p[i] = acre_alloc(h, 5000);
    for (int i = 0; i < 3; i++)
        ACRE_CHECK_EQUAL(acre_free(h, p[i]), 0);
    shelf_bin *b = &shelf_of(&h->region, shard_leased(h))[shelf_bin_of(shelf_units(5000))];
    ACRE_CHECK_EQUAL(acre__heap_enter(h), 0);
    acre_note(&h->region, b, *(uint32_t *)(void *)b, 1);
    b->count--;
    acre__shard_release_direct(&h->region, p[2], acre__rb_live(&h->region, p[2]));
    return NULL;
}

/* Its shard is taken over first, and its call undone only when somebody needs the house. */
ACRE_TEST(sharded_shelf, what_was_being_emptied_is_undone_before_it_changes_hands)
{
    acre_heap *h = sharded_heap();
    in_thread(die_emptying, h);
    for (int i = 0; i < 3; i++)
        ACRE_CHECK((node[i] = acre_alloc(h, 5000)));
    ACRE_CHECK(node[0] != node[1] && node[1] != node[2] && node[0] != node[2]);
    node[3] = acre_alloc(h, 200000);
    ACRE_CHECK_EQUAL(used_blocks(h), 4);
    test_sound(h);
    for (int i = 0; i < 4; i++)
        ACRE_CHECK_EQUAL(acre_free(h, node[i]), 0);
    ACRE_CHECK(acre_heap_all_free(h));
}

/* ---- records ---- */

/* The first ones stand alone: from here on they are in slabs. */
enum { SHARD_FROM_SLABS = 1500 };

/* How far a thread came that was sending the last entry of its magazine home. */
enum sent { SENT_RECORD, SENT_SLOT, SENT_COUNT, SENT_BIT, SENT_COLLECTED, SENT_STATES };

static struct record_case {
    enum sent state;
    acre_off *slot;
    uint32_t unit;
} record;

static void *die_sending(void *arg)
{
    acre_heap *h = arg;
    free_nodes(h, SHARD_FROM_SLABS, SHARD_FROM_SLABS + SHARD_ENTRIES);
    shard *t = shard_leased(h);
    shard_place at = shard_find(&h->region, node[SHARD_FROM_SLABS + SHARD_ENTRIES - 1]);
    shard_class *c = &t->class[at.slab->class];
    ACRE_CHECK(t->number == 1 && at.slab->owner == 0 && c->count == SHARD_ENTRIES);
    record.unit = c->entry[SHARD_ENTRIES];
    t->slot = (uint64_t)((char *)record.slot - h->segment);
    t->op = (uint64_t)record.unit << 4 | SHARD_SEND;
    if (record.state >= SENT_SLOT)
        *record.slot = 0;
    if (record.state >= SENT_COUNT)
        c->count--;
    if (record.state >= SENT_BIT) {
        acre__or(&at.slab->word[at.index / 64].remote, (uint64_t)1 << at.index % 64);
        acre__shard_notify(&h->region, at.slab);
    }
    return NULL;
}

/* Exactly one more node comes home, whether it was sent, arrived, or was taken and given out again. */
ACRE_TEST(sharded_records, a_node_is_sent_once)
{
    for (int state = 0; state < SENT_STATES; state++) {
        acre_heap *h = sharded_heap();
        record.slot = acre_alloc(h, 2000); /* a block of the house, and a slot in it */
        alloc_nodes(h, SHARD_NODES_MANY);
        *record.slot = (acre_off)((char *)node[SHARD_FROM_SLABS + SHARD_ENTRIES - 1] - h->segment);
        record.state = state;
        in_thread(die_sending, h);
        shard_place at = shard_find(&h->region, node[SHARD_FROM_SLABS + SHARD_ENTRIES - 1]);
        if (state == SENT_COLLECTED) {
            acre__shard_collect_all(&h->region, shard_leased(h));
            ACRE_CHECK_EQUAL(shard_numbered(&h->region, 1)->op & 15, SHARD_SENT);
        }
        test_sound(h); /* settles */
        ACRE_CHECK_EQUAL(*record.slot, 0);
        ACRE_CHECK(shard_free_at(at), "state %d", state);
        ACRE_CHECK_EQUAL(used_blocks(h), 1 + SHARD_NODES_MANY - SHARD_ENTRIES);
        ACRE_CHECK_EQUAL(shard_numbered(&h->region, 1)->class[at.slab->class].count,
                         SHARD_ENTRIES - 1);
        ACRE_CHECK_EQUAL(shard_numbered(&h->region, 1)->op, SHARD_IDLE);
        free_nodes(h, 0, SHARD_FROM_SLABS);
        free_nodes(h, SHARD_FROM_SLABS + SHARD_ENTRIES, SHARD_NODES_MANY);
        ACRE_CHECK_EQUAL(acre_free(h, record.slot), 0);
        ACRE_CHECK(acre_heap_all_free(h));
    }
}

static void *die_before_the_hint(void *arg)
{
    acre_heap *h = arg;
    free_nodes(h, SHARD_FROM_SLABS, SHARD_FROM_SLABS + SHARD_ENTRIES);
    shard *t = shard_leased(h);
    shard_place at = shard_find(&h->region, node[SHARD_FROM_SLABS + SHARD_ENTRIES]);
    t->op =
        (uint64_t)slab_frame(&h->region, at.slab) * (SHARD_FRAME / SHARD_UNIT) << 4 | SHARD_NOTICE;
    acre__or(&at.slab->word[at.index / 64].remote, (uint64_t)1 << at.index % 64);
    return NULL;
}

ACRE_TEST(sharded_records, the_hint_that_a_dead_one_owed_is_given)
{
    acre_heap *h = sharded_heap();
    alloc_nodes(h, SHARD_NODES_MANY);
    in_thread(die_before_the_hint, h);
    ACRE_CHECK_EQUAL(shard_leased(h)->hint, 0);
    test_sound(h);
    ACRE_CHECK(shard_leased(h)->hint != 0);
}

static acre_off *slots;

static void *publish(void *arg)
{
    uint64_t seed = acre_test_seed();
    for (int i = 0; i < 20000; i++) {
        acre_off *slot = &slots[acre_test_below(&seed, 64)];
        ACRE_CHECK_EQUAL(*slot ? acre_free_from(arg, slot)
                               : acre_alloc_into(arg, slot, 1 + acre_test_below(&seed, 500)),
                         0);
    }
    for (int i = 0; i < 64; i++)
        ACRE_CHECK_EQUAL(acre_free_from(arg, &slots[i]), 0);
    return NULL;
}

/* Magazines full of others' nodes make room one by one. */
static void *free_from_others(void *arg)
{
    for (size_t i = 0; i < SHARD_NODES_MANY; i++)
        ACRE_CHECK_EQUAL(acre_free_from(arg, &slots[i]), 0);
    return NULL;
}

ACRE_TEST(sharded_records, slots_are_filled_and_emptied)
{
    acre_heap *h = sharded_heap();
    slots = acre_calloc(h, SHARD_NODES_MANY, sizeof *slots);
    publish(h);
    in_thread(publish, h);
    for (size_t i = 0; i < SHARD_NODES_MANY; i++)
        ACRE_CHECK_EQUAL(acre_alloc_into(h, &slots[i], SHARD_SIZE), 0);
    in_thread(free_from_others, h);
    ACRE_CHECK_EQUAL(used_blocks(h), 1);
    test_sound(h);
}
