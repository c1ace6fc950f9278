/* SPDX-License-Identifier: MIT */
/* pool_heap.h: pools of equal nodes inside an rbtree_best_fit heap: what lies in the region, and the
 * ways that nearly all calls go.  Shared by segregated_pools and adaptive_pools; the rest of the
 * machinery is in pool_blocks.c, pool_check.c and pools.c.
 *
 *   base        POOL_AT
 *   +---------+----------+--------+------+--------+------------+--------+----- - - -+
 *   | rb heap | pools    | block  | map  | block  | pool block | large  | top       |
 *   +---------+----------+--------+------+--------+------------+--------+----- - - -+
 *              classes,                            ^ at a multiple of POOL_FRAME from base
 *              constants
 *   pool block (a used block of the rb heap; its 8-byte header ends where the frame begins):
 *   +-----------------+--------------+---------------+--------+--------+- - -+--------+------+
 *   | free: bit i set | next | count | back | class  | node 0 | node 1 |     | node n | rest |
 *   | = node i free   |              |               |        |        |     |        |      |
 *   +-----------------+--------------+---------------+--------+--------+- - -+--------+------+
 *   0                 8              12              16
 *
 * Nodes have no headers.  The map has a byte a frame: POOL_START + class where a pool block starts,
 * the distance to its start in the frames behind, else 0.  It consists of chunks, each twice as large
 * as the one before, which are made when a pool block first lies in their frames and never move, so
 * that usable() can read it while others allocate.  Nothing in users' memory is believed.
 *
 * A class that has few nodes gets none from a pool: they are blocks of the rb heap («direct») until
 * there are `least` of them.  So a size that is rare costs 8 bytes a node and not a pool block.
 *
 * P1  the rb heap is sound (R1…R7, T1…T5)
 * P2  pools lies at POOL_AT in a used block; its constants agree with their checksum
 * P3  each chunk of the map is a used block of its size
 * P4  the map's start bytes are exactly the pool blocks, which are used blocks of their class's size;
 *     the frames behind have their distances, all others 0
 * P5  a pool block's count is the number of its free bits, its class is the map's; no bit is set
 *     from `nodes` up
 * P6  a pool block that `serves` is its class's current, and in no list; another with free nodes is in
 *     exactly one list, its class's for its count; lists are linked both ways
 * P7  free, blocks, direct of each class, and taken, are the numbers they claim to be
 *
 * Killed in the middle.  The truth is the rb heap's heads, the words `free`, the map's start bytes and
 * where its chunks are: noted.  Everything else is derived, and recover() builds it anew.
 */
#ifndef ACRE_ALLOC_POOL_HEAP_H
#define ACRE_ALLOC_POOL_HEAP_H

#include "alloc/rb_inner.h"

enum {
    POOL_FRAME = 1024,
    POOL_START = 0x80,
    POOL_UNIT = ACRE_ALIGN_MIN,
    POOL_MOST = 2048, /* bytes of the largest class; more is direct */
    POOL_NODES = 63,  /* most nodes of a block: they are counted in 6 bits */
    POOL_CHUNK = 64,  /* frames of the map's first chunk */
    POOL_CHUNKS = 20,
    POOL_FRAMES = POOL_CHUNK << (POOL_CHUNKS - 1), /* 32 GiB */
    POOL_EMPTY = 6,                                /* the list of blocks that are wholly free */
    POOL_LISTS = 7,
    POOL_NONE = 0xff
};

typedef struct pool_block {
    uint64_t free;
    uint32_t next : 26, count : 6;             /* next: frame of the block behind in the list */
    uint32_t back : 25, serves : 1, class : 6; /* serves: its class's current */
} pool_block;
_Static_assert(sizeof(pool_block) == POOL_UNIT, "part of the segment format");

typedef struct pool_class {
    uint32_t current;          /* frame of the block that serves, may be full; 0: none */
    uint32_t list[POOL_LISTS]; /* heads */
    uint32_t free;             /* nodes that are free */
    uint32_t blocks;           /* pool blocks */
    uint32_t empty;            /* of these wholly free and in the list */
    uint32_t direct;           /* blocks of the rb heap that a node of this class could be */
    uint32_t reciprocal;       /* constants: 2^24 / size, rounded up */
    uint8_t size;              /* units of a node */
    uint8_t nodes, frames;     /* of a block */
    uint8_t least;             /* direct blocks before there is a pool block */
    uint32_t unused[2];        /* a power of two: found by a shift */
} pool_class;
_Static_assert(sizeof(pool_class) == 64, "part of the segment format");

