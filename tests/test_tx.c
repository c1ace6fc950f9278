/* SPDX-License-Identifier: MIT */
/* Transactions: what plans mean, what is refused, threads, damaged records.  (Deaths: test_tx_step.c and
 * test_tx_kill.c.) */
#include "tests/support_heap.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

/* White box: where the record is. */
#include "segment/internal.h"

enum { TX_SIZE = 64 << 10, TX_SLOTS = 20 };

typedef struct tx_room {
    acre_segment *s;
    acre_heap *h;
    acre_off *slot; /* TX_SLOTS of them */
} tx_room;

static tx_room tx_make(const acre_algorithm *a, enum acre_source source)
{
    acre_segment_options o = {.size = TX_SIZE, .algorithm = a, .heap = test_options};
    tx_room r = {.s = test_segment_in(source, o)};
    r.h = acre_segment_heap(r.s);
    r.slot = acre_calloc(r.h, TX_SLOTS, sizeof *r.slot);
    ACRE_CHECK(r.slot);
    return r;
}

static tx_room tx_room_of(const acre_algorithm *a)
{
    test_skip_flags(a, ACRE_NO_FREE | ACRE_REFERENCE);
    return tx_make(a, ACRE_MEMFD);
}

/* Only the table is live. */
static void tx_end(tx_room *r)
{
    for (int i = 0; i < TX_SLOTS; i++)
        ACRE_CHECK_EQUAL(acre_free_from(r->h, &r->slot[i]), 0);
    ACRE_CHECK_EQUAL(acre_free(r->h, r->slot), 0);
    test_settle(r->h);
    acre_heap_free_empty(r->h);
    ACRE_CHECK(acre_heap_all_free(r->h), "something has leaked");
    test_sound(r->h);
    ACRE_CHECK_EQUAL(acre_segment_close(r->s), 0);
}

static acre_tx tx_begin(tx_room *r)
{
    acre_tx tx = {0};
    ACRE_CHECK_EQUAL(acre_tx_begin(&tx, r->s), 0);
    return tx;
}

static void *tx_alloc(acre_tx *tx, acre_off *slot, size_t size)
{
    void *p = NULL;
    ACRE_CHECK_EQUAL(acre_tx_alloc(tx, slot, size, &p), 0);
    ACRE_CHECK(p);
    return p;
}

static void tx_put_block(tx_room *r, acre_off *slot, size_t size, uint64_t key)
{
    ACRE_CHECK_EQUAL(acre_alloc_into(r->h, slot, size), 0);
    test_fill(acre_segment_address(r->s, *slot), size, key);
}

static bool tx_live(tx_room *r, acre_off block)
{
    return acre_usable_size(r->h, acre_segment_address(r->s, block)) != 0;
}

/* ---- what plans mean ---- */

static void all_happens_at_the_commit(const acre_algorithm *a)
{
    tx_room r = tx_room_of(a);
    tx_put_block(&r, &r.slot[0], 100, 1);
    acre_off old = r.slot[0];
    acre_tx tx = tx_begin(&r);
    void *p = tx_alloc(&tx, &r.slot[1], 200);
    test_fill(p, 200, 2);
    ACRE_CHECK_EQUAL(acre_tx_free(&tx, &r.slot[0]), 0);
    ACRE_CHECK_EQUAL(acre_tx_set(&tx, &r.slot[2], 77), 0);
    ACRE_CHECK_EQUAL(acre_tx_set(&tx, acre_segment_root(r.s), 55), 0);
    ACRE_CHECK(r.slot[0] == old && !r.slot[1] && !r.slot[2] && !*acre_segment_root(r.s));
    ACRE_CHECK(test_filled(acre_segment_address(r.s, old), 100, 1));
    ACRE_CHECK_EQUAL(acre_tx_read(&tx, &r.slot[1]), acre_segment_offset(r.s, p));
    ACRE_CHECK(acre_tx_read(&tx, &r.slot[0]) == 0 && acre_tx_read(&tx, &r.slot[2]) == 77 &&
               acre_tx_read(&tx, &r.slot[3]) == 0 &&
               acre_tx_read(&tx, acre_segment_root(r.s)) == 55);
    ACRE_CHECK_EQUAL(acre_tx_commit(&tx), 0);
    ACRE_CHECK(!r.slot[0] && r.slot[1] == acre_segment_offset(r.s, p) && r.slot[2] == 77 &&
               *acre_segment_root(r.s) == 55);
    ACRE_CHECK(test_filled(p, 200, 2) && !tx_live(&r, old));
    r.slot[2] = 0;
    tx_end(&r);
}

