/* SPDX-License-Identifier: MIT */
/* shard_layout.c: laying out an empty sharded heap: which sizes have a class, what a slab of each looks like,
 * the constants. */
#include "alloc/shard_heap.h"

#include <string.h>

static void shard_standard_classes(uint32_t *size, size_t region)
{
    uint32_t n = 0, most = region < SHARD_SMALL ? 128 : SHARD_MOST;
    for (uint32_t bytes = 16; bytes <= most; bytes += bytes < 256 ? 16 : bytes < 512 ? 32 : 64)
        size[n++] = bytes;
    size[n] = 0;
}

/* As many nodes as have room, of so many words at most; the bytes that are none. */
static uint32_t shard_kind_lay_out(shard_kind *k, uint32_t bytes, uint32_t frames, uint32_t words)
{
    uint32_t first = (uint32_t)(sizeof(slab) + words * sizeof(slab_word));
    uint32_t n = (frames * SHARD_FRAME - RB_HEADER - first) / bytes;
    n = n < words * 64 ? n : words * 64;
    *k = (shard_kind){.reciprocal = (uint32_t)((((uint64_t)1 << 32) + bytes - 1) / bytes),
                      .bytes = (uint16_t)bytes,
                      .nodes = (uint16_t)n,
                      .first = (uint16_t)first,
                      .frames = (uint8_t)frames,
                      .words = (uint8_t)words};
    return frames * SHARD_FRAME - n * bytes;
}

/* The fewest frames in which 8 nodes have room and the rest is at most 4 %; if there are none, those with
 * the least rest. */
static void shard_kind_init(shard_kind *k, uint32_t bytes)
{
    shard_kind one;
    for (uint32_t frames = 1, least = UINT32_MAX; frames < 16; frames++)
        for (uint32_t words = 1; words <= SHARD_WORDS; words++) {
            uint32_t rest = shard_kind_lay_out(&one, bytes, frames, words) * 1024 / frames;
            if (one.nodes < 8 || rest >= least)
                continue;
            *k = one;
            least = rest;
            if (rest <= SHARD_FRAME * 1024 / 25)
                return;
        }
}

static void shard_classes_init(shard_root *o, const uint32_t *size, uint32_t most)
{
    uint32_t units = 0;
    for (; *size && o->classes < most; size++) {
        uint32_t bytes = (*size + SHARD_UNIT - 1) & ~(uint32_t)(SHARD_UNIT - 1);
        if (bytes == o->largest || bytes > SHARD_MOST)
            continue;
        shard_kind_init(&o->kind[o->classes], bytes);
        while (units <= bytes / SHARD_UNIT)
            o->class_of[units++] = (uint16_t)SHARD_CLASS_AT(o->classes);
        o->classes++;
        o->largest = bytes;
    }
    while (units < sizeof o->class_of / sizeof *o->class_of) /* it never has a slab */
        o->class_of[units++] = (uint16_t)SHARD_CLASS_AT(o->classes);
}

static uint64_t shard_mix(uint64_t sum, uint64_t value)
{
    sum = (sum ^ value) * 0x9e3779b97f4a7c15u;
    return sum ^ sum >> 29;
}

uint64_t acre__shard_checksum(const shard_root *o)
{
    uint64_t sum = shard_mix(shard_mix(o->classes, o->largest), o->flat | (uint64_t)o->bins << 32);
    for (size_t i = 0; i < sizeof o->class_of / sizeof *o->class_of; i++)
        sum = shard_mix(sum, o->class_of[i]);
    for (uint32_t i = 0; i <= SHARD_CLASSES; i++) {
        const shard_kind *k = &o->kind[i];
        sum = shard_mix(shard_mix(sum, k->reciprocal), k->bytes | (uint64_t)k->nodes << 16);
        sum = shard_mix(sum, k->first | (uint64_t)k->frames << 16 | (uint64_t)k->words << 24);
    }
    return sum;
}

static uint32_t shard_flat(size_t size)
{
    uint64_t frames = (size / SHARD_FRAME + 15) & ~(uint64_t)15;
    return frames < SHARD_FLAT ? (uint32_t)frames : SHARD_FLAT;
}

void acre__shard_init(acre_region *r, size_t size, const acre_heap_options *options)
{
    uint32_t standard[ACRE_CLASSES], flat = shard_flat(size);
    acre_heap h = {.region = *r, .reach = size};
    acre__rbtree_best_fit.init(r, size, options);
    shard_root *o = acre__rbtree_best_fit.alloc(r, SHARD_ROOT_BYTES(flat), ACRE_ALIGN_MIN);
    if (o != shard_root_of(r))
        __builtin_trap(); /* the first block of an empty heap of min_size is at SHARD_AT */
    memset(o, 0, sizeof *o + flat * sizeof *o->flat_map);
    o->flat = flat;
    o->bins = size < SHARD_SMALL ? 0 : SHELF_BINS;
    shard_standard_classes(standard, size);
    shard_classes_init(o, options->class_size[0] ? options->class_size : standard,
                       size < SHARD_TINY    ? 0
                       : size < SHARD_SMALL ? SHARD_FEW
                                            : SHARD_CLASSES);
    o->taken = (rb_usable(o) + RB_HEADER) / RB_UNIT;
    o->checksum = acre__shard_checksum(o);
    acre__shard_new(&h);
}

void acre__shard_classes(const acre_region *r, acre_heap_options *o)
{
    const shard_root *root = shard_root_of(r);
    for (uint32_t i = 0; i < ACRE_CLASSES; i++)
        o->class_size[i] = i < root->classes ? root->kind[i].bytes : 0;
}
