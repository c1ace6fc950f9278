/* SPDX-License-Identifier: MIT */
/* raw_import.c: raw recordings as operations on numbered objects.
 *
 * Lanes are merged by time with a heap, ends before births at the same tick.  A map from address
 * to object gives the serials.  What cannot be explained is not dropped but counted: a free of an
 * address that was never given out becomes EXT UNKNOWN_FREE (memory from before the recording, or
 * inherited through fork), a birth at a live address first ends the object that was there.
 *
 * A realloc's old object leaves the map when it may have been given back, and waits in its lane
 * for the birth of the new one; that is where the operation stands in the trace. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "traces/map64.h"
#include "traces/raw_lanes.h"

typedef struct raw_stream {
    acre__raw_lane *lane;
    acre__raw_event event; /* the next one */
    uint64_t held;         /* object that a realloc has taken and not yet replaced */
    uint32_t tid;
} raw_stream;

typedef struct raw_counts {
    uint64_t unknown_frees, implied_frees, usable_sizes, failed;
} raw_counts;

typedef struct raw_import {
    acre__raw_file file;
    raw_stream *streams, **heap;
    size_t n_heap;
    acre__map64 objects; /* address -> serial */
    uint64_t newest;
    uint32_t n_threads;
    acre_trace_op birth; /* waits behind an implied free */
    bool has_birth;
    raw_counts counts;
    acre__meta *meta;    /* gets the counts at the first end; NULL after that */
    uint64_t ticks, ns;  /* rate of the clock: `ticks` in `ns` */
} raw_import;

/* ---- Merging -------------------------------------------------------------------------------- */

static bool rawheap_before(const raw_stream *a, const raw_stream *b)
{
    if (a->event.tick != b->event.tick)
        return a->event.tick < b->event.tick;
    return a->event.kind == RAW_EVENT_END && b->event.kind != RAW_EVENT_END;
}

static void rawheap_sink(raw_import *r, size_t i)
{
    raw_stream *stream = r->heap[i];
    for (size_t child; (child = 2 * i + 1) < r->n_heap; i = child) {
        if (child + 1 < r->n_heap && rawheap_before(r->heap[child + 1], r->heap[child]))
            child++;
        if (!rawheap_before(r->heap[child], stream))
            break;
        r->heap[i] = r->heap[child];
    }
    r->heap[i] = stream;
}

/* Advances the first stream and puts the heap in order. */
static int rawheap_advance(raw_import *r, acre_trace_error *e)
{
    int got = acre__raw_lane_next(&r->file, r->heap[0]->lane, &r->heap[0]->event, e);
    if (got < 0)
        return got;
    if (got == 0)
        r->heap[0] = r->heap[--r->n_heap];
    if (r->n_heap)
        rawheap_sink(r, 0);
    return 0;
}

static int rawheap_build(raw_import *r, acre_trace_error *e)
{
    r->n_heap = 0;
    for (size_t i = 0; i < r->file.n_lanes; i++) {
        raw_stream *stream = &r->streams[i];
        if (!r->file.lanes[i])
            continue;
        *stream = (raw_stream){.lane = r->file.lanes[i]};
        int got = acre__raw_lane_next(&r->file, stream->lane, &stream->event, e);
        if (got < 0)
            return got;
        if (got)
            r->heap[r->n_heap++] = stream;
    }
    for (size_t i = r->n_heap / 2; i-- > 0;)
        rawheap_sink(r, i);
    return 0;
}

/* ---- Events become operations --------------------------------------------------------------- */

static bool raw_ext(acre_trace_op *op, unsigned what, uint64_t value)
{
    op->kind = ACRE_TRACE_EXT;
    op->flags = (uint16_t)what;
    op->size = value;
    return true;
}

/* The object at an address, which leaves the map; 0 = unknown. */
static uint64_t raw_take_object(raw_import *r, uint64_t address)
{
    acre__map64_entry *entry = acre__map64_find(&r->objects, address);
    if (!entry)
        return 0;
    uint64_t serial = entry->a;
    acre__map64_erase(&r->objects, entry);
    return serial;
}

static bool raw_free(raw_import *r, acre_trace_op *op, uint64_t address)
{
    op->kind = ACRE_TRACE_FREE;
    op->serial = address ? raw_take_object(r, address) : 0;
    if (op->serial || !address)
        return true;
    r->counts.unknown_frees++;
    op->flags = 0;
    return raw_ext(op, ACRE_TRACE_EXT_UNKNOWN_FREE, 0);
}