typedef struct pools {
    uint32_t adaptive; /* constants: 1: fewest free first, empty blocks go back */
    uint32_t keep;     /* wholly free blocks that a class may keep */
    uint32_t classes;
    uint32_t largest;            /* bytes of the largest class */
    uint64_t checksum;           /* of the constants */
    uint64_t taken;              /* units of the rb heap's blocks that pools and map consist of */
    uint32_t chunk[POOL_CHUNKS]; /* unit of each chunk of the map; 0: there is none */
    uint8_t class_of[POOL_MOST / POOL_UNIT + 8]; /* constant; by units */
    pool_class class[ACRE_CLASSES];
} pools;

#define POOL_AT ((uint64_t)RB_START)
_Static_assert(ACRE_CLASSES <= POOL_START / 2 && ACRE_CLASSES <= 64, "a class fits its fields");

#define POOL_REACH ((uint64_t)INT32_MAX * RB_UNIT) /* the rb heap's */
/* The rb heap's own, pools with its header, a smallest block, the end; rounded up to 64. */
#define POOL_MIN_SIZE ((POOL_AT + sizeof(pools) + 3 * RB_UNIT + 63) & ~(uint64_t)63)
/* Words noted in one call, at most: the rb heap's 16 for an aligned block; two chunks of the map, of 6
 * each; the map, the chunks' and the block's return (5); the node; and 8 blocks given back before,
 * of 6 each. */
enum { POOL_JOURNAL = 88, POOL_LINKS = 24 };

ACRE_INLINE pools *pool_of(const acre_region *r)
{
    return (pools *)(r->base + POOL_AT);
}

ACRE_INLINE pool_block *pool_at(const acre_region *r, uint32_t frame)
{
    return (pool_block *)(r->base + (uint64_t)frame * POOL_FRAME);
}

ACRE_INLINE void *pool_node(pool_block *b, uint32_t index, uint32_t size)
{
    return (char *)b + POOL_UNIT + (uint64_t)index * size * POOL_UNIT;
}

ACRE_INLINE uint64_t pool_full_mask(const pool_class *c)
{
    return ((uint64_t)1 << c->nodes) - 1;
}

/* A sum of these over two sets is equal only if the sets are (but for one chance in 2^64). */
ACRE_INLINE uint64_t pool_mark(uint32_t frame)
{
    uint64_t x = (uint64_t)frame * 0x9e3779b97f4a7c15u;
    x = (x ^ x >> 32) * 0xd6e8feb86659fd93u;
    return x ^ x >> 32;
}

/* Where the map has frame's byte; NULL: in no chunk. */
ACRE_INLINE uint8_t *pool_map(const acre_region *r, uint64_t frame)
{
    if (__builtin_expect(frame >= POOL_FRAMES, 0))
        return NULL;
    uint32_t x = (uint32_t)frame + POOL_CHUNK, k = 25 - (uint32_t)__builtin_clz(x);
    uint32_t unit = pool_of(r)->chunk[k];
    if (!unit)
        return NULL;
    return (uint8_t *)r->base + (uint64_t)unit * POOL_UNIT + (x - ((uint32_t)POOL_CHUNK << k));
}

/* The list that a block with this many free nodes belongs to; POOL_NONE: to none. */
ACRE_INLINE uint32_t pool_list_of(uint32_t count, uint32_t nodes, bool adaptive)
{
    if (count == 0)
        return POOL_NONE;
    if (count == nodes)
        return POOL_EMPTY;
    return adaptive ? 31 - (uint32_t)__builtin_clz(count) : 0;
}

/* Is the list another for `count` and count + 1 free nodes? */
ACRE_INLINE bool pool_list_turns(uint32_t count, uint32_t nodes, bool adaptive)
{
    bool turns = (count == 0) | (count + 1 == nodes);
    return adaptive ? turns | (((count + 1) & count) == 0) : turns;
}

/* pool_blocks.c: lists, and blocks as a whole.  Blocks are named by their frames. */
void acre__pool_recount(const acre_region *r, pool_class *c, uint32_t frame, uint32_t count);
void acre__pool_enter(const acre_region *r, pool_class *c, uint32_t frame);
bool acre__pool_refill(const acre_region *r, pool_class *c);
uint32_t acre__pool_block_new(acre_region *r, uint32_t class); /* 0: no room */
size_t acre__pool_block_free(acre_region *r, uint32_t frame);  /* the bytes given back */
bool acre__pool_chunk_free(acre_region *r, uint32_t k);        /* if no block is in its frames */
void acre__pool_surplus(acre_region *r, pool_class *c, uint32_t frame);
uint32_t acre__pool_spare(const acre_region *r, const pool_class *c);
bool acre__pool_reserved(const acre_region *r, const void *p);
void *acre__pool_miss(acre_region *r, size_t size, uint32_t class);
void *acre__pool_alloc_direct(acre_region *r, size_t size, size_t align);
int acre__pool_free_direct(acre_region *r, void *p);
void acre__pool_count_direct(const acre_region *r, size_t usable, uint32_t more);

