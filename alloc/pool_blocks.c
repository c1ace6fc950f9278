/* SPDX-License-Identifier: MIT */
/* pool_blocks.c: pool blocks as a whole: their lists, making and giving them back, the map; and the
 * blocks that stand alone («direct»).  The picture and the invariants are in pool_heap.h. */
#include "alloc/pool_heap.h"
#include "sync/bug.h"

#include <string.h>

/* ---- lists: derived ---- */

static void pool_link(const acre_region *r, pool_class *c, uint32_t frame, uint32_t list)
{
    pool_block *b = pool_at(r, frame);
    if (list == POOL_NONE)
        return;
    c->empty += list == POOL_EMPTY;
    b->next = c->list[list] & (POOL_FRAMES - 1);
    b->back = 0;
    if (b->next)
        pool_at(r, b->next)->back = frame & (POOL_FRAMES - 1);
    c->list[list] = frame;
}

static void pool_unlink(const acre_region *r, pool_class *c, uint32_t frame, uint32_t list)
{
    const pool_block *b = pool_at(r, frame);
    if (list == POOL_NONE)
        return;
    c->empty -= list == POOL_EMPTY;
    if (b->next)
        pool_at(r, b->next)->back = b->back;
    if (b->back)
        pool_at(r, b->back)->next = b->next;
    else
        c->list[list] = b->next;
}

/* The first slice of frame's block. */
static uint32_t pool_first(const acre_region *r, const pool_class *c, uint32_t frame)
{
    for (uint32_t i = 1; i < c->slices && *pool_map(r, frame) >= POOL_MORE; i++)
        frame -= c->frames;
    return frame;
}

/* Is frame's block wholly free, and does none of it serve? */
static bool pool_whole(const acre_region *r, const pool_class *c, uint32_t frame)
{
    uint32_t first = pool_first(r, c, frame);
    return !pool_serves_there(c, first) && pool_all_free(r, c, first);
}

/* The list that a slice with this many free nodes, which does not serve, is to be in. */
static uint32_t pool_list_now(const acre_region *r, const pool_class *c, uint32_t frame,
                              uint32_t count)
{
    uint32_t list = pool_list_of(count, c->nodes, pool_of(r)->adaptive);
    bool alone = list == POOL_EMPTY && c->slices > 1 && !pool_whole(r, c, frame);
    return alone ? (uint32_t)POOL_ALONE : list;
}

static void pool_enter(const acre_region *r, pool_class *c, uint32_t frame, uint32_t count)
{
    pool_at(r, frame)->left = pool_left(count, c->nodes, pool_of(r)->adaptive) & 0xff;
    pool_link(r, c, frame, pool_list_now(r, c, frame, count));
}

void acre__pool_enter(const acre_region *r, pool_class *c, uint32_t frame)
{
    pool_enter(r, c, frame, pool_count(pool_at(r, frame)));
}

/* The other slices of a block that is wholly free now, or that has been. */
static void pool_move_others(const acre_region *r, pool_class *c, uint32_t frame, uint32_t from,
                             uint32_t to)
{
    uint32_t other = pool_first(r, c, frame);
    for (uint32_t i = 0; i < c->slices; i++, other += c->frames)
        if (other != frame) {
            pool_unlink(r, c, other, from);
            pool_link(r, c, other, to);
        }
}

/* The slice that serves stays outside the lists until it is full and another is needed: freeing and
 * allocating by turns then moves nothing.  The one before is full. */
static void pool_serve(const acre_region *r, pool_class *c, uint32_t list)
{
    uint32_t frame = c->list[list];
    pool_block *b = pool_at(r, frame);
    if (pool_serving(c))
        pool_at(r, pool_serving(c))->left = 1;
    pool_unlink(r, c, frame, list);
    if (list == POOL_EMPTY && c->slices > 1)
        pool_move_others(r, c, frame, POOL_EMPTY, POOL_ALONE);
    b->left = (c->nodes - pool_count(b)) & 0xff;
    c->current = (uint64_t)frame * POOL_FRAME;
}

