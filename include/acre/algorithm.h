/* SPDX-License-Identifier: MIT */
/* acre/algorithm.h: what one memory algorithm is.  For those who write one; users of heaps need
 * acre/alloc.h only.
 *
 * All state of an algorithm lies in its region, which may be mapped at another address in each
 * process and may move between two calls: no pointers in it, only offsets or indexes.  An
 * algorithm is one file in alloc/ plus one line in alloc/algorithms.def; its identity is its
 * name, which segments store.
 *
 * The layer above (alloc/heap.c) guarantees: size > 0 and at most ACRE_SIZE_MAX; align a power
 * of two >= ACRE_ALIGN_MIN; p is 16-aligned and can be read, though it may lie behind the region's
 * end; and, but for take, give, into and from where ACRE_CONCURRENT is set, one call at a time over all processes.  It does what every algorithm would repeat:
 * zero and impossible sizes, the lock, the journal's commit and roll back, copying realloc, bulk
 * calls.
 *
 * Killed in the middle.  A word of the region that a roll back has to restore is changed through
 * acre_set32() or acre_set64(), which first note its old value in the undo journal.  When the
 * call returns, the layer above empties the journal in one store: that is the commit.  Who finds
 * a dead owner and a journal that is not empty writes the noted values back, newest first, and has
 * recover() derive the rest; then the heap is as it was before the dead one's call.  No fence for
 * the processor is needed: a killed process's retired stores are all visible, so what a survivor
 * can see is exactly a prefix of the program's stores.
 *
 * So the rules are: a call notes a word before it stores anything that matters; and what is stored
 * without a note is either derived (recover() computes it from what is noted) or never read by the
 * rolled-back state (the inside of a block that was free before the call, the payload of one that
 * is being freed).  What lies in a live block's payload belongs to its user: a call that may be
 * undone must note it before it overwrites it, but for free() and its first `free_clobbers` bytes.
 */
#ifndef ACRE_ALGORITHM_H
#define ACRE_ALGORITHM_H

#include <acre/base.h>

