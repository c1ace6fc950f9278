/* SPDX-License-Identifier: MIT */
/* archive_writer.c: operations in, an .acr file out.
 *
 * Chunks of 65,536 operations are written as soon as they are full, so a writer that dies leaves
 * an archive that can be read up to there.  Finishing adds the rest of META and the INDEX, and only
 * then fills in the totals in the file header. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "traces/archive.h"
#include "traces/ledger.h"

struct acre_trace_writer {
    char *path, *part; /* the name to be, and the name while writing */
    int fd;
    bool failed, meta_written;
    uint64_t offset;   /* where the next chunk goes */
    unsigned char head[ACRE__ARCHIVE_HEADER];
    acre__archive_header header;
    acre__ledger ledger;
    acre__meta meta;
    acre__packer *packer;
    acre__bytes heads, data, index;

    /* The chunk that is being filled. */
    acre__codec codec;
    acre__chunk chunk;
    uint64_t last_tick;
    uint32_t run_tid, run_length;
    acre__bytes ops, threads, times;
};

static int writer_fail(acre_trace_writer *w, acre_trace_error *e, int code, const char *what)
{
    w->failed = true;
    return acre__trace_fail(e, code, w->part, w->offset, "%s", what);
}

static int writer_no_memory(acre_trace_writer *w, acre_trace_error *e)
{
    return writer_fail(w, e, ACRE_ETRACE_NOMEM, "out of memory");
}

static int writer_pwrite(acre_trace_writer *w, const void *data, size_t n, uint64_t offset,
                         acre_trace_error *e)
{
    for (size_t done = 0; done < n;) {
        ssize_t put = pwrite(w->fd, (const char *)data + done, n - done, (off_t)(offset + done));
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            return writer_fail(w, e, errno, strerror(errno));
        done += (size_t)put;
    }
    return 0;
}

/* ---- Chunks --------------------------------------------------------------------------------- */

static int writer_index_entry(acre_trace_writer *w, uint64_t first_op)
{
    unsigned char entry[ACRE__INDEX_ENTRY];
    acre__le_put(entry, w->offset, 8);
    acre__le_put(entry + 8, first_op, 8);
    acre__le_put(entry + 16, w->chunk.kind, 4);
    acre__le_put(entry + 20, w->chunk.n_ops, 4);
    return acre__bytes_add(&w->index, entry, sizeof entry);
}

static int writer_pack(acre_trace_writer *w, uint8_t id, const acre__bytes *column)
{
    if (column->n == 0)
        return 0;
    w->chunk.ncols++;
    w->chunk.raw_len += (uint32_t)column->n;
    return acre__packer_add(w->packer, id, column, &w->heads, &w->data);
}

/* Writes w->chunk with the columns packed so far. */
static int writer_put_chunk(acre_trace_writer *w, acre_trace_error *e)
{
    unsigned char head[ACRE__CHUNK_HEADER];
    if (acre__bytes_add(&w->heads, w->data.data, w->data.n) != 0)
        return writer_no_memory(w, e);
    w->chunk.codec = ACRE__ZSTD;
    w->chunk.stored_len = (uint32_t)w->heads.n;
    w->chunk.crc = 0;
    acre__chunk_put(&w->chunk, head);
    w->chunk.crc = acre__chunk_crc(w->head, head, w->heads.data, w->heads.n);
    acre__chunk_put(&w->chunk, head);

    int err = writer_pwrite(w, head, sizeof head, w->offset, e);
    if (!err)
        err = writer_pwrite(w, w->heads.data, w->heads.n, w->offset + sizeof head, e);
    w->offset += sizeof head + w->heads.n;
    w->heads.n = w->data.n = 0;
    return err;
}

static void writer_begin_chunk(acre_trace_writer *w, uint8_t kind)
{
    w->chunk = (acre__chunk){.kind = kind, .base_serial = w->ledger.n_objects,
                             .base_ts = w->last_tick};
    acre__codec_init(&w->codec, w->ledger.n_objects);
    w->ops.n = w->threads.n = w->times.n = 0;
    w->run_length = 0;
}

static int writer_single_column(acre_trace_writer *w, uint8_t kind, uint8_t id,
                                const acre__bytes *column, acre_trace_error *e)
{
    writer_begin_chunk(w, kind);
    if (kind != ACRE__CHUNK_INDEX && writer_index_entry(w, w->ledger.n_ops) != 0)
        return writer_no_memory(w, e);
    if (writer_pack(w, id, column) != 0)
        return writer_no_memory(w, e);
    return writer_put_chunk(w, e);
}

