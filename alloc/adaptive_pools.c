/* SPDX-License-Identifier: MIT */
/* adaptive_pools.c: pools of equal nodes, one for each class of sizes, whose blocks go back to the
 * heap when nothing in them is live.
 *
 * After Boost.Interprocess's adaptive_pool (I. Gaztañaga) in what it does: a request takes a node of
 * the block that has the fewest free ones, so that the others get a chance to become empty; of blocks
 * that are wholly free a class keeps at most max_free; block sizes are chosen so that what is not
 * nodes stays below a share.  Instead of its tree by (number free, address): seven lists by the
 * number's logarithm, so all is O(1); instead of headers at aligned subblocks: the map of frames.
 * Bonwick, The Slab Allocator, 1994, has the same order (full, partial, empty).
 *
 * Costs: O(1); a new or returned block costs a search of the rb heap.  Overhead: none a node; of a
 * block at most `overhead` percent, as far as 63 nodes of a slice allow (3.1 % for 16 bytes, 1.6 %
 * above).  8 bytes for what stands alone.
 *
 * The picture, the invariants P1…P7 and what a kill leaves are in pool_heap.h.
 */
#include "alloc/pool_heap.h"

static const acre_param adaptive_params[] = {
    {"nodes", "nodes of a block, at least", 1, POOL_SLICES *POOL_NODES, 8},
    {"overhead", "percent of a block that are not nodes, at most", 1, 50, 2},
    {"max_free", "wholly free blocks that a class keeps, at most", 0, 1 << 20, 2},
    {0},
};

static void adaptive_init(acre_region *r, size_t size, const acre_heap_options *o)
{
    acre__pool_init(r, size, o, true);
}

extern const acre_algorithm acre__adaptive_pools;
const acre_algorithm acre__adaptive_pools = {
    .name = "adaptive_pools",
    .summary = "pools of equal nodes that return when wholly free; best fit above",
    .flags = ACRE_ROBUST | ACRE_ANY_ADDRESS,
    .layout_version = 3,
    .reach = POOL_REACH,
    .min_size = POOL_MIN_SIZE,
    .journal_words = POOL_JOURNAL,
    .free_clobbers = POOL_LINKS,
    .link_bytes = POOL_LINKS,
    .growth = ACRE_GROWTH_CONSTANT,
    .params = adaptive_params,
    .init = adaptive_init,
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
