/* SPDX-License-Identifier: MIT */
/* internal.h: what segment/'s files share. */
#ifndef ACRE_SEGMENT_INTERNAL_H
#define ACRE_SEGMENT_INTERNAL_H

#include "alloc/heap.h"
#include "segment/layout.h"
#include "sync/file.h"
#include <acre/segment.h>

struct acre_segment {
    char *base;          /* where this process has mapped it */
    size_t window;       /* bytes mapped; less than capacity if address space is short */
    uint64_t capacity;   /* copied from the header when it was validated, like all base facts */
    enum acre_source source;
    int fd;              /* -1: none */
    int xsi;             /* ACRE_XSI: its id; else -1 */
    uint32_t access;     /* enum acre_access */
    bool read_only;
    bool alone;          /* nobody else has the file (offline.c) */
    void *address;       /* where it has to be mapped; NULL: anywhere */
    uint64_t room;       /* ACRE_BUFFER: bytes of the buffer; else 0 */
    size_t page;         /* bytes of a page of the memory */
    uint32_t huge_pages; /* enum acre_huge_pages */
    uint64_t grow_limit; /* of this process; 0: what the header says */
    const struct names_index *index; /* how objects are found; NULL: they are not */
    uint64_t names_seed;             /* of names' hashes */
    acre_off names_array[NAMES_LINKS]; /* hash index: arrays that were seen to be blocks; with the lock */
    acre_heap heap;
};

static inline segment_header *segment_header_of(const acre_segment *s)
{
    return (segment_header *)s->base;
}

/* Bytes in front of the heap's control. */
static inline size_t segment_front(uint32_t index)
{
    return SEGMENT_HEADER + (index == ACRE_INDEX_NONE ? 0 : SEGMENT_DIRECTORY);
}

/* NULL: it has none (ACRE_INDEX_NONE). */
static inline segment_directory *segment_directory_of(const acre_segment *s)
{
    bool none = (char *)s->heap.control == s->base + SEGMENT_HEADER;
    return none ? NULL : (segment_directory *)(void *)(s->base + SEGMENT_HEADER);
}

/* A block that a word in the segment names: `bytes` at that offset, in the heap's region.  NULL: it cannot be one. */
static inline void *segment_block(const acre_segment *s, acre_off at, uint64_t bytes)
{
    uint64_t size = acre__peek(&segment_header_of(s)->size), reach = size < s->window ? size : s->window;
    bool inside = at >= (uint64_t)(s->heap.region.base - s->base) && reach >= bytes && at <= reach - bytes;
    return inside && at % ACRE_ALIGN_MIN == 0 ? s->base + at : NULL;
}

/* segment.c: a handle without memory; EINVAL, ENOMEM.  Fill it, once the memory has been mapped and checked. */
extern const acre_segment_options acre__segment_defaults;
int acre__segment_new(acre_segment **out, enum acre_source source, const acre_segment_options *o, uint32_t access);
void acre__segment_attach(acre_segment *s, const acre_algorithm *a, uint64_t heap, uint64_t capacity);

/* format.c: fill the header of a segment of `size` bytes, with its heap's control at `heap`, that nobody
 * else sees yet; check a copy of a header, and make it as a change that is recorded in it will make it. */
int acre__format_write(segment_header *h, const acre_algorithm *a, uint64_t heap, size_t size,
                       size_t capacity);
/* Another capacity, in one's own segment: killed at any store, the header is valid. */
void acre__format_capacity(segment_header *h, uint64_t capacity);
/* The last store of a creation: it is a segment from now on. */
void acre__format_finish(segment_header *h);
int acre__format_check(segment_header *copy, bool read_only, const acre_algorithm **a);
uint64_t acre__format_redo_check(const segment_header *h, const segment_redo *r);

/* manager.c, under the heap's lock: the segment has at least `size` bytes (of whole pages). */
int acre__manager_grow(acre_segment *s, uint64_t size);

/* grow.c: where it may grow by itself, what its heap calls for that; NULL: it may not. */
typedef int acre__grow_hook(acre_heap *h, uint64_t bytes);
acre__grow_hook *acre__grow_hook_of(const acre_segment *s);
uint64_t acre__grow_limit(const acre_segment *s); /* 0: it does not grow by itself */
int acre__grow_check(enum acre_source source, const acre_segment_options *o);

/* open.c: open what this descriptor's description has alone. */
int acre__segment_open_alone(acre_segment **out, int fd);

/* offline.c: this process has the file from now on, until its descriptor is closed.  EBUSY. */
int acre__offline_attach(int fd);
/* Finish what is recorded in this copy of the header, which is of s. */
void acre__offline_finish(acre_segment *s, const segment_header *copy);

/* source.c: files and mappings of each kind of source. */
bool acre__source_has_file(enum acre_source source);
int acre__source_locate(acre__file *f, enum acre_source source, const char *name);
int acre__source_create(acre__file *f, enum acre_source source, const acre_segment_options *o);
int acre__source_publish(acre__file *f);
int acre__source_open(acre__file *f, enum acre_source source, bool read_only, const acre_segment_options *o);
/* Map `capacity` bytes, or less but at least `size` if address space is short. */
int acre__source_map(acre_segment *s, size_t size, size_t capacity);

/* pages.c: bytes of a page of the file, or of memory without one (-1). */
size_t acre__pages_of(int fd);
/* Address space for n bytes, kept for a mapping that replaces it; NULL: the system may choose. */
void *acre__pages_place(size_t n);
/* Round to pages outwards what is inside the segment.  EINVAL: it is not; ENOMEM: the window ends before. */
int acre__pages_range(const acre_segment *s, uint64_t *offset, uint64_t *bytes);
/* Whole pages, at once. */
int acre__pages_populate(const acre_segment *s, uint64_t at, uint64_t bytes);
void acre__pages_advise(const acre_segment *s);

/* move.c: have a capacity of that much, in memory that nobody else uses.  E2BIG, ACRE_ETOOBIG, ENOMEM, EBUSY. */
int acre__move_capacity(acre_segment *s, uint64_t capacity);

/* xsi.c: create ACRE_XSI, of zeroed memory that is there; for the failure after that; open: copy the header once
 * it is whole. */
int acre__xsi_create(acre_segment *s, const char *name, mode_t mode, size_t size);
void acre__xsi_undo(const acre_segment *s);
int acre__xsi_open(acre_segment *s, const char *name, const acre_segment_options *o, segment_header *copy);
int acre__xsi_remove(const char *name);

/* boot.c: free what was held when the machine went down. */
void acre__boot_check(acre_segment *s);
uint64_t acre__boot_id(void);
/* Visit each lock word of the segment's own, that may hold an owner. */
typedef void acre__boot_visit(void *arg, uint32_t *word);
void acre__boot_each_word(const acre_segment *s, acre__boot_visit *visit, void *arg);

#endif
