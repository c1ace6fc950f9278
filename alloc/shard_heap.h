/* SPDX-License-Identifier: MIT */
/* shard_heap.h: a heap that each thread has a part of to itself: what lies in the region, and the ways
 * that nearly all calls go.  The rest of the machinery is in shard_*.c.
 *
 *   base      SHARD_AT
 *   +---------+--------+----------+-------+--------+-------+---------+------ - - -+
 *   | rb heap | root   | flat map | shard | slab   | large | shard   | top        |
 *   +---------+--------+----------+-------+--------+-------+---------+------ - - -+
 *
 *   shard: one for each thread that uses the heap, in whichever process
 *   +------+--------------+--------------+---------------------------------------+
 *   | cell | record: what | hints, rings | for each class: count │ word │ entries |
 *   |      | is under way |              |  («magazine»)                          |
 *   +------+--------------+--------------+---------------------------------------+
 *
 *   slab: equal nodes without headers, at a multiple of SHARD_FRAME from base; belongs to one shard
 *   +-------+-------+------+------+---------------------+--------+--------+ - - +------+
 *   | owner | class | ring | list | free │ remote (each  | node 0 | node 1 |     | rest |
 *   |       |       |      |      | 64 nodes a word)     |        |        |     |      |
 *   +-------+-------+------+------+---------------------+--------+--------+ - - +------+
 *
 * The rb heap («the house») has all that is not a node: what is large, over-aligned or rare, and the slabs.
 * It is under the heap's lock and journal.  Nodes are not: a thread holds its shard's cell as long as it
 * lives and so is alone with the shard, and with the words `free` of the shard's slabs.
 *
 *   allocate: the last entry of the magazine; else the lowest bit of the word that serves; else another
 *             word with free nodes, of another slab, of a new slab
 *   free:     an entry more; else, the magazine being full, home: the node's bit in `free` of a slab of
 *             one's own, in `remote` of another's
 *
 * So a node moves by one store or one atomic operation and is at each instruction in one place: a magazine,
 * `free`, `remote`, its user's hands.  There is nothing to repair, however a thread ends.
 *
 * An owner learns of what others freed from its hints: bit i of `hint` says that a slab of ring i has
 * something in `remote`.  The rings part a shard's slabs by their place, so that a hint leads to few.
 *
 * Who ends without giving its shard back, as threads do, leaves a cell that the kernel marks.  Who needs a
 * shard takes one that is free or so marked before it makes another: with all that is in it.
 *
 * X0  a node is in one place
 * S1  the house is sound (R1…R7, T1…T5); root lies at SHARD_AT in a used block, its constants agree with
 *     their checksum
 * S2  each shard and each chunk of the map is a used block of its size
 * S3  the map's start bytes are exactly the slabs, which are used blocks of their class's size; the frames
 *     behind have their distances, all others 0
 * S4  a slab's class is the map's, its owner a shard in whose ring of its place it is, once; rings are
 *     linked both ways; no bit is set from `nodes` up, none in both `free` and `remote`
 * S5  an entry of a magazine is a node of its class, in no other magazine, whose bit is in neither
 * S6  root's direct is the number of blocks of the house that a node of the class could be; taken, the
 *     units of those that are no user's
 *
 * Killed in the middle.  In the house: the journal, as in rbtree_best_fit; noted are the map's start bytes,
 * the rings, shard_at.  Of a shard count, entries, `free`, `remote` are the truth; words that serve and lists
 * are derived, and whoever takes the shard next builds them anew.  Where more than one store belongs
 * together (a user's slot; a hint that must follow) the record tells what was under way, see
 * shard_publish.c and shard_thread.c.
 */
#ifndef ACRE_ALLOC_SHARD_HEAP_H
#define ACRE_ALLOC_SHARD_HEAP_H

#include "alloc/heap.h"
#include "alloc/rb_inner.h"
#include "sync/kinds.h"

