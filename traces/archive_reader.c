/* SPDX-License-Identifier: MIT */
/* archive_reader.c: an .acr file in, operations out.
 *
 * Nothing in the file is believed: sizes are bounded before memory is taken for them, each chunk's
 * CRC is checked before it is parsed, a chunk must begin where the one before ended, and everything
 * must add up to the header.  An archive without INDEX (its writer died) is read up to the last
 * whole chunk. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "traces/archive.h"

typedef struct archive {
    int fd;
    char *path;
    uint64_t file_bytes, end; /* end: where the last chunk of operations or META ends */
    bool finished;
    unsigned char head[ACRE__ARCHIVE_HEADER];
    acre__archive_header header;
    acre__unpacker *unpacker;
    acre__bytes payload, columns[ACRE__COLUMN_INDEX + 1];
    acre__bytes index; /* entries of the INDEX */

    /* The chunk that is being read. */
    acre__chunk chunk;
    uint64_t chunk_at, next_at;
    uint32_t ops_left, run_left;
    const unsigned char *op, *thread, *time;
    acre__codec codec;
    uint64_t newest, tick;
    uint32_t tid;
} archive;

static int archive_fail(const archive *a, acre_trace_error *e, uint64_t offset, const char *what)
{
    return acre__trace_fail(e, ACRE_ETRACE_CORRUPT, a->path, offset, "%s", what);
}

static const unsigned char *archive_column_end(const archive *a, int id)
{
    return a->columns[id].n ? a->columns[id].data + a->columns[id].n : NULL;
}

/* ---- Chunks --------------------------------------------------------------------------------- */

static size_t archive_limit(const acre__chunk *c, uint64_t file_bytes)
{
    if (c->kind == ACRE__CHUNK_OPS_KIND)
        return (size_t)c->n_ops * ACRE__CODEC_OP_MAX;
    if (c->kind == ACRE__CHUNK_META)
        return ACRE__META_MAX;
    /* The smallest chunk has more than an INDEX entry's bytes, so this bounds the INDEX. */
    return file_bytes + ACRE__INDEX_TOTALS;
}

static const char *archive_refuse(const archive *a, const acre__chunk *c, uint64_t room)
{
    if (c->kind < ACRE__CHUNK_OPS_KIND || c->kind > ACRE__CHUNK_INDEX || c->codec != ACRE__ZSTD)
        return "unknown kind of chunk";
    bool ops = c->kind == ACRE__CHUNK_OPS_KIND;
    if (ops ? c->n_ops == 0 || c->n_ops > ACRE__CHUNK_OPS : c->n_ops != 0)
        return "impossible number of operations in a chunk";
    if (c->raw_len > ACRE__CHUNK_COLUMNS * archive_limit(c, a->file_bytes))
        return "impossible size of a chunk";
    return c->stored_len > room ? "chunk is longer than the file" : NULL;
}

/* Loads the chunk at `offset`, checks it, and splits its columns. */
static int archive_load(archive *a, uint64_t offset, acre_trace_error *e)
{
    unsigned char head[ACRE__CHUNK_HEADER];
    if (offset + sizeof head > a->file_bytes)
        return archive_fail(a, e, offset, "file ends where a chunk should begin");
    int err = acre__trace_pread(a->fd, head, sizeof head, offset, a->path, e);
    if (err)
        return err;
    if (!acre__chunk_get(&a->chunk, head))
        return archive_fail(a, e, offset, "no chunk where one should begin");
    const char *wrong = archive_refuse(a, &a->chunk, a->file_bytes - offset - sizeof head);
    if (wrong)
        return archive_fail(a, e, offset, wrong);

    a->payload.n = 0;
    if (acre__bytes_reserve(&a->payload, a->chunk.stored_len) != 0)
        return acre__trace_fail(e, ACRE_ETRACE_NOMEM, a->path, offset, "out of memory");
    err = acre__trace_pread(a->fd, a->payload.data, a->chunk.stored_len, offset + sizeof head,
                            a->path, e);
    if (err)
        return err;
    if (acre__chunk_crc(a->head, head, a->payload.data, a->chunk.stored_len) != a->chunk.crc)
        return archive_fail(a, e, offset, "checksum of a chunk does not match");
    wrong = acre__unpacker_split(a->unpacker, &a->chunk, a->payload.data,
                                 archive_limit(&a->chunk, a->file_bytes), a->columns);
    a->chunk_at = offset;
    a->next_at = offset + sizeof head + a->chunk.stored_len;
    return wrong ? archive_fail(a, e, offset, wrong) : 0;
}

