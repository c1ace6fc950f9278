/* SPDX-License-Identifier: MIT */
/* rb_index.h: rbtree_best_fit's index of large free blocks, for tags.h: a tree of sizes, whose root is
 * the heap's `large`. */
#ifndef ACRE_ALLOC_RB_INDEX_H
#define ACRE_ALLOC_RB_INDEX_H

#include "alloc/size_tree.h"

enum { TAG_LINKS = 24 }; /* of a free block's first bytes hold links */
_Static_assert(sizeof(tag_block) - TAG_HEADER <= TAG_LINKS, "links of a free block");

enum { RB_FIRST = TAG_FIRST_BEHIND(sizeof(tag_heap)) };

ACRE_INLINE uint32_t tag_first(const acre_region *r)
{
    (void)r;
    return RB_FIRST;
}

static inline uint32_t tag_first_due(const acre_region *r)
{
    return tag_first(r);
}

static inline void tag_large_clear(const acre_region *r)
{
    tag_of(r)->large = 0;
}

ACRE_INLINE void tag_large_insert(const acre_region *r, uint32_t u, uint32_t units)
{
    (void)units;
    tree_insert(r, &tag_of(r)->large, u);
}

ACRE_INLINE void tag_large_erase(const acre_region *r, uint32_t u, uint32_t units)
{
    (void)units;
    tree_erase(r, &tag_of(r)->large, u);
}

ACRE_INLINE uint32_t tag_large_best(const acre_region *r, uint32_t units)
{
    return tree_best(r, tag_of(r)->large, units);
}

static inline const char *tag_large_check(const acre_region *r, tag_census *c, uint32_t *at)
{
    int blacks;
    *at = tag_of(r)->large;
    return tree_check(r, c, *at, 0, TAG_BINS - 1, TAG_USED, 0, &blacks);
}

#endif
