/* SPDX-License-Identifier: MIT */
/* The format: what is no segment, or not one of this build's, is refused with the right error; a
 * hostile image never crashes open, check, walk or statistics. */
#include "tests/support_heap.h"

#include "alloc/layout.h"
#include "segment/layout.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum { SIZE = 12 << 10, PAGE = 4096 };

/* An image of a small segment with a few blocks, and a file to put variants of it into. */
typedef struct sample {
    unsigned char *image;
    int fd;
    size_t size;
} sample;

static sample sample_make(const acre_algorithm *a)
{
    acre_segment *s;
    void *p[12];
    sample v = {.size = SIZE};
    acre_segment_options o = {.size = SIZE, .algorithm = a};
    ACRE_CHECK_EQUAL(acre_segment_create(&s, ACRE_MEMFD, NULL, &o), 0);
    for (size_t i = 0; i < 12; i++)
        p[i] = acre_alloc(acre_segment_heap(s), i % 3 ? 40 * i : 1100);
    for (size_t i = 0; i < 12; i += 2)
        acre_free(acre_segment_heap(s), p[i]);
    v.image = malloc(SIZE);
    memcpy(v.image, acre_segment_base(s), SIZE);
    v.fd = memfd_create("variant", MFD_CLOEXEC);
    ACRE_CHECK(v.fd >= 0);
    acre_segment_close(s);
    return v;
}

static void sample_free(sample *v)
{
    free(v->image);
    close(v->fd);
}

static segment_header *header_of(sample *v)
{
    return (segment_header *)v->image;
}

static acre__heap_control *control_of(sample *v)
{
    return (acre__heap_control *)(v->image + header_of(v)->heap);
}

/* The checksum of the constant part, as documented: FNV-1a. */
static void sign(sample *v)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < SEGMENT_CONSTANT; i++)
        h = (h ^ v->image[i]) * 0x100000001b3u;
    header_of(v)->checksum = h;
}

static int open_written(sample *v, size_t length, bool read_only, acre_segment **s)
{
    acre_segment_options o = {.fd = v->fd, .read_only = read_only};
    ACRE_CHECK(ftruncate(v->fd, 0) == 0);
    ACRE_CHECK(pwrite(v->fd, v->image, length, 0) == (ssize_t)length);
    return acre_segment_open(s, ACRE_MEMFD, NULL, &o);
}

static int open_variant(sample *v)
{
    acre_segment *s = NULL;
    int e = open_written(v, v->size, false, &s);
    if (!e)
        acre_segment_close(s);
    return e;
}

/* ---- truncation ---- */

ACRE_TEST(format, every_length_of_a_truncated_file_is_refused)
{
    acre_segment *s;
    sample v = sample_make(NULL);
    for (size_t n = 0; n < SIZE; n += n < SEGMENT_HEADER + 64 ? 1 : 61) {
        int e = open_written(&v, n, n % 2, &s);
        ACRE_CHECK(e == (n < 8 ? ACRE_EFORMAT : ACRE_ETRUNCATED), "%zu bytes: %s", n,
                   acre_strerror(e));
    }
    for (size_t n = PAGE; n < SIZE; n += PAGE)
        for (int d = -1; d <= 1; d++)
            ACRE_CHECK_EQUAL(open_written(&v, n + (size_t)d, false, &s), ACRE_ETRUNCATED);
    ACRE_CHECK_EQUAL(open_variant(&v), 0);
    sample_free(&v);
}

/* ---- flipped bits ---- */

static int expected_error(size_t byte)
{
    if (byte < 8)
        return ACRE_EFORMAT;
    if (byte < 16)
        return ACRE_EVERSION;
    if (byte < SEGMENT_CONSTANT + 8)
        return ACRE_ECORRUPT;
    return 0;
}

/* What may differ: reserved words, the checksum of a capacity to come, the boot (then a held
 * lock is freed), the application's root. */
static bool may_change(size_t byte)
{
    bool size_or_state = byte >= offsetof(segment_header, size) &&
                         byte < offsetof(segment_header, reserved2);
    return byte >= offsetof(segment_header, next_checksum) && !size_or_state;
}

