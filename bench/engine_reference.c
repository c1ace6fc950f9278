/* SPDX-License-Identifier: MIT */
/* engine_reference.c: what is not an allocator, to know what the harness costs.
 *
 * null       every block is the same: the loop alone
 * null_call  the same behind calls that the compiler cannot see through: loop, calls, and the
 *            mispredictions of which call it is
 * bump       each block behind the last one, from the start again at the end: what touching ever
 *            new memory costs
 * None of them keeps blocks apart, or any contents. */
#include "bench/engine.h"

#include <errno.h>

static int null_open(void **heap, const char *name, const char *options, void *memory, size_t bytes)
{
    (void)name;
    if (*options || !bytes)
        return EINVAL;
    *heap = memory;
    return 0;
}

static void null_close(void *heap)
{
    (void)heap;
}

/* The compiler must know that it is never NULL to be able to drop the loop's test. */
static inline void *null_block(void *heap)
{
    if (!heap)
        __builtin_unreachable();
    return heap;
}

#define REPLAY_STEM null
#define REPLAY_ALLOC(heap, size) null_block(heap)
#define REPLAY_CALLOC(heap, size) null_block(heap)
#define REPLAY_REALLOC(heap, p, size) null_block(heap)
#define REPLAY_ALIGNED(heap, size, align) null_block(heap)
#define REPLAY_FREE(heap, p) ((void)(p))
#include "bench/replay_loop.h"

const acre_engine acre__engine_null = {ACRE_ENGINE_REFERENCE, 16, null_open, null_close, NULL,
                                       REPLAY_CALLS(null)};

__attribute__((noinline)) static void *null_call_one(void *heap, size_t size)
{
    __asm__ volatile("" : "+r"(heap) : "r"(size));
    return heap;
}

__attribute__((noinline)) static void null_call_drop(void *heap, void *p)
{
    __asm__ volatile("" : : "r"(heap), "r"(p));
}

#define REPLAY_STEM null_call
#define REPLAY_ALLOC(heap, size) null_call_one(heap, size)
#define REPLAY_CALLOC(heap, size) null_call_one(heap, size)
#define REPLAY_REALLOC(heap, p, size) null_call_one(heap, size)
#define REPLAY_ALIGNED(heap, size, align) null_call_one(heap, size)
#define REPLAY_FREE(heap, p) null_call_drop(heap, p)
#include "bench/replay_loop.h"

const acre_engine acre__engine_null_call = {ACRE_ENGINE_REFERENCE,  16, null_open, null_close, NULL,
                                            REPLAY_CALLS(null_call)};

/* In the first line of its memory. */
typedef struct bump_heap {
    char *next, *first, *end;
} bump_heap;

static int bump_open(void **heap, const char *name, const char *options, void *memory, size_t bytes)
{
    bump_heap *b = memory;
    (void)name;
    if (*options || bytes < 4096)
        return EINVAL;
    b->next = b->first = (char *)memory + 64;
    b->end = (char *)memory + bytes;
    *heap = b;
    return 0;
}

static inline void *bump_take(void *heap, size_t size)
{
    bump_heap *b = heap;
    char *p = b->next;
    size = (size + 15) & ~(size_t)15;
    if (__builtin_expect(size > (size_t)(b->end - p), 0)) {
        if (size > (size_t)(b->end - b->first))
            return NULL;
        p = b->first;
    }
    b->next = p + size;
    return p;
}

static void *bump_take_aligned(void *heap, size_t size, size_t align)
{
    char *p = bump_take(heap, size + align);
    return p ? p + (-(uintptr_t)p & (align - 1)) : NULL;
}

#define REPLAY_STEM bump
#define REPLAY_ALLOC(heap, size) bump_take(heap, size)
#define REPLAY_CALLOC(heap, size) bump_take(heap, size)
#define REPLAY_REALLOC(heap, p, size) bump_take(heap, size)
#define REPLAY_ALIGNED(heap, size, align) bump_take_aligned(heap, size, align)
#define REPLAY_FREE(heap, p) ((void)(p))
#include "bench/replay_loop.h"

const acre_engine acre__engine_bump = {ACRE_ENGINE_REFERENCE, 16, bump_open, null_close, NULL,
                                       REPLAY_CALLS(bump)};
