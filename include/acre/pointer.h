/* SPDX-License-Identifier: MIT */
/* acre/pointer.h: pointers for data that lies in shared segments.
 *
 * A plain pointer is of no use in memory that each process maps somewhere else.  Four kinds hold
 * where they point to in another way, and know its type all the same: setting one to a pointer of a
 * wrong type is what it is for a plain pointer (a warning in C, an error in C++).
 *
 *     acre_ptr(T)      8 bytes   distance from itself              needs no base
 *     acre_tagged(T)   8 bytes   the same, and 1 to 3 bits of yours
 *     acre_rel(T)      8 bytes   acre_off: distance from a base    may be copied as bytes, atomic
 *     acre_rel32(T)    4 bytes   the same / ACRE_ALIGN_MIN         reaches 64 GiB of a segment
 *
 *     struct node {
 *         acre_ptr(struct node) next;
 *         int value;
 *     };
 *     acre_set(a->next, b);
 *     for (struct node *n = a; n; n = acre_get(n->next))
 *         sum += n->value;
 *
 * All zero is null, for each kind: zeroed memory holds null pointers.  No address is lost to that: a
 * pointer may point at itself, or into itself.  `base` is the address of the segment's first byte
 * (acre_segment_base()), or of any other region that moves as a whole.
 *
 * What moves.  A region that is copied by memcpy() or mapped elsewhere keeps the pointers that lie
 * in it and point into it.  The bytes of a lone acre_ptr or acre_tagged copied elsewhere point
 * elsewhere: plain `=` is wrong for them, and for structs that hold them; acre_copy() copies where
 * they point to.  Nor may they lie on the stack if what they point to moves.  acre_rel and
 * acre_rel32 may be copied by any means.
 *
 * What is a type.  Each acre_ptr(T) written is a type of its own; for parameters give it a name:
 * typedef acre_ptr(struct node) node_ptr.  T may be incomplete where it is written, or void.
 *
 * Arguments.  p, q: such pointers themselves, not their addresses.  Each argument is evaluated
 * once, in any order.  Pointers lie where their type wants them (8-aligned, acre_rel32: 4).
 * Nothing is checked beyond what is said: what others wrote into a segment is trusted as far as they
 * are; an acre_off from outside goes through acre_segment_address().
 *
 * Threads and deaths.  What changes one pointer is one store: who is killed, or looks, finds the old or
 * the new one.  acre_swap() is two stores: killed between them, both point to the same.  Several
 * threads or processes at once need a lock, or the atomic forms: …load acquires, …store releases,
 * …cas does both.
 */
#ifndef ACRE_POINTER_H
#define ACRE_POINTER_H

#include <acre/base.h>
#include <acre/segment.h>

#define acre_ptr(T)                                                                                \
    union {                                                                                        \
        uint64_t acre__self;                                                                       \
        ACRE__POINTEE(T);                                                                          \
    }
#define acre_tagged(T)                                                                             \
    union {                                                                                        \
        uint64_t acre__tagged;                                                                     \
        ACRE__POINTEE(T);                                                                          \
    }
#define acre_rel(T)                                                                                \
    union {                                                                                        \
        acre_off acre__rel;                                                                        \
        ACRE__POINTEE(T);                                                                          \
    }
#define acre_rel32(T)                                                                              \
    union {                                                                                        \
        uint32_t acre__rel32;                                                                      \
        ACRE__POINTEE(T);                                                                          \
    }

/* ---- acre_ptr(T) p, q ---- */

/* Where it points to: a T *; NULL if it is null. */
#define acre_get(p) ((ACRE__TYPE(p))acre__near_get(&(p).acre__self))
/* The same where it is known not to be null (a circular list): costs no test. */
#define acre_at(p) ((ACRE__TYPE(p))acre__near_at(&(p).acre__self))
/* Point it to v, a T * or NULL. */
#define acre_set(p, v) acre__near_set(&(p).acre__self, ACRE__AS(p, v))
#define acre_is_null(p) ((p).acre__self == 0)