/* True if the unfinished file holds a whole chunk at `offset`; a torn one was never written. */
static bool archive_whole(const archive *a, uint64_t offset)
{
    unsigned char head[ACRE__CHUNK_HEADER];
    acre__chunk c;
    if (offset + sizeof head > a->file_bytes ||
        acre__trace_pread(a->fd, head, sizeof head, offset, a->path, NULL) != 0)
        return false;
    return !acre__chunk_get(&c, head) || c.stored_len <= a->file_bytes - offset - sizeof head;
}

static bool archive_at_end(const archive *a)
{
    return a->finished ? a->next_at >= a->end : !archive_whole(a, a->next_at);
}

/* ---- Operations ----------------------------------------------------------------------------- */

static int archive_begin_ops(archive *a, acre_trace_error *e)
{
    if (a->chunk.kind == ACRE__CHUNK_INDEX)
        return archive_fail(a, e, a->chunk_at, "INDEX in an archive that is not finished");
    if (a->chunk.kind != ACRE__CHUNK_OPS_KIND)
        return 0;
    if (a->chunk.base_serial != a->newest || a->chunk.base_ts != a->tick)
        return archive_fail(a, e, a->chunk_at, "chunk does not continue the one before");
    if (!a->columns[ACRE__COLUMN_OPS].n || a->columns[ACRE__COLUMN_META].n ||
        a->columns[ACRE__COLUMN_INDEX].n ||
        !a->columns[ACRE__COLUMN_TIMES].n != !a->header.ticks_per_s)
        return archive_fail(a, e, a->chunk_at, "chunk has the wrong columns");
    acre__codec_init(&a->codec, a->chunk.base_serial);
    a->op = a->columns[ACRE__COLUMN_OPS].data;
    a->thread = a->columns[ACRE__COLUMN_THREADS].data;
    a->time = a->columns[ACRE__COLUMN_TIMES].data;
    a->tid = a->chunk.tid;
    a->ops_left = a->chunk.n_ops;
    a->run_left = a->columns[ACRE__COLUMN_THREADS].n ? 0 : a->chunk.n_ops;
    return 0;
}

/* Takes one varint of a column. */
static bool archive_take(const archive *a, int id, const unsigned char **p, uint64_t *value)
{
    size_t n = acre__varint_get(value, *p, archive_column_end(a, id));
    *p += n;
    return n != 0;
}

static bool archive_next_run(archive *a)
{
    uint64_t tid, length;
    if (!archive_take(a, ACRE__COLUMN_THREADS, &a->thread, &tid) ||
        !archive_take(a, ACRE__COLUMN_THREADS, &a->thread, &length))
        return false;
    a->tid = (uint32_t)tid;
    a->run_left = (uint32_t)length;
    return tid <= UINT32_MAX && length > 0 && length <= a->ops_left;
}

static uint64_t archive_ns(const archive *a)
{
    return (uint64_t)((unsigned __int128)a->tick * 1000000000u / a->header.ticks_per_s);
}

static bool archive_next_time(archive *a, acre_trace_op *op)
{
    uint64_t delta;
    if (a->header.ticks_per_s == 0)
        return true;
    if (!archive_take(a, ACRE__COLUMN_TIMES, &a->time, &delta) || a->tick + delta < a->tick)
        return false;
    a->tick += delta;
    op->time = archive_ns(a);
    return true;
}

static bool archive_used_up(const archive *a, int id, const unsigned char *p)
{
    return a->columns[id].n == 0 || p == archive_column_end(a, id);
}

static int archive_take_op(archive *a, acre_trace_op *op, acre_trace_error *e)
{
    size_t n = acre__codec_get(&a->codec, op, a->op, archive_column_end(a, ACRE__COLUMN_OPS));
    a->op += n;
    if (n == 0 || !archive_next_time(a, op))
        return archive_fail(a, e, a->chunk_at, "impossible operation in the chunk");
    if (a->run_left == 0 && !archive_next_run(a))
        return archive_fail(a, e, a->chunk_at, "impossible threads in the chunk");
    op->tid = a->tid;
    a->run_left--;
    a->newest = a->codec.newest;
    if (--a->ops_left == 0 && !(archive_used_up(a, ACRE__COLUMN_OPS, a->op) &&
                                archive_used_up(a, ACRE__COLUMN_THREADS, a->thread) &&
                                archive_used_up(a, ACRE__COLUMN_TIMES, a->time)))
        return archive_fail(a, e, a->chunk_at, "chunk has more than its operations");
    return 1;
}

