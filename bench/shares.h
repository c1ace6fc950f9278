/* SPDX-License-Identifier: MIT */
/* shares.h: one trace for many workers: who does which operation, and who waits for whom.
 *
 *     trace   1 malloc a   2 malloc b   3 free a   4 malloc c   5 free b   6 free c
 *     who     0            1            1          1            0          1
 *
 *     part of 0    1 malloc -> h0                       5 free <- h1
 *     part of 1    2 malloc -> h1    3 free <- h0    4 malloc -> p0    6 free <- p0
 *
 * Each worker does its operations in the order of the trace.  A block that its own worker ends lies
 * in a private place, recycled as the image's slots are.  One that another worker ends, by a free or
 * a realloc, is handed over in a place that is written once in a pass: whoever ends it waits until
 * it is there.  Such places are never recycled within a pass, so that no late reader meets the next block.
 *
 * Nobody waits for ever: an operation waits for the birth of what it ends, and that stands earlier
 * in the trace.  Of all operations not done yet take the first: its worker has done all before it, and
 * what it waits for is done, too, so that it can be done, however the operations were shared out. */
#ifndef ACRE_BENCH_SHARES_H
#define ACRE_BENCH_SHARES_H

#include "bench/image.h"

#include <stdbool.h>

enum { ACRE_SHARES_MOST = 256 };

/* In acre_image_op.slot: the rest is a place where blocks are handed over. */
#define ACRE_SHARES_HANDED 0x80000000u

enum acre_shares_rule {
    ACRE_SHARES_AUTO,    /* threads, if there are as many as workers, else objects */
    ACRE_SHARES_THREADS, /* worker t % n does what the trace's t-th thread did */
    ACRE_SHARES_OBJECTS  /* objects are born at random workers, and ended elsewhere with `cross` */
};

const char *acre_shares_rule_name(enum acre_shares_rule rule);

typedef struct acre_share {
    size_t begin, end,
        drained;       /* its entries: of the trace, and behind them frees of what is left */
    uint32_t places;   /* private ones */
    uint32_t handed;   /* the first place it hands over in … */
    uint32_t n_handed; /* … and how many there are */
    uint64_t ops;
    uint64_t most; /* bytes that it can have born more than ended, at most */
} acre_share;

typedef struct acre_shares {
    enum acre_shares_rule rule; /* what AUTO became */
    uint32_t workers;
    uint32_t cross; /* asked for, percent; objects only */
    acre_share part[ACRE_SHARES_MOST];
    /* Entries as in an image, one part behind the other.  Behind a realloc stands the place of
     * the new block, behind that (or another kind) a literal size. */
    acre_image_op *ops;
    uint32_t *order; /* by entry: number of the operation in the trace, from 0 */
    uint32_t *birth; /* by entry that ends a block: the entry by which it was born */
    const uint64_t *sizes;
    size_t entries;
    uint32_t handed; /* places to hand over in, gaps between workers included */
    uint64_t n_ops, ends, crossed, frees, crossed_frees; /* ends: frees and reallocs */
    uint64_t peak_live;                                  /* of the trace, bytes asked for */
    uint64_t most_live; /* that can be live at once, if workers run apart as far as they may */
    uint64_t largest;
} acre_shares;

/* Shares the image out; `sizes` stays the image's.  cross: percent of frees and reallocs that another
 * worker does than the one who has the object, at random but each time the same.
 * 0; ENOMEM; EINVAL: workers not 2 to ACRE_SHARES_MOST, cross above 100; ERANGE: THREADS, and the trace
 * has fewer than workers; EFBIG: more than 2^31 entries; EBADMSG: the image contradicts itself. */
int acre_shares_make(acre_shares *p, const acre_image *m, uint32_t workers, enum acre_shares_rule rule,
                    uint32_t cross);
void acre_shares_free(acre_shares *p);

/* Whether the operation at entry i has its size in words behind it, and how many entries it takes. */
static inline size_t acre_shares_width(const acre_image_op *o)
{
    return 1 + (size_t)(o->op == ACRE_OP_REALLOC) + (size_t)(o->size == ACRE_IMAGE_LITERAL);
}

static inline uint64_t acre_shares_word(const acre_image_op *o)
{
    uint64_t word;
    __builtin_memcpy(&word, o, sizeof word);
    return word;
}

/* Bytes that the operation at o asks for. */
static inline uint64_t acre_shares_size(const acre_shares *p, const acre_image_op *o)
{
    return o->size == ACRE_IMAGE_LITERAL ? acre_shares_word(o + 1 + (o->op == ACRE_OP_REALLOC))
                                         : p->sizes[o->size];
}

/* Where its new block goes; its old one is at o->slot. */
static inline uint32_t acre_shares_target(const acre_image_op *o)
{
    return o->op == ACRE_OP_REALLOC ? (uint32_t)acre_shares_word(o + 1) : o->slot;
}

#endif
