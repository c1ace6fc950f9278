/* SPDX-License-Identifier: MIT */
/* object.c: making objects and ending them.  The steps, and what a death leaves of them: names.c. */
#include "segment/object.h"

/* What is to be made. */
typedef struct object_plan {
    const acre_type *type;
    size_t type_length;
    const names_key *key; /* NULL: anonymous */
    uint64_t shape;
    uint64_t n, align;
    unsigned links;
    acre_off slot; /* anonymous: where its offset goes; 0: nowhere */
    void *arg;
} object_plan;

/* ---- one block ---- */

static uint64_t object_round(uint64_t n, uint64_t align)
{
    return (n + align - 1) & ~(align - 1);
}

static uint64_t object_front(const object_plan *p)
{
    return sizeof(names_entry) + names_text_bytes(p->shape) + p->links * sizeof(uint64_t) + sizeof(names_tag);
}

/* Bytes of the block, or 0: more than there can be.  Blocks are 16-aligned. */
static uint64_t object_bytes(const object_plan *p)
{
    uint64_t front = object_round(object_front(p), p->align < ACRE_ALIGN_MIN ? p->align : ACRE_ALIGN_MIN), bytes;
    if (p->align > ACRE_ALIGN_MIN)
        front += p->align - ACRE_ALIGN_MIN;
    if (__builtin_mul_overflow(p->n, (uint64_t)p->type->size, &bytes) || bytes > ACRE_SIZE_MAX)
        return 0;
    return front + bytes;
}

static void object_put_text(uint64_t *to, const char *text, size_t length)
{
    for (; length >= 8; length -= 8, text += 8)
        acre__put(to++, key_load(text));
    acre__put(to, key_tail(text, length));
}

static void object_put_tag(const acre_segment *s, acre_off at, const names_entry *e)
{
    names_tag *tag = object_tag(s, at + e->distance);
    *tag = (names_tag){e->distance, object_magic(s, at + e->distance)};
}

/* The block `at`, which nobody else knows. */
static void object_fill(acre_segment *s, const object_plan *p, acre_off at)
{
    names_entry *e = (names_entry *)(void *)(s->base + at);
    uint64_t align = p->align < 8 ? 8 : p->align;
    uintptr_t address = (uintptr_t)e + object_front(p);
    acre__put(&e->after, p->slot);
    acre__put(&e->count, p->n);
    acre__put(&e->size, (uint64_t)p->type->size);
    acre__put(&e->distance, (uint32_t)(object_round(address, align) - (uintptr_t)e));
    acre__put(&e->align, (uint8_t)__builtin_ctzll(p->align));
    acre__put(&e->stage, (uint8_t)NAMES_MAKING);
    acre__put(&e->links, (uint16_t)p->links);
    acre__put(&e->hash, p->key ? p->key->hash : 0);
    acre__put(&e->next, (acre_off)0);
    acre__put(&e->shape, p->shape);
    object_put_text(e->text, p->key ? p->key->name : "", p->key ? p->key->length : 0);
    if (names_type_length(p->shape))
        object_put_text(object_type_text(e, p->shape), p->type->name, p->type_length);
    object_put_tag(s, at, e);
    memset((char *)e + e->distance, 0, p->n * p->type->size);
}

/* ---- making ---- */

static void object_undo(acre_segment *s, const acre_type *t, char *first, uint64_t n)
{
    if (t && t->fini)
        while (n--)
            t->fini(s, first + (ACRE_BUG_IS(120) ? 0 : n * t->size));
}

static int object_init(acre_segment *s, const object_plan *p, char *first)
{
    if (!p->type->init)
        return 0;
    for (uint64_t i = 0; i < p->n; i++) {
        int e = p->type->init(s, first + i * p->type->size, i, p->arg);
        if (e) {
            object_undo(s, p->type, first, i);
            return e;
        }
    }
    return 0;
}

static int object_begin(acre_segment *s, const object_plan *p, acre_off *at)
{
    segment_names *n = names_of(s);
    uint64_t bytes = object_bytes(p);
    if (n->fresh)
        return ACRE_ECORRUPT;
    int e = bytes ? acre_alloc_into(&s->heap, &n->fresh, bytes) : ENOMEM;
    if (e)
        return e;
    *at = n->fresh;
    object_fill(s, p, *at);
    acre__names_push_fresh(s);
    return 0;
}

static int object_make(acre_segment *s, const object_plan *p, void **out)
{
    acre_off at;
    int e = object_begin(s, p, &at);
    if (e)
        return e;
    char *first = s->base + at + names_entry_of(s, at)->distance;
    e = object_init(s, p, first);
    if (!e) {
        e = acre__names_link(s, at);
        if (e)
            object_undo(s, p->type, first, p->n);
    }
    if (e)
        acre__names_free_first(s);
    else if (out)
        *out = first;
    return e;
}

