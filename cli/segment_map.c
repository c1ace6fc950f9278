/* SPDX-License-Identifier: MIT */
/* segment_map.c: `acre segment map`: what is where in a heap.  Blocks are listed without the lock, then drawn. */
#include "cli/segment_map.h"
#include "cli/cli.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

enum { MAP_BINS = sizeof((acre_stats *)0)->histogram / sizeof(uint64_t), MAP_CELL = 16 };

/* ---- blocks ---- */

static int map_keep(void *arg, const acre_block *b)
{
    segment_map *m = arg;
    if (m->n == m->room) {
        size_t room = m->room * 2 + 1024;
        acre_block *more = realloc(m->block, room * sizeof *more);
        if (!more)
            return ENOMEM;
        m->block = more;
        m->room = room;
    }
    m->block[m->n] = *b;
    m->block[m->n++].offset += m->view.info.region;
    *(b->used ? &m->used : &m->free) += b->size;
    return 0;
}

/* Statistics and blocks are looked at one after the other, and may be of two moments. */
static int map_collect(segment_map *m, acre_segment *s)
{
    segment_look(s, &m->view);
    int e = m->view.stats_error ? m->view.stats_error
                                : acre_heap_walk(acre_segment_heap(s), map_keep, m);
    return !e && !m->view.s.exact ? EAGAIN : e;
}

/* ---- cells ---- */

static uint64_t map_cell_size(uint64_t size, size_t cells)
{
    uint64_t bytes = MAP_CELL;
    while (bytes * cells < size)
        bytes *= 2;
    return bytes;
}

/* Its part in each cell that it lies in. */
static void map_add(segment_grid *g, const acre_block *b)
{
    uint64_t at = b->offset, end = b->offset + b->size;
    for (size_t i = at / g->bytes; at < end && i < g->columns * g->rows; i++) {
        uint64_t stop = (i + 1) * g->bytes < end ? (i + 1) * g->bytes : end;
        *(b->used ? &g->cell[i].used : &g->cell[i].free) += stop - at;
        at = stop;
    }
}

segment_grid segment_grid_of(const segment_map *m, size_t columns, size_t rows)
{
    uint64_t size = m->view.info.size;
    segment_grid g = {.columns = columns, .bytes = map_cell_size(size, columns * rows)};
    g.rows = (size_t)((size + g.bytes * columns - 1) / (g.bytes * columns));
    g.cell = calloc(g.columns * g.rows, sizeof *g.cell);
    for (size_t i = 0; g.cell && i < m->n; i++)
        map_add(&g, &m->block[i]);
    return g;
}

uint64_t segment_cell_bytes(const segment_map *m, const segment_grid *g, size_t cell)
{
    uint64_t at = cell * g->bytes, size = m->view.info.size;
    uint64_t rest = at < size ? size - at : 0;
    return rest < g->bytes ? rest : g->bytes;
}

double segment_cell_live(const segment_cell *c)
{
    uint64_t all = c->used + c->free;
    return all ? (double)c->used / (double)all : -1;
}

void segment_bins(const acre_stats *s, int *first, int *end)
{
    *first = 0;
    *end = MAP_BINS;
    while (*first < *end && !s->histogram[*first])
        ++*first;
    while (*end > *first && !s->histogram[*end - 1])
        --*end;
}

/* ---- the command ---- */

static int map_write(const segment_map *m, const char *path)
{
    FILE *f = fopen(path, "we");
    if (!f)
        return cli_fail("%s: %s", path, strerror(errno));
    int e = segment_map_svg(m, f);
    if (fclose(f) != 0 || e)
        return cli_fail("%s: %s", path, strerror(e ? e : errno));
    return 0;
}

int segment_draw(const segment_args *a, const char *name)
{
    segment_map m = {.view = {.name = name, .parts_error = ENOTSUP, .classes_error = ENOTSUP}};
    acre_segment *s;
    int status, e = segment_open_to_look(&s, name);
    if (e)
        return segment_refuse(name, e);
    e = map_collect(&m, s);
    acre_segment_close(s);
    if (e == EAGAIN)
        cli_fail("%s: cannot be drawn: somebody is at work in it, or has died at it", name);
    else if (e)
        segment_refuse(name, e);
    status = e ? CLI_FAILED : a->out ? map_write(&m, a->out) : segment_map_print(&m, a);
    free(m.block);
    return status;
}
