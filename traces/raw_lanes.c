/* SPDX-License-Identifier: MIT */
/* raw_lanes.c: blocks and records of a raw recording (format: rawfile.h).
 *
 * The process may have been killed at any instruction: a block may have been claimed and have no
 * head, a record may lack its op.  Both are zero where it matters, and are passed over. */
#include <stdlib.h>
#include <string.h>

#include "traces/raw_lanes.h"

enum { RAW_LANES_MAX = 65536 };

static int rawlanes_fail(const acre__raw_file *f, acre_trace_error *e, uint64_t at,
                         const char *what)
{
    return acre__trace_fail(e, ACRE_ETRACE_CORRUPT, f->path, at, "%s", what);
}

static int rawlanes_no_memory(const acre__raw_file *f, acre_trace_error *e)
{
    return acre__trace_fail(e, ACRE_ETRACE_NOMEM, f->path, 0, "out of memory");
}

/* ---- Finding the blocks --------------------------------------------------------------------- */

static acre__raw_lane *rawlanes_get(acre__raw_file *f, uint32_t id)
{
    if (id >= f->n_lanes) {
        acre__raw_lane **lanes = realloc(f->lanes, (id + 1) * sizeof *lanes);
        if (!lanes)
            return NULL;
        memset(lanes + f->n_lanes, 0, (id + 1 - f->n_lanes) * sizeof *lanes);
        f->lanes = lanes;
        f->n_lanes = id + 1;
    }
    if (!f->lanes[id])
        f->lanes[id] = calloc(1, sizeof **f->lanes);
    return f->lanes[id];
}

static int rawlanes_add_block(acre__raw_file *f, acre__raw_lane *lane, uint64_t offset,
                              acre_trace_error *e)
{
    if (lane->n_blocks == lane->room) {
        size_t room = lane->room ? lane->room * 2 : 4;
        uint64_t *blocks = realloc(lane->blocks, room * sizeof *blocks);
        if (!blocks)
            return rawlanes_no_memory(f, e);
        lane->blocks = blocks;
        lane->room = room;
    }
    lane->blocks[lane->n_blocks++] = offset;
    return 0;
}

static bool rawlanes_head_ok(const acre__raw_file *f, const acre__raw_block *head, uint64_t at)
{
    return (head->magic == ACRE__RAW_FULL_MAGIC || head->magic == ACRE__RAW_BUFFER_MAGIC) &&
           head->lane < RAW_LANES_MAX && ACRE__RAW_BLOCK <= f->file_bytes - at;
}

static int rawlanes_note_block(acre__raw_file *f, const acre__raw_block *head, uint64_t at,
                               acre_trace_error *e)
{
    acre__raw_lane *lane = rawlanes_get(f, head->lane);
    if (!lane)
        return rawlanes_no_memory(f, e);
    if (head->magic == ACRE__RAW_BUFFER_MAGIC) {
        lane->buffer_at = at;
        lane->buffer_seq = head->seq;
        return 0;
    }
    lane->last_seq = head->seq;
    return rawlanes_add_block(f, lane, at, e);
}

static int rawlanes_add_buffers(acre__raw_file *f, acre_trace_error *e)
{
    int err = 0;
    for (size_t i = 0; i < f->n_lanes && !err; i++) {
        acre__raw_lane *lane = f->lanes[i];
        if (lane && lane->buffer_seq > lane->last_seq)
            err = rawlanes_add_block(f, lane, lane->buffer_at, e);
    }
    return err;
}

int acre__raw_file_scan(acre__raw_file *f, acre_trace_error *e)
{
    int err = acre__trace_pread(f->fd, &f->header, sizeof f->header, 0, f->path, e);
    if (!err && f->header.version != ACRE__RAW_VERSION)
        err = acre__trace_fail(e, ACRE_ETRACE_VERSION, f->path, 8, "raw file of another version");
    f->header.exe[sizeof f->header.exe - 1] = '\0';
    f->header.command[sizeof f->header.command - 1] = '\0';

    uint64_t at = ACRE__RAW_BLOCK;
    for (; !err && at + sizeof(acre__raw_block) <= f->file_bytes; at += ACRE__RAW_BLOCK) {
        acre__raw_block head;
        err = acre__trace_pread(f->fd, &head, sizeof head, at, f->path, e);
        if (err || head.magic == 0) /* claimed, but not written before the end */
            continue;
        err = rawlanes_head_ok(f, &head, at)
                  ? rawlanes_note_block(f, &head, at, e)
                  : rawlanes_fail(f, e, at, "no block where one should begin");
    }
    return err ? err : rawlanes_add_buffers(f, e);
}

