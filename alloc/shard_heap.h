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
 *   +------+--------------+--------------+----------------------------------------+-------------------+
 *   | cell | record: what | hints, rings | for each class: count │ word │ entries | shelf: large       |
 *   |      | is under way |              |  («magazine»)                          | blocks, by size    |
 *   +------+--------------+--------------+----------------------------------------+-------------------+
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
 * Of the blocks of the house that are larger than every class a thread keeps some that it freed on its
 * shelf, where it finds them again without the lock.  To the house they are used blocks.
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
 * S3  the map's starts are exactly the slabs, which are used blocks of their class's size; the frames
 *     behind have their class and distance, all others 0
 * S4  a slab's class is the map's, its owner a shard in whose ring of its place it is, once; rings are
 *     linked both ways; no bit is set from `nodes` up, none in both `free` and `remote`
 * S5  an entry of a magazine is a node of its class, in no other magazine, whose bit is in neither
 * S6  what stands on a shelf is a used block of the house of that size, in its size's bin, on no other shelf
 * S7  root's direct is the number of blocks of the house that a node of the class could be; taken, the
 *     units of those that are no user's
 *
 * Killed in the middle.  In the house: the journal, as in rbtree_best_fit; noted are the map's starts,
 * the rings, shard_at.  Of a shard counts, entries, shelves, `free`, `remote` are the truth; words that serve
 * and lists are derived, and whoever takes the shard next builds them anew as it needs them.  Where more than one store belongs
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
    SHARD_MOST = 1024,       /* bytes of the largest class */
    SHARD_CLASSES = 32,      /* and one more, of what is larger */
    SHARD_TINY = 24 * 1024,  /* a heap below this has none: all blocks are the house's */
    SHARD_SMALL = 64 * 1024, /* and one below this at most */
    SHARD_FEW = 8,           /* so many */
    SHARD_ENTRIES = 21,
    SHARD_WORDS = 4,
    SHARD_RINGS = 64,
    SHARD_GLANCE = 128, /* slabs that are visited before a new one is made */
    SHARD_TIDY = 8,     /* slabs made from one look at what others have left to the next */
    SHARD_SHARDS = 256,
    SHARD_FLAT = 64 * 1024, /* most frames of the map's flat part */
    SHARD_CHUNK = 64,    /* frames of the map's first chunk; each further one has twice as many */
    SHARD_CHUNK_LOG = 3, /* its units: 2^3 */
    SHARD_CHUNKS = 20,
    SHARD_FRAMES = SHARD_CHUNK << (SHARD_CHUNKS - 1), /* behind the flat part: 32 GiB */
    SHARD_OFTEN = 200, /* direct blocks after which a shard's class gets a slab that is at most */
    SHARD_PART = 512,  /* 1 / SHARD_PART of the region */
    SHARD_MODEST = 4   /* frames of slabs that may be more if there is use for some */
};

/* The shelf: 4 bins for each doubling of the size. */
enum {
    SHELF_LEAST = 64, /* units, with the header: 2^6 */
    SHELF_BINS = 24,  /* so up to 64 KiB */
    SHELF_ROOM = 5,
    SHELF_PART = 64 /* see shelf_affords() */
};

typedef struct slab_word {
    uint64_t free;   /* bit i: node i is free; its owner's to change */
    uint64_t remote; /* bit i: node i was freed by another thread; atomic */
} slab_word;

typedef struct slab {
    uint32_t owner; /* number of the shard; constant, as is class */
    uint16_t class;
    uint16_t listed;               /* it is in the list of its class: the shard's epoch */
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
    uint64_t word;  /* offset of the slab_word that serves, may be 0 free; or of root's `none` */
    uint64_t node;  /* offset of its first node */
    uint32_t count; /* entries */
    uint32_t reciprocal; /* root's constants, where they are needed: on the line of the count */
    uint16_t bytes, nodes, first;
    uint16_t asked; /* blocks that this owner got from the house, up to SHARD_OFTEN */
    uint32_t slabs; /* a hint: how many there are */
    uint32_t list;  /* frame of the first slab with free nodes */
    uint32_t entry[1 + SHARD_ENTRIES]; /* nodes, in units from base: [1] to [count]; [0] is 0 */
} shard_class;
_Static_assert(sizeof(shard_class) == 128, "part of the segment format");

/* A bin of the shelf. */
typedef struct shelf_bin {
    uint16_t count;
    uint16_t units[SHELF_ROOM]; /* of each block, with its header */
    uint32_t unit[SHELF_ROOM];  /* its payload, in units from base */
} shelf_bin;
_Static_assert(sizeof(shelf_bin) == 32, "part of the segment format");

