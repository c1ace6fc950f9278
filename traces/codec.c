/* SPDX-License-Identifier: MIT */
/* codec.c: see codec.h.  Real programs repeat few sizes and free either young objects or, when a
 * structure is torn down, objects in the order of birth; hence the move-to-front list and the two
 * ways to name a freed object.  Three quarters of real operations take one byte. */
#include <string.h>

#include "traces/codec.h"

enum { CODEC_FREE_NEAR = 4, CODEC_ESCAPE = 15, CODEC_CXX = 0x80 };

size_t acre__varint_put(unsigned char *out, uint64_t value)
{
    size_t n = 0;
    for (; value >= 0x80; value >>= 7)
        out[n++] = (unsigned char)(value | 0x80);
    out[n++] = (unsigned char)value;
    return n;
}

size_t acre__varint_get(uint64_t *value, const unsigned char *p, const unsigned char *end)
{
    uint64_t v = 0;
    for (size_t n = 0; n < ACRE__VARINT_MAX && p + n < end; n++) {
        if (n == 9 && p[n] > 1)
            return 0;
        v |= (uint64_t)(p[n] & 0x7f) << 7 * n;
        if (!(p[n] & 0x80)) {
            *value = v;
            return n + 1;
        }
    }
    return 0;
}

void acre__codec_init(acre__codec *c, uint64_t newest_serial)
{
    memset(c, 0, sizeof *c);
    c->newest = c->last_freed = newest_serial;
}

/* ---- Sizes ---------------------------------------------------------------------------------- */

static void codec_to_front(acre__codec *c, unsigned index, uint64_t size)
{
    memmove(c->sizes + 1, c->sizes, index * sizeof *c->sizes);
    c->sizes[0] = size;
}

static unsigned codec_find_size(const acre__codec *c, uint64_t size)
{
    unsigned i = 0;
    while (i < ACRE__CODEC_MRU && c->sizes[i] != size)
        i++;
    return i;
}

static size_t codec_put_size(acre__codec *c, uint64_t size, unsigned code, unsigned char *out)
{
    unsigned index = codec_find_size(c, size);
    out[0] = (unsigned char)(code | index << 3); /* not found is 15, the escape */
    codec_to_front(c, index < ACRE__CODEC_MRU ? index : ACRE__CODEC_MRU - 1, size);
    return index < ACRE__CODEC_MRU ? 1 : 1 + acre__varint_put(out + 1, size);
}

static size_t codec_get_size(acre__codec *c, unsigned arg, uint64_t *size, const unsigned char *p,
                             const unsigned char *end)
{
    if (arg != CODEC_ESCAPE) {
        *size = c->sizes[arg];
        codec_to_front(c, arg, *size);
        return 1;
    }
    size_t n = acre__varint_get(size, p + 1, end);
    codec_to_front(c, ACRE__CODEC_MRU - 1, *size);
    return n ? 1 + n : 0;
}

/* ---- Births --------------------------------------------------------------------------------- */

static size_t codec_put_birth(acre__codec *c, const acre_trace_op *op, unsigned char *out)
{
    size_t n = codec_put_size(c, op->size, op->kind, out);
    c->newest = op->serial;
    if (op->kind == ACRE_TRACE_REALLOC)
        n += acre__varint_put(out + n, op->old ? op->serial - op->old : 0);
    else if (op->kind == ACRE_TRACE_ALIGNED)
        out[n++] = op->align_log2;
    return n;
}

static size_t codec_get_old(acre_trace_op *op, const unsigned char *p, const unsigned char *end)
{
    uint64_t back = 0;
    size_t n = acre__varint_get(&back, p, end);
    if (back >= op->serial)
        return 0;
    op->old = back ? op->serial - back : 0;
    return n;
}

static size_t codec_get_birth(acre__codec *c, acre_trace_op *op, unsigned arg,
                              const unsigned char *p, const unsigned char *end)
{
    size_t n = codec_get_size(c, arg, &op->size, p, end), more = 0;
    op->serial = ++c->newest;
    if (n == 0)
        return 0;
    if (op->kind == ACRE_TRACE_REALLOC) {
        more = codec_get_old(op, p + n, end);
        return more ? n + more : 0;
    }
    if (op->kind == ACRE_TRACE_ALIGNED) {
        if (p + n == end || p[n] > 63)
            return 0;
        op->align_log2 = p[n++];
    }
    return n;
}

/* ---- Deaths --------------------------------------------------------------------------------- */