/* ---- Records -------------------------------------------------------------------------------- */

static int rawlanes_next_block(acre__raw_file *f, acre__raw_lane *lane, acre_trace_error *e)
{
    acre__raw_block head;
    uint64_t at = lane->blocks[lane->block++];
    int err = acre__trace_pread(f->fd, &head, sizeof head, at, f->path, e);
    lane->at = at + sizeof head;
    lane->end = at + ACRE__RAW_BLOCK;
    lane->tick = head.start_tick;
    return err;
}

/* Reads more of the lane: 1 = words are there, 0 = end. */
static int rawlanes_fill(acre__raw_file *f, acre__raw_lane *lane, acre_trace_error *e)
{
    if (lane->at == lane->end) {
        if (lane->block == lane->n_blocks)
            return 0;
        int err = rawlanes_next_block(f, lane, e);
        if (err)
            return err;
    }
    uint64_t left = lane->end - lane->at;
    size_t n = left < sizeof lane->words ? (size_t)left : sizeof lane->words;
    int err = acre__trace_pread(f->fd, lane->words, n, lane->at, f->path, e);
    lane->at += n;
    lane->word = 0;
    lane->n_words = n / sizeof(uint64_t);
    return err ? err : 1;
}

/* 1 = *r is the next record, also an empty one. */
static int rawlanes_record(acre__raw_file *f, acre__raw_lane *lane, uint64_t r[ACRE__RAW_WORDS],
                           acre_trace_error *e)
{
    if (lane->word == lane->n_words) {
        int got = rawlanes_fill(f, lane, e);
        if (got != 1)
            return got;
    }
    memcpy(r, lane->words + lane->word, ACRE__RAW_WORDS * sizeof *r);
    lane->word += ACRE__RAW_WORDS;
    return 1;
}

static uint64_t rawlanes_bits(uint64_t word, unsigned from, unsigned n)
{
    return word >> from & ((UINT64_C(1) << n) - 1);
}

static unsigned rawlanes_op(const uint64_t r[ACRE__RAW_WORDS])
{
    return (unsigned)rawlanes_bits(r[0], ACRE__RAW_OP_SHIFT, 5);
}

static uint64_t rawlanes_address(const uint64_t r[ACRE__RAW_WORDS])
{
    return rawlanes_bits(r[0], 0, ACRE__RAW_ADDRESS_BITS);
}

/* Passes over what was never completed: a zero op, or followers whose record is missing. */
static int rawlanes_whole_record(acre__raw_file *f, acre__raw_lane *lane,
                                 uint64_t r[ACRE__RAW_WORDS], acre_trace_error *e)
{
    int got;
    while ((got = rawlanes_record(f, lane, r, e)) == 1) {
        unsigned op = rawlanes_op(r);
        if (op != ACRE__RAW_NONE && op != ACRE__RAW_CONT && op != ACRE__RAW_WIDE)
            return 1;
        f->torn += (r[0] | r[1]) != 0;
    }
    return got;
}

/* ---- Events --------------------------------------------------------------------------------- */

static void rawlanes_decode(acre__raw_lane *lane, acre__raw_event *event,
                            const uint64_t r[ACRE__RAW_WORDS])
{
    static const uint8_t kinds[] = {
        [ACRE__RAW_MALLOC] = RAW_EVENT_BIRTH, [ACRE__RAW_CALLOC] = RAW_EVENT_BIRTH,
        [ACRE__RAW_REALLOC] = RAW_EVENT_BIRTH, [ACRE__RAW_FREE] = RAW_EVENT_END,
        [ACRE__RAW_ALIGNED] = RAW_EVENT_BIRTH, [ACRE__RAW_USABLE] = RAW_EVENT_OTHER,
        [ACRE__RAW_THREAD_START] = RAW_EVENT_OTHER, [ACRE__RAW_THREAD_EXIT] = RAW_EVENT_OTHER,
    };
    unsigned op = rawlanes_op(r), align = ACRE__RAW_ADDRESS_BITS;
    lane->tick += r[1] >> 32;
    *event = (acre__raw_event){
        .address = rawlanes_address(r),
        .size = r[1] & UINT32_MAX,
        .align_log2 = (uint8_t)rawlanes_bits(r[0], align, ACRE__RAW_ALIGN_BITS),
        .flags = (uint16_t)rawlanes_bits(r[0], align + ACRE__RAW_ALIGN_BITS, ACRE__RAW_FLAG_BITS),
        .op = (uint8_t)op,
        .kind = kinds[op],
    };
}