/* What is under way: the kind in the low four bits, above them the node or frame, in units from base. */
enum shard_op {
    SHARD_IDLE,
    SHARD_NOTICE,
    SHARD_SEND,
    SHARD_SENT,
    SHARD_INTO,
    SHARD_FROM,
    SHARD_COLLECT
};

typedef struct shard {
    acre_cell cell;
    uint8_t unused[60 - sizeof(acre_cell)];
    uint32_t number;
    uint64_t op;
    uint64_t slot;    /* of SHARD_INTO and SHARD_FROM: offset in the segment */
    uint64_t adopted; /* how often it was taken from a dead thread; a statistic */
    uint64_t shelved; /* units on the shelf; derived */
    /* Derived.  After a change of owners no slab is listed; the new one visits them as it needs nodes. */
    uint32_t epoch;   /* 1 to UINT16_MAX: slabs that say another one are in no list */
    uint32_t scan;    /* the ring in which slabs have not been visited yet; SHARD_RINGS: all have */
    uint32_t scan_at; /* frame of the last one visited there; 0: none */
    uint32_t made;    /* slabs */
    uint32_t turn;    /* whose turn it is in acre__shard_tidy() */
    uint32_t unused2[3];
    uint64_t hint; /* others write it */
    uint64_t unused3[7];
    uint32_t ring[SHARD_RINGS]; /* frames; noted */
    shard_class class[];
} shard;
_Static_assert(offsetof(shard, class) % 64 == 0, "a magazine is two lines of the cache");
_Static_assert(offsetof(shard, cell.tag) == offsetof(shard_class, count) &&
                   ACRE__MUTEX >= SHARD_ENTRIES,
               "what is no node has no room in a magazine: see shard_push()");

/* Where class i is in a shard: what tables say instead of i. */
#define SHARD_CLASS_AT(i) (offsetof(shard, class) + (i) * sizeof(shard_class))

typedef struct shard_root {
    uint64_t checksum; /* of the constants: */
    uint32_t classes, largest, flat;
    uint32_t bins;                                  /* of a shelf; 0: there is none */
    uint16_t class_of[SHARD_MOST / SHARD_UNIT + 8]; /* by units: SHARD_CLASS_AT */
    shard_kind kind[SHARD_CLASSES + 1];
    slab_word none;               /* constant; no node of it is ever free */
    uint64_t taken;               /* units of the house's blocks that are no user's; noted */
    uint64_t chunk[SHARD_CHUNKS]; /* of the map: offset, 0: there is none; noted */
    uint32_t direct[SHARD_CLASSES + 8];
    uint32_t shard_at[SHARD_SHARDS]; /* in units from base, 0: there is none; noted, once */
    uint32_t unused2[2];
    uint16_t flat_map[];
} shard_root;
_Static_assert(offsetof(shard_root, flat_map) % 4 == 0, "words of the map are aligned");

#define SHARD_AT ((uint64_t)RB_START)
#define SHARD_NONE (SHARD_AT + offsetof(shard_root, none))
#define SHARD_REACH ((uint64_t)INT32_MAX * RB_UNIT)
/* Blocks of the house that are lines of the cache, with their headers: bytes of root's and of a shard's. */
#define SHARD_LINES(bytes) (((bytes) + RB_HEADER + 63) / 64 * 64 - RB_HEADER)
#define SHARD_ROOT_BYTES(flat) SHARD_LINES(sizeof(shard_root) + (flat) * sizeof(uint16_t))
#define SHARD_BYTES(classes, bins)                                                                 \
    SHARD_LINES(64 - SHARD_UNIT + SHARD_CLASS_AT((classes) + 1) + (bins) * sizeof(shelf_bin))
#define SHARD_MIN_SIZE                                                                             \
    ((SHARD_AT + SHARD_ROOT_BYTES(SHARD_UNIT) + SHARD_BYTES(0, 0) + 8 * RB_UNIT + 63) &            \
     ~(uint64_t)63)
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

/* As acre__heap_bytes(); a heap that is just being laid out has no control. */
ACRE_INLINE uint64_t shard_reach(const acre_region *r)
{
    const acre_heap *h = (const acre_heap *)r;
    return h->control ? acre__heap_bytes(h) : h->reach;
}

