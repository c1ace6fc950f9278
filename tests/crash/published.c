/* SPDX-License-Identifier: MIT */
#include "tests/crash/published.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

enum { PUBLISHED_BLOCKS = 4096, PUBLISHED_BATCH = 4, PUBLISHED_ROW = 40 };

/* ---- opening ---- */

/* In the segment: n, then n words of each kind. */
static size_t published_bytes(size_t n)
{
    return sizeof(uint64_t) + n * (sizeof(acre_off) + sizeof(uint64_t) + sizeof(uint32_t));
}

int published_find(published *p, acre_segment *s)
{
    uint64_t *table = acre_segment_address(s, *acre_segment_root(s));
    if (!table || *table > PUBLISHED_BLOCKS)
        return ACRE_ECORRUPT;
    *p = (published){.s = s, .h = acre_segment_heap(s), .n = *table, .block = table + 1};
    p->filled = p->block + p->n;
    p->taken = (volatile uint32_t *)(p->filled + p->n);
    return 0;
}

int published_create_as(published *p, enum acre_source source, const char *name,
                        const published_plan *plan)
{
    acre_segment_options o = {.size = plan->size,
                              .capacity = plan->capacity,
                              .algorithm = plan->algorithm,
                              .heap = plan->heap};
    acre_segment *s;
    int e = acre_segment_create(&s, source, name, &o);
    if (e)
        return e;
    uint64_t *table = acre_calloc(acre_segment_heap(s), 1, published_bytes(plan->slots));
    if (table)
        *table = plan->slots;
    *acre_segment_root(s) = acre_segment_offset(s, table);
    return published_find(p, s);
}

int published_create(published *p, enum acre_source source, const char *name,
                     const acre_algorithm *a, const acre_heap_options *heap)
{
    published_plan plan = {PUBLISHED_LEAST, PUBLISHED_MOST, PUBLISHED_SLOTS, a, *heap};
    return published_create_as(p, source, name, &plan);
}

int published_open(published *p, enum acre_source source, const char *name)
{
    acre_segment *s;
    int e = acre_segment_open(&s, source, name, NULL);
    return e ? e : published_find(p, s);
}

void published_close(published *p)
{
    acre_segment_close(p->s);
}

/* ---- patterns ---- */

static unsigned char published_byte(size_t slot, size_t i)
{
    return (unsigned char)((slot * 0x9e3779b97f4a7c15u >> 32) + i * 151 + (i >> 8));
}

void published_fill(published *p, size_t slot, size_t size)
{
    unsigned char *at = acre_segment_address(p->s, p->block[slot]);
    for (size_t i = 0; i < size; i++)
        at[i] = published_byte(slot, i);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    p->filled[slot] = size;
}

static bool published_right(const published *p, size_t slot)
{
    const unsigned char *at = acre_segment_address(p->s, p->block[slot]);
    for (size_t i = 0; i < p->filled[slot]; i++)
        if (at[i] != published_byte(slot, i))
            return false;
    return true;
}

/* ---- turns ---- */

/* Room may be short: that is no error. */
static const char *published_went(int e, const char *what)
{
    return e == 0 || e == ENOMEM ? NULL : what;
}

static size_t published_size(uint64_t *seed)
{
    return 1 + crash_below(seed, crash_below(seed, 16) ? 300 : 3000);
}

const char *published_put(published *p, size_t slot, size_t size)
{
    p->filled[slot] = 0;
    int e = acre_alloc_into(p->h, &p->block[slot], size);
    if (e == 0)
        published_fill(p, slot, size);
    return published_went(e, "acre_alloc_into()");
}

/* The empty slots in a row. */
static size_t published_row(const published *p, size_t slot, size_t most)
{
    size_t n = 0;
    while (n < most && n < PUBLISHED_BATCH && !p->block[slot + n])
        n++;
    return n;
}

static const char *published_put_many(published *p, uint64_t *seed, size_t slot, size_t most)
{
    size_t n = published_row(p, slot, most), size[PUBLISHED_BATCH];
    for (size_t i = 0; i < n; i++) {
        size[i] = published_size(seed);
        p->filled[slot + i] = 0;
    }
    int e = acre_alloc_many_into(p->h, n, size, 0, &p->block[slot]);
    for (size_t i = 0; i < n && e == 0; i++)
        published_fill(p, slot + i, size[i]);
    return published_went(e, "acre_alloc_many_into()");
}

const char *published_drop(published *p, size_t slot)
{
    int e = acre_free_from(p->h, &p->block[slot]);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    if (e == 0)
        p->filled[slot] = 0;
    return e == 0 ? NULL : "acre_free_from()";
}

