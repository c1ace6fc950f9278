/* SPDX-License-Identifier: MIT */
/* pool_check.c: looking at a heap with pools: walk, statistics, check of P1…P7, and what a recovery
 * derives anew.  Reads nothing outside the region, whatever it holds. */
#include "alloc/pool_heap.h"

#include <string.h>

/* ---- which block of the rb heap is what ---- */

typedef enum pool_kind { POOL_DIRECT, POOL_POOLS, POOL_MAP, POOL_BLOCK, POOL_WRONG } pool_kind;

/* The map's byte of a frame, though the chunk may be anything. */
static uint8_t pool_map_safe(const acre_region *r, uint64_t frame)
{
    const volatile uint8_t *at = pool_map(r, frame);
    return at && (uint64_t)((char *)at - r->base) < r->size ? *at : 0;
}

/* A start's class; 0 of what is none: who looks without the lock may find the byte changed. */
static uint32_t pool_class_at(const acre_region *r, uint32_t frame)
{
    uint32_t class = pool_map_safe(r, frame) - (uint32_t)POOL_START;
    return class < ACRE_CLASSES ? class : 0;
}

/* Does [at, at + bytes) lie in the region? */
static bool pool_inside(const acre_region *r, uint64_t at, uint64_t bytes)
{
    return at <= r->size && bytes <= r->size - at;
}

/* The chunk that is at this offset; POOL_CHUNKS: none. */
static uint32_t pool_chunk_found(const pools *p, uint64_t at)
{
    uint32_t k = 0;
    while (k < POOL_CHUNKS && pool_chunk_at(p, k) != at)
        k++;
    return k;
}

/* A rest of a unit may stick to a block. */
static bool pool_sized(uint64_t total, uint64_t size)
{
    uint64_t least = (size + RB_HEADER + RB_UNIT - 1) / RB_UNIT * RB_UNIT;
    return total >= least && total < least + RB_CRUMB + RB_UNIT;
}

static pool_kind pool_kind_of_block(const acre_region *r, const acre_block *b, uint32_t byte)
{
    const pools *p = pool_of(r);
    uint32_t class = byte - POOL_START;
    if (class >= p->classes || class >= ACRE_CLASSES)
        return POOL_WRONG;
    const pool_class *c = &p->class[class];
    uint64_t slice = (uint64_t)c->frames * POOL_FRAME, size = slice * c->slices - RB_HEADER;
    bool fits = (uint32_t)c->nodes * c->bytes + POOL_UNIT <= slice - RB_HEADER && c->bytes;
    return fits && c->slices && size <= b->size && pool_sized(b->total, size) ? POOL_BLOCK
                                                                              : POOL_WRONG;
}

static pool_kind pool_kind_of(const acre_region *r, const acre_block *b)
{
    const pools *p = pool_of(r);
    if (b->offset == POOL_AT)
        return b->used && pool_sized(b->total, sizeof *p + p->flat) ? POOL_POOLS : POOL_WRONG;
    if (!b->used)
        return POOL_DIRECT;
    uint32_t k = pool_chunk_found(p, b->offset);
    if (k < POOL_CHUNKS)
        return pool_sized(b->total, (uint64_t)POOL_CHUNK << k) ? POOL_MAP : POOL_WRONG;
    uint8_t byte = b->offset % POOL_FRAME ? 0 : pool_map_safe(r, b->offset / POOL_FRAME);
    return byte < POOL_START ? POOL_DIRECT : pool_kind_of_block(r, b, byte);
}

/* ---- walk, statistics ---- */

typedef struct pool_walk {
    const acre_region *r;
    acre_visit *visit;
    void *arg;
} pool_walk;

static int pool_walk_nodes(const pool_walk *w, uint32_t frame, const pool_class *c)
{
    uint64_t size = c->bytes, at = (uint64_t)frame * POOL_FRAME + POOL_UNIT;
    for (uint32_t i = 0; i < c->nodes; i++, at += size) {
        bool used = !(pool_at(w->r, frame)->free >> (i & 63) & 1);
        int e = w->visit(w->arg, &(acre_block){at, size, size, used});
        if (e)
            return e;
    }
    return 0;
}

static int pool_walk_slices(const pool_walk *w, const acre_block *b)
{
    uint32_t frame = (uint32_t)(b->offset / POOL_FRAME);
    const pool_class *c = &pool_of(w->r)->class[pool_class_at(w->r, frame)];
    int e = 0;
    for (uint32_t i = 0; i < c->slices && !e; i++)
        e = pool_walk_nodes(w, frame + i * c->frames, c);
    return e;
}