enum {
    SHARD_FRAME = 1024,
    SHARD_UNIT = ACRE_ALIGN_MIN,
    SHARD_START = 0x80,
    SHARD_MOST = 1024,       /* bytes of the largest class */
    SHARD_CLASSES = 32,      /* and one more, of what is larger */
    SHARD_TINY = 24 * 1024,  /* a heap below this has none: all blocks are the house's */
    SHARD_SMALL = 64 * 1024, /* and one below this at most */
    SHARD_FEW = 8,           /* so many */
    SHARD_ENTRIES = 24,
    SHARD_WORDS = 4,
    SHARD_RINGS = 64,
    SHARD_SHARDS = 256,
    SHARD_FLAT = 64 * 1024, /* most frames of the map's flat part */
    SHARD_CHUNK = 64, /* frames of the map's first chunk; each further one has twice as many */
    SHARD_CHUNKS = 20,
    SHARD_FRAMES = SHARD_CHUNK << (SHARD_CHUNKS - 1), /* behind the flat part: 32 GiB */
    SHARD_OFTEN = 200, /* direct blocks after which a shard's class gets a slab that is at most */
    SHARD_PART = 512,  /* 1 / SHARD_PART of the region */
    SHARD_MODEST = 4   /* frames of slabs that may be more if there is use for some */
};

typedef struct slab_word {
    uint64_t free;   /* bit i: node i is free; its owner's to change */
    uint64_t remote; /* bit i: node i was freed by another thread; atomic */
} slab_word;

typedef struct slab {
    uint32_t owner; /* number of the shard; constant, as is class */
    uint16_t class;
    uint16_t listed;               /* it is in the list of its class */
    uint32_t ring_next, ring_back; /* frames, 0: none; noted */
    uint32_t next, back;           /* the same in the list of slabs with free nodes; derived */
    uint32_t unused[2];
    slab_word word[];
} slab;
_Static_assert(sizeof(slab) == 32, "part of the segment format");

/* Constants of a class. */
typedef struct shard_kind {
    uint32_t reciprocal; /* 2^32 / bytes, rounded up */
    uint16_t bytes, nodes;
    uint16_t first; /* where node 0 is in a slab */
    uint8_t frames, words;
    uint32_t unused;
} shard_kind;
_Static_assert(sizeof(shard_kind) == 16, "part of the segment format");

/* A class in a shard. */
typedef struct shard_class {
    uint32_t count; /* entries */
    uint32_t list;  /* frame of the first slab with free nodes */
    uint64_t word;  /* offset of the slab_word that serves, may be 0 free; or of root's `none` */
    uint64_t node;  /* offset of its first node */
    uint32_t asked; /* blocks that this owner got from the house, up to SHARD_OFTEN */
    uint32_t entry[SHARD_ENTRIES]; /* nodes, in units from base */
    uint32_t slabs;                /* a hint: how many there are */
} shard_class;
_Static_assert(sizeof(shard_class) == 128, "part of the segment format");

/* What is under way: the kind in the low four bits, above them the node or frame, in units from base. */
enum shard_op { SHARD_IDLE, SHARD_NOTICE, SHARD_SEND, SHARD_SENT, SHARD_INTO, SHARD_FROM };

typedef struct shard {
    acre_cell cell;
    uint8_t unused[64 - sizeof(acre_cell)];
    uint64_t op;
    uint64_t slot; /* of SHARD_INTO and SHARD_FROM: offset in the segment */
    uint32_t number, unused2;
    uint64_t adopted; /* how often it was taken from a dead thread; a statistic */
    uint64_t unused3[4];
    uint64_t hint; /* others write it */
    uint64_t unused4[7];
    uint32_t ring[SHARD_RINGS]; /* frames; noted */
    shard_class class[];
} shard;
_Static_assert(offsetof(shard, class) % 64 == 0, "a magazine is two lines of the cache");

typedef struct shard_root {
    uint64_t checksum; /* of the constants: */
    uint32_t classes, largest, flat, unused;
    uint8_t class_of[SHARD_MOST / SHARD_UNIT + 8]; /* by units */
    shard_kind kind[SHARD_CLASSES + 1];
    slab_word none;               /* constant; no node of it is ever free */
    uint64_t taken;               /* units of the house's blocks that are no user's; noted */
    uint64_t chunk[SHARD_CHUNKS]; /* of the map: offset, 0: there is none; noted */
    uint32_t direct[SHARD_CLASSES + 8];
    uint32_t shard_at[SHARD_SHARDS]; /* in units from base, 0: there is none; noted, once */
    uint32_t unused2[2];
    uint8_t flat_map[];
} shard_root;
_Static_assert(offsetof(shard_root, flat_map) % 16 == 0, "words of the map are aligned");