static void nothing_happens_at_an_abort(const acre_algorithm *a)
{
    tx_room r = tx_room_of(a);
    tx_put_block(&r, &r.slot[0], 100, 1);
    size_t free_bytes = (acre_heap_free_empty(r.h), acre_heap_free_memory(r.h));
    acre_off old = r.slot[0];
    acre_tx tx = tx_begin(&r);
    tx_alloc(&tx, &r.slot[1], 200);
    tx_alloc(&tx, &r.slot[0], 30);
    ACRE_CHECK_EQUAL(acre_tx_free(&tx, &r.slot[0]), 0);
    ACRE_CHECK_EQUAL(acre_tx_set(&tx, &r.slot[2], 77), 0);
    ACRE_CHECK_EQUAL(acre_tx_abort(&tx), 0);
    ACRE_CHECK(r.slot[0] == old && !r.slot[1] && !r.slot[2]);
    ACRE_CHECK(test_filled(acre_segment_address(r.s, old), 100, 1));
    test_settle(r.h);
    acre_heap_free_empty(r.h);
    if (!(a->flags & ACRE_CONCURRENT))
        ACRE_CHECK_EQUAL(acre_heap_free_memory(r.h), free_bytes);
    tx_end(&r);
}

/* Allocate, allocate anew, set, free, in one slot: what no slot holds in the end is free again. */
static void the_last_plan_for_a_slot_holds(const acre_algorithm *a)
{
    tx_room r = tx_room_of(a);
    tx_put_block(&r, &r.slot[0], 64, 1);
    tx_put_block(&r, &r.slot[1], 64, 2);
    acre_off first = r.slot[0], second = r.slot[1];
    acre_tx tx = tx_begin(&r);
    acre_off one = acre_segment_offset(r.s, tx_alloc(&tx, &r.slot[2], 300));
    acre_off two = acre_segment_offset(r.s, tx_alloc(&tx, &r.slot[2], 3000));
    ACRE_CHECK_EQUAL(acre_tx_set(&tx, &r.slot[3], one), 0);
    ACRE_CHECK_EQUAL(acre_tx_set(&tx, &r.slot[2], 5), 0);
    ACRE_CHECK(acre_tx_read(&tx, &r.slot[2]) == 5);
    acre_off three = acre_segment_offset(r.s, tx_alloc(&tx, &r.slot[4], 20));
    ACRE_CHECK_EQUAL(acre_tx_free(&tx, &r.slot[4]), 0); /* at once */
    ACRE_CHECK(!tx_live(&r, three) && !acre_tx_read(&tx, &r.slot[4]));
    ACRE_CHECK_EQUAL(acre_tx_free(&tx, &r.slot[0]), 0);
    ACRE_CHECK_EQUAL(acre_tx_free(&tx, &r.slot[0]), 0); /* it is 0 by now */
    ACRE_CHECK_EQUAL(acre_tx_set(&tx, &r.slot[0], second), 0);
    ACRE_CHECK_EQUAL(acre_tx_free(&tx, &r.slot[0]), 0); /* and that one as well */
    void *p = tx_alloc(&tx, &r.slot[0], 10);
    ACRE_CHECK_EQUAL(acre_tx_set(&tx, &r.slot[1], 0), 0);
    ACRE_CHECK_EQUAL(acre_tx_commit(&tx), 0);
    ACRE_CHECK(r.slot[0] == acre_segment_offset(r.s, p) && !r.slot[1] && r.slot[2] == 5 &&
               !r.slot[4]);
    ACRE_CHECK(r.slot[3] == one && tx_live(&r, one) && (!tx_live(&r, two) || r.slot[0] == two));
    if (!(a->flags & ACRE_CONCURRENT) && !test_options.checks)
        ACRE_CHECK(!tx_live(&r, second) || r.slot[0] == second);
    ACRE_CHECK(!tx_live(&r, first) || r.slot[0] == first);
    r.slot[2] = 0;
    tx_end(&r);
}

