/* SPDX-License-Identifier: MIT */
/* A kill at every instruction of a transaction with three sets, two allocations and two frees: a child is
 * single-stepped, and after each instruction that changed the segment a copy of it is what a survivor
 * would find.  All must have happened, or nothing; no block is lost.
 *
 * A second death: from some of these states a child recovers, single-stepped as well, and after each change
 * another survivor must find what the first one would have found. */
#include "tests/support_heap.h"
#include "tests/support_traced.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

/* White box: of another boot all owners are dead. */
#include "segment/layout.h"

enum {
    TXSTEP_SIZE = 96 << 10,
    TXSTEP_SMALL = 16 << 10,
    TXSTEP_SLOTS = 8,
    TXSTEP_BYTES = 120,
    TXSTEP_SECOND = 24 /* first deaths that are followed by second ones, about */
};

enum { TXSTEP_BEFORE, TXSTEP_AFTER };

/* A segment, its copy, and what has been seen in copies. */
typedef struct txstep {
    acre_segment *s; /* NULL: the operation opens it */
    size_t size;
    int live_fd;
    char *live; /* the segment */
    acre_off slots;
    char *seen; /* and as it was when it was last looked at */
    int fd;     /* of the copy */
    char *copy;
    size_t steps, states, found[2];
    void (*state)(struct txstep *t);
    void (*operation)(struct txstep *t);
    uint32_t last, every;
    size_t seconds;
} txstep;

static acre_off *txstep_slot(acre_segment *s, acre_off slots, int i)
{
    return (acre_off *)acre_segment_address(s, slots) + i;
}

/* ---- the transaction ---- */

static void txstep_fill(acre_segment *s, acre_off block, uint64_t key)
{
    test_fill(acre_segment_address(s, block), TXSTEP_BYTES, key);
}

static void txstep_transact(txstep *t)
{
    acre_off *slot = txstep_slot(t->s, t->slots, 0);
    acre_tx tx;
    void *p;
    if (acre_tx_begin(&tx, t->s) != 0)
        _exit(3);
    int e = acre_tx_set(&tx, &slot[4], 104) | acre_tx_alloc(&tx, &slot[2], TXSTEP_BYTES, &p);
    txstep_fill(t->s, acre_tx_read(&tx, &slot[2]), 2);
    e |= acre_tx_free(&tx, &slot[0]) | acre_tx_set(&tx, &slot[5], 105);
    e |= acre_tx_alloc(&tx, &slot[0], TXSTEP_BYTES, &p) | acre_tx_free(&tx, &slot[1]);
    txstep_fill(t->s, acre_tx_read(&tx, &slot[0]), 3);
    e |= acre_tx_set(&tx, &slot[6], 106);
    if (e || acre_tx_commit(&tx) != 0)
        _exit(4);
}

static void txstep_recover(txstep *t)
{
    acre_segment_options o = {.fd = t->live_fd};
    acre_tx tx;
    if (acre_segment_open(&t->s, ACRE_MEMFD, NULL, &o) != 0)
        _exit(5);
    if (acre_tx_begin(&tx, t->s) != 0 || acre_tx_abort(&tx) != 0)
        _exit(6);
}

/* ---- what a survivor finds ---- */

static int txstep_count_used(void *arg, const acre_block *b)
{
    *(size_t *)arg += b->used;
    return 0;
}

static bool txstep_holds(acre_segment *s, acre_off block, uint64_t key)
{
    void *p = acre_segment_address(s, block);
    return p && acre_usable_size(acre_segment_heap(s), p) >= TXSTEP_BYTES &&
           test_filled(p, TXSTEP_BYTES, key);
}

