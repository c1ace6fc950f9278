/* SPDX-License-Identifier: MIT */
/* tags_resize.h: blocks with boundary tags resized in place, and their heap grown and shrunk. */
#ifndef ACRE_ALLOC_TAGS_RESIZE_H
#define ACRE_ALLOC_TAGS_RESIZE_H

#include "alloc/tags_fit.h"

/* ---- resizing in place ---- */

static uint32_t tag_free_behind(const acre_region *r, uint32_t behind)
{
    const tag_heap *h = tag_of(r);
    uint32_t head = behind == h->end ? TAG_USED : tag_at(r, behind)->head;
    return head & TAG_USED ? 0 : head;
}

/* Make the free block behind u part of it. */
static void tag_swallow(const acre_region *r, uint32_t u, uint32_t units, uint32_t more)
{
    tag_heap *h = tag_of(r);
    uint32_t behind = u + units;
    tag_set_head(r, u, (units + more) | TAG_USED);
    h->free_units -= more;
    if (behind == h->top.unit) {
        tag_set_spare(&h->top, 0, 0);
        return;
    }
    if (tag_detach(r, behind, more))
        tag_set_spare(&h->dv, 0, 0);
    tag_set_prev(r, behind + more, 0);
}

/* Of a block that has swallowed its neighbours, keep the first n units. */
static void tag_keep(const acre_region *r, uint32_t u, uint64_t n)
{
    if (n < tag_units(r, u)) {
        tag_raise_high(tag_of(r), u + (uint32_t)n);
        tag_drop_back(r, u, (uint32_t)n);
    }
    tag_raise_high(tag_of(r), u + tag_units(r, u));
}

static void *tag_forwards(acre_region *r, uint32_t u, uint32_t units, acre_resize_command *c)
{
    uint32_t more = tag_free_behind(r, u + units);
    uint64_t want = tag_units_for(c->preferred);
    c->received = tag_bytes(units + more);
    if (want > units && c->received < c->limit)
        return NULL;
    if (want > units && more) {
        tag_swallow(r, u, units, more);
        tag_keep(r, u, want);
    }
    c->received = tag_bytes(tag_units(r, u));
    return tag_payload(r, u);
}

static uint64_t tag_gcd(uint64_t a, uint64_t b)
{
    while (b) {
        uint64_t rest = a % b;
        a = b;
        b = rest;
    }
    return a;
}

/* The distance by which a start may move: a multiple of both. */
static uint64_t tag_step(const acre_resize_command *c)
{
    uint64_t align = c->align > ACRE_ALIGN_MIN ? c->align : ACRE_ALIGN_MIN;
    uint64_t multiple = c->multiple ? c->multiple : 1;
    if (multiple > ACRE_SIZE_MAX || align > ACRE_SIZE_MAX)
        return ACRE_SIZE_MAX;
    return multiple / tag_gcd(multiple, align) * align;
}

/* How many bytes the start goes back so that `missing` more are owned: as few as do, or as many as
 * there are. */
static uint64_t tag_move(uint64_t missing, uint64_t room, uint64_t step)
{
    uint64_t most = room / step * step, move = (missing + step - 1) / step * step;
    return move < most ? move : most;
}

/* Make the free block in front part of u; the used block that results. */
static uint32_t tag_swallow_front(const acre_region *r, uint32_t u, uint32_t units, uint32_t before)
{
    tag_set_head(r, u, 0);
    tag_set_head(r, u - before, (units + before) | TAG_USED);
    if (tag_detach(r, u - before, before))
        tag_set_spare(&tag_of(r)->dv, 0, 0);
    tag_of(r)->free_units -= before;
    return u - before;
}