static bool raw_end(raw_import *r, raw_stream *stream, acre_trace_op *op)
{
    const acre__raw_event *event = &stream->event;
    if (event->op == ACRE__RAW_FREE)
        return raw_free(r, op, event->address);
    if (!event->address) /* realloc(p, 0) that gave nothing back */
        return raw_free(r, op, event->old);
    stream->held = raw_take_object(r, event->old);
    if (stream->held)
        return false;
    r->counts.unknown_frees++;
    op->flags = 0;
    return raw_ext(op, ACRE_TRACE_EXT_UNKNOWN_FREE, 0);
}

static uint8_t raw_kind(unsigned op)
{
    static const uint8_t kinds[] = {
        [ACRE__RAW_MALLOC] = ACRE_TRACE_MALLOC,   [ACRE__RAW_CALLOC] = ACRE_TRACE_CALLOC,
        [ACRE__RAW_REALLOC] = ACRE_TRACE_REALLOC, [ACRE__RAW_ALIGNED] = ACRE_TRACE_ALIGNED,
    };
    return kinds[op];
}

/* The birth waits in r->birth while *op ends the object that had the address. */
static void raw_imply_free(raw_import *r, acre_trace_op *op)
{
    uint64_t there = raw_take_object(r, r->heap[0]->event.address);
    if (!there)
        return;
    r->counts.implied_frees++;
    r->birth = *op;
    r->has_birth = true;
    *op = (acre_trace_op){.kind = ACRE_TRACE_FREE, .serial = there, .time = op->time,
                          .tid = op->tid};
}

static int raw_birth(raw_import *r, raw_stream *stream, acre_trace_op *op, acre_trace_error *e)
{
    const acre__raw_event *event = &stream->event;
    if (event->flags & ACRE__RAW_FAILED) {
        r->counts.failed++;
        op->flags = 0;
        return raw_ext(op, ACRE_TRACE_EXT_FAILED, event->size);
    }
    op->kind = raw_kind(event->op);
    op->size = event->size;
    op->align_log2 = event->op == ACRE__RAW_ALIGNED ? event->align_log2 : 0;
    op->serial = ++r->newest;
    op->old = stream->held;
    stream->held = 0;
    raw_imply_free(r, op);
    if (acre__map64_set(&r->objects, event->address, r->newest, 0) != 0)
        return acre__trace_fail(e, ACRE_ETRACE_NOMEM, r->file.path, 0, "out of memory");
    return 1;
}

static bool raw_other(raw_import *r, raw_stream *stream, acre_trace_op *op)
{
    switch (stream->event.op) {
    case ACRE__RAW_THREAD_START:
        op->tid = stream->tid = r->n_threads++;
        return raw_ext(op, ACRE_TRACE_EXT_THREAD_START, stream->tid);
    case ACRE__RAW_THREAD_EXIT:
        return raw_ext(op, ACRE_TRACE_EXT_THREAD_EXIT, stream->tid);
    default:
        r->counts.usable_sizes++;
        return false;
    }
}

static uint64_t raw_ns(const raw_import *r, uint64_t tick)
{
    return (uint64_t)((unsigned __int128)tick * r->ns / r->ticks);
}

/* 1 = an operation, 0 = the event gives none. */
static int raw_convert(raw_import *r, raw_stream *stream, acre_trace_op *op, acre_trace_error *e)
{
    const acre__raw_event *event = &stream->event;
    *op = (acre_trace_op){.tid = stream->tid, .time = raw_ns(r, event->tick)};
    if (event->kind == RAW_EVENT_OTHER)
        return raw_other(r, stream, op);
    op->flags = event->flags & ACRE__RAW_CXX ? ACRE_TRACE_CXX : 0;
    return event->kind == RAW_EVENT_END ? raw_end(r, stream, op) : raw_birth(r, stream, op, e);
}

static void raw_report(raw_import *r)
{
    acre__meta *m = r->meta;
    r->meta = NULL;
    if (!m)
        return;
    acre__meta_set_count(m, "import.unknown_frees", r->counts.unknown_frees);
    acre__meta_set_count(m, "import.implied_frees", r->counts.implied_frees);
    acre__meta_set_count(m, "import.failed_calls", r->counts.failed);
    acre__meta_set_count(m, "import.usable_size_calls", r->counts.usable_sizes);
    acre__meta_set_count(m, "import.torn_records", r->file.torn);
    acre__meta_set_count(m, "import.lost_events", r->file.header.lost);
}

static int raw_next(void *self, acre_trace_op *op, acre_trace_error *e)
{
    raw_import *r = self;
    if (r->has_birth) {
        *op = r->birth;
        r->has_birth = false;
        return 1;
    }
    while (r->n_heap) {
        int got = raw_convert(r, r->heap[0], op, e);
        int err = got < 0 ? got : rawheap_advance(r, e);
        if (err || got)
            return err ? err : got;
    }
    raw_report(r);
    return 0;
}