/* Slots in a block that the same transaction makes. */
static void a_list_grows_at_its_head(const acre_algorithm *a)
{
    tx_room r = tx_room_of(a);
    for (uint64_t i = 0; i < 20; i++) {
        acre_tx tx = tx_begin(&r);
        acre_off head = acre_tx_read(&tx, &r.slot[0]),
                 *node = tx_alloc(&tx, &r.slot[0], 2 * sizeof head);
        ACRE_CHECK_EQUAL(acre_tx_set(&tx, &node[0], head), 0);
        ACRE_CHECK_EQUAL(acre_tx_set(&tx, &node[1], i), 0);
        ACRE_CHECK_EQUAL(acre_tx_commit(&tx), 0);
    }
    for (uint64_t i = 20; i--;) {
        const acre_off *node = acre_segment_address(r.s, r.slot[0]);
        ACRE_CHECK(node && node[1] == i);
        acre_tx tx = tx_begin(&r);
        acre_off next = node[0];
        ACRE_CHECK_EQUAL(acre_tx_free(&tx, &r.slot[0]), 0);
        ACRE_CHECK_EQUAL(acre_tx_set(&tx, &r.slot[0], next), 0);
        ACRE_CHECK_EQUAL(acre_tx_commit(&tx), 0);
    }
    tx_end(&r);
}

/* ---- what is refused ---- */

static void what_is_no_slot_is_refused(const acre_algorithm *a)
{
    tx_room r = tx_room_of(a);
    acre_tx tx = tx_begin(&r);
    acre_off mine = 1;
    void *p = &mine;
    char *base = acre_segment_base(r.s);
    acre_off *const wrong[] = {&mine,
                               (acre_off *)(void *)((char *)r.slot + 4),
                               (acre_off *)(void *)base,
                               (acre_off *)(void *)(base + TX_SIZE),
                               (acre_off *)(void *)(base - 8),
                               (acre_off *)&segment_directory_of(r.s)->tx.record,
                               (acre_off *)(void *)r.h->control,
                               NULL};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        ACRE_CHECK_EQUAL(acre_tx_set(&tx, wrong[i], 1), ACRE_EINVALID);
        ACRE_CHECK_EQUAL(acre_tx_alloc(&tx, wrong[i], 1, &p), ACRE_EINVALID);
        ACRE_CHECK_EQUAL(acre_tx_free(&tx, wrong[i]), ACRE_EINVALID);
        ACRE_CHECK_EQUAL(acre_tx_read(&tx, wrong[i]), 0);
    }
    ACRE_CHECK(p == &mine && mine == 1);
    ACRE_CHECK_EQUAL(acre_tx_commit(&tx), 0);
    tx_end(&r);
}

static void what_is_no_block_is_refused(const acre_algorithm *a)
{
    tx_room r = tx_room_of(a);
    tx_put_block(&r, &r.slot[0], 64, 1);
    acre_tx tx = tx_begin(&r);
    r.slot[1] = r.slot[0];
    ACRE_CHECK_EQUAL(acre_tx_free(&tx, &r.slot[0]), 0);
    ACRE_CHECK_EQUAL(acre_tx_free(&tx, &r.slot[1]), ACRE_EINVALID);
    ACRE_CHECK_EQUAL(acre_tx_read(&tx, &r.slot[1]), r.slot[1]);
    const acre_off wrong[] = {r.slot[0] + 8, r.slot[0] + 1, TX_SIZE, ~(acre_off)0, 256};
    for (size_t i = 0; i < sizeof wrong / sizeof *wrong; i++) {
        ACRE_CHECK_EQUAL(acre_tx_set(&tx, &r.slot[2], wrong[i]), 0);
        ACRE_CHECK_EQUAL(acre_tx_free(&tx, &r.slot[2]), ACRE_EINVALID);
    }
    ACRE_CHECK_EQUAL(acre_tx_set(&tx, &r.slot[1], 0), 0);
    ACRE_CHECK_EQUAL(acre_tx_set(&tx, &r.slot[2], 0), 0);
    ACRE_CHECK_EQUAL(acre_tx_commit(&tx), 0);
    tx_end(&r);
}

