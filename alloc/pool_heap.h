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
 *   +-----------------+------+-------+------+------+--------+--------+- - -+--------+------+
 *   | free: bit i set | left | class | next | back | node 0 | node 1 |     | node n | rest |
 *   | = node i free   |      |       |      |      |        |        |     |        |      |
 *   +-----------------+------+-------+------+------+--------+--------+- - -+--------+------+
 *   0                 8      9                     16
 *
 * Nodes have no headers.  A block of more than 63 nodes is one block of the rb heap with up to four
 * slices, each as in the picture, at equal distances; they come and go together, and serve singly: but for
 * its birth and its end, «pool block» below is a slice.  The map has a byte a frame: where a pool block
 * starts POOL_START + class, or POOL_MORE + class in a further slice; the distance to that in the frames
 * behind; else 0.  For the frames of the region as it was created, 16 MiB of them at most («flat»), it lies
 * behind the classes; for those behind in chunks, each twice as large as the one before, which are made
 * when a pool block first lies in their frames.  None ever moves, so that usable() can read it while
 * others allocate.  Nothing in users' memory is believed.
 *
 * Wholly free is a block if all its slices are; a slice that is, alone, is the last to serve again.
 *
 * A free counts `left` down and has nothing else to do until that is 0: then the block's list turns, or
 * it is wholly free.  What an allocation asks is one word, `free` of its class's current block; a class
 * that has none has `none` there, which is always full.
 *
 * A class that has few nodes gets none from a pool: they are blocks of the rb heap («direct») until
 * there are four times a pool block's, or until they have been asked for so often that a pool block, if it
 * is a small part of the heap, is worth its time.  So a size that is rare costs 8 bytes a node and not a
 * pool block.
 *
 * P1  the rb heap is sound (R1…R7, T1…T5)
 * P2  pools lies at POOL_AT in a used block; its constants agree with their checksum
 * P3  each chunk of the map is a used block of its size
 * P4  the map's start bytes are exactly the pool blocks, which are used blocks of their class's size;
 *     the frames behind have their distances, all others 0
 * P5  a pool block's class is the map's; no bit is set from `nodes` up; its left is pool_left()'s, or,
 *     if it is its class's current, the number of its used nodes
 * P6  a class's current is a pool block of it in no list, or `none`; another block with free nodes is
 *     in exactly one list, its class's for their number, and in POOL_EMPTY exactly if all its slices are
 *     wholly free and none is current; lists are linked both ways
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
    POOL_MORE = 0xc0, /* a slice behind the first */
    POOL_UNIT = ACRE_ALIGN_MIN,
    POOL_MOST = 2048, /* bytes of the largest class; more is direct */
    POOL_NODES = 63,  /* most nodes of a slice */
    POOL_SLICES = 4,
    POOL_FLAT = 16 * 1024, /* most frames of the map's flat part */
    POOL_CHUNK = 64,       /* frames of the map's first chunk */
    POOL_CHUNKS = 20,
    POOL_FRAMES = POOL_CHUNK << (POOL_CHUNKS - 1), /* 32 GiB */
    POOL_ALONE = 5, /* the list of slices that are wholly free, of blocks that are not */
    POOL_EMPTY = 6, /* the list of blocks that are wholly free */
    POOL_LISTS = 7,
    POOL_OFTEN = 1000, /* direct blocks after which a class gets a pool block that is at most */
    POOL_PART = 512,   /* 1 / POOL_PART of what the heap ever had in use */
    POOL_NONE = 0xff
};

typedef struct pool_block {
    uint64_t free;
    uint64_t left : 8, class : 6, next : 25, back : 25; /* next, back: frames, in the list */
} pool_block;
_Static_assert(sizeof(pool_block) == POOL_UNIT, "part of the segment format");

typedef struct pool_class {
    uint64_t current;          /* offset of the block that serves, may be full; or of `none` */
    uint32_t list[POOL_LISTS]; /* heads: frames */
    uint32_t free;             /* nodes that are free */
    uint32_t blocks;           /* of the rb heap, that are pool blocks */
    uint32_t empty;            /* slices in the list of wholly free blocks */
    uint32_t direct;           /* blocks of the rb heap that a node of this class could be */
    uint32_t slices;           /* constants: of a block */
    uint32_t reciprocal;       /* 2^32 / bytes, rounded up */
    uint16_t bytes;            /* of a node */
    uint8_t nodes, frames;     /* of a slice */
} pool_class;                  /* a power of two: found by a shift */
_Static_assert(sizeof(pool_class) == 64, "part of the segment format");

