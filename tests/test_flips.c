/* SPDX-License-Identifier: MIT */
/* Every bit of a segment that is no user's, flipped: each has a verdict.  Refused, with which error; found by the
 * check; harmless; or unseen: the heap is sound, and says something else.  None crashes or waits: bits are met in
 * a child, whose death is the verdict of the bit at which it died. */
#include "tests/support_heap.h"
#include "tests/support_hostile.h"

#include "alloc/layout.h"
#include "segment/layout.h"

#include <linux/futex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

/* In VERDICT_NAMED the lock's word would name an owner, for whom waiting is right: it is not met. */
enum verdict {
    VERDICT_NONE,
    VERDICT_REFUSED,
    VERDICT_FOUND,
    VERDICT_HARMLESS,
    VERDICT_UNSEEN,
    VERDICT_NAMED,
    VERDICT_CRASH,
    VERDICTS
};

enum { FLIPS_LINKS = 64, FLIPS_BITS = HOSTILE_ROOM * 8, FLIPS_SECONDS = 120 };

typedef struct flips {
    unsigned char image[HOSTILE_ROOM];
    bool payload[HOSTILE_ROOM]; /* what is inside of blocks, but for where a free one's links are */
    size_t size, control;
    hostile_place place;
    uint64_t whole; /* hash of what the image tells */
    /* shared with the child: */
    size_t *now; /* the bit that is met */
    unsigned char *verdict;
    int *error;
} flips;

/* ---- what an image tells ---- */

static void flips_mix(uint64_t *hash, uint64_t value)
{
    *hash = (*hash ^ value) * 0x9e3779b97f4a7c15u;
    *hash ^= *hash >> 29;
}

static int flips_block(void *arg, const acre_block *b)
{
    flips_mix(arg, b->offset);
    flips_mix(arg, b->size << 1 | b->used);
    return 0;
}

/* Blocks, free bytes, the root, what the header says. */
static uint64_t flips_told(acre_segment *s)
{
    uint64_t hash = 1;
    acre_stats stats = {0};
    acre_segment_info info;
    acre_heap *h = acre_segment_heap(s);
    acre_heap_walk(h, flips_block, &hash);
    acre_heap_stats(h, &stats);
    acre_segment_info_get(s, &info);
    flips_mix(&hash, stats.free_bytes);
    flips_mix(&hash, stats.high_water);
    flips_mix(&hash, stats.recoveries);
    flips_mix(&hash, *acre_segment_root(s));
    flips_mix(&hash, info.heap.lock << 8 | info.heap.journal << 4 | info.heap.checks);
    for (int i = 0; i < ACRE_PARAMS; i++)
        flips_mix(&hash, info.heap.param[i]);
    return hash;
}

static enum verdict flips_judge(flips *f, acre_segment **s, int *error)
{
    acre_segment_options o = {.buffer = f->place.room, .size = f->size};
    if ((*error = acre_segment_open(s, ACRE_BUFFER, NULL, &o)) != 0)
        return VERDICT_REFUSED;
    enum verdict v = flips_told(*s) == f->whole ? VERDICT_HARMLESS : VERDICT_UNSEEN;
    if (acre_heap_check(acre_segment_heap(*s), NULL) != 0)
        v = VERDICT_FOUND;
    return v;
}

/* ---- meeting the bits ---- */

static void flips_meet(flips *f, size_t bit)
{
    acre_segment *s = NULL;
    memcpy(f->place.room, f->image, f->size);
    f->place.room[bit / 8] ^= (unsigned char)(1 << bit % 8);
    f->verdict[bit] = (unsigned char)flips_judge(f, &s, &f->error[bit]);
    if (s && f->verdict[bit] != VERDICT_FOUND)
        acre_free(acre_segment_heap(s), acre_alloc(acre_segment_heap(s), 100));
    acre_segment_close(s);
}

static bool flips_names(const flips *f, size_t bit)
{
    return bit / 32 == f->control / 4 && ((uint32_t)1 << bit % 32 & FUTEX_TID_MASK);
}

/* From *now on; a page's bits at a time are given a time limit. */
static void flips_all(void *arg)
{
    flips *f = arg;
    size_t step = acre_test_rounds(4) == 4 ? 1 : 7;
    for (; *f->now < f->size * 8; *f->now += step) {
        size_t bit = *f->now;
        if (bit % 4096 < step)
            alarm(FLIPS_SECONDS);
        if (flips_names(f, bit))
            f->verdict[bit] = VERDICT_NAMED;
        else if (!f->payload[bit / 8])
            flips_meet(f, bit);
    }
}

/* A child for all; another one for the rest when it dies. */
static void flips_run(flips *f)
{
    int status = 1;
    while (*f->now < f->size * 8) {
        pid_t child = acre_test_spawn(flips_all, f);
        ACRE_CHECK_EQUAL(waitpid(child, &status, 0), child);
        if (*f->now < f->size * 8)
            f->verdict[(*f->now)++] = VERDICT_CRASH;
    }
}

/* ---- the image ---- */

