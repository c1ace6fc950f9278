/* SPDX-License-Identifier: MIT */
/* engine_malloc.c: the malloc of this process, by its symbols: libc's, or the one that was
 * preloaded. */
#include "bench/engine.h"

#include <errno.h>
#include <stdlib.h>

static int system_open(void **heap, const char *name, const char *options, void *memory,
                       size_t bytes)
{
    (void)name, (void)memory, (void)bytes;
    if (*options)
        return EINVAL;
    *heap = NULL;
    return 0;
}

static void system_close(void *heap)
{
    (void)heap;
}

/* aligned_alloc() may insist on a size that is a multiple; this does not. */
static inline void *system_memalign(size_t size, size_t align)
{
    void *p;
    size_t least = align < sizeof(void *) ? sizeof(void *) : align;
    return posix_memalign(&p, least, size) ? NULL : p;
}

#define REPLAY_STEM system
#define REPLAY_ALLOC(heap, size) malloc(size)
#define REPLAY_CALLOC(heap, size) calloc(1, size)
#define REPLAY_REALLOC(heap, p, size) realloc(p, size)
#define REPLAY_ALIGNED(heap, size, align) system_memalign(size, align)
#define REPLAY_FREE(heap, p) free(p)
#include "bench/replay_loop.h"

const acre_engine acre__engine_malloc = {
    0, 8, system_open, system_close, NULL, REPLAY_CALLS(system)};