typedef struct pools {
    uint32_t adaptive; /* constants: 1: fewest free first, empty blocks go back */
    uint32_t keep;     /* wholly free blocks that a class may keep */
    uint32_t classes;
    uint32_t largest;  /* bytes of the largest class */
    uint64_t checksum; /* of the constants */
    uint64_t taken;    /* units of the rb heap's blocks that pools and map consist of */
    pool_block none;   /* no node of it is ever free */
    uint64_t
        map[POOL_CHUNKS]; /* of each chunk of the map: 1 + the offset that the byte of the first
                                  frame behind flat would have if the chunk began there; 0: none is */
    uint8_t class_of[POOL_MOST / POOL_UNIT + 8]; /* constant; by units */
    uint32_t flat; /* constant: frames of the map's flat part, a multiple of 16 */
    uint32_t unused[9];
    uint32_t asked[ACRE_CLASSES + 8]; /* direct blocks of the class, ever, up to POOL_OFTEN; a hint */
    pool_class class[ACRE_CLASSES +
                     1]; /* the last one used: of all that is larger, without blocks */
    uint8_t flat_map[];
} pools;
_Static_assert(offsetof(pools, class) % 64 == 0, "a class is a line of the cache");

#define POOL_AT ((uint64_t)RB_START)
_Static_assert(ACRE_CLASSES <= POOL_START / 2 && ACRE_CLASSES <= 64, "a class fits its fields");

#define POOL_REACH ((uint64_t)INT32_MAX * RB_UNIT) /* the rb heap's */
/* The rb heap's own, pools with its header, a smallest block, the end; rounded up to 64. */
#define POOL_MIN_SIZE ((POOL_AT + sizeof(pools) + RB_UNIT + 3 * RB_UNIT + 63) & ~(uint64_t)63)
#define POOL_NO_BLOCK (POOL_AT + offsetof(pools, none))
/* Words noted in one call, at most: the rb heap's 16 for an aligned block; four chunks of the map, of 6
 * each; the map's bytes of four slices; the chunks' and the block's return (5); the node; and 8 slices
 * given back before, of 6 each. */
enum { POOL_JOURNAL = 98, POOL_LINKS = 24 };

ACRE_INLINE pools *pool_of(const acre_region *r)
{
    return (pools *)(r->base + POOL_AT);
}