static int archive_next(void *self, acre_trace_op *op, acre_trace_error *e)
{
    archive *a = self;
    while (a->ops_left == 0) {
        if (archive_at_end(a))
            return 0;
        int err = archive_load(a, a->next_at, e);
        if (!err)
            err = archive_begin_ops(a, e);
        if (err)
            return err;
    }
    return archive_take_op(a, op, e);
}

/* ---- INDEX, META, seeking ------------------------------------------------------------------- */

static acre__index_entry archive_entry(const archive *a, size_t i)
{
    const unsigned char *p = a->index.data + i * ACRE__INDEX_ENTRY;
    return (acre__index_entry){acre__le_get(p, 8), acre__le_get(p + 8, 8),
                               (uint32_t)acre__le_get(p + 16, 4),
                               (uint32_t)acre__le_get(p + 20, 4)};
}

static size_t archive_entries(const archive *a)
{
    return a->index.n / ACRE__INDEX_ENTRY;
}

static int archive_read_index(archive *a, acre_trace_info *info, acre_trace_error *e)
{
    uint64_t at = a->header.footer_off;
    int err = at < ACRE__ARCHIVE_HEADER || at > a->file_bytes
                  ? archive_fail(a, e, 56, "INDEX lies outside the file (truncated?)")
                  : archive_load(a, at, e);
    if (err)
        return err;
    const acre__bytes *column = &a->columns[ACRE__COLUMN_INDEX];
    if (a->chunk.kind != ACRE__CHUNK_INDEX || a->chunk.ncols != 1 ||
        column->n < ACRE__INDEX_TOTALS ||
        (column->n - ACRE__INDEX_TOTALS) % ACRE__INDEX_ENTRY != 0)
        return archive_fail(a, e, at, "no INDEX where it should be");
    if (a->next_at != a->file_bytes)
        return archive_fail(a, e, a->next_at, "bytes after the INDEX");
    info->peak_live_objects = acre__le_get(column->data, 8);
    info->n_threads = (uint32_t)acre__le_get(column->data + 8, 8);
    a->end = at;
    if (acre__bytes_add(&a->index, column->data + ACRE__INDEX_TOTALS,
                        column->n - ACRE__INDEX_TOTALS) != 0)
        return acre__trace_fail(e, ACRE_ETRACE_NOMEM, a->path, at, "out of memory");
    return 0;
}

static int archive_read_meta(archive *a, uint64_t offset, acre__meta *meta, acre_trace_error *e)
{
    int err = archive_load(a, offset, e);
    if (err)
        return err;
    const acre__bytes *text = &a->columns[ACRE__COLUMN_META];
    if (a->chunk.kind != ACRE__CHUNK_META || a->chunk.ncols != 1 || text->n == 0 ||
        acre__meta_parse(meta, (const char *)text->data, text->n) != 0)
        return archive_fail(a, e, offset, "META is not key=value lines");
    return 0;
}

static int archive_read_all_meta(archive *a, acre__meta *meta, acre_trace_error *e)
{
    int err = 0;
    for (size_t i = 0; a->finished && i < archive_entries(a) && !err; i++) {
        acre__index_entry entry = archive_entry(a, i);
        if (entry.kind == ACRE__CHUNK_META)
            err = archive_read_meta(a, entry.offset, meta, e);
    }
    /* Without an INDEX, META written before the first operation is the first chunk. */
    unsigned char head[ACRE__CHUNK_HEADER];
    if (!a->finished && archive_whole(a, a->next_at) &&
        acre__trace_pread(a->fd, head, sizeof head, a->next_at, a->path, e) == 0 &&
        head[4] == ACRE__CHUNK_META)
        err = archive_read_meta(a, a->next_at, meta, e);
    return err;
}

static int archive_rewind(void *self, acre_trace_error *e)
{
    archive *a = self;
    (void)e;
    a->next_at = ACRE__ARCHIVE_HEADER;
    a->ops_left = 0;
    a->newest = a->tick = 0;
    return 0;
}

