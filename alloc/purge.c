/* SPDX-License-Identifier: MIT */
/* purge.c: giving the pages of free memory back to the system.
 *
 *            │ page          │ page          │ page          │ page          │
 *   ─ used ─┬──────────────────────────────────────────────────────────┬─ used ─
 *           │ links │                  free block                      │
 *   ────────┴──────────────────────────────────────────────────────────┴────────
 *           ▔▔▔▔▔▔▔▔▔▔ stays     goes: whole pages only        stays ▔▔▔
 *
 * What of a free block nobody reads is what zero_free() may overwrite: all but its first link_bytes.  So a
 * page that is gone, and is zeros when it is next touched, is no news to anybody:
 *
 *   who has the lock       reads heads and links of free blocks, never what lies behind them
 *   who reads without it   (look.c) believes nothing that was read while somebody had it
 *   threads of `sharded`   touch live blocks, shards and slabs: to the house all these are used blocks.  What
 *                          they have at hand walk() calls unused; therefore walk_free()
 *
 * Killed here: some pages are gone and others are not; nothing is to be repaired.  The journal is empty when
 * the first page goes, so no roll back asks for what was in one.
 */
#include "alloc/heap.h"
#include "sync/atomic.h"

#include <errno.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

enum {
    PURGE_LOOK = 256,      /* pages whose presence is asked for at once */
    PURGE_TURN = 16 << 20, /* bytes; then others get the lock */
    PURGE_MORE = -1        /* of a walk: it was that many */
};

typedef struct purge {
    const acre_heap *heap;
    size_t least;
    uint64_t given; /* bytes that were there; of a file it is the file that tells */
    uintptr_t from; /* what lies below is done */
    size_t left;    /* bytes of this turn */
} purge;

/* ---- what was there ---- */

/* Bytes that the file has; 0: there is none. */
static uint64_t purge_held(const acre_heap *h)
{
    struct stat st;
    return h->fd >= 0 && fstat(h->fd, &st) == 0 ? (uint64_t)st.st_blocks * 512 : 0;
}

/* Without a file the pages are counted. */
static int purge_count(char *at, size_t n, uint64_t *bytes)
{
    unsigned char there[PURGE_LOOK];
    size_t page = (size_t)sysconf(_SC_PAGESIZE);
    for (size_t part; n; at += part, n -= part) {
        part = n < PURGE_LOOK * page ? n : PURGE_LOOK * page;
        if (mincore(at, part, there) != 0)
            return errno;
        for (size_t i = 0; i < part / page; i++)
            *bytes += there[i] & 1 ? page : 0;
    }
    return 0;
}

/* ---- under the lock ---- */

static int purge_pages(purge *p, char *at, size_t n)
{
    uint64_t there = 0;
    int e = p->heap->fd < 0 ? purge_count(at, n, &there) : 0;
    if (e || (p->heap->fd < 0 && !there))
        return e;
    if (madvise(at, n, p->heap->give_back) != 0)
        return errno;
    p->given += there;
    return 0;
}

static int purge_part(purge *p, uintptr_t first, size_t n)
{
    n = n < p->left ? n : p->left;
    int e = purge_pages(p, (char *)first, n);
    p->from = first + n;
    p->left -= n;
    return e || p->left ? e : PURGE_MORE;
}

static int purge_block(void *arg, const acre_block *b)
{
    purge *p = arg;
    const acre_heap *h = p->heap;
    uintptr_t block = (uintptr_t)h->region.base + b->offset, mask = h->page - 1;
    uintptr_t links = ACRE_BUG_IS(110) ? 0 : h->inner->link_bytes;
    uintptr_t first = (block + links + mask) & ~mask,
              end = (block + b->size + (ACRE_BUG_IS(112) ? mask : 0)) & ~mask;
    if (b->used || first >= end || end - first < p->least)
        return 0;
    first = first > p->from ? first : p->from;
    return first < end ? purge_part(p, first, end - first) : 0;
}

/* The algorithm's own walk: what the quarantine keeps is used. */
static int purge_walk(purge *p)
{
    const acre_algorithm *a = p->heap->inner;
    p->left = PURGE_TURN;
    bool own = a->walk_free && !ACRE_BUG_IS(111);
    return (own ? a->walk_free : a->walk)(&p->heap->region, purge_block, p);
}

static int purge_measured(purge *p)
{
    uint64_t before = purge_held(p->heap);
    int e = purge_walk(p);
    uint64_t after = purge_held(p->heap);
    p->given += after < before ? before - after : 0;
    return e;
}

/* ---- the calls ---- */

/* An algorithm with neither method has not said what of its free blocks may go. */
int acre__purge_possible(const acre_heap *h)
{
    if (h->read_only)
        return EROFS;
    return h->give_back && (h->inner->zero_free || h->inner->walk_free) ? 0 : ENOTSUP;
}

static int purge_turn(acre_heap *h, purge *p)
{
    int e = acre__heap_enter(h);
    if (e)
        return e;
    acre__heap_measure(h);
    e = purge_measured(p);
    acre__heap_leave(h);
    return e;
}

static int purge_now(acre_heap *h, size_t least, size_t *bytes)
{
    purge p = {.heap = h, .least = least};
    int e;
    while ((e = purge_turn(h, &p)) == PURGE_MORE)
        ;
    if (!e)
        *bytes = p.given;
    return e;
}

int acre_heap_purge(acre_heap *h, size_t least, size_t *bytes)
{
    size_t given = 0;
    int e = acre__purge_possible(h);
    if (!e) {
        acre_heap_free_empty(h);
        e = purge_now(h, least, &given);
    }
    if (!e && bytes)
        *bytes = given;
    return e;
}

/* ---- by itself ---- */

/* Behind the call's commit, without the lock.  One of those who see the sum reached purges. */
static void purge_sum_up(acre_heap *h, size_t freed)
{
    size_t given;
    if (acre__add(&h->freed, (uint64_t)freed) + freed < h->purge_after)
        return;
    if (acre__swap(&h->freed, (uint64_t)0) >= h->purge_after)
        purge_now(h, 0, &given);
}

int acre__purge_free(acre_region *r, void *p)
{
    acre_heap *h = (acre_heap *)r;
    size_t size = !p || acre__heap_foreign(h, p) ? 0 : h->algorithm->usable(r, p);
    int e = h->give_unwatched(r, p);
    if (!e && size >= h->page)
        purge_sum_up(h, size);
    return e;
}
