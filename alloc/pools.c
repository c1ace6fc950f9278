/* SPDX-License-Identifier: MIT */
/* pools.c: methods that segregated_pools and adaptive_pools have in common: laying out the classes,
 * resizing, many blocks at once, giving back.  The picture and the invariants are in pool_heap.h. */
#include "alloc/pool_heap.h"

#include <string.h>

/* ---- classes ---- */

/* Steps of 16, as what stands alone; of 32 above 256.  A node is found in a fifth of the instructions of a
 * block that stands alone, but nodes that are free in a pool serve no other size: classes from 256 to 512
 * make S_min of the bundled traces 0.4 % larger, so adaptive pools, which are the frugal ones, end there. */
static void pool_standard_classes(uint32_t *size, bool adaptive)
{
    uint32_t n = 0, most = adaptive ? 256 : 512;
    for (uint32_t bytes = 16; bytes <= most; bytes += bytes < 256 ? 16 : 32)
        size[n++] = bytes;
    size[n] = 0;
}

/* Frames of a slice so that at least `nodes` fit and what is not nodes is at most `overhead` percent;
 * if no number does (a slice has at most POOL_NODES), the one with the least overhead. */
static uint32_t pool_frames(uint32_t bytes, uint32_t nodes, uint32_t overhead)
{
    uint32_t best = 1, least = UINT32_MAX;
    for (uint32_t frames = 1;; frames++) {
        uint32_t room = frames * POOL_FRAME, n = (room - POOL_UNIT - RB_HEADER) / bytes;
        uint32_t fit = n < POOL_NODES ? n : POOL_NODES, lost = (room - fit * bytes) * 1000 / room;
        if (fit >= nodes && lost <= overhead * 10)
            return frames;
        if (lost < least)
            best = frames, least = lost;
        if (n >= POOL_NODES)
            return best;
    }
}

static void pool_class_init(pool_class *c, uint32_t bytes, uint32_t nodes, uint32_t overhead)
{
    c->slices = (nodes + POOL_NODES - 1) / POOL_NODES;
    uint32_t frames = pool_frames(bytes, (nodes + c->slices - 1) / c->slices, overhead);
    uint32_t fit = (frames * POOL_FRAME - POOL_UNIT - RB_HEADER) / bytes;
    c->bytes = (uint16_t)bytes;
    c->frames = (uint8_t)frames;
    c->nodes = (uint8_t)(fit < POOL_NODES ? fit : POOL_NODES);
    c->reciprocal = (uint32_t)((((uint64_t)1 << 32) + bytes - 1) / bytes);
}

static void pool_classes_init(pools *p, const uint32_t *size, uint32_t nodes, uint32_t overhead)
{
    uint32_t units = 0;
    for (; *size; size++) {
        uint32_t bytes = (*size + POOL_UNIT - 1) & ~(uint32_t)(POOL_UNIT - 1);
        if (bytes == p->largest || bytes > POOL_MOST)
            continue;
        pool_class_init(&p->class[p->classes], bytes, nodes, overhead);
        while (units <= bytes / POOL_UNIT)
            p->class_of[units++] = (uint8_t)p->classes;
        p->classes++;
        p->largest = bytes;
    }
    while (units < sizeof p->class_of) /* no block is ever its */
        p->class_of[units++] = (uint8_t)p->classes;
}

static uint64_t pool_mix(uint64_t sum, uint64_t value)
{
    return pool_mark((uint32_t)(sum ^ value)) + sum * 31 + value;
}

uint64_t acre__pool_checksum(const pools *p)
{
    uint64_t sum = pool_mix(pool_mix(p->adaptive, p->keep), p->flat);
    sum = pool_mix(pool_mix(sum, p->classes), p->largest);
    for (size_t i = 0; i < sizeof p->class_of; i++)
        sum = pool_mix(sum, p->class_of[i]);
    for (uint32_t i = 0; i < ACRE_CLASSES; i++) {
        const pool_class *c = &p->class[i];
        sum = pool_mix(sum, c->reciprocal);
        sum = pool_mix(sum, c->bytes | c->nodes << 16 | (uint64_t)c->frames << 24);
        sum = pool_mix(sum, c->slices);
    }
    return sum;
}

/* Frames of the map's flat part, for a region of this size. */
static uint32_t pool_flat(size_t size)
{
    uint64_t frames = (size / POOL_FRAME + 15) & ~(uint64_t)15;
    return frames < POOL_FLAT ? (uint32_t)frames : POOL_FLAT;
}