/* Another block serves: of those with the fewest free nodes.  False: there is none. */
bool acre__pool_refill(const acre_region *r, pool_class *c)
{
    for (uint32_t i = ACRE_BUG_IS(51) ? 2 : 0; i < POOL_LISTS; i++)
        if (c->list[i]) {
            acre_set64(r, &pool_at(r, c->list[i])->free, pool_at(r, c->list[i])->free); /* begun */
            pool_serve(r, c, i);
            return true;
        }
    return false;
}

/* ---- the map ---- */

/* A start byte is the truth. */
static void pool_map_note(const acre_region *r, uint32_t frame, uint8_t byte)
{
    uint8_t *at = pool_map(r, frame);
    uint32_t *word = (uint32_t *)((uintptr_t)at & ~(uintptr_t)3), value = *word;
    memcpy((char *)&value + (at - (uint8_t *)word), &byte, 1);
    if (ACRE_BUG_IS(50))
        *word = value;
    acre_set32(r, word, value);
}

static void pool_map_mark(const acre_region *r, uint32_t first, const pool_class *c, bool on)
{
    uint32_t class = (uint32_t)(c - pool_of(r)->class);
    for (uint32_t slice = 0; slice < c->slices; slice++, first += c->frames) {
        uint8_t start = (uint8_t)((slice ? POOL_MORE : POOL_START) | class);
        if (ACRE_BUG_IS(55) && slice)
            *pool_map(r, first) = on ? start : 0;
        pool_map_note(r, first, on ? start : 0);
        for (uint32_t i = 1; i + ACRE_BUG_IS(52) < c->frames; i++)
            *pool_map(r, first + i) = on ? (uint8_t)i : 0;
    }
}

static uint64_t pool_units(size_t usable)
{
    return (usable + RB_HEADER) / RB_UNIT;
}

/* See to it that the map has chunk k. */
static bool pool_chunk_new(acre_region *r, uint64_t k)
{
    pools *p = pool_of(r);
    if (p->map[k])
        return true;
    size_t bytes = (size_t)POOL_CHUNK << k;
    void *at = acre__rbtree_best_fit.alloc(r, bytes, ACRE_ALIGN_MIN);
    if (!at)
        return false;
    memset(at, 0, bytes);
    acre_set64(r, &p->map[k], (uint64_t)((char *)at - r->base) - pool_chunk_first(k) + 1);
    p->taken += pool_units(acre__rbtree_best_fit.usable(r, at));
    return true;
}

/* See to it that the map has the bytes of these frames. */
static bool pool_map_cover(acre_region *r, uint32_t frame, uint32_t last)
{
    uint32_t flat = pool_of(r)->flat;
    if (last < flat)
        return true;
    for (uint64_t k = pool_chunk_of(frame < flat ? 0 : frame - flat);
         k <= pool_chunk_of(last - flat); k++)
        if (!pool_chunk_new(r, k))
            return false;
    return true;
}

/* Its first bytes will hold the rb heap's links: a roll back needs them as they are, all zero. */
static void pool_note_chunk(const acre_region *r, uint64_t *at)
{
    for (int i = 0; r->journal && i < 3; i++)
        acre_note(r, &at[i], at[i], 0);
}

bool acre__pool_chunk_free(acre_region *r, uint32_t k)
{
    pools *p = pool_of(r);
    char *at = r->base + pool_chunk_at(p, k);
    size_t bytes = (size_t)POOL_CHUNK << k;
    if (!p->map[k] || at[0] || memcmp(at, at + 1, bytes - 1) != 0)
        return false;
    pool_note_chunk(r, (uint64_t *)(void *)at);
    acre_set64(r, &p->map[k], 0);
    p->taken -= pool_units(acre__rbtree_best_fit.usable(r, at));
    return acre__rbtree_best_fit.free(r, at) == 0;
}

/* ---- pool blocks ---- */

