/* SPDX-License-Identifier: MIT */
/* Images that a stranger wrote, by hand and by chance: refused, or found damaged, or a heap; nothing outside of
 * them is touched (pages without access lie around them), and nothing waits.  What `make fuzz` found is here. */
#include "tests/support_heap.h"
#include "tests/support_hostile.h"

#include "alloc/shard_heap.h"
#include "segment/layout.h"

#include <errno.h>
#include <linux/futex.h>
#include <string.h>
#include <unistd.h>

typedef struct hostile {
    _Alignas(64) unsigned char image[HOSTILE_ROOM];
    size_t size;
    hostile_place place;
    segment_header *header;
    acre__heap_control *control;
    unsigned char *region;
} hostile;

static hostile *hostile_begin(const char *algorithm, unsigned kind)
{
    static hostile h;
    h.size = hostile_make(h.image, acre_algorithm_find(algorithm), kind);
    ACRE_CHECK(h.size && hostile_place_make(&h.place) == 0);
    h.header = (void *)h.image;
    h.control = (void *)(h.image + h.header->heap);
    h.region = (unsigned char *)h.control + h.control->region_start;
    return &h;
}

static hostile_seen hostile_try(hostile *h, bool in_file)
{
    hostile_seen seen;
    hostile_meet(&h->place, h->image, h->size, false, in_file, &seen);
    return seen;
}

/* Open it in a file, for writing. */
static acre_segment *hostile_file(hostile *h)
{
    acre_segment *s;
    acre_segment_options o = {.fd = h->place.fd};
    ACRE_CHECK(ftruncate(h->place.fd, (off_t)h->size) == 0);
    ACRE_CHECK(pwrite(h->place.fd, h->image, h->size, 0) == (ssize_t)h->size);
    ACRE_CHECK_EQUAL(acre_segment_open(&s, ACRE_MEMFD, NULL, &o), 0);
    return s;
}

/* A call that did not come to its end: the word at `at` in the image held `old`. */
static void hostile_note(hostile *h, const void *word, uint64_t old, uint64_t bits)
{
    acre_journal *j = &h->control->journal;
    uint64_t where = (uint64_t)((const unsigned char *)word - h->region);
    j->entry[j->count++] = (acre_journal_entry){where | bits, old};
}

/* ---- sizes ---- */

ACRE_TEST(hostile, a_capacity_that_wraps_is_refused)
{
    static const uint64_t sizes[] = {UINT64_MAX, UINT64_MAX - 4095, (uint64_t)1 << 63,
                                     ACRE_SIZE_MAX + 1};
    hostile *h = hostile_begin("rbtree_best_fit", 0);
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        h->header->capacity = sizes[i];
        hostile_sign(h->image);
        ACRE_CHECK_EQUAL(hostile_try(h, true).opened, ACRE_ECORRUPT);
        ACRE_CHECK_EQUAL(hostile_try(h, false).opened, ACRE_ECORRUPT);
    }
}

/* The control ends with the memory, or before its end. */
ACRE_TEST(hostile, a_control_that_is_cut_off_is_refused)
{
    hostile *h = hostile_begin("simple_seq_fit", 0);
    for (size_t n = h->header->heap; n < h->header->heap + sizeof(acre__heap_control); n += 16) {
        h->header->size = h->size = n;
        hostile_sign(h->image);
        ACRE_CHECK_EQUAL(hostile_try(h, false).opened, ACRE_ECORRUPT);
    }
}

/* What the journal says was the size is more than there is: who believed it would end with SIGBUS. */
static void hostile_larger(bool region, uint64_t size)
{
    hostile *h = hostile_begin("rbtree_best_fit", 0);
    uint64_t *word = region ? &h->control->region_size : &h->header->size, before = *word;
    h->header->capacity = 1 << 20;
    hostile_sign(h->image);
    hostile_note(h, word, size, 0);
    acre_segment *s = hostile_file(h);
    ACRE_CHECK_EQUAL(acre_heap_check(acre_segment_heap(s), NULL), 0);
    ACRE_CHECK_EQUAL(
        *(uint64_t *)((char *)acre_segment_base(s) + ((unsigned char *)word - h->image)), before);
    ACRE_CHECK_EQUAL(acre_segment_close(s), 0);
}