/* A REALLOC leaves its second half in the lane. */
static void rawlanes_split(acre__raw_lane *lane, acre__raw_event *event, uint64_t old,
                           uint64_t duration)
{
    event->old = old;
    if (!old || (event->flags & ACRE__RAW_FAILED)) {
        event->tick += duration; /* nothing ends */
        return;
    }
    lane->has_birth = event->address != 0; /* else realloc(p, 0), a free */
    lane->birth = *event;
    lane->birth.tick += duration;
    event->kind = RAW_EVENT_END;
}

/* The record that follows in a lane, of the kind that must follow. */
static int rawlanes_follower(acre__raw_file *f, acre__raw_lane *lane, unsigned op,
                             uint64_t r[ACRE__RAW_WORDS], acre_trace_error *e)
{
    int got = rawlanes_record(f, lane, r, e);
    if (got == 1 && rawlanes_op(r) == op)
        return 0;
    return got < 0 ? got : rawlanes_fail(f, e, lane->at, "record without its continuation before");
}

static int rawlanes_take(acre__raw_file *f, acre__raw_lane *lane, acre__raw_event *event,
                         acre_trace_error *e)
{
    uint64_t r[ACRE__RAW_WORDS], more[ACRE__RAW_WORDS];
    int got = rawlanes_whole_record(f, lane, r, e), err = 0;
    if (got != 1)
        return got;
    if (rawlanes_op(r) > ACRE__RAW_WIDE)
        return rawlanes_fail(f, e, lane->at, "unknown kind of record before");
    rawlanes_decode(lane, event, r);
    if (r[1] >> 32 == ACRE__RAW_ESCAPE &&
        !(err = rawlanes_follower(f, lane, ACRE__RAW_WIDE, more, e)))
        lane->tick = more[1];
    if (!err && event->size == ACRE__RAW_ESCAPE &&
        !(err = rawlanes_follower(f, lane, ACRE__RAW_WIDE, more, e)))
        event->size = more[1];
    event->tick = lane->tick;
    if (!err && event->op == ACRE__RAW_REALLOC &&
        !(err = rawlanes_follower(f, lane, ACRE__RAW_CONT, more, e)))
        rawlanes_split(lane, event, rawlanes_address(more), more[1] >> 32);
    return err ? err : 1;
}

int acre__raw_lane_next(acre__raw_file *f, acre__raw_lane *lane, acre__raw_event *event,
                        acre_trace_error *e)
{
    int got = 1;
    if (lane->has_birth)
        *event = lane->birth;
    else
        got = rawlanes_take(f, lane, event, e);
    if (lane->has_birth && event->kind == RAW_EVENT_BIRTH)
        lane->has_birth = false;
    if (got != 1)
        return got;
    if (event->tick < lane->last_tick)
        event->tick = lane->last_tick;
    lane->last_tick = event->tick;
    return 1;
}

/* ---- Life ----------------------------------------------------------------------------------- */

void acre__raw_file_rewind(acre__raw_file *f)
{
    f->torn = 0;
    for (size_t i = 0; i < f->n_lanes; i++) {
        acre__raw_lane *lane = f->lanes[i];
        if (!lane)
            continue;
        lane->block = lane->word = lane->n_words = 0;
        lane->at = lane->end = lane->tick = lane->last_tick = 0;
        lane->has_birth = false;
    }
}

void acre__raw_file_clear(acre__raw_file *f)
{
    for (size_t i = 0; i < f->n_lanes; i++) {
        if (f->lanes[i])
            free(f->lanes[i]->blocks);
        free(f->lanes[i]);
    }
    free(f->lanes);
    f->lanes = NULL;
    f->n_lanes = 0;
}
