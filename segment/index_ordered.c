/* SPDX-License-Identifier: MIT */
/* index_ordered.c: a skip list (W. Pugh, Skip Lists: A Probabilistic Alternative to Balanced Trees, CACM
 * 1990) in the order of names.  A quarter of the entries has a second link, a quarter of these a third …;
 * the name's hash decides.
 *
 *     link[2] ──────────────────▶ c ───────────────────▶ 0
 *     link[1] ───────▶ b ───────▶ c ───────────────────▶ 0
 *     link[0] ──▶ a ──▶ b ──▶ … ─▶ c ──▶ d ──▶ e … ────▶ 0
 *
 * The lowest list is the truth, the others are short cuts: an entry comes first into the lowest one and
 * leaves it last, so that the stores of a change are valid lists each, and a death needs no repair.
 */
#include "segment/names_key.h"

enum { ORDERED_LEVELS = 16 };

/* The link of each level that leads to the first entry that is not before the key. */
typedef struct ordered_path {
    acre_off *link[ORDERED_LEVELS];
} ordered_path;

static unsigned ordered_links(uint64_t hash)
{
    unsigned n = (unsigned)__builtin_ctzll(hash | (uint64_t)1 << 63) / 2;
    return n < ORDERED_LEVELS - 1 ? n : ORDERED_LEVELS - 1;
}

/* A node's link of that level; node 0 is the list's head.  NULL: it has none. */
static inline __attribute__((always_inline)) acre_off *ordered_link(const acre_segment *s, acre_off node,
                                                                    unsigned level)
{
    if (!node)
        return &names_of(s)->link[level];
    names_entry *e = names_entry_at(s, node);
    if (!e || level == 0)
        return e ? &e->next : NULL;
    uint64_t text = names_text_bytes(acre__peek(&e->shape)), links = acre__peek(&e->links);
    bool sane = level <= links && names_inside(s, node, sizeof *e + text + links * sizeof(acre_off));
    return sane ? &e->text[text / sizeof(uint64_t) + level - 1] : NULL;
}

/* Go down to the first entry that is not before the key (`behind`: that is behind it).  Its place in the order in
 * *sign.  path may be NULL.  EAGAIN: damaged, or changed meanwhile. */
NAMES_LOOKS static int ordered_seek(const acre_segment *s, const names_key *k, bool behind, acre_off *entry, int *sign,
                                    ordered_path *path)
{
    acre_off node = 0, next = 0, known = 0; /* known: is not before it, as the level above told */
    uint64_t steps = 0, most = names_most_steps(s);
    int order = 1;
    for (unsigned level = ORDERED_LEVELS; level--;) {
        acre_off *link = ordered_link(s, node, level);
        for (; link && (next = acre__load(link)) && next != known; link = ordered_link(s, node, level)) {
            int seen = key_compare(s, next, k);
            if (seen == KEY_UNSURE || steps++ > most)
                return EAGAIN;
            if (seen > 0 || (seen == 0 && !behind)) {
                known = next;
                order = seen;
                break;
            }
            node = next;
        }
        if (!link)
            return EAGAIN;
        if (path)
            path->link[level] = link;
    }
    *entry = next;
    *sign = order;
    return 0;
}

/* ---- without the lock ---- */

NAMES_LOOKS static int ordered_look(acre_segment *s, const names_key *k, bool behind, acre_off *entry,
                                    names_proof *proof)
{
    int sign;
    proof->word = &names_of(s)->version[0];
    proof->value = acre__load(proof->word);
    int e = ordered_seek(s, k, behind, entry, &sign, NULL);
    if (e)
        return e;
    if (*entry && (behind || sign == 0))
        return 0;
    return names_holds(proof) ? ENOENT : EAGAIN;
}

static int ordered_find(acre_segment *s, const names_key *k, acre_off *entry, names_proof *proof)
{
    return ordered_look(s, k, false, entry, proof);
}

static int ordered_next(acre_segment *s, const acre_cursor *c, acre_off *entry, names_proof *proof)
{
    names_key k = key_at(c);
    return ordered_look(s, &k, true, entry, proof);
}

/* ---- with it ---- */

static bool ordered_seek_entry(acre_segment *s, acre_off at, ordered_path *path)
{
    acre_off found;
    int sign;
    names_key k;
    return key_of(s, at, &k) && ordered_seek(s, &k, false, &found, &sign, path) == 0;
}

static int ordered_insert(acre_segment *s, acre_off at)
{
    ordered_path path;
    unsigned links = names_entry_of(s, at)->links;
    uint64_t *version = &names_of(s)->version[0];
    if (links >= ORDERED_LEVELS || !ordered_seek_entry(s, at, &path))
        return ACRE_ECORRUPT;
    for (unsigned level = 0; level <= links; level++)
        acre__put(ordered_link(s, at, level), *path.link[level]);
    for (unsigned level = 0; level <= links; level++)
        acre__store(path.link[level], at);
    acre__store(version, *version); /* see names_holds() */
    return 0;
}

static void ordered_remove(acre_segment *s, acre_off at)
{
    ordered_path path;
    bool sane = ordered_seek_entry(s, at, &path);
    for (unsigned level = ORDERED_LEVELS; sane && level--;) {
        const acre_off *link = ordered_link(s, at, level);
        if (*path.link[level] == at && link)
            acre__store(path.link[level], *link);
    }
    names_outdate(names_of(s), 0);
}

static bool ordered_contains(acre_segment *s, acre_off at)
{
    ordered_path path;
    return ordered_seek_entry(s, at, &path) && *path.link[0] == at;
}

/* It has no memory of its own. */
static void ordered_settle(acre_segment *s)
{
    (void)s;
}

static int ordered_reserve(acre_segment *s, uint64_t n)
{
    (void)s, (void)n;
    return 0;
}

static int ordered_nothing(acre_segment *s)
{
    (void)s;
    return 0;
}

const names_index acre__index_ordered = {
    .links = ordered_links,
    .insert = ordered_insert,
    .remove = ordered_remove,
    .contains = ordered_contains,
    .settle = ordered_settle,
    .reserve = ordered_reserve,
    .shrink = ordered_nothing,
    .recover = ordered_nothing,
    .find = ordered_find,
    .next = ordered_next,
};
