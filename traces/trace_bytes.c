/* SPDX-License-Identifier: MIT */
/* trace_bytes.c: a growing byte buffer. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "traces/codec.h"
#include "traces/internal.h"

int acre__bytes_reserve(acre__bytes *b, size_t more)
{
    if (b->room - b->n >= more)
        return 0;
    size_t room = b->room * 2 > b->n + more ? b->room * 2 : b->n + more + 256;
    unsigned char *data = realloc(b->data, room);
    if (!data)
        return ENOMEM;
    b->data = data;
    b->room = room;
    return 0;
}

int acre__bytes_add(acre__bytes *b, const void *data, size_t n)
{
    if (acre__bytes_reserve(b, n) != 0)
        return ENOMEM;
    if (n)
        memcpy(b->data + b->n, data, n);
    b->n += n;
    return 0;
}

int acre__bytes_varint(acre__bytes *b, uint64_t value)
{
    if (acre__bytes_reserve(b, ACRE__VARINT_MAX) != 0)
        return ENOMEM;
    b->n += acre__varint_put(b->data + b->n, value);
    return 0;
}

void acre__bytes_clear(acre__bytes *b)
{
    free(b->data);
    *b = (acre__bytes){0};
}