/* pools.c and pool_check.c: methods. */
void acre__pool_init(acre_region *r, size_t size, const acre_heap_options *o, bool adaptive);
size_t acre__pool_usable(const acre_region *r, const void *p);
void *acre__pool_resize(acre_region *r, void *p, acre_resize_command *c);
int acre__pool_grow(acre_region *r, size_t size);
size_t acre__pool_shrink(acre_region *r, size_t size);
size_t acre__pool_alloc_many(acre_region *r, size_t n, const size_t *sizes, size_t size,
                             void **out);
size_t acre__pool_free_empty(acre_region *r);
void acre__pool_classes(const acre_region *r, acre_heap_options *o);
int acre__pool_check(const acre_region *r, acre_damage *d);
int acre__pool_walk(const acre_region *r, acre_visit *visit, void *arg);
void acre__pool_stats(const acre_region *r, acre_stats *s);
void acre__pool_zero_free(acre_region *r);
void acre__pool_recover(acre_region *r);
uint64_t acre__pool_checksum(const pools *p);

/* ---- one node ---- */

/* Of the block that serves; NULL: it has none. */
ACRE_INLINE void *pool_take(acre_region *r, pool_class *c)
{
    pool_block *b = pool_at(r, c->current);
    uint64_t free = c->current ? b->free : 0;
    if (__builtin_expect(!free, 0))
        return NULL;
    acre_set64(r, &b->free, free & (free - 1));
    b->count--;
    c->free--;
    return pool_node(b, (uint32_t)__builtin_ctzll(free), c->size);
}

ACRE_INLINE void *pool_alloc(acre_region *r, size_t size, size_t align)
{
    pools *p = pool_of(r);
    if (__builtin_expect((size > p->largest) | (align > ACRE_ALIGN_MIN), 0))
        return acre__pool_alloc_direct(r, size, align);
    uint32_t class = p->class_of[(size + POOL_UNIT - 1) / POOL_UNIT];
    void *at = pool_take(r, &p->class[class]);
    return __builtin_expect(at != NULL, 1) ? at : acre__pool_miss(r, size, class);
}

/* Where p points: to a node's start, else into a pool block, else elsewhere. */
typedef struct pool_place {
    pool_block *block;
    pool_class *class;
    uint32_t frame, index;
    bool pooled, node;
} pool_place;

ACRE_INLINE pool_place pool_find(const acre_region *r, const void *p)
{
    uint64_t at = (uint64_t)((const char *)p - r->base), frame = at / POOL_FRAME;
    const uint8_t *map = pool_map(r, frame);
    uint32_t byte = map ? *map : 0;
    if (!byte)
        return (pool_place){.node = false};
    frame -= byte < POOL_START ? byte : 0;
    pool_block *b = pool_at(r, (uint32_t)frame);
    pool_class *c = &pool_of(r)->class[b->class];
    uint64_t d = at - frame * POOL_FRAME - POOL_UNIT; /* wraps if p is in front of the nodes */
    uint64_t index = d / POOL_UNIT * c->reciprocal >> 24;
    bool node = (index * c->size * POOL_UNIT == d) & (index < c->nodes);
    return (pool_place){b, c, (uint32_t)frame, (uint32_t)index, true, node};
}

ACRE_INLINE int pool_free(acre_region *r, void *p, bool adaptive)
{
    pool_place at = pool_find(r, p);
    if (__builtin_expect(!at.node, 0))
        return at.pooled ? ACRE_EINVALID : acre__pool_free_direct(r, p);
    pool_block *b = at.block;
    pool_class *c = at.class;
    uint64_t free = b->free, bit = (uint64_t)1 << at.index;
    if (__builtin_expect((free & bit) != 0, 0))
        return ACRE_EINVALID;
    uint32_t count = b->count;
    bool whole = count + 1 == c->nodes;
    acre_set64(r, &b->free, free | bit);
    c->free++;
    if (b->serves || __builtin_expect(!pool_list_turns(count, c->nodes, adaptive), 1))
        b->count = (count + 1) & POOL_NODES;
    else
        acre__pool_recount(r, c, at.frame, count + 1);
    if (adaptive && __builtin_expect(whole, 0))
        acre__pool_surplus(r, c, at.frame);
    return 0;
}

#endif
