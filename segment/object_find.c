/* SPDX-License-Identifier: MIT */
/* object_find.c: finding objects, telling what they are, visiting them.
 *
 * Without the lock: the index is read, the entry is read, and then it is asked whether anything was taken
 * out of that part of the index meanwhile (names_proof).  If not, what was read was an entry all the time.
 * If so, what was read may have been anything, and it is read again.
 */
#include "segment/index_hash.h"
#include "segment/object.h"
#include "sync/bug.h"

#include <stdlib.h>

/* Readings before a look gives up, and takes the lock if it can.  A running writer is out of the way after some. */
enum { FIND_TURNS = 200 };

/* The thread sanitizer is to see loads that order and not to see those that the proof judges, which takes functions of
 * their own. */
#ifdef __SANITIZE_THREAD__
#define FIND_INLINE NAMES_LOOKS
enum { FIND_AT_ONCE = 0 };
#else
#define FIND_INLINE inline __attribute__((always_inline))
enum { FIND_AT_ONCE = 1 };
#endif

/* ---- an entry ---- */

static FIND_INLINE bool find_see(const names_view *v, acre_off at, object_seen *seen)
{
    names_entry *e = names_entry_in(v, at);
    if (!e)
        return false;
    uint64_t bytes, distance = acre__peek(&e->distance);
    *seen = (object_seen){at,
                          e,
                          acre__peek(&e->hash),
                          acre__peek(&e->shape),
                          acre__peek(&e->size),
                          acre__peek(&e->count),
                          acre__peek(&e->align),
                          (char *)e + distance};
    return distance % sizeof(names_tag) == 0 &&
           distance >= sizeof *e + names_text_bytes(seen->shape) + sizeof(names_tag) && seen->align < 32 &&
           !__builtin_mul_overflow(seen->size, seen->count, &bytes) && bytes <= v->room &&
           at - v->low + distance + bytes <= v->room;
}

bool acre__object_see(const acre_segment *s, acre_off at, object_seen *seen)
{
    names_view v = names_look(s);
    return find_see(&v, at, seen);
}

static FIND_INLINE bool find_type_is(const object_seen *seen, const acre_type *t)
{
    uint32_t length = names_type_length(seen->shape);
    const uint64_t *text = length ? object_type_text(seen->entry, seen->shape) : seen->entry->text;
    length = length ? length : names_name_length(seen->shape);
    return seen->size == t->size && (size_t)1 << seen->align == object_type_align(t) &&
           object_type_length(t) == length && key_is(text, t->name, length);
}

bool acre__object_type_is(const object_seen *seen, const acre_type *t)
{
    return find_type_is(seen, t);
}

int acre__object_at(const acre_segment *s, acre_off object, object_seen *seen)
{
    if (object % sizeof(names_tag) ||
        !names_inside(s, object - sizeof(names_tag), sizeof(names_tag)))
        return ACRE_EINVALID;
    names_tag tag = *object_tag(s, object);
    if (tag.magic != object_magic(s, object) || tag.distance > object)
        return ACRE_EINVALID;
    bool seen_well = acre__object_see(s, object - tag.distance, seen);
    return seen_well && seen->entry->distance == tag.distance ? 0 : ACRE_EINVALID;
}

/* ---- finding ---- */

static FIND_INLINE int find_judge(const object_seen *seen, const acre_type *t)
{
    return t && !find_type_is(seen, t) ? ACRE_EOTHERTYPE : 0;
}

/* One reading. */
static int find_once(acre_segment *s, const names_key *k, const acre_type *t, object_seen *seen)
{
    names_proof proof;
    acre_off at;
    int e = s->index->find(s, k, &at, &proof);
    if (e)
        return e;
    e = acre__object_see(s, at, seen) ? find_judge(seen, t) : EAGAIN;
    return names_holds(&proof) ? e : EAGAIN;
}

/* Of the hash index one reading in line, without anything in memory that can be in a register.  EAGAIN: something is
 * not as it mostly is. */
static FIND_INLINE int find_fast(const acre_segment *s, const names_key *k, const acre_type *t,
                                             object_seen *seen)
{
    names_proof proof;
    acre_off at;
    names_view v = names_look(s);
    bool hashed = s->index == &acre__index_hash && FIND_AT_ONCE;
    int e = hashed ? hash_first(s, &v, k->hash, &at, &proof) : EAGAIN;
    if (e)
        return e;
    if (!find_see(&v, at, seen) || NAMES_KEY_SHAPE(seen->shape) != k->shape ||
        (!ACRE_BUG_IS(150) && !key_is(seen->entry->text, k->name, k->length)))
        return EAGAIN;
    e = find_judge(seen, t);
    return names_holds(&proof) ? e : EAGAIN;
}

int acre__object_look(acre_segment *s, const names_key *k, const acre_type *t, object_seen *seen)
{
    int e = find_fast(s, k, t, seen);
    if (e == EAGAIN)
        e = find_once(s, k, t, seen);
    return e == EAGAIN ? ACRE_ECORRUPT : e;
}

/* Until nothing comes between. */
static int find_often(acre_segment *s, const names_key *k, const acre_type *t, object_seen *seen)
{
    int e = find_once(s, k, t, seen);
    for (int turn = 0; turn < FIND_TURNS && e == EAGAIN; turn++) {
        acre__pause();
        e = find_once(s, k, t, seen);
    }
    return e;
}

