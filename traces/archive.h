/* SPDX-License-Identifier: MIT */
/* archive.h: the layout of an .acr file.  README.md has the picture; this is the code's side of it.
 * All integers are little-endian; fields are read and written one by one, so the structs below
 * are what lies in memory and need no packing. */
#ifndef ACRE_TRACES_ARCHIVE_H
#define ACRE_TRACES_ARCHIVE_H

#include "traces/codec.h"
#include "traces/internal.h"

#define ACRE__ARCHIVE_MAGIC "ACRETRC1"

enum {
    ACRE__ARCHIVE_VERSION = 1,
    ACRE__ARCHIVE_HEADER = 64,        /* bytes of the file header */
    ACRE__ARCHIVE_HEADER_CONST = 32,  /* its first bytes, known when the file is created */
    ACRE__CHUNK_HEADER = 48,
    ACRE__COLUMN_HEADER = 12,
    ACRE__CHUNK_OPS = 65536,
    ACRE__CHUNK_COLUMNS = 4,
    ACRE__CHUNK_MAGIC = 0x4b4e4843,   /* "CHNK" */
    ACRE__META_MAX = 1 << 20,
    ACRE__INDEX_ENTRY = 24,
    ACRE__INDEX_TOTALS = 16
};

enum acre__chunk_kind { ACRE__CHUNK_OPS_KIND = 1, ACRE__CHUNK_META = 2, ACRE__CHUNK_INDEX = 3 };
enum acre__codec_id { ACRE__STORED = 0, ACRE__ZSTD = 2 };
enum acre__column_id {
    ACRE__COLUMN_OPS = 1,     /* tag bytes and arguments, see codec.h */
    ACRE__COLUMN_THREADS = 2, /* runs: varint thread, varint operations */
    ACRE__COLUMN_TIMES = 3,   /* varint ticks since the operation before */
    ACRE__COLUMN_META = 4,    /* key=value lines */
    ACRE__COLUMN_INDEX = 5    /* totals, then an entry a chunk */
};

typedef struct acre__archive_header {
    uint64_t ticks_per_s, wall_start_ns, n_ops, n_objects, max_live, footer_off;
} acre__archive_header;

typedef struct acre__chunk {
    uint64_t base_serial, base_ts;
    uint32_t raw_len, stored_len, n_ops, tid, crc;
    uint16_t ncols;
    uint8_t kind, codec;
} acre__chunk;

typedef struct acre__index_entry {
    uint64_t offset, first_op;
    uint32_t kind, n_ops;
} acre__index_entry;

void acre__archive_header_put(const acre__archive_header *h, unsigned char out[64]);
/* NULL, or what is wrong.  *code tells a foreign file from a foreign version. */
const char *acre__archive_header_get(acre__archive_header *h, const unsigned char in[64],
                                     int *code);

void acre__chunk_put(const acre__chunk *c, unsigned char out[48]);
bool acre__chunk_get(acre__chunk *c, const unsigned char in[48]); /* false: no chunk starts here */

/* CRC of a chunk.  It begins with the header bytes that were final when the chunk was written, so a
 * chunk is valid in its own file only, and the INDEX protects the whole header. */
uint32_t acre__chunk_crc(const unsigned char file_header[64], const unsigned char chunk_header[48],
                         const void *payload, size_t n);

/* ---- Columns: the payload of a chunk -------------------------------------------------------- */

typedef struct acre__packer acre__packer;   /* a zstd compressor with its memory */
acre__packer *acre__packer_create(int level);
void acre__packer_destroy(acre__packer *p);
/* Appends a column to the payload: its header to `heads`, its bytes to `data`.  0 or ENOMEM. */
int acre__packer_add(acre__packer *p, uint8_t id, const acre__bytes *column, acre__bytes *heads,
                     acre__bytes *data);

typedef struct acre__unpacker acre__unpacker;
acre__unpacker *acre__unpacker_create(void);
void acre__unpacker_destroy(acre__unpacker *u);
/* Splits and decompresses a payload into columns[id]; absent columns have n = 0.  No column may be
 * larger than `limit` bytes.  NULL, or what is wrong. */
const char *acre__unpacker_split(acre__unpacker *u, const acre__chunk *c,
                                 const unsigned char *payload, size_t limit,
                                 acre__bytes columns[ACRE__COLUMN_INDEX + 1]);

/* ---- Little-endian fields ------------------------------------------------------------------- */

void acre__le_put(unsigned char *out, uint64_t value, unsigned bytes);
uint64_t acre__le_get(const unsigned char *in, unsigned bytes);

#endif
