/* SPDX-License-Identifier: MIT */
/* shard_check.c: looking at a sharded heap, with the heap's lock held: walk, statistics, check of S1…S7, and
 * what a recovery of the house derives anew.  Reads nothing outside the region, whatever it holds.
 *
 * Threads go on allocating meanwhile.  What is seen of the house is of one moment, as nobody else can be in
 * it; nodes are seen one after the other.  S5 is asked only of shards that nobody holds. */
#include "alloc/shard_heap.h"

#include <string.h>

/* ---- which block of the house is what ---- */

typedef enum shard_block { SHARD_DIRECT, SHARD_RESERVED, SHARD_SLAB, SHARD_WRONG } shard_block;

static bool shard_inside(const acre_region *r, uint64_t at, uint64_t bytes)
{
    return at <= r->size && bytes <= r->size - at;
}

static bool shard_has_chunk(const acre_region *r, uint64_t k)
{
    uint64_t at = shard_root_of(r)->chunk[k];
    return at && at % SHARD_UNIT == 0 && shard_inside(r, at, SHARD_CHUNK_BYTES(k));
}

/* A rest of a unit may stick to a block. */
static bool shard_sized(uint64_t total, uint64_t size)
{
    uint64_t least = (size + RB_HEADER + RB_UNIT - 1) / RB_UNIT * RB_UNIT;
    return total >= least && total < least + RB_CRUMB + RB_UNIT;
}

static bool shard_is_chunk(const shard_root *o, const acre_block *b, bool *sized)
{
    for (uint32_t k = 0; k < SHARD_CHUNKS; k++)
        if (o->chunk[k] == b->offset) {
            *sized = shard_sized(b->total, SHARD_CHUNK_BYTES(k));
            return true;
        }
    return false;
}

static bool shard_is_shard(const shard_root *o, const acre_block *b, bool *sized)
{
    for (uint32_t i = 0; i < SHARD_SHARDS && o->shard_at[i]; i++)
        if ((uint64_t)o->shard_at[i] * SHARD_UNIT == shard_in_block(b->offset) &&
            b->size >= sizeof(shard)) {
            *sized = shard_sized(b->total, SHARD_BYTES(o->classes, o->bins));
            return true;
        }
    return false;
}

static shard_block shard_kind_of_slab(const acre_region *r, const acre_block *b, uint32_t entry)
{
    const shard_root *o = shard_root_of(r);
    uint32_t class = map_class(entry);
    if (class >= o->classes || entry != SHARD_CLASS_AT(class))
        return SHARD_WRONG;
    const shard_kind *k = &o->kind[class];
    uint64_t size = (uint64_t)k->frames * SHARD_FRAME - RB_HEADER;
    bool fits =
        k->first + (uint64_t)k->nodes * k->bytes <= size && k->words <= SHARD_WORDS && k->bytes;
    return fits && size <= b->size && shard_sized(b->total, size) ? SHARD_SLAB : SHARD_WRONG;
}

static shard_block shard_block_of(const acre_region *r, const acre_block *b)
{
    const shard_root *o = shard_root_of(r);
    bool sized =
        b->offset == SHARD_AT && b->used && shard_sized(b->total, SHARD_ROOT_BYTES(o->flat));
    if (b->offset == SHARD_AT)
        return sized ? SHARD_RESERVED : SHARD_WRONG;
    if (!b->used)
        return SHARD_DIRECT;
    if (shard_is_chunk(o, b, &sized) || shard_is_shard(o, b, &sized))
        return sized ? SHARD_RESERVED : SHARD_WRONG;
    uint32_t entry =
        b->offset % SHARD_FRAME ? 0 : acre__shard_map_entry(r, b->offset / SHARD_FRAME);
    return map_is_start(entry) ? shard_kind_of_slab(r, b, entry) : SHARD_DIRECT;
}

/* Of the slab that starts there. */
static uint32_t shard_class_at(const acre_region *r, uint64_t offset)
{
    return map_class(acre__shard_map_entry(r, offset / SHARD_FRAME));
}

/* The checksum of nothing but zeros is zero. */
static bool shard_sizes_sane(const shard_root *o)
{
    for (size_t i = 0; i < sizeof o->class_of / sizeof *o->class_of; i++) {
        uint32_t at = o->class_of[i], class = map_class(at);
        if (class > o->classes || at != SHARD_CLASS_AT(class))
            return false;
    }
    return true;
}

