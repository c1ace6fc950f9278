/* SPDX-License-Identifier: MIT */
/* record.h: what the files of the recorder share.
 *
 * libacre_record.so is preloaded into a program, stands before its allocator, and writes down each
 * call (format: traces/rawfile.h).  It uses libc only and never allocates from the heap.
 *
 *     hooks.c  hooks_cxx.c   the functions that programs call
 *     resolve.c              the functions behind them; memory while those are looked for
 *     lane.c                 where a thread puts its records
 *     rawstart.c             the file: opening it, claiming blocks
 *
 * Fork: lanes lie in memory that the kernel clears in a forked child (MADV_WIPEONFORK), so the
 * child's first record finds no room and starts a file of its own; there is no moment in which it
 * could write to its parent's.  A vfork child shares its parent's heap and thread, so what it does
 * there is rightly recorded as the parent's doing. */
#ifndef ACRE_TRACES_RECORD_H
#define ACRE_TRACES_RECORD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "traces/rawfile.h"

#define RECORD_HIDDEN __attribute__((visibility("hidden")))
#define RECORD_HOOK __attribute__((visibility("default")))
#define RECORD_UNLIKELY(x) __builtin_expect(!!(x), 0)

/* ---- Lanes ---------------------------------------------------------------------------------- */

typedef struct record_lane {
    uint64_t *cur, *end;     /* where the next record goes, and the end of the buffer */
    uint64_t last;           /* tick of the record before */
    acre__raw_block *buffer; /* the mapped buffer, NULL = none yet */
    uint32_t id;
    int tid;                 /* the kernel's id of the thread that writes it */
    bool exiting;            /* that thread is past its last destructor */
} record_lane;

typedef struct record_thread {
    record_lane *lane; /* never NULL: at first a lane without room */
    const void *freed; /* operator delete has recorded the end of this object */
    unsigned flags;    /* operator new's flags for the malloc that it will call */
    int rounds;        /* of thread-exit destructors */
    bool busy;         /* in the recorder: what it causes is not the program's doing */
} record_thread;

extern __thread record_thread acre__record_thread
    __attribute__((tls_model("initial-exec"), visibility("hidden")));

/* Stores one event.  `stamp` from acre__record_clock(). */
RECORD_HIDDEN void acre__record_event(unsigned op, uint64_t stamp, const void *p,
                                      unsigned align_log2, unsigned flags, uint64_t size);
RECORD_HIDDEN void acre__record_realloc(uint64_t start, uint64_t end, const void *p, unsigned flags,
                                        const void *old, uint64_t size);

/* Between the two, this thread's calls are the recorder's own and are not recorded. */
RECORD_HIDDEN record_lane *acre__record_mute(void);
RECORD_HIDDEN void acre__record_unmute(record_lane *lane);

/* ---- The file ------------------------------------------------------------------------------- */

/* Makes the file of this process if there is none: true if events can be stored. */
RECORD_HIDDEN bool acre__record_start(void);
/* Forgets the parent's file if this process was forked. */
RECORD_HIDDEN void acre__record_forked(void);
/* Maps a new buffer of the file, zeroed but for its head: its address, or NULL. */
RECORD_HIDDEN acre__raw_block *acre__record_map_buffer(uint32_t lane);
/* Appends a copy of a full buffer to the file; false if it could not be stored. */
RECORD_HIDDEN bool acre__record_append(const acre__raw_block *buffer);
RECORD_HIDDEN void acre__record_lost(uint64_t events);
/* Ticks of the stamp 0. */
RECORD_HIDDEN uint64_t acre__record_base(void);

/* ---- The functions behind ours -------------------------------------------------------------- */

typedef struct record_real {
    void *(*malloc)(size_t);
    void (*free)(void *);
    void *(*calloc)(size_t, size_t);
    void *(*realloc)(void *, size_t);
    void *(*memalign)(size_t, size_t);
    void *(*aligned_alloc)(size_t, size_t);
    int (*posix_memalign)(void **, size_t, size_t);
    void *(*valloc)(size_t);
    void *(*pvalloc)(size_t);
    size_t (*malloc_usable_size)(void *);
} record_real;

extern record_real acre__real RECORD_HIDDEN;

/* False while the functions are being looked for: use the bootstrap memory. */
RECORD_HIDDEN bool acre__real_ready(void);
/* A function of C++, also of a libstdc++ that was loaded privately.  NULL if there is none. */
RECORD_HIDDEN void *acre__real_cxx(const char *name);

/* Memory for what dlsym allocates; zeroed, never given back. */
RECORD_HIDDEN void *acre__bootstrap_alloc(size_t size, size_t align);
RECORD_HIDDEN bool acre__bootstrap_owns(const void *p);
/* Bytes from p to the end of the bootstrap memory, an upper bound of what may be copied. */
RECORD_HIDDEN size_t acre__bootstrap_rest(const void *p);

/* ---- Clock ---------------------------------------------------------------------------------- */

extern char __libc_single_threaded __attribute__((weak));

/* With threads, reads the clock after every load before it: an end must not be stamped before the
 * load that brought the pointer from another thread, nor a birth before the allocator's loads. */
static inline uint64_t acre__record_clock(void)
{
#if defined __x86_64__
    unsigned cpu;
    if (&__libc_single_threaded && __libc_single_threaded)
        return __builtin_ia32_rdtsc(); /* half the price */
    return __builtin_ia32_rdtscp(&cpu);
#elif defined __aarch64__
    uint64_t ticks;
    __asm__ volatile("isb; mrs %0, cntvct_el0" : "=r"(ticks)::"memory");
    return ticks;
#else
#error "no clock for this processor"
#endif
}

#endif
