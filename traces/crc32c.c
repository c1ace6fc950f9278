/* SPDX-License-Identifier: MIT */
/* crc32c.c: eight bytes a step by tables ("slicing by 8", Kounavis and Berry 2005), about 2 GB/s;
 * chunks are small, so an SSE4.2 version would not be noticed. */
#include <pthread.h>
#include <string.h>

#include "traces/crc32c.h"

static uint32_t crc32c_table[8][256];
static pthread_once_t crc32c_once = PTHREAD_ONCE_INIT;

static void crc32c_build(void)
{
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t crc = i;
        for (int bit = 0; bit < 8; bit++)
            crc = crc >> 1 ^ (crc & 1 ? 0x82F63B78u : 0);
        crc32c_table[0][i] = crc;
    }
    for (int k = 1; k < 8; k++)
        for (uint32_t i = 0; i < 256; i++)
            crc32c_table[k][i] =
                crc32c_table[k - 1][i] >> 8 ^ crc32c_table[0][crc32c_table[k - 1][i] & 255];
}

static uint32_t crc32c_eight(uint32_t crc, const unsigned char *p)
{
    const uint32_t (*t)[256] = (const uint32_t (*)[256])crc32c_table;
    crc ^= (uint32_t)p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
    return t[7][crc & 255] ^ t[6][crc >> 8 & 255] ^ t[5][crc >> 16 & 255] ^ t[4][crc >> 24] ^
           t[3][p[4]] ^ t[2][p[5]] ^ t[1][p[6]] ^ t[0][p[7]];
}

uint32_t acre__crc32c(uint32_t crc, const void *data, size_t n)
{
    pthread_once(&crc32c_once, crc32c_build);
    const unsigned char *p = data;
    crc = ~crc;
    for (; n >= 8; n -= 8, p += 8)
        crc = crc32c_eight(crc, p);
    for (; n; n--, p++)
        crc = crc >> 8 ^ crc32c_table[0][(crc ^ *p) & 255];
    return ~crc;
}
