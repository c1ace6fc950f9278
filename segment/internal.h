/* SPDX-License-Identifier: MIT */
/* internal.h: what segment/'s files share. */
#ifndef ACRE_SEGMENT_INTERNAL_H
#define ACRE_SEGMENT_INTERNAL_H

#include "alloc/heap.h"
#include "segment/layout.h"
#include <acre/segment.h>

struct acre_segment {
    char *base;          /* where this process has mapped it */
    size_t window;       /* bytes mapped; less than capacity if address space is short */
    uint64_t capacity;   /* copied from the header when it was validated, like all base facts */
    enum acre_source source;
    int fd;              /* -1: none */
    bool read_only;
    acre_heap heap;
};

static inline segment_header *segment_header_of(const acre_segment *s)
{
    return (segment_header *)s->base;
}

/* format.c: fill the header of a segment of `size` bytes that nobody else sees yet; check a copy of
 * a header. */
int acre__format_write(segment_header *h, const acre_algorithm *a, size_t size, size_t capacity);
int acre__format_check(const segment_header *copy, bool read_only, const acre_algorithm **a);

/* source.c: descriptors and mappings. */
typedef struct segment_file {
    int fd;
    int dir;          /* directory of the name; -1: the segment has no name */
    char name[256];   /* in dir */
    char temp[64];    /* in dir: its name until it is published; "": it is unnamed */
} segment_file;

bool acre__source_has_file(enum acre_source source);
/* Open the directory of a name and check the name.  ACRE_ENAME, ENAMETOOLONG, ENOENT, … */
int acre__source_locate(segment_file *f, enum acre_source source, const char *name);
int acre__source_create(segment_file *f, enum acre_source source, mode_t mode);
int acre__source_publish(segment_file *f);
int acre__source_open(segment_file *f, enum acre_source source, const acre_segment_options *o);
void acre__source_close(segment_file *f);
/* Reserve real memory for bytes [0, size).  ENOSPC, EFBIG. */
int acre__source_reserve(int fd, size_t size);
/* Map `capacity` bytes, or less but at least `size` if address space is short. */
int acre__source_map(acre_segment *s, size_t size, size_t capacity);

/* boot.c: free a lock that was held when the machine went down. */
void acre__boot_check(acre_segment *s);
uint64_t acre__boot_id(void);

#endif
