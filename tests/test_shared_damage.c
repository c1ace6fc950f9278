/* SPDX-License-Identifier: MIT */
/* Images of a segment with references in which bits are wrong: calls may fail in any way, but they come back, and touch
 * nothing outside of the segment, which lies between pages that nobody may touch. */
#include "tests/support_heap.h"

#include "segment/layout.h"
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { BYTES = 32 << 10, GUARD = 64 << 10, DELETER = 9, WORD_BITS = 32 };

typedef struct damage_table {
    acre_shared shared[4];
    acre_weak weak[2];
    acre_unique unique;
    acre_off block;
} damage_table;

static char *damage_memory, damage_image[BYTES];
static acre_off damage_at; /* the table */
static unsigned char damage_seen;

/* An object is inside, whatever is in it. */
static void damage_delete(void *arg, acre_segment *s, void *object)
{
    (void)arg;
    ACRE_CHECK(acre_segment_contains(s, object));
    damage_seen = *(volatile unsigned char *)object;
}

static acre_segment *damage_open(void)
{
    acre_segment *s;
    acre_segment_options o = {.size = BYTES, .buffer = damage_memory};
    return acre_segment_open(&s, ACRE_BUFFER, NULL, &o) == 0 ? s : NULL;
}

/* References, a condemned object, a thread that has ended with a holder's slots filled. */
static void damage_fill(acre_segment *s)
{
    damage_table *t = acre_calloc(acre_segment_heap(s), 1, sizeof *t);
    acre_holder h;
    damage_at = acre_segment_offset(s, t);
    ACRE_CHECK_EQUAL(acre_shared_make(s, &t->shared[0], 40, DELETER), 0);
    ACRE_CHECK_EQUAL(acre_alloc_into(acre_segment_heap(s), &t->block, 60), 0);
    ACRE_CHECK_EQUAL(acre_shared_adopt(s, &t->shared[1], &t->block, DELETER), 0);
    ACRE_CHECK_EQUAL(acre_weak_from(s, &t->weak[0], &t->shared[0]), 0);
    ACRE_CHECK_EQUAL(acre_shared_make(s, &t->shared[2], 40, DELETER + 1), 0);
    ACRE_CHECK_EQUAL(acre_shared_release(s, &t->shared[2]), ACRE_EDELETER);
    ACRE_CHECK_EQUAL(acre_unique_make(s, &t->unique, 40, DELETER), 0);
    ACRE_CHECK_EQUAL(acre_holder_open(&h, s, 2, 1), 0);
    ACRE_CHECK_EQUAL(acre_shared_copy(s, acre_holder_shared(&h, 0), &t->shared[0]), 0);
    ACRE_CHECK_EQUAL(acre_weak_from(s, acre_holder_weak(&h, 0), &t->shared[1]), 0);
    memcpy(damage_image, damage_memory, BYTES); /* with the holder open … */
    ACRE_CHECK_EQUAL(acre_holder_close(&h), 0);
}

/* … whose cell looks as if its owner had died. */
static void damage_bury(void)
{
    const segment_header *h = (const segment_header *)(void *)damage_image;
    segment_directory *d = (segment_directory *)(void *)(damage_image + sizeof *h);
    shared_node *n = (shared_node *)(void *)(damage_image + d->shared.head);
    ACRE_CHECK_EQUAL(n->cell.tag, SHARED_NODE);
    n->cell.word = FUTEX_OWNER_DIED;
}