/* The start stays, so the slot does. */
static const char *published_resize(published *p, uint64_t *seed, size_t slot)
{
    volatile uint64_t *filled = &p->filled[slot];
    void *at = acre_segment_address(p->s, p->block[slot]);
    size_t had = acre_usable_size(p->h, at), wish = 1 + crash_below(seed, had * 2);
    acre_resize_command c = {.flags = ACRE_FORWARDS, .limit = wish, .preferred = wish};
    if (wish <= had) {
        c = (acre_resize_command){.flags = ACRE_SHRINK, .limit = had, .preferred = wish};
        *filled = *filled < wish ? *filled : wish;
        __atomic_signal_fence(__ATOMIC_SEQ_CST);
    }
    (void)acre_resize(p->h, at, &c, NULL);
    return had ? NULL : "acre_usable_size()";
}

static const char *published_segment(published *p, uint64_t *seed)
{
    size_t size = PUBLISHED_LEAST + crash_below(seed, PUBLISHED_MOST - PUBLISHED_LEAST + 1);
    int e = crash_below(seed, 2) ? acre_segment_grow(p->s, size) : acre_segment_shrink(p->s, size);
    return e == 0 || e == ENOTSUP ? NULL : "acre_segment_grow() or _shrink()";
}

/* Blocks in hand for a moment: what a kill may lose. */
static const char *published_hold(published *p, uint64_t *seed)
{
    void *held[PUBLISHED_HELD] = {0}, **many = held + PUBLISHED_HELD - 3;
    for (void **at = held; at < many; at++)
        *at = crash_below(seed, 2) ? acre_alloc(p->h, published_size(seed))
                                   : acre_alloc_aligned(p->h, published_size(seed),
                                                        (size_t)16 << crash_below(seed, 6));
    void *moved = acre_realloc(p->h, held[0], published_size(seed));
    held[0] = moved ? moved : held[0];
    acre_resize_command c = {.flags = ACRE_BACKWARDS, .limit = 100, .preferred = 400};
    moved = held[1] ? acre_resize(p->h, held[1], &c, NULL) : NULL;
    held[1] = moved ? moved : held[1];
    if (acre_alloc_many(p->h, 2, NULL, published_size(seed), many) != 0)
        many[0] = many[1] = NULL;
    return acre_free_many(p->h, PUBLISHED_HELD, held) == 0 ? NULL : "acre_free_many()";
}

const char *published_turn(published *p, uint64_t *seed, enum published_mix mix, size_t first,
                           size_t n)
{
    size_t i = crash_below(seed, n), slot = first + i;
    uint64_t what = crash_below(seed, 100);
    if (what >= 97 && mix != PUBLISHED_FIXED)
        return published_segment(p, seed);
    if (mix == PUBLISHED_PLAIN && what >= 60)
        return published_hold(p, seed);
    if (!p->block[slot])
        return what < 20 ? published_put_many(p, seed, slot, n - i)
                         : published_put(p, slot, published_size(seed));
    return what < 20 ? published_resize(p, seed, slot) : published_drop(p, slot);
}

/* ---- turns on slots of all ---- */

static bool published_seize(published *p, size_t slot, uint32_t who)
{
    uint32_t nobody = 0;
    return __atomic_compare_exchange_n(&p->taken[slot], &nobody, who, false, __ATOMIC_SEQ_CST,
                                       __ATOMIC_SEQ_CST);
}

static void published_leave(published *p, size_t slot)
{
    __atomic_store_n(&p->taken[slot], 0, __ATOMIC_SEQ_CST);
}

/* What a record says of its slots is done by whoever enters the heap. */
void published_inherit(published *p, uint32_t who)
{
    (void)acre_heap_free_memory(p->h);
    for (size_t i = 0; i < p->n; i++)
        if (p->taken[i] == who)
            published_leave(p, i);
}

static void *published_take(published *p, size_t slot)
{
    void *at = acre_segment_address(p->s, p->block[slot]);
    p->filled[slot] = 0;
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    p->block[slot] = 0;
    return at;
}

/* Out of its slot, moved, and back. */
static const char *published_move(published *p, size_t slot, size_t size)
{
    void *at = published_take(p, slot), *moved = acre_realloc(p->h, at, size);
    p->block[slot] = acre_segment_offset(p->s, moved ? moved : at);
    if (moved)
        published_fill(p, slot, size);
    return NULL;
}

static const char *published_throw(published *p, size_t slot)
{
    return acre_free(p->h, published_take(p, slot)) == 0 ? NULL : "acre_free()";
}

static const char *published_one(published *p, enum published_mix mix, size_t slot, size_t size,
                                 bool fill, bool plain)
{
    if (!p->block[slot])
        return fill ? published_put(p, slot, size) : NULL;
    if (mix == PUBLISHED_PLAIN && plain)
        return fill ? published_move(p, slot, size) : published_throw(p, slot);
    return fill ? NULL : published_drop(p, slot);
}

static size_t published_common_size(uint64_t *seed)
{
    static const size_t common[] = {24, 64, 64, 120};
    return crash_below(seed, 16) ? common[crash_below(seed, 4)] : published_size(seed);
}