/* p points to where q does. */
#define acre_copy(p, q) acre_set(p, acre_get(q))
#define acre_swap(p, q)                                                                            \
    __extension__({                                                                                \
        __typeof__(&(p)) acre__p = &(p);                                                           \
        __typeof__(&(q)) acre__q = &(q);                                                           \
        ACRE__TYPE(*acre__p) acre__was = acre_get(*acre__p);                                       \
        acre_copy(*acre__p, *acre__q);                                                             \
        acre_set(*acre__q, acre__was);                                                             \
    })

/* Move it by n elements; it is not null. */
#define acre_advance(p, n)                                                                         \
    acre__near_advance(&(p).acre__self, (int64_t)(n) * (int64_t)sizeof *(p).acre__type[0])
/* p - q in elements: a ptrdiff_t. */
#define acre_difference(p, q) (acre_get(p) - acre_get(q))
/* Whether both point to the same place, or are null. */
#define acre_equal(p, q) (acre_get(p) == acre_get(q))
/* -1, 0, 1: p points before, to, behind where q does; null is before all. */
#define acre_compare(p, q)                                                                         \
    __extension__({                                                                                \
        ACRE__TYPE(p) acre__p = acre_get(p);                                                       \
        ACRE__TYPE(q) acre__q = acre_get(q);                                                       \
        (acre__p > acre__q) - (acre__p < acre__q);                                                 \
    })

/* Handles: the acre_off in segment s of where p points to (0: null, or not in s), and back. */
#define acre_get_off(p, s) acre_segment_offset(s, acre_get(p))
#define acre_set_off(p, s, off) acre_set(p, (ACRE__TYPE(p))acre_segment_address(s, off))

/* While others use the same pointer.  acre_cas(): if p points to *expected it points to v now, true;
 * otherwise *expected (a T *) tells where, false.  Not: moving a value from one pointer to another at
 * once, acre_copy() is a load and a store. */
#define acre_load(p) ((ACRE__TYPE(p))acre__near_load(&(p).acre__self))
#define acre_store(p, v) acre__near_store(&(p).acre__self, ACRE__AS(p, v))
#define acre_cas(p, expected, v)                                                                   \
    ACRE__CAS(p, expected, v, acre__near_cas(&(p).acre__self, &acre__now, acre__v))

/* ---- acre_tagged(T) p: T is complete and at least 2-aligned ---- */

/* The bits that there are, those that alignment leaves free: 1, 3 or 7.  Null has them, too. */
#define acre_tag_mask(p) ACRE__MASK(p)
#define acre_tagged_get(p) ((ACRE__TYPE(p))acre__tagged_get(&(p).acre__tagged, ACRE__MASK(p)))
#define acre_tagged_is_null(p) (((p).acre__tagged & ~ACRE__MASK(p)) == 0)
#define acre_tag(p) ((unsigned)((p).acre__tagged & ACRE__MASK(p)))

/* Change both at once, or one of them.  Bits of the tag beyond the mask are dropped. */
#define acre_tagged_set(p, v, tag)                                                                 \
    acre__tagged_set(&(p).acre__tagged, ACRE__AS(p, v), tag, ACRE__MASK(p))
#define acre_tagged_point(p, v) acre__tagged_point(&(p).acre__tagged, ACRE__AS(p, v), ACRE__MASK(p))
#define acre_tag_set(p, tag) acre__tag_set(&(p).acre__tagged, tag, ACRE__MASK(p))

/* ---- acre_rel(T) p, q; what they are relative to: base ---- */

#define acre_rel_get(p, base) ((ACRE__TYPE(p))acre__rel_get((p).acre__rel, base))
#define acre_rel_at(p, base) ((ACRE__TYPE(p))acre__rel_at((p).acre__rel, base))
/* v is not base itself: that would be null. */
#define acre_rel_set(p, base, v) acre__rel_set(&(p).acre__rel, base, ACRE__AS(p, v))
#define acre_rel_is_null(p) ((p).acre__rel == 0)
#define acre_rel_equal(p, q) ((p).acre__rel == (q).acre__rel)
#define acre_rel_copy(p, q) acre__rel_put(&(p).acre__rel, (q).acre__rel + ACRE__SAME(p, q))