static void damage_make(void)
{
    char *map = mmap(NULL, BYTES + 2 * GUARD, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    acre_segment *s;
    acre_segment_options o = {.size = BYTES};
    ACRE_CHECK(map != MAP_FAILED);
    o.buffer = damage_memory = map + GUARD;
    ACRE_CHECK(mprotect(damage_memory, BYTES, PROT_READ | PROT_WRITE) == 0);
    ACRE_CHECK_EQUAL(acre_deleter_register(DELETER, damage_delete, NULL), 0);
    ACRE_CHECK_EQUAL(acre_segment_create(&s, ACRE_BUFFER, NULL, &o), 0);
    damage_fill(s);
    ACRE_CHECK_EQUAL(acre_segment_close(s), 0);
    damage_bury();
}

/* All that can be done with what is there. */
static void damage_use(bool settle)
{
    acre_segment *s = damage_open();
    acre_shared mine = {{0, 0}};
    if (!s)
        return;
    damage_table *t = acre_segment_address(s, damage_at);
    for (int i = 0; settle && i < 4; i++)
        (void)acre_shared_settle(s, &t->shared[i]);
    (void)acre_shared_reap(s, NULL);
    (void)acre_shared_get(s, &t->shared[0]);
    (void)acre_shared_copy(s, &mine, &t->shared[0]);
    (void)acre_shared_copy(s, &t->shared[3], &t->shared[1]);
    (void)acre_shared_move(s, &t->shared[2], &t->shared[3]);
    (void)acre_weak_lock(s, &t->shared[3], &t->weak[0]);
    (void)acre_weak_from(s, &t->weak[1], &t->shared[1]);
    (void)acre_shared_from_this(s, &t->shared[2], acre_shared_get(s, &t->shared[0]));
    (void)acre_shared_release(s, &mine);
    for (int i = 0; i < 4; i++)
        (void)acre_shared_release(s, &t->shared[i]);
    for (int i = 0; i < 2; i++)
        (void)acre_weak_release(s, &t->weak[i]);
    (void)acre_unique_reset(s, &t->unique);
    ACRE_CHECK_EQUAL(acre_segment_close(s), 0);
}

static void damage_restore(void)
{
    memcpy(damage_memory, damage_image, BYTES);
}

/* Each bit in [at, at + bytes), then words of every kind.  Whose lock is said to be held is waited for: not those. */
static void damage_range(acre_off at, size_t bytes)
{
    static const uint64_t words[] = {0, 1, 16, BYTES - 8, BYTES - 16, BYTES, 1u << 31, ~(uint64_t)0,
                                     ~(uint64_t)0 << 32, 0x1000000010000001u, 0x7000000000000000u};
    for (size_t bit = 0; bit < bytes * 8; bit++) {
        damage_restore();
        damage_memory[at + bit / 8] ^= (char)(1 << bit % 8);
        damage_use(bit % 2);
    }
    for (size_t word = 0; word < bytes / 8; word++)
        for (size_t i = 0; i < sizeof words / sizeof *words; i++) {
            damage_restore();
            memcpy(damage_memory + at + word * 8, &words[i], 8);
            damage_use(i % 2);
        }
}

/* But for the futex words. */
static void damage_block(acre_off at, size_t bytes)
{
    damage_range(at + 8, bytes - 8);
}

ACRE_TEST(shared_damage, references_and_their_blocks)
{
    damage_make();
    const damage_table *t = (const damage_table *)(void *)(damage_image + damage_at);
    damage_restore();
    damage_use(true);
    damage_range(damage_at, sizeof *t);
    damage_block(t->shared[0].r.control, sizeof(shared_control));
    damage_block(t->shared[1].r.control, sizeof(shared_control));
}

ACRE_TEST(shared_damage, holders)
{
    damage_make();
    const segment_directory *d = (const segment_directory *)(void *)(damage_image + sizeof(segment_header));
    damage_range(sizeof(segment_header) + offsetof(segment_directory, shared), sizeof d->shared);
    for (acre_off at = d->shared.head; at;) {
        const shared_node *n = (const shared_node *)(void *)(damage_image + at);
        damage_block(at, sizeof *n + (n->shared + n->weak) * sizeof(acre_reference));
        at = n->next;
    }
}

/* Several at once. */
ACRE_TEST(shared_damage, noise)
{
    uint64_t seed = acre_test_seed();
    damage_make();
    const damage_table *t = (const damage_table *)(void *)(damage_image + damage_at);
    const acre_off places[] = {damage_at, t->shared[0].r.control, t->shared[1].r.control};
    for (size_t i = 0, n = acre_test_rounds(20000); i < n; i++) {
        damage_restore();
        for (int k = 0; k < 3; k++) {
            acre_off at = places[acre_test_below(&seed, 3)] + 8 + 8 * acre_test_below(&seed, 8);
            uint64_t value = acre_test_below(&seed, 2) ? acre_test_below(&seed, BYTES)
                                                       : acre_test_random(&seed);
            memcpy(damage_memory + at, &value, 8);
        }
        damage_use(i % 2);
    }
}

/* A lock that is said to be somebody's is waited for, but not for ever. */
ACRE_TEST(shared_damage, a_forged_owner_is_not_waited_for_for_ever)
{
    damage_make();
    damage_restore();
    acre_segment *s = damage_open();
    ACRE_CHECK(s);
    damage_table *t = acre_segment_address(s, damage_at);
    shared_control *c = acre_segment_address(s, t->shared[0].r.control);
    c->cell.word = 0x12345;
    ACRE_CHECK_EQUAL(acre_shared_release(s, &t->shared[0]), ETIMEDOUT);
    ACRE_CHECK(t->shared[0].r.object && shared_uses(c->state) == 2);
    c->cell.word = ACRE__NEVER;
    ACRE_CHECK_EQUAL(acre_shared_release(s, &t->shared[0]), ACRE_ECORRUPT);
    c->cell.word = 0;
    ACRE_CHECK_EQUAL(acre_shared_release(s, &t->shared[0]), 0);
    ACRE_CHECK_EQUAL(acre_segment_close(s), 0);
}

/* No call changes what is opened for reading, nor crashes at it. */
ACRE_TEST(shared_damage, who_may_only_read_is_refused)
{
    damage_make();
    damage_restore();
    acre_segment *s;
    acre_segment_options o = {.size = BYTES, .buffer = damage_memory, .read_only = true};
    acre_shared to = {{0, 0}};
    acre_weak weak = {{0, 0}};
    acre_holder h;
    ACRE_CHECK_EQUAL(acre_segment_open(&s, ACRE_BUFFER, NULL, &o), 0);
    damage_table *t = acre_segment_address(s, damage_at);
    mprotect(damage_memory, BYTES, PROT_READ);
    ACRE_CHECK_EQUAL(acre_shared_use_count(s, &t->shared[0]), 2);
    ACRE_CHECK_EQUAL(acre_shared_copy(s, &to, &t->shared[0]), EROFS);
    ACRE_CHECK_EQUAL(acre_shared_move(s, &to, &t->shared[0]), EROFS);
    ACRE_CHECK_EQUAL(acre_shared_make(s, &to, 10, 0), EROFS);
    ACRE_CHECK_EQUAL(acre_shared_release(s, &t->shared[0]), EROFS);
    ACRE_CHECK_EQUAL(acre_shared_settle(s, &t->shared[0]), EROFS);
    ACRE_CHECK_EQUAL(acre_weak_lock(s, &to, &t->weak[0]), EROFS);
    ACRE_CHECK_EQUAL(acre_weak_from(s, &weak, &t->shared[0]), EROFS);
    ACRE_CHECK_EQUAL(acre_weak_release(s, &t->weak[0]), EROFS);
    ACRE_CHECK_EQUAL(acre_holder_open(&h, s, 1, 1), EROFS);
    ACRE_CHECK_EQUAL(acre_shared_reap(s, NULL), EROFS);
    ACRE_CHECK_EQUAL(acre_unique_reset(s, &t->unique), EROFS);
    ACRE_CHECK_EQUAL(to.r.control | to.r.object | weak.r.control, 0);
    ACRE_CHECK_EQUAL(acre_segment_close(s), 0);
}
