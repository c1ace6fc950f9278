/* SPDX-License-Identifier: MIT */
/* check() finds damage.  Every byte of a small heap's metadata is smashed, one at a time and
 * with several values: check() reports it, or the byte provably does not matter: the damaged heap
 * then answers a long script of operations exactly as the whole one does.  Nothing crashes, loops
 * or reads outside: the segment stands between pages without access. */
#include "tests/support_heap.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>

enum { DAMAGE_SIZE = 16 << 10, DAMAGE_PAGE = 4096, DAMAGE_BLOCKS = 64 };

/* ---- memory between guard pages ---- */

static char *guarded(size_t size)
{
    char *at = mmap(NULL, size + 2 * DAMAGE_PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ACRE_CHECK(at != MAP_FAILED);
    ACRE_CHECK(mprotect(at + DAMAGE_PAGE, size, PROT_READ | PROT_WRITE) == 0);
    return at + DAMAGE_PAGE;
}

typedef struct patient {
    char *memory;
    acre_segment *s;
    acre_heap *h;
    char *region;
    size_t size; /* of the region */
} patient;

static patient patient_open(char *memory)
{
    patient p = {.memory = memory};
    acre_segment_options o = {.size = DAMAGE_SIZE, .buffer = memory};
    acre_segment_info info;
    ACRE_CHECK_EQUAL(acre_segment_open(&p.s, ACRE_BUFFER, NULL, &o), 0);
    p.h = acre_segment_heap(p.s);
    acre_segment_info_get(p.s, &info);
    p.region = memory + info.region;
    p.size = DAMAGE_SIZE - info.region;
    return p;
}

/* Free blocks of many sizes between used ones: small ones, a list of equal ones, a tree.  full: no
 * unused rest stands at the end. */
static patient patient_make(const acre_algorithm *a, bool full)
{
    char *memory = guarded(DAMAGE_SIZE);
    void *p[DAMAGE_BLOCKS];
    acre_segment *s;
    acre_segment_options o = {.size = DAMAGE_SIZE, .algorithm = a, .buffer = memory,
                              .heap = {.lock = ACRE_LOCK_NONE}};
    ACRE_CHECK_EQUAL(acre_segment_create(&s, ACRE_BUFFER, NULL, &o), 0);
    for (size_t i = 0; i < 20; i++) {
        size_t size = i % 4 == 0 ? 40 : i % 4 == 1 ? 1100 + 40 * (i / 8) : 24 + i % 4 * 30;
        p[i] = acre_alloc(acre_segment_heap(s), size);
        test_fill(p[i], size, i);
    }
    for (size_t i = 0; i < 20; i++)
        if (i % 4 < 2 && i % 8 != 4)
            acre_free(acre_segment_heap(s), p[i]);
    (void)!acre_alloc(acre_segment_heap(s), 33); /* leaves the rest of a split */
    for (size_t size = full ? 1400 : 0; size; size /= 2)
        while (acre_alloc(acre_segment_heap(s), size))
            ;
    for (size_t i = 2; full && i < 20; i += 4)
        acre_free(acre_segment_heap(s), p[i]);
    test_sound(acre_segment_heap(s));
    acre_segment_close(s);
    return patient_open(memory);
}

/* ---- does a byte matter? ---- */

/* The addresses that a fixed script of operations gets, as a number. */
static uint64_t behaviour(acre_heap *h, const char *base)
{
    uint64_t hash = 1, seed = 7;
    void *p[DAMAGE_BLOCKS] = {0};
    for (int step = 0; step < 300; step++) {
        size_t i = acre_test_below(&seed, DAMAGE_BLOCKS);
        size_t size = acre_test_below(&seed, acre_test_below(&seed, 4) ? 200 : 2500);
        if (p[i])
            hash = hash * 31 + (uint64_t)(int64_t)acre_free(h, p[i]), p[i] = NULL;
        else
            p[i] = step % 7 ? acre_alloc(h, size) : acre_alloc_aligned(h, size, 128);
        hash = hash * 31 + (p[i] ? (uint64_t)((char *)p[i] - base) : 0);
        if (acre_heap_check(h, NULL) != 0)
            return 0;
        hash = hash * 31 + acre_heap_free_memory(h);
    }
    return hash;
}

static uint64_t behaviour_of_copy(const patient *p, char *scratch)
{
    memcpy(scratch, p->memory, DAMAGE_SIZE);
    patient copy = patient_open(scratch);
    uint64_t h = behaviour(copy.h, scratch);
    acre_segment_close(copy.s);
    return h;
}

enum { DAMAGE_USED = 1, DAMAGE_INSIDE = 2, DAMAGE_LINKS = 64 };

/* Which bytes users own, and which lie far inside free blocks. */
static int mark_used(void *arg, const acre_block *b)
{
    char *map = arg;
    if (b->used)
        memset(map + b->offset, DAMAGE_USED, b->size);
    else if (b->size > DAMAGE_LINKS)
        memset(map + b->offset + DAMAGE_LINKS, DAMAGE_INSIDE, b->size - DAMAGE_LINKS);
    return 0;
}

static int count_blocks(void *arg, const acre_block *b)
{
    (void)b;
    ++*(int *)arg;
    return 0;
}

/* check, walk and statistics of a damaged heap return. */
static int look(const patient *p)
{
    int n = 0;
    acre_stats s;
    int e = acre_heap_check(p->h, NULL);
    acre_heap_walk(p->h, count_blocks, &n);
    acre_heap_stats(p->h, &s);
    ACRE_CHECK(e == 0 || e == ACRE_ECORRUPT);
    return e;
}

typedef struct toll {
    size_t found, harmless;
} toll;

static void smash_byte(patient *p, size_t i, unsigned char with, uint64_t whole, char *scratch,
                       toll *t)
{
    p->region[i] ^= (char)with;
    if (look(p) != 0)
        t->found++;
    else if (behaviour_of_copy(p, scratch) == whole)
        t->harmless++;
    else
        acre_test_fail(__FILE__, __LINE__, "damage is found", " byte %zu ^ %#x", i, with);
    p->region[i] ^= (char)with;
}

static toll smash_all(patient *p, char *scratch, size_t step)
{
    static const unsigned char smash[] = {0x01, 0x02, 0x10, 0x80, 0xff};
    toll t = {0};
    char *map = calloc(1, p->size);
    uint64_t whole = behaviour_of_copy(p, scratch);
    ACRE_CHECK(whole != 0);
    ACRE_CHECK_EQUAL(acre_heap_walk(p->h, mark_used, map), 0);
    for (size_t i = 0; i < p->size; i += step) {
        size_t values = map[i] == DAMAGE_USED ? 0 : map[i] == DAMAGE_INSIDE ? i % 32 == 0 : 5;
        for (size_t k = 0; k < values; k++)
            smash_byte(p, i, smash[k], whole, scratch, &t);
    }
    free(map);
    return t;
}

static void every_metadata_byte_is_checked_or_does_not_matter_A16(const acre_algorithm *a)
{
    test_skip_flags(a, ACRE_REFERENCE);
    char *scratch = guarded(DAMAGE_SIZE);
    for (int full = 0; full < 2; full++) {
        patient p = patient_make(a, full);
        toll t = smash_all(&p, scratch, acre_test_rounds(20) == 1 ? 7 : 1);
        fprintf(stderr, "%s: %zu smashed bytes found, %zu harmless\n", a->name, t.found, t.harmless);
        ACRE_CHECK(t.found > 20);
        test_sound(p.h);
        acre_segment_close(p.s);
    }
}

/* Payload is the user's: writing it changes nothing for check(). */
static void used_payload_is_not_checked(const acre_algorithm *a)
{
    test_skip_flags(a, ACRE_REFERENCE);
    patient p = patient_make(a, false);
    char *used = calloc(1, p.size);
    ACRE_CHECK_EQUAL(acre_heap_walk(p.h, mark_used, used), 0);
    for (size_t i = 0; i < p.size; i++)
        if (used[i] == DAMAGE_USED)
            p.region[i] ^= 0x5a;
    test_sound(p.h);
    acre_segment_close(p.s);
    free(used);
}

/* Words at random places get each other's values: cross-linked lists, sizes swapped. */
static void swapped_words_are_found_or_do_not_matter_A16(const acre_algorithm *a)
{
    test_skip_flags(a, ACRE_REFERENCE);
    patient p = patient_make(a, false);
    char *used = calloc(1, p.size), *scratch = guarded(DAMAGE_SIZE), *kept = malloc(p.size);
    uint64_t seed = acre_test_seed(), whole = behaviour_of_copy(&p, scratch);
    ACRE_CHECK_EQUAL(acre_heap_walk(p.h, mark_used, used), 0);
    memcpy(kept, p.region, p.size);
    for (size_t n = 0; n < acre_test_rounds(15000); n++) {
        size_t i = acre_test_below(&seed, p.size / 4) * 4, k = acre_test_below(&seed, p.size / 4) * 4;
        if (used[i] || used[k])
            continue;
        memcpy(p.region + i, kept + k, 4);
        if (look(&p) == 0)
            ACRE_CHECK(behaviour_of_copy(&p, scratch) == whole, "word %zu from %zu", i, k);
        memcpy(p.region + i, kept + i, 4);
    }
    acre_segment_close(p.s);
    free(used);
    free(kept);
}

/* Noise over all metadata: nothing but an answer is expected. */
static void noise_never_crashes_check_walk_stats(const acre_algorithm *a)
{
    test_skip_flags(a, ACRE_REFERENCE);
    patient p = patient_make(a, false);
    char *kept = malloc(p.size);
    uint64_t seed = acre_test_seed();
    memcpy(kept, p.region, p.size);
    for (size_t n = 0; n < acre_test_rounds(40000); n++) {
        for (uint64_t flips = 1 + acre_test_below(&seed, 6); flips--; )
            p.region[acre_test_below(&seed, n % 2 ? 400 : p.size)] ^=
                (char)(1 << acre_test_below(&seed, 8));
        (void)look(&p);
        if (n % 4 == 0)
            memcpy(p.region, kept, p.size);
    }
    acre_segment_close(p.s);
    free(kept);
}

#define CASES(X, a)                                          \
    X(a, every_metadata_byte_is_checked_or_does_not_matter_A16) \
    X(a, used_payload_is_not_checked)                        \
    X(a, swapped_words_are_found_or_do_not_matter_A16)       \
    X(a, noise_never_crashes_check_walk_stats)

#define ACRE_ALGORITHM(a) CASES(TEST_CASE, a)
#include "alloc/algorithms.def"
#undef ACRE_ALGORITHM
