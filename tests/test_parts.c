/* SPDX-License-Identifier: MIT */
/* What acre_heap_parts() and acre_heap_classes() tell is what threads and processes have done: who holds which
 * part, what is in it, what others freed of it, whose part is an orphan's; they add up to acre_heap_stats();
 * and a damaged image can say anything without harm. */
#include "tests/support_heap.h"
#include "tests/support_tool.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

/* White box: which blocks are nodes; where a damaged image is damaged. */
#include "alloc/shard_heap.h"

enum { PARTS_HEAP = 4 << 20, PARTS_THREADS = 3, PARTS_MANY = 3000, PARTS_SIZE = 64 };

typedef struct parts_seen {
    int n;
    acre_part part[ACRE_PARTS];
    int classes;
    acre_class class[ACRE_CLASSES];
} parts_seen;

/* Stays until the test's process ends. */
static acre_segment *parts_segment(const char *spec)
{
    static acre_segment *kept[4], **s = kept;
    acre_segment_options o = {.size = PARTS_HEAP, .capacity = 4 * PARTS_HEAP};
    ACRE_CHECK_EQUAL(acre_spec_parse(spec, &o.algorithm, &o.heap), 0);
    ACRE_CHECK_EQUAL(acre_segment_create(s, ACRE_MEMFD, NULL, &o), 0);
    return *s++;
}

static acre_heap *parts_heap(void)
{
    return acre_segment_heap(parts_segment("sharded"));
}

static int parts_keep(void *arg, const acre_part *p)
{
    parts_seen *seen = arg;
    ACRE_CHECK_EQUAL(p->number, seen->n);
    seen->part[seen->n++] = *p;
    return 0;
}

static int parts_keep_class(void *arg, const acre_class *c)
{
    parts_seen *seen = arg;
    seen->class[seen->classes++] = *c;
    return 0;
}

static parts_seen parts_look(acre_heap *h)
{
    parts_seen seen = {0};
    ACRE_CHECK_EQUAL(acre_heap_parts(h, parts_keep, &seen), 0);
    ACRE_CHECK_EQUAL(acre_heap_classes(h, parts_keep_class, &seen), 0);
    return seen;
}

static const acre_class *parts_class(const parts_seen *seen, size_t size)
{
    for (int i = 0; i < seen->classes; i++)
        if (seen->class[i].size == size)
            return &seen->class[i];
    ACRE_CHECK(false, "no class of %zu bytes", size);
    return NULL;
}

static uint32_t parts_tid(void)
{
    return (uint32_t)syscall(SYS_gettid);
}

static size_t parts_nodes(acre_heap *h, void *const *p, size_t n)
{
    size_t nodes = 0;
    for (size_t i = 0; i < n; i++)
        nodes += p[i] && shard_find(&h->region, p[i]).slab;
    return nodes;
}

static void parts_alloc(acre_heap *h, void **p, size_t n, size_t size)
{
    for (size_t i = 0; i < n; i++)
        ACRE_CHECK((p[i] = acre_alloc(h, size)));
}

static void parts_free(acre_heap *h, void *const *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        ACRE_CHECK_EQUAL(acre_free(h, p[i]), 0);
}

/* ---- threads with known numbers of blocks ---- */

typedef struct parts_worker {
    pthread_t thread;
    acre_heap *h;
    uint32_t tid, freed; /* of the last ones, by itself */
    size_t n, nodes;
    void *p[PARTS_MANY];
    pthread_barrier_t *barrier;
} parts_worker;

static void *parts_work(void *arg)
{
    parts_worker *w = arg;
    w->tid = parts_tid();
    parts_alloc(w->h, w->p, w->n, PARTS_SIZE);
    parts_free(w->h, w->p + w->n - w->freed, w->freed);
    w->n -= w->freed;
    w->nodes = parts_nodes(w->h, w->p, w->n);
    pthread_barrier_wait(w->barrier); /* done */
    pthread_barrier_wait(w->barrier); /* looked at */
    pthread_barrier_wait(w->barrier); /* may go on */
    parts_alloc(w->h, w->p, PARTS_MANY, PARTS_SIZE);
    pthread_barrier_wait(w->barrier);
    pthread_barrier_wait(w->barrier);
    return NULL;
}