/* Take the free block in front, and the one behind too if that is allowed. */
static void *tag_backwards(acre_region *r, uint32_t u, uint32_t units, acre_resize_command *c)
{
    uint32_t before = tag_at(r, u)->prev;
    uint32_t more = c->flags & ACRE_FORWARDS ? tag_free_behind(r, u + units) : 0;
    size_t have = tag_bytes(units + more);
    uint64_t missing = c->preferred > have ? c->preferred - have : 0;
    uint64_t move = tag_move(missing, (uint64_t)before * TAG_UNIT, tag_step(c));
    c->received = have + move;
    if (!before || c->received < c->limit)
        return NULL;
    if (more)
        tag_swallow(r, u, units, more);
    uint32_t moved = (uint32_t)(move / TAG_UNIT), front = before - moved;
    uint64_t want = tag_units_for(c->preferred), data = moved + units; /* their end stays */
    u = tag_swallow_front(r, u, units + more, before);
    if (front)
        u = tag_drop_front(r, u, front);
    tag_keep(r, u, want > data ? want : data);
    c->received = tag_bytes(tag_units(r, u));
    return tag_payload(r, u);
}

static void *tag_shrink_block(acre_region *r, uint32_t u, uint32_t units, acre_resize_command *c)
{
    uint64_t n = tag_units_for(c->preferred);
    uint64_t left = n <= units && units - n < TAG_REST ? units : n;
    c->received = tag_bytes((uint32_t)left);
    if (n > units || c->received > c->limit)
        return NULL;
    if (!(c->flags & ACRE_TRY_SHRINK))
        tag_drop_back(r, u, (uint32_t)n);
    return tag_payload(r, u);
}

static void *tag_resize(acre_region *r, void *p, acre_resize_command *c)
{
    tag_live b = tag_live_at(r, p);
    if (!b.units)
        return NULL;
    if (c->flags & (ACRE_SHRINK | ACRE_TRY_SHRINK))
        return tag_shrink_block(r, b.unit, b.units, c);
    if (c->flags & ACRE_BACKWARDS)
        return tag_backwards(r, b.unit, b.units, c);
    return tag_forwards(r, b.unit, b.units, c);
}

/* ---- growing and shrinking the heap ---- */

/* The old end header becomes a block over the new space, which is then freed. */
static int tag_grow(acre_region *r, size_t size)
{
    tag_heap *h = tag_of(r);
    uint32_t old = h->end, end = (uint32_t)(size / TAG_UNIT - 1);
    if (end - old < TAG_LEAST)
        return 0;
    if (ACRE_BUG_IS(45))
        h->end = end;
    if (!ACRE_BUG_IS(113))
        tag_stain(h, end);
    acre_set32(r, &h->end, end);
    tag_at(r, end)->prev = 0;
    tag_at(r, end)->head = TAG_USED;
    if (h->top.units) {
        tag_place_top(r, h->top.unit, h->top.units + (end - old), false);
        h->free_units += end - old;
    } else {
        tag_set_head(r, old, (end - old) | TAG_USED);
        tag_release_cold(r, old, end - old);
    }
    return 0;
}

/* Only top can go; of an empty heap one unit stays. */
static size_t tag_shrink(acre_region *r, size_t size)
{
    tag_heap *h = tag_of(r);
    tag_spare top = h->top;
    uint64_t least = top.units ? top.unit + (top.unit == h->first) : h->end;
    uint64_t wish = size / TAG_UNIT, end = wish > least ? wish - 1 : least;
    if (end < least)
        end = least;
    if (end >= h->end)
        return ((size_t)h->end + 1) * TAG_UNIT;
    uint32_t last = (uint32_t)end, rest = last - top.unit;
    tag_stain(h, last);
    tag_set_head(r, top.unit, rest ? rest : TAG_USED);
    h->free_units -= h->end - last;
    tag_set_prev(r, last, 0);
    tag_at(r, last)->head = TAG_USED;
    tag_set_spare(&h->top, rest ? top.unit : 0, rest);
    acre_set32(r, &h->end, last);
    return ((size_t)last + 1) * TAG_UNIT;
}

/* Words noted in one call, at most: growing backwards and forwards swallows two blocks (3), drops
 * one in front (4) and one behind (5 and its links). */
enum { TAG_JOURNAL = 13 + TAG_LINKS / 8 };

#endif
