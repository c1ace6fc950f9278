/* SPDX-License-Identifier: MIT */
/* tlsf_index.h: tlsf's index of large free blocks, for tags.h: two levels of lists.
 *
 * A first level is a power of two of units, a second level one of 2^s equal parts of it; each part has a
 * list, and a bit that says whether it is empty; each first level has a bit that says whether all of its
 * lists are.  So «the first list from here up that is not empty» is two looks at a bitmap.
 *
 *   units  64 … 127                 128 … 255                         s = 2
 *   level  0                        1                             …   24
 *   lists  64  80  96  112          128  160  192  224
 *           │               bits 0001         │          bits 0100    large 11…
 *           ▼                                 ▼
 *          70 ⇄ 64 ⇄ 79                      200
 *
 * L1  second_level is in its range
 * L2  a list's bit is set exactly if it is not empty, a level's exactly if one of its lists' is
 * L3  a list's blocks are of its part; its links go both ways
 */
#ifndef ACRE_ALLOC_TLSF_INDEX_H
#define ACRE_ALLOC_TLSF_INDEX_H

#include "alloc/tags.h"

enum {
    TAG_LINKS = 8,       /* of a free block's first bytes hold links */
    TLSF_SMALL = 6,      /* log2 of TAG_BINS: level 0 begins there */
    TLSF_LEVELS = 25,    /* up to 2^31 units */
    TLSF_SECOND_MOST = 5 /* a level's bits are one word */
};

/* Behind the bins. */
typedef struct tlsf_lists {
    uint32_t second_level;      /* log2 of a level's lists */
    uint32_t used[TLSF_LEVELS]; /* bit i: list i of the level is not empty */
    uint32_t list[];            /* first blocks; 0: empty */
} tlsf_lists;

_Static_assert(TAG_BINS == 1 << TLSF_SMALL, "level 0 follows the bins");
_Static_assert(sizeof(tlsf_lists) == 104, "part of the segment format");

static inline tlsf_lists *tlsf_of(const acre_region *r)
{
    return (tlsf_lists *)(tag_of(r) + 1);
}

/* Of the first block, with that second level: what it holds begins a cache line, as blocks of whole
 * lines then do that follow it. */
#define TLSF_TABLES(second)                                                                        \
    (sizeof(tag_heap) + sizeof(tlsf_lists) + ((4u * TLSF_LEVELS) << (second)))
#define TLSF_FIRST(second) ((TAG_FIRST_BEHIND(TLSF_TABLES(second)) + 4) / 4 * 4 - 1)

ACRE_INLINE uint32_t tag_first(const acre_region *r)
{
    return tag_of(r)->first;
}

/* Where it must be; 0: the index's constants are damaged. */
static inline uint32_t tag_first_due(const acre_region *r)
{
    uint32_t second = tlsf_of(r)->second_level;
    return second >= 1 && second <= TLSF_SECOND_MOST ? TLSF_FIRST(second) : 0;
}

/* ---- which list ---- */

typedef struct tlsf_place {
    uint32_t level, part;
} tlsf_place;

ACRE_INLINE tlsf_place tlsf_place_of(const tlsf_lists *t, uint32_t units)
{
    uint32_t log = 31 - (uint32_t)__builtin_clz(units), s = t->second_level;
    return (tlsf_place){log - TLSF_SMALL, (units >> (log - s)) - (1u << s)};
}

ACRE_INLINE uint32_t *tlsf_list(tlsf_lists *t, tlsf_place at)
{
    return &t->list[(at.level << t->second_level) + at.part];
}

/* ---- changing the lists ---- */

static inline void tag_large_clear(const acre_region *r)
{
    tlsf_lists *t = tlsf_of(r);
    tag_of(r)->large = 0;
    for (uint32_t i = 0; i < TLSF_LEVELS; i++)
        t->used[i] = ACRE_BUG_IS(63) ? t->used[i] : 0;
    for (uint32_t i = 0; i < (uint32_t)TLSF_LEVELS << t->second_level; i++)
        t->list[i] = 0;
}

static __attribute__((noinline)) void tag_large_insert(const acre_region *r, uint32_t u,
                                                       uint32_t units)
{
    tlsf_lists *t = tlsf_of(r);
    tlsf_place at = tlsf_place_of(t, units);
    uint32_t *list = tlsf_list(t, at), first = *list;
    tag_block *b = tag_at(r, u);
    b->next = first;
    b->back = 0;
    if (first && !ACRE_BUG_IS(61))
        tag_at(r, first)->back = u;
    *list = u;
    t->used[at.level] |= 1u << at.part;
    tag_of(r)->large |= 1u << at.level;
}

