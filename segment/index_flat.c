/* SPDX-License-Identifier: MIT */
/* index_flat.c: one array of offsets in the order of names.
 *
 *     link[0] ──▶ [ room | a b c d | - - - ]     link[1] = 4
 *     link[2], link[3]: the next array, and the last one, while it moves
 *
 * Every store of a change leaves each entry in the array at least once:
 *
 *     insert b   a c d ─ ▸ a c d d ▸ a c c d ▸ a b c d          remove b   a b c d ▸ a c c d ▸ a c d d ▸ a c d
 *
 * so that recovery has but to take out an entry that stands there twice.  Who reads without the lock and
 * does not find looks whether the array was being moved; then it takes the lock.
 */
#include "segment/names_key.h"

enum { FLAT_ARRAY, FLAT_COUNT, FLAT_NEW, FLAT_OLD, FLAT_LEAST = 15 };

/* NULL: there is none, or it is damaged. */
static inline __attribute__((always_inline)) acre_off *flat_array(const acre_segment *s, uint64_t *room)
{
    acre_off at = acre__load(&names_of(s)->link[FLAT_ARRAY]);
    if (at % sizeof(acre_off) || !names_inside(s, at, sizeof(acre_off)))
        return NULL;
    acre_off *array = (acre_off *)(void *)(s->base + at);
    *room = acre__peek(array);
    bool sane = *room < ACRE_SIZE_MAX && names_inside(s, at, (*room + 1) * sizeof(acre_off));
    return sane ? array + 1 : NULL;
}

/* How many of the entries are before the key (`behind`: not behind it).  EAGAIN: damaged, or changed meanwhile. */
NAMES_LOOKS static int flat_seek(const acre_segment *s, const names_key *k, bool behind, uint64_t *place,
                                 acre_off *entry, int *sign)
{
    uint64_t low = 0, high = acre__load(&names_of(s)->link[FLAT_COUNT]), room = 0;
    const acre_off *array = high ? flat_array(s, &room) : NULL;
    *entry = 0;
    *sign = 1;
    if (high && (!array || high > room))
        return EAGAIN;
    while (low < high) {
        uint64_t middle = low + (high - low) / 2;
        acre_off at = acre__load(&array[middle]);
        int seen = key_compare(s, at, k);
        if (seen == KEY_UNSURE)
            return EAGAIN;
        if (seen > 0 || (seen == 0 && !behind)) {
            high = middle;
            *entry = at;
            *sign = seen;
        } else
            low = middle + 1;
    }
    *place = low;
    return 0;
}

/* ---- without the lock ---- */

NAMES_LOOKS static int flat_look(acre_segment *s, const names_key *k, bool behind, acre_off *entry, names_proof *proof)
{
    const segment_names *n = names_of(s);
    uint64_t place;
    int sign;
    proof->word = &n->version[0];
    proof->value = acre__load(proof->word);
    uint64_t changes = acre__load(&n->changes);
    int e = flat_seek(s, k, behind, &place, entry, &sign);
    if (e)
        return e;
    if (!behind && *entry && sign == 0)
        return 0;
    if (changes % 2 || !names_holds(proof) || acre__load(&n->changes) != changes)
        return EAGAIN;
    return behind && *entry ? 0 : ENOENT;
}

static int flat_find(acre_segment *s, const names_key *k, acre_off *entry, names_proof *proof)
{
    return flat_look(s, k, false, entry, proof);
}

static int flat_next(acre_segment *s, const acre_cursor *c, acre_off *entry, names_proof *proof)
{
    names_key k = key_at(c);
    return flat_look(s, &k, true, entry, proof);
}

/* ---- with it ---- */

static void flat_put(acre_off *word, acre_off value)
{
    acre__order();
    acre__store(word, value);
    acre__order();
}

static void flat_mark(segment_names *n)
{
    acre__store(&n->changes, n->changes + 1);
    acre__after_mark();
}

/* The array is link[NEW] from now on.  link[OLD] goes. */
static int flat_switch(acre_segment *s)
{
    acre_off *link = names_of(s)->link;
    flat_put(&link[FLAT_OLD], link[FLAT_ARRAY]);
    flat_put(&link[FLAT_ARRAY], link[FLAT_NEW]);
    flat_put(&link[FLAT_NEW], 0);
    names_outdate(names_of(s), 0);
    return acre_free_from(&s->heap, &link[FLAT_OLD]);
}

static int flat_resize(acre_segment *s, uint64_t room)
{
    acre_off *link = names_of(s)->link;
    uint64_t had = 0, count = link[FLAT_COUNT];
    const acre_off *old = flat_array(s, &had);
    if ((count && !old) || count > had || room < count)
        return ACRE_ECORRUPT;
    int e = room < ACRE_SIZE_MAX / 8 ? acre_alloc_into(&s->heap, &link[FLAT_NEW], (room + 1) * sizeof *old) : ENOMEM;
    if (e)
        return e;
    acre_off *array = (acre_off *)(void *)(s->base + link[FLAT_NEW]);
    acre__put(array, room);
    for (uint64_t i = 0; i < count; i++)
        acre__put(&array[i + 1], old[i]);
    return flat_switch(s);
}