void acre__pool_init(acre_region *r, size_t size, const acre_heap_options *o, bool adaptive)
{
    uint32_t standard[ACRE_CLASSES];
    acre__rbtree_best_fit.init(r, size, o);
    uint32_t flat = pool_flat(size);
    pools *p = acre__rbtree_best_fit.alloc(r, sizeof *p + flat, ACRE_ALIGN_MIN);
    if (p != pool_of(r))
        __builtin_trap(); /* the first block of an empty heap of min_size is at POOL_AT */
    memset(p, 0, sizeof *p + flat);
    p->flat = flat;
    for (uint32_t i = 0; i <= ACRE_CLASSES; i++)
        p->class[i].current = POOL_NO_BLOCK;
    pool_standard_classes(standard, adaptive);
    p->adaptive = adaptive;
    p->keep = adaptive ? o->param[2] : UINT32_MAX;
    pool_classes_init(p, o->class_size[0] ? o->class_size : standard, o->param[0], o->param[1]);
    p->taken = (acre__rbtree_best_fit.usable(r, p) + RB_HEADER) / RB_UNIT;
    p->checksum = acre__pool_checksum(p);
}

void acre__pool_classes(const acre_region *r, acre_heap_options *o)
{
    const pools *p = pool_of(r);
    for (uint32_t i = 0; i < ACRE_CLASSES; i++)
        o->class_size[i] = i < p->classes ? p->class[i].bytes : 0;
}

/* ---- one block ---- */

/* j: r, or what is seen to be a region without a journal; kept apart so that neither saves registers
 * for the other. */
ACRE_INLINE void *pool_alloc(acre_region *r, const acre_region *j, size_t size)
{
    pools *p = pool_of(j);
    if (__builtin_expect(size > p->largest, 0))
        return acre__pool_alloc_direct(r, size, ACRE_ALIGN_MIN);
    uint32_t class = p->class_of[(size + POOL_UNIT - 1) / POOL_UNIT];
    void *at = pool_take(j, &p->class[class]);
    return __builtin_expect(at != NULL, 1) ? at : acre__pool_miss(r, size, class);
}

static __attribute__((noinline)) void *pool_alloc_noted(acre_region *r, size_t size)
{
    return pool_alloc(r, r, size);
}

void *acre__pool_alloc(acre_region *r, size_t size, size_t align)
{
    if (__builtin_expect(align > ACRE_ALIGN_MIN, 0))
        return acre__pool_alloc_direct(r, size, align);
    if (r->journal)
        return pool_alloc_noted(r, size);
    return pool_alloc(r, &(acre_region){.base = r->base}, size);
}

ACRE_INLINE int pool_put(acre_region *r, const acre_region *j, pool_place at)
{
    acre_set64(j, &at.block->free, at.block->free | (uint64_t)1 << at.index);
    at.class->free++;
    at.block->left--;
    if (__builtin_expect(at.block->left == 0, 0))
        return acre__pool_turn(r, at.block);
    return 0;
}

ACRE_INLINE int pool_free(acre_region *r, const acre_region *j, void *p)
{
    pool_place at = pool_find(j, p);
    if (__builtin_expect(!at.block, 0))
        return acre__pool_free_direct(r, p);
    if (__builtin_expect(!pool_live(at), 0))
        return ACRE_EINVALID;
    return pool_put(r, j, at);
}

static __attribute__((noinline)) int pool_free_noted(acre_region *r, void *p)
{
    return pool_free(r, r, p);
}

int acre__pool_free(acre_region *r, void *p)
{
    if (r->journal)
        return pool_free_noted(r, p);
    return pool_free(r, &(acre_region){.base = r->base}, p);
}

/* The slice that serves is full, or the class is none.  Nodes hold no links. */
static __attribute__((noinline)) void *pool_take_next(acre_region *r, uint32_t class, size_t size)
{
    const acre_region unnoted = {.base = r->base};
    pool_class *c = &pool_of(r)->class[class];
    if (c->free && acre__pool_refill(&unnoted, c))
        return pool_take(&unnoted, c);
    if (*r->zeroed)
        return r->whole(r, size);
    if (size > pool_of(r)->largest)
        return acre__pool_alloc_direct(r, size, ACRE_ALIGN_MIN);
    return acre__pool_miss(r, size + !size, class);
}

/* What size 0 and all up to POOL_MOST find is a class; behind the largest, one that has no blocks. */
void *acre__pool_take(acre_region *r, size_t size)
{
    const acre_region unnoted = {.base = r->base};
    if (__builtin_expect(size > POOL_MOST, 0))
        return r->whole(r, size);
    pools *p = pool_of(r);
    uint32_t class = p->class_of[(size + POOL_UNIT - 1) / POOL_UNIT];
    void *at = pool_take(&unnoted, &p->class[class]);
    return __builtin_expect(at != NULL, 1) ? at : pool_take_next(r, class, size);
}

