/* SPDX-License-Identifier: MIT */
/* layout.h: the header of an object that has a file of its own, as every process sees it.
 *
 *   0        64                              size
 *   +--------+-------------------------------+
 *   | header | the object: a mutex, a queue… |
 *   +--------+-------------------------------+
 *
 * All of the header is constant: it is written before the file has a name.
 */
#ifndef ACRE_SYNC_LAYOUT_H
#define ACRE_SYNC_LAYOUT_H

#include <stddef.h>
#include <stdint.h>

#define ACRE__OBJECT_MAGIC 0x314a424f45524341u /* "ACREOBJ1" in little-endian memory */

enum { ACRE__OBJECT_FORMAT = 1, ACRE__OBJECT_HEADER = 64 };

typedef struct acre__object_header {
    uint64_t magic;       /* its bytes' order is the machine's */
    uint32_t format;      /* ACRE__OBJECT_FORMAT */
    uint32_t header_size; /* ACRE__OBJECT_HEADER */
    uint64_t layout_hash; /* sizes that both sides must agree on */
    uint32_t kind;        /* enum acre_kind; 32 and above: queues and rings */
    uint32_t count;       /* what it was created with */
    uint64_t size;        /* of header and object */
    uint64_t created;     /* seconds since 1970, for people */
    uint64_t reserved;
    uint64_t checksum; /* of the bytes before it */
} acre__object_header;

_Static_assert(sizeof(acre__object_header) == ACRE__OBJECT_HEADER, "object format");
_Static_assert(offsetof(acre__object_header, layout_hash) == 16, "object format");
_Static_assert(offsetof(acre__object_header, kind) == 24, "object format");
_Static_assert(offsetof(acre__object_header, size) == 32, "object format");
_Static_assert(offsetof(acre__object_header, checksum) == 56, "object format");

#endif