static void sixteen_entries_fit(const acre_algorithm *a)
{
    tx_room r = tx_room_of(a);
    acre_tx tx = tx_begin(&r);
    void *p = NULL;
    for (int i = 0; i < ACRE_TX_MOST; i++)
        ACRE_CHECK_EQUAL(acre_tx_set(&tx, &r.slot[i], (acre_off)i + 1), 0);
    ACRE_CHECK_EQUAL(acre_tx_set(&tx, &r.slot[16], 1), E2BIG);
    ACRE_CHECK_EQUAL(acre_tx_alloc(&tx, &r.slot[16], 1, &p), E2BIG);
    ACRE_CHECK_EQUAL(acre_tx_set(&tx, &r.slot[3], 100), 0);
    acre_off block = acre_segment_offset(r.s, tx_alloc(&tx, &r.slot[5], 40));
    ACRE_CHECK_EQUAL(acre_tx_alloc(&tx, &r.slot[5], 40, &p), E2BIG);
    ACRE_CHECK(!p && acre_tx_read(&tx, &r.slot[5]) == block && tx_live(&r, block));
    ACRE_CHECK_EQUAL(acre_tx_commit(&tx), 0);
    for (int i = 0; i < ACRE_TX_MOST; i++) {
        ACRE_CHECK_EQUAL(r.slot[i], i == 3 ? 100 : i == 5 ? (long long)block : i + 1);
        r.slot[i] = i == 5 ? block : 0;
    }
    ACRE_CHECK_EQUAL(r.slot[16], 0);
    tx_end(&r);
}

static void what_there_is_no_room_for_is_left_out(const acre_algorithm *a)
{
    tx_room r = tx_room_of(a);
    acre_tx tx = tx_begin(&r);
    void *p = NULL;
    acre_off had = acre_segment_offset(r.s, tx_alloc(&tx, &r.slot[0], 100));
    ACRE_CHECK_EQUAL(acre_tx_alloc(&tx, &r.slot[0], 2 * TX_SIZE, &p), ENOMEM);
    ACRE_CHECK_EQUAL(acre_tx_alloc(&tx, &r.slot[1], SIZE_MAX, &p), ENOMEM);
    ACRE_CHECK(!p && acre_tx_read(&tx, &r.slot[0]) == had && acre_tx_read(&tx, &r.slot[1]) == 0);
    ACRE_CHECK_EQUAL(acre_tx_commit(&tx), 0);
    ACRE_CHECK(r.slot[0] == had && tx_live(&r, had) && !r.slot[1]);
    tx_end(&r);
}

static void a_full_heap_has_no_room_for_one(const acre_algorithm *a)
{
    tx_room r = tx_room_of(a);
    void *kept[2000];
    size_t n = 0;
    for (size_t size = 500; size; size /= 2)
        while (n < 2000 && (kept[n] = acre_alloc(r.h, size)))
            n++;
    acre_tx tx = {0};
    ACRE_CHECK_EQUAL(acre_tx_begin(&tx, r.s), ENOMEM);
    ACRE_CHECK_EQUAL(acre_tx_commit(&tx), EINVAL);
    while (n)
        ACRE_CHECK_EQUAL(acre_free(r.h, kept[--n]), 0);
    acre_heap_free_empty(r.h);
    tx = tx_begin(&r);
    ACRE_CHECK_EQUAL(acre_tx_abort(&tx), 0);
    tx_end(&r);
}