ACRE_TEST(format, every_flipped_bit_of_the_header_is_refused_or_harmless)
{
    sample v = sample_make(NULL);
    for (size_t i = 0; i < SEGMENT_HEADER; i++)
        for (int bit = 0; bit < 8; bit++) {
            v.image[i] ^= (unsigned char)(1 << bit);
            int e = open_variant(&v), expected = expected_error(i);
            if (may_change(i))
                ACRE_CHECK(e == 0, "byte %zu: %s", i, acre_strerror(e));
            else if (expected)
                ACRE_CHECK(e == expected, "byte %zu: %s", i, acre_strerror(e));
            else
                ACRE_CHECK(e != 0, "byte %zu bit %d", i, bit);
            v.image[i] ^= (unsigned char)(1 << bit);
        }
    ACRE_CHECK_EQUAL(open_variant(&v), 0);
    sample_free(&v);
}

/* ---- other versions, builds, features, algorithms ---- */

ACRE_TEST(format, another_version_is_refused)
{
    sample v = sample_make(NULL);
    for (uint32_t version = 0; version < 5; version++) {
        header_of(&v)->format = version;
        sign(&v);
        ACRE_CHECK_EQUAL(open_variant(&v), version == SEGMENT_FORMAT ? 0 : ACRE_EVERSION);
    }
    header_of(&v)->format = SEGMENT_FORMAT;
    header_of(&v)->algorithm_version++;
    sign(&v);
    ACRE_CHECK_EQUAL(open_variant(&v), ACRE_EVERSION);
    sample_free(&v);
}

ACRE_TEST(format, another_layout_is_refused)
{
    sample v = sample_make(NULL);
    header_of(&v)->layout_hash ^= 1;
    sign(&v);
    ACRE_CHECK_EQUAL(open_variant(&v), ACRE_ELAYOUT);
    sample_free(&v);
}

ACRE_TEST(format, unknown_features_are_ignored_read_or_refused)
{
    acre_segment *s;
    sample v = sample_make(NULL);
    header_of(&v)->compatible = 1u << 31;
    sign(&v);
    ACRE_CHECK_EQUAL(open_variant(&v), 0);
    header_of(&v)->read_compatible = 4;
    sign(&v);
    ACRE_CHECK_EQUAL(open_variant(&v), ACRE_EFEATURE);
    ACRE_CHECK_EQUAL(open_written(&v, SIZE, true, &s), 0);
    test_sound(acre_segment_heap(s));
    acre_segment_close(s);
    header_of(&v)->incompatible = 1;
    sign(&v);
    ACRE_CHECK_EQUAL(open_written(&v, SIZE, true, &s), ACRE_EFEATURE);
    sample_free(&v);
}

ACRE_TEST(format, unknown_algorithms_are_refused)
{
    static const char *const names[] = {"", "no_such", "rbtree_best_fit ", "RBTREE_BEST_FIT"};
    sample v = sample_make(NULL);
    for (int i = 0; i < 4; i++) {
        memset(header_of(&v)->algorithm, 0, 32);
        strcpy(header_of(&v)->algorithm, names[i]);
        sign(&v);
        ACRE_CHECK(open_variant(&v) == ACRE_EALGORITHM, "«%s»", names[i]);
    }
    memset(header_of(&v)->algorithm, 'x', 32); /* no end */
    sign(&v);
    ACRE_CHECK_EQUAL(open_variant(&v), ACRE_EALGORITHM);
    sample_free(&v);
}

ACRE_TEST(format, impossible_sizes_in_a_signed_header_are_refused)
{
    sample v = sample_make(NULL);
    static const uint64_t sizes[] = {0, 255, SIZE + 1, SIZE * 2, (uint64_t)1 << 40, UINT64_MAX};
    for (int i = 0; i < 6; i++) {
        header_of(&v)->size = sizes[i];
        int e = open_variant(&v);
        ACRE_CHECK(e == ACRE_ECORRUPT || e == ACRE_ETRUNCATED, "%s", acre_strerror(e));
    }
    header_of(&v)->size = SIZE;
    header_of(&v)->heap = 512;
    sign(&v);
    ACRE_CHECK_EQUAL(open_variant(&v), ACRE_ECORRUPT);
    sample_free(&v);
}