static parts_worker parts_workers[PARTS_THREADS];
static pthread_barrier_t parts_barrier;

static void parts_start(acre_heap *h)
{
    pthread_barrier_init(&parts_barrier, NULL, PARTS_THREADS + 1);
    for (uint32_t i = 0; i < PARTS_THREADS; i++) {
        parts_worker *w = &parts_workers[i];
        *w = (parts_worker){.h = h, .n = 1000 + 500 * i, .freed = 5 + i, .barrier = &parts_barrier};
        ACRE_CHECK_EQUAL(pthread_create(&w->thread, NULL, parts_work, w), 0);
    }
    pthread_barrier_wait(&parts_barrier);
}

static const acre_part *parts_of(const parts_seen *seen, uint32_t tid)
{
    for (int i = 0; i < seen->n; i++)
        if (seen->part[i].tid == tid)
            return &seen->part[i];
    ACRE_CHECK(false, "thread %u has no part", tid);
    return NULL;
}

ACRE_TEST(parts, each_thread_is_shown_with_what_it_has)
{
    acre_heap *h = parts_heap();
    size_t nodes = 0, blocks = 0, freed = 0;
    parts_start(h);
    parts_seen seen = parts_look(h);
    for (int i = 0; i < PARTS_THREADS; i++) {
        const parts_worker *w = &parts_workers[i];
        const acre_part *p = parts_of(&seen, w->tid);
        ACRE_CHECK_EQUAL(p->state, ACRE_PART_HELD);
        ACRE_CHECK(p->adopted >= 1);
        ACRE_CHECK(w->nodes > 500);
        ACRE_CHECK_EQUAL(p->used_blocks, w->nodes);
        ACRE_CHECK_EQUAL(p->used_bytes, w->nodes * PARTS_SIZE);
        ACRE_CHECK_EQUAL(p->cached_blocks, w->freed);
        ACRE_CHECK_EQUAL(p->pending_blocks + p->shelved_blocks, 0);
        ACRE_CHECK(p->slab_bytes > p->used_bytes + p->free_bytes);
        nodes += w->nodes;
        blocks += w->n;
        freed += w->freed;
    }
    ACRE_CHECK_EQUAL(seen.n, PARTS_THREADS);
    const acre_class *c = parts_class(&seen, PARTS_SIZE);
    ACRE_CHECK_EQUAL(c->live_blocks, nodes);
    ACRE_CHECK_EQUAL(c->live_blocks + c->direct_blocks, blocks);
    ACRE_CHECK_EQUAL(c->cached_blocks, freed);
    ACRE_CHECK_EQUAL(c->slab_bytes - c->lost_bytes,
                     (c->live_blocks + c->free_blocks + c->cached_blocks) * PARTS_SIZE);
}

/* By others, while the owner stands still, they are pending; then it uses them again. */
ACRE_TEST(parts, blocks_freed_by_others_are_pending_until_their_owner_takes_them)
{
    acre_heap *h = parts_heap();
    const parts_worker *w = &parts_workers[0];
    parts_start(h);
    parts_free(h, w->p, w->n);
    parts_seen seen = parts_look(h);
    const acre_part *owner = parts_of(&seen, w->tid), *mine = parts_of(&seen, parts_tid());
    ACRE_CHECK_EQUAL(owner->used_blocks, 0);
    ACRE_CHECK_EQUAL(mine->cached_blocks, SHARD_ENTRIES);
    ACRE_CHECK_EQUAL(owner->pending_blocks, w->nodes - SHARD_ENTRIES);
    ACRE_CHECK_EQUAL(owner->pending_bytes, (w->nodes - SHARD_ENTRIES) * PARTS_SIZE);
    pthread_barrier_wait(&parts_barrier);
    pthread_barrier_wait(&parts_barrier);
    pthread_barrier_wait(&parts_barrier); /* they have allocated PARTS_MANY each */
    seen = parts_look(h);
    owner = parts_of(&seen, w->tid);
    ACRE_CHECK_EQUAL(owner->pending_blocks, 0);
    ACRE_CHECK_EQUAL(owner->used_blocks, parts_nodes(h, w->p, PARTS_MANY));
    pthread_barrier_wait(&parts_barrier);
}