static bool shard_sane(const acre_region *r)
{
    const shard_root *o = shard_root_of(r);
    return r->size >= SHARD_MIN_SIZE && o->classes <= SHARD_CLASSES && o->flat <= SHARD_FLAT &&
           (o->bins == 0 || o->bins == SHELF_BINS) &&
           shard_inside(r, SHARD_AT, SHARD_ROOT_BYTES(o->flat)) &&
           acre__shard_checksum(o) == o->checksum && shard_sizes_sane(o) && !o->none.free && !o->none.remote;
}

/* shard_give() follows the flat map without looking. */
static bool shard_entry_sane(const shard_root *o, uint32_t frame, uint32_t entry)
{
    uint32_t class = map_class(entry), distance = map_distance(entry);
    return !entry || (class < o->classes && map_class_at(entry) == SHARD_CLASS_AT(class) &&
                      distance < o->kind[class].frames && distance <= frame);
}

static bool shard_map_sound(const acre_region *r)
{
    const shard_root *o = shard_root_of(r);
    uint64_t frames = (r->size + SHARD_FRAME - 1) / SHARD_FRAME;
    for (uint32_t i = 0; i < o->flat; i++)
        if (!shard_entry_sane(o, i, acre__peek(&o->flat_map[i])) ||
            (i >= frames && acre__peek(&o->flat_map[i])))
            return false;
    return true;
}

bool acre__shard_sound(const acre_region *r)
{
    return shard_sane(r) && shard_map_sound(r);
}

/* ---- walk, statistics ---- */

typedef struct shard_walk {
    const acre_region *r;
    acre_visit *visit;
    void *arg;
} shard_walk;

/* Nodes of the slab that are in some magazine. */
static void shard_cached(const acre_region *r, const slab *s, const shard_kind *k, uint32_t class,
                         uint64_t bits[SHARD_WORDS])
{
    uint32_t first = (uint32_t)(((uint64_t)((const char *)s - r->base) + k->first) / SHARD_UNIT);
    uint32_t step = k->bytes / SHARD_UNIT;
    const shard *t;
    memset(bits, 0, SHARD_WORDS * sizeof *bits);
    for (uint32_t i = 0; (t = shard_numbered(r, i)); i++) {
        const shard_class *c = &t->class[class];
        uint32_t n = acre__peek(&c->count);
        for (uint32_t e = 1; e <= n && e <= SHARD_ENTRIES; e++) {
            uint32_t d = acre__peek(&c->entry[e]) - first, index = d / step;
            if (d % step == 0 && index < k->nodes)
                bits[index / 64] |= (uint64_t)1 << index % 64;
        }
    }
}

static int shard_walk_slab(const shard_walk *w, const acre_block *b, uint32_t class)
{
    const shard_kind *k = &shard_root_of(w->r)->kind[class];
    const slab *s = slab_at(w->r, (uint32_t)(b->offset / SHARD_FRAME));
    uint64_t cached[SHARD_WORDS], at = b->offset + k->first;
    shard_cached(w->r, s, k, class, cached);
    for (uint32_t i = 0; i < k->nodes; i++, at += k->bytes) {
        const slab_word *word = &s->word[i / 64];
        uint64_t free = acre__peek(&word->free) | acre__peek(&word->remote) | cached[i / 64];
        int e = w->visit(w->arg, &(acre_block){at, k->bytes, k->bytes, !(free >> i % 64 & 1)});
        if (e)
            return e;
    }
    return 0;
}

/* What stands on a shelf is nobody's. */
static int shard_walk_direct(const shard_walk *w, const acre_block *b)
{
    acre_block seen = *b;
    seen.used &= !acre__shelf_has(w->r, w->r->base + b->offset, b->total / RB_UNIT);
    return w->visit(w->arg, &seen);
}

static int shard_walk_block(void *arg, const acre_block *b)
{
    const shard_walk *w = arg;
    shard_block kind = shard_block_of(w->r, b);
    if (kind == SHARD_SLAB)
        return shard_walk_slab(w, b, shard_class_at(w->r, b->offset));
    if (kind == SHARD_DIRECT)
        return shard_walk_direct(w, b);
    return kind == SHARD_WRONG ? ACRE_ECORRUPT : 0;
}

int acre__shard_walk(const acre_region *r, acre_visit *visit, void *arg)
{
    shard_walk w = {r, visit, arg};
    return shard_sane(r) ? acre__rbtree_best_fit.walk(r, shard_walk_block, &w) : ACRE_ECORRUPT;
}

typedef struct shard_sum {
    const acre_region *r;
    uint64_t nodes, free; /* bytes */
} shard_sum;

