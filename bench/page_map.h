/* SPDX-License-Identifier: MIT */
/* page_map.h: which 8-byte granules of the address space belong to a live block. */
#ifndef ACRE_BENCH_PAGE_MAP_H
#define ACRE_BENCH_PAGE_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef struct acre_page_map {
    struct acre_page_bits *table;
    size_t room, used; /* pages */
} acre_page_map;

/* Marks [p, p + size).  False: a part of it is marked already (then all of it is marked). */
bool acre_page_map_add(acre_page_map *m, const void *p, size_t size);
void acre_page_map_remove(acre_page_map *m, const void *p, size_t size);
void acre_page_map_free(acre_page_map *m);

#endif