static uint64_t codec_zigzag(uint64_t difference)
{
    return difference << 1 ^ (uint64_t)((int64_t)difference >> 63);
}

static uint64_t codec_unzigzag(uint64_t z)
{
    return z >> 1 ^ (~(z & 1) + 1);
}

static size_t codec_put_number(unsigned code, uint64_t number, uint64_t excess, unsigned char *out)
{
    if (number < CODEC_ESCAPE) {
        out[0] = (unsigned char)(code | (unsigned)number << 3);
        return 1;
    }
    out[0] = (unsigned char)(code | CODEC_ESCAPE << 3);
    return 1 + acre__varint_put(out + 1, number - excess);
}

static size_t codec_put_free(acre__codec *c, const acre_trace_op *op, unsigned char *out)
{
    if (op->serial == 0) {
        out[0] = ACRE_TRACE_FREE | CODEC_ESCAPE << 3;
        out[1] = 0;
        return 2;
    }
    uint64_t age = c->newest - op->serial, near = codec_zigzag(op->serial - c->last_freed);
    c->last_freed = op->serial;
    return near <= 2 * age ? codec_put_number(CODEC_FREE_NEAR, near, CODEC_ESCAPE, out)
                           : codec_put_number(ACRE_TRACE_FREE, age, 0, out);
}

static size_t codec_get_free(acre__codec *c, acre_trace_op *op, unsigned code, unsigned arg,
                             const unsigned char *p, const unsigned char *end)
{
    uint64_t number = arg;
    size_t n = 0;
    if (arg == CODEC_ESCAPE && (n = acre__varint_get(&number, p + 1, end)) == 0)
        return 0;
    if (code == ACRE_TRACE_FREE && arg == CODEC_ESCAPE && number == 0)
        return 1 + n; /* free(NULL) */
    if (code == ACRE_TRACE_FREE)
        op->serial = c->newest - number;
    else
        op->serial = c->last_freed + codec_unzigzag(number + (n ? CODEC_ESCAPE : 0));
    c->last_freed = op->serial;
    return op->serial == 0 || op->serial > c->newest ? 0 : 1 + n;
}

/* ---- Operations ----------------------------------------------------------------------------- */

static size_t codec_put_ext(const acre_trace_op *op, unsigned char *out)
{
    out[0] = (unsigned char)(ACRE_TRACE_EXT | op->flags << 3);
    return 1 + acre__varint_put(out + 1, op->size);
}

size_t acre__codec_put(acre__codec *c, const acre_trace_op *op, unsigned char *out)
{
    if (op->kind == ACRE_TRACE_EXT)
        return codec_put_ext(op, out);
    size_t n = op->kind == ACRE_TRACE_FREE ? codec_put_free(c, op, out)
                                           : codec_put_birth(c, op, out);
    if (op->flags & ACRE_TRACE_CXX)
        out[0] |= CODEC_CXX;
    return n;
}

static size_t codec_get_ext(acre_trace_op *op, unsigned arg, const unsigned char *p,
                            const unsigned char *end)
{
    size_t n = acre__varint_get(&op->size, p + 1, end);
    bool known = arg >= ACRE_TRACE_EXT_THREAD_START && arg <= ACRE_TRACE_EXT_UNKNOWN_FREE;
    if (!known || op->flags || n == 0)
        return 0;
    op->flags = (uint16_t)arg;
    return 1 + n;
}

size_t acre__codec_get(acre__codec *c, acre_trace_op *op, const unsigned char *p,
                       const unsigned char *end)
{
    if (p >= end)
        return 0;
    unsigned code = *p & 7, arg = *p >> 3 & 15;
    memset(op, 0, sizeof *op);
    op->flags = *p & CODEC_CXX ? ACRE_TRACE_CXX : 0;
    op->kind = (uint8_t)(code == CODEC_FREE_NEAR ? ACRE_TRACE_FREE : code);
    switch (code) {
    case ACRE_TRACE_MALLOC:
    case ACRE_TRACE_CALLOC:
    case ACRE_TRACE_REALLOC:
    case ACRE_TRACE_ALIGNED:
        return codec_get_birth(c, op, arg, p, end);
    case ACRE_TRACE_FREE:
    case CODEC_FREE_NEAR:
        return codec_get_free(c, op, code, arg, p, end);
    case ACRE_TRACE_EXT:
        return codec_get_ext(op, arg, p, end);
    default:
        return 0;
    }
}
