/* SPDX-License-Identifier: MIT */
/* index_hash.c: linear hashing (W. Litwin, Linear Hashing: A New Tool for File and Table Addressing, VLDB
 * 1980): with each entry more two buckets are split, so that no call ever moves them all.  Chains are in
 * the order of the hash's bits read backwards (as in O. Shalev, N. Shavit, Split-Ordered Lists, JACM 2006),
 * so that a bucket splits by one cut:
 *
 *      bucket p   ─▶ …0p ─▶ …0p ─▶ …1p ─▶ …1p           p = N - 2^k, to be split by bit k
 *                                   ▲
 *      bucket N   ──────────────────┘    1 store         then 2. buckets = N + 1, 3. the link cut
 *
 * After each store every entry is found from each count of buckets that can have been read, and chains
 * that share their end harm nobody but who removes its first entry: recovery makes the last cut again.
 * Merging is the same backwards.
 *
 * Buckets lie in arrays that never move: [0] has 16, [k] the 2^(k+3) from there on.
 */
#include "segment/names_key.h"

enum {
    HASH_FIRST = 16,
    HASH_FIRST_BITS = 4,
    HASH_MERGES = 40,
    HASH_LONG = 64,
    HASH_BUCKETS = 2 /* for each entry */
};
#define HASH_DAMAGED (~(acre_off)0)
#define HASH_NUMBER(word) ((word) & (((uint64_t)1 << HASH_MERGES) - 1))
#define HASH_MOST ((uint64_t)HASH_FIRST << (NAMES_LINKS - 1))

/* ---- buckets ---- */

static inline unsigned hash_log(uint64_t n)
{
    return 63 - (unsigned)__builtin_clzll(n);
}

static inline uint64_t hash_bucket(uint64_t hash, uint64_t number)
{
    unsigned bits = hash_log(number - 1) + 1;
    uint64_t b = hash & (((uint64_t)1 << bits) - 1);
    return b < number ? b : b ^ (uint64_t)1 << (bits - 1);
}

static inline unsigned hash_array(uint64_t bucket)
{
    return bucket < HASH_FIRST ? 0 : hash_log(bucket) - HASH_FIRST_BITS + 1;
}

static inline uint64_t hash_array_size(unsigned array)
{
    return (uint64_t)HASH_FIRST << (array ? array - 1 : 0);
}

/* The bucket's first link; NULL: it cannot be there. */
NAMES_LOOKS static inline __attribute__((always_inline)) acre_off *hash_slot(const acre_segment *s, uint64_t bucket)
{
    unsigned array = hash_array(bucket);
    if (array >= NAMES_LINKS)
        return NULL;
    uint64_t i = bucket & (hash_array_size(array) - 1);
    acre_off at = acre__load(&names_of(s)->link[array]) + i * sizeof(acre_off);
    bool sane = at % sizeof(acre_off) == 0 && names_inside(s, at, sizeof(acre_off));
    return sane ? (acre_off *)(void *)(s->base + at) : NULL;
}

static inline unsigned hash_stripe(uint64_t hash)
{
    return (unsigned)(hash & (NAMES_STRIPES - 1));
}

static uint64_t hash_number(const acre_segment *s)
{
    uint64_t number = HASH_NUMBER(acre__peek(&names_of(s)->buckets));
    return number >= HASH_FIRST && number <= HASH_MOST ? number : 0;
}

/* ---- without the lock ---- */

/* Nothing was taken out, no bucket came or went since. */
static inline int hash_missed(const segment_names *n, const names_proof *proof, uint64_t buckets)
{
    return names_holds(proof) && acre__load(&n->buckets) == buckets ? ENOENT : EAGAIN;
}

/* The walk along one chain; 0: it ends without.  A chain is short: what bounds it is only asked for if it is not. */
NAMES_LOOKS static inline acre_off hash_walk(const acre_segment *s, const acre_off *link,
                                             const names_key *k)
{
    uint64_t steps = 0, reach = names_reach(s);
    for (acre_off at; (at = acre__load(link)) != 0; steps++) {
        const names_entry *e = names_entry_within(s, reach, at);
        if (!e || (steps >= HASH_LONG && steps > names_most_steps(s)))
            return HASH_DAMAGED;
        if (acre__peek(&e->hash) == k->hash && key_names(s, reach, at, e, k))
            return at;
        link = &e->next;
    }
    return 0;
}

static int hash_find(acre_segment *s, const names_key *k, acre_off *entry, names_proof *proof)
{
    const segment_names *n = names_of(s);
    proof->word = &n->version[hash_stripe(k->hash)];
    proof->value = acre__load(proof->word);
    uint64_t buckets = acre__load(&n->buckets), number = HASH_NUMBER(buckets);
    if (number < HASH_FIRST)
        return hash_missed(n, proof, buckets);
    const acre_off *link = hash_slot(s, hash_bucket(k->hash, number));
    acre_off at = link ? hash_walk(s, link, k) : HASH_DAMAGED;
    if (at == HASH_DAMAGED)
        return EAGAIN;
    *entry = at;
    return at ? 0 : hash_missed(n, proof, buckets);
}