static int pool_walk_block(void *arg, const acre_block *b)
{
    const pool_walk *w = arg;
    switch (pool_kind_of(w->r, b)) {
    case POOL_DIRECT:
        return w->visit(w->arg, b);
    case POOL_BLOCK:
        return pool_walk_slices(w, b);
    case POOL_WRONG:
        return ACRE_ECORRUPT;
    default:
        return 0;
    }
}

int acre__pool_walk(const acre_region *r, acre_visit *visit, void *arg)
{
    pool_walk w = {r, visit, arg};
    if (r->size < POOL_MIN_SIZE)
        return ACRE_ECORRUPT;
    return acre__rbtree_best_fit.walk(r, pool_walk_block, &w);
}

/* Pools, map, and of pool blocks what is not nodes, is overhead. */
void acre__pool_stats(const acre_region *r, acre_stats *s)
{
    const pools *p = pool_of(r);
    uint64_t nodes = 0;
    acre__rbtree_best_fit.stats(r, s);
    for (uint32_t i = 0; i < ACRE_CLASSES; i++) {
        const pool_class *c = &p->class[i];
        nodes += (uint64_t)c->blocks * c->slices * c->nodes * c->bytes;
        s->free_bytes += (uint64_t)c->free * c->bytes;
    }
    s->overhead += p->taken * POOL_UNIT - nodes;
}

static int pool_zero_block(void *arg, const acre_block *b)
{
    const acre_region *r = arg;
    uint64_t skip = pool_map_safe(r, b->offset / POOL_FRAME) ? 0 : POOL_LINKS;
    if (!b->used && b->size > skip)
        memset(r->base + b->offset + skip, 0, b->size - skip);
    return 0;
}

/* A free node has no links, but a free block of the rb heap may begin in the last frame of a pool
 * block: then only that block is asked. */
void acre__pool_zero_free(acre_region *r)
{
    acre__pool_walk(r, pool_zero_block, r);
}

/* ---- check ---- */

typedef struct pool_found {
    const acre_region *r;
    const char *rule;
    uint64_t at;
    uint64_t taken, starts, behind; /* units; pool blocks; frames behind their starts */
    uint32_t chunks;                /* bit k: chunk k is a used block */
    bool pools;
    pool_class class[ACRE_CLASSES]; /* current: it was met; free, blocks, empty, direct */
    uint64_t sum[ACRE_CLASSES];     /* marks of the blocks that must be listed */
    uint64_t listed[ACRE_CLASSES];  /* and how many they are */
} pool_found;

static int pool_fault(pool_found *f, const char *rule, uint64_t at)
{
    f->rule = rule;
    f->at = at;
    return ACRE_ECORRUPT;
}

static int pool_check_slice(pool_found *f, uint32_t frame, uint32_t class, bool whole)
{
    const pool_block *block = pool_at(f->r, frame);
    const pool_class *c = &pool_of(f->r)->class[class];
    uint32_t count = pool_count(block);
    uint64_t at = (uint64_t)frame * POOL_FRAME;
    bool serves = c->current == at;
    uint32_t left = pool_left(count, c->nodes, pool_of(f->r)->adaptive);
    if (block->free & ~pool_full_mask(c) || block->class != class ||
        block->left != (serves ? c->nodes - count : left))
        return pool_fault(f, "P5", at);
    for (uint32_t i = 1; i < c->frames; i++, f->behind++)
        if (pool_map_safe(f->r, frame + i) != i)
            return pool_fault(f, "P4", at);
    f->starts++;
    f->class[class].free += count;
    f->class[class].current |= serves;
    if (serves || !count)
        return 0;
    f->class[class].empty += whole;
    f->sum[class] += pool_mark(frame);
    f->listed[class]++;
    return 0;
}

static int pool_check_block(pool_found *f, const acre_block *b)
{
    uint32_t first = (uint32_t)(b->offset / POOL_FRAME), class = pool_class_at(f->r, first);
    const pool_class *c = &pool_of(f->r)->class[class];
    bool whole = pool_all_free(f->r, c, first) && !pool_serves_there(c, first);
    int e = 0;
    f->class[class].blocks++;
    for (uint32_t i = 0; i < c->slices && !e; i++) {
        uint32_t frame = first + i * c->frames;
        bool marked = pool_map_safe(f->r, frame) == ((i ? POOL_MORE : POOL_START) | class);
        e = marked ? pool_check_slice(f, frame, class, whole) : pool_fault(f, "P4", b->offset);
    }
    return e;
}

static void pool_found_direct(pool_found *f, const acre_block *b)
{
    const pools *p = pool_of(f->r);
    if (b->used && b->size < p->largest + POOL_UNIT)
        f->class[p->class_of[b->size / POOL_UNIT]].direct++;
}

