/* SPDX-License-Identifier: MIT */
/* shared_node.c: the list of holders' blocks.
 *
 * All of it is done under the heap's lock, and what is changed is noted in the heap's journal: each function is one
 * step, or two of which the second can be done by anybody:
 *
 *     new    fresh = a new block │ it is filled │ in the list, fresh = 0
 *     drop   out of the list, fresh = it │ freed, fresh = 0
 *     catch  out of the list, mine->prey = it │      the return of it is the same backwards
 *
 * A block in `fresh` that is not in the list, found by who has the lock, is one of a dead thread: it is freed.
 * (Without a journal the stores come in an order that leaves a block in both places, never in none.)
 *
 * A block is its owner's while its cell says so.  The cell is the owner's from before the block is in the list; nobody
 * ever waits for it.  Of a block without an owner everything belongs to whoever has caught it.
 */
#include "segment/internal.h"

#include <string.h>

/* ---- finding ---- */

static uint64_t node_bytes(uint64_t shared, uint64_t weak)
{
    return sizeof(shared_node) + (shared + weak) * sizeof(acre_reference);
}

shared_node *acre__node_at(const acre_segment *s, acre_off at)
{
    uint64_t room = acre__shared_room(s);
    if (at % ACRE_ALIGN_MIN || at < SEGMENT_HEADER || room < sizeof(shared_node) ||
        at > room - sizeof(shared_node))
        return NULL;
    shared_node *n = (shared_node *)(void *)(s->base + at);
    uint64_t bytes = node_bytes(acre__peek(&n->shared), acre__peek(&n->weak));
    return acre__peek(&n->cell.tag) == SHARED_NODE && bytes <= room - at ? n : NULL;
}

static acre_off node_offset(const acre_segment *s, const shared_node *n)
{
    return (acre_off)((const char *)n - s->base);
}

/* ---- the list; with the heap's lock ---- */

static void node_put(acre_segment *s, uint64_t *word, uint64_t value)
{
    acre_set64(&s->heap.region, word, value);
    acre__order();
}

/* Where the word is that names the first block from *link on that `wanted` accepts, NULL: none.  In a damaged list
 * it comes to an end, too. */
typedef bool node_test(const acre_segment *s, const shared_node *n, acre_off at);

static acre_off *node_seek(const acre_segment *s, node_test *wanted, acre_off at)
{
    acre_off *link = &segment_directory_of(s)->shared.head;
    uint64_t most = acre__shared_room(s) / sizeof(shared_node);
    for (shared_node *n; most-- && (n = acre__node_at(s, *link)); link = &n->next)
        if (wanted(s, n, at))
            return link;
    return NULL;
}

static bool node_is(const acre_segment *s, const shared_node *n, acre_off at)
{
    return node_offset(s, n) == at;
}

static bool node_is_orphan(const acre_segment *s, const shared_node *n, acre_off at)
{
    (void)s;
    (void)at;
    return acre__ownerless(acre__load(&n->cell.word));
}

static bool node_is_last(const acre_segment *s, const shared_node *n, acre_off at)
{
    (void)at;
    return !acre__node_at(s, n->next);
}

static void node_append(acre_segment *s, acre_off at)
{
    acre_off *last = node_seek(s, node_is_last, 0), *link = &segment_directory_of(s)->shared.head;
    if (last)
        link = &acre__node_at(s, *last)->next;
    node_put(s, &acre__node_at(s, at)->next, 0);
    node_put(s, link, at);
}

static void node_unlink(acre_segment *s, acre_off *link)
{
    node_put(s, link, acre__node_at(s, *link)->next);
}

/* A block that a dead one had in hand. */
static void node_sweep(acre_segment *s)
{
    acre_off *fresh = &segment_directory_of(s)->shared.fresh;
    if (*fresh && node_seek(s, node_is, *fresh))
        node_put(s, fresh, 0);
    else if (*fresh && acre__publish_free(&s->heap, fresh) != 0)
        node_put(s, fresh, 0); /* damaged: it names no block */
    acre__heap_commit(&s->heap);
}

