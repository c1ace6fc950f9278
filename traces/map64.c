/* SPDX-License-Identifier: MIT */
/* map64.c: linear probing with deletion by shifting back (Knuth, vol. 3, 6.4 algorithm R). */
#include <errno.h>
#include <stdlib.h>

#include "traces/map64.h"

static size_t map64_home(const acre__map64 *m, uint64_t key)
{
    key *= 0x9E3779B97F4A7C15u; /* 2^64 / golden ratio */
    return (size_t)(key ^ key >> 32) & m->mask;
}

static acre__map64_entry *map64_slot(const acre__map64 *m, uint64_t key)
{
    size_t i = map64_home(m, key);
    while (m->slots[i].key && m->slots[i].key != key)
        i = (i + 1) & m->mask;
    return &m->slots[i];
}

static int map64_grow(acre__map64 *m)
{
    size_t size = m->slots ? (m->mask + 1) * 2 : 1024;
    acre__map64 bigger = {calloc(size, sizeof *bigger.slots), m->n, size - 1};
    if (!bigger.slots)
        return ENOMEM;
    for (size_t i = 0; m->slots && i <= m->mask; i++)
        if (m->slots[i].key)
            *map64_slot(&bigger, m->slots[i].key) = m->slots[i];
    free(m->slots);
    *m = bigger;
    return 0;
}

acre__map64_entry *acre__map64_find(const acre__map64 *m, uint64_t key)
{
    if (m->n == 0)
        return NULL;
    acre__map64_entry *entry = map64_slot(m, key);
    return entry->key ? entry : NULL;
}

int acre__map64_set(acre__map64 *m, uint64_t key, uint64_t a, uint64_t b)
{
    if ((!m->slots || m->n * 2 > m->mask) && map64_grow(m) != 0)
        return ENOMEM;
    acre__map64_entry *entry = map64_slot(m, key);
    m->n += entry->key == 0;
    *entry = (acre__map64_entry){key, a, b};
    return 0;
}

void acre__map64_erase(acre__map64 *m, acre__map64_entry *entry)
{
    size_t hole = (size_t)(entry - m->slots);
    for (size_t i = (hole + 1) & m->mask; m->slots[i].key; i = (i + 1) & m->mask) {
        size_t probed = (i - map64_home(m, m->slots[i].key)) & m->mask;
        if (probed < ((i - hole) & m->mask))
            continue; /* its home lies after the hole */
        m->slots[hole] = m->slots[i];
        hole = i;
    }
    m->slots[hole].key = 0;
    m->n--;
}

void acre__map64_clear(acre__map64 *m)
{
    free(m->slots);
    *m = (acre__map64){0};
}