ACRE_INLINE pool_block *pool_at(const acre_region *r, uint32_t frame)
{
    return (pool_block *)(r->base + (uint64_t)frame * POOL_FRAME);
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

/* The chunk that has the byte of this frame behind the flat part. */
ACRE_INLINE uint64_t pool_chunk_of(uint64_t behind)
{
    return (63 ^ (uint64_t)__builtin_clzll(behind + POOL_CHUNK)) - 6;
}

/* Its first frame behind the flat part. */
ACRE_INLINE uint64_t pool_chunk_first(uint64_t k)
{
    return ((uint64_t)POOL_CHUNK << k) - POOL_CHUNK;
}

/* Where it is; what none is at: no block's payload. */
ACRE_INLINE uint64_t pool_chunk_at(const pools *p, uint64_t k)
{
    uint64_t origin = *(const volatile uint64_t *)&p->map[k];
    return origin ? origin - 1 + pool_chunk_first(k) : 0;
}

/* Where the map has frame's byte; NULL: in no chunk. */
ACRE_INLINE uint8_t *pool_map(const acre_region *r, uint64_t frame)
{
    pools *p = pool_of(r);
    if (__builtin_expect(frame < p->flat, 1))
        return &p->flat_map[frame];
    uint64_t behind = frame - p->flat;
    uint64_t origin = behind < POOL_FRAMES - POOL_FLAT ? p->map[pool_chunk_of(behind)] : 0;
    return origin ? (uint8_t *)((uintptr_t)r->base + (origin + behind - 1)) : NULL; /* a damaged one wraps */
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

/* How many more must be freed until it belongs to another. */
ACRE_INLINE uint32_t pool_left(uint32_t count, uint32_t nodes, bool adaptive)
{
    if (count == 0)
        return 1;
    uint32_t next = adaptive ? 2u << (31 - (uint32_t)__builtin_clz(count)) : nodes;
    return (next < nodes ? next : nodes) - count;
}

/* Free nodes.  Sideways (Warren, Hacker's Delight, 5-1): the oldest x86-64 has no instruction for it, and
 * the compiler's function is a call and a table. */
ACRE_INLINE uint32_t pool_count(const pool_block *b)
{
    uint64_t x = b->free;
    x -= x >> 1 & 0x5555555555555555u;
    x = (x & 0x3333333333333333u) + (x >> 2 & 0x3333333333333333u);
    x = (x + (x >> 4)) & 0x0f0f0f0f0f0f0f0fu;
    return (uint32_t)(x * 0x0101010101010101u >> 56);
}

/* Frame of the slice that serves; 0: there is none. */
ACRE_INLINE uint32_t pool_serving(const pool_class *c)
{
    return c->current == POOL_NO_BLOCK ? 0 : (uint32_t)(c->current / POOL_FRAME);
}

/* Are all slices of the block wholly free, whose first one is at that frame? */
ACRE_INLINE bool pool_all_free(const acre_region *r, const pool_class *c, uint32_t first)
{
    uint64_t used = 0;
    for (uint32_t i = 0; i < c->slices; i++)
        used |= pool_at(r, first + i * c->frames)->free ^ pool_full_mask(c);
    return used == 0;
}

/* Is the slice that serves one of them? */
ACRE_INLINE bool pool_serves_there(const pool_class *c, uint32_t first)
{
    return pool_serving(c) - first < c->slices * c->frames;
}

/* pool_blocks.c: lists, and blocks as a whole.  Slices are named by their frames, blocks by their first
 * slice's. */
int acre__pool_turn(acre_region *r, pool_block *b);
void acre__pool_enter(const acre_region *r, pool_class *c, uint32_t frame);
bool acre__pool_refill(const acre_region *r, pool_class *c);
uint32_t acre__pool_block_new(acre_region *r, uint32_t class); /* 0: no room */
size_t acre__pool_block_free(acre_region *r, uint32_t frame);  /* the bytes given back */
bool acre__pool_chunk_free(acre_region *r, uint32_t k);        /* if no block is in its frames */
uint32_t acre__pool_spare(const acre_region *r, const pool_class *c); /* wholly free; 0: none is */
bool acre__pool_reserved(const acre_region *r, const void *p, size_t usable);
void *acre__pool_miss(acre_region *r, size_t size, uint32_t class);
void *acre__pool_alloc_direct(acre_region *r, size_t size, size_t align);
int acre__pool_free_direct(acre_region *r, void *p);
void acre__pool_count_direct(const acre_region *r, size_t usable, uint32_t more);

/* pools.c and pool_check.c: methods. */
void *acre__pool_take(acre_region *r, size_t size);
int acre__pool_give(acre_region *r, void *p);
void *acre__pool_alloc(acre_region *r, size_t size, size_t align);
int acre__pool_free(acre_region *r, void *p);
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
int acre__pool_class_stats(const acre_region *r, acre_class *class);
void acre__pool_zero_free(acre_region *r);
void acre__pool_recover(acre_region *r);
uint64_t acre__pool_checksum(const pools *p);

/* ---- one node ---- */

/* Of the block that serves; NULL: it has none. */
ACRE_INLINE void *pool_take(const acre_region *r, pool_class *c)
{
    pool_block *b = (pool_block *)(r->base + c->current);
    uint64_t free = b->free;
    if (__builtin_expect(!free, 0))
        return NULL;
    acre_set64(r, &b->free, free & (free - 1));
    b->left++;
    c->free--;
    return (char *)(b + 1) + (uint64_t)__builtin_ctzll(free) * c->bytes;
}

/* Where p points. */
typedef struct pool_place {
    pool_block *block; /* NULL: into no pool block */
    pool_class *class;
    uint64_t index; /* of the node */
    bool start;     /* of which it is the start */
} pool_place;

ACRE_INLINE pool_place pool_find(const acre_region *r, const void *p)
{
    uint64_t at = (uint64_t)((const char *)p - r->base);
    const uint8_t *map = pool_map(r, at / POOL_FRAME);
    uint32_t byte = map ? *map : 0;
    if (__builtin_expect(!byte, 0))
        return (pool_place){.block = NULL};
    uint64_t back = byte < POOL_START ? byte : 0;
    pool_block *b = (pool_block *)(r->base + (at / POOL_FRAME - back) * POOL_FRAME);
    pool_class *c = &pool_of(r)->class[b->class];
    uint32_t d = (uint32_t)((const char *)p - (char *)(b + 1)); /* wraps in front of the nodes */
    uint64_t product = (uint64_t)d * c->reciprocal; /* index, and below the point what is over */
    bool start = (uint32_t)product < c->reciprocal && product >> 32 < c->nodes;
    return (pool_place){b, c, product >> 32, start};
}

/* Is that a live node? */
ACRE_INLINE bool pool_live(pool_place at)
{
    return __builtin_expect(at.start, 1) && !(at.block->free >> (at.index & 63) & 1);
}

#endif
