/* SPDX-License-Identifier: MIT */
/* index_hash.h: where the buckets of the hash index lie (index_hash.c), and finding without the lock, which object_find.c
 * does in line: what it costs is what finding costs. */
#ifndef ACRE_SEGMENT_INDEX_HASH_H
#define ACRE_SEGMENT_INDEX_HASH_H

#include "segment/names_key.h"

enum {
    HASH_FIRST = 16,
    HASH_FIRST_BITS = 4,
    HASH_MERGES = 40,
    HASH_LONG = 64,
    HASH_BUCKETS = 2 /* for each entry */
};
#define HASH_UNSURE (~(acre_off)0)
#define HASH_NUMBER(word) ((word) & (((uint64_t)1 << HASH_MERGES) - 1))
#define HASH_MOST ((uint64_t)HASH_FIRST << (NAMES_LINKS - 1))

/* ---- buckets ---- */

static inline unsigned hash_log(uint64_t n)
{
    return 63 ^ (unsigned)__builtin_clzll(n);
}

static inline uint64_t hash_bucket(uint64_t hash, uint64_t number)
{
    uint64_t mask = ~(uint64_t)0 >> __builtin_clzll(number - 1), b = hash & mask;
    return b < number ? b : b & mask >> 1;
}

static inline unsigned hash_array(uint64_t bucket)
{
    return hash_log(bucket | HASH_FIRST / 2) - HASH_FIRST_BITS + 1;
}

static inline uint64_t hash_array_size(unsigned array)
{
    return (uint64_t)HASH_FIRST << (array ? array - 1 : 0);
}

/* The number of its first bucket. */
static inline uint64_t hash_array_start(unsigned array)
{
    return (uint64_t)HASH_FIRST / 2 << array & ~(uint64_t)(HASH_FIRST - 1);
}

/* The bucket's first link; NULL: it cannot be there.  (Buckets of small tables come from two arrays in turns: no
 * branch may depend on which.) */
static inline __attribute__((always_inline)) acre_off *
hash_slot_in(const acre_segment *s, const names_view *v, uint64_t bucket)
{
    unsigned array = hash_array(bucket);
    if (array >= NAMES_LINKS)
        return NULL;
    acre_off at = acre__load(&names_of(s)->link[array]) +
                  (bucket - hash_array_start(array)) * sizeof(acre_off);
    bool sane = names_which(at - v->low, 3) < v->room / sizeof(acre_off);
    return sane ? (acre_off *)(void *)(v->base + at) : NULL;
}

static inline unsigned hash_stripe(uint64_t hash)
{
    return (unsigned)(hash & (NAMES_STRIPES - 1));
}

/* ---- without the lock ---- */

/* Nothing was taken out, no bucket came or went since. */
static inline int hash_missed(const segment_names *n, const names_proof *proof, uint64_t buckets)
{
    return names_holds(proof) && acre__load(&n->buckets) == buckets ? ENOENT : EAGAIN;
}

/* The first entry on a chain with that hash, which is as good as sure to be the one that is meant; 0: there is none. */
static inline __attribute__((always_inline)) acre_off
hash_walk(const names_view *v, const acre_off *link, uint64_t hash)
{
    unsigned steps = 0;
    for (acre_off at; (at = acre__load(link)) != 0;) {
        const names_entry *e = names_entry_in(v, at);
        if (!e || steps++ > HASH_LONG)
            return HASH_UNSURE;
        if (acre__peek(&e->hash) == hash)
            return at;
        link = &e->next;
    }
    return 0;
}

/* 0: the link that a look for that hash begins with, and what makes true what is seen from there; ENOENT, EAGAIN. */
static inline __attribute__((always_inline)) int hash_enter(const acre_segment *s,
                                                            const names_view *v, uint64_t hash,
                                                            const acre_off **link,
                                                            uint64_t *buckets, names_proof *proof)
{
    const segment_names *n = names_of(s);
    proof->word = &n->version[hash_stripe(hash)];
    proof->value = acre__load(proof->word);
    *buckets = acre__load(&n->buckets);
    uint64_t number = HASH_NUMBER(*buckets);
    bool any = number >= HASH_FIRST;
    *link = any ? hash_slot_in(s, v, hash_bucket(hash, number)) : NULL;
    return *link ? 0 : any ? EAGAIN : hash_missed(n, proof, *buckets);
}

/* The first entry of that hash.  0, ENOENT, EAGAIN: cannot be told like this. */
static inline __attribute__((always_inline)) int hash_first(const acre_segment *s,
                                                            const names_view *v, uint64_t hash,
                                                            acre_off *entry, names_proof *proof)
{
    uint64_t buckets;
    const acre_off *link;
    int e = hash_enter(s, v, hash, &link, &buckets, proof);
    if (e)
        return e;
    *entry = hash_walk(v, link, hash);
    return *entry == HASH_UNSURE ? EAGAIN : *entry ? 0 : hash_missed(names_of(s), proof, buckets);
}

#endif