/* The chunk that holds operation op_index: the last whose first operation is not after it. */
static bool archive_find(const archive *a, uint64_t op_index, acre__index_entry *found)
{
    size_t low = 0, high = archive_entries(a);
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (archive_entry(a, middle).first_op <= op_index)
            low = middle + 1;
        else
            high = middle;
    }
    while (low-- > 0) {
        *found = archive_entry(a, low);
        if (found->kind == ACRE__CHUNK_OPS_KIND)
            return op_index - found->first_op < found->n_ops;
    }
    return false;
}

static int archive_seek(void *self, uint64_t op_index, acre_trace_error *e)
{
    archive *a = self;
    acre__index_entry entry;
    acre_trace_op op;
    if (!a->finished || !archive_find(a, op_index, &entry))
        return acre__trace_fail(e, ACRE_ETRACE_INVALID, a->path, 0, "no operation %llu to seek to",
                                (unsigned long long)op_index);
    int err = archive_load(a, entry.offset, e);
    a->newest = a->chunk.base_serial;
    a->tick = a->chunk.base_ts;
    if (!err)
        err = archive_begin_ops(a, e);
    if (!err && a->chunk.n_ops != entry.n_ops)
        err = archive_fail(a, e, entry.offset, "INDEX contradicts the chunk");
    for (uint64_t skip = op_index - entry.first_op; skip && !err; skip--) {
        int got = archive_take_op(a, &op, e);
        err = got == 1 ? 0 : got;
    }
    return err;
}

/* ---- Life ----------------------------------------------------------------------------------- */

static uint64_t archive_where(const void *self)
{
    return ((const archive *)self)->chunk_at;
}

static void archive_free(archive *a)
{
    for (int id = 0; id <= ACRE__COLUMN_INDEX; id++)
        acre__bytes_clear(&a->columns[id]);
    acre__bytes_clear(&a->payload);
    acre__bytes_clear(&a->index);
    acre__unpacker_destroy(a->unpacker);
    free(a->path);
    free(a);
}

static void archive_close(void *self)
{
    close(((archive *)self)->fd);
    archive_free(self);
}

static const acre__trace_source archive_source = {
    archive_next, archive_rewind, archive_seek, archive_where, archive_close,
};

bool acre__archive_matches(const unsigned char *head, size_t n)
{
    /* The version digit is left to the opener, which can say what is wrong. */
    return n >= 7 && memcmp(head, ACRE__ARCHIVE_MAGIC, 7) == 0;
}

static int archive_read_header(archive *a, acre_trace_info *info, acre_trace_error *e)
{
    int code, err = acre__trace_pread(a->fd, a->head, sizeof a->head, 0, a->path, e);
    if (err)
        return err;
    const char *wrong = acre__archive_header_get(&a->header, a->head, &code);
    if (wrong)
        return acre__trace_fail(e, code, a->path, 0, "%s", wrong);
    a->finished = a->header.footer_off != 0;
    info->ticks_per_s = a->header.ticks_per_s;
    info->wall_start_ns = a->header.wall_start_ns;
    info->n_ops = a->header.n_ops;
    info->n_objects = a->header.n_objects;
    info->peak_live_bytes = a->header.max_live;
    if (!a->finished && (info->n_ops || info->n_objects || info->peak_live_bytes))
        return archive_fail(a, e, 32, "totals in an archive that is not finished");
    return 0;
}

static int archive_start(archive *a, acre_trace_info *info, acre__meta *meta, acre_trace_error *e)
{
    int err = archive_read_header(a, info, e);
    if (!err && a->finished)
        err = archive_read_index(a, info, e);
    archive_rewind(a, e);
    if (!err)
        err = archive_read_all_meta(a, meta, e);
    archive_rewind(a, e);
    return err;
}

int acre__archive_open(void **self, const acre__trace_source **source, int fd, const char *path,
                       acre_trace_info *info, struct acre__meta *meta, bool *known,
                       acre_trace_error *e)
{
    archive *a = calloc(1, sizeof *a);
    if (!a || !(a->path = strdup(path)) || !(a->unpacker = acre__unpacker_create())) {
        if (a)
            archive_free(a);
        return acre__trace_fail(e, ACRE_ETRACE_NOMEM, path, 0, "out of memory");
    }
    a->fd = fd;
    a->file_bytes = info->file_bytes;
    info->format = "acr";
    int err = archive_start(a, info, meta, e);
    if (err) {
        archive_free(a);
        return err;
    }
    *known = a->finished;
    info->unfinished = !a->finished;
    *self = a;
    *source = &archive_source;
    return 0;
}
