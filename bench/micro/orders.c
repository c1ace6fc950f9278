/* SPDX-License-Identifier: MIT */
/* orders.c: many blocks allocated, then freed in the order of birth, against it, or at random.
 * One round is one allocation and one free. */
#include "bench/micro/micro.h"

#include <stdio.h>

enum { ORDERS_BLOCKS = 10000 };

typedef size_t orders_pick(const micro *m, size_t i, size_t count);

static inline size_t orders_fifo(const micro *m, size_t i, size_t count)
{
    (void)m, (void)count;
    return i;
}

static inline size_t orders_lifo(const micro *m, size_t i, size_t count)
{
    (void)m;
    return count - 1 - i;
}

static inline size_t orders_random(const micro *m, size_t i, size_t count)
{
    (void)count;
    return m->order[i];
}

static void orders_batch(micro *m, size_t count, orders_pick *pick)
{
    for (size_t i = 0; i < count; i++) {
        m->block[i] = m->engine->alloc(m->heap, m->size);
        *(volatile char *)m->block[i] = 1;
    }
    for (size_t i = 0; i < count; i++) {
        size_t at = pick(m, i, count);
        m->engine->free(m->heap, m->block[at]);
        m->block[at] = NULL;
    }
}

/* Only whole batches can be freed at random; the rest goes in order of birth. */
static void orders_rounds(micro *m, size_t n, orders_pick *pick)
{
    for (size_t done = 0; done < n; done += m->count) {
        size_t count = n - done < m->count ? n - done : m->count;
        orders_batch(m, count, count == m->count ? pick : orders_fifo);
    }
    bench_items(n);
}

static void orders_run_fifo(void *context, size_t n)
{
    orders_rounds(context, n, orders_fifo);
}

static void orders_run_lifo(void *context, size_t n)
{
    orders_rounds(context, n, orders_lifo);
}

static void orders_run_random(void *context, size_t n)
{
    orders_rounds(context, n, orders_random);
}

void micro_orders(void)
{
    static const struct {
        const char *name;
        bench_function *run;
    } order[] = {
        {"fifo", orders_run_fifo}, {"lifo", orders_run_lifo}, {"random", orders_run_random}};
    static const size_t sizes[] = {16, 256, 4096};
    for (size_t o = 0; o < 3; o++)
        for (size_t s = 0; s < 3; s++) {
            char full[64];
            snprintf(full, sizeof full, "%s/%zu", order[o].name, sizes[s]);
            micro_add(full, order[o].run, sizes[s], ORDERS_BLOCKS);
        }
}