static int shard_sum_block(void *arg, const acre_block *b)
{
    shard_sum *sum = arg;
    if (!b->used || shard_block_of(sum->r, b) != SHARD_SLAB)
        return 0;
    const shard_kind *k = &shard_root_of(sum->r)->kind[shard_class_at(sum->r, b->offset)];
    const slab *s = slab_at(sum->r, (uint32_t)(b->offset / SHARD_FRAME));
    for (uint32_t i = 0; i < k->words; i++) {
        uint64_t free = acre__peek(&s->word[i].free) | acre__peek(&s->word[i].remote);
        sum->free += (uint64_t)__builtin_popcountll(free) * k->bytes;
    }
    sum->nodes += (uint64_t)k->nodes * k->bytes;
    return 0;
}

static uint64_t shard_shelved(const acre_region *r, const shard *t)
{
    const shelf_bin *b = shelf_of(r, t);
    uint64_t units = 0;
    for (uint32_t i = 0; i < shard_root_of(r)->bins; i++)
        for (uint32_t n = 0; n < acre__peek(&b[i].count) && n < SHELF_ROOM; n++)
            units += acre__peek(&b[i].units[n]);
    return units * RB_UNIT;
}

/* O(blocks): no thread counts for others.  root, map, shards, and of slabs what is not nodes, is
 * overhead. */
void acre__shard_stats(const acre_region *r, acre_stats *s)
{
    const shard_root *o = shard_root_of(r);
    shard_sum sum = {.r = r};
    const shard *t;
    acre__rbtree_best_fit.stats(r, s);
    if (!shard_sane(r) || acre__rbtree_best_fit.walk(r, shard_sum_block, &sum) != 0)
        return;
    for (uint32_t i = 0; (t = shard_numbered(r, i)); i++) {
        for (uint32_t c = 0; c < o->classes; c++)
            sum.free += (uint64_t)acre__peek(&t->class[c].count) * o->kind[c].bytes;
        sum.free += shard_shelved(r, t);
    }
    s->free_bytes += sum.free;
    s->overhead += o->taken * SHARD_UNIT - sum.nodes;
}

/* ---- check ---- */

typedef struct shard_found {
    const acre_region *r;
    const char *rule;
    uint64_t at;
    uint64_t taken, starts, behind;
    uint32_t chunks; /* used blocks that are chunks of the map */
    uint32_t shards; /* or shards */
    bool root;
    uint32_t direct[SHARD_CLASSES + 1];
} shard_found;

static int shard_fault(shard_found *f, const char *rule, uint64_t at)
{
    f->rule = rule;
    f->at = at;
    return ACRE_ECORRUPT;
}

/* It is in the ring of its place once, and the ring is linked both ways. */
static bool shard_in_ring(const acre_region *r, const shard *t, uint32_t frame)
{
    uint32_t met = 0, back = 0;
    for (uint32_t f = t->ring[frame % SHARD_RINGS], left = (uint32_t)(r->size / SHARD_FRAME);
         f && left; left--) {
        if (!shard_inside(r, (uint64_t)f * SHARD_FRAME, sizeof(slab)) ||
            f % SHARD_RINGS != frame % SHARD_RINGS || slab_at(r, f)->ring_back != back)
            return false;
        met += f == frame;
        back = f;
        f = slab_at(r, f)->ring_next;
    }
    return met == 1;
}

static bool shard_held(const shard *t)
{
    return !acre__ownerless(acre__load(&t->cell.word));
}

static int shard_check_words(shard_found *f, const slab *s, const shard_kind *k, const shard *t,
                             uint64_t at)
{
    uint64_t cached[SHARD_WORDS];
    shard_cached(f->r, s, k, s->class, cached);
    for (uint32_t i = 0; i < k->words; i++) {
        uint64_t free = acre__peek(&s->word[i].free), remote = acre__peek(&s->word[i].remote);
        if ((free | remote | cached[i]) & ~slab_mask(k, i))
            return shard_fault(f, "S4", at);
        bool calm = !shard_held(t) && !(acre__peek(&t->cell.word) & ACRE__D);
        if (calm && ((free & remote) || ((free | remote) & cached[i])))
            return shard_fault(f, free & remote ? "S4" : "S5", at);
    }
    return 0;
}

static int shard_check_slab(shard_found *f, const acre_block *b)
{
    const shard_root *o = shard_root_of(f->r);
    uint32_t frame = (uint32_t)(b->offset / SHARD_FRAME);
    uint32_t class = shard_class_at(f->r, b->offset);
    const slab *s = slab_at(f->r, frame);
    const shard *t = shard_numbered(f->r, s->owner);
    if (s->class != class || !t || t->number != s->owner || !shard_in_ring(f->r, t, frame))
        return shard_fault(f, "S4", b->offset);
    for (uint32_t i = 1; i < o->kind[class].frames; i++, f->behind++)
        if (acre__shard_map_entry(f->r, frame + i) != SHARD_CLASS_AT(class) + i)
            return shard_fault(f, "S3", b->offset);
    f->starts++;
    return shard_check_words(f, s, &o->kind[class], t, b->offset);
}

