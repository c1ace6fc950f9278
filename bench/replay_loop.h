/* SPDX-License-Identifier: MIT */
/* replay_loop.h: the replay loop, a template for C and C++.  Included once per way of calling:
 *
 *     REPLAY_STEM                   names what comes out: REPLAY_STEM##_calls
 *     REPLAY_ALLOC(heap, size)      the calls, as a user writes them
 *     REPLAY_CALLOC(heap, size)
 *     REPLAY_REALLOC(heap, p, size)
 *     REPLAY_ALIGNED(heap, size, align)
 *     REPLAY_FREE(heap, p)
 *     REPLAY_KEEP                   the calls are macros of REPLAY_STEM, and serve the next as well
 *
 * What the loop costs is what `null` costs.  A replay of nothing is bound by mispredicted branches:
 * whether an operation allocates or frees cannot be foreseen.  Therefore everything that both
 * kinds need is done before they part (slot and size are loaded, whichever is needed), and
 * everything after they have met again: a free leaves the address of a dummy, which is touched and
 * stored as if it were a block.  (A word is touched, not a byte: single bytes cost the store buffer
 * 0.7 ns each on Zen 3.)  What remains on the two ways is the call alone; if calls are
 * constants, as null's are, the compiler selects instead of jumping, and if they are real calls,
 * the branch is the one that the program itself had. */
#include "bench/engine.h"
#include "bench/touch.h"

#ifndef ACRE_REPLAY_LOOP_H
#define ACRE_REPLAY_LOOP_H

#define REPLAY_PASTE2(a, b) a##_##b
#define REPLAY_PASTE(a, b) REPLAY_PASTE2(a, b)
#define REPLAY_UNLIKELY(x) __builtin_expect(!!(x), 0)
#define REPLAY_LIKELY(x) __builtin_expect(!!(x), 1)
#ifdef __clang__
#define REPLAY_UNFORESEEN(x) __builtin_unpredictable(!!(x))
#else
#define REPLAY_UNFORESEEN(x) __builtin_expect_with_probability(!!(x), 1, 0.5)
#endif

enum { REPLAY_AHEAD = 32 }; /* entries between prefetching a slot and using it */

/* The literal size behind entry o. */
REPLAY_INLINE size_t replay_literal(const acre_image_op *o)
{
    uint64_t size;
    __builtin_memcpy(&size, o + 1, sizeof size);
    return size;
}
#endif

/* The kinds that are neither malloc nor free. */
REPLAY_INLINE void *REPLAY_PASTE(REPLAY_STEM, other)(void *heap, const acre_image_op *o, void *old,
                                                     size_t size)
{
    (void)heap, (void)old, (void)size;
    if (o->op == ACRE_OP_CALLOC)
        return REPLAY_CALLOC(heap, size);
    if (o->op == ACRE_OP_REALLOC)
        return REPLAY_REALLOC(heap, old, size);
    return REPLAY_ALIGNED(heap, size, (size_t)1 << o->align_log2);
}

REPLAY_INLINE size_t REPLAY_PASTE(REPLAY_STEM, loop)(const acre_tape *t, size_t begin, size_t end,
                                                     int touch)
{
    const acre_image_op *o = t->ops + begin, *stop = t->ops + end;
    const uint64_t *sizes = t->sizes;
    void **slots = t->slots, *heap = t->heap;
    uint64_t dummy;
    for (; o < stop; o++) {
        const acre_image_op *at = o;
        void **slot = &slots[at->slot];
        unsigned kind = at->op, index = at->size;
        __builtin_prefetch(&slots[at[REPLAY_AHEAD].slot], 1);
        void *old = *slot, *born = &dummy;
        size_t size = sizes[index];
        if (REPLAY_UNLIKELY(index == ACRE_IMAGE_LITERAL))
            size = replay_literal(o++);
        __asm__ volatile("" : "+r"(old), "+r"(size)); /* both are loaded, also for null */
        if (REPLAY_UNFORESEEN(kind <= ACRE_OP_FREE_NULL)) {
            REPLAY_FREE(heap, kind == ACRE_OP_FREE ? old : NULL);
        } else {
            if (REPLAY_LIKELY(kind == ACRE_OP_MALLOC))
                born = REPLAY_ALLOC(heap, size);
            else
                born = REPLAY_PASTE(REPLAY_STEM, other)(heap, at, old, size);
            if (REPLAY_UNLIKELY(!born))
                return (size_t)(at - t->ops);
            replay_touch(born, size, touch);
        }
        if (touch == ACRE_TOUCH_LINE)
            *(volatile uint64_t *)born = 1;
        *slot = born;
    }
    return (size_t)(o - t->ops);
}

static size_t REPLAY_PASTE(REPLAY_STEM, none)(const acre_tape *t, size_t begin, size_t end)
{
    return REPLAY_PASTE(REPLAY_STEM, loop)(t, begin, end, ACRE_TOUCH_NONE);
}

static size_t REPLAY_PASTE(REPLAY_STEM, line)(const acre_tape *t, size_t begin, size_t end)
{
    return REPLAY_PASTE(REPLAY_STEM, loop)(t, begin, end, ACRE_TOUCH_LINE);
}

static size_t REPLAY_PASTE(REPLAY_STEM, page)(const acre_tape *t, size_t begin, size_t end)
{
    return REPLAY_PASTE(REPLAY_STEM, loop)(t, begin, end, ACRE_TOUCH_PAGE);
}

static size_t REPLAY_PASTE(REPLAY_STEM, full)(const acre_tape *t, size_t begin, size_t end)
{
    return REPLAY_PASTE(REPLAY_STEM, loop)(t, begin, end, ACRE_TOUCH_FULL);
}

/* The calls one by one. */
static void *REPLAY_PASTE(REPLAY_STEM, alloc)(void *heap, size_t size)
{
    (void)heap, (void)size;
    return REPLAY_ALLOC(heap, size);
}

static void *REPLAY_PASTE(REPLAY_STEM, calloc)(void *heap, size_t size)
{
    (void)heap, (void)size;
    return REPLAY_CALLOC(heap, size);
}

static void *REPLAY_PASTE(REPLAY_STEM, realloc)(void *heap, void *p, size_t size)
{
    (void)heap, (void)p, (void)size;
    return REPLAY_REALLOC(heap, p, size);
}

static void *REPLAY_PASTE(REPLAY_STEM, aligned)(void *heap, size_t size, size_t align)
{
    (void)heap, (void)size, (void)align;
    return REPLAY_ALIGNED(heap, size, align);
}

static void REPLAY_PASTE(REPLAY_STEM, free)(void *heap, void *p)
{
    (void)heap, (void)p;
    REPLAY_FREE(heap, p);
}

/* All of it as the tail of an acre_engine's initialiser. */
#undef REPLAY_CALLS
#define REPLAY_CALLS(stem)                                                                         \
    stem##_alloc, stem##_calloc, stem##_realloc, stem##_aligned, stem##_free,                      \
    {                                                                                              \
        stem##_none, stem##_line, stem##_page, stem##_full                                         \
    }

#undef REPLAY_STEM
#ifndef REPLAY_KEEP
#undef REPLAY_ALLOC
#undef REPLAY_CALLOC
#undef REPLAY_REALLOC
#undef REPLAY_ALIGNED
#undef REPLAY_FREE
#endif
