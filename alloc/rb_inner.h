/* SPDX-License-Identifier: MIT */
/* rb_inner.h: what algorithms that are built on an rbtree_best_fit heap need beside its table. */
#ifndef ACRE_ALLOC_RB_INNER_H
#define ACRE_ALLOC_RB_INNER_H

#include <acre/algorithm.h>

extern const acre_algorithm acre__rbtree_best_fit;

/* What its blocks are: multiples of RB_UNIT with a header of RB_HEADER bytes in front of the payload;
 * a rest of RB_CRUMB bytes may stick to one; the first one's payload is at RB_START. */
enum { RB_UNIT = 16, RB_HEADER = 8, RB_CRUMB = 16, RB_START = 1088 };

/* As alloc() with align > ACRE_ALIGN_MIN, but it is the block's distance from the region's base that
 * is a multiple of align: it stays one wherever the region is mapped.  Takes the smallest block that
 * is large enough if one can be cut from it, so that a place given back is found again.
 * size >= 1 KiB - RB_HEADER. */
void *acre__rb_alloc_at(acre_region *r, size_t size, size_t align);

/* usable() and free() in two steps, for who has a question in between: the units of the live block at p,
 * 0 if there is none; give them back. */
uint32_t acre__rb_live(const acre_region *r, const void *p);
void acre__rb_release(const acre_region *r, void *p, uint32_t units);

/* walk(). */
int acre__rb_walk(const acre_region *r, acre_visit *visit, void *arg);

/* Bytes from the base that were ever in use. */
uint64_t acre__rb_high_water(const acre_region *r);
uint64_t acre__rb_untouched(const acre_region *r);

/* usable() of what is known to be a live block. */
ACRE_INLINE size_t rb_usable(const void *p)
{
    return (size_t)(((const uint32_t *)p)[-1] & INT32_MAX) * RB_UNIT - RB_HEADER;
}

#endif
