/* SPDX-License-Identifier: MIT */
/* format.c: writing and checking the segment's header (layout.h). */
#include "segment/internal.h"
#include "sync/atomic.h"

#include <errno.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

/* FNV-1a (Fowler, Noll, Vo), 64 bits: enough against damage, not against intent. */
static uint64_t format_hash(const void *data, size_t n)
{
    const unsigned char *p = data;
    uint64_t h = 0xcbf29ce484222325u;
    while (n--)
        h = (h ^ *p++) * 0x100000001b3u;
    return h;
}

/* What two builds must have alike to share a segment. */
static uint64_t format_layout_hash(void)
{
    const uint64_t facts[] = {sizeof(segment_header),
                              sizeof(acre__heap_control),
                              sizeof(acre__robust),
                              sizeof(acre_journal_entry),
                              sizeof(void *),
                              ACRE_ALIGN_MIN,
                              (uint64_t)sysconf(_SC_PAGESIZE)};
    return format_hash(facts, sizeof facts);
}

static void format_uuid(uint8_t *uuid)
{
    if (getrandom(uuid, 16, 0) != 16)
        memset(uuid, 0, 16);
    uuid[6] = (uint8_t)((uuid[6] & 0x0f) | 0x40); /* RFC 4122: version 4, random */
    uuid[8] = (uint8_t)((uuid[8] & 0x3f) | 0x80);
}

int acre__format_write(segment_header *h, const acre_algorithm *a, uint64_t heap, size_t size,
                       size_t capacity)
{
    segment_header new = {
        .magic = SEGMENT_MAGIC,
        .format = SEGMENT_FORMAT,
        .header_size = SEGMENT_HEADER,
        .layout_hash = format_layout_hash(),
        .algorithm_version = a->layout_version,
        .capacity = capacity,
        .heap = heap,
        .size = size,
        .state = SEGMENT_READY,
        .boot = acre__boot_id(),
    };
    if (strlen(a->name) >= sizeof h->algorithm)
        return EINVAL;
    strcpy(new.algorithm, a->name);
    format_uuid(new.uuid);
    new.checksum = format_hash(&new, SEGMENT_CONSTANT);
    new.magic = 0;
    *h = new;
    return 0;
}

/* 0 means that there is none. */
uint64_t acre__format_redo_check(const segment_header *h, const segment_redo *r)
{
    segment_header next = *h;
    next.capacity = r->capacity;
    const uint64_t all[] = {format_hash(&next, SEGMENT_CONSTANT), r->capacity, r->size};
    return format_hash(all, sizeof all) | 1;
}

/* Whoever recorded a change has died at it, wherever: it has happened. */
static void format_redo(segment_header *h)
{
    if (h->redo.check && h->redo.check == acre__format_redo_check(h, &h->redo)) {
        h->capacity = h->redo.capacity;
        h->checksum = format_hash(h, SEGMENT_CONSTANT);
    } else
        h->redo = (segment_redo){0};
}

void acre__format_finish(segment_header *h)
{
    acre__store(&h->magic, SEGMENT_MAGIC);
}

/* Of the stores any first ones may have been done: the header has the old capacity with its checksum, or the new
 * one with its checksum in one of the two places.  The first store ends what a dead one has begun. */
void acre__format_capacity(segment_header *h, uint64_t capacity)
{
    segment_header next = *h;
    next.capacity = capacity;
    acre__store(&h->checksum, format_hash(h, SEGMENT_CONSTANT));
    acre__store(&h->next_checksum, format_hash(&next, SEGMENT_CONSTANT));
    acre__store(&h->capacity, capacity);
    acre__store(&h->checksum, format_hash(&next, SEGMENT_CONSTANT));
    acre__store(&h->next_checksum, (uint64_t)0);
}

static int format_check_identity(const segment_header *h)
{
    if (h->magic != SEGMENT_MAGIC)
        return ACRE_EFORMAT;
    if (h->format != SEGMENT_FORMAT || h->header_size != SEGMENT_HEADER)
        return ACRE_EVERSION;
    uint64_t sum = format_hash(h, SEGMENT_CONSTANT);
    if (h->checksum != sum && (!h->next_checksum || h->next_checksum != sum))
        return ACRE_ECORRUPT;
    return h->layout_hash == format_layout_hash() ? 0 : ACRE_ELAYOUT;
}

/* This version knows no features. */
static int format_check_features(const segment_header *h, bool read_only)
{
    bool forbidden = h->incompatible || (h->read_compatible && !read_only);
    return forbidden ? ACRE_EFEATURE : 0;
}

static int format_check_algorithm(const segment_header *h, const acre_algorithm **a)
{
    const acre_algorithm *found =
        memchr(h->algorithm, 0, sizeof h->algorithm) ? acre_algorithm_find(h->algorithm) : NULL;
    if (!found)
        return ACRE_EALGORITHM;
    if (found->layout_version != h->algorithm_version)
        return ACRE_EVERSION;
    *a = found;
    return 0;
}

static int format_check_sizes(const segment_header *h)
{
    bool heap = h->heap == SEGMENT_HEADER || h->heap == SEGMENT_HEADER + SEGMENT_DIRECTORY;
    bool sane = heap && h->size >= h->heap && h->size <= h->capacity &&
                (h->capacity <= ACRE_SIZE_MAX || ACRE_BUG_IS(148));
    if (!sane)
        return ACRE_ECORRUPT;
    return h->state == SEGMENT_READY ? 0 : ACRE_ECORRUPT;
}

int acre__format_check(segment_header *copy, bool read_only, const acre_algorithm **a)
{
    format_redo(copy);
    int e = format_check_identity(copy);
    if (!e)
        e = format_check_features(copy, read_only);
    if (!e)
        e = format_check_algorithm(copy, a);
    return e ? e : format_check_sizes(copy);
}
