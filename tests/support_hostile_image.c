/* SPDX-License-Identifier: MIT */
/* support_hostile_image.c: real images, and what a stranger would write into them: offsets that lead outside or
 * in circles, sizes that wrap, words of one place in another, journals of calls that never were. */
#include "tests/support_hostile.h"

#include "alloc/layout.h"
#include "segment/layout.h"

#include <linux/futex.h>
#include <string.h>

uint64_t hostile_random(uint64_t *seed)
{
    uint64_t x = *seed; /* xorshift64* (Vigna 2016) */
    x ^= x >> 12;
    x ^= x << 25;
    x ^= x >> 27;
    *seed = x;
    return x * 0x2545f4914f6cdd1du;
}

static uint64_t hostile_below(uint64_t *seed, uint64_t n)
{
    return n ? hostile_random(seed) % n : 0;
}

/* ---- real ones ---- */

static const struct hostile_kind {
    uint32_t lock, journal, checks, size;
} hostile_kinds[HOSTILE_KINDS] = {
    {ACRE_LOCK_ROBUST, ACRE_JOURNAL_ON, ACRE_CHECKS_STANDARD, 16 << 10},
    {ACRE_LOCK_ROBUST, ACRE_JOURNAL_ON, ACRE_CHECKS_QUARANTINE, 16 << 10},
    {ACRE_LOCK_ROBUST, ACRE_JOURNAL_OFF, ACRE_CHECKS_STANDARD, 16 << 10},
    {ACRE_LOCK_NONE, ACRE_JOURNAL_OFF, ACRE_CHECKS_STANDARD, 16 << 10},
    {ACRE_LOCK_SPIN, ACRE_JOURNAL_ON, ACRE_CHECKS_CANARY, 16 << 10},
    {ACRE_LOCK_NONE, ACRE_JOURNAL_ON, ACRE_CHECKS_NONE, 16 << 10},
    {ACRE_LOCK_ROBUST, ACRE_JOURNAL_ON, ACRE_CHECKS_STANDARD, 32 << 10},
    {ACRE_LOCK_SPIN, ACRE_JOURNAL_OFF, ACRE_CHECKS_QUARANTINE, 32 << 10},
};

/* Blocks of all sizes, until half of the heap is in use, and then every third goes. */
static void hostile_fill(acre_heap *h, size_t size)
{
    enum { BLOCKS = 96 };
    void *p[BLOCKS];
    uint64_t seed = size + 1;
    size_t used = 0;
    for (int i = 0; i < BLOCKS; i++) {
        size_t n = hostile_below(&seed, i % 8 ? 120 : 900);
        p[i] = used < size / 2 ? acre_alloc(h, n) : NULL;
        used += p[i] ? n : 0;
        if (p[i])
            memset(p[i], i, n);
    }
    for (int i = 0; i < BLOCKS; i += 3)
        acre_free(h, p[i]);
}

/* A few, with gaps in the index; a small heap may have no room for all. */
static void hostile_name(acre_segment *s)
{
    static const char *const names[] = {"a", "queue", "a longer name than the others", "b", "c", "d"};
    for (size_t i = 0; i < sizeof names / sizeof *names; i++)
        acre_construct(s, ACRE_TYPE(uint64_t), names[i], i + 1, NULL, NULL);
    acre_construct_unique(s, ACRE_TYPE(double), 3, NULL, NULL);
    acre_destroy(s, NULL, "b");
}

size_t hostile_make(unsigned char *image, const acre_algorithm *a, unsigned kind)
{
    static _Alignas(4096) unsigned char memory[HOSTILE_ROOM];
    const struct hostile_kind *k = &hostile_kinds[kind];
    acre_segment_options o = {
        .size = k->size,
        .algorithm = a,
        .buffer = memory,
        .index = (uint32_t)(kind + ACRE_INDEX_NONE) % 4, /* kind 0: no names; then each index in turn */
        .heap = {.lock = k->lock, .journal = k->journal, .checks = k->checks},
    };
    acre_segment *s;
    if (a->flags & ACRE_REFERENCE)
        return 0;
    memset(memory, 0, sizeof memory);
    if (acre_segment_create(&s, ACRE_BUFFER, NULL, &o) != 0)
        return 0;
    hostile_name(s);
    hostile_fill(acre_segment_heap(s), k->size);
    acre_segment_close(s);
    memcpy(image, memory, k->size);
    return k->size;
}

/* ---- changing them ---- */

void hostile_sign(unsigned char *image)
{
    uint64_t h = 0xcbf29ce484222325u;
    for (size_t i = 0; i < SEGMENT_CONSTANT; i++)
        h = (h ^ image[i]) * 0x100000001b3u;
    memcpy(image + SEGMENT_CONSTANT, &h, sizeof h);
}

/* Where the heap's control is, or 0. */
static size_t hostile_control(const unsigned char *image, size_t size)
{
    uint64_t heap;
    if (size < SEGMENT_HEADER)
        return 0;
    memcpy(&heap, image + offsetof(segment_header, heap), sizeof heap);
    bool right = heap == SEGMENT_HEADER || heap == SEGMENT_HEADER + SEGMENT_DIRECTORY;
    return right && heap + sizeof(acre__heap_control) <= size ? heap : 0;
}

void hostile_unlock(unsigned char *image, size_t size)
{
    size_t control = hostile_control(image, size);
    uint32_t word;
    if (!control)
        return;
    memcpy(&word, image + control, sizeof word);
    word &= ~(uint32_t)FUTEX_TID_MASK;
    memcpy(image + control, &word, sizeof word);
    if (control > SEGMENT_HEADER) /* the objects' */
        memset(image + SEGMENT_HEADER, 0, sizeof(uint32_t));
}

