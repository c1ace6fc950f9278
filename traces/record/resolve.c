/* SPDX-License-Identifier: MIT */
/* resolve.c: finding the functions behind the hooks.
 *
 * dlsym may itself call malloc or calloc.  What is asked for meanwhile comes from a small static
 * arena; such blocks are known by their address and never reach the real allocator. */
#include <dlfcn.h>

#include "traces/record/record.h"

enum { BOOTSTRAP_BYTES = 256 * 1024 };

static _Alignas(64) unsigned char bootstrap_arena[BOOTSTRAP_BYTES];
static size_t bootstrap_used;

record_real acre__real;
static bool resolve_busy;

void *acre__bootstrap_alloc(size_t size, size_t align)
{
    align = align < 16 ? 16 : align;
    size_t at = (bootstrap_used + align - 1) & ~(align - 1);
    if (size > BOOTSTRAP_BYTES || at > BOOTSTRAP_BYTES - size)
        return NULL;
    bootstrap_used = at + size;
    return bootstrap_arena + at;
}

bool acre__bootstrap_owns(const void *p)
{
    return (uintptr_t)p - (uintptr_t)bootstrap_arena < BOOTSTRAP_BYTES;
}

size_t acre__bootstrap_rest(const void *p)
{
    return BOOTSTRAP_BYTES - ((uintptr_t)p - (uintptr_t)bootstrap_arena);
}

#define RESOLVE(name) acre__real.name = (__typeof__(acre__real.name))dlsym(RTLD_NEXT, #name)

bool acre__real_ready(void)
{
    if (acre__real.malloc && !resolve_busy)
        return true;
    if (resolve_busy)
        return false;
    resolve_busy = true; /* the first allocation precedes the first thread */
    RESOLVE(free);
    RESOLVE(calloc);
    RESOLVE(realloc);
    RESOLVE(memalign);
    RESOLVE(aligned_alloc);
    RESOLVE(posix_memalign);
    RESOLVE(valloc);
    RESOLVE(pvalloc);
    RESOLVE(malloc_usable_size);
    RESOLVE(malloc);
    resolve_busy = false;
    return acre__real.malloc != NULL;
}

void *acre__real_cxx(const char *name)
{
    record_lane *lane = acre__record_mute();
    void *found = dlsym(RTLD_NEXT, name);
    void *library = found ? NULL : dlopen("libstdc++.so.6", RTLD_LAZY | RTLD_NOLOAD);
    if (library)
        found = dlsym(library, name);
    acre__record_unmute(lane);
    return found;
}
