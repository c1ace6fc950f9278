/* SPDX-License-Identifier: MIT */
/* raw_lanes.h: a raw recording as lanes of events, each in the order of time. */
#ifndef ACRE_TRACES_RAW_LANES_H
#define ACRE_TRACES_RAW_LANES_H

#include "traces/internal.h"
#include "traces/rawfile.h"

/* A REALLOC record gives two events: the end of the old object, then the birth of the new one. */
enum raw_event_kind { RAW_EVENT_BIRTH, RAW_EVENT_END, RAW_EVENT_OTHER };

typedef struct acre__raw_event {
    uint64_t tick, address, old, size;
    uint16_t flags;
    uint8_t kind, op, align_log2; /* enum raw_event_kind, enum acre__raw_op */
} acre__raw_event;

typedef struct acre__raw_lane {
    uint64_t *blocks;           /* offsets of full blocks, then of the buffer unless it is a copy */
    size_t n_blocks, room, block;
    uint64_t buffer_at, buffer_seq, last_seq;
    uint64_t at, end;           /* what is left of the current block */
    uint64_t words[512 * ACRE__RAW_WORDS];
    size_t word, n_words;       /* what is left of what was read */
    uint64_t tick;              /* of the last record */
    uint64_t last_tick;         /* of the last event: time never runs back in a lane */
    acre__raw_event birth;      /* second half of a REALLOC */
    bool has_birth;
} acre__raw_lane;

typedef struct acre__raw_file {
    int fd;
    char *path;
    uint64_t file_bytes;
    acre__raw_header header;
    acre__raw_lane **lanes;
    size_t n_lanes;
    uint64_t torn;              /* records that were begun and never completed */
} acre__raw_file;

/* Reads the header and finds the blocks. */
int acre__raw_file_scan(acre__raw_file *f, acre_trace_error *e);
void acre__raw_file_rewind(acre__raw_file *f);
void acre__raw_file_clear(acre__raw_file *f);

/* 1 = the next event of the lane, 0 = its end, negative = ACRE_ETRACE_*. */
int acre__raw_lane_next(acre__raw_file *f, acre__raw_lane *lane, acre__raw_event *event,
                        acre_trace_error *e);

#endif
