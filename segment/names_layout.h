/* SPDX-License-Identifier: MIT */
/* names_layout.h: what lies in the segment of objects and their names.
 *
 *    block   0       40     48     56      64
 *            +-------+------+------+-------+--------+--------+-------+ - - +-----+-----------------+
 *            | under | hash | next | shape | name,  | type's | links |     | tag | the elements    |
 *            | work  |      |      |       | zeros  | name   |       |     |     |                 |
 *            +-------+------+------+-------+--------+--------+-------+ - - +-----+-----------------+
 *                    '------- what finding looks at ---------'             8 bytes in front of them
 *
 * Names are padded with 1 to 8 zeros to whole words and compared by words.
 */
#ifndef ACRE_SEGMENT_NAMES_LAYOUT_H
#define ACRE_SEGMENT_NAMES_LAYOUT_H

#include <acre/segment.h>
#include <acre/sync.h>

enum { NAMES_STRIPES = 8, NAMES_LINKS = 24 };

/* What of an object's life is under way; stored before the first store of it. */
enum names_stage {
    NAMES_MAKING = 0, /* in work: nobody knows it */
    NAMES_LINKING,    /* in work: complete if it is in the index, or in its slot */
    NAMES_UNLINKING,  /* in work: to be taken out of the index, or its slot */
    NAMES_ENDING,     /* in work: to be freed */
    NAMES_LIVE
};

typedef struct names_entry {
    acre_off work_next; /* the next one that is under work */
    uint64_t after;     /* stages LINKING, UNLINKING: the count afterwards; anonymous: the slot, or 0 */
    uint64_t count;     /* elements */
    uint64_t size;      /* bytes of one */
    uint32_t distance;  /* from here to the first */
    uint8_t align;      /* its log2 */
    uint8_t stage;      /* enum names_stage */
    uint16_t links;     /* ordered index: words behind the names */
    uint64_t hash;      /* of kind and name */
    acre_off next;      /* in the index */
    uint64_t shape;     /* NAMES_SHAPE */
    uint64_t text[];    /* name, type's name, links */
} names_entry;

/* 31…0 the name's bytes, 47…32 the type's name's (0: the name is it), 63…56 enum acre_object_kind */
#define NAMES_SHAPE(kind, name, type) ((uint64_t)(kind) << 56 | (uint64_t)(type) << 32 | (name))
#define NAMES_KEY_SHAPE(shape) ((shape) & ~((uint64_t)0xffff << 32))

/* In front of the first element. */
typedef struct names_tag {
    uint32_t distance; /* back to the entry */
    uint32_t magic;    /* of the element's offset and the segment's uuid */
} names_tag;

/* The directory's part. */
typedef struct segment_names {
    acre_recursive lock;
    uint32_t index; /* enum acre_index; constant */
    uint32_t busy;  /* 1: somebody with the lock is at work, or has died at it */
    acre_off fresh; /* a block between the heap and the work */
    acre_off work;  /* entries under work, last one first */
    /* Grows after an entry was taken out of the index and before anything else happens to it: what was read
     * between two equal values is true.  Hash: by its first bits; others: [0]. */
    uint64_t version[NAMES_STRIPES];
    uint64_t named, unique; /* objects */
    uint64_t changes;       /* flat: odd while the array is being moved */
    uint64_t buckets;       /* hash: how many; above bit 40 how often they were merged */
    uint64_t reserved[4];
    acre_off link[NAMES_LINKS]; /* hash: arrays of buckets; ordered: first ones; flat: see index_flat.c */
} segment_names;

_Static_assert(sizeof(names_entry) == 64, "segment format");
_Static_assert(offsetof(names_entry, hash) == 40, "segment format");
_Static_assert(sizeof(names_tag) == 8, "segment format");
_Static_assert(sizeof(segment_names) == 384, "segment format");
_Static_assert(offsetof(segment_names, version) == 64, "segment format");
_Static_assert(offsetof(segment_names, link) == 192, "segment format");

#endif