static int shard_check_block(void *arg, const acre_block *b)
{
    shard_found *f = arg;
    const shard_root *o = shard_root_of(f->r);
    bool sized;
    shard_block kind = shard_block_of(f->r, b);
    if (kind == SHARD_WRONG)
        return shard_fault(f, b->offset == SHARD_AT ? "S1" : "S3", b->offset);
    f->taken += kind == SHARD_DIRECT ? 0 : b->total / RB_UNIT;
    f->root |= b->offset == SHARD_AT;
    if (kind == SHARD_RESERVED && b->offset != SHARD_AT) {
        f->chunks += shard_is_chunk(o, b, &sized);
        f->shards += shard_is_shard(o, b, &sized);
    }
    if (kind == SHARD_DIRECT && b->used && b->size < o->largest + SHARD_UNIT)
        f->direct[map_class(o->class_of[b->size / SHARD_UNIT])]++;
    return kind == SHARD_SLAB ? shard_check_slab(f, b) : 0;
}

static void shard_count_entries(const uint16_t *at, uint64_t n, uint64_t *starts, uint64_t *behind)
{
    for (uint64_t i = 0; i < n; i++) {
        *starts += map_is_start(at[i]);
        *behind += map_distance(at[i]) != 0;
    }
}

/* All entries of the map that are not 0 belong to slabs that were met; all chunks and shards were. */
static int shard_check_tables(shard_found *f)
{
    const shard_root *o = shard_root_of(f->r);
    uint64_t starts = 0, behind = 0;
    uint32_t chunks = 0, shards = 0;
    shard_count_entries(o->flat_map, o->flat, &starts, &behind);
    for (uint32_t k = 0; k < SHARD_CHUNKS; k++) {
        chunks += o->chunk[k] != 0;
        if (shard_has_chunk(f->r, k))
            shard_count_entries((uint16_t *)(void *)(f->r->base + o->chunk[k]),
                                (uint64_t)SHARD_CHUNK << k, &starts, &behind);
    }
    for (uint32_t i = 0; i < SHARD_SHARDS; i++)
        if (o->shard_at[i] && (shards++ != i || !shard_numbered(f->r, i)))
            return shard_fault(f, "S2", SHARD_AT);
    if (chunks != f->chunks || shards != f->shards)
        return shard_fault(f, "S2", SHARD_AT);
    return starts == f->starts && behind == f->behind ? 0 : shard_fault(f, "S3", SHARD_AT);
}

static bool shard_shelf_entry_sound(const acre_region *r, const shelf_bin *b, uint32_t bin,
                                    uint32_t n)
{
    const char *p = r->base + (uint64_t)b->unit[n] * RB_UNIT;
    if (shelf_bin_of(b->units[n]) != bin || acre__rb_live(r, p) != b->units[n])
        return false;
    for (uint32_t i = 0; i < n; i++)
        if (b->unit[i] == b->unit[n])
            return false;
    return true;
}

static int shard_check_shelf(shard_found *f, const shard *t)
{
    const shelf_bin *b = shelf_of(f->r, t);
    for (uint32_t i = 0; i < shard_root_of(f->r)->bins; i++)
        for (uint32_t n = 0; n < b[i].count; n++)
            if (n == SHELF_ROOM || !shard_shelf_entry_sound(f->r, &b[i], i, n))
                return shard_fault(f, "S6", (uint64_t)((const char *)t - f->r->base));
    return 0;
}

/* S4, S5, S6 of a shard that nobody holds. */
static int shard_check_shard(shard_found *f, const shard *t)
{
    const shard_root *o = shard_root_of(f->r);
    uint64_t at = (uint64_t)((const char *)t - f->r->base);
    for (uint32_t i = 0; i < SHARD_RINGS; i++)
        if (t->ring[i] &&
            (t->ring[i] % SHARD_RINGS != i || !acre__slab_sane(f->r, t->ring[i], t->number)))
            return shard_fault(f, "S4", at);
    for (uint32_t i = 0; i <= o->classes; i++) { /* the last one has no nodes */
        const shard_class *c = &t->class[i];
        if (c->count > SHARD_ENTRIES)
            return shard_fault(f, "S5", at);
        for (uint32_t e = 1; e <= c->count; e++) {
            shard_place p = shard_find(f->r, shard_node(f->r, c->entry[e]));
            if (!p.slab || p.class != i || !p.start)
                return shard_fault(f, "S5", at);
        }
    }
    return shard_check_shelf(f, t);
}