/* Whether it is being made by this thread, further down. */
static bool object_is_begun(const acre_segment *s, const names_key *k)
{
    const names_entry *e;
    acre_off first = names_of(s)->work;
    if (!first)
        return false;
    uint64_t most = names_most_steps(s);
    names_view v = names_look(s);
    for (acre_off at = first; (e = names_entry_in(&v, at)) && most--; at = e->work_next)
        if (e->stage == NAMES_MAKING && key_names(&v, at, e, k))
            return true;
    return false;
}

/* ---- with a name ---- */

static int object_plan_type(object_plan *p, const acre_type *t, size_t n)
{
    int e = n ? object_type_check(t, &p->type_length) : EINVAL;
    if (e)
        return e;
    p->type = t;
    p->n = n;
    p->align = object_type_align(t);
    return 0;
}

static void object_plan_key(const acre_segment *s, object_plan *p, const names_key *k)
{
    bool named = names_kind(k->shape) == ACRE_OBJECT_NAMED;
    p->key = k;
    p->shape = k->shape | (named ? NAMES_SHAPE(0, 0, p->type_length) : 0);
    p->links = s->index->links ? s->index->links(k->hash) : 0;
}

/* With the lock.  made NULL: it must be absent. */
static int object_make_keyed(acre_segment *s, const object_plan *p, void **out, bool *made)
{
    object_seen seen;
    int e = acre__object_look(s, p->key, made ? p->type : NULL, &seen);
    if (e == ENOENT && p->key && object_is_begun(s, p->key))
        return made ? EDEADLK : EEXIST;
    if (e == ENOENT) {
        e = object_make(s, p, out);
        if (!e && made)
            *made = true;
        return e;
    }
    if (!made)
        return e ? e : EEXIST;
    if (!e && out)
        *out = seen.address;
    if (!e)
        *made = false;
    return e;
}

static int object_construct(acre_segment *s, const acre_type *t, uint32_t kind, const char *name, size_t length,
                            size_t n, void *arg, void **out, bool *made)
{
    object_plan p = {.arg = arg};
    int e = object_plan_type(&p, t, n);
    if (!e)
        e = object_name_check(s, name, length);
    if (e)
        return e;
    names_key k = key_make(s, kind, name, length);
    object_plan_key(s, &p, &k);
    e = acre__names_enter(s);
    if (e)
        return e;
    e = object_make_keyed(s, &p, out, made);
    acre__names_leave(s);
    return e;
}

int acre_construct_n(acre_segment *s, const acre_type *t, const char *name, size_t length, size_t n, void *arg,
                     void **out)
{
    return object_construct(s, t, ACRE_OBJECT_NAMED, name, length, n, arg, out, NULL);
}

int acre_construct(acre_segment *s, const acre_type *t, const char *name, size_t n, void *arg, void **out)
{
    return object_construct(s, t, ACRE_OBJECT_NAMED, name, object_length(name), n, arg, out, NULL);
}

int acre_construct_unique(acre_segment *s, const acre_type *t, size_t n, void *arg, void **out)
{
    const char *name = object_type_name(t);
    return object_construct(s, t, ACRE_OBJECT_UNIQUE, name, object_length(name), n, arg, out, NULL);
}

/* Mostly it is there, and then no lock is needed. */
static int object_find_or_construct(acre_segment *s, const acre_type *t, uint32_t kind, const char *name, size_t length,
                                    size_t n, void *arg, void **out, bool *made)
{
    bool ignored;
    if (n == 0)
        return EINVAL;
    int e = acre__object_find(s, t, kind, name, length, out, NULL);
    if (e == ENOENT)
        return object_construct(s, t, kind, name, length, n, arg, out, made ? made : &ignored);
    if (!e && made)
        *made = false;
    return e;
}

int acre_find_or_construct_n(acre_segment *s, const acre_type *t, const char *name, size_t length, size_t n, void *arg,
                             void **out, bool *made)
{
    return object_find_or_construct(s, t, ACRE_OBJECT_NAMED, name, length, n, arg, out, made);
}

int acre_find_or_construct(acre_segment *s, const acre_type *t, const char *name, size_t n, void *arg, void **out,
                           bool *made)
{
    return object_find_or_construct(s, t, ACRE_OBJECT_NAMED, name, object_length(name), n, arg, out, made);
}

int acre_find_or_construct_unique(acre_segment *s, const acre_type *t, size_t n, void *arg, void **out, bool *made)
{
    const char *name = object_type_name(t);
    return object_find_or_construct(s, t, ACRE_OBJECT_UNIQUE, name, object_length(name), n, arg, out, made);
}

