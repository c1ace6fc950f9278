/* SPDX-License-Identifier: MIT */
/* hooks.c: the C functions that stand before the program's allocator.
 *
 * The order of stamp and call is the whole point (traces/rawfile.h): births are stamped after the
 * allocator returned, ends before it is called. */
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "traces/record/record.h"

/* Flags that operator new left for the allocation which it makes. */
static unsigned hook_flags(void)
{
    unsigned flags = acre__record_thread.flags;
    acre__record_thread.flags = 0;
    return flags;
}

static void *hook_birth(unsigned op, void *p, unsigned align_log2, size_t size)
{
    unsigned flags = hook_flags() | (p ? 0 : ACRE__RAW_FAILED);
    acre__record_event(op, acre__record_clock(), p, align_log2, flags, size);
    return p;
}

static unsigned hook_log2(size_t align)
{
    return align ? (unsigned)__builtin_ctzl(align) : 0;
}

/* ---- The four ------------------------------------------------------------------------------- */

RECORD_HOOK void *malloc(size_t size)
{
    if (RECORD_UNLIKELY(!acre__real.malloc) && !acre__real_ready())
        return acre__bootstrap_alloc(size, 1);
    return hook_birth(ACRE__RAW_MALLOC, acre__real.malloc(size), 0, size);
}

RECORD_HOOK void *calloc(size_t n, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(n, size, &bytes))
        bytes = SIZE_MAX;
    if (RECORD_UNLIKELY(!acre__real.malloc) && !acre__real_ready())
        return acre__bootstrap_alloc(bytes, 1);
    return hook_birth(ACRE__RAW_CALLOC, acre__real.calloc(n, size), 0, bytes);
}

RECORD_HOOK void free(void *p)
{
    record_thread *thread = &acre__record_thread;
    if (RECORD_UNLIKELY(acre__bootstrap_owns(p)))
        return;
    if (RECORD_UNLIKELY(p && thread->freed == p))
        thread->freed = NULL; /* operator delete has told */
    else
        acre__record_event(ACRE__RAW_FREE, acre__record_clock(), p, 0, hook_flags(), 0);
    if (p && (acre__real.malloc || acre__real_ready()))
        acre__real.free(p);
}

/* A block of the bootstrap arena moves to the real heap: a birth. */
static void *hook_move_out(void *p, size_t size)
{
    void *q = malloc(size);
    size_t rest = acre__bootstrap_rest(p);
    return q ? memcpy(q, p, size < rest ? size : rest) : NULL;
}

RECORD_HOOK void *realloc(void *p, size_t size)
{
    if (RECORD_UNLIKELY(acre__bootstrap_owns(p)))
        return hook_move_out(p, size);
    if (RECORD_UNLIKELY(!acre__real.malloc) && !acre__real_ready())
        return acre__bootstrap_alloc(size, 1);
    uint64_t start = acre__record_clock();
    void *q = acre__real.realloc(p, size);
    uint64_t end = acre__record_clock();
    unsigned failed = !q && (size || !p) ? ACRE__RAW_FAILED : 0; /* realloc(p, 0) is a free */
    acre__record_realloc(start, end, q, hook_flags() | failed, p, size);
    return q;
}

RECORD_HOOK void *reallocarray(void *p, size_t n, size_t size)
{
    size_t bytes;
    if (__builtin_mul_overflow(n, size, &bytes)) {
        errno = ENOMEM;
        return NULL;
    }
    return realloc(p, bytes);
}

/* ---- Alignment ------------------------------------------------------------------------------ */

RECORD_HOOK void *memalign(size_t align, size_t size)
{
    if (!acre__real_ready())
        return acre__bootstrap_alloc(size, align);
    return hook_birth(ACRE__RAW_ALIGNED, acre__real.memalign(align, size), hook_log2(align), size);
}

RECORD_HOOK void *aligned_alloc(size_t align, size_t size)
{
    if (!acre__real_ready())
        return acre__bootstrap_alloc(size, align);
    return hook_birth(ACRE__RAW_ALIGNED, acre__real.aligned_alloc(align, size), hook_log2(align),
                      size);
}

RECORD_HOOK int posix_memalign(void **out, size_t align, size_t size)
{
    if (!acre__real_ready())
        return (*out = acre__bootstrap_alloc(size, align)) ? 0 : ENOMEM;
    int err = acre__real.posix_memalign(out, align, size);
    hook_birth(ACRE__RAW_ALIGNED, err ? NULL : *out, hook_log2(align), size);
    return err;
}

static unsigned hook_page_log2(void)
{
    return hook_log2((size_t)sysconf(_SC_PAGESIZE));
}

RECORD_HOOK void *valloc(size_t size)
{
    if (!acre__real_ready())
        return acre__bootstrap_alloc(size, 4096);
    return hook_birth(ACRE__RAW_ALIGNED, acre__real.valloc(size), hook_page_log2(), size);
}

RECORD_HOOK void *pvalloc(size_t size)
{
    if (!acre__real_ready())
        return acre__bootstrap_alloc(size, 4096);
    return hook_birth(ACRE__RAW_ALIGNED, acre__real.pvalloc(size), hook_page_log2(), size);
}

/* ---- C23, and questions --------------------------------------------------------------------- */

RECORD_HOOK void free_sized(void *p, size_t size);
RECORD_HOOK void free_aligned_sized(void *p, size_t align, size_t size);

RECORD_HOOK void free_sized(void *p, size_t size)
{
    (void)size;
    acre__record_thread.flags = ACRE__RAW_SIZED;
    free(p);
}

RECORD_HOOK void free_aligned_sized(void *p, size_t align, size_t size)
{
    (void)align;
    free_sized(p, size);
}

RECORD_HOOK size_t malloc_usable_size(void *p)
{
    if (!p || acre__bootstrap_owns(p) || !acre__real_ready())
        return p ? acre__bootstrap_rest(p) : 0;
    size_t size = acre__real.malloc_usable_size(p);
    acre__record_event(ACRE__RAW_USABLE, acre__record_clock(), p, 0, 0, size);
    return size;
}
