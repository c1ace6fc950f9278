/* SPDX-License-Identifier: MIT */
/* support_together.h: traces of several threads, and how they are dealt out to workers. */
#ifndef ACRE_TESTS_SUPPORT_TOGETHER_H
#define ACRE_TESTS_SUPPORT_TOGETHER_H

#include "tests/acre_test.h"
#include "tests/support_tool.h"
#include "tests/support_script.h"

#include "bench/image.h"
#include "bench/procs_internal.h"
#include "bench/together.h"
#include "traces/trace.h"

#include <acre/algorithm.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

/* `n` operations of all kinds by random ones of `threads` threads. */
static inline acre_image image_random(uint64_t seed, size_t n, size_t live, uint32_t threads)
{
    script s = script_begin();
    uint64_t *serial = calloc(2 * live + 1, sizeof *serial);
    size_t count = 0;
    ACRE_CHECK(serial != NULL);
    for (size_t i = 0; i < n; i++) {
        uint64_t x = acre_test_random(&seed), size = (x >> 40) % ((x & 63) ? 600 : 60000);
        uint32_t tid = (uint32_t)acre_test_below(&seed, threads);
        size_t at = count ? (size_t)((x >> 8) % count) : 0;
        unsigned what = (x >> 4) & 15;
        if (count && (count == 2 * live || what < 7)) {
            script_free_by(&s, serial[at], tid);
            serial[at] = serial[--count];
        } else if (count && what == 7) {
            serial[at] = script_do_by(&s, ACRE_TRACE_REALLOC, serial[at], size, tid);
        } else if (what == 8 && i % 3 == 0) {
            script_free_by(&s, 0, tid);
        } else {
            int kind = what == 8   ? ACRE_TRACE_CALLOC
                       : what == 9 ? ACRE_TRACE_ALIGNED
                                   : ACRE_TRACE_MALLOC;
            serial[count++] = script_do_by(&s, kind, 0, size, tid);
        }
    }
    free(serial);
    return script_end(&s);
}

static inline acre_shares shares_of(const acre_image *m, uint32_t workers, enum acre_shares_rule rule,
                           uint32_t cross)
{
    static acre_shares p;
    ACRE_CHECK_EQUAL(acre_shares_make(&p, m, workers, rule, cross), 0);
    return p;
}

#endif