const char *published_turn_shared(published *p, uint64_t *seed, enum published_mix mix,
                                  size_t first, size_t n, uint32_t who)
{
    const char *wrong = NULL;
    size_t row = 1 + crash_below(seed, PUBLISHED_ROW), at = first + crash_below(seed, n - row);
    size_t size = published_common_size(seed);
    bool fill = crash_below(seed, 2), plain = crash_below(seed, 2);
    for (size_t i = at; i < at + row && !wrong; i++)
        if (published_seize(p, i, who)) {
            wrong = published_one(p, mix, i, size, fill, plain);
            published_leave(p, i);
        }
    return wrong;
}

/* ---- looking ---- */

typedef struct published_census {
    uint64_t region, end;
    size_t n;
    acre_off used[PUBLISHED_BLOCKS]; /* ascending */
    bool named[PUBLISHED_BLOCKS];
} published_census;

static published_census published_seen;

__attribute__((format(printf, 3, 4))) static void
published_wrong(published_finding *f, enum crash_wrong what, const char *format, ...)
{
    va_list args;
    if (f->wrong)
        return;
    *f = (published_finding){.wrong = true, .what = what};
    va_start(args, format);
    vsnprintf(f->text, sizeof f->text, format, args);
    va_end(args);
}

static int published_visit(void *arg, const acre_block *b)
{
    published_census *seen = arg;
    if (b->offset < seen->end || seen->n == PUBLISHED_BLOCKS)
        return EOVERFLOW;
    seen->end = b->offset + b->size;
    if (b->used)
        seen->used[seen->n++] = seen->region + b->offset;
    return 0;
}

static void published_count(published *p, published_finding *f)
{
    acre_segment_info info;
    acre_damage d = {0};
    acre_segment_info_get(p->s, &info);
    memset(&published_seen, 0, sizeof published_seen);
    published_seen.region = info.region;
    int e = acre_heap_check(p->h, &d);
    if (e)
        published_wrong(f, CRASH_UNSOUND, "%s: %s at %llu", acre_strerror(e), d.rule ? d.rule : "-",
                        (unsigned long long)d.offset);
    else if (acre_heap_walk(p->h, published_visit, &published_seen) != 0)
        published_wrong(f, CRASH_DOUBLED, "blocks overlap, or are not to be walked");
}

/* Strike a live block off the list: it must be there, and nobody else's. */
static bool published_strike(acre_off at)
{
    size_t from = 0, to = published_seen.n;
    while (from < to) {
        size_t middle = (from + to) / 2;
        if (published_seen.used[middle] < at)
            from = middle + 1;
        else
            to = middle;
    }
    bool there = from < published_seen.n && published_seen.used[from] == at;
    if (!there || published_seen.named[from])
        return false;
    return published_seen.named[from] = true;
}

static void published_look_at(published *p, size_t slot, published_finding *f)
{
    acre_off at = p->block[slot];
    if (!at || f->wrong)
        return;
    if (!published_strike(at))
        published_wrong(f, CRASH_DOUBLED, "slot %zu names %llu, which is free or another's", slot,
                        (unsigned long long)at);
    else if (acre_usable_size(p->h, acre_segment_address(p->s, at)) < p->filled[slot])
        published_wrong(f, CRASH_LOST, "the block of slot %zu has lost its end", slot);
    else if (!published_right(p, slot))
        published_wrong(f, CRASH_LOST, "the block of slot %zu has lost its contents", slot);
}

static void published_free_strangers(published *p, published_finding *f)
{
    for (size_t i = 0; i < published_seen.n && !f->wrong; i++) {
        if (published_seen.named[i])
            continue;
        f->strangers++;
        if (acre_free(p->h, acre_segment_address(p->s, published_seen.used[i])) != 0)
            published_wrong(f, CRASH_UNSOUND, "a live block cannot be freed");
    }
}

published_finding published_look(published *p)
{
    published_finding f = {0};
    published_count(p, &f);
    if (!f.wrong && !published_strike(*acre_segment_root(p->s)))
        published_wrong(&f, CRASH_DOUBLED, "the table is free");
    for (size_t i = 0; i < p->n; i++)
        published_look_at(p, i, &f);
    published_free_strangers(p, &f);
    return f;
}

published_finding published_clear(published *p)
{
    published_finding f = {0};
    for (size_t i = 0; i < p->n; i++)
        if (published_drop(p, i))
            published_wrong(&f, CRASH_UNSOUND, "the block of slot %zu cannot be freed", i);
    acre_heap_free_empty(p->h);
    published_count(p, &f);
    if (!f.wrong && published_seen.n != 1)
        published_wrong(&f, CRASH_LOST, "%zu blocks are live, and all were freed",
                        published_seen.n - 1);
    return f;
}
