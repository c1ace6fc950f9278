/* SPDX-License-Identifier: MIT */
/* lab.h: memory and clock of the measuring code itself.
 *
 * Nothing that measures may come from malloc: in a worker, malloc is the contender, and its heap
 * shall hold the contender's blocks only.  All pages are present before the clock starts. */
#ifndef ACRE_BENCH_LAB_H
#define ACRE_BENCH_LAB_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* Zeroed private pages.  NULL: no memory. */
void *acre_lab_map(size_t bytes);

/* Makes present what acre_lab_map() gave, so that the first touch is not measured. */
void acre_lab_populate(void *p, size_t bytes);

void acre_lab_unmap(void *p, size_t bytes);

/* The memory that a segment lies in: shared, not yet present, and not counted before it is used:
 * the same for acre and for Boost.  NULL: no address space. */
void *acre_lab_map_segment(size_t bytes);

/* Back to the state of a fresh mapping: no page present. */
void acre_lab_forget(void *p, size_t bytes);

/* A growing array outside malloc. */
typedef struct acre_lab_vector {
    void *data;
    size_t used, room; /* bytes */
} acre_lab_vector;

/* `bytes` more at the end, zeroed, or NULL; what *v points to may move. */
void *acre_lab_vector_push(acre_lab_vector *v, size_t bytes);
/* The data, cut to what is used (for acre_lab_unmap); *v is empty then. */
void *acre_lab_vector_take(acre_lab_vector *v);
void acre_lab_vector_free(acre_lab_vector *v);

/* CLOCK_MONOTONIC_RAW: not bent by NTP. */
uint64_t acre_lab_now_ns(void);

/* Resident bytes of this process, exact to a page (walks the page tables: not for a timed loop). */
uint64_t acre_lab_resident(void);

/* Bytes of anonymous memory that are present in a process: its heap and stacks; 0: it is gone, or the kernel
 * does not tell (exact to a page, and as slow as the above). */
uint64_t acre_lab_anonymous(pid_t process);

/* The largest resident set since acre_lab_reset_peak(), or since the start if that is refused. */
uint64_t acre_lab_resident_peak(void);
void acre_lab_reset_peak(void);

uint64_t acre_lab_minor_faults(void);

/* splitmix64 (Steele, Lea and Flood 2014): the next number of *state. */
static inline uint64_t acre_lab_random(uint64_t *state)
{
    uint64_t z = (*state += 0x9e3779b97f4a7c15u);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
    z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
    return z ^ (z >> 31);
}

#endif