/* ---- who is gone ---- */

static void parts_alloc_and_die(void *arg)
{
    void *p[1000];
    parts_alloc(arg, p, 1000, PARTS_SIZE);
    kill(getpid(), SIGKILL);
}

ACRE_TEST(parts, a_killed_process_leaves_an_orphan_and_the_next_one_adopts_it)
{
    acre_heap *h = parts_heap();
    acre_test_expect_killed(acre_test_spawn(parts_alloc_and_die, h));
    parts_seen before = parts_look(h);
    ACRE_CHECK_EQUAL(before.n, 1);
    ACRE_CHECK_EQUAL(before.part[0].state, ACRE_PART_ORPHANED);
    ACRE_CHECK_EQUAL(before.part[0].tid, 0);
    ACRE_CHECK(before.part[0].used_blocks > 500);
    parts_seen again = parts_look(h); /* looking adopts nobody */
    ACRE_CHECK_EQUAL(again.part[0].state, ACRE_PART_ORPHANED);
    ACRE_CHECK(acre_alloc(h, 16));
    parts_seen after = parts_look(h);
    ACRE_CHECK_EQUAL(after.n, 1);
    ACRE_CHECK_EQUAL(after.part[0].state, ACRE_PART_HELD);
    ACRE_CHECK_EQUAL(after.part[0].tid, parts_tid());
    ACRE_CHECK_EQUAL(after.part[0].adopted, before.part[0].adopted + 1);
    ACRE_CHECK_EQUAL(after.part[0].used_blocks, before.part[0].used_blocks);
    acre_heap_detach(h);
    ACRE_CHECK_EQUAL(parts_look(h).part[0].state, ACRE_PART_FREE);
}

/* ---- sums ---- */

enum { PARTS_UNSHELVED = 960 }; /* what is larger may stand on a shelf */

typedef struct parts_sum {
    uint64_t largest; /* class that is asked for */
    uint64_t blocks, nodes, direct;
} parts_sum;

/* A node has no header; what has one has room for 8 bytes more than a class. */
static int parts_count(void *arg, const acre_block *b)
{
    parts_sum *sum = arg;
    bool node = b->total == b->size;
    sum->blocks += b->used;
    sum->nodes += b->used && node;
    sum->direct += b->used && !node && b->size / 16 * 16 <= sum->largest;
    return 0;
}

static void parts_agree(acre_heap *h, bool parts)
{
    parts_seen seen = {0};
    parts_sum sum = {0};
    uint64_t live = 0, used = 0, direct = 0;
    acre_stats s;
    ACRE_CHECK_EQUAL(acre_heap_parts(h, parts_keep, &seen), parts ? 0 : ENOTSUP);
    ACRE_CHECK_EQUAL(acre_heap_classes(h, parts_keep_class, &seen), 0);
    for (int i = 0; i < seen.classes; i++) {
        const acre_class *c = &seen.class[i];
        live += c->live_blocks;
        direct += c->size <= PARTS_UNSHELVED ? c->direct_blocks : 0;
        sum.largest = c->size <= PARTS_UNSHELVED ? c->size : sum.largest;
    }
    for (int i = 0; i < seen.n; i++)
        used += seen.part[i].used_blocks;
    ACRE_CHECK_EQUAL(acre_heap_walk(h, parts_count, &sum), 0);
    ACRE_CHECK_EQUAL(acre_heap_stats(h, &s), 0);
    ACRE_CHECK_EQUAL(s.used_blocks, sum.blocks);
    ACRE_CHECK_EQUAL(live, sum.nodes);
    ACRE_CHECK_EQUAL(direct, sum.direct);
    ACRE_CHECK(!parts || used == sum.nodes, "%zu, not %zu", (size_t)used, (size_t)sum.nodes);
}

