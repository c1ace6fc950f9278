/* SPDX-License-Identifier: MIT */
/* engine.h: one way of calling an allocator: the replay loop instantiated for it, and its calls
 * one by one for what is not timed. */
#ifndef ACRE_BENCH_ENGINE_H
#define ACRE_BENCH_ENGINE_H

#include "bench/image.h"

#ifdef __cplusplus
extern "C" {
#endif

/* What the replay writes into each new block. */
enum acre_touch {
    ACRE_TOUCH_NONE,
    ACRE_TOUCH_LINE, /* its first word */
    ACRE_TOUCH_PAGE, /* one byte in each of its pages */
    ACRE_TOUCH_FULL, /* all of it */
    ACRE_TOUCH_KINDS
};

/* What a loop reads from and writes to. */
typedef struct acre_tape {
    const acre_image_op *ops;
    const uint64_t *sizes;
    void **slots; /* addresses of live objects; elsewhere anything */
    void *heap;
} acre_tape;

/* Replays the entries from begin until one at or behind end.  Returns where it stands then, or the
 * entry whose allocation failed: in that case less than end. */
typedef size_t acre_engine_loop(const acre_tape *t, size_t begin, size_t end);

enum acre_engine_flags {
    ACRE_ENGINE_SEGMENT = 1,  /* lives in the memory it is given; else in malloc's own */
    ACRE_ENGINE_REFERENCE = 2 /* hands out memory that is not the caller's alone */
};

typedef struct acre_engine {
    uint32_t flags;
    uint32_t align; /* every block of at least this size is aligned so */
    /* An empty heap in `bytes` of memory at `memory` (page aligned, zero); `options` is what
     * stands behind the colon of the contender's name, or "".  0, errno or ACRE_E…. */
    int (*open)(void **heap, const char *name, const char *options, void *memory, size_t bytes);
    void (*close)(void *heap);
    /* Bytes from the start of the memory that were ever in use.  NULL: the heap does not know. */
    size_t (*high_water)(void *heap);

    void *(*alloc)(void *heap, size_t size);
    void *(*calloc)(void *heap, size_t size);
    void *(*realloc)(void *heap, void *p, size_t size);
    void *(*aligned)(void *heap, size_t size, size_t align);
    void (*free)(void *heap, void *p);
    acre_engine_loop *loop[ACRE_TOUCH_KINDS];
} acre_engine;

extern const acre_engine acre__engine_null, acre__engine_null_call, acre__engine_bump,
    acre__engine_malloc, acre__engine_acre;

/* What libacre_boost.so exports under this name: the engine of one of its algorithms with these
 * options, or NULL. */
typedef const acre_engine *acre_boost_engine_function(const char *name, const char *options);
const acre_engine *acre_boost_engine(const char *name, const char *options);

#ifdef __cplusplus
}
#endif
#endif
