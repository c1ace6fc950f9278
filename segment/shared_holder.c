/* SPDX-License-Identifier: MIT */
/* shared_holder.c: a thread's slots, and who empties those of the dead.
 *
 * Whoever reaps has a block of its own, in which it notes whose block it has caught.  If it is killed, too, the
 * next one catches the reaper's block and gives back what that had caught; the slots say what is left to release.
 */
#include "segment/internal.h"

enum { HOLDERS = 4, HOLDER_SLOTS = 65536 };

/* This thread's first holders' blocks; a forked child is another thread. */
static _Thread_local struct {
    const acre_segment *segment;
    shared_node *node;
    uint64_t thread;
} holder_table[HOLDERS];
static _Thread_local int holder_count; /* it has had so many at a time */

/* ---- whose block it is ---- */

shared_node *acre__holder_mine(const acre_segment *s)
{
    for (int i = 0; i < holder_count; i++)
        if (holder_table[i].segment == s && holder_table[i].thread == acre__self_get()->id)
            return holder_table[i].node;
    return NULL;
}

void acre__holder_note(const acre_segment *s, acre_off at)
{
    shared_node *n = acre__holder_mine(s);
    if (!n || ACRE_BUG_IS(133))
        return;
    acre__put(&n->busy, at);
    acre__order();
}

static void holder_remember(const acre_segment *s, shared_node *n)
{
    uint64_t me = acre__self_get()->id;
    for (int i = 0; i < HOLDERS && !acre__holder_mine(s); i++)
        if (!holder_table[i].segment || holder_table[i].thread != me) {
            holder_table[i].segment = s;
            holder_table[i].node = n;
            holder_table[i].thread = me;
            holder_count = i < holder_count ? holder_count : i + 1;
        }
}

static void holder_forget(const shared_node *n)
{
    for (int i = 0; i < HOLDERS; i++)
        if (holder_table[i].node == n)
            holder_table[i].segment = NULL;
}

/* ---- emptying a block ---- */

typedef int holder_let_go(acre_segment *s, acre_reference *r);

/* Released references are counted; an error is kept, but not that of a missing deleter if there is another. */
typedef struct holder_sum {
    size_t released;
    uint64_t more; /* blocks that were found in caught ones */
    int error;
} holder_sum;

static void holder_fail(holder_sum *sum, int e)
{
    if (e && (!sum->error || sum->error == ACRE_EDELETER))
        sum->error = e;
}

static void holder_empty_slot(acre_segment *s, acre_reference *r, holder_let_go *let_go, holder_sum *sum)
{
    if (acre__peek(&r->control) == 0 && acre__peek(&r->object) == 0)
        return;
    int e = let_go(s, r);
    sum->released += !e;
    holder_fail(sum, e);
}

/* Counts are read once: what they were when the block was found to lie in the segment. */
static int holder_empty(acre_segment *s, acre_off at, holder_sum *sum)
{
    shared_node *n = acre__node_at(s, at);
    holder_sum mine = {0, 0, 0};
    if (!n)
        return ACRE_ECORRUPT;
    uint64_t shared = acre__peek(&n->shared), weak = acre__peek(&n->weak);
    if ((shared + weak) * sizeof(acre_reference) > acre__shared_room(s) - at - sizeof *n)
        return ACRE_ECORRUPT;
    holder_empty_slot(s, &n->spare.r, acre__shared_let_go, &mine);
    for (uint64_t i = 0; i < shared + weak; i++)
        holder_empty_slot(s, &n->slot[i].r, i < shared ? acre__shared_let_go : acre__weak_let_go, &mine);
    sum->released += mine.released;
    holder_fail(sum, mine.error);
    return mine.error;
}

/* ---- reaping ---- */

/* What mine->prey holds.  It stays in the list if not all could be released. */
static int holder_finish(acre_segment *s, shared_node *mine, holder_sum *sum)
{
    acre_off at = acre__peek(&mine->prey);
    shared_node *n = acre__node_at(s, at);
    bool reaper = n && acre__peek(&n->prey) && !ACRE_BUG_IS(134);
    int e = reaper ? acre__node_return(s, n) : 0;
    if (e)
        return e;
    sum->more += reaper;
    if (n)
        acre__shared_heal(s, acre__peek(&n->busy));
    if (!n || holder_empty(s, at, sum) != 0)
        return acre__node_return(s, mine);
    return acre_free_from(&s->heap, &mine->prey);
}

/* Each block that is without an owner now, once: what cannot be released goes to the list's end. */
static int holder_reap(acre_segment *s, shared_node *mine, holder_sum *sum)
{
    uint64_t orphans;
    int e = acre__node_orphans(s, &orphans);
    while (!e && orphans + sum->more) {
        *(sum->more ? &sum->more : &orphans) -= 1;
        e = acre__node_catch(s, mine);
        if (!e)
            e = holder_finish(s, mine, sum);
    }
    return e == ENOENT ? 0 : e;
}

int acre_shared_reap(acre_segment *s, size_t *released)
{
    shared_node *mine;
    uint64_t orphans;
    holder_sum sum = {0, 0, 0};
    int e = acre__node_orphans(s, &orphans);
    if (!e && orphans) {
        e = acre__node_new(s, 0, 0, &mine);
        if (e)
            return e;
        e = holder_reap(s, mine, &sum);
        int dropped = acre__node_drop(s, mine);
        e = e ? e : dropped;
    }
    if (released)
        *released = sum.released;
    return e ? e : sum.error;
}

/* ---- holders ---- */

int acre_holder_open(acre_holder *h, acre_segment *s, uint32_t shared, uint32_t weak)
{
    shared_node *n;
    holder_sum sum = {0, 0, 0};
    if (shared > HOLDER_SLOTS || weak > HOLDER_SLOTS)
        return EINVAL;
    int e = acre__node_new(s, shared, weak, &n);
    if (e)
        return e;
    holder_remember(s, n);
    holder_reap(s, n, &sum); /* what it cannot do is left for others */
    *h = (acre_holder){s, (acre_off)((char *)n - s->base), shared, weak};
    return 0;
}

static shared_node *holder_block(const acre_holder *h)
{
    return (shared_node *)(void *)(h->segment->base + h->block);
}

int acre_holder_close(acre_holder *h)
{
    holder_sum sum = {0, 0, 0};
    shared_node *n = h->segment ? holder_block(h) : NULL;
    if (!n || !acre__cell_mine(acre__self_get(), &n->cell))
        return EPERM;
    int e = holder_empty(h->segment, h->block, &sum);
    int left = e ? acre__node_leave(h->segment, n) : acre__node_drop(h->segment, n);
    if (left)
        return left;
    holder_forget(n);
    *h = (acre_holder){NULL, 0, 0, 0};
    return e;
}

acre_shared *acre_holder_shared(const acre_holder *h, uint32_t i)
{
    return i < h->shared ? &holder_block(h)->slot[i] : NULL;
}

acre_weak *acre_holder_weak(const acre_holder *h, uint32_t i)
{
    acre_weak *first = (acre_weak *)(void *)(holder_block(h)->slot + h->shared);
    return i < h->weak ? first + i : NULL;
}

/* A block with one slot, which then has no owner. */
int acre__holder_condemn(acre_segment *s, acre_reference *r)
{
    shared_node *n;
    int e = acre__node_new(s, 1, 0, &n);
    if (e)
        return e;
    e = acre_shared_move(s, &n->slot[0], (acre_shared *)(void *)r);
    int left = e ? acre__node_drop(s, n) : acre__node_leave(s, n);
    return e ? e : left;
}
