/* SPDX-License-Identifier: MIT */
/* queue_heap.c: messages of high priority: a binary heap of places in an array, the next one first.
 * The keys are in the places.  Source: J. W. J. Williams, «Heapsort», 1964. */
#include "sync/queue.h"

static uint64_t heap_order(const acre_queue *q, uint32_t i)
{
    return acre__peek(&acre__place_at(q, i)->order);
}

/* Places that do not exist go last. */
bool acre__queue_before(const acre_queue *q, uint32_t a, uint32_t b)
{
    if (!acre__place_exists(q, a) || !acre__place_exists(q, b))
        return acre__place_exists(q, a);
    uint32_t pa = acre__peek(&acre__place_at(q, a)->priority);
    uint32_t pb = acre__peek(&acre__place_at(q, b)->priority);
    return pa != pb ? pa > pb : heap_order(q, a) < heap_order(q, b);
}

static uint32_t heap_get(const acre_queue *q, uint32_t at)
{
    return acre__peek(&q->heap[at]);
}

static void heap_set(acre_queue *q, uint32_t at, uint32_t i)
{
    acre__put(&q->heap[at], i);
}

bool acre__queue_heap_push(acre_queue *q, uint32_t i)
{
    uint32_t at = acre__peek(&q->shared->high);
    if (at >= q->capacity)
        return false;
    acre__put(&q->shared->high, at + 1);
    for (; at > 0 && acre__queue_before(q, i, heap_get(q, (at - 1) / 2)); at = (at - 1) / 2)
        heap_set(q, at, heap_get(q, (at - 1) / 2));
    heap_set(q, at, i);
    return true;
}

static uint32_t heap_better_child(const acre_queue *q, uint32_t at, uint32_t n)
{
    uint32_t left = 2 * at + 1;
    bool right = left + 1 < n && acre__queue_before(q, heap_get(q, left + 1), heap_get(q, left));
    return left + right;
}

/* Let i sink from the root of a heap of n. */
static void heap_sink(acre_queue *q, uint32_t i, uint32_t n)
{
    uint32_t at = 0;
    while (2 * at + 1 < n) {
        uint32_t child = heap_better_child(q, at, n), there = heap_get(q, child);
        if (!acre__queue_before(q, there, i))
            break;
        heap_set(q, at, there);
        at = child;
    }
    heap_set(q, at, i);
}

uint32_t acre__queue_heap_pop(acre_queue *q)
{
    uint32_t n = acre__peek(&q->shared->high);
    if (n == 0 || n > q->capacity)
        return ACRE__QUEUE_NONE;
    uint32_t best = heap_get(q, 0);
    acre__put(&q->shared->high, n - 1);
    if (n > 1)
        heap_sink(q, heap_get(q, n - 1), n - 1);
    return best;
}
