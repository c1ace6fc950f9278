/* SPDX-License-Identifier: MIT */
/* acre/alloc.h: heaps.  A heap is one algorithm at work in one segment (acre/segment.h makes
 * segments); an acre_heap is this process's handle of it.
 *
 * Any number of threads and processes may call any function on the same heap at once, unless the
 * heap was made with ACRE_LOCK_NONE.  A block may be freed by another process than the one that
 * allocated it.
 *
 * When a process dies inside a call, the next caller in any process undoes the unfinished call
 * and goes on; a plain acre_alloc() whose caller dies before it stored the address leaks that one
 * block, acre_alloc_into() does not.
 *
 * Not async-signal-safe: a handler that interrupts a call and calls into the same heap is refused
 * (NULL, or EDEADLK) instead of deadlocking.  After fork() the child may go on using the handle.
 */
#ifndef ACRE_ALLOC_H
#define ACRE_ALLOC_H

#include <acre/algorithm.h>
#include <acre/base.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct acre_heap acre_heap;

enum acre_lock_kind {
    ACRE_LOCK_ROBUST = 0, /* a death inside is noticed at once and repaired by the next caller */
    ACRE_LOCK_NONE = 1,   /* the caller sees to it that one call is in progress at a time */
    ACRE_LOCK_SPIN = 2 /* as robust, at half the price alone; who has to wait polls, in naps of up
                             to 1 ms, instead of being woken */
};

enum acre_journal_mode { ACRE_JOURNAL_ON = 0, ACRE_JOURNAL_OFF = 1 };

/* What is looked for.  The table of misuse in alloc/README.md tells what each level finds. */
enum acre_checks {
    ACRE_CHECKS_STANDARD = 0, /* checks=1: what costs nothing: freed blocks, foreign and misaligned
                                 addresses, as far as the algorithm's own records show them */
    ACRE_CHECKS_NONE = 1,     /* checks=0: nothing is promised */
    ACRE_CHECKS_CANARY = 2,   /* checks=2: and writing behind a block, by a guard of 8 to 15 bytes there
                                 that is looked at when it is freed, resized or asked for its size; what
                                 is freed is overwritten; usable are just the bytes asked for */
    ACRE_CHECKS_QUARANTINE = 3 /* checks=3: and writing to a freed block: it is kept for a while, and
                                  looked at before the algorithm has it back */
};

/* Read "name" or "name:option=value,…" (lock=robust|spin|none, journal=on|off, checks=0…3, the
 * algorithm's parameters, classes=16:32:…), as the tools take it.  0, ACRE_EALGORITHM or ACRE_EOPTION. */
ACRE_API int acre_spec_parse(const char *spec, const acre_algorithm **algorithm,
                             acre_heap_options *options);

/* size bytes at a multiple of ACRE_ALIGN_MIN; size 0 gives a unique block.  NULL: no room. */
ACRE_API ACRE_MUST_USE void *acre_alloc(acre_heap *h, size_t size);

/* The same at a multiple of align.  NULL also if align is not a power of two. */
ACRE_API ACRE_MUST_USE void *acre_alloc_aligned(acre_heap *h, size_t size, size_t align);

/* n * size zeroed bytes; NULL also if the product overflows.  Of more than 64 KiB, memory that the heap has never
 * handed out is known to be zero and not touched: by `sharded`, rbtree_best_fit, tlsf, not in an ACRE_BUFFER. */
ACRE_API ACRE_MUST_USE void *acre_calloc(acre_heap *h, size_t n, size_t size);

/* Change p's size, in place if possible, else by moving, at last resort into the free blocks around
 * it; keeps the contents up to the smaller size.  Not one step: a caller that dies in it may leave
 * the old block, both, or the new one half copied.  NULL: no room, p is untouched.  p NULL: as acre_alloc.  size 0 keeps a smallest block. */
ACRE_API ACRE_MUST_USE void *acre_realloc(acre_heap *h, void *p, size_t size);

