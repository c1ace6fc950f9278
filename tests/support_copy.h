/* SPDX-License-Identifier: MIT */
/* support_copy.h: what tests of snapshots share: processes that work in a segment and take part, each with data of
 * which a copy of one moment can be told from any other; a folder for copies. */
#ifndef ACRE_TESTS_SUPPORT_COPY_H
#define ACRE_TESTS_SUPPORT_COPY_H

#include "tests/support_heap.h"

enum { COPY_WORKERS = 4, COPY_KEPT = 16 };

/* One worker's: a list that changes by transactions; two words that are alike at its hold points. */
typedef struct copy_part {
    acre_off head;
    uint64_t count, sum; /* of the list */
    volatile uint64_t one, other;
    volatile uint64_t turns;
    acre_off kept[COPY_KEPT];
} copy_part;

typedef struct copy_house {
    acre_segment *s;
    copy_part *part; /* COPY_WORKERS of them */
    char dir[64], path[96];
    pid_t worker[COPY_WORKERS];
} copy_house;

/* With an empty folder, and no workers. */
copy_house copy_make(const char *algorithm, size_t size);
void copy_end(copy_house *h);

void copy_start(copy_house *h, int i);
void copy_start_all(copy_house *h);
void copy_kill(copy_house *h, int i);
void copy_kill_all(copy_house *h);

/* Fail unless each of them goes on. */
void copy_expect_at_work(const copy_house *h);
/* Fail unless the copy at h->path is of one moment, and can be used; then away with it. */
void copy_verify(const copy_house *h);
/* Fail if there is anything in the folder. */
void copy_expect_none(const copy_house *h);

#endif