ACRE_TEST(format, foreign_files_are_refused)
{
    acre_segment *s;
    acre_segment_options look = {.any_owner = true, .read_only = true};
    ACRE_CHECK_EQUAL(acre_segment_open(&s, ACRE_FILE, "/proc/self/exe", &look), ELOOP);
    ACRE_CHECK_EQUAL(acre_segment_open(&s, ACRE_FILE, "/bin/cat", &look), ACRE_EFORMAT);
    ACRE_CHECK_EQUAL(acre_segment_open(&s, ACRE_FILE, "/etc/passwd", &look), ACRE_EFORMAT);
    sample v = sample_make(NULL);
    memset(v.image, 0, SIZE);
    ACRE_CHECK_EQUAL(open_variant(&v), ACRE_EFORMAT);
    sample_free(&v);
}

/* ---- left behind ---- */

ACRE_TEST(format, a_lock_held_in_another_boot_is_freed)
{
    acre_segment *s;
    sample v = sample_make(NULL);
    control_of(&v)->lock.word = (uint32_t)getpid(); /* alive, but not in that boot */
    header_of(&v)->boot ^= 2;
    acre_test_limit(20);
    ACRE_CHECK_EQUAL(open_written(&v, SIZE, false, &s), 0);
    void *p = acre_alloc(acre_segment_heap(s), 10);
    ACRE_CHECK(p);
    test_sound(acre_segment_heap(s));
    ACRE_CHECK(header_of(&(sample){.image = acre_segment_base(s)})->boot ==
               (header_of(&v)->boot ^ 2));
    acre_segment_close(s);
    sample_free(&v);
}

ACRE_TEST(format, poisoned_heaps_stay_closed)
{
    acre_segment *s;
    sample v = sample_make(NULL);
    control_of(&v)->journal.count = ACRE__POISON;
    ACRE_CHECK_EQUAL(open_variant(&v), ACRE_EPOISONED);
    ACRE_CHECK_EQUAL(open_written(&v, SIZE, true, &s), ACRE_EPOISONED);
    sample_free(&v);
}

/* Without a journal an owner's death may have damaged the heap: it is checked, then used or
 * closed for good. */
static void die_owning(bool damaged)
{
    acre_segment *s;
    acre_segment_options o = {.size = SIZE, .heap = {.journal = ACRE_JOURNAL_OFF}};
    ACRE_CHECK_EQUAL(acre_segment_create(&s, ACRE_MEMFD, NULL, &o), 0);
    sample v = {.image = acre_segment_base(s)};
    char *p = acre_alloc(acre_segment_heap(s), 100);
    control_of(&v)->lock.word = FUTEX_OWNER_DIED;
    if (damaged)
        memset(p - 8, 0x55, 8);
    ACRE_CHECK_EQUAL(acre_free(acre_segment_heap(s), p), damaged ? ACRE_EPOISONED : 0);
    ACRE_CHECK(!acre_alloc(acre_segment_heap(s), 10) == damaged);
    ACRE_CHECK_EQUAL(acre_heap_check(acre_segment_heap(s), NULL), damaged ? ACRE_EPOISONED : 0);
    acre_segment_close(s);
}

ACRE_TEST(format, death_without_journal_is_survived_or_poisons)
{
    die_owning(false);
    die_owning(true);
}

/* ---- hostile images ---- */

