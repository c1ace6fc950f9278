/* SPDX-License-Identifier: MIT */
/* support_hostile.h: images of segments that a stranger may have written: real ones, changed where it hurts, and
 * everything that can be done with one.  No test framework in it: the fuzzer (fuzz_segment.c) uses it, too. */
#ifndef ACRE_TESTS_SUPPORT_HOSTILE_H
#define ACRE_TESTS_SUPPORT_HOSTILE_H

#include <acre.h>
#include <acre/object.h>

enum { HOSTILE_ROOM = 32 << 10, HOSTILE_KINDS = 8 };

/* Bytes of a real segment, with blocks that live and blocks that were freed, of algorithm a; kind: 0 to
 * HOSTILE_KINDS - 1, of other locks, journals, checks, sizes.  Into image (HOSTILE_ROOM bytes); its size, 0: there
 * is no such one. */
size_t hostile_make(unsigned char *image, const acre_algorithm *a, unsigned kind);

/* A cheap random number; *seed is not 0. */
uint64_t hostile_random(uint64_t *seed);

/* Change up to `room` bytes of image, of which `size` are used, in one to eight places; the new size. */
size_t hostile_mutate(unsigned char *image, size_t size, size_t room, uint64_t seed);

/* Make the header's checksum right. */
void hostile_sign(unsigned char *image);

/* No thread holds the locks of heap and objects: for one that lives, or is said to, waiting would be right. */
void hostile_unlock(unsigned char *image, size_t size);

/* HOSTILE_ROOM bytes between pages without access, of which the last `size` are to be used: *begin. */
typedef struct hostile_place {
    unsigned char *room;
    int fd; /* the same size in a file */
} hostile_place;
int hostile_place_make(hostile_place *p);

/* What came of meeting an image. */
typedef struct hostile_seen {
    int opened;  /* acre_segment_open()'s */
    int checked; /* acre_heap_check()'s, if it was opened */
    int left;    /* the same, when all was done that could be; 0: nothing was */
} hostile_seen;

/* Copy the image between the guards, open it there, or (in_file) from a file, and look at all there is to see.
 * If the heap's check passes, do everything that a user does with a heap. */
void hostile_meet(const hostile_place *p, const unsigned char *image, size_t size, bool read_only,
                  bool in_file, hostile_seen *seen);

#endif
