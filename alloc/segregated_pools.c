/* SPDX-License-Identifier: MIT */
/* segregated_pools.c: pools of equal nodes, one for each class of sizes, that keep what they have.
 *
 * Simple segregated storage, as a whole algorithm: Boost.Interprocess's private_node_allocator and
 * Boost.Pool (S. Cleary) in what it does; P. R. Wilson et al., Dynamic Storage Allocation: A Survey
 * and Critical Review, 1995, section 3.6.  A request takes a node of the smallest class that is large
 * enough; the block that has had a node freed last serves first.  Blocks in which nothing is live are
 * given back by free_empty() only.  What is larger than the largest class, over-aligned, or rare, is
 * a block of an rbtree_best_fit heap in the same region.
 *
 * Costs: O(1); a new block costs a search of the rb heap.  Overhead: none a node; of a block at most
 * 3.1 % with the standard classes.  8 bytes for what stands alone.
 *
 * The picture, the invariants P1…P7 and what a kill leaves are in pool_heap.h.
 */
#include "alloc/pool_heap.h"

static const acre_param segregated_params[] = {
    {"nodes", "nodes of a block, at least", 1, POOL_SLICES *POOL_NODES, 8},
    {"overhead", "percent of a block that are not nodes, at most", 1, 50, 2},
    {0},
};

static void segregated_init(acre_region *r, size_t size, const acre_heap_options *o)
{
    acre__pool_init(r, size, o, false);
}

extern const acre_algorithm acre__segregated_pools;
const acre_algorithm acre__segregated_pools = {
    .name = "segregated_pools",
    .summary = "pools of equal nodes by size class, kept for ever; best fit above",
    .flags = ACRE_ROBUST | ACRE_ANY_ADDRESS,
    .layout_version = 3,
    .reach = POOL_REACH,
    .min_size = POOL_MIN_SIZE,
    .journal_words = POOL_JOURNAL,
    .free_clobbers = POOL_LINKS,
    .link_bytes = POOL_LINKS,
    .growth = ACRE_GROWTH_CONSTANT,
    .params = segregated_params,
    .init = segregated_init,
    .alloc = acre__pool_alloc,
    .free = acre__pool_free,
    .take = acre__pool_take,
    .give = acre__pool_give,
    .usable = acre__pool_usable,
    .check = acre__pool_check,
    .walk = acre__pool_walk,
    .stats = acre__pool_stats,
    .resize = acre__pool_resize,
    .grow = acre__pool_grow,
    .shrink = acre__pool_shrink,
    .zero_free = acre__pool_zero_free,
    .walk_free = acre__rb_walk,
    .alloc_many = acre__pool_alloc_many,
    .free_empty = acre__pool_free_empty,
    .classes = acre__pool_classes,
    .class_stats = acre__pool_class_stats,
    .recover = acre__pool_recover,
};