ACRE_TEST(hostile, a_journal_restores_no_size_beyond_the_file)
{
    hostile_larger(true, 512 << 10);
    hostile_larger(true, 16 << 10);
    hostile_larger(true, UINT64_MAX);
    hostile_larger(false, 512 << 10);
    hostile_larger(false, UINT64_MAX);
}

/* Half of a size is none. */
ACRE_TEST(hostile, a_journal_restores_no_half_of_a_size)
{
    hostile *h = hostile_begin("rbtree_best_fit", 0);
    h->header->capacity = 1 << 20;
    hostile_sign(h->image);
    hostile_note(h, (char *)&h->control->region_size + 4, 1, 1);
    hostile_note(h, &h->control->region_size, 512 << 10, 1);
    ACRE_CHECK_EQUAL(hostile_try(h, true).checked, 0);
}

ACRE_TEST(hostile, check_finds_a_region_behind_the_segments_end)
{
    acre_damage d = {0};
    hostile *h = hostile_begin("rbtree_best_fit", 0);
    hostile_note(h, &h->header->size, 8192, 0);
    acre_segment *s = hostile_file(h);
    ACRE_CHECK_EQUAL(acre_heap_check(acre_segment_heap(s), &d), ACRE_ECORRUPT);
    ACRE_CHECK(!strncmp(d.rule, "H1", 2), "%s", d.rule);
    ACRE_CHECK_EQUAL(acre_segment_close(s), 0);
}

/* ---- slots that were being filled ---- */

/* They lie in the heap's own records, or one names the block that they lie in: nothing is freed. */
ACRE_TEST(hostile, slots_that_are_no_users_are_left_alone)
{
    hostile *h = hostile_begin("rbtree_best_fit", 0);
    unsigned char *records = h->region + 64;
    uint64_t before[4];
    memcpy(before, records, sizeof before);
    ACRE_CHECK(before[0] | before[1] | before[2] | before[3]);
    hostile_note(h, records, 4, ACRE__BATCH);
    acre_segment *s = hostile_file(h);
    ACRE_CHECK_EQUAL(acre_heap_check(acre_segment_heap(s), NULL), 0);
    ACRE_CHECK(!memcmp((char *)acre_segment_base(s) + (records - h->image), before, sizeof before));
    ACRE_CHECK_EQUAL(acre_segment_close(s), 0);
}

typedef struct hostile_first {
    const unsigned char *region;
    unsigned char *block;
} hostile_first;

static int hostile_first_used(void *arg, const acre_block *b)
{
    hostile_first *f = arg;
    f->block = b->used && b->size >= 64 ? (unsigned char *)(uintptr_t)f->region + b->offset : NULL;
    return f->block != NULL;
}

static unsigned char *hostile_used(hostile *h)
{
    acre_segment *s = hostile_file(h);
    acre_segment_info info;
    acre_segment_info_get(s, &info);
    hostile_first f = {.region = h->region};
    ACRE_CHECK_EQUAL(acre_heap_walk(acre_segment_heap(s), hostile_first_used, &f), 1);
    ACRE_CHECK_EQUAL(acre_segment_close(s), 0);
    return f.block;
}

ACRE_TEST(hostile, slots_that_name_their_own_block_are_left_alone)
{
    hostile *h = hostile_begin("rbtree_best_fit", 0);
    unsigned char *block = hostile_used(h);
    uint64_t slots[2] = {(uint64_t)(block - h->image), 0};
    memcpy(block, slots, sizeof slots);
    hostile_note(h, block, 2, ACRE__BATCH);
    acre_segment *s = hostile_file(h);
    char *there = (char *)acre_segment_base(s) + slots[0];
    ACRE_CHECK_EQUAL(acre_heap_check(acre_segment_heap(s), NULL), 0);
    ACRE_CHECK(acre_usable_size(acre_segment_heap(s), there) >= 64 &&
               !memcmp(there, slots, sizeof slots));
    ACRE_CHECK_EQUAL(acre_segment_close(s), 0);
}

/* An address inside of a block may look like one. */
ACRE_TEST(hostile, slots_that_name_no_block_are_left_alone)
{
    hostile *h = hostile_begin("tlsf", 0);
    unsigned char *block = hostile_used(h);
    uint64_t inside = (uint64_t)(block - h->image) + 32;
    memcpy(block + 24, block - 8, 8); /* its header once more */
    h->header->root = inside;
    hostile_note(h, &h->header->root, 1, ACRE__BATCH);
    acre_segment *s = hostile_file(h);
    ACRE_CHECK_EQUAL(acre_heap_check(acre_segment_heap(s), NULL), 0);
    ACRE_CHECK_EQUAL(*acre_segment_root(s), inside);
    ACRE_CHECK_EQUAL(acre_segment_close(s), 0);
}