/* ---- META ----------------------------------------------------------------------------------- */

static int writer_meta_text(const acre__meta *m, acre__bytes *text)
{
    int err = 0;
    for (size_t i = 0; i < m->n && !err; i++) {
        err |= acre__bytes_add(text, m->items[i].key, strlen(m->items[i].key));
        err |= acre__bytes_add(text, "=", 1);
        err |= acre__bytes_add(text, m->items[i].value, strlen(m->items[i].value));
        err |= acre__bytes_add(text, "\n", 1);
    }
    return err;
}

static int writer_put_meta(acre_trace_writer *w, acre_trace_error *e)
{
    acre__bytes text = {0};
    int err = 0;
    if (writer_meta_text(&w->meta, &text) != 0)
        err = writer_no_memory(w, e);
    else if (text.n > ACRE__META_MAX)
        err = writer_fail(w, e, ACRE_ETRACE_INVALID, "META is too large");
    else if (text.n)
        err = writer_single_column(w, ACRE__CHUNK_META, ACRE__COLUMN_META, &text, e);
    acre__bytes_clear(&text);
    acre__meta_clear(&w->meta);
    return err;
}

int acre_trace_writer_meta(acre_trace_writer *w, const char *key, const char *value)
{
    return acre__meta_set(&w->meta, key, value);
}

/* ---- Operations ----------------------------------------------------------------------------- */

static int writer_end_run(acre_trace_writer *w)
{
    return acre__bytes_varint(&w->threads, w->run_tid) ||
           acre__bytes_varint(&w->threads, w->run_length);
}

static int writer_flush_ops(acre_trace_writer *w, acre_trace_error *e)
{
    if (w->chunk.n_ops == 0)
        return 0;
    bool one_thread = w->threads.n == 0;
    int err = one_thread ? 0 : writer_end_run(w);
    err |= writer_index_entry(w, w->ledger.n_ops - w->chunk.n_ops);
    err |= writer_pack(w, ACRE__COLUMN_OPS, &w->ops);
    err |= writer_pack(w, ACRE__COLUMN_THREADS, &w->threads);
    err |= writer_pack(w, ACRE__COLUMN_TIMES, &w->times);
    err = err ? writer_no_memory(w, e) : writer_put_chunk(w, e);
    writer_begin_chunk(w, ACRE__CHUNK_OPS_KIND);
    return err;
}

static int writer_thread(acre_trace_writer *w, uint32_t tid)
{
    if (w->chunk.n_ops == 0) {
        w->run_tid = w->chunk.tid = tid;
    } else if (tid != w->run_tid) {
        if (writer_end_run(w) != 0)
            return ENOMEM;
        w->run_tid = tid;
        w->run_length = 0;
    }
    w->run_length++;
    return 0;
}

static uint64_t writer_tick(const acre_trace_writer *w, uint64_t ns)
{
    return (uint64_t)((unsigned __int128)ns * w->header.ticks_per_s / 1000000000u);
}

static int writer_time(acre_trace_writer *w, uint64_t ns)
{
    uint64_t tick = writer_tick(w, ns);
    if (w->header.ticks_per_s == 0)
        return 0;
    int err = acre__bytes_varint(&w->times, tick - w->last_tick);
    w->last_tick = tick;
    return err;
}

static int writer_start(acre_trace_writer *w, acre_trace_error *e)
{
    w->meta_written = true;
    int err = writer_put_meta(w, e);
    writer_begin_chunk(w, ACRE__CHUNK_OPS_KIND);
    return err;
}

int acre_trace_writer_add(acre_trace_writer *w, const acre_trace_op *op, acre_trace_error *e)
{
    int err = w->failed ? writer_fail(w, e, ACRE_ETRACE_INVALID, "writer has failed before") : 0;
    if (!err && !w->meta_written)
        err = writer_start(w, e);
    if (err)
        return err;
    if (w->header.ticks_per_s && writer_tick(w, op->time) < w->last_tick)
        return acre__trace_fail(e, ACRE_ETRACE_INVALID, w->part, w->offset, "time runs backwards");
    const char *wrong = acre__ledger_add(&w->ledger, op);
    if (wrong)
        return acre__trace_fail(e, ACRE_ETRACE_INVALID, w->part, w->offset, "%s", wrong);

    if (acre__bytes_reserve(&w->ops, ACRE__CODEC_OP_MAX) || writer_thread(w, op->tid) ||
        writer_time(w, op->time))
        return writer_no_memory(w, e);
    w->ops.n += acre__codec_put(&w->codec, op, w->ops.data + w->ops.n);
    return ++w->chunk.n_ops == ACRE__CHUNK_OPS ? writer_flush_ops(w, e) : 0;
}