/* All or nothing. */
static int txstep_judge(acre_segment *s, acre_off slots)
{
    const acre_off *slot = txstep_slot(s, slots, 0);
    bool after = slot[4] == 104;
    ACRE_CHECK(after || !slot[4]);
    ACRE_CHECK_EQUAL(slot[5], after ? 105 : 0);
    ACRE_CHECK_EQUAL(slot[6], after ? 106 : 0);
    ACRE_CHECK(txstep_holds(s, slot[0], after ? 3 : 0));
    ACRE_CHECK(after ? !slot[1] && txstep_holds(s, slot[2], 2)
                     : !slot[2] && txstep_holds(s, slot[1], 1));
    ACRE_CHECK(txstep_holds(s, slot[3], 9));
    return after ? TXSTEP_AFTER : TXSTEP_BEFORE;
}

/* The table, and a block in three slots. */
static void txstep_no_leak(acre_segment *s)
{
    size_t used = 0;
    test_sound(acre_segment_heap(s));
    test_settle(acre_segment_heap(s));
    ACRE_CHECK_EQUAL(acre_heap_walk(acre_segment_heap(s), txstep_count_used, &used), 0);
    ACRE_CHECK_EQUAL(used, 4);
}

static void txstep_kill_all(char *image)
{
    ((segment_header *)(void *)image)->boot = 1;
}

static int txstep_survive(txstep *t, const char *image)
{
    acre_segment_options o = {.fd = t->fd};
    acre_segment *s;
    acre_tx tx;
    memcpy(t->copy, image, t->size);
    txstep_kill_all(t->copy);
    int e = acre_segment_open(&s, ACRE_MEMFD, NULL, &o);
    ACRE_CHECK(e == 0, "%s", acre_strerror(e));
    ACRE_CHECK_EQUAL(acre_tx_begin(&tx, s), 0);
    ACRE_CHECK_EQUAL(acre_tx_abort(&tx), 0);
    int found = txstep_judge(s, t->slots);
    txstep_no_leak(s);
    acre_segment_close(s);
    return found;
}

/* ---- stepping ---- */

static void txstep_child(void *arg)
{
    txstep *t = arg;
    traced_begin();
    t->operation(t);
    traced_end();
}

static void txstep_look(txstep *t)
{
    if (!memcmp(t->seen, t->live, t->size))
        return;
    memcpy(t->seen, t->live, t->size);
    t->states++;
    t->state(t);
}

static void txstep_run(txstep *t)
{
    memcpy(t->seen, t->live, t->size);
    pid_t child = acre_test_spawn(txstep_child, t);
    ACRE_CHECK_EQUAL(traced_wait(child), SIGSTOP);
    for (int signal = SIGTRAP; signal == SIGTRAP; t->steps++) {
        ACRE_CHECK(ptrace(PTRACE_SINGLESTEP, child, NULL, NULL) == 0, "%s", strerror(errno));
        signal = traced_wait(child);
        ACRE_CHECK(signal == SIGTRAP || signal == SIGSTOP, "signal %d", signal);
        txstep_look(t);
    }
    ptrace(PTRACE_CONT, child, NULL, NULL);
    acre_test_expect_exit(child, 0);
}

/* ---- making one ---- */

static char *txstep_image(size_t size, int *fd)
{
    *fd = memfd_create("image", MFD_CLOEXEC);
    ACRE_CHECK(*fd >= 0 && ftruncate(*fd, (off_t)size) == 0);
    char *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, *fd, 0);
    ACRE_CHECK(at != MAP_FAILED);
    return at;
}

static void txstep_open_copy(txstep *t)
{
    t->seen = malloc(t->size);
    ACRE_CHECK(t->seen);
    t->copy = txstep_image(t->size, &t->fd);
}

static void txstep_close(txstep *t)
{
    acre_segment_close(t->s);
    munmap(t->copy, t->size);
    close(t->fd);
    free(t->seen);
}