/* A buffer between pages without access. */
static unsigned char *guarded(void)
{
    unsigned char *at = mmap(NULL, SIZE + 2 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ACRE_CHECK(at != MAP_FAILED && mprotect(at + PAGE, SIZE, PROT_READ | PROT_WRITE) == 0);
    return at + PAGE;
}

static int visit_nothing(void *arg, const acre_block *b)
{
    *(uint64_t *)arg += b->size;
    return 0;
}

/* Open, check, walk, statistics; what is sound is used too. */
static bool meet(void *memory, bool read_only)
{
    acre_segment *s;
    acre_stats stats;
    uint64_t sum = 0;
    acre_segment_options o = {.size = SIZE, .buffer = memory, .read_only = read_only};
    if (acre_segment_open(&s, ACRE_BUFFER, NULL, &o) != 0)
        return false;
    acre_heap *h = acre_segment_heap(s);
    acre_heap_walk(h, visit_nothing, &sum);
    acre_heap_stats(h, &stats);
    bool sound = acre_heap_check(h, NULL) == 0;
    if (sound && !read_only)
        acre_free(h, acre_alloc(h, 100));
    acre_segment_close(s);
    return sound;
}

/* The lock word is left alone: one that names a live thread means waiting for it. */
static bool is_lock(sample *v, size_t byte)
{
    return byte - header_of(v)->heap < 4;
}

/* Only a lock-free heap can be met with any bits in its lock. */
static void every_single_flip_is_survived(const acre_algorithm *a)
{
    test_skip_flags(a, ACRE_REFERENCE);
    sample v = sample_make(a);
    unsigned char *memory = guarded();
    size_t sound = 0, step = acre_test_rounds(20) == 1 ? 13 : 1;
    acre_test_limit(200);
    for (size_t i = 0; i < SIZE; i += step)
        for (int bit = 0; bit < 8 && !is_lock(&v, i); bit++) {
            memcpy(memory, v.image, SIZE);
            memory[i] ^= (unsigned char)(1 << bit);
            if (i < SEGMENT_CONSTANT)
                sign(&(sample){.image = memory});
            sound += meet(memory, bit % 2);
        }
    ACRE_CHECK(sound > 0 && sound < (size_t)SIZE * 8);
    sample_free(&v);
}

static void random_flips_are_survived(const acre_algorithm *a)
{
    test_skip_flags(a, ACRE_REFERENCE);
    sample v = sample_make(a);
    uint64_t seed = acre_test_seed();
    unsigned char *memory = guarded();
    for (size_t n = 0; n < acre_test_rounds(8000); n++) {
        memcpy(memory, v.image, SIZE);
        for (uint64_t flips = 1 + acre_test_below(&seed, 12); flips--; ) {
            size_t i = SEGMENT_HEADER + acre_test_below(&seed, n % 2 ? 1200 : SIZE - 300);
            if (is_lock(&v, i))
                continue;
            memory[i] = (unsigned char)(acre_test_below(&seed, 2) ? acre_test_random(&seed)
                                                                  : memory[i] ^ 1u << i % 8);
        }
        meet(memory, n % 2);
    }
    sample_free(&v);
}

/* A journal that a stranger wrote: undoing it stays inside the segment. */
static void hostile_journals_are_survived(const acre_algorithm *a)
{
    test_skip_flags(a, ACRE_REFERENCE);
    sample v = sample_make(a);
    uint64_t seed = acre_test_seed();
    unsigned char *memory = guarded();
    for (size_t n = 0; n < acre_test_rounds(20000); n++) {
        memcpy(memory, v.image, SIZE);
        acre_journal *j = &control_of(&(sample){.image = memory})->journal;
        j->count = 1 + acre_test_below(&seed, 4);
        for (uint64_t i = 0; i < j->count && i < j->capacity; i++) {
            uint64_t wild = acre_test_random(&seed);
            j->entry[i].where = n % 3 ? wild % (2 * SIZE) - (uint64_t)SIZE / 2 : wild;
            j->entry[i].old = n % 2 ? wild >> 50 : acre_test_random(&seed);
        }
        meet(memory, false);
    }
    sample_free(&v);
}

#define CASES(X, a)                  \
    X(a, every_single_flip_is_survived) \
    X(a, random_flips_are_survived)  \
    X(a, hostile_journals_are_survived)

#define ACRE_ALGORITHM(a) CASES(TEST_CASE, a)
#include "alloc/algorithms.def"
#undef ACRE_ALGORITHM