static void parts_churn(acre_heap *h, uint64_t *seed, void **p, size_t n, size_t steps)
{
    for (size_t i = 0; i < steps; i++) {
        void **at = &p[acre_test_below(seed, n)];
        ACRE_CHECK_EQUAL(acre_free(h, *at), 0);
        *at = acre_alloc(h, 1 + acre_test_below(seed, i % 8 ? 300 : 5000));
    }
}

static void parts_sums_agree(const char *spec, bool parts)
{
    static void *p[2000];
    acre_heap *h = acre_segment_heap(parts_segment(spec));
    uint64_t seed = acre_test_seed();
    memset(p, 0, sizeof p);
    for (int i = 0; i < 20; i++) {
        parts_churn(h, &seed, p, 2000, acre_test_rounds(3000));
        parts_agree(h, parts);
    }
    for (int i = 0; i < 2000; i++)
        ACRE_CHECK_EQUAL(acre_free(h, p[i]), 0);
    parts_agree(h, parts);
    ACRE_CHECK(acre_heap_all_free(h));
}

ACRE_TEST(parts, sums_agree_with_the_statistics)
{
    parts_sums_agree("sharded", true);
}

ACRE_TEST(parts, classes_of_pools_agree_with_the_statistics)
{
    parts_sums_agree("segregated_pools", false);
    parts_sums_agree("adaptive_pools:nodes=40", false);
}

ACRE_TEST(parts, what_stands_on_a_shelf_is_shown)
{
    acre_heap *h = parts_heap();
    void *p = acre_alloc(h, 10000);
    ACRE_CHECK_EQUAL(acre_free(h, p), 0);
    parts_seen seen = parts_look(h);
    ACRE_CHECK_EQUAL(seen.part[0].shelved_blocks, 1);
    ACRE_CHECK(seen.part[0].shelved_bytes >= 10008 && seen.part[0].shelved_bytes < 10100);
}

ACRE_TEST(parts, an_algorithm_without_parts_says_so)
{
    parts_seen seen = {0};
    acre_heap *h = acre_segment_heap(parts_segment("rbtree_best_fit"));
    ACRE_CHECK_EQUAL(acre_heap_parts(h, parts_keep, &seen), ENOTSUP);
    ACRE_CHECK_EQUAL(acre_heap_classes(h, parts_keep_class, &seen), ENOTSUP);
    h = acre_segment_heap(parts_segment("sharded:lock=none"));
    ACRE_CHECK(acre_alloc(h, 10));
    ACRE_CHECK_EQUAL(parts_look(h).n, 1);
    ACRE_CHECK_EQUAL(parts_look(h).part[0].state, ACRE_PART_FREE);
}

static int parts_stop(void *arg, const acre_part *p)
{
    *(void **)arg = acre_alloc(*(acre_heap **)arg, 100); /* no lock is held */
    return 40 + (int)p->number;
}

ACRE_TEST(parts, a_visitor_may_end_it_and_may_call_the_heap)
{
    void *arg = parts_heap();
    ACRE_CHECK_EQUAL(acre_heap_parts(arg, parts_stop, &arg), 40);
    ACRE_CHECK(arg != NULL);
}

/* ---- while others are at work ---- */

static volatile bool parts_over;

static void *parts_busy(void *arg)
{
    static __thread void *p[500];
    uint64_t seed = (uintptr_t)&p;
    while (!parts_over)
        parts_churn(arg, &seed, p, 500, 100);
    return NULL;
}