static int pool_check_each(void *arg, const acre_block *b)
{
    pool_found *f = arg;
    pool_kind kind = pool_kind_of(f->r, b);
    if (kind == POOL_WRONG)
        return pool_fault(f, b->offset == POOL_AT ? "P2" : "P4", b->offset);
    f->taken += kind == POOL_DIRECT ? 0 : b->total / RB_UNIT;
    f->pools |= kind == POOL_POOLS;
    if (kind == POOL_MAP)
        f->chunks |= 1u << pool_chunk_found(pool_of(f->r), b->offset);
    if (kind == POOL_DIRECT)
        pool_found_direct(f, b);
    return kind == POOL_BLOCK ? pool_check_block(f, b) : 0;
}

static int pool_check_chunks(pool_found *f)
{
    const pools *p = pool_of(f->r);
    for (uint32_t k = 0; k < POOL_CHUNKS; k++)
        if ((p->map[k] != 0) != (f->chunks >> k & 1))
            return pool_fault(f, "P3", POOL_AT);
    return 0;
}

static void pool_count_map(const uint8_t *at, uint64_t n, uint64_t *starts, uint64_t *behind)
{
    for (uint64_t i = 0; i < n; i++) {
        *starts += at[i] >= POOL_START;
        *behind += at[i] && at[i] < POOL_START;
    }
}

/* All bytes of the map that are not 0 belong to blocks that were met. */
static int pool_check_map(pool_found *f)
{
    uint64_t starts = 0, behind = 0;
    pool_count_map(pool_of(f->r)->flat_map, pool_of(f->r)->flat, &starts, &behind);
    for (uint32_t k = 0; k < POOL_CHUNKS; k++) {
        uint64_t at = pool_chunk_at(pool_of(f->r), k), n = (uint64_t)POOL_CHUNK << k;
        if (at && pool_inside(f->r, at, n))
            pool_count_map((uint8_t *)f->r->base + at, n, &starts, &behind);
    }
    return starts == f->starts && behind == f->behind ? 0 : pool_fault(f, "P4", POOL_AT);
}

/* A slice that was met.  All starts in the map were. */
static bool pool_is_slice(const pool_found *f, uint32_t frame, uint32_t class)
{
    uint32_t byte = pool_map_safe(f->r, frame);
    return (byte == (POOL_START | class) || byte == (POOL_MORE | class)) &&
           pool_inside(f->r, (uint64_t)frame * POOL_FRAME, sizeof(pool_block));
}

/* The list it belongs to, though who looks without the lock may find the map changed. */
static uint32_t pool_list_due(const pool_found *f, uint32_t frame, uint32_t class)
{
    const pool_class *c = &pool_of(f->r)->class[class];
    uint32_t count = pool_count(pool_at(f->r, frame)), first = frame;
    uint32_t list = pool_list_of(count, c->nodes, pool_of(f->r)->adaptive);
    for (int i = 1; i < POOL_SLICES && pool_map_safe(f->r, first) >= POOL_MORE; i++)
        first -= c->frames;
    uint64_t bytes = (uint64_t)c->slices * c->frames * POOL_FRAME - RB_HEADER;
    if (list != POOL_EMPTY || !pool_inside(f->r, (uint64_t)first * POOL_FRAME, bytes))
        return list;
    bool whole = pool_all_free(f->r, c, first) && !pool_serves_there(c, first);
    return whole ? POOL_EMPTY : POOL_ALONE;
}

static int pool_check_list(pool_found *f, uint32_t class, uint32_t list, uint64_t *sum)
{
    const pools *p = pool_of(f->r);
    for (uint32_t frame = p->class[class].list[list], back = 0; frame;) {
        if (!pool_is_slice(f, frame, class) || !f->listed[class]--)
            return pool_fault(f, "P6", POOL_AT);
        const pool_block *b = pool_at(f->r, frame);
        if (b->back != back || pool_list_due(f, frame, class) != list)
            return pool_fault(f, "P6", (uint64_t)frame * POOL_FRAME);
        *sum += pool_mark(frame);
        back = frame;
        frame = b->next;
    }
    return 0;
}

static int pool_check_class(pool_found *f, uint32_t class)
{
    const pool_class *c = &pool_of(f->r)->class[class], *is = &f->class[class];
    uint64_t sum = 0;
    int e = 0;
    for (uint32_t i = 0; i < POOL_LISTS && !e; i++)
        e = pool_check_list(f, class, i, &sum);
    if (e || sum != f->sum[class] || f->listed[class] ||
        is->current != (c->current != POOL_NO_BLOCK))
        return pool_fault(f, "P6", POOL_AT);
    bool right = c->free == is->free && c->blocks == is->blocks && c->empty == is->empty &&
                 c->direct == is->direct;
    return right ? 0 : pool_fault(f, "P7", POOL_AT);
}

