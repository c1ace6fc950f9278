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
#include "segment/index_hash.h"

/* ---- buckets ---- */

static uint64_t hash_number(const acre_segment *s)
{
    uint64_t number = HASH_NUMBER(acre__peek(&names_of(s)->buckets));
    return number >= HASH_FIRST && number <= HASH_MOST ? number : 0;
}

static acre_off *hash_slot(const acre_segment *s, uint64_t bucket)
{
    names_view v = names_look(s);
    return hash_slot_in(s, &v, bucket);
}

/* ---- links that are stored to ----
 *
 * A damaged offset may lead to what looks like an array or an entry; a store there would damage the heap. */

/* A link, and the block that it lies in: an array or an entry. */
typedef struct hash_place {
    acre_off *link, block;
    unsigned array; /* or NAMES_LINKS */
} hash_place;

static hash_place hash_place_of(acre_segment *s, const names_view *v, uint64_t bucket)
{
    unsigned array = hash_array(bucket);
    acre_off *link = hash_slot_in(s, v, bucket);
    return link ? (hash_place){link, names_of(s)->link[array], array} : (hash_place){NULL, 0, NAMES_LINKS};
}

/* Behind the entry that the link leads to.  false: there can be none. */
static bool hash_step(acre_segment *s, const names_view *v, hash_place *p, uint64_t steps)
{
    acre_off at = *p->link;
    names_entry *e = names_entry_in(v, at);
    if (!e || (steps >= HASH_LONG && steps > names_most_steps(s)))
        return false;
    *p = (hash_place){&e->next, at, NAMES_LINKS};
    return true;
}

static bool hash_live(const acre_segment *s, acre_off block, uint64_t bytes)
{
    const void *p = s->base + block;
    return !acre__heap_foreign(&s->heap, p) && s->heap.algorithm->usable(&s->heap.region, p) >= bytes;
}

/* Arrays stay where they are: each is asked for once. */
static bool hash_array_live(acre_segment *s, unsigned array, acre_off block)
{
    if (s->names_array[array] != block && hash_live(s, block, hash_array_size(array) * sizeof(acre_off)))
        s->names_array[array] = block;
    return s->names_array[array] == block;
}

/* NULL: it lies in no live block. */
static acre_off *hash_link_of(acre_segment *s, const hash_place *p)
{
    bool live = p->link && (p->array < NAMES_LINKS ? hash_array_live(s, p->array, p->block)
                                                   : hash_live(s, p->block, sizeof(names_entry)));
    return live || ACRE_BUG_IS(153) ? p->link : NULL;
}

static acre_off *hash_slot_to_store(acre_segment *s, uint64_t bucket)
{
    names_view v = names_look(s);
    hash_place p = hash_place_of(s, &v, bucket);
    return hash_link_of(s, &p);
}

/* ---- without the lock ---- */

/* To the entry that has the key. */
NAMES_LOOKS static int hash_walk_to(const acre_segment *s, const names_view *v, const acre_off *link,
                                    const names_key *k, acre_off *entry)
{
    uint64_t steps = 0;
    for (; (*entry = acre__load(link)); steps++) {
        const names_entry *e = names_entry_in(v, *entry);
        if (!e || (steps >= HASH_LONG && steps > names_most_steps(s)))
            return EAGAIN;
        if (acre__peek(&e->hash) == k->hash && key_names(v, *entry, e, k))
            return 0;
        link = &e->next;
    }
    return ENOENT;
}

static int hash_find(acre_segment *s, const names_key *k, acre_off *entry, names_proof *proof)
{
    const segment_names *n = names_of(s);
    names_view v = names_look(s);
    uint64_t buckets;
    const acre_off *link;
    int e = hash_enter(s, &v, k->hash, &link, &buckets, proof);
    if (e)
        return e;
    e = hash_walk_to(s, &v, link, k, entry);
    return e == ENOENT ? hash_missed(n, proof, buckets) : e;
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

/* Whether a is before b in the order of bits read backwards: of the lowest bit in which they differ, b has it. */
static inline bool hash_before(uint64_t a, uint64_t b)
{
    uint64_t differ = a ^ b;
    return differ & -differ & b;
}

/* The link to the first entry in its bucket that is not before this one (its offset, and the order that its
 * hash gives).  NULL: the chain is damaged. */
static acre_off *hash_seek(acre_segment *s, uint64_t hash, acre_off entry)
{
    uint64_t number = hash_number(s);
    names_view v = names_look(s);
    hash_place p = {NULL, 0, NAMES_LINKS}, next;
    if (number)
        p = hash_place_of(s, &v, hash_bucket(hash, number));
    for (uint64_t steps = 0; p.link && *p.link; steps++, p = next) {
        next = p;
        if (!hash_step(s, &v, &next, steps))
            return NULL;
        uint64_t its = names_entry_of(s, next.block)->hash;
        if (hash_before(hash, its) || (its == hash && next.block >= entry))
            break;
    }
    return hash_link_of(s, &p);
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
        acre_off *slot = hash_slot_to_store(s, b);
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
    names_entry *e = names_entry_of(s, entry);
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

/* The link to the entry, or that at the end of the chain where it would be.  NULL: the chain is damaged. */
static acre_off *hash_link(acre_segment *s, acre_off entry)
{
    uint64_t number = hash_number(s);
    names_view v = names_look(s);
    hash_place p = {NULL, 0, NAMES_LINKS};
    if (number)
        p = hash_place_of(s, &v, hash_bucket(names_entry_of(s, entry)->hash, number));
    for (uint64_t steps = 0; p.link && *p.link && *p.link != entry; steps++)
        if (!hash_step(s, &v, &p, steps))
            return NULL;
    return hash_link_of(s, &p);
}

static void hash_remove(acre_segment *s, acre_off entry)
{
    const names_entry *e = names_entry_of(s, entry);
    acre_off *link = hash_link(s, entry);
    if (link && *link == entry)
        acre__store(link, e->next);
    names_outdate(names_of(s), hash_stripe(e->hash));
}

static bool hash_contains(acre_segment *s, acre_off entry)
{
    const acre_off *link = hash_link(s, entry);
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
    names_view v = names_look(s);
    hash_place p = hash_place_of(s, &v, hash_parent(bucket)), next;
    unsigned bit = hash_log(bucket);
    for (uint64_t steps = 0; p.link && *p.link; steps++, p = next) {
        next = p;
        if (!hash_step(s, &v, &next, steps))
            return NULL;
        if (names_entry_of(s, next.block)->hash >> bit & 1)
            break;
    }
    return hash_link_of(s, &p);
}

static int hash_split(acre_segment *s)
{
    segment_names *n = names_of(s);
    uint64_t bucket = hash_number(s);
    int e = bucket ? hash_array_make(s, bucket) : ACRE_ECORRUPT;
    acre_off *border = e ? NULL : hash_border(s, bucket), *slot = e ? NULL : hash_slot_to_store(s, bucket);
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
