/* SPDX-License-Identifier: MIT */
/* live.c: one free and one allocation while N blocks of mixed sizes are live. */
#include "bench/micro/micro.h"

#include "bench/lab.h"

#include <stdio.h>

enum { LIVE_FROM = 100, LIVE_TO = 1000000 };

static uint64_t live_random = 1;

/* 16 to 511 bytes, small ones more often. */
static size_t live_size(uint64_t x)
{
    return 16 + (x & 511) % (16 + (x >> 9) % 480);
}

static void live_fill(micro *m)
{
    for (size_t i = 0; i < m->count; i++) {
        m->block[i] = m->engine->alloc(m->heap, live_size(acre_lab_random(&live_random)));
        if (m->block[i])
            *(volatile char *)m->block[i] = 1;
    }
}

static void live_replace(void *context, size_t n)
{
    micro *m = context;
    for (size_t i = 0; i < n; i++) {
        uint64_t x = acre_lab_random(&live_random);
        void **at = &m->block[(x >> 20) % m->count];
        m->engine->free(m->heap, *at);
        *at = m->engine->alloc(m->heap, live_size(x));
        if (*at)
            *(volatile char *)*at = 1;
    }
    bench_items(n);
}

/* The filling is not timed. */
static void live_open(void *context)
{
    micro *m = context;
    micro_open(m);
    if (m->open)
        live_fill(m);
}

void micro_live(void)
{
    for (size_t count = LIVE_FROM; count <= LIVE_TO; count *= 10) {
        char full[64];
        snprintf(full, sizeof full, "live/%zu", count);
        micro_add_with(full, live_replace, 0, count, live_open);
    }
}