#define CASES(X, a)                                                                                \
    X(a, all_happens_at_the_commit)                                                                \
    X(a, nothing_happens_at_an_abort)                                                              \
    X(a, the_last_plan_for_a_slot_holds)                                                           \
    X(a, a_list_grows_at_its_head)                                                                 \
    X(a, what_is_no_slot_is_refused)                                                               \
    X(a, what_is_no_block_is_refused)                                                              \
    X(a, sixteen_entries_fit)                                                                      \
    X(a, what_there_is_no_room_for_is_left_out)                                                    \
    X(a, a_full_heap_has_no_room_for_one)
#define ACRE_ALGORITHM(a) TEST_CASES(CASES, a)
#include "alloc/algorithms.def"
#undef ACRE_ALGORITHM

static tx_room tx_default(void)
{
    return tx_make(acre_algorithm_find("rbtree_best_fit"), ACRE_MEMFD);
}

ACRE_TEST(tx, one_at_a_time_in_a_thread)
{
    tx_room r = tx_default();
    acre_tx tx = tx_begin(&r), other = {0};
    ACRE_CHECK_EQUAL(acre_tx_begin(&other, r.s), EDEADLK);
    ACRE_CHECK_EQUAL(acre_tx_begin_try(&other, r.s), EDEADLK);
    ACRE_CHECK_EQUAL(acre_tx_set(&other, r.slot, 1), EINVAL);
    ACRE_CHECK_EQUAL(acre_segment_close(r.s), EBUSY);
    ACRE_CHECK_EQUAL(acre_tx_commit(&tx), 0);
    ACRE_CHECK_EQUAL(acre_tx_commit(&tx), EINVAL);
    ACRE_CHECK_EQUAL(acre_tx_abort(&tx), EINVAL);
    ACRE_CHECK_EQUAL(acre_tx_read(&tx, r.slot), 0);
    ACRE_CHECK_EQUAL(acre_tx_begin_try(&other, r.s), 0);
    ACRE_CHECK_EQUAL(acre_tx_abort(&other), 0);
    tx_end(&r);
}

ACRE_TEST(tx, two_segments_may_have_one_each)
{
    tx_room r = tx_default(), q = tx_default();
    acre_tx one = tx_begin(&r), two = tx_begin(&q);
    tx_alloc(&one, &r.slot[0], 10);
    tx_alloc(&two, &q.slot[0], 10);
    ACRE_CHECK_EQUAL(acre_tx_commit(&one), 0);
    ACRE_CHECK_EQUAL(acre_tx_commit(&two), 0);
    tx_end(&r);
    tx_end(&q);
}

static void tx_meddle(void *arg)
{
    acre_tx *tx = arg, mine = {0};
    void *p;
    acre_off *slot = acre_segment_root(tx->segment);
    ACRE_CHECK_EQUAL(acre_tx_set(tx, slot, 1), EPERM);
    ACRE_CHECK_EQUAL(acre_tx_alloc(tx, slot, 1, &p), EPERM);
    ACRE_CHECK_EQUAL(acre_tx_free(tx, slot), EPERM);
    ACRE_CHECK_EQUAL(acre_tx_read(tx, slot), 0);
    ACRE_CHECK_EQUAL(acre_tx_commit(tx), EPERM);
    ACRE_CHECK_EQUAL(acre_tx_abort(tx), EPERM);
    ACRE_CHECK_EQUAL(acre_tx_begin_try(&mine, tx->segment), EBUSY);
    acre_default_timeout(1000000);
    ACRE_CHECK_EQUAL(acre_tx_begin(&mine, tx->segment), ETIMEDOUT);
    acre_default_timeout(0);
}

static void *tx_meddle_thread(void *tx)
{
    tx_meddle(tx);
    return NULL;
}