static void parts_look_at_busy(acre_heap *h)
{
    parts_seen seen = parts_look(h);
    uint64_t blocks = 0, bytes = 0;
    for (int i = 0; i < seen.n; i++) {
        const acre_part *p = &seen.part[i];
        ACRE_CHECK(p->used_bytes + p->free_bytes + p->pending_bytes <= p->slab_bytes);
        ACRE_CHECK(p->cached_blocks <= SHARD_CLASSES * SHARD_ENTRIES);
        bytes += p->slab_bytes;
    }
    for (int i = 0; i < seen.classes; i++) {
        const acre_class *c = &seen.class[i];
        blocks += c->live_blocks;
        ACRE_CHECK((c->live_blocks + c->free_blocks) * c->size + c->lost_bytes <= c->slab_bytes);
    }
    ACRE_CHECK(bytes < PARTS_HEAP && blocks <= PARTS_HEAP / 16);
}

ACRE_TEST(parts, looking_while_threads_work_is_within_bounds)
{
    pthread_t thread[PARTS_THREADS];
    acre_heap *h = parts_heap();
    parts_over = false;
    for (int i = 0; i < PARTS_THREADS; i++)
        ACRE_CHECK_EQUAL(pthread_create(&thread[i], NULL, parts_busy, h), 0);
    for (size_t i = 0; i < acre_test_rounds(300); i++)
        parts_look_at_busy(h);
    parts_over = true;
    for (int i = 0; i < PARTS_THREADS; i++)
        ACRE_CHECK_EQUAL(pthread_join(thread[i], NULL), 0);
    test_sound(h);
}

/* ---- read-only ---- */

static int parts_halt(void *arg, const acre_block *b)
{
    (void)b;
    ACRE_CHECK(write(*(int *)arg, "x", 1) == 1);
    for (;;)
        pause();
}

typedef struct parts_halted {
    acre_heap *h;
    int ready[2];
} parts_halted;

static void parts_halt_in_heap(void *arg)
{
    parts_halted *w = arg;
    acre_heap_walk(w->h, parts_halt, &w->ready[1]);
}

ACRE_TEST(parts, a_read_only_handle_sees_the_same_or_says_eagain)
{
    static void *p[2000];
    acre_segment *s = parts_segment("sharded"), *view;
    acre_segment_options look = {.fd = acre_segment_fd(s), .read_only = true};
    parts_halted w = {.h = acre_segment_heap(s)};
    parts_seen none = {0};
    uint64_t seed = acre_test_seed();
    char x;
    ACRE_CHECK_EQUAL(acre_segment_open(&view, ACRE_MEMFD, NULL, &look), 0);
    parts_churn(w.h, &seed, p, 2000, 5000);
    parts_seen mine = parts_look(w.h), seen = parts_look(acre_segment_heap(view));
    ACRE_CHECK(memcmp(&mine, &seen, sizeof mine) == 0);
    ACRE_CHECK(pipe(w.ready) == 0);
    pid_t child = acre_test_spawn(parts_halt_in_heap, &w);
    ACRE_CHECK(read(w.ready[0], &x, 1) == 1);
    ACRE_CHECK_EQUAL(acre_heap_parts(acre_segment_heap(view), parts_keep, &none), EAGAIN);
    ACRE_CHECK_EQUAL(acre_heap_classes(acre_segment_heap(view), parts_keep_class, &none), EAGAIN);
    ACRE_CHECK_EQUAL(none.n + none.classes, 0);
    kill(child, SIGKILL);
    acre_test_expect_killed(child);
    ACRE_CHECK_EQUAL(acre_segment_close(view), 0);
}

/* ---- damaged images ---- */

static int parts_ignore(void *arg, const acre_part *p)
{
    (void)arg;
    (void)p;
    return 0;
}

static int parts_ignore_class(void *arg, const acre_class *c)
{
    (void)arg;
    (void)c;
    return 0;
}