/* Where in the order the bucket that has `order` ends; 0: at the end of all. */
static uint64_t hash_region_end(uint64_t order, uint64_t number)
{
    uint64_t bucket = hash_bucket(key_reverse(order), number);
    unsigned bits = hash_log(number - 1) + 1;
    bool split = bucket >> (bits - 1) || bucket + ((uint64_t)1 << (bits - 1)) < number;
    bits -= !split;
    return key_reverse(bucket) + ((uint64_t)1 << (64 - bits));
}

/* In the bucket of `from`: the first entry behind (from, last).  Entries of one hash are in the order of offsets. */
NAMES_LOOKS static int hash_next_in(acre_segment *s, uint64_t from, acre_off last, uint64_t number,
                                    acre_off *entry)
{
    const acre_off *link = hash_slot(s, hash_bucket(key_reverse(from), number));
    uint64_t steps = 0;
    for (acre_off at; link && (at = acre__load(link)); steps++) {
        const names_entry *e = names_entry_at(s, at);
        if (!e || steps > names_most_steps(s))
            return EAGAIN;
        uint64_t order = key_reverse(acre__peek(&e->hash));
        if (order > from || (order == from && at > last)) {
            *entry = at;
            return 0;
        }
        link = &e->next;
    }
    return link ? ENOENT : EAGAIN;
}

/* Bucket by bucket, in the order of chains. */
NAMES_LOOKS static int hash_next(acre_segment *s, const acre_cursor *c, acre_off *entry,
                                 names_proof *proof)
{
    const segment_names *n = names_of(s);
    uint64_t from = c->position, last = c->last, steps = 0;
    do {
        proof->word = &n->version[hash_stripe(key_reverse(from))];
        proof->value = acre__load(proof->word);
        uint64_t buckets = acre__load(&n->buckets), number = HASH_NUMBER(buckets);
        if (number < HASH_FIRST)
            return hash_missed(n, proof, buckets);
        int e = hash_next_in(s, from, last, number, entry);
        if (e != ENOENT)
            return e;
        if (hash_missed(n, proof, buckets) != ENOENT || steps++ > HASH_MOST)
            return EAGAIN;
        from = hash_region_end(from, number);
        last = 0;
    } while (from);
    return ENOENT;
}

/* ---- with it ---- */

/* The link to the first entry in its bucket that is not before this one (its offset, and the order that its
 * hash gives).  NULL: the chain is damaged. */
static acre_off *hash_seek(acre_segment *s, uint64_t hash, acre_off entry)
{
    uint64_t number = hash_number(s), order = key_reverse(hash);
    acre_off *link = number ? hash_slot(s, hash_bucket(hash, number)) : NULL;
    for (uint64_t steps = 0; link && *link; steps++) {
        names_entry *e = names_entry_at(s, *link);
        if (!e || steps > names_most_steps(s))
            return NULL;
        uint64_t its = key_reverse(e->hash);
        if (its > order || (its == order && *link >= entry))
            break;
        link = &e->next;
    }
    return link;
}

static int hash_array_make(acre_segment *s, uint64_t bucket)
{
    unsigned array = hash_array(bucket);
    acre_off *slot = array < NAMES_LINKS ? &names_of(s)->link[array] : NULL;
    if (!slot)
        return ENOMEM;
    return *slot ? 0 : acre_alloc_into(&s->heap, slot, hash_array_size(array) * sizeof(acre_off));
}

/* The first buckets. */
static int hash_begin(acre_segment *s)
{
    segment_names *n = names_of(s);
    int e = hash_array_make(s, 0);
    if (e)
        return e;
    for (uint64_t b = 0; b < HASH_FIRST; b++) {
        acre_off *slot = hash_slot(s, b);
        if (!slot)
            return ACRE_ECORRUPT;
        acre__put(slot, (acre_off)0);
    }
    acre__store(&n->buckets, n->buckets - HASH_NUMBER(n->buckets) + HASH_FIRST);
    return 0;
}

static int hash_insert(acre_segment *s, acre_off entry)
{
    segment_names *n = names_of(s);
    names_entry *e = names_entry_at(s, entry);
    int error = HASH_NUMBER(n->buckets) ? 0 : hash_begin(s);
    if (error)
        return error;
    acre_off *link = hash_seek(s, e->hash, entry);
    if (!link)
        return ACRE_ECORRUPT;
    acre__put(&e->next, *link);
    acre__store(link, entry);
    acre__store(&n->version[hash_stripe(e->hash)],
                n->version[hash_stripe(e->hash)]); /* see names_holds() */
    return 0;
}

static void hash_remove(acre_segment *s, acre_off entry)
{
    names_entry *e = names_entry_at(s, entry);
    acre_off *link = hash_seek(s, e->hash, entry);
    if (link && *link == entry)
        acre__store(link, e->next);
    names_outdate(names_of(s), hash_stripe(e->hash));
}

