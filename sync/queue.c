/* SPDX-License-Identifier: MIT */
/* queue.c: where things are in a queue's memory; making one, attaching to one.
 *
 * Killed while it is made: the tag is stored last, so what is half made is no queue. */
#include "sync/queue.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const uint64_t queue_largest = (uint64_t)1 << 46, queue_bytes_max = (uint64_t)1 << 36;

static uint64_t queue_up(uint64_t n, uint64_t unit)
{
    return (n + unit - 1) / unit * unit;
}

/* ---- layout ---- */

/* Offsets in the memory. */
typedef struct queue_layout {
    uint64_t link, heap, used, places, area, size;
    uint32_t units, stride;
} queue_layout;

static queue_layout queue_lay_out(uint32_t capacity, uint32_t max_size, uint64_t bytes)
{
    queue_layout l = {.link = sizeof(acre__queue)};
    l.units = (uint32_t)(queue_up(bytes, ACRE__QUEUE_UNIT) / ACRE__QUEUE_UNIT);
    l.stride = (uint32_t)queue_up(sizeof(acre__place) + (l.units ? 0 : max_size), 64);
    l.heap = l.link + (uint64_t)capacity * sizeof(uint32_t);
    l.used = l.heap + (uint64_t)capacity * sizeof(uint32_t);
    l.places = queue_up(l.used + queue_up(l.units, 64) / 8, 64);
    l.area = l.places + (uint64_t)capacity * l.stride;
    l.size = l.area + (uint64_t)l.units * ACRE__QUEUE_UNIT;
    return l;
}

static int queue_numbers_error(uint32_t capacity, uint32_t max_size, uint64_t bytes)
{
    if (capacity == 0 || capacity > ACRE_QUEUE_CAPACITY_MAX || max_size > ACRE_QUEUE_MESSAGE_MAX ||
        bytes > queue_bytes_max || (bytes && bytes < max_size))
        return EINVAL;
    return queue_lay_out(capacity, max_size, bytes).size > queue_largest ? EOVERFLOW : 0;
}

int acre__queue_options_error(const acre_queue_options *o)
{
    return o ? queue_numbers_error(o->capacity, o->max_size, o->bytes) : EINVAL;
}

size_t acre_queue_size(const acre_queue_options *o)
{
    if (acre__queue_options_error(o))
        return 0;
    return queue_lay_out(o->capacity, o->max_size, o->bytes).size;
}

/* ---- handles ---- */

static void queue_point(acre_queue *q, void *memory, const acre__queue_constants *c)
{
    queue_layout l = queue_lay_out(c->capacity, c->max_size, c->bytes);
    uint8_t *base = memory;
    *q = (acre_queue){.shared = memory,
                      .link = (uint32_t *)(base + l.link),
                      .heap = (uint32_t *)(base + l.heap),
                      .used = (uint64_t *)(base + l.used),
                      .places = base + l.places,
                      .area = base + l.area,
                      .capacity = c->capacity,
                      .max_size = c->max_size,
                      .units = l.units,
                      .stride = l.stride,
                      .size = l.size};
}

/* Of a copy. */
static int queue_constants_error(const acre__queue_constants *c, size_t size)
{
    int e = acre__tag_error(c->tag, ACRE__QUEUE);
    if (e)
        return e;
    if (queue_numbers_error(c->capacity, c->max_size, c->bytes) ||
        c->size != queue_lay_out(c->capacity, c->max_size, c->bytes).size)
        return ACRE_ECORRUPT;
    return c->size > size ? ACRE_ETRUNCATED : 0;
}

static bool queue_aligned(const void *memory)
{
    return memory && (uintptr_t)memory % 64 == 0;
}

int acre__queue_attach_mapped(acre_queue **out, void *memory, size_t size, void *mapping)
{
    acre__queue_constants c;
    if (!queue_aligned(memory))
        return EINVAL;
    if (size < sizeof c)
        return ACRE_ETRUNCATED;
    uint32_t tag = acre__load(&((acre__queue_constants *)memory)->tag);
    memcpy(&c, memory, sizeof c);
    c.tag = tag;
    int e = queue_constants_error(&c, size);
    acre_queue *q = e ? NULL : malloc(sizeof *q);
    if (!q)
        return e ? e : ENOMEM;
    queue_point(q, memory, &c);
    q->mapping = mapping;
    *out = q;
    return 0;
}

int acre_queue_attach(acre_queue **out, void *memory, size_t size)
{
    return acre__queue_attach_mapped(out, memory, size, NULL);
}

/* ---- making ---- */

int acre_queue_init(void *memory, const acre_queue_options *o)
{
    acre_queue q;
    int e = queue_aligned(memory) ? acre__queue_options_error(o) : EINVAL;
    if (e)
        return e;
    acre__queue_constants c = {.capacity = o->capacity, .max_size = o->max_size, .bytes = o->bytes};
    queue_point(&q, memory, &c);
    acre__store(&q.shared->constants.tag, (uint32_t)0);
    acre__order();
    memset(q.shared, 0, sizeof *q.shared);
    for (uint32_t i = 0; i < q.capacity; i++)
        memset(acre__place_at(&q, i), 0, sizeof(acre__place));
    e = acre__queue_recover(&q);
    c.size = q.size;
    q.shared->constants = c;
    acre__store(&q.shared->constants.tag, ACRE__QUEUE);
    return e;
}

/* ---- what is constant, or needs no lock ---- */

uint32_t acre_queue_count(const acre_queue *q)
{
    return acre__peek(&q->shared->count);
}

uint32_t acre_queue_capacity(const acre_queue *q)
{
    return q->capacity;
}

size_t acre_queue_max_size(const acre_queue *q)
{
    return q->max_size;
}