static int find_surely(acre_segment *s, const names_key *k, const acre_type *t, object_seen *seen)
{
    int e = find_often(s, k, t, seen);
    if (e != EAGAIN || s->read_only)
        return e;
    e = acre__names_enter(s);
    if (e)
        return e;
    e = acre__object_look(s, k, t, seen);
    acre__names_leave(s);
    return e;
}

static inline int find_answer(const object_seen *seen, void **out, size_t *count)
{
    if (out)
        *out = seen->address;
    if (count)
        *count = seen->count;
    return 0;
}

static __attribute__((noinline)) int find_slowly(acre_segment *s, const acre_type *t, uint32_t kind, const char *name,
                                                 size_t length, void **out, size_t *count)
{
    object_seen seen;
    names_key k = key_make(s, kind, name, length);
    int e = find_surely(s, &k, t, &seen);
    return e ? e : find_answer(&seen, out, count);
}

static FIND_INLINE int find_object(acre_segment *s, const acre_type *t, uint32_t kind, const char *name, size_t length,
                                   void **out, size_t *count)
{
    object_seen seen = {0};
    int e = object_name_check(s, name, length);
    if (e)
        return e;
    names_key k = key_make(s, kind, name, length);
    e = find_fast(s, &k, t, &seen);
    if (e == EAGAIN)
        return find_slowly(s, t, kind, name, length, out, count);
    return e ? e : find_answer(&seen, out, count);
}

int acre__object_find(acre_segment *s, const acre_type *t, uint32_t kind, const char *name, size_t length, void **out,
                      size_t *count)
{
    return find_object(s, t, kind, name, length, out, count);
}

int acre_find_n(acre_segment *s, const acre_type *t, const char *name, size_t length, void **out, size_t *count)
{
    if (t && !t->name)
        return EINVAL;
    return find_object(s, t, ACRE_OBJECT_NAMED, name, length, out, count);
}

int acre_find(acre_segment *s, const acre_type *t, const char *name, void **out, size_t *count)
{
    return acre_find_n(s, t, name, object_length(name), out, count);
}

int acre_find_unique(acre_segment *s, const acre_type *t, void **out, size_t *count)
{
    size_t length;
    int e = object_type_check(t, &length);
    return e ? e : acre__object_find(s, t, ACRE_OBJECT_UNIQUE, t->name, length, out, count);
}

/* ---- telling ---- */

static acre_object find_tell(const object_seen *seen, const char *name, const char *type)
{
    return (acre_object){
        .kind = (enum acre_object_kind)names_kind(seen->shape),
        .name = name,
        .name_length = names_name_length(seen->shape),
        .type = type,
        .size = seen->size,
        .align = (size_t)1 << seen->align,
        .count = seen->count,
        .address = seen->address,
    };
}

int acre_object_info(acre_segment *s, const void *p, acre_object *info)
{
    object_seen seen;
    if (!s->index)
        return ENOTSUP;
    int e = acre__object_at(s, (acre_off)((const char *)p - s->base), &seen);
    if (e)
        return e;
    const char *name = (const char *)seen.entry->text;
    bool own = names_type_length(seen.shape) != 0;
    *info =
        find_tell(&seen, name, own ? (const char *)object_type_text(seen.entry, seen.shape) : name);
    return 0;
}

/* ---- visiting ---- */

/* A copy of the entry's texts, or NULL. */
NAMES_LOOKS static char *find_copy(const object_seen *seen)
{
    uint64_t words = names_text_bytes(seen->shape) / sizeof(uint64_t);
    uint64_t *text = malloc(words * sizeof *text);
    for (uint64_t i = 0; text && i < words; i++)
        text[i] = acre__peek(&seen->entry->text[i]);
    return (char *)text;
}

/* The copy is only shown if it was true. */
static int find_next(acre_segment *s, const acre_cursor *c, object_seen *seen, char **text)
{
    names_proof proof;
    acre_off at;
    int e = s->index->next(s, c, &at, &proof);
    if (e)
        return e;
    if (!acre__object_see(s, at, seen) || names_name_length(seen->shape) > ACRE_NAME_MAX)
        return EAGAIN;
    *text = find_copy(seen);
    if (*text && names_holds(&proof))
        return 0;
    e = *text ? EAGAIN : ENOMEM;
    free(*text);
    return e;
}

static int find_next_sure(acre_segment *s, const acre_cursor *c, object_seen *seen, char **text)
{
    int e = EAGAIN;
    for (int turn = 0; turn < FIND_TURNS && e == EAGAIN; turn++)
        e = find_next(s, c, seen, text);
    if (e != EAGAIN || s->read_only)
        return e;
    e = acre__names_enter(s);
    if (e)
        return e;
    e = find_next(s, c, seen, text);
    acre__names_leave(s);
    return e == EAGAIN ? ACRE_ECORRUPT : e;
}

static void find_advance(acre_cursor *c, const object_seen *seen, char *text)
{
    free(c->text);
    c->text = text;
    c->length = names_name_length(seen->shape);
    c->room = names_text_bytes(seen->shape);
    c->last = seen->at;
    c->position = key_reverse(seen->hash);
    c->kind = names_kind(seen->shape);
}

int acre_object_next(acre_segment *s, acre_cursor *c, acre_object *info)
{
    object_seen seen;
    char *text;
    int e = s->index ? find_next_sure(s, c, &seen, &text) : ENOTSUP;
    if (e) {
        acre_object_end(c);
        return e;
    }
    find_advance(c, &seen, text);
    *info = find_tell(&seen, text,
                      names_type_length(seen.shape) ? text + names_padded(c->length) : text);
    return 0;
}

void acre_object_end(acre_cursor *c)
{
    free(c->text);
    *c = (acre_cursor){0};
}
