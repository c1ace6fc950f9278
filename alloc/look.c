/* SPDX-License-Identifier: MIT */
/* look.c: reading a heap without its lock, for those who may not write.
 *
 * The lock word and the control's version are a sequence lock (H.-J. Boehm, «Can
 * Seqlocks Get Along with Programming Language Memory Models?», MSPC 2012) whose writers pay nothing for it:
 *
 *   writer   take the lock · after_mark · stores S … · journal emptied · version + 1 · free the lock
 *   reader   version? lock? journal? · reads … · before_look · lock? journal? version?
 *
 * L1  The reader believes its reads if both looks found no owner, an empty journal and the same version.
 * L2  The first look reads the version first.  If it sees a call's new version it then sees that call's
 *     lock taken (not believed) or freed (freeing is a release: then all of S is seen).
 * L3  If a read saw any of S, the second look sees that call's lock taken, or freed and then its new
 *     version: the two fences order «taken» before S, and S before the look, on every machine.
 * L4  A call that died leaves its journal full, or has committed without counting: whoever takes the
 *     lock of a dead one counts once before it does anything else.  A dead one's word is no owner: what
 *     it committed can be read.  Without a journal nobody knows what it left: it is not believed.
 *
 * Costs: two looks of three loads; the reads are repeated when somebody wrote.  A reader waits for
 * nobody longer than LOOK_TRIES rounds (acre__doze), and nobody waits for it.
 */
#include "alloc/heap.h"

#include <errno.h>
#include <stdlib.h>

enum { LOOK_TRIES = 40, LOOK_ROOM = 256 };

/* Nobody is at work, nor has died at work. */
static bool look_idle(const acre_heap *h)
{
    uint32_t word = acre__load(&h->control->lock.word);
    if (acre__load(h->pending) != 0 || (word & FUTEX_TID_MASK))
        return false;
    return h->region.journal || !(word & FUTEX_OWNER_DIED);
}

static bool look_begin(const acre_heap *h, uint64_t *version)
{
    *version = acre__load(&h->control->version);
    return look_idle(h);
}

static bool look_held(const acre_heap *h, uint64_t version)
{
    acre__before_look();
    return look_idle(h) && (ACRE_BUG_IS(8) || !acre__look_late(h, version));
}

int acre__look(acre_heap *h, acre__look_collect *collect, void *arg)
{
    uint64_t version;
    for (uint32_t round = 0; round < LOOK_TRIES; acre__doze(&round, NULL)) {
        if (acre__load(h->pending) == ACRE__POISON)
            return ACRE_EPOISONED;
        if (acre__peek(h->size) > h->window)
            return ENOMEM;
        if (!look_begin(h, &version))
            continue;
        acre__heap_measure(h);
        int e = collect(h, version, arg);
        if (look_held(h, version))
            return e;
    }
    return EAGAIN;
}

/* ---- walking: the blocks are listed first, and shown when it is known that the list is true ---- */

typedef struct look_list {
    acre_block *block;
    size_t n, room;
    const acre_heap *heap;
    uint64_t version;
} look_list;

static int look_add(void *arg, const acre_block *b)
{
    look_list *l = arg;
    if (acre__look_late(l->heap, l->version))
        return EAGAIN;
    if (l->n == l->room) {
        size_t room = l->room * 2 + LOOK_ROOM;
        acre_block *more = realloc(l->block, room * sizeof *more);
        if (!more)
            return ENOMEM;
        l->block = more;
        l->room = room;
    }
    l->block[l->n++] = *b;
    return 0;
}

static int look_list_all(acre_heap *h, uint64_t version, void *arg)
{
    look_list *l = arg;
    l->n = 0;
    l->heap = h;
    l->version = version;
    return h->algorithm->walk(&h->region, look_add, l);
}

int acre__look_walk(acre_heap *h, acre_visit *visit, void *arg)
{
    look_list l = {0};
    int e = acre__look(h, look_list_all, &l);
    for (size_t i = 0; !e && i < l.n; i++)
        e = visit(arg, &l.block[i]);
    free(l.block);
    return e;
}