uint32_t acre__pool_block_new(acre_region *r, uint32_t class)
{
    pools *p = pool_of(r);
    pool_class *c = &p->class[class];
    uint32_t frames = c->frames * c->slices;
    char *b = acre__rb_alloc_at(r, (size_t)frames * POOL_FRAME - RB_HEADER, POOL_FRAME);
    if (!b)
        return 0;
    uint32_t first = (uint32_t)((b - r->base) / POOL_FRAME);
    if (!pool_map_cover(r, first, first + frames - 1)) {
        acre__rbtree_best_fit.free(r, b);
        return 0;
    }
    pool_map_mark(r, first, c, true);
    for (uint32_t i = 0; i < c->slices; i++)
        *pool_at(r, first + i * c->frames) =
            (pool_block){.free = pool_full_mask(c), .class = class & 63};
    memset(b + sizeof(pool_block), 0, sizeof(uint64_t)); /* a link that was here; nodes hold none */
    for (uint32_t i = 0; i < c->slices; i++)
        acre__pool_enter(r, c, first + i * c->frames);
    p->taken += pool_units(acre__rbtree_best_fit.usable(r, b));
    c->blocks++;
    c->free += c->nodes * c->slices;
    return first;
}

/* A slice of a block that goes. */
static void pool_slice_free(const acre_region *r, pool_class *c, uint32_t frame, uint32_t list)
{
    pool_block *b = pool_at(r, frame);
    acre_set64(r, &b->free, b->free); /* links will lie over it */
    if (pool_serving(c) == frame)
        c->current = POOL_NO_BLOCK;
    else
        pool_unlink(r, c, frame, list);
}

size_t acre__pool_block_free(acre_region *r, uint32_t first)
{
    pools *p = pool_of(r);
    pool_block *b = pool_at(r, first);
    pool_class *c = &p->class[b->class];
    uint32_t list = pool_serves_there(c, first) ? POOL_ALONE : POOL_EMPTY;
    uint64_t units = pool_units(acre__rbtree_best_fit.usable(r, b));
    for (uint32_t i = 0; i < c->slices; i++)
        pool_slice_free(r, c, first + i * c->frames, list);
    pool_map_mark(r, first, c, false);
    c->blocks--;
    c->free -= c->nodes * c->slices - ACRE_BUG_IS(53);
    p->taken -= units;
    acre__rbtree_best_fit.free(r, b);
    return units * RB_UNIT;
}

/* Is the block with the slice that serves wholly free? */
static bool pool_idle(const acre_region *r, const pool_class *c)
{
    return pool_serving(c) && pool_at(r, pool_serving(c))->left == 0 &&
           (c->slices == 1 || pool_all_free(r, c, pool_first(r, c, pool_serving(c))));
}

uint32_t acre__pool_spare(const acre_region *r, const pool_class *c)
{
    uint32_t frame = c->empty ? c->list[POOL_EMPTY] : pool_idle(r, c) ? pool_serving(c) : 0;
    return frame ? pool_first(r, c, frame) : 0;
}

/* More blocks are wholly free than the class keeps. */
static bool pool_too_many(const acre_region *r, const pool_class *c)
{
    uint64_t slices = (uint64_t)c->empty + (pool_idle(r, c) ? c->slices : 0);
    return slices > (uint64_t)pool_of(r)->keep * c->slices;
}

/* A node of a slice that was full and does not serve was freed: what turns nearly always are. */
static int pool_turn_first(const acre_region *r, pool_class *c, pool_block *b, uint32_t frame)
{
    b->left = pool_left(1, c->nodes, pool_of(r)->adaptive) & 0xff;
    pool_link(r, c, frame, 0);
    return 0;
}

/* A node of the slice was freed and left is 0: its list turns, or its block is wholly free and may be one
 * too many. */
int acre__pool_turn(acre_region *r, pool_block *b)
{
    pools *p = pool_of(r);
    pool_class *c = &p->class[b->class];
    uint32_t frame = (uint32_t)((uint64_t)((char *)b - r->base) / POOL_FRAME);
    if ((b->free & (b->free - 1)) == 0 && c->nodes > 1)
        return pool_turn_first(r, c, b, frame);
    uint32_t count = pool_count(b);
    if (pool_serving(c) != frame) {
        pool_unlink(r, c, frame, pool_list_of(count - 1, c->nodes, p->adaptive));
        if (count == c->nodes && c->slices > 1 && pool_whole(r, c, frame) && !ACRE_BUG_IS(56))
            pool_move_others(r, c, frame, POOL_ALONE, POOL_EMPTY);
        pool_enter(r, c, frame, count);
    }
    if (count == c->nodes && pool_too_many(r, c))
        acre__pool_block_free(r, acre__pool_spare(r, c));
    return 0;
}

