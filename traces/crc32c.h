/* SPDX-License-Identifier: MIT */
/* crc32c.h: the CRC of iSCSI (RFC 3720, Castagnoli polynomial 0x1EDC6F41, reflected).
 * acre__crc32c(acre__crc32c(0, a), b) is the CRC of a followed by b. */
#ifndef ACRE_TRACES_CRC32C_H
#define ACRE_TRACES_CRC32C_H

#include <stddef.h>
#include <stdint.h>

uint32_t acre__crc32c(uint32_t crc, const void *data, size_t n);

#endif