#define SHARD_AT ((uint64_t)RB_START)
#define SHARD_NONE (SHARD_AT + offsetof(shard_root, none))
#define SHARD_REACH ((uint64_t)INT32_MAX * RB_UNIT)
/* Blocks of the house that are lines of the cache, with their headers: bytes of root's and of a shard's. */
#define SHARD_LINES(bytes) (((bytes) + RB_HEADER + 63) / 64 * 64 - RB_HEADER)
#define SHARD_ROOT_BYTES(flat) SHARD_LINES(sizeof(shard_root) + (flat))
#define SHARD_BYTES(classes)                                                                       \
    SHARD_LINES(64 - SHARD_UNIT + sizeof(shard) + ((classes) + 1) * sizeof(shard_class))
#define SHARD_MIN_SIZE                                                                             \
    ((SHARD_AT + SHARD_ROOT_BYTES(SHARD_UNIT) + SHARD_BYTES(0) + 8 * RB_UNIT + 63) & ~(uint64_t)63)
/* Words noted in one call, at most: the rb heap's 16 for an aligned block; a chunk of the map, 8; the
 * map's byte, the ring (3), a slab's header and words on their end (4 + 4). */
enum { SHARD_JOURNAL = 48, SHARD_LINKS = 24 };

ACRE_INLINE shard_root *shard_root_of(const acre_region *r)
{
    return (shard_root *)(r->base + SHARD_AT);
}

/* Where a shard is in its block: at a line of the cache. */
ACRE_INLINE uint64_t shard_in_block(uint64_t offset)
{
    return (offset + 63) & ~(uint64_t)63;
}

ACRE_INLINE slab *slab_at(const acre_region *r, uint32_t frame)
{
    return (slab *)(r->base + (uint64_t)frame * SHARD_FRAME);
}

ACRE_INLINE uint32_t slab_frame(const acre_region *r, const slab *s)
{
    return (uint32_t)((uint64_t)((const char *)s - r->base) / SHARD_FRAME);
}

ACRE_INLINE uint64_t slab_mask(const shard_kind *k, uint32_t word)
{
    uint32_t n = k->nodes > word * 64 ? k->nodes - word * 64 : 0;
    return n >= 64 ? ~(uint64_t)0 : ((uint64_t)1 << n) - 1;
}

/* NULL: there is none, or what is there cannot be one. */
static inline shard *shard_numbered(const acre_region *r, uint32_t number)
{
    const shard_root *o = shard_root_of(r);
    uint64_t reach = ((const acre_heap *)r)->reach, bytes = SHARD_BYTES(o->classes);
    uint64_t at =
        number < SHARD_SHARDS ? (uint64_t)acre__load(&o->shard_at[number]) * SHARD_UNIT : 0;
    shard *t = (shard *)(r->base + at);
    if (!at || at % 64 || reach < bytes || at > reach - bytes)
        return NULL;
    return t->cell.tag == ACRE__MUTEX && t->number == number ? t : NULL;
}

ACRE_INLINE void *shard_node(const acre_region *r, uint32_t unit)
{
    return r->base + (uint64_t)unit * SHARD_UNIT;
}

/* ---- the map ---- */

ACRE_INLINE uint64_t shard_chunk_of(uint64_t behind)
{
    return (63 ^ (uint64_t)__builtin_clzll(behind + SHARD_CHUNK)) - 6;
}

ACRE_INLINE uint64_t shard_chunk_first(uint64_t k)
{
    return ((uint64_t)SHARD_CHUNK << k) - SHARD_CHUNK;
}

/* Where the map has frame's byte; NULL: nowhere. */
ACRE_INLINE uint8_t *shard_map(const acre_region *r, uint64_t frame)
{
    shard_root *o = shard_root_of(r);
    if (__builtin_expect(frame < o->flat, 1))
        return &o->flat_map[frame];
    uint64_t behind = frame - o->flat, k = behind < SHARD_FRAMES ? shard_chunk_of(behind) : 0;
    uint64_t at = behind < SHARD_FRAMES ? acre__peek(&o->chunk[k]) : 0;
    bool inside = at && at + (SHARD_CHUNK << k) <= ((const acre_heap *)r)->reach;
    return inside ? (uint8_t *)r->base + at + (behind - shard_chunk_first(k)) : NULL;
}

/* ---- nodes ---- */

typedef struct shard_place {
    slab *slab; /* NULL: into none */
    const shard_kind *kind;
    uint32_t index;
    bool start; /* of a node */
} shard_place;

