/* SPDX-License-Identifier: MIT */
/* raw_lanes.c: blocks and records of a raw recording (format: rawfile.h).
 *
 * The process may have been killed at any instruction: a block may have been claimed and have no
 * head, a record may lack its op.  Both are zero where it matters, and are passed over. */
#include <stdlib.h>
#include <string.h>

#include "traces/raw_lanes.h"

enum { RAW_LANES_MAX = 65536 };

static int rawlanes_fail(const acre__raw_file *f, acre_trace_error *e, uint64_t at, const char *what)
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

static int rawlanes_add_block(acre__raw_file *f, uint32_t id, uint64_t offset, acre_trace_error *e)
{
    acre__raw_lane *lane = rawlanes_get(f, id);
    if (!lane)
        return rawlanes_no_memory(f, e);
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
    return head->magic == ACRE__RAW_BLOCK_MAGIC && head->lane < RAW_LANES_MAX && head->bytes &&
           head->bytes % ACRE__RAW_GRAIN == 0 && head->bytes <= f->file_bytes - at;
}

int acre__raw_file_scan(acre__raw_file *f, acre_trace_error *e)
{
    int err = acre__trace_pread(f->fd, &f->header, sizeof f->header, 0, f->path, e);
    if (!err && f->header.version != ACRE__RAW_VERSION)
        err = acre__trace_fail(e, ACRE_ETRACE_VERSION, f->path, 8, "raw file of another version");
    f->header.exe[sizeof f->header.exe - 1] = '\0';
    f->header.command[sizeof f->header.command - 1] = '\0';

    uint64_t at = ACRE__RAW_GRAIN;
    while (!err && at + sizeof(acre__raw_block) <= f->file_bytes) {
        acre__raw_block head;
        err = acre__trace_pread(f->fd, &head, sizeof head, at, f->path, e);
        if (err)
            break;
        bool claimed_only = head.magic == 0 && head.bytes == 0;
        if (!claimed_only && !rawlanes_head_ok(f, &head, at))
            return rawlanes_fail(f, e, at, "no block where one should begin");
        if (!claimed_only)
            err = rawlanes_add_block(f, head.lane, at, e);
        at += claimed_only ? ACRE__RAW_GRAIN : head.bytes;
    }
    return err;
}

/* ---- Records -------------------------------------------------------------------------------- */

static int rawlanes_next_block(acre__raw_file *f, acre__raw_lane *lane, acre_trace_error *e)
{
    acre__raw_block head;
    uint64_t at = lane->blocks[lane->block++];
    int err = acre__trace_pread(f->fd, &head, sizeof head, at, f->path, e);
    if (!err && !rawlanes_head_ok(f, &head, at))
        err = rawlanes_fail(f, e, at, "block has changed while it was read");
    lane->at = at + sizeof head;
    lane->end = at + head.bytes;
    return err;
}

