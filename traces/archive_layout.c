/* SPDX-License-Identifier: MIT */
/* archive_layout.c: headers of an .acr file and its chunks, field by field. */
#include <string.h>

#include "traces/archive.h"
#include "traces/crc32c.h"

void acre__le_put(unsigned char *out, uint64_t value, unsigned bytes)
{
    for (unsigned i = 0; i < bytes; i++)
        out[i] = (unsigned char)(value >> 8 * i);
}

uint64_t acre__le_get(const unsigned char *in, unsigned bytes)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < bytes; i++)
        value |= (uint64_t)in[i] << 8 * i;
    return value;
}

void acre__archive_header_put(const acre__archive_header *h, unsigned char out[64])
{
    memcpy(out, ACRE__ARCHIVE_MAGIC, 8);
    acre__le_put(out + 8, ACRE__ARCHIVE_VERSION, 2);
    acre__le_put(out + 10, ACRE__ARCHIVE_HEADER, 2);
    acre__le_put(out + 12, 0, 4); /* flags: none defined */
    acre__le_put(out + 16, h->ticks_per_s, 8);
    acre__le_put(out + 24, h->wall_start_ns, 8);
    acre__le_put(out + 32, h->n_ops, 8);
    acre__le_put(out + 40, h->n_objects, 8);
    acre__le_put(out + 48, h->max_live, 8);
    acre__le_put(out + 56, h->footer_off, 8);
}

const char *acre__archive_header_get(acre__archive_header *h, const unsigned char in[64], int *code)
{
    *code = ACRE_ETRACE_FORMAT;
    if (memcmp(in, ACRE__ARCHIVE_MAGIC, 8) != 0)
        return "not an acre archive";
    *code = ACRE_ETRACE_VERSION;
    if (acre__le_get(in + 8, 2) != ACRE__ARCHIVE_VERSION)
        return "archive of another version";
    if (acre__le_get(in + 10, 2) != ACRE__ARCHIVE_HEADER || acre__le_get(in + 12, 4) != 0)
        return "archive with unknown features";
    h->ticks_per_s = acre__le_get(in + 16, 8);
    h->wall_start_ns = acre__le_get(in + 24, 8);
    h->n_ops = acre__le_get(in + 32, 8);
    h->n_objects = acre__le_get(in + 40, 8);
    h->max_live = acre__le_get(in + 48, 8);
    h->footer_off = acre__le_get(in + 56, 8);
    *code = ACRE_ETRACE_CORRUPT;
    return h->ticks_per_s > 1000000000 ? "impossible time resolution" : NULL;
}

void acre__chunk_put(const acre__chunk *c, unsigned char out[48])
{
    acre__le_put(out, ACRE__CHUNK_MAGIC, 4);
    acre__le_put(out + 4, c->kind, 1);
    acre__le_put(out + 5, c->codec, 1);
    acre__le_put(out + 6, c->ncols, 2);
    acre__le_put(out + 8, c->raw_len, 4);
    acre__le_put(out + 12, c->stored_len, 4);
    acre__le_put(out + 16, c->n_ops, 4);
    acre__le_put(out + 20, c->tid, 4);
    acre__le_put(out + 24, c->base_serial, 8);
    acre__le_put(out + 32, c->base_ts, 8);
    acre__le_put(out + 40, c->crc, 4);
    acre__le_put(out + 44, 0, 4);
}

bool acre__chunk_get(acre__chunk *c, const unsigned char in[48])
{
    c->kind = in[4];
    c->codec = in[5];
    c->ncols = (uint16_t)acre__le_get(in + 6, 2);
    c->raw_len = (uint32_t)acre__le_get(in + 8, 4);
    c->stored_len = (uint32_t)acre__le_get(in + 12, 4);
    c->n_ops = (uint32_t)acre__le_get(in + 16, 4);
    c->tid = (uint32_t)acre__le_get(in + 20, 4);
    c->base_serial = acre__le_get(in + 24, 8);
    c->base_ts = acre__le_get(in + 32, 8);
    c->crc = (uint32_t)acre__le_get(in + 40, 4);
    return acre__le_get(in, 4) == ACRE__CHUNK_MAGIC && acre__le_get(in + 44, 4) == 0;
}

uint32_t acre__chunk_crc(const unsigned char file_header[64], const unsigned char chunk_header[48],
                         const void *payload, size_t n)
{
    bool index = chunk_header[4] == ACRE__CHUNK_INDEX;
    unsigned char head[ACRE__CHUNK_HEADER];
    memcpy(head, chunk_header, sizeof head);
    memset(head + 40, 0, 4); /* the place of the CRC itself */
    uint32_t crc = acre__crc32c(0, file_header,
                                index ? ACRE__ARCHIVE_HEADER : ACRE__ARCHIVE_HEADER_CONST);
    return acre__crc32c(acre__crc32c(crc, head, sizeof head), payload, n);
}