static bool hash_contains(acre_segment *s, acre_off entry)
{
    const acre_off *link = hash_seek(s, names_entry_at(s, entry)->hash, entry);
    return link && *link == entry;
}

/* ---- splitting and merging ---- */

static uint64_t hash_parent(uint64_t bucket)
{
    return bucket ^ (uint64_t)1 << hash_log(bucket);
}

/* The link in the parent's chain behind which `bucket`'s entries are.  NULL: damaged. */
static acre_off *hash_border(acre_segment *s, uint64_t bucket)
{
    acre_off *link = hash_slot(s, hash_parent(bucket));
    unsigned bit = hash_log(bucket);
    for (uint64_t steps = 0; link && *link; steps++) {
        names_entry *e = names_entry_at(s, *link);
        if (!e || steps > names_most_steps(s))
            return NULL;
        if (e->hash >> bit & 1)
            break;
        link = &e->next;
    }
    return link;
}

static int hash_split(acre_segment *s)
{
    segment_names *n = names_of(s);
    uint64_t bucket = hash_number(s);
    int e = bucket ? hash_array_make(s, bucket) : ACRE_ECORRUPT;
    acre_off *border = e ? NULL : hash_border(s, bucket), *slot = e ? NULL : hash_slot(s, bucket);
    if (!border || !slot)
        return e ? e : ACRE_ECORRUPT;
    acre__store(slot, *border);
    acre__store(&n->buckets, n->buckets + 1);
    acre__store(border, (acre_off)0);
    return 0;
}

/* Buckets that there should be: an entry that is not the first of its bucket costs whoever looks behind it a
 * line of memory, a bucket 8 bytes. */
static uint64_t hash_due(const acre_segment *s)
{
    const segment_names *n = names_of(s);
    uint64_t objects = n->named + n->unique, most = HASH_MOST / HASH_BUCKETS;
    uint64_t due = (objects < most ? objects : most) * HASH_BUCKETS;
    return due > HASH_FIRST ? due : HASH_FIRST;
}

static void hash_settle(acre_segment *s)
{
    for (int i = 0; i < HASH_BUCKETS && hash_number(s) < hash_due(s); i++)
        if (hash_split(s) != 0)
            return; /* no room: chains are longer */
}

static int hash_merge(acre_segment *s)
{
    segment_names *n = names_of(s);
    uint64_t bucket = hash_number(s) - 1;
    acre_off *border = hash_border(s, bucket), *slot = hash_slot(s, bucket);
    if (!border || !slot)
        return ACRE_ECORRUPT;
    acre__store(border, *slot);
    acre__store(&n->buckets, n->buckets + ((uint64_t)1 << HASH_MERGES) - 1);
    return 0;
}

/* The last split's cut, or the last merge's first store undone. */
static int hash_recover(acre_segment *s)
{
    uint64_t number = hash_number(s);
    if (number <= HASH_FIRST)
        return 0;
    acre_off *border = hash_border(s, number - 1);
    if (!border)
        return ACRE_ECORRUPT;
    acre__store(border, (acre_off)0);
    return 0;
}

/* ---- memory ---- */

static int hash_reserve(acre_segment *s, uint64_t objects)
{
    int e = 0;
    uint64_t most = objects < HASH_MOST / HASH_BUCKETS ? objects * HASH_BUCKETS : HASH_MOST;
    for (uint64_t b = 0; b < most && !e; b = b ? b * 2 : HASH_FIRST)
        e = hash_array_make(s, b);
    return e;
}

/* Who still looks into an array that goes is told by every version. */
static int hash_free_arrays(acre_segment *s, unsigned first)
{
    segment_names *n = names_of(s);
    int e = 0;
    for (unsigned stripe = 0; stripe < NAMES_STRIPES; stripe++)
        names_outdate(n, stripe);
    for (unsigned array = first; array < NAMES_LINKS && !e; array++)
        e = acre_free_from(&s->heap, &n->link[array]);
    return e;
}

static int hash_shrink(acre_segment *s)
{
    segment_names *n = names_of(s);
    int e = 0;
    while (!e && hash_number(s) > hash_due(s))
        e = hash_merge(s);
    if (e)
        return e;
    if (!(n->named + n->unique))
        acre__store(&n->buckets,
                    n->buckets - HASH_NUMBER(n->buckets) + ((uint64_t)1 << HASH_MERGES));
    uint64_t number = hash_number(s);
    return hash_free_arrays(s, number ? hash_array(number - 1) + 1 : 0);
}

const names_index acre__index_hash = {
    .insert = hash_insert,
    .remove = hash_remove,
    .contains = hash_contains,
    .settle = hash_settle,
    .reserve = hash_reserve,
    .shrink = hash_shrink,
    .recover = hash_recover,
    .find = hash_find,
    .next = hash_next,
};
