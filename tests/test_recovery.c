/* SPDX-License-Identifier: MIT */
/* The news of a death reaches those who can act on it, whoever hears it first. */
#include "tests/support_heap.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <unistd.h>

enum { SMALL = 64 << 10, LARGE = 8 << 20 };

static int die_inside(void *arg, const acre_block *b)
{
    (void)arg;
    (void)b;
    return raise(SIGKILL);
}

static void walk_to_death(void *segment)
{
    acre_heap_walk(acre_segment_heap(segment), die_inside, NULL);
}

/* From now on a mapping of LARGE does not fit any more, one of a quarter does. */
static void cap_address_space(void)
{
    unsigned long pages = 0;
    FILE *f = fopen("/proc/self/statm", "re");
    ACRE_CHECK(f && fscanf(f, "%lu", &pages) == 1);
    fclose(f);
    size_t bytes = pages * (size_t)sysconf(_SC_PAGESIZE) + LARGE / 2;
    ACRE_CHECK_EQUAL(setrlimit(RLIMIT_AS, &(struct rlimit){bytes, bytes}), 0);
}

static uint64_t recoveries(acre_segment *s)
{
    acre_stats stats;
    ACRE_CHECK_EQUAL(acre_heap_stats(acre_segment_heap(s), &stats), 0);
    return stats.recoveries;
}

/* A second handle, whose window the segment has outgrown, is refused at each call. */
static void be_told_of_a_death_and_refused(void *segment)
{
    acre_segment *wide = segment, *narrow;
    acre_segment_options o = {.fd = acre_segment_fd(wide)};
    cap_address_space();
    ACRE_CHECK_EQUAL(acre_segment_open(&narrow, ACRE_MEMFD, NULL, &o), 0);
    ACRE_CHECK_EQUAL(acre_segment_grow(wide, LARGE), 0);
    uint64_t before = recoveries(wide);
    acre_test_expect_killed(acre_test_spawn(walk_to_death, wide));
    for (int i = 0; i < 2; i++)
        ACRE_CHECK_EQUAL(acre_heap_check(acre_segment_heap(narrow), NULL), ENOMEM);
    ACRE_CHECK_EQUAL(recoveries(wide), before + 1);
    ACRE_CHECK_EQUAL(recoveries(wide), before + 1);
}

/* Without a journal only the lock knows that its owner died, and only a check after that death tells
 * whether the heap may live on. */
static void refused_entry_keeps_the_news(uint32_t lock)
{
    acre_segment *s;
    acre_segment_options o = {
        .size = SMALL, .capacity = LARGE, .heap = {.lock = lock, .journal = ACRE_JOURNAL_OFF}};
    if (acre_test_rounds(20) < 20)
        acre_test_skip("valgrind and sanitizers keep address space for themselves");
    ACRE_CHECK_EQUAL(acre_segment_create(&s, ACRE_MEMFD, NULL, &o), 0);
    acre_test_run(be_told_of_a_death_and_refused, s);
    acre_segment_close(s);
}

ACRE_TEST(recovery, refused_entry_keeps_the_news_of_a_death)
{
    refused_entry_keeps_the_news(ACRE_LOCK_ROBUST);
}

ACRE_TEST(recovery, refused_entry_keeps_the_news_where_waiters_poll)
{
    refused_entry_keeps_the_news(ACRE_LOCK_SPIN);
}