static int node_enter(acre_segment *s)
{
    if (!segment_directory_of(s))
        return ENOTSUP;
    if (s->read_only)
        return EROFS;
    acre__self_get();
    int e = acre__heap_enter(&s->heap);
    if (!e)
        node_sweep(s);
    return e;
}

/* ---- owners ---- */

/* Nobody else knows it: it is in the thread's list before it says whose it is. */
static void node_own(shared_node *n)
{
    acre__self *self = acre__self_here();
    acre__list_add(self, &n->cell, self->anchor.next);
    acre__order();
    acre__put(&n->cell.word, self->tid);
    acre__order();
}

static void node_disown(shared_node *n)
{
    acre__store(&n->cell.word, (uint32_t)0);
    acre__order();
    acre__list_remove(acre__self_here(), &n->cell);
    acre__order();
}

/* ---- steps ---- */

static shared_node *node_lay_out(acre_segment *s, acre_off at, uint32_t shared, uint32_t weak)
{
    shared_node *n = (shared_node *)(void *)(s->base + at);
    memset(n, 0, node_bytes(shared, weak));
    n->cell.tag = SHARED_NODE;
    n->shared = shared;
    n->weak = weak;
    node_own(n);
    return n;
}

static int node_make(acre_segment *s, uint32_t shared, uint32_t weak, shared_node **node)
{
    shared_directory *d = &segment_directory_of(s)->shared;
    int e = acre__publish_alloc(&s->heap, &d->fresh, node_bytes(shared, weak));
    if (e)
        return e;
    acre__heap_commit(&s->heap);
    *node = node_lay_out(s, d->fresh, shared, weak);
    (*node)->next = d->head;
    acre__order();
    node_put(s, &d->head, d->fresh);
    node_put(s, &d->fresh, 0);
    return 0;
}

int acre__node_new(acre_segment *s, uint32_t shared, uint32_t weak, shared_node **node)
{
    int e = node_enter(s);
    if (e)
        return e;
    e = node_make(s, shared, weak, node);
    acre__heap_leave(&s->heap);
    return e;
}

/* What it has caught goes to the list's end. */
static void node_give_back(acre_segment *s, shared_node *n)
{
    if (acre__node_at(s, n->prey) && !node_seek(s, node_is, n->prey))
        node_append(s, n->prey);
    node_put(s, &n->prey, 0);
    acre__heap_commit(&s->heap);
}

int acre__node_drop(acre_segment *s, shared_node *n)
{
    shared_directory *d;
    acre_off *link;
    int e = node_enter(s);
    if (e)
        return e;
    d = &segment_directory_of(s)->shared;
    node_give_back(s, n);
    link = node_seek(s, node_is, node_offset(s, n));
    node_disown(n);
    if (link) {
        node_put(s, &d->fresh, *link);
        node_unlink(s, link);
        acre__heap_commit(&s->heap);
        e = acre__publish_free(&s->heap, &d->fresh);
    }
    acre__heap_leave(&s->heap);
    return e;
}

int acre__node_leave(acre_segment *s, shared_node *n)
{
    int e = node_enter(s);
    if (e)
        return e;
    node_disown(n);
    acre__heap_leave(&s->heap);
    return 0;
}

int acre__node_catch(acre_segment *s, shared_node *mine)
{
    acre_off *link;
    int e = node_enter(s);
    if (e)
        return e;
    link = node_seek(s, node_is_orphan, 0);
    if (link) {
        node_put(s, &mine->prey, *link);
        node_unlink(s, link);
    }
    acre__heap_leave(&s->heap);
    return link ? 0 : ENOENT;
}

int acre__node_return(acre_segment *s, shared_node *n)
{
    int e = node_enter(s);
    if (e)
        return e;
    node_give_back(s, n);
    acre__heap_leave(&s->heap);
    return 0;
}

int acre__node_orphans(acre_segment *s, uint64_t *n)
{
    int e = node_enter(s);
    if (e)
        return e;
    *n = 0;
    uint64_t most = acre__shared_room(s) / sizeof(shared_node);
    const shared_node *at = acre__node_at(s, segment_directory_of(s)->shared.head);
    for (; at && most--; at = acre__node_at(s, at->next))
        *n += node_is_orphan(s, at, 0);
    acre__heap_leave(&s->heap);
    return 0;
}
