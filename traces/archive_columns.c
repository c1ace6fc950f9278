/* SPDX-License-Identifier: MIT */
/* archive_columns.c: packing columns into a chunk's payload and taking them out again.
 *
 *     payload   | header 1 | header 2 | ... | bytes 1 | bytes 2 | ...
 *     header    | id u8 | codec u8 | 0 u16 | raw_len u32 | stored_len u32 |
 *
 * A column that zstd cannot shrink is stored as it is.  Sizes are checked against the limit before
 * anything is decompressed, so a small file cannot ask for much memory. */
#include <errno.h>
#include <stdlib.h>
#include <zstd.h>

#include "traces/archive.h"

struct acre__packer {
    ZSTD_CCtx *zstd;
};

struct acre__unpacker {
    ZSTD_DCtx *zstd;
};

acre__packer *acre__packer_create(int level)
{
    acre__packer *p = calloc(1, sizeof *p);
    if (!p || !(p->zstd = ZSTD_createCCtx())) {
        free(p);
        return NULL;
    }
    ZSTD_CCtx_setParameter(p->zstd, ZSTD_c_compressionLevel, level);
    return p;
}

void acre__packer_destroy(acre__packer *p)
{
    if (p)
        ZSTD_freeCCtx(p->zstd);
    free(p);
}

static int columns_head(acre__bytes *heads, uint8_t id, uint8_t codec, size_t raw, size_t stored)
{
    unsigned char head[ACRE__COLUMN_HEADER] = {id, codec};
    acre__le_put(head + 4, raw, 4);
    acre__le_put(head + 8, stored, 4);
    return acre__bytes_add(heads, head, sizeof head);
}

int acre__packer_add(acre__packer *p, uint8_t id, const acre__bytes *column, acre__bytes *heads,
                     acre__bytes *data)
{
    if (acre__bytes_reserve(data, ZSTD_compressBound(column->n)) != 0)
        return ENOMEM;
    size_t packed = ZSTD_compress2(p->zstd, data->data + data->n, data->room - data->n,
                                   column->data, column->n);
    if (!ZSTD_isError(packed) && packed < column->n) {
        data->n += packed;
        return columns_head(heads, id, ACRE__ZSTD, column->n, packed);
    }
    int err = acre__bytes_add(data, column->data, column->n);
    return err ? err : columns_head(heads, id, ACRE__STORED, column->n, column->n);
}

acre__unpacker *acre__unpacker_create(void)
{
    acre__unpacker *u = calloc(1, sizeof *u);
    if (!u || !(u->zstd = ZSTD_createDCtx())) {
        free(u);
        return NULL;
    }
    return u;
}

void acre__unpacker_destroy(acre__unpacker *u)
{
    if (u)
        ZSTD_freeDCtx(u->zstd);
    free(u);
}

static const char *columns_inflate(acre__unpacker *u, acre__bytes *column, size_t raw,
                                   const unsigned char *in, size_t stored)
{
    if (ZSTD_getFrameContentSize(in, stored) != raw)
        return "compressed column has another size than it should";
    column->n = ZSTD_decompressDCtx(u->zstd, column->data, raw, in, stored);
    return column->n == raw ? NULL : "compressed column is damaged";
}

/* Takes one column; *in moves past its bytes. */
static const char *columns_take(acre__unpacker *u, const unsigned char *head,
                                const unsigned char **in, size_t *left, size_t limit,
                                acre__bytes columns[])
{
    unsigned id = head[0], codec = head[1];
    size_t raw = acre__le_get(head + 4, 4), stored = acre__le_get(head + 8, 4);
    if (id < ACRE__COLUMN_OPS || id > ACRE__COLUMN_INDEX || acre__le_get(head + 2, 2) != 0)
        return "unknown column";
    if (columns[id].n)
        return "column appears twice";
    if (raw == 0 || raw > limit || stored > *left)
        return "impossible column size";
    if (acre__bytes_reserve(&columns[id], raw) != 0)
        return "out of memory";

    const unsigned char *bytes = *in;
    *in += stored;
    *left -= stored;
    if (codec == ACRE__ZSTD)
        return columns_inflate(u, &columns[id], raw, bytes, stored);
    if (codec != ACRE__STORED || raw != stored)
        return "unknown compression";
    return acre__bytes_add(&columns[id], bytes, raw) == 0 ? NULL : "out of memory";
}

const char *acre__unpacker_split(acre__unpacker *u, const acre__chunk *c,
                                 const unsigned char *payload, size_t limit,
                                 acre__bytes columns[ACRE__COLUMN_INDEX + 1])
{
    size_t heads = (size_t)c->ncols * ACRE__COLUMN_HEADER, raw = 0;
    if (c->ncols == 0 || c->ncols > ACRE__CHUNK_COLUMNS || heads > c->stored_len)
        return "impossible number of columns";
    const unsigned char *in = payload + heads;
    size_t left = c->stored_len - heads;
    for (int id = 0; id <= ACRE__COLUMN_INDEX; id++)
        columns[id].n = 0;
    for (unsigned i = 0; i < c->ncols; i++) {
        const unsigned char *head = payload + (size_t)i * ACRE__COLUMN_HEADER;
        const char *wrong = columns_take(u, head, &in, &left, limit, columns);
        if (wrong)
            return wrong;
        raw += acre__le_get(head + 4, 4);
    }
    return left || raw != c->raw_len ? "sizes of a chunk contradict each other" : NULL;
}
