/* SPDX-License-Identifier: MIT */
/* guard.h: what stands behind the user's bytes of each block in heaps with checks=2 and checks=3.
 *
 *   p              p + size                        tail             p + usable
 *   +--------------+---+--------+-------- - -------+---+-------+------+
 *   | user's bytes | 0 | canary | slack            | 0 | slack | mark |
 *   +--------------+---+--------+-------- - -------+---+-------+------+
 *                    1   7                           1   3       4     bytes
 *
 * The tail tells how many bytes lie between the user's and itself, so that the size that was asked for
 * is known to the byte.  Its mark and the canary depend on a key of the heap and the block's offset: they
 * cannot be copied from another block.  Of the canary there is as much as the slack has room for; the
 * first byte behind the user's is 0 in any case, so that a string that lacks its end is not read on into
 * the key's bytes (C. Cowan et al., StackGuard, USENIX Security 1998: the terminator canary).
 *
 * C1  a live block's tail and canary are right
 * C2  the mark's two low bits say what the block is: live, retired, or retired and filled
 *
 * The key lies in the segment: this finds bugs, not attackers who read it.
 */
#ifndef ACRE_ALLOC_GUARD_H
#define ACRE_ALLOC_GUARD_H

#include "alloc/heap.h"

enum guard_state {
    GUARD_LIVE,
    GUARD_RETIRED, /* freed by its user, kept in the quarantine */
    GUARD_FILLED,  /* the same, and what it holds is the pattern */
    GUARD_BROKEN,  /* somebody wrote over tail or canary */
    GUARD_NONE     /* no live block of the algorithm, or freed already */
};

enum { GUARD_WORD = 8, GUARD_SLACK_BITS = 24, GUARD_LEAST = 2 * GUARD_WORD };

/* What freed memory is filled with; not a valid tail. */
#define GUARD_DEAD ((uint64_t)0xdfdfdfdfdfdfdfdf)

typedef struct guard {
    char *p;
    uint64_t *tail;
    size_t size; /* the user's bytes */
    enum guard_state state;
} guard;

/* What the algorithm is asked for. */
static inline size_t guard_room_for(size_t size)
{
    return ((size + GUARD_WORD - 1) & ~(size_t)(GUARD_WORD - 1)) + GUARD_WORD;
}

/* The most that the user can have of `usable` bytes. */
static inline size_t guard_most(size_t usable)
{
    return (usable & ~(size_t)(GUARD_WORD - 1)) - GUARD_WORD;
}

/* Steele, Lea, Flood: splitmix64's finish. */
static inline uint64_t guard_mix(uint64_t x)
{
    x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9u;
    x = (x ^ x >> 27) * 0x94d049bb133111ebu;
    return x ^ x >> 31;
}

static inline uint64_t guard_hash(const acre_heap *h, const char *p, uint64_t slack)
{
    uint64_t at = (uint64_t)(p - h->region.base);
    return guard_mix(h->control->key + guard_mix(at << GUARD_SLACK_BITS | slack));
}

static inline uint64_t guard_canary(const acre_heap *h, const char *p)
{
    return guard_hash(h, p, 0) << 8;
}

static inline uint64_t guard_tail(const acre_heap *h, const char *p, uint64_t slack,
                                  enum guard_state state)
{
    uint64_t mark = (guard_hash(h, p, slack) >> 34 << 2 | (uint64_t)state) << 32;
    return mark | slack << 8;
}

/* The canary from p + size on: the rest of its word, and the next word if that is not the tail. */
static inline bool guard_canary_right(const acre_heap *h, const guard *g)
{
    uint64_t canary = guard_canary(h, g->p);
    const uint64_t *word = (const uint64_t *)g->p + g->size / GUARD_WORD;
    unsigned mine = g->size % GUARD_WORD * 8;
    if (mine && ACRE_BUG_IS(70))
        word++;
    else if (mine && *word++ >> mine != canary << mine >> mine)
        return false;
    return word == g->tail || *word == canary;
}

static inline enum guard_state guard_state_of(const acre_heap *h, const guard *g, uint64_t tail,
                                              uint64_t slack)
{
    enum guard_state state = (enum guard_state)(tail >> 32 & 3);
    if (tail == GUARD_DEAD)
        return GUARD_NONE;
    if (g->size == 0 || state > GUARD_FILLED || tail != guard_tail(h, g->p, slack, state))
        return GUARD_BROKEN;
    return state != GUARD_LIVE || guard_canary_right(h, g) ? state : GUARD_BROKEN;
}

/* The guard of a block of `usable` bytes.  Reads these only, whatever they hold; none if a damaged image says
 * that there are more than the region has. */
static inline guard guard_of(const acre_heap *h, const void *p, size_t usable)
{
    guard g = {.p = (char *)(uintptr_t)p, .state = GUARD_NONE};
    uint64_t at = (uint64_t)(g.p - h->region.base), end = acre__heap_bytes(h);
    if (usable < GUARD_LEAST || at > end || usable > end - at)
        return g;
    size_t most = guard_most(usable);
    g.tail = (uint64_t *)(g.p + most);
    uint64_t tail = *g.tail, slack = tail >> 8 & (((uint64_t)1 << GUARD_SLACK_BITS) - 1);
    g.size = slack < most ? most - slack : 0;
    g.state = guard_state_of(h, &g, tail, slack);
    g.size = g.state <= GUARD_FILLED ? g.size : most;
    return g;
}

static inline guard guard_at(const acre_heap *h, const void *p)
{
    return guard_of(h, p, h->inner->usable(&h->region, p));
}

/* Give the user `size` of p's usable bytes, or what the slack's width forces on him beyond; notes up to
 * three words.  The size. */
static inline size_t guard_write(const acre_heap *h, char *p, size_t usable, size_t size)
{
    size_t most = guard_most(usable), slack = most - size;
    if (slack >> GUARD_SLACK_BITS)
        slack = ((size_t)1 << GUARD_SLACK_BITS) - 1;
    size = most - slack;
    uint64_t canary = guard_canary(h, p), *tail = (uint64_t *)(p + most);
    uint64_t *word = (uint64_t *)p + size / GUARD_WORD;
    unsigned mine = size % GUARD_WORD * 8;
    if (mine) {
        acre_set64(&h->region, word, canary << mine | (*word & (((uint64_t)1 << mine) - 1)));
        word++;
    }
    if (word != tail)
        acre_set64(&h->region, word, canary);
    acre_set64(&h->region, tail, guard_tail(h, p, slack, GUARD_LIVE));
    return size;
}

#endif
