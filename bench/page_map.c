/* SPDX-License-Identifier: MIT */
/* page_map.c: a hash table from page to a bitmap of its granules; pages are never taken out. */
#include "bench/page_map.h"

#include "bench/lab.h"

enum { PAGE_GRANULES = 512, PAGE_WORDS = PAGE_GRANULES / 64 };

typedef struct acre_page_bits {
    uint64_t page; /* address / 4096; 0: place is empty */
    uint64_t word[PAGE_WORDS];
} acre_page_bits;

static acre_page_bits *page_place(acre_page_bits *table, size_t room, uint64_t page)
{
    size_t at = (size_t)((page * 0x9e3779b97f4a7c15u) >> 20) & (room - 1);
    while (table[at].page && table[at].page != page)
        at = (at + 1) & (room - 1);
    return &table[at];
}

static bool page_grow(acre_page_map *m)
{
    size_t room = m->room ? 2 * m->room : 4096;
    acre_page_bits *table = acre_lab_map(room * sizeof *table);
    if (!table)
        return false;
    for (size_t i = 0; i < m->room; i++)
        if (m->table[i].page)
            *page_place(table, room, m->table[i].page) = m->table[i];
    acre_lab_unmap(m->table, m->room * sizeof *table);
    m->table = table;
    m->room = room;
    return true;
}

static acre_page_bits *page_get(acre_page_map *m, uint64_t page)
{
    if (2 * m->used >= m->room && !page_grow(m) && m->used + 1 >= m->room)
        return NULL;
    acre_page_bits *b = page_place(m->table, m->room, page);
    m->used += !b->page;
    b->page = page;
    return b;
}

/* Sets or clears granules [from, to) of one page; true if one of them was set. */
static bool page_change(acre_page_bits *b, unsigned from, unsigned to, bool set)
{
    bool met = false;
    for (unsigned w = from / 64; w <= (to - 1) / 64; w++) {
        unsigned lo = w == from / 64 ? from % 64 : 0;
        unsigned hi = w == (to - 1) / 64 ? (to - 1) % 64 : 63;
        uint64_t mask = (~(uint64_t)0 >> (63 - hi)) & (~(uint64_t)0 << lo);
        met |= (b->word[w] & mask) != 0;
        b->word[w] = set ? b->word[w] | mask : b->word[w] & ~mask;
    }
    return met;
}

static bool page_range(acre_page_map *m, const void *p, size_t size, bool set)
{
    uint64_t at = (uintptr_t)p / 8, end = ((uintptr_t)p + size + 7) / 8;
    bool met = false;
    while (at < end) {
        uint64_t page = at / PAGE_GRANULES, stop = (page + 1) * PAGE_GRANULES;
        stop = stop < end ? stop : end;
        acre_page_bits *b = page_get(m, page);
        unsigned from = at % PAGE_GRANULES;
        if (b)
            met |= page_change(b, from, from + (unsigned)(stop - at), set);
        at = stop;
    }
    return met;
}

bool acre_page_map_add(acre_page_map *m, const void *p, size_t size)
{
    return !page_range(m, p, size, true);
}

void acre_page_map_remove(acre_page_map *m, const void *p, size_t size)
{
    page_range(m, p, size, false);
}

void acre_page_map_free(acre_page_map *m)
{
    acre_lab_unmap(m->table, m->room * sizeof *m->table);
    *m = (acre_page_map){0};
}
