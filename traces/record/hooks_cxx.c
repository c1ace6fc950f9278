/* SPDX-License-Identifier: MIT */
/* hooks_cxx.c: the replaceable operators new and delete, by their mangled names.
 *
 * The C++ library's operator new calls malloc, whose hook records the birth; ours only leaves it a
 * note that C++ asked.  No frame of ours needs cleaning when bad_alloc flies through.  An operator
 * that has its own heap leaves the note unread, and then ours records the birth itself.
 * An operator delete is recorded here, before anything is given back; free's hook is told. */
#include <malloc.h>
#include <stdlib.h>

#include "traces/record/record.h"

static void cxx_birth(void *p, size_t size, unsigned align_log2)
{
    unsigned flags = acre__record_thread.flags;
    acre__record_thread.flags = 0;
    if (flags) /* nobody took the note */
        acre__record_event(align_log2 ? ACRE__RAW_ALIGNED : ACRE__RAW_MALLOC, acre__record_clock(),
                           p, align_log2, flags | (p ? 0 : ACRE__RAW_FAILED), size);
}

/* False if the end has been told already (one operator delete calls another). */
static bool cxx_end(void *p, unsigned flags)
{
    record_thread *thread = &acre__record_thread;
    if (!p || thread->freed == p)
        return false;
    thread->freed = p;
    acre__record_event(ACRE__RAW_FREE, acre__record_clock(), p, 0, flags, 0);
    return true;
}

static void cxx_ended(bool told)
{
    if (told)
        acre__record_thread.freed = NULL;
}

/* The operator behind ours.  The loads are relaxed: each thread finds the same. */
static void *cxx_real(void **cache, const char *name)
{
    void *found = __atomic_load_n(cache, __ATOMIC_RELAXED);
    if (RECORD_UNLIKELY(!found)) {
        found = acre__real_cxx(name);
        __atomic_store_n(cache, found, __ATOMIC_RELAXED);
    }
    return found;
}

static unsigned cxx_log2(size_t align)
{
    return align ? (unsigned)__builtin_ctzl(align) : 0;
}

/* NAME, its parameters beside the size, how to pass them on, its flags, log2 of the alignment,
 * and what to do when there is no C++ library at all. */
#define CXX_NEW(NAME, PARAMS, ARGS, FLAGS, ALIGN_LOG2, WITHOUT)                 \
    RECORD_HOOK void *NAME PARAMS;                                              \
    RECORD_HOOK void *NAME PARAMS                                               \
    {                                                                           \
        static void *cache;                                                     \
        void *(*real)PARAMS = (void *(*)PARAMS)cxx_real(&cache, #NAME);         \
        acre__record_thread.flags = ACRE__RAW_CXX | (FLAGS);                    \
        void *p = real ? real ARGS : WITHOUT;                                   \
        cxx_birth(p, size, ALIGN_LOG2);                                         \
        return p;                                                               \
    }

#define CXX_DELETE(NAME, PARAMS, ARGS, FLAGS)                                   \
    RECORD_HOOK void NAME PARAMS;                                               \
    RECORD_HOOK void NAME PARAMS                                                \
    {                                                                           \
        static void *cache;                                                     \
        void (*real)PARAMS = (void (*)PARAMS)cxx_real(&cache, #NAME);           \
        bool told = cxx_end(p, ACRE__RAW_CXX | (FLAGS));                        \
        if (real)                                                               \
            real ARGS;                                                          \
        else                                                                    \
            free(p);                                                            \
        cxx_ended(told);                                                        \
    }

enum { ARRAY = ACRE__RAW_ARRAY, SIZED = ACRE__RAW_SIZED, NOTHROW = ACRE__RAW_NOTHROW };

#define P_NEW (size_t size)
#define A_NEW (size)
#define P_NEW_NT (size_t size, const void *nothrow)
#define A_NEW_NT (size, nothrow)
#define P_NEW_AL (size_t size, size_t align)
#define A_NEW_AL (size, align)
#define P_NEW_AL_NT (size_t size, size_t align, const void *nothrow)
#define A_NEW_AL_NT (size, align, nothrow)

CXX_NEW(_Znwm, P_NEW, A_NEW, 0, 0, malloc(size))
CXX_NEW(_Znam, P_NEW, A_NEW, ARRAY, 0, malloc(size))
CXX_NEW(_ZnwmRKSt9nothrow_t, P_NEW_NT, A_NEW_NT, NOTHROW, 0, malloc(size))
CXX_NEW(_ZnamRKSt9nothrow_t, P_NEW_NT, A_NEW_NT, ARRAY | NOTHROW, 0, malloc(size))
CXX_NEW(_ZnwmSt11align_val_t, P_NEW_AL, A_NEW_AL, 0, cxx_log2(align), memalign(align, size))
CXX_NEW(_ZnamSt11align_val_t, P_NEW_AL, A_NEW_AL, ARRAY, cxx_log2(align), memalign(align, size))
CXX_NEW(_ZnwmSt11align_val_tRKSt9nothrow_t, P_NEW_AL_NT, A_NEW_AL_NT, NOTHROW, cxx_log2(align),
        memalign(align, size))
CXX_NEW(_ZnamSt11align_val_tRKSt9nothrow_t, P_NEW_AL_NT, A_NEW_AL_NT, ARRAY | NOTHROW,
        cxx_log2(align), memalign(align, size))

#define P_DEL (void *p)
#define A_DEL (p)
#define P_DEL_X (void *p, size_t x) /* x: a size or an alignment */
#define A_DEL_X (p, x)
#define P_DEL_XX (void *p, size_t x, size_t y)
#define A_DEL_XX (p, x, y)

CXX_DELETE(_ZdlPv, P_DEL, A_DEL, 0)
CXX_DELETE(_ZdaPv, P_DEL, A_DEL, ARRAY)
CXX_DELETE(_ZdlPvm, P_DEL_X, A_DEL_X, SIZED)
CXX_DELETE(_ZdaPvm, P_DEL_X, A_DEL_X, ARRAY | SIZED)
CXX_DELETE(_ZdlPvSt11align_val_t, P_DEL_X, A_DEL_X, 0)
CXX_DELETE(_ZdaPvSt11align_val_t, P_DEL_X, A_DEL_X, ARRAY)
CXX_DELETE(_ZdlPvmSt11align_val_t, P_DEL_XX, A_DEL_XX, SIZED)
CXX_DELETE(_ZdaPvmSt11align_val_t, P_DEL_XX, A_DEL_XX, ARRAY | SIZED)
CXX_DELETE(_ZdlPvRKSt9nothrow_t, P_DEL_X, A_DEL_X, NOTHROW)
CXX_DELETE(_ZdaPvRKSt9nothrow_t, P_DEL_X, A_DEL_X, ARRAY | NOTHROW)
CXX_DELETE(_ZdlPvSt11align_val_tRKSt9nothrow_t, P_DEL_XX, A_DEL_XX, NOTHROW)
CXX_DELETE(_ZdaPvSt11align_val_tRKSt9nothrow_t, P_DEL_XX, A_DEL_XX, ARRAY | NOTHROW)
