/* SPDX-License-Identifier: MIT */
/* names_key.h: names as words, their hash, and comparing them with what an entry says.
 *
 * A name's last word is filled up with zeros, in the segment too.  The hash folds the two halves of 64 x 64 bit
 * products, of 16 bytes each.  It starts with kind and length, folded with what is random for each segment, so that
 * nobody can choose names that meet.
 */
#ifndef ACRE_SEGMENT_NAMES_KEY_H
#define ACRE_SEGMENT_NAMES_KEY_H

#include "segment/names.h"

#include <string.h>

__extension__ typedef unsigned __int128 key_product;

static inline uint64_t key_fold(uint64_t a, uint64_t b)
{
    key_product p = (key_product)a * b;
    return (uint64_t)p ^ (uint64_t)(p >> 64);
}

static inline __attribute__((always_inline)) uint64_t key_load(const char *p)
{
    uint64_t w;
    memcpy(&w, p, sizeof w);
    return w;
}

#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__

static inline __attribute__((always_inline)) uint64_t key_half(const char *p)
{
    uint32_t w;
    memcpy(&w, p, sizeof w);
    return w;
}

/* n < 8 bytes and zeros.  (Two loads that overlap, no loop.) */
static inline __attribute__((always_inline)) uint64_t key_tail(const char *p, size_t n)
{
    if (n >= 4)
        return key_half(p) | key_half(p + n - 4) << (8 * (n - 4));
    if (n == 0)
        return 0;
    const unsigned char *b = (const unsigned char *)p;
    return b[0] | (uint64_t)b[n / 2] << (8 * (n / 2)) | (uint64_t)b[n - 1] << (8 * (n - 1));
}

/* Words compare as their bytes do. */
static inline uint64_t key_big(uint64_t word)
{
    return __builtin_bswap64(word);
}

#else

static inline __attribute__((always_inline)) uint64_t key_tail(const char *p, size_t n)
{
    uint64_t w = 0;
    memcpy(&w, p, n);
    return w;
}

static inline uint64_t key_big(uint64_t word)
{
    return word;
}

#endif

static inline uint64_t key_reverse(uint64_t x)
{
    x = (x >> 1 & 0x5555555555555555u) | (x & 0x5555555555555555u) << 1;
    x = (x >> 2 & 0x3333333333333333u) | (x & 0x3333333333333333u) << 2;
    x = (x >> 4 & 0x0f0f0f0f0f0f0f0fu) | (x & 0x0f0f0f0f0f0f0f0fu) << 4;
    return __builtin_bswap64(x);
}

/* (The factor is the golden ratio's, odd.  Both factors of a fold of 16 bytes are unknown to who chooses them.) */
static inline uint64_t key_hash(uint64_t seed, const char *p, size_t length)
{
    uint64_t h = seed, other = seed >> 32 | seed << 32;
    const char *end = p + length, *rest = length < 16 ? p : end - 16;
    if (length < 8)
        return key_fold(h ^ key_tail(p, length), 0x9e3779b97f4a7c15u);
    for (; end - p > 16; p += 16)
        h = key_fold(h ^ key_load(p), other ^ key_load(p + 8));
    h = key_fold(h ^ key_load(end - 8), other ^ key_load(rest));
    return key_fold(h, 0x9e3779b97f4a7c15u);
}

static inline names_key key_make(const acre_segment *s, uint32_t kind, const char *name,
                                 size_t length)
{
    uint64_t shape = NAMES_SHAPE(kind, length, 0);
    uint64_t hash = key_hash(key_fold(s->names_seed ^ shape, 0xe7037ed1a0b428dbu), name, length);
    return (names_key){name, length, hash, shape};
}

/* Whether the words at `text`, which need not hold still, are this name. */
static inline __attribute__((always_inline)) bool key_is(const uint64_t *text, const char *p,
                                                         size_t length)
{
    if (length < 8)
        return acre__peek(text) == key_tail(p, length);
    for (size_t i = 8; i < length; i += 8)
        if (acre__peek(text++) != key_load(p + i - 8))
            return false;
    size_t rest = (length - 1) % 8 + 1; /* the last 8 bytes begin in the word before */
    return key_load((const char *)text + rest - 8) == key_load(p + length - 8);
}

/* Whether the entry `e` at `at` has this key. */
static inline __attribute__((always_inline)) bool
key_names(const names_view *v, acre_off at, const names_entry *e, const names_key *k)
{
    return NAMES_KEY_SHAPE(acre__peek(&e->shape)) == k->shape &&
           names_sees(v, at, sizeof *e + names_padded(k->length)) &&
           key_is(e->text, k->name, k->length);
}

/* ---- in the order of names ---- */

enum { KEY_UNSURE = 2 };

static inline int key_sign(uint64_t a, uint64_t b)
{
    return (a > b) - (a < b);
}

/* The entry at `at` against the key: kind, then bytes, then length: -1, 0, 1, or KEY_UNSURE: it is no entry.
 * (Bytes that the shorter one lacks are zeros on both sides, so lengths decide last.) */
static inline __attribute__((always_inline)) int key_compare(const acre_segment *s, acre_off at,
                                                             const names_key *k)
{
    const names_entry *e = names_entry_at(s, at);
    uint64_t shape = e ? acre__peek(&e->shape) : 0;
    uint64_t length = names_name_length(shape), least = length < k->length ? length : k->length;
    if (!e || !names_inside(s, at, sizeof *e + names_padded(length)))
        return KEY_UNSURE;
    int sign = key_sign(names_kind(shape), names_kind(k->shape));
    for (uint64_t i = 0; i <= least && !sign; i += 8) {
        size_t left = k->length - i;
        uint64_t word = left >= 8 ? key_load(k->name + i) : key_tail(k->name + i, left);
        sign = key_sign(key_big(acre__peek(&e->text[i / 8])), key_big(word));
    }
    return sign ? sign : key_sign(length, k->length);
}

/* An entry's own, as long as it stays where it is.  false: it is damaged. */
static inline bool key_of(const acre_segment *s, acre_off at, names_key *k)
{
    const names_entry *e = names_entry_at(s, at);
    uint64_t shape = e ? acre__peek(&e->shape) : 0, length = names_name_length(shape);
    if (!e || !names_inside(s, at, sizeof *e + names_padded(length)))
        return false;
    *k = (names_key){(const char *)e->text, length, 0, NAMES_KEY_SHAPE(shape)};
    return true;
}

/* Where a cursor stands. */
static inline names_key key_at(const acre_cursor *c)
{
    return (names_key){c->text ? c->text : "", c->length, 0, NAMES_SHAPE(c->kind, c->length, 0)};
}

#endif
