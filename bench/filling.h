/* SPDX-License-Identifier: MIT */
/* filling.h: what a verifying replay fills a block with, so that it can tell whose bytes they are. */
#ifndef ACRE_BENCH_FILLING_H
#define ACRE_BENCH_FILLING_H

#include "bench/engine.h"

#include <string.h>

/* The 64-bit word that stands at byte 8 * i of block `serial`. */
static inline uint64_t filling_word(uint64_t serial, uint64_t i)
{
    return serial * 0x9e3779b97f4a7c15u + i;
}

static inline void filling_put(char *p, uint64_t size, uint64_t serial)
{
    for (uint64_t at = 0; at < size; at += 8) {
        uint64_t word = filling_word(serial, at / 8);
        memcpy(p + at, &word, size - at < 8 ? size - at : 8);
    }
}

/* Where the first `size` bytes differ from the block's pattern; `size` if nowhere. */
static inline uint64_t filling_differs(const char *p, uint64_t size, uint64_t serial)
{
    for (uint64_t at = 0; at < size; at += 8) {
        uint64_t word = filling_word(serial, at / 8);
        if (memcmp(p + at, &word, size - at < 8 ? size - at : 8))
            return at;
    }
    return size;
}

/* The same for memory that should be zero. */
static inline uint64_t filling_not_zero(const char *p, uint64_t size)
{
    uint64_t at = 0;
    while (at < size && p[at] == 0)
        at++;
    return at;
}

/* What a block of this size has to be aligned to, if `align` was asked for. */
static inline uint64_t filling_alignment(const acre_engine *x, uint64_t size, uint64_t align)
{
    uint64_t least = x->align;
    if (least < 16 && size >= 16)
        least = 16; /* a malloc may align blocks below 16 bytes by 8 only */
    return align > least ? align : least;
}

#endif