ACRE_TEST(tx, another_threads_is_left_alone)
{
    tx_room r = tx_default();
    pthread_t other;
    *acre_segment_root(r.s) = 3;
    acre_tx tx = tx_begin(&r);
    ACRE_CHECK_EQUAL(pthread_create(&other, NULL, tx_meddle_thread, &tx), 0);
    pthread_join(other, NULL);
    acre_test_run(tx_meddle, &tx); /* and a forked child */
    ACRE_CHECK_EQUAL(acre_tx_commit(&tx), 0);
    ACRE_CHECK_EQUAL(*acre_segment_root(r.s), 3);
    tx_end(&r);
}

ACRE_TEST(tx, without_a_directory_there_are_none)
{
    acre_segment_options o = {.size = TX_SIZE, .index = ACRE_INDEX_NONE};
    acre_segment *s;
    acre_tx tx = {0};
    ACRE_CHECK_EQUAL(acre_segment_create(&s, ACRE_HEAP, NULL, &o), 0);
    ACRE_CHECK_EQUAL(acre_tx_begin(&tx, s), ENOTSUP);
    ACRE_CHECK_EQUAL(acre_tx_begin_try(&tx, s), ENOTSUP);
    acre_segment_close(s);
}

ACRE_TEST(tx, read_only_there_are_none)
{
    acre_segment_options o = {.size = TX_SIZE};
    acre_segment *s, *look;
    acre_tx tx = {0};
    ACRE_CHECK_EQUAL(acre_segment_create(&s, ACRE_MEMFD, NULL, &o), 0);
    acre_segment_options only = {.read_only = true, .fd = acre_segment_fd(s)};
    ACRE_CHECK_EQUAL(acre_segment_open(&look, ACRE_MEMFD, NULL, &only), 0);
    ACRE_CHECK_EQUAL(acre_tx_begin(&tx, look), EROFS);
    acre_segment_close(look);
    acre_segment_close(s);
}

/* ---- every source, options ---- */

ACRE_TEST(tx, everywhere)
{
    static const enum acre_source sources[] = {ACRE_SHM, ACRE_FILE, ACRE_MEMFD, ACRE_ANON,
                                               ACRE_HEAP};
    static const acre_heap_options options[] = {{.lock = ACRE_LOCK_SPIN},
                                                {.lock = ACRE_LOCK_NONE},
                                                {.journal = ACRE_JOURNAL_OFF},
                                                {.lock = ACRE_LOCK_ROBUST}};
    const acre_algorithm *a;
    for (size_t k = 0; (a = acre_algorithm_at(k)); k++)
        for (size_t i = 0; i < 5 && !(a->flags & (ACRE_NO_FREE | ACRE_REFERENCE)); i++)
            for (size_t j = 0; j < 4; j++) {
                test_options = options[j];
                tx_room r = tx_make(a, sources[i]);
                acre_tx tx = tx_begin(&r);
                tx_alloc(&tx, &r.slot[0], 100);
                ACRE_CHECK_EQUAL(acre_tx_commit(&tx), 0);
                tx_end(&r);
            }
}

/* ---- threads ---- */

enum { TX_THREADS = 4, TX_TURNS = 4000 };

/* Units move between slots; their sum is seen whole by whoever has a transaction. */
static void *tx_move(void *arg)
{
    tx_room *r = arg;
    uint64_t seed = (uint64_t)(uintptr_t)&seed;
    for (size_t i = 0; i < acre_test_rounds(TX_TURNS); i++) {
        acre_tx tx = tx_begin(r);
        acre_off *from = &r->slot[acre_test_below(&seed, 8)],
                 *to = &r->slot[acre_test_below(&seed, 8)];
        uint64_t sum = 0;
        for (int k = 0; k < 8; k++)
            sum += acre_tx_read(&tx, &r->slot[k]);
        ACRE_CHECK_EQUAL(sum, 8000);
        ACRE_CHECK_EQUAL(acre_tx_set(&tx, from, acre_tx_read(&tx, from) - 1), 0);
        ACRE_CHECK_EQUAL(acre_tx_set(&tx, to, acre_tx_read(&tx, to) + 1), 0);
        acre_off *block = &r->slot[8 + acre_test_below(&seed, 8)];
        ACRE_CHECK_EQUAL(acre_tx_free(&tx, block), 0);
        tx_alloc(&tx, block, acre_test_below(&seed, 300));
        ACRE_CHECK_EQUAL(i & 7 ? acre_tx_commit(&tx) : acre_tx_abort(&tx), 0);
    }
    acre_heap_detach(r->h);
    return NULL;
}

