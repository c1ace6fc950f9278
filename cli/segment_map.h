/* SPDX-License-Identifier: MIT */
/* What the pictures of `acre segment map` are drawn from: the blocks, and cells of equal size with what is live
 * and what is free in each.  Offsets count from the segment's first byte. */
#ifndef ACRE_SEGMENT_MAP_H
#define ACRE_SEGMENT_MAP_H

#include "cli/segment_tools.h"

typedef struct segment_map {
    segment_view view;
    acre_block *block; /* in address order */
    size_t n, room;
    uint64_t used, free; /* bytes of the segment; the rest are headers and records */
} segment_map;

/* Bytes that are live, and free; the rest of the cell is records. */
typedef struct segment_cell {
    uint64_t used, free;
} segment_cell;

typedef struct segment_grid {
    segment_cell *cell;
    uint64_t bytes; /* of a cell: a power of two */
    size_t columns, rows;
} segment_grid;

/* The finest grid with so many columns that has at most so many rows; .cell is to be freed, NULL: no memory. */
segment_grid segment_grid_of(const segment_map *m, size_t columns, size_t rows);

/* Bytes of the segment in the cell: less in the last one, 0 behind. */
uint64_t segment_cell_bytes(const segment_map *m, const segment_grid *g, size_t cell);

/* Of the bytes that blocks have in it; below 0: no block has any. */
double segment_cell_live(const segment_cell *c);

/* The bins of free sizes that have something: [first, end). */
void segment_bins(const acre_stats *s, int *first, int *end);

int segment_map_print(const segment_map *m, const segment_args *a);
int segment_map_svg(const segment_map *m, FILE *f);

#endif