/* The acre_off that it is, to read, to set, and for acre_alloc_into() and acre_free_from(): an
 * acre_off *. */
#define acre_rel_slot(p) (&(p).acre__rel)

/* While others use it; as acre_load() and the others. */
#define acre_rel_load(p, base) ((ACRE__TYPE(p))acre__rel_load(&(p).acre__rel, base))
#define acre_rel_store(p, base, v) acre__rel_store(&(p).acre__rel, base, ACRE__AS(p, v))
#define acre_rel_cas(p, base, expected, v)                                                         \
    ACRE__CAS(p, expected, v, acre__rel_cas(&(p).acre__rel, base, &acre__now, acre__v))

/* ---- acre_rel32(T) p, q: blocks, not what lies inside of them ---- */

#define acre_rel32_get(p, base) ((ACRE__TYPE(p))acre__rel32_get((p).acre__rel32, base))
#define acre_rel32_at(p, base) ((ACRE__TYPE(p))acre__rel32_at((p).acre__rel32, base))
/* false: v is not a multiple of ACRE_ALIGN_MIN in [16, 64 GiB - 16] behind base, nor NULL; nothing
 * has changed.  acre_rel32_reaches() asks before. */
#define acre_rel32_set(p, base, v) acre__rel32_set(&(p).acre__rel32, base, ACRE__AS(p, v))
#define acre_rel32_reaches(base, v) acre__rel32_reaches(base, v)
#define acre_rel32_is_null(p) ((p).acre__rel32 == 0)
#define acre_rel32_equal(p, q) ((p).acre__rel32 == (q).acre__rel32)
#define acre_rel32_copy(p, q)                                                                      \
    acre__rel32_put(&(p).acre__rel32, (q).acre__rel32 + (uint32_t)ACRE__SAME(p, q))

/* From and to handles; set: false as above. */
#define acre_rel32_get_off(p) ((acre_off)(p).acre__rel32 * ACRE_ALIGN_MIN)
#define acre_rel32_set_off(p, off) acre__rel32_set_off(&(p).acre__rel32, off)

/* While others use it.  store and cas: false, and nothing has changed, also if it does not reach v (cas:
 * *expected is where p points to all the same). */
#define acre_rel32_load(p, base) ((ACRE__TYPE(p))acre__rel32_load(&(p).acre__rel32, base))
#define acre_rel32_store(p, base, v) acre__rel32_store(&(p).acre__rel32, base, ACRE__AS(p, v))
#define acre_rel32_cas(p, base, expected, v)                                                       \
    ACRE__CAS(p, expected, v, acre__rel32_cas(&(p).acre__rel32, base, &acre__now, acre__v))

/* ---- the compiler's part ---- */

/* A member without bytes and without a wish for alignment, that only knows its type. */
#define ACRE__POINTEE(T) __extension__ __typeof__(T) *acre__type[0] __attribute__((packed))

/* T *, whatever the qualifiers of p are. */
#ifdef __cplusplus
#define ACRE__TYPE(p) decltype(+(p).acre__type[0])
#else
#define ACRE__TYPE(p) __typeof__(((void)0, (p).acre__type[0]))
#endif

/* v, converted as an assignment does it. */
#define ACRE__AS(p, v)                                                                             \
    __extension__({                                                                                \
        ACRE__TYPE(p) acre__as = (v);                                                              \
        acre__as;                                                                                  \
    })

/* 0, if a pointer such as q holds may be assigned to one such as p. */
#define ACRE__SAME(p, q) (0 * sizeof ACRE__AS(p, (q).acre__type[0]))

/* Both are 8-aligned, so that many bits of their distance are always 0. */
#define ACRE__ALIGN(p) __alignof__(__typeof__(*(p).acre__type[0]))
#define ACRE__MASK(p)                                                                              \
    ((uint64_t)((ACRE__ALIGN(p) < 8 ? ACRE__ALIGN(p) : 8) - 1 +                                    \
                0 * sizeof(char[ACRE__ALIGN(p) > 1 ? 1 : -1])))