typedef struct flips_marker {
    flips *f;
    uint64_t region;
} flips_marker;

static int flips_mark(void *arg, const acre_block *b)
{
    const flips_marker *m = arg;
    uint64_t at = m->region + b->offset, end = at + b->size;
    uint64_t front = b->used ? 0 : FLIPS_LINKS, back = b->used ? 0 : 16;
    for (uint64_t i = at + front; i + back < end; i++)
        m->f->payload[i] = true;
    return 0;
}

static void *flips_shared(size_t bytes)
{
    void *p = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    ACRE_CHECK(p != MAP_FAILED);
    return p;
}

static flips *flips_begin(const acre_algorithm *a, unsigned kind)
{
    flips *f = calloc(1, sizeof *f);
    acre_segment *s;
    acre_segment_info info;
    ACRE_CHECK(f && hostile_place_make(&f->place) == 0);
    ACRE_CHECK((f->size = hostile_make(f->image, a, kind)));
    f->control = ((segment_header *)(void *)f->image)->heap;
    f->now = flips_shared(sizeof *f->now);
    f->verdict = flips_shared(FLIPS_BITS);
    f->error = flips_shared(FLIPS_BITS * sizeof *f->error);
    memcpy(f->place.room, f->image, f->size);
    acre_segment_options o = {.buffer = f->place.room, .size = f->size};
    ACRE_CHECK_EQUAL(acre_segment_open(&s, ACRE_BUFFER, NULL, &o), 0);
    acre_segment_info_get(s, &info);
    acre_heap_walk(acre_segment_heap(s), flips_mark, &(flips_marker){f, info.region});
    f->whole = flips_told(s);
    ACRE_CHECK_EQUAL(acre_segment_close(s), 0);
    return f;
}

static void flips_end(flips *f)
{
    munmap(f->now, sizeof *f->now);
    munmap(f->verdict, FLIPS_BITS);
    munmap(f->error, FLIPS_BITS * sizeof *f->error);
    close(f->place.fd);
    free(f);
}

/* ---- the sums ---- */

static size_t flips_met(const flips *f)
{
    size_t n = 0, step = acre_test_rounds(4) == 4 ? 1 : 7;
    for (size_t bit = 0; bit < f->size * 8; bit += step)
        n += !f->payload[bit / 8] || flips_names(f, bit);
    return n;
}

static void flips_print(const flips *f, const char *name, const size_t n[VERDICTS], size_t all)
{
    fprintf(stderr, "%s: %zu bits: %zu refused", name, all, n[VERDICT_REFUSED]);
#define FLIPS_ERROR(which, code, text)                                                           \
    {                                                                                              \
        size_t same = 0;                                                                           \
        for (size_t bit = 0; bit < f->size * 8; bit++)                                             \
            same += f->verdict[bit] == VERDICT_REFUSED && f->error[bit] == code;                   \
        if (same)                                                                                  \
            fprintf(stderr, ", %zu " #which, same);                                                \
    }
    ACRE_ERRORS(FLIPS_ERROR)
    fprintf(stderr,
            "; %zu found by the check, %zu harmless, %zu unseen, %zu name an owner, %zu crash or "
            "hang\n",
            n[VERDICT_FOUND], n[VERDICT_HARMLESS], n[VERDICT_UNSEEN], n[VERDICT_NAMED],
            n[VERDICT_CRASH]);
}

/* Each error is one of the library's own, so that a person is told what is wrong. */
static void flips_refusals(const flips *f)
{
    for (size_t bit = 0; bit < f->size * 8; bit++)
        if (f->verdict[bit] == VERDICT_REFUSED)
            ACRE_CHECK(f->error[bit] < 0, "bit %zu: %d", bit, f->error[bit]);
}

static void flips_sum(const flips *f, const char *name)
{
    size_t n[VERDICTS] = {0}, all = flips_met(f), sum = 0;
    for (size_t bit = 0; bit < f->size * 8; bit++)
        n[f->verdict[bit]]++;
    for (int v = VERDICT_NONE + 1; v < VERDICTS; v++)
        sum += n[v];
    flips_print(f, name, n, all);
    ACRE_CHECK_EQUAL(sum, all);
    ACRE_CHECK_EQUAL(n[VERDICT_CRASH], 0);
    ACRE_CHECK(n[VERDICT_REFUSED] && n[VERDICT_FOUND] && n[VERDICT_HARMLESS]);
    flips_refusals(f);
}

static void every_bit_has_a_verdict(const acre_algorithm *a)
{
    test_skip_flags(a, ACRE_REFERENCE);
    for (unsigned kind = 0; kind < 2; kind++) { /* plain; with guards and a quarantine */
        flips *f = flips_begin(a, kind);
        flips_run(f);
        flips_sum(f, a->name);
        flips_end(f);
    }
}

#define CASES(X, a) X(a, every_bit_has_a_verdict)

#define ACRE_ALGORITHM(a) CASES(TEST_CASE, a)
#include "alloc/algorithms.def"
#undef ACRE_ALGORITHM