static int shard_check_shards(shard_found *f)
{
    const shard *t;
    int e = 0;
    for (uint32_t i = 0; !e && (t = shard_numbered(f->r, i)); i++)
        if (t->number != i)
            e = shard_fault(f, "S2", SHARD_AT);
        else if (!shard_held(t))
            e = shard_check_shard(f, t);
    return e;
}

static int shard_check_direct(shard_found *f)
{
    const shard_root *o = shard_root_of(f->r);
    for (uint32_t i = 0; i < o->classes; i++)
        if (o->direct[i] != f->direct[i])
            return shard_fault(f, "S7", SHARD_AT);
    return f->taken == o->taken ? 0 : shard_fault(f, "S7", SHARD_AT);
}

static int shard_check_all(shard_found *f)
{
    int e = shard_sane(f->r) ? acre__rbtree_best_fit.walk(f->r, shard_check_block, f)
                             : shard_fault(f, "S1", SHARD_AT);
    if (!e)
        e = f->root ? shard_check_tables(f) : shard_fault(f, "S1", SHARD_AT);
    if (!e)
        e = shard_check_shards(f);
    return e ? e : shard_check_direct(f);
}

int acre__shard_check(const acre_region *r, acre_damage *d)
{
    shard_found f = {.r = r, .rule = "S1"};
    if (r->size >= SHARD_MIN_SIZE && acre__rbtree_best_fit.check(r, d) != 0)
        return ACRE_ECORRUPT;
    if (shard_check_all(&f) == 0)
        return 0;
    *d = (acre_damage){f.at, f.rule};
    return ACRE_ECORRUPT;
}

/* ---- recovery of the house ---- */

/* In a damaged image a chunk of the map may lie over the constants, and be written to meanwhile. */
static void shard_recover_direct(shard_root *o, uint64_t size)
{
    bool small = size < SHARD_MOST + SHARD_UNIT;
    uint32_t class = small ? map_class(o->class_of[size / SHARD_UNIT]) : SHARD_CLASSES;
    if (class < SHARD_CLASSES)
        o->direct[class]++;
}

static int shard_recover_block(void *arg, const acre_block *b)
{
    const acre_region *r = arg;
    shard_root *o = shard_root_of(r);
    shard_block kind = shard_block_of(r, b);
    if (kind == SHARD_WRONG)
        return ACRE_ECORRUPT;
    if (kind == SHARD_DIRECT && b->used && b->size < o->largest + SHARD_UNIT)
        shard_recover_direct(o, b->size);
    o->taken += kind == SHARD_DIRECT ? 0 : b->total / RB_UNIT;
    if (kind != SHARD_SLAB)
        return 0;
    uint32_t frame = (uint32_t)(b->offset / SHARD_FRAME);
    uint32_t start = acre__shard_map_entry(r, frame);
    for (uint32_t i = 1; i < o->kind[map_class(start)].frames; i++)
        if (acre__shard_map_entry(r, frame + i) != start + i && shard_map(r, frame + i))
            acre__put(shard_map(r, frame + i), (uint16_t)(start + i));
    return 0;
}

/* Entries behind a start that no slab has: of one whose birth or end was undone or half done. */
static void shard_recover_entries(const acre_region *r, uint64_t first, uint64_t n)
{
    for (uint64_t f = first; f < first + n; f++) {
        uint32_t entry = acre__shard_map_entry(r, f), distance = map_distance(entry);
        if (!distance)
            continue;
        uint32_t start = distance <= f ? acre__shard_map_entry(r, f - distance) : 0;
        uint32_t class = map_class(start);
        if (start != map_class_at(entry) || class >= shard_root_of(r)->classes ||
            distance >= shard_root_of(r)->kind[class].frames)
            acre__put(shard_map(r, f), (uint16_t)0);
    }
}

/* Other threads go on meanwhile: only what is wrong is changed.  Stops at what no kill leaves behind;
 * check() will say so. */
void acre__shard_recover(acre_region *r)
{
    shard_root *o = shard_root_of(r);
    acre__rbtree_best_fit.recover(r);
    if (!shard_sane(r))
        return;
    o->taken = 0;
    memset(o->direct, 0, sizeof o->direct);
    shard_recover_entries(r, 0, o->flat);
    for (uint64_t k = 0; k < SHARD_CHUNKS; k++)
        if (shard_has_chunk(r, k))
            shard_recover_entries(r, o->flat + shard_chunk_first(k), (uint64_t)SHARD_CHUNK << k);
    acre__rbtree_best_fit.walk(r, shard_recover_block, r);
}