/* ---- Life ----------------------------------------------------------------------------------- */

static void writer_destroy(acre_trace_writer *w)
{
    if (w->fd >= 0)
        close(w->fd);
    acre__packer_destroy(w->packer);
    acre__ledger_clear(&w->ledger);
    acre__meta_clear(&w->meta);
    acre__bytes *all[] = {&w->heads, &w->data, &w->index, &w->ops, &w->threads, &w->times};
    for (size_t i = 0; i < sizeof all / sizeof *all; i++)
        acre__bytes_clear(all[i]);
    free(w->path);
    free(w->part);
    free(w);
}

static acre_trace_writer *writer_new(const char *path, const acre_trace_options *options)
{
    acre_trace_writer *w = calloc(1, sizeof *w);
    if (!w)
        return NULL;
    w->fd = -1;
    w->offset = ACRE__ARCHIVE_HEADER;
    w->header.ticks_per_s = options->ticks_per_s;
    w->header.wall_start_ns = options->wall_start_ns;
    w->packer = acre__packer_create(options->level > 0 ? options->level : 12);
    w->path = strdup(path);
    if (!w->packer || !w->path || asprintf(&w->part, "%s.part", path) < 0) {
        w->part = NULL;
        writer_destroy(w);
        return NULL;
    }
    return w;
}

int acre_trace_writer_create(acre_trace_writer **out, const char *path,
                             const acre_trace_options *options, acre_trace_error *e)
{
    static const acre_trace_options none = {0};
    options = options ? options : &none;
    if (options->ticks_per_s > 1000000000 || options->level < 0 || options->level > 19)
        return acre__trace_fail(e, ACRE_ETRACE_INVALID, path, 0,
                                "impossible time resolution or level");
    acre_trace_writer *w = writer_new(path, options);
    if (!w)
        return acre__trace_fail(e, ACRE_ETRACE_NOMEM, path, 0, "out of memory");
    w->fd = open(w->part, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
    int err = w->fd < 0 ? writer_fail(w, e, errno, strerror(errno)) : 0;
    acre__archive_header_put(&w->header, w->head);
    if (!err)
        err = writer_pwrite(w, w->head, sizeof w->head, 0, e);
    if (err) {
        writer_destroy(w);
        return err;
    }
    *out = w;
    return 0;
}

static int writer_put_index(acre_trace_writer *w, acre_trace_error *e)
{
    acre__bytes text = {0};
    unsigned char totals[ACRE__INDEX_TOTALS];
    acre__le_put(totals, w->ledger.peak_live_objects, 8);
    acre__le_put(totals + 8, w->ledger.n_threads, 8);
    int err = acre__bytes_add(&text, totals, sizeof totals) ||
              acre__bytes_add(&text, w->index.data, w->index.n);

    w->header.n_ops = w->ledger.n_ops;
    w->header.n_objects = w->ledger.n_objects;
    w->header.max_live = w->ledger.peak_live_bytes;
    w->header.footer_off = w->offset;
    acre__archive_header_put(&w->header, w->head); /* before the INDEX: its CRC covers it */
    err = err ? writer_no_memory(w, e)
              : writer_single_column(w, ACRE__CHUNK_INDEX, ACRE__COLUMN_INDEX, &text, e);
    acre__bytes_clear(&text);
    return err;
}

int acre_trace_writer_finish(acre_trace_writer *w, acre_trace_error *e)
{
    int err = w->failed ? writer_fail(w, e, ACRE_ETRACE_INVALID, "writer has failed before") : 0;
    if (!err)
        err = writer_flush_ops(w, e);
    if (!err)
        err = writer_put_meta(w, e);
    if (!err)
        err = writer_put_index(w, e);
    if (!err)
        err = writer_pwrite(w, w->head, sizeof w->head, 0, e);
    if (!err && rename(w->part, w->path) != 0)
        err = writer_fail(w, e, errno, strerror(errno));
    writer_destroy(w);
    return err;
}

void acre_trace_writer_abort(acre_trace_writer *w)
{
    if (!w)
        return;
    unlink(w->part);
    writer_destroy(w);
}