/* Give p back; NULL is allowed.  0, or ACRE_EINVALID if p is seen not to be a live block of this
 * heap (then nothing has changed), or EROFS.  checks=2 and 3: ACRE_EOVERRUN if its end was overwritten
 * (then nothing has changed: what lies behind may be damaged as well).  checks=3: ACRE_EUSEDFREED: p is
 * freed, but another block, freed before, was written to meanwhile; that is told once. */
ACRE_API int acre_free(acre_heap *h, void *p);

/* Bytes of p that its owner may use: at least what was asked; from checks=2 on just that (but in a block
 * that is larger by more than 16 MiB).  0: not a live block, or its end was overwritten.  Takes no lock. */
ACRE_API size_t acre_usable_size(acre_heap *h, const void *p);

/* Change a block in place, or get a new one (ACRE_NEW), by command; see acre_resize_command.
 * Order as in Boost.Interprocess: forwards to preferred; then preferred by backwards, both or a
 * new block; then the same to limit.  *reused tells whether the result is the old block.
 * With ACRE_BACKWARDS the data stay where they were, above the returned start.  NULL: not
 * possible, c->received tells what might be. */
ACRE_API void *acre_resize(acre_heap *h, void *p, acre_resize_command *c, bool *reused);

/* n blocks, out[i] of at least sizes[i] bytes, or (sizes NULL) each of `size` bytes: all or none.
 * 0 or ENOMEM.  Each may be freed singly. */
ACRE_API int acre_alloc_many(acre_heap *h, size_t n, const size_t *sizes, size_t size, void **out);

/* Free n blocks under one hold of the lock; NULLs are skipped.  0, or ACRE_EINVALID (or another of
 * acre_free()'s; the last one of several) after freeing all that are live blocks; or the error that kept
 * it from beginning (as acre_free()).  Most algorithms free them in the order of their addresses: the list is
 * sorted in place, its contents are unspecified afterwards. */
ACRE_API int acre_free_many(acre_heap *h, size_t n, void **blocks);

/* Allocate and store the block's offset in *slot (which lies in the same segment) as one step:
 * after a kill either both have happened or neither.  0, ENOMEM, or ACRE_EINVALID if the slot is
 * not in the segment. */
ACRE_API int acre_alloc_into(acre_heap *h, acre_off *slot, size_t size);

/* Allocate n blocks, the i-th of at least sizes[i] bytes, or (sizes NULL) each of `size` bytes, and store
 * their offsets in slots[0…n), which lie in the same segment and hold 0: all or none, and as one step:
 * after a kill all slots hold blocks or all hold 0.  That is so once the next caller has entered the
 * heap; who looks at the slots earlier may find some filled, and must leave those blocks alone until the
 * call has returned.  0; ENOMEM; EINVAL if a slot does not hold 0; ACRE_EINVALID if they are not in the
 * segment. */
ACRE_API int acre_alloc_many_into(acre_heap *h, size_t n, const size_t *sizes, size_t size,
                                  acre_off *slots);

/* Free the block whose offset *slot holds and set *slot to 0 as one step.  After a kill in the
 * middle the block still has its contents, or it is free and the slot is 0. */
ACRE_API int acre_free_from(acre_heap *h, acre_off *slot);

/* ---- a thread's own access ----
 *
 * acre_alloc() and acre_free() of an algorithm that has a part of the heap for each thread (`sharded`) look up
 * which one is the caller's.  A thread that keeps an acre_local at hand saves that.  With every other algorithm
 * it is the same as the calls above.
 *
 * Belongs to the thread that opened it, in the process that did: no other thread, and no forked child, may use
 * it.  Ends with acre_heap_detach(), with the segment's closing, or with the thread; nothing is to be given back. */

/* 0; EAGAIN: the thread cannot have a part of its own at present (there are too many threads, or no room), and
 * *l works as the calls above. */
ACRE_API int acre_local_open(acre_local *l, acre_heap *h);

/* As acre_alloc() and acre_free(). */
ACRE_INLINE ACRE_MUST_USE void *acre_local_alloc(acre_local *l, size_t size)
{
    return l->take(l, size);
}