/* NULL: there is none, or what is there cannot be one. */
static inline shard *shard_numbered(const acre_region *r, uint32_t number)
{
    const shard_root *o = shard_root_of(r);
    uint64_t reach = shard_reach(r), bytes = SHARD_BYTES(o->classes, o->bins);
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

enum { SHARD_DISTANCES = 16 };
#define SHARD_CHUNK_BYTES(k) ((uint64_t)SHARD_CHUNK * sizeof(uint16_t) << (k))
_Static_assert(SHARD_CHUNK_BYTES(0) == RB_UNIT << SHARD_CHUNK_LOG && RB_CRUMB == RB_UNIT,
               "shard_is_chunk()");

ACRE_INLINE uint64_t shard_chunk_of(uint64_t behind)
{
    return (63 ^ (uint64_t)__builtin_clzll(behind + SHARD_CHUNK)) - 6;
}

ACRE_INLINE uint64_t shard_chunk_first(uint64_t k)
{
    return ((uint64_t)SHARD_CHUNK << k) - SHARD_CHUNK;
}

/* Where the map has frame's entry; NULL: nowhere. */
ACRE_INLINE uint16_t *shard_map(const acre_region *r, uint64_t frame)
{
    shard_root *o = shard_root_of(r);
    if (__builtin_expect(frame < o->flat, 1))
        return &o->flat_map[frame];
    uint64_t behind = frame - o->flat, k = behind < SHARD_FRAMES ? shard_chunk_of(behind) : 0;
    uint64_t at = behind < SHARD_FRAMES ? acre__peek(&o->chunk[k]) : 0;
    bool inside = at && at % SHARD_UNIT == 0 && at + SHARD_CHUNK_BYTES(k) <= shard_reach(r);
    return inside ? (uint16_t *)(void *)(r->base + at) + (behind - shard_chunk_first(k)) : NULL;
}

/* root's flat_map[frame], in one instruction.  Of a live block's frame it does not change. */
ACRE_INLINE uint32_t shard_flat_entry(const acre_region *r, uint64_t frame)
{
    return shard_root_of(r)->flat_map[frame];
}

/* An entry: where its class is in a shard, and in the low bits the distance to the slab's start, in frames. */
ACRE_INLINE uint32_t map_distance(uint32_t entry)
{
    return entry & (SHARD_DISTANCES - 1);
}

ACRE_INLINE uint32_t map_class_at(uint32_t entry)
{
    return entry & ~(uint32_t)(SHARD_DISTANCES - 1);
}

ACRE_INLINE bool map_is_start(uint32_t entry)
{
    return entry && !map_distance(entry);
}

/* SHARD_CLASSES or more: there is no such class. */
ACRE_INLINE uint32_t map_class(uint32_t entry)
{
    return (map_class_at(entry) - (uint32_t)SHARD_CLASS_AT(0)) / (uint32_t)sizeof(shard_class);
}

/* ---- nodes ---- */

typedef struct shard_place {
    slab *slab; /* NULL: into none */
    const shard_kind *kind;
    uint32_t class, index;
    bool start; /* of a node */
} shard_place;

ACRE_INLINE shard_place shard_find(const acre_region *r, const void *p)
{
    const shard_root *o = shard_root_of(r);
    uint64_t at = (uint64_t)((const char *)p - r->base), frame = at / SHARD_FRAME;
    const uint16_t *map = shard_map(r, frame);
    uint32_t entry = map ? acre__peek(map) : 0, class = map_class(entry);
    if (class >= o->classes || map_distance(entry) > frame)
        return (shard_place){.slab = NULL};
    slab *s = (slab *)(r->base + (frame - map_distance(entry)) * SHARD_FRAME);
    const shard_kind *k = &o->kind[class];
    uint32_t d =
        (uint32_t)((const char *)p - (char *)s) - k->first; /* wraps in front of the nodes */
    uint64_t product = (uint64_t)d * k->reciprocal; /* index, and below the point what is over */
    bool start = (uint32_t)product < k->reciprocal && product >> 32 < k->nodes;
    return (shard_place){s, k, class, (uint32_t)(product >> 32), start};
}

/* Is it at home? */
ACRE_INLINE bool shard_free_at(shard_place at)
{
    const slab_word *w = &at.slab->word[at.index / 64];
    return (acre__peek(&w->free) | acre__peek(&w->remote)) >> at.index % 64 & 1;
}

/* A word that gets a bit was 0 before, or may be a whole one now: the low bits are set, and no others. */
ACRE_INLINE bool slab_turns(uint64_t old, uint32_t index)
{
    uint64_t now = old | (uint64_t)1 << index % 64;
    return old == 0 || (now & (now + 1)) == 0;
}

/* ---- threads (shard_thread.c) ---- */

/* This thread has a shard of this heap, and no other heap's was used last. */
ACRE_INLINE bool shard_at_hand(const acre_heap *h)
{
    return __builtin_expect(acre__self_here()->lease->key == h->serial, 1);
}

/* Which one it is then. */
ACRE_INLINE shard *shard_here(void)
{
    return acre__self_here()->lease->place;
}

ACRE_INLINE shard *shard_leased(const acre_heap *h)
{
    return shard_at_hand(h) ? shard_here() : NULL;
}

shard *acre__shard_lease(acre_heap *h); /* the same, or one that it gets; NULL: none is to be had */
shard *acre__shard_mine(const acre_heap *h);             /* the same, but none is taken */
shard *acre__shard_claim(acre_heap *h, uint32_t number); /* if nobody holds it */
void acre__shard_release(acre_heap *h, shard *t);
void acre__shard_detach(acre_region *r);
void acre__shard_settle(acre_region *r);
uint32_t *acre__shard_owner(const acre_region *r, uint32_t i);
void acre__shard_inherit(acre_heap *h, uint64_t slot); /* what the dead were doing to it is done */
shard *acre__shard_new(acre_heap *h);                  /* in the house; not held */
void acre__shard_set_constants(shard *t, const shard_root *o);

/* ---- the map (shard_map.c) ---- */

uint16_t acre__shard_map_entry(const acre_region *r,
                               uint64_t frame); /* of any frame; 0 where none is */
void acre__shard_map_set(const acre_region *r, uint32_t frame, const shard_kind *k, uint16_t start);
bool acre__shard_map_cover(acre_region *r, uint32_t first, uint32_t last);

/* ---- slabs (shard_slab.c).  «In the house»: the heap's lock is held. ---- */

bool acre__shard_ready(acre_heap *h, shard *t, uint32_t class);        /* a node is at hand */
void *acre__shard_refill(acre_heap *h, shard *t, uint32_t class);      /* a node, or NULL */
int acre__shard_home(acre_heap *h, shard *t, slab *s, uint32_t index); /* not into a magazine */
int acre__shard_put(acre_heap *h, shard *t, shard_place at, const void *p); /* either */
int acre__shard_came_home(acre_heap *h, shard *t, slab *s); /* a node whose word slab_turns(); 0 */
void acre__shard_notify(const acre_region *r, const slab *s);
void acre__shard_begin(const acre_region *r, shard *t); /* it has a new owner */
size_t acre__shard_drain(acre_heap *h, shard *t); /* in the house: all that is free, back to it */
void acre__shard_tidy(acre_heap *h, shard *t);    /* and some of what those who are gone left */
void acre__shard_collect_all(const acre_region *r, shard *t);
bool acre__slab_sane(const acre_region *r, uint32_t frame, uint32_t owner);
bool acre__shard_collect(const acre_region *r, shard *t, slab *s);
void acre__slab_offer(const acre_region *r, shard *t, slab *s); /* it may have got a free node */

/* ---- blocks of the house (sharded.c), in the house ---- */

void *acre__shard_direct(acre_region *r, size_t size, size_t align);
int acre__shard_free_direct(acre_region *r, void *p);
void acre__shard_release_direct(acre_region *r, void *p, uint32_t units); /* of a live block */
bool acre__shard_taken(const acre_region *r, const void *p, uint32_t units);

/* ---- large blocks at hand (shard_shelf.c) ---- */

/* Units of a block of so many bytes. */
ACRE_INLINE uint64_t shelf_units(size_t size)
{
    return (size + RB_HEADER + RB_UNIT - 1) / RB_UNIT;
}

/* SHELF_BINS or more: no shelf has blocks of so many units. */
ACRE_INLINE uint64_t shelf_bin_of(uint64_t units)
{
    if (units < SHELF_LEAST)
        return UINT64_MAX;
    uint64_t log = 63 ^ (uint64_t)__builtin_clzll(units);
    return (log - 6) * 4 + (units >> (log - 2) & 3);
}

ACRE_INLINE shelf_bin *shelf_of(const acre_region *r, const shard *t)
{
    return (shelf_bin *)(uintptr_t)&t->class[shard_root_of(r)->classes + 1];
}

void *acre__shelf_take(const acre_heap *h, shard *t, size_t size); /* NULL: it has none */
bool acre__shelf_put(const acre_heap *h, shard *t, void *p, uint32_t units);
bool acre__shelf_has(const acre_region *r, const void *p, uint64_t units); /* any shelf */
/* The same, for who may trust that the block says so: quicker. */
bool acre__shelf_knows(const acre_region *r, const void *p, uint64_t units);
void acre__shelf_settle(const acre_region *r, shard *t); /* after a death */
size_t acre__shelf_empty(acre_region *r, shard *t);      /* in the house */

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
int acre__shard_parts(const acre_region *r, acre_part *part);
int acre__shard_class_stats(const acre_region *r, acre_class *c);
void acre__shard_recover(acre_region *r);
int acre__shard_into(acre_region *r, acre_off *slot, size_t size);
int acre__shard_from(acre_region *r, acre_off *slot);

#endif
