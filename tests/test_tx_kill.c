/* SPDX-License-Identifier: MIT */
/* Four processes move amounts and blocks between 32 slots by transactions, and are killed at random moments:
 * the sum of the amounts and the set of the blocks stay what they are, and nothing leaks. */
#include "tests/support_heap.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

enum { TXKILL_SLOTS = 32, TXKILL_WORKERS = 4, TXKILL_SIZE = 256 << 10, TXKILL_DEATHS = 400 };

/* A block tells which one it is; a move replaces it by another one that tells the same. */
typedef struct txkill_table {
    acre_off amount[TXKILL_SLOTS], block[TXKILL_SLOTS];
    volatile uint64_t turns;
} txkill_table;

typedef struct txkill {
    acre_segment *s;
    txkill_table *t;
    uint64_t seed;
} txkill;

static size_t txkill_bytes(uint64_t name)
{
    return 24 + name * 37 % 900;
}

static void txkill_write(void *p, uint64_t name)
{
    *(uint64_t *)p = name;
    test_fill((uint64_t *)p + 1, txkill_bytes(name) - 8, name);
}

static void txkill_expect(bool ok)
{
    if (!ok)
        _exit(9);
}

/* The one in `from` is made anew in `to`, and the one in `to` goes where that was. */
static void txkill_move(txkill *k, acre_tx *tx, acre_off *from, acre_off *to)
{
    acre_off there = acre_tx_read(tx, to);
    const uint64_t *old = acre_segment_address(k->s, acre_tx_read(tx, from));
    void *p;
    if (!old || from == to)
        return;
    uint64_t name = *old;
    txkill_expect(acre_tx_free(tx, from) == 0 && acre_tx_set(tx, from, there) == 0);
    txkill_expect(acre_tx_alloc(tx, to, txkill_bytes(name), &p) == 0);
    txkill_write(p, name);
}

static void txkill_turn(txkill *k)
{
    acre_tx tx;
    uint64_t *seed = &k->seed, sum = acre_test_below(seed, 100);
    acre_off *from = &k->t->amount[acre_test_below(seed, TXKILL_SLOTS)];
    acre_off *to = &k->t->amount[acre_test_below(seed, TXKILL_SLOTS)];
    txkill_expect(acre_tx_begin(&tx, k->s) == 0);
    txkill_expect(acre_tx_set(&tx, from, acre_tx_read(&tx, from) - sum) == 0);
    txkill_expect(acre_tx_set(&tx, to, acre_tx_read(&tx, to) + sum) == 0);
    for (uint64_t n = acre_test_below(seed, 3) + 1; n--;)
        txkill_move(k, &tx, &k->t->block[acre_test_below(seed, TXKILL_SLOTS)],
                    &k->t->block[acre_test_below(seed, TXKILL_SLOTS)]);
    txkill_expect((acre_test_below(seed, 8) ? acre_tx_commit(&tx) : acre_tx_abort(&tx)) == 0);
}

static void txkill_work(void *arg)
{
    txkill *k = arg;
    for (;; k->t->turns++)
        txkill_turn(k);
}

static int txkill_count(void *arg, const acre_block *b)
{
    *(size_t *)arg += b->used;
    return 0;
}

static void txkill_audit(txkill *k)
{
    acre_tx tx;
    uint64_t sum = 0, names = 0;
    size_t used = 0;
    ACRE_CHECK_EQUAL(acre_tx_begin(&tx, k->s), 0);
    for (int i = 0; i < TXKILL_SLOTS; i++) {
        const uint64_t *p = acre_segment_address(k->s, acre_tx_read(&tx, &k->t->block[i]));
        sum += acre_tx_read(&tx, &k->t->amount[i]);
        if (!p)
            continue;
        ACRE_CHECK(*p < TXKILL_SLOTS && !(names >> *p & 1), "block %llu", (unsigned long long)*p);
        ACRE_CHECK(test_filled(p + 1, txkill_bytes(*p) - 8, *p));
        names |= (uint64_t)1 << *p;
    }
    ACRE_CHECK_EQUAL(sum, 0);
    ACRE_CHECK_EQUAL(names, 0xffffff);
    test_sound(acre_segment_heap(k->s));
    ACRE_CHECK_EQUAL(acre_heap_walk(acre_segment_heap(k->s), txkill_count, &used), 0);
    ACRE_CHECK_EQUAL(used, 24 + 2); /* the table, and this transaction's record */
    ACRE_CHECK_EQUAL(acre_tx_abort(&tx), 0);
}

static txkill txkill_make(const char *algorithm)
{
    txkill k = {.seed = acre_test_seed()};
    acre_segment_options o = {.size = TXKILL_SIZE, .algorithm = acre_algorithm_find(algorithm)};
    ACRE_CHECK_EQUAL(acre_segment_create(&k.s, ACRE_MEMFD, NULL, &o), 0);
    k.t = acre_calloc(acre_segment_heap(k.s), 1, sizeof *k.t);
    for (uint64_t i = 0; i < 24; i++) {
        ACRE_CHECK_EQUAL(acre_alloc_into(acre_segment_heap(k.s), &k.t->block[i], txkill_bytes(i)),
                         0);
        txkill_write(acre_segment_address(k.s, k.t->block[i]), i);
    }
    acre_heap_detach(acre_segment_heap(k.s));
    return k;
}

static pid_t txkill_spawn(txkill *k)
{
    acre_test_random(&k->seed);
    return acre_test_spawn(txkill_work, k);
}

static void txkill_contend(const char *algorithm)
{
    txkill k = txkill_make(algorithm);
    pid_t worker[TXKILL_WORKERS];
    size_t deaths = acre_test_rounds(TXKILL_DEATHS);
    for (int i = 0; i < TXKILL_WORKERS; i++)
        worker[i] = txkill_spawn(&k);
    for (size_t i = 0; i < deaths; i++) {
        pid_t *w = &worker[acre_test_below(&k.seed, TXKILL_WORKERS)];
        nanosleep(&(struct timespec){.tv_nsec = (long)acre_test_below(&k.seed, 3000000)}, NULL);
        kill(*w, SIGKILL);
        acre_test_expect_killed(*w);
        txkill_audit(&k);
        *w = txkill_spawn(&k);
    }
    for (int i = 0; i < TXKILL_WORKERS; i++) {
        kill(worker[i], SIGKILL);
        acre_test_expect_killed(worker[i]);
    }
    txkill_audit(&k);
    fprintf(stderr, "%s: %llu transactions, %zu deaths\n", algorithm,
            (unsigned long long)k.t->turns, deaths);
    acre_segment_close(k.s);
}

ACRE_TEST(tx_kill, rbtree_best_fit)
{
    txkill_contend("rbtree_best_fit");
}

ACRE_TEST(tx_kill, simple_seq_fit)
{
    txkill_contend("simple_seq_fit");
}

ACRE_TEST(tx_kill, sharded)
{
    txkill_contend("sharded");
}