/* Behind the segment's size its window has no pages: who reads there dies. */
static void parts_smash(acre_heap *h, uint64_t *seed, uint64_t at, uint64_t bytes)
{
    static const uint64_t value[] = {0,
                                     UINT64_MAX,
                                     0x8000000080000000u,
                                     PARTS_HEAP / 16,
                                     (PARTS_HEAP / 16) + 4096,
                                     0x0001000100010001u};
    uint32_t *word =
        (uint32_t *)(void *)(h->region.base + (at + acre_test_below(seed, bytes)) / 4 * 4);
    uint32_t old = *word;
    uint64_t pick = acre_test_below(seed, 8);
    *word = pick < 6 ? (uint32_t)value[pick] : (uint32_t)acre_test_random(seed);
    int e = acre_heap_parts(h, parts_ignore, NULL);
    ACRE_CHECK(e == 0 || e == ACRE_ECORRUPT, "%s", acre_strerror(e));
    e = acre_heap_classes(h, parts_ignore_class, NULL);
    ACRE_CHECK(e == 0 || e == ACRE_ECORRUPT, "%s", acre_strerror(e));
    *word = old;
}

ACRE_TEST(parts, a_damaged_image_is_looked_at_without_harm)
{
    static void *p[2000];
    acre_heap *h = parts_heap();
    uint64_t seed = acre_test_seed();
    parts_churn(h, &seed, p, 2000, 5000);
    const shard_root *o = shard_root_of(&h->region);
    uint64_t t = (uint64_t)o->shard_at[0] * SHARD_UNIT;
    for (size_t i = 0; i < acre_test_rounds(4000); i++) {
        parts_smash(h, &seed, SHARD_AT, SHARD_ROOT_BYTES(o->flat));
        parts_smash(h, &seed, SHARD_AT + offsetof(shard_root, shard_at), 16);
        parts_smash(h, &seed, t, SHARD_BYTES(o->classes, o->bins) - 64);
        void *q = p[acre_test_below(&seed, 2000)];
        const slab *s = q ? shard_find(&h->region, q).slab : NULL;
        if (s)
            parts_smash(h, &seed, (uint64_t)((const char *)s - h->region.base), 96);
    }
    parts_agree(h, true);
    test_sound(h);
}

/* ---- the tool ---- */

ACRE_TEST(parts, the_tool_shows_them)
{
    const char *name = test_name();
    char line[300];
    static void *p[2000];
    acre_segment_options o = {.size = PARTS_HEAP, .algorithm = acre_algorithm_find("sharded")};
    acre_segment *s;
    ACRE_CHECK_EQUAL(acre_segment_create(&s, ACRE_SHM, name, &o), 0);
    acre_heap *h = acre_segment_heap(s);
    parts_alloc(h, p, 2000, PARTS_SIZE);
    parts_free(h, p + 1993, 7);
    parts_seen seen = parts_look(h);
    snprintf(line, sizeof line, "segment info --json %s", name);
    json_t *told = tool_json(line), *part = json_array_get(json_object_get(told, "parts"), 0);
    ACRE_CHECK_EQUAL(json_array_size(json_object_get(told, "parts")), 1);
    ACRE_CHECK(!strcmp(json_string_value(json_object_get(part, "state")), "held"));
    ACRE_CHECK_EQUAL(json_integer_value(json_object_get(part, "tid")), parts_tid());
    ACRE_CHECK_EQUAL(json_integer_value(json_object_get(part, "used_blocks")),
                     seen.part[0].used_blocks);
    ACRE_CHECK_EQUAL(json_integer_value(json_object_get(part, "cached_blocks")), 7);
    json_t *class = json_array_get(json_object_get(told, "class_stats"), 3);
    ACRE_CHECK_EQUAL(json_integer_value(json_object_get(class, "size")), PARTS_SIZE);
    ACRE_CHECK_EQUAL(json_integer_value(json_object_get(class, "live_blocks")),
                     parts_class(&seen, PARTS_SIZE)->live_blocks);
    json_decref(told);
    tool_expect("segment info", name, 0, "SHELVED");
    tool_expect("segment info", name, 0, "held");
    ACRE_CHECK_EQUAL(acre_segment_close(s), 0);
    ACRE_CHECK_EQUAL(acre_segment_remove(ACRE_SHM, name), 0);
}
