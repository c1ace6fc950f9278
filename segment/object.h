/* SPDX-License-Identifier: MIT */
/* object.h: what object.c and object_find.c share: types, tags, and what was seen of an object. */
#ifndef ACRE_SEGMENT_OBJECT_H
#define ACRE_SEGMENT_OBJECT_H

#include "segment/names_key.h"

/* ---- arguments ---- */

static inline size_t object_length(const char *name)
{
    return name ? strlen(name) : 0;
}

static inline const char *object_type_name(const acre_type *t)
{
    return t ? t->name : NULL;
}

static inline size_t object_type_align(const acre_type *t)
{
    return t->align ? t->align : ACRE_ALIGN_MIN;
}

static inline size_t object_type_length(const acre_type *t)
{
    return t->name_length ? t->name_length : strlen(t->name);
}

static inline int object_type_check(const acre_type *t, size_t *length)
{
    size_t align = t ? object_type_align(t) : 0;
    if (!t || !t->name || !t->size || align & (align - 1) || align > ACRE_TYPE_ALIGN_MAX)
        return EINVAL;
    *length = object_type_length(t);
    return *length && *length <= ACRE_TYPE_NAME_MAX ? 0 : EINVAL;
}

static inline int object_name_check(const acre_segment *s, const char *name, size_t length)
{
    if (!s->index)
        return ENOTSUP;
    return name && length && length <= ACRE_NAME_MAX ? 0 : ACRE_ENAME;
}

/* ---- what lies in front of an object ---- */

static inline uint32_t object_magic(const acre_segment *s, acre_off object)
{
    return (uint32_t)(key_fold(object ^ s->names_seed, 0x9e3779b97f4a7c15u) >> 32) | 1;
}

static inline names_tag *object_tag(const acre_segment *s, acre_off object)
{
    return (names_tag *)(void *)(s->base + object - sizeof(names_tag));
}

/* The type's name behind the name. */
static inline uint64_t *object_type_text(names_entry *e, uint64_t shape)
{
    return e->text + names_padded(names_name_length(shape)) / sizeof(uint64_t);
}

/* What was read of an entry, once; it lies inside the segment. */
typedef struct object_seen {
    acre_off at;
    names_entry *entry;
    uint64_t hash, shape, size, count;
    uint32_t align;
    void *address;
} object_seen;

/* Read the entry.  false: it can be none. */
bool acre__object_see(const acre_segment *s, acre_off at, object_seen *seen);

/* The entry of an object: 0 or ACRE_EINVALID. */
int acre__object_at(const acre_segment *s, acre_off object, object_seen *seen);

bool acre__object_type_is(const object_seen *seen, const acre_type *t);

/* With the lock: 0, ENOENT, ACRE_EOTHERTYPE (t not NULL), ACRE_ECORRUPT. */
int acre__object_look(acre_segment *s, const names_key *k, const acre_type *t, object_seen *seen);

/* Without it. */
int acre__object_find(acre_segment *s, const acre_type *t, uint32_t kind, const char *name, size_t length, void **out,
                      size_t *count);

#endif
