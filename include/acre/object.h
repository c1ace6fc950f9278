/* SPDX-License-Identifier: MIT */
/* acre/object.h: objects that every process finds by name.
 *
 *     struct point { double x, y; } *p;
 *     ACRE_CONSTRUCT(s, struct point, "origin", &p);      one process makes it: zeroed
 *     p = ACRE_FIND(s, struct point, "origin");           another one finds it
 *     ACRE_DESTROY(s, struct point, "origin");
 *
 * An object is an array of n >= 1 elements of one type.  It is named (any bytes), unique (the only one
 * of its type: the type's name is its key; named and unique objects do not meet), or anonymous (only its
 * address is known).  The segment keeps the type's name, size and alignment beside it, and who asks for
 * another type is told so.
 *
 * Constructing, destroying and whatever else changes the index hold the segment's object lock, which is
 * recursive: constructors may construct other objects.  Others cannot see an object before it is
 * complete.  Finding takes no lock with ACRE_INDEX_HASH and ACRE_INDEX_ORDERED: it waits for nobody,
 * running, stopped or dead.  With ACRE_INDEX_FLAT it takes the lock if somebody is changing the index.
 * Blocks of the heap (acre/alloc.h) come and go meanwhile: it has a lock of its own, which may be
 * wanted while the object lock is held, never the other way round.
 *
 * A process that is killed inside a call leaves an object that is wholly there or wholly absent: whoever
 * next takes the lock rolls back what was being constructed (its destructor is not called: it is code of
 * the process that died) and forward what was being destroyed.  Nothing leaks.  What a constructor
 * allocated by itself is its own business; acre_alloc_into() a slot in the element, and a type whose fini
 * frees what the slot names, is how an element owns blocks.
 *
 * All functions are safe from any number of threads and processes.  An object that was found is the
 * caller's as long as nobody destroys it: names find, they do not keep.  Not async-signal-safe.
 *
 * What all may return: ENOTSUP (the segment was made with ACRE_INDEX_NONE), EROFS (it was opened
 * read-only; finding and iterating work), EDEADLK (called from a visitor of the heap, or a handler that
 * interrupted acre), ACRE_EPOISONED, ACRE_ECORRUPT, ENOMEM (it has outgrown what this process has mapped).
 * Nobody may shrink the segment while others find: pages that go away while they are being read end the
 * reader with SIGBUS.
 */
#ifndef ACRE_OBJECT_H
#define ACRE_OBJECT_H

#include <acre/segment.h>