ACRE_INLINE int acre_local_free(acre_local *l, void *p)
{
    return l->give(l, p);
}

/* ---- looking at a heap ----
 *
 * From a segment that was opened for writing these take the heap's lock.  From one opened read-only
 * they write nothing and stop nobody: they read, look whether anybody changed something meanwhile, and
 * if so read again, some 40 times, with pauses of 12 ms in all.  What they tell is then what the heap
 * was at one moment; else they tell EAGAIN.  That is also what they tell while a writer is stopped
 * inside a call, or has died in one and no other writer has come since to repair it.  With
 * ACRE_LOCK_NONE the caller sees to it that nobody writes meanwhile.  Nobody may shrink the segment
 * meanwhile: pages that go away while they are being read end the reader with SIGBUS.
 *
 * All: ACRE_EPOISONED if a recovery has failed.  ENOMEM if the segment has outgrown what this
 * process has mapped or, read-only, if it has no memory. */

/* Verify every invariant of the heap.  0 or ACRE_ECORRUPT with *d (may be NULL) filled; EAGAIN.  From
 * checks=2 on ACRE_EOVERRUN and ACRE_EUSEDFREED too, with the place of the block in *d. */
ACRE_API int acre_heap_check(acre_heap *h, acre_damage *d);

/* Show every block in address order, under the heap's lock; read-only: from a private copy of the list,
 * 32 bytes a block, made before the first is shown.  What visit returned, or EAGAIN with none shown. */
ACRE_API int acre_heap_walk(acre_heap *h, acre_visit *visit, void *arg);

/* Fill *s; walks the heap.  Read-only, where the others tell EAGAIN: 0, and s->exact is false; size,
 * overhead, free_bytes, high_water and recoveries are there, each from a moment of its own and perhaps
 * from inside a call; what comes of the walk is 0. */
ACRE_API int acre_heap_stats(acre_heap *h, acre_stats *s);

/* Called for each part, each class; anything but 0 ends it and is its result.  No lock is held: it may call
 * into the heap. */
typedef int acre_visit_part(void *arg, const acre_part *part);
typedef int acre_visit_class(void *arg, const acre_class *class_);

/* Show what each thread that uses the heap, in whichever process, has of it to itself; and what the heap has
 * for each size that has a class of its own, smallest first.  0, what visit returned, ENOTSUP (the algorithm
 * has no such thing: parts has only `sharded`, classes have the pools too), ACRE_ECORRUPT, EAGAIN, ENOMEM.
 *
 * All is collected before the first is shown, under the heap's lock; nobody is adopted by looking: who has
 * died is shown as orphaned.  Exact and of one moment are which parts there are, slabs, their bytes, lost
 * bytes and direct blocks; and all numbers of the pools.  Threads go on allocating and freeing in their parts
 * meanwhile, without the lock: their numbers of blocks, and who holds a part, are read one after the
 * other, each as it was in passing.  While no other thread is in a call all is exact, and
 * then the used blocks of all parts are the live blocks of all classes, and nodes that were in a dead
 * thread's hands are used ones.  In an image of a file a part may be held by a thread that is
 * long gone.  Costs O(KiB of the segment). */
ACRE_API int acre_heap_parts(acre_heap *h, acre_visit_part *visit, void *arg);
ACRE_API int acre_heap_classes(acre_heap *h, acre_visit_class *visit, void *arg);

/* Bytes in free blocks, their headers included.  O(1).  Read-only: as in acre_heap_stats(). */
ACRE_API size_t acre_heap_free_memory(acre_heap *h);

/* Bytes from the segment's start that were ever in use.  O(1).  Read-only: as in acre_heap_stats(). */
ACRE_API size_t acre_heap_high_water(acre_heap *h);

/* True if no block is live; false also where acre_heap_walk() would fail. */
ACRE_API bool acre_heap_all_free(acre_heap *h);

/* Give back to the heap what is kept for later: pools' blocks in which nothing is live; with checks=3 freed
 * blocks that are to be looked at.  The bytes given back; 0 also if nothing is kept. */