/* ---- without ---- */

static int object_construct_anonymous(acre_segment *s, const acre_type *t, size_t n, void *arg, acre_off *slot,
                                      void **out)
{
    object_plan p = {.arg = arg, .shape = NAMES_SHAPE(ACRE_OBJECT_ANONYMOUS, 0, 0)};
    int e = object_plan_type(&p, t, n);
    if (e)
        return e;
    p.shape |= NAMES_SHAPE(0, 0, p.type_length);
    e = acre__names_enter(s);
    if (e)
        return e;
    p.slot = slot ? (acre_off)((char *)slot - s->base) : 0;
    e = slot && *slot ? EINVAL : object_make(s, &p, out);
    acre__names_leave(s);
    return e;
}

int acre_construct_anonymous(acre_segment *s, const acre_type *t, size_t n, void *arg, void **out)
{
    return object_construct_anonymous(s, t, n, arg, NULL, out);
}

int acre_construct_into(acre_segment *s, const acre_type *t, size_t n, void *arg, acre_off *slot)
{
    if (!slot || !acre__names_slot(s, (acre_off)((char *)slot - s->base)))
        return ACRE_EINVALID;
    return object_construct_anonymous(s, t, n, arg, slot, NULL);
}

/* ---- ending ---- */

/* With the lock; it is of type t. */
static int object_end(acre_segment *s, const acre_type *t, const object_seen *seen, acre_off slot)
{
    char *first = seen->address;
    if (seen->entry->stage != NAMES_LIVE)
        return EBUSY;
    acre__names_take_out(s, seen->at, slot);
    object_undo(s, t, first, seen->count);
    acre__put(&object_tag(s, (acre_off)(first - s->base))->magic, 0u);
    return acre__names_free_first(s);
}

static int object_destroy_key(acre_segment *s, const acre_type *t, const names_key *k)
{
    object_seen seen;
    int e = acre__object_look(s, k, t, &seen);
    return e ? e : object_end(s, t, &seen, 0);
}

static int object_destroy(acre_segment *s, const acre_type *t, uint32_t kind, const char *name, size_t length)
{
    size_t ignored;
    int e = t ? object_type_check(t, &ignored) : 0;
    if (!e)
        e = object_name_check(s, name, length);
    if (e)
        return e;
    names_key k = key_make(s, kind, name, length);
    e = acre__names_enter(s);
    if (e)
        return e;
    e = object_destroy_key(s, t, &k);
    acre__names_leave(s);
    return e;
}

int acre_destroy_n(acre_segment *s, const acre_type *t, const char *name, size_t length)
{
    return object_destroy(s, t, ACRE_OBJECT_NAMED, name, length);
}

int acre_destroy(acre_segment *s, const acre_type *t, const char *name)
{
    return object_destroy(s, t, ACRE_OBJECT_NAMED, name, object_length(name));
}

int acre_destroy_unique(acre_segment *s, const acre_type *t)
{
    const char *name = object_type_name(t);
    return t ? object_destroy(s, t, ACRE_OBJECT_UNIQUE, name, object_length(name)) : EINVAL;
}

static int object_destroy_at(acre_segment *s, const acre_type *t, acre_off object, acre_off slot)
{
    object_seen seen;
    size_t ignored;
    int e = t ? object_type_check(t, &ignored) : 0;
    if (!e)
        e = acre__object_at(s, object, &seen);
    if (!e && t && !acre__object_type_is(&seen, t))
        e = ACRE_EOTHERTYPE;
    return e ? e : object_end(s, t, &seen, slot);
}

int acre_destroy_ptr(acre_segment *s, const acre_type *t, void *p)
{
    int e = acre__names_enter(s);
    if (e)
        return e;
    e = object_destroy_at(s, t, (acre_off)((char *)p - s->base), 0);
    acre__names_leave(s);
    return e;
}

/* A named object's way out is its name; a slot that names one is just emptied beside it. */
static int object_destroy_slot(acre_segment *s, const acre_type *t, acre_off *slot)
{
    object_seen seen;
    int e = *slot ? acre__object_at(s, *slot, &seen) : ENOENT;
    if (!e && names_kind(seen.shape) != ACRE_OBJECT_ANONYMOUS)
        e = EINVAL;
    return e ? e : object_destroy_at(s, t, *slot, (acre_off)((char *)slot - s->base));
}

int acre_destroy_from(acre_segment *s, const acre_type *t, acre_off *slot)
{
    if (!slot || !acre__names_slot(s, (acre_off)((char *)slot - s->base)))
        return ACRE_EINVALID;
    int e = acre__names_enter(s);
    if (e)
        return e;
    e = object_destroy_slot(s, t, slot);
    acre__names_leave(s);
    return e;
}
