/* SPDX-License-Identifier: MIT */
/* tlsf.c: two-level segregated fit: a good fit in constant time, whatever the heap looks like.
 *
 * After M. Masmano, I. Ripoll, A. Crespo and J. Real, TLSF: A New Dynamic Memory Allocator for Real-Time
 * Systems (ECRTS 2004), and their later report on its implementation (Implementation of a constant-time
 * dynamic storage allocator, Software: Practice and Experience 38, 2008).  Blocks, bins, top and dv are
 * those of tags.h, with the memory picture, the invariants R1…R7 and what a kill leaves; larger free
 * blocks are in two levels of lists (tlsf_index.h, L1…L3).
 *
 * Costs: O(1) to allocate, free and resize, with no loop over blocks; alloc_many and free_many O(1) a
 * block; walk, check, statistics, zero_free and recovery look at each.  Overhead: 8 bytes a block;
 * smallest block 16 bytes (8 usable).
 *
 * What differs from the paper: sizes below 1 KiB have exact lists (its implementations use equal steps
 * there too); the block at the heap's end is cut last, the last split's rest first; and of the list in
 * which a request's own size lies the first four blocks are looked at before the lists above it, of
 * which the paper takes one at once.  So less is cut off large blocks, and the heap's last large block
 * can be had whole.  A block that would be large enough may still be missed if it stands deeper in that
 * list: by less than 2^-second_level of its size.
 */
#include "alloc/tlsf_index.h"

#include "alloc/tags_check.h"
#include "alloc/tags_fit.h"
#include "alloc/tags_many.h"
#include "alloc/tags_resize.h"

static const acre_param tlsf_params[] = {{"second_level",
                                          "log2 of the lists for each power of two from 1 KiB up",
                                          1, TLSF_SECOND_MOST, 4},
                                         {0}};

static void tlsf_init(acre_region *r, size_t size, const acre_heap_options *o)
{
    memset(tag_of(r), 0, sizeof(tag_heap));
    tlsf_of(r)->second_level = o->param[0];
    tag_lay_out(r, size);
}

const acre_algorithm acre__tlsf;
const acre_algorithm acre__tlsf = {
    .name = "tlsf",
    .summary = "two-level segregated fit: good fit in constant time",
    .flags = ACRE_ROBUST | ACRE_ANY_ADDRESS,
    .layout_version = 1,
    .reach = (uint64_t)TAG_UNITS * TAG_UNIT,
    .min_size = (TLSF_FIRST(TLSF_SECOND_MOST) + TAG_LEAST + 1) * TAG_UNIT,
    .journal_words = TAG_JOURNAL,
    .free_clobbers = TAG_LINKS,
    .link_bytes = TAG_LINKS,
    .growth = ACRE_GROWTH_CONSTANT,
    .params = tlsf_params,
    .init = tlsf_init,
    TAG_METHODS,
};