/* Reads more of the lane: 1 = words are there, 0 = end. */
static int rawlanes_fill(acre__raw_file *f, acre__raw_lane *lane, acre_trace_error *e)
{
    const size_t record = ACRE__RAW_WORDS * sizeof(uint64_t);
    while (lane->end - lane->at < record) {
        if (lane->block == lane->n_blocks)
            return 0;
        int err = rawlanes_next_block(f, lane, e);
        if (err)
            return err;
    }
    uint64_t left = (lane->end - lane->at) / record * record;
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

static unsigned rawlanes_op(const uint64_t r[ACRE__RAW_WORDS])
{
    return (unsigned)(r[0] >> ACRE__RAW_TICK_BITS);
}

static uint64_t rawlanes_bits(uint64_t word, unsigned from, unsigned n)
{
    return word >> from & ((UINT64_C(1) << n) - 1);
}

/* Passes over what was never completed: a zero op, or a CONT whose record is missing. */
static int rawlanes_whole_record(acre__raw_file *f, acre__raw_lane *lane,
                                 uint64_t r[ACRE__RAW_WORDS], acre_trace_error *e)
{
    int got;
    while ((got = rawlanes_record(f, lane, r, e)) == 1) {
        unsigned op = rawlanes_op(r);
        if (op != ACRE__RAW_NONE && op != ACRE__RAW_CONT)
            return 1;
        f->torn += (r[0] | r[1] | r[2]) != 0;
    }
    return got;
}

/* ---- Events --------------------------------------------------------------------------------- */

static void rawlanes_decode(acre__raw_event *event, const uint64_t r[ACRE__RAW_WORDS])
{
    static const uint8_t kinds[] = {
        [ACRE__RAW_MALLOC] = RAW_EVENT_BIRTH, [ACRE__RAW_CALLOC] = RAW_EVENT_BIRTH,
        [ACRE__RAW_REALLOC] = RAW_EVENT_BIRTH, [ACRE__RAW_FREE] = RAW_EVENT_END,
        [ACRE__RAW_ALIGNED] = RAW_EVENT_BIRTH, [ACRE__RAW_USABLE] = RAW_EVENT_OTHER,
        [ACRE__RAW_THREAD_START] = RAW_EVENT_OTHER, [ACRE__RAW_THREAD_EXIT] = RAW_EVENT_OTHER,
    };
    unsigned op = rawlanes_op(r), above = ACRE__RAW_ADDRESS_BITS;
    *event = (acre__raw_event){
        .tick = rawlanes_bits(r[0], 0, ACRE__RAW_TICK_BITS),
        .address = rawlanes_bits(r[1], 0, above),
        .size = rawlanes_bits(r[2], 0, ACRE__RAW_SIZE_BITS),
        .align_log2 = (uint8_t)rawlanes_bits(r[1], above, 6),
        .flags = (uint16_t)rawlanes_bits(r[1], above + 6, 10),
        .op = (uint8_t)op,
        .kind = kinds[op],
    };
}

/* Joins a record with its CONT; a REALLOC leaves its second half in the lane. */
static void rawlanes_continue(acre__raw_lane *lane, acre__raw_event *event,
                              const uint64_t cont[ACRE__RAW_WORDS])
{
    event->size = cont[2];
    if (event->op != ACRE__RAW_REALLOC)
        return;
    event->old = rawlanes_bits(cont[1], 0, ACRE__RAW_ADDRESS_BITS);
    uint64_t after = event->tick + rawlanes_bits(cont[0], 0, ACRE__RAW_TICK_BITS);
    if (!event->old || (event->flags & ACRE__RAW_FAILED)) {
        event->tick = after; /* nothing ends */
        return;
    }
    lane->has_birth = event->address != 0; /* else realloc(p, 0), a free */
    lane->birth = *event;
    lane->birth.tick = after;
    event->kind = RAW_EVENT_END;
}

static int rawlanes_take(acre__raw_file *f, acre__raw_lane *lane, acre__raw_event *event,
                         acre_trace_error *e)
{
    uint64_t r[ACRE__RAW_WORDS], cont[ACRE__RAW_WORDS];
    int got = rawlanes_whole_record(f, lane, r, e);
    if (got != 1)
        return got;
    uint64_t where = lane->at - (lane->n_words - lane->word + ACRE__RAW_WORDS) * sizeof *r;
    if (rawlanes_op(r) > ACRE__RAW_CONT)
        return rawlanes_fail(f, e, where, "unknown kind of record");
    rawlanes_decode(event, r);
    if (event->op != ACRE__RAW_REALLOC && event->size != ACRE__RAW_SIZE_ESCAPE)
        return 1;
    got = rawlanes_record(f, lane, cont, e);
    if (got < 0)
        return got;
    if (got == 0 || rawlanes_op(cont) != ACRE__RAW_CONT)
        return rawlanes_fail(f, e, where, "record without its continuation");
    rawlanes_continue(lane, event, cont);
    return 1;
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
        lane->at = lane->end = lane->last_tick = 0;
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