typedef struct hostile_change {
    unsigned char *image;
    size_t size, control;
    uint64_t seed;
} hostile_change;

/* Most often where metadata is: header, control, the region's first KiB. */
static size_t hostile_spot(hostile_change *c, size_t align)
{
    size_t at = 0, span = c->size, control = c->control ? c->control : SEGMENT_HEADER;
    switch (hostile_below(&c->seed, 8)) {
    case 0:
        span = SEGMENT_HEADER;
        break;
    case 1:
        at = control, span = sizeof(acre__heap_control) + 128;
        break;
    case 2:
        at = SEGMENT_HEADER, span = SEGMENT_DIRECTORY;
        break;
    case 3:
    case 4:
        at = control, span = 4096;
        break;
    default:
        break;
    }
    at += hostile_below(&c->seed, span) & ~(align - 1);
    return at + 8 <= c->size ? at : 0;
}

static uint64_t hostile_peek(const hostile_change *c, size_t at, size_t bytes)
{
    uint64_t word = 0;
    memcpy(&word, c->image + at, bytes);
    return word;
}

/* What a stranger would try: ends, beyond ends, other words, in bytes and in the units of links. */
static uint64_t hostile_value(hostile_change *c, uint64_t old, size_t bytes)
{
    static const uint64_t fixed[] = {
        0, 1, ~(uint64_t)0, 0x7fffffff, 0x80000000, (uint64_t)1 << 47, (uint64_t)1 << 63};
    uint64_t r = hostile_random(&c->seed), near = r >> 60, unit = 1u << (r >> 56) % 7;
    switch (r % 10) {
    case 0:
        return fixed[(r >> 8) % (sizeof fixed / sizeof *fixed)];
    case 1:
        return old + near - 8;
    case 2:
        return old ^ (uint64_t)1 << (r >> 8) % (8 * bytes);
    case 3:
        return (c->size + (near - 8) * 16) / unit;
    case 4:
        return hostile_below(&c->seed, c->size) / unit;
    case 5:
        return hostile_below(&c->seed, c->size) & ~(uint64_t)15;
    case 6:
        return hostile_peek(c, hostile_spot(c, 4), bytes);
    case 7:
        return hostile_peek(c, hostile_spot(c, 4), bytes) + near - 8;
    case 8:
        return (uint64_t)0 - hostile_below(&c->seed, c->size);
    default:
        return hostile_random(&c->seed) >> (r >> 8) % 64;
    }
}

static void hostile_word(hostile_change *c)
{
    static const size_t widths[] = {8, 4, 4, 8, 1, 2, 4, 8};
    size_t bytes = widths[hostile_below(&c->seed, 8)], at = hostile_spot(c, bytes);
    uint64_t value = hostile_value(c, hostile_peek(c, at, bytes), bytes);
    memcpy(c->image + at, &value, bytes);
}

/* The same bytes in another place, or two places' bytes exchanged. */
static void hostile_move(hostile_change *c, bool swap)
{
    unsigned char kept[256];
    size_t n = (size_t)8 << hostile_below(&c->seed, 6);
    size_t from = hostile_spot(c, 8), to = hostile_spot(c, 8);
    if (from + n > c->size || to + n > c->size)
        return;
    memcpy(kept, c->image + to, n);
    memmove(c->image + to, c->image + from, n);
    if (swap)
        memcpy(c->image + from, kept, n);
}

/* A call that did not come to its end: words that the journal says to restore, often as they are. */
static void hostile_journal(hostile_change *c)
{
    if (!c->control ||
        c->control + sizeof(acre__heap_control) + 16 * sizeof(acre_journal_entry) > c->size)
        return;
    acre__heap_control *h = (void *)(c->image + c->control);
    h->journal.count = 1 + hostile_below(&c->seed, 5);
    for (uint64_t i = 0; i < h->journal.count && i < h->journal.capacity; i++) {
        size_t at = hostile_spot(c, 8);
        uint64_t old = hostile_peek(c, at, 8), narrow = hostile_below(&c->seed, 8);
        if (hostile_below(&c->seed, 3) == 0)
            old = hostile_value(c, old, 8);
        h->journal.entry[i].where = at - c->control - h->region_start + (narrow < 4 ? narrow : 0);
        h->journal.entry[i].old = old;
    }
}

static size_t hostile_cut(hostile_change *c, size_t room)
{
    size_t n = hostile_below(&c->seed, room + 1);
    if (n > c->size)
        memset(c->image + c->size, 0, n - c->size);
    return n;
}

size_t hostile_mutate(unsigned char *image, size_t size, size_t room, uint64_t seed)
{
    hostile_change c = {image, size, hostile_control(image, size), seed * 2 + 1};
    if (size < SEGMENT_HEADER)
        return size;
    hostile_random(&c.seed);
    for (uint64_t n = 1 + hostile_below(&c.seed, 6) * hostile_below(&c.seed, 2); n--;) {
        uint64_t what = hostile_below(&c.seed, 32);
        if (what < 2)
            hostile_move(&c, what);
        else if (what < 5)
            hostile_journal(&c);
        else
            hostile_word(&c);
    }
    if (hostile_below(&c.seed, 64) == 0)
        size = hostile_cut(&c, room);
    if (size >= SEGMENT_HEADER && hostile_below(&c.seed, 16))
        hostile_sign(image);
    return size;
}