/* ---- blocks that stand alone ---- */

/* Is p, a used block of the rb heap, pools or a chunk of the map, which are nobody's to free?  Its size
 * tells which chunk it can only be. */
bool acre__pool_reserved(const acre_region *r, const void *p, size_t usable)
{
    uint64_t at = (uint64_t)((const char *)p - r->base);
    uint32_t k = 57 - (uint32_t)__builtin_clzll(usable | POOL_CHUNK);
    return at == POOL_AT || (k < POOL_CHUNKS && at == pool_chunk_at(pool_of(r), k));
}

/* usable is 8 more than a multiple of 16: requests of the class at hand and of the next larger one
 * may get such a block. */
void acre__pool_count_direct(const acre_region *r, size_t usable, uint32_t more)
{
    pools *p = pool_of(r);
    if (usable < p->largest + POOL_UNIT)
        p->class[p->class_of[usable / POOL_UNIT]].direct += more;
}

/* An adaptive heap that is short of memory gives a block back that it kept. */
static bool pool_relieve(acre_region *r)
{
    pools *p = pool_of(r);
    for (uint32_t i = p->classes; p->adaptive && i--;)
        if (acre__pool_spare(r, &p->class[i]))
            return acre__pool_block_free(r, acre__pool_spare(r, &p->class[i])) != 0;
    return false;
}

/* Blocks given back for one request, at most: each slice is noted. */
static int pool_relief(const pools *p)
{
    return p->classes ? 8 / (int)p->class[0].slices : 0;
}

void *acre__pool_alloc_direct(acre_region *r, size_t size, size_t align)
{
    void *p = acre__rbtree_best_fit.alloc(r, size, align);
    for (int i = pool_relief(pool_of(r)); !p && i && pool_relieve(r); i--)
        p = acre__rbtree_best_fit.alloc(r, size, align);
    if (p)
        acre__pool_count_direct(r, rb_usable(p), 1);
    return p;
}

int acre__pool_free_direct(acre_region *r, void *p)
{
    uint32_t units = acre__rb_live(r, p);
    size_t usable = (size_t)units * RB_UNIT - RB_HEADER;
    if (!units || acre__pool_reserved(r, p, usable))
        return ACRE_EINVALID;
    acre__rb_release(r, p, units);
    acre__pool_count_direct(r, usable, (uint32_t)-1);
    return 0;
}

/* The class was asked for often, and a pool block of it would be a small part of the heap. */
static bool pool_busy(const acre_region *r, uint32_t class)
{
    pools *p = pool_of(r);
    const pool_class *c = &p->class[class];
    if (p->asked[class] < POOL_OFTEN)
        return p->asked[class]++, false;
    return (uint64_t)c->frames * c->slices * POOL_FRAME * POOL_PART <= acre__rb_high_water(r);
}

/* Enough nodes of this class, or of one that shares its direct blocks, stand alone. */
static bool pool_earned(const acre_region *r, uint32_t class)
{
    const pool_class *c = &pool_of(r)->class[class];
    uint32_t alone = c->direct + (class ? c[-1].direct : 0);
    return c->blocks || alone >= 4u * c->nodes * c->slices || pool_busy(r, class);
}

/* A node of the class, whichever block it is in. */
static void *pool_take_any(acre_region *r, pool_class *c)
{
    return c->free ? pool_take(r, c) ?: (acre__pool_refill(r, c), pool_take(r, c)) : NULL;
}

/* The block that serves is full: another one, a new one, a block that stands alone, a node of a larger
 * class. */
void *acre__pool_miss(acre_region *r, size_t size, uint32_t class)
{
    pools *p = pool_of(r);
    pool_class *c = &p->class[class];
    if (c->free || (pool_earned(r, class) && acre__pool_block_new(r, class)))
        return pool_take_any(r, c);
    void *at = acre__pool_alloc_direct(r, size, ACRE_ALIGN_MIN);
    while (!at && ++class < p->classes)
        at = pool_take_any(r, &p->class[class]);
    return at;
}