ACRE_INLINE shard_place shard_find(const acre_region *r, const void *p)
{
    uint64_t at = (uint64_t)((const char *)p - r->base), frame = at / SHARD_FRAME;
    const uint8_t *map = shard_map(r, frame);
    uint32_t byte = map ? acre__peek(map) : 0;
    if (__builtin_expect(!byte, 0))
        return (shard_place){.slab = NULL};
    slab *s = (slab *)(r->base + (frame - (byte < SHARD_START ? byte : 0)) * SHARD_FRAME);
    const shard_kind *k = &shard_root_of(r)->kind[s->class % SHARD_CLASSES];
    uint32_t d =
        (uint32_t)((const char *)p - (char *)s) - k->first; /* wraps in front of the nodes */
    uint64_t product = (uint64_t)d * k->reciprocal; /* index, and below the point what is over */
    bool start = (uint32_t)product < k->reciprocal && product >> 32 < k->nodes;
    return (shard_place){s, k, (uint32_t)(product >> 32), start};
}

/* Is it at home? */
ACRE_INLINE bool shard_free_at(shard_place at)
{
    const slab_word *w = &at.slab->word[at.index / 64];
    return (acre__peek(&w->free) | acre__peek(&w->remote)) >> at.index % 64 & 1;
}

/* ---- threads (shard_thread.c) ---- */

/* This thread's shard; NULL: it has none yet, or another heap's was used last. */
ACRE_INLINE shard *shard_leased(const acre_heap *h)
{
    const acre__lease *l = acre__self_here()->lease;
    return __builtin_expect(l->key == h->serial, 1) ? l->place : NULL;
}

shard *acre__shard_lease(acre_heap *h); /* the same, or one that it gets; NULL: none is to be had */
shard *acre__shard_mine(const acre_heap *h);             /* the same, but none is taken */
shard *acre__shard_claim(acre_heap *h, uint32_t number); /* if nobody holds it */
void acre__shard_release(acre_heap *h, shard *t);
void acre__shard_detach(acre_region *r);
void acre__shard_settle(acre_region *r);
shard *acre__shard_new(acre_heap *h); /* in the house; not held */

/* ---- the map (shard_map.c) ---- */

uint8_t acre__shard_map_byte(const acre_region *r,
                             uint64_t frame); /* of any frame; 0 where none is */
void acre__shard_map_set(const acre_region *r, uint32_t frame, const shard_kind *k, uint8_t start);
bool acre__shard_map_cover(acre_region *r, uint32_t first, uint32_t last);

/* ---- slabs (shard_slab.c).  «In the house»: the heap's lock is held. ---- */

bool acre__shard_ready(acre_heap *h, shard *t, uint32_t class);        /* a node is at hand */
void *acre__shard_refill(acre_heap *h, shard *t, uint32_t class);      /* a node, or NULL */
int acre__shard_home(acre_heap *h, shard *t, slab *s, uint32_t index); /* not into a magazine */
void acre__shard_notify(const acre_region *r, const slab *s);
void acre__shard_rebuild(const acre_region *r, shard *t);
size_t acre__shard_drain(acre_heap *h, shard *t); /* in the house: all that is free, back to it */
void acre__shard_collect_all(const acre_region *r, shard *t);
bool acre__slab_sane(const acre_region *r, uint32_t frame, uint32_t owner);
void acre__shard_offer(const acre_region *r, shard *t, slab *s); /* it may have got a free node */

/* ---- blocks of the house (sharded.c), in the house ---- */

void *acre__shard_direct(acre_region *r, size_t size, size_t align);
int acre__shard_free_direct(acre_region *r, void *p);
bool acre__shard_reserved(const acre_region *r, const void *p, size_t usable);

/* ---- more than one store (shard_publish.c) ---- */

void acre__shard_send(acre_heap *h, shard *t, shard_class *c, shard_place at); /* the last entry */
void acre__shard_finish(acre_heap *h, shard *t); /* what a dead thread's record says */

/* ---- methods ---- */

void acre__shard_init(acre_region *r, size_t size, const acre_heap_options *options);
void acre__shard_classes(const acre_region *r, acre_heap_options *o);
bool acre__shard_sound(const acre_region *r);
uint64_t acre__shard_checksum(const shard_root *o);
int acre__shard_check(const acre_region *r, acre_damage *d);
int acre__shard_walk(const acre_region *r, acre_visit *visit, void *arg);
void acre__shard_stats(const acre_region *r, acre_stats *s);
void acre__shard_recover(acre_region *r);
int acre__shard_into(acre_region *r, acre_off *slot, size_t size);
int acre__shard_from(acre_region *r, acre_off *slot);

#endif