#ifdef __cplusplus
extern "C" {
#endif

#define ACRE_NAME_MAX 65536     /* bytes of an object's name */
#define ACRE_TYPE_NAME_MAX 1023 /* bytes of a type's name */
#define ACRE_TYPE_ALIGN_MAX 4096

/* ================================ types ================================
 *
 * Belongs to the process; what is stored with an object is a copy of the first three members. */
typedef struct acre_type {
    const char *name; /* 1 to ACRE_TYPE_NAME_MAX bytes; the same in all processes */
    size_t size;      /* of an element; not 0 */
    size_t align;     /* a power of two up to ACRE_TYPE_ALIGN_MAX; 0: ACRE_ALIGN_MIN.  (In an ACRE_BUFFER that
                         was moved, what the new place has.) */
    /* Make element i, whose bytes are 0, of what construct was given as arg.  0, or an error: then the
     * elements before it are undone, last one first, and construct returns it.  NULL: it stays 0. */
    int (*init)(acre_segment *s, void *element, size_t i, void *arg);
    /* Undo an element.  NULL: there is nothing to do. */
    void (*fini)(acre_segment *s, void *element);
    size_t name_length; /* bytes of name; 0: they are counted each time */
} acre_type;

/* An initialiser for an acre_type of C's type T. */
#define ACRE_TYPE_INIT(T, init, fini) {#T, sizeof(T), __alignof__(T), init, fini, sizeof #T - 1}

/* In C also where it is needed; further members may follow: ACRE_TYPE(struct point, .init = point_init). */
#define ACRE_TYPE(T, ...) \
    (&(const acre_type){                                                                           \
        .name = #T, .size = sizeof(T), .align = __alignof__(T), .name_length = sizeof #T - 1, ##__VA_ARGS__})

/* ================================ making ================================ */

/* Construct n elements of type t under that name; *out (may be NULL) is the first one.
 * EEXIST; EINVAL: n is 0, or t is not a type; ACRE_ENAME: the name is empty or longer than
 * ACRE_NAME_MAX; ENOMEM; or what init returned.  A name counts as taken from the time its
 * constructor is called.  O(1) with ACRE_INDEX_HASH, O(log) with _ORDERED, O(objects) with _FLAT. */
ACRE_API int acre_construct(acre_segment *s, const acre_type *t, const char *name, size_t n, void *arg,
                            void **out);
/* Names of any bytes: here and below, _n is the form for them. */
ACRE_API int acre_construct_n(acre_segment *s, const acre_type *t, const char *name, size_t length,
                              size_t n, void *arg, void **out);
ACRE_API int acre_construct_unique(acre_segment *s, const acre_type *t, size_t n, void *arg, void **out);

/* Without a name.  A caller that dies before it has stored the address leaks it; _into stores the
 * object's offset in *slot, which lies in the same segment, as the same step (ACRE_EINVALID: it does not;
 * EINVAL: it does not hold 0).  acre_destroy_from() is the way back: as one step too. */
ACRE_API int acre_construct_anonymous(acre_segment *s, const acre_type *t, size_t n, void *arg, void **out);
ACRE_API int acre_construct_into(acre_segment *s, const acre_type *t, size_t n, void *arg, acre_off *slot);

/* Find it, or construct it if it is absent; of several callers at once one constructs it, the others
 * find what it made.  *made (may be NULL) tells which it was.  n is for constructing: what is found may have
 * another length.  Errors of both, EEXIST and ENOENT excepted; EDEADLK: called by its constructor. */
ACRE_API int acre_find_or_construct(acre_segment *s, const acre_type *t, const char *name, size_t n,
                                    void *arg, void **out, bool *made);
ACRE_API int acre_find_or_construct_n(acre_segment *s, const acre_type *t, const char *name, size_t length,
                                      size_t n, void *arg, void **out, bool *made);
ACRE_API int acre_find_or_construct_unique(acre_segment *s, const acre_type *t, size_t n, void *arg,
                                           void **out, bool *made);

/* ================================ finding ================================ */

/* *out is the first element, *count (both may be NULL) their number.  t NULL: of whatever type.
 * ENOENT; ACRE_EOTHERTYPE: it is of a type of another name, size or alignment; EAGAIN: read-only with
 * ACRE_INDEX_FLAT, and somebody is changing the index all the time, or has died at it. */
ACRE_API int acre_find(acre_segment *s, const acre_type *t, const char *name, void **out, size_t *count);
ACRE_API int acre_find_n(acre_segment *s, const acre_type *t, const char *name, size_t length, void **out,
                         size_t *count);
ACRE_API int acre_find_unique(acre_segment *s, const acre_type *t, void **out, size_t *count);

/* ================================ ending ================================ */

/* Undo its elements, last one first, and give back its memory; from the first of these on it is not found
 * any more.  t NULL: of whatever type, and no fini is called.  ENOENT, ACRE_EOTHERTYPE; or ACRE_EOVERRUN:
 * it is gone, but its end was overwritten (checks=2) and its memory is not given back. */
ACRE_API int acre_destroy(acre_segment *s, const acre_type *t, const char *name);
ACRE_API int acre_destroy_n(acre_segment *s, const acre_type *t, const char *name, size_t length);
ACRE_API int acre_destroy_unique(acre_segment *s, const acre_type *t);

/* The same for any object, by its address.  ACRE_EINVALID: it is not an object's (as far as that can be
 * told); EBUSY: it is being constructed or destroyed. */
ACRE_API int acre_destroy_ptr(acre_segment *s, const acre_type *t, void *p);

/* Destroy the anonymous object that *slot names (EINVAL: it has a name) and set the slot to 0.  Killed in the
 * middle it is as if it had been done, or not begun.  ENOENT: *slot holds 0. */
ACRE_API int acre_destroy_from(acre_segment *s, const acre_type *t, acre_off *slot);

/* ================================ looking ================================ */

enum acre_object_kind { ACRE_OBJECT_NAMED = 1, ACRE_OBJECT_UNIQUE, ACRE_OBJECT_ANONYMOUS };

typedef struct acre_object {
    enum acre_object_kind kind;
    const char *name;   /* a NUL follows; of a unique object the type's, of an anonymous one "" */
    size_t name_length; /* bytes */
    const char *type;   /* its type's name */
    size_t size, align; /* of an element */
    size_t count;       /* elements */
    void *address;      /* of the first one */
} acre_object;

/* What p, the address of an object, is.  Texts are the object's own and end with it.  ACRE_EINVALID as in
 * acre_destroy_ptr().  Takes no lock; works read-only. */
ACRE_API int acre_object_info(acre_segment *s, const void *p, acre_object *info);

/* Named and unique objects one by one: begin with zeros.  Texts are the cursor's and change with the next
 * call.  0; ENOENT: there are no more; ENOMEM; EAGAIN as in acre_find().  After anything but 0 the cursor
 * is empty again, and acre_object_end() ends it earlier.
 *
 * Others may change the index meanwhile: what is there from the first call to the last is visited just
 * once, what comes or goes meanwhile at most once.  ACRE_INDEX_ORDERED and _FLAT: named ones in the order of
 * their names (of bytes, shorter ones first), then unique ones in that of their types' names; _HASH: in no order.
 * The address may be another object's by the time it is looked at: destroying needs names, or
 * acre_atomic_begin() around it all. */
typedef struct acre_cursor {
    uint64_t position;
    acre_off last;
    char *text;    /* name, then type's name */
    size_t room, length;
    uint32_t kind;
} acre_cursor;
ACRE_API int acre_object_next(acre_segment *s, acre_cursor *c, acre_object *info);
ACRE_API void acre_object_end(acre_cursor *c);

/* How many there are.  O(1), no lock. */
ACRE_API size_t acre_named_count(const acre_segment *s);
ACRE_API size_t acre_unique_count(const acre_segment *s);

/* ================================ the lock, and the index's memory ================================ */

/* Between begin and end no other thread constructs, destroys, or begins: several calls as one.  Finding goes
 * on.  (Not one to a kill: what was done so far stays done.)  As often as begin has succeeded end is due.
 * end: EPERM: this thread has not begun.  try: EBUSY. */
ACRE_API int acre_atomic_begin(acre_segment *s);
ACRE_API int acre_atomic_try(acre_segment *s);
ACRE_API int acre_atomic_end(acre_segment *s);

/* The index needs no more memory until it has n named or unique objects in all.  0; ENOMEM. */
ACRE_API int acre_reserve_objects(acre_segment *s, size_t n);

/* Give back what the index does not need for what it has; with no objects: all it has. */
ACRE_API int acre_shrink_indexes(acre_segment *s);

/* Undo what the dead left, as the next call that takes the lock would: 0, or why it cannot be done. */
ACRE_API int acre_objects_recover(acre_segment *s);

/* ================================ shorter ================================
 *
 * For C types that need no constructor: the type is named, not described.  `out` is the address of a
 * pointer to T, which the compiler checks. */
ACRE_SHORT void *acre__found(acre_segment *s, const acre_type *t, const char *name)
{
    void *p = NULL;
    return acre_find(s, t, name, &p, NULL) == 0 ? p : NULL;
}

#define ACRE__OUT(T, out) ((void **)(1 ? (out) : (T **)0))
#define ACRE_CONSTRUCT(s, T, name, out) acre_construct(s, ACRE_TYPE(T), name, 1, NULL, ACRE__OUT(T, out))
#define ACRE_CONSTRUCT_ARRAY(s, T, name, n, out) \
    acre_construct(s, ACRE_TYPE(T), name, n, NULL, ACRE__OUT(T, out))
#define ACRE_FIND_OR_CONSTRUCT(s, T, name, out) \
    acre_find_or_construct(s, ACRE_TYPE(T), name, 1, NULL, ACRE__OUT(T, out), NULL)
#define ACRE_FIND(s, T, name) ((T *)acre__found(s, ACRE_TYPE(T), name)) /* NULL: it is not there as such */
#define ACRE_DESTROY(s, T, name) acre_destroy(s, ACRE_TYPE(T), name)

#ifdef __cplusplus
}
#endif
#endif