/* ---- Clock ---------------------------------------------------------------------------------- */

static uint64_t raw_now(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC_RAW, &t);
    return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

/* The rate of this machine's ticks, for recordings too short to tell. */
static void raw_calibrate(raw_import *r)
{
#if defined __x86_64__
    uint64_t ns = raw_now(), ticks = __builtin_ia32_rdtsc();
    struct timespec pause = {0, 5000000};
    nanosleep(&pause, NULL);
    r->ns = raw_now() - ns;
    r->ticks = __builtin_ia32_rdtsc() - ticks;
#else
    r->ns = r->ticks = 1;
    (void)raw_now;
#endif
}

static void raw_set_rate(raw_import *r)
{
    const acre__raw_header *h = &r->file.header;
    r->ticks = h->hz ? h->hz : h->end_ticks - h->start_ticks;
    r->ns = h->hz ? 1000000000u : h->end_ns - h->start_ns;
    bool forwards = h->end_ticks > h->start_ticks && h->end_ns > h->start_ns;
    if (!h->hz && (!forwards || r->ns < 1000000))
        raw_calibrate(r);
}

/* ---- Life ----------------------------------------------------------------------------------- */

bool acre__raw_matches(const unsigned char *head, size_t n)
{
    return n >= 8 && memcmp(head, ACRE__RAW_MAGIC, 8) == 0;
}

static int raw_rewind(void *self, acre_trace_error *e)
{
    raw_import *r = self;
    acre__raw_file_rewind(&r->file);
    acre__map64_clear(&r->objects);
    r->newest = r->n_threads = 0;
    r->has_birth = false;
    r->counts = (raw_counts){0};
    return rawheap_build(r, e);
}

static uint64_t raw_where(const void *self)
{
    const raw_import *r = self;
    return r->n_heap ? r->heap[0]->lane->at : 0;
}

static void raw_free_all(raw_import *r)
{
    acre__raw_file_clear(&r->file);
    acre__map64_clear(&r->objects);
    free(r->file.path);
    free(r->streams);
    free(r->heap);
    free(r);
}

static void raw_close(void *self)
{
    close(((raw_import *)self)->file.fd);
    raw_free_all(self);
}

static const acre__trace_source raw_source = {raw_next, raw_rewind, NULL, raw_where, raw_close};

static void raw_describe(const acre__raw_header *h, acre__meta *m)
{
    const char *slash = strrchr(h->exe, '/');
    acre__meta_set(m, "program", slash ? slash + 1 : h->exe);
    acre__meta_set(m, "exe", h->exe);
    acre__meta_set(m, "command", h->command);
    acre__meta_set_count(m, "pid", h->pid);
    acre__meta_set_count(m, "parent", h->parent);
    acre__meta_set_count(m, "page_size", h->page_size);
    acre__meta_set(m, "began", h->forked ? "fork" : "exec");
    acre__meta_set(m, "source.format", "acre recording");
}

static int raw_start(raw_import *r, acre_trace_error *e)
{
    int err = acre__raw_file_scan(&r->file, e);
    if (err)
        return err;
    r->streams = calloc(r->file.n_lanes + 1, sizeof *r->streams);
    r->heap = calloc(r->file.n_lanes + 1, sizeof *r->heap);
    if (!r->streams || !r->heap)
        return acre__trace_fail(e, ACRE_ETRACE_NOMEM, r->file.path, 0, "out of memory");
    raw_set_rate(r);
    return raw_rewind(r, e);
}

int acre__raw_open(void **self, const acre__trace_source **source, int fd, const char *path,
                   acre_trace_info *info, struct acre__meta *meta, bool *known,
                   acre_trace_error *e)
{
    raw_import *r = calloc(1, sizeof *r);
    if (!r || !(r->file.path = strdup(path))) {
        free(r);
        return acre__trace_fail(e, ACRE_ETRACE_NOMEM, path, 0, "out of memory");
    }
    r->file.fd = fd;
    r->file.file_bytes = info->file_bytes;
    int err = raw_start(r, e);
    if (err) {
        raw_free_all(r);
        return err;
    }
    raw_describe(&r->file.header, meta);
    r->meta = meta;
    info->format = "raw";
    info->ticks_per_s = 1000000000;
    info->wall_start_ns = r->file.header.wall_start_ns;
    *known = false;
    *self = r;
    *source = &raw_source;
    return 0;
}
