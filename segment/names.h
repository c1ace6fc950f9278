/* SPDX-License-Identifier: MIT */
/* names.h: what the files of objects and indexes share.
 *
 *     object.c         make, end: one entry's way through the stages
 *     object_find.c    find, tell, iterate
 *     names.c          the lock, recovery
 *     names_key.h      names, hashes, comparing
 *     index_*.c        one kind of index each: a names_index
 */
#ifndef ACRE_SEGMENT_NAMES_H
#define ACRE_SEGMENT_NAMES_H

#include "segment/internal.h"
#include "sync/atomic.h"
#include <acre/object.h>

#include <errno.h>

/* Who finds without the lock reads what may meanwhile be freed and another's, and finds out afterwards:
 * nothing for the thread sanitizer. */
#define NAMES_LOOKS __attribute__((no_sanitize("thread")))

/* What is looked for. */
typedef struct names_key {
    const char *name;
    size_t length;
    uint64_t hash;
    uint64_t shape; /* NAMES_SHAPE without type */
} names_key;

/* What was found is so as long as *word is value. */
typedef struct names_proof {
    const uint64_t *word;
    uint64_t value;
} names_proof;

/* One kind of index: a set of entries.  insert … recover: with the lock.  find, next: with or without;
 * 0, ENOENT, or EAGAIN: cannot be told at present (or, with the lock: it is damaged). */
typedef struct names_index {
    unsigned (*links)(uint64_t hash);                /* words that an entry needs; NULL: none */
    int (*insert)(acre_segment *s, acre_off entry);  /* the store of one word; ENOMEM, ACRE_ECORRUPT */
    void (*remove)(acre_segment *s, acre_off entry); /* if it is in; outdates what was read of it */
    bool (*contains)(acre_segment *s, acre_off entry);
    void (*settle)(acre_segment *s); /* after an insert: grow, if that is due and possible */
    int (*reserve)(acre_segment *s, uint64_t n);
    int (*shrink)(acre_segment *s);
    int (*recover)(acre_segment *s); /* make whole what a dead one was changing */
    int (*find)(acre_segment *s, const names_key *k, acre_off *entry, names_proof *proof);
    int (*next)(acre_segment *s, const acre_cursor *c, acre_off *entry, names_proof *proof);
} names_index;

extern const names_index acre__index_hash, acre__index_ordered, acre__index_flat;

static inline segment_names *names_of(const acre_segment *s)
{
    return &((segment_directory *)(void *)(s->base + SEGMENT_HEADER))->names;
}

/* ---- offsets that cannot be trusted ---- */

/* Bytes that are there. */
static inline uint64_t names_reach(const acre_segment *s)
{
    uint64_t size = acre__peek(&segment_header_of(s)->size);
    return size < s->window ? size : s->window;
}

/* What may be looked at: `room` bytes from the offset `low` on, where the heap's region begins; `entries` blocks in
 * them are long enough for an entry. */
typedef struct names_view {
    char *base;
    uint64_t low, room, entries;
} names_view;

/* (There is room for one entry, as was checked when the segment was opened, whatever its header says since.) */
static inline __attribute__((always_inline)) names_view names_look(const acre_segment *s)
{
    uint64_t low = (uint64_t)(s->heap.region.base - s->base), reach = names_reach(s), least = sizeof(names_entry);
    uint64_t room = (reach > low + least ? reach : low + least) - low;
    return (names_view){s->base, low, room, (room - least) / ACRE_ALIGN_MIN + 1};
}

static inline bool names_sees(const names_view *v, acre_off at, uint64_t bytes)
{
    return bytes <= v->room && at - v->low <= v->room - bytes;
}

static inline bool names_inside(const acre_segment *s, acre_off at, uint64_t bytes)
{
    names_view v = names_look(s);
    return names_sees(&v, at, bytes);
}

/* Which of a row of things of 2^log2 bytes the offset is the beginning of; of none: more than there can be. */
static inline uint64_t names_which(uint64_t at, unsigned log2)
{
    return at >> log2 | at << (64 - log2);
}

/* NULL: there can be no entry. */
static inline names_entry *names_entry_in(const names_view *v, acre_off at)
{
    bool sane = names_which(at - v->low, 4) < v->entries;
    return sane ? (names_entry *)(void *)(v->base + at) : NULL;
}

static inline names_entry *names_entry_at(const acre_segment *s, acre_off at)
{
    names_view v = names_look(s);
    return names_entry_in(&v, at);
}

/* One that was checked, or made, in this call. */
static inline names_entry *names_entry_of(const acre_segment *s, acre_off at)
{
    return (names_entry *)(void *)(s->base + at);
}

/* How many entries a walk may meet, the directory not being trusted: twice what it says, and some that
 * came meanwhile; never more than there is room for. */
static inline uint64_t names_most_steps(const acre_segment *s)
{
    const segment_names *n = names_of(s);
    uint64_t room = names_reach(s) / sizeof(names_entry);
    uint64_t said = acre__peek(&n->named) + acre__peek(&n->unique);
    return said > room / 2 ? room : said * 2 + 1024;
}

/* Bytes of a text in words. */
static inline uint64_t names_padded(uint64_t length)
{
    return (length & ~(uint64_t)7) + 8;
}

static inline uint32_t names_name_length(uint64_t shape)
{
    return (uint32_t)shape;
}

static inline uint32_t names_type_length(uint64_t shape)
{
    return (uint32_t)(shape >> 32 & 0xffff);
}

static inline uint32_t names_kind(uint64_t shape)
{
    return (uint32_t)(shape >> 56);
}

/* Bytes of the entry's texts. */
static inline uint64_t names_text_bytes(uint64_t shape)
{
    uint32_t type = names_type_length(shape);
    return names_padded(names_name_length(shape)) + (type ? names_padded(type) : 0);
}

/* What was read of an entry is outdated. */
static inline void names_outdate(segment_names *n, unsigned stripe)
{
    if (!ACRE_BUG_IS(121))
        acre__store(&n->version[stripe], n->version[stripe] + 1);
    acre__after_mark(); /* before anything else happens to the entry */
}

/* What was read before this still holds.  (Who inserts stores the same value anew: whoever finds an entry has then
 * seen what was written before it, also as the thread sanitizer sees it.) */
static inline bool names_holds(const names_proof *p)
{
    acre__before_look();
    return acre__load(p->word) == p->value;
}

/* ---- names.c ---- */

/* The index's kind, from a new or a sound segment. */
void acre__names_create(acre_segment *s, uint32_t index);
int acre__names_attach(acre_segment *s);

/* Take the lock; the outermost time recover.  ENOTSUP, EROFS and the lock's; acre__names_enter_try: EBUSY. */
int acre__names_enter(acre_segment *s);
int acre__names_enter_try(acre_segment *s);
void acre__names_leave(acre_segment *s);

/* The count that an object of this kind is one of; NULL: of none. */
static inline uint64_t *names_count_of(segment_names *n, uint32_t kind)
{
    return kind == ACRE_OBJECT_NAMED ? &n->named : kind == ACRE_OBJECT_UNIQUE ? &n->unique : NULL;
}

/* A slot in the segment, or NULL. */
acre_off *acre__names_slot(const acre_segment *s, acre_off at);

/* Steps of an entry's life; see names.c. */
void acre__names_push_fresh(acre_segment *s);
int acre__names_link(acre_segment *s, acre_off entry); /* the first under work: it is complete */
void acre__names_take_out(acre_segment *s, acre_off entry, acre_off slot);
int acre__names_free_first(acre_segment *s);

#endif