static txstep txstep_make(const char *algorithm)
{
    txstep t = {.size = strcmp(algorithm, "sharded") ? TXSTEP_SMALL : TXSTEP_SIZE};
    acre_segment_options o = {.size = t.size, .algorithm = acre_algorithm_find(algorithm)};
    ACRE_CHECK_EQUAL(acre_segment_create(&t.s, ACRE_MEMFD, NULL, &o), 0);
    acre_heap *h = acre_segment_heap(t.s);
    acre_off *slot = acre_calloc(h, TXSTEP_SLOTS, sizeof *slot);
    t.slots = acre_segment_offset(t.s, slot);
    for (int i = 0; i < 4; i++) {
        if (i == 2)
            continue;
        ACRE_CHECK_EQUAL(acre_alloc_into(h, &slot[i], TXSTEP_BYTES), 0);
        txstep_fill(t.s, slot[i], i == 3 ? 9 : (uint64_t)i);
    }
    acre_heap_detach(h);
    t.live = acre_segment_base(t.s);
    txstep_open_copy(&t);
    return t;
}

/* ---- one death ---- */

static void txstep_first(txstep *t)
{
    uint32_t found = (uint32_t)txstep_survive(t, t->seen);
    ACRE_CHECK(found >= t->last, "undone after it was done");
    t->last = found;
    t->found[found]++;
}

static void txstep_skip(void)
{
    const char *preload = getenv("LD_PRELOAD");
    if (preload && strstr(preload, "vgpreload"))
        acre_test_skip("valgrind does not let a child be traced");
}

static void txstep_one_death(const char *algorithm)
{
    txstep_skip();
    txstep t = txstep_make(algorithm);
    t.state = txstep_first;
    t.operation = txstep_transact;
    txstep_run(&t);
    fprintf(stderr, "%s: %zu instructions, %zu states recovered: %zu undone, %zu done\n", algorithm,
            t.steps, t.states, t.found[0], t.found[1]);
    ACRE_CHECK(t.found[0] > 20 && t.found[1] > 20 && t.last == TXSTEP_AFTER);
    txstep_close(&t);
}

/* ---- two deaths ---- */

static void txstep_second(txstep *t)
{
    ACRE_CHECK_EQUAL(txstep_survive(t, t->seen), t->last);
}

/* The first one has died here: a child opens the segment, which recovers it. */
static size_t txstep_recover_stepped(const txstep *first, uint32_t expected)
{
    txstep t = {.size = first->size,
                .slots = first->slots,
                .state = txstep_second,
                .operation = txstep_recover,
                .last = expected};
    t.live = txstep_image(t.size, &t.live_fd);
    memcpy(t.live, first->seen, t.size);
    txstep_kill_all(t.live);
    txstep_open_copy(&t);
    txstep_run(&t);
    txstep_close(&t);
    munmap(t.live, t.size);
    close(t.live_fd);
    return t.states;
}

static void txstep_sometimes(txstep *t)
{
    uint32_t found = (uint32_t)txstep_survive(t, t->seen);
    if (t->states % t->every == 0)
        t->seconds += txstep_recover_stepped(t, found);
}

/* How many states there are is found first. */
static void txstep_two_deaths(const char *algorithm)
{
    txstep_skip();
    txstep t = txstep_make(algorithm);
    t.state = txstep_first;
    t.operation = txstep_transact;
    txstep_run(&t);
    t.every = (uint32_t)(t.states / acre_test_rounds(TXSTEP_SECOND) + 1);
    txstep_close(&t);
    txstep again = txstep_make(algorithm);
    again.every = t.every;
    again.state = txstep_sometimes;
    again.operation = txstep_transact;
    txstep_run(&again);
    fprintf(stderr, "%s: %zu states after second deaths\n", algorithm, again.seconds);
    ACRE_CHECK(again.seconds > 100);
    txstep_close(&again);
}

#define TXSTEP(algorithm)                                                                          \
    ACRE_TEST(tx_##algorithm, one_death)                                                           \
    {                                                                                              \
        txstep_one_death(#algorithm);                                                              \
    }                                                                                              \
    ACRE_TEST(tx_##algorithm, two_deaths)                                                          \
    {                                                                                              \
        txstep_two_deaths(#algorithm);                                                             \
    }

TXSTEP(rbtree_best_fit)
TXSTEP(simple_seq_fit)
TXSTEP(sharded)
TXSTEP(tlsf)