/* A real one, whose writer died: they are emptied, also by who opens the segment after the death. */
ACRE_TEST(hostile, slots_of_a_dead_writer_are_emptied)
{
    hostile *h = hostile_begin("rbtree_best_fit", 0);
    uint64_t named = (uint64_t)(hostile_used(h) - h->image);
    h->header->root = named;
    h->control->lock.word = FUTEX_OWNER_DIED;
    hostile_note(h, &h->header->root, 1, ACRE__BATCH);
    acre_segment *s = hostile_file(h);
    ACRE_CHECK_EQUAL(acre_heap_check(acre_segment_heap(s), NULL), 0);
    ACRE_CHECK_EQUAL(*acre_segment_root(s), 0);
    ACRE_CHECK_EQUAL(acre_free(acre_segment_heap(s), (char *)acre_segment_base(s) + named),
                     ACRE_EINVALID);
    ACRE_CHECK_EQUAL(acre_segment_close(s), 0);
}

/* ---- offsets ---- */

ACRE_TEST(hostile, a_quarantine_that_names_what_is_nowhere_is_found)
{
    static const uint64_t nowhere[] = {UINT64_MAX, UINT64_MAX - 15,   0,
                                       1 << 20,    (uint64_t)1 << 40, 24};
    hostile *h = hostile_begin("rbtree_best_fit", 1);
    acre__quarantine *q = (void *)(h->region - sizeof *q);
    ACRE_CHECK(q->word >> 32);
    for (size_t i = 0; i < sizeof nowhere / sizeof *nowhere; i++) {
        q->entry[(uint32_t)q->word] = nowhere[i];
        ACRE_CHECK_EQUAL(hostile_try(h, false).checked, ACRE_ECORRUPT);
    }
}

/* With guards: of what is no block no guard is looked for. */
ACRE_TEST(hostile, what_is_no_block_has_no_size_in_bump)
{
    hostile *h = hostile_begin("bump", 4);
    acre_segment *s = hostile_file(h);
    char *base = acre_segment_base(s);
    acre_segment_info info;
    acre_segment_info_get(s, &info);
    for (size_t at = info.region; at + 16 <= h->size; at += 16) {
        size_t n = acre_usable_size(acre_segment_heap(s), base + at);
        ACRE_CHECK(n <= h->size - at, "%zu bytes at %zu", n, at);
    }
    ACRE_CHECK_EQUAL(acre_segment_close(s), 0);
}

ACRE_TEST(hostile, a_map_that_lies_over_the_constants_of_sharded)
{
    for (size_t over = 0; over < sizeof(shard_root); over += SHARD_UNIT) {
        hostile *h = hostile_begin("sharded", 0);
        shard_root *o = (void *)(h->region + SHARD_AT);
        o->chunk[0] = SHARD_AT + over;
        hostile_note(h, &h->header->root, 0, 0); /* so that it is recovered */
        ACRE_CHECK(hostile_try(h, false).checked != 0);
    }
}

ACRE_TEST(hostile, constants_of_sharded_that_are_all_zero_are_refused)
{
    hostile *h = hostile_begin("sharded", 0);
    memset(h->region + SHARD_AT, 0, offsetof(shard_root, none));
    ACRE_CHECK_EQUAL(hostile_try(h, false).opened, ACRE_ECORRUPT);
}

static void a_slot_that_names_what_is_nowhere_is_refused(const acre_algorithm *a)
{
    static const uint64_t nowhere[] = {UINT64_MAX, (uint64_t)1 << 40, (uint64_t)1 << 63, 8};
    test_skip_flags(a, ACRE_REFERENCE | ACRE_NO_FREE);
    hostile *h = hostile_begin(a->name, 0);
    acre_segment *s = hostile_file(h);
    for (size_t i = 0; i < sizeof nowhere / sizeof *nowhere; i++) {
        *acre_segment_root(s) = nowhere[i];
        ACRE_CHECK_EQUAL(acre_free_from(acre_segment_heap(s), acre_segment_root(s)), ACRE_EINVALID);
    }
    ACRE_CHECK_EQUAL(acre_segment_close(s), 0);
}