static int flat_make_room(acre_segment *s)
{
    const acre_off *link = names_of(s)->link;
    uint64_t room = 0;
    bool any = flat_array(s, &room);
    if (link[FLAT_ARRAY] && !any)
        return ACRE_ECORRUPT;
    return link[FLAT_COUNT] < room ? 0 : flat_resize(s, room ? room + room / 2 + 1 : FLAT_LEAST);
}

/* Make room at `place` by moving what is behind it, last one first. */
static void flat_open(acre_off *array, uint64_t *count, uint64_t place, acre_off entry)
{
    uint64_t i = *count;
    if (i == place)
        flat_put(&array[i], entry);
    else if (!ACRE_BUG_IS(119))
        flat_put(&array[i], array[i - 1]);
    flat_put(count, i + 1);
    if (ACRE_BUG_IS(119) && i > place)
        flat_put(&array[i], array[i - 1]);
    if (i == place)
        return;
    for (i--; i > place; i--)
        flat_put(&array[i], array[i - 1]);
    flat_put(&array[place], entry);
}

static void flat_close(acre_off *array, uint64_t *count, uint64_t place)
{
    for (uint64_t i = place; i + 1 < *count; i++)
        flat_put(&array[i], array[i + 1]);
    flat_put(count, *count - 1);
}

/* Where the entry is, or would be.  NULL: damaged. */
static acre_off *flat_seek_entry(acre_segment *s, acre_off at, uint64_t *place, acre_off *found)
{
    uint64_t room = 0;
    int sign;
    names_key k;
    acre_off *array = key_of(s, at, &k) ? flat_array(s, &room) : NULL;
    return array && flat_seek(s, &k, false, place, found, &sign) == 0 ? array : NULL;
}

static int flat_insert(acre_segment *s, acre_off at)
{
    segment_names *n = names_of(s);
    acre_off found;
    uint64_t place;
    int e = flat_make_room(s);
    if (e)
        return e;
    acre_off *array = flat_seek_entry(s, at, &place, &found);
    if (!array)
        return ACRE_ECORRUPT;
    flat_mark(n);
    flat_open(array, &n->link[FLAT_COUNT], place, at);
    flat_mark(n);
    acre__store(&n->version[0], n->version[0]); /* see names_holds() */
    return 0;
}

static void flat_remove(acre_segment *s, acre_off at)
{
    segment_names *n = names_of(s);
    acre_off found = 0;
    uint64_t place;
    acre_off *array = flat_seek_entry(s, at, &place, &found);
    if (array && found == at) {
        flat_mark(n);
        flat_close(array, &n->link[FLAT_COUNT], place);
        flat_mark(n);
    }
    names_outdate(n, 0);
}

static bool flat_contains(acre_segment *s, acre_off at)
{
    acre_off found = 0;
    uint64_t place;
    return flat_seek_entry(s, at, &place, &found) && found == at;
}

static void flat_settle(acre_segment *s)
{
    (void)s;
}

static int flat_reserve(acre_segment *s, uint64_t n)
{
    uint64_t room = 0;
    flat_array(s, &room);
    return n > room ? flat_resize(s, n) : 0;
}

static int flat_shrink(acre_segment *s)
{
    const acre_off *link = names_of(s)->link;
    uint64_t room = 0, count = link[FLAT_COUNT];
    flat_array(s, &room);
    if (!count)
        return flat_switch(s);
    return room > count ? flat_resize(s, count) : 0;
}

/* An entry that stands there twice is so once. */
static int flat_mend(acre_segment *s)
{
    uint64_t room = 0, *count = &names_of(s)->link[FLAT_COUNT];
    acre_off *array = flat_array(s, &room);
    if (*count && (!array || *count > room))
        return ACRE_ECORRUPT;
    for (uint64_t i = 0; i + 1 < *count; i++)
        if (array[i] == array[i + 1]) {
            flat_close(array, count, i);
            break;
        }
    flat_mark(names_of(s));
    return 0;
}

static int flat_recover(acre_segment *s)
{
    segment_names *n = names_of(s);
    acre_off *link = n->link;
    int e = n->changes % 2 ? flat_mend(s) : 0;
    names_outdate(n, 0);
    if (link[FLAT_OLD] == link[FLAT_ARRAY])
        flat_put(&link[FLAT_OLD], 0);
    if (link[FLAT_NEW] == link[FLAT_ARRAY])
        flat_put(&link[FLAT_NEW], 0);
    if (!e)
        e = acre_free_from(&s->heap, &link[FLAT_NEW]);
    return e ? e : acre_free_from(&s->heap, &link[FLAT_OLD]);
}

const names_index acre__index_flat = {
    .insert = flat_insert,
    .remove = flat_remove,
    .contains = flat_contains,
    .settle = flat_settle,
    .reserve = flat_reserve,
    .shrink = flat_shrink,
    .recover = flat_recover,
    .find = flat_find,
    .next = flat_next,
};