/* The list that began with a block begins with the next one. */
static inline void tlsf_behead(const acre_region *r, uint32_t units, uint32_t next)
{
    tlsf_lists *t = tlsf_of(r);
    tlsf_place at = tlsf_place_of(t, units);
    *tlsf_list(t, at) = next;
    if (next)
        return;
    t->used[at.level] &= ~((ACRE_BUG_IS(60) ? 0u : 1u) << at.part);
    if (!t->used[at.level])
        tag_of(r)->large &= ~(1u << at.level);
}

static __attribute__((noinline)) void tag_large_erase(const acre_region *r, uint32_t u,
                                                      uint32_t units)
{
    uint32_t next = tag_at(r, u)->next, back = tag_at(r, u)->back;
    if (next)
        tag_at(r, next)->back = back;
    if (back)
        tag_at(r, back)->next = next;
    else
        tlsf_behead(r, units, next);
}

/* ---- finding ---- */

/* Among the first blocks of the list whose part holds `units`: the part's others may be too small. */
static inline uint32_t tlsf_near(const acre_region *r, tlsf_place at, uint32_t units)
{
    enum { LOOKS = 4 };
    uint32_t u = *tlsf_list(tlsf_of(r), at);
    for (int i = 0; u && i < LOOKS; i++, u = tag_at(r, u)->next)
        if (tag_units(r, u) >= units || ACRE_BUG_IS(62))
            return u;
    return 0;
}

/* The first block of the next list above that is not empty: good enough, whichever it is. */
static inline uint32_t tlsf_above(const acre_region *r, tlsf_place at)
{
    tlsf_lists *t = tlsf_of(r);
    uint32_t parts = t->used[at.level] & (~1u << at.part);
    if (!parts) {
        uint32_t levels = tag_of(r)->large & (~1u << at.level);
        if (!levels)
            return 0;
        at.level = (uint32_t)__builtin_ctz(levels);
        parts = t->used[at.level];
    }
    at.part = (uint32_t)__builtin_ctz(parts);
    return *tlsf_list(t, at);
}

/* A block of at least that many units; 0: none is found, though one may be deep in the list of its part. */
static inline uint32_t tag_large_best(const acre_region *r, uint32_t units)
{
    tlsf_place at = tlsf_place_of(tlsf_of(r), units < TAG_BINS ? (uint32_t)TAG_BINS : units);
    uint32_t u = tlsf_near(r, at, units);
    return u ? u : tlsf_above(r, at);
}

/* ---- checking ---- */

static inline bool tlsf_holds(const acre_region *r, tag_census *c, uint32_t u, tlsf_place at)
{
    if (u < c->first || u > c->end - 2)
        return false;
    uint32_t units = tag_at(r, u)->head;
    if (units < TAG_BINS || (units & TAG_USED) || !tag_meet(r, c, u, units))
        return false;
    tlsf_place its = tlsf_place_of(tlsf_of(r), units);
    return its.level == at.level && its.part == at.part;
}

static inline const char *tlsf_check_list(const acre_region *r, tag_census *c, tlsf_place at,
                                          uint32_t *seen)
{
    tlsf_lists *t = tlsf_of(r);
    uint32_t u = *tlsf_list(t, at);
    if ((u != 0) != (t->used[at.level] >> at.part & 1))
        return "L2";
    for (uint32_t back = 0; u; back = u, u = tag_at(r, u)->next) {
        *seen = u < c->end ? u : c->end;
        if (!tlsf_holds(r, c, u, at) || tag_at(r, u)->back != back)
            return "L3";
    }
    return NULL;
}

static inline const char *tag_large_check(const acre_region *r, tag_census *c, uint32_t *seen)
{
    const tlsf_lists *t = tlsf_of(r);
    uint64_t parts = (uint64_t)1 << t->second_level;
    *seen = 0;
    if (tag_of(r)->large >> TLSF_LEVELS)
        return "L2";
    for (tlsf_place at = {0, 0}; at.level < TLSF_LEVELS; at.level++) {
        bool bit = tag_of(r)->large >> at.level & 1;
        if (bit != (t->used[at.level] != 0) || (uint64_t)t->used[at.level] >> parts)
            return "L2";
        for (at.part = 0; at.part < parts; at.part++) {
            const char *e = tlsf_check_list(r, c, at, seen);
            if (e)
                return e;
        }
    }
    return NULL;
}

#endif