#define ACRE__CAS(p, expected, v, done)                                                            \
    __extension__({                                                                                \
        ACRE__TYPE(p) *acre__expected = (expected);                                                \
        ACRE__TYPE(p) acre__v = (v);                                                               \
        const volatile void *acre__now = *acre__expected;                                          \
        bool acre__done = done;                                                                    \
        *acre__expected = (ACRE__TYPE(p))acre__now;                                                \
        acre__done;                                                                                \
    })

#ifdef __cplusplus
extern "C" {
#endif

/* ---- acre_ptr: target - own address + 2^63, which is 0 for no target that is in the same half of the
 * address space.  Own address and constant are added while the word is still on its way from memory. ---- */

ACRE_SHORT uint64_t acre__near_origin(const void *at)
{
    return (uint64_t)(uintptr_t)at ^ UINT64_C(1) << 63;
}

/* The compiler is told that what is not null as a distance is not null as an address: who tests the
 * result tests once. */
ACRE_SHORT void *acre__not_null(uintptr_t address)
{
    if (!address)
        __builtin_unreachable();
    return (void *)address;
}

ACRE_SHORT void *acre__near_pointer(const void *at, uint64_t word)
{
    return word ? acre__not_null((uintptr_t)(acre__near_origin(at) + word)) : NULL;
}

ACRE_SHORT uint64_t acre__near_word(const void *at, const volatile void *v)
{
    return v ? (uint64_t)(uintptr_t)v - acre__near_origin(at) : 0;
}

ACRE_SHORT void *acre__near_get(const uint64_t *at)
{
    return acre__near_pointer(at, *at);
}

ACRE_SHORT void *acre__near_at(const uint64_t *at)
{
    return acre__not_null((uintptr_t)(acre__near_origin(at) + *at));
}

ACRE_SHORT void acre__near_set(uint64_t *at, const volatile void *v)
{
    __atomic_store_n(at, acre__near_word(at, v), __ATOMIC_RELAXED);
}

ACRE_SHORT void acre__near_advance(uint64_t *at, int64_t bytes)
{
    __atomic_store_n(at, *at + (uint64_t)bytes, __ATOMIC_RELAXED);
}

ACRE_SHORT void *acre__near_load(const uint64_t *at)
{
    return acre__near_pointer(at, __atomic_load_n(at, __ATOMIC_ACQUIRE));
}

ACRE_SHORT void acre__near_store(uint64_t *at, const volatile void *v)
{
    __atomic_store_n(at, acre__near_word(at, v), __ATOMIC_RELEASE);
}

ACRE_SHORT bool acre__near_cas(uint64_t *at, const volatile void **now, const volatile void *v)
{
    uint64_t word = acre__near_word(at, *now);
    bool done = __atomic_compare_exchange_n(at, &word, acre__near_word(at, v), false,
                                            __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
    *now = acre__near_pointer(at, word);
    return done;
}

/* ---- acre_tagged: the same; the tag is in the low bits ---- */

ACRE_SHORT void *acre__tagged_get(const uint64_t *at, uint64_t mask)
{
    return acre__near_pointer(at, *at & ~mask);
}

ACRE_SHORT void acre__tagged_set(uint64_t *at, const volatile void *v, uint64_t tag, uint64_t mask)
{
    __atomic_store_n(at, acre__near_word(at, v) | (tag & mask), __ATOMIC_RELAXED);
}

ACRE_SHORT void acre__tagged_point(uint64_t *at, const volatile void *v, uint64_t mask)
{
    acre__tagged_set(at, v, *at, mask);
}

ACRE_SHORT void acre__tag_set(uint64_t *at, uint64_t tag, uint64_t mask)
{
    __atomic_store_n(at, (*at & ~mask) | (tag & mask), __ATOMIC_RELAXED);
}

/* ---- acre_rel ---- */

ACRE_SHORT void *acre__rel_at(acre_off off, const void *base)
{
    return acre__not_null((uintptr_t)base + (uintptr_t)off);
}

ACRE_SHORT void *acre__rel_get(acre_off off, const void *base)
{
    return off ? acre__rel_at(off, base) : NULL;
}

ACRE_SHORT acre_off acre__rel_off(const void *base, const volatile void *v)
{
    return v ? (acre_off)((uintptr_t)v - (uintptr_t)base) : 0;
}

ACRE_SHORT void acre__rel_put(acre_off *at, acre_off off)
{
    __atomic_store_n(at, off, __ATOMIC_RELAXED);
}

ACRE_SHORT void acre__rel_set(acre_off *at, const void *base, const volatile void *v)
{
    acre__rel_put(at, acre__rel_off(base, v));
}

ACRE_SHORT void *acre__rel_load(const acre_off *at, const void *base)
{
    return acre__rel_get(__atomic_load_n(at, __ATOMIC_ACQUIRE), base);
}

ACRE_SHORT void acre__rel_store(acre_off *at, const void *base, const volatile void *v)
{
    __atomic_store_n(at, acre__rel_off(base, v), __ATOMIC_RELEASE);
}

ACRE_SHORT bool acre__rel_cas(acre_off *at, const void *base, const volatile void **now,
                              const volatile void *v)
{
    acre_off off = acre__rel_off(base, *now);
    bool done = __atomic_compare_exchange_n(at, &off, acre__rel_off(base, v), false,
                                            __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
    *now = acre__rel_get(off, base);
    return done;
}

/* ---- acre_rel32 ---- */

ACRE_SHORT void *acre__rel32_at(uint32_t units, const void *base)
{
    return acre__rel_at((acre_off)units * ACRE_ALIGN_MIN, base);
}

ACRE_SHORT void *acre__rel32_get(uint32_t units, const void *base)
{
    return units ? acre__rel32_at(units, base) : NULL;
}

ACRE_SHORT bool acre__rel32_holds(acre_off off)
{
    return off % ACRE_ALIGN_MIN == 0 && off / ACRE_ALIGN_MIN <= UINT32_MAX;
}

/* Base itself would be null. */
ACRE_SHORT bool acre__rel32_reaches(const void *base, const volatile void *v)
{
    return !v || (v != base && acre__rel32_holds(acre__rel_off(base, v)));
}

ACRE_SHORT uint32_t acre__rel32_units(const void *base, const volatile void *v)
{
    return (uint32_t)(acre__rel_off(base, v) / ACRE_ALIGN_MIN);
}

ACRE_SHORT void acre__rel32_put(uint32_t *at, uint32_t units)
{
    __atomic_store_n(at, units, __ATOMIC_RELAXED);
}

ACRE_MUST_USE ACRE_SHORT bool acre__rel32_set(uint32_t *at, const void *base,
                                              const volatile void *v)
{
    bool reaches = acre__rel32_reaches(base, v);
    if (reaches)
        acre__rel32_put(at, acre__rel32_units(base, v));
    return reaches;
}

ACRE_MUST_USE ACRE_SHORT bool acre__rel32_set_off(uint32_t *at, acre_off off)
{
    bool holds = acre__rel32_holds(off);
    if (holds)
        acre__rel32_put(at, (uint32_t)(off / ACRE_ALIGN_MIN));
    return holds;
}

ACRE_SHORT void *acre__rel32_load(const uint32_t *at, const void *base)
{
    return acre__rel32_get(__atomic_load_n(at, __ATOMIC_ACQUIRE), base);
}

ACRE_MUST_USE ACRE_SHORT bool acre__rel32_store(uint32_t *at, const void *base,
                                                const volatile void *v)
{
    bool reaches = acre__rel32_reaches(base, v);
    if (reaches)
        __atomic_store_n(at, acre__rel32_units(base, v), __ATOMIC_RELEASE);
    return reaches;
}

/* What is expected beyond its reach is not there. */
ACRE_SHORT bool acre__rel32_cas(uint32_t *at, const void *base, const volatile void **now,
                                const volatile void *v)
{
    uint32_t units = acre__rel32_units(base, *now);
    bool done = false;
    if (acre__rel32_reaches(base, *now) && acre__rel32_reaches(base, v))
        done = __atomic_compare_exchange_n(at, &units, acre__rel32_units(base, v), false,
                                           __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
    else
        units = __atomic_load_n(at, __ATOMIC_ACQUIRE);
    *now = acre__rel32_get(units, base);
    return done;
}

#ifdef __cplusplus
}
#endif
#endif