int acre__pool_give(acre_region *r, void *p)
{
    const acre_region unnoted = {.base = r->base};
    pool_place at = pool_find(&unnoted, p);
    if (__builtin_expect(!at.block, 0))
        return p ? acre__pool_free_direct(r, p) : 0;
    if (__builtin_expect(!pool_live(at), 0))
        return ACRE_EINVALID;
    return pool_put(r, &unnoted, at);
}

/* Of what stands alone. */
static size_t pool_usable_direct(const acre_region *r, const void *p)
{
    uint32_t units = acre__rb_live(r, p);
    size_t usable = (size_t)units * RB_UNIT - RB_HEADER;
    return units && !acre__pool_reserved(r, p, usable) ? usable : 0;
}

size_t acre__pool_usable(const acre_region *r, const void *p)
{
    pool_place at = pool_find(r, p);
    if (at.block)
        return pool_live(at) ? at.class->bytes : 0;
    return pool_usable_direct(r, p);
}

/* A node keeps its size: what is asked must fit. */
static void *pool_resize_node(void *p, size_t size, acre_resize_command *c)
{
    bool smaller = c->flags & (ACRE_SHRINK | ACRE_TRY_SHRINK);
    c->received = size;
    return (smaller ? c->preferred <= size && size <= c->limit : c->limit <= size) ? p : NULL;
}

void *acre__pool_resize(acre_region *r, void *p, acre_resize_command *c)
{
    pool_place at = pool_find(r, p);
    if (at.block)
        return pool_live(at) ? pool_resize_node(p, at.class->bytes, c) : NULL;
    size_t before = pool_usable_direct(r, p);
    if (!before)
        return NULL;
    void *q = acre__rbtree_best_fit.resize(r, p, c);
    size_t after = q ? rb_usable(q) : before;
    if (after != before) { /* else nothing was noted: a kill in here would not be seen */
        acre__pool_count_direct(r, before, (uint32_t)-1);
        acre__pool_count_direct(r, after, 1);
    }
    return q;
}

/* ---- many blocks ---- */

/* Take up to n free nodes of the block that serves, as one step: one word. */
static size_t pool_take_run(acre_region *r, pool_class *c, size_t n, void **out)
{
    uint32_t taken = 0;
    pool_block *b = (pool_block *)(r->base + c->current);
    uint64_t free = b->free;
    for (; free && taken < n; free &= free - 1)
        out[taken++] = (char *)(b + 1) + (uint64_t)__builtin_ctzll(free) * c->bytes;
    acre_set64(r, &b->free, free);
    c->free -= taken;
    b->left = (b->left + taken) & 0xff;
    return taken;
}

size_t acre__pool_alloc_many(acre_region *r, size_t n, const size_t *sizes, size_t size, void **out)
{
    pools *p = pool_of(r);
    size_t made = 0;
    if (sizes || size > p->largest)
        return 0;
    uint32_t class = p->class_of[(size + POOL_UNIT - 1) / POOL_UNIT];
    pool_class *c = &p->class[class];
    while (made < n) {
        if (!c->free && (n - made < c->nodes / 2u || !acre__pool_block_new(r, class)))
            break;
        if (!((pool_block *)(r->base + c->current))->free)
            acre__pool_refill(r, c);
        made += pool_take_run(r, c, n - made, out + made);
        acre_commit(r);
    }
    return made;
}

/* ---- the heap as a whole ---- */

int acre__pool_grow(acre_region *r, size_t size)
{
    return acre__rbtree_best_fit.grow(r, size);
}

size_t acre__pool_shrink(acre_region *r, size_t size)
{
    return acre__rbtree_best_fit.shrink(r, size);
}

static size_t pool_free_chunks(acre_region *r)
{
    size_t bytes = 0;
    for (uint32_t k = 0; k < POOL_CHUNKS; k++) {
        if (acre__pool_chunk_free(r, k))
            bytes += (size_t)POOL_CHUNK << k;
        acre_commit(r);
    }
    return bytes;
}

size_t acre__pool_free_empty(acre_region *r)
{
    pools *p = pool_of(r);
    size_t bytes = 0;
    for (uint32_t i = 0; i < p->classes; i++)
        for (uint32_t frame; (frame = acre__pool_spare(r, &p->class[i]));) {
            bytes += acre__pool_block_free(r, frame);
            acre_commit(r);
        }
    return bytes + pool_free_chunks(r);
}
