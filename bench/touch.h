/* SPDX-License-Identifier: MIT */
/* touch.h: what a replay writes into new blocks, beside their first word. */
#ifndef ACRE_BENCH_TOUCH_H
#define ACRE_BENCH_TOUCH_H

#include "bench/engine.h"

#define REPLAY_INLINE static inline __attribute__((always_inline, unused))

/* One byte in each page that [p, p + size) meets. */
REPLAY_INLINE void replay_touch_pages(char *p, size_t size)
{
    for (char *at = p; at < p + size; at = (char *)(((uintptr_t)at | 4095) + 1))
        *(volatile char *)at = 1;
}

REPLAY_INLINE void replay_touch(void *p, size_t size, int touch)
{
    if (touch == ACRE_TOUCH_PAGE)
        replay_touch_pages((char *)p, size);
    else if (touch == ACRE_TOUCH_FULL)
        __builtin_memset(p, 1, size);
}

#endif
