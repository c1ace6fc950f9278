/* SPDX-License-Identifier: MIT */
/* soak.h: what the files of the soak share.
 *
 *   parent: forks, kills, counts, takes the census          board: shared memory beside the segment
 *     │ seat 0        seat 1        … (one process each)     +------+-------------------------------+
 *     ▼                                                      | stop | for each seat, for each lane: |
 *   worker: lane 0 │ lane 1, 2: threads │ lane 3: a forked   | …    | ops, state, table of blocks   |
 *                                          child             +------+-------------------------------+
 *   segment: blocks; and slots, which any lane fills and empties
 *
 * A lane is a thread's place: its table of plain blocks stays when the thread or its process ends, and who comes
 * next goes on with it.  So what a killed thread leaves behind without a name is what it had in hand. */
#ifndef ACRE_TESTS_SOAK_H
#define ACRE_TESTS_SOAK_H

#include <acre.h>

#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

enum {
    SOAK_SEATS = 16,
    SOAK_LANES = 4,               /* of a seat: the process's first thread, threads, */
    SOAK_FORKED = SOAK_LANES - 1, /* a child of it that does not exec */
    SOAK_BLOCKS = 256,            /* of a lane's table, at most */
    SOAK_BUDGET = 1 << 20, /* bytes that all hold together, for each lane that may be there */
    SOAK_STEP = 64 << 10,  /* by so many a lane goes up or down between two looks */
    SOAK_MOST = 256 << 10, /* bytes of the largest block */
    SOAK_SLOTS = 64,
    SOAK_BATCH = 256 /* operations between two looks at the board */
};

/* Mistakes that are made on purpose, so that it can be seen that they are found. */
enum soak_spoil { SOAK_HONEST, SOAK_LEAK, SOAK_SMASH, SOAK_HOARD, SOAK_OPEN };

enum soak_state { SOAK_AWAY, SOAK_RUNNING, SOAK_PARKED };

typedef struct soak_block {
    acre_off at; /* 0: none; stored last, cleared first */
    uint64_t size;
} soak_block;

typedef struct soak_lane {
    uint64_t ops;
    uint64_t live;  /* bytes in its table, as of the last look */
    uint32_t state; /* enum soak_state */
    uint32_t id;    /* not 0 */
    uint8_t apart[40];
    soak_block block[SOAK_BLOCKS];
} soak_lane;

typedef struct soak_seat {
    soak_lane lane[SOAK_LANES];
} soak_seat;

typedef struct soak_board {
    uint32_t stop, pause;
    uint32_t wrong;                      /* things that workers found wrong; each has said what */
    uint32_t abrupt;                     /* workers that ended without letting go of the heap */
    uint64_t refused;                    /* allocations that found no room */
    uint64_t threads, cancelled, forked; /* that there were */
    uint32_t claim[SOAK_SLOTS];          /* id of the lane that uses the slot */
    soak_seat seat[SOAK_SEATS];
} soak_board;

typedef struct soak_options {
    const char *spec, *json;
    uint64_t ops, seed;
    unsigned workers;
    enum soak_spoil spoil;
} soak_options;

/* What is judged. */
typedef struct soak_sample {
    double ops, high_water, used, unaccounted;
    double slabs, cached, shelved; /* bytes of the parts; not judged */
} soak_sample;

enum { SOAK_SAMPLES = 4096 };

typedef struct soak_result {
    uint64_t ops, born, left, abrupt, killed, killed_threads, in_hand, censuses, wrong;
    uint64_t live_at_end;
    int parts, parts_limit; /* most that there were; 0: the algorithm has none */
    int fds_first, fds_last;
    double seconds;
    double growth[3]; /* of the second half, in parts of the mean: high water, used, unaccounted */
    size_t samples;
    soak_sample sample[SOAK_SAMPLES];
} soak_result;

extern soak_options soak_chosen;
extern soak_board *soak_shared;
extern acre_segment *soak_segment;

uint64_t soak_random(uint64_t *state);
uint64_t soak_below(uint64_t *state, uint64_t n);
double soak_now(void);

/* One line on standard error; counted. */
__attribute__((format(printf, 1, 2))) void soak_wrong(const char *format, ...);

/* Bytes in a lane's table. */
uint64_t soak_live(const soak_lane *l);

/* Bury who has ended by now. */
void soak_reap_all(void);

/* ---- worker.c ---- */

/* In a forked child: works in that seat, then ends.  `ops`: about so many. */
__attribute__((noreturn)) void soak_work(unsigned seat, uint64_t ops, uint64_t seed);

/* ---- census.c: all stand still, and what is live is compared with what is named ---- */

/* Nobody is in a call on return: 0; -1: somebody did not come out of it in time. */
int soak_pause(void);
void soak_resume(void);
void soak_census(soak_result *r);
void soak_check(acre_heap *h); /* is it sound? */

/* ---- judge.c ---- */

void soak_judge(soak_result *r);

/* 0 or an errno. */
int soak_write_json(const char *file, const soak_result *r);

#endif