#ifdef __cplusplus
extern "C" {
#endif

#define ACRE_SIZE_MAX ((size_t)1 << 47) /* no request above this reaches an algorithm */

/* One noted word: where it is, counted from the region's base (wrapping, so that words outside
 * the region, such as a user's slot, can be noted as well), and what it held.  Bit 0 of `where`
 * tells a 32-bit word from a 64-bit one; bit 1 is the layer's above. */
typedef struct acre_journal_entry {
    uint64_t where, old;
} acre_journal_entry;

/* The undo journal; lies in shared memory in front of the region. */
typedef struct acre_journal {
    uint64_t count;    /* entries that are valid; 0 = no operation in progress */
    uint64_t capacity; /* entries there is room for */
    acre_journal_entry entry[];
} acre_journal;

/* A heap's place in this process: the first argument of every method. */
typedef struct acre_region acre_region;
struct acre_region {
    char *base;            /* the algorithm's first byte; 64-aligned within its segment */
    acre_journal *journal; /* NULL: journal switched off */
    uint64_t size;         /* the region's bytes; set for check(), walk(), stats() and recover() */
    /* Set for take(): acre_alloc() with all it does; not 0: what whole() adds is needed, because new
     * blocks have to hide old links (acre_heap_zero_free() was called). */
    void *(*whole)(acre_region *r, size_t size);
    const uint32_t *zeroed;
};

enum acre_algorithm_flags {
    ACRE_CONCURRENT = 1,   /* take, give, into, from synchronise themselves; others have the lock */
    ACRE_ROBUST = 2,       /* survives SIGKILL anywhere when lock and journal are on */
    ACRE_NO_FREE = 4,      /* free() gives nothing back */
    ACRE_REFERENCE = 8,    /* measures the harness; not a usable heap (no conformance) */
    ACRE_ANY_ADDRESS = 16, /* free() takes any address but NULL, also unaligned or foreign */
    ACRE_ROUNDS = 32       /* rounds requests up coarsely, to powers of two */
};

/* How the time of one allocation and one free together grows with the number n of blocks, amortised,
 * as the algorithm's file argues it: the theory that pictures draw beside what is measured. */
enum acre_growth {
    ACRE_GROWTH_UNTOLD = 0,
    ACRE_GROWTH_CONSTANT, /* O(1) */
    ACRE_GROWTH_LOG,      /* O(log n) */
    ACRE_GROWTH_LINEAR    /* O(n) */
};

/* One block, as walk() shows it. */
typedef struct acre_block {
    uint64_t offset; /* of its first usable byte, from the region's base */
    uint64_t size;   /* usable bytes */
    uint64_t total;  /* bytes it takes in the region, headers included */
    bool used;
} acre_block;

/* Called for each block in address order; anything but 0 ends the walk and is its result.
 * Must not call into the same heap, nor fork. */
typedef int acre_visit(void *arg, const acre_block *block);

/* What check() found first. */
typedef struct acre_damage {
    uint64_t offset;  /* from the region's base */
    const char *rule; /* the invariant that is broken, as numbered in the algorithm's file */
} acre_damage;

typedef struct acre_stats {
    uint64_t size;        /* bytes of the region */
    uint64_t overhead;    /* bytes of it that are never handed out */
    uint64_t free_bytes;  /* bytes in free blocks, headers included */
    uint64_t high_water;  /* bytes from the base that were ever in use */
    uint64_t used_blocks; /* the following are filled by acre_heap_stats(), by walking */
    uint64_t used_bytes;  /* usable bytes in live blocks */
    uint64_t free_blocks;
    uint64_t largest_free;  /* usable bytes of the largest free block */
    uint64_t histogram[48]; /* free blocks by log2 of their usable size */
    uint64_t used_total;    /* bytes that live blocks take in the region, headers included */
    uint64_t free_usable;   /* usable bytes in free blocks, as if each were allocated whole */
    /* 1 - largest_free / free_usable: the part of the free memory that one request cannot have.  0 if
     * nothing is free. */
    double external_fragmentation;
    /* 1 - used_bytes / used_total: the part of live blocks that is headers and padding.  What is lost
     * to rounding up inside of blocks is not in it: heaps do not know what was asked for (replays do).
     * 0 if nothing is live. */
    double internal_fragmentation;
    bool exact;          /* all of this is from one moment; false: nothing was walked, see
                            acre_heap_stats() */
    uint64_t recoveries; /* times a dead owner's operation was rolled back */
} acre_stats;

/* ---- parts and classes ---- */

enum { ACRE_PARTS = 256 }; /* of a heap, at most */

enum acre_part_state {
    ACRE_PART_FREE = 0, /* nobody's; the next thread that needs one takes it */
    ACRE_PART_HELD,     /* thread tid's */
    ACRE_PART_ORPHANED  /* its thread has ended or was killed, and nobody has taken it over yet */
};

/* What one thread of one process has of a heap to itself, as acre_heap_parts() shows it. */
typedef struct acre_part {
    uint32_t number; /* 0, 1, 2 …; a part keeps it */
    uint32_t state;  /* enum acre_part_state */
    uint32_t tid;    /* of who holds it, in his pid namespace; 0: nobody does */
    uint64_t adopted; /* times somebody took it, from the dead or when it was free */
    uint64_t slabs, slab_bytes;
    uint64_t used_blocks, used_bytes;       /* of its slabs: in users' hands, whoever allocated them */
    uint64_t free_blocks, free_bytes;       /* of its slabs: at home */
    uint64_t pending_blocks, pending_bytes; /* of its slabs: freed by other threads, not yet seen by its own */
    uint64_t cached_blocks, cached_bytes;   /* in its magazines, of whichever part's slabs */
    uint64_t shelved_blocks, shelved_bytes; /* large blocks on its shelf, with their headers */
} acre_part;

/* What a heap has for blocks of one size, as acre_heap_classes() shows it. */
typedef struct acre_class {
    uint64_t size; /* usable bytes of a block */
    uint64_t slabs, slab_bytes; /* or blocks of a pool, of which pieces of this size are cut */
    uint64_t live_blocks;   /* in users' hands */
    uint64_t free_blocks;   /* at home, pending ones too */
    uint64_t cached_blocks; /* in threads' magazines */
    uint64_t lost_bytes;    /* of slab_bytes: those that are no block */
    uint64_t direct_blocks; /* that could have been such a piece, but stand alone, in no slab */
} acre_class;

enum acre_resize_flags {
    ACRE_NEW = 1,        /* a new block will do too (acre_resize() only, never seen by resize()) */
    ACRE_FORWARDS = 2,   /* may take the free block behind */
    ACRE_BACKWARDS = 4,  /* may take the free block in front: the start moves, data does not */
    ACRE_SHRINK = 8,     /* give back the end: preferred <= received <= limit afterwards */
    ACRE_TRY_SHRINK = 16 /* as ACRE_SHRINK, but only tell what would be received */
};

/* A command to change a block in place (Boost.Interprocess's allocation_command).  Sizes are
 * usable bytes.  Growing: `preferred` if possible, else as much as can be had but not less than
 * `limit` (limit <= preferred).  Shrinking: preferred <= limit. */
typedef struct acre_resize_command {
    uint32_t flags;
    size_t limit, preferred;
    size_t multiple; /* backwards: the start moves by a multiple of this; 0 = 1 */
    size_t align;    /* backwards: and stays aligned to this; 0 = ACRE_ALIGN_MIN */
    size_t received; /* out: usable bytes now owned; on failure a size that might succeed */
} acre_resize_command;

enum { ACRE_PARAMS = 8, ACRE_CLASSES = 40 };

/* A number that is chosen when a heap is created, as in "adaptive_pools:nodes=128". */
typedef struct acre_param {
    const char *name;    /* [a-z_]; NULL ends a list of parameters */
    const char *summary; /* one line, with the unit */
    uint32_t least, most, standard;
} acre_param;

/* Chosen at creation, stored in the segment.  All zero = the defaults. */
typedef struct acre_heap_options {
    uint32_t lock;               /* enum acre_lock_kind (acre/alloc.h) */
    uint32_t journal;            /* enum acre_journal_mode (acre/alloc.h) */
    uint32_t checks;             /* enum acre_checks (acre/alloc.h) */
    uint32_t given;              /* bit i: param[i] counts; else the parameter's standard */
    uint32_t param[ACRE_PARAMS]; /* in the order of the algorithm's `params` */
    uint32_t
        class_size[ACRE_CLASSES]; /* ascending bytes, ended by 0; the first 0: the algorithm's */
} acre_heap_options;

/* A thread's own access to a heap (acre/alloc.h); its members are the library's. */
typedef struct acre_local acre_local;
struct acre_local {
    struct acre_heap *heap;
    void *place;
    void *(*take)(acre_local *l, size_t size);
    int (*give)(acre_local *l, void *p);
};

typedef struct acre_algorithm acre_algorithm;
struct acre_algorithm {
    const char *name;        /* identity: stored in segments; [a-z0-9_], at most 31 bytes */
    const char *summary;     /* one line, for lists and legends */
    uint32_t flags;          /* enum acre_algorithm_flags */
    uint32_t layout_version; /* of what it lays into the region */
    uint64_t reach;          /* largest region its links can address, in bytes */
    uint64_t min_size;       /* smallest region that holds one block */
    uint32_t journal_words;  /* most words one call notes (the bound is argued in its file) */
    uint32_t free_clobbers;  /* free() may overwrite this many of the block's first bytes unnoted */
    uint32_t link_bytes;     /* of a free block's first bytes this many may hold links */

    uint32_t growth;          /* enum acre_growth */
    const acre_param *params; /* NULL: it has none */

    /* Lay out an empty heap of `size` bytes (>= min_size, a multiple of 64).  The region may hold
     * anything before.  In *o all parameters are given and in their ranges. */
    void (*init)(acre_region *r, size_t size, const acre_heap_options *o);
    /* NULL if there is no room. */
    void *(*alloc)(acre_region *r, size_t size, size_t align);
    /* 0, or ACRE_EINVALID if p is seen not to be a live block; then nothing is changed.  With
     * ACRE_ANY_ADDRESS nothing is promised about p but that it is not NULL. */
    int (*free)(acre_region *r, void *p);
    /* Optional.  Before a heap that others may have damaged is attached to: does what all calls rely on
     * without looking hold?  Others may be using it.  r->size is set. */
    bool (*sound)(const acre_region *r);
    /* Bytes that the owner of p may use; reads nothing that others change.  0: not a live block. */
    size_t (*usable)(const acre_region *r, const void *p);
    /* Every invariant of the file's list.  0 or ACRE_ECORRUPT with *d filled.  Bounded, and never
     * reads outside the region whatever it holds. */
    int (*check)(const acre_region *r, acre_damage *d);
    /* Every block in address order.  0, what visit returned, or ACRE_ECORRUPT. */
    int (*walk)(const acre_region *r, acre_visit *visit, void *arg);
    /* Fill size, overhead, free_bytes, high_water.  O(1). */
    void (*stats)(const acre_region *r, acre_stats *s);

    /* Optional; NULL means that it cannot be done, or is done the generic way. */
    /* What acre_alloc() and acre_free() jump to if nothing has to be done around them: no lock, no
     * journal, no checks; or if the algorithm is ACRE_CONCURRENT.  Both or neither.  take: any size, also 0 and those that are too large; may
     * have only the way that nearly all calls go, and end in r->whole(r, size) on any other, as it has
     * to if a block may hold links and *r->zeroed is not 0.  give: as free(), but any address at all may
     * come, and NULL is 0. */
    void *(*take)(acre_region *r, size_t size);
    int (*give)(acre_region *r, void *p);
    /* give() of a heap with checks=0: need not look whether p is a live block. */
    int (*give_unjudged)(acre_region *r, void *p);
    /* Fill in l's place, take and give for the calling thread: see acre_local_open().  l->heap is set, and its
     * take() is called for it.  False: it cannot be. */
    bool (*local)(acre_local *l);
    /* With ACRE_CONCURRENT, in acre_realloc() and without the lock: does p stay where it is, if it is to have
     * `size` bytes?  0: yes; ENOMEM: no; EAGAIN: ask resize().  *usable: as usable(p). */
    int (*keeps)(const acre_region *r, const void *p, size_t size, size_t *usable);
    /* With ACRE_CONCURRENT: acre_alloc_into() and acre_free_from() without the lock; EAGAIN: with it, the
     * generic way.  The calling thread lets go of what it holds of the heap. */
    int (*into)(acre_region *r, acre_off *slot, size_t size);
    int (*from)(acre_region *r, acre_off *slot);
    void (*detach)(acre_region *r);
    /* Finish what threads that are dead have left, before the heap is looked at. */
    void (*settle)(acre_region *r);
    /* With ACRE_CONCURRENT: the futex word that tells which thread has the i-th part of the heap to itself.
     * NULL: there are no more.  Any image; without the lock. */
    uint32_t *(*owner)(const acre_region *r, uint32_t i);
    /* Without the lock, in front of free_empty(): give back what threads that are gone have kept.  Bytes. */
    size_t (*relieve)(acre_region *r);
    /* Carry out the command in place: the block's (maybe new) start, or NULL. */
    void *(*resize)(acre_region *r, void *p, acre_resize_command *c);
    /* The region is now `size` bytes, larger than before.  0 or ACRE_ETOOBIG. */
    int (*grow)(acre_region *r, size_t size);
    /* Give up free bytes at the end, down to `size` if they are free; returns the size now. */
    size_t (*shrink)(acre_region *r, size_t size);
    /* Overwrite the unused inside of free blocks with zeros, but for `link_bytes` at the start of
     * each. */
    void (*zero_free)(acre_region *r);
    /* Bytes from the base behind which nothing was ever written, nor will have been when a call was rolled back, but
     * by users of blocks that reach there.  So what a new block has there is as the memory was at first. */
    uint64_t (*untouched)(const acre_region *r);
    /* As walk(), but shows as unused only what is free and stays so as long as the lock is held; need not
     * show anything else.  What zero_free() may overwrite of that may go to the system.  NULL: walk()
     * shows nothing else as unused, if there is a zero_free(). */
    int (*walk_free)(const acre_region *r, acre_visit *visit, void *arg);
    /* n blocks at once, of sizes[i] or (sizes NULL) `size` bytes each, cheaper than one by one; calls
     * acre_commit() between steps, so that journal_words bounds a step.  The number of blocks made:
     * what is missing is then tried one by one. */
    size_t (*alloc_many)(acre_region *r, size_t n, const size_t *sizes, size_t size, void **out);
    /* Free n live blocks in ascending order of addresses, with acre_commit() between steps.  The
     * number freed: the next one was seen not to be a live block. */
    size_t (*free_many)(acre_region *r, size_t n, void *const *blocks);
    /* Give back what is kept for later although nothing in it is live; calls acre_commit() between
     * steps.  The bytes given back. */
    size_t (*free_empty)(acre_region *r);
    /* Fill o->class_size with the size classes in use.  Not NULL: "classes=" is understood. */
    void (*classes)(const acre_region *r, acre_heap_options *o);
    /* What each thread has to itself, and what each size class has: fill part[0…n), class[0…n), which are
     * zero and have room for ACRE_PARTS and ACRE_CLASSES.  n, or ACRE_ECORRUPT.  With the lock, or under look.c's proof;
     * bounded, and never reads outside the region whatever it holds. */
    int (*parts)(const acre_region *r, acre_part *part);
    int (*class_stats)(const acre_region *r, acre_class *class_);
    /* After a roll back: derive anew what is not noted.  Idempotent: its caller may die as well. */
    void (*recover)(acre_region *r);
};

/* A store that the compiler must not move, split or leave out. */
#define ACRE_PUT(lvalue, value) (*(volatile __typeof__(lvalue) *)&(lvalue) = (value))

#define ACRE_INLINE static inline __attribute__((always_inline, unused))

/* Note what a word holds (narrow: 1 = it has 32 bits, 0 = 64).  What is stored later in the program
 * is stored later by the processor too: the fence is one for the compiler only. */
ACRE_INLINE void acre_note(const acre_region *r, const void *word, uint64_t old, uint64_t narrow)
{
    acre_journal *j = r->journal;
    uint64_t n = j->count;
    if (__builtin_expect(n >= j->capacity, 0))
        __builtin_trap(); /* bound wrong; dying here is safe: what is noted is rolled back */
    ACRE_PUT(j->entry[n].where, (uint64_t)((const char *)word - r->base) | narrow);
    ACRE_PUT(j->entry[n].old, old);
    ACRE_PUT(j->count, n + 1);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

/* Change a word of shared metadata so that a roll back restores it. */
ACRE_INLINE void acre_set32(const acre_region *r, uint32_t *word, uint32_t value)
{
    if (r->journal)
        acre_note(r, word, *word, 1);
    *word = value;
}

ACRE_INLINE void acre_set64(const acre_region *r, uint64_t *word, uint64_t value)
{
    if (r->journal)
        acre_note(r, word, *word, 0);
    *word = value;
}

/* Inside a call that consists of steps: make what was done so far final. */
ACRE_INLINE void acre_commit(const acre_region *r)
{
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
    if (r->journal)
        ACRE_PUT(r->journal->count, 0);
    __atomic_signal_fence(__ATOMIC_SEQ_CST);
}

/* The list.  Built-in algorithms come first, in algorithms.def's order. */
ACRE_API const acre_algorithm *acre_algorithm_find(const char *name); /* NULL: unknown */
ACRE_API const acre_algorithm *acre_algorithm_at(size_t index);       /* NULL: past the end */

/* Add a program's own algorithm, so that segments that name it can be opened.  *a must outlive
 * its use.  EEXIST: the name is taken; ENOSPC: 32 are registered already.  Thread safe. */
ACRE_API int acre_algorithm_register(const acre_algorithm *a);

#ifdef __cplusplus
}
#endif
#endif