static int pool_check_all(pool_found *f)
{
    const pools *p = pool_of(f->r);
    if (acre__pool_checksum(p) != p->checksum || p->none.free)
        return pool_fault(f, "P2", POOL_AT);
    int e = acre__rbtree_best_fit.walk(f->r, pool_check_each, f);
    if (!e)
        e = f->pools ? pool_check_chunks(f) : pool_fault(f, "P2", POOL_AT);
    if (!e)
        e = pool_check_map(f);
    for (uint32_t i = 0; i < ACRE_CLASSES && !e; i++)
        e = pool_check_class(f, i);
    return !e && f->taken != p->taken ? pool_fault(f, "P7", POOL_AT) : e;
}

int acre__pool_check(const acre_region *r, acre_damage *d)
{
    pool_found f = {.r = r, .rule = "P1"};
    if (r->size < POOL_MIN_SIZE)
        pool_fault(&f, "P1", 0);
    else if (acre__rbtree_best_fit.check(r, d) != 0)
        return ACRE_ECORRUPT;
    else if (pool_check_all(&f) == 0)
        return 0;
    *d = (acre_damage){f.at, f.rule};
    return ACRE_ECORRUPT;
}

/* ---- recovery ---- */

static void pool_recover_class(pool_class *c)
{
    memset(c->list, 0, sizeof c->list);
    c->current = POOL_NO_BLOCK;
    c->free = c->blocks = c->empty = c->direct = 0;
}

static void pool_recover_slice(const acre_region *r, uint32_t frame, uint32_t class)
{
    pool_class *c = &pool_of(r)->class[class];
    pool_at(r, frame)->class = class & 63;
    for (uint32_t i = 1; i < c->frames; i++)
        if (pool_map_safe(r, frame + i) == 0 && pool_map(r, frame + i))
            *pool_map(r, frame + i) = (uint8_t)i;
    c->free += pool_count(pool_at(r, frame));
    acre__pool_enter(r, c, frame);
}

static void pool_recover_block(const acre_region *r, uint32_t first, uint32_t class)
{
    pool_class *c = &pool_of(r)->class[class];
    c->blocks++;
    for (uint32_t i = 0; i < c->slices; i++)
        pool_recover_slice(r, first + i * c->frames, class);
}

/* Of the map only start bytes count. */
static void pool_recover_bytes(uint8_t *at, uint64_t n)
{
    for (uint64_t i = 0; i < n; i++)
        at[i] = at[i] < POOL_START ? 0 : at[i];
}

static void pool_recover_map(const acre_region *r)
{
    pools *p = pool_of(r);
    pool_recover_bytes(p->flat_map, p->flat);
    for (uint32_t k = 0; k < POOL_CHUNKS; k++)
        if (p->map[k])
            pool_recover_bytes((uint8_t *)r->base + pool_chunk_at(p, k), (uint64_t)POOL_CHUNK << k);
}

static int pool_recover_each(void *arg, const acre_block *b)
{
    const acre_region *r = arg;
    pools *p = pool_of(r);
    pool_kind kind = pool_kind_of(r, b);
    if (kind == POOL_WRONG)
        return ACRE_ECORRUPT;
    uint32_t frame = (uint32_t)(b->offset / POOL_FRAME);
    if (kind == POOL_BLOCK)
        pool_recover_block(r, frame, pool_class_at(r, frame));
    if (kind == POOL_DIRECT && b->used)
        acre__pool_count_direct(r, b->size, 1);
    p->taken += kind == POOL_DIRECT ? 0 : b->total / RB_UNIT;
    return 0;
}

static int pool_recover_chunk(void *arg, const acre_block *b)
{
    pool_found *f = arg;
    if (pool_kind_of(f->r, b) == POOL_MAP)
        f->chunks |= 1u << pool_chunk_found(pool_of(f->r), b->offset);
    return 0;
}

/* No kill leaves constants or chunks that are not what they should be. */
static bool pool_recoverable(const acre_region *r)
{
    pool_found f = {.r = r};
    const pools *p = pool_of(r);
    if (r->size < POOL_MIN_SIZE || acre__pool_checksum(p) != p->checksum)
        return false;
    return acre__rbtree_best_fit.walk(r, pool_recover_chunk, &f) == 0 && pool_check_chunks(&f) == 0;
}

/* Stops at what no kill leaves behind; check() will say so. */
void acre__pool_recover(acre_region *r)
{
    pools *p = pool_of(r);
    acre__rbtree_best_fit.recover(r);
    if (!pool_recoverable(r))
        return;
    p->taken = 0;
    for (uint32_t i = 0; i < ACRE_CLASSES; i++)
        pool_recover_class(&p->class[i]);
    pool_recover_map(r);
    acre__rbtree_best_fit.walk(r, pool_recover_each, r);
}
