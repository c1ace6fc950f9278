/* SPDX-License-Identifier: MIT */
/* crash.h: the crash laboratory for heaps.
 *
 *   parts.def          what can happen to a victim: one line a part
 *       │ plan()
 *       ▼
 *   cases              one for each algorithm × operation × state: a line of the table
 *       │ run()        in a process of its own, two at a time, each under a watchdog   (main.c)
 *       ▼
 *   board              what the case has counted; shared, so it is known whatever becomes of it
 *       │
 *       ▼
 *   build/crash.json   (table.c)
 *
 * A part is a file that defines `const crash_part crash_part_NAME` and has its line in parts.def.
 */
#ifndef ACRE_TESTS_CRASH_H
#define ACRE_TESTS_CRASH_H

#include <acre.h>

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Which library the victims run: "gcc -O2".  CRASH_LEVEL comes from the Makefile. */
#ifdef __clang__
#define CRASH_VARIANT "clang " CRASH_LEVEL
#else
#define CRASH_VARIANT "gcc " CRASH_LEVEL
#endif

/* What is counted.  recovered = the deaths after which all was as it has to be; each other one is
 * counted under what was wrong first. */
typedef struct crash_count {
    uint64_t injected; /* deaths */
    uint64_t
        images; /* of these, with a segment that differs from the death's before: recovered anew */
    uint64_t recovered; /* survived without any loss */
    uint64_t
        in_hand;   /* blocks that nobody but the victim knew of: what a plain allocation may lose */
    uint64_t lost; /* blocks that nobody can name any more, or whose contents are gone */
    uint64_t
        doubled; /* blocks that somebody holds and that would be handed out again, or overlap */
    uint64_t unsound; /* heaps that fail check(), or do not work afterwards */
    uint64_t hangs;   /* survivors that did not end, or were ended by a signal */
    uint64_t waited;  /* deaths and stops for whose sake a peer waited for the heap's lock: no harm */
} crash_count;

enum crash_wrong { CRASH_LOST, CRASH_DOUBLED, CRASH_UNSOUND, CRASH_HANG };

typedef struct crash_board {
    crash_count n;
    volatile uint64_t at;      /* the death that is being looked at: number of its instruction */
    volatile uint64_t address; /* and where that was; 0: not known */
    double typical_us, worst_us; /* of a part that measures; else 0 */
    uint64_t told;             /* lines that were printed */
} crash_board;

typedef struct crash_part crash_part;

/* One line of the table. */
typedef struct crash_case {
    const crash_part *part;
    const acre_algorithm *algorithm;
    const char *operation, *state;
    size_t index;     /* for the part's own use */
    unsigned seconds; /* then it hangs */
} crash_case;

struct crash_part {
    const char *name, *summary;
    /* Call crash_plan() for each case.  Run once, before any case. */
    void (*plan)(const crash_part *self);
    /* In a process of its own, which then ends by itself: count on the board, tell what is wrong by
     * crash_wrong().  Children must die with it (crash_child()). */
    void (*run)(const crash_case *c, crash_board *b);
};

/* ---- main.c ---- */

typedef struct crash_options {
    bool quick;                           /* the share of continuous integration */
    const char *algorithms;               /* names with commas; NULL: all that are ACRE_ROBUST */
    const char *part, *operation, *state; /* only this; NULL: all */
    uint64_t at;                          /* only the death at this instruction; CRASH_EVERYWHERE */
    const char *json;                     /* NULL: no table is written */
    uint64_t seed;
    unsigned jobs;
} crash_options;

#define CRASH_EVERYWHERE UINT64_MAX

extern crash_options crash_chosen;

/* The i-th algorithm that is examined; NULL: past the end. */
const acre_algorithm *crash_algorithm(size_t i);

/* A case, unless the options leave it out. */
void crash_plan(const crash_part *part, const acre_algorithm *a, const char *operation,
                const char *state, size_t index, unsigned seconds);

/* The death at b->at was not survived: counts, and prints what, where and how to repeat it. */
void crash_wrong(const crash_case *c, crash_board *b, enum crash_wrong what, const char *format,
                 ...) __attribute__((format(printf, 4, 5)));

/* A child that runs fn(arg), ends with _exit(0) and dies with this process.  Never fails. */
int crash_child(void (*fn)(void *), void *arg);

/* End this process and with it its case: the laboratory itself cannot go on. */
void crash_give_up(const char *format, ...) __attribute__((noreturn, format(printf, 1, 2)));

/* A seed of this case, the same in each run with the same --seed. */
uint64_t crash_seed(const crash_case *c);

/* The next random number, and one below n. */
uint64_t crash_random(uint64_t *state);
uint64_t crash_below(uint64_t *state, uint64_t n);

/* ---- careless.c ---- */

/* Register those of the negative controls that the list names. */
void crash_add_careless(const char *wanted);

/* ---- symbol.c ---- */

/* "function at file:line", or what else is known of an address in this program. */
void crash_symbol(uint64_t address, char *text, size_t size);

/* ---- table.c ---- */

/* Put the rows into the table in `path`, in place of the same ones of an earlier run.  0 or an errno. */
int crash_table_write(const char *path, const crash_case *cases, const crash_board *boards,
                      size_t n);

void crash_count_add(crash_count *sum, const crash_count *n);
bool crash_count_good(const crash_count *n); /* something was injected, and all of it recovered */

#endif
