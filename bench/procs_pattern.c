/* SPDX-License-Identifier: MIT */
/* procs_pattern.c: the list of what workers can do.  Each is a file in patterns/, which names its source and its
 * parameters. */
#include "bench/patterns/pattern.h"

#include <string.h>

#define PMDK(n, summary)                                                                           \
    {                                                                                              \
        "pmdk-w" #n, "PMDK: " summary, 0, n, pattern_pmdk_room, NULL, pattern_pmdk_work            \
    }

static const acre_procs_pattern patterns[] = {
    {"random", "1,000 live blocks of 16 to 512 bytes, any is next", 0, 0, pattern_random_room, NULL,
     pattern_random_work},
    {"linux-scalability", "a block of 512 bytes, made and freed", 0, 0, NULL, NULL,
     pattern_scalability_work},
    {"threadtest", "30,000 blocks of 8 bytes made, then freed", 0, 0, pattern_threadtest_room, NULL,
     pattern_threadtest_work},
    {"larson", "5,000 of 8 to 1,000 bytes, some freed by the neighbour", PROCS_HANDS_ON, 0,
     pattern_larson_room, NULL, pattern_larson_work},
    {"xmalloc", "half of the workers allocate, the others free", PROCS_HANDS_ON | PROCS_PAIRS, 0,
     NULL, NULL, pattern_xmalloc_work},
    {"cache-thrash", "8 bytes, written 1,000 times: active false sharing", 0, 0, NULL, NULL,
     pattern_thrash_work},
    {"cache-scratch", "the first a neighbour's: passive false sharing", PROCS_HANDS_ON, 0, NULL,
     NULL, pattern_scratch_work},
    {"mstress", "short and long lives, to 5 MB; some wander among all", PROCS_HANDS_ON, 0,
     pattern_mstress_room, NULL, pattern_mstress_work},
    {"rptest", "bursts, 8 to 16,000 bytes; batches freed by the neighbour", PROCS_HANDS_ON, 0,
     pattern_rptest_room, NULL, pattern_rptest_work},
    {"sh6bench", "1,000 of 1 to 1,000 bytes, first in first out, and last", 0, 0,
     pattern_shbench_room, NULL, pattern_sh6_work},
    {"sh8bench", "the same, a fifth freed by the neighbour", PROCS_HANDS_ON, 0,
     pattern_shbench_room, NULL, pattern_sh8_work},
    {"alloc-test", "2^18 places over all, a few used most, 5 to 1,024 bytes", 0, 0,
     pattern_alloc_test_room, NULL, pattern_alloc_test_work},
    {"fleetbench", "births and deaths as in a fleet, 8 bytes to 386 KB", 0, 0, pattern_fleet_room,
     pattern_fleet_prepare, pattern_fleet_work},
    PMDK(0, "100 bytes"),
    PMDK(1, "100 bytes, then 130"),
    PMDK(2, "100 bytes, 90 % die, 130"),
    PMDK(3, "100 to 150 bytes, then 200 to 250"),
    PMDK(4, "100 to 150 bytes, 90 % die, 200 to 250"),
    PMDK(5, "100 to 200 bytes, 50 % die, 1,000 to 2,000"),
    PMDK(6, "1,000 to 2,000 bytes, 90 % die, 1,500 to 2,500"),
    PMDK(7, "50 to 150 bytes, 90 % die, 5,000 to 15,000"),
    PMDK(8, "2 MB"),
    PMDK(9, "1 byte to 5 MB, exponential, until it is full"),
};

const acre_procs_pattern *acre_procs_pattern_at(size_t i)
{
    return i < sizeof patterns / sizeof *patterns ? &patterns[i] : NULL;
}

const acre_procs_pattern *acre_procs_pattern_find(const char *name)
{
    const acre_procs_pattern *p;
    for (size_t i = 0; (p = acre_procs_pattern_at(i)); i++)
        if (!strcmp(p->name, name))
            return p;
    return NULL;
}

bool acre_procs_pattern_suits(const acre_procs_pattern *p, uint64_t workers)
{
    return workers >= 1 && workers <= ACRE_PROCS_MOST && !(p->flags & PROCS_PAIRS && workers % 2);
}

const char *acre_procs_pattern_name(const acre_procs_pattern *p)
{
    return p->name;
}

const char *acre_procs_pattern_summary(const acre_procs_pattern *p)
{
    return p->summary;
}