/* ---- by chance ---- */

/* What the check has passed is a heap, and stays one. */
static void images_of_strangers_are_survived(const acre_algorithm *a)
{
    static unsigned char changed[HOSTILE_ROOM];
    uint64_t seed = acre_test_seed();
    size_t refused = 0, damaged = 0, sound = 0;
    test_skip_flags(a, ACRE_REFERENCE);
    for (unsigned kind = 0; kind < HOSTILE_KINDS; kind++) {
        hostile *h = hostile_begin(a->name, kind);
        for (size_t n = 0; n < acre_test_rounds(300); n++) {
            hostile_seen seen;
            memcpy(changed, h->image, sizeof changed);
            size_t size = hostile_mutate(changed, h->size, HOSTILE_ROOM, acre_test_random(&seed));
            hostile_unlock(changed, size);
            hostile_meet(&h->place, changed, size, n % 4 == 0, n % 16 == 1, &seen);
            ACRE_CHECK(seen.left == 0, "kind %u, round %zu: %s", kind, n, acre_strerror(seen.left));
            refused += seen.opened != 0;
            damaged += !seen.opened && seen.checked;
            sound += !seen.opened && !seen.checked;
        }
        close(h->place.fd);
    }
    ACRE_CHECK(refused && damaged && sound, "%zu refused, %zu damaged, %zu sound", refused, damaged,
               sound);
}

#define CASES(X, a)                                                                                \
    X(a, a_slot_that_names_what_is_nowhere_is_refused)                                             \
    X(a, images_of_strangers_are_survived)

#define ACRE_ALGORITHM(a) CASES(TEST_CASE, a)
#include "alloc/algorithms.def"
#undef ACRE_ALGORITHM

/* ---- what was begun in another boot ---- */

enum { BEGUN_SIZE = 64 << 10 };
static _Alignas(4096) unsigned char begun_image[BEGUN_SIZE], begun_copy[BEGUN_SIZE];

/* An image with a transaction that has a block, as of another boot. */
static void begun_make(void)
{
    acre_segment *s;
    acre_tx tx;
    void *p;
    acre_segment_options o = {.size = BEGUN_SIZE, .buffer = begun_image};
    ACRE_CHECK_EQUAL(acre_segment_create(&s, ACRE_BUFFER, NULL, &o), 0);
    ACRE_CHECK_EQUAL(acre_tx_begin(&tx, s), 0);
    ACRE_CHECK_EQUAL(acre_tx_alloc(&tx, acre_segment_root(s), 100, &p), 0);
    memcpy(begun_copy, begun_image, BEGUN_SIZE);
    ACRE_CHECK_EQUAL(acre_tx_abort(&tx), 0);
    acre_segment_close(s);
    memcpy(begun_image, begun_copy, BEGUN_SIZE);
    ((segment_header *)(void *)begun_image)->boot = 1;
}

/* Open a copy, of whose heap this word was changed: whether its check finds that.  *record: what there is still. */
static bool begun_open(size_t word, acre_off *record)
{
    acre_segment *s;
    memcpy(begun_copy, begun_image, BEGUN_SIZE);
    const segment_header *h = (void *)begun_copy;
    const acre__heap_control *c = (void *)(begun_copy + h->heap);
    uint64_t *region = (void *)(begun_copy + h->heap + c->region_start);
    region[word / 2] ^= word % 2;
    acre_segment_options o = {.size = BEGUN_SIZE, .buffer = begun_copy};
    if (acre_segment_open(&s, ACRE_BUFFER, NULL, &o) != 0)
        return false;
    bool found = acre_heap_check(acre_segment_heap(s), NULL) != 0;
    *record = ((segment_directory *)(void *)(begun_copy + SEGMENT_HEADER))->tx.record;
    acre_segment_close(s);
    return found;
}

ACRE_TEST(hostile, opening_frees_nothing_in_an_unsound_heap)
{
    acre_off record;
    size_t found = 0;
    begun_make();
    ACRE_CHECK(!begun_open(0, &record) && record == 0); /* sound: what was begun is undone */
    for (size_t word = 1; word < 32; word += 2)
        if (begun_open(word, &record)) {
            ACRE_CHECK(record != 0);
            found++;
        }
    ACRE_CHECK(found != 0);
}