ACRE_API size_t acre_heap_free_empty(acre_heap *h);

/* The calling thread lets go of what the heap keeps for it (a shard of `sharded`, with the blocks that it
 * has at hand): another thread, of any process, takes it over.  A thread that ends lets go by itself, and
 * so does the one that closes the segment.  Needed by threads that live on when another one closes the
 * segment.  Afterwards the thread may use the heap again. */
ACRE_API void acre_heap_detach(acre_heap *h);

/* Overwrite all free memory with zeros: every later allocation of never-freed memory is zero. */
ACRE_API int acre_heap_zero_free(acre_heap *h);

/* ---- giving memory back to the system ----
 *
 * Free memory stays the process's, or the file's, until it is purged.  A page that was given back holds zeros when
 * it is next used, and costs what a new one costs.  It is no longer reserved, either: a heap in shared memory or a
 * file takes it from what the file system has left by then, and if there is nothing, who touches it ends with
 * SIGBUS (acre_segment_populate() reserves it again, and has an error instead); also who only reads, without
 * the lock.  Killed in the middle: some pages are gone, others not; the heap is as it was. */

/* Give back all whole pages inside of free blocks, of which a block has at least `least` bytes (0: any), after
 * acre_heap_free_empty().  *bytes (may be NULL): what the system has back: of a file its disk's or memory's blocks,
 * so what others touch meanwhile is taken off; without one the pages that were there.  Lets others have the lock
 * after each walk over the blocks that has found 16 MiB (some 0.1 to 1 ms a MiB).  What other threads of
 * `sharded` have at hand stays.  Does not look whether the heap is sound: of one whose users wrote where they must not, live
 * memory may go (acre_heap_check()).
 * 0; EROFS; ENOTSUP: the memory is the caller's buffer (that may be anything: a part of another mapping, pages
 * that a device has pinned, the same file elsewhere: only its owner can tell what giving back means), the
 * algorithm has no way to tell, or the file system has no holes; EPERM: the file is sealed; EINVAL: it is
 * locked in memory (mlock); or what acre_free() may be refused with.  Of an error in the middle *bytes does
 * not tell how far it came. */
ACRE_API int acre_heap_purge(acre_heap *h, size_t least, size_t *bytes);

/* Let acre_free() through this handle do the same, but for acre_heap_free_empty(), whenever it has freed `bytes`
 * more in blocks of at least a page; 0: never, as at first.  What bulk and publishing calls free is not counted,
 * nor what goes through an acre_local; of `sharded`, what stays at hand is counted but does not go.  Costs nothing
 * while it is off; an error then goes untold.  0; EROFS, ENOTSUP as above.  Only while no other thread uses the
 * handle. */
ACRE_API int acre_heap_purge_after(acre_heap *h, size_t bytes);

/* ---- misuse ----
 *
 * The library tells misuse by what a call returns and never aborts or prints.  A program that wants to do
 * so, or to write down where it was, has itself called. */

/* error: ACRE_EINVALID, ACRE_EOVERRUN or ACRE_EUSEDFREED; p: the address that was given, or the block that
 * was found overwritten.  The heap's lock may be held: it must not call into a heap, nor fork; it may end
 * the process, which is as safe as a kill. */
typedef void acre_misuse(void *arg, acre_heap *h, int error, const void *p);

/* Call fn for each misuse that this handle sees, in whatever thread; NULL: nothing.  Only while no other
 * thread uses the handle. */
ACRE_API void acre_heap_on_misuse(acre_heap *h, acre_misuse *fn, void *arg);

/* 0, or EINVAL if an option is out of its range or not one of this algorithm's. */
ACRE_API int acre_heap_options_check(const acre_algorithm *a, const acre_heap_options *o);

/* With every parameter given. */
ACRE_API const acre_algorithm *acre_heap_algorithm(const acre_heap *h);
ACRE_API acre_heap_options acre_heap_options_of(const acre_heap *h);

#ifdef __cplusplus
}
#endif
#endif