static void tx_contend(const char *algorithm)
{
    tx_room r = tx_make(acre_algorithm_find(algorithm), ACRE_MEMFD);
    pthread_t thread[TX_THREADS];
    for (int i = 0; i < 8; i++)
        r.slot[i] = 1000;
    for (int i = 0; i < TX_THREADS; i++)
        ACRE_CHECK_EQUAL(pthread_create(&thread[i], NULL, tx_move, &r), 0);
    for (int i = 0; i < TX_THREADS; i++)
        pthread_join(thread[i], NULL);
    memset(r.slot, 0, 8 * sizeof *r.slot);
    tx_end(&r);
}

ACRE_TEST(tx, threads_see_each_others_whole)
{
    tx_contend("rbtree_best_fit");
}

ACRE_TEST(tx, threads_of_sharded_see_each_others_whole)
{
    tx_contend("sharded");
}

/* ---- damaged records ---- */

/* As its owner left it who died in the middle; some bits of the record and of the part are not as they were. */
static void tx_leave_open(void *arg)
{
    tx_room *r = arg;
    acre_tx tx = tx_begin(r);
    tx_alloc(&tx, &r->slot[1], 100);
    acre_tx_free(&tx, &r->slot[0]);
    acre_tx_set(&tx, &r->slot[2], 7);
}

static void tx_flip(uint64_t *seed, void *at, size_t n)
{
    for (uint64_t i = acre_test_below(seed, 6) + 1; i--;)
        ((unsigned char *)at)[acre_test_below(seed, n)] ^=
            (unsigned char)(1 << acre_test_below(seed, 8));
}

static void tx_damage(const char *algorithm, uint64_t *seed)
{
    tx_room r = tx_make(acre_algorithm_find(algorithm), ACRE_MEMFD);
    tx_part *part = &segment_directory_of(r.s)->tx;
    acre_tx tx = {0};
    tx_put_block(&r, &r.slot[0], 64, 1);
    acre_test_run(tx_leave_open, &r);
    tx_record *record = acre__tx_record(r.s);
    ACRE_CHECK(record && (part->record & TX_STATE) == TX_OPEN);
    part->record = (part->record & ~(acre_off)TX_STATE) | acre_test_below(seed, 5);
    if (acre_test_below(seed, 4))
        tx_flip(seed, record, sizeof *record);
    else
        tx_flip(seed, &part->record, sizeof part->record);
    int e = acre_tx_begin(&tx, r.s);
    ACRE_CHECK(e == 0 || e == ENOMEM, "%s", acre_strerror(e));
    if (!e)
        ACRE_CHECK_EQUAL(acre_tx_commit(&tx), 0);
    acre_segment_close(r.s);
}

ACRE_TEST(tx, a_damaged_record_does_no_harm)
{
    uint64_t seed = acre_test_seed();
    static const char *const names[] = {"rbtree_best_fit", "sharded", "simple_seq_fit"};
    for (size_t i = 0; i < acre_test_rounds(600); i++)
        tx_damage(names[i % 3], &seed);
}

/* While it is open, of a handle that goes on. */
ACRE_TEST(tx, a_record_that_vanishes_is_told)
{
    tx_room r = tx_default();
    tx_part *part = &segment_directory_of(r.s)->tx;
    acre_tx tx = tx_begin(&r);
    acre_off record = part->record;
    part->record = ~(acre_off)0;
    ACRE_CHECK_EQUAL(acre_tx_set(&tx, r.slot, 1), ACRE_ECORRUPT);
    ACRE_CHECK_EQUAL(acre_tx_commit(&tx), ACRE_ECORRUPT);
    part->record = record;
    ACRE_CHECK_EQUAL(acre_tx_abort(&tx), 0);
    tx_end(&r);
}
